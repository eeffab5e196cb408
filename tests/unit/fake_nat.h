/*
 * fake_nat.h - a keepalive engine that only counts its holds, and a judge who
 * finds what the test says
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Included like fake_sip.h, for tests of leg/ and call/.
 */
#ifndef SBC_TESTS_FAKE_NAT_H
#define SBC_TESTS_FAKE_NAT_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nat/nat.h"

struct keep_flow {
	struct sip_flow flow;
	struct keep_want want;
	char target[128];
};

static struct {
	unsigned held, made; /* holds that stand, and that were ever made */
	bool no_memory;
	unsigned missed; /* keepalive_missed() */
	struct sip_flow missed_flow;
	struct keep *last;        /* that took hold last */
	struct keep_info info;    /* of every flow that is held */
	struct nat_verdict found; /* by nat_judge() */
	unsigned judged;
	struct nat_look look; /* the last; view has gone */
	struct sip_view view;
} fake_nat;

#define FAKE_KEEPALIVE ((struct keepalive *)&fake_nat)

static inline void fake_nat_reset(void)
{
	memset(&fake_nat, 0, sizeof(fake_nat));
}

void keepalive_release(struct keep *k)
{
	if (!k->flow)
		return;
	free(k->flow);
	k->flow = NULL;
	fake_nat.held--;
}

int keepalive_hold(struct keepalive *ka, struct keep *k,
		   const struct sip_flow *flow, enum keep_reason reason,
		   const struct keep_want *want)
{
	keepalive_release(k);
	if (fake_nat.no_memory)
		return -ENOMEM;
	k->flow = calloc(1, sizeof(*k->flow));
	k->flow->flow = *flow;
	k->flow->want = *want;
	if (want->target)
		strncpy(k->flow->target, want->target,
			sizeof(k->flow->target) - 1);
	k->reason = reason;
	fake_nat.last = k;
	fake_nat.held++;
	fake_nat.made++;
	return 0;
}

bool keepalive_look(const struct keep *k, struct keep_info *out)
{
	*out = fake_nat.info;
	return k->flow != NULL;
}

void keepalive_missed(struct keepalive *ka, const struct sip_flow *flow)
{
	fake_nat.missed++;
	fake_nat.missed_flow = *flow;
}

void nat_judge(struct nat_verdict *out, const struct nat_look *look)
{
	*out = fake_nat.found;
	fake_nat.judged++;
	fake_nat.look = *look;
	fake_nat.view = *look->view;
}

void nat_verdict_add(struct nat_verdict *v, const struct nat_verdict *more)
{
	v->evidence |= more->evidence;
	v->behind |= more->behind;
}

#endif
