/*
 * test_streams.c - accepted connections: numbers and patience
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/limits.h"
#include "sip/streams.h"

static int pair[2];
static struct addr remote;

static int setup(void **state)
{
	clock_freeze(100000, 0);
	assert_int_equal(streams_init(), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(addr_parse_port(&remote, "192.0.2.1:4000"), 0);
	return 0;
}

static int teardown(void **state)
{
	streams_clear();
	close(pair[0]);
	close(pair[1]);
	clock_thaw();
	return 0;
}

static bool is_shut(void)
{
	char byte;

	return recv(pair[1], &byte, 1, MSG_DONTWAIT) == 0;
}

static void wait_ms(int64_t ms)
{
	clock_advance(ms);
	streams_sweep(clock_mono());
}

static void who_says_nothing_is_shut(void **state)
{
	assert_int_equal(stream_add(pair[0], &remote), 0);
	wait_ms(STREAM_MESSAGE_MS - 1);
	assert_false(is_shut());
	wait_ms(1);
	assert_true(is_shut());
}

static void who_has_said_something_whole_may_be_silent(void **state)
{
	assert_int_equal(stream_add(pair[0], &remote), 0);
	stream_began(pair[0]);
	stream_completed(pair[0]);
	wait_ms(100 * STREAM_MESSAGE_MS);
	assert_false(is_shut());
}

static void each_message_has_its_time_from_its_first_byte(void **state)
{
	assert_int_equal(stream_add(pair[0], &remote), 0);
	stream_completed(pair[0]);
	for (int i = 0; i < 9; i++) {
		stream_began(pair[0]);
		wait_ms(1000);
	}
	stream_completed(pair[0]);
	stream_began(pair[0]);
	for (int i = 0; i < 9; i++) {
		wait_ms(1000);
		stream_began(pair[0]);
	}
	assert_false(is_shut());
	wait_ms(1000);
	assert_true(is_shut());
}

static void the_last_readable_one_is_told(void **state)
{
	assert_int_equal(stream_add(pair[0], &remote), 0);
	stream_readable(pair[0]);
	assert_int_equal(stream_now(), pair[0]);
	stream_readable(pair[1]);
	assert_int_equal(stream_now(), -1);
	stream_readable(pair[0]);
	stream_drop(pair[0]);
	assert_int_equal(stream_now(), -1);
}

static void bytes_renew_when_it_was_heard(void **state)
{
	assert_int_equal(stream_add(pair[0], &remote), 0);
	assert_int_equal(stream_heard(pair[0]), clock_mono());
	clock_advance(500);
	stream_readable(pair[0]);
	assert_int_equal(stream_heard(pair[0]), clock_mono());
	assert_int_equal(stream_heard(pair[1]), 0);
	assert_int_equal(stream_heard(-1), 0);
}

/* Descriptors that nobody has open do for counting. */
static void one_address_has_its_share_and_others_theirs(void **state)
{
	struct addr other;
	int fd = 1000;

	assert_int_equal(addr_parse_port(&other, "192.0.2.2:4000"), 0);
	for (; fd < 1000 + LIMIT_TCP_PER_SOURCE; fd++)
		if (stream_add(fd, &remote))
			break;
	assert_int_equal(stream_add(fd, &remote), -EMFILE);
	assert_int_equal(streams_open(), fd - 1000);
	if (fd == 1000 + LIMIT_TCP_PER_SOURCE)
		assert_int_equal(stream_add(fd, &other), 0);
	stream_drop(1000);
	assert_int_equal(stream_add(1000, &remote), 0);
}

static void what_is_not_ours_is_left_alone(void **state)
{
	stream_drop(12345);
	stream_began(-1);
	stream_completed(1 << 30);
	stream_readable(12345);
	assert_int_equal(streams_open(), 0);
	assert_int_equal(stream_add(1 << 30, &remote), -EMFILE);
}

