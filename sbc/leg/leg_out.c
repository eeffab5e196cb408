/*
 * leg_out.c - what an outgoing leg sends and takes while it is set up
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "leg/leg_priv.h"

enum {
	/* The INVITE went out four times by then (RFC 3261 17.1.1.2). */
	UNHEARD_MS = 4000,
};

static void invite_answered(void *arg, struct sip_txn *txn,
			    const struct sip_view *view)
{
	struct leg *leg = arg;
	struct leg_input in = {.view = view, .status = view->status};

	leg->heard |= !view->internal;
	if (view->status == 100 ||
	    session_raise(leg, &leg->invite, view, invite_answered))
		return;
	change_note(leg, view);
	if (view->status < 200)
		leg_step(leg, GOT_18X, &in);
	else if (view->status < 300)
		leg_step(leg, GOT_2XX, &in);
	else
		leg_step(leg, GOT_REFUSAL, &in);
}

enum { LEG_INVITE_HEADERS = 64 }; /* ours, and those of leg_invite() */

int out_send_invite(struct leg *leg, const struct leg_input *in)
{
	char mem[LEG_SDP_BYTES];
	struct sip_header headers[LEG_INVITE_HEADERS];
	struct session_headers session;
	struct sip_message m = {
		.method = SIP_INVITE,
		.contact = true,
		.max_forwards = in->max_forwards,
		.headers = headers,
	};
	int err;

	headers[m.n_headers++] = (struct sip_header){"Allow", SIP_ALLOW};
	session_ask(leg, &session);
	for (unsigned i = 0; i < session.n; i++)
		headers[m.n_headers++] = session.list[i];
	if (leg->rel.can)
		headers[m.n_headers++] = (struct sip_header){
			leg->rel.must ? "Require" : "Supported", "100rel"};
	for (unsigned i = 0;
	     i < in->n_headers && m.n_headers < LEG_INVITE_HEADERS; i++)
		headers[m.n_headers++] = in->headers[i];
	if (in->sdp) {
		err = offer_open_lines(leg, in->sdp);
		if (!err)
			err = offer_write(leg, in->sdp, NULL, mem, &m.body);
		if (err)
			return err;
		m.content_type = "application/sdp";
		leg->offer_sent = leg->rel.asked = true;
	}
	leg->invited = clock_mono();
	return sip_dialog_request(leg->dialog, &leg->invite, &m,
				  invite_answered, leg);
}

/*
 * An answer in an unreliable 18x is a preview of the one in the 2xx
 * (RFC 3261 13.2.1): it opens early media.  A bad one is only ignored.
 */
int out_take_progress(struct leg *leg, const struct leg_input *in)
{
	struct sdp *sdp = NULL;

	str_copy(leg->early_tag, sizeof(leg->early_tag),
		 str_of(in->view->to_tag));
	if (prack_is_reliable(leg, in->view))
		return prack_take(leg, in);
	if (!offer_read(leg, in->view, &sdp) && sdp && leg->rel.asked &&
	    !leg->rel.heard) {
		offer_hear(leg, sdp);
	} else {
		sdp_free(sdp);
		sdp = NULL;
	}
	leg->conf.ops->progress(leg->conf.arg, leg, in->status, sdp);
	return 0;
}

/* A 2xx with a description that cannot be: ACK it, end it. */
static int refuse_answer(struct leg *leg, const char *cause)
{
	leg_give_up(leg, "SIP;cause=488;text=\"Not Acceptable Here\"", 488,
		    cause);
	return 0;
}

