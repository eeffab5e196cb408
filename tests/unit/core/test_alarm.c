/*
 * test_alarm.c - raising and clearing of named conditions
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/alarm.h"
#include "core/log.h"

static char last_line[1024];
static int n_lines;

static void keep_line(void *arg, const char *line)
{
	snprintf(last_line, sizeof(last_line), "%s", line);
	n_lines++;
}

static int setup(void **state)
{
	clock_freeze(1000, 1000);
	log_capture(keep_line, NULL);
	n_lines = 0;
	return 0;
}

static int teardown(void **state)
{
	struct alarm all[64];
	size_t n = alarm_list(all, 64);

	while (n--)
		alarm_clear(all[n].name);
	log_capture(NULL, NULL);
	clock_thaw();
	return 0;
}

static void raised_alarm_is_listed(void **state)
{
	struct alarm a[2];

	alarm_raise("disk-full", ALARM_MAJOR, "%d bytes left", 12);
	assert_int_equal(alarm_list(a, 2), 1);
	assert_string_equal(a[0].name, "disk-full");
	assert_string_equal(a[0].text, "12 bytes left");
	assert_int_equal(a[0].severity, ALARM_MAJOR);
	assert_int_equal(a[0].since, 1000);
}

static void raising_again_keeps_the_time_and_renews_the_text(void **state)
{
	struct alarm a[2];

	alarm_raise("disk-full", ALARM_MINOR, "old");
	clock_advance(5000);
	alarm_raise("disk-full", ALARM_CRITICAL, "new");
	assert_int_equal(alarm_list(a, 2), 1);
	assert_int_equal(a[0].since, 1000);
	assert_string_equal(a[0].text, "new");
	assert_int_equal(a[0].severity, ALARM_CRITICAL);
}

static void log_tells_raise_and_clear_once(void **state)
{
	alarm_raise("disk-full", ALARM_MAJOR, "no space");
	assert_non_null(strstr(last_line, "warn alarm.raised name=disk-full "
					  "severity=major "
					  "text=\"no space\""));
	alarm_raise("disk-full", ALARM_MAJOR, "no space");
	assert_int_equal(n_lines, 1);
	alarm_clear("disk-full");
	assert_non_null(strstr(last_line, "info alarm.cleared name=disk-full"));
	alarm_clear("disk-full");
	assert_int_equal(n_lines, 2);
}

static void clearing_one_leaves_the_others_in_order(void **state)
{
	struct alarm a[4];

	alarm_raise("one", ALARM_NOTICE, "1");
	alarm_raise("two", ALARM_NOTICE, "2");
	alarm_raise("three", ALARM_NOTICE, "3");
	alarm_clear("two");
	alarm_clear("unknown");
	assert_int_equal(alarm_list(a, 4), 2);
	assert_string_equal(a[0].name, "one");
	assert_string_equal(a[1].name, "three");
	assert_int_equal(alarm_list(a, 1), 1);
}

static void full_table_still_tells_the_log(void **state)
{
	char name[32];

	for (int i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "alarm-%d", i);
		alarm_raise(name, ALARM_NOTICE, "x");
	}
	n_lines = 0;
	alarm_raise("one-more", ALARM_NOTICE, "x");
	assert_int_equal(n_lines, 1);
	assert_non_null(strstr(last_line, "name=one-more"));
}

static void long_names_and_texts_are_cut(void **state)
{
	struct alarm a[2];
	char text[300];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	alarm_raise(text, ALARM_NOTICE, "%s", text);
	alarm_raise(text, ALARM_NOTICE, "%s", text); /* found again */
	assert_int_equal(alarm_list(a, 2), 1);
	assert_int_equal(strlen(a[0].name), sizeof(a[0].name) - 1);
	assert_int_equal(strlen(a[0].text), sizeof(a[0].text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(raised_alarm_is_listed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			raising_again_keeps_the_time_and_renews_the_text, setup,
			teardown),
		cmocka_unit_test_setup_teardown(log_tells_raise_and_clear_once,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			clearing_one_leaves_the_others_in_order, setup,
			teardown),
		cmocka_unit_test_setup_teardown(full_table_still_tells_the_log,
						setup, teardown),
		cmocka_unit_test_setup_teardown(long_names_and_texts_are_cut,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
