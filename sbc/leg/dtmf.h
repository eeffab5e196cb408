/*
 * dtmf.h - a pressed key in the body of an INFO
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * application/dtmf-relay says "Signal=5" and "Duration=160" on lines of their
 * own, application/dtmf the key alone; no RFC has them, so that the reader
 * takes what phones make of either.  Pure; any thread.
 */
#ifndef SBC_LEG_DTMF_H
#define SBC_LEG_DTMF_H

#include "core/buf.h"
#include "media/media.h"

enum {
	DTMF_BODY_BYTES = 48,
	DTMF_MIN_MS = 70, /* what the slowest receivers need */
	DTMF_MAX_MS = 5000,
	DTMF_USUAL_MS = 160, /* when it is not said */
};

bool dtmf_is_type(const char *content_type);
/* The key that @body says, of DTMF_MIN_MS to DTMF_MAX_MS.  -EINVAL: none. */
int dtmf_read(struct media_key *out, struct str body);
/* @key as application/dtmf-relay, into @mem of DTMF_BODY_BYTES. */
struct str dtmf_write(const struct media_key *key, char *mem);

#endif
