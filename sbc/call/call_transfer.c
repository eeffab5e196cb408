/*
 * call_transfer.c - a peer's REFER, done here: its other side gets another
 * partner (RFC 5589)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Two calls take part.  The one goes on afterwards, without who sent REFER;
 * the other brings the target: made for it, or with Replaces one that the
 * same peer has already, ringing or up.
 *
 *   call "call":  stays ======= by     REFER by -> us
 *   call "to":    consult ===== target
 *
 *   ASKING          target is called, and does not know yet
 *   TELLING_STAYS   re-INVITE: what the target described
 *   TELLING_TARGET  re-INVITE: what came back, if that is news
 *   done            stays ======= target; by and consult are hung up
 *
 * Until then nothing that was has changed, but for what stays was told: when
 * it fails that is taken back.  A transferor may hang up as soon as it likes;
 * it goes on as long as the other side is there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/call_priv.h"
#include "core/log.h"

enum {
	BYE_MS = 5000, /* for the transferor to hang up by itself */
	AGAIN_MS = 250,
	TRIES = 40,
};

enum transfer_state { ACCEPTED, ASKING, TELLING_STAYS, TELLING_TARGET };

struct transfer {
	struct calls *owner;
	enum transfer_state state;
	struct sip_refer_to refer_to;
	struct call *call, *to; /* to: NULL until it is known */
	struct leg *stays;
	struct leg *by;      /* NULL: gone */
	struct leg *consult; /* the transferor's in to; NULL: none, or gone */
	struct leg *target;  /* once answered */
	bool by_left;        /* it has hung up */
	bool is_asked;       /* to looks for the target because of us */
	bool is_replace;     /* no REFER: target's INVITE names by */
	unsigned tries;
	struct timer timer;
};

bool transfer_brings(const struct call *call)
{
	return call->transfer && call->transfer->to == call;
}

bool transfer_is_joining(const struct call *call)
{
	return call->transfer && call->transfer->state >= TELLING_STAYS;
}

/* ---- what one side may be told of the other ------------------------------------ */

/*
 * What the peer of @leg described last, as if nobody were on hold: that was
 * between it and who leaves.  Who holds it itself says so in its answer.
 */
static struct sdp *session_of(const struct leg *leg)
{
	const struct sdp *sdp = leg_description(leg);
	struct sdp *copy;

	if (!sdp || sdp_copy(&copy, sdp))
		return NULL;
	for (unsigned i = 0; i < copy->n_media; i++) {
		copy->media[i].held = false;
		copy->media[i].direction = SDP_SENDRECV;
	}
	return copy;
}

struct sdp *transfer_offer(const struct call *call)
{
	return session_of(call->transfer->stays);
}

/* The name of who sent REFER, be it gone. */
static const char *name_of_by(const struct transfer *t)
{
	return t->stays == t->call->a ? t->call->to : t->call->from;
}

/* A caller that wants to stay unknown does so to whom it hands on, and to whom
 * it is handed on. */
static bool is_stays_hidden(const struct transfer *t)
{
	return t->stays == t->call->a && t->call->identity.hidden;
}

static bool is_by_hidden(const struct transfer *t)
{
	return t->stays != t->call->a && t->call->identity.hidden;
}

bool transfer_referred_by(const struct call *call, const struct leg_conf *to,
			  const struct sip_flow *flow, char mem[REFERRED_BYTES])
{
	const struct conf_trunk *trunk =
		to->is_trunk ? config_trunk(call->config, to->peer) : NULL;
	char host[ADDR_TEXT_MAX];
	struct buf b;

	if (!transfer_brings(call) || (to->is_trunk && !trunk) ||
	    (trunk && !trunk->trust_identity) || is_by_hidden(call->transfer))
		return false;
	buf_init(&b, mem, REFERRED_BYTES);
	buf_puts(&b, "<sip:");
	sip_put_user(&b, name_of_by(call->transfer));
	buf_printf(&b, "@%s>", addr_fmt_uri(&flow->local, host));
	return !b.overflow;
}

static int tell(struct leg *to, const struct leg *of)
{
	struct sdp *sdp = session_of(of);
	int err = sdp ? leg_offer_again(to, sdp) : -ENOMEM;

	sdp_free(sdp);
	return err;
}

/* ---- the end of it --------------------------------------------------------------- */

static void transfer_free(struct transfer *t)
{
	timer_cancel(t->owner->conf.loop, &t->timer);
	t->call->transfer = NULL;
	if (t->to)
		t->to->transfer = NULL;
	free(t);
}

