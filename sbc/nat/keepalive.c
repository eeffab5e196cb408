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

enum {
	/* The last ping before a restart may be an interval old, and a NAT may
	 * forget after little more: 25 s, 30 s. */
	RESUME_MS = 4000,
};

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
	bool is_resumed; /* not yet at its own place in the interval */
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
	unsigned next =
		e->is_resumed ? 1 + rand_below(e->interval_ms) : e->interval_ms;

	e->is_resumed = false;
	timer_set(e->owner->loop, &e->timer, next, due, e);
	e->owner->ping(e->owner->arg, &e->flow);
}

static int hold(struct keepalive *ka, const struct sip_flow *flow,
		unsigned interval_ms, unsigned first_ms)
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
	e->is_resumed = first_ms != interval_ms;
	if (hash_insert(&ka->flows, &e->node, flow_hash(flow))) {
		free(e);
		return -ENOMEM;
	}
	timer_set(ka->loop, &e->timer, 1 + rand_below(first_ms), due, e);
	return 0;
}

int keepalive_hold(struct keepalive *ka, const struct sip_flow *flow,
		   unsigned interval_ms)
{
	/* Its own place in the interval: many that come at once spread. */
	return hold(ka, flow, interval_ms, interval_ms);
}

int keepalive_resume(struct keepalive *ka, const struct sip_flow *flow,
		     unsigned interval_ms)
{
	return hold(ka, flow, interval_ms,
		    interval_ms < RESUME_MS ? interval_ms : RESUME_MS);
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
