/*
 * options.c - every section and option: one row each
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A row says where a value goes, what it may be and what it is when absent;
 * the standard value goes through the same setter as a written one.
 * sbc.conf(5) tells the same in words.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autoconf.h"
#include "config/load.h"
#include "config/uci.h"

__attribute__((format(printf, 2, 3))) static void bad(const struct setting *s,
						      const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	load_fault(s->l, s->line, "%s '%s': %s %s",
		   conf_types[s->l->sections[s->section].type].name,
		   section_name(s->l, s->section), s->opt->name, text);
}

static void *member(const struct setting *s)
{
	return (char *)s->at + s->opt->offset;
}

/* ---- setters ------------------------------------------------------------ */

static void set_number(const struct setting *s)
{
	uint64_t v;

	if (str_u64(str_of(s->value), UINT32_MAX, &v) || v < s->opt->min ||
	    v > s->opt->max) {
		bad(s, "is to be a number from %lu to %lu, not '%.40s'",
		    s->opt->min, s->opt->max, s->value);
		return;
	}
	*(unsigned *)member(s) = (unsigned)v;
}

static const char *nearest_word(const char *const *words, const char *value)
{
	const char *best = NULL;
	unsigned least = ~0u;

	for (; *words; words++) {
		unsigned d = word_distance(*words, value);

		if (d < least) {
			least = d;
			best = *words;
		}
	}
	return best;
}

/* An enum whose values count from 0 in the order of the words. */
static void set_word(const struct setting *s)
{
	for (unsigned i = 0; s->opt->words[i]; i++)
		if (!strcmp(s->opt->words[i], s->value)) {
			*(unsigned *)member(s) = i;
			return;
		}
	bad(s, "has no value '%.40s'; the nearest is '%s'", s->value,
	    nearest_word(s->opt->words, s->value));
}

static void set_flag(const struct setting *s)
{
	bool *flag = member(s);

	if (strcmp(s->value, "0") && strcmp(s->value, "1"))
		bad(s, "is to be '0' or '1', not '%.40s'", s->value);
	else
		*flag = s->value[0] == '1';
}

/* Copies a text that was found to be in order. */
static void put_text(const struct setting *s)
{
	if (str_copy(member(s), s->opt->max, str_of(s->value)))
		bad(s, "is longer than %lu bytes", s->opt->max - 1);
}

static bool is_host(const char *text)
{
	struct addr literal;
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");

	if (n > 0 && text[n] == '\0')
		return true;
	return !addr_parse(&literal, text, strlen(text), 0);
}

static void set_host_text(const struct setting *s)
{
	if (is_host(s->value))
		put_text(s);
	else
		bad(s, "is to be a host name or address, not '%.60s'",
		    s->value);
}

/* The user part of a SIP URI, unescaped (RFC 3261 25.1: user), without '%'. */
static bool is_user(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				"-_.!~*'()&=+$,;?/");

	return n > 0 && text[n] == '\0';
}

static void set_user(const struct setting *s)
{
	if (is_user(s->value))
		put_text(s);
	else
		bad(s, "may hold A-Z a-z 0-9 and -_.!~*'()&=+$,;?/ only");
}

/* False after telling that the value cannot be a section's name. */
static bool is_section_name(const struct setting *s)
{
	if (uci_is_name(s->value))
		return true;
	bad(s, "is to be a section's name, not '%.60s'", s->value);
	return false;
}

static void refer(const struct setting *s, enum ref_kind kind)
{
	struct load *l = s->l;
	struct reference *r;

	if (!array_room(&l->refs, l->n_refs, sizeof(*l->refs))) {
		load_oom(l);
		return;
	}
	r = &l->refs[l->n_refs++];
	*r = (struct reference){
		.kind = kind, .line = s->line, .section = s->section};
	str_copy(r->name, sizeof(r->name), str_of(s->value));
}

static void set_realm_name(const struct setting *s)
{
	if (!is_section_name(s))
		return;
	put_text(s);
	refer(s, REF_REALM);
}

/* Who owns the registrations of a realm: we, or a trunk. */
static void set_registrar(const struct setting *s)
{
	if (!strcmp(s->value, "local") || !is_section_name(s))
		return;
	put_text(s);
	refer(s, REF_TRUNK);
}

static void set_schema(const struct setting *s)
{
	if (strcmp(s->value, "1"))
		bad(s, "'%.20s' is not known; this program reads '1'",
		    s->value);
}

static void set_secrets(const struct setting *s)
{
	if (!s->value[0] ||
	    str_copy(s->l->secrets, sizeof(s->l->secrets), str_of(s->value)))
		bad(s, "is to be a file name of 1 to 255 bytes");
	s->l->secrets_line = s->line;
}

