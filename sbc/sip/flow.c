/*
 * flow.c - flows: the way to a peer, and the TCP connections under them
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A connection is known outside by a number that is never used again, so a
 * stored flow cannot mean a later connection by accident.  Connections that
 * nobody needs are closed after a while: at once when their bytes were bad,
 * after IDLE_STRANGER_MS when nobody registered over them and no dialog uses
 * them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/net.h"
#include "sip/stack.h"
#include "sip/streams.h"

enum {
	IDLE_STRANGER_MS = 120000,
	IDLE_OUTGOING_MS = 1800000,
	ROUTE_MEMO_MS = 1000,
};

bool sip_flow_equal(const struct sip_flow *a, const struct sip_flow *b)
{
	return a->transport == b->transport && a->conn == b->conn &&
	       addr_equal(&a->local, &b->local) &&
	       addr_equal(&a->remote, &b->remote);
}

/* ---- connections ---------------------------------------------------------------- */

static bool same_gen(const struct hash_node *node, const void *key)
{
	return container_of(node, struct conn, by_gen)->gen ==
	       *(const uint32_t *)key;
}

static bool same_tport(const struct hash_node *node, const void *key)
{
	return container_of(node, struct conn, by_tport)->tport == key;
}

struct conn *conn_by_gen(const struct sip_stack *sip, uint32_t gen)
{
	struct hash_node *node =
		hash_find(&sip->conns_by_gen, gen, same_gen, &gen);

	return node ? container_of(node, struct conn, by_gen) : NULL;
}

static struct conn *conn_by_tport(const struct sip_stack *sip, tport_t *tport)
{
	struct hash_node *node =
		hash_find(&sip->conns_by_tport,
			  hash_bytes(&tport, sizeof(tport)), same_tport, tport);

	return node ? container_of(node, struct conn, by_tport) : NULL;
}

static const struct listener *listener_of(const struct sip_stack *sip,
					  tport_t *tport)
{
	tport_t *primary = tport_parent(tport);

	for (unsigned i = 0; i < sip->n_listeners; i++)
		if (sip->listeners[i].tport == primary)
			return &sip->listeners[i];
	return NULL;
}

static int conn_create(struct conn **out, struct sip_stack *sip, tport_t *tport,
		       const struct listener *on)
{
	const su_addrinfo_t *ai = tport_get_address(tport);
	struct conn *c = calloc(1, sizeof(*c));
	int err = -ENOMEM;

	if (!c)
		return -ENOMEM;
	c->fd = -1;
	c->on = on;
	c->tport = tport;
	c->heard = clock_mono();
	if (++sip->last_gen == 0)
		sip->last_gen = 1; /* 0 means UDP */
	c->gen = sip->last_gen;
	if (addr_from_sa(&c->remote, ai->ai_addr, (socklen_t)ai->ai_addrlen))
		goto fail;
	err = hash_insert(&sip->conns_by_gen, &c->by_gen, c->gen);
	if (err)
		goto fail;
	err = hash_insert(&sip->conns_by_tport, &c->by_tport,
			  hash_bytes(&tport, sizeof(tport)));
	if (err) {
		hash_remove(&sip->conns_by_gen, &c->by_gen);
		goto fail;
	}
	tport_ref(tport);
	*out = c;
	return 0;
fail:
	free(c);
	return err;
}

int conn_get(struct conn **out, struct sip_stack *sip, tport_t *tport)
{
	const struct listener *on;

	*out = conn_by_tport(sip, tport);
	if (*out)
		return 0;
	on = listener_of(sip, tport);
	return on ? conn_create(out, sip, tport, on) : -ENOENT;
}

static void conn_release(struct sip_stack *sip, struct conn *c)
{
	hash_remove(&sip->conns_by_gen, &c->by_gen);
	hash_remove(&sip->conns_by_tport, &c->by_tport);
	tport_unref(c->tport);
	free(c);
}

void conn_set_fd(struct conn *c, int fd)
{
	if (c->fd >= 0 || stream_claim(fd, c->gen, &c->remote))
		return;
	c->fd = fd;
	c->accepted = stream_is_accepted(fd);
}

void conn_bytes(void *arg, uint32_t gen)
{
	struct sip_stack *sip = arg;
	const struct conn *c = conn_by_gen(sip, gen);
	struct sip_flow flow = {.transport = SIP_TCP, .conn = gen};

	if (!c || !sip->conf.heard || sip->dying)
		return;
	flow.local = c->on->local;
	flow.remote = c->remote;
	sip->conf.heard(sip->conf.arg, &flow);
}

static bool is_idle(const struct conn *c, mono_ms now)
{
	mono_ms heard = c->heard;

	if (c->fd >= 0 && stream_heard(c->fd) > heard)
		heard = stream_heard(c->fd);
	if (c->users || now < c->keep_until)
		return false;
	return now - heard >=
	       (c->accepted ? IDLE_STRANGER_MS : IDLE_OUTGOING_MS);
}

struct sweep {
	struct sip_stack *sip;
	mono_ms now;
};

