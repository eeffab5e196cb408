/*
 * render.c - values, verdicts and bindings as JSON
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/render.h"

json_t *render_text(const char *text)
{
	json_t *s = text ? json_string(text) : NULL;

	/* Not UTF-8 (a peer's User-Agent, say): say so rather than nothing. */
	if (text && !s)
		s = json_string("(not UTF-8)");
	return s ? s : json_null();
}

json_t *render_str(struct str s)
{
	json_t *j = json_stringn(s.n ? s.p : "", s.n);

	return j ? j : json_string("(not UTF-8)");
}

json_t *render_addr(const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	return addr_is_set(a) ? json_string(addr_fmt(a, text)) : json_null();
}

json_t *render_time(wall_ms t)
{
	char text[CLOCK_TEXT_MAX];

	return t ? json_string(clock_fmt(t, text)) : json_null();
}

json_t *render_ms(uint32_t us)
{
	return json_real((us + 50) / 100 / 10.0);
}

/* ---- verdicts -------------------------------------------------------------- */

static json_t *evidence_json(uint32_t evidence)
{
	json_t *list = json_array();

	for (unsigned e = 0; e < NAT_EVIDENCES; e++) {
		if (evidence >> e & 1)
			json_array_append_new(
				list, json_string(nat_evidence_name(e)));
	}
	return list;
}

json_t *render_verdict(const struct nat_verdict *v, const struct addr *seen)
{
	char reason[NAT_REASON_MAX];
	struct buf b;

	if (!v)
		return json_null();
	buf_init(&b, reason, sizeof(reason));
	nat_reason(&b, v, seen);
	return json_pack("{s:b, s:o, s:s, s:o, s:o}", "behind", v->behind,
			 "evidence", evidence_json(v->evidence), "alg",
			 nat_alg_name(v->alg), "reason", render_text(reason),
			 "announced", render_addr(&v->announced));
}

static const char *mapping_name(enum nat_mapping mapping)
{
	switch (mapping) {
	case NAT_MAPPING_NONE:
		return "none";
	case NAT_MAPPING_INDEPENDENT:
		return "independent";
	case NAT_MAPPING_DEPENDENT:
		return "dependent";
	default:
		return "unknown";
	}
}

static const char *filter_name(enum nat_filter filter)
{
	switch (filter) {
	case NAT_FILTER_ANY:
		return "any";
	case NAT_FILTER_ADDRESS:
		return "address";
	case NAT_FILTER_PORT:
		return "port";
	default:
		return "unknown";
	}
}

/* ---- bindings -------------------------------------------------------------- */

static wall_ms wall_of(mono_ms t)
{
	return t ? clock_wall() - (clock_mono() - t) : 0;
}

wall_ms render_heard(const struct binding *b)
{
	struct keep_info info = {0};
	wall_ms heard = 0;

	if (keepalive_look(&b->keep, &info))
		heard = wall_of(info.heard);
	return heard > b->last_seen ? heard : b->last_seen;
}

static json_t *seconds_or_null(unsigned s)
{
	return s ? json_integer(s) : json_null();
}

/* Somewhere between the longest silence that the NAT survived and the shortest
 * that it did not. */
static void add_learned(json_t *nat, const struct nat_learned *l)
{
	json_object_set_new(
		nat, "lifetime_s",
		l->ceiling_s && l->floor_s
			? json_integer((l->floor_s + l->ceiling_s) / 2)
			: json_null());
	json_object_set_new(nat, "floor_s", seconds_or_null(l->floor_s));
	json_object_set_new(nat, "ceiling_s", seconds_or_null(l->ceiling_s));
	json_object_set_new(nat, "answers", json_boolean(l->answers));
	json_object_set_new(nat, "inbound_holds",
			    json_boolean(l->inbound_holds));
}

static json_t *rtts_json(const struct keep_info *info)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < info->n_rtt; i++)
		json_array_append_new(list, render_ms(info->rtt_us[i]));
	return list;
}

static json_t *rtt_or_null(const struct keep_info *info, uint32_t us)
{
	return info->n_rtt ? render_ms(us) : json_null();
}

