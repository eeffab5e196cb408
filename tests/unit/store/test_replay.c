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
	};

	return cmocka_run_group_tests(tests, disk_install, NULL);
}
