/*
 * test_route.c - the routing decision
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "route/route.h"

static const char text[] = "config realm 'lan'\n"
			   "	list listen 'udp:5060'\n"
			   "config realm 'wan'\n"
			   "	list listen 'udp:5070'\n"
			   "config phone 'desk'\n"
			   "	option user '100'\n"
			   "	option realm 'lan'\n"
			   "	option password 'x'\n"
			   "config phone 'remote'\n"
			   "	option user '100'\n"
			   "	option realm 'wan'\n"
			   "	option password 'x'\n"
			   "config phone 'sales'\n"
			   "	option user '200'\n"
			   "	option realm 'wan'\n"
			   "	option password 'x'\n"
			   "config trunk 'cheap'\n"
			   "	option realm 'wan'\n"
			   "	option host '192.0.2.1'\n"
			   "config trunk 'dear'\n"
			   "	option realm 'wan'\n"
			   "	option host '192.0.2.2'\n"
			   "config route 'inbound'\n"
			   "	option from_realm 'wan'\n"
			   "	option match '030.'\n"
			   "	list to 'desk'\n"
			   "config route 'world'\n"
			   "	option match '0.'\n"
			   "	list to 'cheap'\n"
			   "	list to 'dear'\n"
			   "	list to 'sales'\n"
			   "config route 'presence'\n"
			   "	option match '77.'\n"
			   "	list method 'SUBSCRIBE'\n"
			   "	list method 'PUBLISH'\n"
			   "	list to 'cheap'\n"
			   "config route 'shadowed'\n"
			   "	option match '00.'\n"
			   "	list to 'dear'\n"
			   "config route 'rest'\n"
			   "	option from_realm 'lan'\n"
			   "	list to 'dear'\n";

static int setup(void **state)
{
	struct conf_errors errs;
	struct config *cfg = NULL;

	assert_int_equal(config_parse(&cfg, "test", STR(text), &errs), 0);
	conf_errors_clear(&errs);
	*state = cfg;
	return 0;
}

static int teardown(void **state)
{
	config_unref(*state);
	return 0;
}

static void a_phone_of_the_same_realm_comes_first(void **state)
{
	struct route_result r;

	assert_int_equal(route_find(&r, *state, "wan", "100", CONF_FOR_INVITE),
			 ROUTE_PHONE);
	assert_int_equal(r.n, 1);
	assert_string_equal(r.targets[0].phone->name, "remote");
	assert_null(r.targets[0].trunk);
	assert_null(r.route);
	route_find(&r, *state, "lan", "100", CONF_FOR_INVITE);
	assert_string_equal(r.targets[0].phone->name, "desk");
}

static void a_phone_of_another_realm_is_found_too(void **state)
{
	struct route_result r;

	assert_int_equal(route_find(&r, *state, "lan", "200", CONF_FOR_INVITE),
			 ROUTE_PHONE);
	assert_string_equal(r.targets[0].phone->name, "sales");
}

static void a_phone_beats_a_route_that_fits(void **state)
{
	struct route_result r;

	assert_int_equal(route_find(&r, *state, "lan", "100", CONF_FOR_INVITE),
			 ROUTE_PHONE);
}

static void the_first_route_that_fits_gives_its_targets_in_order(void **state)
{
	struct route_result r;

	assert_int_equal(route_find(&r, *state, "lan", "0049", CONF_FOR_INVITE),
			 ROUTE_LIST);
	assert_string_equal(r.route->name, "world");
	assert_int_equal(r.kind, ROUTE_LIST);
	assert_int_equal(r.n, 3);
	assert_string_equal(r.targets[0].trunk->name, "cheap");
	assert_null(r.targets[0].phone);
	assert_string_equal(r.targets[1].trunk->name, "dear");
	assert_string_equal(r.targets[2].phone->name, "sales");
	assert_null(r.targets[2].trunk);
}

static void a_route_of_another_realm_is_passed_over(void **state)
{
	struct route_result r;

	route_find(&r, *state, "wan", "0301", CONF_FOR_INVITE);
	assert_string_equal(r.route->name, "inbound");
	route_find(&r, *state, "lan", "0301", CONF_FOR_INVITE);
	assert_string_equal(r.route->name, "world");
}

static void a_route_without_match_fits_the_rest(void **state)
{
	struct route_result r;

	route_find(&r, *state, "lan", "bob", CONF_FOR_INVITE);
	assert_string_equal(r.route->name, "rest");
}

static void nobody_fits(void **state)
{
	struct route_result r;

	assert_int_equal(route_find(&r, *state, "wan", "bob", CONF_FOR_INVITE),
			 ROUTE_NONE);
	assert_int_equal(r.n, 0);
	assert_int_equal(r.kind, ROUTE_NONE);
	assert_int_equal(route_find(&r, *state, "wan", "", CONF_FOR_INVITE),
			 ROUTE_NONE);
}

static void the_next_target_follows_a_time_out_or_a_server_failure(void **state)
{
	static const int stop[] = {200, 202, 302, 400, 401, 403, 404, 407, 480,
				   482, 486, 487, 488, 491, 600, 603, 606};
	static const int go[] = {408, 500, 502, 503, 504, 513, 599};

	for (size_t i = 0; i < sizeof(stop) / sizeof(*stop); i++)
		assert_false(route_next(stop[i]));
	for (size_t i = 0; i < sizeof(go) / sizeof(*go); i++)
		assert_true(route_next(go[i]));
}

static void a_route_may_be_for_some_methods_only(void **state)
{
	struct route_result r;

	route_find(&r, *state, "wan", "771", CONF_FOR_SUBSCRIBE);
	assert_string_equal(r.route->name, "presence");
	route_find_list(&r, *state, "wan", "771", CONF_FOR_PUBLISH);
	assert_string_equal(r.route->name, "presence");
	assert_int_equal(route_find(&r, *state, "wan", "771", CONF_FOR_MESSAGE),
			 ROUTE_NONE);
	route_find(&r, *state, "lan", "771", CONF_FOR_INVITE);
	assert_string_equal(r.route->name, "rest");
}

static void a_route_without_methods_is_for_all(void **state)
{
	struct route_result r;

	for (int m = 0; m < CONF_METHODS; m++) {
		route_find(&r, *state, "wan", "0301", m);
		assert_string_equal(r.route->name, "inbound");
	}
}

static void the_best_answer_tells_the_sender_most(void **state)
{
	assert_true(route_is_better(486, 0));
	assert_true(route_is_better(603, 401));
	assert_true(route_is_better(401, 404));
	assert_true(route_is_better(404, 408));
	assert_true(route_is_better(480, 503));
	assert_false(route_is_better(503, 404));
	assert_false(route_is_better(404, 404));
}

static void what_is_between_us_and_the_target_is_not_told(void **state)
{
	static const int same[] = {404, 408, 412, 423, 486, 489, 503, 603};

	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		assert_int_equal(route_map_status(same[i]), same[i]);
	assert_int_equal(route_map_status(401), 403);
	assert_int_equal(route_map_status(407), 403);
	assert_int_equal(route_map_status(302), 480);
	assert_int_equal(route_map_status(430), 480);
	assert_int_equal(route_map_status(482), 480);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_phone_of_the_same_realm_comes_first),
		cmocka_unit_test(a_phone_of_another_realm_is_found_too),
		cmocka_unit_test(a_phone_beats_a_route_that_fits),
		cmocka_unit_test(
			the_first_route_that_fits_gives_its_targets_in_order),
		cmocka_unit_test(a_route_of_another_realm_is_passed_over),
		cmocka_unit_test(a_route_without_match_fits_the_rest),
		cmocka_unit_test(nobody_fits),
		cmocka_unit_test(
			the_next_target_follows_a_time_out_or_a_server_failure),
		cmocka_unit_test(a_route_may_be_for_some_methods_only),
		cmocka_unit_test(a_route_without_methods_is_for_all),
		cmocka_unit_test(the_best_answer_tells_the_sender_most),
		cmocka_unit_test(what_is_between_us_and_the_target_is_not_told),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
