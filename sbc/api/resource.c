/*
 * resource.c - path and method -> handler; the JSON of status, phones, calls
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "core/alarm.h"
#include "version.h"

enum {
	/* What is made in one turn of the loop: well below a millisecond. */
	PHONES_AT_ONCE = 64,
	CALLS_AT_ONCE = 16,
};

static json_t *text_or_null(const char *text)
{
	json_t *s = text ? json_string(text) : NULL;

	/* Not UTF-8 (a peer's User-Agent, say): say so rather than nothing. */
	if (text && !s)
		s = json_string("(not UTF-8)");
	return s ? s : json_null();
}

static json_t *text_of(struct str s)
{
	json_t *j = json_stringn(s.n ? s.p : "", s.n);

	return j ? j : json_string("(not UTF-8)");
}

static json_t *addr_json(const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	return addr_is_set(a) ? json_string(addr_fmt(a, text)) : json_null();
}

static json_t *host_json(const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	return json_string(addr_fmt_host(a, text));
}

static json_t *time_json(wall_ms t)
{
	char text[CLOCK_TEXT_MAX];

	return t ? json_string(clock_fmt(t, text)) : json_null();
}

/* ---- /status ------------------------------------------------------------------- */

static json_t *listeners_json(const struct sip_stack *sip)
{
	json_t *list = json_array();
	struct sip_listener l;

	for (unsigned i = 0; sip_listener_at(sip, i, &l); i++)
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:o, s:i, s:b}", "realm", l.realm,
				  "transport", sip_transport_name(l.transport),
				  "address", host_json(&l.local), "port",
				  addr_port(&l.local), "up", l.up));
	return list;
}

static json_t *alarms_json(void)
{
	struct alarm alarms[32];
	json_t *list = json_array();
	size_t n = alarm_list(alarms, 32);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:o, s:o}", "name",
					alarms[i].name, "severity",
					alarm_severity_name(alarms[i].severity),
					"since", time_json(alarms[i].since),
					"text", text_or_null(alarms[i].text)));
	return list;
}

static json_t *get_status(const struct api_source *s)
{
	return json_pack(
		"{s:s, s:s, s:i, s:I, s:b, s:i, s:i, s:o, s:{s:s}, s:{s:I}, "
		"s:o}",
		"version", SBC_VERSION, "commit", SBC_COMMIT, "pid",
		(int)getpid(), "uptime_s",
		(json_int_t)((clock_mono() - s->started) / 1000), "ready",
		*s->ready, "calls", (int)calls_count(s->calls), "bindings",
		(int)registrar_count(s->registrar), "listeners",
		listeners_json(s->sip), "store", "state",
		store_state_name(store_state(s->store)), "ports",
		"rest_shortened", (json_int_t)media_rest_shortened(s->media),
		"alarms", alarms_json());
}

/* ---- /phones --------------------------------------------------------------------- */

static void add_phone(void *arg, const struct binding *b)
{
	json_array_append_new(
		arg,
		json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:I, "
			  "s:o, s:o, s:o, s:n}",
			  "aor", text_or_null(binding_aor(b)), "phone",
			  binding_phone(b), "realm", b->realm, "contact",
			  text_or_null(b->contact), "source",
			  addr_json(&b->flow.remote), "local",
			  addr_json(&b->flow.local), "transport",
			  sip_transport_name(b->flow.transport), "instance",
			  text_or_null(b->instance), "reg_id",
			  b->reg_id ? json_integer(b->reg_id) : json_null(),
			  "expires_s",
			  (json_int_t)((b->expires - clock_mono()) / 1000),
			  "user_agent", text_or_null(b->user_agent),
			  "registered_at", time_json(b->registered_at),
			  "last_seen", time_json(b->last_seen), "nat"));
}

static unsigned some_phones(const struct api_source *s, uint64_t *after,
			    json_t *out)
{
	return registrar_slice(s->registrar, after, PHONES_AT_ONCE, add_phone,
			       out);
}

/* ---- /calls ---------------------------------------------------------------------- */

