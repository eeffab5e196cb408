/*
 * test_call_replace.c - INVITEs that take the place of a leg (RFC 3891)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * 100 has called 101; another call of 100's names one of the dialogs.
 */
#include "call_rig.h"

#define G722_OFFER                                                             \
	"v=0\r\no=desk 7 7 IN IP4 192.168.2.9\r\ns=-\r\n"                      \
	"c=IN IP4 192.168.2.9\r\nt=0 0\r\nm=audio 6000 RTP/AVP 9 8\r\n"
#define ALIEN_OFFER                                                            \
	"v=0\r\no=desk 7 7 IN IP4 192.168.2.9\r\ns=-\r\n"                      \
	"c=IN IP4 192.168.2.9\r\nt=0 0\r\nm=audio 6000 RTP/AVP 18\r\n"

static struct sip_header headers[3];
static char value[128];

static void name_dialog(const struct sip_txn *txn, const char *more)
{
	snprintf(value, sizeof(value), "%s;to-tag=ours;from-tag=theirs%s",
		 txn->dialog->call_id, more);
	memset(headers, 0, sizeof(headers));
	headers[0] = (struct sip_header){"Replaces", value};
}

static struct sip_txn *replace(struct rig *rig, const struct sip_txn *txn,
			       const char *more, const char *offer)
{
	struct sip_txn *out;

	name_dialog(txn, more);
	fake.headers = headers;
	out = invite(rig, "101", offer);
	fake.headers = NULL;
	return out;
}

static struct sip_txn *ring(struct rig *rig, struct sip_txn **b)
{
	struct sip_txn *a = invite(rig, "101", OFFER);

	*b = fake_request(SIP_INVITE)->txn;
	(*b)->dialog->established = true; /* its 18x had a tag */
	fake_response(*b, 180, NULL);
	return a;
}

static void the_other_side_is_asked_and_the_leg_replaced(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *in;
	struct fake_message *m;

	in = replace(rig, b, "", G722_OFFER);
	settle(rig);
	m = fake_request(SIP_INVITE);
	assert_ptr_equal(m->dialog, a->dialog);
	assert_non_null(strstr(m->body, "RTP/AVP 9 8"));
	fake_response(m->txn, 200, OFFER);
	assert_int_equal(fake_answer(in)->status, 200);
	assert_non_null(strstr(fake_answer(in)->body, "RTP/AVP 8"));
	assert_ptr_equal(fake_request(SIP_BYE)->dialog, b->dialog);
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
	fake_event(in, SIP_TXN_ACK, NULL);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 1);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
	assert_int_equal(fake_media.open, 2);
	assert_non_null(fake_media.last->partner);
}

static void what_the_other_side_refuses_changes_nothing(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *in;

	establish(rig, &b);
	in = replace(rig, b, "", G722_OFFER);
	settle(rig);
	fake_response(fake_request(SIP_INVITE)->txn, 488, NULL);
	assert_int_equal(fake_answer(in)->status, 488);
	settle(rig);
	assert_int_equal(fake_count(SIP_BYE), 0);
	assert_int_equal(calls_count(rig->calls), 1);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
}

static void who_wants_the_place_may_give_up(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *in;

	establish(rig, &b);
	in = replace(rig, b, "", G722_OFFER);
	settle(rig);
	fake_event(in, SIP_TXN_CANCEL, NULL);
	settle(rig);
	fake_response(fake_request(SIP_INVITE)->txn, 200, OFFER);
	settle(rig);
	assert_int_equal(fake_count(SIP_BYE), 0);
	assert_int_equal(calls_count(rig->calls), 1);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
}

static void a_ringing_leg_is_picked_up(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = ring(rig, &b), *in;

	in = replace(rig, b, ";early-only", G722_OFFER);
	assert_true(b->cancelled);
	assert_int_equal(fake_answer(a)->status, 200);
	assert_non_null(strstr(fake_answer(a)->body, "RTP/AVP 8\r\n"));
	assert_int_equal(fake_answer(in)->status, 200);
	assert_non_null(strstr(fake_answer(in)->body, "RTP/AVP 8\r\n"));
	fake_event(a, SIP_TXN_ACK, NULL);
	fake_event(in, SIP_TXN_ACK, NULL);
	fake_response(b, 487, NULL);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 1);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
	assert_int_equal(fake_media.open, 2);
	fake_in_dialog(in->dialog, SIP_BYE, &rig->flow_a, NULL);
	assert_ptr_equal(fake_request(SIP_BYE)->dialog, a->dialog);
}

static void a_pickup_without_a_common_codec_is_488(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = ring(rig, &b), *in;

	in = replace(rig, b, "", ALIEN_OFFER);
	assert_int_equal(fake_answer(in)->status, 488);
	assert_false(b->cancelled);
	fake_response(b, 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
}

static void the_rules_of_the_rfc_are_kept(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *early, *callee;

	assert_null(replace(rig, b, ";early-only", OFFER));
	assert_int_equal(fake_last()->status, 486);
	early = ring(rig, &callee);
	assert_null(replace(rig, early, "", OFFER)); /* not begun by us */
	assert_int_equal(fake_last()->status, 481);
	fake_in_dialog(a->dialog, SIP_BYE, &rig->flow_a, NULL);
	assert_null(replace(rig, b, "", OFFER)); /* it is ending */
	assert_int_equal(fake_last()->status, 603);
	headers[0].value = "no-such;to-tag=1;from-tag=2";
	fake.headers = headers;
	assert_null(invite(rig, "101", OFFER));
	assert_int_equal(fake_last()->status, 481);
	headers[0].value = "no-such;to-tag=1";
	assert_null(invite(rig, "101", OFFER));
	assert_int_equal(fake_last()->status, 400);
	fake.headers = NULL;
}

static void a_phone_takes_no_trunks_leg(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	invite(rig, "0123", OFFER);
	b = fake_request(SIP_INVITE)->txn;
	fake_response(b, 200, ANSWER);
	assert_null(replace(rig, b, "", OFFER));
	assert_int_equal(fake_last()->status, 481);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(the_other_side_is_asked_and_the_leg_replaced),
		T(what_the_other_side_refuses_changes_nothing),
		T(who_wants_the_place_may_give_up),
		T(a_ringing_leg_is_picked_up),
		T(a_pickup_without_a_common_codec_is_488),
		T(the_rules_of_the_rfc_are_kept),
		T(a_phone_takes_no_trunks_leg),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
