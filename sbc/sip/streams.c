/*
 * streams.c - the connections that we accepted
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A peer has STREAM_MESSAGE_MS from the start of a message, or from connecting,
 * until it is complete.  The library's own time-out starts anew with each
 * byte, so that a byte now and then would hold a connection for ever.
 */
#include "sip/streams.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "core/limits.h"
#include "core/list.h"

enum {
	SPARE_FDS = 128, /* kept from peers: media, database, control */
	FD_TABLE = 65536,
};

struct stream {
	struct list link; /* in table.open */
	int fd;
	struct addr remote;
	mono_ms opened, heard, partial_since; /* 0 = no message under way */
	bool spoke;                           /* completed a message once */
};

static struct {
	struct stream **by_fd; /* FD_TABLE */
	struct list open;
	unsigned n, max;
	int now;
} table = {.now = -1};

static unsigned budget(void)
{
	struct rlimit lim;
	rlim_t max = LIMIT_TCP_CONNECTIONS;

	if (getrlimit(RLIMIT_NOFILE, &lim) || lim.rlim_cur == RLIM_INFINITY)
		return (unsigned)max;
	if (lim.rlim_cur <= 2 * SPARE_FDS)
		return (unsigned)lim.rlim_cur / 2;
	if (lim.rlim_cur - SPARE_FDS < max)
		max = lim.rlim_cur - SPARE_FDS;
	return (unsigned)max;
}

int streams_init(void)
{
	table.by_fd = calloc(FD_TABLE, sizeof(struct stream *));
	if (!table.by_fd)
		return -ENOMEM;
	list_init(&table.open);
	table.n = 0;
	table.max = budget();
	table.now = -1;
	return 0;
}

void streams_clear(void)
{
	while (!list_empty(&table.open))
		stream_drop(
			list_entry(table.open.next, struct stream, link)->fd);
	free(table.by_fd);
	table.by_fd = NULL;
}

static struct stream *by_fd(int fd)
{
	return fd >= 0 && fd < FD_TABLE ? table.by_fd[fd] : NULL;
}

static bool is_admitted(const struct addr *remote)
{
	unsigned same = 0;

	if (table.n >= table.max)
		return false;
	list_for_each (pos, &table.open) {
		struct stream *s = list_entry(pos, struct stream, link);

		if (addr_same_host(&s->remote, remote))
			same++;
	}
	return same < LIMIT_TCP_PER_SOURCE;
}

/* A phone that vanished without a word is found in some minutes. */
static void watch_peer(int fd)
{
	const int on = 1, idle_s = 60, interval_s = 20, probes = 4;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s,
		   sizeof(interval_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

int stream_add(int fd, const struct addr *remote)
{
	struct stream *s;

	if (fd >= FD_TABLE || !is_admitted(remote))
		return -EMFILE;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->fd = fd;
	s->remote = *remote;
	s->opened = s->heard = clock_mono();
	table.by_fd[fd] = s;
	list_append(&table.open, &s->link);
	table.n++;
	watch_peer(fd);
	return 0;
}

void stream_drop(int fd)
{
	struct stream *s = by_fd(fd);

	if (!s)
		return;
	list_remove(&s->link);
	table.by_fd[fd] = NULL;
	table.n--;
	if (table.now == fd)
		table.now = -1;
	free(s);
}

void stream_readable(int fd)
{
	struct stream *s = by_fd(fd);

	if (s)
		s->heard = clock_mono();
	table.now = s ? fd : -1;
}

void stream_began(int fd)
{
	struct stream *s = by_fd(fd);

	if (s && !s->partial_since)
		s->partial_since = clock_mono();
}

void stream_completed(int fd)
{
	struct stream *s = by_fd(fd);

	if (!s)
		return;
	s->spoke = true;
	s->partial_since = 0;
}

int stream_now(void)
{
	return table.now;
}

mono_ms stream_heard(int fd)
{
	struct stream *s = by_fd(fd);

	return s ? s->heard : 0;
}

unsigned streams_open(void)
{
	return table.n;
}

void streams_sweep(mono_ms now)
{
	list_for_each (pos, &table.open) {
		struct stream *s = list_entry(pos, struct stream, link);
		mono_ms since = s->spoke ? s->partial_since : s->opened;

		/* The library reads the end of the stream and closes. */
		if (since && now - since >= STREAM_MESSAGE_MS)
			shutdown(s->fd, SHUT_RDWR);
	}
}
