/*
 * config.h - the configuration: UCI text in, a typed immutable snapshot out
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A snapshot never changes; a reload makes a new one and swaps it.  Whoever
 * keeps a pointer into a snapshot across callbacks holds a reference; look-ups
 * and references belong to the SIP thread.  sbc.conf(5) describes the text.
 */
#ifndef SBC_CONFIG_CONFIG_H
#define SBC_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/buf.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/log.h"

struct config;

enum conf_transport { CONF_UDP, CONF_TCP };
enum conf_digest { CONF_MD5, CONF_SHA256, CONF_DIGEST_BOTH, CONF_DIGEST_UNSET };
enum conf_nat { CONF_NAT_AUTO, CONF_NAT_ALWAYS, CONF_NAT_NEVER };
enum conf_keepalive {
	CONF_KA_AUTO,
	CONF_KA_CRLF,
	CONF_KA_OPTIONS,
	CONF_KA_OFF
};
enum conf_lost { CONF_LOST_KEEP, CONF_LOST_DROP };
enum conf_contact {
	CONF_CONTACT_AUTO,
	CONF_CONTACT_SOURCE,
	CONF_CONTACT_STATED
};
enum conf_strangers { CONF_ANSWER, CONF_SILENT };
enum conf_latch { CONF_LATCH_RESTRICTED, CONF_LATCH_OPEN };
enum conf_registrar_mode { CONF_MIRROR, CONF_THROTTLE };
enum conf_trust { CONF_TRUST_NONE, CONF_TRUST_SOURCE };
/* How pressed keys travel to a peer (RFC 4733, or INFO). */
enum conf_dtmf { CONF_DTMF_AUTO, CONF_DTMF_RFC4733, CONF_DTMF_INFO };
/* Reliable provisional responses (RFC 3262): when the peer can; never; asked
 * of it with Require. */
enum conf_rel100 { CONF_REL100_AUTO, CONF_REL100_OFF, CONF_REL100_REQUIRE };
/* A peer's REFER: done by us; passed to the other side; refused. */
enum conf_refer { CONF_REFER_LOCAL, CONF_REFER_PASS, CONF_REFER_OFF };
/* How a trunk writes numbers (product rule: E.164 inside). */
enum conf_numbers {
	CONF_NUMBERS_ASIS,
	CONF_NUMBERS_E164,          /* +49301234 */
	CONF_NUMBERS_PLAIN,         /* 49301234 */
	CONF_NUMBERS_INTERNATIONAL, /* 0049301234 */
	CONF_NUMBERS_NATIONAL,      /* 0301234 where it is the own country */
};
/* The header that tells a trunk who calls, beside From. */
enum conf_identity {
	CONF_IDENTITY_NONE,
	CONF_IDENTITY_PAI,  /* P-Asserted-Identity (RFC 3325) */
	CONF_IDENTITY_PPI,  /* P-Preferred-Identity (RFC 3325) */
	CONF_IDENTITY_RPID, /* Remote-Party-ID */
};
enum conf_rule_action {
	CONF_RULE_ADD,
	CONF_RULE_REMOVE,
	CONF_RULE_REPLACE,
	CONF_RULE_PASS, /* a line that by itself would stay on its side */
};
enum conf_direction { CONF_DIRECTION_BOTH, CONF_IN, CONF_OUT };
/* Kinds of m= lines that may cross, as bits. */
enum conf_media {
	CONF_MEDIA_AUDIO = 1,
	CONF_MEDIA_VIDEO = 2,
	CONF_MEDIA_IMAGE = 4, /* T.38 */
	CONF_MEDIA_OTHER = 8,
};

/* Methods that routes may tell apart. */
enum conf_method {
	CONF_FOR_INVITE,
	CONF_FOR_SUBSCRIBE,
	CONF_FOR_MESSAGE,
	CONF_FOR_PUBLISH,
	CONF_FOR_OPTIONS,
	CONF_METHODS
};

enum { CONF_NAMESERVERS = 3 };

struct conf_global {
	char hostname[256]; /* "" when absent */
	unsigned max_calls, ring_timeout_s, workers;
	unsigned source_rate; /* datagrams/s of one unknown source; 0 = off */
	unsigned max_cps;     /* new calls per second; 0 = no limit */
	unsigned cdr_days;    /* that call records are kept; 0 = none are */
	char (*emergency)[LIMIT_USER_BYTES]; /* numbers, n_emergency */
	unsigned n_emergency;
	/* Name servers, with port; none: those of resolv.conf(5). */
	struct addr nameservers[CONF_NAMESERVERS];
	unsigned n_nameservers;
	char *flow_key; /* shared with our other boxes; NULL = of our own */
	enum log_level log_level;
	enum log_format log_format;
};

