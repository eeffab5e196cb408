/*
 * test_latch.c - the policy table of latch.c, line by line
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A packet is one of the phone's stream: number 0 at time 0, one each 20 ms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "media/latch.h"

enum { SSRC = 0x5eed, SEQ = 65530, STAMP = 0xffffff00, NOW = 5000000 };

static struct addr at(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_port(&a, text), 0);
	return a;
}

/* Number @i of the phone's stream; numbers wrap early on purpose. */
static struct rtp_hdr number(int i)
{
	return (struct rtp_hdr){.payload_type = 8,
				.seq = (uint16_t)(SEQ + i),
				.timestamp = (uint32_t)(STAMP + 160u * i),
				.ssrc = SSRC};
}

struct rig {
	struct latch_rule rule;
	struct latch latch;
	struct latch_rtcp rtcp;
	mono_ms now;
};

/* A phone behind NAT: private address in SDP, SIP from 203.0.113.7. */
static struct rig behind_nat(void)
{
	return (struct rig){.rule = {.sdp = at("192.168.1.50:4000"),
				     .sdp_rtcp = at("192.168.1.50:4001"),
				     .signalling = at("203.0.113.7:5060")},
			    .now = NOW};
}

static enum latch_verdict hear(struct rig *rig, const char *from,
			       struct rtp_hdr h)
{
	struct addr a = at(from);

	if (!latch_may_speak(&rig->latch, &rig->rule, &a, rig->now))
		return LATCH_STRANGER;
	return latch_rtp(&rig->latch, &a, &h, rig->now);
}

/* The phone has spoken from 203.0.113.7:1024, last with number 0. */
static struct rig latched(void)
{
	struct rig rig = behind_nat();

	assert_int_equal(hear(&rig, "203.0.113.7:1024", number(0)),
			 LATCH_LEARNED);
	return rig;
}

static void assert_source(const struct rig *rig, const char *text)
{
	struct addr a = at(text);

	assert_true(addr_equal(&rig->latch.source, &a));
}

/* ---- nothing learned ----------------------------------------------------- */

static void sip_source_may_speak_from_any_port(void **state)
{
	struct rig rig = behind_nat();

	assert_int_equal(hear(&rig, "203.0.113.7:1024", number(0)),
			 LATCH_LEARNED);
	assert_source(&rig, "203.0.113.7:1024");
}

static void sdp_address_may_speak_from_any_port(void **state)
{
	struct rig rig = behind_nat();

	assert_int_equal(hear(&rig, "192.168.1.50:9", number(0)),
			 LATCH_LEARNED);
}

static void other_host_may_not_speak(void **state)
{
	struct rig rig = behind_nat();

	assert_int_equal(hear(&rig, "203.0.113.8:4000", number(0)),
			 LATCH_STRANGER);
	assert_false(rig.latch.learned);
}

static void open_latch_learns_any_host(void **state)
{
	struct rig rig = behind_nat();

	rig.rule.open = true;
	assert_int_equal(hear(&rig, "198.51.100.1:9", number(0)),
			 LATCH_LEARNED);
}

static void ipv6_host_is_compared_whole(void **state)
{
	struct rig rig = {.rule = {.sdp = at("[2001:db8::1]:4000"),
				   .signalling = at("[2001:db8::1]:5060")}};

	assert_int_equal(hear(&rig, "[2001:db8::2]:4000", number(0)),
			 LATCH_STRANGER);
	assert_int_equal(hear(&rig, "[2001:db8::1]:4002", number(0)),
			 LATCH_LEARNED);
}

static void unset_sdp_matches_nobody(void **state)
{
	struct rig rig = {.rule = {.signalling = at("203.0.113.7:5060")}};

	assert_int_equal(hear(&rig, "203.0.113.8:4000", number(0)),
			 LATCH_STRANGER);
}

/* ---- the learned source -------------------------------------------------- */

static void learned_source_may_do_what_it_likes(void **state)
{
	struct rig rig = latched();
	struct rtp_hdr h = number(0);

	h.ssrc++;
	h.seq += 30000;
	h.timestamp -= 99999;
	assert_int_equal(hear(&rig, "203.0.113.7:1024", h), LATCH_ACCEPT);
}

static void proof_is_measured_from_the_newest_packet(void **state)
{
	struct rig rig = latched();

	assert_int_equal(hear(&rig, "203.0.113.7:1024", number(5)),
			 LATCH_ACCEPT);
	assert_int_equal(hear(&rig, "203.0.113.7:1024", number(3)),
			 LATCH_ACCEPT); /* late */
	rig.now += 60;
	assert_int_equal(hear(&rig, "203.0.113.7:2000", number(5)),
			 LATCH_STRANGER);
	assert_int_equal(hear(&rig, "203.0.113.7:2000", number(6)),
			 LATCH_LEARNED);
}

