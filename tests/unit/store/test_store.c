/*
 * test_store.c - the store as its owner sees it, with the real writer thread
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store_rig.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "core/log.h"
#include "store/writer.h"

static struct rig rig;
static struct rig_load load;

static void swallow(void *arg, const char *line)
{
}

static struct store *open_with(uint32_t commit_ms)
{
	const struct store_conf conf = {
		.dir = rig.dir,
		.commit_ms = commit_ms,
	};
	struct store *s;

	assert_int_equal(store_open(&s, &conf), 0);
	return s;
}

static int setup(void **state)
{
	log_capture(swallow, NULL);
	rig_init(&rig);
	return 0;
}

static int teardown(void **state)
{
	disk_shut(false);
	disk_heal();
	rig_done(&rig);
	alarm_clear("store-degraded");
	alarm_clear("store-set-aside");
	return 0;
}

static const struct rig_load *all(struct store *s)
{
	memset(&load, 0, sizeof(load));
	assert_int_equal(store_load_bindings(s, rig_note, &load), 0);
	return &load;
}

/* ---- the ordinary life -------------------------------------------------- */

static void what_is_put_is_loaded_by_the_next_life(void **state)
{
	struct store *s = open_with(0);

	assert_int_equal(store_state(s), STORE_OK);
	assert_int_equal(all(s)->n, 0);
	rig_put(s, 1, 10);
	rig_put(s, 2, 10);
	rig_put(s, 3, 10);
	store_binding_del(s, 2);
	store_binding_refresh(s, 3, 11, 1800000720000, 1800000300000);
	store_close(s);
	s = open_with(0);
	assert_int_equal(all(s)->n, 2);
	assert_int_equal(load.cseq[1], 10);
	assert_int_equal(load.cseq[3], 11); /* closing writes refreshes too */
	assert_int_equal(store_max_id(s), 3);
	store_close(s);
	store_close(NULL);
}

static void the_writer_wakes_by_itself(void **state)
{
	struct store *s = open_with(4);

	/* Again and again, so that it must lie down and wake each time.  A lost
	 * wake-up makes this wait for ever. */
	for (uint64_t id = 1; id <= 50; id++) {
		rig_put(s, id, 1);
		while (!journal_is_empty(s->journal))
			sched_yield();
	}
	assert_int_equal(rig_rows(&rig), 50);
	store_close(s);
}

static void the_states_have_the_names_of_the_contract(void **state)
{
	assert_string_equal(store_state_name(STORE_OK), "ok");
	assert_string_equal(store_state_name(STORE_DEGRADED), "degraded");
	assert_string_equal(store_state_name(STORE_SET_ASIDE), "set_aside");
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	static char dir[5000];
	const struct store_conf conf = {.dir = dir};
	struct store *s;

	memset(dir, 'd', sizeof(dir) - 1);
	assert_int_equal(store_open(&s, &conf), -ENAMETOOLONG);
}

/* ---- a disk that stalls ------------------------------------------------- */

static void puts_do_not_wait_for_a_stalled_disk(void **state)
{
	struct store *s = open_with(4);

	disk_shut(true);
	rig_put(s, 1, 1);
	disk_await_waiter(); /* the writer stands in fsync and stays there */
	for (uint64_t id = 2; id <= 5000; id++) {
		rig_put(s, id, 1);
		store_binding_refresh(s, id, 2, 1, 1);
		store_binding_del(s, id + 10000);
		assert_false(store_needs_resync(s));
	}
	assert_int_equal(store_state(s), STORE_OK);
	disk_shut(false);
	store_close(s);
	s = open_with(0);
	assert_int_equal(all(s)->n, 5000);
	assert_int_equal(load.cseq[5000], 2);
	store_close(s);
}

static void closing_does_not_wait_for_a_disk_that_hangs(void **state)
{
	struct store *s = open_with(4);

	disk_shut(true);
	rig_put(s, 1, 1);
	disk_await_waiter();
	rig_put(s, 2, 1);
	s->close_ms = 1;
	store_close(s);
	/* It was never committed, but it is in the journal. */
	disk_shut(false);
	while (atomic_load(&disk.n_open)) /* the forgotten writer ends */
		sched_yield();
	s = open_with(0);
	assert_int_equal(all(s)->n, 2);
	store_close(s);
}

static void an_outage_passes_without_help(void **state)
{
	struct store *s = open_with(4);

	disk.write_rc = SQLITE_FULL;
	rig_put(s, 1, 1);
	while (store_state(s) != STORE_DEGRADED)
		sched_yield();
	rig_put(s, 2, 1);
	disk_heal();
	while (store_state(s) != STORE_OK)
		sched_yield();
	while (!journal_is_empty(s->journal))
		sched_yield();
	assert_int_equal(rig_rows(&rig), 2);
	store_close(s);
}

/* ---- bad places --------------------------------------------------------- */

