/*
 * test_call_prack.c - reliable provisional answers across the box: each side
 * with them or without (RFC 3262), and every shape of offer and answer in them
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_rig.h"

#define OTHER                                                                  \
	"v=0\r\no=desk 9 9 IN IP4 192.168.3.9\r\ns=-\r\n"                      \
	"c=IN IP4 192.168.3.9\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8 0\r\n"

static struct sip_txn *b_invite(void)
{
	return fake_request(SIP_INVITE)->txn;
}

/* An 18x or 2xx to @txn, an INVITE of ours; @rseq 0: not reliably. */
static void response(struct rig *rig, struct sip_txn *txn, int status,
		     uint32_t rseq, const char *body)
{
	char mem[2048];
	struct sip_view view = {.status = status,
				.to_tag = "b-tag",
				.cseq = 3,
				.rseq = rseq,
				.requires_100rel = rseq,
				.expires = -1,
				.retry_after = -1,
				.flow = txn->dialog->conf.flow};

	fake_body(&view, mem, body);
	fake_response_view(txn, &view);
}

/* The caller's PRACK; the status that it gets, 0 = none yet. */
static int prack(struct rig *rig, struct sip_txn *a, const char *body)
{
	struct sip_txn *txn =
		fake_request_in(a->dialog, SIP_PRACK, &rig->flow_a, body);

	txn->view.rack = (struct sip_rack){a->rseq, 1, SIP_INVITE};
	a->dialog->conf.request(a->dialog->conf.arg, txn, &txn->view);
	return fake_answer(txn)->status;
}

static bool has(const char *text, const char *what)
{
	return strstr(text, what) != NULL;
}

static void set_policy(struct rig *rig, enum conf_rel100 rel100)
{
	((struct conf_realm *)config_realm(rig->config, "lan"))->policy.rel100 =
		rel100;
}

static enum call_state state_of(struct rig *rig)
{
	const struct call *call = the_call(rig);

	return call ? call_state(call) : CALL_ENDING;
}

/* ---- interwork ------------------------------------------------------------------- */

static void both_have_it(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b;

	rig->supports_100rel = true;
	a = invite(rig, "101", OFFER);
	b = b_invite();
	assert_true(has(fake_request(SIP_INVITE)->headers, "100rel"));
	response(rig, b, 183, 40, ANSWER);
	assert_int_equal(fake_request(SIP_PRACK)->rack.rseq, 40);
	assert_int_equal(fake_answer(a)->rseq, 1);
	assert_true(has(fake_answer(a)->body, "RTP/AVP 8"));
	response(rig, b, 200, 0, NULL);
	assert_int_equal(fake_answer(a)->status, 183); /* waits */
	assert_int_equal(prack(rig, a, NULL), 200);
	assert_int_equal(fake_answer(a)->status, 200);
	fake_event(a, SIP_TXN_ACK, NULL);
	assert_int_equal(state_of(rig), CALL_UP);
	assert_int_equal(fake_count(SIP_ACK), 1);
	assert_int_equal(fake_count(SIP_INVITE), 1);
}

static void only_the_callee_has_it(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b;

	a = invite(rig, "101", OFFER);
	b = b_invite();
	response(rig, b, 183, 40, ANSWER);
	assert_int_equal(fake_count(SIP_PRACK), 1);
	assert_int_equal(fake_answer(a)->status, 183);
	assert_int_equal(fake_answer(a)->rseq, 0);
	response(rig, b, 180, 41, NULL);
	assert_int_equal(fake_count(SIP_PRACK), 2);
	response(rig, b, 200, 0, NULL);
	assert_int_equal(fake_answer(a)->status, 200);
	assert_true(has(fake_answer(a)->body, "RTP/AVP 8"));
	fake_event(a, SIP_TXN_ACK, NULL);
	assert_int_equal(state_of(rig), CALL_UP);
}

