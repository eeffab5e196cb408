/*
 * ports.h - the RTP/RTCP port pairs of one realm: random order, with rest
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A pair is an even port and the odd one above it (RFC 3550 11), named by its
 * even port.  A pair that was given back rests, so that late packets of one
 * call cannot reach the next.  Taking and giving back cost the same however
 * large the range.  Control thread only.
 */
#ifndef SBC_MEDIA_PORTS_H
#define SBC_MEDIA_PORTS_H

#include <stddef.h>
#include <stdint.h>

#include "core/clock.h"

struct ports;

/* The pairs that fit into @min..@max, both included, resting @rest_ms.
 * -EINVAL: not one pair fits.  -ENOMEM. */
int ports_create(struct ports **out, uint16_t min, uint16_t max,
		 int64_t rest_ms);
void ports_destroy(struct ports *p); /* accepts NULL */
/* Another range or rest; what is taken or rests now stays so where the ranges
 * overlap.  -EINVAL, -ENOMEM as above, then nothing has changed. */
int ports_change(struct ports *p, uint16_t min, uint16_t max, int64_t rest_ms);

/*
 * Take a pair: a random one that has rested; when there is none the one that
 * rests longest, which is counted; at last one that ports_busy() was said of.
 * -EADDRNOTAVAIL: every pair is taken.
 */
int ports_take(struct ports *p, mono_ms now, uint16_t *rtp_port);
/* The caller no longer uses it: it rests.  A port that a ports_change() has
 * left outside the range is ignored. */
void ports_rest(struct ports *p, uint16_t rtp_port, mono_ms now);
/* Somebody outside uses it: left alone for a while, then tried again. */
void ports_busy(struct ports *p, uint16_t rtp_port, mono_ms now);

size_t ports_free(const struct ports *p);        /* pairs not taken */
uint64_t ports_shortened(const struct ports *p); /* taken without full rest */

#endif
