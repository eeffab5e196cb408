/*
 * store.c - what the SIP thread calls
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   SIP thread                        writer thread            disk
 *   put, del ──▶ journal (mapped) ──▶ gather ≤ 1 s ──────┐
 *   refresh ───▶ table, one per id ─▶ gather ≤ 60 s ─────┴──▶ SQLite
 *
 * An append costs a copy and a checksum.  When the journal is full the change
 * is counted as lost and the owner of the data is asked for all of it once the
 * disk is well (store_needs_resync()).
 */
#include "store/store.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "autoconf.h"
#include "core/log.h"
#include "store/history_codec.h"
#include "store/row_codec.h"
#include "store/writer.h"

/* ---- open and close ------------------------------------------------------ */

static int set_conf(struct store *s, const struct store_conf *conf)
{
	uint32_t commit_ms = conf->commit_ms ? conf->commit_ms : 1000;
	int n;

	/* A quarter of the time is left for the commit itself. */
	s->gather_ms = commit_ms - commit_ms / 4;
	s->write_behind_ms =
		conf->write_behind_ms ? conf->write_behind_ms : 60000;
	s->close_ms = STORE_CLOSE_MS;
	n = snprintf(s->db_path, STORE_PATH_BYTES, "%s/sbc.db", conf->dir);
	snprintf(s->journal_path, STORE_PATH_BYTES, "%s/sbc.journal",
		 conf->dir);
	return n + 5 < STORE_PATH_BYTES ? 0 : -ENAMETOOLONG;
}

/* Without a database to read: beyond whatever was given before now. */
static uint64_t id_from_clock(void)
{
	return (uint64_t)clock_wall() << 16;
}

/* The writer gives a database up that does not take its changes; it may well
 * be readable still. */
static void open_to_read(struct store *s)
{
	char why[STORE_WHY_BYTES];

	if (!s->db)
		db_open(&s->db, s->db_path, DB_ALONE, false, why, sizeof(why));
}

/* The database as well as it goes; returns the number for the next record. */
static uint64_t open_database(struct store *s)
{
	uint64_t id = 0, seq = 0;

	if (writer_transact(s, replay_fill) == 0) {
		if (s->pending.n)
			log_info("store.replayed",
				 kv_i("records", (int64_t)s->pending.n));
		journal_pending_free(&s->pending);
	}
	open_to_read(s);
	if (!s->db || rows_binding_limits(&s->db->binding, &id, &seq) != 0)
		id = id_from_clock();
	if (id > s->max_id)
		s->max_id = id;
	return (seq > s->pending.last_seq ? seq : s->pending.last_seq) + 1;
}

int store_make(struct store **out, const struct store_conf *conf)
{
	struct store *s = calloc(1, sizeof(*s));
	uint64_t next_seq;
	int err;

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->refresh_lock, NULL);
	pthread_mutex_init(&s->db_lock, NULL);
	pthread_mutex_init(&s->state_lock, NULL);
	reader_init(s, conf->loop);
	s->users = 1;
	s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = s->wake_fd < 0 || s->done_fd < 0 ? -errno : 0;
	if (!err)
		err = set_conf(s, conf);
	if (!err)
		err = replay_read(s);
	if (err)
		goto fail;
	next_seq = open_database(s);
	err = journal_create(&s->journal,
			     conf->journal_bytes ? conf->journal_bytes
						 : CONFIG_JOURNAL_KB * 1024,
			     next_seq);
	if (err)
		goto fail;
	/* A file with pending records stays untouched until they are safe. */
	s->written_seq = next_seq - 1;
	if (s->pending.n)
		replay_requeue(s);
	else
		s->journal_err = journal_attach(s->journal, s->journal_path);
	store_judge(s);
	*out = s;
	return 0;
fail:
	store_free(s);
	return err;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	db_close(s->db);
	journal_destroy(s->journal);
	journal_pending_free(&s->pending);
	reader_free(s);
	refresh_clear(&s->fresh);
	refresh_clear(&s->writing);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	if (s->done_fd >= 0)
		close(s->done_fd);
	pthread_mutex_destroy(&s->refresh_lock);
	pthread_mutex_destroy(&s->db_lock);
	pthread_mutex_destroy(&s->state_lock);
	free(s);
}

int store_open(struct store **out, const struct store_conf *conf)
{
	struct store *s;
	int err = store_make(&s, conf);

	if (err)
		return err;
	err = writer_start(s);
	if (err) {
		store_free(s);
		return err;
	}
	*out = s;
	return 0;
}

void store_release(struct store *s)
{
	if (atomic_fetch_sub(&s->users, 1) == 1)
		store_free(s);
}

/* True: @n threads have said so in time. */
static bool await_threads(struct store *s, unsigned n)
{
	struct pollfd done = {.fd = s->done_fd, .events = POLLIN};
	mono_ms end = clock_mono() + s->close_ms;
	eventfd_t count;

	while (n) {
		mono_ms left = end - clock_mono();

		if (poll(&done, 1, left > 0 ? (int)left : 0) != 1)
			return false;
		if (eventfd_read(s->done_fd, &count) == 0)
			n -= count < n ? count : n;
	}
	return true;
}

