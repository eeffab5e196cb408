/*
 * test_sdp_read.c - reading session descriptions, good, odd and hostile
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
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "sdp/sdp.h"

#define HEAD                                                                   \
	"v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\n"     \
	"t=0 0\r\n"

static int try_read(struct sdp **out, const char *text)
{
	return sdp_read(out, str_of(text));
}

static struct sdp *must_read(const char *text)
{
	struct sdp *sdp = NULL;

	assert_int_equal(try_read(&sdp, text), 0);
	return sdp;
}

static void refuse(const char *text, int err)
{
	struct sdp *sdp = NULL;

	assert_int_equal(try_read(&sdp, text), err);
	assert_null(sdp);
}

static struct sdp *must_read_file(const char *name)
{
	char path[128], text[LIMIT_SDP_BYTES];
	struct sdp *sdp = NULL;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "tests/data/sdp/%s", name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	assert_int_equal(sdp_read(&sdp, (struct str){text, n}), 0);
	return sdp;
}

static void assert_addr(const struct addr *a, const char *expected)
{
	char text[ADDR_TEXT_MAX];

	assert_true(addr_is_set(a));
	assert_string_equal(addr_fmt(a, text), expected);
}

static void assert_str(struct str s, const char *expected)
{
	assert_int_equal(s.n, strlen(expected));
	assert_memory_equal(s.p, expected, s.n);
}

/* ---- RFC examples --------------------------------------------------------- */

static void rfc8866_example_has_an_address_per_section(void **state)
{
	struct sdp *sdp = must_read_file("rfc8866-5.sdp");

	assert_int_equal(sdp->sess_id, 3724394400);
	assert_int_equal(sdp->sess_version, 3724394405);
	assert_int_equal(sdp->n_media, 3);
	assert_addr(&sdp->media[0].rtp, "198.51.100.1:49170");
	assert_addr(&sdp->media[1].rtp, "198.51.100.1:49180");
	assert_addr(&sdp->media[2].rtp, "[2001:db8::2]:51372");
	assert_str(sdp->media[2].formats[0], "99");
	sdp_free(sdp);
}

static void rfc4566_example_inherits_the_session_direction(void **state)
{
	struct sdp *sdp = must_read_file("rfc4566-5.sdp");

	assert_int_equal(sdp->n_media, 2);
	assert_int_equal(sdp->media[0].direction, SDP_RECVONLY);
	assert_int_equal(sdp->media[1].direction, SDP_RECVONLY);
	assert_addr(&sdp->media[0].rtp, "224.2.17.12:49170");
	assert_int_equal(addr_class(&sdp->media[0].rtp), ADDR_MULTICAST);
	sdp_free(sdp);
}

static void rfc3264_answer_keeps_the_refused_stream(void **state)
{
	struct sdp *sdp = must_read_file("rfc3264-10.1-answer.sdp");

	assert_int_equal(sdp->n_media, 3);
	assert_int_equal(sdp->media[1].port, 0);
	assert_str(sdp->media[1].type, "video");
	assert_str(sdp->media[1].formats[0], "31");
	sdp_free(sdp);
}

static void host_name_as_address_leaves_the_address_unset(void **state)
{
	struct sdp *sdp = must_read_file("rfc4317-2.1-offer.sdp");

	assert_int_equal(sdp->media[0].port, 49170);
	assert_int_equal(addr_family(&sdp->media[0].rtp), AF_UNSPEC);
	assert_int_equal(addr_family(&sdp->media[0].rtcp), AF_UNSPEC);
	assert_false(sdp->media[0].held);
	assert_int_equal(sdp->media[0].n_formats, 3);
	sdp_free(sdp);
}

static void rfc4317_hold_is_sendonly(void **state)
{
	struct sdp *sdp = must_read_file("rfc4317-3.1-hold.sdp");

	assert_int_equal(sdp->sess_version, 2890844527);
	assert_int_equal(sdp->media[0].direction, SDP_SENDONLY);
	sdp_free(sdp);
}

static void direction_of_one_section_is_not_that_of_the_next(void **state)
{
	struct sdp *sdp = must_read_file("rfc4317-2.4-offer.sdp");

	assert_int_equal(sdp->media[0].direction, SDP_SENDRECV);
	assert_int_equal(sdp->media[1].direction, SDP_SENDONLY);
	sdp_free(sdp);
}

