/*
 * test_dtmf.c - what phones write into an INFO when a key is pressed
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "leg/dtmf.h"

static void expect(const char *body, uint8_t event, unsigned ms)
{
	struct media_key key;

	assert_int_equal(dtmf_read(&key, str_of(body)), 0);
	assert_int_equal(key.event, event);
	assert_int_equal(key.ms, ms);
}

static void expect_none(struct str body)
{
	struct media_key key = {99, 99};

	assert_int_equal(dtmf_read(&key, body), -EINVAL);
	assert_int_equal(key.event, 99);
}

static void the_usual_forms_are_read(void **state)
{
	expect("Signal=5\r\nDuration=160\r\n", 5, 160);
	expect("Signal= 5\r\nDuration= 250", 5, 250);
	expect("Duration=200\nsignal=#\n", 11, 200);
	expect("\r\nSignal=*\r\n\r\nX-Other=1\r\n", 10, 160);
	expect("5", 5, 160);
	expect("#\r\n", 11, 160);
	expect("d", 15, 160);
}

static void events_may_be_numbers(void **state)
{
	expect("Signal=10\r\n", 10, 160);
	expect("11", 11, 160);
	expect("Signal=15", 15, 160);
	expect_none(STR("Signal=16\r\n"));
}

static void durations_are_bounded(void **state)
{
	expect("Signal=1\r\nDuration=1\r\n", 1, DTMF_MIN_MS);
	expect("Signal=1\r\nDuration=0\r\n", 1, DTMF_MIN_MS);
	expect("Signal=1\r\nDuration=4294967295\r\n", 1, DTMF_MAX_MS);
	expect("Signal=1\r\nDuration=-3\r\n", 1, 160);
	expect("Signal=1\r\nDuration=99999999999999999999\r\n", 1, 160);
}

static void what_says_no_key_is_refused(void **state)
{
	expect_none(STR(""));
	expect_none(STR("Duration=160\r\n"));
	expect_none(STR("Signal=\r\n"));
	expect_none(STR("Signal=x\r\n"));
	expect_none(STR("Signal=1\r\nSignal=2\r\n"));
	expect_none(STR("12 34"));
	expect_none(STR("\0"));
	expect_none(STR("Signal=\0"));
}

static void what_is_written_is_read_again(void **state)
{
	char mem[DTMF_BODY_BYTES];

	for (uint8_t event = 0; event < 16; event++) {
		struct media_key key = {event, DTMF_MAX_MS}, back;

		assert_int_equal(dtmf_read(&back, dtmf_write(&key, mem)), 0);
		assert_int_equal(back.event, event);
		assert_int_equal(back.ms, DTMF_MAX_MS);
	}
	assert_true(str_eq_c(dtmf_write(&(struct media_key){11, 80}, mem),
			     "Signal=#\r\nDuration=80\r\n"));
}

static void only_their_types_are_theirs(void **state)
{
	assert_true(dtmf_is_type("application/dtmf-relay"));
	assert_true(dtmf_is_type("Application/DTMF"));
	assert_false(dtmf_is_type("application/sdp"));
	assert_false(dtmf_is_type("application/dtmf-relayed"));
	assert_false(dtmf_is_type(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_usual_forms_are_read),
		cmocka_unit_test(events_may_be_numbers),
		cmocka_unit_test(durations_are_bounded),
		cmocka_unit_test(what_says_no_key_is_refused),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(only_their_types_are_theirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
