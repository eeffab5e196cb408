/*
 * row_codec.c - a binding as bytes, for the journal
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Big-endian numbers in a fixed order, then the strings: two bytes of length
 * that count the NUL, 0 for an absent one, and the bytes with their NUL, so
 * that a decoded row can point straight into the record.
 */
#include "store/row_codec.h"

#include <errno.h>
#include <string.h>

#include "core/buf.h"

/* The one list of strings, for both directions. */
static const size_t texts[] = {
	offsetof(struct binding_row, aor),
	offsetof(struct binding_row, phone),
	offsetof(struct binding_row, realm),
	offsetof(struct binding_row, contact),
	offsetof(struct binding_row, call_id),
	offsetof(struct binding_row, instance),
	offsetof(struct binding_row, path),
	offsetof(struct binding_row, user_agent),
};

enum {
	TEXTS = sizeof(texts) / sizeof(texts[0]),
	TEXT_MAX = 65535, /* with NUL */
	ADDR_BYTES = 1 + 16 + 2 + 4,
	FIXED_BYTES = 8 + 4 + 4 + 1 + 3 * 8 + 2 * ADDR_BYTES,
};

static const char *text_of(const struct binding_row *row, int i)
{
	const char *text;

	memcpy(&text, (const char *)row + texts[i], sizeof(text));
	return text;
}

static size_t text_bytes(const char *text)
{
	return text ? strnlen(text, TEXT_MAX - 1) + 1 : 0;
}

size_t row_size(const struct binding_row *row)
{
	size_t n = FIXED_BYTES;

	for (int i = 0; i < TEXTS; i++)
		n += 2 + text_bytes(text_of(row, i));
	return n;
}

static uint8_t *put_uint(uint8_t *p, uint64_t v, int bytes)
{
	for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
		*p++ = v >> shift;
	return p;
}

static uint8_t *put_addr(uint8_t *p, const struct addr *a)
{
	uint32_t scope = 0;
	uint16_t port = 0;
	uint8_t ip[16] = {0};

	if (a->sa.sa_family == AF_INET) {
		*p++ = 4;
		memcpy(ip, &a->in.sin_addr, 4);
		port = ntohs(a->in.sin_port);
	} else if (a->sa.sa_family == AF_INET6) {
		*p++ = 6;
		memcpy(ip, &a->in6.sin6_addr, 16);
		port = ntohs(a->in6.sin6_port);
		scope = a->in6.sin6_scope_id;
	} else {
		*p++ = 0;
	}
	memcpy(p, ip, sizeof(ip));
	p = put_uint(p + sizeof(ip), port, 2);
	return put_uint(p, scope, 4);
}

void row_encode(uint8_t *out, const struct binding_row *row)
{
	uint8_t *p = out;

	p = put_uint(p, row->id, 8);
	p = put_uint(p, row->cseq, 4);
	p = put_uint(p, row->reg_id, 4);
	p = put_uint(p, row->transport, 1);
	p = put_uint(p, row->expires_at, 8);
	p = put_uint(p, row->registered_at, 8);
	p = put_uint(p, row->last_seen, 8);
	p = put_addr(p, &row->source);
	p = put_addr(p, &row->local);
	for (int i = 0; i < TEXTS; i++) {
		const char *text = text_of(row, i);
		size_t n = text_bytes(text);

		p = put_uint(p, n, 2);
		if (n) {
			memcpy(p, text, n - 1);
			p[n - 1] = '\0';
			p += n;
		}
	}
}

static void get_addr(struct cursor *c, struct addr *out)
{
	uint8_t family = cursor_u8(c);
	const uint8_t *ip = cursor_take(c, 16);
	uint16_t port = cursor_u16(c);
	uint32_t scope = cursor_u32(c);

	memset(out, 0, sizeof(*out));
	if (!ip || (family != 0 && family != 4 && family != 6)) {
		c->bad = true;
	} else if (family == 4) {
		out->in.sin_family = AF_INET;
		memcpy(&out->in.sin_addr, ip, 4);
		out->in.sin_port = htons(port);
	} else if (family == 6) {
		out->in6.sin6_family = AF_INET6;
		memcpy(&out->in6.sin6_addr, ip, 16);
		out->in6.sin6_port = htons(port);
		out->in6.sin6_scope_id = scope;
	}
}

static const char *get_text(struct cursor *c)
{
	uint16_t n = cursor_u16(c);
	const uint8_t *text;

	if (n == 0)
		return NULL;
	text = cursor_take(c, n);
	if (text && text[n - 1] == '\0')
		return (const char *)text;
	c->bad = true;
	return NULL;
}

int row_decode(struct binding_row *out, const void *bytes, size_t len)
{
	struct cursor c = cursor_of(bytes, len);
	struct binding_row row = {0};

	row.id = cursor_u64(&c);
	row.cseq = cursor_u32(&c);
	row.reg_id = cursor_u32(&c);
	row.transport = cursor_u8(&c);
	row.expires_at = (wall_ms)cursor_u64(&c);
	row.registered_at = (wall_ms)cursor_u64(&c);
	row.last_seen = (wall_ms)cursor_u64(&c);
	get_addr(&c, &row.source);
	get_addr(&c, &row.local);
	for (int i = 0; i < TEXTS; i++) {
		const char *text = get_text(&c);

		memcpy((char *)&row + texts[i], &text, sizeof(text));
	}
	if (c.bad || cursor_left(&c) != 0)
		return -EINVAL;
	*out = row;
	return 0;
}
