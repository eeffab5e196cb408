/*
 * test_hash.c - SipHash against its paper's vectors, and the table
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/hash.h"
#include "core/list.h"

struct item {
	int n;
	struct hash_node node;
};

static bool same_n(const struct hash_node *node, const void *key)
{
	return container_of(node, struct item, node)->n == *(const int *)key;
}

static struct item *find(const struct hash *h, uint32_t hash, int n)
{
	struct hash_node *node = hash_find(h, hash, same_n, &n);

	return node ? container_of(node, struct item, node) : NULL;
}

static void siphash_gives_the_reference_vectors(void **state)
{
	/* Key 00..0f, message 00.. of so many bytes: the appendix of the
	 * paper has 15 bytes, the authors' vectors.h the others. */
	static const struct {
		size_t len;
		uint64_t hash;
	} vectors[] = {
		{0, 0x726fdb47dd0e0e31},  {1, 0x74f839c593dc67fd},
		{7, 0xab0200f58b01d137},  {8, 0x93f5f5799a932462},
		{15, 0xa129ca6149be45e5}, {63, 0x958a324ceb064572},
	};
	uint8_t key[16], message[64];

	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)i;
	memcpy(key, message, sizeof(key));
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		assert_true(hash_siphash(key, message, vectors[i].len) ==
			    vectors[i].hash);
}

static void hash_is_stable_within_the_process(void **state)
{
	assert_int_equal(hash_text("call-id"), hash_bytes("call-id", 7));
	assert_int_equal(hash_text("call-id"), hash_text("call-id"));
	assert_int_not_equal(hash_text("call-id"), hash_text("call-ie"));
}

static void process_key_is_not_zero(void **state)
{
	static const uint8_t zero[16];
	uint64_t h = hash_siphash(zero, "call-id", 7);

	assert_int_not_equal(hash_text("call-id"), (uint32_t)(h ^ h >> 32));
}

static void empty_table_finds_and_removes_nothing(void **state)
{
	struct item stray = {.n = 1};
	struct hash h;

	hash_init(&h);
	assert_null(find(&h, 1, 1));
	hash_remove(&h, &stray.node);
	assert_int_equal(h.n, 0);
	hash_clear(&h);
}

static void table_grows_and_keeps_all(void **state)
{
	enum { MANY = 5000 };
	static struct item items[MANY];
	struct hash h;

	hash_init(&h);
	for (int i = 0; i < MANY; i++) {
		items[i].n = i;
		assert_int_equal(hash_insert(&h, &items[i].node,
					     hash_bytes(&i, sizeof(i))),
				 0);
	}
	assert_int_equal(h.n, MANY);
	assert_true(h.n_slots >= MANY);
	for (int i = 0; i < MANY; i++)
		assert_ptr_equal(find(&h, hash_bytes(&i, sizeof(i)), i),
				 &items[i]);
	for (int i = 0; i < MANY; i += 2)
		hash_remove(&h, &items[i].node);
	assert_int_equal(h.n, MANY / 2);
	for (int i = 0; i < MANY; i++)
		assert_ptr_equal(find(&h, hash_bytes(&i, sizeof(i)), i),
				 i % 2 ? &items[i] : NULL);
	hash_clear(&h);
}

static void same_hash_is_told_apart_by_the_key(void **state)
{
	struct item a = {.n = 1}, b = {.n = 2};
	struct hash h;

	hash_init(&h);
	hash_insert(&h, &a.node, 42);
	hash_insert(&h, &b.node, 42);
	assert_ptr_equal(find(&h, 42, 1), &a);
	assert_ptr_equal(find(&h, 42, 2), &b);
	assert_null(find(&h, 42, 3));
	hash_clear(&h);
}

static void find_next_walks_all_equal_nodes(void **state)
{
	struct item items[3] = {{.n = 7}, {.n = 8}, {.n = 7}};
	struct hash_node *first, *second;
	struct hash h;
	int key = 7;

	hash_init(&h);
	for (int i = 0; i < 3; i++)
		hash_insert(&h, &items[i].node, 42);
	first = hash_find(&h, 42, same_n, &key);
	assert_non_null(first);
	second = hash_find_next(first, same_n, &key);
	assert_non_null(second);
	assert_ptr_not_equal(first, second);
	assert_null(hash_find_next(second, same_n, &key));
	hash_clear(&h);
}

static void removing_twice_is_harmless(void **state)
{
	struct item a = {.n = 1}, b = {.n = 2};
	struct hash h;

	hash_init(&h);
	hash_insert(&h, &a.node, 42);
	hash_insert(&h, &b.node, 42);
	hash_remove(&h, &a.node);
	hash_remove(&h, &a.node);
	assert_int_equal(h.n, 1);
	assert_ptr_equal(find(&h, 42, 2), &b);
	hash_clear(&h);
}

struct walk {
	struct hash *h;
	int seen;
};

static void remove_it(struct hash_node *node, void *arg)
{
	struct walk *w = arg;

	hash_remove(w->h, node);
	memset(node, 0xee, sizeof(*node)); /* as if it were freed */
	w->seen++;
}

static void walk_may_remove_the_node_that_it_is_given(void **state)
{
	struct item items[100];
	struct hash h;
	struct walk w = {&h, 0};

	hash_init(&h);
	for (int i = 0; i < 100; i++)
		hash_insert(&h, &items[i].node, (uint32_t)i / 3);
	hash_each(&h, remove_it, &w);
	assert_int_equal(w.seen, 100);
	assert_int_equal(h.n, 0);
	hash_clear(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_gives_the_reference_vectors),
		cmocka_unit_test(hash_is_stable_within_the_process),
		cmocka_unit_test(process_key_is_not_zero),
		cmocka_unit_test(empty_table_finds_and_removes_nothing),
		cmocka_unit_test(table_grows_and_keeps_all),
		cmocka_unit_test(same_hash_is_told_apart_by_the_key),
		cmocka_unit_test(find_next_walks_all_equal_nodes),
		cmocka_unit_test(removing_twice_is_harmless),
		cmocka_unit_test(walk_may_remove_the_node_that_it_is_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
