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
		assert_false(
			walk(rig, &rig->a, STRANGER,
			     rtp(rig, PCMA, (uint16_t)(rig->seq + 60 + i % 50)),
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

static void rtcp_is_a_sign_of_life_but_no_audio(void **state)
{
	struct rig *rig = *state;

	walk(rig, &rig->a, "203.0.113.7:1025", rtcp(rig, SSRC), true);
	assert_int_equal(stats(&rig->a).last_in, rig->now);
	assert_int_equal(stats(&rig->a).last_rtp, 0);
	speak(rig, &rig->a, PHONE);
	assert_int_equal(stats(&rig->a).last_rtp, rig->now);
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

/* ---- take-over ----------------------------------------------------------- */

static void new_address_is_followed_both_ways_and_counted(void **state)
{
	struct rig *rig = *state;
	const char *moved = "192.0.2.200:3000";

	speak(rig, &rig->a, PHONE);
	rig->now += 480;
	assert_false(speak(rig, &rig->a, moved));
	assert_false(speak(rig, &rig->a, moved));
	assert_true(speak(rig, &rig->a, moved));
	assert_to(rig, &rig->b, B_RTP);
	assert_true(speak(rig, &rig->b, B_RTP));
	assert_to(rig, &rig->a, moved);
	assert_remote(&rig->a, moved);
	assert_int_equal(stats(&rig->a).moves, 1);
	assert_int_equal(stats(&rig->a).in_lost, 2);
}

static void first_source_is_no_move(void **state)
{
	struct rig *rig = *state;

	speak(rig, &rig->a, PHONE);
	assert_int_equal(stats(&rig->a).moves, 0);
}

/* Its SDP named the mapping of its NAT, which the NAT has given up. */
static void symmetric_phone_is_followed_to_its_new_port(void **state)
{
	struct rig *rig = *state;

	speak(rig, &rig->b, B_RTP);
	rig->now += 60;
	assert_false(rig->b.rule.behind_nat);
	speak(rig, &rig->b, "198.51.100.9:7777");
	assert_remote(&rig->b, "198.51.100.9:7777");
	path_remote(&rig->b, &rig->b_remote); /* a re-INVITE changes nothing */
	assert_remote(&rig->b, "198.51.100.9:7777");
}

static void asymmetric_phone_may_change_the_port_it_sends_from(void **state)
{
	struct rig *rig = *state;

	speak(rig, &rig->b, "198.51.100.9:7777");
	rig->now += 60;
	speak(rig, &rig->b, "198.51.100.9:7779");
	assert_int_equal(stats(&rig->b).moves, 1);
	assert_remote(&rig->b, B_RTP);
}

static void rtcp_is_not_sent_to_a_host_that_rtp_has_left(void **state)
{
	struct rig *rig = *state;

	speak(rig, &rig->a, PHONE);
	walk(rig, &rig->a, "203.0.113.7:1025", rtcp(rig, SSRC), true);
	rig->now += 500;
	for (int i = 0; i < 3; i++)
		speak(rig, &rig->a, "192.0.2.200:3000");
	assert_false(
		walk(rig, &rig->b, "198.51.100.9:6001", rtcp(rig, 1), true));
	assert_true(
		walk(rig, &rig->a, "192.0.2.200:3001", rtcp(rig, SSRC), true));
	assert_true(
		walk(rig, &rig->b, "198.51.100.9:6001", rtcp(rig, 1), true));
	assert_to(rig, &rig->a, "192.0.2.200:3001");
}

/* ---- media from a third host --------------------------------------------- */

static void stream_of_a_third_host_is_refused_and_told(void **state)
{
	struct rig *rig = *state;

	assert_false(speak(rig, &rig->a, STRANGER));
	assert_false(speak(rig, &rig->a, STRANGER));
	assert_false(stats(&rig->a).other_host);
	assert_false(speak(rig, &rig->a, STRANGER));
	assert_true(stats(&rig->a).other_host);
	assert_false(stats(&rig->a).latched);
	assert_true(speak(rig, &rig->a, PHONE)); /* it was a stranger's */
	assert_false(stats(&rig->a).other_host);
}

static void probes_are_no_stream_of_a_third_host(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < 9; i++)
		walk(rig, &rig->a, STRANGER, rtp(rig, PCMA, (uint16_t)(i * 7)),
		     false);
	assert_false(stats(&rig->a).other_host);
}

static void types_not_negotiated_are_no_stream_of_a_third_host(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < 9; i++)
		walk(rig, &rig->a, STRANGER, rtp(rig, 0, (uint16_t)i), false);
	assert_false(stats(&rig->a).other_host);
}

static void open_latch_takes_a_third_host(void **state)
{
	struct rig *rig = *state;

	path_open_latch(&rig->a, true);
	assert_true(speak(rig, &rig->a, STRANGER));
	assert_true(stats(&rig->a).latched);
	assert_false(stats(&rig->a).other_host);
}

/* ---- where we send is deaf ----------------------------------------------- */

#define B_OTHER "198.51.100.9:7777"

/* b sends from another port than its SDP says, and a speaks to it. */
static void start_asymmetric(struct rig *rig)
{
	speak(rig, &rig->a, PHONE);
	speak(rig, &rig->b, B_OTHER);
	assert_true(speak(rig, &rig->a, PHONE));
	assert_to(rig, &rig->b, B_RTP);
}

/* ICMP of @to that quotes what a said @back packets ago. */
static void refuse(struct rig *rig, struct path *p, const char *to,
		   unsigned back, size_t n)
{
	struct addr a = at(to);

	rtp(rig, PCMA, (uint16_t)(rig->a.latch.seq - back));
	path_refused(p, &a, rig->bytes, n, rig->now);
}

static void two_icmp_errors_turn_to_the_other_address(void **state)
{
	struct rig *rig = *state;

	start_asymmetric(rig);
	refuse(rig, &rig->b, B_RTP, 0, 64);
	rig->now += 199;
	refuse(rig, &rig->b, B_RTP, 0, 64);
	assert_remote(&rig->b, B_RTP);
	rig->now += 1;
	refuse(rig, &rig->b, B_RTP, 0, 12);
	assert_remote(&rig->b, B_OTHER);
	assert_int_equal(stats(&rig->b).refused, 3);
	assert_int_equal(stats(&rig->b).flips, 1);
	assert_true(speak(rig, &rig->a, PHONE));
	assert_to(rig, &rig->b, B_OTHER);
}

static void phone_behind_nat_that_listens_at_its_sdp_is_found(void **state)
{
	struct rig *rig = *state;

	rig->b_remote.behind_nat = true;
	path_remote(&rig->b, &rig->b_remote);
	speak(rig, &rig->a, PHONE);
	speak(rig, &rig->b, B_OTHER);
	assert_remote(&rig->b, B_OTHER);
	refuse(rig, &rig->b, B_OTHER, 0, 64);
	rig->now += 1000;
	refuse(rig, &rig->b, B_OTHER, 0, 64);
	assert_remote(&rig->b, B_RTP);
}

static void errors_far_apart_are_not_two(void **state)
{
	struct rig *rig = *state;

	start_asymmetric(rig);
	for (int i = 0; i < 5; i++) {
		refuse(rig, &rig->b, B_RTP, 0, 64);
		rig->now += 5001;
	}
	assert_remote(&rig->b, B_RTP);
}

/* Forged or late: none of these may turn a stream. */
static void icmp_error_must_be_about_what_we_send_now(void **state)
{
	struct rig *rig = *state;

	start_asymmetric(rig);
	rig->seq += 200;
	speak(rig, &rig->a, PHONE);
	for (int i = 0; i < 50; i++) {
		struct addr to = at(B_RTP);

		rig->now += 200;
		refuse(rig, &rig->b, B_OTHER, 0, 64);    /* not where */
		refuse(rig, &rig->b, STRANGER, 0, 64);   /* not where */
		refuse(rig, &rig->b, B_RTP, 101, 64);    /* long ago */
		refuse(rig, &rig->b, B_RTP, 0xffff, 64); /* not yet */
		refuse(rig, &rig->b, B_RTP, 0, 11);      /* who knows */
		refuse(rig, &rig->b, B_RTP, 0, 0);
		rtp(rig, PCMA, rig->a.latch.seq);
		rig->bytes[11] ^= 1; /* another SSRC */
		path_refused(&rig->b, &to, rig->bytes, 64, rig->now);
	}
	assert_remote(&rig->b, B_RTP);
	assert_int_equal(stats(&rig->b).refused, 0);
}

static void phone_behind_nat_has_no_other_address(void **state)
{
	struct rig *rig = *state;

	start_asymmetric(rig);
	speak(rig, &rig->b, B_OTHER);
	for (int i = 0; i < 20; i++) {
		struct addr to = at(PHONE);

		rig->now += 200;
		rtp(rig, PCMA, rig->b.latch.seq);
		path_refused(&rig->a, &to, rig->bytes, 64, rig->now);
	}
	assert_remote(&rig->a, PHONE);
	assert_int_equal(stats(&rig->a).refused, 20);
	assert_int_equal(stats(&rig->a).flips, 0);
}

static void turns_are_bounded(void **state)
{
	struct rig *rig = *state;

	start_asymmetric(rig);
	for (int i = 0; i < 100; i++) {
		rig->now += 200;
		refuse(rig, &rig->b, B_RTP, 0, 64);
		refuse(rig, &rig->b, B_OTHER, 0, 64);
	}
	assert_int_equal(stats(&rig->b).flips, 4);
}

static void new_sdp_begins_with_its_address_again(void **state)
{
	struct rig *rig = *state;

	two_icmp_errors_turn_to_the_other_address(state);
	rig->b_remote.rtp = at("198.51.100.9:6002");
	path_remote(&rig->b, &rig->b_remote);
	speak(rig, &rig->b, B_OTHER);
	assert_remote(&rig->b, "198.51.100.9:6002");
}

/* A report of @by on a's stream: that @highest came, or without block. */
static bool report(struct rig *rig, const char *by, long highest)
{
	size_t n = rtcp(rig, 0xb0b);
	uint8_t block[24] = {0, 0, SSRC >> 8, SSRC & 0xff};

	if (highest >= 0) {
		rig->bytes[0]++;
		rig->bytes[3] += 6;
		block[10] = (uint8_t)(highest >> 8);
		block[11] = (uint8_t)highest;
		memcpy(rig->bytes + n, block, sizeof(block));
		n += sizeof(block);
	}
	return walk(rig, &rig->b, by, n, true);
}

/* a speaks to b for half a second. */
static void speak_on(struct rig *rig)
{
	for (int i = 0; i < 25; i++) {
		assert_true(speak(rig, &rig->a, PHONE));
		path_sent(&rig->hop, RTP_BYTES);
	}
}

static const struct {
	const char *why;
	long highest[4]; /* in each report; -1 = no block */
	bool spoken, turns;
} reports[] = {
	{"receives all", {25, 50, 75, 100}, true, false},
	{"receives some", {1, 2, 3, 4}, true, false},
	{"one report behind", {25, 25, 75, 75}, true, false},
	{"stuck", {25, 25, 25, 25}, true, true},
	{"nothing", {-1, -1, -1, -1}, true, true},
	{"stopped", {25, 50, 50, 50}, true, true},
	{"nothing, at first", {-1, 50, -1, 100}, true, false},
	{"nothing was sent", {-1, -1, -1, -1}, false, false},
	{"stuck, nothing was sent", {25, 25, 25, 25}, false, false},
};

static void reports_follow_the_table(void **state)
{
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
		bool turned = false;

		*rig = (struct rig){.a_remote = rig->a_remote,
				    .b_remote = rig->b_remote,
				    .now = 1000000};
		path_remote(&rig->a, &rig->a_remote);
		path_remote(&rig->b, &rig->b_remote);
		path_bridge(&rig->a, &rig->b);
		start_asymmetric(rig);
		for (int k = 0; k < 4 && !turned; k++) {
			if (reports[i].spoken)
				speak_on(rig);
			report(rig, "198.51.100.9:6001", reports[i].highest[k]);
			turned = stats(&rig->b).flips;
		}
		if (turned != reports[i].turns)
			fail_msg("%s", reports[i].why);
	}
}

