/*
 * learn.c - how long a NAT waits, learned without losing a call
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One experiment per REGISTER cycle: an answered OPTIONS, then nothing for
 * length_s, then an OPTIONS MARGIN_S before the phone is expected to register
 * again.  An answer proves the silence was survived: the floor rises.  None,
 * and the phone's REGISTER comes: the ceiling falls.  Anything that came
 * along the flow meanwhile voids it.
 *
 * A failed experiment leaves the phone in the dark from the moment when the
 * NAT forgot until its REGISTER.  That must be shorter than an INVITE is
 * repeated (32 s, RFC 3261 timer B), for then the INVITE still goes out along
 * the new flow and no call is lost: an experiment goes at most DARK_S beyond
 * what is known to be survived, the margin and the unsteadiness of the phone's
 * period included.  Hence small steps up, and halving once there is a ceiling.
 * Nothing longer than the cycle can be tried: the learned floor stays below
 * it, which costs little, for then the REGISTERs themselves hold the NAT.
 *
 * When floor and ceiling have met and it is unknown whether our packets alone
 * hold the NAT, one experiment sends CRLFs for a little longer than the
 * ceiling: an answer at its end proves that they do.
 */
#include "nat/learn.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"

enum {
	DARK_S = 26,
	MARGIN_S = 6, /* time for a second OPTIONS if the first is lost */
	STEP_S = 12,
	HINTED_STEP_S = 20,
	BEYOND_S = 4, /* past the ceiling, when CRLFs are tried */
	LEAST_STEP_S = 2,
	AWAY_MS = 30000,
	/* Refreshes that are closer are one: a retry, or a second flow's. */
	LEAST_PERIOD_MS = 5000,
	/* Cycles after which a ceiling is doubted: routers are replaced, and
	 * two lost packets look like a NAT that forgot. */
	REST_CYCLES = 200,
};

void learn_begin(struct learn *l, const struct nat_learned *from, mono_ms now)
{
	memset(l, 0, sizeof(*l));
	l->start_s = LEARN_START_MS / 1000;
	l->floor_s = from->floor_s;
	l->ceiling_s = from->ceiling_s > from->floor_s ? from->ceiling_s : 0;
	l->inbound_holds = from->inbound_holds;
	l->refreshed = now;
}

/* What to begin with; a NAT may have shown already that it waits less. */
static unsigned start_s(const struct learn *l)
{
	if (l->ceiling_s && l->ceiling_s <= l->start_s)
		return l->ceiling_s * 4u / 5;
	return l->start_s;
}

unsigned learn_interval_ms(const struct learn *l)
{
	unsigned ms = l->floor_s ? l->floor_s * 800u : start_s(l) * 1000;

	if (ms < LEARN_FLOOR_MS)
		return LEARN_FLOOR_MS;
	return ms < LEARN_MOST_MS ? ms : LEARN_MOST_MS;
}

/* The longest silence that can be taken as survived. */
static unsigned known_s(const struct learn *l)
{
	return l->floor_s ? l->floor_s : start_s(l);
}

static unsigned shorter_period_ms(const struct learn *l)
{
	return l->period_ms[0] < l->period_ms[1] ? l->period_ms[0]
						 : l->period_ms[1];
}

static unsigned spread_s(const struct learn *l)
{
	int64_t d = (int64_t)l->period_ms[0] - l->period_ms[1];

	return (unsigned)((llabs(d) + 999) / 1000);
}

/* Floor and ceiling are so close that a better floor would save nothing. */
static bool has_met(const struct learn *l)
{
	unsigned known = known_s(l);

	return l->ceiling_s &&
	       l->ceiling_s - known <= LEAST_STEP_S + known / 25;
}

/* What to try next, no longer than @most_s; 0 = nothing. */
static unsigned silence_s(const struct learn *l, unsigned most_s,
			  unsigned hint_s)
{
	unsigned known = known_s(l), length;

	if (l->ceiling_s)
		length = known + (l->ceiling_s - known) / 2;
	else
		length = known + (hint_s > known ? HINTED_STEP_S : STEP_S);
	if (length > LEARN_MOST_MS / 1000)
		length = LEARN_MOST_MS / 1000;
	if (length > most_s)
		length = most_s;
	return length >= known + LEAST_STEP_S ||
			       (l->ceiling_s && length > known)
		       ? length
		       : 0;
}

/* A cycle in which there was nothing to try. */
static void rest(struct learn *l)
{
	if (++l->rest < REST_CYCLES)
		return;
	l->rest = 0;
	l->ceiling_s = 0;
	l->inbound_fails = false;
}

