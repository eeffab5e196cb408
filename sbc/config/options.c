/*
 * options.c - every section and option: one row each
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A row says where a value goes, what it may be and what it is when absent;
 * the standard value goes through the same setter as a written one.
 * sbc.conf(5) tells the same in words.
 */
#include <stddef.h>

#include "autoconf.h"
#include "config/set.h"

/* ---- the rows ----------------------------------------------------------- */

#define WORDS(name, ...) static const char *const name[] = {__VA_ARGS__, NULL}
WORDS(log_levels, "error", "warn", "info", "debug");
WORDS(log_formats, "text", "json");
WORDS(latches, "restricted", "open");
WORDS(nats, "auto", "always", "never");
WORDS(keepalives, "auto", "crlf", "options", "off");
WORDS(losts, "keep", "drop");
WORDS(contacts, "auto", "source", "stated");
WORDS(registrar_modes, "mirror", "throttle");
WORDS(strangers, "answer", "silent");
WORDS(digests, "md5", "sha256", "both");
WORDS(transports, "udp", "tcp");
WORDS(trusts, "none", "source");
WORDS(dtmfs, "auto", "rfc4733", "info");
WORDS(rel100s, "auto", "off", "require");
WORDS(refers, "local", "pass", "off");
WORDS(number_forms, "asis", "e164", "plain", "international", "national");
WORDS(identities, "none", "pai", "ppi", "rpid");
WORDS(rule_actions, "add", "remove", "replace", "pass");
WORDS(directions, "both", "in", "out");

#define AT(type, m)   .offset = offsetof(struct conf_##type, m)
#define TEXT(type, m) AT(type, m), .max = sizeof(((struct conf_##type *)0)->m)
#define NUMBER(type, m, low, high, std)                                        \
	.set = set_number, AT(type, m), .min = (low), .max = (high),           \
	.standard = (std)
#define WORD(type, m, list, std)                                               \
	.set = set_word, AT(type, m), .words = (list), .standard = (std)

#define FLAG(type, m) .set = set_flag, AT(type, m)
/* A time, or 0 = off. */
#define PERIOD(type, m, low, high, std)                                        \
	.set = set_seconds_or_off, AT(type, m), .min = (low), .max = (high),   \
	.standard = (std)

/* What a session may be.  A trunk has no standard values: its realm's. */
#define POLICY(type, ptime, auto_, se, min_se_, local)                         \
	{"codec", .set = add_codec, AT(type, policy), .list = true},           \
		{"ptime", PERIOD(type, policy.ptime_ms, 5, 200, ptime)},       \
		{"media", .set = add_media, AT(type, policy.media),            \
		 .list = true},                                                \
		{"dtmf", WORD(type, policy.dtmf, dtmfs, auto_)},               \
		{"rel100", WORD(type, policy.rel100, rel100s, auto_)},         \
		{"session_expires",                                            \
		 PERIOD(type, policy.session_expires_s, 90, 86400, se)},       \
		{"min_se", NUMBER(type, policy.min_se_s, 90, 86400, min_se_)}, \
	{                                                                      \
		"refer", WORD(type, policy.refer, refers, local)               \
	}

#define BOUNDS(type)                                                           \
	{"max_calls",                                                          \
	 NUMBER(type, limit.max_calls, 0, CONFIG_MAX_CALLS, "0")},             \
	{                                                                      \
		"max_cps", NUMBER(type, limit.max_cps, 0, 10000, "0")          \
	}