struct conf_listen {
	enum conf_transport transport;
	uint16_t port;
};

/*
 * What a session with a peer may be: of a realm for its phones, of a trunk for
 * itself; what a trunk's section leaves out is as its realm says.
 */
struct conf_policy {
	/* Encoding names ("PCMA", "opus") in the order we like them; codecs
	 * that are not named do not cross.  None: all do, as they come. */
	char (*codecs)[LIMIT_NAME_BYTES];
	unsigned n_codecs;
	unsigned ptime_ms; /* asked of the peer; 0 = as the other side does */
	unsigned media;    /* bits of enum conf_media */
	enum conf_dtmf dtmf;
	enum conf_rel100 rel100;
	/* RFC 4028; 0 = no timer of ours. */
	unsigned session_expires_s, min_se_s;
	enum conf_refer refer;
};

/* Bounds that admission holds a realm, trunk or phone to; 0 = none. */
struct conf_limit {
	unsigned max_calls, max_cps;
};

struct conf_realm {
	char name[LIMIT_NAME_BYTES];
	char interface[32];     /* "" unless written */
	struct addr *addresses; /* n_addresses; both absent = all addresses */
	unsigned n_addresses;
	struct conf_listen *listen;
	unsigned n_listen; /* at least 1 */
	char domain[256];  /* "" when absent */
	char **aliases;
	unsigned n_aliases;
	uint16_t port_min, port_max; /* media; port_min even */
	unsigned port_rest_s, media_timeout_s, media_timeout_hold_s;
	enum conf_latch latch;
	enum conf_nat nat;
	enum conf_keepalive keepalive;
	unsigned keepalive_interval_s, min_expires_s, max_expires_s;
	unsigned nat_expires_s; /* longest for UDP behind NAT; 0 = no limit */
	enum conf_lost keepalive_lost;
	/* Who owns the registrations: "" = we, else the name of a trunk. */
	char registrar[LIMIT_NAME_BYTES];
	enum conf_registrar_mode registrar_mode;
	unsigned registrar_expires_s; /* asked of it when throttling */
	enum conf_strangers strangers;
	enum conf_digest digest;
	char digest_realm[256]; /* domain, else hostname, else "sbc" */
	struct conf_policy policy;
	struct conf_limit limit;
};

struct conf_phone {
	struct hash_node by_user, by_auth, by_name;
	char name[LIMIT_NAME_BYTES];
	char user[LIMIT_USER_BYTES], auth_user[LIMIT_USER_BYTES];
	char realm[LIMIT_NAME_BYTES]; /* "" = any */
	char *password;
	char caller_id[LIMIT_USER_BYTES];
	unsigned max_contacts;
	struct conf_limit limit;
	enum conf_contact contact;
	enum conf_digest digest; /* CONF_DIGEST_UNSET = the realm's */
};

/* Where a trunk lives: `host`, or one of `list peer`. */
struct conf_host {
	char name[256];   /* as written */
	struct addr addr; /* with port (5060) when the name is a literal, else
			     unset: to be resolved (RFC 3263) */
	uint16_t port;    /* 0 = not written: SRV */
	unsigned priority, weight; /* as of SRV: lower first; 10, 100 */
};

struct conf_trunk {
	char name[LIMIT_NAME_BYTES], realm[LIMIT_NAME_BYTES];
	struct addr host; /* of the first host when that is a literal, with
			     port, 5060 when absent; else unset */
	struct conf_host *hosts; /* n_hosts, at least 1 */
	unsigned n_hosts;
	bool port_written;
	enum conf_transport transport;
	enum conf_trust trust;
	bool path; /* give it our Path (RFC 3327) as registrar */

	/* Who we are there. */
	bool do_register;                 /* option register */
	char username[LIMIT_USER_BYTES];  /* AOR's user; "" = none */
	char auth_user[LIMIT_USER_BYTES]; /* username when absent */
	char *password;                   /* NULL = none */
	char domain[256]; /* of From, To and AOR; "" = the host's name */
	unsigned register_expires_s;

