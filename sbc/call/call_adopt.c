/*
 * call_adopt.c - dialogs that are not, or not only, this box's: two boxes with
 * one flow_key and nothing between them
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The Contact that each side of a call gets has a sealed token for a user: who
 * he is to us, and the names of the dialog with the other side.  It opens with
 * the Call-ID and the tag of the dialog that it was given in, for a day, and
 * counts for him alone: a trunk at its address, a phone on the flow of its
 * binding or with its password.  So a request of a dialog that we do not know
 * can be served all the same (calls_stray()):
 *
 *   request, Contact's token --> does its box know the dialog? (OPTIONS)
 *        yes: the request goes to that box and no further     (relay)
 *        no, or silence: the call is ours from now on         (take over)
 *   request, a box's token in Route --> for a phone that is here now
 *
 * Each of the three makes a call that is up, of two legs without media: what
 * leg/ and call_bridge.c do with requests, they do with these.  Media comes
 * with the next re-INVITE.  Until then such a call is only a memory of what
 * tokens say, and ends unsaid when nothing has passed for a while.
 *
 * A phone that registers with another box (registrar/handover.c) leaves its
 * dialogs here: their requests go by way of that box, with a token in Route
 * that says which box sends it; the phone's come back the same way, and are
 * taken because of theirs.  A dialog that has seen its BYE is spent: its token
 * does nothing more.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/call_priv.h"
#include "call/call_token.h"
#include "core/log.h"

enum {
	ASK_MS = 1500,
	MOST_ASKED = 200,
	/* Longer than any transaction lasts. */
	IDLE_MS = 40000,
	/* Above every number that a box began with; the library starts below
	 * 2^30.  Who takes over later starts higher. */
	TAKEN_CSEQ = 0x48000000,
	CSEQ_PER_S = 16,
	IDS_BYTES = 2048,
	CONTEXT_BYTES = 600,
	TARGET_BYTES = REGISTRAR_SEALED_MAX + ADDR_TEXT_MAX + 32,
};

/* A stray request whose box is being asked. */
struct stray {
	struct list node;
	struct calls *calls;
	struct sip_txn *in, *ask;
	struct timer patience, begin;
	struct dialog_token token;
	char user[REGISTRAR_SEALED_MAX]; /* the token itself */
};

static struct registrar *registrar_of(const struct calls *calls)
{
	return calls->conf.registrar;
}

/* ---- tokens ------------------------------------------------------------------- */

/* What ties a token to the dialog that it is used in. */
static const char *context_of(char mem[CONTEXT_BYTES], const char *call_id,
			      const char *tag)
{
	snprintf(mem, CONTEXT_BYTES, "%s %s", call_id, tag);
	return mem;
}

/* The user part of the first URI in @text; "" = none. */
static void user_in(const char *text, char *out, size_t cap)
{
	struct str rest = str_of(text), user;

	str_cut(&rest, ':');
	user = str_cut(&rest, '@');
	if (!rest.p || str_copy(out, cap, user))
		*out = '\0';
}

void adopt_name(struct call *call, struct leg *leg, const struct leg *other)
{
	struct registrar *reg = registrar_of(call->owner);
	char mine_mem[IDS_BYTES], mem[IDS_BYTES], context[CONTEXT_BYTES];
	char plain[REGISTRAR_PLAIN_MAX + 1], user[REGISTRAR_SEALED_MAX];
	struct sip_dialog_ids mine;
	struct dialog_token t = {
		.issued = clock_wall(),
		.peer_is_trunk = leg_is_trunk(leg),
	};
	struct buf b;

	if (call->adopted || !other || !registrar_shares_key(reg) ||
	    leg_ids(leg, &mine, mine_mem, sizeof(mine_mem)) ||
	    leg_ids(other, &t.ids, mem, sizeof(mem)) || !mine.local_tag ||
	    !t.ids.local_tag || !t.ids.remote_tag || !t.ids.target)
		return;
	t.owner = leg_flow(leg)->local;
	t.other_is_trunk = leg_is_trunk(other);
	t.transport = leg_flow(other)->transport;
	t.other_at = leg_flow(other)->remote;
	str_copy(t.peer, sizeof(t.peer), str_of(leg_peer(leg)));
	str_copy(t.other, sizeof(t.other), str_of(leg_peer(other)));
	buf_init(&b, plain, sizeof(plain));
	dialog_token_write(&b, &t);
	if (b.overflow ||
	    registrar_seal(reg, SEAL_DIALOG,
			   context_of(context, mine.call_id, mine.local_tag),
			   buf_str(&b), user))
		log_debug("call.unsealed", kv_s("call", call->id),
			  kv_s("peer", leg_peer(leg)));
	else
		leg_name(leg, user);
}

