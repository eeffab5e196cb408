/*
 * screen.h - the verdict on a datagram before the SIP parser sees it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Shape (a start line, an end of headers, a Via without maddr, sofia-sip's
 * known killers) and rate (a token bucket per source address, larger for
 * sources that are registered or trunks).  Costs a strange packet under 2 us
 * and no allocation: the table of sources is fixed and the longest-idle
 * stranger makes room.  IPv6 strangers with global addresses share one bucket
 * per /64, which costs nothing to fill with addresses.  SIP thread only.
 */
#ifndef SBC_SCREEN_SCREEN_H
#define SBC_SCREEN_SCREEN_H

#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/buf.h"
#include "core/clock.h"

struct screen;

enum screen_verdict {
	SCREEN_PASS,
	SCREEN_KEEPALIVE, /* CRLF, zero bytes, STUN shape: swallow silently */
	SCREEN_STUN,      /* a STUN Binding request: screen_answer() writes the
			response */
	SCREEN_SHAPE,     /* drop: cannot be SIP, or is a trap */
	SCREEN_SCANNER,   /* drop: user agent of a known scanner */
	SCREEN_RATE,      /* drop: over the source's budget */
	/* Requests that the library would drop or answer to a wrong place,
	 * though their Via is good: never give them to it, screen_answer()
	 * writes what we say ourselves. */
	SCREEN_MALFORMED, /* 400 */
	SCREEN_METHOD,    /* 501: legal token that the library takes for
			     garbage (RFC 4475 3.1.1.2) */
	SCREEN_VERSION,   /* 505: SIP/x.y with another x.y */
	SCREEN_VERDICTS
};

enum screen_class { SCREEN_UNKNOWN, SCREEN_REGISTERED, SCREEN_TRUNK };

struct screen_conf {
	unsigned rate;    /* datagrams/s of an unknown source, 0 = no limit;
			  registered 4 x, trunk 16 x; burst is 4 s of it */
	unsigned sources; /* size of the table, 0 = 8192 */
};

int screen_create(struct screen **out, const struct screen_conf *conf);
void screen_destroy(struct screen *s); /* accepts NULL */
void screen_set_rate(struct screen *s, unsigned rate);

/*
 * Verdict on @n bytes at @p from @source; counts it.  Whatever the rate, more
 * than 50 datagrams of one Call-ID in a second are SCREEN_RATE unless they
 * come from a trunk: the library keeps all of them in one hash chain.
 */
enum screen_verdict screen_datagram(struct screen *s, const uint8_t *p,
				    size_t n, const struct addr *source,
				    mono_ms now);
/*
 * The same budgets for a message of Call-ID @call_id that a connection from
 * @source brought, whose shape the parser has judged already: PASS or RATE.
 */
enum screen_verdict screen_message(struct screen *s, struct str call_id,
				   const struct addr *source, mono_ms now);
/* The shape part alone, pure: for the fuzz target and for TCP peers. */
enum screen_verdict screen_shape(const uint8_t *p, size_t n);
/*
 * The answer that verdict @verdict asks for: to STUN, where the request came
 * from; to MALFORMED, METHOD or VERSION, one with the request's Via, From, To,
 * Call-ID and CSeq, at most 300 bytes longer than those.  Send it to @source,
 * from where the request came in, and nowhere else.  -EINVAL: something is
 * missing or @verdict has no answer: say nothing.  -ENOSPC when @out, which
 * must be empty, overflows.
 */
int screen_answer(struct buf *out, enum screen_verdict verdict,
		  const uint8_t *p, size_t n, const struct addr *source);
/* From now until @until @source's address has the budget of @cls.  The later
 * end of two promotions holds, and the larger budget while both hold. */
void screen_promote(struct screen *s, const struct addr *source,
		    enum screen_class cls, mono_ms until);
/* What @source is now.  Changes nothing. */
enum screen_class screen_class_of(struct screen *s, const struct addr *source,
				  mono_ms now);
uint64_t screen_count(const struct screen *s, enum screen_verdict verdict);

#endif
