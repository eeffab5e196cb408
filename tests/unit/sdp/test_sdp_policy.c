/*
 * test_sdp_policy.c - codec lists: what passes and in which order
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
#define AUDIO                                                                  \
	"m=audio 4 RTP/AVP 0 8 96 18 101 13\na=rtpmap:96 opus/48000/2\n"       \
	"a=rtpmap:101 telephone-event/8000\n"
#define VIDEO "m=video 6 RTP/AVP 97 34\na=rtpmap:97 H264/90000\n"

static const char codecs[][LIMIT_NAME_BYTES] = {"opus", "pcma", "PCMU"};

/* The formats of the only line that pass, as "96 8 0". */
static const char *passing(const char *section, const struct sdp_policy *p,
			   bool in_order)
{
	static char said[256];
	struct str out[LIMIT_SDP_FORMATS];
	char text[1024];
	struct sdp *sdp = NULL;
	unsigned n;

	snprintf(text, sizeof(text), HEAD "%s", section);
	assert_int_equal(sdp_read(&sdp, str_of(text)), 0);
	n = sdp_policy_formats(&sdp->media[0], p, in_order, out);
	said[0] = '\0';
	for (unsigned i = 0; i < n; i++)
		snprintf(said + strlen(said), sizeof(said) - strlen(said),
			 "%s" STR_FMT, i ? " " : "", STR_ARG(out[i]));
	sdp_free(sdp);
	return said;
}

static void without_a_list_all_pass_as_they_come(void **state)
{
	const struct sdp_policy p = {.media = SDP_AUDIO};

	assert_string_equal(passing(AUDIO, &p, true), "0 8 96 18 101 13");
}

static void an_offer_has_the_order_of_the_list(void **state)
{
	const struct sdp_policy p = {codecs, 3, SDP_AUDIO};

	assert_string_equal(passing(AUDIO, &p, true), "96 8 0 101 13");
}

static void an_answer_keeps_its_own_order(void **state)
{
	const struct sdp_policy p = {codecs, 3, SDP_AUDIO};

	assert_string_equal(passing(AUDIO, &p, false), "0 8 96 101 13");
}

static void keys_and_comfort_noise_alone_make_no_session(void **state)
{
	const struct sdp_policy p = {codecs, 1, SDP_AUDIO};

	assert_string_equal(passing("m=audio 4 RTP/AVP 0 101 13\n"
				    "a=rtpmap:101 telephone-event/8000\n",
				    &p, true),
			    "");
}

static void a_list_of_audio_codecs_leaves_pictures_alone(void **state)
{
	const struct sdp_policy p = {codecs, 3, SDP_AUDIO | SDP_VIDEO};
	static const char with_video[][LIMIT_NAME_BYTES] = {"PCMA", "H264"};
	const struct sdp_policy q = {with_video, 2, SDP_AUDIO | SDP_VIDEO};

	assert_string_equal(passing(VIDEO, &p, true), "97 34");
	assert_string_equal(passing(VIDEO, &q, true), "97");
}

static void a_kind_that_is_not_allowed_is_refused(void **state)
{
	const struct sdp_policy p = {.media = SDP_AUDIO};

	assert_string_equal(passing(VIDEO, &p, true), "");
	assert_string_equal(passing("m=image 4 udptl t38\n", &p, true), "");
	assert_string_equal(passing("m=application 4 UDP/BFCP *\n", &p, true),
			    "");
}

static void what_is_no_rtp_has_no_codecs_to_filter(void **state)
{
	const struct sdp_policy p = {codecs, 3, SDP_IMAGE | SDP_OTHER};

	assert_string_equal(passing("m=image 4 udptl t38\n", &p, true), "t38");
	assert_string_equal(passing("m=application 4 UDP/BFCP *\n", &p, true),
			    "*");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_list_all_pass_as_they_come),
		cmocka_unit_test(an_offer_has_the_order_of_the_list),
		cmocka_unit_test(an_answer_keeps_its_own_order),
		cmocka_unit_test(keys_and_comfort_noise_alone_make_no_session),
		cmocka_unit_test(a_list_of_audio_codecs_leaves_pictures_alone),
		cmocka_unit_test(a_kind_that_is_not_allowed_is_refused),
		cmocka_unit_test(what_is_no_rtp_has_no_codecs_to_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
