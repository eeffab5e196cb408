/*
 * when.h - times as people and programs write them
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_CORE_WHEN_H
#define SBC_CORE_WHEN_H

#include "core/buf.h"
#include "core/clock.h"

/*
 * "14:03" and "14:03:20": the last time that it was that late before @now;
 * "2026-11-21 14:03[:20]"; both in the zone of the process.  RFC 3339 with or
 * without fractions: "2026-11-21T14:03:20.5Z", "2026-11-21T14:03:20+01:00".
 * "now".  -EINVAL.
 */
int when_parse(wall_ms *out, struct str text, wall_ms now);
/* RFC 3339 alone, the form of every program.  -EINVAL. */
int when_parse_rfc3339(wall_ms *out, struct str text);
/* In the zone of the process: "14:03:20", with the day before it when that is
 * not @day's. */
void when_put(struct buf *out, wall_ms t, wall_ms day);

#endif
