/*
 * test_sub_state.c - what messages say of a subscription's state
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pass/pass_priv.h"

/* As it crosses. */
static const char *crossed(const char *text)
{
	static char out[128];
	struct sub_word w;

	if (sub_word_parse(&w, str_of(text)))
		return NULL;
	sub_word_print(&w, out, sizeof(out));
	return out;
}

static void a_state_crosses_with_what_is_known_of_it(void **state)
{
	assert_string_equal(crossed("active;expires=600"),
			    "active;expires=600");
	assert_string_equal(crossed("pending"), "pending");
	assert_string_equal(
		crossed("Terminated ; reason=probation ; retry-after = 30"),
		"Terminated;reason=probation;retry-after=30");
	assert_string_equal(crossed("resting;expires=5"), "resting;expires=5");
}

static void what_is_not_known_of_it_stays_here(void **state)
{
	assert_string_equal(crossed("active;expires=60;via=10.0.0.1"),
			    "active;expires=60");
	assert_string_equal(crossed("active;expires=soon"), "active");
	assert_string_equal(crossed("terminated;reason=\"a b\""), "terminated");
	assert_string_equal(crossed("active;;;=;expires=1"),
			    "active;expires=1");
}

static void numbers_have_an_upper_end(void **state)
{
	struct sub_word w;

	assert_int_equal(
		sub_word_parse(&w, STR("active;expires=99999999999999")), 0);
	assert_int_equal(w.expires, UINT32_MAX);
}

static void what_is_no_state_is_refused(void **state)
{
	assert_null(crossed(NULL));
	assert_null(crossed(""));
	assert_null(crossed(";expires=1"));
	assert_null(crossed("act ive"));
	assert_null(crossed("active\r\nX: y"));
	assert_null(crossed("a-state-whose-name-is-far-too-long-to-be-one"));
}

static void the_end_is_told_in_any_case(void **state)
{
	struct sub_word w;

	sub_word_parse(&w, STR("TERMINATED;reason=timeout"));
	assert_true(w.is_terminated);
	sub_word_parse(&w, STR("active"));
	assert_false(w.is_terminated);
}

static void some_answers_end_a_subscription(void **state)
{
	static const int over[] = {404, 405, 410, 416, 480, 481, 482,
				   483, 484, 485, 489, 501, 604};
	static const int stays[] = {200, 202, 401, 403, 408,
				    423, 486, 500, 503, 603};

	for (size_t i = 0; i < sizeof(over) / sizeof(*over); i++)
		assert_true(sub_is_over(over[i]));
	for (size_t i = 0; i < sizeof(stays) / sizeof(*stays); i++)
		assert_false(sub_is_over(stays[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_crosses_with_what_is_known_of_it),
		cmocka_unit_test(what_is_not_known_of_it_stays_here),
		cmocka_unit_test(numbers_have_an_upper_end),
		cmocka_unit_test(what_is_no_state_is_refused),
		cmocka_unit_test(the_end_is_told_in_any_case),
		cmocka_unit_test(some_answers_end_a_subscription),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
