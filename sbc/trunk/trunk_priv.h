/*
 * trunk_priv.h - trunks as the files of their room see them
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_TRUNK_TRUNK_PRIV_H
#define SBC_TRUNK_TRUNK_PRIV_H

#include "core/hash.h"
#include "core/list.h"
#include "dns/dns.h"
#include "trunk/breaker.h"
#include "trunk/trunk.h"

enum {
	/* An answer to OPTIONS or REGISTER that has not come by then is lost;
	 * UDP has sent it five times. */
	TRUNK_PATIENCE_MS = 4500,
	HOST_WORDS_BYTES = 256 + ADDR_TEXT_MAX + 4,
};

/* One address of a trunk. */
struct trunk_host {
	struct list node;           /* of its trunk */
	struct hash_node by_source; /* without port */
	struct trunk *trunk;
	struct addr remote;
	enum sip_transport transport;
	unsigned of;    /* which of the section's hosts it was last */
	char name[256]; /* as written there */
	bool is_literal, is_port_written;
	unsigned name_priority; /* the section's, then the name server's */
	unsigned srv_priority;
	unsigned target; /* addresses with the same one are one server */
	uint64_t weight; /* at least 1 */
	mono_ms gone_at; /* its name resolves to it no longer since; 0 = does */
	struct breaker breaker;
	bool was_heard;  /* by whatever */
	bool was_ponged; /* it has answered an OPTIONS once */
	bool was_lost;   /* and has not answered one */
	bool no_route;   /* none of our sockets reaches it, such as IPv6 */
	char reason[TRUNK_REASON_BYTES];
	/* trunk_health.c */
	struct timer due, patience;
	struct sip_txn *options;
	uint64_t sent_us;
	int64_t rtt_ms;
};

/* One name of a trunk that is looked up. */
struct trunk_name {
	struct trunk *trunk;
	unsigned of;
	uint64_t question; /* 0 = none under way */
	struct timer again;
	bool was_answered;
	struct dns_answer answer;
};

enum reg_state {
	REG_OFF,     /* not to be registered, or not yet */
	REG_ASKING,  /* a REGISTER is under way */
	REG_HELD,    /* it has our binding; the refresh is due */
	REG_WAITING, /* the last one failed; another is due */
	REG_LEAVING, /* the de-REGISTER is under way */
	REG_GONE,    /* it is over */
};

enum { CONTACT_BYTES = 3 * LIMIT_USER_BYTES + ADDR_TEXT_MAX + 40 };

/* Our binding at a provider: trunk_register.c. */
struct trunk_reg {
	enum reg_state state;
	struct sip_txn *txn;
	struct timer due, patience, expiry, keepalive;
	char call_id[25], from_tag[17];
	uint32_t cseq;
	char contact[CONTACT_BYTES]; /* URI that the last REGISTER brought */
	char held[CONTACT_BYTES];    /* that the provider may have; "" = none */
	mono_ms until;               /* it has it until then */
	wall_ms wall_until;
	unsigned ask_s;       /* 0 = as configured; else by 423 */
	unsigned n_longer;    /* 423s in a row */
	unsigned failures;    /* in a row */
	bool is_fatal;        /* the last answer was a refusal */
	bool again;           /* once more, when this one is over */
	struct trunk_way way; /* of the last REGISTER */
	struct sip_flow flow; /* likewise; of the answer on TCP */
	struct addr seen;     /* as which the provider saw us; unset = ? */
	struct addr failed;   /* the host that failed last; unset = none */
	mono_ms asked_at, pinged_at;
	char *service_route;
	char reason[TRUNK_REASON_BYTES]; /* of the last failure; "" = none */
};

struct trunk {
	struct list node;
	struct trunks *owner;
	struct config *config; /* holds conf */
	const struct conf_trunk *conf;
	struct list hosts;
	struct trunk_name *names;
	unsigned n_names;
	struct timer sweep; /* of hosts that are gone */
	struct trunk_reg reg;
	bool is_leaving; /* its section is gone: only de-registers */
	enum trunk_state state;
	char reason[TRUNK_REASON_BYTES];
};

struct trunks {
	struct trunks_conf conf;
	struct config *config;
	struct list all, leaving;
	struct hash by_source; /* trunk_host */
	bool is_started, is_stopping;
};

/* ---- trunk.c -------------------------------------------------------------- */

struct trunk *trunk_find(const struct trunks *trunks, const char *name);
/* Free a trunk that leaves, when the present callback has returned. */
void trunk_bury(struct trunk *t);

/* ---- trunk_hosts.c -------------------------------------------------------- */

/* Literals are hosts at once, names are asked for. */
int hosts_init(struct trunk *t);
/* The section's hosts have changed: those that are the same stay. */
void hosts_renew(struct trunk *t);
void hosts_clear(struct trunk *t);
struct trunk_host *host_by_addr(const struct trunk *t, const struct addr *a);
/* "sip.example.net (192.0.2.1:5060)". */
const char *host_words(const struct trunk_host *h, char text[HOST_WORDS_BYTES]);
/* Its hosts that are to be asked, as they stand. */
bool host_is_present(const struct trunk_host *h);
/* Why no host is known; "" = some are, or may soon be. */
void hosts_reason(const struct trunk *t, char reason[TRUNK_REASON_BYTES]);

/* ---- trunk_ways.c --------------------------------------------------------- */

/* trunks_ways() of @t. */
unsigned ways_of(const struct trunk *t, struct trunk_way *out, unsigned max);
enum trunk_grade host_grade(const struct trunk_host *h, mono_ms now);
/* It answered @what ("a call", "REGISTER"), or did not. */
void host_worked(struct trunk_host *h, bool was_probe);
void host_failed(struct trunk_host *h, enum breaker_failure failure,
		 const char *what);

/* ---- trunk_health.c ------------------------------------------------------- */

/* Plan the next OPTIONS, or none. */
void health_plan(struct trunk_host *h);
void health_stop(struct trunk_host *h);

/* ---- trunk_register.c ----------------------------------------------------- */

void reg_init(struct trunk *t);
/* Register now, or as soon as what is under way is answered. */
void reg_kick(struct trunk *t, int64_t in_ms);
/* It treats us as a stranger: has it lost our binding? */
void reg_doubt(struct trunk *t);
/* A host has become known, or works again. */
void reg_host_up(struct trunk *t);
/* @h was away: restarted perhaps, and it may have forgotten us. */
void reg_host_back(const struct trunk_host *h);
/* De-register: afterwards the state is REG_GONE. */
void reg_leave(struct trunk *t);
void reg_clear(struct trunk *t);
bool reg_is_held(const struct trunk *t);
/* The provider saw a message of ours come from @seen. */
void reg_seen(struct trunk *t, const struct trunk_host *h,
	      const struct addr *seen);
/* Would we be told another Contact than we told it? */
void reg_check_contact(struct trunk *t);

/* ---- trunk_state.c -------------------------------------------------------- */

/* Something has changed: is the trunk in another state now? */
void trunk_judge(struct trunk *t);
/* The alarms, from all trunks. */
void trunks_tell(struct trunks *trunks);

#endif
