/*
 * test_validate.c - what only shows when the whole file is known
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf_text.h"

#include "config/load.h"

static void a_name_stands_once_per_type(void **state)
{
	refuse_one("config realm 'a'\nlist listen 'udp:1'\n"
		   "config realm 'a'\nlist listen 'udp:2'\n",
		   3, "line 1");
	refuse_one(REALM "config phone 'p'\noption user '1'\n"
			 "option password 'x'\n"
			 "config phone 'p'\noption user '2'\n"
			 "option password 'x'\n",
		   5, "line 2");
}

static void the_same_name_may_stand_in_two_types(void **state)
{
	config_unref(parse("config realm 'a'\nconfig phone 'a'\n"
			   "option password 'x'\n"));
}

static void a_target_that_is_phone_and_trunk_is_refused(void **state)
{
	refuse_one(REALM "config phone 'a'\noption password 'x'\n"
			 "config trunk 'a'\noption realm 'lan'\n"
			 "option host '192.0.2.1'\n"
			 "config route 'r'\nlist to 'a'\n",
		   8, "phone and a trunk");
}

static void realms_may_not_share_an_endpoint(void **state)
{
	refuse_one("config realm 'a'\nlist address '192.0.2.1'\n"
		   "config realm 'b'\nlist address '192.0.2.1'\n"
		   "list listen 'udp:5070'\nlist listen 'tcp:5060'\n",
		   6, "realm 'a'");
	refuse_one("config realm 'a'\nlist listen 'udp:1'\n"
		   "config realm 'b'\nlist listen 'udp:1'\n",
		   4, "all addresses");
	refuse_one("config realm 'a'\noption interface 'eth0'\n"
		   "list listen 'udp:1'\nconfig realm 'b'\n"
		   "option interface 'eth0'\nlist listen 'udp:1'\n",
		   6, "eth0");
}

static void one_address_in_two_spellings_is_one_endpoint(void **state)
{
	refuse_one("config realm 'a'\nlist address '2001:db8::1'\n"
		   "list listen 'udp:1'\n"
		   "config realm 'b'\nlist address '2001:DB8:0:0::1'\n"
		   "list listen 'udp:1'\n",
		   6, "2001:db8::1");
}

static void standard_listeners_clash_in_the_line_of_the_realm(void **state)
{
	struct conf_errors errs =
		refuse("config realm 'a'\nconfig realm 'b'\n");

	assert_int_equal(errs.n, 2); /* udp and tcp */
	assert_int_equal(errs.list[0].line, 2);
	assert_int_equal(errs.list[1].line, 2);
	conf_errors_clear(&errs);
}

static void realms_may_differ_in_address_port_or_protocol(void **state)
{
	config_unref(parse("config realm 'a'\nlist address '192.0.2.1'\n"
			   "config realm 'b'\nlist address '192.0.2.2'\n"
			   "config realm 'c'\nlist address '192.0.2.1'\n"
			   "list listen 'udp:5070'\n"
			   "config realm 'd'\nlist address '192.0.2.1'\n"
			   "list listen 'tcp:5070'\n"));
}

static void an_explicit_address_beats_an_all_addresses_realm(void **state)
{
	config_unref(parse("config realm 'a'\n"
			   "config realm 'b'\nlist address '192.0.2.1'\n"));
}

static void interface_and_address_exclude_each_other(void **state)
{
	refuse_one("config realm 'a'\nlist address '192.0.2.1'\n"
		   "option interface 'eth0'\n",
		   3, "exclude");
}

static void min_expires_is_not_above_max_expires(void **state)
{
	refuse_one("config realm 'a'\noption max_expires '100'\n"
		   "option min_expires '101'\n",
		   3, "min_expires");
	refuse_one("config realm 'a'\noption max_expires '30'\n", 2,
		   "min_expires 60");
	config_unref(parse("config realm 'a'\noption max_expires '60'\n"));
}

static void unknown_realms_are_told_with_the_nearest(void **state)
{
	refuse_one(REALM "config phone '1'\noption password 'x'\n"
			 "option realm 'lna'\n",
		   4, "'lan'");
	refuse_one(REALM "config trunk 't'\noption host '192.0.2.1'\n"
			 "option realm 'wan'\n",
		   4, "'wan'");
	refuse_one(REALM "config phone '1'\noption password 'x'\n"
			 "config route 'r'\noption from_realm 'wan'\n"
			 "list to '1'\n",
		   5, "'wan'");
}

static void unknown_targets_are_told(void **state)
{
	refuse_one(REALM "config trunk 'carrier'\noption realm 'lan'\n"
			 "option host '192.0.2.1'\n"
			 "config route 'r'\nlist to 'carrier'\n"
			 "list to 'carier'\n",
		   7, "'carrier'");
}

static void a_section_may_be_named_before_it_is_written(void **state)
{
	config_unref(parse("config phone '1'\noption password 'x'\n"
			   "option realm 'lan'\n" REALM));
}

static void phones_of_one_realm_have_different_users(void **state)
{
	refuse_one(REALM "config phone 'a'\noption user '1'\n"
			 "option auth_user 'a'\noption password 'x'\n"
			 "config phone 'b'\noption auth_user 'b'\n"
			 "option password 'x'\noption user '1'\n",
		   9, "phone 'a'");
}