static void set_interface(const struct setting *s)
{
	size_t n = strlen(s->value);

	if (n == 0 || n > 15 || strpbrk(s->value, " /\t"))
		bad(s, "is to be the name of a network device");
	else
		put_text(s);
}

static void add_address(const struct setting *s)
{
	struct conf_realm *r = s->at;
	struct addr a;

	if (addr_parse(&a, s->value, strlen(s->value), 0)) {
		bad(s, "is to be an IP address, not '%.60s'", s->value);
		return;
	}
	if (addr_class(&a) == ADDR_ANY || addr_class(&a) == ADDR_MULTICAST) {
		bad(s,
		    "'%.60s' is not an address to bind; leave interface "
		    "and address out for all addresses",
		    s->value);
		return;
	}
	for (unsigned i = 0; i < r->n_addresses; i++)
		if (addr_same_host(&r->addresses[i], &a)) {
			bad(s, "'%.60s' stands twice", s->value);
			return;
		}
	if (r->n_addresses == CONF_ADDRESSES)
		bad(s, "stands more than %d times", CONF_ADDRESSES);
	else if (!array_room(&r->addresses, r->n_addresses, sizeof(a)))
		load_oom(s->l);
	else
		r->addresses[r->n_addresses++] = a;
}

static void add_listen(const struct setting *s)
{
	struct conf_realm *r = s->at;
	struct str port = str_of(s->value), word = str_cut(&port, ':');
	struct conf_listen listen = {CONF_UDP, 0};
	uint64_t number;

	if (str_eq_c(word, "tcp")) {
		listen.transport = CONF_TCP;
	} else if (!str_eq_c(word, "udp")) {
		bad(s, "is to be 'udp:PORT' or 'tcp:PORT', not '%.40s'",
		    s->value);
		return;
	}
	if (str_u64(port, 65535, &number) || number == 0) {
		bad(s, "needs a port from 1 to 65535: '%.40s'", s->value);
		return;
	}
	listen.port = (uint16_t)number;
	for (unsigned i = 0; i < r->n_listen; i++)
		if (r->listen[i].transport == listen.transport &&
		    r->listen[i].port == listen.port) {
			bad(s, "'%.40s' stands twice", s->value);
			return;
		}
	if (r->n_listen == CONF_LISTENS) {
		bad(s, "stands more than %d times", CONF_LISTENS);
	} else if (!array_room(&r->listen, r->n_listen, sizeof(listen))) {
		load_oom(s->l);
	} else {
		size_t realm = s->l->sections[s->section].index;

		s->l->listen_lines[realm][r->n_listen] = s->line;
		r->listen[r->n_listen++] = listen;
	}
}

static void add_alias(const struct setting *s)
{
	struct conf_realm *r = s->at;
	char *text;

	if (!is_host(s->value) || strlen(s->value) > 255) {
		bad(s, "is to be a host name or address, not '%.60s'",
		    s->value);
		return;
	}
	if (r->n_aliases == CONF_ALIASES) {
		bad(s, "stands more than %d times", CONF_ALIASES);
		return;
	}
	text = str_dup(str_of(s->value));
	if (!text || !array_room(&r->aliases, r->n_aliases, sizeof(text))) {
		free(text);
		load_oom(s->l);
		return;
	}
	r->aliases[r->n_aliases++] = text;
}

static void set_media_ports(const struct setting *s)
{
	struct conf_realm *r = s->at;
	struct str to = str_of(s->value), from = str_cut(&to, '-');
	uint64_t low, high;

	if (str_u64(from, 65535, &low) || str_u64(to, 65535, &high)) {
		bad(s, "is to be 'FIRST-LAST', not '%.40s'", s->value);
		return;
	}
	if (low % 2 || high % 2 == 0)
		bad(s, "starts with an even and ends with an odd port: "
		       "RTP and RTCP make a pair");
	else if (low < 1024 || low >= high)
		bad(s, "goes from 1024 or more upwards, not '%.40s'", s->value);
	r->port_min = (uint16_t)low;
	r->port_max = (uint16_t)high;
}

static void set_password(const struct setting *s)
{
	struct conf_phone *p = s->at;

	if (!s->value[0] || strlen(s->value) > 255) {
		bad(s, "is to have 1 to 255 bytes");
		return;
	}
	free(p->password);
	p->password = str_dup(str_of(s->value));
	if (!p->password)
		load_oom(s->l);
}

