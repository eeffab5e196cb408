/*
 * test_row_codec.c - a binding as bytes and back
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store_rig.h"

#include "store/row_codec.h"

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

	bytes[len - 1] = 'y';
	assert_int_equal(row_decode(&back, bytes, len), -EINVAL);
	free(bytes);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
