/*
 * test_ping.c - keepalives: what goes out, what comes back, and what of it is
 * believed
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sip_rig.h"

#include "sip/ping.h"
#include "sip/stack.h"
#include "sip/streams.h"

#define TOKEN UINT64_C(0x0123456789abcdef)

/* ---- the text ------------------------------------------------------------- */

static char text[PING_BYTES];

static int write_ping(const char *target, const char *user, const char *host,
		      enum sip_transport transport, const char *local,
		      const char *remote)
{
	const struct sip_ping ping = {TOKEN, target, user, host};
	struct sip_flow flow = {.transport = transport};
	struct buf b;

	assert_int_equal(addr_parse_port(&flow.local, local), 0);
	assert_int_equal(addr_parse_port(&flow.remote, remote), 0);
	buf_init(&b, text, sizeof(text));
	return ping_write(&b, &flow, &ping);
}

static void the_request_is_whole(void **state)
{
	assert_int_equal(write_ping("sip:204@10.0.0.7:5062;ob", "sbc",
				    "pbx.example.org", SIP_UDP,
				    "192.0.2.1:5060", "198.51.100.7:40112"),
			 0);
	assert_string_equal(
		text, "OPTIONS sip:204@10.0.0.7:5062;ob SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP 192.0.2.1:5060"
		      ";branch=z9hG4bKka-0123456789abcdef;rport\r\n"
		      "Max-Forwards: 70\r\n"
		      "From: <sip:sbc@pbx.example.org>;tag=0123456789abcdef\r\n"
		      "To: <sip:204@10.0.0.7:5062;ob>\r\n"
		      "Call-ID: ka-0123456789abcdef\r\n"
		      "CSeq: 1 OPTIONS\r\n"
		      "Contact: <sip:192.0.2.1:5060>\r\n"
		      "Accept: application/sdp\r\n"
		      "User-Agent: sbc\r\n"
		      "Content-Length: 0\r\n\r\n");
}

static void without_a_target_it_goes_to_the_flow_itself(void **state)
{
	assert_int_equal(write_ping(NULL, NULL, NULL, SIP_TCP,
				    "[2001:db8::1]:5060",
				    "[2001:db8::7]:40112"),
			 0);
	assert_non_null(strstr(text, "OPTIONS sip:[2001:db8::7]:40112"
				     ";transport=tcp SIP/2.0\r\n"));
	assert_non_null(strstr(text, "Via: SIP/2.0/TCP [2001:db8::1]:5060;"));
	assert_non_null(strstr(text, "From: <sip:sbc@[2001:db8::1]>;tag="));
	assert_non_null(strstr(text, "Contact: <sip:[2001:db8::1]:5060"
				     ";transport=tcp>\r\n"));
}

static int write_to(const char *target)
{
	return write_ping(target, "a", "h", SIP_UDP, "192.0.2.1:5060",
			  "192.0.2.2:5060");
}

