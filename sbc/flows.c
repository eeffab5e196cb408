/*
 * flows.c - between the rooms that know flows: pings go out, what comes back
 * is told to whoever waits for it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   keepalive -> flows_ping -> sip       sip -> flows_heard -> keepalive
 *                                            -> flows_answered -> keepalive,
 *   keepalive -> flows_event -> registrar                         registrar
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "sbc.h"

enum { SPEED_MAX = 100 };

/* The user part of a SIP URI into @out; "" when it has none. */
static void user_of(const char *uri, char *out, size_t cap)
{
	struct str user = str_of(uri), rest;

	str_cut(&user, ':');
	rest = user;
	user = str_cut(&rest, '@');
	if (!rest.p || str_copy(out, cap, user))
		*out = 0;
}

static int ping_options(struct sbc *sbc, const struct sip_flow *flow,
			const char *target, uint64_t token)
{
	const char *name =
		sip_realm_at(sbc->sip, flow->transport, &flow->local);
	const struct conf_realm *realm =
		name ? config_realm(sbc->config, name) : NULL;
	const struct conf_global *global = config_global(sbc->config);
	char user[LIMIT_USER_BYTES] = "";
	struct sip_ping ping = {
		.token = token,
		.target = target,
		.user = user,
		.host = realm ? realm->digest_realm : NULL,
	};

	/* Some phones answer only whom they could know (B-02). */
	if (target)
		user_of(target, user, sizeof(user));
	if (!user[0] && global->hostname[0])
		ping.user = global->hostname;
	return sip_ping_options(sbc->sip, flow, &ping);
}

int flows_ping(void *arg, const struct sip_flow *flow, enum keep_method method,
	       const char *target, uint64_t token)
{
	struct sbc *sbc = arg;

	return method == KEEP_OPTIONS ? ping_options(sbc, flow, target, token)
				      : sip_ping_crlf(sbc->sip, flow);
}

/* The stack lives longer than those who listen. */
void flows_heard(void *arg, const struct sip_flow *flow)
{
	struct sbc *sbc = arg;

	if (sbc->keepalive)
		keepalive_heard(sbc->keepalive, flow);
}

void flows_answered(void *arg, const struct sip_flow *flow, uint64_t token,
		    int status)
{
	struct sbc *sbc = arg;

	if (sbc->keepalive)
		keepalive_answered(sbc->keepalive, flow, token);
	if (sbc->registrar)
		registrar_answered(sbc->registrar, flow, token);
}

/* Those whose way it is are told. */
void flows_event(void *arg, struct keep *k, enum keep_event event)
{
	struct sbc *sbc = arg;

	if (k->reason == KEEP_REG && sbc->registrar)
		registrar_keep_event(sbc->registrar, k, event);
	else if (k->reason == KEEP_DLG)
		leg_keep_event(k, event);
	else if (k->reason == KEEP_SUB)
		passes_keep_event(k, event);
}

void flows_moved(void *arg, const struct binding *b,
		 const struct sip_flow *from)
{
	struct sbc *sbc = arg;

	if (sbc->calls && !from)
		calls_appeared(sbc->calls, b);
	else if (sbc->calls)
		calls_follow(sbc->calls, b, from);
	if (sbc->passes && !from)
		passes_appeared(sbc->passes, b);
	else if (sbc->passes)
		passes_follow(sbc->passes, b, from);
}

void flows_away(void *arg, const struct binding *b, const struct addr *via)
{
	struct sbc *sbc = arg;

	if (sbc->calls)
		calls_away(sbc->calls, b, via);
	if (sbc->passes)
		passes_away(sbc->passes, b);
}

void flows_kind(void *arg, uint64_t id, const struct nat_kind *kind)
{
	struct sbc *sbc = arg;

	if (sbc->registrar)
		registrar_kind(sbc->registrar, id, kind);
}

bool flows_is_on_link(void *arg, const struct addr *a)
{
	struct sbc *sbc = arg;

	return net_is_on_link(sbc->net, a);
}

const struct conf_trunk *flows_trunk_at(void *arg, const char *realm,
					const struct addr *source,
					enum conf_transport transport)
{
	struct sbc *sbc = arg;

	return trunks_by_source(sbc->trunks, realm, source, transport);
}

int flows_trunk_host(void *arg, const char *name, struct addr *out)
{
	struct sbc *sbc = arg;
	struct trunk_way way;

	if (!trunks_ways(sbc->trunks, name, &way, 1))
		return -EHOSTUNREACH;
	*out = way.remote;
	return 0;
}

/* What comes from there is no stranger's. */
void flows_trunk_known(void *arg, const struct addr *a)
{
	struct sbc *sbc = arg;

	screen_promote(sbc->screen, a, SCREEN_TRUNK, INT64_MAX);
}

unsigned flows_speed(void)
{
	uint64_t speed;

	if (str_u64(str_of(getenv("SBC_NAT_SPEED")), SPEED_MAX, &speed))
		return 1;
	return speed ? (unsigned)speed : 1;
}
