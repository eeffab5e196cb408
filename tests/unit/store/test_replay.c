/*
 * test_replay.c - what a crash left in the journal comes back
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A store that is freed instead of closed is as good as killed: nothing is
 * flushed, the journal file keeps what was appended.
 */
#include "store_rig.h"

#include "core/clock.h"
#include "core/log.h"
#include "store/migrate.h"
#include "store/row_codec.h"
#include "store/writer.h"

static struct rig rig;
static struct store *s;
static struct rig_load load;

static void swallow(void *arg, const char *line)
{
}

static void make(void)
{
	const struct store_conf conf = {
		.dir = rig.dir,
		.journal_bytes = JOURNAL_MIN_BYTES,
	};

	assert_int_equal(store_make(&s, &conf), 0);
}

static void kill_and_make(void)
{
	store_free(s);
	make();
}

static int setup(void **state)
{
	clock_freeze(1000000, 1800000000000);
	log_capture(swallow, NULL);
	rig_init(&rig);
	make();
	return 0;
}

static int teardown(void **state)
{
	disk_heal();
	store_free(s);
	rig_done(&rig);
	clock_thaw();
	alarm_clear("store-degraded");
	alarm_clear("store-set-aside");
	return 0;
}

static const struct rig_load *all(int expected)
{
	memset(&load, 0, sizeof(load));
	assert_int_equal(store_load_bindings(s, rig_note, &load), expected);
	return &load;
}

static void fail_the_disk(void)
{
	disk.write_rc = SQLITE_FULL;
	disk.shm_rc = SQLITE_IOERR_SHMSIZE;
}

static void what_was_not_committed_is_there_after_a_crash(void **state)
{
	rig_put(s, 1, 1);
	writer_turn(s, true);
	rig_put(s, 1, 2);
	rig_put(s, 2, 1);
	rig_put(s, 3, 1);
	store_binding_del(s, 3);
	kill_and_make();
	assert_int_equal(all(0)->n, 2);
	assert_int_equal(load.cseq[1], 2);
	assert_int_equal(load.cseq[2], 1);
	assert_int_equal(rig_rows(&rig), 2);
	assert_int_equal(store_state(s), STORE_OK);
}

static void a_second_crash_replays_nothing_twice(void **state)
{
	rig_put(s, 1, 1);
	kill_and_make();
	store_binding_del(s, 1);
	rig_put(s, 2, 1);
	kill_and_make();
	kill_and_make();
	assert_int_equal(all(0)->n, 1);
	assert_int_equal(load.cseq[2], 1);
}

static void record_numbers_go_on_after_a_lost_journal(void **state)
{
	for (uint32_t i = 1; i <= 100; i++)
		rig_put(s, 1, i);
	writer_turn(s, true);
	unlink(rig.journal);
	kill_and_make();
	rig_put(s, 1, 200);
	writer_turn(s, true);
	assert_int_equal(all(0)->cseq[1], 200);
}

static void the_largest_id_is_known_from_both(void **state)
{
	assert_int_equal(store_max_id(s), 0);
	rig_put(s, 7, 1);
	writer_turn(s, true);
	rig_put(s, 9, 1);
	store_binding_del(s, 9);
	kill_and_make();
	assert_int_equal(store_max_id(s), 9);
	store_free(s);
	unlink(rig.journal);
	make();
	assert_int_equal(store_max_id(s), 7);
}

static void without_a_database_ids_start_from_the_clock(void **state)
{
	disk.open_rc = SQLITE_CANTOPEN;
	kill_and_make();
	assert_true(store_max_id(s) >= (uint64_t)1800000000000 << 16);
	assert_true(store_max_id(s) < INT64_MAX / 2);
	assert_int_equal(all(-EIO)->n, 0);
}

