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

/* The source of RTP; zeroed = nobody has been heard. */
struct latch {
	struct addr source;
	bool learned;
	uint8_t tries; /* packets in a row of @claimant */
	uint16_t seq, claimed_seq;
	uint32_t ssrc, timestamp; /* with @seq: the newest packet accepted */
	mono_ms heard;            /* when any packet of @source was accepted */
	struct addr claimant;     /* another address that wants to take over */
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

/* Is @from worth reading: the learned source, or a host that may become it?
 * Cheap; what it refuses is a stranger whatever the packet says. */
bool latch_may_speak(const struct latch *l, const struct latch_rule *rule,
		     const struct addr *from);
/*
 * May this packet, valid and of a negotiated payload type, be accepted?  Only
 * for sources that latch_may_speak() let pass.
 */
enum latch_verdict latch_rtp(struct latch *l, const struct addr *from,
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

#endif
