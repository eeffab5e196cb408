/*
 * worker.c - threads, epoll, batches: how packets come and go
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   epoll_wait (up to 64 sockets that have something)
 *      for each: one recvfrom -> path_walk() -> one sendto
 *      then, when the control thread has knocked: wishes, then closing
 *
 * One packet per socket and turn, whatever waits there: a flood at one port
 * takes its turn like every call.  Level-triggered, so that no second read is
 * needed to find a socket empty.  A stream is let go of only between batches,
 * when no event of it is left unread.
 *
 * When packets come thick, each would cost a sleep and a wake-up of its own,
 * more than a quarter of its price.  So the thread then naps for a moment and
 * finds several; a packet waits some 40 us longer, which nobody can hear.  A
 * worker with few calls does not nap, and neither does one that finds enough
 * to do without.
 *
 * The only file of the room that knows threads.
 */
#include "media/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "core/loop.h"
#include "media/session.h"

enum {
	BATCH = 64,
	PACKET_BYTES = 8192, /* more is no media */
	STACK_BYTES = 256 * 1024,
	NAP_US = 40,
	NAP_SLACK_NS = 1000, /* the kernel's 50 us would be a long nap */
	THICK_US = 100,      /* batches closer than this */
	ENOUGH = 8,          /* packets of a batch that need no nap */
};

typedef _Atomic(struct media_stream *) stream_chain;

struct worker {
	int epoll, knock; /* @knock: eventfd, something is in a list */
	pthread_t thread;
	bool is_running;
	struct loop *loop; /* the control thread's, or NULL */
	bool is_knock_due; /* at the end of the loop's turn */
	atomic_bool stop;
	stream_chain wishes, closing, released;
	uint8_t packet[PACKET_BYTES];
};

static void *run(void *arg);

static int start(struct worker *w, unsigned index)
{
	pthread_attr_t attr;
	sigset_t all, before;
	char name[16];
	int err;

	err = pthread_attr_init(&attr);
	if (err)
		return -err;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all); /* signals are for the control thread */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&w->thread, &attr, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (err)
		return -err;
	w->is_running = true;
	snprintf(name, sizeof(name), "media-%u", index);
	pthread_setname_np(w->thread, name);
	return 0;
}

/* The mark of the eventfd is NULL; a stream's is its address, the lowest bit
 * set for RTCP. */
static int watch(struct worker *w, int fd, struct media_stream *s, bool rtcp)
{
	struct epoll_event ev = {.events = EPOLLIN,
				 .data.u64 = (uintptr_t)s | rtcp};

	return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

int worker_create(struct worker **out, unsigned index, struct loop *loop)
{
	struct worker *w = calloc(1, sizeof(*w));
	int err = 0;

	if (!w)
		return -ENOMEM;
	w->loop = loop;
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->knock = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->epoll < 0 || w->knock < 0)
		err = -errno;
	if (!err)
		err = watch(w, w->knock, NULL, false);
	if (!err)
		err = start(w, index);
	if (err) {
		worker_destroy(w);
		return err;
	}
	*out = w;
	return 0;
}

static void knock_now(void *arg)
{
	struct worker *w = arg;
	uint64_t one = 1;

	w->is_knock_due = false;
	/* Full means that a knock is already waiting. */
	if (write(w->knock, &one, sizeof(one)) < 0)
		return;
}

/* Setting up a call changes its streams several times: one knock at the end
 * of the loop's turn stands for all, as waking a thread is the dear part. */
static void knock(struct worker *w)
{
	if (w->is_knock_due)
		return;
	if (w->loop && !loop_defer(w->loop, knock_now, w))
		w->is_knock_due = true;
	else
		knock_now(w);
}

void worker_stop(struct worker *w)
{
	if (!w->is_running)
		return;
	atomic_store_explicit(&w->stop, true, memory_order_release);
	if (w->is_knock_due)
		loop_forget(w->loop, knock_now, w);
	knock_now(w);
	pthread_join(w->thread, NULL);
	w->is_running = false;
}

void worker_destroy(struct worker *w)
{
	if (!w)
		return;
	worker_stop(w);
	if (w->epoll >= 0)
		close(w->epoll);
	if (w->knock >= 0)
		close(w->knock);
	free(w);
}

int worker_watch(struct worker *w, struct media_stream *s)
{
	int err = watch(w, s->fd[0], s, false);

	return err ? err : watch(w, s->fd[1], s, true);
}

