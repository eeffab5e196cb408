/*
 * call.c - the table of calls; making, ending and freeing one
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A call owns its legs.  Nothing is freed inside a leg's callback: dead legs,
 * and the call with its last leg, go at the loop's next turn.
 */
#include "call/call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call/call_priv.h"
#include "core/log.h"
#include "core/rand.h"

int calls_create(struct calls **out, const struct calls_conf *conf,
		 struct config *config)
{
	struct calls *calls = calloc(1, sizeof(*calls));

	if (!calls)
		return -ENOMEM;
	calls->conf = *conf;
	calls->config = config_ref(config);
	list_init(&calls->all);
	list_init(&calls->lingering);
	list_init(&calls->strays);
	hash_init(&calls->by_invite);
	hash_init(&calls->buckets);
	hash_init(&calls->by_dialog);
	*out = calls;
	return 0;
}

static void call_free(struct call *call)
{
	struct calls *calls = call->owner;

	timer_cancel(calls->conf.loop, &call->ring);
	bridge_unwatch(call);
	fork_forget(call);
	transfer_forget(call);
	timer_cancel(calls->conf.loop, &call->record.partial);
	timer_cancel(calls->conf.loop, &call->reap);
	for (unsigned i = 0; i < CALL_LEGS; i++)
		leg_destroy(call->legs[i]);
	if (call->invite_key)
		hash_remove(&calls->by_invite, &call->by_invite);
	list_remove(&call->node);
	calls->n -= !call->over;
	headers_forget(call);
	config_unref(call->config);
	free(call->invite_key);
	free(call->display);
	free(call);
}

void call_dissolve(struct call *call)
{
	call_free(call);
}

void calls_destroy(struct calls *calls)
{
	if (!calls)
		return;
	adopt_clear(calls);
	list_for_each_safe (pos, &calls->all)
		call_free(list_entry(pos, struct call, node));
	list_for_each_safe (pos, &calls->lingering)
		call_free(list_entry(pos, struct call, node));
	hash_clear(&calls->by_invite);
	admit_clear(calls);
	hash_clear(&calls->by_dialog);
	config_unref(calls->config);
	free(calls);
}

void calls_set_config(struct calls *calls, struct config *config)
{
	config_unref(calls->config);
	calls->config = config_ref(config);
}

struct call *call_create(struct calls *calls, const struct sip_view *invite,
			 const char *key)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->owner = calls;
	call->config = config_ref(calls->config);
	list_append(&calls->all, &call->node);
	call->number = ++calls->last_number;
	calls->n++;
	rand_token(call->id, CALL_ID_CHARS);
	call->started_at = clock_wall();
	call->worker = media_pick_worker(calls->conf.media);
	/* Copied less one across the box; 70 when the caller gave none. */
	call->max_forwards = invite->max_forwards > 1 ? invite->max_forwards - 1
			     : invite->max_forwards == 1 ? -1
							 : 70;
	call->invite_key = strdup(key);
	if (!call->invite_key ||
	    hash_insert(&calls->by_invite, &call->by_invite, hash_text(key))) {
		free(call->invite_key);
		call->invite_key = NULL;
	}
	return call;
}

struct leg_conf call_leg_conf(struct call *call, const struct conf_realm *realm,
			      const char *peer, const struct sip_flow *flow,
			      bool is_trunk)
{
	const struct calls_conf *conf = &call->owner->conf;
	const struct conf_trunk *trunk =
		is_trunk ? config_trunk(call->owner->config, peer) : NULL;

	return (struct leg_conf){
		.loop = conf->loop,
		.sip = conf->sip,
		.media = conf->media,
		.keepalive = conf->keepalive,
		.off_link = !conf->is_on_link ||
			    !conf->is_on_link(conf->arg, &flow->remote),
		.worker = call->worker,
		.realm = realm,
		.policy = trunk ? &trunk->policy : &realm->policy,
		.peer = peer,
		.is_trunk = is_trunk,
		.index = &call->owner->by_dialog,
		.ops = &call_leg_ops,
		.arg = call,
	};
}

