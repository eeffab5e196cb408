/*
 * leg_in.c - what an incoming leg sends and takes while it is set up
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>

#include "core/rand.h"
#include "leg/leg_priv.h"

int leg_read_invite(struct leg *leg, const struct sdp **offer)
{
	struct sdp *sdp;
	int status, err;

	*offer = NULL;
	status = session_hear(leg, sip_txn_view(leg->invite));
	if (status)
		return status;
	status = offer_read(leg, sip_txn_view(leg->invite), &sdp);
	if (status || !sdp)
		return status;
	err = offer_open_lines(leg, sdp);
	if (err) {
		sdp_free(sdp);
		return err == -EINVAL ? 488 : 503;
	}
	leg->pending = sdp;
	*offer = sdp;
	return 0;
}

/* Write @sdp for the peer into a message; without @sdp no body. */
static int put_sdp(struct leg *leg, struct sip_message *m,
		   const struct sdp *sdp, char *mem)
{
	if (!sdp)
		return 0;
	m->content_type = "application/sdp";
	return offer_write(leg, sdp,
			   leg->pending ? leg->pending : leg->peer_sdp, mem,
			   &m->body);
}

/* Our answer goes out: the offer we hold becomes the peer's description. */
static void offer_answered(struct leg *leg)
{
	struct sdp *offer = leg->pending ? leg->pending : leg->peer_sdp;

	leg->pending = NULL;
	if (offer)
		offer_hear(leg, offer);
}

/*
 * Early media: the peer's offer counts from now on.  The answer in the 200 may
 * still differ (another fork won): only that one settles the session.
 */
int in_send_ring(struct leg *leg, const struct leg_input *in)
{
	char mem[LEG_SDP_BYTES];
	struct sip_message m = {.status = in->status, .contact = true};
	const struct sdp *sdp = prack_ring_sdp(leg, in->sdp);
	bool offering = sdp && !leg->peer_sdp && !leg->pending;
	bool reliably = prack_wants(leg, sdp);
	int err;

	if (!reliably && sip_txn_view(leg->invite)->requires_100rel)
		return 0; /* nothing that the peer may have yet */
	err = offering ? offer_open_lines(leg, sdp) : 0;
	if (!err)
		err = put_sdp(leg, &m, sdp, mem);
	if (err)
		return err;
	if (sdp && !offering)
		offer_answered(leg);
	return reliably ? prack_ring(leg, &m, offering)
			: sip_txn_answer(leg->invite, &m);
}

int in_send_200(struct leg *leg, struct sip_message *m)
{
	struct session_headers h;

	session_grant(leg, &h);
	h.list[h.n++] = (struct sip_header){"Allow", SIP_ALLOW};
	h.list[h.n++] = (struct sip_header){"Accept", "application/sdp"};
	m->headers = h.list;
	m->n_headers = h.n;
	return sip_txn_answer(leg->invite, m);
}

int in_send_answer(struct leg *leg, const struct leg_input *in)
{
	char mem[LEG_SDP_BYTES];
	struct sip_message m = {.status = 200, .contact = true};
	bool late_offer = !leg->peer_sdp && !leg->pending;
	int err;

	if (leg->rel.settled) {
		err = prack_put_same(leg, &m, in->sdp, mem);
		return err ? err : in_send_200(leg, &m);
	}
	err = late_offer && in->sdp ? offer_open_lines(leg, in->sdp) : 0;
	if (!err)
		err = put_sdp(leg, &m, in->sdp, mem);
	if (err)
		return err;
	leg->offer_sent = leg->rel.asked = late_offer;
	offer_answered(leg);
	if (!late_offer && in->sdp)
		offer_settle(leg, in->sdp);
	return in_send_200(leg, &m);
}