static void sender_that_restarts_its_numbers_is_followed(void **state)
{
	struct rig rig = latched();
	struct rtp_hdr h = number(-5000);

	assert_int_equal(hear(&rig, "203.0.113.7:1024", h), LATCH_ACCEPT);
	rig.now += 60;
	assert_int_equal(hear(&rig, "203.0.113.7:2000", number(-4999)),
			 LATCH_LEARNED);
}

/* ---- a new port of the same address -------------------------------------- */

static enum latch_verdict from_new_port(int i, int64_t silent_ms)
{
	struct rig rig = latched();

	rig.now += silent_ms;
	return hear(&rig, "203.0.113.7:2000", number(i));
}

static void new_port_takes_over_after_60_ms_of_silence(void **state)
{
	assert_int_equal(from_new_port(1, 59), LATCH_STRANGER);
	assert_int_equal(from_new_port(1, 60), LATCH_LEARNED);
}

static void new_port_must_be_1_to_50_ahead(void **state)
{
	assert_int_equal(from_new_port(0, 1100), LATCH_STRANGER);
	assert_int_equal(from_new_port(-1, 1100), LATCH_STRANGER);
	assert_int_equal(from_new_port(50, 1100), LATCH_LEARNED);
	assert_int_equal(from_new_port(51, 1100), LATCH_STRANGER);
}

static void new_port_must_have_the_ssrc(void **state)
{
	struct rig rig = latched();
	struct rtp_hdr h = number(1);

	h.ssrc++;
	rig.now += 1000;
	assert_int_equal(hear(&rig, "203.0.113.7:2000", h), LATCH_STRANGER);
}

static enum latch_verdict with_timestamp(uint32_t ahead, uint8_t type,
					 int64_t silent_ms)
{
	struct rig rig = latched();
	struct rtp_hdr h = number(1);

	h.timestamp = STAMP + ahead;
	h.payload_type = type;
	rig.now += silent_ms;
	return hear(&rig, "203.0.113.7:2000", h);
}

static void timestamp_must_not_be_behind(void **state)
{
	assert_int_equal(with_timestamp((uint32_t)-160, 8, 100),
			 LATCH_STRANGER);
}

static void timestamp_must_fit_the_time_that_passed(void **state)
{
	assert_int_equal(with_timestamp(800, 8, 100), LATCH_LEARNED);
	assert_int_equal(with_timestamp(8 * 1100, 8, 100), LATCH_LEARNED);
	assert_int_equal(with_timestamp(8 * 1100 + 1, 8, 100), LATCH_STRANGER);
	assert_int_equal(with_timestamp(1000000, 8, 100), LATCH_STRANGER);
}

static void dynamic_payload_type_may_have_a_faster_clock(void **state)
{
	assert_int_equal(with_timestamp(48 * 200, 96, 200), LATCH_LEARNED);
	assert_int_equal(with_timestamp(1000000, 96, 200), LATCH_STRANGER);
}

static void phone_that_was_mute_for_minutes_takes_over(void **state)
{
	/* Its clock ran on, or stood still: both exist. */
	assert_int_equal(with_timestamp(8 * 300000, 8, 300000), LATCH_LEARNED);
	assert_int_equal(with_timestamp(160, 8, 300000), LATCH_LEARNED);
}

static void timestamp_behind_is_refused_however_long_the_silence(void **state)
{
	assert_int_equal(with_timestamp((uint32_t)-160, 96, 1LL << 40),
			 LATCH_STRANGER);
}

static void take_over_closes_the_old_port(void **state)
{
	struct rig rig = latched();

	rig.now += 60;
	hear(&rig, "203.0.113.7:2000", number(1));
	assert_source(&rig, "203.0.113.7:2000");
	assert_int_equal(hear(&rig, "203.0.113.7:1024", number(2)),
			 LATCH_STRANGER);
}

/* ---- a new address ------------------------------------------------------- */

static void new_address_needs_three_in_a_row_and_500_ms(void **state)
{
	struct rig rig = latched();

	rig.now += 500;
	assert_int_equal(hear(&rig, "192.168.1.50:4000", number(10)),
			 LATCH_STRANGER);
	assert_int_equal(hear(&rig, "192.168.1.50:4000", number(11)),
			 LATCH_STRANGER);
	assert_int_equal(hear(&rig, "192.168.1.50:4000", number(12)),
			 LATCH_LEARNED);
	assert_source(&rig, "192.168.1.50:4000");
}

