/*
 * leg_flow.c - the way to the peer: what stands in it, who may move it, and
 * holding it open while the dialog lasts
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A dialog outlives a registration: a phone that never registered, or stopped
 * in the middle of its call, must still hear the BYE.  So each leg has a hold
 * of its own on its flow (KEEP_DLG), from when the peer has a dialog with us to
 * its end; the engine sends no more pings for it than for a registration alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "leg/leg_priv.h"

enum {
	/* Three tries to get an answer to a ping, and a little more. */
	PING_TAKES_MS = 10000,
};

/* ---- verdict ------------------------------------------------------------- */

/* Connections come and go between the same two ends. */
static bool is_same_way(const struct sip_flow *a, const struct sip_flow *b)
{
	return a->transport == b->transport &&
	       addr_equal(&a->local, &b->local) &&
	       addr_equal(&a->remote, &b->remote);
}

/* The RTCP port of a line that has an a=rtcp of its own (RFC 3605). */
static uint16_t stated_rtcp(const struct sdp_media *m)
{
	for (unsigned i = 0; i < m->n_attrs; i++) {
		if (str_eq(m->attrs[i].name, STR("rtcp")))
			return addr_port(&m->rtcp);
	}
	return 0;
}

/* The servers of a trunk on our own network name each other in Contact and
 * SDP, with no NAT between. */
static bool is_inner_trunk(const struct leg *leg)
{
	return leg->conf.is_trunk &&
	       addr_class(&leg->flow.remote) == ADDR_PRIVATE;
}

static bool is_behind(const struct leg *leg)
{
	if (leg->nat_option != CONF_NAT_AUTO)
		return leg->nat_option == CONF_NAT_ALWAYS;
	return leg->nat.behind && !is_inner_trunk(leg);
}

void flow_judge(struct leg *leg, const struct sip_view *view,
		const struct sdp *sdp)
{
	struct nat_look look = {.view = view};
	struct nat_verdict found = {0};
	bool was = leg->behind_nat;

	/* What another way shows says nothing about this one. */
	if (view->internal || !is_same_way(&view->flow, &leg->flow))
		return;
	if (sdp) {
		look.sdp = sdp->media[0].rtp;
		look.sdp_origin = sdp->origin;
		look.sdp_rtcp = stated_rtcp(&sdp->media[0]);
	}
	nat_judge(&found, &look);
	nat_verdict_add(&leg->nat, &found);
	leg->behind_nat = is_behind(leg);
	if (leg->behind_nat == was)
		return;
	flow_keep_again(leg);
	offer_tell(leg);
}

const struct nat_verdict *leg_nat(const struct leg *leg)
{
	return &leg->nat;
}

/* ---- the hold -------------------------------------------------------------- */

/* Nobody has proved yet what the way bears: assume the worst. */
bool leg_is_careful(const struct leg *leg)
{
	return leg->behind_nat || leg->conf.off_link;
}

/*
 * A caller waits for us from its INVITE on, be it for a phone that has to come
 * back first; a callee has a dialog with its first 18x.  Once BYE or CANCEL
 * has gone nobody needs the way any more, unless it is in doubt.
 */
static bool is_wanted(const struct leg *leg)
{
	enum leg_state from = leg->incoming ? LEG_CALLING : LEG_RINGING;

	if (!leg->conf.keepalive || leg->keepalive == CONF_KA_OFF ||
	    leg->detoured)
		return false;
	/* A trunk has an address of its own and a way that its operator
	 * answers for, unless it shows a NAT. */
	if (leg->conf.is_trunk && !leg->behind_nat)
		return false;
	/* TCP to a neighbour needs no help. */
	if (leg->flow.transport == SIP_TCP && !leg_is_careful(leg) &&
	    leg->keepalive == CONF_KA_AUTO)
		return false;
	return leg->state >= from &&
	       leg->state <= (leg->doubted ? LEG_ENDING : LEG_DOOMED);
}

void flow_keep(struct leg *leg)
{
	if (!is_wanted(leg))
		keepalive_release(&leg->keep);
	else if (!leg->keep.flow)
		flow_keep_again(leg);
}

void flow_keep_again(struct leg *leg)
{
	struct keep_want want = {
		.how = leg->keepalive == CONF_KA_CRLF      ? KEEP_ALWAYS_CRLF
		       : leg->keepalive == CONF_KA_OPTIONS ? KEEP_ALWAYS_OPTIONS
							   : KEEP_AUTO,
		.interval_ms = leg->keepalive_ms,
		.careful = leg_is_careful(leg),
		.target = leg->contact,
	};

	if (!is_wanted(leg))
		keepalive_release(&leg->keep);
	else /* out of memory: it goes without */
		keepalive_hold(leg->conf.keepalive, &leg->keep, &leg->flow,
			       KEEP_DLG, &want);
}

