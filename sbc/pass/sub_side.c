/*
 * sub_side.c - one side of a subscription: its way, who may use it, and
 * holding it open
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A phone that subscribes need not register: its flow is held (KEEP_SUB) for as
 * long as the subscription stands, so that a NOTIFY after minutes of silence
 * still gets through its NAT.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "pass/sub_priv.h"

enum {
	/* Three tries to get an answer to a ping, and a little more. */
	PING_TAKES_MS = 10000,
};

/* ---- of which phone ----------------------------------------------------------------- */

static bool has_name(const struct hash_node *node, const void *name)
{
	return !strcmp(container_of(node, struct sub_phone, node)->name, name);
}

static struct sub_phone *phone_get(struct passes *p, const char *name)
{
	uint32_t hash = hash_text(name);
	struct hash_node *node = hash_find(&p->phones, hash, has_name, name);
	struct sub_phone *phone;

	if (node)
		return container_of(node, struct sub_phone, node);
	phone = calloc(1, sizeof(*phone));
	if (!phone)
		return NULL;
	str_copy(phone->name, sizeof(phone->name), str_of(name));
	list_init(&phone->sides);
	if (!hash_insert(&p->phones, &phone->node, hash))
		return phone;
	free(phone);
	return NULL;
}

static void phone_put(struct passes *p, struct sub_phone *phone)
{
	if (!list_empty(&phone->sides))
		return;
	hash_remove(&p->phones, &phone->node);
	free(phone);
}

/* Only what it asked for counts against a phone. */
static bool is_subscriber(const struct sub_side *side)
{
	return side == &side->sub->a;
}

static int phone_join(struct sub_side *side)
{
	struct passes *p = side->sub->owner;
	struct sub_phone *phone = phone_get(p, side->peer);

	if (!phone)
		return -ENOMEM;
	if (is_subscriber(side) &&
	    phone->n_subscribed >= LIMIT_PHONE_SUBSCRIPTIONS)
		return -EAGAIN;
	phone->n_subscribed += is_subscriber(side);
	side->phone = phone;
	list_append(&phone->sides, &side->of_phone);
	return 0;
}

static void phone_leave(struct sub_side *side)
{
	struct sub_phone *phone = side->phone;

	if (!phone)
		return;
	phone->n_subscribed -= is_subscriber(side);
	side->phone = NULL;
	list_remove(&side->of_phone);
	phone_put(side->sub->owner, phone);
}

/* ---- life -------------------------------------------------------------------------- */

int side_init(struct sub_side *side, struct sub *sub,
	      const struct pass_way *way)
{
	const char *instance;

	*side = (struct sub_side){
		.sub = sub,
		.is_trunk = way->is_trunk,
		.realm = way->realm,
		.flow = way->flow,
		.source = way->is_trunk ? way->flow : way->source,
	};
	list_init(&side->of_phone);
	str_copy(side->peer, sizeof(side->peer), str_of(way->peer));
	if (way->binding)
		side->nat = way->binding->nat;
	if (way->is_trunk)
		return 0;
	side->since = clock_wall();
	side->contact = strdup(way->uri);
	if (!side->contact)
		return -ENOMEM;
	instance = way->binding
			   ? way->binding->instance
			   : sub_instance(sub->owner, way->peer, &way->source);
	side->instance = instance ? strdup(instance) : NULL;
	return phone_join(side);
}

void side_clear(struct sub_side *side)
{
	side_leave(side);
	sip_dialog_destroy(side->dialog);
	side->dialog = NULL;
	free(side->contact);
	free(side->instance);
	side->contact = side->instance = NULL;
}

void side_leave(struct sub_side *side)
{
	keepalive_release(&side->keep);
	phone_leave(side);
}

struct sub_phone *sub_phone_find(const struct passes *p, const char *name)
{
	struct hash_node *node =
		hash_find(&p->phones, hash_text(name), has_name, name);

	return node ? container_of(node, struct sub_phone, node) : NULL;
}

bool side_is_known(const struct sub_side *side, const struct config *cfg)
{
	const struct conf_phone *phone;

	if (side->is_trunk)
		return config_trunk(cfg, side->peer) != NULL;
	phone = config_phone(cfg, side->peer);
	return phone && config_realm(cfg, side->realm->name) &&
	       (!phone->realm[0] || !strcmp(phone->realm, side->realm->name));
}

/* ---- the hold ---------------------------------------------------------------------- */

static bool is_behind(const struct sub_side *side)
{
	return side->realm->nat == CONF_NAT_AUTO
		       ? side->nat.behind
		       : side->realm->nat == CONF_NAT_ALWAYS;
}

