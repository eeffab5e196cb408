/*
 * test_rtcp.c - compound RTCP packets that are whole, and those that are not
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after its four: */
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "rtp/rtp.h"

#define SSRC   0xde, 0xad, 0xbe, 0xef
#define SENDER 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 1, 64, 0, 0, 0, 9, 0, 0, 5, 160
#define BLOCK                                                                  \
	0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 4, 0, 0, 0, 0, 2, 9, 9, 9, 9, 0, 0, 0, 0
#define SR_EMPTY   0x80, 200, 0, 6, SSRC, SENDER
#define RR_EMPTY   0x80, 201, 0, 1, SSRC
#define SDES_CNAME 0x81, 202, 0, 3, SSRC, 1, 4, 'a', '@', 'b', 'c', 0, 0
#define CHECK(ssrc, ...)                                                       \
	rtcp_check((const uint8_t[]){__VA_ARGS__},                             \
		   sizeof((const uint8_t[]){__VA_ARGS__}), ssrc)

static uint32_t ssrc;

static void reports_are_good_with_and_without_blocks(void **state)
{
	ssrc = 0;
	assert_int_equal(CHECK(&ssrc, SR_EMPTY), 0);
	assert_int_equal(ssrc, 0xdeadbeef);
	assert_int_equal(CHECK(&ssrc, 0x81, 200, 0, 12, SSRC, SENDER, BLOCK),
			 0);
	assert_int_equal(CHECK(&ssrc, RR_EMPTY), 0);
	assert_int_equal(CHECK(&ssrc, 0x81, 201, 0, 7, SSRC, BLOCK), 0);
}

static void compound_of_report_sdes_and_bye_is_good(void **state)
{
	assert_int_equal(
		CHECK(&ssrc, SR_EMPTY, SDES_CNAME, 0x81, 203, 0, 1, SSRC), 0);
	assert_int_equal(CHECK(&ssrc, RR_EMPTY, SDES_CNAME, 0x81, 203, 0, 3,
			       SSRC, 7, 'g', 'o', 'o', 'd', 'b', 'y', 'e'),
			 0);
}

static void profile_extension_after_the_blocks_is_good(void **state)
{
	assert_int_equal(CHECK(&ssrc, 0x80, 201, 0, 2, SSRC, 1, 2, 3, 4), 0);
}

static void reduced_size_feedback_is_good(void **state)
{
	assert_int_equal(CHECK(&ssrc, 0x81, 206, 0, 2, SSRC, 0, 0, 0, 1), 0);
	assert_int_equal(ssrc, 0xdeadbeef);
	assert_int_equal(
		CHECK(&ssrc, 0x81, 205, 0, 3, SSRC, 0, 0, 0, 1, 0, 9, 0, 0), 0);
}

static void feedback_without_media_source_is_refused(void **state)
{
	assert_int_equal(CHECK(&ssrc, 0x81, 206, 0, 1, SSRC), -EINVAL);
}

static void first_packet_of_another_type_is_refused(void **state)
{
	assert_int_equal(CHECK(&ssrc, SDES_CNAME), -EINVAL);
	assert_int_equal(CHECK(&ssrc, 0x81, 203, 0, 1, SSRC), -EINVAL);
	assert_int_equal(
		CHECK(&ssrc, 0x80, 204, 0, 2, SSRC, 'n', 'a', 'm', 'e'),
		-EINVAL);
	assert_int_equal(CHECK(&ssrc, 0x80, 8, 0, 1, SSRC), -EINVAL);
}

static void packet_cut_anywhere_is_refused(void **state)
{
	static const uint8_t whole[] = {SR_EMPTY, SDES_CNAME};

	for (size_t n = 0; n < sizeof(whole); n++)
		if (n != 28) /* where the report ends */
			assert_int_equal(rtcp_check(whole, n, &ssrc), -EINVAL);
	assert_int_equal(rtcp_check(whole, sizeof(whole), &ssrc), 0);
}

static void bytes_after_the_last_packet_are_refused(void **state)
{
	assert_int_equal(CHECK(&ssrc, RR_EMPTY, 0), -EINVAL);
	assert_int_equal(CHECK(&ssrc, RR_EMPTY, 0, 0, 0, 0), -EINVAL);
}

static void other_versions_are_refused(void **state)
{
	assert_int_equal(CHECK(&ssrc, 0x40, 201, 0, 1, SSRC), -EINVAL);
	assert_int_equal(CHECK(&ssrc, RR_EMPTY, 0xc1, 203, 0, 1, SSRC),
			 -EINVAL);
}

static void more_blocks_than_bytes_are_refused(void **state)
{
	assert_int_equal(CHECK(&ssrc, 0x81, 200, 0, 6, SSRC, SENDER), -EINVAL);
	assert_int_equal(CHECK(&ssrc, 0x9f, 201, 0, 7, SSRC, BLOCK), -EINVAL);
	assert_int_equal(CHECK(&ssrc, 0x80, 200, 0, 1, SSRC), -EINVAL);
	assert_int_equal(CHECK(&ssrc, 0x80, 201, 0, 0), -EINVAL);
}

