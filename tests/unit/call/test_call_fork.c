/*
 * test_call_fork.c - the ways to a phone: alternatives, forks that follow it,
 * dialogs that move, and what holds them open
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_rig.h"

/* @b registers again from @port. */
static struct sip_flow rebind(struct rig *rig, struct binding *b, unsigned port)
{
	struct sip_flow from = b->to;

	addr_set_port(&b->flow.remote, port);
	b->to = b->flow;
	calls_follow(rig->calls, b, &from);
	return from;
}

static struct sip_txn *asked(unsigned nth)
{
	for (unsigned i = 0; i < fake.n; i++) {
		if (!fake.sent[i].status && fake.sent[i].method == SIP_INVITE &&
		    nth-- == 0)
			return fake.sent[i].txn;
	}
	return NULL;
}

static unsigned port_of(const struct sip_txn *txn)
{
	return addr_port(&txn->dialog->conf.flow.remote);
}

/* ---- a phone that comes back ---------------------------------------------------- */

static void an_unheard_invite_goes_out_again_along_the_new_flow(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	pass(rig, SEC(8));
	bindings.list[0].contact = "sip:101@192.168.1.50:5062";
	rebind(rig, &bindings.list[0], 41000);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	assert_int_equal(port_of(asked(1)), 41000);
	assert_string_equal(asked(1)->dialog->target,
			    "sip:101@192.168.1.50:5062");
	assert_true(asked(0)->cancelled);
	assert_int_equal(fake_media.open, 2); /* caller and one fork */
	fake_response(asked(1), 180, NULL);
	fake_response(asked(1), 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
	fake_event(a, SIP_TXN_ACK, NULL);
	/* Nothing is left of the first one but its transaction. */
	fake_no_response(asked(0), 408);
	settle(rig);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
	assert_null(call_leg(the_call(rig), 2));
}

static void one_that_rings_is_not_asked_twice(void **state)
{
	struct rig *rig = *state;

	invite(rig, "101", OFFER);
	fake_response(asked(0), 180, NULL);
	rebind(rig, &bindings.list[0], 41000);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	assert_int_equal(port_of(asked(0)), 41000); /* CANCEL, ACK follow */
}

static void nor_is_one_that_said_100(void **state)
{
	struct rig *rig = *state;

	invite(rig, "101", OFFER);
	fake_response(asked(0), 100, NULL);
	rebind(rig, &bindings.list[0], 41000);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	assert_int_equal(port_of(asked(0)), 41000);
}

static void it_may_move_again_and_again(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	for (unsigned i = 0; i < 20; i++)
		rebind(rig, &bindings.list[0], 41000 + i);
	assert_int_equal(fake_count(SIP_INVITE), 21);
	assert_int_equal(fake_media.open, 2);
	for (unsigned i = 0; i < 20; i++)
		assert_true(asked(i)->cancelled);
	assert_false(asked(20)->cancelled);
	for (unsigned i = 0; i < 20; i++)
		fake_no_response(asked(i), 408);
	/* Their ends are nobody's refusal. */
	assert_int_equal(fake_answer(a)->status, 100);
	fake_response(asked(20), 486, NULL);
	assert_int_equal(fake_answer(a)->status, 486);
}

static void with_too_many_waiting_the_last_one_stays(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER), *last;

	for (unsigned i = 0; i < 40; i++)
		rebind(rig, &bindings.list[0], 41000 + i);
	last = fake_request(SIP_INVITE)->txn;
	assert_int_equal(fake_count(SIP_INVITE), 32);
	assert_false(last->cancelled);
	assert_int_equal(port_of(last), 41039);
	fake_response(last, 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
}

static void a_first_fork_that_answers_late_is_hung_up(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	rebind(rig, &bindings.list[0], 41000);
	fake_response(asked(0), 200, ANSWER);
	assert_int_equal(fake_count(SIP_ACK), 1);
	assert_ptr_equal(fake_request(SIP_BYE)->dialog, asked(0)->dialog);
	assert_int_equal(fake_answer(a)->status, 100);
	fake_response(asked(1), 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
}

static void when_the_new_fork_cannot_be_sent_the_old_one_stays(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_media.next_port = 0;
	rebind(rig, &bindings.list[0], 41000);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	assert_false(asked(0)->cancelled);
	fake_response(asked(0), 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
}

static void a_call_waits_for_a_phone_that_may_come_back(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_no_response(asked(0), 408);
	assert_int_equal(fake_nat.missed, 1);
	assert_int_equal(fake_answer(a)->status, 100);
	pass(rig, SEC(10));
	assert_int_equal(calls_count(rig->calls), 1);
	rebind(rig, &bindings.list[0], 41000);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	fake_response(asked(1), 180, NULL);
	assert_int_equal(fake_answer(a)->status, 180);
	fake_response(asked(1), 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
}

static void it_waits_no_longer_than_the_ring_timeout(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_no_response(asked(0), 503);
	pass(rig, SEC(21));
	assert_int_equal(fake_answer(a)->status, 408);
	assert_int_equal(calls_count(rig->calls), 0);
	rebind(rig, &bindings.list[0], 41000);
	assert_int_equal(fake_count(SIP_INVITE), 1);
}

static void nobody_waits_for_a_dead_neighbour(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a;

	rig->on_link = true;
	a = invite(rig, "101", OFFER);
	fake_no_response(asked(0), 408);
	assert_int_equal(fake_answer(a)->status, 408);
}

static void nor_when_somebody_said_no(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a;

	add_binding("sip:101@192.168.1.51", "192.0.2.3:5060");
	a = invite(rig, "101", OFFER);
	fake_response(asked(1), 486, NULL);
	fake_no_response(asked(0), 408);
	assert_int_equal(fake_answer(a)->status, 486);
}

static void a_caller_who_waits_may_go(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_no_response(asked(0), 408);
	fake_event(a, SIP_TXN_CANCEL, NULL);
	rebind(rig, &bindings.list[0], 41000);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 0);
}

/* ---- a phone that moves while something else is under way ------------------------ */

static void a_cancelled_fork_is_not_asked_again(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_event(a, SIP_TXN_CANCEL, NULL);
	settle(rig);
	rebind(rig, &bindings.list[0], 41000);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	/* It answers all the same: its BYE goes where the phone is. */
	fake_response(asked(0), 200, ANSWER);
	assert_int_equal(fake_count(SIP_BYE), 1);
	assert_int_equal(port_of(fake_request(SIP_BYE)->txn), 41000);
}

static void a_phone_may_move_between_its_200_and_the_callers_ack(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", NULL);

	fake_response(asked(0), 200, ANSWER); /* waits for the answer in ACK */
	rebind(rig, &bindings.list[0], 41000);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	fake_event(a, SIP_TXN_ACK, OFFER);
	assert_int_equal(fake_count(SIP_ACK), 1);
	assert_int_equal(
		addr_port(&fake_request(SIP_ACK)->dialog->conf.flow.remote),
		41000);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
}

static void
a_call_whose_bye_is_lost_is_over_and_tells_who_comes_back(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b);

	fake_in_dialog(a->dialog, SIP_BYE, &rig->flow_a, NULL);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 1);
	fake_no_response(fake_request(SIP_BYE)->txn, 408);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 0);
	pass(rig, SEC(20));
	rebind(rig, &bindings.list[0], 41000);
	assert_int_equal(fake_count(SIP_BYE), 2);
	assert_int_equal(port_of(fake_request(SIP_BYE)->txn), 41000);
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
	settle(rig);
	assert_true(b->dialog->destroyed);
}

