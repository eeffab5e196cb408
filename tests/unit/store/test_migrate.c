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
	struct rows_history past = {.n = 0};

	assert_int_equal(migrate(*state), 0);
	assert_int_equal(rows_binding_prepare(&rows, *state), 0);
	rows_binding_finish(&rows);
	assert_int_equal(rows_history_prepare(&past, *state), 0);
	rows_history_finish(&past);
	assert_int_equal(ask(*state, "SELECT count(*) FROM bindings"), 0);
	assert_int_equal(ask(*state, "SELECT count(*) FROM flows"), 0);
}

extern const char schema_start[] __asm__("_binary_schema_sql_start");
extern const char schema_end[] __asm__("_binary_schema_sql_end");

static void check_old_row(void *arg, const struct binding_row *row)
{
	const struct store_nat unknown = {0};

	++*(int *)arg;
	assert_int_equal(row->id, 5);
	assert_string_equal(row->contact, "sip:100@192.0.2.7");
	assert_int_equal(row->cseq, 11);
	assert_int_equal(row->last_seen, 1003);
	rig_same_nat(&row->nat, &unknown);
}

static void a_database_of_version_1_keeps_its_bindings(void **state)
{
	const struct migration first = {schema_start,
					schema_end - schema_start};
	struct rows_binding rows = {{0}};
	int n = 0;

	assert_int_equal(migrate_by(*state, &first, 1), 0);
	assert_int_equal(
		db_exec(*state,
			"INSERT INTO binding VALUES (5, '100@sbc', '100',"
			" 'lan', 'sip:100@192.0.2.7', 'c', NULL, 0, NULL,"
			" 'phone', 1, '203.0.113.9:40000', '192.0.2.1:5060',"
			" 1001);"
			"INSERT INTO binding_state VALUES (5, 9, 11, 1002,"
			" 1003)"),
		0);
	assert_int_equal(migrate(*state), 0);
	assert_int_equal(ask(*state, "PRAGMA user_version"), 3);
	assert_int_equal(rows_binding_prepare(&rows, *state), 0);
	assert_int_equal(rows_binding_each(&rows, check_old_row, &n), 0);
	assert_int_equal(n, 1);
	rows_binding_finish(&rows);
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
		TEST(a_database_of_version_1_keeps_its_bindings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
