/*
 * test_call_admit.c - limits on calls, and on how many begin in a second
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_rig.h"

static const char limited[] = "config sbc 'global'\n"
			      "	option max_calls '4'\n"
			      "	option max_cps '0'\n"
			      "	list emergency '112'\n"
			      "config realm 'lan'\n"
			      "	option max_calls '3'\n"
			      "config phone '100'\n"
			      "	option password 'secret-a'\n"
			      "	option max_cps '2'\n"
			      "config phone '101'\n"
			      "	option password 'secret-b'\n"
			      "	option max_calls '1'\n"
			      "config trunk 'itsp'\n"
			      "	option realm 'lan'\n"
			      "	option host '198.51.100.5'\n"
			      "	option max_calls '1'\n"
			      "config trunk 'backup'\n"
			      "	option realm 'lan'\n"
			      "	option host '198.51.100.6'\n"
			      "config route 'out'\n"
			      "	option match '0.'\n"
			      "	list to 'itsp'\n"
			      "	list to 'backup'\n"
			      "config route 'one'\n"
			      "	option match '9.'\n"
			      "	list to 'itsp'\n"
			      "config route 'help'\n"
			      "	option match '112'\n"
			      "	list to 'itsp'\n";

static int setup_limits(void **state)
{
	struct conf_errors errs = {0};
	struct config *config;
	struct rig *rig;

	if (setup(state))
		return -1;
	rig = *state;
	assert_int_equal(config_parse(&config, "test", STR(limited), &errs), 0);
	trunks_set_config(rig->trunks, config);
	calls_set_config(rig->calls, config);
	config_unref(rig->config);
	rig->config = known = config;
	return 0;
}

/* A second goes by between calls of a phone that may make two in one. */
static struct sip_txn *dial(struct rig *rig, const char *user)
{
	clock_advance(1000);
	return invite(rig, user, OFFER);
}

static const char *asked(void)
{
	return fake_request(SIP_INVITE)->dialog->target;
}

static void a_trunk_that_is_full_is_passed_over(void **state)
{
	struct rig *rig = *state;

	dial(rig, "0123");
	assert_non_null(strstr(asked(), "@198.51.100.5"));
	dial(rig, "0124");
	assert_non_null(strstr(asked(), "@198.51.100.6"));
}

static void where_all_targets_are_full_it_is_503(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a;

	dial(rig, "9123");
	a = dial(rig, "9124");
	assert_int_equal(fake_answer(a)->status, 503);
	assert_non_null(strstr(fake_answer(a)->headers, "Retry-After: "));
	assert_int_equal(fake_count(SIP_INVITE), 1);
}

static void a_call_that_has_ended_makes_room_at_once(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = dial(rig, "9123");

	fake_response(fake_request(SIP_INVITE)->txn, 180, NULL);
	fake_event(a, SIP_TXN_CANCEL, NULL);
	/* The trunk has not answered the CANCEL yet. */
	dial(rig, "9124");
	assert_int_equal(fake_count(SIP_INVITE), 2);
}

static void a_phone_that_is_full_is_busy(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a;

	dial(rig, "101");
	a = dial(rig, "101");
	assert_int_equal(fake_answer(a)->status, 486);
}

static void a_realm_that_is_full_takes_no_new_call(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *before;

	dial(rig, "0123");
	dial(rig, "0124");
	dial(rig, "0125");
	assert_int_equal(fake_count(SIP_INVITE), 3);
	before = dial(rig, "0126");
	assert_null(before); /* answered without state */
	assert_int_equal(fake_last()->status, 503);
	assert_int_equal(fake_count(SIP_INVITE), 3);
}

static void calls_per_second_are_a_bucket_of_one_second(void **state)
{
	struct rig *rig = *state;

	assert_non_null(invite(rig, "0123", OFFER));
	assert_non_null(invite(rig, "0124", OFFER));
	assert_null(invite(rig, "0125", OFFER));
	assert_int_equal(fake_last()->status, 503);
	clock_advance(499);
	assert_null(invite(rig, "0125", OFFER));
	clock_advance(1);
	assert_non_null(invite(rig, "0125", OFFER));
	assert_null(invite(rig, "0126", OFFER));
}

static void an_emergency_passes_whatever_is_full(void **state)
{
	struct rig *rig = *state;

	dial(rig, "9123");
	dial(rig, "0124");
	dial(rig, "0125");
	invite(rig, "0126", OFFER);
	invite(rig, "0127", OFFER);
	assert_int_equal(fake_count(SIP_INVITE), 3);
	assert_non_null(invite(rig, "112", OFFER));
	assert_int_equal(fake_count(SIP_INVITE), 4);
	assert_non_null(strstr(asked(), "sip:112@198.51.100.5"));
}

static void who_is_turned_away_takes_nobodys_place(void **state)
{
	struct rig *rig = *state;

	assert_non_null(invite(rig, "0123", OFFER));
	assert_non_null(invite(rig, "0124", OFFER));
	for (int i = 0; i < 100; i++)
		assert_null(invite(rig, "0125", OFFER));
	clock_advance(500);
	assert_non_null(invite(rig, "0125", OFFER));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_limits, teardown)
	const struct CMUnitTest tests[] = {
		T(a_trunk_that_is_full_is_passed_over),
		T(where_all_targets_are_full_it_is_503),
		T(a_call_that_has_ended_makes_room_at_once),
		T(a_phone_that_is_full_is_busy),
		T(a_realm_that_is_full_takes_no_new_call),
		T(calls_per_second_are_a_bucket_of_one_second),
		T(an_emergency_passes_whatever_is_full),
		T(who_is_turned_away_takes_nobodys_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
