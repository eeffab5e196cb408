/*
 * test_early.c - early dialogs of an INVITE of ours, and PRACK in them
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sip_rig.h"

static struct {
	unsigned n;
	uint32_t rseq, cseq;
	bool requires_100rel;
	int early; /* what sip_dialog_early() said */
} last;

static void in_dialog(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct rig *rig = arg;

	rig->in_dialog++;
	snprintf(rig->last_method, sizeof(rig->last_method), "%s",
		 view->method_name);
	sip_txn_answer(txn, &(struct sip_message){.status = 200});
	sip_txn_release(txn);
}

static void on_answer(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct rig *rig = arg;

	last.n++;
	last.rseq = view->rseq;
	last.cseq = view->cseq;
	last.requires_100rel = view->requires_100rel;
	rig->last_status = view->status;
	if (view->status > 100 && view->status < 200)
		last.early = sip_dialog_early(rig->dialog, view);
	if (view->status >= 200 && view->status < 300) {
		sip_dialog_establish(rig->dialog, view);
		assert_int_equal(sip_dialog_ack(rig->dialog, txn, NULL), 0);
	}
}

/* The INVITE stays in rig->msg. */
static void call_out(struct rig *rig)
{
	static const struct sip_header supported = {"Supported", "100rel"};
	const struct sip_message m = {
		.method = SIP_INVITE,
		.contact = true,
		.headers = &supported,
		.n_headers = 1,
	};
	struct sip_dialog_conf conf = {.target = "sip:peer@198.51.100.1",
				       .local_user = "a",
				       .remote_user = "peer",
				       .request = in_dialog,
				       .arg = rig};

	memset(&last, 0, sizeof(last));
	assert_int_equal(
		sip_flow_to(rig->sip, "lan", SIP_UDP, &rig->peer, &conf.flow),
		0);
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
	assert_int_equal(
		sip_dialog_request(rig->dialog, &rig->txn, &m, on_answer, rig),
		0);
	assert_true(rig_recv(rig));
}

static void answer(struct rig *rig, int status, const char *tag, unsigned rseq)
{
	char more[256], contact[128];

	snprintf(more, sizeof(more), "%sRequire: 100rel\r\nRSeq: %u\r\n",
		 rig_contact(rig, contact), rseq);
	rig_answer(rig, status, tag, rseq ? more : rig_contact(rig, contact));
}

static int prack(struct rig *rig, const char *tag, uint32_t rseq)
{
	const struct sip_rack rack = {rseq, last.cseq, SIP_INVITE};

	return sip_dialog_prack(rig->dialog, &rack, tag,
				&(struct sip_message){0});
}

/* What the peer gets next: method, tag of To and number. */
static unsigned got(struct rig *rig, const char *method, const char *tag)
{
	char value[512], mem[512];
	unsigned cseq = 0;

	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, method, strlen(method));
	assert_string_equal(
		rig_param(rig_header(rig, "To", value), ";tag=", mem), tag);
	sscanf(rig_header(rig, "CSeq", value), "%u", &cseq);
	return cseq;
}

static void a_prack_names_response_and_request(void **state)
{
	struct rig *rig = *state;
	char value[512], expected[64];

	call_out(rig);
	answer(rig, 183, "t1", 777);
	assert_int_equal(last.rseq, 777);
	assert_true(last.requires_100rel);
	assert_int_equal(prack(rig, "t1", 777), 0);
	assert_int_equal(got(rig, "PRACK ", "t1"), last.cseq + 1);
	snprintf(expected, sizeof(expected), "777 %u INVITE", last.cseq);
	assert_string_equal(rig_header(rig, "RAck", value), expected);
	/* To the target that the 18x named. */
	assert_non_null(strstr(rig->msg, "PRACK sip:peer@127.0.0.1"));
}

static void a_prack_that_is_not_answered_is_repeated(void **state)
{
	struct rig *rig = *state;

	call_out(rig);
	answer(rig, 183, "t1", 1);
	prack(rig, "t1", 1);
	got(rig, "PRACK ", "t1");
	rig_advance(rig, 550);
	got(rig, "PRACK ", "t1");
	rig_answer(rig, 200, NULL, "");
	rig_advance(rig, 5000);
	assert_false(rig_recv(rig));
}

static void each_fork_has_its_own_early_dialog(void **state)
{
	struct rig *rig = *state;

	call_out(rig);
	answer(rig, 183, "t1", 100);
	answer(rig, 183, "t2", 900);
	assert_int_equal(last.early, 0);
	prack(rig, "t1", 100);
	assert_int_equal(got(rig, "PRACK ", "t1"), last.cseq + 1);
	prack(rig, "t2", 900);
	assert_int_equal(got(rig, "PRACK ", "t2"), last.cseq + 1);
	prack(rig, "t2", 901);
	assert_int_equal(got(rig, "PRACK ", "t2"), last.cseq + 2);
	assert_int_equal(prack(rig, "t3", 1), -EINVAL);
}

