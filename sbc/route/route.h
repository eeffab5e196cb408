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
	/* The number is on the emergency list: no limit holds the call. */
	bool emergency;
	/* The numbers as they are inside, once the route has rewritten them;
	 * route_number_to() gives them the form that a target wants. */
	char called[LIMIT_USER_BYTES], calling[LIMIT_USER_BYTES];
};

/* What is asked for, and by whom. */
struct route_ask {
	const char *realm; /* section name of where it came from */
	/* Who asks; both NULL = not known.  A trunk's numbers are read by its
	 * plan; routes may be for one of them. */
	const struct conf_phone *phone;
	const struct conf_trunk *trunk;
	const char *called;  /* unescaped user part of the Request-URI */
	const char *calling; /* the caller's, NULL or "" = not known */
	enum conf_method method;
	bool routes_only; /* the host is not ours: no phone is meant */
};

/* Hears each step of a decision as a sentence.  May be NULL everywhere. */
struct route_trace {
	void (*step)(void *arg, const char *sentence);
	void *arg;
};

/*
 * Decide where a request goes: an emergency number to the first route that
 * fits, never to a phone; else to the phone with that user - the one of the
 * same realm before the one of another -; else to the first route from top to
 * bottom that fits.  @out is always written whole; its kind is returned too.
 * A route never offers the same target twice.
 */
enum route_kind route_decide(struct route_result *out, const struct config *cfg,
			     const struct route_ask *ask,
			     const struct route_trace *trace);
/* The decision, and what each target gets, told to @trace. */
enum route_kind route_explain(struct route_result *out,
			      const struct config *cfg,
			      const struct route_ask *ask,
			      const struct route_trace *trace);

/* route_decide() where nobody is known who asks. */
enum route_kind route_find(struct route_result *out, const struct config *cfg,
			   const char *from_realm, const char *user,
			   enum conf_method method);
/* The same without the phones: the request names a host that is not ours. */
enum route_kind route_find_list(struct route_result *out,
				const struct config *cfg,
				const char *from_realm, const char *user,
				enum conf_method method);

/* ---- forms of a number: number.c, sbc.conf(5) "Numbers" ------------------ */

/* What made a number global. */
enum route_plan {
	PLAN_ASIS,          /* no country_code, or not a number of the plan */
	PLAN_GLOBAL,        /* begins with + */
	PLAN_INTERNATIONAL, /* with the international prefix */
	PLAN_NATIONAL,      /* with the national prefix, or there is none */
	PLAN_PLAIN,         /* with a country code */
	PLAN_LOCAL,         /* with nothing: of the trunk's area */
};

/* @number, which trunk @t or somebody behind us wrote, as it is inside: E.164
 * with + where the plan of @t tells, else as it is. */
enum route_plan route_number_read(const struct conf_trunk *t,
				  const char *number,
				  char out[LIMIT_USER_BYTES]);
/* @number in the form that @t wants. */
void route_number_to(const struct conf_trunk *t, const char *number,
		     char out[LIMIT_USER_BYTES]);
/* The numbers that target @i gets: in a trunk's form, but for an emergency
 * number, which is sent as it is. */
void route_numbers_for(const struct route_result *r, unsigned i,
		       char called[LIMIT_USER_BYTES],
		       char calling[LIMIT_USER_BYTES]);
/*
 * The number of a tel URI (RFC 3966) as text: without visual separators, and
 * behind its phone-context where that is a global number's beginning.
 * -EINVAL: no tel URI; -ENOSPC: too long.
 */
int route_number_of_tel(const char *uri, char out[LIMIT_USER_BYTES]);

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
