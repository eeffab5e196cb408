/*
 * fuzz_subscribe.c - any datagrams from a peer that we subscribed at, that
 * subscribed at us, and that we sent a request to
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The input is datagrams with four zero bytes between them.  In them "%I",
 * "%T", "%B" and "%C" stand for Call-ID, From-tag, branch and CSeq of our
 * SUBSCRIBE, the small letters for those of our REGISTER, and "%O" for the tag
 * of our answer to the last SUBSCRIBE: so that what is random every time does
 * not hide dialogs and transactions from the fuzzer.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/limits.h"
#include "core/log.h"
#include "screen/screen.h"
#include "sip/sip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DIALOGS = 8, DATAGRAMS = 8, TEXT = 64, END_MS = 40000 };

struct ids {
	char call_id[TEXT], tag[TEXT], branch[TEXT], cseq[TEXT];
};

static struct loop *loop;
static struct sip_stack *sip;
static struct addr local, remote;
static int peer;
static struct ids subscribe, reg;
static char our_tag[TEXT];
static struct sip_dialog *first, *others[DIALOGS];
static unsigned n_others;

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void look(const struct sip_view *v)
{
	static const char *const names[] = {
		"Event",   "Subscription-State", "Contact", "Supported",
		"Accept",  "Service-Route",      "Path",    "Allow-Events",
		"X-Other", "P-Asserted-Identity"};
	struct sip_challenged c = {0};
	char mem[2048];
	struct sip_header h;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (unsigned n = 0; n < 4; n++) {
			const char *text = sip_view_header(v, names[i], n);

			if (!text)
				break;
			must(strlen(text) <= 2 * LIMIT_MESSAGE_BYTES);
			must(!strpbrk(text, "\r\n"));
		}
	if (v->status && !sip_challenge_take(&c, v))
		sip_challenge_answer(&c, SIP_REGISTER, "sip:h", "u", "p", mem,
				     sizeof(mem), &h);
}

static void on_response(void *arg, struct sip_txn *txn,
			const struct sip_view *view)
{
	look(view);
	if (arg && view->status >= 200 && view->status < 300 && first)
		sip_dialog_establish(first, view);
	if (view->status >= 200)
		sip_txn_release(txn);
}

static void in_dialog(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	const struct sip_message ok = {.status = 200, .contact = true};
	const struct sip_message again = {.method = SIP_SUBSCRIBE,
					  .contact = true};

	look(view);
	if (arg && first) {
		sip_dialog_establish(first, view);
		sip_dialog_retarget(first, view);
		sip_dialog_request(first, NULL, &again, on_response, arg);
	}
	sip_txn_answer(txn, &ok);
	sip_txn_release(txn);
}

static void forked(void *arg, struct sip_txn *txn, const struct sip_view *view)
{
	const struct sip_message ok = {.status = 200}, no = {.status = 481},
				 info = {.method = SIP_SUBSCRIBE};
	struct sip_dialog_conf conf = {.flow = view->flow,
				       .request = in_dialog};
	struct sip_dialog *d;

	look(view);
	if (n_others < DIALOGS && !sip_dialog_fork(&d, first, txn, &conf)) {
		others[n_others++] = d;
		sip_txn_answer(txn, &ok);
		sip_dialog_request(d, NULL, &info, NULL, NULL);
	} else {
		sip_txn_answer(txn, &no);
	}
	sip_txn_release(txn);
}

static void on_request(void *arg, struct sip_request *req)
{
	const struct sip_message ok = {.status = 200, .contact = true};
	const struct sip_message notify = {.method = SIP_NOTIFY,
					   .contact = true};
	struct sip_dialog_conf conf = {.request = in_dialog};
	struct sip_dialog *d;
	struct sip_txn *txn;

	look(sip_request_view(req));
	if (sip_request_accept(req, &txn, NULL, NULL))
		return;
	conf.flow = sip_txn_view(txn)->flow;
	if (n_others < DIALOGS && !sip_dialog_answer(&d, txn, &conf)) {
		others[n_others++] = d;
		sip_txn_answer(txn, &ok);
		sip_dialog_request(d, NULL, &notify, on_response, NULL);
	} else if (n_others % 2) {
		sip_txn_answer(txn, &ok);
	}
	sip_txn_release(txn);
}

static void start(void)
{
	struct sip_conf conf = {
		.request = on_request,
		.methods = 1u << SIP_SUBSCRIBE | 1u << SIP_NOTIFY |
			   1u << SIP_MESSAGE | 1u << SIP_PUBLISH,
	};
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
	must(!addr_from_sa(&remote, (struct sockaddr *)&in, sizeof(in)));
	/* Any port that is free: try upwards from the peer's. */
	for (int i = 1; i < 100; i++) {
		in.sin_port = htons((uint16_t)(ntohs(in.sin_port) + 1));
		must(!addr_from_sa(&local, (struct sockaddr *)&in, sizeof(in)));
		if (!sip_listen(sip, "r", SIP_UDP, &local))
			return;
	}
	abort();
}

