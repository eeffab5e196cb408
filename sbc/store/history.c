/*
 * history.c - questions about the past of a phone's flows
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "store/history_codec.h"
#include "store/reader.h"
#include "store/writer.h"

enum {
	ROWS_MAX = 1000,   /* in one answer, whatever is asked */
	BINDINGS_MAX = 32, /* that are looked at for one moment */
};

struct history_question {
	struct question q;
	store_history_fn fn;
	struct history_query query;
	struct store_history h;
	struct history_row *rows; /* of @h */
	uint8_t **blocks;         /* their texts, one block for each */
	size_t cap;
	char phone[]; /* of the query */
};

static struct history_question *of(struct question *q)
{
	return container_of(q, struct history_question, q);
}

static void question_free(struct question *base)
{
	struct history_question *q = of(base);

	for (size_t i = 0; i < q->h.n; i++)
		free(q->blocks[i]);
	free(q->blocks);
	free(q->rows);
	free(q);
}

static int make_room(struct history_question *q)
{
	size_t cap = q->cap ? q->cap * 2 : 16;
	void *rows, *blocks;

	if (q->h.n < q->cap)
		return 0;
	rows = realloc(q->rows, cap * sizeof(*q->rows));
	if (rows)
		q->rows = rows;
	blocks = realloc(q->blocks, cap * sizeof(*q->blocks));
	if (blocks)
		q->blocks = blocks;
	if (!rows || !blocks)
		return -ENOMEM;
	q->cap = cap;
	return 0;
}

/* A row as bytes and back: its texts are in those bytes then. */
static int keep_row(void *arg, const struct history_row *row)
{
	struct history_question *q = arg;
	size_t n = history_size(row);
	uint8_t *block;
	int err = make_room(q);

	if (err)
		return err;
	block = malloc(n);
	if (!block)
		return -ENOMEM;
	history_encode(block, row);
	err = history_decode(&q->rows[q->h.n], block, n);
	if (err)
		free(block);
	else
		q->blocks[q->h.n++] = block;
	return err;
}

static int read_rows(struct question *base, sqlite3 *sql)
{
	struct history_question *q = of(base);

	return rows_history_each(sql, &q->query, keep_row, q, &q->h.begins);
}

static void tell(struct question *base, int err)
{
	struct history_question *q = of(base);

	q->h.err = err;
	q->h.rows = q->rows;
	q->fn(base->arg, &q->h);
}

static const struct question_ops ops = {read_rows, tell, question_free};

static int ask(struct store *s, const struct history_query *query,
	       store_history_fn fn, void *arg)
{
	size_t n = strlen(query->phone) + 1;
	struct history_question *q = calloc(1, sizeof(*q) + n);
	int err;

	if (!q)
		return -ENOMEM;
	q->q.ops = &ops;
	q->q.arg = arg;
	q->query = *query;
	q->query.phone = memcpy(q->phone, query->phone, n);
	q->fn = fn;
	err = reader_ask(s, &q->q);
	if (err)
		question_free(&q->q);
	return err;
}

int store_history_find(struct store *s, const char *phone, wall_ms from,
		       wall_ms to, size_t max, store_history_fn fn, void *arg)
{
	const struct history_query query = {
		.phone = phone,
		.from = from,
		.to = to,
		.max = max < ROWS_MAX ? max : ROWS_MAX,
	};

	return ask(s, &query, fn, arg);
}

int store_history_at(struct store *s, const char *phone, wall_ms at,
		     store_history_fn fn, void *arg)
{
	const struct history_query query = {
		.phone = phone,
		.is_moment = true,
		.from = at,
		.to = INT64_MAX,
		.max = BINDINGS_MAX,
	};

	return ask(s, &query, fn, arg);
}