void store_close(struct store *s)
{
	bool is_hung;

	if (!s)
		return;
	reader_stop(s);
	atomic_store(&s->stop, true);
	eventfd_write(s->wake_fd, 1);
	is_hung = !await_threads(s, s->has_thread + s->has_reader);
	if (is_hung)
		log_error("store.abandoned", kv_s("db", s->db_path));
	/* Whoever hangs frees the store if it ever ends. */
	if (s->has_thread)
		(is_hung ? pthread_detach(s->thread)
			 : pthread_join(s->thread, NULL));
	if (s->has_reader)
		(is_hung ? pthread_detach(s->reader)
			 : pthread_join(s->reader, NULL));
	store_release(s);
}

/* ---- reading ------------------------------------------------------------ */

uint64_t store_max_id(const struct store *s)
{
	return s->max_id;
}

int store_load_bindings(struct store *s,
			void (*fn)(void *arg, const struct binding_row *row),
			void *arg)
{
	int err;

	pthread_mutex_lock(&s->db_lock);
	open_to_read(s);
	err = replay_each(s, fn, arg);
	journal_pending_free(&s->pending);
	pthread_mutex_unlock(&s->db_lock);
	return err ? -EIO : 0;
}

/* ---- changing ----------------------------------------------------------- */

/* Wake a writer that sleeps, hurry one that gathers for too long. */
void store_appended(struct store *s)
{
	writer_wake(s);
	if (journal_is_half_full(s->journal) &&
	    !atomic_load_explicit(&s->is_kicked, memory_order_relaxed) &&
	    !atomic_exchange(&s->is_kicked, true))
		eventfd_write(s->wake_fd, 1);
}

static uint8_t *begin(struct store *s, size_t len)
{
	uint8_t *body = journal_begin(s->journal, len);

	if (!body)
		atomic_fetch_add(&s->losses, 1);
	return body;
}

void store_binding_put(struct store *s, const struct binding_row *row)
{
	size_t len = row_size(row);
	uint8_t *body;

	if (len > journal_body_max(s->journal)) {
		log_limited(LOG_ERROR, "store.oversized", kv_s("aor", row->aor),
			    kv_i("bytes", (int64_t)len));
		return;
	}
	body = begin(s, len);
	if (!body)
		return;
	row_encode(body, row);
	journal_append(s->journal, JOURNAL_PUT);
	store_appended(s);
}

void store_binding_del(struct store *s, uint64_t id)
{
	uint8_t *body = begin(s, sizeof(id));

	if (!body)
		return;
	memcpy(body, &id, sizeof(id));
	journal_append(s->journal, JOURNAL_DEL);
	store_appended(s);
}

void store_binding_refresh(struct store *s, uint64_t id, uint32_t cseq,
			   wall_ms expires_at, wall_ms last_seen)
{
	const struct refresh r = {
		.id = id,
		.after_seq = journal_last_seq(s->journal),
		.cseq = cseq,
		.expires_at = expires_at,
		.last_seen = last_seen,
	};
	bool is_first;

	pthread_mutex_lock(&s->refresh_lock);
	is_first = s->fresh.n == 0;
	if (is_first)
		s->fresh_since = clock_mono();
	/* Out of memory: the row keeps its old expiry until the next time. */
	(void)refresh_put(&s->fresh, &r);
	pthread_mutex_unlock(&s->refresh_lock);
	if (is_first)
		store_appended(s);
}

/* Bindings come first: what happened matters less than what is. */
void store_history_add(struct store *s, const struct history_row *row)
{
	uint8_t *body;

	if (atomic_load(&s->is_sick) || !store_has_room(s))
		return;
	body = journal_begin(s->journal, history_size(row));
	if (!body)
		return;
	history_encode(body, row);
	journal_append(s->journal, JOURNAL_HISTORY);
	store_appended(s);
}

/* ---- filling holes ------------------------------------------------------ */

bool store_has_room(const struct store *s)
{
	return !journal_is_half_full(s->journal);
}

bool store_needs_resync(struct store *s)
{
	store_judge(s);
	if (s->is_resyncing || atomic_load(&s->is_sick) || !store_has_room(s))
		return false;
	return atomic_load(&s->losses) != atomic_load(&s->cured_losses) ||
	       atomic_load(&s->wipes) != atomic_load(&s->cured_wipes);
}

void store_resync_begin(struct store *s)
{
	s->is_resyncing = true;
	s->resync = (struct resync_mark){
		.seq = journal_last_seq(s->journal),
		.losses = atomic_load(&s->losses),
		.wipes = atomic_load(&s->wipes),
	};
}

void store_resync_end(struct store *s)
{
	uint8_t *body;

	if (!s->is_resyncing)
		return;
	s->is_resyncing = false;
	/* A put that was lost since must not be swept: try again later. */
	if (atomic_load(&s->losses) != s->resync.losses)
		return;
	body = begin(s, sizeof(s->resync));
	if (!body)
		return;
	memcpy(body, &s->resync, sizeof(s->resync));
	journal_append(s->journal, JOURNAL_RESYNC_END);
	store_appended(s);
}