static void a_target_that_would_break_the_message_is_refused(void **state)
{
	static char endless[PING_BYTES];
	static const char *const bad[] = {"sip:a@h\r\nX: y",
					  "sip:a@h\n",
					  "sip:a b@h",
					  "sip:a\t@h",
					  "sip:a@h>",
					  "<sip:a@h",
					  "tel:204",
					  "sips:a@h",
					  "sip:",
					  "",
					  "sip:\x7f@h"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(write_to(bad[i]), -EINVAL);
	memset(endless, 'a', sizeof(endless) - 1);
	memcpy(endless, "sip:", 4);
	assert_int_equal(write_to(endless), -EINVAL);
	assert_int_equal(write_ping(NULL, "a", "h>\r\n", SIP_UDP,
				    "192.0.2.1:5060", "192.0.2.2:5060"),
			 -EINVAL);
	/* Escaped, not refused: a user is any text. */
	assert_int_equal(write_ping(NULL, "a>\r\n", "h", SIP_UDP,
				    "192.0.2.1:5060", "192.0.2.2:5060"),
			 0);
	assert_non_null(strstr(text, "<sip:a%3E%0D%0A@h>"));
}

static void any_contact_that_was_taken_can_be_asked(void **state)
{
	static char longest[LIMIT_CONTACT_BYTES], user[LIMIT_USER_BYTES];

	memset(longest, 'a', sizeof(longest) - 1);
	memcpy(longest, "sip:", 4);
	memset(user, '>', sizeof(user) - 1);
	assert_int_equal(write_ping(longest, user, "pbx.example.org", SIP_UDP,
				    "[2001:db8::1]:5060", "[2001:db8::2]:5060"),
			 0);
}

static void headers_of_a_target_stay_behind(void **state)
{
	assert_int_equal(write_to("sip:a?b@h;x=y?Route=%3Csip:z%3E"), 0);
	assert_memory_equal(text, "OPTIONS sip:a?b@h;x=y SIP/2.0\r\n", 31);
	assert_null(strstr(text, "Route"));
}

static bool answers(const char *message, uint64_t token, int status)
{
	uint64_t got_token = 0;
	int got_status = 0;

	return ping_answer((const uint8_t *)message, strlen(message),
			   &got_token, &got_status) &&
	       got_token == token && got_status == status;
}

#define BRANCH "z9hG4bKka-0123456789abcdef"

static void an_answer_is_known_by_its_branch(void **state)
{
	assert_true(answers("SIP/2.0 200 OK\r\n"
			    "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=" BRANCH
			    ";rport=5060;received=192.0.2.1\r\n\r\n",
			    TOKEN, 200));
	/* Other spellings, and other headers before it. */
	assert_true(answers("SIP/2.0 486\r\nFrom: x\r\nv : SIP/2.0/UDP h;rport;"
			    " Branch = " BRANCH "\r\n",
			    TOKEN, 486));
	assert_true(answers("SIP/2.0 404 N\nvia:SIP/2.0/UDP h;branch=" BRANCH
			    ",SIP/2.0/UDP g;branch=z9hG4bKx\n",
			    TOKEN, 404));
}

static void anything_else_is_left_to_the_parser(void **state)
{
	static const char *const others[] = {
		"",
		"S",
		"SIP/2.0 200 OK",
		"SIP/2.0 200 OK\r\n\r\n",
		"SIP/2.0 200 OK\r\nVia",
		"SIP/2.0 200 OK\r\nVia: ;branch=z9hG4bKka-0123456789abcde\r\n",
		"SIP/2.0 200 OK\r\nVia: ;branch=" BRANCH "0\r\n",
		"SIP/2.0 200 OK\r\nVia: ;branch=z9hG4bKka-0123456789abcdeg\r\n",
		"SIP/2.0 200 OK\r\nVia: ;xbranch=" BRANCH "\r\n",
		"SIP/2.0 200 OK\r\nVia: h,g;branch=" BRANCH "\r\n",
		"SIP/2.0 200 OK\r\nVia: h;branch=a\r\nVia: h;branch=" BRANCH
		"\r\n",
		"SIP/2.0 2000 OK\r\nVia: ;branch=" BRANCH "\r\n",
		"SIP/2.0 20 OK\r\nVia: ;branch=" BRANCH "\r\n",
		"SIP/2.0 700 OK\r\nVia: ;branch=" BRANCH "\r\n",
		"SIP/2.1 200 OK\r\nVia: ;branch=" BRANCH "\r\n",
		"OPTIONS sip:x SIP/2.0\r\nVia: ;branch=" BRANCH "\r\n",
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(answers(others[i], TOKEN, 200));
}

/* ---- over UDP --------------------------------------------------------------- */

static struct sip_flow flow_to(struct rig *rig, enum sip_transport transport,
			       const struct addr *peer)
{
	struct sip_flow flow;

	assert_int_equal(sip_flow_to(rig->sip, "lan", transport, peer, &flow),
			 0);
	return flow;
}

static void two_line_ends_are_a_ping(void **state)
{
	struct rig *rig = *state;
	struct sip_flow flow = flow_to(rig, SIP_UDP, &rig->peer);

	assert_int_equal(sip_ping_crlf(rig->sip, &flow), 0);
	assert_true(rig_recv(rig));
	assert_string_equal(rig->msg, "\r\n\r\n");
}

static void a_listener_that_is_down_pings_nobody(void **state)
{
	struct rig *rig = *state;
	const struct sip_ping ping = {.token = TOKEN};
	struct sip_flow flow = flow_to(rig, SIP_UDP, &rig->peer);

	sip_listener_down(rig->sip, SIP_UDP, &rig->local);
	assert_int_equal(sip_ping_crlf(rig->sip, &flow), -ENETDOWN);
	assert_int_equal(sip_ping_options(rig->sip, &flow, &ping), -ENETDOWN);
	assert_false(rig_recv(rig));
}

static void an_options_and_its_answer_go_around_the_library(void **state)
{
	struct rig *rig = *state;
	const struct sip_ping ping = {TOKEN, "sip:p@10.0.0.7", "x", "h"};
	struct sip_flow flow = flow_to(rig, SIP_UDP, &rig->peer);

	assert_int_equal(sip_ping_options(rig->sip, &flow, &ping), 0);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "OPTIONS sip:p@10.0.0.7 SIP/2.0\r\n", 32);
	assert_int_equal(sip_client_txns(rig->sip), 0);
	rig_answer(rig, 404, "t", "");
	assert_int_equal(rig->pongs, 1);
	assert_true(rig->pong_token == TOKEN);
	assert_int_equal(rig->pong_status, 404);
	assert_true(sip_flow_equal(&rig->pong_flow, &flow));
	assert_int_equal(rig->heard, 1);
	/* Nobody repeats it. */
	rig_advance(rig, 40000);
	assert_false(rig_recv(rig));
}

/* The kernel tells of a dead phone at the next send, whomever that is to. */
static void a_dead_phone_costs_no_other_its_ping(void **state)
{
	struct rig *rig = *state;
	const struct sip_ping ping = {.token = TOKEN};
	struct addr gone;
	struct sip_flow dead, live;

	close(rig_socket(&gone, SOCK_DGRAM));
	dead = flow_to(rig, SIP_UDP, &gone);
	live = flow_to(rig, SIP_UDP, &rig->peer);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(sip_ping_crlf(rig->sip, &dead), 0);
		assert_int_equal(sip_ping_crlf(rig->sip, &live), 0);
		assert_int_equal(sip_ping_options(rig->sip, &dead, &ping), 0);
		assert_int_equal(sip_ping_options(rig->sip, &live, &ping), 0);
		assert_true(rig_recv(rig));
		assert_string_equal(rig->msg, "\r\n\r\n");
		assert_true(rig_recv(rig));
		assert_memory_equal(rig->msg, "OPTIONS ", 8);
	}
	rig_request_send(rig, "OPTIONS", "still", "still", 1, NULL, "");
	assert_int_equal(rig_status(rig), 200);
}

