/*
 * leg_update.c - UPDATE (RFC 3311), and what a peer says that it can do
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Without an offer it refreshes the session timer and the remote target, and is
 * answered here.  With one it is a change like a re-INVITE, but may come in an
 * early dialog, once the first offer was answered reliably; its answer is the
 * end of it, as no ACK follows.
 */
#include <strings.h>

#include "leg/leg_priv.h"

/* ---- abilities ------------------------------------------------------------- */

void change_note(struct leg *leg, const struct sip_view *view)
{
	static const struct {
		enum sip_method method;
		const char *name;
	} known[] = {
		{SIP_UPDATE, "UPDATE"}, {SIP_PRACK, "PRACK"},
		{SIP_REFER, "REFER"},   {SIP_INFO, "INFO"},
		{SIP_NOTIFY, "NOTIFY"},
	};
	uint32_t allows = 0;
	const char *name;
	unsigned i;

	for (i = 0; (name = sip_view_header(view, "Allow", i)); i++)
		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			if (!strcasecmp(name, known[k].name))
				allows |= 1u << known[k].method;
	if (i)
		leg->allows = allows;
}

bool leg_allows(const struct leg *leg, enum sip_method method)
{
	return leg->allows & 1u << method;
}

/* ---- UPDATE ------------------------------------------------------------------ */

bool update_is_agreed(const struct leg *leg)
{
	return leg->state == LEG_UP || prack_is_settled(leg);
}

/*
 * RFC 3311 5.2: an offer against an unanswered one.  Ours: 491; the peer's own:
 * 500, and it may come again.
 */
static int glare(const struct leg *leg, const struct sip_view *view)
{
	if (leg->change == CHANGE_OUT || leg->change == CHANGE_OUT_ACK)
		return 491;
	if (leg->change != CHANGE_NONE)
		return 500;
	if (leg->state > LEG_UP)
		return 481;
	if (!prack_is_heard(leg, view))
		return 488; /* another fork's session */
	if (update_is_agreed(leg))
		return 0;
	return leg->offer_sent ? 491 : 500;
}

static void answer_refresh(struct leg *leg, struct sip_txn *txn,
			   const struct sip_view *view)
{
	struct session_headers h;
	struct sip_message m = {
		.status = 200,
		.contact = true,
		.headers = h.list,
	};

	sip_dialog_retarget(leg->dialog, view);
	session_grant(leg, &h);
	h.list[h.n++] = (struct sip_header){"Allow", SIP_ALLOW};
	m.n_headers = h.n;
	sip_txn_answer(txn, &m);
	sip_txn_release(txn);
}

void update_in(struct leg *leg, struct sip_txn *txn,
	       const struct sip_view *view)
{
	struct sdp *offer = NULL;
	int status;

	/* Only one of its requests at a time. */
	if (leg->state > LEG_UP || leg_change_is_update(leg)) {
		change_refuse(leg, txn, leg->state > LEG_UP ? 481 : 500);
		return;
	}
	status = view->body.n ? glare(leg, view) : 0;
	if (!status)
		status = session_hear(leg, view);
	if (!status)
		status = offer_read(leg, view, &offer);
	if (status)
		change_refuse(leg, txn, status);
	else if (offer)
		change_take(leg, txn, view, offer);
	else
		answer_refresh(leg, txn, view);
}
