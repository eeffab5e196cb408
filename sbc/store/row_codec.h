/*
 * row_codec.h - a binding as bytes, for the journal
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_STORE_ROW_CODEC_H
#define SBC_STORE_ROW_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

/* How many bytes row_encode() writes.  Strings count up to 65534 bytes. */
size_t row_size(const struct binding_row *row);
void row_encode(uint8_t *out, const struct binding_row *row);
/* Strings of @out point into @bytes.  -EINVAL for anything but what
 * row_encode() wrote. */
int row_decode(struct binding_row *out, const void *bytes, size_t len);

#endif