static void what_passes_the_screen_is_heard(void **state)
{
	struct rig *rig = *state;
	struct sip_flow flow = flow_to(rig, SIP_UDP, &rig->peer);

	rig_send_raw(rig, "\r\n\r\n", 4);
	rig_send_raw(rig, "\0\0\0\0", 4);
	rig_send_raw(rig, "", 0);
	assert_int_equal(rig->heard, 3);
	rig_request_send(rig, "OPTIONS", "h1", "h1", 1, NULL, "");
	assert_int_equal(rig->heard, 4);
	assert_true(sip_flow_equal(&rig->heard_flow, &flow));
	rig_send(rig, "this is not SIP, and no keepalive either");
	rig_send(rig, "OPTIONS sip:x@h SIP/3.0\r\nVia: SIP/3.0/UDP h\r\n\r\n");
	assert_int_equal(rig->heard, 4);
	assert_int_equal(rig->pongs, 0);
}

/* ---- over a connection -------------------------------------------------------- */

static void keep_flow(struct rig *rig, struct sip_request *req)
{
	rig->last_flow = sip_request_view(req)->flow;
	rig_default_handler(rig, req);
}

#define TCP_REQUEST(method)                                                    \
	method " sip:h SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1:9;"               \
	       "branch=z9hG4bKt1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>"    \
	       "\r\nCall-ID: t1\r\nCSeq: 1 " method "\r\n"                     \
	       "Content-Length: 0\r\n\r\n"

