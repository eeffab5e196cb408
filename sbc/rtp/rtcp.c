/*
 * rtcp.c - is this RTCP packet whole (RFC 3550 6.4, A.2), and who is named in it
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
	RTCP_SDES = 202,
	RTCP_BYE = 203,
	RTCP_RTPFB = 205, /* RFC 4585 */
	RTCP_PSFB = 206,
	REPORT_BLOCK_BYTES = 24,
	SENDER_INFO_BYTES = 20,
	SDES_CNAME = 1,
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

/* ---- reports -------------------------------------------------------------- */

static bool is_report(const struct packet *k)
{
	return k->type == RTCP_SR || k->type == RTCP_RR;
}

/* SSRC, fraction and number lost, highest sequence, jitter, LSR, DLSR. */
static bool find_block(struct packet *k, uint32_t ssrc, uint32_t *seq)
{
	cursor_take(&k->body, k->type == RTCP_SR ? 4 + SENDER_INFO_BYTES : 4);
	for (unsigned i = 0; i < k->count && !k->body.bad; i++) {
		struct cursor block =
			cursor_of(cursor_take(&k->body, REPORT_BLOCK_BYTES),
				  k->body.bad ? 0 : REPORT_BLOCK_BYTES);
		uint32_t about = cursor_u32(&block);

		cursor_u32(&block);
		if (block.bad || about != ssrc)
			continue;
		*seq = cursor_u32(&block);
		return true;
	}
	return false;
}

bool rtcp_highest_seq(const uint8_t *p, size_t n, uint32_t ssrc, uint32_t *seq)
{
	struct cursor c = cursor_of(p, n);
	struct packet k;

	while (cursor_left(&c) && !next_packet(&c, &k)) {
		if (is_report(&k) && find_block(&k, ssrc, seq))
			return true;
	}
	return false;
}

bool rtcp_is_report(const uint8_t *p, size_t n)
{
	struct cursor c = cursor_of(p, n);
	struct packet k;

	while (cursor_left(&c) && !next_packet(&c, &k)) {
		if (is_report(&k))
			return true;
	}
	return false;
}

/* ---- names ---------------------------------------------------------------- */

/* Letters that depend on the SSRC only: a CNAME must tell sources apart and
 * stay the same (RFC 3550 6.5.1), no more. */
static void fill(uint8_t *text, size_t n, uint32_t ssrc)
{
	for (size_t i = 0; i < n; i++) {
		ssrc = ssrc * 1664525u + 1013904223u;
		text[i] = 'a' + (ssrc >> 24) % 26;
	}
}

/* One chunk: SSRC, items, a zero, zeros up to a whole word (6.5). */
static void hide_chunk(struct cursor *c)
{
	const uint8_t *start = c->p;
	uint32_t ssrc = cursor_u32(c);
	unsigned type;

	while ((type = cursor_u8(c)) && !c->bad) {
		size_t n = cursor_u8(c);
		const uint8_t *text = cursor_take(c, n);

		if (text)
			fill((uint8_t *)text, n, type == SDES_CNAME ? ssrc : 0);
	}
	while ((c->p - start) % 4 && !c->bad)
		cursor_u8(c);
}

static void hide_reason(struct packet *k)
{
	const uint8_t *text;
	size_t n;

	cursor_take(&k->body, k->count * 4u);
	n = cursor_left(&k->body) ? cursor_u8(&k->body) : 0;
	text = cursor_take(&k->body, n);
	if (text && n)
		fill((uint8_t *)text, n, 0);
}

void rtcp_hide_names(uint8_t *p, size_t n)
{
	struct cursor c = cursor_of(p, n);
	struct packet k;

	while (cursor_left(&c) && !next_packet(&c, &k) &&
	       !strip_padding(&k, cursor_left(&c) == 0)) {
		if (k.type == RTCP_BYE)
			hide_reason(&k);
		if (k.type != RTCP_SDES)
			continue;
		for (unsigned i = 0; i < k.count && !k.body.bad; i++)
			hide_chunk(&k.body);
	}
}
