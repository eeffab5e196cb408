/*
 * screen.c - first the cheap question (how much), then the dear one (what)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   datagram -> ping? -> source's budget -> shape -> Call-ID's budget -> pass
 */
#include "screen/screen.h"

#include <errno.h>
#include <stdlib.h>

#include "screen/rate.h"
#include "screen/shape.h"
#include "screen/stun.h"

struct screen {
	struct rate *rate;
	uint64_t counts[SCREEN_VERDICTS];
};

int screen_create(struct screen **out, const struct screen_conf *conf)
{
	struct screen *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	err = rate_create(&s->rate, conf->rate, conf->sources);
	if (err)
		goto fail;
	*out = s;
	return 0;
fail:
	screen_destroy(s);
	return err;
}

void screen_destroy(struct screen *s)
{
	if (!s)
		return;
	rate_destroy(s->rate);
	free(s);
}

void screen_set_rate(struct screen *s, unsigned rate)
{
	rate_set(s->rate, rate);
}

static enum screen_verdict judge(struct screen *s, const uint8_t *p, size_t n,
				 const struct addr *source, mono_ms now)
{
	enum screen_class cls;
	struct shape shape;

	/* One that wants an answer costs like a request. */
	if (shape_is_ping(p, n) && !stun_is_request(p, n))
		return SCREEN_KEEPALIVE;
	if (!rate_admit(s->rate, source, now, &cls))
		return SCREEN_RATE;
	shape_look(&shape, p, n);
	if (shape.verdict == SCREEN_PASS && shape.call_id.p &&
	    cls != SCREEN_TRUNK &&
	    !rate_admit_call(s->rate, source, shape.call_id, now))
		return SCREEN_RATE;
	return shape.verdict;
}

enum screen_verdict screen_datagram(struct screen *s, const uint8_t *p,
				    size_t n, const struct addr *source,
				    mono_ms now)
{
	enum screen_verdict verdict = judge(s, p, n, source, now);

	s->counts[verdict]++;
	return verdict;
}

enum screen_verdict screen_message(struct screen *s, struct str call_id,
				   const struct addr *source, mono_ms now)
{
	enum screen_verdict verdict = SCREEN_PASS;
	enum screen_class cls;

	if (!rate_admit(s->rate, source, now, &cls) ||
	    (cls != SCREEN_TRUNK && call_id.n &&
	     !rate_admit_call(s->rate, source, call_id, now)))
		verdict = SCREEN_RATE;
	s->counts[verdict]++;
	return verdict;
}

enum screen_verdict screen_shape(const uint8_t *p, size_t n)
{
	struct shape shape;

	shape_look(&shape, p, n);
	return shape.verdict;
}

void screen_promote(struct screen *s, const struct addr *source,
		    enum screen_class cls, mono_ms until)
{
	rate_promote(s->rate, source, cls, until);
}

enum screen_class screen_class_of(struct screen *s, const struct addr *source,
				  mono_ms now)
{
	return rate_class(s->rate, source, now);
}

uint64_t screen_count(const struct screen *s, enum screen_verdict verdict)
{
	return verdict < SCREEN_VERDICTS ? s->counts[verdict] : 0;
}
