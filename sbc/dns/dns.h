/*
 * dns.h - names of SIP servers to addresses (RFC 3263), off the SIP thread
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One thread asks the name servers; everything here is called on the SIP
 * thread, never waits, and answers by callback on the SIP thread.  Answers are
 * kept as long as their TTL says, refusals too; when a refresh fails for want
 * of an answer, the last good one serves on for some hours, marked stale.
 * Memory and questions under way are bounded.
 */
#ifndef SBC_DNS_DNS_H
#define SBC_DNS_DNS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/loop.h"

struct dns;

enum {
	DNS_WAYS = 16,       /* addresses in one answer */
	DNS_SERVERS = 3,     /* name servers that are asked */
	DNS_NAME_BYTES = 256 /* with NUL */
};

enum dns_transport { DNS_ANY, DNS_UDP, DNS_TCP };
/* Addresses that the asker can reach, and which he likes better. */
enum dns_family { DNS_V4_FIRST, DNS_V6_FIRST, DNS_V4_ONLY, DNS_V6_ONLY };
enum dns_result {
	DNS_OK,
	DNS_NO_NAME,  /* NXDOMAIN: there is no such name */
	DNS_NO_DATA,  /* the name has no address or service for us */
	DNS_FAILED,   /* the servers refuse, fail or talk nonsense */
	DNS_TIMED_OUT /* no server answers */
};

struct dns_conf {
	struct loop *loop;
	/* At most DNS_SERVERS are used; none: those of resolv.conf(5), which is
	 * read anew for each look-up. */
	const struct addr *servers;
	unsigned n_servers;
	/* For one answer of one server, which is asked twice; 0 = 2000. */
	unsigned timeout_ms;
};

/* -ENOMEM, -EMFILE and others of the descriptors. */
int dns_create(struct dns **out, const struct dns_conf *conf);
/* Nobody is called back any more.  Does not wait for a server; not from a
 * callback.  Accepts NULL. */
void dns_destroy(struct dns *dns);
/* From the next look-up on; what is known is asked anew when it is asked for.
 * @n 0 = resolv.conf(5). */
void dns_set_servers(struct dns *dns, const struct addr *servers, unsigned n);

struct dns_question {
	/* A name, or a literal with or without brackets. */
	const char *host;
	/* 0 = not written.  Written: A and AAAA alone are asked for. */
	uint16_t port;
	/* DNS_ANY: NAPTR first, then SRV for UDP and TCP.  Otherwise SRV for
	 * this one.  Without SRV: A and AAAA, and port 5060. */
	enum dns_transport transport;
	enum dns_family family;
};

struct dns_way {
	struct addr addr;             /* with port */
	enum dns_transport transport; /* never DNS_ANY */
	/* Lower first; by NAPTR's order, then by SRV's priority, counted from
	 * 0. */
	uint16_t priority;
	uint16_t weight; /* as in SRV; 0 where there is none */
	/* The addresses of one host bear the same number and stand together:
	 * weights are of hosts. */
	uint16_t target;
};

struct dns_answer {
	enum dns_result result;
	/* DNS_OK, but the last refresh failed: @ways are of before. */
	bool is_stale;
	/* From now; then it is worth while to ask again.  Never 0. */
	unsigned ttl_s;
	unsigned n; /* at least 1 if DNS_OK, else 0 */
	/* By priority; dns_order() draws among equals. */
	struct dns_way ways[DNS_WAYS];
};

/* @a is the callee's own for the time of the call. */
typedef void (*dns_fn)(void *arg, const struct dns_answer *a);

/*
 * Ask @q; @fn(@arg) is called once, never before this returns, also when the
 * answer is known or the host is a literal.  @id is for dns_cancel(), never 0.
 * @q is copied.  -EINVAL: no host name at all.  -EAGAIN: too many questions
 * are under way.  -ENOMEM; errors of pthread_create(3).
 */
int dns_resolve(uint64_t *id, struct dns *dns, const struct dns_question *q,
		dns_fn fn, void *arg);
/* Who asked does not want to know any more.  0 and ids of the past are
 * harmless. */
void dns_cancel(struct dns *dns, uint64_t id);

/*
 * The ways of @a in the order of RFC 2782: by priority, among equals hosts
 * drawn at random by weight, anew with each call; the addresses of a host as
 * its asker likes them.  At most @max; returns how many.  Any thread.
 */
unsigned dns_order(const struct dns_answer *a, struct dns_way *out,
		   unsigned max);

const char *dns_result_name(enum dns_result result); /* "ok", "no name", ... */

#endif
