/*
 * reader.c - the thread that answers questions for the database
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   SIP thread             reader thread                      writer thread
 *   ask ──▶ todo ─────────▶ hurry, wait for the commit ◀───── commit
 *                           read with a connection of its own
 *   call back ◀─ answered ◀─ loop_post
 *
 * The connection is made anew for each question: it is asked by people, and an
 * open one would hold on to a database that was set aside meanwhile.  The
 * thread is made for the first question.
 */
#include "store/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "core/loop.h"
#include "store/writer.h"

enum {
	QUESTIONS = 8,
	COMMIT_WAIT_S = 5,
	BUSY_MS = 2000,
};

/* The first question of @l, taken from it; NULL = none. */
static struct question *take(struct list *l)
{
	struct list *first = l->next;

	if (list_empty(l))
		return NULL;
	list_remove(first);
	return list_entry(first, struct question, node);
}

/* ---- the reader thread -------------------------------------------------- */

static int read_rows(const struct store *s, struct question *q)
{
	sqlite3 *sql = NULL;
	int rc, err;

	rc = sqlite3_open_v2(s->db_path, &sql,
			     SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(sql, BUSY_MS);
	err = rc == SQLITE_OK ? q->ops->read(q, sql) : db_error(rc);
	sqlite3_close(sql);
	return err;
}

/* With the lock.  False: the writer cannot, or does not in time. */
static bool await_commit(struct store *s, const struct question *q)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += COMMIT_WAIT_S;
	while (atomic_load(&s->written_seq) < q->seq) {
		if (s->desk.stop || atomic_load(&s->is_sick) ||
		    atomic_load(&s->failures) != q->failures)
			return false;
		if (pthread_cond_timedwait(&s->desk.turn, &s->desk.lock, &end))
			return false;
	}
	return true;
}

static void call_back(void *arg);

/* With the lock, which is let go while the disk is asked. */
static void answer(struct store *s, struct question *q)
{
	struct reader_desk *d = &s->desk;
	bool is_there = await_commit(s, q);

	pthread_mutex_unlock(&d->lock);
	q->err = is_there && read_rows(s, q) == 0 ? 0 : -EIO;
	pthread_mutex_lock(&d->lock);
	list_append(&d->answered, &q->node);
	/* Without memory for it the next answer brings this one along. */
	if (!d->stop)
		(void)loop_post(d->loop, call_back, s);
}

static void *reader_main(void *arg)
{
	struct store *s = arg;
	struct reader_desk *d = &s->desk;

	pthread_mutex_lock(&d->lock);
	while (!d->stop) {
		struct question *q = take(&d->todo);

		if (q)
			answer(s, q);
		else
			pthread_cond_wait(&d->turn, &d->lock);
	}
	pthread_mutex_unlock(&d->lock);
	eventfd_write(s->done_fd, 1);
	store_release(s);
	return NULL;
}

/* ---- the SIP thread ------------------------------------------------------- */

static void finish(struct store *s, struct question *q)
{
	list_remove(&q->in_asked);
	s->desk.n_asked--;
	if (!q->is_forgotten)
		q->ops->tell(q, q->err);
	q->ops->free(q);
}

static struct question *take_answered(struct reader_desk *d)
{
	struct question *q;

	pthread_mutex_lock(&d->lock);
	q = take(&d->answered);
	pthread_mutex_unlock(&d->lock);
	return q;
}

static void call_back(void *arg)
{
	struct store *s = arg;
	struct question *q;

	while ((q = take_answered(&s->desk)))
		finish(s, q);
}

static int start_reader(struct store *s)
{
	int err;

	if (s->has_reader)
		return 0;
	err = store_thread(&s->reader, "sbc-history", reader_main, s);
	s->has_reader = !err;
	return err;
}

int reader_ask(struct store *s, struct question *q)
{
	struct reader_desk *d = &s->desk;

	if (!d->loop)
		return -ENOTSUP;
	if (d->n_asked == QUESTIONS)
		return -EAGAIN;
	if (start_reader(s))
		return -ENOMEM;
	q->seq = journal_last_seq(s->journal);
	q->failures = atomic_load(&s->failures);
	list_append(&d->asked, &q->in_asked);
	d->n_asked++;
	writer_hurry(s, q->seq);
	pthread_mutex_lock(&d->lock);
	list_append(&d->todo, &q->node);
	pthread_cond_broadcast(&d->turn);
	pthread_mutex_unlock(&d->lock);
	return 0;
}

void store_forget(struct store *s, void *arg)
{
	list_for_each (pos, &s->desk.asked) {
		struct question *q = list_entry(pos, struct question, in_asked);

		if (q->arg == arg)
			q->is_forgotten = true;
	}
}

/* ---- begin and end --------------------------------------------------------- */

void reader_init(struct store *s, struct loop *loop)
{
	struct reader_desk *d = &s->desk;
	pthread_condattr_t attr;

	d->loop = loop;
	list_init(&d->asked);
	list_init(&d->todo);
	list_init(&d->answered);
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->turn, &attr);
	pthread_condattr_destroy(&attr);
}

void reader_turn(struct store *s)
{
	pthread_mutex_lock(&s->desk.lock);
	pthread_cond_broadcast(&s->desk.turn);
	pthread_mutex_unlock(&s->desk.lock);
}

void reader_stop(struct store *s)
{
	pthread_mutex_lock(&s->desk.lock);
	s->desk.stop = true;
	pthread_cond_broadcast(&s->desk.turn);
	pthread_mutex_unlock(&s->desk.lock);
}

/* No thread is left. */
void reader_free(struct store *s)
{
	list_for_each_safe (pos, &s->desk.asked) {
		struct question *q = list_entry(pos, struct question, in_asked);

		q->ops->free(q);
	}
	pthread_cond_destroy(&s->desk.turn);
	pthread_mutex_destroy(&s->desk.lock);
}
