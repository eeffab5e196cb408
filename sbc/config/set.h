/*
 * set.h - inside config/: the functions that put a written value in its place
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A setter is a column of the rows in options.c: it takes one value of one
 * option, stores it, or tells the fault.
 */
#ifndef SBC_CONFIG_SET_H
#define SBC_CONFIG_SET_H

#include "config/load.h"

enum {
	CONF_CODECS = 32,    /* of a realm or trunk */
	CONF_PEERS = 16,     /* of a trunk */
	CONF_EMERGENCY = 64, /* numbers */
};

/* Tell what is wrong with the value: "TYPE 'NAME': OPTION ..." */
void set_fault(const struct setting *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Where the value goes. */
void *set_member(const struct setting *s);
/* Of NULL-terminated @words, the one that is nearest to @value. */
const char *set_nearest(const char *const *words, const char *value);
/* Number of @s->value among NULL-terminated @words; -1 after telling that it
 * is none of them. */
int set_which(const struct setting *s, const char *const *words);
/* Copies a text that was found to be in order. */
void set_text(const struct setting *s);
/* Remembers that a section of that name has to exist. */
void set_refer(const struct setting *s, enum ref_kind kind);
/* A host name or address; what the user part of a SIP URI may hold. */
bool set_is_host(const char *text);
bool set_is_user(const char *text);
/* False after telling that the value cannot be a section's name. */
bool set_is_name(const struct setting *s);

/* set_value.c: what many sections have */
void set_number(const struct setting *s);
void set_word(const struct setting *s);
void set_flag(const struct setting *s);
void set_host_text(const struct setting *s);
void set_user(const struct setting *s);
void set_realm_name(const struct setting *s);
void set_trunk_name(const struct setting *s);
void set_target_name(const struct setting *s);
void set_password(const struct setting *s);
void set_pattern(const struct setting *s);

/* set_realm.c: of the box as a whole and of realms */
void set_schema(const struct setting *s);
void set_secrets(const struct setting *s);
void set_flow_key(const struct setting *s);
void add_emergency(const struct setting *s);
void add_nameserver(const struct setting *s);
void set_interface(const struct setting *s);
void add_address(const struct setting *s);
void add_listen(const struct setting *s);
void add_alias(const struct setting *s);
void set_media_ports(const struct setting *s);
void set_registrar(const struct setting *s);

/* set_peer.c: of trunks, and what a session with a peer may be */
void set_host(const struct setting *s);
void set_port(const struct setting *s);
void add_peer(const struct setting *s);
void set_digits(const struct setting *s);
void set_country(const struct setting *s);
void set_seconds_or_off(const struct setting *s);
void add_codec(const struct setting *s);
void add_media(const struct setting *s);

/* set_route.c: of routes and header rules */
void add_method(const struct setting *s);
void add_target(const struct setting *s);
void set_rule_header(const struct setting *s);
void set_rule_text(const struct setting *s);

#endif
