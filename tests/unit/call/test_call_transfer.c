/*
 * test_call_transfer.c - a peer hands the other one on: REFER (RFC 3515, 5589)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * 100 called 101, who sends REFER unless a test says otherwise.
 */
#include "call_rig.h"

struct scene {
	struct rig *rig;
	struct sip_txn *a, *b;  /* INVITEs of the call that is up */
	struct sip_txn *target; /* INVITE to who is called instead */
	struct sip_txn *refer;
};

static struct sip_header refer_to[4];

static struct sip_txn *refer(struct scene *s, struct sip_txn *by,
			     const struct sip_flow *flow, const char *to)
{
	struct sip_txn *txn;

	refer_to[0] = (struct sip_header){"Refer-To", to};
	fake.headers = refer_to;
	txn = fake_in_dialog(by->dialog, SIP_REFER, flow, NULL);
	fake.headers = NULL;
	return txn;
}

static const char *body_of_notify(unsigned back)
{
	for (unsigned i = fake.n; i > 0; i--) {
		if (!fake.sent[i - 1].status &&
		    fake.sent[i - 1].method == SIP_NOTIFY && !back--)
			return fake.sent[i - 1].body;
	}
	return "";
}

/* The peer answers what was notified last. */
static const char *notified(int status)
{
	struct fake_message *m = fake_request(SIP_NOTIFY);
	static char body[sizeof(m->body)];

	memcpy(body, m->body, sizeof(body));
	if (m->txn && !m->txn->released)
		fake_response(m->txn, status, NULL);
	return body;
}

static void begin(struct scene *s, struct rig *rig)
{
	memset(refer_to, 0, sizeof(refer_to));
	s->rig = rig;
	s->a = establish(rig, &s->b);
	s->refer = refer(s, s->b, &rig->flow_b, "<sip:0123@sbc>");
	s->target = fake_request(SIP_INVITE)->txn;
}

/* A re-INVITE of ours is answered. */
static struct fake_message *agree(struct scene *s, int status,
				  const char *answer)
{
	struct fake_message *m;

	settle(s->rig);
	m = fake_request(SIP_INVITE);
	if (m->txn)
		fake_response(m->txn, status, answer);
	return m;
}

static void a_refer_is_taken_and_its_target_called(void **state)
{
	struct scene s;

	begin(&s, *state);
	assert_int_equal(fake_answer(s.refer)->status, 202);
	assert_ptr_not_equal(s.target, s.b);
	assert_string_equal(s.target->dialog->local_user, "100");
	assert_null(strstr(fake_request(SIP_INVITE)->headers, "Referred-By"));
	assert_non_null(strstr(s.target->dialog->target, "sip:0123@"));
	assert_non_null(strstr(fake_request(SIP_INVITE)->body, "m=audio"));
	assert_string_equal(notified(200), "SIP/2.0 100 Trying\r\n");
	assert_non_null(
		strstr(fake_request(SIP_NOTIFY)->headers, "Event: refer\n"));
	assert_non_null(strstr(fake_request(SIP_NOTIFY)->headers,
			       "Subscription-State: active;expires="));
	assert_int_equal(calls_count(s.rig->calls), 2);
}

static void a_hold_is_not_offered_to_the_target(void **state)
{
	struct rig *rig = *state;
	struct scene s = {.rig = rig};

	s.a = establish(rig, &s.b);
	fake_in_dialog(s.b->dialog, SIP_INVITE, &rig->flow_b, HOLD_OFFER);
	fake_response(fake_request(SIP_INVITE)->txn, 200, HOLD_ANSWER);
	refer(&s, s.b, &rig->flow_b, "<sip:0123@sbc>");
	assert_non_null(strstr(fake_request(SIP_INVITE)->body, "a=sendrecv"));
}

static void notifies_go_one_after_the_other(void **state)
{
	struct scene s;

	begin(&s, *state);
	fake_response(s.target, 180, NULL);
	fake_response(s.target, 183, NULL);
	assert_int_equal(fake_count(SIP_NOTIFY), 1);
	notified(200);
	assert_string_equal(notified(200), "SIP/2.0 180 Phrase\r\n");
	assert_string_equal(notified(200), "SIP/2.0 183 Phrase\r\n");
	assert_int_equal(fake_count(SIP_NOTIFY), 3);
}

/* Up to where the two are joined. */
static void hand_over(struct scene *s)
{
	struct fake_message *m;

	notified(200);
	fake_response(s->target, 200, ANSWER);
	m = agree(s, 200, OFFER);
	assert_ptr_equal(m->dialog, s->a->dialog);
	settle(s->rig);
}

