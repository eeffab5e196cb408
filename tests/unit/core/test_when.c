/*
 * test_when.c - times as people and programs write them
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/when.h"

/* 2026-11-21 13:03:20.500 UTC, which is 14:03:20.5 in the zone of the tests. */
#define NOW INT64_C(1795266200500)

static int setup(void **state)
{
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	return 0;
}

static void check(const char *text, const char *expected)
{
	char out[CLOCK_TEXT_MAX];
	wall_ms t;

	assert_int_equal(when_parse(&t, str_of(text), NOW), 0);
	assert_string_equal(clock_fmt(t, out), expected);
}

static void a_clock_time_is_the_last_one_in_the_local_zone(void **state)
{
	check("14:03", "2026-11-21T13:03:00.000Z");
	check("14:03:20", "2026-11-21T13:03:20.000Z");
	check("14:04", "2026-11-20T13:04:00.000Z"); /* not yet today */
	check("00:00", "2026-11-20T23:00:00.000Z");
	check("  13:12\t", "2026-11-21T12:12:00.000Z");
}

static void a_date_is_in_the_local_zone_with_its_summer(void **state)
{
	check("2026-11-21 14:03", "2026-11-21T13:03:00.000Z");
	check("2026-07-01 14:03:05", "2026-07-01T12:03:05.000Z");
	check("2026-11-21T14:03:05.25", "2026-11-21T13:03:05.250Z");
}

static void rfc_3339_says_its_zone(void **state)
{
	check("2026-11-21T14:03:20Z", "2026-11-21T14:03:20.000Z");
	check("2026-11-21t14:03:20.123456z", "2026-11-21T14:03:20.123Z");
	check("2026-11-21T14:03:20+05:30", "2026-11-21T08:33:20.000Z");
	check("2026-11-21T14:03:20.5-01:00", "2026-11-21T15:03:20.500Z");
	check("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z");
}

static void now_is_now(void **state)
{
	check("now", "2026-11-21T13:03:20.500Z");
}

static void anything_else_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		" ",
		"noon",
		"14",
		"14:",
		"14:3",
		"1:03",
		"24:00",
		"14:60",
		"14:03:61",
		"14:03:20.",
		"14:03 x",
		"2026-11-21",
		"2026-02-29 14:03",
		"2026-13-01 14:03",
		"2026-11-00 14:03",
		"1969-11-21 14:03",
		"26-11-21 14:03",
		"2026-11-21T14:03:20+1",
		"2026-11-21T14:03:20+01:60",
		"2026-11-21T14:03:20ZZ",
		"+14:03",
	};
	wall_ms t = 7;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(when_parse(&t, str_of(wrong[i]), NOW),
				 -EINVAL);
	assert_int_equal(t, 7);
}

static void rfc_3339_alone_takes_nothing_local(void **state)
{
	wall_ms t;

	assert_int_equal(when_parse_rfc3339(&t, STR("14:03")), -EINVAL);
	assert_int_equal(when_parse_rfc3339(&t, STR("2026-11-21T14:03:00")),
			 -EINVAL);
	assert_int_equal(when_parse_rfc3339(&t, STR("2026-11-21T14:03:00Z")),
			 0);
	assert_int_equal(t, 1795269780000);
}

static void what_the_clock_prints_is_read_back(void **state)
{
	char text[CLOCK_TEXT_MAX];
	wall_ms t;

	assert_int_equal(when_parse_rfc3339(&t, str_of(clock_fmt(NOW, text))),
			 0);
	assert_int_equal(t, NOW);
}

static const char *put(wall_ms t, wall_ms day)
{
	static char text[64];
	struct buf b;

	buf_init(&b, text, sizeof(text));
	when_put(&b, t, day);
	return text;
}

static void the_day_is_told_when_it_is_another(void **state)
{
	assert_string_equal(put(NOW, NOW), "14:03:20");
	assert_string_equal(put(NOW, NOW - 86400000), "2026-11-21 14:03:20");
	/* 00:30 and 23:30 of one local day are two days in UTC. */
	assert_string_equal(put(NOW - 13 * 3600000, NOW), "01:03:20");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_clock_time_is_the_last_one_in_the_local_zone),
		cmocka_unit_test(a_date_is_in_the_local_zone_with_its_summer),
		cmocka_unit_test(rfc_3339_says_its_zone),
		cmocka_unit_test(now_is_now),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(rfc_3339_alone_takes_nothing_local),
		cmocka_unit_test(what_the_clock_prints_is_read_back),
		cmocka_unit_test(the_day_is_told_when_it_is_another),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
