/*
 * call_bridge.c - what passes between the two legs of a call that is up, and
 * how it ends
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <string.h>

#include "call/call_priv.h"
#include "core/alarm.h"
#include "core/log.h"

static struct leg *other(const struct call *call, const struct leg *leg)
{
	return leg == call->a ? call->b : leg == call->b ? call->a : NULL;
}

static int status_of(int err)
{
	switch (err) {
	case -EAGAIN: /* it is being changed from there: glare */
		return 491;
	case -EINVAL:
	case -EOPNOTSUPP:
		return 488;
	default:
		return 503;
	}
}

/* While it rings, whom the caller hears already. */
static struct leg *partner(const struct call *call, const struct leg *leg)
{
	if (call->state != CALL_RINGING)
		return other(call, leg);
	return leg == call->a       ? call->early
	       : leg == call->early ? call->a
				    : NULL;
}

static int carry_change(struct call *call, const struct leg *leg,
			const struct sdp *offer)
{
	struct leg *to = partner(call, leg);

	if (call->state == CALL_ENDING || transfer_is_joining(call))
		return -EAGAIN;
	if (!to)
		return -EOPNOTSUPP;
	adopt_name(call, to, leg);
	return leg_change_is_update(leg) ? leg_update(to, offer)
					 : leg_change(to, offer);
}

/* The peer of @leg wants another session: ask the other peer, unless he cannot
 * be asked and need not. */
static void change(void *arg, struct leg *leg, const struct sdp *offer)
{
	int err = carry_change(arg, leg, offer);

	if (err == -EOPNOTSUPP && !leg_change_keep(leg))
		return;
	if (err)
		leg_change_answer(leg, status_of(err), NULL);
}

static void change_cancelled(void *arg, struct leg *leg)
{
	struct call *call = arg;

	if (other(call, leg))
		leg_change_cancel(other(call, leg));
}

/* @leg took no UPDATE though it said so; a re-INVITE it has to. */
static bool by_reinvite(struct leg *asker, struct leg *leg, int status)
{
	return (status == 405 || status == 501) &&
	       leg_change_is_update(asker) &&
	       !leg_change(leg, leg_description(asker));
}

static void changed(void *arg, struct leg *leg, int status,
		    const struct sdp *sdp)
{
	struct call *call = arg;
	struct leg *asker = partner(call, leg);
	bool late = leg_owes_answer(leg);
	int err;

	if (!asker || by_reinvite(asker, leg, status))
		return;
	err = leg_change_answer(
		asker, status < 300 ? 200 : route_map_status(status), sdp);
	if (status >= 300)
		return;
	leg_bridge(asker, leg);
	if (!late)
		leg_change_ack(leg, NULL);
	else if (err) /* nobody will answer that offer: the session stays */
		leg_change_ack(leg, leg_description(asker));
	/* The asker gave up while the other side agreed: take it back. */
	if (!late && err)
		leg_offer_again(leg, leg_description(asker));
}

void bridge_ack(struct call *call, struct leg *leg, const struct sdp *answer)
{
	if (!leg_ack(leg, answer))
		return;
	call_ending(call, "gone");
	call_hangup_legs(call, NULL, NULL);
}

/* The caller's PRACK answered the offer that the callee's 18x brought. */
static void pracked(void *arg, struct leg *leg, const struct sdp *sdp)
{
	struct call *call = arg;
	struct leg *to = partner(call, leg);
	int err;

	if (!to)
		return; /* whose it was has gone; the next one is asked */
	/* A callee that did not wait for it gets it with the ACK. */
	err = leg_state(to) == LEG_ANSWERED ? leg_ack(to, sdp)
					    : leg_prack(to, sdp);
	if (err) {
		call_ending(call, "gone");
		call_hangup_legs(call, NULL, NULL);
		return;
	}
	leg_bridge(leg, to);
}

/* An ACK arrived; when it brought the answer to a late offer, the other
 * side's 2xx is waiting for it. */
static void acked(void *arg, struct leg *leg, const struct sdp *sdp)
{
	struct call *call = arg;
	struct leg *to = other(call, leg);

	if (!to)
		return;
	if (leg_state(to) == LEG_ANSWERED && !leg_is_incoming(to))
		bridge_ack(call, to, sdp);
	else if (leg_is_changing(to))
		leg_change_ack(to, sdp);
	leg_bridge(call->a, call->b);
	/* An 18x bound the caller to what another target said. */
	if (leg_is_outdated(leg))
		leg_offer_again(leg, leg_description(to));
}

