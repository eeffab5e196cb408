/*
 * trunks.c - GET /trunks and /trunks/NAME: providers, whether they work, and
 * our registrations there
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <limits.h>
#include <string.h>

#include "api/render.h"
#include "trunk/trunk.h"

enum { TRUNKS_AT_ONCE = 4 };

struct count {
	const char *trunk;
	unsigned n;
};

static void count_legs(void *arg, const struct call *call)
{
	struct count *count = arg;
	const struct leg *leg;

	for (unsigned i = 0; (leg = call_leg(call, i)); i++)
		count->n += leg_is_trunk(leg) && leg_state(leg) < LEG_DOOMED &&
			    !strcmp(leg_peer(leg), count->trunk);
}

static json_t *milliseconds(int64_t ms)
{
	return ms < 0 ? json_null() : json_integer(ms);
}

static json_t *reason(const char *text)
{
	return text[0] ? render_text(text) : json_null();
}

static json_t *host_json(const struct trunk_host_look *h)
{
	return json_pack("{s:o, s:o, s:s, s:s, s:i, s:i, s:o, s:o}", "name",
			 render_text(h->name), "address",
			 render_addr(&h->remote), "transport",
			 sip_transport_name(h->transport), "state",
			 trunk_grade_name(h->grade), "priority",
			 (int)h->priority, "weight", (int)h->weight, "rtt_ms",
			 milliseconds(h->rtt_ms), "reason", reason(h->reason));
}

static json_t *trunk_json(const struct api_source *s, const char *name)
{
	struct count count = {.trunk = name};
	json_t *hosts = json_array();
	struct trunk_look look;
	uint64_t after = 0;

	if (trunks_look(s->trunks, name, &look)) {
		json_decref(hosts);
		return NULL;
	}
	calls_slice(s->calls, &after, UINT_MAX, count_legs, &count);
	for (unsigned i = 0; i < look.n_hosts; i++)
		json_array_append_new(hosts, host_json(&look.hosts[i]));
	return json_pack("{s:s, s:s, s:s, s:o, s:b, s:o, s:o, s:i, s:o}",
			 "name", look.name, "realm", look.realm, "state",
			 trunk_state_name(look.state), "reason",
			 reason(look.reason), "registers", look.registers,
			 "registered_until", render_time(look.registered_until),
			 "rtt_ms", milliseconds(look.rtt_ms), "calls",
			 (int)count.n, "hosts", hosts);
}

unsigned trunks_some(const struct api_source *s, struct api_list *list,
		     json_t *out)
{
	const struct conf_trunk *trunks;
	size_t n = config_trunks(*s->config, &trunks);
	unsigned given = 0;

	while (list->after < n && given < TRUNKS_AT_ONCE) {
		json_array_append_new(
			out, trunk_json(s, trunks[list->after++].name));
		given++;
	}
	return given;
}

int trunks_get(const struct api_source *s, struct str name, json_t **body)
{
	char text[LIMIT_NAME_BYTES];

	if (!str_copy(text, sizeof(text), name) &&
	    config_trunk(*s->config, text)) {
		*body = trunk_json(s, text);
		return *body ? 200 : 500;
	}
	*body = render_problem("there is no trunk \"" STR_FMT
			       "\" in the configuration",
			       STR_ARG(name));
	return 404;
}
