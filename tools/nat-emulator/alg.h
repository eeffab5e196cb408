/*
 * alg.h - what a SIP ALG does to a message, well or badly
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef NAT_EMULATOR_ALG_H
#define NAT_EMULATOR_ALG_H

#include <stdbool.h>

#include "core/buf.h"
#include "translate.h"

struct alg_job {
	struct nat *nat;
	struct endpoint in, out; /* the phone, and as what it is seen */
	struct endpoint peer;
	bool leaves; /* from inside to outside */
	mono_ms now;
};

/* Write to @out what becomes of the SIP message @text, by settings.alg.
 * False: it is no SIP, or nothing has changed. */
bool alg_rewrite(const struct alg_job *job, struct str text, struct buf *out);

#endif
