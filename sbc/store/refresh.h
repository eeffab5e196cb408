/*
 * refresh.h - refreshes that wait to be written, one entry per binding
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A table keyed by binding id.  No locks: the store wraps it.
 */
#ifndef SBC_STORE_REFRESH_H
#define SBC_STORE_REFRESH_H

#include <stddef.h>
#include <stdint.h>

#include "core/clock.h"

struct refresh {
	uint64_t id; /* 0 = empty slot */
	/* Journal record that was the last one when this was said: rows that a
	 * later record wrote know better. */
	uint64_t after_seq;
	uint32_t cseq;
	wall_ms expires_at, last_seen;
};

struct refresh_map {
	struct refresh *slots;
	size_t n_slots; /* power of two or 0 */
	size_t n;
};

/* Add or replace; -ENOMEM leaves the map as it was. */
int refresh_put(struct refresh_map *m, const struct refresh *r);
/* Move the entries to the front, in order of id, so that the database writes
 * each page once.  Afterwards only refresh_clear(). */
void refresh_sort(struct refresh_map *m);
void refresh_clear(struct refresh_map *m);

#endif
