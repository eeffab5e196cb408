/*
 * sip_rig.h - a whole stack on loopback with a raw socket as its peer
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The clock stands still and moves by rig_advance() only; the library's timers
 * follow it.  The peer writes messages as text and reads what comes back.
 */
#ifndef SBC_TESTS_SIP_RIG_H
#define SBC_TESTS_SIP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"
#include "sip/sip.h"

#define RIG_BYTES 65536
/* What the stack takes beside calls; a test may say so before it includes. */
#ifndef RIG_METHODS
#define RIG_METHODS 0
#endif

struct rig {
	struct loop *loop;
	struct screen *screen;
	struct sip_stack *sip;
	struct addr local, peer;
	int fd; /* the peer's socket */
	bool silent;
	/* What the handler does and saw. */
	void (*handle)(struct rig *rig, struct sip_request *req);
	bool (*stray)(struct rig *rig, struct sip_request *req);
	unsigned requests;
	struct sip_txn *txn;
	struct sip_dialog *dialog;
	unsigned acks, cancels, no_acks, in_dialog, answers;
	int last_status;
	bool last_internal;
	char last_method[32];
	struct sip_flow last_flow;
	unsigned heard, pongs; /* sip_conf.heard() and answered() */
	struct sip_flow heard_flow, pong_flow;
	uint64_t pong_token;
	int pong_status;
	char msg[RIG_BYTES]; /* what rig_recv() read last */
};

static inline void rig_swallow(void *arg, const char *line)
{
	(void)arg;
	(void)line;
}

static inline void rig_default_handler(struct rig *rig, struct sip_request *req)
{
	const struct sip_message ok = {.status = 200};

	(void)rig;
	sip_request_answer(req, &ok);
}

static inline void rig_request(void *arg, struct sip_request *req)
{
	struct rig *rig = arg;

	rig->requests++;
	rig->handle(rig, req);
}

static inline bool rig_stray(void *arg, struct sip_request *req)
{
	struct rig *rig = arg;

	return rig->stray && rig->stray(rig, req);
}

static inline bool rig_may_answer(void *arg, const struct sip_flow *flow,
				  const char *realm)
{
	struct rig *rig = arg;

	(void)flow;
	(void)realm;
	return !rig->silent;
}

static inline void rig_heard(void *arg, const struct sip_flow *flow)
{
	struct rig *rig = arg;

	rig->heard++;
	rig->heard_flow = *flow;
}

static inline void rig_answered(void *arg, const struct sip_flow *flow,
				uint64_t token, int status)
{
	struct rig *rig = arg;

	rig->pongs++;
	rig->pong_flow = *flow;
	rig->pong_token = token;
	rig->pong_status = status;
}

/* A UDP socket on loopback with a free port; its address in @out. */
static inline int rig_socket(struct addr *out, int type)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, type, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	assert_int_equal(addr_from_sa(out, (struct sockaddr *)&in, len), 0);
	return fd;
}

/* Take a port that is free for UDP and TCP. */
static inline void rig_listen(struct rig *rig)
{
	for (int i = 0; i < 20; i++) {
		int fd = rig_socket(&rig->local, SOCK_DGRAM);

		close(fd);
		if (sip_listen(rig->sip, "lan", SIP_UDP, &rig->local))
			continue;
		if (!sip_listen(rig->sip, "lan", SIP_TCP, &rig->local))
			return;
	}
	fail_msg("no free port");
}

static inline int rig_setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct sip_conf conf = {.request = rig_request,
				.stray = rig_stray,
				.may_answer = rig_may_answer,
				.heard = rig_heard,
				.answered = rig_answered,
				.methods = RIG_METHODS,
				.arg = rig};

	assert_non_null(rig);
	log_capture(rig_swallow, NULL);
	clock_freeze(1000000, INT64_C(1800000000000));
	rig->handle = rig_default_handler;
	assert_int_equal(loop_create(&rig->loop), 0);
	conf.loop = rig->loop;
	assert_int_equal(screen_create(&rig->screen, &(struct screen_conf){0}),
			 0);
	conf.screen = rig->screen;
	assert_int_equal(sip_create(&rig->sip, &conf), 0);
	rig_listen(rig);
	rig->fd = rig_socket(&rig->peer, SOCK_DGRAM);
	*state = rig;
	return 0;
}

static inline int rig_teardown(void **state)
{
	struct rig *rig = *state;

	sip_txn_release(rig->txn);
	sip_dialog_destroy(rig->dialog);
	sip_destroy(rig->sip);
	screen_destroy(rig->screen);
	loop_destroy(rig->loop);
	close(rig->fd);
	clock_thaw();
	log_capture(NULL, NULL);
	free(rig);
	return 0;
}

static inline void rig_turn(struct rig *rig)
{
	for (int i = 0; i < 4; i++)
		loop_step(rig->loop, 0);
}

/* Move the clock in steps, so that timers which arm others keep their order. */
static inline void rig_advance(struct rig *rig, int64_t ms)
{
	while (ms > 0) {
		int64_t step = ms > 50 ? 50 : ms;

		clock_advance(step);
		ms -= step;
		rig_turn(rig);
	}
}

static inline uint16_t rig_port(const struct rig *rig)
{
	return addr_port(&rig->peer);
}

static inline void rig_send_raw(struct rig *rig, const void *p, size_t n)
{
	assert_int_equal(
		sendto(rig->fd, p, n, 0, &rig->local.sa, addr_len(&rig->local)),
		(ssize_t)n);
	rig_turn(rig);
}

