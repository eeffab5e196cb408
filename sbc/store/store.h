/*
 * store.h - what must outlive the process: bindings now, more rows later
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Memory (registrar/) is the authority for look-ups; the store is asked only
 * at start.  A change is appended to a preallocated, checksummed, MAP_SHARED
 * journal before store_binding_put() returns, which survives kill -9; the
 * writer thread moves it to SQLite (WAL, synchronous FULL, one commit per
 * second at most) which survives a power cut.  At start the journal is
 * replayed.  A full disk, an I/O error, a slow fsync or a corrupt database
 * never reach the caller: the state becomes STORE_DEGRADED, the alarm
 * store-degraded is raised, and work goes on.
 *
 * When changes could not even be kept in the journal (it was full while the
 * disk was sick), or when a database that turned out corrupt was replaced, the
 * store has holes.  As soon as the disk is well again store_needs_resync()
 * says so and the owner hands over its whole set, in slices if it likes:
 *
 *   once a second:    if (store_needs_resync(s)) store_resync_begin(s);
 *   then, in slices:  while (more && store_has_room(s)) store_binding_put(...);
 *   when all are put: store_resync_end(s);
 *
 * Ordinary puts, refreshes and deletes may come in between.
 *
 * All calls on one thread (SIP); nothing blocks but open, load and close.
 * Memory: the journal's size at most, and about 100 bytes per binding that
 * was refreshed within write_behind_ms.
 */
#ifndef SBC_STORE_STORE_H
#define SBC_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/clock.h"

struct loop;
struct store;

enum store_state {
	STORE_OK,
	STORE_DEGRADED,
	STORE_SET_ASIDE /* a corrupt file was renamed, a new one is in use */
};

/* One binding as a row.  Strings are borrowed for the call; NULL = absent. */
struct binding_row {
	uint64_t id; /* 1 to 2^63 - 1, the registrar's, never used twice */
	const char *aor, *phone, *realm;
	const char *contact; /* URI verbatim */
	const char *call_id;
	uint32_t cseq;
	const char *instance; /* +sip.instance or NULL */
	uint32_t reg_id;      /* 0 = none */
	const char *path;     /* Path header values or NULL */
	const char *user_agent;
	uint8_t transport; /* enum sip_transport */
	struct addr source, local;
	wall_ms expires_at, registered_at, last_seen;
	/* What nat/ said of the way there; numbers are its own. */
	struct store_nat {
		uint32_t evidence;
		uint8_t alg, mapping, filter;
		uint8_t flags; /* enum store_nat_flag */
		struct addr announced;
		uint16_t floor_s, ceiling_s;
		uint32_t interval_ms, phase_ms;
	} nat;
};

enum store_nat_flag {
	STORE_BEHIND = 1,
	STORE_ANSWERS = 2,
	STORE_INBOUND_HOLDS = 4,
	STORE_JUDGED = 8, /* the rest of store_nat means something */
};

/*
 * One change of a phone's flow, for the question "was it reachable then?".
 * It tells what begins at @at and, of what ended there, when it was last
 * proved to be open.  Strings are borrowed; NULL = absent.
 */
struct history_row {
	wall_ms at;
	const char *phone, *aor;
	uint64_t binding;  /* its id */
	const char *event; /* registered, moved, lost, back, gone, restored,
			      verdict, learned */
	const char *cause; /* of gone: expired, unregistered, ... */
	uint8_t transport;
	struct addr source, local; /* the flow in force from now on */
	wall_ms expires_at;
	wall_ms proved_at; /* last packet from there before @at; 0 = never */
	uint32_t pings, unanswered; /* since the last row of this binding */
	uint32_t rtt_us[8], n_rtt;  /* the last ones, newest first */
	const char *reason;         /* the verdict in words */
};

struct store_conf {
	const char *dir;
	struct loop *loop; /* answers about the history come on it, and it may
			      not turn any more after store_close(); NULL:
			      there will be none */
	uint32_t journal_bytes;   /* 0 = CONFIG_JOURNAL_KB */
	uint32_t commit_ms;       /* group commit, 0 = 1000 */
	uint32_t write_behind_ms; /* pure refreshes, 0 = 60000 */
};

/*
 * Open or create @dir/sbc.db and @dir/sbc.journal, migrate, replay, start the
 * writer.  A corrupt database is set aside as sbc.db.corrupt-TIME.  When the
 * disk refuses everything the store still opens, degraded.  @conf is borrowed
 * for the call.  -ENOMEM, or -errno when no thread can be made.
 */
