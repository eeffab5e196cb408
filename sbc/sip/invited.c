/*
 * invited.c - whose ACK and CANCEL an INVITE takes: those of its own sender
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The library finds the INVITE by names that whoever overheard them can write
 * too, and acts on them before anybody is asked: it answers a CANCEL, and lets
 * go of an INVITE with its ACK.  Neither can be challenged (RFC 3261 22.1), so
 * they have to come from the host of the INVITE.  Its port is free: a large
 * INVITE goes over TCP where the ACK goes over UDP (18.1.1).
 */
#include <string.h>

#include "sip/stack.h"

struct wanted {
	const char *call_id, *from_tag;
	uint32_t cseq;
};

static bool is_wanted(const struct hash_node *node, const void *key)
{
	const struct sip_view *v =
		&container_of(node, struct sip_txn, by_call)->view;
	const struct wanted *w = key;

	return v->cseq == w->cseq && !strcmp(v->call_id, w->call_id) &&
	       v->from_tag && str_case_eq_c(str_of(v->from_tag), w->from_tag);
}

/* Without memory for the table it is as open as the library leaves it. */
void invited_add(struct sip_txn *txn)
{
	if (txn->method == SIP_INVITE)
		txn->is_invited =
			!hash_insert(&txn->sip->invited, &txn->by_call,
				     hash_text(txn->view.call_id));
}

void invited_remove(struct sip_txn *txn)
{
	if (txn->is_invited)
		hash_remove(&txn->sip->invited, &txn->by_call);
	txn->is_invited = false;
}

bool invited_admits(const struct sip_stack *sip, const sip_t *s)
{
	struct wanted w = {.call_id = s->sip_call_id->i_id,
			   .from_tag = s->sip_from->a_tag,
			   .cseq = s->sip_cseq->cs_seq};
	const struct hash_node *node;

	if (!w.from_tag)
		return true;
	node = hash_find(&sip->invited, hash_text(w.call_id), is_wanted, &w);
	return !node ||
	       addr_same_host(&container_of(node, struct sip_txn, by_call)
				       ->flow.remote,
			      &sip->now.flow.remote);
}