static int open_dialog(struct calls *calls, const struct sip_view *view,
		       struct dialog_token *out)
{
	uint8_t plain[REGISTRAR_PLAIN_MAX];
	char context[CONTEXT_BYTES];
	size_t n;
	int err;

	err = registrar_unseal(registrar_of(calls), SEAL_DIALOG,
			       context_of(context, view->call_id, view->to_tag),
			       view->uri.user, plain, &n);
	if (!err)
		err = dialog_token_read(plain, n, out);
	return !err && !token_is_timely(out->issued, TOKEN_LIFE_MS) ? -ETIME
								    : err;
}

/* A Route that leads @call_id's requests to the box at @to. */
static int write_pass(struct calls *calls, const struct sip_flow *flow,
		      const char *call_id, const char *phone,
		      char out[TARGET_BYTES])
{
	struct pass_token t = {.issued = clock_wall(), .from = flow->local};
	char plain[REGISTRAR_PLAIN_MAX + 1], user[REGISTRAR_SEALED_MAX];
	char host[ADDR_TEXT_MAX];
	struct buf b;
	int err;

	str_copy(t.phone, sizeof(t.phone), str_of(phone));
	buf_init(&b, plain, sizeof(plain));
	pass_token_write(&b, &t);
	err = registrar_seal(registrar_of(calls), SEAL_PASS, call_id,
			     buf_str(&b), user);
	if (!err)
		snprintf(out, TARGET_BYTES, "<sip:%s@%s:%u;lr>", user,
			 addr_fmt_uri(&flow->remote, host),
			 addr_port(&flow->remote));
	return err;
}

/* Only from the box that it names, in the dialog that it was made for. */
static bool open_pass(struct calls *calls, const struct sip_view *view,
		      struct pass_token *out)
{
	const char *route = sip_view_header(view, "Route", 0);
	uint8_t plain[REGISTRAR_PLAIN_MAX];
	char user[REGISTRAR_SEALED_MAX];
	size_t n;

	if (!route)
		return false;
	user_in(route, user, sizeof(user));
	return user[0] &&
	       !registrar_unseal(registrar_of(calls), SEAL_PASS, view->call_id,
				 user, plain, &n) &&
	       !pass_token_read(plain, n, out) &&
	       token_is_timely(out->issued, TOKEN_LIFE_MS) &&
	       addr_same_host(&out->from, &view->flow.remote);
}

/* ---- spent tokens --------------------------------------------------------------- */

static uint32_t spent_key(const struct sip_view *view)
{
	char context[CONTEXT_BYTES];

	return hash_text(context_of(context, view->call_id, view->to_tag));
}

static bool is_spent(const struct calls *calls, const struct sip_view *view)
{
	uint32_t key = spent_key(view);

	for (unsigned i = 0; i < CALLS_SPENT; i++) {
		if (calls->spent[i].until > clock_mono() &&
		    calls->spent[i].key == key)
			return true;
	}
	return false;
}

static void spend(struct calls *calls, const struct sip_view *view)
{
	unsigned at;

	if (view->method != SIP_BYE)
		return;
	at = calls->n_spent++ % CALLS_SPENT;
	calls->spent[at].key = spent_key(view);
	calls->spent[at].until = clock_mono() + TOKEN_LIFE_MS;
}

/* ---- the call ---------------------------------------------------------------------- */

