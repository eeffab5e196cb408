/*
 * test_txn.c - transactions, against a peer that answers late, twice or never
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sip_rig.h"

#define T1_MS 500

/* ---- server side -------------------------------------------------------------------- */

static void on_event(void *arg, struct sip_txn *txn, enum sip_txn_event event,
		     const struct sip_view *view)
{
	struct rig *rig = arg;

	assert_ptr_equal(txn, rig->txn);
	if (event == SIP_TXN_ACK)
		rig->acks++;
	else if (event == SIP_TXN_CANCEL)
		rig->cancels++;
	else
		rig->no_acks++;
	assert_true(event == SIP_TXN_NO_ACK ? !view : view != NULL);
}

static void accept_it(struct rig *rig, struct sip_request *req)
{
	assert_int_equal(sip_request_accept(req, &rig->txn, on_event, rig), 0);
}

static int answer(struct rig *rig, int status)
{
	const struct sip_message m = {.status = status, .contact = true};

	return sip_txn_answer(rig->txn, &m);
}

static void invite_in(struct rig *rig, const char *branch)
{
	char contact[128];

	rig->handle = accept_it;
	rig_request_send(rig, "INVITE", branch, "call-1", 1, NULL,
			 rig_contact(rig, contact));
}

static void ack_in(struct rig *rig, const char *branch)
{
	char to[512], tag[512];

	assert_non_null(rig_param(rig_header(rig, "To", to), ";tag=", tag));
	rig_request_send(rig, "ACK", branch, "call-1", 1, tag, "");
}

static void an_invite_is_rung_answered_and_acked(void **state)
{
	struct rig *rig = *state;
	char ring[512], ok[512], value[512];

	invite_in(rig, "i1");
	assert_int_equal(answer(rig, 180), 0);
	assert_int_equal(rig_status(rig), 180);
	rig_param(rig_header(rig, "To", value), ";tag=", ring);
	assert_int_equal(answer(rig, 200), 0);
	assert_int_equal(rig_status(rig), 200);
	rig_param(rig_header(rig, "To", value), ";tag=", ok);
	assert_string_equal(ring, ok);
	assert_non_null(rig_header(rig, "Contact", value));
	assert_int_equal(rig->acks, 0);
	ack_in(rig, "a1");
	assert_int_equal(rig->acks, 1);
	rig_advance(rig, 5000);
	assert_false(rig_recv(rig));
}

static void a_second_final_answer_is_refused(void **state)
{
	struct rig *rig = *state;

	invite_in(rig, "i1");
	assert_int_equal(answer(rig, 486), 0);
	assert_int_equal(answer(rig, 200), -EALREADY);
	assert_int_equal(answer(rig, 99), -EINVAL);
}

static void an_ok_is_repeated_until_the_ack_comes(void **state)
{
	struct rig *rig = *state;

	invite_in(rig, "i1");
	answer(rig, 200);
	assert_int_equal(rig_status(rig), 200);
	rig_advance(rig, T1_MS + 50);
	assert_int_equal(rig_status(rig), 200);
	rig_advance(rig, 2 * T1_MS + 50);
	assert_int_equal(rig_status(rig), 200);
	ack_in(rig, "a1");
	rig_advance(rig, 10 * T1_MS);
	assert_false(rig_recv(rig));
}

static void an_ok_without_ack_is_told_after_64_t1(void **state)
{
	struct rig *rig = *state;

	invite_in(rig, "i1");
	answer(rig, 200);
	rig_advance(rig, 63 * T1_MS);
	assert_int_equal(rig->no_acks, 0);
	rig_advance(rig, 2 * T1_MS);
	assert_int_equal(rig->no_acks, 1);
}

static void a_refusal_is_acked_without_telling_anybody(void **state)
{
	struct rig *rig = *state;

	invite_in(rig, "i1");
	answer(rig, 486);
	assert_int_equal(rig_status(rig), 486);
	ack_in(rig, "i1");
	rig_advance(rig, 40000);
	assert_int_equal(rig->acks + rig->no_acks, 0);
	assert_false(rig_recv(rig));
}

