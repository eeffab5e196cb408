/*
 * test_pattern.c - dial patterns
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "route/route.h"

#define fits(pattern, user)     assert_true(route_match(pattern, user))
#define fits_not(pattern, user) assert_false(route_match(pattern, user))

static void an_absent_pattern_fits_everything(void **state)
{
	fits("", "");
	fits("", "alice");
	fits("", "+4930");
}

static void literals_fit_the_whole_user_part(void **state)
{
	fits("110", "110");
	fits_not("110", "1100");
	fits_not("110", "11");
	fits_not("110", "0110");
	fits_not("110", "");
	fits("alice", "alice");
	fits_not("alice", "Alice");
}

static void x_z_and_n_are_digits(void **state)
{
	for (char c = '0'; c <= '9'; c++) {
		char user[2] = {c, '\0'};

		fits("X", user);
		assert_int_equal(route_match("Z", user), c >= '1');
		assert_int_equal(route_match("N", user), c >= '2');
	}
	fits_not("X", "a");
	fits_not("X", "X");
	fits_not("X", "");
	fits_not("X", "12");
	fits("NXX", "200");
	fits_not("NXX", "100");
}

static void small_letters_are_literal(void **state)
{
	fits("nxz", "nxz");
	fits_not("nxz", "201");
}

static void a_set_is_one_of_its_members(void **state)
{
	fits("[125-8]", "1");
	fits("[125-8]", "5");
	fits("[125-8]", "7");
	fits_not("[125-8]", "3");
	fits_not("[125-8]", "9");
	fits_not("[125-8]", "-");
	fits_not("[125-8]", "12");
	fits("[a-c]X", "b4");
	fits("[-1]", "-");
	fits("[1-]", "-");
	fits("[X]", "X");
	fits_not("[X]", "1");
}

static void a_dot_is_one_or_more_of_any(void **state)
{
	fits("0.", "01");
	fits("0.", "0abc+");
	fits_not("0.", "0");
	fits_not("0.", "1");
	fits(".", "x");
	fits_not(".", "");
}

static void an_exclamation_mark_is_zero_or_more_of_any(void **state)
{
	fits("0!", "0");
	fits("0!", "012");
	fits_not("0!", "");
	fits("!", "");
	fits("!", "anything");
}

static void wildcards_may_stand_in_the_middle(void **state)
{
	fits("1.2", "132");
	fits("1.2", "1222");
	fits_not("1.2", "12");
	fits("1!2", "12");
	fits("1!2!3", "1xx2yy3");
	fits_not("1!2!3", "1xx3yy2");
	fits("..", "ab");
	fits_not("..", "a");
	fits("!X", "abc9");
}

static void a_leading_plus_is_literal(void **state)
{
	fits("+49.", "+4930");
	fits_not("+49.", "4930");
	fits_not("+", "1");
}

static void a_leading_equals_sign_makes_all_literal(void **state)
{
	fits("=X.", "X.");
	fits_not("=X.", "12");
	fits("=Nina!", "Nina!");
	fits_not("=Nina!", "Ninax");
	fits("==", "=");
}

static void bytes_outside_ascii_fit_wildcards_only(void **state)
{
	fits(".", "\xc3\xa4");
	fits_not("XX", "\xc3\xa4");
}

/* With backtracking this takes longer than the test's time limit. */
static void many_wildcards_cost_no_more_than_one(void **state)
{
	char pattern[128], user[4096];

	memset(pattern, '!', 126);
	pattern[126] = 'b';
	pattern[127] = '\0';
	memset(user, 'a', sizeof(user) - 1);
	user[sizeof(user) - 1] = '\0';
	for (unsigned i = 0; i < 126; i += 2)
		pattern[i] = 'a';
	fits_not(pattern, user);
	user[sizeof(user) - 2] = 'b';
	fits(pattern, user);
}

static void the_longest_pattern_fits(void **state)
{
	char pattern[128];

	memset(pattern, 'a', 127);
	pattern[127] = '\0';
	fits(pattern, pattern);
	memset(pattern, '.', 127);
	fits(pattern, pattern);
	fits_not(pattern, "short");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_absent_pattern_fits_everything),
		cmocka_unit_test(literals_fit_the_whole_user_part),
		cmocka_unit_test(x_z_and_n_are_digits),
		cmocka_unit_test(small_letters_are_literal),
		cmocka_unit_test(a_set_is_one_of_its_members),
		cmocka_unit_test(a_dot_is_one_or_more_of_any),
		cmocka_unit_test(an_exclamation_mark_is_zero_or_more_of_any),
		cmocka_unit_test(wildcards_may_stand_in_the_middle),
		cmocka_unit_test(a_leading_plus_is_literal),
		cmocka_unit_test(a_leading_equals_sign_makes_all_literal),
		cmocka_unit_test(bytes_outside_ascii_fit_wildcards_only),
		cmocka_unit_test(many_wildcards_cost_no_more_than_one),
		cmocka_unit_test(the_longest_pattern_fits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
