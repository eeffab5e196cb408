/*
 * leg_change.c - requests inside the dialog: re-INVITE in both directions,
 * glare, INFO
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A re-INVITE of one peer is carried to the other, whose answer comes back
 * the same way; nothing of the media changes before that answer.
 *
 *   peer X      leg X                 leg Y      peer Y
 *     | INVITE -> | CHANGE_IN  change() | CHANGE_OUT -> INVITE |
 *     |           |                     | <- 200               |
 *     | <- 200    | CHANGE_IN_ACK       | CHANGE_OUT_ACK       |
 *     | ACK ->    | NONE     acked()    | NONE   -> ACK        |
 *
 * Glare (RFC 3261 14.1, 14.2): a second INVITE while the first is not
 * answered gets 500 + Retry-After; one that crosses ours gets 491, and a 491
 * from Y goes back to X, whose timers settle who tries again first.
 */
#include <errno.h>
#include <stdio.h>

#include "core/rand.h"
#include "leg/leg_priv.h"

enum {
	/* A peer that rings on our re-INVITE would bar every other change. */
	PATIENCE_MS = 60000,
};

static void refuse_change(struct sip_txn *txn, int status)
{
	char after[8];
	struct sip_header h = {"Retry-After", after};

	snprintf(after, sizeof(after), "%u", rand_below(11));
	sip_txn_answer(txn, &(struct sip_message){
				    .status = status,
				    .headers = &h,
				    .n_headers = status == 500 ? 1 : 0,
			    });
	sip_txn_release(txn);
}

/* Forget the re-INVITE under way; the leg stays as it was. */
static void drop_change(struct leg *leg)
{
	sip_txn_release(leg->reinvite);
	leg->reinvite = NULL;
	leg->change = CHANGE_NONE;
	leg->offer_sent = false;
	sdp_free(leg->pending);
	leg->pending = NULL;
	offer_undo(leg);
	timer_cancel(leg->conf.loop, &leg->patience);
}

void change_release(struct leg *leg)
{
	const struct sip_message ack = {.method = SIP_ACK};

	if (leg->change == CHANGE_IN)
		sip_txn_answer(leg->reinvite,
			       &(struct sip_message){.status = 487});
	if (leg->change == CHANGE_OUT)
		sip_txn_cancel(leg->reinvite);
	if (leg->change == CHANGE_OUT_ACK)
		sip_dialog_ack(leg->dialog, leg->reinvite, &ack);
	if (leg->change != CHANGE_NONE)
		drop_change(leg);
	sip_txn_release(leg->info_in);
	sip_txn_release(leg->info_out);
	leg->info_in = leg->info_out = NULL;
}

/* The 2xx to the peer's re-INVITE was ACKed. */
static void change_acked(struct leg *leg, const struct sip_view *view)
{
	struct sdp *answer = NULL;
	bool offered = leg->offer_sent;

	if (offered && (offer_read(leg, view, &answer) || !answer)) {
		leg_give_up(leg, NULL, 0, "no-answer-in-ack");
		return;
	}
	if (answer) {
		offer_hear(leg, answer);
		offer_settle(leg, NULL);
	}
	drop_change(leg);
	leg->conf.ops->acked(leg->conf.arg, leg, answer);
}

static void reinvite_event(void *arg, struct sip_txn *txn,
			   enum sip_txn_event event,
			   const struct sip_view *view)
{
	struct leg *leg = arg;

	switch (event) {
	case SIP_TXN_ACK:
		if (leg->change == CHANGE_IN_ACK)
			change_acked(leg, view);
		break;
	case SIP_TXN_CANCEL:
		drop_change(leg);
		leg->conf.ops->change_cancelled(leg->conf.arg, leg);
		break;
	case SIP_TXN_NO_ACK: /* RFC 3261 14.2: end the dialog */
		leg_give_up(leg, NULL, 0, "no-ack");
		break;
	case SIP_TXN_NO_PRACK: /* only 100 is sent for a re-INVITE */
		break;
	}
}

void change_invite_in(struct leg *leg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct sdp *offer;
	int status;

	if (leg->change == CHANGE_OUT || leg->change == CHANGE_OUT_ACK) {
		refuse_change(txn, 491);
		return;
	}
	if (leg->change != CHANGE_NONE) {
		refuse_change(txn, 500);
		return;
	}
	if (leg->state != LEG_UP) {
		refuse_change(txn, leg->state < LEG_UP ? 491 : 481);
		return;
	}
	status = offer_read(leg, view, &offer);
	if (status) {
		refuse_change(txn, status);
		return;
	}
	sip_dialog_retarget(leg->dialog, view);
	sip_txn_listen(txn, reinvite_event, leg);
	sip_txn_answer(txn, &(struct sip_message){.status = 100});
	leg->change = CHANGE_IN;
	leg->reinvite = txn;
	leg->pending = offer;
	leg->conf.ops->change(leg->conf.arg, leg, offer);
}

static void refuse_asker(struct leg *leg, int status)
{
	sip_txn_answer(leg->reinvite, &(struct sip_message){.status = status});
	drop_change(leg);
}

