/*
 * registrar.h - who is registered where: REGISTER in, bindings out
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Memory is the authority; the store is told of every change and asked once,
 * at start.  Beside the Contact, kept verbatim, stands the flow that the
 * REGISTER came along: requests to the phone carry the Contact as Request-URI
 * and go to the flow.  SIP thread only.
 */
#ifndef SBC_REGISTRAR_REGISTRAR_H
#define SBC_REGISTRAR_REGISTRAR_H

#include "config/config.h"
#include "core/list.h"
#include "core/loop.h"
#include "nat/nat.h"
#include "sip/sip.h"
#include "store/store.h"

struct registrar;

/* One binding, read-only outside the registrar. */
struct binding {
	struct list node;   /* of its AOR */
	struct list in_all; /* of the registrar, by id */
	struct registrar *owner;
	struct aor *aor;
	uint64_t id;
	char *strings; /* holds the texts below */
	const char *contact, *call_id;
	const char *instance, *path, *user_agent; /* NULL = absent */
	const char *realm; /* name of the realm it registered in */
	uint32_t cseq, reg_id;
	struct sip_flow flow;
	mono_ms expires; /* the binding ends */
	wall_ms registered_at, last_seen;
	struct timer expiry;
	struct keep keep; /* its hold on the flow */
	struct nat_verdict nat;
	struct nat_learned learned; /* as stored */
	struct nat_kind kind;
	bool lost; /* nothing comes through any more */
};

struct registrar_conf {
	struct loop *loop;
	struct sip_stack *sip;
	struct sip_auth *auth;
	struct screen *screen;
	struct store *store;
	struct keepalive *keepalive;
	/* @b re-registered along another flow than @from: its dialogs follow,
	 * and what rings for it. */
	void (*moved)(void *arg, const struct binding *b,
		      const struct sip_flow *from);
	void *arg;
};

/* Loads the stored bindings.  -ENOMEM. */
int registrar_create(struct registrar **out, const struct registrar_conf *conf,
		     struct config *config);
/* Everything stored stays stored.  Accepts NULL. */
void registrar_destroy(struct registrar *reg);
/* A new snapshot is in force: bindings of phones that are gone, have another
 * user or may not be in their realm any more go. */
void registrar_set_config(struct registrar *reg, struct config *config);

/* Answer a REGISTER (RFC 3261 10.3); ends @req. */
void registrar_register(struct registrar *reg, struct sip_request *req);

/*
 * The bindings of phone section @phone whose flow is alive, newest first, at
 * most @max.  They stay valid until the callback returns to the loop.
 */
unsigned registrar_find(const struct registrar *reg, const char *phone,
			const struct binding **out, unsigned max);
/* @host may stand in an AOR of @realm: its domain and aliases, and any local
 * address of the box. */
bool registrar_is_ours(const struct registrar *reg,
		       const struct conf_realm *realm, const char *host);
unsigned registrar_count(const struct registrar *reg);
/*
 * Visit up to @max bindings with an id above *@after, in the order of their
 * ids; *@after moves along.  Returns how many; 0 = there are no more.  Slices,
 * so that looking at many bindings never holds the loop.
 */
unsigned registrar_slice(const struct registrar *reg, uint64_t *after,
			 unsigned max,
			 void (*fn)(void *arg, const struct binding *b),
			 void *arg);
const char *binding_aor(const struct binding *b);
const char *binding_phone(const struct binding *b);

#endif
