/*
 * again.c - a request that was refused, once more with other headers, as 422
 * asks for (RFC 4028 7.4)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include <sofia-sip/msg_mclass.h>

#include "sip/stack.h"

static sip_header_t *find(const sip_t *s, const char *name)
{
	const msg_href_t *ref =
		msg_find_hclass(sip_default_mclass(), name, NULL);

	if (ref == sip_default_mclass()->mc_unknown || !ref->hr_offset ||
	    ref->hr_offset + sizeof(sip_header_t *) > s->sip_size)
		return NULL;
	return *(sip_header_t *const *)((const char *)s + ref->hr_offset);
}

/* @h in place of what the message has of that name. */
static int replace(msg_t *msg, const struct sip_header *h)
{
	sip_t *s = sip_object(msg);
	sip_header_t *old;

	if (!is_token(h->name))
		return -EINVAL;
	while ((old = find(s, h->name)))
		sip_header_remove(msg, s, old);
	return header_add(msg, h);
}

static int renumber(msg_t *msg, struct sip_dialog *d, enum sip_method method)
{
	sip_t *s = sip_object(msg);
	uint32_t seq = dialog_next_cseq(d, method);
	const char *name;
	sip_method_t number = method_number(method, &name);
	sip_cseq_t *cseq =
		seq ? sip_cseq_create(msg_home(msg), seq, number, name) : NULL;

	if (!cseq)
		return -ENOMEM;
	while (s->sip_via)
		sip_header_remove(msg, s, (sip_header_t *)s->sip_via);
	sip_header_remove(msg, s, (sip_header_t *)s->sip_cseq);
	return msg_header_insert(msg, msg_object(msg), (msg_header_t *)cseq) < 0
		       ? -ENOMEM
		       : 0;
}

static int copy_of(msg_t **out, const struct sip_txn *txn)
{
	msg_t *old = txn->orq ? nta_outgoing_getrequest(txn->orq) : NULL;

	*out = old ? msg_dup(old) : NULL;
	msg_destroy(old);
	return *out ? 0 : -ENOMEM;
}

int sip_dialog_again(struct sip_dialog *d, struct sip_txn **out,
		     const struct sip_txn *txn,
		     const struct sip_header *headers, unsigned n_headers,
		     sip_response_fn fn, void *arg)
{
	struct sip_txn *again;
	msg_t *msg;
	int err;

	if (txn->final < 300)
		return -EINVAL;
	err = copy_of(&msg, txn);
	if (err)
		return err;
	err = renumber(msg, d, txn->method);
	for (unsigned i = 0; i < n_headers && !err; i++)
		err = replace(msg, &headers[i]);
	if (err) {
		msg_destroy(msg);
		return err;
	}
	err = txn_send(&again, txn->sip, msg, sip_dialog_flow(d), fn, arg);
	if (err)
		return err;
	again->as = credentials_ref(txn->as);
	*out = again;
	return 0;
}
