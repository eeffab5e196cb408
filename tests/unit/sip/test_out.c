/*
 * test_out.c - requests that make no dialog, sent and received
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define RIG_METHODS                                                            \
	(1u << SIP_SUBSCRIBE | 1u << SIP_NOTIFY | 1u << SIP_MESSAGE |          \
	 1u << SIP_PUBLISH | 1u << SIP_PRACK | 1u << SIP_UPDATE)
#include "sip_rig.h"

#include "core/limits.h"

static struct sip_txn *sent;

static void on_answer(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct rig *rig = arg;

	rig->answers++;
	rig->last_status = view->status;
	rig->last_internal = view->internal;
	rig->last_flow = view->flow;
	snprintf(rig->last_method, sizeof(rig->last_method), "%s",
		 view->method_name);
	if (view->status >= 200) {
		sip_txn_release(txn);
		sent = NULL;
	}
}

static struct sip_out out_to(struct rig *rig)
{
	struct sip_out o = {.target = "sip:pbx.example.org",
			    .from_user = "101",
			    .from_host = "example.org",
			    .to_user = "101"};

	assert_int_equal(
		sip_flow_to(rig->sip, "lan", SIP_UDP, &rig->peer, &o.flow), 0);
	return o;
}

static int send_out(struct rig *rig, const struct sip_out *o,
		    enum sip_method method)
{
	const struct sip_message m = {.method = method, .contact = true};

	return sip_send(rig->sip, &sent, o, &m, on_answer, rig);
}

/* Sent, and received by the peer. */
static void send_one(struct rig *rig, const struct sip_out *o,
		     enum sip_method method)
{
	assert_int_equal(send_out(rig, o, method), 0);
	assert_int_equal(rig->answers, 0);
	assert_true(rig_recv(rig));
}

#define HAS(name, text)                                                        \
	do {                                                                   \
		char mem[512];                                                 \
		assert_string_equal(rig_header(rig, name, mem), text);         \
	} while (0)

/* ---- what is written ------------------------------------------------------------------ */

static void a_request_says_what_it_was_told(void **state)
{
	static const struct sip_header headers[] = {
		{"Expires", "600"}, {"X-One", "a, b"}, {"Route", "<sip:p;lr>"}};
	struct rig *rig = *state;
	const struct sip_message m = {.method = SIP_REGISTER,
				      .contact = true, /* instead: below */
				      .max_forwards = 9,
				      .headers = headers,
				      .n_headers = 3};
	struct sip_out o = out_to(rig);

	o.target = "sip:pbx.example.org;transport=udp;lr";
	o.from_display = "O\"Brien";
	o.from_tag = "tag-1";
	o.to_host = "other.example";
	o.call_id = "series-1@box";
	o.cseq = 77;
	o.contact =
		"<sip:t0ken@127.0.0.1;ob>;expires=600;+sip.instance=\"<u>\"";
	assert_int_equal(sip_send(rig->sip, &sent, &o, &m, on_answer, rig), 0);
	assert_true(rig_recv(rig));
	assert_memory_equal(
		rig->msg,
		"REGISTER sip:pbx.example.org;transport=udp;lr SIP/2.0\r\n",
		55);
	HAS("From", "\"O\\\"Brien\" <sip:101@example.org>;tag=tag-1");
	HAS("To", "<sip:101@other.example>");
	HAS("Call-ID", "series-1@box");
	HAS("CSeq", "77 REGISTER");
	HAS("Contact",
	    "<sip:t0ken@127.0.0.1;ob>;expires=600;+sip.instance=\"<u>\"");
	HAS("Max-Forwards", "9");
	HAS("Expires", "600");
	HAS("X-One", "a, b");
	HAS("Route", "<sip:p;lr>");
	assert_null(strstr(strstr(rig->msg, "Contact:") + 1, "Contact:"));
	rig_answer(rig, 200, "b", "");
	assert_int_equal(rig->last_status, 200);
}

static void what_was_left_out_is_made(void **state)
{
	struct rig *rig = *state;
	struct sip_out o = out_to(rig);
	char text[512], first[512], expect[128], host[ADDR_TEXT_MAX];

	send_one(rig, &o, SIP_MESSAGE);
	rig_header(rig, "Call-ID", first);
	assert_int_equal(strlen(first), 24);
	HAS("To", "<sip:101@pbx.example.org>");
	HAS("Max-Forwards", "70");
	assert_true(atoi(rig_header(rig, "CSeq", text)) > 0);
	snprintf(expect, sizeof(expect), "<sip:101@%s>",
		 addr_fmt(&rig->local, host));
	HAS("Contact", expect);
	rig_header(rig, "From", text);
	assert_int_equal(strlen(strstr(text, ";tag=")), 5 + 16);
	rig_answer(rig, 200, "b", "");
	rig->answers = 0;
	send_one(rig, &o, SIP_MESSAGE);
	assert_string_not_equal(rig_header(rig, "Call-ID", text), first);
	rig_answer(rig, 200, "b", "");
}