static void row_of_a_new_address_may_begin_before_500_ms(void **state)
{
	struct rig rig = latched();

	rig.now += 499;
	for (int i = 1; i < 10; i++)
		assert_int_equal(hear(&rig, "192.168.1.50:4000", number(i)),
				 LATCH_STRANGER);
	rig.now += 1;
	assert_int_equal(hear(&rig, "192.168.1.50:4000", number(10)),
			 LATCH_LEARNED);
}

/* 10 ms each: after 500 ms it is more than 50 ahead, but never had a gap. */
static void short_packets_from_a_new_address_are_followed(void **state)
{
	struct rig rig = latched();
	int i;

	for (i = 1; i <= 49; i++) {
		rig.now += 10;
		assert_int_equal(hear(&rig, "192.0.2.9:4000", number(i + 2)),
				 LATCH_STRANGER);
	}
	rig.now += 10;
	assert_int_equal(hear(&rig, "192.0.2.9:4000", number(i + 2)),
			 LATCH_LEARNED);
}

static void gap_breaks_the_row_of_a_new_address(void **state)
{
	struct rig rig = latched();

	rig.now += 500;
	hear(&rig, "192.168.1.50:4000", number(1));
	hear(&rig, "192.168.1.50:4000", number(2));
	assert_int_equal(hear(&rig, "192.168.1.50:4000", number(4)),
			 LATCH_STRANGER);
	hear(&rig, "192.168.1.50:4000", number(5));
	assert_int_equal(hear(&rig, "192.168.1.50:4000", number(6)),
			 LATCH_LEARNED);
}

static void other_port_breaks_the_row_of_a_new_address(void **state)
{
	struct rig rig = latched();

	rig.now += 500;
	hear(&rig, "192.168.1.50:4000", number(1));
	hear(&rig, "192.168.1.50:4000", number(2));
	assert_int_equal(hear(&rig, "192.168.1.50:4002", number(3)),
			 LATCH_STRANGER);
}

static void old_source_breaks_the_row_of_a_new_address(void **state)
{
	struct rig rig = latched();

	rig.now += 500;
	hear(&rig, "192.168.1.50:4000", number(1));
	hear(&rig, "192.168.1.50:4000", number(2));
	hear(&rig, "203.0.113.7:1024", number(1));
	rig.now += 500;
	assert_int_equal(hear(&rig, "192.168.1.50:4000", number(3)),
			 LATCH_STRANGER);
}

static void address_that_nobody_named_takes_over_with_proof(void **state)
{
	struct rig rig = latched();

	rig.now += 500;
	for (int i = 1; i <= 2; i++)
		assert_int_equal(hear(&rig, "198.51.100.66:1024", number(i)),
				 LATCH_STRANGER);
	assert_int_equal(hear(&rig, "198.51.100.66:1024", number(3)),
			 LATCH_LEARNED);
	assert_source(&rig, "198.51.100.66:1024");
}

/* Who wants the stream from where, what he says in each of three packets, and
 * whether he gets it. */
static const struct {
	const char *why, *from;
	int64_t silent_ms;
	int first, step; /* numbers of the phone's stream */
	uint32_t ssrc_off, stamp_off;
	bool gets;
} claims[] = {
	{"goes on", "198.51.100.66:9", 560, 28, 1, 0, 0, true},
	{"goes on, IPv6", "[2001:db8::9]:9", 560, 28, 1, 0, 0, true},
	{"50 ahead", "198.51.100.66:9", 1000, 50, 1, 0, 0, true},
	{"51 ahead", "198.51.100.66:9", 1000, 51, 1, 0, 0, false},
	{"the same number", "198.51.100.66:9", 1000, 0, 0, 0, 0, false},
	{"behind", "198.51.100.66:9", 1000, -30, 1, 0, 0, false},
	{"half the circle", "198.51.100.66:9", 1000, 32768, 1, 0, 0, false},
	{"other SSRC", "198.51.100.66:9", 1000, 1, 1, 1, 0, false},
	{"gaps", "198.51.100.66:9", 1000, 1, 2, 0, 0, false},
	{"clock far ahead", "198.51.100.66:9", 1000, 1, 1, 0, 99999, false},
	{"clock behind", "198.51.100.66:9", 1000, 1, 1, 0, -9999u, false},
	{"source not silent", "198.51.100.66:9", 480, 1, 1, 0, 0, false},
	{"mute, clock stood", "198.51.100.66:9", 60000, 1, 1, 0, 0, true},
	{"mute, clock ran", "198.51.100.66:9", 60000, 1, 1, 0, 480000, true},
	{"mute, clock raced", "198.51.100.66:9", 60000, 1, 1, 0, 600000, false},
	{"other port of a signalled host", "192.168.1.50:7", 1000, 1, 1, 0, 0,
	 true},
};

