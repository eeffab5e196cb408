/*
 * test_restore.c - bindings that outlive the process, and what the store is
 * told when
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "reg_rig.h"

/* ---- restart ------------------------------------------------------------------------------ */

static void stored_bindings_are_back_after_a_restart(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	restart_with(rig, SEC(200));
	assert_int_equal(found(rig, b), 1);
	assert_true(sip_flow_equal(&b[0]->flow, &rig->flow));
	assert_true(b[0]->registered_at == clock_wall() - SEC(50));
	assert_int_equal(keepalive_flows(NULL), 1);
}

static void a_refresh_that_was_not_written_down_is_given_grace(void **state)
{
	struct rig *rig = *state;

	restart_with(rig, -SEC(50));
	assert_int_equal(registrar_count(rig->reg), 1);
	restart_with(rig, -SEC(80));
	assert_int_equal(registrar_count(rig->reg), 0);
	assert_int_equal(store.dels, 1);
}

static void a_clock_that_is_not_set_yet_loses_nothing(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	restart_with(rig, 1000ll * 86400000);
	assert_int_equal(found(rig, b), 1);
	assert_true(b[0]->expires <= clock_mono() + SEC(600));
}

static void a_phone_that_left_the_config_is_not_restored(void **state)
{
	struct rig *rig = *state;

	store.rows[0].phone = "999";
	restart_with(rig, SEC(200));
	store.rows[0].phone = "999";
	registrar_destroy(rig->reg);
	start(rig);
	assert_int_equal(registrar_count(rig->reg), 0);
}

static void holes_in_the_store_are_filled_from_memory(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	store.has_holes = true;
	pass(rig, SEC(3));
	assert_int_equal(store.puts, 2);
	assert_int_equal(store.resyncs, 1);
}

static void a_connection_does_not_survive_a_restart(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	rig->flow.transport = SIP_TCP;
	restart_with(rig, SEC(200));
	assert_int_equal(found(rig, b), 1); /* were it alive */
	assert_true(b[0]->lost);
	assert_int_equal(keepalive_flows(NULL), 0);
	assert_true(b[0]->flow.conn != 0);
	fake.dead_flow = b[0]->flow;
	assert_int_equal(found(rig, b), 0);
	/* The phone connects again. */
	rig->flow.conn = 9;
	prepare(rig);
	assert_int_equal(send_it(rig), 200);
	assert_false(the_binding(rig)->lost);
	assert_int_equal(keepalive_flows(NULL), 1);
}

/* ---- what is known of the way ------------------------------------------------------------ */

static void what_was_learned_is_stored_with_the_binding(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	assert_true(store.last_nat.flags & STORE_JUDGED);
	assert_true(store.last_nat.flags & STORE_BEHIND);
	assert_true(store.last_nat.evidence & 1u << NAT_CONTACT_PRIVATE);
	the_hold(rig)->info.learned = (struct nat_learned){
		.floor_s = 60,
		.ceiling_s = 90,
		.answers = true,
		.inbound_holds = true,
		.interval_ms = 48000,
		.phase_ms = 1234,
	};
	engine_says(rig, KEEP_LEARNED);
	assert_int_equal(store.puts, 2);
	assert_int_equal(store.last_nat.floor_s, 60);
	assert_int_equal(store.last_nat.ceiling_s, 90);
	assert_int_equal(store.last_nat.interval_ms, 48000);
	assert_int_equal(store.last_nat.phase_ms, 1234);
	assert_true(store.last_nat.flags & STORE_ANSWERS);
	assert_true(store.last_nat.flags & STORE_INBOUND_HOLDS);
}

static void a_restored_flow_goes_on_at_its_phase(void **state)
{
	struct rig *rig = *state;
	const struct keep_want *want;

	store.rows[0].nat = (struct store_nat){
		.evidence = 1u << NAT_CONTACT_PRIVATE,
		.alg = NAT_ALG_TRANSPARENT,
		.mapping = NAT_MAPPING_DEPENDENT,
		.filter = NAT_FILTER_PORT,
		.flags = STORE_JUDGED | STORE_BEHIND | STORE_ANSWERS,
		.floor_s = 30,
		.interval_ms = 24000,
		.phase_ms = 777,
	};
	restart_with(rig, SEC(200));
	want = &the_hold(rig)->want;
	assert_true(want->resumed);
	assert_true(want->careful);
	assert_int_equal(want->learned.phase_ms, 777);
	assert_int_equal(want->learned.interval_ms, 24000);
	assert_int_equal(want->learned.floor_s, 30);
	assert_true(want->learned.answers);
	assert_true(the_binding(rig)->nat.behind);
	assert_int_equal(the_binding(rig)->nat.alg, NAT_ALG_TRANSPARENT);
	assert_int_equal(the_binding(rig)->kind.filter, NAT_FILTER_PORT);
	/* The phone's next REGISTER is nothing new. */
	prepare(rig);
	rig->req.view.user_agent = NULL;
	send_it(rig);
	assert_int_equal(the_hold(rig)->refreshed, 1);
	assert_int_equal(the_hold(rig)->info.learned.phase_ms, 777);
}