static void the_target_takes_the_place_of_who_asked(void **state)
{
	const struct call *call;
	struct scene s;
	struct sip_txn *bye;

	begin(&s, *state);
	hand_over(&s);
	assert_string_equal(notified(200), "SIP/2.0 200 OK\r\n");
	assert_non_null(strstr(fake_request(SIP_NOTIFY)->headers,
			       "terminated;reason=noresource"));
	bye = fake_in_dialog(s.b->dialog, SIP_BYE, &s.rig->flow_b, NULL);
	assert_int_equal(fake_answer(bye)->status, 200);
	settle(s.rig);
	call = the_call(s.rig);
	assert_int_equal(calls_count(s.rig->calls), 1);
	assert_int_equal(call_state(call), CALL_UP);
	assert_string_equal(call_from(call), "100");
	assert_string_equal(call_to(call), "0123");
	assert_string_equal(leg_peer(call_leg(call, 1)), "itsp");
	assert_int_equal(fake_media.open, 2);
	assert_non_null(fake_media.last->partner);
}

static void the_transferor_is_hung_up_when_it_does_not(void **state)
{
	struct scene s;

	begin(&s, *state);
	hand_over(&s);
	notified(200);
	assert_int_equal(fake_count(SIP_BYE), 0);
	pass(s.rig, SEC(6));
	assert_int_equal(fake_count(SIP_BYE), 1);
	assert_ptr_equal(fake_request(SIP_BYE)->dialog, s.b->dialog);
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
	settle(s.rig);
	assert_int_equal(call_state(the_call(s.rig)), CALL_UP);
}

static void a_refusal_is_told_and_changes_nothing(void **state)
{
	struct scene s;
	unsigned invites;

	begin(&s, *state);
	invites = fake_count(SIP_INVITE);
	fake_response(s.target, 486, NULL);
	settle(s.rig);
	notified(200);
	assert_string_equal(notified(200), "SIP/2.0 486 Phrase\r\n");
	assert_int_equal(fake_count(SIP_INVITE), invites);
	assert_int_equal(fake_count(SIP_BYE), 0);
	assert_int_equal(calls_count(s.rig->calls), 1);
	assert_int_equal(call_state(the_call(s.rig)), CALL_UP);
}

static void a_failing_trunk_gives_way_to_the_next(void **state)
{
	struct scene s;

	begin(&s, *state);
	fake_response(s.target, 503, NULL);
	assert_ptr_not_equal(fake_request(SIP_INVITE)->txn, s.target);
	s.target = fake_request(SIP_INVITE)->txn;
	hand_over(&s);
	assert_string_equal(body_of_notify(0), "SIP/2.0 200 OK\r\n");
}

static void who_stays_may_refuse_the_new_session(void **state)
{
	struct scene s;

	begin(&s, *state);
	notified(200);
	fake_response(s.target, 200, ANSWER);
	agree(&s, 488, NULL);
	settle(s.rig);
	assert_string_equal(notified(200), "SIP/2.0 488 Phrase\r\n");
	assert_ptr_equal(fake_request(SIP_BYE)->dialog, s.target->dialog);
	assert_int_equal(fake_count(SIP_BYE), 1);
	assert_int_equal(call_state(the_call(s.rig)), CALL_UP);
}

static void what_who_stays_was_told_is_taken_back(void **state)
{
	struct scene s;
	struct fake_message *m;

	begin(&s, *state);
	notified(200);
	fake_response(s.target, 200, ANSWER);
	agree(&s, 200, HOLD_OFFER); /* it holds: news to the target */
	m = agree(&s, 488, NULL);
	assert_ptr_equal(m->dialog, s.target->dialog);
	settle(s.rig);
	assert_string_equal(notified(200), "SIP/2.0 488 Phrase\r\n");
	m = agree(&s, 200, OFFER);
	assert_ptr_equal(m->dialog, s.a->dialog);
	assert_int_equal(call_state(the_call(s.rig)), CALL_UP);
}

static void a_transferor_may_hang_up_at_once(void **state)
{
	struct scene s;

	begin(&s, *state);
	fake_in_dialog(s.b->dialog, SIP_BYE, &s.rig->flow_b, NULL);
	settle(s.rig);
	assert_int_equal(fake_count(SIP_BYE), 0);
	hand_over(&s);
	assert_string_equal(notified(481), "SIP/2.0 200 OK\r\n");
	settle(s.rig);
	assert_int_equal(calls_count(s.rig->calls), 1);
	assert_int_equal(call_state(the_call(s.rig)), CALL_UP);
	assert_int_equal(fake_media.open, 2);
}

