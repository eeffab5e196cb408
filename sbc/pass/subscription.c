/*
 * subscription.c - a subscription (RFC 6665): from a SUBSCRIBE to the one who
 * takes it, and its end
 *
 *   ASKING ── 2xx ──▶ UP ── Expires 0, 2xx ──▶ ENDING ── last NOTIFY ──▶ OVER
 *      │               ├── NOTIFY terminated, 481, time is over ──────────▶
 *      └── 3xx-6xx ────┴──────────────────────────────────────────────────▶
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A pair of dialogs with one expiry.  We are neither the one who subscribes
 * nor the one who notifies: both decide, and we keep count so that nothing
 * stays when one of them is gone.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/log.h"
#include "core/rand.h"
#include "pass/sub_priv.h"

enum {
	DEFAULT_S = 3600, /* RFC 6665 leaves it to the package */
	/* 64*T1: what is under way at the end may still arrive. */
	GRACE_S = 32,
};

/* ---- the end ----------------------------------------------------------------------- */

static void sub_free(struct sub *sub)
{
	side_clear(&sub->a);
	side_clear(&sub->b);
	list_remove(&sub->node);
	config_unref(sub->config);
	free(sub->event);
	free(sub);
}

static void reap(void *arg)
{
	struct passes *p = arg;

	list_for_each_safe (pos, &p->over)
		sub_free(list_entry(pos, struct sub, node));
}

static void tell_subscriber(struct sub *sub, const char *reason)
{
	char state[80];
	struct sip_header headers[] = {{"Event", sub->event},
				       {"Subscription-State", state}};

	snprintf(state, sizeof(state), "terminated;reason=%s", reason);
	if (!strcmp(reason, "probation"))
		snprintf(state + strlen(state), sizeof(state) - strlen(state),
			 ";retry-after=%u", 2 + rand_below(10));
	sip_dialog_request(sub->a.dialog, NULL,
			   &(struct sip_message){
				   .method = SIP_NOTIFY,
				   .contact = true,
				   .headers = headers,
				   .n_headers = 2,
			   },
			   NULL, NULL);
}

static void tell_notifier(struct sub *sub)
{
	struct sip_header headers[] = {{"Event", sub->event}, {"Expires", "0"}};

	sip_dialog_request(sub->b.dialog, NULL,
			   &(struct sip_message){
				   .method = SIP_SUBSCRIBE,
				   .contact = true,
				   .headers = headers,
				   .n_headers = 2,
			   },
			   NULL, NULL);
}

void sub_end(struct sub *sub, const char *cause, const char *reason)
{
	struct passes *p = sub->owner;
	enum sub_state was = sub->state;

	if (was == SUB_OVER)
		return;
	sub->state = SUB_OVER;
	timer_cancel(p->conf.loop, &sub->expiry);
	carry_clear(sub);
	if (was == SUB_UP && reason) {
		tell_subscriber(sub, reason);
		tell_notifier(sub);
	}
	if (was != SUB_ASKING)
		log_info("sub.end", kv_s("sub", sub->id), kv_s("cause", cause));
	sip_txn_release(sub->in);
	sip_txn_release(sub->out);
	sub->in = sub->out = NULL;
	side_leave(&sub->a);
	side_leave(&sub->b);
	pass_forget(p, &sub->key);
	list_remove(&sub->node);
	p->n_subs--;
	/* This may be a callback of one of its dialogs. */
	list_append(&p->over, &sub->node);
	timer_set(p->conf.loop, &p->reaper, 0, reap, p);
}

void subscriptions_clear(struct passes *p)
{
	list_for_each_safe (pos, &p->subs)
		sub_end(list_entry(pos, struct sub, node), "shutdown", NULL);
	timer_cancel(p->conf.loop, &p->reaper);
	reap(p);
}

void subscriptions_check(struct passes *p)
{
	list_for_each_safe (pos, &p->subs) {
		struct sub *sub = list_entry(pos, struct sub, node);

		if (!side_is_known(&sub->a, p->config) ||
		    (sub->state == SUB_UP &&
		     !side_is_known(&sub->b, p->config)))
			sub_end(sub, "reload", "deactivated");
	}
}

void passes_terminate(struct passes *p)
{
	list_for_each_safe (pos, &p->subs)
		sub_end(list_entry(pos, struct sub, node), "shutdown",
			"probation");
}

