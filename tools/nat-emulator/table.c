/*
 * table.c - the mappings of the emulated NAT and who may come in by them
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "table.h"

#include <netinet/in.h>
#include <string.h>

#define PORTS      (65536 - LOWEST_PORT)
#define CLOSING_MS 2000  /* what a closed TCP connection has left */
#define PINNED_MS  60000 /* a call may ring so long before media comes */
#define PAIR_TRIES 1000

/* splitmix64: repeatable, which a NAT under test should be */
uint32_t table_random(struct table *t, uint32_t n)
{
	uint64_t x = t->random += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return (uint32_t)((x ^ x >> 31) >> 32) % n;
}

void table_forget(struct table *t)
{
	memset(t->mappings, 0, sizeof(t->mappings));
	memset(t->by_in, 0xff, sizeof(t->by_in));
	memset(t->by_out, 0xff, sizeof(t->by_out));
	memset(t->blocks, 0, sizeof(t->blocks));
	for (int i = 0; i < MAPPINGS; i++)
		t->free[i] = i;
	t->n_free = MAPPINGS;
}

void table_init(struct table *t, const struct settings *set)
{
	memset(t, 0, sizeof(*t));
	t->set = set;
	t->random = set->seed;
	table_forget(t);
}

unsigned table_count(const struct table *t)
{
	return MAPPINGS - (unsigned)t->n_free;
}

/* ---- buckets ------------------------------------------------------------- */

static bool same(struct endpoint a, struct endpoint b)
{
	return a.ip == b.ip && a.port == b.port;
}

static uint32_t bucket_in(uint8_t proto, struct endpoint in)
{
	return ((in.ip * 31 + in.port) * 31 + proto) * 2654435761u >> 20;
}

static uint32_t bucket_out(uint8_t proto, uint16_t port)
{
	return (port * 31u + proto) * 2654435761u >> 20;
}

static struct mapping *at(struct table *t, int32_t index)
{
	return index < 0 ? NULL : &t->mappings[index];
}

static struct mapping *by_in(struct table *t, uint8_t proto, struct endpoint in,
			     struct endpoint towards)
{
	struct mapping *m = at(t, t->by_in[bucket_in(proto, in)]);

	while (m && !(m->proto == proto && same(m->in, in) &&
		      (m->pinned || same(m->towards, towards))))
		m = at(t, m->next_in);
	return m;
}

static struct mapping *by_out(struct table *t, uint8_t proto, uint16_t port)
{
	struct mapping *m = at(t, t->by_out[bucket_out(proto, port)]);

	while (m && !(m->proto == proto && m->out_port == port))
		m = at(t, m->next_out);
	return m;
}

static void unlink_out(struct table *t, struct mapping *m)
{
	int32_t *link = &t->by_out[bucket_out(m->proto, m->out_port)];

	while (at(t, *link) != m)
		link = &at(t, *link)->next_out;
	*link = m->next_out;
}

static void unlink_in(struct table *t, struct mapping *m)
{
	int32_t *link = &t->by_in[bucket_in(m->proto, m->in)];

	while (at(t, *link) != m)
		link = &at(t, *link)->next_in;
	*link = m->next_in;
}

static void link_out(struct table *t, struct mapping *m)
{
	uint32_t bucket = bucket_out(m->proto, m->out_port);

	m->next_out = t->by_out[bucket];
	t->by_out[bucket] = (int32_t)(m - t->mappings);
}

/* ---- outside ports ------------------------------------------------------- */

static uint32_t block_of(const struct table *t, uint16_t port)
{
	return (uint32_t)(port - LOWEST_PORT) / t->set->block_size;
}

static bool is_free(struct table *t, uint8_t proto, uint32_t port)
{
	return port >= LOWEST_PORT && port <= 65535 &&
	       !by_out(t, proto, (uint16_t)port);
}

/* The first free port from @start on, round to it; 0 = none. */
static uint16_t free_from(struct table *t, uint8_t proto, uint32_t start,
			  uint32_t lowest, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t port = lowest + (start - lowest + i) % n;

		if (is_free(t, proto, port))
			return (uint16_t)port;
	}
	return 0;
}

static uint16_t free_in_block(struct table *t, uint8_t proto, uint32_t block)
{
	uint32_t size = t->set->block_size;
	uint32_t lowest = LOWEST_PORT + block * size;

	return free_from(t, proto, lowest + table_random(t, size), lowest,
			 size);
}

