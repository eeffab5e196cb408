/*
 * breaker.h - the circuit breaker of one host: is it worth asking now?
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Closed: it is asked.  Open: it is left in peace but for a probe now and then.
 * Pure functions; times are given.
 *
 *   closed -- strikes --> open -- answer --> closed
 *                          |  ^
 *          probe fails: twice as long, up to BREAKER_LONGEST_MS
 */
#ifndef SBC_TRUNK_BREAKER_H
#define SBC_TRUNK_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/clock.h"

enum {
	BREAKER_STRIKES = 6, /* that open it */
	BREAKER_FIRST_MS = 5000,
	BREAKER_LONGEST_MS = 60000,
	BREAKER_MOST_OUT_S = 3600,
};

/* What a failure counts, in strikes. */
enum breaker_failure {
	BREAKER_SILENT = 6,  /* a call or REGISTER got no answer: at once */
	BREAKER_REFUSED = 3, /* ICMP or TCP said no: the second time */
	BREAKER_LOST = 2,    /* an OPTIONS got no answer: the third time */
};

/* Zero is closed. */
struct breaker {
	bool is_open;
	bool by_request;   /* more than OPTIONS has failed */
	unsigned strikes;  /* since it worked last */
	unsigned failures; /* likewise */
	int64_t wait_ms;   /* between the last opening and its probe */
	mono_ms probe_at;  /* open: not to be asked before */
	mono_ms out_until; /* it asked to be left alone until then */
};

/* True: this has opened it. */
bool breaker_failed(struct breaker *b, enum breaker_failure what, mono_ms now);
/*
 * It answered.  An answer to a probe alone does not make us forget how long we
 * waited: a host that answers OPTIONS and no calls is asked ever less often.
 * True: this has closed it.
 */
bool breaker_worked(struct breaker *b, bool was_probe);
/* It asked to be left alone for @s seconds; bounded. */
void breaker_out(struct breaker *b, int64_t s, mono_ms now);
/* Open, and it has failed more than once: no accident. */
bool breaker_is_down(const struct breaker *b);

#endif