unsigned passes_subscriptions(const struct passes *p)
{
	return p->n_subs;
}

/* ---- time -------------------------------------------------------------------------- */

static void expired(void *arg)
{
	struct sub *sub = arg;

	if (sub->state == SUB_ENDING)
		sub_end(sub, "unsubscribed", NULL);
	else
		sub_end(sub, "expired", "timeout");
}

int64_t sub_bounded(const struct sub *sub, int64_t seconds)
{
	int64_t most = sub->a.realm->max_expires_s;

	if (seconds < 0)
		seconds = DEFAULT_S;
	return seconds < most ? seconds : most;
}

void sub_set_expiry(struct sub *sub, int64_t seconds)
{
	sub->ends = clock_mono() + seconds * 1000;
	timer_set(sub->owner->conf.loop, &sub->expiry,
		  (seconds + GRACE_S) * 1000, expired, sub);
}

void sub_ending(struct sub *sub)
{
	sub->state = SUB_ENDING;
	sub_set_expiry(sub, 0);
}

static void tell_start(const struct sub *sub, int64_t expires_s)
{
	log_info("sub.start", kv_s("sub", sub->id),
		 kv_s("from", sub->from.from), kv_s("to", sub->from.to),
		 kv_s("event", sub->event), kv_s("realm", sub->a.realm->name),
		 kv_a("source", &sub->a.flow.remote), kv_s("peer", sub->b.peer),
		 kv_i("expires_s", expires_s));
}

/* ---- inside ------------------------------------------------------------------------ */

/* What has no place inside a subscription. */
static void refuse_inside(struct sub *sub, struct sip_txn *txn,
			  const struct sip_view *view)
{
	struct sip_header allow = {"Allow", sip_allowed(sub->owner->conf.sip)};

	sip_txn_answer(
		txn, &(struct sip_message){
			     .status = view->method == SIP_OPTIONS ? 200 : 405,
			     .headers = &allow,
			     .n_headers = 1,
		     });
	sip_txn_release(txn);
}

static void on_subscriber(void *arg, struct sip_txn *txn,
			  const struct sip_view *view)
{
	struct sub *sub = arg;

	if (!side_admit(&sub->a, txn, view))
		return;
	if (view->method == SIP_SUBSCRIBE)
		carry_subscribe(sub, txn, view);
	else
		refuse_inside(sub, txn, view);
}

static void on_notifier(void *arg, struct sip_txn *txn,
			const struct sip_view *view)
{
	struct sub *sub = arg;

	if (!side_admit(&sub->b, txn, view))
		return;
	if (view->method == SIP_NOTIFY)
		carry_notify(sub, txn, view);
	else
		refuse_inside(sub, txn, view);
}

/* ---- forks ------------------------------------------------------------------------- */

static int fork_sides(struct sub *fork, const struct sub *sub,
		      struct sip_txn *txn)
{
	const struct sub_side *from[] = {&sub->a, &sub->b};
	struct sub_side *to[] = {&fork->a, &fork->b};
	int err = 0;

	for (int i = 0; i < 2 && !err; i++) {
		struct pass_way way = {
			.realm = from[i]->realm,
			.peer = from[i]->peer,
			.is_trunk = from[i]->is_trunk,
			.flow = from[i]->flow,
			.source = from[i]->source,
			.uri = from[i]->contact,
		};

		err = side_init(to[i], fork, &way);
		to[i]->nat = from[i]->nat;
	}
	if (!err)
		err = sip_dialog_twin(
			&fork->a.dialog, sub->a.dialog,
			&(struct sip_dialog_conf){.flow = fork->a.flow,
						  .request = on_subscriber,
						  .arg = fork});
	if (!err)
		err = sip_dialog_fork(
			&fork->b.dialog, sub->b.dialog, txn,
			&(struct sip_dialog_conf){.flow = fork->b.flow,
						  .request = on_notifier,
						  .arg = fork});
	return err;
}

/* As @sub, with another notifier; -EAGAIN: there are too many. */
static int sub_fork(struct sub **out, const struct sub *sub,
		    struct sip_txn *txn)
{
	struct passes *p = sub->owner;
	struct sub *fork;
	int err = -ENOMEM;

