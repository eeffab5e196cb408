/*
 * upstream.c - the phones' side of registrations that a trunk owns: a REGISTER
 * is authenticated and checked as ever, asked of the trunk, and answered when
 * that has answered
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   phone            registrar/                     trunk
 *     | REGISTER        |                             |
 *     |---------------->| upcache: ask                |
 *     |                 | REGISTER, Contact: token    |
 *     |                 |---------------------------->|
 *     |                 |                         200 |
 *     |                 |<----------------------------|
 *     |             200 | binding_save()              |
 *     |<----------------|                             |
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/rand.h"
#include "registrar/upstream.h"

enum {
	/* While the trunk is away a phone comes back this soon. */
	SURVIVE_S = 60,
	SURVIVE_SPREAD_S = 60,
	/* The trunk is back: so many registrations per second. */
	REFILL_PER_S = 100,
	REFILL_LEAST_MS = 5000,
	/* Listeners are bound by then. */
	RESTORED_MS = 2000,
	LEAST_ASK_S = 60,
	MOST_QUEUED = 20000,
};

/* ---- the table ------------------------------------------------------------------------ */

static bool same_id(const struct hash_node *node, const void *key)
{
	return container_of(node, struct up_reg, by_id)->id ==
	       *(const uint64_t *)key;
}

static struct up_reg *find(const struct registrar *reg, uint64_t id)
{
	struct hash_node *node = hash_find(
		&reg->up.by_id, hash_bytes(&id, sizeof(id)), same_id, &id);

	return node ? container_of(node, struct up_reg, by_id) : NULL;
}

static bool same_phone(const struct hash_node *node, const void *key)
{
	return !strcmp(container_of(node, struct up_reg, by_phone)->phone, key);
}

/* The registration that began with a REGISTER like @in, and has no binding
 * yet. */
static struct up_reg *find_asking(const struct registrar *reg,
				  const struct binding_input *in)
{
	const char *phone = in->phone->name;
	struct hash_node *node = hash_find(&reg->up.by_phone, hash_text(phone),
					   same_phone, phone);

	for (; node; node = hash_find_next(node, same_phone, phone)) {
		struct up_reg *r = container_of(node, struct up_reg, by_phone);
		const struct sip_view *view =
			r->waits ? sip_txn_view(r->waits) : NULL;

		if (view && r->cache.state == UP_ASKING && view->n_contacts &&
		    !strcmp(view->call_id, in->call_id) &&
		    !strcmp(view->contacts[0].uri, in->contact))
			return r;
	}
	return NULL;
}

static void open_key(struct registrar *reg)
{
	const char *text = config_global(reg->config)->flow_key;
	int err;

	if (reg->up.key)
		return;
	err = token_key_create(&reg->up.key, text, reg->conf.data_dir);
	if (!err)
		return;
	log_error("flow_key.unusable", kv_i("errno", -err));
	if (token_key_create(&reg->up.key, NULL, NULL))
		reg->up.key = NULL;
}

const struct token_key *upstream_key(struct registrar *reg)
{
	open_key(reg);
	return reg->up.key;
}

bool upstream_knows(const struct registrar *reg, const struct token *t)
{
	const struct up_reg *r = find(reg, t->id);

	return r && r->issued == t->issued;
}

static struct up_reg *make(struct registrar *reg, const char *trunk,
			   const char *phone, const char *realm, uint64_t id,
			   wall_ms issued)
{
	struct up_reg *r = calloc(1, sizeof(*r));

	open_key(reg);
	if (!r || !reg->up.key)
		goto fail;
	r->reg = reg;
	r->id = id;
	r->issued = issued;
	r->trunk = up_trunk_get(reg, trunk);
	list_init(&r->queued);
	str_copy(r->phone, sizeof(r->phone), str_of(phone));
	str_copy(r->realm, sizeof(r->realm), str_of(realm));
	if (!r->trunk ||
	    hash_insert(&reg->up.by_id, &r->by_id, hash_bytes(&id, sizeof(id))))
		goto fail;
	if (!hash_insert(&reg->up.by_phone, &r->by_phone, hash_text(phone)))
		return r;
	hash_remove(&reg->up.by_id, &r->by_id);
fail:
	free(r);
	return NULL;
}

static void discard(struct up_reg *r)
{
	struct registrar *reg = r->reg;

	up_trunk_forget(r);
	timer_cancel(reg->conf.loop, &r->due);
	sip_txn_release(r->waits);
	sip_txn_release(r->later);
	hash_remove(&reg->up.by_id, &r->by_id);
	hash_remove(&reg->up.by_phone, &r->by_phone);
	free(r->service_route);
	free(r);
}

