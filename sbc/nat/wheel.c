/*
 * wheel.c - a timer wheel that hands out its slots evenly
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Random places would give a busiest slot of 1.4 to 1.6 times the mean;
 * counting what each slot carries and taking the latest one below the mean
 * costs one look in the ordinary case, because a node that comes round after
 * the same interval as its neighbours finds its next slot as full as its last
 * one was.
 */
#include "nat/wheel.h"

#include <stddef.h>
#include <string.h>

enum {
	PACE_SHIFT = 20,
	/* A handful in one slot is no burst, however small the mean is. */
	SMALL_LOAD = 8,
};

static unsigned index_of(int64_t slot)
{
	return (unsigned)slot & (WHEEL_SLOTS - 1);
}

void wheel_init(struct wheel *w, int64_t now)
{
	memset(w, 0, sizeof(*w));
	w->now = now;
}

void wheel_pace(struct wheel *w, struct wheel_node *node, uint32_t interval_ms)
{
	w->pace -= node->pace;
	node->pace = interval_ms ? ((uint32_t)WHEEL_SLOT_MS << PACE_SHIFT) /
					   interval_ms
				 : 0;
	w->pace += node->pace;
}

/* The mean of a slot, rounded up. */
static uint32_t fair_load(const struct wheel *w)
{
	return (uint32_t)((w->pace >> PACE_SHIFT) + 1);
}

static uint32_t most_load(const struct wheel *w)
{
	uint32_t most = (uint32_t)((w->pace * 6 / 5) >> PACE_SHIFT);

	return most > SMALL_LOAD ? most : SMALL_LOAD;
}

bool wheel_is_crowded(const struct wheel *w, int64_t slot)
{
	return w->load[index_of(slot)] > fair_load(w);
}

int64_t wheel_late(const struct wheel *w)
{
	uint32_t fair = fair_load(w), most = most_load(w);

	return most > fair ? 1 + fair / (most - fair) : 1 + fair;
}

int64_t wheel_next(const struct wheel *w)
{
	int64_t slot = w->now + 1;

	if (!w->n)
		return INT64_MAX;
	while (slot <= w->now + WHEEL_SLOTS) {
		unsigned i = index_of(slot);
		uint64_t bits = w->used[i / 64] >> (i % 64);

		if (bits)
			return slot + __builtin_ctzll(bits);
		slot += 64 - i % 64;
	}
	return INT64_MAX; /* not reached while n counts right */
}

void wheel_remove(struct wheel *w, struct wheel_node *node)
{
	unsigned i = index_of(node->slot);

	if (!node->at)
		return;
	*node->at = node->next;
	if (node->next)
		node->next->at = node->at;
	node->next = NULL;
	node->at = NULL;
	if (node->slot <= w->now)
		return; /* wheel_run() has detached it */
	w->n--;
	if (!--w->load[i])
		w->used[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

static void put(struct wheel *w, struct wheel_node *node, int64_t slot)
{
	unsigned i = index_of(slot);

	node->slot = slot;
	node->next = w->head[i];
	node->at = &w->head[i];
	if (node->next)
		node->next->at = &node->next;
	w->head[i] = node;
	w->used[i / 64] |= UINT64_C(1) << (i % 64);
	w->load[i]++;
	w->n++;
}

/* @slot as it can be had: after @now, within the horizon. */
static int64_t within(struct wheel *w, int64_t now, int64_t slot)
{
	if (now < w->now)
		now = w->now;
	if (!w->n)
		w->now = now;
	else if (now + WHEEL_FAR_SLOTS >= w->now + WHEEL_SLOTS)
		w->now = wheel_next(w) - 1; /* all before it are empty */
	if (slot <= now)
		slot = now + 1;
	if (slot >= w->now + WHEEL_SLOTS)
		slot = w->now + WHEEL_SLOTS - 1;
	return slot;
}

bool wheel_set(struct wheel *w, struct wheel_node *node, int64_t now,
	       int64_t earliest, int64_t latest)
{
	uint32_t fair = fair_load(w);
	int64_t slot, best;

	wheel_remove(w, node);
	latest = within(w, now, latest);
	earliest = within(w, now, earliest);
	best = latest;
	for (slot = latest; slot >= earliest; slot--) {
		uint32_t load = w->load[index_of(slot)];

		if (load < w->load[index_of(best)])
			best = slot;
		if (load < fair)
			break;
	}
	put(w, node, best);
	return w->load[index_of(best)] <= most_load(w);
}

void wheel_set_at(struct wheel *w, struct wheel_node *node, int64_t now,
		  int64_t slot)
{
	wheel_remove(w, node);
	put(w, node, within(w, now, slot));
}

/* Move the nodes of slot w->now to the end of a chain; returns the new end. */
static struct wheel_node **detach(struct wheel *w, struct wheel_node **end)
{
	unsigned i = index_of(w->now);

	*end = w->head[i];
	if (*end)
		(*end)->at = end;
	while (*end)
		end = &(*end)->next;
	w->n -= w->load[i];
	w->head[i] = NULL;
	w->load[i] = 0;
	w->used[i / 64] &= ~(UINT64_C(1) << (i % 64));
	return end;
}

void wheel_run(struct wheel *w, int64_t now, wheel_fn fn, void *arg)
{
	struct wheel_node *due = NULL, **end = &due, *node;
	int64_t slot;

	/* All of them first: however late we are, each is called once. */
	while ((slot = wheel_next(w)) <= now) {
		w->now = slot;
		end = detach(w, end);
	}
	if (now > w->now)
		w->now = now;
	while ((node = due)) {
		wheel_remove(w, node);
		fn(arg, node);
	}
}
