/*
 * txn.c - server and client transactions
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The library runs the timers of RFC 3261 17.  What we keep to ourselves:
 * CANCEL waits here and not in the library, which aborts when a peer answers
 * a CANCEL that was not sent yet; and an INVITE that its owner let go stays
 * with us until no answer to it can come any more, so that a late or a second
 * 2xx is ended along the flow and not towards an address that the peer names.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/rand.h"
#include "sip/stack.h"
#include "sip/streams.h"

enum {
	/* The library absorbs repeated final answers for 32 s (Timer D). */
	LINGER_MS = 33000,
	UNSENT = sizeof(((struct sip_stack *)0)->unsent) /
		 sizeof(((struct sip_stack *)0)->unsent[0]),
	UNSENT_MS = 60000,
};

static void set_view_way(struct sip_stack *sip, struct sip_view *v,
			 const struct sip_flow *otherwise)
{
	if (sip->now.tport) {
		arrival_note(sip, v);
		return;
	}
	v->flow = *otherwise;
	v->realm = sip_realm_at(sip, v->flow.transport, &v->flow.local);
	if (!v->realm)
		v->realm = "";
}

static struct sip_txn *txn_new(struct sip_stack *sip,
			       const struct sip_flow *flow)
{
	struct sip_txn *txn = calloc(1, sizeof(*txn));

	if (!txn)
		return NULL;
	txn->sip = sip;
	txn->flow = *flow;
	list_append(&sip->txns, &txn->link);
	flow_use(sip, flow, 1);
	return txn;
}

static void txn_free(struct sip_txn *txn)
{
	reliable_stop(txn);
	timer_cancel(txn->sip->conf.loop, &txn->timer);
	free(txn->cancel_reason);
	if (txn->orq && !txn->final && txn->sip->client_txns)
		txn->sip->client_txns--;
	large_clear(txn);
	nta_outgoing_destroy(txn->orq);
	invited_remove(txn);
	nta_incoming_bind(txn->irq, NULL, NULL);
	nta_incoming_destroy(txn->irq);
	if (txn->msg)
		msg_destroy(txn->msg);
	credentials_unref(txn->as);
	flow_use(txn->sip, &txn->flow, -1);
	list_remove(&txn->link);
	free(txn);
}

void txn_destroy_all(struct sip_stack *sip)
{
	list_for_each_safe (pos, &sip->txns)
		txn_free(list_entry(pos, struct sip_txn, link));
}

/* ---- server side ------------------------------------------------------------------ */

/* The library sets an INVITE aside when its final answer could not be sent,
 * and aborts if its ACK comes before a timer has looked there.  That the send
 * failed shows in the status, which stays what it was. */
static int check_sent(struct sip_txn *txn, int status)
{
	struct sip_stack *sip = txn->sip;
	unsigned at = sip->next_unsent;

	if (status < 200 || nta_incoming_status(txn->irq) >= 200)
		return 0;
	if (txn->method == SIP_INVITE) {
		sip->unsent[at].call_id = hash_text(txn->view.call_id);
		sip->unsent[at].until = clock_mono() + UNSENT_MS;
		sip->next_unsent = (at + 1) % UNSENT;
	}
	return -EIO;
}

bool txn_admit_ack(const struct sip_stack *sip, const sip_t *s)
{
	uint32_t call_id = hash_text(s->sip_call_id->i_id);
	mono_ms now = clock_mono();

	for (unsigned i = 0; i < UNSENT; i++)
		if (sip->unsent[i].until > now &&
		    sip->unsent[i].call_id == call_id)
			return false;
	return true;
}

static void tell(struct sip_txn *txn, enum sip_txn_event event, msg_t *msg,
		 const sip_t *s)
{
	struct sip_view view;

	if (!txn->fn)
		return;
	if (!s) {
		txn->fn(txn->arg, txn, event, NULL);
		return;
	}
	if (view_fill(&view, msg_home(msg), msg, s))
		return;
	set_view_way(txn->sip, &view, &txn->flow);
	txn->fn(txn->arg, txn, event, &view);
}

