/*
 * route.c - the routing decision: a phone, a list of targets, or nobody
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   number ── emergency ───────────────────────┐
 *      └───── a phone's, same realm ─▶ ROUTE_PHONE
 *      └───── a phone's, any realm ──▶ ROUTE_PHONE
 *      └───── first route that fits ◀──────────┘
 *             └─▶ numbers rewritten ─▶ ROUTE_LIST
 *      └───── else ──────────────────▶ ROUTE_NONE (404)
 *
 * Each step is told to a trace, if there is one: sbc route test shows what the
 * box does, because it is what the box does.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "route/route_priv.h"

void route_tell(const struct route_trace *trace, const char *fmt, ...)
{
	char sentence[ROUTE_STEP_BYTES];
	va_list ap;

	if (!trace)
		return;
	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	trace->step(trace->arg, sentence);
}

/* One decision while it is being made. */
struct decision {
	const struct config *cfg;
	const struct route_ask *ask;
	const struct route_trace *trace;
	struct route_result *out;
};

/* ---- the numbers as they are inside ------------------------------------- */

const char *route_plan_words(const struct conf_trunk *t, enum route_plan plan,
			     char mem[ROUTE_STEP_BYTES])
{
	switch (plan) {
	case PLAN_INTERNATIONAL:
		snprintf(mem, ROUTE_STEP_BYTES,
			 "it begins with the international_prefix %s",
			 t->international_prefix);
		break;
	case PLAN_NATIONAL:
		snprintf(mem, ROUTE_STEP_BYTES,
			 "it begins with the national_prefix \"%s\", and "
			 "country_code is %s",
			 t->national_prefix, t->country_code);
		break;
	case PLAN_PLAIN:
		snprintf(
			mem, ROUTE_STEP_BYTES,
			"numbers are \"plain\": it begins with a country code");
		break;
	case PLAN_LOCAL:
		snprintf(mem, ROUTE_STEP_BYTES,
			 "country_code is %s and area_code %s", t->country_code,
			 t->area_code);
		break;
	default:
		mem[0] = '\0';
		break;
	}
	return mem;
}

static void read_number(struct decision *d, const char *what,
			const char *number, char out[LIMIT_USER_BYTES])
{
	const struct conf_trunk *t = d->ask->trunk;
	char words[ROUTE_STEP_BYTES];
	enum route_plan plan;

	if (str_copy(out, LIMIT_USER_BYTES, str_of(number)) || !t)
		return;
	plan = route_number_read(t, number, out);
	if (plan > PLAN_GLOBAL)
		route_tell(
			d->trace,
			"Trunk '%s' sends the %s number %s; inside it is %s: "
			"%s.",
			t->name, what, number, out,
			route_plan_words(t, plan, words));
}

/* ---- emergency numbers -------------------------------------------------- */

static bool is_listed(const struct conf_global *g, const char *number)
{
	for (unsigned i = 0; i < g->n_emergency; i++)
		if (!strcmp(g->emergency[i], number))
			return true;
	return false;
}

/* As it was sent, or as it is inside. */
static void check_emergency(struct decision *d)
{
	const struct conf_global *g = config_global(d->cfg);

	if (d->ask->method != CONF_FOR_INVITE || !g->n_emergency)
		return;
	d->out->emergency =
		is_listed(g, d->ask->called) || is_listed(g, d->out->called);
	if (d->out->emergency)
		route_tell(
			d->trace,
			"%s is an emergency number: the first route that "
			"fits takes it, never a phone, and no limit on calls "
			"holds it back.",
			d->ask->called);
	else
		route_tell(d->trace,
			   "%s is not on the list of emergency numbers.",
			   d->out->called);
}

/* ---- phones ------------------------------------------------------------- */

static const struct conf_phone *phone_of(const struct config *cfg,
					 const char *realm, const char *user)
{
	const struct conf_phone *p =
		config_phone_by_user(cfg, realm, str_of(user));

	return p ? p : config_phone_by_user(cfg, NULL, str_of(user));
}

