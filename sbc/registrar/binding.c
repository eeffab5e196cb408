/*
 * binding.c - the table of bindings: phone section -> contacts, kept in step
 * with the store
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Expiry runs on the monotonic clock; wall-clock times are only written down,
 * for the next process and for people.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "registrar/registrar_priv.h"

enum {
	/* The store writes pure refreshes behind within 60 s: a binding that
	 * looks expired may have been refreshed just before the crash. */
	RESTORE_GRACE_MS = 75000,
	RESYNC_MS = 1000,
	RESYNC_AT_ONCE = 250,
	RESYNC_GAP_MS = 10,
	/* No connection has this number: that of a binding over TCP went down
	 * with the process that had it. */
	CONN_GONE = UINT32_MAX,
};

static bool same_phone(const struct hash_node *node, const void *key)
{
	return !strcmp(container_of(node, struct aor, node)->phone, key);
}

struct aor *binding_find_aor(const struct registrar *reg, const char *phone)
{
	struct hash_node *node =
		hash_find(&reg->aors, hash_text(phone), same_phone, phone);

	return node ? container_of(node, struct aor, node) : NULL;
}

static struct aor *make_aor(struct registrar *reg, const char *phone,
			    const char *text)
{
	struct aor *aor = binding_find_aor(reg, phone);

	if (aor)
		return aor;
	aor = calloc(1, sizeof(*aor) + strlen(text) + 1);
	if (!aor)
		return NULL;
	list_init(&aor->bindings);
	str_copy(aor->phone, sizeof(aor->phone), str_of(phone));
	strcpy(aor->text, text);
	if (hash_insert(&reg->aors, &aor->node, hash_text(phone))) {
		free(aor);
		return NULL;
	}
	return aor;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool is_match(const struct binding *b, const struct binding_input *in)
{
	if (in->instance || b->instance)
		return same_text(b->instance, in->instance) &&
		       b->reg_id == in->reg_id;
	return !strcmp(b->contact, in->contact) &&
	       !strcmp(b->call_id, in->call_id);
}

struct binding *binding_match(const struct registrar *reg,
			      const struct binding_input *in)
{
	struct aor *aor = binding_find_aor(reg, in->phone);

	if (!aor)
		return NULL;
	list_for_each (pos, &aor->bindings) {
		struct binding *b = list_entry(pos, struct binding, node);

		if (is_match(b, in))
			return b;
	}
	return NULL;
}

static const char *append(char **at, const char *text)
{
	char *start = *at;
	size_t n;

	if (!text)
		return NULL;
	n = strlen(text) + 1;
	memcpy(start, text, n);
	*at += n;
	return start;
}

static size_t room(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

/* One block holds all texts of a binding.  -ENOMEM: nothing has changed. */
static int set_texts(struct binding *b, const struct binding_input *in)
{
	char *mem, *at;

	mem = malloc(room(in->contact) + room(in->call_id) +
		     room(in->instance) + room(in->path) +
		     room(in->user_agent) + room(in->realm));
	if (!mem)
		return -ENOMEM;
	at = mem;
	b->contact = append(&at, in->contact);
	b->call_id = append(&at, in->call_id);
	b->instance = append(&at, in->instance);
	b->path = append(&at, in->path);
	b->user_agent = append(&at, in->user_agent);
	b->realm = append(&at, in->realm);
	free(b->strings);
	b->strings = mem;
	return 0;
}

static void tell_store(struct binding *b)
{
	struct binding_row row = {
		.id = b->id,
		.aor = b->aor->text,
		.phone = b->aor->phone,
		.realm = b->realm,
		.contact = b->contact,
		.call_id = b->call_id,
		.cseq = b->cseq,
		.instance = b->instance,
		.reg_id = b->reg_id,
		.path = b->path,
		.user_agent = b->user_agent,
		.transport = b->flow.transport,
		.source = b->flow.remote,
		.local = b->flow.local,
		.expires_at = clock_wall() + (b->expires - clock_mono()),
		.registered_at = b->registered_at,
		.last_seen = b->last_seen,
	};

	store_binding_put(b->owner->conf.store, &row);
}

static void keep_alive(struct binding *b, unsigned interval_ms, bool resumed)
{
	struct keep_want want = {
		.interval_ms = interval_ms,
		.resumed = resumed,
		.target = b->contact,
	};

	if (interval_ms && b->flow.transport == SIP_UDP)
		keepalive_hold(b->owner->conf.keepalive, &b->keep, &b->flow,
			       KEEP_REG, &want);
	else
		keepalive_release(&b->keep);
}

static void free_binding(struct binding *b)
{
	struct registrar *reg = b->owner;
	struct aor *aor = b->aor;

	keepalive_release(&b->keep);
	timer_cancel(reg->conf.loop, &b->expiry);
	list_remove(&b->node);
	list_remove(&b->in_all);
	reg->n--;
	if (--aor->n == 0) {
		hash_remove(&reg->aors, &aor->node);
		free(aor);
	}
	free(b->strings);
	free(b);
}

void binding_drop(struct binding *b, const char *cause)
{
	log_info("reg.gone", kv_s("aor", b->aor->text),
		 kv_s("contact", b->contact), kv_s("cause", cause));
	store_binding_del(b->owner->conf.store, b->id);
	free_binding(b);
}

void binding_drop_all(struct registrar *reg, const char *phone,
		      const char *cause)
{
	struct aor *aor = binding_find_aor(reg, phone);

	/* The last binding takes the AOR with it. */
	for (unsigned n = aor ? aor->n : 0; n; n--)
		binding_drop(
			list_entry(aor->bindings.next, struct binding, node),
			cause);
}

static void expired(void *arg)
{
	binding_drop(arg, "expired");
}

static void set_expiry(struct binding *b, int64_t ms)
{
	b->expires = clock_mono() + ms;
	timer_set(b->owner->conf.loop, &b->expiry, ms, expired, b);
}

static struct binding *new_binding(struct registrar *reg, struct aor *aor,
				   uint64_t id)
{
	struct binding *b = calloc(1, sizeof(*b));
	struct list *before = reg->all.prev;

	if (!b)
		return NULL;
	b->id = id;
	b->owner = reg;
	b->aor = aor;
	/* Ids grow; stored bindings come in nearly their order. */
	while (before != &reg->all &&
	       list_entry(before, struct binding, in_all)->id > id)
		before = before->prev;
	list_append(before->next, &b->in_all);
	list_append(&aor->bindings, &b->node);
	aor->n++;
	reg->n++;
	return b;
}

static int add(struct registrar *reg, const struct binding_input *in)
{
	struct aor *aor = make_aor(reg, in->phone, in->aor_text);
	struct binding *b =
		aor ? new_binding(reg, aor, reg->last_id + 1) : NULL;

	if (!b) {
		if (aor && !aor->n) {
			hash_remove(&reg->aors, &aor->node);
			free(aor);
		}
		return -ENOMEM;
	}
	if (set_texts(b, in)) {
		free_binding(b);
		return -ENOMEM;
	}
	reg->last_id = b->id;
	b->cseq = in->cseq;
	b->reg_id = in->reg_id;
	b->flow = b->to = *in->flow;
	b->registered_at = b->last_seen = clock_wall();
	set_expiry(b, in->expires_s * 1000ll);
	keep_alive(b, in->keepalive_ms, false);
	tell_store(b);
	log_info("reg.new", kv_s("aor", aor->text), kv_s("contact", b->contact),
		 kv_a("source", &b->flow.remote),
		 kv_s("transport", sip_transport_name(b->flow.transport)),
		 kv_i("expires", in->expires_s));
	return 0;
}

static bool is_pure_refresh(const struct binding *b,
			    const struct binding_input *in)
{
	return sip_flow_equal(&b->flow, in->flow) &&
	       !strcmp(b->contact, in->contact) &&
	       !strcmp(b->call_id, in->call_id) &&
	       !strcmp(b->realm, in->realm) && same_text(b->path, in->path) &&
	       same_text(b->user_agent, in->user_agent);
}

static void move(struct binding *b, const struct binding_input *in)
{
	struct registrar *reg = b->owner;
	struct sip_flow from = b->flow;

	b->flow = b->to = *in->flow;
	keep_alive(b, in->keepalive_ms, false);
	log_info("reg.moved", kv_s("aor", b->aor->text),
		 kv_a("from", &from.remote), kv_a("to", &b->flow.remote));
	if (reg->conf.moved)
		reg->conf.moved(reg->conf.arg, b, &from);
}

static int renew(struct binding *b, const struct binding_input *in)
{
	bool pure = is_pure_refresh(b, in);

	if (!pure && set_texts(b, in))
		return -ENOMEM;
	b->cseq = in->cseq;
	b->last_seen = clock_wall();
	set_expiry(b, in->expires_s * 1000ll);
	list_remove(&b->node);
	list_append(&b->aor->bindings, &b->node);
	/* The texts may have moved, and the configuration changed. */
	if (sip_flow_equal(&b->flow, in->flow))
		keep_alive(b, in->keepalive_ms, false);
	if (pure) {
		store_binding_refresh(b->owner->conf.store, b->id, b->cseq,
				      b->last_seen + in->expires_s * 1000ll,
				      b->last_seen);
		return 0;
	}
	if (!sip_flow_equal(&b->flow, in->flow))
		move(b, in);
	tell_store(b);
	return 0;
}

int binding_save(struct registrar *reg, const struct binding_input *in,
		 unsigned max_contacts)
{
	struct binding *b = binding_match(reg, in);
	struct aor *aor;
	int err;

	if (b)
		return renew(b, in);
	err = add(reg, in);
	aor = err ? NULL : binding_find_aor(reg, in->phone);
	while (aor && aor->n > max_contacts)
		binding_drop(
			list_entry(aor->bindings.next, struct binding, node),
			"replaced");
	return err;
}

/* ---- after a restart --------------------------------------------------------- */

/* Milliseconds that a stored binding has left, <= 0 = none.  When the wall
 * clock stands before the row was written it has not been set yet: count from
 * the moment of writing. */
static int64_t remaining_ms(const struct binding_row *row, unsigned max_s)
{
	wall_ms now = clock_wall();
	int64_t left;

	if (now < row->last_seen)
		now = row->last_seen;
	left = row->expires_at - now + RESTORE_GRACE_MS;
	return left < max_s * 1000ll ? left : max_s * 1000ll;
}

/* Does the configuration let phone section @phone have a binding of @aor in
 * @realm? */
static bool is_wanted(const struct registrar *reg, const char *phone,
		      const char *aor, const char *realm)
{
	const struct conf_phone *p = config_phone(reg->config, phone);
	size_t n = p ? strlen(p->user) : 0;

	return p && !strncmp(aor, p->user, n) && aor[n] == '@' &&
	       (!p->realm[0] || !strcmp(p->realm, realm));
}

static void load_row(void *arg, const struct binding_row *row)
{
	struct registrar *reg = arg;
	const struct conf_realm *realm = config_realm(reg->config, row->realm);
	struct binding_input in = {
		.contact = row->contact,
		.call_id = row->call_id,
		.instance = row->instance,
		.path = row->path,
		.user_agent = row->user_agent,
		.realm = row->realm,
	};
	struct aor *aor;
	struct binding *b;
	int64_t left = realm ? remaining_ms(row, realm->max_expires_s) : 0;

	if (left <= 0 || !is_wanted(reg, row->phone, row->aor, row->realm)) {
		store_binding_del(reg->conf.store, row->id);
		return;
	}
	aor = make_aor(reg, row->phone, row->aor);
	b = aor ? new_binding(reg, aor, row->id) : NULL;
	if (!b || set_texts(b, &in)) {
		log_error("reg.not_restored", kv_s("aor", row->aor));
		if (b)
			free_binding(b);
		return;
	}
	b->cseq = row->cseq;
	b->reg_id = row->reg_id;
	b->flow = (struct sip_flow){
		.transport = row->transport,
		.conn = row->transport == SIP_TCP ? CONN_GONE : 0,
		.local = row->local,
		.remote = row->source,
	};
	b->to = b->flow;
	b->registered_at = row->registered_at;
	b->last_seen = row->last_seen;
	set_expiry(b, left);
	if (realm->keepalive != CONF_KA_OFF)
		keep_alive(b, realm->keepalive_interval_s * 1000, true);
	screen_promote(reg->conf.screen, &b->flow.remote, SCREEN_REGISTERED,
		       b->expires);
}

static void each_binding(struct registrar *reg,
			 void (*fn)(void *arg, struct binding *b), void *arg)
{
	list_for_each_safe (pos, &reg->all)
		fn(arg, list_entry(pos, struct binding, in_all));
}

/* Hand over some bindings again; true when there are more. */
static bool put_some(struct registrar *reg)
{
	unsigned n = 0;

	list_for_each (pos, &reg->all) {
		struct binding *b = list_entry(pos, struct binding, in_all);

		if (b->id <= reg->resynced)
			continue;
		if (n++ == RESYNC_AT_ONCE || !store_has_room(reg->conf.store))
			return true;
		reg->resynced = b->id;
		tell_store(b);
	}
	return false;
}

/* The store lost changes while the disk was sick: hand over all again, as
 * fast as it takes them and SIP does not notice. */
static void resync(void *arg)
{
	struct registrar *reg = arg;
	struct store *store = reg->conf.store;
	bool more;

	if (!reg->resyncing && store_needs_resync(store)) {
		store_resync_begin(store);
		reg->resyncing = true;
		reg->resynced = 0;
	}
	more = reg->resyncing && put_some(reg);
	if (reg->resyncing && !more) {
		store_resync_end(store);
		reg->resyncing = false;
	}
	timer_set(reg->conf.loop, &reg->resync,
		  more && store_has_room(store) ? RESYNC_GAP_MS : RESYNC_MS,
		  resync, reg);
}

int binding_load(struct registrar *reg)
{
	int err;

	reg->last_id = store_max_id(reg->conf.store);
	err = store_load_bindings(reg->conf.store, load_row, reg);
	log_info("reg.restored", kv_i("bindings", reg->n));
	timer_set(reg->conf.loop, &reg->resync, RESYNC_MS, resync, reg);
	return err;
}

static void drop_unwanted(void *arg, struct binding *b)
{
	struct registrar *reg = arg;
	/* A reload may have renamed the realm of its socket. */
	const char *realm =
		sip_realm_at(reg->conf.sip, b->flow.transport, &b->flow.local);

	if (!is_wanted(reg, b->aor->phone, b->aor->text,
		       realm ? realm : b->realm))
		binding_drop(b, "config");
}

void binding_drop_unwanted(struct registrar *reg)
{
	each_binding(reg, drop_unwanted, reg);
}

static void clear_one(void *arg, struct binding *b)
{
	free_binding(b);
}

void binding_clear(struct registrar *reg)
{
	timer_cancel(reg->conf.loop, &reg->resync);
	each_binding(reg, clear_one, NULL);
	hash_clear(&reg->aors);
}
