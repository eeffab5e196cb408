/*
 * loop.c - the event loop of the SIP thread
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   one turn:  su_root_step()  the library's timers and transports, our fds,
 *                              what other threads posted
 *              loop_fire()     our timers that are due
 *              reaper          what was deferred meanwhile
 *
 * All our timers sit in one binary heap; a timerfd stands at the earliest.
 * Not a su_timer, because the library rounds its poll time-out down and would
 * spin through the last part of each millisecond, and because its clock can
 * be set.  The timerfd is not moved when its timer is cancelled: one empty
 * wake-up later is cheaper than a system call per cancelled timer.
 */
#include "core/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct loop_fd;
#define SU_ROOT_MAGIC_T struct loop
#define SU_WAKEUP_ARG_T struct loop_fd
#include <sofia-sip/su.h>
#include <sofia-sip/su_wait.h>

#include "core/log.h"

enum {
	/* Address space only; a page is used when the heap grows into it, so
	 * that timer_set() can not fail. */
	TIMERS_MAX = 1 << 20,
	IDLE_MS = 15000, /* longest sleep when nothing is due */
};

static const mono_ms NEVER = INT64_MAX;

struct work {
	struct work *next;
	loop_fn fn;
	void *arg;
};

struct loop {
	su_root_t *root;
	bool su_ready;
	struct timer **heap; /* heap[0] is the earliest */
	unsigned n_timers;
	int timer_fd, wake_fd;
	mono_ms timer_fd_due; /* NEVER when it is not armed */
	struct loop_fd *timer_handle, *wake_handle;
	_Atomic(struct work *) posted; /* newest first */
	struct work *deferred, **deferred_end;
	bool is_after_wait; /* this turn has slept: what is deferred runs at its
			       end without a wake-up */
	atomic_bool stop;
};

struct loop_fd {
	struct loop *loop;
	int index; /* the library's, 0 = not registered */
	int fd;
	loop_fd_fn fn;
	void *arg;
};

/* ---- heap of timers ------------------------------------------------------ */

static void heap_place(struct loop *loop, unsigned at, struct timer *t)
{
	loop->heap[at] = t;
	t->slot = at + 1;
}

static void heap_up(struct loop *loop, unsigned at, struct timer *t)
{
	while (at) {
		unsigned parent = (at - 1) / 2;

		if (loop->heap[parent]->due <= t->due)
			break;
		heap_place(loop, at, loop->heap[parent]);
		at = parent;
	}
	heap_place(loop, at, t);
}

static void heap_down(struct loop *loop, unsigned at, struct timer *t)
{
	for (;;) {
		unsigned child = 2 * at + 1;

		if (child >= loop->n_timers)
			break;
		if (child + 1 < loop->n_timers &&
		    loop->heap[child + 1]->due < loop->heap[child]->due)
			child++;
		if (loop->heap[child]->due >= t->due)
			break;
		heap_place(loop, at, loop->heap[child]);
		at = child;
	}
	heap_place(loop, at, t);
}

static void heap_remove(struct loop *loop, struct timer *t)
{
	unsigned at = t->slot - 1;
	struct timer *last = loop->heap[--loop->n_timers];

	t->slot = 0;
	if (last == t)
		return;
	if (at && loop->heap[(at - 1) / 2]->due > last->due)
		heap_up(loop, at, last);
	else
		heap_down(loop, at, last);
}

/* Make the kernel wake us for the earliest timer.  Relative times, so that a
 * frozen clock in a test means a long sleep and never a spin. */
static void arm_timer_fd(struct loop *loop)
{
	struct itimerspec when = {0};
	mono_ms due = loop->n_timers ? loop->heap[0]->due : NEVER;
	int64_t us;

	if (due >= loop->timer_fd_due)
		return; /* it wakes us early enough */
	us = due * 1000 - (int64_t)clock_mono_us();
	when.it_value.tv_sec = us > 0 ? us / 1000000 : 0;
	when.it_value.tv_nsec = us > 0 ? us % 1000000 * 1000 : 1;
	timerfd_settime(loop->timer_fd, 0, &when, NULL);
	loop->timer_fd_due = due;
}

