/*
 * rate.c - token buckets per source, and a bound on one Call-ID
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Sources live in a fixed table: a keyed hash gives the first of WINDOW slots
 * that may hold a source.  When all are taken, the stranger that was silent
 * longest makes room, so a flood from invented addresses pushes out only other
 * strangers; registered phones and trunks stay until their time is over.
 */
#include "screen/rate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"

enum {
	WINDOW = 8,
	KEY_BYTES = 16,
	MIN_SOURCES = 64,
	DEFAULT_SOURCES = 8192,
	MAX_SOURCES = 1 << 20,
	BURST_S = 4,
	CALLS = 4096, /* a power of two */
	CALL_PER_S = 50,
};

struct source {
	uint8_t key[KEY_BYTES];
	mono_ms seen;
	mono_ms until[2];  /* end of being registered, a trunk */
	uint64_t tokens_m; /* thousandths of a datagram */
	bool used;
};

/* Majority vote per slot: a Call-ID that floods takes its slot soon and keeps
 * it against any number of others that come once. */
struct call_slot {
	uint32_t hash;
	uint32_t count;
	mono_ms since;
};

struct rate {
	unsigned per_s;
	uint32_t mask;
	mono_ms now;            /* latest that we were told */
	struct source homeless; /* strangers for whom there is no slot */
	struct call_slot calls[CALLS];
	struct source sources[];
};

int rate_create(struct rate **out, unsigned per_s, unsigned sources)
{
	uint32_t n = MIN_SOURCES;
	struct rate *r;

	if (!sources)
		sources = DEFAULT_SOURCES;
	while (n < sources && n < MAX_SOURCES)
		n *= 2;
	r = calloc(1, sizeof(*r) + n * sizeof(struct source));
	if (!r)
		return -ENOMEM;
	r->per_s = per_s;
	r->mask = n - 1;
	*out = r;
	return 0;
}

void rate_destroy(struct rate *r)
{
	free(r);
}

void rate_set(struct rate *r, unsigned per_s)
{
	r->per_s = per_s;
}

/* ---- the table ------------------------------------------------------------ */

/* The whole address; IPv4 as IPv4-mapped. */
static void host_key(uint8_t key[KEY_BYTES], const struct addr *a)
{
	memset(key, 0, KEY_BYTES);
	if (addr_family(a) == AF_INET6) {
		memcpy(key, &a->in6.sin6_addr, KEY_BYTES);
	} else if (addr_family(a) == AF_INET) {
		memset(key + 10, 0xff, 2);
		memcpy(key + 12, &a->in.sin_addr, 4);
	}
}

static enum screen_class class_of(const struct source *s, mono_ms now)
{
	if (s->until[1] > now)
		return SCREEN_TRUNK;
	return s->until[0] > now ? SCREEN_REGISTERED : SCREEN_UNKNOWN;
}

static struct source *slot(struct rate *r, uint32_t hash, unsigned i)
{
	return &r->sources[(hash + i) & r->mask];
}

static struct source *find(struct rate *r, const uint8_t key[KEY_BYTES],
			   uint32_t hash)
{
	for (unsigned i = 0; i < WINDOW; i++) {
		struct source *s = slot(r, hash, i);

		if (s->used && !memcmp(s->key, key, KEY_BYTES))
			return s;
	}
	return NULL;
}

/* A free slot, else the stranger that was silent longest; NULL when only
 * known peers are there. */
static struct source *find_room(struct rate *r, uint32_t hash)
{
	struct source *best = NULL;

	for (unsigned i = 0; i < WINDOW; i++) {
		struct source *s = slot(r, hash, i);

		if (!s->used)
			return s;
		if (class_of(s, r->now) == SCREEN_UNKNOWN &&
		    (!best || s->seen < best->seen))
			best = s;
	}
	return best;
}

/* Among known peers: the one whose time is over first. */
static struct source *find_first_to_end(struct rate *r, uint32_t hash)
{
	struct source *best = NULL;

	for (unsigned i = 0; i < WINDOW; i++) {
		struct source *s = slot(r, hash, i);

		if (class_of(s, r->now) != SCREEN_TRUNK &&
		    (!best || s->until[0] < best->until[0]))
			best = s;
	}
	return best;
}

