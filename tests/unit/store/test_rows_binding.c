/*
 * test_rows_binding.c - bindings in the tables and out of them
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store_rig.h"

#include "store/db.h"

static struct db *db;
static struct rig_load load;
static char dir[64];

static int setup(void **state)
{
	char why[120], path[96];

	memset(&load, 0, sizeof(load));
	strcpy(dir, "/tmp/test_rows.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
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

static void put(uint64_t seq, uint64_t id, uint32_t cseq)
{
	struct binding_row row = rig_row(id);

	row.cseq = cseq;
	assert_int_equal(rows_binding_put(&db->binding, seq, &row), 0);
}

static const struct rig_load *all(void)
{
	memset(&load, 0, sizeof(load));
	assert_int_equal(rows_binding_each(&db->binding, rig_note, &load), 0);
	return &load;
}

static void is_the_same(void *arg, const struct binding_row *row)
{
	rig_same_row(arg, row);
	load.n++;
}

static void a_row_comes_back_whole(void **state)
{
	struct binding_row row = rig_row(5);

	row.path = "<sip:edge.example;lr>";
	assert_int_equal(rows_binding_put(&db->binding, 1, &row), 0);
	rows_binding_each(&db->binding, is_the_same, &row);
	assert_int_equal(load.n, 1);
}

static void absent_values_come_back_absent(void **state)
{
	struct binding_row row = {.id = 5};

	assert_int_equal(rows_binding_put(&db->binding, 1, &row), 0);
	rows_binding_each(&db->binding, is_the_same, &row);
	assert_int_equal(load.n, 1);
}

static void a_changed_row_replaces_the_old_one(void **state)
{
	put(1, 5, 10);
	put(2, 5, 11);
	assert_int_equal(all()->n, 1);
	assert_int_equal(load.cseq[5], 11);
}

static void an_older_record_changes_nothing(void **state)
{
	put(7, 5, 10);
	put(6, 5, 9);
	put(7, 5, 8);
	assert_int_equal(rows_binding_del(&db->binding, 6, 5), 0);
	assert_int_equal(all()->n, 1);
	assert_int_equal(load.cseq[5], 10);
}

static void a_deleted_row_is_gone_from_both_tables(void **state)
{
	uint64_t id = 9, seq = 9;

	put(1, 5, 10);
	put(2, 6, 10);
	assert_int_equal(rows_binding_del(&db->binding, 3, 5), 0);
	assert_int_equal(all()->n, 1);
	assert_int_equal(load.cseq[6], 10);
	assert_int_equal(rows_binding_del(&db->binding, 4, 6), 0);
	assert_int_equal(rows_binding_limits(&db->binding, &id, &seq), 0);
	assert_int_equal(id, 0);
	assert_int_equal(seq, 0);
}

static void a_refresh_moves_three_values_only(void **state)
{
	const struct refresh re = {
		.id = 5,
		.after_seq = 1,
		.cseq = 11,
		.expires_at = 1800000720000,
		.last_seen = 1800000300000,
	};
	struct binding_row row = rig_row(5);

	put(1, 5, 7);
	assert_int_equal(rows_binding_refresh(&db->binding, &re), 0);
	row.cseq = re.cseq;
	row.expires_at = re.expires_at;
	row.last_seen = re.last_seen;
	rows_binding_each(&db->binding, is_the_same, &row);
	assert_int_equal(load.n, 1);
}

static void a_refresh_older_than_the_row_is_passed_over(void **state)
{
	const struct refresh re = {.id = 5, .after_seq = 1, .cseq = 99};

	put(1, 5, 10);
	put(2, 5, 11);
	assert_int_equal(rows_binding_refresh(&db->binding, &re), 0);
	assert_int_equal(all()->cseq[5], 11);
}

static void a_sweep_takes_what_was_not_written_since(void **state)
{
	put(1, 5, 1);
	put(2, 6, 1);
	put(3, 7, 1);
	put(4, 5, 2);
	assert_int_equal(rows_binding_sweep(&db->binding, 3), 0);
	assert_int_equal(all()->n, 2);
	assert_int_equal(load.cseq[5], 2);
	assert_int_equal(load.cseq[7], 1);
}

static void the_limits_are_the_largest_id_and_record(void **state)
{
	uint64_t id, seq;

	put(9, 5, 1);
	put(4, 60000, 1);
	assert_int_equal(rows_binding_limits(&db->binding, &id, &seq), 0);
	assert_int_equal(id, 60000);
	assert_int_equal(seq, 9);
}

static void an_address_edited_to_nonsense_is_unset(void **state)
{
	put(1, 5, 1);
	assert_int_equal(db_exec(db->sql, "UPDATE binding SET source = 'x',"
					  " local = x'00ff'"),
			 0);
	assert_int_equal(all()->n, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_row_comes_back_whole),
		TEST(absent_values_come_back_absent),
		TEST(a_changed_row_replaces_the_old_one),
		TEST(an_older_record_changes_nothing),
		TEST(a_deleted_row_is_gone_from_both_tables),
		TEST(a_refresh_moves_three_values_only),
		TEST(a_refresh_older_than_the_row_is_passed_over),
		TEST(a_sweep_takes_what_was_not_written_since),
		TEST(the_limits_are_the_largest_id_and_record),
		TEST(an_address_edited_to_nonsense_is_unset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
