/*
 * test_call_bridge.c - what passes between the legs of a call that is up
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_rig.h"

#include "core/alarm.h"

/* ---- while it is up --------------------------------------------------------------------------- */

static void a_hold_is_carried_to_the_other_side_and_back(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *change;
	struct fake_message *out;

	change =
		fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	assert_int_equal(fake_answer(change)->status, 100);
	out = fake_request(SIP_INVITE);
	assert_ptr_equal(out->dialog, b->dialog);
	assert_non_null(strstr(out->body, "a=sendonly"));
	fake_response(out->txn, 200, HOLD_ANSWER);
	assert_int_equal(fake_answer(change)->status, 200);
	assert_non_null(strstr(fake_answer(change)->body, "a=recvonly"));
	assert_int_equal(fake_count(SIP_ACK), 2);
}

static void ports_stay_when_the_session_changes(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b);
	char port[32];

	snprintf(port, sizeof(port), "m=audio %u",
		 addr_port(media_stream_rtp(fake_media.last)));
	fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	assert_non_null(strstr(fake_request(SIP_INVITE)->body, port));
	assert_int_equal(fake_media.open, 2);
}

static uint64_t version_of(const char *sdp)
{
	unsigned long long id, version;

	assert_int_equal(
		sscanf(strstr(sdp, "o="), "o=- %llu %llu", &id, &version), 2);
	return version;
}

static void the_version_grows_by_one_on_change_only(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *change;
	uint64_t first = version_of(fake_request(SIP_INVITE)->body);

	for (int i = 0; i < 2; i++) {
		change = fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a,
					HOLD_OFFER);
		assert_int_equal(version_of(fake_request(SIP_INVITE)->body),
				 first + 1);
		fake_response(fake_request(SIP_INVITE)->txn, 200, HOLD_ANSWER);
		fake_event(change, SIP_TXN_ACK, NULL);
	}
}

static void a_refused_change_leaves_the_call_as_it_was(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *change;
	unsigned told = fake_media.last->told;

	change =
		fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	fake_response(fake_request(SIP_INVITE)->txn, 488, NULL);
	assert_int_equal(fake_answer(change)->status, 488);
	assert_int_equal(fake_media.last->told, told);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
}

static void crossing_changes_get_491_and_doubled_ones_500(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *crossing, *doubled;

	fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	crossing = fake_in_dialog(b->dialog, SIP_INVITE, &rig->flow_b, OFFER);
	assert_int_equal(fake_answer(crossing)->status, 491);
	doubled = fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, OFFER);
	assert_int_equal(fake_answer(doubled)->status, 500);
	assert_non_null(strstr(fake_answer(doubled)->headers, "Retry-After"));
}

static void a_491_goes_back_to_the_asker(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *change;

	change =
		fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	fake_response(fake_request(SIP_INVITE)->txn, 491, NULL);
	assert_int_equal(fake_answer(change)->status, 491);
}

static void a_change_without_offer_takes_the_late_way(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *change;

	change = fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, NULL);
	assert_string_equal(fake_request(SIP_INVITE)->body, "");
	fake_response(fake_request(SIP_INVITE)->txn, 200, ANSWER);
	assert_non_null(strstr(fake_answer(change)->body, "m=audio"));
	assert_int_equal(fake_count(SIP_ACK), 1);
	fake_event(change, SIP_TXN_ACK, OFFER);
	assert_int_equal(fake_count(SIP_ACK), 2);
	assert_non_null(strstr(fake_request(SIP_ACK)->body, "m=audio"));
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
}

static void a_481_to_a_change_ends_the_call(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b);

	fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	fake_response(fake_request(SIP_INVITE)->txn, 481, NULL);
	assert_int_equal(fake_count(SIP_BYE), 2);
}

static void info_is_carried_across_with_its_answer(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *info;

	info = fake_in_dialog(a->dialog, SIP_INFO, &rig->flow_a, "Signal=5");
	assert_string_equal(fake_request(SIP_INFO)->body, "Signal=5");
	fake_response(fake_request(SIP_INFO)->txn, 200, NULL);
	assert_int_equal(fake_answer(info)->status, 200);
}

static void options_in_a_dialog_are_answered_here(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *options;

	options = fake_in_dialog(a->dialog, SIP_OPTIONS, &rig->flow_a, NULL);
	assert_int_equal(fake_answer(options)->status, 200);
	assert_int_equal(fake_count(SIP_OPTIONS), 0);
}

static void a_foreign_method_in_a_dialog_is_405(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *odd;

	odd = fake_in_dialog(a->dialog, SIP_PUBLISH, &rig->flow_a, NULL);
	assert_int_equal(fake_answer(odd)->status, 405);
	assert_non_null(strstr(fake_answer(odd)->headers, "Allow: INVITE"));
}

static void a_bye_from_elsewhere_needs_the_phones_password(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *bye;
	struct sip_flow elsewhere = rig->flow_a;

	addr_parse_port(&elsewhere.remote, "198.51.100.66:9999");
	fake.verdict = SIP_AUTH_NONE;
	bye = fake_in_dialog(a->dialog, SIP_BYE, &elsewhere, NULL);
	assert_int_equal(fake_answer(bye)->status, 401);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
	/* The password of another phone does not do. */
	fake.verdict = SIP_AUTH_OK;
	fake.auth_user = "101";
	a->view.from.user = "100";
	bye = fake_in_dialog(a->dialog, SIP_BYE, &elsewhere, NULL);
	assert_int_equal(fake_answer(bye)->status, 403);
	fake.auth_user = "100";
	bye = fake_in_dialog(a->dialog, SIP_BYE, &elsewhere, NULL);
	assert_int_equal(fake_answer(bye)->status, 200);
	assert_true(sip_flow_equal(&a->dialog->conf.flow, &elsewhere));
}

