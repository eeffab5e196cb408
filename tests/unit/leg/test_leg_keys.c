/*
 * test_leg_keys.c - a peer that says pressed keys otherwise than the other one
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "leg_rig.h"

#define EVENTS(type)                                                           \
	"a=rtpmap:" type " telephone-event/8000\r\na=fmtp:" type " 0-15\r\n"
#define AUDIO_EVENTS HEAD "m=audio 4000 RTP/AVP 8 101\r\n" EVENTS("101")
#define AUDIO_97     HEAD "m=audio 4000 RTP/AVP 8 97\r\n" EVENTS("97")
#define AUDIO_48K                                                              \
	HEAD "m=audio 4000 RTP/AVP 96 8 101 102\r\n"                           \
	     "a=rtpmap:96 opus/48000/2\r\n"                                    \
	     "a=rtpmap:102 telephone-event/48000\r\n" EVENTS("101")
#define AUDIO_101                                                              \
	HEAD "m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 opus/48000/2\r\n"

static const struct sip_header takes_info[] = {{"Allow", "INFO"}, {0}};

/* An outgoing leg, offered @offer, that answers @answer. */
static void up(struct rig *rig, const char *offer, const char *answer)
{
	struct sip_dialog_conf dialog = {
		.flow = rig->flow,
		.target = "sip:100@192.168.1.7",
	};

	assert_int_equal(leg_create_out(&rig->leg, &rig->conf, &dialog), 0);
	assert_int_equal(
		leg_invite(rig->leg, describe(rig, offer), 69, NULL, 0), 0);
	fake_response(fake_request(SIP_INVITE)->txn, 200, answer);
	assert_int_equal(leg_ack(rig->leg, NULL), 0);
}

/* An incoming leg that offers @offer; what the other side would be told. */
static const struct sdp_media *asks(struct rig *rig, const char *offer)
{
	struct sip_txn *txn = fake_txn(true);
	const struct sdp *sdp;

	txn->view.method = SIP_INVITE;
	txn->view.flow = rig->flow;
	txn->view.msg = fake.headers;
	fake_body(&txn->view, txn->body, offer);
	assert_int_equal(leg_create_in(&rig->leg, &rig->conf, txn), 0);
	assert_int_equal(leg_read_invite(rig->leg, &sdp), 0);
	return &sdp->media[0];
}

static void expect_formats(const struct sdp_media *m, const char *formats)
{
	char text[128];
	struct buf b;

	buf_init(&b, text, sizeof(text));
	for (unsigned i = 0; i < m->n_formats; i++)
		buf_printf(&b, "%s" STR_FMT, i ? " " : "",
			   STR_ARG(m->formats[i]));
	assert_string_equal(text, formats);
}

static const struct sdp_media *heard(const struct rig *rig)
{
	return &leg_description(rig->leg)->media[0];
}

static const struct media_remote *remote(void)
{
	return &fake_media.last->remote;
}

static const char *invited(void)
{
	return fake_request(SIP_INVITE)->body;
}

static void press(uint8_t event, uint16_t ms)
{
	const struct media_key key = {event, ms};

	fake_media.last->key(fake_media.last->key_arg, &key);
}

static int plays(struct rig *rig, const char *type, const char *body)
{
	const struct sip_view info = {.content_type = type,
				      .body = str_of(body)};

	return leg_press(rig->leg, &info);
}

static int plays_5(struct rig *rig)
{
	return plays(rig, "application/dtmf-relay",
		     "Signal=5\r\nDuration=90\r\n");
}

/* ---- who is told by INFO -------------------------------------------------------- */

static void peers_with_events_on_both_sides_are_left_alone(void **state)
{
	struct rig *rig = *state;

	say(takes_info);
	up(rig, AUDIO_EVENTS, AUDIO_97);
	ASSERT_HAS(invited(), "RTP/AVP 8 101");
	expect_formats(heard(rig), "8 97");
	assert_false(remote()->tells_keys);
	assert_int_equal(remote()->events[0].type, 97);
	assert_int_equal(plays_5(rig), -EOPNOTSUPP); /* INFO is as good */
}

