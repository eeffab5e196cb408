/*
 * dialog.c - dialogs: who we are to one peer, and the requests between us
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The library keeps Call-ID, tags, CSeq and route set (RFC 3261 12); where a
 * request goes is decided here: always along the dialog's flow, whatever the
 * Contact or the Route says.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rand.h"
#include "sip/stack.h"

/* ---- life ----------------------------------------------------------------------------- */

/* The last thing done with the dialog: its owner may destroy it. */
static void tell(sip_dialog_fn fn, void *arg, struct sip_txn *txn)
{
	/* Readable until the callback returns, even when it lets go. */
	const struct sip_view view = *sip_txn_view(txn);
	msg_t *msg = msg_ref(txn->msg);

	fn(arg, txn, &view);
	msg_destroy(msg);
}

void sip_dialog_take(struct sip_dialog *d, struct sip_txn *txn)
{
	if (d->is_named)
		txn->contact_user =
			su_strdup(msg_home(txn->msg), d->contact_user);
	if (d->mirror && !d->mirror->first_cseq)
		d->mirror->first_cseq = txn->view.cseq;
	tell(d->request, d->arg, txn);
}

int dialog_on_request(struct sip_dialog *d, nta_leg_t *leg, nta_incoming_t *irq,
		      const sip_t *s)
{
	struct sip_txn *txn;

	/* An ACK whose INVITE is forgotten already. */
	if (s->sip_request->rq_method == sip_method_ack) {
		nta_incoming_destroy(irq);
		return 0;
	}
	if (txn_from_leg(&txn, d->sip, irq, s))
		return 500;
	sip_dialog_take(d, txn);
	return 0;
}

int dialog_new(struct sip_dialog **out, struct sip_stack *sip,
	       const struct sip_dialog_conf *conf)
{
	struct sip_dialog *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	su_home_init(d->home);
	d->sip = sip;
	d->flow = conf->flow;
	d->tcp_above = conf->tcp_above;
	d->request = conf->request;
	d->arg = conf->arg;
	list_append(&sip->dialogs, &d->link);
	flow_use(sip, &d->flow, 1);
	*out = d;
	return 0;
}

static int set_credentials(struct sip_dialog *d,
			   const struct sip_credentials *of)
{
	int err = credentials_new(&d->as, of);

	if (d->as)
		d->as->dialog = d;
	return err;
}

static int caller_names(struct sip_dialog *d, sip_to_t **to,
			const struct sip_dialog_conf *conf)
{
	const struct address_local local = {
		.display = conf->local_display,
		.user = conf->local_user,
		.host = conf->local_host,
		.flow = &conf->flow,
	};
	int err;

	err = address_target(&d->target, d->home, conf->target);
	if (!err)
		err = address_from(&d->local, d->home, &local);
	if (!err)
		err = address_to(to, d->home, conf->remote_user,
				 conf->remote_host ? conf->remote_host
						   : d->target->url_host);
	if (!err)
		err = address_user(&d->contact_user, d->home, conf->local_user);
	return err;
}

static int forker_add(struct sip_dialog *d, sip_dialog_fn forked)
{
	int err = hash_insert(&d->sip->forkers, &d->forker,
			      hash_text(d->call_id));

	if (!err)
		d->forked = forked;
	return err;
}

int sip_dialog_call(struct sip_dialog **out, struct sip_stack *sip,
		    const struct sip_dialog_conf *conf)
{
	struct sip_dialog *d;
	sip_to_t *to;
	int err;

	err = dialog_new(&d, sip, conf);
	if (err)
		return err;
	rand_token(d->call_id, CALLID_CHARS);
	err = caller_names(d, &to, conf);
	if (!err)
		err = set_credentials(d, &conf->credentials);
	if (err)
		goto fail;
	d->leg = nta_leg_tcreate(sip->agent, dialog_on_request, d,
				 SIPTAG_CALL_ID_STR(d->call_id),
				 SIPTAG_FROM(d->local), SIPTAG_TO(to),
				 TAG_END());
	err = d->leg ? 0 : -ENOMEM;
	if (!err && conf->forked)
		err = forker_add(d, conf->forked);
	if (err)
		goto fail;
	*out = d;
	return 0;
fail:
	sip_dialog_destroy(d);
	return err;
}

