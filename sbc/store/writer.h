/*
 * writer.h - the store from inside: the SIP thread's side, the writer's side,
 * and the little that both touch
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   store.c        what the SIP thread calls
 *   writer.c       the thread that moves the journal to the database
 *   replay.c       what a crash left in the journal
 *   store_state.c  ok, degraded or set aside, and the alarms
 *   reader.c       the thread that answers questions for the database
 *   history.c      questions about a phone's flows
 *   call_record.c  call records, and questions about them
 *
 * No lock is held across a call that may wait for the disk, but for db_lock,
 * which the SIP thread takes only in store_load_bindings().
 */
#ifndef SBC_STORE_WRITER_H
#define SBC_STORE_WRITER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/list.h"
#include "store/db.h"
#include "store/journal.h"
#include "store/refresh.h"
#include "store/store.h"

enum {
	STORE_RETRY_MS = 1000, /* a sick disk is asked again */
	/* So is a directory that refused a journal file: making one in vain
	 * may cost a lot of writing. */
	STORE_ATTACH_MS = 60000,
	STORE_HUNG_MS = 10000, /* one write takes longer: degraded */
	STORE_CLOSE_MS = 3000, /* a hanging disk does not stop us longer */
	STORE_PATH_BYTES = 4000,
	STORE_WHY_BYTES = 120,
	HISTORY_ROWS_MAX = 200000,
	HISTORY_DAYS = 30,
	HISTORY_PRUNE_MS = 60000,
	HISTORY_PRUNE_ROWS = 500, /* at once, and two for each that was added */
	CDR_ROWS_MAX = 100000,
};

/* What had gone wrong when a resync began; rides in JOURNAL_RESYNC_END. */
struct resync_mark {
	uint64_t seq; /* rows of this record and before are to be swept */
	uint64_t losses, wipes;
};

/* Who asks for the database; reader.c. */
struct reader_desk {
	struct loop *loop;
	/* SIP thread */
	struct list asked; /* every question that is not answered yet */
	unsigned n_asked;
	/* both threads, under the lock */
	pthread_mutex_t lock;
	pthread_cond_t turn; /* a question, the writer's turn, or the end */
	struct list todo, answered;
	bool stop;
};

struct store {
	char db_path[STORE_PATH_BYTES], journal_path[STORE_PATH_BYTES];
	uint32_t gather_ms, write_behind_ms;
	int64_t close_ms;
	struct journal *journal;
	uint64_t max_id;

	/* SIP thread */
	bool is_resyncing;
	struct resync_mark resync;
	bool has_thread, has_reader;
	pthread_t thread, reader;
	int wake_fd; /* eventfd: work, or stop */
	int done_fd; /* eventfd, counts the threads that are done */
	struct reader_desk desk;

	/* SIP thread adds, writer takes all; held for a moment only */
	pthread_mutex_t refresh_lock;
	struct refresh_map fresh;
	mono_ms fresh_since; /* of the first entry */

	/* writer, under db_lock */
	pthread_mutex_t db_lock;
	struct db *db;
	bool is_checked; /* the file was looked through once */
	struct refresh_map writing;
	struct journal_pending pending; /* until it is loaded */
	mono_ms commit_at;              /* 0 = nothing gathered */
	mono_ms retry_at;
	mono_ms attach_at; /* try to make a journal file */
	bool has_cure;
	struct resync_mark cure; /* of the transaction under way */
	int64_t n_added;         /* rows of the history in it */
	int64_t n_records;       /* call records since the last pruning */
	mono_ms prune_at;

	/* both */
	atomic_bool is_sick; /* the last write failed */
	atomic_bool stop;
	atomic_bool is_asleep; /* wants a wake at the next append */
	atomic_bool is_kicked;
	atomic_int users; /* threads and owner; the last one frees the store */
	atomic_uint_fast64_t written_seq; /* record of the last commit */
	atomic_uint_fast64_t wanted_seq;  /* somebody waits for it */
	atomic_uint_fast64_t failures;    /* to write */
	atomic_int_fast64_t
		busy_since;          /* the writer is in the database, or 0 */
	atomic_uint_fast64_t losses; /* changes that found no room */
	atomic_uint_fast64_t cured_losses; /* of those: made good by a resync */
	atomic_uint_fast64_t wipes;        /* databases replaced under way */
	atomic_uint_fast64_t cured_wipes;
	atomic_int state;     /* enum store_state */
	atomic_uint cdr_days; /* that call records are kept; 0 = for ever */

	pthread_mutex_t state_lock;
	char why[STORE_WHY_BYTES];
	int journal_err;
	bool is_aside;
};

/* store.c: everything but the thread, for tests that turn the crank. */
int store_make(struct store **out, const struct store_conf *conf);
void store_free(struct store *s);
/* SIP thread: a record was appended to the journal. */
void store_appended(struct store *s);
/* A user is gone. */
void store_release(struct store *s);

/* writer.c */
int writer_start(struct store *s);
/* Do what is due; @flush: do everything now.  Milliseconds until something is
 * due next, -1 = nothing before new work comes. */
int64_t writer_turn(struct store *s, bool flush);
/* Run @fill in a transaction; opens the database and sets a damaged one aside
 * first where need be.  @fill may be called twice. */
int writer_transact(struct store *s, int (*fill)(struct store *s));
/* One record into the open transaction. */
int writer_apply(struct store *s, const struct journal_record *rec);
void writer_wake(struct store *s);
/* Any thread: commit record @seq at once, not after gathering. */
void writer_hurry(struct store *s, uint64_t seq);
/* Signals are for main. */
int store_thread(pthread_t *out, const char *name, void *(*fn)(void *arg),
		 struct store *s);

/* replay.c */
int replay_read(struct store *s); /* fills pending, max_id; -ENOMEM */
int replay_fill(struct store *s); /* for writer_transact() */
/* Put what is pending into the (new) journal again. */
void replay_requeue(struct store *s);
/* Rows of the database as pending records have changed them. */
int replay_each(struct store *s, rows_binding_fn fn, void *arg);

/* reader.c */
void reader_init(struct store *s, struct loop *loop);
/* The writer has done what it could. */
void reader_turn(struct store *s);
/* Nobody is called back any more, and the thread ends. */
void reader_stop(struct store *s);
void reader_free(struct store *s);

/* call_record.c */
/* A record of the journal into the open transaction. */
int call_record_apply(struct store *s, const struct journal_record *rec);

/* store_state.c */
void store_judge(struct store *s);
void store_fall_sick(struct store *s, const char *why);
void store_get_well(struct store *s);
void store_note_aside(struct store *s, const char *name, const char *why);

#endif
