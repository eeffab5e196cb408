/*
 * call_replace.c - an INVITE that takes the place of one of our legs (RFC 3891)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A leg that is up is replaced once its other side has taken the new session;
 * one that rings for us is picked up: the caller gets the new one's answer.
 * Whoever knows a dialog's names has been told them by a party of it; but it
 * must also be a phone of the same realm, or the same trunk.
 */
#include <errno.h>
#include <string.h>

#include "call/call_priv.h"
#include "core/log.h"

static bool may_replace(const struct registrar_peer *caller,
			const struct leg *leg)
{
	const struct call *call = leg_owner(leg);

	/* We told it of the dialog ourselves. */
	if (call->place_for[0] &&
	    !strcmp(call->place_for,
		    caller->phone ? caller->phone->name : caller->trunk->name))
		return true;
	if (leg_is_trunk(leg))
		return caller->trunk &&
		       !strcmp(caller->trunk->name, leg_peer(leg));
	return caller->phone && !strcmp(caller->realm->name, leg_realm(leg));
}

/* RFC 3891 3, in its order. */
static int status_of(const struct call *call, const struct leg *leg,
		     bool early_only)
{
	if (call->state == CALL_ENDING || leg_state(leg) > LEG_UP)
		return 603;
	if (call->transfer)
		return 486;
	if (call->state == CALL_RINGING)
		return leg == call->a || !call->a || !leg_description(call->a)
			       ? 481
			       : 0;
	if ((leg != call->a && leg != call->b) || !call->a || !call->b)
		return 603;
	return early_only ? 486 : 0;
}

/*
 * The leg that @r names, or whose place it names: who is beyond us knows only
 * its own dialog with us, whose tags stand the other way round, and speaks to
 * us of what we are to it: the other side.
 */
static struct leg *find_place(const struct calls *calls,
			      const struct sip_replaces *r)
{
	struct leg *leg = leg_find(&calls->by_dialog, r);
	struct sip_replaces turned = *r;
	struct call *call;

	if (leg)
		return leg;
	memcpy(turned.to_tag, r->from_tag, sizeof(turned.to_tag));
	memcpy(turned.from_tag, r->to_tag, sizeof(turned.from_tag));
	leg = leg_find(&calls->by_dialog, &turned);
	if (!leg)
		return NULL;
	call = leg_owner(leg);
	return leg == call->a ? call->b : leg == call->b ? call->a : NULL;
}

int replace_admit(struct calls *calls, const struct sip_view *view,
		  const struct registrar_peer *caller, struct leg **out)
{
	const char *text = sip_view_header(view, "Replaces", 0);
	struct sip_replaces r;
	struct leg *leg;

	*out = NULL;
	if (!text)
		return 0;
	if (sip_view_header(view, "Replaces", 1) || !view->n_contacts ||
	    sip_replaces_parse(&r, str_of(text)))
		return 400;
	leg = find_place(calls, &r);
	if (!leg || !may_replace(caller, leg))
		return 481; /* what is not his does not exist */
	*out = leg;
	return status_of(leg_owner(leg), leg, r.early_only);
}

/* ---- picking up ------------------------------------------------------------- */

static bool has_codec(const struct sdp_media *m, struct str codec)
{
	for (unsigned i = 0; i < m->n_formats; i++) {
		if (str_case_eq(sdp_codec(m, i), codec))
			return true;
	}
	return false;
}

static void keep_common(struct sdp_media *m, const struct sdp_media *other)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_formats; i++) {
		struct str codec = sdp_codec(m, i);

		if (codec.n && has_codec(other, codec))
			m->formats[n++] = m->formats[i];
	}
	m->n_formats = n;
	if (!n)
		m->port = 0;
}

/* Of @one what @two has offered as well: an answer to it.  NULL: nothing is
 * common, or no memory. */
static struct sdp *common(const struct sdp *one, const struct sdp *two)
{
	bool any = false;
	struct sdp *sdp;

	if (sdp_copy(&sdp, one))
		return NULL;
	for (unsigned i = 0; i < sdp->n_media; i++) {
		struct sdp_media *m = &sdp->media[i];

		if (i >= two->n_media || !two->media[i].port ||
		    !str_eq(m->type, two->media[i].type))
			m->port = 0;
		else
			keep_common(m, &two->media[i]);
		any |= m->port != 0;
	}
	if (any)
		return sdp;
	sdp_free(sdp);
	return NULL;
}

/* Both have offered something; each is answered with what it shares. */
static void answer_both(struct call *call, struct leg *leg,
			const struct sdp *to_a, const struct sdp *to_b)
{
	leg_move_media(leg, call->worker);
	setup_won(call, leg);
	setup_connect(call, leg, to_a);
	if (call->state == CALL_UP && leg_answer(leg, to_b)) {
		call_ending(call, "no-resources");
		call_hangup_legs(call, NULL, NULL);
	}
}

static void pick_up(struct call *by, struct call *call)
{
	const struct sdp *mine = leg_description(by->a);
	const struct sdp *theirs = leg_description(call->a);
	struct sdp *to_a = common(mine, theirs), *to_b = common(theirs, mine);
	struct leg *leg = by->a;

	if (to_a && to_b) {
		log_info("call.picked_up", kv_s("call", call->id),
			 kv_s("by", leg_peer(leg)), kv_s("with", by->id));
		call->transferred = by->transferred = "pickup";
		call_move_leg(call, by, leg);
		answer_both(call, leg, to_a, to_b);
		call_ending(by, "transferred");
		call_leg_dead(by, NULL);
	} else {
		setup_refuse(by, 488);
	}
	sdp_free(to_a);
	sdp_free(to_b);
}

void replace_begin(struct call *call, struct leg *named)
{
	struct call *of = leg_owner(named);

	if (!leg_description(call->a))
		setup_refuse(call, 488); /* it wants an offer of ours */
	else if (of->state == CALL_RINGING)
		pick_up(call, of);
	else
		transfer_replace(call, named);
}
