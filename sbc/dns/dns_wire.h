/*
 * dns_wire.h - a question to a name server as bytes, and its answer read
 * (RFC 1035)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Names are text in lower case without the dot at the end; the root is ".".
 * Pure functions, any thread.
 */
#ifndef SBC_DNS_DNS_WIRE_H
#define SBC_DNS_DNS_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "dns/dns.h"

enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_NAPTR = 35,
};

enum {
	DNS_RECORDS = 32,      /* of one answer, further ones are left out */
	DNS_QUERY_BYTES = 280, /* the longest question */
	DNS_MESSAGE_BYTES = 65535,
};

struct dns_record {
	struct addr addr;             /* A, AAAA; port 0 */
	uint16_t priority, weight;    /* SRV; order and preference of NAPTR */
	uint16_t port;                /* SRV */
	enum dns_transport transport; /* NAPTR */
	char flag;                    /* NAPTR: 's' or 'a' */
	char name[DNS_NAME_BYTES];    /* target of SRV, NAPTR's replacement */
};

struct dns_records {
	enum dns_result result; /* DNS_OK, DNS_NO_NAME or DNS_NO_DATA */
	uint32_t ttl_s;         /* of the first that ends, or of the refusal */
	/* DNS_NO_DATA, but the name is another one's alias, whose records are
	 * not told: ask for this one.  "" = it is not so. */
	char alias[DNS_NAME_BYTES];
	unsigned n;
	struct dns_record list[DNS_RECORDS];
};

/* @name can be asked for: labels of 1 to 63 letters, digits, '-' and '_'. */
bool dns_name_is_valid(const char *name);
/* Write the question; returns its length, or -EINVAL for a bad name. */
int dns_wire_ask(uint8_t out[DNS_QUERY_BYTES], uint16_t id, const char *name,
		 enum dns_type type);
/*
 * Read what came in answer to that question; records that make no sense, or
 * that a SIP server cannot have, are left out.  @out is complete when 0 is
 * returned, else it is of no use.
 * -EBADMSG: it answers another question.  -EMSGSIZE: cut; by TCP it is whole.
 * -EIO: the server refuses or fails.  -ENOTSUP: it does not know such
 * questions.  -EPROTO: it cannot be read.
 */
int dns_wire_read(struct dns_records *out, const void *bytes, size_t len,
		  uint16_t id, const char *name, enum dns_type type);

#endif
