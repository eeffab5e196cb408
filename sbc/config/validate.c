/*
 * validate.c - what only shows when the whole file is known
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Whatever is compared with everything is sorted or hashed first: a file of
 * 100 000 phones is checked in well under a second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/load.h"
#include "core/list.h"

/* ---- dial patterns ------------------------------------------------------ */

const char *pattern_fault(const char *pattern)
{
	const char *p = pattern;

	if (!*p)
		return "an empty pattern; leave the option out to match all";
	if (strpbrk(p, " @<>\""))
		return "holds a byte that no user part has";
	if (*p == '=')
		return p[1] ? NULL : "nothing after '='";
	for (; *p; p++) {
		if (*p == ']')
			return "']' without '['";
		if (*p != '[')
			continue;
		if (*++p == ']')
			return "an empty set []";
		for (; *p != ']'; p++) {
			if (!*p || *p == '[')
				return "'[' without ']'";
			if (p[1] != '-' || p[2] == ']')
				continue;
			if (!p[2] || p[2] < p[0])
				return "a range that runs backwards";
			p += 2;
		}
	}
	return NULL;
}

/* ---- sections of one type in an order ----------------------------------- */

typedef int (*order_fn)(const void *a, const void *b, void *load);

/* Numbers of the sections of @type, sorted; NULL (told) when out of memory. */
static size_t *sorted(struct load *l, enum conf_type type, order_fn order,
		      size_t *count)
{
	size_t *list = malloc((l->n_sections + 1) * sizeof(*list));
	size_t n = 0;

	if (!list) {
		load_oom(l);
		return NULL;
	}
	for (size_t i = 0; i < l->n_sections; i++)
		if (l->sections[i].type == type)
			list[n++] = i;
	qsort_r(list, n, sizeof(*list), order, l);
	*count = n;
	return list;
}

/* The file's order, where the rest is equal. */
static int by_number(size_t a, size_t b)
{
	return a < b ? -1 : a > b;
}

static int by_name(const void *a, const void *b, void *load)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int order = strcmp(section_name(load, x), section_name(load, y));

	return order ? order : by_number(x, y);
}

static void check_names(struct load *l, enum conf_type type)
{
	size_t n, *list = sorted(l, type, by_name, &n);

	for (size_t i = 1; list && i < n; i++)
		if (!strcmp(section_name(l, list[i - 1]),
			    section_name(l, list[i])))
			load_fault(l, l->sections[list[i]].line,
				   "%s '%s' was defined in line %u already",
				   conf_types[type].name,
				   section_name(l, list[i]),
				   l->sections[list[i - 1]].line);
	free(list);
}

/* ---- phones that cannot be told apart ----------------------------------- */

/* By user, then realm: "any" sorts before all its equals. */
static int by_user(const void *a, const void *b, void *load)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	const struct conf_phone *p = section_at(load, x);
	const struct conf_phone *q = section_at(load, y);
	int order = strcmp(p->user, q->user);

	if (!order)
		order = strcmp(p->realm, q->realm);
	return order ? order : by_number(x, y);
}

static int by_auth(const void *a, const void *b, void *load)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	const struct conf_phone *p = section_at(load, x);
	const struct conf_phone *q = section_at(load, y);
	int order = strcmp(p->auth_user, q->auth_user);

	if (!order)
		order = strcmp(p->realm, q->realm);
	return order ? order : by_number(x, y);
}

static const char *user_of(const struct load *l, size_t i, bool auth)
{
	const struct conf_phone *p = section_at(l, i);

	return auth ? p->auth_user : p->user;
}

static void tell_overlap(struct load *l, size_t a, size_t b, bool auth)
{
	const char *option = auth ? "auth_user" : "user";
	size_t later = a > b ? a : b, earlier = a > b ? b : a;
	unsigned line = option_line(l, later, option);

	load_fault(l, line ? line : l->sections[later].line,
		   "phone '%s': %s '%s' is that of phone '%s' (line %u) in "
		   "the same realm",
		   section_name(l, later), option, user_of(l, later, auth),
		   section_name(l, earlier), l->sections[earlier].line);
}