int leg_change_answer(struct leg *leg, int status, const struct sdp *sdp)
{
	char mem[LEG_SDP_BYTES];
	struct sip_message m = {
		.status = 200,
		.contact = true,
		.content_type = "application/sdp",
	};
	int err;

	if (leg->change != CHANGE_IN)
		return -EPROTO; /* cancelled meanwhile */
	if (status >= 300) {
		refuse_asker(leg, status);
		return 0;
	}
	err = offer_open_lines(leg, leg->pending ? leg->pending : sdp);
	if (!err)
		err = offer_write(leg, sdp, leg->pending, mem, &m.body);
	if (err) {
		refuse_asker(leg, err == -EINVAL ? 488 : 503);
		return err;
	}
	sip_txn_answer(leg->reinvite, &m);
	leg->change = CHANGE_IN_ACK;
	leg->offer_sent = !leg->pending;
	if (leg->pending) {
		offer_hear(leg, leg->pending);
		leg->pending = NULL;
		offer_settle(leg, sdp);
	}
	return 0;
}

/* Ends the leg when the peer says that the dialog is no more (RFC 3261
 * 12.2.1.2). */
static void change_refused(struct leg *leg, int status)
{
	drop_change(leg);
	leg->conf.ops->changed(leg->conf.arg, leg, status, NULL);
	if (status == 481 || status == 408)
		leg_give_up(leg, NULL, 0, "gone");
}

static void change_answered(void *arg, struct sip_txn *txn,
			    const struct sip_view *view)
{
	struct leg *leg = arg;
	struct sdp *sdp = NULL;

	if (view->status < 200 || leg->change != CHANGE_OUT)
		return;
	if (view->status >= 300) {
		change_refused(leg, view->status);
		return;
	}
	leg->change = CHANGE_OUT_ACK;
	timer_cancel(leg->conf.loop, &leg->patience);
	sip_dialog_retarget(leg->dialog, view);
	if (offer_read(leg, view, &sdp) || !sdp) {
		leg_change_ack(leg, NULL);
		leg->conf.ops->changed(leg->conf.arg, leg, 488, NULL);
		return;
	}
	if (leg->offer_sent) {
		offer_hear(leg, sdp);
		offer_settle(leg, NULL);
	} else {
		leg->pending = sdp;
	}
	leg->conf.ops->changed(leg->conf.arg, leg, view->status, sdp);
}

bool leg_is_changing(const struct leg *leg)
{
	return leg->change != CHANGE_NONE;
}

static void out_of_patience(void *arg)
{
	leg_change_cancel(arg);
}

int leg_change(struct leg *leg, const struct sdp *offer)
{
	char mem[LEG_SDP_BYTES];
	struct sip_message m = {.method = SIP_INVITE, .contact = true};
	int err = 0;

	if (leg->state != LEG_UP || leg->change != CHANGE_NONE)
		return -EAGAIN;
	if (offer) {
		err = offer_open_lines(leg, offer);
		if (!err)
			err = offer_write(leg, offer, NULL, mem, &m.body);
		m.content_type = "application/sdp";
	}
	if (!err)
		err = leg_request(leg, &leg->reinvite, &m, change_answered);
	if (err) {
		offer_undo(leg);
		return err;
	}
	timer_set(leg->conf.loop, &leg->patience, PATIENCE_MS, out_of_patience,
		  leg);
	leg->change = CHANGE_OUT;
	leg->offer_sent = offer != NULL;
	return 0;
}

void leg_change_cancel(struct leg *leg)
{
	if (leg->change == CHANGE_OUT)
		sip_txn_cancel(leg->reinvite);
}

int leg_change_ack(struct leg *leg, const struct sdp *answer)
{
	char mem[LEG_SDP_BYTES];
	struct sip_message m = {.method = SIP_ACK};
	int err;

	if (leg->change != CHANGE_OUT_ACK)
		return -EPROTO;
	if (leg->pending && answer) {
		err = offer_open_lines(leg, leg->pending);
		if (!err)
			err = offer_write(leg, answer, leg->pending, mem,
					  &m.body);
		if (!err) {
			m.content_type = "application/sdp";
			offer_hear(leg, leg->pending);
			leg->pending = NULL;
			offer_settle(leg, answer);
		}
	}
	err = sip_dialog_ack(leg->dialog, leg->reinvite, &m);
	drop_change(leg);
	return err;
}

/* ---- INFO (RFC 6086, and the DTMF of many phones) ------------------------ */

void change_info_in(struct leg *leg, struct sip_txn *txn,
		    const struct sip_view *view)
{
	if (leg->info_in || leg->state != LEG_UP) {
		refuse_change(txn, leg->info_in ? 500 : 481);
		return;
	}
	leg->info_in = txn;
	leg->conf.ops->info(leg->conf.arg, leg, view);
}

void leg_info_answer(struct leg *leg, int status)
{
	if (!leg->info_in)
		return;
	sip_txn_answer(leg->info_in, &(struct sip_message){.status = status});
	sip_txn_release(leg->info_in);
	leg->info_in = NULL;
}

static void info_answered(void *arg, struct sip_txn *txn,
			  const struct sip_view *view)
{
	struct leg *leg = arg;

	if (view->status < 200)
		return;
	sip_txn_release(leg->info_out);
	leg->info_out = NULL;
	leg->conf.ops->info_answered(leg->conf.arg, leg, view->status);
}

int leg_info(struct leg *leg, const struct sip_view *info)
{
	struct sip_message m = {
		.method = SIP_INFO,
		.content_type = info->body.n ? info->content_type : NULL,
		.body = info->body,
	};

	if (leg->state != LEG_UP || leg->info_out)
		return -EAGAIN;
	return leg_request(leg, &leg->info_out, &m, info_answered);
}
