/*
 * test_history.c - what was added is answered, later, on the loop
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store_rig.h"

#include "core/log.h"
#include "core/loop.h"
#include "store/writer.h"

#define T0 INT64_C(1800000000000) /* not too old to be kept */

static struct rig rig;
static struct loop *loop;
static struct store *s;

struct asker {
	int answers, err;
	size_t n;
	wall_ms first, last, begins;
	char event[32];
};

static void swallow(void *arg, const char *line)
{
}

static void open_store(void)
{
	const struct store_conf conf = {.dir = rig.dir, .loop = loop};

	assert_int_equal(store_open(&s, &conf), 0);
}

static int setup(void **state)
{
	log_capture(swallow, NULL);
	rig_init(&rig);
	assert_int_equal(loop_create(&loop), 0);
	open_store();
	return 0;
}

static int teardown(void **state)
{
	disk_heal();
	store_close(s);
	loop_destroy(loop);
	rig_done(&rig);
	alarm_clear("store-degraded");
	return 0;
}

static void add(wall_ms at, const char *event)
{
	struct history_row row = rig_event(T0 + at, 1, event);

	store_history_add(s, &row);
}

static void take(void *arg, const struct store_history *h)
{
	struct asker *a = arg;

	a->answers++;
	a->err = h->err;
	a->n = h->n;
	a->begins = h->begins - T0;
	if (h->n) {
		a->first = h->rows[0].at - T0;
		a->last = h->rows[h->n - 1].at - T0;
		snprintf(a->event, sizeof(a->event), "%s",
			 h->rows[h->n - 1].event);
	}
}

/* Turn the loop until @a has been answered. */
static void await(struct asker *a)
{
	while (!a->answers)
		loop_step(loop, 100);
	assert_int_equal(a->answers, 1);
}

static struct asker all(void)
{
	struct asker a = {0};

	assert_int_equal(
		store_history_find(s, "204", 0, INT64_MAX, 1000, take, &a), 0);
	await(&a);
	return a;
}

static void a_row_is_in_the_answer_as_soon_as_it_is_added(void **state)
{
	for (int i = 1; i <= 20; i++) {
		struct asker a;

		add(1000 + i, i % 2 ? "lost" : "back");
		a = all();
		assert_int_equal(a.err, 0);
		assert_int_equal(a.n, i);
		assert_int_equal(a.last, 1000 + i);
		assert_string_equal(a.event, i % 2 ? "lost" : "back");
		assert_int_equal(a.begins, 1001);
	}
}

static void a_moment_is_answered(void **state)
{
	struct asker a = {0};

	add(1000, "registered");
	add(2000, "lost");
	add(3000, "back");
	assert_int_equal(store_history_at(s, "204", T0 + 1500, take, &a), 0);
	await(&a);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.first, 1000);
	assert_int_equal(a.last, 2000);
}

static void a_phone_without_history_has_no_rows(void **state)
{
	struct asker a = {0};

	add(1000, "registered");
	assert_int_equal(
		store_history_find(s, "205", 0, INT64_MAX, 9, take, &a), 0);
	await(&a);
	assert_int_equal(a.err, 0);
	assert_int_equal(a.n, 0);
	assert_int_equal(a.begins, 1000);
}

static void who_has_gone_is_not_called_back(void **state)
{
	struct asker gone = {0}, stays = {0};

	assert_int_equal(store_history_at(s, "204", T0 + 1, take, &gone), 0);
	assert_int_equal(store_history_at(s, "204", T0 + 1, take, &stays), 0);
	store_forget(s, &gone);
	await(&stays);
	assert_int_equal(gone.answers, 0);
}

static void too_many_questions_are_refused(void **state)
{
	struct asker a[8] = {0}, more = {0};

	for (int i = 0; i < 8; i++)
		assert_int_equal(
			store_history_at(s, "204", T0 + 1, take, &a[i]), 0);
	assert_int_equal(store_history_at(s, "204", T0 + 1, take, &more),
			 -EAGAIN);
	for (int i = 0; i < 8; i++)
		await(&a[i]);
	assert_int_equal(store_history_at(s, "204", T0 + 1, take, &more), 0);
	await(&more);
}

static void without_a_loop_nothing_is_answered(void **state)
{
	const struct store_conf conf = {.dir = rig.dir};
	struct asker a = {0};

	store_close(s);
	assert_int_equal(store_open(&s, &conf), 0);
	assert_int_equal(store_history_at(s, "204", T0 + 1, take, &a),
			 -ENOTSUP);
}

static void a_store_may_close_with_questions_open(void **state)
{
	static struct asker a[8];

	add(1000, "registered");
	for (int i = 0; i < 8; i++)
		assert_int_equal(
			store_history_at(s, "204", T0 + 1, take, &a[i]), 0);
	store_close(s);
	open_store();
	for (int i = 0; i < 8; i++)
		assert_int_equal(a[i].answers, 0);
	assert_int_equal(all().n, 1);
}

static void the_history_outlives_the_process(void **state)
{
	add(1000, "registered");
	store_close(s);
	open_store();
	add(2000, "restored");
	assert_int_equal(all().n, 2);
}

static void a_sick_disk_is_said_and_healed(void **state)
{
	struct asker a;

	add(1000, "registered");
	assert_int_equal(all().err, 0);
	disk.write_rc = SQLITE_IOERR_WRITE;
	disk.sync_rc = SQLITE_IOERR_FSYNC;
	add(2000, "lost");
	a = all();
	assert_int_equal(a.err, -EIO);
	assert_int_equal(a.n, 0);
	assert_int_equal(store_state(s), STORE_DEGRADED);
	add(3000, "back"); /* left out */
	disk_heal();
	while (store_state(s) == STORE_DEGRADED)
		sched_yield();
	a = all();
	assert_int_equal(a.err, 0);
	assert_int_equal(a.last, 2000);
}

static void a_disk_that_hangs_holds_neither_asker_nor_close(void **state)
{
	struct asker a = {0};

	disk_shut(true);
	add(1000, "registered");
	assert_int_equal(store_history_at(s, "204", T0, take, &a), 0);
	disk_await_waiter();
	assert_int_equal(store_history_at(s, "204", T0, take, &a), 0);
	s->close_ms = 1;
	store_close(s);
	assert_int_equal(a.answers, 0);
	disk_shut(false);
	while (atomic_load(&disk.n_open)) /* the forgotten writer ends */
		sched_yield();
	open_store();
	assert_int_equal(all().n, 1);
}

static void a_flood_of_news_leaves_room_for_bindings(void **state)
{
	disk_shut(true);
	for (int i = 0; i < 40000; i++)
		add(i, "moved");
	assert_int_equal(store_state(s), STORE_OK);
	for (int i = 1; i <= 1000; i++)
		rig_put(s, i, 1);
	assert_false(store_needs_resync(s)); /* nothing was lost */
	disk_shut(false);
	store_close(s);
	open_store();
	assert_int_equal(rig_rows(&rig), 1000);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_row_is_in_the_answer_as_soon_as_it_is_added),
		TEST(a_moment_is_answered),
		TEST(a_phone_without_history_has_no_rows),
		TEST(who_has_gone_is_not_called_back),
		TEST(too_many_questions_are_refused),
		TEST(without_a_loop_nothing_is_answered),
		TEST(a_store_may_close_with_questions_open),
		TEST(the_history_outlives_the_process),
		TEST(a_sick_disk_is_said_and_healed),
		TEST(a_disk_that_hangs_holds_neither_asker_nor_close),
		TEST(a_flood_of_news_leaves_room_for_bindings),
	};

	return cmocka_run_group_tests(tests, disk_install, NULL);
}