static void info(void *arg, struct leg *leg, const struct sip_view *view)
{
	struct call *call = arg;
	struct leg *to = other(call, leg);
	int err = to ? leg_press(to, view) : -EPROTO;

	if (err == -EOPNOTSUPP && !leg_info(to, view))
		return; /* info_answered() */
	leg_info_answer(leg, err ? 480 : 200);
}

static void info_answered(void *arg, struct leg *leg, int status)
{
	struct call *call = arg;
	struct leg *asker = other(call, leg);

	if (asker)
		leg_info_answer(asker,
				status < 300 ? 200 : route_map_status(status));
}

static void ended(void *arg, struct leg *leg, int status, const char *cause)
{
	struct call *call = arg;

	if (transfer_leg_ended(call, leg))
		return;
	if (leg != call->a && leg != call->b && status) {
		setup_fork_ended(call, leg, status);
		return;
	}
	if (leg != call->a && leg != call->b && call->state == CALL_UP)
		return; /* a fork that had lost already */
	log_debug("call.ending", kv_s("call", call->id),
		  kv_s("peer", leg_peer(leg)), kv_s("cause", cause));
	if (!strcmp(cause, "bye") || !strcmp(cause, "cancel"))
		record_ended_by(call, leg);
	call_ending(call, cause);
	call_hangup_legs(call, leg, leg_reason(leg));
}

/*
 * An in-dialog request along another flow.  A phone proves itself by digest
 * and moves; nobody else may (contract, SIP behaviour).
 */
static bool moved(void *arg, struct leg *leg, struct sip_txn *txn,
		  const struct sip_view *view)
{
	struct call *call = arg;
	struct calls *calls = call->owner;
	const struct conf_realm *realm =
		config_realm(calls->config, view->realm);
	const struct conf_phone *who = NULL;
	struct sip_challenge challenge;
	struct sip_message m = {.status = 403};
	enum sip_auth_verdict verdict;

	if (realm && config_phone(calls->config, leg_peer(leg))) {
		verdict = sip_auth_check(calls->conf.auth, view, calls->config,
					 realm, &who);
		if (verdict == SIP_AUTH_OK &&
		    who == config_phone(calls->config, leg_peer(leg))) {
			log_info("leg.moved", kv_s("call", call->id),
				 kv_s("peer", leg_peer(leg)),
				 kv_a("source", &view->flow.remote));
			return true;
		}
		if (verdict != SIP_AUTH_OK)
			m = sip_auth_refusal(calls->conf.auth, view, realm,
					     verdict, &challenge);
	}
	sip_txn_answer(txn, &m);
	sip_txn_release(txn);
	return false;
}

static void lost(void *arg, struct leg *leg)
{
	appear_look(arg, leg);
}

static void adrift(void *arg, struct leg *leg)
{
	call_leg_dead(arg, leg);
	appear_look(arg, leg);
}

/* What came of a re-INVITE of our own.  One that was on its way when its
 * transfer failed has told @leg of somebody else than its partner. */
static void offered(void *arg, struct leg *leg, int status,
		    const struct sdp *sdp)
{
	struct call *call = arg;
	struct leg *to = other(call, leg);
	const struct sdp *partners;

	if (transfer_offered(call, leg, status) || status >= 300 ||
	    call->state != CALL_UP || !to)
		return;
	partners = leg_description(to);
	if (partners && !leg_knows(leg, partners))
		leg_offer_again(leg, partners);
}

const struct leg_ops call_leg_ops = {
	.progress = setup_progress,
	.pracked = pracked,
	.answered = setup_answered,
	.acked = acked,
	.change = change,
	.change_cancelled = change_cancelled,
	.changed = changed,
	.info = info,
	.info_answered = info_answered,
	.offered = offered,
	.refer = transfer_refer,
	.referred = refer_told,
	.redirected = redirect_take,
	.ended = ended,
	.dead = call_leg_dead,
	.adrift = adrift,
	.lost = lost,
	.moved = moved,
	.vouched = adopt_vouched,
};

