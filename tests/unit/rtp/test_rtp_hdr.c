/*
 * test_rtp_hdr.c - the RTP header, whole and cut short
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

#define FIXED 0x12, 0x34, 0x00, 0x00, 0x01, 0x40, 0xde, 0xad, 0xbe, 0xef
#define READ(h, ...)                                                           \
	rtp_read(h, (const uint8_t[]){__VA_ARGS__},                            \
		 sizeof((const uint8_t[]){__VA_ARGS__}))

static void fixed_header_is_read(void **state)
{
	struct rtp_hdr h;

	assert_int_equal(READ(&h, 0x80, 0x88, FIXED, 1, 2, 3, 4), 0);
	assert_int_equal(h.payload_type, 8);
	assert_true(h.marker);
	assert_int_equal(h.seq, 0x1234);
	assert_int_equal(h.timestamp, 0x140);
	assert_int_equal(h.ssrc, 0xdeadbeef);
	assert_int_equal(h.header_bytes, 12);
	assert_int_equal(h.payload_bytes, 4);
}

static void empty_payload_is_allowed(void **state)
{
	struct rtp_hdr h;

	assert_int_equal(READ(&h, 0x80, 0x00, FIXED), 0);
	assert_false(h.marker);
	assert_int_equal(h.payload_bytes, 0);
}

static void csrcs_and_extension_belong_to_the_header(void **state)
{
	struct rtp_hdr h;

	assert_int_equal(READ(&h, 0x92, 0x00, FIXED, 0, 0, 0, 1, 0, 0, 0, 2,
			      0xbe, 0xde, 0, 1, 9, 9, 9, 9, 7),
			 0);
	assert_int_equal(h.header_bytes, 12 + 8 + 8);
	assert_int_equal(h.payload_bytes, 1);
}

static void padding_is_no_payload(void **state)
{
	struct rtp_hdr h;

	assert_int_equal(READ(&h, 0xa0, 0x00, FIXED, 5, 5, 0, 0, 3), 0);
	assert_int_equal(h.payload_bytes, 2);
	assert_int_equal(READ(&h, 0xa0, 0x00, FIXED, 0, 0, 3), 0);
	assert_int_equal(h.payload_bytes, 0);
}

static void padding_beyond_the_payload_is_refused(void **state)
{
	struct rtp_hdr h;

	assert_int_equal(READ(&h, 0xa0, 0x00, FIXED), -EINVAL);
	assert_int_equal(READ(&h, 0xa0, 0x00, FIXED, 0), -EINVAL);
	assert_int_equal(READ(&h, 0xa0, 0x00, FIXED, 0, 0, 4), -EINVAL);
}

static void other_versions_are_refused(void **state)
{
	struct rtp_hdr h;

	assert_int_equal(READ(&h, 0x00, 0x00, FIXED), -EINVAL);
	assert_int_equal(READ(&h, 0x40, 0x00, FIXED), -EINVAL);
	assert_int_equal(READ(&h, 0xc0, 0x00, FIXED), -EINVAL);
}

static void packet_cut_anywhere_in_its_header_is_refused(void **state)
{
	static const uint8_t whole[] = {0x91, 0x00, FIXED, 0, 0, 0, 1, 0xbe,
					0xde, 0,    1,     9, 9, 9, 9};
	struct rtp_hdr h;

	for (size_t n = 0; n < sizeof(whole); n++)
		assert_int_equal(rtp_read(&h, whole, n), -EINVAL);
	assert_int_equal(rtp_read(&h, whole, sizeof(whole)), 0);
}

static void extension_longer_than_the_packet_is_refused(void **state)
{
	struct rtp_hdr h;

	assert_int_equal(READ(&h, 0x90, 0x00, FIXED, 0, 0, 0xff, 0xff, 1, 2),
			 -EINVAL);
}

static void refused_packet_leaves_the_result_alone(void **state)
{
	struct rtp_hdr h = {.ssrc = 5};

	assert_int_equal(READ(&h, 0xa0, 0x00, FIXED), -EINVAL);
	assert_int_equal(h.ssrc, 5);
}

/* RFC 5761 4: 192..223 in the second byte, whatever RTP would make of it. */
static void rtcp_is_told_by_its_second_byte(void **state)
{
	assert_true(rtp_is_rtcp((const uint8_t[]){0x80, 192}, 2));
	assert_true(rtp_is_rtcp((const uint8_t[]){0x81, 200}, 2));
	assert_true(rtp_is_rtcp((const uint8_t[]){0x80, 223}, 2));
	assert_false(rtp_is_rtcp((const uint8_t[]){0x80, 191}, 2));
	assert_false(rtp_is_rtcp((const uint8_t[]){0x80, 224}, 2));
	assert_false(rtp_is_rtcp((const uint8_t[]){0x80, 8}, 2));
	assert_false(rtp_is_rtcp((const uint8_t[]){0x00, 200}, 2));
	assert_false(rtp_is_rtcp((const uint8_t[]){0x80}, 1));
	assert_false(rtp_is_rtcp(NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_header_is_read),
		cmocka_unit_test(empty_payload_is_allowed),
		cmocka_unit_test(csrcs_and_extension_belong_to_the_header),
		cmocka_unit_test(padding_is_no_payload),
		cmocka_unit_test(padding_beyond_the_payload_is_refused),
		cmocka_unit_test(other_versions_are_refused),
		cmocka_unit_test(packet_cut_anywhere_in_its_header_is_refused),
		cmocka_unit_test(extension_longer_than_the_packet_is_refused),
		cmocka_unit_test(refused_packet_leaves_the_result_alone),
		cmocka_unit_test(rtcp_is_told_by_its_second_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
