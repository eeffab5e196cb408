/*
 * test_receive.c - what a stranger's message gets for an answer
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sip_rig.h"

static void a_good_request_reaches_the_handler_and_is_answered(void **state)
{
	struct rig *rig = *state;
	char value[512];

	rig_request_send(rig, "OPTIONS", "a1", "c1", 7, NULL, "");
	assert_int_equal(rig_status(rig), 200);
	assert_int_equal(rig->requests, 1);
	assert_string_equal(rig_header(rig, "Call-ID", value), "c1");
	assert_string_equal(rig_header(rig, "CSeq", value), "7 OPTIONS");
	assert_non_null(strstr(rig_header(rig, "To", value), ";tag="));
	assert_non_null(strstr(rig_header(rig, "Via", value), ";rport="));
}

static void to_tags_do_not_repeat(void **state)
{
	struct rig *rig = *state;
	char a[512], b[512], tag_a[512], tag_b[512];

	rig_request_send(rig, "OPTIONS", "a1", "c1", 1, NULL, "");
	assert_int_equal(rig_status(rig), 200);
	assert_non_null(rig_param(rig_header(rig, "To", a), ";tag=", tag_a));
	rig_request_send(rig, "OPTIONS", "a2", "c1", 2, NULL, "");
	assert_int_equal(rig_status(rig), 200);
	assert_non_null(rig_param(rig_header(rig, "To", b), ";tag=", tag_b));
	assert_int_equal(strlen(tag_a), 16);
	assert_string_not_equal(tag_a, tag_b);
}

/* RFC 3261 8.2.6.2 */
static void the_same_request_gets_the_same_tag(void **state)
{
	struct rig *rig = *state;
	char a[512], b[512];

	rig_request_send(rig, "OPTIONS", "a1", "c1", 1, NULL, "");
	assert_int_equal(rig_status(rig), 200);
	assert_non_null(rig_header(rig, "To", a));
	rig_request_send(rig, "OPTIONS", "a1", "c1", 1, NULL, "");
	assert_int_equal(rig_status(rig), 200);
	assert_non_null(rig_header(rig, "To", b));
	assert_string_equal(a, b);
}

struct expect {
	const char *method, *uri, *version, *cseq_method, *more;
	int status;
	const char *header; /* must be in the answer */
};

static const struct expect expectations[] = {
	{"FOO", "sip:x@h", "SIP/2.0", "FOO", "", 501, NULL},
	{"SUBSCRIBE", "sip:x@h", "SIP/2.0", "SUBSCRIBE", "", 405, "Allow"},
	{"MESSAGE", "sip:x@h", "SIP/2.0", "MESSAGE", "", 405, "Allow"},
	{"OPTIONS", "sip:x@h", "SIP/3.0", "OPTIONS", "", 505, NULL},
	{"OPTIONS", "sips:x@h", "SIP/2.0", "OPTIONS", "", 416, NULL},
	{"OPTIONS", "tel:+4930", "SIP/2.0", "OPTIONS", "", 416, NULL},
	{"OPTIONS", "nobody:x", "SIP/2.0", "OPTIONS", "", 416, NULL},
	{"OPTIONS", "sip:x@h", "SIP/2.0", "INVITE", "", 400, NULL},
	{"OPTIONS", "sip:x@h", "SIP/2.0", "OPTIONS", "Require: gin\r\n", 420,
	 "Unsupported"},
	{"OPTIONS", "sip:x@h", "SIP/2.0", "OPTIONS", "Proxy-Require: gin\r\n",
	 420, "Unsupported"},
	{"INVITE", "sip:x@h", "SIP/2.0", "INVITE", "Require: 100rel, gin\r\n",
	 420, "Unsupported"},
	{"OPTIONS", "sip:x@h", "SIP/2.0", "OPTIONS", "Require: 100rel\r\n", 420,
	 "Unsupported"},
	{"INVITE", "sip:x@h", "SIP/2.0", "INVITE", "Require: timer\r\n", 200,
	 NULL},
	{"UPDATE", "sip:x@h", "SIP/2.0", "UPDATE", "Require: timer\r\n", 200,
	 NULL},
	{"UPDATE", "sip:x@h", "SIP/2.0", "UPDATE", "Require: timer, gin\r\n",
	 420, "Unsupported"},
	{"REGISTER", "sip:h", "SIP/2.0", "REGISTER",
	 "Require: outbound, Path\r\n", 200, NULL},
	{"OPTIONS", "sip:x@h", "SIP/2.0", "OPTIONS", "Require: outbound\r\n",
	 420, "Unsupported"},
	{"REGISTER", "sip:h", "SIP/2.0", "REGISTER", "Require: path\r\n", 200,
	 NULL},
	{"OPTIONS", "sip:x@h", "SIP/2.0", "OPTIONS",
	 "Max-Forwards: 70\r\nMax-Forwards: 70\r\n", 400, NULL},
	{"OPTIONS", "sip:x@h", "SIP/2.0", "OPTIONS", "Max-Forwards: 300\r\n",
	 400, NULL},
	{"OPTIONS", "sip:x@h", "SIP/2.0", "OPTIONS", "CSeq: 1 OPTIONS\r\n", 400,
	 NULL},
	{"OPTIONS", "sip:x@h", "SIP/2.0", "OPTIONS", "Call-ID: other\r\n", 400,
	 NULL},
	{"CANCEL", "sip:x@h", "SIP/2.0", "CANCEL", "", 481, NULL},
	{"ACK", "sip:x@h", "SIP/2.0", "ACK", "", 0, NULL},
	{"ACK", "sip:x@h", "SIP/2.0", "OPTIONS", "", 0, NULL},
};

