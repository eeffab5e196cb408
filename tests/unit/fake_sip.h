/*
 * fake_sip.h - a SIP stack that only writes down what it is told to send
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Included by the one file of a test program that drives leg/, call/ or
 * registrar/: it defines every function of sip/sip.h that they call, so that
 * the real room is not linked.  What was sent stands in fake.sent, in order.
 */
#ifndef SBC_TESTS_FAKE_SIP_H
#define SBC_TESTS_FAKE_SIP_H

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sip/sip.h"

struct sip_txn {
	bool is_server, cancelled, released;
	char cancel_reason[256];
	bool waits_for_prack;
	uint32_t rseq; /* of the last one that was sent reliably */
	int final;
	struct sip_view view;
	char body[2048];
	struct sip_dialog *dialog;
	sip_txn_fn on_event;
	sip_response_fn on_response;
	void *arg;
};

struct sip_dialog {
	bool is_caller, destroyed, established;
	unsigned retargets;
	struct sip_dialog *fork_of;
	struct sip_dialog_conf conf;
	char target[256], call_id[32], local_user[128], local_display[256];
	/* As another box made it, sip_dialog_adopt(). */
	bool is_adopted;
	uint32_t first_cseq;
	char local_tag[64], remote_tag[64], route[256];
	struct sip_dialog *mirror;
	bool holds_target;
	struct sip_dialog_ids ids; /* what is known of it, else examples */
	char name[512], detour[512];
};

struct sip_request {
	struct sip_view view;
	char body[2048];
};

struct fake_message {
	int status;             /* answers */
	enum sip_method method; /* requests; SIP_UNKNOWN for answers */
	struct sip_txn *txn;
	struct sip_dialog *dialog;
	struct sip_request *request;
	char body[2048];
	char headers[2048];
	uint32_t rseq; /* 0 = not sent reliably */
	/* Of a PRACK. */
	struct sip_rack rack;
	char to_tag[32];
	int max_forwards;
	bool has_contact; /* the stack was asked to add one */
	/* By sip_send(). */
	bool is_out;
	struct sip_flow flow;
	char target[256], contact[512], call_id[64], from_tag[64];
	char from_user[128], from_host[128], to_user[128], to_host[128];
	char auth_user[64], password[64]; /* of its credentials */
	uint32_t cseq;
};

/* More is a test that loops or forgets fake_forget(). */
enum { FAKE_SENT = 512, FAKE_TXNS = 1024, FAKE_DIALOGS = 256 };

static struct {
	struct fake_message sent[FAKE_SENT];
	unsigned n;
	struct sip_txn *txns[FAKE_TXNS];
	unsigned n_txns;
	struct sip_dialog *dialogs[FAKE_DIALOGS];
	unsigned n_dialogs;
	int request_error;    /* what sip_dialog_request() answers */
	int ack_error;        /* what sip_dialog_ack() answers */
	uint32_t closed_conn; /* this connection is no more */
	enum sip_auth_verdict verdict;
	const char *auth_user;
	struct sip_flow dead_flow; /* a flow that is not alive */
	struct fake_ping {
		struct sip_flow flow;
		uint64_t token; /* 0 = CRLF */
		char target[256], user[64], host[64];
	} pings[256]; /* a ring: n_pings counts all */
	unsigned n_pings;
	int ping_error; /* what both kinds of ping answer */
	int send_error; /* what sip_send() answers */
	/* What sip_view_header() finds in the messages that come in from now
	 * on, up to one without a name; NULL = nothing. */
	const struct sip_header *headers;
	int challenge_error; /* what sip_challenge_take() answers */
	const char *realm;   /* of every listener; NULL = lan */
	unsigned routes;     /* looked for */
	int flow_error;      /* what sip_flow_to() answers */
	const char *local;   /* of new flows; NULL = 203.0.113.10:5060 */
} fake;

