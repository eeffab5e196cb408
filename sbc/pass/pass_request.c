/*
 * pass_request.c - requests that make no dialog: one transaction in, one for
 * each device or server that is asked, one answer back
 *
 *   MESSAGE ─▶ target 1: device, device, device    the best answer (16.7)
 *              target 2: trunk                     after 408 and 5xx
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first 2xx is the answer; what the other devices were sent goes on behind
 * it, so that a message reaches them all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/log.h"
#include "pass/pass_priv.h"

struct ask;

/* One transaction of ours; @txn NULL = none, or it has ended. */
struct ask_branch {
	struct ask *ask;
	struct sip_txn *txn;
	unsigned device;
};

struct ask {
	struct list node; /* of passes.asks */
	struct pass_key key;
	struct passes *owner;
	struct config *config; /* by which it was routed */
	struct sip_txn *in;
	struct pass_sender from;
	struct route_result targets;
	unsigned next;
	struct pass_ways ways; /* of the phone that is asked now */
	struct ask_branch branches[LIMIT_FORKS];
	unsigned open;
	int best;
	bool stops; /* no further target */
};

static void ask_end(struct ask *ask)
{
	struct passes *p = ask->owner;

	for (unsigned i = 0; i < LIMIT_FORKS; i++)
		sip_txn_release(ask->branches[i].txn);
	sip_txn_release(ask->in);
	pass_forget(p, &ask->key);
	list_remove(&ask->node);
	p->n_asks--;
	config_unref(ask->config);
	free(ask);
}

void requests_clear(struct passes *p)
{
	list_for_each_safe (pos, &p->asks)
		ask_end(list_entry(pos, struct ask, node));
}

/* ---- asking --------------------------------------------------------------------- */

static void branch_answered(void *arg, struct sip_txn *txn,
			    const struct sip_view *view);

static int ask_way(struct ask *ask, const struct pass_way *way,
		   struct ask_branch *branch)
{
	const struct sip_view *view = sip_txn_view(ask->in);
	struct sip_message m = {
		.method = view->method,
		.max_forwards = ask->from.max_forwards,
		.contact = view->method == SIP_NOTIFY ||
			   view->method == SIP_OPTIONS,
	};
	struct sip_out out = {
		.flow = way->flow,
		.target = way->uri,
		.from_user = ask->from.from[0] ? ask->from.from : NULL,
		.from_host = way->host,
		.from_display = ask->from.display,
		.to_user = ask->from.to,
		.to_host = way->host,
		.credentials = way->credentials,
	};
	struct pass_headers h;
	int err;

	pass_headers(&h, view, view->method);
	pass_rules(&h, ask->config, &ask->from, way, view, view->method);
	if (way->route)
		pass_header_add(&h, "Route", way->route);
	pass_put(&m, &h, view);
	branch->ask = ask;
	err = sip_send(ask->owner->conf.sip, &branch->txn, &out, &m,
		       branch_answered, branch);
	if (!err)
		ask->open++;
	return err;
}

/* Along the first of the device's ways that takes it. */
static int ask_device(struct ask *ask, unsigned device)
{
	const struct binding *b;
	struct pass_way way;
	int err = -ENOENT;

	while (err && (b = pass_next_way(ask->owner, &ask->ways, device))) {
		err = pass_way_binding(ask->owner, ask->config, b, &way);
		if (!err) {
			ask->branches[device].device = device;
			err = ask_way(ask, &way, &ask->branches[device]);
		}
	}
	return err;
}

static void note(struct ask *ask, int status)
{
	if (route_is_better(status, ask->best))
		ask->best = status;
}

static void ask_phone(struct ask *ask, const struct conf_phone *phone)
{
	int err, worst = -ENOENT;

	pass_ways_of(ask->owner, phone, &ask->from, &ask->ways);
	for (unsigned i = 0; i < ask->ways.n; i++) {
		if (ask->ways.list[i].device != i)
			continue;
		err = ask_device(ask, i);
		if (err && err != -ENOENT)
			worst = err;
	}
	if (!ask->open)
		note(ask, worst == -ENOENT ? 480 : 503);
}

static void ask_trunk(struct ask *ask, const struct conf_trunk *trunk)
{
	struct pass_way way;
	int err;

	ask->ways.n = 0;
	err = pass_way_trunk(ask->owner, ask->config, trunk, &ask->from, &way);
	if (!err)
		err = ask_way(ask, &way, &ask->branches[0]);
	if (!err)
		return;
	log_limited(LOG_WARN, "trunk.unreachable", kv_s("trunk", trunk->name),
		    kv_s("err", err_name(err)));
	note(ask, 503);
}

