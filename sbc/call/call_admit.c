/*
 * call_admit.c - how many calls there may be, and how many may begin at once
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   new call      global, realm, phone or trunk of the caller   503, Retry-After
 *   each target   realm, phone or trunk of the called party     next target
 *
 * A call counts for a section as long as one of its legs is up or on its way
 * there.  That is looked up and not kept, so it cannot go wrong in a transfer,
 * a fork or a failure; and only where a limit is written, as it costs
 * some 10 ns for each call.  Calls per second are a bucket that holds one
 * second's.  Emergency calls pass, and count.
 */
#include <stdlib.h>
#include <string.h>

#include "call/call_priv.h"
#include "core/log.h"

enum { TOKEN = 1000 /* thousandths of a call */ };

/* Calls that may begin now, of one section. */
struct admit_bucket {
	struct hash_node by_name;
	char name[LIMIT_NAME_BYTES + 2]; /* "t:itsp" */
	uint64_t tokens;
	mono_ms at;
};

static bool is_live(const struct leg *leg)
{
	enum leg_state s = leg ? leg_state(leg) : LEG_DEAD;

	return s != LEG_DOOMED && s != LEG_ENDING && s != LEG_DEAD;
}

static bool is_of(const struct leg *leg, enum admit_kind kind, const char *name)
{
	switch (kind) {
	case ADMIT_REALM:
		return !strcmp(leg_realm(leg), name);
	case ADMIT_TRUNK:
		return leg_is_trunk(leg) && !strcmp(leg_peer(leg), name);
	default:
		return !leg_is_trunk(leg) && !strcmp(leg_peer(leg), name);
	}
}

unsigned admit_count(const struct calls *calls, enum admit_kind kind,
		     const char *name)
{
	unsigned n = 0;

	list_for_each (pos, &calls->all) {
		const struct call *call = list_entry(pos, struct call, node);

		for (unsigned i = 0; i < CALL_LEGS; i++) {
			const struct leg *leg = call->legs[i];

			if (is_live(leg) && is_of(leg, kind, name)) {
				n++;
				break;
			}
		}
	}
	return n;
}

static bool same_name(const struct hash_node *node, const void *key)
{
	return !strcmp(container_of(node, struct admit_bucket, by_name)->name,
		       key);
}

static struct admit_bucket *bucket_of(struct calls *calls, const char *name,
				      unsigned per_second)
{
	uint32_t h = hash_text(name);
	struct hash_node *node = hash_find(&calls->buckets, h, same_name, name);
	struct admit_bucket *b;

	if (node)
		return container_of(node, struct admit_bucket, by_name);
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	str_copy(b->name, sizeof(b->name), str_of(name));
	b->tokens = (uint64_t)per_second * TOKEN;
	b->at = clock_mono();
	if (hash_insert(&calls->buckets, &b->by_name, h)) {
		free(b);
		return NULL;
	}
	return b;
}

static void fill(struct admit_bucket *b, unsigned per_second)
{
	uint64_t most = (uint64_t)per_second * TOKEN;
	mono_ms now = clock_mono();

	b->tokens += (uint64_t)(now - b->at) * per_second * TOKEN / 1000;
	if (b->tokens > most)
		b->tokens = most;
	b->at = now;
}

/* Without memory to count in, nobody is turned away. */
static bool has_token(struct calls *calls, const char *name,
		      unsigned per_second)
{
	struct admit_bucket *b = bucket_of(calls, name, per_second);

	if (!b)
		return true;
	fill(b, per_second);
	return b->tokens >= TOKEN;
}

static void take_token(struct calls *calls, const char *name,
		       unsigned per_second)
{
	struct admit_bucket *b = bucket_of(calls, name, per_second);

	if (b && b->tokens >= TOKEN)
		b->tokens -= TOKEN;
}

/* One section that a new call concerns. */
struct concern {
	enum admit_kind kind;
	const char *name;
	const struct conf_limit *limit;
};

static void bucket_name(const struct concern *c, char out[LIMIT_NAME_BYTES + 2])
{
	static const char letters[] = {
		[ADMIT_REALM] = 'r', [ADMIT_TRUNK] = 't', [ADMIT_PHONE] = 'p'};
	struct buf b;

	buf_init(&b, out, LIMIT_NAME_BYTES + 2);
	buf_put(&b, &letters[c->kind], 1);
	buf_puts(&b, ":");
	buf_puts(&b, c->name);
}

static bool is_full(struct calls *calls, const struct concern *c)
{
	char name[LIMIT_NAME_BYTES + 2];

	bucket_name(c, name);
	if (c->limit->max_calls &&
	    admit_count(calls, c->kind, c->name) >= c->limit->max_calls)
		return true;
	return c->limit->max_cps && !has_token(calls, name, c->limit->max_cps);
}

static void take(struct calls *calls, const struct concern *c)
{
	char name[LIMIT_NAME_BYTES + 2];

	bucket_name(c, name);
	if (c->limit->max_cps)
		take_token(calls, name, c->limit->max_cps);
}

/* All of them or none; tells which one is full. */
static bool may_begin(struct calls *calls, const struct concern *list,
		      unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!is_full(calls, &list[i]))
			continue;
		log_limited(LOG_WARN, "call.limit",
			    kv_s("section", list[i].name));
		return false;
	}
	for (unsigned i = 0; i < n; i++)
		take(calls, &list[i]);
	return true;
}

static struct concern concern_of_peer(const struct conf_phone *phone,
				      const struct conf_trunk *trunk)
{
	return phone ? (struct concern){ADMIT_PHONE, phone->name, &phone->limit}
		     : (struct concern){ADMIT_TRUNK, trunk->name,
					&trunk->limit};
}

bool admit_caller(struct calls *calls, const struct registrar_peer *caller)
{
	const struct conf_global *g = config_global(calls->config);
	const struct concern list[] = {
		concern_of_peer(caller->phone, caller->trunk),
		{ADMIT_REALM, caller->realm->name, &caller->realm->limit},
	};

	if (calls->n >= g->max_calls)
		return false;
	if (g->max_cps && !has_token(calls, "all", g->max_cps)) {
		log_limited(LOG_WARN, "call.limit", kv_s("section", "global"));
		return false;
	}
	if (!may_begin(calls, list, 2))
		return false;
	if (g->max_cps)
		take_token(calls, "all", g->max_cps);
	return true;
}

bool admit_target(struct call *call, const struct route_target *t)
{
	const char *name = t->trunk ? t->trunk->realm : t->phone->realm;
	const struct conf_realm *realm =
		name[0] ? config_realm(call->config, name) : NULL;
	struct concern list[2] = {concern_of_peer(t->phone, t->trunk)};
	unsigned n = 1;

	/* In the caller's realm the call has its place already. */
	if (realm && realm != call->caller.realm &&
	    strcmp(realm->name, call->caller.realm->name))
		list[n++] = (struct concern){ADMIT_REALM, realm->name,
					     &realm->limit};
	return call->targets.emergency || may_begin(call->owner, list, n);
}

static void drop(struct hash_node *node, void *arg)
{
	struct calls *calls = arg;

	hash_remove(&calls->buckets, node);
	free(container_of(node, struct admit_bucket, by_name));
}

void admit_clear(struct calls *calls)
{
	hash_each(&calls->buckets, drop, calls);
	hash_clear(&calls->buckets);
}
