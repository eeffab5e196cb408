/*
 * clock.c - monotonic and wall clock, and how tests hold them still
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The frozen values are atomic because threads under test read them while the
 * test moves them; in the product they are written never.
 */
#include "core/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static _Atomic bool frozen;
static _Atomic mono_ms frozen_mono;
static _Atomic wall_ms frozen_wall;

static uint64_t read_us(clockid_t id)
{
	struct timespec ts = {0};

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_mono_us(void)
{
	if (frozen)
		return (uint64_t)frozen_mono * 1000;
	return read_us(CLOCK_MONOTONIC);
}

mono_ms clock_mono(void)
{
	if (frozen)
		return frozen_mono;
	return (mono_ms)(read_us(CLOCK_MONOTONIC) / 1000);
}

wall_ms clock_wall(void)
{
	if (frozen)
		return frozen_wall;
	return (wall_ms)(read_us(CLOCK_REALTIME) / 1000);
}

/* "2026-01-02T03:04:05.", with room for the rest. */
static void fmt_second(time_t s, char text[CLOCK_TEXT_MAX])
{
	struct tm tm;

	/* Years of five digits would not fit RFC 3339 nor the buffer. */
	if (!gmtime_r(&s, &tm) || tm.tm_year > 9999 - 1900 ||
	    tm.tm_year < -1900)
		tm = (struct tm){.tm_year = 9999 - 1900, .tm_mday = 1};
	snprintf(text, CLOCK_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.",
		 (unsigned)(tm.tm_year + 1900) % 10000,
		 (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100,
		 (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		 (unsigned)tm.tm_sec % 100);
}

/* Most times that are told of lie in the same second as the one before. */
const char *clock_fmt(wall_ms t, char text[CLOCK_TEXT_MAX])
{
	static __thread char last[CLOCK_TEXT_MAX];
	static __thread time_t last_s;
	int64_t ms = ((t % 1000) + 1000) % 1000;
	time_t s = (time_t)(t / 1000 - (t % 1000 < 0));
	size_t n;

	if (s != last_s || !last[0]) {
		fmt_second(s, last);
		last_s = s;
	}
	n = strlen(last);
	memcpy(text, last, n);
	text[n] = (char)('0' + ms / 100);
	text[n + 1] = (char)('0' + ms / 10 % 10);
	text[n + 2] = (char)('0' + ms % 10);
	memcpy(text + n + 3, "Z", 2);
	return text;
}

void clock_freeze(mono_ms mono, wall_ms wall)
{
	frozen_mono = mono;
	frozen_wall = wall;
	frozen = true;
}

void clock_advance(int64_t ms)
{
	frozen_mono += ms;
	frozen_wall += ms;
}

void clock_thaw(void)
{
	frozen = false;
}