static void each_fault_has_its_status(void **state)
{
	struct rig *rig = *state;
	char value[512];

	for (size_t i = 0; i < sizeof(expectations) / sizeof(expectations[0]);
	     i++) {
		const struct expect *e = &expectations[i];
		int status;

		rig_send(rig,
			 "%s %s %s\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;"
			 "branch=z9hG4bKe%zu\r\nFrom: <sip:a@b>;tag=1\r\n"
			 "To: <sip:x@h>\r\nCall-ID: e%zu\r\nCSeq: 1 %s\r\n%s"
			 "Content-Length: 0\r\n\r\n",
			 e->method, e->uri, e->version, rig_port(rig), i, i,
			 e->cseq_method, e->more);
		status = rig_status(rig);
		if (status != e->status)
			print_message("case %zu: %d\n%s\n", i, status,
				      rig->msg);
		assert_int_equal(status, e->status);
		if (e->header)
			assert_non_null(rig_header(rig, e->header, value));
	}
}

static void a_request_of_a_dialog_that_is_gone_gets_481(void **state)
{
	struct rig *rig = *state;

	rig_request_send(rig, "BYE", "b1", "gone", 2, "ours", "");
	assert_int_equal(rig_status(rig), 481);
	rig_request_send(rig, "INFO", "b2", "gone", 3, "ours", "");
	assert_int_equal(rig_status(rig), 481);
	rig_request_send(rig, "ACK", "b3", "gone", 2, "ours", "");
	assert_int_equal(rig_status(rig), 0);
	assert_int_equal(rig->requests, 0);
}

static void a_branch_without_content_is_refused(void **state)
{
	struct rig *rig = *state;

	rig_request_send(rig, "OPTIONS", "", "c1", 1, NULL, "");
	assert_int_equal(rig_status(rig), 400);
	assert_int_equal(rig->requests, 0);
}

static void a_body_longer_than_the_datagram_is_refused(void **state)
{
	struct rig *rig = *state;

	rig_send(rig,
		 "OPTIONS sip:x@h SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;"
		 "branch=z9hG4bKcl\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@h>"
		 "\r\nCall-ID: cl\r\nCSeq: 1 OPTIONS\r\n"
		 "Content-Length: 500\r\n\r\nshort",
		 rig_port(rig));
	assert_int_equal(rig_status(rig), 400);
}

static void a_body_too_large_is_refused(void **state)
{
	struct rig *rig = *state;
	static char body[LIMIT_BODY_BYTES + 2];

	memset(body, 'x', LIMIT_BODY_BYTES + 1);
	rig_send(rig,
		 "OPTIONS sip:x@h SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;"
		 "branch=z9hG4bKcl\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@h>"
		 "\r\nCall-ID: cl\r\nCSeq: 1 OPTIONS\r\n"
		 "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s",
		 rig_port(rig), strlen(body), body);
	assert_int_equal(rig_status(rig), 413);
	assert_int_equal(rig->requests, 0);
}

