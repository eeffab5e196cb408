/*
 * pass_priv.h - what the files of this room share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_PASS_PASS_PRIV_H
#define SBC_PASS_PASS_PRIV_H

#include "core/hash.h"
#include "core/limits.h"
#include "core/list.h"
#include "pass/pass.h"
#include "route/route.h"
#include "trunk/trunk.h"

enum { PASS_KEY_BYTES = LIMIT_CALLID_BYTES + LIMIT_URI_BYTES + 300 };

struct passes {
	struct passes_conf conf;
	struct config *config;
	struct hash by_key; /* struct pass_key: what is under way */
	struct list asks;   /* pass_request.c */
	unsigned n_asks;
	struct list subs;   /* subscription.c */
	struct hash phones; /* who has subscriptions, by section name */
	unsigned n_subs;
	struct list over; /* subscriptions that wait to be freed */
	struct timer reaper;
};

/* A request that was taken: the same one by another way is a merged one. */
struct pass_key {
	struct hash_node node;
	char *text; /* NULL = not in the table */
};

/* ---- pass.c ----------------------------------------------------------------- */

/* Who sends a request, and to whom, as the other side sees it. */
struct pass_sender {
	struct registrar_peer who;
	char from[LIMIT_USER_BYTES], to[LIMIT_USER_BYTES];
	char display[128]; /* "" = none */
	int max_forwards;  /* as in struct sip_message */
	uint64_t only;     /* the one binding that a token named; 0 = any */
};

/*
 * Everything that can be refused without keeping anything: who it is, whether
 * it is there already, where it goes.  False: @req has been answered.
 */
bool pass_admit(struct passes *p, struct sip_request *req,
		enum conf_method method, struct pass_sender *from,
		struct route_result *to);
void pass_refuse(struct sip_request *req, int status);
/* -ENOMEM. */
int pass_remember(struct passes *p, struct pass_key *key,
		  const struct sip_view *view);
void pass_forget(struct passes *p, struct pass_key *key);

/* The next hop's Max-Forwards, as in struct sip_message. */
int pass_max_forwards(const struct sip_view *view);

/* The headers that may cross of @view, a @method or an answer to one, by the
 * allow-list in pass.c; the values live as long as the view. */
struct pass_headers {
	struct sip_header list[32];
	unsigned n;
	char expires[16], state[128]; /* of those that are written anew */
};
void pass_headers(struct pass_headers *h, const struct sip_view *view,
		  enum sip_method method);
void pass_header_add(struct pass_headers *h, const char *name,
		     const char *value);
struct pass_way;
/* What the header table of @cfg makes of @h, the headers of request @view, on
 * its way from @from to @to. */
void pass_rules(struct pass_headers *h, const struct config *cfg,
		const struct pass_sender *from, const struct pass_way *to,
		const struct sip_view *view, enum sip_method method);
/* Fill in @m's headers, and body and content type as they came. */
void pass_put(struct sip_message *m, const struct pass_headers *h,
	      const struct sip_view *view);

/* One way to ask a target. */
struct pass_way {
	const struct conf_realm *realm;
	const char *peer; /* section name */
	bool is_trunk;
	struct sip_flow flow, source;
	const struct binding *binding; /* NULL = a trunk's */
	const char *route;             /* value of a Route header, or NULL */
	const char *uri;               /* Request-URI: @text, or the Contact */
	/* Of the trunk; the phone's, where that is its registrar. */
	struct sip_credentials credentials;
	const char *host; /* in From and To; NULL = of the addresses */
	char text[3 * LIMIT_USER_BYTES +
		  sizeof(((struct trunk_way *)0)->target) + 8];
};

/* Its realm is of @cfg.  -errno of sip_flow_to(). */
int pass_way_trunk(struct passes *p, const struct config *cfg,
		   const struct conf_trunk *trunk,
		   const struct pass_sender *from, struct pass_way *out);
/* -ENOENT: its socket belongs to no realm any more. */
int pass_way_binding(struct passes *p, const struct config *cfg,
		     const struct binding *b, struct pass_way *out);

/* The devices of a phone and the ways to each, newest first. */
struct pass_ways {
	const struct conf_phone *phone;
	struct pass_one_way {
		uint64_t binding;
		unsigned device; /* index of the device's first way */
		bool used;
	} list[LIMIT_FORKS];
	unsigned n;
};
void pass_ways_of(struct passes *p, const struct conf_phone *phone,
		  const struct pass_sender *from, struct pass_ways *out);
/* The first unused way of @device, used from now on; NULL = none is left. */
const struct binding *pass_next_way(struct passes *p, struct pass_ways *ways,
				    unsigned device);
/* RFC 5626 5.3, 7: not the user, but the way said no. */
bool pass_is_way_dead(int status);

/* ---- pass_request.c ---------------------------------------------------------- */

void requests_clear(struct passes *p);

/* ---- subscription.c ----------------------------------------------------------- */

void subscriptions_clear(struct passes *p);
/* The configuration has changed: what it does not know any more ends. */
void subscriptions_check(struct passes *p);

/* ---- sub_state.c ---------------------------------------------------------------- */

/* A Subscription-State header (RFC 6665 8.2.3), as much of it as may cross. */
struct sub_word {
	struct str state; /* "active", "pending", "terminated", ... */
	struct str reason;
	int64_t expires, retry_after; /* -1 = not given */
	bool is_terminated;
};
/* -EINVAL. */
int sub_word_parse(struct sub_word *out, struct str text);
void sub_word_print(const struct sub_word *w, char *out, size_t cap);
/* After this answer in its dialog a subscription is over (RFC 6665 4.1.2.2 and
 * 4.2.2; RFC 5057 5.1). */
bool sub_is_over(int status);

#endif
