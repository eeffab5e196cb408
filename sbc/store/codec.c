/*
 * codec.c - numbers, addresses and texts as bytes of a journal record
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/codec.h"

#include <string.h>

uint8_t *codec_put_uint(uint8_t *p, uint64_t v, int bytes)
{
	for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
		*p++ = v >> shift;
	return p;
}

uint8_t *codec_put_addr(uint8_t *p, const struct addr *a)
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
	p = codec_put_uint(p + sizeof(ip), port, 2);
	return codec_put_uint(p, scope, 4);
}

/* The length of @text, at most @max. */
static size_t length(const char *text, size_t max)
{
	size_t n = strnlen(text, max + 1);

	if (n <= max)
		return n;
	for (n = max; n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80;)
		n--;
	return n;
}

size_t codec_text_bytes(const char *text, size_t max)
{
	return 2 + (text ? length(text, max) + 1 : 0);
}

uint8_t *codec_put_text(uint8_t *p, const char *text, size_t max)
{
	size_t n = text ? length(text, max) : 0;

	p = codec_put_uint(p, text ? n + 1 : 0, 2);
	if (!text)
		return p;
	memcpy(p, text, n);
	p[n] = '\0';
	return p + n + 1;
}

void codec_get_addr(struct cursor *c, struct addr *out)
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

const char *codec_get_text(struct cursor *c)
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
