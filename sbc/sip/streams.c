/*
 * streams.c - the connections that we accepted, and those that we made
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
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "core/limits.h"
#include "core/list.h"

enum {
	SPARE_FDS = 128, /* kept from peers: media, database, control */
	FD_TABLE = 65536,
	STREAM_BYTES_AT_ONCE = 16384,
	TAIL_BYTES = 2, /* a line end: what one message ends with at least */
	TAIL_BYTES_MAX = 64,
};

struct stream {
	struct list link; /* in table.open */
	int fd;
	struct addr remote;
	mono_ms opened, heard, partial_since; /* 0 = no message under way */
	bool spoke; /* completed a message once, or was made by us */
	bool made;
	uint32_t conn; /* its number in flow.c, 0 = none yet */
};

static struct {
	struct stream **by_fd; /* FD_TABLE */
	struct list open;
	unsigned n, max; /* accepted */
	int now, made;
} table = {.now = -1, .made = -1};

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
	table.now = table.made = -1;
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

		if (!s->made && addr_same_host(&s->remote, remote))
			same++;
	}
	return same < LIMIT_TCP_PER_SOURCE;
}

/* A peer that vanished without a word is found in seconds when something is
 * on its way to it, as a ping is, and in some minutes otherwise. */
static void watch_peer(int fd)
{
	const int on = 1, idle_s = 60, interval_s = 20, probes = 4;
	const unsigned unacked_ms = 20000;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s,
		   sizeof(interval_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms,
		   sizeof(unacked_ms));
}

static struct stream *stream_new(int fd)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fd = fd;
	s->opened = s->heard = clock_mono();
	table.by_fd[fd] = s;
	list_append(&table.open, &s->link);
	watch_peer(fd);
	return s;
}

int stream_add(int fd, const struct addr *remote)
{
	struct stream *s;

	if (fd >= FD_TABLE || !is_admitted(remote))
		return -EMFILE;
	s = stream_new(fd);
	if (!s)
		return -ENOMEM;
	s->remote = *remote;
	table.n++;
	return 0;
}

void stream_add_made(int fd)
{
	struct stream *s =
		fd < FD_TABLE && !table.by_fd[fd] ? stream_new(fd) : NULL;

	if (!s)
		return; /* then it can do without us */
	s->made = s->spoke = true;
	table.made = fd;
}

void stream_drop(int fd)
{
	struct stream *s = by_fd(fd);

	if (!s)
		return;
	list_remove(&s->link);
	table.by_fd[fd] = NULL;
	if (!s->made)
		table.n--;
	if (table.now == fd)
		table.now = -1;
	if (table.made == fd)
		table.made = -1;
	free(s);
}

int stream_take_made(void)
{
	int fd = table.made;

	table.made = -1;
	return fd;
}

bool stream_is_accepted(int fd)
{
	struct stream *s = by_fd(fd);

	return s && !s->made;
}

int stream_claim(int fd, uint32_t conn, const struct addr *remote)
{
	struct stream *s = by_fd(fd);

	if (!s)
		return -ENOENT;
	if (s->conn || (!s->made && !addr_equal(&s->remote, remote)))
		return -EBUSY;
	s->conn = conn;
	s->remote = *remote;
	return 0;
}

uint32_t stream_conn(int fd)
{
	struct stream *s = by_fd(fd);

	return s ? s->conn : 0;
}

void stream_readable(int fd)
{
	struct stream *s = by_fd(fd);

	if (s)
		s->heard = clock_mono();
	table.now = s ? fd : -1;
}

/* ---- reading -------------------------------------------------------------- */

/* The empty line at @at is the first one in a message that begins here. */
static bool is_end_of_headers(const struct stream *s, const char *p, size_t at)
{
	return !s->partial_since && memmem(p, at + 4, "\r\n\r\n", 4) == p + at;
}

/*
 * How many of @n bytes to hand over.  Line ends behind the last byte of a
 * message are a keepalive, but to the library they are the beginning of the
 * next message: it answers no ping any more, and cuts the connection when the
 * rest of that message does not come.  Where a body ends we do not know: so it
 * gets what stands before them, and then one after the other as it asks.
 */
static size_t portion(const struct stream *s, const char *p, size_t n)
{
	const char *line_end;
	size_t from = n;

	while (from && (p[from - 1] == '\r' || p[from - 1] == '\n'))
		from--;
	if (n - from < TAIL_BYTES)
		return n;
	if (from)
		return n - from >= 4 && is_end_of_headers(s, p, from) ? from + 4
								      : from;
	/* Nothing else: it can count them itself, and a flood of them is not
	 * worth a turn each. */
	if (!s->partial_since || n > TAIL_BYTES_MAX)
		return n;
	line_end = memchr(p, '\n', n);
	return line_end ? (size_t)(line_end - p) + 1 : n;
}

size_t stream_portion(int fd, size_t n)
{
	static char peeked[STREAM_BYTES_AT_ONCE];
	const struct stream *s = by_fd(fd);
	ssize_t got;

	if (n > sizeof(peeked))
		n = sizeof(peeked);
	got = s ? recv(fd, peeked, n, MSG_PEEK | MSG_DONTWAIT) : -1;
	return got > 0 ? portion(s, peeked, (size_t)got) : n;
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
