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

#include "call/call_box.h"
#include "call/call_priv.h"
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

/* ---- spent tokens --------------------------------------------------------------- */

static uint32_t spent_key(const struct sip_view *view)
{
	char context[BOX_CONTEXT];

	return hash_text(box_context(context, view->call_id, view->to_tag));
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

static void fill_source_uri(char out[BOX_TARGET], const struct sip_view *view)
{
	char host[ADDR_TEXT_MAX];

	snprintf(out, BOX_TARGET, "sip:%s:%u",
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
	char back[BOX_TARGET], user[REGISTRAR_SEALED_MAX] = "";
	const struct binding *b;
	struct pass_token t;
	struct half a, beyond;
	struct sip_txn *in;

	if (!box_open_pass(calls, view, &t) || !t.phone[0] ||
	    is_spent(calls, view))
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
		box_user_in(view->contacts[0].uri, user, sizeof(user));
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

static struct half sender_of(const struct stray *s, char back[BOX_TARGET])
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
	char back[BOX_TARGET], target[BOX_TARGET], route[BOX_TARGET];
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
	    box_write_pass(calls, &b.flow, view->call_id, "", route))
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
	char back[BOX_TARGET], user[REGISTRAR_SEALED_MAX];
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
	char target[BOX_TARGET], host[ADDR_TEXT_MAX];
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

	err = box_open_dialog(calls, view, &t);
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