const sip_contact_t *dialog_usable_contact(const sip_t *s)
{
	const sip_contact_t *m = s->sip_contact;

	return m && m->m_url->url_type == url_sip && m->m_url->url_host ? m
									: NULL;
}

int sip_dialog_answer(struct sip_dialog **out, struct sip_txn *txn,
		      const struct sip_dialog_conf *conf)
{
	const sip_t *s = txn->view.msg;
	struct sip_dialog *d;
	sip_to_t *local;
	int err;

	if (!txn->irq || !dialog_usable_contact(s) ||
	    (txn->method != SIP_INVITE && txn->method != SIP_SUBSCRIBE))
		return -EINVAL;
	err = dialog_new(&d, txn->sip, conf);
	if (err)
		return err;
	str_copy(d->call_id, sizeof(d->call_id), str_of(s->sip_call_id->i_id));
	err = -ENOMEM;
	/* Tagged before the leg is made: else it would also take requests
	 * without a To-tag, such as another branch of the same fork. */
	local = sip_to_dup(d->home, s->sip_to);
	if (!local ||
	    (!local->a_tag && sip_to_tag(d->home, local, txn->tag) < 0))
		goto fail;
	if (txn->method == SIP_SUBSCRIBE) {
		d->mine = local;
		d->peer = sip_from_dup(d->home, s->sip_from);
		if (!d->peer)
			goto fail;
	}
	d->leg = nta_leg_tcreate(txn->sip->agent, dialog_on_request, d,
				 SIPTAG_CALL_ID(s->sip_call_id),
				 SIPTAG_FROM(local), SIPTAG_TO(s->sip_from),
				 NTATAG_REMOTE_CSEQ(s->sip_cseq->cs_seq),
				 TAG_END());
	if (!d->leg || nta_leg_server_route(d->leg, s->sip_record_route,
					    dialog_usable_contact(s)) < 0)
		goto fail;
	*out = d;
	return 0;
fail:
	sip_dialog_destroy(d);
	return err;
}

int sip_dialog_twin(struct sip_dialog **out, const struct sip_dialog *d,
		    const struct sip_dialog_conf *conf)
{
	const sip_contact_t *contact = NULL;
	const sip_route_t *route = NULL;
	char tag[TAG_CHARS + 1];
	struct sip_dialog *twin;
	sip_to_t *local;
	sip_to_t name;
	int err;

	if (!d->mine)
		return -EINVAL;
	err = dialog_new(&twin, d->sip, conf);
	if (err)
		return err;
	memcpy(twin->call_id, d->call_id, sizeof(twin->call_id));
	name = *d->mine;
	name.a_params = NULL;
	name.a_tag = NULL;
	err = -ENOMEM;
	local = sip_to_dup(twin->home, &name);
	if (!local ||
	    sip_to_tag(twin->home, local, rand_token(tag, TAG_CHARS)) < 0)
		goto fail;
	twin->leg = nta_leg_tcreate(d->sip->agent, dialog_on_request, twin,
				    SIPTAG_CALL_ID_STR(twin->call_id),
				    SIPTAG_FROM(local), SIPTAG_TO(d->peer),
				    TAG_END());
	if (!twin->leg || nta_leg_get_route(d->leg, &route, &contact) < 0 ||
	    nta_leg_server_route(twin->leg, route, contact) < 0)
		goto fail;
	*out = twin;
	return 0;
fail:
	sip_dialog_destroy(twin);
	return err;
}

