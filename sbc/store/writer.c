/*
 * writer.c - the thread that moves the journal to the database
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A turn looks what is due: a commit of gathered records, refreshes that have
 * waited long enough, another try after a failure.  One turn is one
 * transaction.  Only when it is committed are its records freed in the journal,
 * so a failure costs nothing but time, and the journal's room.
 *
 *            asleep ──append──▶ gathering ──due──▶ writing ──ok──▶ asleep
 *                                   ▲                 │
 *                                   └──── 1 s ◀─ failed
 */
#include "store/writer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "core/err.h"
#include "core/log.h"
#include "store/history_codec.h"
#include "store/row_codec.h"

#define NEVER INT64_MAX

/* Both sides exchange the flag: either this sees it set, or the writer's own
 * exchange comes later and its look at the journal sees what we appended. */
void writer_wake(struct store *s)
{
	if (atomic_exchange(&s->is_asleep, false))
		eventfd_write(s->wake_fd, 1);
}

void writer_hurry(struct store *s, uint64_t seq)
{
	uint64_t was = atomic_load(&s->wanted_seq);

	while (was < seq &&
	       !atomic_compare_exchange_weak(&s->wanted_seq, &was, seq))
		;
	eventfd_write(s->wake_fd, 1);
}

/* ---- one transaction ----------------------------------------------------- */

static int apply_put(struct store *s, const struct journal_record *rec)
{
	struct binding_row row;
	int err = row_decode(&row, rec->body, rec->len);

	return err ? err : rows_binding_put(&s->db->binding, rec->seq, &row);
}

static int apply_del(struct store *s, const struct journal_record *rec)
{
	uint64_t id;

	if (rec->len != sizeof(id))
		return -EINVAL;
	memcpy(&id, rec->body, sizeof(id));
	return rows_binding_del(&s->db->binding, rec->seq, id);
}

static int apply_resync_end(struct store *s, const struct journal_record *rec)
{
	if (rec->len != sizeof(s->cure))
		return -EINVAL;
	memcpy(&s->cure, rec->body, sizeof(s->cure));
	s->has_cure = true;
	return rows_binding_sweep(&s->db->binding, s->cure.seq + 1);
}

static int apply_history(struct store *s, const struct journal_record *rec)
{
	struct history_row row;
	int err = history_decode(&row, rec->body, rec->len);

	s->n_added++;
	return err ? err : rows_history_add(&s->db->history, rec->seq, &row);
}

static wall_ms days_ago(unsigned days)
{
	return clock_wall() - (wall_ms)days * 86400 * 1000;
}

/* A little after each piece of news, so that no turn is a long one. */
static int prune(struct store *s)
{
	unsigned days = atomic_load(&s->cdr_days);
	mono_ms now = clock_mono();
	bool is_time = now >= s->prune_at;
	int err;

	if (!s->n_added && !is_time)
		return 0;
	err = rows_history_prune(&s->db->history, HISTORY_ROWS_MAX,
				 is_time ? days_ago(HISTORY_DAYS) : 0,
				 HISTORY_PRUNE_ROWS + 2 * s->n_added);
	if (!err && is_time) { /* not more often: it has to count them */
		err = rows_cdr_prune(&s->db->cdr, CDR_ROWS_MAX,
				     days ? days_ago(days) : 0,
				     HISTORY_PRUNE_ROWS + 2 * s->n_records);
		s->n_records = 0;
	}
	s->n_added = 0;
	if (is_time)
		s->prune_at = now + HISTORY_PRUNE_MS;
	return err;
}

int writer_apply(struct store *s, const struct journal_record *rec)
{
	int err = -EINVAL;

	if (rec->type == JOURNAL_PUT)
		err = apply_put(s, rec);
	else if (rec->type == JOURNAL_DEL)
		err = apply_del(s, rec);
	else if (rec->type == JOURNAL_RESYNC_END)
		err = apply_resync_end(s, rec);
	else if (rec->type == JOURNAL_HISTORY)
		err = apply_history(s, rec);
	else if (rec->type == JOURNAL_CDR)
		err = call_record_apply(s, rec);
	if (err != -EINVAL)
		return err;
	/* One row that cannot be stored must not hold up the others. */
	log_error("store.row_refused", kv_i("seq", (int64_t)rec->seq));
	return 0;
}

