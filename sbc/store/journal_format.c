/*
 * journal_format.c - the bytes of the journal file
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * CRC-32C is the one of Castagnoli: reflected, polynomial 0x82f63b78.
 */
#include "store/journal_format.h"

#include <errno.h>
#include <string.h>

enum { VERSION = 1 };

static const char file_magic[8] = "SBCJRNL";

void crc_init(struct crc_table *c)
{
	for (unsigned i = 0; i < 256; i++) {
		uint32_t v = i;

		for (int bit = 0; bit < 8; bit++)
			v = v >> 1 ^ (v & 1 ? 0x82f63b78u : 0);
		c->t[0][i] = v;
	}
	for (unsigned i = 0; i < 256; i++)
		for (int k = 1; k < 8; k++)
			c->t[k][i] = c->t[k - 1][i] >> 8 ^
				     c->t[0][c->t[k - 1][i] & 0xff];
}

static uint32_t crc_add(const struct crc_table *c, uint32_t crc,
			const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	crc = ~crc;
	for (; n >= 8; n -= 8, p += 8) {
		uint32_t lo =
			crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 |
			       (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);

		crc = c->t[7][lo & 0xff] ^ c->t[6][lo >> 8 & 0xff] ^
		      c->t[5][lo >> 16 & 0xff] ^ c->t[4][lo >> 24] ^
		      c->t[3][p[4]] ^ c->t[2][p[5]] ^ c->t[1][p[6]] ^
		      c->t[0][p[7]];
	}
	for (; n; n--, p++)
		crc = crc >> 8 ^ c->t[0][(crc ^ *p) & 0xff];
	return ~crc;
}

uint32_t crc_salted(const struct crc_table *c, uint64_t salt, const void *bytes,
		    size_t n)
{
	return crc_add(c, crc_add(c, 0, &salt, sizeof(salt)), bytes, n);
}

/* ---- head and mark ------------------------------------------------------- */

static uint32_t file_head_crc(const struct crc_table *c,
			      const struct file_head *h)
{
	return crc_add(c, 0, h, offsetof(struct file_head, crc));
}

void file_head_make(struct file_head *out, const struct crc_table *c,
		    uint32_t bytes, uint64_t salt)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->magic, file_magic, sizeof(out->magic));
	out->version = VERSION;
	out->bytes = bytes;
	out->salt = salt;
	out->crc = file_head_crc(c, out);
}

int file_head_read(struct file_head *out, const struct crc_table *c,
		   const uint8_t *file, size_t len)
{
	struct file_head h;

	if (len < JOURNAL_HEAD_BYTES)
		return -EINVAL;
	memcpy(&h, file, sizeof(h));
	if (memcmp(h.magic, file_magic, sizeof(file_magic)) != 0 ||
	    h.version != VERSION || h.crc != file_head_crc(c, &h))
		return -EINVAL;
	*out = h;
	return 0;
}

uint64_t mark_make(const struct crc_table *c, uint64_t salt, uint64_t seq)
{
	return seq << 16 | (crc_salted(c, salt, &seq, sizeof(seq)) & 0xffff);
}

uint64_t mark_read(const struct crc_table *c, uint64_t salt,
		   const uint8_t *file)
{
	uint64_t mark, seq;

	memcpy(&mark, file + MARK_OFFSET, sizeof(mark));
	seq = mark >> 16;
	return mark == mark_make(c, salt, seq) ? seq : 0;
}

/* ---- records ------------------------------------------------------------ */

size_t record_bytes(size_t len)
{
	return sizeof(struct record_head) +
	       ((len + RECORD_ALIGN - 1) & ~(size_t)(RECORD_ALIGN - 1));
}

static uint32_t record_head_crc(const struct crc_table *c, uint64_t salt,
				const struct record_head *h)
{
	return crc_salted(c, salt, h, offsetof(struct record_head, head_crc));
}

void record_seal(const struct crc_table *c, uint64_t salt, uint8_t *at,
		 const struct journal_record *rec)
{
	struct record_head h = {
		.magic = RECORD_MAGIC,
		.len_type = (uint32_t)rec->len << 8 | rec->type,
		.seq = rec->seq,
		.body_crc = crc_salted(c, salt, at + sizeof(h), rec->len),
	};

	h.head_crc = record_head_crc(c, salt, &h);
	memcpy(at, &h, sizeof(h));
}

static void open_head(const struct record_head *h, const uint8_t *at,
		      struct journal_record *out)
{
	out->len = h->len_type >> 8;
	out->type = h->len_type & 0xff;
	out->seq = h->seq;
	out->body = at + sizeof(*h);
}

void record_open(const uint8_t *at, struct journal_record *out)
{
	struct record_head h;

	memcpy(&h, at, sizeof(h));
	open_head(&h, at, out);
}

bool record_read(const struct crc_table *c, uint64_t salt, const uint8_t *at,
		 size_t left, struct journal_record *out)
{
	struct record_head h;

	if (left < sizeof(h))
		return false;
	memcpy(&h, at, sizeof(h));
	if (h.magic != RECORD_MAGIC ||
	    h.head_crc != record_head_crc(c, salt, &h))
		return false;
	open_head(&h, at, out);
	return out->len <= left - sizeof(h) &&
	       h.body_crc == crc_salted(c, salt, out->body, out->len);
}
