/*
 * keepalive.c - one ping per flow and interval, spread over the interval
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include "core/hash.h"
#include "core/list.h"
#include "core/rand.h"
#include "nat/nat.h"

struct keepalive {
	struct loop *loop;
	keepalive_ping_fn ping;
	void *arg;
	struct hash flows;
};

struct entry {
	struct hash_node node;
	struct keepalive *owner;
	struct sip_flow flow;
	unsigned reasons;
	unsigned interval_ms;
	struct timer timer;
};

static uint32_t flow_hash(const struct sip_flow *flow)
{
	return addr_hash(&flow->remote) ^ addr_hash(&flow->local) * 31 ^
	       flow->transport;
}

static bool same_flow(const struct hash_node *node, const void *key)
{
	return sip_flow_equal(&container_of(node, struct entry, node)->flow,
			      key);
}

int keepalive_create(struct keepalive **out, struct loop *loop,
		     keepalive_ping_fn ping, void *arg)
{
	struct keepalive *ka = calloc(1, sizeof(*ka));

	if (!ka)
		return -ENOMEM;
	ka->loop = loop;
	ka->ping = ping;
	ka->arg = arg;
	hash_init(&ka->flows);
	*out = ka;
	return 0;
}

static void drop(struct hash_node *node, void *arg)
{
	struct entry *e = container_of(node, struct entry, node);
	struct keepalive *ka = arg;

	timer_cancel(ka->loop, &e->timer);
	hash_remove(&ka->flows, &e->node);
	free(e);
}

void keepalive_destroy(struct keepalive *ka)
{
	if (!ka)
		return;
	hash_each(&ka->flows, drop, ka);
	hash_clear(&ka->flows);
	free(ka);
}

static struct entry *find(const struct keepalive *ka,
			  const struct sip_flow *flow)
{
	struct hash_node *node =
		hash_find(&ka->flows, flow_hash(flow), same_flow, flow);

	return node ? container_of(node, struct entry, node) : NULL;
}

static void due(void *arg)
{
	struct entry *e = arg;

	timer_set(e->owner->loop, &e->timer, e->interval_ms, due, e);
	e->owner->ping(e->owner->arg, &e->flow);
}

int keepalive_hold(struct keepalive *ka, const struct sip_flow *flow,
		   unsigned interval_ms)
{
	struct entry *e = find(ka, flow);

	if (e) {
		e->reasons++;
		if (interval_ms < e->interval_ms)
			e->interval_ms = interval_ms;
		return 0;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->owner = ka;
	e->flow = *flow;
	e->reasons = 1;
	e->interval_ms = interval_ms;
	if (hash_insert(&ka->flows, &e->node, flow_hash(flow))) {
		free(e);
		return -ENOMEM;
	}
	/* Its own place in the interval: many that come at once spread. */
	timer_set(ka->loop, &e->timer, 1 + rand_below(interval_ms), due, e);
	return 0;
}

void keepalive_release(struct keepalive *ka, const struct sip_flow *flow)
{
	struct entry *e = find(ka, flow);

	if (!e || --e->reasons)
		return;
	drop(&e->node, ka);
}

unsigned keepalive_flows(const struct keepalive *ka)
{
	return ka->flows.n;
}