static void only_the_caller_has_it(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b;

	rig->supports_100rel = true;
	a = invite(rig, "101", OFFER);
	b = b_invite();
	response(rig, b, 180, 0, NULL);
	assert_int_equal(fake_answer(a)->rseq, 0);
	response(rig, b, 183, 0, ANSWER);
	assert_int_equal(fake_count(SIP_PRACK), 0);
	assert_int_equal(fake_answer(a)->rseq, 1);
	assert_int_equal(prack(rig, a, NULL), 200);
	response(rig, b, 200, 0, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
	fake_event(a, SIP_TXN_ACK, NULL);
	assert_int_equal(fake_count(SIP_INVITE), 1);
}

static void a_caller_that_requires_it_gets_all_of_them_reliably(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a;

	rig->requires_100rel = true;
	a = invite(rig, "101", OFFER);
	assert_false(has(fake_request(SIP_INVITE)->headers, "Require: 100rel"));
	response(rig, b_invite(), 180, 0, NULL);
	assert_int_equal(fake_answer(a)->status, 180);
	assert_int_equal(fake_answer(a)->rseq, 1);
}

static void who_requires_it_where_it_is_off_gets_420(void **state)
{
	struct rig *rig = *state;

	set_policy(rig, CONF_REL100_OFF);
	rig->requires_100rel = true;
	assert_null(invite(rig, "101", OFFER));
	assert_int_equal(fake_last()->status, 420);
	assert_string_equal(fake_last()->headers, "Unsupported: 100rel\n");
	rig->requires_100rel = false;
	rig->supports_100rel = true;
	assert_non_null(invite(rig, "101", OFFER));
	assert_false(has(fake_request(SIP_INVITE)->headers, "100rel"));
}

static void who_lacks_it_where_it_is_required_gets_421(void **state)
{
	struct rig *rig = *state;

	set_policy(rig, CONF_REL100_REQUIRE);
	assert_null(invite(rig, "101", OFFER));
	assert_int_equal(fake_last()->status, 421);
	assert_string_equal(fake_last()->headers, "Require: 100rel\n");
	rig->supports_100rel = true;
	assert_non_null(invite(rig, "101", OFFER));
	assert_true(has(fake_request(SIP_INVITE)->headers, "Require: 100rel"));
}

/* ---- shapes ------------------------------------------------------------------------- */

static void an_offer_in_an_18x_is_answered_by_the_callers_prack(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b;

	rig->supports_100rel = true;
	a = invite(rig, "101", NULL);
	b = b_invite();
	assert_true(has(fake_request(SIP_INVITE)->headers, "100rel"));
	response(rig, b, 183, 40, OTHER);
	assert_int_equal(fake_count(SIP_PRACK), 0);
	assert_int_equal(fake_answer(a)->rseq, 1);
	assert_true(has(fake_answer(a)->body, "RTP/AVP 8 0"));
	assert_false(has(fake_answer(a)->body, "192.168"));
	assert_int_equal(prack(rig, a, ANSWER), 200);
	assert_int_equal(fake_count(SIP_PRACK), 1);
	assert_int_equal(fake_request(SIP_PRACK)->rack.rseq, 40);
	assert_true(has(fake_request(SIP_PRACK)->body, "RTP/AVP 8\r\n"));
	assert_false(has(fake_request(SIP_PRACK)->body, "192.168"));
	response(rig, b, 200, 0, NULL);
	assert_int_equal(fake_answer(a)->status, 200);
	assert_string_equal(fake_answer(a)->body, "");
	assert_string_equal(fake_request(SIP_ACK)->body, "");
	fake_event(a, SIP_TXN_ACK, NULL);
	assert_int_equal(state_of(rig), CALL_UP);
	assert_int_equal(fake_count(SIP_INVITE), 1);
}

static void a_callee_that_did_not_wait_gets_the_answer_in_the_ack(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b;

	rig->supports_100rel = true;
	a = invite(rig, "101", NULL);
	b = b_invite();
	response(rig, b, 183, 40, OTHER);
	response(rig, b, 200, 0, OTHER);
	assert_int_equal(fake_count(SIP_ACK), 0);
	assert_int_equal(prack(rig, a, ANSWER), 200);
	assert_true(has(fake_request(SIP_ACK)->body, "RTP/AVP 8\r\n"));
	assert_int_equal(fake_answer(a)->status, 200);
	fake_event(a, SIP_TXN_ACK, NULL);
	assert_int_equal(state_of(rig), CALL_UP);
	assert_int_equal(fake_count(SIP_ACK), 1);
}

static void for_a_caller_that_cannot_the_offer_comes_with_the_2xx(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b;

	a = invite(rig, "101", NULL);
	b = b_invite();
	assert_false(has(fake_request(SIP_INVITE)->headers, "100rel"));
	response(rig, b, 180, 0, NULL);
	response(rig, b, 200, 0, OTHER);
	assert_true(has(fake_answer(a)->body, "RTP/AVP 8 0"));
	fake_event(a, SIP_TXN_ACK, ANSWER);
	assert_true(has(fake_request(SIP_ACK)->body, "RTP/AVP 8\r\n"));
}

static void several_devices_do_not_all_offer_before_the_2xx(void **state)
{
	struct rig *rig = *state;

	add_binding("sip:101@192.168.1.51:5060", "192.0.2.3:40003");
	rig->supports_100rel = true;
	invite(rig, "101", NULL);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	assert_false(has(fake_request(SIP_INVITE)->headers, "100rel"));
}

static void a_winner_that_says_something_else_is_told_afterwards(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b1, *b2, *again;

	add_binding("sip:101@192.168.1.51:5060", "192.0.2.3:40003");
	rig->supports_100rel = true;
	a = invite(rig, "101", OFFER);
	b2 = b_invite();
	b1 = fake.txns[1]->dialog == b2->dialog ? fake.txns[2] : fake.txns[1];
	response(rig, b1, 183, 40, ANSWER);
	assert_int_equal(prack(rig, a, NULL), 200);
	response(rig, b2, 200, 0, OTHER);
	assert_int_equal(fake_answer(a)->status, 200);
	assert_string_equal(fake_answer(a)->body, "");
	fake_event(a, SIP_TXN_ACK, NULL);
	settle(rig);
	again = b_invite();
	assert_ptr_equal(again->dialog, a->dialog);
	assert_true(has(fake_request(SIP_INVITE)->body, "RTP/AVP 8 0"));
	response(rig, again, 200, 0, OFFER);
	assert_int_equal(state_of(rig), CALL_UP);
	fake_event(a, SIP_TXN_ACK, NULL);
	settle(rig);
	assert_int_equal(fake_count(SIP_INVITE), 3);
}

static void after_an_answered_offer_the_next_target_gets_one(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b;

	rig->supports_100rel = true;
	a = invite(rig, "0123", NULL);
	b = b_invite();
	response(rig, b, 183, 40, OTHER);
	assert_int_equal(prack(rig, a, ANSWER), 200);
	response(rig, b, 503, 0, NULL);
	assert_ptr_not_equal(b_invite(), b);
	assert_true(has(fake_request(SIP_INVITE)->body, "RTP/AVP 8\r\n"));
}

/* ---- ends --------------------------------------------------------------------------- */

static void a_missing_prack_cancels_the_other_side(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b;

	rig->supports_100rel = true;
	a = invite(rig, "101", OFFER);
	b = b_invite();
	response(rig, b, 183, 40, ANSWER);
	fake_event(a, SIP_TXN_NO_PRACK, NULL);
	assert_int_equal(fake_answer(a)->status, 504);
	assert_true(b->cancelled);
	fake_response(b, 487, NULL);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 0);
}

