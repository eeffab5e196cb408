/*
 * path.c - the walk of one packet
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   bytes, source
 *     | no RTP at all? ---------------------> walk_raw()
 *     | RTCP? ------------------------------> walk_rtcp(), the same in small
 *     | latch: may this host speak here? ---> stranger
 *     | rtp: version 2, lengths add up? ----> malformed
 *     | payload type negotiated? -----------> payload_type
 *     | latch: this port, now? -------------> stranger
 *     | count; sequence and loss
 *     | partner wants it, and where? -------> unbridged
 *     | a key that it is told otherwise? ---> path_keys.c
 *     v
 *   out at the partner
 *
 * A stranger leaves before anything that the stream depends on is touched.
 */
#include "media/path.h"

#include <string.h>

static bool drop(path_count *why)
{
	path_add(why, 1);
	return false;
}

static bool is_negotiated(const struct path *p, uint8_t payload_type)
{
	return p->payload_types[payload_type >> 6] >> (payload_type & 63) & 1;
}

static void note_arrival(struct path *in, const struct path_packet *pkt)
{
	atomic_store_explicit(&in->n.last_in, pkt->now, memory_order_relaxed);
}

static bool walk_rtcp(struct path *in, const struct path_packet *pkt,
		      struct path_hop *hop)
{
	enum latch_verdict verdict;
	struct path *out = in->partner;
	uint32_t ssrc;

	if (!latch_may_report(&in->latch_rtcp, &in->latch, &in->rule,
			      &pkt->from))
		return drop(&in->n.stranger);
	if (rtcp_check(pkt->bytes, pkt->n, &ssrc))
		return drop(&in->n.malformed);
	verdict = latch_report(&in->latch_rtcp, &pkt->from, ssrc, pkt->now);
	if (verdict == LATCH_STRANGER)
		return drop(&in->n.stranger);
	if (verdict == LATCH_LEARNED)
		path_aim(in);
	path_add(&in->n.rtcp_in, 1);
	note_arrival(in, pkt);
	path_hear_report(in, pkt);

	if (!out || !addr_is_set(&out->to_rtcp))
		return false;
	/* Nothing of one side's addresses is for the other to see. */
	rtcp_hide_names(pkt->bytes, pkt->n);
	*hop = (struct path_hop){.out = out,
				 .to = &out->to_rtcp,
				 .from_rtcp_port = !out->mux,
				 .is_rtcp = true};
	return true;
}

static void count_in(struct path *in, const struct path_packet *pkt,
		     const struct rtp_hdr *h)
{
	rtp_stat_add(&in->stat, h->ssrc, h->seq);
	path_add(&in->n.in_packets, 1);
	path_add(&in->n.in_bytes, pkt->n);
	atomic_store_explicit(&in->n.in_lost, rtp_stat_lost(&in->stat),
			      memory_order_relaxed);
	note_arrival(in, pkt);
	atomic_store_explicit(&in->n.last_rtp, pkt->now, memory_order_relaxed);
}

/* Nobody has been heard, and @pkt's sender may not be: when it is a stream
 * and no probe, whoever runs the box should know. */
static void look_at_other_host(struct path *in, const struct path_packet *pkt)
{
	struct rtp_hdr h;

	if (atomic_load_explicit(&in->n.other_host, memory_order_relaxed) ||
	    rtp_read(&h, pkt->bytes, pkt->n) ||
	    !is_negotiated(in, h.payload_type) ||
	    !latch_is_foreign(&in->latch, &pkt->from, &h, pkt->now))
		return;
	atomic_store_explicit(&in->n.other_host, true, memory_order_relaxed);
}

/* What one says who only might take over is a stranger's, right or wrong. */
static bool drop_of(struct path *in, const struct path_packet *pkt,
		    path_count *why)
{
	bool is_other =
		in->latch.learned && !addr_equal(&pkt->from, &in->latch.source);

	return drop(is_other ? &in->n.stranger : why);
}

/* May it be accepted?  What is learned by it is acted upon. */
static bool is_heard(struct path *in, const struct path_packet *pkt,
		     const struct rtp_hdr *h)
{
	bool was_learned = in->latch.learned;
	struct addr before = in->latch.source;

	switch (latch_rtp(&in->latch, &pkt->from, h, pkt->now)) {
	case LATCH_STRANGER:
		return false;
	case LATCH_ACCEPT:
		return true;
	case LATCH_LEARNED:
		break;
	}
	atomic_store_explicit(&in->n.other_host, false, memory_order_relaxed);
	if (was_learned)
		path_moved(in, &before);
	path_aim(in);
	return true;
}

/* T.38 and what else is no RTP: who speaks is all that can be looked at. */
static bool walk_raw(struct path *in, const struct path_packet *pkt,
		     struct path_hop *hop)
{
	struct path *out = in->partner;
	enum latch_verdict verdict;

	if (pkt->on_rtcp_port || !pkt->n)
		return drop(&in->n.malformed);
	if (!latch_may_speak(&in->latch, &in->rule, &pkt->from, pkt->now))
		return drop(&in->n.stranger);
	verdict = latch_raw(&in->latch, &pkt->from, pkt->now);
	if (verdict == LATCH_STRANGER)
		return drop(&in->n.stranger);
	if (verdict == LATCH_LEARNED)
		path_aim(in);
	path_add(&in->n.in_packets, 1);
	path_add(&in->n.in_bytes, pkt->n);
	note_arrival(in, pkt);
	if (!in->receive || !out || !out->raw || !out->send ||
	    !addr_is_set(&out->to_rtp))
		return drop(&in->n.unbridged);
	*hop = (struct path_hop){.out = out, .to = &out->to_rtp};
	return true;
}

