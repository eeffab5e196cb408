/*
 * stack.c - the agent and its listeners
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One transport per listener, each with a name of its own: the library picks
 * the socket of a request by that name, and we find the realm of a message by
 * it.  A list of transports in one call crashes the library, and a wildcard
 * would miss addresses that come later.
 */
#include "sip/stack.h"

#include <sofia-sip/sofia_features.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sofia-sip/su_log.h>

#include "core/err.h"
#include "core/log.h"
#include "net/net.h"
#include "sip/guard.h"
#include "sip/streams.h"

enum {
	SWEEP_MS = 1000,
	IDLE_MS = 1800000, /* the library's own; ours is in flow.c */
	SOCKET_BUFFER_BYTES = 4 << 20,
	TOS_CS3 = 0x60,
	QUEUE_MESSAGES = 64, /* per connection; also the listen backlog */
	T1_MS = 500,
};

extern su_log_t nta_log[], tport_log[], sresolv_log[], stun_log[];

static void library_log(void *arg, const char *fmt, va_list ap)
{
	char text[256];

	if (!log_enabled(LOG_DEBUG) || !log_admit("sip.library"))
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	log_event(LOG_DEBUG, "sip.library",
		  (const struct log_kv[]){
			  kv_str("text", str_trim(str_of(text))), {0}});
}

/* By default it writes to standard error, for much that a stranger sends. */
static void quieten_library(void)
{
	su_log_t *const logs[] = {nta_log, tport_log, sresolv_log, stun_log};

	su_log_redirect(NULL, library_log, NULL);
	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		su_log_redirect(logs[i], library_log, NULL);
		su_log_set_level(logs[i], 0);
	}
}

/* P-Asserted-Identity and the like become typed headers.  For the process, not
 * for one stack: the library keeps no count of who uses the extended class. */
static void extend_parser(void)
{
	static bool done;

	if (!done)
		sip_update_default_mclass(sip_extend_mclass(NULL));
	done = true;
}

static void sweep(void *arg)
{
	struct sip_stack *sip = arg;
	mono_ms now = clock_mono();

	streams_sweep(now);
	conn_sweep(sip, now);
	timer_set(sip->conf.loop, &sip->sweep, SWEEP_MS, sweep, sip);
}

static bool may_answer_raw(void *arg, const struct addr *local,
			   const struct addr *remote)
{
	struct sip_stack *sip = arg;
	const struct listener *l = listener_find(sip, SIP_UDP, local);
	struct sip_flow flow = {.transport = SIP_UDP, .remote = *remote};

	flow.local = *local;
	return l && may_answer(sip, &flow, l->realm);
}

/*
 * UA(1): the stack matches requests to dialogs, keeps a 2xx going until its
 * ACK and repeats our ACK.  PASS_100: we hold CANCEL back ourselves until
 * anything provisional came.  UDP_MTU: a large request to a phone behind NAT
 * must not move to TCP.  MERGE_482: an upstream may fork one request to two
 * phones behind us.
 */
static nta_agent_t *agent_create(struct sip_stack *sip)
{
	unsigned t1 = sip->conf.t1_ms ? sip->conf.t1_ms : T1_MS;

	return nta_agent_create(
		loop_root(sip->conf.loop), (url_string_t *)-1, receive_request,
		sip, NTATAG_UA(1), NTATAG_STATELESS(1),
		NTATAG_MAXSIZE(LIMIT_MESSAGE_BYTES), NTATAG_UDP_MTU(65535),
		NTATAG_SERVER_RPORT(2), NTATAG_MERGE_482(0),
		NTATAG_USE_NAPTR(0), NTATAG_USE_SRV(0), NTATAG_EXTRA_100(0),
		NTATAG_PASS_100(1), NTATAG_TIMEOUT_408(1), NTATAG_CANCEL_487(1),
		NTATAG_SIP_T1(t1), NTATAG_SIP_T1X64(64 * t1),
		NTATAG_SIP_T2(8 * t1), NTATAG_SIP_T4(10 * t1),
		TPTAG_STUN_SERVER(0), TAG_END());
}

/* Not those that the library deals with itself, or nobody here can. */
static void set_methods(struct sip_stack *sip, uint32_t more)
{
	const uint32_t can = 1u << SIP_SUBSCRIBE | 1u << SIP_NOTIFY |
			     1u << SIP_MESSAGE | 1u << SIP_PUBLISH;
	const char *name;
	struct buf b;

	sip->methods = SIP_METHODS | (more & can);
	buf_init(&b, sip->allow, sizeof(sip->allow));
	buf_puts(&b, SIP_ALLOW);
	for (int m = 0; m < SIP_UNKNOWN; m++) {
		if (!(sip->methods & ~SIP_METHODS & 1u << m))
			continue;
		method_number((enum sip_method)m, &name);
		buf_printf(&b, ", %s", name);
	}
}

const char *sip_allowed(const struct sip_stack *sip)
{
	return sip->allow;
}

int sip_create(struct sip_stack **out, const struct sip_conf *conf)
{
	struct guard_conf guard = {.root = loop_root(conf->loop),
				   .loop = conf->loop,
				   .screen = conf->screen,
				   .enter = receive_enter,
				   .leave = receive_leave,
				   .datagram = receive_datagram,
				   .bytes = conn_bytes,
				   .may_answer = may_answer_raw};
	struct sip_stack *sip;
	int err;

	sip = calloc(1, sizeof(*sip));
	if (!sip)
		return -ENOMEM;
	sip->conf = *conf;
	list_init(&sip->txns);
	list_init(&sip->dialogs);
	hash_init(&sip->conns_by_gen);
	hash_init(&sip->conns_by_tport);
	hash_init(&sip->forkers);
	set_methods(sip, conf->methods);
	guard.arg = sip;
	err = guard_install(&guard);
	if (err) {
		free(sip);
		return err;
	}
	quieten_library();
	extend_parser();
	sip->agent = agent_create(sip);
	if (!sip->agent) {
		sip_destroy(sip);
		return -ENOMEM;
	}
	timer_set(conf->loop, &sip->sweep, SWEEP_MS, sweep, sip);
	*out = sip;
	return 0;
}

