/*
 * binding.c - the table of bindings: phone section -> contacts, made, renewed,
 * ended and found
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

/* ---- addresses of record --------------------------------------------------- */

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
	size_t n = strlen(text) + 1;

	if (aor)
		return aor;
	aor = calloc(1, sizeof(*aor) + n + strlen(phone) + 1);
	if (!aor)
		return NULL;
	list_init(&aor->bindings);
	memcpy(aor->text, text, n);
	aor->phone = strcpy(aor->text + n, phone);
	if (hash_insert(&reg->aors, &aor->node, hash_text(phone))) {
		free(aor);
		return NULL;
	}
	return aor;
}

static void drop_empty(struct registrar *reg, struct aor *aor)
{
	if (!aor || aor->n)
		return;
	hash_remove(&reg->aors, &aor->node);
	free(aor);
}

/* ---- which binding is meant -------------------------------------------------- */

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

/* Two homes may name the same private Contact, but not from one socket. */
static bool is_same_socket(const struct binding *b,
			   const struct binding_input *in)
{
	return !in->instance && !b->instance &&
	       !strcmp(b->contact, in->contact) &&
	       sip_flow_equal(&b->flow, in->flow);
}

struct binding *binding_match(const struct registrar *reg,
			      const struct binding_input *in)
{
	struct aor *aor = binding_find_aor(reg, in->phone->name);
	struct binding *second = NULL;

	if (!aor)
		return NULL;
	list_for_each (pos, &aor->bindings) {
		struct binding *b = list_entry(pos, struct binding, node);

		if (is_match(b, in))
			return b;
		if (is_same_socket(b, in))
			second = b;
	}
	return second;
}

struct binding *binding_by_id(const struct registrar *reg, const char *phone,
			      uint64_t id)
{
	struct aor *aor = binding_find_aor(reg, phone);

	if (!aor)
		return NULL;
	list_for_each (pos, &aor->bindings) {
		struct binding *b = list_entry(pos, struct binding, node);

		if (b->id == id)
			return b;
	}
	return NULL;
}

/* ---- making and ending -------------------------------------------------------- */

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
int binding_set_texts(struct binding *b, const struct binding_input *in)
{
	const char *realm = in->realm->name;
	char *mem, *at;

	mem = malloc(room(in->contact) + room(in->call_id) +
		     room(in->instance) + room(in->path) +
		     room(in->user_agent) + room(realm));
	if (!mem)
		return -ENOMEM;
	at = mem;
	b->contact = append(&at, in->contact);
	b->call_id = append(&at, in->call_id);
	b->instance = append(&at, in->instance);
	b->path = append(&at, in->path);
	b->user_agent = append(&at, in->user_agent);
	b->realm = append(&at, realm);
	free(b->strings);
	b->strings = mem;
	return 0;
}

int binding_make(struct binding **out, struct registrar *reg, const char *phone,
		 const char *text, uint64_t id)
{
	struct aor *aor = make_aor(reg, phone, text);
	struct binding *b = aor ? calloc(1, sizeof(*b)) : NULL;
	struct list *before = reg->all.prev;

	if (!b) {
		drop_empty(reg, aor);
		return -ENOMEM;
	}
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
	*out = b;
	return 0;
}

void binding_free(struct binding *b)
{
	struct registrar *reg = b->owner;
	struct aor *aor = b->aor;

	way_set_lost(b, false);
	keepalive_release(&b->keep);
	timer_cancel(reg->conf.loop, &b->expiry);
	list_remove(&b->node);
	list_remove(&b->in_all);
	reg->n--;
	aor->n--;
	drop_empty(reg, aor);
	free(b->strings);
	free(b);
}

