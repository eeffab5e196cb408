/*
 * test_answer.c - answers made of the raw bytes of a bad request
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

#include "screen/screen.h"

#define IDS                                                                    \
	"From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>;tag=2\r\n" \
	"Call-ID: c1\r\nCSeq: 1 OPTIONS\r\n"
#define LINE "OPTIONS sip:b@example.com SIP/7.0\r\n"
#define END  "Content-Length: 0\r\n\r\n"

static char text[4096];

static int answer_from(const char *host, enum screen_verdict verdict,
		       const char *request, size_t n)
{
	struct addr source;
	struct buf out;

	assert_int_equal(addr_parse(&source, host, strlen(host), 4711), 0);
	buf_init(&out, text, sizeof(text));
	return screen_answer(&out, verdict, (const uint8_t *)request, n,
			     &source);
}

static int answer(enum screen_verdict verdict, const char *request)
{
	return answer_from("192.0.2.7", verdict, request, strlen(request));
}

static void headers_that_match_the_transaction_are_copied(void **state)
{
	assert_int_equal(answer(SCREEN_VERSION,
				LINE "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"
				     "Subject: not copied\r\n" IDS "\r\nbody"),
			 0);
	assert_string_equal(
		text,
		"SIP/2.0 505 Version Not Supported\r\n"
		"Via: SIP/2.0/UDP h;branch=z9hG4bK1;received=192.0.2.7\r\n" IDS
			END);
}

static void each_verdict_has_its_status(void **state)
{
	static const char request[] = LINE "Via: SIP/2.0/UDP h\r\n" IDS "\r\n";

	assert_int_equal(answer(SCREEN_MALFORMED, request), 0);
	assert_memory_equal(text, "SIP/2.0 400 ", 12);
	assert_int_equal(answer(SCREEN_METHOD, request), 0);
	assert_memory_equal(text, "SIP/2.0 501 ", 12);
	assert_int_equal(answer(SCREEN_VERSION, request), 0);
	assert_memory_equal(text, "SIP/2.0 505 ", 12);
}

static void other_verdicts_have_no_answer(void **state)
{
	static const char request[] = LINE "Via: SIP/2.0/UDP h\r\n" IDS "\r\n";

	assert_int_equal(answer(SCREEN_PASS, request), -EINVAL);
	assert_int_equal(answer(SCREEN_SHAPE, request), -EINVAL);
	assert_int_equal(answer(SCREEN_SCANNER, request), -EINVAL);
	assert_int_equal(answer(SCREEN_RATE, request), -EINVAL);
	assert_int_equal(answer(SCREEN_KEEPALIVE, request), -EINVAL);
}

static void rport_is_filled_in_place(void **state)
{
	assert_int_equal(answer(SCREEN_VERSION,
				LINE "v: SIP/2.0/UDP h;rport;branch=1\r\n" IDS
				     "\r\n"),
			 0);
	assert_non_null(strstr(text, "Via: SIP/2.0/UDP h;rport=4711;branch=1"
				     ";received=192.0.2.7\r\n"));
}

static void ipv6_source_is_told_without_brackets(void **state)
{
	static const char request[] = LINE "v: SIP/2.0/UDP h\r\n" IDS "\r\n";

	assert_int_equal(answer_from("2001:db8::7", SCREEN_VERSION, request,
				     sizeof(request) - 1),
			 0);
	assert_non_null(strstr(text, ";received=2001:db8::7\r\n"));
}

static void all_vias_stay_in_order_and_only_the_first_is_marked(void **state)
{
	assert_int_equal(answer(SCREEN_VERSION,
				LINE "v: SIP/2.0/UDP h1,SIP/2.0/UDP h2\r\n" IDS
				     "Via: SIP/2.0/UDP h3\r\n\r\n"),
			 0);
	assert_non_null(strstr(text,
			       "Via: SIP/2.0/UDP h1;received=192.0.2.7,"
			       "SIP/2.0/UDP h2\r\nVia: SIP/2.0/UDP h3\r\n"));
}

static void tag_is_added_to_a_to_without_one(void **state)
{
	const char *tag;

	assert_int_equal(answer(SCREEN_VERSION, LINE
				"v: SIP/2.0/UDP h\r\nf: <sip:a@h>;tag=1\r\n"
				"t: \"x;tag=9\" <sip:b@h;tag=8>\r\ni: 1\r\n"
				"CSeq: 1 X\r\n\r\n"),
			 0);
	tag = strstr(text, "To: \"x;tag=9\" <sip:b@h;tag=8>;tag=");
	assert_non_null(tag);
	assert_int_equal(strcspn(strstr(tag, ">;tag="), "\r"), 6 + 16);
}

static void folded_and_dirty_values_come_out_clean(void **state)
{
	static const char request[] =
		LINE "v: SIP/2.0/UDP\r\n h\r\nf: \"\\\0\\\x07\" <sip:a@h>\r\n"
		     "t: <sip:b@h>\r\n ;tag=2\r\ni: 1\rX-Evil: 2\r\n"
		     "CSeq: 1 X\r\n\r\n";

	assert_int_equal(answer_from("192.0.2.7", SCREEN_MALFORMED, request,
				     sizeof(request) - 1),
			 0);
	assert_non_null(strstr(text, "From: \"\\ \\ \" <sip:a@h>\r\n"
				     "To: <sip:b@h>   ;tag=2\r\n"
				     "Call-ID: 1 X-Evil: 2\r\n"));
}

static void request_that_lacks_a_header_gets_no_answer(void **state)
{
	assert_int_equal(answer(SCREEN_VERSION, LINE IDS "\r\n"), -EINVAL);
	assert_int_equal(answer(SCREEN_VERSION,
				LINE "v: SIP/2.0/UDP h\r\nf: a\r\nt: b\r\n"
				     "i: c\r\n\r\n"),
			 -EINVAL);
	assert_int_equal(
		answer(SCREEN_VERSION, LINE "v: SIP/2.0/UDP h\r\n" IDS),
		-EINVAL);
}

static void answer_is_hardly_longer_than_the_request(void **state)
{
	static const char request[] =
		"X sip:h SIP/3.0\r\nv: SIP/2.0/UDP h\r\nf: a\r\nt: b\r\n"
		"i: c\r\nCSeq: 1 X\r\n\r\n";

	assert_int_equal(answer(SCREEN_VERSION, request), 0);
	assert_in_range(strlen(text), 1, sizeof(request) + 300);
}

static void too_small_a_buffer_is_told(void **state)
{
	static const char request[] = LINE "v: SIP/2.0/UDP h\r\n" IDS "\r\n";
	struct addr source;
	struct buf out;

	addr_parse(&source, "192.0.2.7", 9, 1);
	buf_init(&out, text, 60);
	assert_int_equal(screen_answer(&out, SCREEN_VERSION,
				       (const uint8_t *)request,
				       sizeof(request) - 1, &source),
			 -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_that_match_the_transaction_are_copied),
		cmocka_unit_test(each_verdict_has_its_status),
		cmocka_unit_test(other_verdicts_have_no_answer),
		cmocka_unit_test(rport_is_filled_in_place),
		cmocka_unit_test(ipv6_source_is_told_without_brackets),
		cmocka_unit_test(
			all_vias_stay_in_order_and_only_the_first_is_marked),
		cmocka_unit_test(tag_is_added_to_a_to_without_one),
		cmocka_unit_test(folded_and_dirty_values_come_out_clean),
		cmocka_unit_test(request_that_lacks_a_header_gets_no_answer),
		cmocka_unit_test(answer_is_hardly_longer_than_the_request),
		cmocka_unit_test(too_small_a_buffer_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
