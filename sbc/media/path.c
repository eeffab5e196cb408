/*
 * path.c - the walk of one packet
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   bytes, source
 *     | RTCP? ------------------------------> walk_rtcp(), the same in small
 *     | latch: may this host speak here? ---> stranger
 *     | rtp: version 2, lengths add up? ----> malformed
 *     | payload type negotiated? -----------> payload_type
 *     | latch: this port, now? -------------> stranger
 *     | count; sequence and loss
 *     | partner wants it, and where? -------> unbridged
 *     v
 *   out at the partner
 *
 * A stranger leaves before anything that the stream depends on is touched.
 */
#include "media/path.h"

#include <string.h>

static void add(path_count *c, uint64_t n)
{
	atomic_store_explicit(c,
			      atomic_load_explicit(c, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static bool drop(path_count *why)
{
	add(why, 1);
	return false;
}

static bool is_negotiated(const struct path *p, uint8_t payload_type)
{
	return p->payload_types[payload_type >> 6] >> (payload_type & 63) & 1;
}

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

/* Work out once where to send, not with each packet. */
static void aim(struct path *p)
{
	latch_target(&p->to_rtp, &p->rule, &p->rule.sdp,
		     p->latch.learned ? &p->latch.source : NULL);
	latch_target(&p->to_rtcp, &p->rule, &p->rule.sdp_rtcp,
		     p->latch_rtcp.learned ? &p->latch_rtcp.source : NULL);
	if (p->mux)
		p->to_rtcp = p->to_rtp;
	publish(p);
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
		aim(in);
	add(&in->n.rtcp_in, 1);
	note_arrival(in, pkt);

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
	add(&in->n.in_packets, 1);
	add(&in->n.in_bytes, pkt->n);
	atomic_store_explicit(&in->n.in_lost, rtp_stat_lost(&in->stat),
			      memory_order_relaxed);
	note_arrival(in, pkt);
}

bool path_walk(struct path *in, const struct path_packet *pkt,
	       struct path_hop *hop)
{
	enum latch_verdict verdict;
	struct path *out = in->partner;
	struct rtp_hdr h;

	if (pkt->on_rtcp_port || (in->mux && rtp_is_rtcp(pkt->bytes, pkt->n)))
		return walk_rtcp(in, pkt, hop);
	if (!latch_may_speak(&in->latch, &in->rule, &pkt->from))
		return drop(&in->n.stranger);
	if (rtp_read(&h, pkt->bytes, pkt->n))
		return drop(&in->n.malformed);
	if (!is_negotiated(in, h.payload_type))
		return drop(&in->n.payload_type);
	verdict = latch_rtp(&in->latch, &pkt->from, &h, pkt->now);
	if (verdict == LATCH_STRANGER)
		return drop(&in->n.stranger);
	if (verdict == LATCH_LEARNED)
		aim(in);
	count_in(in, pkt, &h);

	if (!in->receive || !out || !out->send || !addr_is_set(&out->to_rtp))
		return drop(&in->n.unbridged);
	*hop = (struct path_hop){.out = out, .to = &out->to_rtp};
	return true;
}

void path_sent(const struct path_hop *hop, size_t n)
{
	struct path_counters *c = &hop->out->n;

	if (hop->is_rtcp) {
		add(&c->rtcp_out, 1);
		return;
	}
	add(&c->out_packets, 1);
	add(&c->out_bytes, n);
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
			    p->payload_types[1] == r->payload_types[1];

	if (!is_unchanged) {
		p->latch = (struct latch){0};
		p->latch_rtcp = (struct latch_rtcp){0};
	}
	p->rule.sdp = r->rtp;
	p->rule.sdp_rtcp = r->rtcp;
	p->rule.signalling = r->signalling;
	p->rule.behind_nat = r->behind_nat;
	p->payload_types[0] = r->payload_types[0];
	p->payload_types[1] = r->payload_types[1];
	p->receive = r->receive;
	p->send = r->send;
	p->mux = addr_is_set(&r->rtp) && addr_equal(&r->rtp, &r->rtcp);
	aim(p);
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

static uint64_t get(const path_count *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

void path_read_stats(const struct path *p, struct media_stats *out)
{
	const struct path_counters *n = &p->n;

	*out = (struct media_stats){
		.in_packets = get(&n->in_packets),
		.in_bytes = get(&n->in_bytes),
		.in_lost = get(&n->in_lost),
		.out_packets = get(&n->out_packets),
		.out_bytes = get(&n->out_bytes),
		.rtcp_in = get(&n->rtcp_in),
		.rtcp_out = get(&n->rtcp_out),
		.drop_stranger = get(&n->stranger),
		.drop_malformed = get(&n->malformed),
		.drop_payload_type = get(&n->payload_type),
		.drop_unbridged = get(&n->unbridged),
		.last_in =
			atomic_load_explicit(&n->last_in, memory_order_relaxed),
	};
	read_view(&p->view, out);
}