static void softphone_offer_is_read_whole(void **state)
{
	struct sdp *sdp = must_read_file("softphone.sdp");
	const struct sdp_media *m = &sdp->media[0];

	assert_int_equal(sdp->n_media, 1);
	assert_str(m->type, "audio");
	assert_str(m->proto, "RTP/AVP");
	assert_int_equal(m->n_formats, 5);
	assert_str(m->formats[4], "101");
	assert_int_equal(m->ptime, 20);
	assert_addr(&m->rtcp, "192.168.1.23:4005");
	assert_int_equal(m->n_attrs, 14);
	assert_str(m->attrs[1].name, "rtpmap");
	assert_str(m->attrs[1].value, "96 opus/48000/2");
	assert_null(m->attrs[13].value.p);
	sdp_free(sdp);
}

static void browser_offer_with_mux_is_read(void **state)
{
	struct sdp *sdp = must_read_file("browser.sdp");

	assert_int_equal(sdp->n_media, 2);
	assert_true(sdp->media[0].rtcp_mux);
	assert_false(sdp->media[1].rtcp_mux);
	assert_str(sdp->media[1].proto, "UDP/DTLS/SCTP");
	assert_str(sdp->media[1].formats[0], "webrtc-datachannel");
	sdp_free(sdp);
}

/* ---- addresses ------------------------------------------------------------ */

static void zero_address_is_a_hold(void **state)
{
	struct sdp *sdp = must_read_file("hold-old-style.sdp");

	assert_true(sdp->media[0].held);
	assert_int_equal(sdp->media[0].direction, SDP_SENDRECV);
	sdp_free(sdp);
}

static void zero_ipv6_address_is_a_hold(void **state)
{
	struct sdp *sdp =
		must_read("v=0\no=- 1 1 IN IP6 ::1\ns=-\nc=IN IP6 ::\n"
			  "m=audio 4 RTP/AVP 0\n");

	assert_true(sdp->media[0].held);
	sdp_free(sdp);
}

static void mapped_ipv6_address_becomes_ipv4(void **state)
{
	struct sdp *sdp = must_read(HEAD "m=audio 4000 RTP/AVP 0\r\n"
					 "c=IN IP6 ::ffff:192.0.2.9\r\n");

	assert_addr(&sdp->media[0].rtp, "192.0.2.9:4000");
	sdp_free(sdp);
}

static void absent_address_is_unset(void **state)
{
	struct sdp *sdp = must_read("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n"
				    "m=audio 4000 RTP/AVP 0\r\n");

	assert_int_equal(addr_family(&sdp->media[0].rtp), AF_UNSPEC);
	sdp_free(sdp);
}

static void network_that_is_not_internet_is_unset(void **state)
{
	struct sdp *sdp = must_read(HEAD "m=audio 4000 RTP/AVP 0\r\n"
					 "c=TN RFC2543 +1-201-406-4090\r\n");

	assert_int_equal(addr_family(&sdp->media[0].rtp), AF_UNSPEC);
	sdp_free(sdp);
}

static void scope_id_in_an_address_is_not_ours_to_use(void **state)
{
	struct sdp *sdp = must_read(HEAD "m=audio 4000 RTP/AVP 0\r\n"
					 "c=IN IP6 fe80::1%1\r\n");

	assert_int_equal(addr_family(&sdp->media[0].rtp), AF_UNSPEC);
	sdp_free(sdp);
}

static void layered_addresses_follow_the_first(void **state)
{
	struct sdp *sdp = must_read(HEAD "m=video 4000 RTP/AVP 31\r\n"
					 "c=IN IP4 233.252.0.1/127\r\n"
					 "c=IN IP4 233.252.0.2/127\r\n");

	assert_addr(&sdp->media[0].rtp, "233.252.0.1:4000");
	sdp_free(sdp);
}

static void address_line_with_wrong_number_of_words_is_refused(void **state)
{
	refuse(HEAD "m=audio 4 RTP/AVP 0\r\nc=IN IP4\r\n", -EINVAL);
	refuse(HEAD "m=audio 4 RTP/AVP 0\r\nc=IN IP4 192.0.2.1 x\r\n", -EINVAL);
	refuse(HEAD "m=audio 4 RTP/AVP 0\r\nc=\r\n", -EINVAL);
	refuse(HEAD "m=audio 4 RTP/AVP 0\r\nc=IN IP4 /127\r\n", -EINVAL);
}

