/*
 * test_sdp_write.c - what one side is told of the other
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
#include <stdio.h>
#include <string.h>

#include "sdp/sdp.h"

#define HEAD                                                                   \
	"v=0\r\no=jdoe 1 2 IN IP4 10.1.1.1\r\ns=secret\r\n"                    \
	"c=IN IP4 10.1.1.1\r\nt=0 0\r\n"
#define OUR_HEAD                                                               \
	"v=0\r\no=- 77 3 IN IP4 203.0.113.5\r\ns=-\r\n"                        \
	"c=IN IP4 203.0.113.5\r\nt=0 0\r\n"

/* Our side: 203.0.113.5, ports 20000, 20002, ... */
struct rig {
	struct addr rtp[LIMIT_SDP_MEDIA], rtcp[LIMIT_SDP_MEDIA];
	struct sdp_ours ours;
	char text[LIMIT_SDP_BYTES];
	struct buf out;
};

static void set_addr(struct addr *a, const char *host, unsigned port)
{
	assert_int_equal(addr_parse(a, host, strlen(host), (uint16_t)port), 0);
}

static int setup(void **state)
{
	static struct rig rig;

	memset(&rig, 0, sizeof(rig));
	for (unsigned i = 0; i < LIMIT_SDP_MEDIA; i++) {
		set_addr(&rig.rtp[i], "203.0.113.5", 20000 + 2 * i);
		set_addr(&rig.rtcp[i], "203.0.113.5", 20001 + 2 * i);
	}
	rig.ours = (struct sdp_ours){.sess_id = 77,
				     .sess_version = 3,
				     .rtp = rig.rtp,
				     .rtcp = rig.rtcp,
				     .n = LIMIT_SDP_MEDIA};
	*state = &rig;
	return 0;
}

static const char *write_from(struct rig *rig, struct str text)
{
	struct sdp *sdp = NULL;

	assert_int_equal(sdp_read(&sdp, text), 0);
	buf_init(&rig->out, rig->text, sizeof(rig->text));
	assert_int_equal(sdp_write(&rig->out, sdp, &rig->ours), 0);
	sdp_free(sdp);
	return rig->text;
}

static void expect(struct rig *rig, const char *in, const char *out)
{
	assert_string_equal(write_from(rig, str_of(in)), out);
}

static const char *write_file(struct rig *rig, const char *name)
{
	char path[128], text[LIMIT_SDP_BYTES];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "tests/data/sdp/%s", name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	return write_from(rig, (struct str){text, n});
}

/* ---- the whole text -------------------------------------------------------- */

static void softphone_offer_leaves_with_our_address_only(void **state)
{
	assert_string_equal(
		write_file(*state, "softphone.sdp"), OUR_HEAD
		"m=audio 20000 RTP/AVP 96 9 8 0 101\r\n"
		"b=TIAS:64000\r\nb=RS:0\r\nb=RR:2000\r\n"
		"a=rtpmap:96 opus/48000/2\r\n"
		"a=fmtp:96 stereo=1;sprop-stereo=0;maxaveragebitrate=28000\r\n"
		"a=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\n"
		"a=rtpmap:0 PCMU/8000\r\n"
		"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
		"a=maxptime:150\r\na=ptime:20\r\na=sendrecv\r\n");
}

static void browser_offer_loses_every_trace_of_its_host(void **state)
{
	static const char *const traces[] = {
		"10.1.7.44",  "203.0.113.77", "mozilla",  "candidate",
		"ice-",       "fingerprint",  "crypto",   "inline",
		"setup",      "mid",          "group",    "BUNDLE",
		"ssrc",       "cname",        "rtcp-mux", "extmap",
		"sctp-port",  "49203",        "track",    "end-of",
		"7614219274", "msid",
	};
	const char *text = write_file(*state, "browser.sdp");

	for (size_t i = 0; i < sizeof(traces) / sizeof(*traces); i++)
		assert_null(strstr(text, traces[i]));
	assert_non_null(strstr(text, "a=rtcp-fb:* nack\r\n"));
	assert_non_null(strstr(text, "a=rtpmap:9 G722/8000/1\r\n"));
}

static void answer_keeps_number_and_order_of_streams(void **state)
{
	assert_string_equal(write_file(*state, "rfc3264-10.1-answer.sdp"),
			    OUR_HEAD "m=audio 20000 RTP/AVP 0\r\n"
				     "a=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
				     "m=video 0 RTP/AVP 31\r\n"
				     "m=video 20004 RTP/AVP 32\r\n"
				     "a=rtpmap:32 MPV/90000\r\na=sendrecv\r\n");
}