	if (p->n_subs >= LIMIT_SUBSCRIPTIONS)
		return -EAGAIN;
	fork = calloc(1, sizeof(*fork));
	if (!fork)
		return -ENOMEM;
	fork->owner = p;
	fork->config = config_ref(sub->config);
	fork->from = sub->from;
	fork->asked_s = -1;
	fork->state = SUB_UP;
	list_init(&fork->node);
	list_init(&fork->carries);
	list_init(&fork->a.of_phone);
	list_init(&fork->b.of_phone);
	rand_token(fork->id, sizeof(fork->id) - 1);
	fork->event = strdup(sub->event);
	if (fork->event)
		err = fork_sides(fork, sub, txn);
	if (err) {
		sub_free(fork);
		return err;
	}
	list_append(&p->subs, &fork->node);
	p->n_subs++;
	*out = fork;
	return 0;
}

/* The SUBSCRIBE reached several notifiers (RFC 6665 4.4.1): each has a dialog of
 * its own, and so has the subscriber with it; whether it wants that is its
 * answer's to say. */
static void on_forked(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct sub *sub = arg, *fork;
	int64_t left_s = (sub->ends - clock_mono()) / 1000;

	if (!side_admit(&sub->b, txn, view))
		return;
	if (sub->state != SUB_UP || sub_fork(&fork, sub, txn)) {
		sip_txn_answer(txn, &(struct sip_message){.status = 481});
		sip_txn_release(txn);
		return;
	}
	tell_start(fork, left_s);
	sub_set_expiry(fork, left_s > 0 ? left_s : 0);
	side_keep(&fork->a);
	side_keep(&fork->b);
	carry_notify(fork, txn, view);
}

/* ---- asking ------------------------------------------------------------------------- */

static void first_answered(void *arg, struct sip_txn *txn,
			   const struct sip_view *view);

static int ask_way(struct sub *sub, const struct pass_way *way)
{
	const struct sip_view *view = sip_txn_view(sub->in);
	struct sip_dialog_conf conf = {
		.flow = way->flow,
		.target = way->uri,
		.local_user = sub->from.from[0] ? sub->from.from : NULL,
		.local_host = way->host,
		.local_display = sub->from.display,
		.remote_user = sub->from.to,
		.remote_host = way->host,
		.credentials = way->credentials,
		.request = on_notifier,
		.forked = on_forked,
		.arg = sub,
	};
	struct sip_message m = {
		.method = SIP_SUBSCRIBE,
		.contact = true,
		.max_forwards = sub->from.max_forwards,
	};
	struct pass_headers h;
	int err;

	pass_headers(&h, view, SIP_SUBSCRIBE);
	pass_rules(&h, sub->config, &sub->from, way, view, SIP_SUBSCRIBE);
	if (sub->asked_s >= 0) {
		snprintf(h.expires, sizeof(h.expires), "%lld",
			 (long long)sub_bounded(sub, sub->asked_s));
		pass_header_add(&h, "Expires", h.expires);
	}
	if (way->route)
		pass_header_add(&h, "Route", way->route);
	pass_put(&m, &h, view);
	err = side_init(&sub->b, sub, way);
	if (!err)
		err = sip_dialog_call(&sub->b.dialog, sub->owner->conf.sip,
				      &conf);
	if (!err)
		err = sip_dialog_request(sub->b.dialog, &sub->out, &m,
					 first_answered, sub);
	if (err)
		side_clear(&sub->b);
	return err;
}

/* Along the next way to the device that is asked.  -ENOENT: none is left. */
static int ask_device(struct sub *sub)
{
	const struct binding *b;
	struct pass_way way;
	int err = -ENOENT;

	while (err &&
	       (b = pass_next_way(sub->owner, &sub->ways, sub->device))) {
		err = pass_way_binding(sub->owner, sub->config, b, &way);
		if (!err)
			err = ask_way(sub, &way);
	}
	return err;
}

/* A subscription has one notifier: the devices of a phone are asked in turn,
 * the one that registered last first. */
static int ask_next_device(struct sub *sub)
{
	int err = -ENOENT;

	while (err && ++sub->device < sub->ways.n) {
		if (sub->ways.list[sub->device].device == sub->device)
			err = ask_device(sub);
	}
	return err;
}

static void note(struct sub *sub, int status)
{
	if (route_is_better(status, sub->best))
		sub->best = status;
}

