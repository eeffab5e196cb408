/*
 * streams.h - the connections: how many, from whom, how slow
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Kept by descriptor, beside the library, which neither counts connections nor
 * cuts one that takes for ever over a message.  Told by guard.c.  One table
 * per process; SIP thread only.
 */
#ifndef SBC_SIP_STREAMS_H
#define SBC_SIP_STREAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/addr.h"
#include "core/clock.h"

/* How long a connection may take for one whole message. */
enum { STREAM_MESSAGE_MS = 10000 };

int streams_init(void); /* -ENOMEM */
void streams_clear(void);

/* Connection @fd from @remote was accepted.  -EMFILE: there are too many, or
 * too many from there; it is not in the table. */
int stream_add(int fd, const struct addr *remote);
/* Connection @fd is about to be made by us; it counts for nobody. */
void stream_add_made(int fd);
void stream_drop(int fd); /* closed; nothing when it is not ours */

/* The one that was made since this was asked last; -1 = none. */
int stream_take_made(void);
bool stream_is_accepted(int fd);
/* From now on @fd is known as connection @conn, to @remote.  -ENOENT: not
 * ours.  -EBUSY: known as another, or accepted from elsewhere. */
int stream_claim(int fd, uint32_t conn, const struct addr *remote);
uint32_t stream_conn(int fd); /* 0 = not known as any */

/* Bytes wait on @fd, which the library reads next. */
void stream_readable(int fd);
/* How many of the @n bytes that wait on @fd the library should read now, so
 * that a keepalive right behind a message comes separately: 1 to @n. */
size_t stream_portion(int fd, size_t n);
/* It read bytes that are no keepalive. */
void stream_began(int fd);
/* A whole message came. */
void stream_completed(int fd);
/* The connection that was readable last; -1 when it is not ours. */
int stream_now(void);

/* When bytes last came; 0 when @fd is not ours. */
mono_ms stream_heard(int fd);
unsigned streams_open(void);
/* Shut what has not completed a message in time; call it once a second. */
void streams_sweep(mono_ms now);

#endif
