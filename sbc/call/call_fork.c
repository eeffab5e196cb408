/*
 * call_fork.c - asking a phone: a fork to each of its devices, the ways to one
 * device in turn, and forks that follow a phone to its new flow
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A device that registered several flows (RFC 5626) must ring once: its ways
 * are alternatives, tried newest first.
 *
 *   SPARE -- asked --> LIVE -- answers no --------------------> OVER
 *     ^                 |  \-- way is dead: the device's next SPARE
 *     |                 |
 *     |                 +-- nothing came back, NAT or router between
 *     |                 v
 *     |               SILENT -- its phone registers along another flow --+
 *     +------------------------------------------------------------------+
 *
 * A NAT that restarts forgets its phones until each registers again.  An INVITE
 * that went into that gap goes out anew then, as long as the caller waits: a
 * call whose only hope is a phone that may come back so lasts for ring_timeout,
 * and not only for the 32 s of its INVITE.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call/call_priv.h"
#include "core/log.h"

/* The realm that @flow's socket belongs to now: a reload may have renamed
 * it. */
static const struct conf_realm *realm_of(const struct calls *calls,
					 const struct sip_flow *flow)
{
	const char *name =
		sip_realm_at(calls->conf.sip, flow->transport, &flow->local);

	return name ? config_realm(calls->config, name) : NULL;
}

/* Without memory it cannot be told again. */
static void set_names(struct call_fork *fork, const char *contact,
		      const char *instance)
{
	free(fork->contact);
	free(fork->instance);
	fork->contact = contact ? strdup(contact) : NULL;
	fork->instance = instance ? strdup(instance) : NULL;
}

static int start(struct call *call, struct call_fork *fork,
		 const struct binding *b)
{
	const struct conf_realm *realm = realm_of(call->owner, &b->to);
	struct sip_dialog_conf dialog = {.flow = b->to, .target = b->contact};
	struct leg_conf conf;
	int err;

	if (!realm)
		return -ENOENT;
	conf = call_leg_conf(call, realm, call->phone->name, &b->to, false);
	conf.nat = &b->nat;
	conf.source = &b->flow;
	conf.instance = b->instance;
	err = setup_start_leg(call, &conf, &dialog, b->path, &fork->leg);
	if (err)
		return err;
	fork->state = FORK_LIVE;
	set_names(fork, b->contact, b->instance);
	return 0;
}

static const struct binding *binding_of(const struct call_fork *fork,
					const struct binding **found,
					unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (found[i]->id == fork->binding)
			return found[i];
	}
	return NULL;
}

/* Ask @device along the first of its ways that takes the INVITE.  -ENOENT:
 * there is none left. */
static int ask_device(struct call *call, unsigned device,
		      const struct binding **found, unsigned n)
{
	int err = -ENOENT;

	for (unsigned i = 0; i < call->n_forks && err; i++) {
		struct call_fork *fork = &call->forks[i];
		const struct binding *b = binding_of(fork, found, n);

		if (fork->device != device || fork->state != FORK_SPARE)
			continue;
		fork->state = FORK_OVER;
		if (b)
			err = start(call, fork, b);
	}
	return err;
}

/* Of the @n bindings in @found that with id @only. */
static unsigned keep_only(const struct binding **found, unsigned n,
			  uint64_t only)
{
	for (unsigned i = 0; i < n; i++) {
		if (found[i]->id == only) {
			found[0] = found[i];
			return 1;
		}
	}
	return 0;
}

int fork_phone(struct call *call, const struct conf_phone *phone)
{
	const struct binding *found[LIMIT_FORKS];
	unsigned n, started = 0;
	int err = -ENOENT;

	n = registrar_find(call->owner->conf.registrar, phone->name, found,
			   LIMIT_FORKS);
	if (call->only)
		n = keep_only(found, n, call->only);
	call->phone = phone;
	call->n_forks = n;
	for (unsigned i = 0; i < n; i++) {
		unsigned device = 0;

		while (device < i &&
		       !binding_same_device(found[device], found[i]))
			device++;
		call->forks[i] = (struct call_fork){
			.binding = found[i]->id,
			.device = device,
		};
	}
	for (unsigned i = 0; i < n; i++) {
		int one = -ENOENT;

		if (call->forks[i].device == i)
			one = ask_device(call, i, found, n);
		if (!one)
			started++;
		else if (one != -ENOENT)
			err = one;
	}
	return started ? 0 : err;
}