static void a_missing_prack_after_the_answer_says_bye(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b;

	rig->supports_100rel = true;
	a = invite(rig, "101", OFFER);
	b = b_invite();
	response(rig, b, 183, 40, ANSWER);
	response(rig, b, 200, 0, NULL);
	fake_event(a, SIP_TXN_NO_PRACK, NULL);
	assert_int_equal(fake_answer(a)->status, 504);
	assert_int_equal(fake_count(SIP_BYE), 1);
}

static void a_prack_without_the_answer_ends_both(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b;

	rig->supports_100rel = true;
	a = invite(rig, "101", NULL);
	b = b_invite();
	response(rig, b, 183, 40, OTHER);
	assert_int_equal(prack(rig, a, NULL), 400);
	assert_int_equal(fake_answer(a)->status, 500);
	assert_true(b->cancelled);
}

static void cancel_after_a_reliable_18x_cancels_the_callee(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b;

	rig->supports_100rel = true;
	a = invite(rig, "101", OFFER);
	b = b_invite();
	response(rig, b, 183, 40, ANSWER);
	fake_event(a, SIP_TXN_CANCEL, NULL);
	assert_true(b->cancelled);
	response(rig, b, 180, 41, NULL);
	assert_int_equal(fake_count(SIP_PRACK), 1);
}

static void bye_in_the_early_dialog_does_so_too(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b, *bye;

	rig->supports_100rel = true;
	a = invite(rig, "101", OFFER);
	b = b_invite();
	response(rig, b, 183, 40, ANSWER);
	prack(rig, a, NULL);
	bye = fake_in_dialog(a->dialog, SIP_BYE, &rig->flow_a, NULL);
	assert_int_equal(fake_answer(bye)->status, 200);
	assert_int_equal(fake_answer(a)->status, 487);
	assert_true(b->cancelled);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_have_it),
		TEST(only_the_callee_has_it),
		TEST(only_the_caller_has_it),
		TEST(a_caller_that_requires_it_gets_all_of_them_reliably),
		TEST(who_requires_it_where_it_is_off_gets_420),
		TEST(who_lacks_it_where_it_is_required_gets_421),
		TEST(an_offer_in_an_18x_is_answered_by_the_callers_prack),
		TEST(a_callee_that_did_not_wait_gets_the_answer_in_the_ack),
		TEST(for_a_caller_that_cannot_the_offer_comes_with_the_2xx),
		TEST(several_devices_do_not_all_offer_before_the_2xx),
		TEST(a_winner_that_says_something_else_is_told_afterwards),
		TEST(after_an_answered_offer_the_next_target_gets_one),
		TEST(a_missing_prack_cancels_the_other_side),
		TEST(a_missing_prack_after_the_answer_says_bye),
		TEST(a_prack_without_the_answer_ends_both),
		TEST(cancel_after_a_reliable_18x_cancels_the_callee),
		TEST(bye_in_the_early_dialog_does_so_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
