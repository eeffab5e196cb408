/*
 * cdr.c - a call detail record as JSON
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cdr/cdr.h"

#include <stdio.h>

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

/* What a peer wrote need not be UTF-8: say so rather than lose the record. */
static json_t *text_of(const char *text)
{
	json_t *s = text ? json_string(text) : NULL;

	if (text && !s)
		s = json_string("(not UTF-8)");
	return s ? s : json_null();
}

static json_t *str_of_peer(struct str s)
{
	json_t *j = s.n ? json_stringn(s.p, s.n) : NULL;

	return j ? j : json_null();
}

static json_t *time_of(wall_ms t)
{
	char text[CLOCK_TEXT_MAX];

	return t ? json_string(clock_fmt(t, text)) : json_null();
}

static json_t *addr_of(const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	return addr_is_set(a) ? json_string(addr_fmt(a, text)) : json_null();
}

static json_t *number_or_null(int64_t v, int64_t none)
{
	return v == none ? json_null() : json_integer(v);
}

static json_t *side_json(const struct cdr_side *s)
{
	if (!s->peer)
		return json_null();
	return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "realm",
			 text_of(s->realm), "peer", text_of(s->peer), "kind",
			 s->is_trunk ? "trunk" : "phone", "transport",
			 text_of(s->transport), "source", addr_of(&s->source),
			 "call_id", text_of(s->call_id), "nat",
			 text_of(s->nat));
}

static json_t *media_json(const struct cdr_media *m)
{
	return json_pack(
		"{s:s%, s:o, s:o, s:o, s:o, s:b, s:{s:I, s:I, s:I}, s:{s:I, "
		"s:I}}",
		"side", &m->side, (size_t)1, "type", str_of_peer(m->type),
		"codec", str_of_peer(m->codec), "local", addr_of(&m->local),
		"remote", addr_of(&m->remote), "latched", m->latched, "in",
		"packets", (json_int_t)m->in_packets, "bytes",
		(json_int_t)m->in_bytes, "lost", (json_int_t)m->in_lost, "out",
		"packets", (json_int_t)m->out_packets, "bytes",
		(json_int_t)m->out_bytes);
}

static json_t *attempt_json(const struct cdr_attempt *a)
{
	return json_pack("{s:o, s:o, s:o}", "peer", text_of(a->peer), "at",
			 time_of(a->at), "status",
			 number_or_null(a->status, 0));
}

static json_t *lists_json(const struct cdr *c)
{
	json_t *media = json_array(), *attempts = json_array();

	for (unsigned i = 0; i < c->n_media; i++)
		json_array_append_new(media, media_json(&c->media[i]));
	for (unsigned i = 0; i < c->n_attempts; i++)
		json_array_append_new(attempts, attempt_json(&c->attempts[i]));
	return json_pack("{s:o, s:o}", "attempts", attempts, "media", media);
}

/* From the INVITE to the first sign that it rings somewhere. */
static int64_t post_dial_delay(const struct cdr *c)
{
	wall_ms heard = c->ringing_at ? c->ringing_at : c->answered_at;

	return heard ? heard - c->started_at : -1;
}

char *cdr_json(const struct cdr *c)
{
	json_t *lists = lists_json(c);
	json_t *j = json_pack(
		"{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o}, "
		"s:{s:o, s:o}, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o}",
		"v", CDR_VERSION, "id", text_of(c->id), "started_at",
		time_of(c->started_at), "ringing_at", time_of(c->ringing_at),
		"answered_at", time_of(c->answered_at), "ended_at",
		time_of(c->ended_at), "duration_ms",
		number_or_null(c->duration_ms, -1), "pdd_ms",
		number_or_null(post_dial_delay(c), -1), "from", "received",
		text_of(c->from_received), "sent", text_of(c->from_sent), "to",
		"received", text_of(c->to_received), "sent",
		text_of(c->to_sent), "a", side_json(&c->a), "b",
		side_json(&c->b), "status", number_or_null(c->status, 0),
		"q850", number_or_null(c->q850, 0), "cause", text_of(c->cause),
		"reason", text_of(c->reason), "ended_by", text_of(c->ended_by),
		"emergency", c->is_emergency, "transferred",
		text_of(c->transferred));
	char *line = NULL;

	if (j && lists && !json_object_update(j, lists))
		line = json_dumps(j, JSON_COMPACT);
	json_decref(lists);
	json_decref(j);
	return line;
}