static void report_of_another_host_than_rtp_turns_nothing(void **state)
{
	struct rig *rig = *state;

	rig->b_remote.rtcp = at("198.51.100.10:6001");
	path_remote(&rig->b, &rig->b_remote);
	start_asymmetric(rig);
	for (int i = 0; i < 5; i++) {
		speak_on(rig);
		assert_false(report(rig, "198.51.100.10:6001", -1));
		report(rig, STRANGER, -1);
	}
	assert_int_equal(stats(&rig->b).rtcp_in, 5);
	assert_int_equal(stats(&rig->b).flips, 0);
}

/* ---- both wait ----------------------------------------------------------- */

/* Both public, nobody speaks. */
static void start_waiting(struct rig *rig, struct media_filler filler)
{
	rig->a_remote.rtp = at("203.0.113.7:4000");
	rig->a_remote.filler = rig->b_remote.filler = filler;
	path_remote(&rig->a, &rig->a_remote);
	path_remote(&rig->b, &rig->b_remote);
}

static size_t pierce(struct rig *rig, struct path *p)
{
	size_t n = 0;

	if (path_pierce(p, rig->bytes, &n, &rig->hop))
		path_sent(&rig->hop, n);
	return n;
}

static void filler_is_a_packet_of_silence(void **state)
{
	struct rig *rig = *state;
	struct rtp_hdr first, second;

	start_waiting(rig, (struct media_filler){PCMA, 0xd5, 160});
	assert_true(path_is_waiting(&rig->b));
	assert_int_equal(pierce(rig, &rig->b), RTP_BYTES);
	assert_to(rig, &rig->b, B_RTP);
	assert_false(rig->hop.from_rtcp_port);
	assert_int_equal(rtp_read(&first, rig->bytes, RTP_BYTES), 0);
	assert_int_equal(first.payload_type, PCMA);
	assert_int_equal(first.payload_bytes, 160);
	for (int i = 12; i < RTP_BYTES; i++)
		assert_int_equal(rig->bytes[i], 0xd5);
	pierce(rig, &rig->b);
	assert_int_equal(rtp_read(&second, rig->bytes, RTP_BYTES), 0);
	assert_int_equal(second.ssrc, first.ssrc);
	assert_int_equal((uint16_t)(second.seq - first.seq), 1);
	assert_int_equal(second.timestamp - first.timestamp, 1600);
	assert_int_equal(stats(&rig->b).pierced, 2);
	assert_int_equal(stats(&rig->b).out_packets, 0);
}

