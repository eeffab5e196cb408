/*
 * test_loop.c - timers by a frozen clock, descriptors, work from other threads
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/loop.h"
#include "core/rand.h"

struct rig {
	struct loop *loop;
	int order[16], n; /* who called back, in order */
};

struct caller {
	struct rig *rig;
	int name;
	struct timer timer;
	loop_fn then;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	clock_freeze(1000000, 0);
	*state = rig;
	return !rig || loop_create(&rig->loop);
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	loop_destroy(rig->loop);
	free(rig);
	clock_thaw();
	return 0;
}

static void note(void *arg)
{
	struct caller *c = arg;

	if (c->rig->n < 16)
		c->rig->order[c->rig->n] = c->name;
	c->rig->n++;
	if (c->then)
		c->then(c);
}

static void arm(struct caller *c, int64_t ms)
{
	timer_set(c->rig->loop, &c->timer, ms, note, c);
}

static void advance(struct rig *rig, int64_t ms)
{
	clock_advance(ms);
	loop_fire(rig->loop);
}

/* ---- timers -------------------------------------------------------------- */

static void timer_calls_back_once_and_never_early(void **state)
{
	struct rig *rig = *state;
	struct caller a = {.rig = rig, .name = 1};

	arm(&a, 100);
	assert_true(timer_armed(&a.timer));
	advance(rig, 99);
	assert_int_equal(rig->n, 0);
	advance(rig, 1);
	assert_int_equal(rig->n, 1);
	assert_false(timer_armed(&a.timer));
	advance(rig, 100000);
	assert_int_equal(rig->n, 1);
}

