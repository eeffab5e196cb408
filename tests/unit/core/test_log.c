/*
 * test_log.c - event lines: their form, their safety, their limits, the writer
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <jansson.h>

#include "core/clock.h"
#include "core/log.h"

static char last[4096];
static int n_lines;

static void keep(void *arg, const char *line)
{
	snprintf(last, sizeof(last), "%s", line);
	n_lines++;
}

static int setup(void **state)
{
	static int64_t epoch; /* each test starts past the rate limit */

	epoch += 3600000;
	clock_freeze(epoch, 1767323045678);
	log_setup(LOG_INFO, LOG_TEXT);
	log_capture(keep, NULL);
	last[0] = '\0';
	n_lines = 0;
	return 0;
}

static int teardown(void **state)
{
	log_capture(NULL, NULL);
	clock_thaw();
	return 0;
}

static void line_has_time_level_event_and_pairs(void **state)
{
	struct addr a;

	addr_parse_port(&a, "192.0.2.7:5060");
	log_info("reg.new", kv_s("aor", "100@sbc"), kv_a("source", &a),
		 kv_i("expires", -60));
	assert_string_equal(last, "2026-01-02T03:04:05.678Z info reg.new "
				  "aor=100@sbc source=192.0.2.7:5060 "
				  "expires=-60");
}

static void event_may_stand_alone(void **state)
{
	log_error("sbc.stopping");
	assert_string_equal(last,
			    "2026-01-02T03:04:05.678Z error sbc.stopping");
}

static void values_are_quoted_only_where_needed(void **state)
{
	log_info("e", kv_s("a", "sip:x@y;transport=udp"),
		 kv_s("b", "two words"), kv_s("c", ""), kv_s("d", NULL),
		 kv_s("e", "a\"b\\c"));
	assert_non_null(strstr(last, " a=sip:x@y;transport=udp "
				     "b=\"two words\" c=\"\" d=\"\" "
				     "e=\"a\\\"b\\\\c\""));
}

static void peer_cannot_forge_a_line(void **state)
{
	struct str evil = STR("x\r\n2026 info call.end\t\0\x1b[2J\x7f");

	log_info("e", kv_str("ua", evil));
	assert_null(strpbrk(last, "\r\n\t\x1b\x7f"));
	assert_non_null(strstr(last, "ua=\"x\\r\\n2026 info call.end\\t"
				     "\\u0000\\u001b[2J\\u007f\""));
}

static void utf8_passes_and_what_is_none_is_escaped(void **state)
{
	log_info("e", kv_s("a", "Jos\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\x9e"));
	assert_non_null(
		strstr(last, "\"Jos\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\x9e\""));
	/* Latin-1, overlong, surrogate, beyond 10FFFF, C1, cut off. */
	log_info("e", kv_s("a", "\xe9\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80"
				"\xc2\x9b\xe2\x82"));
	assert_non_null(strstr(last,
			       "a=\"\\u00e9\\u00c0\\u00af\\u00ed\\u00a0\\u0080"
			       "\\u00f4\\u0090\\u0080\\u0080\\u00c2\\u009b"
			       "\\u00e2\\u0082\""));
}

static void level_hides_what_is_below_it(void **state)
{
	log_debug("e");
	assert_int_equal(n_lines, 0);
	assert_false(log_enabled(LOG_DEBUG));
	log_setup(LOG_DEBUG, LOG_TEXT);
	log_debug("e");
	assert_int_equal(n_lines, 1);
	log_setup(LOG_ERROR, LOG_TEXT);
	log_warn("e");
	assert_int_equal(n_lines, 1);
}

static void level_names_are_read(void **state)
{
	enum log_level level = LOG_INFO;

	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_DEBUG);
	assert_int_equal(log_level_parse("error", &level), 0);
	assert_int_equal(level, LOG_ERROR);
	assert_int_equal(log_level_parse("loud", &level), -EINVAL);
	assert_int_equal(level, LOG_ERROR);
}

static json_t *parsed(void)
{
	json_t *json = json_loads(last, JSON_REJECT_DUPLICATES, NULL);

	if (!json)
		fail_msg("not JSON: %s", last);
	return json;
}

