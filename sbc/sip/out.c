/*
 * out.c - requests of our own that make no dialog
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Whoever sends a series (the REGISTERs of one binding) keeps Call-ID, tag and
 * CSeq himself; nothing of it is kept here once the answer came.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/rand.h"
#include "sip/stack.h"

static int add_names(sip_t *s, su_home_t *home, const struct sip_out *o,
		     enum sip_method method)
{
	const struct address_local local = {
		.display = o->from_display,
		.user = o->from_user,
		.host = o->from_host,
		.tag = o->from_tag,
		.flow = &o->flow,
	};
	const char *host = o->to_host, *name;
	sip_method_t number = method_number(method, &name);
	url_t *target;
	int err;

	err = address_target(&target, home, o->target);
	if (err)
		return err;
	if (!host)
		host = target->url_host;
	err = address_from(&s->sip_from, home, &local);
	if (!err)
		err = address_to(&s->sip_to, home, o->to_user, host);
	s->sip_request = sip_request_create(home, number, name,
					    (url_string_t *)target, NULL);
	return err ? err : s->sip_request ? 0 : -ENOMEM;
}

static bool is_call_id(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f ||
		    *p == ',')
			return false;
	return *text && strlen(text) <= LIMIT_CALLID_BYTES;
}

static int add_numbers(sip_t *s, su_home_t *home, const struct sip_out *o,
		       const struct sip_message *m)
{
	char random[CALLID_CHARS + 1], hops[16];
	const char *call_id = o->call_id, *name;
	sip_method_t number = method_number(m->method, &name);
	uint32_t cseq = o->cseq;

	if (!cseq)
		cseq = 1 + rand_below(1u << 30);
	if (!call_id)
		call_id = rand_token(random, CALLID_CHARS);
	if (!is_call_id(call_id) || cseq > INT32_MAX)
		return -EINVAL;
	snprintf(hops, sizeof(hops), "%d",
		 m->max_forwards < 0 ? 0
		 : m->max_forwards   ? m->max_forwards
				     : 70);
	s->sip_call_id = sip_call_id_make(home, call_id);
	s->sip_cseq = sip_cseq_create(home, cseq, number, name);
	s->sip_max_forwards = sip_max_forwards_make(home, hops);
	return s->sip_call_id && s->sip_cseq && s->sip_max_forwards ? 0
								    : -ENOMEM;
}

static int add_rest(msg_t *msg, const struct sip_out *o,
		    const struct sip_message *m)
{
	const struct sip_header contact = {"Contact", o->contact};
	struct sip_message with = *m;
	const char *user;
	int err;

	err = address_user(&user, msg_home(msg), o->from_user);
	if (!err && o->contact)
		err = header_add(msg, &contact);
	if (!err && o->contact && !sip_object(msg)->sip_contact)
		err = -EINVAL;
	if (o->contact)
		with.contact = false;
	return err ? err : message_add(msg, &with, &o->flow, user);
}

int sip_send(struct sip_stack *sip, struct sip_txn **out,
	     const struct sip_out *o, const struct sip_message *m,
	     sip_response_fn fn, void *arg)
{
	struct credentials *as = NULL;
	struct sip_txn *txn;
	msg_t *msg;
	sip_t *s;
	int err;

	if (m->status || m->method == SIP_INVITE || m->method == SIP_ACK ||
	    m->method == SIP_CANCEL || m->method >= SIP_UNKNOWN)
		return -EINVAL;
	if (sip->client_txns >= LIMIT_CLIENT_TXNS)
		return -EAGAIN;
	msg = nta_msg_create(sip->agent, 0);
	if (!msg)
		return -ENOMEM;
	s = sip_object(msg);
	err = add_names(s, msg_home(msg), o, m->method);
	if (!err)
		err = add_numbers(s, msg_home(msg), o, m);
	if (!err)
		err = add_rest(msg, o, m);
	if (!err)
		err = credentials_new(&as, &o->credentials);
	if (err) {
		msg_destroy(msg);
		return err;
	}
	err = txn_send(&txn, sip, msg, &o->flow, fn, arg);
	if (err) {
		credentials_unref(as);
		return err;
	}
	txn->as = as;
	if (out)
		*out = txn;
	return 0;
}