static void answers_go_where_the_request_came_from(void **state)
{
	struct rig *rig = *state;
	char value[512];

	/* The Via names another host, by name: neither asked nor sent to. */
	rig_send(rig, "OPTIONS sip:x@h SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP other.example.invalid:9;"
		      "branch=z9hG4bKv1\r\nFrom: <sip:a@b>;tag=1\r\n"
		      "To: <sip:x@h>\r\nCall-ID: v1\r\nCSeq: 1 OPTIONS\r\n"
		      "Content-Length: 0\r\n\r\n");
	assert_int_equal(rig_status(rig), 200);
	assert_non_null(
		strstr(rig_header(rig, "Via", value), "received=127.0.0.1"));
	/* The same for an error that the library would have sent there. */
	rig_send(rig, "OPTIONS sip:x@h SIP/3.0\r\n"
		      "Via: SIP/2.0/UDP other.example.invalid:9;"
		      "branch=z9hG4bKv2\r\nFrom: <sip:a@b>;tag=1\r\n"
		      "To: <sip:x@h>\r\nCall-ID: v2\r\nCSeq: 1 OPTIONS\r\n"
		      "Content-Length: 0\r\n\r\n");
	assert_int_equal(rig_status(rig), 505);
}

static void a_maddr_is_never_followed(void **state)
{
	struct rig *rig = *state;
	struct addr third;
	char byte;
	int fd = rig_socket(&third, SOCK_DGRAM);

	rig_send(rig,
		 "OPTIONS sip:x@h SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;"
		 "maddr=127.0.0.1;branch=z9hG4bKm\r\nFrom: <sip:a@b>;tag=1\r\n"
		 "To: <sip:x@h>\r\nCall-ID: m\r\nCSeq: 1 OPTIONS\r\n"
		 "Content-Length: 0\r\n\r\n",
		 addr_port(&third));
	rig_turn(rig);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	close(fd);
}

static void silence_for_strangers_when_the_realm_says_so(void **state)
{
	struct rig *rig = *state;

	rig->silent = true;
	rig_request_send(rig, "SUBSCRIBE", "s1", "s1", 1, NULL, "");
	assert_int_equal(rig_status(rig), 0);
	rig_request_send(rig, "BYE", "s2", "s2", 1, "x", "");
	assert_int_equal(rig_status(rig), 0);
	rig_send(rig,
		 "OPTIONS sip:x@h SIP/3.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;"
		 "branch=z9hG4bKs3\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@h>"
		 "\r\nCall-ID: s3\r\nCSeq: 1 OPTIONS\r\n"
		 "Content-Length: 0\r\n\r\n",
		 rig_port(rig));
	assert_int_equal(rig_status(rig), 0);
}

static void drop_it(struct rig *rig, struct sip_request *req)
{
	sip_request_drop(req);
}

static void a_dropped_request_gets_nothing(void **state)
{
	struct rig *rig = *state;

	rig->handle = drop_it;
	rig_request_send(rig, "OPTIONS", "d1", "d1", 1, NULL, "");
	assert_int_equal(rig_status(rig), 0);
	assert_int_equal(rig->requests, 1);
}

static int answered;

static void answer_long(struct rig *rig, struct sip_request *req)
{
	static char text[2000];
	const struct sip_header h = {"Warning", text};
	const struct sip_message m = {
		.status = 403, .headers = &h, .n_headers = 1};

	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "399 h \"", 7);
	text[sizeof(text) - 2] = '"';
	answered = sip_request_answer(req, &m);
}

static void strangers_get_at_most_two_and_a_half_times(void **state)
{
	struct rig *rig = *state;

	rig->handle = answer_long;
	rig_request_send(rig, "OPTIONS", "l1", "l1", 1, NULL, "");
	assert_int_equal(answered, -EMSGSIZE);
	assert_int_equal(rig_status(rig), 0);
}

static void answer_with_newline(struct rig *rig, struct sip_request *req)
{
	const struct sip_header h = {"Warning", "a\r\nContact: <sip:evil>"};
	const struct sip_message m = {
		.status = 403, .headers = &h, .n_headers = 1};

	answered = sip_request_answer(req, &m);
}

static void control_bytes_refuse_the_whole_answer(void **state)
{
	struct rig *rig = *state;

	rig->handle = answer_with_newline;
	rig_request_send(rig, "OPTIONS", "n1", "n1", 1, NULL, "");
	assert_int_equal(answered, -EINVAL);
	assert_int_equal(rig_status(rig), 0);
}