static void claim_of_a_new_address_follows_the_table(void **state)
{
	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		struct rig rig = latched();
		enum latch_verdict verdict = LATCH_STRANGER;

		rig.now += claims[i].silent_ms;
		for (int k = 0; k < 3; k++) {
			struct rtp_hdr h =
				number(claims[i].first + claims[i].step * k);

			h.ssrc += claims[i].ssrc_off;
			h.timestamp += claims[i].stamp_off;
			if (verdict == LATCH_LEARNED)
				fail_msg("%s: too early", claims[i].why);
			verdict = hear(&rig, claims[i].from, h);
		}
		if ((verdict == LATCH_LEARNED) != claims[i].gets)
			fail_msg("%s", claims[i].why);
	}
}

/* The phone goes on from where it is, with a new port and then a new host,
 * while others who know the SSRC guess from everywhere. */
static void phone_is_followed_while_others_guess(void **state)
{
	struct rig rig = latched();
	const char *from[] = {"203.0.113.7:1024", "203.0.113.7:2000",
			      "198.51.100.1:5", "198.51.100.2:5"};
	char other[ADDR_TEXT_MAX];
	int moved = 0;

	for (int i = 1; i < 400; i++) {
		rig.now += 20;
		for (int k = 0; k < 20; k++) {
			struct rtp_hdr h = number(i + 60 + 997 * k);

			snprintf(other, sizeof(other), "192.0.2.%d:%d", k + 1,
				 1000 + i);
			assert_int_equal(hear(&rig, other, h), LATCH_STRANGER);
		}
		moved += hear(&rig, from[i / 100], number(i)) == LATCH_LEARNED;
	}
	assert_int_equal(moved, 3);
	assert_source(&rig, from[3]);
}

/* Right SSRC and sequence, timestamps that the clock allows but that are not
 * the ones that follow: @tries of them, from as many addresses. */
static enum latch_verdict guess_timestamps(struct rig *rig, int tries,
					   uint16_t wrong_seqs)
{
	enum latch_verdict verdict = LATCH_STRANGER;
	char from[ADDR_TEXT_MAX];

	for (int i = 0; i < tries && verdict == LATCH_STRANGER; i++) {
		struct rtp_hdr h = number(1);

		h.seq += wrong_seqs;
		h.timestamp += 1000 + (uint32_t)i;
		snprintf(from, sizeof(from), "203.0.113.7:%d", 5000 + i);
		verdict = hear(rig, from, h);
	}
	return verdict;
}

static void after_wrong_guesses_the_timestamp_must_be_exact(void **state)
{
	struct rig rig = latched();

	rig.now += 20;
	hear(&rig, "203.0.113.7:1024", number(1)); /* 160 from packet to it */
	rig.now += 500;
	assert_int_equal(guess_timestamps(&rig, 1000, 1000), LATCH_STRANGER);
	assert_int_equal(guess_timestamps(&rig, 1000, 1), LATCH_STRANGER);
	assert_int_equal(hear(&rig, "203.0.113.7:2000", number(2)),
			 LATCH_LEARNED);
}

static void few_wrong_guesses_are_forgotten(void **state)
{
	struct rig rig = latched();

	rig.now += 500;
	guess_timestamps(&rig, 1000, 1000);
	rig.now += 10001;
	assert_int_equal(guess_timestamps(&rig, 1, 0), LATCH_LEARNED);
}

static void clock_that_ran_on_is_exact_enough(void **state)
{
	struct rig rig = latched();
	struct rtp_hdr h = number(1);

	rig.now += 3000;
	guess_timestamps(&rig, 1000, 1000);
	h.timestamp = STAMP + 8 * 3101;
	assert_int_equal(hear(&rig, "203.0.113.7:2000", h), LATCH_STRANGER);
	h.timestamp = STAMP + 8 * 2899;
	assert_int_equal(hear(&rig, "203.0.113.7:2000", h), LATCH_STRANGER);
	h.timestamp = STAMP + 8 * 2960;
	assert_int_equal(hear(&rig, "203.0.113.7:2000", h), LATCH_LEARNED);
}

/* Else whoever sends rubbish could put a phone off. */
static void guesses_without_the_ssrc_count_for_nothing(void **state)
{
	struct rig rig = latched();
	struct rtp_hdr h = number(700);

	rig.now += 500;
	h.ssrc++;
	for (int i = 0; i < 1000; i++)
		hear(&rig, "192.0.2.9:9", h);
	h = number(1);
	h.timestamp += 77; /* allowed, not exact */
	assert_int_equal(hear(&rig, "203.0.113.7:2000", h), LATCH_LEARNED);
}