/* The INVITE got no answer at all. */
void flow_missed(struct leg *leg)
{
	if (leg->conf.keepalive)
		keepalive_missed(leg->conf.keepalive, &leg->flow);
}

bool leg_is_cut_off(const struct leg *leg)
{
	struct keep_info info;

	if (!sip_flow_alive(leg->conf.sip, &leg->flow))
		return true;
	if (!keepalive_look(&leg->keep, &info))
		return false; /* nobody knows */
	if (info.lost_at)
		return true;
	return !info.holds[KEEP_REG] && info.heard &&
	       clock_mono() - info.heard > info.interval_ms + PING_TAKES_MS;
}

/* Its BYE may go before the answer is known. */
void leg_doubt(struct leg *leg)
{
	leg->doubted = leg->keep.flow != NULL;
	flow_missed(leg);
}

void leg_keep_event(struct keep *k, enum keep_event event)
{
	struct leg *leg = container_of(k, struct leg, keep);

	if (event == KEEP_LOST)
		leg->conf.ops->lost(leg->conf.arg, leg);
}

/* ---- moving ------------------------------------------------------------------ */

int flow_init(struct leg *leg, const struct leg_conf *conf,
	      const struct sip_flow *flow, const char *contact)
{
	leg->flow = *flow;
	leg->source = conf->source ? *conf->source : *flow;
	leg->conf.source = NULL;
	leg->conf.nat = NULL;
	leg->conf.instance = NULL;
	leg->nat_option = conf->realm->nat;
	leg->keepalive = conf->realm->keepalive;
	leg->keepalive_ms = conf->realm->keepalive_interval_s * 1000;
	if (conf->nat)
		leg->nat = *conf->nat;
	leg->behind_nat = is_behind(leg);
	if (contact) {
		leg->contact = strdup(contact);
		if (!leg->contact)
			return -ENOMEM;
	}
	if (conf->instance) {
		leg->instance = strdup(conf->instance);
		if (!leg->instance)
			return -ENOMEM;
	}
	return 0;
}

/* Where requests of the peer itself come from; they prove nothing else. */
static bool is_from_peer(const struct leg *leg, const struct sip_flow *flow)
{
	if (leg->conf.is_trunk)
		return flow->transport == leg->flow.transport &&
		       addr_same_host(&flow->remote, &leg->flow.remote);
	return sip_flow_equal(flow, &leg->flow) ||
	       sip_flow_equal(flow, &leg->source);
}

/* Another box of ours stands in the way, and answers for who is behind it. */
static bool is_vouched(struct leg *leg, const struct sip_view *view)
{
	const struct leg_ops *ops = leg->conf.ops;
	bool is = ops->vouched && ops->vouched(leg->conf.arg, leg, view);

	sip_dialog_hold_target(leg->dialog, is || leg->detoured);
	return is;
}

bool flow_admit(struct leg *leg, struct sip_txn *txn,
		const struct sip_view *view)
{
	if (is_vouched(leg, view))
		return true;
	if (is_from_peer(leg, &view->flow)) {
		/* a trunk connected again */
		if (leg->conf.is_trunk && view->flow.conn != leg->flow.conn)
			leg_move(leg, &view->flow);
		return true;
	}
	if (!leg->conf.ops->moved(leg->conf.arg, leg, txn, view))
		return false;
	leg_detour(leg, &view->flow, NULL);
	/* What was shown was shown of the old way. */
	leg->nat = (struct nat_verdict){0};
	flow_judge(leg, view, NULL);
	return true;
}

void leg_move(struct leg *leg, const struct sip_flow *flow)
{
	bool elsewhere = !addr_same_host(&leg->flow.remote, &flow->remote);

	leg->flow = leg->source = *flow;
	sip_dialog_move(leg->dialog, flow);
	leg->doubted = false;
	flow_keep_again(leg);
	if (elsewhere) /* its media may come from there now */
		offer_tell(leg);
	leg_repeat_bye(leg);
}

int leg_detour(struct leg *leg, const struct sip_flow *flow, const char *route)
{
	int err = sip_dialog_detour(leg->dialog, route);

	if (err)
		return err;
	leg->detoured = route != NULL;
	sip_dialog_hold_target(leg->dialog, leg->detoured);
	if (!route) {
		leg_move(leg, flow);
		return 0;
	}
	/* Its media comes as ever. */
	leg->flow = leg->source = *flow;
	sip_dialog_move(leg->dialog, flow);
	flow_keep_again(leg);
	return 0;
}

bool leg_is_detoured(const struct leg *leg)
{
	return leg->detoured;
}

void leg_expect_from(struct leg *leg, const struct sip_flow *flow)
{
	leg->source = *flow;
}

const char *leg_contact(const struct leg *leg)
{
	return leg->contact;
}

const char *leg_instance(const struct leg *leg)
{
	return leg->instance;
}

const struct sip_flow *leg_flow(const struct leg *leg)
{
	return &leg->flow;
}
