/*
 * sdp_codec.c - questions about a media section: codec names, payload types,
 * direction, sameness
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sdp/sdp.h"
#include "sdp/sdp_attr.h"

/* RFC 3551 6, tables 4 and 5. */
static const char *const static_names[] = {
	[0] = "PCMU",  [3] = "GSM",   [4] = "G723",   [5] = "DVI4",
	[6] = "DVI4",  [7] = "LPC",   [8] = "PCMA",   [9] = "G722",
	[10] = "L16",  [11] = "L16",  [12] = "QCELP", [13] = "CN",
	[14] = "MPA",  [15] = "G728", [16] = "DVI4",  [17] = "DVI4",
	[18] = "G729", [25] = "CelB", [26] = "JPEG",  [28] = "nv",
	[31] = "H261", [32] = "MPV",  [33] = "MP2T",  [34] = "H263",
};

static struct str static_name(int pt)
{
	if (pt < 0 || pt >= (int)(sizeof(static_names) / sizeof(char *)) ||
	    !static_names[pt])
		return STR("");
	return str_of(static_names[pt]);
}

/* What a=rtpmap says of payload type @pt: "PCMA/8000"; false: nothing. */
static bool find_rtpmap(const struct sdp_media *m, int pt, struct str *out)
{
	for (unsigned k = 0; k < m->n_attrs; k++) {
		struct str v = m->attrs[k].value;

		if (!str_eq_c(m->attrs[k].name, "rtpmap") ||
		    !sdp_attr_passes(m, &m->attrs[k]) ||
		    sdp_pt(str_cut(&v, ' ')) != pt)
			continue;
		*out = str_trim(v);
		return true;
	}
	return false;
}

struct str sdp_codec(const struct sdp_media *m, unsigned i)
{
	struct str v;
	int pt;

	if (i >= m->n_formats || !sdp_is_rtp(m->proto))
		return STR("");
	pt = sdp_pt(m->formats[i]);
	return find_rtpmap(m, pt, &v) ? str_cut(&v, '/') : static_name(pt);
}

unsigned sdp_clock(const struct sdp_media *m, unsigned i)
{
	uint64_t rate;
	struct str v;
	int pt;

	if (i >= m->n_formats || !sdp_is_rtp(m->proto))
		return 0;
	pt = sdp_pt(m->formats[i]);
	if (find_rtpmap(m, pt, &v)) {
		str_cut(&v, '/');
		return str_u64(str_cut(&v, '/'), 384000, &rate)
			       ? 0
			       : (unsigned)rate;
	}
	/* RFC 3551 table 4; the few others are used by nobody. */
	return pt >= 0 && pt <= 18 && pt != 6 && pt != 10 && pt != 11 ? 8000
								      : 0;
}

void sdp_payload_types(const struct sdp_media *m, uint64_t set[2])
{
	set[0] = set[1] = 0;
	if (!sdp_is_rtp(m->proto))
		return;
	for (unsigned i = 0; i < m->n_formats; i++) {
		int pt = sdp_pt(m->formats[i]);

		if (pt >= 0)
			set[pt / 64] |= UINT64_C(1) << (pt % 64);
	}
}

enum sdp_direction sdp_way(const struct sdp_media *m)
{
	if (!m->held)
		return m->direction;
	switch (m->direction) {
	case SDP_SENDRECV:
		return SDP_SENDONLY;
	case SDP_RECVONLY:
		return SDP_INACTIVE;
	default:
		return m->direction;
	}
}

bool sdp_is_raw(const struct sdp_media *m)
{
	return str_case_eq_c(m->proto, "udptl") ||
	       str_case_eq_c(m->proto, "UDP") ||
	       str_case_eq_c(m->proto, "UDP/BFCP");
}

bool sdp_can_relay(const struct sdp_media *m)
{
	return m->port && m->n_formats &&
	       (str_case_eq_c(m->proto, "RTP/AVP") ||
		str_case_eq_c(m->proto, "RTP/AVPF") || sdp_is_raw(m));
}

/* ---- sameness ------------------------------------------------------------ */

static bool same_addr(const struct addr *a, const struct addr *b)
{
	if (!addr_is_set(a) || !addr_is_set(b))
		return addr_is_set(a) == addr_is_set(b);
	return addr_equal(a, b);
}

static bool same_formats(const struct sdp_media *a, const struct sdp_media *b)
{
	if (a->n_formats != b->n_formats)
		return false;
	for (unsigned i = 0; i < a->n_formats; i++)
		if (!str_eq(a->formats[i], b->formats[i]))
			return false;
	return true;
}

/* The next attribute from @i on that the other side would be told. */
static const struct sdp_attr *next_passing(const struct sdp_media *m,
					   unsigned *i)
{
	while (*i < m->n_attrs) {
		const struct sdp_attr *a = &m->attrs[(*i)++];

		if (sdp_attr_passes(m, a))
			return a;
	}
	return NULL;
}

static bool same_attrs(const struct sdp_media *a, const struct sdp_media *b)
{
	unsigned i = 0, k = 0;

	for (;;) {
		const struct sdp_attr *x = next_passing(a, &i);
		const struct sdp_attr *y = next_passing(b, &k);

		if (!x || !y)
			return x == y;
		if (!str_eq(x->name, y->name) || !str_eq(x->value, y->value))
			return false;
	}
}

static bool alike_media(const struct sdp_media *a, const struct sdp_media *b)
{
	for (unsigned i = 0; i < SDP_BWS; i++)
		if (a->bandwidth[i] != b->bandwidth[i])
			return false;
	return str_eq(a->type, b->type) && str_case_eq(a->proto, b->proto) &&
	       !a->port == !b->port && same_formats(a, b) &&
	       a->rtcp_mux == b->rtcp_mux && sdp_way(a) == sdp_way(b) &&
	       a->ptime == b->ptime && same_attrs(a, b);
}

static bool same_media(const struct sdp_media *a, const struct sdp_media *b)
{
	return alike_media(a, b) && a->port == b->port &&
	       same_addr(&a->rtp, &b->rtp) && same_addr(&a->rtcp, &b->rtcp);
}

bool sdp_alike(const struct sdp *a, const struct sdp *b)
{
	if (a->n_media != b->n_media)
		return false;
	for (unsigned i = 0; i < a->n_media; i++)
		if (!alike_media(&a->media[i], &b->media[i]))
			return false;
	return true;
}

bool sdp_same(const struct sdp *a, const struct sdp *b)
{
	if (a->n_media != b->n_media)
		return false;
	for (unsigned i = 0; i < a->n_media; i++)
		if (!same_media(&a->media[i], &b->media[i]))
			return false;
	return true;
}
