/*
 * receive.c - from a parsed message to the handler
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   guard -> receive_enter()  is it sane? answers 400..505 itself
 *              -> library     retransmissions, transactions, dialogs
 *                   -> receive_request()   belongs to none: to the handler
 *
 * The order of the checks is that of RFC 3261 8.2 and 16.3.  Nothing is
 * answered to an ACK.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "sip/ping.h"
#include "sip/stack.h"
#include "sip/streams.h"

struct sip_request {
	struct sip_stack *sip;
	msg_t *msg; /* NULL = ended */
	struct sip_view view;
};

/* ---- the message under way -------------------------------------------------------- */

static bool arrival_fill(struct sip_stack *sip, tport_t *tport, msg_t *msg)
{
	struct arrival *at = &sip->now;
	tport_t *primary = tport_parent(tport);
	socklen_t len = sizeof(su_sockaddr_t);
	su_sockaddr_t from[1];

	memset(at, 0, sizeof(*at));
	for (unsigned i = 0; i < sip->n_listeners; i++)
		if (sip->listeners[i].tport == primary)
			at->on = &sip->listeners[i];
	if (!at->on || msg_get_address(msg, from, &len) < 0 ||
	    addr_from_sa(&at->flow.remote, &from->su_sa, len))
		return false;
	at->tport = tport;
	at->flow.transport = at->on->transport;
	at->flow.local = at->on->local;
	if (at->on->transport == SIP_UDP)
		return true;
	if (conn_get(&at->conn, sip, tport))
		return false;
	at->flow.conn = at->conn->gen;
	at->conn->heard = clock_mono();
	if (at->conn->fd < 0) {
		conn_set_fd(at->conn, stream_now());
		conn_bytes(sip, at->conn->gen); /* these were its first */
	}
	return true;
}

/* ---- before the parser -------------------------------------------------------------- */

bool receive_datagram(void *arg, const struct addr *local,
		      const struct addr *source, const uint8_t *p, size_t n)
{
	struct sip_flow flow = {.transport = SIP_UDP};
	const struct sip_conf *conf = &((struct sip_stack *)arg)->conf;
	uint64_t token;
	int status;

	flow.local = *local;
	flow.remote = *source;
	if (conf->heard)
		conf->heard(conf->arg, &flow);
	if (!ping_answer(p, n, &token, &status))
		return false;
	if (conf->answered)
		conf->answered(conf->arg, &flow, token, status);
	return true;
}

/* The same for an answer that a connection brought. */
static bool is_ping_answer(const struct sip_stack *sip, const sip_t *s)
{
	const struct sip_conf *conf = &sip->conf;
	uint64_t token;

	if (!s->sip_via || !s->sip_via->v_branch ||
	    !ping_branch(str_of(s->sip_via->v_branch), &token))
		return false;
	if (conf->answered)
		conf->answered(conf->arg, &sip->now.flow, token,
			       s->sip_status->st_status);
	return true;
}

void arrival_note(const struct sip_stack *sip, struct sip_view *v)
{
	v->flow = sip->now.flow;
	v->realm = sip_realm_at(sip, v->flow.transport, &v->flow.local);
	if (!v->realm)
		v->realm = "";
	if (v->status)
		return;
	v->via.has_rport = sip->now.via.has_rport;
	v->via.rport = sip->now.via.rport;
	v->via.received = sip->now.via.received;
}

void receive_leave(void *arg)
{
	struct sip_stack *sip = arg;

	memset(&sip->now, 0, sizeof(sip->now));
}

bool may_answer(struct sip_stack *sip, const struct sip_flow *flow,
		const char *realm)
{
	return !sip->conf.may_answer ||
	       sip->conf.may_answer(sip->conf.arg, flow, realm);
}

/* ---- Via ---------------------------------------------------------------------------- */

static bool via_is_ours(const struct sip_stack *sip, const sip_via_t *v)
{
	const char *slash = v->v_protocol ? strrchr(v->v_protocol, '/') : NULL;

	return slash && v->v_host && *v->v_host &&
	       str_case_eq_c(str_of(slash + 1),
			     sip_transport_name(sip->now.on->transport));
}

/*
 * RFC 3261 18.2.1 and RFC 3581: note where it really came from.  A maddr would
 * send our answers to a third party, and a name in it made the library wait
 * for DNS.
 */