static void who_was_left_alone_is_hung_up_with_the_reason(void **state)
{
	struct scene s;

	begin(&s, *state);
	fake_in_dialog(s.b->dialog, SIP_BYE, &s.rig->flow_b, NULL);
	fake_response(s.target, 404, NULL);
	settle(s.rig);
	assert_ptr_equal(fake_request(SIP_BYE)->dialog, s.a->dialog);
	assert_non_null(strstr(fake_request(SIP_BYE)->headers,
			       "Reason: SIP;cause=404"));
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
	notified(200);
	notified(200);
	settle(s.rig);
	assert_int_equal(calls_count(s.rig->calls), 0);
}

static void the_target_is_given_up_when_who_stays_leaves(void **state)
{
	struct scene s;

	begin(&s, *state);
	fake_response(s.target, 180, NULL);
	fake_in_dialog(s.a->dialog, SIP_BYE, &s.rig->flow_a, NULL);
	assert_true(s.target->cancelled);
	assert_ptr_equal(fake_request(SIP_BYE)->dialog, s.b->dialog);
	fake_response(s.target, 487, NULL);
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
	notified(481);
	settle(s.rig);
	assert_int_equal(calls_count(s.rig->calls), 0);
}

static void a_silent_target_is_given_up(void **state)
{
	struct scene s;

	begin(&s, *state);
	notified(200);
	for (int i = 0; i < 2; i++) { /* both trunks of the route */
		pass(s.rig, SEC(21));
		fake_no_response(fake_request(SIP_INVITE)->txn, 408);
	}
	settle(s.rig);
	assert_string_equal(notified(200), "SIP/2.0 408 Phrase\r\n");
	assert_int_equal(call_state(the_call(s.rig)), CALL_UP);
}

static void what_nobody_may_call_is_404(void **state)
{
	struct rig *rig = *state;
	struct scene s = {.rig = rig};
	unsigned invites;

	s.a = establish(rig, &s.b);
	invites = fake_count(SIP_INVITE);
	s.refer = refer(&s, s.b, &rig->flow_b, "<sip:777@evil.test>");
	assert_int_equal(fake_answer(s.refer)->status, 202);
	notified(200);
	assert_string_equal(notified(200), "SIP/2.0 404 Phrase\r\n");
	assert_int_equal(fake_count(SIP_INVITE), invites);
	assert_int_equal(calls_count(rig->calls), 1);
}

static void a_full_box_is_503(void **state)
{
	struct rig *rig = *state;
	struct scene s = {.rig = rig};

	s.a = establish(rig, &s.b);
	invite(rig, "101", OFFER);
	invite(rig, "101", OFFER);
	refer(&s, s.b, &rig->flow_b, "<sip:0123@sbc>");
	notified(200);
	assert_string_equal(notified(200), "SIP/2.0 503 Phrase\r\n");
}

static void a_bad_refer_is_refused(void **state)
{
	static const struct {
		const char *to;
		int status;
	} cases[] = {
		{NULL, 400},
		{"<sip:>", 400},
		{"<sip:sbc>", 400},
		{"<sip:0123@sbc;method=BYE>", 403},
		{"<http://sbc/>", 416},
	};
	struct rig *rig = *state;
	struct scene s = {.rig = rig};

	s.a = establish(rig, &s.b);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		s.refer = refer(&s, s.b, &rig->flow_b, cases[i].to);
		if (!cases[i].to) /* none, and two of them */
			assert_int_equal(fake_answer(s.refer)->status, 400);
		assert_int_equal(fake_answer(s.refer)->status, cases[i].status);
	}
	refer_to[1] = (struct sip_header){"Refer-To", "<sip:0124@sbc>"};
	s.refer = refer(&s, s.b, &rig->flow_b, "<sip:0123@sbc>");
	assert_int_equal(fake_answer(s.refer)->status, 400);
	assert_int_equal(fake_count(SIP_NOTIFY), 0);
	memset(refer_to, 0, sizeof(refer_to));
}