static void check_users(struct load *l, bool auth)
{
	size_t n, *list = sorted(l, TYPE_PHONE, auth ? by_auth : by_user, &n);
	size_t first = 0; /* of those with the same user */

	for (size_t i = 1; list && i < n; i++) {
		const struct conf_phone *a = section_at(l, list[first]);
		const struct conf_phone *b = section_at(l, list[i - 1]);
		const struct conf_phone *p = section_at(l, list[i]);

		if (strcmp(user_of(l, list[first], auth),
			   user_of(l, list[i], auth)))
			first = i;
		else if (!a->realm[0])
			tell_overlap(l, list[first], list[i], auth);
		else if (!strcmp(b->realm, p->realm))
			tell_overlap(l, list[i - 1], list[i], auth);
	}
	free(list);
}

/* ---- realms ------------------------------------------------------------- */

static void check_realm(struct load *l, size_t i)
{
	const struct conf_realm *r = section_at(l, i);
	unsigned line;

	if (r->interface[0] && r->n_addresses)
		load_fault(l, option_line(l, i, "interface"),
			   "realm '%s': interface and address exclude each "
			   "other",
			   r->name);
	if (r->min_expires_s > r->max_expires_s) {
		line = option_line(l, i, "min_expires");
		if (!line)
			line = option_line(l, i, "max_expires");
		load_fault(l, line,
			   "realm '%s': min_expires %u is larger than "
			   "max_expires %u",
			   r->name, r->min_expires_s, r->max_expires_s);
	}
}

/* What a realm binds: a device, an address or everything, and a port. */
struct endpoint {
	char place[ADDR_TEXT_MAX + 8];
	struct conf_listen listen;
	unsigned line;
	size_t section;
};

static int by_endpoint(const void *a, const void *b)
{
	const struct endpoint *x = a, *y = b;
	int order = strcmp(x->place, y->place);

	if (!order)
		order = (int)x->listen.transport - (int)y->listen.transport;
	if (!order)
		order = (int)x->listen.port - (int)y->listen.port;
	return order ? order : by_number(x->section, y->section);
}

static size_t realm_endpoints(const struct load *l, size_t i,
			      struct endpoint *out)
{
	const struct conf_realm *r = section_at(l, i);
	unsigned places = r->n_addresses ? r->n_addresses : 1;
	size_t n = 0;

	for (unsigned a = 0; a < places; a++)
		for (unsigned t = 0; t < r->n_listen; t++) {
			struct endpoint *e = &out[n++];
			char text[ADDR_TEXT_MAX];
			const char *place = "all addresses";

			if (r->interface[0])
				place = r->interface;
			else if (r->n_addresses)
				place = addr_fmt_host(&r->addresses[a], text);
			snprintf(e->place, sizeof(e->place), "%s", place);
			e->listen = r->listen[t];
			e->line = l->listen_lines[l->sections[i].index][t];
			e->section = i;
		}
	return n;
}

static const char *transport_name(enum conf_transport t)
{
	return t == CONF_TCP ? "tcp" : "udp";
}

/* Told in the later of the two sections. */
static void tell_clash(struct load *l, const struct endpoint *earlier,
		       const struct endpoint *later)
{
	load_fault(l, later->line,
		   "realm '%s' listens on %s port %u of %s, as realm '%s' "
		   "does (line %u)",
		   section_name(l, later->section),
		   transport_name(later->listen.transport), later->listen.port,
		   later->place, section_name(l, earlier->section),
		   earlier->line);
}

static void check_endpoints(struct load *l)
{
	struct endpoint *list;
	size_t n = 0, fixed = 0;

	for (size_t i = 0; i < l->c->n_realms; i++) {
		const struct conf_realm *r = &l->c->realms[i];

		n += (r->n_addresses ? r->n_addresses : 1) * r->n_listen;
		fixed += r->n_addresses * r->n_listen;
	}
	if (fixed > LIMIT_LISTENERS)
		load_fault(l, 0,
			   "the realms listen on %zu sockets, more than %d",
			   fixed, LIMIT_LISTENERS);
	list = malloc((n + 1) * sizeof(*list));
	if (!list) {
		load_oom(l);
		return;
	}
	n = 0;
	for (size_t i = 0; i < l->n_sections; i++)
		if (l->sections[i].type == TYPE_REALM)
			n += realm_endpoints(l, i, list + n);
	qsort(list, n, sizeof(*list), by_endpoint);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(list[i - 1].place, list[i].place) &&
		    list[i - 1].listen.transport == list[i].listen.transport &&
		    list[i - 1].listen.port == list[i].listen.port)
			tell_clash(l, &list[i - 1], &list[i]);
	free(list);
}