/* ---- watching the media -------------------------------------------------------- */

enum {
	WATCH_MIN_MS = 250,
	WATCH_MAX_MS = 10000,
	WATCH_FIRST_MS = LEG_ONE_WAY_MS + WATCH_MIN_MS,
};

/* What happened to a leg's media, told once per leg. */
enum { TOLD_ONE_WAY = 1, TOLD_OTHER_HOST = 2 };

static void tell_one_way(const struct call *call, const struct leg *leg,
			 const struct leg_media_info *m)
{
	log_warn("call.one_way", kv_s("call", call->id),
		 kv_s("peer", leg_peer(leg)), kv_a("announced", &m->remote),
		 kv_a("sent_to", &m->stats.remote),
		 kv_s("text",
		      "no RTP has come from this peer since the call is "
		      "up, while we send to it"));
}

/*
 * The admin may know that host, and say latch 'open'; nothing else is done:
 * a guess would be an attacker's way in.
 */
static void tell_other_host(struct call *call, const struct leg *leg,
			    const struct leg_media_info *m)
{
	log_warn("call.other_host", kv_s("call", call->id),
		 kv_s("peer", leg_peer(leg)), kv_a("announced", &m->remote),
		 kv_s("text", "RTP comes from a host that neither its SDP nor "
			      "its SIP names, and is dropped"));
	if (!call->has_other_host) {
		call->has_other_host = true;
		call->owner->other_host++;
	}
	alarm_raise("media-other-host", ALARM_MINOR,
		    "RTP of %s comes from a host that it did not announce",
		    leg_peer(leg));
}

static void look_at(struct call *call, const struct leg *leg, unsigned *told)
{
	struct leg_media_info m;

	for (unsigned i = 0; leg_media_at(leg, i, &m); i++) {
		if (!m.type.p)
			continue;
		if (m.stats.other_host && !(*told & TOLD_OTHER_HOST)) {
			*told |= TOLD_OTHER_HOST;
			tell_other_host(call, leg, &m);
		}
		if (m.one_way && !(*told & TOLD_ONE_WAY)) {
			*told |= TOLD_ONE_WAY;
			tell_one_way(call, leg, &m);
		}
	}
}

void bridge_unwatch(struct call *call)
{
	timer_cancel(call->owner->conf.loop, &call->watch);
	if (call->has_other_host && --call->owner->other_host == 0)
		alarm_clear("media-other-host");
	call->has_other_host = false;
}

/* No leg has received a valid packet for the time: a muted phone keeps its
 * call as long as the other one speaks. */
static bool has_timed_out(const struct call *call)
{
	bool held = leg_is_held(call->a) || leg_is_held(call->b);
	unsigned limit =
		held ? call->media_timeout_hold_ms : call->media_timeout_ms;
	mono_ms last = call->answered, seen;

	seen = leg_last_packet(call->a);
	if (seen > last)
		last = seen;
	seen = leg_last_packet(call->b);
	if (seen > last)
		last = seen;
	return limit && clock_mono() - last >= limit;
}

static void watch(void *arg)
{
	struct call *call = arg;

	look_at(call, call->a, &call->told_a);
	look_at(call, call->b, &call->told_b);
	if (!has_timed_out(call)) {
		bridge_watch(call);
		return;
	}
	call_ending(call, "media-timeout");
	call_hangup_legs(call, NULL,
			 "Q.850;cause=102;text=\"No media received\"");
}

void bridge_watch(struct call *call)
{
	unsigned shortest = call->media_timeout_ms;
	unsigned ms;

	if (!shortest || (call->media_timeout_hold_ms &&
			  call->media_timeout_hold_ms < shortest))
		shortest = call->media_timeout_hold_ms;
	ms = shortest / 8;
	if (shortest && ms < WATCH_MIN_MS)
		ms = WATCH_MIN_MS;
	if (!shortest || ms > WATCH_MAX_MS)
		ms = WATCH_MAX_MS;
	if (clock_mono() - call->answered < WATCH_FIRST_MS &&
	    ms > WATCH_FIRST_MS)
		ms = WATCH_FIRST_MS;
	timer_set(call->owner->conf.loop, &call->watch, ms, watch, call);
}
