/*
 * test_call_token.c - records that boxes write to each other, and broken ones
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

#include "call/call_token.h"

static struct dialog_token example(void)
{
	struct dialog_token t = {
		.issued = 1700000000123,
		.other_is_trunk = true,
		.transport = SIP_TCP,
		.peer = "101",
		.other = "itsp",
		.ids =
			{
				.call_id = "a84b4c76e66710",
				.local_tag = "ours",
				.remote_tag = "theirs",
				.target = "sip:dave@198.51.100.9:5070",
				.route = "<sip:198.51.100.5;lr>",
			},
	};

	addr_parse_port(&t.owner, "[2001:db8::1]:5060");
	addr_parse_port(&t.other_at, "198.51.100.5:5061");
	return t;
}

static void a_dialog_comes_back(void **state)
{
	struct dialog_token t = example(), back;
	char mem[REGISTRAR_PLAIN_MAX + 1];
	struct buf b;

	buf_init(&b, mem, sizeof(mem));
	dialog_token_write(&b, &t);
	assert_false(b.overflow);
	assert_int_equal(dialog_token_read(mem, b.n, &back), 0);
	assert_true(back.issued == t.issued);
	assert_false(back.peer_is_trunk);
	assert_true(back.other_is_trunk);
	assert_int_equal(back.transport, SIP_TCP);
	assert_true(addr_equal(&back.owner, &t.owner));
	assert_true(addr_equal(&back.other_at, &t.other_at));
	assert_string_equal(back.peer, "101");
	assert_string_equal(back.other, "itsp");
	assert_string_equal(back.ids.call_id, t.ids.call_id);
	assert_string_equal(back.ids.local_tag, "ours");
	assert_string_equal(back.ids.remote_tag, "theirs");
	assert_string_equal(back.ids.target, t.ids.target);
	assert_string_equal(back.ids.route, t.ids.route);
	t.ids.route = NULL;
	buf_init(&b, mem, sizeof(mem));
	dialog_token_write(&b, &t);
	assert_int_equal(dialog_token_read(mem, b.n, &back), 0);
	assert_null(back.ids.route);
}

static void names_that_are_too_long_overflow(void **state)
{
	char mem[REGISTRAR_PLAIN_MAX + 1], name[200];
	struct dialog_token t = example();
	struct buf b;

	memset(name, 'x', sizeof(name));
	name[199] = '\0';
	t.ids.call_id = name;
	buf_init(&b, mem, sizeof(mem));
	dialog_token_write(&b, &t);
	assert_true(b.overflow);
}

static void a_cut_or_longer_dialog_is_none(void **state)
{
	struct dialog_token t = example(), back;
	char mem[REGISTRAR_PLAIN_MAX + 1];
	struct buf b;

	buf_init(&b, mem, sizeof(mem));
	dialog_token_write(&b, &t);
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(dialog_token_read(mem, n, &back), -EINVAL);
	buf_put(&b, "", 1);
	assert_int_equal(dialog_token_read(mem, b.n, &back), -EINVAL);
	mem[6] |= 0x40; /* a flag of nobody */
	assert_int_equal(dialog_token_read(mem, b.n - 1, &back), -EINVAL);
}

static void passes_and_questions_come_back(void **state)
{
	struct pass_token p = {.issued = 17, .phone = "101"}, pass;
	struct ask_token a = {.issued = 18, .call_id = "c", .local_tag = "t"};
	struct ask_token ask;
	char mem[REGISTRAR_PLAIN_MAX + 1];
	struct buf b;

	addr_parse_port(&p.from, "192.0.2.1:5060");
	buf_init(&b, mem, sizeof(mem));
	pass_token_write(&b, &p);
	assert_int_equal(pass_token_read(mem, b.n, &pass), 0);
	assert_true(addr_equal(&pass.from, &p.from));
	assert_string_equal(pass.phone, "101");
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(pass_token_read(mem, n, &pass), -EINVAL);
	buf_init(&b, mem, sizeof(mem));
	ask_token_write(&b, &a);
	assert_int_equal(ask_token_read(mem, b.n, &ask), 0);
	assert_string_equal(ask.call_id, "c");
	assert_string_equal(ask.local_tag, "t");
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(ask_token_read(mem, n, &ask), -EINVAL);
}

static void what_is_old_or_ahead_is_not_timely(void **state)
{
	clock_freeze(1000, 1700000000000);
	assert_true(token_is_timely(1700000000000, 1000));
	assert_true(token_is_timely(1700000000000 - 1000, 1000));
	assert_false(token_is_timely(1700000000000 - 1001, 1000));
	assert_true(token_is_timely(1700000000000 + TOKEN_SKEW_MS, 1000));
	assert_false(token_is_timely(1700000000000 + TOKEN_SKEW_MS + 1, 1000));
	clock_thaw();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dialog_comes_back),
		cmocka_unit_test(names_that_are_too_long_overflow),
		cmocka_unit_test(a_cut_or_longer_dialog_is_none),
		cmocka_unit_test(passes_and_questions_come_back),
		cmocka_unit_test(what_is_old_or_ahead_is_not_timely),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
