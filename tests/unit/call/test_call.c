/*
 * test_call.c - setting up a call, forks, and how it ends
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_rig.h"

/* ---- setting up ------------------------------------------------------------------ */

static void an_offer_crosses_with_our_address_and_port(void **state)
{
	struct rig *rig = *state;
	struct fake_message *out;

	invite(rig, "101", OFFER);
	out = fake_request(SIP_INVITE);
	assert_non_null(strstr(out->body, "c=IN IP4 203.0.113.10"));
	assert_non_null(strstr(out->body, "RTP/AVP 8 101"));
	assert_null(strstr(out->body, "192.168.1.7"));
	assert_null(strstr(out->body, "4000"));
	assert_string_equal(out->dialog->target, "sip:101@192.168.1.50:5060");
	assert_true(sip_flow_equal(&out->dialog->conf.flow, &rig->flow_b));
	assert_string_equal(out->dialog->local_user, "100");
}

static void the_caller_gets_100_then_ringing_then_the_answer(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER), *b;

	assert_int_equal(fake.sent[0].status, 100);
	b = fake_request(SIP_INVITE)->txn;
	fake_response(b, 180, NULL);
	assert_int_equal(fake_answer(a)->status, 180);
	assert_int_equal(call_state(the_call(rig)), CALL_RINGING);
	fake_response(b, 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
	assert_null(strstr(fake_answer(a)->body, "192.168.2.9"));
	assert_non_null(strstr(fake_answer(a)->body, "203.0.113.10"));
	assert_int_equal(fake_count(SIP_ACK), 1);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
}

static void max_forwards_is_copied_less_one(void **state)
{
	struct rig *rig = *state;

	invite(rig, "101", OFFER);
	assert_int_equal(fake_request(SIP_INVITE)->max_forwards, 69);
}

static void caller_id_replaces_the_from_user(void **state)
{
	struct rig *rig = *state;

	fake.auth_user = "101";
	invite(rig, "101", OFFER);
	assert_string_equal(fake_request(SIP_INVITE)->dialog->local_user,
			    "4930101");
}

static void a_late_offer_is_answered_by_the_callers_ack(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", NULL), *b;

	b = fake_request(SIP_INVITE)->txn;
	assert_string_equal(fake_request(SIP_INVITE)->body, "");
	fake_response(b, 200, ANSWER);
	assert_non_null(strstr(fake_answer(a)->body, "203.0.113.10"));
	assert_int_equal(fake_count(SIP_ACK), 0);
	fake_event(a, SIP_TXN_ACK, OFFER);
	assert_int_equal(fake_count(SIP_ACK), 1);
	assert_non_null(strstr(fake_request(SIP_ACK)->body, "203.0.113.10"));
	assert_null(strstr(fake_request(SIP_ACK)->body, "192.168.1.7"));
}

static void a_late_offer_without_answer_ends_the_call(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", NULL);

	fake_response(fake_request(SIP_INVITE)->txn, 200, ANSWER);
	fake_event(a, SIP_TXN_ACK, NULL);
	assert_int_equal(fake_count(SIP_BYE), 2);
}

static void early_media_is_passed_and_bridged(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_response(fake_request(SIP_INVITE)->txn, 183, ANSWER);
	assert_int_equal(fake_answer(a)->status, 183);
	assert_non_null(strstr(fake_answer(a)->body, "m=audio"));
	assert_non_null(fake_media.last->partner);
}

static void both_sides_learn_where_the_other_wants_media(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;
	char text[ADDR_TEXT_MAX];

	establish(rig, &b);
	assert_string_equal(addr_fmt(&fake_media.last->remote.rtp, text),
			    "192.168.2.9:5000");
	assert_true(addr_equal(&fake_media.last->remote.signalling,
			       &rig->flow_b.remote));
	assert_string_equal(
		addr_fmt(&fake_media.last->partner->remote.rtp, text),
		"192.168.1.7:4000");
	/* What was offered and what was answered may both be sent. */
	assert_true(fake_media.last->remote.payload_types[0] & 1 << 8);
}

/* ---- refusals ------------------------------------------------------------------------ */

static int refusal(struct rig *rig, const char *user, const char *body)
{
	invite(rig, user, body);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 0);
	return fake_last()->status;
}