static void phones_of_one_realm_have_different_auth_users(void **state)
{
	refuse_one(REALM "config phone 'a'\noption auth_user 'x'\n"
			 "option password 'x'\n"
			 "config phone 'b'\noption auth_user 'x'\n"
			 "option password 'x'\n",
		   6, "auth_user 'x'");
}

#define TWO                                                                    \
	"config realm 'r1'\nlist listen 'udp:1'\n"                             \
	"config realm 'r2'\nlist listen 'udp:2'\n"

static void phones_of_two_realms_may_have_the_same_user(void **state)
{
	config_unref(parse(TWO "config phone 'a'\noption user '1'\n"
			       "option password 'x'\noption realm 'r1'\n"
			       "config phone 'b'\noption user '1'\n"
			       "option password 'x'\noption realm 'r2'\n"));
}

static void a_phone_of_any_realm_overlaps_with_all(void **state)
{
	struct conf_errors errs =
		refuse(TWO "config phone 'a'\noption user '1'\n"
			   "option auth_user 'a'\noption password 'x'\n"
			   "option realm 'r1'\n"
			   "config phone 'b'\noption user '1'\n"
			   "option auth_user 'b'\noption password 'x'\n"
			   "config phone 'c'\noption user '1'\n"
			   "option auth_user 'c'\noption password 'x'\n"
			   "option realm 'r2'\n");

	assert_int_equal(errs.n, 2);
	assert_int_equal(errs.list[0].line, 11);
	assert_int_equal(errs.list[1].line, 15);
	conf_errors_clear(&errs);
}

static void users_are_case_sensitive(void **state)
{
	config_unref(parse(REALM "config phone 'a'\noption password 'x'\n"
				 "config phone 'A'\noption password 'x'\n"));
}

static void a_trunk_needs_a_listener_of_its_transport(void **state)
{
	refuse_one("config realm 'a'\nlist listen 'udp:5060'\n"
		   "config trunk 't'\noption realm 'a'\n"
		   "option host '192.0.2.1'\noption transport 'tcp'\n",
		   6, "does not listen on tcp");
}

static void too_many_sockets_are_refused(void **state)
{
	char text[2000] = "config realm 'a'\n", *p = text + strlen(text);

	for (unsigned i = 1; i <= 16; i++)
		p += sprintf(p, "list address '192.0.2.%u'\n", i);
	for (unsigned i = 1; i <= 4; i++)
		p += sprintf(p, "list listen 'udp:%u'\n", i);
	config_unref(parse(text));
	sprintf(p, "list listen 'tcp:1'\n");
	refuse_one(text, 0, "80 sockets");
}

static void good_patterns_are_accepted(void **state)
{
	static const char *const good[] = {
		"X",    "0.",   "+49!",      "=X.",  "[1-3a]N", "alice",
		"[-1]", "[1-]", "00[1-9]X.", "1.2!", "N11",     "*72X"};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_null(pattern_fault(good[i]));
}

static void bad_patterns_are_told(void **state)
{
	static const char *const bad[] = {"",    "=",      "[",     "[1",
					  "[]",  "1]",     "[3-1]", "a b",
					  "a@b", "[1[2]]", "[1-",   "\"x\""};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_non_null(pattern_fault(bad[i]));
	refuse_one(REALM "config phone '1'\noption password 'x'\n"
			 "config route 'r'\nlist to '1'\n"
			 "option match '[12'\n",
		   6, "without");
}

static void words_are_as_far_apart_as_their_edits(void **state)
{
	assert_int_equal(word_distance("", ""), 0);
	assert_int_equal(word_distance("abc", ""), 3);
	assert_int_equal(word_distance("", "abc"), 3);
	assert_int_equal(word_distance("kitten", "sitting"), 3);
	assert_int_equal(word_distance("nat", "nat"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_stands_once_per_type),
		cmocka_unit_test(the_same_name_may_stand_in_two_types),
		cmocka_unit_test(a_target_that_is_phone_and_trunk_is_refused),
		cmocka_unit_test(realms_may_not_share_an_endpoint),
		cmocka_unit_test(one_address_in_two_spellings_is_one_endpoint),
		cmocka_unit_test(
			standard_listeners_clash_in_the_line_of_the_realm),
		cmocka_unit_test(realms_may_differ_in_address_port_or_protocol),
		cmocka_unit_test(
			an_explicit_address_beats_an_all_addresses_realm),
		cmocka_unit_test(interface_and_address_exclude_each_other),
		cmocka_unit_test(min_expires_is_not_above_max_expires),
		cmocka_unit_test(unknown_realms_are_told_with_the_nearest),
		cmocka_unit_test(unknown_targets_are_told),
		cmocka_unit_test(a_section_may_be_named_before_it_is_written),
		cmocka_unit_test(phones_of_one_realm_have_different_users),
		cmocka_unit_test(phones_of_one_realm_have_different_auth_users),
		cmocka_unit_test(phones_of_two_realms_may_have_the_same_user),
		cmocka_unit_test(a_phone_of_any_realm_overlaps_with_all),
		cmocka_unit_test(users_are_case_sensitive),
		cmocka_unit_test(a_trunk_needs_a_listener_of_its_transport),
		cmocka_unit_test(too_many_sockets_are_refused),
		cmocka_unit_test(good_patterns_are_accepted),
		cmocka_unit_test(bad_patterns_are_told),
		cmocka_unit_test(words_are_as_far_apart_as_their_edits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
