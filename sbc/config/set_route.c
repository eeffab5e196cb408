/*
 * set_route.c - values of routes and header rules
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/set.h"
#include "config/uci.h"

/* In the order of enum conf_method. */
static const char *const route_methods[] = {"INVITE",  "SUBSCRIBE", "MESSAGE",
					    "PUBLISH", "OPTIONS",   NULL};

void add_method(const struct setting *s)
{
	uint32_t *methods = set_member(s);
	int i = set_which(s, route_methods);

	if (i < 0)
		return;
	if (*methods & 1u << i)
		set_fault(s, "'%.40s' stands twice", s->value);
	*methods |= 1u << i;
}

void add_target(const struct setting *s)
{
	struct conf_route *r = s->at;

	if (!set_is_name(s))
		return;
	for (unsigned i = 0; i < r->n_to; i++)
		if (!strcmp(r->to[i], s->value)) {
			set_fault(s, "'%.60s' stands twice", s->value);
			return;
		}
	if (r->n_to == LIMIT_TARGETS) {
		set_fault(s, "stands more than %d times", LIMIT_TARGETS);
		return;
	}
	if (!array_room(&r->to, r->n_to, sizeof(*r->to))) {
		load_oom(s->l);
		return;
	}
	str_copy(r->to[r->n_to++], sizeof(*r->to), str_of(s->value));
	set_refer(s, REF_TARGET);
}

/* ---- header rules ------------------------------------------------------- */

void set_rule_header(const struct setting *s)
{
	struct conf_rule *r = s->at;
	const char *name = conf_header_long(s->value);

	if (!conf_header_is_name(name))
		set_fault(s, "is to be the name of a header, not '%.40s'",
			  s->value);
	else if (conf_header_kind(name) == CONF_HEADER_OWNED)
		set_fault(s,
			  "'%.60s' belongs to the dialog, which the box writes "
			  "itself on each side: no rule can touch it",
			  name);
	else if (str_copy(r->header, sizeof(r->header), str_of(name)))
		set_fault(s, "is longer than %zu bytes", sizeof(r->header) - 1);
}

/* A value, or a pattern of one: what may stand in a header's line. */
void set_rule_text(const struct setting *s)
{
	if (!s->value[0])
		set_fault(s, "is empty");
	else
		set_text(s);
}