void sip_destroy(struct sip_stack *sip)
{
	if (!sip)
		return;
	sip->dying = true;
	timer_cancel(sip->conf.loop, &sip->sweep);
	dialog_destroy_all(sip);
	txn_destroy_all(sip);
	conn_clear(sip);
	nta_agent_destroy(sip->agent);
	hash_clear(&sip->forkers);
	hash_clear(&sip->invited);
	guard_remove();
	free(sip);
}

/* ---- listeners ----------------------------------------------------------------- */

const char *sip_transport_name(enum sip_transport t)
{
	return t == SIP_TCP ? "tcp" : "udp";
}

struct listener *listener_find(const struct sip_stack *sip,
			       enum sip_transport transport,
			       const struct addr *local)
{
	for (unsigned i = 0; i < sip->n_listeners; i++) {
		const struct listener *l = &sip->listeners[i];

		if (l->transport == transport && addr_equal(&l->local, local))
			return (struct listener *)l;
	}
	return NULL;
}

static tport_t *tport_by_ident(nta_agent_t *agent, const char *ident)
{
	tport_t *tp = tport_primaries(nta_agent_tports(agent));

	for (; tp; tp = tport_next(tp))
		if (tport_ident(tp) && !strcmp(tport_ident(tp), ident))
			return tp;
	return NULL;
}

static int listener_bind(struct sip_stack *sip, struct listener *l)
{
	char host[ADDR_TEXT_MAX], url[ADDR_TEXT_MAX + 32];
	int rc;

	snprintf(url, sizeof(url), "sip:%s:%u;transport=%s",
		 addr_fmt_uri(&l->local, host), addr_port(&l->local),
		 sip_transport_name(l->transport));
	errno = 0;
	guard_set_binding(true);
	rc = nta_agent_add_tport(
		sip->agent, (url_string_t *)url, TPTAG_IDENT(l->ident),
		TPTAG_PONG2PING(1), TPTAG_IDLE(IDLE_MS),
		TPTAG_TIMEOUT(STREAM_MESSAGE_MS),
		TPTAG_QUEUESIZE(QUEUE_MESSAGES), TPTAG_TOS(TOS_CS3),
		TPTAG_UDP_RMEM(SOCKET_BUFFER_BYTES),
		TPTAG_UDP_WMEM(SOCKET_BUFFER_BYTES), TPTAG_MTU(65535),
		TPTAG_STUN_SERVER(0), TPTAG_SDWN_ERROR(1), TAG_END());
	guard_set_binding(false);
	if (rc < 0)
		return errno ? -errno : -EIO;
	l->tport = tport_by_ident(sip->agent, l->ident);
	/* A binary whose linker did not take our definitions has no shield. */
	if (!l->tport || !guard_is_live() ||
	    (l->transport == SIP_UDP && guard_udp_fd(&l->local) < 0)) {
		log_error("sip.guard_missing");
		return -ENOSYS;
	}
	return 0;
}

int sip_listen(struct sip_stack *sip, const char *realm,
	       enum sip_transport transport, const struct addr *local)
{
	struct listener *l = listener_find(sip, transport, local);
	int err;

	if (!addr_port(local))
		return -EINVAL;
	if (!l) {
		if (sip->n_listeners == LIMIT_LISTENERS)
			return -ENOSPC;
		l = &sip->listeners[sip->n_listeners];
		memset(l, 0, sizeof(*l));
		snprintf(l->ident, sizeof(l->ident), "l%u", sip->n_listeners);
		l->transport = transport;
		l->local = *local;
		err = listener_bind(sip, l);
		if (err)
			return err;
		sip->n_listeners++;
	}
	str_copy(l->realm, sizeof(l->realm), str_of(realm));
	l->up = true;
	return 0;
}

void sip_listener_down(struct sip_stack *sip, enum sip_transport transport,
		       const struct addr *local)
{
	struct listener *l = listener_find(sip, transport, local);

	if (l)
		l->up = false;
}

bool sip_listener_at(const struct sip_stack *sip, unsigned i,
		     struct sip_listener *out)
{
	const struct listener *l;

	if (i >= sip->n_listeners)
		return false;
	l = &sip->listeners[i];
	*out = (struct sip_listener){l->realm, l->transport, l->local, l->up};
	return true;
}

const char *sip_realm_at(const struct sip_stack *sip,
			 enum sip_transport transport, const struct addr *local)
{
	const struct listener *l = listener_find(sip, transport, local);

	return l ? l->realm : NULL;
}

bool sip_is_local(const struct sip_stack *sip, const char *host)
{
	struct addr a;

	if (addr_parse(&a, host, strlen(host), 0))
		return false;
	for (unsigned i = 0; i < sip->n_listeners; i++)
		if (addr_same_host(&sip->listeners[i].local, &a))
			return true;
	return false;
}

bool sip_is_own(const struct sip_stack *sip, const struct addr *a)
{
	return listener_find(sip, SIP_UDP, a) || listener_find(sip, SIP_TCP, a);
}

unsigned sip_client_txns(const struct sip_stack *sip)
{
	return sip->client_txns;
}

bool sip_is_overloaded(const struct sip_stack *sip)
{
	return guard_is_behind() ||
	       sip->client_txns > LIMIT_CLIENT_TXNS / 4 * 3;
}

const char *sip_library_version(void)
{
	return SOFIA_SIP_VERSION;
}
