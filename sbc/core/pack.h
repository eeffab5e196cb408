/*
 * pack.h - small binary records: numbers, addresses and short texts in a row
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Big-endian.  Writers remember overflow in the buf, readers a short record in
 * the cursor.  Any thread.
 */
#ifndef SBC_CORE_PACK_H
#define SBC_CORE_PACK_H

#include "core/addr.h"
#include "core/buf.h"

enum { PACK_TEXT_MAX = 255 };

/* The lowest @bytes bytes of @value. */
void pack_number(struct buf *b, uint64_t value, unsigned bytes);
/* Host and port; the reader has to know the family. */
void pack_host(struct buf *b, const struct addr *a);
/* Its family before that. */
void pack_addr(struct buf *b, const struct addr *a);
/* Its length before it; NULL is "".  Longer ones overflow. */
void pack_text(struct buf *b, const char *text);

uint64_t unpack_number(struct cursor *c, unsigned bytes);
void unpack_host(struct cursor *c, bool is_v6, struct addr *out);
void unpack_addr(struct cursor *c, struct addr *out);
/* Copied with NUL; what does not fit in @cap, or holds a control byte, is
 * bad. */
void unpack_text(struct cursor *c, char *out, size_t cap);

#endif