/* A phone that spoke once, without registering. */
static int phone_connects(struct rig *rig)
{
	int fd = tcp_connect(rig);

	rig->handle = keep_flow;
	tcp_send(rig, fd, TCP_REQUEST("OPTIONS"));
	assert_true(tcp_recv(rig, fd) > 0);
	assert_true(rig->last_flow.conn != 0);
	return fd;
}

static void a_connection_is_pinged_as_long_as_it_is_open(void **state)
{
	struct rig *rig = *state;
	int fd = phone_connects(rig);

	assert_int_equal(sip_ping_crlf(rig->sip, &rig->last_flow), 0);
	assert_int_equal(tcp_recv(rig, fd), 4);
	assert_string_equal(rig->msg, "\r\n\r\n");
	close(fd);
	rig_turn(rig);
	assert_int_equal(sip_ping_crlf(rig->sip, &rig->last_flow), -ENOTCONN);
	rig_advance(rig, 2000);
	assert_int_equal(sip_ping_crlf(rig->sip, &rig->last_flow), -ENOTCONN);
	rig->last_flow.conn = 0;
	assert_int_equal(sip_ping_crlf(rig->sip, &rig->last_flow), -ENOTCONN);
}

static void an_options_goes_along_its_connection(void **state)
{
	const struct sip_ping ping = {TOKEN, "sip:p@10.0.0.7;ob", "x", "h"};
	struct rig *rig = *state;
	int fd = phone_connects(rig);
	char via[512], answer[1024];

	assert_int_equal(sip_ping_options(rig->sip, &rig->last_flow, &ping), 0);
	assert_true(tcp_recv(rig, fd) > 0);
	assert_memory_equal(rig->msg, "OPTIONS sip:p@10.0.0.7;ob SIP/2.0\r\n",
			    35);
	assert_non_null(rig_header(rig, "Via", via));
	assert_non_null(strstr(via, ";branch=" BRANCH));
	snprintf(answer, sizeof(answer),
		 "SIP/2.0 200 OK\r\nVia: %s\r\nFrom: <sip:x@h>;tag=1\r\n"
		 "To: <sip:p@10.0.0.7>;tag=2\r\nCall-ID: c\r\n"
		 "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
		 via);
	tcp_send(rig, fd, answer);
	assert_int_equal(rig->pongs, 1);
	assert_true(rig->pong_token == TOKEN);
	assert_int_equal(rig->pong_status, 200);
	assert_true(sip_flow_equal(&rig->pong_flow, &rig->last_flow));
	close(fd);
	rig_turn(rig);
	assert_int_equal(sip_ping_options(rig->sip, &rig->last_flow, &ping),
			 -ENOTCONN);
}

static void on_answer(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct rig *rig = arg;

	rig->answers++;
	rig->last_status = view->status;
}

/* As when the kernel gives up on a peer that acknowledges nothing. */
static void a_reset_kills_the_flow_and_what_waits_for_an_answer(void **state)
{
	const struct linger at_once = {.l_onoff = 1};
	const struct sip_message m = {.method = SIP_INVITE, .contact = true};
	struct rig *rig = *state;
	int fd = phone_connects(rig);
	struct sip_dialog_conf conf = {.flow = rig->last_flow,
				       .target = "sip:p@10.0.0.7",
				       .local_user = "a",
				       .remote_user = "p"};

	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
	assert_int_equal(
		sip_dialog_request(rig->dialog, &rig->txn, &m, on_answer, rig),
		0);
	rig_turn(rig);
	assert_int_equal(streams_open(), 1);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
	rig_turn(rig);
	assert_int_equal(rig->answers, 1);
	assert_int_equal(rig->last_status, 430);
	assert_false(sip_flow_alive(rig->sip, &conf.flow));
	assert_int_equal(streams_open(), 0);
	assert_int_equal(sip_ping_crlf(rig->sip, &conf.flow), -ENOTCONN);
}

