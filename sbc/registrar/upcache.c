/*
 * upcache.c - what a registration is here and at the trunk that owns it, and
 * what is to be done next
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "registrar/upcache.h"

enum { RETRY_MS = 30000 };

static const char *const names[UP_STATES] = {
	[UP_NONE] = "none",         [UP_ASKING] = "asking",
	[UP_UNWANTED] = "unwanted", [UP_HELD] = "held",
	[UP_RENEWING] = "renewing", [UP_ALONE] = "alone",
	[UP_LEAVING] = "leaving",   [UP_ENDING] = "ending",
};

const char *up_state_name(enum up_state state)
{
	return names[state];
}

static void go(struct up_cache *c, enum up_state state, mono_ms due)
{
	c->state = state;
	c->due = due;
	if (state == UP_NONE)
		c->until = c->half = 0;
}

static struct up_do grant(unsigned s)
{
	return (struct up_do){.answer = UP_GRANT, .expires_s = s};
}

static struct up_do refuse(int status)
{
	return (struct up_do){.answer = UP_REFUSE, .status = status};
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static struct up_do survive(const struct up_ask *ask)
{
	return grant(least(ask->wanted_s, ask->survive_s));
}

/* From now on the trunk may have it, and for as long as it is asked to. */
static struct up_do add(struct up_cache *c, enum up_state state, mono_ms now,
			unsigned ask_s)
{
	go(c, state, 0);
	c->sent = now;
	if (c->until < now + ask_s * 1000ll)
		c->until = now + ask_s * 1000ll;
	return (struct up_do){.send = UP_SEND_ADD};
}

/* Seconds that the trunk will have it yet; 0 = not to be relied on. */
static unsigned left_s(const struct up_cache *c, mono_ms now)
{
	return c->until > now ? (unsigned)((c->until - now) / 1000) : 0;
}

static struct up_do renew(struct up_cache *c, mono_ms now,
			  const struct up_ask *ask)
{
	bool fresh = c->state == UP_HELD && ask->is_throttled &&
		     !ask->is_changed && now < c->half && left_s(c, now);

	if (fresh)
		return grant(least(ask->wanted_s, left_s(c, now)));
	if (ask->is_trunk_up)
		return add(c, UP_RENEWING, now, ask->ask_s);
	go(c, UP_ALONE, now);
	return survive(ask);
}

struct up_do up_register(struct up_cache *c, mono_ms now,
			 const struct up_ask *ask)
{
	if (!ask->is_authentic)
		return refuse(401);
	switch (c->state) {
	case UP_NONE:
	case UP_LEAVING:
		if (!ask->is_trunk_up)
			return refuse(503);
		return add(c, UP_ASKING, now, ask->ask_s);
	case UP_HELD:
	case UP_ALONE:
		return renew(c, now, ask);
	case UP_RENEWING:
		if (!ask->is_trunk_up)
			return survive(ask);
		return (struct up_do){.answer = UP_WAIT};
	default:
		return (struct up_do){.answer = UP_WAIT};
	}
}

struct up_do up_gone(struct up_cache *c, mono_ms now)
{
	switch (c->state) {
	case UP_HELD:
	case UP_ALONE:
		if (c->until > now) {
			go(c, UP_ENDING, 0);
			return (struct up_do){.send = UP_SEND_DEL};
		}
		go(c, UP_NONE, 0);
		break;
	case UP_ASKING:
	case UP_RENEWING:
		go(c, UP_UNWANTED, 0);
		break;
	default:
		break;
	}
	return (struct up_do){0};
}

/* What was granted began to run when the trunk wrote it, at @c->sent at the
 * earliest. */
static struct up_do answer_granted(struct up_cache *c, mono_ms now, unsigned s,
				   const struct up_ask *waiting)
{
	unsigned took_s = (unsigned)((now - c->sent) / 1000);

	if (took_s >= s)
		return up_failed(c, now, true, waiting);
	s -= took_s;
	c->until = now + s * 1000ll;
	c->half = now + s * 500ll;
	go(c, UP_HELD, 0);
	return waiting ? grant(least(waiting->wanted_s, s)) : (struct up_do){0};
}

struct up_do up_granted(struct up_cache *c, mono_ms now, unsigned s,
			const struct up_ask *waiting)
{
	if (c->state == UP_ENDING) {
		go(c, UP_NONE, 0);
		return (struct up_do){0};
	}
	if (!s)
		return up_refused(c, 503, waiting);
	switch (c->state) {
	case UP_ASKING:
	case UP_RENEWING:
		return answer_granted(c, now, s, waiting);
	case UP_UNWANTED:
		c->until = now + s * 1000ll;
		go(c, UP_ENDING, 0);
		return (struct up_do){.send = UP_SEND_DEL};
	default:
		return (struct up_do){0};
	}
}

struct up_do up_refused(struct up_cache *c, int status,
			const struct up_ask *waiting)
{
	struct up_do d = {.drop = c->state == UP_RENEWING};

	if (waiting) {
		d.answer = UP_REFUSE;
		d.status = status;
	}
	go(c, UP_NONE, 0);
	return d;
}

struct up_do up_failed(struct up_cache *c, mono_ms now, bool maybe,
		       const struct up_ask *waiting)
{
	switch (c->state) {
	case UP_RENEWING:
		go(c, UP_ALONE, now + RETRY_MS);
		return waiting ? survive(waiting) : (struct up_do){0};
	case UP_ASKING:
		go(c, maybe ? UP_LEAVING : UP_NONE, now + RETRY_MS);
		return waiting ? refuse(503) : (struct up_do){0};
	case UP_UNWANTED:
	case UP_ENDING:
		go(c, c->until > now ? UP_LEAVING : UP_NONE, now + RETRY_MS);
		break;
	default:
		break;
	}
	return (struct up_do){0};
}

struct up_do up_silent(struct up_cache *c, const struct up_ask *waiting)
{
	if (c->state == UP_RENEWING)
		return survive(waiting);
	if (c->state == UP_ASKING)
		go(c, UP_UNWANTED, 0);
	return refuse(503);
}

struct up_do up_due(struct up_cache *c, mono_ms now, bool is_trunk_up,
		    unsigned ask_s)
{
	if (c->state == UP_LEAVING && c->until <= now) {
		go(c, UP_NONE, 0);
	} else if (!is_trunk_up) {
		c->due = now + RETRY_MS;
	} else if (c->state == UP_LEAVING) {
		go(c, UP_ENDING, 0);
		return (struct up_do){.send = UP_SEND_DEL};
	} else if (c->state == UP_ALONE) {
		return add(c, UP_RENEWING, now, ask_s);
	}
	return (struct up_do){0};
}

void up_restored(struct up_cache *c, mono_ms until, mono_ms due)
{
	c->until = until;
	c->half = 0;
	go(c, UP_ALONE, due);
}
