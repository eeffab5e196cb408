/*
 * history_codec.h - a row of the history as bytes, for the journal
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_STORE_HISTORY_CODEC_H
#define SBC_STORE_HISTORY_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

/* No row takes more, whatever its texts are: they are cut. */
enum { HISTORY_BYTES_MAX = 2000 };

/* How many bytes history_encode() writes. */
size_t history_size(const struct history_row *row);
void history_encode(uint8_t *out, const struct history_row *row);
/* Texts of @out point into @bytes.  -EINVAL for anything but what
 * history_encode() wrote. */
int history_decode(struct history_row *out, const void *bytes, size_t len);

#endif
