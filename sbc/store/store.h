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
 * All calls on one thread (SIP); nothing blocks but open and close.
 */
#ifndef SBC_STORE_STORE_H
#define SBC_STORE_STORE_H

#include <stdint.h>

#include "core/addr.h"
#include "core/clock.h"

struct store;

enum store_state {
	STORE_OK,
	STORE_DEGRADED,
	STORE_SET_ASIDE /* a corrupt file was renamed, a new one is in use */
};

/* One binding as a row.  Strings are borrowed for the call; NULL = absent. */
struct binding_row {
	uint64_t id; /* chosen by the registrar, never used twice */
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
};

struct store_conf {
	const char *dir;
	uint32_t journal_bytes;   /* 0 = CONFIG_JOURNAL_KB */
	uint32_t commit_ms;       /* group commit, 0 = 1000 */
	uint32_t write_behind_ms; /* pure refreshes, 0 = 60000 */
};

/*
 * Open or create @dir/sbc.db and @dir/sbc.journal, migrate, replay, start the
 * writer.  A corrupt database is set aside as sbc.db.corrupt-TIME.  When the
 * disk refuses everything the store still opens, degraded.  -ENOMEM, or
 * -errno when no thread can be made.
 */
int store_open(struct store **out, const struct store_conf *conf);
/* Flush, commit and stop.  Accepts NULL. */
void store_close(struct store *s);

/* Every stored binding, whatever its expiry; the row's strings live during
 * @fn.  Only before the first put. */
int store_load_bindings(struct store *s,
			void (*fn)(void *arg, const struct binding_row *row),
			void *arg);
/* New or changed: in the journal when this returns. */
void store_binding_put(struct store *s, const struct binding_row *row);
/* Only @expires_at, @last_seen and @cseq moved: written behind, together. */
void store_binding_refresh(struct store *s, uint64_t id, uint32_t cseq,
			   wall_ms expires_at, wall_ms last_seen);
void store_binding_del(struct store *s, uint64_t id);

enum store_state store_state(const struct store *s);
const char *store_state_name(enum store_state state); /* "ok", ... */

#endif