static void nothing_goes_between_the_halves_of_a_message(void **state)
{
	static char big[30000];
	const struct sip_header h = {"X-Long", big};
	const struct sip_message m = {
		.method = SIP_INFO, .headers = &h, .n_headers = 1};
	struct rig *rig = *state;
	int fd = phone_connects(rig), sent = 0;
	const struct conn *c = conn_by_gen(rig->sip, rig->last_flow.conn);
	struct sip_dialog_conf conf = {.flow = rig->last_flow,
				       .target = "sip:p@10.0.0.7",
				       .local_user = "a",
				       .remote_user = "p"};
	char tail[5] = "";
	ssize_t n;

	memset(big, 'x', sizeof(big) - 1);
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
	while (!tport_queuelen(c->tport) && sent++ < 1000)
		assert_int_equal(
			sip_dialog_request(rig->dialog, NULL, &m, NULL, NULL),
			0);
	assert_true(tport_queuelen(c->tport) > 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(sip_ping_crlf(rig->sip, &rig->last_flow), 0);
	/* The peer reads on: it gets the messages and no more. */
	do {
		n = tcp_recv(rig, fd);
		if (n >= 4)
			memcpy(tail, rig->msg + n - 4, 4);
		for (ssize_t i = 0; i + 5 < n; i++)
			assert_memory_not_equal(rig->msg + i, "\r\n\r\n\r\n",
						6);
	} while (n > 0);
	assert_string_equal(tail, "\r\n\r\n");
	assert_int_equal(sip_ping_crlf(rig->sip, &rig->last_flow), 0);
	assert_int_equal(tcp_recv(rig, fd), 4);
	close(fd);
}

static void pings_keep_a_connection_from_being_idle(void **state)
{
	struct rig *rig = *state;
	int fd = phone_connects(rig);

	for (int i = 0; i < 10; i++) {
		assert_int_equal(sip_ping_crlf(rig->sip, &rig->last_flow), 0);
		rig_advance(rig, 60000);
		assert_int_equal(tcp_recv(rig, fd), 4);
	}
	close(fd);
}

static void bytes_on_a_connection_are_heard(void **state)
{
	struct rig *rig = *state;
	int fd = phone_connects(rig);

	assert_int_equal(rig->heard, 1);
	assert_true(sip_flow_equal(&rig->heard_flow, &rig->last_flow));
	tcp_send(rig, fd, "\r\n");
	assert_int_equal(rig->heard, 2);
	tcp_send(rig, fd, TCP_REQUEST("OPTIONS"));
	assert_in_range(rig->heard, 3, 4);
	assert_true(sip_flow_equal(&rig->heard_flow, &rig->last_flow));
	rig->heard = 0;
	close(fd);
	rig_turn(rig);
	assert_int_equal(rig->heard, 0);
}

static void a_connection_that_we_made_is_pinged_and_heard_too(void **state)
{
	struct rig *rig = *state;
	const struct sip_message m = {.method = SIP_OPTIONS};
	struct sip_dialog_conf conf = {.target = "sip:x@h", .local_user = "a"};
	struct addr to;
	int listener = rig_socket(&to, SOCK_STREAM), fd;

	assert_int_equal(listen(listener, 4), 0);
	conf.flow = flow_to(rig, SIP_TCP, &to);
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
	assert_int_equal(sip_dialog_request(rig->dialog, NULL, &m, NULL, NULL),
			 0);
	rig_turn(rig);
	conf.flow = *sip_dialog_flow(rig->dialog);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	assert_true(tcp_recv(rig, fd) > 4);
	assert_int_equal(sip_ping_crlf(rig->sip, &conf.flow), 0);
	assert_int_equal(tcp_recv(rig, fd), 4);
	assert_int_equal(rig->heard, 0);
	tcp_send(rig, fd, "\r\n");
	assert_int_equal(rig->heard, 1);
	assert_true(sip_flow_equal(&rig->heard_flow, &conf.flow));
	assert_int_equal(streams_open(), 0);
	close(fd);
	close(listener);
	rig_turn(rig);
	assert_int_equal(sip_ping_crlf(rig->sip, &conf.flow), -ENOTCONN);
}

static void a_dead_peer_is_found_by_what_it_does_not_acknowledge(void **state)
{
	struct rig *rig = *state;
	int fd = phone_connects(rig);
	const struct conn *c = conn_by_gen(rig->sip, rig->last_flow.conn);
	unsigned ms = 0;
	socklen_t len = sizeof(ms);

	assert_int_equal(
		getsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, &len), 0);
	assert_in_range(ms, 10000, 30000);
	close(fd);
}

