/*
 * test_rows_history.c - the history in its table and out of it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store_rig.h"

#include "store/db.h"

static struct db *db;
static char dir[64];
static uint64_t seq;

/* What a question gave: time and first letter of the event of each row, as
 * "100r 200l"; and the last row. */
static char said[1024];
static wall_ms oldest;

static int setup(void **state)
{
	char why[120], path[96];

	strcpy(dir, "/tmp/test_rows.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	seq = 0;
	snprintf(path, sizeof(path), "%s/sbc.db", dir);
	return db_open(&db, path, DB_NORMAL, false, why, sizeof(why));
}

static int teardown(void **state)
{
	char command[96];

	db_close(db);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void add(wall_ms at, uint64_t binding, const char *event)
{
	struct history_row row = rig_event(at, binding, event);

	assert_int_equal(rows_history_add(&db->history, ++seq, &row), 0);
}

static int note(void *arg, const struct history_row *row)
{
	size_t n = strlen(said);

	snprintf(said + n, sizeof(said) - n, "%s%d%c", n ? " " : "",
		 (int)row->at, row->event[0]);
	return 0;
}

static const char *ask(const struct history_query *q)
{
	said[0] = '\0';
	assert_int_equal(rows_history_each(db->sql, q, note, NULL, &oldest), 0);
	return said;
}

static const char *between(wall_ms from, wall_ms to, size_t max)
{
	const struct history_query q = {
		.phone = "204", .from = from, .to = to, .max = max};

	return ask(&q);
}

static const char *at(wall_ms moment)
{
	const struct history_query q = {.phone = "204",
					.is_moment = true,
					.from = moment,
					.to = INT64_MAX,
					.max = 8};

	return ask(&q);
}

static int is_the_same(void *arg, const struct history_row *row)
{
	rig_same_event(arg, row);
	return 0;
}

static void a_row_comes_back_whole(void **state)
{
	const struct history_query q = {.phone = "204", .to = 200, .max = 9};
	struct history_row row = rig_event(100, 7, "gone");

	row.cause = "expired";
	row.n_rtt = 8;
	assert_int_equal(rows_history_add(&db->history, 1, &row), 0);
	assert_int_equal(
		rows_history_each(db->sql, &q, is_the_same, &row, &oldest), 0);
	assert_string_equal(between(0, 200, 9), "100g");
}

static void a_record_that_is_replayed_is_there_once(void **state)
{
	add(100, 1, "registered");
	seq--;
	add(100, 1, "registered");
	assert_string_equal(between(0, 200, 9), "100r");
}

static void a_span_has_its_rows_and_not_those_of_others(void **state)
{
	struct history_row other = rig_event(150, 2, "xxx");

	other.phone = "205";
	assert_int_equal(rows_history_add(&db->history, ++seq, &other), 0);
	add(100, 1, "registered");
	add(200, 1, "lost");
	add(300, 1, "back");
	assert_string_equal(between(100, 300, 9), "100r 200l");
	assert_int_equal(oldest, 150);
}

static void a_span_begins_with_what_was_in_force(void **state)
{
	add(100, 1, "registered");
	add(110, 2, "registered");
	add(120, 3, "registered");
	add(130, 2, "gone");
	add(140, 3, "moved");
	add(200, 1, "lost");
	assert_string_equal(between(150, 300, 9), "100r 140m 200l");
}

static void of_too_many_rows_the_last_are_given(void **state)
{
	for (int i = 0; i < 10; i++)
		add(100 + i, 1, "moved");
	assert_string_equal(between(100, 300, 3), "107m 108m 109m");
}

static void a_moment_has_the_rows_around_it(void **state)
{
	add(100, 1, "registered");
	add(200, 1, "lost");
	add(300, 1, "back");
	add(400, 1, "moved");
	assert_string_equal(at(250), "200l 300b");
	assert_string_equal(at(200), "200l 300b");
	assert_string_equal(at(199), "100r 200l");
	assert_string_equal(at(500), "400m");
	assert_string_equal(at(50), "100r");
}

static void remarks_do_not_hide_what_begins_and_ends_a_flow(void **state)
{
	add(100, 1, "registered");
	add(110, 1, "verdict");
	add(120, 1, "learned");
	add(220, 1, "learned");
	add(230, 1, "verdict");
	add(300, 1, "lost");
	assert_string_equal(at(200), "100r 120l 220l 300l");
}

static void a_binding_in_force_is_found_behind_many_that_ended(void **state)
{
	add(100, 1, "registered");
	for (int i = 0; i < 50; i++) {
		add(101 + i, 10 + i, "registered");
		add(101 + i, 10 + i, "gone");
	}
	add(900, 1, "lost");
	assert_non_null(strstr(at(500), "100r"));
	assert_non_null(strstr(said, "900l"));
	assert_non_null(strstr(said, "150g"));
	assert_null(strstr(said, "101g"));
}

static void a_moment_before_everything_shows_what_came_first(void **state)
{
	for (int i = 0; i < 10; i++)
		add(100 + i, 1 + i, "registered");
	assert_string_equal(at(50), "100r 101r 102r 103r");
}

static void an_empty_history_has_no_beginning(void **state)
{
	assert_string_equal(at(50), "");
	assert_int_equal(oldest, 0);
}

static void prune(int64_t max, wall_ms until, int64_t budget)
{
	assert_int_equal(rows_history_prune(&db->history, max, until, budget),
			 0);
}

static void the_oldest_beyond_the_number_go_a_few_at_a_time(void **state)
{
	for (int i = 0; i < 10; i++)
		add(100 + i, 1, "moved");
	prune(4, 0, 2);
	assert_string_equal(between(0, 999, 99) + 0,
			    "102m 103m 104m 105m 106m 107m 108m 109m");
	prune(4, 0, 20);
	assert_string_equal(between(0, 999, 99), "106m 107m 108m 109m");
	add(200, 1, "moved");
	prune(4, 0, 20);
	assert_string_equal(between(0, 999, 99), "107m 108m 109m 200m");
}

static void rows_that_are_too_old_go_a_few_at_a_time(void **state)
{
	for (int i = 0; i < 6; i++)
		add(100 + i, 1, "moved");
	prune(100, 104, 3);
	assert_string_equal(between(0, 999, 99), "103m 104m 105m");
	prune(100, 104, 3);
	assert_string_equal(between(0, 999, 99), "104m 105m");
}

static void what_was_rolled_back_does_not_count(void **state)
{
	for (int i = 0; i < 4; i++)
		add(100 + i, 1, "moved");
	prune(4, 0, 9); /* counts */
	assert_int_equal(db_exec(db->sql, "BEGIN"), 0);
	add(200, 1, "moved");
	assert_int_equal(db_exec(db->sql, "ROLLBACK"), 0);
	rows_history_forget(&db->history);
	prune(4, 0, 9);
	assert_string_equal(between(0, 999, 99), "100m 101m 102m 103m");
}

static void round_trips_edited_to_nonsense_are_left_out(void **state)
{
	add(100, 1, "moved");
	assert_int_equal(
		db_exec(db->sql, "UPDATE history SET rtt_us = '1 2 x 4'"), 0);
	assert_string_equal(between(0, 999, 9), "100m");
}

static void the_number_of_the_last_record_counts_the_history_too(void **state)
{
	uint64_t id, last;

	seq = 70;
	add(100, 1, "moved");
	assert_int_equal(rows_binding_limits(&db->binding, &id, &last), 0);
	assert_int_equal(id, 0);
	assert_int_equal(last, 71);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_row_comes_back_whole),
		TEST(a_record_that_is_replayed_is_there_once),
		TEST(a_span_has_its_rows_and_not_those_of_others),
		TEST(a_span_begins_with_what_was_in_force),
		TEST(of_too_many_rows_the_last_are_given),
		TEST(a_moment_has_the_rows_around_it),
		TEST(remarks_do_not_hide_what_begins_and_ends_a_flow),
		TEST(a_binding_in_force_is_found_behind_many_that_ended),
		TEST(a_moment_before_everything_shows_what_came_first),
		TEST(an_empty_history_has_no_beginning),
		TEST(the_oldest_beyond_the_number_go_a_few_at_a_time),
		TEST(rows_that_are_too_old_go_a_few_at_a_time),
		TEST(what_was_rolled_back_does_not_count),
		TEST(round_trips_edited_to_nonsense_are_left_out),
		TEST(the_number_of_the_last_record_counts_the_history_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
