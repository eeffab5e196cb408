/*
 * trunk.c - the table of trunks; following the configuration
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A trunk holds the snapshot that it was read from: one whose section is gone
 * still has to take leave there (trunk_register.c).
 */
#include "trunk/trunk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "trunk/trunk_priv.h"

struct trunk *trunk_find(const struct trunks *trunks, const char *name)
{
	list_for_each (pos, &trunks->all) {
		struct trunk *t = list_entry(pos, struct trunk, node);

		if (!strcmp(t->conf->name, name))
			return t;
	}
	return NULL;
}

const char *trunk_domain(const struct conf_trunk *trunk,
			 char mem[ADDR_TEXT_MAX])
{
	if (trunk->domain[0])
		return trunk->domain;
	if (addr_is_set(&trunk->hosts[0].addr))
		return addr_fmt_uri(&trunk->hosts[0].addr, mem);
	return trunk->hosts[0].name;
}

/* ---- life -------------------------------------------------------------------- */

static void trunk_free(struct trunk *t)
{
	reg_clear(t);
	hosts_clear(t);
	list_remove(&t->node);
	config_unref(t->config);
	free(t);
}

static int trunk_new(struct trunks *trunks, const struct conf_trunk *conf)
{
	struct trunk *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->owner = trunks;
	t->config = config_ref(trunks->config);
	t->conf = conf;
	list_init(&t->hosts);
	list_append(&trunks->all, &t->node);
	reg_init(t);
	err = hosts_init(t);
	if (err)
		trunk_free(t);
	return err;
}

/* Those that have taken leave; in the loop, outside of their callbacks. */
static void reap(void *arg)
{
	struct trunks *trunks = arg;

	list_for_each_safe (pos, &trunks->leaving) {
		struct trunk *t = list_entry(pos, struct trunk, node);

		if (t->reg.state == REG_GONE)
			trunk_free(t);
	}
}

void trunk_bury(struct trunk *t)
{
	/* Without memory it goes with the next one. */
	(void)loop_defer(t->owner->conf.loop, reap, t->owner);
}

int trunks_create(struct trunks **out, const struct trunks_conf *conf,
		  struct config *config)
{
	struct trunks *trunks = calloc(1, sizeof(*trunks));
	const struct conf_trunk *list;
	size_t n = config_trunks(config, &list);
	int err = 0;

	if (!trunks)
		return -ENOMEM;
	trunks->conf = *conf;
	trunks->config = config_ref(config);
	list_init(&trunks->all);
	list_init(&trunks->leaving);
	hash_init(&trunks->by_source);
	for (size_t i = 0; i < n && !err; i++)
		err = trunk_new(trunks, &list[i]);
	if (err) {
		trunks_destroy(trunks);
		return err;
	}
	*out = trunks;
	return 0;
}

void trunks_destroy(struct trunks *trunks)
{
	if (!trunks)
		return;
	loop_forget(trunks->conf.loop, reap, trunks);
	list_for_each_safe (pos, &trunks->all)
		trunk_free(list_entry(pos, struct trunk, node));
	list_for_each_safe (pos, &trunks->leaving)
		trunk_free(list_entry(pos, struct trunk, node));
	hash_clear(&trunks->by_source);
	config_unref(trunks->config);
	free(trunks);
}

/* Ask how its hosts are, and register. */
static void begin(struct trunk *t)
{
	list_for_each (pos, &t->hosts)
		health_plan(list_entry(pos, struct trunk_host, node));
	if (!list_empty(&t->hosts))
		reg_host_up(t);
	trunk_judge(t);
}

void trunks_start(struct trunks *trunks)
{
	trunks->is_started = true;
	list_for_each (pos, &trunks->all)
		begin(list_entry(pos, struct trunk, node));
}

void trunks_stop(struct trunks *trunks)
{
	trunks->is_stopping = true;
	list_for_each (pos, &trunks->all) {
		struct trunk *t = list_entry(pos, struct trunk, node);

		list_for_each (host, &t->hosts)
			health_stop(list_entry(host, struct trunk_host, node));
		reg_leave(t);
	}
}

bool trunks_busy(const struct trunks *trunks)
{
	list_for_each (pos, &trunks->leaving) {
		if (list_entry(pos, struct trunk, node)->reg.state != REG_GONE)
			return true;
	}
	list_for_each (pos, &trunks->all) {
		if (list_entry(pos, struct trunk, node)->reg.state ==
		    REG_LEAVING)
			return true;
	}
	return false;
}

/* ---- following the configuration ------------------------------------------------ */

