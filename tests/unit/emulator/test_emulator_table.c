/*
 * test_emulator_table.c - mappings, filters, refresh and ports of the NAT
 * emulator
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>

#include "nat-emulator/table.h"

#define PHONE 0xc0a80132 /* 192.168.1.50 */
#define BOX   0xcb00710a /* 203.0.113.10 */
#define OTHER 0xcb00710b

static const struct carried udp = {IPPROTO_UDP, true, false};
static const struct carried syn = {IPPROTO_TCP, true, false};
static const struct carried ack = {IPPROTO_TCP, false, false};
static const struct carried fin = {IPPROTO_TCP, false, true};

static struct settings set;
static struct table table;

static int setup(void **state)
{
	settings_init(&set);
	set.timeout_ms = 1000;
	table_init(&table, &set);
	return 0;
}

static struct endpoint at(uint32_t ip, uint16_t port)
{
	return (struct endpoint){ip, port};
}

static uint16_t out(uint16_t from, uint32_t ip, uint16_t port, mono_ms now)
{
	struct mapping *m =
		table_out(&table, udp, at(PHONE, from), at(ip, port), now);

	return m ? m->out_port : 0;
}

static bool in(uint16_t to, uint32_t ip, uint16_t port, mono_ms now)
{
	return table_in(&table, udp, to, at(ip, port), now) != NULL;
}

static void mapping_depends_on_what_it_says(void **state)
{
	static const bool same[3][2] = {
		/* other port of the same address, other address */
		[INDEPENDENT] = {true, true},
		[ON_ADDRESS] = {true, false},
		[ON_PORT] = {false, false},
	};

	for (enum depends d = INDEPENDENT; d <= ON_PORT; d++) {
		uint16_t first;

		setup(state);
		set.mapping = d;
		first = out(5060, BOX, 5060, 0);
		assert_int_equal(out(5060, BOX, 5060, 1), first);
		assert_int_equal(out(5060, BOX, 5061, 1) == first, same[d][0]);
		assert_int_equal(out(5060, OTHER, 5060, 1) == first,
				 same[d][1]);
	}
}

static void filter_lets_in_whom_it_says(void **state)
{
	static const bool lets[3][2] = {
		[INDEPENDENT] = {true, true},
		[ON_ADDRESS] = {true, false},
		[ON_PORT] = {false, false},
	};

	for (enum depends d = INDEPENDENT; d <= ON_PORT; d++) {
		uint16_t port;

		setup(state);
		set.filtering = d;
		port = out(5060, BOX, 5060, 0);
		assert_true(in(port, BOX, 5060, 1));
		assert_int_equal(in(port, BOX, 5061, 1), lets[d][0]);
		assert_int_equal(in(port, OTHER, 5060, 1), lets[d][1]);
		assert_false(in((uint16_t)(port + 1), BOX, 5060, 1));
	}
}

static void mapping_ends_with_its_timeout(void **state)
{
	uint16_t port = out(5060, BOX, 5060, 0);

	assert_true(in(port, BOX, 5060, 999));
	setup(state);
	out(5060, BOX, 5060, 0);
	assert_false(in(port, BOX, 5060, 1000));
	assert_int_equal(table_count(&table), 0);
}

static void packets_from_outside_refresh_only_where_told(void **state)
{
	uint16_t port;

	for (int both = 0; both < 2; both++) {
		setup(state);
		set.refresh_inbound = both;
		port = out(5060, BOX, 5060, 0);
		assert_true(in(port, BOX, 5060, 600));
		assert_int_equal(in(port, BOX, 5060, 1200), both);
	}
	setup(state);
	set.refresh_inbound = false;
	port = out(5060, BOX, 5060, 0);
	out(5060, BOX, 5060, 600);
	assert_true(in(port, BOX, 5060, 1200));
}

static void each_peer_that_was_sent_to_has_its_own_time(void **state)
{
	uint16_t port;

	set.filtering = ON_PORT;
	port = out(5060, BOX, 5060, 0);
	out(5060, OTHER, 5060, 600);
	assert_false(in(port, BOX, 5060, 1200));
	assert_true(in(port, OTHER, 5060, 1200));
}

