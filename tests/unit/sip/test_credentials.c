/*
 * test_credentials.c - requests that a peer challenges: the stack answers each once
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define RIG_METHODS                                                            \
	(1u << SIP_SUBSCRIBE | 1u << SIP_NOTIFY | 1u << SIP_MESSAGE |          \
	 1u << SIP_PUBLISH)
#include "sip_rig.h"

#include "sip/digest.h"

#define ASK     "Digest realm=\"pbx\", nonce=\"n1\", algorithm=MD5, qop=\"auth\""
#define ASK_401 "WWW-Authenticate: " ASK "\r\n"
#define ASK_407 "Proxy-Authenticate: " ASK "\r\n"
#define STALE                                                                  \
	"WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n2\", stale=true, "   \
	"algorithm=MD5, qop=\"auth\"\r\n"

static char first[RIG_BYTES]; /* the request before its challenge */

static void on_answer(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct rig *rig = arg;

	rig->answers++;
	rig->last_status = view->status;
	if (view->status < 200)
		return;
	if (view->status < 300 && rig->dialog)
		sip_dialog_establish(rig->dialog, view);
	if (view->status < 300 && view->method == SIP_INVITE)
		assert_int_equal(sip_dialog_ack(rig->dialog, txn, NULL), 0);
	sip_txn_release(txn);
	rig->txn = NULL;
}

static void in_dialog(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	sip_txn_answer(txn, &(struct sip_message){.status = 200});
	sip_txn_release(txn);
}

static void call_made(struct rig *rig, enum sip_transport transport,
		      const char *user)
{
	struct sip_dialog_conf conf = {
		.target = "sip:bob@pbx.example.org;x=1",
		.local_user = "101",
		.remote_user = "bob",
		.request = in_dialog,
		.arg = rig,
		.credentials = {.user = user, .password = "secret"},
	};

	assert_int_equal(
		sip_flow_to(rig->sip, "lan", transport, &rig->peer, &conf.flow),
		0);
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
}

/* Sent with some SDP, and with the peer. */
static void request(struct rig *rig, enum sip_method method)
{
	static const struct sip_header route = {"Route",
						"<sip:way.example;lr>"};
	const struct sip_message m = {
		.method = method,
		.contact = method == SIP_INVITE || method == SIP_SUBSCRIBE,
		.content_type = "text/plain",
		.body = str_of("hello"),
		.headers = &route,
		.n_headers = 1,
	};

	assert_int_equal(
		sip_dialog_request(rig->dialog, &rig->txn, &m, on_answer, rig),
		0);
	assert_true(rig_recv(rig));
}

static void message(struct rig *rig)
{
	const struct sip_message m = {.method = SIP_MESSAGE};
	struct sip_out o = {.target = "sip:bob@pbx.example.org",
			    .from_user = "101",
			    .call_id = "one",
			    .cseq = 7,
			    .credentials = {"101", "secret"}};

	assert_int_equal(
		sip_flow_to(rig->sip, "lan", SIP_UDP, &rig->peer, &o.flow), 0);
	assert_int_equal(sip_send(rig->sip, &rig->txn, &o, &m, on_answer, rig),
			 0);
	assert_true(rig_recv(rig));
}

/* The request in rig->msg is challenged; what comes next is read. */
static void challenge(struct rig *rig, int status, const char *header)
{
	memcpy(first, rig->msg, sizeof(first));
	rig_answer(rig, status, "tag-of-no", header);
	assert_true(rig_recv(rig));
	if (!memcmp(first, "INVITE", 6)) {
		assert_memory_equal(rig->msg, "ACK ", 4);
		if (!rig_recv(rig))
			rig->msg[0] = '\0';
	}
}

static unsigned cseq_of(struct rig *rig)
{
	char mem[512];

	return (unsigned)atoi(rig_header(rig, "CSeq", mem));
}

static const char *line(const char *text, const char *name, char mem[512])
{
	const char *p = strstr(text, name);

	assert_non_null(p);
	snprintf(mem, 512, "%.*s", (int)strcspn(p, "\r"), p);
	return mem;
}

