/*
 * trunk.h - where each trunk is, whether it works, and our registration there
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A trunk has hosts: what its section names, resolved (RFC 3263).  Each host
 * has a circuit breaker, which calls, REGISTERs and OPTIONS of our own open and
 * close.  A trunk with option register has one binding at its provider, kept
 * there by this room.  SIP thread only; nothing waits for a name server.
 */
#ifndef SBC_TRUNK_TRUNK_H
#define SBC_TRUNK_TRUNK_H

#include "config/config.h"
#include "core/loop.h"
#include "sip/sip.h"

struct dns;
struct trunks;

enum {
	TRUNK_WAYS = 16, /* that a trunk is tried by, one after the other */
	TRUNK_REASON_BYTES = 160,
};

struct trunks_conf {
	struct loop *loop;
	struct sip_stack *sip;
	struct dns *dns; /* NULL: hosts that are names stay unknown */
	/* @a is an address of a trunk from now on.  NULL = nobody wants to
	 * know. */
	void (*known)(void *arg, const struct addr *a);
	void *arg;
};

/* -ENOMEM.  Nothing is sent before trunks_start(). */
int trunks_create(struct trunks **out, const struct trunks_conf *conf,
		  struct config *config);
/* Without a word to anybody; see trunks_stop().  Accepts NULL. */
void trunks_destroy(struct trunks *trunks);
/* The sockets are bound: register, and ask how they are. */
void trunks_start(struct trunks *trunks);
/* De-register everywhere; trunks_busy() says when it is done.  No more than one
 * REGISTER each is tried. */
void trunks_stop(struct trunks *trunks);
bool trunks_busy(const struct trunks *trunks);
/* What is as it was keeps its state; trunks that are gone, or somebody else
 * there now, are de-registered. */
void trunks_set_config(struct trunks *trunks, struct config *config);
/* Our addresses have changed: whoever was told another Contact than he would
 * be told now is told so at once. */
void trunks_listeners_changed(struct trunks *trunks);

/*
 * The trunk that a request from @source over @transport in @realm belongs to:
 * its literal hosts as config_trunk_by_source() says, and what its names
 * resolve to, or did until some minutes ago.  NULL: nobody's.
 */
const struct conf_trunk *trunks_by_source(const struct trunks *trunks,
					  const char *realm,
					  const struct addr *source,
					  enum conf_transport transport);

/* ---- the ways for a request ------------------------------------------------ */

enum trunk_grade {
	TRUNK_GOOD,
	TRUNK_SUSPECT, /* did not answer of late: when there is no other */
	TRUNK_OUT,     /* asked to be left alone until later (Retry-After) */
};

struct trunk_way {
	struct addr remote;
	enum sip_transport transport;
	enum trunk_grade grade;
	char target[280]; /* what stands after sip:user@ in a Request-URI */
};

/*
 * The hosts of trunk @name in the order in which they are to be tried now: the
 * better grade first, then by priority, and by weight at random among equals
 * (RFC 2782).  At most @max; returns how many, 0 when none is known.
 */
unsigned trunks_ways(struct trunks *trunks, const char *name,
		     struct trunk_way *out, unsigned max);
/* The host of From, To and AOR at this trunk: its domain, or its first host as
 * a URI writes it.  Written into @mem unless it stands in @trunk. */
const char *trunk_domain(const struct conf_trunk *trunk,
			 char mem[ADDR_TEXT_MAX]);
/* The route set that our registration there was given (Service-Route, RFC
 * 3608), as a Route header's value; NULL = none. */
const char *trunks_service_route(const struct trunks *trunks, const char *name);

/* What became of a request to a host. */
enum trunk_outcome {
	TRUNK_ANSWERED, /* by any status, which is given */
	TRUNK_SILENT,   /* nothing at all came in time */
	TRUNK_REFUSED,  /* TCP or ICMP said no, or the connection broke */
	TRUNK_UNSENT,   /* we have no route or socket to it */
};

struct trunk_report {
	enum trunk_outcome outcome;
	int status;            /* TRUNK_ANSWERED */
	int64_t retry_after_s; /* of a 503; -1 = not given */
};

/* Tell what became of a request along @way; a trunk or host that is gone is
 * nobody's. */
void trunks_report(struct trunks *trunks, const char *name,
		   const struct trunk_way *way,
		   const struct trunk_report *report);

/* ---- to look at ------------------------------------------------------------- */

enum trunk_state {
	TRUNK_UNKNOWN, /* nothing was heard yet, and nothing failed */
	TRUNK_UP,
	TRUNK_UNREGISTERED, /* it answers, but has not our binding */
	TRUNK_DOWN,         /* no host answers, or none is known */
};

const char *trunk_state_name(enum trunk_state state);
const char *trunk_grade_name(enum trunk_grade grade); /* "good", ... */

struct trunk_host_look {
	char name[256]; /* as written */
	struct addr remote;
	enum sip_transport transport;
	enum trunk_grade grade;
	unsigned priority, weight;
	int64_t rtt_ms; /* of the last OPTIONS; -1 = none yet */
	char reason[TRUNK_REASON_BYTES]; /* its last failure; "" = none */
};

struct trunk_look {
	const char *name, *realm;
	enum trunk_state state;
	char reason[TRUNK_REASON_BYTES]; /* what is wrong; "" = nothing */
	bool registers;                  /* option register */
	wall_ms registered_until;        /* 0 = not registered */
	int64_t rtt_ms;                  /* of the best host; -1 = unknown */
	struct trunk_host_look hosts[TRUNK_WAYS];
	unsigned n_hosts;
};

/* -ENOENT: there is no such trunk. */
int trunks_look(const struct trunks *trunks, const char *name,
		struct trunk_look *out);

#endif
