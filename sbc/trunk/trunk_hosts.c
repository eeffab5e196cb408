/*
 * trunk_hosts.c - the addresses of a trunk: literals, and what its names
 * resolve to
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   section -- literal ----------------------> host
 *          \-- name -> dns_resolve() -- answer --> hosts; again after its TTL
 *
 * An address that its name does not resolve to any more is asked no longer, but
 * what comes from there is the trunk's for GRACE_MS: calls that began there go
 * on, and servers change their minds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "trunk/trunk_priv.h"

enum {
	GRACE_MS = 600000,
	SWEEP_MS = 60000,
	ASK_AT_LEAST_MS = 5000,
	ASK_AT_MOST_S = 3600,
	BUSY_MS = 1000, /* too many questions are under way */
	/* An SRV weight of 0 has a small chance yet (RFC 2782). */
	WEIGHT_UNIT = 100,
};

/* ---- hosts ------------------------------------------------------------------------ */

bool host_is_present(const struct trunk_host *h)
{
	return !h->gone_at;
}

const char *host_words(const struct trunk_host *h, char text[HOST_WORDS_BYTES])
{
	char addr[ADDR_TEXT_MAX];

	addr_fmt(&h->remote, addr);
	if (h->is_literal)
		snprintf(text, HOST_WORDS_BYTES, "%s", addr);
	else
		snprintf(text, HOST_WORDS_BYTES, "%s (%s)", h->name, addr);
	return text;
}

struct trunk_host *host_by_addr(const struct trunk *t, const struct addr *a)
{
	list_for_each (pos, &t->hosts) {
		struct trunk_host *h = list_entry(pos, struct trunk_host, node);

		if (addr_equal(&h->remote, a))
			return h;
	}
	return NULL;
}

static void host_free(struct trunk_host *h)
{
	health_stop(h);
	hash_remove(&h->trunk->owner->by_source, &h->by_source);
	list_remove(&h->node);
	free(h);
}

static struct trunk_host *host_new(struct trunk *t, const struct addr *remote,
				   enum sip_transport transport)
{
	struct trunks_conf *conf = &t->owner->conf;
	struct trunk_host *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->trunk = t;
	h->remote = *remote;
	h->transport = transport;
	h->rtt_ms = -1;
	if (hash_insert(&t->owner->by_source, &h->by_source,
			addr_hash_host(remote))) {
		free(h);
		return NULL;
	}
	list_append(&t->hosts, &h->node);
	if (conf->known)
		conf->known(conf->arg, remote);
	return h;
}

/* There is a host at @remote, as host @of of the section says. */
static void want(struct trunk *t, unsigned of, const struct addr *remote,
		 enum sip_transport transport, const struct dns_way *way)
{
	const struct conf_host *conf = &t->conf->hosts[of];
	struct trunk_host *h = host_by_addr(t, remote);

	if (h && h->transport != transport) {
		host_free(h);
		h = NULL;
	}
	/* The one that is named first is it. */
	if (h && !h->gone_at && h->of < of)
		return;
	if (!h)
		h = host_new(t, remote, transport);
	if (!h)
		return;
	h->of = of;
	h->is_literal = !way;
	h->is_port_written = conf->port != 0;
	str_copy(h->name, sizeof(h->name), str_of(conf->name));
	h->gone_at = 0;
	h->name_priority = conf->priority;
	h->srv_priority = way ? way->priority : 0;
	h->target = of << 16 | (way ? way->target : 0);
	h->weight = (conf->weight ? conf->weight : 1) *
		    (uint64_t)(1 + (way ? way->weight * WEIGHT_UNIT : 0));
	health_plan(h);
}

static void sweep(void *arg)
{
	struct trunk *t = arg;
	mono_ms now = clock_mono();
	bool is_left = false;

	list_for_each_safe (pos, &t->hosts) {
		struct trunk_host *h = list_entry(pos, struct trunk_host, node);

		if (h->gone_at && now - h->gone_at >= GRACE_MS)
			host_free(h);
		else
			is_left |= h->gone_at != 0;
	}
	if (is_left)
		timer_set(t->owner->conf.loop, &t->sweep, SWEEP_MS, sweep, t);
}