static struct call_fork *fork_of(struct call *call, const struct leg *leg)
{
	for (unsigned i = 0; i < call->n_forks; i++) {
		if (call->forks[i].leg == leg)
			return &call->forks[i];
	}
	return NULL;
}

/* RFC 5626 5.3, 7: not the user, but the way said no. */
static bool is_way_dead(int status)
{
	return status == 408 || status == 430 || status == 503;
}

bool fork_ended(struct call *call, const struct leg *leg, int status)
{
	const struct binding *found[LIMIT_FORKS];
	struct call_fork *fork = fork_of(call, leg);
	unsigned n;

	if (!fork)
		return false;
	fork->leg = NULL;
	fork->state = FORK_OVER;
	if (!is_way_dead(status))
		return false;
	if (!leg_was_heard(leg) && leg_is_careful(leg))
		fork->state = FORK_SILENT;
	n = registrar_find(call->owner->conf.registrar, call->phone->name,
			   found, LIMIT_FORKS);
	return !ask_device(call, fork->device, found, n);
}

bool fork_may_return(const struct call *call)
{
	for (unsigned i = 0; i < call->n_forks; i++) {
		if (call->forks[i].state == FORK_SILENT)
			return true;
	}
	return false;
}

void fork_forget(struct call *call)
{
	for (unsigned i = 0; i < call->n_forks; i++)
		set_names(&call->forks[i], NULL, NULL);
	call->n_forks = 0;
	trunk_forget(call);
}

void fork_leg_gone(struct call *call, const struct leg *leg)
{
	struct call_fork *fork = fork_of(call, leg);

	if (!fork)
		return;
	fork->leg = NULL;
	fork->state = FORK_OVER;
}

static bool is_device_ringing(const struct call *call, unsigned device)
{
	for (unsigned i = 0; i < call->n_forks; i++) {
		const struct call_fork *f = &call->forks[i];

		if (f->device == device && f->state == FORK_LIVE &&
		    leg_was_heard(f->leg))
			return true;
	}
	return false;
}

static void ask_again(struct call *call, struct call_fork *fork,
		      const struct binding *b)
{
	struct leg *unheard = fork->leg;

	if ((fork->state != FORK_LIVE && fork->state != FORK_SILENT) ||
	    is_device_ringing(call, fork->device) || start(call, fork, b))
		return; /* the old one may still do */
	fork->binding = b->id;
	log_info("call.followed", kv_s("call", call->id),
		 kv_s("peer", call->phone->name), kv_a("to", &b->to.remote));
	if (!unheard)
		return;
	/* Its INVITE may have arrived after all: leg/ ends what comes of it. */
	call->ringing--;
	leg_hangup(unheard, NULL);
}

void fork_follow(struct call *call, const struct binding *b)
{
	for (unsigned i = 0; i < call->n_forks; i++) {
		if (call->forks[i].binding == b->id) {
			ask_again(call, &call->forks[i], b);
			return;
		}
	}
}

/* Its binding stands, and answers. */
static bool is_reachable(const struct call *call, const struct call_fork *fork)
{
	const struct binding *found[LIMIT_FORKS], *b;
	unsigned n = registrar_find(call->owner->conf.registrar,
				    call->phone->name, found, LIMIT_FORKS);

	b = binding_of(fork, found, n);
	return b && !b->lost;
}

static bool is_same(const struct call *call, const struct call_fork *fork,
		    const struct binding *b)
{
	return binding_is_of(b, fork->contact, fork->instance,
			     call->started_at);
}

/* An INVITE that waits in vain is anybody's of that phone, once the binding
 * that it went to is gone; one that is under way only the same device's. */
static bool may_take(const struct call *call, const struct call_fork *fork,
		     const struct binding *b)
{
	if (fork->state == FORK_SILENT)
		return is_same(call, fork, b) ||
		       (!call->only && !is_reachable(call, fork));
	return fork->state == FORK_LIVE && !leg_was_heard(fork->leg) &&
	       is_same(call, fork, b) && !is_reachable(call, fork);
}

void fork_appeared(struct call *call, const struct binding *b)
{
	struct call_fork *fork = NULL;

	if (!call->n_forks || strcmp(call->phone->name, binding_phone(b)))
		return;
	for (unsigned i = 0; i < call->n_forks; i++) {
		struct call_fork *f = &call->forks[i];

		if (may_take(call, f, b) && (!fork || is_same(call, f, b)))
			fork = f;
	}
	if (fork)
		ask_again(call, fork, b);
}
