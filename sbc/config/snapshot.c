/*
 * snapshot.c - the finished snapshot: counting references, looking things up
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every look-up by name, user or source is one hash probe: a config may hold
 * 100 000 phones, and each datagram of a trunk asks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/load.h"
#include "core/list.h"

struct config *config_ref(struct config *c)
{
	c->refs++;
	return c;
}

static void forget_secret(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void realm_clear(struct conf_realm *r)
{
	for (unsigned i = 0; i < r->n_aliases; i++)
		free(r->aliases[i]);
	free(r->aliases);
	free(r->addresses);
	free(r->listen);
	free(r->policy.codecs);
}

static void trunk_clear(struct conf_trunk *t)
{
	free(t->hosts);
	forget_secret(t->password);
	free(t->policy.codecs);
}

void config_unref(struct config *c)
{
	if (!c || --c->refs)
		return;
	hash_clear(&c->realm_names);
	hash_clear(&c->trunk_names);
	hash_clear(&c->trunk_hosts);
	hash_clear(&c->phone_names);
	hash_clear(&c->phone_users);
	hash_clear(&c->phone_auths);
	for (size_t i = 0; i < c->n_realms; i++)
		realm_clear(&c->realms[i]);
	for (size_t i = 0; i < c->n_phones; i++)
		forget_secret(c->phones[i].password);
	for (size_t i = 0; i < c->n_trunks; i++)
		trunk_clear(&c->trunks[i]);
	for (size_t i = 0; i < c->n_globals; i++) {
		forget_secret(c->globals[i].flow_key);
		free(c->globals[i].emergency);
	}
	for (size_t i = 0; i < c->n_routes; i++)
		free(c->routes[i].to);
	free(c->globals);
	free(c->realms);
	free(c->phones);
	free(c->trunks);
	free(c->routes);
	free(c->rules);
	free(c->index);
	free(c);
}

/* ---- index -------------------------------------------------------------- */

static int index_phone(struct config *c, struct conf_phone *p)
{
	int err;

	err = hash_insert(&c->phone_names, &p->by_name, hash_text(p->name));
	if (!err)
		err = hash_insert(&c->phone_users, &p->by_user,
				  hash_text(p->user));
	if (!err)
		err = hash_insert(&c->phone_auths, &p->by_auth,
				  hash_text(p->auth_user));
	return err;
}

static int index_one(struct hash *h, struct conf_index *node, const void *what,
		     uint32_t hash)
{
	node->what = what;
	return hash_insert(h, &node->node, hash);
}

/* By each address that is written; names are resolved elsewhere. */
static int index_hosts(struct config *c, struct conf_index **next,
		       const struct conf_trunk *t)
{
	int err = 0;

	for (unsigned i = 0; i < t->n_hosts && !err; i++) {
		const struct conf_host *h = &t->hosts[i];

		if (!addr_is_set(&h->addr))
			continue;
		(*next)->host = h;
		err = index_one(&c->trunk_hosts, (*next)++, t,
				addr_hash_host(&h->addr));
	}
	return err;
}

int config_index(struct config *c)
{
	struct conf_index *next;
	size_t n_hosts = 0;
	int err = 0;

	hash_init(&c->realm_names);
	hash_init(&c->trunk_names);
	hash_init(&c->trunk_hosts);
	hash_init(&c->phone_names);
	hash_init(&c->phone_users);
	hash_init(&c->phone_auths);
	for (size_t i = 0; i < c->n_trunks; i++)
		n_hosts += c->trunks[i].n_hosts;
	c->index =
		calloc(c->n_realms + c->n_trunks + n_hosts + 1, sizeof(*next));
	if (!c->index)
		return -ENOMEM;
	next = c->index;
	for (size_t i = 0; i < c->n_realms && !err; i++)
		err = index_one(&c->realm_names, next++, &c->realms[i],
				hash_text(c->realms[i].name));
	for (size_t i = 0; i < c->n_trunks && !err; i++) {
		const struct conf_trunk *t = &c->trunks[i];

		err = index_one(&c->trunk_names, next++, t, hash_text(t->name));
		if (!err)
			err = index_hosts(c, &next, t);
	}
	for (size_t i = 0; i < c->n_phones && !err; i++)
		err = index_phone(c, &c->phones[i]);
	return err;
}

/* ---- lists -------------------------------------------------------------- */

const struct conf_global *config_global(const struct config *c)
{
	return c->globals;
}

size_t config_realms(const struct config *c, const struct conf_realm **out)
{
	*out = c->realms;
	return c->n_realms;
}

size_t config_trunks(const struct config *c, const struct conf_trunk **out)
{
	*out = c->trunks;
	return c->n_trunks;
}

size_t config_routes(const struct config *c, const struct conf_route **out)
{
	*out = c->routes;
	return c->n_routes;
}

size_t config_rules(const struct config *c, const struct conf_rule **out)
{
	*out = c->rules;
	return c->n_rules;
}