int store_open(struct store **out, const struct store_conf *conf);
/* Flush, commit and stop.  Waits at most 3 s for a disk that hangs; what was
 * not committed then is found in the journal at the next start.  Accepts NULL.
 */
void store_close(struct store *s);

/* The largest binding id ever seen in the database or the journal, 0 when there
 * is none; the next id to give is one more.  When the database could not be
 * read it is a number from the wall clock that is beyond every given id. */
uint64_t store_max_id(const struct store *s);
/* Every stored binding, whatever its expiry; the row's strings live during
 * @fn.  Only before the first put.  Pure refreshes of the last write_behind_ms
 * before a crash are not in it: give expiries that much grace.  0, or -EIO when
 * the database could not be read to its end. */
int store_load_bindings(struct store *s,
			void (*fn)(void *arg, const struct binding_row *row),
			void *arg);
/* New or changed: in the journal when this returns. */
void store_binding_put(struct store *s, const struct binding_row *row);
/* Only @expires_at, @last_seen and @cseq moved: written behind, together. */
void store_binding_refresh(struct store *s, uint64_t id, uint32_t cseq,
			   wall_ms expires_at, wall_ms last_seen);
void store_binding_del(struct store *s, uint64_t id);

/*
 * Through the journal like a binding.  Kept for 30 days and 200 000 rows;
 * the oldest go first.  Left out while the store is degraded.
 */
void store_history_add(struct store *s, const struct history_row *row);

struct store_history {
	int err;                        /* 0, or -EIO: the disk is sick */
	const struct history_row *rows; /* oldest first */
	size_t n;
	wall_ms begins; /* the oldest row of any phone; 0 = there is none */
};

/* @h lives during the call. */
typedef void (*store_history_fn)(void *arg, const struct store_history *h);
/*
 * Ask for the last @max rows of phone section @phone with @from <= at < @to,
 * and for each binding in force at @from the row that says so.  What was added
 * before the call is in the answer, which comes once, later, on the loop;
 * nothing here waits for the disk.  -ENOMEM; -EAGAIN: too many are asked;
 * -ENOTSUP: there is no loop.
 */
int store_history_find(struct store *s, const char *phone, wall_ms from,
		       wall_ms to, size_t max, store_history_fn fn, void *arg);
/*
 * The same for what there was at @at: of each binding the last row until then
 * and the first after it, and again of the rows that begin or end a flow (all
 * but verdict and learned); and the first rows of bindings that came later.
 */
int store_history_at(struct store *s, const char *phone, wall_ms at,
		     store_history_fn fn, void *arg);

/* ---- call records --------------------------------------------------------- */

/* One call attempt.  Strings are borrowed. */
struct cdr_row {
	const char *id;               /* UUIDv7: ids sort by the calls' begin */
	wall_ms started_at, ended_at; /* 0 = it is not over yet */
	const char *record;           /* a JSON object: cdr/cdr.h */
};

/*
 * Through the journal; a row with the same id is replaced.  Lost, and told to
 * the log, when the journal is full.  At the next start the records of calls
 * that were not over are given the cause "sbc restart".
 */
void store_cdr_put(struct store *s, const struct cdr_row *row);
/* How long they are kept, and never more than 100 000; 0 = no limit of days. */
void store_cdr_keep(struct store *s, unsigned days);

struct store_cdr_query {
	wall_ms from, to;  /* from <= begin < to */
	const char *who;   /* a user or peer on either side; NULL = any */
	const char *after; /* only older ones than this id; NULL = from the
			      newest */
	size_t max;
};

struct store_cdrs {
	int err;                    /* 0, or -EIO: the disk is sick */
	const char *const *records; /* newest first */
	size_t n;
};

/* @c lives during the call. */
typedef void (*store_cdr_fn)(void *arg, const struct store_cdrs *c);
/* Ask, as store_history_find() does. */
int store_cdr_find(struct store *s, const struct store_cdr_query *query,
		   store_cdr_fn fn, void *arg);

/* The asker is gone: it is not called back for @arg any more. */
void store_forget(struct store *s, void *arg);

/* Poll once a second: the store has holes and the disk is well, begin a resync.
 * False while one is under way.  Also notices a disk that hangs. */
bool store_needs_resync(struct store *s);
void store_resync_begin(struct store *s);
/* Half of the journal or more is free: go on putting. */
bool store_has_room(const struct store *s);
/* Every binding was put since store_resync_begin(): rows that were not are
 * removed.  When puts were lost meanwhile store_needs_resync() will say so. */
void store_resync_end(struct store *s);

enum store_state store_state(const struct store *s);
const char *store_state_name(enum store_state state); /* "ok", ... */
const char *store_library_version(void);

#endif
