/*
 * sdp.h - session descriptions (RFC 8866), bounded reader and writer, and what
 * of one side's description the other side may see
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Our own because the library's parser loops for ever on one bad m= line.
 * Limits: core/limits.h.  Pure; any thread.
 */
#ifndef SBC_SDP_SDP_H
#define SBC_SDP_SDP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/buf.h"
#include "core/limits.h"

enum sdp_direction { SDP_SENDRECV, SDP_SENDONLY, SDP_RECVONLY, SDP_INACTIVE };

struct sdp_attr {
	struct str name, value; /* value.p NULL when there is no colon */
};

/* b= lines of a media section that mean something to us (RFC 8866 5.8,
 * RFC 3890, RFC 3556).  AS in kbit/s, the others in bit/s. */
enum sdp_bandwidth { SDP_BW_AS, SDP_BW_TIAS, SDP_BW_RS, SDP_BW_RR, SDP_BWS };
#define SDP_BW_ABSENT UINT32_MAX

struct sdp_media {
	struct str type;     /* "audio" */
	struct str proto;    /* "RTP/AVP" */
	uint16_t port;       /* 0 = refused */
	struct str *formats; /* as text: "0", "101" */
	unsigned n_formats;
	struct addr rtp;  /* where it wants RTP: c= and port; family may be
			     unset when c= names a host or is absent */
	struct addr rtcp; /* a=rtcp (RFC 3605), else port + 1 */
	bool held;        /* c= is 0.0.0.0 or :: (RFC 3264 8.4, old style) */
	bool rtcp_mux;
	enum sdp_direction direction; /* session level inherited */
	unsigned ptime;               /* ms, 5..200; 0 = absent or nonsense */
	uint32_t bandwidth[SDP_BWS];
	struct sdp_attr *attrs; /* of this m= section, in order */
	unsigned n_attrs;
};

/* One heap object with its own copy of the text; slices point into it. */
struct sdp {
	uint64_t sess_id, sess_version; /* of o=, modulo 2^64 */
	struct addr origin; /* host of o=; unset when that is a name */
	struct sdp_media *media;
	unsigned n_media; /* at least 1 */
};

/*
 * Read @text.  -EINVAL: not a session description; -E2BIG: over a limit;
 * -ENOMEM.  Strict about tokens, numbers and line form, lenient about line
 * ends (bare LF), unknown lines and the order of lines within a section.
 */
int sdp_read(struct sdp **out, struct str text);
/* @from as an object of its own, also when it was put together of slices of
 * others.  -ENOMEM. */
int sdp_copy(struct sdp **out, const struct sdp *from);
void sdp_free(struct sdp *sdp); /* accepts NULL */

/* The codec name of format @i: from a=rtpmap, else the static payload types
 * of RFC 3551 ("PCMA"); "" when unknown.  Not NUL-terminated. */
struct str sdp_codec(const struct sdp_media *m, unsigned i);
/* Its RTP clock in Hz, likewise; 0 when unknown. */
unsigned sdp_clock(const struct sdp_media *m, unsigned i);
/* What @m asks for, with the old-style hold (RFC 3264 8.4) told as a
 * direction: held and sendrecv is sendonly, held and recvonly inactive. */
enum sdp_direction sdp_way(const struct sdp_media *m);
/* Payload types of @m as a set; static and dynamic alike. */
void sdp_payload_types(const struct sdp_media *m, uint64_t set[2]);
/* We can anchor it: RTP/AVP or RTP/AVPF, or datagrams that are no RTP; port not
 * 0, at least one format. */
bool sdp_can_relay(const struct sdp_media *m);
/* Datagrams without RTP: T.38 over UDPTL (ITU-T T.38 annex D), BFCP
 * (RFC 8856) and other "UDP". */
bool sdp_is_raw(const struct sdp_media *m);
/* Same m-lines, formats and what they mean (every attribute that sdp_write()
 * passes on), addresses and directions: an offer that changes nothing
 * (RFC 3264 8).  o= is not looked at. */
bool sdp_same(const struct sdp *a, const struct sdp *b);
/* The same, wherever it goes: addresses and ports may differ, but not in what
 * they say of a hold or a refusal.  Who is told of the one by sdp_write() has
 * been told of the other. */
bool sdp_alike(const struct sdp *a, const struct sdp *b);

/* Kinds of m= lines, as bits. */
enum { SDP_AUDIO = 1, SDP_VIDEO = 2, SDP_IMAGE = 4, SDP_OTHER = 8 };

/* What a peer may see of a session. */
struct sdp_policy {
	const char (*codecs)[LIMIT_NAME_BYTES]; /* names, best first */
	unsigned n_codecs;                      /* 0 = any, as they come */
	unsigned media;                         /* bits of the above */
};

/*
 * The formats of @m that @p lets through, into @out, which has room for
 * LIMIT_SDP_FORMATS; @in_order: in the order of the list, for an offer, else as
 * they come.  0: the whole line is to be refused; telephone-event and the like
 * alone make no session.
 */
unsigned sdp_policy_formats(const struct sdp_media *m,
			    const struct sdp_policy *p, bool in_order,
			    struct str *out);

/* What we put in place of one side's addresses when the other side is told. */
struct sdp_ours {
	uint64_t sess_id, sess_version; /* constant; +1 on change only */
	const struct addr *rtp;  /* n_media of them: our address and port; an
				    unset family or port 0 = refuse this m= */
	const struct addr *rtcp; /* likewise; a=rtcp is written only where
				    RFC 3605 needs it: not port + 1 */
	unsigned n; /* m-lines past the n-th are refused, and so are
		       those that @from itself refuses */
};

/*
 * Write @from as the other side may see it: our o=, s=-, c=, ports and
 * a=rtcp; codecs, fmtp, ptime and direction of @from; nothing else of it
 * (allow list of attributes, S0-41).  m-lines keep their number and order
 * (RFC 3264 6, 8.4).  An old-style hold (c=0.0.0.0) becomes a direction.
 * -ENOSPC when @out overflows.
 */
int sdp_write(struct buf *out, const struct sdp *from,
	      const struct sdp_ours *ours);

#endif