/* The newest binding of @phone; of several the one called @contact. */
static const struct binding *binding_of(const struct calls *calls,
					const char *phone, const char *contact)
{
	const struct binding *found[LIMIT_FORKS];
	unsigned n =
		registrar_find(registrar_of(calls), phone, found, LIMIT_FORKS);

	for (unsigned i = 0; i < n; i++) {
		if (contact && !strcmp(found[i]->contact, contact))
			return found[i];
	}
	return n ? found[0] : NULL;
}

static bool has_media(const struct leg *leg)
{
	struct leg_media_info m;

	for (unsigned i = 0; leg && leg_media_at(leg, i, &m); i++) {
		if (m.type.p)
			return true;
	}
	return false;
}

static void watch(void *arg)
{
	struct call *call = arg;
	int64_t idle = clock_mono() - call->touched;

	if (has_media(call->a) || has_media(call->b)) {
		call->answered = clock_mono();
		bridge_watch(call);
	} else if (idle < IDLE_MS) {
		timer_set(call->owner->conf.loop, &call->watch, IDLE_MS - idle,
			  watch, call);
	} else {
		/* Its peers know nothing of it; a token makes it again. */
		call_dissolve(call);
	}
}

static struct call *make_call(struct calls *calls, const struct sip_view *view,
			      const char *how)
{
	const struct conf_realm *realm =
		config_realm(calls->config, view->realm);
	char key[LIMIT_CALLID_BYTES + 64];
	struct call *call;

	if (!realm || (view->method != SIP_BYE &&
		       calls->n >= config_global(calls->config)->max_calls))
		return NULL;
	snprintf(key, sizeof(key), "adopted %s", view->call_id);
	call = call_create(calls, view, key);
	if (!call)
		return NULL;
	call->adopted = true;
	call->state = CALL_UP;
	call->answered_at = clock_wall();
	call->answered = call->touched = clock_mono();
	call->media_timeout_ms = realm->media_timeout_s * 1000;
	call->media_timeout_hold_ms = realm->media_timeout_hold_s * 1000;
	str_copy(call->from, sizeof(call->from), str_of(view->from.user));
	str_copy(call->to, sizeof(call->to), str_of(view->to.user));
	log_info("call.adopted", kv_s("call", call->id), kv_s("how", how),
		 kv_s("from", call->from), kv_s("to", call->to),
		 kv_s("method", view->method_name),
		 kv_a("source", &view->flow.remote));
	return call;
}

struct half {
	const char *realm, *peer;
	bool is_trunk;
	struct sip_flow flow;
	const struct sip_flow *source; /* NULL = flow */
	struct sip_dialog_ids ids;
	const char *user; /* of its Contact from us */
	uint32_t cseq;
};

static int add_half(struct call *call, const struct half *h,
		    const char *local_user, const char *remote_user,
		    struct leg **out)
{
	const struct conf_realm *realm =
		config_realm(call->config, h->realm ? h->realm : "");
	struct sip_dialog_conf dialog = {
		.flow = h->flow,
		.local_user = local_user,
		.remote_user = remote_user,
	};
	struct leg_conf conf;
	int err;

	if (!realm)
		return -ENOENT;
	conf = call_leg_conf(call, realm, h->peer, &h->flow, h->is_trunk);
	conf.source = h->source;
	err = leg_adopt(out, &conf, &dialog, &h->ids, h->cseq);
	if (err)
		return err;
	if (h->user && h->user[0])
		leg_name(*out, h->user);
	return call_add_leg(call, *out);
}

/* Takes @in: the request from @a to @b. */
static void join(struct calls *calls, struct sip_txn *in, const struct half *a,
		 const struct half *b, const char *route, const char *how)
{
	const struct sip_view *view = sip_txn_view(in);
	struct call *call = make_call(calls, view, how);
	int err = call ? 0 : -ENOMEM;

	if (!err)
		err = add_half(call, a, view->to.user, view->from.user,
			       &call->a);
	if (!err)
		err = add_half(call, b, view->from.user, view->to.user,
			       &call->b);
	if (!err && route)
		err = leg_detour(call->b, &b->flow, route);
	if (err) {
		sip_txn_answer(in, &(struct sip_message){.status = 503});
		sip_txn_release(in);
		if (call)
			call_dissolve(call);
		return;
	}
	/* The same dialog on both sides. */
	if (!strcmp(a->ids.call_id, b->ids.call_id))
		leg_mirror(call->a, call->b);
	spend(calls, view);
	timer_set(calls->conf.loop, &call->watch, IDLE_MS, watch, call);
	leg_take(call->a, in);
}