void binding_drop(struct binding *b, const char *cause)
{
	struct registrar *reg = b->owner;
	uint64_t id = b->id;

	log_info("reg.gone", kv_s("aor", b->aor->text),
		 kv_s("contact", b->contact), kv_s("cause", cause));
	history_tell(b, "gone", cause, NULL);
	store_binding_del(reg->conf.store, id);
	binding_free(b);
	upstream_gone(reg, id);
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

void binding_set_expiry(struct binding *b, int64_t ms)
{
	b->expires = clock_mono() + ms;
	timer_set(b->owner->conf.loop, &b->expiry, ms, expired, b);
}

/* ---- a REGISTER makes or renews ------------------------------------------------- */

static int add(struct registrar *reg, const struct binding_input *in)
{
	struct binding *b;
	int err = binding_make(&b, reg, in->phone->name, in->aor_text,
			       in->id ? in->id : reg->last_id + 1);

	if (err)
		return err;
	err = binding_set_texts(b, in);
	if (err) {
		binding_free(b);
		return err;
	}
	if (b->id > reg->last_id)
		reg->last_id = b->id;
	b->cseq = in->cseq;
	b->reg_id = in->reg_id;
	b->flow = b->to = *in->flow;
	b->registered_at = in->id ? in->registered_at : clock_wall();
	binding_set_expiry(b, in->expires_s * 1000ll);
	way_judge(b, in);
	contact_look(b, in->phone);
	way_hold(b, in->realm, false);
	history_tell(b, "registered", NULL, NULL);
	b->last_seen = clock_wall();
	restore_tell(b);
	log_info("reg.new", kv_s("aor", b->aor->text),
		 kv_s("contact", b->contact), kv_a("source", &b->flow.remote),
		 kv_s("transport", sip_transport_name(b->flow.transport)),
		 kv_i("expires", in->expires_s));
	return 0;
}

static bool is_same(const struct binding *b, const struct binding_input *in)
{
	return sip_flow_equal(&b->flow, in->flow) &&
	       !strcmp(b->contact, in->contact) &&
	       !strcmp(b->call_id, in->call_id) &&
	       !strcmp(b->realm, in->realm->name) &&
	       same_text(b->path, in->path) &&
	       same_text(b->user_agent, in->user_agent);
}

/* Take flow and Contact of @in. */
static void move(struct binding *b, const struct binding_input *in,
		 bool is_same_contact)
{
	if (b->stated == STATED_ANSWERS && is_same_contact) {
		b->flow = *in->flow; /* requests go to the Contact anyway */
		return;
	}
	if (!sip_flow_equal(&b->flow, in->flow))
		way_move(b, in->flow);
	else if (!is_same_contact)
		b->stated = STATED_UNTRIED;
}

static void tell_moved(struct binding *b, const struct sip_flow *from,
		       const struct keep_info *was)
{
	struct registrar *reg = b->owner;

	log_info("reg.moved", kv_s("aor", b->aor->text),
		 kv_a("from", &from->remote), kv_a("to", &b->to.remote));
	history_tell(b, "moved", NULL, was);
	if (reg->conf.moved)
		reg->conf.moved(reg->conf.arg, b, from);
}

static int renew(struct binding *b, const struct binding_input *in)
{
	struct sip_flow from = b->to;
	struct keep_info was = {0};
	bool pure = is_same(b, in), judged;
	bool is_same_contact = !strcmp(b->contact, in->contact);

	keepalive_look(&b->keep, &was);
	if (!pure && binding_set_texts(b, in))
		return -ENOMEM;
	binding_set_expiry(b, in->expires_s * 1000ll);
	b->cseq = in->cseq;
	list_remove(&b->node);
	list_append(&b->aor->bindings, &b->node);
	move(b, in, is_same_contact);
	judged = way_judge(b, in);
	contact_look(b, in->phone);
	/* The texts may have moved, and the configuration changed. */
	way_hold(b, in->realm, false);
	if (!sip_flow_equal(&from, &b->to))
		tell_moved(b, &from, &was);
	else if (judged)
		history_tell(b, "verdict", NULL, NULL);
	b->last_seen = clock_wall();
	if (sip_flow_equal(&from, &b->to) && b->keep.flow)
		keepalive_refreshed(&b->keep);
	way_ask_kind(b);
	if (pure && !judged)
		store_binding_refresh(b->owner->conf.store, b->id, b->cseq,
				      b->last_seen + in->expires_s * 1000ll,
				      b->last_seen);
	else
		restore_tell(b);
	return 0;
}

int binding_save(struct registrar *reg, const struct binding_input *in)
{
	struct binding *b = binding_match(reg, in);
	struct aor *aor;
	int err;

	if (b)
		return renew(b, in);
	err = add(reg, in);
	aor = err ? NULL : binding_find_aor(reg, in->phone->name);
	while (aor && aor->n > in->phone->max_contacts)
		binding_drop(
			list_entry(aor->bindings.next, struct binding, node),
			"replaced");
	/* Those that it replaces hold no dialog back any more. */
	if (aor && reg->conf.moved)
		reg->conf.moved(
			reg->conf.arg,
			list_entry(aor->bindings.prev, struct binding, node),
			NULL);
	return err;
}

/* ---- a new configuration, the end -------------------------------------------------- */

bool binding_is_wanted(const struct registrar *reg, const char *phone,
		       const char *aor, const char *realm)
{
	const struct conf_phone *p = config_phone(reg->config, phone);
	size_t n = p ? strlen(p->user) : 0;

	return p && !strncmp(aor, p->user, n) && aor[n] == '@' &&
	       (!p->realm[0] || !strcmp(p->realm, realm));
}

/* The realm has another name: the next process will know it by that one.  The
 * texts move; a hold has to follow. */
static bool rename_realm(struct binding *b, const struct conf_realm *realm)
{
	const struct binding_input in = {
		.realm = realm,
		.contact = b->contact,
		.call_id = b->call_id,
		.instance = b->instance,
		.path = b->path,
		.user_agent = b->user_agent,
	};

	return strcmp(b->realm, realm->name) && !binding_set_texts(b, &in);
}

void binding_take_config(struct registrar *reg)
{
	bool is_changed = false;

	list_for_each_safe (pos, &reg->all) {
		struct binding *b = list_entry(pos, struct binding, in_all);
		const struct conf_realm *realm = way_realm(b);

		if (!realm || !binding_is_wanted(reg, b->aor->phone,
						 b->aor->text, realm->name)) {
			binding_drop(b, "config");
			continue;
		}
		is_changed |= rename_realm(b, realm);
		is_changed |= way_take_config(b, realm);
	}
	if (is_changed)
		restore_tell_all(reg);
}

void binding_clear(struct registrar *reg)
{
	list_for_each_safe (pos, &reg->all)
		binding_free(list_entry(pos, struct binding, in_all));
	hash_clear(&reg->aors);
}

/* ---- look-ups -------------------------------------------------------------------- */

/* The same phone by the same way twice (two instances of one program) must
 * ring once. */
static bool is_listed(const struct binding *b, const struct binding **list,
		      unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (sip_flow_equal(&list[i]->to, &b->to) &&
		    !strcmp(list[i]->contact, b->contact))
			return true;
	}
	return false;
}

