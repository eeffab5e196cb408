/*
 * route.h - where a request goes: dial patterns and the routing decision
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure functions of the config snapshot: no state, no socket, no allocation.
 * The results point into the snapshot; hold a reference to it while you use
 * them.  SIP thread.
 */
#ifndef SBC_ROUTE_ROUTE_H
#define SBC_ROUTE_ROUTE_H

#include <stdbool.h>

#include "config/config.h"
#include "core/limits.h"

enum route_kind {
	ROUTE_NONE,  /* nobody has this user: 404 */
	ROUTE_PHONE, /* the user is a phone's: one target, a phone */
	ROUTE_LIST,  /* a route's `to`: phones and trunks, tried in order */
};

/* Exactly one of the two is set. */
struct route_target {
	const struct conf_phone *phone;
	const struct conf_trunk *trunk;
};

struct route_result {
	enum route_kind kind;
	const struct conf_route *route; /* of ROUTE_LIST, else NULL */
	struct route_target targets[LIMIT_TARGETS];
	unsigned n;
};

/*
 * Decide where a request from realm @from_realm (section name) to user @user
 * (the unescaped user part of the Request-URI) goes: the phone with that user
 * - the one of the same realm before the one of another -, else the first
 * route from top to bottom whose from_realm, match and method fit.  @out is
 * always written whole; its kind is returned too.  A route never offers the
 * same target twice.
 */
enum route_kind route_find(struct route_result *out, const struct config *cfg,
			   const char *from_realm, const char *user,
			   enum conf_method method);
/* The same without the phones: the request names a host that is not ours. */
enum route_kind route_find_list(struct route_result *out,
				const struct config *cfg,
				const char *from_realm, const char *user,
				enum conf_method method);

/*
 * Go on to the next target of a list after this final answer of the present
 * one?  408 (a time-out is counted as one) and 5xx yes; everything else no:
 * it is the answer.
 */
bool route_next(int status);

/* RFC 3261 16.7 step 6: is final status @a a better thing to tell the sender
 * than @b (0 = none yet)? */
bool route_is_better(int a, int b);
/* The final status that the sender may see for one of a target; not for 2xx. */
int route_map_status(int status);

/*
 * Does @user as a whole fit the dial pattern @pattern (sbc.conf(5), "match")?
 * Linear in both lengths.  "" fits everything.
 */
bool route_match(const char *pattern, const char *user);

#endif
