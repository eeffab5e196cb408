/*
 * call_appear.c - dialogs of a phone that registers anew, after its former
 * binding was lost or has expired
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A binding that moves says itself from where.  A new one does not: it may be
 * the phone of a running dialog, behind a NAT that has forgotten it, or another
 * one with the same private Contact in another home.  So a dialog follows only
 * when Contact or instance are the same and its own flow is dead.  If that is
 * not known yet, its peer is asked: what comes of it is heard of later.
 *
 *   new binding --- flow is dead ------------------------> dialog moves
 *        '--------- flow may live: ping -- no answer --.      ^
 *                                BYE -- no answer -----+-> look for one
 */
#include <string.h>

#include "call/call_priv.h"
#include "core/log.h"

const char *appear_instance(const struct calls *calls, const char *phone,
			    const struct sip_flow *flow)
{
	const struct binding *found[LIMIT_FORKS];
	unsigned n = registrar_find(calls->conf.registrar, phone, found,
				    LIMIT_FORKS);

	for (unsigned i = 0; i < n; i++) {
		if (sip_flow_equal(&found[i]->flow, flow))
			return found[i]->instance;
	}
	return NULL;
}

/* ---- may it take the dialog? ------------------------------------------------ */

/* The bindings of @leg's phone that answer. */
static unsigned living(const struct call *call, const struct leg *leg,
		       const struct binding **found)
{
	unsigned n = registrar_find(call->owner->conf.registrar, leg_peer(leg),
				    found, LIMIT_FORKS);

	while (n && found[n - 1]->lost) /* they come last */
		n--;
	return n;
}

/* A BYE that nobody answered can only gain from another try. */
static bool is_its(const struct call *call, const struct leg *leg,
		   const struct binding *b, unsigned n_living)
{
	if (leg_is_adrift(leg) && n_living <= 1)
		return true;
	return binding_is_of(b, leg_contact(leg), leg_instance(leg),
			     call->started_at);
}

static bool is_held(const struct leg *leg, const struct binding **found,
		    unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (sip_flow_equal(&found[i]->to, leg_flow(leg)) ||
		    sip_flow_equal(&found[i]->flow, leg_flow(leg)))
			return true;
	}
	return false;
}

static void move(struct call *call, struct leg *leg, const struct binding *b)
{
	log_info("leg.followed", kv_s("call", call->id),
		 kv_s("peer", leg_peer(leg)), kv_a("to", &b->to.remote));
	leg_detour(leg, &b->to, NULL);
	leg_expect_from(leg, &b->flow);
}

static void consider(struct call *call, struct leg *leg,
		     const struct binding *b)
{
	const struct binding *found[LIMIT_FORKS];
	unsigned n;

	if (leg_state(leg) == LEG_DEAD ||
	    strcmp(leg_peer(leg), binding_phone(b)) ||
	    sip_flow_equal(leg_flow(leg), &b->to))
		return;
	n = living(call, leg, found);
	if (!is_its(call, leg, b, n))
		return;
	if (leg_is_adrift(leg) || leg_is_detoured(leg) ||
	    (leg_is_cut_off(leg) && !is_held(leg, found, n)))
		move(call, leg, b);
	else
		leg_doubt(leg);
}

void appear_take(struct call *call, const struct binding *b)
{
	fork_appeared(call, b);
	for (unsigned i = 0; i < CALL_LEGS; i++) {
		if (call->legs[i])
			consider(call, call->legs[i], b);
	}
}

void appear_look(struct call *call, struct leg *leg)
{
	const struct binding *found[LIMIT_FORKS];
	unsigned n = living(call, leg, found);

	for (unsigned i = 0; i < n; i++) {
		const struct binding *b = found[i];

		if (sip_flow_equal(leg_flow(leg), &b->to) ||
		    !is_its(call, leg, b, n))
			continue;
		move(call, leg, b);
		return;
	}
}
