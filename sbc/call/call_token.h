/*
 * call_token.h - what boxes with one flow_key write to each other of dialogs
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Plain records, to be sealed by registrar_seal(); readers take any bytes.
 * Writers overflow @b when it is too long; readers return -EINVAL.
 */
#ifndef SBC_CALL_CALL_TOKEN_H
#define SBC_CALL_CALL_TOKEN_H

#include "core/addr.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/limits.h"
#include "registrar/registrar.h"
#include "sip/sip.h"

/* SEAL_DIALOG, in the Contact that one side gets: the other side. */
struct dialog_token {
	wall_ms issued;
	struct addr owner; /* the box that has the call, seen from this side */
	bool peer_is_trunk, other_is_trunk;
	enum sip_transport transport; /* to the other side */
	struct addr other_at;         /* where it was */
	/* Sections of the configuration: who got the Contact, and the other. */
	char peer[LIMIT_NAME_BYTES], other[LIMIT_NAME_BYTES];
	struct sip_dialog_ids ids; /* the other side's */
	/* Behind @ids once read. */
	char call_id[256], local_tag[256], remote_tag[256], target[256];
	char route[256];
};

void dialog_token_write(struct buf *b, const struct dialog_token *t);
int dialog_token_read(const void *bytes, size_t n, struct dialog_token *out);

/* SEAL_PASS, in a Route: a box brings a request of a dialog that the receiver
 * has, or for a phone that is registered there. */
struct pass_token {
	wall_ms issued;
	struct addr from;             /* the box */
	char phone[LIMIT_NAME_BYTES]; /* "" = it is in the receiver's dialog */
};

void pass_token_write(struct buf *b, const struct pass_token *t);
int pass_token_read(const void *bytes, size_t n, struct pass_token *out);

/* SEAL_ASK: have you got it yet? */
struct ask_token {
	wall_ms issued;
	char call_id[256], local_tag[256];
};

void ask_token_write(struct buf *b, const struct ask_token *t);
int ask_token_read(const void *bytes, size_t n, struct ask_token *out);

/* Clocks of two boxes may differ by TOKEN_SKEW_MS.  False: @issued lies more
 * than that ahead, or @life_ms back. */
enum { TOKEN_SKEW_MS = 300000, TOKEN_LIFE_MS = 86400000 };
bool token_is_timely(wall_ms issued, int64_t life_ms);

#endif