/* ---- pings of the peer's (RFC 5626 4.4.1) --------------------------------------- */

static void a_ping_gets_its_pong_whole_or_in_pieces(void **state)
{
	struct rig *rig = *state;
	int fd = tcp_connect(rig);

	tcp_send(rig, fd, "\r\n\r\n");
	assert_int_equal(tcp_recv(rig, fd), 2);
	assert_string_equal(rig->msg, "\r\n");
	tcp_send(rig, fd, "\r\n");
	assert_int_equal(tcp_recv(rig, fd), -1);
	tcp_send(rig, fd, "\r\n");
	assert_int_equal(tcp_recv(rig, fd), 2);
	for (int i = 0; i < 4; i++)
		tcp_send(rig, fd, i % 2 ? "\n" : "\r");
	assert_int_equal(tcp_recv(rig, fd), 2);
	close(fd);
}

/* All that comes while the clock stands. */
static void recv_all(struct rig *rig, int fd)
{
	static char all[RIG_BYTES];
	size_t n = 0;
	ssize_t more;

	for (int i = 0; i < 4; i++)
		rig_turn(rig);
	while ((more = tcp_recv(rig, fd)) > 0) {
		memcpy(all + n, rig->msg, (size_t)more);
		n += (size_t)more;
	}
	all[n] = '\0';
	memcpy(rig->msg, all, n + 1);
}

/* The library took them for the beginning of the next message. */
static void a_ping_beside_a_message_gets_its_pong(void **state)
{
	static const char *const bodies[] = {"", "v=0", "v=0\r\n"};
	struct rig *rig = *state;
	int fd = tcp_connect(rig);
	char request[1024];
	size_t n;

	for (size_t i = 0; i < 9; i++) {
		const char *body = bodies[i % 3];

		snprintf(request, sizeof(request),
			 "%sOPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/TCP h;"
			 "branch=z9hG4bK%zu\r\nFrom: <sip:a@b>;tag=1\r\n"
			 "To: <sip:a@b>\r\nCall-ID: c%zu\r\nCSeq: 1 OPTIONS"
			 "\r\nContent-Type: a/b\r\nContent-Length: %zu\r\n\r\n"
			 "%s%s",
			 i / 3 != 0 ? "\r\n\r\n" : "", i, i, strlen(body), body,
			 i / 3 != 1 ? "\r\n\r\n" : "");
		tcp_send(rig, fd, request);
		recv_all(rig, fd);
		n = strlen(rig->msg);
		assert_non_null(strstr(rig->msg, "SIP/2.0 200"));
		if (i / 3 != 0)
			assert_memory_equal(rig->msg, "\r\nSIP/2.0 200", 13);
		if (i / 3 != 1)
			assert_string_equal(rig->msg + n - 6, "\r\n\r\n\r\n");
		assert_int_equal(rig->requests, i + 1);
	}
	/* And it stays open. */
	rig_advance(rig, 30000);
	assert_int_equal(tcp_recv(rig, fd), -1);
	close(fd);
}