bool path_walk(struct path *in, struct path_packet *pkt, struct path_hop *hop)
{
	struct path *out = in->partner;
	struct rtp_hdr h;

	if (in->raw)
		return walk_raw(in, pkt, hop);
	if (pkt->on_rtcp_port || (in->mux && rtp_is_rtcp(pkt->bytes, pkt->n)))
		return walk_rtcp(in, pkt, hop);
	if (!latch_may_speak(&in->latch, &in->rule, &pkt->from, pkt->now)) {
		if (!in->latch.learned)
			look_at_other_host(in, pkt);
		return drop(&in->n.stranger);
	}
	if (rtp_read(&h, pkt->bytes, pkt->n))
		return drop_of(in, pkt, &in->n.malformed);
	if (!is_negotiated(in, h.payload_type))
		return drop_of(in, pkt, &in->n.payload_type);
	if (!is_heard(in, pkt, &h))
		return drop(&in->n.stranger);
	count_in(in, pkt, &h);

	if (!in->receive || !out || out->raw || !out->send ||
	    !addr_is_set(&out->to_rtp))
		return drop(&in->n.unbridged);
	if (out->has_keys && !path_keys_walk(in, out, pkt, &h))
		return false;
	*hop = (struct path_hop){.out = out, .to = &out->to_rtp};
	return true;
}

void path_sent(const struct path_hop *hop, size_t n)
{
	struct path_counters *c = &hop->out->n;

	if (hop->is_rtcp || hop->is_filler) {
		path_add(hop->is_rtcp ? &c->rtcp_out : &c->pierced, 1);
		return;
	}
	path_add(&c->out_packets, 1);
	path_add(&c->out_bytes, n);
}

void path_open_latch(struct path *p, bool latch_open)
{
	p->rule.open = latch_open;
}

static bool is_same(const struct addr *a, const struct addr *b)
{
	return addr_is_set(a) ? addr_equal(a, b) : !addr_is_set(b);
}

void path_remote(struct path *p, const struct media_remote *r)
{
	bool is_unchanged = is_same(&p->rule.sdp, &r->rtp) &&
			    is_same(&p->rule.sdp_rtcp, &r->rtcp) &&
			    p->payload_types[0] == r->payload_types[0] &&
			    p->payload_types[1] == r->payload_types[1] &&
			    p->raw == r->raw;

	p->pierce.filler = r->filler;
	path_pierce_arm(p);
	if (!is_unchanged) {
		p->latch = (struct latch){0};
		p->latch_rtcp = (struct latch_rtcp){0};
		path_way_reset(p);
		atomic_store_explicit(&p->n.other_host, false,
				      memory_order_relaxed);
	}
	p->rule.sdp = r->rtp;
	p->rule.sdp_rtcp = r->rtcp;
	p->rule.signalling = r->signalling;
	p->rule.behind_nat = r->behind_nat;
	p->payload_types[0] = r->payload_types[0];
	p->payload_types[1] = r->payload_types[1];
	p->raw = r->raw;
	p->receive = r->receive;
	p->send = r->send;
	path_keys_remote(p, r);
	p->mux = addr_is_set(&r->rtp) && addr_equal(&r->rtp, &r->rtcp);
	path_aim(p);
}

static void let_go(struct path *p)
{
	if (p->partner && p->partner->partner == p)
		p->partner->partner = NULL;
	p->partner = NULL;
}

void path_bridge(struct path *a, struct path *b)
{
	if (a->partner == b)
		return;
	let_go(a);
	if (!b)
		return;
	let_go(b);
	a->partner = b;
	b->partner = a;
	path_pierce_arm(a);
	path_pierce_arm(b);
}

static void read_view(const struct path_view *v, struct media_stats *out)
{
	uint64_t words[PATH_VIEW_WORDS];
	uint32_t before, after;

	do {
		before =
			atomic_load_explicit(&v->version, memory_order_acquire);
		for (int i = 0; i < PATH_VIEW_WORDS; i++)
			words[i] = atomic_load_explicit(&v->remote[i],
							memory_order_acquire);
		out->latched =
			atomic_load_explicit(&v->latched, memory_order_acquire);
		after = atomic_load_explicit(&v->version, memory_order_relaxed);
	} while (before != after || before & 1);
	memcpy(&out->remote, words, sizeof(out->remote));
}

void path_read_stats(const struct path *p, struct media_stats *out)
{
	const struct path_counters *n = &p->n;

	*out = (struct media_stats){
		.in_packets = path_get(&n->in_packets),
		.in_bytes = path_get(&n->in_bytes),
		.in_lost = path_get(&n->in_lost),
		.out_packets = path_get(&n->out_packets),
		.out_bytes = path_get(&n->out_bytes),
		.rtcp_in = path_get(&n->rtcp_in),
		.rtcp_out = path_get(&n->rtcp_out),
		.drop_stranger = path_get(&n->stranger),
		.drop_malformed = path_get(&n->malformed),
		.drop_payload_type = path_get(&n->payload_type),
		.drop_unbridged = path_get(&n->unbridged),
		.last_in =
			atomic_load_explicit(&n->last_in, memory_order_relaxed),
		.last_rtp = atomic_load_explicit(&n->last_rtp,
						 memory_order_relaxed),
		.moves = (uint32_t)path_get(&n->moves),
		.pierced = (uint32_t)path_get(&n->pierced),
		.refused = (uint32_t)path_get(&n->refused),
		.flips = (uint32_t)path_get(&n->flips),
		.other_host = atomic_load_explicit(&n->other_host,
						   memory_order_relaxed),
	};
	read_view(&p->view, out);
}