/* Crash while the disk is full: the start reads both and keeps both. */
static void
a_full_disk_at_start_gives_rows_as_the_journal_changed_them(void **state)
{
	rig_put(s, 1, 1);
	rig_put(s, 2, 1);
	rig_put(s, 3, 1);
	writer_turn(s, true);
	db_close(s->db); /* takes the index file along, as a clean stop does */
	s->db = NULL;
	rig_put(s, 1, 2);
	store_binding_del(s, 2);
	rig_put(s, 4, 1);
	rig_put(s, 4, 2);
	fail_the_disk();
	kill_and_make();
	assert_int_equal(store_state(s), STORE_DEGRADED);
	assert_int_equal(store_max_id(s), 4);
	assert_int_equal(all(0)->n, 3);
	assert_int_equal(load.cseq[1], 2);
	assert_int_equal(load.cseq[3], 1);
	assert_int_equal(load.cseq[4], 2);
}

static void what_waited_for_a_full_disk_is_committed_later(void **state)
{
	rig_put(s, 1, 1);
	fail_the_disk();
	kill_and_make();
	rig_put(s, 2, 1);
	kill_and_make(); /* this one had no file, the first is not lost */
	assert_int_equal(all(0)->cseq[1], 1);
	disk_heal();
	writer_turn(s, false);
	assert_int_equal(store_state(s), STORE_OK);
	assert_int_equal(rig_ask(&rig, "SELECT count(*) FROM binding"
				       " WHERE id = 1"),
			 1);
	rig_put(s, 3, 1);
	kill_and_make();
	assert_int_equal(all(0)->cseq[3], 1);
	assert_int_equal(load.cseq[1], 1);
}

static void an_unfinished_resync_sweeps_nothing_at_replay(void **state)
{
	rig_put(s, 1, 1);
	rig_put(s, 2, 1);
	writer_turn(s, true);
	store_resync_begin(s);
	rig_put(s, 1, 2);
	store_resync_end(s);
	kill_and_make();
	assert_int_equal(all(0)->n, 2);
}

static void a_damaged_database_still_gets_what_the_journal_has(void **state)
{
	rig_put(s, 1, 1);
	writer_turn(s, true);
	rig_put(s, 2, 1);
	store_free(s);
	rig_write(rig.db, "this is no database at all", 26);
	make();
	assert_int_equal(store_state(s), STORE_SET_ASIDE);
	assert_int_equal(all(0)->n, 1);
	assert_int_equal(load.cseq[2], 1);
}

static void a_garbled_journal_costs_only_itself(void **state)
{
	char junk[JOURNAL_MIN_BYTES];

	rig_put(s, 1, 1);
	writer_turn(s, true);
	rig_put(s, 2, 1);
	store_free(s);
	memset(junk, 0xff, sizeof(junk));
	rig_write(rig.journal, junk, sizeof(junk));
	make();
	assert_int_equal(store_state(s), STORE_OK);
	assert_int_equal(all(0)->n, 1);
	assert_int_equal(load.cseq[1], 1);
}

/* A power cut may leave an old page of the journal with a new database. */
static void old_records_do_not_undo_new_rows(void **state)
{
	uint8_t *old;
	size_t n;

	rig_put(s, 1, 1);
	old = rig_read(rig.journal, &n);
	writer_turn(s, true);
	rig_put(s, 1, 2);
	writer_turn(s, true);
	store_free(s);
	rig_write(rig.journal, old, n);
	free(old);
	make();
	assert_int_equal(all(0)->cseq[1], 2);
}

/* What stands behind the texts since version 2. */
enum { NAT_BYTES = 4 + 4 + 23 + 4 + 8 };

extern const char schema_start[] __asm__("_binary_schema_sql_start");
extern const char schema_end[] __asm__("_binary_schema_sql_end");

/* A database and a journal as the first version of the program left them: one
 * binding in the one, a change of it and another one in the other. */
