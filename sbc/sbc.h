/*
 * sbc.h - the appliance as a whole: owns every room's object
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_SBC_H
#define SBC_SBC_H

#include <stdbool.h>

#include "api/api.h"
#include "call/call.h"
#include "config/config.h"
#include "dns/dns.h"
#include "media/media.h"
#include "nat/nat.h"
#include "net/net.h"
#include "pass/pass.h"
#include "registrar/registrar.h"
#include "screen/screen.h"
#include "sip/sip.h"
#include "store/store.h"
#include "trunk/trunk.h"

/* Exit codes, a contract: sbc(8). */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_RUNNING = 3,
	EXIT_DENIED = 4,
	EXIT_NOT_FOUND = 5,
	EXIT_CONFLICT = 6,
	EXIT_NO = 10,      /* a question was answered with no */
	EXIT_UNKNOWN = 11, /* or nobody knows */
	EXIT_PORT_IN_USE = 69,
	EXIT_NO_PERMISSION = 77,
	EXIT_BAD_CONFIG = 78,
};

struct sbc {
	const char *config_path, *data_dir;
	struct config *config;
	struct loop *loop;
	struct net *net;
	struct screen *screen;
	struct sip_stack *sip;
	struct sip_auth *auth;
	struct store *store;
	struct media *media;
	struct dns *dns;
	struct trunks *trunks;
	struct keepalive *keepalive;
	struct nat_prober *prober;
	struct registrar *registrar;
	struct calls *calls;
	struct passes *passes;
	struct ctl *ctl;
	struct loop_fd *signals;
	int signal_fd;
	struct timer stop, relisten;
	bool ready, stopping;
	mono_ms started, stop_by;
};

/* Run until SIGTERM; returns an exit code. */
int sbc_run(const char *config_path, const char *data_dir);

/* dispatch.c: the front door.  Every request outside a dialog comes here. */
void dispatch(void *arg, struct sip_request *req);
/* A request of a dialog that nobody here knows. */
bool dispatch_stray(void *arg, struct sip_request *req);
/* May a bad request of this peer be answered?  Realm option strangers. */
bool dispatch_may_answer(void *arg, const struct sip_flow *flow,
			 const char *realm);

/* flows.c: what the rooms tell each other of flows; @arg is the sbc. */
int flows_ping(void *arg, const struct sip_flow *flow, enum keep_method method,
	       const char *target, uint64_t token);
void flows_heard(void *arg, const struct sip_flow *flow);
void flows_answered(void *arg, const struct sip_flow *flow, uint64_t token,
		    int status);
void flows_event(void *arg, struct keep *k, enum keep_event event);
void flows_moved(void *arg, const struct binding *b,
		 const struct sip_flow *from);
void flows_away(void *arg, const struct binding *b, const struct addr *via);
void flows_kind(void *arg, uint64_t id, const struct nat_kind *kind);
bool flows_is_on_link(void *arg, const struct addr *a);
const struct conf_trunk *flows_trunk_at(void *arg, const char *realm,
					const struct addr *source,
					enum conf_transport transport);
int flows_trunk_host(void *arg, const char *name, struct addr *out);
void flows_trunk_known(void *arg, const struct addr *a);
/* Environment SBC_NAT_SPEED: divides the times of the keepalive engine, so
 * that a test need not wait. */
unsigned flows_speed(void);

/* records.c: one call attempt for the store; @arg is the sbc. */
void records_keep(void *arg, const struct cdr *c);

/* listen.c: bind what the configuration says, follow the machine's addresses.
 * An explicit address beats an all-addresses realm.  0, or an exit code. */
int listen_all(struct sbc *sbc, const struct config *config);
/* Mark down what @config does not want any more. */
void listen_prune(struct sbc *sbc, const struct config *config);
void listen_changed(void *arg); /* net_changed_fn */

/* cli.c: the clients of the control socket; each returns an exit code. */
int cli_main(int argc, char **argv);

#endif
