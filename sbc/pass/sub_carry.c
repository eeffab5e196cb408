/*
 * sub_carry.c - what is said inside a subscription, carried to the other side:
 * SUBSCRIBE that renews or ends it, NOTIFY
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   a (subscriber)  ── SUBSCRIBE ──▶  we  ── SUBSCRIBE ──▶  b (notifier)
 *                   ◀─── NOTIFY ───       ◀─── NOTIFY ────
 *
 * The answer comes back the same way: who asks hears what the other end says,
 * and not what we think of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/rand.h"
#include "pass/sub_priv.h"

enum { CARRIES = 8 }; /* of one subscription at once */

struct carry {
	struct list node;
	struct sub *sub;
	struct sub_side *to;
	struct sip_txn *in, *out; /* @out NULL: waits for the first answer */
	int64_t asked_s;          /* SUBSCRIBE; -1 = not given */
	bool is_last;             /* NOTIFY: terminated */
};

static void carry_free(struct carry *c)
{
	sip_txn_release(c->out);
	sip_txn_release(c->in);
	list_remove(&c->node);
	free(c);
}

static void answer(struct sip_txn *txn, int status)
{
	char after[16];
	struct sip_header h = {"Retry-After", after};

	snprintf(after, sizeof(after), "%u", 5 + rand_below(10));
	sip_txn_answer(txn, &(struct sip_message){
				    .status = status,
				    .headers = &h,
				    .n_headers = status == 503,
			    });
	sip_txn_release(txn);
}

void carry_clear(struct sub *sub)
{
	list_for_each_safe (pos, &sub->carries) {
		struct carry *c = list_entry(pos, struct carry, node);

		/* The answer that ends it was given before. */
		sip_txn_answer(c->in, &(struct sip_message){.status = 481});
		carry_free(c);
	}
}

static struct carry *carry_new(struct sub *sub, struct sub_side *to,
			       struct sip_txn *in)
{
	struct carry *c = NULL;
	unsigned n = 0;

	list_for_each (pos, &sub->carries)
		n++;
	if (n < CARRIES)
		c = calloc(1, sizeof(*c));
	if (!c) {
		answer(in, 503);
		return NULL;
	}
	c->sub = sub;
	c->to = to;
	c->in = in;
	list_append(&sub->carries, &c->node);
	return c;
}

/* ---- the answer comes back --------------------------------------------------------- */

/* What whoever asked hears of final status @view. */
static int status_back(const struct sip_view *view)
{
	if (view->status < 300)
		return view->status;
	/* Nobody there just now: that is no reason to end it (RFC 6665
	 * 4.2.2), the phone may be on its way to another flow. */
	if (view->internal)
		return 503;
	return sub_is_over(view->status) ? view->status
					 : route_map_status(view->status);
}

static void subscribe_answered(struct carry *c, const struct sip_view *view)
{
	struct sub *sub = c->sub;
	struct sip_message m = {.status = status_back(view)};
	struct pass_headers h = {.n = 0};
	bool good = m.status < 300;
	int64_t granted = view->expires >= 0 ? view->expires : c->asked_s;

	granted = sub_bounded(sub, granted);
	if (!view->internal)
		pass_headers(&h, view, SIP_SUBSCRIBE);
	if (good) {
		snprintf(h.expires, sizeof(h.expires), "%lld",
			 (long long)granted);
		pass_header_add(&h, "Expires", h.expires);
		m.contact = true;
		sip_dialog_retarget(sub->b.dialog, view);
	}
	pass_put(&m, &h, NULL);
	sip_txn_answer(c->in, &m);
	carry_free(c);
	if (good && granted)
		sub_set_expiry(sub, granted);
	else if (good)
		sub_ending(sub);
	else if (sub_is_over(view->status))
		sub_end(sub, "gone", NULL);
}

static void notify_answered(struct carry *c, const struct sip_view *view)
{
	struct sub *sub = c->sub;
	struct sip_message m = {.status = status_back(view)};
	struct pass_headers h = {.n = 0};
	bool is_last = c->is_last;

	if (!view->internal)
		pass_headers(&h, view, SIP_NOTIFY);
	else if (sub->owner->conf.keepalive)
		keepalive_missed(sub->owner->conf.keepalive, &c->to->flow);
	if (m.status == 503 && !h.n) {
		snprintf(h.expires, sizeof(h.expires), "%u",
			 20 + rand_below(20));
		pass_header_add(&h, "Retry-After", h.expires);
	}
	pass_put(&m, &h, NULL);
	sip_txn_answer(c->in, &m);
	carry_free(c);
	if (is_last)
		sub_end(sub,
			sub->state == SUB_ENDING ? "unsubscribed"
						 : "terminated",
			NULL);
	else if (sub_is_over(view->status))
		sub_end(sub, "gone", NULL);
}

