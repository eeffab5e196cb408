/*
 * told.h - a message as text, seen as the verdict sees it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A small reader of its own, so that the tests of a pure function need no
 * stack; forgiving enough for the fuzz target, too.
 */
#ifndef TESTS_NAT_TOLD_H
#define TESTS_NAT_TOLD_H

#include <stdio.h>
#include <string.h>

#include "nat/nat.h"

struct told {
	char text[16384];
	struct sip_contact contacts[4];
	struct sip_view view;
	struct nat_look look;
};

/* The slice ends inside told.text, where its terminator may be written. */
static char *told_ended(struct str s)
{
	char *p = (char *)s.p;

	if (!p)
		return NULL;
	p[s.n] = '\0';
	return p;
}

static void told_host_port(const char **host, uint16_t *port, struct str s)
{
	struct str h = s;
	uint64_t n = 0;
	size_t at = 0;

	if (s.n && s.p[0] == '[')
		while (at < s.n && s.p[at] != ']')
			at++;
	while (at < s.n && s.p[at] != ':')
		at++;
	h.n = at;
	if (at < s.n &&
	    !str_u64((struct str){s.p + at + 1, s.n - at - 1}, UINT16_MAX, &n))
		*port = (uint16_t)n;
	*host = h.n ? told_ended(h) : NULL;
}

/* The text of a URI is cut up where the view wants pieces of it: on copies. */
static struct str told_copy(char *mem, size_t cap, struct str s)
{
	s.n = s.n < cap ? s.n : cap - 1;
	if (s.n)
		memcpy(mem, s.p, s.n);
	return (struct str){mem, s.n};
}

static void told_uri(struct sip_uri *out, struct str uri)
{
	static char mem[4][512];
	static unsigned turn;
	struct str s = told_copy(mem[turn++ % 4], sizeof(mem[0]), uri), after;

	str_cut(&s, ':');
	after = s;
	str_cut(&after, '@');
	if (after.p)
		s = after;
	s = str_cut(&s, ';');
	told_host_port(&out->host, &out->port, s);
}

/* <uri> or a bare one. */
static struct str told_addr_spec(struct str value)
{
	struct str in = value;

	str_cut(&in, '<');
	if (in.p)
		return str_cut(&in, '>');
	return str_trim(str_cut(&value, ';'));
}

static void told_via(struct told *t, struct str value)
{
	struct sip_sent_by *via = &t->view.via;
	struct str sent_by, param;

	str_cut(&value, ' ');
	value = str_cut(&value, ',');
	sent_by = str_trim(str_cut(&value, ';'));
	while (value.n) {
		uint64_t port = 0;
		struct str name;

		param = str_cut(&value, ';');
		name = str_cut(&param, '=');
		if (str_case_eq_c(name, "rport")) {
			via->has_rport = true;
			if (!str_u64(param, UINT16_MAX, &port))
				via->rport = (uint16_t)port;
		}
		if (str_case_eq_c(name, "received") && param.p)
			via->received = told_ended(param);
	}
	told_host_port(&via->host, &via->port, sent_by);
}

/* In a response Via is ours, and says how the peer saw us. */
static void told_reply_source(struct told *t)
{
	struct sip_sent_by *via = &t->view.via;
	const char *host = via->received ? via->received : via->host;
	uint16_t port = via->rport ? via->rport : via->port;

	if (host && (via->received || via->rport))
		addr_parse(&t->view.reply_source, host, strlen(host), port);
	*via = (struct sip_sent_by){0};
}

static int64_t told_number(struct str s)
{
	uint64_t n;

	return str_u64(s, INT32_MAX, &n) ? -1 : (int64_t)n;
}

