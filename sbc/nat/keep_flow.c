/*
 * keep_flow.c - the flows that are kept open, who holds them, and what they
 * look like
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A flow is made by its first hold and ends with its last.  What was learned
 * of a NAT belongs to the peer behind it, so it moves along when a hold moves
 * to another port of the same host: that is how a phone looks whose NAT forgot
 * it.
 */
#include <errno.h>
#include <stdlib.h>

#include "nat/keepalive_priv.h"

/* One local socket has nearly all flows of a host: its hash would add work
 * for each packet and spread nothing. */
static uint32_t flow_hash(const struct sip_flow *flow)
{
	return addr_hash(&flow->remote);
}

static bool same_flow(const struct hash_node *node, const void *key)
{
	return sip_flow_equal(&container_of(node, struct keep_flow, node)->flow,
			      key);
}

struct keep_flow *keep_find(const struct keepalive *ka,
			    const struct sip_flow *flow)
{
	struct hash_node *node =
		hash_find(&ka->flows, flow_hash(flow), same_flow, flow);

	return node ? container_of(node, struct keep_flow, node) : NULL;
}

/* ---- making and ending ---------------------------------------------------- */

static void count_hold(struct keep_flow *f, enum keep_reason reason, int by)
{
	if (by > 0 && !f->n_holds[reason]++)
		f->owner->held[reason]++;
	if (by < 0 && !--f->n_holds[reason])
		f->owner->held[reason]--;
}

static bool is_held(const struct keep_flow *f)
{
	for (int i = 0; i < KEEP_REASONS; i++)
		if (f->n_holds[i])
			return true;
	return false;
}

static void drop(struct keep_flow *f)
{
	struct keepalive *ka = f->owner;

	if (f->telling) {
		f->dead = true; /* keep_tell() ends it */
		return;
	}
	wheel_remove(&ka->wheel, &f->due);
	wheel_pace(&ka->wheel, &f->due, 0);
	list_remove(&f->link);
	if (f->lost_at)
		ka->lost--;
	hash_remove(&ka->flows, &f->node);
	free(f->rtt);
	free(f);
}

static void let_go(struct keep *k)
{
	struct keep_flow *f = k->flow;

	list_remove(&k->link);
	k->flow = NULL;
	count_hold(f, k->reason, -1);
}

static void drop_node(struct hash_node *node, void *arg)
{
	struct keep_flow *f = container_of(node, struct keep_flow, node);

	list_for_each_safe (pos, &f->holds)
		let_go(list_entry(pos, struct keep, link));
	drop(f);
}

void keepalive_destroy(struct keepalive *ka)
{
	if (!ka)
		return;
	timer_cancel(ka->conf.loop, &ka->timer);
	hash_each(&ka->flows, drop_node, NULL);
	hash_clear(&ka->flows);
	free(ka);
}

static struct keep_flow *make(struct keepalive *ka, const struct sip_flow *flow)
{
	struct keep_flow *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->owner = ka;
	f->flow = *flow;
	list_init(&f->holds);
	list_init(&f->link);
	if (hash_insert(&ka->flows, &f->node, flow_hash(flow))) {
		free(f);
		return NULL;
	}
	return f;
}

bool keep_tell(struct keep_flow *f, enum keep_event event)
{
	struct keepalive *ka = f->owner;
	struct list todo;

	if (!ka->conf.event)
		return true;
	/* Each hold goes back to the flow before it is told, so that the
	 * listener may release it or any other. */
	list_init(&todo);
	list_for_each_safe (pos, &f->holds) {
		list_remove(pos);
		list_append(&todo, pos);
	}
	f->telling = true;
	while (!list_empty(&todo)) {
		struct keep *k = list_entry(todo.next, struct keep, link);

		list_remove(&k->link);
		list_append(&f->holds, &k->link);
		ka->conf.event(ka->conf.arg, k, event);
	}
	f->telling = false;
	if (is_held(f)) {
		f->dead = false; /* held anew meanwhile, perhaps */
		return true;
	}
	drop(f);
	return false;
}

/* ---- holds ---------------------------------------------------------------- */

static int64_t modulo(int64_t a, int64_t n)
{
	return (a % n + n) % n;
}

