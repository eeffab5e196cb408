/*
 * test_history_codec.c - a row of the history as bytes and back
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store_rig.h"

#include "store/history_codec.h"

static uint8_t bytes[HISTORY_BYTES_MAX];

static void check_round_trip(const struct history_row *row)
{
	struct history_row back;

	history_encode(bytes, row);
	assert_int_equal(history_decode(&back, bytes, history_size(row)), 0);
	rig_same_event(row, &back);
}

static void a_whole_row_comes_back(void **state)
{
	struct history_row row = rig_event(1800000000000, INT64_MAX, "gone");

	row.cause = "expired";
	row.n_rtt = 8;
	check_round_trip(&row);
}

static void absent_and_empty_texts_stay_apart(void **state)
{
	struct history_row row = {.at = 1, .event = "", .reason = NULL};

	check_round_trip(&row);
}

static void texts_of_any_length_fit_into_the_bound(void **state)
{
	struct history_row row = rig_event(1, 2, "lost"), back;
	char text[5000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	row.phone = row.aor = row.event = row.cause = row.reason = text;
	row.n_rtt = 1000; /* more than there are */
	assert_in_range(history_size(&row), 1500, HISTORY_BYTES_MAX);
	history_encode(bytes, &row);
	assert_int_equal(history_decode(&back, bytes, history_size(&row)), 0);
	assert_int_equal(strlen(back.phone), 128);
	assert_int_equal(strlen(back.reason), 768);
	assert_int_equal(back.n_rtt, 8);
}

static void a_cut_text_ends_with_a_whole_character(void **state)
{
	struct history_row row = {0}, back;
	char text[200];

	memset(text, 'x', 127);
	strcpy(text + 127, "\u00e4\u00e4"); /* the 128th byte is half of it */
	row.phone = text;
	history_encode(bytes, &row);
	assert_int_equal(history_decode(&back, bytes, history_size(&row)), 0);
	assert_int_equal(strlen(back.phone), 127);
}

static void anything_shorter_or_longer_is_refused(void **state)
{
	struct history_row row = rig_event(1, 2, "lost"), back;
	size_t len = history_size(&row);

	history_encode(bytes, &row);
	for (size_t n = 0; n < len; n++) {
		uint8_t *cut = malloc(n + 1);

		memcpy(cut, bytes, n);
		assert_int_equal(history_decode(&back, cut, n), -EINVAL);
		free(cut);
	}
	bytes[len] = 0;
	assert_int_equal(history_decode(&back, bytes, len + 1), -EINVAL);
}

static void more_round_trips_than_there_is_room_for_are_refused(void **state)
{
	struct history_row row = {.n_rtt = 8}, back;
	size_t len = history_size(&row);

	history_encode(bytes, &row);
	bytes[8 + 8 + 1 + 2 * 23 + 8 + 8 + 4 + 4] = 9;
	assert_int_equal(history_decode(&back, bytes, len + 4), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_row_comes_back),
		cmocka_unit_test(absent_and_empty_texts_stay_apart),
		cmocka_unit_test(texts_of_any_length_fit_into_the_bound),
		cmocka_unit_test(a_cut_text_ends_with_a_whole_character),
		cmocka_unit_test(anything_shorter_or_longer_is_refused),
		cmocka_unit_test(
			more_round_trips_than_there_is_room_for_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
