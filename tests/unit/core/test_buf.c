/*
 * test_buf.c - slices, the reader that cannot run past the end, the writer
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/buf.h"

#define assert_str(s, text) assert_true(str_eq_c(s, text))

static void null_text_is_an_empty_slice(void **state)
{
	struct str s = str_of(NULL);

	assert_null(s.p);
	assert_int_equal(s.n, 0);
	assert_true(str_eq_c(s, ""));
	assert_true(str_eq(s, s));
}

static void equality_minds_case_only_where_asked(void **state)
{
	assert_true(str_eq_c(STR("Via"), "Via"));
	assert_false(str_eq_c(STR("Via"), "via"));
	assert_false(str_eq_c(STR("Via"), "Vi"));
	assert_true(str_case_eq_c(STR("Via"), "vIA"));
	assert_false(str_case_eq_c(STR("Via"), "Vib"));
	/* '@' and '[' lie beside the letters, 0xC4 is a letter in Latin-1. */
	assert_false(str_case_eq_c(STR("@["), "`{"));
	assert_false(str_case_eq_c(STR("\xc4"), "\xe4"));
}

static void trim_takes_blanks_from_both_ends_only(void **state)
{
	assert_str(str_trim(STR(" \t a b \t")), "a b");
	assert_str(str_trim(STR(" \t ")), "");
	assert_str(str_trim(STR("")), "");
	assert_str(str_trim(STR("\na\n")), "\na\n");
}

static void cut_walks_through_a_list(void **state)
{
	struct str s = STR("a,,b");

	assert_str(str_cut(&s, ','), "a");
	assert_str(str_cut(&s, ','), "");
	assert_str(str_cut(&s, ','), "b");
	assert_null(s.p);
	assert_int_equal(s.n, 0);
	assert_str(str_cut(&s, ','), "");
}

static void cut_tells_an_empty_rest_from_none(void **state)
{
	struct str s = STR("a,");

	assert_str(str_cut(&s, ','), "a");
	assert_non_null(s.p);
	assert_int_equal(s.n, 0);
}

static void lines_end_with_lf_or_crlf(void **state)
{
	struct str text = STR("one\r\ntwo\n\r\nlast"), line;

	assert_true(str_line(&text, &line));
	assert_str(line, "one");
	assert_true(str_line(&text, &line));
	assert_str(line, "two");
	assert_true(str_line(&text, &line));
	assert_str(line, "");
	assert_true(str_line(&text, &line));
	assert_str(line, "last");
	assert_false(str_line(&text, &line));
}

static void final_line_end_makes_no_empty_line(void **state)
{
	struct str text = STR("one\r\n"), line;

	assert_true(str_line(&text, &line));
	assert_str(line, "one");
	assert_false(str_line(&text, &line));
}