static int on_ack_or_cancel(struct sip_txn *txn, nta_incoming_t *irq,
			    const sip_t *s)
{
	bool accepted = nta_incoming_status(irq) >= 200 &&
			nta_incoming_status(irq) < 300;
	msg_t *msg;

	if (!s || !s->sip_request) {
		if (accepted)
			tell(txn, SIP_TXN_NO_ACK, NULL, NULL);
		return 0;
	}
	msg = nta_incoming_getrequest_ackcancel(irq);
	if (!msg)
		return 0;
	if (s->sip_request->rq_method == sip_method_cancel) {
		/* Before the owner hears of it: he may let go at once. */
		reliable_stop(txn);
		nta_incoming_treply(irq, SIP_487_REQUEST_TERMINATED, TAG_END());
		check_sent(txn, 487);
		tell(txn, SIP_TXN_CANCEL, msg, s);
	} else if (accepted) {
		tell(txn, SIP_TXN_ACK, msg, s);
	}
	msg_destroy(msg);
	return 0;
}

/* Takes one reference to @msg. */
static void bind_server(struct sip_txn *txn, nta_incoming_t *irq, msg_t *msg)
{
	txn->irq = irq;
	txn->msg = msg;
	txn->method = txn->view.method;
	/* The library's tags are a counter. */
	if (!txn->view.to_tag) {
		rand_token(txn->tag, TAG_CHARS);
		nta_incoming_tag(irq, txn->tag);
	}
	nta_incoming_bind(irq, on_ack_or_cancel, txn);
	invited_add(txn);
}

/* Takes @msg in every case; @view is of it. */
static int start_server(struct sip_txn **out, struct sip_stack *sip, msg_t *msg,
			const struct sip_view *view)
{
	const struct sip_message busy = {.status = 500};
	struct sip_txn *txn;
	nta_incoming_t *irq;

	txn = txn_new(sip, &view->flow);
	if (!txn) {
		send_stateless(sip, msg, &busy);
		msg_destroy(msg);
		return -ENOMEM;
	}
	msg_ref(msg); /* the library takes one */
	irq = nta_incoming_create(sip->agent, NULL, msg, sip_object(msg),
				  TAG_END());
	if (!irq) {
		msg_destroy(msg);
		txn_free(txn);
		return -ENOMEM;
	}
	txn->view = *view;
	bind_server(txn, irq, msg);
	*out = txn;
	return 0;
}

int sip_request_accept(struct sip_request *req, struct sip_txn **out,
		       sip_txn_fn fn, void *arg)
{
	struct sip_view view = *sip_request_view(req);
	struct sip_stack *sip;
	msg_t *msg;
	int err;

	err = request_take(req, &sip, &msg);
	if (!err)
		err = start_server(out, sip, msg, &view);
	if (!err)
		sip_txn_listen(*out, fn, arg);
	return err;
}

int txn_from_message(struct sip_txn **out, struct sip_stack *sip, msg_t *msg)
{
	struct sip_view view;
	int err;

	err = view_fill(&view, msg_home(msg), msg, sip_object(msg));
	if (err) {
		msg_destroy(msg);
		return err;
	}
	arrival_note(sip, &view);
	return start_server(out, sip, msg, &view);
}

int txn_from_leg(struct sip_txn **out, struct sip_stack *sip,
		 nta_incoming_t *irq, const sip_t *s)
{
	msg_t *msg = nta_incoming_getrequest(irq);
	struct sip_txn *txn;
	int err = -ENOMEM;

	txn = msg ? txn_new(sip, &sip->now.flow) : NULL;
	if (!txn)
		goto fail;
	err = view_fill(&txn->view, msg_home(msg), msg, s);
	if (err) {
		txn_free(txn);
		goto fail;
	}
	set_view_way(sip, &txn->view, &txn->flow);
	bind_server(txn, irq, msg);
	*out = txn;
	return 0;
fail:
	if (msg)
		msg_destroy(msg);
	return err;
}

const struct sip_view *sip_txn_view(const struct sip_txn *txn)
{
	return &txn->view;
}

void sip_txn_listen(struct sip_txn *txn, sip_txn_fn fn, void *arg)
{
	txn->fn = fn;
	txn->arg = arg;
}

/* The library would make a reliable one of it itself (reliable.c). */
static bool must_be_reliable(const struct sip_txn *txn, int status)
{
	return txn->view.method == SIP_INVITE && txn->view.requires_100rel &&
	       status > 100 && status < 200;
}

