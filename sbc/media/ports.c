/*
 * ports.c - the RTP/RTCP port pairs of one realm
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *              ports_take() of a random one
 *        FRESH ----------------------------> TAKEN
 *          ^                                 | | ^ ^
 *          | after the rest     ports_rest() | | | | when nothing is fresh
 *          +---------------------- RESTING <-+ | +-- RESTING, longest first
 *          | after 10 s         ports_busy()   | |   (counted), then BUSY
 *          +------------------------- BUSY <---+-+
 *
 * Fresh pairs lie in an array without order, so that a random one can be
 * lifted out of it; resting and busy ones in queues, oldest first.
 */
#include "media/ports.h"

#include <errno.h>
#include <stdlib.h>

#include "core/rand.h"

enum pair_state { FRESH, TAKEN, RESTING, BUSY };
enum { NONE = 0xffff, BUSY_RETRY_MS = 10000 };

struct pair {
	mono_ms since; /* resting or busy since */
	uint16_t next; /* in its queue */
	uint8_t state;
};

struct pair_queue {
	uint16_t head, tail;
};

struct ports {
	uint16_t first; /* even port of pair 0 */
	uint32_t n_pairs, n_fresh, n_taken;
	int64_t rest_ms;
	uint64_t shortened;
	struct pair_queue resting, busy;
	struct pair *pairs;
	uint16_t *fresh;
};

/* Pair 0's even port and the number of pairs; -EINVAL when none fits. */
static int measure(uint16_t min, uint16_t max, uint16_t *first, uint32_t *n)
{
	uint32_t even = ((uint32_t)min + 1) & ~1u;

	if (!min || even + 1 > max)
		return -EINVAL;
	*first = (uint16_t)even;
	*n = (max - even + 1) / 2;
	return 0;
}

static int init(struct ports *p, uint16_t min, uint16_t max, int64_t rest_ms)
{
	int err;

	*p = (struct ports){.rest_ms = rest_ms,
			    .resting = {NONE, NONE},
			    .busy = {NONE, NONE}};
	err = measure(min, max, &p->first, &p->n_pairs);
	if (err)
		return err;
	p->pairs = calloc(p->n_pairs, sizeof(*p->pairs));
	p->fresh = calloc(p->n_pairs, sizeof(*p->fresh));
	if (!p->pairs || !p->fresh) {
		free(p->pairs);
		free(p->fresh);
		return -ENOMEM;
	}
	return 0;
}

/* Gather what no one holds into the array of fresh pairs. */
static void collect_fresh(struct ports *p)
{
	p->n_fresh = 0;
	for (uint32_t i = 0; i < p->n_pairs; i++) {
		if (p->pairs[i].state == FRESH)
			p->fresh[p->n_fresh++] = (uint16_t)i;
	}
}

int ports_create(struct ports **out, uint16_t min, uint16_t max,
		 int64_t rest_ms)
{
	struct ports *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	err = init(p, min, max, rest_ms);
	if (err) {
		free(p);
		return err;
	}
	collect_fresh(p);
	*out = p;
	return 0;
}

void ports_destroy(struct ports *p)
{
	if (!p)
		return;
	free(p->pairs);
	free(p->fresh);
	free(p);
}

static void append(struct ports *p, struct pair_queue *q, uint16_t i)
{
	p->pairs[i].next = NONE;
	if (q->head == NONE)
		q->head = i;
	else
		p->pairs[q->tail].next = i;
	q->tail = i;
}

static uint16_t shift(struct ports *p, struct pair_queue *q)
{
	uint16_t i = q->head;

	q->head = p->pairs[i].next;
	return i;
}

/* The index of @rtp_port in @p, NONE when it lies outside. */
static uint16_t index_of(const struct ports *p, uint16_t rtp_port)
{
	uint32_t i = ((uint32_t)rtp_port - p->first) / 2;

	if (rtp_port < p->first || i >= p->n_pairs)
		return NONE;
	return (uint16_t)i;
}

static void inherit(struct ports *to, struct pair_queue *q,
		    const struct ports *from, uint16_t head)
{
	for (uint16_t i = head; i != NONE; i = from->pairs[i].next) {
		uint16_t j = index_of(to, (uint16_t)(from->first + 2 * i));

		if (j == NONE)
			continue;
		to->pairs[j] = from->pairs[i];
		append(to, q, j);
	}
}

int ports_change(struct ports *p, uint16_t min, uint16_t max, int64_t rest_ms)
{
	struct ports next;
	uint16_t first;
	uint32_t n;
	int err = measure(min, max, &first, &n);

	if (!err && first == p->first && n == p->n_pairs) {
		p->rest_ms = rest_ms;
		return 0;
	}
	if (!err)
		err = init(&next, min, max, rest_ms);
	if (err)
		return err;
	next.shortened = p->shortened;
	for (uint32_t i = 0; i < p->n_pairs; i++) {
		uint16_t j = index_of(&next, (uint16_t)(p->first + 2 * i));

		if (p->pairs[i].state == TAKEN && j != NONE) {
			next.pairs[j].state = TAKEN;
			next.n_taken++;
		}
	}
	inherit(&next, &next.resting, p, p->resting.head);
	inherit(&next, &next.busy, p, p->busy.head);
	collect_fresh(&next);
	free(p->pairs);
	free(p->fresh);
	*p = next;
	return 0;
}

static void refresh(struct ports *p, struct pair_queue *q, mono_ms until)
{
	while (q->head != NONE && p->pairs[q->head].since <= until) {
		uint16_t i = shift(p, q);

		p->pairs[i].state = FRESH;
		p->fresh[p->n_fresh++] = i;
	}
}

static uint16_t take_random(struct ports *p)
{
	uint32_t at = rand_below(p->n_fresh);
	uint16_t i = p->fresh[at];

	p->fresh[at] = p->fresh[--p->n_fresh];
	return i;
}

int ports_take(struct ports *p, mono_ms now, uint16_t *rtp_port)
{
	uint16_t i;

	refresh(p, &p->resting, now - p->rest_ms);
	refresh(p, &p->busy, now - BUSY_RETRY_MS);
	if (p->n_fresh) {
		i = take_random(p);
	} else if (p->resting.head != NONE) {
		i = shift(p, &p->resting);
		p->shortened++;
	} else if (p->busy.head != NONE) {
		i = shift(p, &p->busy);
	} else {
		return -EADDRNOTAVAIL;
	}
	p->pairs[i].state = TAKEN;
	p->n_taken++;
	*rtp_port = (uint16_t)(p->first + 2 * i);
	return 0;
}

static void give_back(struct ports *p, uint16_t rtp_port, mono_ms now,
		      enum pair_state state)
{
	uint16_t i = index_of(p, rtp_port);

	if (i == NONE || p->pairs[i].state != TAKEN)
		return;
	p->pairs[i].state = state;
	p->pairs[i].since = now;
	p->n_taken--;
	append(p, state == BUSY ? &p->busy : &p->resting, i);
}

void ports_rest(struct ports *p, uint16_t rtp_port, mono_ms now)
{
	give_back(p, rtp_port, now, RESTING);
}

void ports_busy(struct ports *p, uint16_t rtp_port, mono_ms now)
{
	give_back(p, rtp_port, now, BUSY);
}

size_t ports_free(const struct ports *p)
{
	return p->n_pairs - p->n_taken;
}

uint64_t ports_shortened(const struct ports *p)
{
	return p->shortened;
}
