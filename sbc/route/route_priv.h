/*
 * route_priv.h - what the files of this room share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_ROUTE_ROUTE_PRIV_H
#define SBC_ROUTE_ROUTE_PRIV_H

#include "route/route.h"

enum { ROUTE_STEP_BYTES = 1024 };

/* A sentence for @trace, if there is one. */
void route_tell(const struct route_trace *trace, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Why the plan of @t reads a number so; into @mem. */
const char *route_plan_words(const struct conf_trunk *t, enum route_plan plan,
			     char mem[ROUTE_STEP_BYTES]);

#endif
