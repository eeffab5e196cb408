/*
 * sub_appear.c - subscriptions of a phone that registers anew, after its former
 * binding was lost or has expired
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A binding that moves says itself from where.  A new one does not: it may be
 * the phone of a subscription, behind a NAT that has forgotten it, or another
 * one with the same private Contact in another home.  So a subscription follows
 * only when Contact or instance are the same and its own flow is dead.  If that
 * is not known yet, its peer is asked: what comes of it is heard of later.
 */
#include "core/log.h"
#include "pass/sub_priv.h"

const char *sub_instance(const struct passes *p, const char *name,
			 const struct sip_flow *flow)
{
	const struct binding *found[LIMIT_FORKS];
	unsigned n =
		registrar_find(p->conf.registrar, name, found, LIMIT_FORKS);

	for (unsigned i = 0; i < n; i++) {
		if (sip_flow_equal(&found[i]->flow, flow))
			return found[i]->instance;
	}
	return NULL;
}

/* The bindings of @side's phone that answer. */
static unsigned living(const struct sub_side *side, const struct binding **list)
{
	unsigned n = registrar_find(side->sub->owner->conf.registrar,
				    side->peer, list, LIMIT_FORKS);

	while (n && list[n - 1]->lost) /* they come last */
		n--;
	return n;
}

static bool is_held(const struct sub_side *side, const struct binding **list,
		    unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (sip_flow_equal(&list[i]->to, &side->flow) ||
		    sip_flow_equal(&list[i]->flow, &side->flow))
			return true;
	}
	return false;
}

static bool is_its(const struct sub_side *side, const struct binding *b)
{
	return binding_is_of(b, side->contact, side->instance, side->since);
}

static void move(struct sub_side *side, const struct binding *b)
{
	log_info("sub.moved", kv_s("sub", side->sub->id),
		 kv_s("peer", side->peer), kv_a("source", &b->flow.remote));
	side->nat = b->nat;
	side_move(side, &b->to, &b->flow);
}

static void consider(struct sub_side *side, const struct binding *b)
{
	struct keepalive *ka = side->sub->owner->conf.keepalive;
	const struct binding *list[LIMIT_FORKS];
	unsigned n;

	if (sip_flow_equal(&side->flow, &b->to) || !is_its(side, b))
		return;
	n = living(side, list);
	if (side_is_cut_off(side) && !is_held(side, list, n))
		move(side, b);
	else if (ka)
		keepalive_missed(ka, &side->flow);
}

void passes_appeared(struct passes *p, const struct binding *b)
{
	struct sub_phone *phone = sub_phone_find(p, binding_phone(b));

	if (!phone)
		return;
	list_for_each (pos, &phone->sides)
		consider(list_entry(pos, struct sub_side, of_phone), b);
}

void passes_keep_event(struct keep *k, enum keep_event event)
{
	struct sub_side *side = container_of(k, struct sub_side, keep);
	const struct binding *list[LIMIT_FORKS];
	unsigned n;

	if (event != KEEP_LOST)
		return;
	n = living(side, list);
	for (unsigned i = 0; i < n; i++) {
		if (sip_flow_equal(&list[i]->to, &side->flow) ||
		    !is_its(side, list[i]))
			continue;
		move(side, list[i]);
		return;
	}
}
