/*
 * test_writer.c - what the writer does when, and on a disk that fails
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * No thread here: the tests turn the crank themselves on a frozen clock.
 */
#include "store_rig.h"

#include "core/clock.h"
#include "core/log.h"
#include "store/writer.h"

static struct rig rig;
static struct store *s;

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

/* Let @ms pass and have the writer do what is due then. */
static int64_t turn_after(int64_t ms)
{
	clock_advance(ms);
	return writer_turn(s, false);
}

static int64_t cseq_of(uint64_t id)
{
	char sql[80];

	snprintf(sql, sizeof(sql),
		 "SELECT cseq FROM binding_state WHERE id = %d", (int)id);
	return rig_ask(&rig, sql);
}

/* Put until the journal takes no more; returns the first id that was lost. */
static uint64_t fill_up(uint64_t id)
{
	while (!atomic_load(&s->losses))
		rig_put(s, id++, 1);
	return id - 1;
}

/* ---- when ---------------------------------------------------------------- */

static void with_nothing_to_do_it_sleeps(void **state)
{
	assert_int_equal(writer_turn(s, false), -1);
	assert_int_equal(turn_after(1000000), -1);
}

static void changes_are_gathered_and_committed_together(void **state)
{
	rig_put(s, 1, 1);
	assert_int_equal(writer_turn(s, false), 750);
	rig_put(s, 2, 1);
	assert_int_equal(turn_after(749), 1);
	assert_int_equal(rig_rows(&rig), 0);
	assert_int_equal(turn_after(1), -1);
	assert_int_equal(rig_rows(&rig), 2);
}

static void a_half_full_journal_is_not_waited_for(void **state)
{
	uint64_t id = 1;

	while (store_has_room(s))
		rig_put(s, id++, 1);
	assert_int_equal(writer_turn(s, false), -1);
	assert_int_equal(rig_rows(&rig), id - 1);
	assert_true(store_has_room(s));
}

static void refreshes_wait_a_minute_and_are_written_once(void **state)
{
	rig_put(s, 1, 1);
	writer_turn(s, true);
	for (uint32_t cseq = 2; cseq < 10; cseq++)
		store_binding_refresh(s, 1, cseq, 1800000400000 + cseq, 1);
	assert_int_equal(writer_turn(s, false), 60000);
	assert_int_equal(turn_after(59999), 1);
	assert_int_equal(cseq_of(1), 1);
	assert_int_equal(turn_after(1), -1);
	assert_int_equal(cseq_of(1), 9);
	assert_int_equal(rig_ask(&rig, "SELECT expires_at FROM binding_state"),
			 1800000400009);
}

static void a_change_does_not_wait_for_refreshes(void **state)
{
	store_binding_refresh(s, 9, 2, 1, 1);
	assert_int_equal(writer_turn(s, false), 60000);
	rig_put(s, 1, 1);
	assert_int_equal(writer_turn(s, false), 750);
	assert_int_equal(turn_after(750), 59250);
	assert_int_equal(rig_rows(&rig), 1);
}

static void a_refresh_before_a_change_does_not_undo_it(void **state)
{
	rig_put(s, 1, 1);
	store_binding_refresh(s, 1, 2, 1, 1);
	rig_put(s, 1, 3);
	writer_turn(s, true);
	assert_int_equal(cseq_of(1), 3);
}

static void a_refresh_after_a_change_counts(void **state)
{
	rig_put(s, 1, 1);
	store_binding_refresh(s, 1, 2, 1, 1);
	writer_turn(s, true);
	assert_int_equal(cseq_of(1), 2);
}

static void a_refresh_of_a_deleted_binding_brings_nothing_back(void **state)
{
	rig_put(s, 1, 1);
	store_binding_refresh(s, 1, 2, 1, 1);
	store_binding_del(s, 1);
	writer_turn(s, true);
	assert_int_equal(rig_rows(&rig), 0);
	assert_int_equal(cseq_of(1), -1);
}