static void timers_call_back_in_the_order_of_their_due_times(void **state)
{
	struct rig *rig = *state;
	struct caller c[4];
	static const int64_t ms[4] = {30, 10, 40, 20};

	for (int i = 0; i < 4; i++) {
		c[i] = (struct caller){.rig = rig, .name = (int)ms[i]};
		arm(&c[i], ms[i]);
	}
	advance(rig, 1000);
	assert_int_equal(rig->n, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(rig->order[i], 10 * (i + 1));
}

static void cancelled_timer_is_silent(void **state)
{
	struct rig *rig = *state;
	struct caller a = {.rig = rig}, b = {.rig = rig, .name = 2};

	arm(&a, 10);
	arm(&b, 20);
	timer_cancel(rig->loop, &a.timer);
	timer_cancel(rig->loop, &a.timer);
	assert_false(timer_armed(&a.timer));
	advance(rig, 1000);
	assert_int_equal(rig->n, 1);
	assert_int_equal(rig->order[0], 2);
}

static void setting_an_armed_timer_moves_it(void **state)
{
	struct rig *rig = *state;
	struct caller a = {.rig = rig};

	arm(&a, 10);
	arm(&a, 50);
	advance(rig, 49);
	assert_int_equal(rig->n, 0);
	arm(&a, 5);
	advance(rig, 5);
	assert_int_equal(rig->n, 1);
	advance(rig, 1000);
	assert_int_equal(rig->n, 1);
}

static void rearm_at_once(void *arg)
{
	arm(arg, 0);
}

static void timer_that_rearms_at_zero_does_not_hold_the_loop(void **state)
{
	struct rig *rig = *state;
	struct caller a = {.rig = rig, .then = rearm_at_once};

	arm(&a, 0);
	loop_fire(rig->loop);
	assert_int_equal(rig->n, 1);
	loop_fire(rig->loop);
	assert_int_equal(rig->n, 2);
	timer_cancel(rig->loop, &a.timer);
}

static void negative_time_is_now_and_endless_time_does_not_wrap(void **state)
{
	struct rig *rig = *state;
	struct caller a = {.rig = rig, .name = 1}, b = {.rig = rig, .name = 2};

	arm(&a, INT64_MIN);
	arm(&b, INT64_MAX);
	loop_fire(rig->loop);
	assert_int_equal(rig->n, 1);
	assert_int_equal(rig->order[0], 1);
	assert_true(timer_armed(&b.timer));
}

static struct caller *victim;

static void cancel_the_victim(void *arg)
{
	struct caller *c = arg;

	timer_cancel(c->rig->loop, &victim->timer);
}

static void callback_may_cancel_another_due_timer(void **state)
{
	struct rig *rig = *state;
	struct caller a = {.rig = rig, .name = 1, .then = cancel_the_victim};
	struct caller b = {.rig = rig, .name = 2};

	victim = &b;
	arm(&a, 10);
	arm(&b, 11);
	advance(rig, 20);
	assert_int_equal(rig->n, 1);
	assert_false(timer_armed(&b.timer));
}

static void free_it(void *arg)
{
	free(arg);
}

static void callback_may_free_its_own_timer(void **state)
{
	struct rig *rig = *state;
	struct caller *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	*a = (struct caller){.rig = rig, .then = free_it};
	arm(a, 10);
	advance(rig, 10);
	assert_int_equal(rig->n, 1);
}

struct many {
	struct timer timer;
	mono_ms due;
	struct crowd *crowd;
};

struct crowd {
	mono_ms last;
	int fired;
};

static void crowd_fires(void *arg)
{
	struct many *m = arg;

	assert_true(m->due <= clock_mono());
	assert_true(m->due >= m->crowd->last);
	m->crowd->last = m->due;
	m->crowd->fired++;
}

/* Random setting, moving and cancelling against a plain count. */
static void thousands_of_timers_stay_in_order(void **state)
{
	enum { MANY = 10000 };
	static struct many all[MANY];
	struct rig *rig = *state;
	struct crowd crowd = {0};
	int armed = 0;

	memset(all, 0, sizeof(all));
	for (int round = 0; round < 3 * MANY; round++) {
		struct many *m = &all[rand_below(MANY)];
		int64_t ms = rand_below(100000);

		if (rand_below(4) == 0) {
			timer_cancel(rig->loop, &m->timer);
			continue;
		}
		m->crowd = &crowd;
		m->due = clock_mono() + ms;
		timer_set(rig->loop, &m->timer, ms, crowd_fires, m);
	}
	for (int i = 0; i < MANY; i++)
		armed += timer_armed(&all[i].timer);
	for (int i = 0; i < 1000; i++)
		advance(rig, 100);
	assert_true(armed > MANY / 2);
	assert_int_equal(crowd.fired, armed);
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

/* The only test that lets real time pass: it checks the wake-up, not when. */
static void running_loop_wakes_for_its_timers(void **state)
{
	struct rig *rig = *state;
	struct caller a = {.rig = rig}, b = {.rig = rig};
	struct timer end = {0};
	uint64_t start;

	clock_thaw();
	start = clock_mono_us();
	arm(&a, 5);
	arm(&b, 3);
	timer_set(rig->loop, &end, 10, stop_loop, rig->loop);
	timer_cancel(rig->loop, &b.timer);
	loop_run(rig->loop);
	assert_int_equal(rig->n, 1);
	assert_true(clock_mono_us() - start >= 10000);
}

/* ---- work ---------------------------------------------------------------- */

static void posted_work_runs_in_order(void **state)
{
	struct rig *rig = *state;
	struct caller c[5];

	for (int i = 0; i < 5; i++) {
		c[i] = (struct caller){.rig = rig, .name = i};
		assert_int_equal(loop_post(rig->loop, note, &c[i]), 0);
	}
	assert_int_equal(rig->n, 0);
	loop_step(rig->loop, 0);
	assert_int_equal(rig->n, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(rig->order[i], i);
}

enum { POSTS = 20000, POSTERS = 3 };

struct poster {
	struct loop *loop;
	int done, *all_done; /* touched on the loop's thread only */
};

static void count_post(void *arg)
{
	struct poster *p = arg;

	if (++p->done == POSTS && ++*p->all_done == POSTERS)
		loop_stop(p->loop);
}

static void *post_many(void *arg)
{
	struct poster *p = arg;

	for (int i = 0; i < POSTS; i++)
		loop_post(p->loop, count_post, p);
	return NULL;
}

static void posts_of_many_threads_all_arrive(void **state)
{
	struct rig *rig = *state;
	struct poster posters[POSTERS];
	pthread_t threads[POSTERS];
	int all_done = 0;

	for (int i = 0; i < POSTERS; i++) {
		posters[i] = (struct poster){rig->loop, 0, &all_done};
		pthread_create(&threads[i], NULL, post_many, &posters[i]);
	}
	loop_run(rig->loop);
	for (int i = 0; i < POSTERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(posters[i].done, POSTS);
	}
}

static void defer_myself(void *arg)
{
	struct caller *c = arg;

	c->then = NULL;
	loop_defer(c->rig->loop, note, c);
	assert_int_equal(c->rig->n, 1); /* not yet */
}

static void deferred_work_runs_after_the_callback(void **state)
{
	struct rig *rig = *state;
	struct caller a = {.rig = rig, .then = defer_myself};

	loop_post(rig->loop, note, &a);
	loop_step(rig->loop, 0);
	assert_int_equal(rig->n, 2);
}

static void deferred_work_that_was_taken_back_does_not_run(void **state)
{
	struct rig *rig = *state;
	struct caller a = {.rig = rig}, b = {.rig = rig};

	loop_defer(rig->loop, note, &a);
	loop_defer(rig->loop, note, &b);
	loop_defer(rig->loop, note, &a);
	loop_forget(rig->loop, note, &a);
	loop_step(rig->loop, 0);
	assert_int_equal(rig->n, 1);
	/* The list is whole: more can be deferred. */
	loop_defer(rig->loop, note, &a);
	loop_forget(rig->loop, note, &a);
	loop_defer(rig->loop, note, &b);
	loop_step(rig->loop, 0);
	assert_int_equal(rig->n, 2);
}

static void deferred_work_may_defer_more(void **state)
{
	struct rig *rig = *state;
	struct caller a = {.rig = rig, .then = defer_myself};

	assert_int_equal(loop_defer(rig->loop, note, &a), 0);
	loop_step(rig->loop, 0);
	assert_int_equal(rig->n, 1);
	loop_step(rig->loop, 60000); /* does not sleep over it */
	assert_int_equal(rig->n, 2);
}

static void destroying_the_loop_runs_the_deferred_and_drops_posts(void **state)
{
	struct rig *rig = *state;
	struct caller a = {.rig = rig, .name = 1}, b = {.rig = rig, .name = 2};

	loop_defer(rig->loop, note, &a);
	loop_post(rig->loop, note, &b);
	loop_destroy(rig->loop);
	rig->loop = NULL;
	assert_int_equal(rig->n, 1);
	assert_int_equal(rig->order[0], 1);
}

static void stop_before_run_is_not_forgotten(void **state)
{
	struct rig *rig = *state;

	loop_stop(rig->loop);
	loop_run(rig->loop);
	loop_stop(rig->loop); /* and works a second time */
	loop_run(rig->loop);
}

static struct loop *signalled;

static void on_signal(int sig)
{
	loop_stop(signalled);
}

static void raise_it(void *arg)
{
	raise(SIGUSR1);
}

static void signal_handler_may_stop_the_loop(void **state)
{
	struct rig *rig = *state;
	struct sigaction act = {.sa_handler = on_signal}, old;

	signalled = rig->loop;
	sigaction(SIGUSR1, &act, &old);
	loop_post(rig->loop, raise_it, NULL);
	loop_run(rig->loop);
	sigaction(SIGUSR1, &old, NULL);
}

/* ---- descriptors --------------------------------------------------------- */

struct watch {
	struct loop_fd *h;
	unsigned events;
	int fd, calls;
	bool remove;
};

static void seen(void *arg, int fd, unsigned events)
{
	struct watch *w = arg;

	w->fd = fd;
	w->events = events;
	w->calls++;
	if (w->remove) {
		loop_fd_remove(w->h);
		w->h = NULL;
	}
}

static void step(struct rig *rig)
{
	/* The library serves few events per turn. */
	for (int i = 0; i < 8; i++)
		loop_step(rig->loop, 0);
}

static void readable_descriptor_calls_back(void **state)
{
	struct rig *rig = *state;
	struct watch w = {0};
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(
		loop_fd_add(rig->loop, &w.h, fds[0], LOOP_IN, seen, &w), 0);
	step(rig);
	assert_int_equal(w.calls, 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	step(rig);
	assert_true(w.calls > 0);
	assert_int_equal(w.fd, fds[0]);
	assert_int_equal(w.events, LOOP_IN);
	loop_fd_remove(w.h);
	w.calls = 0;
	step(rig);
	assert_int_equal(w.calls, 0);
	close(fds[0]);
	close(fds[1]);
}

static void closed_peer_is_an_error_event(void **state)
{
	struct rig *rig = *state;
	struct watch w = {.remove = true};
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(
		loop_fd_add(rig->loop, &w.h, fds[0], LOOP_IN, seen, &w), 0);
	close(fds[1]);
	step(rig);
	assert_int_equal(w.calls, 1);
	assert_true(w.events & LOOP_ERR);
	close(fds[0]);
}

static void callback_may_remove_its_own_descriptor(void **state)
{
	struct rig *rig = *state;
	struct watch w[2] = {{.remove = true}, {.remove = true}};
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(loop_fd_add(rig->loop, &w[i].h, fds[i],
					     LOOP_OUT, seen, &w[i]),
				 0);
	step(rig);
	assert_int_equal(w[0].calls, 1);
	assert_int_equal(w[1].calls, 1);
	close(fds[0]);
	close(fds[1]);
}

static void descriptor_that_is_none_is_refused(void **state)
{
	struct rig *rig = *state;
	struct loop_fd *h = NULL;

	assert_int_equal(loop_fd_add(rig->loop, &h, 9999, LOOP_IN, seen, NULL),
			 -EBADF);
	assert_null(h);
	loop_fd_remove(NULL);
}

#define with_loop(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_loop(timer_calls_back_once_and_never_early),
		with_loop(timers_call_back_in_the_order_of_their_due_times),
		with_loop(cancelled_timer_is_silent),
		with_loop(setting_an_armed_timer_moves_it),
		with_loop(timer_that_rearms_at_zero_does_not_hold_the_loop),
		with_loop(negative_time_is_now_and_endless_time_does_not_wrap),
		with_loop(callback_may_cancel_another_due_timer),
		with_loop(callback_may_free_its_own_timer),
		with_loop(thousands_of_timers_stay_in_order),
		with_loop(running_loop_wakes_for_its_timers),
		with_loop(posted_work_runs_in_order),
		with_loop(posts_of_many_threads_all_arrive),
		with_loop(deferred_work_runs_after_the_callback),
		with_loop(deferred_work_that_was_taken_back_does_not_run),
		with_loop(deferred_work_may_defer_more),
		with_loop(
			destroying_the_loop_runs_the_deferred_and_drops_posts),
		with_loop(stop_before_run_is_not_forgotten),
		with_loop(signal_handler_may_stop_the_loop),
		with_loop(readable_descriptor_calls_back),
		with_loop(closed_peer_is_an_error_event),
		with_loop(callback_may_remove_its_own_descriptor),
		with_loop(descriptor_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
