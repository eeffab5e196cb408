/*
 * way.c - the way to a phone: what NATs are in it, holding it open, and what
 * becomes of the binding when nothing comes through any more
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   REGISTER -> way_judge() -> way_hold() -> keepalive engine
 *                                             | registrar_keep_event()
 *        lost, back, proved, learned  <-------+
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/alarm.h"
#include "core/log.h"
#include "registrar/registrar_priv.h"

/* ---- the verdict ----------------------------------------------------------------- */

static bool is_behind(const struct conf_realm *realm, bool judged,
		      bool honoured)
{
	if (realm->nat != CONF_NAT_AUTO)
		return realm->nat == CONF_NAT_ALWAYS;
	return judged && !honoured;
}

bool way_is_behind(const struct binding *b, const struct binding_input *in)
{
	bool same = b && sip_flow_equal(&b->flow, in->flow);
	bool honoured = b && b->stated == STATED_ANSWERS &&
			!strcmp(b->contact, in->contact);

	return is_behind(in->realm,
			 in->verdict.behind || (same && b->judged_behind),
			 honoured);
}

static bool is_same_verdict(const struct nat_verdict *a,
			    const struct nat_verdict *b)
{
	return a->evidence == b->evidence && a->behind == b->behind &&
	       a->alg == b->alg && addr_equal(&a->announced, &b->announced);
}

bool way_judge(struct binding *b, const struct binding_input *in)
{
	struct nat_verdict before = b->nat;

	if (b->nat.evidence || addr_is_set(&b->nat.announced)) {
		b->nat.behind = b->judged_behind;
		nat_verdict_add(&b->nat, &in->verdict);
	} else {
		b->nat = in->verdict;
	}
	b->judged_behind = b->nat.behind;
	b->nat.behind = is_behind(in->realm, b->judged_behind,
				  b->stated == STATED_ANSWERS);
	return !is_same_verdict(&before, &b->nat);
}

/* ---- holding ------------------------------------------------------------------------ */

const struct conf_realm *way_realm(const struct binding *b)
{
	const struct registrar *reg = b->owner;
	/* A reload may have renamed the realm of its socket. */
	const char *name =
		sip_realm_at(reg->conf.sip, b->to.transport, &b->to.local);

	return config_realm(reg->config, name ? name : b->realm);
}

static bool is_on_link(const struct registrar *reg, const struct addr *a)
{
	return reg->conf.is_on_link && reg->conf.is_on_link(reg->conf.arg, a);
}

/* A new flow knows what the last one of the same phone had learned. */
static void look_at_learned(struct binding *b)
{
	struct keep_info info;

	if (keepalive_look(&b->keep, &info))
		b->learned = info.learned;
}

void way_hold(struct binding *b, const struct conf_realm *realm, bool resumed)
{
	struct registrar *reg = b->owner;
	struct keep_want want = {
		.how = realm->keepalive == CONF_KA_CRLF ? KEEP_ALWAYS_CRLF
		       : realm->keepalive == CONF_KA_OPTIONS
			       ? KEEP_ALWAYS_OPTIONS
			       : KEEP_AUTO,
		.interval_ms = realm->keepalive_interval_s * 1000,
		.careful = b->nat.behind || b->nat.evidence ||
			   !is_on_link(reg, &b->to.remote),
		.resumed = resumed,
		.target = b->contact,
	};

	look_at_learned(b);
	want.learned = b->learned;
	if (realm->keepalive == CONF_KA_OFF) {
		keepalive_release(&b->keep);
		way_set_lost(b, false); /* nobody knows */
	} else if (b->to.transport == SIP_TCP &&
		   !sip_flow_alive(reg->conf.sip, &b->to)) {
		keepalive_release(&b->keep);
	} else {
		keepalive_hold(reg->conf.keepalive, &b->keep, &b->to, KEEP_REG,
			       &want);
	}
}

bool way_take_config(struct binding *b, const struct conf_realm *realm)
{
	bool was = b->nat.behind;

	b->nat.behind =
		is_behind(realm, b->judged_behind, b->stated == STATED_ANSWERS);
	way_hold(b, realm, false);
	return b->nat.behind != was;
}

/* What was learned belongs to the NAT, and another address is another NAT's;
 * that the phone answers is the phone's. */
static void forget_nat(struct binding *b)
{
	b->learned = (struct nat_learned){.answers = b->learned.answers};
	b->kind = (struct nat_kind){0};
	b->kind_asked = false;
}

void way_set(struct binding *b, const struct sip_flow *to)
{
	bool same_nat = b->to.transport == to->transport &&
			addr_same_host(&b->to.remote, &to->remote);

	if (sip_flow_equal(&b->to, to))
		return;
	look_at_learned(b);
	/* Behind the same NAT way_hold() moves the hold: that its port changed
	 * is what the engine learns from. */
	if (!same_nat) {
		keepalive_release(&b->keep);
		forget_nat(b);
	} else if (!b->kind.mapping && !b->kind.filter) {
		b->kind_asked = false;
	}
	b->to = *to;
	way_set_lost(b, false);
}

void way_move(struct binding *b, const struct sip_flow *flow)
{
	way_set(b, flow);
	b->flow = *flow;
	b->nat = (struct nat_verdict){0};
	b->judged_behind = false;
	b->stated = STATED_UNTRIED;
}

/* Requests go along @to from now on; the flow of the REGISTER is as it was. */
static void turn(struct binding *b, const struct sip_flow *to,
		 enum stated stated, const struct conf_realm *realm)
{
	struct registrar *reg = b->owner;
	struct sip_flow from = b->to;
	struct keep_info was = {0};