static void loopback_media_is_never_a_destination(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	invite(rig, "101", OFFER);
	b = fake_request(SIP_INVITE)->txn;
	fake_response(b, 200,
		      "v=0\r\no=x 1 1 IN IP4 127.0.0.1\r\ns=-\r\n"
		      "c=IN IP4 127.0.0.1\r\nt=0 0\r\n"
		      "m=audio 25 RTP/AVP 8\r\n");
	assert_false(addr_is_set(&fake_media.last->remote.rtp));
}

static void a_change_given_up_too_late_is_taken_back(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *change, *out;

	change =
		fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	out = fake_request(SIP_INVITE)->txn;
	fake_event(change, SIP_TXN_CANCEL, NULL);
	assert_true(out->cancelled);
	fake_response(out, 200, HOLD_ANSWER);
	assert_int_equal(fake_count(SIP_ACK), 2);
	/* Back to what the caller still believes in, once. */
	settle(rig);
	assert_int_equal(fake_count(SIP_INVITE), 3);
	assert_null(strstr(fake_request(SIP_INVITE)->body, "sendonly"));
	fake_response(fake_request(SIP_INVITE)->txn, 200, ANSWER);
	assert_int_equal(fake_count(SIP_ACK), 3);
	settle(rig);
	assert_int_equal(fake_count(SIP_INVITE), 3);
}

static void a_late_change_given_up_is_still_answered(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *change, *out;

	change = fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, NULL);
	out = fake_request(SIP_INVITE)->txn;
	fake_event(change, SIP_TXN_CANCEL, NULL);
	fake_response(out, 200, ANSWER);
	assert_int_equal(fake_count(SIP_ACK), 2);
	assert_non_null(strstr(fake_request(SIP_ACK)->body, "m=audio"));
	/* The way is free for the next one. */
	fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	assert_int_equal(fake_count(SIP_INVITE), 3);
}

/* ---- watching the media ------------------------------------------------------------------ */

static bool is_one_way(struct rig *rig, unsigned leg)
{
	struct leg_media_info m;

	assert_true(leg_media_at(call_leg(the_call(rig), leg), 0, &m));
	return m.one_way;
}

static bool has_alarm(const char *name)
{
	struct alarm list[8];
	size_t n = alarm_list(list, 8);

	while (n && strcmp(list[n - 1].name, name))
		n--;
	return n;
}

static void a_peer_that_hears_and_never_speaks_is_shown(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;
	struct media_stream *callee;

	establish(rig, &b);
	callee = fake_media.last;
	callee->stats.out_packets = 100;
	callee->partner->stats.in_packets = 100;
	pass(rig, SEC(2));
	assert_false(is_one_way(rig, 1));
	pass(rig, SEC(2));
	assert_true(is_one_way(rig, 1));
	assert_false(is_one_way(rig, 0));
	callee->stats.in_packets = 1;
	assert_false(is_one_way(rig, 1));
}

static void silence_of_both_sides_or_on_hold_is_not_one_way(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *change;

	pass(rig, SEC(4));
	assert_false(is_one_way(rig, 1));
	change =
		fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	fake_response(fake_request(SIP_INVITE)->txn, 200, HOLD_ANSWER);
	fake_event(change, SIP_TXN_ACK, NULL);
	fake_media.last->stats.out_packets = 100;
	assert_false(is_one_way(rig, 1));
}

static void
media_from_another_host_is_an_alarm_while_the_call_lasts(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b);

	fake_media.last->stats.other_host = true;
	pass(rig, SEC(4));
	assert_true(has_alarm("media-other-host"));
	fake_in_dialog(a->dialog, SIP_BYE, &rig->flow_a, NULL);
	assert_false(has_alarm("media-other-host"));
}

static void the_bye_of_a_media_timeout_says_why(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	establish(rig, &b);
	pass(rig, SEC(75));
	assert_int_equal(fake_count(SIP_BYE), 2);
	for (unsigned i = fake.n - 2; i < fake.n; i++)
		assert_non_null(strstr(fake.sent[i].headers,
				       "Reason: Q.850;cause=102"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_hold_is_carried_to_the_other_side_and_back),
		T(ports_stay_when_the_session_changes),
		T(the_version_grows_by_one_on_change_only),
		T(a_refused_change_leaves_the_call_as_it_was),
		T(crossing_changes_get_491_and_doubled_ones_500),
		T(a_491_goes_back_to_the_asker),
		T(a_change_without_offer_takes_the_late_way),
		T(a_481_to_a_change_ends_the_call),
		T(info_is_carried_across_with_its_answer),
		T(options_in_a_dialog_are_answered_here),
		T(a_foreign_method_in_a_dialog_is_405),
		T(a_bye_from_elsewhere_needs_the_phones_password),
		T(loopback_media_is_never_a_destination),
		T(a_change_given_up_too_late_is_taken_back),
		T(a_late_change_given_up_is_still_answered),
		T(a_peer_that_hears_and_never_speaks_is_shown),
		T(silence_of_both_sides_or_on_hold_is_not_one_way),
		T(media_from_another_host_is_an_alarm_while_the_call_lasts),
		T(the_bye_of_a_media_timeout_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