static void filler_may_be_empty(void **state)
{
	struct rig *rig = *state;
	struct rtp_hdr h;

	start_waiting(rig, (struct media_filler){101, 0, 0});
	assert_int_equal(pierce(rig, &rig->a), 12);
	assert_int_equal(rtp_read(&h, rig->bytes, 12), 0);
	assert_int_equal(h.payload_type, 101);
}

static void fillers_end_when_the_peer_is_heard(void **state)
{
	struct rig *rig = *state;

	start_waiting(rig, (struct media_filler){PCMA, 0xd5, 160});
	assert_int_equal(pierce(rig, &rig->b), RTP_BYTES);
	speak(rig, &rig->b, B_RTP);
	assert_false(path_is_waiting(&rig->b));
	assert_int_equal(pierce(rig, &rig->b), 0);
}

static void no_filler_beside_what_is_relayed(void **state)
{
	struct rig *rig = *state;

	start_waiting(rig, (struct media_filler){PCMA, 0xd5, 160});
	speak_on(rig);
	assert_int_equal(pierce(rig, &rig->b), 0);
	assert_int_equal(pierce(rig, &rig->b), RTP_BYTES);
}

static unsigned count_fillers(struct rig *rig, struct path *p)
{
	unsigned n = 0;

	for (int i = 0; i < 100 && path_is_waiting(p); i++)
		n += pierce(rig, p) > 0;
	return n;
}