/* Short of that many bytes it could be guessed. */
static void set_flow_key(const struct setting *s)
{
	struct conf_global *g = s->at;
	size_t n = strlen(s->value);

	if (strncmp(s->value, SECRET_PREFIX, strlen(SECRET_PREFIX)) &&
	    (n < CONF_KEY_BYTES || n > 255)) {
		bad(s, "is to have %d to 255 bytes", CONF_KEY_BYTES);
		return;
	}
	free(g->flow_key);
	g->flow_key = str_dup(str_of(s->value));
	if (!g->flow_key)
		load_oom(s->l);
}

static void set_trunk_host(const struct setting *s)
{
	struct conf_trunk *t = s->at;

	if (addr_parse(&t->host, s->value, strlen(s->value), 0))
		bad(s, "is to be an IP address, not '%.60s'", s->value);
	else if (addr_class(&t->host) == ADDR_ANY ||
		 addr_class(&t->host) == ADDR_MULTICAST)
		bad(s, "'%.60s' is not the address of one host", s->value);
}

/* Joins the host when the section is complete: either may come first. */
static void set_trunk_port(const struct setting *s)
{
	uint64_t port;

	if (str_u64(str_of(s->value), 65535, &port) || port == 0)
		bad(s, "is to be a number from 1 to 65535, not '%.40s'",
		    s->value);
	else
		s->l->sections[s->section].port = (uint16_t)port;
}

static void set_match(const struct setting *s)
{
	const char *fault = pattern_fault(s->value);

	if (fault)
		bad(s, "'%.60s': %s", s->value, fault);
	else
		put_text(s);
}

/* In the order of enum conf_method. */
static const char *const route_methods[] = {"INVITE",  "SUBSCRIBE", "MESSAGE",
					    "PUBLISH", "OPTIONS",   NULL};

static void add_method(const struct setting *s)
{
	struct conf_route *r = s->at;

	for (unsigned i = 0; route_methods[i]; i++) {
		if (strcmp(route_methods[i], s->value))
			continue;
		if (r->methods & 1u << i)
			bad(s, "'%.40s' stands twice", s->value);
		r->methods |= 1u << i;
		return;
	}
	bad(s, "has no value '%.40s'; the nearest is '%s'", s->value,
	    nearest_word(route_methods, s->value));
}

static void add_target(const struct setting *s)
{
	struct conf_route *r = s->at;

	if (!is_section_name(s))
		return;
	for (unsigned i = 0; i < r->n_to; i++)
		if (!strcmp(r->to[i], s->value)) {
			bad(s, "'%.60s' stands twice", s->value);
			return;
		}
	if (r->n_to == LIMIT_TARGETS) {
		bad(s, "stands more than %d times", LIMIT_TARGETS);
		return;
	}
	if (!array_room(&r->to, r->n_to, sizeof(*r->to))) {
		load_oom(s->l);
		return;
	}
	str_copy(r->to[r->n_to++], sizeof(*r->to), str_of(s->value));
	refer(s, REF_TARGET);
}

/* ---- the rows ----------------------------------------------------------- */

#define WORDS(name, ...) static const char *const name[] = {__VA_ARGS__, NULL}
WORDS(log_levels, "error", "warn", "info", "debug");
WORDS(log_formats, "text", "json");
WORDS(latches, "restricted", "open");
WORDS(nats, "auto", "always", "never");
WORDS(keepalives, "auto", "crlf", "options", "off");
WORDS(losts, "keep", "drop");
WORDS(contacts, "auto", "source", "stated");
WORDS(registrar_modes, "mirror", "throttle");
WORDS(strangers, "answer", "silent");
WORDS(digests, "md5", "sha256", "both");
WORDS(transports, "udp", "tcp");
WORDS(trusts, "none", "source");

#define AT(type, m)   .offset = offsetof(struct conf_##type, m)
#define TEXT(type, m) AT(type, m), .max = sizeof(((struct conf_##type *)0)->m)
#define NUMBER(type, m, low, high, std)                                        \
	.set = set_number, AT(type, m), .min = (low), .max = (high),           \
	.standard = (std)
#define WORD(type, m, list, std)                                               \
	.set = set_word, AT(type, m), .words = (list), .standard = (std)

static const struct option sbc_options[] = {
	{"schema", .set = set_schema},
	{"hostname", .set = set_host_text, TEXT(global, hostname)},
	{"max_calls", NUMBER(global, max_calls, 1, CONFIG_MAX_CALLS, "200")},
	{"ring_timeout", NUMBER(global, ring_timeout_s, 1, 3600, "180")},
	{"log_level", WORD(global, log_level, log_levels, "info")},
	{"log_format", WORD(global, log_format, log_formats, "text")},
	{"secrets", .set = set_secrets},
	{"workers", NUMBER(global, workers, 0, CONFIG_MEDIA_WORKERS_MAX, "0")},
	{"source_rate", NUMBER(global, source_rate, 0, 1000000, "5000")},
	{"flow_key", .set = set_flow_key},
};