/* ---- references --------------------------------------------------------- */

/* The realm or trunk whose name is nearest to @name, or NULL.  A search
 * through the file, so only the first few faults get one. */
static const char *suggest(struct load *l, bool trunks, const char *name)
{
	const char *best = NULL;
	unsigned least = ~0u;

	if (!l->suggestions)
		return NULL;
	l->suggestions--;
	for (size_t i = 0; i < (trunks ? l->c->n_trunks : l->c->n_realms);
	     i++) {
		const char *word =
			trunks ? l->c->trunks[i].name : l->c->realms[i].name;
		unsigned d = word_distance(word, name);

		if (d < least) {
			least = d;
			best = word;
		}
	}
	return best;
}

static void tell_missing(struct load *l, const struct reference *r,
			 const char *what, const char *nearest)
{
	load_fault(l, r->line, "%s '%s': there is no %s '%s'%s%s%s",
		   conf_types[l->sections[r->section].type].name,
		   section_name(l, r->section), what, r->name,
		   nearest ? "; the nearest is '" : "", nearest ? nearest : "",
		   nearest ? "'" : "");
}

static void check_reference(struct load *l, const struct reference *r)
{
	bool phone, trunk;

	if (r->kind == REF_REALM) {
		if (!config_realm(l->c, r->name))
			tell_missing(l, r, "realm", suggest(l, false, r->name));
		return;
	}
	if (r->kind == REF_TRUNK) {
		if (!config_trunk(l->c, r->name))
			tell_missing(l, r, "trunk", suggest(l, true, r->name));
		return;
	}
	phone = config_phone(l->c, r->name) != NULL;
	trunk = config_trunk(l->c, r->name) != NULL;
	if (phone && trunk)
		load_fault(l, r->line, "%s '%s': '%s' is a phone and a trunk",
			   conf_types[l->sections[r->section].type].name,
			   section_name(l, r->section), r->name);
	else if (!phone && !trunk)
		tell_missing(l, r, "trunk or phone", suggest(l, true, r->name));
}

/* The line of the first of two options that is written, else the section's. */
static unsigned line_of(const struct load *l, size_t i, const char *a,
			const char *b)
{
	unsigned line = option_line(l, i, a);

	if (!line)
		line = option_line(l, i, b);
	return line ? line : l->sections[i].line;
}

/* RFC 4028 4: the interval is never below the minimum. */
static void check_policy(struct load *l, size_t i, const struct conf_policy *p)
{
	if (p->session_expires_s && p->session_expires_s < p->min_se_s)
		load_fault(l, line_of(l, i, "session_expires", "min_se"),
			   "%s '%s': session_expires %u is less than min_se %u",
			   conf_types[l->sections[i].type].name,
			   section_name(l, i), p->session_expires_s,
			   p->min_se_s);
}

static bool listens_on(const struct conf_realm *r, enum conf_transport t)
{
	for (unsigned n = 0; n < r->n_listen; n++)
		if (r->listen[n].transport == t)
			return true;
	return false;
}

/* A trunk is reached from a listener of its realm. */
static void check_listeners(struct load *l, size_t i,
			    const struct conf_trunk *t)
{
	const struct conf_realm *r = config_realm(l->c, t->realm);

	if (r && !listens_on(r, t->transport))
		load_fault(l, line_of(l, i, "transport", "transport"),
			   "trunk '%s': its realm '%s' does not listen on %s",
			   t->name, r->name, transport_name(t->transport));
	else if (r && t->tcp_above && !listens_on(r, CONF_TCP))
		load_fault(l, option_line(l, i, "tcp_above"),
			   "trunk '%s': tcp_above is of no use, its realm '%s' "
			   "does not listen on tcp",
			   t->name, r->name);
}