static void answer_to_invite(struct rig *rig, const char *invite, int status,
			     const char *tag)
{
	snprintf(rig->msg, sizeof(rig->msg), "%s", invite);
	answer(rig, status, tag, 0);
}

/* Forks t1 and t2 ring, @winner answers. */
static void win(struct rig *rig, const char *winner, unsigned *invite_cseq)
{
	char invite[2048];

	call_out(rig);
	snprintf(invite, sizeof(invite), "%.2000s", rig->msg);
	answer(rig, 183, "t1", 100);
	answer(rig, 183, "t2", 900);
	*invite_cseq = last.cseq;
	prack(rig, "t1", 100);
	got(rig, "PRACK ", "t1");
	rig_answer(rig, 200, NULL, "");
	answer_to_invite(rig, invite, 200, winner);
	assert_int_equal(rig->last_status, 200);
}

static void the_2xx_says_which_dialog_stays(void **state)
{
	struct rig *rig = *state;
	const struct sip_message bye = {.method = SIP_BYE};
	unsigned cseq;

	win(rig, "t2", &cseq);
	assert_int_equal(got(rig, "ACK ", "t2"), cseq);
	sip_dialog_request(rig->dialog, NULL, &bye, NULL, NULL);
	assert_int_equal(got(rig, "BYE ", "t2"), cseq + 1);
}

static void the_first_one_may_win_too(void **state)
{
	struct rig *rig = *state;
	const struct sip_message bye = {.method = SIP_BYE};
	unsigned cseq;

	win(rig, "t1", &cseq);
	assert_int_equal(got(rig, "ACK ", "t1"), cseq);
	sip_dialog_request(rig->dialog, NULL, &bye, NULL, NULL);
	assert_int_equal(got(rig, "BYE ", "t1"), cseq + 2);
}

static void requests_may_prefer_another_fork(void **state)
{
	struct rig *rig = *state;
	const struct sip_message info = {.method = SIP_INFO};

	call_out(rig);
	answer(rig, 183, "t1", 100);
	answer(rig, 183, "t2", 900);
	sip_dialog_prefer(rig->dialog, "t2");
	sip_dialog_prefer(rig->dialog, "t9");
	sip_dialog_request(rig->dialog, NULL, &info, NULL, NULL);
	assert_int_equal(got(rig, "INFO ", "t2"), last.cseq + 1);
	prack(rig, "t1", 100);
	assert_int_equal(got(rig, "PRACK ", "t1"), last.cseq + 1);
}

static void one_that_never_rang_may_win(void **state)
{
	struct rig *rig = *state;
	const struct sip_message bye = {.method = SIP_BYE};
	unsigned cseq;

	win(rig, "t9", &cseq);
	assert_int_equal(got(rig, "ACK ", "t9"), cseq);
	sip_dialog_request(rig->dialog, NULL, &bye, NULL, NULL);
	assert_int_equal(got(rig, "BYE ", "t9"), cseq + 1);
}

static void there_are_only_so_many_forks(void **state)
{
	struct rig *rig = *state;
	char tag[16];

	call_out(rig);
	for (int i = 0; i <= SIP_EARLY_FORKS; i++) {
		snprintf(tag, sizeof(tag), "t%d", i);
		answer(rig, 183, tag, 1);
		assert_int_equal(last.early, 0);
	}
	answer(rig, 183, "one-more", 1);
	assert_int_equal(last.early, -ENOSPC);
	answer(rig, 183, "t3", 2);
	assert_int_equal(last.early, 0);
}

/* A request of the peer in an early dialog. */
static void the_peer_may_ask_in_an_early_dialog(void **state)
{
	struct rig *rig = *state;
	char from[512], id[512], tag[512];

	call_out(rig);
	rig_param(rig_header(rig, "From", from), ";tag=", tag);
	rig_header(rig, "Call-ID", id);
	answer(rig, 183, "t1", 1);
	answer(rig, 183, "t2", 1);
	rig_send(rig,
		 "INFO sip:x@127.0.0.1 SIP/2.0\r\n"
		 "Via: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKu1\r\n"
		 "From: <sip:peer@198.51.100.1>;tag=t2\r\n"
		 "To: <sip:a@127.0.0.1>;tag=%s\r\n"
		 "Call-ID: %s\r\nCSeq: 5 INFO\r\nContent-Length: 0\r\n\r\n",
		 rig_port(rig), tag, id);
	assert_int_equal(rig_status(rig), 200);
	assert_string_equal(rig->last_method, "INFO");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_prack_names_response_and_request),
		TEST(a_prack_that_is_not_answered_is_repeated),
		TEST(each_fork_has_its_own_early_dialog),
		TEST(the_2xx_says_which_dialog_stays),
		TEST(the_first_one_may_win_too),
		TEST(requests_may_prefer_another_fork),
		TEST(one_that_never_rang_may_win),
		TEST(there_are_only_so_many_forks),
		TEST(the_peer_may_ask_in_an_early_dialog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