/* The dialog as the sender of @view has it. */
static struct sip_dialog_ids ids_here(const struct sip_view *view,
				      const char *target)
{
	return (struct sip_dialog_ids){
		.call_id = view->call_id,
		.local_tag = view->to_tag,
		.remote_tag = view->from_tag,
		.target = view->n_contacts ? view->contacts[0].uri : target,
	};
}

/* And as it goes on behind us. */
static struct sip_dialog_ids ids_beyond(const struct sip_view *view,
					const char *target)
{
	return (struct sip_dialog_ids){
		.call_id = view->call_id,
		.local_tag = view->from_tag,
		.remote_tag = view->to_tag,
		.target = target,
	};
}

static void fill_source_uri(char out[TARGET_BYTES], const struct sip_view *view)
{
	char host[ADDR_TEXT_MAX];

	snprintf(out, TARGET_BYTES, "sip:%s:%u",
		 addr_fmt_uri(&view->flow.remote, host),
		 addr_port(&view->flow.remote));
}

static void aim_at_binding(struct half *h, const struct calls *calls,
			   const struct binding *b)
{
	h->realm = sip_realm_at(calls->conf.sip, b->to.transport, &b->to.local);
	h->flow = b->to;
	h->source = &b->flow;
	h->ids.target = b->contact;
	h->ids.route = b->path;
}

/* ---- a box brings a request for a phone of ours ---------------------------------- */

static bool take_passed(struct calls *calls, struct sip_request *req)
{
	const struct sip_view *view = sip_request_view(req);
	char back[TARGET_BYTES], user[REGISTRAR_SEALED_MAX] = "";
	const struct binding *b;
	struct pass_token t;
	struct half a, beyond;
	struct sip_txn *in;

	if (!open_pass(calls, view, &t) || !t.phone[0] || is_spent(calls, view))
		return false;
	b = binding_of(calls, t.phone, view->uri_text);
	if (!b) {
		sip_request_answer(req, &(struct sip_message){.status = 480});
		return true;
	}
	if (sip_request_accept(req, &in, NULL, NULL))
		return true;
	view = sip_txn_view(in);
	fill_source_uri(back, view);
	if (view->n_contacts)
		user_in(view->contacts[0].uri, user, sizeof(user));
	a = (struct half){
		.realm = view->realm,
		.peer = t.phone,
		.is_trunk = true,
		.flow = view->flow,
		.ids = ids_here(view, back),
	};
	beyond = (struct half){
		.peer = t.phone,
		.ids = ids_beyond(view, NULL),
		.user = user,
		.cseq = view->cseq,
	};
	aim_at_binding(&beyond, calls, b);
	join(calls, in, &a, &beyond, NULL, "passed");
	return true;
}

/* ---- a request with a token of a Contact ------------------------------------------- */

static void stray_free(struct stray *s)
{
	timer_cancel(s->calls->conf.loop, &s->patience);
	timer_cancel(s->calls->conf.loop, &s->begin);
	sip_txn_release(s->ask);
	sip_txn_release(s->in);
	list_remove(&s->node);
	s->calls->n_strays--;
	free(s);
}

void adopt_clear(struct calls *calls)
{
	list_for_each_safe (pos, &calls->strays)
		stray_free(list_entry(pos, struct stray, node));
}

/* Ends @s; its request goes to @join or is answered @status. */
static struct sip_txn *stray_end(struct stray *s, int status)
{
	struct sip_txn *in = s->in;

	s->in = NULL;
	if (status) {
		sip_txn_answer(in, &(struct sip_message){.status = status});
		sip_txn_release(in);
	}
	stray_free(s);
	return in;
}

