/*
 * set_peer.c - values of trunks, and of what a session with a peer may be
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/set.h"

/* ---- where a trunk lives ------------------------------------------------ */

/* "192.0.2.400" is a slip of the pen, not a name. */
static bool is_number_like(const char *name)
{
	const char *last = strrchr(name, '.');

	last = last ? last + 1 : name;
	return last[strspn(last, "0123456789")] == '\0';
}

/* The host of @out from @text, without port.  False after telling a fault. */
static bool read_host(const struct setting *s, struct conf_host *out,
		      struct str text)
{
	char name[sizeof(out->name)], literal[ADDR_TEXT_MAX];

	if (str_copy(name, sizeof(name), text)) {
		set_fault(s, "is longer than %zu bytes", sizeof(name) - 1);
		return false;
	}
	if (addr_parse(&out->addr, name, strlen(name), 0)) {
		if (!set_is_host(name) || is_number_like(name)) {
			set_fault(s,
				  "is to be a host name or IP address, not "
				  "'%.60s'",
				  s->value);
			return false;
		}
		strcpy(out->name, name);
		return true;
	}
	if (addr_class(&out->addr) == ADDR_ANY ||
	    addr_class(&out->addr) == ADDR_MULTICAST) {
		set_fault(s, "'%.60s' is not the address of one host",
			  s->value);
		return false;
	}
	strcpy(out->name, addr_fmt_uri(&out->addr, literal));
	return true;
}

static void put_host(const struct setting *s, const struct conf_host *host)
{
	struct conf_trunk *t = s->at;

	if (!array_room(&t->hosts, t->n_hosts, sizeof(*t->hosts)))
		load_oom(s->l);
	else
		t->hosts[t->n_hosts++] = *host;
}

void set_host(const struct setting *s)
{
	struct conf_host host = {.priority = 10, .weight = 100};

	if (read_host(s, &host, str_of(s->value)))
		put_host(s, &host);
}

/* Joins the host when the section is complete: either may come first. */
void set_port(const struct setting *s)
{
	uint64_t port;

	if (str_u64(str_of(s->value), 65535, &port) || port == 0)
		set_fault(s, "is to be a number from 1 to 65535, not '%.40s'",
			  s->value);
	else
		s->l->sections[s->section].port = (uint16_t)port;
}

/* "name", "name:port", "192.0.2.1:port", "[2001:db8::1]:port": the host is
 * returned and ":port" or nothing left in @text. */
static struct str cut_host(struct str *text)
{
	struct str host = *text;
	const char *end = NULL;

	if (host.n && host.p[0] == '[')
		end = memchr(host.p, ']', host.n);
	if (end)
		host.n = (size_t)(end + 1 - host.p);
	else if ((end = memchr(host.p, ':', host.n)) != NULL)
		host.n = (size_t)(end - host.p);
	*text = (struct str){text->p + host.n, text->n - host.n};
	return host;
}

/* The next word of @text as a number; @standard when there is none. */
static bool next_number(struct str *text, unsigned standard, unsigned *out)
{
	struct str word;
	uint64_t v;

	*text = str_trim(*text);
	*out = standard;
	if (!text->n)
		return true;
	word = str_cut(text, ' ');
	if (str_u64(word, 65535, &v))
		return false;
	*out = (unsigned)v;
	return true;
}

void add_peer(const struct setting *s)
{
	struct conf_trunk *t = s->at;
	struct str rest = str_of(s->value), port = str_cut(&rest, ' '), host;
	struct conf_host peer = {0};
	uint64_t number = 0;

	host = cut_host(&port);
	if (port.n &&
	    (port.p[0] != ':' ||
	     str_u64((struct str){port.p + 1, port.n - 1}, 65535, &number) ||
	     !number)) {
		set_fault(
			s,
			"is to be 'HOST[:PORT] [PRIORITY [WEIGHT]]' with IPv6 "
			"in [], not '%.60s'",
			s->value);
		return;
	}
	peer.port = (uint16_t)number;
	if (!next_number(&rest, 10, &peer.priority) ||
	    !next_number(&rest, 100, &peer.weight) || str_trim(rest).n) {
		set_fault(s,
			  "'%.60s': priority and weight are numbers from 0 to "
			  "65535",
			  s->value);
		return;
	}
	if (!read_host(s, &peer, host))
		return;
	for (unsigned i = 0; i < t->n_hosts; i++)
		if (!strcasecmp(t->hosts[i].name, peer.name) &&
		    t->hosts[i].port == peer.port) {
			set_fault(s, "'%.60s' stands twice", s->value);
			return;
		}
	if (t->n_hosts == CONF_PEERS)
		set_fault(s, "stands more than %d times", CONF_PEERS);
	else
		put_host(s, &peer);
}

/* ---- numbers ------------------------------------------------------------ */

/* A dialling prefix; may be empty: some countries have none. */
void set_digits(const struct setting *s)
{
	if (s->value[strspn(s->value, "0123456789")])
		set_fault(s, "is to be digits, not '%.40s'", s->value);
	else
		set_text(s);
}

/* ITU-T E.164: one to three digits, none of them begins with 0. */
void set_country(const struct setting *s)
{
	size_t n = strspn(s->value, "0123456789");

	if (n < 1 || n > 3 || s->value[n] || s->value[0] == '0')
		set_fault(s, "is to be 1 to 3 digits as '49', not '%.40s'",
			  s->value);
	else
		set_text(s);
}

/* 0, or a time of at least the row's minimum. */
void set_seconds_or_off(const struct setting *s)
{
	uint64_t v;

	if (str_u64(str_of(s->value), UINT32_MAX, &v) ||
	    (v && (v < s->opt->min || v > s->opt->max)))
		set_fault(s,
			  "is to be 0 or a number from %lu to %lu, not "
			  "'%.40s'",
			  s->opt->min, s->opt->max, s->value);
	else
		*(unsigned *)set_member(s) = (unsigned)v;
}

/* ---- what a session may be ---------------------------------------------- */

/* An encoding name (RFC 8866 6.6: a token). */
static bool is_codec(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._+");

	return n > 0 && n < LIMIT_NAME_BYTES && text[n] == '\0';
}

void add_codec(const struct setting *s)
{
	struct conf_policy *p = set_member(s);

	if (!is_codec(s->value)) {
		set_fault(s, "is to be a codec's name as in SDP, not '%.40s'",
			  s->value);
		return;
	}
	for (unsigned i = 0; i < p->n_codecs; i++)
		if (!strcasecmp(p->codecs[i], s->value)) {
			set_fault(s, "'%.40s' stands twice", s->value);
			return;
		}
	if (p->n_codecs == CONF_CODECS)
		set_fault(s, "stands more than %d times", CONF_CODECS);
	else if (!array_room(&p->codecs, p->n_codecs, sizeof(*p->codecs)))
		load_oom(s->l);
	else
		str_copy(p->codecs[p->n_codecs++], sizeof(*p->codecs),
			 str_of(s->value));
}

void add_media(const struct setting *s)
{
	/* In the order of the bits of enum conf_media. */
	static const char *const kinds[] = {"audio", "video", "image", "other",
					    NULL};
	unsigned *media = set_member(s);
	int i = set_which(s, kinds);

	if (i < 0)
		return;
	if (*media & 1u << i)
		set_fault(s, "'%.40s' stands twice", s->value);
	*media |= 1u << i;
}