static void a_second_refer_waits_for_the_end_of_the_first(void **state)
{
	struct scene s;
	struct sip_txn *again;
	char id[32];

	begin(&s, *state);
	again = refer(&s, s.b, &s.rig->flow_b, "<sip:0124@sbc>");
	assert_int_equal(fake_answer(again)->status, 491);
	again = refer(&s, s.a, &s.rig->flow_a, "<sip:0124@sbc>");
	assert_int_equal(fake_answer(again)->status, 491);
	fake_response(s.target, 486, NULL);
	settle(s.rig);
	notified(200);
	notified(200);
	again = refer(&s, s.b, &s.rig->flow_b, "<sip:0124@sbc>");
	assert_int_equal(fake_answer(again)->status, 202);
	snprintf(id, sizeof(id), "Event: refer;id=%u", again->view.cseq);
	assert_non_null(strstr(fake_request(SIP_NOTIFY)->headers, id));
}

static void who_wants_no_notify_gets_none(void **state)
{
	struct rig *rig = *state;
	struct scene s = {.rig = rig};

	s.a = establish(rig, &s.b);
	refer_to[1] = (struct sip_header){"Refer-Sub", "false"};
	s.refer = refer(&s, s.b, &rig->flow_b, "<sip:0123@sbc>");
	memset(refer_to, 0, sizeof(refer_to));
	assert_int_equal(fake_answer(s.refer)->status, 202);
	assert_non_null(
		strstr(fake_answer(s.refer)->headers, "Refer-Sub: false"));
	s.target = fake_request(SIP_INVITE)->txn;
	fake_in_dialog(s.b->dialog, SIP_BYE, &rig->flow_b, NULL);
	settle(rig);
	hand_over(&s);
	assert_int_equal(fake_count(SIP_NOTIFY), 0);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
	assert_int_equal(fake_media.open, 2);
}

static void nobody_hears_notifies_any_more(void **state)
{
	struct scene s;

	begin(&s, *state);
	notified(481);
	fake_response(s.target, 180, NULL);
	hand_over(&s);
	assert_int_equal(fake_count(SIP_NOTIFY), 1);
	assert_int_equal(call_state(the_call(s.rig)), CALL_UP);
}

static void the_end_of_all_calls_ends_a_transfer(void **state)
{
	for (int step = 0; step < 4; step++) {
		struct scene s;

		if (step) {
			teardown(state);
			setup(state);
		}
		begin(&s, *state);
		if (step > 0)
			fake_response(s.target, 180, NULL);
		if (step > 1)
			fake_response(s.target, 200, ANSWER);
		if (step > 2)
			agree(&s, 200, HOLD_OFFER);
		calls_hangup(s.rig->calls, NULL, "shutdown");
		for (unsigned i = 0; i < fake.n; i++) {
			struct fake_message *m = &fake.sent[i];

			if (!m->status && m->txn && !m->txn->released)
				fake_response(m->txn, 487, NULL);
		}
		pass(s.rig, SEC(40));
		assert_int_equal(calls_count(s.rig->calls), 0);
		assert_int_equal(fake_media.open, 0);
	}
}

/* ---- attended: 100 has called 0123 too, and hands 101 on to it ---------------- */

enum { CALLED = 0, RINGS = 180, TALKS = 200 };

static char named[128];

static const char *dialog_of(const struct sip_txn *txn, const char *more)
{
	snprintf(named, sizeof(named),
		 "<sip:0123@sbc?Replaces=%s%%3Bto-tag%%3Dours%%3B"
		 "from-tag%%3Dtheirs%s>",
		 txn->dialog->call_id, more);
	return named;
}

/* Where the second call has come to @how, 100 sends REFER. */
static struct sip_txn *consult(struct scene *s, struct rig *rig, int how,
			       const char *more)
{
	struct sip_txn *second;

	memset(refer_to, 0, sizeof(refer_to));
	s->rig = rig;
	s->a = establish(rig, &s->b);
	second = invite(rig, "0123", OFFER);
	s->target = fake_request(SIP_INVITE)->txn;
	if (how != CALLED)
		fake_response(s->target, 180, NULL);
	if (how == TALKS) {
		fake_response(s->target, 200, ANSWER);
		fake_event(second, SIP_TXN_ACK, NULL);
	}
	s->refer = refer(s, s->a, &rig->flow_a, dialog_of(second, more));
	assert_int_equal(fake_answer(s->refer)->status, 202);
	return second;
}

static void assert_joined(struct scene *s)
{
	const struct call *call = the_call(s->rig);

	assert_string_equal(call_from(call), "0123");
	assert_string_equal(call_to(call), "101");
	assert_int_equal(call_state(call), CALL_UP);
	assert_non_null(fake_media.last);
}

