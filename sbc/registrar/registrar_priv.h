/*
 * registrar_priv.h - the table of bindings as the files of its room see it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_REGISTRAR_REGISTRAR_PRIV_H
#define SBC_REGISTRAR_REGISTRAR_PRIV_H

#include "core/hash.h"
#include "registrar/registrar.h"

/* Everything that one phone section has registered. */
struct aor {
	struct hash_node node; /* by phone name */
	struct list bindings;  /* oldest registration first */
	unsigned n;
	const char *phone; /* behind the text */
	char text[];       /* "100@example.net" */
};

/* binding.stated: does a Contact that differs from the source answer? */
enum stated { STATED_UNTRIED, STATED_ASKED, STATED_ANSWERS, STATED_SILENT };

/* Registrations that trunks own, see upstream.h. */
struct upstream {
	struct token_key *key; /* NULL before the first use */
	struct hash by_id, by_phone;
	struct list trunks;
};

struct registrar {
	struct registrar_conf conf;
	struct config *config;
	struct hash aors;
	struct list all; /* bindings, by id */
	unsigned n, n_lost;
	uint64_t last_id;
	struct timer resync;
	bool resyncing;
	bool is_news;      /* of all bindings: a reload changed them */
	uint64_t resynced; /* id of the last binding handed over again */
	/* What is done for restored bindings after the start, in slices. */
	struct timer resume;
	uint64_t resumed, resume_last; /* ids: done, and where it ends */
	wall_ms started;
	struct list probes; /* contact.c, n_probes */
	unsigned n_probes;
	struct list kinds; /* way.c: asked of the prober */
	struct upstream up;
};

/* What a REGISTER says of one contact; strings are borrowed. */
struct binding_input {
	const struct conf_phone *phone;
	const struct conf_realm *realm;
	const char *aor_text;
	const char *contact, *call_id, *instance, *path, *user_agent;
	uint32_t cseq, reg_id;
	const struct sip_flow *flow;
	struct nat_verdict verdict; /* of this REGISTER alone */
	unsigned expires_s;
	/* Of a binding that is to be made; 0 = the next id, now. */
	uint64_t id;
	wall_ms registered_at;
};

/* ---- register.c ---------------------------------------------------------- */

/* How a REGISTER is answered: at once, or by the transaction kept for it.
 * Both NULL: it has been. */
struct reg_reply {
	struct sip_request *req;
	struct sip_txn *txn;
};

/* A REGISTER as it is understood; @in borrows the rest. */
struct reg_ask {
	struct binding_input in;
	char aor_text[LIMIT_USER_BYTES + 260], agent[256];
};

const struct sip_view *reply_view(const struct reg_reply *reply);
/* Keep it for later in *@out; false: it could not be kept, and is gone. */
bool reply_keep(struct reg_reply *reply, struct sip_txn **out);
/* False: the configuration knows phone or realm no more. */
bool register_read(struct registrar *reg, const struct sip_view *view,
		   const char *phone, struct reg_ask *a);
void register_take_contact(struct binding_input *in,
			   const struct sip_view *view, unsigned contact);
/* Is contact @contact to be registered, or is it to go? */
bool register_wants(const struct registrar *reg, const struct sip_view *view,
		    unsigned contact);
/* What we would grant it, if it renews @b (NULL: makes a binding). */
unsigned register_granted(const struct binding *b,
			  const struct binding_input *in,
			  const struct sip_view *view, unsigned contact);
/* End the bindings of the contacts that are to go. */
void register_drop_others(struct registrar *reg, const struct sip_view *view,
			  const struct binding_input *in);
/* Its source is no stranger any more. */
void register_promote(struct registrar *reg, const struct sip_view *view,
		      const struct conf_realm *realm);
void register_answer_ok(struct registrar *reg, struct reg_reply *reply,
			struct binding_input *in);
/* @realm for Min-Expires; NULL: the trunk is to blame. */
void register_refuse(struct reg_reply *reply, const struct conf_realm *realm,
		     int status);

/* ---- upstream.c: registrations that a trunk owns ----------------------------- */

void upstream_init(struct registrar *reg);
void upstream_clear(struct registrar *reg);
/* A phone's REGISTER that may be done; answers @req. */
void upstream_register(struct registrar *reg, struct sip_request *req,
		       struct reg_ask *a);