/* Its place from before the restart, if it still has one. */
static bool resume(struct keep_flow *f, const struct keep_want *want)
{
	struct keepalive *ka = f->owner;
	int64_t n = f->interval_ms / WHEEL_SLOT_MS, slot = keep_slot(ka);
	int64_t phase;

	if (!want->resumed || want->learned.interval_ms != f->interval_ms)
		return false;
	phase = modulo((int64_t)want->learned.phase_ms - ka->wall_ahead_ms,
		       f->interval_ms) /
		WHEEL_SLOT_MS;
	wheel_set_at(&ka->wheel, &f->due, slot,
		     slot + n - modulo(slot - phase, n));
	list_append(&ka->resumed, &f->link);
	keep_arm(ka, slot + 1); /* keep_level() */
	return true;
}

/* The golden ratio takes each next one into the middle of the widest gap, so
 * that those with long intervals leave room for the later rounds of others. */
static void find_place(struct keep_flow *f)
{
	struct keepalive *ka = f->owner;
	int64_t now = keep_slot(ka), n = f->interval_ms / WHEEL_SLOT_MS, slot;

	ka->spread += UINT32_C(2654435769);
	slot = now + 1 + (int64_t)((ka->spread * (uint64_t)n) >> 32);
	if (!wheel_set(&ka->wheel, &f->due, now, slot - n / 8, slot))
		wheel_set(&ka->wheel, &f->due, now, now + 1, now + n);
}

/* A new flow's first place. */
static void begin(struct keep_flow *f, const struct keep_want *want)
{
	struct keepalive *ka = f->owner;

	learn_begin(&f->learn, &want->learned, keep_now(ka));
	if (want->learned.answers)
		f->answers = KEEP_ANSWERS;
	f->resumed = want->resumed;
	keep_set_interval(f);
	if (!resume(f, want))
		find_place(f);
	f->phase = (uint16_t)(f->due.slot % (f->interval_ms / WHEEL_SLOT_MS));
	f->told_phase = f->phase; /* who holds it looks */
	keep_arm(ka, f->due.slot);
}

/* Level what a restart brought back, once all of it is there: with different
 * intervals, places that were even one by one need not be so together; and
 * pings of the down time have to be caught up. */
static void level(struct keep_flow *f, int64_t now)
{
	struct wheel *w = &f->owner->wheel;
	int64_t n = f->interval_ms / WHEEL_SLOT_MS, late = wheel_late(w);
	int64_t slot = f->due.slot, ago = n - (slot - now);

	if (slot <= now)
		return; /* runs now */
	if (wheel_is_crowded(w, slot)) {
		wheel_set(w, &f->due, now, slot - n / 4, slot);
		f->phase = (uint16_t)(f->due.slot % n);
	}
	/* Due while we were down?  Not known for how long that was, so the
	 * first to be caught up are those due just before we came. */
	if (ago >= n / (late + 1))
		return;
	slot = now + 1 + ago * late;
	if (!wheel_set(w, &f->due, now, slot, slot + late))
		wheel_set(w, &f->due, now, slot, slot + 8 * late);
}

void keep_level(struct keepalive *ka, int64_t now)
{
	list_for_each_safe (pos, &ka->resumed) {
		struct keep_flow *f = list_entry(pos, struct keep_flow, link);

		list_remove(&f->link);
		level(f, now);
	}
}

/* Another hold, or new wishes of the one that is there. */
static void join(struct keep_flow *f, const struct keep_want *want, bool alone)
{
	bool careful = want->careful || (!alone && f->careful);
	unsigned base = want->interval_ms / WHEEL_SLOT_MS * WHEEL_SLOT_MS;

	if (!alone && f->base_ms && f->base_ms < base)
		base = f->base_ms;
	if (base < WHEEL_SLOT_MS)
		base = WHEEL_SLOT_MS;
	if (base > LEARN_MOST_MS)
		base = LEARN_MOST_MS;
	if (careful && !f->careful && f->answers == KEEP_MUTE)
		f->answers = KEEP_UNTOLD;
	f->how = (uint8_t)want->how;
	f->careful = careful;
	f->base_ms = base;
}

/* What was learned of the way that @k leaves for @to, judged by the move: the
 * phone has registered from another port. */
static bool inherit(struct learn *out, const struct keep *k,
		    const struct sip_flow *to)
{
	struct keep_flow *f = k->flow;

	if (!f || k->reason != KEEP_REG || f->flow.transport != to->transport ||
	    !addr_same_host(&f->flow.remote, &to->remote))
		return false;
	keep_conclude(f, false);
	keep_stop_learning(f);
	*out = f->learn;
	return true;
}

