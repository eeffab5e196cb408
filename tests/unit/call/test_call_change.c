/*
 * test_call_change.c - changes that go from one side of a call to the other:
 * UPDATE, glare, INFO, reasons
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_rig.h"

static const struct sip_header takes_update[] = {{"Allow", "UPDATE"},
						 {NULL, NULL}};

static struct sip_txn *update_in(struct rig *rig, struct sip_txn *a,
				 const char *body)
{
	return fake_in_dialog(a->dialog, SIP_UPDATE, &rig->flow_a, body);
}

static void an_update_goes_on_as_update(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a, *txn;

	fake.headers = takes_update;
	a = establish(rig, &b);
	txn = update_in(rig, a, HOLD_OFFER);
	assert_int_equal(fake_count(SIP_UPDATE), 1);
	assert_ptr_equal(fake_request(SIP_UPDATE)->dialog, b->dialog);
	assert_non_null(strstr(fake_request(SIP_UPDATE)->body, "a=sendonly"));
	fake_response(fake_request(SIP_UPDATE)->txn, 200, HOLD_ANSWER);
	assert_int_equal(fake_answer(txn)->status, 200);
	assert_non_null(strstr(fake_answer(txn)->body, "a=recvonly"));
	assert_int_equal(fake_count(SIP_ACK), 1);
	assert_int_equal(fake_count(SIP_INVITE), 1);
}

static void an_update_goes_on_as_reinvite(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *txn;

	txn = update_in(rig, a, HOLD_OFFER);
	assert_int_equal(fake_count(SIP_UPDATE), 0);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	fake_response(fake_request(SIP_INVITE)->txn, 200, HOLD_ANSWER);
	assert_int_equal(fake_answer(txn)->status, 200);
	assert_int_equal(fake_count(SIP_ACK), 2);
}

static void an_update_that_is_not_taken_goes_on_as_reinvite(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a, *txn;

	fake.headers = takes_update;
	a = establish(rig, &b);
	txn = update_in(rig, a, HOLD_OFFER);
	fake_response(fake_request(SIP_UPDATE)->txn, 405, NULL);
	assert_int_equal(fake_answer(txn)->status, 0);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	assert_non_null(strstr(fake_request(SIP_INVITE)->body, "a=sendonly"));
	fake_response(fake_request(SIP_INVITE)->txn, 200, HOLD_ANSWER);
	assert_int_equal(fake_answer(txn)->status, 200);
}

static void a_refusal_goes_back(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a, *txn;

	fake.headers = takes_update;
	a = establish(rig, &b);
	txn = update_in(rig, a, HOLD_OFFER);
	fake_response(fake_request(SIP_UPDATE)->txn, 488, NULL);
	assert_int_equal(fake_answer(txn)->status, 488);
	txn = update_in(rig, a, HOLD_OFFER);
	fake_response(fake_request(SIP_UPDATE)->txn, 491, NULL);
	assert_int_equal(fake_answer(txn)->status, 491);
}

/* How long sessions last is no business of the other side. */
static void a_422_of_the_other_side_stays_there(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *txn;

	txn = fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	fake_response(fake_request(SIP_INVITE)->txn, 422, NULL);
	assert_int_equal(fake_answer(txn)->status, 500);
}

static void the_same_offer_does_not_cross(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *txn;

	txn = fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, OFFER);
	assert_int_equal(fake_answer(txn)->status, 200);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	fake_event(txn, SIP_TXN_ACK, NULL);
	txn = fake_in_dialog(b->dialog, SIP_INVITE, &rig->flow_b, ANSWER);
	assert_int_equal(fake_answer(txn)->status, 200);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	fake_event(txn, SIP_TXN_ACK, NULL);
	assert_int_equal(fake_media.open, 2);
}

/* The caller's early session stands, by a PRACK; the callee knows of none. */
static struct sip_txn *ring_reliably(struct rig *rig)
{
	struct sip_txn *a, *prack;

	rig->supports_100rel = true;
	a = invite(rig, "101", OFFER);
	fake_response(fake_request(SIP_INVITE)->txn, 183, ANSWER);
	assert_int_not_equal(a->rseq, 0);
	prack = fake_request_in(a->dialog, SIP_PRACK, &rig->flow_a, NULL);
	prack->view.rack = (struct sip_rack){a->rseq, 1, SIP_INVITE};
	a->dialog->conf.request(a->dialog->conf.arg, prack, &prack->view);
	assert_int_equal(fake_answer(prack)->status, 200);
	return a;
}