void timer_set(struct loop *loop, struct timer *t, int64_t ms, loop_fn fn,
	       void *arg)
{
	const int64_t far = INT64_C(1000) * 86400 * 366 * 100;
	/* Rounded up: the present millisecond has begun already. */
	mono_ms now = (mono_ms)((clock_mono_us() + 999) / 1000);

	timer_cancel(loop, t);
	if (loop->n_timers == TIMERS_MAX) {
		log_error("loop.timers_full", kv_i("max", TIMERS_MAX));
		abort(); /* far above what the limits of the rooms allow */
	}
	t->due = now + (ms < 0 ? 0 : ms > far ? far : ms);
	t->fn = fn;
	t->arg = arg;
	heap_up(loop, loop->n_timers++, t);
	arm_timer_fd(loop);
}

void timer_cancel(struct loop *loop, struct timer *t)
{
	if (t->slot)
		heap_remove(loop, t);
}

bool timer_armed(const struct timer *t)
{
	return t->slot != 0;
}

void loop_fire(struct loop *loop)
{
	mono_ms now = clock_mono();
	/* Bounded, so that timers which re-arm at 0 ms cannot hold the loop. */
	unsigned most = loop->n_timers;

	while (most-- && loop->n_timers && loop->heap[0]->due <= now) {
		struct timer *t = loop->heap[0];

		heap_remove(loop, t);
		t->fn(t->arg); /* may free @t */
	}
	arm_timer_fd(loop);
}

static void timer_fd_ready(void *arg, int fd, unsigned events)
{
	struct loop *loop = arg;
	uint64_t expirations;

	if (read(fd, &expirations, sizeof(expirations)) < 0)
		return;
	loop->timer_fd_due = NEVER; /* loop_fire() of this turn arms it */
}

/* ---- work from other threads and from ourselves -------------------------- */

static struct work *work_new(loop_fn fn, void *arg)
{
	struct work *w = malloc(sizeof(*w));

	if (w)
		*w = (struct work){NULL, fn, arg};
	return w;
}

static void work_drop(struct work *w)
{
	while (w) {
		struct work *next = w->next;

		free(w);
		w = next;
	}
}

static void wake(struct loop *loop)
{
	uint64_t one = 1;
	/* Fails only when the counter is full: then it is awake anyway. */
	ssize_t rc = write(loop->wake_fd, &one, sizeof(one));

	(void)rc;
}

int loop_post(struct loop *loop, loop_fn fn, void *arg)
{
	struct work *w = work_new(fn, arg);

	if (!w)
		return -ENOMEM;
	w->next = atomic_load_explicit(&loop->posted, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&loop->posted, &w->next,
						      w, memory_order_release,
						      memory_order_relaxed))
		;
	wake(loop);
	return 0;
}

static struct work *reverse(struct work *w)
{
	struct work *out = NULL;

	while (w) {
		struct work *next = w->next;

		w->next = out;
		out = w;
		w = next;
	}
	return out;
}

static void run_work(struct work *w)
{
	while (w) {
		struct work *next = w->next;

		w->fn(w->arg);
		free(w);
		w = next;
	}
}

static void wake_fd_ready(void *arg, int fd, unsigned events)
{
	struct loop *loop = arg;
	uint64_t count;

	/* Empty the counter first: a post that comes later wakes us again. */
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	run_work(reverse(atomic_exchange_explicit(&loop->posted, NULL,
						  memory_order_acquire)));
}

void loop_woke(struct loop *loop)
{
	loop->is_after_wait = true;
}

int loop_defer(struct loop *loop, loop_fn fn, void *arg)
{
	struct work *w = work_new(fn, arg);

	if (!w)
		return -ENOMEM;
	/* A timer of the library may call us just before the turn sleeps. */
	if (!loop->deferred && !loop->is_after_wait)
		wake(loop);
	*loop->deferred_end = w;
	loop->deferred_end = &w->next;
	return 0;
}

void loop_forget(struct loop *loop, loop_fn fn, void *arg)
{
	struct work **at = &loop->deferred;

	while (*at) {
		struct work *w = *at;

		if (w->fn == fn && w->arg == arg) {
			*at = w->next;
			free(w);
		} else {
			at = &w->next;
		}
	}
	loop->deferred_end = at;
}

static struct work *take_deferred(struct loop *loop)
{
	struct work *w = loop->deferred;

	loop->deferred = NULL;
	loop->deferred_end = &loop->deferred;
	return w;
}

/* ---- descriptors --------------------------------------------------------- */

