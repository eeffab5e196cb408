/*
 * test_list.c - the intrusive list
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/list.h"

struct item {
	int n;
	struct list link;
};

static int sum(struct list *head)
{
	int digits = 0;

	list_for_each (pos, head)
		digits = digits * 10 + list_entry(pos, struct item, link)->n;
	return digits;
}

static void append_and_prepend_keep_their_order(void **state)
{
	struct list head = LIST_INIT(head);
	struct item a = {.n = 1}, b = {.n = 2}, c = {.n = 3};

	assert_true(list_empty(&head));
	list_append(&head, &b.link);
	list_append(&head, &c.link);
	list_prepend(&head, &a.link);
	assert_int_equal(sum(&head), 123);
	assert_false(list_empty(&head));
}

static void removing_twice_is_harmless(void **state)
{
	struct list head = LIST_INIT(head);
	struct item a = {.n = 1}, b = {.n = 2};

	list_append(&head, &a.link);
	list_append(&head, &b.link);
	list_remove(&a.link);
	list_remove(&a.link);
	assert_int_equal(sum(&head), 2);
	assert_true(list_empty(&a.link));
}

static void safe_walk_may_remove_what_it_stands_on(void **state)
{
	struct list head = LIST_INIT(head);
	struct item items[5];

	for (int i = 0; i < 5; i++) {
		items[i].n = i + 1;
		list_append(&head, &items[i].link);
	}
	list_for_each_safe (pos, &head)
		if (list_entry(pos, struct item, link)->n % 2)
			list_remove(pos);
	assert_int_equal(sum(&head), 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(append_and_prepend_keep_their_order),
		cmocka_unit_test(removing_twice_is_harmless),
		cmocka_unit_test(safe_walk_may_remove_what_it_stands_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
