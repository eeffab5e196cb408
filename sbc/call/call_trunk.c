/*
 * call_trunk.c - asking a trunk: its hosts one after the other, until one takes
 * the call
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   trunk_start() -> way 1 -- 408, 5xx, ICMP, refused connection --> way 2 ...
 *                         \- nothing at all for failover_ms ------/
 *                                              none left: the next target
 *
 * A host that is silent is not waited for to the end of Timer B (32 s) while
 * there is another one to ask; an answer of its that comes late is ended by its
 * leg.  What trunk/ says of a host is kept to, but for an emergency call, which
 * asks every one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "call/call_priv.h"
#include "core/err.h"
#include "core/log.h"

void trunk_forget(struct call *call)
{
	struct call_trunk *t = &call->trunk;

	timer_cancel(call->owner->conf.loop, &t->silence);
	t->conf = NULL;
	t->leg = NULL;
	t->n = t->next = 0;
}

/* ---- what trunk/ hears -------------------------------------------------------- */

static void report(struct call *call, enum trunk_outcome outcome, int status,
		   int64_t retry_after_s)
{
	struct call_trunk *t = &call->trunk;

	if (!t->conf || !t->next)
		return;
	trunks_report(call->owner->conf.trunks, t->conf->name,
		      &t->ways[t->next - 1],
		      &(struct trunk_report){
			      .outcome = outcome,
			      .status = status,
			      .retry_after_s = retry_after_s,
		      });
}

void trunk_heard(struct call *call, const struct leg *leg, int status)
{
	struct call_trunk *t = &call->trunk;

	if (leg != t->leg || t->is_heard)
		return;
	t->is_heard = true;
	timer_cancel(call->owner->conf.loop, &t->silence);
	report(call, TRUNK_ANSWERED, status, -1);
}

/* @leg has ended before it was up: by its peer, by the stack, which found no
 * way or waited in vain, or by ourselves, who did not like what we heard. */
static void report_end(struct call *call, const struct leg *leg, int status)
{
	int64_t retry_after_s;
	int said = leg_refusal(leg, &retry_after_s);

	if (said)
		report(call, TRUNK_ANSWERED, said, retry_after_s);
	else if (status == 503 || status == 430)
		report(call, TRUNK_REFUSED, 0, -1);
	else if (leg_was_heard(leg))
		report(call, TRUNK_ANSWERED, status, -1);
	else if (!call->trunk.is_told_silent)
		report(call, TRUNK_SILENT, 0, -1);
}

/* ---- asking --------------------------------------------------------------------- */

/* Is @trunk the registrar of the phone that calls? */
static bool is_callers(const struct call *call, const struct conf_trunk *trunk)
{
	const struct registrar_peer *caller = &call->caller;

	return caller->phone && !strcmp(caller->realm->registrar, trunk->name);
}

/* The way that requests there are to take (RFC 3608): as the caller's registrar
 * said, or our own. */
static const char *service_route(const struct call *call,
				 const struct conf_trunk *trunk)
{
	return is_callers(call, trunk)
		       ? registrar_service_route(call->owner->conf.registrar,
						 call->caller.phone->name)
		       : trunks_service_route(call->owner->conf.trunks,
					      trunk->name);
}

/* Who we are there.  The caller's registrar challenges the phone, whose
 * password we have. */
static void write_names(const struct call *call, const struct conf_trunk *trunk,
			struct sip_dialog_conf *dialog, char mem[ADDR_TEXT_MAX])
{
	struct sip_credentials *as = &dialog->credentials;

	if (is_callers(call, trunk)) {
		as->user = call->caller.phone->auth_user;
		as->password = call->caller.phone->password;
		return;
	}
	dialog->local_host = trunk_domain(trunk, mem);
	dialog->remote_host = dialog->local_host;
	if (trunk->password) {
		as->user = trunk->auth_user[0] ? trunk->auth_user
					       : trunk->username;
		as->password = trunk->password;
	}
}