int call_add_leg(struct call *call, struct leg *leg)
{
	for (unsigned i = 0; i < CALL_LEGS; i++) {
		if (!call->legs[i]) {
			call->legs[i] = leg;
			return 0;
		}
	}
	return -ENOSPC;
}

int call_peer(const struct config *config, const char *realm, const char *peer,
	      bool is_trunk, struct registrar_peer *out)
{
	*out = (struct registrar_peer){
		.realm = config_realm(config, realm),
	};
	if (is_trunk)
		out->trunk = config_trunk(config, peer);
	else
		out->phone = config_phone(config, peer);
	return out->realm && (out->trunk || out->phone) ? 0 : -ENOENT;
}

void call_move_leg(struct call *to, struct call *from, struct leg *leg)
{
	for (unsigned i = 0; i < CALL_LEGS; i++) {
		if (from->legs[i] == leg)
			from->legs[i] = NULL;
	}
	if (from->a == leg)
		from->a = NULL;
	if (from->b == leg)
		from->b = NULL;
	leg_give(leg, to);
	if (call_add_leg(to, leg)) /* of a call that is up two are in use */
		leg_hangup(leg, NULL);
}

/*
 * What a call still waits for.  A leg that was cancelled before it answered is
 * nobody's call any more; it stays only to end a 200 that may still come.  Nor
 * is one whose peer cannot be told of the end.
 */
enum remains { CALL_IS_ON, CALL_LINGERS, CALL_IS_OVER };

static enum remains what_remains(const struct call *call)
{
	enum remains most = CALL_IS_OVER;

	if (transfer_brings(call) && call->state == CALL_RINGING)
		return CALL_IS_ON; /* it has no caller */
	for (unsigned i = 0; i < CALL_LEGS; i++) {
		const struct leg *leg = call->legs[i];

		if (!leg || leg_state(leg) == LEG_DEAD)
			continue;
		if (!leg_is_adrift(leg) && (leg == call->a || leg == call->b ||
					    leg_state(leg) != LEG_ENDING))
			return CALL_IS_ON;
		most = CALL_LINGERS;
	}
	return most;
}

/* Out of the list and the log; lingering legs may stay. */
static void call_over(struct call *call)
{
	struct calls *calls = call->owner;

	if (call->over)
		return;
	call->over = true;
	log_info("call.end", kv_s("call", call->id), kv_s("from", call->from),
		 kv_s("to", call->to),
		 kv_s("cause", call->cause ? call->cause : "ended"),
		 kv_i("status", call->status),
		 kv_i("duration_ms",
		      call->answered ? clock_mono() - call->answered : 0));
	list_remove(&call->node);
	list_append(&calls->lingering, &call->node);
	calls->n--;
	if (call->invite_key)
		hash_remove(&calls->by_invite, &call->by_invite);
	free(call->invite_key);
	call->invite_key = NULL;
}

static void free_dead_legs(struct call *call)
{
	for (unsigned i = 0; i < CALL_LEGS; i++) {
		struct leg *leg = call->legs[i];

		if (!leg || leg_state(leg) != LEG_DEAD || leg_is_referring(leg))
			continue;
		transfer_leg_gone(call, leg);
		if (leg == call->a)
			call->a = NULL;
		if (leg == call->b)
			call->b = NULL;
		if (leg == call->early)
			call->early = NULL;
		fork_leg_gone(call, leg);
		call->legs[i] = NULL;
		leg_destroy(leg);
	}
}

/* The reaper: free dead legs, and the call when none lives and none is to
 * come. */
static void call_reap(void *arg)
{
	struct call *call = arg;
	enum remains remains;

	free_dead_legs(call);
	remains = what_remains(call);
	if (remains == CALL_IS_ON)
		return;
	call_over(call);
	if (remains == CALL_IS_OVER)
		call_free(call);
}

