/*
 * streams.h - the connections that we accepted: how many, from whom, how slow
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Kept by descriptor, beside the library, which neither counts connections nor
 * cuts one that takes for ever over a message.  Told by guard.c.  One table
 * per process; SIP thread only.
 */
#ifndef SBC_SIP_STREAMS_H
#define SBC_SIP_STREAMS_H

#include "core/addr.h"
#include "core/clock.h"

/* How long a connection may take for one whole message. */
enum { STREAM_MESSAGE_MS = 10000 };

int streams_init(void); /* -ENOMEM */
void streams_clear(void);

/* Connection @fd from @remote was accepted.  -EMFILE: there are too many, or
 * too many from there; it is not in the table. */
int stream_add(int fd, const struct addr *remote);
void stream_drop(int fd); /* closed; nothing when it is not ours */

/* Bytes wait on @fd, which the library reads next. */
void stream_readable(int fd);
/* It read bytes that are no keepalive. */
void stream_began(int fd);
/* A whole message came. */
void stream_completed(int fd);
/* The connection that was readable last; -1 when we did not accept it. */
int stream_now(void);

/* When bytes last came; 0 when @fd is not ours. */
mono_ms stream_heard(int fd);
unsigned streams_open(void);
/* Shut what has not completed a message in time; call it once a second. */
void streams_sweep(mono_ms now);

#endif