static void goodbye_beyond_its_packet_is_refused(void **state)
{
	assert_int_equal(CHECK(&ssrc, RR_EMPTY, 0x82, 203, 0, 1, SSRC),
			 -EINVAL);
	/* A reason that says it is longer than it is. */
	assert_int_equal(
		CHECK(&ssrc, RR_EMPTY, 0x81, 203, 0, 2, SSRC, 4, 'a', 'b', 'c'),
		-EINVAL);
	assert_int_equal(CHECK(&ssrc, RR_EMPTY, 0x81, 203, 0, 2, SSRC, 255, 'a',
			       'b', 'c'),
			 -EINVAL);
}

static void padding_ends_the_last_packet_only(void **state)
{
	assert_int_equal(CHECK(&ssrc, 0xa0, 201, 0, 2, SSRC, 0, 0, 0, 4), 0);
	assert_int_equal(
		CHECK(&ssrc, 0xa0, 201, 0, 2, SSRC, 0, 0, 0, 4, SDES_CNAME),
		-EINVAL);
}

static void padding_that_makes_no_sense_is_refused(void **state)
{
	assert_int_equal(CHECK(&ssrc, 0xa0, 201, 0, 2, SSRC, 0, 0, 0, 0),
			 -EINVAL);
	assert_int_equal(CHECK(&ssrc, 0xa0, 201, 0, 2, SSRC, 0, 0, 0, 3),
			 -EINVAL);
	assert_int_equal(CHECK(&ssrc, 0xa0, 201, 0, 2, SSRC, 0, 0, 0, 12),
			 -EINVAL);
	/* It would eat the sender's SSRC. */
	assert_int_equal(CHECK(&ssrc, 0xa0, 201, 0, 2, SSRC, 0, 0, 0, 8),
			 -EINVAL);
	assert_int_equal(CHECK(&ssrc, 0xa0, 201, 0, 0), -EINVAL);
}

static void refused_packet_leaves_the_result_alone(void **state)
{
	ssrc = 5;
	assert_int_equal(CHECK(&ssrc, RR_EMPTY, 0), -EINVAL);
	assert_int_equal(ssrc, 5);
}

static void names_are_overwritten_and_nothing_else(void **state)
{
	uint8_t packet[] = {RR_EMPTY, SDES_CNAME, 0x81, 203, 0,   3,   SSRC, 7,
			    'g',      'o',        'o',  'd', 'b', 'y', 'e'};
	const uint8_t before[] = {RR_EMPTY, SDES_CNAME, 0x81, 203,
				  0,        3,          SSRC, 7};

	rtcp_hide_names(packet, sizeof(packet));
	assert_memory_equal(packet, before, 18);
	assert_memory_not_equal(packet + 18, "a@bc", 4);
	assert_memory_equal(packet + 22, before + 22, sizeof(before) - 22);
	assert_null(memmem(packet, sizeof(packet), "goodbye", 7));
	assert_int_equal(rtcp_check(packet, sizeof(packet), &ssrc), 0);
}

static void a_source_keeps_its_cname_and_two_sources_differ(void **state)
{
	uint8_t one[] = {RR_EMPTY, SDES_CNAME};
	uint8_t again[] = {RR_EMPTY, SDES_CNAME};
	uint8_t other[] = {RR_EMPTY, SDES_CNAME};

	other[12] ^= 1; /* the chunk's SSRC */
	rtcp_hide_names(one, sizeof(one));
	rtcp_hide_names(again, sizeof(again));
	rtcp_hide_names(other, sizeof(other));
	assert_memory_equal(one, again, sizeof(one));
	assert_memory_not_equal(one + 18, other + 18, 4);
}

static void every_item_of_every_chunk_is_overwritten(void **state)
{
	uint8_t packet[] = {RR_EMPTY, 0x82, 202,  0, 8,   SSRC, 1,   2,
			    'm',      'e',  6,    3, 'a', 'b',  'c', 0,
			    0,        0,    SSRC, 2, 6,   's',  'e', 'c',
			    'r',      'e',  't',  0, 0,   0,    0};

	rtcp_hide_names(packet, sizeof(packet));
	assert_null(memmem(packet, sizeof(packet), "me", 2));
	assert_null(memmem(packet, sizeof(packet), "abc", 3));
	assert_null(memmem(packet, sizeof(packet), "secret", 6));
}

/* An item that reaches into the padding must not spoil its count. */
static void padding_behind_names_is_left(void **state)
{
	uint8_t packet[] = {RR_EMPTY, 0xa1, 202, 0, 3, SSRC, 1,
			    6,        'a',  'b', 0, 0, 0,    4};
	const uint8_t padding[] = {0, 0, 4};

	assert_int_equal(rtcp_check(packet, sizeof(packet), &ssrc), 0);
	rtcp_hide_names(packet, sizeof(packet));
	assert_memory_equal(packet + sizeof(packet) - 3, padding, 3);
	assert_int_equal(rtcp_check(packet, sizeof(packet), &ssrc), 0);
}