/* @info NULL: it is not kept open. */
static void add_keep(json_t *nat, const struct keep_info *info)
{
	static const struct keep_info none;
	bool is_kept = info;
	mono_ms now = clock_mono();

	if (!info)
		info = &none;
	json_object_set_new(nat, "method",
			    !is_kept ? json_null()
				     : json_string(info->method == KEEP_OPTIONS
							   ? "options"
							   : "crlf"));
	json_object_set_new(nat, "interval_s",
			    is_kept ? json_real(info->interval_ms / 1000.0)
				    : json_null());
	json_object_set_new(
		nat, "next_s",
		is_kept ? json_real((info->next > now ? info->next - now : 0) /
				    1000.0)
			: json_null());
	json_object_set_new(nat, "sent", json_integer(info->sent));
	json_object_set_new(nat, "answered", json_integer(info->answered));
	json_object_set_new(nat, "unanswered", json_integer(info->unanswered));
	json_object_set_new(nat, "rtt_ms", rtt_or_null(info, info->rtt_us[0]));
	json_object_set_new(nat, "rtt_min_ms",
			    rtt_or_null(info, info->rtt_min_us));
	json_object_set_new(nat, "rtt_avg_ms",
			    rtt_or_null(info, info->rtt_avg_us));
	json_object_set_new(nat, "rtt_max_ms",
			    rtt_or_null(info, info->rtt_max_us));
	json_object_set_new(nat, "rtts_ms", rtts_json(info));
	json_object_set_new(nat, "lost_since",
			    render_time(wall_of(info->lost_at)));
}

/* Nothing was there to judge by, and nothing is kept open. */
static bool is_unjudged(const struct binding *b)
{
	return !b->nat.behind && !b->nat.evidence &&
	       !addr_is_set(&b->nat.announced);
}

static json_t *nat_json(const struct binding *b)
{
	struct keep_info info = {0};
	bool is_kept = keepalive_look(&b->keep, &info);
	json_t *nat;

	if (!is_kept && is_unjudged(b))
		return json_null();
	nat = render_verdict(&b->nat, &b->flow.remote);
	json_object_set_new(nat, "kind", json_string(nat_kind_name(&b->kind)));
	json_object_set_new(nat, "mapping",
			    json_string(mapping_name(b->kind.mapping)));
	json_object_set_new(nat, "filter",
			    json_string(filter_name(b->kind.filter)));
	add_learned(nat, is_kept ? &info.learned : &b->learned);
	add_keep(nat, is_kept ? &info : NULL);
	json_object_set_new(nat, "lost", json_boolean(b->lost));
	json_object_set_new(nat, "last_heard", render_time(render_heard(b)));
	return nat;
}

/* Of a binding that a trunk owns. */
static json_t *upstream_json(const struct binding *b)
{
	struct registrar_upstream up;

	if (!registrar_upstream(b, &up))
		return json_null();
	return json_pack("{s:s, s:s, s:I}", "trunk", up.trunk, "state",
			 up.state, "expires_s", (json_int_t)up.expires_s);
}

json_t *render_binding(const struct binding *b)
{
	return json_pack(
		"{s:o, s:s, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:I, s:o, s:o, "
		"s:o, s:o, s:I, s:o, s:o}",
		"aor", render_text(binding_aor(b)), "phone", binding_phone(b),
		"realm", b->realm, "contact", render_text(b->contact), "source",
		render_addr(&b->flow.remote), "local",
		render_addr(&b->flow.local), "transport",
		sip_transport_name(b->flow.transport), "instance",
		render_text(b->instance), "reg_id",
		b->reg_id ? json_integer(b->reg_id) : json_null(), "expires_s",
		(json_int_t)((b->expires - clock_mono()) / 1000), "user_agent",
		render_text(b->user_agent), "registered_at",
		render_time(b->registered_at), "last_seen",
		render_time(b->last_seen), "nat", nat_json(b), "id",
		(json_int_t)b->id, "reached_at", render_addr(&b->to.remote),
		"upstream", upstream_json(b));
}
