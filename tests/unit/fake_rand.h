/*
 * fake_rand.h - core/rand.h repeats itself: the kernel's random numbers, from
 * a seed
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each run has another seed and tells it first; RAND_SEED=N runs that one
 * again.  Included by the one file of a test program.
 */
#ifndef SBC_TESTS_FAKE_RAND_H
#define SBC_TESTS_FAKE_RAND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include <cmocka.h>

static uint64_t fake_rand_state;

/* In the place of libc's: a program's own comes first. */
ssize_t getrandom(void *out, size_t n, unsigned flags)
{
	uint8_t *at = out;

	(void)flags;
	for (size_t i = 0; i < n; i++) { /* splitmix64 */
		uint64_t z = fake_rand_state += 0x9e3779b97f4a7c15u;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		z = (z ^ z >> 27) * 0x94d049bb133111ebu;
		at[i] = (uint8_t)(z >> 56);
	}
	return (ssize_t)n;
}

/* Before the first random number is drawn. */
static inline void fake_rand_begin(void)
{
	const char *text = getenv("RAND_SEED");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	fake_rand_state =
		text ? strtoull(text, NULL, 10) : (uint64_t)now.tv_nsec;
	print_message("RAND_SEED=%llu\n", (unsigned long long)fake_rand_state);
}

#endif
