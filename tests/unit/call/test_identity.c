/*
 * test_identity.c - name-addrs, their parameters, Privacy
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "call/identity.h"

static struct identity_addr a;

static const char *user(const char *value)
{
	return identity_read(&a, str_of(value)) ? "(none)" : a.user;
}

static void the_user_is_found_in_every_form(void **state)
{
	assert_string_equal(user("<sip:+4930@example.net>"), "+4930");
	assert_string_equal(user("sip:+4930@example.net"), "+4930");
	assert_string_equal(user("\"A \\\"<sip:x@y>\" <SIPS:100@h;user=phone>"),
			    "100");
	assert_string_equal(user("Alice <sip:alice@h>;party=calling"), "alice");
	assert_string_equal(user("<sip:100:secret@h>"), "100");
	assert_string_equal(user("<sip:100;phone-context=x@h>"), "100");
	assert_string_equal(user("<tel:+49-30-123>"), "+4930123");
	assert_string_equal(user("<sip:a%20b@h>"), "(none)");
	assert_string_equal(user("<sip:a%2eb@h>"), "a.b");
}

static void what_is_no_caller_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"<>",
		"<sip:@h>",
		"<sip:host.only>",
		"<mailto:a@b>",
		"\"open <sip:a@h>",
		"<sip:a@h",
		"<sip:a%@h>",
		"<sip:a%0d%0aX@h>",
		"<sip:%zz@h>",
		"\"",
		"\"\\",
		"sip:",
		"tel:",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_string_equal(user(bad[i]), "(none)");
}

static void a_user_too_long_is_refused(void **state)
{
	char value[LIMIT_USER_BYTES + 16] = "<sip:";

	memset(value + 5, '1', LIMIT_USER_BYTES);
	memcpy(value + 5 + LIMIT_USER_BYTES, "@h>", 4);
	assert_string_equal(user(value), "(none)");
}

static void expect_param(const char *value, const char *name, const char *is)
{
	struct str got;

	assert_int_equal(identity_read(&a, str_of(value)), 0);
	got = identity_param(a.params, name);
	assert_int_equal(got.n, strlen(is));
	assert_memory_equal(got.p ? got.p : "", is, got.n);
}

static void
parameters_of_the_header_are_told_from_those_of_the_uri(void **state)
{
	static const char value[] = "<sip:1@h;reason=uri>;Reason=user-busy;"
				    "counter=2; privacy = \"full\"";

	expect_param(value, "reason", "user-busy");
	expect_param(value, "counter", "2");
	expect_param(value, "privacy", "full");
	expect_param(value, "screen", "");
	expect_param("sip:1@h;party=called", "party", "called");
}

static void reasons_are_of_a_fixed_set(void **state)
{
	assert_string_equal(identity_reason(STR("No-Answer")), "no-answer");
	assert_string_equal(identity_reason(STR("302")), "unconditional");
	assert_string_equal(identity_reason(STR("486")), "user-busy");
	assert_string_equal(identity_reason(STR("at home of bob")), "unknown");
	assert_string_equal(identity_reason((struct str){0}), "unknown");
}

static void privacy_hides_where_it_says_so(void **state)
{
	assert_true(identity_hides(STR("id")));
	assert_true(identity_hides(STR("critical; ID")));
	assert_true(identity_hides(STR("header;user")));
	assert_false(identity_hides(STR("none")));
	assert_false(identity_hides(STR("session")));
	assert_false(identity_hides(STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_user_is_found_in_every_form),
		cmocka_unit_test(what_is_no_caller_is_refused),
		cmocka_unit_test(a_user_too_long_is_refused),
		cmocka_unit_test(
			parameters_of_the_header_are_told_from_those_of_the_uri),
		cmocka_unit_test(reasons_are_of_a_fixed_set),
		cmocka_unit_test(privacy_hides_where_it_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