static void fillers_are_bounded(void **state)
{
	struct rig *rig = *state;

	start_waiting(rig, (struct media_filler){PCMA, 0xd5, 160});
	assert_int_equal(count_fillers(rig, &rig->b), 25);
	assert_int_equal(count_fillers(rig, &rig->b), 0);
}

/* Early media was silent all through the ringing, and now it is answered. */
static void signalling_begins_the_fillers_anew(void **state)
{
	struct rig *rig = *state;
	uint32_t ssrc;

	start_waiting(rig, (struct media_filler){PCMA, 0xd5, 160});
	assert_int_equal(count_fillers(rig, &rig->b), 25);
	ssrc = rig->b.pierce.ssrc;
	path_remote(&rig->b, &rig->b_remote);
	assert_int_equal(count_fillers(rig, &rig->b), 25);
	assert_int_equal(rig->b.pierce.ssrc, ssrc);
	speak(rig, &rig->b, B_RTP);
	path_remote(&rig->b, &rig->b_remote);
	assert_int_equal(count_fillers(rig, &rig->b), 0);
}

static const struct {
	const char *why, *rtp;
	uint8_t type;
	bool send, bridged, waits;
} waits[] = {
	{"public", "198.51.100.9:6000", PCMA, true, true, true},
	{"behind NAT, nowhere to send", "10.9.9.9:6000", PCMA, true, true,
	 false},
	{"held", "0.0.0.0:6000", PCMA, true, true, false},
	{"wants nothing", "198.51.100.9:6000", PCMA, false, true, false},
	{"nobody to relay for", "198.51.100.9:6000", PCMA, true, false, false},
	{"type not negotiated", "198.51.100.9:6000", 0, true, true, false},
	{"no type at all", "198.51.100.9:6000", 255, true, true, false},
};

