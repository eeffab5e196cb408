/*
 * resource.c - path and method -> handler; the JSON of status, phones, calls
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/render.h"
#include "core/alarm.h"
#include "core/limits.h"
#include "version.h"

enum {
	/* What is made in one turn of the loop: well below a millisecond. */
	PHONES_AT_ONCE = 24,
	LOOKED_AT_ONCE = 256, /* in search of one phone's */
	CALLS_AT_ONCE = 16,
};

/* ---- /status ------------------------------------------------------------------- */

static json_t *host_json(const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	return json_string(addr_fmt_host(a, text));
}

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
					"since", render_time(alarms[i].since),
					"text", render_text(alarms[i].text)));
	return list;
}

static json_t *keepalive_json(const struct keepalive *ka)
{
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:I, s:I}", "flows",
			 (int)keepalive_flows(ka), "registered",
			 (int)keepalive_held(ka, KEEP_REG), "subscribed",
			 (int)keepalive_held(ka, KEEP_SUB), "dialog",
			 (int)keepalive_held(ka, KEEP_DLG), "lost",
			 (int)keepalive_lost(ka), "sent_crlf",
			 (json_int_t)keepalive_sent(ka, KEEP_CRLF),
			 "sent_options",
			 (json_int_t)keepalive_sent(ka, KEEP_OPTIONS));
}

static json_t *get_status(const struct api_source *s)
{
	return json_pack(
		"{s:s, s:s, s:i, s:I, s:b, s:i, s:i, s:o, s:{s:s}, s:{s:I}, "
		"s:o, s:o, s:i}",
		"version", SBC_VERSION, "commit", SBC_COMMIT, "pid",
		(int)getpid(), "uptime_s",
		(json_int_t)((clock_mono() - s->started) / 1000), "ready",
		*s->ready, "calls", (int)calls_count(s->calls), "bindings",
		(int)registrar_count(s->registrar), "listeners",
		listeners_json(s->sip), "store", "state",
		store_state_name(store_state(s->store)), "ports",
		"rest_shortened", (json_int_t)media_rest_shortened(s->media),
		"alarms", alarms_json(), "keepalive",
		keepalive_json(s->keepalive), "subscriptions",
		(int)passes_subscriptions(s->passes));
}

/* ---- /phones --------------------------------------------------------------------- */

static void add_phone(void *arg, const struct binding *b)
{
	json_array_append_new(arg, render_binding(b));
}

static unsigned some_phones(const struct api_source *s, struct api_list *list,
			    json_t *out)
{
	return registrar_slice(s->registrar, &list->after, PHONES_AT_ONCE,
			       add_phone, out);
}

struct pick {
	const char *phone;
	json_t *out;
};

static void add_if_of_phone(void *arg, const struct binding *b)
{
	const struct pick *pick = arg;

	if (!strcmp(binding_phone(b), pick->phone))
		json_array_append_new(pick->out, render_binding(b));
}

static unsigned some_of_phone(const struct api_source *s, struct api_list *list,
			      json_t *out)
{
	struct pick pick = {list->phone, out};

	return registrar_slice(s->registrar, &list->after, LOOKED_AT_ONCE,
			       add_if_of_phone, &pick);
}

/* ---- /calls ---------------------------------------------------------------------- */

static json_t *media_json(const struct leg_media_info *m)
{
	const struct media_stats *st = &m->stats;

	return json_pack(
		"{s:o, s:o, s:o, s:o, s:b, s:{s:I, s:I, s:I}, s:{s:I, s:I}, "
		"s:{s:I, s:I}, s:{s:I, s:I, s:I}, s:I, s:I, s:I, s:b, s:b}",
		"type", render_str(m->type), "codec", render_str(m->codec),
		"local", render_addr(m->local), "remote",
		render_addr(&m->remote), "latched", st->latched, "in",
		"packets", (json_int_t)st->in_packets, "bytes",
		(json_int_t)st->in_bytes, "lost", (json_int_t)st->in_lost,
		"out", "packets", (json_int_t)st->out_packets, "bytes",
		(json_int_t)st->out_bytes, "rtcp", "in",
		(json_int_t)st->rtcp_in, "out", (json_int_t)st->rtcp_out,
		"dropped", "stranger", (json_int_t)st->drop_stranger,
		"malformed", (json_int_t)st->drop_malformed, "payload_type",
		(json_int_t)st->drop_payload_type, "moves",
		(json_int_t)st->moves, "pierced", (json_int_t)st->pierced,
		"refused", (json_int_t)st->refused, "other_host",
		st->other_host, "one_way", m->one_way);
}

static json_t *leg_json(const struct leg *leg)
{
	json_t *media = json_array();
	struct leg_media_info info;

	for (unsigned i = 0; leg_media_at(leg, i, &info); i++) {
		if (info.type.p)
			json_array_append_new(media, media_json(&info));
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:o}",
			 "side", leg_is_incoming(leg) ? "a" : "b", "realm",
			 leg_realm(leg), "peer", leg_peer(leg), "transport",
			 sip_transport_name(leg_flow(leg)->transport), "flow",
			 render_addr(&leg_flow(leg)->remote), "call_id",
			 render_text(leg_call_id(leg)), "state",
			 leg_state_name(leg_state(leg)), "media", media, "nat",
			 render_verdict(leg_nat(leg), &leg_flow(leg)->remote));
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
			       render_text(call_from(call)), "to",
			       render_text(call_to(call)), "started_at",
			       render_time(call_started(call)), "answered_at",
			       render_time(call_answered(call)), "legs", legs));
}

