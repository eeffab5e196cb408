/*
 * test_refer_to.c - Refer-To and Replaces as peers write them
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sip/sip.h"

static struct sip_refer_to to;

static int read_to(const char *text)
{
	memset(&to, 0, sizeof(to));
	return sip_refer_to_parse(&to, str_of(text));
}

static void a_name_and_brackets_may_stand_around_the_uri(void **state)
{
	static const char *const forms[] = {
		"sip:carol@box.test",
		"<sip:carol@box.test>",
		"\"Carol <c>\" <sip:carol@box.test:5070;transport=tcp>;x=y",
		"Carol <SIP:carol:pw@box.test>",
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		assert_int_equal(read_to(forms[i]), 0);
		assert_string_equal(to.user, "carol");
		assert_string_equal(to.host, "box.test");
		assert_int_equal(to.method, SIP_INVITE);
		assert_false(to.has_replaces);
	}
}

static void a_user_loses_its_escapes(void **state)
{
	assert_int_equal(read_to("<sip:*21%23@[2001:db8::1]:5060>"), 0);
	assert_string_equal(to.user, "*21#");
	assert_string_equal(to.host, "2001:db8::1");
}

static void a_tel_uri_is_a_number(void **state)
{
	assert_int_equal(read_to("<tel:+4930123;ext=4>"), 0);
	assert_string_equal(to.user, "+4930123");
	assert_string_equal(to.host, "");
}

static void replaces_comes_out_of_the_uris_headers(void **state)
{
	assert_int_equal(read_to("<sip:c@h?Replaces=12%40a%3Bto-tag%3D7"
				 "%3Bfrom-tag%3Dz%3Bearly-only&Require=x>"),
			 0);
	assert_true(to.has_replaces);
	assert_string_equal(to.replaces.call_id, "12@a");
	assert_string_equal(to.replaces.to_tag, "7");
	assert_string_equal(to.replaces.from_tag, "z");
	assert_true(to.replaces.early_only);
}

/* As some phones write it, though '@' is to be escaped there. */
static void a_raw_at_sign_in_the_call_id_is_no_user(void **state)
{
	assert_int_equal(read_to("<sip:h?replaces=12@a;from-tag=z;to-tag=7>"),
			 0);
	assert_string_equal(to.user, "");
	assert_string_equal(to.host, "h");
	assert_string_equal(to.replaces.call_id, "12@a");
	assert_false(to.replaces.early_only);
}

static void another_method_is_told(void **state)
{
	assert_int_equal(read_to("<sip:c@h;method=INVITE>"), 0);
	assert_int_equal(to.method, SIP_INVITE);
	assert_int_equal(read_to("<sip:c@h;method=BYE>"), 0);
	assert_int_equal(to.method, SIP_UNKNOWN);
}

static void what_is_malformed_is_refused(void **state)
{
	static const char *const forms[] = {
		"",
		"<>",
		"<sip:>",
		"<sip:a@>",
		"<sip:a%0Db@h>",
		"<sip:a%4@h>",
		"<sip:a%@h>",
		"<sip:a%zz@h>",
		"<sip:a@h?Replaces=>",
		"<sip:a@h?Replaces=id>",
		"<sip:a@h?Replaces=id%3Bto-tag%3D1>",
		"<sip:a@h?Replaces=id%3Bto-tag%3D%3Bfrom-tag%3D2>",
		"<sip:a@h?Replaces=%3Bto-tag%3D1%3Bfrom-tag%3D2>",
		"<sip:a@h?Replaces=i%20d%3Bto-tag%3D1%3Bfrom-tag%3D2>",
		"<sip:a@h?Replaces=i%0Ad%3Bto-tag%3D1%3Bfrom-tag%3D2>",
		"<sip:a@h?Replaces=i%3Bto-tag%3D1%3Bto-tag%3D2%3Bfrom-tag%3D3>",
		"<sip:a@h?Replaces=a;to-tag=1;from-tag=2&Replaces="
		"b;to-tag=1;from-tag=2>",
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		assert_int_equal(read_to(forms[i]), -EINVAL);
}

static void what_is_too_long_is_refused(void **state)
{
	char text[2000];

	snprintf(text, sizeof(text), "<sip:%0*d@h>", LIMIT_USER_BYTES, 0);
	assert_int_equal(read_to(text), -EINVAL);
	snprintf(text, sizeof(text), "<sip:a@%0*d>", 256, 0);
	assert_int_equal(read_to(text), -EINVAL);
	snprintf(text, sizeof(text),
		 "<sip:a@h?Replaces=%0*d;to-tag=1;"
		 "from-tag=2>",
		 LIMIT_CALLID_BYTES + 1, 0);
	assert_int_equal(read_to(text), -EINVAL);
	snprintf(text, sizeof(text),
		 "<sip:a@h?Replaces=a;to-tag=%0*d;"
		 "from-tag=2>",
		 128, 0);
	assert_int_equal(read_to(text), -EINVAL);
}

static void another_scheme_is_told_apart(void **state)
{
	assert_int_equal(read_to("<sips:a@h>"), -EPROTONOSUPPORT);
	assert_int_equal(read_to("<http://h/>"), -EPROTONOSUPPORT);
	assert_int_equal(read_to("carol:x"), -EPROTONOSUPPORT);
}

static void a_replaces_header_is_read(void **state)
{
	struct sip_replaces r;

	assert_int_equal(
		sip_replaces_parse(&r, STR("98@h ; from-tag = f; to-tag=t;x")),
		0);
	assert_string_equal(r.call_id, "98@h");
	assert_string_equal(r.to_tag, "t");
	assert_string_equal(r.from_tag, "f");
	assert_int_equal(sip_replaces_parse(&r, STR("98@h;to-tag=t")), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_and_brackets_may_stand_around_the_uri),
		cmocka_unit_test(a_user_loses_its_escapes),
		cmocka_unit_test(a_tel_uri_is_a_number),
		cmocka_unit_test(replaces_comes_out_of_the_uris_headers),
		cmocka_unit_test(a_raw_at_sign_in_the_call_id_is_no_user),
		cmocka_unit_test(another_method_is_told),
		cmocka_unit_test(what_is_malformed_is_refused),
		cmocka_unit_test(what_is_too_long_is_refused),
		cmocka_unit_test(another_scheme_is_told_apart),
		cmocka_unit_test(a_replaces_header_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
