/*
 * call.h - the back-to-back user agent: two legs and what passes between them
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A call begins with an INVITE on its a-leg, forks to every contact of the
 * phone (or tries the trunks of a route in order), and bridges the first leg
 * that answers.  SIP thread only.
 */
#ifndef SBC_CALL_CALL_H
#define SBC_CALL_CALL_H

#include "cdr/cdr.h"
#include "config/config.h"
#include "core/loop.h"
#include "leg/leg.h"
#include "media/media.h"
#include "registrar/registrar.h"
#include "sip/sip.h"

struct trunks;
struct calls; /* all calls of the box */
struct call;

enum call_state { CALL_RINGING, CALL_UP, CALL_ENDING };

struct calls_conf {
	struct loop *loop;
	struct sip_stack *sip;
	struct sip_auth *auth;
	struct media *media;
	struct keepalive *keepalive; /* NULL: nobody holds a flow */
	struct registrar *registrar;
	struct trunks *trunks;
	/* No router lies between us and @a.  NULL: one always does. */
	bool (*is_on_link)(void *arg, const struct addr *a);
	/* A call attempt as far as it has come, or refused or over (ended_at);
	 * lent.  NULL: nobody wants to know. */
	void (*record)(void *arg, const struct cdr *cdr);
	void *arg;
};

int calls_create(struct calls **out, const struct calls_conf *conf,
		 struct config *config);
/* Frees every call without a word to its peers; see calls_hangup(). */
void calls_destroy(struct calls *calls); /* accepts NULL */
void calls_set_config(struct calls *calls, struct config *config);

/* An INVITE that belongs to no dialog; ends @req. */
void calls_invite(struct calls *calls, struct sip_request *req);
/* End every call; they are gone when calls_count() is 0.  @reason as for
 * leg_hangup(), @cause for the log. */
void calls_hangup(struct calls *calls, const char *reason, const char *cause);
/* @b re-registered along another flow than @from: the dialogs of its phone
 * follow, and an INVITE to @b that nothing has come back for goes out again
 * along the new one. */
void calls_follow(struct calls *calls, const struct binding *b,
		  const struct sip_flow *from);
/*
 * @b is new.  It may be a phone whose former binding has expired, or went with
 * the NAT that it was behind: dialogs of its phone section follow if Contact or
 * +sip.instance say that it is the same device and their flow is dead.
 */
void calls_appeared(struct calls *calls, const struct binding *b);
/* What @b's phone has to be told goes to the box at @via: the phone is there. */
void calls_away(struct calls *calls, const struct binding *b,
		const struct addr *via);
/* A request of no dialog here: of another box's?  As sip_conf.stray(). */
bool calls_stray(struct calls *calls, struct sip_request *req);
/* OPTIONS to a user that another box sealed: have we got a dialog?  0: it is no
 * such request; else the status to answer. */
int calls_hear(struct calls *calls, const struct sip_view *view);
unsigned calls_count(const struct calls *calls);

/*
 * To look at: visit up to @max calls after number *@after (0 = from the
 * oldest), which moves along.  Returns how many; 0 = there are no more.
 */
unsigned calls_slice(const struct calls *calls, uint64_t *after, unsigned max,
		     void (*fn)(void *arg, const struct call *call), void *arg);
const char *call_id(const struct call *call);
enum call_state call_state(const struct call *call);
const char *call_state_name(enum call_state state);
const char *call_from(const struct call *call); /* user */
const char *call_to(const struct call *call);
wall_ms call_started(const struct call *call);
wall_ms call_answered(const struct call *call); /* 0 = not yet */
/* The @i-th leg, the a-leg first; NULL past the last. */
const struct leg *call_leg(const struct call *call, unsigned i);

#endif