static void a_record_that_makes_no_sense_is_passed_over(void **state)
{
	memcpy(journal_begin(s->journal, 4), "junk", 4);
	journal_append(s->journal, JOURNAL_PUT);
	memcpy(journal_begin(s->journal, 4), "junk", 4);
	journal_append(s->journal, JOURNAL_DEL);
	memcpy(journal_begin(s->journal, 4), "junk", 4);
	journal_append(s->journal, JOURNAL_RESYNC_END);
	journal_begin(s->journal, 0);
	journal_append(s->journal, 77);
	rig_put(s, 1, 1);
	writer_turn(s, true);
	assert_int_equal(rig_rows(&rig), 1);
	assert_int_equal(store_state(s), STORE_OK);
}

static void a_row_larger_than_the_journal_takes_is_left_out(void **state)
{
	static char path[60000];
	struct binding_row row = rig_row(1);

	memset(path, 'p', sizeof(path) - 1);
	row.path = path;
	store_binding_put(s, &row);
	rig_put(s, 2, 1);
	writer_turn(s, true);
	assert_int_equal(rig_rows(&rig), 1);
	assert_int_equal(store_state(s), STORE_OK);
	assert_false(store_needs_resync(s));
}

/* ---- a disk that fails -------------------------------------------------- */

static void check_outage(void)
{
	rig_put(s, 1, 1);
	store_binding_refresh(s, 1, 5, 1, 1);
	writer_turn(s, true);
	assert_int_equal(store_state(s), STORE_DEGRADED);
	assert_true(rig_has_alarm("store-degraded"));
	rig_put(s, 2, 1);
	assert_int_equal(turn_after(10), STORE_RETRY_MS - 10);
	assert_int_equal(turn_after(STORE_RETRY_MS), STORE_RETRY_MS);
	disk_heal();
	assert_int_equal(turn_after(STORE_RETRY_MS), -1);
	assert_int_equal(store_state(s), STORE_OK);
	assert_false(rig_has_alarm("store-degraded"));
	assert_int_equal(rig_rows(&rig), 2);
	assert_int_equal(cseq_of(1), 5);
	assert_false(store_needs_resync(s)); /* nothing was lost */
}

static void a_full_disk_degrades_and_heals(void **state)
{
	disk.write_rc = SQLITE_FULL;
	check_outage();
}

static void a_write_error_degrades_and_heals(void **state)
{
	disk.write_rc = SQLITE_IOERR_WRITE;
	check_outage();
}

static void a_failing_fsync_degrades_and_heals(void **state)
{
	disk.sync_rc = SQLITE_IOERR_FSYNC;
	check_outage();
}

static void a_read_error_degrades_and_heals(void **state)
{
	/* With a fresh handle, that has no page in its cache. */
	db_close(s->db);
	s->db = NULL;
	disk.read_rc = SQLITE_IOERR_READ;
	check_outage();
}

static void a_file_that_cannot_be_opened_degrades_and_heals(void **state)
{
	db_close(s->db);
	s->db = NULL;
	disk.open_rc = SQLITE_CANTOPEN;
	check_outage();
}

/* An empty journal must not make a sick disk look well. */
static void a_sick_disk_is_probed_by_writing(void **state)
{
	disk.write_rc = SQLITE_FULL;
	rig_put(s, 1, 1);
	writer_turn(s, true);
	journal_done(s->journal); /* no, but now nothing is left to write */
	while (journal_peek(s->journal, &(struct journal_record){0}))
		;
	journal_done(s->journal);
	turn_after(STORE_RETRY_MS);
	assert_int_equal(store_state(s), STORE_DEGRADED);
	disk_heal();
	turn_after(STORE_RETRY_MS);
	assert_int_equal(store_state(s), STORE_OK);
}

static void a_write_that_hangs_is_noticed_from_outside(void **state)
{
	atomic_store(&s->busy_since, clock_mono());
	clock_advance(STORE_HUNG_MS);
	assert_false(store_needs_resync(s));
	assert_int_equal(store_state(s), STORE_OK);
	clock_advance(1);
	assert_false(store_needs_resync(s));
	assert_int_equal(store_state(s), STORE_DEGRADED);
	atomic_store(&s->busy_since, 0);
	assert_false(store_needs_resync(s));
	assert_int_equal(store_state(s), STORE_OK);
}