static void the_other_sides_of_two_calls_are_joined(void **state)
{
	struct scene s;
	struct sip_txn *second = consult(&s, *state, TALKS, "");
	struct fake_message *m;

	notified(200);
	m = agree(&s, 200, OFFER); /* no news */
	assert_ptr_equal(m->dialog, s.b->dialog);
	settle(s.rig);
	assert_string_equal(notified(200), "SIP/2.0 200 OK\r\n");
	assert_ptr_equal(fake_request(SIP_BYE)->dialog, second->dialog);
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
	fake_in_dialog(s.a->dialog, SIP_BYE, &s.rig->flow_a, NULL);
	settle(s.rig);
	assert_int_equal(calls_count(s.rig->calls), 1);
	assert_joined(&s);
	assert_int_equal(fake_media.open, 2);
}

static void the_target_is_told_what_is_new_to_it(void **state)
{
	struct scene s;
	struct fake_message *m;

	consult(&s, *state, TALKS, "");
	notified(200);
	agree(&s, 200, HOLD_ANSWER);
	m = agree(&s, 200, ANSWER);
	assert_ptr_equal(m->dialog, s.target->dialog);
	assert_non_null(strstr(m->body, "a=recvonly"));
	settle(s.rig);
	assert_string_equal(notified(200), "SIP/2.0 200 OK\r\n");
	assert_joined(&s);
}

static void both_calls_go_on_when_the_target_refuses(void **state)
{
	struct scene s;

	consult(&s, *state, TALKS, "");
	notified(200);
	agree(&s, 200, HOLD_ANSWER);
	agree(&s, 488, NULL);
	settle(s.rig);
	assert_string_equal(notified(200), "SIP/2.0 488 Phrase\r\n");
	agree(&s, 200, ANSWER);
	assert_int_equal(fake_count(SIP_BYE), 0);
	assert_int_equal(calls_count(s.rig->calls), 2);
	assert_int_equal(fake_media.open, 4);
}

static void the_consultation_may_be_hung_up_at_once(void **state)
{
	struct scene s;
	struct sip_txn *second = consult(&s, *state, TALKS, "");

	notified(200);
	fake_in_dialog(second->dialog, SIP_BYE, &s.rig->flow_a, NULL);
	fake_in_dialog(s.a->dialog, SIP_BYE, &s.rig->flow_a, NULL);
	settle(s.rig);
	assert_int_equal(fake_count(SIP_BYE), 0);
	agree(&s, 200, OFFER);
	settle(s.rig);
	notified(200);
	settle(s.rig);
	assert_int_equal(calls_count(s.rig->calls), 1);
	assert_joined(&s);
}

static void a_target_that_leaves_ends_the_transfer(void **state)
{
	struct scene s;

	consult(&s, *state, TALKS, "");
	notified(200);
	fake_in_dialog(s.target->dialog, SIP_BYE, &s.target->dialog->conf.flow,
		       NULL);
	assert_string_equal(notified(200), "SIP/2.0 487 Phrase\r\n");
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
	settle(s.rig);
	assert_int_equal(calls_count(s.rig->calls), 1);
	assert_string_equal(call_to(the_call(s.rig)), "101");
}

/* It has gone before the other side has agreed to talk to it. */
static void who_stays_is_told_of_its_partner_again(void **state)
{
	static const char other[] =
		"v=0\r\no=far 7 7 IN IP4 192.168.2.9\r\ns=-\r\n"
		"c=IN IP4 192.168.2.9\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n";
	struct fake_message *m;
	struct scene s;
	unsigned invites;

	begin(&s, *state);
	notified(200);
	fake_response(s.target, 200, other);
	settle(s.rig);
	m = fake_request(SIP_INVITE);
	assert_ptr_equal(m->dialog, s.a->dialog);
	assert_non_null(strstr(m->body, "RTP/AVP 0"));
	fake_in_dialog(s.target->dialog, SIP_BYE, &s.target->dialog->conf.flow,
		       NULL);
	settle(s.rig);
	invites = fake_count(SIP_INVITE);
	fake_response(m->txn, 200, other);
	m = agree(&s, 200, OFFER);
	assert_ptr_equal(m->dialog, s.a->dialog);
	assert_non_null(strstr(m->body, "RTP/AVP 8"));
	pass(s.rig, SEC(3));
	assert_int_equal(fake_count(SIP_INVITE), invites + 1);
	assert_int_equal(calls_count(s.rig->calls), 1);
}