static const struct option realm_options[] = {
	{"interface", .set = set_interface, TEXT(realm, interface)},
	{"address", .set = add_address, .list = true},
	{"listen", .set = add_listen, .list = true},
	{"domain", .set = set_host_text, TEXT(realm, domain)},
	{"domain_alias", .set = add_alias, .list = true},
	{"media_ports", .set = set_media_ports, .standard = "20000-39999"},
	{"port_rest", NUMBER(realm, port_rest_s, 0, 600, "60")},
	{"media_timeout", NUMBER(realm, media_timeout_s, 1, 86400, "60")},
	{"media_timeout_hold",
	 NUMBER(realm, media_timeout_hold_s, 1, 86400, "1800")},
	{"latch", WORD(realm, latch, latches, "restricted")},
	{"nat", WORD(realm, nat, nats, "auto")},
	{"keepalive", WORD(realm, keepalive, keepalives, "auto")},
	{"keepalive_interval",
	 NUMBER(realm, keepalive_interval_s, 10, 300, "25")},
	{"min_expires", NUMBER(realm, min_expires_s, 1, 604800, "60")},
	{"max_expires", NUMBER(realm, max_expires_s, 1, 604800, "3600")},
	{"nat_expires", NUMBER(realm, nat_expires_s, 0, 604800, "120")},
	{"keepalive_lost", WORD(realm, keepalive_lost, losts, "keep")},
	{"registrar", .set = set_registrar, TEXT(realm, registrar)},
	{"registrar_mode",
	 WORD(realm, registrar_mode, registrar_modes, "mirror")},
	{"registrar_expires",
	 NUMBER(realm, registrar_expires_s, 60, 604800, "3600")},
	{"strangers", WORD(realm, strangers, strangers, "answer")},
	{"digest", WORD(realm, digest, digests, "md5")},
};

static const struct option phone_options[] = {
	{"user", .set = set_user, TEXT(phone, user)},
	{"realm", .set = set_realm_name, TEXT(phone, realm)},
	{"auth_user", .set = set_user, TEXT(phone, auth_user)},
	{"password", .set = set_password, .need = true},
	{"caller_id", .set = set_user, TEXT(phone, caller_id)},
	{"max_contacts", NUMBER(phone, max_contacts, 1, LIMIT_CONTACTS, "10")},
	{"contact", WORD(phone, contact, contacts, "auto")},
	{"digest", WORD(phone, digest, digests, NULL)},
};

static const struct option trunk_options[] = {
	{"realm", .set = set_realm_name, TEXT(trunk, realm), .need = true},
	{"host", .set = set_trunk_host, .need = true},
	{"port", .set = set_trunk_port},
	{"transport", WORD(trunk, transport, transports, "udp")},
	{"trust", WORD(trunk, trust, trusts, "none")},
	{"path", .set = set_flag, AT(trunk, path), .standard = "1"},
};

static const struct option route_options[] = {
	{"from_realm", .set = set_realm_name, TEXT(route, from_realm)},
	{"match", .set = set_match, TEXT(route, match)},
	{"method", .set = add_method, .list = true},
	{"to", .set = add_target, .list = true, .need = true},
};

#define ROWS(type, arr, most)                                                  \
	.array = offsetof(struct config, arr),                                 \
	.count = offsetof(struct config, n_##arr),                             \
	.size = sizeof(struct conf_##type), .max = (most)
#define OPTIONS(rows)                                                          \
	.options = (rows), .n_options = sizeof(rows) / sizeof(*(rows))

const struct section_type conf_types[CONF_TYPES] = {
	[TYPE_SBC] = {"sbc", ROWS(global, globals, 1), OPTIONS(sbc_options)},
	[TYPE_REALM] = {"realm", ROWS(realm, realms, CONF_REALMS),
			.name_at = offsetof(struct conf_realm, name),
			OPTIONS(realm_options)},
	[TYPE_PHONE] = {"phone", ROWS(phone, phones, CONF_PHONES),
			.name_at = offsetof(struct conf_phone, name),
			OPTIONS(phone_options)},
	[TYPE_TRUNK] = {"trunk", ROWS(trunk, trunks, CONF_TRUNKS),
			.name_at = offsetof(struct conf_trunk, name),
			OPTIONS(trunk_options)},
	[TYPE_ROUTE] = {"route", ROWS(route, routes, CONF_ROUTES),
			.name_at = offsetof(struct conf_route, name),
			OPTIONS(route_options)},
};

_Static_assert(sizeof(realm_options) / sizeof(*realm_options) <= CONF_OPTIONS,
	       "struct section has no room for the realm's options");
