/*
 * test_leg_own.c - re-INVITEs of our own: they wait their turn, and try again
 * after glare
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "leg_rig.h"

static struct fake_message *sent(void)
{
	return fake_request(SIP_INVITE);
}

/* Ask for it and let it go. */
static void offer(struct rig *rig, const char *text)
{
	const struct sdp *sdp = text ? describe(rig, text) : NULL;

	assert_int_equal(leg_offer_again(rig->leg, sdp), 0);
	settle(rig);
}

static void refuse(struct rig *rig, int status, int64_t retry_after)
{
	struct sip_view view = {
		.status = status,
		.retry_after = retry_after,
		.flow = rig->flow,
		.expires = -1,
	};

	fake_response_view(sent()->txn, &view);
}

static void it_goes_out_and_is_acked_and_told(void **state)
{
	struct rig *rig = *state;

	up_out(rig);
	assert_int_equal(leg_offer_again(rig->leg, describe(rig, TWO_CODECS)),
			 0);
	assert_int_equal(fake_count(SIP_INVITE), 1); /* not yet */
	settle(rig);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	ASSERT_HAS(sent()->body, "RTP/AVP 8 0");
	fake_response(sent()->txn, 200, AUDIO_THERE);
	assert_int_equal(fake_count(SIP_ACK), 2);
	assert_int_equal(rig->told.offered, 1);
	assert_int_equal(rig->told.status, 200);
	assert_true(rig->told.has_sdp);
	assert_int_equal(rig->told.changed, 0);
	assert_false(leg_is_changing(rig->leg));
}

static void it_is_a_copy(void **state)
{
	struct rig *rig = *state;
	struct sdp *sdp;

	up_out(rig);
	assert_int_equal(sdp_read(&sdp, STR(TWO_CODECS)), 0);
	assert_int_equal(leg_offer_again(rig->leg, sdp), 0);
	sdp_free(sdp);
	settle(rig);
	refuse(rig, 491, -1);
	pass(rig, SEC(5));
	ASSERT_HAS(sent()->body, "RTP/AVP 8 0");
	fake_response(sent()->txn, 200, AUDIO_THERE);
}

static void without_offer_the_peers_is_told_and_its_ack_is_owed(void **state)
{
	struct rig *rig = *state;

	up_out(rig);
	offer(rig, NULL);
	assert_string_equal(sent()->body, "");
	fake_response(sent()->txn, 200, TWO_CODECS);
	assert_int_equal(rig->told.offered, 1);
	assert_int_equal(fake_count(SIP_ACK), 1);
	assert_true(leg_owes_answer(rig->leg));
	assert_int_equal(leg_change_ack(rig->leg, describe(rig, AUDIO_THERE)),
			 0);
	assert_int_equal(fake_count(SIP_ACK), 2);
	ASSERT_HAS(fake_request(SIP_ACK)->body, "m=audio");
}

static void one_may_wait_at_a_time(void **state)
{
	struct rig *rig = *state;
	const struct sdp *sdp = describe(rig, TWO_CODECS);

	up_out(rig);
	assert_int_equal(leg_offer_again(rig->leg, sdp), 0);
	assert_int_equal(leg_offer_again(rig->leg, sdp), -EALREADY);
	settle(rig);
	assert_int_equal(leg_offer_again(rig->leg, sdp), -EALREADY);
	fake_response(sent()->txn, 200, AUDIO_THERE);
	assert_int_equal(leg_offer_again(rig->leg, sdp), 0);
}

static void a_leg_that_is_not_up_has_none(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b = begin_out(rig);

	assert_int_equal(leg_offer_again(rig->leg, describe(rig, AUDIO)),
			 -EPROTO);
	fake_response(b, 486, NULL);
}

static void it_waits_for_the_peers_change(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	up_out(rig);
	txn = comes(rig, SIP_INVITE, TWO_CODECS);
	offer(rig, AUDIO_HELD);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	leg_change_answer(rig->leg, 200, describe(rig, TWO_CODECS));
	settle(rig);
	assert_int_equal(fake_count(SIP_INVITE), 1); /* its ACK is to come */
	fake_event(txn, SIP_TXN_ACK, NULL);
	settle(rig);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	fake_response(sent()->txn, 200, AUDIO_THERE);
}

