/*
 * pass.h - everything through the box that is not a call: SUBSCRIBE and its
 * NOTIFYs, MESSAGE, PUBLISH, OPTIONS
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each side has a dialog or transaction of its own, as calls have; senders are
 * identified, screened and rewritten as callers are.  A subscription (RFC
 * 6665) is a pair of dialogs with one expiry; its flow to the phone is kept
 * open (KEEP_SUB) for as long as it stands.  SIP thread only.
 */
#ifndef SBC_PASS_PASS_H
#define SBC_PASS_PASS_H

#include "config/config.h"
#include "core/loop.h"
#include "nat/nat.h"
#include "registrar/registrar.h"
#include "sip/sip.h"

struct passes;

struct passes_conf {
	struct loop *loop;
	struct sip_stack *sip;
	struct sip_auth *auth;
	struct registrar *registrar;
	struct trunks *trunks;
	struct keepalive *keepalive;
	/* No router lies between us and @a.  NULL: one always does. */
	bool (*is_on_link)(void *arg, const struct addr *a);
	void *arg;
};

int passes_create(struct passes **out, const struct passes_conf *conf,
		  struct config *config);
void passes_destroy(struct passes *p); /* accepts NULL */
void passes_set_config(struct passes *p, struct config *config);

/* A SUBSCRIBE that belongs to no dialog; ends @req. */
void passes_subscribe(struct passes *p, struct sip_request *req);
/* MESSAGE, PUBLISH, an OPTIONS that is not for the box, or a NOTIFY that belongs
 * to no subscription; ends @req. */
void passes_request(struct passes *p, struct sip_request *req);
/* Does header @name of a request with @method go from one side to the other
 * although no rule says so? */
bool pass_crosses(const char *name, enum sip_method method);
/* Is this OPTIONS for a user, and not for the box? */
bool passes_is_for_user(const struct passes *p, const struct sip_view *view);
/* The phone of @b is with another box of ours from now on: its subscriptions
 * end here, and it is told to begin them anew. */
void passes_away(struct passes *p, const struct binding *b);
/* @b re-registered along another flow than @from: its subscriptions follow. */
void passes_follow(struct passes *p, const struct binding *b,
		   const struct sip_flow *from);
/* @b is new.  It may be a phone whose former binding has expired, or went with
 * the NAT that it was behind: its subscriptions follow if Contact or
 * +sip.instance say that it is the same device and their flow is dead. */
void passes_appeared(struct passes *p, const struct binding *b);
/* What is heard of a hold for a subscription (KEEP_SUB). */
void passes_keep_event(struct keep *k, enum keep_event event);
/* Tell every subscriber that its subscription ends (RFC 6665 4.1.3). */
void passes_terminate(struct passes *p);
unsigned passes_subscriptions(const struct passes *p);

#endif
