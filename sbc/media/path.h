/*
 * path.h - the walk of one packet through a stream
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Knows nothing of sockets, threads or where packets come from: a back end
 * hands in bytes with their source and gets back where to send them.  All
 * calls on the thread of the stream's worker, except path_read_stats(), which
 * any thread may call at any time.
 */
#ifndef SBC_MEDIA_PATH_H
#define SBC_MEDIA_PATH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/clock.h"
#include "media/latch.h"
#include "media/media.h"
#include "rtp/rtp.h"

/* Written by the worker alone, so adding needs no locked instruction. */
typedef _Atomic uint64_t path_count;

struct path_counters {
	path_count in_packets, in_bytes, in_lost;
	_Atomic mono_ms last_in;
	path_count out_packets, out_bytes;
	path_count rtcp_in, rtcp_out;
	path_count stranger, malformed, payload_type, unbridged;
	path_count moves, pierced, refused, flips;
	_Atomic mono_ms last_rtp;
	atomic_bool other_host;
};

enum { PATH_VIEW_WORDS = (sizeof(struct addr) + 7) / 8 };

/* What other threads may see of the latch; @version is odd while it changes. */
struct path_view {
	_Atomic uint32_t version;
	atomic_bool latched;
	_Atomic uint64_t remote[PATH_VIEW_WORDS];
};

/* Whether SDP's address or the learned source is sent to (path_way.c). */
struct path_way {
	bool follows; /* it moved, and was sent to where it came from */
	bool other;   /* what latch_target() says is deaf: latch_other() */
	uint8_t flips;
	uint8_t deaf_reports; /* in a row */
	mono_ms refused_at;   /* first of the ICMP errors that count */
	bool is_reported;     /* @seq of @ssrc stood in the last report */
	uint32_t ssrc, seq;   /* of the partner's stream */
	uint64_t sent_before; /* packets, up to the last report */
};

/* Fillers, while nobody is heard (path_pierce.c). */
struct path_pierce {
	struct media_filler filler;
	uint8_t left;
	uint16_t seq;
	uint32_t ssrc, timestamp;
	uint64_t relayed; /* out_packets when last looked at */
};

enum { PATH_PIERCE_MS = 200, PATH_FILLER_MAX = 12 + UINT8_MAX };

/* Keys on their way between the threads; one side pushes, one takes. */
enum { KEY_RING = 16 };
struct key_ring {
	struct media_key keys[KEY_RING];
	_Atomic uint32_t head, tail;
};

/* The event that is coming in for this end, whose peer is told. */
struct path_heard {
	bool is_known;
	bool is_open; /* not told yet */
	uint8_t event;
	uint16_t duration; /* longest yet, in units of @rate */
	uint64_t before;   /* the same of earlier segments */
	uint32_t ssrc, timestamp, rate;
	mono_ms began, last; /* packet */
};

/* The key that goes out at this end. */
struct path_played {
	bool is_playing, is_first;
	bool rests; /* @rest_until counts */
	uint8_t ends;
	uint16_t wanted; /* duration */
	uint32_t ssrc, timestamp, rest_until;
	mono_ms due, last; /* first looked at; last packet */
};

struct path;

/* Pressed keys that change their form here (path_keys.c). */
struct path_keys {
	bool tells; /* the peer is told by SIP */
	struct media_event events[MEDIA_EVENTS];
	struct path_heard heard;
	struct path_played played;
	struct key_ring told, wanted;     /* to and from the control thread */
	void (*has_told)(struct path *p); /* there is a new one */
};

/* One end: what comes in here goes out at @partner.  What each packet needs
 * stands first, in few cache lines. */
struct path {
	struct path *partner; /* NULL: nobody to send to */
	bool receive, send;   /* as media_remote says */
	bool mux;             /* peer has RTCP on its RTP port, RFC 5761 */
	bool raw;             /* what comes is no RTP */
	bool has_keys;        /* what goes out here has to be looked at */
	struct addr to_rtp;   /* unset: send nothing */
	uint64_t payload_types[2];
	struct latch latch;
	struct rtp_stat stat;
	struct path_counters n;
	/* only now and then */
	struct addr to_rtcp;
	struct latch_rtcp latch_rtcp;
	struct latch_rule rule;
	struct path_way way;
	struct path_pierce pierce;
	struct path_keys keys;
	struct path_view view;
};

struct path_packet {
	uint8_t *bytes; /* RTCP names, and voice by keys, are overwritten */
	size_t n;       /* may get less thereby */
	struct addr from;
	mono_ms now;
	bool on_rtcp_port;
};

/* Send the packet from a port of @out to @to. */
struct path_hop {
	struct path *out;
	const struct addr *to; /* lives until the next walk */
	bool from_rtcp_port;
	bool is_rtcp, is_filler;
};

/* A zeroed path drops everything until path_remote(). */
void path_open_latch(struct path *p, bool latch_open);
/* Tell or change the peer; see media_stream_remote(). */
void path_remote(struct path *p, const struct media_remote *r);
/* The two stop or start to send what the other accepts; @b may be NULL.
 * Former partners are let go. */
void path_bridge(struct path *a, struct path *b);
/* Decide; true: send as @hop says, then path_sent().  Never reads past
 * pkt->n, which may get less. */
bool path_walk(struct path *in, struct path_packet *pkt, struct path_hop *hop);
void path_sent(const struct path_hop *hop, size_t n);

/*
 * The kernel took an ICMP port unreachable for a packet from @p's RTP port to
 * @to; @quote are the bytes of it that came back.  Believed only for where we
 * send now and when it quotes a packet of late, as anybody may have sent it.
 */
void path_refused(struct path *p, const struct addr *to, const uint8_t *quote,
		  size_t n, mono_ms now);

/* Does the stream need path_pierce() PATH_PIERCE_MS from now? */
bool path_is_waiting(const struct path *p);
/* Call it then; true: send the @n bytes written to @bytes as @hop says. */
bool path_pierce(struct path *p, uint8_t bytes[PATH_FILLER_MAX], size_t *n,
		 struct path_hop *hop);

void path_read_stats(const struct path *p, struct media_stats *out);

/* Somebody has pushed into keys.wanted. */
void path_look_for_keys(struct path *p);
bool key_push(struct key_ring *r, const struct media_key *key); /* full */
bool key_first(struct key_ring *r, struct media_key *out);      /* empty */
void key_drop(struct key_ring *r); /* after key_first() */

/* ---- between path.c and its neighbours ------------------------------------ */

static inline uint64_t path_get(const path_count *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

static inline void path_add(path_count *c, uint64_t n)
{
	atomic_store_explicit(c, path_get(c) + n, memory_order_relaxed);
}

/* Work out where to send; after a change of the rule, a latch or the way. */
void path_aim(struct path *p);
/* @p's RTP now comes from elsewhere than @before. */
void path_moved(struct path *p, const struct addr *before);
/* What @pkt, RTCP that was accepted at @p, tells of what @p was sent. */
void path_hear_report(struct path *p, const struct path_packet *pkt);
void path_way_reset(struct path *p);  /* the latch was started anew */
void path_pierce_arm(struct path *p); /* signalling spoke */
/* @pkt, accepted at @in, is to go out at @out, which has_keys: false = it does
 * not. */
bool path_keys_walk(struct path *in, struct path *out, struct path_packet *pkt,
		    const struct rtp_hdr *h);
void path_keys_remote(struct path *p, const struct media_remote *r);

#endif
