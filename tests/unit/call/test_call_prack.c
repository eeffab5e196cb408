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

/* ---- anything in any order ------------------------------------------------------------ */

static uint32_t dice_state;

static unsigned dice(unsigned n)
{
	dice_state = dice_state * 1664525 + 1013904223;
	return (dice_state >> 8) % n;
}

static const char *any_body(void)
{
	static const char *const bodies[] = {NULL,   NULL,  OFFER, HOLD_OFFER,
					     ANSWER, OTHER, "junk"};

	return bodies[dice(sizeof(bodies) / sizeof(bodies[0]))];
}

static struct sip_txn *any_txn(bool is_server)
{
	for (int i = 0; i < 20 && fake.n_txns; i++) {
		struct sip_txn *txn = fake.txns[dice(fake.n_txns)];

		if (txn->is_server == is_server && !txn->released &&
		    txn->dialog)
			return txn;
	}
	return NULL;
}

static void any_response(struct rig *rig)
{
	static const int statuses[] = {180, 183, 183, 183, 200, 200,
				       200, 404, 481, 491, 500, 408};
	static const char *const tags[] = {"t1", "t1", "t2", "t3"};
	struct sip_txn *txn = any_txn(false);
	char mem[2048];
	struct sip_view view = {
		.status = statuses[dice(12)],
		.to_tag = tags[dice(4)],
		.cseq = 3,
		.expires = -1,
		.retry_after = -1,
	};

	if (!txn || txn->final)
		return;
	if (view.status < 200 && dice(3)) {
		view.rseq = 1 + dice(4);
		view.requires_100rel = true;
	}
	if (view.status >= 200)
		txn->final = view.status;
	view.flow = txn->dialog->conf.flow;
	fake_body(&view, mem, any_body());
	fake_response_view(txn, &view);
}

static void any_event(void)
{
	struct sip_txn *txn = any_txn(true);

	if (!txn || txn->view.method != SIP_INVITE)
		return;
	if (txn->final >= 200 && txn->final < 300)
		fake_event(txn, dice(8) ? SIP_TXN_ACK : SIP_TXN_NO_ACK,
			   any_body());
	else if (!txn->final && txn->waits_for_prack && !dice(3))
		fake_event(txn, SIP_TXN_NO_PRACK, NULL);
	else if (!txn->final && !dice(6)) {
		txn->final = 487; /* the stack has said it */
		fake_event(txn, SIP_TXN_CANCEL, NULL);
	}
}

static void any_request(struct rig *rig)
{
	static const enum sip_method methods[] = {
		SIP_PRACK,  SIP_PRACK, SIP_PRACK, SIP_UPDATE, SIP_UPDATE,
		SIP_INVITE, SIP_INFO,  SIP_BYE,   SIP_OPTIONS};
	struct sip_dialog *d = fake.dialogs[dice(fake.n_dialogs)];
	struct sip_txn *txn;

	if (d->destroyed)
		return;
	txn = fake_request_in(d, methods[dice(9)], &d->conf.flow, any_body());
	txn->view.rack = (struct sip_rack){1 + dice(3), 1, SIP_INVITE};
	txn->view.from_tag = dice(2) ? "t1" : "t2";
	d->conf.request(d->conf.arg, txn, &txn->view);
}

static void one_call(struct rig *rig)
{
	static struct sip_header allow[] = {{"Allow", "UPDATE"}, {0}};

	fake.headers = dice(2) ? allow : NULL;
	rig->supports_100rel = dice(3);
	if (dice(2))
		add_binding("sip:101@192.168.1.51:5060", "192.0.2.3:40003");
	if (!invite(rig, dice(3) ? "101" : "0123", dice(2) ? OFFER : NULL))
		return;
	for (int i = 0; i < 40; i++) {
		unsigned what = dice(10);

		if (what < 5)
			any_response(rig);
		else if (what < 8)
			any_request(rig);
		else if (what < 9)
			any_event();
		else
			pass(rig, 250 * dice(30));
		if (fake.n > 180 || fake.n_txns > 90)
			fake_forget();
	}
	fake.headers = NULL;
}

/* All that is still owed comes, and then nothing. */
static void end_all(struct rig *rig)
{
	calls_hangup(rig->calls, NULL, "test");
	for (int round = 0; round < 4; round++) {
		fake_forget();
		for (unsigned i = 0; i < fake.n_txns; i++) {
			struct sip_txn *txn = fake.txns[i];

			if (txn->released)
				continue;
			if (!txn->is_server && !txn->final)
				fake_response(txn, txn->cancelled ? 487 : 200,
					      NULL);
			else if (txn->is_server && txn->final >= 200 &&
				 txn->final < 300)
				fake_event(txn, SIP_TXN_NO_ACK, NULL);
		}
		pass(rig, 40000);
	}
	pass(rig, 200000);
}

static void anything_in_any_order_leaves_nothing(void **state)
{
	void *own = NULL;

	for (uint32_t seed = 1; seed <= 400; seed++) {
		struct rig *rig;

		dice_state = seed;
		assert_int_equal(setup(&own), 0);
		rig = own;
		one_call(rig);
		end_all(rig);
		if (calls_count(rig->calls))
			print_message("seed %u\n", seed);
		assert_int_equal(calls_count(rig->calls), 0);
		assert_int_equal(teardown(&own), 0);
	}
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
		cmocka_unit_test(anything_in_any_order_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