void sip_dialog_destroy(struct sip_dialog *d)
{
	if (!d)
		return;
	if (d->forked)
		hash_remove(&d->sip->forkers, &d->forker);
	early_end(d);
	nta_leg_destroy(d->leg);
	if (d->mirror)
		d->mirror->mirror = NULL;
	if (d->as)
		d->as->dialog = NULL;
	credentials_unref(d->as);
	flow_use(d->sip, &d->flow, -1);
	list_remove(&d->link);
	su_home_deinit(d->home);
	free(d);
}

void dialog_destroy_all(struct sip_stack *sip)
{
	list_for_each_safe (pos, &sip->dialogs)
		sip_dialog_destroy(list_entry(pos, struct sip_dialog, link));
}

/* ---- forks of a SUBSCRIBE (RFC 6665 4.4.1) -------------------------------------------------- */

/* @key is a sip_t: the NOTIFY's Call-ID and To-tag are the dialog's own. */
static bool is_forker(const struct hash_node *node, const void *key)
{
	const struct sip_dialog *d =
		container_of(node, struct sip_dialog, forker);
	const sip_t *s = key;

	return !strcmp(d->call_id, s->sip_call_id->i_id) &&
	       !strcasecmp(d->local->a_tag, s->sip_to->a_tag);
}

bool dialog_forked(struct sip_stack *sip, msg_t *msg, const sip_t *s)
{
	struct hash_node *node;
	struct sip_dialog *d;
	struct sip_txn *txn;

	if (s->sip_request->rq_method != sip_method_notify ||
	    !s->sip_from->a_tag)
		return false;
	node = hash_find(&sip->forkers, hash_text(s->sip_call_id->i_id),
			 is_forker, s);
	if (!node)
		return false;
	d = container_of(node, struct sip_dialog, forker);
	if (!txn_from_message(&txn, sip, msg))
		tell(d->forked, d->arg, txn);
	return true;
}

static bool is_its_flow(const struct sip_dialog *d, const struct sip_flow *f)
{
	return d->flow.transport == f->transport &&
	       addr_equal(&d->flow.remote, &f->remote);
}

/*
 * The library counts the peer's CSeq on before anybody can ask who sent it; a
 * stranger's high one would shut the peer out of its own dialog.  So what comes
 * from elsewhere goes past the library, and the dialog's owner judges it.
 */
bool dialog_from_elsewhere(struct sip_stack *sip, msg_t *msg, sip_t *s)
{
	struct sip_dialog *d;
	struct sip_txn *txn;
	nta_leg_t *leg;

	if (!s->sip_to->a_tag || !s->sip_from->a_tag ||
	    s->sip_request->rq_method == sip_method_ack ||
	    s->sip_request->rq_method == sip_method_cancel)
		return false;
	leg = nta_leg_by_dialog(sip->agent, NULL, s->sip_call_id,
				s->sip_from->a_tag, NULL, s->sip_to->a_tag,
				NULL);
	d = leg ? nta_leg_magic(leg, dialog_on_request) : NULL;
	if (!d || is_its_flow(d, &sip->now.flow) ||
	    nta_incoming_find(sip->agent, s, s->sip_via)) /* a repeated one */
		return false;
	msg_ref(msg); /* the transaction takes one */
	if (!txn_from_message(&txn, sip, msg))
		sip_dialog_take(d, txn);
	return true;
}

static int fork_leg(struct sip_dialog *d, const struct sip_dialog *from,
		    const sip_t *s)
{
	char cseq[32];

	snprintf(cseq, sizeof(cseq), "%u", nta_leg_get_seq(from->leg));
	d->leg = nta_leg_tcreate(
		d->sip->agent, dialog_on_request, d,
		SIPTAG_CALL_ID(s->sip_call_id), SIPTAG_FROM(from->local),
		SIPTAG_TO(s->sip_from), NTATAG_REMOTE_CSEQ(s->sip_cseq->cs_seq),
		SIPTAG_CSEQ_STR(cseq), TAG_END());
	return d->leg && nta_leg_server_route(d->leg, s->sip_record_route,
					      dialog_usable_contact(s)) >= 0
		       ? 0
		       : -ENOMEM;
}

