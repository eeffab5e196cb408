/*
 * test_ports.c - random order, rest, shortage, ports that others use
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/ports.h"

enum { REST_MS = 60000, START = 1000000 };

static struct ports *ports_of(uint16_t min, uint16_t max)
{
	struct ports *p;

	assert_int_equal(ports_create(&p, min, max, REST_MS), 0);
	return p;
}

static uint16_t take(struct ports *p, mono_ms now)
{
	uint16_t port;

	assert_int_equal(ports_take(p, now, &port), 0);
	return port;
}

static void pairs_begin_even_and_end_inside_the_range(void **state)
{
	struct ports *p = ports_of(20001, 20006); /* 20002/3, 20004/5 */
	uint16_t first = take(p, START), second = take(p, START), none;

	assert_int_equal(first + second, 20002 + 20004);
	assert_true(first % 2 == 0);
	assert_int_equal(ports_take(p, START, &none), -EADDRNOTAVAIL);
	ports_destroy(p);
}

static void range_without_a_whole_pair_is_refused(void **state)
{
	struct ports *p;

	assert_int_equal(ports_create(&p, 20001, 20002, 0), -EINVAL);
	assert_int_equal(ports_create(&p, 20000, 20000, 0), -EINVAL);
	assert_int_equal(ports_create(&p, 20010, 20000, 0), -EINVAL);
	assert_int_equal(ports_create(&p, 0, 20000, 0), -EINVAL);
}

static void whole_port_space_can_be_used(void **state)
{
	struct ports *p = ports_of(1, 65535);
	static bool taken[65536];

	memset(taken, 0, sizeof(taken));
	for (int i = 0; i < 32767; i++) {
		uint16_t port = take(p, START);

		assert_true(port >= 2 && port % 2 == 0 && !taken[port]);
		taken[port] = true;
	}
	assert_int_equal(ports_free(p), 0);
	ports_destroy(p);
}

static void order_is_random(void **state)
{
	struct ports *p = ports_of(20000, 39999);
	int ascending = 0;
	uint16_t last = take(p, START);

	for (int i = 0; i < 1000; i++) {
		uint16_t port = take(p, START);

		ascending += port > last;
		last = port;
	}
	/* 500 expected; the bounds are 12 standard deviations of it away. */
	assert_in_range(ascending, 300, 700);
	ports_destroy(p);
}

static void pair_is_not_taken_again_while_it_rests(void **state)
{
	for (int i = 0; i < 20; i++) {
		struct ports *p = ports_of(20000, 20003);
		uint16_t used = take(p, START);

		ports_rest(p, used, START);
		assert_int_not_equal(take(p, START + REST_MS - 1), used);
		assert_int_equal(ports_shortened(p), 0);
		ports_destroy(p);
	}
}

static void pair_is_fresh_after_its_rest(void **state)
{
	struct ports *p = ports_of(20000, 20001);

	ports_rest(p, take(p, START), START);
	assert_int_equal(take(p, START + REST_MS), 20000);
	assert_int_equal(ports_shortened(p), 0);
	ports_destroy(p);
}

static void longest_rested_is_taken_early_and_counted(void **state)
{
	struct ports *p = ports_of(20000, 20005);
	uint16_t a = take(p, START), b = take(p, START), c = take(p, START);

	ports_rest(p, b, START + 1);
	ports_rest(p, c, START + 2);
	ports_rest(p, a, START + 3);
	assert_int_equal(take(p, START + 10), b);
	assert_int_equal(take(p, START + 10), c);
	assert_int_equal(ports_shortened(p), 2);
	ports_destroy(p);
}

static void without_rest_nothing_is_counted_as_early(void **state)
{
	struct ports *p;

	assert_int_equal(ports_create(&p, 20000, 20001, 0), 0);
	for (int i = 0; i < 5; i++)
		ports_rest(p, take(p, START), START);
	assert_int_equal(ports_shortened(p), 0);
	ports_destroy(p);
}