/* rig->msg is @first once more, with a right answer in header @name. */
static void is_answered(struct rig *rig, const char *name, const char *nonce)
{
	static const char *const same[] = {
		"\r\nFrom: ", "\r\nTo: ", "\r\nCall-ID: ",
		"\r\nMax-Forwards: "};
	char expected[DIGEST_HEX_MAX + 1], method[32], uri[256], old_uri[256];
	char mem[512], other[512], value[512];
	struct digest d;
	unsigned cseq;

	assert_int_equal(sscanf(rig->msg, "%31s %255s", method, uri), 2);
	assert_int_equal(sscanf(first, "%*s %255s", old_uri), 1);
	assert_memory_equal(first, method, strlen(method));
	assert_string_equal(uri, old_uri);
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		assert_string_equal(line(rig->msg + 0, same[i] + 2, mem),
				    line(first, same[i] + 2, other));
	assert_string_not_equal(line(rig->msg, "branch=", mem),
				line(first, "branch=", other));
	assert_null(strstr(strstr(rig->msg, "Via: ") + 1, "Via: "));
	cseq = (unsigned)atoi(line(first, "CSeq: ", mem) + 6);
	assert_int_equal(cseq_of(rig), cseq + 1);
	assert_string_equal(strstr(rig->msg, "\r\n\r\n"),
			    strstr(first, "\r\n\r\n"));
	assert_non_null(rig_header(rig, name, value));
	assert_memory_equal(value, "Digest ", 7);
	assert_int_equal(digest_parse(&d, str_of(value + 7)), 0);
	assert_string_equal(d.username, "101");
	assert_string_equal(d.nonce, nonce);
	assert_string_equal(d.uri, uri);
	assert_int_equal(digest_response(expected, &d, method, "secret"), 0);
	assert_string_equal(d.response, expected);
	assert_null(strstr(rig->msg, "secret"));
}

static void an_invite_is_sent_again_with_the_answer(void **state)
{
	struct rig *rig = *state;
	char answer[512], mem[512];
	unsigned cseq;

	call_made(rig, SIP_UDP, "101");
	request(rig, SIP_INVITE);
	challenge(rig, 407, ASK_407);
	is_answered(rig, "Proxy-Authorization", "n1");
	assert_non_null(rig_header(rig, "Contact", mem));
	assert_non_null(rig_header(rig, "Route", mem));
	rig_header(rig, "Proxy-Authorization", answer);
	cseq = cseq_of(rig);
	assert_int_equal(rig->answers, 0);
	rig_answer(rig, 180, "b", "");
	assert_int_equal(rig->last_status, 180);
	rig_answer(rig, 200, "b", rig_contact(rig, mem));
	assert_int_equal(rig->last_status, 200);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "ACK ", 4);
	assert_int_equal(cseq_of(rig), cseq);
	assert_string_equal(rig_header(rig, "Proxy-Authorization", mem),
			    answer);
	rig_advance(rig, 40000);
	assert_false(rig_recv(rig));
}

static void up(struct rig *rig)
{
	char mem[512];

	call_made(rig, SIP_UDP, "101");
	request(rig, SIP_INVITE);
	challenge(rig, 401, ASK_401);
	rig_answer(rig, 200, "b", rig_contact(rig, mem));
	assert_int_equal(rig->last_status, 200);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "ACK ", 4);
	rig->answers = 0;
}

static void a_request_in_the_dialog_is_too(void **state)
{
	struct rig *rig = *state;
	char mem[512];
	unsigned cseq;

	up(rig);
	cseq = cseq_of(rig);
	request(rig, SIP_INFO);
	assert_int_equal(cseq_of(rig), cseq + 1);
	challenge(rig, 401, ASK_401);
	is_answered(rig, "Authorization", "n1");
	/* the nonce was used for the INVITE already */
	assert_non_null(
		strstr(rig_header(rig, "Authorization", mem), "nc=00000002"));
	rig_answer(rig, 200, NULL, "");
	assert_int_equal(rig->answers, 1);
	assert_int_equal(rig->last_status, 200);
	/* and what comes after it counts on */
	request(rig, SIP_INVITE);
	assert_int_equal(cseq_of(rig), cseq + 3);
	challenge(rig, 401, ASK_401);
	is_answered(rig, "Authorization", "n1");
	rig_answer(rig, 488, NULL, "");
	assert_int_equal(rig->last_status, 488);
}