static struct half sender_of(const struct stray *s, char back[TARGET_BYTES])
{
	const struct sip_view *view = sip_txn_view(s->in);
	const struct binding *b =
		s->token.peer_is_trunk
			? NULL
			: binding_of(s->calls, s->token.peer, NULL);

	fill_source_uri(back, view);
	return (struct half){
		.realm = view->realm,
		.peer = s->token.peer,
		.is_trunk = s->token.peer_is_trunk,
		.flow = view->flow,
		.ids = ids_here(view, b ? b->contact : back),
		.user = s->user,
		.cseq = TAKEN_CSEQ,
	};
}

/* Its box lives: the dialog goes on there. */
static void relay(struct stray *s)
{
	struct calls *calls = s->calls;
	const struct sip_view *view = sip_txn_view(s->in);
	char back[TARGET_BYTES], target[TARGET_BYTES], route[TARGET_BYTES];
	char host[ADDR_TEXT_MAX];
	struct dialog_token t = s->token;
	struct half a = sender_of(s, back), b;
	char user[REGISTRAR_SEALED_MAX];

	strcpy(user, s->user);
	a.user = user;
	a.peer = t.peer;
	a.cseq = 0;
	snprintf(target, sizeof(target), "sip:%s@%s:%u", user,
		 addr_fmt_uri(&t.owner, host), addr_port(&t.owner));
	b = (struct half){
		.realm = view->realm,
		.peer = t.peer,
		.is_trunk = true,
		.ids = ids_beyond(view, target),
		.cseq = view->cseq,
	};
	if (sip_flow_to(calls->conf.sip, view->realm, SIP_UDP, &t.owner,
			&b.flow) ||
	    write_pass(calls, &b.flow, view->call_id, "", route))
		stray_end(s, 503);
	else
		join(calls, stray_end(s, 0), &a, &b, route, "relayed");
}

/* The way to the other side of a call that is ours now.  0, or a status. */
static int way_beyond(const struct stray *s, struct half *b)
{
	const struct calls *calls = s->calls;
	const struct dialog_token *t = &s->token;
	const struct conf_trunk *trunk;
	const struct binding *binding;

	if (!t->other_is_trunk) {
		binding = binding_of(calls, t->other, t->ids.target);
		if (!binding)
			return 480;
		aim_at_binding(b, calls, binding);
		return 0;
	}
	trunk = config_trunk(calls->config, t->other);
	if (!trunk)
		return 481;
	b->realm = trunk->realm;
	return sip_flow_to(calls->conf.sip, trunk->realm, t->transport,
			   &t->other_at, &b->flow)
		       ? 503
		       : 0;
}

/* Its box is gone, or has forgotten it: the call is ours. */
static void take_over(struct stray *s)
{
	struct calls *calls = s->calls;
	struct dialog_token t = s->token;
	char back[TARGET_BYTES], user[REGISTRAR_SEALED_MAX];
	struct half a = sender_of(s, back), b = {0};
	int64_t age_s = (clock_wall() - t.issued) / 1000;
	int status;

	strcpy(user, s->user);
	a.user = user;
	a.peer = t.peer;
	b.peer = t.other;
	b.is_trunk = t.other_is_trunk;
	b.ids = (struct sip_dialog_ids){
		.call_id = t.call_id,
		.local_tag = t.local_tag,
		.remote_tag = t.remote_tag,
		.target = t.target,
		.route = t.route[0] ? t.route : NULL,
	};
	a.cseq = b.cseq =
		TAKEN_CSEQ + (uint32_t)(age_s > 0 ? age_s : 0) * CSEQ_PER_S;
	status = way_beyond(s, &b);
	if (status)
		stray_end(s, status);
	else
		join(calls, stray_end(s, 0), &a, &b, NULL, "taken-over");
}

static void lose_patience(void *arg)
{
	take_over(arg);
}

static void asked(void *arg, struct sip_txn *txn, const struct sip_view *view)
{
	struct stray *s = arg;
	bool has_it = view->status < 300 && !view->internal;

	if (view->status < 200)
		return;
	if (has_it)
		relay(s);
	else
		take_over(s);
}

