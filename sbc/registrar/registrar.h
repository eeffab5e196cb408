/*
 * registrar.h - who is registered where: REGISTER in, bindings out
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Memory is the authority; the store is told of every change and asked once,
 * at start.  Beside the Contact, kept verbatim, stands the flow that the
 * REGISTER came along: requests to the phone carry the Contact as Request-URI
 * and go to the flow, unless the Contact names another public address where
 * the phone proved to answer.  Each binding holds its flow open in the
 * keepalive engine.  SIP thread only.
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
	struct sip_flow flow; /* that the REGISTER came along */
	struct sip_flow to;   /* that requests go along: nearly always flow */
	mono_ms expires;      /* the binding ends */
	wall_ms registered_at, last_seen;
	struct timer expiry;
	struct keep keep; /* its hold on @to */
	struct nat_verdict nat;
	struct nat_learned learned; /* as stored */
	struct nat_kind kind;
	bool lost; /* nothing comes through any more */
	/* The registrar's own: */
	bool judged_behind; /* by evidence, before realm option nat */
	bool kind_asked;    /* of this flow's NAT */
	uint8_t stated;     /* enum stated: does its Contact answer? */
	/* What the history has been told: totals, and when (seconds). */
	uint32_t told_sent, told_unanswered, told_learned_s, told_verdict_s;
};

struct registrar_conf {
	struct loop *loop;
	struct sip_stack *sip;
	struct sip_auth *auth;
	struct screen *screen;
	struct store *store;
	struct keepalive *keepalive;
	/* Holds flow.key; NULL: tokens end with the process. */
	const char *data_dir;
	struct nat_prober *prober; /* NULL: kinds of NAT stay unknown */
	/* No router lies between us and @a.  NULL: one always does. */
	bool (*is_on_link)(void *arg, const struct addr *a);
	/* The trunk that a request from @source belongs to; NULL = nobody's.
	 * Without it the configuration's literal addresses tell. */
	const struct conf_trunk *(*trunk_at)(void *arg, const char *realm,
					     const struct addr *source,
					     enum conf_transport transport);
	/* The host of trunk @name that is to be asked now.  -EHOSTUNREACH: none
	 * is known.  Without it the first host, if that is a literal. */
	int (*trunk_host)(void *arg, const char *name, struct addr *out);
	/* @b re-registered along another flow than @from: its dialogs follow,
	 * and what rings for it.  @from NULL: @b is new; it may be a phone that
	 * lost its former binding. */
	void (*moved)(void *arg, const struct binding *b,
		      const struct sip_flow *from);
	/* The phone of @b, which ends now, is with another box of ours, which
	 * takes requests for it at @via.  NULL = nobody wants to know. */
	void (*away)(void *arg, const struct binding *b,
		     const struct addr *via);
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

/* Who sends a request that is in no dialog: one of phone and trunk is set. */
struct registrar_peer {
	const struct conf_realm *realm;
	const struct conf_phone *phone;
	const struct conf_trunk *trunk;
};

/* Identify the sender of @req: a trunk by its source, else a phone by digest.
 * False: @req has been answered (401, 503). */
bool registrar_identify(struct registrar *reg, struct sip_request *req,
			struct registrar_peer *out);
/* The trunk that @view's source is; NULL = none. */
const struct conf_trunk *registrar_trunk_of(const struct registrar *reg,
					    const struct sip_view *view);

/*
 * Where a realm's registrar is a trunk: the binding whose Contact at the
 * trunk has user part @user, a sealed token of ours (RFC 5626 5.2); NULL when
 * it is none, forged, or gone.
 */
const struct binding *registrar_by_token(struct registrar *reg,
					 const char *user);
/* ---- what boxes with one flow_key tell each other ---------------------------- */

/* What it is for: sealed for one purpose it serves no other. */
enum registrar_seal {
	SEAL_DIALOG = 2, /* call/: a dialog's other side */
	SEAL_PASS,       /* call/: a box brings a request of another's dialog */
	SEAL_ASK,        /* call/: does it know this dialog? */
	SEAL_MOVED,      /* registrar/: a phone is with us now */
};
/* So that a Contact stays below 400 bytes; sealed with NUL. */
enum { REGISTRAR_PLAIN_MAX = 250, REGISTRAR_SEALED_MAX = 360 };
/* There are other boxes: option flow_key is written. */
bool registrar_shares_key(const struct registrar *reg);
/* Seal @plain as the user part of a URI, to be opened with the same @context
 * (NULL = none).  -ENOSPC: too long; -ENOKEY, -EIO. */
int registrar_seal(struct registrar *reg, enum registrar_seal kind,
		   const char *context, struct str plain,
		   char out[REGISTRAR_SEALED_MAX]);
/* -EINVAL: forged, changed, or not of this key, kind and context. */
int registrar_unseal(struct registrar *reg, enum registrar_seal kind,
		     const char *context, const char *text,
		     uint8_t plain[REGISTRAR_PLAIN_MAX], size_t *n);
/*
 * OPTIONS to a user that another box sealed: a phone of ours has registered
 * there.  Its binding here ends, its dialogs go by way of that box.  0: it is
 * no such request; else the status to answer.
 */
int registrar_hear(struct registrar *reg, const struct sip_view *view);

/* The route set that the trunk gave for requests of @phone's (Service-Route,
 * RFC 3608), as a Route header's value; NULL = none. */
const char *registrar_service_route(const struct registrar *reg,
				    const char *phone);

/* A binding that a trunk owns, too. */
struct registrar_upstream {
	const char *trunk;
	const char *state;  /* "held", "renewing", "alone": only we have it */
	unsigned expires_s; /* until then the trunk may have it */
};
/* False: its realm's registrar is us. */
bool registrar_upstream(const struct binding *b,
			struct registrar_upstream *out);

/* Answer a REGISTER (RFC 3261 10.3); ends @req. */
void registrar_register(struct registrar *reg, struct sip_request *req);

/* What the keepalive engine says of hold @k of reason KEEP_REG.  May end the
 * binding. */
void registrar_keep_event(struct registrar *reg, struct keep *k,
			  enum keep_event event);
/* The answer to an OPTIONS with @token came along @flow; ignored unless the
 * registrar asked. */
void registrar_answered(struct registrar *reg, const struct sip_flow *flow,
			uint64_t token);
/* nat_kind_fn of the prober, @arg is the registrar. */
void registrar_kind(void *arg, uint64_t id, const struct nat_kind *kind);

/*
 * All bindings of phone section @phone whose way (binding.to) is alive, newest
 * first, at most @max; those of which nothing was heard any more (lost) come
 * last.  Bindings of one device (binding_same_device()) are alternatives, not
 * forks: ask the first, and the next when it answers 408, 430 or 503 (RFC 5626
 * 5 and 7).  They stay valid until the callback returns to the loop.
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
/* Two ways to one device: same AOR, both with an instance, and it is equal. */
bool binding_same_device(const struct binding *a, const struct binding *b);
/* Is @b of the device that said @contact and @instance (or NULL) of itself?
 * By Contacts alone only when it was made no earlier than @since: one that
 * stood beside it is another. */
bool binding_is_of(const struct binding *b, const char *contact,
		   const char *instance, wall_ms since);
const char *binding_aor(const struct binding *b);
const char *binding_phone(const struct binding *b);

#endif