void transfer_forget(struct call *call)
{
	if (call->transfer)
		transfer_free(call->transfer);
}

static const char *kind_of(const struct transfer *t)
{
	return t->is_replace               ? "replaces"
	       : !t->refer_to.has_replaces ? "blind"
					   : "attended";
}

static void log_outcome(const struct transfer *t, int status)
{
	log_info("call.transfer", kv_s("call", t->call->id),
		 kv_s("by", t->by ? leg_peer(t->by) : ""),
		 kv_s("to", t->refer_to.user), kv_s("kind", kind_of(t)),
		 kv_s("with", t->to ? t->to->id : ""), kv_i("status", status));
}

static void end_call(struct call *call, const char *cause, const char *reason)
{
	call_ending(call, cause);
	call_hangup_legs(call, NULL, reason);
	call_leg_dead(call, NULL);
}

static bool lives(const struct leg *leg)
{
	return leg && leg_state(leg) <= LEG_UP;
}

/* The call with the target goes back to whom it belongs, or is ended. */
static void give_back(struct transfer *t, int status)
{
	struct call *to = t->to;

	t->to = NULL;
	if (!to)
		return;
	to->transfer = NULL;
	if (to->state == CALL_ENDING)
		return; /* that is why we are here */
	if (t->is_replace)
		setup_refuse(to, route_map_status(status));
	else if (!lives(t->consult))
		end_call(to, "refused", NULL);
	else if (to->state == CALL_UP && leg_state(t->consult) < LEG_ANSWERED)
		setup_connect(to, t->target, leg_description(t->target));
}

/* Nothing came of it: who asked is told, and has its call as it was. */
static void failed(struct transfer *t, int status)
{
	struct call *call = t->call;
	struct leg *by = t->by;
	bool by_left = t->by_left;
	char reason[64];

	log_outcome(t, status);
	if (t->state >= TELLING_STAYS && by && !by_left)
		adopt_name(call, t->stays, by);
	if (t->state == TELLING_TARGET && by && !by_left)
		leg_offer_again(t->stays, leg_description(by));
	give_back(t, status);
	transfer_free(t);
	if (by)
		leg_refer_progress(by, status);
	if (!by_left)
		return;
	snprintf(reason, sizeof(reason),
		 "SIP;cause=%d;text=\"Transfer failed\"", status);
	end_call(call, "transfer-failed", reason);
}

static const char *name_in(const struct call *call, const struct leg *leg)
{
	return leg == call->a ? call->from : call->to;
}

/* The target has the place of who leaves. */
static void change_parties(struct transfer *t)
{
	struct call *call = t->call;
	bool was_caller = call->b == t->stays;
	const char *name = name_in(t->to, t->target);

	str_copy(was_caller ? call->from : call->to, LIMIT_USER_BYTES,
		 str_of(name));
	call_move_leg(call, t->to, t->target);
	if (was_caller)
		call->a = t->target;
	else
		call->b = t->target;
}

static void end_consultation(struct transfer *t)
{
	struct call *to = t->to;

	t->to = NULL;
	to->transfer = NULL;
	if (t->consult && leg_state(t->consult) < LEG_ANSWERED)
		leg_reject(t->consult, 487); /* RFC 3891 3 */
	end_call(to, "transferred", NULL);
}

static void joined(struct transfer *t)
{
	struct call *call = t->call;
	struct leg *by = t->by;
	bool by_left = t->by_left, replaced = t->is_replace;

	log_outcome(t, 200);
	call->transferred = t->to->transferred = kind_of(t);
	bridge_unwatch(call);
	if (by)
		leg_bridge(by, NULL);
	if (t->consult)
		leg_bridge(t->consult, NULL);
	change_parties(t);
	leg_move_media(t->target, call->worker);
	leg_bridge(call->a, call->b);
	call->told_a = call->told_b = 0;
	bridge_watch(call);
	end_consultation(t);
	transfer_free(t);
	if (!by)
		return;
	leg_refer_progress(by, 200);
	if (replaced)
		leg_hangup(by, NULL);
	else if (!by_left)
		leg_expect_bye(by, BYE_MS);
}

/* ---- joining ---------------------------------------------------------------------- */

static void tell_stays(void *arg)
{
	struct transfer *t = arg;
	int err;

	adopt_name(t->call, t->stays, t->target);
	err = tell(t->stays, t->target);
	t->state = TELLING_STAYS;
	if (err == -EALREADY && t->tries++ < TRIES) /* a refresh of ours */
		timer_set(t->owner->conf.loop, &t->timer, AGAIN_MS, tell_stays,
			  t);
	else if (err)
		failed(t, 500);
}

