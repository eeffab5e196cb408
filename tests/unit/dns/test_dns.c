/*
 * test_dns.c - what is asked, kept, shared and served when servers fail
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The test is the SIP thread and the name server; only the resolver's thread
 * is its own.
 */
#include "dns_server.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/loop.h"

enum { ASKERS = 2000 };

static struct loop *loop;
static struct dns *dns;
static struct server server;
static struct packet p;

/* What asker @i was told, and how often. */
static struct {
	unsigned times;
	struct dns_answer a;
} told[ASKERS];
static unsigned n_told, n_lines;

static void count_line(void *arg, const char *line)
{
	n_lines += strstr(line, "dns.stale") != NULL;
}

static void open_dns(unsigned timeout_ms)
{
	const struct dns_conf conf = {loop, &server.addr, 1, timeout_ms};

	assert_int_equal(dns_create(&dns, &conf), 0);
}

static int setup(void **state)
{
	clock_freeze(1000000, 1800000000000);
	log_capture(count_line, NULL);
	memset(told, 0, sizeof(told));
	n_told = n_lines = 0;
	server_open(&server);
	assert_int_equal(loop_create(&loop), 0);
	open_dns(SERVER_PATIENCE_MS);
	return 0;
}

static int teardown(void **state)
{
	dns_destroy(dns);
	loop_destroy(loop);
	server_close(&server);
	clock_thaw();
	return 0;
}

static void be_told(void *arg, const struct dns_answer *a)
{
	size_t i = (size_t)arg;

	told[i].a = *a;
	told[i].times++;
	n_told++;
}

static uint64_t ask_as(size_t i, struct dns_question q)
{
	uint64_t id = 0;

	assert_int_equal(dns_resolve(&id, dns, &q, be_told, (void *)i), 0);
	assert_true(id != 0);
	return id;
}

#define ASK(i, name) ask_as(i, HOST_QUESTION(name))
#define HOST_QUESTION(name)                                                    \
	(struct dns_question)                                                  \
	{                                                                      \
		.host = (name), .port = 5070, .family = DNS_V4_ONLY            \
	}

/* Turn the loop until @n were told. */
static void await(unsigned n)
{
	for (int i = 0; n_told < n && i < 20; i++)
		loop_step(loop, SERVER_PATIENCE_MS / 20);
	assert_int_equal(n_told, n);
}

static const char *first_of(size_t i)
{
	static char text[ADDR_TEXT_MAX];

	assert_true(told[i].a.n > 0);
	return addr_fmt(&told[i].a.ways[0].addr, text);
}

/* ---- literals ------------------------------------------------------------------- */

static void a_literal_is_told_later_but_nobody_is_asked(void **state)
{
	ask_as(0, (struct dns_question){.host = "192.0.2.1"});
	ask_as(1, (struct dns_question){.host = "[2001:db8::1]",
					.port = 5070,
					.transport = DNS_TCP});
	assert_int_equal(n_told, 0);
	await(2);
	assert_string_equal(first_of(0), "192.0.2.1:5060");
	assert_int_equal(told[0].a.ways[0].transport, DNS_UDP);
	assert_int_equal(told[0].a.ttl_s, 86400);
	assert_string_equal(first_of(1), "[2001:db8::1]:5070");
	assert_int_equal(told[1].a.ways[0].transport, DNS_TCP);
	assert_false(server_is_asked(&server));
}

static void what_is_no_name_is_refused(void **state)
{
	static const char *const bad[] = {"",     ".",    "a b",
					  "a..b", "[::1", "a\xff"};
	uint64_t id;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct dns_question q = {.host = bad[i]};

		assert_int_equal(dns_resolve(&id, dns, &q, be_told, NULL),
				 -EINVAL);
	}
}

/* ---- asking and keeping ------------------------------------------------------------ */

static void a_name_is_asked_for_and_kept_for_its_ttl(void **state)
{
	ASK(0, "h.ex");
	server_expect(&server, "h.ex", DNS_A);
	server_address(&server, "192.0.2.1", 60);
	await(1);
	assert_int_equal(told[0].a.result, DNS_OK);
	assert_string_equal(first_of(0), "192.0.2.1:5070");
	assert_int_equal(told[0].a.ttl_s, 60);

	clock_advance(59500);
	ASK(1, "h.ex");
	await(2);
	assert_string_equal(first_of(1), "192.0.2.1:5070");
	assert_int_equal(told[1].a.ttl_s, 1);
	assert_false(server_is_asked(&server));

	clock_advance(500);
	ASK(2, "h.ex");
	server_expect(&server, "h.ex", DNS_A);
	server_address(&server, "192.0.2.2", 60);
	await(3);
	assert_string_equal(first_of(2), "192.0.2.2:5070");
}