static void leave_as_version_1(void)
{
	const struct migration first = {schema_start,
					schema_end - schema_start};
	struct journal *j;
	sqlite3 *sql;

	rig_clear_dir(&rig);
	assert_int_equal(sqlite3_open(rig.db, &sql), SQLITE_OK);
	assert_int_equal(migrate_by(sql, &first, 1), 0);
	assert_int_equal(
		db_exec(sql, "PRAGMA journal_mode = WAL;"
			     "INSERT INTO binding VALUES (1, '100@sbc', '100',"
			     " 'lan', 'sip:100@192.0.2.7', 'c', NULL, 0, NULL,"
			     " 'phone', 1, '203.0.113.9:40000',"
			     " '192.0.2.1:5060', 1001);"
			     "INSERT INTO binding_state VALUES (1, 9, 11, 1002,"
			     " 1003)"),
		0);
	sqlite3_close(sql);
	assert_int_equal(journal_create(&j, JOURNAL_MIN_BYTES, 10), 0);
	assert_int_equal(journal_attach(j, rig.journal), 0);
	for (uint64_t id = 1; id <= 2; id++) {
		struct binding_row row = rig_row(id);
		size_t n = row_size(&row);
		uint8_t *whole = malloc(n);

		row.cseq = 70 + id;
		row_encode(whole, &row);
		memcpy(journal_begin(j, n - NAT_BYTES), whole, n - NAT_BYTES);
		journal_append(j, JOURNAL_PUT);
		free(whole);
	}
	journal_destroy(j);
}

static void what_the_first_version_left_is_taken_over(void **state)
{
	store_free(s);
	leave_as_version_1();
	make();
	assert_int_equal(store_state(s), STORE_OK);
	assert_int_equal(all(0)->n, 2);
	assert_int_equal(load.cseq[1], 71);
	assert_int_equal(load.cseq[2], 72);
	assert_int_equal(rig_ask(&rig, "PRAGMA user_version"), 3);
	assert_int_equal(rig_ask(&rig, "SELECT max(nat_flags) FROM binding"),
			 0);
}

static void tell(wall_ms at, const char *event)
{
	struct history_row row = rig_event(1800000000000 + at, 1, event);

	store_history_add(s, &row);
}

static int64_t told(void)
{
	return rig_ask(&rig, "SELECT count(*) FROM history");
}

static void the_history_survives_a_crash(void **state)
{
	tell(1, "registered");
	writer_turn(s, true);
	tell(2, "lost");
	tell(3, "back");
	kill_and_make();
	assert_int_equal(told(), 3);
	tell(4, "gone");
	kill_and_make();
	kill_and_make();
	assert_int_equal(told(), 4);
}

static void the_history_waits_for_a_full_disk_at_start(void **state)
{
	tell(1, "registered");
	fail_the_disk();
	kill_and_make();
	disk_heal();
	writer_turn(s, false);
	assert_int_equal(told(), 1);
}

static void the_history_is_left_out_while_the_disk_is_sick(void **state)
{
	fail_the_disk();
	rig_put(s, 1, 1);
	writer_turn(s, true);
	tell(1, "registered");
	disk_heal();
	writer_turn(s, true);
	tell(2, "lost");
	writer_turn(s, true);
	assert_int_equal(told(), 1);
}

static void old_history_goes_with_the_next_news(void **state)
{
	tell(0, "registered");
	writer_turn(s, true);
	clock_advance(INT64_C(31) * 86400 * 1000);
	tell(INT64_C(31) * 86400 * 1000, "lost");
	writer_turn(s, true);
	assert_int_equal(told(), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_was_not_committed_is_there_after_a_crash),
		TEST(a_second_crash_replays_nothing_twice),
		TEST(record_numbers_go_on_after_a_lost_journal),
		TEST(the_largest_id_is_known_from_both),
		TEST(without_a_database_ids_start_from_the_clock),
		TEST(a_full_disk_at_start_gives_rows_as_the_journal_changed_them),
		TEST(what_waited_for_a_full_disk_is_committed_later),
		TEST(an_unfinished_resync_sweeps_nothing_at_replay),
		TEST(a_damaged_database_still_gets_what_the_journal_has),
		TEST(a_garbled_journal_costs_only_itself),
		TEST(old_records_do_not_undo_new_rows),
		TEST(what_the_first_version_left_is_taken_over),
		TEST(the_history_survives_a_crash),
		TEST(the_history_waits_for_a_full_disk_at_start),
		TEST(the_history_is_left_out_while_the_disk_is_sick),
		TEST(old_history_goes_with_the_next_news),
	};

	return cmocka_run_group_tests(tests, disk_install, NULL);
}
