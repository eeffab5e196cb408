/*
 * test_wheel.c - slots are handed out evenly, and each node runs once
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/rand.h"
#include "nat/wheel.h"

enum { NODES = 10000, INTERVAL = 300 /* slots */ };

struct rig {
	struct wheel wheel;
	struct wheel_node nodes[NODES];
	unsigned ran, again_after;
	int64_t slots[NODES]; /* that a node ran in */
	struct wheel_node *victim;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	wheel_init(&rig->wheel, 1000);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void on_run(void *arg, struct wheel_node *node)
{
	struct rig *rig = arg;

	rig->ran++;
	rig->slots[node - rig->nodes] = node->slot;
	if (rig->victim)
		wheel_remove(&rig->wheel, rig->victim);
	if (rig->again_after)
		wheel_set_at(&rig->wheel, node, node->slot,
			     node->slot + rig->again_after);
}

static unsigned busiest(const struct rig *rig)
{
	unsigned most = 0;

	for (int i = 0; i < WHEEL_SLOTS; i++)
		if (rig->wheel.load[i] > most)
			most = rig->wheel.load[i];
	return most;
}

static void a_node_runs_in_its_slot_and_once(void **state)
{
	struct rig *rig = *state;

	wheel_set_at(&rig->wheel, &rig->nodes[0], 1000, 1007);
	assert_int_equal(wheel_next(&rig->wheel), 1007);
	wheel_run(&rig->wheel, 1006, on_run, rig);
	assert_int_equal(rig->ran, 0);
	wheel_run(&rig->wheel, 1007, on_run, rig);
	assert_int_equal(rig->ran, 1);
	wheel_run(&rig->wheel, 9000, on_run, rig);
	assert_int_equal(rig->ran, 1);
	assert_true(wheel_next(&rig->wheel) == INT64_MAX);
}

static void the_next_slot_is_found_from_everywhere(void **state)
{
	struct rig *rig = *state;

	for (int64_t at = 1000; at < 1000 + 2 * WHEEL_SLOTS; at += 61) {
		wheel_run(&rig->wheel, at, on_run, rig);
		for (int64_t ahead = 1; ahead <= WHEEL_FAR_SLOTS; ahead += 97) {
			wheel_set_at(&rig->wheel, &rig->nodes[0], at,
				     at + ahead);
			assert_int_equal(wheel_next(&rig->wheel), at + ahead);
			wheel_remove(&rig->wheel, &rig->nodes[0]);
		}
	}
}

static void nothing_runs_twice_however_late_we_are(void **state)
{
	struct rig *rig = *state;

	rig->again_after = INTERVAL;
	for (int i = 0; i < 10; i++)
		wheel_set_at(&rig->wheel, &rig->nodes[i], 1000, 1001 + i);
	/* Their next slots lie in the past as well: they come next time. */
	wheel_run(&rig->wheel, 50000, on_run, rig);
	assert_int_equal(rig->ran, 10);
	wheel_run(&rig->wheel, 50001, on_run, rig);
	assert_int_equal(rig->ran, 20);
}

static void a_node_may_remove_its_neighbour_while_it_runs(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < 3; i++)
		wheel_set_at(&rig->wheel, &rig->nodes[i], 1000, 1005);
	rig->victim = &rig->nodes[1];
	wheel_run(&rig->wheel, 1005, on_run, rig);
	assert_in_range(rig->ran, 2, 3);
	assert_int_equal(rig->wheel.n, 0);
	assert_null(rig->nodes[1].at);
	assert_int_equal(busiest(rig), 0);
}

static void the_far_horizon_is_reached_after_a_long_sleep(void **state)
{
	struct rig *rig = *state;

	wheel_set_at(&rig->wheel, &rig->nodes[0], 1000, 3900);
	wheel_set_at(&rig->wheel, &rig->nodes[1], 3800, 6800);
	assert_int_equal(rig->nodes[1].slot, 6800);
	wheel_run(&rig->wheel, 3900, on_run, rig);
	assert_int_equal(rig->ran, 1);
	wheel_run(&rig->wheel, 6799, on_run, rig);
	assert_int_equal(rig->ran, 1);
	wheel_run(&rig->wheel, 6800, on_run, rig);
	assert_int_equal(rig->ran, 2);
}

static void the_past_is_the_next_slot(void **state)
{
	struct rig *rig = *state;

	wheel_set_at(&rig->wheel, &rig->nodes[0], 1000, 3);
	assert_int_equal(rig->nodes[0].slot, 1001);
}

static void ten_thousand_at_once_are_spread_to_the_mean(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < NODES; i++) {
		wheel_pace(&rig->wheel, &rig->nodes[i],
			   INTERVAL * WHEEL_SLOT_MS);
		wheel_set(&rig->wheel, &rig->nodes[i], 1000, 1001,
			  1000 + INTERVAL);
	}
	assert_in_range(busiest(rig), NODES / INTERVAL, NODES / INTERVAL + 1);
}

static void a_free_slot_is_taken_late_and_a_full_one_never(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < 20; i++)
		assert_int_equal(wheel_set(&rig->wheel, &rig->nodes[i], 1000,
					   1010, 1010),
				 i < 8); /* few are no burst */
	wheel_set(&rig->wheel, &rig->nodes[20], 1000, 1005, 1010);
	assert_int_equal(rig->nodes[20].slot, 1009);
	assert_true(wheel_is_crowded(&rig->wheel, 1010));
	assert_false(wheel_is_crowded(&rig->wheel, 1009));
}

static void the_mean_follows_who_comes_and_goes(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < NODES; i++)
		wheel_pace(&rig->wheel, &rig->nodes[i], 10000 + 100 * (i % 50));
	for (int i = 0; i < NODES; i++)
		wheel_pace(&rig->wheel, &rig->nodes[i], 20000);
	for (int i = 0; i < NODES; i++)
		wheel_pace(&rig->wheel, &rig->nodes[i], 0);
	assert_int_equal(rig->wheel.pace, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_node_runs_in_its_slot_and_once),
		T(the_next_slot_is_found_from_everywhere),
		T(nothing_runs_twice_however_late_we_are),
		T(a_node_may_remove_its_neighbour_while_it_runs),
		T(the_far_horizon_is_reached_after_a_long_sleep),
		T(the_past_is_the_next_slot),
		T(ten_thousand_at_once_are_spread_to_the_mean),
		T(a_free_slot_is_taken_late_and_a_full_one_never),
		T(the_mean_follows_who_comes_and_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
