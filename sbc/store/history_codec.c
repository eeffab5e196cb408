/*
 * history_codec.c - a row of the history as bytes, for the journal
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/history_codec.h"

#include <errno.h>
#include <string.h>

#include "core/buf.h"
#include "store/codec.h"

/* The texts and how long they may be: a phone's AOR is as long as it likes. */
static const struct {
	size_t at, max;
} texts[] = {
	{offsetof(struct history_row, phone), 128},
	{offsetof(struct history_row, aor), 512},
	{offsetof(struct history_row, event), 32},
	{offsetof(struct history_row, cause), 64},
	{offsetof(struct history_row, reason), 768},
};

enum {
	TEXTS = sizeof(texts) / sizeof(texts[0]),
	RTTS = sizeof(((struct history_row *)NULL)->rtt_us) / 4,
	FIXED_BYTES = 8 + 8 + 1 + 2 * CODEC_ADDR_BYTES + 8 + 8 + 4 + 4 + 1,
};

_Static_assert(FIXED_BYTES + RTTS * 4 + TEXTS * 3 + 1504 <= HISTORY_BYTES_MAX,
	       "the longest row must fit");

static const char *text_of(const struct history_row *row, int i)
{
	const char *text;

	memcpy(&text, (const char *)row + texts[i].at, sizeof(text));
	return text;
}

static uint32_t rtts_of(const struct history_row *row)
{
	return row->n_rtt < RTTS ? row->n_rtt : RTTS;
}

size_t history_size(const struct history_row *row)
{
	size_t n = FIXED_BYTES + rtts_of(row) * 4;

	for (int i = 0; i < TEXTS; i++)
		n += codec_text_bytes(text_of(row, i), texts[i].max);
	return n;
}

void history_encode(uint8_t *out, const struct history_row *row)
{
	uint32_t n = rtts_of(row);
	uint8_t *p = out;

	p = codec_put_uint(p, row->at, 8);
	p = codec_put_uint(p, row->binding, 8);
	p = codec_put_uint(p, row->transport, 1);
	p = codec_put_addr(p, &row->source);
	p = codec_put_addr(p, &row->local);
	p = codec_put_uint(p, row->expires_at, 8);
	p = codec_put_uint(p, row->proved_at, 8);
	p = codec_put_uint(p, row->pings, 4);
	p = codec_put_uint(p, row->unanswered, 4);
	p = codec_put_uint(p, n, 1);
	for (uint32_t i = 0; i < n; i++)
		p = codec_put_uint(p, row->rtt_us[i], 4);
	for (int i = 0; i < TEXTS; i++)
		p = codec_put_text(p, text_of(row, i), texts[i].max);
}

int history_decode(struct history_row *out, const void *bytes, size_t len)
{
	struct cursor c = cursor_of(bytes, len);
	struct history_row row = {0};

	row.at = (wall_ms)cursor_u64(&c);
	row.binding = cursor_u64(&c);
	row.transport = cursor_u8(&c);
	codec_get_addr(&c, &row.source);
	codec_get_addr(&c, &row.local);
	row.expires_at = (wall_ms)cursor_u64(&c);
	row.proved_at = (wall_ms)cursor_u64(&c);
	row.pings = cursor_u32(&c);
	row.unanswered = cursor_u32(&c);
	row.n_rtt = cursor_u8(&c);
	if (row.n_rtt > RTTS)
		return -EINVAL;
	for (uint32_t i = 0; i < row.n_rtt; i++)
		row.rtt_us[i] = cursor_u32(&c);
	for (int i = 0; i < TEXTS; i++) {
		const char *text = codec_get_text(&c);

		memcpy((char *)&row + texts[i].at, &text, sizeof(text));
	}
	if (c.bad || cursor_left(&c) != 0)
		return -EINVAL;
	*out = row;
	return 0;
}
