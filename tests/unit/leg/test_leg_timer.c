/*
 * test_leg_timer.c - session timers: who refreshes, when, how, and what becomes
 * of those that do not
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "leg_rig.h"

#define KNOWS                                                                  \
	{                                                                      \
		"Supported", "timer"                                           \
	}
#define ALLOWS                                                                 \
	{                                                                      \
		"Allow", "UPDATE"                                              \
	}
#define END                                                                    \
	{                                                                      \
		NULL, NULL                                                     \
	}

/* ---- decisions --------------------------------------------------------------- */

static struct session_deal decide(struct session_says says, unsigned agreed_s,
				  bool ours)
{
	const struct leg_session s = {
		.want_s = 1800,
		.min_s = 90,
		.expires_s = agreed_s,
		.ours = ours,
	};
	struct session_deal deal;

	session_answer(&s, &says, &deal);
	return deal;
}

static void what_a_peer_asks_for_is_agreed_to(void **state)
{
	struct session_deal deal =
		decide((struct session_says){.knows = true, .expires_s = 600},
		       0, false);

	assert_int_equal(deal.status, 0);
	assert_int_equal(deal.expires_s, 600);
	assert_true(deal.told);
	assert_true(deal.ours);
}

static void a_peer_that_wants_to_refresh_does(void **state)
{
	struct session_deal deal = decide(
		(struct session_says){
			.knows = true,
			.expires_s = 600,
			.refresher = REFRESH_UAC,
		},
		0, false);

	assert_false(deal.ours);
}

static void less_than_the_minimum_is_refused(void **state)
{
	struct session_says says = {.knows = true, .expires_s = 89};

	assert_int_equal(decide(says, 0, false).status, 422);
	says.expires_s = 90;
	assert_int_equal(decide(says, 0, false).status, 0);
}

/* RFC 4028 9: a proxy has asked in its name. */
static void a_peer_that_knows_no_422_gets_the_minimum(void **state)
{
	struct session_deal deal =
		decide((struct session_says){.expires_s = 60}, 0, false);

	assert_int_equal(deal.status, 0);
	assert_int_equal(deal.expires_s, 90);
	assert_true(deal.ours);
}

static void a_peer_that_can_is_asked_to_have_one(void **state)
{
	struct session_says says = {.knows = true};

	assert_int_equal(decide(says, 0, false).expires_s, 1800);
	assert_true(decide(says, 0, false).told);
	says.min_s = 3600;
	assert_int_equal(decide(says, 0, false).expires_s, 3600);
	assert_int_equal(decide(says, 600, true).expires_s, 3600);
}

static void a_peer_that_cannot_is_left_alone(void **state)
{
	struct session_deal deal = decide((struct session_says){0}, 0, false);

	assert_int_equal(deal.expires_s, 0);
	assert_false(deal.told);
}

/* Its hold may forget what its INVITE said. */
static void our_own_refreshing_goes_on(void **state)
{
	struct session_says says = {0};

	assert_int_equal(decide(says, 600, true).expires_s, 600);
	assert_int_equal(decide(says, 600, false).expires_s, 0);
}

/* ---- as the called one --------------------------------------------------------- */

static void the_200_says_what_was_agreed(void **state)
{
	static const struct sip_header asks[] = {
		KNOWS, {"Session-Expires", "600 ; refresher = uac"}, END};
	struct rig *rig = *state;
	struct sip_txn *txn;

	say(asks);
	txn = up_in(rig);
	ASSERT_HAS(fake_answer(txn)->headers,
		   "Session-Expires: 600;refresher=uac");
	ASSERT_HAS(fake_answer(txn)->headers, "Require: timer");
	ASSERT_HAS(fake_answer(txn)->headers, "UPDATE");
}

static void a_short_one_is_refused_with_the_minimum(void **state)
{
	static const struct sip_header asks[] = {
		KNOWS, {"Session-Expires", "30"}, END};
	struct rig *rig = *state;
	struct sip_txn *txn;

	say(asks);
	assert_int_equal(begin_in(rig, &txn), 422);
	leg_reject(rig->leg, 422);
	assert_int_equal(fake_answer(txn)->status, 422);
	ASSERT_HAS(fake_answer(txn)->headers, "Min-SE: 90");
}

static void the_policy_may_ask_for_none(void **state)
{
	static const struct sip_header knows[] = {KNOWS, END};
	struct rig *rig = *state;
	struct sip_txn *txn;

	rig->policy.session_expires_s = 0;
	say(knows);
	txn = up_in(rig);
	ASSERT_LACKS(fake_answer(txn)->headers, "Session-Expires");
	pass(rig, SEC(3600));
	assert_int_equal(fake_count(SIP_INVITE), 0);
}

