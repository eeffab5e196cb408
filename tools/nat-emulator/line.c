/*
 * line.c - a line with delay, jitter, packets that overtake, and loss
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "line.h"

#include <string.h>

void line_init(struct line *l)
{
	memset(l, 0, sizeof(*l));
	for (int i = 0; i < LINE_SLOTS; i++)
		l->free[i] = (int16_t)i;
	l->n_free = LINE_SLOTS;
}

bool line_is_plain(const struct settings *set)
{
	return !set->delay_ms && !set->jitter_ms && !set->reorder_permille &&
	       !set->loss_permille;
}

/* ---- heap ---------------------------------------------------------------- */

static bool before(const struct line *l, int a, int b)
{
	const struct line_slot *x = &l->slots[l->heap[a]];
	const struct line_slot *y = &l->slots[l->heap[b]];

	return x->due_us < y->due_us ||
	       (x->due_us == y->due_us && x->serial < y->serial);
}

static void swap(struct line *l, int a, int b)
{
	int16_t slot = l->heap[a];

	l->heap[a] = l->heap[b];
	l->heap[b] = slot;
}

static void push(struct line *l, int16_t slot)
{
	int i = l->n++;

	l->heap[i] = slot;
	for (; i && before(l, i, (i - 1) / 2); i = (i - 1) / 2)
		swap(l, i, (i - 1) / 2);
}

static int16_t pop(struct line *l)
{
	int16_t first = l->heap[0];
	int i = 0, least;

	l->heap[0] = l->heap[--l->n];
	for (;; i = least) {
		least = i;
		for (int child = 2 * i + 1; child <= 2 * i + 2 && child < l->n;
		     child++)
			if (before(l, child, least))
				least = child;
		if (least == i)
			return first;
		swap(l, i, least);
	}
}

/* ---- in and out ---------------------------------------------------------- */

static uint64_t due_of(struct line *l, const struct settings *set,
		       struct table *random, enum side to, uint64_t now_us)
{
	uint64_t due = now_us + set->delay_ms * 1000ull;

	if (set->jitter_ms)
		due += table_random(random, set->jitter_ms * 1000 + 1);
	if (due < l->last_due_us[to])
		due = l->last_due_us[to];
	if (table_random(random, 1000) < set->reorder_permille) {
		l->late++;
		return due + set->reorder_ms * 1000ull;
	}
	return l->last_due_us[to] = due;
}

void line_put(struct line *l, const struct settings *set, struct table *random,
	      enum side to, const struct packet *p, uint64_t now_us)
{
	struct line_slot *slot;

	if (table_random(random, 1000) < set->loss_permille) {
		l->lost++;
		return;
	}
	if (!l->n_free) {
		l->full++;
		return;
	}
	slot = &l->slots[l->free[--l->n_free]];
	slot->due_us = due_of(l, set, random, to, now_us);
	slot->serial = l->serial++;
	slot->to = to;
	slot->packet.len = p->len;
	memcpy(slot->packet.bytes, p->bytes, p->len);
	push(l, (int16_t)(slot - l->slots));
}

const struct packet *line_take(struct line *l, uint64_t now_us, enum side *to)
{
	int16_t slot;

	if (!l->n || l->slots[l->heap[0]].due_us > now_us)
		return NULL;
	slot = pop(l);
	l->free[l->n_free++] = slot;
	*to = l->slots[slot].to;
	return &l->slots[slot].packet;
}

int64_t line_wait_us(const struct line *l, uint64_t now_us)
{
	uint64_t due;

	if (!l->n)
		return -1;
	due = l->slots[l->heap[0]].due_us;
	return due > now_us ? (int64_t)(due - now_us) : 0;
}
