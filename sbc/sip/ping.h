/*
 * ping.h - the keepalive OPTIONS as text, and its answers told from others
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure, any thread.
 */
#ifndef SBC_SIP_PING_H
#define SBC_SIP_PING_H

#include "core/buf.h"
#include "sip/sip.h"

/* The longest Contact stands in it twice. */
enum { PING_BYTES = 4096 };

/* The request of @ping along @flow.  -EINVAL: its target, user or host cannot
 * be written, or all of it is too long for @out. */
int ping_write(struct buf *out, const struct sip_flow *flow,
	       const struct sip_ping *ping);
/* Does @branch name a ping of ours?  Then its token goes to @token. */
bool ping_branch(struct str branch, uint64_t *token);
/* The same for a raw message of @n bytes, with its status.  Anybody may have
 * written it: the token says nothing until its owner knows it. */
bool ping_answer(const uint8_t *p, size_t n, uint64_t *token, int *status);

#endif
