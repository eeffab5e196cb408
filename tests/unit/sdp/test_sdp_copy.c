/*
 * test_sdp_copy.c - a copy is the same and stands by itself
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after its four: */
#include <cmocka.h>
#include <string.h>

#include "sdp/sdp.h"

#define TEXT                                                                   \
	"v=0\no=- 1 2 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n"      \
	"m=audio 4000 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\n"      \
	"a=fmtp:101 0-15\na=sendonly\nm=video 0 RTP/AVP 96\n"                  \
	"a=rtpmap:96 H264/90000\n"

static void a_copy_outlives_what_it_was_made_of(void **state)
{
	struct sdp *sdp, *copy, *again;

	assert_int_equal(sdp_read(&sdp, STR(TEXT)), 0);
	assert_int_equal(sdp_copy(&copy, sdp), 0);
	sdp_free(sdp);
	assert_int_equal(sdp_read(&again, STR(TEXT)), 0);
	assert_true(sdp_same(copy, again));
	assert_int_equal(copy->sess_version, 2);
	assert_true(addr_equal(&copy->origin, &again->origin));
	sdp_free(copy);
	sdp_free(again);
}

static void what_was_put_together_becomes_one(void **state)
{
	struct sdp_media media[2];
	struct sdp own = {.media = media, .n_media = 2}, *sdp, *copy;

	assert_int_equal(sdp_read(&sdp, STR(TEXT)), 0);
	media[0] = sdp->media[1];
	media[1] = sdp->media[0];
	assert_int_equal(sdp_copy(&copy, &own), 0);
	sdp_free(sdp);
	assert_true(str_eq_c(copy->media[0].type, "video"));
	assert_true(str_eq_c(sdp_codec(&copy->media[1], 1), "telephone-event"));
	assert_int_equal(copy->media[1].direction, SDP_SENDONLY);
	assert_null(copy->media[1].attrs[2].value.p);
	sdp_free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_outlives_what_it_was_made_of),
		cmocka_unit_test(what_was_put_together_becomes_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
