/*
 * test_rand.c - random numbers and tokens
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/rand.h"

static void token_is_letters_and_digits_of_the_asked_length(void **state)
{
	char text[25];

	for (size_t n = 0; n < sizeof(text); n++) {
		memset(text, '!', sizeof(text));
		assert_ptr_equal(rand_token(text, n), text);
		assert_int_equal(strlen(text), n);
		for (size_t i = 0; i < n; i++)
			assert_true(isalnum((unsigned char)text[i]));
	}
}

static void tokens_do_not_repeat(void **state)
{
	static char seen[1000][17];

	for (int i = 0; i < 1000; i++) {
		rand_token(seen[i], 16);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(seen[i], seen[j]);
	}
}

static void every_letter_of_the_alphabet_comes_up(void **state)
{
	unsigned count[256] = {0}, kinds = 0;
	char text[101];

	for (int i = 0; i < 100; i++) {
		rand_token(text, 100);
		for (int j = 0; j < 100; j++)
			count[(unsigned char)text[j]]++;
	}
	/* 161 of each are expected; 60 is eight deviations away. */
	for (int c = 0; c < 256; c++) {
		kinds += count[c] > 0;
		assert_true(!count[c] || (count[c] > 60 && count[c] < 262));
	}
	assert_int_equal(kinds, 62);
}

static void below_stays_below_and_reaches_all(void **state)
{
	unsigned seen[6] = {0};

	for (int i = 0; i < 6000; i++) {
		uint32_t v = rand_below(6);

		assert_true(v < 6);
		seen[v]++;
	}
	for (int i = 0; i < 6; i++)
		assert_in_range(seen[i], 700, 1300);
	assert_int_equal(rand_below(1), 0);
}

static void large_and_small_requests_fill_every_byte(void **state)
{
	static const size_t sizes[] = {1, 16, 255, 256, 257, 5000};
	uint8_t or_ed[5000], bytes[5001];

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		size_t n = sizes[s];

		memset(or_ed, 0, n);
		bytes[n] = 0xa5;
		/* A byte that stays 0 in 16 rounds has 2^-128. */
		for (int round = 0; round < 16; round++) {
			rand_bytes(bytes, n);
			for (size_t i = 0; i < n; i++)
				or_ed[i] |= bytes[i];
		}
		for (size_t i = 0; i < n; i++)
			assert_int_not_equal(or_ed[i], 0);
		assert_int_equal(bytes[n], 0xa5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			token_is_letters_and_digits_of_the_asked_length),
		cmocka_unit_test(tokens_do_not_repeat),
		cmocka_unit_test(every_letter_of_the_alphabet_comes_up),
		cmocka_unit_test(below_stays_below_and_reaches_all),
		cmocka_unit_test(large_and_small_requests_fill_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
