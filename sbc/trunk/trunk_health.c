/*
 * trunk_health.c - asking each host of a trunk how it is, with OPTIONS
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any answer at all says that it is there.  Every options_interval while it
 * works, soon again when one was lost, and as the breaker says while that is
 * open.  A host that answers everything but OPTIONS is not held to them.
 */
#include <errno.h>
#include <stdio.h>

#include "core/rand.h"
#include "trunk/trunk_priv.h"

enum {
	FIRST_MS = 1000, /* spread over */
	AFTER_LOSS_MS = 1000,
	MUTE_MS = 60000,
	NO_ROUTE_MS = 10000,
};

static void ask(void *arg);

static void finish(struct trunk_host *h)
{
	timer_cancel(h->trunk->owner->conf.loop, &h->patience);
	sip_txn_release(h->options);
	h->options = NULL;
}

static bool is_mute(const struct trunk_host *h)
{
	return h->was_heard && h->was_lost && !h->was_ponged;
}

/* Milliseconds until the next one; -1 = there is none to be. */
static int64_t next_in(const struct trunk_host *h, mono_ms now)
{
	const struct breaker *b = &h->breaker;
	unsigned interval_s = h->trunk->conf->options_interval_s;

	if (b->is_open && is_mute(h))
		return MUTE_MS;
	if (b->is_open)
		return b->probe_at > now ? b->probe_at - now : 0;
	if (!interval_s)
		return -1;
	if (!h->sent_us)
		return rand_below(FIRST_MS);
	return b->failures && !is_mute(h) ? AFTER_LOSS_MS : interval_s * 1000ll;
}

void health_plan(struct trunk_host *h)
{
	const struct trunks *owner = h->trunk->owner;
	mono_ms now = clock_mono();
	int64_t ms = next_in(h, now);

	if (!owner->is_started || owner->is_stopping || h->trunk->is_leaving ||
	    !host_is_present(h) || ms < 0) {
		timer_cancel(owner->conf.loop, &h->due);
		return;
	}
	/* What is under way plans the next. */
	if (h->options)
		return;
	/* An answer to a call does not put the next one off. */
	if (!h->breaker.is_open && timer_armed(&h->due) &&
	    h->due.due <= now + ms)
		return;
	timer_set(owner->conf.loop, &h->due, ms, ask, h);
}

void health_stop(struct trunk_host *h)
{
	timer_cancel(h->trunk->owner->conf.loop, &h->due);
	finish(h);
}

static void lost(struct trunk_host *h, enum breaker_failure failure)
{
	finish(h);
	h->was_lost = true;
	if (is_mute(h) && failure == BREAKER_LOST)
		health_plan(h);
	else
		host_failed(h, failure, "OPTIONS");
}

static void lose_patience(void *arg)
{
	lost(arg, BREAKER_LOST);
}

static void on_answer(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct trunk_host *h = arg;
	int status = view->status;

	if (status < 200)
		return;
	if (view->internal) {
		/* Its own time-out is later than our patience. */
		lost(h, status == 408 ? BREAKER_LOST : BREAKER_REFUSED);
		return;
	}
	h->rtt_ms = (int64_t)(clock_mono_us() - h->sent_us) / 1000;
	h->was_ponged = true;
	if (status == 503 && view->retry_after > 0)
		breaker_out(&h->breaker, view->retry_after, clock_mono());
	reg_seen(h->trunk, h, &view->reply_source);
	finish(h);
	host_worked(h, true);
}

static int send_one(struct trunk_host *h)
{
	const struct trunk *t = h->trunk;
	const struct conf_trunk *conf = t->conf;
	char target[ADDR_TEXT_MAX + 40], host[ADDR_TEXT_MAX];
	char domain[ADDR_TEXT_MAX];
	struct sip_out o = {.target = target};
	const struct sip_header accept = {"Accept", "application/sdp"};
	int err;

	snprintf(target, sizeof(target), "sip:%s:%u%s",
		 addr_fmt_uri(&h->remote, host), addr_port(&h->remote),
		 h->transport == SIP_TCP ? ";transport=tcp" : "");
	o.from_user = conf->username[0] ? conf->username : "sbc";
	if (conf->username[0])
		o.from_host = trunk_domain(conf, domain);
	err = sip_flow_to(t->owner->conf.sip, conf->realm, h->transport,
			  &h->remote, &o.flow);
	return err ? err
		   : sip_send(t->owner->conf.sip, &h->options, &o,
			      &(struct sip_message){
				      .method = SIP_OPTIONS,
				      .contact = true,
				      .headers = &accept,
				      .n_headers = 1,
			      },
			      on_answer, h);
}

static void ask(void *arg)
{
	struct trunk_host *h = arg;
	struct loop *loop = h->trunk->owner->conf.loop;
	int err = send_one(h);

	h->sent_us = clock_mono_us();
	h->no_route = err == -ENETUNREACH;
	if (!err) {
		timer_set(loop, &h->patience, TRUNK_PATIENCE_MS, lose_patience,
			  h);
		return;
	}
	h->options = NULL;
	if (err == -EAGAIN || err == -ENOMEM) {
		timer_set(loop, &h->due, AFTER_LOSS_MS, ask, h);
	} else if (err == -ENETUNREACH) {
		/* That says nothing of the host. */
		timer_set(loop, &h->due, NO_ROUTE_MS, ask, h);
		trunk_judge(h->trunk);
	} else {
		lost(h, BREAKER_LOST);
	}
}