/* ---- RTCP ------------------------------------------------------------------- */

static void rtcp_port_defaults_to_the_next(void **state)
{
	struct sdp *sdp = must_read(HEAD "m=audio 4000 RTP/AVP 0\r\n");

	assert_addr(&sdp->media[0].rtcp, "192.0.2.1:4001");
	sdp_free(sdp);
}

static void rtcp_attribute_moves_port_and_address(void **state)
{
	struct sdp *sdp =
		must_read(HEAD "m=audio 4000 RTP/AVP 0\r\na=rtcp:53020\r\n"
			       "m=audio 4002 RTP/AVP 0\r\n"
			       "a=rtcp:53020 IN IP4 126.16.64.4\r\n");

	assert_addr(&sdp->media[0].rtcp, "192.0.2.1:53020");
	assert_addr(&sdp->media[1].rtcp, "126.16.64.4:53020");
	sdp_free(sdp);
}

static void rtcp_attribute_that_is_nonsense_changes_nothing(void **state)
{
	static const char *const bad[] = {"0", "70000", "x", "",
					  "53020 IN IP4 a.example.com"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char text[256];
		struct sdp *sdp;

		snprintf(text, sizeof(text),
			 HEAD "m=audio 4000 RTP/AVP 0\r\na=rtcp:%s\r\n",
			 bad[i]);
		sdp = must_read(text);
		assert_addr(&sdp->media[0].rtcp, "192.0.2.1:4001");
		sdp_free(sdp);
	}
}

static void rtcp_of_the_last_port_has_no_port(void **state)
{
	struct sdp *sdp = must_read(HEAD "m=audio 65535 RTP/AVP 0\r\n");

	assert_int_equal(addr_port(&sdp->media[0].rtcp), 0);
	sdp_free(sdp);
}

/* ---- numbers --------------------------------------------------------------- */

