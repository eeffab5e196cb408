/*
 * hash.c - SipHash-2-4 with a random key, and an intrusive chained table
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * SipHash: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012).
 * The table doubles when it holds as many nodes as slots and never shrinks.
 */
#include "core/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "core/rand.h"

enum { FIRST_SLOTS = 16, MAX_SLOTS = 1 << 24 };

static uint8_t process_key[16];
static once_flag key_once = ONCE_FLAG_INIT;

static void make_key(void)
{
	rand_bytes(process_key, sizeof(process_key));
}

static uint64_t rotl(uint64_t v, int by)
{
	return v << by | v >> (64 - by);
}

static void sip_rounds(uint64_t v[4], int rounds)
{
	while (rounds--) {
		v[0] += v[1];
		v[1] = rotl(v[1], 13) ^ v[0];
		v[0] = rotl(v[0], 32);
		v[2] += v[3];
		v[3] = rotl(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotl(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotl(v[1], 17) ^ v[2];
		v[2] = rotl(v[2], 32);
	}
}

static uint64_t load_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

uint64_t hash_siphash(const uint8_t key[16], const void *bytes, size_t n)
{
	uint64_t k0 = load_le(key, 8), k1 = load_le(key + 8, 8), m;
	uint64_t v[4] = {
		k0 ^ 0x736f6d6570736575,
		k1 ^ 0x646f72616e646f6d,
		k0 ^ 0x6c7967656e657261,
		k1 ^ 0x7465646279746573,
	};
	const uint8_t *p = bytes;
	size_t left = n;

	for (; left >= 8; p += 8, left -= 8) {
		m = load_le(p, 8);
		v[3] ^= m;
		sip_rounds(v, 2);
		v[0] ^= m;
	}
	m = (uint64_t)n << 56 | load_le(p, left);
	v[3] ^= m;
	sip_rounds(v, 2);
	v[0] ^= m;
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint32_t hash_bytes(const void *bytes, size_t n)
{
	uint64_t h;

	call_once(&key_once, make_key);
	h = hash_siphash(process_key, bytes, n);
	return (uint32_t)(h ^ h >> 32);
}

uint32_t hash_text(const char *text)
{
	return hash_bytes(text, strlen(text));
}

/* ---- table --------------------------------------------------------------- */

void hash_init(struct hash *h)
{
	*h = (struct hash){0};
}

void hash_clear(struct hash *h)
{
	free(h->slots);
	hash_init(h);
}

static struct hash_node **slot_of(const struct hash *h, uint32_t hash)
{
	return &h->slots[hash & (h->n_slots - 1)];
}

static int resize(struct hash *h, uint32_t n_slots)
{
	struct hash bigger = {.n_slots = n_slots, .n = h->n};

	bigger.slots = calloc(n_slots, sizeof(bigger.slots[0]));
	if (!bigger.slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < h->n_slots; i++) {
		struct hash_node *node = h->slots[i], *next;

		for (; node; node = next) {
			struct hash_node **slot = slot_of(&bigger, node->hash);

			next = node->next;
			node->next = *slot;
			*slot = node;
		}
	}
	free(h->slots);
	*h = bigger;
	return 0;
}

int hash_insert(struct hash *h, struct hash_node *node, uint32_t hash)
{
	struct hash_node **slot;

	if (!h->n_slots) {
		if (resize(h, FIRST_SLOTS))
			return -ENOMEM;
	} else if (h->n >= h->n_slots && h->n_slots < MAX_SLOTS) {
		resize(h, h->n_slots * 2); /* longer chains are no error */
	}
	slot = slot_of(h, hash);
	node->hash = hash;
	node->next = *slot;
	*slot = node;
	h->n++;
	return 0;
}

void hash_remove(struct hash *h, struct hash_node *node)
{
	struct hash_node **at;

	if (!h->n_slots)
		return;
	for (at = slot_of(h, node->hash); *at; at = &(*at)->next) {
		if (*at != node)
			continue;
		*at = node->next;
		node->next = NULL;
		h->n--;
		return;
	}
}

static struct hash_node *match(struct hash_node *node, uint32_t hash,
			       hash_eq_fn eq, const void *key)
{
	while (node && (node->hash != hash || !eq(node, key)))
		node = node->next;
	return node;
}

struct hash_node *hash_find(const struct hash *h, uint32_t hash, hash_eq_fn eq,
			    const void *key)
{
	if (!h->n_slots)
		return NULL;
	return match(*slot_of(h, hash), hash, eq, key);
}

struct hash_node *hash_find_next(const struct hash_node *node, hash_eq_fn eq,
				 const void *key)
{
	return match(node->next, node->hash, eq, key);
}

void hash_each(struct hash *h, void (*fn)(struct hash_node *node, void *arg),
	       void *arg)
{
	for (uint32_t i = 0; i < h->n_slots; i++) {
		struct hash_node *node = h->slots[i], *next;

		for (; node; node = next) {
			next = node->next;
			fn(node, arg);
		}
	}
}