static void via_stamp(const struct sip_stack *sip, msg_t *msg, sip_via_t *v)
{
	su_home_t *home = msg_home(msg);
	const struct addr *remote = &sip->now.flow.remote;
	char host[ADDR_TEXT_MAX];

	msg_header_remove_param(v->v_common, "maddr");
	msg_header_remove_param(v->v_common, "received");
	addr_fmt_uri(remote, host);
	if (!str_case_eq_c(str_of(host), v->v_host)) {
		addr_fmt_host(remote, host);
		msg_header_replace_param(home, v->v_common,
					 su_sprintf(home, "received=%s", host));
	}
	msg_header_replace_param(
		home, v->v_common,
		su_sprintf(home, "rport=%u", addr_port(remote)));
	msg_fragment_clear_chain((msg_header_t *)v);
}

/* ";branch=" and a bare magic cookie name no transaction (RFC 3261 8.1.1.7);
 * none at all is RFC 2543 and taken. */
static bool branch_is_bad(const sip_via_t *v)
{
	if (!v->v_branch)
		return false;
	return !*v->v_branch || str_case_eq_c(str_of(v->v_branch), "z9hG4bK");
}

/* ---- sanity --------------------------------------------------------------------------- */

struct verdict {
	int status; /* 0 = pass */
	const char *phrase;
	struct sip_header header;
	char text[256];
};

static const char *bad_header(msg_t *msg, const sip_t *s)
{
	const sip_header_t *h = (const sip_header_t *)s->sip_error;

	if (!h)
		return NULL;
	if (h->sh_class == sip_error_class)
		return h->sh_error->er_name;
	return h->sh_class->hc_name;
}

static void refuse(struct verdict *v, int status, const char *phrase)
{
	v->status = status;
	v->phrase = phrase;
}

static void check_syntax(struct verdict *v, msg_t *msg, const sip_t *s)
{
	const char *name = bad_header(msg, s);
	const sip_cseq_t *cseq = s->sip_cseq;

	if (s->sip_flags & MSG_FLG_TOOLARGE) {
		refuse(v, 413, NULL);
	} else if (s->sip_error || (s->sip_flags & MSG_FLG_ERROR) ||
		   sip_sanity_check(s) < 0) {
		if (name && strlen(name) < 40) {
			snprintf(v->text, sizeof(v->text), "Bad %s Header",
				 name);
			name = v->text;
		} else {
			name = NULL;
		}
		refuse(v, 400, name);
	} else if (branch_is_bad(s->sip_via)) {
		refuse(v, 400, "Bad Via Branch");
	} else if (cseq->cs_method != s->sip_request->rq_method ||
		   strcmp(cseq->cs_method_name,
			  s->sip_request->rq_method_name)) {
		refuse(v, 400, "CSeq Method Mismatch");
	} else if (cseq->cs_seq > INT32_MAX) {
		refuse(v, 400, "Bad CSeq Number");
	} else if (strlen(s->sip_call_id->i_id) > LIMIT_CALLID_BYTES) {
		refuse(v, 400, "Call-ID Too Long");
	} else if (s->sip_max_forwards && s->sip_max_forwards->mf_count > 255) {
		refuse(v, 400, "Bad Max-Forwards");
	} else if (s->sip_payload &&
		   s->sip_payload->pl_len > LIMIT_BODY_BYTES) {
		refuse(v, 413, NULL);
	}
}

/* What the registrar does (RFC 3327, RFC 5626). */
static bool is_of_register(const char *tag)
{
	return str_case_eq_c(str_of(tag), "path") ||
	       str_case_eq_c(str_of(tag), "outbound");
}

/* What each leg decides for itself (RFC 3262, RFC 4028, RFC 3891). */
static bool is_of_invite(const char *tag)
{
	return str_case_eq_c(str_of(tag), "100rel") ||
	       str_case_eq_c(str_of(tag), "timer") ||
	       str_case_eq_c(str_of(tag), "replaces");
}

static bool is_of_update(const char *tag)
{
	return str_case_eq_c(str_of(tag), "timer");
}

/* RFC 4488 */
static bool is_of_refer(const char *tag)
{
	return str_case_eq_c(str_of(tag), "norefersub");
}

