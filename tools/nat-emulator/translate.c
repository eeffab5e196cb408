/*
 * translate.c - what a NAT does to one packet
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   inside -- leave() ----------------------------> outside
 *      ^  `-- leave(), enter(): to our own address (hairpin)
 *      `----- enter() <---------------------------- outside
 */
#include "translate.h"

#include <netinet/in.h>
#include <string.h>

#include "alg.h"

#define FRAGMENTS_MS 5000

void nat_init(struct nat *n, const struct settings *set)
{
	memset(n, 0, sizeof(*n));
	n->set = *set;
	table_init(&n->table, &n->set);
}

static struct carried carried_of(const struct ip_view *v)
{
	return (struct carried){v->proto, v->opens, v->closes};
}

static struct endpoint outside_of(const struct nat *n, const struct mapping *m)
{
	return (struct endpoint){n->set.outside, m->out_port};
}

/* ---- fragments ----------------------------------------------------------- */

static void remember(struct nat *n, enum side from, const struct ip_view *was,
		     uint32_t ip, mono_ms now)
{
	struct fragmented *f = &n->fragmented[0];

	for (int i = 1; i < FRAGMENTED; i++) {
		if (n->fragmented[i].until < f->until)
			f = &n->fragmented[i];
	}
	*f = (struct fragmented){was->src, was->dst, was->id,
				 ip,       from,     now + FRAGMENTS_MS};
}

static bool later_fragment(struct nat *n, enum side from, struct packet *p,
			   struct ip_view *v, mono_ms now)
{
	for (int i = 0; i < FRAGMENTED; i++) {
		const struct fragmented *f = &n->fragmented[i];

		if (f->until <= now || f->from != from || f->id != v->id ||
		    f->src.ip != v->src.ip || f->dst.ip != v->dst.ip)
			continue;
		if (from == INSIDE)
			wire_set_src(p->bytes, v, (struct endpoint){f->ip, 0});
		else
			wire_set_dst(p->bytes, v, (struct endpoint){f->ip, 0});
		return true;
	}
	return false;
}

/* ---- ICMP errors --------------------------------------------------------- */

/* From outside, about a packet of ours: whose was it? */
static bool error_enters(struct nat *n, struct packet *p, struct ip_view *v,
			 mono_ms now)
{
	struct ip_view q;
	struct mapping *m;

	if (wire_read_quoted(&q, p, v) || q.later_fragment)
		return false;
	m = table_find(&n->table, q.proto, q.src.port, now);
	if (!m || q.src.ip != n->set.outside)
		return false;
	wire_set_src(p->bytes + v->payload, &q, m->in);
	wire_sum_icmp(p, v);
	wire_set_dst(p->bytes, v, m->in);
	return true;
}

/* From inside, about a packet that came in by one of our mappings. */
static bool error_leaves(struct nat *n, struct packet *p, struct ip_view *v,
			 mono_ms now)
{
	struct carried how = {.opens = false};
	struct ip_view q;
	struct mapping *m;

	if (wire_read_quoted(&q, p, v) || q.later_fragment)
		return false;
	how.proto = q.proto;
	m = table_out(&n->table, how, q.dst, q.src, now);
	if (!m)
		return false;
	wire_set_dst(p->bytes + v->payload, &q, outside_of(n, m));
	wire_sum_icmp(p, v);
	wire_set_src(p->bytes, v, outside_of(n, m));
	return true;
}

/* ---- the ALG ------------------------------------------------------------- */

static void apply_alg(struct nat *n, struct packet *p, struct ip_view *v,
		      enum side from, const struct mapping *m, mono_ms now)
{
	uint16_t theirs = from == INSIDE ? v->dst.port : v->src.port;
	struct alg_job job = {.nat = n,
			      .in = m->in,
			      .out = outside_of(n, m),
			      .peer = from == INSIDE ? v->dst : v->src,
			      .leaves = from == INSIDE,
			      .now = now};
	char text[PACKET_MAX];
	struct buf out;

	if (!n->set.alg || v->proto != IPPROTO_UDP || v->first_fragment ||
	    theirs != n->set.alg_port || v->payload >= v->end)
		return;
	buf_init(&out, text, sizeof(text));
	if (!alg_rewrite(&job,
			 (struct str){(char *)p->bytes + v->payload,
				      v->end - v->payload},
			 &out) ||
	    out.overflow)
		return;
	if (!wire_set_payload(p, v, out.p, out.n))
		n->rewritten++;
}

/* ---- both ways ----------------------------------------------------------- */

static bool leave(struct nat *n, struct packet *p, struct ip_view *v,
		  mono_ms now)
{
	struct ip_view was = *v;
	struct mapping *m;

	if (v->icmp_error)
		return error_leaves(n, p, v, now);
	m = table_out(&n->table, carried_of(v), v->src, v->dst, now);
	if (!m)
		return false;
	if (v->dst.ip != n->set.outside)
		apply_alg(n, p, v, INSIDE, m, now);
	wire_set_src(p->bytes, v, outside_of(n, m));
	if (was.first_fragment)
		remember(n, INSIDE, &was, n->set.outside, now);
	return true;
}

static bool enter(struct nat *n, struct packet *p, struct ip_view *v,
		  mono_ms now)
{
	struct ip_view was = *v;
	struct mapping *m;

	if (v->icmp_error)
		return error_enters(n, p, v, now);
	m = table_in(&n->table, carried_of(v), v->dst.port, v->src, now);
	if (!m)
		return false;
	wire_set_dst(p->bytes, v, m->in);
	apply_alg(n, p, v, OUTSIDE, m, now);
	if (was.first_fragment)
		remember(n, OUTSIDE, &was, m->in.ip, now);
	return true;
}

static enum side from_inside(struct nat *n, struct packet *p, struct ip_view *v,
			     mono_ms now)
{
	bool hairpin = v->dst.ip == n->set.outside;

	if (hairpin && !n->set.hairpin)
		return SIDES;
	if (v->later_fragment)
		return later_fragment(n, INSIDE, p, v, now) ? OUTSIDE : SIDES;
	if (!leave(n, p, v, now))
		return SIDES;
	if (!hairpin)
		return OUTSIDE;
	return enter(n, p, v, now) ? INSIDE : SIDES;
}

static enum side from_outside(struct nat *n, struct packet *p,
			      struct ip_view *v, mono_ms now)
{
	bool good = v->dst.ip == n->set.outside;

	if (good)
		good = v->later_fragment ? later_fragment(n, OUTSIDE, p, v, now)
					 : enter(n, p, v, now);
	return good ? INSIDE : SIDES;
}

enum side nat_translate(struct nat *n, enum side from, struct packet *p,
			mono_ms now)
{
	enum side to = SIDES;
	struct ip_view v;

	n->in[from]++;
	if (!wire_read(&v, p->bytes, p->len))
		to = from == INSIDE ? from_inside(n, p, &v, now)
				    : from_outside(n, p, &v, now);
	if (to == SIDES)
		n->dropped++;
	else
		n->out[to]++;
	return to;
}
