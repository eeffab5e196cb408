/*
 * test_leg_reason.c - what of a peer's reasons the other side may hear
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "leg_rig.h"

/* What becomes of a BYE with this Reason. */
static void expect(struct rig *rig, const char *value, const char *crosses)
{
	const struct sip_header said[] = {{"Reason", value}, {NULL, NULL}};
	const char *got;

	up_out(rig);
	say(said);
	comes(rig, SIP_BYE, NULL);
	say(NULL);
	got = leg_reason(rig->leg);
	if (crosses) {
		assert_non_null(got);
		assert_string_equal(got, crosses);
	} else {
		assert_null(got);
	}
	leg_destroy(rig->leg);
	rig->leg = NULL;
	fake_forget();
}

static void numbers_cross_with_words_of_ours(void **state)
{
	struct rig *rig = *state;

	expect(rig, "Q.850;cause=16;text=\"alice@10.1.2.3\"",
	       "Q.850;cause=16;text=\"Normal call clearing\"");
	expect(rig, "q.850 ; text=\"x\" ; cause = 17 ",
	       "Q.850;cause=17;text=\"User busy\"");
	expect(rig, "SIP;cause=200;text=\"Bob took it\"",
	       "SIP;cause=200;text=\"Call completed elsewhere\"");
}

static void a_number_without_known_words_goes_alone(void **state)
{
	expect(*state, "Q.850;cause=99;text=\"host.example\"",
	       "Q.850;cause=99");
}

static void a_sip_reason_is_told_in_q850_as_well(void **state)
{
	expect(*state, "SIP;cause=486",
	       "Q.850;cause=17;text=\"User busy\", "
	       "SIP;cause=486;text=\"Busy Here\"");
}

static void nonsense_does_not_cross(void **state)
{
	static const char *const nonsense[] = {
		"",
		";;;",
		"Q.850",
		"Q.850;cause=",
		"Q.850;cause=0",
		"Q.850;cause=128",
		"Q.850;cause=-1",
		"SIP;cause=99999999999",
		"SIP;cause=7",
		"evil;cause=16",
		"Q.850;text=\"cause=16\"",
	};

	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		expect(*state, nonsense[i], NULL);
}

static void several_are_told_together(void **state)
{
	static const struct sip_header said[] = {
		{"Reason", "SIP;cause=480"},
		{"Reason", "Q.850;cause=20;text=\"x\""},
		{"Reason", "Q.850;cause=16"},
		{NULL, NULL},
	};
	struct rig *rig = *state;

	up_out(rig);
	say(said);
	comes(rig, SIP_BYE, NULL);
	assert_string_equal(leg_reason(rig->leg),
			    "Q.850;cause=20;text=\"Subscriber absent\", "
			    "SIP;cause=480;text=\"Temporarily Unavailable\"");
}

static void a_bye_without_one_has_none(void **state)
{
	struct rig *rig = *state;

	up_out(rig);
	comes(rig, SIP_BYE, NULL);
	assert_null(leg_reason(rig->leg));
}

static void a_refusal_has_one_by_its_status(void **state)
{
	struct rig *rig = *state;

	fake_response(begin_out(rig), 486, NULL);
	assert_string_equal(leg_reason(rig->leg),
			    "Q.850;cause=17;text=\"User busy\"");
}

static void a_refusal_we_made_up_has_none(void **state)
{
	struct rig *rig = *state;

	fake_no_response(begin_out(rig), 408);
	assert_null(leg_reason(rig->leg));
}

/* RFC 3398 8.2.6.1 and 7.2.4.1 */
static void statuses_and_causes_map_both_ways(void **state)
{
	assert_int_equal(reason_q850(404), 1);
	assert_int_equal(reason_q850(486), 17);
	assert_int_equal(reason_q850(480), 18);
	assert_int_equal(reason_q850(603), 21);
	assert_int_equal(reason_q850(503), 41);
	assert_int_equal(reason_q850(408), 102);
	assert_int_equal(reason_q850(200), 0);
	assert_int_equal(reason_status("Q.850;cause=1", 480), 404);
	assert_int_equal(reason_status("Q.850;cause=17", 480), 486);
	assert_int_equal(reason_status("Q.850;cause=21", 480), 403);
	assert_int_equal(reason_status("Q.850;cause=34", 480), 503);
	assert_int_equal(reason_status("Q.850;cause=126", 480), 480);
	assert_int_equal(reason_status("SIP;cause=503", 480), 503);
	assert_int_equal(reason_status("SIP;cause=200", 480), 480);
	assert_int_equal(reason_status("SIP;cause=404", 480), 404);
	/* A challenge without its question, and what is no status. */
	assert_int_equal(reason_status("SIP;cause=401", 480), 403);
	assert_int_equal(reason_status("SIP;cause=407", 480), 403);
	assert_int_equal(reason_status("SIP;cause=699", 480), 480);
	assert_int_equal(reason_status(NULL, 480), 480);
}

static void a_caller_that_waits_is_refused_for_the_reason(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	assert_int_equal(begin_in(rig, &txn), 0);
	leg_hangup(rig->leg, "SIP;cause=503;text=\"Shutting down\"");
	assert_int_equal(fake_answer(txn)->status, 503);
	ASSERT_HAS(fake_answer(txn)->headers, "Reason: SIP;cause=503");
}

static void a_refusal_passes_anothers_reason_on(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	assert_int_equal(begin_in(rig, &txn), 0);
	leg_reject_for(rig->leg, 480, "Q.850;cause=20");
	ASSERT_HAS(fake_answer(txn)->headers, "Reason: Q.850;cause=20\n");
}

static void our_cancel_says_why(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b = begin_out(rig);

	fake_response(b, 180, NULL);
	leg_hangup(rig->leg, "SIP;cause=200");
	assert_true(b->cancelled);
	assert_string_equal(b->cancel_reason, "SIP;cause=200");
	fake_response(b, 487, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(numbers_cross_with_words_of_ours),
		TEST(a_number_without_known_words_goes_alone),
		TEST(a_sip_reason_is_told_in_q850_as_well),
		TEST(nonsense_does_not_cross),
		TEST(several_are_told_together),
		TEST(a_bye_without_one_has_none),
		TEST(a_refusal_has_one_by_its_status),
		TEST(a_refusal_we_made_up_has_none),
		TEST(statuses_and_causes_map_both_ways),
		TEST(a_caller_that_waits_is_refused_for_the_reason),
		TEST(a_refusal_passes_anothers_reason_on),
		TEST(our_cancel_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
