/*
 * test_explain.c - who asks for what gets where, with which numbers, and the
 * words that tell why
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

static const char text[] = "config sbc 'global'\n"
			   "	list emergency '112'\n"
			   "	list emergency '0112'\n"
			   "config realm 'lan'\n"
			   "	list listen 'udp:5060'\n"
			   "config realm 'wan'\n"
			   "	list listen 'udp:5070'\n"
			   "config phone 'desk'\n"
			   "	option user '100'\n"
			   "	option password 'x'\n"
			   "config phone 'prank'\n"
			   "	option user '112'\n"
			   "	option password 'x'\n"
			   "config phone 'dial-in'\n"
			   "	option user '+4930200'\n"
			   "	option password 'x'\n"
			   "config phone 'old'\n"
			   "	option user '030300'\n"
			   "	option password 'x'\n"
			   "config trunk 'itsp'\n"
			   "	option realm 'wan'\n"
			   "	option host 'sip.example.net'\n"
			   "	option country_code '49'\n"
			   "	option numbers 'e164'\n"
			   "config trunk 'raw'\n"
			   "	option realm 'wan'\n"
			   "	option host '192.0.2.2'\n"
			   "config route 'inbound'\n"
			   "	option from 'itsp'\n"
			   "	option match '+4930X!'\n"
			   "	option calling '+49!'\n"
			   "	option calling_strip '3'\n"
			   "	option calling_prefix '0'\n"
			   "	list to 'desk'\n"
			   "config route 'boss'\n"
			   "	option from 'desk'\n"
			   "	option match '9!'\n"
			   "	option strip '1'\n"
			   "	list to 'raw'\n"
			   "config route 'help'\n"
			   "	option match '0112'\n"
			   "	option strip '1'\n"
			   "	list to 'itsp'\n"
			   "config route 'out'\n"
			   "	option from_realm 'lan'\n"
			   "	option match '0!'\n"
			   "	list to 'itsp'\n"
			   "	list to 'raw'\n"
			   "	list to 'desk'\n"
			   "config route 'sos'\n"
			   "	option match '112'\n"
			   "	list to 'itsp'\n";

struct rig {
	struct config *cfg;
	struct route_result r;
	char told[8192];
};

static int setup(void **state)
{
	static struct rig rig;
	struct conf_errors errs;

	memset(&rig, 0, sizeof(rig));
	assert_int_equal(config_parse(&rig.cfg, "test", STR(text), &errs), 0);
	conf_errors_clear(&errs);
	*state = &rig;
	return 0;
}

static int teardown(void **state)
{
	config_unref(((struct rig *)*state)->cfg);
	return 0;
}

static void hear(void *arg, const char *sentence)
{
	struct rig *rig = arg;

	strncat(rig->told, sentence, sizeof(rig->told) - 1 - strlen(rig->told));
	strncat(rig->told, "\n", sizeof(rig->told) - 1 - strlen(rig->told));
}

/* @from is a trunk or phone; the trace is kept in @rig. */
static enum route_kind ask(struct rig *rig, const char *from,
			   const char *called, const char *calling)
{
	struct route_trace trace = {hear, rig};
	struct route_ask a = {
		.trunk = config_trunk(rig->cfg, from),
		.phone = config_phone(rig->cfg, from),
		.called = called,
		.calling = calling,
	};
	struct route_result silent;

	a.realm = a.trunk ? a.trunk->realm : "lan";
	rig->told[0] = '\0';
	route_explain(&rig->r, rig->cfg, &a, &trace);
	/* What is told is what is done. */
	assert_int_equal(route_decide(&silent, rig->cfg, &a, NULL),
			 rig->r.kind);
	assert_string_equal(silent.called, rig->r.called);
	return rig->r.kind;
}

static void tells(const struct rig *rig, const char *words)
{
	if (!strstr(rig->told, words))
		print_error("not told: %s\n%s", words, rig->told);
	assert_non_null(strstr(rig->told, words));
}

static void a_route_may_be_for_one_phone(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(ask(rig, "desk", "91", ""), ROUTE_LIST);
	assert_string_equal(rig->r.route->name, "boss");
	assert_int_equal(ask(rig, "old", "91", ""), ROUTE_NONE);
	tells(rig, "'boss' does not fit: it is for what comes from 'desk' "
		   "only");
	tells(rig, "No route fits: the answer is 404.");
}

static void a_route_may_ask_who_calls(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(ask(rig, "itsp", "0309999", "+4940100"), ROUTE_LIST);
	assert_string_equal(rig->r.route->name, "inbound");
	assert_int_equal(ask(rig, "itsp", "0309999", "+4420100"), ROUTE_NONE);
	tells(rig, "its calling '+49!' does not fit the calling number "
		   "+4420100");
	assert_int_equal(ask(rig, "itsp", "0309999", NULL), ROUTE_NONE);
	tells(rig, "does not fit the calling number (unknown)");
}

