/*
 * dns_ask.h - one question to the name servers, until one answers
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Waits, so it is for a thread of its own.
 */
#ifndef SBC_DNS_DNS_ASK_H
#define SBC_DNS_DNS_ASK_H

#include "core/buf.h"
#include "core/clock.h"
#include "dns/dns_wire.h"

struct dns_servers {
	struct addr list[DNS_SERVERS]; /* with port */
	unsigned n;
};

struct dns_ask {
	struct dns_servers servers;
	unsigned first;      /* the one that answered last */
	unsigned timeout_ms; /* for one try */
	mono_ms deadline;    /* of all questions together */
	int stop_fd;         /* readable = give up; -1 = never */
	uint8_t bytes[DNS_MESSAGE_BYTES];
};

/* The name servers in @text, which is a resolv.conf(5); the machine itself, as
 * there, when none is named. */
void dns_servers_parse(struct dns_servers *out, struct str text);
void dns_servers_load(struct dns_servers *out, const char *path);

/* For struct dns_asker: @arg is a struct dns_ask. */
int dns_ask(void *arg, struct dns_records *out, const char *name,
	    enum dns_type type);

#endif
