/*
 * leg_own.c - re-INVITEs that no peer asked for: they wait until the leg is
 * free, and try again after glare (RFC 3261 14.1)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   wanted ---- the leg is free ----> sent ---- 2xx, refusal ----> done
 *      ^                               |
 *      +---- back-off timer <--- 491, 500 with Retry-After
 *
 * One offer of the call's and one refresh of the session timer's may wait at a
 * time; the offer goes first, and is a refresh as well.
 */
#include <errno.h>

#include "core/rand.h"
#include "leg/leg_priv.h"

enum {
	TRIES = 8,
	BUSY_MS = 1000,     /* no room for a transaction */
	RETRY_AFTER_S = 10, /* what a peer may ask for; RFC 3261 14.2 */
};

unsigned own_backoff_ms(const struct leg *leg)
{
	/* An outgoing leg's Call-ID is ours. */
	return leg->incoming ? 10 * rand_below(201)
			     : 2100 + 10 * rand_below(191);
}

static void go(void *arg)
{
	struct leg *leg = arg;
	struct leg_own *own = &leg->own;
	enum own_change what = own->wanted    ? OWN_OFFER
			       : own->refresh ? OWN_REFRESH
					      : OWN_NONE;
	int err;

	if (what == OWN_NONE || leg->state != LEG_UP ||
	    leg->change != CHANGE_NONE)
		return; /* drop_change() comes back to it */
	err = change_send(leg, SIP_INVITE,
			  what == OWN_OFFER ? own->offer : leg->said);
	own->sent = what;
	if (!err)
		return;
	if (err == -EAGAIN && ++own->tries < TRIES) {
		own->sent = OWN_NONE;
		timer_set(leg->conf.loop, &own->timer, BUSY_MS, go, leg);
		return;
	}
	own_done(leg, err == -EINVAL ? 488 : 503, NULL);
}

void own_look(struct leg *leg)
{
	struct leg_own *own = &leg->own;

	if ((own->wanted || own->refresh) && leg->state == LEG_UP &&
	    leg->change == CHANGE_NONE && !timer_armed(&own->timer))
		timer_set(leg->conf.loop, &own->timer, 0, go, leg);
}

void own_refresh(struct leg *leg)
{
	leg->own.refresh = leg->said != NULL;
	own_look(leg);
}

static bool is_glare(const struct sip_view *view)
{
	return view->status == 491 ||
	       (view->status == 500 && view->retry_after >= 0);
}

static unsigned wait_ms(const struct leg *leg, const struct sip_view *view)
{
	int64_t s = view->retry_after;

	if (view->status == 491)
		return own_backoff_ms(leg);
	return 1000u * (unsigned)(s > RETRY_AFTER_S ? RETRY_AFTER_S : s) +
	       rand_below(500);
}

void own_refused(struct leg *leg, const struct sip_view *view)
{
	struct leg_own *own = &leg->own;

	if (!is_glare(view) || ++own->tries >= TRIES) {
		own_done(leg, view->status, NULL);
		return;
	}
	own->sent = OWN_NONE;
	timer_set(leg->conf.loop, &own->timer, wait_ms(leg, view), go, leg);
}

void own_done(struct leg *leg, int status, const struct sdp *sdp)
{
	struct leg_own *own = &leg->own;
	enum own_change what = own->sent;

	own->sent = OWN_NONE;
	own->tries = 0;
	own->refresh = false; /* any re-INVITE is one */
	if (what != OWN_OFFER)
		return; /* the session timer asks again */
	own->wanted = false;
	sdp_free(own->offer);
	own->offer = NULL;
	if (leg->conf.ops->offered)
		leg->conf.ops->offered(leg->conf.arg, leg, status, sdp);
}

void own_release(struct leg *leg)
{
	timer_cancel(leg->conf.loop, &leg->own.timer);
	sdp_free(leg->own.offer);
	leg->own = (struct leg_own){0};
}

int leg_offer_again(struct leg *leg, const struct sdp *offer)
{
	struct leg_own *own = &leg->own;
	int err;

	if (leg->state != LEG_UP)
		return -EPROTO;
	if (own->wanted)
		return -EALREADY;
	err = offer ? sdp_copy(&own->offer, offer) : 0;
	if (err)
		return err;
	own->wanted = true;
	own->tries = 0;
	own_look(leg);
	return 0;
}