static void a_repeated_invite_gets_the_same_answer_once_more(void **state)
{
	struct rig *rig = *state;

	invite_in(rig, "i1");
	answer(rig, 180);
	assert_int_equal(rig_status(rig), 180);
	invite_in(rig, "i1");
	assert_int_equal(rig->requests, 1);
	assert_int_equal(rig_status(rig), 180);
}

static void a_cancel_ends_the_invite_before_the_owner_hears(void **state)
{
	struct rig *rig = *state;
	char cseq[512];

	invite_in(rig, "i1");
	answer(rig, 180);
	assert_int_equal(rig_status(rig), 180);
	rig_request_send(rig, "CANCEL", "i1", "call-1", 1, NULL, "");
	assert_int_equal(rig_status(rig), 200);
	assert_string_equal(rig_header(rig, "CSeq", cseq), "1 CANCEL");
	assert_int_equal(rig_status(rig), 487);
	assert_string_equal(rig_header(rig, "CSeq", cseq), "1 INVITE");
	assert_int_equal(rig->cancels, 1);
	assert_int_equal(answer(rig, 200), -EALREADY);
}

/* The library knows the INVITE by what is written alone: From, Call-ID, CSeq,
 * branch and sent-by are those of its sender. */
static void in_the_senders_name(struct rig *rig, const char *method,
				const char *branch, const char *tag)
{
	struct sockaddr_in thief = {.sin_family = AF_INET};
	struct sockaddr_in to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char text[1024];
	int n;

	thief.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&thief, sizeof(thief)), 0);
	n = snprintf(text, sizeof(text),
		     "%s sip:100@127.0.0.1:%u SIP/2.0\r\n"
		     "Via: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bK%s\r\n"
		     "Max-Forwards: 70\r\n"
		     "From: <sip:101@127.0.0.1>;tag=peer\r\n"
		     "To: <sip:100@127.0.0.1>%s%s\r\n"
		     "Call-ID: call-1\r\nCSeq: 1 %s\r\n"
		     "Content-Length: 0\r\n\r\n",
		     method, addr_port(&rig->local), rig_port(rig), branch,
		     tag ? ";tag=" : "", tag ? tag : "", method);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(addr_port(&rig->local));
	assert_int_equal(sendto(fd, text, (size_t)n, 0, (struct sockaddr *)&to,
				sizeof(to)),
			 n);
	rig_turn(rig);
	close(fd);
}

static void a_cancel_of_another_host_is_not_heard(void **state)
{
	struct rig *rig = *state;

	invite_in(rig, "i1");
	answer(rig, 180);
	assert_int_equal(rig_status(rig), 180);
	in_the_senders_name(rig, "CANCEL", "i1", NULL);
	assert_int_equal(rig->cancels, 0);
	assert_int_equal(answer(rig, 200), 0);
	assert_int_equal(rig_status(rig), 200);
}

static void an_ack_of_another_host_is_not_heard(void **state)
{
	struct rig *rig = *state;
	char to[512], tag[512];

	invite_in(rig, "i1");
	answer(rig, 200);
	assert_int_equal(rig_status(rig), 200);
	rig_param(rig_header(rig, "To", to), ";tag=", tag);
	in_the_senders_name(rig, "ACK", "a1", tag);
	assert_int_equal(rig->acks, 0);
	ack_in(rig, "a2");
	assert_int_equal(rig->acks, 1);
}

static void release_in_cancel(void *arg, struct sip_txn *txn,
			      enum sip_txn_event event,
			      const struct sip_view *view)
{
	struct rig *rig = arg;

	sip_txn_release(txn);
	rig->txn = NULL;
	rig->cancels++;
}

static void the_owner_may_let_go_inside_the_cancel(void **state)
{
	struct rig *rig = *state;

	invite_in(rig, "i1");
	sip_txn_listen(rig->txn, release_in_cancel, rig);
	rig_request_send(rig, "CANCEL", "i1", "call-1", 1, NULL, "");
	assert_int_equal(rig->cancels, 1);
	assert_int_equal(rig_status(rig), 200);
	assert_int_equal(rig_status(rig), 487);
	assert_int_equal(rig_status(rig), 0);
}