/* Option tags that nobody here knows, as an Unsupported header's value. */
static bool unsupported(const sip_t *s, char *out, size_t cap)
{
	const sip_require_t *lists[] = {
		s->sip_require, (const sip_require_t *)s->sip_proxy_require};
	struct buf b;

	buf_init(&b, out, cap);
	for (int i = 0; i < 2; i++) {
		if (!lists[i] || !lists[i]->k_items)
			continue;
		for (const msg_param_t *t = lists[i]->k_items; *t; t++) {
			if (s->sip_request->rq_method == sip_method_register &&
			    is_of_register(*t))
				continue;
			if (s->sip_request->rq_method == sip_method_invite &&
			    is_of_invite(*t))
				continue;
			if (s->sip_request->rq_method == sip_method_update &&
			    is_of_update(*t))
				continue;
			if (s->sip_request->rq_method == sip_method_refer &&
			    is_of_refer(*t))
				continue;
			buf_printf(&b, "%s%s", b.n ? ", " : "", *t);
		}
	}
	return b.n > 0;
}

static void check_meaning(struct verdict *v, const struct sip_stack *sip,
			  const sip_t *s)
{
	const sip_request_t *rq = s->sip_request;
	enum sip_method method = method_of(rq->rq_method);

	if (method == SIP_UNKNOWN) {
		refuse(v, 501, NULL);
	} else if (!(sip->methods & 1u << method)) {
		refuse(v, 405, NULL);
		v->header = (struct sip_header){"Allow", sip->allow};
	} else if (rq->rq_url->url_type != url_sip &&
		   (rq->rq_url->url_type != url_tel || method != SIP_INVITE)) {
		refuse(v, 416, NULL);
	} else if (method != SIP_ACK && method != SIP_CANCEL &&
		   unsupported(s, v->text, sizeof(v->text))) {
		refuse(v, 420, NULL);
		v->header = (struct sip_header){"Unsupported", v->text};
	}
}

static void answer_verdict(struct sip_stack *sip, msg_t *msg,
			   const struct verdict *v)
{
	struct sip_message m = {.status = v->status,
				.phrase = v->phrase,
				.headers = &v->header,
				.n_headers = v->header.name ? 1 : 0};
	int err;

	if (!may_answer(sip, &sip->now.flow, sip->now.on->realm))
		return;
	err = send_stateless(sip, msg, &m);
	/* The peer's own words made it unfit: say it without them. */
	if (err == -EINVAL || err == -EMSGSIZE) {
		m.phrase = NULL;
		m.n_headers = 0;
		send_stateless(sip, msg, &m);
	}
}

/* After bytes that cannot be told apart from the next message's, a stream is
 * of no use any more. */
static void doom(struct sip_stack *sip, const sip_t *s)
{
	/* Line ends that the library took for the beginning of a message. */
	const bool blank = s && !s->sip_request && !s->sip_status &&
			   !s->sip_error && s->sip_flags & MSG_FLG_TIMEOUT;
	const int broken = MSG_FLG_ERROR | MSG_FLG_TOOLARGE | MSG_FLG_TRUNC |
			   MSG_FLG_TIMEOUT;

	if (sip->now.conn && !blank &&
	    (!s || !(s->sip_request || s->sip_status) ||
	     (s->sip_flags & broken)))
		sip->now.conn->doomed = true;
}

/*
 * On UDP the screen stands before the parser; here it comes after.  A stranger
 * who sends too much over a connection loses it.
 */
static bool within_budget(struct sip_stack *sip, const sip_t *s)
{
	const struct addr *source = &sip->now.flow.remote;
	struct screen *screen = sip->conf.screen;
	mono_ms now = clock_mono();
	struct str call_id = {0};

	if (!sip->now.conn || !screen)
		return true;
	if (s->sip_call_id)
		call_id = str_of(s->sip_call_id->i_id);
	if (screen_message(screen, call_id, source, now) == SCREEN_PASS)
		return true;
	if (screen_class_of(screen, source, now) == SCREEN_UNKNOWN)
		sip->now.conn->doomed = true;
	return false;
}

/*
 * A PRACK is a request in the dialog like any other: the library, which does
 * not know of our reliable answers (reliable.c), would refuse it with 481.  It
 * goes by the name where it finds no number.
 */
static void disguise_prack(sip_t *s)
{
	if (s->sip_request->rq_method != sip_method_prack)
		return;
	s->sip_request->rq_method = sip_method_unknown;
	s->sip_cseq->cs_method = sip_method_unknown;
}

