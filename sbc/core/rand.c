/*
 * rand.c - unpredictable numbers and tokens from getrandom(2)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One system call fills a small buffer per thread.  Bytes are wiped as they
 * are handed out, so that a later leak of memory tells nothing of old tokens.
 */
#include "core/rand.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { POOL_BYTES = 256 };

static _Thread_local struct {
	uint8_t bytes[POOL_BYTES];
	size_t left;
} pool;

static void from_kernel(uint8_t *out, size_t n)
{
	while (n) {
		ssize_t got = getrandom(out, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort(); /* guessable tokens are worse than no service */
		out += got;
		n -= (size_t)got;
	}
}

void rand_bytes(void *out, size_t n)
{
	if (n > POOL_BYTES) {
		from_kernel(out, n);
		return;
	}
	if (n > pool.left) {
		from_kernel(pool.bytes, POOL_BYTES);
		pool.left = POOL_BYTES;
	}
	if (!n)
		return;
	pool.left -= n;
	memcpy(out, pool.bytes + pool.left, n);
	explicit_bzero(pool.bytes + pool.left, n);
}

uint32_t rand_u32(void)
{
	uint32_t v;

	rand_bytes(&v, sizeof(v));
	return v;
}

uint32_t rand_below(uint32_t n)
{
	/* Throw away the 2^32 mod n lowest values: the rest is uniform. */
	uint32_t floor = (0u - n) % n;
	uint32_t v;

	do
		v = rand_u32();
	while (v < floor);
	return v % n;
}

char *rand_token(char *out, size_t chars)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz"
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789";
	size_t i = 0;
	uint8_t b;

	while (i < chars) {
		rand_bytes(&b, 1);
		if (b < 248) /* 4 * 62, so that every letter is as likely */
			out[i++] = alphabet[b % 62];
	}
	out[chars] = '\0';
	return out;
}
