/*
 * test_path.c - the walk of a packet between two ends, without sockets
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * a, a phone behind NAT, is heard at 203.0.113.7:1024; b, without NAT, is at
 * 198.51.100.9:6000.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/path.h"

#define PHONE    "203.0.113.7:1024"
#define B_RTP    "198.51.100.9:6000"
#define STRANGER "192.0.2.66:1024"

enum { PCMA = 8, SSRC = 0x5eed, RTP_BYTES = 12 + 160 };

struct rig {
	struct path a, b;
	struct media_remote a_remote, b_remote;
	uint8_t bytes[2048];
	struct path_hop hop;
	uint16_t seq;
	mono_ms now;
};

static struct addr at(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_port(&a, text), 0);
	return a;
}

static int start(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->a_remote = (struct media_remote){
		.rtp = at("192.168.1.50:4000"),
		.rtcp = at("192.168.1.50:4001"),
		.signalling = at("203.0.113.7:5060"),
		.payload_types = {1 << PCMA, 1ULL << (101 - 64)},
		.receive = true,
		.send = true,
	};
	rig->b_remote = rig->a_remote;
	rig->b_remote.rtp = at(B_RTP);
	rig->b_remote.rtcp = at("198.51.100.9:6001");
	rig->b_remote.signalling = at("198.51.100.9:5060");
	path_remote(&rig->a, &rig->a_remote);
	path_remote(&rig->b, &rig->b_remote);
	path_bridge(&rig->a, &rig->b);
	rig->now = 1000000;
	*state = rig;
	return 0;
}

static int stop(void **state)
{
	free(*state);
	return 0;
}

static size_t rtp(struct rig *rig, uint8_t type, uint16_t seq)
{
	uint32_t stamp = 160u * seq;
	uint8_t head[12] = {0x80, type, (uint8_t)(seq >> 8), (uint8_t)seq};

	for (int i = 0; i < 4; i++) {
		head[4 + i] = (uint8_t)(stamp >> (24 - 8 * i));
		head[8 + i] = (uint8_t)((uint32_t)SSRC >> (24 - 8 * i));
	}
	memset(rig->bytes, 0xd5, RTP_BYTES);
	memcpy(rig->bytes, head, sizeof(head));
	return RTP_BYTES;
}

/* A receiver report without blocks, and its SDES with an empty CNAME. */
static size_t rtcp(struct rig *rig, uint32_t ssrc)
{
	uint8_t rr[8] = {0x80, 201, 0, 1};

	for (int i = 0; i < 4; i++)
		rr[4 + i] = (uint8_t)(ssrc >> (24 - 8 * i));
	memcpy(rig->bytes, rr, sizeof(rr));
	return sizeof(rr);
}

static bool walk(struct rig *rig, struct path *in, const char *from, size_t n,
		 bool on_rtcp_port)
{
	struct path_packet pkt = {.bytes = rig->bytes,
				  .n = n,
				  .from = at(from),
				  .now = rig->now,
				  .on_rtcp_port = on_rtcp_port};

	return path_walk(in, &pkt, &rig->hop);
}

static bool speak(struct rig *rig, struct path *in, const char *from)
{
	rig->now += 20;
	return walk(rig, in, from, rtp(rig, PCMA, rig->seq++), false);
}

static struct media_stats stats(const struct path *p)
{
	struct media_stats s;

	path_read_stats(p, &s);
	return s;
}

static void assert_to(const struct rig *rig, const struct path *out,
		      const char *to)
{
	struct addr a = at(to);

	assert_ptr_equal(rig->hop.out, out);
	assert_true(addr_equal(rig->hop.to, &a));
}

static void assert_remote(const struct path *p, const char *text)
{
	struct media_stats s = stats(p);
	struct addr a = at(text);

	assert_true(addr_equal(&s.remote, &a));
}

/* ---- RTP ----------------------------------------------------------------- */

static void accepted_packet_goes_out_at_the_partner(void **state)
{
	struct rig *rig = *state;

	assert_true(speak(rig, &rig->a, PHONE));
	assert_to(rig, &rig->b, B_RTP);
	assert_false(rig->hop.from_rtcp_port);
}