static void plan(struct learn *l, unsigned hint_s)
{
	unsigned known = known_s(l), spread = spread_s(l);
	unsigned cycle_s = shorter_period_ms(l) / 1000;
	unsigned most = known + DARK_S - MARGIN_S;
	unsigned length;

	if (!l->period_ms[1] || spread > DARK_S - MARGIN_S ||
	    cycle_s <= MARGIN_S)
		return;
	most -= spread;
	if (most > cycle_s - MARGIN_S)
		most = cycle_s - MARGIN_S;
	l->by_crlf = has_met(l) && !l->inbound_holds && !l->inbound_fails;
	if (l->by_crlf)
		length = l->ceiling_s + BEYOND_S;
	else
		length = has_met(l) ? 0 : silence_s(l, most, hint_s);
	if (!length || length > most) {
		rest(l);
		return;
	}
	l->length_s = (uint16_t)length;
	l->opens = l->refreshed + ((mono_ms)cycle_s - MARGIN_S - length) * 1000;
	l->step = LEARN_PLANNED;
}

void learn_refreshed(struct learn *l, mono_ms now, bool may, unsigned hint_s)
{
	mono_ms period = now - l->refreshed;

	if (period < LEAST_PERIOD_MS)
		return;
	l->step = LEARN_IDLE;
	l->period_ms[1] = l->period_ms[0];
	l->period_ms[0] = period < UINT32_MAX ? (uint32_t)period : 0;
	l->refreshed = now;
	if (may)
		plan(l, hint_s);
	/* The REGISTER itself begins a silence of a whole cycle. */
	if (l->step == LEARN_PLANNED && l->opens < now + 1000)
		learn_opened(l, now);
}

void learn_opening(struct learn *l)
{
	l->step = LEARN_OPENING;
}

void learn_opened(struct learn *l, mono_ms now)
{
	l->step = LEARN_OPEN;
	l->opens = now;
	l->closes = now + l->length_s * 1000;
}

void learn_closing(struct learn *l, mono_ms now)
{
	mono_ms lasted = (now - l->opens + 500) / 1000;

	if (lasted < l->length_s)
		l->length_s = (uint16_t)lasted; /* ended a little early */
	l->step = LEARN_CLOSING;
}

void learn_cut_short(struct learn *l, mono_ms now)
{
	mono_ms so_far = (now - l->opens) / 1000;

	if (l->by_crlf || so_far <= (mono_ms)known_s(l)) {
		learn_void(l);
		return;
	}
	l->length_s = (uint16_t)so_far;
	l->step = LEARN_CLOSING;
}

void learn_void(struct learn *l)
{
	l->step = LEARN_IDLE;
}

bool learn_survived(struct learn *l)
{
	l->step = LEARN_IDLE;
	l->rest = 0;
	if (l->by_crlf) {
		l->inbound_holds = true;
		return true;
	}
	if (l->length_s <= l->floor_s)
		return false;
	l->floor_s = l->length_s;
	if (l->ceiling_s <= l->floor_s)
		l->ceiling_s = 0;
	return true;
}

bool learn_failed(struct learn *l)
{
	l->step = LEARN_IDLE;
	l->rest = 0;
	if (l->by_crlf) {
		l->inbound_fails = true;
		return false;
	}
	if (l->ceiling_s && l->ceiling_s <= l->length_s)
		return false;
	l->ceiling_s = l->length_s;
	return true;
}

bool learn_missed(struct learn *l)
{
	uint16_t was = l->floor_s;
	unsigned floor = learn_interval_ms(l) / 2000;

	if (floor < LEARN_FLOOR_MS / 1000)
		floor = LEARN_FLOOR_MS / 1000;
	l->step = LEARN_IDLE;
	l->rest = 0;
	l->floor_s = (uint16_t)floor;
	if (l->ceiling_s <= floor)
		l->ceiling_s = 0;
	/* Another router than before, perhaps. */
	l->inbound_holds = false;
	l->inbound_fails = false;
	return l->floor_s != was;
}

bool learn_is_away(const struct learn *l, mono_ms now)
{
	uint32_t period = l->period_ms[0] > l->period_ms[1] ? l->period_ms[0]
							    : l->period_ms[1];

	return l->period_ms[0] && now > l->refreshed + period + AWAY_MS;
}

/* ---- what the neighbours showed ------------------------------------------ */

static uint32_t net_key(const struct addr *remote)
{
	uint8_t net[7] = {0};

	if (addr_family(remote) == AF_INET6) {
		net[0] = 6;
		memcpy(net + 1, &remote->in6.sin6_addr, 6);
	} else {
		net[0] = 4;
		memcpy(net + 1, &remote->in.sin_addr, 3);
	}
	return hash_bytes(net, sizeof(net)) | 1; /* 0 = no hint */
}

static size_t place_of(uint32_t key)
{
	struct learn_prior *p = NULL;

	return (key >> 8) % (sizeof(p->hints) / sizeof(p->hints[0]));
}

unsigned learn_hint(const struct learn_prior *p, const struct addr *remote)
{
	uint32_t key = net_key(remote);
	const struct learn_hint *h = &p->hints[place_of(key)];

	return h->key == key ? h->floor_s : 0;
}

void learn_tell(struct learn_prior *p, const struct addr *remote,
		unsigned floor_s)
{
	uint32_t key = net_key(remote);

	/* The newest wins a shared place: a hint, no more. */
	p->hints[place_of(key)] = (struct learn_hint){key, (uint16_t)floor_s};
}
