/*
 * pack.c - small binary records: numbers, addresses and short texts in a row
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/pack.h"

#include <string.h>

enum { FAMILY_V4 = 4, FAMILY_V6 = 6 };

void pack_number(struct buf *b, uint64_t value, unsigned bytes)
{
	while (bytes--) {
		uint8_t byte = (uint8_t)(value >> (8 * bytes));

		buf_put(b, &byte, 1);
	}
}

void pack_host(struct buf *b, const struct addr *a)
{
	if (addr_family(a) == AF_INET6)
		buf_put(b, &a->in6.sin6_addr, 16);
	else
		buf_put(b, &a->in.sin_addr, 4);
	pack_number(b, addr_port(a), 2);
}

void pack_addr(struct buf *b, const struct addr *a)
{
	pack_number(b, addr_family(a) == AF_INET6 ? FAMILY_V6 : FAMILY_V4, 1);
	pack_host(b, a);
}

void pack_text(struct buf *b, const char *text)
{
	size_t n = text ? strlen(text) : 0;

	if (n > PACK_TEXT_MAX)
		b->overflow = true;
	if (b->overflow)
		return;
	pack_number(b, n, 1);
	buf_put(b, text ? text : "", n);
}

uint64_t unpack_number(struct cursor *c, unsigned bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | cursor_u8(c);
	return value;
}

void unpack_host(struct cursor *c, bool is_v6, struct addr *out)
{
	const uint8_t *bytes = cursor_take(c, is_v6 ? 16 : 4);

	memset(out, 0, sizeof(*out));
	if (!bytes)
		return;
	if (is_v6) {
		out->in6.sin6_family = AF_INET6;
		memcpy(&out->in6.sin6_addr, bytes, 16);
	} else {
		out->in.sin_family = AF_INET;
		memcpy(&out->in.sin_addr, bytes, 4);
	}
	addr_set_port(out, cursor_u16(c));
}

void unpack_addr(struct cursor *c, struct addr *out)
{
	uint8_t family = cursor_u8(c);

	if (family != FAMILY_V4 && family != FAMILY_V6)
		c->bad = true;
	unpack_host(c, family == FAMILY_V6, out);
}

void unpack_text(struct cursor *c, char *out, size_t cap)
{
	size_t n = cursor_u8(c);
	const uint8_t *bytes = cursor_take(c, n);

	*out = '\0';
	if (!bytes || n >= cap) {
		c->bad = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		c->bad |= bytes[i] < 0x20 || bytes[i] == 0x7f;
	memcpy(out, bytes, n);
	out[n] = '\0';
}
