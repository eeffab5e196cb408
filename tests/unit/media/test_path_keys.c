/*
 * test_path_keys.c - pressed keys that change their form in the walk
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * a presses keys as events of type 101; b is told of them by SIP, or takes
 * events of type 97 that it is played.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/list.h"
#include "media/path.h"

enum { PCMA = 8, OPUS = 96, AT_A = 101, AT_B = 97, VOICE_BYTES = 12 + 160 };
enum { END = 0x80, MARKER = 0x80 };

struct rig {
	struct path a, b;
	struct media_remote remote;
	uint8_t bytes[256];
	size_t n; /* that go out */
	bool has_key;
	uint16_t seq;
	uint32_t stamp, ssrc;
	mono_ms now;
};

static struct addr at(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_port(&a, text), 0);
	return a;
}

static void tell_b(struct rig *rig, bool tells_keys)
{
	struct media_remote r = rig->remote;

	r.rtp = at("198.51.100.9:6000");
	r.signalling = at("198.51.100.9:5060");
	r.tells_keys = tells_keys;
	r.events[0] = (struct media_event){
		.type = tells_keys ? AT_A : AT_B,
		.rate = 8000,
		.carriers = {1 << PCMA},
	};
	path_remote(&rig->b, &r);
}

static void note_told(struct path *p)
{
	container_of(p, struct rig, b)->has_key = true;
}

static int start(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->b.keys.has_told = note_told;

	rig->remote = (struct media_remote){
		.rtp = at("203.0.113.7:4000"),
		.signalling = at("203.0.113.7:5060"),
		.payload_types = {1 << PCMA, 1ULL << (AT_A - 64) |
						     1ULL << (AT_B - 64) |
						     1ULL << (OPUS - 64)},
		.receive = true,
		.send = true,
	};
	path_remote(&rig->a, &rig->remote);
	path_bridge(&rig->a, &rig->b);
	rig->now = 1000000;
	rig->ssrc = 0x5eed;
	rig->stamp = 5000;
	*state = rig;
	return 0;
}

static int stop(void **state)
{
	free(*state);
	return 0;
}

/* A packet of @n bytes of a's; is it sent on? */
static bool walk(struct rig *rig, uint8_t type, uint32_t stamp, size_t n)
{
	uint8_t head[12] = {0x80, type, (uint8_t)(rig->seq >> 8),
			    (uint8_t)rig->seq};
	struct path_packet pkt = {.bytes = rig->bytes,
				  .n = n,
				  .from = at("203.0.113.7:4000"),
				  .now = rig->now};
	struct path_hop hop;
	bool is_sent;

	rig->has_key = false;
	rig->seq++;
	for (int i = 0; i < 4; i++) {
		head[4 + i] = (uint8_t)(stamp >> (24 - 8 * i));
		head[8 + i] = (uint8_t)(rig->ssrc >> (24 - 8 * i));
	}
	memcpy(rig->bytes, head, sizeof(head));
	is_sent = path_walk(&rig->a, &pkt, &hop);
	rig->n = pkt.n;
	return is_sent;
}

/* 20 ms of voice. */
static bool speak_as(struct rig *rig, uint8_t type)
{
	rig->now += 20;
	rig->stamp += 160;
	memset(rig->bytes, 0xd5, VOICE_BYTES);
	return walk(rig, type, rig->stamp, VOICE_BYTES);
}

static bool speak(struct rig *rig)
{
	return speak_as(rig, PCMA);
}

/* 20 ms of an event that began at @stamp. */
static bool press(struct rig *rig, uint8_t event, uint32_t stamp,
		  uint16_t duration, uint8_t bits)
{
	const uint8_t body[] = {event, bits | 10, (uint8_t)(duration >> 8),
				(uint8_t)duration};

	rig->now += 20;
	memcpy(rig->bytes + 12, body, sizeof(body));
	return walk(rig, AT_A, stamp, 12 + sizeof(body));
}