static void a_journal_file_is_made_as_soon_as_it_can_be(void **state)
{
	store_free(s);
	rig_clear_dir(&rig);
	rmdir(rig.dir);
	make();
	assert_int_equal(store_state(s), STORE_DEGRADED);
	rig_put(s, 1, 1);
	writer_turn(s, true);
	assert_int_equal(rig_count(&rig, "journal"), 0);
	mkdir(rig.dir, 0700);
	turn_after(STORE_RETRY_MS);
	assert_int_equal(store_state(s), STORE_OK);
	assert_int_equal(rig_rows(&rig), 1);
	assert_int_equal(rig_count(&rig, "sbc.journal"), 1);
	rig_put(s, 2, 1);
	store_free(s); /* as kill -9 would */
	make();
	assert_int_equal(rig_rows(&rig), 2);
}

static void only_the_journal_missing_is_degraded_too(void **state)
{
	store_free(s);
	unlink(rig.journal);
	mkdir(rig.journal, 0700); /* in the way */
	make();
	assert_int_equal(store_state(s), STORE_DEGRADED);
	rig_put(s, 1, 1);
	writer_turn(s, true);
	assert_int_equal(rig_rows(&rig), 1);
	assert_int_equal(store_state(s), STORE_DEGRADED);
	rmdir(rig.journal);
	/* Not tried with every commit. */
	rig_put(s, 2, 1);
	writer_turn(s, true);
	assert_int_equal(store_state(s), STORE_DEGRADED);
	turn_after(STORE_ATTACH_MS);
	assert_int_equal(store_state(s), STORE_OK);
}

/* ---- holes and how they are filled -------------------------------------- */

static void a_full_journal_asks_for_a_resync_when_the_disk_is_well(void **state)
{
	uint64_t lost;

	disk.write_rc = SQLITE_FULL;
	rig_put(s, 1, 1);
	writer_turn(s, true);
	lost = fill_up(2);
	assert_false(store_needs_resync(s)); /* the disk is still full */
	disk_heal();
	turn_after(STORE_RETRY_MS);
	assert_int_equal(rig_rows(&rig), lost - 1);
	assert_int_equal(store_state(s), STORE_DEGRADED);
	assert_true(store_needs_resync(s));

	store_resync_begin(s);
	assert_false(store_needs_resync(s));
	rig_put(s, 1, 2);
	rig_put(s, lost, 2);
	store_resync_end(s);
	writer_turn(s, true);
	assert_false(store_needs_resync(s));
	assert_int_equal(store_state(s), STORE_OK);
	assert_false(rig_has_alarm("store-degraded"));
	/* What the owner no longer has is gone. */
	assert_int_equal(rig_rows(&rig), 2);
	assert_int_equal(cseq_of(1), 2);
	assert_int_equal(cseq_of(lost), 2);
}

static void changes_amid_a_resync_are_kept(void **state)
{
	fill_up(1);
	writer_turn(s, true);
	store_resync_begin(s);
	rig_put(s, 1, 5);
	writer_turn(s, true); /* slices may be committed apart */
	rig_put(s, 1000, 1);  /* a new one */
	rig_put(s, 2, 5);
	store_binding_del(s, 2);
	store_resync_end(s);
	writer_turn(s, true);
	assert_int_equal(rig_rows(&rig), 2);
	assert_int_equal(cseq_of(1), 5);
	assert_int_equal(cseq_of(1000), 1);
}

static void a_loss_amid_a_resync_sweeps_nothing_and_asks_again(void **state)
{
	int64_t rows;

	fill_up(1);
	writer_turn(s, true);
	rows = rig_rows(&rig);
	store_resync_begin(s);
	for (int i = 0; i < 1000; i++) /* more than the journal takes */
		rig_put(s, 1, 5);
	store_resync_end(s);
	writer_turn(s, true);
	assert_int_equal(rig_rows(&rig), rows);
	assert_true(store_needs_resync(s));
	store_resync_begin(s);
	rig_put(s, 1, 6);
	store_resync_end(s);
	writer_turn(s, true);
	assert_false(store_needs_resync(s));
	assert_int_equal(rig_rows(&rig), 1);
}