static void sweep_one(struct hash_node *node, void *arg)
{
	struct conn *c = container_of(node, struct conn, by_gen);
	const struct sweep *w = arg;

	if (!tport_is_closed(c->tport) && (c->doomed || is_idle(c, w->now)))
		tport_shutdown(c->tport, 2);
	if (tport_is_closed(c->tport))
		conn_release(w->sip, c);
}

void conn_sweep(struct sip_stack *sip, mono_ms now)
{
	struct sweep w = {sip, now};

	hash_each(&sip->conns_by_gen, sweep_one, &w);
}

static void clear_one(struct hash_node *node, void *arg)
{
	conn_release(arg, container_of(node, struct conn, by_gen));
}

void conn_clear(struct sip_stack *sip)
{
	hash_each(&sip->conns_by_gen, clear_one, sip);
	hash_clear(&sip->conns_by_gen);
	hash_clear(&sip->conns_by_tport);
}

void flow_use(struct sip_stack *sip, const struct sip_flow *flow, int by)
{
	struct conn *c = flow->conn ? conn_by_gen(sip, flow->conn) : NULL;

	if (c)
		c->users += (unsigned)by;
}

/* ---- flows ------------------------------------------------------------------------ */

struct conn *conn_alive(const struct sip_stack *sip, uint32_t gen)
{
	struct conn *c = conn_by_gen(sip, gen);

	return c && !c->doomed && tport_is_clear_to_send(c->tport) ? c : NULL;
}

bool sip_flow_alive(const struct sip_stack *sip, const struct sip_flow *flow)
{
	const struct listener *l;

	if (flow->conn)
		return conn_alive(sip, flow->conn) != NULL;
	l = listener_find(sip, flow->transport, &flow->local);
	return l && l->up;
}

/* The open connection that the library would take to @remote, or NULL. */
static tport_t *open_connection(const struct listener *on, const tp_name_t *to)
{
	tport_t *tp = tport_by_name(on->tport, to);

	return tp && tport_is_secondary(tp) && tport_is_clear_to_send(tp)
		       ? tp
		       : NULL;
}

static void name_fill(struct flow_out *out, const struct sip_flow *flow)
{
	const char *proto = sip_transport_name(flow->transport);
	char host[ADDR_TEXT_MAX];

	addr_fmt_host(&flow->remote, out->host);
	snprintf(out->port, sizeof(out->port), "%u", addr_port(&flow->remote));
	snprintf(out->route, sizeof(out->route), "sip:%s:%s;transport=%s",
		 addr_fmt_uri(&flow->remote, host), out->port, proto);
	out->name = (tp_name_t){.tpn_proto = proto,
				.tpn_canon = out->host,
				.tpn_host = out->host,
				.tpn_port = out->port};
}

int flow_out(struct flow_out *out, const struct sip_stack *sip,
	     const struct sip_flow *flow)
{
	const struct conn *c;
	tport_t *tp;

	memset(out, 0, sizeof(*out));
	name_fill(out, flow);
	out->on = listener_find(sip, flow->transport, &flow->local);
	if (flow->conn) {
		c = conn_alive(sip, flow->conn);
		if (!c)
			return -ENOTCONN;
		out->on = c->on;
		out->tport = c->tport;
	} else {
		/* A listener marked down is not chosen for anything new; what
		 * runs along it already may still come to its end. */
		if (!out->on)
			return -ENETDOWN;
		out->tport = out->on->tport;
		if (flow->transport == SIP_TCP) {
			tp = open_connection(out->on, &out->name);
			if (tp)
				out->tport = tp;
		}
	}
	out->name.tpn_ident = out->on->ident;
	return 0;
}

/* The kernel's choice towards @to, asked once in a while; unset = none. */
static const struct addr *source_for(struct sip_stack *sip,
				     const struct addr *to)
{
	struct route_memo *m =
		&sip->routes[addr_hash_host(to) %
			     (sizeof(sip->routes) / sizeof(*sip->routes))];
	mono_ms now = clock_mono();

	if (m->until > now && addr_same_host(&m->to, to))
		return &m->from;
	m->to = *to;
	m->until = now + ROUTE_MEMO_MS;
	if (net_source_for(&m->from, to))
		memset(&m->from, 0, sizeof(m->from));
	return &m->from;
}

int sip_flow_to(struct sip_stack *sip, const char *realm,
		enum sip_transport transport, const struct addr *remote,
		struct sip_flow *out)
{
	const struct listener *best = NULL;
	const struct addr *source = source_for(sip, remote);

	for (unsigned i = 0; i < sip->n_listeners; i++) {
		const struct listener *l = &sip->listeners[i];

		if (!l->up || l->transport != transport ||
		    strcmp(l->realm, realm) ||
		    addr_family(&l->local) != addr_family(remote))
			continue;
		if (addr_same_host(&l->local, source)) {
			best = l;
			break;
		}
		if (!best)
			best = l;
	}
	if (!best)
		return -ENETUNREACH;
	memset(out, 0, sizeof(*out));
	out->transport = transport;
	out->local = best->local;
	out->remote = *remote;
	return 0;
}
