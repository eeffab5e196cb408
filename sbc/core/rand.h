/*
 * rand.h - unpredictable numbers and tokens from getrandom(2), buffered per
 * thread
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_CORE_RAND_H
#define SBC_CORE_RAND_H

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *out, size_t n);
uint32_t rand_u32(void);
uint32_t rand_below(uint32_t n); /* uniform in [0, n); @n > 0 */
/*
 * @chars letters and digits (5.9 bits each) and a NUL into @out, which holds
 * @chars + 1 bytes.  Tags and branches use 16 (94 bits), Call-IDs 24.
 */
char *rand_token(char *out, size_t chars);

#endif
