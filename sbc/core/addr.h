/*
 * addr.h - an IP address and port as a value: parse, print, compare, classify
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * IPv4-mapped IPv6 addresses are always stored as IPv4, so that one peer has
 * one spelling.  Never resolves a name.  Any thread.
 */
#ifndef SBC_CORE_ADDR_H
#define SBC_CORE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
};

enum addr_class {
	ADDR_NONE, /* no family set */
	ADDR_ANY,  /* 0.0.0.0 or :: */
	ADDR_LOOPBACK,
	ADDR_LINK_LOCAL,
	ADDR_MULTICAST, /* and the IPv4 limited broadcast */
	ADDR_PRIVATE,   /* RFC 1918, RFC 4193, 192.0.0.0/29 */
	ADDR_CGN,       /* 100.64.0.0/10, RFC 6598 */
	ADDR_GLOBAL,
};

#define ADDR_TEXT_MAX 64 /* "[v6%scope]:port" and NUL */

/*
 * Read a literal host ("192.0.2.1", "2001:db8::1", "[2001:db8::1]") of @len
 * bytes.  -EINVAL when it is not a literal; @out is then untouched.
 */
int addr_parse(struct addr *out, const char *host, size_t len, uint16_t port);
/* The same for a NUL-terminated "host:port" or "[v6]:port"; port required. */
int addr_parse_port(struct addr *out, const char *text);
/* The literal host and the port (5060 when absent) of a SIP URI as text.
 * -EINVAL: its host is a name. */
int addr_parse_uri(struct addr *out, const char *uri);
/* Take a socket address as the kernel gave it.  -EAFNOSUPPORT if not IP. */
int addr_from_sa(struct addr *out, const struct sockaddr *sa, socklen_t len);

/* "192.0.2.1:5060" or "[2001:db8::1]:5060"; returns @text. */
const char *addr_fmt(const struct addr *a, char text[ADDR_TEXT_MAX]);
/* The host alone, without brackets. */
const char *addr_fmt_host(const struct addr *a, char text[ADDR_TEXT_MAX]);
/* The host as a SIP URI wants it: IPv6 in brackets. */
const char *addr_fmt_uri(const struct addr *a, char text[ADDR_TEXT_MAX]);

bool addr_is_set(const struct addr *a);
bool addr_equal(const struct addr *a, const struct addr *b);     /* with port */
bool addr_same_host(const struct addr *a, const struct addr *b); /* without */
uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);
int addr_family(const struct addr *a); /* AF_INET, AF_INET6, AF_UNSPEC */
socklen_t addr_len(const struct addr *a);
enum addr_class addr_class(const struct addr *a);
/* Keyed hashes: a stranger cannot aim at one chain (core/hash.h). */
uint32_t addr_hash(const struct addr *a);
uint32_t addr_hash_host(const struct addr *a);

#endif
