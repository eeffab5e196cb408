/*
 * test_rows_cdr.c - call records in their table: replaying, and growing old
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store_rig.h"

#include "store/db.h"

static struct db *db;
static char dir[64];
static uint64_t seq;
static char said[256];

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

static void put(uint64_t at_seq, const char *id, wall_ms started,
		const char *record)
{
	const struct cdr_row row = {id, started, started + 1, record};

	assert_int_equal(rows_cdr_put(&db->cdr, at_seq, &row), 0);
}

static int note(void *arg, const char *record)
{
	strncat(said, record, sizeof(said) - strlen(said) - 1);
	return 0;
}

static const char *all(void)
{
	const struct store_cdr_query q = {.to = INT64_MAX, .max = 100};

	said[0] = '\0';
	assert_int_equal(rows_cdr_each(db->sql, &q, note, NULL), 0);
	return said;
}

static void a_replayed_record_does_not_undo_a_later_one(void **state)
{
	put(1, "a", 1, "first ");
	put(2, "a", 1, "second ");
	put(1, "a", 1, "first ");
	assert_string_equal(all(), "second ");
}

static void beyond_the_most_the_oldest_go(void **state)
{
	put(1, "a", 1, "a ");
	put(2, "b", 2, "b ");
	put(3, "c", 3, "c ");
	assert_int_equal(rows_cdr_prune(&db->cdr, 2, 0, 100), 0);
	assert_string_equal(all(), "c b ");
}

static void what_is_too_old_goes(void **state)
{
	put(1, "a", 1, "a ");
	put(2, "b", 2, "b ");
	put(3, "c", 3, "c ");
	assert_int_equal(rows_cdr_prune(&db->cdr, 100, 3, 100), 0);
	assert_string_equal(all(), "c ");
}

static void no_more_go_at_once_than_the_budget_allows(void **state)
{
	put(1, "a", 1, "a ");
	put(2, "b", 2, "b ");
	put(3, "c", 3, "c ");
	assert_int_equal(rows_cdr_prune(&db->cdr, 0, 9, 2), 0);
	assert_string_equal(all(), "c ");
}

static void the_count_is_right_after_more_records(void **state)
{
	put(1, "a", 1, "a ");
	assert_int_equal(rows_cdr_prune(&db->cdr, 1, 0, 100), 0);
	put(2, "b", 2, "b ");
	put(3, "b", 2, "B ");
	assert_int_equal(rows_cdr_prune(&db->cdr, 1, 0, 100), 0);
	assert_string_equal(all(), "B ");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_replayed_record_does_not_undo_a_later_one),
		T(beyond_the_most_the_oldest_go),
		T(what_is_too_old_goes),
		T(no_more_go_at_once_than_the_budget_allows),
		T(the_count_is_right_after_more_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