static void what_we_make_ourselves_counts_for_nobody(void **state)
{
	assert_int_equal(stream_take_made(), -1);
	stream_add_made(pair[0]);
	assert_int_equal(streams_open(), 0);
	assert_false(stream_is_accepted(pair[0]));
	assert_int_equal(stream_take_made(), pair[0]);
	assert_int_equal(stream_take_made(), -1);
	/* It has time to answer, but not to write one message. */
	wait_ms(100 * STREAM_MESSAGE_MS);
	assert_false(is_shut());
	stream_began(pair[0]);
	wait_ms(STREAM_MESSAGE_MS);
	assert_true(is_shut());
	stream_drop(pair[0]);
	assert_int_equal(streams_open(), 0);
	/* A number that was closed is not taken for the one asked for. */
	stream_add_made(pair[0]);
	stream_drop(pair[0]);
	assert_int_equal(stream_take_made(), -1);
}

static void a_connection_is_claimed_once_and_by_its_own_peer(void **state)
{
	struct addr other;

	assert_int_equal(addr_parse_port(&other, "192.0.2.1:4001"), 0);
	assert_int_equal(stream_claim(pair[0], 7, &remote), -ENOENT);
	assert_int_equal(stream_add(pair[0], &remote), 0);
	assert_true(stream_is_accepted(pair[0]));
	assert_int_equal(stream_conn(pair[0]), 0);
	assert_int_equal(stream_claim(pair[0], 7, &other), -EBUSY);
	assert_int_equal(stream_claim(pair[0], 7, &remote), 0);
	assert_int_equal(stream_claim(pair[0], 8, &remote), -EBUSY);
	assert_int_equal(stream_conn(pair[0]), 7);
	stream_drop(pair[0]);
	assert_int_equal(stream_conn(pair[0]), 0);
}

/* What waits is @text: so much of it is to be read now. */
static void expect_portion(const char *text, size_t portion)
{
	char drop[256];

	assert_int_equal(write(pair[1], text, strlen(text)),
			 (ssize_t)strlen(text));
	assert_int_equal(stream_portion(pair[0], strlen(text)), portion);
	assert_int_equal(recv(pair[0], drop, sizeof(drop), 0),
			 (ssize_t)strlen(text));
}

static void a_message_is_read_apart_from_a_ping_behind_it(void **state)
{
	assert_int_equal(stream_add(pair[0], &remote), 0);
	expect_portion("A\r\nB\r\n\r\n", 8);
	expect_portion("A\r\nB\r\n\r\n\r\n\r\n", 8);
	expect_portion("A\r\n\r\nbody", 9);
	expect_portion("A\r\n\r\nbody\r\n\r\n", 9);
	expect_portion("A\r\n\r\nbody\r\n", 9);
	expect_portion("A\r\nB", 4);
	expect_portion("A\r", 2);
	/* Nobody is in the middle of anything: they are all keepalives. */
	expect_portion("\r\n\r\n", 4);
	expect_portion("\r\n\r\n\r\n\r\n\r\n\r\n", 12);
}

static void a_message_under_way_gets_its_line_ends_singly(void **state)
{
	char many[201];

	assert_int_equal(stream_add(pair[0], &remote), 0);
	stream_began(pair[0]);
	expect_portion("\r\n\r\n\r\n", 2);
	expect_portion("\n\r\n", 1);
	expect_portion("\r\r", 2);
	/* Here the end of a body may look like an end of headers. */
	expect_portion("B\r\n\r\n", 1);
	memset(many, '\n', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	expect_portion(many, sizeof(many) - 1);
	stream_completed(pair[0]);
	expect_portion("\r\n\r\n", 4);
}

static void a_connection_of_nobody_is_read_as_it_comes(void **state)
{
	expect_portion("A\r\n\r\n\r\n\r\n", 9);
	assert_int_equal(stream_portion(-1, 1 << 20), 16384);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(who_says_nothing_is_shut),
		TEST(who_has_said_something_whole_may_be_silent),
		TEST(each_message_has_its_time_from_its_first_byte),
		TEST(the_last_readable_one_is_told),
		TEST(bytes_renew_when_it_was_heard),
		TEST(one_address_has_its_share_and_others_theirs),
		TEST(what_is_not_ours_is_left_alone),
		TEST(a_message_is_read_apart_from_a_ping_behind_it),
		TEST(a_message_under_way_gets_its_line_ends_singly),
		TEST(a_connection_of_nobody_is_read_as_it_comes),
		TEST(what_we_make_ourselves_counts_for_nobody),
		TEST(a_connection_is_claimed_once_and_by_its_own_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
