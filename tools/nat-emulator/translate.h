/*
 * translate.h - what a NAT does to one packet
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef NAT_EMULATOR_TRANSLATE_H
#define NAT_EMULATOR_TRANSLATE_H

#include "settings.h"
#include "table.h"
#include "wire.h"

enum side { INSIDE, OUTSIDE, SIDES };

#define FRAGMENTED 32

/* A datagram whose first fragment went through; the others follow it. */
struct fragmented {
	struct endpoint src, dst; /* as they came; ports unused */
	uint16_t id;
	uint32_t ip; /* that replaces src from inside, dst from outside */
	enum side from;
	mono_ms until; /* 0 = free */
};

struct nat {
	struct settings set;
	struct table table;
	struct fragmented fragmented[FRAGMENTED];
	unsigned registers; /* Call-IDs that the ALG spoiled */
	uint64_t in[SIDES], out[SIDES], dropped, rewritten;
};

void nat_init(struct nat *n, const struct settings *set);
/* Rewrite @p, which came from @from.  The side where it has to go, or SIDES:
 * it is dropped. */
enum side nat_translate(struct nat *n, enum side from, struct packet *p,
			mono_ms now);

#endif
