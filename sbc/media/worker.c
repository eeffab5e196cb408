/*
 * worker.c - threads, epoll, batches: how packets come and go
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   epoll_wait (up to 64 sockets that have something)
 *      for each: one recvfrom -> path_walk() -> one sendto
 *                ICMP errors, when there are any -> path_refused()
 *      then, when the control thread has knocked: wishes, then closing
 *      then, for streams that wait for their peer: path_pierce() -> sendto
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
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h> /* needs <time.h> */

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
	ERRORS_AT_ONCE = 8,
	QUOTE_BYTES = 64,
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
	struct list waiting; /* its own: streams, soonest pierce_at first */
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
	list_init(&w->waiting);
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

	if (wish && wish->has_remote)
		path_remote(&s->path, &wish->remote);
	if (wish)
		path_bridge(&s->path,
			    wish->partner ? &wish->partner->path : NULL);
	path_look_for_keys(&s->path);
}

/* All wait for the same time, so that who comes last is due last. */
static void wait_for_peer(struct worker *w, struct media_stream *s)
{
	list_remove(&s->waiting);
	if (!path_is_waiting(&s->path))
		return;
	s->pierce_at = clock_mono() + PATH_PIERCE_MS;
	list_append(&w->waiting, &s->waiting);
}

static void unwatch(struct worker *w, const struct media_stream *s)
{
	for (int i = 0; i < 2; i++) {
		if (s->fd[i] >= 0)
			epoll_ctl(w->epoll, EPOLL_CTL_DEL, s->fd[i], NULL);
	}
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
		/* An exchange: who still found it posted has written a wish
		 * that we are bound to see now. */
		(void)atomic_exchange_explicit(&s->is_posted, false,
					       memory_order_acq_rel);
		fulfil(s);
		wait_for_peer(w, s);
	}
	for (struct media_stream *s = closing; s; s = next) {
		next = s->next_closing;
		path_bridge(&s->path, NULL);
		list_remove(&s->waiting);
		/* media_stream_move(): they may live on at another worker. */
		unwatch(w, s);
		stream_close_sockets(s);
		push(&w->released, s, &s->next_closing);
	}
}

static struct media_stream *stream_of(uintptr_t mark)
{
	return (struct media_stream *)(mark & ~(uintptr_t)1);
}

static void send_on(const struct path_hop *hop, const uint8_t *bytes, size_t n)
{
	int fd = container_of(hop->out, struct media_stream, path)
			 ->fd[hop->from_rtcp_port];
	ssize_t sent = sendto(fd, bytes, n, 0, &hop->to->sa, addr_len(hop->to));

	/* An ICMP error of an earlier packet is told only once, here. */
	if (sent < 0 && errno != EAGAIN)
		sent = sendto(fd, bytes, n, 0, &hop->to->sa, addr_len(hop->to));
	if (sent == (ssize_t)n)
		path_sent(hop, n);
}

static void relay_one(struct worker *w, uintptr_t mark, mono_ms now)
{
	struct media_stream *s = stream_of(mark);
	struct path_packet pkt = {
		.bytes = w->packet, .now = now, .on_rtcp_port = mark & 1};
	socklen_t len = sizeof(pkt.from);
	struct path_hop hop;
	ssize_t n;

	n = recvfrom(s->fd[mark & 1], w->packet, PACKET_BYTES, MSG_TRUNC,
		     &pkt.from.sa, &len);
	if (n < 0)
		return;
	pkt.n = n <= PACKET_BYTES ? (size_t)n : 0; /* cut off: malformed */
	if (path_walk(&s->path, &pkt, &hop))
		send_on(&hop, w->packet, pkt.n);
}

static bool is_port_unreachable(const struct sock_extended_err *e)
{
	if (e->ee_origin == SO_EE_ORIGIN_ICMP)
		return e->ee_type == ICMP_DEST_UNREACH &&
		       e->ee_code == ICMP_PORT_UNREACH;
	return e->ee_origin == SO_EE_ORIGIN_ICMP6 &&
	       e->ee_type == ICMP6_DST_UNREACH &&
	       e->ee_code == ICMP6_DST_UNREACH_NOPORT;
}

static bool has_port_unreachable(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		bool is_error = (c->cmsg_level == IPPROTO_IP &&
				 c->cmsg_type == IP_RECVERR) ||
				(c->cmsg_level == IPPROTO_IPV6 &&
				 c->cmsg_type == IPV6_RECVERR);
		struct sock_extended_err e;

		if (!is_error)
			continue;
		memcpy(&e, CMSG_DATA(c), sizeof(e));
		return is_port_unreachable(&e);
	}
	return false;
}

/* Read one error; false when there is none left. */
static bool read_error(struct media_stream *s, mono_ms now)
{
	struct addr to = {0};
	char control[256];
	uint8_t quote[QUOTE_BYTES];
	struct iovec iov = {quote, sizeof(quote)};
	struct msghdr msg = {.msg_name = &to,
			     .msg_namelen = sizeof(to),
			     .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(s->fd[0], &msg, MSG_ERRQUEUE | MSG_DONTWAIT);

	if (n < 0)
		return false;
	if (has_port_unreachable(&msg))
		path_refused(&s->path, &to, quote, (size_t)n, now);
	return true;
}

/* Whoever floods us with errors gets his turn like every call. */
static void read_errors(uintptr_t mark, mono_ms now)
{
	for (int i = 0; i < ERRORS_AT_ONCE; i++) {
		if (!read_error(stream_of(mark), now))
			return;
	}
}

/* Send the fillers that are due. */
static void pierce(struct worker *w)
{
	mono_ms now = list_empty(&w->waiting) ? 0 : clock_mono();

	while (!list_empty(&w->waiting)) {
		struct media_stream *s = list_entry(
			w->waiting.next, struct media_stream, waiting);
		struct path_hop hop;
		size_t n;

		if (s->pierce_at > now)
			return;
		if (path_pierce(&s->path, w->packet, &n, &hop))
			send_on(&hop, w->packet, n);
		wait_for_peer(w, s);
	}
}

/* How long epoll_wait() may sleep: -1 = for ever. */
static int time_left(const struct worker *w)
{
	const struct media_stream *first =
		list_entry(w->waiting.next, const struct media_stream, waiting);
	mono_ms left;

	if (list_empty(&w->waiting))
		return -1;
	left = first->pierce_at - clock_mono();
	return left > 0 ? (int)left : 0;
}

/* False: it was the control thread that knocked. */
static bool serve(struct worker *w, const struct epoll_event *ev, mono_ms now)
{
	uintptr_t mark = ev->data.u64;

	if (!mark)
		return false;
	if (ev->events & EPOLLERR)
		read_errors(mark, now);
	if (ev->events & EPOLLIN)
		relay_one(w, mark, now);
	return true;
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
		int n = epoll_wait(w->epoll, events, BATCH, time_left(w));
		bool has_knocked = false;

		now_us = clock_mono_us();
		for (int i = 0; i < n; i++)
			has_knocked |=
				!serve(w, &events[i], (mono_ms)(now_us / 1000));
		if (has_knocked)
			obey(w);
		pierce(w);
		if (n == has_knocked)
			continue; /* says nothing about the packets */
		if (n < ENOUGH && now_us - last_us < THICK_US)
			nap();
		last_us = now_us;
	}
	obey(w);
	return NULL;
}
