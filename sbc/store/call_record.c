/*
 * call_record.c - call records: into the journal, out of it, and questions
 * about them
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/log.h"
#include "store/codec.h"
#include "store/reader.h"
#include "store/writer.h"

enum {
	ID_BYTES = 64,
	RECORD_BYTES = 16384,
	RECORDS_MAX = 1000, /* in one answer */
};

/* ---- the journal ---------------------------------------------------------- */

void store_cdr_put(struct store *s, const struct cdr_row *row)
{
	size_t len = 8 + 8 + codec_text_bytes(row->id, ID_BYTES) +
		     codec_text_bytes(row->record, RECORD_BYTES);
	uint8_t *p = NULL;

	/* A cut record would be no JSON. */
	if (strlen(row->record) <= RECORD_BYTES && store_has_room(s))
		p = journal_begin(s->journal, len);
	if (!p) {
		log_limited(LOG_ERROR, "store.cdr_lost", kv_s("id", row->id));
		return;
	}
	p = codec_put_uint(p, row->started_at, 8);
	p = codec_put_uint(p, row->ended_at, 8);
	p = codec_put_text(p, row->id, ID_BYTES);
	codec_put_text(p, row->record, RECORD_BYTES);
	journal_append(s->journal, JOURNAL_CDR);
	store_appended(s);
}

int call_record_apply(struct store *s, const struct journal_record *rec)
{
	struct cursor c = cursor_of(rec->body, rec->len);
	struct cdr_row row;

	row.started_at = (wall_ms)cursor_u64(&c);
	row.ended_at = (wall_ms)cursor_u64(&c);
	row.id = codec_get_text(&c);
	row.record = codec_get_text(&c);
	if (c.bad || cursor_left(&c) || !row.id || !row.record)
		return -EINVAL;
	s->n_records++;
	return rows_cdr_put(&s->db->cdr, rec->seq, &row);
}

void store_cdr_keep(struct store *s, unsigned days)
{
	atomic_store(&s->cdr_days, days);
}

/* ---- questions ------------------------------------------------------------ */

struct cdr_question {
	struct question q;
	store_cdr_fn fn;
	struct store_cdr_query query;
	char *who, *after;
	char **records;
	size_t n, cap;
};

static struct cdr_question *of(struct question *q)
{
	return container_of(q, struct cdr_question, q);
}

static void question_free(struct question *base)
{
	struct cdr_question *q = of(base);

	for (size_t i = 0; i < q->n; i++)
		free(q->records[i]);
	free(q->records);
	free(q->who);
	free(q->after);
	free(q);
}

static int keep_record(void *arg, const char *record)
{
	struct cdr_question *q = arg;

	if (q->n == q->cap) {
		size_t cap = q->cap ? q->cap * 2 : 16;
		char **more = realloc(q->records, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		q->records = more;
		q->cap = cap;
	}
	q->records[q->n] = strdup(record);
	return q->records[q->n++] ? 0 : -ENOMEM;
}

static int read_records(struct question *base, sqlite3 *sql)
{
	struct cdr_question *q = of(base);

	return rows_cdr_each(sql, &q->query, keep_record, q);
}

static void tell(struct question *base, int err)
{
	struct cdr_question *q = of(base);
	const struct store_cdrs answer = {
		.err = err,
		.records = (const char *const *)q->records,
		.n = err ? 0 : q->n,
	};

	q->fn(base->arg, &answer);
}

static const struct question_ops ops = {read_records, tell, question_free};

int store_cdr_find(struct store *s, const struct store_cdr_query *query,
		   store_cdr_fn fn, void *arg)
{
	struct cdr_question *q = calloc(1, sizeof(*q));
	int err = -ENOMEM;

	if (!q)
		return -ENOMEM;
	q->q.ops = &ops;
	q->q.arg = arg;
	q->fn = fn;
	q->query = *query;
	if (query->max > RECORDS_MAX)
		q->query.max = RECORDS_MAX;
	q->query.who = q->who = query->who ? strdup(query->who) : NULL;
	q->query.after = q->after = query->after ? strdup(query->after) : NULL;
	if (!q->who == !query->who && !q->after == !query->after)
		err = reader_ask(s, &q->q);
	if (err)
		question_free(&q->q);
	return err;
}
