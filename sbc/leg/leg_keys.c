/*
 * leg_keys.c - pressed keys, for a peer that says them otherwise than the
 * other one does (B-16, option dtmf)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A peer is told of keys by INFO when the option says so; or, where the option
 * leaves it open, when its description names no telephone events (RFC 4733)
 * though it could, and it takes INFO.  Its description is then completed: the
 * other peer reads that events are taken, as media/ takes them out of what it
 * sends and key_pressed() sends the INFO.  What this peer reads has no events
 * in it.
 *
 * The other way, an INFO that says a key is answered here when its peer takes
 * events, and the option says so or it never said that it takes INFO.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "leg/dtmf.h"
#include "leg/leg_priv.h"

enum { USUAL_TYPE = 101, TYPE_MIN = 96, TYPE_MAX = 127, EVENT_CLOCK = 8000 };

static bool is_event(const struct sdp_media *m, unsigned i)
{
	return str_case_eq_c(sdp_codec(m, i), "telephone-event");
}

static bool has_events(const struct sdp_media *m)
{
	for (unsigned i = 0; i < m->n_formats; i++) {
		if (is_event(m, i))
			return true;
	}
	return false;
}

static bool is_voice(const struct sdp_media *m)
{
	return sdp_can_relay(m) && !sdp_is_raw(m) && str_eq_c(m->type, "audio");
}

/* ---- what the other peer is told of this one -------------------------------- */

static bool wants_info(const struct leg *leg)
{
	return leg->keys.option == CONF_DTMF_INFO ||
	       (leg->keys.option == CONF_DTMF_AUTO &&
		leg_allows(leg, SIP_INFO));
}

static bool is_taken(const struct sdp_media *m, uint8_t type)
{
	uint64_t set[2];

	sdp_payload_types(m, set);
	return set[type >> 6] >> (type & 63) & 1;
}

/* Nothing was said of events in this session yet: they get a number that @m
 * does not use. */
static void choose_type(struct leg_keys *k, const struct sdp_media *m)
{
	uint8_t type = USUAL_TYPE;

	for (uint8_t t = TYPE_MIN; is_taken(m, type) && t <= TYPE_MAX; t++)
		type = t;
	k->types[0] = (struct key_type){type, EVENT_CLOCK};
	k->n_types = 1;
	k->is_known = true;
}

/* Texts of one type, in an SDP. */
struct event_text {
	char type[4], rtpmap[40], fmtp[16];
};

static void put_attr(struct sdp_media *m, const char *name, const char *value)
{
	m->attrs[m->n_attrs++] = (struct sdp_attr){str_of(name), str_of(value)};
}

/* What is left of a format that had the number and may not be used. */
static void drop_attrs(struct sdp_media *m, struct str type)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_attrs; i++) {
		struct str value = m->attrs[i].value;

		if (!str_eq(str_cut(&value, ' '), type))
			m->attrs[n++] = m->attrs[i];
	}
	m->n_attrs = n;
}

static void put_type(struct sdp_media *m, const struct key_type *e,
		     struct event_text *t)
{
	snprintf(t->type, sizeof(t->type), "%u", e->type);
	snprintf(t->rtpmap, sizeof(t->rtpmap), "%u telephone-event/%u", e->type,
		 e->clock);
	snprintf(t->fmtp, sizeof(t->fmtp), "%u 0-15", e->type);
	drop_attrs(m, str_of(t->type));
	m->formats[m->n_formats++] = str_of(t->type);
	put_attr(m, "rtpmap", t->rtpmap);
	put_attr(m, "fmtp", t->fmtp);
}

/* *@sdp with events in its line @at; without room or memory as it was. */
static void complete(const struct leg_keys *k, struct sdp **sdp, unsigned at)
{
	struct event_text texts[MEDIA_EVENTS];
	struct sdp_media media[LIMIT_SDP_MEDIA];
	struct str formats[LIMIT_SDP_FORMATS];
	struct sdp_attr attrs[LIMIT_SDP_ATTRS];
	struct sdp whole = **sdp, *copy;
	struct sdp_media *m = &media[at];

	memcpy(media, whole.media, whole.n_media * sizeof(*media));
	whole.media = media;
	if (m->n_formats + k->n_types > LIMIT_SDP_FORMATS ||
	    m->n_attrs + 2 * k->n_types > LIMIT_SDP_ATTRS)
		return;
	memcpy(formats, m->formats, m->n_formats * sizeof(*formats));
	memcpy(attrs, m->attrs, m->n_attrs * sizeof(*attrs));
	m->formats = formats;
	m->attrs = attrs;
	for (unsigned i = 0; i < k->n_types; i++) {
		if (!is_taken(m, k->types[i].type))
			put_type(m, &k->types[i], &texts[i]);
	}
	if (sdp_copy(&copy, &whole))
		return;
	sdp_free(*sdp);
	*sdp = copy;
}

void keys_read(struct leg *leg, struct sdp **sdp)
{
	struct leg_keys *k = &leg->keys;
	unsigned i;

	for (i = 0; i < (*sdp)->n_media && !is_voice(&(*sdp)->media[i]); i++)
		;
	if (i == (*sdp)->n_media)
		return;
	if (has_events(&(*sdp)->media[i])) {
		k->by_info = k->option == CONF_DTMF_INFO;
		return;
	}
	k->by_info = wants_info(leg);
	if (!k->by_info)
		return;
	if (!k->is_known)
		choose_type(k, &(*sdp)->media[i]);
	complete(k, sdp, i);
}

