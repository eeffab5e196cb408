/*
 * leg_prack.c - provisional answers to an INVITE that arrive (RFC 3262), on
 * each leg by itself, and the offers and answers in them
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   in:   18x, RSeq --> due -- PRACK --> none due: the next 18x that waited,
 *                        |               and then the 2xx that waited
 *                        +- 64*T1: the INVITE is refused
 *   out:  18x, RSeq --> PRACK; when the 18x has an offer in it only once
 *                       leg_prack() brings the answer
 *
 * A description in such an 18x, or in its PRACK, completes offer and answer:
 * the leg is settled before the 2xx, whose own description, if any, says the
 * same again.  What another fork or target says after that reaches the peer by
 * a re-INVITE once the call is up (leg_is_outdated()).
 *
 * Of a forked INVITE each early dialog counts for itself.  The one whose
 * description came first is heard; what the others answer is kept for the case
 * that they win.  An offer of theirs stays without PRACK: there is one session.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "leg/leg_priv.h"

void prack_init(struct leg *leg, const struct leg_conf *conf,
		const struct sip_view *invite)
{
	enum conf_rel100 want =
		conf->policy ? conf->policy->rel100 : CONF_REL100_AUTO;
	struct leg_rel *rel = &leg->rel;

	if (want == CONF_REL100_OFF)
		return;
	rel->can = invite ? invite->supports_100rel || invite->requires_100rel
			  : !conf->no_100rel;
	rel->must = rel->can && (want == CONF_REL100_REQUIRE ||
				 (invite && invite->requires_100rel));
}

void prack_release(struct leg *leg)
{
	struct leg_rel *rel = &leg->rel;

	for (unsigned i = 0; i < rel->n_early; i++) {
		free(rel->early[i].tag);
		sdp_free(rel->early[i].sdp);
	}
	free(rel->next_body);
	free(rel->answer_body);
	memset(rel, 0, sizeof(*rel));
}

bool leg_can_100rel(const struct leg *leg)
{
	return leg->rel.can;
}

bool leg_is_outdated(const struct leg *leg)
{
	return leg->rel.outdated;
}

bool prack_is_heard(const struct leg *leg, const struct sip_view *request)
{
	const struct leg_early *heard = leg->rel.heard;

	return leg->state > LEG_RINGING || !heard ||
	       (request->from_tag &&
		!strcasecmp(request->from_tag, heard->tag));
}

bool prack_is_settled(const struct leg *leg)
{
	return leg->rel.settled && !leg->rel.due;
}

/* ---- in: what we send reliably --------------------------------------------- */

static int keep_body(char **out, struct str body)
{
	char *copy = body.n ? strndup(body.p, body.n) : NULL;

	if (body.n && !copy)
		return -ENOMEM;
	free(*out);
	*out = copy;
	return 0;
}

static struct sip_message with_body(int status, char *body)
{
	return (struct sip_message){
		.status = status,
		.contact = true,
		.content_type = body ? "application/sdp" : NULL,
		.body = str_of(body),
	};
}

/* An offer goes out only where a PRACK can answer it, and once. */
const struct sdp *prack_ring_sdp(const struct leg *leg, const struct sdp *sdp)
{
	bool offering = !leg->peer_sdp && !leg->pending;

	if (leg->rel.settled ||
	    (offering && (!leg->rel.can || leg->rel.offered)))
		return NULL;
	return sdp;
}

/* RFC 3261 13.2.1: when we owe the offer, the first that arrives has it. */
bool prack_wants(const struct leg *leg, const struct sdp *sdp)
{
	bool late = !leg->peer_sdp && !leg->pending && !leg->rel.offered;

	return leg->rel.can && (sdp || (leg->rel.must && !late));
}

/* Allow: who is to send UPDATE before the 2xx must know (RFC 3311 5.1). */
static int send_18x(struct leg *leg, const struct sip_message *m)
{
	static const struct sip_header allow = {"Allow", SIP_ALLOW};
	struct sip_message with = *m;

	with.headers = &allow;
	with.n_headers = 1;
	return sip_txn_answer_reliably(leg->invite, &with);
}

/* RFC 3262 3: one at a time. */
int prack_ring(struct leg *leg, const struct sip_message *m, bool offering)
{
	struct leg_rel *rel = &leg->rel;
	int err;

	if (!rel->due) {
		err = send_18x(leg, m);
	} else {
		err = m->body.n ? keep_body(&rel->next_body, m->body) : 0;
		rel->next_status = m->status;
	}
	if (err)
		return err;
	rel->due_sdp = m->body.n || (rel->due && rel->due_sdp);
	rel->due = true;
	if (m->body.n) {
		rel->settled = !offering;
		rel->offered = leg->offer_sent = offering;
	}
	return 0;
}

bool prack_holds_answer(const struct leg *leg)
{
	return leg->rel.due && leg->rel.due_sdp;
}

