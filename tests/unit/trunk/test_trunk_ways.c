/*
 * test_trunk_ways.c - in which order hosts are tried, and whose an address is
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "trunk_rig.h"

#define TRUNK                                                                  \
	HEAD "config trunk 'itsp'\n"                                           \
	     "	option realm 'wan'\n"                                           \
	     "	option options_interval '0'\n"
#define TWO                                                                    \
	TRUNK "	list peer '192.0.2.1 10'\n"                                    \
	      "	list peer '192.0.2.2 20'\n"
#define NAMED TRUNK "	option host 'sip.example.net'\n"

static void lower_priority_comes_first(void **state)
{
	struct rig *rig = *state;

	use(rig, TRUNK "	list peer '192.0.2.2 20'\n"
		       "	list peer '192.0.2.1 10'\n");
	assert_string_equal(ways_now(rig), "192.0.2.1:5060 192.0.2.2:5060");
}

static void equals_share_by_weight(void **state)
{
	struct rig *rig = *state;
	unsigned first = 0;

	use(rig, TRUNK "	list peer '192.0.2.1 10 900'\n"
		       "	list peer '192.0.2.2 10 100'\n");
	for (int i = 0; i < 1000; i++)
		first += !strncmp(ways_now(rig), "192.0.2.1", 9);
	assert_in_range(first, 800, 980);
}

static void a_silent_host_comes_last(void **state)
{
	struct rig *rig = *state;

	use(rig, TWO);
	report(rig, 0, TRUNK_SILENT, 0, -1);
	assert_string_equal(ways_now(rig), "192.0.2.2:5060 (192.0.2.1:5060)");
}

static void a_host_that_refuses_twice_comes_last(void **state)
{
	struct rig *rig = *state;

	use(rig, TWO);
	report(rig, 0, TRUNK_REFUSED, 0, -1);
	assert_string_equal(ways_now(rig), "192.0.2.1:5060 192.0.2.2:5060");
	report(rig, 0, TRUNK_REFUSED, 0, -1);
	assert_string_equal(ways_now(rig), "192.0.2.2:5060 (192.0.2.1:5060)");
}

static void our_own_lack_of_a_route_is_not_held_against_it(void **state)
{
	struct rig *rig = *state;

	use(rig, TWO);
	for (int i = 0; i < 5; i++)
		report(rig, 0, TRUNK_UNSENT, 0, -1);
	assert_string_equal(ways_now(rig), "192.0.2.1:5060 192.0.2.2:5060");
}

static void an_answer_brings_it_back(void **state)
{
	struct rig *rig = *state;

	use(rig, TWO);
	report(rig, 0, TRUNK_SILENT, 0, -1);
	report(rig, 1, TRUNK_ANSWERED, 486, -1);
	assert_string_equal(ways_now(rig), "192.0.2.1:5060 192.0.2.2:5060");
}

static void who_is_busy_is_left_alone_for_as_long_as_he_says(void **state)
{
	struct rig *rig = *state;

	use(rig, TWO);
	report(rig, 0, TRUNK_ANSWERED, 503, 20);
	assert_string_equal(ways_now(rig), "192.0.2.2:5060 (192.0.2.1:5060)");
	assert_int_equal(ways[1].grade, TRUNK_OUT);
	pass(rig, SEC(20));
	assert_string_equal(ways_now(rig), "192.0.2.1:5060 192.0.2.2:5060");
}

static void a_503_without_a_time_is_an_answer_like_any(void **state)
{
	struct rig *rig = *state;

	use(rig, TWO);
	report(rig, 0, TRUNK_ANSWERED, 503, -1);
	assert_string_equal(ways_now(rig), "192.0.2.1:5060 192.0.2.2:5060");
}

static void a_report_of_a_host_that_is_gone_is_nobodys(void **state)
{
	struct rig *rig = *state;
	struct trunk_way way = {.transport = SIP_UDP};

	use(rig, TWO);
	addr_parse_port(&way.remote, "192.0.2.77:5060");
	trunks_report(rig->trunks, "itsp", &way,
		      &(struct trunk_report){.outcome = TRUNK_SILENT});
	trunks_report(rig->trunks, "who", &way,
		      &(struct trunk_report){.outcome = TRUNK_SILENT});
	assert_string_equal(ways_now(rig), "192.0.2.1:5060 192.0.2.2:5060");
}

/* ---- names ---------------------------------------------------------------------- */

static void a_name_is_asked_for_and_ordered_as_its_records_say(void **state)
{
	static const char *const answer[] = {"198.51.100.1:5062 0 1",
					     "198.51.100.2:5060 1 1"};
	struct rig *rig = *state;

	use(rig, NAMED);
	assert_string_equal(names.host, "sip.example.net");
	assert_int_equal(names.q.transport, DNS_UDP);
	assert_int_equal(names.q.port, 0);
	assert_string_equal(ways_now(rig), "");
	resolve(answer, 2);
	assert_string_equal(ways_now(rig),
			    "198.51.100.1:5062 198.51.100.2:5060");
	assert_string_equal(ways[0].target, "sip.example.net");
	assert_int_equal(rig->n_known, 2);
}

