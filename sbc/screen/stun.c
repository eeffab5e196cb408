/*
 * stun.c - STUN Binding on a SIP port: where does my packet come from?
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   header: type, length, cookie + transaction id (16 bytes, copied back)
 *   attributes: type, length, value, padding to four bytes
 *
 * Nothing is kept and nobody is asked for a password, so credentials in a
 * request are read over (RFC 8489 6.3.1).
 */
#include "screen/stun.h"

#include <errno.h>
#include <string.h>

enum {
	HEADER_BYTES = 20,
	ID_BYTES = 16, /* with the cookie */
	COOKIE = 0x2112a442,
	FINGERPRINT_BYTES = 8,

	BINDING_REQUEST = 0x0001,
	BINDING_SUCCESS = 0x0101,
	BINDING_ERROR = 0x0111,

	MAPPED_ADDRESS = 0x0001,
	CHANGE_REQUEST = 0x0003,
	MESSAGE_INTEGRITY = 0x0008,
	ERROR_CODE = 0x0009,
	UNKNOWN_ATTRIBUTES = 0x000a,
	XOR_MAPPED_ADDRESS = 0x0020,
	OPTIONAL = 0x8000, /* from here on: may be ignored */
	FINGERPRINT = 0x8028,

	MAX_UNKNOWN = 8, /* that we tell of */
};

struct request {
	const uint8_t *id;
	bool has_cookie, has_fingerprint;
	uint16_t unknown[MAX_UNKNOWN];
	unsigned n_unknown;
};

/* ---- reading ------------------------------------------------------------------ */

bool stun_is_message(const uint8_t *p, size_t n)
{
	struct cursor c = cursor_of(p, n);
	uint16_t type = cursor_u16(&c);
	uint16_t length = cursor_u16(&c);

	return n >= HEADER_BYTES && type < 0x0400 &&
	       length == n - HEADER_BYTES && length % 4 == 0;
}

bool stun_is_request(const uint8_t *p, size_t n)
{
	return stun_is_message(p, n) && p[0] == 0 && p[1] == BINDING_REQUEST;
}

/* CRC-32 of ITU V.42, bit by bit: it is rarely asked for. */
uint32_t stun_fingerprint(const void *p, size_t n)
{
	const uint8_t *bytes = p;
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < n; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc ^ 0x5354554e;
}

/* Username, realm, nonce and the like: known, and not needed here. */
static bool is_credential(uint16_t type)
{
	static const uint16_t types[] = {0x0006, 0x0008, 0x0014, 0x0015,
					 0x001c, 0x001d, 0x001e};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i] == type)
			return true;
	return false;
}

/* "Answer from another address": only without a flag set can we do that. */
static bool is_no_change(uint16_t type, const uint8_t *value, uint16_t len)
{
	return type == CHANGE_REQUEST && len == 4 &&
	       !memcmp(value, "\0\0\0\0", 4);
}

static int read_attributes(struct request *rq, const uint8_t *p, size_t n)
{
	struct cursor c = cursor_of(p + HEADER_BYTES, n - HEADER_BYTES);
	bool is_sealed = false;

	while (cursor_left(&c)) {
		size_t at = n - cursor_left(&c);
		uint16_t type = cursor_u16(&c);
		uint16_t len = cursor_u16(&c);
		const uint8_t *value = cursor_take(&c, len);
		struct cursor number;

		(void)cursor_take(&c, -(unsigned)len & 3);
		if (c.bad || rq->has_fingerprint)
			return -EINVAL; /* that one stands at the end */
		if (type == FINGERPRINT && rq->has_cookie) {
			number = cursor_of(value, len);
			if (len != 4 ||
			    cursor_u32(&number) != stun_fingerprint(p, at))
				return -EINVAL; /* not STUN after all */
			rq->has_fingerprint = true;
		}
		/* What follows the integrity was not sent by who wrote it. */
		if (type < OPTIONAL && !is_sealed && !is_credential(type) &&
		    !is_no_change(type, value, len) &&
		    rq->n_unknown < MAX_UNKNOWN)
			rq->unknown[rq->n_unknown++] = type;
		is_sealed |= type == MESSAGE_INTEGRITY;
	}
	return 0;
}

