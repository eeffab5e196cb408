/*
 * wire.c - IPv4 packets: where they go, rewriting that with right checksums
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Checksums of addresses and ports are moved by the difference (RFC 1624), so
 * that fragments and packets that came damaged stay what they were.
 */
#include "wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "core/buf.h"

#define FLAG_MF     0x2000
#define FLAG_DF     0x4000
#define OFFSET_MASK 0x1fff
#define TCP_FIN     1
#define TCP_SYN     2
#define TCP_RST     4
#define TCP_ACK     16

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static uint32_t add(uint32_t sum, const uint8_t *p, size_t n)
{
	for (; n > 1; p += 2, n -= 2)
		sum += get16(p);
	return n ? sum + (uint32_t)(*p << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* ---- reading ------------------------------------------------------------- */

static void read_tcp(struct ip_view *v, struct cursor *c)
{
	uint8_t offset, flags;

	cursor_take(c, 8); /* sequence and acknowledgement */
	offset = cursor_u8(c);
	flags = cursor_u8(c);
	if (c->bad)
		return; /* a quoted packet, or one that its receiver refuses */
	v->opens = (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	v->closes = flags & (TCP_FIN | TCP_RST);
	v->payload = v->header + (size_t)(offset >> 4) * 4;
}

static int read_icmp(struct ip_view *v, struct cursor *c)
{
	uint8_t type = cursor_u8(c);

	cursor_take(c, 3);
	v->src.port = v->dst.port = 0;
	if (type == 3 || type == 11 || type == 12) {
		v->icmp_error = true;
	} else if (type == 8) {
		v->src.port = cursor_u16(c);
		v->opens = true;
	} else if (type == 0) {
		v->dst.port = cursor_u16(c);
	} else {
		return -EINVAL;
	}
	v->payload = v->header + 8;
	return c->bad ? -EINVAL : 0;
}

static int read_transport(struct ip_view *v, struct cursor *c)
{
	if (v->proto == IPPROTO_ICMP)
		return read_icmp(v, c);
	if (v->proto != IPPROTO_UDP && v->proto != IPPROTO_TCP)
		return -EINVAL;
	v->src.port = cursor_u16(c);
	v->dst.port = cursor_u16(c);
	if (c->bad)
		return -EINVAL;
	v->opens = v->proto == IPPROTO_UDP;
	v->payload = v->header + 8;
	if (v->proto == IPPROTO_TCP)
		read_tcp(v, c);
	return 0;
}

static int read_ip(struct ip_view *v, const uint8_t *bytes, size_t len,
		   bool quoted)
{
	struct cursor c = cursor_of(bytes, len);
	uint8_t first = cursor_u8(&c);
	uint16_t total, fragment;

	*v = (struct ip_view){.header = (size_t)(first & 15) * 4};
	cursor_u8(&c);
	total = cursor_u16(&c);
	v->id = cursor_u16(&c);
	fragment = cursor_u16(&c);
	cursor_u8(&c);
	v->proto = cursor_u8(&c);
	cursor_u16(&c);
	v->src.ip = cursor_u32(&c);
	v->dst.ip = cursor_u32(&c);
	if (c.bad || first >> 4 != 4 || v->header < 20 || total < v->header ||
	    (total > len && !quoted))
		return -EINVAL;
	v->end = total < len ? total : len;
	v->later_fragment = fragment & OFFSET_MASK;
	v->first_fragment = (fragment & FLAG_MF) && !v->later_fragment;
	v->payload = v->header;
	cursor_take(&c, v->header - 20);
	c.end = bytes + v->end;
	if (c.bad || c.p > c.end)
		return -EINVAL;
	if (v->later_fragment)
		return 0;
	return read_transport(v, &c);
}

int wire_read(struct ip_view *v, const uint8_t *bytes, size_t len)
{
	return read_ip(v, bytes, len, false);
}

int wire_read_quoted(struct ip_view *v, const struct packet *p,
		     const struct ip_view *outer)
{
	if (outer->payload >= outer->end)
		return -EINVAL;
	return read_ip(v, p->bytes + outer->payload,
		       outer->end - outer->payload, true);
}

/* ---- rewriting ----------------------------------------------------------- */

/* Where the transport's checksum stands; 0 = it has none, or it is cut off. */
static size_t sum_at(const struct ip_view *v)
{
	size_t at = v->proto == IPPROTO_UDP   ? v->header + 6
		    : v->proto == IPPROTO_TCP ? v->header + 16
					      : v->header + 2;

	return !v->later_fragment && at + 2 <= v->end ? at : 0;
}

/* RFC 1624 eqn. 3: HC' = ~(~HC + ~m + m') */
static void move_sum(uint8_t *sum, const uint8_t *old, const uint8_t *new,
		     size_t n)
{
	uint32_t s = (uint16_t)~get16(sum);

	for (size_t i = 0; i < n; i += 2)
		s += (uint16_t)~get16(old + i);
	put16(sum, fold(add(s, new, n)));
}

/* UDP without checksum stays so, and a sum of 0 is written as 0xffff. */
static void move_udp_sum(uint8_t *sum, const uint8_t *old, const uint8_t *new,
			 size_t n)
{
	if (!get16(sum))
		return;
	move_sum(sum, old, new, n);
	if (!get16(sum))
		put16(sum, 0xffff);
}

static void set_ip(uint8_t *bytes, struct ip_view *v, size_t at, uint32_t ip)
{
	uint8_t old[4], new[4];
	size_t sum = sum_at(v);

	memcpy(old, bytes + at, 4);
	put16(new, ip >> 16);
	put16(new + 2, ip);
	memcpy(bytes + at, new, 4);
	move_sum(bytes + 10, old, new, 4);
	if (sum && v->proto == IPPROTO_UDP)
		move_udp_sum(bytes + sum, old, new, 4);
	else if (sum && v->proto == IPPROTO_TCP)
		move_sum(bytes + sum, old, new, 4);
}

static void set_port(uint8_t *bytes, struct ip_view *v, size_t at,
		     uint16_t port)
{
	uint8_t old[2], new[2];
	size_t sum = sum_at(v);

	if (v->later_fragment || at + 2 > v->end)
		return;
	memcpy(old, bytes + at, 2);
	put16(new, port);
	memcpy(bytes + at, new, 2);
	if (sum && v->proto == IPPROTO_UDP)
		move_udp_sum(bytes + sum, old, new, 2);
	else if (sum)
		move_sum(bytes + sum, old, new, 2);
}

static void set_endpoint(uint8_t *bytes, struct ip_view *v, size_t ip_at,
			 size_t port_at, struct endpoint to)
{
	set_ip(bytes, v, ip_at, to.ip);
	if (v->proto == IPPROTO_ICMP && v->icmp_error)
		return;
	if (v->proto == IPPROTO_ICMP) /* an echo: its id stands at 4 */
		port_at = v->header + 4;
	set_port(bytes, v, port_at, to.port);
}

void wire_set_src(uint8_t *bytes, struct ip_view *v, struct endpoint to)
{
	set_endpoint(bytes, v, 12, v->header, to);
	v->src = to;
}

void wire_set_dst(uint8_t *bytes, struct ip_view *v, struct endpoint to)
{
	set_endpoint(bytes, v, 16, v->header + 2, to);
	v->dst = to;
}

static void sum_udp(struct packet *p, const struct ip_view *v)
{
	size_t len = p->len - v->header;
	uint32_t sum = IPPROTO_UDP + (uint32_t)len;

	put16(p->bytes + v->header + 6, 0);
	sum = add(sum, p->bytes + 12, 8);
	sum = fold(add(sum, p->bytes + v->header, len));
	put16(p->bytes + v->header + 6, sum ? sum : 0xffff);
}

int wire_set_payload(struct packet *p, struct ip_view *v, const char *text,
		     size_t len)
{
	size_t total = v->payload + len;
	uint16_t fragment = get16(p->bytes + 6);

	if (total > sizeof(p->bytes))
		return -ENOSPC;
	memcpy(p->bytes + v->payload, text, len);
	p->len = v->end = total;
	put16(p->bytes + 2, (uint32_t)total);
	/* It may have outgrown the way: then let it be cut. */
	put16(p->bytes + 6, fragment & ~FLAG_DF);
	put16(p->bytes + 10, 0);
	put16(p->bytes + 10, fold(add(0, p->bytes, v->header)));
	put16(p->bytes + v->header + 4, (uint32_t)(total - v->header));
	sum_udp(p, v);
	return 0;
}

void wire_sum_icmp(struct packet *p, const struct ip_view *outer)
{
	uint8_t *icmp = p->bytes + outer->header;

	put16(icmp + 2, 0);
	put16(icmp + 2, fold(add(0, icmp, outer->end - outer->header)));
}