static void json_line_is_one_object(void **state)
{
	json_t *json;

	log_setup(LOG_INFO, LOG_JSON);
	log_warn("store.degraded", kv_s("why", "disk \"full\"\n"),
		 kv_i("free", 12), kv_a("peer", NULL));
	json = parsed();
	assert_string_equal(json_string_value(json_object_get(json, "time")),
			    "2026-01-02T03:04:05.678Z");
	assert_string_equal(json_string_value(json_object_get(json, "level")),
			    "warn");
	assert_string_equal(json_string_value(json_object_get(json, "event")),
			    "store.degraded");
	assert_string_equal(json_string_value(json_object_get(json, "why")),
			    "disk \"full\"\n");
	assert_int_equal(json_integer_value(json_object_get(json, "free")), 12);
	assert_string_equal(json_string_value(json_object_get(json, "peer")),
			    "-");
	json_decref(json);
}

/* Every length around the limit, with every kind of character at the cut. */
static void long_lines_are_cut_and_stay_valid(void **state)
{
	static const char *const fills[] = {
		"a", "\"", "\n", "\x01", "\xe2\x82\xac", "\xf0\x9f\x93\x9e"};
	char value[2400];

	for (size_t f = 0; f < 6; f++) {
		size_t step = strlen(fills[f]);

		for (size_t n = 0; n + step < sizeof(value); n += step) {
			memcpy(value + n, fills[f], step);
			value[n + step] = '\0';
			log_setup(LOG_INFO, LOG_JSON);
			log_info("e", kv_s("ua", value), kv_i("more", 1),
				 kv_s("last", value));
			assert_true(strlen(last) < 2048);
			json_decref(parsed());
			log_setup(LOG_INFO, LOG_TEXT);
			log_info("e", kv_s("ua", value), kv_i("more", 1));
			assert_true(strlen(last) < 2048);
		}
	}
}

static void cut_value_says_so_within_its_quotes(void **state)
{
	char value[3000];

	memset(value, 'a', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	log_info("e", kv_s("ua", value), kv_i("never", 1));
	assert_string_equal(last + strlen(last) - 5, "a...\"");
	assert_null(strstr(last, "never"));
}

static void limited_event_comes_once_a_second(void **state)
{
	for (int i = 0; i < 10; i++)
		log_limited(LOG_INFO, "test.once");
	assert_int_equal(n_lines, 1);
	clock_advance(999);
	log_limited(LOG_INFO, "test.once");
	assert_int_equal(n_lines, 1);
	clock_advance(1);
	log_limited(LOG_INFO, "test.once", kv_i("k", 1));
	assert_int_equal(n_lines, 2);
	assert_non_null(strstr(last, "test.once k=1 left_out=10"));
	clock_advance(1000);
	log_limited(LOG_INFO, "test.once");
	assert_null(strstr(last, "left_out"));
}

static void limited_events_do_not_share_their_allowance(void **state)
{
	char copy[] = "test.one"; /* the same name at another address */

	log_limited(LOG_INFO, "test.one");
	log_limited(LOG_INFO, "test.two");
	log_limited(LOG_INFO, copy);
	assert_int_equal(n_lines, 2);
}

static void limited_event_below_the_level_uses_nothing_up(void **state)
{
	log_limited(LOG_DEBUG, "test.hidden");
	log_limited(LOG_INFO, "test.hidden");
	assert_int_equal(n_lines, 1);
}

/* ---- the writer thread: standard error goes into a pipe or a file ---------- */

struct redirect {
	int saved, fd;
	char path[32];
};

static void redirect(struct redirect *r)
{
	strcpy(r->path, "/tmp/test_log.XXXXXX");
	r->fd = mkstemp(r->path);
	assert_true(r->fd >= 0);
	unlink(r->path);
	fflush(stderr);
	r->saved = dup(STDERR_FILENO);
	dup2(r->fd, STDERR_FILENO);
	log_capture(NULL, NULL);
}

/* All that was written; the caller frees it. */
static char *restore(struct redirect *r)
{
	off_t size = lseek(r->fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)size + 1);

	assert_non_null(text);
	assert_int_equal(pread(r->fd, text, (size_t)size, 0), size);
	dup2(r->saved, STDERR_FILENO);
	close(r->saved);
	close(r->fd);
	return text;
}

static void before_the_thread_a_line_is_written_at_once(void **state)
{
	struct redirect r;
	char *text;

	redirect(&r);
	log_info("direct", kv_i("n", 1));
	text = restore(&r);
	assert_string_equal(text, "2026-01-02T03:04:05.678Z info direct n=1\n");
	free(text);
}

