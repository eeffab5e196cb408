/*
 * upcache.h - what a registration is here and at the trunk that owns it, and
 * what is to be done next
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure: a struct and an event in, a decision out; no clock, no I/O.  The
 * caller does what it is told, all of it, before the next event.
 *
 *            ask                granted
 *   NONE ----------> ASKING ---------------> HELD <----------.
 *    ^                 |  silence             | |  ask        | granted
 *    | refused         v                      | '--------> RENEWING
 *    |<----------- UNWANTED <--- gone ---     |   due        ^ |
 *    |                 | granted, failed  '---|------- ALONE-' | failed
 *    |                 v                      | gone     ^-----'
 *    '---- ENDING <- LEAVING <----------------'
 */
#ifndef SBC_REGISTRAR_UPCACHE_H
#define SBC_REGISTRAR_UPCACHE_H

#include <stdbool.h>

#include "core/clock.h"

enum up_state {
	UP_NONE,     /* neither side has it */
	UP_ASKING,   /* a first REGISTER is under way: no binding yet (D-8) */
	UP_UNWANTED, /* a REGISTER is under way that nobody wants any more */
	UP_HELD,     /* both have it */
	UP_RENEWING, /* we have it, and a REGISTER is under way */
	UP_ALONE,    /* we have it; the trunk is to be told again */
	UP_LEAVING,  /* only the trunk may have it: it is to be told */
	UP_ENDING,   /* and a de-REGISTER is under way */
	UP_STATES
};
const char *up_state_name(enum up_state state); /* "held", ... */

struct up_cache {
	enum up_state state;
	mono_ms until; /* the trunk has forgotten it by then */
	mono_ms half;  /* renewals may be absorbed until then */
	mono_ms sent;  /* the REGISTER that was sent last; the caller may say
			  it better */
	mono_ms due;   /* when up_due() is to be called; 0 = not */
};

/* A phone's REGISTER that makes or renews. */
struct up_ask {
	bool is_authentic; /* it proved who it is, to us */
	bool is_changed;   /* another flow or Contact than stands */
	bool is_throttled; /* registrar_mode */
	bool is_trunk_up;
	unsigned wanted_s;  /* that we would grant */
	unsigned ask_s;     /* to ask of the trunk */
	unsigned survive_s; /* that we grant while the trunk is away */
};

/* What is to be done; all zero = nothing. */
struct up_do {
	enum {
		UP_SAY_NOTHING,
		UP_GRANT,  /* save the binding for expires_s, answer 200 */
		UP_REFUSE, /* answer status; nothing is saved */
		UP_WAIT,   /* ask again when what is under way is over */
	} answer;          /* to the phone that waits */
	unsigned expires_s;
	int status;
	enum { UP_SEND_NOTHING, UP_SEND_ADD, UP_SEND_DEL } send;
	bool drop; /* our binding ends: the trunk refuses it */
};

/* Not while another REGISTER of the phone waits for what is under way. */
struct up_do up_register(struct up_cache *c, mono_ms now,
			 const struct up_ask *ask);
/* Our binding ended: unregistered, expired, replaced, lost. */
struct up_do up_gone(struct up_cache *c, mono_ms now);
/* What the REGISTER that is under way came to.  @waiting: what the phone that
 * waits for it asked; NULL = none does.  Granted for @s seconds, 0 = the trunk
 * answered 2xx but does not have it. */
struct up_do up_granted(struct up_cache *c, mono_ms now, unsigned s,
			const struct up_ask *waiting);
/* Refused for good: 3xx, 4xx, 6xx. */
struct up_do up_refused(struct up_cache *c, int status,
			const struct up_ask *waiting);
/* 5xx, or no answer.  @maybe: the trunk may have it all the same. */
struct up_do up_failed(struct up_cache *c, mono_ms now, bool maybe,
		       const struct up_ask *waiting);
/* No answer yet, and the phone waits no longer. */
struct up_do up_silent(struct up_cache *c, const struct up_ask *waiting);
/* The time up_cache.due has come, or the trunk is back. */
struct up_do up_due(struct up_cache *c, mono_ms now, bool is_trunk_up,
		    unsigned ask_s);
/* Stored by an earlier process, or owned by another registrar until now. */
void up_restored(struct up_cache *c, mono_ms until, mono_ms due);

#endif