static void refused_only_when_every_pair_is_taken(void **state)
{
	struct ports *p = ports_of(20000, 20003);
	uint16_t a = take(p, START), b = take(p, START), port;

	assert_int_equal(ports_take(p, START, &port), -EADDRNOTAVAIL);
	ports_rest(p, a, START);
	assert_int_equal(take(p, START), a);
	ports_busy(p, b, START);
	assert_int_equal(take(p, START), b);
	ports_destroy(p);
}

static void busy_pair_is_tried_last(void **state)
{
	struct ports *p = ports_of(20000, 20003);
	uint16_t busy = take(p, START), other = take(p, START);

	ports_busy(p, busy, START);
	ports_rest(p, other, START + 1);
	assert_int_equal(take(p, START + 2), other);
	assert_int_equal(take(p, START + 2), busy);
	ports_destroy(p);
}

static void busy_pair_counts_as_fresh_after_a_while(void **state)
{
	struct ports *p = ports_of(20000, 20003);
	uint16_t busy = take(p, START), other = take(p, START);

	ports_busy(p, busy, START);
	ports_rest(p, other, START);
	assert_int_equal(take(p, START + 10000), busy);
	assert_int_equal(ports_shortened(p), 0);
	ports_destroy(p);
}

static void giving_back_twice_is_harmless(void **state)
{
	struct ports *p = ports_of(20000, 20001);
	uint16_t port = take(p, START), none;

	ports_rest(p, port, START);
	ports_rest(p, port, START);
	ports_rest(p, 1234, START);
	assert_int_equal(ports_free(p), 1);
	take(p, START + REST_MS);
	assert_int_equal(ports_take(p, START + REST_MS, &none), -EADDRNOTAVAIL);
	ports_destroy(p);
}

static void other_range_keeps_what_is_taken_and_rests(void **state)
{
	struct ports *p = ports_of(20000, 20005);
	uint16_t all[3] = {0};

	for (int i = 0; i < 3; i++) {
		uint16_t port = take(p, START);

		all[(port - 20000) / 2] = port;
	}
	ports_rest(p, all[1], START); /* 20002 rests; 20000, 20004 in use */
	assert_int_equal(ports_change(p, 20002, 20007, REST_MS), 0);
	assert_int_equal(ports_free(p), 2);
	assert_int_equal(take(p, START + 1), 20006);
	assert_int_equal(take(p, START + 1), 20002);
	assert_int_equal(ports_shortened(p), 1);
	ports_rest(p, all[0], START + 2); /* outside now */
	assert_int_equal(ports_free(p), 0);
	ports_rest(p, all[2], START + 2);
	assert_int_equal(ports_free(p), 1);
	ports_destroy(p);
}

static void other_rest_holds_for_what_rests_already(void **state)
{
	struct ports *p = ports_of(20000, 20001);

	ports_rest(p, take(p, START), START);
	assert_int_equal(ports_change(p, 20000, 20001, 10), 0);
	take(p, START + 10);
	assert_int_equal(ports_shortened(p), 0);
	ports_destroy(p);
}

static void refused_change_changes_nothing(void **state)
{
	struct ports *p = ports_of(20000, 20001);

	assert_int_equal(ports_change(p, 20001, 20001, 0), -EINVAL);
	assert_int_equal(take(p, START), 20000);
	ports_destroy(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_begin_even_and_end_inside_the_range),
		cmocka_unit_test(range_without_a_whole_pair_is_refused),
		cmocka_unit_test(whole_port_space_can_be_used),
		cmocka_unit_test(order_is_random),
		cmocka_unit_test(pair_is_not_taken_again_while_it_rests),
		cmocka_unit_test(pair_is_fresh_after_its_rest),
		cmocka_unit_test(longest_rested_is_taken_early_and_counted),
		cmocka_unit_test(without_rest_nothing_is_counted_as_early),
		cmocka_unit_test(refused_only_when_every_pair_is_taken),
		cmocka_unit_test(busy_pair_is_tried_last),
		cmocka_unit_test(busy_pair_counts_as_fresh_after_a_while),
		cmocka_unit_test(giving_back_twice_is_harmless),
		cmocka_unit_test(other_range_keeps_what_is_taken_and_rests),
		cmocka_unit_test(other_rest_holds_for_what_rests_already),
		cmocka_unit_test(refused_change_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
