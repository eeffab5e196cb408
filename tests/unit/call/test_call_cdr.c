/*
 * test_call_cdr.c - what the record of a call says, and when it is told
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_rig.h"

static json_t *record; /* the last one */

static const json_t *at(const char *object, const char *key)
{
	const json_t *j;

	json_decref(record);
	assert_non_null(recorded);
	record = json_loads(recorded, 0, NULL);
	j = object ? json_object_get(record, object) : record;
	return json_object_get(j, key);
}

static const char *text(const char *object, const char *key)
{
	const char *s = json_string_value(at(object, key));

	return s ? s : "(null)";
}

static long long number(const char *object, const char *key)
{
	return json_integer_value(at(object, key));
}

static void hang_up(struct rig *rig, struct sip_txn *a)
{
	fake_in_dialog(a->dialog, SIP_BYE, &rig->flow_a, NULL);
}

static int forget(void **state)
{
	json_decref(record);
	record = NULL;
	return teardown(state);
}

static void
a_call_that_was_answered_and_hung_up_is_told_at_its_end(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b;

	a = establish(rig, &b);
	clock_advance(7000);
	hang_up(rig, a);
	assert_int_equal(number(NULL, "status"), 200);
	assert_int_equal(number(NULL, "q850"), 16);
	assert_int_equal(number(NULL, "duration_ms"), 7000);
	assert_string_equal(text(NULL, "cause"), "bye");
	assert_string_equal(text(NULL, "ended_by"), "a");
	assert_string_equal(text("a", "peer"), "100");
	assert_string_equal(text("b", "peer"), "101");
	assert_string_equal(text("b", "kind"), "phone");
	assert_string_equal(text("from", "received"), "100");
	assert_string_equal(text("to", "received"), "101");
}

static void media_figures_outlive_the_streams(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b;
	const json_t *media;

	a = establish(rig, &b);
	fake_media.last->stats.in_packets = 50;
	hang_up(rig, a);
	media = at(NULL, "media");
	assert_int_equal(json_array_size(media), 2);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(media, 1), "codec")),
			    "PCMA");
	assert_int_equal(
		json_integer_value(json_object_get(
			json_object_get(json_array_get(media, 1), "in"),
			"packets")),
		50);
}

static void
a_call_that_rings_is_told_and_again_when_it_is_answered(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;
	char id[64];

	invite(rig, "101", OFFER);
	b = fake_request(SIP_INVITE)->txn;
	fake_response(b, 180, NULL);
	assert_int_equal(n_recorded, 0);
	pass(rig, 1000);
	assert_int_equal(n_recorded, 1);
	assert_true(json_is_null(at(NULL, "ended_at")));
	assert_true(json_is_null(at(NULL, "answered_at")));
	snprintf(id, sizeof(id), "%s", text(NULL, "id"));
	fake_response(b, 180, NULL);
	pass(rig, 1000);
	assert_int_equal(n_recorded, 1);
	fake_response(b, 200, ANSWER);
	pass(rig, 1000);
	assert_int_equal(n_recorded, 2);
	assert_false(json_is_null(at(NULL, "answered_at")));
	assert_string_equal(text(NULL, "id"), id);
}

static void a_short_call_is_told_once(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b;

	a = establish(rig, &b);
	pass(rig, 750);
	hang_up(rig, a);
	pass(rig, 2000);
	assert_int_equal(n_recorded, 1);
}

static void a_long_call_is_told_each_quarter_of_an_hour(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b;

	a = establish(rig, &b);
	pass(rig, 1000);
	assert_int_equal(n_recorded, 1);
	for (int i = 0; i < 31; i++) {
		fake_media.last->stats.last_in = clock_mono();
		pass(rig, SEC(30));
	}
	assert_int_equal(n_recorded, 2);
	hang_up(rig, a);
	assert_int_equal(n_recorded, 3);
}

static void a_refusal_of_the_callee_is_told_with_its_answer(void **state)
{
	struct rig *rig = *state;
	const json_t *attempts;

	invite(rig, "101", OFFER);
	fake_response(fake_request(SIP_INVITE)->txn, 486, NULL);
	assert_int_equal(number(NULL, "status"), 486);
	assert_int_equal(number(NULL, "q850"), 17);
	assert_true(json_is_null(at(NULL, "duration_ms")));
	attempts = at(NULL, "attempts");
	assert_int_equal(json_array_size(attempts), 1);
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(attempts, 0), "status")),
			 486);
}

static void a_caller_who_gives_up_has_ended_it(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_response(fake_request(SIP_INVITE)->txn, 180, NULL);
	fake_event(a, SIP_TXN_CANCEL, NULL);
	assert_string_equal(text(NULL, "cause"), "cancel");
	assert_string_equal(text(NULL, "ended_by"), "a");
}

static void each_target_that_was_asked_is_an_attempt(void **state)
{
	struct rig *rig = *state;
	const json_t *attempts;

	invite(rig, "0123", OFFER);
	fake_response(fake_request(SIP_INVITE)->txn, 503, NULL);
	fake_response(fake_request(SIP_INVITE)->txn, 200, ANSWER);
	pass(rig, 1000);
	attempts = at(NULL, "attempts");
	assert_int_equal(json_array_size(attempts), 2);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(attempts, 0), "peer")),
			    "itsp");
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(attempts, 1), "status")),
			 200);
	assert_string_equal(text("b", "kind"), "trunk");
}

static void who_is_turned_away_at_the_door_is_told_once(void **state)
{
	struct rig *rig = *state;

	invite(rig, "999", OFFER);
	assert_int_equal(n_recorded, 1);
	assert_int_equal(number(NULL, "status"), 404);
	assert_string_equal(text(NULL, "ended_by"), "sbc");
	assert_string_equal(text("to", "received"), "999");
	assert_false(json_is_null(at(NULL, "ended_at")));
}

static void a_call_is_told_to_have_ended_once_only(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b;

	a = establish(rig, &b);
	hang_up(rig, a);
	assert_int_equal(n_recorded, 1);
	settle(rig);
	pass(rig, SEC(40));
	assert_int_equal(n_recorded, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, forget)
	const struct CMUnitTest tests[] = {
		T(a_call_that_was_answered_and_hung_up_is_told_at_its_end),
		T(media_figures_outlive_the_streams),
		T(a_call_that_rings_is_told_and_again_when_it_is_answered),
		T(a_short_call_is_told_once),
		T(a_long_call_is_told_each_quarter_of_an_hour),
		T(a_refusal_of_the_callee_is_told_with_its_answer),
		T(a_caller_who_gives_up_has_ended_it),
		T(each_target_that_was_asked_is_an_attempt),
		T(who_is_turned_away_at_the_door_is_told_once),
		T(a_call_is_told_to_have_ended_once_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