static inline void fake_reset(void)
{
	for (unsigned i = 0; i < fake.n_txns; i++)
		free(fake.txns[i]);
	for (unsigned i = 0; i < fake.n_dialogs; i++)
		free(fake.dialogs[i]);
	memset(&fake, 0, sizeof(fake));
	fake.verdict = SIP_AUTH_OK;
}

/* What was sent so far no longer counts; for tests that send a lot. */
static inline void fake_forget(void)
{
	unsigned n = 0;

	fake.n = 0;
	for (unsigned i = 0; i < fake.n_txns; i++) {
		if (fake.txns[i]->released)
			free(fake.txns[i]);
		else
			fake.txns[n++] = fake.txns[i];
	}
	fake.n_txns = n;
}

static struct fake_message *fake_note(const struct sip_message *m)
{
	struct fake_message *f = &fake.sent[fake.n++];

	assert(fake.n <= FAKE_SENT);
	memset(f, 0, sizeof(*f));
	f->has_contact = m->contact;
	f->status = m->status;
	f->method = m->status ? SIP_UNKNOWN : m->method;
	f->max_forwards = m->max_forwards;
	snprintf(f->body, sizeof(f->body), STR_FMT, STR_ARG(m->body));
	for (unsigned i = 0; i < m->n_headers; i++) {
		size_t at = strlen(f->headers);

		snprintf(f->headers + at, sizeof(f->headers) - at, "%s: %s\n",
			 m->headers[i].name, m->headers[i].value);
	}
	return f;
}

/* Stands for a message that was not sent: all of it empty. */
static struct fake_message fake_none;

static inline struct fake_message *fake_last(void)
{
	return fake.n ? &fake.sent[fake.n - 1] : &fake_none;
}

/* The newest request with @method. */
static inline struct fake_message *fake_request(enum sip_method method)
{
	for (unsigned i = fake.n; i > 0; i--) {
		if (!fake.sent[i - 1].status &&
		    fake.sent[i - 1].method == method)
			return &fake.sent[i - 1];
	}
	return &fake_none;
}

static inline unsigned fake_count(enum sip_method method)
{
	unsigned n = 0;

	for (unsigned i = 0; i < fake.n; i++)
		n += !fake.sent[i].status && fake.sent[i].method == method;
	return n;
}

/* The ping sent last; all of it empty when none was. */
static inline struct fake_ping *fake_last_ping(void)
{
	static struct fake_ping none;

	return fake.n_pings ? &fake.pings[(fake.n_pings - 1) % 256] : &none;
}

/* The newest answer on @txn. */
static inline struct fake_message *fake_answer(const struct sip_txn *txn)
{
	for (unsigned i = fake.n; i > 0; i--) {
		if (fake.sent[i - 1].status && fake.sent[i - 1].txn == txn)
			return &fake.sent[i - 1];
	}
	return &fake_none;
}

static struct sip_txn *fake_txn(bool is_server)
{
	struct sip_txn *txn = calloc(1, sizeof(*txn));

	assert(fake.n_txns < FAKE_TXNS);
	txn->is_server = is_server;
	fake.txns[fake.n_txns++] = txn;
	return txn;
}

static void fake_body(struct sip_view *view, char *mem, const char *body)
{
	if (!body)
		return;
	strcpy(mem, body);
	view->body = str_of(mem);
	view->content_type = "application/sdp";
}

/* A response to client transaction @txn comes in. */
static inline void fake_response(struct sip_txn *txn, int status,
				 const char *body)
{
	struct sip_view view = {.status = status,
				.to_tag = "peer",
				.expires = -1,
				.retry_after = -1,
				.msg = fake.headers};
	char mem[2048];

	fake_body(&view, mem, body);
	if (txn->dialog)
		view.flow = txn->dialog->conf.flow;
	if (!txn->released && txn->on_response)
		txn->on_response(txn->arg, txn, &view);
}

/* Response @view to client transaction @txn comes in, as it stands. */
static inline void fake_response_view(struct sip_txn *txn,
				      const struct sip_view *view)
{
	struct sip_view copy = *view;

	if (!copy.msg)
		copy.msg = fake.headers;
	if (!txn->released && txn->on_response)
		txn->on_response(txn->arg, txn, &copy);
}