/* The answer that tells the sender most; @view when it is this one. */
static void finish(struct ask *ask, int status, const struct sip_view *view)
{
	struct sip_message m = {.status = status};
	struct pass_headers h = {.n = 0};

	if (view && !view->internal)
		pass_headers(&h, view, sip_txn_view(ask->in)->method);
	pass_put(&m, &h, view && status < 300 ? view : NULL);
	/* What a peer wrote may be unfit. */
	if (sip_txn_answer(ask->in, &m) == -EINVAL)
		sip_txn_answer(ask->in, &(struct sip_message){.status = 502});
	ask_end(ask);
}

static void next_target(struct ask *ask, const struct sip_view *view)
{
	int status;

	while (!ask->open && !ask->stops && ask->next < ask->targets.n) {
		const struct route_target *t =
			&ask->targets.targets[ask->next++];

		view = NULL;
		if (t->phone)
			ask_phone(ask, t->phone);
		else
			ask_trunk(ask, t->trunk);
	}
	if (ask->open)
		return;
	status = route_map_status(ask->best ? ask->best : 480);
	finish(ask, status, view && view->status == status ? view : NULL);
}

static void branch_answered(void *arg, struct sip_txn *txn,
			    const struct sip_view *view)
{
	struct ask_branch *branch = arg;
	struct ask *ask = branch->ask;

	if (view->status < 200)
		return;
	branch->txn = NULL;
	sip_txn_release(txn);
	ask->open--;
	if (view->status < 300) {
		finish(ask, view->status, view);
		return;
	}
	if (pass_is_way_dead(view->status) && ask->ways.n &&
	    !ask_device(ask, branch->device))
		return;
	note(ask, view->status);
	if (!route_next(view->status))
		ask->stops = true;
	if (!ask->open)
		next_target(ask, view);
}

/* ---- taking ------------------------------------------------------------------------ */

static enum conf_method route_method(enum sip_method method)
{
	switch (method) {
	case SIP_PUBLISH:
		return CONF_FOR_PUBLISH;
	case SIP_OPTIONS:
		return CONF_FOR_OPTIONS;
	default:
		return CONF_FOR_MESSAGE;
	}
}

/* What can be said without knowing who it is; 0 = nothing. */
static int check(const struct passes *p, const struct sip_view *view)
{
	if (p->n_asks >= LIMIT_PASSES)
		return 503;
	if (view->method == SIP_PUBLISH && !sip_view_header(view, "Event", 0))
		return 489;
	if (view->method != SIP_NOTIFY)
		return 0;
	/* Servers tell of waiting messages without being asked; nobody else
	 * has anything to tell. */
	if (!registrar_trunk_of(p->conf.registrar, view))
		return 481;
	return sip_view_header(view, "Event", 0) ? 0 : 489;
}

/* Only phones are told of what they did not ask for. */
static unsigned keep_phones(struct route_result *to)
{
	unsigned n = 0;

	for (unsigned i = 0; i < to->n; i++) {
		if (to->targets[i].phone)
			to->targets[n++] = to->targets[i];
	}
	to->n = n;
	return n;
}

void passes_request(struct passes *p, struct sip_request *req)
{
	const struct sip_view *view = sip_request_view(req);
	struct pass_sender from;
	struct route_result to;
	struct ask *ask;
	int status = check(p, view);

	if (status) {
		pass_refuse(req, status);
		return;
	}
	if (!pass_admit(p, req, route_method(view->method), &from, &to))
		return;
	if (view->method == SIP_NOTIFY && !keep_phones(&to)) {
		pass_refuse(req, 404);
		return;
	}
	ask = calloc(1, sizeof(*ask));
	if (!ask || pass_remember(p, &ask->key, view)) {
		free(ask);
		pass_refuse(req, 503);
		return;
	}
	ask->owner = p;
	ask->config = config_ref(p->config);
	ask->from = from;
	ask->targets = to;
	list_append(&p->asks, &ask->node);
	p->n_asks++;
	if (sip_request_accept(req, &ask->in, NULL, NULL)) {
		ask->in = NULL;
		ask_end(ask);
		return;
	}
	next_target(ask, NULL);
}

bool passes_is_for_user(const struct passes *p, const struct sip_view *view)
{
	const char *user = view->uri.user;
	struct route_result to;

	/* Phones ping with their own name. */
	if (!user || strlen(user) >= LIMIT_USER_BYTES ||
	    (view->from.user && !strcmp(user, view->from.user)))
		return false;
	if (route_find(&to, p->config, view->realm, user, CONF_FOR_OPTIONS) ==
	    ROUTE_LIST)
		return to.route->methods != 0;
	return to.kind == ROUTE_PHONE;
}
