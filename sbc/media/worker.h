/*
 * worker.h - a thread that moves the packets of its streams
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * All calls on the control thread; only worker_stop() waits.
 */
#ifndef SBC_MEDIA_WORKER_H
#define SBC_MEDIA_WORKER_H

struct loop;
struct media_stream;
struct worker;

/* With @loop, what is asked of the worker in one turn reaches it together. */
int worker_create(struct worker **out, unsigned index, struct loop *loop);
/* End the thread; all that worker_close() asked for is done then. */
void worker_stop(struct worker *w);
void worker_destroy(struct worker *w); /* stops it too; accepts NULL */

/* From now on packets on the sockets of @s are walked.  -ENOMEM, -ENOSPC. */
int worker_watch(struct worker *w, struct media_stream *s);
/* There is a new wish in the box of @s. */
void worker_wish(struct worker *w, struct media_stream *s);
/* Let go of @s; nothing else may be asked of it after this. */
void worker_close(struct worker *w, struct media_stream *s);
/* The streams let go of, chained by next_closing; NULL when there are none. */
struct media_stream *worker_released(struct worker *w);

#endif
