/*
 * leg_offer.c - offers and answers of one leg (RFC 3264) and the ports behind
 * them
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each m= line of the peer has at most one stream here; its port stays the
 * same for the life of the leg, whatever the peer re-negotiates.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/err.h"
#include "core/log.h"
#include "leg/leg_priv.h"

static int read_body(struct leg *leg, const struct sip_view *view,
		     struct sdp **out)
{
	int err;

	if (!view->body.n)
		return 0;
	if (!view->content_type ||
	    strcasecmp(view->content_type, "application/sdp"))
		return 415;
	err = sdp_read(out, view->body);
	if (!err)
		return 0;
	log_limited(LOG_WARN, "sdp.refused", kv_s("peer", leg->peer),
		    kv_s("err", err_name(err)));
	return err == -ENOMEM ? 503 : err == -E2BIG ? 488 : 400;
}

int offer_read(struct leg *leg, const struct sip_view *view, struct sdp **out)
{
	int status;

	*out = NULL;
	if (!view)
		return 0;
	status = read_body(leg, view, out);
	if (*out) {
		policy_strip(leg, *out);
		keys_read(leg, out);
	}
	flow_judge(leg, view, *out);
	return status;
}

static int open_line(struct leg *leg, struct leg_line *line)
{
	int err;

	if (line->stream)
		return 0;
	err = media_stream_open(&line->stream, leg->conf.media,
				&leg->media_conf);
	line->fresh = !err;
	return err;
}

static void close_line(struct leg_line *line)
{
	media_stream_close(line->stream);
	*line = (struct leg_line){0};
}

int offer_open_lines(struct leg *leg, const struct sdp *sdp)
{
	unsigned usable = 0;
	int err;

	if (sdp->n_media > leg->n_lines)
		leg->n_lines = sdp->n_media;
	for (unsigned i = 0; i < sdp->n_media; i++) {
		if (!sdp_can_relay(&sdp->media[i]))
			continue;
		err = open_line(leg, &leg->lines[i]);
		if (err) {
			log_limited(LOG_WARN, "media.refused",
				    kv_s("realm", leg->realm),
				    kv_s("err", err_name(err)));
			offer_undo(leg);
			return err;
		}
		usable++;
	}
	return usable ? 0 : -EINVAL;
}

void offer_undo(struct leg *leg)
{
	for (unsigned i = 0; i < leg->n_lines; i++) {
		if (leg->lines[i].fresh)
			close_line(&leg->lines[i]);
	}
}

/* Everything after the o= line: what makes a new version (RFC 3264 8). */
static uint32_t hash_without_origin(struct str text)
{
	struct str line;

	for (int i = 0; i < 2; i++) /* v=, o= */
		str_line(&text, &line);
	return hash_bytes(text.p, text.n);
}

/*
 * @from with as many m-lines as the peer must see: an answer has those of its
 * offer, and an offer no fewer than the session had (RFC 3264 6, 8).  What
 * @from lacks stands there refused.
 */
static void fit_lines(const struct leg *leg, const struct sdp *from,
		      const struct sdp *offer, struct sdp *out)
{
	const struct sdp *like = offer ? offer : leg->peer_sdp;
	unsigned n =
		from->n_media > leg->n_agreed ? from->n_media : leg->n_agreed;

	out->n_media = offer ? offer->n_media : n;
	for (unsigned i = 0; i < out->n_media; i++) {
		out->media[i] = i < from->n_media           ? from->media[i]
				: like && i < like->n_media ? like->media[i]
							    : from->media[0];
		if (i >= from->n_media ||
		    (offer && !sdp_can_relay(&offer->media[i])))
			out->media[i].port = 0;
	}
}

static int write_once(const struct leg *leg, const struct sdp *from, char *mem,
		      struct str *out)
{
	struct addr rtp[LIMIT_SDP_MEDIA] = {0}, rtcp[LIMIT_SDP_MEDIA] = {0};
	struct sdp_ours ours = {
		.sess_id = leg->sess_id,
		.sess_version = leg->sess_version,
		.rtp = rtp,
		.rtcp = rtcp,
		.n = from->n_media,
	};
	struct buf b;
	int err;