static void only_the_dialogs_of_that_phone_follow(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	establish(rig, &b);
	/* The port was 101's; after the restart another phone had it. */
	bindings.phone = "100";
	rebind(rig, &bindings.list[0], 41000);
	assert_int_equal(port_of(b), 40002);
}

static void a_caller_that_moves_takes_its_dialog_along(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b);
	struct binding caller = {.id = 77, .flow = rig->flow_a};

	bindings.phone = "100";
	addr_set_port(&caller.flow.remote, 42000);
	caller.to = caller.flow;
	calls_follow(rig->calls, &caller, &rig->flow_a);
	assert_int_equal(port_of(a), 42000);
	assert_int_equal(port_of(b), 40002);
	assert_int_equal(fake_count(SIP_INVITE), 1);
}

/* ---- several flows of one device (RFC 5626) --------------------------------------- */

static void two_ways(struct rig *rig)
{
	add_binding("sip:101@192.168.1.50:5060", "192.0.2.2:40009");
	bindings.list[0].instance = bindings.list[1].instance = "urn:uuid:1";
}

static void a_device_rings_once(void **state)
{
	struct rig *rig = *state;

	two_ways(rig);
	add_binding("sip:101@192.168.1.52", "192.0.2.4:5060");
	invite(rig, "101", OFFER);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	assert_int_equal(port_of(asked(0)), 40002);
	assert_int_equal(port_of(asked(1)), 5060);
}