static void a_ringing_call_is_taken_over(void **state)
{
	for (int left = 0; left < 2; left++) {
		struct scene s;
		struct sip_txn *second;

		if (left) {
			teardown(state);
			setup(state);
		}
		second = consult(&s, *state, RINGS, "");
		notified(200);
		assert_string_equal(notified(200), "SIP/2.0 180 Phrase\r\n");
		if (left)
			fake_event(second, SIP_TXN_CANCEL, NULL);
		settle(s.rig);
		assert_false(s.target->cancelled);
		fake_response(s.target, 200, ANSWER);
		assert_int_equal(fake_answer(second)->status, 180);
		agree(&s, 200, OFFER);
		settle(s.rig);
		assert_string_equal(notified(200), "SIP/2.0 200 OK\r\n");
		if (!left)
			assert_int_equal(fake_answer(second)->status, 487);
		fake_in_dialog(s.a->dialog, SIP_BYE, &s.rig->flow_a, NULL);
		settle(s.rig);
		assert_int_equal(calls_count(s.rig->calls), 1);
		assert_joined(&s);
	}
}

static void a_ringing_target_that_refuses_says_so_to_both(void **state)
{
	struct scene s;
	struct sip_txn *second = consult(&s, *state, RINGS, "");

	notified(200);
	notified(200);
	fake_response(s.target, 486, NULL);
	settle(s.rig);
	assert_string_equal(notified(200), "SIP/2.0 486 Phrase\r\n");
	assert_int_equal(fake_answer(second)->status, 486);
	assert_int_equal(calls_count(s.rig->calls), 1);
	assert_int_equal(call_state(the_call(s.rig)), CALL_UP);
}

static void an_answer_goes_to_the_caller_when_who_stays_refuses(void **state)
{
	struct scene s;
	struct sip_txn *second = consult(&s, *state, RINGS, "");

	fake_response(s.target, 200, ANSWER);
	agree(&s, 488, NULL);
	settle(s.rig);
	assert_int_equal(fake_answer(second)->status, 200);
	fake_event(second, SIP_TXN_ACK, NULL);
	assert_int_equal(calls_count(s.rig->calls), 2);
	assert_int_equal(fake_count(SIP_BYE), 0);
}

static void a_call_rings_on_for_its_caller_when_who_stays_leaves(void **state)
{
	struct scene s;
	struct sip_txn *second = consult(&s, *state, RINGS, "");

	fake_in_dialog(s.b->dialog, SIP_BYE, &s.rig->flow_b, NULL);
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
	notified(481);
	settle(s.rig);
	assert_false(s.target->cancelled);
	fake_response(s.target, 200, ANSWER);
	assert_int_equal(fake_answer(second)->status, 200);
	fake_event(second, SIP_TXN_ACK, NULL);
	assert_int_equal(calls_count(s.rig->calls), 1);
}

static void what_replaces_may_not_name_is_told(void **state)
{
	struct rig *rig = *state;
	struct scene s;
	struct sip_txn *own;

	consult(&s, rig, TALKS, "%3Bearly-only");
	notified(200);
	assert_string_equal(notified(200), "SIP/2.0 486 Phrase\r\n");
	own = refer(&s, s.a, &rig->flow_a, dialog_of(s.a, ""));
	assert_int_equal(fake_answer(own)->status, 202);
	notified(200);
	assert_string_equal(notified(200), "SIP/2.0 400 Phrase\r\n");
	/* 101 knows the names, but it is not its dialog. */
	refer(&s, s.b, &rig->flow_b, named);
	notified(200);
	assert_string_equal(notified(200), "SIP/2.0 481 Phrase\r\n");
	refer(&s, s.a, &rig->flow_a,
	      "<sip:0123@sbc?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2>");
	notified(200);
	assert_string_equal(notified(200), "SIP/2.0 481 Phrase\r\n");
	assert_int_equal(calls_count(rig->calls), 2);
	assert_int_equal(fake_count(SIP_BYE), 0);
}

static void the_end_of_all_calls_ends_an_attended_one(void **state)
{
	for (int how = 0; how < 4; how++) {
		struct sip_txn *second;
		struct scene s;

		if (how) {
			teardown(state);
			setup(state);
		}
		second = consult(&s, *state, how < 2 ? RINGS : TALKS, "");
		if (how == 1)
			fake_response(s.target, 200, ANSWER);
		if (how % 2)
			agree(&s, 200, HOLD_ANSWER);
		calls_hangup(s.rig->calls, NULL, "shutdown");
		fake_event(second, SIP_TXN_NO_ACK, NULL);
		for (unsigned i = 0; i < fake.n; i++) {
			struct fake_message *m = &fake.sent[i];

			if (!m->status && m->txn && !m->txn->released)
				fake_response(m->txn, 487, NULL);
		}
		pass(s.rig, SEC(40));
		assert_int_equal(calls_count(s.rig->calls), 0);
		assert_int_equal(fake_media.open, 0);
	}
}