static void it_is_asked_for_again_when_its_time_is_over(void **state)
{
	static const char *const answer[] = {"198.51.100.1:5060"};
	static const char *const other[] = {"198.51.100.9:5060"};
	struct rig *rig = *state;

	use(rig, NAMED);
	resolve(answer, 1);
	pass(rig, SEC(59));
	assert_int_equal(names.asked, 1);
	pass(rig, SEC(1));
	assert_int_equal(names.asked, 2);
	resolve(other, 1);
	assert_string_equal(ways_now(rig), "198.51.100.9:5060");
}

static bool is_itsp(struct rig *rig, const char *from)
{
	struct addr a;

	assert_int_equal(addr_parse_port(&a, from), 0);
	return trunks_by_source(rig->trunks, "wan", &a, CONF_UDP) != NULL;
}

static void what_came_of_a_name_stays_its_for_a_while(void **state)
{
	static const char *const answer[] = {"198.51.100.1:5060"};
	static const char *const other[] = {"198.51.100.9:5060"};
	struct rig *rig = *state;

	use(rig, NAMED);
	assert_false(is_itsp(rig, "198.51.100.1:5060"));
	resolve(answer, 1);
	assert_true(is_itsp(rig, "198.51.100.1:1234"));
	pass(rig, SEC(60));
	resolve(other, 1);
	pass(rig, SEC(50));
	assert_true(is_itsp(rig, "198.51.100.1:5060"));
	assert_true(is_itsp(rig, "198.51.100.9:5060"));
	for (int i = 0; i < 12; i++) {
		if (names.id)
			resolve(other, 1);
		pass(rig, SEC(60));
	}
	assert_false(is_itsp(rig, "198.51.100.1:5060"));
	assert_true(is_itsp(rig, "198.51.100.9:5060"));
}

static void an_outage_of_the_name_server_takes_nothing_away(void **state)
{
	static const char *const answer[] = {"198.51.100.1:5060"};
	struct dns_answer none = {.result = DNS_TIMED_OUT, .ttl_s = 30};
	struct rig *rig = *state;

	use(rig, NAMED);
	resolve(answer, 1);
	pass(rig, SEC(60));
	names.fn(names.arg, &none);
	assert_string_equal(ways_now(rig), "198.51.100.1:5060");
}

static void a_name_that_does_not_exist_is_said(void **state)
{
	struct rig *rig = *state;

	use(rig, NAMED);
	assert_string_equal(state_of(rig), "unknown");
	resolve(NULL, 0);
	assert_string_equal(state_of(rig), "down");
	assert_non_null(strstr(looked.reason, "sip.example.net"));
	assert_true(is_raised("trunk-down"));
}

/* ---- whose is it ------------------------------------------------------------------ */

static void a_written_port_is_kept_to_on_udp(void **state)
{
	struct rig *rig = *state;

	use(rig, TRUNK "	list peer '192.0.2.1:5070'\n");
	assert_true(is_itsp(rig, "192.0.2.1:5070"));
	assert_false(is_itsp(rig, "192.0.2.1:5071"));
}

static void another_realm_or_transport_is_not_the_trunks(void **state)
{
	struct rig *rig = *state;
	struct addr a;

	use(rig, TWO);
	addr_parse_port(&a, "192.0.2.1:5060");
	assert_non_null(trunks_by_source(rig->trunks, "wan", &a, CONF_UDP));
	assert_null(trunks_by_source(rig->trunks, "lan", &a, CONF_UDP));
	assert_null(trunks_by_source(rig->trunks, "wan", &a, CONF_TCP));
}

static void what_the_admin_takes_away_is_the_trunks_no_more(void **state)
{
#define DOMAIN TRUNK "	option domain 'itsp.example'\n"
#define SECOND "	list peer '192.0.2.2 20'\n"
#define NAME   "	list peer 'sip.example.net 30'\n"
	static const char *const answer[] = {"198.51.100.1:5060"};
	struct rig *rig = *state;

	use(rig, DOMAIN "	list peer '192.0.2.1 10'\n" SECOND NAME);
	resolve(answer, 1);
	reload(rig, DOMAIN SECOND NAME);
	assert_false(is_itsp(rig, "192.0.2.1:5060"));
	assert_true(is_itsp(rig, "192.0.2.2:5060"));
	assert_true(is_itsp(rig, "198.51.100.1:5060")); /* it is asked for */
	reload(rig, DOMAIN SECOND);
	assert_false(is_itsp(rig, "198.51.100.1:5060"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(lower_priority_comes_first),
		T(equals_share_by_weight),
		T(a_silent_host_comes_last),
		T(a_host_that_refuses_twice_comes_last),
		T(our_own_lack_of_a_route_is_not_held_against_it),
		T(an_answer_brings_it_back),
		T(who_is_busy_is_left_alone_for_as_long_as_he_says),
		T(a_503_without_a_time_is_an_answer_like_any),
		T(a_report_of_a_host_that_is_gone_is_nobodys),
		T(a_name_is_asked_for_and_ordered_as_its_records_say),
		T(it_is_asked_for_again_when_its_time_is_over),
		T(what_came_of_a_name_stays_its_for_a_while),
		T(an_outage_of_the_name_server_takes_nothing_away),
		T(a_name_that_does_not_exist_is_said),
		T(a_written_port_is_kept_to_on_udp),
		T(another_realm_or_transport_is_not_the_trunks),
		T(what_the_admin_takes_away_is_the_trunks_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