static void a_dead_flow_leads_to_the_next_of_its_device(void **state)
{
	static const int dead[] = {430, 408, 503};

	struct rig *rig = *state;

	two_ways(rig);
	for (unsigned i = 0; i < 3; i++) {
		struct sip_txn *a;

		fake.n = 0;
		a = invite(rig, "101", OFFER);
		if (dead[i] == 430)
			fake_response(asked(0), 430, NULL);
		else
			fake_no_response(asked(0), dead[i]);
		assert_int_equal(fake_count(SIP_INVITE), 2);
		assert_int_equal(port_of(asked(1)), 40009);
		fake_response(asked(1), 486, NULL);
		assert_int_equal(fake_answer(a)->status, 486);
		settle(rig);
	}
}

static void a_user_who_says_no_is_not_asked_by_another_way(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a;

	two_ways(rig);
	a = invite(rig, "101", OFFER);
	fake_response(asked(0), 486, NULL);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	assert_int_equal(fake_answer(a)->status, 486);
}

static void a_way_that_has_closed_meanwhile_is_left_out(void **state)
{
	struct rig *rig = *state;

	two_ways(rig);
	add_binding("sip:101@192.168.1.50:5060", "192.0.2.2:40010");
	bindings.list[2].instance = "urn:uuid:1";
	invite(rig, "101", OFFER);
	fake.dead_flow = bindings.list[1].to;
	fake_no_response(asked(0), 503);
	assert_int_equal(port_of(asked(1)), 40010);
}

static void a_way_that_refuses_to_send_leads_to_the_next(void **state)
{
	struct rig *rig = *state;

	two_ways(rig);
	bindings.list[0].to.conn = bindings.list[0].flow.conn = 7;
	fake.closed_conn = 7;
	invite(rig, "101", OFFER);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	assert_int_equal(port_of(asked(0)), 40009);
}

static void requests_go_where_the_binding_says(void **state)
{
	struct rig *rig = *state;

	addr_set_port(&bindings.list[0].to.remote, 5099);
	invite(rig, "101", OFFER);
	assert_int_equal(port_of(asked(0)), 5099);
	/* And come from where it registered. */
	fake_response(asked(0), 200, ANSWER);
	fake_in_dialog(asked(0)->dialog, SIP_BYE, &bindings.list[0].flow, NULL);
	assert_int_equal(call_state(the_call(rig)), CALL_ENDING);
}

static void a_430_is_not_the_callers_business(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_response(asked(0), 430, NULL);
	assert_int_equal(fake_answer(a)->status, 480);
}

/* ---- what holds the flows open ------------------------------------------------------ */

static void
all_forks_that_ring_are_held_and_then_the_one_that_answered(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a;

	add_binding("sip:101@192.168.1.51", "192.0.2.3:5060");
	add_binding("sip:101@192.168.1.52", "192.0.2.4:5060");
	add_binding("sip:101@192.168.1.53", "192.0.2.5:5060");
	a = invite(rig, "101", OFFER);
	assert_int_equal(fake_nat.held, 1); /* the caller's */
	for (unsigned i = 0; i < 4; i++)
		fake_response(asked(i), 180, NULL);
	assert_int_equal(fake_nat.held, 5);
	fake_response(asked(2), 200, ANSWER);
	assert_int_equal(fake_nat.held, 2);
	fake_event(a, SIP_TXN_ACK, NULL);
	fake_in_dialog(a->dialog, SIP_BYE, &rig->flow_a, NULL);
	assert_int_equal(fake_nat.held, 0);
}

