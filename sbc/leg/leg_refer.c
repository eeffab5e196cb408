/*
 * leg_refer.c - a REFER of the peer, and what it is told of the outcome
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A REFER that is taken makes a subscription in the dialog of its own (RFC
 * 3515 2.4.4), whose NOTIFYs carry status lines: one after the other, because
 * nothing else keeps them in order on the way (RFC 6665 4.2.1.2).
 *
 *   peer                 leg                        call
 *     | REFER ->          | refer()  ------------->  202: it will be tried
 *     | <- 202            |
 *     | <- NOTIFY 100     |
 *     | <- NOTIFY 180     | leg_refer_progress(180)
 *     | <- NOTIFY 200     | leg_refer_progress(200)  the last one
 *
 * A BYE ends the session but not the subscription (RFC 5057 4.1): a leg whose
 * peer has hung up stays, dead, until the last NOTIFY is answered.
 */
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "leg/leg_priv.h"

enum { SUBSCRIBED_S = 180 }; /* what the NOTIFYs say is left */

/* ---- NOTIFY ------------------------------------------------------------------ */

static void refer_over(struct leg *leg)
{
	struct leg_refer *r = &leg->refer;

	sip_txn_release(r->notify);
	r->notify = NULL;
	r->n_waiting = 0;
	r->is_active = false;
	if (leg->state == LEG_DEAD) /* it stayed for this alone */
		leg->conf.ops->dead(leg->conf.arg, leg);
}

static void send_next(struct leg *leg);

static void notified(void *arg, struct sip_txn *txn,
		     const struct sip_view *view)
{
	struct leg *leg = arg;

	if (view->status < 200)
		return;
	sip_txn_release(leg->refer.notify);
	leg->refer.notify = NULL;
	/* Whatever the refusal says: nobody listens (RFC 6665 4.2.2). */
	if (leg->refer.is_last || view->status >= 300)
		refer_over(leg);
	else
		send_next(leg);
}

static void send_next(struct leg *leg)
{
	struct leg_refer *r = &leg->refer;
	char event[32] = "refer", state[48], body[128];
	const struct sip_header headers[] = {
		{"Event", event},
		{"Subscription-State", state},
	};
	struct sip_message m = {
		.method = SIP_NOTIFY,
		.contact = true,
		.content_type = "message/sipfrag;version=2.0",
		.headers = headers,
		.n_headers = 2,
	};
	int status;

	if (r->is_held || r->notify || !r->n_waiting)
		return;
	status = r->waiting[0];
	r->n_waiting--;
	for (unsigned i = 0; i < r->n_waiting; i++)
		r->waiting[i] = r->waiting[i + 1];
	r->is_last = status >= 200;
	/* RFC 3515 2.4.6: of the first REFER it may be left out. */
	if (r->n > 1)
		snprintf(event, sizeof(event), "refer;id=%u", r->cseq);
	if (r->is_last)
		snprintf(state, sizeof(state), "terminated;reason=noresource");
	else
		snprintf(state, sizeof(state), "active;expires=%d",
			 SUBSCRIBED_S);
	snprintf(body, sizeof(body), "SIP/2.0 %d %s\r\n", status,
		 sip_phrase(status));
	m.body = str_of(body);
	if (leg_request(leg, &r->notify, &m, notified))
		refer_over(leg); /* no way to the peer */
}

void leg_refer_progress(struct leg *leg, int status)
{
	struct leg_refer *r = &leg->refer;

	if (!r->is_active || r->is_told)
		return;
	r->is_told = status >= 200;
	if (r->is_silent) {
		if (r->is_told)
			refer_over(leg);
		return;
	}
	/* There is always room for the last. */
	if (r->n_waiting == LEG_REFER_WAITING)
		r->n_waiting--;
	r->waiting[r->n_waiting++] = status;
	send_next(leg);
}

bool leg_is_referring(const struct leg *leg)
{
	return leg->refer.is_active;
}

void refer_release(struct leg *leg)
{
	sip_txn_release(leg->refer.notify);
	leg->refer.notify = NULL;
	sip_txn_release(leg->referring.txn);
	leg->referring.txn = NULL;
}

static void refuse(struct sip_txn *txn, int status)
{
	sip_txn_answer(txn, &(struct sip_message){.status = status});
	sip_txn_release(txn);
}

/* ---- REFER of ours, and what the peer notifies ------------------------------- */

static void refer_answered(void *arg, struct sip_txn *txn,
			   const struct sip_view *view)
{
	struct leg *leg = arg;

	if (view->status < 200)
		return;
	sip_txn_release(leg->referring.txn);
	leg->referring.txn = NULL;
	if (view->status < 300)
		return;
	leg->referring.is_active = false;
	leg->conf.ops->referred(leg->conf.arg, leg, view->status);
}

