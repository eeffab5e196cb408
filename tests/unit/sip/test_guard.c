/*
 * test_guard.c - the library calls our definitions, and only on our thread
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sip_rig.h"

#include <netdb.h>
#include <pthread.h>
#include <sys/resource.h>

#include <sofia-sip/su.h>
#include <sofia-sip/su_time.h>

#include "sip/guard.h"
#include "sip/streams.h"

static void the_library_goes_through_the_guard(void **state)
{
	struct rig *rig = *state;
	uint64_t before = screen_count(rig->screen, SCREEN_PASS);

	assert_true(guard_is_live());
	assert_true(guard_udp_fd(&rig->local) >= 0);
	rig_request_send(rig, "OPTIONS", "g1", "g1", 1, NULL, "");
	assert_int_equal(rig_status(rig), 200);
	assert_int_equal(screen_count(rig->screen, SCREEN_PASS), before + 1);
}

static void a_name_is_never_looked_up_on_our_thread(void **state)
{
	struct addrinfo *res = NULL;

	assert_int_equal(getaddrinfo("localhost", NULL, NULL, &res),
			 EAI_NONAME);
	assert_int_equal(getaddrinfo("127.0.0.1", "5060", NULL, &res), 0);
	freeaddrinfo(res);
}

static void *look_up(void *arg)
{
	struct addrinfo *res = NULL;
	int *rc = arg;

	*rc = getaddrinfo("localhost", NULL, NULL, &res);
	if (!*rc)
		freeaddrinfo(res);
	return NULL;
}

static void other_threads_look_up_what_they_like(void **state)
{
	pthread_t thread;
	int rc = -1;

	assert_int_equal(pthread_create(&thread, NULL, look_up, &rc), 0);
	pthread_join(thread, NULL);
	assert_int_equal(rc, 0);
}

/* A jump of more than 15 days used to abort the process. */
static void a_jump_of_the_wall_clock_is_not_seen(void **state)
{
	struct rig *rig = *state;
	su_time_t before = su_now(), after;

	clock_freeze(clock_mono(), clock_wall() + INT64_C(900000000000));
	after = su_now();
	assert_int_equal(before.tv_sec, after.tv_sec);
	clock_freeze(clock_mono(), 1000);
	rig_request_send(rig, "OPTIONS", "j1", "j1", 1, NULL, "");
	assert_int_equal(rig_status(rig), 200);
	rig_advance(rig, 2000);
	after = su_now();
	assert_int_equal(after.tv_sec - before.tv_sec, 2);
}

static int connect_once(struct rig *rig)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	if (connect(fd, &rig->local.sa, addr_len(&rig->local))) {
		close(fd);
		return -1;
	}
	rig_turn(rig);
	return fd;
}

static void one_source_gets_so_many_connections(void **state)
{
	struct rig *rig = *state;
	static int fds[LIMIT_TCP_PER_SOURCE + 40];
	unsigned n = 0;
	char byte;

	for (; n < LIMIT_TCP_PER_SOURCE; n++) {
		fds[n] = connect_once(rig);
		assert_true(fds[n] >= 0);
	}
	rig_turn(rig);
	assert_int_equal(streams_open(), LIMIT_TCP_PER_SOURCE);
	fds[n] = connect_once(rig);
	rig_turn(rig);
	assert_int_equal(streams_open(), LIMIT_TCP_PER_SOURCE);
	assert_int_equal(recv(fds[n], &byte, 1, MSG_DONTWAIT), 0);
	/* One leaves, the next may come. */
	close(fds[0]);
	rig_turn(rig);
	assert_int_equal(streams_open(), LIMIT_TCP_PER_SOURCE - 1);
	fds[0] = connect_once(rig);
	rig_turn(rig);
	assert_int_equal(streams_open(), LIMIT_TCP_PER_SOURCE);
	for (unsigned i = 0; i <= n; i++)
		close(fds[i]);
}