static void who_waits_follows_the_table(void **state)
{
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		struct media_remote r = rig->b_remote;
		struct path p = {0}, partner = {0};

		r.rtp = at(waits[i].rtp);
		r.send = waits[i].send;
		r.filler.type = waits[i].type;
		path_remote(&p, &r);
		if (waits[i].bridged)
			path_bridge(&p, &partner);
		if (path_is_waiting(&p) != waits[i].waits)
			fail_msg("%s", waits[i].why);
	}
}

/* ---- what is no RTP ------------------------------------------------------- */

static void make_raw(struct rig *rig)
{
	rig->a_remote.raw = rig->b_remote.raw = true;
	path_remote(&rig->a, &rig->a_remote);
	path_remote(&rig->b, &rig->b_remote);
}

static bool fax(struct rig *rig, struct path *in, const char *from)
{
	rig->now += 20;
	memcpy(rig->bytes, "\0\1\6fax", 6);
	return walk(rig, in, from, 6, false);
}

static void datagrams_without_rtp_cross_as_they_are(void **state)
{
	struct rig *rig = *state;

	make_raw(rig);
	assert_true(fax(rig, &rig->a, PHONE));
	assert_to(rig, &rig->b, B_RTP);
	assert_memory_equal(rig->bytes, "\0\1\6fax", 6);
	assert_true(fax(rig, &rig->b, B_RTP));
	assert_to(rig, &rig->a, PHONE);
	assert_int_equal(stats(&rig->a).in_packets, 1);
	assert_int_equal(stats(&rig->a).in_bytes, 6);
}

static void nobody_but_the_named_host_begins_a_raw_stream(void **state)
{
	struct rig *rig = *state;

	make_raw(rig);
	assert_false(fax(rig, &rig->a, STRANGER));
	assert_int_equal(stats(&rig->a).drop_stranger, 1);
	assert_false(stats(&rig->a).latched);
}