static const struct option sbc_options[] = {
	{"schema", .set = set_schema},
	{"hostname", .set = set_host_text, TEXT(global, hostname)},
	{"max_calls", NUMBER(global, max_calls, 1, CONFIG_MAX_CALLS, "200")},
	{"ring_timeout", NUMBER(global, ring_timeout_s, 1, 3600, "180")},
	{"log_level", WORD(global, log_level, log_levels, "info")},
	{"log_format", WORD(global, log_format, log_formats, "text")},
	{"secrets", .set = set_secrets},
	{"workers", NUMBER(global, workers, 0, CONFIG_MEDIA_WORKERS_MAX, "0")},
	{"source_rate", NUMBER(global, source_rate, 0, 1000000, "5000")},
	{"flow_key", .set = set_flow_key},
	{"max_cps", NUMBER(global, max_cps, 0, 10000, "0")},
	{"cdr_days", NUMBER(global, cdr_days, 0, 3650, "90")},
	{"emergency", .set = add_emergency, .list = true},
	{"nameserver", .set = add_nameserver, .list = true},
};

static const struct option realm_options[] = {
	{"interface", .set = set_interface, TEXT(realm, interface)},
	{"address", .set = add_address, .list = true},
	{"listen", .set = add_listen, .list = true},
	{"domain", .set = set_host_text, TEXT(realm, domain)},
	{"domain_alias", .set = add_alias, .list = true},
	{"media_ports", .set = set_media_ports, .standard = "20000-39999"},
	{"port_rest", NUMBER(realm, port_rest_s, 0, 600, "60")},
	{"media_timeout", NUMBER(realm, media_timeout_s, 1, 86400, "60")},
	{"media_timeout_hold",
	 NUMBER(realm, media_timeout_hold_s, 1, 86400, "1800")},
	{"latch", WORD(realm, latch, latches, "restricted")},
	{"nat", WORD(realm, nat, nats, "auto")},
	{"keepalive", WORD(realm, keepalive, keepalives, "auto")},
	{"keepalive_interval",
	 NUMBER(realm, keepalive_interval_s, 10, 300, "25")},
	{"min_expires", NUMBER(realm, min_expires_s, 1, 604800, "60")},
	{"max_expires", NUMBER(realm, max_expires_s, 1, 604800, "3600")},
	{"nat_expires", NUMBER(realm, nat_expires_s, 0, 604800, "120")},
	{"keepalive_lost", WORD(realm, keepalive_lost, losts, "keep")},
	{"registrar", .set = set_registrar, TEXT(realm, registrar)},
	{"registrar_mode",
	 WORD(realm, registrar_mode, registrar_modes, "mirror")},
	{"registrar_expires",
	 NUMBER(realm, registrar_expires_s, 60, 604800, "3600")},
	{"strangers", WORD(realm, strangers, strangers, "answer")},
	{"digest", WORD(realm, digest, digests, "md5")},
	POLICY(realm, "0", "auto", "1800", "90", "local"),
	BOUNDS(realm),
};

static const struct option phone_options[] = {
	{"user", .set = set_user, TEXT(phone, user)},
	{"realm", .set = set_realm_name, TEXT(phone, realm)},
	{"auth_user", .set = set_user, TEXT(phone, auth_user)},
	{"password", .set = set_password, AT(phone, password), .need = true},
	{"caller_id", .set = set_user, TEXT(phone, caller_id)},
	{"max_contacts", NUMBER(phone, max_contacts, 1, LIMIT_CONTACTS, "10")},
	{"contact", WORD(phone, contact, contacts, "auto")},
	{"digest", WORD(phone, digest, digests, NULL)},
	BOUNDS(phone),
};

