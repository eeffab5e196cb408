/*
 * test_token.c - tokens that name a binding: what they hold, and what is none
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registrar/token.h"

static struct token_key *key_of(const char *text)
{
	struct token_key *key;

	assert_int_equal(token_key_create(&key, text, NULL), 0);
	return key;
}

static struct token example(const char *remote, const char *local)
{
	struct token t = {.id = 0x123456789abcull, .issued = 1700000000123};

	addr_parse_port(&t.flow.remote, remote);
	addr_parse_port(&t.flow.local, local);
	return t;
}

static int setup(void **state)
{
	*state = key_of("a key of two boxes");
	return 0;
}

static int teardown(void **state)
{
	token_key_destroy(*state);
	return 0;
}

static void comes_back(const struct token_key *key, const struct token *t)
{
	char text[TOKEN_MAX];
	struct token back;

	assert_int_equal(token_seal(key, t, text), 0);
	assert_int_equal(token_open(key, text, &back), 0);
	assert_int_equal(back.id, t->id);
	assert_int_equal(back.issued, t->issued);
	assert_int_equal(back.flow.transport, t->flow.transport);
	assert_true(addr_equal(&back.flow.remote, &t->flow.remote));
	assert_true(addr_equal(&back.flow.local, &t->flow.local));
}

static void what_was_sealed_comes_back(void **state)
{
	struct token t = example("192.0.2.1:40001", "203.0.113.10:5060");

	comes_back(*state, &t);
	t.flow.transport = SIP_TCP;
	comes_back(*state, &t);
	t = example("[2001:db8::1]:65535", "[2001:db8::2]:5060");
	t.id = UINT64_MAX;
	comes_back(*state, &t);
}

static void a_token_is_a_user_part_of_bearable_length(void **state)
{
	struct token t = example("[2001:db8::1]:65535", "[2001:db8::2]:5060");
	char text[TOKEN_MAX];

	assert_int_equal(token_seal(*state, &t, text), 0);
	assert_true(strlen(text) <= 100);
	assert_int_equal(strlen(text), strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						    "abcdefghijklmnopqrstuvwxyz"
						    "0123456789-_"));
	assert_null(strstr(text, "2001"));
}

static void the_same_binding_has_the_same_token(void **state)
{
	struct token t = example("192.0.2.1:40001", "203.0.113.10:5060");
	struct token_key *again = key_of("a key of two boxes");
	char a[TOKEN_MAX], b[TOKEN_MAX];

	token_seal(*state, &t, a);
	token_seal(again, &t, b);
	assert_string_equal(a, b);
	t.issued++;
	token_seal(again, &t, b);
	assert_string_not_equal(a, b);
	token_key_destroy(again);
}

/* Every byte counts, and so does the end. */
static void a_forged_or_cut_token_is_none(void **state)
{
	struct token t = example("192.0.2.1:40001", "203.0.113.10:5060");
	char good[TOKEN_MAX], text[TOKEN_MAX + 1];
	struct token back;

	token_seal(*state, &t, good);
	for (size_t i = 0; good[i]; i++) {
		strcpy(text, good);
		text[i] = good[i] == 'A' ? 'B' : 'A';
		assert_int_equal(token_open(*state, text, &back), -EINVAL);
		strcpy(text, good);
		text[i] = '\0';
		assert_int_equal(token_open(*state, text, &back), -EINVAL);
	}
	snprintf(text, sizeof(text), "%sA", good);
	assert_int_equal(token_open(*state, text, &back), -EINVAL);
	assert_int_equal(token_open(*state, "100", &back), -EINVAL);
	assert_int_equal(token_open(*state, "a b", &back), -EINVAL);
}

static void a_token_of_another_version_is_none(void **state)
{
	struct token t = example("192.0.2.1:40001", "203.0.113.10:5060");
	char text[TOKEN_MAX];
	struct token back;

	token_seal(*state, &t, text);
	assert_int_equal(text[0], 'A'); /* version 1 begins AQ..AR */
	text[1] = 'g';                  /* and 2 would begin Ag */
	assert_int_equal(token_open(*state, text, &back), -EINVAL);
}

static void a_token_of_another_key_is_none(void **state)
{
	struct token t = example("192.0.2.1:40001", "203.0.113.10:5060");
	struct token_key *other = key_of("a key of two boxeS");
	char text[TOKEN_MAX];
	struct token back;

	token_seal(other, &t, text);
	assert_int_equal(token_open(*state, text, &back), -EINVAL);
	token_key_destroy(other);
}

static void a_key_of_our_own_outlives_the_process(void **state)
{
	struct token t = example("192.0.2.1:40001", "203.0.113.10:5060");
	char dir[] = "/tmp/test_token.XXXXXX", path[64], text[TOKEN_MAX];
	struct token_key *key;
	struct token back;
	struct stat st;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/flow.key", dir);
	assert_int_equal(token_key_create(&key, NULL, dir), 0);
	token_seal(key, &t, text);
	token_key_destroy(key);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(token_key_create(&key, NULL, dir), 0);
	assert_int_equal(token_open(key, text, &back), 0);
	token_key_destroy(key);
	chmod(path, 0644); /* others may have read it */
	assert_int_equal(token_key_create(&key, NULL, dir), -EACCES);
	unlink(path);
	rmdir(dir);
	assert_int_equal(token_key_create(&key, NULL, dir), -ENOENT);
}

static void the_call_id_of_a_binding_is_its_own_and_lasts(void **state)
{
	char a[TOKEN_CALL_ID_MAX], b[TOKEN_CALL_ID_MAX];

	assert_int_equal(token_call_id(*state, 7, 1700000000000, a), 0);
	assert_int_equal(token_call_id(*state, 7, 1700000000000, b), 0);
	assert_string_equal(a, b);
	token_call_id(*state, 8, 1700000000000, b);
	assert_string_not_equal(a, b);
	token_call_id(*state, 7, 1700000000001, b);
	assert_string_not_equal(a, b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_was_sealed_comes_back),
		T(a_token_is_a_user_part_of_bearable_length),
		T(the_same_binding_has_the_same_token),
		T(a_forged_or_cut_token_is_none),
		T(a_token_of_another_version_is_none),
		T(a_token_of_another_key_is_none),
		T(a_key_of_our_own_outlives_the_process),
		T(the_call_id_of_a_binding_is_its_own_and_lasts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
