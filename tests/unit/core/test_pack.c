/*
 * test_pack.c - records of numbers, addresses and texts, and broken ones
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/pack.h"

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_port(&a, text), 0);
	return a;
}

static void what_is_packed_comes_back(void **state)
{
	struct addr four = addr_of("192.0.2.1:5060"), a;
	struct addr six = addr_of("[2001:db8::7]:65535");
	char mem[128], text[16];
	struct cursor c;
	struct buf b;

	buf_init(&b, mem, sizeof(mem));
	pack_number(&b, 0x123456789abcull, 6);
	pack_addr(&b, &four);
	pack_addr(&b, &six);
	pack_host(&b, &six);
	pack_text(&b, "alice");
	pack_text(&b, NULL);
	assert_false(b.overflow);
	c = cursor_of(mem, b.n);
	assert_true(unpack_number(&c, 6) == 0x123456789abcull);
	unpack_addr(&c, &a);
	assert_true(addr_equal(&a, &four));
	unpack_addr(&c, &a);
	assert_true(addr_equal(&a, &six));
	unpack_host(&c, true, &a);
	assert_true(addr_equal(&a, &six));
	unpack_text(&c, text, sizeof(text));
	assert_string_equal(text, "alice");
	unpack_text(&c, text, sizeof(text));
	assert_string_equal(text, "");
	assert_false(c.bad);
	assert_int_equal(cursor_left(&c), 0);
}

static void what_does_not_fit_is_told(void **state)
{
	char long_text[300], mem[400];
	struct buf b;

	memset(long_text, 'x', sizeof(long_text));
	long_text[299] = '\0';
	buf_init(&b, mem, sizeof(mem));
	pack_text(&b, long_text);
	assert_true(b.overflow);
	buf_init(&b, mem, 4);
	pack_text(&b, "alice");
	assert_true(b.overflow);
}

static void a_cut_record_is_bad(void **state)
{
	struct addr a = addr_of("192.0.2.1:5060");
	char mem[64], text[8];
	struct buf b;

	buf_init(&b, mem, sizeof(mem));
	pack_addr(&b, &a);
	pack_text(&b, "bob");
	for (size_t n = 0; n < b.n; n++) {
		struct cursor c = cursor_of(mem, n);

		unpack_addr(&c, &a);
		unpack_text(&c, text, sizeof(text));
		assert_true(c.bad);
	}
}

static void a_strange_record_is_bad(void **state)
{
	char text[4];
	struct addr a;
	struct cursor c = cursor_of("\x05"
				    "ABCDEF",
				    7);

	unpack_addr(&c, &a);
	assert_true(c.bad);
	c = cursor_of("\x04home", 5); /* no room */
	unpack_text(&c, text, sizeof(text));
	assert_true(c.bad);
	assert_string_equal(text, "");
	c = cursor_of("\x02\r\n", 3);
	unpack_text(&c, text, sizeof(text));
	assert_true(c.bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_packed_comes_back),
		cmocka_unit_test(what_does_not_fit_is_told),
		cmocka_unit_test(a_cut_record_is_bad),
		cmocka_unit_test(a_strange_record_is_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
