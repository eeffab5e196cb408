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
	struct keepalive_conf conf;
	struct hash flows;
};

struct keep_flow {
	struct hash_node node;
	struct keepalive *owner;
	struct sip_flow flow;
	struct list holds;
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
	return sip_flow_equal(&container_of(node, struct keep_flow, node)->flow,
			      key);
}

int keepalive_create(struct keepalive **out, const struct keepalive_conf *conf)
{
	struct keepalive *ka = calloc(1, sizeof(*ka));

	if (!ka)
		return -ENOMEM;
	ka->conf = *conf;
	hash_init(&ka->flows);
	*out = ka;
	return 0;
}

static void drop(struct hash_node *node, void *arg)
{
	struct keep_flow *f = container_of(node, struct keep_flow, node);
	struct keepalive *ka = f->owner;

	list_for_each_safe (pos, &f->holds) {
		list_entry(pos, struct keep, link)->flow = NULL;
		list_remove(pos);
	}
	timer_cancel(ka->conf.loop, &f->timer);
	hash_remove(&ka->flows, &f->node);
	free(f);
}

void keepalive_destroy(struct keepalive *ka)
{
	if (!ka)
		return;
	hash_each(&ka->flows, drop, NULL);
	hash_clear(&ka->flows);
	free(ka);
}

static struct keep_flow *find(const struct keepalive *ka,
			      const struct sip_flow *flow)
{
	struct hash_node *node =
		hash_find(&ka->flows, flow_hash(flow), same_flow, flow);

	return node ? container_of(node, struct keep_flow, node) : NULL;
}

static void due(void *arg)
{
	struct keep_flow *f = arg;
	struct keepalive *ka = f->owner;
	unsigned next =
		f->is_resumed ? 1 + rand_below(f->interval_ms) : f->interval_ms;

	f->is_resumed = false;
	timer_set(ka->conf.loop, &f->timer, next, due, f);
	ka->conf.ping(ka->conf.arg, &f->flow, KEEP_CRLF, NULL, 0);
}

static struct keep_flow *make(struct keepalive *ka, const struct sip_flow *flow,
			      const struct keep_want *want)
{
	struct keep_flow *f = calloc(1, sizeof(*f));
	unsigned first = want->interval_ms;

	if (!f)
		return NULL;
	f->owner = ka;
	f->flow = *flow;
	f->interval_ms = want->interval_ms;
	f->is_resumed = want->resumed;
	list_init(&f->holds);
	if (hash_insert(&ka->flows, &f->node, flow_hash(flow))) {
		free(f);
		return NULL;
	}
	if (want->resumed && first > RESUME_MS)
		first = RESUME_MS;
	/* Its own place in the interval: many that come at once spread. */
	timer_set(ka->conf.loop, &f->timer, 1 + rand_below(first), due, f);
	return f;
}

int keepalive_hold(struct keepalive *ka, struct keep *k,
		   const struct sip_flow *flow, enum keep_reason reason,
		   const struct keep_want *want)
{
	struct keep_flow *f = find(ka, flow);

	if (!f)
		f = make(ka, flow, want);
	else if (want->interval_ms < f->interval_ms)
		f->interval_ms = want->interval_ms;
	if (f && k->flow == f)
		list_remove(&k->link);
	else
		keepalive_release(k);
	if (!f)
		return -ENOMEM;
	k->flow = f;
	k->reason = reason;
	k->target = want->target;
	list_append(&f->holds, &k->link);
	return 0;
}

void keepalive_release(struct keep *k)
{
	struct keep_flow *f = k->flow;

	if (!f)
		return;
	list_remove(&k->link);
	k->flow = NULL;
	if (list_empty(&f->holds))
		drop(&f->node, NULL);
}

unsigned keepalive_flows(const struct keepalive *ka)
{
	return ka->flows.n;
}
