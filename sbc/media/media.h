/*
 * media.h - anchoring RTP and RTCP: port pairs, latching, relay, counters
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Knows no registrations and no SIP.  A stream is one m= line of one leg: a
 * pair of sockets (RTP even, RTCP odd) on a worker thread.  Two bridged
 * streams send what the one accepts out of the other.  All calls here on the
 * control thread; they post to the stream's worker and never wait for it,
 * except media_destroy().  On the packet path nothing locks or allocates.
 */
#ifndef SBC_MEDIA_MEDIA_H
#define SBC_MEDIA_MEDIA_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/clock.h"

struct loop;
struct media;        /* workers and port ranges */
struct media_stream; /* one m= line of one leg */

struct media_conf {
	unsigned workers;  /* 0 = one per core */
	struct loop *loop; /* the control thread's, or NULL in tests: with it,
			      what one turn changes reaches the workers at its
			      end */
};

/* A pressed key: RFC 4733 3.2, 0-9, 10 = *, 11 = #, 12-15 = A-D. */
struct media_key {
	uint8_t event;
	uint16_t ms;
};
/* On the control thread; closes no stream. */
typedef void (*media_key_fn)(void *arg, const struct media_key *key);

/* Where a stream's ports come from and who may speak to it. */
struct media_stream_conf {
	struct addr local; /* exact address to bind; port ignored */
	const char *realm; /* ranges with rest are kept per realm name */
	uint16_t port_min, port_max; /* even .. odd */
	unsigned port_rest_s;
	unsigned worker;  /* streams that will be bridged share one: take
			    media_pick_worker() once per call */
	bool latch_open;  /* realm option latch 'open' */
	media_key_fn key; /* for media_remote.tells_keys; NULL = nobody */
	void *key_arg;
};

/*
 * A packet that says nothing, to open a way with (RFC 6263 4.6): payload type
 * and @n bytes of @byte, which is silence in it; 0 = without payload.  A type
 * that is not in media_remote.payload_types: send none.
 */
struct media_filler {
	uint8_t type, byte, n;
};

/* A type of telephone events (RFC 4733) that the peer takes. */
struct media_event {
	uint8_t type;
	uint32_t rate;        /* of its clock; 0 = there is none */
	uint64_t carriers[2]; /* payload types of voice that have that clock */
};

enum { MEDIA_EVENTS = 2 };

struct media_remote {
	struct addr rtp; /* where SDP wants it; unset or 0.0.0.0 = send
			     nothing */
	struct addr rtcp;
	struct addr signalling;    /* source of the leg's SIP; host matters */
	uint64_t payload_types[2]; /* negotiated, a set */
	bool receive; /* peer may send: forward what comes; else only count */
	bool send;    /* peer wants to be sent to */
	bool raw; /* no RTP (T.38's UDPTL, say): datagrams are relayed as they
		      are, from the first host and port that signalling names */
	bool behind_nat; /* signalling showed a NAT: once heard, RTP goes where
			    it comes from, even if SDP has the same host */
	struct media_filler filler; /* sent while nobody is heard and there is
				       nothing to relay: each 200 ms, 25 times
				       at most after each
				       media_stream_remote() or _bridge() */
	struct media_event events[MEDIA_EVENTS];
	bool tells_keys; /* packets of @events do not go to the peer:
			    media_stream_conf.key() is told of each key once,
			    unless very many come at once */
};

struct media_stats {
	uint64_t in_packets, in_bytes, in_lost;
	uint64_t out_packets, out_bytes;
	uint64_t rtcp_in, rtcp_out;
	uint64_t drop_stranger, drop_malformed, drop_payload_type;
	uint64_t drop_unbridged; /* nobody to send to, or on hold */
	mono_ms last_in;         /* of the last valid RTP or RTCP; 0 = never */
	mono_ms last_rtp;        /* of the last valid RTP; 0 = never */
	uint32_t moves;   /* times that a learned source was followed to another
			     address or port */
	uint32_t pierced; /* fillers sent to open a way (RFC 6263), not in
			     out_packets */
	uint32_t refused; /* times that ICMP said, quoting a packet of ours,
			     that nobody listens where we send */
	uint32_t flips;   /* times that we went over to the other of SDP's
			     address and the learned source, because the one
			     was deaf (ICMP, RTCP) */
	bool latched;
	bool other_host;    /* nobody is latched, and a stream comes from a host
			    that may not be learned */
	struct addr remote; /* where RTP is sent now; unset = nowhere */
};

int media_create(struct media **out, const struct media_conf *conf);
void media_destroy(struct media *m); /* closes all; accepts NULL */
unsigned media_pick_worker(struct media *m);

/*
 * Bind a random rested pair of @conf and start listening.  -EADDRNOTAVAIL:
 * no pair is free, or the machine has lost the address; -EINVAL: no pair fits
 * into the range; -EMFILE, -ENOMEM.  Packets are dropped until
 * media_stream_remote() says who the peer is.
 */
int media_stream_open(struct media_stream **out, struct media *m,
		      const struct media_stream_conf *conf);
/*
 * Stop and free, unbridge.  The worker stops within its present turn; the
 * pair rests from then on.  Accepts NULL.
 */
void media_stream_close(struct media_stream *s);
/* Our address with the RTP port / the RTCP port. */
const struct addr *media_stream_rtp(const struct media_stream *s);
const struct addr *media_stream_rtcp(const struct media_stream *s);
/*
 * Tell or change the peer.  With the same rtp, rtcp and payload types as
 * before the latch stays (contract, Latching); otherwise it starts anew.  An
 * address that a stream of our own has bound counts as unset: no loops.
 */
void media_stream_remote(struct media_stream *s, const struct media_remote *r);
/* What @a accepts goes out at @b and back; NULL unbridges @a.  A stream has
 * one partner at a time. */
void media_stream_bridge(struct media_stream *a, struct media_stream *b);
/*
 * Let the peer hear @key as an event (RFC 4733), in place of as much of the
 * voice that is relayed to it, after the keys before.  -EOPNOTSUPP: it takes no
 * events; -EAGAIN: nothing is relayed to it just now; -ENOSPC: too many wait.
 */
int media_stream_press(struct media_stream *s, const struct media_key *key);
void media_stream_stats(const struct media_stream *s, struct media_stats *out);
/*
 * Go on by worker @worker, that of a stream which it is to be bridged with:
 * the same sockets and peer, unbridged, latching anew.  *@s becomes another
 * object.  -errno: all is as it was.
 */
int media_stream_move(struct media_stream **s, unsigned worker);

/* Pairs taken early because none had rested (ports.rest_shortened). */
uint64_t media_rest_shortened(const struct media *m);

#endif