static void what_the_registration_showed_goes_with_the_leg(void **state)
{
	struct rig *rig = *state;

	bindings.list[0].nat = (struct nat_verdict){.evidence = 2};
	invite(rig, "101", OFFER);
	assert_int_equal(leg_nat(call_leg(the_call(rig), 1))->evidence, 2);
}

/* ---- requests from elsewhere ---------------------------------------------------------- */

static void a_callee_proves_itself_for_any_request_and_is_followed(void **state)
{
	static const enum sip_method methods[] = {SIP_INFO, SIP_INVITE,
						  SIP_OPTIONS, SIP_BYE};
	struct rig *rig = *state;
	struct sip_flow elsewhere = rig->flow_b;
	struct sip_txn *b, *in;

	establish(rig, &b);
	for (unsigned i = 0; i < 4; i++) {
		addr_set_port(&elsewhere.remote, 43000 + i);
		fake.verdict = SIP_AUTH_NONE;
		in = fake_in_dialog(b->dialog, methods[i], &elsewhere, OFFER);
		assert_int_equal(fake_answer(in)->status, 401);
		assert_int_not_equal(port_of(b), 43000 + i);
		fake.verdict = SIP_AUTH_OK;
		fake.auth_user = "101";
		in = fake_in_dialog(b->dialog, methods[i], &elsewhere, OFFER);
		assert_int_equal(port_of(b), 43000 + i);
		assert_int_equal(fake_nat.held, methods[i] == SIP_BYE ? 0 : 2);
		if (methods[i] == SIP_INVITE)
			fake_response(fake_request(SIP_INVITE)->txn, 488, NULL);
	}
	assert_int_equal(fake_answer(in)->status, 200);
	assert_int_equal(call_state(the_call(rig)), CALL_ENDING);
}

static void an_ack_from_elsewhere_moves_nothing(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);
	struct sip_view ack = {.method = SIP_ACK, .flow = rig->flow_a};

	fake_response(asked(0), 200, ANSWER);
	addr_set_port(&ack.flow.remote, 666);
	fake_nat.judged = 0;
	a->on_event(a->arg, a, SIP_TXN_ACK, &ack);
	assert_int_equal(port_of(a), 40001);
	assert_int_equal(fake_nat.judged, 0);
}

/* ---- a registrar behind which we stand -------------------------------------------- */

/* Trunk itsp is believed, and the registrar of the realm. */
static void believe_trunk(struct rig *rig)
{
	struct conf_errors errs = {0};

	config_unref(rig->config);
	assert_int_equal(
		config_parse(&rig->config, "test",
			     STR("config sbc 'global'\n	option schema '1'\n"
				 "config realm 'lan'\n"
				 "	option registrar 'itsp'\n"
				 "config phone '100'\n	option password 'x'\n"
				 "config phone '101'\n	option password 'x'\n"
				 "config trunk 'itsp'\n	option realm 'lan'\n"
				 "	option host '198.51.100.5'\n"
				 "	option trust 'source'\n"
				 "config route 'out'\n	option match '0.'\n"
				 "	list to 'itsp'\n"),
			     &errs),
		0);
	known = rig->config;
	calls_set_config(rig->calls, rig->config);
}

static void a_token_rings_its_phone_and_no_other(void **state)
{
	struct rig *rig = *state;

	believe_trunk(rig);
	add_binding("sip:101@192.168.1.51:5060", "192.0.2.3:40003");
	addr_parse_port(&rig->flow_a.remote, "198.51.100.5:5060");
	invite(rig, "token-2", OFFER);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	assert_string_equal(fake_request(SIP_INVITE)->dialog->target,
			    "sip:101@192.168.1.51:5060");
	assert_string_equal(fake_request(SIP_INVITE)->dialog->conf.remote_user,
			    "101");
}

static void two_tokens_of_one_invite_are_two_calls(void **state)
{
	struct rig *rig = *state;

	believe_trunk(rig);
	add_binding("sip:101@192.168.1.51:5060", "192.0.2.3:40003");
	addr_parse_port(&rig->flow_a.remote, "198.51.100.5:5060");
	invite(rig, "token-1", OFFER);
	rig->invites--; /* the same Call-ID and CSeq */
	assert_non_null(invite(rig, "token-2", OFFER));
	assert_int_equal(fake_count(SIP_INVITE), 2);
	rig->invites--;
	assert_null(invite(rig, "token-2", OFFER)); /* and this is merged */
	assert_int_equal(fake_last()->status, 482);
}

