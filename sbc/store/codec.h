/*
 * codec.h - numbers, addresses and texts as bytes of a journal record
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Big-endian numbers.  A text is two bytes of length that count its NUL, 0 for
 * an absent one, and the bytes with their NUL, so that what is decoded can
 * point straight into the record.  The writers return the place after what
 * they wrote; the readers leave @c->bad set for anything that they would not
 * have written.
 */
#ifndef SBC_STORE_CODEC_H
#define SBC_STORE_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/buf.h"

enum {
	CODEC_ADDR_BYTES = 1 + 16 + 2 + 4,
	CODEC_TEXT_MAX = 65534, /* without its NUL */
};

uint8_t *codec_put_uint(uint8_t *p, uint64_t v, int bytes);
uint8_t *codec_put_addr(uint8_t *p, const struct addr *a);
/* Bytes beyond @max are left out, and never a part of a character of UTF-8. */
size_t codec_text_bytes(const char *text, size_t max);
uint8_t *codec_put_text(uint8_t *p, const char *text, size_t max);

void codec_get_addr(struct cursor *c, struct addr *out);
const char *codec_get_text(struct cursor *c);

#endif
