/*
 * test_dns_ask.c - one question to servers on the loopback, played by the test
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dns_server.h"

#include <pthread.h>
#include <sys/eventfd.h>

#include "dns/dns_ask.h"

#define HOST "sip.example.com"

static struct server one, two;
static struct dns_ask ask;
static struct dns_records r;
static struct packet p;
static pthread_t thread;
static int asked;

static int setup(void **state)
{
	server_open(&one);
	server_open(&two);
	memset(&ask, 0, sizeof(ask));
	ask.servers.list[0] = one.addr;
	ask.servers.list[1] = two.addr;
	ask.servers.n = 1;
	ask.timeout_ms = 10000;
	ask.deadline = INT64_MAX;
	ask.stop_fd = eventfd(0, EFD_CLOEXEC);
	return 0;
}

static int teardown(void **state)
{
	server_close(&one);
	server_close(&two);
	close(ask.stop_fd);
	return 0;
}

static void *asker_main(void *arg)
{
	asked = dns_ask(&ask, &r, HOST, DNS_A);
	return NULL;
}

static void start(void)
{
	assert_int_equal(pthread_create(&thread, NULL, asker_main, NULL), 0);
}

static int result(void)
{
	pthread_join(thread, NULL);
	return asked;
}

/* ---- whom to ask ------------------------------------------------------------- */

static void expect_servers(const char *text, const char *want)
{
	struct dns_servers s;
	char got[300] = "", a[ADDR_TEXT_MAX];

	dns_servers_parse(&s, str_of(text));
	for (unsigned i = 0; i < s.n; i++) {
		strcat(got, i ? " " : "");
		strcat(got, addr_fmt(&s.list[i], a));
	}
	assert_string_equal(got, want);
}

static void servers_are_those_of_resolv_conf(void **state)
{
	expect_servers("# nameserver 192.0.2.9\n"
		       "search example.com\n"
		       "nameserver 192.0.2.1\n"
		       "  nameserver\t2001:db8::1  \n"
		       "options timeout:1\n"
		       "nameserver 192.0.2.3 # the third\n"
		       "nameserver 192.0.2.4\n",
		       "192.0.2.1:53 [2001:db8::1]:53 192.0.2.3:53");
}

static void without_any_the_machine_itself_is_asked(void **state)
{
	struct dns_servers s;

	expect_servers("", "127.0.0.1:53");
	expect_servers("nameserver nonsense\nnameserver\nnameservers 192.0.2.1",
		       "127.0.0.1:53");
	dns_servers_load(&s, "/nonexistent/resolv.conf");
	assert_int_equal(s.n, 1);
}

/* ---- asking -------------------------------------------------------------------- */

static void the_answer_of_the_server_is_the_answer(void **state)
{
	start();
	server_expect(&one, HOST, DNS_A);
	server_address(&one, "192.0.2.1", 60);
	assert_int_equal(result(), 0);
	assert_int_equal(r.n, 1);
}

static void who_cannot_guess_the_number_is_not_believed(void **state)
{
	start();
	server_expect(&one, HOST, DNS_A);
	one.query[1] ^= 1;
	server_address(&one, "192.0.2.66", 60);
	one.query[1] ^= 1;
	server_address(&one, "192.0.2.1", 60);
	assert_int_equal(result(), 0);
	assert_int_equal(r.list[0].addr.in.sin_addr.s_addr,
			 inet_addr("192.0.2.1"));
}

static void who_writes_from_elsewhere_is_not_heard(void **state)
{
	start();
	server_expect(&one, HOST, DNS_A);
	two.from = one.from;
	memcpy(two.query, one.query, sizeof(two.query));
	memcpy(two.name, one.name, sizeof(two.name));
	two.type = one.type;
	server_address(&two, "192.0.2.66", 60);
	server_address(&one, "192.0.2.1", 60);
	assert_int_equal(result(), 0);
	assert_int_equal(r.list[0].addr.in.sin_addr.s_addr,
			 inet_addr("192.0.2.1"));
}

static void each_try_has_another_number_and_port(void **state)
{
	struct addr before;
	uint8_t number[2];

	start();
	server_expect(&one, HOST, DNS_A);
	before = one.from;
	memcpy(number, one.query, 2);
	server_refuse(&one, PK_SERVFAIL, 0);
	server_expect(&one, HOST, DNS_A);
	assert_false(addr_equal(&before, &one.from) &&
		     memcmp(number, one.query, 2) == 0);
	server_refuse(&one, PK_SERVFAIL, 0);
	assert_int_equal(result(), -EIO);
}

static void a_server_that_fails_makes_room_for_the_next(void **state)
{
	ask.servers.n = 2;
	start();
	server_expect(&one, HOST, DNS_A);
	server_refuse(&one, PK_REFUSED, 0);
	server_expect(&two, HOST, DNS_A);
	server_address(&two, "192.0.2.1", 60);
	assert_int_equal(result(), 0);
	assert_int_equal(ask.first, 1);
	/* Who answered is asked first from then on. */
	start();
	server_expect(&two, HOST, DNS_A);
	server_address(&two, "192.0.2.1", 60);
	assert_int_equal(result(), 0);
	assert_false(server_is_asked(&one));
}

