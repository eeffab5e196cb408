/*
 * guard.h - our shield around the SIP library: what it calls, we answer
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The library calls a handful of functions through its PLT; guard.c defines
 * them in our executable, so that the dynamic linker takes ours.  They act on
 * the thread that called guard_install() only; every other thread gets the
 * original.  One guard per process.  SIP thread only.
 */
#ifndef SBC_SIP_GUARD_H
#define SBC_SIP_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include <sofia-sip/su_wait.h>
#include <sofia-sip/tport.h>

#include "core/addr.h"
#include "core/clock.h"
#include "core/loop.h"
#include "screen/screen.h"

struct guard_conf {
	su_root_t *root;
	struct loop *loop;     /* is told when bytes came; NULL in tests */
	struct screen *screen; /* NULL = let every datagram through */
	/* Each parsed message, on any transport, before the transaction layer
	 * sees it.  True: let it in, then call @leave.  False: it was dealt
	 * with and destroyed. */
	bool (*enter)(void *arg, tport_t *tport, msg_t *msg);
	void (*leave)(void *arg);
	/* Each datagram that the screen let pass, or called a keepalive of
	 * the peer's, before the parser sees it.  True: it needs no parser. */
	bool (*datagram)(void *arg, const struct addr *local,
			 const struct addr *source, const uint8_t *p, size_t n);
	/* Bytes wait on the connection that is known as @conn (streams.h). */
	void (*bytes)(void *arg, uint32_t conn);
	/* An answer of the screen's goes out to @remote from @local. */
	bool (*may_answer)(void *arg, const struct addr *local,
			   const struct addr *remote);
	void *arg;
};

/* -EBUSY: installed already.  -ENOSYS: an original function is missing. */
int guard_install(const struct guard_conf *conf);
void guard_remove(void);
/* The library really calls us: it made its transports through our hook. */
bool guard_is_live(void);

/* What the library binds between true and false are listeners of ours. */
void guard_set_binding(bool is_binding);

/* The descriptor of our UDP socket bound at @local; -ENOENT. */
int guard_udp_fd(const struct addr *local);

/* One datagram from our UDP socket bound at @local.  -ENOENT: there is none;
 * -EAGAIN: its buffer is full; other -errno of the kernel. */
int guard_send(const struct addr *local, const struct addr *remote,
	       const void *bytes, size_t n);

/* So much waits in the kernel for us to read that phones begin to repeat
 * themselves soon. */
bool guard_is_behind(void);

#endif
