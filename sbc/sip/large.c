/*
 * large.c - requests that are too large for UDP go over TCP, where the peer
 * takes it (RFC 3261 18.1.1)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Whether it does is found out by trying.  When the connection is refused, or
 * not made within WAIT_MS, the request goes over UDP after all, and the peer is
 * not asked again for REFUSED_MS.
 *
 *   UDP flow -- more than tcp_above bytes --> TCP -- refused, no sign --> UDP
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "sip/stack.h"

enum {
	WAIT_MS = 1500,
	REFUSED_MS = 600000,
	VIA_BYTES = 100, /* the one that is still to be added */
};

struct large {
	struct sip_txn *txn;
	struct sip_flow udp;
	struct timer wait;
};

/* ---- who takes it ----------------------------------------------------------- */

static struct no_tcp *memo_of(struct sip_stack *sip, const struct addr *remote)
{
	return &sip->no_tcp[addr_hash(remote) %
			    (sizeof(sip->no_tcp) / sizeof(*sip->no_tcp))];
}

static bool has_refused(struct sip_stack *sip, const struct addr *remote)
{
	const struct no_tcp *m = memo_of(sip, remote);

	return clock_mono() < m->until && addr_equal(&m->remote, remote);
}

static void note_refused(struct sip_stack *sip, const struct addr *remote)
{
	*memo_of(sip, remote) = (struct no_tcp){
		.remote = *remote,
		.until = clock_mono() + REFUSED_MS,
	};
}

/* ---- sending ----------------------------------------------------------------- */

/* As it will be on the wire; 0 = that cannot be said. */
static size_t size_of(const msg_t *msg)
{
	msg_t *copy = msg_dup(msg);
	int n = -1;

	if (copy && msg_serialize(copy, msg_object(copy)) >= 0)
		n = msg_prepare(copy);
	msg_destroy(copy);
	return n > 0 ? (size_t)n + VIA_BYTES : 0;
}

bool large_flow(struct sip_flow *out, struct sip_stack *sip, const msg_t *msg,
		const struct sip_flow *flow, unsigned above)
{
	const struct listener *l;

	if (!above || flow->transport != SIP_UDP || size_of(msg) <= above ||
	    has_refused(sip, &flow->remote))
		return false;
	l = listener_find(sip, SIP_UDP, &flow->local);
	return l && !sip_flow_to(sip, l->realm, SIP_TCP, &flow->remote, out);
}

static bool is_connected(const struct sip_txn *txn)
{
	const struct conn *c = conn_by_gen(txn->sip, txn->flow.conn);
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);

	return c && c->fd >= 0 && !getpeername(c->fd, (void *)&ss, &n);
}

static msg_t *copy_of(const struct sip_txn *txn)
{
	msg_t *old = nta_outgoing_getrequest(txn->orq);
	msg_t *msg = old ? msg_dup(old) : NULL;
	sip_t *s = sip_object(msg);

	msg_destroy(old);
	while (s && s->sip_via)
		sip_header_remove(msg, s, (sip_header_t *)s->sip_via);
	return msg;
}

/* The same request along the UDP flow.  False: it stays as it is. */
static bool fall_back(struct large *large)
{
	struct sip_txn *txn = large->txn;
	struct sip_flow tcp = txn->flow;
	struct conn *c = conn_by_gen(txn->sip, tcp.conn);
	nta_outgoing_t *orq = NULL;
	struct flow_out to;
	msg_t *msg;

	note_refused(txn->sip, &tcp.remote);
	if (txn->cancel_wanted || txn->cancelled ||
	    flow_out(&to, txn->sip, &large->udp))
		return false;
	msg = copy_of(txn);
	txn->flow = large->udp;
	if (msg)
		orq = txn_start(txn, msg, &to);
	if (!orq) {
		msg_destroy(msg);
		txn->flow = tcp;
		return false;
	}
	nta_outgoing_destroy(txn->orq);
	txn->orq = orq;
	flow_use(txn->sip, &tcp, -1);
	/* What waits there must not arrive as well. */
	if (c && !c->accepted)
		c->doomed = true;
	large_clear(txn);
	return true;
}

static void waited(void *arg)
{
	struct large *large = arg;

	/* Who has taken it, and says nothing, may be at work on it. */
	if (is_connected(large->txn))
		large_clear(large->txn);
	else
		fall_back(large);
}

void large_sent(struct sip_txn *txn, const struct sip_flow *udp)
{
	struct large *large = calloc(1, sizeof(*large));

	if (!large)
		return; /* then TCP has to do */
	large->txn = txn;
	large->udp = *udp;
	txn->large = large;
	timer_set(txn->sip->conf.loop, &large->wait, WAIT_MS, waited, large);
}

bool large_answered(struct sip_txn *txn)
{
	msg_t *msg = nta_outgoing_getresponse(txn->orq);
	bool is_internal = !msg || nta_msg_is_internal(msg);

	msg_destroy(msg);
	if (is_internal && fall_back(txn->large))
		return true;
	large_clear(txn);
	return false;
}

void large_clear(struct sip_txn *txn)
{
	if (!txn->large)
		return;
	timer_cancel(txn->sip->conf.loop, &txn->large->wait);
	free(txn->large);
	txn->large = NULL;
}