static void stream_without_our_address_is_refused_in_place(void **state)
{
	struct rig *rig = *state;

	memset(&rig->rtp[0], 0, sizeof(rig->rtp[0]));
	addr_set_port(&rig->rtp[1], 0);
	assert_string_equal(write_file(rig, "rfc3264-10.1-offer.sdp"),
			    OUR_HEAD "m=audio 0 RTP/AVP 0\r\n"
				     "m=video 0 RTP/AVP 31\r\n"
				     "m=video 20004 RTP/AVP 32\r\n"
				     "a=rtpmap:32 MPV/90000\r\na=sendrecv\r\n");
}

static void streams_past_ours_are_refused(void **state)
{
	struct rig *rig = *state;

	rig->ours.n = 1;
	expect(rig, HEAD "m=audio 4 RTP/AVP 0\r\nm=video 6 RTP/AVP 31\r\n",
	       OUR_HEAD "m=audio 20000 RTP/AVP 0\r\na=sendrecv\r\n"
			"m=video 0 RTP/AVP 31\r\n");
}

static void description_of_refused_streams_names_no_address(void **state)
{
	struct rig *rig = *state;

	rig->ours.n = 0;
	expect(rig, HEAD "m=video 6 RTP/AVP 31\r\n",
	       "v=0\r\no=- 77 3 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\n"
	       "t=0 0\r\nm=video 0 RTP/AVP 31\r\n");
}

static void refused_stream_without_formats_gets_one(void **state)
{
	expect(*state, HEAD "m=video 0 RTP/AVP\r\nm=audio 4 RTP/AVP 0\r\n",
	       OUR_HEAD "m=video 0 RTP/AVP 0\r\n"
			"m=audio 20002 RTP/AVP 0\r\na=sendrecv\r\n");
}

/* ---- addresses --------------------------------------------------------------- */

static void other_address_of_a_stream_is_told_in_its_section(void **state)
{
	struct rig *rig = *state;

	set_addr(&rig->rtp[1], "2001:db8::5", 30000);
	set_addr(&rig->rtcp[1], "2001:db8::5", 30001);
	expect(rig, HEAD "m=audio 4 RTP/AVP 0\r\nm=audio 6 RTP/AVP 8\r\n",
	       OUR_HEAD "m=audio 20000 RTP/AVP 0\r\na=sendrecv\r\n"
			"m=audio 30000 RTP/AVP 8\r\nc=IN IP6 2001:db8::5\r\n"
			"a=sendrecv\r\n");
}

static void scope_of_a_link_local_address_stays_at_home(void **state)
{
	struct rig *rig = *state;

	set_addr(&rig->rtp[0], "fe80::5", 30000);
	rig->rtp[0].in6.sin6_scope_id = 1;
	rig->rtcp[0] = rig->rtp[0];
	addr_set_port(&rig->rtcp[0], 30001);
	write_from(rig, STR(HEAD "m=audio 4 RTP/AVP 0\r\n"));
	assert_non_null(strstr(rig->text, "c=IN IP6 fe80::5\r\n"));
}

static void rtcp_is_told_when_it_is_not_the_next_port(void **state)
{
	struct rig *rig = *state;

	addr_set_port(&rig->rtcp[0], 21001);
	expect(rig, HEAD "m=audio 4 RTP/AVP 0\r\n",
	       OUR_HEAD "m=audio 20000 RTP/AVP 0\r\na=sendrecv\r\n"
			"a=rtcp:21001\r\n");
}

static void rtcp_at_another_host_is_told_with_its_address(void **state)
{
	struct rig *rig = *state;

	set_addr(&rig->rtcp[0], "203.0.113.6", 20001);
	expect(rig, HEAD "m=audio 4 RTP/AVP 0\r\n",
	       OUR_HEAD "m=audio 20000 RTP/AVP 0\r\na=sendrecv\r\n"
			"a=rtcp:20001 IN IP4 203.0.113.6\r\n");
}

/* ---- hold -------------------------------------------------------------------- */

static void expect_direction(struct rig *rig, const char *conn,
			     const char *given, const char *told)
{
	char in[256], line[64];

	snprintf(in, sizeof(in),
		 "v=0\r\no=- 1 1 IN IP4 h\r\nc=IN %s\r\n"
		 "m=audio 4 RTP/AVP 0\r\n%s",
		 conn, given);
	snprintf(line, sizeof(line), "a=%s\r\n", told);
	write_from(rig, str_of(in));
	assert_non_null(strstr(rig->text, line));
	assert_null(strstr(rig->text, "0.0.0.0"));
}