	for (unsigned i = 0; i < from->n_media; i++) {
		const struct media_stream *s = leg->lines[i].stream;

		if (!s || !sdp_can_relay(&from->media[i]))
			continue;
		rtp[i] = *media_stream_rtp(s);
		rtcp[i] = *media_stream_rtcp(s);
	}
	buf_init(&b, mem, LEG_SDP_BYTES);
	err = sdp_write(&b, from, &ours);
	*out = buf_str(&b);
	return err;
}

/* For when it has to be said again; @what may be made of it. */
static void keep_said(struct leg *leg, const struct sdp *what)
{
	struct sdp *copy = NULL;

	sdp_copy(&copy, what); /* without memory: the other side is asked */
	sdp_free(leg->said);
	leg->said = copy;
}

int offer_write(struct leg *leg, const struct sdp *from,
		const struct sdp *offer, char *mem, struct str *out)
{
	leg_formats formats[LIMIT_SDP_MEDIA];
	struct sdp_media media[LIMIT_SDP_MEDIA];
	struct sdp fitted = {.media = media};
	uint32_t hash;
	int err;

	fit_lines(leg, from, offer, &fitted);
	if (!offer)
		keys_offered(leg, &fitted);
	err = policy_fit(leg, &fitted, !offer, formats);
	if (err)
		return err;
	err = write_once(leg, &fitted, mem, out);
	if (err)
		return err;
	hash = hash_without_origin(*out);
	if (leg->sent_hash && leg->sent_hash != hash) {
		leg->sess_version++;
		err = write_once(leg, &fitted, mem, out);
	}
	leg->sent_hash = hash;
	leg->n_sent = fitted.n_media;
	leg->rel.outdated = false;
	/* What we say we take is what the peer may send from now on. */
	for (unsigned i = 0; i < fitted.n_media; i++)
		sdp_payload_types(&media[i], leg->sent_types[i]);
	keep_said(leg, &fitted); /* may be what @from was made of */
	return err;
}

bool leg_knows(const struct leg *leg, const struct sdp *offer)
{
	char mem[LEG_SDP_BYTES];
	leg_formats formats[LIMIT_SDP_MEDIA];
	struct sdp_media media[LIMIT_SDP_MEDIA];
	struct sdp fitted = {.media = media};
	struct str text;

	fit_lines(leg, offer, NULL, &fitted);
	return !policy_fit(leg, &fitted, true, formats) &&
	       !write_once(leg, &fitted, mem, &text) &&
	       hash_without_origin(text) == leg->sent_hash;
}

/* What may be answered to @theirs by who would have it @ours. */
static enum sdp_direction narrow(enum sdp_direction theirs,
				 enum sdp_direction ours)
{
	bool send = (theirs == SDP_SENDRECV || theirs == SDP_RECVONLY) &&
		    (ours == SDP_SENDRECV || ours == SDP_SENDONLY);
	bool receive = (theirs == SDP_SENDRECV || theirs == SDP_SENDONLY) &&
		       (ours == SDP_SENDRECV || ours == SDP_RECVONLY);

	if (send)
		return receive ? SDP_SENDRECV : SDP_SENDONLY;
	return receive ? SDP_RECVONLY : SDP_INACTIVE;
}

int offer_write_again(struct leg *leg, const struct sdp *offer, char *mem,
		      struct str *out)
{
	struct sdp_media media[LIMIT_SDP_MEDIA];
	struct sdp again = {.media = media};

	if (!leg->said)
		return -EINVAL;
	again.n_media = leg->said->n_media;
	for (unsigned i = 0; i < again.n_media; i++) {
		media[i] = leg->said->media[i];
		if (i >= offer->n_media)
			continue;
		media[i].direction =
			narrow(sdp_way(&offer->media[i]), sdp_way(&media[i]));
		media[i].held = false;
	}
	return offer_write(leg, &again, offer, mem, out);
}

/*
 * Loopback and our own addresses are no place to send media to, unless the
 * phone itself lives there (contract): media would loop, or reach services
 * that trust the loopback.
 */
