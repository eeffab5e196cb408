/*
 * listen.c - which sockets the configuration and the machine's addresses ask
 * for
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One transport per address and protocol, bound exactly: a wildcard would miss
 * addresses that come later and hide which one a packet came to.
 */
#include <errno.h>
#include <string.h>

#include "core/alarm.h"
#include "core/err.h"
#include "core/log.h"
#include "sbc.h"

enum {
	RELISTEN_MS = 500, /* addresses change in bursts */
};

struct pass {
	struct sbc *sbc;
	const struct config *config;
	const struct conf_realm *realm;
	int exit_code;
	bool missing, too_many; /* what alarms are about */
	/* What the present pass does with each wanted socket. */
	void (*want)(struct pass *p, const struct conf_realm *realm,
		     enum sip_transport t, const struct addr *local);
	struct sip_listener *checked; /* listen_prune(): is it still wanted */
	bool found;
};

static enum sip_transport transport_of(const struct conf_listen *l)
{
	return l->transport == CONF_TCP ? SIP_TCP : SIP_UDP;
}

/* Does a realm with explicit addresses claim this socket? */
static bool is_claimed(const struct config *config, enum sip_transport t,
		       const struct addr *local)
{
	const struct conf_realm *realms;
	size_t n = config_realms(config, &realms);

	for (size_t i = 0; i < n; i++) {
		const struct conf_realm *r = &realms[i];

		for (unsigned a = 0; a < r->n_addresses; a++) {
			if (!addr_same_host(&r->addresses[a], local))
				continue;
			for (unsigned k = 0; k < r->n_listen; k++) {
				if (transport_of(&r->listen[k]) == t &&
				    r->listen[k].port == addr_port(local))
					return true;
			}
		}
	}
	return false;
}

static void want_address(struct pass *p, const struct addr *host, bool is_exact)
{
	for (unsigned i = 0; i < p->realm->n_listen; i++) {
		enum sip_transport t = transport_of(&p->realm->listen[i]);
		struct addr local = *host;

		addr_set_port(&local, p->realm->listen[i].port);
		if (is_exact || !is_claimed(p->config, t, &local))
			p->want(p, p->realm, t, &local);
	}
}

static void machine_address(void *arg, const char *interface,
			    const struct addr *a)
{
	struct pass *p = arg;

	if (p->realm->interface[0] && strcmp(p->realm->interface, interface))
		return;
	want_address(p, a, false);
}

static void each_socket(struct pass *p)
{
	const struct conf_realm *realms;
	size_t n = config_realms(p->config, &realms);

	for (size_t i = 0; i < n; i++) {
		p->realm = &realms[i];
		for (unsigned a = 0; a < realms[i].n_addresses; a++)
			want_address(p, &realms[i].addresses[a], true);
		if (!realms[i].n_addresses)
			net_each(p->sbc->net, machine_address, p);
	}
}

static void bind_one(struct pass *p, const struct conf_realm *realm,
		     enum sip_transport t, const struct addr *local)
{
	char text[ADDR_TEXT_MAX];
	int err = sip_listen(p->sbc->sip, realm->name, t, local);

	if (!err)
		return;
	log_error("sip.listen_failed", kv_s("realm", realm->name),
		  kv_s("transport", sip_transport_name(t)),
		  kv_a("address", local), kv_s("err", err_name(err)));
	switch (err) {
	case -EADDRNOTAVAIL:
		/* The address may come later: the others work meanwhile. */
		p->missing = true;
		alarm_raise("address-missing", ALARM_MAJOR,
			    "realm %s: this machine has no address %s",
			    realm->name, addr_fmt_host(local, text));
		break;
	case -ENOSPC:
		p->too_many = true;
		alarm_raise("too-many-sockets", ALARM_MAJOR,
			    "realm %s: no room for a socket at %s; name the "
			    "addresses to listen on",
			    realm->name, addr_fmt(local, text));
		break;
	case -EACCES:
	case -EPERM:
		p->exit_code = EXIT_NO_PERMISSION;
		break;
	default:
		p->exit_code = EXIT_PORT_IN_USE;
	}
}

int listen_all(struct sbc *sbc, const struct config *config)
{
	struct pass p = {.sbc = sbc, .config = config, .want = bind_one};

	each_socket(&p);
	if (!p.missing)
		alarm_clear("address-missing");
	if (!p.too_many)
		alarm_clear("too-many-sockets");
	return p.exit_code;
}

static void compare_one(struct pass *p, const struct conf_realm *realm,
			enum sip_transport t, const struct addr *local)
{
	if (t == p->checked->transport && addr_equal(local, &p->checked->local))
		p->found = true;
}

void listen_prune(struct sbc *sbc, const struct config *config)
{
	struct sip_listener l;

	for (unsigned i = 0; sip_listener_at(sbc->sip, i, &l); i++) {
		struct pass p = {
			.sbc = sbc,
			.config = config,
			.want = compare_one,
			.checked = &l,
		};

		if (!l.up)
			continue;
		each_socket(&p);
		if (p.found)
			continue;
		log_info("sip.listener_down", kv_s("realm", l.realm),
			 kv_a("address", &l.local));
		sip_listener_down(sbc->sip, l.transport, &l.local);
	}
}

static void relisten(void *arg)
{
	struct sbc *sbc = arg;

	listen_prune(sbc, sbc->config);
	if (listen_all(sbc, sbc->config))
		alarm_raise("port-in-use", ALARM_MAJOR,
			    "a SIP port of a new address could not be bound");
	else
		alarm_clear("port-in-use");
	trunks_listeners_changed(sbc->trunks);
}

void listen_changed(void *arg)
{
	struct sbc *sbc = arg;

	if (sbc->ready)
		timer_set(sbc->loop, &sbc->relisten, RELISTEN_MS, relisten,
			  sbc);
}
