/*
 * call_priv.h - a call as the files of its room see it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_CALL_CALL_PRIV_H
#define SBC_CALL_CALL_PRIV_H

#include "call/call.h"
#include "core/hash.h"
#include "core/list.h"
#include "route/route.h"

enum {
	CALL_LEGS = 1 + LIMIT_FORKS,
	CALL_ID_CHARS = 16,
};

struct calls {
	struct calls_conf conf;
	struct config *config;
	struct list all;
	struct list lingering; /* over, but for a CANCEL that waits */
	struct hash by_invite; /* to tell merged requests */
	unsigned n;
	uint64_t last_number;
};

struct call {
	struct list node;
	struct hash_node by_invite;
	struct calls *owner;
	uint64_t number;       /* grows with each call */
	struct config *config; /* the snapshot that it was routed by */
	char id[CALL_ID_CHARS + 1];
	char from[LIMIT_USER_BYTES], to[LIMIT_USER_BYTES];
	char *display; /* From display name, or NULL */
	char *invite_key;
	enum call_state state;
	bool over; /* in calls->lingering */
	unsigned worker;
	int max_forwards; /* of the INVITEs that we send; -1 = none left */
	wall_ms started_at, answered_at;
	mono_ms answered;

	struct leg *a;
	struct leg *b;               /* the one that answered */
	struct leg *early;           /* whose early media the caller hears */
	struct leg *legs[CALL_LEGS]; /* all that are not freed, a first */

	/* While it is set up: call_setup.c. */
	struct route_result targets;
	unsigned next_target;
	unsigned ringing;  /* forks that have not ended */
	int best;          /* best final answer so far, 0 = none */
	bool target_stops; /* an answer that ends the search (6xx, 4xx) */
	bool restoring;    /* a re-INVITE of our own is under way */
	struct timer ring, watch, reap;
	unsigned media_timeout_ms, media_timeout_hold_ms; /* 0 = off */
	const char *cause; /* why it ended, once it is ending */
	int status;        /* the refusal that the caller got; 0 = none */
};

extern const struct leg_ops call_leg_ops; /* call_bridge.c */

/* call.c */
struct call *call_create(struct calls *calls, const struct sip_view *invite,
			 const char *key);
/* A leg of conf filled in for @realm; add to the call what it made. */
struct leg_conf call_leg_conf(struct call *call, const struct conf_realm *realm,
			      const char *peer, bool is_trunk);
int call_add_leg(struct call *call, struct leg *leg);
/* The call is ending for @cause (the first one counts). */
void call_ending(struct call *call, const char *cause);
/* Hang up every leg but @except (may be NULL). */
void call_hangup_legs(struct call *call, const struct leg *except,
		      const char *reason);
void call_leg_dead(void *arg, struct leg *leg);

/* call_setup.c */
void setup_next_target(struct call *call);
void setup_progress(void *arg, struct leg *leg, int status,
		    const struct sdp *sdp);
void setup_answered(void *arg, struct leg *leg, const struct sdp *sdp);
void setup_fork_ended(struct call *call, struct leg *leg, int status);
/* Pure: is final answer @a a better one to give than @b (RFC 3261 16.7)? */
bool setup_is_better(int a, int b);
/* Pure: the answer the caller gets for @status of the callee. */
int setup_map_status(int status);

/* call_bridge.c */
/* ACK the callee's 2xx; the call ends when that cannot be sent. */
void bridge_ack(struct call *call, struct leg *leg, const struct sdp *answer);
void bridge_watch(struct call *call);

#endif
