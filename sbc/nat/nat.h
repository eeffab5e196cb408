/*
 * nat.h - what stands between us and a peer, and keeping the way through it
 * open
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Three things: the verdict on what a message shows of NATs and ALGs
 * (evidence.c, pure), the keepalive engine, which knows flows and who needs
 * them (keepalive.c, with learn.c, pure), and what kind of NAT it is
 * (kind.c).  Knows no RTP and no registrations.  SIP thread only.
 */
#ifndef SBC_NAT_NAT_H
#define SBC_NAT_NAT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/list.h"
#include "core/loop.h"
#include "sip/sip.h"

/* ---- evidence and verdict ------------------------------------------------ */

/*
 * What a message can show; each has a name, nat_evidence_name().  Names (not
 * addresses) in a header show nothing, and a private address shows something
 * only where the source is another.
 */
enum nat_evidence {
	NAT_VIA_HOST,        /* top Via host is not the source's */
	NAT_VIA_PORT,        /* top Via port is not the source's; UDP only */
	NAT_VIA_PRIVATE,     /* top Via host is a private or CGN address */
	NAT_CONTACT_HOST,    /* Contact host is not the source's */
	NAT_CONTACT_PORT,    /* Contact port is not the source's; UDP only */
	NAT_CONTACT_PRIVATE, /* Contact host is private or CGN */
	NAT_SDP_HOST,        /* SDP c= is not the source's host */
	NAT_SDP_PRIVATE,     /* SDP c= is private or CGN */
	NAT_ORIGIN_PRIVATE,  /* SDP o= host is private or CGN, c= is not */
	NAT_CALLID_PRIVATE,  /* host part of the Call-ID is private or CGN and
				nothing else is */
	NAT_SOURCE_CGN,      /* it comes from 100.64.0.0/10 itself */
	NAT_REPLIED_PRIVATE, /* a response's Contact or SDP named one */
	/* what only an ALG does */
	NAT_ALG_CALLID, /* Call-ID changed between requests of one binding */
	NAT_ALG_MIX,    /* Via says the source, Contact does not: it is private,
			   or only the port of one of them is wrong */
	NAT_ALG_SDP,    /* o= was rewritten and c= was not, or m= port and
			     a=rtcp do not fit */
	NAT_ALG_LENGTH, /* Content-Length does not fit the body */
	NAT_ALG_RPORT,  /* rport or received came filled in, and wrong */
	NAT_ALG_TO_US,  /* our own address in a header came back changed */
	NAT_EVIDENCES
};

enum nat_alg {
	NAT_ALG_NONE,
	NAT_ALG_TRANSPARENT, /* rewrites, and does it right */
	NAT_ALG_BROKEN,      /* rewrites, and does it wrong */
};

struct nat_verdict {
	uint32_t evidence; /* bit 1 << enum nat_evidence */
	bool behind;       /* behind a NAT */
	enum nat_alg alg;
	struct addr announced; /* what its Via, else its Contact said; unset =
				  a name */
};

/* What is looked at; NULL or unset = not there. */
struct nat_look {
	const struct sip_view *view; /* request or response, with its flow */
	struct addr sdp;             /* c= of its description, port of m= */
	struct addr sdp_origin;      /* o= */
	uint16_t sdp_rtcp;           /* a=rtcp port, 0 = none */
	const char *call_id;         /* of the binding's last REGISTER */
};

/* Pure: the same look gives the same verdict (RFC 3581, RFC 3261 18.2). */
void nat_judge(struct nat_verdict *out, const struct nat_look *look);
/* @more, seen later of the same peer, adds to @v: what was shown once holds,
 * for as long as the flow is the same. */
void nat_verdict_add(struct nat_verdict *v, const struct nat_verdict *more);
/* "contact-private", ... */
const char *nat_evidence_name(enum nat_evidence e);
const char *nat_alg_name(enum nat_alg alg); /* "none", "transparent", ... */
/* The verdict in words for people, one sentence without control bytes:
 * "announced 192.168.1.7:5060, seen from 84.1.2.3:40112: behind NAT; Call-ID
 * rewritten between requests: SIP ALG, broken".  NAT_REASON_MAX is enough for
 * any. */