static void an_answer_without_events_is_completed(void **state)
{
	struct rig *rig = *state;

	say(takes_info);
	up(rig, AUDIO_EVENTS, AUDIO);
	expect_formats(heard(rig), "8 101");
	assert_true(str_case_eq_c(sdp_codec(heard(rig), 1), "telephone-event"));
	assert_true(remote()->tells_keys);
	assert_int_equal(remote()->events[0].type, 101);
	assert_int_equal(remote()->events[0].rate, 8000);
}

static void who_does_not_take_info_is_not_told(void **state)
{
	struct rig *rig = *state;

	up(rig, AUDIO_EVENTS, AUDIO);
	expect_formats(heard(rig), "8");
	assert_false(remote()->tells_keys);
}

static void who_was_offered_no_events_answers_none(void **state)
{
	struct rig *rig = *state;

	say(takes_info);
	up(rig, AUDIO, AUDIO);
	expect_formats(heard(rig), "8");
	assert_false(remote()->tells_keys);
}

static void an_offer_without_events_gets_some(void **state)
{
	struct rig *rig = *state;

	say(takes_info);
	expect_formats(asks(rig, AUDIO), "8 101");
	leg_answer(rig->leg, describe(rig, AUDIO_EVENTS));
	ASSERT_LACKS(fake_answer(rig->leg->invite)->body, "101");
	assert_true(remote()->tells_keys);
}

static void its_number_is_one_that_is_free(void **state)
{
	struct rig *rig = *state;

	say(takes_info);
	expect_formats(asks(rig, AUDIO_101), "8 101 96");
}

static void the_number_stays_for_the_session(void **state)
{
	struct rig *rig = *state;

	say(takes_info);
	up(rig, AUDIO_97, AUDIO);
	expect_formats(heard(rig), "8 97");
	comes(rig, SIP_INVITE, TWO_CODECS);
	assert_int_equal(rig->told.change, 1);
	expect_formats(heard(rig), "8 0 97");
}

static void all_types_of_the_other_side_are_taken(void **state)
{
	struct rig *rig = *state;

	say(takes_info);
	up(rig, AUDIO_48K, AUDIO);
	expect_formats(heard(rig), "8 101 102");
	assert_int_equal(remote()->events[1].type, 102);
	assert_int_equal(remote()->events[1].rate, 48000);
}

static void option_info_hides_events_from_the_peer(void **state)
{
	struct rig *rig = *state;

	rig->policy.dtmf = CONF_DTMF_INFO;
	up(rig, AUDIO_EVENTS, AUDIO);
	ASSERT_HAS(invited(), "RTP/AVP 8\r\n");
	ASSERT_LACKS(invited(), "telephone-event");
	expect_formats(heard(rig), "8 101");
	assert_true(remote()->tells_keys);
}

static void option_rfc4733_never_tells(void **state)
{
	struct rig *rig = *state;

	rig->policy.dtmf = CONF_DTMF_RFC4733;
	say(takes_info);
	up(rig, AUDIO_EVENTS, AUDIO);
	expect_formats(heard(rig), "8");
	assert_false(remote()->tells_keys);
}

/* ---- INFO out ------------------------------------------------------------------------ */

static void a_key_is_an_info(void **state)
{
	struct rig *rig = *state;

	rig->policy.dtmf = CONF_DTMF_INFO;
	up(rig, AUDIO_EVENTS, AUDIO);
	press(11, 120);
	assert_string_equal(fake_request(SIP_INFO)->body,
			    "Signal=#\r\nDuration=120\r\n");
	fake_response(fake_request(SIP_INFO)->txn, 200, NULL);
}

static void keys_go_one_by_one_whatever_is_answered(void **state)
{
	struct rig *rig = *state;

	rig->policy.dtmf = CONF_DTMF_INFO;
	up(rig, AUDIO_EVENTS, AUDIO);
	press(1, 100);
	press(2, 100);
	press(3, 100);
	for (int i = 1; i <= 3; i++) {
		char body[32];

		snprintf(body, sizeof(body), "Signal=%d\r\nDuration=100\r\n",
			 i);
		assert_string_equal(fake_request(SIP_INFO)->body, body);
		fake_response(fake_request(SIP_INFO)->txn, i == 1 ? 415 : 200,
			      NULL);
	}
}

