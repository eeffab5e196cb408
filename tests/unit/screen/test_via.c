/*
 * test_via.c - Via headers that can be answered by, and those that cannot
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after its four: */
#include <cmocka.h>
#include <string.h>

#include "screen/shape.h"

static struct via_look look(const char *value)
{
	struct via_look via;

	via_look(&via, str_of(value));
	return via;
}

static void expect_good(const char *value)
{
	struct via_look via = look(value);

	if (!via.has_host || via.is_trap || via.is_broken)
		fail_msg("not good: %s", value);
}

static void sent_by_of_every_form_is_good(void **state)
{
	expect_good("SIP/2.0/UDP 192.0.2.1");
	expect_good("SIP/2.0/UDP 192.0.2.1:5060");
	expect_good("SIP/2.0/TCP host.example.com;branch=z9hG4bK1");
	expect_good("SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK1;rport");
	expect_good("SIP  / 2.0  / TCP     spindle.example.com   ;\r\n"
		    "  branch  =   z9hG4bK9ikj8  ,\r\n"
		    " SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n"
		    " z9hG4bK30239");
	expect_good("SIP/2.0/UDP h : 5060 ; rport ; ttl=1 ;x=\"a;b\\\"c,d\"");
	expect_good("SIP/2.0/UDP h;branch=1 (a comment)");
	expect_good("SIP/2.0/UDP h;received=2001:db8::9:255;branch=1");
	expect_good("SIP/2.0/UDP h;received=[2001:db8::9:255];branch=1");
	expect_good("SIP/7.0/UDP h;branch=1");
}

static void sent_by_that_is_missing_is_seen(void **state)
{
	static const char *const bad[] = {
		"",
		"SIP",
		"SIP/2.0",
		"SIP/2.0/UDP",
		"SIP/2.0/UDP ",
		"SIP/2.0/UDP ;branch=1",
		"SIP/2.0/UDP :5060",
		"SIP/2.0 UDP h",
		"/2.0/UDP h",
		"SIP//UDP h",
		"SIP/2.0/UDP [2001:db8::1",
		"SIP/2.0/UDP []",
		"SIP/2.0/UDP h:",
		"SIP/2.0/UDP h:x",
		"SIP/2.0/UDP @",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (look(bad[i]).has_host)
			fail_msg("has no host: %s", bad[i]);
}

static void parameters_against_the_grammar_are_broken(void **state)
{
	assert_true(look("SIP/2.0/UDP h;;,;,,").is_broken);
	assert_true(look("SIP/2.0/UDP h;").is_broken);
	assert_true(look("SIP/2.0/UDP h;branch=").is_broken);
	assert_true(look("SIP/2.0/UDP h;x=\"open").is_broken);
	assert_true(look("SIP/2.0/UDP h;a b").is_broken);
	assert_true(look("SIP/2.0/UDP h i").is_broken);
}

static void maddr_is_a_trap_in_any_spelling(void **state)
{
	assert_true(look("SIP/2.0/UDP h;maddr=192.0.2.66").is_trap);
	assert_true(look("SIP/2.0/UDP h;branch=1;MAddr=x").is_trap);
	assert_true(look("SIP/2.0/UDP h; \r\n maddr\r\n =x").is_trap);
	assert_true(look("SIP/2.0/UDP h;maddr").is_trap);
	assert_true(look("SIP/2.0/UDP h, SIP/2.0/UDP i;maddr=x").is_trap);
	assert_true(look("SIP/2.0/UDP h;x=\";maddr=y\"").is_trap);
}

static void names_like_maddr_are_no_trap(void **state)
{
	expect_good("SIP/2.0/UDP maddr.example.com;branch=maddr");
	expect_good("SIP/2.0/UDP h;xmaddr=1;maddress=2");
}

static void second_received_or_rport_is_a_trap(void **state)
{
	assert_true(look("SIP/2.0/UDP h;received=a;received=b").is_trap);
	assert_true(look("SIP/2.0/UDP h;rport;rport=5").is_trap);
	assert_true(look("SIP/2.0/UDP h;branch=1;Branch=2").is_trap);
	expect_good("SIP/2.0/UDP h;received=a;rport=5;branch=1");
}

static void place_for_rport_is_found_only_when_it_is_empty(void **state)
{
	static const char value[] = "SIP/2.0/UDP h;rport;branch=1";

	assert_int_equal(look(value).rport_end,
			 strstr(value, ";branch") - value);
	assert_int_equal(look("SIP/2.0/UDP h;rport=5060").rport_end, 0);
	assert_int_equal(look("SIP/2.0/UDP h;rport = 5060").rport_end, 0);
	assert_int_equal(look("SIP/2.0/UDP h;branch=1").rport_end, 0);
}

static void first_of_several_ends_at_its_comma(void **state)
{
	static const char value[] = "SIP/2.0/UDP h;x=\"a,b\",SIP/2.0/UDP i";

	assert_int_equal(look(value).first_end, strstr(value, ",SIP") - value);
	assert_int_equal(look("SIP/2.0/UDP h").first_end, 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sent_by_of_every_form_is_good),
		cmocka_unit_test(sent_by_that_is_missing_is_seen),
		cmocka_unit_test(parameters_against_the_grammar_are_broken),
		cmocka_unit_test(maddr_is_a_trap_in_any_spelling),
		cmocka_unit_test(names_like_maddr_are_no_trap),
		cmocka_unit_test(second_received_or_rport_is_a_trap),
		cmocka_unit_test(
			place_for_rport_is_found_only_when_it_is_empty),
		cmocka_unit_test(first_of_several_ends_at_its_comma),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