/* Together fewer than the ring has slots: however late the writer is, none
 * may be lost. */
enum { THREADS = 4, LINES = 120 };

static void *chatter(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_info("chat", kv_i("from", *(int *)arg), kv_i("n", i));
	return NULL;
}

/* @from's lines that are there must be in order; returns how many. */
static int lines_of(const char *text, int from)
{
	const char *p = text;
	int n, at = -1, count = 0;
	char key[32];

	snprintf(key, sizeof(key), " info chat from=%d n=", from);
	while ((p = strstr(p, key))) {
		p += strlen(key);
		n = atoi(p);
		assert_true(n > at);
		at = n;
		count++;
	}
	return count;
}

static void stopping_the_writer_loses_no_line_of_any_thread(void **state)
{
	int names[THREADS] = {0, 1, 2, 3};
	pthread_t threads[THREADS];
	struct redirect r;
	char *text;

	redirect(&r);
	assert_int_equal(log_thread_start(), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, chatter, &names[i]);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	log_thread_stop();
	text = restore(&r);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(lines_of(text, i), LINES);
	assert_null(strstr(text, "log.lost"));
	free(text);
}

static void writer_can_be_started_again(void **state)
{
	struct redirect r;
	char *text;

	redirect(&r);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(log_thread_start(), 0);
		assert_int_equal(log_thread_start(), 0);
		log_info("again");
		log_thread_stop();
		log_thread_stop();
	}
	text = restore(&r);
	assert_int_equal(strlen(text),
			 3 * strlen("2026-01-02T03:04:05.678Z info again\n"));
	free(text);
}

/* Nobody reads the pipe while 5 000 lines are logged: the writer hangs in
 * write(2), the caller must not. */
static void full_queue_drops_and_tells_how_many(void **state)
{
	enum { MANY = 5000 };
	int pipe_fds[2], saved, there = 0, lost = 0;
	char *text = calloc(1, 4 << 20);
	size_t n = 0;
	ssize_t got;
	const char *p;

	assert_non_null(text);
	assert_int_equal(pipe(pipe_fds), 0);
	fflush(stderr);
	saved = dup(STDERR_FILENO);
	dup2(pipe_fds[1], STDERR_FILENO);
	log_capture(NULL, NULL);
	assert_int_equal(log_thread_start(), 0);
	memset(text, 'x', 400);
	for (int i = 0; i < MANY; i++)
		log_info("flood", kv_s("pad", text));
	memset(text, 0, 400);
	/* Unplug: read until the writer says what it lost. */
	fcntl(pipe_fds[0], F_SETPIPE_SZ, 1 << 20);
	while (!strstr(text + (n > 2048 ? n - 2048 : 0), "log.lost")) {
		got = read(pipe_fds[0], text + n, 65536);
		assert_true(got > 0);
		n += (size_t)got;
	}
	log_thread_stop();
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(pipe_fds[1]);
	while ((got = read(pipe_fds[0], text + n, 65536)) > 0)
		n += (size_t)got;
	close(pipe_fds[0]);
	for (p = text; (p = strstr(p, " info flood ")); p++)
		there++;
	for (p = text; (p = strstr(p, "warn log.lost count=")); p++)
		lost += atoi(p + strlen("warn log.lost count="));
	assert_true(lost > 0);
	assert_int_equal(there + lost, MANY);
	free(text);
}

#define with_capture(test)                                                     \
	cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_capture(line_has_time_level_event_and_pairs),
		with_capture(event_may_stand_alone),
		with_capture(values_are_quoted_only_where_needed),
		with_capture(peer_cannot_forge_a_line),
		with_capture(utf8_passes_and_what_is_none_is_escaped),
		with_capture(level_hides_what_is_below_it),
		with_capture(level_names_are_read),
		with_capture(json_line_is_one_object),
		with_capture(long_lines_are_cut_and_stay_valid),
		with_capture(cut_value_says_so_within_its_quotes),
		with_capture(limited_event_comes_once_a_second),
		with_capture(limited_events_do_not_share_their_allowance),
		with_capture(limited_event_below_the_level_uses_nothing_up),
		with_capture(before_the_thread_a_line_is_written_at_once),
		with_capture(stopping_the_writer_loses_no_line_of_any_thread),
		with_capture(writer_can_be_started_again),
		with_capture(full_queue_drops_and_tells_how_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