static int fill_due(struct store *s)
{
	struct journal_record rec;
	bool is_empty = s->writing.n == 0;
	int err = 0;

	journal_again(s->journal);
	s->has_cure = false;
	s->n_added = 0;
	while (!err && journal_peek(s->journal, &rec)) {
		err = writer_apply(s, &rec);
		is_empty = false;
	}
	journal_prepare(s->journal);
	for (size_t i = 0; !err && i < s->writing.n; i++)
		err = rows_binding_refresh(&s->db->binding,
					   &s->writing.slots[i]);
	if (!err)
		err = prune(s);
	if (!err && is_empty && atomic_load(&s->is_sick))
		err = db_probe(s->db);
	return err;
}

static int open_db(struct store *s, char why[STORE_WHY_BYTES])
{
	int err;

	if (s->db && s->db->mode == DB_NORMAL)
		return 0;
	db_close(s->db);
	s->db = NULL;
	err = db_open(&s->db, s->db_path, DB_NORMAL, !s->is_checked, why,
		      STORE_WHY_BYTES);
	if (!err)
		s->is_checked = true;
	return err;
}

static int try_transact(struct store *s, int (*fill)(struct store *s),
			char why[STORE_WHY_BYTES])
{
	int err = open_db(s, why);

	if (err)
		return err;
	err = db_exec(s->db->sql, "BEGIN IMMEDIATE");
	if (!err)
		err = fill(s);
	if (!err)
		err = db_exec(s->db->sql, "COMMIT");
	if (!err)
		return 0;
	snprintf(why, STORE_WHY_BYTES, "%s", sqlite3_errmsg(s->db->sql));
	if (!sqlite3_get_autocommit(s->db->sql))
		db_exec(s->db->sql, "ROLLBACK");
	rows_history_forget(&s->db->history);
	rows_cdr_forget(&s->db->cdr);
	if (err != -EBUSY) { /* start afresh, whatever it was */
		db_close(s->db);
		s->db = NULL;
	}
	return err;
}

static int set_aside(struct store *s, const char *why)
{
	char name[STORE_PATH_BYTES + 64];
	int err;

	db_close(s->db);
	s->db = NULL;
	err = db_set_aside(s->db_path, name, sizeof(name));
	if (err)
		return err;
	store_note_aside(s, name, why);
	/* Before the journal exists nothing was handed to us yet. */
	if (s->journal)
		atomic_fetch_add(&s->wipes, 1);
	return 0;
}

int writer_transact(struct store *s, int (*fill)(struct store *s))
{
	char why[STORE_WHY_BYTES] = "";
	int err;

	atomic_store(&s->busy_since, clock_mono());
	err = try_transact(s, fill, why);
	if (err == -EUCLEAN && set_aside(s, why) == 0)
		err = try_transact(s, fill, why);
	atomic_store(&s->busy_since, 0);
	if (err)
		store_fall_sick(s, why);
	else
		store_get_well(s);
	return err;
}

/* ---- one turn ----------------------------------------------------------- */

static mono_ms refreshes_due(struct store *s)
{
	mono_ms due = NEVER;

	pthread_mutex_lock(&s->refresh_lock);
	if (s->fresh.n)
		due = s->fresh_since + s->write_behind_ms;
	pthread_mutex_unlock(&s->refresh_lock);
	return due;
}

/* What a failed turn left is written first. */
static void take_refreshes(struct store *s)
{
	if (s->writing.n)
		return;
	pthread_mutex_lock(&s->refresh_lock);
	s->writing = s->fresh;
	s->fresh = (struct refresh_map){0};
	pthread_mutex_unlock(&s->refresh_lock);
	refresh_sort(&s->writing);
}