/* The stack makes up the answer: 408, or 503 when nothing could be sent. */
static inline void fake_no_response(struct sip_txn *txn, int status)
{
	struct sip_view view = {.status = status,
				.internal = true,
				.expires = -1,
				.retry_after = -1};

	if (!txn->released && txn->on_response)
		txn->on_response(txn->arg, txn, &view);
}

/* ACK, CANCEL or their absence on server transaction @txn. */
static inline void fake_event(struct sip_txn *txn, enum sip_txn_event event,
			      const char *body)
{
	struct sip_view view = {.method = SIP_ACK};
	char mem[2048];

	fake_body(&view, mem, body);
	if (txn->dialog)
		view.flow = txn->dialog->conf.flow;
	if (!txn->released && txn->on_event)
		txn->on_event(txn->arg, txn, event,
			      event == SIP_TXN_ACK ? &view : NULL);
}

static struct sip_txn *fake_request_in(struct sip_dialog *dialog,
				       enum sip_method method,
				       const struct sip_flow *flow,
				       const char *body)
{
	struct sip_txn *txn = fake_txn(true);

	txn->view.method = method;
	txn->view.method_name = method == SIP_NOTIFY ? "NOTIFY" : "";
	txn->view.flow = *flow;
	txn->view.realm = "lan";
	txn->view.call_id = dialog->call_id;
	txn->view.from_tag = "peer";
	txn->view.expires = -1;
	txn->view.max_forwards = -1;
	txn->view.msg = fake.headers;
	txn->dialog = dialog;
	fake_body(&txn->view, txn->body, body);
	return txn;
}

/* A request in @dialog comes in along @flow; returns its transaction. */
static inline struct sip_txn *fake_in_dialog(struct sip_dialog *dialog,
					     enum sip_method method,
					     const struct sip_flow *flow,
					     const char *body)
{
	struct sip_txn *txn = fake_request_in(dialog, method, flow, body);

	dialog->conf.request(dialog->conf.arg, txn, &txn->view);
	return txn;
}

/* A NOTIFY of another notifier than @dialog's comes in along @flow; NULL when
 * the stack would refuse it. */
static inline struct sip_txn *fake_forked(struct sip_dialog *dialog,
					  const struct sip_flow *flow,
					  const char *body)
{
	struct sip_txn *txn;

	if (!dialog->conf.forked)
		return NULL;
	txn = fake_request_in(dialog, SIP_NOTIFY, flow, body);
	txn->view.from_tag = "other";
	dialog->conf.forked(dialog->conf.arg, txn, &txn->view);
	return txn;
}

/* ---- sip/sip.h ------------------------------------------------------------ */

bool sip_flow_equal(const struct sip_flow *a, const struct sip_flow *b)
{
	return a->transport == b->transport && a->conn == b->conn &&
	       addr_equal(&a->local, &b->local) &&
	       addr_equal(&a->remote, &b->remote);
}

const char *sip_transport_name(enum sip_transport t)
{
	return t == SIP_TCP ? "tcp" : "udp";
}

const struct sip_view *sip_request_view(const struct sip_request *req)
{
	return &req->view;
}

int sip_request_answer(struct sip_request *req, const struct sip_message *m)
{
	fake_note(m)->request = req;
	return 0;
}

void sip_request_drop(struct sip_request *req)
{
}

int sip_request_accept(struct sip_request *req, struct sip_txn **out,
		       sip_txn_fn fn, void *arg)
{
	struct sip_txn *txn = fake_txn(true);

	txn->view = req->view;
	memcpy(txn->body, req->body, sizeof(txn->body));
	if (req->view.body.n)
		txn->view.body = str_of(txn->body);
	txn->on_event = fn;
	txn->arg = arg;
	*out = txn;
	return 0;
}

const struct sip_view *sip_txn_view(const struct sip_txn *txn)
{
	return &txn->view;
}

