/*
 * test_sdp_codec.c - codec names, payload types, what can be relayed, and
 * whether an offer changes anything
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
#include <string.h>

#include "sdp/sdp.h"

#define HEAD "v=0\no=- 1 2 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n"

static struct sdp *must_read(const char *sections)
{
	char text[1024];
	struct sdp *sdp = NULL;

	snprintf(text, sizeof(text), HEAD "%s", sections);
	assert_int_equal(sdp_read(&sdp, str_of(text)), 0);
	return sdp;
}

static void expect_codec(const char *section, unsigned i, const char *name)
{
	struct sdp *sdp = must_read(section);
	struct str codec = sdp_codec(&sdp->media[0], i);

	assert_int_equal(codec.n, strlen(name));
	assert_memory_equal(codec.p, name, codec.n);
	sdp_free(sdp);
}

static void static_payload_types_have_names(void **state)
{
	expect_codec("m=audio 4 RTP/AVP 0\n", 0, "PCMU");
	expect_codec("m=audio 4 RTP/AVP 8\n", 0, "PCMA");
	expect_codec("m=audio 4 RTP/AVP 3 9\n", 1, "G722");
	expect_codec("m=audio 4 RTP/AVP 18\n", 0, "G729");
	expect_codec("m=audio 4 RTP/AVP 13\n", 0, "CN");
	expect_codec("m=video 4 RTP/AVP 34\n", 0, "H263");
}

static void rtpmap_names_dynamic_payload_types(void **state)
{
	static const char section[] = "m=audio 4 RTP/AVP 96 101\n"
				      "a=rtpmap:101 telephone-event/8000\n"
				      "a=rtpmap:96 opus/48000/2\n";

	expect_codec(section, 0, "opus");
	expect_codec(section, 1, "telephone-event");
}

static void clock_is_of_rtpmap_or_of_the_static_type(void **state)
{
	struct sdp *sdp = must_read("m=audio 4 RTP/AVP 0 9 96 101 97 98 10\n"
				    "a=rtpmap:101 telephone-event/8000\n"
				    "a=rtpmap:96 opus/48000/2\n"
				    "a=rtpmap:97 opus\n"
				    "a=rtpmap:98 opus/4294967296\n");
	static const unsigned clocks[] = {8000, 8000, 48000, 8000, 0, 0, 0, 0};

	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(sdp_clock(&sdp->media[0], i), clocks[i]);
	sdp_free(sdp);
}

static void rtpmap_beats_the_static_name(void **state)
{
	expect_codec("m=audio 4 RTP/AVP 4\na=rtpmap:4 G723-1/8000\n", 0,
		     "G723-1");
}

static void unknown_payload_type_has_no_name(void **state)
{
	expect_codec("m=audio 4 RTP/AVP 96\n", 0, "");
	expect_codec("m=audio 4 RTP/AVP 127\n", 0, "");
	expect_codec("m=audio 4 RTP/AVP 1\n", 0, "");
	expect_codec("m=audio 4 RTP/AVP 0\n", 1, ""); /* no such format */
	expect_codec("m=image 4 udptl t38\n", 0, "");
}

static void broken_rtpmap_names_nothing(void **state)
{
	expect_codec("m=audio 4 RTP/AVP 96\na=rtpmap:96\n", 0, "");
	expect_codec("m=audio 4 RTP/AVP 96\na=rtpmap:96 x\n", 0, "");
	expect_codec("m=audio 4 RTP/AVP 96\na=rtpmap:96 @/8000\n", 0, "");
	expect_codec("m=audio 4 RTP/AVP 0\na=rtpmap:0 /8000\n", 0, "PCMU");
}

static void payload_types_are_a_set(void **state)
{
	struct sdp *sdp = must_read("m=audio 4 RTP/AVP 0 8 63 64 101 127\n");
	uint64_t set[2];

	sdp_payload_types(&sdp->media[0], set);
	assert_true(set[0] == (1u | 1u << 8 | UINT64_C(1) << 63));
	assert_true(set[1] == (1u | UINT64_C(1) << 37 | UINT64_C(1) << 63));
	sdp_free(sdp);
}

static void stream_without_rtp_has_no_payload_types(void **state)
{
	struct sdp *sdp = must_read("m=application 4 TCP/MSRP 96\n");
	uint64_t set[2] = {1, 1};

	sdp_payload_types(&sdp->media[0], set);
	assert_true(!set[0] && !set[1]);
	sdp_free(sdp);
}

static bool can_relay(const char *section)
{
	struct sdp *sdp = must_read(section);
	bool can = sdp_can_relay(&sdp->media[0]);

	sdp_free(sdp);
	return can;
}

static void rtp_and_plain_datagrams_can_be_relayed(void **state)
{
	assert_true(can_relay("m=audio 4 RTP/AVP 0\n"));
	assert_true(can_relay("m=video 4 RTP/AVPF 96\n"));
	assert_false(can_relay("m=audio 0 RTP/AVP 0\n"));
	assert_false(can_relay("m=audio 4 RTP/SAVP 0\n"));
	assert_false(can_relay("m=audio 4 RTP/SAVPF 0\n"));
	assert_false(can_relay("m=audio 4 UDP/TLS/RTP/SAVPF 0\n"));
	assert_true(can_relay("m=image 4 udptl t38\n"));
	assert_false(can_relay("m=image 0 udptl t38\n"));
	assert_true(can_relay("m=application 4 UDP/BFCP *\n"));
	assert_false(can_relay("m=image 4 TCP t38\n"));
	assert_false(can_relay("m=message 4 TCP/MSRP *\n"));
}

