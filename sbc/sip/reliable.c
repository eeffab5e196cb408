/*
 * reliable.c - provisional responses that arrive (RFC 3262), answering side
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Not the library's: a PRACK that comes while it tears a call down makes it
 * use what it has freed.  So it must never see a PRACK as one, nor an INVITE
 * with Require: 100rel answered by an 18x without RSeq; it would start its own.
 *
 *   18x, RSeq n --> repeated after T1, 2 T1, 4 T1 ... --> 64 T1: NO_PRACK
 *                   <-- PRACK, RAck n: quiet; the next one has RSeq n + 1
 */
#include <errno.h>
#include <stdio.h>

#include "core/rand.h"
#include "sip/stack.h"

static unsigned t1_of(const struct sip_txn *txn)
{
	return txn->sip->conf.t1_ms ? txn->sip->conf.t1_ms : 500;
}

void reliable_stop(struct sip_txn *txn)
{
	struct reliable *r = &txn->reliable;

	if (!r->msg)
		return;
	timer_cancel(txn->sip->conf.loop, &txn->timer);
	msg_destroy(r->msg);
	r->msg = NULL;
}

static void repeat(void *arg);

static void wait_for(struct sip_txn *txn)
{
	struct reliable *r = &txn->reliable;
	unsigned left_ms = 64 * t1_of(txn) - r->waited_ms;

	if (r->interval_ms > left_ms)
		r->interval_ms = left_ms;
	timer_set(txn->sip->conf.loop, &txn->timer, r->interval_ms, repeat,
		  txn);
}

static void repeat(void *arg)
{
	struct sip_txn *txn = arg;
	struct reliable *r = &txn->reliable;
	msg_t *copy;

	r->waited_ms += r->interval_ms;
	if (r->waited_ms >= 64 * t1_of(txn)) {
		reliable_stop(txn);
		if (txn->fn)
			txn->fn(txn->arg, txn, SIP_TXN_NO_PRACK, NULL);
		return;
	}
	copy = msg_dup(r->msg);
	if (copy) /* else the next one may do */
		nta_incoming_mreply(txn->irq, copy);
	r->interval_ms *= 2;
	wait_for(txn);
}

int reliable_begin(struct sip_txn *txn, msg_t *msg)
{
	struct reliable *r = &txn->reliable;

	r->msg = msg_dup(msg);
	if (!r->msg)
		return -ENOMEM;
	r->waits = true;
	r->interval_ms = t1_of(txn);
	r->waited_ms = 0;
	wait_for(txn);
	return 0;
}

int sip_txn_answer_reliably(struct sip_txn *txn, const struct sip_message *m)
{
	const struct sip_view *invite = &txn->view;
	struct reliable *r = &txn->reliable;
	struct sip_header headers[SIP_RELIABLE_HEADERS + 2];
	struct sip_message with = *m;
	char number[16];

	if (txn->method != SIP_INVITE || m->status <= 100 || m->status >= 200 ||
	    m->n_headers > SIP_RELIABLE_HEADERS)
		return -EINVAL;
	if (!invite->supports_100rel && !invite->requires_100rel)
		return -EPROTO;
	if (r->waits)
		return -EBUSY;
	/* RFC 3262 3: the first one up to 2^31 - 1, then one by one. */
	r->rseq = r->rseq ? r->rseq + 1 : 1 + rand_below(INT32_MAX);
	snprintf(number, sizeof(number), "%u", r->rseq);
	for (unsigned i = 0; i < m->n_headers; i++)
		headers[i] = m->headers[i];
	headers[with.n_headers++] = (struct sip_header){"Require", "100rel"};
	headers[with.n_headers++] = (struct sip_header){"RSeq", number};
	with.headers = headers;
	return txn_reply(txn, &with, true);
}

bool sip_txn_pracked(struct sip_txn *txn, const struct sip_view *prack)
{
	struct reliable *r = &txn->reliable;

	if (!r->waits || prack->rack.method != SIP_INVITE ||
	    prack->rack.cseq != txn->view.cseq || prack->rack.rseq != r->rseq)
		return false;
	r->waits = false;
	reliable_stop(txn);
	return true;
}
