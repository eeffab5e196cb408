/*
 * test_trunk_health.c - OPTIONS to each host, and what is told of it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "trunk_rig.h"

#define ONE                                                                    \
	HEAD "config trunk 'itsp'\n"                                           \
	     "	option realm 'wan'\n"                                           \
	     "	option host '192.0.2.1'\n"                                      \
	     "	option options_interval '30'\n"
#define SILENT                                                                 \
	HEAD "config trunk 'itsp'\n"                                           \
	     "	option realm 'wan'\n"                                           \
	     "	option host '192.0.2.1'\n"                                      \
	     "	option options_interval '0'\n"

static void every_host_is_asked_soon_and_then_each_interval(void **state)
{
	struct rig *rig = *state;

	use(rig, ONE);
	pass(rig, SEC(1));
	assert_int_equal(fake_count(SIP_OPTIONS), 1);
	assert_string_equal(fake_last()->target, "sip:192.0.2.1:5060");
	answer_options(200);
	pass(rig, SEC(29));
	assert_int_equal(fake_count(SIP_OPTIONS), 1);
	pass(rig, SEC(2));
	assert_int_equal(fake_count(SIP_OPTIONS), 2);
}

static void an_interval_of_nought_asks_nobody(void **state)
{
	struct rig *rig = *state;

	use(rig, SILENT);
	pass(rig, SEC(100));
	assert_int_equal(fake_count(SIP_OPTIONS), 0);
	assert_string_equal(state_of(rig), "unknown");
}

static void any_answer_says_that_it_is_up(void **state)
{
	struct rig *rig = *state;

	use(rig, ONE);
	assert_string_equal(state_of(rig), "unknown");
	pass(rig, SEC(1));
	answer_options(404);
	assert_string_equal(state_of(rig), "up");
}

static void the_way_there_and_back_is_timed(void **state)
{
	struct rig *rig = *state;

	use(rig, ONE);
	assert_int_equal(look(rig)->rtt_ms, -1);
	while (!fake.n)
		pass(rig, 10);
	clock_advance(23);
	answer_options(200);
	assert_int_equal(look(rig)->rtt_ms, 23);
	assert_int_equal(looked.hosts[0].rtt_ms, 23);
}

static void three_losses_are_down_and_an_alarm(void **state)
{
	struct rig *rig = *state;

	use(rig, ONE);
	pass(rig, SEC(1));
	answer_options(200);
	pass(rig, SEC(30) + 2 * (TRUNK_PATIENCE_MS + 1000));
	assert_string_equal(state_of(rig), "up");
	assert_false(is_raised("trunk-down"));
	pass(rig, TRUNK_PATIENCE_MS + 1000);
	assert_string_equal(state_of(rig), "down");
	assert_non_null(strstr(looked.reason, "192.0.2.1:5060"));
	assert_true(is_raised("trunk-down"));
}

static void the_first_answer_ends_the_alarm(void **state)
{
	struct rig *rig = *state;

	use(rig, ONE);
	pass(rig, SEC(40));
	assert_string_equal(state_of(rig), "down");
	for (int i = 0; i < 100 && strcmp(state_of(rig), "up"); i++) {
		answer_options(200);
		pass(rig, SEC(1));
	}
	assert_string_equal(state_of(rig), "up");
	assert_string_equal(looked.reason, "");
	assert_false(is_raised("trunk-down"));
}

static void icmp_is_heard_at_once(void **state)
{
	struct rig *rig = *state;

	use(rig, ONE);
	for (int i = 0; i < 2; i++) {
		pass(rig, SEC(1) + 100);
		assert_int_equal(fake_count(SIP_OPTIONS), i + 1);
		fake_no_response(fake_last()->txn, 503);
	}
	assert_string_equal(state_of(rig), "down");
}

static void a_silent_call_alone_raises_no_alarm(void **state)
{
	struct rig *rig = *state;

	use(rig, SILENT);
	report(rig, 0, TRUNK_SILENT, 0, -1);
	assert_string_equal(state_of(rig), "unknown");
	assert_int_equal(look(rig)->hosts[0].grade, TRUNK_SUSPECT);
}

static void an_open_breaker_is_probed_after_five_seconds(void **state)
{
	struct rig *rig = *state;

	use(rig, SILENT);
	report(rig, 0, TRUNK_SILENT, 0, -1);
	pass(rig, SEC(4));
	assert_int_equal(fake_count(SIP_OPTIONS), 0);
	pass(rig, SEC(1));
	assert_int_equal(fake_count(SIP_OPTIONS), 1);
	answer_options(200);
	assert_int_equal(look(rig)->hosts[0].grade, TRUNK_GOOD);
	pass(rig, SEC(100));
	assert_int_equal(fake_count(SIP_OPTIONS), 1);
}

static void probes_become_rare(void **state)
{
	struct rig *rig = *state;

	use(rig, SILENT);
	report(rig, 0, TRUNK_SILENT, 0, -1);
	pass(rig, SEC(600));
	/* 5, 10, 20, 40 s, then once a minute. */
	assert_in_range(fake_count(SIP_OPTIONS), 10, 14);
	assert_string_equal(state_of(rig), "down");
}