void sip_txn_listen(struct sip_txn *txn, sip_txn_fn fn, void *arg)
{
	txn->on_event = fn;
	txn->arg = arg;
}

int sip_txn_answer(struct sip_txn *txn, const struct sip_message *m)
{
	fake_note(m)->txn = txn;
	if (m->status >= 200)
		txn->final = m->status;
	return 0;
}

int sip_txn_answer_reliably(struct sip_txn *txn, const struct sip_message *m)
{
	if (!txn->view.supports_100rel && !txn->view.requires_100rel)
		return -EPROTO;
	if (txn->waits_for_prack)
		return -EBUSY;
	txn->waits_for_prack = true;
	txn->rseq++;
	fake_note(m)->txn = txn;
	fake_last()->rseq = txn->rseq;
	return 0;
}

bool sip_txn_pracked(struct sip_txn *txn, const struct sip_view *prack)
{
	if (!txn->waits_for_prack || prack->rack.rseq != txn->rseq)
		return false;
	txn->waits_for_prack = false;
	return true;
}

void sip_txn_cancel(struct sip_txn *txn)
{
	txn->cancelled = true;
}

void sip_txn_cancel_for(struct sip_txn *txn, const char *reason)
{
	snprintf(txn->cancel_reason, sizeof(txn->cancel_reason), "%s",
		 reason ? reason : "");
	sip_txn_cancel(txn);
}

void sip_txn_release(struct sip_txn *txn)
{
	if (txn)
		txn->released = true;
}

static struct sip_dialog *fake_dialog(const struct sip_dialog_conf *conf)
{
	struct sip_dialog *d = calloc(1, sizeof(*d));

	assert(fake.n_dialogs < FAKE_DIALOGS);
	d->conf = *conf;
	snprintf(d->call_id, sizeof(d->call_id), "dialog-%u", fake.n_dialogs);
	fake.dialogs[fake.n_dialogs++] = d;
	return d;
}

int sip_dialog_call(struct sip_dialog **out, struct sip_stack *sip,
		    const struct sip_dialog_conf *conf)
{
	*out = fake_dialog(conf);
	(*out)->is_caller = true;
	snprintf((*out)->target, sizeof((*out)->target), "%s", conf->target);
	snprintf((*out)->local_user, sizeof((*out)->local_user), "%s",
		 conf->local_user ? conf->local_user : "");
	snprintf((*out)->local_display, sizeof((*out)->local_display), "%s",
		 conf->local_display ? conf->local_display : "");
	return 0;
}

int sip_dialog_answer(struct sip_dialog **out, struct sip_txn *txn,
		      const struct sip_dialog_conf *conf)
{
	*out = fake_dialog(conf);
	txn->dialog = *out;
	return 0;
}

int sip_dialog_fork(struct sip_dialog **out, struct sip_dialog *d,
		    struct sip_txn *txn, const struct sip_dialog_conf *conf)
{
	*out = fake_dialog(conf);
	(*out)->is_caller = true;
	(*out)->established = true;
	(*out)->fork_of = d;
	snprintf((*out)->call_id, sizeof((*out)->call_id), "%s", d->call_id);
	txn->dialog = *out;
	return 0;
}

int sip_dialog_twin(struct sip_dialog **out, const struct sip_dialog *d,
		    const struct sip_dialog_conf *conf)
{
	*out = fake_dialog(conf);
	snprintf((*out)->call_id, sizeof((*out)->call_id), "%s", d->call_id);
	return 0;
}

void sip_dialog_destroy(struct sip_dialog *d)
{
	if (d)
		d->destroyed = true;
}

int sip_dialog_request(struct sip_dialog *d, struct sip_txn **out,
		       const struct sip_message *m, sip_response_fn fn,
		       void *arg)
{
	struct fake_message *f;
	struct sip_txn *txn;

	if (fake.request_error)
		return fake.request_error;
	if (fake.closed_conn && d->conf.flow.conn == fake.closed_conn)
		return -ENOTCONN;
	txn = fake_txn(false);
	txn->dialog = d;
	txn->on_response = fn;
	txn->arg = arg;
	f = fake_note(m);
	f->txn = txn;
	f->dialog = d;
	if (out)
		*out = txn;
	return 0;
}