int prack_put_same(struct leg *leg, struct sip_message *m,
		   const struct sdp *sdp, char *mem)
{
	struct leg_rel *rel = &leg->rel;

	rel->outdated = sdp && leg->said && !sdp_alike(sdp, leg->said);
	if (rel->outdated || rel->offered)
		return 0; /* an offer is not repeated */
	m->content_type = "application/sdp";
	return offer_write_again(leg, leg->peer_sdp, mem, &m->body);
}

int prack_keep_answer(struct leg *leg, const struct leg_input *in)
{
	char mem[LEG_SDP_BYTES];
	struct sip_message m = {0};
	int err = prack_put_same(leg, &m, in->sdp, mem);

	return err ? err : keep_body(&leg->rel.answer_body, m.body);
}

int prack_send_kept(struct leg *leg, const struct leg_input *in)
{
	struct sip_message m = with_body(200, leg->rel.answer_body);

	if (leg->rel.settled && !leg->rel.outdated)
		offer_settle(leg, leg->rel.offered ? NULL : leg->said);
	return in_send_200(leg, &m);
}

static void answer_prack(struct sip_txn *txn, int status)
{
	sip_txn_answer(txn, &(struct sip_message){.status = status});
	sip_txn_release(txn);
}

/* What waited for the PRACK.  After a 2xx nothing provisional goes out. */
static void send_next(struct leg *leg)
{
	struct leg_rel *rel = &leg->rel;
	struct sip_message m = with_body(rel->next_status, rel->next_body);

	if (leg->state == LEG_ANSWERING) {
		leg_step(leg, DO_ANSWER, &(struct leg_input){0});
		return;
	}
	if (!rel->next_status || leg->state != LEG_RINGING)
		return;
	rel->next_status = 0;
	rel->due = !send_18x(leg, &m);
	rel->due_sdp = m.body.n;
	free(rel->next_body);
	rel->next_body = NULL;
}

/* We end the INVITE, and tell the call. */
static void refuse_invite(struct leg *leg, int status, const char *cause)
{
	if (leg_step(leg, DO_REJECT, &(struct leg_input){.status = status}))
		return;
	leg->told_ended = false;
	leg_tell_ended(leg, status, cause);
}

void prack_missed(struct leg *leg)
{
	refuse_invite(leg, 504, "no-prack");
}

/* The answer to the offer in our 18x. */
static void take_answer(struct leg *leg, struct sip_txn *txn,
			const struct sip_view *view)
{
	struct sdp *answer = NULL;
	int status = offer_read(leg, view, &answer);

	if (status || !answer) {
		answer_prack(txn, status ? status : 400);
		refuse_invite(leg, 500, "no-answer-in-prack");
		return;
	}
	answer_prack(txn, 200);
	leg->offer_sent = false;
	leg->rel.settled = true;
	offer_hear(leg, answer);
	if (leg->conf.ops->pracked)
		leg->conf.ops->pracked(leg->conf.arg, leg, answer);
	send_next(leg);
}

/* RFC 3262 5: once the 18x has brought the answer, its PRACK may bring another
 * offer, which is dealt with as an UPDATE's. */
static void take_offer(struct leg *leg, struct sip_txn *txn,
		       const struct sip_view *view)
{
	struct sdp *offer = NULL;
	int status = leg->rel.settled && leg->change == CHANGE_NONE ? 0 : 500;

	if (!status)
		status = offer_read(leg, view, &offer);
	if (status)
		change_refuse(leg, txn, status);
	else if (offer)
		change_take(leg, txn, view, offer);
	else
		answer_prack(txn, 200);
	send_next(leg);
}

void prack_in(struct leg *leg, struct sip_txn *txn, const struct sip_view *view)
{
	struct leg_rel *rel = &leg->rel;

	if (!leg->incoming || !leg->invite || !rel->due ||
	    !sip_txn_pracked(leg->invite, view)) {
		answer_prack(txn, 481);
		return;
	}
	rel->due = false;
	if (rel->offered && !rel->settled && rel->due_sdp) {
		take_answer(leg, txn, view);
	} else if (view->body.n) {
		take_offer(leg, txn, view);
	} else {
		answer_prack(txn, 200);
		send_next(leg);
	}
}

/* ---- out: what the peer sends reliably -------------------------------------- */

bool prack_is_reliable(const struct leg *leg, const struct sip_view *view)
{
	return leg->rel.can && view->rseq && view->requires_100rel &&
	       view->to_tag;
}

static struct leg_early *early_of(struct leg *leg, const char *tag)
{
	struct leg_rel *rel = &leg->rel;

	for (unsigned i = 0; tag && i < rel->n_early; i++) {
		if (!strcasecmp(rel->early[i].tag, tag))
			return &rel->early[i];
	}
	return NULL;
}