unsigned registrar_find(const struct registrar *reg, const char *phone,
			const struct binding **out, unsigned max)
{
	const struct aor *aor = binding_find_aor(reg, phone);
	unsigned n = 0;

	for (int lost = 0; aor && lost <= 1; lost++) {
		for (struct list *pos = aor->bindings.prev;
		     pos != &aor->bindings && n < max; pos = pos->prev) {
			struct binding *b =
				list_entry(pos, struct binding, node);

			if (b->lost == lost &&
			    sip_flow_alive(reg->conf.sip, &b->to) &&
			    !is_listed(b, out, n))
				out[n++] = b;
		}
	}
	return n;
}

unsigned registrar_count(const struct registrar *reg)
{
	return reg->n;
}

unsigned registrar_slice(const struct registrar *reg, uint64_t *after,
			 unsigned max,
			 void (*fn)(void *arg, const struct binding *b),
			 void *arg)
{
	unsigned n = 0;

	list_for_each (pos, &reg->all) {
		const struct binding *b =
			list_entry(pos, struct binding, in_all);

		if (b->id <= *after)
			continue;
		if (n++ == max)
			return max;
		*after = b->id;
		fn(arg, b);
	}
	return n;
}

bool binding_same_device(const struct binding *a, const struct binding *b)
{
	return a->aor == b->aor && a->instance && b->instance &&
	       !strcmp(a->instance, b->instance);
}

const char *binding_aor(const struct binding *b)
{
	return b->aor->text;
}

const char *binding_phone(const struct binding *b)
{
	return b->aor->phone;
}
