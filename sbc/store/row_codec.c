/*
 * row_codec.c - a binding as bytes, for the journal
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Numbers and addresses in a fixed order, then the texts, then what is known
 * of NATs.  The first version of the database did not know the last part, and
 * its journals end their records without it.
 */
#include "store/row_codec.h"

#include <errno.h>
#include <string.h>

#include "core/buf.h"
#include "store/codec.h"

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
	FIXED_BYTES = 8 + 4 + 4 + 1 + 3 * 8 + 2 * CODEC_ADDR_BYTES,
	NAT_BYTES = 4 + 4 + CODEC_ADDR_BYTES + 2 * 2 + 2 * 4,
};

static const char *text_of(const struct binding_row *row, int i)
{
	const char *text;

	memcpy(&text, (const char *)row + texts[i], sizeof(text));
	return text;
}

size_t row_size(const struct binding_row *row)
{
	size_t n = FIXED_BYTES + NAT_BYTES;

	for (int i = 0; i < TEXTS; i++)
		n += codec_text_bytes(text_of(row, i), CODEC_TEXT_MAX);
	return n;
}

static uint8_t *put_nat(uint8_t *p, const struct store_nat *nat)
{
	p = codec_put_uint(p, nat->evidence, 4);
	p = codec_put_uint(p, nat->alg, 1);
	p = codec_put_uint(p, nat->mapping, 1);
	p = codec_put_uint(p, nat->filter, 1);
	p = codec_put_uint(p, nat->flags, 1);
	p = codec_put_addr(p, &nat->announced);
	p = codec_put_uint(p, nat->floor_s, 2);
	p = codec_put_uint(p, nat->ceiling_s, 2);
	p = codec_put_uint(p, nat->interval_ms, 4);
	return codec_put_uint(p, nat->phase_ms, 4);
}

void row_encode(uint8_t *out, const struct binding_row *row)
{
	uint8_t *p = out;

	p = codec_put_uint(p, row->id, 8);
	p = codec_put_uint(p, row->cseq, 4);
	p = codec_put_uint(p, row->reg_id, 4);
	p = codec_put_uint(p, row->transport, 1);
	p = codec_put_uint(p, row->expires_at, 8);
	p = codec_put_uint(p, row->registered_at, 8);
	p = codec_put_uint(p, row->last_seen, 8);
	p = codec_put_addr(p, &row->source);
	p = codec_put_addr(p, &row->local);
	for (int i = 0; i < TEXTS; i++)
		p = codec_put_text(p, text_of(row, i), CODEC_TEXT_MAX);
	put_nat(p, &row->nat);
}

static void get_nat(struct cursor *c, struct store_nat *nat)
{
	nat->evidence = cursor_u32(c);
	nat->alg = cursor_u8(c);
	nat->mapping = cursor_u8(c);
	nat->filter = cursor_u8(c);
	nat->flags = cursor_u8(c);
	codec_get_addr(c, &nat->announced);
	nat->floor_s = cursor_u16(c);
	nat->ceiling_s = cursor_u16(c);
	nat->interval_ms = cursor_u32(c);
	nat->phase_ms = cursor_u32(c);
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
	codec_get_addr(&c, &row.source);
	codec_get_addr(&c, &row.local);
	for (int i = 0; i < TEXTS; i++) {
		const char *text = codec_get_text(&c);

		memcpy((char *)&row + texts[i], &text, sizeof(text));
	}
	if (cursor_left(&c) != 0)
		get_nat(&c, &row.nat);
	if (c.bad || cursor_left(&c) != 0)
		return -EINVAL;
	*out = row;
	return 0;
}