int sip_dialog_early(struct sip_dialog *d, const struct sip_view *answer)
{
	return 0;
}

void sip_dialog_prefer(struct sip_dialog *d, const char *to_tag)
{
}

int sip_dialog_prack(struct sip_dialog *d, const struct sip_rack *rack,
		     const char *to_tag, const struct sip_message *m)
{
	struct sip_message prack = *m;
	struct fake_message *f;

	if (fake.closed_conn && d->conf.flow.conn == fake.closed_conn)
		return -ENOTCONN;
	prack.method = SIP_PRACK;
	f = fake_note(&prack);
	f->dialog = d;
	f->rack = *rack;
	snprintf(f->to_tag, sizeof(f->to_tag), "%s", to_tag);
	return 0;
}

int sip_dialog_again(struct sip_dialog *d, struct sip_txn **out,
		     const struct sip_txn *txn,
		     const struct sip_header *headers, unsigned n_headers,
		     sip_response_fn fn, void *arg)
{
	struct sip_message m = {.headers = headers, .n_headers = n_headers};
	struct fake_message first = fake_none;

	for (unsigned i = 0; i < fake.n; i++)
		if (fake.sent[i].txn == txn && !fake.sent[i].status)
			first = fake.sent[i];
	m.method = first.method;
	m.body = str_of(first.body);
	return sip_dialog_request(d, out, &m, fn, arg);
}

void sip_dialog_establish(struct sip_dialog *d, const struct sip_view *answer)
{
	d->established = true;
}

int sip_dialog_ack(struct sip_dialog *d, struct sip_txn *txn,
		   const struct sip_message *m)
{
	struct sip_message ack = *m;
	struct fake_message *f;

	if (fake.ack_error)
		return fake.ack_error;
	ack.method = SIP_ACK;
	f = fake_note(&ack);
	f->dialog = d;
	f->txn = txn;
	return 0;
}

void sip_dialog_retarget(struct sip_dialog *d, const struct sip_view *view)
{
	d->retargets++;
}

void sip_dialog_move(struct sip_dialog *d, const struct sip_flow *flow)
{
	d->conf.flow = *flow;
}

const struct sip_flow *sip_dialog_flow(const struct sip_dialog *d)
{
	return &d->conf.flow;
}

const char *sip_dialog_call_id(const struct sip_dialog *d)
{
	return d->call_id;
}

static void fake_copy(char *out, size_t cap, const char *text)
{
	snprintf(out, cap, "%s", text ? text : "");
}

int sip_dialog_name(struct sip_dialog *d, struct sip_txn *txn, const char *user)
{
	fake_copy(d->name, sizeof(d->name), user);
	return 0;
}

/* Known once established, or given by the test in dialog.ids. */
int sip_dialog_ids(const struct sip_dialog *d, struct sip_dialog_ids *out,
		   char *mem, size_t cap)
{
	*out = d->ids;
	if (!out->call_id)
		out->call_id = d->call_id;
	if (!out->local_tag)
		out->local_tag = "ours";
	if (!out->remote_tag)
		out->remote_tag = "peer";
	if (!out->target)
		out->target = d->target[0] ? d->target : "sip:peer@192.0.2.9";
	if (d->is_caller && !d->established)
		out->remote_tag = out->target = NULL;
	return 0;
}

int sip_dialog_aim(struct sip_dialog *d, const struct sip_dialog_ids *ids)
{
	fake_copy(d->target, sizeof(d->target), ids->target);
	fake_copy(d->route, sizeof(d->route), ids->route);
	return 0;
}