static void number_is_the_whole_slice_or_nothing(void **state)
{
	uint64_t v = 7;

	assert_int_equal(str_u64(STR("0"), 10, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(str_u64(STR("00065535"), 65535, &v), 0);
	assert_int_equal(v, 65535);
	assert_int_equal(str_u64(STR(""), 10, &v), -EINVAL);
	assert_int_equal(str_u64(STR("-1"), 10, &v), -EINVAL);
	assert_int_equal(str_u64(STR("+1"), 10, &v), -EINVAL);
	assert_int_equal(str_u64(STR(" 1"), 10, &v), -EINVAL);
	assert_int_equal(str_u64(STR("1x"), 10, &v), -EINVAL);
	assert_int_equal(v, 65535); /* untouched by errors */
}

static void number_above_its_limit_is_out_of_range(void **state)
{
	uint64_t v = 7;

	assert_int_equal(str_u64(STR("65536"), 65535, &v), -ERANGE);
	assert_int_equal(str_u64(STR("18446744073709551615"), UINT64_MAX, &v),
			 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(str_u64(STR("18446744073709551616"), UINT64_MAX, &v),
			 -ERANGE);
	assert_int_equal(
		str_u64(STR("99999999999999999999999"), UINT64_MAX, &v),
		-ERANGE);
	assert_int_equal(
		str_u64(STR("99999999999999999999999x"), UINT64_MAX, &v),
		-EINVAL);
}

static void copy_fits_whole_or_is_empty(void **state)
{
	char out[4] = "xyz";

	assert_int_equal(str_copy(out, sizeof(out), STR("abc")), 0);
	assert_string_equal(out, "abc");
	assert_int_equal(str_copy(out, sizeof(out), STR("abcd")), -ENOSPC);
	assert_string_equal(out, "");
	assert_int_equal(str_copy(out, 0, STR("")), -ENOSPC);
	assert_int_equal(str_copy(out, 1, str_of(NULL)), 0);
}

static void dup_is_a_copy_with_nul(void **state)
{
	char *copy = str_dup((struct str){"abcdef", 3});

	assert_string_equal(copy, "abc");
	free(copy);
	copy = str_dup(str_of(NULL));
	assert_string_equal(copy, "");
	free(copy);
}

static void cursor_reads_big_endian(void **state)
{
	static const uint8_t bytes[] = {1, 2,  3,  4,  5,  6,  7, 8,
					9, 10, 11, 12, 13, 14, 15};
	struct cursor c = cursor_of(bytes, sizeof(bytes));

	assert_int_equal(cursor_u8(&c), 1);
	assert_int_equal(cursor_u16(&c), 0x0203);
	assert_int_equal(cursor_u32(&c), 0x04050607);
	assert_true(cursor_u64(&c) == 0x08090a0b0c0d0e0f);
	assert_int_equal(cursor_left(&c), 0);
	assert_false(c.bad);
}

static void cursor_never_passes_the_end(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3};
	struct cursor c = cursor_of(bytes, sizeof(bytes));

	assert_int_equal(cursor_u32(&c), 0);
	assert_true(c.bad);
	/* Once bad, also what would fit reads as nothing. */
	assert_int_equal(cursor_u8(&c), 0);
	assert_int_equal(cursor_left(&c), 0);
	assert_null(cursor_take(&c, 0));
}

static void cursor_takes_in_place(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3};
	struct cursor c = cursor_of(bytes, sizeof(bytes));

	assert_ptr_equal(cursor_take(&c, 2), bytes);
	assert_null(cursor_take(&c, SIZE_MAX));
	assert_true(c.bad);
}

static void cursor_over_nothing_is_harmless(void **state)
{
	struct cursor c = cursor_of(NULL, 0);

	assert_int_equal(cursor_left(&c), 0);
	assert_int_equal(cursor_u16(&c), 0);
	assert_true(c.bad);
}

static void writer_keeps_text_terminated(void **state)
{
	char mem[16];
	struct buf b;

	memset(mem, 'x', sizeof(mem));
	buf_init(&b, mem, sizeof(mem));
	assert_string_equal(mem, "");
	buf_puts(&b, "a=");
	buf_printf(&b, "%d", 42);
	buf_putstr(&b, STR(";b"));
	buf_put(&b, "\0z", 2);
	assert_int_equal(b.n, 8);
	assert_memory_equal(mem, "a=42;b\0z", 9);
	assert_int_equal(buf_str(&b).n, 8);
	assert_false(b.overflow);
}

static void piece_that_does_not_fit_is_left_out_whole(void **state)
{
	char mem[8];
	struct buf b;

	buf_init(&b, mem, sizeof(mem));
	buf_puts(&b, "abcd");
	buf_puts(&b, "efgh");
	assert_true(b.overflow);
	assert_string_equal(mem, "abcd");
	buf_puts(&b, "e"); /* would fit, but comes after the loss */
	assert_string_equal(mem, "abcd");
}

static void printf_that_does_not_fit_is_left_out_whole(void **state)
{
	char mem[8];
	struct buf b;

	buf_init(&b, mem, sizeof(mem));
	buf_printf(&b, "%s", "1234567");
	assert_false(b.overflow);
	buf_init(&b, mem, sizeof(mem));
	buf_puts(&b, "ab");
	buf_printf(&b, "%s", "123456");
	assert_true(b.overflow);
	assert_string_equal(mem, "ab");
}

static void writer_without_memory_only_overflows(void **state)
{
	struct buf b;

	buf_init(&b, NULL, 0);
	buf_puts(&b, "");
	buf_printf(&b, "%d", 1);
	assert_true(b.overflow);
	assert_int_equal(b.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(null_text_is_an_empty_slice),
		cmocka_unit_test(equality_minds_case_only_where_asked),
		cmocka_unit_test(trim_takes_blanks_from_both_ends_only),
		cmocka_unit_test(cut_walks_through_a_list),
		cmocka_unit_test(cut_tells_an_empty_rest_from_none),
		cmocka_unit_test(lines_end_with_lf_or_crlf),
		cmocka_unit_test(final_line_end_makes_no_empty_line),
		cmocka_unit_test(number_is_the_whole_slice_or_nothing),
		cmocka_unit_test(number_above_its_limit_is_out_of_range),
		cmocka_unit_test(copy_fits_whole_or_is_empty),
		cmocka_unit_test(dup_is_a_copy_with_nul),
		cmocka_unit_test(cursor_reads_big_endian),
		cmocka_unit_test(cursor_never_passes_the_end),
		cmocka_unit_test(cursor_takes_in_place),
		cmocka_unit_test(cursor_over_nothing_is_harmless),
		cmocka_unit_test(writer_keeps_text_terminated),
		cmocka_unit_test(piece_that_does_not_fit_is_left_out_whole),
		cmocka_unit_test(printf_that_does_not_fit_is_left_out_whole),
		cmocka_unit_test(writer_without_memory_only_overflows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
