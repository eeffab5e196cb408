/*
 * upstream.h - registrations that a trunk owns; inside registrar/
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * upstream.c speaks with the phones, upstream_send.c with the trunks; what
 * both sides know and what is to be done is upcache.c's.
 */
#ifndef SBC_REGISTRAR_UPSTREAM_H
#define SBC_REGISTRAR_UPSTREAM_H

#include "registrar/registrar_priv.h"
#include "registrar/token.h"
#include "registrar/upcache.h"

/* A trunk that owns registrations. */
struct up_trunk {
	struct list node;
	struct registrar *reg;
	char name[LIMIT_NAME_BYTES];
	bool is_down;
	unsigned failures; /* since it answered last */
	mono_ms heard;     /* its last answer */
	mono_ms tried;     /* since it is away: that it was asked, or failed */
	struct timer retry, pace;
	struct list queue[2]; /* up_reg: a phone waits; none does */
	unsigned n_queued, in_flight;
	unsigned min_expires_s;
	bool is_challenged; /* by the challenge below, any user */
	struct sip_challenged challenged;
};

/* One registration at a trunk.  It outlives its binding by as long as the
 * trunk is to be told of that, and begins before it. */
struct up_reg {
	struct hash_node by_id, by_phone;
	struct list queued;
	struct registrar *reg;
	struct up_trunk *trunk;
	struct up_cache cache;
	uint64_t id; /* of the binding, also before there is one */
	wall_ms issued;
	char phone[LIMIT_NAME_BYTES], realm[LIMIT_NAME_BYTES];
	struct sip_flow flow;     /* that the token names */
	char token[TOKEN_MAX];    /* "" = none yet */
	char replaced[TOKEN_MAX]; /* that the trunk is to forget */
	uint32_t cseq;
	unsigned ask_s;
	char *service_route;
	struct sip_txn *waits; /* the phone's REGISTER that is under way */
	struct up_ask ask;     /* what it asked */
	struct sip_txn *later; /* and one that came meanwhile */
	struct timer due, patience;
	/* The request that is queued or under way: */
	struct sip_txn *txn;
	bool is_del;
	bool is_fresh; /* its challenge was made for it */
	bool is_try;   /* is the trunk there? */
	uint8_t tries;
};

/* What a request came to. */
enum up_result { UP_GRANTED, UP_REFUSED, UP_FAILED, UP_FAILED_MAYBE };

/* ---- upstream.c ------------------------------------------------------------------- */

/* What the request of @r came to; @value is the status or the seconds. */
void upstream_settle(struct up_reg *r, enum up_result result, unsigned value);
/* The trunk has not answered in time: the phone waits no longer. */
void upstream_silent(struct up_reg *r);
/* The key of our tokens, made at its first use; NULL: it cannot be. */
const struct token_key *upstream_key(struct registrar *reg);
/* @t is that of a registration of ours. */
bool upstream_knows(const struct registrar *reg, const struct token *t);
/* The trunk is back, or one registration is to try it: what is due, soon. */
void upstream_refill(struct up_trunk *t);
bool upstream_try_one(struct up_trunk *t);

/* ---- handover.c ------------------------------------------------------------------------ */

/* @trunk has granted binding @id of @phone, and lists in @view what it has: are
 * there contacts that another box of ours made? */
void handover_look(struct registrar *reg, const char *phone, uint64_t id,
		   const struct conf_trunk *trunk, const struct sip_view *view);

/* ---- upstream_send.c --------------------------------------------------------------- */

/* The trunk of that name, made when it is new; NULL: no memory. */
struct up_trunk *up_trunk_get(struct registrar *reg, const char *name);
void up_trunk_free(struct up_trunk *t);
/* Put a REGISTER or de-REGISTER into the queue. */
void up_trunk_queue(struct up_reg *r, bool is_del);
/* Take what is queued or under way of @r back. */
void up_trunk_forget(struct up_reg *r);
/* Send what may be sent.  At the end of whatever may have queued something. */
void up_trunk_pump(struct up_trunk *t);
/* The same from the loop, for callers that may be inside it. */
void up_trunk_soon(struct up_trunk *t);
/* A phone asked: send; a trunk that is away for long is tried. */
void up_trunk_asked(struct up_trunk *t);
/* Something of the trunk's came: it is there. */
void up_trunk_heard(struct up_trunk *t);

#endif