static bool is_forbidden(const struct leg *leg, const struct addr *a)
{
	char text[ADDR_TEXT_MAX], from[ADDR_TEXT_MAX];
	enum addr_class cls = addr_class(a);

	if (cls == ADDR_NONE || cls == ADDR_ANY || cls == ADDR_MULTICAST)
		return true;
	if (sip_is_own(leg->conf.sip, a))
		return true;
	addr_fmt_host(a, text);
	if (cls != ADDR_LOOPBACK && !sip_is_local(leg->conf.sip, text))
		return false;
	addr_fmt_host(&leg->flow.remote, from);
	return addr_class(&leg->flow.remote) != ADDR_LOOPBACK &&
	       !sip_is_local(leg->conf.sip, from);
}

/* Silence in the codecs that have a byte for it; comfort noise (RFC 3389) of
 * the least level. */
static const struct {
	const char *codec;
	uint8_t byte, n;
} silences[] = {
	{"PCMU", 0xff, 160},
	{"PCMA", 0xd5, 160},
	{"G722", 0xfd, 160},
	{"CN", 127, 1},
};

/*
 * What @m may be sent that says nothing (RFC 6263 4.6): silence in its first
 * format that has one, else its first format without payload.
 */
static struct media_filler filler_of(const struct sdp_media *m)
{
	struct media_filler empty = {.type = UINT8_MAX};
	uint64_t type;

	for (unsigned i = 0; i < m->n_formats; i++) {
		struct str codec = sdp_codec(m, i);

		if (str_u64(m->formats[i], 127, &type))
			continue;
		if (empty.type == UINT8_MAX)
			empty.type = (uint8_t)type;
		for (size_t k = 0; k < sizeof(silences) / sizeof(silences[0]);
		     k++) {
			if (str_case_eq_c(codec, silences[k].codec))
				return (struct media_filler){(uint8_t)type,
							     silences[k].byte,
							     silences[k].n};
		}
	}
	return empty;
}

static void tell_media(struct leg *leg, unsigned i, const struct sdp_media *m)
{
	struct leg_line *line = &leg->lines[i];
	enum sdp_direction way = sdp_way(m);
	struct media_remote r = {
		.signalling = leg->flow.remote,
		.receive = way == SDP_SENDRECV || way == SDP_SENDONLY,
		.send = way == SDP_SENDRECV || way == SDP_RECVONLY,
		.raw = sdp_is_raw(m),
		.behind_nat = leg->behind_nat,
		.filler = filler_of(m),
	};

	if (!is_forbidden(leg, &m->rtp))
		r.rtp = m->rtp;
	if (!is_forbidden(leg, &m->rtcp))
		r.rtcp = m->rtcp;
	sdp_payload_types(m, r.payload_types);
	keys_remote(leg, m, &r);
	r.payload_types[0] |= leg->sent_types[i][0];
	r.payload_types[1] |= leg->sent_types[i][1];
	line->held = way != SDP_SENDRECV;
	media_stream_remote(line->stream, &r);
}

static bool has_line(const struct sdp *sdp, unsigned i)
{
	return i < sdp->n_media && sdp_can_relay(&sdp->media[i]);
}

void offer_hear(struct leg *leg, struct sdp *sdp)
{
	if (leg->peer_sdp != sdp)
		sdp_free(leg->peer_sdp);
	leg->peer_sdp = sdp;
	offer_tell(leg);
}

void offer_tell(struct leg *leg)
{
	for (unsigned i = 0; leg->peer_sdp && i < leg->n_lines; i++) {
		if (has_line(leg->peer_sdp, i) && leg->lines[i].stream)
			tell_media(leg, i, &leg->peer_sdp->media[i]);
	}
}

void offer_settle(struct leg *leg, const struct sdp *ours)
{
	for (unsigned i = 0; i < leg->n_lines; i++) {
		leg->lines[i].fresh = false;
		if (!leg->lines[i].since)
			leg->lines[i].since = clock_mono();
		if (!has_line(leg->peer_sdp, i) || (ours && !has_line(ours, i)))
			close_line(&leg->lines[i]);
	}
	if (leg->n_sent > leg->n_agreed)
		leg->n_agreed = leg->n_sent;
}