static const struct option trunk_options[] = {
	{"realm", .set = set_realm_name, TEXT(trunk, realm), .need = true},
	{"host", .set = set_host},
	{"peer", .set = add_peer, .list = true},
	{"port", .set = set_port},
	{"transport", WORD(trunk, transport, transports, "udp")},
	{"trust", WORD(trunk, trust, trusts, "none")},
	{"path", FLAG(trunk, path), .standard = "1"},
	{"register", FLAG(trunk, do_register)},
	{"username", .set = set_user, TEXT(trunk, username)},
	{"auth_user", .set = set_user, TEXT(trunk, auth_user)},
	{"password", .set = set_password, AT(trunk, password)},
	{"domain", .set = set_host_text, TEXT(trunk, domain)},
	{"register_expires",
	 NUMBER(trunk, register_expires_s, 60, 604800, "3600")},
	{"options_interval", PERIOD(trunk, options_interval_s, 10, 3600, NULL)},
	{"failover_ms", NUMBER(trunk, failover_ms, 200, 32000, "3500")},
	{"tcp_above", PERIOD(trunk, tcp_above, 200, 65535, NULL)},
	{"country_code", .set = set_country, TEXT(trunk, country_code)},
	{"area_code", .set = set_digits, TEXT(trunk, area_code)},
	{"international_prefix", .set = set_digits,
	 TEXT(trunk, international_prefix), .standard = "00"},
	{"national_prefix", .set = set_digits, TEXT(trunk, national_prefix),
	 .standard = "0"},
	{"numbers", WORD(trunk, numbers, number_forms, NULL)},
	{"identity", WORD(trunk, identity, identities, NULL)},
	{"trust_identity", FLAG(trunk, trust_identity)},
	POLICY(trunk, NULL, NULL, NULL, NULL, NULL),
	BOUNDS(trunk),
};

static const struct option route_options[] = {
	{"from_realm", .set = set_realm_name, TEXT(route, from_realm)},
	{"from", .set = set_target_name, TEXT(route, from)},
	{"match", .set = set_pattern, TEXT(route, match)},
	{"calling", .set = set_pattern, TEXT(route, calling)},
	{"strip", NUMBER(route, strip, 0, LIMIT_USER_BYTES - 1, "0")},
	{"prefix", .set = set_user, TEXT(route, prefix)},
	{"calling_strip",
	 NUMBER(route, calling_strip, 0, LIMIT_USER_BYTES - 1, "0")},
	{"calling_prefix", .set = set_user, TEXT(route, calling_prefix)},
	{"method", .set = add_method, AT(route, methods), .list = true},
	{"to", .set = add_target, .list = true, .need = true},
};

static const struct option rule_options[] = {
	{"action", WORD(rule, action, rule_actions, NULL), .need = true},
	{"header", .set = set_rule_header, TEXT(rule, header), .need = true},
	{"match", .set = set_rule_text, TEXT(rule, match)},
	{"value", .set = set_rule_text, TEXT(rule, value)},
	{"method", .set = add_method, AT(rule, methods), .list = true},
	{"direction", WORD(rule, direction, directions, NULL)},
	{"trunk", .set = set_trunk_name, TEXT(rule, trunk)},
	{"realm", .set = set_realm_name, TEXT(rule, realm)},
};

#define ROWS(type, arr, most)                                                  \
	.array = offsetof(struct config, arr),                                 \
	.count = offsetof(struct config, n_##arr),                             \
	.size = sizeof(struct conf_##type), .max = (most)
#define OPTIONS(rows)                                                          \
	.options = (rows), .n_options = sizeof(rows) / sizeof(*(rows))

const struct section_type conf_types[CONF_TYPES] = {
	[TYPE_SBC] = {"sbc", ROWS(global, globals, 1), OPTIONS(sbc_options)},
	[TYPE_REALM] = {"realm", ROWS(realm, realms, CONF_REALMS),
			.name_at = offsetof(struct conf_realm, name),
			OPTIONS(realm_options)},
	[TYPE_PHONE] = {"phone", ROWS(phone, phones, CONF_PHONES),
			.name_at = offsetof(struct conf_phone, name),
			OPTIONS(phone_options)},
	[TYPE_TRUNK] = {"trunk", ROWS(trunk, trunks, CONF_TRUNKS),
			.name_at = offsetof(struct conf_trunk, name),
			OPTIONS(trunk_options)},
	[TYPE_ROUTE] = {"route", ROWS(route, routes, CONF_ROUTES),
			.name_at = offsetof(struct conf_route, name),
			OPTIONS(route_options)},
	[TYPE_RULE] = {"header", ROWS(rule, rules, CONF_RULES),
		       .name_at = offsetof(struct conf_rule, name),
		       OPTIONS(rule_options)},
};