void call_leg_dead(void *arg, struct leg *leg)
{
	struct call *call = arg;

	timer_set(call->owner->conf.loop, &call->reap, 0, call_reap, call);
}

void call_ending(struct call *call, const char *cause)
{
	if (!call->cause) {
		call->cause = cause;
		if (!call->adopted)
			record_end(call);
	}
	call->state = CALL_ENDING;
	transfer_call_ending(call);
	refer_ending(call);
	fork_forget(call);
	timer_cancel(call->owner->conf.loop, &call->ring);
	bridge_unwatch(call);
}

void call_hangup_legs(struct call *call, const struct leg *except,
		      const char *reason)
{
	for (unsigned i = 0; i < CALL_LEGS; i++) {
		if (call->legs[i] && call->legs[i] != except)
			leg_hangup(call->legs[i], reason);
	}
}

void calls_hangup(struct calls *calls, const char *reason, const char *cause)
{
	list_for_each_safe (pos, &calls->all) {
		struct call *call = list_entry(pos, struct call, node);

		call_ending(call, cause);
		call_hangup_legs(call, NULL, reason);
	}
}

/* The port may have been another phone's before: only legs of this one. */
static void follow(struct call *call, const struct binding *b,
		   const struct sip_flow *from)
{
	fork_follow(call, b);
	for (unsigned i = 0; i < CALL_LEGS; i++) {
		struct leg *leg = call->legs[i];

		if (leg && leg_state(leg) != LEG_DEAD &&
		    sip_flow_equal(leg_flow(leg), from) &&
		    !strcmp(leg_peer(leg), binding_phone(b))) {
			leg_move(leg, &b->to);
			leg_expect_from(leg, &b->flow);
		}
	}
}

void calls_follow(struct calls *calls, const struct binding *b,
		  const struct sip_flow *from)
{
	list_for_each_safe (pos, &calls->all)
		follow(list_entry(pos, struct call, node), b, from);
	list_for_each_safe (pos, &calls->lingering)
		follow(list_entry(pos, struct call, node), b, from);
}

void calls_appeared(struct calls *calls, const struct binding *b)
{
	list_for_each_safe (pos, &calls->all)
		appear_take(list_entry(pos, struct call, node), b);
	list_for_each_safe (pos, &calls->lingering)
		appear_take(list_entry(pos, struct call, node), b);
}

unsigned calls_count(const struct calls *calls)
{
	return calls->n;
}

unsigned calls_slice(const struct calls *calls, uint64_t *after, unsigned max,
		     void (*fn)(void *arg, const struct call *call), void *arg)
{
	unsigned n = 0;

	list_for_each (pos, &calls->all) {
		const struct call *call = list_entry(pos, struct call, node);

		if (call->number <= *after)
			continue;
		if (n++ == max)
			return max;
		*after = call->number;
		fn(arg, call);
	}
	return n;
}

const char *call_id(const struct call *call)
{
	return call->id;
}

enum call_state call_state(const struct call *call)
{
	return call->state;
}

const char *call_state_name(enum call_state state)
{
	static const char *const names[] = {
		[CALL_RINGING] = "ringing",
		[CALL_UP] = "up",
		[CALL_ENDING] = "ending",
	};

	return names[state];
}

const char *call_from(const struct call *call)
{
	return call->from;
}

const char *call_to(const struct call *call)
{
	return call->to;
}

wall_ms call_started(const struct call *call)
{
	return call->started_at;
}

wall_ms call_answered(const struct call *call)
{
	return call->answered_at;
}

const struct leg *call_leg(const struct call *call, unsigned i)
{
	for (unsigned k = 0; k < CALL_LEGS; k++) {
		if (call->legs[k] && i-- == 0)
			return call->legs[k];
	}
	return NULL;
}
