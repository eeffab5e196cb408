/*
 * sdp_attr.h - inside sdp/: tokens, payload types, and which attributes may
 * cross the box
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_SDP_SDP_ATTR_H
#define SBC_SDP_SDP_ATTR_H

#include <stdbool.h>

#include "core/buf.h"
#include "sdp/sdp.h"

/* RFC 8866 9, "token": at least one token-char and nothing else. */
bool sdp_is_token(struct str s);
/* "a/b/c" of tokens, as in the transport of an m= line. */
bool sdp_is_proto(struct str s);
/* @fmt as an RTP payload type, 0..127; -1 when it is none. */
int sdp_pt(struct str fmt);
/* The transport carries RTP and so its formats are payload types. */
bool sdp_is_rtp(struct str proto);

/* "sendrecv" and its siblings; false when @name is none of them. */
bool sdp_direction_parse(struct str name, enum sdp_direction *out);
const char *sdp_direction_name(enum sdp_direction d);

/* The value of the first attribute @name of @m; p is NULL without one. */
struct str sdp_attr_find(const struct sdp_media *m, const char *name);
/* @a of @m is on the allow list and its value has the form that the list
 * asks for.  Directions, ptime and rtcp are never: they are written anew. */
bool sdp_attr_passes(const struct sdp_media *m, const struct sdp_attr *a);

#endif