static void a_phone_cannot_call_a_token(void **state)
{
	struct rig *rig = *state;

	believe_trunk(rig);
	assert_null(invite(rig, "token-1", OFFER));
	assert_int_equal(fake_last()->status, 404);
}

static void calls_to_the_registrar_take_its_service_route(void **state)
{
	struct rig *rig = *state;

	believe_trunk(rig);
	invite(rig, "0123", OFFER);
	assert_non_null(strstr(fake_request(SIP_INVITE)->headers,
			       "Route: <sip:198.51.100.5;lr>\n"));
}

static const char *shown_user(void)
{
	return fake_request(SIP_INVITE)->dialog->conf.credentials.user;
}

static void the_registrar_alone_is_shown_who_calls(void **state)
{
	struct rig *rig = *state;

	believe_trunk(rig);
	invite(rig, "0123", OFFER);
	assert_string_equal(shown_user(), "100");
	assert_string_equal(
		fake_request(SIP_INVITE)->dialog->conf.credentials.password,
		"x");
	invite(rig, "101", OFFER); /* a phone */
	assert_string_equal(fake_request(SIP_INVITE)->dialog->conf.remote_user,
			    "101");
	assert_null(shown_user());
}

/* His account pays, as it does when he hands the call on. */
static void who_redirects_is_shown_in_place_of_the_caller(void **state)
{
	struct sip_contact to = {.uri = "sip:0123@sbc", .q = 1000};
	struct rig *rig = *state;
	struct sip_txn *b;
	struct sip_view view;

	believe_trunk(rig);
	invite(rig, "101", OFFER);
	b = fake_request(SIP_INVITE)->txn;
	view = (struct sip_view){
		.status = 302,
		.to_tag = "peer",
		.flow = b->dialog->conf.flow,
		.contacts = &to,
		.n_contacts = 1,
		.expires = -1,
		.retry_after = -1,
	};
	fake_response_view(b, &view);
	assert_ptr_not_equal(fake_request(SIP_INVITE)->txn, b);
	assert_string_equal(shown_user(), "101");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(an_unheard_invite_goes_out_again_along_the_new_flow),
		T(one_that_rings_is_not_asked_twice),
		T(nor_is_one_that_said_100),
		T(it_may_move_again_and_again),
		T(with_too_many_waiting_the_last_one_stays),
		T(a_first_fork_that_answers_late_is_hung_up),
		T(when_the_new_fork_cannot_be_sent_the_old_one_stays),
		T(a_call_waits_for_a_phone_that_may_come_back),
		T(it_waits_no_longer_than_the_ring_timeout),
		T(nobody_waits_for_a_dead_neighbour),
		T(nor_when_somebody_said_no),
		T(a_caller_who_waits_may_go),
		T(a_cancelled_fork_is_not_asked_again),
		T(a_phone_may_move_between_its_200_and_the_callers_ack),
		T(a_call_whose_bye_is_lost_is_over_and_tells_who_comes_back),
		T(only_the_dialogs_of_that_phone_follow),
		T(a_caller_that_moves_takes_its_dialog_along),
		T(a_device_rings_once),
		T(a_dead_flow_leads_to_the_next_of_its_device),
		T(a_user_who_says_no_is_not_asked_by_another_way),
		T(a_way_that_has_closed_meanwhile_is_left_out),
		T(a_way_that_refuses_to_send_leads_to_the_next),
		T(requests_go_where_the_binding_says),
		T(a_430_is_not_the_callers_business),
		T(all_forks_that_ring_are_held_and_then_the_one_that_answered),
		T(what_the_registration_showed_goes_with_the_leg),
		T(a_callee_proves_itself_for_any_request_and_is_followed),
		T(an_ack_from_elsewhere_moves_nothing),
		T(a_token_rings_its_phone_and_no_other),
		T(two_tokens_of_one_invite_are_two_calls),
		T(a_phone_cannot_call_a_token),
		T(calls_to_the_registrar_take_its_service_route),
		T(the_registrar_alone_is_shown_who_calls),
		T(who_redirects_is_shown_in_place_of_the_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
