/*
 * clock.h - the two clocks: monotonic for everything, wall only for display
 * and for what must outlive the process
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any thread.  Tests freeze the clock and move it by hand.
 */
#ifndef SBC_CORE_CLOCK_H
#define SBC_CORE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

typedef int64_t mono_ms; /* milliseconds since boot, never jumps */
typedef int64_t wall_ms; /* milliseconds since 1970 UTC, may jump */

mono_ms clock_mono(void);
wall_ms clock_wall(void);
uint64_t clock_mono_us(void);

#define CLOCK_TEXT_MAX 32
/* RFC 3339 UTC with milliseconds: 2026-01-02T03:04:05.678Z; returns @text. */
const char *clock_fmt(wall_ms t, char text[CLOCK_TEXT_MAX]);

/* Tests: from now on both clocks stand still at these values. */
void clock_freeze(mono_ms mono, wall_ms wall);
void clock_advance(int64_t ms); /* moves both frozen clocks */
void clock_thaw(void);

#endif