static void an_unknown_user_is_404_and_an_absent_phone_480(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(refusal(rig, "nobody", OFFER), 404);
	bindings.n = 0;
	assert_int_equal(refusal(rig, "101", OFFER), 480);
}

static void a_foreign_host_is_for_routes_only(void **state)
{
	struct rig *rig = *state;

	rig->host = "elsewhere.example";
	assert_int_equal(refusal(rig, "101", OFFER), 404);
	invite(rig, "0301234", OFFER);
	assert_int_equal(fake_count(SIP_INVITE), 1);
}

static void a_callees_503_becomes_500(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_response(fake_request(SIP_INVITE)->txn, 503, NULL);
	assert_int_equal(fake_answer(a)->status, 500);
}

static void a_stranger_is_challenged(void **state)
{
	struct rig *rig = *state;

	fake.verdict = SIP_AUTH_NONE;
	assert_int_equal(refusal(rig, "101", OFFER), 401);
	assert_non_null(strstr(fake_last()->headers, "Digest"));
	fake.verdict = SIP_AUTH_STALE;
	assert_int_equal(refusal(rig, "101", OFFER), 401);
	assert_non_null(strstr(fake_last()->headers, "stale=true"));
}

static void a_trunk_needs_no_password(void **state)
{
	struct rig *rig = *state;

	fake.verdict = SIP_AUTH_NONE;
	addr_parse_port(&rig->flow_a.remote, "198.51.100.5:5060");
	invite(rig, "101", OFFER);
	assert_int_equal(fake_count(SIP_INVITE), 1);
}

static void a_body_that_is_no_session_is_refused(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(refusal(rig, "101", "hello"), 400);
	assert_int_equal(refusal(rig, "101", NO_DATAGRAMS), 488);
}

static void without_a_free_port_the_call_is_503(void **state)
{
	struct rig *rig = *state;

	fake_media.next_port = 0;
	assert_int_equal(refusal(rig, "101", OFFER), 503);
}

static void above_max_calls_it_is_503_with_retry_after(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < 3; i++)
		assert_non_null(invite(rig, "101", OFFER));
	assert_null(invite(rig, "101", OFFER));
	assert_int_equal(fake_last()->status, 503);
	assert_non_null(strstr(fake_last()->headers, "Retry-After"));
}

static void a_merged_request_is_482(void **state)
{
	struct rig *rig = *state;

	invite(rig, "101", OFFER);
	rig->invites--;
	assert_null(invite(rig, "101", OFFER));
	assert_int_equal(fake_last()->status, 482);
}

static void the_callees_refusal_reaches_the_caller(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_response(fake_request(SIP_INVITE)->txn, 486, NULL);
	assert_int_equal(fake_answer(a)->status, 486);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 0);
}

static void a_callees_challenge_is_not_passed_on(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_response(fake_request(SIP_INVITE)->txn, 407, NULL);
	assert_int_equal(fake_answer(a)->status, 403);
}

static void ring_timeout_cancels_and_answers_408(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER), *b;

	b = fake_request(SIP_INVITE)->txn;
	fake_response(b, 180, NULL);
	pass(rig, SEC(21));
	assert_true(b->cancelled);
	assert_int_equal(fake_answer(a)->status, 408);
	fake_response(b, 487, NULL);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 0);
}

static void a_dead_phone_does_not_hold_the_call_in_the_list(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	invite(rig, "101", OFFER);
	b = fake_request(SIP_INVITE)->txn;
	pass(rig, SEC(21));
	/* Its CANCEL still waits for a provisional answer. */
	assert_true(b->cancelled);
	assert_false(b->released);
	assert_int_equal(calls_count(rig->calls), 0);
	assert_null(the_call(rig));
	/* A 200 that comes all the same is ended properly. */
	fake_response(b, 200, ANSWER);
	assert_int_equal(fake_count(SIP_ACK), 1);
	assert_int_equal(fake_count(SIP_BYE), 1);
	pass(rig, SEC(40));
	assert_true(b->released);
}

/* ---- forks and failover ----------------------------------------------------------------- */