/* ---- handed to the other side ---------------------------------------------------- */

static void pass_refers(struct rig *rig, enum conf_refer refer)
{
	struct conf_realm *realm =
		(struct conf_realm *)config_realm(rig->config, "lan");

	realm->policy.refer = refer;
}

static struct sip_txn *notify(struct scene *s, struct sip_txn *to,
			      const char *state, const char *fragment)
{
	struct sip_header list[] = {
		{"Event", "refer;id=7"}, {"Subscription-State", state}, {0}};
	struct sip_txn *txn;

	fake.headers = list;
	txn = fake_request_in(to->dialog, SIP_NOTIFY, &s->rig->flow_a,
			      fragment);
	txn->view.content_type = "message/sipfrag;version=2.0";
	to->dialog->conf.request(to->dialog->conf.arg, txn, &txn->view);
	fake.headers = NULL;
	return txn;
}

static void a_refer_is_passed_and_its_news_comes_back(void **state)
{
	struct rig *rig = *state;
	struct scene s = {.rig = rig};
	struct fake_message *m;
	struct sip_txn *txn;

	pass_refers(rig, CONF_REFER_PASS);
	s.a = establish(rig, &s.b);
	s.refer = refer(&s, s.b, &rig->flow_b, "<sip:0123@192.168.2.9:5070>");
	assert_int_equal(fake_answer(s.refer)->status, 202);
	m = fake_request(SIP_REFER);
	assert_ptr_equal(m->dialog, s.a->dialog);
	assert_non_null(
		strstr(m->headers, "Refer-To: <sip:0123@203.0.113.10:5060>"));
	assert_non_null(
		strstr(m->headers, "Referred-By: <sip:101@203.0.113.10>"));
	fake_response(m->txn, 202, NULL);
	notified(200);
	txn = notify(&s, s.a, "active;expires=60", "SIP/2.0 180 Ringing\r\n");
	assert_int_equal(fake_answer(txn)->status, 200);
	assert_string_equal(notified(200), "SIP/2.0 180 Phrase\r\n");
	notify(&s, s.a, "terminated;reason=noresource",
	       "SIP/2.0 200 Fine\r\nContact: <sip:1@192.168.1.7>\r\n");
	assert_string_equal(notified(200), "SIP/2.0 200 OK\r\n");
	txn = notify(&s, s.a, "active", "SIP/2.0 200 OK\r\n");
	assert_int_equal(fake_answer(txn)->status, 481);
	assert_int_equal(calls_count(rig->calls), 1);
}

static void what_ends_without_news_is_told_as_such(void **state)
{
	static const char *const fragments[] = {"", "SIP/2.0 100 Trying\r\n",
						"HTTP/1.1 200 OK\r\n",
						"SIP/2.0 9x9\r\n"};
	struct rig *rig = *state;
	struct scene s = {.rig = rig};

	pass_refers(rig, CONF_REFER_PASS);
	s.a = establish(rig, &s.b);
	for (int i = 0; i < 4; i++) {
		refer(&s, s.b, &rig->flow_b, "<sip:0123@x>");
		fake_response(fake_request(SIP_REFER)->txn, 202, NULL);
		notified(200);
		notify(&s, s.a, "terminated;reason=giveup", fragments[i]);
		assert_string_equal(notified(200), "SIP/2.0 503 Phrase\r\n");
	}
}

static void what_the_other_side_makes_of_it_is_told(void **state)
{
	struct rig *rig = *state;
	struct scene s = {.rig = rig};

	pass_refers(rig, CONF_REFER_PASS);
	s.a = establish(rig, &s.b);
	refer(&s, s.b, &rig->flow_b, "<sip:0123@x>");
	fake_response(fake_request(SIP_REFER)->txn, 603, NULL);
	notified(200);
	assert_string_equal(notified(200), "SIP/2.0 603 Phrase\r\n");
	/* The other side leaves before it has said what comes of it. */
	refer(&s, s.b, &rig->flow_b, "<sip:0123@x>");
	fake_in_dialog(s.a->dialog, SIP_BYE, &rig->flow_a, NULL);
	notified(200);
	assert_string_equal(notified(200), "SIP/2.0 487 Phrase\r\n");
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 0);
}