static void old_style_hold_becomes_a_direction(void **state)
{
	expect_direction(*state, "IP4 0.0.0.0", "", "sendonly");
	expect_direction(*state, "IP4 0.0.0.0", "a=sendrecv\r\n", "sendonly");
	expect_direction(*state, "IP4 0.0.0.0", "a=sendonly\r\n", "sendonly");
	expect_direction(*state, "IP4 0.0.0.0", "a=recvonly\r\n", "inactive");
	expect_direction(*state, "IP4 0.0.0.0", "a=inactive\r\n", "inactive");
	expect_direction(*state, "IP6 ::", "a=sendrecv\r\n", "sendonly");
}

static void direction_crosses_unchanged(void **state)
{
	expect_direction(*state, "IP4 10.0.0.1", "", "sendrecv");
	expect_direction(*state, "IP4 10.0.0.1", "a=sendonly\r\n", "sendonly");
	expect_direction(*state, "IP4 10.0.0.1", "a=recvonly\r\n", "recvonly");
	expect_direction(*state, "IP4 10.0.0.1", "a=inactive\r\n", "inactive");
}

static void session_direction_is_told_per_stream(void **state)
{
	assert_non_null(strstr(write_file(*state, "rfc4566-5.sdp"),
			       "m=audio 20000 RTP/AVP 0\r\na=recvonly\r\n"));
}

/* ---- the allow list ------------------------------------------------------------ */

static void expect_attr(struct rig *rig, const char *attr, bool passes)
{
	char in[512], line[256];

	snprintf(in, sizeof(in),
		 HEAD "m=audio 4 RTP/AVP 0 96 97 101\r\na=%s\r\n", attr);
	snprintf(line, sizeof(line), "a=%s\r\n", attr);
	write_from(rig, str_of(in));
	if (!!strstr(rig->text, line) != passes)
		fail_msg("a=%s: passes is not %d", attr, passes);
}

