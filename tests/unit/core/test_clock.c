/*
 * test_clock.c - the clocks, frozen and running
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/clock.h"

static int thaw(void **state)
{
	clock_thaw();
	return 0;
}

static void frozen_clocks_stand_still(void **state)
{
	clock_freeze(1234, 1700000000000);
	assert_int_equal(clock_mono(), 1234);
	assert_int_equal(clock_mono_us(), 1234000);
	assert_int_equal(clock_wall(), 1700000000000);
}

static void advance_moves_both_clocks(void **state)
{
	clock_freeze(1000, 5000);
	clock_advance(250);
	assert_int_equal(clock_mono(), 1250);
	assert_int_equal(clock_mono_us(), 1250000);
	assert_int_equal(clock_wall(), 5250);
}

static void thawed_monotonic_clock_never_goes_back(void **state)
{
	uint64_t before;

	clock_freeze(INT64_MAX / 1000000, 0);
	clock_thaw();
	before = clock_mono_us();
	assert_true(before < (uint64_t)INT64_MAX / 1000000 * 1000);
	for (int i = 0; i < 1000; i++) {
		uint64_t now = clock_mono_us();

		assert_true(now >= before);
		before = now;
	}
}

static void time_is_written_as_rfc_3339(void **state)
{
	char text[CLOCK_TEXT_MAX];

	assert_string_equal(clock_fmt(0, text), "1970-01-01T00:00:00.000Z");
	assert_string_equal(clock_fmt(1767322984567 + 60861111, text),
			    "2026-01-02T19:57:25.678Z");
	assert_string_equal(clock_fmt(951782400001, text),
			    "2000-02-29T00:00:00.001Z");
}

static void time_before_1970_keeps_its_milliseconds(void **state)
{
	char text[CLOCK_TEXT_MAX];

	assert_string_equal(clock_fmt(-1, text), "1969-12-31T23:59:59.999Z");
}

static void impossible_time_stays_within_the_text(void **state)
{
	char text[CLOCK_TEXT_MAX];

	assert_string_equal(clock_fmt(INT64_MAX, text),
			    "9999-01-01T00:00:00.807Z");
	assert_string_equal(clock_fmt(INT64_MIN, text),
			    "9999-01-01T00:00:00.192Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(frozen_clocks_stand_still, thaw),
		cmocka_unit_test_teardown(advance_moves_both_clocks, thaw),
		cmocka_unit_test(thawed_monotonic_clock_never_goes_back),
		cmocka_unit_test(time_is_written_as_rfc_3339),
		cmocka_unit_test(time_before_1970_keeps_its_milliseconds),
		cmocka_unit_test(impossible_time_stays_within_the_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