static void check_trunk_hosts(struct load *l, size_t i,
			      const struct conf_trunk *t)
{
	unsigned host = option_line(l, i, "host");
	unsigned peer = option_line(l, i, "peer");

	if (!host && !peer)
		load_fault(l, l->sections[i].line,
			   "trunk '%s' needs 'option host' or 'list peer'",
			   t->name);
	else if (host && peer)
		load_fault(l, peer,
			   "trunk '%s': host and peer exclude each other",
			   t->name);
	else if (peer && l->sections[i].port)
		load_fault(l, option_line(l, i, "port"),
			   "trunk '%s': port belongs to host; a peer has its "
			   "own, as in 'NAME:PORT'",
			   t->name);
}

static void check_trunk(struct load *l, size_t i)
{
	const struct conf_trunk *t = section_at(l, i);

	check_trunk_hosts(l, i, t);
	check_listeners(l, i, t);
	check_policy(l, i, &t->policy);
	if (t->do_register && (!t->username[0] || !t->password))
		load_fault(l, option_line(l, i, "register"),
			   "trunk '%s': to register needs username and "
			   "password",
			   t->name);
	if (t->numbers == CONF_NUMBERS_NATIONAL && !t->country_code[0])
		load_fault(l, option_line(l, i, "numbers"),
			   "trunk '%s': numbers 'national' needs country_code",
			   t->name);
	if (t->area_code[0] && !t->country_code[0])
		load_fault(l, option_line(l, i, "area_code"),
			   "trunk '%s': area_code needs country_code", t->name);
}

/* Registrations go to one address, which has to be known. */
static void check_registrar(struct load *l, size_t i)
{
	const struct conf_realm *r = section_at(l, i);
	const struct conf_trunk *t = config_trunk(l->c, r->registrar);

	if (t && t->n_hosts && !addr_is_set(&t->host))
		load_fault(l, option_line(l, i, "registrar"),
			   "realm '%s': the registrar '%s' is to have an IP "
			   "address as its host",
			   r->name, t->name);
}

static void check_rule(struct load *l, size_t i)
{
	const struct conf_rule *r = section_at(l, i);
	unsigned value = option_line(l, i, "value");
	bool writes =
		r->action == CONF_RULE_ADD || r->action == CONF_RULE_REPLACE;

	if (!option_line(l, i, "action"))
		return;
	if (!writes && value)
		load_fault(l, value,
			   "header '%s': a rule that removes or passes has no "
			   "value",
			   r->name);
	else if (writes && !value)
		load_fault(l, l->sections[i].line,
			   "header '%s' needs 'option value'", r->name);
	if (r->action == CONF_RULE_ADD && r->match[0])
		load_fault(l, option_line(l, i, "match"),
			   "header '%s': a rule that adds has no match",
			   r->name);
	if (r->action == CONF_RULE_PASS &&
	    conf_header_kind(r->header) == CONF_HEADER_IDENTITY)
		load_fault(
			l, option_line(l, i, "header"),
			"header '%s': %s says who calls; what of that "
			"crosses is said by option trust_identity of a trunk",
			r->name, r->header);
}

static void check_section(struct load *l, size_t i)
{
	switch (l->sections[i].type) {
	case TYPE_REALM:
		check_realm(l, i);
		check_policy(
			l, i,
			&((const struct conf_realm *)section_at(l, i))->policy);
		check_registrar(l, i);
		break;
	case TYPE_TRUNK:
		check_trunk(l, i);
		break;
	case TYPE_RULE:
		check_rule(l, i);
		break;
	default:
		break;
	}
}

void validate(struct load *l)
{
	if (l->c->n_realms == 0)
		load_fault(l, 0,
			   "there is no section 'realm': nothing would listen");
	for (unsigned t = TYPE_REALM; t < CONF_TYPES; t++)
		check_names(l, (enum conf_type)t);
	for (size_t i = 0; i < l->n_sections; i++)
		check_section(l, i);
	check_endpoints(l);
	check_users(l, false);
	check_users(l, true);
	for (size_t i = 0; i < l->n_refs; i++)
		check_reference(l, &l->refs[i]);
}