static void keys_that_wait_are_bounded_and_end_with_the_leg(void **state)
{
	const struct media_key key = {1, 100};
	struct rig *rig = *state;

	rig->policy.dtmf = CONF_DTMF_INFO;
	up(rig, AUDIO_EVENTS, AUDIO);
	for (int i = 0; i < 100; i++)
		press(1, 100);
	assert_int_equal(rig->leg->keys.n_waiting, LEG_KEYS);
	comes(rig, SIP_BYE, NULL);
	assert_int_equal(rig->leg->keys.n_waiting, 0);
	key_pressed(rig->leg, &key);
	assert_int_equal(rig->leg->keys.n_waiting, 0);
}

/* ---- INFO in ------------------------------------------------------------------------- */

static void a_peer_with_events_alone_is_played_keys(void **state)
{
	struct rig *rig = *state;

	up(rig, AUDIO_EVENTS, AUDIO_97);
	assert_int_equal(plays_5(rig), 0);
	assert_int_equal(fake_media.last->pressed.event, 5);
	assert_int_equal(fake_media.last->pressed.ms, 90);
	assert_int_equal(plays(rig, "application/dtmf", "#"), 0);
	assert_int_equal(fake_media.last->pressed.event, 11);
	assert_int_equal(remote()->events[0].carriers[0], 1 << 8);
}

static void what_is_no_key_is_carried(void **state)
{
	struct rig *rig = *state;

	up(rig, AUDIO_EVENTS, AUDIO_97);
	assert_int_equal(plays(rig, "application/dtmf-relay", "Signal=16"),
			 -EOPNOTSUPP); /* flash */
	assert_int_equal(plays(rig, "application/dtmf", ""), -EOPNOTSUPP);
	assert_int_equal(fake_media.last->n_pressed, 0);
}

static void what_cannot_be_played_is_said(void **state)
{
	struct rig *rig = *state;

	up(rig, AUDIO_EVENTS, AUDIO_97);
	fake_media.press_err = -EAGAIN;
	assert_int_equal(plays_5(rig), -EAGAIN);
	assert_int_equal(fake_media.last->n_pressed, 0);
}

static void other_infos_and_peers_without_events_are_not(void **state)
{
	struct rig *rig = *state;

	up(rig, AUDIO_EVENTS, AUDIO);
	assert_int_equal(plays_5(rig), -EOPNOTSUPP);
	assert_int_equal(plays(rig, "application/json", "5"), -EOPNOTSUPP);
	assert_int_equal(plays(rig, NULL, ""), -EOPNOTSUPP);
}

static void option_rfc4733_plays_to_who_takes_info_too(void **state)
{
	struct rig *rig = *state;

	rig->policy.dtmf = CONF_DTMF_RFC4733;
	say(takes_info);
	up(rig, AUDIO_EVENTS, AUDIO_EVENTS);
	assert_int_equal(plays_5(rig), 0);
}

static void option_info_plays_nothing(void **state)
{
	struct rig *rig = *state;

	rig->policy.dtmf = CONF_DTMF_INFO;
	up(rig, AUDIO_EVENTS, AUDIO_EVENTS);
	assert_int_equal(plays_5(rig), -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(peers_with_events_on_both_sides_are_left_alone),
		TEST(an_answer_without_events_is_completed),
		TEST(who_does_not_take_info_is_not_told),
		TEST(who_was_offered_no_events_answers_none),
		TEST(an_offer_without_events_gets_some),
		TEST(its_number_is_one_that_is_free),
		TEST(the_number_stays_for_the_session),
		TEST(all_types_of_the_other_side_are_taken),
		TEST(option_info_hides_events_from_the_peer),
		TEST(option_rfc4733_never_tells),
		TEST(a_key_is_an_info),
		TEST(keys_go_one_by_one_whatever_is_answered),
		TEST(keys_that_wait_are_bounded_and_end_with_the_leg),
		TEST(a_peer_with_events_alone_is_played_keys),
		TEST(what_is_no_key_is_carried),
		TEST(what_cannot_be_played_is_said),
		TEST(other_infos_and_peers_without_events_are_not),
		TEST(option_rfc4733_plays_to_who_takes_info_too),
		TEST(option_info_plays_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
