/*
 * test_stun.c - Binding requests and what they get; bytes of RFC 5769
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "screen/screen.h"
#include "screen/stun.h"

#define ID "\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae"
#define OLD_ID                                                                 \
	"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"

/* RFC 5769 2.1. */
static const char sample[] =
	"\x00\x01\x00\x58" ID "\x80\x22\x00\x10STUN test client"
	"\x00\x24\x00\x04\x6e\x00\x01\xff"
	"\x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36"
	"\x00\x06\x00\x09\x65\x76\x74\x6a\x3a\x68\x36\x76\x59\x20\x20\x20"
	"\x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5"
	"\xb2\xd3\xf2\x49\xc1\xb5\x71\xa2"
	"\x80\x28\x00\x04\xe5\x7a\x3b\xcf";
/* RFC 5769 2.2, up to the fingerprint. */
static const char sample_answer[] =
	"\x01\x01\x00\x3c" ID "\x80\x22\x00\x0btest vector\x20"
	"\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43"
	"\x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9"
	"\x2a\xf9\xba\x53\xf0\x6b\xe7\xd7";

static char out[512];
static size_t n_out;

static int ask_from(const char *source, const void *p, size_t n)
{
	struct addr a;
	struct buf b;
	int err;

	assert_int_equal(addr_parse_port(&a, source), 0);
	buf_init(&b, out, sizeof(out));
	err = stun_answer(&b, p, n, &a);
	n_out = err ? 0 : b.n;
	return err;
}

#define SOURCE   "192.0.2.1:32853"
#define ASK(lit) ask_from(SOURCE, lit, sizeof(lit) - 1)
#define EXPECT(lit)                                                            \
	do {                                                                   \
		assert_int_equal(n_out, sizeof(lit) - 1);                      \
		assert_memory_equal(out, lit, sizeof(lit) - 1);                \
	} while (0)

static void the_fingerprints_of_the_rfc_are_right(void **state)
{
	assert_int_equal(stun_fingerprint(sample, sizeof(sample) - 1 - 8),
			 0xe57a3bcf);
	assert_int_equal(
		stun_fingerprint(sample_answer, sizeof(sample_answer) - 1),
		0xc07d4c96);
}

static void a_request_gets_its_source_masked(void **state)
{
	assert_int_equal(ASK("\x00\x01\x00\x00" ID), 0);
	EXPECT("\x01\x01\x00\x0c" ID
	       "\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43");
	assert_int_equal(
		ask_from("[2001:db8:1234:5678:11:2233:4455:6677]:32853",
			 "\x00\x01\x00\x00" ID, 20),
		0);
	EXPECT("\x01\x01\x00\x18" ID
	       "\x00\x20\x00\x14\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1"
	       "\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9");
}

static void an_old_request_gets_its_source_plain(void **state)
{
	assert_int_equal(ASK("\x00\x01\x00\x00" OLD_ID), 0);
	EXPECT("\x01\x01\x00\x0c" OLD_ID
	       "\x00\x01\x00\x08\x00\x01\x80\x55\xc0\x00\x02\x01");
	/* Old clients write "no change" into each first test. */
	assert_int_equal(ASK("\x00\x01\x00\x08" OLD_ID
			     "\x00\x03\x00\x04\x00\x00\x00\x00"),
			 0);
	assert_int_equal(out[1], 1);
}

static void a_fingerprint_is_answered_with_one(void **state)
{
	char request[28] = "\x00\x01\x00\x08" ID "\x80\x28\x00\x04";
	uint32_t crc = stun_fingerprint(request, 20);
	struct cursor c;

	for (int i = 0; i < 4; i++)
		request[24 + i] = (char)(crc >> (24 - 8 * i));
	assert_int_equal(ask_from(SOURCE, request, sizeof(request)), 0);
	assert_int_equal(n_out, 40);
	assert_memory_equal(out, "\x01\x01\x00\x14" ID, 20);
	assert_memory_equal(out + 32, "\x80\x28\x00\x04", 4);
	c = cursor_of(out + 36, 4);
	assert_int_equal(cursor_u32(&c), stun_fingerprint(out, 32));
	/* A wrong one: it was not STUN. */
	request[27] ^= 1;
	assert_int_equal(ask_from(SOURCE, request, sizeof(request)), -EINVAL);
}

static void what_must_be_understood_and_is_not_is_refused(void **state)
{
	assert_int_equal(
		ASK("\x00\x01\x00\x08" ID "\x00\x24\x00\x04\x6e\x00\x01\xff"),
		0);
	EXPECT("\x01\x11\x00\x24" ID
	       "\x00\x09\x00\x18\x00\x00\x04\x14Unknown Attribute(s)"
	       "\x00\x0a\x00\x04\x00\x24\x00\x24");
	assert_true(n_out <= 28 * 5 / 2);
	/* "Answer to a third party", "from another address". */
	assert_int_equal(ASK("\x00\x01\x00\x14" OLD_ID
			     "\x00\x02\x00\x08\x00\x01\x10\x00\xc0\x00\x02\x09"
			     "\x00\x03\x00\x04\x00\x00\x00\x06"),
			 0);
	assert_memory_equal(out, "\x01\x11", 2);
	assert_memory_equal(out + n_out - 8, "\x00\x0a\x00\x04\x00\x02\x00\x03",
			    8);
}

