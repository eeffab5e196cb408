/*
 * test_dns_order.c - in what order hosts are tried
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dns_packet.h"

static struct dns_answer a;
static struct dns_way out[DNS_WAYS];

static void add(uint16_t priority, uint16_t weight, uint16_t target)
{
	struct dns_way *w = &a.ways[a.n++];

	memset(w, 0, sizeof(*w));
	assert_int_equal(
		addr_parse(&w->addr, "192.0.2.1", 9, (uint16_t)(1000 + a.n)),
		0);
	w->priority = priority;
	w->weight = weight;
	w->target = target;
}

static int empty(void **state)
{
	memset(&a, 0, sizeof(a));
	return 0;
}

static void an_empty_answer_has_no_order(void **state)
{
	assert_int_equal(dns_order(&a, out, DNS_WAYS), 0);
}

static void lower_priorities_come_first_whatever_their_weight(void **state)
{
	add(0, 0, 0);
	add(1, 60000, 1);
	add(2, 5, 2);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(dns_order(&a, out, DNS_WAYS), 3);
		for (uint16_t k = 0; k < 3; k++)
			assert_int_equal(out[k].target, k);
	}
}

/* How often of 4000 draws target @t comes first. */
static unsigned firsts(uint16_t t)
{
	unsigned n = 0;

	for (int i = 0; i < 4000; i++) {
		assert_int_equal(dns_order(&a, out, DNS_WAYS), a.n);
		n += out[0].target == t;
	}
	return n;
}

static void equals_are_drawn_by_weight(void **state)
{
	add(0, 10, 0);
	add(0, 30, 1);
	/* 3000 expected; twelve times the standard deviation of 27. */
	assert_in_range(firsts(1), 2670, 3330);
}

static void without_any_weight_each_has_its_turn(void **state)
{
	add(0, 0, 0);
	add(0, 0, 1);
	assert_in_range(firsts(1), 1600, 2400);
}

static void no_weight_is_a_small_chance(void **state)
{
	unsigned n;

	add(0, 0, 0);
	add(0, 99, 1);
	n = firsts(0); /* 40 expected */
	assert_in_range(n, 1, 200);
}

static void weights_are_of_hosts_and_their_addresses_stay_together(void **state)
{
	add(0, 10, 0);
	add(0, 10, 0);
	add(0, 10, 0);
	add(0, 10, 1);
	for (int i = 0; i < 100; i++) {
		unsigned at;

		assert_int_equal(dns_order(&a, out, DNS_WAYS), 4);
		at = out[0].target == 0 ? 0 : 1;
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(addr_port(&out[at + k].addr),
					 1001 + k);
	}
	assert_in_range(firsts(1), 1600, 2400);
}

static void no_more_than_asked_for_are_given(void **state)
{
	for (uint16_t i = 0; i < DNS_WAYS; i++)
		add(i / 4, i, i);
	assert_int_equal(dns_order(&a, out, DNS_WAYS), DNS_WAYS);
	assert_int_equal(dns_order(&a, out, 3), 3);
	assert_int_equal(dns_order(&a, out, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_empty_answer_has_no_order, empty),
		cmocka_unit_test_setup(
			lower_priorities_come_first_whatever_their_weight,
			empty),
		cmocka_unit_test_setup(equals_are_drawn_by_weight, empty),
		cmocka_unit_test_setup(without_any_weight_each_has_its_turn,
				       empty),
		cmocka_unit_test_setup(no_weight_is_a_small_chance, empty),
		cmocka_unit_test_setup(
			weights_are_of_hosts_and_their_addresses_stay_together,
			empty),
		cmocka_unit_test_setup(no_more_than_asked_for_are_given, empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