static mono_ms next_due(struct store *s, mono_ms now)
{
	bool is_sick = atomic_load(&s->is_sick);
	mono_ms due = refreshes_due(s);

	if (journal_is_empty(s->journal))
		s->commit_at = 0;
	else if (!s->commit_at)
		s->commit_at = now + s->gather_ms;
	if (is_sick)
		return s->retry_at;
	if (s->commit_at &&
	    (journal_is_half_full(s->journal) ||
	     atomic_load(&s->wanted_seq) > atomic_load(&s->written_seq)))
		return now;
	if (s->commit_at && s->commit_at < due)
		due = s->commit_at;
	if (!journal_has_file(s->journal) && s->attach_at < due)
		due = s->attach_at;
	return due;
}

/* Whatever an old journal file held is in the database now. */
static void get_journal_file(struct store *s, mono_ms now)
{
	if (journal_has_file(s->journal) || now < s->attach_at)
		return;
	s->journal_err = journal_attach(s->journal, s->journal_path);
	s->attach_at = now + STORE_ATTACH_MS;
}

static void write_due(struct store *s, mono_ms now)
{
	bool was_sick = atomic_load(&s->is_sick);
	uint64_t seq;

	if (writer_transact(s, fill_due) != 0) {
		journal_again(s->journal);
		atomic_fetch_add(&s->failures, 1);
		s->retry_at = now + STORE_RETRY_MS;
		return;
	}
	seq = journal_read_seq(s->journal);
	journal_done(s->journal);
	atomic_store(&s->written_seq, seq);
	refresh_clear(&s->writing);
	if (s->has_cure) {
		atomic_store(&s->cured_losses, s->cure.losses);
		atomic_store(&s->cured_wipes, s->cure.wipes);
		s->has_cure = false;
	}
	if (was_sick)
		s->attach_at = now;
	get_journal_file(s, now);
}

int64_t writer_turn(struct store *s, bool flush)
{
	mono_ms now = clock_mono(), due;

	pthread_mutex_lock(&s->db_lock);
	due = next_due(s, now);
	if (flush || now >= due) {
		if (flush || now >= refreshes_due(s))
			take_refreshes(s);
		write_due(s, now);
		s->commit_at = 0;
		atomic_store(&s->is_kicked, false);
		due = next_due(s, clock_mono());
	}
	pthread_mutex_unlock(&s->db_lock);
	store_judge(s);
	reader_turn(s);
	now = clock_mono();
	if (due == NEVER)
		return -1;
	return due > now ? due - now : 0;
}

/* ---- the thread --------------------------------------------------------- */

static void sleep_for(struct store *s, int64_t ms)
{
	struct pollfd wake = {.fd = s->wake_fd, .events = POLLIN};
	eventfd_t count;
	bool is_idle = s->commit_at == 0;

	atomic_exchange(&s->is_asleep, is_idle);
	if ((is_idle && !journal_is_empty(s->journal)) ||
	    (ms < 0 && refreshes_due(s) != NEVER))
		ms = 0; /* it came while we lay down */
	poll(&wake, 1, ms > INT32_MAX ? INT32_MAX : (int)ms);
	atomic_store(&s->is_asleep, false);
	eventfd_read(s->wake_fd, &count);
}

static void *writer_main(void *arg)
{
	struct store *s = arg;

	while (!atomic_load(&s->stop)) {
		int64_t ms = writer_turn(s, false);

		if (ms != 0)
			sleep_for(s, ms);
	}
	writer_turn(s, true);
	db_close(s->db);
	s->db = NULL;
	reader_turn(s);
	eventfd_write(s->done_fd, 1);
	store_release(s);
	return NULL;
}

int store_thread(pthread_t *out, const char *name, void *(*fn)(void *arg),
		 struct store *s)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	atomic_fetch_add(&s->users, 1);
	err = pthread_create(out, NULL, fn, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		atomic_fetch_sub(&s->users, 1);
		return -err;
	}
	pthread_setname_np(*out, name);
	return 0;
}

int writer_start(struct store *s)
{
	int err = store_thread(&s->thread, "sbc-store", writer_main, s);

	s->has_thread = !err;
	return err;
}