void upstream_init(struct registrar *reg)
{
	hash_init(&reg->up.by_id);
	hash_init(&reg->up.by_phone);
	list_init(&reg->up.trunks);
}

static void discard_node(struct hash_node *node, void *arg)
{
	discard(container_of(node, struct up_reg, by_id));
}

void upstream_clear(struct registrar *reg)
{
	hash_each(&reg->up.by_id, discard_node, NULL);
	list_for_each_safe (pos, &reg->up.trunks)
		up_trunk_free(list_entry(pos, struct up_trunk, node));
	hash_clear(&reg->up.by_id);
	hash_clear(&reg->up.by_phone);
	token_key_destroy(reg->up.key);
}

/* ---- doing what upcache says ------------------------------------------------------------- */

static void on_due(void *arg);
static void ask(struct registrar *reg, struct reg_reply *reply,
		struct reg_ask *a, unsigned contact);

/* The token names the flow: another flow, another token, and the trunk is to
 * forget the one that it knows. */
static int renew_token(struct up_reg *r, const struct sip_flow *flow)
{
	struct token t = {.id = r->id, .issued = r->issued, .flow = *flow};
	char text[TOKEN_MAX];
	int err = token_seal(r->reg->up.key, &t, text);

	if (err || !strcmp(text, r->token))
		return err;
	if (!r->replaced[0])
		strcpy(r->replaced, r->token);
	strcpy(r->token, text);
	r->flow = *flow;
	return 0;
}

static bool save(struct up_reg *r, struct reg_reply *reply, struct reg_ask *a,
		 unsigned contact, unsigned expires_s)
{
	struct registrar *reg = r->reg;
	struct binding *b;

	register_take_contact(&a->in, reply_view(reply), contact);
	a->in.expires_s = expires_s;
	a->in.id = r->id;
	a->in.registered_at = r->issued;
	if (binding_save(reg, &a->in))
		return false;
	b = binding_match(reg, &a->in);
	return b && b->id == r->id;
}

/* The contact of @view that is to be registered, as the others are to go;
 * -1 = there are several. */
static int contact_of(const struct registrar *reg, const struct sip_view *view)
{
	int at = (int)view->n_contacts;

	for (unsigned i = 0; i < view->n_contacts; i++) {
		if (!register_wants(reg, view, i))
			continue;
		if (at < (int)view->n_contacts)
			return -1;
		at = (int)i;
	}
	return at;
}

static void grant(struct up_reg *r, struct reg_reply *reply, unsigned expires_s)
{
	struct registrar *reg = r->reg;
	const struct sip_view *view = reply_view(reply);
	int contact = contact_of(reg, view);
	struct reg_ask a;

	if (!register_read(reg, view, r->phone, &a) || contact < 0 ||
	    !save(r, reply, &a, (unsigned)contact, expires_s)) {
		struct up_do d = up_gone(&r->cache, clock_mono());

		if (d.send)
			up_trunk_queue(r, true);
		register_refuse(reply, NULL, 503);
		return;
	}
	register_drop_others(reg, view, &a.in);
	register_promote(reg, view, a.in.realm);
	register_answer_ok(reg, reply, &a.in);
}

static int status_for_phone(int status)
{
	if (status == 401 || status == 407)
		return 403; /* it is our password that the trunk refuses */
	if (status == 423)
		return 503;
	return status >= 300 && status < 400 ? 480 : status;
}

/* Answer the phone: @reply, else the REGISTER that waits. */
static void speak(struct up_reg *r, struct reg_reply *reply,
		  const struct up_do *d)
{
	struct reg_reply waiting = {.txn = r->waits};

	if (!reply) {
		r->waits = NULL;
		reply = &waiting;
	}
	if (d->answer == UP_GRANT)
		grant(r, reply, d->expires_s);
	else
		register_refuse(reply, NULL, status_for_phone(d->status));
}

static void drop_binding(struct up_reg *r)
{
	struct binding *b = binding_by_id(r->reg, r->phone, r->id);

	if (b)
		binding_drop(b, "upstream");
}

/* A REGISTER of @phone that came meanwhile has its turn. */
static void resume(struct registrar *reg, const char *phone,
		   struct sip_txn *txn)
{
	struct reg_reply reply = {.txn = txn};
	struct reg_ask a;
	int contact;