static void the_sample_request_names_a_priority_and_credentials(void **state)
{
	assert_int_equal(ask_from(SOURCE, sample, sizeof(sample) - 1), 0);
	assert_memory_equal(out, "\x01\x11\x00\x2c" ID, 20);
	assert_memory_equal(out + 48, "\x00\x0a\x00\x04\x00\x24\x00\x24", 8);
	assert_memory_equal(out + 56, "\x80\x28\x00\x04", 4);
}

static void many_unknown_attributes_are_told_of_within_bounds(void **state)
{
	char request[20 + 100 * 4] = "\x00\x01\x01\x90" ID;

	for (int i = 0; i < 100; i++)
		memcpy(request + 20 + 4 * i, "\x00\x44\x00\x00", 4);
	assert_int_equal(ask_from(SOURCE, request, sizeof(request)), 0);
	assert_memory_equal(out, "\x01\x11", 2);
	assert_true(n_out <= 20 + 28 + 4 + 16);
}

static void optional_attributes_are_read_over(void **state)
{
	assert_int_equal(ASK("\x00\x01\x00\x0c" ID "\x80\x22\x00\x05"
			     "abcde\0\0\0"),
			 0);
	EXPECT("\x01\x01\x00\x0c" ID
	       "\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43");
}

static void anything_else_gets_silence(void **state)
{
	assert_int_equal(ASK(""), -EINVAL);
	assert_int_equal(ASK("\x00\x01\x00\x00"), -EINVAL);
	assert_int_equal(ASK("\x00\x01\x00\x04" ID), -EINVAL);
	/* Indication, answers, another method. */
	assert_int_equal(ASK("\x00\x11\x00\x00" ID), -EINVAL);
	assert_int_equal(ASK("\x01\x01\x00\x00" ID), -EINVAL);
	assert_int_equal(ASK("\x00\x03\x00\x00" ID), -EINVAL);
	/* Attributes that run past the end, or behind the fingerprint. */
	assert_int_equal(ASK("\x00\x01\x00\x04" ID "\x80\x22\x00\x01"),
			 -EINVAL);
	assert_int_equal(
		ASK("\x00\x01\x00\x08" ID "\x80\x22\xff\xff\x00\x00\x00\x00"),
		-EINVAL);
}

static void a_buffer_too_small_is_told(void **state)
{
	struct addr a;
	struct buf b;

	for (size_t cap = 1; cap < 32; cap++) {
		assert_int_equal(addr_parse_port(&a, SOURCE), 0);
		buf_init(&b, out, cap);
		assert_int_equal(
			stun_answer(&b, (const uint8_t *)"\x00\x01\x00\x00" ID,
				    20, &a),
			-ENOSPC);
	}
}

static void strangers_are_answered_within_their_budget(void **state)
{
	const struct screen_conf conf = {.rate = 10};
	struct screen *screen;
	unsigned answered = 0;
	struct addr a;
	struct buf b;

	assert_int_equal(addr_parse_port(&a, SOURCE), 0);
	assert_int_equal(screen_create(&screen, &conf), 0);
	for (int i = 0; i < 1000; i++) {
		enum screen_verdict v = screen_datagram(
			screen, (const uint8_t *)"\x00\x01\x00\x00" ID, 20, &a,
			1000);

		assert_true(v == SCREEN_STUN || v == SCREEN_RATE);
		buf_init(&b, out, sizeof(out));
		answered += !screen_answer(
			&b, v, (const uint8_t *)"\x00\x01\x00\x00" ID, 20, &a);
	}
	assert_int_equal(answered, 40);
	screen_destroy(screen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fingerprints_of_the_rfc_are_right),
		cmocka_unit_test(a_request_gets_its_source_masked),
		cmocka_unit_test(an_old_request_gets_its_source_plain),
		cmocka_unit_test(a_fingerprint_is_answered_with_one),
		cmocka_unit_test(what_must_be_understood_and_is_not_is_refused),
		cmocka_unit_test(
			the_sample_request_names_a_priority_and_credentials),
		cmocka_unit_test(
			many_unknown_attributes_are_told_of_within_bounds),
		cmocka_unit_test(optional_attributes_are_read_over),
		cmocka_unit_test(anything_else_gets_silence),
		cmocka_unit_test(a_buffer_too_small_is_told),
		cmocka_unit_test(strangers_are_answered_within_their_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
