/*
 * sub_priv.h - a subscription as its files see it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_PASS_SUB_PRIV_H
#define SBC_PASS_SUB_PRIV_H

#include "pass/pass_priv.h"

struct sub;

/* Everything that one phone has subscribed to, or serves. */
struct sub_phone {
	struct hash_node node; /* of passes.phones */
	struct list sides;
	unsigned n_subscribed;
	char name[LIMIT_NAME_BYTES];
};

/* One of its two dialogs. */
struct sub_side {
	struct sub *sub;
	struct list of_phone;
	struct sub_phone *phone; /* NULL = a trunk, or not taken yet */
	bool is_trunk;
	char peer[LIMIT_NAME_BYTES]; /* section name */
	const struct conf_realm *realm;
	struct sip_dialog *dialog;
	/* Requests go along @flow; the peer's come from there or @source. */
	struct sip_flow flow, source;
	struct nat_verdict nat;
	struct keep keep;
	char *contact;  /* that a keepalive OPTIONS is for */
	char *instance; /* its +sip.instance; NULL = unknown */
	wall_ms since;
};

enum sub_state {
	SUB_ASKING, /* nobody has taken it yet */
	SUB_UP,
	SUB_ENDING, /* ended by agreement; the last NOTIFY is to come */
	SUB_OVER,   /* waits to be freed */
};

struct sub {
	struct list node; /* of passes.subs */
	struct pass_key key;
	struct passes *owner;
	struct config *config; /* by which it was routed */
	enum sub_state state;
	char id[9];
	struct pass_sender from;
	struct route_result targets;
	unsigned next;
	struct pass_ways ways; /* of the phone that is asked now */
	unsigned device;       /* the one asked of it */
	int best;
	char *event;         /* value of the Event header */
	struct sub_side a;   /* who subscribed */
	struct sub_side b;   /* who notifies */
	struct sip_txn *in;  /* the first SUBSCRIBE, until answered */
	struct sip_txn *out; /* ours of it */
	int64_t asked_s;     /* -1 = Expires was not given */
	struct list carries; /* requests under way inside */
	struct timer expiry;
	mono_ms ends;
};

/* ---- sub_side.c --------------------------------------------------------------- */

/* -ENOMEM; -EAGAIN: that phone has too many. */
int side_init(struct sub_side *side, struct sub *sub,
	      const struct pass_way *way);
void side_clear(struct sub_side *side);
/* It needs its flow no more, and counts no more. */
void side_leave(struct sub_side *side);
struct sub_phone *sub_phone_find(const struct passes *p, const char *name);
/* Hold its flow (KEEP_SUB) for as long as the subscription stands. */
void side_keep(struct sub_side *side);
void side_move(struct sub_side *side, const struct sip_flow *to,
	       const struct sip_flow *source);
/* Nothing comes through any more: the connection is gone, or the phone has been
 * silent for longer than a ping takes. */
bool side_is_cut_off(const struct sub_side *side);
/* May this request inside the dialog be taken?  False: it has been answered
 * and released.  Along another flow than the peer's only after digest. */
bool side_admit(struct sub_side *side, struct sip_txn *txn,
		const struct sip_view *view);
bool side_is_known(const struct sub_side *side, const struct config *cfg);

/* ---- sub_carry.c: requests inside, from one side to the other -------------------- */

void carry_subscribe(struct sub *sub, struct sip_txn *txn,
		     const struct sip_view *view);
void carry_notify(struct sub *sub, struct sip_txn *txn,
		  const struct sip_view *view);
/* The subscriber knows of its dialog now: NOTIFYs that came first go on. */
void carry_go_on(struct sub *sub);
void carry_clear(struct sub *sub);

/* ---- sub_appear.c: phones that register anew ----------------------------------------- */

/* +sip.instance of the binding of phone @name along @flow; NULL = unknown. */
const char *sub_instance(const struct passes *p, const char *name,
			 const struct sip_flow *flow);

/* ---- subscription.c ------------------------------------------------------------------ */

/* It stands for @seconds more. */
void sub_set_expiry(struct sub *sub, int64_t seconds);
/* What may be asked of the notifier, and what of its answer counts. */
int64_t sub_bounded(const struct sub *sub, int64_t seconds);
/* Ended by agreement: wait for the last NOTIFY. */
void sub_ending(struct sub *sub);
/*
 * It is over; freed on the next turn of the loop.  @cause for the log.  With
 * @reason both sides are told, the subscriber with "terminated;reason=" it.
 */
void sub_end(struct sub *sub, const char *cause, const char *reason);

#endif
