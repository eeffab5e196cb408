/*
 * rule.c - the header table, applied from top to bottom
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rule/rule.h"

#include <string.h>
#include <strings.h>

/* Nothing of these names an address or says who somebody is. */
static const char *const crossing[] = {
	"Subject", "Priority", "User-to-User", "Answer-Mode", "Accept-Language",
};

enum { CROSSING = sizeof(crossing) / sizeof(*crossing) };

bool rule_crosses(const char *name)
{
	for (unsigned i = 0; i < CROSSING; i++)
		if (!strcasecmp(crossing[i], name))
			return true;
	return false;
}

static bool is_among(const char *const *names, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcasecmp(names[i], name))
			return true;
	return false;
}

unsigned rule_wanted(const struct config *cfg, const char *names[RULE_LINES])
{
	const struct conf_rule *rules;
	size_t n_rules = config_rules(cfg, &rules);
	unsigned n = CROSSING;

	memcpy(names, crossing, sizeof(crossing));
	for (size_t i = 0; i < n_rules && n < RULE_LINES; i++)
		if (rules[i].action == CONF_RULE_PASS &&
		    !is_among(names, n, rules[i].header))
			names[n++] = rules[i].header;
	return n;
}

/*
 * After a '*' that took too little it alone is tried with one byte more: an
 * earlier one need not be, so the work is bounded by the product of the two
 * lengths.
 */
bool rule_match(const char *pattern, const char *value)
{
	const char *star = NULL, *from = NULL;

	if (!*pattern)
		return true;
	while (*value) {
		if (*pattern == '*') {
			star = ++pattern;
			from = value;
		} else if (*pattern == '?' || *pattern == *value) {
			pattern++;
			value++;
		} else if (star) {
			pattern = star;
			value = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

bool rule_put(struct rule_lines *l, const char *name, const char *value,
	      bool crosses)
{
	if (l->n == RULE_LINES)
		return false;
	l->list[l->n++] = (struct rule_line){
		.name = name,
		.value = value,
		.was = value,
		.crosses = crosses,
	};
	return true;
}

bool rule_goes(const struct rule_lines *l, unsigned i)
{
	return l->list[i].crosses && !l->list[i].removed;
}

static bool is_for(const struct conf_rule *r, const struct rule_scope *scope)
{
	if (r->direction != CONF_DIRECTION_BOTH &&
	    r->direction != scope->direction)
		return false;
	if (r->methods && !(r->methods & 1u << scope->method))
		return false;
	if (r->trunk[0] && strcmp(r->trunk, scope->trunk) != 0)
		return false;
	return !r->realm[0] || !strcmp(r->realm, scope->realm);
}

static void add(struct rule_lines *l, const struct conf_rule *r)
{
	if (!rule_put(l, r->header, r->value, true))
		return;
	l->list[l->n - 1].was = NULL;
	l->list[l->n - 1].by = r;
}

static void touch(struct rule_line *line, const struct conf_rule *r)
{
	if (line->removed || strcasecmp(line->name, r->header) != 0 ||
	    !rule_match(r->match, line->value))
		return;
	line->by = r;
	if (r->action == CONF_RULE_REMOVE)
		line->removed = true;
	else if (r->action == CONF_RULE_REPLACE)
		line->value = r->value;
	else
		line->crosses = true;
}

void rule_apply(struct rule_lines *l, const struct config *cfg,
		const struct rule_scope *scope)
{
	const struct conf_rule *r;
	size_t n = config_rules(cfg, &r);

	for (; n; n--, r++) {
		if (!is_for(r, scope))
			continue;
		if (r->action == CONF_RULE_ADD) {
			add(l, r);
			continue;
		}
		for (unsigned i = 0; i < l->n; i++)
			touch(&l->list[i], r);
	}
}