static inline void rig_send(struct rig *rig, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static inline void rig_send(struct rig *rig, const char *fmt, ...)
{
	static char text[RIG_BYTES];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	rig_send_raw(rig, text, (size_t)n);
}

/* A test that runs beside us may repeat itself to a port that was its peer's
 * and is ours now. */
static inline bool rig_is_ours(struct rig *rig, const struct sockaddr *from,
			       socklen_t len)
{
	struct addr a;

	return !addr_from_sa(&a, from, len) &&
	       sip_realm_at(rig->sip, SIP_UDP, &a);
}

/* The next datagram to the peer, in rig->msg; false, and the one before stays,
 * when none comes. */
static inline bool rig_recv(struct rig *rig)
{
	static char text[RIG_BYTES];
	struct sockaddr_storage from;
	struct sockaddr *sa = (struct sockaddr *)&from;
	socklen_t len;
	ssize_t n;

	rig_turn(rig);
	do {
		len = sizeof(from);
		n = recvfrom(rig->fd, text, sizeof(text) - 1, MSG_DONTWAIT, sa,
			     &len);
	} while (n >= 0 && !rig_is_ours(rig, sa, len));
	if (n > 0) {
		memcpy(rig->msg, text, (size_t)n);
		rig->msg[n] = '\0';
	}
	return n > 0;
}

/* The status of the next answer to the peer; 0 when none comes, -1 when it is
 * a request. */
static inline int rig_status(struct rig *rig)
{
	int status = -1;

	if (!rig_recv(rig))
		return 0;
	sscanf(rig->msg, "SIP/2.0 %d", &status);
	return status;
}

/* The value of header @name of the message in rig->msg, copied to @out. */
static inline const char *rig_header(struct rig *rig, const char *name,
				     char out[512])
{
	char key[64];
	const char *p;
	size_t n;

	snprintf(key, sizeof(key), "\r\n%s: ", name);
	p = strcasestr(rig->msg, key);
	if (!p)
		return NULL;
	p += strlen(key);
	n = strcspn(p, "\r\n");
	snprintf(out, 512, "%.*s", (int)n, p);
	return out;
}

static inline const char *rig_param(const char *value, const char *name,
				    char out[512])
{
	const char *p = value ? strstr(value, name) : NULL;

	if (!p)
		return NULL;
	p += strlen(name);
	snprintf(out, 512, "%.*s", (int)strcspn(p, ";, \r\n>"), p);
	return out;
}

/* A request from the peer; @more are further header lines with CRLF. */
static inline void rig_request_send(struct rig *rig, const char *method,
				    const char *branch, const char *call_id,
				    unsigned cseq, const char *to_tag,
				    const char *more)
{
	rig_send(rig,
		 "%s sip:x@127.0.0.1 SIP/2.0\r\n"
		 "Via: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bK%s\r\n"
		 "From: <sip:a@example.org>;tag=peer\r\n"
		 "To: <sip:x@example.org>%s%s\r\n"
		 "Call-ID: %s\r\n"
		 "CSeq: %u %s\r\n"
		 "%s"
		 "Content-Length: 0\r\n\r\n",
		 method, rig_port(rig), branch, to_tag ? ";tag=" : "",
		 to_tag ? to_tag : "", call_id, cseq, method, more);
}

/* Answer the request in rig->msg as the peer would. */
static inline void rig_answer(struct rig *rig, int status, const char *to_tag,
			      const char *more)
{
	char via[512], from[512], to[512], id[512], cseq[512], request[2048];

	snprintf(request, sizeof(request), "%.2000s", rig->msg);
	assert_non_null(rig_header(rig, "Via", via));
	assert_non_null(rig_header(rig, "From", from));
	assert_non_null(rig_header(rig, "To", to));
	assert_non_null(rig_header(rig, "Call-ID", id));
	assert_non_null(rig_header(rig, "CSeq", cseq));
	rig_send(rig,
		 "SIP/2.0 %d Whatever\r\n"
		 "Via: %s\r\nFrom: %s\r\nTo: %s%s%s\r\nCall-ID: %s\r\n"
		 "CSeq: %s\r\n%sContent-Length: 0\r\n\r\n",
		 status, via, from, to, to_tag ? ";tag=" : "",
		 to_tag ? to_tag : "", id, cseq, more);
	memcpy(rig->msg, request, sizeof(request));
}

static inline const char *rig_contact(struct rig *rig, char out[128])
{
	snprintf(out, 128, "Contact: <sip:peer@127.0.0.1:%u>\r\n",
		 rig_port(rig));
	return out;
}

static inline int tcp_connect(struct rig *rig)
{
	struct addr me;
	int fd = rig_socket(&me, SOCK_STREAM);
	const int on = 1;

	assert_int_equal(connect(fd, &rig->local.sa, addr_len(&rig->local)), 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	rig_turn(rig);
	return fd;
}

static inline void tcp_send(struct rig *rig, int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	rig_turn(rig);
}

/* Bytes that came; 0 = closed, -1 = nothing. */
static inline ssize_t tcp_recv(struct rig *rig, int fd)
{
	ssize_t n;

	rig_turn(rig);
	n = recv(fd, rig->msg, sizeof(rig->msg) - 1, MSG_DONTWAIT);
	rig->msg[n > 0 ? n : 0] = '\0';
	return n;
}

#endif