static bool request_enter(struct sip_stack *sip, msg_t *msg, sip_t *s)
{
	struct verdict v = {0};

	if (!s->sip_via || !via_is_ours(sip, s->sip_via))
		return false;
	view_source_params(&sip->now.via, s->sip_via);
	via_stamp(sip, msg, s->sip_via);
	if (!str_case_eq_c(str_of(s->sip_request->rq_version), "SIP/2.0"))
		refuse(&v, 505, NULL);
	else
		check_syntax(&v, msg, s);
	if (!v.status)
		check_meaning(&v, sip, s);
	if (s->sip_request->rq_method == sip_method_ack)
		return !v.status && txn_admit_ack(sip, s) &&
		       invited_admits(sip, s);
	if (!v.status && s->sip_request->rq_method == sip_method_cancel &&
	    !invited_admits(sip, s))
		refuse(&v, 481, NULL);
	if (v.status)
		answer_verdict(sip, msg, &v);
	else
		disguise_prack(s);
	return !v.status && !dialog_from_elsewhere(sip, msg, s);
}

bool receive_enter(void *arg, tport_t *tport, msg_t *msg)
{
	struct sip_stack *sip = arg;
	sip_t *s = sip_object(msg);
	bool in = false;

	if (!sip->dying && arrival_fill(sip, tport, msg)) {
		if (s && s->sip_request)
			in = within_budget(sip, s) &&
			     request_enter(sip, msg, s);
		else if (s && s->sip_status)
			in = !s->sip_error && sip_sanity_check(s) >= 0 &&
			     !is_ping_answer(sip, s) &&
			     txn_admit_answer(sip, msg, s);
		doom(sip, s);
	}
	if (!in) {
		receive_leave(sip);
		msg_destroy(msg);
	}
	return in;
}

/* ---- requests of no dialog and no transaction -------------------------------------------- */

static void answer_status(struct sip_stack *sip, msg_t *msg, int status)
{
	struct verdict v = {.status = status};

	answer_verdict(sip, msg, &v);
}

static void hand_to_handler(struct sip_stack *sip, msg_t *msg, sip_t *s)
{
	struct sip_request req = {.sip = sip, .msg = msg};

	if (view_fill(&req.view, msg_home(msg), msg, s)) {
		answer_status(sip, msg, 500);
		msg_destroy(msg);
		return;
	}
	arrival_note(sip, &req.view);
	sip->conf.request(sip->conf.arg, &req);
	if (req.msg)
		sip_request_drop(&req);
}

/* Another box of ours may have made its dialog.  True: @msg is taken. */
static bool is_astray(struct sip_stack *sip, msg_t *msg, sip_t *s)
{
	struct sip_request req = {.sip = sip, .msg = msg};

	if (!sip->conf.stray || !s->sip_from->a_tag ||
	    s->sip_request->rq_method == sip_method_cancel ||
	    view_fill(&req.view, msg_home(msg), msg, s))
		return false;
	arrival_note(sip, &req.view);
	return sip->conf.stray(sip->conf.arg, &req);
}

int receive_request(struct sip_stack *sip, nta_agent_t *agent, msg_t *msg,
		    sip_t *s)
{
	/* Stray answers come here too. */
	if (!s || !s->sip_request || !sip->now.tport ||
	    s->sip_request->rq_method == sip_method_ack) {
		nta_msg_discard(agent, msg);
		return 0;
	}
	if (s->sip_request->rq_method == sip_method_cancel ||
	    (s->sip_to && s->sip_to->a_tag)) {
		if (dialog_forked(sip, msg, s) || is_astray(sip, msg, s))
			return 0;
		answer_status(sip, msg, 481);
		nta_msg_discard(agent, msg);
		return 0;
	}
	hand_to_handler(sip, msg, s);
	return 0;
}

const struct sip_view *sip_request_view(const struct sip_request *req)
{
	return &req->view;
}

/* A phone that registered over a connection keeps it. */
static void note_registered(struct sip_stack *sip, const struct sip_view *v,
			    int status)
{
	const mono_ms day_ms = INT64_C(86400000);

	if (sip->now.conn && v->method == SIP_REGISTER && status < 300)
		sip->now.conn->keep_until = clock_mono() + day_ms;
}

int sip_request_answer(struct sip_request *req, const struct sip_message *m)
{
	int err;

	if (!req->msg)
		return -EALREADY;
	err = m->status >= 200 ? send_stateless(req->sip, req->msg, m)
			       : -EINVAL;
	if (!err)
		note_registered(req->sip, &req->view, m->status);
	sip_request_drop(req);
	return err;
}

void sip_request_drop(struct sip_request *req)
{
	if (req->msg)
		msg_destroy(req->msg);
	req->msg = NULL;
}

int request_take(struct sip_request *req, struct sip_stack **sip, msg_t **msg)
{
	if (!req->msg)
		return -EALREADY;
	*sip = req->sip;
	*msg = req->msg;
	req->msg = NULL;
	return 0;
}
