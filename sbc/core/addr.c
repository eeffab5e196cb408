/*
 * addr.c - an IP address and port as a value
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"

static void set_v4(struct addr *a, const void *bytes, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	a->in.sin_family = AF_INET;
	a->in.sin_port = htons(port);
	memcpy(&a->in.sin_addr, bytes, 4);
}

static void set_v6(struct addr *a, const struct in6_addr *ip, uint16_t port)
{
	if (IN6_IS_ADDR_V4MAPPED(ip)) {
		set_v4(a, ip->s6_addr + 12, port);
		return;
	}
	memset(a, 0, sizeof(*a));
	a->in6.sin6_family = AF_INET6;
	a->in6.sin6_port = htons(port);
	a->in6.sin6_addr = *ip;
}

/* Interface name or number after '%', RFC 4007 11.2. */
static int parse_scope(struct str s, uint32_t *out)
{
	char name[IF_NAMESIZE];
	uint64_t index;

	if (str_copy(name, sizeof(name), s))
		return -EINVAL;
	if (str_u64(s, UINT32_MAX, &index))
		index = if_nametoindex(name);
	if (!index)
		return -EINVAL;
	*out = (uint32_t)index;
	return 0;
}

static int parse_v6(struct addr *out, struct str s, uint16_t port)
{
	struct str host = str_cut(&s, '%');
	char text[INET6_ADDRSTRLEN];
	struct in6_addr ip;
	uint32_t scope = 0;

	if (str_copy(text, sizeof(text), host) ||
	    inet_pton(AF_INET6, text, &ip) != 1)
		return -EINVAL;
	if (s.p && (!IN6_IS_ADDR_LINKLOCAL(&ip) || parse_scope(s, &scope)))
		return -EINVAL;
	set_v6(out, &ip, port);
	if (scope)
		out->in6.sin6_scope_id = scope;
	return 0;
}

int addr_parse(struct addr *out, const char *host, size_t len, uint16_t port)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr ip;

	if (!len || memchr(host, '\0', len))
		return -EINVAL;
	if (host[0] == '[') {
		if (host[len - 1] != ']')
			return -EINVAL;
		return parse_v6(out, (struct str){host + 1, len - 2}, port);
	}
	if (memchr(host, ':', len))
		return parse_v6(out, (struct str){host, len}, port);
	if (str_copy(text, sizeof(text), (struct str){host, len}) ||
	    inet_pton(AF_INET, text, &ip) != 1)
		return -EINVAL;
	set_v4(out, &ip, port);
	return 0;
}

int addr_parse_port(struct addr *out, const char *text)
{
	const char *colon = strrchr(text, ':');
	uint64_t port;

	/* "2001:db8::1" has colons but no port. */
	if (!colon || str_u64(str_of(colon + 1), UINT16_MAX, &port) ||
	    (text[0] != '[' && strchr(text, ':') != colon))
		return -EINVAL;
	return addr_parse(out, text, (size_t)(colon - text), (uint16_t)port);
}

int addr_parse_uri(struct addr *out, const char *uri)
{
	const char *host = strchr(uri, '@');
	uint64_t port = 5060;
	struct str digits;
	size_t n;

	host = host ? host + 1 : strchr(uri, ':') ? strchr(uri, ':') + 1 : "";
	n = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":;?>");
	if (n > strlen(host))
		return -EINVAL;
	digits = (struct str){host + n + 1, 0};
	if (host[n] == ':') {
		digits.n = strspn(digits.p, "0123456789");
		if (str_u64(digits, UINT16_MAX, &port))
			return -EINVAL;
	}
	return addr_parse(out, host, n, (uint16_t)port);
}

int addr_from_sa(struct addr *out, const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (len < sizeof(sa->sa_family))
		return -EAFNOSUPPORT;
	if (sa->sa_family == AF_INET && len >= sizeof(in)) {
		memcpy(&in, sa, sizeof(in));
		set_v4(out, &in.sin_addr, ntohs(in.sin_port));
		return 0;
	}
	if (sa->sa_family == AF_INET6 && len >= sizeof(in6)) {
		memcpy(&in6, sa, sizeof(in6));
		set_v6(out, &in6.sin6_addr, ntohs(in6.sin6_port));
		if (out->sa.sa_family == AF_INET6 &&
		    IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr))
			out->in6.sin6_scope_id = in6.sin6_scope_id;
		return 0;
	}
	return -EAFNOSUPPORT;
}

/* ---- printing ------------------------------------------------------------ */

const char *addr_fmt_host(const struct addr *a, char text[ADDR_TEXT_MAX])
{
	size_t n;

	text[0] = '-';
	text[1] = '\0';
	if (a->sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &a->in.sin_addr, text, ADDR_TEXT_MAX);
	if (a->sa.sa_family != AF_INET6)
		return text;
	inet_ntop(AF_INET6, &a->in6.sin6_addr, text, ADDR_TEXT_MAX);
	n = strlen(text);
	/* The number, since a name would cost a system call per log line. */
	if (a->in6.sin6_scope_id)
		snprintf(text + n, ADDR_TEXT_MAX - n, "%%%u",
			 (unsigned)a->in6.sin6_scope_id);
	return text;
}