/* ---- what this peer is told -------------------------------------------------- */

/* The other peer's events, as this one would have to answer them. */
static void note_types(struct leg_keys *k, const struct sdp_media *m)
{
	k->is_known = true;
	k->n_types = 0;
	for (unsigned i = 0; i < m->n_formats && k->n_types < MEDIA_EVENTS;
	     i++) {
		uint64_t type;

		if (is_event(m, i) && !str_u64(m->formats[i], 127, &type))
			k->types[k->n_types++] = (struct key_type){
				(uint8_t)type, sdp_clock(m, i)};
	}
}

void keys_offered(struct leg *leg, const struct sdp *from)
{
	for (unsigned i = 0; i < from->n_media; i++) {
		if (is_voice(&from->media[i])) {
			note_types(&leg->keys, &from->media[i]);
			return;
		}
	}
}

void keys_fit(const struct leg *leg, struct sdp_media *m, bool is_offer)
{
	unsigned n = 0;

	if (!is_voice(m) || !(leg->keys.by_info ||
			      (is_offer && leg->keys.option == CONF_DTMF_INFO)))
		return;
	for (unsigned i = 0; i < m->n_formats; i++) {
		if (!is_event(m, i))
			m->formats[n++] = m->formats[i];
	}
	m->n_formats = n;
}

/* ---- what the media is told --------------------------------------------------- */

void keys_remote(const struct leg *leg, const struct sdp_media *m,
		 struct media_remote *r)
{
	unsigned n = 0;
	uint64_t type;

	if (!is_voice(m))
		return;
	for (unsigned i = 0; i < m->n_formats && n < MEDIA_EVENTS; i++) {
		struct media_event *e = &r->events[n];

		if (!is_event(m, i) || str_u64(m->formats[i], 127, &type))
			continue;
		*e = (struct media_event){.type = (uint8_t)type,
					  .rate = sdp_clock(m, i)};
		n += e->rate != 0;
		for (unsigned k = 0; k < m->n_formats; k++) {
			if (!is_event(m, k) && sdp_clock(m, k) == e->rate &&
			    !str_u64(m->formats[k], 127, &type))
				e->carriers[type >> 6] |= 1ULL << (type & 63);
		}
	}
	r->tells_keys = n && leg->keys.by_info;
}

/* ---- INFO out ----------------------------------------------------------------- */

static void send_next(struct leg *leg);

static void told(void *arg, struct sip_txn *txn, const struct sip_view *view)
{
	struct leg *leg = arg;

	if (view->status < 200)
		return;
	sip_txn_release(leg->keys.info);
	leg->keys.info = NULL;
	send_next(leg);
}

/* One at a time, as each is a request of its own that UDP may turn round. */
static void send_next(struct leg *leg)
{
	struct leg_keys *k = &leg->keys;
	char mem[DTMF_BODY_BYTES];
	struct sip_message m = {
		.method = SIP_INFO,
		.content_type = "application/dtmf-relay",
	};

	if (k->info || !k->n_waiting || leg->state != LEG_UP)
		return;
	m.body = dtmf_write(&k->waiting[0], mem);
	k->n_waiting--;
	memmove(k->waiting, k->waiting + 1,
		k->n_waiting * sizeof(k->waiting[0]));
	if (leg_request(leg, &k->info, &m, told))
		k->n_waiting = 0; /* there is no way to the peer */
}

void key_pressed(void *arg, const struct media_key *key)
{
	struct leg *leg = arg;
	struct leg_keys *k = &leg->keys;

	if (leg->state != LEG_UP || k->n_waiting >= LEG_KEYS) {
		log_limited(LOG_WARN, "leg.key_lost", kv_s("peer", leg->peer),
			    kv_s("state", leg_state_name(leg->state)));
		return;
	}
	k->waiting[k->n_waiting++] = *key;
	send_next(leg);
}

void keys_release(struct leg *leg)
{
	sip_txn_release(leg->keys.info);
	leg->keys.info = NULL;
	leg->keys.n_waiting = 0;
}

/* ---- INFO in ------------------------------------------------------------------ */

static bool is_played(const struct leg *leg, const struct sip_view *info)
{
	const struct leg_keys *k = &leg->keys;

	return dtmf_is_type(info->content_type) && !k->by_info &&
	       leg->state == LEG_UP &&
	       (k->option == CONF_DTMF_RFC4733 ||
		(k->option == CONF_DTMF_AUTO && !leg_allows(leg, SIP_INFO)));
}

int leg_press(struct leg *leg, const struct sip_view *info)
{
	struct media_key key;
	int err = -EOPNOTSUPP;

	if (!is_played(leg, info) || dtmf_read(&key, info->body))
		return -EOPNOTSUPP;
	for (unsigned i = 0; i < leg->n_lines && err == -EOPNOTSUPP; i++) {
		if (leg->lines[i].stream)
			err = media_stream_press(leg->lines[i].stream, &key);
	}
	return err;
}
