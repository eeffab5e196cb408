/*
 * rtp_stat.c - sequence numbers and loss of one stream (RFC 3550 A.1, A.3)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A stream outlives its sources: a new SSRC, or a sender that restarted its
 * numbers, begins a new count on top of what was lost before.
 */
#include "rtp/rtp.h"

enum {
	MAX_DROPOUT = 3000,  /* a gap of a minute at 50 packets/s */
	MAX_MISORDER = 100,  /* packets this late still belong */
	NO_BAD_SEQ = 1 << 16 /* equals no sequence number */
};

static uint64_t expected(const struct rtp_stat *st)
{
	return (uint64_t)st->cycles + st->max_seq - st->base_seq + 1;
}

static uint64_t lost_now(const struct rtp_stat *st)
{
	uint64_t got = st->received - st->received_before;

	/* Duplicates can make more than expected (A.3). */
	return expected(st) > got ? expected(st) - got : 0;
}

uint64_t rtp_stat_lost(const struct rtp_stat *st)
{
	return st->started ? st->lost_before + lost_now(st) : 0;
}

static void restart(struct rtp_stat *st, uint32_t ssrc, uint16_t seq)
{
	st->lost_before = rtp_stat_lost(st);
	st->received_before = st->received;
	st->ssrc = ssrc;
	st->max_seq = seq;
	st->base_seq = seq;
	st->cycles = 0;
	st->bad_seq = NO_BAD_SEQ;
	st->started = true;
}

void rtp_stat_add(struct rtp_stat *st, uint32_t ssrc, uint16_t seq)
{
	uint16_t ahead = (uint16_t)(seq - st->max_seq);

	if (!st->started || ssrc != st->ssrc) {
		restart(st, ssrc, seq);
	} else if (ahead < MAX_DROPOUT) {
		if (seq < st->max_seq)
			st->cycles += 1 << 16;
		st->max_seq = seq;
		st->bad_seq = NO_BAD_SEQ;
	} else if (ahead <= (1 << 16) - MAX_MISORDER) {
		/* A big jump counts once a second packet confirms it. */
		if (seq != st->bad_seq) {
			st->bad_seq = (uint16_t)(seq + 1);
			return;
		}
		restart(st, ssrc, seq);
	}
	st->received++;
}