static void items_that_lie_about_their_length_are_left(void **state)
{
	uint8_t packet[] = {RR_EMPTY, 0x81, 202, 0, 2, SSRC, 1, 200, 'x', 'y'};

	assert_int_equal(rtcp_check(packet, sizeof(packet), &ssrc), 0);
	rtcp_hide_names(packet, sizeof(packet));
	assert_memory_equal(packet + 18, "xy", 2);
}

/* ---- what was received --------------------------------------------------- */

#define ABOUT(ssrc, high, low)                                                 \
	0, 0, 0, ssrc, 0, 0, 0, 1, 0, 1, high, low, 0, 0, 0, 2, 9, 9, 9, 9, 0, \
		0, 0, 0
#define SEQ_OF(about, seq, ...)                                                \
	rtcp_highest_seq((const uint8_t[]){__VA_ARGS__},                       \
			 sizeof((const uint8_t[]){__VA_ARGS__}), about, seq)

static void highest_sequence_is_found_by_its_source(void **state)
{
	uint32_t seq = 0;

	assert_true(SEQ_OF(7, &seq, 0x82, 201, 0, 13, SSRC, ABOUT(6, 4, 0),
			   ABOUT(7, 4, 2)));
	assert_int_equal(seq, 0x10402);
	assert_true(SEQ_OF(7, &seq, 0x81, 200, 0, 12, SSRC, SENDER,
			   ABOUT(7, 4, 3)));
	assert_int_equal(seq, 0x10403);
	assert_true(SEQ_OF(7, &seq, SR_EMPTY, SDES_CNAME, 0x81, 201, 0, 7, SSRC,
			   ABOUT(7, 4, 4)));
	assert_int_equal(seq, 0x10404);
}

static void report_on_others_or_on_nobody_has_none(void **state)
{
	uint32_t seq = 77;

	assert_false(SEQ_OF(7, &seq, RR_EMPTY));
	assert_false(SEQ_OF(7, &seq, SR_EMPTY, SDES_CNAME));
	assert_false(SEQ_OF(7, &seq, 0x81, 201, 0, 7, SSRC, ABOUT(6, 4, 2)));
	/* Not in the sender's own numbers, nor past the count. */
	assert_false(SEQ_OF(7, &seq, 0x80, 201, 0, 7, SSRC, ABOUT(7, 4, 2)));
	assert_int_equal(seq, 77);
}

static void block_that_is_cut_off_is_none(void **state)
{
	static const uint8_t whole[] = {0x81, 201, 0, 7, SSRC, ABOUT(7, 4, 2)};
	uint32_t seq;

	for (size_t n = 0; n < sizeof(whole); n++)
		assert_false(rtcp_highest_seq(whole, n, 7, &seq));
}

static void feedback_alone_is_no_report(void **state)
{
	static const uint8_t nack[] = {0x81, 205, 0, 3, SSRC, 0, 0,
				       0,    1,   0, 9, 0,    0};
	static const uint8_t rr[] = {RR_EMPTY};

	assert_false(rtcp_is_report(nack, sizeof(nack)));
	assert_true(rtcp_is_report(rr, sizeof(rr)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_are_good_with_and_without_blocks),
		cmocka_unit_test(compound_of_report_sdes_and_bye_is_good),
		cmocka_unit_test(profile_extension_after_the_blocks_is_good),
		cmocka_unit_test(reduced_size_feedback_is_good),
		cmocka_unit_test(feedback_without_media_source_is_refused),
		cmocka_unit_test(first_packet_of_another_type_is_refused),
		cmocka_unit_test(packet_cut_anywhere_is_refused),
		cmocka_unit_test(bytes_after_the_last_packet_are_refused),
		cmocka_unit_test(other_versions_are_refused),
		cmocka_unit_test(more_blocks_than_bytes_are_refused),
		cmocka_unit_test(goodbye_beyond_its_packet_is_refused),
		cmocka_unit_test(padding_ends_the_last_packet_only),
		cmocka_unit_test(padding_that_makes_no_sense_is_refused),
		cmocka_unit_test(refused_packet_leaves_the_result_alone),
		cmocka_unit_test(names_are_overwritten_and_nothing_else),
		cmocka_unit_test(
			a_source_keeps_its_cname_and_two_sources_differ),
		cmocka_unit_test(every_item_of_every_chunk_is_overwritten),
		cmocka_unit_test(items_that_lie_about_their_length_are_left),
		cmocka_unit_test(padding_behind_names_is_left),
		cmocka_unit_test(highest_sequence_is_found_by_its_source),
		cmocka_unit_test(report_on_others_or_on_nobody_has_none),
		cmocka_unit_test(block_that_is_cut_off_is_none),
		cmocka_unit_test(feedback_alone_is_no_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
