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
#include "rule/rule.h"
#include "trunk/trunk.h"

enum {
	/* The caller, the forks, and those that were started anew along another
	 * flow and still wait for what may come of the first. */
	CALL_LEGS = 1 + 2 * LIMIT_FORKS,
	CALL_ID_CHARS = 16,
	CALLS_SPENT = 256,
};

/* One way to the phone that is being asked: call_fork.c. */
struct call_fork {
	uint64_t binding;
	char *contact, *instance; /* once asked; NULL = not said */
	unsigned device;          /* the first fork to the same device */
	enum { FORK_SPARE, FORK_LIVE, FORK_SILENT, FORK_OVER } state;
	struct leg *leg; /* LIVE: that asks */
};

struct call_attempt {
	char peer[LIMIT_NAME_BYTES];
	wall_ms at;
	int status; /* 0 = no answer yet */
};

/* The trunk that is being asked: call_trunk.c. */
enum { CALL_WAYS = 4 };
struct call_trunk {
	const struct conf_trunk *conf; /* NULL = none */
	struct trunk_way ways[CALL_WAYS];
	unsigned n, next;
	struct leg *leg; /* that asks; NULL = none */
	bool is_heard, is_told_silent;
	struct timer silence;
};

enum { IDENTITY_DIVERTED = 4 };

/* A number that the call was meant for before. */
struct call_diverted {
	char user[LIMIT_USER_BYTES];
	const char *reason; /* RFC 5806 4 */
	unsigned counter;
};

/* Who calls, beside the number in call->from: call_identity.c. */
struct call_identity {
	bool hidden; /* nobody is to be told */
	struct call_diverted diverted[IDENTITY_DIVERTED]; /* newest first */
	unsigned n_diverted;
};

/* For its call detail record: call_cdr.c. */
struct call_record {
	char id[CDR_ID_CHARS + 1];
	char from[LIMIT_USER_BYTES], to[LIMIT_USER_BYTES]; /* as received */
	wall_ms ringing_at;
	const char *ended_by;
	struct call_attempt attempts[CDR_ATTEMPTS_MAX];
	unsigned n_attempts;
	struct timer partial;
};

enum { CALL_REDIRECTS = 5 }; /* that one call follows */

/* Who is to be called instead, and who said so: call_redirect.c. */
struct call_redirect {
	char user[LIMIT_USER_BYTES], host[256];
	char peer[LIMIT_NAME_BYTES], realm[LIMIT_NAME_BYTES];
	bool is_trunk;
	unsigned q;
};

struct calls {
	struct calls_conf conf;
	struct config *config;
	struct list all;
	struct list lingering; /* over, but for a CANCEL that waits */
	struct hash by_invite; /* to tell merged requests */
	struct hash buckets;   /* calls per second: call_admit.c */
	struct hash by_dialog; /* legs */
	unsigned n;
	unsigned other_host; /* calls that have media from an unknown host */
	/* call_adopt.c: whose boxes are asked; dialogs that saw their BYE. */
	struct list strays;
	unsigned n_strays, n_spent;
	struct {
		uint32_t key;
		mono_ms until;
	} spent[CALLS_SPENT];
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
	struct call_headers *headers; /* of the INVITE: call_headers.c */
	enum call_state state;
	bool over;       /* in calls->lingering */
	bool adopted;    /* another box made it: call_adopt.c */
	mono_ms touched; /* adopted: something was said in it */
	unsigned worker;
	int max_forwards; /* of the INVITEs that we send; -1 = none left */
	wall_ms started_at, answered_at;
	mono_ms answered;

	struct leg *a;
	struct leg *b;               /* the one that answered */
	struct leg *early;           /* whose early media the caller hears */
	struct leg *legs[CALL_LEGS]; /* all that are not freed, a first */

	/* While it is set up: call_setup.c. */
	struct registrar_peer caller;
	uint64_t only; /* the one binding that a token named; 0 = any */
	struct route_result targets;
	unsigned next_target;
	const struct conf_phone *phone; /* being asked; with its forks */
	struct call_fork forks[LIMIT_FORKS];
	unsigned n_forks;
	struct call_trunk trunk;
	unsigned ringing; /* forks that have not ended */
	int best;         /* best final answer so far, 0 = none */
	char best_reason[LEG_REASON_BYTES]; /* that came with it; "" = none */
	bool was_refused;  /* somebody at this target said no */
	bool target_stops; /* an answer that ends the search (6xx, 4xx) */
	struct timer ring, watch, reap;
	unsigned media_timeout_ms, media_timeout_hold_ms; /* 0 = off */
	unsigned told_a, told_b; /* of each leg's media, to the log */
	bool has_other_host;
	struct call_redirect redirects[CALL_REDIRECTS];
	unsigned n_redirects, next_redirect;
	/* Whose INVITE may take a place in it, beside those that always may;
	 * call_refer_pass.c; "" = nobody's. */
	char place_for[LIMIT_NAME_BYTES];
	const char *transferred;   /* how it got its parties; NULL */
	struct transfer *transfer; /* that it takes part in; or NULL */
	const char *cause;         /* why it ended, once it is ending */
	int status; /* the refusal that the caller gets; set before
		       call_ending(); 0 = none */
	struct call_record record;
	struct call_identity identity;
};

