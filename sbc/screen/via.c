/*
 * via.c - can a Via header be trusted to send an answer by?
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The library answers to what Via says before it looks where the packet came
 * from: maddr= sends answers to a third host and resolves names with blocking
 * DNS, and a second received= or rport= survives its removal of the first.
 */
#include <string.h>
#include <strings.h>

#include "screen/shape.h"

struct scan {
	struct str s;
	size_t at;
};

static unsigned char peek(const struct scan *c)
{
	return c->at < c->s.n ? (unsigned char)c->s.p[c->at] : 0;
}

static bool take(struct scan *c, char wanted)
{
	if (c->at >= c->s.n || c->s.p[c->at] != wanted)
		return false;
	c->at++;
	return true;
}

static void skip_lws(struct scan *c)
{
	while (c->at < c->s.n && shape_is_lws(peek(c)))
		c->at++;
}

static struct str take_token(struct scan *c)
{
	size_t from = c->at;

	while (c->at < c->s.n && shape_is_token_char(peek(c)))
		c->at++;
	return (struct str){c->s.p + from, c->at - from};
}

static bool skip_quoted(struct scan *c)
{
	if (!take(c, '"'))
		return false;
	while (c->at < c->s.n) {
		unsigned char b = peek(c);

		c->at += b == '\\' ? 2 : 1;
		if (b == '"')
			return true;
	}
	c->at = c->s.n;
	return false;
}

/* SIP / 2.0 / UDP, with white space anywhere (RFC 4475 3.1.1.1). */
static bool skip_protocol(struct scan *c)
{
	for (int part = 0; part < 3; part++) {
		skip_lws(c);
		if (part && !take(c, '/'))
			return false;
		skip_lws(c);
		if (!take_token(c).n)
			return false;
	}
	return c->at < c->s.n && shape_is_lws(peek(c));
}

static bool skip_host(struct scan *c)
{
	if (take(c, '[')) {
		size_t from = c->at;

		while (c->at < c->s.n && peek(c) != ']' &&
		       !shape_is_lws(peek(c)))
			c->at++;
		return c->at > from && take(c, ']');
	}
	return take_token(c).n > 0;
}

static bool skip_sent_by(struct scan *c)
{
	size_t from;

	skip_lws(c);
	if (!skip_host(c))
		return false;
	skip_lws(c);
	if (!take(c, ':'))
		return true;
	skip_lws(c);
	from = c->at;
	while (peek(c) >= '0' && peek(c) <= '9')
		c->at++;
	return c->at > from;
}

static bool skip_value(struct scan *c)
{
	size_t from = c->at;

	if (peek(c) == '"')
		return skip_quoted(c);
	while (c->at < c->s.n &&
	       (shape_is_token_char(peek(c)) || strchr(":[]", peek(c))))
		c->at++;
	return c->at > from;
}

/* ;name[=value] ...  Counts what must not be there twice. */
static bool look_params(struct scan *c, struct via_look *out)
{
	unsigned received = 0, rport = 0, branch = 0;

	for (;;) {
		struct str name;
		bool has_value;

		skip_lws(c);
		if (!take(c, ';'))
			break;
		skip_lws(c);
		name = take_token(c);
		if (!name.n)
			return false;
		received += str_case_eq_c(name, "received");
		branch += str_case_eq_c(name, "branch");
		if (str_case_eq_c(name, "rport") && !rport++)
			out->rport_end = c->at;
		skip_lws(c);
		has_value = take(c, '=');
		if (has_value) {
			skip_lws(c);
			if (!skip_value(c))
				return false;
		}
		if (has_value && str_case_eq_c(name, "rport"))
			out->rport_end = 0;
	}
	out->has_received = received;
	out->is_trap |= received > 1 || rport > 1 || branch > 1;
	return c->at == c->s.n || peek(c) == ',' || peek(c) == '(';
}

/* Anywhere in the value, also in later via-parms and inside quotes: nobody
 * honest writes it, so a rough look is the safe one. */
bool via_has_maddr(struct str v)
{
	const char *end = v.p + v.n;
	const char *p = v.p;

	while (p < end && (p = memchr(p, ';', (size_t)(end - p)))) {
		p++;
		while (p < end && shape_is_lws((unsigned char)*p))
			p++;
		if (end - p >= 5 && !strncasecmp(p, "maddr", 5) &&
		    (end - p == 5 || !shape_is_token_char((unsigned char)p[5])))
			return true;
	}
	return false;
}

/* Where the first via-parm ends: a comma outside quotes, or the end. */
static size_t find_first_end(struct str v)
{
	struct scan c = {.s = v};

	while (c.at < v.n && peek(&c) != ',')
		if (!skip_quoted(&c))
			c.at += c.at < v.n;
	return c.at;
}

void via_look(struct via_look *out, struct str value)
{
	struct scan c = {.s = value};

	memset(out, 0, sizeof(*out));
	out->is_trap = via_has_maddr(value);
	out->first_end = find_first_end(value);
	out->has_host = skip_protocol(&c) && skip_sent_by(&c);
	if (out->has_host)
		out->is_broken = !look_params(&c, out);
}
