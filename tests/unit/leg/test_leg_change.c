/*
 * test_leg_change.c - re-INVITE and UPDATE of a peer: what is carried, what is
 * answered here, and who gets which refusal
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "leg_rig.h"

#define NO_ADDRESS                                                             \
	"v=0\r\no=x 1 1 IN IP4 192.168.1.8\r\ns=-\r\n"                         \
	"c=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"

static const struct sip_header takes_update[] = {{"Allow", "UPDATE"},
						 {NULL, NULL}};

static int status_of(struct sip_txn *txn)
{
	return fake_answer(txn)->status;
}

/* "o=- ID VERSION": the version. */
static unsigned long long version_of(const char *body)
{
	unsigned long long id, version;

	assert_int_equal(
		sscanf(strstr(body, "o="), "o=- %llu %llu", &id, &version), 2);
	return version;
}

/* ---- what changes nothing ----------------------------------------------------- */

static void the_same_offer_is_answered_as_before(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *first = up_in(rig), *txn;
	unsigned told = fake_media.last->told;

	txn = comes(rig, SIP_INVITE, AUDIO);
	assert_int_equal(status_of(txn), 200);
	assert_int_equal(rig->told.change, 0);
	assert_string_equal(fake_answer(txn)->body, fake_answer(first)->body);
	assert_int_equal(fake_media.last->told, told); /* the latch stays */
	fake_event(txn, SIP_TXN_ACK, NULL);
	assert_int_equal(rig->told.acked, 0);
	assert_false(leg_is_changing(rig->leg));
	assert_int_equal(fake_media.open, 1);
}

/* S0-07 */
static void twenty_of_them_keep_id_version_and_port(void **state)
{
	struct rig *rig = *state;
	char first[2048];

	strcpy(first, fake_answer(up_in(rig))->body);
	for (int i = 0; i < 20; i++) {
		struct sip_txn *txn = comes(rig, SIP_INVITE, AUDIO);

		assert_string_equal(fake_answer(txn)->body, first);
		fake_event(txn, SIP_TXN_ACK, NULL);
	}
}

static void by_update_it_is_over_with_the_200(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	up_in(rig);
	txn = comes(rig, SIP_UPDATE, AUDIO);
	assert_int_equal(status_of(txn), 200);
	ASSERT_HAS(fake_answer(txn)->body, "m=audio 20000");
	assert_int_equal(rig->told.change, 0);
	assert_false(leg_is_changing(rig->leg));
}

static void without_an_ack_the_leg_ends(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	up_in(rig);
	txn = comes(rig, SIP_INVITE, AUDIO);
	fake_event(txn, SIP_TXN_NO_ACK, NULL);
	assert_string_equal(rig->told.cause, "no-ack");
}

/* It was answered recvonly; the same again is answered so that it fits. */
static void an_answer_again_fits_the_peers_direction(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b = begin_out(rig), *txn;

	fake_response(b, 200, HEAD "m=audio 4000 RTP/AVP 8\r\na=recvonly\r\n");
	leg_ack(rig->leg, NULL);
	txn = comes(rig, SIP_INVITE,
		    HEAD "m=audio 4000 RTP/AVP 8\r\na=recvonly\r\n");
	assert_int_equal(status_of(txn), 200);
	ASSERT_HAS(fake_answer(txn)->body, "a=sendonly");
	assert_int_equal(version_of(fake_answer(txn)->body),
			 version_of(fake_request(SIP_INVITE)->body) + 1);
	fake_event(txn, SIP_TXN_ACK, NULL);
}

/* ---- what does -------------------------------------------------------------------- */

static void hold_in_each_form_is_carried(void **state)
{
	static const char *const forms[] = {
		AUDIO_HELD,
		HEAD "m=audio 4000 RTP/AVP 8\r\na=inactive\r\n",
		NO_ADDRESS,
	};
	struct rig *rig = *state;

	up_in(rig);
	for (int i = 0; i < 3; i++) {
		struct sip_txn *txn = comes(rig, SIP_INVITE, forms[i]);

		assert_int_equal(rig->told.change, 2 * i + 1);
		leg_change_answer(rig->leg, 200, describe(rig, AUDIO));
		fake_event(txn, SIP_TXN_ACK, NULL);
		assert_true(leg_is_held(rig->leg));
		txn = comes(rig, SIP_INVITE, AUDIO);
		assert_int_equal(rig->told.change, 2 * i + 2);
		leg_change_answer(rig->leg, 200, describe(rig, AUDIO));
		fake_event(txn, SIP_TXN_ACK, NULL);
		assert_false(leg_is_held(rig->leg));
	}
	assert_int_equal(fake_media.open, 1);
}