static void answered(void *arg, struct sip_txn *txn,
		     const struct sip_view *view)
{
	struct carry *c = arg;

	if (view->status < 200)
		return;
	if (c->to == &c->sub->b)
		subscribe_answered(c, view);
	else
		notify_answered(c, view);
}

/* It could not even be sent. */
static void failed(struct carry *c, int err)
{
	struct sub *sub = c->sub;
	bool is_last = c->is_last;

	sip_txn_answer(c->in, &(struct sip_message){
				      .status = err == -EINVAL ? 400 : 503});
	carry_free(c);
	if (is_last)
		sub_end(sub, "terminated", NULL);
}

/* ---- SUBSCRIBE ---------------------------------------------------------------------- */

void carry_subscribe(struct sub *sub, struct sip_txn *txn,
		     const struct sip_view *view)
{
	struct sip_message m = {
		.method = SIP_SUBSCRIBE,
		.contact = true,
		.max_forwards = pass_max_forwards(view),
	};
	struct pass_headers h;
	struct carry *c;
	int err;

	if (sub->state == SUB_ASKING || sub->state == SUB_OVER) {
		answer(txn, sub->state == SUB_OVER ? 481 : 503);
		return;
	}
	c = carry_new(sub, &sub->b, txn);
	if (!c)
		return;
	sip_dialog_retarget(sub->a.dialog, view);
	c->asked_s = view->expires;
	pass_headers(&h, view, SIP_SUBSCRIBE);
	if (view->expires >= 0) {
		snprintf(h.expires, sizeof(h.expires), "%lld",
			 (long long)sub_bounded(sub, view->expires));
		pass_header_add(&h, "Expires", h.expires);
	}
	pass_put(&m, &h, view);
	err = sip_dialog_request(sub->b.dialog, &c->out, &m, answered, c);
	if (err)
		failed(c, err);
}

/* ---- NOTIFY --------------------------------------------------------------------------- */

/* Subscription-State is written anew: bounded, and without parameters that we
 * do not know. */
static void put_state(struct pass_headers *h, const struct sub_word *w)
{
	sub_word_print(w, h->state, sizeof(h->state));
	for (unsigned i = 0; i < h->n; i++) {
		if (str_case_eq_c(str_of(h->list[i].name),
				  "Subscription-State"))
			h->list[i].value = h->state;
	}
}

static void notify_send(struct carry *c)
{
	const struct sip_view *view = sip_txn_view(c->in);
	struct sip_message m = {
		.method = SIP_NOTIFY,
		.contact = true,
		.max_forwards = pass_max_forwards(view),
	};
	struct pass_headers h;
	struct sub_word w;
	int err = -EINVAL;

	pass_headers(&h, view, SIP_NOTIFY);
	if (!sub_word_parse(&w, str_of(sip_view_header(
					view, "Subscription-State", 0)))) {
		put_state(&h, &w);
		pass_put(&m, &h, view);
		err = sip_dialog_request(c->to->dialog, &c->out, &m, answered,
					 c);
	}
	if (err)
		failed(c, err);
}

/* The notifier may shorten what it granted (RFC 6665 4.1.2.1). */
static void heed_expiry(struct sub *sub, const struct sub_word *w)
{
	if (sub->state == SUB_UP && !w->is_terminated && w->expires >= 0 &&
	    clock_mono() + w->expires * 1000 < sub->ends)
		sub_set_expiry(sub, w->expires);
}

void carry_notify(struct sub *sub, struct sip_txn *txn,
		  const struct sip_view *view)
{
	const char *state = sip_view_header(view, "Subscription-State", 0);
	struct sub_word w;
	struct carry *c;

	if (sub->state == SUB_OVER) {
		answer(txn, 481);
		return;
	}
	if (!sip_view_header(view, "Event", 0)) {
		answer(txn, 489);
		return;
	}
	if (sub_word_parse(&w, str_of(state))) {
		answer(txn, 400);
		return;
	}
	c = carry_new(sub, &sub->a, txn);
	if (!c)
		return;
	c->is_last = w.is_terminated;
	sip_dialog_establish(sub->b.dialog, view);
	sip_dialog_retarget(sub->b.dialog, view);
	heed_expiry(sub, &w);
	/* Many phones know their dialog only by the answer. */
	if (sub->state != SUB_ASKING)
		notify_send(c);
}

void carry_go_on(struct sub *sub)
{
	list_for_each_safe (pos, &sub->carries) {
		struct carry *c = list_entry(pos, struct carry, node);

		if (!c->out && c->to == &sub->a)
			notify_send(c);
		if (sub->state == SUB_OVER)
			return;
	}
}