static void a_cancel_after_the_ok_changes_nothing(void **state)
{
	struct rig *rig = *state;

	invite_in(rig, "i1");
	answer(rig, 200);
	assert_int_equal(rig_status(rig), 200);
	rig_request_send(rig, "CANCEL", "i1", "call-1", 1, NULL, "");
	assert_int_equal(rig_status(rig), 481);
	assert_int_equal(rig->cancels, 0);
}

static void letting_go_unanswered_answers_500(void **state)
{
	struct rig *rig = *state;

	invite_in(rig, "i1");
	sip_txn_release(rig->txn);
	rig->txn = NULL;
	assert_int_equal(rig_status(rig), 500);
}

static void an_answered_one_is_repeated_after_letting_go(void **state)
{
	struct rig *rig = *state;

	invite_in(rig, "i1");
	answer(rig, 486);
	sip_txn_release(rig->txn);
	rig->txn = NULL;
	assert_int_equal(rig_status(rig), 486);
	rig_advance(rig, T1_MS + 50);
	assert_int_equal(rig_status(rig), 486);
	ack_in(rig, "i1");
	rig_advance(rig, 40000);
	assert_int_equal(rig->acks, 0);
}

static void an_answer_with_control_bytes_sends_nothing(void **state)
{
	struct rig *rig = *state;
	const struct sip_header h = {"Reason", "SIP\nVia: x"};
	struct sip_message m = {.status = 486, .headers = &h, .n_headers = 1};

	invite_in(rig, "i1");
	assert_int_equal(sip_txn_answer(rig->txn, &m), -EINVAL);
	m = (struct sip_message){.status = 486, .phrase = "Busy\rHere"};
	assert_int_equal(sip_txn_answer(rig->txn, &m), -EINVAL);
	assert_int_equal(rig_status(rig), 0);
	assert_int_equal(answer(rig, 486), 0);
}

/* The library aborts when this ACK finds the INVITE set aside. */
static void an_ack_for_an_answer_never_sent_does_no_harm(void **state)
{
	static char big[50000], body[LIMIT_BODY_BYTES];
	const struct sip_header h = {"Warning", big};
	const struct sip_message m = {.status = 486,
				      .headers = &h,
				      .n_headers = 1,
				      .content_type = "text/plain",
				      .body = {body, sizeof(body)}};
	struct rig *rig = *state;

	memset(big, 'x', sizeof(big) - 1);
	memcpy(big, "399 h \"", 7);
	big[sizeof(big) - 2] = '"';
	memset(body, 'x', sizeof(body));
	invite_in(rig, "i1");
	/* No datagram is that long. */
	assert_int_equal(sip_txn_answer(rig->txn, &m), -EIO);
	rig_request_send(rig, "ACK", "i1", "call-1", 1, NULL, "");
	rig_advance(rig, 1000);
	rig->handle = rig_default_handler;
	rig_request_send(rig, "OPTIONS", "after", "after", 1, NULL, "");
	while (rig_recv(rig) && !strstr(rig->msg, "CSeq: 1 OPTIONS"))
		;
	assert_non_null(strstr(rig->msg, "CSeq: 1 OPTIONS"));
}

/* ---- client side ---------------------------------------------------------------------- */

static void on_answer(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct rig *rig = arg;

	rig->answers++;
	rig->last_status = view->status;
	rig->last_internal = view->internal;
	rig->last_flow = view->flow;
}

static struct sip_flow flow_to_peer(struct rig *rig)
{
	struct sip_flow flow;

	assert_int_equal(
		sip_flow_to(rig->sip, "lan", SIP_UDP, &rig->peer, &flow), 0);
	return flow;
}

static void unexpected(void *arg, struct sip_txn *txn,
		       const struct sip_view *view)
{
	fail_msg("a request inside the dialog");
}

static void dialog_open(struct rig *rig)
{
	struct sip_dialog_conf conf = {.flow = flow_to_peer(rig),
				       .target = "sip:peer@198.51.100.1",
				       .local_user = "a",
				       .remote_user = "peer",
				       .request = unexpected,
				       .arg = rig};

	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
}