int out_take_answer(struct leg *leg, const struct leg_input *in)
{
	struct sdp *sdp = NULL;
	int status;

	sip_dialog_establish(leg->dialog, in->view);
	session_granted(leg, in->view);
	status = offer_read(leg, in->view, &sdp);
	if (prack_win(leg, in->view)) { /* the 18x has said it */
		sdp_free(sdp);
		offer_settle(leg, NULL);
		leg->conf.ops->answered(leg->conf.arg, leg, leg->peer_sdp);
		return 0;
	}
	/* An answer may stand in the 18x alone, though it should not. */
	if (status || (!sdp && !(leg->rel.asked && leg->peer_sdp))) {
		sdp_free(sdp);
		return refuse_answer(leg, "bad-answer");
	}
	if (!leg->rel.asked) {          /* the 2xx carries the offer */
		sdp_free(leg->pending); /* of an 18x that was not answered */
		leg->pending = sdp;
		if (offer_open_lines(leg, sdp))
			return refuse_answer(leg, "bad-offer");
	} else {
		offer_hear(leg, sdp ? sdp : leg->peer_sdp);
		offer_settle(leg, NULL);
	}
	leg->conf.ops->answered(leg->conf.arg, leg, sdp ? sdp : leg->peer_sdp);
	return 0;
}

int out_take_refusal(struct leg *leg, const struct leg_input *in)
{
	/* A peer's 503 speaks for that peer alone (RFC 3261 16.7 step 6), and
	 * so does its 422; the stack's own means that it cannot be reached. */
	int status =
		in->status == 422 || (in->status == 503 && !in->view->internal)
			? 500
			: in->status;

	reason_hear(leg, in->view);
	if (!leg->heard)
		flow_missed(leg);
	if (!in->view->internal) {
		leg->refusal = in->status;
		leg->retry_after_s = in->view->retry_after;
	}
	if (status < 400 && leg->conf.ops->redirected)
		leg->conf.ops->redirected(leg->conf.arg, leg, in->view);
	leg_tell_ended(leg, status, "rejected");
	return 0;
}

int out_send_ack(struct leg *leg, const struct leg_input *in)
{
	char mem[LEG_SDP_BYTES];
	struct sip_message m = {.method = SIP_ACK};
	int err;

	if (leg->pending && in->sdp) {
		err = offer_write(leg, in->sdp, leg->pending, mem, &m.body);
		if (err)
			return err;
		m.content_type = "application/sdp";
		offer_hear(leg, leg->pending);
		leg->pending = NULL;
		offer_settle(leg, in->sdp);
	}
	if (leg->change == CHANGE_NONE) /* else it is that of an UPDATE */
		leg->offer_sent = false;
	err = sip_dialog_ack(leg->dialog, leg->invite, &m);
	if (!err)
		leg_release_invite(leg);
	return err;
}

int leg_refusal(const struct leg *leg, int64_t *retry_after_s)
{
	*retry_after_s = leg->refusal ? leg->retry_after_s : -1;
	return leg->refusal;
}

bool leg_was_heard(const struct leg *leg)
{
	return leg->heard;
}

int out_send_cancel(struct leg *leg, const struct leg_input *in)
{
	/* The caller may be gone long before the INVITE times out. */
	if (!leg->heard && clock_mono() - leg->invited >= UNHEARD_MS)
		flow_missed(leg);
	sip_txn_cancel_for(leg->invite, in->reason);
	return 0;
}

/* A 2xx that nobody wants any more (it crossed our CANCEL, or its
 * description was bad). */
int out_ack_and_bye(struct leg *leg, const struct leg_input *in)
{
	if (leg->bye)
		return 0; /* a repeated 2xx */
	if (in->view)
		sip_dialog_establish(leg->dialog, in->view);
	sip_dialog_ack(leg->dialog, leg->invite,
		       &(struct sip_message){.method = SIP_ACK});
	return leg_send_bye(leg, in);
}

int leg_invite(struct leg *leg, const struct sdp *offer, int max_forwards,
	       const struct sip_header *headers, unsigned n_headers)
{
	return leg_step(leg, DO_INVITE,
			&(struct leg_input){
				.sdp = offer,
				.max_forwards = max_forwards,
				.headers = headers,
				.n_headers = n_headers,
			});
}

int leg_ack(struct leg *leg, const struct sdp *answer)
{
	return leg_step(leg, DO_ACK, &(struct leg_input){.sdp = answer});
}