/* What is known at the start of the way that @k gets. */
static void set_want(struct keep_want *w, const struct keep *k,
		     const struct sip_flow *to, bool is_moved)
{
	if (is_moved)
		w->learned.answers |= k->flow->answers == KEEP_ANSWERS;
	else if (k->flow && !sip_flow_equal(&k->flow->flow, to))
		/* Another NAT, and the same phone. */
		w->learned =
			(struct nat_learned){.answers = w->learned.answers};
}

static void attach(struct keep *k, struct keep_flow *f, enum keep_reason reason,
		   const char *target)
{
	k->flow = f;
	k->reason = reason;
	k->target = target;
	list_append(&f->holds, &k->link);
	count_hold(f, reason, 1);
}

int keepalive_hold(struct keepalive *ka, struct keep *k,
		   const struct sip_flow *flow, enum keep_reason reason,
		   const struct keep_want *want)
{
	struct keep_flow *f = keep_find(ka, flow);
	struct keep_want w = *want;
	bool is_new = !f, is_moved;
	struct learn learned;

	is_moved = k->flow != f && inherit(&learned, k, flow);
	set_want(&w, k, flow, is_moved);
	if (f && f->n_holds[KEEP_REG])
		is_moved = false; /* another account moved first */
	if (!f)
		f = make(ka, flow);
	if (f && k->flow == f)
		let_go(k); /* the flow lives on */
	else
		keepalive_release(k);
	if (!f)
		return -ENOMEM;

	join(f, &w, !is_held(f));
	attach(k, f, reason, want->target);
	if (is_new)
		begin(f, &w);
	if (is_moved) {
		f->learn = learned;
		f->news = true;
	}
	keep_set_interval(f);
	if (is_moved)
		keep_cycle(f);
	if (reason == KEEP_DLG)
		keep_stop_learning(f);
	return 0;
}

void keepalive_release(struct keep *k)
{
	struct keep_flow *f = k->flow;

	if (!f)
		return;
	let_go(k);
	if (!is_held(f))
		drop(f);
}

/* ---- looks ---------------------------------------------------------------- */

static void look_rtt(const struct keep_rtt *rtt, struct keep_info *out)
{
	const unsigned most = sizeof(rtt->us) / sizeof(rtt->us[0]);

	out->n_rtt = rtt->n < most ? rtt->n : most;
	for (unsigned i = 0; i < out->n_rtt; i++)
		out->rtt_us[i] = rtt->us[(rtt->n - 1 - i) % most];
	out->rtt_min_us = rtt->min_us;
	out->rtt_max_us = rtt->max_us;
	out->rtt_avg_us = (uint32_t)(rtt->sum_us / rtt->n);
}

static void look_learned(const struct keep_flow *f, struct nat_learned *out)
{
	const struct keepalive *ka = f->owner;

	out->floor_s = f->learn.floor_s;
	out->ceiling_s = f->learn.ceiling_s;
	out->answers = f->answers == KEEP_ANSWERS;
	out->inbound_holds = f->learn.inbound_holds;
	out->interval_ms = f->interval_ms;
	out->phase_ms = (uint32_t)modulo((int64_t)f->phase * WHEEL_SLOT_MS +
						 ka->wall_ahead_ms,
					 f->interval_ms);
}

bool keepalive_look(const struct keep *k, struct keep_info *out)
{
	const struct keep_flow *f = k->flow;
	unsigned speed;

	*out = (struct keep_info){0};
	if (!f)
		return false;
	speed = f->owner->conf.speed;
	out->method = keep_method(f);
	out->interval_ms = f->interval_ms;
	out->next = f->due.slot * WHEEL_SLOT_MS / speed;
	out->heard = f->heard / speed;
	out->lost_at = f->lost_at / speed;
	out->sent = f->sent;
	out->answered = f->answered;
	out->unanswered = f->unanswered;
	for (int i = 0; i < KEEP_REASONS; i++)
		out->holds[i] = f->n_holds[i];
	if (f->rtt)
		look_rtt(f->rtt, out);
	look_learned(f, &out->learned);
	return true;
}

bool keepalive_is_lost(const struct keep *k)
{
	return k->flow && k->flow->lost_at;
}

unsigned keepalive_flows(const struct keepalive *ka)
{
	return ka->flows.n;
}

unsigned keepalive_held(const struct keepalive *ka, enum keep_reason reason)
{
	return ka->held[reason];
}

unsigned keepalive_lost(const struct keepalive *ka)
{
	return ka->lost;
}

uint64_t keepalive_sent(const struct keepalive *ka, enum keep_method method)
{
	return ka->sent[method];
}