int sip_dialog_fork(struct sip_dialog **out, struct sip_dialog *d,
		    struct sip_txn *txn, const struct sip_dialog_conf *conf)
{
	const sip_t *s = txn->view.msg;
	struct sip_dialog *fork;
	int err;

	if (!txn->irq || txn->method != SIP_NOTIFY || !d->local ||
	    !s->sip_to->a_tag || !s->sip_from->a_tag ||
	    !is_forker(&d->forker, s))
		return -EINVAL;
	err = dialog_new(&fork, d->sip, conf);
	if (err)
		return err;
	memcpy(fork->call_id, d->call_id, sizeof(fork->call_id));
	fork->target = url_hdup(fork->home, d->target);
	fork->contact_user = su_strdup(fork->home, d->contact_user);
	err = !fork->target || (d->contact_user && !fork->contact_user)
		      ? -ENOMEM
		      : fork_leg(fork, d, s);
	if (!err && d->as)
		err = set_credentials(fork, &(struct sip_credentials){
						    .user = d->as->user,
						    .password = d->as->password,
					    });
	if (err)
		goto fail;
	*out = fork;
	return 0;
fail:
	sip_dialog_destroy(fork);
	return err;
}

/* ---- requests --------------------------------------------------------------------------- */

/* What an adopted or diverted dialog has beside the library's. */
static int add_of_dialog(msg_t *msg, struct sip_dialog *d, sip_method_t number,
			 const char *name)
{
	const struct sip_header detour = {"Route", d->detour};
	const sip_route_t *set = NULL;
	su_home_t *home = msg_home(msg);
	sip_t *s = sip_object(msg);
	int err = 0;

	if (d->first_cseq && number != sip_method_ack &&
	    !nta_leg_get_seq(d->leg)) {
		s->sip_cseq =
			sip_cseq_create(home, d->first_cseq, number, name);
		err = s->sip_cseq ? 0 : -ENOMEM;
	}
	if (err || !d->detour)
		return err;
	err = header_add(msg, &detour);
	if (!err && !nta_leg_get_route(d->leg, &set, NULL) && set)
		err = msg_header_insert(
			      msg, (msg_pub_t *)s,
			      (msg_header_t *)sip_route_dup(home, set)) < 0
			      ? -ENOMEM
			      : 0;
	return err;
}

static int request_build(msg_t **out, struct sip_stack *sip, nta_leg_t *leg,
			 const url_t *target, const struct sip_message *m,
			 const struct sip_flow *flow, struct sip_dialog *d,
			 uint32_t ack_seq)
{
	msg_t *msg = nta_msg_create(sip->agent, 0);
	const char *name;
	sip_method_t number = method_number(m->method, &name);
	char hops[16];
	int err = -ENOMEM;

	if (!msg)
		return -ENOMEM;
	snprintf(hops, sizeof(hops), "%d",
		 m->max_forwards < 0 ? 0
		 : m->max_forwards   ? m->max_forwards
				     : 70);
	err = message_add(msg, m, flow, d ? d->contact_user : NULL);
	if (err)
		goto fail;
	err = -ENOMEM;
	if (sip_add_tl(msg, sip_object(msg), SIPTAG_MAX_FORWARDS_STR(hops),
		       TAG_END()) < 0)
		goto fail;
	if (number == sip_method_ack &&
	    msg_header_insert(msg, msg_object(msg),
			      (msg_header_t *)sip_cseq_create(
				      msg_home(msg), ack_seq, SIP_METHOD_ACK)) <
		    0)
		goto fail;
	if (d && add_of_dialog(msg, d, number, name))
		goto fail;
	if (nta_msg_request_complete(msg, leg, number, name,
				     (url_string_t *)target) < 0)
		goto fail;
	*out = msg;
	return 0;
fail:
	msg_destroy(msg);
	return err;
}