int sip_txn_answer(struct sip_txn *txn, const struct sip_message *m)
{
	if (must_be_reliable(txn, m->status))
		return -EPROTO;
	return txn_reply(txn, m, false);
}

int txn_reply(struct sip_txn *txn, const struct sip_message *m, bool reliably)
{
	const char *phrase =
		m->phrase ? m->phrase : sip_status_phrase(m->status);
	msg_t *msg;
	int err;

	if (!txn->irq || m->status < 100)
		return -EINVAL;
	if (nta_incoming_status(txn->irq) >= 200)
		return -EALREADY;
	msg = nta_msg_create(txn->sip->agent, 0);
	if (!msg)
		return -ENOMEM;
	err = message_add(msg, m, &txn->flow, txn->contact_user);
	if (!err && nta_incoming_complete_response(txn->irq, msg, m->status,
						   phrase ? phrase : "Refused",
						   TAG_END()) < 0)
		err = -EINVAL;
	if (!err && reliably)
		err = reliable_begin(txn, msg);
	if (err) {
		msg_destroy(msg);
		return err;
	}
	if (m->status >= 200)
		reliable_stop(txn);
	if (nta_incoming_mreply(txn->irq, msg) < 0 && m->status < 200)
		return -EIO;
	return check_sent(txn, m->status);
}

static void release_server(struct sip_txn *txn)
{
	txn->fn = NULL;
	if (nta_incoming_status(txn->irq) < 200) {
		nta_incoming_treply(txn->irq, SIP_500_INTERNAL_SERVER_ERROR,
				    TAG_END());
		check_sent(txn, 500);
	}
	txn_free(txn);
}

/* ---- client side --------------------------------------------------------------------- */

static void finish(struct sip_txn *txn, int status, const char *to_tag)
{
	txn->final = status;
	if (txn->sip->client_txns)
		txn->sip->client_txns--;
	str_copy(txn->final_tag, sizeof(txn->final_tag), str_of(to_tag));
}

/*
 * The library's 503 says that the transport failed.  Along a connection that
 * the peer made, and that nobody else can make again, it is the flow that
 * failed (RFC 5626 5.3.1, 11.5); what never had a flow cannot be reached.
 */
static void name_failure(const struct sip_txn *txn, struct sip_view *view)
{
	view->flow = txn->flow;
	if (!txn->on_peers_flow || sip_flow_alive(txn->sip, &txn->flow))
		return;
	view->status = 430;
	view->phrase = "Flow Failed";
}

/* An answer that never came, made up. */
static void tell_timeout(struct sip_txn *txn)
{
	struct sip_view view = {.method = txn->method,
				.method_name = "INVITE",
				.status = 408,
				.phrase = "Request Timeout",
				.internal = true,
				.call_id = "",
				.max_forwards = -1,
				.expires = -1,
				.retry_after = -1};

	set_view_way(txn->sip, &view, &txn->flow);
	name_failure(txn, &view);
	txn->response(txn->arg, txn, &view);
}

static void linger_over(void *arg)
{
	struct sip_txn *txn = arg;

	nta_outgoing_destroy(txn->orq);
	txn->orq = NULL;
	if (txn->released)
		txn_free(txn);
}

/* No final answer came within 64*T1 after CANCEL (RFC 3261 9.1). */
static void cancel_over(void *arg)
{
	struct sip_txn *txn = arg;

	finish(txn, 408, NULL);
	nta_outgoing_destroy(txn->orq);
	txn->orq = NULL;
	if (txn->released)
		txn_free(txn);
	else if (txn->response)
		tell_timeout(txn);
}

static msg_t *cancel_build(struct sip_txn *txn, const sip_t *invite)
{
	const struct sip_header reason = {"Reason", txn->cancel_reason};
	msg_t *msg = nta_msg_create(txn->sip->agent, 0);
	sip_t *s = sip_object(msg);
	su_home_t *home = msg_home(msg);
	sip_via_t via[1];

	if (!s)
		return NULL;
	*via = *invite->sip_via;
	via->v_next = NULL;
	s->sip_request = sip_request_create(
		home, SIP_METHOD_CANCEL,
		(url_string_t *)invite->sip_request->rq_url, NULL);
	s->sip_cseq = sip_cseq_create(home, invite->sip_cseq->cs_seq,
				      SIP_METHOD_CANCEL);
	if (s->sip_request && s->sip_cseq &&
	    sip_add_tl(msg, s, SIPTAG_VIA(via), SIPTAG_FROM(invite->sip_from),
		       SIPTAG_TO(invite->sip_to),
		       SIPTAG_CALL_ID(invite->sip_call_id),
		       SIPTAG_ROUTE(invite->sip_route),
		       SIPTAG_MAX_FORWARDS(invite->sip_max_forwards),
		       TAG_END()) >= 0 &&
	    (!reason.value || !header_add(msg, &reason)))
		return msg;
	msg_destroy(msg);
	return NULL;
}