static void ports_are_preserved_or_the_next_is_taken(void **state)
{
	struct mapping *m;

	assert_int_equal(out(5060, BOX, 5060, 0), 5060);
	m = table_out(&table, udp, at(PHONE + 1, 5060), at(BOX, 5060), 0);
	assert_int_equal(m->out_port, 5061);
	/* Ports below 1024 are not for phones. */
	assert_true(out(80, BOX, 5060, 0) >= LOWEST_PORT);
}

static void random_ports_are_all_over_and_never_twice(void **state)
{
	static bool given[65536];
	uint16_t least = 65535, most = 0;

	set.ports = RANDOM;
	for (uint16_t i = 0; i < 1000; i++) {
		uint16_t port = out((uint16_t)(2000 + i), BOX, 5060, 0);

		assert_false(given[port]);
		given[port] = true;
		least = port < least ? port : least;
		most = port > most ? port : most;
	}
	assert_true(least < 2000 && most > 64000);
}

static void blocks_belong_to_one_phone_and_end_at_the_cap(void **state)
{
	uint32_t block;
	uint16_t ports[16];

	set.ports = BLOCK;
	set.block_size = 8;
	set.port_cap = 16;
	for (uint16_t i = 0; i < 16; i++) {
		ports[i] = out((uint16_t)(2000 + i), BOX, 5060, 0);
		assert_int_not_equal(ports[i], 0);
	}
	block = (ports[0] - LOWEST_PORT) / 8u;
	for (int i = 1; i < 8; i++)
		assert_int_equal((ports[i] - LOWEST_PORT) / 8, block);
	assert_int_not_equal((ports[8] - LOWEST_PORT) / 8, block);
	assert_int_equal(out(3000, BOX, 5060, 0), 0);
	assert_int_equal(table.refused, 1);
	assert_non_null(
		table_out(&table, udp, at(PHONE + 1, 2000), at(BOX, 5060), 0));
	/* What has ended is given again, so that nothing leaks. */
	table_sweep(&table, 1000);
	assert_int_equal(table_count(&table), 0);
	for (uint16_t i = 0; i < 16; i++)
		assert_int_not_equal(out((uint16_t)(4000 + i), BOX, 5060, 1001),
				     0);
}

static void full_table_refuses_and_recovers(void **state)
{
	for (uint32_t i = 0; i < MAPPINGS; i++)
		assert_int_not_equal(out((uint16_t)(1024 + i), BOX, 5060, 0),
				     0);
	assert_int_equal(out(60000, BOX, 5060, 0), 0);
	table_sweep(&table, 1000);
	assert_int_not_equal(out(60000, BOX, 5060, 1000), 0);
}

static void rebind_moves_ports_and_keeps_filters(void **state)
{
	uint16_t before, after;

	set.filtering = ON_PORT;
	before = out(5060, BOX, 5060, 0);
	table_rebind(&table);
	assert_false(in(before, BOX, 5060, 1));
	after = out(5060, BOX, 5060, 1);
	assert_int_not_equal(after, before);
	assert_true(in(after, BOX, 5060, 1));
	assert_false(in(after, OTHER, 5060, 1));
}

static void reboot_forgets_all(void **state)
{
	uint16_t port = out(5060, BOX, 5060, 0);

	table_forget(&table);
	assert_false(in(port, BOX, 5060, 1));
	assert_int_equal(table_count(&table), 0);
}

static void tcp_begins_with_syn_and_ends_soon_after_fin(void **state)
{
	struct endpoint phone = at(PHONE, 40000), box = at(BOX, 5060);
	struct mapping *m;

	set.tcp_timeout_ms = 100000;
	assert_null(table_out(&table, ack, phone, box, 0));
	m = table_out(&table, syn, phone, box, 0);
	assert_non_null(m);
	assert_non_null(table_in(&table, ack, m->out_port, box, 99999));
	assert_non_null(table_out(&table, fin, phone, box, 100000));
	assert_non_null(table_in(&table, ack, 40000, box, 101000));
	assert_null(table_in(&table, ack, 40000, box, 103001));
}

