/*
 * route.c - the routing decision: a phone, a list of targets, or nobody
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   user ── a phone's, same realm ──▶ ROUTE_PHONE
 *      └─── a phone's, any realm ───▶ ROUTE_PHONE
 *      └─── first route that fits ──▶ ROUTE_LIST
 *      └─── else ───────────────────▶ ROUTE_NONE (404)
 */
#include "route/route.h"

#include <string.h>

static const struct conf_phone *find_phone(const struct config *cfg,
					   const char *realm, struct str user)
{
	const struct conf_phone *p = config_phone_by_user(cfg, realm, user);

	return p ? p : config_phone_by_user(cfg, NULL, user);
}

static bool route_fits(const struct conf_route *r, const char *from_realm,
		       const char *user, enum conf_method method)
{
	if (r->methods && !(r->methods & 1u << method))
		return false;
	if (r->from_realm[0] && strcmp(r->from_realm, from_realm) != 0)
		return false;
	return route_match(r->match, user);
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

enum route_kind route_find_list(struct route_result *out,
				const struct config *cfg,
				const char *from_realm, const char *user,
				enum conf_method method)
{
	const struct conf_route *routes;
	size_t n = config_routes(cfg, &routes);

	*out = (struct route_result){.kind = ROUTE_NONE};
	for (size_t i = 0; i < n; i++) {
		if (!route_fits(&routes[i], from_realm, user, method))
			continue;
		out->kind = ROUTE_LIST;
		out->route = &routes[i];
		add_targets(out, cfg, &routes[i]);
		break;
	}
	return out->kind;
}

enum route_kind route_find(struct route_result *out, const struct config *cfg,
			   const char *from_realm, const char *user,
			   enum conf_method method)
{
	const struct conf_phone *phone;

	phone = find_phone(cfg, from_realm, str_of(user));
	if (!phone)
		return route_find_list(out, cfg, from_realm, user, method);
	*out = (struct route_result){.kind = ROUTE_PHONE, .n = 1};
	out->targets[0].phone = phone;
	return out->kind;
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