/* ---- writing ------------------------------------------------------------------ */

static void put_u16(struct buf *b, unsigned v)
{
	const uint8_t bytes[] = {(uint8_t)(v >> 8), (uint8_t)v};

	buf_put(b, bytes, sizeof(bytes));
}

static void put_u32(struct buf *b, uint32_t v)
{
	put_u16(b, v >> 16);
	put_u16(b, v & 0xffff);
}

static void put_address(struct buf *b, const struct request *rq,
			const struct addr *a)
{
	const bool six = addr_family(a) == AF_INET6;
	const size_t n = six ? 16 : 4;
	uint8_t host[16];
	uint16_t port = addr_port(a);

	memcpy(host,
	       six ? (const void *)&a->in6.sin6_addr
		   : (const void *)&a->in.sin_addr,
	       n);
	/* Hidden from those ALGs that rewrite whatever looks like an address;
	 * the cookie is the first part of the mask. */
	if (rq->has_cookie) {
		port ^= COOKIE >> 16;
		for (size_t i = 0; i < n; i++)
			host[i] ^= rq->id[i];
	}
	put_u16(b, rq->has_cookie ? XOR_MAPPED_ADDRESS : MAPPED_ADDRESS);
	put_u16(b, (unsigned)(4 + n));
	put_u16(b, six ? 2 : 1);
	put_u16(b, port);
	buf_put(b, host, n);
}

/* 420.  Of whole words, without padding, as RFC 3489 wants it. */
static void put_refusal(struct buf *b, const struct request *rq)
{
	const char reason[] = "Unknown Attribute(s)";
	unsigned n = rq->n_unknown + rq->n_unknown % 2;

	put_u16(b, ERROR_CODE);
	put_u16(b, 4 + sizeof(reason) - 1);
	put_u32(b, 4 << 8 | 20);
	buf_put(b, reason, sizeof(reason) - 1);
	put_u16(b, UNKNOWN_ATTRIBUTES);
	put_u16(b, 2 * n);
	for (unsigned i = 0; i < n; i++)
		put_u16(b, rq->unknown[i < rq->n_unknown ? i : 0]);
}

static void put_length(struct buf *b, size_t n)
{
	if (b->overflow)
		return;
	b->p[2] = (char)(n >> 8);
	b->p[3] = (char)n;
}

int stun_answer(struct buf *out, const uint8_t *p, size_t n,
		const struct addr *source)
{
	struct cursor c = cursor_of(p, n);
	struct request rq = {0};

	if (!stun_is_request(p, n) || !addr_is_set(source))
		return -EINVAL;
	(void)cursor_u32(&c);
	rq.id = cursor_take(&c, ID_BYTES);
	rq.has_cookie = !memcmp(rq.id, "\x21\x12\xa4\x42", 4);
	if (read_attributes(&rq, p, n))
		return -EINVAL;

	put_u16(out, rq.n_unknown ? BINDING_ERROR : BINDING_SUCCESS);
	put_u16(out, 0);
	buf_put(out, rq.id, ID_BYTES);
	if (rq.n_unknown)
		put_refusal(out, &rq);
	else
		put_address(out, &rq, source);
	put_length(out, out->n - HEADER_BYTES);
	if (rq.has_fingerprint) {
		put_length(out, out->n - HEADER_BYTES + FINGERPRINT_BYTES);
		put_u16(out, FINGERPRINT);
		put_u16(out, 4);
		put_u32(out, stun_fingerprint(out->p, out->n - 4));
	}
	return out->overflow ? -ENOSPC : 0;
}
