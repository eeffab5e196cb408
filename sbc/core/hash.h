/*
 * hash.h - keyed hash function and an intrusive chained table that grows
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The key is random per process (SipHash-2-4), so that a stranger who picks
 * Call-IDs cannot aim at one chain.  A table belongs to one thread.
 */
#ifndef SBC_CORE_HASH_H
#define SBC_CORE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_node {
	struct hash_node *next;
	uint32_t hash;
};

struct hash {
	struct hash_node **slots;
	uint32_t n_slots; /* power of two; 0 before the first insert */
	uint32_t n;
};

typedef bool (*hash_eq_fn)(const struct hash_node *node, const void *key);

uint32_t hash_bytes(const void *bytes, size_t n);
uint32_t hash_text(const char *text);
/* The function itself, with the caller's key. */
uint64_t hash_siphash(const uint8_t key[16], const void *bytes, size_t n);

void hash_init(struct hash *h);
void hash_clear(struct hash *h); /* frees the slots, not the nodes */
/* -ENOMEM only when the very first slots cannot be had; growing is optional. */
int hash_insert(struct hash *h, struct hash_node *node, uint32_t hash);
void hash_remove(struct hash *h, struct hash_node *node);
struct hash_node *hash_find(const struct hash *h, uint32_t hash, hash_eq_fn eq,
			    const void *key);
/* The next node after @node with the same hash that @eq accepts. */
struct hash_node *hash_find_next(const struct hash_node *node, hash_eq_fn eq,
				 const void *key);
/* Visit all; @fn may remove the node that it is given. */
void hash_each(struct hash *h, void (*fn)(struct hash_node *node, void *arg),
	       void *arg);

#endif