static void keepalives_and_noise_get_nothing(void **state)
{
	struct rig *rig = *state;
	static const char stun[] = "\0\x11\0\0\x21\x12\xa4\x42"
				   "abcdefghijkl"; /* an indication */
	static const char noise[] = "\xff\xfe garbage garbage\r\n\r\n";

	rig_send_raw(rig, "\r\n\r\n", 4);
	rig_send_raw(rig, "", 0);
	rig_send_raw(rig, "\0", 1);
	rig_send_raw(rig, stun, 20);
	rig_send_raw(rig, noise, sizeof(noise) - 1);
	rig_send(rig, "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:1;"
		      "branch=z9hG4bKno\r\nFrom: <sip:a@b>;tag=1\r\n"
		      "To: <sip:x@h>;tag=2\r\nCall-ID: no\r\n"
		      "CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n");
	assert_false(rig_recv(rig));
	rig_request_send(rig, "OPTIONS", "k1", "k1", 1, NULL, "");
	assert_int_equal(rig_status(rig), 200);
}

/* ---- streams ---------------------------------------------------------------------- */

#define TCP_OPTIONS                                                            \
	"OPTIONS sip:x@h SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1:9;"             \
	"maddr=192.0.2.9;branch=z9hG4bKt1\r\nFrom: <sip:a@b>;tag=1\r\n"        \
	"To: <sip:x@h>\r\nCall-ID: t1\r\nCSeq: 1 OPTIONS\r\n"                  \
	"Content-Length: 0\r\n\r\n"

static struct sip_flow seen_flow;

static void note_flow(struct rig *rig, struct sip_request *req)
{
	seen_flow = sip_request_view(req)->flow;
	rig_default_handler(rig, req);
}

static void a_stream_carries_requests_in_pieces(void **state)
{
	struct rig *rig = *state;
	int fd = tcp_connect(rig);

	tcp_send(rig, fd, "OPTIONS sip:x@h SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.");
	assert_int_equal(tcp_recv(rig, fd), -1);
	tcp_send(rig, fd,
		 "2.1:9;branch=z9hG4bKt1\r\nFrom: <sip:a@b>;tag=1\r\nTo: "
		 "<sip:x@h>\r\nCall-ID: t1\r\nCSeq: 1 OPTIONS\r\n"
		 "Content-Length: 0\r\n\r\n" TCP_OPTIONS);
	assert_true(tcp_recv(rig, fd) > 0);
	assert_int_equal(rig->requests, 2);
	assert_memory_equal(rig->msg, "SIP/2.0 200", 11);
	close(fd);
}

static void a_ping_gets_its_pong(void **state)
{
	struct rig *rig = *state;
	int fd = tcp_connect(rig);

	tcp_send(rig, fd, "\r\n\r\n");
	assert_int_equal(tcp_recv(rig, fd), 2);
	assert_string_equal(rig->msg, "\r\n");
	close(fd);
}

static void each_connection_is_a_flow_of_its_own(void **state)
{
	struct rig *rig = *state;
	struct sip_flow first;
	int fd;

	rig->handle = note_flow;
	fd = tcp_connect(rig);
	tcp_send(rig, fd, TCP_OPTIONS);
	first = seen_flow;
	assert_int_equal(first.transport, SIP_TCP);
	assert_true(first.conn != 0);
	assert_true(sip_flow_alive(rig->sip, &first));
	tcp_send(rig, fd, TCP_OPTIONS);
	assert_true(sip_flow_equal(&first, &seen_flow));
	close(fd);
	rig_turn(rig);
	assert_false(sip_flow_alive(rig->sip, &first));
	rig_advance(rig, 2000);
	assert_false(sip_flow_alive(rig->sip, &first));
	fd = tcp_connect(rig);
	tcp_send(rig, fd, TCP_OPTIONS);
	assert_true(seen_flow.conn != first.conn);
	close(fd);
}

static void a_message_that_never_ends_is_cut_off(void **state)
{
	struct rig *rig = *state;
	int silent = tcp_connect(rig), slow = tcp_connect(rig);

	/* Each byte would start the library's own timer again. */
	tcp_send(rig, slow, "OPTIONS sip:x@h SIP/2.0\r\n");
	for (int i = 0; i < 9; i++) {
		rig_advance(rig, 1000);
		tcp_send(rig, slow, "X: y\r\n");
	}
	assert_int_equal(tcp_recv(rig, slow), -1);
	rig_advance(rig, 3000);
	assert_int_equal(tcp_recv(rig, slow), 0);
	assert_int_equal(tcp_recv(rig, silent), 0);
	close(silent);
	close(slow);
}

