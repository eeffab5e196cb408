/*
 * stun.h - inside screen/: STUN Binding on a SIP port
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * RFC 8489, as RFC 5626 4.4.2 asks of whoever phones keep a flow to; and the
 * old RFC 3489 for those that still speak it.  Pure.
 */
#ifndef SBC_SCREEN_STUN_H
#define SBC_SCREEN_STUN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/buf.h"

/* Has the shape of a STUN message: type, and a length that fits. */
bool stun_is_message(const uint8_t *p, size_t n);
/* One that is a Binding request. */
bool stun_is_request(const uint8_t *p, size_t n);
/*
 * What a Binding request from @source gets: its address, or the attributes
 * that we do not know.  At most 2.5 times as long as the request.  -EINVAL: say
 * nothing; -ENOSPC when @out overflows.
 */
int stun_answer(struct buf *out, const uint8_t *p, size_t n,
		const struct addr *source);
/* The value of a FINGERPRINT behind these @n bytes. */
uint32_t stun_fingerprint(const void *p, size_t n);

#endif