/* A port of a block that is @ip's, or of a new one below the cap. */
static uint16_t block_port(struct table *t, uint8_t proto, uint32_t ip)
{
	uint32_t n = PORTS / t->set->block_size, ports = 0, blocks = 0;
	uint32_t cap = t->set->port_cap, start = table_random(t, n);
	uint16_t port;

	for (uint32_t i = 0; i < n; i++) {
		if (t->blocks[i].owner != ip)
			continue;
		ports += t->blocks[i].ports;
		blocks++;
	}
	if (cap && ports >= cap)
		return 0;
	for (uint32_t i = 0; i < n && blocks; i++) {
		if (t->blocks[i].owner != ip)
			continue;
		port = free_in_block(t, proto, i);
		if (port)
			return port;
	}
	if (cap &&
	    (blocks + 1) * t->set->block_size > cap + t->set->block_size - 1)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		if (!t->blocks[(start + i) % n].owner)
			return free_in_block(t, proto, (start + i) % n);
	}
	return 0;
}

static uint16_t pick_port(struct table *t, uint8_t proto, struct endpoint in)
{
	uint32_t start = LOWEST_PORT + table_random(t, PORTS);

	if (t->set->ports == BLOCK)
		return block_port(t, proto, in.ip);
	if (t->set->ports == PRESERVING && in.port >= LOWEST_PORT)
		start = in.port;
	return free_from(t, proto, start, LOWEST_PORT, PORTS);
}

static void take_port(struct table *t, struct mapping *m, uint16_t port)
{
	m->out_port = port;
	link_out(t, m);
	if (t->set->ports == BLOCK) {
		t->blocks[block_of(t, port)].owner = m->in.ip;
		t->blocks[block_of(t, port)].ports++;
	}
}

static void leave_port(struct table *t, struct mapping *m)
{
	uint32_t block = block_of(t, m->out_port);

	unlink_out(t, m);
	/* The policy may have been another when the port was taken. */
	if (t->blocks[block].ports && !--t->blocks[block].ports)
		t->blocks[block].owner = 0;
}

/* ---- mappings ------------------------------------------------------------ */

static void drop(struct table *t, struct mapping *m)
{
	leave_port(t, m);
	unlink_in(t, m);
	m->proto = 0;
	t->free[t->n_free++] = (int32_t)(m - t->mappings);
	t->expired++;
}

static struct mapping *make(struct table *t, uint8_t proto, struct endpoint in,
			    struct endpoint towards, uint16_t port)
{
	struct mapping *m;
	uint32_t bucket = bucket_in(proto, in);

	if (!port || !t->n_free) {
		t->refused++;
		return NULL;
	}
	m = &t->mappings[t->free[--t->n_free]];
	*m = (struct mapping){.proto = proto, .in = in, .towards = towards};
	m->next_in = t->by_in[bucket];
	t->by_in[bucket] = (int32_t)(m - t->mappings);
	take_port(t, m, port);
	t->made++;
	return m;
}

static struct mapping *alive(struct table *t, struct mapping *m, mono_ms now)
{
	if (m && m->until <= now) {
		drop(t, m);
		return NULL;
	}
	return m;
}

static struct session *session_of(struct mapping *m, struct endpoint peer)
{
	for (int i = 0; i < SESSIONS; i++) {
		if (m->sessions[i].until && same(m->sessions[i].peer, peer))
			return &m->sessions[i];
	}
	return NULL;
}

/* Of a full mapping the session that would end first gives way. */
static struct session *session_for(struct mapping *m, struct endpoint peer)
{
	struct session *s = session_of(m, peer), *least = &m->sessions[0];

	if (s)
		return s;
	for (s = m->sessions; s < m->sessions + SESSIONS; s++) {
		if (s->until < least->until)
			least = s;
	}
	*least = (struct session){.peer = peer};
	return least;
}

static void refresh(const struct table *t, struct mapping *m, struct session *s,
		    struct carried how, mono_ms now)
{
	mono_ms until = now + t->set->timeout_ms;

	if (how.proto == IPPROTO_TCP) {
		if (how.opens)
			s->closing = false;
		s->closing |= how.closes;
		until = now +
			(s->closing ? CLOSING_MS : t->set->tcp_timeout_ms);
	}
	if (s)
		s->until = until;
	if (!m->pinned || until > m->until)
		m->until = until;
}