const char *addr_fmt(const struct addr *a, char text[ADDR_TEXT_MAX])
{
	char host[ADDR_TEXT_MAX];
	struct buf b;

	buf_init(&b, text, ADDR_TEXT_MAX);
	addr_fmt_host(a, host);
	if (!addr_is_set(a))
		buf_puts(&b, host);
	else if (a->sa.sa_family == AF_INET6)
		buf_printf(&b, "[%s]:%u", host, addr_port(a));
	else
		buf_printf(&b, "%s:%u", host, addr_port(a));
	return text;
}

const char *addr_fmt_uri(const struct addr *a, char text[ADDR_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "";
	struct buf b;

	if (a->sa.sa_family != AF_INET6)
		return addr_fmt_host(a, text);
	/* No scope: RFC 3261 25.1 has no place for it. */
	inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
	buf_init(&b, text, ADDR_TEXT_MAX);
	buf_printf(&b, "[%s]", host);
	return text;
}

/* ---- comparing ----------------------------------------------------------- */

bool addr_is_set(const struct addr *a)
{
	return a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6;
}

bool addr_same_host(const struct addr *a, const struct addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	if (a->sa.sa_family != AF_INET6)
		return true;
	return a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
	       IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_same_host(a, b) && addr_port(a) == addr_port(b);
}

uint16_t addr_port(const struct addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return ntohs(a->in.sin_port);
	if (a->sa.sa_family == AF_INET6)
		return ntohs(a->in6.sin6_port);
	return 0;
}

void addr_set_port(struct addr *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET)
		a->in.sin_port = htons(port);
	else if (a->sa.sa_family == AF_INET6)
		a->in6.sin6_port = htons(port);
}

int addr_family(const struct addr *a)
{
	return addr_is_set(a) ? a->sa.sa_family : AF_UNSPEC;
}

socklen_t addr_len(const struct addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return sizeof(a->in);
	return a->sa.sa_family == AF_INET6 ? sizeof(a->in6) : 0;
}

struct prefix4 {
	uint32_t net, mask;
	enum addr_class class;
};

static enum addr_class class_v4(uint32_t ip)
{
	/* First match wins; 0.0.0.0/8 is nobody's address (RFC 6890). */
	static const struct prefix4 table[] = {
		{0x00000000, 0xff000000, ADDR_ANY},
		{0x7f000000, 0xff000000, ADDR_LOOPBACK},
		{0xa9fe0000, 0xffff0000, ADDR_LINK_LOCAL},
		{0xe0000000, 0xf0000000, ADDR_MULTICAST},
		{0xffffffff, 0xffffffff, ADDR_MULTICAST},
		{0x0a000000, 0xff000000, ADDR_PRIVATE},
		{0xac100000, 0xfff00000, ADDR_PRIVATE},
		{0xc0a80000, 0xffff0000, ADDR_PRIVATE},
		{0xc0000000, 0xfffffff8, ADDR_PRIVATE},
		{0x64400000, 0xffc00000, ADDR_CGN},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if ((ip & table[i].mask) == table[i].net)
			return table[i].class;
	return ADDR_GLOBAL;
}

static enum addr_class class_v6(const struct in6_addr *ip)
{
	if (IN6_IS_ADDR_UNSPECIFIED(ip))
		return ADDR_ANY;
	if (IN6_IS_ADDR_LOOPBACK(ip))
		return ADDR_LOOPBACK;
	if (IN6_IS_ADDR_LINKLOCAL(ip))
		return ADDR_LINK_LOCAL;
	if (IN6_IS_ADDR_MULTICAST(ip))
		return ADDR_MULTICAST;
	if ((ip->s6_addr[0] & 0xfe) == 0xfc || IN6_IS_ADDR_SITELOCAL(ip))
		return ADDR_PRIVATE;
	return ADDR_GLOBAL;
}

enum addr_class addr_class(const struct addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return class_v4(ntohl(a->in.sin_addr.s_addr));
	if (a->sa.sa_family == AF_INET6)
		return class_v6(&a->in6.sin6_addr);
	return ADDR_NONE;
}

/* Field by field, because padding and flow labels must not count. */
static uint32_t hash_with_port(const struct addr *a, uint16_t port)
{
	struct {
		uint8_t ip[16];
		uint32_t scope;
		uint16_t family, port;
	} key = {.family = (uint16_t)addr_family(a), .port = port};

	if (key.family == AF_INET) {
		memcpy(key.ip, &a->in.sin_addr, 4);
	} else if (key.family == AF_INET6) {
		memcpy(key.ip, &a->in6.sin6_addr, 16);
		key.scope = a->in6.sin6_scope_id;
	}
	return hash_bytes(&key, sizeof(key));
}

uint32_t addr_hash(const struct addr *a)
{
	return hash_with_port(a, addr_port(a));
}

uint32_t addr_hash_host(const struct addr *a)
{
	return hash_with_port(a, 0);
}
