/*
 * test_number.c - forms of a telephone number
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

#include "route/route.h"

static const struct conf_trunk berlin = {
	.country_code = "49",
	.area_code = "30",
	.international_prefix = "00",
	.national_prefix = "0",
};

static const struct conf_trunk rome = {
	.country_code = "39",
	.international_prefix = "00",
};

static const struct conf_trunk chicago = {
	.country_code = "1",
	.international_prefix = "011",
	.national_prefix = "1",
};

static const struct conf_trunk unplanned = {
	.international_prefix = "00",
	.national_prefix = "0",
};

static void reads(const struct conf_trunk *t, const char *number,
		  enum route_plan plan, const char *inside)
{
	char out[LIMIT_USER_BYTES];

	assert_int_equal(route_number_read(t, number, out), plan);
	assert_string_equal(out, inside);
}

static void prefixes_tell_what_a_number_means(void **state)
{
	reads(&berlin, "+49301234", PLAN_GLOBAL, "+49301234");
	reads(&berlin, "004420123456", PLAN_INTERNATIONAL, "+4420123456");
	reads(&berlin, "030123", PLAN_NATIONAL, "+4930123");
	reads(&berlin, "1234567", PLAN_LOCAL, "+49301234567");
	reads(&chicago, "01149301234", PLAN_INTERNATIONAL, "+49301234");
	reads(&chicago, "13125550100", PLAN_NATIONAL, "+13125550100");
	reads(&rome, "0612345678", PLAN_NATIONAL, "+390612345678");
}

static void without_a_country_nothing_is_read(void **state)
{
	reads(&unplanned, "00493012345", PLAN_ASIS, "00493012345");
	reads(&unplanned, "03012345", PLAN_ASIS, "03012345");
	reads(&unplanned, "+493012345", PLAN_GLOBAL, "+493012345");
}

static void what_is_no_subscribers_number_stays(void **state)
{
	static const char *const others[] = {"112",  "116117", "0",     "00",
					     "0049", "joe",    "*21#",  "+",
					     "+49x", "",       "123456"};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		reads(&berlin, others[i], PLAN_ASIS, others[i]);
	/* The prefix of this country is the first digit of extensions. */
	reads(&chicago, "1234", PLAN_ASIS, "1234");
	reads(&chicago, "112", PLAN_ASIS, "112");
	reads(&rome, "112", PLAN_ASIS, "112");
}

static void a_plain_number_begins_with_a_country_code(void **state)
{
	struct conf_trunk t = berlin;

	t.numbers = CONF_NUMBERS_PLAIN;
	reads(&t, "49301234", PLAN_PLAIN, "+49301234");
	reads(&t, "442012345", PLAN_PLAIN, "+442012345");
	reads(&t, "112", PLAN_ASIS, "112");
}

static void a_number_that_would_not_fit_stays(void **state)
{
	char number[LIMIT_USER_BYTES], out[LIMIT_USER_BYTES];

	memset(number, '1', sizeof(number));
	number[0] = '0';
	number[LIMIT_USER_BYTES - 1] = '\0';
	assert_int_equal(route_number_read(&berlin, number, out), PLAN_ASIS);
	assert_string_equal(out, number);
}

static void sends(enum conf_numbers form, const char *number, const char *sent)
{
	struct conf_trunk t = berlin;
	char out[LIMIT_USER_BYTES];

	t.numbers = form;
	route_number_to(&t, number, out);
	assert_string_equal(out, sent);
}

static void each_form_is_written(void **state)
{
	sends(CONF_NUMBERS_E164, "030123", "+4930123");
	sends(CONF_NUMBERS_E164, "+4420123", "+4420123");
	sends(CONF_NUMBERS_PLAIN, "+4930123", "4930123");
	sends(CONF_NUMBERS_INTERNATIONAL, "030123", "004930123");
	sends(CONF_NUMBERS_NATIONAL, "+4930123", "030123");
	sends(CONF_NUMBERS_NATIONAL, "1234567", "0301234567");
	sends(CONF_NUMBERS_NATIONAL, "+4420123", "004420123");
}