static unsigned per_second(const struct rate *r, enum screen_class cls)
{
	static const unsigned factor[] = {
		[SCREEN_UNKNOWN] = 1,
		[SCREEN_REGISTERED] = 4,
		[SCREEN_TRUNK] = 16,
	};

	return r->per_s * factor[cls];
}

static uint64_t burst_m(const struct rate *r, enum screen_class cls)
{
	return (uint64_t)per_second(r, cls) * BURST_S * 1000;
}

static struct source *settle(struct rate *r, struct source *s,
			     const uint8_t key[KEY_BYTES])
{
	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	memcpy(s->key, key, KEY_BYTES);
	s->used = true;
	s->seen = r->now;
	s->tokens_m = burst_m(r, SCREEN_UNKNOWN);
	return s;
}

/* ---- budgets --------------------------------------------------------------- */

static bool take_token(struct rate *r, struct source *s, enum screen_class cls)
{
	uint64_t burst = burst_m(r, cls);
	mono_ms idle = r->now > s->seen ? r->now - s->seen : 0;

	/* n datagrams a second are n thousandths of one a millisecond. */
	s->tokens_m += (uint64_t)idle * per_second(r, cls);
	if (s->tokens_m > burst)
		s->tokens_m = burst;
	s->seen = r->now;
	if (!r->per_s)
		return true;
	if (s->tokens_m < 1000)
		return false;
	s->tokens_m -= 1000;
	return true;
}

/* Global IPv6 strangers are known by their /64: whoever has one address of it
 * has all. */
static void widen_key(uint8_t key[KEY_BYTES], const struct addr *a)
{
	if (addr_family(a) == AF_INET6 && addr_class(a) == ADDR_GLOBAL)
		memset(key + 8, 0, 8);
}

bool rate_admit(struct rate *r, const struct addr *source, mono_ms now,
		enum screen_class *cls)
{
	uint8_t key[KEY_BYTES], wide[KEY_BYTES];
	uint32_t hash;
	struct source *s;

	r->now = now;
	host_key(key, source);
	hash = hash_bytes(key, KEY_BYTES);
	s = find(r, key, hash);
	*cls = s ? class_of(s, now) : SCREEN_UNKNOWN;
	if (*cls != SCREEN_UNKNOWN)
		return take_token(r, s, *cls);

	memcpy(wide, key, KEY_BYTES);
	widen_key(wide, source);
	if (memcmp(wide, key, KEY_BYTES)) {
		hash = hash_bytes(wide, KEY_BYTES);
		s = find(r, wide, hash);
	}
	if (!s)
		s = settle(r, find_room(r, hash), wide);
	return take_token(r, s ? s : &r->homeless, SCREEN_UNKNOWN);
}

void rate_promote(struct rate *r, const struct addr *source,
		  enum screen_class cls, mono_ms until)
{
	uint8_t key[KEY_BYTES];
	struct source *s;
	uint32_t hash;

	if (cls == SCREEN_UNKNOWN || !addr_is_set(source))
		return;
	host_key(key, source);
	hash = hash_bytes(key, KEY_BYTES);
	s = find(r, key, hash);
	if (!s)
		s = settle(r, find_room(r, hash), key);
	if (!s)
		s = settle(r, find_first_to_end(r, hash), key);
	if (s && until > s->until[cls - SCREEN_REGISTERED])
		s->until[cls - SCREEN_REGISTERED] = until;
}

/* ---- one Call-ID ------------------------------------------------------------ */

bool rate_admit_call(struct rate *r, const struct addr *source,
		     struct str call_id, mono_ms now)
{
	uint32_t hash =
		hash_bytes(call_id.p, call_id.n) ^ addr_hash_host(source);
	struct call_slot *c = &r->calls[hash % CALLS];

	if (now - c->since >= 1000) {
		c->since = now;
		c->count = 0;
	}
	if (c->hash != hash) {
		if (c->count) {
			c->count--;
			return true;
		}
		c->hash = hash;
	}
	if (c->count >= CALL_PER_S)
		return false;
	c->count++;
	return true;
}

enum screen_class rate_class(struct rate *r, const struct addr *source,
			     mono_ms now)
{
	uint8_t key[KEY_BYTES];
	const struct source *s;

	host_key(key, source);
	s = find(r, key, hash_bytes(key, KEY_BYTES));
	return s ? class_of(s, now) : SCREEN_UNKNOWN;
}