static void all_contacts_ring_and_the_first_answer_wins(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *first, *second, *third;

	add_binding("sip:101@192.168.1.51", "192.0.2.3:5060");
	add_binding("sip:101@192.168.1.52", "192.0.2.4:5060");
	a = invite(rig, "101", OFFER);
	assert_int_equal(fake_count(SIP_INVITE), 3);
	first = fake.sent[1].txn;
	second = fake.sent[2].txn;
	third = fake.sent[3].txn;
	fake_response(first, 180, NULL);
	fake_response(third, 180, NULL);
	fake_response(second, 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
	assert_true(first->cancelled);
	assert_true(third->cancelled);
	assert_false(second->cancelled);
	fake_response(first, 487, NULL);
	fake_response(third, 487, NULL);
	settle(rig);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
	assert_null(call_leg(the_call(rig), 2));
}

static void a_200_that_crosses_our_cancel_is_acked_and_ended(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *first, *second;

	add_binding("sip:101@192.168.1.51", "192.0.2.3:5060");
	invite(rig, "101", OFFER);
	first = fake.sent[1].txn;
	second = fake.sent[2].txn;
	fake_response(first, 200, ANSWER);
	assert_true(second->cancelled);
	fake_response(second, 200, ANSWER);
	assert_ptr_equal(fake_request(SIP_BYE)->dialog, second->dialog);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
}

static void the_best_refusal_of_all_forks_is_given(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a;

	add_binding("sip:101@192.168.1.51", "192.0.2.3:5060");
	a = invite(rig, "101", OFFER);
	fake_response(fake.sent[1].txn, 500, NULL);
	assert_int_equal(fake_answer(a)->status, 100);
	fake_response(fake.sent[2].txn, 486, NULL);
	assert_int_equal(fake_answer(a)->status, 486);
}

static void a_6xx_ends_the_search_at_once(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *second;

	add_binding("sip:101@192.168.1.51", "192.0.2.3:5060");
	a = invite(rig, "101", OFFER);
	second = fake.sent[2].txn;
	fake_response(fake.sent[1].txn, 603, NULL);
	assert_int_equal(fake_answer(a)->status, 603);
	assert_true(second->cancelled);
}

static void a_dead_trunk_is_passed_over_for_the_next(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "0301234", OFFER), *b;

	b = fake_request(SIP_INVITE)->txn;
	assert_string_equal(b->dialog->target, "sip:0301234@198.51.100.5:5060");
	fake_response(b, 503, NULL);
	b = fake_request(SIP_INVITE)->txn;
	assert_string_equal(b->dialog->target, "sip:0301234@198.51.100.6:5060");
	fake_response(b, 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
}

static void a_trunks_404_is_the_answer(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "0301234", OFFER);

	fake_response(fake_request(SIP_INVITE)->txn, 404, NULL);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	assert_int_equal(fake_answer(a)->status, 404);
}

static void when_nothing_can_be_sent_the_caller_gets_503(void **state)
{
	struct rig *rig = *state;

	fake.request_error = -EAGAIN;
	assert_int_equal(refusal(rig, "0301234", OFFER), 503);
}

/* ---- ending --------------------------------------------------------------------------------- */

static void bye_from_either_side_ends_both(void **state)
{
	struct rig *rig = *state;

	for (int from_b = 0; from_b < 2; from_b++) {
		struct sip_txn *b, *a = establish(rig, &b), *bye;
		struct sip_dialog *from = from_b ? b->dialog : a->dialog;
		struct sip_dialog *to = from_b ? a->dialog : b->dialog;

		bye = fake_in_dialog(from, SIP_BYE,
				     from_b ? &rig->flow_b : &rig->flow_a,
				     NULL);
		assert_int_equal(fake_answer(bye)->status, 200);
		assert_ptr_equal(fake_request(SIP_BYE)->dialog, to);
		assert_int_equal(fake_media.open, 0);
		fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
		settle(rig);
		assert_int_equal(calls_count(rig->calls), 0);
	}
}

static void cancel_by_the_caller_cancels_the_callee(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER), *b;

	b = fake_request(SIP_INVITE)->txn;
	fake_response(b, 180, NULL);
	fake_event(a, SIP_TXN_CANCEL, NULL);
	assert_true(b->cancelled);
	fake_response(b, 487, NULL);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 0);
}

static void cancel_that_crosses_the_200_acks_and_ends_the_callee(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER), *b;

	b = fake_request(SIP_INVITE)->txn;
	fake_event(a, SIP_TXN_CANCEL, NULL);
	fake_response(b, 200, ANSWER);
	assert_int_equal(fake_count(SIP_ACK), 1);
	assert_int_equal(fake_count(SIP_BYE), 1);
}

