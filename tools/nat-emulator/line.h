/*
 * line.h - a line with delay, jitter, packets that overtake, and loss
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Jitter alone keeps the order of a direction, as a queue in a modem does;
 * packets overtake only one that was picked to be late (reorder).
 */
#ifndef NAT_EMULATOR_LINE_H
#define NAT_EMULATOR_LINE_H

#include "translate.h"

#define LINE_SLOTS 2048

struct line_slot {
	uint64_t due_us, serial;
	enum side to;
	struct packet packet;
};

struct line {
	struct line_slot slots[LINE_SLOTS];
	int16_t heap[LINE_SLOTS]; /* of slots, earliest first */
	int16_t free[LINE_SLOTS];
	int n, n_free;
	uint64_t serial, last_due_us[SIDES];
	uint64_t lost, late, full;
};

void line_init(struct line *l);
bool line_is_plain(const struct settings *set); /* nothing to do for it */
/* @random gives the dice.  A packet for which there is no room is lost. */
void line_put(struct line *l, const struct settings *set, struct table *random,
	      enum side to, const struct packet *p, uint64_t now_us);
/* The next packet that is due; NULL: none.  Valid until the next call. */
const struct packet *line_take(struct line *l, uint64_t now_us, enum side *to);
/* Microseconds until the next is due, -1 = none waits. */
int64_t line_wait_us(const struct line *l, uint64_t now_us);

#endif