static void who_answers_calls_but_no_options_is_not_down(void **state)
{
	struct rig *rig = *state;

	use(rig, ONE);
	report(rig, 0, TRUNK_ANSWERED, 486, -1);
	assert_string_equal(state_of(rig), "up");
	pass(rig, SEC(300));
	assert_string_equal(state_of(rig), "up");
}

static void such_a_host_is_probed_by_a_call(void **state)
{
	struct rig *rig = *state;

	use(rig, ONE);
	report(rig, 0, TRUNK_ANSWERED, 486, -1);
	pass(rig, SEC(100));
	report(rig, 0, TRUNK_SILENT, 0, -1);
	assert_int_equal(look(rig)->hosts[0].grade, TRUNK_SUSPECT);
	pass(rig, SEC(5));
	assert_int_equal(look(rig)->hosts[0].grade, TRUNK_GOOD);
}

static void options_alone_keep_no_call_from_who_never_answered_any(void **state)
{
	struct rig *rig = *state;

	use(rig, ONE);
	pass(rig, SEC(60));
	assert_string_equal(state_of(rig), "down");
	assert_int_equal(looked.hosts[0].grade, TRUNK_GOOD);
	report(rig, 0, TRUNK_SILENT, 0, -1);
	pass(rig, SEC(6));
	assert_int_equal(look(rig)->hosts[0].grade, TRUNK_SUSPECT);
}

static void a_host_that_says_when_it_is_back_is_believed(void **state)
{
	struct sip_view busy = {.status = 503, .retry_after = 60};
	struct rig *rig = *state;

	use(rig, ONE);
	pass(rig, SEC(1));
	fake_response_view(fake_last()->txn, &busy);
	assert_int_equal(look(rig)->hosts[0].grade, TRUNK_OUT);
}

static void a_host_that_none_of_our_sockets_reaches_is_not_blamed(void **state)
{
	struct rig *rig = *state;

	fake.flow_error = -ENETUNREACH;
	use(rig, ONE);
	pass(rig, SEC(60));
	assert_string_equal(state_of(rig), "down");
	assert_non_null(strstr(looked.reason, "realm wan"));
	assert_int_equal(looked.hosts[0].grade, TRUNK_GOOD);
	fake.flow_error = 0;
	pass(rig, SEC(10));
	answer_options(200);
	assert_string_equal(state_of(rig), "up");
}

static void nobody_is_asked_before_the_sockets_are_bound(void **state)
{
	struct rig *rig = *state;
	struct trunks_conf conf = {.loop = rig->loop};

	rig->config = parse(ONE);
	assert_int_equal(trunks_create(&rig->trunks, &conf, rig->config), 0);
	pass(rig, SEC(10));
	assert_int_equal(fake.n, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_host_is_asked_soon_and_then_each_interval),
		T(an_interval_of_nought_asks_nobody),
		T(any_answer_says_that_it_is_up),
		T(the_way_there_and_back_is_timed),
		T(three_losses_are_down_and_an_alarm),
		T(the_first_answer_ends_the_alarm),
		T(icmp_is_heard_at_once),
		T(a_silent_call_alone_raises_no_alarm),
		T(an_open_breaker_is_probed_after_five_seconds),
		T(probes_become_rare),
		T(who_answers_calls_but_no_options_is_not_down),
		T(such_a_host_is_probed_by_a_call),
		T(options_alone_keep_no_call_from_who_never_answered_any),
		T(a_host_that_says_when_it_is_back_is_believed),
		T(a_host_that_none_of_our_sockets_reaches_is_not_blamed),
		T(nobody_is_asked_before_the_sockets_are_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
