/*
 * journal.h - the ring of records between the SIP thread and the writer, kept
 * in a file that outlives the process
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The ring is the queue and the journal at once: what the SIP thread appends is
 * in the page cache, so it survives kill -9, and the writer reads it from the
 * same memory.  Without a file (disk full at start, say) the ring lives in
 * anonymous memory until one can be made.
 *
 *   append (SIP thread)   peek ... peek (writer)   COMMIT   done (writer)
 *
 * One producer, one consumer, no locks.
 */
#ifndef SBC_STORE_JOURNAL_H
#define SBC_STORE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal;

enum journal_type {
	JOURNAL_PUT = 1,    /* row_codec.h */
	JOURNAL_DEL,        /* u64 id */
	JOURNAL_RESYNC_END, /* struct resync_mark; means nothing at replay */
	JOURNAL_HISTORY,    /* history_codec.h */
	JOURNAL_CDR,        /* call_record.c */
};

enum {
	JOURNAL_HEAD_BYTES = 4096, /* before the first record */
	JOURNAL_MIN_BYTES = 65536,
	JOURNAL_MAX_BYTES = 64 << 20,
};

struct journal_record {
	uint64_t seq; /* counts up by one from record to record */
	enum journal_type type;
	const uint8_t *body;
	size_t len;
};

typedef void (*journal_record_fn)(void *arg, const struct journal_record *rec);

/*
 * Call @fn for every whole record in the bytes of a journal file, in the order
 * of the file, and put the number of the last committed record into
 * @committed.  Takes any bytes: what is torn, foreign or garbled is passed
 * over.  -EINVAL when there is no journal head.  Pure.
 */
int journal_scan(const void *file, size_t len, uint64_t *committed,
		 journal_record_fn fn, void *arg);

/* What a journal file still holds for the database, oldest first. */
struct journal_pending {
	struct journal_record *v;
	size_t n;
	uint64_t last_seq; /* largest number seen, also of committed ones */
	void *bytes;       /* the records' bodies live here */
};

/* Read @path.  No file, or nothing usable in it: 0 and nothing pending.
 * -ENOMEM, -errno of read(2). */
int journal_pending_read(struct journal_pending *out, const char *path);
void journal_pending_free(struct journal_pending *p);

/* A ring of @bytes (rounded to pages, held within the limits above) in
 * anonymous memory; its first record will be number @next_seq. */
int journal_create(struct journal **out, size_t bytes, uint64_t next_seq);
void journal_destroy(struct journal *j); /* accepts NULL; keeps the file */
/*
 * Use the file @path from the next moment on at which the ring is empty.  An
 * existing journal of the right size is kept, anything else is replaced: the
 * caller has committed what was pending in it.  Consumer's thread, or before
 * the two are running.  -errno of the file system.
 */
int journal_attach(struct journal *j, const char *path);
bool journal_has_file(const struct journal *j);

/* -- producer ------------------------------------------------------------ */

/* Memory for a body of @len bytes.  NULL when the ring is full. */
uint8_t *journal_begin(struct journal *j, size_t len);
/* Finish the record; returns its number. */
uint64_t journal_append(struct journal *j, enum journal_type type);
/* Number of the last record appended.  Any thread. */
uint64_t journal_last_seq(const struct journal *j);
/* The longest body that can ever fit. */
size_t journal_body_max(const struct journal *j);
/* More than half is in use.  Any thread. */
bool journal_is_half_full(const struct journal *j);

/* -- consumer ------------------------------------------------------------ */

bool journal_is_empty(const struct journal *j); /* any thread */
/* The next unread record, in place; false when all are read. */
bool journal_peek(struct journal *j, struct journal_record *out);
/* Number of the last record that was read. */
uint64_t journal_read_seq(const struct journal *j);
/* The database commits now, which may take long: let the producer need nothing
 * of the disk meanwhile. */
void journal_prepare(struct journal *j);
/* All that was read is in the database: free it. */
void journal_done(struct journal *j);
/* It is not: read it again. */
void journal_again(struct journal *j);

#endif