static int ask(struct stray *s)
{
	struct calls *calls = s->calls;
	const struct sip_view *view = sip_txn_view(s->in);
	char plain[REGISTRAR_PLAIN_MAX + 1], user[REGISTRAR_SEALED_MAX];
	char target[TARGET_BYTES], host[ADDR_TEXT_MAX];
	struct sip_out o = {.target = target, .from_user = "box"};
	struct ask_token t = {.issued = clock_wall()};
	struct buf b;
	int err;

	str_copy(t.call_id, sizeof(t.call_id), str_of(view->call_id));
	str_copy(t.local_tag, sizeof(t.local_tag), str_of(view->to_tag));
	buf_init(&b, plain, sizeof(plain));
	ask_token_write(&b, &t);
	err = b.overflow ? -ENOSPC
			 : registrar_seal(registrar_of(calls), SEAL_ASK, NULL,
					  buf_str(&b), user);
	if (!err)
		err = sip_flow_to(calls->conf.sip, view->realm, SIP_UDP,
				  &s->token.owner, &o.flow);
	if (err)
		return err;
	snprintf(target, sizeof(target), "sip:%s@%s:%u", user,
		 addr_fmt_uri(&s->token.owner, host),
		 addr_port(&s->token.owner));
	err = sip_send(calls->conf.sip, &s->ask, &o,
		       &(struct sip_message){.method = SIP_OPTIONS}, asked, s);
	if (!err)
		timer_set(calls->conf.loop, &s->patience, ASK_MS, lose_patience,
			  s);
	return err;
}

/* It is told at the loop's next turn, as if nobody had answered. */
static void ask_or_take(struct stray *s)
{
	if (sip_is_own(s->calls->conf.sip, &s->token.owner) || ask(s))
		timer_set(s->calls->conf.loop, &s->begin, 0, lose_patience, s);
}

/* A token counts for him alone to whom it was given.  False: @req was answered,
 * or is to be refused (*is_ended false). */
static bool is_bearer(struct calls *calls, struct sip_request *req,
		      const struct dialog_token *t, bool *is_ended)
{
	const struct sip_view *view = sip_request_view(req);
	const struct conf_realm *realm =
		config_realm(calls->config, view->realm);
	const struct conf_trunk *trunk =
		registrar_trunk_of(registrar_of(calls), view);
	const struct binding *found[LIMIT_FORKS];
	const struct conf_phone *who = NULL;
	struct sip_challenge challenge;
	enum sip_auth_verdict verdict;
	struct sip_message m;
	unsigned n;

	*is_ended = false;
	if (t->peer_is_trunk || trunk || !realm)
		return t->peer_is_trunk && trunk &&
		       !strcmp(trunk->name, t->peer);
	n = registrar_find(registrar_of(calls), t->peer, found, LIMIT_FORKS);
	for (unsigned i = 0; i < n; i++) {
		if (sip_flow_equal(&found[i]->flow, &view->flow))
			return true;
	}
	verdict = sip_auth_check(calls->conf.auth, view, calls->config, realm,
				 &who);
	if (verdict == SIP_AUTH_OK)
		return !strcmp(who->name, t->peer);
	m = sip_auth_refusal(calls->conf.auth, view, realm, verdict,
			     &challenge);
	sip_request_answer(req, &m);
	*is_ended = true;
	return false;
}