/* Put @s before the first of @chain; true when the chain was empty. */
static bool push(stream_chain *chain, struct media_stream *s,
		 struct media_stream **next)
{
	struct media_stream *first =
		atomic_load_explicit(chain, memory_order_relaxed);

	do {
		*next = first;
	} while (!atomic_compare_exchange_weak_explicit(
		chain, &first, s, memory_order_acq_rel, memory_order_relaxed));
	return !first;
}

static struct media_stream *take_all(stream_chain *chain)
{
	return atomic_exchange_explicit(chain, NULL, memory_order_acq_rel);
}

void worker_wish(struct worker *w, struct media_stream *s)
{
	if (atomic_exchange_explicit(&s->is_posted, true, memory_order_acq_rel))
		return; /* stands in the list, the newest wish will be read */
	if (push(&w->wishes, s, &s->next_wish))
		knock(w);
}

void worker_close(struct worker *w, struct media_stream *s)
{
	if (push(&w->closing, s, &s->next_closing))
		knock(w);
}

struct media_stream *worker_released(struct worker *w)
{
	return take_all(&w->released);
}

/* ---- on the worker's own thread ------------------------------------------ */

static void fulfil(struct media_stream *s)
{
	const struct stream_wish *wish = wish_box_take(&s->box);

	if (!wish)
		return;
	if (wish->has_remote)
		path_remote(&s->path, &wish->remote);
	path_bridge(&s->path, wish->partner ? &wish->partner->path : NULL);
}

/*
 * Whoever closes a stream has made its wishes before.  So with the closing
 * list read first, the list of wishes holds all that concerns those streams,
 * and afterwards nothing points to them.
 */
static void obey(struct worker *w)
{
	struct media_stream *closing, *wishes, *next;
	uint64_t ignored;

	if (read(w->knock, &ignored, sizeof(ignored)) < 0 && errno != EAGAIN)
		return;
	closing = take_all(&w->closing);
	wishes = take_all(&w->wishes);
	for (struct media_stream *s = wishes; s; s = next) {
		next = s->next_wish;
		atomic_store_explicit(&s->is_posted, false,
				      memory_order_release);
		fulfil(s);
	}
	for (struct media_stream *s = closing; s; s = next) {
		next = s->next_closing;
		path_bridge(&s->path, NULL);
		stream_close_sockets(s);
		push(&w->released, s, &s->next_closing);
	}
}

static void relay_one(struct worker *w, uintptr_t mark, mono_ms now)
{
	struct media_stream *s = (struct media_stream *)(mark & ~(uintptr_t)1);
	struct path_packet pkt = {
		.bytes = w->packet, .now = now, .on_rtcp_port = mark & 1};
	socklen_t len = sizeof(pkt.from);
	struct path_hop hop;
	struct media_stream *out;
	ssize_t n;

	n = recvfrom(s->fd[mark & 1], w->packet, PACKET_BYTES, MSG_TRUNC,
		     &pkt.from.sa, &len);
	if (n < 0)
		return;
	pkt.n = n <= PACKET_BYTES ? (size_t)n : 0; /* cut off: malformed */
	if (!path_walk(&s->path, &pkt, &hop))
		return;
	out = container_of(hop.out, struct media_stream, path);
	if (sendto(out->fd[hop.from_rtcp_port], w->packet, pkt.n, 0,
		   &hop.to->sa, addr_len(hop.to)) == n)
		path_sent(&hop, pkt.n);
}

static void nap(void)
{
	const struct timespec t = {.tv_nsec = NAP_US * 1000};

	nanosleep(&t, NULL);
}

static void *run(void *arg)
{
	struct worker *w = arg;
	struct epoll_event events[BATCH];
	uint64_t now_us, last_us = 0;

	prctl(PR_SET_TIMERSLACK, NAP_SLACK_NS);
	while (!atomic_load_explicit(&w->stop, memory_order_acquire)) {
		int n = epoll_wait(w->epoll, events, BATCH, -1);
		bool has_knocked = false;

		now_us = clock_mono_us();
		for (int i = 0; i < n; i++) {
			if (events[i].data.u64)
				relay_one(w, events[i].data.u64,
					  (mono_ms)(now_us / 1000));
			else
				has_knocked = true;
		}
		if (has_knocked)
			obey(w);
		if (n == has_knocked)
			continue; /* says nothing about the packets */
		if (n < ENOUGH && now_us - last_us < THICK_US)
			nap();
		last_us = now_us;
	}
	obey(w);
	return NULL;
}
