/*
 * leg_change.c - another session inside the dialog: re-INVITE in both
 * directions, glare
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A re-INVITE of one peer is carried to the other, whose answer comes back
 * the same way; nothing of the media changes before that answer.  UPDATE
 * (leg_update.c) and what we send by ourselves (leg_own.c) go the same ways.
 * An offer that changes nothing goes no further than here: the peer hears what
 * it heard last, and the other one is not disturbed.
 *
 *   peer X      leg X                 leg Y      peer Y
 *     | INVITE -> | CHANGE_IN  change() | CHANGE_OUT -> INVITE |
 *     |           |                     | <- 200               |
 *     | <- 200    | CHANGE_IN_ACK       | CHANGE_OUT_ACK       |
 *     | ACK ->    | NONE     acked()    | NONE   -> ACK        |
 *
 * Glare (RFC 3261 14.1, 14.2): a second INVITE while the first is not
 * answered gets 500 + Retry-After; one that crosses ours gets 491, and a 491
 * from Y goes back to X, whose timers settle who tries again first.  A 491 to
 * what was ours alone is waited out here.
 */
#include <errno.h>
#include <stdio.h>

#include "core/rand.h"
#include "leg/leg_priv.h"

enum {
	/* A peer that rings on our re-INVITE would bar every other change. */
	PATIENCE_MS = 60000,
	/* The same, when an UPDATE waits for it: that ends after 32 s. */
	PATIENCE_UPDATE_MS = 25000,
};

static void answer_refusal(struct leg *leg, struct sip_txn *txn, int status)
{
	struct session_headers h = {.n = 0};
	char after[8];

	/* Only our own 500 says that it may come again. */
	if (status == 500 && txn != leg->reinvite) {
		snprintf(after, sizeof(after), "%u", rand_below(11));
		h.list[h.n++] = (struct sip_header){"Retry-After", after};
	} else if (status == 488) {
		h.list[h.n++] = (struct sip_header){
			"Warning", "399 sbc \"Session cannot be had\""};
	} else if (status == 422) {
		session_refuse(leg, &h);
	}
	sip_txn_answer(txn, &(struct sip_message){
				    .status = status,
				    .headers = h.list,
				    .n_headers = h.n,
			    });
}

void change_refuse(struct leg *leg, struct sip_txn *txn, int status)
{
	answer_refusal(leg, txn, status);
	sip_txn_release(txn);
}

/* Forget what is under way; the leg stays as it was. */
static void drop_change(struct leg *leg)
{
	sip_txn_release(leg->reinvite);
	leg->reinvite = NULL;
	leg->change = CHANGE_NONE;
	leg->offer_sent = false;
	sdp_free(leg->pending);
	leg->pending = NULL;
	leg->change_is_local = false;
	offer_undo(leg);
	timer_cancel(leg->conf.loop, &leg->patience);
	own_look(leg);
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
	own_release(leg);
	session_release(leg);
	info_release(leg);
	keys_release(leg);
}

/* The 2xx to the peer's re-INVITE was ACKed. */
static void change_acked(struct leg *leg, const struct sip_view *view)
{
	struct sdp *answer = NULL;
	bool offered = leg->offer_sent, local = leg->change_is_local;

	if (offered && (offer_read(leg, view, &answer) || !answer)) {
		leg_give_up(leg, NULL, 0, "no-answer-in-ack");
		return;
	}
	if (answer) {
		offer_hear(leg, answer);
		offer_settle(leg, NULL);
	}
	drop_change(leg);
	if (!local)
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
		change_refuse(leg, txn, 491);
		return;
	}
	if (leg->change != CHANGE_NONE) {
		change_refuse(leg, txn, 500);
		return;
	}
	if (leg->state != LEG_UP) {
		change_refuse(leg, txn, leg->state < LEG_UP ? 491 : 481);
		return;
	}
	status = session_hear(leg, view);
	if (!status)
		status = offer_read(leg, view, &offer);
	if (status) {
		change_refuse(leg, txn, status);
		return;
	}
	sip_txn_listen(txn, reinvite_event, leg);
	sip_txn_answer(txn, &(struct sip_message){.status = 100});
	change_take(leg, txn, view, offer);
}

