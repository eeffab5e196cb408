/*
 * path_keys.c - pressed keys, where the two peers say them differently (B-16)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Towards a peer that is told by SIP, events in RTP (RFC 4733) are taken out:
 *
 *   event packets --> one event per SSRC and timestamp --> ring --> control
 *
 * one key, told with its duration when it ends: by an end packet (2.5.1.4), by
 * the next event, when no packet of it came for 500 ms though other packets
 * do, or when it has been held for 5 s.
 *
 * Towards a peer that takes events, keys of the control thread are put in:
 *
 *   control --> ring --> the packets of the voice become packets of the event
 *
 * Nobody speaks while he presses a key, so what is replaced is worth nothing;
 * and as sequence numbers, SSRC and the rate of packets are the voice's own,
 * nothing that is relayed before or after has to be rewritten.
 */
#include "media/path.h"

enum {
	EVENTS_TOLD = 16, /* 0-9 * # A-D, RFC 4733 3.2 */
	EVENT_BYTES = 4,
	END_PACKETS = 3,
	LOST_MS = 500,
	HELD_MS = 5000,
	STEP_MS = 20,    /* told in an event's first packet */
	GAP_MS = 50,     /* voice between two keys */
	STALE_MS = 2000, /* no voice came to play a key in */
	LEVEL = 10,      /* -10 dBm0, the usual one */
	END_BIT = 0x80,
	PADDING_BIT = 0x20,
	MARKER_BIT = 0x80,
};

/* ---- the ring: one thread pushes, one takes ------------------------------- */

bool key_push(struct key_ring *r, const struct media_key *key)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	uint32_t head = atomic_load_explicit(&r->head, memory_order_acquire);

	if (tail - head >= KEY_RING)
		return false;
	r->keys[tail % KEY_RING] = *key;
	atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
	return true;
}

bool key_first(struct key_ring *r, struct media_key *out)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (head == atomic_load_explicit(&r->tail, memory_order_acquire))
		return false;
	*out = r->keys[head % KEY_RING];
	return true;
}

void key_drop(struct key_ring *r)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	atomic_store_explicit(&r->head, head + 1, memory_order_release);
}

/* ---- towards a peer that is told ------------------------------------------ */

static const struct media_event *event_type(const struct path_keys *k,
					    uint8_t type)
{
	for (int i = 0; i < MEDIA_EVENTS; i++) {
		if (k->events[i].rate && k->events[i].type == type)
			return &k->events[i];
	}
	return NULL;
}

/* Tell the one that is open; once. */
static bool tell(struct path_keys *k)
{
	struct path_heard *e = &k->heard;
	uint64_t ms = (e->before + e->duration) * 1000 / e->rate;
	struct media_key key = {e->event,
				(uint16_t)(ms < HELD_MS ? ms : HELD_MS)};

	e->is_open = false;
	return e->event < EVENTS_TOLD && key_push(&k->told, &key);
}

/* RFC 4733 2.5.1.3: an event that lasts longer than its field can say goes on
 * with the next timestamp after it. */
static bool is_continued(const struct path_heard *e, const struct rtp_hdr *h,
			 uint8_t event)
{
	return e->duration == UINT16_MAX && e->event == event && !h->marker &&
	       h->timestamp - e->timestamp == UINT16_MAX;
}

/* A packet of another event than the last; false: an old one, out of order. */
static bool open_event(struct path_heard *e, const struct rtp_hdr *h,
		       uint8_t event, const struct media_event *type,
		       mono_ms now)
{
	if (e->is_known && e->ssrc == h->ssrc &&
	    (int32_t)(h->timestamp - e->timestamp) < 0)
		return false;
	*e = (struct path_heard){
		.is_open = true,
		.is_known = true,
		.ssrc = h->ssrc,
		.timestamp = h->timestamp,
		.event = event,
		.rate = type->rate,
		.began = now,
	};
	return true;
}

/* One packet of an event; true: a key is to be told. */
static bool hear_event(struct path_keys *k, const struct path_packet *pkt,
		       const struct rtp_hdr *h, const struct media_event *type)
{
	const uint8_t *at = pkt->bytes + h->header_bytes;
	uint16_t duration = (uint16_t)(at[2] << 8 | at[3]);
	struct path_heard *e = &k->heard;
	bool was_told = false;

	if (e->is_known && e->ssrc == h->ssrc && is_continued(e, h, at[0])) {
		e->before += UINT16_MAX;
		e->timestamp = h->timestamp;
		e->duration = 0;
	} else if (!e->is_known || e->ssrc != h->ssrc ||
		   e->timestamp != h->timestamp) {
		struct path_heard next = *e;

		if (!open_event(&next, h, at[0], type, pkt->now))
			return false;
		was_told = e->is_open && tell(k);
		*e = next;
	}
	e->last = pkt->now;
	if (duration > e->duration)
		e->duration = duration;
	if (e->is_open && (at[1] & END_BIT || pkt->now - e->began >= HELD_MS))
		was_told |= tell(k);
	return was_told;
}

