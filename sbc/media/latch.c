/*
 * latch.c - source learning policy (RFC 7362, and its section 5 for the risks)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who is accepted.  "May be learned": the host of SDP's c= or of the leg's SIP
 * source; with latch 'open' any host.  Ports are always learned.
 *
 *   state        packet from                     accepted
 *   nothing      host that may be learned        at once, and learned
 *   learned      the learned address and port    always
 *   learned      the same host, other port       with proof, old source silent
 *                                                for 60 ms
 *   learned      other host that may be learned  with proof, 3 in a row, old
 *                                                source silent for 500 ms
 *   any          everyone else                   never
 *
 * Proof: SSRC equal, sequence number 1 to 50 ahead, timestamp not behind and
 * not further ahead than the time that passed allows.  One who sees nothing of
 * the stream has to guess some 60 bits; a phone whose NAT gave it a new port
 * simply goes on.
 *
 * Where it is sent to.
 *
 *   SDP address                      before learning    after learning S
 *   unset, 0.0.0.0, multicast        nowhere            nowhere
 *   loopback, SIP from elsewhere     nowhere            S
 *   = SIP source                     SDP                host of S = SDP: SDP,
 *   public, other than SIP source    SDP                else S
 *   private, other than SIP source   nowhere, SDP with
 *                                    latch 'open'
 *
 * A private address that SIP did not come from is another network's: there it
 * may belong to anybody.  S with the host of SDP but another port is a phone
 * without NAT that sends and listens on different ports, so SDP holds; unless
 * signalling showed a NAT (a phone that learned its address by STUN, and a NAT
 * that maps each destination to its own port), then S holds.
 *
 * RTCP is learned by the same hosts on its own and moves only to a source that
 * speaks with the SSRC known, when the old one is silent for 500 ms.
 */
#include "media/latch.h"

enum {
	SILENT_PORT_MS = 60,
	SILENT_HOST_MS = 500,
	HOST_TRIES = 3,
	SEQ_AHEAD_MAX = 50,
	SEQ_LATE_MAX = 100, /* further back is a restart, not a late packet */
	TIMESTAMP_SLACK_MS = 1000,
};

static bool is_signalled(const struct latch_rule *rule, const struct addr *from)
{
	return addr_same_host(from, &rule->sdp) ||
	       addr_same_host(from, &rule->signalling);
}

bool latch_may_speak(const struct latch *l, const struct latch_rule *rule,
		     const struct addr *from)
{
	return (l->learned && addr_equal(from, &l->source)) || rule->open ||
	       is_signalled(rule, from);
}

/* Ticks per ms that the timestamps of @payload_type can advance at most: the
 * static types of RFC 3551 with 8000 Hz are known, others may be video. */
static uint32_t ticks_per_ms(uint8_t payload_type)
{
	const uint32_t at_8000 = 1 << 0 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 7 |
				 1 << 8 | 1 << 9 | 1 << 12 | 1 << 13 | 1 << 15 |
				 1 << 18;

	return payload_type < 32 && at_8000 >> payload_type & 1 ? 8 : 96;
}

static bool is_continuation(const struct latch *l, const struct rtp_hdr *h,
			    mono_ms silent)
{
	uint16_t ahead = (uint16_t)(h->seq - l->seq);
	uint64_t ticks = (uint64_t)(silent + TIMESTAMP_SLACK_MS) *
			 ticks_per_ms(h->payload_type);

	/* Half the circle is behind us, however long the silence was. */
	if (ticks > INT32_MAX)
		ticks = INT32_MAX;
	return h->ssrc == l->ssrc && ahead >= 1 && ahead <= SEQ_AHEAD_MAX &&
	       h->timestamp - l->timestamp <= ticks;
}

static void learn(struct latch *l, const struct addr *from,
		  const struct rtp_hdr *h, mono_ms now)
{
	*l = (struct latch){.source = *from,
			    .learned = true,
			    .seq = h->seq,
			    .ssrc = h->ssrc,
			    .timestamp = h->timestamp,
			    .heard = now};
}