static void phone_behind_nat_is_sent_to_where_it_spoke_from(void **state)
{
	struct rig *rig = *state;

	assert_false(speak(rig, &rig->b, B_RTP)); /* a is not heard yet */
	assert_int_equal(stats(&rig->b).drop_unbridged, 1);
	assert_false(stats(&rig->a).latched);
	speak(rig, &rig->a, PHONE);
	assert_true(speak(rig, &rig->b, B_RTP));
	assert_to(rig, &rig->a, PHONE);
	assert_true(stats(&rig->a).latched);
	assert_remote(&rig->a, PHONE);
}

static void phone_that_sends_from_another_port_is_sent_to_its_sdp(void **state)
{
	struct rig *rig = *state;

	assert_true(speak(rig, &rig->a, PHONE));
	assert_false(speak(rig, &rig->a, "203.0.113.7:9"));
	assert_true(speak(rig, &rig->b, "198.51.100.9:7777"));
	assert_true(speak(rig, &rig->a, PHONE));
	assert_to(rig, &rig->b, B_RTP);
}

static void packets_are_counted_at_both_ends(void **state)
{
	struct rig *rig = *state;
	struct media_stats a, b;

	for (int i = 0; i < 5; i++) {
		assert_true(speak(rig, &rig->a, PHONE));
		path_sent(&rig->hop, RTP_BYTES);
	}
	a = stats(&rig->a);
	b = stats(&rig->b);
	assert_int_equal(a.in_packets, 5);
	assert_int_equal(a.in_bytes, 5 * RTP_BYTES);
	assert_int_equal(a.last_in, rig->now);
	assert_int_equal(b.out_packets, 5);
	assert_int_equal(b.out_bytes, 5 * RTP_BYTES);
	assert_int_equal(a.out_packets + b.in_packets, 0);
}

static void gap_in_the_sequence_is_loss(void **state)
{
	struct rig *rig = *state;

	speak(rig, &rig->a, PHONE);
	rig->seq += 3;
	speak(rig, &rig->a, PHONE);
	assert_int_equal(stats(&rig->a).in_lost, 3);
}

static void payload_type_that_was_not_negotiated_is_dropped(void **state)
{
	struct rig *rig = *state;

	assert_false(walk(rig, &rig->a, PHONE, rtp(rig, 0, 1), false));
	assert_int_equal(stats(&rig->a).drop_payload_type, 1);
	assert_false(stats(&rig->a).latched); /* and teaches nothing */
	assert_true(walk(rig, &rig->a, PHONE, rtp(rig, 101, 2), false));
	assert_true(walk(rig, &rig->a, PHONE, rtp(rig, PCMA | 0x80, 3), false));
}

static void malformed_packet_is_dropped_and_teaches_nothing(void **state)
{
	struct rig *rig = *state;
	size_t n = rtp(rig, PCMA, 1);

	rig->bytes[0] = 0x40; /* version 1 */
	assert_false(walk(rig, &rig->a, PHONE, n, false));
	assert_false(walk(rig, &rig->a, PHONE, 11, false));
	assert_false(walk(rig, &rig->a, PHONE, 0, false));
	assert_int_equal(stats(&rig->a).drop_malformed, 3);
	assert_int_equal(stats(&rig->a).last_in, 0);
	assert_false(stats(&rig->a).latched);
}

static void stranger_is_counted_and_changes_nothing(void **state)
{
	struct rig *rig = *state;
	struct media_stats before, after;

	speak(rig, &rig->a, PHONE);
	before = stats(&rig->a);
	rig->now += 5000;
	for (int i = 0; i < 1000; i++) {
		assert_false(walk(rig, &rig->a, STRANGER,
				  rtp(rig, PCMA, (uint16_t)(rig->seq + i % 50)),
				  false));
		assert_false(
			walk(rig, &rig->a, STRANGER, rtcp(rig, SSRC), i % 2));
	}
	after = stats(&rig->a);
	assert_int_equal(after.drop_stranger, 2000);
	assert_int_equal(after.in_packets, before.in_packets);
	assert_int_equal(after.in_lost, before.in_lost);
	assert_int_equal(after.last_in, before.last_in);
	assert_int_equal(after.rtcp_in, 0);
	assert_remote(&rig->a, PHONE);
	assert_true(speak(rig, &rig->a, PHONE));
	assert_int_equal(stats(&rig->a).in_lost, 0);
}

