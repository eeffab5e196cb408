/*
 * learn.h - how long a NAT waits, learned without losing a call
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure: state and time in, decision out.  Times are milliseconds of any clock
 * that never jumps.
 */
#ifndef SBC_NAT_LEARN_H
#define SBC_NAT_LEARN_H

#include <stdbool.h>
#include <stdint.h>

#include "nat/nat.h"

enum {
	LEARN_FLOOR_MS = 10000, /* shortest interval */
	LEARN_MOST_MS = 300000, /* longest */
	LEARN_START_MS = 15000, /* while nothing is known */
};

/*
 *            refreshed()          opens       answer      closes
 *   IDLE ----------------> PLANNED ----> OPENING ----> OPEN ----> CLOSING
 *    ^                        |             |           |            |
 *    +------------------------+-------------+-----------+------------+
 *         void: something came, or a call began     survived or failed
 */
enum learn_step {
	LEARN_IDLE,
	LEARN_PLANNED,
	LEARN_OPENING, /* the OPTIONS that begins it is under way */
	LEARN_OPEN,    /* silent, or CRLF only */
	LEARN_CLOSING, /* the OPTIONS that ends it is under way */
};

struct learn {
	uint16_t floor_s, ceiling_s; /* as in struct nat_learned */
	uint16_t
		start_s; /* interval while nothing is proved; owner may lower it */
	uint16_t length_s;     /* of the experiment */
	uint16_t rest;         /* cycles since there is nothing to try */
	uint8_t step;          /* enum learn_step */
	bool by_crlf;          /* the experiment: do CRLFs alone hold it? */
	bool inbound_holds;    /* proved: they do */
	bool inbound_fails;    /* proved: they do not */
	uint32_t period_ms[2]; /* between REGISTERs, newest first; 0 = none */
	mono_ms refreshed;     /* the last REGISTER */
	mono_ms opens, closes; /* the experiment */
};

/* What neighbours of a NAT have shown: one network operator's CGN, or one
 * make of router, tends to wait equally long.  Keyed by /24 or /48. */
struct learn_prior {
	struct learn_hint {
		uint32_t key;
		uint16_t floor_s;
	} hints[256];
};

void learn_begin(struct learn *l, const struct nat_learned *from, mono_ms now);
/* Between two pings: 0.8 of the longest silence survived. */
unsigned learn_interval_ms(const struct learn *l);
/* The phone registered: what ran is over, the next is planned if @may.
 * @hint_s: what others of that network survived, 0 = unknown. */
void learn_refreshed(struct learn *l, mono_ms now, bool may, unsigned hint_s);
void learn_opening(struct learn *l);
void learn_opened(struct learn *l, mono_ms now);
void learn_closing(struct learn *l, mono_ms now);
/* A request got no answer in the middle of it: ask now. */
void learn_cut_short(struct learn *l, mono_ms now);
void learn_void(struct learn *l);
/* True: something worth keeping was learned. */
bool learn_survived(struct learn *l);
bool learn_failed(struct learn *l);
/* The flow was lost in ordinary operation. */
bool learn_missed(struct learn *l);
/* The phone's REGISTER is overdue at @now: it is off rather than cut off. */
bool learn_is_away(const struct learn *l, mono_ms now);

unsigned learn_hint(const struct learn_prior *p, const struct addr *remote);
void learn_tell(struct learn_prior *p, const struct addr *remote,
		unsigned floor_s);

#endif