	unsigned options_interval_s; /* health; 0 = none */
	unsigned failover_ms; /* no answer at all: the next host or target */
	unsigned tcp_above;   /* UDP requests above so many bytes go by TCP;
				 0 = never */
	char country_code[8], area_code[8];
	char international_prefix[8], national_prefix[8];
	enum conf_numbers numbers; /* that we send to it */
	enum conf_identity identity;
	/* Its identity headers are believed and ours go to it. */
	bool trust_identity;
	struct conf_policy policy;
	struct conf_limit limit;
};

/* One row of the header table. */
struct conf_rule {
	char name[LIMIT_NAME_BYTES];
	enum conf_rule_action action;
	char header[64];  /* long form */
	char match[256];  /* of the value: '*' any run, '?' one; "" = all */
	char value[256];  /* of add and replace */
	uint32_t methods; /* bits 1 << enum conf_method; 0 = all */
	enum conf_direction direction; /* in = from a peer, out = to it */
	char trunk[LIMIT_NAME_BYTES], realm[LIMIT_NAME_BYTES]; /* "" = any */
};

struct conf_route {
	char name[LIMIT_NAME_BYTES];
	char from_realm[LIMIT_NAME_BYTES]; /* "" = any */
	char from[LIMIT_NAME_BYTES]; /* trunk or phone section; "" = any */
	char match[128];             /* called; "" = all */
	char calling[128];           /* caller's user; "" = all */
	/* Number rewriting: so many characters off the front, this before. */
	unsigned strip;
	char prefix[32];
	unsigned calling_strip;
	char calling_prefix[32];
	uint32_t methods; /* bits 1 << enum conf_method; 0 = all */
	/* Trunk or phone section names, in order. */
	char (*to)[LIMIT_NAME_BYTES];
	unsigned n_to;
};

/* One fault, as a sentence; @line counts from 1, 0 = the file as a whole. */
struct conf_error {
	char file[256];
	unsigned line;
	char text[256];
};

struct conf_errors {
	struct conf_error *list;
	size_t n;
};

/*
 * Read and check @path (and the secrets file it names).  Returns 0, or
 * -EINVAL with every fault in @errs, or -errno of the open (also told in
 * @errs).  @errs is to be cleared by the caller in every case.  No side
 * effects.
 */
int config_load(struct config **out, const char *path,
		struct conf_errors *errs);
/* The same from memory; secrets are looked for beside @name.  For the
 * embedded default and the fuzz target. */
int config_parse(struct config **out, const char *name, struct str text,
		 struct conf_errors *errs);
void conf_errors_clear(struct conf_errors *errs);

struct config *config_ref(struct config *c);
void config_unref(struct config *c); /* accepts NULL */

const struct conf_global *config_global(const struct config *c);
size_t config_realms(const struct config *c, const struct conf_realm **out);
size_t config_trunks(const struct config *c, const struct conf_trunk **out);
size_t config_routes(const struct config *c, const struct conf_route **out);
/* The header table, from top to bottom. */
size_t config_rules(const struct config *c, const struct conf_rule **out);
size_t config_phone_count(const struct config *c);

/* ---- names of headers: header_names.c ------------------------------------ */

enum conf_header {
	CONF_HEADER_FREE,
	CONF_HEADER_IDENTITY, /* says who calls: option trust_identity */
	CONF_HEADER_OWNED,    /* the box writes its own on each side */
};

/* RFC 3261 25.1: token. */
bool conf_header_is_name(const char *text);
/* The long form of @name; itself when it has no other. */
const char *conf_header_long(const char *name);
/* Of a long form; case does not matter. */
enum conf_header conf_header_kind(const char *name);

/* ---- look-ups -------------------------------------------------------------- */

/* Look-ups by section name; NULL when there is none. */
const struct conf_realm *config_realm(const struct config *c, const char *name);
const struct conf_trunk *config_trunk(const struct config *c, const char *name);
const struct conf_phone *config_phone(const struct config *c, const char *name);
/* The phone with this (auth) user that may be in realm @realm (its own realm
 * or none written).  Users are case-sensitive.  @realm NULL = whatever. */
const struct conf_phone *config_phone_by_user(const struct config *c,
					      const char *realm,
					      struct str user);
const struct conf_phone *config_phone_by_auth(const struct config *c,
					      const char *realm,
					      struct str auth_user);
/* The trunk that a request from @source over @transport in @realm belongs to
 * (contract: address, transport and, where written, on UDP the port). */
const struct conf_trunk *config_trunk_by_source(const struct config *c,
						const char *realm,
						const struct addr *source,
						enum conf_transport transport);

#endif