/* What stands between @before and the next of @ends. */
static void cut(char out[TEXT], const char *text, const char *before,
		const char *ends)
{
	const char *p = strstr(text, before);

	out[0] = '\0';
	if (!p)
		return;
	p += strlen(before);
	snprintf(out, TEXT, "%.*s", (int)strcspn(p, ends), p);
}

static void drain(struct ids *ids)
{
	char text[4096];
	ssize_t n;

	loop_step(loop, 0);
	while ((n = recv(peer, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
		text[n] = '\0';
		if (!strncmp(text, "SIP/2.0 2", 9) && strstr(text, "SUBSCRIBE"))
			cut(our_tag, strstr(text, "\nTo:"), ";tag=", "\r;");
		if (!ids)
			continue;
		cut(ids->call_id, text, "Call-ID: ", "\r");
		cut(ids->branch, text, ";branch=", ";\r");
		cut(ids->tag, text, ";tag=", "\r");
		cut(ids->cseq, text, "CSeq: ", " ");
	}
}

static void begin(void)
{
	const struct sip_message m = {.method = SIP_SUBSCRIBE, .contact = true};
	const struct sip_message r = {.method = SIP_REGISTER, .contact = true};
	struct sip_dialog_conf conf = {.target = "sip:n@h",
				       .local_user = "a",
				       .request = in_dialog,
				       .forked = forked,
				       .arg = &subscribe};
	struct sip_out out = {.target = "sip:h", .from_user = "a"};

	must(!sip_flow_to(sip, "r", SIP_UDP, &remote, &conf.flow));
	out.flow = conf.flow;
	must(!sip_dialog_call(&first, sip, &conf));
	must(!sip_dialog_request(first, NULL, &m, on_response, &subscribe));
	drain(&subscribe);
	must(!sip_send(sip, NULL, &out, &r, on_response, NULL));
	drain(&reg);
}

static void end(void)
{
	sip_dialog_destroy(first);
	first = NULL;
	while (n_others)
		sip_dialog_destroy(others[--n_others]);
	for (int i = 0; i < 4; i++) {
		clock_advance(END_MS / 4);
		drain(NULL);
	}
}

static const char *stands_for(uint8_t c)
{
	switch (c) {
	case 'I':
		return subscribe.call_id;
	case 'T':
		return subscribe.tag;
	case 'B':
		return subscribe.branch;
	case 'C':
		return subscribe.cseq;
	case 'i':
		return reg.call_id;
	case 't':
		return reg.tag;
	case 'b':
		return reg.branch;
	case 'c':
		return reg.cseq;
	case 'O':
		return our_tag;
	default:
		return NULL;
	}
}

static void deliver(const uint8_t *p, size_t n)
{
	static char mem[LIMIT_MESSAGE_BYTES];
	const char *word;
	struct buf b;

	buf_init(&b, mem, sizeof(mem));
	for (size_t i = 0; i < n; i++) {
		word = p[i] == '%' && i + 1 < n ? stands_for(p[i + 1]) : NULL;
		if (word) {
			buf_puts(&b, word);
			i++;
		} else {
			buf_put(&b, &p[i], 1);
		}
	}
	if (screen_shape((const uint8_t *)b.p, b.n) != SCREEN_PASS ||
	    sendto(peer, b.p, b.n, 0, &local.sa, addr_len(&local)) < 0)
		return;
	drain(NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *p = data, *stop = data + size;

	if (!sip)
		start();
	begin();
	for (int i = 0; i < DATAGRAMS && p < stop; i++) {
		const uint8_t *next =
			memmem(p, (size_t)(stop - p), "\0\0\0\0", 4);

		deliver(p, (size_t)((next ? next : stop) - p));
		p = next ? next + 4 : stop;
	}
	end();
	return 0;
}