static void cancel_send(struct sip_txn *txn)
{
	msg_t *invite = nta_outgoing_getrequest(txn->orq);
	unsigned t1 = txn->sip->conf.t1_ms ? txn->sip->conf.t1_ms : 500;
	struct flow_out to;
	msg_t *msg = NULL;

	txn->cancelled = true;
	txn->cancel_wanted = false;
	timer_set(txn->sip->conf.loop, &txn->timer, 64 * (int64_t)t1,
		  cancel_over, txn);
	if (!flow_out(&to, txn->sip, &txn->flow))
		msg = cancel_build(txn, sip_object(invite));
	if (msg && !nta_outgoing_mcreate(txn->sip->agent, NULL, NULL,
					 (url_string_t *)to.route, msg,
					 NTATAG_TPORT(to.tport),
					 NTATAG_USER_VIA(1), TAG_END()))
		msg_destroy(msg);
	msg_destroy(invite);
}

void sip_txn_cancel_for(struct sip_txn *txn, const char *reason)
{
	if (reason && !txn->cancel_reason) /* without memory it goes unsaid */
		txn->cancel_reason = strdup(reason);
	sip_txn_cancel(txn);
}

void sip_txn_cancel(struct sip_txn *txn)
{
	if (txn->method != SIP_INVITE || !txn->orq || txn->final ||
	    txn->cancelled)
		return;
	/* RFC 3261 9.1: not before a provisional response. */
	if (txn->provisional)
		cancel_send(txn);
	else
		txn->cancel_wanted = true;
}

/* The last thing done with @txn in a callback: the owner may release it. */
static void deliver(struct sip_txn *txn, const sip_t *s)
{
	msg_t *msg = nta_outgoing_getresponse(txn->orq);
	struct sip_view view;

	if (msg && s && !view_fill(&view, msg_home(msg), msg, s)) {
		set_view_way(txn->sip, &view, &txn->flow);
		if (view.internal)
			name_failure(txn, &view);
		txn->response(txn->arg, txn, &view);
	} else if (txn->final) {
		tell_timeout(txn);
	}
	if (msg)
		msg_destroy(msg);
}

static int on_response(struct sip_txn *txn, nta_outgoing_t *orq,
		       const sip_t *s);

nta_outgoing_t *txn_start(struct sip_txn *txn, msg_t *msg,
			  const struct flow_out *to)
{
	sip_via_t *via = send_via(msg_home(msg), &txn->flow, txn->branch);

	if (!via ||
	    msg_header_insert(msg, msg_object(msg), (msg_header_t *)via) < 0)
		return NULL;
	return nta_outgoing_mcreate(
		txn->sip->agent, on_response, txn, (url_string_t *)to->route,
		msg, NTATAG_TPORT(to->tport), NTATAG_USER_VIA(1), TAG_END());
}

/* Challenged: the same transaction to its owner, another one to the peer. */
static bool answer_challenge(struct sip_txn *txn, const sip_t *s)
{
	nta_outgoing_t *orq = NULL;
	struct flow_out to;
	msg_t *msg;

	if (txn->cancel_wanted || txn->cancelled ||
	    flow_out(&to, txn->sip, &txn->flow))
		return false;
	msg = credentials_retry(txn, s);
	if (msg)
		orq = txn_start(txn, msg, &to);
	if (!orq) {
		msg_destroy(msg);
		return false;
	}
	nta_outgoing_destroy(txn->orq);
	txn->orq = orq;
	txn->provisional = false;
	return true;
}

