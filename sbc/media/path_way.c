/*
 * path_way.c - where a stream sends, and what it finds out about that
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * latch_target() says which of SDP's address and the learned source is the
 * right one.  It can be wrong: a phone that sends from another port than it
 * listens on while a NAT was shown (S2-12), or that says one port and listens
 * on the other.  Then the peer's machine or its reports tell:
 *
 *   ICMP port unreachable, twice within    --.
 *   5 s and 200 ms apart                      >-- the other of the two, at
 *   two reports in a row that show nothing --'    most FLIPS times
 *   received, while we sent
 *
 * One ICMP is a phone that opens its socket a moment late.
 *
 * Nobody else may turn the stream away from a phone that hears us.  So an
 * ICMP has to quote the SSRC and a sequence number of what we sent of late,
 * and one that quotes less than an RTP header says nothing; a report counts
 * only from the host that RTP comes from, and only on the SSRC that we relay.
 * A phone behind a NAT whose SDP has a private address has no other address.
 *
 * A source that moved (latch.c) is followed, if it was sent to where it spoke
 * from: its SDP port was the old mapping of the same NAT.
 */
#include <string.h>

#include "core/buf.h"
#include "media/path.h"

enum {
	FLIPS = 4,
	REFUSED_AGAIN_MS = 200,
	REFUSED_LATEST_MS = 5000,
	DEAF_REPORTS = 2,
	SENT_MIN = 25,  /* packets between two reports that mean something */
	LATE_MAX = 100, /* packets since the one that is quoted */
};

/* Let path_read_stats() see the latch and the target of RTP. */
static void publish(struct path *p)
{
	struct path_view *v = &p->view;
	uint64_t words[PATH_VIEW_WORDS] = {0};

	memcpy(words, &p->to_rtp, sizeof(p->to_rtp));
	atomic_fetch_add_explicit(&v->version, 1, memory_order_acq_rel);
	for (int i = 0; i < PATH_VIEW_WORDS; i++)
		atomic_store_explicit(&v->remote[i], words[i],
				      memory_order_release);
	atomic_store_explicit(&v->latched, p->latch.learned,
			      memory_order_release);
	atomic_fetch_add_explicit(&v->version, 1, memory_order_release);
}

void path_aim(struct path *p)
{
	const struct addr *source = p->latch.learned ? &p->latch.source : NULL;
	const struct addr *reporter =
		p->latch_rtcp.learned ? &p->latch_rtcp.source : NULL;
	struct latch_rule rule = p->rule;
	struct addr other;

	rule.behind_nat |= p->way.follows;
	latch_target(&p->to_rtp, &rule, &rule.sdp, source);
	latch_other(&other, &rule, &rule.sdp, source);
	if (p->way.other && addr_is_set(&other))
		p->to_rtp = other;
	latch_target(&p->to_rtcp, &rule, &rule.sdp_rtcp, reporter);
	if (p->mux)
		p->to_rtcp = p->to_rtp;
	publish(p);
}

void path_way_reset(struct path *p)
{
	p->way = (struct path_way){0};
}

void path_moved(struct path *p, const struct addr *before)
{
	bool follows = p->way.follows || addr_equal(&p->to_rtp, before);

	path_add(&p->n.moves, 1);
	path_way_reset(p);
	p->way.follows = follows;
	/* Reports came along the same way, and will along the new one. */
	if (!addr_same_host(before, &p->latch.source))
		p->latch_rtcp = (struct latch_rtcp){0};
}

/* Where we send is deaf: take the other address, if there is one. */
static void flip(struct path *p)
{
	struct addr before = p->to_rtp;

	if (p->way.flips >= FLIPS)
		return;
	p->way.other = !p->way.other;
	p->way.deaf_reports = 0;
	p->way.refused_at = 0;
	path_aim(p);
	if (addr_equal(&before, &p->to_rtp)) {
		p->way.other = false; /* there is no other */
		return;
	}
	p->way.flips++;
	path_add(&p->n.flips, 1);
}

/* ---- ICMP ---------------------------------------------------------------- */

static bool is_of_late(uint16_t seq, uint16_t newest)
{
	return (uint16_t)(newest - seq) <= LATE_MAX;
}

/* Did we send what @quote begins like, a moment ago? */
static bool is_ours(const struct path *p, const uint8_t *quote, size_t n)
{
	struct cursor c = cursor_of(quote, n);
	uint16_t seq;
	uint32_t ssrc;

	cursor_u16(&c);
	seq = cursor_u16(&c);
	cursor_u32(&c);
	ssrc = cursor_u32(&c);
	if (c.bad)
		return false;
	if (p->partner && p->partner->latch.learned &&
	    ssrc == p->partner->latch.ssrc)
		return is_of_late(seq, p->partner->latch.seq);
	return path_get(&p->n.pierced) && ssrc == p->pierce.ssrc &&
	       is_of_late(seq, p->pierce.seq);
}

void path_refused(struct path *p, const struct addr *to, const uint8_t *quote,
		  size_t n, mono_ms now)
{
	mono_ms passed = now - p->way.refused_at;

	if (!addr_is_set(&p->to_rtp) || !addr_equal(to, &p->to_rtp) ||
	    !is_ours(p, quote, n))
		return;
	path_add(&p->n.refused, 1);
	if (!p->way.refused_at || passed > REFUSED_LATEST_MS)
		p->way.refused_at = now;
	else if (passed >= REFUSED_AGAIN_MS)
		flip(p);
}

/* ---- reports ------------------------------------------------------------- */

/* Does the report in @pkt show that more of @ssrc came than the last did? */
static bool has_received(struct path_way *way, const struct path_packet *pkt,
			 uint32_t ssrc)
{
	bool was_reported = way->is_reported && way->ssrc == ssrc;
	uint32_t before = way->seq;

	way->ssrc = ssrc;
	way->is_reported =
		rtcp_highest_seq(pkt->bytes, pkt->n, ssrc, &way->seq);
	return way->is_reported && (!was_reported || way->seq != before);
}

void path_hear_report(struct path *p, const struct path_packet *pkt)
{
	struct path_way *way = &p->way;
	uint64_t sent = path_get(&p->n.out_packets);
	bool is_much = sent - way->sent_before >= SENT_MIN;

	if (!p->partner || !p->partner->latch.learned || !p->latch.learned ||
	    !addr_same_host(&pkt->from, &p->latch.source) ||
	    !rtcp_is_report(pkt->bytes, pkt->n))
		return;
	way->sent_before = sent;
	if (has_received(way, pkt, p->partner->latch.ssrc))
		way->deaf_reports = 0;
	else if (is_much && ++way->deaf_reports >= DEAF_REPORTS)
		flip(p);
}
