/*
 * fuzz_config.c - the config reader on arbitrary text
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Whatever comes in: a snapshot whose look-ups work, or a list of faults,
 * never both and never neither.  The routing decision runs over each snapshot
 * because its patterns come from the same text.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "config/config.h"
#include "route/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at_trunk(const struct config *c, const struct conf_trunk *t)
{
	if (!t->n_hosts || !t->policy.media)
		abort();
	if (t->do_register && (!t->username[0] || !t->password))
		abort();
	for (unsigned i = 0; i < t->n_hosts; i++)
		if (addr_is_set(&t->hosts[i].addr) &&
		    !config_trunk_by_source(c, t->realm, &t->hosts[i].addr,
					    t->transport))
			abort();
}

static void look_around(const struct config *c)
{
	const struct conf_realm *realms;
	const struct conf_trunk *trunks;
	const struct conf_rule *rules;
	struct route_result result;
	size_t n = config_realms(c, &realms);

	for (size_t i = 0; i < n; i++) {
		if (config_realm(c, realms[i].name) != &realms[i])
			abort();
		if (!realms[i].n_listen || realms[i].port_min % 2)
			abort();
		route_find(&result, c, realms[i].name, "0049301234",
			   CONF_FOR_INVITE);
		if ((result.kind == ROUTE_NONE) != (result.n == 0))
			abort();
	}
	n = config_trunks(c, &trunks);
	for (size_t i = 0; i < n; i++)
		look_at_trunk(c, &trunks[i]);
	n = config_rules(c, &rules);
	for (size_t i = 0; i < n; i++)
		if (!rules[i].header[0] ||
		    (rules[i].action == CONF_RULE_ADD ||
		     rules[i].action == CONF_RULE_REPLACE) ==
			    (rules[i].value[0] == '\0'))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_errors errs;
	struct config *c = NULL;
	struct str text = {(const char *)data, size};
	int err = config_parse(&c, "/nonexistent/fuzz.conf", text, &errs);

	if (err ? c != NULL || errs.n == 0 : c == NULL || errs.n != 0)
		abort();
	if (c)
		look_around(c);
	config_unref(c);
	conf_errors_clear(&errs);
	return 0;
}
