/*
 * explain.c - a decision with all that its targets get, in words
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "route/route_priv.h"

static const char *const forms[] = {"asis", "e164", "plain", "international",
				    "national"};

static void tell_number(const struct route_trace *trace,
			const struct conf_trunk *t, const char *what,
			const char *number)
{
	char inside[LIMIT_USER_BYTES], sent[LIMIT_USER_BYTES];
	char words[ROUTE_STEP_BYTES];
	enum route_plan plan;

	if (!*number || t->numbers == CONF_NUMBERS_ASIS)
		return;
	plan = route_number_read(t, number, inside);
	route_number_to(t, number, sent);
	if (plan == PLAN_ASIS)
		route_tell(trace,
			   "   The %s number %s stays: it is neither global "
			   "nor explained by the country_code and prefixes of "
			   "trunk '%s'.",
			   what, number, t->name);
	else if (plan == PLAN_GLOBAL)
		route_tell(
			trace,
			"   The %s number %s is sent as %s: numbers of trunk "
			"'%s' are \"%s\".",
			what, number, sent, t->name, forms[t->numbers]);
	else
		route_tell(trace,
			   "   The %s number %s means %s (%s), and is sent as "
			   "%s: numbers of trunk '%s' are \"%s\".",
			   what, number, inside,
			   route_plan_words(t, plan, words), sent, t->name,
			   forms[t->numbers]);
}

static void tell_trunk(const struct route_result *r, unsigned i,
		       const struct route_trace *trace)
{
	const struct conf_trunk *t = r->targets[i].trunk;

	route_tell(trace, "Target %u is trunk '%s' in realm '%s', at %s%s.",
		   i + 1, t->name, t->realm, t->n_hosts ? t->hosts[0].name : "",
		   t->n_hosts > 1 ? " and its other hosts" : "");
	if (r->emergency)
		route_tell(trace,
			   "   The emergency number %s is sent as it is.",
			   r->called);
	else
		tell_number(trace, t, "called", r->called);
	tell_number(trace, t, "calling", r->calling);
}

enum route_kind route_explain(struct route_result *out,
			      const struct config *cfg,
			      const struct route_ask *ask,
			      const struct route_trace *trace)
{
	route_decide(out, cfg, ask, trace);
	for (unsigned i = 0; i < out->n; i++) {
		const struct conf_phone *p = out->targets[i].phone;

		if (p)
			route_tell(trace,
				   "Target %u is phone '%s': all devices that "
				   "are registered as %s ring.",
				   i + 1, p->name, p->user);
		else
			tell_trunk(out, i, trace);
	}
	if (out->n > 1)
		route_tell(trace,
			   "A target that answers 408 or 5xx, or does not "
			   "answer, is followed by the next; any other answer "
			   "is the answer.");
	return out->kind;
}
