/*
 * test_keepalive.c - one ping per flow, spread over the interval
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../fake_sip.h"
#include "nat/nat.h"

struct rig {
	struct loop *loop;
	struct keepalive *ka;
	struct sip_flow phone;
	unsigned pings;
	unsigned per_slot[100];
	mono_ms began;
};

enum { INTERVAL = 25000 };

static int ping(void *arg, const struct sip_flow *flow, enum keep_method method,
		const char *target, uint64_t token)
{
	struct rig *rig = arg;

	rig->pings++;
	rig->per_slot[(clock_mono() - rig->began) % INTERVAL * 100 /
		      INTERVAL]++;
	return 0;
}

static struct keep holds[5000];

static void hold(struct rig *rig, struct keep *k, unsigned interval_ms,
		 bool resumed)
{
	struct keep_want want = {.interval_ms = interval_ms,
				 .resumed = resumed};

	assert_int_equal(
		keepalive_hold(rig->ka, k, &rig->phone, KEEP_REG, &want), 0);
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	memset(holds, 0, sizeof(holds));
	clock_freeze(1000000, 1700000000000);
	rig->began = clock_mono();
	assert_int_equal(loop_create(&rig->loop), 0);
	struct keepalive_conf ka = {
		.loop = rig->loop, .ping = ping, .arg = rig};
	assert_int_equal(keepalive_create(&rig->ka, &ka), 0);
	addr_parse_port(&rig->phone.remote, "192.0.2.7:40112");
	addr_parse_port(&rig->phone.local, "203.0.113.10:5060");
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	keepalive_destroy(rig->ka);
	loop_destroy(rig->loop);
	clock_thaw();
	free(rig);
	return 0;
}

static void pass(struct rig *rig, int64_t ms)
{
	while (ms > 0) {
		clock_advance(50);
		loop_fire(rig->loop);
		ms -= 50;
	}
}

static void a_flow_is_pinged_once_per_interval(void **state)
{
	struct rig *rig = *state;

	hold(rig, &holds[0], INTERVAL, false);
	pass(rig, 4 * INTERVAL);
	assert_in_range(rig->pings, 4, 5);
}

static void one_ping_serves_every_reason(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < 3; i++)
		hold(rig, &holds[i], INTERVAL, false);
	assert_int_equal(keepalive_flows(rig->ka), 1);
	pass(rig, 2 * INTERVAL);
	assert_in_range(rig->pings, 2, 3);
}

static void pinging_stops_when_the_last_reason_goes(void **state)
{
	struct rig *rig = *state;
	unsigned before;

	hold(rig, &holds[0], INTERVAL, false);
	hold(rig, &holds[1], INTERVAL, false);
	keepalive_release(&holds[0]);
	pass(rig, INTERVAL);
	assert_true(rig->pings > 0);
	keepalive_release(&holds[1]);
	before = rig->pings;
	pass(rig, 3 * INTERVAL);
	assert_int_equal(rig->pings, before);
	assert_int_equal(keepalive_flows(rig->ka), 0);
}

static void releasing_what_is_not_held_is_harmless(void **state)
{
	struct rig *rig = *state;

	keepalive_release(&holds[0]);
	assert_int_equal(keepalive_flows(rig->ka), 0);
}

static void the_shortest_interval_counts(void **state)
{
	struct rig *rig = *state;

	hold(rig, &holds[0], INTERVAL, false);
	hold(rig, &holds[1], 10000, false);
	pass(rig, INTERVAL + 100000);
	assert_in_range(rig->pings, 10, 13);
}

static void many_flows_held_at_once_spread_over_the_interval(void **state)
{
	struct rig *rig = *state;
	unsigned most = 0;

	for (unsigned i = 0; i < 5000; i++) {
		addr_set_port(&rig->phone.remote, 1024 + i);
		hold(rig, &holds[i], INTERVAL, false);
	}
	pass(rig, INTERVAL);
	assert_in_range(rig->pings, 4990, 5010);
	for (int i = 0; i < 100; i++)
		most = rig->per_slot[i] > most ? rig->per_slot[i] : most;
	/* 50 in each slot on average; 100 would be 7 standard deviations. */
	assert_in_range(most, 50, 100);
}

static void a_resumed_flow_is_pinged_soon_and_then_in_its_place(void **state)
{
	struct rig *rig = *state;
	unsigned most = 0;

	for (unsigned i = 0; i < 5000; i++) {
		addr_set_port(&rig->phone.remote, 1024 + i);
		hold(rig, &holds[i], INTERVAL, true);
	}
	pass(rig, 4050);
	assert_in_range(rig->pings, 5000, 5500);
	pass(rig, INTERVAL + 4000);
	memset(rig->per_slot, 0, sizeof(rig->per_slot));
	rig->pings = 0;
	pass(rig, INTERVAL);
	assert_in_range(rig->pings, 4990, 5010);
	for (int i = 0; i < 100; i++)
		most = rig->per_slot[i] > most ? rig->per_slot[i] : most;
	assert_in_range(most, 50, 110);
}

static void flows_on_another_local_socket_are_others(void **state)
{
	struct rig *rig = *state;

	hold(rig, &holds[0], INTERVAL, false);
	addr_set_port(&rig->phone.local, 5062);
	hold(rig, &holds[1], INTERVAL, false);
	assert_int_equal(keepalive_flows(rig->ka), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_flow_is_pinged_once_per_interval),
		T(one_ping_serves_every_reason),
		T(pinging_stops_when_the_last_reason_goes),
		T(releasing_what_is_not_held_is_harmless),
		T(the_shortest_interval_counts),
		T(many_flows_held_at_once_spread_over_the_interval),
		T(a_resumed_flow_is_pinged_soon_and_then_in_its_place),
		T(flows_on_another_local_socket_are_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