/* The learned source goes on; whoever wanted its place starts anew. */
static void go_on(struct latch *l, const struct rtp_hdr *h, mono_ms now)
{
	bool is_late = h->ssrc == l->ssrc &&
		       (uint16_t)(l->seq - h->seq) < SEQ_LATE_MAX;

	l->heard = now;
	l->tries = 0;
	if (is_late)
		return;
	l->seq = h->seq;
	l->ssrc = h->ssrc;
	l->timestamp = h->timestamp;
}

/* Count a packet of another address towards a take-over. */
static bool has_claimed(struct latch *l, const struct addr *from,
			const struct rtp_hdr *h)
{
	bool in_a_row = l->tries && addr_equal(from, &l->claimant) &&
			h->seq == (uint16_t)(l->claimed_seq + 1);

	l->tries = in_a_row ? l->tries + 1 : 1;
	l->claimant = *from;
	l->claimed_seq = h->seq;
	return l->tries >= HOST_TRIES;
}

enum latch_verdict latch_rtp(struct latch *l, const struct addr *from,
			     const struct rtp_hdr *h, mono_ms now)
{
	mono_ms silent = now - l->heard;
	bool is_port_only;

	if (!l->learned) {
		learn(l, from, h, now);
		return LATCH_LEARNED;
	}
	if (addr_equal(from, &l->source)) {
		go_on(l, h, now);
		return LATCH_ACCEPT;
	}
	is_port_only = addr_same_host(from, &l->source);
	if (silent < (is_port_only ? SILENT_PORT_MS : SILENT_HOST_MS) ||
	    !is_continuation(l, h, silent))
		return LATCH_STRANGER;
	if (!is_port_only && !has_claimed(l, from, h))
		return LATCH_STRANGER;
	learn(l, from, h, now);
	return LATCH_LEARNED;
}

bool latch_may_report(const struct latch_rtcp *l, const struct latch *rtp,
		      const struct latch_rule *rule, const struct addr *from)
{
	if (l->learned && addr_equal(from, &l->source))
		return true;
	if (is_signalled(rule, from) || addr_same_host(from, &rule->sdp_rtcp))
		return true;
	/* 'open' ends where RTP has shown which host it is. */
	return rule->open &&
	       (!rtp->learned || addr_same_host(from, &rtp->source));
}

enum latch_verdict latch_report(struct latch_rtcp *l, const struct addr *from,
				uint32_t ssrc, mono_ms now)
{
	bool is_known = l->learned && addr_equal(from, &l->source);

	if (l->learned && !is_known &&
	    (ssrc != l->ssrc || now - l->heard < SILENT_HOST_MS))
		return LATCH_STRANGER;
	*l = (struct latch_rtcp){
		.source = *from, .learned = true, .ssrc = ssrc, .heard = now};
	return is_known ? LATCH_ACCEPT : LATCH_LEARNED;
}

static bool is_sendable(const struct addr *sdp)
{
	switch (addr_class(sdp)) {
	case ADDR_NONE:
	case ADDR_ANY:
	case ADDR_MULTICAST:
		return false;
	default:
		return addr_port(sdp) != 0;
	}
}

/* May SDP be believed before anybody was heard from there? */
static bool is_plausible(const struct latch_rule *rule, const struct addr *sdp)
{
	if (addr_same_host(sdp, &rule->signalling))
		return true;
	switch (addr_class(sdp)) {
	case ADDR_GLOBAL:
		return true;
	case ADDR_LOOPBACK:
		return addr_class(&rule->signalling) == ADDR_LOOPBACK;
	default:
		return rule->open;
	}
}

void latch_target(struct addr *out, const struct latch_rule *rule,
		  const struct addr *sdp, const struct addr *source)
{
	*out = (struct addr){0};
	if (!is_sendable(sdp))
		return;
	if (source && (rule->behind_nat || !addr_same_host(source, sdp)))
		*out = *source;
	else if (source || is_plausible(rule, sdp))
		*out = *sdp;
}