static bool same_text(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

/* The same account: a registration of @a is one of @b. */
static bool same_account(const struct conf_trunk *a, const struct conf_trunk *b)
{
	char ma[ADDR_TEXT_MAX], mb[ADDR_TEXT_MAX];

	return a->do_register == b->do_register &&
	       !strcmp(a->realm, b->realm) &&
	       !strcmp(a->username, b->username) &&
	       !strcmp(trunk_domain(a, ma), trunk_domain(b, mb));
}

/* The same account is proved, or asked for, in another way. */
static bool same_terms(const struct conf_trunk *a, const struct conf_trunk *b)
{
	return !strcmp(a->auth_user, b->auth_user) &&
	       same_text(a->password, b->password) &&
	       a->register_expires_s == b->register_expires_s &&
	       a->transport == b->transport;
}

static bool same_hosts(const struct conf_trunk *a, const struct conf_trunk *b)
{
	if (a->n_hosts != b->n_hosts || a->transport != b->transport)
		return false;
	for (unsigned i = 0; i < a->n_hosts; i++) {
		const struct conf_host *x = &a->hosts[i], *y = &b->hosts[i];

		if (strcmp(x->name, y->name) || x->port != y->port ||
		    x->priority != y->priority || x->weight != y->weight)
			return false;
	}
	return true;
}

static void leave(struct trunks *trunks, struct trunk *t)
{
	list_remove(&t->node);
	list_append(&trunks->leaving, &t->node);
	t->is_leaving = true;
	list_for_each (pos, &t->hosts)
		health_stop(list_entry(pos, struct trunk_host, node));
	if (t->state == TRUNK_DOWN || t->state == TRUNK_UNREGISTERED)
		t->state = TRUNK_UNKNOWN;
	reg_leave(t);
	if (t->reg.state == REG_GONE)
		trunk_bury(t);
}

static void follow(struct trunk *t, const struct conf_trunk *conf)
{
	const struct conf_trunk *old = t->conf;
	struct config *held = t->config;
	bool hosts = !same_hosts(old, conf), terms = !same_terms(old, conf);

	t->config = config_ref(t->owner->config);
	t->conf = conf;
	if (hosts)
		hosts_renew(t);
	if (terms) {
		t->reg.ask_s = 0;
		reg_kick(t, 0);
	}
	begin(t);
	config_unref(held);
}

static const struct conf_trunk *goes_on_as(const struct trunks *trunks,
					   const struct trunk *t)
{
	const struct conf_trunk *conf =
		config_trunk(trunks->config, t->conf->name);

	return conf && same_account(conf, t->conf) ? conf : NULL;
}

static void add_new(struct trunks *trunks)
{
	const struct conf_trunk *list;
	size_t n = config_trunks(trunks->config, &list);

	for (size_t i = 0; i < n; i++) {
		if (trunk_find(trunks, list[i].name))
			continue;
		if (trunk_new(trunks, &list[i]))
			log_error("trunk.no_memory",
				  kv_s("trunk", list[i].name));
		else if (trunks->is_started)
			begin(trunk_find(trunks, list[i].name));
	}
}

void trunks_set_config(struct trunks *trunks, struct config *config)
{
	struct config *old = trunks->config;

	trunks->config = config_ref(config);
	list_for_each_safe (pos, &trunks->all) {
		struct trunk *t = list_entry(pos, struct trunk, node);
		const struct conf_trunk *conf = goes_on_as(trunks, t);

		if (conf)
			follow(t, conf);
		else
			leave(trunks, t);
	}
	add_new(trunks);
	trunks_tell(trunks);
	config_unref(old);
}

void trunks_listeners_changed(struct trunks *trunks)
{
	list_for_each (pos, &trunks->all)
		reg_check_contact(list_entry(pos, struct trunk, node));
}

/* ---- to look at ------------------------------------------------------------------- */

const char *trunks_service_route(const struct trunks *trunks, const char *name)
{
	const struct trunk *t = trunk_find(trunks, name);

	return t && reg_is_held(t) ? t->reg.service_route : NULL;
}

static void look_at_host(struct trunk_look *out, const struct trunk_host *h)
{
	struct trunk_host_look *l = &out->hosts[out->n_hosts++];
	const struct conf_host *conf = &h->trunk->conf->hosts[h->of];

	str_copy(l->name, sizeof(l->name), str_of(h->name));
	l->remote = h->remote;
	l->transport = h->transport;
	l->grade = host_grade(h, clock_mono());
	l->priority = conf->priority;
	l->weight = conf->weight;
	l->rtt_ms = h->rtt_ms;
	memcpy(l->reason, h->reason, sizeof(l->reason));
	if (l->grade == TRUNK_GOOD && h->rtt_ms >= 0 &&
	    (out->rtt_ms < 0 || h->rtt_ms < out->rtt_ms))
		out->rtt_ms = h->rtt_ms;
}

int trunks_look(const struct trunks *trunks, const char *name,
		struct trunk_look *out)
{
	const struct trunk *t = trunk_find(trunks, name);

	if (!t)
		return -ENOENT;
	*out = (struct trunk_look){
		.name = t->conf->name,
		.realm = t->conf->realm,
		.state = t->state,
		.registers = t->conf->do_register,
		.registered_until = reg_is_held(t) ? t->reg.wall_until : 0,
		.rtt_ms = -1,
	};
	memcpy(out->reason, t->reason, sizeof(out->reason));
	list_for_each (pos, &t->hosts) {
		const struct trunk_host *h =
			list_entry(pos, struct trunk_host, node);

		if (host_is_present(h) && out->n_hosts < TRUNK_WAYS)
			look_at_host(out, h);
	}
	return 0;
}