static void without_offer_it_is_carried(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	up_in(rig);
	txn = comes(rig, SIP_INVITE, NULL);
	assert_int_equal(rig->told.change, 1);
	leg_change_answer(rig->leg, 200, describe(rig, TWO_CODECS));
	fake_event(txn, SIP_TXN_ACK, AUDIO);
	assert_int_equal(rig->told.acked, 1);
}

/* D-9: the line that was refused comes back, and the others stay. */
static void a_refused_line_may_come_back(void **state)
{
	static const char two[] = AUDIO "m=video 4002 RTP/AVP 96\r\n"
					"a=rtpmap:96 H264/90000\r\n";
	static const char one[] = AUDIO "m=video 0 RTP/AVP 96\r\n"
					"a=rtpmap:96 H264/90000\r\n";
	struct rig *rig = *state;
	struct sip_txn *txn;

	up_in(rig);
	for (int i = 0; i < 3; i++) {
		txn = comes(rig, SIP_INVITE, two);
		leg_change_answer(rig->leg, 200, describe(rig, two));
		fake_event(txn, SIP_TXN_ACK, NULL);
		ASSERT_HAS(fake_answer(txn)->body, "m=audio 20000");
		assert_int_equal(fake_media.open, 2);
		txn = comes(rig, SIP_INVITE, one);
		leg_change_answer(rig->leg, 200, describe(rig, one));
		fake_event(txn, SIP_TXN_ACK, NULL);
		ASSERT_HAS(fake_answer(txn)->body, "m=audio 20000");
		ASSERT_HAS(fake_answer(txn)->body, "m=video 0");
		assert_int_equal(fake_media.open, 1);
	}
}

/* ---- UPDATE ------------------------------------------------------------------------- */

static void an_update_with_an_offer_is_carried(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	up_in(rig);
	txn = comes(rig, SIP_UPDATE, AUDIO_HELD);
	assert_int_equal(rig->told.change, 1);
	assert_true(leg_change_is_update(rig->leg));
	leg_change_answer(rig->leg, 200, describe(rig, AUDIO));
	assert_int_equal(status_of(txn), 200);
	assert_true(fake_answer(txn)->has_contact);
	assert_false(leg_is_changing(rig->leg));
	assert_true(leg_is_held(rig->leg));
	assert_int_equal(rig->told.acked, 0);
}

static void it_goes_on_as_update_where_that_is_taken(void **state)
{
	struct rig *rig = *state;

	say(takes_update);
	up_out(rig);
	assert_true(leg_allows(rig->leg, SIP_UPDATE));
	assert_int_equal(leg_update(rig->leg, describe(rig, TWO_CODECS)), 0);
	assert_int_equal(fake_count(SIP_UPDATE), 1);
	fake_response(fake_request(SIP_UPDATE)->txn, 200, AUDIO_THERE);
	assert_int_equal(rig->told.changed, 1);
	assert_true(rig->told.has_sdp);
	assert_int_equal(fake_count(SIP_ACK), 1);
	assert_false(leg_is_changing(rig->leg));
	assert_int_equal(addr_port(&fake_media.last->remote.rtp), 4008);
}

static void and_as_reinvite_elsewhere(void **state)
{
	struct rig *rig = *state;

	up_out(rig);
	assert_int_equal(leg_update(rig->leg, describe(rig, TWO_CODECS)), 0);
	assert_int_equal(fake_count(SIP_UPDATE), 0);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	fake_response(fake_request(SIP_INVITE)->txn, 200, AUDIO_THERE);
	assert_int_equal(leg_change_ack(rig->leg, NULL), 0);
}

static void before_the_first_answer_there_is_no_update(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *txn;

	say(takes_update);
	b = begin_out(rig);
	fake_response(b, 180, NULL);
	assert_int_equal(leg_update(rig->leg, describe(rig, TWO_CODECS)),
			 -EOPNOTSUPP);
	txn = comes(rig, SIP_UPDATE, AUDIO_HELD);
	assert_int_equal(status_of(txn), 491); /* ours is not answered */
	txn = comes(rig, SIP_UPDATE, NULL);
	assert_int_equal(status_of(txn), 200);
	fake_response(b, 486, NULL);
}

static void nor_from_a_caller_that_waits_for_its_answer(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *txn;

	assert_int_equal(begin_in(rig, &a), 0);
	leg_ring(rig->leg, 180, NULL);
	txn = comes(rig, SIP_UPDATE, AUDIO_HELD);
	assert_int_equal(status_of(txn), 500);
	ASSERT_HAS(fake_answer(txn)->headers, "Retry-After");
	leg_reject(rig->leg, 486);
}