#define NAT_REASON_MAX 768
void nat_reason(struct buf *out, const struct nat_verdict *v,
		const struct addr *seen);

/* ---- the keepalive engine ------------------------------------------------ */

struct keepalive;
struct keep_flow; /* one flow in the engine */

/* Why a flow must stay open. */
enum keep_reason { KEEP_REG, KEEP_DLG, KEEP_SUB, KEEP_REASONS };

enum keep_method { KEEP_CRLF, KEEP_OPTIONS };

/* What the engine found out of a way; worth keeping beyond the flow. */
struct nat_learned {
	uint16_t floor_s;     /* longest silence that it survived, 0 = none */
	uint16_t ceiling_s;   /* shortest that it did not, 0 = none */
	bool answers;         /* the phone answers OPTIONS */
	bool inbound_holds;   /* proved: our packets alone keep it open */
	uint32_t interval_ms; /* between pings; 0 = nothing known */
	uint32_t
		phase_ms; /* its place: wall clock at a ping, modulo interval */
};

struct keep_want {
	/* AUTO: the engine chooses method and interval, and learns. */
	enum { KEEP_AUTO, KEEP_ALWAYS_CRLF, KEEP_ALWAYS_OPTIONS } how;
	unsigned interval_ms; /* AUTO: to begin with, at most */
	/* Off-link, or with evidence: assume the worst NAT until proved.  A
	 * neighbour without evidence gets CRLF at interval_ms. */
	bool careful;
	/* Of an earlier flow of the same peer, or from before a restart. */
	struct nat_learned learned;
	/* Another process kept it until just now: go on at learned.phase_ms,
	 * and soon if that fell into the time when nobody did.  All such holds
	 * are made before the loop turns. */
	bool resumed;
	const char *target; /* Request-URI of OPTIONS; lives as long as the
			       hold.  NULL: the flow's remote address */
};

/* One owner's hold on a flow, embedded in the owner; zero before first use. */
struct keep {
	struct list link;       /* of the flow's holds */
	struct keep_flow *flow; /* NULL = holds nothing */
	const char *target;
	enum keep_reason reason;
};

enum keep_event {
	KEEP_LOST,    /* three pings in a row unanswered, or the connection is
			 gone: nothing comes through any more */
	KEEP_BACK,    /* it was lost, and something came */
	KEEP_PROVED,  /* the first answer to an OPTIONS on this flow */
	KEEP_LEARNED, /* keep_info.learned is worth keeping anew; not for the
			 place that keepalive_hold() gives: look after that */
};

/* To look at. */
struct keep_info {
	enum keep_method method;
	unsigned interval_ms;
	mono_ms next;    /* ping */
	mono_ms heard;   /* last packet from there, 0 = never */
	mono_ms lost_at; /* 0 = not lost */
	uint32_t sent, answered, unanswered;
	/* Round trips of OPTIONS: the last ones, newest first, and over all. */
	uint32_t rtt_us[8], n_rtt, rtt_min_us, rtt_avg_us, rtt_max_us;
	unsigned holds[KEEP_REASONS];
	struct nat_learned learned;
};

struct keepalive_conf {
	struct loop *loop;
	/* Send one ping along @flow: CR LF CR LF, or with @token an OPTIONS
	 * with Request-URI @target that brings the token back through
	 * keepalive_answered().  -errno; -ENOTCONN means lost, -EINVAL that
	 * @target cannot be written: then it is called without. */
	int (*ping)(void *arg, const struct sip_flow *flow,
		    enum keep_method method, const char *target,
		    uint64_t token);
	/* Told for every hold of the flow; holds may be made and released. */
	void (*event)(void *arg, struct keep *k, enum keep_event event);
	void *arg;
	/* Divides every time of the engine, for tests; 0 = 1.  Intervals and
	 * what was learned are told undivided, moments as they are. */
	unsigned speed;
};