static void a_peer_that_refreshes_lives_on(void **state)
{
	static const struct sip_header asks[] = {
		KNOWS, {"Session-Expires", "600;refresher=uac"}, END};
	struct rig *rig = *state;
	struct sip_txn *update;

	say(asks);
	up_in(rig);
	for (int i = 0; i < 4; i++) {
		pass(rig, SEC(300));
		update = comes(rig, SIP_UPDATE, NULL);
		assert_int_equal(fake_answer(update)->status, 200);
		ASSERT_HAS(fake_answer(update)->headers,
			   "Session-Expires: 600;refresher=uac");
		assert_true(fake_answer(update)->has_contact);
	}
	assert_int_equal(rig->told.change, 0);
	assert_int_equal(rig->told.ended, 0);
	assert_int_equal(fake_count(SIP_BYE), 0);
}

/* RFC 4028 10: 32 s before the end, or a third of it. */
static void a_peer_that_stops_refreshing_gets_a_bye(void **state)
{
	static const struct sip_header asks[] = {
		KNOWS, {"Session-Expires", "600;refresher=uac"}, END};
	struct rig *rig = *state;

	say(asks);
	up_in(rig);
	pass(rig, SEC(567));
	assert_int_equal(rig->told.ended, 0);
	pass(rig, SEC(2));
	assert_int_equal(rig->told.ended, 1);
	assert_string_equal(rig->told.cause, "session-expired");
	ASSERT_HAS(fake_request(SIP_BYE)->headers, "Q.850;cause=102");
}

static void a_refresh_that_is_too_short_is_refused_too(void **state)
{
	static const struct sip_header asks[] = {
		KNOWS, {"Session-Expires", "30"}, END};
	struct rig *rig = *state;
	struct sip_txn *txn;

	up_in(rig);
	say(asks);
	txn = comes(rig, SIP_UPDATE, NULL);
	assert_int_equal(fake_answer(txn)->status, 422);
	ASSERT_HAS(fake_answer(txn)->headers, "Min-SE: 90");
	txn = comes(rig, SIP_INVITE, AUDIO);
	assert_int_equal(fake_answer(txn)->status, 422);
	assert_int_equal(rig->told.change, 0);
}

/* ---- as the caller --------------------------------------------------------------- */

static void the_invite_asks_for_what_the_policy_says(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b = begin_out(rig);
	const char *headers = fake_request(SIP_INVITE)->headers;

	ASSERT_HAS(headers, "Supported: timer, replaces, norefersub\n");
	ASSERT_HAS(headers, "Session-Expires: 1800\n");
	ASSERT_HAS(headers, "Min-SE: 90\n");
	fake_response(b, 486, NULL);
}

static void a_peer_without_timers_is_never_refreshed(void **state)
{
	struct rig *rig = *state;

	up_out(rig);
	pass(rig, SEC(7200));
	assert_int_equal(fake_count(SIP_INVITE), 1);
	assert_int_equal(fake_count(SIP_UPDATE), 0);
	assert_int_equal(rig->told.ended, 0);
}

static const struct sip_header grants[] = {
	ALLOWS, {"Session-Expires", "600;refresher=uac"}, END};

static void half_time_brings_an_update_without_offer(void **state)
{
	struct rig *rig = *state;
	struct fake_message *m;

	say(grants);
	up_out(rig);
	pass(rig, SEC(299));
	assert_int_equal(fake_count(SIP_UPDATE), 0);
	pass(rig, SEC(2));
	m = fake_request(SIP_UPDATE);
	assert_int_equal(fake_count(SIP_UPDATE), 1);
	assert_string_equal(m->body, "");
	ASSERT_HAS(m->headers, "Session-Expires: 600;refresher=uac");
	assert_true(m->has_contact);
	fake_response(m->txn, 200, NULL);
	pass(rig, SEC(301));
	assert_int_equal(fake_count(SIP_UPDATE), 2);
	fake_response(fake_request(SIP_UPDATE)->txn, 200, NULL);
	assert_int_equal(rig->told.changed, 0);
}

