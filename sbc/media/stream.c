/*
 * stream.c - control side of one m= line: open, change, bridge, close
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The control thread never touches s->path, which is the worker's; it says
 * what it wants in the wish box and reads the counters.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "media/session.h"
#include "media/worker.h"

enum {
	DSCP_EF = 46 << 2, /* RFC 3246, in the byte of TOS */
	SPEECH_MS = 500,   /* since the last packet: it has not stopped */
};

/* ---- the wish box -------------------------------------------------------- */

enum { WISH_SLOT = 3, WISH_FRESH = 4 };

void wish_box_init(struct wish_box *box)
{
	box->back = 0;
	box->middle = 1;
	box->front = 2;
}

void wish_box_write(struct wish_box *box, const struct stream_wish *wish)
{
	uint8_t old;

	box->slots[box->back] = *wish;
	old = atomic_exchange_explicit(&box->middle, box->back | WISH_FRESH,
				       memory_order_acq_rel);
	box->back = old & WISH_SLOT;
}

const struct stream_wish *wish_box_take(struct wish_box *box)
{
	uint8_t old = atomic_load_explicit(&box->middle, memory_order_relaxed);

	if (!(old & WISH_FRESH))
		return NULL;
	old = atomic_exchange_explicit(&box->middle, box->front,
				       memory_order_acq_rel);
	box->front = old & WISH_SLOT;
	return &box->slots[box->front];
}

static void post(struct media_stream *s)
{
	wish_box_write(&s->box, &s->wish);
	worker_wish(s->worker, s);
}

/* ---- sockets ------------------------------------------------------------- */

static int open_socket(int *out, int family)
{
	int tos = DSCP_EF, on = 1, err = 0;
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (family == AF_INET6) {
		err = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
				 sizeof(on));
		if (!err)
			err = setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos,
					 sizeof(tos));
	} else {
		err = setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	}
	if (err) {
		err = -errno;
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

/* Let ICMP errors queue up at the RTP socket (path_way.c).  Not at the RTCP
 * one: many a phone takes no RTCP at all, which means nothing. */
static int hear_of_errors(int fd, int family)
{
	int on = 1;
	int err = family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6,
						  IPV6_RECVERR, &on, sizeof(on))
				     : setsockopt(fd, IPPROTO_IP, IP_RECVERR,
						  &on, sizeof(on));

	return err ? -errno : 0;
}