	if (!txn)
		return;
	contact = contact_of(reg, reply_view(&reply));
	if (contact >= 0 && register_read(reg, reply_view(&reply), phone, &a) &&
	    a.in.realm->registrar[0])
		ask(reg, &reply, &a, (unsigned)contact);
	else
		register_refuse(&reply, NULL, 503);
}

/* What is left to be done, after an event. */
static void tidy(struct up_reg *r)
{
	struct registrar *reg = r->reg;
	bool is_busy = r->txn || !list_empty(&r->queued);
	mono_ms wait = r->cache.due - clock_mono();
	struct sip_txn *later = r->later;
	char phone[LIMIT_NAME_BYTES];

	if (r->cache.due && !is_busy)
		timer_set(reg->conf.loop, &r->due, wait > 0 ? wait : 0, on_due,
			  r);
	else
		timer_cancel(reg->conf.loop, &r->due);
	if (is_busy)
		return;
	r->later = NULL;
	str_copy(phone, sizeof(phone), str_of(r->phone));
	if (r->cache.state == UP_NONE)
		discard(r);
	resume(reg, phone, later);
}

/* May free @r. */
static void obey(struct up_reg *r, struct reg_reply *reply,
		 const struct up_do *d)
{
	if (d->drop)
		drop_binding(r);
	if (d->send)
		up_trunk_queue(r, d->send == UP_SEND_DEL);
	if (d->answer == UP_GRANT || d->answer == UP_REFUSE)
		speak(r, reply, d);
	tidy(r);
}

void upstream_settle(struct up_reg *r, enum up_result result, unsigned value)
{
	const struct up_ask *waiting = r->waits ? &r->ask : NULL;
	mono_ms now = clock_mono();
	struct up_do d;

	if (result == UP_GRANTED)
		d = up_granted(&r->cache, now, value, waiting);
	else if (result == UP_REFUSED)
		d = up_refused(&r->cache, (int)value, waiting);
	else
		d = up_failed(&r->cache, now, result == UP_FAILED_MAYBE,
			      waiting);
	obey(r, NULL, &d);
}

void upstream_silent(struct up_reg *r)
{
	struct sip_txn *later;
	struct up_do d;

	if (!r->waits)
		return;
	d = up_silent(&r->cache, &r->ask);
	obey(r, NULL, &d); /* it is under way yet, and so not freed */
	later = r->trunk->is_down ? r->later : NULL;
	if (later) {
		r->later = NULL;
		resume(r->reg, r->phone, later);
	}
}

/* ---- a phone's REGISTER ------------------------------------------------------------------- */

static unsigned to_ask_s(const struct up_trunk *t,
			 const struct conf_realm *realm, unsigned wanted_s)
{
	unsigned s = wanted_s;

	if (realm && realm->registrar_mode == CONF_THROTTLE)
		s = realm->registrar_expires_s;
	return s > t->min_expires_s ? s : t->min_expires_s;
}

static unsigned survive_s(const struct conf_realm *realm)
{
	unsigned s = SURVIVE_S + rand_below(SURVIVE_SPREAD_S + 1);

	return s > realm->min_expires_s ? s : realm->min_expires_s;
}

static bool is_changed(const struct binding *b, const struct binding_input *in)
{
	return b && (!sip_flow_equal(&b->flow, in->flow) ||
		     strcmp(b->contact, in->contact));
}

/* A registration that waits for the trunk already: this one comes after it. */
static void wait(struct up_reg *r, struct reg_reply *reply)
{
	struct reg_reply before = {.txn = r->later};

	r->later = NULL;
	if (before.txn)
		register_refuse(&before, NULL, 503);
	reply_keep(reply, &r->later);
}

static void begin(struct up_reg *r, struct reg_reply *reply,
		  const struct binding_input *in, struct up_do *d)
{
	r->ask_s = r->ask.ask_s;
	if (renew_token(r, in->flow) || r->trunk->n_queued >= MOST_QUEUED ||
	    !reply_keep(reply, &r->waits))
		*d = up_failed(&r->cache, clock_mono(), false, &r->ask);
}

static void ask(struct registrar *reg, struct reg_reply *reply,
		struct reg_ask *a, unsigned contact)
{
	const struct conf_realm *realm = a->in.realm;
	struct binding *b;
	struct up_trunk *t;
	struct up_ask query;
	struct up_reg *r;
	struct up_do d;