static void hold_by_address_is_told_as_a_direction(void **state)
{
	struct sdp *sdp = must_read("m=audio 4 RTP/AVP 0\nc=IN IP4 0.0.0.0\n"
				    "m=audio 4 RTP/AVP 0\n"
				    "m=audio 4 RTP/AVP 0\nc=IN IP4 0.0.0.0\n"
				    "a=recvonly\n");

	assert_int_equal(sdp_way(&sdp->media[0]), SDP_SENDONLY);
	assert_int_equal(sdp_way(&sdp->media[1]), SDP_SENDRECV);
	assert_int_equal(sdp_way(&sdp->media[2]), SDP_INACTIVE);
	sdp_free(sdp);
}

/* ---- sameness -------------------------------------------------------------- */

#define BASE                                                                   \
	"m=audio 4 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n"         \
	"a=fmtp:101 0-15\na=ptime:20\n"

static bool is_same(const char *a, const char *b)
{
	struct sdp *x = must_read(a), *y = must_read(b);
	bool same = sdp_same(x, y);

	assert_true(sdp_same(y, x) == same);
	sdp_free(x);
	sdp_free(y);
	return same;
}

static void repeated_offer_is_the_same(void **state)
{
	assert_true(is_same(BASE, BASE));
	assert_true(is_same(BASE, BASE "a=sendrecv\n"));
}

static void origin_and_what_we_never_tell_do_not_count(void **state)
{
	struct sdp *x = must_read(BASE), *y = NULL;

	assert_int_equal(sdp_read(&y, STR("v=0\no=me 8 9 IN IP4 h\ns=other\n"
					  "c=IN IP4 192.0.2.1\na=tool:x\n" BASE
					  "a=ssrc:5 cname:x\n")),
			 0);
	assert_true(sdp_same(x, y));
	sdp_free(x);
	sdp_free(y);
}

static void whatever_the_other_side_would_hear_counts(void **state)
{
	static const char *const others[] = {
		BASE "m=video 6 RTP/AVP 31\n",
		BASE "a=sendonly\n",
		BASE "c=IN IP4 192.0.2.2\n",
		BASE "c=IN IP4 0.0.0.0\n",
		BASE "c=IN IP4 host.example.com\n",
		BASE "a=rtcp:9\n",
		BASE "a=rtcp-mux\n",
		BASE "a=maxptime:40\n",
		BASE "b=AS:64\n",
		"m=audio 6 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n"
		"a=fmtp:101 0-15\na=ptime:20\n",
		"m=audio 4 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n"
		"a=fmtp:101 0-16\na=ptime:20\n",
		"m=audio 4 RTP/AVP 0 101\na=rtpmap:101 CN/16000\n"
		"a=fmtp:101 0-15\na=ptime:20\n",
		"m=audio 4 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n"
		"a=fmtp:101 0-15\na=ptime:30\n",
		"m=audio 4 RTP/AVP 101 0\na=rtpmap:101 telephone-event/8000\n"
		"a=fmtp:101 0-15\na=ptime:20\n",
		"m=audio 4 RTP/AVPF 0 101\na=rtpmap:101 telephone-event/8000\n"
		"a=fmtp:101 0-15\na=ptime:20\n",
		"m=text 4 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n"
		"a=fmtp:101 0-15\na=ptime:20\n",
		"m=audio 4 RTP/AVP 0\na=ptime:20\n",
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (is_same(BASE, others[i]))
			fail_msg("taken for the same: %s", others[i]);
}

static bool is_alike(const char *a, const char *b)
{
	struct sdp *x = must_read(a), *y = must_read(b);
	bool alike = sdp_alike(x, y);

	assert_true(sdp_alike(y, x) == alike);
	sdp_free(x);
	sdp_free(y);
	return alike;
}

/* Nobody on the other side hears of them. */
static void addresses_alone_make_no_other_session(void **state)
{
	assert_true(is_alike(BASE, BASE "c=IN IP4 192.0.2.2\n"));
	assert_true(is_alike(BASE, BASE "a=rtcp:9\n"));
	assert_true(is_alike("m=audio 4 RTP/AVP 0\n", "m=audio 6 RTP/AVP 0\n"));
}

static void holds_refusals_and_codecs_do(void **state)
{
	static const char one[] = "m=audio 4 RTP/AVP 0\n";

	assert_false(is_alike(one, "m=audio 0 RTP/AVP 0\n"));
	assert_false(is_alike(one, "m=audio 4 RTP/AVP 0\na=sendonly\n"));
	assert_false(is_alike(one, "m=audio 4 RTP/AVP 0\nc=IN IP4 0.0.0.0\n"));
	assert_false(is_alike(one, "m=audio 4 RTP/AVP 0 8\n"));
	assert_false(
		is_alike(one, "m=audio 4 RTP/AVP 0\nm=audio 6 RTP/AVP 0\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(static_payload_types_have_names),
		cmocka_unit_test(rtpmap_names_dynamic_payload_types),
		cmocka_unit_test(clock_is_of_rtpmap_or_of_the_static_type),
		cmocka_unit_test(rtpmap_beats_the_static_name),
		cmocka_unit_test(unknown_payload_type_has_no_name),
		cmocka_unit_test(broken_rtpmap_names_nothing),
		cmocka_unit_test(payload_types_are_a_set),
		cmocka_unit_test(stream_without_rtp_has_no_payload_types),
		cmocka_unit_test(rtp_and_plain_datagrams_can_be_relayed),
		cmocka_unit_test(hold_by_address_is_told_as_a_direction),
		cmocka_unit_test(repeated_offer_is_the_same),
		cmocka_unit_test(origin_and_what_we_never_tell_do_not_count),
		cmocka_unit_test(whatever_the_other_side_would_hear_counts),
		cmocka_unit_test(addresses_alone_make_no_other_session),
		cmocka_unit_test(holds_refusals_and_codecs_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
