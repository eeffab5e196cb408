/*
 * rtcp.c - is this RTCP packet whole (RFC 3550 6.4, A.2)?
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *    0 1 2 3 4 5 6 7 8 ...
 *   |V=2|P|  count  |  type  |  length in words - 1  |  body ...
 *
 * A datagram is one or more of these end to end.  Whoever looks at report
 * blocks later may trust the counts once rtcp_check() said yes.
 */
#include <errno.h>

#include "core/buf.h"
#include "rtp/rtp.h"

enum {
	RTCP_SR = 200,
	RTCP_RR = 201,
	RTCP_BYE = 203,
	RTCP_RTPFB = 205, /* RFC 4585 */
	RTCP_PSFB = 206,
	REPORT_BLOCK_BYTES = 24,
	SENDER_INFO_BYTES = 20,
};

struct packet {
	unsigned count, type;
	bool padding;
	struct cursor body;
};

static int next_packet(struct cursor *c, struct packet *out)
{
	uint8_t first = cursor_u8(c);
	size_t bytes;
	const uint8_t *body;

	out->count = first & 0x1f;
	out->padding = first & 0x20;
	out->type = cursor_u8(c);
	bytes = (size_t)cursor_u16(c) * 4;
	body = cursor_take(c, bytes);
	if (c->bad || first >> 6 != 2)
		return -EINVAL;
	out->body = cursor_of(body, bytes);
	return 0;
}

/* Padding counts itself, is whole words, and only ends the last packet. */
static int strip_padding(struct packet *k, bool is_last)
{
	size_t n = cursor_left(&k->body);
	unsigned padding;

	if (!k->padding)
		return 0;
	if (!is_last || !n)
		return -EINVAL;
	padding = k->body.end[-1];
	if (!padding || padding % 4 || padding > n)
		return -EINVAL;
	k->body.end -= padding;
	return 0;
}

static int check_bye(struct packet *k)
{
	cursor_take(&k->body, k->count * 4u);
	if (cursor_left(&k->body)) /* reason for leaving (6.6) */
		cursor_take(&k->body, cursor_u8(&k->body));
	return k->body.bad ? -EINVAL : 0;
}

static int check_body(struct packet *k)
{
	size_t need;

	switch (k->type) {
	case RTCP_SR:
		need = 4 + SENDER_INFO_BYTES + k->count * REPORT_BLOCK_BYTES;
		break;
	case RTCP_RR:
		need = 4 + k->count * REPORT_BLOCK_BYTES;
		break;
	case RTCP_RTPFB:
	case RTCP_PSFB:
		need = 8;
		break;
	case RTCP_BYE:
		return check_bye(k);
	default: /* SDES, APP, XR and what may come: opaque to us */
		return 0;
	}
	return cursor_left(&k->body) < need ? -EINVAL : 0;
}

static bool may_be_first(unsigned type)
{
	return type == RTCP_SR || type == RTCP_RR || type == RTCP_RTPFB ||
	       type == RTCP_PSFB;
}

int rtcp_check(const uint8_t *p, size_t n, uint32_t *ssrc)
{
	struct cursor c = cursor_of(p, n);
	struct packet k;
	uint32_t sender = 0;

	for (bool first = true; first || cursor_left(&c); first = false) {
		if (next_packet(&c, &k) ||
		    strip_padding(&k, cursor_left(&c) == 0))
			return -EINVAL;
		if (first) {
			struct cursor body = k.body;

			if (!may_be_first(k.type))
				return -EINVAL;
			sender = cursor_u32(&body);
		}
		if (check_body(&k))
			return -EINVAL;
	}
	*ssrc = sender;
	return 0;
}