static void expect_key(struct rig *rig, uint8_t event, unsigned ms)
{
	struct media_key key;

	assert_true(key_first(&rig->b.keys.told, &key));
	assert_int_equal(key.event, event);
	assert_int_equal(key.ms, ms);
	key_drop(&rig->b.keys.told);
}

static void expect_no_key(struct rig *rig)
{
	struct media_key key;

	assert_false(key_first(&rig->b.keys.told, &key));
}

/* ---- events are told ----------------------------------------------------------- */

static void events_are_relayed_where_nobody_is_told(void **state)
{
	struct rig *rig = *state;

	tell_b(rig, false);
	assert_true(press(rig, 5, 160, 160, 0));
	assert_true(press(rig, 5, 160, 320, END));
	assert_false(rig->b.has_keys);
	expect_no_key(rig);
}

static void an_event_is_told_once_with_its_duration(void **state)
{
	struct rig *rig = *state;

	tell_b(rig, true);
	assert_true(speak(rig));
	assert_false(press(rig, 5, 160, 160, 0));
	assert_false(press(rig, 5, 160, 320, 0));
	assert_false(rig->has_key);
	assert_false(press(rig, 5, 160, 800, END));
	assert_true(rig->has_key);
	expect_key(rig, 5, 100);
	assert_false(press(rig, 5, 160, 800, END));
	assert_false(press(rig, 5, 160, 800, END));
	assert_false(rig->has_key);
	expect_no_key(rig);
	assert_true(speak(rig));
	assert_int_equal(rig->n, VOICE_BYTES);
	expect_no_key(rig);
}

static void the_same_key_twice_is_two(void **state)
{
	struct rig *rig = *state;

	tell_b(rig, true);
	press(rig, 11, 160, 400, END);
	press(rig, 11, 1600, 800, END);
	expect_key(rig, 11, 50);
	expect_key(rig, 11, 100);
}

static void the_next_event_ends_one_whose_end_was_lost(void **state)
{
	struct rig *rig = *state;

	tell_b(rig, true);
	press(rig, 1, 160, 480, 0);
	press(rig, 2, 1600, 160, 0);
	assert_true(rig->has_key);
	expect_key(rig, 1, 60);
	expect_no_key(rig);
	press(rig, 2, 1600, 480, END);
	expect_key(rig, 2, 60);
}

static void voice_for_half_a_second_ends_it_too(void **state)
{
	struct rig *rig = *state;

	tell_b(rig, true);
	press(rig, 1, 160, 480, 0);
	for (int i = 0; i < 24; i++)
		assert_true(speak(rig));
	expect_no_key(rig);
	speak(rig);
	assert_true(rig->has_key);
	expect_key(rig, 1, 60);
}

static void who_leans_on_a_key_is_told_after_5_s(void **state)
{
	struct rig *rig = *state;
	uint16_t duration = 0;

	tell_b(rig, true);
	for (int i = 0; i < 250; i++)
		press(rig, 1, 160, duration += 160, 0);
	expect_no_key(rig);
	press(rig, 1, 160, duration += 160, 0);
	expect_key(rig, 1, 5000);
	for (int i = 0; i < 100; i++)
		press(rig, 1, 160, duration += 160, 0);
	/* Its field is full: it goes on as a new segment. */
	press(rig, 1, 160, UINT16_MAX, 0);
	press(rig, 1, 160 + UINT16_MAX, 160, 0);
	press(rig, 1, 160 + UINT16_MAX, 320, END);
	expect_no_key(rig);
}

static void late_packets_of_an_old_event_tell_nothing(void **state)
{
	struct rig *rig = *state;

	tell_b(rig, true);
	press(rig, 1, 160, 480, END);
	press(rig, 2, 1600, 160, 0);
	press(rig, 1, 160, 480, END);
	press(rig, 2, 1600, 480, END);
	expect_key(rig, 1, 60);
	expect_key(rig, 2, 60);
	expect_no_key(rig);
}

