/*
 * test_migrate.c - a database comes to the version of the program, or stays
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store_rig.h"

#include "store/db.h"
#include "store/migrate.h"

#define STEP(text)                                                             \
	{                                                                      \
		(text), sizeof(text) - 1                                       \
	}

static const struct migration steps[] = {
	STEP("CREATE TABLE a (x); INSERT INTO a VALUES (1);\n"),
	STEP("ALTER TABLE a ADD COLUMN y; UPDATE a SET y = 2; -- done\n"),
	STEP("CREATE TABLE b (z)"),
};

static int setup(void **state)
{
	return sqlite3_open(":memory:", (sqlite3 **)state);
}

static int teardown(void **state)
{
	return sqlite3_close(*state);
}

static int64_t ask(sqlite3 *sql, const char *text)
{
	sqlite3_stmt *stmt = NULL;
	int64_t v = -1;

	if (sqlite3_prepare_v2(sql, text, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		v = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return v;
}

static void a_new_database_takes_all_steps(void **state)
{
	assert_int_equal(migrate_by(*state, steps, 3), 0);
	assert_int_equal(ask(*state, "PRAGMA user_version"), 3);
	assert_int_equal(ask(*state, "SELECT y FROM a"), 2);
	assert_int_equal(ask(*state, "SELECT count(*) FROM b"), 0);
}

static void an_old_database_takes_only_what_it_lacks(void **state)
{
	assert_int_equal(migrate_by(*state, steps, 1), 0);
	assert_int_equal(db_exec(*state, "UPDATE a SET x = 77"), 0);
	assert_int_equal(migrate_by(*state, steps, 3), 0);
	assert_int_equal(ask(*state, "SELECT x + y FROM a"), 79);
	assert_int_equal(migrate_by(*state, steps, 3), 0);
	assert_int_equal(ask(*state, "SELECT count(*) FROM a"), 1);
}

static void a_step_that_fails_leaves_the_database_as_before(void **state)
{
	const struct migration bad[] = {
		steps[0],
		STEP("CREATE TABLE c (x); INSERT INTO nowhere VALUES (1);"),
	};

	assert_int_equal(migrate_by(*state, bad, 2), -EUCLEAN);
	assert_int_equal(ask(*state, "PRAGMA user_version"), 0);
	assert_int_equal(ask(*state, "SELECT count(*) FROM sqlite_master"), 0);
	assert_true(sqlite3_get_autocommit(*state));
}

static void a_database_of_a_newer_program_is_not_touched(void **state)
{
	assert_int_equal(db_exec(*state, "PRAGMA user_version = 4"), 0);
	assert_int_equal(migrate_by(*state, steps, 3), -EUCLEAN);
	assert_int_equal(ask(*state, "SELECT count(*) FROM sqlite_master"), 0);
}

static void a_database_of_somebody_else_is_refused(void **state)
{
	assert_int_equal(db_exec(*state, "CREATE TABLE binding (mine)"), 0);
	assert_int_equal(migrate(*state), -EUCLEAN);
	assert_int_equal(ask(*state, "PRAGMA user_version"), 0);
}

static void the_schema_of_the_program_is_whole(void **state)
{
	struct rows_binding rows = {{0}};

	assert_int_equal(migrate(*state), 0);
	assert_int_equal(rows_binding_prepare(&rows, *state), 0);
	rows_binding_finish(&rows);
	assert_int_equal(ask(*state, "SELECT count(*) FROM bindings"), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_new_database_takes_all_steps),
		TEST(an_old_database_takes_only_what_it_lacks),
		TEST(a_step_that_fails_leaves_the_database_as_before),
		TEST(a_database_of_a_newer_program_is_not_touched),
		TEST(a_database_of_somebody_else_is_refused),
		TEST(the_schema_of_the_program_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
