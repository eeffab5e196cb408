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
	char phone[LIMIT_NAME_BYTES];
	char text[]; /* "100@example.net" */
};

struct registrar {
	struct registrar_conf conf;
	struct config *config;
	struct hash aors;
	struct list all; /* bindings, by id */
	unsigned n;
	uint64_t last_id;
	struct timer resync;
	bool resyncing;
	uint64_t resynced; /* id of the last binding handed over again */
};

/* What a REGISTER says of one contact; strings are borrowed. */
struct binding_input {
	const char *phone, *aor_text, *realm;
	const char *contact, *call_id, *instance, *path, *user_agent;
	uint32_t cseq, reg_id;
	const struct sip_flow *flow;
	unsigned expires_s;
	unsigned keepalive_ms; /* 0 = none */
};

/* binding.c */
struct aor *binding_find_aor(const struct registrar *reg, const char *phone);
/* The binding that @in renews: (instance, reg-id) when sent, else (Contact,
 * Call-ID) (contract, SIP behaviour). */
struct binding *binding_match(const struct registrar *reg,
			      const struct binding_input *in);
/* Make or renew; tells the store.  Above @max_contacts the one renewed
 * longest ago goes.  -ENOMEM. */
int binding_save(struct registrar *reg, const struct binding_input *in,
		 unsigned max_contacts);
/* End it; @cause for the log. */
void binding_drop(struct binding *b, const char *cause);
void binding_drop_all(struct registrar *reg, const char *phone,
		      const char *cause);
/* The configuration has changed: drop what it does not know any more. */
void binding_drop_unwanted(struct registrar *reg);
int binding_load(struct registrar *reg);
void binding_clear(struct registrar *reg);

#endif
