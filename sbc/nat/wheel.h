/*
 * wheel.h - a timer wheel that hands out its slots evenly
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A slot is 100 ms long and has a number, counted from the clock's zero.
 * Whoever joins asks for a slot in a range and gets the latest one there that
 * carries no more than its share; so due times stay even whatever comes at
 * once.  Knows neither clock nor flows.
 */
#ifndef SBC_NAT_WHEEL_H
#define SBC_NAT_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

enum {
	WHEEL_SLOTS = 4096,    /* power of two; the horizon is 409 s */
	WHEEL_SLOT_MS = 100,   /* of one slot */
	WHEEL_FAR_SLOTS = 3072 /* nothing is set further ahead than this */
};

/* Embedded in its owner; zero before first use. */
struct wheel_node {
	struct wheel_node *next, **at; /* at: NULL = in no slot */
	int64_t slot;                  /* its last or present one */
	uint32_t pace;                 /* pings a slot, in 2^-20 */
};

struct wheel {
	struct wheel_node *head[WHEEL_SLOTS];
	uint32_t load[WHEEL_SLOTS];
	uint64_t used[WHEEL_SLOTS / 64]; /* bit per slot with a load */
	int64_t now;                     /* the last slot that has run */
	uint64_t pace;                   /* of all nodes */
	unsigned n;                      /* nodes in slots */
};

typedef void (*wheel_fn)(void *arg, struct wheel_node *node);

void wheel_init(struct wheel *w, int64_t now);
/* @node comes round every @interval_ms from now on, 0 = no more: what the mean
 * is computed from. */
void wheel_pace(struct wheel *w, struct wheel_node *node, uint32_t interval_ms);
/*
 * Put @node into the slot of [@earliest, @latest] that suits best: the latest
 * with less than the mean, else the emptiest.  Leaves its former slot.  True:
 * the slot carries no more than 1.2 times the mean with it.  Both ends are
 * moved behind slot @now, the present one, if they lie before.
 */
bool wheel_set(struct wheel *w, struct wheel_node *node, int64_t now,
	       int64_t earliest, int64_t latest);
/* Put @node into @slot whatever it carries. */
void wheel_set_at(struct wheel *w, struct wheel_node *node, int64_t now,
		  int64_t slot);
void wheel_remove(struct wheel *w, struct wheel_node *node);
/* The slot carries more than the mean. */
bool wheel_is_crowded(const struct wheel *w, int64_t slot);
/* How many slots it takes until what else is due in one finds room in those
 * that carry the mean already. */
int64_t wheel_late(const struct wheel *w);
/* The first slot that has nodes; INT64_MAX = none. */
int64_t wheel_next(const struct wheel *w);
/* Take out all nodes up to slot @now and call @fn with each, in order of
 * slots.  @fn may set and remove any. */
void wheel_run(struct wheel *w, int64_t now, wheel_fn fn, void *arg);

#endif