int leg_refer(struct leg *leg, const char *refer_to, const char *referred_by)
{
	const struct sip_header headers[] = {
		{"Refer-To", refer_to},
		{"Referred-By", referred_by},
	};
	const struct sip_message m = {
		.method = SIP_REFER,
		.contact = true,
		.headers = headers,
		.n_headers = 2,
	};
	int err;

	if (leg->state != LEG_UP || leg->referring.is_active ||
	    leg->referring.txn)
		return -EAGAIN;
	err = leg_request(leg, &leg->referring.txn, &m, refer_answered);
	leg->referring.is_active = !err;
	return err;
}

/* The status line that a sipfrag begins with; 0 = there is none. */
static int status_in(const struct sip_view *view)
{
	struct str text = view->body, line, word;
	uint64_t status;

	if (!view->content_type ||
	    strncasecmp(view->content_type, "message/sipfrag", 15) ||
	    !str_line(&text, &line))
		return 0;
	word = str_cut(&line, ' ');
	if (!str_case_eq_c(word, "SIP/2.0") ||
	    str_u64(str_cut(&line, ' '), 699, &status) || status < 100)
		return 0;
	return (int)status;
}

static bool is_terminated(const struct sip_view *view)
{
	struct str state =
		str_of(sip_view_header(view, "Subscription-State", 0));

	return str_case_eq_c(str_trim(str_cut(&state, ';')), "terminated");
}

void notify_in(struct leg *leg, struct sip_txn *txn,
	       const struct sip_view *view)
{
	struct str event = str_of(sip_view_header(view, "Event", 0));
	bool over = is_terminated(view);
	int status = status_in(view);

	if (!leg->referring.is_active ||
	    !str_case_eq_c(str_trim(str_cut(&event, ';')), "refer")) {
		refuse(txn, 481);
		return;
	}
	sip_txn_answer(txn, &(struct sip_message){.status = 200});
	sip_txn_release(txn);
	if (over && status < 200)
		status = 503; /* nobody will ever say what came of it */
	if (status >= 200)
		leg->referring.is_active = false;
	if (status > 100)
		leg->conf.ops->referred(leg->conf.arg, leg, status);
}

/* ---- REFER of the peer -------------------------------------------------------------------- */

/* The status to refuse it with; 0 = @to is read. */
static int read_target(const struct sip_view *view, struct sip_refer_to *to)
{
	const char *text = sip_view_header(view, "Refer-To", 0);

	/* RFC 3515 2.4.2: exactly one. */
	if (!text || sip_view_header(view, "Refer-To", 1))
		return 400;
	switch (sip_refer_to_parse(to, str_of(text))) {
	case 0:
		return to->method == SIP_INVITE ? 0 : 403;
	case -EPROTONOSUPPORT:
		return 416;
	default:
		return 400;
	}
}

/* RFC 4488 4: the peer wants no subscription. */
static bool wants_silence(const struct sip_view *view)
{
	const char *text = sip_view_header(view, "Refer-Sub", 0);
	struct str value = str_of(text);

	return text && str_case_eq_c(str_trim(str_cut(&value, ';')), "false");
}

/* What is known before the 202 has gone waits for it. */
static void begin(struct leg_refer *r, const struct sip_view *view)
{
	r->is_active = r->is_held = true;
	r->is_told = r->is_last = false;
	r->is_silent = wants_silence(view);
	r->cseq = view->cseq;
	r->n_waiting = !r->is_silent;
	r->waiting[0] = 100;
}

void refer_in(struct leg *leg, struct sip_txn *txn, const struct sip_view *view)
{
	static const struct sip_header silent = {"Refer-Sub", "false"};
	struct leg_refer *r = &leg->refer;
	struct sip_message m = {.status = 202, .contact = true};
	struct sip_refer_to to;
	int status;

	if (leg->state != LEG_UP || r->is_active) {
		refuse(txn, leg->state > LEG_UP ? 481 : 491);
		return;
	}
	status = read_target(view, &to);
	if (!status) {
		begin(r, view);
		status = leg->conf.ops->refer
				 ? leg->conf.ops->refer(leg->conf.arg, leg, &to)
				 : 403;
		r->is_held = false;
		r->is_active = r->is_active && status < 300;
	}
	if (status >= 300) {
		refuse(txn, status);
		return;
	}
	r->n++;
	if (r->is_silent) {
		m.headers = &silent;
		m.n_headers = 1;
	}
	sip_txn_answer(txn, &m);
	sip_txn_release(txn);
	send_next(leg);
}
