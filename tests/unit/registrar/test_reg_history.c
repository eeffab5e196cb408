/*
 * test_reg_history.c - what the history is told of a binding's way, and when
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "reg_rig.h"

static void a_life_is_told_from_registered_to_gone(void **state)
{
	struct rig *rig = *state;
	struct told *t;

	send_it(rig);
	t = told("registered");
	assert_string_equal(t->event, "registered");
	assert_true(t->row.at == clock_wall());
	assert_int_equal(t->row.proved_at, 0);
	assert_true(t->row.expires_at == clock_wall() + SEC(300));
	assert_true(addr_equal(&t->row.source, &rig->flow.remote));
	assert_true(addr_equal(&t->row.local, &rig->flow.local));
	assert_non_null(strstr(t->reason, "192.168.1.50"));
	pass(rig, SEC(301));
	assert_string_equal(told("gone")->cause, "expired");
	assert_int_equal(store.n_told, 2);
}

static void a_row_says_when_the_way_was_proved_last(void **state)
{
	struct rig *rig = *state;
	struct keep_info *info;

	send_it(rig);
	pass(rig, SEC(100));
	info = &the_hold(rig)->info;
	info->heard = clock_mono() - SEC(12);
	info->sent = 7;
	info->unanswered = 3;
	info->n_rtt = 2;
	info->rtt_us[0] = 21000;
	info->rtt_us[1] = 19000;
	engine_says(rig, KEEP_LOST);
	assert_true(told("lost")->row.proved_at == clock_wall() - SEC(12));
	assert_int_equal(told("lost")->row.pings, 7);
	assert_int_equal(told("lost")->row.unanswered, 3);
	assert_int_equal(told("lost")->row.n_rtt, 2);
	assert_int_equal(told("lost")->row.rtt_us[0], 21000);
	/* The next row counts from there. */
	info->sent = 9;
	info->unanswered = 5;
	engine_says(rig, KEEP_BACK);
	assert_int_equal(told("back")->row.pings, 2);
	assert_int_equal(told("back")->row.unanswered, 2);
	assert_int_equal(store.n_told, 3);
}

static void the_last_register_proves_the_way_as_well(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	pass(rig, SEC(50));
	engine_says(rig, KEEP_LOST); /* it never answered anything */
	assert_true(told("lost")->row.proved_at == clock_wall() - SEC(50));
}

static void a_move_tells_the_old_flows_proof_and_the_new_flow(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	pass(rig, SEC(40));
	the_hold(rig)->info.sent = 3;
	the_hold(rig)->info.heard = clock_mono() - SEC(5);
	addr_set_port(&rig->flow.remote, 41000);
	prepare(rig);
	send_it(rig);
	assert_true(addr_equal(&told("moved")->row.source, &rig->flow.remote));
	assert_true(told("moved")->row.proved_at == clock_wall() - SEC(5));
	assert_int_equal(told("moved")->row.pings, 3);
	the_hold(rig)->info.sent = 2;
	engine_says(rig, KEEP_LOST);
	assert_int_equal(told("lost")->row.pings, 2);
}

static void lost_twice_is_told_once(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	engine_says(rig, KEEP_LOST);
	engine_says(rig, KEEP_LOST);
	engine_says(rig, KEEP_BACK);
	engine_says(rig, KEEP_BACK);
	assert_int_equal(times_told("lost"), 1);
	assert_int_equal(times_told("back"), 1);
}

static void learning_is_told_at_most_once_an_hour(void **state)
{
	struct rig *rig = *state;

	set_options(rig, "	option nat_expires '0'", "");
	for (int minute = 0; minute < 135; minute += 5) {
		prepare(rig);
		send_it(rig);
		engine_says(rig, KEEP_LEARNED);
		engine_says(rig, KEEP_LEARNED);
		pass(rig, SEC(300) - 500);
	}
	assert_int_equal(times_told("learned"), 3);
}

static void verdicts_are_told_at_most_once_an_hour(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	prepare(rig);
	rig->req.view.via.host = "192.168.1.50";
	rig->req.view.via.port = 5060;
	send_it(rig);
	assert_int_equal(times_told("verdict"), 1);
	prepare(rig);
	rig->req.view.via.rport = 9;
	send_it(rig);
	assert_int_equal(times_told("verdict"), 1);
	assert_int_equal(store.puts, 3); /* stored it is */
}

static void the_kind_of_nat_is_a_verdict_too(void **state)
{
	struct rig *rig = *state;
	struct nat_kind kind = {NAT_MAPPING_INDEPENDENT, NAT_FILTER_ANY};

	send_it(rig);
	the_hold(rig)->info.answered = 1;
	engine_says(rig, KEEP_PROVED);
	registrar_kind(rig->reg, nat.probed_id, &kind);
	assert_int_equal(times_told("verdict"), 1);
}

static void causes_of_an_end_are_told(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	prepare(rig);
	rig->contact.expires = 0;
	send_it(rig);
	assert_string_equal(told("gone")->cause, "unregistered");
	prepare(rig);
	send_it(rig);
	reload(rig, "config sbc 'global'\n	option schema '1'\n"
		    "config realm 'lan'\n"
		    "config phone '101'\n	option password 'x'\n");
	assert_string_equal(told("gone")->cause, "config");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_life_is_told_from_registered_to_gone),
		T(a_row_says_when_the_way_was_proved_last),
		T(the_last_register_proves_the_way_as_well),
		T(a_move_tells_the_old_flows_proof_and_the_new_flow),
		T(lost_twice_is_told_once),
		T(learning_is_told_at_most_once_an_hour),
		T(verdicts_are_told_at_most_once_an_hour),
		T(the_kind_of_nat_is_a_verdict_too),
		T(causes_of_an_end_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