static void a_silent_server_makes_room_for_the_next(void **state)
{
	ask.servers.n = 2;
	ask.timeout_ms = 5;
	/* The other one refuses to be asked, which takes no time. */
	close(two.fd);
	two.fd = -1;
	assert_int_equal(dns_ask(&ask, &r, HOST, DNS_A), -EIO);
	server_expect(&one, HOST, DNS_A);
	server_expect(&one, HOST, DNS_A);
}

static void silence_of_all_is_told_after_two_rounds(void **state)
{
	ask.servers.n = 2;
	ask.timeout_ms = 5;
	assert_int_equal(dns_ask(&ask, &r, HOST, DNS_A), -ETIMEDOUT);
	for (int i = 0; i < 2; i++) {
		server_expect(&one, HOST, DNS_A);
		server_expect(&two, HOST, DNS_A);
	}
	assert_false(server_is_asked(&one));
	assert_false(server_is_asked(&two));
}

static void a_port_where_nobody_listens_fails_at_once(void **state)
{
	close(one.fd);
	one.fd = -1;
	assert_int_equal(dns_ask(&ask, &r, HOST, DNS_A), -EIO);
}

static void nonsense_is_a_failure(void **state)
{
	start();
	for (int i = 0; i < 2; i++) {
		server_expect(&one, HOST, DNS_A);
		pk_begin(&p, PK_WELL, HOST, DNS_A);
		p.bytes[7] = 1; /* an answer that is not there */
		server_send(&one, &p);
	}
	assert_int_equal(result(), -EIO);
}

static void a_type_that_the_server_does_not_know_is_told(void **state)
{
	start();
	server_expect(&one, HOST, DNS_A);
	server_refuse(&one, PK_NOTIMP, 0);
	assert_int_equal(result(), -ENOTSUP);
}

static void after_the_deadline_nobody_is_asked(void **state)
{
	ask.deadline = 0;
	assert_int_equal(dns_ask(&ask, &r, HOST, DNS_A), -ETIMEDOUT);
	assert_false(server_is_asked(&one));
}

static void who_is_to_stop_does_not_wait(void **state)
{
	start();
	server_expect(&one, HOST, DNS_A);
	assert_int_equal(eventfd_write(ask.stop_fd, 1), 0);
	assert_int_equal(result(), -ECANCELED);
}

/* ---- by TCP ---------------------------------------------------------------------- */

/* The connection, when its question has been read into @one. */
static int expect_tcp(void)
{
	uint8_t length[2];
	int fd;

	server_await(one.tcp_fd);
	fd = accept(one.tcp_fd, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(recv(fd, length, 2, MSG_WAITALL), 2);
	one.n = (size_t)length[0] << 8 | length[1];
	assert_in_range(one.n, 12, sizeof(one.query));
	assert_int_equal(recv(fd, one.query, one.n, MSG_WAITALL), one.n);
	server_read_query(&one);
	return fd;
}

static void what_is_cut_is_asked_for_by_tcp(void **state)
{
	uint8_t length[2];
	int fd;

	start();
	server_expect(&one, HOST, DNS_A);
	server_refuse(&one, PK_CUT, 0);
	fd = expect_tcp();
	assert_string_equal(one.name, HOST);
	pk_begin(&p, PK_WELL, HOST, DNS_A);
	for (int i = 0; i < 100; i++)
		pk_address(&p, HOST, 60, "192.0.2.1");
	server_number(&one, &p);
	length[0] = (uint8_t)(p.n >> 8);
	length[1] = (uint8_t)p.n;
	/* In pieces. */
	assert_int_equal(send(fd, length, 1, 0), 1);
	assert_int_equal(send(fd, length + 1, 1, 0), 1);
	assert_int_equal(send(fd, p.bytes, 100, 0), 100);
	assert_int_equal(send(fd, p.bytes + 100, p.n - 100, 0), p.n - 100);
	assert_int_equal(result(), 0);
	assert_int_equal(r.n, DNS_RECORDS);
	close(fd);
}

static void a_connection_that_ends_early_is_a_failure(void **state)
{
	start();
	for (int i = 0; i < 2; i++) {
		int fd;

		server_expect(&one, HOST, DNS_A);
		server_refuse(&one, PK_CUT, 0);
		fd = expect_tcp();
		assert_int_equal(send(fd, "\x10\x00xx", 4, 0), 4);
		close(fd);
	}
	assert_int_equal(result(), -EIO);
}

#define ON_SERVERS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_are_those_of_resolv_conf),
		cmocka_unit_test(without_any_the_machine_itself_is_asked),
		ON_SERVERS(the_answer_of_the_server_is_the_answer),
		ON_SERVERS(who_cannot_guess_the_number_is_not_believed),
		ON_SERVERS(who_writes_from_elsewhere_is_not_heard),
		ON_SERVERS(each_try_has_another_number_and_port),
		ON_SERVERS(a_server_that_fails_makes_room_for_the_next),
		ON_SERVERS(a_silent_server_makes_room_for_the_next),
		ON_SERVERS(silence_of_all_is_told_after_two_rounds),
		ON_SERVERS(a_port_where_nobody_listens_fails_at_once),
		ON_SERVERS(nonsense_is_a_failure),
		ON_SERVERS(a_type_that_the_server_does_not_know_is_told),
		ON_SERVERS(after_the_deadline_nobody_is_asked),
		ON_SERVERS(who_is_to_stop_does_not_wait),
		ON_SERVERS(what_is_cut_is_asked_for_by_tcp),
		ON_SERVERS(a_connection_that_ends_early_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