int sip_dialog_adopt(struct sip_dialog **out, struct sip_stack *sip,
		     const struct sip_dialog_conf *conf,
		     const struct sip_dialog_ids *ids, uint32_t cseq)
{
	struct sip_dialog *d = fake_dialog(conf);

	d->is_caller = d->established = d->is_adopted = true;
	d->first_cseq = cseq;
	fake_copy(d->call_id, sizeof(d->call_id), ids->call_id);
	fake_copy(d->target, sizeof(d->target), ids->target);
	fake_copy(d->local_tag, sizeof(d->local_tag), ids->local_tag);
	fake_copy(d->remote_tag, sizeof(d->remote_tag), ids->remote_tag);
	fake_copy(d->route, sizeof(d->route), ids->route);
	fake_copy(d->local_user, sizeof(d->local_user), conf->local_user);
	*out = d;
	return 0;
}

void sip_dialog_take(struct sip_dialog *d, struct sip_txn *txn)
{
	txn->dialog = d;
	d->conf.request(d->conf.arg, txn, &txn->view);
}

void sip_dialog_mirror(struct sip_dialog *a, struct sip_dialog *b)
{
	a->mirror = b;
	b->mirror = a;
}

void sip_dialog_hold_target(struct sip_dialog *d, bool is_held)
{
	d->holds_target = is_held;
}

int sip_dialog_detour(struct sip_dialog *d, const char *route)
{
	fake_copy(d->detour, sizeof(d->detour), route);
	return 0;
}

int sip_send(struct sip_stack *sip, struct sip_txn **out,
	     const struct sip_out *o, const struct sip_message *m,
	     sip_response_fn fn, void *arg)
{
	struct fake_message *f;

	if (fake.send_error)
		return fake.send_error;
	if (fake.closed_conn && o->flow.conn == fake.closed_conn)
		return -ENOTCONN;
	f = fake_note(m);
	f->is_out = true;
	f->flow = o->flow;
	f->cseq = o->cseq;
	fake_copy(f->target, sizeof(f->target), o->target);
	fake_copy(f->contact, sizeof(f->contact), o->contact);
	fake_copy(f->call_id, sizeof(f->call_id), o->call_id);
	fake_copy(f->from_tag, sizeof(f->from_tag), o->from_tag);
	fake_copy(f->from_user, sizeof(f->from_user), o->from_user);
	fake_copy(f->auth_user, sizeof(f->auth_user), o->credentials.user);
	fake_copy(f->password, sizeof(f->password), o->credentials.password);
	fake_copy(f->from_host, sizeof(f->from_host), o->from_host);
	fake_copy(f->to_user, sizeof(f->to_user), o->to_user);
	fake_copy(f->to_host, sizeof(f->to_host), o->to_host);
	f->txn = fake_txn(false);
	f->txn->on_response = fn;
	f->txn->arg = arg;
	if (out)
		*out = f->txn;
	return 0;
}

const char *sip_view_header(const struct sip_view *view, const char *name,
			    unsigned i)
{
	for (const struct sip_header *h = view->msg; h && h->name; h++)
		if (!strcasecmp(h->name, name) && !i--)
			return h->value;
	return NULL;
}

const char *sip_allowed(const struct sip_stack *sip)
{
	return SIP_ALLOW;
}

int sip_challenge_take(struct sip_challenged *c, const struct sip_view *view)
{
	if (fake.challenge_error)
		return fake.challenge_error;
	c->is_proxy = view->status == 407;
	c->nc = 0;
	fake_copy(c->realm, sizeof(c->realm), "upstream");
	snprintf(c->nonce, sizeof(c->nonce), "nonce-%u", fake.n);
	return 0;
}

/* Shows in clear what went in. */
int sip_challenge_answer(struct sip_challenged *c, enum sip_method method,
			 const char *uri, const char *user,
			 const char *password, char *mem, size_t cap,
			 struct sip_header *out)
{
	snprintf(mem, cap, "Digest %s:%s %s %s nc=%u", user, password, uri,
		 c->nonce, ++c->nc);
	*out = (struct sip_header){
		c->is_proxy ? "Proxy-Authorization" : "Authorization", mem};
	return 0;
}