void change_take(struct leg *leg, struct sip_txn *txn,
		 const struct sip_view *view, struct sdp *offer)
{
	sip_dialog_retarget(leg->dialog, view);
	leg->change = CHANGE_IN;
	leg->change_by_update = view->method != SIP_INVITE;
	leg->reinvite = txn;
	leg->pending = offer;
	leg->change_is_local = offer && leg->said && leg->peer_sdp &&
			       sdp_same(offer, leg->peer_sdp);
	if (leg->change_is_local)
		leg_change_keep(leg);
	else
		leg->conf.ops->change(leg->conf.arg, leg, offer);
}

bool leg_change_is_update(const struct leg *leg)
{
	return leg->change == CHANGE_IN && leg->change_by_update;
}

static void refuse_asker(struct leg *leg, int status)
{
	answer_refusal(leg, leg->reinvite, status);
	drop_change(leg);
}

/* Our 200 goes out: what the peer offered counts, if @ours answers it. */
static void send_200(struct leg *leg, struct sip_message *m,
		     const struct sdp *ours)
{
	struct session_headers h;
	bool by_update = leg->change_by_update;

	session_grant(leg, &h);
	h.list[h.n++] = (struct sip_header){"Allow", SIP_ALLOW};
	m->headers = h.list;
	m->n_headers = h.n;
	sip_txn_answer(leg->reinvite, m);
	leg->change = CHANGE_IN_ACK;
	leg->offer_sent = !leg->pending;
	if (leg->pending) {
		/* The same again must not disturb the media. */
		if (!leg->change_is_local)
			offer_hear(leg, leg->pending);
		else
			sdp_free(leg->pending);
		leg->pending = NULL;
		offer_settle(leg, ours);
	}
	if (by_update)
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
	send_200(leg, &m, sdp);
	return 0;
}

int leg_change_keep(struct leg *leg)
{
	char mem[LEG_SDP_BYTES];
	struct sip_message m = {
		.status = 200,
		.contact = true,
		.content_type = "application/sdp",
	};
	int err;

	if (leg->change != CHANGE_IN)
		return -EPROTO;
	if (!leg->pending || !leg->said || !leg->peer_sdp ||
	    !sdp_alike(leg->pending, leg->peer_sdp))
		return -EINVAL;
	err = offer_write_again(leg, leg->pending, mem, &m.body);
	if (err) {
		refuse_asker(leg, 503);
		return 0;
	}
	send_200(leg, &m, NULL);
	return 0;
}

static void tell_changed(struct leg *leg, int status, const struct sdp *sdp)
{
	if (leg->own.sent == OWN_NONE)
		leg->conf.ops->changed(leg->conf.arg, leg, status, sdp);
	else
		own_done(leg, status, sdp);
}

/* Ends the leg when the peer says that the dialog is no more (RFC 3261
 * 12.2.1.2). */
static void change_refused(struct leg *leg, const struct sip_view *view)
{
	int status = view->status;

	if (leg->change_by_update && (status == 405 || status == 501))
		leg->session.no_update = true;
	drop_change(leg);
	if (leg->own.sent != OWN_NONE)
		own_refused(leg, view);
	else /* how long sessions last is no business of the other side */
		tell_changed(leg, status == 422 ? 500 : status, NULL);
	if (status == 481 || status == 408)
		leg_give_up(leg, NULL, 0, "gone");
}

/* The 2xx with @sdp is as it should be; an UPDATE is over with it. */
static void change_agreed(struct leg *leg, int status, struct sdp *sdp)
{
	bool by_own = leg->own.sent != OWN_NONE;
	bool same;

	if (!leg->offer_sent) {
		leg->pending = sdp;
		tell_changed(leg, status, sdp);
		return;
	}
	same = by_own && leg->peer_sdp && sdp_same(sdp, leg->peer_sdp);
	if (same)
		sdp_free(sdp);
	else
		offer_hear(leg, sdp);
	offer_settle(leg, NULL);
	if (leg->change_by_update)
		drop_change(leg);
	else if (by_own)
		leg_change_ack(leg, NULL);
	tell_changed(leg, status, leg->peer_sdp);
}