size_t config_phone_count(const struct config *c)
{
	return c->n_phones;
}

/* ---- look-ups ----------------------------------------------------------- */

static const void *indexed(const struct hash_node *node)
{
	return container_of(node, const struct conf_index, node)->what;
}

static bool is_realm(const struct hash_node *node, const void *key)
{
	const struct conf_realm *r = indexed(node);

	return !strcmp(r->name, key);
}

const struct conf_realm *config_realm(const struct config *c, const char *name)
{
	const struct hash_node *node =
		hash_find(&c->realm_names, hash_text(name), is_realm, name);

	return node ? indexed(node) : NULL;
}

static bool is_trunk(const struct hash_node *node, const void *key)
{
	const struct conf_trunk *t = indexed(node);

	return !strcmp(t->name, key);
}

const struct conf_trunk *config_trunk(const struct config *c, const char *name)
{
	const struct hash_node *node =
		hash_find(&c->trunk_names, hash_text(name), is_trunk, name);

	return node ? indexed(node) : NULL;
}

static bool is_phone(const struct hash_node *node, const void *key)
{
	return !strcmp(
		container_of(node, const struct conf_phone, by_name)->name,
		key);
}

const struct conf_phone *config_phone(const struct config *c, const char *name)
{
	const struct hash_node *node =
		hash_find(&c->phone_names, hash_text(name), is_phone, name);

	return node ? container_of(node, const struct conf_phone, by_name)
		    : NULL;
}

struct phone_key {
	const char *realm;
	struct str user;
};

static bool may_be_in(const struct conf_phone *p, const char *realm)
{
	return !realm || !p->realm[0] || !strcmp(p->realm, realm);
}

static bool has_user(const struct hash_node *node, const void *arg)
{
	const struct phone_key *key = arg;
	const struct conf_phone *p =
		container_of(node, const struct conf_phone, by_user);

	return str_eq_c(key->user, p->user) && may_be_in(p, key->realm);
}

static bool has_auth(const struct hash_node *node, const void *arg)
{
	const struct phone_key *key = arg;
	const struct conf_phone *p =
		container_of(node, const struct conf_phone, by_auth);

	return str_eq_c(key->user, p->auth_user) && may_be_in(p, key->realm);
}

/*
 * Several phones fit only when no realm is asked for (validate.c sees to
 * that); then the first of the file is taken, whatever the order of the chain.
 */
static const struct conf_phone *first_phone(const struct hash *h,
					    const struct phone_key *key,
					    hash_eq_fn eq, size_t node_at)
{
	const struct conf_phone *best = NULL;
	const struct hash_node *node =
		hash_find(h, hash_bytes(key->user.p, key->user.n), eq, key);

	for (; node; node = hash_find_next(node, eq, key)) {
		const struct conf_phone *p =
			(const void *)((const char *)node - node_at);

		if (!best || p < best)
			best = p;
	}
	return best;
}

const struct conf_phone *
config_phone_by_user(const struct config *c, const char *realm, struct str user)
{
	struct phone_key key = {realm, user};

	return first_phone(&c->phone_users, &key, has_user,
			   offsetof(struct conf_phone, by_user));
}

const struct conf_phone *config_phone_by_auth(const struct config *c,
					      const char *realm,
					      struct str auth_user)
{
	struct phone_key key = {realm, auth_user};

	return first_phone(&c->phone_auths, &key, has_auth,
			   offsetof(struct conf_phone, by_auth));
}

struct source_key {
	const char *realm;
	const struct addr *source;
	enum conf_transport transport;
};

static const struct conf_host *host_of(const struct hash_node *node)
{
	return container_of(node, const struct conf_index, node)->host;
}

static bool is_source(const struct hash_node *node, const void *arg)
{
	const struct conf_trunk *t = indexed(node);
	const struct conf_host *h = host_of(node);
	const struct source_key *key = arg;

	if (t->transport != key->transport ||
	    !addr_same_host(&h->addr, key->source))
		return false;
	if (key->realm && strcmp(t->realm, key->realm))
		return false;
	/* The port of a TCP client is an ephemeral one. */
	return !h->port || t->transport == CONF_TCP ||
	       h->port == addr_port(key->source);
}

const struct conf_trunk *config_trunk_by_source(const struct config *c,
						const char *realm,
						const struct addr *source,
						enum conf_transport transport)
{
	struct source_key key = {realm, source, transport};
	const struct conf_trunk *best = NULL;
	bool best_port = false;
	const struct hash_node *node = hash_find(
		&c->trunk_hosts, addr_hash_host(source), is_source, &key);

	/* A written port is the closer description; then the first. */
	for (; node; node = hash_find_next(node, is_source, &key)) {
		const struct conf_trunk *t = indexed(node);
		bool port = host_of(node)->port != 0;

		if (!best || port > best_port ||
		    (port == best_port && t < best)) {
			best = t;
			best_port = port;
		}
	}
	return best;
}
