/*
 * keepalive_priv.h - inside the keepalive engine: flows and their pings
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The engine's clock is the monotonic one times conf.speed; every time in here
 * is of that clock unless it says otherwise.
 */
#ifndef SBC_NAT_KEEPALIVE_PRIV_H
#define SBC_NAT_KEEPALIVE_PRIV_H

#include "core/hash.h"
#include "nat/learn.h"
#include "nat/nat.h"
#include "nat/wheel.h"

struct keepalive {
	struct keepalive_conf conf;
	struct hash flows;
	struct list waiting; /* OPTIONS under way, oldest first */
	struct list resumed; /* not yet levelled after a restart */
	uint32_t spread;     /* where the next new flow goes, 2^-32 interval */
	struct timer timer;
	int64_t armed;         /* slot of the timer; INT64_MAX = none */
	int64_t wall_ahead_ms; /* wall clock less monotonic, whole slots */
	unsigned held[KEEP_REASONS], lost;
	uint64_t sent[2];
	struct learn_prior prior;
	struct wheel wheel;
};

/* What the far end does with OPTIONS. */
enum keep_answers { KEEP_UNTOLD, KEEP_ANSWERS, KEEP_MUTE };

/* Round trips, from the first answer on. */
struct keep_rtt {
	uint32_t us[8]; /* a ring */
	uint32_t n, min_us, max_us;
	uint64_t sum_us;
};

struct keep_flow {
	struct hash_node node;
	struct keepalive *owner;
	struct sip_flow flow;
	struct list holds;
	struct wheel_node due;
	struct list link;     /* of keepalive.waiting or .resumed */
	int64_t deadline;     /* slot, while in .waiting */
	uint64_t token;       /* of the last OPTIONS; 0 = has been answered */
	uint64_t asked_us;    /* real time */
	mono_ms heard;        /* 0 = never */
	mono_ms lost_at;      /* 0 = not lost */
	mono_ms back_at;      /* came back, and it is not clear how; or 0 */
	struct keep_rtt *rtt; /* NULL = no answer yet */
	struct learn learn;
	uint32_t sent, answered, unanswered;
	uint32_t base_ms;     /* keep_want.interval_ms */
	uint32_t interval_ms; /* in force, whole slots */
	uint16_t n_holds[KEEP_REASONS];
	uint16_t phase;       /* slot modulo interval */
	uint16_t told_phase;  /* as the owners know it */
	uint8_t how, answers; /* of keep_want; enum keep_answers */
	uint8_t tries;        /* of the OPTIONS under way */
	uint8_t strange;      /* packets since the experiment's end */
	uint8_t since_proof;  /* CRLFs since the last OPTIONS */
	uint8_t mute_cycles;  /* REGISTERs since it was found mute */
	bool careful, proved;
	bool resumed;  /* from before a restart, and nothing answered since */
	bool repeated; /* the OPTIONS with the present token */
	bool news;     /* learned something that is not yet told */
	bool telling, dead; /* its holds are being told; it ends after that */
};

/* ---- keepalive.c: pings, answers, experiments ----------------------------- */

mono_ms keep_now(const struct keepalive *ka);
int64_t keep_slot(const struct keepalive *ka); /* the present one */
/* The method of an ordinary ping now. */
enum keep_method keep_method(const struct keep_flow *f);
/* Take the interval that is right by now, and a place in it. */
void keep_set_interval(struct keep_flow *f);
/* A call began, or the phone moved: nothing may be silent now. */
void keep_stop_learning(struct keep_flow *f);
/* Judge an experiment that has ended, or how the flow was lost and came back:
 * by an answer to our OPTIONS, or by what the phone sent of itself. */
void keep_conclude(struct keep_flow *f, bool by_answer);
/* The phone registered: a new cycle begins. */
void keep_cycle(struct keep_flow *f);
/* Make the loop call for @slot, if it would call later. */
void keep_arm(struct keepalive *ka, int64_t slot);

/* ---- keep_flow.c: the table, holds, looks -------------------------------- */

struct keep_flow *keep_find(const struct keepalive *ka,
			    const struct sip_flow *flow);
/* Tell every hold; false: the last of them went, and the flow with it. */
bool keep_tell(struct keep_flow *f, enum keep_event event);
/* Give what a restart brought back its places for good. */
void keep_level(struct keepalive *ka, int64_t now);

#endif
