/*
 * queue.c - bounded single-producer single-consumer ring of pointers
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   head: next to read, moved by the consumer only
 *   tail: next to write, moved by the producer only
 *
 * Both count up without end; their difference is the fill.  Each side keeps a
 * copy of the other's index and looks at the real one only when the copy says
 * full or empty, so that the two cache lines seldom travel between cores.
 */
#include "core/queue.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

enum { CACHE_LINE = 64 };

struct queue {
	_Alignas(CACHE_LINE) _Atomic size_t head;
	size_t tail_seen; /* consumer's copy */
	_Alignas(CACHE_LINE) _Atomic size_t tail;
	size_t head_seen; /* producer's copy */
	_Alignas(CACHE_LINE) size_t mask;
	void *items[];
};

int queue_create(struct queue **out, size_t capacity)
{
	size_t n = 1, bytes;
	struct queue *q;

	if (capacity > SIZE_MAX / 4 / sizeof(void *))
		return -ENOMEM;
	while (n < capacity)
		n *= 2;
	bytes = sizeof(*q) + n * sizeof(q->items[0]);
	bytes = (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	q = aligned_alloc(CACHE_LINE, bytes);
	if (!q)
		return -ENOMEM;
	atomic_init(&q->head, 0);
	atomic_init(&q->tail, 0);
	q->tail_seen = q->head_seen = 0;
	q->mask = n - 1;
	*out = q;
	return 0;
}

void queue_destroy(struct queue *q)
{
	free(q);
}

bool queue_push(struct queue *q, void *item)
{
	size_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);

	if (tail - q->head_seen > q->mask) {
		q->head_seen =
			atomic_load_explicit(&q->head, memory_order_acquire);
		if (tail - q->head_seen > q->mask)
			return false;
	}
	q->items[tail & q->mask] = item;
	atomic_store_explicit(&q->tail, tail + 1, memory_order_release);
	return true;
}

void *queue_pop(struct queue *q)
{
	size_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
	void *item;

	if (head == q->tail_seen) {
		q->tail_seen =
			atomic_load_explicit(&q->tail, memory_order_acquire);
		if (head == q->tail_seen)
			return NULL;
	}
	item = q->items[head & q->mask];
	atomic_store_explicit(&q->head, head + 1, memory_order_release);
	return item;
}