static void a_row_from_another_time_says_nothing_of_nat(void **state)
{
	struct rig *rig = *state;

	store.rows[0].nat = (struct store_nat){
		.evidence = 1u << NAT_CONTACT_PRIVATE,
		.mapping = 99,
		.flags = STORE_JUDGED | STORE_BEHIND,
	};
	restart_with(rig, SEC(200));
	assert_false(the_binding(rig)->nat.behind);
	assert_int_equal(the_binding(rig)->nat.evidence, 0);
	store.rows[0].nat.mapping = 0;
	store.rows[0].nat.flags = STORE_BEHIND;
	restart_with(rig, SEC(200));
	assert_false(the_binding(rig)->nat.behind);
}

static void neither_pings_nor_refreshes_are_stored(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	for (int i = 0; i < 10; i++) {
		the_hold(rig)->info.sent += 10;
		the_hold(rig)->info.answered += 10;
		pass(rig, SEC(100));
		prepare(rig);
		send_it(rig);
	}
	assert_int_equal(store.puts, 1);
	assert_int_equal(store.refreshes, 10);
	assert_int_equal(store.n_told, 1);
}

/* ---- history of a restart ------------------------------------------------------------------ */

static void a_restart_is_told_of_each_binding(void **state)
{
	struct rig *rig = *state;
	wall_ms at = clock_wall();

	restart_with(rig, SEC(200));
	pass(rig, SEC(1));
	assert_int_equal(times_told("restored"), 1);
	assert_true(told("restored")->row.at == at);
	assert_true(told("restored")->row.proved_at == at - SEC(50));
	assert_string_equal(told("restored")->cause, "restart");
	assert_int_equal(told("restored")->row.binding, 7);
	pass(rig, SEC(5));
	assert_int_equal(times_told("restored"), 1);
}

static void a_restart_waits_for_room_in_the_store(void **state)
{
	struct rig *rig = *state;

	store.is_full = true;
	restart_with(rig, SEC(200));
	pass(rig, SEC(2));
	assert_int_equal(store.n_told, 0);
	store.is_full = false;
	pass(rig, SEC(1));
	assert_int_equal(times_told("restored"), 1);
}

static void what_expired_during_the_restart_is_told_as_gone(void **state)
{
	struct rig *rig = *state;

	restart_with(rig, -SEC(100));
	assert_string_equal(told("gone")->cause, "expired");
	assert_true(told("gone")->row.proved_at == clock_wall() - SEC(50));
}

static void a_connection_that_a_restart_closed_is_told_as_lost(void **state)
{
	struct rig *rig = *state;

	rig->flow.transport = SIP_TCP;
	restart_with(rig, SEC(200));
	pass(rig, SEC(1));
	assert_string_equal(told("lost")->cause, "restart");
	assert_int_equal(times_told("restored"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(stored_bindings_are_back_after_a_restart),
		T(a_refresh_that_was_not_written_down_is_given_grace),
		T(a_clock_that_is_not_set_yet_loses_nothing),
		T(a_phone_that_left_the_config_is_not_restored),
		T(holes_in_the_store_are_filled_from_memory),
		T(a_connection_does_not_survive_a_restart),
		T(what_was_learned_is_stored_with_the_binding),
		T(a_restored_flow_goes_on_at_its_phase),
		T(a_row_from_another_time_says_nothing_of_nat),
		T(neither_pings_nor_refreshes_are_stored),
		T(a_restart_is_told_of_each_binding),
		T(a_restart_waits_for_room_in_the_store),
		T(what_expired_during_the_restart_is_told_as_gone),
		T(a_connection_that_a_restart_closed_is_told_as_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
