/*
 * fuzz_sip_receive.c - any datagrams through the whole receiving side
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte says whether the screen stands in front (as on UDP) or not
 * (as on TCP); the rest are datagrams with four zero bytes between them.  The
 * handler looks at everything, goes stateful for an INVITE and keeps a few
 * dialogs, so that transactions, ACK, CANCEL and PRACK are reached as well.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/limits.h"
#include "core/log.h"
#include "screen/screen.h"
#include "sip/sip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CALLS = 8, STEP_MS = 200, DATAGRAMS = 8 };

struct call {
	struct sip_txn *txn;
	struct sip_dialog *dialog;
};

static struct loop *loop;
static struct sip_stack *sip;
static struct addr local;
static int peer;
static struct call calls[CALLS];
static unsigned next_call;

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void is_text(const char *p)
{
	must(!p || strlen(p) <= LIMIT_MESSAGE_BYTES);
}

static void look(const struct sip_view *v)
{
	must(v->method <= SIP_UNKNOWN);
	is_text(v->uri_text);
	is_text(v->uri.user);
	is_text(v->uri.host);
	is_text(v->from.user);
	is_text(v->to.host);
	is_text(v->from_display);
	is_text(v->from_tag);
	is_text(v->to_tag);
	is_text(v->call_id);
	is_text(v->branch);
	is_text(v->user_agent);
	is_text(v->path);
	is_text(v->via.host);
	is_text(v->via.received);
	must(v->via.has_rport || !v->via.rport);
	must(v->content_length >= -1);
	must(v->max_forwards >= -1 && v->max_forwards <= 255);
	must(v->expires >= -1 && v->expires <= UINT32_MAX);
	must(v->n_contacts <= LIMIT_CONTACTS + 1);
	for (unsigned i = 0; i < v->n_contacts; i++) {
		must(v->contacts[i].uri != NULL);
		is_text(v->contacts[i].uri);
		is_text(v->contacts[i].instance);
		must(v->contacts[i].expires >= -1);
	}
	must(v->body.n <= LIMIT_BODY_BYTES);
	must(!v->body.n || v->content_type);
	must(v->rack.method <= SIP_UNKNOWN);
}

static void in_dialog(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	const struct call *c = arg;
	struct sip_message m = {.status = 200, .contact = true};

	look(view);
	if (view->method == SIP_PRACK && c->txn &&
	    !sip_txn_pracked(c->txn, view))
		m.status = 481;
	sip_txn_answer(txn, &m);
	sip_txn_release(txn);
}

static void on_event(void *arg, struct sip_txn *txn, enum sip_txn_event event,
		     const struct sip_view *view)
{
	if (view)
		look(view);
}

static void call_end(struct call *c)
{
	sip_txn_release(c->txn);
	sip_dialog_destroy(c->dialog);
	memset(c, 0, sizeof(*c));
}

static void call_in(struct sip_request *req)
{
	struct call *c = &calls[next_call++ % CALLS];
	struct sip_dialog_conf conf = {.request = in_dialog, .arg = c};
	struct sip_message m = {.status = 180, .contact = true};
	const struct sip_message info = {.method = SIP_INFO};

	call_end(c);
	if (sip_request_accept(req, &c->txn, on_event, c))
		return;
	conf.flow = sip_txn_view(c->txn)->flow;
	if (sip_dialog_answer(&c->dialog, c->txn, &conf))
		return;
	if (sip_txn_answer_reliably(c->txn, &m))
		sip_txn_answer(c->txn, &m);
	if (next_call % 3 == 0)
		return; /* leaves something to CANCEL */
	m.status = next_call % 3 == 1 ? 200 : 486;
	sip_txn_answer(c->txn, &m);
	sip_dialog_request(c->dialog, NULL, &info, NULL, NULL);
}

static void on_request(void *arg, struct sip_request *req)
{
	const struct sip_message ok = {.status = 200};

	look(sip_request_view(req));
	if (sip_request_view(req)->method == SIP_INVITE)
		call_in(req);
	else
		sip_request_answer(req, &ok);
}

static void on_heard(void *arg, const struct sip_flow *flow)
{
	must(addr_is_set(&flow->remote) && addr_equal(&flow->local, &local));
}

static void on_pong(void *arg, const struct sip_flow *flow, uint64_t token,
		    int status)
{
	on_heard(arg, flow);
	must(status >= 100 && status <= 699);
}

static void start(void)
{
	struct sip_conf conf = {
		.request = on_request, .heard = on_heard, .answered = on_pong};
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t len = sizeof(in);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	log_setup(LOG_ERROR, LOG_TEXT);
	clock_freeze(1000000, INT64_C(1800000000000));
	must(!loop_create(&loop));
	conf.loop = loop;
	must(!sip_create(&sip, &conf));
	peer = socket(AF_INET, SOCK_DGRAM, 0);
	must(peer >= 0 && !bind(peer, (struct sockaddr *)&in, sizeof(in)) &&
	     !getsockname(peer, (struct sockaddr *)&in, &len));
	/* Any port that is free: try upwards from the peer's. */
	for (int i = 1; i < 100; i++) {
		in.sin_port = htons((uint16_t)(ntohs(in.sin_port) + 1));
		must(!addr_from_sa(&local, (struct sockaddr *)&in, sizeof(in)));
		if (!sip_listen(sip, "r", SIP_UDP, &local))
			return;
	}
	abort();
}

static void deliver(const uint8_t *p, size_t n, bool screened)
{
	char drop[2048];

	if (screened && screen_shape(p, n) != SCREEN_PASS)
		return;
	if (sendto(peer, p, n, 0, &local.sa, addr_len(&local)) < 0)
		return;
	loop_step(loop, 0);
	while (recv(peer, drop, sizeof(drop), MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *p = data + 1, *end = data + size;
	bool screened = size && data[0] & 1;

	if (!sip)
		start();
	for (int i = 0; size && i < DATAGRAMS && p < end; i++) {
		const uint8_t *cut =
			memmem(p, (size_t)(end - p), "\0\0\0\0", 4);

		deliver(p, (size_t)((cut ? cut : end) - p), screened);
		p = cut ? cut + 4 : end;
	}
	clock_advance(STEP_MS);
	loop_step(loop, 0);
	return 0;
}