	keepalive_look(&b->keep, &was);
	way_set(b, to);
	b->stated = stated;
	b->nat.behind =
		is_behind(realm, b->judged_behind, stated == STATED_ANSWERS);
	way_hold(b, realm, false);
	log_info("reg.moved", kv_s("aor", b->aor->text),
		 kv_a("from", &from.remote), kv_a("to", &b->to.remote));
	history_tell(b, "moved", NULL, &was);
	restore_tell(b);
	if (reg->conf.moved)
		reg->conf.moved(reg->conf.arg, b, &from);
}

void way_honour(struct binding *b, const struct sip_flow *to,
		const struct conf_realm *realm)
{
	screen_promote(b->owner->conf.screen, &to->remote, SCREEN_REGISTERED,
		       b->expires);
	turn(b, to, STATED_ANSWERS, realm);
}

/* ---- lost and back -------------------------------------------------------------------- */

static void tell_alarm(const struct registrar *reg)
{
	if (reg->n_lost)
		alarm_raise("phones-unreachable", ALARM_MINOR,
			    "%u of %u phones cannot be reached: no answer to "
			    "keepalives, or no connection",
			    reg->n_lost, reg->n);
	else
		alarm_clear("phones-unreachable");
}

void way_set_lost(struct binding *b, bool lost)
{
	struct registrar *reg = b->owner;

	if (b->lost == lost)
		return;
	b->lost = lost;
	reg->n_lost += lost ? 1 : -1;
	tell_alarm(reg);
}

/* "12 s ago" */
static const char *heard_words(const struct binding *b, char *text, size_t cap)
{
	struct keep_info info;

	if (!keepalive_look(&b->keep, &info) || !info.heard)
		snprintf(text, cap, "never");
	else
		snprintf(text, cap, "%lld s ago",
			 (long long)(clock_mono() - info.heard) / 1000);
	return text;
}

static void on_lost(struct binding *b)
{
	const struct conf_realm *realm = way_realm(b);
	char heard[32];

	if (b->lost)
		return;
	if (b->stated == STATED_ANSWERS && realm) {
		/* The Contact was right once; the source may be still. */
		turn(b, &b->flow, STATED_UNTRIED, realm);
		return;
	}
	log_warn("reg.lost", kv_s("aor", b->aor->text),
		 kv_a("source", &b->to.remote),
		 kv_s("heard", heard_words(b, heard, sizeof(heard))));
	way_set_lost(b, true);
	history_tell(b, "lost", NULL, NULL);
	if (realm && realm->keepalive_lost == CONF_LOST_DROP)
		binding_drop(b, "lost");
}

static void on_back(struct binding *b)
{
	if (!b->lost)
		return;
	way_set_lost(b, false);
	log_info("reg.back", kv_s("aor", b->aor->text),
		 kv_a("source", &b->to.remote));
	history_tell(b, "back", NULL, NULL);
}

void registrar_keep_event(struct registrar *reg, struct keep *k,
			  enum keep_event event)
{
	struct binding *b = container_of(k, struct binding, keep);

	switch (event) {
	case KEEP_LOST:
		on_lost(b);
		break;
	case KEEP_BACK:
		on_back(b);
		break;
	case KEEP_PROVED:
		way_ask_kind(b);
		break;
	case KEEP_LEARNED:
		restore_tell(b);
		history_tell(b, "learned", NULL, NULL);
		break;
	}
}

/* ---- which kind of NAT ------------------------------------------------------------------ */

/* Whose NAT the prober was asked about. */
struct kind_ask {
	struct list node;
	uint64_t id;
	char phone[];
};

static struct kind_ask *add_ask(struct binding *b)
{
	size_t n = strlen(b->aor->phone) + 1;
	struct kind_ask *ask = malloc(sizeof(*ask) + n);

	if (!ask)
		return NULL;
	ask->id = b->id;
	memcpy(ask->phone, b->aor->phone, n);
	list_append(&b->owner->kinds, &ask->node);
	return ask;
}

static void drop_ask(struct kind_ask *ask)
{
	list_remove(&ask->node);
	free(ask);
}

void way_ask_kind(struct binding *b)
{
	struct registrar *reg = b->owner;
	struct keep_info info;
	struct kind_ask *ask;
	int err;

	if (!reg->conf.prober || b->kind_asked || !b->nat.behind ||
	    b->to.transport != SIP_UDP || !keepalive_look(&b->keep, &info) ||
	    !info.answered)
		return;
	ask = add_ask(b);
	if (!ask)
		return;
	err = nat_probe(reg->conf.prober, &b->to, b->contact, &b->nat, b->id);
	if (err)
		drop_ask(ask);
	b->kind_asked = err != -EAGAIN; /* else its next REGISTER asks */
}

void registrar_kind(void *arg, uint64_t id, const struct nat_kind *kind)
{
	struct registrar *reg = arg;
	struct binding *b = NULL;

	list_for_each_safe (pos, &reg->kinds) {
		struct kind_ask *ask = list_entry(pos, struct kind_ask, node);

		if (ask->id != id)
			continue;
		b = binding_by_id(reg, ask->phone, id);
		drop_ask(ask);
		break;
	}
	if (!b || (!kind->mapping && !kind->filter))
		return;
	b->kind = *kind;
	restore_tell(b);
	history_tell(b, "verdict", NULL, NULL);
}

void way_forget(struct registrar *reg)
{
	list_for_each_safe (pos, &reg->kinds)
		drop_ask(list_entry(pos, struct kind_ask, node));
}
