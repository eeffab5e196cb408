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
#include "media/media.h"
#include "nat/nat.h"
#include "net/net.h"
#include "registrar/registrar.h"
#include "screen/screen.h"
#include "sip/sip.h"
#include "store/store.h"

/* Exit codes, a contract: sbc(8). */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_RUNNING = 3,
	EXIT_DENIED = 4,
	EXIT_NOT_FOUND = 5,
	EXIT_CONFLICT = 6,
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
	struct keepalive *keepalive;
	struct registrar *registrar;
	struct calls *calls;
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
/* May a bad request of this peer be answered?  Realm option strangers. */
bool dispatch_may_answer(void *arg, const struct sip_flow *flow,
			 const char *realm);

/* listen.c: bind what the configuration says, follow the machine's addresses.
 * An explicit address beats an all-addresses realm.  0, or an exit code. */
int listen_all(struct sbc *sbc, const struct config *config);
/* Mark down what @config does not want any more. */
void listen_prune(struct sbc *sbc, const struct config *config);
void listen_changed(void *arg); /* net_changed_fn */

/* cli.c: the clients of the control socket; each returns an exit code. */
int cli_main(int argc, char **argv);

#endif