static void another_source_begins_anew(void **state)
{
	struct rig *rig = *state;

	tell_b(rig, true);
	press(rig, 1, 90000, 480, END);
	rig->ssrc = 0xabcd;
	press(rig, 1, 160, 480, END);
	expect_key(rig, 1, 60);
	expect_key(rig, 1, 60);
}

static void what_is_no_key_is_told_to_nobody(void **state)
{
	struct rig *rig = *state;

	tell_b(rig, true);
	assert_false(press(rig, 16, 160, 480, END)); /* flash */
	assert_false(walk(rig, AT_A, 1600, 12 + 3)); /* cut off */
	assert_false(walk(rig, AT_A, 3200, 12));
	expect_no_key(rig);
}

static void a_flood_of_keys_is_bounded(void **state)
{
	struct rig *rig = *state;

	tell_b(rig, true);
	for (uint32_t i = 1; i <= 100; i++)
		assert_false(press(rig, i % 10, i * 160, 80, END));
	for (uint32_t i = 1; i <= KEY_RING; i++)
		expect_key(rig, i % 10, 10);
	expect_no_key(rig);
}

/* ---- keys are played ------------------------------------------------------------ */

static void play(struct rig *rig, uint8_t event, uint16_t ms)
{
	const struct media_key key = {event, ms};

	assert_true(key_push(&rig->b.keys.wanted, &key));
	path_look_for_keys(&rig->b);
}

/* The next packet of a's voice goes out as this event. */
static void expect_event(struct rig *rig, uint8_t event, uint32_t stamp,
			 uint16_t duration, uint8_t marker, uint8_t end)
{
	uint16_t seq = rig->seq;
	struct rtp_hdr h;

	assert_true(speak(rig));
	assert_int_equal(rig->n, 16);
	assert_int_equal(rtp_read(&h, rig->bytes, rig->n), 0);
	assert_int_equal(h.payload_type, AT_B);
	assert_int_equal(h.marker, marker != 0);
	assert_int_equal(h.seq, seq);
	assert_int_equal(h.ssrc, rig->ssrc);
	assert_int_equal(h.timestamp, stamp);
	assert_int_equal(rig->bytes[12], event);
	assert_int_equal(rig->bytes[13] & END, end);
	assert_int_equal(rig->bytes[14] << 8 | rig->bytes[15], duration);
}

static void expect_voice(struct rig *rig)
{
	assert_true(speak(rig));
	assert_int_equal(rig->n, VOICE_BYTES);
	assert_int_equal(rig->bytes[1], PCMA);
	assert_int_equal(rig->bytes[VOICE_BYTES - 1], 0xd5);
}

static void a_key_takes_the_place_of_voice(void **state)
{
	struct rig *rig = *state;
	uint32_t stamp;

	tell_b(rig, false);
	expect_voice(rig);
	play(rig, 5, 70);
	stamp = rig->stamp + 160;
	expect_event(rig, 5, stamp, 160, MARKER, 0);
	expect_event(rig, 5, stamp, 320, 0, 0);
	expect_event(rig, 5, stamp, 480, 0, 0);
	for (int i = 0; i < 3; i++)
		expect_event(rig, 5, stamp, 560, 0, END);
	assert_false(rig->b.has_keys);
	expect_voice(rig);
}

static void keys_wait_for_each_other(void **state)
{
	struct rig *rig = *state;
	uint32_t stamp;

	tell_b(rig, false);
	play(rig, 1, 20);
	play(rig, 1, 20);
	for (int k = 0; k < 2; k++) {
		stamp = rig->stamp + 160;
		expect_event(rig, 1, stamp, 160, MARKER, END);
		expect_event(rig, 1, stamp, 160, 0, END);
		expect_event(rig, 1, stamp, 160, 0, END);
		expect_voice(rig);
		expect_voice(rig);
	}
	assert_false(rig->b.has_keys);
}