/* A phone's user may be the number as it is inside, or as it was sent. */
static bool find_phone(struct decision *d)
{
	const struct conf_phone *p =
		phone_of(d->cfg, d->ask->realm, d->out->called);

	if (!p)
		p = phone_of(d->cfg, d->ask->realm, d->ask->called);
	if (!p) {
		route_tell(d->trace, "No phone has the user %s.",
			   d->out->called);
		return false;
	}
	route_tell(d->trace,
		   "Phone '%s' has the user %s: it is called, and no route is "
		   "looked at.",
		   p->name, p->user);
	d->out->kind = ROUTE_PHONE;
	d->out->targets[0].phone = p;
	d->out->n = 1;
	str_copy(d->out->called, sizeof(d->out->called), str_of(p->user));
	return true;
}

/* ---- routes ------------------------------------------------------------- */

static bool is_from(const struct route_ask *ask, const char *name)
{
	return (ask->phone && !strcmp(ask->phone->name, name)) ||
	       (ask->trunk && !strcmp(ask->trunk->name, name));
}

/* Tells why not. */
static bool route_fits(const struct decision *d, const struct conf_route *r)
{
	static const char *const methods[] = {"INVITE", "SUBSCRIBE", "MESSAGE",
					      "PUBLISH", "OPTIONS"};
	const struct route_ask *ask = d->ask;
	const char *called = d->out->called, *calling = d->out->calling;

	if (r->methods && !(r->methods & 1u << ask->method))
		route_tell(d->trace,
			   "Route '%s' does not fit: it is not for %s.",
			   r->name, methods[ask->method]);
	else if (r->from_realm[0] && strcmp(r->from_realm, ask->realm) != 0)
		route_tell(d->trace,
			   "Route '%s' does not fit: it is for what comes from "
			   "realm '%s', and this comes from '%s'.",
			   r->name, r->from_realm, ask->realm);
	else if (r->from[0] && !is_from(ask, r->from))
		route_tell(d->trace,
			   "Route '%s' does not fit: it is for what comes from "
			   "'%s' only.",
			   r->name, r->from);
	else if (!route_match(r->match, called))
		route_tell(
			d->trace,
			"Route '%s' does not fit: its match '%s' does not fit "
			"the called number %s.",
			r->name, r->match, called);
	else if (!route_match(r->calling, calling))
		route_tell(d->trace,
			   "Route '%s' does not fit: its calling '%s' does not "
			   "fit the calling number %s.",
			   r->name, r->calling,
			   *calling ? calling : "(unknown)");
	else
		return true;
	return false;
}

static void tell_fit(const struct decision *d, const struct conf_route *r)
{
	char mem[ROUTE_STEP_BYTES];
	struct buf b;

	if (!d->trace)
		return;
	buf_init(&b, mem, sizeof(mem));
	if (r->from_realm[0])
		buf_printf(&b, ", from_realm is '%s'", r->from_realm);
	if (r->from[0])
		buf_printf(&b, ", from is '%s'", r->from);
	if (r->match[0])
		buf_printf(&b, ", match '%s' fits %s", r->match,
			   d->out->called);
	if (r->calling[0])
		buf_printf(&b, ", calling '%s' fits %s", r->calling,
			   d->out->calling);
	route_tell(d->trace, "Route '%s' fits: %s.  It decides.", r->name,
		   b.n ? mem + 2 : "it is for everything");
}

/* The config has checked that each name is that of one phone or trunk. */
static void add_targets(struct route_result *out, const struct config *cfg,
			const struct conf_route *r)
{
	for (unsigned i = 0; i < r->n_to && out->n < LIMIT_TARGETS; i++) {
		struct route_target t = {.trunk = config_trunk(cfg, r->to[i])};

		if (!t.trunk)
			t.phone = config_phone(cfg, r->to[i]);
		if (t.trunk || t.phone)
			out->targets[out->n++] = t;
	}
}