static void who_takes_no_update_gets_the_same_description_again(void **state)
{
	static const struct sip_header bare[] = {
		{"Session-Expires", "600;refresher=uac"}, END};
	struct rig *rig = *state;
	struct fake_message *first, *m;
	unsigned told;

	say(bare);
	up_out(rig);
	first = fake_request(SIP_INVITE);
	told = fake_media.last->told;
	pass(rig, SEC(301));
	m = fake_request(SIP_INVITE);
	assert_ptr_not_equal(first, m);
	assert_string_equal(m->body, first->body); /* o= and all */
	fake_response(m->txn, 200, AUDIO);
	assert_int_equal(fake_count(SIP_ACK), 2);
	assert_int_equal(fake_media.last->told, told);
	assert_int_equal(rig->told.changed + rig->told.offered, 0);
	pass(rig, SEC(301));
	assert_int_equal(fake_count(SIP_INVITE), 3);
	fake_response(fake_request(SIP_INVITE)->txn, 200, AUDIO);
}

/* It says that it takes UPDATE, and does not. */
static void an_update_refused_becomes_a_reinvite(void **state)
{
	struct rig *rig = *state;

	say(grants);
	up_out(rig);
	pass(rig, SEC(301));
	fake_response(fake_request(SIP_UPDATE)->txn, 405, NULL);
	settle(rig);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	fake_response(fake_request(SIP_INVITE)->txn, 200, AUDIO);
	pass(rig, SEC(301));
	assert_int_equal(fake_count(SIP_UPDATE), 1);
	assert_int_equal(fake_count(SIP_INVITE), 3);
	fake_response(fake_request(SIP_INVITE)->txn, 200, AUDIO);
}

static void a_peer_that_forgot_the_dialog_ends_the_leg(void **state)
{
	struct rig *rig = *state;

	say(grants);
	up_out(rig);
	pass(rig, SEC(301));
	fake_response(fake_request(SIP_UPDATE)->txn, 481, NULL);
	assert_string_equal(rig->told.cause, "gone");
}

static void a_peer_that_is_silent_ends_the_leg(void **state)
{
	struct rig *rig = *state;

	say(grants);
	up_out(rig);
	pass(rig, SEC(301));
	fake_no_response(fake_request(SIP_UPDATE)->txn, 408);
	assert_string_equal(rig->told.cause, "gone");
}

static void any_other_refusal_is_tried_again_later(void **state)
{
	struct rig *rig = *state;

	say(grants);
	up_out(rig);
	pass(rig, SEC(301));
	fake_response(fake_request(SIP_UPDATE)->txn, 503, NULL);
	assert_int_equal(rig->told.ended, 0);
	pass(rig, SEC(38));
	assert_int_equal(fake_count(SIP_UPDATE), 2);
	fake_response(fake_request(SIP_UPDATE)->txn, 200, NULL);
	pass(rig, SEC(299));
	assert_int_equal(fake_count(SIP_UPDATE), 2);
}

static void the_peer_may_take_it_upon_itself(void **state)
{
	static const struct sip_header theirs[] = {
		ALLOWS, {"Session-Expires", "90;refresher=uas"}, END};
	struct rig *rig = *state;

	say(theirs);
	up_out(rig);
	pass(rig, SEC(59));
	assert_int_equal(rig->told.ended, 0);
	assert_int_equal(fake_count(SIP_UPDATE), 0);
	pass(rig, SEC(2));
	assert_string_equal(rig->told.cause, "session-expired");
}

static void a_422_is_answered_once_with_what_it_wants(void **state)
{
	static const struct sip_header wants[] = {{"Min-SE", "3600"}, END};
	struct rig *rig = *state;
	struct sip_txn *b = begin_out(rig);
	char offer[2048];

	strcpy(offer, fake_request(SIP_INVITE)->body);
	say(wants);
	fake_response(b, 422, NULL);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	assert_true(b->released);
	ASSERT_HAS(fake_request(SIP_INVITE)->headers, "Session-Expires: 3600");
	ASSERT_HAS(fake_request(SIP_INVITE)->headers, "Min-SE: 3600");
	assert_string_equal(fake_request(SIP_INVITE)->body, offer);
	assert_int_equal(rig->told.ended, 0);
	fake_response(fake_request(SIP_INVITE)->txn, 422, NULL);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	assert_int_equal(rig->told.ended, 1);
	assert_int_equal(rig->told.status, 500);
}

static void a_422_that_asks_for_no_more_is_a_refusal(void **state)
{
	static const struct sip_header wants[] = {{"Min-SE", "90"}, END};
	struct rig *rig = *state;
	struct sip_txn *b = begin_out(rig);

	say(wants);
	fake_response(b, 422, NULL);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	assert_int_equal(rig->told.ended, 1);
}

