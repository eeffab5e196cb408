/*
 * call_bridge.c - what passes between the two legs of a call that is up, and
 * how it ends
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "call/call_priv.h"
#include "core/log.h"

static struct leg *other(const struct call *call, const struct leg *leg)
{
	return leg == call->a ? call->b : call->a;
}

static int status_of(int err)
{
	switch (err) {
	case -EAGAIN: /* it is being changed from there: glare */
		return 491;
	case -EINVAL:
		return 488;
	default:
		return 503;
	}
}

/* The peer of @leg wants another session: ask the other peer. */
static void change(void *arg, struct leg *leg, const struct sdp *offer)
{
	struct call *call = arg;
	struct leg *to = other(call, leg);
	int err =
		call->state == CALL_UP && to ? leg_change(to, offer) : -EAGAIN;

	if (err)
		leg_change_answer(leg, status_of(err), NULL);
}

static void change_cancelled(void *arg, struct leg *leg)
{
	struct call *call = arg;

	if (other(call, leg))
		leg_change_cancel(other(call, leg));
}

static void changed(void *arg, struct leg *leg, int status,
		    const struct sdp *sdp)
{
	struct call *call = arg;
	struct leg *asker = other(call, leg);
	bool late = leg_owes_answer(leg);
	int err;

	if (!asker)
		return;
	if (call->restoring) {
		call->restoring = false;
		leg_change_ack(leg, NULL);
		return;
	}
	err = leg_change_answer(
		asker, status < 300 ? 200 : setup_map_status(status), sdp);
	if (status >= 300)
		return;
	leg_bridge(call->a, call->b);
	if (!late)
		leg_change_ack(leg, NULL);
	else if (err) /* nobody will answer that offer: the session stays */
		leg_change_ack(leg, leg_description(asker));
	/* The asker gave up while the other side agreed: take it back. */
	if (!late && err)
		call->restoring = !leg_change(leg, leg_description(asker));
}

void bridge_ack(struct call *call, struct leg *leg, const struct sdp *answer)
{
	if (!leg_ack(leg, answer))
		return;
	call_ending(call, "gone");
	call_hangup_legs(call, NULL, NULL);
}

/* An ACK arrived; when it brought the answer to a late offer, the other
 * side's 2xx is waiting for it. */
static void acked(void *arg, struct leg *leg, const struct sdp *sdp)
{
	struct call *call = arg;
	struct leg *to = other(call, leg);

	if (!to)
		return;
	if (leg_state(to) == LEG_ANSWERED)
		bridge_ack(call, to, sdp);
	else if (leg_is_changing(to))
		leg_change_ack(to, sdp);
	leg_bridge(call->a, call->b);
}

static void info(void *arg, struct leg *leg, const struct sip_view *view)
{
	struct call *call = arg;
	struct leg *to = other(call, leg);

	if (!to || leg_info(to, view))
		leg_info_answer(leg, 480);
}

static void info_answered(void *arg, struct leg *leg, int status)
{
	struct call *call = arg;
	struct leg *asker = other(call, leg);

	if (asker)
		leg_info_answer(asker,
				status < 300 ? 200 : setup_map_status(status));
}

static void ended(void *arg, struct leg *leg, int status, const char *cause)
{
	struct call *call = arg;

	if (leg != call->a && leg != call->b && status) {
		setup_fork_ended(call, leg, status);
		return;
	}
	if (leg != call->a && leg != call->b && call->state == CALL_UP)
		return; /* a fork that had lost already */
	log_debug("call.ending", kv_s("call", call->id),
		  kv_s("peer", leg_peer(leg)), kv_s("cause", cause));
	call_ending(call, cause);
	call_hangup_legs(call, leg, NULL);
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

const struct leg_ops call_leg_ops = {
	.progress = setup_progress,
	.answered = setup_answered,
	.acked = acked,
	.change = change,
	.change_cancelled = change_cancelled,
	.changed = changed,
	.info = info,
	.info_answered = info_answered,
	.ended = ended,
	.dead = call_leg_dead,
	.moved = moved,
};

/* ---- media time-out ------------------------------------------------------------ */

enum {
	WATCH_MIN_MS = 250,
	WATCH_MAX_MS = 10000,
};

/* No leg has received a valid packet for the time: a muted phone keeps its
 * call as long as the other one speaks. */
static void watch(void *arg)
{
	struct call *call = arg;
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
	if (!limit || clock_mono() - last < limit) {
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
	if (!shortest)
		return;
	ms = shortest / 8;
	if (ms < WATCH_MIN_MS)
		ms = WATCH_MIN_MS;
	if (ms > WATCH_MAX_MS)
		ms = WATCH_MAX_MS;
	timer_set(call->owner->conf.loop, &call->watch, ms, watch, call);
}