void change_abandon(struct leg *leg)
{
	switch (leg->change) {
	case CHANGE_OUT:
		drop_change(leg);
		tell_changed(leg, 491, NULL);
		break;
	case CHANGE_IN:
		refuse_asker(leg, 481);
		leg->conf.ops->change_cancelled(leg->conf.arg, leg);
		break;
	default:
		break;
	}
}

static void change_answered(void *arg, struct sip_txn *txn,
			    const struct sip_view *view)
{
	struct leg *leg = arg;
	struct sdp *sdp = NULL;

	if (view->status < 200 || leg->change != CHANGE_OUT ||
	    session_raise(leg, &leg->reinvite, view, change_answered))
		return;
	if (view->status >= 300) {
		change_refused(leg, view);
		return;
	}
	leg->change = CHANGE_OUT_ACK;
	timer_cancel(leg->conf.loop, &leg->patience);
	sip_dialog_retarget(leg->dialog, view);
	change_note(leg, view);
	session_granted(leg, view);
	if (!offer_read(leg, view, &sdp) && sdp) {
		change_agreed(leg, view->status, sdp);
		return;
	}
	if (leg->change_by_update)
		drop_change(leg);
	else
		leg_change_ack(leg, NULL);
	tell_changed(leg, 488, NULL);
}

bool leg_is_changing(const struct leg *leg)
{
	return leg->change != CHANGE_NONE;
}

static void out_of_patience(void *arg)
{
	leg_change_cancel(arg);
}

static int put_offer(struct leg *leg, struct sip_message *m,
		     const struct sdp *offer, char *mem)
{
	int err;

	if (!offer)
		return 0;
	m->content_type = "application/sdp";
	/* What is only repeated opens no ports that a peer has refused. */
	err = offer == leg->said ? 0 : offer_open_lines(leg, offer);
	return err ? err : offer_write(leg, offer, NULL, mem, &m->body);
}

int change_send(struct leg *leg, enum sip_method method,
		const struct sdp *offer)
{
	char mem[LEG_SDP_BYTES];
	struct session_headers h;
	struct sip_message m = {
		.method = method,
		.contact = true,
		.headers = h.list,
	};
	int err;

	session_ask(leg, &h);
	h.list[h.n++] = (struct sip_header){"Allow", SIP_ALLOW};
	m.n_headers = h.n;
	err = put_offer(leg, &m, offer, mem);
	if (!err)
		err = leg_request(leg, &leg->reinvite, &m, change_answered);
	if (err) {
		offer_undo(leg);
		return err;
	}
	leg->change = CHANGE_OUT;
	leg->change_by_update = method == SIP_UPDATE;
	leg->offer_sent = offer != NULL;
	if (method == SIP_INVITE)
		timer_set(leg->conf.loop, &leg->patience, PATIENCE_MS,
			  out_of_patience, leg);
	return 0;
}

int leg_change(struct leg *leg, const struct sdp *offer)
{
	if (leg->state != LEG_UP || leg->change != CHANGE_NONE)
		return -EAGAIN;
	return change_send(leg, SIP_INVITE, offer);
}

int leg_update(struct leg *leg, const struct sdp *offer)
{
	bool takes = leg_allows(leg, SIP_UPDATE) && !leg->session.no_update;
	int err;

	if (leg->change != CHANGE_NONE || leg->state > LEG_UP)
		return -EAGAIN;
	if (!update_is_agreed(leg) || (!takes && leg->state != LEG_UP))
		return -EOPNOTSUPP;
	err = change_send(leg, takes ? SIP_UPDATE : SIP_INVITE, offer);
	if (!err && !takes)
		timer_set(leg->conf.loop, &leg->patience, PATIENCE_UPDATE_MS,
			  out_of_patience, leg);
	return err;
}

void leg_change_cancel(struct leg *leg)
{
	if (leg->change == CHANGE_OUT && !leg->change_by_update)
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