static int dialog_build(msg_t **out, struct sip_dialog *d, nta_leg_t *leg,
			const struct sip_message *m, uint32_t ack_seq)
{
	return request_build(out, d->sip, leg, d->target, m, &d->flow, d,
			     ack_seq);
}

uint32_t dialog_next_cseq(struct sip_dialog *d, enum sip_method method)
{
	msg_t *msg = nta_msg_create(d->sip->agent, 0);
	const char *name;
	sip_method_t number = method_number(method, &name);
	uint32_t seq = 0;

	if (!msg)
		return 0;
	/* It counts only as it writes. */
	if (nta_msg_request_complete(msg, d->leg, number, name,
				     (url_string_t *)d->target) >= 0)
		seq = sip_object(msg)->sip_cseq->cs_seq;
	msg_destroy(msg);
	return seq;
}

int sip_dialog_request(struct sip_dialog *d, struct sip_txn **out,
		       const struct sip_message *m, sip_response_fn fn,
		       void *arg)
{
	return dialog_send(d, d->leg, out, m, fn, arg);
}

int dialog_send(struct sip_dialog *d, nta_leg_t *leg, struct sip_txn **out,
		const struct sip_message *m, sip_response_fn fn, void *arg)
{
	struct sip_flow tcp;
	struct sip_txn *txn;
	bool is_large;
	msg_t *msg;
	int err;

	if (m->status || m->method == SIP_ACK || m->method == SIP_CANCEL)
		return -EINVAL;
	if (d->sip->client_txns >= LIMIT_CLIENT_TXNS && m->method != SIP_BYE)
		return -EAGAIN;
	err = dialog_build(&msg, d, leg, m, 0);
	if (err)
		return err;
	is_large = large_flow(&tcp, d->sip, msg, &d->flow, d->tcp_above);
	err = txn_send(&txn, d->sip, msg, is_large ? &tcp : &d->flow, fn, arg);
	if (err)
		return err;
	txn->as = credentials_ref(d->as);
	if (is_large)
		large_sent(txn, &d->flow);
	/* The first request opened the connection; the next ones take it. */
	else if (txn->flow.conn && !d->flow.conn)
		sip_dialog_move(d, &txn->flow);
	if (out)
		*out = txn;
	return 0;
}

/* The library repeats the ACK for repeated 2xx as long as it knows for which
 * INVITE it is: told by the branch, because it aborts when it must search and
 * does not find. */
static int ack_send(struct sip_txn *txn, msg_t *msg,
		    const struct sip_flow *flow)
{
	char branch[BRANCH_BYTES];
	struct flow_out to;
	nta_outgoing_t *ack;
	sip_via_t *via;
	int err;

	err = flow_out(&to, txn->sip, flow);
	if (err)
		goto fail;
	err = credentials_to_ack(msg, txn);
	if (err)
		goto fail;
	err = -ENOMEM;
	via = send_via(msg_home(msg), flow, branch);
	if (!via ||
	    msg_header_insert(msg, msg_object(msg), (msg_header_t *)via) < 0)
		goto fail;
	err = -EIO;
	ack = nta_outgoing_mcreate(txn->sip->agent, NULL, NULL,
				   (url_string_t *)to.route, msg,
				   NTATAG_TPORT(to.tport), NTATAG_USER_VIA(1),
				   NTATAG_ACK_BRANCH(txn->branch), TAG_END());
	if (!ack)
		goto fail;
	nta_outgoing_destroy(ack);
	return 0;
fail:
	msg_destroy(msg);
	return err;
}

static uint32_t invite_seq(const struct sip_txn *txn)
{
	return txn->orq ? nta_outgoing_cseq(txn->orq) : 0;
}