static void no_ack_ends_both_sides(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_response(fake_request(SIP_INVITE)->txn, 200, ANSWER);
	fake_event(a, SIP_TXN_NO_ACK, NULL);
	assert_int_equal(fake_count(SIP_BYE), 2);
}

static void a_hangup_before_the_ack_waits_for_it(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER), *b;

	b = fake_request(SIP_INVITE)->txn;
	fake_response(b, 200, ANSWER);
	fake_in_dialog(b->dialog, SIP_BYE, &rig->flow_b, NULL);
	assert_int_equal(fake_count(SIP_BYE), 0);
	fake_event(a, SIP_TXN_ACK, NULL);
	assert_int_equal(fake_count(SIP_BYE), 1);
}

static void hanging_up_all_calls_says_bye_with_a_reason(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	establish(rig, &b);
	calls_hangup(rig->calls, "SIP;cause=503", "shutdown");
	assert_int_equal(fake_count(SIP_BYE), 2);
	assert_non_null(strstr(fake_last()->headers, "Reason: SIP;cause=503"));
	for (unsigned i = 0; i < fake.n; i++) {
		if (!fake.sent[i].status && fake.sent[i].method == SIP_BYE)
			fake_response(fake.sent[i].txn, 200, NULL);
	}
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 0);
}

static void silence_of_all_legs_ends_the_call(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	establish(rig, &b);
	pass(rig, SEC(50));
	assert_int_equal(fake_count(SIP_BYE), 0);
	fake_media.last->stats.last_in = clock_mono();
	pass(rig, SEC(50));
	assert_int_equal(fake_count(SIP_BYE), 0); /* one side still spoke */
	pass(rig, SEC(25));
	assert_int_equal(fake_count(SIP_BYE), 2);
}

static void a_held_call_may_be_silent_longer(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *change;

	change =
		fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	fake_response(fake_request(SIP_INVITE)->txn, 200, HOLD_ANSWER);
	fake_event(change, SIP_TXN_ACK, NULL);
	pass(rig, SEC(120));
	assert_int_equal(fake_count(SIP_BYE), 0);
	pass(rig, SEC(240));
	assert_int_equal(fake_count(SIP_BYE), 2);
}

static void the_last_forward_is_sent_with_none_left(void **state)
{
	struct rig *rig = *state;

	rig->max_forwards = 1;
	invite(rig, "101", OFFER);
	assert_int_equal(fake_request(SIP_INVITE)->max_forwards, -1);
}

static void an_invite_without_contact_is_400(void **state)
{
	struct rig *rig = *state;

	rig->no_contact = true;
	assert_null(invite(rig, "101", OFFER));
	assert_int_equal(fake_last()->status, 400);
}

static void an_endless_display_name_is_cut_between_characters(void **state)
{
	struct rig *rig = *state;
	char name[3000] = "a\rb";
	const char *crossed;

	for (size_t i = 3; i + 3 < sizeof(name); i += 2)
		memcpy(name + i, "\xc3\xa4", 2);
	rig->display = name;
	invite(rig, "101", OFFER);
	crossed = fake_request(SIP_INVITE)->dialog->local_display;
	assert_int_equal(strlen(crossed), 127);
	assert_int_equal((unsigned char)crossed[126], 0xa4);
	assert_memory_equal(crossed, "a b", 3);
}

static void the_trunks_target_has_its_user_escaped(void **state)
{
	struct rig *rig = *state;

	invite(rig, "0#21", OFFER);
	assert_string_equal(fake_request(SIP_INVITE)->dialog->target,
			    "sip:0%2321@198.51.100.5:5060");
}

static void a_call_whose_answer_cannot_be_acked_ends(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake.ack_error = -ENOTCONN;
	fake.request_error = -ENOTCONN;
	fake_response(fake_request(SIP_INVITE)->txn, 200, ANSWER);
	fake.request_error = 0;
	fake_event(a, SIP_TXN_ACK, NULL);
	assert_int_equal(fake_count(SIP_BYE), 1); /* to the caller */
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 0);
}