static void invite_out(struct rig *rig)
{
	const struct sip_message m = {.method = SIP_INVITE, .contact = true};

	dialog_open(rig);
	assert_int_equal(
		sip_dialog_request(rig->dialog, &rig->txn, &m, on_answer, rig),
		0);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "INVITE ", 7);
}

static void request_out(struct rig *rig, enum sip_method method)
{
	const struct sip_message m = {.method = method};

	dialog_open(rig);
	assert_int_equal(
		sip_dialog_request(rig->dialog, &rig->txn, &m, on_answer, rig),
		0);
	assert_true(rig_recv(rig));
}

static void it_goes_along_the_flow_whatever_the_target(void **state)
{
	struct rig *rig = *state;
	char via[512], branch[512];

	invite_out(rig);
	assert_non_null(strstr(rig->msg, "INVITE sip:peer@198.51.100.1 "));
	assert_non_null(rig_header(rig, "Via", via));
	assert_non_null(strstr(via, "SIP/2.0/UDP 127.0.0.1:"));
	assert_non_null(strstr(via, ";rport"));
	assert_non_null(rig_param(via, "branch=", branch));
	assert_int_equal(strlen(branch), 7 + 16);
	assert_null(strchr(via, '('));
}

static void an_answered_invite_is_acked_again_and_again(void **state)
{
	struct rig *rig = *state;
	char cseq[512], contact[128], ok[2048];

	invite_out(rig);
	rig_answer(rig, 100, NULL, "");
	rig_answer(rig, 180, "t1", "");
	assert_int_equal(rig->last_status, 180);
	rig_answer(rig, 200, "t1", rig_contact(rig, contact));
	assert_int_equal(rig->last_status, 200);
	assert_int_equal(rig->answers, 3);
	assert_false(rig->last_internal);
	assert_int_equal(sip_client_txns(rig->sip), 0);
	memcpy(ok, rig->msg, sizeof(ok));
	assert_int_equal(sip_dialog_ack(rig->dialog, rig->txn, NULL), 0);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "ACK ", 4);
	assert_non_null(strstr(rig_header(rig, "CSeq", cseq), " ACK"));
	/* The peer has not seen it. */
	memcpy(rig->msg, ok, sizeof(ok));
	rig_answer(rig, 200, "t1", rig_contact(rig, contact));
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "ACK ", 4);
	assert_int_equal(rig->answers, 3);
}

static void a_second_branch_of_a_fork_is_acked_and_ended(void **state)
{
	struct rig *rig = *state;
	char contact[128], to[512];

	invite_out(rig);
	rig_answer(rig, 200, "first", rig_contact(rig, contact));
	rig_answer(rig, 200, "second", rig_contact(rig, contact));
	assert_int_equal(rig->answers, 1);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "ACK ", 4);
	assert_non_null(strstr(rig_header(rig, "To", to), "tag=second"));
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "BYE ", 4);
	assert_non_null(strstr(rig_header(rig, "To", to), "tag=second"));
}

static void a_late_ok_to_an_invite_let_go_is_acked_and_ended(void **state)
{
	struct rig *rig = *state;
	char contact[128], invite[2048];

	invite_out(rig);
	memcpy(invite, rig->msg, sizeof(invite));
	rig_answer(rig, 180, "t1", "");
	sip_txn_release(rig->txn);
	rig->txn = NULL;
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "CANCEL ", 7);
	rig_answer(rig, 200, "t1", "");
	memcpy(rig->msg, invite, sizeof(invite));
	rig_answer(rig, 200, "t1", rig_contact(rig, contact));
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "ACK ", 4);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "BYE ", 4);
	assert_int_equal(rig->answers, 1);
	/* It must not be forgotten for ever either. */
	rig_answer(rig, 200, "t1", "");
	rig_advance(rig, 40000);
	assert_int_equal(sip_client_txns(rig->sip), 0);
}

static void a_cancel_waits_for_a_provisional_answer(void **state)
{
	struct rig *rig = *state;
	char cseq[512], invite_via[512], via[512];

	invite_out(rig);
	assert_non_null(rig_header(rig, "Via", invite_via));
	sip_txn_cancel(rig->txn);
	assert_false(rig_recv(rig));
	rig_answer(rig, 100, NULL, "");
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "CANCEL ", 7);
	assert_string_equal(rig_header(rig, "Via", via), invite_via);
	assert_non_null(strstr(rig_header(rig, "CSeq", cseq), " CANCEL"));
}