static unsigned some_calls(const struct api_source *s, struct api_list *list,
			   json_t *out)
{
	return calls_slice(s->calls, &list->after, CALLS_AT_ONCE, add_call,
			   out);
}

json_t *resource_next(const struct api_source *source, struct api_list *list,
		      bool *is_end)
{
	json_t *items = json_array();

	if (items)
		*is_end = list->slice(source, list, items) == 0;
	return items;
}

/* ---- the table ---------------------------------------------------------------------- */

static const struct {
	const char *path;
	json_t *(*get)(const struct api_source *s);
	struct api_list list; /* when there is no @get */
} resources[] = {
	{"/status", get_status, {0}},
	{"/phones", NULL, {.name = "phones", .slice = some_phones}},
	{"/calls", NULL, {.name = "calls", .slice = some_calls}},
	{"/trunks", NULL, {.name = "trunks", .slice = trunks_some}},
};

json_t *render_problem(const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return json_pack("{s:o}", "title", render_text(text));
}

/* A section of the configuration by its name or by its user, or its AOR. */
static const struct conf_phone *find_phone(const struct config *c,
					   struct str name)
{
	const struct conf_phone *phone;
	char text[LIMIT_NAME_BYTES];

	if (!str_copy(text, sizeof(text), name)) {
		phone = config_phone(c, text);
		if (phone)
			return phone;
	}
	return config_phone_by_user(c, NULL, str_cut(&name, '@'));
}

/* "/phones/NAME" and "/phones/NAME/history?...", of which @rest is left. */
static int handle_phone(const struct api_source *source, struct str rest,
			json_t **body, struct api_list *list,
			struct api_later *later)
{
	struct str query = rest, path = str_cut(&query, '?'), name;
	const struct conf_phone *phone;

	name = str_cut(&path, '/');
	if (path.n && !str_eq_c(path, "history")) {
		*body = render_problem("there is no such resource");
		return 404;
	}
	phone = find_phone(*source->config, name);
	if (!phone) {
		*body = render_problem("there is no phone \"" STR_FMT
				       "\" in the configuration",
				       STR_ARG(name));
		return 404;
	}
	if (path.n)
		return past_ask(source, phone->name, query, body, later);
	*body = json_pack("{s:s}", "phone", phone->name);
	*list = (struct api_list){.name = "bindings", .slice = some_of_phone};
	snprintf(list->phone, sizeof(list->phone), "%s", phone->name);
	return 200;
}

/* The query of "/cdrs?...", or of "/cdrs". */
static bool is_cdrs(struct str path, struct str *query)
{
	*query = path;
	return str_eq_c(str_cut(query, '?'), "/cdrs");
}

struct str query_unescape(struct str s, char *mem, size_t cap)
{
	static const char hex[] = "0123456789abcdef";
	struct str out = {mem, 0};

	for (size_t i = 0; i < s.n && out.n < cap; i++) {
		const char *a = NULL, *b = NULL;
		char c = s.p[i];

		if (c == '%' && i + 2 < s.n) {
			a = strchr(hex, s.p[i + 1] | 0x20);
			b = strchr(hex, s.p[i + 2] | 0x20);
		}
		if (a && b) {
			c = (char)((a - hex) << 4 | (b - hex));
			i += 2;
		}
		mem[out.n++] = c;
	}
	return out;
}

void resource_forget(struct api_wait *wait)
{
	if (!wait)
		return;
	store_forget(wait->store, wait);
	free(wait);
}

static int handle_get(const struct api_source *source, const char *path,
		      json_t **body, struct api_list *list,
		      struct api_later *later)
{
	static const char phones[] = "/phones/", trunks[] = "/trunks/";
	struct str query;

	if (is_cdrs(str_of(path), &query))
		return cdrs_ask(source, query, body, later);
	for (size_t i = 0; i < sizeof(resources) / sizeof(*resources); i++) {
		if (strcmp(path, resources[i].path))
			continue;
		if (!resources[i].get) {
			*list = resources[i].list;
			return 200;
		}
		*body = resources[i].get(source);
		return *body ? 200 : 500;
	}
	if (!strncmp(path, phones, strlen(phones)))
		return handle_phone(source, str_of(path + strlen(phones)), body,
				    list, later);
	if (!strncmp(path, trunks, strlen(trunks)))
		return trunks_get(source, str_of(path + strlen(trunks)), body);
	*body = render_problem("there is no such resource");
	return 404;
}

static bool is_known(const char *path)
{
	struct str query;

	if (is_cdrs(str_of(path), &query))
		return true;
	for (size_t i = 0; i < sizeof(resources) / sizeof(*resources); i++) {
		if (!strcmp(path, resources[i].path))
			return true;
	}
	return false;
}

int resource_handle(const struct api_source *source, const char *method,
		    const char *path, json_t **body, struct api_list *list,
		    struct api_later *later)
{
	*body = NULL;
	if (!strcmp(method, "GET"))
		return handle_get(source, path, body, list, later);
	if (!strcmp(path, "/reload") && !strcmp(method, "POST")) {
		int err = source->reload(source->arg);

		*body = err ? render_problem(
				      "the configuration was refused; see the "
				      "log, or sbc check-config")
			    : json_object();
		return err ? 409 : 200;
	}
	*body = render_problem(is_known(path) ? "only GET is known here"
					      : "there is no such resource");
	return is_known(path) ? 405 : 404;
}
