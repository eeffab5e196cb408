/*
 * latch.h - who may speak to a stream, and where it is spoken to
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure decisions over structs; the time is handed in.  One thread at a time.
 * The policy is the table on top of latch.c.
 */
#ifndef SBC_MEDIA_LATCH_H
#define SBC_MEDIA_LATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/clock.h"
#include "rtp/rtp.h"

/* What signalling said of a peer; the same for RTP and RTCP. */
struct latch_rule {
	struct addr sdp, sdp_rtcp; /* unset or 0.0.0.0: do not send */
	struct addr signalling;    /* source of the leg's SIP; host matters */
	bool open;                 /* any host may be learned */
	bool behind_nat;           /* signalling showed a NAT */
};

enum { LATCH_CLAIMS = 4 };

/* Another address that wants to take over, or while nobody is learned, one
 * that may not be. */
struct latch_claim {
	struct addr from;
	uint16_t seq;
	uint8_t row; /* packets in a row */
	mono_ms at;  /* of the newest */
};

/* The source of RTP; zeroed = nobody has been heard. */
struct latch {
	struct addr source;
	bool learned;
	uint8_t n_claims;
	uint8_t guesses; /* wrong proofs with the right SSRC, since @guessed */
	uint16_t seq;
	uint32_t ssrc, timestamp; /* with @seq: the newest packet accepted */
	uint32_t frame;           /* ticks from one packet to the next */
	mono_ms heard;            /* when any packet of @source was accepted */
	mono_ms guessed;
	struct latch_claim claims[LATCH_CLAIMS];
};

/* The source of RTCP; never moves RTP. */
struct latch_rtcp {
	struct addr source;
	bool learned;
	uint32_t ssrc;
	mono_ms heard;
};

enum latch_verdict {
	LATCH_STRANGER, /* count, touch nothing */
	LATCH_ACCEPT,   /* from the source that was learned before */
	LATCH_LEARNED,  /* accept; the source is new */
};

/*
 * Is a packet of @from worth reading: the learned source, one that may be
 * learned first, or one that may try to take over a silent source?  Cheap;
 * what it refuses is a stranger whatever the packet says.
 */
bool latch_may_speak(const struct latch *l, const struct latch_rule *rule,
		     const struct addr *from, mono_ms now);
/*
 * May this packet, valid and of a negotiated payload type, be accepted?  Only
 * for sources that latch_may_speak() let pass.
 */
enum latch_verdict latch_rtp(struct latch *l, const struct addr *from,
			     const struct rtp_hdr *h, mono_ms now);
/* The same where nothing proves a stream (no RTP): the first host that may be
 * learned, at the port it speaks from; another port of it when that has been
 * silent. */
enum latch_verdict latch_raw(struct latch *l, const struct addr *from,
			     mono_ms now);
/*
 * Nobody is learned, and @from may not be: is it a stream all the same, and
 * no probe?  True from the third packet in a row on (S0-36: media from
 * another address than signalling).
 */
bool latch_is_foreign(struct latch *l, const struct addr *from,
		      const struct rtp_hdr *h, mono_ms now);

bool latch_may_report(const struct latch_rtcp *l, const struct latch *rtp,
		      const struct latch_rule *rule, const struct addr *from);
/* The same for a valid compound RTCP packet whose sender is @ssrc. */
enum latch_verdict latch_report(struct latch_rtcp *l, const struct addr *from,
				uint32_t ssrc, mono_ms now);

/*
 * Where to send what SDP wants at @sdp, when @source was learned (NULL: nobody
 * yet).  Leaves @out unset when nothing must be sent.
 */
void latch_target(struct addr *out, const struct latch_rule *rule,
		  const struct addr *sdp, const struct addr *source);
/* The other of the two, SDP's address and the learned source, when both are
 * possible; else unset. */
void latch_other(struct addr *out, const struct latch_rule *rule,
		 const struct addr *sdp, const struct addr *source);

#endif