static void a_refresh_is_raised_as_well(void **state)
{
	static const struct sip_header wants[] = {{"Min-SE", "900"}, END};
	struct rig *rig = *state;

	say(grants);
	up_out(rig);
	pass(rig, SEC(301));
	say(wants);
	fake_response(fake_request(SIP_UPDATE)->txn, 422, NULL);
	assert_int_equal(fake_count(SIP_UPDATE), 2);
	ASSERT_HAS(fake_request(SIP_UPDATE)->headers,
		   "Session-Expires: 900;refresher=uac");
	say(grants);
	fake_response(fake_request(SIP_UPDATE)->txn, 200, NULL);
	assert_int_equal(rig->told.ended, 0);
}

/* Any re-INVITE is a refresh, and says who refreshes. */
static void a_carried_reinvite_refreshes_too(void **state)
{
	struct rig *rig = *state;

	say(grants);
	up_out(rig);
	pass(rig, SEC(200));
	assert_int_equal(leg_change(rig->leg, describe(rig, TWO_CODECS)), 0);
	ASSERT_HAS(fake_request(SIP_INVITE)->headers,
		   "Session-Expires: 600;refresher=uac");
	fake_response(fake_request(SIP_INVITE)->txn, 200, AUDIO_THERE);
	leg_change_ack(rig->leg, NULL);
	pass(rig, SEC(299));
	assert_int_equal(fake_count(SIP_UPDATE), 0);
	pass(rig, SEC(2));
	assert_int_equal(fake_count(SIP_UPDATE), 1);
	fake_response(fake_request(SIP_UPDATE)->txn, 200, NULL);
}

/* The bug of drachtio-server #401: the timer fires while BYE is under way. */
static void nothing_is_refreshed_after_the_end(void **state)
{
	struct rig *rig = *state;

	say(grants);
	up_out(rig);
	leg_hangup(rig->leg, NULL);
	pass(rig, SEC(700));
	assert_int_equal(fake_count(SIP_UPDATE), 0);
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
}

static void a_refresh_under_way_does_not_outlive_the_leg(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *bye;

	say(grants);
	up_out(rig);
	pass(rig, SEC(301));
	bye = comes(rig, SIP_BYE, NULL);
	assert_int_equal(fake_answer(bye)->status, 200);
	assert_true(fake_request(SIP_UPDATE)->txn->released);
}

static void what_peers_write_is_read_with_care(void **state)
{
	static const char *const nonsense[] = {
		"",
		";",
		"abc",
		"-5",
		"99999999999999999999",
		";refresher=uac",
		"600x",
	};
	struct rig *rig = *state;
	struct sip_header asks[] = {KNOWS, {"Session-Expires", ""}, END};

	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		struct sip_txn *txn;

		asks[1].value = nonsense[i];
		say(asks);
		assert_int_equal(begin_in(rig, &txn), 0);
		leg_reject(rig->leg, 486);
		leg_destroy(rig->leg);
		rig->leg = NULL;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_peer_asks_for_is_agreed_to),
		cmocka_unit_test(a_peer_that_wants_to_refresh_does),
		cmocka_unit_test(less_than_the_minimum_is_refused),
		cmocka_unit_test(a_peer_that_knows_no_422_gets_the_minimum),
		cmocka_unit_test(a_peer_that_can_is_asked_to_have_one),
		cmocka_unit_test(a_peer_that_cannot_is_left_alone),
		cmocka_unit_test(our_own_refreshing_goes_on),
		TEST(the_200_says_what_was_agreed),
		TEST(a_short_one_is_refused_with_the_minimum),
		TEST(the_policy_may_ask_for_none),
		TEST(a_peer_that_refreshes_lives_on),
		TEST(a_peer_that_stops_refreshing_gets_a_bye),
		TEST(a_refresh_that_is_too_short_is_refused_too),
		TEST(the_invite_asks_for_what_the_policy_says),
		TEST(a_peer_without_timers_is_never_refreshed),
		TEST(half_time_brings_an_update_without_offer),
		TEST(who_takes_no_update_gets_the_same_description_again),
		TEST(an_update_refused_becomes_a_reinvite),
		TEST(a_peer_that_forgot_the_dialog_ends_the_leg),
		TEST(a_peer_that_is_silent_ends_the_leg),
		TEST(any_other_refusal_is_tried_again_later),
		TEST(the_peer_may_take_it_upon_itself),
		TEST(a_422_is_answered_once_with_what_it_wants),
		TEST(a_422_that_asks_for_no_more_is_a_refusal),
		TEST(a_refresh_is_raised_as_well),
		TEST(a_carried_reinvite_refreshes_too),
		TEST(nothing_is_refreshed_after_the_end),
		TEST(a_refresh_under_way_does_not_outlive_the_leg),
		TEST(what_peers_write_is_read_with_care),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