static void close_socket(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int bind_socket(int fd, const struct addr *a)
{
	return bind(fd, &a->sa, addr_len(a)) ? -errno : 0;
}

/* Bind both sockets at @port; -EADDRINUSE leaves them unbound. */
static int bind_pair(struct media_stream *s, uint16_t port)
{
	int err;

	for (int i = 0; i < 2; i++)
		addr_set_port(&s->local[i], (uint16_t)(port + i));
	err = bind_socket(s->fd[0], &s->local[0]);
	if (err)
		return err;
	err = bind_socket(s->fd[1], &s->local[1]);
	if (err == -EADDRINUSE) { /* a bound socket cannot be bound again */
		int again;

		close_socket(&s->fd[0]);
		again = open_socket(&s->fd[0], addr_family(&s->local[0]));
		if (again)
			return again;
	}
	return err;
}

/* Take pairs until one can be bound.  Each free pair is tried once at most:
 * busy ones are handed out last. */
static int take_pair(struct media_stream *s)
{
	for (size_t left = ports_free(s->ports); left; left--) {
		mono_ms now = clock_mono();
		uint16_t port;
		int err = ports_take(s->ports, now, &port);

		if (err)
			return err;
		err = bind_pair(s, port);
		if (!err)
			return 0;
		if (err != -EADDRINUSE) {
			ports_rest(s->ports, port, now);
			return err;
		}
		ports_busy(s->ports, port, now);
	}
	return -EADDRNOTAVAIL;
}

void stream_close_sockets(struct media_stream *s)
{
	close_socket(&s->fd[0]);
	close_socket(&s->fd[1]);
}

void stream_free(struct media_stream *s)
{
	if (!s)
		return;
	stream_close_sockets(s);
	free(s);
}

/* ---- streams ------------------------------------------------------------- */

static int create(struct media_stream **out, struct media *m,
		  const struct media_stream_conf *conf)
{
	struct media_stream *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->media = m;
	s->worker_index = conf->worker % m->n_workers;
	s->worker = m->workers[s->worker_index];
	s->local[0] = s->local[1] = conf->local;
	s->fd[0] = s->fd[1] = -1;
	wish_box_init(&s->box);
	list_init(&s->waiting);
	list_init(&s->telling);
	s->latch_open = conf->latch_open;
	s->key = conf->key;
	s->key_arg = conf->key_arg;
	s->path.keys.has_told = media_has_key;
	path_open_latch(&s->path, conf->latch_open);
	err = media_ports(m, &s->ports, conf);
	for (int i = 0; i < 2 && !err; i++)
		err = open_socket(&s->fd[i], addr_family(&conf->local));
	if (err) {
		stream_free(s);
		return err;
	}
	*out = s;
	return 0;
}

int media_stream_open(struct media_stream **out, struct media *m,
		      const struct media_stream_conf *conf)
{
	struct media_stream *s;
	int err;

	media_collect(m);
	err = create(&s, m, conf);
	if (err)
		return err;
	err = take_pair(s);
	if (err) {
		stream_free(s);
		return err;
	}
	err = hear_of_errors(s->fd[0], addr_family(&s->local[0]));
	if (!err)
		err = hash_insert(&m->by_addr, &s->by_addr,
				  addr_hash(&s->local[0]));
	if (err)
		goto fail;
	err = worker_watch(s->worker, s);
	if (err)
		goto fail_watch;
	list_append(&m->streams, &s->link);
	m->loads[s->worker_index]++;
	*out = s;
	return 0;
fail_watch:
	hash_remove(&m->by_addr, &s->by_addr);
fail:
	worker_close(s->worker, s); /* it may know one of the sockets */
	return err;
}

void media_stream_close(struct media_stream *s)
{
	struct media *m;

	if (!s)
		return;
	m = s->media;
	media_collect(m); /* earlier ones; the worker needs time for this one */
	media_stream_bridge(s, NULL);
	list_remove(&s->link);
	list_remove(&s->telling);
	hash_remove(&m->by_addr, &s->by_addr);
	m->loads[s->worker_index]--;
	worker_close(s->worker, s);
}

const struct addr *media_stream_rtp(const struct media_stream *s)
{
	return &s->local[0];
}

const struct addr *media_stream_rtcp(const struct media_stream *s)
{
	return &s->local[1];
}

static void enlist(struct media_stream *s)
{
	list_remove(&s->telling);
	if (s->wish.remote.tells_keys)
		list_append(&s->media->telling, &s->telling);
}

void media_stream_remote(struct media_stream *s, const struct media_remote *r)
{
	s->wish.remote = *r;
	s->wish.has_remote = true;
	if (media_is_own(s->media, &r->rtp))
		s->wish.remote.rtp = (struct addr){0};
	if (media_is_own(s->media, &r->rtcp))
		s->wish.remote.rtcp = (struct addr){0};
	enlist(s);
	post(s);
}

static void let_go(struct media_stream *s)
{
	struct media_stream *partner = s->wish.partner;

	if (!partner)
		return;
	partner->wish.partner = NULL;
	s->wish.partner = NULL;
	post(partner);
	post(s);
}

void media_stream_bridge(struct media_stream *a, struct media_stream *b)
{
	if (a->wish.partner == b)
		return;
	let_go(a);
	if (!b)
		return;
	let_go(b);
	assert(a->worker == b->worker);
	a->wish.partner = b;
	b->wish.partner = a;
	post(a);
	post(b);
}

/* Does @s's partner speak, and is it relayed? */
static bool is_spoken_to(const struct media_stream *s)
{
	const struct media_stream *from = s->wish.partner;

	return from && from->wish.remote.receive && s->wish.remote.send &&
	       clock_mono() - atomic_load_explicit(&from->path.n.last_rtp,
						   memory_order_relaxed) <
		       SPEECH_MS;
}

int media_stream_press(struct media_stream *s, const struct media_key *key)
{
	const struct media_remote *r = &s->wish.remote;

	if (!r->events[0].rate || r->tells_keys)
		return -EOPNOTSUPP;
	if (!is_spoken_to(s))
		return -EAGAIN;
	if (!key_push(&s->path.keys.wanted, key))
		return -ENOSPC;
	worker_wish(s->worker, s);
	return 0;
}

void media_stream_stats(const struct media_stream *s, struct media_stats *out)
{
	const struct media_stats *was = &s->before;

	path_read_stats(&s->path, out);
	out->in_packets += was->in_packets;
	out->in_bytes += was->in_bytes;
	out->in_lost += was->in_lost;
	out->out_packets += was->out_packets;
	out->out_bytes += was->out_bytes;
	out->rtcp_in += was->rtcp_in;
	out->rtcp_out += was->rtcp_out;
	out->drop_stranger += was->drop_stranger;
	out->drop_malformed += was->drop_malformed;
	out->drop_payload_type += was->drop_payload_type;
	out->drop_unbridged += was->drop_unbridged;
	out->moves += was->moves;
	out->pierced += was->pierced;
	out->refused += was->refused;
	out->flips += was->flips;
	if (was->last_in > out->last_in)
		out->last_in = was->last_in;
	if (was->last_rtp > out->last_rtp)
		out->last_rtp = was->last_rtp;
}

/* ---- from one worker to another ------------------------------------------ */

/* A stream with the sockets of @old that nobody watches yet. */
static int create_like(struct media_stream **out,
		       const struct media_stream *old, unsigned worker)
{
	struct media_stream *s = calloc(1, sizeof(*s));
	int err = 0;

	if (!s)
		return -ENOMEM;
	s->media = old->media;
	s->worker_index = worker;
	s->worker = old->media->workers[worker];
	s->wish.remote = old->wish.remote;
	s->wish.has_remote = old->wish.has_remote;
	wish_box_init(&s->box);
	list_init(&s->waiting);
	list_init(&s->telling);
	s->latch_open = old->latch_open;
	s->key = old->key;
	s->key_arg = old->key_arg;
	s->path.keys.has_told = media_has_key;
	path_open_latch(&s->path, old->latch_open);
	for (int i = 0; i < 2; i++) {
		s->local[i] = old->local[i];
		s->fd[i] = fcntl(old->fd[i], F_DUPFD_CLOEXEC, 0);
		if (s->fd[i] < 0)
			err = -errno;
	}
	if (err) {
		stream_free(s);
		return err;
	}
	*out = s;
	return 0;
}

int media_stream_move(struct media_stream **stream, unsigned worker)
{
	struct media_stream *old = *stream, *s;
	struct media *m = old->media;
	int err;

	worker %= m->n_workers;
	if (old->worker_index == worker)
		return 0;
	err = create_like(&s, old, worker);
	if (err)
		return err;
	err = worker_watch(s->worker, s);
	if (err) {
		worker_close(s->worker, s); /* it may know one of the sockets */
		return err;
	}
	media_stream_stats(old, &s->before);
	s->ports = old->ports;
	old->ports = NULL;
	list_append(&m->streams, &s->link);
	hash_insert(&m->by_addr, &s->by_addr, addr_hash(&s->local[0]));
	m->loads[worker]++;
	media_stream_close(old);
	enlist(s);
	post(s);
	*stream = s;
	return 0;
}