static bool take_named(struct calls *calls, struct sip_request *req)
{
	const struct sip_view *view = sip_request_view(req);
	struct dialog_token t;
	struct stray *s;
	bool is_ended;
	int err;

	err = open_dialog(calls, view, &t);
	if (err == -EINVAL || calls->n_strays >= MOST_ASKED)
		return false;
	if (err || is_spent(calls, view)) {
		log_limited(LOG_WARN, "call.token_stale", kv_s("peer", t.peer),
			    kv_a("source", &view->flow.remote));
		return false;
	}
	if (!is_bearer(calls, req, &t, &is_ended)) {
		log_limited(LOG_WARN, "call.token_misused",
			    kv_s("peer", t.peer),
			    kv_a("source", &view->flow.remote));
		return is_ended;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return false;
	s->calls = calls;
	s->token = t;
	str_copy(s->user, sizeof(s->user), str_of(view->uri.user));
	list_append(&calls->strays, &s->node);
	calls->n_strays++;
	if (sip_request_accept(req, &s->in, NULL, NULL)) {
		stray_free(s);
		return true;
	}
	ask_or_take(s);
	return true;
}

bool calls_stray(struct calls *calls, struct sip_request *req)
{
	return registrar_shares_key(registrar_of(calls)) &&
	       (take_passed(calls, req) || take_named(calls, req));
}

/* ---- what other boxes want of our dialogs --------------------------------------------- */

static bool has_leg(const struct call *call, const struct ask_token *t)
{
	struct sip_dialog_ids ids;
	char mem[IDS_BYTES];

	for (unsigned i = 0; i < CALL_LEGS; i++) {
		const struct leg *leg = call->legs[i];

		if (leg && leg_state(leg) != LEG_DEAD &&
		    !strcmp(leg_call_id(leg), t->call_id) &&
		    !leg_ids(leg, &ids, mem, sizeof(mem)) && ids.local_tag &&
		    !strcasecmp(ids.local_tag, t->local_tag))
			return true;
	}
	return false;
}

int calls_hear(struct calls *calls, const struct sip_view *view)
{
	uint8_t plain[REGISTRAR_PLAIN_MAX];
	struct ask_token t;
	size_t n;

	if (!registrar_shares_key(registrar_of(calls)) ||
	    registrar_unseal(registrar_of(calls), SEAL_ASK, NULL,
			     view->uri.user, plain, &n) ||
	    ask_token_read(plain, n, &t))
		return 0;
	if (!token_is_timely(t.issued, TOKEN_SKEW_MS))
		return 403;
	list_for_each (pos, &calls->all) {
		if (has_leg(list_entry(pos, struct call, node), &t))
			return 200;
	}
	return 481;
}

/* An adopted side that speaks may tell more of the other one than we know. */
static void learn(struct call *call, struct leg *leg,
		  const struct sip_view *view)
{
	struct leg *other = leg == call->a ? call->b : call->a;
	struct dialog_token t;

	call->touched = clock_mono();
	if (other && view->to_tag && !open_dialog(call->owner, view, &t) &&
	    !strcmp(leg_call_id(other), t.call_id) && t.other_is_trunk)
		leg_aim(other, &t.ids);
}

bool adopt_vouched(void *arg, struct leg *leg, const struct sip_view *view)
{
	struct call *call = arg;
	struct pass_token t;

	if (!registrar_shares_key(registrar_of(call->owner)))
		return false;
	if (call->adopted)
		learn(call, leg, view);
	return open_pass(call->owner, view, &t);
}

static void send_away(struct call *call, struct leg *leg, const char *phone,
		      const struct addr *via)
{
	struct calls *calls = call->owner;
	char route[TARGET_BYTES];
	struct sip_flow flow;

	if (sip_flow_to(calls->conf.sip, leg_realm(leg), SIP_UDP, via, &flow) ||
	    write_pass(calls, &flow, leg_call_id(leg), phone, route) ||
	    leg_detour(leg, &flow, route))
		log_warn("leg.not_handed_over", kv_s("call", call->id),
			 kv_s("peer", phone));
	else
		log_info("leg.handed_over", kv_s("call", call->id),
			 kv_s("peer", phone), kv_a("via", via));
}

void calls_away(struct calls *calls, const struct binding *b,
		const struct addr *via)
{
	list_for_each (pos, &calls->all) {
		struct call *call = list_entry(pos, struct call, node);

		for (unsigned i = 0; i < CALL_LEGS; i++) {
			struct leg *leg = call->legs[i];

			if (leg && leg_state(leg) != LEG_DEAD &&
			    !strcmp(leg_peer(leg), binding_phone(b)) &&
			    (sip_flow_equal(leg_flow(leg), &b->to) ||
			     sip_flow_equal(leg_flow(leg), &b->flow)))
				send_away(call, leg, binding_phone(b), via);
		}
	}
}
