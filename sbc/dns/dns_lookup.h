/*
 * dns_lookup.h - which questions a SIP server's name leads to (RFC 3263 4)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Whatever thread its asker may be called on.
 */
#ifndef SBC_DNS_DNS_LOOKUP_H
#define SBC_DNS_DNS_LOOKUP_H

#include "dns/dns_wire.h"

struct dns_asker {
	/* Ask the servers; as dns_wire_read(), and -ETIMEDOUT, -ECANCELED. */
	int (*ask)(void *arg, struct dns_records *out, const char *name,
		   enum dns_type type);
	void *arg;
};

/*
 * Find the ways to @q, whose host is a valid name (dns_name_is_valid()).  The
 * TTL is what the servers say; 0 if nobody said anything.  No more than 64
 * questions are asked.  -ECANCELED: the asker was told to stop, and @out is of
 * no use.
 */
int dns_lookup(struct dns_answer *out, const struct dns_question *q,
	       const struct dns_asker *asker);

#endif