static void tell_target(void *arg)
{
	struct transfer *t = arg;
	const struct sdp *news = leg_description(t->stays);
	int err;

	t->state = TELLING_TARGET;
	adopt_name(t->call, t->target, t->stays);
	if (!news || leg_knows(t->target, news)) {
		joined(t);
		return;
	}
	err = leg_offer_again(t->target, news);
	if (err == -EALREADY && t->tries++ < TRIES)
		timer_set(t->owner->conf.loop, &t->timer, AGAIN_MS, tell_target,
			  t);
	else if (err)
		failed(t, 500);
}

/* The other side has agreed: so do we, with the INVITE that wants its place. */
static void answer_target(struct transfer *t)
{
	struct call *to = t->to;

	if (leg_answer(t->target, leg_description(t->stays))) {
		t->state = TELLING_TARGET; /* who stays is to forget it */
		failed(t, 500);
		return;
	}
	to->answered_at = clock_wall();
	to->answered = clock_mono();
	record_answered(to);
	joined(t);
}

static void stays_agreed(struct transfer *t)
{
	if (t->is_replace)
		answer_target(t);
	else
		tell_target(t);
}

bool transfer_offered(struct call *call, struct leg *leg, int status)
{
	struct transfer *t = call->transfer;

	if (!transfer_is_joining(call) || timer_armed(&t->timer))
		return false;
	if (t->state == TELLING_STAYS && leg == t->stays)
		status < 300 ? stays_agreed(t)
			     : failed(t, route_map_status(status));
	else if (t->state == TELLING_TARGET && leg == t->target)
		status < 300 ? joined(t) : failed(t, route_map_status(status));
	else
		return false;
	return true;
}

void transfer_answered(struct call *call, struct leg *leg)
{
	struct transfer *t = call->transfer;

	t->target = leg;
	bridge_ack(call, leg, NULL);
	if (call->transfer) /* or that failed */
		tell_stays(t);
}

void transfer_progress(struct call *call, int status)
{
	struct transfer *t = call->transfer;

	if (t->by && status > 100)
		leg_refer_progress(t->by, status);
}

/* ---- who leaves meanwhile ------------------------------------------------------------ */

bool transfer_leg_ended(struct call *call, struct leg *leg)
{
	struct transfer *t = call->transfer;

	if (!t)
		return false;
	if (leg == t->by || leg == t->consult) {
		t->by_left |= leg == t->by;
		bridge_unwatch(call); /* it has one side only */
		return true;
	}
	if (leg != t->target)
		return false;
	failed(t, 487);
	/* A call of its own: it ends as always. */
	return call->state == CALL_ENDING;
}

void transfer_leg_gone(struct call *call, const struct leg *leg)
{
	struct transfer *t = call->transfer;

	if (!t)
		return;
	if (t->by == leg)
		t->by = NULL;
	if (t->consult == leg)
		t->consult = NULL;
}

void transfer_call_ending(struct call *call)
{
	struct transfer *t = call->transfer;
	struct leg *by;

	if (!t)
		return;
	if (call == t->to) {
		failed(t, call->status ? call->status : 500);
		return;
	}
	by = t->by;
	log_outcome(t, 487);
	give_back(t, 487);
	transfer_free(t);
	if (by)
		leg_refer_progress(by, 487);
}

/* ---- beginning --------------------------------------------------------------------------- */

/* Who the target sees calling. */
static const char *shown_caller(const struct transfer *t)
{
	const struct call *call = t->call;
	const struct conf_phone *phone =
		leg_is_trunk(t->stays)
			? NULL
			: config_phone(call->config, leg_peer(t->stays));
	const char *name = name_in(call, t->stays);

	if (t->stays != call->a && phone && phone->caller_id[0])
		name = phone->caller_id;
	return name;
}

