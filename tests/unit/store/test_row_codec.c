/*
 * test_row_codec.c - a binding as bytes and back
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store_rig.h"

#include "store/row_codec.h"

/* What stands behind the texts. */
enum { NAT_BYTES = 4 + 4 + 23 + 4 + 8 };

static uint8_t *encode(const struct binding_row *row, size_t *len)
{
	uint8_t *bytes;

	*len = row_size(row);
	bytes = malloc(*len);
	row_encode(bytes, row);
	return bytes;
}

static void check_round_trip(const struct binding_row *row)
{
	struct binding_row back;
	size_t len;
	uint8_t *bytes = encode(row, &len);

	assert_int_equal(row_decode(&back, bytes, len), 0);
	rig_same_row(row, &back);
	free(bytes);
}

static void a_whole_row_comes_back(void **state)
{
	struct binding_row row = rig_row(42);

	row.path = "<sip:edge.example;lr>";
	row.id = INT64_MAX;
	row.cseq = UINT32_MAX;
	row.reg_id = UINT32_MAX;
	check_round_trip(&row);
}

static void absent_and_empty_texts_stay_apart(void **state)
{
	struct binding_row row = {.id = 1, .aor = "", .contact = NULL};

	check_round_trip(&row);
}

static void the_scope_of_a_link_local_address_is_kept(void **state)
{
	struct binding_row row = rig_row(1), back;
	uint8_t *bytes;
	size_t len;

	addr_parse(&row.source, "fe80::1", 7, 5060);
	row.source.in6.sin6_scope_id = 3;
	bytes = encode(&row, &len);
	assert_int_equal(row_decode(&back, bytes, len), 0);
	assert_int_equal(back.source.in6.sin6_scope_id, 3);
	free(bytes);
}

static void a_text_beyond_two_bytes_of_length_is_cut(void **state)
{
	char *text = malloc(70001);
	struct binding_row row = {.id = 1, .path = text}, back;
	uint8_t *bytes;
	size_t len;

	memset(text, 'p', 70000);
	text[70000] = '\0';
	bytes = encode(&row, &len);
	assert_int_equal(row_decode(&back, bytes, len), 0);
	assert_int_equal(strlen(back.path), 65534);
	free(bytes);
	free(text);
}

static void anything_shorter_or_longer_is_refused(void **state)
{
	struct binding_row row = rig_row(1), back;
	size_t len;
	uint8_t *bytes = encode(&row, &len);

	for (size_t n = 0; n < len; n++) {
		uint8_t *cut = malloc(n + 1);

		if (n == len - NAT_BYTES) { /* as it was in version 1 */
			free(cut);
			continue;
		}

		memcpy(cut, bytes, n);
		assert_int_equal(row_decode(&back, cut, n), -EINVAL);
		free(cut);
	}
	bytes = realloc(bytes, len + 1);
	bytes[len] = 0;
	assert_int_equal(row_decode(&back, bytes, len + 1), -EINVAL);
	free(bytes);
}

static void a_text_without_its_end_is_refused(void **state)
{
	struct binding_row row = {.id = 1, .user_agent = "x"}, back;
	size_t len;
	uint8_t *bytes = encode(&row, &len);

	bytes[len - NAT_BYTES - 1] = 'y';
	assert_int_equal(row_decode(&back, bytes, len), -EINVAL);
	free(bytes);
}

/* Written by hand as the first version of the program did. */
static void a_row_of_the_first_version_is_read(void **state)
{
	static const uint8_t old[] =
		"\0\0\0\0\0\0\0\x2a"   /* id */
		"\0\0\0\x07\0\0\0\x01" /* cseq, reg_id */
		"\x01"                 /* transport */
		"\0\0\x01\xa3\x18\x5c\x50\0"
		"\0\0\x01\xa3\x18\x5c\x4f\0"
		"\0\0\x01\xa3\x18\x5c\x4f\x80"
		"\x04\xcb\0\x71\x09\0\0\0\0\0\0\0\0\0\0\0\0"
		"\x9c\x40\0\0\0\0" /* source */
		"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		"\0\0\0\0\0\0" /* no local */
		"\0\x04"
		"1@x\0" /* aor */
		"\0\x02"
		"1\0"          /* phone */
		"\0\0\0\x01\0" /* no realm, an empty contact */
		"\0\0\0\0\0\0\0\x02"
		"u"; /* and user_agent, with the NUL */
	struct binding_row row;
	struct addr source;

	addr_parse(&source, "203.0.113.9", 11, 40000);
	assert_int_equal(row_decode(&row, old, sizeof(old)), 0);
	assert_int_equal(row.id, 42);
	assert_int_equal(row.cseq, 7);
	assert_int_equal(row.expires_at, 0x1a3185c5000);
	assert_true(addr_equal(&row.source, &source));
	assert_string_equal(row.aor, "1@x");
	assert_string_equal(row.contact, "");
	assert_string_equal(row.user_agent, "u");
	assert_null(row.call_id);
	assert_int_equal(row.nat.flags, 0);
	assert_false(addr_is_set(&row.nat.announced));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_row_comes_back),
		cmocka_unit_test(absent_and_empty_texts_stay_apart),
		cmocka_unit_test(the_scope_of_a_link_local_address_is_kept),
		cmocka_unit_test(a_text_beyond_two_bytes_of_length_is_cut),
		cmocka_unit_test(anything_shorter_or_longer_is_refused),
		cmocka_unit_test(a_text_without_its_end_is_refused),
		cmocka_unit_test(a_row_of_the_first_version_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