/* A line that was down for @silent_ms: the phone spoke on into it. */
static enum latch_verdict after_outage(int64_t silent_ms, int first,
				       uint32_t stamp_off)
{
	enum latch_verdict verdict = LATCH_STRANGER;
	struct rig rig = latched();

	rig.now += 20;
	hear(&rig, "203.0.113.7:1024", number(1));
	rig.now += silent_ms;
	for (int i = 0; i < 3; i++, rig.now += 20) {
		struct rtp_hdr h = number(first + i);

		h.timestamp += stamp_off;
		verdict = hear(&rig, "198.51.100.66:9", h);
	}
	return verdict;
}

static void stream_that_went_on_through_an_outage_is_followed(void **state)
{
	assert_int_equal(after_outage(5000, 251, 0), LATCH_LEARNED);
	assert_int_equal(after_outage(30000, 1501, 0), LATCH_LEARNED);
	assert_int_equal(after_outage(30000, 1501 - 12, 0), LATCH_LEARNED);
	assert_int_equal(after_outage(30000, 1501 + 12, 0), LATCH_LEARNED);
}

static void outage_excuses_only_the_packet_that_is_due(void **state)
{
	assert_int_equal(after_outage(4900, 246, 0), LATCH_STRANGER);
	assert_int_equal(after_outage(30000, 1501 - 14, 0), LATCH_STRANGER);
	assert_int_equal(after_outage(30000, 1501 + 14, 0), LATCH_STRANGER);
	assert_int_equal(after_outage(30000, 1501, 1), LATCH_STRANGER);
	assert_int_equal(after_outage(30000, 1501, 160), LATCH_STRANGER);
}

static void outage_of_a_faster_clock_is_measured_by_its_rate(void **state)
{
	struct rig rig = latched();
	struct rtp_hdr h = number(0);

	h.payload_type = 96;
	for (int i = 0; i < 2; i++, rig.now += 20) {
		h.seq++;
		h.timestamp += 960;
		hear(&rig, "203.0.113.7:1024", h);
	}
	rig.now += 9980;
	h.seq += 500;
	h.timestamp += 500 * 960;
	assert_int_equal(hear(&rig, "203.0.113.7:2000", h), LATCH_LEARNED);
}

/* Others who see the stream claim it too, right in all but the row, each from
 * a port of its own. */
static void claim_outlives_a_few_others(void **state)
{
	struct rig rig = latched();
	char from[ADDR_TEXT_MAX];

	rig.now += 500;
	for (int i = 1; i <= 3; i++, rig.now += 20) {
		assert_int_equal(hear(&rig, "198.51.100.66:9", number(i)),
				 i < 3 ? LATCH_STRANGER : LATCH_LEARNED);
		for (int k = 0; k < 3 && i < 3; k++) {
			snprintf(from, sizeof(from), "192.0.2.1:%d",
				 10 * i + k);
			assert_int_equal(hear(&rig, from, number(i + 1)),
					 LATCH_STRANGER);
		}
	}
}

static void claim_that_is_silent_gives_way(void **state)
{
	struct rig rig = latched();
	char from[ADDR_TEXT_MAX];

	rig.now += 500;
	for (int i = 0; i < 9; i++, rig.now++) {
		snprintf(from, sizeof(from), "192.0.2.1:%d", i + 1);
		hear(&rig, from, number(1));
	}
	for (int i = 1; i <= 3; i++, rig.now += 20)
		assert_int_equal(hear(&rig, "198.51.100.66:9", number(i)),
				 i < 3 ? LATCH_STRANGER : LATCH_LEARNED);
}

static void pressed_key_does_not_spoil_the_proof(void **state)
{
	struct rig rig = latched();
	struct rtp_hdr h = number(1);

	rig.now += 20;
	hear(&rig, "203.0.113.7:1024", number(1));
	for (int i = 0; i < 3; i++, rig.now += 20) {
		h.seq++; /* the timestamp stands still */
		hear(&rig, "203.0.113.7:1024", h);
	}
	rig.now += 500;
	guess_timestamps(&rig, 1000, 1000);
	h.seq++;
	h.timestamp += 160;
	assert_int_equal(hear(&rig, "203.0.113.7:2000", h), LATCH_LEARNED);
}

static void strangers_are_not_read_while_the_source_speaks(void **state)
{
	struct rig rig = latched();
	struct addr stranger = at("198.51.100.66:9");

	rig.now += 59;
	assert_false(
		latch_may_speak(&rig.latch, &rig.rule, &stranger, rig.now));
	rig.now += 1;
	assert_true(latch_may_speak(&rig.latch, &rig.rule, &stranger, rig.now));
}