extern const struct leg_ops call_leg_ops; /* call_fork.c */
/* Ask every device of @phone.  -ENOENT: it has none; or why none of them could
 * be asked. */
int fork_phone(struct call *call, const struct conf_phone *phone);
/* @leg has ended before it was up.  True: another way to the same device is
 * being asked. */
bool fork_ended(struct call *call, const struct leg *leg, int status);
/* Some phone gave no sign of life and may come back along another flow. */
bool fork_may_return(const struct call *call);
/* None of the forks is to be asked again. */
void fork_forget(struct call *call);
void fork_leg_gone(struct call *call, const struct leg *leg);
/* @b has moved: an INVITE to it that nothing came back for goes out anew. */
void fork_follow(struct call *call, const struct binding *b);
/* @b is new: the same, if the way that the INVITE took belongs to nobody. */
void fork_appeared(struct call *call, const struct binding *b);

/* call_appear.c */
/* +sip.instance of the binding that a request along @flow comes from. */
const char *appear_instance(const struct calls *calls, const char *phone,
			    const struct sip_flow *flow);
void appear_take(struct call *call, const struct binding *b);
/* @leg's flow is dead: is its phone registered along another by now? */
void appear_look(struct call *call, struct leg *leg);

/* call_admit.c */
enum admit_kind { ADMIT_REALM, ADMIT_TRUNK, ADMIT_PHONE };
/* Calls that section @name has a live leg in. */
unsigned admit_count(const struct calls *calls, enum admit_kind kind,
		     const char *name);
/* May @caller begin another call?  Counts it when it may. */
bool admit_caller(struct calls *calls, const struct registrar_peer *caller);
/* May @t be asked for @call? */
bool admit_target(struct call *call, const struct route_target *t);
void admit_clear(struct calls *calls);

/* call_cdr.c */
void record_begin(struct call *call, const struct sip_view *view);
/* A target is asked; it said no with @status; it rings; it answered. */
void record_asked(struct call *call, const char *peer);
void record_heard(struct call *call, int status);
void record_rings(struct call *call);
void record_answered(struct call *call);
/* The peer of @leg hung up or gave up; otherwise it was us. */
void record_ended_by(struct call *call, const struct leg *leg);
void record_end(struct call *call);
/* An INVITE of @caller was refused before there was a call. */
void record_refused(struct calls *calls, const struct sip_view *view,
		    const struct registrar_peer *caller, int status);

/* call_adopt.c */
/* Our Contact to @leg's peer tells other boxes of @other from now on. */
void adopt_name(struct call *call, struct leg *leg, const struct leg *other);
/* A leg's vouched(). */
bool adopt_vouched(void *arg, struct leg *leg, const struct sip_view *view);
void adopt_clear(struct calls *calls);

/* call.c */
/* Free it without a word to anybody; not from within a leg's callback. */
void call_dissolve(struct call *call);
struct call *call_create(struct calls *calls, const struct sip_view *invite,
			 const char *key);
/* A leg of conf filled in for @realm and @flow; add to the call what it
 * made. */
struct leg_conf call_leg_conf(struct call *call, const struct conf_realm *realm,
			      const char *peer, const struct sip_flow *flow,
			      bool is_trunk);
int call_add_leg(struct call *call, struct leg *leg);
/* @leg goes from one call to another, as none of its two parties. */
void call_move_leg(struct call *to, struct call *from, struct leg *leg);
/* Whoever is called @peer there, as if it had sent a request.  -ENOENT. */
int call_peer(const struct config *config, const char *realm, const char *peer,
	      bool is_trunk, struct registrar_peer *out);
/* The call is ending for @cause (the first one counts). */
void call_ending(struct call *call, const char *cause);
/* Hang up every leg but @except (may be NULL). */
void call_hangup_legs(struct call *call, const struct leg *except,
		      const char *reason);
/* Look soon what of the call remains. */
void call_leg_dead(void *arg, struct leg *leg);

/* call_transfer.c */
/* A peer's REFER: a leg's refer(). */
int transfer_refer(void *arg, struct leg *leg, const struct sip_refer_to *to);
/* @call looks, or looked, for the target of a transfer of another call. */
bool transfer_brings(const struct call *call);
/* A re-INVITE of ours for it may be under way. */
bool transfer_is_joining(const struct call *call);
/* What the target is to be offered; sdp_free() it.  NULL: no memory. */
struct sdp *transfer_offer(const struct call *call);
/* Of @call that brings the target: @status of 18x; @leg is it. */
void transfer_progress(struct call *call, int status);
void transfer_answered(struct call *call, struct leg *leg);
/* @to's caller wants the place of @by, a leg of a call that is up. */
void transfer_replace(struct call *to, struct leg *by);
/* What came of leg_offer_again().  False: it was not for a transfer. */
bool transfer_offered(struct call *call, struct leg *leg, int status);
/* @leg has ended.  True: its call does not end with it. */
bool transfer_leg_ended(struct call *call, struct leg *leg);
/* @leg is about to be freed; @call is ending; or about to be freed. */
void transfer_leg_gone(struct call *call, const struct leg *leg);
void transfer_call_ending(struct call *call);
void transfer_forget(struct call *call);

