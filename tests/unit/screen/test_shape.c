/*
 * test_shape.c - what may reach the library's parser, and what may not
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after its four: */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "screen/screen.h"
#include "screen/shape.h"

#define VIA "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1;rport\r\n"
#define REST                                                                   \
	"From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\n"       \
	"Call-ID: c1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"               \
	"Content-Length: 0\r\n\r\n"
#define LINE "OPTIONS sip:b@example.com SIP/2.0\r\n"

static const char *const names[SCREEN_VERDICTS] = {
	"PASS", "KEEPALIVE", "STUN",   "SHAPE",   "SCANNER",
	"RATE", "MALFORMED", "METHOD", "VERSION",
};

static void expect_bytes(const void *p, size_t n, enum screen_verdict verdict)
{
	enum screen_verdict got = screen_shape(p, n);

	if (got != verdict)
		fail_msg("%s instead of %s: %.*s", names[got], names[verdict],
			 (int)n, (const char *)p);
}

static void expect(const char *text, enum screen_verdict verdict)
{
	expect_bytes(text, strlen(text), verdict);
}

/* ---- RFC 4475 ---------------------------------------------------------------- */

static void expect_file(const char *name, enum screen_verdict verdict)
{
	static char text[LIMIT_MESSAGE_BYTES];
	char path[128];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "tests/data/rfc4475/%s.dat", name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	if (screen_shape((uint8_t *)text, n) != verdict)
		fail_msg("%s is not %s", name, names[verdict]);
}

/* All of RFC 4475 3.1.1, except the two that the library cannot digest. */
static void valid_torture_messages_pass(void **state)
{
	static const char *const valid[] = {
		"wsinv",   "esc01",    "escnull",  "lwsdisp",
		"longreq", "dblreq",   "semiuri",  "transports",
		"mpart01", "unreason", "noreason",
	};

	for (size_t i = 0; i < sizeof(valid) / sizeof(*valid); i++)
		expect_file(valid[i], SCREEN_PASS);
}

static void methods_beyond_the_library_are_told_apart(void **state)
{
	expect_file("intmeth", SCREEN_METHOD);
	expect_file("esc02", SCREEN_METHOD);
}

