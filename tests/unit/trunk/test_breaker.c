/*
 * test_breaker.c - when a host is worth asking
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "trunk/breaker.h"

static void one_silence_opens_it(void **state)
{
	struct breaker b = {0};

	assert_true(breaker_failed(&b, BREAKER_SILENT, 1000));
	assert_true(b.is_open);
	assert_int_equal(b.probe_at, 1000 + BREAKER_FIRST_MS);
}

static void one_accident_does_not_make_it_down(void **state)
{
	struct breaker b = {0};

	breaker_failed(&b, BREAKER_SILENT, 1000);
	assert_false(breaker_is_down(&b));
	breaker_failed(&b, BREAKER_LOST, 6000);
	assert_true(breaker_is_down(&b));
}

static void two_refusals_open_it(void **state)
{
	struct breaker b = {0};

	assert_false(breaker_failed(&b, BREAKER_REFUSED, 0));
	assert_true(breaker_failed(&b, BREAKER_REFUSED, 0));
}

static void three_lost_options_open_it(void **state)
{
	struct breaker b = {0};

	assert_false(breaker_failed(&b, BREAKER_LOST, 0));
	assert_false(breaker_failed(&b, BREAKER_LOST, 0));
	assert_true(breaker_failed(&b, BREAKER_LOST, 0));
}

static void an_answer_forgives(void **state)
{
	struct breaker b = {0};

	breaker_failed(&b, BREAKER_LOST, 0);
	breaker_failed(&b, BREAKER_LOST, 0);
	assert_false(breaker_worked(&b, true));
	assert_false(breaker_failed(&b, BREAKER_LOST, 0));
	assert_false(b.is_open);
}

static void any_answer_closes_it(void **state)
{
	struct breaker b = {0};

	breaker_failed(&b, BREAKER_SILENT, 0);
	assert_true(breaker_worked(&b, true));
	assert_false(b.is_open);
}

static void probes_wait_twice_as_long_up_to_a_minute(void **state)
{
	static const int64_t waits[] = {5, 10, 20, 40, 60, 60};
	struct breaker b = {0};
	mono_ms now = 0;

	for (unsigned i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
		breaker_failed(&b, BREAKER_SILENT, now);
		assert_int_equal(b.probe_at - now, waits[i] * 1000);
		now = b.probe_at;
	}
}

static void many_calls_that_waited_at_once_are_one_failure(void **state)
{
	struct breaker b = {0};

	for (int i = 0; i < 50; i++)
		breaker_failed(&b, BREAKER_SILENT, 1000 + i);
	assert_int_equal(b.wait_ms, BREAKER_FIRST_MS);
}

static void who_answers_options_and_no_calls_waits_ever_longer(void **state)
{
	struct breaker b = {0};

	breaker_failed(&b, BREAKER_SILENT, 0);
	breaker_worked(&b, true);
	breaker_failed(&b, BREAKER_SILENT, 10000);
	assert_int_equal(b.wait_ms, 2 * BREAKER_FIRST_MS);
	breaker_worked(&b, false);
	breaker_failed(&b, BREAKER_SILENT, 50000);
	assert_int_equal(b.wait_ms, BREAKER_FIRST_MS);
}

static void nobody_may_ask_to_be_left_alone_for_ever(void **state)
{
	struct breaker b = {0};

	breaker_out(&b, INT32_MAX, 1000);
	assert_int_equal(b.out_until, 1000 + BREAKER_MOST_OUT_S * 1000ll);
	breaker_out(&b, 1, 1000);
	assert_int_equal(b.out_until, 1000 + BREAKER_MOST_OUT_S * 1000ll);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_silence_opens_it),
		cmocka_unit_test(one_accident_does_not_make_it_down),
		cmocka_unit_test(two_refusals_open_it),
		cmocka_unit_test(three_lost_options_open_it),
		cmocka_unit_test(an_answer_forgives),
		cmocka_unit_test(any_answer_closes_it),
		cmocka_unit_test(probes_wait_twice_as_long_up_to_a_minute),
		cmocka_unit_test(
			many_calls_that_waited_at_once_are_one_failure),
		cmocka_unit_test(
			who_answers_options_and_no_calls_waits_ever_longer),
		cmocka_unit_test(nobody_may_ask_to_be_left_alone_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