	register_take_contact(&a->in, reply_view(reply), contact);
	b = binding_match(reg, &a->in);
	r = b ? find(reg, b->id) : find_asking(reg, &a->in);
	if (!r)
		r = make(reg, realm->registrar, a->in.phone->name, realm->name,
			 b ? b->id : ++reg->last_id,
			 b ? b->registered_at : clock_wall());
	if (!r) {
		register_refuse(reply, NULL, 503);
		return;
	}
	t = r->trunk;
	if (r->waits) {
		wait(r, reply);
		return;
	}
	query = (struct up_ask){
		.is_authentic = true,
		.is_changed = is_changed(b, &a->in),
		.is_throttled = realm->registrar_mode == CONF_THROTTLE,
		.is_trunk_up = !t->is_down,
		.wanted_s =
			register_granted(b, &a->in, reply_view(reply), contact),
		.survive_s = survive_s(realm),
	};
	query.ask_s = to_ask_s(t, realm, query.wanted_s);
	d = up_register(&r->cache, clock_mono(), &query);
	if (d.answer == UP_WAIT)
		wait(r, reply);
	else
		r->ask = query;
	if (d.send)
		begin(r, reply, &a->in, &d);
	obey(r, reply, &d);
	up_trunk_asked(t);
}

/* What @view takes back may have been asked for and not granted yet. */
static void forget_asking(struct registrar *reg, const struct sip_view *view,
			  const struct binding_input *in)
{
	struct binding_input other = *in;

	for (unsigned i = 0; i < view->n_contacts; i++) {
		const struct up_reg *r;

		register_take_contact(&other, view, i);
		r = find_asking(reg, &other);
		if (r)
			upstream_gone(reg, r->id);
	}
}

void upstream_register(struct registrar *reg, struct sip_request *req,
		       struct reg_ask *a)
{
	struct reg_reply reply = {.req = req};
	const struct sip_view *view = sip_request_view(req);
	int contact = contact_of(reg, view);

	if (contact < 0) {
		/* Two at once would want two answers from the trunk. */
		register_refuse(&reply, NULL, 403);
	} else if (contact < (int)view->n_contacts) {
		ask(reg, &reply, a, (unsigned)contact);
	} else {
		/* The trunk is told of what ends; nobody waits for that. */
		register_drop_others(reg, view, &a->in);
		forget_asking(reg, view, &a->in);
		register_answer_ok(reg, &reply, &a->in);
	}
}

/* ---- without a phone's REGISTER ------------------------------------------------------------- */

void upstream_gone(struct registrar *reg, uint64_t id)
{
	struct up_reg *r = find(reg, id);
	struct reg_reply waiting;
	struct up_trunk *t;
	struct up_do d;

	if (!r || r->cache.state == UP_NONE)
		return;
	t = r->trunk;
	waiting = (struct reg_reply){.txn = r->waits};
	r->waits = NULL;
	if (waiting.txn)
		register_refuse(&waiting, NULL, 503);
	d = up_gone(&r->cache, clock_mono());
	obey(r, NULL, &d);
	up_trunk_soon(t);
}

/* The time has come to tell the trunk of @r. */
static void tell(struct up_reg *r, bool is_trunk_up)
{
	struct registrar *reg = r->reg;
	const struct binding *b = binding_by_id(reg, r->phone, r->id);
	int64_t left = b ? (b->expires - clock_mono()) / 1000 : 0;
	unsigned ask_s =
		to_ask_s(r->trunk, config_realm(reg->config, r->realm),
			 left > LEAST_ASK_S ? (unsigned)left : LEAST_ASK_S);
	struct up_do d;

	if (b && renew_token(r, &b->flow))
		is_trunk_up = false;
	d = up_due(&r->cache, clock_mono(), is_trunk_up, ask_s);
	if (d.send == UP_SEND_ADD)
		r->ask_s = ask_s;
	obey(r, NULL, &d);
}

static void on_due(void *arg)
{
	struct up_reg *r = arg;
	struct up_trunk *t = r->trunk;

	tell(r, !t->is_down);
	up_trunk_pump(t);
}

/* Does the trunk have to be told of @r? */
static bool is_owed(const struct up_reg *r, const struct up_trunk *t)
{
	return r->trunk == t &&
	       (r->cache.state == UP_ALONE || r->cache.state == UP_LEAVING) &&
	       config_phone(r->reg->config, r->phone);
}

struct search {
	struct up_trunk *t;
	struct up_reg *found;
	unsigned n, window_ms;
};

static void look_at(struct hash_node *node, void *arg)
{
	struct up_reg *r = container_of(node, struct up_reg, by_id);
	struct search *s = arg;

	if (!is_owed(r, s->t))
		return;
	s->n++;
	if (r->cache.state == UP_ALONE || !s->found)
		s->found = r;
}