static void a_connection_that_spoke_lives_on_for_a_while(void **state)
{
	struct rig *rig = *state;
	int fd = tcp_connect(rig);

	tcp_send(rig, fd, TCP_OPTIONS);
	assert_true(tcp_recv(rig, fd) > 0);
	rig_advance(rig, 60000);
	assert_int_equal(tcp_recv(rig, fd), -1);
	rig_advance(rig, 65000);
	assert_int_equal(tcp_recv(rig, fd), 0);
	close(fd);
}

static void a_registered_connection_stays(void **state)
{
	struct rig *rig = *state;
	int fd = tcp_connect(rig);

	tcp_send(rig, fd,
		 "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1:9;"
		 "branch=z9hG4bKt1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>"
		 "\r\nCall-ID: t1\r\nCSeq: 1 REGISTER\r\n"
		 "Content-Length: 0\r\n\r\n");
	assert_true(tcp_recv(rig, fd) > 0);
	rig_advance(rig, 200000);
	assert_int_equal(tcp_recv(rig, fd), -1);
	close(fd);
}

static void garbage_closes_the_stream(void **state)
{
	struct rig *rig = *state;
	int fd = tcp_connect(rig);

	tcp_send(rig, fd, "this is not SIP at all\r\n\r\n");
	rig_advance(rig, 2000);
	assert_int_equal(tcp_recv(rig, fd), 0);
	close(fd);
}

static void endless_headers_end_with_the_stream(void **state)
{
	struct rig *rig = *state;
	int fd = tcp_connect(rig);

	tcp_send(rig, fd,
		 "OPTIONS sip:x@h SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1:9;"
		 "branch=z9hG4bKt1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>"
		 "\r\nCall-ID: t1\r\nCSeq: 1 OPTIONS\r\n");
	for (int i = 0; i < 20000; i++)
		if (send(fd, "X: y\r\n", 6, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
		else if (i % 100 == 0)
			rig_turn(rig);
	rig_advance(rig, 12000);
	while (tcp_recv(rig, fd) > 0)
		;
	assert_true(recv(fd, rig->msg, 1, MSG_DONTWAIT) <= 0 &&
		    errno != EAGAIN);
	close(fd);
	rig_request_send(rig, "OPTIONS", "after", "after", 1, NULL, "");
	assert_int_equal(rig_status(rig), 200);
}

/* Together they are larger than one message may be. */
static void many_messages_at_once_are_all_read(void **state)
{
	enum { MESSAGES = 600 };
	static char text[MESSAGES * 512];
	struct rig *rig = *state;
	int fd = tcp_connect(rig), on = 1 << 20;
	size_t n = 0, done = 0;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &on, sizeof(on));
	for (int i = 0; i < MESSAGES; i++)
		n += (size_t)snprintf(
			text + n, sizeof(text) - n,
			"OPTIONS sip:x@h SIP/2.0\r\nVia: SIP/2.0/TCP "
			"h;branch=z9hG4bK%d\r\nFrom: <sip:a@b>;tag=1\r\n"
			"To: <sip:x@h>\r\nCall-ID: s%d\r\nCSeq: 1 OPTIONS\r\n"
			"User-Agent: %0200d\r\nContent-Length: 0\r\n\r\n",
			i, i, 0);
	while (done < n) {
		ssize_t k = send(fd, text + done, n - done,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (k > 0)
			done += (size_t)k;
		else
			rig_turn(rig);
		assert_true(k > 0 || errno == EAGAIN);
	}
	for (int i = 0; i < 100; i++)
		while (tcp_recv(rig, fd) > 0)
			;
	assert_int_equal(rig->requests, MESSAGES);
	close(fd);
}

/* What cannot be sent waits in a queue of fixed length. */
static void a_peer_that_does_not_read_is_no_danger(void **state)
{
	static char text[4096];
	struct rig *rig = *state;
	struct addr me;
	int fd = rig_socket(&me, SOCK_STREAM), small = 2048, sent = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(connect(fd, &rig->local.sa, addr_len(&rig->local)), 0);
	/* 16 MB of answers: more than any buffer holds. */
	for (int i = 0; i < 8000; i++) {
		int n = snprintf(text, sizeof(text),
				 "OPTIONS sip:x@h SIP/2.0\r\nVia: SIP/2.0/TCP "
				 "h;branch=z9hG4bK%d\r\nFrom: <sip:%02000d@b>"
				 ";tag=1\r\nTo: <sip:x@h>\r\nCall-ID: s%d\r\n"
				 "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
				 i, 0, i);

		if (send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) < n)
			break;
		sent++;
		rig_turn(rig);
	}
	assert_true(sent > 1000);
	for (int i = 0; i < 2000 && tcp_recv(rig, fd) > 0; i++)
		;
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < 20000 && tcp_recv(rig, fd) > 0; i++)
		;
	close(fd);
	rig_turn(rig);
	rig_request_send(rig, "OPTIONS", "after", "after", 1, NULL, "");
	assert_int_equal(rig_status(rig), 200);
}