static void an_end_without_a_begin_is_nothing(void **state)
{
	rig_put(s, 1, 1);
	store_resync_end(s);
	writer_turn(s, true);
	assert_int_equal(rig_rows(&rig), 1);
}

/* ---- damage under way ---------------------------------------------------- */

static void damage_at_run_time_is_set_aside_and_filled_again(void **state)
{
	rig_put(s, 1, 1);
	writer_turn(s, true);
	assert_int_equal(db_exec(s->db->sql, "DROP TABLE binding"), 0);
	rig_put(s, 2, 1);
	writer_turn(s, true);
	assert_int_equal(store_state(s), STORE_SET_ASIDE);
	assert_true(rig_has_alarm("store-set-aside"));
	assert_int_equal(rig_count(&rig, "sbc.db.corrupt-"), 1);
	assert_int_equal(rig_rows(&rig), 1); /* what came with it is there */
	assert_true(store_needs_resync(s));
	store_resync_begin(s);
	rig_put(s, 1, 1);
	rig_put(s, 2, 1);
	store_resync_end(s);
	writer_turn(s, true);
	assert_int_equal(rig_rows(&rig), 2);
	assert_false(store_needs_resync(s));
	assert_int_equal(store_state(s), STORE_SET_ASIDE);
}

static void damage_found_by_the_disk_is_set_aside_too(void **state)
{
	rig_put(s, 1, 1);
	writer_turn(s, true);
	db_close(s->db);
	s->db = NULL;
	rig_write(rig.db, "this is no database at all", 26);
	rig_put(s, 2, 1);
	writer_turn(s, true);
	assert_int_equal(store_state(s), STORE_SET_ASIDE);
	assert_true(store_needs_resync(s));
}

static void a_damaged_file_at_start_asks_for_nothing(void **state)
{
	store_free(s);
	rig_write(rig.db, "this is no database at all", 26);
	make();
	assert_int_equal(store_state(s), STORE_SET_ASIDE);
	assert_true(rig_has_alarm("store-set-aside"));
	assert_false(store_needs_resync(s));
	rig_put(s, 1, 1);
	writer_turn(s, true);
	assert_int_equal(rig_rows(&rig), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(with_nothing_to_do_it_sleeps),
		TEST(changes_are_gathered_and_committed_together),
		TEST(a_half_full_journal_is_not_waited_for),
		TEST(refreshes_wait_a_minute_and_are_written_once),
		TEST(a_change_does_not_wait_for_refreshes),
		TEST(a_refresh_before_a_change_does_not_undo_it),
		TEST(a_refresh_after_a_change_counts),
		TEST(a_refresh_of_a_deleted_binding_brings_nothing_back),
		TEST(a_record_that_makes_no_sense_is_passed_over),
		TEST(a_row_larger_than_the_journal_takes_is_left_out),
		TEST(a_full_disk_degrades_and_heals),
		TEST(a_write_error_degrades_and_heals),
		TEST(a_failing_fsync_degrades_and_heals),
		TEST(a_read_error_degrades_and_heals),
		TEST(a_file_that_cannot_be_opened_degrades_and_heals),
		TEST(a_sick_disk_is_probed_by_writing),
		TEST(a_write_that_hangs_is_noticed_from_outside),
		TEST(a_journal_file_is_made_as_soon_as_it_can_be),
		TEST(only_the_journal_missing_is_degraded_too),
		TEST(a_full_journal_asks_for_a_resync_when_the_disk_is_well),
		TEST(changes_amid_a_resync_are_kept),
		TEST(a_loss_amid_a_resync_sweeps_nothing_and_asks_again),
		TEST(an_end_without_a_begin_is_nothing),
		TEST(damage_at_run_time_is_set_aside_and_filled_again),
		TEST(damage_found_by_the_disk_is_set_aside_too),
		TEST(a_damaged_file_at_start_asks_for_nothing),
	};

	return cmocka_run_group_tests(tests, disk_install, NULL);
}
