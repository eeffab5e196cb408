/*
 * test_large.c - requests too large for UDP
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sip_rig.h"

enum { ABOVE = 1300 };

static char body[2000];

static void on_answer(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct rig *rig = arg;

	rig->answers++;
	rig->last_status = view->status;
	rig->last_internal = view->internal;
}

static void in_dialog(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	sip_txn_release(txn);
}

/* A peer that takes TCP at its UDP port, too; -1 when another has it. */
static int peer_listens(struct rig *rig, int backlog)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, &rig->peer.sa, addr_len(&rig->peer)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

/* An INVITE of about @n bytes goes out. */
static void invite(struct rig *rig, size_t n)
{
	struct sip_dialog_conf conf = {
		.target = "sip:bob@pbx.example.org",
		.local_user = "101",
		.request = in_dialog,
		.arg = rig,
		.tcp_above = ABOVE,
	};
	const struct sip_message m = {
		.method = SIP_INVITE,
		.contact = true,
		.content_type = "text/plain",
		.body = {memset(body, 'x', sizeof(body)),
			 n > 700 ? n - 700 : 0},
	};

	sip_txn_release(rig->txn);
	sip_dialog_destroy(rig->dialog);
	assert_int_equal(
		sip_flow_to(rig->sip, "lan", SIP_UDP, &rig->peer, &conf.flow),
		0);
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
	assert_int_equal(
		sip_dialog_request(rig->dialog, &rig->txn, &m, on_answer, rig),
		0);
	rig_turn(rig);
}

static void a_small_one_goes_over_udp(void **state)
{
	struct rig *rig = *state;
	int listener = peer_listens(rig, 1);

	invite(rig, 1000);
	assert_true(rig_recv(rig));
	assert_non_null(strstr(rig->msg, "Via: SIP/2.0/UDP "));
	assert_true(strlen(rig->msg) <= ABOVE);
	close(listener);
}

static void a_large_one_goes_over_tcp(void **state)
{
	struct rig *rig = *state;
	int listener = peer_listens(rig, 1), fd;

	invite(rig, 2000);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	assert_true(tcp_recv(rig, fd) > ABOVE);
	assert_memory_equal(rig->msg, "INVITE ", 7);
	assert_non_null(strstr(rig->msg, "Via: SIP/2.0/TCP "));
	rig_advance(rig, 3000);
	assert_false(rig_recv(rig));
	close(fd);
	close(listener);
	rig_turn(rig);
}

static void its_answer_comes_back(void **state)
{
	struct rig *rig = *state;
	int listener = peer_listens(rig, 1), fd;
	char via[512], from[512], to[512], id[512], cseq[512];
	static char text[RIG_BYTES];

	invite(rig, 2000);
	fd = accept(listener, NULL, NULL);
	assert_true(tcp_recv(rig, fd) > 0);
	snprintf(text, sizeof(text),
		 "SIP/2.0 486 Busy\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=b\r\n"
		 "Call-ID: %s\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n",
		 rig_header(rig, "Via", via), rig_header(rig, "From", from),
		 rig_header(rig, "To", to), rig_header(rig, "Call-ID", id),
		 rig_header(rig, "CSeq", cseq));
	tcp_send(rig, fd, text);
	assert_int_equal(rig->answers, 1);
	assert_int_equal(rig->last_status, 486);
	close(fd);
	close(listener);
	rig_turn(rig);
}

static void where_tcp_is_refused_it_goes_over_udp(void **state)
{
	struct rig *rig = *state;

	invite(rig, 2000);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "INVITE ", 7);
	assert_non_null(strstr(rig->msg, "Via: SIP/2.0/UDP "));
	assert_null(strstr(strstr(rig->msg, "Via: ") + 1, "Via: "));
	assert_int_equal(rig->answers, 0);
	rig_answer(rig, 404, "b", "");
	assert_int_equal(rig->last_status, 404);
}

static void who_refused_is_not_tried_again_for_a_while(void **state)
{
	struct rig *rig = *state;
	int listener;

	invite(rig, 2000);
	assert_true(rig_recv(rig));
	listener = peer_listens(rig, 1);
	invite(rig, 2000);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "INVITE ", 7);
	close(listener);
}

/* Its queue is full: our connection is neither made nor refused. */
static void a_connection_that_is_not_made_is_not_waited_for(void **state)
{
	struct rig *rig = *state;
	int listener = peer_listens(rig, 0), before[2];

	for (int i = 0; i < 2; i++) {
		before[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(before[i], &rig->peer.sa, addr_len(&rig->peer));
	}
	invite(rig, 2000);
	rig_advance(rig, 1400);
	assert_false(rig_recv(rig));
	rig_advance(rig, 200);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "INVITE ", 7);
	assert_int_equal(rig->answers, 0);
	for (int i = 0; i < 2; i++)
		close(before[i]);
	close(listener);
}

/* It has the request: who is silent then is silent over UDP as well, and may
 * be at work on it. */
static void who_took_it_and_is_silent_is_not_asked_again(void **state)
{
	struct rig *rig = *state;
	int listener = peer_listens(rig, 1), fd;

	invite(rig, 2000);
	fd = accept(listener, NULL, NULL);
	assert_true(tcp_recv(rig, fd) > ABOVE);
	rig_advance(rig, 2000);
	rig_advance(rig, 40000);
	assert_false(rig_recv(rig));
	assert_int_equal(rig->answers, 1);
	assert_int_equal(rig->last_status, 408);
	close(fd);
	close(listener);
	rig_turn(rig);
}

static void what_is_released_meanwhile_is_forgotten(void **state)
{
	struct rig *rig = *state;
	int listener = peer_listens(rig, 1);

	invite(rig, 2000);
	sip_txn_release(rig->txn);
	rig->txn = NULL;
	close(listener);
	rig_advance(rig, 40000);
	assert_int_equal(rig->answers, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_small_one_goes_over_udp),
		TEST(a_large_one_goes_over_tcp),
		TEST(its_answer_comes_back),
		TEST(where_tcp_is_refused_it_goes_over_udp),
		TEST(who_refused_is_not_tried_again_for_a_while),
		TEST(a_connection_that_is_not_made_is_not_waited_for),
		TEST(who_took_it_and_is_silent_is_not_asked_again),
		TEST(what_is_released_meanwhile_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