static void capitals_and_a_last_dot_do_not_matter(void **state)
{
	ASK(0, "H.Ex.");
	server_expect(&server, "h.ex", DNS_A);
	server_address(&server, "192.0.2.1", 60);
	await(1);
	ASK(1, "h.ex");
	await(2);
	assert_false(server_is_asked(&server));
}

static void another_port_or_transport_is_another_question(void **state)
{
	ASK(0, "h.ex");
	server_expect(&server, "h.ex", DNS_A);
	server_address(&server, "192.0.2.1", 60);
	await(1);
	ask_as(1, (struct dns_question){
			  .host = "h.ex", .port = 5071, .family = DNS_V4_ONLY});
	server_expect(&server, "h.ex", DNS_A);
	server_address(&server, "192.0.2.1", 60);
	await(2);
	assert_string_equal(first_of(1), "192.0.2.1:5071");
}

static void a_service_is_found_through_the_whole_chain(void **state)
{
	ask_as(0, (struct dns_question){.host = "ex", .family = DNS_V4_ONLY});
	server_expect(&server, "ex", DNS_NAPTR);
	pk_begin(&p, PK_WELL, "ex", DNS_NAPTR);
	pk_naptr(&p, "ex", 60,
		 (struct pk_naptr){1, 1, "s", "SIP+D2T", "", "_sip._tcp.ex"});
	server_send(&server, &p);
	server_expect(&server, "_sip._tcp.ex", DNS_SRV);
	pk_begin(&p, PK_WELL, "_sip._tcp.ex", DNS_SRV);
	pk_srv(&p, "_sip._tcp.ex", 60, 1, 1, 5062, "h.ex");
	server_send(&server, &p);
	server_expect(&server, "h.ex", DNS_A);
	server_address(&server, "192.0.2.1", 60);
	await(1);
	assert_string_equal(first_of(0), "192.0.2.1:5062");
	assert_int_equal(told[0].a.ways[0].transport, DNS_TCP);
}

