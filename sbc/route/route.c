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
		       const char *user)
{
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
				const char *from_realm, const char *user)
{
	const struct conf_route *routes;
	size_t n = config_routes(cfg, &routes);

	*out = (struct route_result){.kind = ROUTE_NONE};
	for (size_t i = 0; i < n; i++) {
		if (!route_fits(&routes[i], from_realm, user))
			continue;
		out->kind = ROUTE_LIST;
		out->route = &routes[i];
		add_targets(out, cfg, &routes[i]);
		break;
	}
	return out->kind;
}

enum route_kind route_find(struct route_result *out, const struct config *cfg,
			   const char *from_realm, const char *user)
{
	const struct conf_phone *phone;

	phone = find_phone(cfg, from_realm, str_of(user));
	if (!phone)
		return route_find_list(out, cfg, from_realm, user);
	*out = (struct route_result){.kind = ROUTE_PHONE, .n = 1};
	out->targets[0].phone = phone;
	return out->kind;
}

bool route_next(int status)
{
	return status == 408 || (status >= 500 && status <= 599);
}
