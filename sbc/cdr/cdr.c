/*
 * cdr.c - a call detail record as JSON
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Written straight into memory: a tree of JSON values made each call a third
 * dearer to set up.  Whoever reads records uses the library.
 */
#include "cdr/cdr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rand.h"

void cdr_make_id(char id[CDR_ID_CHARS + 1], wall_ms t)
{
	uint64_t ms = (uint64_t)t;
	uint8_t r[10];

	rand_bytes(r, sizeof(r));
	snprintf(id, CDR_ID_CHARS + 1,
		 "%08x-%04x-7%01x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 (unsigned)(ms >> 16), (unsigned)(ms & 0xffff), r[0] & 0xf,
		 r[1], (r[2] & 0x3f) | 0x80, r[3], r[4], r[5], r[6], r[7], r[8],
		 r[9]);
}

enum { RECORD_BYTES = 16000 };

/* Bytes of the UTF-8 character at @p (RFC 3629 4); 0 = there is none. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
	static const struct {
		unsigned char from, to;  /* of the first byte */
		unsigned char low, high; /* of the second */
		size_t bytes;
	} forms[] = {
		{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	if (p[0] < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (p[0] < forms[i].from || p[0] > forms[i].to)
			continue;
		if (n < forms[i].bytes || p[1] < forms[i].low ||
		    p[1] > forms[i].high)
			return 0;
		for (size_t k = 2; k < forms[i].bytes; k++) {
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		}
		return forms[i].bytes;
	}
	return 0;
}

static bool is_utf8(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n;

	for (size_t i = 0; i < s.n; i += n) {
		n = utf8_length(p + i, s.n - i);
		if (!n)
			return false;
	}
	return true;
}

static void put_escaped(struct buf *b, struct str s)
{
	size_t from = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_put(b, s.p + from, i - from);
		buf_printf(b, c < 0x20 ? "\\u%04x" : "\\%c", c);
		from = i + 1;
	}
	buf_put(b, s.p + from, s.n - from);
}

/* A text, or null; what a peer wrote need not be UTF-8: say so rather than
 * lose the record. */
static void put_str(struct buf *b, struct str s)
{
	if (!s.p) {
		buf_puts(b, "null");
		return;
	}
	buf_puts(b, "\"");
	put_escaped(b, is_utf8(s) ? s : STR("(not UTF-8)"));
	buf_puts(b, "\"");
}

/* ---- members --------------------------------------------------------------- */

/* @key with its colon, after a comma where one is due. */
static void put_key(struct buf *b, const char *key)
{
	if (b->n && b->p[b->n - 1] != '{' && b->p[b->n - 1] != '[')
		buf_puts(b, ",");
	buf_puts(b, "\"");
	buf_puts(b, key);
	buf_puts(b, "\":");
}

static void put_text(struct buf *b, const char *key, const char *text)
{
	put_key(b, key);
	put_str(b, text ? str_of(text) : (struct str){0});
}

static void put_token(struct buf *b, const char *key, struct str s)
{
	put_key(b, key);
	put_str(b, s.n ? s : (struct str){0});
}

static void put_time(struct buf *b, const char *key, wall_ms t)
{
	char text[CLOCK_TEXT_MAX];

	put_text(b, key, t ? clock_fmt(t, text) : NULL);
}

static void put_addr(struct buf *b, const char *key, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	put_text(b, key, addr_is_set(a) ? addr_fmt(a, text) : NULL);
}

/* A printf() of its own for each of many small numbers would cost more than all
 * else. */
static void put_digits(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_put(b, digits + n, sizeof(digits) - n);
}