const struct sdp *leg_description(const struct leg *leg)
{
	return leg->pending ? leg->pending : leg->peer_sdp;
}

bool leg_owes_answer(const struct leg *leg)
{
	return leg->pending && (!leg->incoming || leg->change != CHANGE_NONE);
}

static void keep_line(const struct leg *leg, unsigned i, struct leg_final *f)
{
	struct leg_media_info *m = &f->info;

	leg_media_at(leg, i, m);
	if (!m->type.p)
		return;
	f->local = *m->local;
	m->local = &f->local;
	str_copy(f->type, sizeof(f->type), m->type);
	m->type = str_of(f->type);
	str_copy(f->codec, sizeof(f->codec), m->codec);
	m->codec = str_of(f->codec);
}

/* For those who ask after the end. */
static void keep_final(struct leg *leg)
{
	struct leg_final *final = NULL;
	bool is_open = false;

	for (unsigned i = 0; i < leg->n_lines; i++)
		is_open |= leg->lines[i].stream != NULL;
	if (is_open && !leg->final)
		final = calloc(leg->n_lines, sizeof(*final));
	if (!final)
		return;
	for (unsigned i = 0; i < leg->n_lines; i++)
		keep_line(leg, i, &final[i]);
	leg->final = final;
}

void offer_close(struct leg *leg)
{
	keep_final(leg);
	for (unsigned i = 0; i < leg->n_lines; i++)
		close_line(&leg->lines[i]);
	sdp_free(leg->pending);
	leg->pending = NULL;
}

void leg_bridge(struct leg *a, struct leg *b)
{
	for (unsigned i = 0; i < a->n_lines; i++) {
		if (!a->lines[i].stream)
			continue;
		media_stream_bridge(a->lines[i].stream,
				    b ? b->lines[i].stream : NULL);
	}
}

void leg_move_media(struct leg *leg, unsigned worker)
{
	int err;

	leg->media_conf.worker = worker;
	for (unsigned i = 0; i < leg->n_lines; i++) {
		if (!leg->lines[i].stream)
			continue;
		err = media_stream_move(&leg->lines[i].stream, worker);
		if (!err)
			continue;
		log_limited(LOG_WARN, "media.refused",
			    kv_s("realm", leg->realm),
			    kv_s("err", err_name(err)));
		close_line(&leg->lines[i]);
	}
}

mono_ms leg_last_packet(const struct leg *leg)
{
	struct media_stats st;
	mono_ms last = 0;

	for (unsigned i = 0; i < leg->n_lines; i++) {
		if (!leg->lines[i].stream)
			continue;
		media_stream_stats(leg->lines[i].stream, &st);
		if (st.last_in > last)
			last = st.last_in;
	}
	return last;
}

bool leg_is_held(const struct leg *leg)
{
	for (unsigned i = 0; i < leg->n_lines; i++) {
		if (leg->lines[i].stream && leg->lines[i].held)
			return true;
	}
	return false;
}

/* A held line may be silent, and so may one that nobody speaks to. */
static bool is_one_way(const struct leg_line *line,
		       const struct media_stats *st)
{
	return !line->held && line->since &&
	       clock_mono() - line->since >= LEG_ONE_WAY_MS &&
	       !st->in_packets && st->out_packets;
}

bool leg_media_at(const struct leg *leg, unsigned i, struct leg_media_info *out)
{
	const struct leg_line *line;

	if (i >= leg->n_lines)
		return false;
	line = &leg->lines[i];
	*out = leg->final ? leg->final[i].info : (struct leg_media_info){0};
	if (!line->stream)
		return true;
	out->type = STR("audio");
	if (leg->peer_sdp && i < leg->peer_sdp->n_media) {
		out->type = leg->peer_sdp->media[i].type;
		out->codec = sdp_codec(&leg->peer_sdp->media[i], 0);
		out->remote = leg->peer_sdp->media[i].rtp;
	}
	out->local = media_stream_rtp(line->stream);
	media_stream_stats(line->stream, &out->stats);
	out->one_way = is_one_way(line, &out->stats);
	if (out->stats.latched)
		out->remote = out->stats.remote;
	return true;
}
