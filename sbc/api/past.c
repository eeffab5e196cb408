/*
 * past.c - GET /phones/NAME/history: what happened, and was it reachable then
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   ?at=TIME                      rows around that moment, and "answer"
 *   ?from=TIME&to=TIME&limit=N    the last N rows of a span
 *
 * Times are RFC 3339.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "api/render.h"
#include "core/when.h"

enum {
	ROWS_MAX = 250, /* made in one turn of the loop: 2 ms at most */
	BINDINGS_MAX = 64,
};

struct past_wait {
	struct api_wait base;
	struct api_source source;
	wall_ms at, from, to; /* @at 0 = a span is asked for */
	uint64_t limit;
	char phone[LIMIT_NAME_BYTES];
};

/* ---- the query -------------------------------------------------------------- */

static int set_option(struct past_wait *w, struct str name, struct str value)
{
	char mem[64];

	value = query_unescape(value, mem, sizeof(mem));
	if (str_eq_c(name, "at"))
		return when_parse_rfc3339(&w->at, value);
	if (str_eq_c(name, "from"))
		return when_parse_rfc3339(&w->from, value);
	if (str_eq_c(name, "to"))
		return when_parse_rfc3339(&w->to, value);
	if (str_eq_c(name, "limit"))
		return str_u64(value, ROWS_MAX, &w->limit);
	return -EINVAL;
}

/* The name of the first option that is wrong; empty = all is well. */
static struct str read_query(struct past_wait *w, struct str query)
{
	while (query.n) {
		struct str value = str_cut(&query, '&');
		struct str name = str_cut(&value, '=');

		if (set_option(w, name, value) || w->limit == 0)
			return name.n ? name : STR("(without name)");
	}
	return (struct str){0};
}

/* ---- the answer -------------------------------------------------------------- */

static json_t *rtts_json(const struct history_row *row)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < row->n_rtt; i++)
		json_array_append_new(list, render_ms(row->rtt_us[i]));
	return list;
}

static json_t *row_json(const struct history_row *row)
{
	return json_pack(
		"{s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:s, s:o, s:o, "
		"s:I, s:I, s:o, s:o}",
		"at", render_time(row->at), "event", render_text(row->event),
		"cause", render_text(row->cause), "binding",
		(json_int_t)row->binding, "aor", render_text(row->aor),
		"source", render_addr(&row->source), "local",
		render_addr(&row->local), "transport",
		sip_transport_name(row->transport), "expires_at",
		render_time(row->expires_at), "proved_at",
		render_time(row->proved_at), "pings", (json_int_t)row->pings,
		"unanswered", (json_int_t)row->unanswered, "rtts_ms",
		rtts_json(row), "reason", render_text(row->reason));
}

static json_t *rows_json(const struct store_history *h)
{
	json_t *list = json_array();

	for (size_t i = 0; i < h->n; i++)
		json_array_append_new(list, row_json(&h->rows[i]));
	return list;
}

static json_t *reach_json(const struct reach *r)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
			 "s:o}",
			 "reachable", reach_verdict_name(r->verdict), "why",
			 reach_why_name(r->why), "since", render_time(r->since),
			 "event", render_text(r->event[0] ? r->event : NULL),
			 "source", render_addr(&r->source), "heard_before",
			 render_time(r->heard_before), "heard_after",
			 render_time(r->heard_after), "found",
			 render_time(r->found), "back", render_time(r->back),
			 "elsewhere", render_addr(&r->elsewhere), "cause",
			 render_text(r->cause[0] ? r->cause : NULL));
}

/* What stands of the phone now. */
struct standing {
	const char *phone;
	struct reach_now now[BINDINGS_MAX];
	unsigned n;
};

static void note_binding(void *arg, const struct binding *b)
{
	struct standing *s = arg;

	if (s->n == BINDINGS_MAX || strcmp(binding_phone(b), s->phone))
		return;
	s->now[s->n++] = (struct reach_now){
		.binding = b->id,
		.registered_at = b->registered_at,
		.heard = render_heard(b),
		.source = b->to.remote,
		.lost = b->lost,
	};
}

/* All bindings, not only those that a call would try: one whose connection is
 * gone stands, and is lost. */
static json_t *judge(const struct past_wait *w, const struct store_history *h)
{
	struct standing s = {.phone = w->phone};
	struct reach reach;
	uint64_t after = 0;

	registrar_slice(w->source.registrar, &after, UINT_MAX, note_binding,
			&s);
	reach_judge(&reach, h, s.now, s.n, w->at);
	return reach_json(&reach);
}

static json_t *history_json(const struct past_wait *w,
			    const struct store_history *h)
{
	json_t *body = json_pack("{s:s, s:o, s:o}", "phone", w->phone,
				 "history_begins", render_time(h->begins),
				 "rows", rows_json(h));

	if (!body)
		return NULL;
	if (w->at) {
		json_object_set_new(body, "at", render_time(w->at));
		json_object_set_new(body, "answer", judge(w, h));
	} else {
		json_object_set_new(body, "truncated",
				    json_boolean(h->n >= w->limit));
	}
	return body;
}

static void answered(void *arg, const struct store_history *h)
{
	struct past_wait *w = arg;
	struct api_later later = w->base.later;
	int err = h->err;
	json_t *body;

	body = err ? render_problem(
			     "the history cannot be read now; see sbc status")
		   : history_json(w, h);
	free(w);
	later.done(later.arg, err ? 503 : body ? 200 : 500, body);
}

int past_ask(const struct api_source *source, const char *phone,
	     struct str query, json_t **body, struct api_later *later)
{
	struct past_wait *w = calloc(1, sizeof(*w));
	struct str wrong;
	int err;

	if (!w)
		return 500;
	w->base.store = source->store;
	w->source = *source;
	w->base.later = *later;
	w->to = INT64_MAX;
	w->limit = ROWS_MAX;
	str_copy(w->phone, sizeof(w->phone), str_of(phone));
	wrong = read_query(w, query);
	if (wrong.n) {
		*body = render_problem("option " STR_FMT " is wrong; times are "
				       "as in 2026-01-02T03:04:05Z",
				       STR_ARG(wrong));
		free(w);
		return 400;
	}
	if (w->at > clock_wall()) {
		*body = render_problem("that is in the future");
		free(w);
		return 400;
	}
	err = w->at ? store_history_at(source->store, phone, w->at, answered, w)
		    : store_history_find(source->store, phone, w->from, w->to,
					 w->limit, answered, w);
	if (err) {
		*body = render_problem("too many questions at once");
		free(w);
		return 503;
	}
	later->wait = &w->base;
	return 0;
}