static int fd_ready(struct loop *loop, su_wait_t *w, struct loop_fd *h)
{
	unsigned events = 0;

	loop_woke(loop);
	if (w->revents & SU_WAIT_IN)
		events |= LOOP_IN;
	if (w->revents & SU_WAIT_OUT)
		events |= LOOP_OUT;
	if (w->revents & (SU_WAIT_ERR | SU_WAIT_HUP))
		events |= LOOP_ERR;
	h->fn(h->arg, h->fd, events); /* may free @h */
	return 0;
}

int loop_fd_add(struct loop *loop, struct loop_fd **out, int fd,
		unsigned events, loop_fd_fn fn, void *arg)
{
	int mask = (events & LOOP_IN ? SU_WAIT_IN : 0) |
		   (events & LOOP_OUT ? SU_WAIT_OUT : 0);
	su_wait_t wait[1] = {SU_WAIT_INIT};
	struct loop_fd *h;
	int err;

	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	*h = (struct loop_fd){loop, 0, fd, fn, arg};
	errno = 0;
	if (!su_wait_create(wait, fd, mask))
		h->index = su_root_register(loop->root, wait, fd_ready, h,
					    su_pri_normal);
	if (h->index <= 0) {
		err = errno ? -errno : -EIO;
		free(h);
		return err;
	}
	*out = h;
	return 0;
}

void loop_fd_remove(struct loop_fd *h)
{
	if (!h)
		return;
	su_root_deregister(h->loop->root, h->index);
	free(h);
}

/* ---- life ---------------------------------------------------------------- */

static int open_fds(struct loop *loop)
{
	int err;

	loop->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (loop->timer_fd < 0)
		return -errno;
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->wake_fd < 0)
		return -errno;
	err = loop_fd_add(loop, &loop->timer_handle, loop->timer_fd, LOOP_IN,
			  timer_fd_ready, loop);
	if (err)
		return err;
	return loop_fd_add(loop, &loop->wake_handle, loop->wake_fd, LOOP_IN,
			   wake_fd_ready, loop);
}

int loop_create(struct loop **out)
{
	struct loop *loop;
	int err = -ENOMEM;

	loop = calloc(1, sizeof(*loop));
	if (!loop)
		return -ENOMEM;
	loop->timer_fd = loop->wake_fd = -1;
	loop->timer_fd_due = NEVER;
	loop->deferred_end = &loop->deferred;
	loop->heap = mmap(NULL, TIMERS_MAX * sizeof(loop->heap[0]),
			  PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (loop->heap == MAP_FAILED) {
		loop->heap = NULL;
		goto fail;
	}
	if (su_init() != 0)
		goto fail;
	loop->su_ready = true;
	loop->root = su_root_create(loop);
	if (!loop->root)
		goto fail;
	err = open_fds(loop);
	if (err)
		goto fail;
	*out = loop;
	return 0;
fail:
	loop_destroy(loop);
	return err;
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	/* The dying finish dying; what other threads posted is dropped, since
	 * those whom it concerns are gone by now. */
	while (loop->deferred)
		run_work(take_deferred(loop));
	work_drop(atomic_exchange(&loop->posted, NULL));
	loop_fd_remove(loop->timer_handle);
	loop_fd_remove(loop->wake_handle);
	if (loop->root)
		su_root_destroy(loop->root);
	if (loop->su_ready)
		su_deinit();
	if (loop->timer_fd >= 0)
		close(loop->timer_fd);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	if (loop->heap)
		munmap(loop->heap, TIMERS_MAX * sizeof(loop->heap[0]));
	free(loop);
}

void *loop_root(struct loop *loop)
{
	return loop->root;
}

void loop_step(struct loop *loop, int max_ms)
{
	/* Deferred before the first turn, or by a deferred function. */
	if (loop->deferred)
		max_ms = 0;
	loop->is_after_wait = false;
	su_root_step(loop->root, max_ms);
	loop->is_after_wait = true;
	loop_fire(loop);
	run_work(take_deferred(loop));
	loop->is_after_wait = false;
}

void loop_run(struct loop *loop)
{
	while (!atomic_load(&loop->stop))
		loop_step(loop, IDLE_MS);
	atomic_store(&loop->stop, false);
}

void loop_stop(struct loop *loop)
{
	int saved = errno;

	atomic_store(&loop->stop, true);
	wake(loop);
	errno = saved;
}