int sip_flow_to(struct sip_stack *sip, const char *realm,
		enum sip_transport transport, const struct addr *remote,
		struct sip_flow *out)
{
	fake.routes++;
	if (fake.flow_error)
		return fake.flow_error;
	*out = (struct sip_flow){.transport = transport, .remote = *remote};
	return addr_parse_port(&out->local,
			       fake.local ? fake.local : "203.0.113.10:5060");
}

bool sip_flow_alive(const struct sip_stack *sip, const struct sip_flow *flow)
{
	return !addr_is_set(&fake.dead_flow.remote) ||
	       !sip_flow_equal(flow, &fake.dead_flow);
}

static int fake_ping(const struct sip_flow *flow, const struct sip_ping *ping)
{
	struct fake_ping *p = &fake.pings[fake.n_pings % 256];

	if (fake.ping_error)
		return fake.ping_error;
	if (!sip_flow_alive(NULL, flow))
		return flow->conn ? -ENOTCONN : -ENETDOWN;
	fake.n_pings++;
	memset(p, 0, sizeof(*p));
	p->flow = *flow;
	p->token = ping->token;
	snprintf(p->target, sizeof(p->target), "%s",
		 ping->target ? ping->target : "");
	snprintf(p->user, sizeof(p->user), "%s", ping->user ? ping->user : "");
	snprintf(p->host, sizeof(p->host), "%s", ping->host ? ping->host : "");
	return 0;
}

int sip_ping_crlf(struct sip_stack *sip, const struct sip_flow *flow)
{
	return fake_ping(flow, &(struct sip_ping){0});
}

int sip_ping_options(struct sip_stack *sip, const struct sip_flow *flow,
		     const struct sip_ping *ping)
{
	return fake_ping(flow, ping);
}

bool sip_is_local(const struct sip_stack *sip, const char *host)
{
	return !strcmp(host, "203.0.113.10");
}

bool sip_is_own(const struct sip_stack *sip, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	return !strcmp(addr_fmt(a, text), "203.0.113.10:5060");
}

enum sip_auth_verdict sip_auth_check(struct sip_auth *auth,
				     const struct sip_view *view,
				     const struct config *cfg,
				     const struct conf_realm *realm,
				     const struct conf_phone **who)
{
	if (fake.verdict == SIP_AUTH_OK)
		*who = config_phone_by_auth(cfg, NULL,
					    str_of(fake.auth_user
							   ? fake.auth_user
							   : view->from.user));
	return fake.verdict;
}

struct sip_message sip_auth_refusal(struct sip_auth *auth,
				    const struct sip_view *view,
				    const struct conf_realm *realm,
				    enum sip_auth_verdict verdict,
				    struct sip_challenge *out)
{
	snprintf(out->text[0], sizeof(out->text[0]), "Digest realm=\"%s\"%s",
		 realm->digest_realm,
		 verdict == SIP_AUTH_STALE ? ", stale=true" : "");
	out->headers[0] = (struct sip_header){"WWW-Authenticate", out->text[0]};
	return (struct sip_message){
		.status = 401,
		.headers = out->headers,
		.n_headers = 1,
	};
}

void sip_put_user(struct buf *b, const char *user)
{
	for (; *user; user++)
		buf_printf(b, *user == '#' ? "%%23" : "%c", *user);
}

const char *sip_realm_at(const struct sip_stack *sip,
			 enum sip_transport transport, const struct addr *local)
{
	return fake.realm ? fake.realm : "lan";
}

const char *sip_phrase(int status)
{
	return status == 100 ? "Trying" : status == 200 ? "OK" : "Phrase";
}

/* The peer of every dialog has the same tag. */
const char *sip_dialog_local_tag(const struct sip_dialog *d)
{
	return "ours";
}

const char *sip_dialog_remote_tag(const struct sip_dialog *d)
{
	return d->is_caller && !d->established ? NULL : "theirs";
}

#endif