/* The call that asks for the target; the status when there can be none. */
static int make_call(struct transfer *t)
{
	struct calls *calls = t->owner;
	struct sip_view like = {.max_forwards = t->call->max_forwards};
	struct registrar_peer caller;
	struct route_result targets;
	struct call *to;
	uint64_t only;
	int status;

	/* Whose right it is to call: that of who asked for it. */
	if (call_peer(calls->config, leg_realm(t->by), leg_peer(t->by),
		      leg_is_trunk(t->by), &caller))
		return 403;
	status = setup_find_targets(calls, calls->config, &caller,
				    t->refer_to.host, t->refer_to.user,
				    shown_caller(t), &targets, &only);
	if (status)
		return status;
	if (!targets.emergency && !admit_caller(calls, &caller))
		return 503;
	to = call_create(calls, &like, "");
	if (!to)
		return 503;
	to->targets = targets;
	to->caller = caller;
	to->only = only;
	to->worker = t->call->worker;
	to->transfer = t;
	to->transferred = kind_of(t);
	to->identity.hidden = is_stays_hidden(t);
	t->to = to;
	t->is_asked = true;
	str_copy(to->from, sizeof(to->from), str_of(targets.calling));
	str_copy(to->to, sizeof(to->to), str_of(targets.called));
	if (t->stays == t->call->a && t->call->display)
		to->display = strdup(t->call->display);
	like.from.user = to->from;
	like.uri.user = to->to;
	record_begin(to, &like);
	log_info("call.start", kv_s("call", to->id), kv_s("from", to->from),
		 kv_s("to", to->to), kv_s("realm", leg_realm(t->by)),
		 kv_a("source", &leg_flow(t->by)->remote));
	return 0;
}

static void start_blind(struct transfer *t)
{
	int status = make_call(t);

	if (status) {
		failed(t, status);
		return;
	}
	t->state = ASKING;
	setup_next_target(t->to);
}

/*
 * A call that the transferor has itself, named by Replaces.  RFC 3891 3 wants
 * a ringing one to be its own; then it is left to us, and rings on.
 */
static int take_call(struct transfer *t)
{
	struct leg *leg = leg_find(&t->owner->by_dialog, &t->refer_to.replaces);
	struct call *to = leg ? leg_owner(leg) : NULL;

	if (!leg || leg_is_trunk(leg) != leg_is_trunk(t->by) ||
	    strcmp(leg_peer(leg), leg_peer(t->by)))
		return 481; /* somebody else's is none of his business */
	if (to == t->call)
		return 400;
	if (to->transfer)
		return 491;
	if (to->state == CALL_UP && (leg == to->a || leg == to->b)) {
		if (t->refer_to.replaces.early_only)
			return 486;
		t->target = leg == to->a ? to->b : to->a;
		if (!t->target || leg_state(t->target) != LEG_UP)
			return 481;
	} else if (to->state != CALL_RINGING || leg != to->a) {
		return 481;
	}
	t->to = to;
	t->consult = leg;
	to->transfer = t;
	return 0;
}

static void start_attended(struct transfer *t)
{
	int status = take_call(t);

	if (status) {
		failed(t, status);
		return;
	}
	if (t->target) {
		tell_stays(t);
		return;
	}
	t->state = ASKING;
	if (leg_state(t->consult) == LEG_RINGING)
		leg_refer_progress(t->by, 180);
}

static enum conf_refer policy_of(const struct call *call, const struct leg *leg)
{
	const struct conf_realm *realm =
		config_realm(call->config, leg_realm(leg));
	const struct conf_trunk *trunk =
		leg_is_trunk(leg) ? config_trunk(call->config, leg_peer(leg))
				  : NULL;

	if (trunk)
		return trunk->policy.refer;
	return realm ? realm->policy.refer : CONF_REFER_OFF;
}

static struct transfer *transfer_new(struct call *call, struct leg *by)
{
	struct transfer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->owner = call->owner;
	t->call = call;
	t->by = by;
	t->stays = by == call->a ? call->b : call->a;
	call->transfer = t;
	return t;
}

void transfer_replace(struct call *to, struct leg *by)
{
	struct transfer *t = transfer_new(leg_owner(by), by);

	if (!t) {
		setup_refuse(to, 503);
		return;
	}
	t->is_replace = true;
	str_copy(t->refer_to.user, sizeof(t->refer_to.user), str_of(to->to));
	t->to = to;
	t->target = to->a;
	to->transfer = t;
	tell_stays(t);
}

int transfer_refer(void *arg, struct leg *leg, const struct sip_refer_to *to)
{
	struct call *call = arg;
	enum conf_refer policy;
	struct transfer *t;

	if (call->state != CALL_UP || (leg != call->a && leg != call->b) ||
	    !call->a || !call->b)
		return 403;
	policy = policy_of(call, leg);
	if (policy == CONF_REFER_OFF)
		return 403;
	if (call->transfer)
		return 491;
	if (!to->user[0] && !to->has_replaces)
		return 400;
	/* What the other side could make nothing of is done here. */
	if (policy == CONF_REFER_PASS && !refer_pass(call, leg, to))
		return 202;
	t = transfer_new(call, leg);
	if (!t)
		return 503;
	t->refer_to = *to;
	if (to->has_replaces)
		start_attended(t);
	else
		start_blind(t);
	return 202;
}