static void a_cancel_says_why(void **state)
{
	struct rig *rig = *state;
	char value[512];

	invite_out(rig);
	sip_txn_cancel_for(rig->txn, "SIP;cause=200;text=\"Elsewhere\"");
	rig_answer(rig, 100, NULL, "");
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "CANCEL ", 7);
	assert_string_equal(rig_header(rig, "Reason", value),
			    "SIP;cause=200;text=\"Elsewhere\"");
}

/* The library aborts when it gets this while its own CANCEL waits. */
static void an_answer_to_a_cancel_not_sent_does_no_harm(void **state)
{
	struct rig *rig = *state;
	char *method;

	invite_out(rig);
	sip_txn_cancel(rig->txn);
	method = strstr(rig->msg, " INVITE\r\n");
	assert_non_null(method);
	memcpy(method, " CANCEL\r\n", 9);
	rig_answer(rig, 200, "t1", "");
	memcpy(method, " INVITE\r\n", 9);
	rig_answer(rig, 487, "t1", "");
	assert_int_equal(rig->last_status, 487);
}

static void a_refusal_is_acked_by_itself(void **state)
{
	struct rig *rig = *state;

	invite_out(rig);
	rig_answer(rig, 486, "t1", "");
	assert_int_equal(rig->last_status, 486);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "ACK ", 4);
	assert_int_equal(sip_client_txns(rig->sip), 0);
}

static void silence_ends_in_a_made_up_408(void **state)
{
	struct rig *rig = *state;

	invite_out(rig);
	assert_int_equal(sip_client_txns(rig->sip), 1);
	rig_advance(rig, 64 * T1_MS + 1000);
	assert_int_equal(rig->last_status, 408);
	assert_true(rig->last_internal);
	assert_int_equal(sip_client_txns(rig->sip), 0);
}

static void silence_after_a_cancel_ends_in_408_too(void **state)
{
	struct rig *rig = *state;

	invite_out(rig);
	rig_answer(rig, 180, "t1", "");
	sip_txn_cancel(rig->txn);
	rig_advance(rig, 64 * T1_MS + 1000);
	assert_int_equal(rig->last_status, 408);
	assert_true(rig->last_internal);
	assert_int_equal(sip_client_txns(rig->sip), 0);
	/* Too late: nobody is there any more. */
	rig_answer(rig, 200, "t1", "");
	assert_int_equal(rig->answers, 2);
}

static void a_request_is_repeated_until_answered(void **state)
{
	struct rig *rig = *state;

	request_out(rig, SIP_OPTIONS);
	rig_advance(rig, T1_MS + 50);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "OPTIONS ", 8);
	rig_answer(rig, 200, "t1", "");
	assert_int_equal(rig->last_status, 200);
	rig_advance(rig, 4 * T1_MS);
	assert_false(rig_recv(rig));
	assert_int_equal(rig->answers, 1);
}

static void release_in_answer(void *arg, struct sip_txn *txn,
			      const struct sip_view *view)
{
	struct rig *rig = arg;

	sip_txn_release(txn);
	/* The view outlives the transaction. */
	rig->last_status = view->status;
	snprintf(rig->last_method, sizeof(rig->last_method), "%s",
		 view->method_name);
}

static void the_owner_may_let_go_inside_the_answer(void **state)
{
	struct rig *rig = *state;
	const struct sip_message m = {.method = SIP_OPTIONS};

	dialog_open(rig);
	assert_int_equal(sip_dialog_request(rig->dialog, &rig->txn, &m,
					    release_in_answer, rig),
			 0);
	rig->txn = NULL;
	assert_true(rig_recv(rig));
	rig_answer(rig, 404, "t1", "");
	assert_int_equal(rig->last_status, 404);
	assert_string_equal(rig->last_method, "OPTIONS");
}

