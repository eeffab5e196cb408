/*
 * call_refer_pass.c - a peer's REFER handed to the other side (option refer
 * 'pass')
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   X -- REFER -> us -- REFER -> Y           Y calls the target through us
 *   X <- NOTIFY - us <- NOTIFY - Y           the status line and nothing else
 *
 * The host in Refer-To becomes ours, so that Y's INVITE comes here, and is
 * routed as Y's right is.  A dialog that Replaces names is X's with us, by a
 * Call-ID that may tell where X lives: it is named to Y by the other dialog of
 * that call, which has a Call-ID of ours.  Y's INVITE brings that back, and
 * replace_admit() finds X's leg by it.
 */
#include <errno.h>
#include <string.h>

#include "call/call_priv.h"

enum { REFER_TO_BYTES = 2048 };

/* RFC 3261 25.1: what may stand in a URI's headers as it is. */
static void put_escaped(struct buf *b, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
		    (*p >= 'A' && *p <= 'Z') || strchr("-_.!~*'()", *p))
			buf_put(b, p, 1);
		else
			buf_printf(b, "%%%02X", *p);
	}
}

static void put_replaces(struct buf *b, const struct sip_replaces *r)
{
	buf_puts(b, "?Replaces=");
	put_escaped(b, r->call_id);
	buf_puts(b, "%3Bto-tag%3D");
	put_escaped(b, r->to_tag);
	buf_puts(b, "%3Bfrom-tag%3D");
	put_escaped(b, r->from_tag);
	if (r->early_only)
		buf_puts(b, "%3Bearly-only");
}

/* The call that X has with the target, if it is up and no one else's. */
static struct call *named_call(const struct call *call, const struct leg *by,
			       const struct sip_refer_to *to)
{
	struct leg *leg = leg_find(&call->owner->by_dialog, &to->replaces);
	struct call *named = leg ? leg_owner(leg) : NULL;

	if (!named || named == call || named->state != CALL_UP ||
	    named->transfer || (leg != named->a && leg != named->b) ||
	    leg_is_trunk(leg) != leg_is_trunk(by) ||
	    strcmp(leg_peer(leg), leg_peer(by)))
		return NULL;
	return named->a && named->b ? named : NULL;
}

/* Both ways to name the place of @leg: as its own peer knows it, or as the
 * other one's.  -ENOENT: neither Call-ID is ours. */
static int name_place(const struct call *named, const struct leg *leg,
		      struct sip_replaces *r)
{
	const struct leg *far = leg == named->a ? named->b : named->a;
	bool early_only = r->early_only;
	int err = -ENOENT;

	if (!leg_is_incoming(far))
		err = leg_replaces(far, true, r);
	else if (!leg_is_incoming(leg))
		err = leg_replaces(leg, false, r);
	r->early_only = early_only;
	return err;
}

int refer_pass(struct call *call, struct leg *by, const struct sip_refer_to *to)
{
	struct leg *other = by == call->a ? call->b : call->a;
	const struct addr *local = &leg_flow(other)->local;
	char text[REFER_TO_BYTES], referred_by[3 * LIMIT_USER_BYTES + 80];
	struct sip_replaces place = to->replaces;
	char host[ADDR_TEXT_MAX];
	struct call *named = NULL;
	struct buf b;

	if (to->has_replaces) {
		named = named_call(call, by, to);
		if (!named ||
		    name_place(named,
			       leg_find(&call->owner->by_dialog, &to->replaces),
			       &place))
			return -ENOENT;
	}
	addr_fmt_uri(local, host);
	buf_init(&b, text, sizeof(text));
	buf_puts(&b, "<sip:");
	if (to->user[0]) {
		sip_put_user(&b, to->user);
		buf_puts(&b, "@");
	}
	buf_printf(&b, "%s:%u", host, addr_port(local));
	if (named)
		put_replaces(&b, &place);
	buf_puts(&b, ">");
	if (b.overflow)
		return -ENOSPC;
	if (named)
		str_copy(named->place_for, sizeof(named->place_for),
			 str_of(leg_peer(other)));
	buf_init(&b, referred_by, sizeof(referred_by));
	buf_puts(&b, "<sip:");
	if (by == call->a && call->identity.hidden) {
		buf_puts(&b, "anonymous@anonymous.invalid>");
	} else {
		sip_put_user(&b, by == call->a ? call->from : call->to);
		buf_printf(&b, "@%s>", host);
	}
	return leg_refer(other, text, referred_by);
}

void refer_told(void *arg, struct leg *leg, int status)
{
	struct call *call = arg;
	struct leg *by = leg == call->a ? call->b : call->a;

	if (by && (leg == call->a || leg == call->b))
		leg_refer_progress(by, status);
}

void refer_ending(struct call *call)
{
	for (unsigned i = 0; i < CALL_LEGS; i++) {
		if (call->legs[i])
			leg_refer_progress(call->legs[i], 487);
	}
}