static void stream_of_a_foreign_host_is_told_from_probes(void **state)
{
	struct rig rig = behind_nat();
	struct addr foreign = at("198.51.100.66:9"), other = at("192.0.2.1:9");
	struct rtp_hdr h = number(0), another = number(1), gap = number(9);

	assert_false(latch_is_foreign(&rig.latch, &foreign, &h, rig.now));
	h = number(1);
	assert_false(latch_is_foreign(&rig.latch, &foreign, &h, rig.now));
	another.ssrc++;
	assert_false(latch_is_foreign(&rig.latch, &foreign, &another, rig.now));
	assert_false(latch_is_foreign(&rig.latch, &foreign, &h, rig.now));
	h = number(2);
	assert_false(latch_is_foreign(&rig.latch, &other, &h, rig.now));
	assert_false(latch_is_foreign(&rig.latch, &foreign, &gap, rig.now));
	gap.seq++;
	assert_false(latch_is_foreign(&rig.latch, &foreign, &gap, rig.now));
	gap.seq++;
	assert_true(latch_is_foreign(&rig.latch, &foreign, &gap, rig.now));
	assert_int_equal(hear(&rig, "203.0.113.7:1024", number(0)),
			 LATCH_LEARNED); /* and the phone is not hindered */
}

static void open_latch_asks_a_new_address_for_the_same_proof(void **state)
{
	struct rig rig = latched();

	rig.rule.open = true;
	rig.now += 500;
	assert_int_equal(hear(&rig, "198.51.100.66:9", number(1)),
			 LATCH_STRANGER);
	assert_int_equal(hear(&rig, "198.51.100.66:9", number(2)),
			 LATCH_STRANGER);
	assert_int_equal(hear(&rig, "198.51.100.66:9", number(3)),
			 LATCH_LEARNED);
}

/* ---- RTCP ---------------------------------------------------------------- */

static enum latch_verdict report(struct rig *rig, const char *from,
				 uint32_t ssrc)
{
	struct addr a = at(from);

	if (!latch_may_report(&rig->rtcp, &rig->latch, &rig->rule, &a))
		return LATCH_STRANGER;
	return latch_report(&rig->rtcp, &a, ssrc, rig->now);
}

static void rtcp_is_learned_by_the_same_hosts(void **state)
{
	struct rig rig = behind_nat();

	assert_int_equal(report(&rig, "198.51.100.66:4001", SSRC),
			 LATCH_STRANGER);
	assert_int_equal(report(&rig, "203.0.113.7:1025", SSRC), LATCH_LEARNED);
	assert_int_equal(report(&rig, "203.0.113.7:1025", SSRC), LATCH_ACCEPT);
}

static void rtcp_never_moves_rtp(void **state)
{
	struct rig rig = latched();

	report(&rig, "203.0.113.7:1025", SSRC);
	rig.now += 5000;
	report(&rig, "203.0.113.7:2001", SSRC);
	assert_source(&rig, "203.0.113.7:1024");
}

static void rtcp_moves_with_its_ssrc_after_500_ms(void **state)
{
	struct rig rig = behind_nat();

	report(&rig, "203.0.113.7:1025", SSRC);
	rig.now += 499;
	assert_int_equal(report(&rig, "203.0.113.7:2001", SSRC),
			 LATCH_STRANGER);
	rig.now += 1;
	assert_int_equal(report(&rig, "203.0.113.7:2001", SSRC + 1),
			 LATCH_STRANGER);
	assert_int_equal(report(&rig, "203.0.113.7:2001", SSRC), LATCH_LEARNED);
}

static void rtcp_host_of_sdp_may_be_its_own(void **state)
{
	struct rig rig = behind_nat();

	rig.rule.sdp_rtcp = at("198.51.100.9:4001"); /* RFC 3605 */
	assert_int_equal(report(&rig, "198.51.100.9:4001", SSRC),
			 LATCH_LEARNED);
}

static void rtcp_follows_rtp_to_a_host_that_nobody_named(void **state)
{
	struct rig rig = latched();

	assert_int_equal(report(&rig, "198.51.100.66:10", SSRC),
			 LATCH_STRANGER);
	rig.now += 500;
	for (int i = 1; i <= 3; i++)
		hear(&rig, "198.51.100.66:9", number(i));
	assert_int_equal(report(&rig, "198.51.100.66:10", SSRC), LATCH_LEARNED);
	assert_int_equal(report(&rig, "192.0.2.1:10", SSRC), LATCH_STRANGER);
}

static void open_rtcp_follows_the_host_of_rtp(void **state)
{
	struct rig rig = behind_nat();

	rig.rule.open = true;
	hear(&rig, "198.51.100.1:9", number(0));
	assert_int_equal(report(&rig, "198.51.100.66:10", SSRC),
			 LATCH_STRANGER);
	assert_int_equal(report(&rig, "198.51.100.1:10", SSRC), LATCH_LEARNED);
}

/* ---- where to send ------------------------------------------------------- */

