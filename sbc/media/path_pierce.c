/*
 * path_pierce.c - speaking first, when both sides wait (X-13, RFC 6263)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A relay that waits for media before it sends any, like ours for a phone
 * behind NAT, never hears a peer that waits in the same way; and a NAT or
 * filter in front of the peer lets nothing in before something went out.  So
 * a stream that has somebody to relay for and knows where to send, that
 * nobody is heard on and nothing was relayed to for 200 ms, sends a packet
 * that says nothing, each 200 ms, 25 times at most.  Whatever signalling says
 * begins that anew: early media may have been silent for the whole ringing.
 *
 * The filler is a source of its own, with its own SSRC: what is relayed later
 * is a new source for the receiver and not a jump in this one.
 */
#include "core/rand.h"
#include "media/path.h"

enum {
	FILLERS = 25,
	FILLER_TICKS = 8 * PATH_PIERCE_MS,
	RTP_HEADER_BYTES = 12,
};

void path_pierce_arm(struct path *p)
{
	if (!p->pierce.ssrc) {
		p->pierce.ssrc = rand_u32();
		p->pierce.timestamp = rand_u32();
		p->pierce.seq = (uint16_t)rand_u32();
	}
	p->pierce.left = FILLERS;
	p->pierce.relayed = path_get(&p->n.out_packets);
}

static bool is_negotiated(const struct path *p, uint8_t type)
{
	return type < 128 && p->payload_types[type >> 6] >> (type & 63) & 1;
}

bool path_is_waiting(const struct path *p)
{
	return p->pierce.left && p->partner && p->send &&
	       addr_is_set(&p->to_rtp) && !p->latch.learned &&
	       is_negotiated(p, p->pierce.filler.type);
}

static uint8_t *put_u32(uint8_t *at, uint32_t value)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		*at++ = (uint8_t)(value >> shift);
	return at;
}

static size_t write_filler(struct path_pierce *f, uint8_t *bytes)
{
	uint8_t *at;

	f->seq++;
	f->timestamp += FILLER_TICKS;
	bytes[0] = 0x80; /* version 2, RFC 3550 5.1 */
	bytes[1] = f->filler.type;
	bytes[2] = (uint8_t)(f->seq >> 8);
	bytes[3] = (uint8_t)f->seq;
	at = put_u32(bytes + 4, f->timestamp);
	at = put_u32(at, f->ssrc);
	for (unsigned i = 0; i < f->filler.n; i++)
		*at++ = f->filler.byte;
	return RTP_HEADER_BYTES + f->filler.n;
}

bool path_pierce(struct path *p, uint8_t bytes[PATH_FILLER_MAX], size_t *n,
		 struct path_hop *hop)
{
	uint64_t relayed = path_get(&p->n.out_packets);

	if (!path_is_waiting(p))
		return false;
	p->pierce.left--;
	if (relayed != p->pierce.relayed) { /* that opens the way as well */
		p->pierce.relayed = relayed;
		return false;
	}
	*n = write_filler(&p->pierce, bytes);
	*hop = (struct path_hop){.out = p, .to = &p->to_rtp, .is_filler = true};
	return true;
}