static struct leg_early *early_add(struct leg *leg, const struct sip_view *view)
{
	struct leg_rel *rel = &leg->rel;
	struct leg_early *e = &rel->early[rel->n_early];

	if (rel->n_early == LEG_EARLY || sip_dialog_early(leg->dialog, view))
		return NULL;
	e->tag = strdup(view->to_tag);
	if (!e->tag)
		return NULL;
	rel->n_early++;
	return e;
}

static int send_prack(struct leg *leg, const struct leg_early *e,
		      const struct sip_rack *rack, const struct sip_message *m)
{
	struct sip_flow flow = leg->flow;
	int err = sip_dialog_prack(leg->dialog, rack, e->tag, m);

	if (err != -ENOTCONN || !leg->conf.is_trunk)
		return err;
	flow.conn = 0; /* as leg_request() */
	leg_move(leg, &flow);
	return sip_dialog_prack(leg->dialog, rack, e->tag, m);
}

/* The answer of fork @e; the first to give one is heard.  Takes @sdp; what
 * the call may know of it. */
static struct sdp *settle_fork(struct leg *leg, struct leg_early *e,
			       struct sdp *sdp)
{
	struct leg_rel *rel = &leg->rel;

	if (e->settled) { /* there was one */
		sdp_free(sdp);
		return NULL;
	}
	e->settled = true;
	if (rel->heard) {
		e->sdp = sdp;
		return NULL;
	}
	rel->heard = e;
	rel->settled = true;
	sip_dialog_prefer(leg->dialog, e->tag);
	offer_hear(leg, sdp);
	return sdp;
}

/* The peer's offer: PRACK waits for leg_prack().  Takes @sdp. */
static int take_late_offer(struct leg *leg, struct leg_early *e,
			   const struct leg_input *in, struct sdp *sdp)
{
	struct leg_rel *rel = &leg->rel;

	if (rel->heard) {
		sdp_free(sdp);
		return 0;
	}
	rel->heard = e;
	sip_dialog_prefer(leg->dialog, e->tag);
	leg->pending = sdp;
	if (offer_open_lines(leg, sdp)) {
		leg_give_up(leg, NULL, 488, "bad-offer");
		return 0;
	}
	rel->owed = (struct sip_rack){.rseq = in->view->rseq,
				      .cseq = in->view->cseq};
	leg->conf.ops->progress(leg->conf.arg, leg, in->status, sdp);
	return 0;
}

/* A peer that answers no PRACK would keep a transaction for each. */
enum { PRACKS_MAX = 64 };

int prack_take(struct leg *leg, const struct leg_input *in)
{
	const struct sip_view *view = in->view;
	const struct sip_rack rack = {.rseq = view->rseq, .cseq = view->cseq};
	struct leg_early *e = early_of(leg, view->to_tag);
	struct sdp *sdp = NULL;

	if (!e)
		e = early_add(leg, view);
	/* Repeated, or one before it is missing (RFC 3262 4). */
	if (!e || (e->rseq && view->rseq != e->rseq + 1) ||
	    leg->rel.n_pracks++ >= PRACKS_MAX)
		return 0;
	e->rseq = view->rseq;
	if (offer_read(leg, view, &sdp)) {
		sdp_free(sdp);
		sdp = NULL;
	}
	if (sdp && !leg->rel.asked && !e->settled)
		return take_late_offer(leg, e, in, sdp);
	if (sdp)
		sdp = settle_fork(leg, e, sdp);
	send_prack(leg, e, &rack, &(struct sip_message){0});
	leg->conf.ops->progress(leg->conf.arg, leg, in->status, sdp);
	return 0;
}

int leg_prack(struct leg *leg, const struct sdp *answer)
{
	struct leg_rel *rel = &leg->rel;
	struct sip_message m = {.content_type = "application/sdp"};
	char mem[LEG_SDP_BYTES];
	int err;

	if (!rel->owed.rseq || !leg->pending || leg->state != LEG_RINGING)
		return -EPROTO;
	err = offer_write(leg, answer, leg->pending, mem, &m.body);
	if (!err)
		err = send_prack(leg, rel->heard, &rel->owed, &m);
	if (err)
		return err;
	rel->owed.rseq = 0;
	rel->heard->settled = true;
	rel->settled = true;
	offer_hear(leg, leg->pending);
	leg->pending = NULL;
	return 0;
}

bool prack_win(struct leg *leg, const struct sip_view *answer)
{
	struct leg_early *e = early_of(leg, answer->to_tag);

	if (leg->rel.heard && leg->rel.heard != e)
		change_abandon(leg);
	leg->rel.settled = e && e->settled;
	if (!leg->rel.settled)
		return false;
	if (e->sdp)
		offer_hear(leg, e->sdp);
	e->sdp = NULL;
	leg->rel.heard = e;
	return true;
}
