/*
 * rtp.h - RTP and RTCP headers (RFC 3550), read with checks
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure; any thread.
 */
#ifndef SBC_RTP_RTP_H
#define SBC_RTP_RTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rtp_hdr {
	uint8_t payload_type; /* 0..127 */
	bool marker;
	uint16_t seq;
	uint32_t timestamp, ssrc;
	size_t header_bytes;  /* with CSRCs and extension */
	size_t payload_bytes; /* without padding */
};

/* RFC 3550 5.1: version 2, CSRC, extension and padding inside @n.
 * -EINVAL otherwise.  Reads nothing past @n. */
int rtp_read(struct rtp_hdr *out, const uint8_t *p, size_t n);
/* RFC 5761 4: is this (on a muxed port) RTCP? */
bool rtp_is_rtcp(const uint8_t *p, size_t n);
/*
 * RFC 3550 6.4.1, A.2: a compound packet whose lengths add up, version 2,
 * first packet SR or RR (or a reduced-size feedback packet, RFC 5506), report
 * blocks and BYE inside their packet, padding on the last packet only.
 * Writes the sender's SSRC.  -EINVAL.
 */
int rtcp_check(const uint8_t *p, size_t n, uint32_t *ssrc);
/*
 * What the first report block on source @ssrc says that was received of it:
 * the extended highest sequence number (RFC 3550 6.4.1).  False when no SR or
 * RR of a packet that rtcp_check() took has such a block.
 */
bool rtcp_highest_seq(const uint8_t *p, size_t n, uint32_t ssrc, uint32_t *seq);
/* Does it report at all: is there an SR or RR in it, blocks or not? */
bool rtcp_is_report(const uint8_t *p, size_t n);
/*
 * Overwrite what names a person or a host in a packet that rtcp_check() took:
 * the texts of SDES (CNAME is often user@address) and of BYE.  Lengths stay;
 * a CNAME becomes letters that depend on the SSRC alone.
 */
void rtcp_hide_names(uint8_t *p, size_t n);

/* Reception of one source: sequence, loss (RFC 3550 A.1, A.3).  Zeroed =
 * nothing received yet. */
struct rtp_stat {
	uint32_t ssrc;
	uint16_t max_seq;
	uint32_t cycles, base_seq;
	uint32_t bad_seq;  /* where a jump would go on (A.1); 1 << 16 = none */
	uint64_t received; /* over the whole stream */
	uint64_t received_before, lost_before; /* up to the last restart */
	bool started;
};

void rtp_stat_add(struct rtp_stat *st, uint32_t ssrc, uint16_t seq);
/* Expected less received over the whole stream, never negative. */
uint64_t rtp_stat_lost(const struct rtp_stat *st);

#endif
