/*
 * test_err.c - errno values have names in the log
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/err.h"

static void both_signs_have_the_same_name(void **state)
{
	assert_string_equal(err_name(-ENOMEM), "ENOMEM");
	assert_string_equal(err_name(ENOMEM), "ENOMEM");
	assert_string_equal(err_name(-ECANCELED), "ECANCELED");
}

static void success_has_a_name(void **state)
{
	assert_string_equal(err_name(0), "OK");
}

static void any_number_is_answered(void **state)
{
	assert_string_equal(err_name(INT_MIN), "EUNKNOWN");
	assert_string_equal(err_name(INT_MAX), "EUNKNOWN");
	assert_string_equal(err_name(-58), "EUNKNOWN"); /* a hole */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_signs_have_the_same_name),
		cmocka_unit_test(success_has_a_name),
		cmocka_unit_test(any_number_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