static void a_place_is_named_by_a_call_id_of_ours(void **state)
{
	struct rig *rig = *state;
	struct scene s;
	struct sip_txn *second, *in;
	struct sip_header replaces[2] = {{0}};
	char want[160], value[128];

	pass_refers(rig, CONF_REFER_PASS);
	second = consult(&s, rig, TALKS, "");
	snprintf(want, sizeof(want),
		 "?Replaces=%s%%3Bto-tag%%3Dtheirs%%3Bfrom-tag%%3Dours>",
		 s.target->dialog->call_id);
	assert_ptr_equal(fake_request(SIP_REFER)->dialog, s.b->dialog);
	assert_non_null(strstr(fake_request(SIP_REFER)->headers, want));
	assert_null(strstr(fake_request(SIP_REFER)->headers,
			   second->dialog->call_id));
	/* What comes of it: an INVITE for the place of the transferor. */
	snprintf(value, sizeof(value), "%s;to-tag=theirs;from-tag=ours",
		 s.target->dialog->call_id);
	replaces[0] = (struct sip_header){"Replaces", value};
	fake.headers = replaces;
	in = invite(rig, "0123", OFFER);
	fake.headers = NULL;
	agree(&s, 200, ANSWER);
	assert_int_equal(fake_answer(in)->status, 200);
	assert_ptr_equal(fake_request(SIP_BYE)->dialog, second->dialog);
}

static void a_policy_may_forbid_it(void **state)
{
	struct rig *rig = *state;
	struct scene s = {.rig = rig};

	pass_refers(rig, CONF_REFER_OFF);
	s.a = establish(rig, &s.b);
	s.refer = refer(&s, s.b, &rig->flow_b, "<sip:0123@sbc>");
	assert_int_equal(fake_answer(s.refer)->status, 403);
	assert_int_equal(fake_count(SIP_NOTIFY), 0);
}

static void a_notify_of_nothing_is_481(void **state)
{
	struct rig *rig = *state;
	struct scene s = {.rig = rig};
	struct sip_txn *txn;

	s.a = establish(rig, &s.b);
	txn = notify(&s, s.a, "active", "SIP/2.0 200 OK\r\n");
	assert_int_equal(fake_answer(txn)->status, 481);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_refer_is_taken_and_its_target_called),
		T(a_hold_is_not_offered_to_the_target),
		T(notifies_go_one_after_the_other),
		T(the_target_takes_the_place_of_who_asked),
		T(the_transferor_is_hung_up_when_it_does_not),
		T(a_refusal_is_told_and_changes_nothing),
		T(a_failing_trunk_gives_way_to_the_next),
		T(who_stays_may_refuse_the_new_session),
		T(what_who_stays_was_told_is_taken_back),
		T(a_transferor_may_hang_up_at_once),
		T(who_was_left_alone_is_hung_up_with_the_reason),
		T(the_target_is_given_up_when_who_stays_leaves),
		T(a_silent_target_is_given_up),
		T(what_nobody_may_call_is_404),
		T(a_full_box_is_503),
		T(a_bad_refer_is_refused),
		T(a_second_refer_waits_for_the_end_of_the_first),
		T(who_wants_no_notify_gets_none),
		T(nobody_hears_notifies_any_more),
		T(the_end_of_all_calls_ends_a_transfer),
		T(the_other_sides_of_two_calls_are_joined),
		T(the_target_is_told_what_is_new_to_it),
		T(both_calls_go_on_when_the_target_refuses),
		T(the_consultation_may_be_hung_up_at_once),
		T(a_target_that_leaves_ends_the_transfer),
		T(who_stays_is_told_of_its_partner_again),
		T(a_ringing_call_is_taken_over),
		T(a_ringing_target_that_refuses_says_so_to_both),
		T(an_answer_goes_to_the_caller_when_who_stays_refuses),
		T(a_call_rings_on_for_its_caller_when_who_stays_leaves),
		T(what_replaces_may_not_name_is_told),
		T(the_end_of_all_calls_ends_an_attended_one),
		T(a_refer_is_passed_and_its_news_comes_back),
		T(what_ends_without_news_is_told_as_such),
		T(what_the_other_side_makes_of_it_is_told),
		T(a_place_is_named_by_a_call_id_of_ours),
		T(a_policy_may_forbid_it),
		T(a_notify_of_nothing_is_481),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