static void only_one_update_at_a_time(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	up_in(rig);
	comes(rig, SIP_UPDATE, AUDIO_HELD);
	txn = comes(rig, SIP_UPDATE, AUDIO);
	assert_int_equal(status_of(txn), 500);
	txn = comes(rig, SIP_UPDATE, NULL);
	assert_int_equal(status_of(txn), 500);
	leg_change_answer(rig->leg, 488, NULL);
}

static void an_update_that_crosses_ours_gets_491(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	up_out(rig);
	leg_change(rig->leg, describe(rig, TWO_CODECS));
	txn = comes(rig, SIP_UPDATE, AUDIO_HELD);
	assert_int_equal(status_of(txn), 491);
	txn = comes(rig, SIP_UPDATE, NULL); /* says nothing of the session */
	assert_int_equal(status_of(txn), 200);
	fake_response(fake_request(SIP_INVITE)->txn, 200, AUDIO_THERE);
	leg_change_ack(rig->leg, NULL);
}

static void a_reinvite_that_crosses_our_update_gets_491(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	say(takes_update);
	up_out(rig);
	leg_update(rig->leg, describe(rig, TWO_CODECS));
	txn = comes(rig, SIP_INVITE, AUDIO_HELD);
	assert_int_equal(status_of(txn), 491);
	fake_response(fake_request(SIP_UPDATE)->txn, 491, NULL);
	assert_int_equal(rig->told.changed, 1);
	assert_int_equal(rig->told.status, 491);
}

static void after_the_bye_there_is_none(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	up_in(rig);
	leg_hangup(rig->leg, NULL);
	txn = comes(rig, SIP_UPDATE, AUDIO_HELD);
	assert_int_equal(status_of(txn), 481);
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
}

/* An invitation to come again at once would go on for ever. */
static void anothers_500_is_passed_on_bare(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	up_in(rig);
	txn = comes(rig, SIP_INVITE, AUDIO_HELD);
	leg_change_answer(rig->leg, 500, NULL);
	assert_int_equal(status_of(txn), 500);
	ASSERT_LACKS(fake_answer(txn)->headers, "Retry-After");
}

static void a_bad_body_is_refused(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	up_in(rig);
	txn = comes(rig, SIP_UPDATE, "nonsense");
	assert_int_equal(status_of(txn), 400);
	assert_int_equal(rig->told.change, 0);
}

/* ---- without asking anybody ------------------------------------------------------------ */

static void where_nobody_can_be_asked_a_new_address_does(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;
	unsigned told;

	up_in(rig);
	told = fake_media.last->told;
	txn = comes(rig, SIP_UPDATE, AUDIO_THERE);
	assert_int_equal(leg_change_keep(rig->leg), 0);
	assert_int_equal(status_of(txn), 200);
	assert_int_equal(fake_media.last->told, told + 1);
	assert_int_equal(addr_port(&fake_media.last->remote.rtp), 4008);
}

static void and_another_session_does_not(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	up_in(rig);
	txn = comes(rig, SIP_UPDATE, TWO_CODECS);
	assert_int_equal(leg_change_keep(rig->leg), -EINVAL);
	leg_change_answer(rig->leg, 488, NULL);
	assert_int_equal(status_of(txn), 488);
	ASSERT_HAS(fake_answer(txn)->headers, "Warning: 399");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_same_offer_is_answered_as_before),
		TEST(twenty_of_them_keep_id_version_and_port),
		TEST(by_update_it_is_over_with_the_200),
		TEST(without_an_ack_the_leg_ends),
		TEST(an_answer_again_fits_the_peers_direction),
		TEST(hold_in_each_form_is_carried),
		TEST(without_offer_it_is_carried),
		TEST(a_refused_line_may_come_back),
		TEST(an_update_with_an_offer_is_carried),
		TEST(it_goes_on_as_update_where_that_is_taken),
		TEST(and_as_reinvite_elsewhere),
		TEST(before_the_first_answer_there_is_no_update),
		TEST(nor_from_a_caller_that_waits_for_its_answer),
		TEST(only_one_update_at_a_time),
		TEST(an_update_that_crosses_ours_gets_491),
		TEST(a_reinvite_that_crosses_our_update_gets_491),
		TEST(after_the_bye_there_is_none),
		TEST(anothers_500_is_passed_on_bare),
		TEST(a_bad_body_is_refused),
		TEST(where_nobody_can_be_asked_a_new_address_does),
		TEST(and_another_session_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