static void only_voice_of_its_clock_carries_a_key(void **state)
{
	struct rig *rig = *state;

	tell_b(rig, false);
	play(rig, 1, 70);
	assert_true(speak_as(rig, OPUS));
	assert_int_equal(rig->n, VOICE_BYTES);
	for (int i = 0; i < 100; i++)
		speak_as(rig, OPUS);
	assert_false(rig->b.has_keys); /* it got too old */
	expect_voice(rig);
}

static void a_packet_too_small_for_an_event_stays(void **state)
{
	struct rig *rig = *state;

	tell_b(rig, false);
	play(rig, 1, 70);
	assert_true(walk(rig, PCMA, rig->stamp, 12 + 3));
	assert_int_equal(rig->n, 15);
	expect_event(rig, 1, rig->stamp + 160, 160, MARKER, 0);
}

static void silence_within_a_key_is_its_end(void **state)
{
	struct rig *rig = *state;

	tell_b(rig, false);
	play(rig, 1, 200);
	play(rig, 2, 20);
	expect_event(rig, 1, rig->stamp + 160, 160, MARKER, 0);
	rig->now += 480;
	expect_event(rig, 2, rig->stamp + 160, 160, MARKER, END);
}

static void another_speaker_begins_the_key_anew(void **state)
{
	struct rig *rig = *state;

	tell_b(rig, false);
	play(rig, 1, 70);
	expect_event(rig, 1, rig->stamp + 160, 160, MARKER, 0);
	rig->ssrc = 0xabcd;
	rig->stamp = 90000;
	expect_event(rig, 1, 90160, 160, MARKER, 0);
}

static void padding_does_not_outlive_the_voice(void **state)
{
	struct rig *rig = *state;
	uint8_t padded[VOICE_BYTES] = {0xa0, PCMA};
	struct path_packet pkt = {.bytes = padded,
				  .n = sizeof(padded),
				  .from = at("203.0.113.7:4000"),
				  .now = rig->now};
	struct path_hop hop;
	struct rtp_hdr h;

	padded[VOICE_BYTES - 1] = 20;
	tell_b(rig, false);
	play(rig, 1, 70);
	assert_true(path_walk(&rig->a, &pkt, &hop));
	assert_int_equal(rtp_read(&h, padded, pkt.n), 0);
	assert_int_equal(h.payload_bytes, 4);
}

static void the_ring_is_bounded(void **state)
{
	struct rig *rig = *state;
	const struct media_key key = {1, 70};

	for (int i = 0; i < KEY_RING; i++)
		assert_true(key_push(&rig->b.keys.wanted, &key));
	assert_false(key_push(&rig->b.keys.wanted, &key));
	tell_b(rig, true); /* nobody will ask for them */
	tell_b(rig, false);
	assert_false(rig->b.has_keys);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(events_are_relayed_where_nobody_is_told),
		TEST(an_event_is_told_once_with_its_duration),
		TEST(the_same_key_twice_is_two),
		TEST(the_next_event_ends_one_whose_end_was_lost),
		TEST(voice_for_half_a_second_ends_it_too),
		TEST(who_leans_on_a_key_is_told_after_5_s),
		TEST(late_packets_of_an_old_event_tell_nothing),
		TEST(another_source_begins_anew),
		TEST(what_is_no_key_is_told_to_nobody),
		TEST(a_flood_of_keys_is_bounded),
		TEST(a_key_takes_the_place_of_voice),
		TEST(keys_wait_for_each_other),
		TEST(only_voice_of_its_clock_carries_a_key),
		TEST(a_packet_too_small_for_an_event_stays),
		TEST(silence_within_a_key_is_its_end),
		TEST(another_speaker_begins_the_key_anew),
		TEST(padding_does_not_outlive_the_voice),
		TEST(the_ring_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