static void take_over_moves_what_is_sent(void **state)
{
	struct rig *rig = *state;

	speak(rig, &rig->a, PHONE);
	rig->now += 60;
	assert_true(speak(rig, &rig->a, "203.0.113.7:2000"));
	speak(rig, &rig->b, B_RTP);
	assert_to(rig, &rig->a, "203.0.113.7:2000");
	assert_remote(&rig->a, "203.0.113.7:2000");
}

/* ---- what signalling changes --------------------------------------------- */

static void nobody_may_speak_before_the_peer_is_known(void **state)
{
	struct rig *rig = *state;
	struct path fresh = {0};

	assert_false(speak(rig, &fresh, PHONE));
	assert_int_equal(stats(&fresh).drop_stranger, 1);
}

static void unchanged_sdp_keeps_the_latch(void **state)
{
	struct rig *rig = *state;

	speak(rig, &rig->a, PHONE);
	rig->a_remote.signalling = at("203.0.113.99:5060");
	rig->a_remote.send = false;
	path_remote(&rig->a, &rig->a_remote);
	assert_true(stats(&rig->a).latched);
	assert_true(speak(rig, &rig->a, PHONE));
	assert_false(speak(rig, &rig->a, "203.0.113.99:1024"));
}

static void changed_sdp_starts_the_latch_anew(void **state)
{
	struct rig *rig = *state;

	speak(rig, &rig->a, PHONE);
	rig->a_remote.rtp = at("192.168.1.50:4002");
	path_remote(&rig->a, &rig->a_remote);
	assert_false(stats(&rig->a).latched);
	assert_false(speak(rig, &rig->b, B_RTP));
	assert_true(speak(rig, &rig->a, "203.0.113.7:3000"));
}

static void changed_payload_types_start_the_latch_anew(void **state)
{
	struct rig *rig = *state;

	speak(rig, &rig->a, PHONE);
	rig->a_remote.payload_types[0] |= 1;
	path_remote(&rig->a, &rig->a_remote);
	assert_false(stats(&rig->a).latched);
}

static void held_peer_is_heard_but_not_forwarded(void **state)
{
	struct rig *rig = *state;

	rig->a_remote.receive = false;
	path_remote(&rig->a, &rig->a_remote);
	assert_false(speak(rig, &rig->a, PHONE));
	assert_int_equal(stats(&rig->a).last_in, rig->now);
	assert_int_equal(stats(&rig->a).drop_unbridged, 1);
}

static void peer_that_wants_nothing_is_sent_nothing(void **state)
{
	struct rig *rig = *state;

	rig->b_remote.send = false;
	path_remote(&rig->b, &rig->b_remote);
	assert_false(speak(rig, &rig->a, PHONE));
	rig->b_remote.send = true;
	rig->b_remote.rtp = at("0.0.0.0:6000");
	path_remote(&rig->b, &rig->b_remote);
	assert_false(speak(rig, &rig->a, PHONE));
	assert_int_equal(stats(&rig->a).drop_unbridged, 2);
}

static void bridging_anew_lets_both_old_partners_go(void **state)
{
	struct rig *rig = *state;
	struct path c = {0};

	path_remote(&c, &rig->b_remote);
	path_bridge(&rig->a, &c);
	assert_true(speak(rig, &rig->a, PHONE));
	assert_ptr_equal(rig->hop.out, &c);
	assert_null(rig->b.partner);
	path_bridge(&rig->b, &rig->a); /* taken away from the other end */
	assert_null(c.partner);
	path_bridge(&rig->a, NULL);
	assert_null(rig->b.partner);
	assert_false(speak(rig, &rig->a, PHONE));
}

/* ---- RTCP ---------------------------------------------------------------- */