static void told_header(struct told *t, struct str line)
{
	struct sip_view *v = &t->view;
	struct str name = str_trim(str_cut(&line, ':'));
	struct str value = str_trim(line);

	if (!value.p)
		return;
	if (str_case_eq_c(name, "via") && !v->via.host)
		told_via(t, value);
	else if (str_case_eq_c(name, "contact") && v->n_contacts < 4)
		v->contacts[v->n_contacts++].uri =
			told_ended(told_addr_spec(value));
	else if (str_case_eq_c(name, "call-id"))
		v->call_id = told_ended(value);
	else if (str_case_eq_c(name, "to"))
		told_uri(&v->to, told_addr_spec(value));
	else if (str_case_eq_c(name, "path"))
		v->path = told_ended(value);
	else if (str_case_eq_c(name, "max-forwards"))
		v->max_forwards = (int)told_number(value);
	else if (str_case_eq_c(name, "content-length"))
		v->content_length = told_number(value);
}

static void told_start(struct told *t, struct str line)
{
	struct sip_view *v = &t->view;
	struct str first = str_cut(&line, ' '), second = str_cut(&line, ' ');

	if (str_eq_c(first, "SIP/2.0")) {
		v->status = (int)told_number(second);
		if (v->status < 100)
			v->status = 100;
		return;
	}
	v->method = str_eq_c(first, "REGISTER") ? SIP_REGISTER : SIP_INVITE;
	told_uri(&v->uri, second);
}

/* ---- the description: first stream ---------------------------------------- */

static struct str told_word(struct str s, unsigned i)
{
	while (i--)
		str_cut(&s, ' ');
	return str_cut(&s, ' ');
}

static void told_sdp_line(struct told *t, char kind, struct str value,
			  uint16_t *port)
{
	struct nat_look *look = &t->look;
	struct str host = told_word(value, kind == 'o' ? 5 : 2);
	int64_t n;

	if (kind == 'o' && host.n)
		addr_parse(&look->sdp_origin, host.p, host.n, 0);
	if (kind == 'c' && host.n)
		addr_parse(&look->sdp, host.p, host.n, 0);
	if (kind == 'm') {
		n = told_number(told_word(value, 1));
		*port = n > 0 && n <= UINT16_MAX ? (uint16_t)n : 0;
	}
	if (kind == 'a' && str_eq_c(str_cut(&value, ':'), "rtcp")) {
		n = told_number(told_word(value, 0));
		look->sdp_rtcp = n > 0 && n <= UINT16_MAX ? (uint16_t)n : 0;
	}
}

static void told_sdp(struct told *t, struct str body)
{
	uint16_t port = 0;
	struct str line;

	while (str_line(&body, &line))
		if (line.n > 2 && line.p[1] == '=')
			told_sdp_line(t, line.p[0],
				      (struct str){line.p + 2, line.n - 2},
				      &port);
	addr_set_port(&t->look.sdp, port);
}

/* ---------------------------------------------------------------------------- */

/* Read @bytes as a message that came along @flow.  @t must stay in place. */
static void told_read(struct told *t, const void *bytes, size_t n,
		      const struct sip_flow *flow)
{
	struct str text, line;

	memset(t, 0, sizeof(*t));
	n = n < sizeof(t->text) - 1 ? n : sizeof(t->text) - 1;
	if (n)
		memcpy(t->text, bytes, n);
	t->view.flow = *flow;
	t->view.max_forwards = -1;
	t->view.content_length = -1;
	t->view.contacts = t->contacts;
	t->look.view = &t->view;
	text = (struct str){t->text, n};
	if (str_line(&text, &line))
		told_start(t, line);
	while (str_line(&text, &line) && line.n)
		told_header(t, line);
	t->view.body = text;
	told_sdp(t, text);
	if (t->view.status)
		told_reply_source(t);
}

static struct sip_flow told_flow(enum sip_transport transport,
				 const char *local, const char *remote)
{
	struct sip_flow flow = {.transport = transport};

	if (addr_parse_port(&flow.local, local) ||
	    addr_parse_port(&flow.remote, remote))
		memset(&flow, 0, sizeof(flow));
	return flow;
}

#endif
