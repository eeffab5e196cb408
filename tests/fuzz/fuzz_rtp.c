/*
 * fuzz_rtp.c - any bytes as a media packet: RTP header, RTCP compound, counts
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The input is a run of packets, each behind its length in two bytes, so that
 * the counters see a whole stream.
 */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "rtp/rtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void try_packet(struct rtp_stat *st, uint8_t *p, size_t n)
{
	struct rtp_hdr h = {0};
	uint32_t ssrc = 0, seq = 0;
	bool seen;
	uint64_t before = rtp_stat_lost(st);

	if (rtp_read(&h, p, n) == 0) {
		must(h.header_bytes >= 12);
		must(h.header_bytes + h.payload_bytes <= n);
		must(h.payload_type < 128);
		must(n - h.header_bytes - h.payload_bytes <= 255);
		rtp_stat_add(st, h.ssrc, h.seq);
		must(rtp_stat_lost(st) <= before + 3000);
	}
	if (rtcp_check(p, n, &ssrc) == 0) {
		must(n % 4 == 0 && n >= 8);
		must(rtp_is_rtcp(p, n));
		seen = rtcp_highest_seq(p, n, h.ssrc, &seq);
		must(!seen || rtcp_is_report(p, n));
		rtcp_hide_names(p, n); /* changes texts only */
		must(rtcp_check(p, n, &ssrc) == 0);
		must(rtcp_highest_seq(p, n, h.ssrc, &seq) == seen);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	struct rtp_stat st = {0};

	while (cursor_left(&c)) {
		size_t n = cursor_u16(&c);
		uint8_t *exact;

		if (n > cursor_left(&c))
			n = cursor_left(&c);
		/* Its own block, so that a read past the end is seen. */
		exact = malloc(n + !n);
		must(exact);
		if (n)
			memcpy(exact, cursor_take(&c, n), n);
		try_packet(&st, exact, n);
		free(exact);
	}
	return 0;
}