static int ask(struct call *call, const struct trunk_way *way)
{
	const struct conf_trunk *trunk = call->trunk.conf;
	const struct conf_realm *realm =
		config_realm(call->owner->config, trunk->realm);
	char target[3 * LIMIT_USER_BYTES + sizeof(way->target) + 8];
	char domain[ADDR_TEXT_MAX];
	struct sip_dialog_conf dialog = {.target = target};
	struct leg_conf conf;
	struct buf b;
	int err;

	if (!realm)
		return -ENETUNREACH;
	buf_init(&b, target, sizeof(target));
	buf_puts(&b, "sip:");
	sip_put_user(&b, call->to);
	buf_printf(&b, "@%s", way->target);
	write_names(call, trunk, &dialog, domain);
	dialog.tcp_above = trunk->tcp_above;
	err = sip_flow_to(call->owner->conf.sip, realm->name, way->transport,
			  &way->remote, &dialog.flow);
	if (err)
		return err;
	conf = call_leg_conf(call, realm, trunk->name, &dialog.flow, true);
	return setup_start_leg(call, &conf, &dialog, service_route(call, trunk),
			       &call->trunk.leg);
}

static void silent(void *arg);

/* Ask the trunk's next host, and the next, until one could be asked. */
static bool ask_next(struct call *call)
{
	struct call_trunk *t = &call->trunk;
	int err;

	t->leg = NULL;
	t->is_heard = t->is_told_silent = false;
	timer_cancel(call->owner->conf.loop, &t->silence);
	while (t->next < t->n) {
		const struct trunk_way *way = &t->ways[t->next++];

		err = ask(call, way);
		if (!err) {
			timer_set(call->owner->conf.loop, &t->silence,
				  t->conf->failover_ms, silent, call);
			return true;
		}
		log_limited(LOG_WARN, "trunk.unreachable",
			    kv_s("trunk", t->conf->name),
			    kv_a("host", &way->remote),
			    kv_s("err", err_name(err)));
		report(call, TRUNK_UNSENT, 0, -1);
		setup_note_failure(call, setup_status_of(err));
	}
	return false;
}

static bool has_other_target(const struct call *call)
{
	return !call->target_stops && call->next_target < call->targets.n;
}

/* Where somebody else may be asked, one that was silent of late is not; one
 * that said when it will be back is not asked before. */
static bool is_worth_asking(const struct call *call, const struct trunk_way *w)
{
	if (call->targets.emergency || w->grade == TRUNK_GOOD)
		return true;
	return w->grade == TRUNK_SUSPECT && !has_other_target(call);
}

void trunk_start(struct call *call, const struct conf_trunk *trunk)
{
	struct call_trunk *t = &call->trunk;
	struct trunk_way ways[TRUNK_WAYS];
	unsigned n;

	n = trunks_ways(call->owner->conf.trunks, trunk->name, ways,
			TRUNK_WAYS);
	t->conf = trunk;
	t->n = t->next = 0;
	for (unsigned i = 0; i < n && t->n < CALL_WAYS; i++) {
		if (is_worth_asking(call, &ways[i]))
			t->ways[t->n++] = ways[i];
	}
	if (ask_next(call))
		return;
	if (!t->n) {
		log_limited(LOG_WARN, "trunk.skipped", kv_s("call", call->id),
			    kv_s("trunk", trunk->name));
		setup_note_failure(call, 503);
	}
}

/* ---- what comes of it --------------------------------------------------------------- */

static void log_failover(const struct call *call, int status)
{
	const struct call_trunk *t = &call->trunk;

	log_info("call.failover", kv_s("call", call->id),
		 kv_s("trunk", t->conf->name),
		 kv_a("host", &t->ways[t->next - 1].remote),
		 kv_i("status", status));
}

static void silent(void *arg)
{
	struct call *call = arg;
	struct call_trunk *t = &call->trunk;
	struct leg *leg = t->leg;

	if (!leg)
		return;
	if (leg_was_heard(leg)) {
		trunk_heard(call, leg, 100);
		return;
	}
	t->is_told_silent = true;
	report(call, TRUNK_SILENT, 0, -1);
	if (t->next == t->n && !has_other_target(call))
		return; /* there is nothing better than to go on waiting */
	log_failover(call, 0);
	setup_note_failure(call, 408);
	call->ringing--;
	leg_hangup(leg, NULL);
	if (ask_next(call) || call->ringing)
		return;
	timer_cancel(call->owner->conf.loop, &call->ring);
	setup_next_target(call);
}

bool trunk_ended(struct call *call, const struct leg *leg, int status)
{
	struct call_trunk *t = &call->trunk;

	if (!t->conf || leg != t->leg)
		return false;
	timer_cancel(call->owner->conf.loop, &t->silence);
	report_end(call, leg, status);
	t->leg = NULL;
	if (!route_next(status) || t->next == t->n)
		return false;
	log_failover(call, status);
	setup_note_failure(call, status);
	return ask_next(call);
}