static void attributes_of_coding_cross(void **state)
{
	static const char *const good[] = {
		"rtpmap:96 opus/48000/2",
		"rtpmap:101 telephone-event/8000",
		"fmtp:97 mode=20; x=\"y\"",
		"fmtp:96 mode=30",
		"rtcp-fb:96 nack pli",
		"rtcp-fb:* ccm fir",
		"maxptime:60",
		"framerate:29.97",
		"framerate:25",
		"maxprate:50.5",
		"imageattr:97 send [x=800,y=640] recv *",
		"content:slides,speaker",
		"lang:de-CH",
		"silenceSupp:off - - - -",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		expect_attr(*state, good[i], true);
}

static void what_a_fax_needs_to_know_crosses(void **state)
{
	struct rig *rig = *state;

	expect(rig,
	       HEAD "m=image 4000 udptl t38\na=T38FaxVersion:0\n"
		    "a=T38MaxBitRate:14400\na=T38FaxFillBitRemoval\n"
		    "a=T38FaxRateManagement:transferredTCF\n"
		    "a=T38FaxUdpEC:t38UDPRedundancy\n"
		    "a=T38VendorInfo:0 192.168.1.7 0\n"
		    "a=T38FaxUdpEC:192.168.1.7\na=lang\n",
	       OUR_HEAD "m=image 20000 udptl t38\r\na=T38FaxVersion:0\r\n"
			"a=T38MaxBitRate:14400\r\n"
			"a=T38FaxFillBitRemoval\r\n"
			"a=T38FaxRateManagement:transferredTCF\r\n"
			"a=T38FaxUdpEC:t38UDPRedundancy\r\n"
			"a=sendrecv\r\n");
}

static void everything_else_stays_here(void **state)
{
	static const char *const bad[] = {
		"candidate:1 1 UDP 1 10.0.0.9 4 typ host",
		"ice-ufrag:abcd",
		"ice-lite",
		"crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
		"fingerprint:sha-1 00",
		"setup:active",
		"mid:0",
		"ssrc:1 cname:me@10.0.0.9",
		"rtcp-mux",
		"rtcp-xr:voip-metrics",
		"tool:phone 1.0",
		"X-nat:0",
		"label:1",
		"alt:1 1 : a b 10.0.0.9 4",
		"key-mgmt:mikey AAAA",
		"zrtp-hash:1.10 00",
		"charset:utf-8",
		"sdplang:en",
		"keywds:office",
		"path:msrp://10.0.0.9:7394/2s93i9ek2a;tcp",
		"RTPMAP:96 opus/48000",
		"unheard-of",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		expect_attr(*state, bad[i], false);
}

static void allowed_names_with_strange_values_stay_here(void **state)
{
	static const char *const bad[] = {
		"rtpmap:96",
		"rtpmap:96 opus",
		"rtpmap:96 opus/0",
		"rtpmap:96 opus/x",
		"rtpmap:96 op us/48000",
		"rtpmap:98 opus/48000",
		"rtpmap:opus/48000",
		"rtpmap:",
		"rtpmap",
		"rtpmap:96 opus/48000/2/3",
		"fmtp:98 mode=20",
		"fmtp:* mode=20",
		"fmtp:96",
		"fmtp:96 caf\xc3\xa9",
		"rtcp-fb:98 nack",
		"rtcp-fb:*",
		"maxptime:soon",
		"maxptime:-1",
		"maxptime:20.",
		"framerate:1.2.3",
		"content:host.example.com",
		"content:a b",
		"content:,",
		"lang:http://x",
		"silenceSupp:on",
		"silenceSupp:on 10.0.0.123 - - -",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		expect_attr(*state, bad[i], false);
}

static void strange_ptime_is_not_told(void **state)
{
	expect_attr(*state, "ptime:20", true);
	expect_attr(*state, "ptime:1000", false);
	expect_attr(*state, "ptime:0", false);
}

/* ---- room and stability --------------------------------------------------------- */

static void too_small_a_buffer_is_told(void **state)
{
	struct rig *rig = *state;
	struct sdp *sdp = NULL;

	assert_int_equal(sdp_read(&sdp, STR(HEAD "m=audio 4 RTP/AVP 0\r\n")),
			 0);
	buf_init(&rig->out, rig->text, 40);
	assert_int_equal(sdp_write(&rig->out, sdp, &rig->ours), -ENOSPC);
	sdp_free(sdp);
}

static void written_text_reads_back_as_itself(void **state)
{
	static const char *const files[] = {
		"rfc8866-5.sdp",          "rfc4566-5.sdp",
		"rfc3264-10.1-offer.sdp", "rfc3264-10.1-answer.sdp",
		"rfc3264-10.2-offer.sdp", "rfc4317-2.1-offer.sdp",
		"rfc4317-2.1-answer.sdp", "rfc4317-2.4-offer.sdp",
		"rfc4317-3.1-hold.sdp",   "hold-old-style.sdp",
		"softphone.sdp",          "browser.sdp",
		"ipv6-phone.sdp",
	};
	char first[LIMIT_SDP_BYTES];

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct rig *rig = *state;

		strcpy(first, write_file(rig, files[i]));
		expect(rig, first, first);
	}
}

static void version_is_ours_to_say(void **state)
{
	struct rig *rig = *state;

	rig->ours.sess_id = UINT64_C(9223372036854775807);
	rig->ours.sess_version = UINT64_C(9223372036854775807);
	write_from(rig, STR(HEAD "m=audio 4 RTP/AVP 0\r\n"));
	assert_non_null(strstr(rig->text, "o=- 9223372036854775807 "
					  "9223372036854775807 IN IP4 "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
			softphone_offer_leaves_with_our_address_only, setup),
		cmocka_unit_test_setup(
			browser_offer_loses_every_trace_of_its_host, setup),
		cmocka_unit_test_setup(answer_keeps_number_and_order_of_streams,
				       setup),
		cmocka_unit_test_setup(
			stream_without_our_address_is_refused_in_place, setup),
		cmocka_unit_test_setup(streams_past_ours_are_refused, setup),
		cmocka_unit_test_setup(
			description_of_refused_streams_names_no_address, setup),
		cmocka_unit_test_setup(refused_stream_without_formats_gets_one,
				       setup),
		cmocka_unit_test_setup(
			other_address_of_a_stream_is_told_in_its_section,
			setup),
		cmocka_unit_test_setup(
			scope_of_a_link_local_address_stays_at_home, setup),
		cmocka_unit_test_setup(
			rtcp_is_told_when_it_is_not_the_next_port, setup),
		cmocka_unit_test_setup(
			rtcp_at_another_host_is_told_with_its_address, setup),
		cmocka_unit_test_setup(old_style_hold_becomes_a_direction,
				       setup),
		cmocka_unit_test_setup(direction_crosses_unchanged, setup),
		cmocka_unit_test_setup(session_direction_is_told_per_stream,
				       setup),
		cmocka_unit_test_setup(attributes_of_coding_cross, setup),
		cmocka_unit_test_setup(what_a_fax_needs_to_know_crosses, setup),
		cmocka_unit_test_setup(everything_else_stays_here, setup),
		cmocka_unit_test_setup(
			allowed_names_with_strange_values_stay_here, setup),
		cmocka_unit_test_setup(strange_ptime_is_not_told, setup),
		cmocka_unit_test_setup(too_small_a_buffer_is_told, setup),
		cmocka_unit_test_setup(written_text_reads_back_as_itself,
				       setup),
		cmocka_unit_test_setup(version_is_ours_to_say, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