static void raw_stream_moves_to_a_port_of_its_host_after_a_silence(void **state)
{
	struct rig *rig = *state;

	make_raw(rig);
	assert_true(fax(rig, &rig->a, PHONE));
	assert_false(fax(rig, &rig->a, "203.0.113.7:2048"));
	rig->now += 500;
	assert_true(fax(rig, &rig->a, "203.0.113.7:2048"));
	assert_remote(&rig->a, "203.0.113.7:2048");
	rig->now += 60000;
	assert_false(fax(rig, &rig->a, STRANGER));
}

static void raw_and_rtp_do_not_mix(void **state)
{
	struct rig *rig = *state;

	assert_true(speak(rig, &rig->a, PHONE));
	rig->a_remote.raw = true;
	path_remote(&rig->a, &rig->a_remote);
	assert_false(stats(&rig->a).latched);
	assert_false(fax(rig, &rig->a, PHONE));
	assert_false(speak(rig, &rig->b, B_RTP));
	assert_int_equal(stats(&rig->a).drop_unbridged, 1);
	assert_int_equal(stats(&rig->b).drop_unbridged, 1);
}

static void
raw_streams_take_nothing_on_the_rtcp_port_and_nothing_empty(void **state)
{
	struct rig *rig = *state;

	make_raw(rig);
	assert_false(walk(rig, &rig->a, PHONE, 6, true));
	assert_false(walk(rig, &rig->a, PHONE, 0, false));
	assert_int_equal(stats(&rig->a).drop_malformed, 2);
}

static void icmp_error_may_quote_a_filler(void **state)
{
	struct rig *rig = *state;
	struct addr to = at(B_RTP);

	start_waiting(rig, (struct media_filler){PCMA, 0xd5, 160});
	path_refused(&rig->b, &to, rig->bytes, 64, rig->now);
	pierce(rig, &rig->b);
	path_refused(&rig->b, &to, rig->bytes, 64, rig->now);
	assert_int_equal(stats(&rig->b).refused, 1);
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
		TEST(rtcp_is_a_sign_of_life_but_no_audio),
		TEST(rtcp_is_sent_to_where_it_came_from),
		TEST(malformed_rtcp_is_dropped_and_teaches_nothing),
		TEST(rtcp_on_the_rtp_port_is_dropped_without_mux),
		TEST(muxed_rtcp_is_parted_for_a_partner_with_two_ports),
		TEST(new_address_is_followed_both_ways_and_counted),
		TEST(first_source_is_no_move),
		TEST(symmetric_phone_is_followed_to_its_new_port),
		TEST(asymmetric_phone_may_change_the_port_it_sends_from),
		TEST(rtcp_is_not_sent_to_a_host_that_rtp_has_left),
		TEST(stream_of_a_third_host_is_refused_and_told),
		TEST(probes_are_no_stream_of_a_third_host),
		TEST(types_not_negotiated_are_no_stream_of_a_third_host),
		TEST(open_latch_takes_a_third_host),
		TEST(two_icmp_errors_turn_to_the_other_address),
		TEST(phone_behind_nat_that_listens_at_its_sdp_is_found),
		TEST(errors_far_apart_are_not_two),
		TEST(icmp_error_must_be_about_what_we_send_now),
		TEST(phone_behind_nat_has_no_other_address),
		TEST(turns_are_bounded),
		TEST(new_sdp_begins_with_its_address_again),
		TEST(reports_follow_the_table),
		TEST(report_of_another_host_than_rtp_turns_nothing),
		TEST(filler_is_a_packet_of_silence),
		TEST(filler_may_be_empty),
		TEST(fillers_end_when_the_peer_is_heard),
		TEST(no_filler_beside_what_is_relayed),
		TEST(fillers_are_bounded),
		TEST(signalling_begins_the_fillers_anew),
		TEST(who_waits_follows_the_table),
		TEST(datagrams_without_rtp_cross_as_they_are),
		TEST(nobody_but_the_named_host_begins_a_raw_stream),
		TEST(raw_stream_moves_to_a_port_of_its_host_after_a_silence),
		TEST(raw_and_rtp_do_not_mix),
		TEST(raw_streams_take_nothing_on_the_rtcp_port_and_nothing_empty),
		TEST(icmp_error_may_quote_a_filler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
