/*
 * test_refresh.c - refreshes fold into one entry per binding
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store_rig.h"

#include "store/refresh.h"

static void put(struct refresh_map *m, uint64_t id, uint32_t cseq)
{
	const struct refresh r = {.id = id, .cseq = cseq};

	assert_int_equal(refresh_put(m, &r), 0);
}

static void the_last_word_on_a_binding_counts(void **state)
{
	struct refresh_map m = {0};

	put(&m, 7, 1);
	put(&m, 9, 1);
	put(&m, 7, 2);
	refresh_sort(&m);
	assert_int_equal(m.n, 2);
	assert_int_equal(m.slots[0].id, 7);
	assert_int_equal(m.slots[0].cseq, 2);
	assert_int_equal(m.slots[1].id, 9);
	refresh_clear(&m);
	assert_int_equal(m.n, 0);
	refresh_sort(&m); /* an empty one is fine */
	refresh_clear(&m);
}

static void many_bindings_come_out_in_order_of_id(void **state)
{
	struct refresh_map m = {0};

	/* 7919 is prime, so each id comes once, all out of order. */
	for (uint64_t i = 1; i <= 20000; i++)
		put(&m, i * 7919 % 20011 + 1, (uint32_t)i);
	refresh_sort(&m);
	assert_int_equal(m.n, 20000);
	for (size_t i = 1; i < m.n; i++)
		assert_true(m.slots[i - 1].id < m.slots[i].id);
	refresh_clear(&m);
}

static void no_id_is_no_binding(void **state)
{
	struct refresh_map m = {0};

	put(&m, 0, 1);
	assert_int_equal(m.n, 0);
	refresh_clear(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_word_on_a_binding_counts),
		cmocka_unit_test(many_bindings_come_out_in_order_of_id),
		cmocka_unit_test(no_id_is_no_binding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