int sip_dialog_ack(struct sip_dialog *d, struct sip_txn *txn,
		   const struct sip_message *m)
{
	struct sip_message ack = {0};
	msg_t *msg;
	int err;

	if (!txn->orq || txn->method != SIP_INVITE || txn->final < 200 ||
	    txn->final >= 300)
		return -EINVAL;
	if (m)
		ack = *m;
	ack.status = 0;
	ack.method = SIP_ACK;
	err = dialog_build(&msg, d, d->leg, &ack, invite_seq(txn));
	return err ? err : ack_send(txn, msg, &d->flow);
}

void dialog_ack_and_bye(struct sip_txn *txn, const sip_t *answer)
{
	const struct sip_message ack = {.method = SIP_ACK};
	const struct sip_message bye = {.method = SIP_BYE};
	msg_t *invite = nta_outgoing_getrequest(txn->orq);
	const sip_t *rq = sip_object(invite);
	struct sip_stack *sip = txn->sip;
	struct sip_txn *out;
	nta_leg_t *leg;
	msg_t *msg;

	leg = nta_leg_tcreate(
		sip->agent, NULL, NULL, SIPTAG_CALL_ID(rq->sip_call_id),
		SIPTAG_FROM(rq->sip_from), SIPTAG_TO(answer->sip_to),
		SIPTAG_CSEQ(rq->sip_cseq), TAG_END());
	if (leg)
		nta_leg_client_route(leg, answer->sip_record_route,
				     dialog_usable_contact(answer));
	if (leg && !request_build(&msg, sip, leg, rq->sip_request->rq_url, &ack,
				  &txn->flow, NULL, invite_seq(txn)))
		ack_send(txn, msg, &txn->flow);
	if (leg &&
	    !request_build(&msg, sip, leg, rq->sip_request->rq_url, &bye,
			   &txn->flow, NULL, 0) &&
	    !txn_send(&out, sip, msg, &txn->flow, NULL, NULL))
		out->as = credentials_ref(txn->as);
	nta_leg_destroy(leg);
	msg_destroy(invite);
}

/* ---- changes ------------------------------------------------------------------------------ */

void sip_dialog_establish(struct sip_dialog *d, const struct sip_view *answer)
{
	const char *tag = answer->status ? answer->to_tag : answer->from_tag;
	const char *have = nta_leg_get_rtag(d->leg);
	const sip_t *s = answer->msg;

	if (s && d->is_early && answer->status) {
		early_establish(d, answer);
		return;
	}
	if (!s || (have && (!tag || strcasecmp(have, tag))))
		return;
	nta_leg_rtag(d->leg, tag);
	if (answer->status)
		nta_leg_client_route(d->leg, s->sip_record_route,
				     dialog_usable_contact(s));
	else
		nta_leg_server_route(d->leg, s->sip_record_route,
				     dialog_usable_contact(s));
}

void sip_dialog_retarget(struct sip_dialog *d, const struct sip_view *view)
{
	const sip_t *s = view->msg;

	if (s && dialog_usable_contact(s) && !d->holds_target)
		nta_leg_server_route(d->leg, NULL, dialog_usable_contact(s));
}

void sip_dialog_move(struct sip_dialog *d, const struct sip_flow *flow)
{
	struct sip_flow old = d->flow;

	d->flow = *flow; /* may be our own */
	flow_use(d->sip, &d->flow, 1);
	flow_use(d->sip, &old, -1);
}

const struct sip_flow *sip_dialog_flow(const struct sip_dialog *d)
{
	return &d->flow;
}

const char *sip_dialog_call_id(const struct sip_dialog *d)
{
	return d->call_id;
}

const char *sip_dialog_local_tag(const struct sip_dialog *d)
{
	return nta_leg_get_tag(d->leg);
}

const char *sip_dialog_remote_tag(const struct sip_dialog *d)
{
	return nta_leg_get_rtag(d->leg);
}