int in_send_reject(struct leg *leg, const struct leg_input *in)
{
	struct session_headers h = {.n = 0};
	char mapped[LEG_REASON_BYTES], after[8];
	const char *reason = in->reason ? in->reason : mapped;

	reason_of(in->status, mapped);
	if (reason[0])
		h.list[h.n++] = (struct sip_header){"Reason", reason};
	if (in->status == 422)
		session_refuse(leg, &h);
	else if (in->status == 415) /* RFC 3261 21.4.13 */
		h.list[h.n++] =
			(struct sip_header){"Accept", "application/sdp"};
	if (in->status == 503) { /* a peer's is 500 here: it is our own */
		snprintf(after, sizeof(after), "%u", 2 + rand_below(9));
		h.list[h.n++] = (struct sip_header){"Retry-After", after};
	}
	sip_txn_answer(leg->invite, &(struct sip_message){
					    .status = in->status,
					    .headers = h.list,
					    .n_headers = h.n,
				    });
	leg->told_ended = true;
	return 0;
}

/* The call goes away while the caller still waits. */
int in_send_busy_end(struct leg *leg, const struct leg_input *in)
{
	const struct sip_header reason = {"Reason", in->reason};

	sip_txn_answer(leg->invite,
		       &(struct sip_message){
			       .status = reason_status(in->reason, 480),
			       .headers = &reason,
			       .n_headers = in->reason ? 1 : 0,
		       });
	return 0;
}

int in_take_ack(struct leg *leg, const struct leg_input *in)
{
	struct sdp *answer = NULL;

	if (leg->rel.asked) {
		leg->offer_sent = leg->rel.asked = false;
		if (offer_read(leg, in->view, &answer) || !answer) {
			/* A 2xx offer without answer: there is no session
			 * (RFC 3261 13.2.2.4). */
			leg_give_up(leg, NULL, 0, "no-answer-in-ack");
			return 0;
		}
		offer_hear(leg, answer);
		offer_settle(leg, NULL);
	} else if (in->view) {
		flow_judge(leg, in->view, NULL);
	}
	leg->conf.ops->acked(leg->conf.arg, leg, answer);
	return 0;
}

int in_no_ack(struct leg *leg, const struct leg_input *in)
{
	leg_send_bye(leg, in);
	leg_tell_ended(leg, 0, "no-ack");
	return 0;
}

/* The stack has answered CANCEL and INVITE. */
int in_cancelled(struct leg *leg, const struct leg_input *in)
{
	if (in->view)
		reason_hear(leg, in->view);
	leg_tell_ended(leg, 487, "cancel");
	return 0;
}

/* A caller may end an early dialog with BYE (RFC 3261 15). */
int in_early_bye(struct leg *leg, const struct leg_input *in)
{
	sip_txn_answer(in->txn, &(struct sip_message){.status = 200});
	sip_txn_release(in->txn);
	sip_txn_answer(leg->invite, &(struct sip_message){.status = 487});
	leg_tell_ended(leg, 487, "cancel");
	return 0;
}

void in_invite_event(void *arg, struct sip_txn *txn, enum sip_txn_event event,
		     const struct sip_view *view)
{
	static const enum leg_event events[] = {
		[SIP_TXN_ACK] = GOT_ACK,
		[SIP_TXN_CANCEL] = GOT_CANCEL,
		[SIP_TXN_NO_ACK] = GOT_NO_ACK,
	};
	struct leg *leg = arg;

	if (event == SIP_TXN_NO_PRACK) {
		prack_missed(leg);
		return;
	}
	leg_step(leg, events[event], &(struct leg_input){.view = view});
	if (event != SIP_TXN_CANCEL)
		leg_release_invite(leg);
}

void leg_ring(struct leg *leg, int status, const struct sdp *sdp)
{
	leg_step(leg, DO_RING,
		 &(struct leg_input){.status = status, .sdp = sdp});
}

int leg_answer(struct leg *leg, const struct sdp *sdp)
{
	return leg_step(leg,
			prack_holds_answer(leg) ? DO_KEEP_ANSWER : DO_ANSWER,
			&(struct leg_input){.sdp = sdp});
}

void leg_reject(struct leg *leg, int status)
{
	leg_reject_for(leg, status, NULL);
}

void leg_reject_for(struct leg *leg, int status, const char *reason)
{
	leg_step(leg, DO_REJECT,
		 &(struct leg_input){.status = status, .reason = reason});
}
