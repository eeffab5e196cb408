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
};

enum { PATH_VIEW_WORDS = (sizeof(struct addr) + 7) / 8 };

/* What other threads may see of the latch; @version is odd while it changes. */
struct path_view {
	_Atomic uint32_t version;
	atomic_bool latched;
	_Atomic uint64_t remote[PATH_VIEW_WORDS];
};

/* One end: what comes in here goes out at @partner.  What each packet needs
 * stands first, in few cache lines. */
struct path {
	struct path *partner; /* NULL: nobody to send to */
	bool receive, send;   /* as media_remote says */
	bool mux;             /* peer has RTCP on its RTP port, RFC 5761 */
	struct addr to_rtp;   /* unset: send nothing */
	uint64_t payload_types[2];
	struct latch latch;
	struct rtp_stat stat;
	struct path_counters n;
	/* only now and then */
	struct addr to_rtcp;
	struct latch_rtcp latch_rtcp;
	struct latch_rule rule;
	struct path_view view;
};

struct path_packet {
	uint8_t *bytes; /* RTCP names are overwritten in place */
	size_t n;
	struct addr from;
	mono_ms now;
	bool on_rtcp_port;
};

/* Send the packet, unchanged, from a port of @out to @to. */
struct path_hop {
	struct path *out;
	const struct addr *to; /* lives until the next walk */
	bool from_rtcp_port;
	bool is_rtcp;
};

/* A zeroed path drops everything until path_remote(). */
void path_open_latch(struct path *p, bool latch_open);
/* Tell or change the peer; see media_stream_remote(). */
void path_remote(struct path *p, const struct media_remote *r);
/* The two stop or start to send what the other accepts; @b may be NULL.
 * Former partners are let go. */
void path_bridge(struct path *a, struct path *b);
/* Decide; true: send as @hop says, then path_sent().  Never reads past
 * pkt->n. */
bool path_walk(struct path *in, const struct path_packet *pkt,
	       struct path_hop *hop);
void path_sent(const struct path_hop *hop, size_t n);

void path_read_stats(const struct path *p, struct media_stats *out);

#endif