static void nobody_needs_to_listen(void **state)
{
	struct rig *rig = *state;
	const struct sip_message m = {.method = SIP_BYE};

	dialog_open(rig);
	assert_int_equal(sip_dialog_request(rig->dialog, NULL, &m, NULL, NULL),
			 0);
	assert_int_equal(sip_client_txns(rig->sip), 1);
	assert_true(rig_recv(rig));
	rig_answer(rig, 200, "t1", "");
	assert_int_equal(sip_client_txns(rig->sip), 0);
}

static void an_answer_with_a_guessed_branch_is_nothing(void **state)
{
	struct rig *rig = *state;
	char *branch;

	invite_out(rig);
	branch = strstr(rig->msg, "branch=z9hG4bK");
	branch[14] = branch[14] == 'x' ? 'y' : 'x';
	rig_answer(rig, 200, "t1", "");
	assert_int_equal(rig->answers, 0);
	assert_false(rig_recv(rig));
}

static void a_port_that_nobody_listens_on_is_503_soon(void **state)
{
	struct rig *rig = *state;

	close(rig->fd);
	rig->fd = rig_socket(&rig->peer, SOCK_DGRAM);
	close(rig->fd);
	dialog_open(rig);
	assert_int_equal(
		sip_dialog_request(rig->dialog, &rig->txn,
				   &(struct sip_message){.method = SIP_OPTIONS},
				   on_answer, rig),
		0);
	rig->fd = socket(AF_INET, SOCK_DGRAM, 0);
	rig_turn(rig);
	rig_advance(rig, 100);
	assert_int_equal(rig->last_status, 503);
	assert_true(rig->last_internal);
}

static void the_number_of_open_ones_is_bounded(void **state)
{
	struct rig *rig = *state;
	const struct sip_message m = {.method = SIP_OPTIONS};
	unsigned n = 0;

	dialog_open(rig);
	while (n <= LIMIT_CLIENT_TXNS &&
	       !sip_dialog_request(rig->dialog, NULL, &m, NULL, NULL))
		n++;
	assert_int_equal(n, LIMIT_CLIENT_TXNS);
	assert_int_equal(sip_dialog_request(rig->dialog, NULL, &m, NULL, NULL),
			 -EAGAIN);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_invite_is_rung_answered_and_acked),
		TEST(a_second_final_answer_is_refused),
		TEST(an_ok_is_repeated_until_the_ack_comes),
		TEST(an_ok_without_ack_is_told_after_64_t1),
		TEST(a_refusal_is_acked_without_telling_anybody),
		TEST(a_repeated_invite_gets_the_same_answer_once_more),
		TEST(a_cancel_ends_the_invite_before_the_owner_hears),
		TEST(a_cancel_of_another_host_is_not_heard),
		TEST(an_ack_of_another_host_is_not_heard),
		TEST(the_owner_may_let_go_inside_the_cancel),
		TEST(a_cancel_after_the_ok_changes_nothing),
		TEST(letting_go_unanswered_answers_500),
		TEST(an_answered_one_is_repeated_after_letting_go),
		TEST(an_answer_with_control_bytes_sends_nothing),
		TEST(an_ack_for_an_answer_never_sent_does_no_harm),
		TEST(it_goes_along_the_flow_whatever_the_target),
		TEST(an_answered_invite_is_acked_again_and_again),
		TEST(a_second_branch_of_a_fork_is_acked_and_ended),
		TEST(a_late_ok_to_an_invite_let_go_is_acked_and_ended),
		TEST(a_cancel_says_why),
		TEST(a_cancel_waits_for_a_provisional_answer),
		TEST(an_answer_to_a_cancel_not_sent_does_no_harm),
		TEST(a_refusal_is_acked_by_itself),
		TEST(silence_ends_in_a_made_up_408),
		TEST(silence_after_a_cancel_ends_in_408_too),
		TEST(a_request_is_repeated_until_answered),
		TEST(the_owner_may_let_go_inside_the_answer),
		TEST(nobody_needs_to_listen),
		TEST(an_answer_with_a_guessed_branch_is_nothing),
		TEST(a_port_that_nobody_listens_on_is_503_soon),
		TEST(the_number_of_open_ones_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