/* From now on none of host @of is asked, until want() says otherwise. */
static void leave_all(struct trunk *t, unsigned of, mono_ms now)
{
	list_for_each (pos, &t->hosts) {
		struct trunk_host *h = list_entry(pos, struct trunk_host, node);

		if (h->of == of && !h->gone_at)
			h->gone_at = now;
	}
}

static void stop_the_gone(struct trunk *t)
{
	list_for_each (pos, &t->hosts) {
		struct trunk_host *h = list_entry(pos, struct trunk_host, node);

		if (h->gone_at)
			health_stop(h);
	}
	timer_set(t->owner->conf.loop, &t->sweep, SWEEP_MS, sweep, t);
}

/* ---- names ------------------------------------------------------------------------ */

static void ask(void *arg);

static void ask_again(struct trunk_name *n, int64_t ms)
{
	timer_set(n->trunk->owner->conf.loop, &n->again,
		  ms < ASK_AT_LEAST_MS ? ASK_AT_LEAST_MS : ms, ask, n);
}

static void tell_failure(const struct trunk_name *n)
{
	const struct trunk *t = n->trunk;

	log_limited(LOG_WARN, "trunk.unresolved", kv_s("trunk", t->conf->name),
		    kv_s("host", t->conf->hosts[n->of].name),
		    kv_s("text", dns_result_name(n->answer.result)));
}

/* Without an answer what was known stays: an outage of the name server is none
 * of the trunk's. */
static void on_answer(void *arg, const struct dns_answer *a)
{
	struct trunk_name *n = arg;
	struct trunk *t = n->trunk;
	bool was_known = n->answer.n != 0;

	n->question = 0;
	n->was_answered = true;
	ask_again(n, (a->ttl_s < ASK_AT_MOST_S ? a->ttl_s : ASK_AT_MOST_S) *
			     1000ll);
	if (a->result != DNS_OK && was_known && a->result != DNS_NO_NAME &&
	    a->result != DNS_NO_DATA)
		return;
	n->answer = *a;
	leave_all(t, n->of, clock_mono());
	for (unsigned i = 0; i < a->n; i++)
		want(t, n->of, &a->ways[i].addr,
		     a->ways[i].transport == DNS_TCP ? SIP_TCP : SIP_UDP,
		     &a->ways[i]);
	stop_the_gone(t);
	if (a->result != DNS_OK)
		tell_failure(n);
	else if (!was_known)
		reg_host_up(t);
	trunk_judge(t);
}

static void ask(void *arg)
{
	struct trunk_name *n = arg;
	const struct trunk *t = n->trunk;
	const struct conf_host *host = &t->conf->hosts[n->of];
	const struct dns_question q = {
		.host = host->name,
		.port = host->port,
		.transport = t->conf->transport == CONF_TCP ? DNS_TCP : DNS_UDP,
	};

	if (n->question || !t->owner->conf.dns)
		return;
	if (dns_resolve(&n->question, t->owner->conf.dns, &q, on_answer, n))
		ask_again(n, BUSY_MS);
}

static void names_clear(struct trunk *t)
{
	for (unsigned i = 0; i < t->n_names; i++) {
		timer_cancel(t->owner->conf.loop, &t->names[i].again);
		if (t->names[i].question)
			dns_cancel(t->owner->conf.dns, t->names[i].question);
	}
	free(t->names);
	t->names = NULL;
	t->n_names = 0;
}

static int names_init(struct trunk *t)
{
	const struct conf_trunk *conf = t->conf;

	t->names = calloc(conf->n_hosts, sizeof(*t->names));
	if (!t->names)
		return -ENOMEM;
	for (unsigned i = 0; i < conf->n_hosts; i++) {
		struct trunk_name *n = &t->names[t->n_names];

		if (addr_is_set(&conf->hosts[i].addr))
			continue;
		n->trunk = t;
		n->of = i;
		t->n_names++;
		ask(n);
	}
	return 0;
}