static void line_ends_in_a_body_stay_in_it(void **state)
{
	static const char body[] = "a\r\n\r\n\r\nb\n\n\n\n\nc\r\n\r\n\r\n\r\n";
	struct rig *rig = *state;
	int fd = tcp_connect(rig);
	char request[1024];
	int n = snprintf(request, sizeof(request),
			 "OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/TCP h;"
			 "branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
			 "To: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n"
			 "Content-Type: a/b\r\nContent-Length: %zu\r\n\r\n%s",
			 strlen(body), body);

	/* However it comes in pieces. */
	for (int cut = n - (int)strlen(body) - 6; cut <= n; cut++) {
		unsigned before = rig->requests;

		assert_int_equal(write(fd, request, (size_t)cut), cut);
		rig_turn(rig);
		assert_int_equal(write(fd, request + cut, (size_t)(n - cut)),
				 n - cut);
		recv_all(rig, fd);
		assert_int_equal(rig->requests, before + 1);
		assert_memory_equal(rig->msg, "SIP/2.0 200", 11);
	}
	close(fd);
}

static void many_pings_at_once_get_a_pong(void **state)
{
	struct rig *rig = *state;
	int fd = tcp_connect(rig);

	tcp_send(rig, fd, "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n");
	assert_true(tcp_recv(rig, fd) >= 2);
	assert_memory_equal(rig->msg, "\r\n", 2);
	tcp_send(rig, fd, TCP_REQUEST("OPTIONS"));
	assert_true(tcp_recv(rig, fd) > 6);
	close(fd);
}

/* It never reads what we say. */
static void a_flood_of_pings_makes_nothing_wait_in_us(void **state)
{
	struct rig *rig = *state;
	int fd = phone_connects(rig);
	const struct conn *c = conn_by_gen(rig->sip, rig->last_flow.conn);
	int bytes = 4096;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	for (int i = 0; i < 20000; i++) {
		if (send(fd, "\r\n\r\n", 4, MSG_DONTWAIT) < 0)
			break;
		loop_step(rig->loop, 0);
		assert_int_equal(tport_queuelen(c->tport), 0);
	}
	assert_true(sip_flow_alive(rig->sip, &rig->last_flow));
	close(fd);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_request_is_whole),
		cmocka_unit_test(without_a_target_it_goes_to_the_flow_itself),
		cmocka_unit_test(
			a_target_that_would_break_the_message_is_refused),
		cmocka_unit_test(any_contact_that_was_taken_can_be_asked),
		cmocka_unit_test(headers_of_a_target_stay_behind),
		cmocka_unit_test(an_answer_is_known_by_its_branch),
		cmocka_unit_test(anything_else_is_left_to_the_parser),
		TEST(two_line_ends_are_a_ping),
		TEST(a_listener_that_is_down_pings_nobody),
		TEST(an_options_and_its_answer_go_around_the_library),
		TEST(a_dead_phone_costs_no_other_its_ping),
		TEST(what_passes_the_screen_is_heard),
		TEST(a_connection_is_pinged_as_long_as_it_is_open),
		TEST(an_options_goes_along_its_connection),
		TEST(a_reset_kills_the_flow_and_what_waits_for_an_answer),
		TEST(nothing_goes_between_the_halves_of_a_message),
		TEST(pings_keep_a_connection_from_being_idle),
		TEST(bytes_on_a_connection_are_heard),
		TEST(a_connection_that_we_made_is_pinged_and_heard_too),
		TEST(a_dead_peer_is_found_by_what_it_does_not_acknowledge),
		TEST(a_ping_gets_its_pong_whole_or_in_pieces),
		TEST(a_ping_beside_a_message_gets_its_pong),
		TEST(line_ends_in_a_body_stay_in_it),
		TEST(many_pings_at_once_get_a_pong),
		TEST(a_flood_of_pings_makes_nothing_wait_in_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