static int on_response(struct sip_txn *txn, nta_outgoing_t *orq, const sip_t *s)
{
	int status = s && s->sip_status ? s->sip_status->st_status : 408;

	if (txn->final)
		return 0; /* a provisional one that was overtaken */
	if (txn->large && large_answered(txn))
		return 0;
	if ((status == 401 || status == 407) && answer_challenge(txn, s))
		return 0;
	if (status < 200) {
		txn->provisional = true;
		if (txn->cancel_wanted)
			cancel_send(txn);
	} else {
		finish(txn, status, s && s->sip_to ? s->sip_to->a_tag : NULL);
		if (txn->method == SIP_INVITE)
			timer_set(txn->sip->conf.loop, &txn->timer, LINGER_MS,
				  linger_over, txn);
	}
	if (!txn->released && txn->response)
		deliver(txn, s);
	else if (txn->final && txn->method == SIP_INVITE && status < 300)
		dialog_ack_and_bye(txn, s);
	else if (txn->final && txn->method != SIP_INVITE)
		txn_free(txn);
	return 0;
}

/*
 * A second 2xx: repeated by a peer that has not seen our ACK yet (the ACK's
 * own transaction sends it again), or from another branch of a fork (RFC 3261
 * 13.2.2.4: acknowledge and end it).
 */
bool txn_admit_answer(struct sip_stack *sip, msg_t *msg, sip_t *s)
{
	int status = s->sip_status->st_status;
	nta_outgoing_t *orq;
	struct sip_txn *txn;

	if (s->sip_cseq->cs_method != sip_method_invite || status < 200 ||
	    status >= 300)
		return true;
	orq = nta_outgoing_find(sip->agent, msg, s, s->sip_via);
	if (!orq)
		return false;
	if (nta_outgoing_method(orq) == sip_method_ack)
		return true;
	txn = nta_outgoing_magic(orq, on_response);
	if (!txn)
		return false;
	if (!txn->final)
		return true;
	if (txn->final >= 300 ||
	    !str_eq_c(str_of(s->sip_to->a_tag), txn->final_tag))
		dialog_ack_and_bye(txn, s);
	return false;
}

/* A TCP flow without a connection yet has one now. */
static void note_connection(struct sip_txn *txn)
{
	tport_t *tport = nta_outgoing_transport(txn->orq);
	struct conn *c;

	if (tport && tport_is_secondary(tport) &&
	    !conn_get(&c, txn->sip, tport)) {
		txn->flow.conn = c->gen;
		conn_set_fd(c, stream_take_made());
	}
	if (tport)
		tport_unref(tport);
}

int txn_send(struct sip_txn **out, struct sip_stack *sip, msg_t *msg,
	     const struct sip_flow *flow, sip_response_fn fn, void *arg)
{
	sip_method_t method = sip_object(msg)->sip_request->rq_method;
	struct sip_flow way = *flow;
	struct sip_txn *txn = NULL;
	const struct conn *c;
	struct flow_out to;
	int err;

	/* A BYE is never refused: it makes room. */
	err = sip->client_txns >= LIMIT_CLIENT_TXNS && method != sip_method_bye
		      ? -EAGAIN
		      : flow_out(&to, sip, flow);
	if (err)
		goto fail;
	err = -ENOMEM;
	txn = txn_new(sip, &way);
	if (!txn)
		goto fail;
	txn->method = method_of(method);
	txn->response = fn;
	txn->arg = arg;
	txn->released = !fn;
	err = -EIO;
	(void)stream_take_made(); /* nobody asked for that one */
	txn->orq = txn_start(txn, msg, &to);
	if (!txn->orq)
		goto fail;
	sip->client_txns++;
	c = conn_by_gen(sip, flow->conn);
	txn->on_peers_flow = c && c->accepted;
	if (flow->transport == SIP_TCP && !flow->conn) {
		note_connection(txn);
		flow_use(sip, &txn->flow, 1);
	}
	if (out)
		*out = txn;
	return 0;
fail:
	if (txn)
		txn_free(txn);
	msg_destroy(msg);
	return err;
}

void sip_txn_release(struct sip_txn *txn)
{
	if (!txn)
		return;
	if (txn->irq) {
		release_server(txn);
		return;
	}
	txn->released = true;
	txn->response = NULL;
	if (txn->method == SIP_INVITE && txn->orq)
		sip_txn_cancel(txn); /* nothing when it has ended */
	else if (txn->final)
		txn_free(txn);
}