static void a_bye_is_answered_after_its_dialog_is_gone(void **state)
{
	const struct sip_message bye = {.method = SIP_BYE};
	struct rig *rig = *state;

	up(rig);
	assert_int_equal(
		sip_dialog_request(rig->dialog, NULL, &bye, NULL, NULL), 0);
	assert_true(rig_recv(rig));
	sip_dialog_destroy(rig->dialog);
	rig->dialog = NULL;
	challenge(rig, 401, ASK_401);
	is_answered(rig, "Authorization", "n1");
	rig_answer(rig, 200, NULL, "");
	rig_advance(rig, 40000);
	assert_false(rig_recv(rig));
}

static void a_subscribe_is_sent_again(void **state)
{
	struct rig *rig = *state;

	call_made(rig, SIP_UDP, "101");
	request(rig, SIP_SUBSCRIBE);
	challenge(rig, 401, ASK_401);
	is_answered(rig, "Authorization", "n1");
	rig_answer(rig, 200, "b", "");
	assert_int_equal(rig->answers, 1);
	assert_int_equal(rig->last_status, 200);
}

static void a_message_is_sent_again(void **state)
{
	struct rig *rig = *state;

	message(rig);
	challenge(rig, 401, ASK_401);
	is_answered(rig, "Authorization", "n1");
	assert_int_equal(cseq_of(rig), 8);
	rig_answer(rig, 202, "b", "");
	assert_int_equal(rig->answers, 1);
	assert_int_equal(rig->last_status, 202);
	assert_int_equal(sip_client_txns(rig->sip), 0);
}

static void a_wrong_password_is_told_after_one_answer(void **state)
{
	struct rig *rig = *state;

	message(rig);
	challenge(rig, 401, ASK_401);
	rig_answer(rig, 401, "b",
		   "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n2\"\r\n");
	assert_int_equal(rig->last_status, 401);
	assert_false(rig_recv(rig));
}

static void a_wrong_password_of_an_invite_is_told_too(void **state)
{
	struct rig *rig = *state;

	call_made(rig, SIP_UDP, "101");
	request(rig, SIP_INVITE);
	challenge(rig, 407, ASK_407);
	rig_answer(rig, 407, "b", ASK_407);
	assert_int_equal(rig->last_status, 407);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "ACK ", 4);
	assert_false(rig_recv(rig));
	rig_advance(rig, 40000);
	assert_int_equal(sip_client_txns(rig->sip), 0);
}

static void a_stale_answer_is_given_once_more_and_no_more(void **state)
{
	struct rig *rig = *state;

	message(rig);
	challenge(rig, 401, ASK_401);
	challenge(rig, 401, STALE);
	is_answered(rig, "Authorization", "n2");
	assert_null(
		strstr(strstr(rig->msg, "Authorization") + 1, "Authorization"));
	assert_int_equal(rig->answers, 0);
	rig_answer(rig, 401, "b", STALE);
	assert_int_equal(rig->last_status, 401);
	assert_false(rig_recv(rig));
}

/* A proxy on the way asks, and the server at its end too. */
static void a_proxy_and_a_server_are_both_answered(void **state)
{
	struct rig *rig = *state;
	char mem[512];

	message(rig);
	challenge(rig, 407, ASK_407);
	is_answered(rig, "Proxy-Authorization", "n1");
	challenge(rig, 401,
		  "WWW-Authenticate: Digest realm=\"home\", nonce=\"h1\", "
		  "algorithm=MD5, qop=\"auth\"\r\n");
	is_answered(rig, "Authorization", "h1");
	assert_int_equal(rig->answers, 0);
	rig_header(rig, "Proxy-Authorization", mem);
	assert_non_null(strstr(mem, "nonce=\"n1\""));
	assert_non_null(strstr(mem, "nc=00000002"));
	assert_int_equal(cseq_of(rig), 9);
	rig_answer(rig, 202, "b", "");
	assert_int_equal(rig->answers, 1);
	assert_int_equal(rig->last_status, 202);
}

