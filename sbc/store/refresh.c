/*
 * refresh.c - refreshes that wait to be written, one entry per binding
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Open addressing with linear probing, at most three quarters full.  Entries
 * are never removed singly, so no tombstones.  Ids are our own, so the hash
 * needs no key.
 */
#include "store/refresh.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_SLOTS = 64 };

static struct refresh *find(const struct refresh_map *m, uint64_t id)
{
	size_t i = (id * 0x9e3779b97f4a7c15u >> 32) & (m->n_slots - 1);

	while (m->slots[i].id && m->slots[i].id != id)
		i = (i + 1) & (m->n_slots - 1);
	return &m->slots[i];
}

static int grow(struct refresh_map *m)
{
	struct refresh_map bigger = {
		.n_slots = m->n_slots ? m->n_slots * 2 : FIRST_SLOTS,
		.n = m->n,
	};

	bigger.slots = calloc(bigger.n_slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_slots; i++) {
		if (m->slots[i].id)
			*find(&bigger, m->slots[i].id) = m->slots[i];
	}
	free(m->slots);
	*m = bigger;
	return 0;
}

int refresh_put(struct refresh_map *m, const struct refresh *r)
{
	struct refresh *slot;

	if (r->id == 0)
		return 0;
	if ((m->n + 1) * 4 > m->n_slots * 3) {
		int err = grow(m);

		if (err)
			return err;
	}
	slot = find(m, r->id);
	if (!slot->id)
		m->n++;
	*slot = *r;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct refresh *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

void refresh_sort(struct refresh_map *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_slots; i++) {
		if (m->slots[i].id)
			m->slots[n++] = m->slots[i];
	}
	if (n)
		qsort(m->slots, n, sizeof(*m->slots), by_id);
}

void refresh_clear(struct refresh_map *m)
{
	free(m->slots);
	*m = (struct refresh_map){0};
}
