/*
 * dns_packet.h - answers of a name server, put together by hand
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_UNIT_DNS_PACKET_H
#define TESTS_UNIT_DNS_PACKET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "dns/dns_wire.h"

enum {
	PK_ID = 0x1234,
	PK_WELL = 0x8180,
	PK_SERVFAIL = 0x8182,
	PK_NXDOMAIN = 0x8183,
	PK_NOTIMP = 0x8184,
	PK_REFUSED = 0x8185,
	PK_CUT = 0x8380,
	PK_ANSWERS = 6, /* where their number stands */
	PK_AUTHORITY = 8,
};

struct packet {
	uint8_t bytes[16384];
	size_t n;
};

static inline void pk_u8(struct packet *p, unsigned v)
{
	p->bytes[p->n++] = (uint8_t)v;
}

static inline void pk_u16(struct packet *p, unsigned v)
{
	pk_u8(p, v >> 8);
	pk_u8(p, v & 0xff);
}

static inline void pk_u32(struct packet *p, uint32_t v)
{
	pk_u16(p, v >> 16);
	pk_u16(p, v & 0xffff);
}

static inline void pk_put(struct packet *p, const void *bytes, size_t n)
{
	memcpy(p->bytes + p->n, bytes, n);
	p->n += n;
}

/* "" and "." are the root. */
static inline void pk_name(struct packet *p, const char *name)
{
	while (*name && *name != '.') {
		size_t n = strcspn(name, ".");

		pk_u8(p, (unsigned)n);
		pk_put(p, name, n);
		name += n + (name[n] == '.');
	}
	pk_u8(p, 0);
}

static inline void pk_string(struct packet *p, const char *text)
{
	pk_u8(p, (unsigned)strlen(text));
	pk_put(p, text, strlen(text));
}

/* Header and question. */
static inline void pk_begin(struct packet *p, unsigned flags, const char *name,
			    unsigned type)
{
	p->n = 0;
	pk_u16(p, PK_ID);
	pk_u16(p, flags);
	pk_u16(p, 1);
	pk_u16(p, 0);
	pk_u16(p, 0);
	pk_u16(p, 0);
	pk_name(p, name);
	pk_u16(p, type);
	pk_u16(p, 1);
}

static inline void pk_count(struct packet *p, unsigned section)
{
	unsigned n = (unsigned)p->bytes[section] << 8 | p->bytes[section + 1];

	n++;
	p->bytes[section] = (uint8_t)(n >> 8);
	p->bytes[section + 1] = (uint8_t)n;
}

/* A record up to its data, whose length pk_end() writes. */
static inline size_t pk_open(struct packet *p, unsigned section,
			     const char *owner, unsigned type, uint32_t ttl)
{
	pk_count(p, section);
	pk_name(p, owner);
	pk_u16(p, type);
	pk_u16(p, 1);
	pk_u32(p, ttl);
	pk_u16(p, 0);
	return p->n;
}

static inline void pk_end(struct packet *p, size_t begin)
{
	p->bytes[begin - 2] = (uint8_t)((p->n - begin) >> 8);
	p->bytes[begin - 1] = (uint8_t)(p->n - begin);
}

static inline void pk_address(struct packet *p, const char *owner, uint32_t ttl,
			      const char *text)
{
	bool is_v6 = strchr(text, ':');
	uint8_t bytes[16];
	size_t at =
		pk_open(p, PK_ANSWERS, owner, is_v6 ? DNS_AAAA : DNS_A, ttl);

	assert_int_equal(inet_pton(is_v6 ? AF_INET6 : AF_INET, text, bytes), 1);
	pk_put(p, bytes, is_v6 ? 16 : 4);
	pk_end(p, at);
}

static inline void pk_cname(struct packet *p, const char *owner, uint32_t ttl,
			    const char *to)
{
	size_t at = pk_open(p, PK_ANSWERS, owner, DNS_CNAME, ttl);

	pk_name(p, to);
	pk_end(p, at);
}

static inline void pk_srv(struct packet *p, const char *owner, uint32_t ttl,
			  unsigned priority, unsigned weight, unsigned port,
			  const char *target)
{
	size_t at = pk_open(p, PK_ANSWERS, owner, DNS_SRV, ttl);

	pk_u16(p, priority);
	pk_u16(p, weight);
	pk_u16(p, port);
	pk_name(p, target);
	pk_end(p, at);
}

struct pk_naptr {
	unsigned order, preference;
	const char *flags, *service, *rewriting, *replacement;
};

static inline void pk_naptr(struct packet *p, const char *owner, uint32_t ttl,
			    struct pk_naptr r)
{
	size_t at = pk_open(p, PK_ANSWERS, owner, DNS_NAPTR, ttl);

	pk_u16(p, r.order);
	pk_u16(p, r.preference);
	pk_string(p, r.flags);
	pk_string(p, r.service);
	pk_string(p, r.rewriting ? r.rewriting : "");
	pk_name(p, r.replacement);
	pk_end(p, at);
}

static inline void pk_soa(struct packet *p, const char *zone, uint32_t ttl,
			  uint32_t minimum)
{
	size_t at = pk_open(p, PK_AUTHORITY, zone, DNS_SOA, ttl);

	pk_name(p, "ns.example.com");
	pk_name(p, "admin.example.com");
	pk_u32(p, 1);
	pk_u32(p, 7200);
	pk_u32(p, 3600);
	pk_u32(p, 86400);
	pk_u32(p, minimum);
	pk_end(p, at);
}

#endif
