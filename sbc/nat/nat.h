/*
 * nat.h - keeping the way back to a peer open
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A flow gets one ping per interval, however many reasons it has to live; each
 * flow has its own random place in the interval, so that pings spread also
 * after a restart.  Knows no RTP.  SIP thread only.
 */
#ifndef SBC_NAT_NAT_H
#define SBC_NAT_NAT_H

#include <stdint.h>

#include "core/loop.h"
#include "sip/sip.h"

struct keepalive;

typedef void (*keepalive_ping_fn)(void *arg, const struct sip_flow *flow);

/* -ENOMEM.  @ping sends one ping. */
int keepalive_create(struct keepalive **out, struct loop *loop,
		     keepalive_ping_fn ping, void *arg);
void keepalive_destroy(struct keepalive *ka); /* accepts NULL */

/*
 * One more reason to keep @flow open, pinged each @interval_ms (the shortest
 * of all reasons given counts).  Balanced by keepalive_release().  -ENOMEM.
 */
int keepalive_hold(struct keepalive *ka, const struct sip_flow *flow,
		   unsigned interval_ms);
/* The same for a flow that another process kept alive until just now: the
 * first ping comes within 4 s, the next ones at the flow's own place. */
int keepalive_resume(struct keepalive *ka, const struct sip_flow *flow,
		     unsigned interval_ms);
void keepalive_release(struct keepalive *ka, const struct sip_flow *flow);
unsigned keepalive_flows(const struct keepalive *ka);

#endif
