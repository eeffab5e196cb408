/*
 * rate.h - inside screen/: how much each source may send
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_SCREEN_RATE_H
#define SBC_SCREEN_RATE_H

#include <stdbool.h>

#include "core/addr.h"
#include "core/buf.h"
#include "core/clock.h"
#include "screen/screen.h"

struct rate;

/* @sources is rounded up to a power of two.  -ENOMEM. */
int rate_create(struct rate **out, unsigned per_s, unsigned sources);
void rate_destroy(struct rate *r); /* accepts NULL */
void rate_set(struct rate *r, unsigned per_s);

/* Take one datagram from @source's budget; writes its class. */
bool rate_admit(struct rate *r, const struct addr *source, mono_ms now,
		enum screen_class *cls);
/* At most 50 datagrams/s of one Call-ID of one source. */
bool rate_admit_call(struct rate *r, const struct addr *source,
		     struct str call_id, mono_ms now);
void rate_promote(struct rate *r, const struct addr *source,
		  enum screen_class cls, mono_ms until);
enum screen_class rate_class(struct rate *r, const struct addr *source,
			     mono_ms now);

#endif