void hosts_reason(const struct trunk *t, char reason[TRUNK_REASON_BYTES])
{
	const struct trunk_name *n;

	reason[0] = '\0';
	for (unsigned i = 0; i < t->n_names; i++) {
		n = &t->names[i];
		if (!n->was_answered || n->answer.n)
			continue;
		snprintf(reason, TRUNK_REASON_BYTES,
			 "the address of %.80s cannot be found: %s",
			 t->conf->hosts[n->of].name,
			 dns_result_name(n->answer.result));
	}
}

/* ---- all of them ------------------------------------------------------------------- */

static void want_literals(struct trunk *t)
{
	enum sip_transport transport =
		t->conf->transport == CONF_TCP ? SIP_TCP : SIP_UDP;

	for (unsigned i = 0; i < t->conf->n_hosts; i++) {
		if (addr_is_set(&t->conf->hosts[i].addr))
			want(t, i, &t->conf->hosts[i].addr, transport, NULL);
	}
}

int hosts_init(struct trunk *t)
{
	want_literals(t);
	return names_init(t);
}

static bool is_written(const struct conf_trunk *conf, const char *name)
{
	for (unsigned i = 0; i < conf->n_hosts; i++) {
		if (!strcmp(conf->hosts[i].name, name))
			return true;
	}
	return false;
}

/* What the admin took out of the section is the trunk's no more, at once; the
 * addresses of a name that stays are, until it is known again. */
static void drop_the_unwritten(struct trunk *t)
{
	list_for_each_safe (pos, &t->hosts) {
		struct trunk_host *h = list_entry(pos, struct trunk_host, node);

		if (h->gone_at &&
		    (h->is_literal || !is_written(t->conf, h->name)))
			host_free(h);
	}
}

void hosts_renew(struct trunk *t)
{
	mono_ms now = clock_mono();

	names_clear(t);
	list_for_each (pos, &t->hosts)
		list_entry(pos, struct trunk_host, node)->gone_at = now;
	want_literals(t);
	drop_the_unwritten(t);
	stop_the_gone(t);
	if (names_init(t))
		log_error("trunk.no_memory", kv_s("trunk", t->conf->name));
}

void hosts_clear(struct trunk *t)
{
	names_clear(t);
	timer_cancel(t->owner->conf.loop, &t->sweep);
	list_for_each_safe (pos, &t->hosts)
		host_free(list_entry(pos, struct trunk_host, node));
}

/* ---- who is this? ------------------------------------------------------------------ */

struct source_key {
	const char *realm;
	const struct addr *source;
	enum sip_transport transport;
};

static bool is_source(const struct hash_node *node, const void *arg)
{
	const struct trunk_host *h =
		container_of(node, const struct trunk_host, by_source);
	const struct source_key *key = arg;

	if (h->trunk->is_leaving || h->transport != key->transport ||
	    !addr_same_host(&h->remote, key->source) ||
	    (key->realm && strcmp(h->trunk->conf->realm, key->realm)))
		return false;
	/* The port of a TCP client is an ephemeral one. */
	return !h->is_port_written || h->transport == SIP_TCP ||
	       addr_port(&h->remote) == addr_port(key->source);
}

const struct conf_trunk *trunks_by_source(const struct trunks *trunks,
					  const char *realm,
					  const struct addr *source,
					  enum conf_transport transport)
{
	struct source_key key = {realm, source,
				 transport == CONF_TCP ? SIP_TCP : SIP_UDP};
	const struct trunk_host *best = NULL;
	const struct hash_node *node = hash_find(
		&trunks->by_source, addr_hash_host(source), is_source, &key);

	/* A written port is the closer description; then the first trunk. */
	for (; node; node = hash_find_next(node, is_source, &key)) {
		const struct trunk_host *h =
			container_of(node, const struct trunk_host, by_source);

		if (!best || h->is_port_written > best->is_port_written ||
		    (h->is_port_written == best->is_port_written &&
		     h->trunk->conf < best->trunk->conf))
			best = h;
	}
	return best ? best->trunk->conf : NULL;
}
