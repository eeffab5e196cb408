/*
 * loop.h - the event loop of the SIP thread: timers, descriptors, work that
 * other threads hand over, and the reaper
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The only file outside sip/ that touches su_root.  All calls on the loop's
 * own thread except loop_post() and loop_stop().
 */
#ifndef SBC_CORE_LOOP_H
#define SBC_CORE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/clock.h"

struct loop;
struct loop_fd;

typedef void (*loop_fn)(void *arg);
typedef void (*loop_fd_fn)(void *arg, int fd, unsigned events);

/* Embedded in its owner; zero it before the first use. */
struct timer {
	mono_ms due;
	loop_fn fn;
	void *arg;
	unsigned slot; /* place in the heap + 1, 0 = not armed */
};

enum { LOOP_IN = 1, LOOP_OUT = 2, LOOP_ERR = 4 };

int loop_create(struct loop **out);
void loop_destroy(struct loop *loop); /* accepts NULL */
void loop_run(struct loop *loop);     /* returns after loop_stop() */
void loop_stop(struct loop *loop);    /* any thread, and signal handlers */
void loop_step(struct loop *loop, int max_ms); /* one turn, for tests */
void *loop_root(struct loop *loop); /* the su_root_t, for sip/ only */
/* The library calls back for a descriptor of its own: this turn has slept
 * already, so deferring needs no wake-up.  For sip/ only. */
void loop_woke(struct loop *loop);

/* Arm @t to call @fn(@arg) once, @ms from now; re-arms an armed timer.
 * Timers are exact to a millisecond and never call back early. */
void timer_set(struct loop *loop, struct timer *t, int64_t ms, loop_fn fn,
	       void *arg);
void timer_cancel(struct loop *loop, struct timer *t);
bool timer_armed(const struct timer *t);
/* Call every timer that is due by clock_mono(); loop_run() does it itself,
 * tests with a frozen clock call it after clock_advance(). */
void loop_fire(struct loop *loop);

int loop_fd_add(struct loop *loop, struct loop_fd **out, int fd,
		unsigned events, loop_fd_fn fn, void *arg);
void loop_fd_remove(struct loop_fd *h); /* does not close; accepts NULL */

/* Call @fn(@arg) on the loop's thread, soon, in order.  Any thread.
 * -ENOMEM. */
int loop_post(struct loop *loop, loop_fn fn, void *arg);
/* The reaper: call @fn(@arg) when the present callback has returned, so that
 * nothing dies inside its own callback. */
int loop_defer(struct loop *loop, loop_fn fn, void *arg);
/* Take back what was deferred and has not begun. */
void loop_forget(struct loop *loop, loop_fn fn, void *arg);

#endif