static void asis_changes_nothing(void **state)
{
	sends(CONF_NUMBERS_ASIS, "030123", "030123");
	sends(CONF_NUMBERS_ASIS, "+4930123", "+4930123");
}

static void what_no_plan_explains_is_sent_as_it_is(void **state)
{
	sends(CONF_NUMBERS_E164, "101", "101");
	sends(CONF_NUMBERS_NATIONAL, "joe", "joe");
	sends(CONF_NUMBERS_PLAIN, "+49x", "+49x");
	sends(CONF_NUMBERS_PLAIN, "", "");
}

static void form_and_reading_agree(void **state)
{
	static const enum conf_numbers forms[] = {
		CONF_NUMBERS_E164, CONF_NUMBERS_PLAIN,
		CONF_NUMBERS_INTERNATIONAL, CONF_NUMBERS_NATIONAL};
	static const char *const numbers[] = {"+49301234567", "+4420123456"};

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
		for (size_t n = 0; n < 2; n++) {
			struct conf_trunk t = berlin;
			char sent[LIMIT_USER_BYTES], back[LIMIT_USER_BYTES];

			t.numbers = forms[i];
			route_number_to(&t, numbers[n], sent);
			route_number_read(&t, sent, back);
			assert_string_equal(back, numbers[n]);
		}
}

static void tel(const char *uri, const char *number)
{
	char out[LIMIT_USER_BYTES] = "";

	assert_int_equal(route_number_of_tel(uri, out), 0);
	assert_string_equal(out, number);
}

static void a_tel_uri_loses_its_separators(void **state)
{
	tel("tel:+49-30-12.34", "+49301234");
	tel("TEL:(030)1234", "0301234");
	tel("tel:+49301234;isub=12", "+49301234");
	tel("tel:*21#", "*21#");
}

static void a_phone_context_is_put_before_a_local_number(void **state)
{
	tel("tel:1234;phone-context=+49-30", "+49301234");
	tel("tel:1234;ext=5;Phone-Context=+4930", "+49301234");
	tel("tel:1234;phone-context=example.com", "1234");
	tel("tel:+441;phone-context=+49", "+441");
}

static void what_is_no_tel_uri_is_refused(void **state)
{
	char out[LIMIT_USER_BYTES], text[400] = "tel:";

	assert_int_equal(route_number_of_tel("sip:1@h", out), -EINVAL);
	assert_int_equal(route_number_of_tel("tel:", out), -EINVAL);
	assert_int_equal(route_number_of_tel("tel:+49\r\nX", out), -EINVAL);
	assert_int_equal(route_number_of_tel("tel:1;phone-context=+4\x01", out),
			 -EINVAL);
	assert_int_equal(route_number_of_tel("tel:;x=y", out), -EINVAL);
	assert_int_equal(route_number_of_tel("tel:--", out), -EINVAL);
	assert_int_equal(route_number_of_tel("tel", out), -EINVAL);
	assert_int_equal(route_number_of_tel("", out), -EINVAL);
	memset(text + 4, '1', LIMIT_USER_BYTES);
	assert_int_equal(route_number_of_tel(text, out), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_tell_what_a_number_means),
		cmocka_unit_test(without_a_country_nothing_is_read),
		cmocka_unit_test(what_is_no_subscribers_number_stays),
		cmocka_unit_test(a_plain_number_begins_with_a_country_code),
		cmocka_unit_test(a_number_that_would_not_fit_stays),
		cmocka_unit_test(each_form_is_written),
		cmocka_unit_test(asis_changes_nothing),
		cmocka_unit_test(what_no_plan_explains_is_sent_as_it_is),
		cmocka_unit_test(form_and_reading_agree),
		cmocka_unit_test(a_tel_uri_loses_its_separators),
		cmocka_unit_test(a_phone_context_is_put_before_a_local_number),
		cmocka_unit_test(what_is_no_tel_uri_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
