/*
 * sdp_policy.c - which codecs and kinds of media a peer is to see, and in which
 * order
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What only accompanies speech (pressed keys, comfort noise) goes along with
 * any codec: a list that forgot it would break calls in a way nobody expects.
 */
#include <string.h>

#include "sdp/sdp.h"
#include "sdp/sdp_attr.h"

static unsigned kind_of(const struct sdp_media *m)
{
	if (str_eq_c(m->type, "audio"))
		return SDP_AUDIO;
	if (str_eq_c(m->type, "video"))
		return SDP_VIDEO;
	if (str_eq_c(m->type, "image"))
		return SDP_IMAGE;
	return SDP_OTHER;
}

static bool is_companion(struct str codec)
{
	return str_case_eq_c(codec, "telephone-event") ||
	       str_case_eq_c(codec, "CN") || str_case_eq_c(codec, "red") ||
	       str_case_eq_c(codec, "ulpfec") || str_case_eq_c(codec, "rtx");
}

enum { NOT_NAMED = -1 };

/* Its place in the list. */
static int rank_of(struct str codec, const struct sdp_policy *p)
{
	for (unsigned i = 0; i < p->n_codecs; i++) {
		if (str_case_eq_c(codec, p->codecs[i]))
			return (int)i;
	}
	return NOT_NAMED;
}

/* A list of audio codecs says nothing of a picture. */
static bool is_ruled(const struct sdp_media *m, const struct sdp_policy *p)
{
	if (!p->n_codecs || !sdp_is_rtp(m->proto))
		return false;
	if (kind_of(m) == SDP_AUDIO)
		return true;
	for (unsigned i = 0; i < m->n_formats; i++) {
		if (rank_of(sdp_codec(m, i), p) != NOT_NAMED)
			return true;
	}
	return false;
}

unsigned sdp_policy_formats(const struct sdp_media *m,
			    const struct sdp_policy *p, bool in_order,
			    struct str *out)
{
	unsigned n = 0, speaks = 0;
	bool is_all = !is_ruled(m, p);

	if (!(p->media & kind_of(m)))
		return 0;
	for (int rank = 0; !is_all && in_order && rank < (int)p->n_codecs;
	     rank++) {
		for (unsigned i = 0; i < m->n_formats; i++) {
			if (rank_of(sdp_codec(m, i), p) == rank)
				out[n++] = m->formats[i];
		}
	}
	speaks = n;
	for (unsigned i = 0; i < m->n_formats; i++) {
		struct str codec = sdp_codec(m, i);
		bool is_named = rank_of(codec, p) != NOT_NAMED;

		if (is_named && !is_all && in_order)
			continue; /* it stands there */
		if (is_all || is_named || is_companion(codec))
			out[n++] = m->formats[i];
		speaks += is_all || is_named;
	}
	return speaks ? n : 0;
}
