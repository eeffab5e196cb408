/*
 * identity.h - headers that say who calls, read with bounds
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * P-Asserted-Identity, P-Preferred-Identity (RFC 3325), Remote-Party-ID,
 * Privacy (RFC 3323), Diversion (RFC 5806), History-Info (RFC 7044).  Pure.
 */
#ifndef SBC_CALL_IDENTITY_H
#define SBC_CALL_IDENTITY_H

#include <stdbool.h>

#include "core/buf.h"
#include "core/limits.h"

/* A name-addr or addr-spec with its header parameters (RFC 3261 25.1). */
struct identity_addr {
	char user[LIMIT_USER_BYTES]; /* unescaped; of tel: the number */
	struct str params;           /* ";reason=unconditional;counter=1" */
};

/* -EINVAL: no sip, sips or tel URI with a user that we could send on. */
int identity_read(struct identity_addr *out, struct str value);
/* The value of parameter @name, without quotes; n = 0 when there is none. */
struct str identity_param(struct str params, const char *name);
/* A reason of Diversion, or a cause of History-Info (RFC 4458 2), as a reason
 * of Diversion (RFC 5806 4): one of a fixed set of words. */
const char *identity_reason(struct str text);
/* Does a Privacy header's value ask that nobody be told who calls? */
bool identity_hides(struct str privacy);

#endif