static json_t *media_json(const struct leg_media_info *m)
{
	const struct media_stats *st = &m->stats;

	return json_pack(
		"{s:o, s:o, s:o, s:o, s:b, s:{s:I, s:I, s:I}, s:{s:I, s:I}, "
		"s:{s:I, s:I}, s:{s:I, s:I, s:I}}",
		"type", text_of(m->type), "codec", text_of(m->codec), "local",
		addr_json(m->local), "remote", addr_json(&m->remote), "latched",
		st->latched, "in", "packets", (json_int_t)st->in_packets,
		"bytes", (json_int_t)st->in_bytes, "lost",
		(json_int_t)st->in_lost, "out", "packets",
		(json_int_t)st->out_packets, "bytes", (json_int_t)st->out_bytes,
		"rtcp", "in", (json_int_t)st->rtcp_in, "out",
		(json_int_t)st->rtcp_out, "dropped", "stranger",
		(json_int_t)st->drop_stranger, "malformed",
		(json_int_t)st->drop_malformed, "payload_type",
		(json_int_t)st->drop_payload_type);
}

static json_t *leg_json(const struct leg *leg)
{
	json_t *media = json_array();
	struct leg_media_info info;

	for (unsigned i = 0; leg_media_at(leg, i, &info); i++) {
		if (info.type.p)
			json_array_append_new(media, media_json(&info));
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:o}", "side",
			 leg_is_incoming(leg) ? "a" : "b", "realm",
			 leg_realm(leg), "peer", leg_peer(leg), "transport",
			 sip_transport_name(leg_flow(leg)->transport), "flow",
			 addr_json(&leg_flow(leg)->remote), "call_id",
			 text_or_null(leg_call_id(leg)), "state",
			 leg_state_name(leg_state(leg)), "media", media);
}

static void add_call(void *arg, const struct call *call)
{
	json_t *legs = json_array();
	const struct leg *leg;

	for (unsigned i = 0; (leg = call_leg(call, i)); i++)
		json_array_append_new(legs, leg_json(leg));
	json_array_append_new(
		arg, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "id",
			       call_id(call), "state",
			       call_state_name(call_state(call)), "from",
			       text_or_null(call_from(call)), "to",
			       text_or_null(call_to(call)), "started_at",
			       time_json(call_started(call)), "answered_at",
			       time_json(call_answered(call)), "legs", legs));
}

static unsigned some_calls(const struct api_source *s, uint64_t *after,
			   json_t *out)
{
	return calls_slice(s->calls, after, CALLS_AT_ONCE, add_call, out);
}

json_t *resource_next(const struct api_source *source, struct api_list *list)
{
	json_t *items = json_array();

	if (items)
		list->slice(source, &list->after, items);
	return items;
}

/* ---- the table ---------------------------------------------------------------------- */

static const struct {
	const char *path;
	json_t *(*get)(const struct api_source *s);
	struct api_list list; /* when there is no @get */
} resources[] = {
	{"/status", get_status, {0}},
	{"/phones", NULL, {"phones", some_phones, 0}},
	{"/calls", NULL, {"calls", some_calls, 0}},
};

static json_t *problem(const char *title)
{
	return json_pack("{s:s}", "title", title);
}

int resource_handle(const struct api_source *source, const char *method,
		    const char *path, json_t **body, struct api_list *list)
{
	*body = NULL;
	if (!strcmp(path, "/reload") && !strcmp(method, "POST")) {
		int err = source->reload(source->arg);

		*body = err ? problem("the configuration was refused; see the "
				      "log, or sbc check-config")
			    : json_object();
		return err ? 409 : 200;
	}
	for (size_t i = 0; i < sizeof(resources) / sizeof(*resources); i++) {
		if (strcmp(path, resources[i].path))
			continue;
		if (strcmp(method, "GET")) {
			*body = problem("only GET is known here");
			return 405;
		}
		if (!resources[i].get) {
			*list = resources[i].list;
			return 200;
		}
		*body = resources[i].get(source);
		return *body ? 200 : 500;
	}
	*body = problem("there is no such resource");
	return 404;
}
