/*
 * replay.c - what a crash left in the journal
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Normally it goes to the database before anything else happens.  When the disk
 * refuses even that, the records wait in the new journal and the rows are
 * handed out as they would be.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/log.h"
#include "store/row_codec.h"
#include "store/writer.h"

/* The binding that a record is about; 0 = none. */
static uint64_t id_of(const struct journal_record *rec)
{
	struct binding_row row;
	uint64_t id = 0;

	if (rec->type == JOURNAL_PUT &&
	    row_decode(&row, rec->body, rec->len) == 0)
		id = row.id;
	else if (rec->type == JOURNAL_DEL && rec->len == sizeof(id))
		memcpy(&id, rec->body, sizeof(id));
	return id;
}

int replay_read(struct store *s)
{
	int err = journal_pending_read(&s->pending, s->journal_path);

	if (err == -ENOMEM) /* with memory it can be read: keep it for then */
		return err;
	if (err)
		log_error("store.journal_unreadable",
			  kv_s("err", err_name(err)));
	for (size_t i = 0; i < s->pending.n; i++) {
		uint64_t id = id_of(&s->pending.v[i]);

		if (id > s->max_id && id <= INT64_MAX)
			s->max_id = id;
	}
	return 0;
}

int replay_fill(struct store *s)
{
	int err = 0;

	for (size_t i = 0; !err && i < s->pending.n; i++) {
		/* A resync that may have holes must sweep nothing. */
		if (s->pending.v[i].type != JOURNAL_RESYNC_END)
			err = writer_apply(s, &s->pending.v[i]);
	}
	return err ? err : rows_cdr_close_open(&s->db->cdr, clock_wall());
}

void replay_requeue(struct store *s)
{
	for (size_t i = 0; i < s->pending.n; i++) {
		const struct journal_record *rec = &s->pending.v[i];
		uint8_t *body;

		if (id_of(rec) == 0 && rec->type != JOURNAL_HISTORY &&
		    rec->type != JOURNAL_CDR)
			continue;
		body = journal_begin(s->journal, rec->len);
		if (!body) {
			atomic_fetch_add(&s->losses, 1);
			continue;
		}
		memcpy(body, rec->body, rec->len);
		journal_append(s->journal, rec->type);
	}
}

/* The last word on each binding, in order of id. */
struct newest {
	uint64_t id;
	const struct journal_record *rec;
};

static int by_id(const void *a, const void *b)
{
	const struct newest *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int by_id_and_seq(const void *a, const void *b)
{
	const struct newest *x = a, *y = b;
	int order = by_id(a, b);

	return order ? order
		     : (x->rec->seq > y->rec->seq) -
			       (x->rec->seq < y->rec->seq);
}

static int newest_of(const struct journal_pending *p, struct newest **out,
		     size_t *n)
{
	struct newest *v = calloc(p->n ? p->n : 1, sizeof(*v));
	size_t all = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < p->n; i++) {
		v[all] = (struct newest){id_of(&p->v[i]), &p->v[i]};
		all += v[all].id != 0;
	}
	qsort(v, all, sizeof(*v), by_id_and_seq);
	*n = 0;
	for (size_t i = 0; i < all; i++) {
		if (i + 1 == all || v[i + 1].id != v[i].id)
			v[(*n)++] = v[i];
	}
	*out = v;
	return 0;
}

struct filter {
	const struct newest *v;
	size_t n;
	rows_binding_fn fn;
	void *arg;
};

static void pass_unchanged(void *arg, const struct binding_row *row)
{
	const struct filter *f = arg;
	const struct newest key = {.id = row->id};

	if (!bsearch(&key, f->v, f->n, sizeof(*f->v), by_id))
		f->fn(f->arg, row);
}

int replay_each(struct store *s, rows_binding_fn fn, void *arg)
{
	struct filter f = {.fn = fn, .arg = arg};
	struct newest *v;
	int err = newest_of(&s->pending, &v, &f.n);

	if (err)
		return err;
	f.v = v;
	err = -EIO;
	if (s->db)
		err = rows_binding_each(&s->db->binding, pass_unchanged, &f);
	for (size_t i = 0; i < f.n; i++) {
		const struct journal_record *rec = v[i].rec;
		struct binding_row row;

		if (rec->type == JOURNAL_PUT &&
		    row_decode(&row, rec->body, rec->len) == 0)
			fn(arg, &row);
	}
	free(v);
	return err;
}