int keepalive_create(struct keepalive **out, const struct keepalive_conf *conf);
/* Holds that are left point nowhere.  Accepts NULL. */
void keepalive_destroy(struct keepalive *ka);

/* @k holds @flow from now on; a former hold of @k ends.  What was learned moves
 * along to another port of the same host, and that it moved is learned from:
 * do not release it first.  -ENOMEM: it holds nothing. */
int keepalive_hold(struct keepalive *ka, struct keep *k,
		   const struct sip_flow *flow, enum keep_reason reason,
		   const struct keep_want *want);
/* The flow's pings end with its last hold, at once.  Accepts one that holds
 * nothing. */
void keepalive_release(struct keep *k);
/* The phone registered again along the same flow: the cycle that learning
 * goes by. */
void keepalive_refreshed(struct keep *k);

/* Anything came along @flow.  Cheap: called for each packet. */
void keepalive_heard(struct keepalive *ka, const struct sip_flow *flow);
/* The answer to the OPTIONS with @token came, with whatever status. */
void keepalive_answered(struct keepalive *ka, const struct sip_flow *flow,
			uint64_t token);
/* A request along @flow got no answer at all: look into it now. */
void keepalive_missed(struct keepalive *ka, const struct sip_flow *flow);

/* False: @k holds nothing. */
bool keepalive_look(const struct keep *k, struct keep_info *out);
bool keepalive_is_lost(const struct keep *k);
unsigned keepalive_flows(const struct keepalive *ka);
/* Flows held for @reason, lost flows, and pings sent so far. */
unsigned keepalive_held(const struct keepalive *ka, enum keep_reason reason);
unsigned keepalive_lost(const struct keepalive *ka);
uint64_t keepalive_sent(const struct keepalive *ka, enum keep_method method);

/* ---- what kind of NAT (RFC 4787) ------------------------------------------ */

enum nat_mapping {
	NAT_MAPPING_UNKNOWN,
	NAT_MAPPING_NONE,        /* no address is changed */
	NAT_MAPPING_INDEPENDENT, /* the same port towards everybody */
	NAT_MAPPING_DEPENDENT,
};

enum nat_filter {
	NAT_FILTER_UNKNOWN,
	NAT_FILTER_ANY,            /* anybody gets in */
	NAT_FILTER_ADDRESS,        /* any port of an address that it sent to */
	NAT_FILTER_ADDRESS_OR_ANY, /* at least these: we have one address */
	NAT_FILTER_PORT,           /* nobody else; or the phone is silent */
};

struct nat_kind {
	enum nat_mapping mapping;
	enum nat_filter filter;
};

struct nat_prober;
typedef void (*nat_kind_fn)(void *arg, uint64_t id,
			    const struct nat_kind *kind);

/* @done hears of each nat_probe() once, unless the prober is destroyed before;
 * it may begin another one or destroy the prober.  -errno. */
int nat_prober_create(struct nat_prober **out, struct loop *loop,
		      nat_kind_fn done, void *arg);
void nat_prober_destroy(struct nat_prober *p); /* accepts NULL */
/*
 * Send OPTIONS to the remote end of UDP @flow from another port and another
 * address of ours, and see which are answered, and from where: 3 tries in 3 s.
 * @target becomes the Request-URI; NULL: the remote address.  @id comes back
 * with the result.  -EAGAIN: 32 are under way.  -EINVAL: not UDP, or @target
 * cannot be written.  -errno: no socket.
 */
int nat_probe(struct nat_prober *p, const struct sip_flow *flow,
	      const char *target, const struct nat_verdict *verdict,
	      uint64_t id);
/* RFC 3489's words: "full-cone", "address-restricted", "port-restricted",
 * "symmetric", "none"; where less is known "address-restricted or full-cone",
 * "port-restricted or symmetric", "unknown". */
const char *nat_kind_name(const struct nat_kind *kind);

#endif