/* @strip characters off the front of @number, @prefix before the rest.  What
 * would be nothing, or too long, stays. */
static void rewrite(const struct decision *d, const char *what,
		    char number[LIMIT_USER_BYTES], unsigned strip,
		    const char *prefix)
{
	char mem[LIMIT_USER_BYTES], old[LIMIT_USER_BYTES];
	struct buf b;

	if (!*number || (!strip && !*prefix))
		return;
	buf_init(&b, mem, sizeof(mem));
	buf_puts(&b, prefix);
	if (strlen(number) > strip)
		buf_puts(&b, number + strip);
	if (strlen(number) <= strip || b.overflow) {
		route_tell(d->trace,
			   "The %s number %s is too %s to be rewritten (strip "
			   "%u, prefix \"%s\") and stays.",
			   what, number, b.overflow ? "long" : "short", strip,
			   prefix);
		return;
	}
	str_copy(old, sizeof(old), str_of(number));
	str_copy(number, LIMIT_USER_BYTES, buf_str(&b));
	route_tell(d->trace,
		   "The %s number %s becomes %s: strip %u, prefix \"%s\".",
		   what, old, number, strip, prefix);
}

static bool find_route(struct decision *d)
{
	const struct conf_route *r;
	size_t n = config_routes(d->cfg, &r);

	for (; n; n--, r++) {
		if (!route_fits(d, r))
			continue;
		tell_fit(d, r);
		d->out->kind = ROUTE_LIST;
		d->out->route = r;
		rewrite(d, "called", d->out->called, r->strip, r->prefix);
		rewrite(d, "calling", d->out->calling, r->calling_strip,
			r->calling_prefix);
		add_targets(d->out, d->cfg, r);
		return true;
	}
	route_tell(d->trace, "No route fits: the answer is 404.");
	return false;
}

enum route_kind route_decide(struct route_result *out, const struct config *cfg,
			     const struct route_ask *ask,
			     const struct route_trace *trace)
{
	struct decision d = {cfg, ask, trace, out};

	*out = (struct route_result){.kind = ROUTE_NONE};
	read_number(&d, "called", ask->called, out->called);
	read_number(&d, "calling", ask->calling ? ask->calling : "",
		    out->calling);
	check_emergency(&d);
	if (out->emergency || ask->routes_only || !find_phone(&d))
		find_route(&d);
	return out->kind;
}

enum route_kind route_find_list(struct route_result *out,
				const struct config *cfg,
				const char *from_realm, const char *user,
				enum conf_method method)
{
	const struct route_ask ask = {
		.realm = from_realm,
		.called = user,
		.method = method,
		.routes_only = true,
	};

	return route_decide(out, cfg, &ask, NULL);
}

enum route_kind route_find(struct route_result *out, const struct config *cfg,
			   const char *from_realm, const char *user,
			   enum conf_method method)
{
	const struct route_ask ask = {
		.realm = from_realm, .called = user, .method = method};

	return route_decide(out, cfg, &ask, NULL);
}

bool route_next(int status)
{
	return status == 408 || (status >= 500 && status <= 599);
}

/* Lower is better: RFC 3261 16.7 step 6. */
static int rank(int status)
{
	if (status >= 600)
		return 0;
	switch (status) {
	case 401:
	case 407:
	case 415:
	case 420:
	case 484: /* these tell the caller how to do better */
		return 400;
	case 408:
	case 480: /* the least telling of their class */
		return 499;
	default:
		return status / 100 * 100 + 1;
	}
}

bool route_is_better(int a, int b)
{
	return !b || rank(a) < rank(b);
}

int route_map_status(int status)
{
	switch (status) {
	case 401:
	case 407: /* the callee's challenge is not the caller's business */
		return 403;
	case 482:
	case 483:
	case 481:
	case 430: /* RFC 5626 11.5: between edge and registrar only */
		return 480;
	default:
		/* A redirection is not followed: that target cannot be had. */
		return status >= 300 && status < 400 ? 480 : status;
	}
}