static void torture_that_the_library_answers_itself_passes(void **state)
{
	static const char *const odd[] = {
		"clerr",    "ncl",      "quotbal",    "ltgtruri", "mcl01",
		"multi01",  "insuf",    "mismatch01", "regbadct", "escruri",
		"badaspec", "baddate",  "badbranch",  "bcast",    "zeromf",
		"inv2543",  "cparam01", "regescrt",   "sdp01",    "unksm2",
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
		expect_file(odd[i], SCREEN_PASS);
}

static void torture_that_the_library_swallows_is_answered_by_us(void **state)
{
	expect_file("badinv01", SCREEN_MALFORMED);
	expect_file("lwsruri", SCREEN_MALFORMED);
	expect_file("lwsstart", SCREEN_MALFORMED);
	expect_file("trws", SCREEN_MALFORMED);
	expect_file("badvers", SCREEN_VERSION);
}

static void torture_without_sense_is_dropped(void **state)
{
	expect_file("bigcode", SCREEN_SHAPE);
	expect_file("baddn", SCREEN_SHAPE); /* no end of headers */
}

/* ---- pings ------------------------------------------------------------------- */

static void keepalives_of_all_kinds_are_swallowed(void **state)
{
	/* A Binding indication, which wants no answer. */
	static const uint8_t stun[20] = {0, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	static const uint8_t zeros[20];

	expect("\r\n\r\n", SCREEN_KEEPALIVE);
	expect("\r\n", SCREEN_KEEPALIVE);
	expect_bytes("", 0, SCREEN_KEEPALIVE);
	expect_bytes(zeros, 1, SCREEN_KEEPALIVE);
	expect_bytes(zeros, 4, SCREEN_KEEPALIVE);
	expect_bytes(zeros, 12, SCREEN_KEEPALIVE);
	expect("jaK", SCREEN_KEEPALIVE);
	expect_bytes(stun, sizeof(stun), SCREEN_KEEPALIVE);
}

static void a_stun_request_is_told_apart(void **state)
{
	static const uint8_t stun[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	static const uint8_t old_stun[28] = {0, 1, 0, 8};

	expect_bytes(stun, sizeof(stun), SCREEN_STUN);
	expect_bytes(old_stun, sizeof(old_stun), SCREEN_STUN);
}

static void stun_with_a_wrong_length_is_dropped(void **state)
{
	static const uint8_t wrong[24] = {0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42};

	expect_bytes(wrong, sizeof(wrong), SCREEN_SHAPE);
	expect_bytes(wrong, 8, SCREEN_SHAPE);
}

/* ---- start line -------------------------------------------------------------- */

static void plain_request_passes(void **state)
{
	expect(LINE VIA REST, SCREEN_PASS);
	expect("\r\n\r\n" LINE VIA REST, SCREEN_PASS);
}

static void bare_line_feeds_pass(void **state)
{
	expect("OPTIONS sip:b@example.com SIP/2.0\nv: SIP/2.0/UDP h\n"
	       "i: 1\n\n",
	       SCREEN_PASS);
}

static void unknown_method_passes(void **state)
{
	expect("PUBLISH2 sip:b@example.com SIP/2.0\r\n" VIA REST, SCREEN_PASS);
	expect("invite sip:b@example.com SIP/2.0\r\n" VIA REST, SCREEN_PASS);
}

static void monstrous_method_is_answered_by_us(void **state)
{
	char text[512];

	snprintf(text, sizeof(text), "%0100d sip:b@h SIP/2.0\r\n" VIA REST, 0);
	expect(text, SCREEN_METHOD);
}

static void other_versions_are_told_apart(void **state)
{
	expect("OPTIONS sip:b@h SIP/3.0\r\n" VIA REST, SCREEN_VERSION);
	expect("OPTIONS sip:b@h SIP/2.1\r\n" VIA REST, SCREEN_VERSION);
	expect("OPTIONS sip:b@h sip/2.0\r\n" VIA REST, SCREEN_PASS);
}

static void other_protocols_are_dropped(void **state)
{
	expect("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", SCREEN_SHAPE);
	expect("OPTIONS rtsp://h/x RTSP/1.0\r\n" VIA REST, SCREEN_SHAPE);
	expect("OPTIONS sip:b@h SIP/2\r\n" VIA REST, SCREEN_SHAPE);
	expect("OPTIONS sip:b@h SIP\r\n" VIA REST, SCREEN_SHAPE);
	expect("OPTIONS sip:b@h SIP/\r\n" VIA REST, SCREEN_SHAPE);
	expect("OPTIONS sip:b@h SIP/x.y\r\n" VIA REST, SCREEN_SHAPE);
	expect("OPTIONS SIP/2.0\r\n" VIA REST, SCREEN_SHAPE);
	expect("OPTIONS\r\n" VIA REST, SCREEN_SHAPE);
	expect("OPT@ONS sip:b@h SIP/2.0\r\n" VIA REST, SCREEN_SHAPE);
	expect_bytes("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
		     "a TLS hello",
		     22, SCREEN_SHAPE);
}

static void control_byte_in_the_request_uri_is_malformed(void **state)
{
	expect("OPTIONS sip:b\x01@h SIP/2.0\r\n" VIA REST, SCREEN_MALFORMED);
	expect("OPTIONS sip:b\t@h SIP/2.0\r\n" VIA REST, SCREEN_MALFORMED);
	expect("OPTIONS sip:b\r@h SIP/2.0\r\n" VIA REST, SCREEN_MALFORMED);
}

static void response_passes_with_a_via(void **state)
{
	expect("SIP/2.0 200 OK\r\n" VIA REST, SCREEN_PASS);
	expect("SIP/2.0 180 \r\n" VIA REST, SCREEN_PASS);
	expect("SIP/2.0 486\r\n" VIA REST, SCREEN_PASS);
}

static void response_out_of_form_is_dropped(void **state)
{
	expect("SIP/3.0 200 OK\r\n" VIA REST, SCREEN_SHAPE);
	expect("SIP/2.0 99 OK\r\n" VIA REST, SCREEN_SHAPE);
	expect("SIP/2.0 700 OK\r\n" VIA REST, SCREEN_SHAPE);
	expect("SIP/2.0 0200 OK\r\n" VIA REST, SCREEN_SHAPE);
	expect("SIP/2.0 4294967301 better not break the receiver\r\n" VIA REST,
	       SCREEN_SHAPE);
	expect("SIP/2.0 200 OK\r\n" REST, SCREEN_SHAPE); /* no Via */
}

static void control_byte_in_a_reason_is_dropped(void **state)
{
	static const char nul[] = "SIP/2.0 503 Serv\0ice\r\n" VIA REST;

	expect_bytes(nul, sizeof(nul) - 1, SCREEN_SHAPE);
	expect("SIP/2.0 503 Serv\rVia: x\r\n" VIA REST, SCREEN_SHAPE);
	expect("SIP/2.0 503 Serv\x1b[2J\r\n" VIA REST, SCREEN_SHAPE);
	expect("SIP/2.0 200 = 2**3 * 5**2 \xd0\xbd\xd0\xbe\r\n" VIA REST,
	       SCREEN_PASS);
}

static void nobody_answers_an_answer_or_an_ack(void **state)
{
	expect("SIP/2.0 200 OK\r\n" VIA "Bad name: x\r\n" REST, SCREEN_SHAPE);
	expect("ACK sip:b@h  SIP/2.0\r\n" VIA REST, SCREEN_SHAPE);
	expect("ACK sip:b@h SIP/3.0\r\n" VIA REST, SCREEN_SHAPE);
	expect("ACKNOWLEDGE sip:b@h SIP/3.0\r\n" VIA REST, SCREEN_VERSION);
}

/* ---- headers ------------------------------------------------------------------ */

static void message_without_end_of_headers_is_dropped(void **state)
{
	expect(LINE VIA "Call-ID: 1\r\n", SCREEN_SHAPE);
	expect(LINE VIA "Call-ID: 1", SCREEN_SHAPE);
	expect("OPTIONS sip:b@example.com SIP/2.0", SCREEN_SHAPE);
	/* A line of white space continues, it does not end (RFC 3261 7.3.1). */
	expect(LINE VIA "Call-ID: 1\r\n \r\n", SCREEN_SHAPE);
}

static void message_without_via_is_dropped(void **state)
{
	expect(LINE REST, SCREEN_SHAPE);
	expect(LINE "Via:\r\n" REST, SCREEN_SHAPE);
	expect(LINE "Via: SIP/2.0/UDP\r\n" REST, SCREEN_SHAPE);
	expect(LINE "Via: SIP/2.0/UDP ;branch=1\r\n" REST, SCREEN_SHAPE);
}

static void compact_and_folded_via_is_found(void **state)
{
	expect(LINE "v: SIP/2.0/UDP 192.0.2.1\r\n" REST, SCREEN_PASS);
	expect(LINE "V: SIP/2.0/UDP 192.0.2.1\r\n" REST, SCREEN_PASS);
	expect(LINE "VIA \t:\r\n SIP / 2.0\r\n\t/ UDP\r\n 192.0.2.1\r\n" REST,
	       SCREEN_PASS);
}

static void redirection_of_answers_is_dropped_wherever_it_hides(void **state)
{
	expect(LINE "Via: SIP/2.0/UDP h;maddr=192.0.2.66\r\n" REST,
	       SCREEN_SHAPE);
	expect(LINE VIA "Via: SIP/2.0/UDP h;maddr=192.0.2.66\r\n" REST,
	       SCREEN_SHAPE);
	expect(LINE "Via: SIP/2.0/UDP h;\r\n MADDR = x\r\n" REST, SCREEN_SHAPE);
	expect(LINE
	       "Via: SIP/2.0/UDP h;branch=1,SIP/2.0/UDP i;maddr=x\r\n" REST,
	       SCREEN_SHAPE);
	expect("SIP/2.0 200 OK\r\nv: SIP/2.0/UDP h;maddr=x\r\n" REST,
	       SCREEN_SHAPE);
}

static void header_that_is_no_header_is_malformed(void **state)
{
	expect(LINE VIA "no colon here\r\n" REST, SCREEN_MALFORMED);
	expect(LINE VIA "Two words: x\r\n" REST, SCREEN_MALFORMED);
	expect(LINE VIA ": no name\r\n" REST, SCREEN_MALFORMED);
	expect(LINE VIA "Na\x01me: x\r\n" REST, SCREEN_MALFORMED);
	expect(LINE VIA "X\r: x\r\n" REST, SCREEN_MALFORMED);
	expect(LINE " folded: first\r\n" VIA REST, SCREEN_MALFORMED);
	expect(LINE VIA "Subj\xc3\xa9t: x\r\n" REST, SCREEN_MALFORMED);
}

static void control_bytes_in_a_value_are_malformed(void **state)
{
	expect(LINE VIA "Subject: a\rX-Smuggled: b\r\n" REST, SCREEN_MALFORMED);
	expect(LINE VIA "Subject: a\x0b\r\n" REST, SCREEN_MALFORMED);
	expect(LINE VIA "Subject: \"a\\\x07\" is quoted\r\n" REST, SCREEN_PASS);
	expect(LINE VIA "Subject: a\tb\r\n" REST, SCREEN_PASS);
	expect(LINE VIA "Subject: a\\\rX: b\r\n" REST, SCREEN_MALFORMED);
	expect(LINE VIA "Subject: caf\xc3\xa9\r\n" REST, SCREEN_PASS);
}

static void control_bytes_in_a_via_are_dropped(void **state)
{
	expect(LINE "Via: SIP/2.0/UDP h\rVia: x\r\n" REST, SCREEN_SHAPE);
	expect(LINE VIA "Via: SIP/2.0/UDP h\x01\r\n" REST, SCREEN_SHAPE);
}

static void zero_byte_in_a_value_is_malformed_even_quoted(void **state)
{
	static const char bare[] = LINE VIA "Subject: a\0b\r\n" REST;
	static const char quoted[] = LINE VIA "Subject: \"\\\0\"\r\n" REST;

	expect_bytes(bare, sizeof(bare) - 1, SCREEN_MALFORMED);
	expect_bytes(quoted, sizeof(quoted) - 1, SCREEN_MALFORMED);
}

static void body_may_hold_anything(void **state)
{
	static const char text[] = LINE VIA REST "\0\1\2\r\r\n\r\n\xff";

	expect_bytes(text, sizeof(text) - 1, SCREEN_PASS);
}

static char *grow(char *p, const char *text, unsigned times)
{
	size_t n = strlen(text);

	for (; times--; p += n)
		memcpy(p, text, n + 1);
	return p;
}

static void headers_are_limited_in_number(void **state)
{
	static char text[LIMIT_MESSAGE_BYTES];
	unsigned others = 93; /* besides Via and REST's six */

	grow(grow(grow(text, LINE VIA, 1), "X: 1\r\n", others), REST, 1);
	expect(text, SCREEN_PASS);
	grow(grow(grow(text, LINE VIA, 1), "X: 1\r\n", others + 1), REST, 1);
	expect(text, SCREEN_MALFORMED);
}

static void headers_without_number_are_dropped(void **state)
{
	static char text[LIMIT_MESSAGE_BYTES];

	grow(grow(grow(text, LINE VIA, 1), "X: 1\r\n", 300), REST, 1);
	expect(text, SCREEN_SHAPE);
	grow(grow(grow(text, LINE VIA, 1), "no header\r\n", 300), REST, 1);
	expect(text, SCREEN_SHAPE);
}

static void headers_are_limited_in_length(void **state)
{
	static char text[LIMIT_MESSAGE_BYTES];

	grow(grow(grow(text, LINE VIA "X:", 1), "y", 8192), "\r\n" REST, 1);
	expect(text, SCREEN_PASS);
	grow(grow(grow(text, LINE VIA "X:", 1), "y", 8193), "\r\n" REST, 1);
	expect(text, SCREEN_MALFORMED);
	/* Folding hides no length. */
	grow(grow(grow(text, LINE VIA "X: 1", 1), "\r\n y", 2100), "\r\n" REST,
	     1);
	expect(text, SCREEN_MALFORMED);
}

static void datagram_is_limited_at_both_ends(void **state)
{
	static char text[LIMIT_MESSAGE_BYTES + 2];

	expect("OPTIONS x SIP/2.0\r\n", SCREEN_SHAPE);
	grow(grow(text, LINE VIA REST, 1), "b",
	     LIMIT_MESSAGE_BYTES - (unsigned)strlen(LINE VIA REST));
	expect(text, SCREEN_PASS);
	strcat(text, "b");
	expect(text, SCREEN_SHAPE);
}

/* ---- scanners ----------------------------------------------------------------- */

static void scanners_are_known_by_name(void **state)
{
	expect(LINE VIA "User-Agent: friendly-scanner\r\n" REST,
	       SCREEN_SCANNER);
	expect(LINE VIA "user-agent: sipcli/v1.8\r\n" REST, SCREEN_SCANNER);
	expect(LINE VIA "User-Agent:VaxSIPUserAgent/3.5\r\n" REST,
	       SCREEN_SCANNER);
	expect(LINE VIA "User-Agent: sundayddr\r\n" REST, SCREEN_SCANNER);
	expect(LINE VIA "User-Agent: pplsip\r\n" REST, SCREEN_SCANNER);
	expect(LINE VIA "User-Agent: iWar\r\n" REST, SCREEN_SCANNER);
	expect(LINE VIA "From: \"sipvicious\"<sip:100@1.1.1.1>;tag=1\r\n\r\n",
	       SCREEN_SCANNER);
}

static void scanner_with_a_wrong_version_gets_no_answer(void **state)
{
	expect("OPTIONS sip:b@h SIP/3.0\r\n" VIA
	       "User-Agent: friendly-scanner\r\n" REST,
	       SCREEN_SCANNER);
}

static void honest_agents_pass(void **state)
{
	expect(LINE VIA "User-Agent: baresip v1.0.0 (x86_64/linux)\r\n" REST,
	       SCREEN_PASS);
	expect(LINE VIA "User-Agent: sipsak 0.9.8\r\n" REST, SCREEN_PASS);
	expect(LINE VIA "User-Agent: Smappee\r\n" REST, SCREEN_PASS);
	expect(LINE VIA "User-Agent: anti friendly-scanner\r\n" REST,
	       SCREEN_PASS);
	expect(LINE VIA "User-Agent:\r\n" REST, SCREEN_PASS);
}

/* ---- the Call-ID for rate.c ---------------------------------------------------- */

static void expect_call_id(const char *header, const char *call_id)
{
	char text[512];
	struct shape shape;

	snprintf(text, sizeof(text), LINE VIA "%s\r\n\r\n", header);
	shape_look(&shape, (uint8_t *)text, strlen(text));
	assert_int_equal(shape.call_id.n, strlen(call_id));
	assert_memory_equal(shape.call_id.p, call_id, shape.call_id.n);
}

static void call_id_is_found_in_each_spelling(void **state)
{
	expect_call_id("Call-ID: abc@h", "abc@h");
	expect_call_id("i:abc@h", "abc@h");
	expect_call_id("CALL-ID \t:\r\n abc@h \t", "abc@h");
	expect_call_id("Call-ID: first\r\nCall-ID: second", "first");
	expect_call_id("Call-Info: x\r\nInfo: y\r\ni: z", "z");
}

static void message_without_call_id_has_none(void **state)
{
	struct shape shape;

	shape_look(&shape, (const uint8_t *)LINE VIA "\r\n",
		   strlen(LINE VIA "\r\n"));
	assert_int_equal(shape.verdict, SCREEN_PASS);
	assert_null(shape.call_id.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_torture_messages_pass),
		cmocka_unit_test(methods_beyond_the_library_are_told_apart),
		cmocka_unit_test(
			torture_that_the_library_answers_itself_passes),
		cmocka_unit_test(
			torture_that_the_library_swallows_is_answered_by_us),
		cmocka_unit_test(torture_without_sense_is_dropped),
		cmocka_unit_test(keepalives_of_all_kinds_are_swallowed),
		cmocka_unit_test(a_stun_request_is_told_apart),
		cmocka_unit_test(stun_with_a_wrong_length_is_dropped),
		cmocka_unit_test(plain_request_passes),
		cmocka_unit_test(bare_line_feeds_pass),
		cmocka_unit_test(unknown_method_passes),
		cmocka_unit_test(monstrous_method_is_answered_by_us),
		cmocka_unit_test(other_versions_are_told_apart),
		cmocka_unit_test(other_protocols_are_dropped),
		cmocka_unit_test(control_byte_in_the_request_uri_is_malformed),
		cmocka_unit_test(response_passes_with_a_via),
		cmocka_unit_test(response_out_of_form_is_dropped),
		cmocka_unit_test(control_byte_in_a_reason_is_dropped),
		cmocka_unit_test(nobody_answers_an_answer_or_an_ack),
		cmocka_unit_test(message_without_end_of_headers_is_dropped),
		cmocka_unit_test(message_without_via_is_dropped),
		cmocka_unit_test(compact_and_folded_via_is_found),
		cmocka_unit_test(
			redirection_of_answers_is_dropped_wherever_it_hides),
		cmocka_unit_test(header_that_is_no_header_is_malformed),
		cmocka_unit_test(control_bytes_in_a_value_are_malformed),
		cmocka_unit_test(control_bytes_in_a_via_are_dropped),
		cmocka_unit_test(zero_byte_in_a_value_is_malformed_even_quoted),
		cmocka_unit_test(body_may_hold_anything),
		cmocka_unit_test(headers_are_limited_in_number),
		cmocka_unit_test(headers_without_number_are_dropped),
		cmocka_unit_test(headers_are_limited_in_length),
		cmocka_unit_test(datagram_is_limited_at_both_ends),
		cmocka_unit_test(scanners_are_known_by_name),
		cmocka_unit_test(scanner_with_a_wrong_version_gets_no_answer),
		cmocka_unit_test(honest_agents_pass),
		cmocka_unit_test(call_id_is_found_in_each_spelling),
		cmocka_unit_test(message_without_call_id_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