/* @none is written as null. */
static void put_number(struct buf *b, const char *key, int64_t v, int64_t none)
{
	put_key(b, key);
	if (v == none) {
		buf_puts(b, "null");
		return;
	}
	if (v < 0)
		buf_puts(b, "-");
	put_digits(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

static void put_count(struct buf *b, const char *key, uint64_t v)
{
	put_key(b, key);
	put_digits(b, v);
}

static void put_flag(struct buf *b, const char *key, bool v)
{
	put_key(b, key);
	buf_puts(b, v ? "true" : "false");
}

/* ---- the record -------------------------------------------------------------- */

static void put_side(struct buf *b, const char *key, const struct cdr_side *s)
{
	put_key(b, key);
	if (!s->peer) {
		buf_puts(b, "null");
		return;
	}
	buf_puts(b, "{");
	put_text(b, "realm", s->realm);
	put_text(b, "peer", s->peer);
	put_text(b, "kind", s->is_trunk ? "trunk" : "phone");
	put_text(b, "transport", s->transport);
	put_addr(b, "source", &s->source);
	put_text(b, "call_id", s->call_id);
	put_text(b, "nat", s->nat);
	buf_puts(b, "}");
}

static void put_media(struct buf *b, const struct cdr_media *m)
{
	const char side[] = {m->side, '\0'};

	buf_puts(b, b->p[b->n - 1] == '[' ? "{" : ",{");
	put_text(b, "side", side);
	put_token(b, "type", m->type);
	put_token(b, "codec", m->codec);
	put_addr(b, "local", &m->local);
	put_addr(b, "remote", &m->remote);
	put_flag(b, "latched", m->latched);
	put_key(b, "in");
	buf_puts(b, "{");
	put_count(b, "packets", m->in_packets);
	put_count(b, "bytes", m->in_bytes);
	put_count(b, "lost", m->in_lost);
	buf_puts(b, "}");
	put_key(b, "out");
	buf_puts(b, "{");
	put_count(b, "packets", m->out_packets);
	put_count(b, "bytes", m->out_bytes);
	buf_puts(b, "}}");
}

static void put_attempt(struct buf *b, const struct cdr_attempt *a)
{
	buf_puts(b, b->p[b->n - 1] == '[' ? "{" : ",{");
	put_text(b, "peer", a->peer);
	put_time(b, "at", a->at);
	put_number(b, "status", a->status, 0);
	buf_puts(b, "}");
}

/* From the INVITE to the first sign that it rings somewhere. */
static int64_t post_dial_delay(const struct cdr *c)
{
	wall_ms heard = c->ringing_at ? c->ringing_at : c->answered_at;

	return heard ? heard - c->started_at : -1;
}

static void put_names(struct buf *b, const char *key, const char *received,
		      const char *sent)
{
	put_key(b, key);
	buf_puts(b, "{");
	put_text(b, "received", received);
	put_text(b, "sent", sent);
	buf_puts(b, "}");
}

static void put_end(struct buf *b, const struct cdr *c)
{
	put_number(b, "status", c->status, 0);
	put_number(b, "q850", c->q850, 0);
	put_text(b, "cause", c->cause);
	put_text(b, "reason", c->reason);
	put_text(b, "ended_by", c->ended_by);
	put_flag(b, "emergency", c->is_emergency);
	put_text(b, "transferred", c->transferred);
}

char *cdr_json(const struct cdr *c)
{
	char mem[RECORD_BYTES];
	struct buf b;

	buf_init(&b, mem, sizeof(mem));
	buf_puts(&b, "{");
	put_count(&b, "v", CDR_VERSION);
	put_text(&b, "id", c->id);
	put_time(&b, "started_at", c->started_at);
	put_time(&b, "ringing_at", c->ringing_at);
	put_time(&b, "answered_at", c->answered_at);
	put_time(&b, "ended_at", c->ended_at);
	put_number(&b, "duration_ms", c->duration_ms, -1);
	put_number(&b, "pdd_ms", post_dial_delay(c), -1);
	put_names(&b, "from", c->from_received, c->from_sent);
	put_names(&b, "to", c->to_received, c->to_sent);
	put_side(&b, "a", &c->a);
	put_side(&b, "b", &c->b);
	put_end(&b, c);
	put_key(&b, "attempts");
	buf_puts(&b, "[");
	for (unsigned i = 0; i < c->n_attempts; i++)
		put_attempt(&b, &c->attempts[i]);
	buf_puts(&b, "]");
	put_key(&b, "media");
	buf_puts(&b, "[");
	for (unsigned i = 0; i < c->n_media; i++)
		put_media(&b, &c->media[i]);
	buf_puts(&b, "]}");
	return b.overflow ? NULL : strdup(mem);
}
