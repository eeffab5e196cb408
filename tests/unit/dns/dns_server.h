/*
 * dns_server.h - a name server that the test itself plays, question by question
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_UNIT_DNS_SERVER_H
#define TESTS_UNIT_DNS_SERVER_H

#include "dns_packet.h"

#include "core/buf.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SERVER_PATIENCE_MS = 20000 };

struct server {
	int fd, tcp_fd; /* at the same port */
	struct addr addr;
	/* The question that came last. */
	uint8_t query[1024];
	size_t n;
	struct addr from;
	char name[DNS_NAME_BYTES];
	unsigned type;
};

static inline void server_open(struct server *s)
{
	socklen_t len = sizeof(s->addr.in);

	memset(s, 0, sizeof(*s));
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	s->tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(addr_parse(&s->addr, "127.0.0.1", 9, 0), 0);
	assert_int_equal(bind(s->tcp_fd, &s->addr.sa, len), 0);
	assert_int_equal(getsockname(s->tcp_fd, &s->addr.sa, &len), 0);
	assert_int_equal(bind(s->fd, &s->addr.sa, len), 0);
	assert_int_equal(listen(s->tcp_fd, 4), 0);
}

static inline void server_close(struct server *s)
{
	close(s->fd);
	close(s->tcp_fd);
}

static inline void server_await(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};

	assert_int_equal(poll(&p, 1, SERVER_PATIENCE_MS), 1);
}

static inline bool server_is_asked(const struct server *s)
{
	struct pollfd p = {s->fd, POLLIN, 0};

	return poll(&p, 1, 0) == 1;
}

static inline void server_read_query(struct server *s)
{
	struct cursor c = cursor_of(s->query, s->n);
	size_t at = 0;
	uint8_t n;

	cursor_take(&c, 12);
	while ((n = cursor_u8(&c)) != 0) {
		const uint8_t *label = cursor_take(&c, n);

		assert_non_null(label);
		at += (size_t)snprintf(s->name + at, sizeof(s->name) - at,
				       "%s%.*s", at ? "." : "", n, label);
	}
	s->type = cursor_u16(&c);
	assert_int_equal(cursor_u16(&c), 1);
	assert_false(c.bad);
}

/* Wait for the next question, which is to be this one. */
static inline void server_expect(struct server *s, const char *name,
				 unsigned type)
{
	socklen_t len = sizeof(s->from.in6);
	ssize_t n;

	server_await(s->fd);
	n = recvfrom(s->fd, s->query, sizeof(s->query), 0, &s->from.sa, &len);
	assert_true(n > 12);
	s->n = (size_t)n;
	server_read_query(s);
	assert_string_equal(s->name, name);
	assert_int_equal(s->type, type);
}

/* Put the number of the question into @p. */
static inline void server_number(const struct server *s, struct packet *p)
{
	memcpy(p->bytes, s->query, 2);
}

static inline void server_send(struct server *s, struct packet *p)
{
	server_number(s, p);
	assert_int_equal(sendto(s->fd, p->bytes, p->n, 0, &s->from.sa,
				addr_len(&s->from)),
			 p->n);
}

/* Nothing but @flags and, with @minimum, how long that is good. */
static inline void server_refuse(struct server *s, unsigned flags,
				 uint32_t minimum)
{
	struct packet p;

	pk_begin(&p, flags, s->name, s->type);
	if (minimum)
		pk_soa(&p, "example.com", minimum, minimum);
	server_send(s, &p);
}

static inline void server_address(struct server *s, const char *address,
				  uint32_t ttl)
{
	struct packet p;

	pk_begin(&p, PK_WELL, s->name, s->type);
	pk_address(&p, s->name, ttl, address);
	server_send(s, &p);
}

#endif