static int ask_target(struct sub *sub, const struct route_target *t)
{
	struct pass_way way;
	int err;

	sub->ways.n = 0;
	if (t->phone) {
		pass_ways_of(sub->owner, t->phone, &sub->from, &sub->ways);
		sub->device = UINT_MAX;
		err = ask_next_device(sub);
	} else {
		err = pass_way_trunk(sub->owner, sub->config, t->trunk,
				     &sub->from, &way);
		if (!err)
			err = ask_way(sub, &way);
		if (err)
			log_limited(LOG_WARN, "trunk.unreachable",
				    kv_s("trunk", t->trunk->name),
				    kv_s("err", err_name(err)));
	}
	if (err)
		note(sub, t->phone && err == -ENOENT ? 480 : 503);
	return err;
}

/* Nobody takes it; @view when it is the answer that tells most. */
static void give_up(struct sub *sub, const struct sip_view *view)
{
	int status = route_map_status(sub->best ? sub->best : 480);
	struct sip_message m = {.status = status};
	struct pass_headers h = {.n = 0};

	if (view && !view->internal && view->status == status)
		pass_headers(&h, view, SIP_SUBSCRIBE);
	pass_put(&m, &h, NULL);
	if (sip_txn_answer(sub->in, &m) == -EINVAL)
		sip_txn_answer(sub->in, &(struct sip_message){.status = 502});
	sub_end(sub, "refused", NULL);
}

static void next_target(struct sub *sub, const struct sip_view *view)
{
	while (sub->next < sub->targets.n) {
		view = NULL;
		if (!ask_target(sub, &sub->targets.targets[sub->next++]))
			return;
	}
	give_up(sub, view);
}

/* @view is no 2xx: another way, another device, another target? */
static void refused(struct sub *sub, const struct sip_view *view)
{
	bool dead = pass_is_way_dead(view->status);

	carry_clear(sub); /* what a notifier said before it refused */
	side_clear(&sub->b);
	if (dead && sub->ways.n && !ask_device(sub))
		return;
	note(sub, view->status);
	if (view->status >= 600) {
		give_up(sub, view);
		return;
	}
	if (sub->ways.n && !ask_next_device(sub))
		return;
	if (route_next(view->status))
		next_target(sub, view);
	else
		give_up(sub, view);
}

static void taken(struct sub *sub, const struct sip_view *view)
{
	struct sip_message m = {.status = view->status, .contact = true};
	int64_t granted = view->expires >= 0 ? view->expires : sub->asked_s;
	struct pass_headers h;
	struct sip_txn *in = sub->in;

	granted = sub_bounded(sub, granted);
	sip_dialog_establish(sub->b.dialog, view);
	pass_headers(&h, view, SIP_SUBSCRIBE);
	snprintf(h.expires, sizeof(h.expires), "%lld", (long long)granted);
	pass_header_add(&h, "Expires", h.expires);
	pass_put(&m, &h, NULL);
	sub->state = SUB_UP;
	tell_start(sub, granted);
	sub->in = NULL;
	sip_txn_answer(in, &m);
	sip_txn_release(in);
	if (granted)
		sub_set_expiry(sub, granted);
	else
		sub_ending(sub);
	side_keep(&sub->a);
	side_keep(&sub->b);
	carry_go_on(sub);
}

static void first_answered(void *arg, struct sip_txn *txn,
			   const struct sip_view *view)
{
	struct sub *sub = arg;

	if (view->status < 200)
		return;
	sub->out = NULL;
	sip_txn_release(txn);
	if (view->status < 300)
		taken(sub, view);
	else
		refused(sub, view);
}

/* ---- taking -------------------------------------------------------------------------- */

/* A phone that lost its memory leaves subscriptions behind; where it has too
 * many, the oldest of the same kind makes room. */
static int make_room(struct passes *p, const struct sub *sub)
{
	struct sub_phone *phone = sub_phone_find(p, sub->a.peer);

	if (!phone)
		return -ENOENT;
	list_for_each_safe (pos, &phone->sides) {
		struct sub_side *side =
			list_entry(pos, struct sub_side, of_phone);

		if (side != &side->sub->a ||
		    !sip_flow_equal(&side->flow, &sub->a.flow) ||
		    strcmp(side->sub->from.to, sub->from.to) ||
		    strcmp(side->sub->event, sub->event))
			continue;
		sub_end(side->sub, "replaced", "deactivated");
		return 0;
	}
	return -ENOENT;
}

