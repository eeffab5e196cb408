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

static void bytes_come_back_to_whom_they_are_meant_for(void **state)
{
	char text[TOKEN_SEALED_MAX];
	uint8_t plain[TOKEN_PLAIN_MAX];
	size_t n;

	assert_int_equal(
		token_seal_bytes(*state, 2, "call-1 tag", STR("secret"), text),
		0);
	assert_null(strstr(text, "secret"));
	assert_int_equal(
		token_open_bytes(*state, 2, "call-1 tag", text, plain, &n), 0);
	assert_int_equal(n, 6);
	assert_memory_equal(plain, "secret", 6);
	/* For nothing else, and not in another dialog. */
	assert_int_equal(
		token_open_bytes(*state, 3, "call-1 tag", text, plain, &n),
		-EINVAL);
	assert_int_equal(
		token_open_bytes(*state, 2, "call-2 tag", text, plain, &n),
		-EINVAL);
	assert_int_equal(token_open_bytes(*state, 2, NULL, text, plain, &n),
			 -EINVAL);
}

static void forged_bytes_are_refused(void **state)
{
	char good[TOKEN_SEALED_MAX], text[TOKEN_SEALED_MAX + 1];
	struct token_key *other = key_of("the key of somebody else");
	uint8_t plain[TOKEN_PLAIN_MAX];
	struct token t;
	size_t n;

	token_seal_bytes(*state, 2, "c", STR("sixteen bytes...."), good);
	for (size_t i = 0; good[i]; i++) {
		strcpy(text, good);
		text[i] = good[i] == 'A' ? 'B' : 'A';
		assert_int_equal(
			token_open_bytes(*state, 2, "c", text, plain, &n),
			-EINVAL);
		strcpy(text, good);
		text[i] = '\0';
		assert_int_equal(
			token_open_bytes(*state, 2, "c", text, plain, &n),
			-EINVAL);
	}
	assert_int_equal(token_open_bytes(other, 2, "c", good, plain, &n),
			 -EINVAL);
	assert_int_equal(token_open(*state, good, &t), -EINVAL);
	token_key_destroy(other);
}

static void what_is_too_long_is_not_sealed(void **state)
{
	char mem[TOKEN_PLAIN_MAX + 1] = {1}, text[TOKEN_SEALED_MAX];

	assert_int_equal(
		token_seal_bytes(*state, 2, NULL,
				 (struct str){mem, TOKEN_PLAIN_MAX + 1}, text),
		-ENOSPC);
	assert_int_equal(
		token_seal_bytes(*state, 2, NULL, (struct str){mem, 0}, text),
		-ENOSPC);
	assert_int_equal(token_seal_bytes(*state, 2, NULL,
					  (struct str){mem, TOKEN_PLAIN_MAX},
					  text),
			 0);
	assert_true(strlen(text) < TOKEN_SEALED_MAX);
}

static void a_binding_is_no_message_of_a_box(void **state)
{
	struct token t = example("192.0.2.1:40001", "203.0.113.10:5060");
	uint8_t plain[TOKEN_PLAIN_MAX];
	char text[TOKEN_MAX];
	size_t n;

	token_seal(*state, &t, text);
	for (unsigned kind = 0; kind < 256; kind++)
		assert_int_equal(token_open_bytes(*state, (uint8_t)kind, NULL,
						  text, plain, &n),
				 -EINVAL);
}

static void boxes_agree_on_a_digest(void **state)
{
	struct token_key *again = key_of("a key of two boxes");
	struct token_key *other = key_of("the key of somebody else");
	uint8_t a[TOKEN_DIGEST_BYTES], b[TOKEN_DIGEST_BYTES];

	assert_int_equal(token_digest(*state, "device", a), 0);
	token_digest(again, "device", b);
	assert_memory_equal(a, b, sizeof(a));
	token_digest(again, "devicf", b);
	assert_memory_not_equal(a, b, sizeof(a));
	token_digest(other, "device", b);
	assert_memory_not_equal(a, b, sizeof(a));
	token_key_destroy(again);
	token_key_destroy(other);
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
		T(bytes_come_back_to_whom_they_are_meant_for),
		T(forged_bytes_are_refused),
		T(what_is_too_long_is_not_sealed),
		T(a_binding_is_no_message_of_a_box),
		T(boxes_agree_on_a_digest),
		T(the_call_id_of_a_binding_is_its_own_and_lasts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