static void and_for_one_that_is_carried(void **state)
{
	struct rig *rig = *state;

	up_out(rig);
	leg_change(rig->leg, describe(rig, TWO_CODECS));
	offer(rig, AUDIO_HELD);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	fake_response(sent()->txn, 200, AUDIO_THERE);
	assert_int_equal(rig->told.changed, 1);
	leg_change_ack(rig->leg, NULL);
	settle(rig);
	assert_int_equal(fake_count(SIP_INVITE), 3);
	fake_response(sent()->txn, 200, AUDIO_THERE);
	assert_int_equal(rig->told.changed, 1);
	assert_int_equal(rig->told.offered, 1);
}

/* How long after a 491 it goes out again. */
static int64_t waited(struct rig *rig)
{
	unsigned before = fake_count(SIP_INVITE);
	int64_t ms = 0;

	refuse(rig, 491, -1);
	assert_int_equal(rig->told.offered, 0);
	assert_false(leg_is_changing(rig->leg));
	while (fake_count(SIP_INVITE) == before && ms <= 5000) {
		pass(rig, 10);
		ms += 10;
	}
	return ms;
}

/* RFC 3261 14.1: the Call-ID is ours. */
static void after_glare_who_called_waits_2_1_to_4_s(void **state)
{
	struct rig *rig = *state;

	up_out(rig);
	for (int i = 0; i < 12; i++) {
		int64_t ms;

		offer(rig, TWO_CODECS);
		ms = waited(rig);
		assert_in_range(ms, 2100, 4000);
		fake_response(sent()->txn, 200, AUDIO_THERE);
		memset(&rig->told, 0, sizeof(rig->told));
	}
}

static void after_glare_who_was_called_waits_up_to_2_s(void **state)
{
	struct rig *rig = *state;
	int64_t most = 0;

	up_in(rig);
	for (int i = 0; i < 30; i++) {
		int64_t ms;

		offer(rig, TWO_CODECS);
		ms = waited(rig);
		assert_in_range(ms, 0, 2010);
		if (ms > most)
			most = ms;
		fake_response(sent()->txn, 200, AUDIO_THERE);
		memset(&rig->told, 0, sizeof(rig->told));
	}
	assert_true(most > 500); /* and not always the same */
}

static void in_between_the_peer_may_change_it(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	up_out(rig);
	offer(rig, TWO_CODECS);
	refuse(rig, 491, -1);
	pass(rig, SEC(2));
	txn = comes(rig, SIP_INVITE, AUDIO_HELD);
	assert_int_equal(rig->told.change, 1);
	pass(rig, SEC(5));
	assert_int_equal(fake_count(SIP_INVITE), 2);
	leg_change_answer(rig->leg, 200, describe(rig, AUDIO));
	fake_event(txn, SIP_TXN_ACK, NULL);
	settle(rig);
	assert_int_equal(fake_count(SIP_INVITE), 3);
	fake_response(sent()->txn, 200, AUDIO_THERE);
	assert_int_equal(rig->told.offered, 1);
}

static void a_busy_peer_says_when_to_come_again(void **state)
{
	struct rig *rig = *state;

	up_out(rig);
	offer(rig, TWO_CODECS);
	refuse(rig, 500, 3);
	pass(rig, 2990);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	pass(rig, 600);
	assert_int_equal(fake_count(SIP_INVITE), 3);
	refuse(rig, 500, 86400); /* not that long */
	pass(rig, SEC(11));
	assert_int_equal(fake_count(SIP_INVITE), 4);
	refuse(rig, 500, -1); /* a failure */
	assert_int_equal(rig->told.offered, 1);
	assert_int_equal(rig->told.status, 500);
}

static void glare_without_end_is_given_up(void **state)
{
	struct rig *rig = *state;

	up_out(rig);
	offer(rig, TWO_CODECS);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(rig->told.offered, 0);
		refuse(rig, 491, -1);
		pass(rig, SEC(5));
	}
	assert_int_equal(fake_count(SIP_INVITE), 9);
	assert_int_equal(rig->told.offered, 1);
	assert_int_equal(rig->told.status, 491);
	assert_int_equal(leg_state(rig->leg), LEG_UP);
}

static void a_refusal_is_told_and_the_ports_stay(void **state)
{
	struct rig *rig = *state;

	up_out(rig);
	offer(rig, HEAD "m=audio 4000 RTP/AVP 8\r\nm=video 4002 RTP/AVP 96\r\n"
			"a=rtpmap:96 H264/90000\r\n");
	assert_int_equal(fake_media.open, 2);
	refuse(rig, 488, -1);
	assert_int_equal(rig->told.offered, 1);
	assert_int_equal(rig->told.status, 488);
	assert_int_equal(fake_media.open, 1);
}