static void rtcp_goes_from_rtcp_port_to_rtcp_port(void **state)
{
	struct rig *rig = *state;

	assert_true(
		walk(rig, &rig->a, "203.0.113.7:1025", rtcp(rig, SSRC), true));
	assert_to(rig, &rig->b, "198.51.100.9:6001");
	assert_true(rig->hop.from_rtcp_port);
	path_sent(&rig->hop, 8);
	assert_int_equal(stats(&rig->a).rtcp_in, 1);
	assert_int_equal(stats(&rig->b).rtcp_out, 1);
	assert_int_equal(stats(&rig->b).out_packets, 0);
}

static void rtcp_is_a_sign_of_life(void **state)
{
	struct rig *rig = *state;

	walk(rig, &rig->a, "203.0.113.7:1025", rtcp(rig, SSRC), true);
	assert_int_equal(stats(&rig->a).last_in, rig->now);
}

static void rtcp_is_sent_to_where_it_came_from(void **state)
{
	struct rig *rig = *state;
	const char *b = "198.51.100.9:6001";

	assert_false(walk(rig, &rig->b, b, rtcp(rig, 1), true));
	walk(rig, &rig->a, "203.0.113.7:1025", rtcp(rig, SSRC), true);
	assert_true(walk(rig, &rig->b, b, rtcp(rig, 1), true));
	assert_to(rig, &rig->a, "203.0.113.7:1025");
}

static void malformed_rtcp_is_dropped_and_teaches_nothing(void **state)
{
	struct rig *rig = *state;
	size_t n = rtp(rig, PCMA, 1);

	assert_false(walk(rig, &rig->a, "203.0.113.7:1025", n, true));
	assert_int_equal(stats(&rig->a).drop_malformed, 1);
	assert_false(rig->a.latch_rtcp.learned);
}

static void rtcp_on_the_rtp_port_is_dropped_without_mux(void **state)
{
	struct rig *rig = *state;

	assert_false(walk(rig, &rig->a, PHONE, rtcp(rig, SSRC), false));
	assert_false(rig->a.latch_rtcp.learned);
	assert_false(rig->a.latch.learned);
}

static void muxed_rtcp_is_parted_for_a_partner_with_two_ports(void **state)
{
	struct rig *rig = *state;

	rig->a_remote.rtcp = rig->a_remote.rtp;
	path_remote(&rig->a, &rig->a_remote);
	speak(rig, &rig->a, PHONE);
	assert_true(walk(rig, &rig->a, PHONE, rtcp(rig, SSRC), false));
	assert_to(rig, &rig->b, "198.51.100.9:6001");
	assert_true(rig->hop.from_rtcp_port);
	assert_true(
		walk(rig, &rig->b, "198.51.100.9:6001", rtcp(rig, 1), true));
	assert_to(rig, &rig->a, PHONE);
	assert_false(rig->hop.from_rtcp_port);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(accepted_packet_goes_out_at_the_partner),
		TEST(phone_behind_nat_is_sent_to_where_it_spoke_from),
		TEST(phone_that_sends_from_another_port_is_sent_to_its_sdp),
		TEST(packets_are_counted_at_both_ends),
		TEST(gap_in_the_sequence_is_loss),
		TEST(payload_type_that_was_not_negotiated_is_dropped),
		TEST(malformed_packet_is_dropped_and_teaches_nothing),
		TEST(stranger_is_counted_and_changes_nothing),
		TEST(take_over_moves_what_is_sent),
		TEST(nobody_may_speak_before_the_peer_is_known),
		TEST(unchanged_sdp_keeps_the_latch),
		TEST(changed_sdp_starts_the_latch_anew),
		TEST(changed_payload_types_start_the_latch_anew),
		TEST(held_peer_is_heard_but_not_forwarded),
		TEST(peer_that_wants_nothing_is_sent_nothing),
		TEST(bridging_anew_lets_both_old_partners_go),
		TEST(rtcp_goes_from_rtcp_port_to_rtcp_port),
		TEST(rtcp_is_a_sign_of_life),
		TEST(rtcp_is_sent_to_where_it_came_from),
		TEST(malformed_rtcp_is_dropped_and_teaches_nothing),
		TEST(rtcp_on_the_rtp_port_is_dropped_without_mux),
		TEST(muxed_rtcp_is_parted_for_a_partner_with_two_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
