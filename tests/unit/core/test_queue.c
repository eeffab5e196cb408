/*
 * test_queue.c - the ring between two threads
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/queue.h"

static void *item(uintptr_t n)
{
	return (void *)n;
}

static void empty_queue_gives_null(void **state)
{
	struct queue *q;

	assert_int_equal(queue_create(&q, 4), 0);
	assert_null(queue_pop(q));
	queue_destroy(q);
	queue_destroy(NULL);
}

static void items_come_out_in_order(void **state)
{
	struct queue *q;

	assert_int_equal(queue_create(&q, 4), 0);
	/* More rounds than slots, so that the indices wrap. */
	for (uintptr_t i = 1; i < 100; i += 3) {
		assert_true(queue_push(q, item(i)));
		assert_true(queue_push(q, item(i + 1)));
		assert_true(queue_push(q, item(i + 2)));
		assert_ptr_equal(queue_pop(q), item(i));
		assert_ptr_equal(queue_pop(q), item(i + 1));
		assert_ptr_equal(queue_pop(q), item(i + 2));
		assert_null(queue_pop(q));
	}
	queue_destroy(q);
}

static void full_queue_refuses_and_recovers(void **state)
{
	struct queue *q;

	assert_int_equal(queue_create(&q, 2), 0);
	assert_true(queue_push(q, item(1)));
	assert_true(queue_push(q, item(2)));
	assert_false(queue_push(q, item(3)));
	assert_ptr_equal(queue_pop(q), item(1));
	assert_true(queue_push(q, item(4)));
	assert_false(queue_push(q, item(5)));
	assert_ptr_equal(queue_pop(q), item(2));
	assert_ptr_equal(queue_pop(q), item(4));
	queue_destroy(q);
}

static void capacity_is_rounded_up_to_a_power_of_two(void **state)
{
	struct queue *q;
	unsigned n = 0;

	assert_int_equal(queue_create(&q, 5), 0);
	while (queue_push(q, item(1)))
		n++;
	assert_int_equal(n, 8);
	queue_destroy(q);
}

static void impossible_capacity_is_out_of_memory(void **state)
{
	struct queue *q;

	assert_int_equal(queue_create(&q, SIZE_MAX), -ENOMEM);
}

enum { MANY = 200000 };

static void *produce(void *arg)
{
	for (uintptr_t i = 1; i <= MANY; i++)
		while (!queue_push(arg, item(i)))
			sched_yield();
	return NULL;
}

static void two_threads_lose_and_reorder_nothing(void **state)
{
	pthread_t thread;
	struct queue *q;

	assert_int_equal(queue_create(&q, 64), 0);
	assert_int_equal(pthread_create(&thread, NULL, produce, q), 0);
	for (uintptr_t i = 1; i <= MANY; i++) {
		void *got;

		while (!(got = queue_pop(q)))
			sched_yield();
		assert_ptr_equal(got, item(i));
	}
	pthread_join(thread, NULL);
	assert_null(queue_pop(q));
	queue_destroy(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_queue_gives_null),
		cmocka_unit_test(items_come_out_in_order),
		cmocka_unit_test(full_queue_refuses_and_recovers),
		cmocka_unit_test(capacity_is_rounded_up_to_a_power_of_two),
		cmocka_unit_test(impossible_capacity_is_out_of_memory),
		cmocka_unit_test(two_threads_lose_and_reorder_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
