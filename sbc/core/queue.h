/*
 * queue.h - bounded single-producer single-consumer ring of pointers
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Lock-free and allocation-free after creation: what crosses between the
 * control thread and a media worker, or to the store's writer, goes through
 * one of these with an eventfd beside it.
 */
#ifndef SBC_CORE_QUEUE_H
#define SBC_CORE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct queue;

/* @capacity is rounded up to a power of two.  -ENOMEM. */
int queue_create(struct queue **out, size_t capacity);
void queue_destroy(struct queue *q);          /* accepts NULL */
bool queue_push(struct queue *q, void *item); /* producer; false when full */
void *queue_pop(struct queue *q);             /* consumer; NULL when empty */

#endif