/* accept() at the end of the descriptors used to spin for ever. */
static void without_descriptors_connections_are_shut(void **state)
{
	struct rig *rig = *state;
	struct rlimit old, low;
	int client = socket(AF_INET, SOCK_STREAM, 0), top;
	char byte;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	top = dup(0);
	assert_true(top >= 0);
	low = old;
	low.rlim_cur = (rlim_t)top;
	close(top);
	assert_int_equal(connect(client, &rig->local.sa, addr_len(&rig->local)),
			 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	rig_turn(rig);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(streams_open(), 0);
	assert_int_equal(recv(client, &byte, 1, MSG_DONTWAIT), 0);
	close(client);
	client = connect_once(rig);
	rig_turn(rig);
	assert_int_equal(streams_open(), 1);
	close(client);
}

/* Of media, for instance, which close theirs on a thread of their own: the
 * connection that got the number of one was deaf. */
static void sockets_of_others_are_no_listeners(void **state)
{
	struct rig *rig = *state;
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct addr a;
	int client = rig_socket(&a, SOCK_STREAM);
	int media = rig_socket(&a, SOCK_DGRAM);

	/* The same address again, with its port written. */
	close(media);
	in = a.in;
	media = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(media, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(guard_udp_fd(&a), -ENOENT);
	close(media);
	assert_int_equal(connect(client, &rig->local.sa, addr_len(&rig->local)),
			 0);
	rig_turn(rig);
	tcp_send(rig, client, "\r\n\r\n");
	assert_int_equal(tcp_recv(rig, client), 2);
	close(client);
}

/* The library's own is off: it leaks, and writes to standard error. */
static void we_answer_stun_beside_sip(void **state)
{
	struct rig *rig = *state;
	static const char binding[20] = "\0\1\0\0\x21\x12\xa4\x42"
					"abcdefghijk";
	static const char indication[20] = "\0\x11\0\0\x21\x12\xa4\x42"
					   "abcdefghijk";
	const uint16_t port = rig_port(rig) ^ 0x2112;

	for (int i = 0; i < 10; i++) {
		memset(rig->msg, 0, 64);
		rig_send_raw(rig, binding, sizeof(binding));
		assert_true(rig_recv(rig));
		assert_memory_equal(rig->msg, "\1\1\0\x0c", 4);
		assert_memory_equal(rig->msg + 4, binding + 4, 16);
		assert_memory_equal(rig->msg + 20, "\0\x20\0\x08\0\1", 6);
		assert_int_equal((uint8_t)rig->msg[26], port >> 8);
		assert_int_equal((uint8_t)rig->msg[27], port & 0xff);
		assert_memory_equal(rig->msg + 28, "\x5e\x12\xa4\x43", 4);
		assert_false(rig_recv(rig));
	}
	assert_int_equal(rig->heard, 10);
	rig_send_raw(rig, indication, sizeof(indication));
	assert_false(rig_recv(rig));
	rig_request_send(rig, "OPTIONS", "s1", "s1", 1, NULL, "");
	assert_int_equal(rig_status(rig), 200);
	/* Strangers hear nothing where nobody may be answered. */
	rig->silent = true;
	rig_send_raw(rig, binding, sizeof(binding));
	assert_false(rig_recv(rig));
}

/* Bodies that make the library's own parsers loop or abort. */
static void bodies_are_never_parsed_by_the_library(void **state)
{
	struct rig *rig = *state;
	static const char *const bombs[][2] = {
		{"application/sdp", "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\n"
				    "m=image 4000 udptl @\r\n"},
		{"multipart/mixed;boundary=x", "--x\r\n\r\n--x--x--\r\n--"},
		{"multipart/mixed;boundary=\"\"", "--\r\n--\r\n"},
	};

	for (size_t i = 0; i < 3; i++) {
		rig_send(rig,
			 "INVITE sip:x@h SIP/2.0\r\nVia: SIP/2.0/UDP "
			 "127.0.0.1:%u;branch=z9hG4bKbomb%zu\r\n"
			 "From: <sip:a@b>;tag=1\r\nTo: <sip:x@h>\r\n"
			 "Call-ID: bomb%zu\r\nCSeq: 1 INVITE\r\n"
			 "Contact: <sip:a@h>\r\nContent-Type: %s\r\n"
			 "Content-Length: %zu\r\n\r\n%s",
			 rig_port(rig), i, i, bombs[i][0], strlen(bombs[i][1]),
			 bombs[i][1]);
		assert_int_equal(rig_status(rig), 200);
	}
}

/* All of them would fall into one hash chain of the library. */
static void one_call_id_with_many_branches_is_stopped(void **state)
{
	struct rig *rig = *state;
	char branch[32];

	for (int i = 0; i < 500; i++) {
		snprintf(branch, sizeof(branch), "f%d", i);
		rig_request_send(rig, "OPTIONS", branch, "same", 1, NULL, "");
	}
	assert_true(screen_count(rig->screen, SCREEN_RATE) >= 400);
	assert_true(rig->requests <= 100);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_library_goes_through_the_guard),
		TEST(a_name_is_never_looked_up_on_our_thread),
		TEST(other_threads_look_up_what_they_like),
		TEST(a_jump_of_the_wall_clock_is_not_seen),
		TEST(one_source_gets_so_many_connections),
		TEST(without_descriptors_connections_are_shut),
		TEST(sockets_of_others_are_no_listeners),
		TEST(we_answer_stun_beside_sip),
		TEST(bodies_are_never_parsed_by_the_library),
		TEST(one_call_id_with_many_branches_is_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