static void each_of_them_is_answered_once(void **state)
{
	struct rig *rig = *state;

	message(rig);
	challenge(rig, 407, ASK_407);
	challenge(rig, 401, ASK_401);
	rig_answer(rig, 407, "b", ASK_407);
	assert_int_equal(rig->answers, 1);
	assert_int_equal(rig->last_status, 407);
	assert_false(rig_recv(rig));
}

static void the_ack_has_both_answers(void **state)
{
	struct rig *rig = *state;
	char mem[512];

	call_made(rig, SIP_UDP, "101");
	request(rig, SIP_INVITE);
	challenge(rig, 407, ASK_407);
	challenge(rig, 401, ASK_401);
	rig_answer(rig, 200, "b", rig_contact(rig, mem));
	assert_int_equal(rig->last_status, 200);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "ACK ", 4);
	assert_non_null(rig_header(rig, "Proxy-Authorization", mem));
	assert_non_null(strstr(rig->msg, "\r\nAuthorization: Digest "));
}

static void without_credentials_it_goes_up(void **state)
{
	struct rig *rig = *state;

	call_made(rig, SIP_UDP, NULL);
	request(rig, SIP_INVITE);
	challenge(rig, 401, ASK_401);
	assert_string_equal(rig->msg, "");
	assert_int_equal(rig->last_status, 401);
}

/* The body that goes out again is the one that counts. */
static void with_auth_int_the_body_is_in_the_answer(void **state)
{
	struct rig *rig = *state;
	char expected[DIGEST_HEX_MAX + 1], value[512];
	struct digest d;

	call_made(rig, SIP_UDP, "101");
	request(rig, SIP_INVITE);
	challenge(rig, 401,
		  "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n1\", "
		  "algorithm=MD5, qop=\"auth-int\"\r\n");
	assert_non_null(rig_header(rig, "Authorization", value));
	assert_int_equal(digest_parse(&d, str_of(value + 7)), 0);
	assert_string_equal(d.qop, "auth-int");
	assert_int_equal(digest_body(d.body_hash, d.alg, STR("hello")), 0);
	assert_int_equal(digest_response(expected, &d, "INVITE", "secret"), 0);
	assert_string_equal(d.response, expected);
}

static void what_cannot_be_answered_goes_up(void **state)
{
	struct rig *rig = *state;

	message(rig);
	rig_answer(rig, 401, "b", "WWW-Authenticate: Basic realm=\"x\"\r\n");
	assert_int_equal(rig->last_status, 401);
	message(rig);
	rig_answer(rig, 403, "b", ASK_401);
	assert_int_equal(rig->last_status, 403);
	assert_false(rig_recv(rig));
}

/* The CANCEL is of the INVITE that is under way, once that was heard of. */
static void a_cancel_is_of_the_second_invite(void **state)
{
	struct rig *rig = *state;
	char branch[512], mem[512];
	unsigned cseq;

	call_made(rig, SIP_UDP, "101");
	request(rig, SIP_INVITE);
	rig_answer(rig, 100, NULL, "");
	challenge(rig, 407, ASK_407);
	line(rig->msg, "branch=", branch);
	cseq = cseq_of(rig);
	sip_txn_cancel(rig->txn);
	assert_false(rig_recv(rig));
	memcpy(first, rig->msg, sizeof(first));
	rig_answer(rig, 180, "b", "");
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "CANCEL ", 7);
	assert_string_equal(line(rig->msg, "branch=", mem), branch);
	assert_int_equal(cseq_of(rig), cseq);
	rig_answer(rig, 200, "b", "");
	memcpy(rig->msg, first, sizeof(first));
	rig_answer(rig, 487, "b", "");
	assert_int_equal(rig->last_status, 487);
}