static void the_realm_is_that_of_the_socket_even_when_renamed(void **state)
{
	struct rig *rig = *state;

	bindings.list[0].realm = "old-name";
	invite(rig, "101", OFFER);
	assert_int_equal(fake_count(SIP_INVITE), 1);
}

static void the_winner_is_heard_whoever_was_early(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b[2];
	struct media_stream *winner;

	add_binding("sip:101@192.168.1.51", "192.0.2.3:40003");
	a = invite(rig, "101", OFFER);
	b[0] = fake.sent[1].txn;
	b[1] = fake.sent[2].txn;
	winner = fake_media.last;
	fake_response(b[0], 183, ANSWER);
	assert_null(winner->partner);
	fake_response(b[1], 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
	assert_non_null(winner->partner);
	assert_true(b[0]->cancelled);
	assert_int_equal(fake_media.open, 2);
}

static void the_caller_may_go_while_forks_ring(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b[2];

	add_binding("sip:101@192.168.1.51", "192.0.2.3:40003");
	a = invite(rig, "101", OFFER);
	b[0] = fake.sent[1].txn;
	b[1] = fake.sent[2].txn;
	fake_response(b[0], 180, NULL);
	fake_event(a, SIP_TXN_CANCEL, NULL);
	fake_response(b[1], 180, NULL); /* crossed our CANCEL */
	fake_response(b[0], 200, ANSWER);
	fake_response(b[1], 487, NULL);
	assert_int_equal(fake_count(SIP_BYE), 1);
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 0);
}

static void after_early_media_the_next_target_is_still_tried(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "0123", OFFER);

	fake_response(fake_request(SIP_INVITE)->txn, 183, ANSWER);
	fake_response(fake_request(SIP_INVITE)->txn, 503, NULL);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	fake_response(fake_request(SIP_INVITE)->txn, 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
	assert_non_null(fake_media.last->partner);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(an_offer_crosses_with_our_address_and_port),
		T(the_caller_gets_100_then_ringing_then_the_answer),
		T(max_forwards_is_copied_less_one),
		T(caller_id_replaces_the_from_user),
		T(a_late_offer_is_answered_by_the_callers_ack),
		T(a_late_offer_without_answer_ends_the_call),
		T(early_media_is_passed_and_bridged),
		T(both_sides_learn_where_the_other_wants_media),
		T(an_unknown_user_is_404_and_an_absent_phone_480),
		T(a_foreign_host_is_for_routes_only),
		T(a_callees_503_becomes_500),
		T(a_stranger_is_challenged),
		T(a_trunk_needs_no_password),
		T(a_body_that_is_no_session_is_refused),
		T(without_a_free_port_the_call_is_503),
		T(above_max_calls_it_is_503_with_retry_after),
		T(a_merged_request_is_482),
		T(the_callees_refusal_reaches_the_caller),
		T(a_callees_challenge_is_not_passed_on),
		T(ring_timeout_cancels_and_answers_408),
		T(a_dead_phone_does_not_hold_the_call_in_the_list),
		T(all_contacts_ring_and_the_first_answer_wins),
		T(a_200_that_crosses_our_cancel_is_acked_and_ended),
		T(the_best_refusal_of_all_forks_is_given),
		T(a_6xx_ends_the_search_at_once),
		T(a_dead_trunk_is_passed_over_for_the_next),
		T(a_trunks_404_is_the_answer),
		T(when_nothing_can_be_sent_the_caller_gets_503),
		T(bye_from_either_side_ends_both),
		T(cancel_by_the_caller_cancels_the_callee),
		T(cancel_that_crosses_the_200_acks_and_ends_the_callee),
		T(no_ack_ends_both_sides),
		T(a_hangup_before_the_ack_waits_for_it),
		T(hanging_up_all_calls_says_bye_with_a_reason),
		T(silence_of_all_legs_ends_the_call),
		T(a_held_call_may_be_silent_longer),
		T(the_last_forward_is_sent_with_none_left),
		T(an_invite_without_contact_is_400),
		T(an_endless_display_name_is_cut_between_characters),
		T(the_trunks_target_has_its_user_escaped),
		T(a_call_whose_answer_cannot_be_acked_ends),
		T(the_realm_is_that_of_the_socket_even_when_renamed),
		T(the_caller_may_go_while_forks_ring),
		T(after_early_media_the_next_target_is_still_tried),
		T(the_winner_is_heard_whoever_was_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