/* Nobody has proved yet what the way bears: assume the worst. */
static bool is_careful(const struct sub_side *side)
{
	const struct passes_conf *conf = &side->sub->owner->conf;

	return is_behind(side) || !conf->is_on_link ||
	       !conf->is_on_link(conf->arg, &side->flow.remote);
}

static bool is_wanted(const struct sub_side *side)
{
	enum conf_keepalive how = side->realm->keepalive;

	/* A trunk's operator answers for its way. */
	if (!side->sub->owner->conf.keepalive || how == CONF_KA_OFF ||
	    side->is_trunk || side->sub->state == SUB_OVER)
		return false;
	/* TCP to a neighbour needs no help. */
	return side->flow.transport != SIP_TCP || is_careful(side) ||
	       how != CONF_KA_AUTO;
}

void side_keep(struct sub_side *side)
{
	const struct conf_realm *realm = side->realm;
	struct keep_want want = {
		.how = realm->keepalive == CONF_KA_CRLF ? KEEP_ALWAYS_CRLF
		       : realm->keepalive == CONF_KA_OPTIONS
			       ? KEEP_ALWAYS_OPTIONS
			       : KEEP_AUTO,
		.interval_ms = realm->keepalive_interval_s * 1000,
		.careful = is_careful(side),
		.target = side->contact,
	};

	if (!is_wanted(side))
		keepalive_release(&side->keep);
	else /* out of memory: it goes without */
		keepalive_hold(side->sub->owner->conf.keepalive, &side->keep,
			       &side->flow, KEEP_SUB, &want);
}

bool side_is_cut_off(const struct sub_side *side)
{
	const struct passes_conf *conf = &side->sub->owner->conf;
	struct keep_info info;

	if (!sip_flow_alive(conf->sip, &side->flow))
		return true;
	if (!keepalive_look(&side->keep, &info))
		return false; /* nobody knows */
	if (info.lost_at)
		return true;
	return !info.holds[KEEP_REG] && info.heard &&
	       clock_mono() - info.heard > info.interval_ms + PING_TAKES_MS;
}

/* ---- moving --------------------------------------------------------------------------- */

void side_move(struct sub_side *side, const struct sip_flow *to,
	       const struct sip_flow *source)
{
	side->flow = *to;
	side->source = *source;
	if (side->dialog)
		sip_dialog_move(side->dialog, to);
	if (side->keep.flow)
		side_keep(side);
}

/* Where requests of the peer itself come from; they prove nothing else. */
static bool is_from_peer(const struct sub_side *side,
			 const struct sip_flow *flow)
{
	if (side->is_trunk)
		return flow->transport == side->flow.transport &&
		       addr_same_host(&flow->remote, &side->flow.remote);
	return sip_flow_equal(flow, &side->flow) ||
	       sip_flow_equal(flow, &side->source);
}

/* From elsewhere: it is the phone if it knows the phone's password. */
static bool is_proved(struct sub_side *side, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct passes *p = side->sub->owner;
	const struct conf_realm *realm = config_realm(p->config, view->realm);
	const struct conf_phone *who = NULL,
				*phone = config_phone(p->config, side->peer);
	struct sip_challenge challenge;
	struct sip_message m = {.status = 403};
	enum sip_auth_verdict verdict;

	if (realm && phone && !side->is_trunk) {
		verdict = sip_auth_check(p->conf.auth, view, p->config, realm,
					 &who);
		if (verdict == SIP_AUTH_OK && who == phone)
			return true;
		if (verdict != SIP_AUTH_OK)
			m = sip_auth_refusal(p->conf.auth, view, realm, verdict,
					     &challenge);
	}
	sip_txn_answer(txn, &m);
	sip_txn_release(txn);
	return false;
}

bool side_admit(struct sub_side *side, struct sip_txn *txn,
		const struct sip_view *view)
{
	struct nat_verdict found;

	if (is_from_peer(side, &view->flow)) {
		/* a trunk connected again */
		if (side->is_trunk && view->flow.conn != side->flow.conn)
			side_move(side, &view->flow, &view->flow);
		return true;
	}
	if (!is_proved(side, txn, view))
		return false;
	log_info("sub.moved", kv_s("sub", side->sub->id),
		 kv_s("peer", side->peer), kv_a("source", &view->flow.remote));
	nat_judge(&found, &(struct nat_look){.view = view});
	side->nat = found; /* what was shown was shown of the old way */
	side_move(side, &view->flow, &view->flow);
	return true;
}