static bool take_out(struct path *in, struct path *out,
		     const struct path_packet *pkt, const struct rtp_hdr *h)
{
	struct path_keys *k = &out->keys;
	bool is_news = false;
	const struct media_event *type = event_type(k, h->payload_type);

	if (!type) {
		if (k->heard.is_open && pkt->now - k->heard.last >= LOST_MS)
			is_news = tell(k);
	} else if (h->payload_bytes < EVENT_BYTES) {
		path_add(&in->n.malformed, 1);
	} else {
		is_news = hear_event(k, pkt, h, type);
	}
	if (is_news && k->has_told)
		k->has_told(out);
	return !type;
}

/* ---- towards a peer that takes events -------------------------------------- */

/* The event type that has the clock of the voice in @type. */
static const struct media_event *carried_by(const struct path_keys *k,
					    uint8_t type)
{
	for (int i = 0; i < MEDIA_EVENTS; i++) {
		const struct media_event *e = &k->events[i];

		if (e->rate && e->carriers[type >> 6] >> (type & 63) & 1)
			return e;
	}
	return NULL;
}

static void finish(struct path_keys *k)
{
	k->played.is_playing = false;
	k->played.due = 0;
	key_drop(&k->wanted);
}

/* Who hears an event begin and then silence has given it up (2.5.1.4); and a
 * key that was pressed long ago is no answer to what is asked now. */
static void drop_stale(struct path_keys *k, mono_ms now)
{
	struct path_played *p = &k->played;

	if (p->is_playing ? now - p->last >= LOST_MS
			  : p->due && now - p->due >= STALE_MS)
		finish(k);
}

/* The next key, if there is one and it is time for it. */
static bool begin(struct path_keys *k, const struct media_event *type,
		  const struct rtp_hdr *h, const struct media_key *key)
{
	struct path_played *p = &k->played;
	uint64_t wanted = (uint64_t)key->ms * type->rate / 1000;

	if (p->rests && p->ssrc == h->ssrc &&
	    (int32_t)(h->timestamp - p->rest_until) < 0)
		return false;
	p->is_playing = true;
	p->rests = false;
	p->is_first = true;
	p->ends = 0;
	p->ssrc = h->ssrc;
	p->timestamp = h->timestamp;
	p->wanted = (uint16_t)(wanted < UINT16_MAX ? wanted : UINT16_MAX);
	return true;
}

/* @pkt, of the voice, becomes the next packet of the event. */
static void replace(struct path_played *p, const struct media_event *type,
		    struct path_packet *pkt, const struct rtp_hdr *h,
		    uint8_t event)
{
	int32_t since = (int32_t)(h->timestamp - p->timestamp);
	uint32_t ticks =
		(since > 0 ? (uint32_t)since : 0) + type->rate * STEP_MS / 1000;
	uint16_t duration = ticks < p->wanted ? (uint16_t)ticks : p->wanted;
	uint8_t *b = pkt->bytes;

	if (ticks >= p->wanted || p->ends) {
		duration = p->wanted;
		p->ends++;
	}
	b[0] &= (uint8_t)~PADDING_BIT;
	b[1] = type->type | (p->is_first ? MARKER_BIT : 0);
	for (int i = 0; i < 4; i++)
		b[4 + i] = (uint8_t)(p->timestamp >> (24 - 8 * i));
	b += h->header_bytes;
	b[0] = event;
	b[1] = LEVEL | (p->ends ? END_BIT : 0);
	b[2] = (uint8_t)(duration >> 8);
	b[3] = (uint8_t)duration;
	pkt->n = h->header_bytes + EVENT_BYTES;
	p->is_first = false;
	p->last = pkt->now;
}

static void put_in(struct path_keys *k, struct path_packet *pkt,
		   const struct rtp_hdr *h)
{
	const struct media_event *type = carried_by(k, h->payload_type);
	struct path_played *p = &k->played;
	struct media_key key;

	drop_stale(k, pkt->now);
	if (!key_first(&k->wanted, &key))
		return;
	if (!p->due)
		p->due = pkt->now;
	if (!type || h->payload_bytes < EVENT_BYTES)
		return;
	if (p->is_playing && p->ssrc != h->ssrc)
		p->is_playing = false; /* another speaker: from the start */
	if (!p->is_playing && !begin(k, type, h, &key))
		return;
	replace(p, type, pkt, h, key.event);
	if (p->ends < END_PACKETS)
		return;
	p->rests = true;
	p->rest_until = h->timestamp + type->rate * GAP_MS / 1000;
	finish(k);
}

/* ---- both ------------------------------------------------------------------- */

bool path_keys_walk(struct path *in, struct path *out, struct path_packet *pkt,
		    const struct rtp_hdr *h)
{
	if (out->keys.tells)
		return take_out(in, out, pkt, h);
	put_in(&out->keys, pkt, h);
	path_look_for_keys(out);
	return true;
}

void path_look_for_keys(struct path *p)
{
	struct media_key key;

	p->has_keys = p->keys.tells || key_first(&p->keys.wanted, &key);
}

void path_keys_remote(struct path *p, const struct media_remote *r)
{
	struct path_keys *k = &p->keys;
	struct media_key key;

	if (k->tells != r->tells_keys) {
		k->heard = (struct path_heard){0};
		k->played = (struct path_played){0};
	}
	while (r->tells_keys && key_first(&k->wanted, &key))
		key_drop(&k->wanted);
	k->tells = r->tells_keys;
	for (int i = 0; i < MEDIA_EVENTS; i++)
		k->events[i] = r->events[i];
	path_look_for_keys(p);
}