static void a_peer_without_the_dialog_ends_the_leg(void **state)
{
	struct rig *rig = *state;

	up_out(rig);
	offer(rig, TWO_CODECS);
	refuse(rig, 481, -1);
	assert_int_equal(rig->told.offered, 1);
	assert_string_equal(rig->told.cause, "gone");
}

static void one_that_crosses_the_peers_stands(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	up_out(rig);
	offer(rig, TWO_CODECS);
	txn = comes(rig, SIP_INVITE, AUDIO_HELD);
	assert_int_equal(fake_answer(txn)->status, 491);
	fake_response(sent()->txn, 200, AUDIO_THERE);
	assert_int_equal(rig->told.status, 200);
}

/* S0-09: both sides at the same ms. */
static void both_at_once_get_491_and_one_comes_first(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	up_out(rig);
	offer(rig, TWO_CODECS);
	txn = comes(rig, SIP_INVITE, AUDIO_HELD);
	assert_int_equal(fake_answer(txn)->status, 491);
	refuse(rig, 491, -1);
	assert_false(leg_is_changing(rig->leg));
	pass(rig, 1000); /* the peer did not make the Call-ID */
	txn = comes(rig, SIP_INVITE, AUDIO_HELD);
	assert_int_equal(rig->told.change, 1);
	leg_change_answer(rig->leg, 200, describe(rig, AUDIO));
	fake_event(txn, SIP_TXN_ACK, NULL);
	pass(rig, 3010);
	assert_int_equal(fake_count(SIP_INVITE), 3);
	fake_response(sent()->txn, 200, AUDIO_THERE);
	assert_int_equal(rig->told.offered, 1);
	assert_int_equal(rig->told.ended, 0);
}

static void a_peer_that_only_rings_on_it_is_given_up(void **state)
{
	struct rig *rig = *state;

	up_out(rig);
	offer(rig, TWO_CODECS);
	fake_response(sent()->txn, 180, NULL);
	pass(rig, SEC(61));
	assert_true(sent()->txn->cancelled);
	refuse(rig, 487, -1);
	assert_int_equal(rig->told.offered, 1);
	assert_int_equal(rig->told.status, 487);
}

static void nothing_goes_out_after_the_end(void **state)
{
	struct rig *rig = *state;

	up_out(rig);
	offer(rig, TWO_CODECS);
	refuse(rig, 491, -1);
	leg_hangup(rig->leg, NULL);
	pass(rig, SEC(5));
	assert_int_equal(fake_count(SIP_INVITE), 2);
	assert_int_equal(rig->told.offered, 0);
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
}

static void no_room_for_a_transaction_is_waited_out(void **state)
{
	struct rig *rig = *state;

	up_out(rig);
	fake.request_error = -EAGAIN;
	offer(rig, TWO_CODECS);
	assert_int_equal(rig->told.offered, 0);
	fake.request_error = 0;
	pass(rig, 1010);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	fake_response(sent()->txn, 200, AUDIO_THERE);
}

static void an_offer_that_cannot_be_made_is_refused_at_once(void **state)
{
	struct rig *rig = *state;

	up_out(rig);
	fake.request_error = -ENOTCONN;
	offer(rig, TWO_CODECS);
	assert_int_equal(rig->told.offered, 1);
	assert_int_equal(rig->told.status, 503);
	fake.request_error = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_goes_out_and_is_acked_and_told),
		TEST(it_is_a_copy),
		TEST(without_offer_the_peers_is_told_and_its_ack_is_owed),
		TEST(one_may_wait_at_a_time),
		TEST(a_leg_that_is_not_up_has_none),
		TEST(it_waits_for_the_peers_change),
		TEST(and_for_one_that_is_carried),
		TEST(after_glare_who_called_waits_2_1_to_4_s),
		TEST(after_glare_who_was_called_waits_up_to_2_s),
		TEST(in_between_the_peer_may_change_it),
		TEST(a_busy_peer_says_when_to_come_again),
		TEST(glare_without_end_is_given_up),
		TEST(a_refusal_is_told_and_the_ports_stay),
		TEST(a_peer_without_the_dialog_ends_the_leg),
		TEST(one_that_crosses_the_peers_stands),
		TEST(both_at_once_get_491_and_one_comes_first),
		TEST(a_peer_that_only_rings_on_it_is_given_up),
		TEST(nothing_goes_out_after_the_end),
		TEST(no_room_for_a_transaction_is_waited_out),
		TEST(an_offer_that_cannot_be_made_is_refused_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
