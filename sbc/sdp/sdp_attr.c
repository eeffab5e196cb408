/*
 * sdp_attr.c - tokens of RFC 8866 and the allow list of attributes
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * An allow list, because a list of what to hide is never complete: each new
 * RFC adds an attribute that names a host, a user or a key.  What is on the
 * list says how media is coded, never where somebody is.
 */
#include "sdp/sdp_attr.h"

#include <string.h>

static bool is_token_char(char c)
{
	if (c >= '0' && c <= '9')
		return true;
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return true;
	return c && strchr("!#$%&'*+-.^_`{|}~", c);
}

bool sdp_is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_token_char(s.p[i]))
			return false;
	return s.n > 0;
}

bool sdp_is_proto(struct str s)
{
	while (s.p)
		if (!sdp_is_token(str_cut(&s, '/')))
			return false;
	return true;
}

int sdp_pt(struct str fmt)
{
	uint64_t pt;

	return str_u64(fmt, 127, &pt) ? -1 : (int)pt;
}

bool sdp_is_rtp(struct str proto)
{
	return str_case_eq(str_cut(&proto, '/'), STR("RTP"));
}

static const char *const directions[] = {
	[SDP_SENDRECV] = "sendrecv",
	[SDP_SENDONLY] = "sendonly",
	[SDP_RECVONLY] = "recvonly",
	[SDP_INACTIVE] = "inactive",
};

bool sdp_direction_parse(struct str name, enum sdp_direction *out)
{
	for (unsigned i = 0; i < sizeof(directions) / sizeof(*directions); i++)
		if (str_eq_c(name, directions[i])) {
			*out = (enum sdp_direction)i;
			return true;
		}
	return false;
}

const char *sdp_direction_name(enum sdp_direction d)
{
	return directions[d];
}

struct str sdp_attr_find(const struct sdp_media *m, const char *name)
{
	for (unsigned i = 0; i < m->n_attrs; i++)
		if (str_eq_c(m->attrs[i].name, name))
			return m->attrs[i].value;
	return (struct str){0};
}

/* ---- the allow list ---------------------------------------------------- */

static bool has_format(const struct sdp_media *m, struct str fmt)
{
	int pt = sdp_pt(fmt);

	for (unsigned i = 0; i < m->n_formats; i++)
		if (pt >= 0 ? sdp_pt(m->formats[i]) == pt
			    : str_eq(m->formats[i], fmt))
			return true;
	return false;
}

/* "96 opus/48000/2", of a format of this m= line (RFC 8866 6.6). */
static bool is_rtpmap(const struct sdp_media *m, struct str v)
{
	struct str fmt = str_cut(&v, ' ');
	struct str rest = str_trim(v);
	struct str name = str_cut(&rest, '/');
	struct str clock = str_cut(&rest, '/');
	uint64_t hz;

	return has_format(m, fmt) && sdp_is_token(name) &&
	       !str_u64(clock, UINT32_MAX, &hz) && hz &&
	       (!rest.p || sdp_is_token(rest));
}

/* "97 mode=30": parameters of a format of this m= line. */
static bool is_of_format(const struct sdp_media *m, struct str v)
{
	return has_format(m, str_cut(&v, ' ')) && str_trim(v).n;
}

/* The same, or "*" for all formats (RFC 4585 4.2, RFC 6236 3.1). */
static bool is_of_any_format(const struct sdp_media *m, struct str v)
{
	struct str fmt = str_cut(&v, ' ');

	return (str_eq_c(fmt, "*") || has_format(m, fmt)) && str_trim(v).n;
}

/* "30", "29.97". */
static bool is_number(const struct sdp_media *m, struct str v)
{
	struct str whole = str_cut(&v, '.');
	uint64_t u;

	return !str_u64(whole, UINT32_MAX, &u) &&
	       (!v.p || !str_u64(v, UINT32_MAX, &u));
}

/* "slides,speaker", "de-CH": letters, digits and little else, so that no
 * address and no URL fits in. */
static bool is_word_list(const struct sdp_media *m, struct str v)
{
	while (v.p) {
		struct str word = str_cut(&v, ',');

		if (!sdp_is_token(word) || memchr(word.p, '.', word.n))
			return false;
	}
	return true;
}

/* "on 32 96 - -" (RFC 3108 5.6.3.2). */
static bool is_silence_supp(const struct sdp_media *m, struct str v)
{
	unsigned n = 0;

	while (v.p) {
		struct str word = str_cut(&v, ' ');

		if (!sdp_is_token(word) || word.n > 8)
			return false;
		n++;
	}
	return n == 5;
}

/* A flag, or one number: T38FaxFillBitRemoval, T38MaxBitRate:14400. */
static bool is_flag_or_number(const struct sdp_media *m, struct str v)
{
	uint64_t u;

	return !v.p || !str_u64(v, UINT32_MAX, &u);
}

/* "transferredTCF", "t38UDPRedundancy" (T.38 D.2.3). */
static bool is_fax_word(const struct sdp_media *m, struct str v)
{
	return sdp_is_token(v) && !memchr(v.p, '.', v.n);
}

static const struct {
	const char *name;
	bool (*is_good)(const struct sdp_media *m, struct str value);
} allowed[] = {
	{"rtpmap", is_rtpmap},
	{"fmtp", is_of_format},
	{"rtcp-fb", is_of_any_format},
	{"maxptime", is_number},
	{"framerate", is_number},
	{"maxprate", is_number}, /* RFC 3890: goes with b=TIAS */
	{"imageattr", is_of_any_format},
	{"content", is_word_list}, /* RFC 4796 */
	{"lang", is_word_list},
	{"silenceSupp", is_silence_supp},
	{"T38FaxVersion", is_flag_or_number},
	{"T38MaxBitRate", is_flag_or_number},
	{"T38FaxMaxBuffer", is_flag_or_number},
	{"T38FaxMaxDatagram", is_flag_or_number},
	{"T38FaxMaxIFP", is_flag_or_number},
	{"T38FaxFillBitRemoval", is_flag_or_number},
	{"T38FaxTranscodingMMR", is_flag_or_number},
	{"T38FaxTranscodingJBIG", is_flag_or_number},
	{"T38FaxRateManagement", is_fax_word},
	{"T38FaxUdpEC", is_fax_word},
};

static bool is_printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

bool sdp_attr_passes(const struct sdp_media *m, const struct sdp_attr *a)
{
	if (a->value.p && !is_printable(a->value))
		return false;
	for (unsigned i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
		if (str_eq_c(a->name, allowed[i].name))
			return (a->value.p ||
				allowed[i].is_good == is_flag_or_number) &&
			       allowed[i].is_good(m, a->value);
	return false;
}
