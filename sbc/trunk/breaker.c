/*
 * breaker.c - the circuit breaker of one host
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "trunk/breaker.h"

static void wait_longer(struct breaker *b, mono_ms now)
{
	b->wait_ms = b->wait_ms ? 2 * b->wait_ms : BREAKER_FIRST_MS;
	if (b->wait_ms > BREAKER_LONGEST_MS)
		b->wait_ms = BREAKER_LONGEST_MS;
	b->probe_at = now + b->wait_ms;
}

bool breaker_failed(struct breaker *b, enum breaker_failure what, mono_ms now)
{
	b->failures++;
	b->strikes += what;
	b->by_request |= what != BREAKER_LOST;
	if (b->is_open) {
		/* Many calls may have waited for it at once: they are one
		 * failure. */
		if (now >= b->probe_at)
			wait_longer(b, now);
		return false;
	}
	if (b->strikes < BREAKER_STRIKES)
		return false;
	b->is_open = true;
	wait_longer(b, now);
	return true;
}

bool breaker_worked(struct breaker *b, bool was_probe)
{
	bool was_open = b->is_open;

	b->is_open = false;
	b->strikes = 0;
	b->failures = 0;
	if (!was_probe || !b->by_request) {
		b->by_request = false;
		b->wait_ms = 0;
	}
	return was_open;
}

void breaker_out(struct breaker *b, int64_t s, mono_ms now)
{
	if (s > BREAKER_MOST_OUT_S)
		s = BREAKER_MOST_OUT_S;
	if (now + s * 1000 > b->out_until)
		b->out_until = now + s * 1000;
}

bool breaker_is_down(const struct breaker *b)
{
	return b->is_open && b->failures > 1;
}