static void who_asks_the_same_meanwhile_waits_for_the_same_answer(void **state)
{
	ASK(0, "h.ex");
	ASK(1, "h.ex");
	server_expect(&server, "h.ex", DNS_A);
	ASK(2, "h.ex");
	server_address(&server, "192.0.2.1", 60);
	await(3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(told[i].times, 1);
	assert_false(server_is_asked(&server));
}

static void too_short_and_too_long_times_are_bounded(void **state)
{
	ASK(0, "h.ex");
	server_expect(&server, "h.ex", DNS_A);
	server_address(&server, "192.0.2.1", 0);
	await(1);
	assert_int_equal(told[0].a.ttl_s, 5);
	ASK(1, "g.ex");
	server_expect(&server, "g.ex", DNS_A);
	server_address(&server, "192.0.2.1", 1000000);
	await(2);
	assert_int_equal(told[1].a.ttl_s, 86400);
	ASK(2, "no.ex");
	server_expect(&server, "no.ex", DNS_A);
	server_refuse(&server, PK_NXDOMAIN, 9000);
	await(3);
	assert_int_equal(told[2].a.ttl_s, 300);
}

/* ---- refusals ------------------------------------------------------------------------ */

static void a_refusal_is_kept_as_long_as_the_zone_says(void **state)
{
	ASK(0, "no.ex");
	server_expect(&server, "no.ex", DNS_A);
	server_refuse(&server, PK_NXDOMAIN, 100);
	await(1);
	assert_int_equal(told[0].a.result, DNS_NO_NAME);
	assert_int_equal(told[0].a.n, 0);

	clock_advance(99000);
	ASK(1, "no.ex");
	await(2);
	assert_int_equal(told[1].a.result, DNS_NO_NAME);
	assert_false(server_is_asked(&server));

	clock_advance(1000);
	ASK(2, "no.ex");
	server_expect(&server, "no.ex", DNS_A);
	server_refuse(&server, PK_WELL, 100);
	await(3);
	assert_int_equal(told[2].a.result, DNS_NO_DATA);
}

static void fail_twice(const char *name)
{
	for (int i = 0; i < 2; i++) {
		server_expect(&server, name, DNS_A);
		server_refuse(&server, PK_SERVFAIL, 0);
	}
}

static void a_failure_is_kept_for_ten_seconds(void **state)
{
	ASK(0, "h.ex");
	fail_twice("h.ex");
	await(1);
	assert_int_equal(told[0].a.result, DNS_FAILED);
	assert_int_equal(told[0].a.ttl_s, 10);
	clock_advance(9000);
	ASK(1, "h.ex");
	await(2);
	assert_int_equal(told[1].a.ttl_s, 1);
	assert_false(server_is_asked(&server));
	clock_advance(1000);
	ASK(2, "h.ex");
	fail_twice("h.ex");
	await(3);
}

static void silence_is_told_as_such(void **state)
{
	dns_destroy(dns);
	open_dns(5);
	ASK(0, "h.ex");
	await(1);
	assert_int_equal(told[0].a.result, DNS_TIMED_OUT);
}

/* ---- when servers fail ------------------------------------------------------------------ */

static void know(const char *name, uint32_t ttl)
{
	unsigned n = n_told;

	ASK(0, name);
	server_expect(&server, name, DNS_A);
	server_address(&server, "192.0.2.1", ttl);
	await(n + 1);
}

static void the_last_good_answer_serves_while_servers_fail(void **state)
{
	know("h.ex", 60);
	clock_advance(60000);
	ASK(1, "h.ex");
	fail_twice("h.ex");
	await(2);
	assert_int_equal(told[1].a.result, DNS_OK);
	assert_true(told[1].a.is_stale);
	assert_string_equal(first_of(1), "192.0.2.1:5070");
	assert_int_equal(told[1].a.ttl_s, 10);
	clock_advance(10000);
	ASK(2, "h.ex");
	fail_twice("h.ex");
	await(3);
	assert_true(told[2].a.is_stale);
	assert_int_equal(n_lines, 1); /* said once */

	clock_advance(10000);
	know("h.ex", 60);
	assert_false(told[0].a.is_stale);
}

static void after_hours_it_does_not_serve_any_more(void **state)
{
	know("h.ex", 60);
	clock_advance(60000 + 6 * 3600 * 1000);
	ASK(1, "h.ex");
	fail_twice("h.ex");
	await(2);
	assert_int_equal(told[1].a.result, DNS_FAILED);
	assert_int_equal(told[1].a.n, 0);
}

static void a_name_that_is_known_to_be_gone_does_not_serve_on(void **state)
{
	know("h.ex", 60);
	clock_advance(60000);
	ASK(1, "h.ex");
	server_expect(&server, "h.ex", DNS_A);
	server_refuse(&server, PK_NXDOMAIN, 30);
	await(2);
	assert_int_equal(told[1].a.result, DNS_NO_NAME);
}

static void other_servers_are_asked_anew(void **state)
{
	struct server other;

	know("h.ex", 60);
	dns_set_servers(dns, &server.addr, 1); /* as before */
	ASK(1, "h.ex");
	await(2);
	server_open(&other);
	dns_set_servers(dns, &other.addr, 1);
	ASK(2, "h.ex");
	server_expect(&other, "h.ex", DNS_A);
	server_address(&other, "192.0.2.2", 60);
	await(3);
	assert_string_equal(first_of(2), "192.0.2.2:5070");
	server_close(&other);
}

/* ---- who does not want to know ----------------------------------------------------------- */

static void who_cancels_is_not_told(void **state)
{
	uint64_t gone = ASK(0, "h.ex"), known;

	ASK(1, "h.ex");
	server_expect(&server, "h.ex", DNS_A);
	dns_cancel(dns, gone);
	dns_cancel(dns, gone);
	dns_cancel(dns, 0);
	server_address(&server, "192.0.2.1", 60);
	await(1);
	assert_int_equal(told[0].times, 0);
	known = ASK(2, "h.ex");
	dns_cancel(dns, known);
	loop_step(loop, 0);
	assert_int_equal(told[2].times, 0);
}

static uint64_t second;

static void cancel_second(void *arg, const struct dns_answer *a)
{
	n_told++;
	dns_cancel(dns, second);
}

static void who_is_told_may_cancel_another(void **state)
{
	const struct dns_question q = {.host = "192.0.2.1"};
	uint64_t id;

	assert_int_equal(dns_resolve(&id, dns, &q, cancel_second, NULL), 0);
	second = ask_as(1, q);
	await(1);
	loop_step(loop, 0);
	assert_int_equal(told[1].times, 0);
}

static void ask_again(void *arg, const struct dns_answer *a)
{
	const struct dns_question q = {.host = "192.0.2.1"};
	uint64_t id;

	n_told++;
	if (n_told < 3)
		assert_int_equal(dns_resolve(&id, dns, &q, ask_again, NULL), 0);
}

static void who_is_told_may_ask_again(void **state)
{
	const struct dns_question q = {.host = "192.0.2.1"};
	uint64_t id;

	assert_int_equal(dns_resolve(&id, dns, &q, ask_again, NULL), 0);
	await(3);
}

static void destroying_tells_nobody_and_waits_for_no_server(void **state)
{
	ASK(0, "h.ex");
	server_expect(&server, "h.ex", DNS_A);
	ASK(1, "g.ex");
	ask_as(2, (struct dns_question){.host = "192.0.2.1"});
	dns_destroy(dns);
	dns = NULL;
	loop_step(loop, 0);
	assert_int_equal(n_told, 0);
}

/* ---- bounds -------------------------------------------------------------------------------- */

static int try_ask(size_t i, const char *name)
{
	const struct dns_question q = HOST_QUESTION(name);
	uint64_t id;

	return dns_resolve(&id, dns, &q, be_told, (void *)i);
}

static void questions_under_way_are_bounded(void **state)
{
	char name[32];
	size_t n = 0;

	do
		snprintf(name, sizeof(name), "h%zu.ex", n);
	while (!try_ask(n, name) && ++n < ASKERS);
	assert_int_equal(n, 32);
	assert_int_equal(try_ask(n, name), -EAGAIN);
	/* The first is answered: there is room again. */
	server_expect(&server, "h0.ex", DNS_A);
	server_address(&server, "192.0.2.1", 60);
	await(1);
	assert_int_equal(try_ask(n, name), 0);
}

static void those_who_wait_are_bounded(void **state)
{
	size_t n = 0;

	while (!try_ask(n, "h.ex") && ++n < ASKERS)
		;
	assert_int_equal(n, 1024);
}

static void the_name_that_nobody_asked_for_longest_makes_room(void **state)
{
	char name[32];

	for (int i = 0; i < 257; i++) {
		snprintf(name, sizeof(name), "h%d.ex", i);
		know(name, 60);
		if (i == 255) { /* the first is used, the second is oldest */
			ASK(1, "h0.ex");
			await(n_told + 1);
		}
	}
	assert_int_equal(try_ask(2, "h0.ex"), 0);
	await(n_told + 1);
	assert_false(server_is_asked(&server));
	assert_int_equal(try_ask(2, "h1.ex"), 0);
	server_expect(&server, "h1.ex", DNS_A);
}

static void results_have_names(void **state)
{
	assert_string_equal(dns_result_name(DNS_OK), "ok");
	assert_string_equal(dns_result_name(DNS_TIMED_OUT), "timed out");
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_literal_is_told_later_but_nobody_is_asked),
		T(what_is_no_name_is_refused),
		T(a_name_is_asked_for_and_kept_for_its_ttl),
		T(capitals_and_a_last_dot_do_not_matter),
		T(another_port_or_transport_is_another_question),
		T(a_service_is_found_through_the_whole_chain),
		T(who_asks_the_same_meanwhile_waits_for_the_same_answer),
		T(too_short_and_too_long_times_are_bounded),
		T(a_refusal_is_kept_as_long_as_the_zone_says),
		T(a_failure_is_kept_for_ten_seconds),
		T(silence_is_told_as_such),
		T(the_last_good_answer_serves_while_servers_fail),
		T(after_hours_it_does_not_serve_any_more),
		T(a_name_that_is_known_to_be_gone_does_not_serve_on),
		T(other_servers_are_asked_anew),
		T(who_cancels_is_not_told),
		T(who_is_told_may_cancel_another),
		T(who_is_told_may_ask_again),
		T(destroying_tells_nobody_and_waits_for_no_server),
		T(questions_under_way_are_bounded),
		T(those_who_wait_are_bounded),
		T(the_name_that_nobody_asked_for_longest_makes_room),
		T(results_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
