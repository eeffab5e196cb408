/*
 * credentials.c - answering a peer's challenge before the owner of the request
 * hears of it (RFC 3261 22.2, 22.3)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The request goes out once more, as a new one: same Call-ID and tags, the
 * next CSeq, a new branch.  A proxy on the way and the server at its end may
 * both ask (RFC 3261 22.3): each is answered, and what the other was told is
 * told again.  A second challenge of the same one says that the password is
 * wrong, unless it says that the nonce was too old; it goes up to the owner.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sip/stack.h"

enum { ANSWER_BYTES = 2048 };

int credentials_new(struct credentials **out, const struct sip_credentials *of)
{
	struct credentials *as;

	*out = NULL;
	if (!of->user || !of->password)
		return 0;
	as = calloc(1, sizeof(*as));
	if (!as)
		return -ENOMEM;
	as->refs = 1;
	as->user = strdup(of->user);
	as->password = strdup(of->password);
	if (!as->user || !as->password) {
		credentials_unref(as);
		return -ENOMEM;
	}
	*out = as;
	return 0;
}

struct credentials *credentials_ref(struct credentials *as)
{
	if (as)
		as->refs++;
	return as;
}

void credentials_unref(struct credentials *as)
{
	if (!as || --as->refs)
		return;
	if (as->password)
		explicit_bzero(as->password, strlen(as->password));
	free(as->password);
	free(as->user);
	free(as);
}

/* Is the challenge in @s one to answer?  Then it is kept. */
static bool take(struct sip_txn *txn, const sip_t *s)
{
	const struct sip_view view = {.msg = s,
				      .status = s->sip_status->st_status};
	bool is_proxy = view.status == 407;
	struct sip_challenged c = txn->as->challenged[is_proxy];
	uint8_t *n = &txn->n_answered[is_proxy];

	if (sip_challenge_take(&c, &view) || (*n && (*n > 1 || !c.stale)))
		return false;
	txn->as->challenged[is_proxy] = c;
	++*n;
	return true;
}

static void strip(msg_t *msg)
{
	sip_t *s = sip_object(msg);

	while (s->sip_via)
		sip_header_remove(msg, s, (sip_header_t *)s->sip_via);
	while (s->sip_authorization)
		sip_header_remove(msg, s, (sip_header_t *)s->sip_authorization);
	while (s->sip_proxy_authorization)
		sip_header_remove(msg, s,
				  (sip_header_t *)s->sip_proxy_authorization);
}

static int count_on(msg_t *msg, struct sip_txn *txn)
{
	sip_t *s = sip_object(msg);
	uint32_t seq = s->sip_cseq->cs_seq + 1;
	sip_cseq_t *cseq;
	const char *name;
	sip_method_t number = method_number(txn->method, &name);

	/* Others may have been sent in the dialog since. */
	if (txn->as->dialog)
		seq = dialog_next_cseq(txn->as->dialog, txn->method);
	cseq = seq ? sip_cseq_create(msg_home(msg), seq, number, name) : NULL;
	if (!cseq)
		return -ENOMEM;
	sip_header_remove(msg, s, (sip_header_t *)s->sip_cseq);
	return msg_header_insert(msg, msg_object(msg), (msg_header_t *)cseq) < 0
		       ? -ENOMEM
		       : 0;
}

static struct str body_of(msg_t *msg)
{
	const sip_payload_t *body = sip_object(msg)->sip_payload;

	return body ? (struct str){body->pl_data, body->pl_len} : STR("");
}

/* To each who has asked for it. */
static int add_answers(msg_t *msg, struct sip_txn *txn)
{
	struct credentials *as = txn->as;
	char mem[ANSWER_BYTES];
	struct sip_header h;
	char *uri = url_as_string(msg_home(msg),
				  sip_object(msg)->sip_request->rq_url);
	int err = uri ? 0 : -ENOMEM;

	for (int i = 0; i < 2 && !err; i++) {
		if (!txn->n_answered[i])
			continue;
		err = sip_challenge_answer_body(
			&as->challenged[i], txn->method, uri, as->user,
			as->password, body_of(msg), mem, sizeof(mem), &h);
		if (!err)
			err = header_add(msg, &h);
	}
	return err;
}

msg_t *credentials_retry(struct sip_txn *txn, const sip_t *answer)
{
	msg_t *old, *msg = NULL;

	if (!txn->as || !answer || !answer->sip_status || !take(txn, answer))
		return NULL;
	old = nta_outgoing_getrequest(txn->orq);
	if (old)
		msg = msg_dup(old);
	msg_destroy(old);
	if (!msg)
		return NULL;
	strip(msg);
	if (!count_on(msg, txn) && !add_answers(msg, txn))
		return msg;
	msg_destroy(msg);
	return NULL;
}

/* RFC 3261 13.2.2.4: what let the INVITE in is in its ACK as well. */
int credentials_to_ack(msg_t *ack, const struct sip_txn *txn)
{
	msg_t *invite;
	const sip_t *s;
	int n;

	if (!txn->n_answered[0] && !txn->n_answered[1])
		return 0;
	invite = nta_outgoing_getrequest(txn->orq);
	s = sip_object(invite);
	if (!s)
		return -ENOMEM;
	n = sip_add_tl(ack, sip_object(ack),
		       SIPTAG_AUTHORIZATION(s->sip_authorization),
		       SIPTAG_PROXY_AUTHORIZATION(s->sip_proxy_authorization),
		       TAG_END());
	msg_destroy(invite);
	return n < 0 ? -ENOMEM : 0;
}