/* Binding @id has ended: its trunk is told. */
void upstream_gone(struct registrar *reg, uint64_t id);
/* The start, or another configuration: every binding stands where its realm
 * says. */
void upstream_check(struct registrar *reg);

/* ---- binding.c ----------------------------------------------------------- */

struct aor *binding_find_aor(const struct registrar *reg, const char *phone);
/* Of phone section @phone, or NULL. */
struct binding *binding_by_id(const struct registrar *reg, const char *phone,
			      uint64_t id);
/* The binding that @in renews: (instance, reg-id) when sent, else (Contact,
 * Call-ID) (contract, SIP behaviour), else the same Contact along the same
 * flow: a phone that was rebooted, or whose Call-IDs an ALG rewrites. */
struct binding *binding_match(const struct registrar *reg,
			      const struct binding_input *in);
/* Make or renew; tells the store.  Above the phone's max_contacts the one
 * renewed longest ago goes.  -ENOMEM. */
int binding_save(struct registrar *reg, const struct binding_input *in);
/* End it; @cause for the log. */
void binding_drop(struct binding *b, const char *cause);
void binding_drop_all(struct registrar *reg, const char *phone,
		      const char *cause);
/* The configuration has changed: drop what it does not know any more, hold the
 * others as it says. */
void binding_take_config(struct registrar *reg);
void binding_clear(struct registrar *reg);
/* Does the configuration let phone section @phone have a binding of @aor in
 * @realm? */
bool binding_is_wanted(const struct registrar *reg, const char *phone,
		       const char *aor, const char *realm);
/* A bare one without texts; -ENOMEM. */
int binding_make(struct binding **out, struct registrar *reg, const char *phone,
		 const char *aor, uint64_t id);
int binding_set_texts(struct binding *b, const struct binding_input *in);
void binding_set_expiry(struct binding *b, int64_t ms);
void binding_free(struct binding *b);

/* ---- restore.c: what the store keeps ------------------------------------- */

void restore_tell(struct binding *b);
/* Of all bindings, as fast as the store takes it. */
void restore_tell_all(struct registrar *reg);
int restore_load(struct registrar *reg);

/* ---- way.c: the verdict on the way to a phone, and keeping it open ------- */

/* Is the phone behind a NAT, if @in renews @b (NULL: makes a binding)? */
bool way_is_behind(const struct binding *b, const struct binding_input *in);
/* @in is what stands now; true: the verdict changed. */
bool way_judge(struct binding *b, const struct binding_input *in);
/* Hold binding.to as @realm says. */
void way_hold(struct binding *b, const struct conf_realm *realm, bool resumed);
/* The realm that @b is in by now; NULL: it is gone. */
const struct conf_realm *way_realm(const struct binding *b);
/* @realm may have other options than before.  True: the verdict changed. */
bool way_take_config(struct binding *b, const struct conf_realm *realm);
/* Requests go along @to: the hold ends, what was learned of the NAT stays when
 * it is the same one.  way_hold() is to follow. */
void way_set(struct binding *b, const struct sip_flow *to);
/* A REGISTER came along another flow: the verdict begins anew. */
void way_move(struct binding *b, const struct sip_flow *flow);
/* It answers at its Contact: that is no sign of a NAT. */
void way_honour(struct binding *b, const struct sip_flow *to,
		const struct conf_realm *realm);
void way_set_lost(struct binding *b, bool lost);
/* Which kind of NAT is it?  Asked once per flow, when the phone answers. */
void way_ask_kind(struct binding *b);
void way_forget(struct registrar *reg);

/* ---- contact.c: a Contact that differs from the source (S2-15) ----------- */

/* Set binding.to by option contact, now or when the phone has answered. */
void contact_look(struct binding *b, const struct conf_phone *phone);
/* As many probes are under way as there may be. */
bool contact_is_busy(const struct registrar *reg);
void contact_clear(struct registrar *reg);

/* ---- reg_history.c ------------------------------------------------------------ */

/* One row: @event begins now.  @was: what the engine knew of the flow that
 * ends; NULL = ask it.  "learned" and "verdict" at most once per hour. */
void history_tell(struct binding *b, const char *event, const char *cause,
		  const struct keep_info *was);
/* "restored", of the process's start. */
void history_restored(struct binding *b);
/* A stored binding that did not come back. */
void history_not_restored(struct registrar *reg, const struct binding_row *row,
			  const char *cause);

#endif