static int init_subscriber(struct sub *sub, const struct sip_view *view)
{
	const struct registrar_peer *who = &sub->from.who;
	struct pass_way way = {
		.realm = config_realm(sub->config, who->realm->name),
		.peer = who->phone ? who->phone->name : who->trunk->name,
		.is_trunk = who->trunk != NULL,
		.flow = view->flow,
		.source = view->flow,
		.uri = view->contacts[0].uri,
	};
	int err = side_init(&sub->a, sub, &way);

	if (err == -EAGAIN && !make_room(sub->owner, sub)) {
		side_clear(&sub->a);
		err = side_init(&sub->a, sub, &way);
	}
	nat_judge(&sub->a.nat, &(struct nat_look){.view = view});
	return err;
}

static int sub_create(struct sub **out, struct passes *p,
		      const struct sip_view *view,
		      const struct pass_sender *from,
		      const struct route_result *to)
{
	struct sub *sub = calloc(1, sizeof(*sub));
	int err = -ENOMEM;

	if (!sub)
		return -ENOMEM;
	sub->owner = p;
	sub->config = config_ref(p->config);
	sub->from = *from;
	sub->targets = *to;
	sub->asked_s = view->expires;
	list_init(&sub->node);
	list_init(&sub->carries);
	list_init(&sub->a.of_phone);
	list_init(&sub->b.of_phone);
	rand_token(sub->id, sizeof(sub->id) - 1);
	sub->event = str_dup(str_of(sip_view_header(view, "Event", 0)));
	if (sub->event)
		err = init_subscriber(sub, view);
	if (!err)
		err = pass_remember(p, &sub->key, view);
	if (err) {
		sub_free(sub);
		return err;
	}
	list_append(&p->subs, &sub->node);
	p->n_subs++;
	*out = sub;
	return 0;
}

/* What can be said without knowing who it is; 0 = nothing. */
static int check(const struct passes *p, const struct sip_view *view)
{
	if (p->n_subs >= LIMIT_SUBSCRIPTIONS)
		return 503;
	if (!view->n_contacts)
		return 400; /* RFC 3261 8.1.1.8 */
	return sip_view_header(view, "Event", 0) ? 0 : 489;
}

void passes_subscribe(struct passes *p, struct sip_request *req)
{
	const struct sip_view *view = sip_request_view(req);
	struct sip_dialog_conf conf = {.flow = view->flow,
				       .request = on_subscriber};
	struct pass_sender from;
	struct route_result to;
	int status = check(p, view);
	struct sub *sub;

	if (status) {
		pass_refuse(req, status);
		return;
	}
	if (!pass_admit(p, req, CONF_FOR_SUBSCRIBE, &from, &to))
		return;
	if (sub_create(&sub, p, view, &from, &to)) {
		pass_refuse(req, 503);
		return;
	}
	conf.arg = sub;
	if (sip_request_accept(req, &sub->in, NULL, NULL)) {
		sub->in = NULL;
		sub_end(sub, "no-resources", NULL);
	} else if (sip_dialog_answer(&sub->a.dialog, sub->in, &conf)) {
		sip_txn_answer(sub->in, &(struct sip_message){.status = 400});
		sub_end(sub, "refused", NULL);
	} else {
		next_target(sub, NULL);
	}
}

/* ---- phones that move -------------------------------------------------------------------- */

static bool is_of(const struct sub_side *side, const struct binding *b)
{
	return side->phone && !strcmp(side->phone->name, binding_phone(b)) &&
	       (sip_flow_equal(&side->flow, &b->to) ||
		sip_flow_equal(&side->flow, &b->flow));
}

void passes_away(struct passes *p, const struct binding *b)
{
	list_for_each_safe (pos, &p->subs) {
		struct sub *sub = list_entry(pos, struct sub, node);

		/* RFC 6665 4.1.3: so that a subscription may move. */
		if (is_of(&sub->a, b) || is_of(&sub->b, b))
			sub_end(sub, "other-box", "deactivated");
	}
}

void passes_follow(struct passes *p, const struct binding *b,
		   const struct sip_flow *from)
{
	struct sub_phone *phone = sub_phone_find(p, binding_phone(b));

	if (!phone)
		return;
	/* The port may have been another phone's before: only its own. */
	list_for_each (pos, &phone->sides) {
		struct sub_side *side =
			list_entry(pos, struct sub_side, of_phone);

		if (sip_flow_equal(&side->flow, from))
			side_move(side, &b->to, &b->flow);
	}
}