static const struct {
	const char *why, *sdp, *signalling, *source, *target;
	bool open, behind_nat;
} targets[] = {
	{"no NAT", "203.0.113.7:4000", "203.0.113.7:5060", NULL,
	 "203.0.113.7:4000", false, false},
	{"private LAN without NAT", "10.0.0.7:4000", "10.0.0.7:5060", NULL,
	 "10.0.0.7:4000", false, false},
	{"NAT, unheard", "192.168.1.50:4000", "203.0.113.7:5060", NULL, NULL,
	 false, false},
	{"NAT, heard", "192.168.1.50:4000", "203.0.113.7:5060",
	 "203.0.113.7:1024", "203.0.113.7:1024", false, false},
	{"NAT inside a private network", "192.168.1.50:4000", "10.0.0.7:5060",
	 NULL, NULL, false, false},
	{"carrier NAT, unheard", "100.64.0.9:4000", "203.0.113.7:5060", NULL,
	 NULL, false, false},
	{"media gateway beside a proxy", "203.0.113.8:4000", "203.0.113.7:5060",
	 NULL, "203.0.113.8:4000", false, false},
	{"sends from another port, no NAT", "203.0.113.7:4000",
	 "203.0.113.7:5060", "203.0.113.7:4444", "203.0.113.7:4000", false,
	 false},
	{"STUN and symmetric NAT", "203.0.113.7:4000", "203.0.113.7:5060",
	 "203.0.113.7:4444", "203.0.113.7:4444", false, true},
	{"open, private, unheard", "192.168.1.50:4000", "203.0.113.7:5060",
	 NULL, "192.168.1.50:4000", true, false},
	{"hold", "0.0.0.0:4000", "203.0.113.7:5060", "203.0.113.7:1024", NULL,
	 false, false},
	{"IPv6 hold", "[::]:4000", "[2001:db8::7]:5060", "[2001:db8::7]:4000",
	 NULL, false, false},
	{"multicast", "239.1.1.1:4000", "203.0.113.7:5060", "203.0.113.7:1024",
	 NULL, true, false},
	{"broadcast", "255.255.255.255:4000", "203.0.113.7:5060", NULL, NULL,
	 true, false},
	{"our loopback from afar", "127.0.0.1:4000", "203.0.113.7:5060", NULL,
	 NULL, true, false},
	{"loopback among ourselves", "127.0.0.1:4000", "127.0.0.2:5060", NULL,
	 "127.0.0.1:4000", false, false},
	{"stream refused with port 0", "203.0.113.7:0", "203.0.113.7:5060",
	 NULL, NULL, false, false},
	{"IPv6", "[2001:db8::7]:4000", "[2001:db8::7]:5060", NULL,
	 "[2001:db8::7]:4000", false, false},
};

static void target_follows_the_table(void **state)
{
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct latch_rule rule = {
			.sdp = at(targets[i].sdp),
			.signalling = at(targets[i].signalling),
			.open = targets[i].open,
			.behind_nat = targets[i].behind_nat,
		};
		struct addr source, target;
		char text[ADDR_TEXT_MAX];

		if (targets[i].source)
			source = at(targets[i].source);
		latch_target(&target, &rule, &rule.sdp,
			     targets[i].source ? &source : NULL);
		if (addr_is_set(&target) != !!targets[i].target)
			fail_msg("%s: set or not", targets[i].why);
		if (!targets[i].target)
			continue;
		source = at(targets[i].target);
		if (!addr_equal(&target, &source))
			fail_msg("%s: %s", targets[i].why,
				 addr_fmt(&target, text));
	}
}

static const struct {
	const char *why, *sdp, *signalling, *source, *other;
	bool behind_nat;
} others[] = {
	{"symmetric", "203.0.113.7:4000", "203.0.113.7:5060",
	 "203.0.113.7:4000", NULL, false},
	{"sends from another port", "203.0.113.7:4000", "203.0.113.7:5060",
	 "203.0.113.7:4444", "203.0.113.7:4444", false},
	{"sends from another port, NAT", "203.0.113.7:4000", "203.0.113.7:5060",
	 "203.0.113.7:4444", "203.0.113.7:4000", true},
	{"unheard", "203.0.113.7:4000", "203.0.113.7:5060", NULL, NULL, false},
	{"NAT, private SDP", "192.168.1.50:4000", "203.0.113.7:5060",
	 "203.0.113.7:1024", NULL, true},
	{"media elsewhere", "203.0.113.8:4000", "203.0.113.7:5060",
	 "203.0.113.7:1024", "203.0.113.8:4000", false},
	{"loopback from afar", "127.0.0.1:4000", "203.0.113.7:5060",
	 "203.0.113.7:1024", NULL, false},
	{"hold", "0.0.0.0:4000", "203.0.113.7:5060", "203.0.113.7:1024", NULL,
	 false},
};

