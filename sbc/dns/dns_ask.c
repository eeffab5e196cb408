/*
 * dns_ask.c - one question to the name servers, until one answers
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each server is asked in turn, and all of them once more.  Each try has a
 * socket of its own, so that its port is another one and is as hard to guess
 * as the number of the question.  What does not fit into a datagram is asked
 * for again by TCP (RFC 7766).
 *
 * This is not res_nquery(3): that cannot be told to stop.
 */
#include "dns/dns_ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "core/rand.h"

enum {
	ROUNDS = 2,
	DNS_PORT = 53,
	CONF_BYTES = 4096,
	/* Datagrams that are no answer to the question, in one try. */
	STRAY_MAX = 100,
};

/* One question on its way to one server. */
struct
try {
	struct dns_ask *ask;
	const char *name;
	enum dns_type type;
	uint16_t id;
	int fd;
	mono_ms until;
	uint8_t query[2 + DNS_QUERY_BYTES]; /* as TCP has it, length first */
	size_t n;                           /* without the length */
};

/* ---- who is asked ---------------------------------------------------------------- */

static struct str word(struct str *line)
{
	struct str s = str_trim(*line), first;
	size_t n = 0;

	while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t')
		n++;
	first = (struct str){s.p, n};
	*line = (struct str){s.p + n, s.n - n};
	return first;
}

void dns_servers_parse(struct dns_servers *out, struct str text)
{
	struct str line, host;

	out->n = 0;
	while (out->n < DNS_SERVERS && str_line(&text, &line)) {
		if (!str_eq_c(word(&line), "nameserver"))
			continue;
		host = word(&line);
		if (!addr_parse(&out->list[out->n], host.p, host.n, DNS_PORT))
			out->n++;
	}
	if (!out->n)
		addr_parse(&out->list[out->n++], "127.0.0.1", 9, DNS_PORT);
}

void dns_servers_load(struct dns_servers *out, const char *path)
{
	char text[CONF_BYTES];
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		n = read(fd, text, sizeof(text));
		close(fd);
	}
	dns_servers_parse(out, (struct str){text, n > 0 ? (size_t)n : 0});
}

/* ---- waiting ---------------------------------------------------------------------- */

/* Until the descriptor is ready; -ETIMEDOUT, -ECANCELED. */
static int await(const struct try *t, short events)
{
	struct pollfd fds[2] = {{t->fd, events, 0},
				{t->ask->stop_fd, POLLIN, 0}};
	int64_t left_ms = t->until - clock_mono();
	int n;

	do
		n = poll(fds, 2, left_ms > 0 ? (int)left_ms : 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (fds[1].revents)
		return -ECANCELED;
	return n ? 0 : -ETIMEDOUT;
}

static int open_socket(struct try *t, const struct addr *server, int kind)
{
	t->until = clock_mono() + t->ask->timeout_ms;
	if (t->until > t->ask->deadline)
		t->until = t->ask->deadline;
	t->fd = socket(addr_family(server), kind | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       0);
	if (t->fd < 0)
		return -errno;
	if (connect(t->fd, &server->sa, addr_len(server)) &&
	    errno != EINPROGRESS)
		return -errno;
	return 0;
}

/* ---- UDP -------------------------------------------------------------------------- */

static int read_answer(const struct try *t, struct dns_records *out, size_t n)
{
	return dns_wire_read(out, t->ask->bytes, n, t->id, t->name, t->type);
}

static int by_udp(struct try *t, const struct addr *server,
		  struct dns_records *out)
{
	int err = open_socket(t, server, SOCK_DGRAM);
	ssize_t n;

	if (err)
		return err;
	if (send(t->fd, t->query + 2, t->n, MSG_NOSIGNAL) < 0)
		return -errno;
	for (int strays = 0; strays < STRAY_MAX; strays++) {
		err = await(t, POLLIN);
		if (err)
			return err;
		n = recv(t->fd, t->ask->bytes, sizeof(t->ask->bytes), 0);
		if (n < 0 && errno != EAGAIN)
			return -errno;
		err = n < 0 ? -EBADMSG : read_answer(t, out, (size_t)n);
		if (err != -EBADMSG)
			return err;
	}
	return -EPROTO;
}

/* ---- TCP -------------------------------------------------------------------------- */

static int write_all(const struct try *t, const uint8_t *p, size_t n)
{
	while (n) {
		int err = await(t, POLLOUT);
		ssize_t sent;

		if (err)
			return err;
		sent = send(t->fd, p, n, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN)
			return -errno;
		if (sent > 0) {
			p += sent;
			n -= (size_t)sent;
		}
	}
	return 0;
}

static int read_all(const struct try *t, uint8_t *p, size_t n)
{
	while (n) {
		int err = await(t, POLLIN);
		ssize_t got;

		if (err)
			return err;
		got = recv(t->fd, p, n, 0);
		if (got == 0)
			return -ECONNRESET;
		if (got < 0 && errno != EAGAIN)
			return -errno;
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
	return 0;
}

static int by_tcp(struct try *t, const struct addr *server,
		  struct dns_records *out)
{
	uint8_t length[2];
	size_t n;
	int err = open_socket(t, server, SOCK_STREAM);

	if (!err)
		err = write_all(t, t->query, t->n + 2);
	if (!err)
		err = read_all(t, length, sizeof(length));
	if (err)
		return err;
	n = (size_t)length[0] << 8 | length[1];
	err = read_all(t, t->ask->bytes, n);
	return err ? err : read_answer(t, out, n);
}

/* ---- one question ------------------------------------------------------------------- */

/* Each try has a number of its own. */
static void number(struct try *t)
{
	t->id = (uint16_t)rand_u32();
	t->n = (size_t)dns_wire_ask(t->query + 2, t->id, t->name, t->type);
	t->query[0] = (uint8_t)(t->n >> 8);
	t->query[1] = (uint8_t)t->n;
}

static int try_one(struct try *t,
		   int (*by)(struct try *t, const struct addr *server,
			     struct dns_records *out),
		   const struct addr *server, struct dns_records *out)
{
	int err;

	t->fd = -1;
	number(t);
	err = by(t, server, out);
	if (t->fd >= 0)
		close(t->fd);
	return err;
}

/* As dns_asker.ask() may fail; what went wrong on the way is a failure of the
 * server's. */
static int plain_error(int err)
{
	return err == 0 || err == -ENOTSUP || err == -ETIMEDOUT ||
			       err == -ECANCELED
		       ? err
		       : -EIO;
}

static int ask_server(struct try *t, const struct addr *server,
		      struct dns_records *out)
{
	int err = try_one(t, by_udp, server, out);

	if (err == -EMSGSIZE)
		err = try_one(t, by_tcp, server, out);
	return plain_error(err);
}

int dns_ask(void *arg, struct dns_records *out, const char *name,
	    enum dns_type type)
{
	struct dns_ask *a = arg;
	struct try t = {.ask = a, .name = name, .type = type};
	int err = -EIO, worst = -ETIMEDOUT;

	if (!dns_name_is_valid(name) || !a->servers.n)
		return -EIO;
	for (unsigned i = 0; i < ROUNDS * a->servers.n; i++) {
		unsigned server = (a->first + i) % a->servers.n;

		if (clock_mono() >= a->deadline)
			return -ETIMEDOUT;
		err = ask_server(&t, &a->servers.list[server], out);
		if (!err || err == -ENOTSUP || err == -ECANCELED) {
			a->first = server;
			return err;
		}
		if (err == -EIO)
			worst = -EIO;
	}
	return worst;
}
