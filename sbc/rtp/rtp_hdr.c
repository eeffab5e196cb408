/*
 * rtp_hdr.c - the RTP header (RFC 3550 5.1) and telling RTCP from RTP
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "core/buf.h"
#include "rtp/rtp.h"

enum {
	VERSION = 2,
	PADDING_BIT = 0x20,
	EXTENSION_BIT = 0x10,
	MARKER_BIT = 0x80,
};

/* RFC 3550 5.3.1: profile, length in words, words. */
static void skip_extension(struct cursor *c)
{
	cursor_u16(c);
	cursor_take(c, (size_t)cursor_u16(c) * 4);
}

int rtp_read(struct rtp_hdr *out, const uint8_t *p, size_t n)
{
	struct cursor c = cursor_of(p, n);
	uint8_t first = cursor_u8(&c);
	uint8_t second = cursor_u8(&c);
	struct rtp_hdr h = {
		.payload_type = second & 0x7f,
		.marker = second & MARKER_BIT,
		.seq = cursor_u16(&c),
	};

	h.timestamp = cursor_u32(&c);
	h.ssrc = cursor_u32(&c);
	cursor_take(&c, (first & 0x0f) * 4u); /* CSRCs */
	if (first & EXTENSION_BIT)
		skip_extension(&c);
	if (c.bad || first >> 6 != VERSION)
		return -EINVAL;

	h.payload_bytes = cursor_left(&c);
	h.header_bytes = n - h.payload_bytes;
	if (first & PADDING_BIT) {
		uint8_t padding = h.payload_bytes ? p[n - 1] : 0;

		if (!padding || padding > h.payload_bytes)
			return -EINVAL;
		h.payload_bytes -= padding;
	}
	*out = h;
	return 0;
}

bool rtp_is_rtcp(const uint8_t *p, size_t n)
{
	return n >= 2 && p[0] >> 6 == VERSION && p[1] >= 192 && p[1] <= 223;
}