static void other_target_follows_the_table(void **state)
{
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct latch_rule rule = {
			.sdp = at(others[i].sdp),
			.signalling = at(others[i].signalling),
			.behind_nat = others[i].behind_nat,
		};
		struct addr source, other;

		if (others[i].source)
			source = at(others[i].source);
		latch_other(&other, &rule, &rule.sdp,
			    others[i].source ? &source : NULL);
		if (addr_is_set(&other) != !!others[i].other)
			fail_msg("%s: set or not", others[i].why);
		if (!others[i].other)
			continue;
		source = at(others[i].other);
		if (!addr_equal(&other, &source))
			fail_msg("%s", others[i].why);
	}
}

static void target_of_an_unset_sdp_is_nowhere(void **state)
{
	struct rig rig = latched();
	struct addr target, none = {0};

	latch_target(&target, &rig.rule, &none, &rig.latch.source);
	assert_false(addr_is_set(&target));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sip_source_may_speak_from_any_port),
		cmocka_unit_test(sdp_address_may_speak_from_any_port),
		cmocka_unit_test(other_host_may_not_speak),
		cmocka_unit_test(open_latch_learns_any_host),
		cmocka_unit_test(ipv6_host_is_compared_whole),
		cmocka_unit_test(unset_sdp_matches_nobody),
		cmocka_unit_test(learned_source_may_do_what_it_likes),
		cmocka_unit_test(proof_is_measured_from_the_newest_packet),
		cmocka_unit_test(sender_that_restarts_its_numbers_is_followed),
		cmocka_unit_test(new_port_takes_over_after_60_ms_of_silence),
		cmocka_unit_test(new_port_must_be_1_to_50_ahead),
		cmocka_unit_test(new_port_must_have_the_ssrc),
		cmocka_unit_test(timestamp_must_not_be_behind),
		cmocka_unit_test(timestamp_must_fit_the_time_that_passed),
		cmocka_unit_test(dynamic_payload_type_may_have_a_faster_clock),
		cmocka_unit_test(phone_that_was_mute_for_minutes_takes_over),
		cmocka_unit_test(
			timestamp_behind_is_refused_however_long_the_silence),
		cmocka_unit_test(take_over_closes_the_old_port),
		cmocka_unit_test(new_address_needs_three_in_a_row_and_500_ms),
		cmocka_unit_test(gap_breaks_the_row_of_a_new_address),
		cmocka_unit_test(other_port_breaks_the_row_of_a_new_address),
		cmocka_unit_test(old_source_breaks_the_row_of_a_new_address),
		cmocka_unit_test(row_of_a_new_address_may_begin_before_500_ms),
		cmocka_unit_test(short_packets_from_a_new_address_are_followed),
		cmocka_unit_test(
			address_that_nobody_named_takes_over_with_proof),
		cmocka_unit_test(claim_of_a_new_address_follows_the_table),
		cmocka_unit_test(phone_is_followed_while_others_guess),
		cmocka_unit_test(
			after_wrong_guesses_the_timestamp_must_be_exact),
		cmocka_unit_test(few_wrong_guesses_are_forgotten),
		cmocka_unit_test(clock_that_ran_on_is_exact_enough),
		cmocka_unit_test(guesses_without_the_ssrc_count_for_nothing),
		cmocka_unit_test(
			strangers_are_not_read_while_the_source_speaks),
		cmocka_unit_test(stream_of_a_foreign_host_is_told_from_probes),
		cmocka_unit_test(
			open_latch_asks_a_new_address_for_the_same_proof),
		cmocka_unit_test(
			stream_that_went_on_through_an_outage_is_followed),
		cmocka_unit_test(outage_excuses_only_the_packet_that_is_due),
		cmocka_unit_test(
			outage_of_a_faster_clock_is_measured_by_its_rate),
		cmocka_unit_test(claim_outlives_a_few_others),
		cmocka_unit_test(claim_that_is_silent_gives_way),
		cmocka_unit_test(pressed_key_does_not_spoil_the_proof),
		cmocka_unit_test(rtcp_is_learned_by_the_same_hosts),
		cmocka_unit_test(rtcp_never_moves_rtp),
		cmocka_unit_test(rtcp_moves_with_its_ssrc_after_500_ms),
		cmocka_unit_test(rtcp_host_of_sdp_may_be_its_own),
		cmocka_unit_test(rtcp_follows_rtp_to_a_host_that_nobody_named),
		cmocka_unit_test(open_rtcp_follows_the_host_of_rtp),
		cmocka_unit_test(target_follows_the_table),
		cmocka_unit_test(other_target_follows_the_table),
		cmocka_unit_test(target_of_an_unset_sdp_is_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