/* call_trunk.c */
/* Ask @trunk; nobody rings when none of its hosts could be asked. */
void trunk_start(struct call *call, const struct conf_trunk *trunk);
/* @leg was answered; any, if it is of a trunk. */
void trunk_heard(struct call *call, const struct leg *leg, int status);
/* @leg has ended before it was up.  True: another host is being asked. */
bool trunk_ended(struct call *call, const struct leg *leg, int status);
/* No further host is to be asked. */
void trunk_forget(struct call *call);

/* call_identity.c */
enum { IDENTITY_BYTES = 2048 };
/* The number that a trusted trunk asserts; false = none. */
bool identity_number(const struct registrar_peer *caller,
		     const struct sip_view *view, char mem[LIMIT_USER_BYTES]);
/* What the INVITE of call->caller says. */
void identity_take(struct call *call, const struct sip_view *view);
/* From towards @to. */
void identity_name(const struct call *call, const struct leg_conf *to,
		   struct sip_dialog_conf *dialog);
/* The headers that say who calls towards @to; their values are written to
 * @b. */
void identity_give(const struct call *call, const struct leg_conf *to,
		   struct buf *b, struct rule_lines *out);

/* call_headers.c */
enum { HEADERS_OUT = 48 };
struct headers_out {
	struct sip_header list[HEADERS_OUT];
	unsigned n;
	char identity[IDENTITY_BYTES];
};
/* Keep what may go on of the INVITE of call->caller.  -ENOMEM. */
int headers_take(struct call *call, const struct sip_view *invite);
/* The further headers of an INVITE to @to, after @path (or NULL) as its Route;
 * they live as long as the call and @path do. */
void headers_give(const struct call *call, const struct leg_conf *to,
		  const char *path, struct headers_out *out);
void headers_forget(struct call *call);

/* The Referred-By of an INVITE for it to @to along @flow; false: it is not to
 * know.  @mem holds it. */
enum { REFERRED_BYTES = 3 * LIMIT_USER_BYTES + 80 };
bool transfer_referred_by(const struct call *call, const struct leg_conf *to,
			  const struct sip_flow *flow,
			  char mem[REFERRED_BYTES]);

/* call_refer_pass.c */
/* Hand the REFER of leg @by to the other side.  -ENOENT: Replaces names what
 * cannot be told there; -ENOSPC, and what leg_refer() says. */
int refer_pass(struct call *call, struct leg *by,
	       const struct sip_refer_to *to);
/* A leg's referred(). */
void refer_told(void *arg, struct leg *leg, int status);
/* Who still waits for news of its REFER gets the last. */
void refer_ending(struct call *call);

/* call_redirect.c */
void redirect_take(void *arg, struct leg *leg, const struct sip_view *view);
bool redirect_is_pending(const struct call *call);
/* The next contact is the call's target now.  False: there is none. */
bool redirect_next(struct call *call);

/* call_replace.c */
/* The leg whose place INVITE @view of @caller wants by Replaces, NULL: it has
 * none.  Returns 0, or the status to refuse it with. */
int replace_admit(struct calls *calls, const struct sip_view *view,
		  const struct registrar_peer *caller, struct leg **out);
/* @call, whose caller has offered, is for the place of @named. */
void replace_begin(struct call *call, struct leg *named);

/* call_setup.c */
/* Where @caller's request to @user at @host ("" = ours) goes by @config, which
 * @to lives as long as, with @from as the number that calls: 0, or the status
 * to refuse it with.  *@only as in struct call. */
int setup_find_targets(struct calls *calls, const struct config *config,
		       const struct registrar_peer *caller, const char *host,
		       const char *user, const char *from,
		       struct route_result *to, uint64_t *only);
void setup_next_target(struct call *call);
/* The caller is refused with @status. */
void setup_refuse(struct call *call, int status);
/* @leg is the one that the caller talks to; all others are cancelled. */
void setup_won(struct call *call, struct leg *leg);
/* @leg has answered with @sdp: so does the caller's leg, and they talk. */
void setup_connect(struct call *call, struct leg *leg, const struct sdp *sdp);
/* A target that could not even be asked: its status; it counts as one. */
int setup_status_of(int err);
void setup_note_failure(struct call *call, int status);
/* One more leg that asks: counts as ringing.  *@out is the call's. */
int setup_start_leg(struct call *call, const struct leg_conf *conf,
		    const struct sip_dialog_conf *dialog, const char *path,
		    struct leg **out);
void setup_progress(void *arg, struct leg *leg, int status,
		    const struct sdp *sdp);
void setup_answered(void *arg, struct leg *leg, const struct sdp *sdp);
void setup_fork_ended(struct call *call, struct leg *leg, int status);

/* call_bridge.c */
/* ACK the callee's 2xx; the call ends when that cannot be sent. */
void bridge_ack(struct call *call, struct leg *leg, const struct sdp *answer);
void bridge_watch(struct call *call);
void bridge_unwatch(struct call *call);

#endif