static void ptime_out_of_reason_is_absent(void **state)
{
	static const struct {
		const char *text;
		unsigned ms;
	} cases[] = {
		{"20", 20},   {"5", 5},          {"200", 200},
		{"20.0", 20}, {"4", 0},          {"0", 0},
		{"201", 0},   {"4294967316", 0}, {"99999999999999999999999", 0},
		{"-20", 0},   {"twenty", 0},     {"", 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[256];
		struct sdp *sdp;

		snprintf(text, sizeof(text),
			 HEAD "m=audio 4000 RTP/AVP 0\r\na=ptime:%s\r\n",
			 cases[i].text);
		sdp = must_read(text);
		assert_int_equal(sdp->media[0].ptime, cases[i].ms);
		sdp_free(sdp);
	}
}

static void bandwidth_lines_are_numbers_of_their_section(void **state)
{
	struct sdp *sdp = must_read_file("softphone.sdp");
	const uint32_t *bw = sdp->media[0].bandwidth;

	assert_int_equal(bw[SDP_BW_AS], SDP_BW_ABSENT); /* session level */
	assert_int_equal(bw[SDP_BW_TIAS], 64000);
	assert_int_equal(bw[SDP_BW_RS], 0);
	assert_int_equal(bw[SDP_BW_RR], 2000);
	sdp_free(sdp);
}

static void bandwidth_that_is_no_number_is_left_out(void **state)
{
	struct sdp *sdp =
		must_read(HEAD "m=audio 4000 RTP/AVP 0\r\nb=AS:many\r\n"
			       "b=TIAS:99999999999\r\nb=RS\r\n");

	for (unsigned i = 0; i < SDP_BWS; i++)
		assert_int_equal(sdp->media[0].bandwidth[i], SDP_BW_ABSENT);
	sdp_free(sdp);
}

static void origin_numbers_of_any_length_are_read(void **state)
{
	struct sdp *sdp = must_read(
		"v=0\r\no=- 18446744073709551615 18446744073709551617 IN IP4 x\r\n"
		"m=audio 4 RTP/AVP 0\r\n");

	assert_true(sdp->sess_id == UINT64_MAX);
	assert_int_equal(sdp->sess_version, 1);
	sdp_free(sdp);
}

static void port_out_of_range_is_refused(void **state)
{
	refuse(HEAD "m=audio 65536 RTP/AVP 0\r\n", -EINVAL);
	refuse(HEAD "m=audio -1 RTP/AVP 0\r\n", -EINVAL);
	refuse(HEAD "m=audio 0x10 RTP/AVP 0\r\n", -EINVAL);
	refuse(HEAD "m=audio 4294967296 RTP/AVP 0\r\n", -EINVAL);
}

static void port_count_is_taken_and_ignored(void **state)
{
	struct sdp *sdp = must_read(HEAD "m=video 49170/2 RTP/AVP 31\r\n");

	assert_int_equal(sdp->media[0].port, 49170);
	sdp_free(sdp);
	refuse(HEAD "m=video 49170/0 RTP/AVP 31\r\n", -EINVAL);
	refuse(HEAD "m=video 49170/ RTP/AVP 31\r\n", -EINVAL);
}

static void payload_type_above_127_is_refused(void **state)
{
	refuse(HEAD "m=audio 4 RTP/AVP 128\r\n", -EINVAL);
	refuse(HEAD "m=audio 4 RTP/AVP 0 999999999999\r\n", -EINVAL);
	refuse(HEAD "m=audio 4 RTP/AVPF opus\r\n", -EINVAL);
	refuse(HEAD "m=audio 4 RTP/SAVP -1\r\n", -EINVAL);
}

/* ---- the m= lines that kill the library's parser ---------------------------- */

static void killer_media_lines_are_refused_at_once(void **state)
{
	static const char *const killers[] = {
		"m=image 4000 udptl @",
		"m=audio 49152 TCP/\xc4/MSRP 3",
		"m=audio 49152 TCP/\xc3\x84/MSRP 3",
		"m=image 4000 udptl t38 @",
		"m=audio 4000 RTP/AVPF @",
		"m=audio 4000 RTP/SAVPF (",
		"m=audio 4000 UDP/TLS/RTP/SAVPF ,",
		"m=application 4000 TCP/MRCPv2 \"1\"",
		"m=audio 4000 RTP//AVP 0",
		"m=audio 4000 /RTP/AVP 0",
		"m=audio 4000 RTP/AVP/ 0",
		"m=a/b 4000 RTP/AVP 0",
		"m=\xff 4000 RTP/AVP 0",
		"m=audio 4000 RTP/AVP 0 \x80",
	};

	for (size_t i = 0; i < sizeof(killers) / sizeof(*killers); i++) {
		char text[256];

		snprintf(text, sizeof(text), HEAD "%s\r\n", killers[i]);
		refuse(text, -EINVAL);
	}
}

static void media_line_without_all_its_words_is_refused(void **state)
{
	refuse(HEAD "m=\r\n", -EINVAL);
	refuse(HEAD "m=audio\r\n", -EINVAL);
	refuse(HEAD "m=audio 4000\r\n", -EINVAL);
	refuse(HEAD "m=audio 4000 RTP/AVP\r\n", -EINVAL);
	refuse(HEAD "m=audio 4000 RTP/AVP \r\n", -EINVAL);
}

static void refused_stream_may_come_without_formats(void **state)
{
	struct sdp *sdp = must_read(HEAD "m=video 0 RTP/AVP\r\n");

	assert_int_equal(sdp->media[0].n_formats, 0);
	sdp_free(sdp);
}

static void extra_spaces_in_a_media_line_do_no_harm(void **state)
{
	struct sdp *sdp = must_read(HEAD "m=audio  4000 RTP/AVP 0  8 \r\n");

	assert_int_equal(sdp->media[0].n_formats, 2);
	assert_str(sdp->media[0].formats[1], "8");
	sdp_free(sdp);
}

/* ---- lines ------------------------------------------------------------------ */

static void bare_line_feeds_are_taken(void **state)
{
	struct sdp *sdp = must_read("v=0\no=- 1 1 IN IP4 h\ns=-\nm=audio 4 "
				    "RTP/AVP 0");

	assert_int_equal(sdp->n_media, 1);
	sdp_free(sdp);
}

static void empty_lines_are_taken_at_the_end_only(void **state)
{
	struct sdp *sdp = must_read(HEAD "m=audio 4 RTP/AVP 0\r\n\r\n\r\n");

	sdp_free(sdp);
	refuse(HEAD "\r\nm=audio 4 RTP/AVP 0\r\n", -EINVAL);
}

static void unknown_line_types_are_skipped(void **state)
{
	struct sdp *sdp = must_read(HEAD "q=what\r\nm=audio 4 RTP/AVP 0\r\n"
					 "x=more\r\ni=\r\n");

	sdp_free(sdp);
}

static void line_that_is_no_line_is_refused(void **state)
{
	refuse(HEAD "m=audio 4 RTP/AVP 0\r\nhello\r\n", -EINVAL);
	refuse(HEAD "m=audio 4 RTP/AVP 0\r\na\r\n", -EINVAL);
	refuse(HEAD "m=audio 4 RTP/AVP 0\r\n =\r\n", -EINVAL);
	refuse(HEAD "m=audio 4 RTP/AVP 0\r\nA=sendrecv\r\n", -EINVAL);
	refuse(HEAD "m=audio 4 RTP/AVP 0\r\n<xml/>\r\n", -EINVAL);
}

static void control_bytes_are_refused_wherever_they_stand(void **state)
{
	refuse(HEAD "m=audio 4 RTP/AVP 0\r\na=fmtp:0 a\rb\r\n", -EINVAL);
	refuse(HEAD "m=audio 4 RTP/AVP 0\r\na=fmtp:0 a\x01\r\n", -EINVAL);
	refuse(HEAD "m=audio 4 RTP/AVP 0\r\na=fmtp:0 a\x0b\r\n", -EINVAL);
	refuse(HEAD "m=audio 4 RTP/AVP 0\r\na=fmtp:0 a\x7f\r\n", -EINVAL);
	refuse(HEAD "m=audio\t4 RTP/AVP 0\r\n", -EINVAL);
	refuse("v=0\r\no=- 1 1 IN IP4 h\r\ns=\x1b[2J\r\nm=audio 4 RTP/AVP "
	       "0\r\n",
	       -EINVAL);
}

static void zero_byte_is_refused(void **state)
{
	static const char text[] = HEAD "m=audio 4 RTP/AVP 0\r\na=x:\0y\r\n";
	struct sdp *sdp = NULL;

	assert_int_equal(sdp_read(&sdp, STR(text)), -EINVAL);
}

static void what_is_not_a_session_description_is_refused(void **state)
{
	refuse("", -EINVAL);
	refuse("\r\n", -EINVAL);
	refuse("v=0\r\n", -EINVAL);
	refuse(HEAD, -EINVAL); /* nothing to talk about */
	refuse("m=audio 4 RTP/AVP 0\r\n", -EINVAL);
	refuse("o=- 1 1 IN IP4 h\r\nv=0\r\nm=audio 4 RTP/AVP 0\r\n", -EINVAL);
	refuse("v=1\r\no=- 1 1 IN IP4 h\r\nm=audio 4 RTP/AVP 0\r\n", -EINVAL);
	refuse("v=0\r\ns=-\r\nm=audio 4 RTP/AVP 0\r\n", -EINVAL);
	refuse("{\"sdp\": \"m=audio 4 RTP/AVP 0\"}", -EINVAL);
}

static void second_version_or_origin_is_refused(void **state)
{
	refuse(HEAD "v=0\r\nm=audio 4 RTP/AVP 0\r\n", -EINVAL);
	refuse(HEAD "o=- 1 2 IN IP4 h\r\nm=audio 4 RTP/AVP 0\r\n", -EINVAL);
	refuse(HEAD "m=audio 4 RTP/AVP 0\r\no=- 1 2 IN IP4 h\r\n", -EINVAL);
}

static void origin_user_with_spaces_is_tolerated(void **state)
{
	struct sdp *sdp =
		must_read("v=0\r\no=Front Desk 7 8 IN IP4 192.0.2.1\r\n"
			  "m=audio 4 RTP/AVP 0\r\n");

	assert_int_equal(sdp->sess_id, 7);
	assert_int_equal(sdp->sess_version, 8);
	sdp_free(sdp);
}

static void origin_that_lacks_something_is_refused(void **state)
{
	static const char *const bad[] = {"- 1 IN IP4 h",
					  "- x 1 IN IP4 h",
					  "- 1 -1 IN IP4 h",
					  "1 1 IN IP4 h",
					  "",
					  "- 1 1 IN IP4"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char text[256];

		snprintf(text, sizeof(text),
			 "v=0\r\no=%s\r\nm=audio 4 RTP/AVP 0\r\n", bad[i]);
		refuse(text, -EINVAL);
	}
}

static void attribute_without_a_good_name_is_left_out(void **state)
{
	struct sdp *sdp = must_read(HEAD "m=audio 4 RTP/AVP 0\r\na=\r\na=:x\r\n"
					 "a=two words:x\r\na=good:x\r\n");

	assert_int_equal(sdp->media[0].n_attrs, 1);
	assert_str(sdp->media[0].attrs[0].name, "good");
	sdp_free(sdp);
}

static void direction_with_a_value_is_no_direction(void **state)
{
	struct sdp *sdp =
		must_read(HEAD "m=audio 4 RTP/AVP 0\r\na=inactive:1\r\n");

	assert_int_equal(sdp->media[0].direction, SDP_SENDRECV);
	sdp_free(sdp);
}

/* ---- limits ----------------------------------------------------------------- */

static char *repeat(char *out, size_t cap, const char *head, const char *line,
		    unsigned times)
{
	struct buf b;

	buf_init(&b, out, cap);
	buf_puts(&b, head);
	while (times--)
		buf_puts(&b, line);
	assert_false(b.overflow);
	return out;
}

static void media_lines_are_limited(void **state)
{
	char text[LIMIT_SDP_BYTES];
	struct sdp *sdp;

	sdp = must_read(repeat(text, sizeof(text), HEAD,
			       "m=audio 4 RTP/AVP 0\r\n", LIMIT_SDP_MEDIA));
	assert_int_equal(sdp->n_media, LIMIT_SDP_MEDIA);
	sdp_free(sdp);
	refuse(repeat(text, sizeof(text), HEAD, "m=audio 4 RTP/AVP 0\r\n",
		      LIMIT_SDP_MEDIA + 1),
	       -E2BIG);
}

static void formats_are_limited(void **state)
{
	char text[LIMIT_SDP_BYTES];
	struct sdp *sdp;

	sdp = must_read(repeat(text, sizeof(text), HEAD "m=audio 4 RTP/AVP",
			       " 96", LIMIT_SDP_FORMATS));
	assert_int_equal(sdp->media[0].n_formats, LIMIT_SDP_FORMATS);
	sdp_free(sdp);
	refuse(repeat(text, sizeof(text), HEAD "m=audio 4 RTP/AVP", " 96",
		      LIMIT_SDP_FORMATS + 1),
	       -E2BIG);
}

static void attributes_are_limited(void **state)
{
	char text[LIMIT_SDP_BYTES];
	struct sdp *sdp;

	sdp = must_read(repeat(text, sizeof(text),
			       HEAD "m=audio 4 RTP/AVP 0\r\n", "a=x:1\r\n",
			       LIMIT_SDP_ATTRS));
	assert_int_equal(sdp->media[0].n_attrs, LIMIT_SDP_ATTRS);
	sdp_free(sdp);
	refuse(repeat(text, sizeof(text), HEAD "m=audio 4 RTP/AVP 0\r\n",
		      "a=x:1\r\n", LIMIT_SDP_ATTRS + 1),
	       -E2BIG);
}

static void whole_text_is_limited(void **state)
{
	char text[LIMIT_SDP_BYTES + 256];

	refuse(repeat(text, sizeof(text), HEAD "m=audio 4 RTP/AVP 0\r\ni=", "x",
		      LIMIT_SDP_BYTES),
	       -E2BIG);
}

static void description_does_not_lean_on_the_callers_text(void **state)
{
	char text[] = HEAD "m=audio 4 RTP/AVP 0 8\r\n";
	struct sdp *sdp = must_read(text);

	memset(text, 'x', sizeof(text));
	assert_str(sdp->media[0].formats[1], "8");
	sdp_free(sdp);
}

/* A held call keeps two of them for hours. */
static void usual_description_is_kept_in_under_3_kb(void **state)
{
	struct sdp *sdp = must_read_file("softphone.sdp");

	assert_in_range(malloc_usable_size(sdp), 1, 3072);
	sdp_free(sdp);
}

static void free_accepts_nothing(void **state)
{
	sdp_free(NULL);
}

static void the_origin_is_an_address_or_nothing(void **state)
{
	struct sdp *sdp = must_read(HEAD "m=audio 4000 RTP/AVP 0\r\n");
	char text[ADDR_TEXT_MAX];

	assert_string_equal(addr_fmt_host(&sdp->origin, text), "192.0.2.1");
	sdp_free(sdp);
	sdp = must_read("v=0\r\no=- 1 2 IN IP4 phone.example\r\ns=-\r\n"
			"c=IN IP4 192.0.2.1\r\nt=0 0\r\n"
			"m=audio 4000 RTP/AVP 0\r\n");
	assert_false(addr_is_set(&sdp->origin));
	sdp_free(sdp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc8866_example_has_an_address_per_section),
		cmocka_unit_test(
			rfc4566_example_inherits_the_session_direction),
		cmocka_unit_test(rfc3264_answer_keeps_the_refused_stream),
		cmocka_unit_test(host_name_as_address_leaves_the_address_unset),
		cmocka_unit_test(rfc4317_hold_is_sendonly),
		cmocka_unit_test(
			direction_of_one_section_is_not_that_of_the_next),
		cmocka_unit_test(softphone_offer_is_read_whole),
		cmocka_unit_test(browser_offer_with_mux_is_read),
		cmocka_unit_test(zero_address_is_a_hold),
		cmocka_unit_test(zero_ipv6_address_is_a_hold),
		cmocka_unit_test(mapped_ipv6_address_becomes_ipv4),
		cmocka_unit_test(absent_address_is_unset),
		cmocka_unit_test(network_that_is_not_internet_is_unset),
		cmocka_unit_test(scope_id_in_an_address_is_not_ours_to_use),
		cmocka_unit_test(layered_addresses_follow_the_first),
		cmocka_unit_test(
			address_line_with_wrong_number_of_words_is_refused),
		cmocka_unit_test(rtcp_port_defaults_to_the_next),
		cmocka_unit_test(rtcp_attribute_moves_port_and_address),
		cmocka_unit_test(
			rtcp_attribute_that_is_nonsense_changes_nothing),
		cmocka_unit_test(rtcp_of_the_last_port_has_no_port),
		cmocka_unit_test(ptime_out_of_reason_is_absent),
		cmocka_unit_test(bandwidth_lines_are_numbers_of_their_section),
		cmocka_unit_test(bandwidth_that_is_no_number_is_left_out),
		cmocka_unit_test(origin_numbers_of_any_length_are_read),
		cmocka_unit_test(port_out_of_range_is_refused),
		cmocka_unit_test(port_count_is_taken_and_ignored),
		cmocka_unit_test(payload_type_above_127_is_refused),
		cmocka_unit_test(killer_media_lines_are_refused_at_once),
		cmocka_unit_test(media_line_without_all_its_words_is_refused),
		cmocka_unit_test(refused_stream_may_come_without_formats),
		cmocka_unit_test(extra_spaces_in_a_media_line_do_no_harm),
		cmocka_unit_test(bare_line_feeds_are_taken),
		cmocka_unit_test(empty_lines_are_taken_at_the_end_only),
		cmocka_unit_test(unknown_line_types_are_skipped),
		cmocka_unit_test(line_that_is_no_line_is_refused),
		cmocka_unit_test(control_bytes_are_refused_wherever_they_stand),
		cmocka_unit_test(zero_byte_is_refused),
		cmocka_unit_test(what_is_not_a_session_description_is_refused),
		cmocka_unit_test(second_version_or_origin_is_refused),
		cmocka_unit_test(origin_user_with_spaces_is_tolerated),
		cmocka_unit_test(origin_that_lacks_something_is_refused),
		cmocka_unit_test(attribute_without_a_good_name_is_left_out),
		cmocka_unit_test(direction_with_a_value_is_no_direction),
		cmocka_unit_test(media_lines_are_limited),
		cmocka_unit_test(formats_are_limited),
		cmocka_unit_test(attributes_are_limited),
		cmocka_unit_test(whole_text_is_limited),
		cmocka_unit_test(description_does_not_lean_on_the_callers_text),
		cmocka_unit_test(usual_description_is_kept_in_under_3_kb),
		cmocka_unit_test(free_accepts_nothing),
		cmocka_unit_test(the_origin_is_an_address_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
