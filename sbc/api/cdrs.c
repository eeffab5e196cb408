/*
 * cdrs.c - GET /cdrs: call records, newest first
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   ?from=TIME&to=TIME   begun then; RFC 3339
 *   &who=TEXT            a user or peer on either side
 *   &limit=N&after=ID    so many; go on after the last one of a page
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/render.h"
#include "core/when.h"

enum { RECORDS_MAX = 200 /* 4 ms to make on a slow machine */ };

struct cdrs_wait {
	struct api_wait base;
	struct store_cdr_query query;
	uint64_t limit;
	char who[LIMIT_USER_BYTES], after[64];
};

static int set_option(struct cdrs_wait *w, struct str name, struct str value)
{
	char mem[LIMIT_USER_BYTES];

	value = query_unescape(value, mem, sizeof(mem));
	if (str_eq_c(name, "from"))
		return when_parse_rfc3339(&w->query.from, value);
	if (str_eq_c(name, "to"))
		return when_parse_rfc3339(&w->query.to, value);
	if (str_eq_c(name, "limit"))
		return str_u64(value, RECORDS_MAX, &w->limit);
	if (str_eq_c(name, "who"))
		return str_copy(w->who, sizeof(w->who), value);
	if (str_eq_c(name, "after"))
		return str_copy(w->after, sizeof(w->after), value);
	return -EINVAL;
}

/* The name of the first option that is wrong; empty = all is well. */
static struct str read_query(struct cdrs_wait *w, struct str query)
{
	while (query.n) {
		struct str value = str_cut(&query, '&');
		struct str name = str_cut(&value, '=');

		if (set_option(w, name, value) || w->limit == 0)
			return name.n ? name : STR("(without name)");
	}
	return (struct str){0};
}

static json_t *list_json(const struct cdrs_wait *w, const struct store_cdrs *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n; i++) {
		json_t *record = json_loads(c->records[i], 0, NULL);

		if (record) /* else somebody edited it */
			json_array_append_new(list, record);
	}
	return json_pack("{s:o, s:b}", "cdrs", list, "truncated",
			 c->n >= w->limit);
}

static void answered(void *arg, const struct store_cdrs *c)
{
	struct cdrs_wait *w = arg;
	struct api_later later = w->base.later;
	int err = c->err;
	json_t *body;

	body = err ? render_problem("the call records cannot be read now; see "
				    "sbc status")
		   : list_json(w, c);
	free(w);
	later.done(later.arg, err ? 503 : body ? 200 : 500, body);
}

int cdrs_ask(const struct api_source *source, struct str query, json_t **body,
	     struct api_later *later)
{
	struct cdrs_wait *w = calloc(1, sizeof(*w));
	struct str wrong;

	if (!w)
		return 500;
	w->base.store = source->store;
	w->base.later = *later;
	w->query.to = INT64_MAX;
	w->limit = RECORDS_MAX;
	wrong = read_query(w, query);
	if (wrong.n) {
		*body = render_problem("option " STR_FMT " is wrong; times are "
				       "as in 2026-01-02T03:04:05Z",
				       STR_ARG(wrong));
		free(w);
		return 400;
	}
	w->query.who = w->who[0] ? w->who : NULL;
	w->query.after = w->after[0] ? w->after : NULL;
	w->query.max = w->limit;
	if (store_cdr_find(source->store, &w->query, answered, w)) {
		*body = render_problem("too many questions at once");
		free(w);
		return 503;
	}
	later->wait = &w->base;
	return 0;
}