static void put_off(struct hash_node *node, void *arg)
{
	struct up_reg *r = container_of(node, struct up_reg, by_id);
	const struct search *s = arg;

	if (!is_owed(r, s->t))
		return;
	r->cache.due = clock_mono() + 1 + rand_below(s->window_ms);
	timer_set(r->reg->conf.loop, &r->due, r->cache.due - clock_mono(),
		  on_due, r);
}

bool upstream_try_one(struct up_trunk *t)
{
	struct search s = {.t = t};

	hash_each(&t->reg->up.by_id, look_at, &s);
	if (!s.found)
		return false;
	s.found->is_try = true;
	tell(s.found, true);
	return t->n_queued > 0;
}

void upstream_refill(struct up_trunk *t)
{
	struct search s = {.t = t};

	hash_each(&t->reg->up.by_id, look_at, &s);
	s.window_ms = s.n * (1000 / REFILL_PER_S);
	if (s.window_ms < REFILL_LEAST_MS)
		s.window_ms = REFILL_LEAST_MS;
	hash_each(&t->reg->up.by_id, put_off, &s);
}

/* ---- the start, and another configuration ----------------------------------------------------- */

/* The trunk @b is to stand at, or NULL. */
static const char *trunk_of(const struct registrar *reg,
			    const struct binding *b)
{
	const struct conf_realm *realm = config_realm(reg->config, b->realm);

	return realm && realm->registrar[0] ? realm->registrar : NULL;
}

/* @b was stored, or was ours alone: the trunk hears of it within half of what
 * remains. */
static void adopt(struct registrar *reg, struct binding *b, const char *trunk)
{
	struct up_reg *r = make(reg, trunk, b->aor->phone, b->realm, b->id,
				b->registered_at);
	int64_t left = b->expires - clock_mono();
	uint32_t spread = left > 2 ? (uint32_t)(left / 2) : 1;

	if (!r) {
		log_error("reg.not_restored", kv_s("aor", b->aor->text));
		return;
	}
	renew_token(r, &b->flow);
	up_restored(&r->cache, b->expires,
		    clock_mono() + RESTORED_MS + rand_below(spread));
	tidy(r);
}

void upstream_check(struct registrar *reg)
{
	list_for_each_safe (pos, &reg->all) {
		struct binding *b = list_entry(pos, struct binding, in_all);
		struct up_reg *r = find(reg, b->id);
		const char *trunk = trunk_of(reg, b);

		if (!r && trunk)
			adopt(reg, b, trunk);
		else if (r && !trunk)
			upstream_gone(reg, b->id);
		else if (r && strcmp(r->trunk->name, trunk))
			binding_drop(b, "config"); /* of another server's now */
		else if (r)
			str_copy(r->realm, sizeof(r->realm), str_of(b->realm));
	}
	list_for_each (pos, &reg->up.trunks) {
		struct up_trunk *t = list_entry(pos, struct up_trunk, node);

		if (!config_trunk(reg->config, t->name))
			up_trunk_heard(t);
	}
}

/* ---- look-ups -------------------------------------------------------------------------------- */

const struct binding *registrar_by_token(struct registrar *reg,
					 const char *user)
{
	const struct binding *b;
	struct up_reg *r;
	struct token t;

	if (!reg->up.key || !user || token_open(reg->up.key, user, &t))
		return NULL;
	r = find(reg, t.id);
	b = r && r->issued == t.issued ? binding_by_id(reg, r->phone, r->id)
				       : NULL;
	if (b && r->trunk->is_down)
		up_trunk_heard(r->trunk); /* it asks us: it is there */
	return b;
}

const char *registrar_service_route(const struct registrar *reg,
				    const char *phone)
{
	const struct aor *aor = binding_find_aor(reg, phone);

	for (struct list *pos = aor ? aor->bindings.prev : NULL;
	     pos && pos != &aor->bindings; pos = pos->prev) {
		const struct up_reg *r =
			find(reg, list_entry(pos, struct binding, node)->id);

		if (r && r->service_route)
			return r->service_route;
	}
	return NULL;
}

bool registrar_upstream(const struct binding *b, struct registrar_upstream *out)
{
	const struct up_reg *r = find(b->owner, b->id);
	mono_ms now = clock_mono();
	int64_t left = r ? (r->cache.until - now) / 1000 : 0;

	if (!r)
		return false;
	*out = (struct registrar_upstream){
		.trunk = r->trunk->name,
		.state = up_state_name(r->cache.state),
		.expires_s = left > 0 ? (unsigned)left : 0,
	};
	return true;
}