/* Run @fn in a child, which may change what it is; its answer must be 0. */
static void in_a_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		fail_msg("no right to make a mount namespace");
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Open, put, close: a number that tells what went wrong, 0 for nothing. */
static int live_degraded(void)
{
	const struct store_conf conf = {.dir = rig.dir, .commit_ms = 4};
	struct store *s;

	if (store_open(&s, &conf) != 0)
		return 1;
	if (store_state(s) != STORE_DEGRADED)
		return 2;
	if (!rig_has_alarm("store-degraded"))
		return 3;
	rig_put(s, 1, 1);
	store_binding_refresh(s, 1, 2, 1, 1);
	store_binding_del(s, 1);
	store_close(s);
	return 0;
}

static int live_as_nobody(void)
{
	if (geteuid() == 0 && seteuid(65534) != 0)
		return 99;
	return live_degraded();
}

static void a_directory_without_write_permission_is_lived_with(void **state)
{
	chmod(rig.dir, 0555);
	in_a_child(live_as_nobody);
	assert_int_equal(rig_count(&rig, "sbc."), 0);
}

static void a_missing_directory_is_lived_with(void **state)
{
	rmdir(rig.dir);
	in_a_child(live_degraded);
}

static bool say(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool is_said = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return is_said;
}

/* Without root: be root in a user namespace of our own. */
static bool be_root_inside(void)
{
	char user[64], group[64];

	snprintf(user, sizeof(user), "0 %d 1", (int)geteuid());
	snprintf(group, sizeof(group), "0 %d 1", (int)getegid());
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
	       say("/proc/self/setgroups", "deny") &&
	       say("/proc/self/uid_map", user) &&
	       say("/proc/self/gid_map", group);
}

/* A disk of 300 KB of our own, that nobody else sees. */
static int mount_small_disk(void)
{
	if (unshare(CLONE_NEWNS) != 0 && !be_root_inside())
		return 77;
	mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL);
	return mount("none", rig.dir, "tmpfs", 0, "size=300k") == 0 ? 0 : 77;
}

/* Take all room that is left. */
static void stuff_disk(void)
{
	char path[128], block[4096] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/stuff", rig.dir);
	fd = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
}

static int live_on_a_disk_that_fills_up(void)
{
	struct store_conf conf = {
		.dir = rig.dir,
		.journal_bytes = JOURNAL_MIN_BYTES,
		.commit_ms = 4,
	};
	char stuff[128];
	struct store *s;
	int rc = mount_small_disk();

	if (rc)
		return rc;
	snprintf(stuff, sizeof(stuff), "%s/stuff", rig.dir);
	if (store_open(&s, &conf) != 0 || store_state(s) != STORE_OK)
		return 1;
	rig_put(s, 1, 1);
	while (!journal_is_empty(s->journal))
		sched_yield();
	stuff_disk();
	for (uint64_t id = 2; store_has_room(s); id++)
		rig_put(s, id, 1);
	while (store_state(s) != STORE_DEGRADED)
		sched_yield();
	unlink(stuff);
	while (store_state(s) != STORE_OK)
		sched_yield();
	rc = store_needs_resync(s) || rig_rows(&rig) < 50 ? 2 : 0;
	store_close(s);
	return rc;
}

static void a_disk_that_fills_up_and_empties_is_lived_with(void **state)
{
	in_a_child(live_on_a_disk_that_fills_up);
}

static void count_row(void *arg, const struct binding_row *row)
{
	++*(int *)arg;
}

static int restart_on_a_full_disk(void)
{
	struct store_conf conf = {
		.dir = rig.dir,
		.journal_bytes = JOURNAL_MIN_BYTES,
		.commit_ms = 4,
	};
	struct store *s;
	int rc = mount_small_disk(), n = 0;

	if (rc)
		return rc;
	if (store_open(&s, &conf) != 0)
		return 1;
	rig_put(s, 1, 1);
	rig_put(s, 2, 1);
	store_close(s);
	stuff_disk();
	if (store_open(&s, &conf) != 0)
		return 2;
	if (store_load_bindings(s, count_row, &n) != 0 || n != 2)
		return 3;
	rig_put(s, 3, 1);
	store_close(s);
	return 0;
}

static void a_restart_on_a_full_disk_still_knows_its_bindings(void **state)
{
	in_a_child(restart_on_a_full_disk);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_put_is_loaded_by_the_next_life),
		TEST(the_writer_wakes_by_itself),
		TEST(the_states_have_the_names_of_the_contract),
		TEST(a_path_that_is_too_long_is_refused),
		TEST(puts_do_not_wait_for_a_stalled_disk),
		TEST(closing_does_not_wait_for_a_disk_that_hangs),
		TEST(an_outage_passes_without_help),
		TEST(a_directory_without_write_permission_is_lived_with),
		TEST(a_missing_directory_is_lived_with),
		TEST(a_disk_that_fills_up_and_empties_is_lived_with),
		TEST(a_restart_on_a_full_disk_still_knows_its_bindings),
	};

	return cmocka_run_group_tests(tests, disk_install, NULL);
}