static void in_an_early_dialog_a_new_address_is_taken_here(void **state)
{
	static const char there[] =
		"v=0\r\no=phone 1 2 IN IP4 192.168.1.7\r\ns=call\r\n"
		"c=IN IP4 192.168.1.7\r\nt=0 0\r\n"
		"m=audio 4444 RTP/AVP 8 101\r\n"
		"a=rtpmap:101 telephone-event/8000\r\n";
	struct rig *rig = *state;
	struct sip_txn *a = ring_reliably(rig), *txn;

	txn = update_in(rig, a, there);
	assert_int_equal(fake_answer(txn)->status, 200);
	assert_int_equal(fake_count(SIP_UPDATE), 0);
	assert_int_equal(fake_count(SIP_INVITE), 1);
}

static void and_another_session_waits_for_the_answer(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = ring_reliably(rig), *txn;

	txn = update_in(rig, a, HOLD_OFFER);
	assert_int_equal(fake_answer(txn)->status, 488);
	assert_non_null(strstr(fake_answer(txn)->headers, "Warning"));
	fake_response(fake_request(SIP_INVITE)->txn, 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
}

/* Each side gets 491 for what crosses the other's. */
static void changes_of_both_sides_at_once_are_settled_by_them(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *first, *second;

	first = fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	second = fake_in_dialog(b->dialog, SIP_INVITE, &rig->flow_b,
				HOLD_ANSWER);
	assert_int_equal(fake_answer(second)->status, 491);
	fake_response(fake_request(SIP_INVITE)->txn, 491, NULL);
	assert_int_equal(fake_answer(first)->status, 491);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
	/* Whoever comes first now gets through. */
	second = fake_in_dialog(b->dialog, SIP_INVITE, &rig->flow_b,
				HOLD_ANSWER);
	assert_ptr_equal(fake_request(SIP_INVITE)->dialog, a->dialog);
	fake_response(fake_request(SIP_INVITE)->txn, 200, HOLD_OFFER);
	assert_int_equal(fake_answer(second)->status, 200);
}

static void infos_of_a_burst_are_answered_each(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *txn[4];

	for (int i = 0; i < 4; i++)
		txn[i] = fake_in_dialog(a->dialog, SIP_INFO, &rig->flow_a, "5");
	assert_int_equal(fake_count(SIP_INFO), 1);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(fake_count(SIP_INFO), i + 1);
		fake_response(fake_request(SIP_INFO)->txn, i == 2 ? 415 : 200,
			      NULL);
		assert_int_equal(fake_answer(txn[i])->status,
				 i == 2 ? 415 : 200);
	}
	assert_int_equal(fake_count(SIP_INFO), 4);
}

static void the_reason_of_a_bye_crosses(void **state)
{
	static const struct sip_header why[] = {
		{"Reason", "Q.850;cause=31;text=\"x\""}, {NULL, NULL}};
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b);

	fake.headers = why;
	fake_in_dialog(a->dialog, SIP_BYE, &rig->flow_a, NULL);
	assert_non_null(strstr(fake_request(SIP_BYE)->headers,
			       "Reason: Q.850;cause=31;text=\"Normal"));
}

static void the_callers_reason_to_give_up_reaches_the_fork(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER), *b;

	b = fake_request(SIP_INVITE)->txn;
	fake_response(b, 180, NULL);
	fake_event(a, SIP_TXN_CANCEL, NULL);
	assert_true(b->cancelled);
	fake_response(b, 487, NULL);
}

static void the_refusals_reason_is_the_best_ones(void **state)
{
	static const struct sip_header why[] = {
		{"Reason", "Q.850;cause=20;text=\"x\""}, {NULL, NULL}};
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake.headers = why;
	fake_response(fake_request(SIP_INVITE)->txn, 480, NULL);
	assert_int_equal(fake_answer(a)->status, 480);
	assert_non_null(strstr(fake_answer(a)->headers,
			       "Reason: Q.850;cause=20;text=\"Subscriber"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_update_goes_on_as_update),
		T(an_update_goes_on_as_reinvite),
		T(an_update_that_is_not_taken_goes_on_as_reinvite),
		T(a_refusal_goes_back),
		T(a_422_of_the_other_side_stays_there),
		T(the_same_offer_does_not_cross),
		T(in_an_early_dialog_a_new_address_is_taken_here),
		T(and_another_session_waits_for_the_answer),
		T(changes_of_both_sides_at_once_are_settled_by_them),
		T(infos_of_a_burst_are_answered_each),
		T(the_reason_of_a_bye_crosses),
		T(the_callers_reason_to_give_up_reaches_the_fork),
		T(the_refusals_reason_is_the_best_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