static void tcp_and_udp_ports_are_two_things(void **state)
{
	assert_int_equal(out(5060, BOX, 5060, 0), 5060);
	assert_int_equal(
		table_out(&table, syn, at(PHONE + 1, 5060), at(BOX, 5060), 0)
			->out_port,
		5060);
}

static void pinned_mapping_serves_every_peer_and_lets_in_all(void **state)
{
	struct mapping *m;

	set.mapping = set.filtering = ON_PORT;
	set.ports = RANDOM;
	m = table_pin(&table, at(PHONE, 4000), 0, true, 0);
	assert_int_equal(m->out_port % 2, 0);
	assert_true(in(m->out_port, OTHER, 9, 30000)); /* a call may ring */
	assert_int_equal(out(4000, BOX, 20000, 1), m->out_port);
	assert_int_equal(out(4000, OTHER, 20000, 1), m->out_port);
	assert_ptr_equal(table_pin(&table, at(PHONE, 4000), 0, true, 1), m);
}

static void more_peers_than_fit_push_out_the_oldest(void **state)
{
	uint16_t port = 0;

	set.filtering = ON_PORT;
	for (uint16_t i = 0; i <= SESSIONS; i++)
		port = out(5060, BOX, (uint16_t)(6000 + i), i);
	assert_false(in(port, BOX, 6000, 20));
	assert_true(in(port, BOX, 6001, 20));
	assert_true(in(port, BOX, 6000 + SESSIONS, 20));
}

static void settings_know_their_words(void **state)
{
	static const char *const good[][2] = {
		{"mapping", "address-dependent"},
		{"filtering", "address-and-port-dependent"},
		{"refresh", "outbound"},
		{"timeout", "1500"},
		{"ports", "block"},
		{"block-size", "8"},
		{"hairpin", "on"},
		{"alg", "via,callid"},
		{"address", "203.0.113.77"},
		{"loss-permille", "50"},
		{"alg-port", "5070"},
	};
	static const char *const bad[][2] = {
		{"mapping", "cone"},   {"timeout", "0"},
		{"timeout", "1.5"},    {"block-size", "4"},
		{"alg", "via,"},       {"alg", "good"},
		{"address", "1.2.3"},  {"loss-permille", "1001"},
		{"no-such-key", "1"},  {"alg-port", "65536"},
		{"refresh", "inward"}, {"", ""},
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(settings_set(&set, good[i][0], good[i][1]), 0);
	assert_int_equal(set.mapping, ON_ADDRESS);
	assert_int_equal(set.filtering, ON_PORT);
	assert_false(set.refresh_inbound);
	assert_int_equal(set.timeout_ms, 1500);
	assert_int_equal(set.alg, ALG_VIA | ALG_CALLID);
	assert_int_equal(set.outside, 0xcb00714d);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct settings before = set;

		assert_int_not_equal(settings_set(&set, bad[i][0], bad[i][1]),
				     0);
		assert_memory_equal(&set, &before, sizeof(set));
	}
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mapping_depends_on_what_it_says),
		TEST(filter_lets_in_whom_it_says),
		TEST(mapping_ends_with_its_timeout),
		TEST(packets_from_outside_refresh_only_where_told),
		TEST(each_peer_that_was_sent_to_has_its_own_time),
		TEST(ports_are_preserved_or_the_next_is_taken),
		TEST(random_ports_are_all_over_and_never_twice),
		TEST(blocks_belong_to_one_phone_and_end_at_the_cap),
		TEST(full_table_refuses_and_recovers),
		TEST(rebind_moves_ports_and_keeps_filters),
		TEST(reboot_forgets_all),
		TEST(tcp_begins_with_syn_and_ends_soon_after_fin),
		TEST(tcp_and_udp_ports_are_two_things),
		TEST(pinned_mapping_serves_every_peer_and_lets_in_all),
		TEST(more_peers_than_fit_push_out_the_oldest),
		TEST(settings_know_their_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
