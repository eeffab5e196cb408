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

	if (!latch_may_speak(&rig->latch, &rig->rule, &a))
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

	rig.now += 499;
	for (int i = 1; i < 10; i++)
		assert_int_equal(hear(&rig, "192.168.1.50:4000", number(i)),
				 LATCH_STRANGER);
	rig.now += 1;
	assert_int_equal(hear(&rig, "192.168.1.50:4000", number(10)),
			 LATCH_STRANGER);
	assert_int_equal(hear(&rig, "192.168.1.50:4000", number(11)),
			 LATCH_STRANGER);
	assert_int_equal(hear(&rig, "192.168.1.50:4000", number(12)),
			 LATCH_LEARNED);
	assert_source(&rig, "192.168.1.50:4000");
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

static void unknown_address_never_takes_over(void **state)
{
	struct rig rig = latched();

	rig.now += 5000;
	for (int i = 1; i <= 50; i++)
		assert_int_equal(hear(&rig, "198.51.100.66:1024", number(i)),
				 LATCH_STRANGER);
	assert_source(&rig, "203.0.113.7:1024");
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
		cmocka_unit_test(unknown_address_never_takes_over),
		cmocka_unit_test(
			open_latch_asks_a_new_address_for_the_same_proof),
		cmocka_unit_test(rtcp_is_learned_by_the_same_hosts),
		cmocka_unit_test(rtcp_never_moves_rtp),
		cmocka_unit_test(rtcp_moves_with_its_ssrc_after_500_ms),
		cmocka_unit_test(rtcp_host_of_sdp_may_be_its_own),
		cmocka_unit_test(open_rtcp_follows_the_host_of_rtp),
		cmocka_unit_test(target_follows_the_table),
		cmocka_unit_test(target_of_an_unset_sdp_is_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