static void each_method_can_be_sent_but_those_of_calls(void **state)
{
	struct rig *rig = *state;
	static const struct {
		enum sip_method method;
		int err;
	} cases[] = {
		{SIP_REGISTER, 0},     {SIP_MESSAGE, 0},
		{SIP_PUBLISH, 0},      {SIP_OPTIONS, 0},
		{SIP_INVITE, -EINVAL}, {SIP_ACK, -EINVAL},
		{SIP_CANCEL, -EINVAL}, {SIP_UNKNOWN, -EINVAL},
	};
	struct sip_out o = out_to(rig);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(send_out(rig, &o, cases[i].method),
				 cases[i].err);
		if (cases[i].err)
			continue;
		assert_true(rig_recv(rig));
		rig_answer(rig, 202, "b", "");
		assert_int_equal(rig->last_status, 202);
	}
}

static void bad_texts_are_refused(void **state)
{
	static char too_long[300];
	struct rig *rig = *state;
	const struct sip_out good = out_to(rig);
	struct sip_out bad[11];
	unsigned n = 0;

	memset(too_long, 'a', sizeof(too_long) - 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		bad[i] = good;
	bad[n++].target = NULL;
	bad[n++].target = "sip:a b@h";
	bad[n++].target = "tel:+4930";
	bad[n++].from_host = "h>\r\nX: y";
	bad[n++].to_host = "";
	bad[n++].from_tag = "a;b";
	bad[n++].call_id = "a b";
	bad[n++].call_id = too_long;
	bad[n++].cseq = 0x80000000u;
	bad[n++].contact = "<sip:a@h>\r\nX: y";
	bad[n++].contact = "<sip:";
	assert_int_equal(n, sizeof(bad) / sizeof(bad[0]));
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(send_out(rig, &bad[i], SIP_REGISTER), -EINVAL);
	assert_false(rig_recv(rig));
	assert_int_equal(sip_client_txns(rig->sip), 0);
}

static void headers_of_a_target_stay_behind(void **state)
{
	struct rig *rig = *state;
	struct sip_out o = out_to(rig);

	o.target = "sip:a@h;x=y?Subject=no";
	send_one(rig, &o, SIP_MESSAGE);
	assert_memory_equal(rig->msg, "MESSAGE sip:a@h;x=y SIP/2.0\r\n", 29);
	assert_null(strstr(rig->msg, "Subject"));
	rig_answer(rig, 200, "b", "");
}

/* ---- what becomes of it ------------------------------------------------------------------ */

static void it_is_sent_again_until_timer_f(void **state)
{
	struct rig *rig = *state;
	struct sip_out o = out_to(rig);
	unsigned copies = 0;

	send_one(rig, &o, SIP_REGISTER);
	rig_advance(rig, 31000);
	while (rig_recv(rig))
		copies++;
	assert_true(copies >= 8); /* T1, 2 T1, ... T2, T2, ... */
	assert_int_equal(rig->answers, 0);
	rig_advance(rig, 2000);
	assert_int_equal(rig->answers, 1);
	assert_int_equal(rig->last_status, 408);
	assert_true(rig->last_internal);
	assert_int_equal(sip_client_txns(rig->sip), 0);
}

static void an_answer_after_the_time_is_nobodys(void **state)
{
	struct rig *rig = *state;
	struct sip_out o = out_to(rig);

	send_one(rig, &o, SIP_SUBSCRIBE);
	rig_advance(rig, 33000);
	assert_int_equal(rig->last_status, 408);
	rig_answer(rig, 200, "late", "");
	rig_answer(rig, 200, "late", "");
	assert_int_equal(rig->answers, 1);
}

static void repeated_and_second_answers_are_absorbed(void **state)
{
	struct rig *rig = *state;
	struct sip_out o = out_to(rig);

	send_one(rig, &o, SIP_PUBLISH);
	rig_answer(rig, 100, NULL, "");
	rig_answer(rig, 200, "b", "");
	rig_answer(rig, 200, "b", "");
	rig_answer(rig, 401, "c", "");
	rig_answer(rig, 100, "c", "");
	assert_int_equal(rig->answers, 2);
	assert_int_equal(rig->last_status, 200);
	rig_advance(rig, 40000);
	rig_answer(rig, 200, "b", "");
	assert_int_equal(rig->answers, 2);
}

static void who_let_go_hears_nothing(void **state)
{
	struct rig *rig = *state;
	struct sip_out o = out_to(rig);
	const struct sip_message m = {.method = SIP_MESSAGE};

	send_one(rig, &o, SIP_MESSAGE);
	sip_txn_release(sent);
	rig_answer(rig, 200, "b", "");
	assert_int_equal(sip_send(rig->sip, NULL, &o, &m, NULL, NULL), 0);
	assert_true(rig_recv(rig));
	assert_int_equal(sip_client_txns(rig->sip), 1);
	rig_advance(rig, 33000);
	assert_int_equal(rig->answers, 0);
	assert_int_equal(sip_client_txns(rig->sip), 0);
}

static void a_listener_that_is_gone_is_told_at_once(void **state)
{
	struct rig *rig = *state;
	struct sip_out o = out_to(rig);

	o.flow.local = rig->peer;
	assert_int_equal(send_out(rig, &o, SIP_REGISTER), -ENETDOWN);
	assert_int_equal(sip_client_txns(rig->sip), 0);
}

static void a_port_where_nobody_listens_is_503(void **state)
{
	struct rig *rig = *state;
	struct sip_out o = out_to(rig);
	int fd = rig_socket(&o.flow.remote, SOCK_DGRAM);

	close(fd);
	assert_int_equal(send_out(rig, &o, SIP_REGISTER), 0);
	rig_advance(rig, 1000);
	assert_int_equal(rig->answers, 1);
	assert_int_equal(rig->last_status, 503);
	assert_true(rig->last_internal);
}

static void a_connection_that_closes_is_430(void **state)
{
	struct rig *rig = *state;
	struct sip_out o = out_to(rig);
	int fd = tcp_connect(rig);

	tcp_send(rig, fd,
		 "REGISTER sip:h SIP/2.0\r\n"
		 "Via: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1\r\n"
		 "From: <sip:a@h>;tag=a\r\nTo: <sip:a@h>\r\nCall-ID: c\r\n"
		 "CSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n");
	assert_true(tcp_recv(rig, fd) > 0);
	assert_int_equal(rig->requests, 1);
	o.flow = rig->heard_flow;
	assert_int_equal(send_out(rig, &o, SIP_MESSAGE), 0);
	assert_true(tcp_recv(rig, fd) > 0);
	assert_memory_equal(rig->msg, "MESSAGE ", 8);
	close(fd);
	rig_advance(rig, 100);
	assert_int_equal(rig->last_status, 430);
	assert_int_equal(send_out(rig, &o, SIP_MESSAGE), -ENOTCONN);
}

/* A registrar over TCP: it is dialled once, and its answers show the flow. */
static void a_connection_is_opened_and_taken_again(void **state)
{
	struct rig *rig = *state;
	struct sip_out o = out_to(rig);
	char bytes[4096], via[512], from[512], id[512], cseq[512];
	struct addr to;
	int listener = rig_socket(&to, SOCK_STREAM), fd;
	ssize_t n;

	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(sip_flow_to(rig->sip, "lan", SIP_TCP, &to, &o.flow),
			 0);
	assert_int_equal(send_out(rig, &o, SIP_REGISTER), 0);
	rig_turn(rig);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	assert_true(tcp_recv(rig, fd) > 0);
	assert_memory_equal(rig->msg, "REGISTER ", 9);
	snprintf(bytes, sizeof(bytes),
		 "SIP/2.0 200 OK\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=b\r\n"
		 "Call-ID: %s\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n",
		 rig_header(rig, "Via", via), rig_header(rig, "From", from),
		 "<sip:101@pbx.example.org>", rig_header(rig, "Call-ID", id),
		 rig_header(rig, "CSeq", cseq));
	tcp_send(rig, fd, bytes);
	assert_int_equal(rig->last_status, 200);
	assert_true(rig->last_flow.conn != 0);
	assert_true(addr_equal(&rig->last_flow.remote, &to));
	assert_int_equal(send_out(rig, &o, SIP_REGISTER), 0);
	rig_turn(rig);
	n = tcp_recv(rig, fd);
	assert_true(n > 0);
	/* Not the peer's connection: it is the peer that cannot be reached. */
	close(fd);
	rig_advance(rig, 200);
	assert_int_equal(rig->last_status, 503);
	assert_true(rig->last_internal);
	close(listener);
}

static void too_many_at_once_are_refused(void **state)
{
	struct rig *rig = *state;
	struct sip_out o = out_to(rig);
	const struct sip_message m = {.method = SIP_OPTIONS};

	for (int i = 0; i < LIMIT_CLIENT_TXNS; i++)
		assert_int_equal(sip_send(rig->sip, NULL, &o, &m, NULL, NULL),
				 0);
	assert_int_equal(sip_send(rig->sip, NULL, &o, &m, NULL, NULL), -EAGAIN);
}

/* ---- what comes in --------------------------------------------------------------------- */

static void the_methods_that_were_asked_for_are_taken(void **state)
{
	static const char *const taken[] = {"SUBSCRIBE", "NOTIFY", "MESSAGE",
					    "PUBLISH"};
	struct rig *rig = *state;

	for (int i = 0; i < 4; i++) {
		rig_request_send(rig, taken[i], taken[i], taken[i], 1, NULL,
				 "");
		assert_int_equal(rig_status(rig), 200);
	}
	assert_string_equal(sip_allowed(rig->sip),
			    SIP_ALLOW ", SUBSCRIBE, NOTIFY, MESSAGE, PUBLISH");
	assert_int_equal(rig->requests, 4);
}

/* An upstream forks one request to two phones behind us: the same but for
 * Request-URI and branch. */
static void both_branches_of_a_merged_request_come_in(void **state)
{
	static const char *const methods[] = {"MESSAGE", "SUBSCRIBE", "OPTIONS",
					      "PUBLISH"};
	struct rig *rig = *state;

	for (unsigned i = 0; i < 4; i++) {
		for (int branch = 0; branch < 2; branch++)
			rig_send(rig,
				 "%s sip:token%d@127.0.0.1 SIP/2.0\r\n"
				 "Via: SIP/2.0/UDP 127.0.0.1:%u;"
				 "branch=z9hG4bK%u.%d\r\n"
				 "From: <sip:a@h>;tag=f\r\nTo: <sip:b@h>\r\n"
				 "Call-ID: merged\r\nCSeq: %u %s\r\n"
				 "Content-Length: 0\r\n\r\n",
				 methods[i], branch, rig_port(rig), i, branch,
				 i + 1, methods[i]);
		assert_int_equal(rig->requests, 2 * i + 2);
		assert_int_equal(rig_status(rig), 200);
		assert_int_equal(rig_status(rig), 200);
	}
}

static void keep_open(struct rig *rig, struct sip_request *req)
{
	assert_int_equal(sip_request_accept(req, rig->txn ? &sent : &rig->txn,
					    NULL, rig),
			 0);
}

static void both_branches_may_be_open_at_once(void **state)
{
	const struct sip_message ok = {.status = 200};
	struct rig *rig = *state;
	char via[512];

	rig->handle = keep_open;
	rig_request_send(rig, "MESSAGE", "m1", "m", 1, NULL, "");
	rig_request_send(rig, "MESSAGE", "m2", "m", 1, NULL, "");
	rig_request_send(rig, "MESSAGE", "m2", "m", 1, NULL, ""); /* again */
	assert_int_equal(rig->requests, 2);
	assert_int_equal(sip_txn_answer(sent, &ok), 0);
	assert_int_equal(rig_status(rig), 200);
	assert_non_null(strstr(rig_header(rig, "Via", via), "z9hG4bKm2"));
	assert_int_equal(sip_txn_answer(rig->txn, &ok), 0);
	assert_int_equal(rig_status(rig), 200);
	assert_non_null(strstr(rig_header(rig, "Via", via), "z9hG4bKm1"));
	sip_txn_release(sent);
}

/* RFC 3261 9.1: it has no effect; the library must not have it either. */
static void a_cancel_of_what_is_no_invite_changes_nothing(void **state)
{
	const struct sip_message ok = {.status = 200};
	struct rig *rig = *state;
	char cseq[512];

	rig->handle = keep_open;
	rig_request_send(rig, "MESSAGE", "m1", "c", 1, NULL, "");
	rig_request_send(rig, "CANCEL", "m1", "c", 1, NULL, "");
	assert_int_equal(rig_status(rig), 200);
	assert_string_equal(rig_header(rig, "CSeq", cseq), "1 CANCEL");
	assert_false(rig_recv(rig));
	assert_int_equal(sip_txn_answer(rig->txn, &ok), 0);
	assert_int_equal(rig_status(rig), 200);
	assert_string_equal(rig_header(rig, "CSeq", cseq), "1 MESSAGE");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_request_says_what_it_was_told),
		TEST(what_was_left_out_is_made),
		TEST(each_method_can_be_sent_but_those_of_calls),
		TEST(bad_texts_are_refused),
		TEST(headers_of_a_target_stay_behind),
		TEST(it_is_sent_again_until_timer_f),
		TEST(an_answer_after_the_time_is_nobodys),
		TEST(repeated_and_second_answers_are_absorbed),
		TEST(who_let_go_hears_nothing),
		TEST(a_listener_that_is_gone_is_told_at_once),
		TEST(a_port_where_nobody_listens_is_503),
		TEST(a_connection_that_closes_is_430),
		TEST(a_connection_is_opened_and_taken_again),
		TEST(too_many_at_once_are_refused),
		TEST(the_methods_that_were_asked_for_are_taken),
		TEST(both_branches_of_a_merged_request_come_in),
		TEST(both_branches_may_be_open_at_once),
		TEST(a_cancel_of_what_is_no_invite_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
