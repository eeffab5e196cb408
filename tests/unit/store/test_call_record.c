/*
 * test_call_record.c - call records go through the journal into the database,
 * and questions find them
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store_rig.h"

#include "core/log.h"
#include "core/loop.h"
#include "store/writer.h"

#define T0 INT64_C(1800000000000)

static struct rig rig;
static struct loop *loop;
static struct store *s;

struct asker {
	int answers, err;
	size_t n;
	char said[4096]; /* the records, one after the other */
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

static void put(const char *id, wall_ms from, wall_ms to, const char *record)
{
	const struct cdr_row row = {
		.id = id,
		.started_at = T0 + from,
		.ended_at = to ? T0 + to : 0,
		.record = record,
	};

	store_cdr_put(s, &row);
}

static void take(void *arg, const struct store_cdrs *c)
{
	struct asker *a = arg;

	a->answers++;
	a->err = c->err;
	a->n = c->n;
	for (size_t i = 0; i < c->n; i++)
		strncat(a->said, c->records[i],
			sizeof(a->said) - strlen(a->said) - 1);
}

static struct asker find(struct store_cdr_query q)
{
	struct asker a = {0};

	assert_int_equal(store_cdr_find(s, &q, take, &a), 0);
	while (!a.answers)
		loop_step(loop, 100);
	return a;
}

static const struct store_cdr_query all = {.to = INT64_MAX, .max = 100};

static void break_disk(void)
{
	disk.write_rc = SQLITE_IOERR_WRITE;
	disk.sync_rc = SQLITE_IOERR_FSYNC;
}

static void a_record_is_found_as_soon_as_it_is_put(void **state)
{
	struct asker a;

	put("a", 1, 2, "{\"n\":1}");
	a = find(all);
	assert_int_equal(a.n, 1);
	assert_string_equal(a.said, "{\"n\":1}");
}

static void a_later_record_of_a_call_replaces_the_first(void **state)
{
	put("a", 1, 0, "{\"n\":1}");
	put("a", 1, 5, "{\"n\":2}");
	assert_string_equal(find(all).said, "{\"n\":2}");
}

static void the_newest_come_first_and_pages_go_on_after_the_last(void **state)
{
	struct store_cdr_query q = all;

	put("a", 1, 2, "{\"n\":1}");
	put("b", 2, 3, "{\"n\":2}");
	put("c", 3, 4, "{\"n\":3}");
	q.max = 2;
	assert_string_equal(find(q).said, "{\"n\":3}{\"n\":2}");
	q.after = "b";
	assert_string_equal(find(q).said, "{\"n\":1}");
}

static void a_span_of_time_is_from_begin_to_before_the_end(void **state)
{
	struct store_cdr_query q = all;

	put("a", 1, 2, "{\"n\":1}");
	put("b", 2, 3, "{\"n\":2}");
	put("c", 3, 4, "{\"n\":3}");
	q.from = T0 + 2;
	q.to = T0 + 3;
	assert_string_equal(find(q).said, "{\"n\":2}");
}

static void a_user_or_peer_of_either_side_is_found(void **state)
{
	struct store_cdr_query q = all;

	put("a", 1, 2, "{\"from\":{\"received\":\"201\"}}");
	put("b", 2, 3, "{\"to\":{\"sent\":\"201\"}}");
	put("c", 3, 4, "{\"b\":{\"peer\":\"201\"}}");
	put("d", 4, 5, "{\"b\":{\"peer\":\"202\"}}");
	put("e", 5, 6, "no json 201");
	q.who = "201";
	assert_int_equal(find(q).n, 3);
}

static void
a_call_that_was_up_at_a_crash_is_closed_at_the_next_start(void **state)
{
	char *said;

	put("a", 1, 0, "{\"n\":1,\"cause\":null}");
	put("b", 2, 3, "{\"n\":2,\"cause\":\"bye\"}");
	find(all);
	store_close(s);
	open_store();
	said = find(all).said;
	assert_non_null(strstr(said, "\"n\":2,\"cause\":\"bye\"}"));
	assert_non_null(strstr(said, "\"cause\":\"sbc restart\""));
	assert_non_null(strstr(said, "\"ended_at\":\"20"));
	assert_int_equal(
		rig_ask(&rig, "SELECT count(*) FROM cdr WHERE ended_at = 0"),
		0);
}

static void a_record_that_is_still_in_the_journal_is_closed_too(void **state)
{
	break_disk();
	put("a", 1, 0, "{\"n\":1}");
	store_close(s);
	disk_heal();
	open_store();
	assert_non_null(strstr(find(all).said, "sbc restart"));
}

static void a_record_too_long_is_left_out(void **state)
{
	static char record[20000];

	memset(record, 'x', sizeof(record) - 1);
	put("a", 1, 2, record);
	assert_int_equal(find(all).n, 0);
}

static void a_sick_disk_is_told_to_who_asks(void **state)
{
	struct asker a;

	break_disk();
	put("a", 1, 2, "{}");
	a = find(all);
	assert_int_equal(a.err, -EIO);
	assert_int_equal(a.n, 0);
}

static void who_has_gone_is_not_called_back(void **state)
{
	struct asker gone = {0};

	assert_int_equal(store_cdr_find(s, &all, take, &gone), 0);
	store_forget(s, &gone);
	find(all);
	assert_int_equal(gone.answers, 0);
}

static void what_is_no_record_of_a_call_is_refused(void **state)
{
	const struct journal_record rec = {
		.seq = 1, .body = (const uint8_t *)"short", .len = 5};

	assert_int_equal(call_record_apply(s, &rec), -EINVAL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_record_is_found_as_soon_as_it_is_put),
		T(a_later_record_of_a_call_replaces_the_first),
		T(the_newest_come_first_and_pages_go_on_after_the_last),
		T(a_span_of_time_is_from_begin_to_before_the_end),
		T(a_user_or_peer_of_either_side_is_found),
		T(a_call_that_was_up_at_a_crash_is_closed_at_the_next_start),
		T(a_record_that_is_still_in_the_journal_is_closed_too),
		T(a_record_too_long_is_left_out),
		T(a_sick_disk_is_told_to_who_asks),
		T(who_has_gone_is_not_called_back),
		T(what_is_no_record_of_a_call_is_refused),
	};

	return cmocka_run_group_tests(tests, disk_install, NULL);
}