static struct endpoint towards(const struct table *t, struct endpoint peer)
{
	if (t->set->mapping == INDEPENDENT)
		return (struct endpoint){0};
	if (t->set->mapping == ON_ADDRESS)
		peer.port = 0;
	return peer;
}

struct mapping *table_out(struct table *t, struct carried how,
			  struct endpoint in, struct endpoint peer, mono_ms now)
{
	struct endpoint key = towards(t, peer);
	struct mapping *m = alive(t, by_in(t, how.proto, in, key), now);

	if (!m && !how.opens) {
		t->unknown++;
		return NULL;
	}
	if (!m)
		m = make(t, how.proto, in, key, pick_port(t, how.proto, in));
	if (m)
		refresh(t, m, session_for(m, peer), how, now);
	return m;
}

struct mapping *table_find(struct table *t, uint8_t proto, uint16_t out_port,
			   mono_ms now)
{
	return alive(t, by_out(t, proto, out_port), now);
}

/* Whether the filter lets @peer in; *exact is its own session. */
static bool lets_in(const struct table *t, struct mapping *m,
		    struct endpoint peer, mono_ms now, struct session **exact)
{
	bool same_address = false;

	*exact = NULL;
	for (int i = 0; i < SESSIONS; i++) {
		struct session *s = &m->sessions[i];

		if (s->until <= now || s->peer.ip != peer.ip)
			continue;
		same_address = true;
		if (s->peer.port == peer.port)
			*exact = s;
	}
	if (m->pinned || t->set->filtering == INDEPENDENT)
		return true;
	return t->set->filtering == ON_ADDRESS ? same_address : *exact != NULL;
}

struct mapping *table_in(struct table *t, struct carried how, uint16_t out_port,
			 struct endpoint peer, mono_ms now)
{
	struct mapping *m = table_find(t, how.proto, out_port, now);
	struct session *exact;

	if (!m) {
		t->unknown++;
		return NULL;
	}
	if (!lets_in(t, m, peer, now, &exact)) {
		t->filtered++;
		return NULL;
	}
	if (how.proto == IPPROTO_TCP && !exact)
		exact = session_for(m, peer);
	if (t->set->refresh_inbound || how.proto == IPPROTO_TCP)
		refresh(t, m, exact, how, now);
	return m;
}

/* An even port with a free neighbour, as RTP and RTCP want it. */
static uint16_t pick_pair(struct table *t, struct endpoint in)
{
	for (int i = 0; i < PAIR_TRIES; i++) {
		uint16_t port = pick_port(t, IPPROTO_UDP, in);

		if (!port)
			return 0;
		if (port % 2 == in.port % 2 &&
		    is_free(t, IPPROTO_UDP, port + 1u))
			return port;
		if (t->set->ports == PRESERVING)
			in.port = (uint16_t)(in.port + 2);
	}
	return 0;
}

struct mapping *table_pin(struct table *t, struct endpoint in,
			  uint16_t out_port, bool pair, mono_ms now)
{
	struct mapping *m =
		alive(t, by_in(t, IPPROTO_UDP, in, (struct endpoint){0}), now);

	if (m)
		return m;
	if (!out_port || !is_free(t, IPPROTO_UDP, out_port))
		out_port =
			pair ? pick_pair(t, in) : pick_port(t, IPPROTO_UDP, in);
	m = make(t, IPPROTO_UDP, in, (struct endpoint){0}, out_port);
	if (m) {
		m->pinned = true;
		m->until = now + PINNED_MS;
	}
	return m;
}

void table_sweep(struct table *t, mono_ms now)
{
	for (int i = 0; i < MAPPINGS; i++) {
		if (t->mappings[i].proto && t->mappings[i].until <= now)
			drop(t, &t->mappings[i]);
	}
}

void table_rebind(struct table *t)
{
	for (int i = 0; i < MAPPINGS; i++) {
		struct mapping *m = &t->mappings[i];
		uint32_t start = LOWEST_PORT + table_random(t, PORTS);
		uint16_t port;

		if (!m->proto)
			continue;
		port = t->set->ports == BLOCK
			       ? block_port(t, m->proto, m->in.ip)
			       : free_from(t, m->proto, start, LOWEST_PORT,
					   PORTS);
		if (!port)
			continue;
		leave_port(t, m);
		take_port(t, m, port);
	}
}