static void a_stranger_who_floods_a_stream_loses_it(void **state)
{
	struct rig *rig = *state;
	int fd = tcp_connect(rig);

	for (int i = 0; i < 60; i++)
		tcp_send(rig, fd, TCP_OPTIONS);
	assert_true(rig->requests >= 40 && rig->requests <= 50);
	rig_advance(rig, 2000);
	while (tcp_recv(rig, fd) > 0)
		;
	assert_int_equal(recv(fd, rig->msg, 1, MSG_DONTWAIT), 0);
	close(fd);
}

static struct {
	struct sip_sent_by via;
	char received[32], host[64];
} came;

static void note_via(struct rig *rig, struct sip_request *req)
{
	came.via = sip_request_view(req)->via;
	snprintf(came.received, sizeof(came.received), "%s",
		 came.via.received ? came.via.received : "-");
	snprintf(came.host, sizeof(came.host), "%s", came.via.host);
	rig_default_handler(rig, req);
}

/* The library and we write the source into it before anybody looks. */
static void the_handler_sees_the_via_as_the_peer_wrote_it(void **state)
{
	static const struct {
		const char *params, *received;
		bool has_rport;
		uint16_t rport;
	} cases[] = {
		{"", "-", false, 0},
		{";rport", "-", true, 0},
		{";rport=17;received=192.0.2.9", "192.0.2.9", true, 17},
	};
	struct rig *rig = *state;

	rig->handle = note_via;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig_send(rig,
			 "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\n"
			 "Via: SIP/2.0/UDP 10.9.8.7:5099%s;branch=z9hG4bKw%zu"
			 "\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:x@h>\r\n"
			 "Call-ID: way%zu\r\nCSeq: 1 OPTIONS\r\n"
			 "Content-Length: 0\r\n\r\n",
			 cases[i].params, i, i);
		assert_int_equal(rig_status(rig), 200);
		assert_string_equal(came.host, "10.9.8.7");
		assert_int_equal(came.via.port, 5099);
		assert_int_equal(came.via.has_rport, cases[i].has_rport);
		assert_int_equal(came.via.rport, cases[i].rport);
		assert_string_equal(came.received, cases[i].received);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_good_request_reaches_the_handler_and_is_answered),
		TEST(to_tags_do_not_repeat),
		TEST(the_same_request_gets_the_same_tag),
		TEST(each_fault_has_its_status),
		TEST(a_request_of_a_dialog_that_is_gone_gets_481),
		TEST(a_branch_without_content_is_refused),
		TEST(a_body_longer_than_the_datagram_is_refused),
		TEST(a_body_too_large_is_refused),
		TEST(answers_go_where_the_request_came_from),
		TEST(a_maddr_is_never_followed),
		TEST(silence_for_strangers_when_the_realm_says_so),
		TEST(a_dropped_request_gets_nothing),
		TEST(strangers_get_at_most_two_and_a_half_times),
		TEST(control_bytes_refuse_the_whole_answer),
		TEST(keepalives_and_noise_get_nothing),
		TEST(a_stream_carries_requests_in_pieces),
		TEST(a_ping_gets_its_pong),
		TEST(each_connection_is_a_flow_of_its_own),
		TEST(a_message_that_never_ends_is_cut_off),
		TEST(a_connection_that_spoke_lives_on_for_a_while),
		TEST(a_registered_connection_stays),
		TEST(garbage_closes_the_stream),
		TEST(endless_headers_end_with_the_stream),
		TEST(many_messages_at_once_are_all_read),
		TEST(a_peer_that_does_not_read_is_no_danger),
		TEST(a_stranger_who_floods_a_stream_loses_it),
		TEST(the_handler_sees_the_via_as_the_peer_wrote_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