static void a_trunks_numbers_are_read_by_its_plan(void **state)
{
	struct rig *rig = *state;

	ask(rig, "itsp", "0309999", "0040123456");
	assert_string_equal(rig->r.called, "+49309999");
	assert_string_equal(rig->r.calling, "+40123456");
	tells(rig, "sends the called number 0309999; inside it is +49309999: "
		   "it begins with the national_prefix \"0\", and country_code "
		   "is 49");
	ask(rig, "raw", "0309999", "0040123456");
	assert_string_equal(rig->r.called, "0309999");
	assert_string_equal(rig->r.calling, "0040123456");
}

static void a_phone_is_found_by_either_form(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(ask(rig, "itsp", "030200", ""), ROUTE_PHONE);
	assert_string_equal(rig->r.targets[0].phone->name, "dial-in");
	assert_int_equal(ask(rig, "itsp", "030300", ""), ROUTE_PHONE);
	assert_string_equal(rig->r.targets[0].phone->name, "old");
	assert_string_equal(rig->r.called, "030300");
	tells(rig, "Target 1 is phone 'old'");
}

static void a_route_rewrites_both_numbers(void **state)
{
	struct rig *rig = *state;

	ask(rig, "desk", "9123", "100");
	assert_string_equal(rig->r.called, "123");
	assert_string_equal(rig->r.calling, "100");
	tells(rig, "The called number 9123 becomes 123: strip 1");
	ask(rig, "itsp", "+493099", "+4940100");
	assert_string_equal(rig->r.called, "+493099");
	assert_string_equal(rig->r.calling, "040100");
	tells(rig, "The calling number +4940100 becomes 040100: strip 3, "
		   "prefix \"0\"");
}

static void a_number_that_would_be_nothing_stays(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(ask(rig, "desk", "9", ""), ROUTE_LIST);
	assert_string_equal(rig->r.called, "9");
	tells(rig, "is too short to be rewritten");
}

static void an_emergency_number_goes_to_a_route_never_to_a_phone(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(ask(rig, "desk", "112", ""), ROUTE_LIST);
	assert_true(rig->r.emergency);
	assert_string_equal(rig->r.route->name, "sos");
	tells(rig, "112 is an emergency number");
	tells(rig, "The emergency number 112 is sent as it is");
}

static void an_emergency_number_may_be_rewritten_by_its_route(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(ask(rig, "desk", "0112", ""), ROUTE_LIST);
	assert_true(rig->r.emergency);
	assert_string_equal(rig->r.called, "112");
}

static void other_numbers_and_methods_are_no_emergency(void **state)
{
	struct rig *rig = *state;
	struct route_ask a = {
		.realm = "lan", .called = "112", .method = CONF_FOR_MESSAGE};

	ask(rig, "desk", "100", "");
	assert_false(rig->r.emergency);
	tells(rig, "100 is not on the list of emergency numbers");
	assert_int_equal(route_decide(&rig->r, rig->cfg, &a, NULL),
			 ROUTE_PHONE);
	assert_false(rig->r.emergency);
}

static void each_target_tells_which_number_it_gets(void **state)
{
	struct rig *rig = *state;

	ask(rig, "desk", "030123", "100");
	assert_int_equal(rig->r.n, 3);
	tells(rig, "Route 'inbound' does not fit");
	tells(rig, "Route 'out' fits: from_realm is 'lan', match '0!' fits "
		   "030123.");
	tells(rig, "Target 1 is trunk 'itsp' in realm 'wan', at "
		   "sip.example.net");
	tells(rig, "The called number 030123 means +4930123");
	tells(rig, "The calling number 100 stays");
	tells(rig, "Target 2 is trunk 'raw'");
	tells(rig, "Target 3 is phone 'desk'");
	tells(rig, "is followed by the next");
}

static void a_route_of_another_realm_or_method_tells_so(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(ask(rig, "raw", "0301", ""), ROUTE_NONE);
	tells(rig, "'out' does not fit: it is for what comes from realm "
		   "'lan', and this comes from 'wan'");
	tells(rig,
	      "'sos' does not fit: its match '112' does not fit the called "
	      "number 0301");
}

static void where_the_host_is_not_ours_no_phone_is_meant(void **state)
{
	struct rig *rig = *state;
	struct route_ask a = {
		.realm = "lan", .called = "100", .routes_only = true};

	assert_int_equal(route_decide(&rig->r, rig->cfg, &a, NULL), ROUTE_NONE);
	a.routes_only = false;
	assert_int_equal(route_decide(&rig->r, rig->cfg, &a, NULL),
			 ROUTE_PHONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_route_may_be_for_one_phone),
		cmocka_unit_test(a_route_may_ask_who_calls),
		cmocka_unit_test(a_trunks_numbers_are_read_by_its_plan),
		cmocka_unit_test(a_phone_is_found_by_either_form),
		cmocka_unit_test(a_route_rewrites_both_numbers),
		cmocka_unit_test(a_number_that_would_be_nothing_stays),
		cmocka_unit_test(
			an_emergency_number_goes_to_a_route_never_to_a_phone),
		cmocka_unit_test(
			an_emergency_number_may_be_rewritten_by_its_route),
		cmocka_unit_test(other_numbers_and_methods_are_no_emergency),
		cmocka_unit_test(each_target_tells_which_number_it_gets),
		cmocka_unit_test(a_route_of_another_realm_or_method_tells_so),
		cmocka_unit_test(where_the_host_is_not_ours_no_phone_is_meant),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
