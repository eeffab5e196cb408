/*
 * test_db.c - opening, judging and setting aside the database file
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store_rig.h"

#include "core/clock.h"
#include "store/db.h"

static char why[120];

static int open_at(struct rig *r, struct db **db)
{
	return db_open(db, r->db, DB_NORMAL, true, why, sizeof(why));
}

static void put_rows(struct db *db, uint64_t n)
{
	assert_int_equal(db_exec(db->sql, "BEGIN"), 0);
	for (uint64_t id = 1; id <= n; id++) {
		struct binding_row row = rig_row(id);

		assert_int_equal(rows_binding_put(&db->binding, id, &row), 0);
	}
	assert_int_equal(db_exec(db->sql, "COMMIT"), 0);
}

static void a_new_database_is_private_and_in_wal_mode(void **state)
{
	struct db *db;
	struct stat st;
	struct rig r;

	rig_init(&r);
	assert_int_equal(open_at(&r, &db), 0);
	stat(r.db, &st);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(rig_count(&r, "sbc.db-wal"), 1);
	assert_int_equal(rig_ask(&r, "PRAGMA user_version"), 3);
	db_close(db);
	db_close(NULL);
	rig_done(&r);
}

static void a_commit_waits_for_the_disk(void **state)
{
	sqlite3_stmt *stmt;
	struct db *db;
	struct rig r;

	rig_init(&r);
	assert_int_equal(open_at(&r, &db), 0);
	sqlite3_prepare_v2(db->sql, "PRAGMA synchronous", -1, &stmt, NULL);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(stmt, 0), 2); /* FULL */
	sqlite3_finalize(stmt);
	db_close(db);
	rig_done(&r);
}

static void a_file_that_is_no_database_is_found_out(void **state)
{
	char junk[10000];
	struct db *db;
	struct rig r;

	rig_init(&r);
	memset(junk, 'j', sizeof(junk));
	rig_write(r.db, junk, sizeof(junk));
	assert_int_equal(open_at(&r, &db), -EUCLEAN);
	assert_string_equal(why, "file is not a database");
	rig_done(&r);
}

static void a_damaged_page_is_found_by_the_check(void **state)
{
	uint8_t *bytes;
	struct db *db;
	struct rig r;
	size_t n;

	rig_init(&r);
	assert_int_equal(open_at(&r, &db), 0);
	put_rows(db, 500);
	db_close(db);
	bytes = rig_read(r.db, &n);
	assert_true(n > 20 * 4096);
	memset(bytes + 10 * 4096, 0x5a, 4096);
	rig_write(r.db, bytes, n);
	free(bytes);
	assert_int_equal(open_at(&r, &db), -EUCLEAN);
	rig_done(&r);
}

static void a_missing_table_is_damage_too(void **state)
{
	struct db *db;
	struct rig r;

	rig_init(&r);
	assert_int_equal(open_at(&r, &db), 0);
	assert_int_equal(db_exec(db->sql, "DROP TABLE binding_state"), 0);
	db_close(db);
	assert_int_equal(open_at(&r, &db), -EUCLEAN);
	rig_done(&r);
}

static void setting_aside_takes_all_three_files(void **state)
{
	char name[200];
	struct rig r;

	rig_init(&r);
	rig_write(r.db, "a", 1);
	rig_write(strcat(strcpy(name, r.db), "-wal"), "b", 1);
	rig_write(strcat(strcpy(name, r.db), "-shm"), "c", 1);
	assert_int_equal(db_set_aside(r.db, name, sizeof(name)), 0);
	assert_int_equal(rig_count(&r, "sbc.db.corrupt-"), 3);
	assert_int_equal(rig_count(&r, "-wal"), 1);
	assert_int_equal(access(r.db, F_OK), -1);
	assert_int_equal(access(name, F_OK), 0);
	rig_done(&r);
}

static void only_the_newest_three_are_kept(void **state)
{
	char name[200], last[200];
	struct rig r;

	rig_init(&r);
	clock_freeze(1000, 1800000000000);
	for (int i = 0; i < 5; i++) {
		rig_write(r.db, "a", 1);
		assert_int_equal(db_set_aside(r.db, name, sizeof(name)), 0);
		clock_advance(1000);
		if (i == 1)
			strcpy(last, name);
	}
	clock_thaw();
	assert_int_equal(rig_count(&r, "corrupt"), 3);
	assert_int_equal(access(last, F_OK), -1);
	assert_int_equal(access(name, F_OK), 0);
	rig_done(&r);
}

static void nothing_to_set_aside_is_an_error_where_no_directory_is(void **state)
{
	char name[200];

	assert_int_equal(db_set_aside("/dev/null/x/sbc.db", name, sizeof(name)),
			 -ENOTDIR);
}

static void a_full_disk_still_lets_us_read(void **state)
{
	uint64_t id = 0, seq = 0;
	struct db *db;
	struct rig r;

	rig_init(&r);
	assert_int_equal(open_at(&r, &db), 0);
	put_rows(db, 10);
	db_close(db);
	disk.shm_rc = SQLITE_IOERR_SHMSIZE;
	disk.write_rc = SQLITE_FULL;
	assert_int_equal(open_at(&r, &db), -EIO);
	assert_int_equal(db_open(&db, r.db, DB_ALONE, false, why, sizeof(why)),
			 0);
	assert_int_equal(rows_binding_limits(&db->binding, &id, &seq), 0);
	assert_int_equal(id, 10);
	db_close(db);
	disk_heal();
	rig_done(&r);
}

static void faults_have_their_own_errors(void **state)
{
	static const struct {
		int rc, err;
	} cases[] = {
		{SQLITE_CORRUPT, -EUCLEAN},
		{SQLITE_CORRUPT_INDEX, -EUCLEAN},
		{SQLITE_NOTADB, -EUCLEAN},
		{SQLITE_FULL, -ENOSPC},
		{SQLITE_IOERR_FSYNC, -EIO},
		{SQLITE_CANTOPEN, -EIO},
		{SQLITE_BUSY_SNAPSHOT, -EBUSY},
		{SQLITE_READONLY_DIRECTORY, -EROFS},
		{SQLITE_NOMEM, -ENOMEM},
		{SQLITE_CONSTRAINT_NOTNULL, -EINVAL},
		{SQLITE_TOOBIG, -EINVAL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(db_error(cases[i].rc), cases[i].err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_database_is_private_and_in_wal_mode),
		cmocka_unit_test(a_commit_waits_for_the_disk),
		cmocka_unit_test(a_file_that_is_no_database_is_found_out),
		cmocka_unit_test(a_damaged_page_is_found_by_the_check),
		cmocka_unit_test(a_missing_table_is_damage_too),
		cmocka_unit_test(setting_aside_takes_all_three_files),
		cmocka_unit_test(only_the_newest_three_are_kept),
		cmocka_unit_test(
			nothing_to_set_aside_is_an_error_where_no_directory_is),
		cmocka_unit_test(a_full_disk_still_lets_us_read),
		cmocka_unit_test(faults_have_their_own_errors),
	};

	return cmocka_run_group_tests(tests, disk_install, NULL);
}