static void what_is_cancelled_is_not_sent_again(void **state)
{
	struct rig *rig = *state;

	call_made(rig, SIP_UDP, "101");
	request(rig, SIP_INVITE);
	sip_txn_cancel(rig->txn);
	challenge(rig, 407, ASK_407);
	assert_string_equal(rig->msg, "");
	assert_int_equal(rig->last_status, 407);
}

static void an_invite_let_go_is_not_sent_again(void **state)
{
	struct rig *rig = *state;

	call_made(rig, SIP_UDP, "101");
	request(rig, SIP_INVITE);
	sip_txn_release(rig->txn);
	rig->txn = NULL;
	challenge(rig, 407, ASK_407);
	assert_string_equal(rig->msg, "");
	rig_advance(rig, 40000);
	assert_int_equal(sip_client_txns(rig->sip), 0);
}

static void a_repeated_challenge_changes_nothing(void **state)
{
	struct rig *rig = *state;

	call_made(rig, SIP_UDP, "101");
	request(rig, SIP_INVITE);
	challenge(rig, 407, ASK_407);
	memcpy(rig->msg, first, sizeof(first));
	rig_answer(rig, 407, "tag-of-no", ASK_407);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "ACK ", 4);
	assert_false(rig_recv(rig));
	assert_int_equal(rig->answers, 0);
}

static void over_tcp_it_is_the_same_connection(void **state)
{
	struct rig *rig = *state;
	const struct sip_message m = {.method = SIP_INVITE, .contact = true};
	int listener = rig_socket(&rig->peer, SOCK_STREAM), fd;
	char via[512], from[512], to[512], id[512], cseq[512];
	static char text[RIG_BYTES];

	assert_int_equal(listen(listener, 1), 0);
	call_made(rig, SIP_TCP, "101");
	assert_int_equal(
		sip_dialog_request(rig->dialog, &rig->txn, &m, on_answer, rig),
		0);
	rig_turn(rig);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	assert_true(tcp_recv(rig, fd) > 0);
	snprintf(text, sizeof(text),
		 "SIP/2.0 407 No\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=b\r\n"
		 "Call-ID: %s\r\nCSeq: %s\r\n" ASK_407
		 "Content-Length: 0\r\n\r\n",
		 rig_header(rig, "Via", via), rig_header(rig, "From", from),
		 rig_header(rig, "To", to), rig_header(rig, "Call-ID", id),
		 rig_header(rig, "CSeq", cseq));
	tcp_send(rig, fd, text);
	assert_true(tcp_recv(rig, fd) > 0);
	assert_memory_equal(rig->msg, "ACK ", 4);
	if (!strstr(rig->msg, "INVITE sip:"))
		assert_true(tcp_recv(rig, fd) > 0);
	assert_non_null(strstr(rig->msg, "INVITE sip:"));
	assert_non_null(strstr(rig->msg, "Proxy-Authorization: Digest "));
	close(fd);
	close(listener);
	rig_turn(rig);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_invite_is_sent_again_with_the_answer),
		TEST(a_request_in_the_dialog_is_too),
		TEST(a_bye_is_answered_after_its_dialog_is_gone),
		TEST(a_subscribe_is_sent_again),
		TEST(a_message_is_sent_again),
		TEST(a_wrong_password_is_told_after_one_answer),
		TEST(a_wrong_password_of_an_invite_is_told_too),
		TEST(a_stale_answer_is_given_once_more_and_no_more),
		TEST(a_proxy_and_a_server_are_both_answered),
		TEST(each_of_them_is_answered_once),
		TEST(the_ack_has_both_answers),
		TEST(without_credentials_it_goes_up),
		TEST(with_auth_int_the_body_is_in_the_answer),
		TEST(what_cannot_be_answered_goes_up),
		TEST(a_cancel_is_of_the_second_invite),
		TEST(what_is_cancelled_is_not_sent_again),
		TEST(an_invite_let_go_is_not_sent_again),
		TEST(a_repeated_challenge_changes_nothing),
		TEST(over_tcp_it_is_the_same_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
