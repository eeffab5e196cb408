/*
 * sdp_read.c - text to struct sdp in two passes: count, then fill
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   [ struct sdp | media ... | formats ... | attributes ... | text ]
 *
 * One block, because a held call keeps two descriptions for hours.  The first
 * pass only counts and refuses what is over a limit, the second may then fill
 * without asking for room.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sdp/sdp.h"
#include "sdp/sdp_attr.h"

struct counts {
	unsigned media, formats, attrs; /* attrs: those of media sections */
};

struct reader {
	struct sdp *sdp;
	struct sdp_media *m; /* the present section; NULL: session level */
	struct str *formats; /* next free */
	struct sdp_attr *attrs;
	struct addr conn; /* c= of the session; unset without one */
	enum sdp_direction direction;
	bool has_version, has_origin, has_own_conn;
};

static int count(struct counts *c, struct str text);
static int read_lines(struct reader *r, struct str text);
static void finish_media(struct sdp_media *m);

int sdp_read(struct sdp **out, struct str text)
{
	struct counts n = {0};
	struct reader r = {.direction = SDP_SENDRECV};
	size_t bytes;
	char *copy;
	int err;

	if (text.n > LIMIT_SDP_BYTES)
		return -E2BIG;
	err = count(&n, text);
	if (err)
		return err;

	bytes = sizeof(struct sdp) + n.media * sizeof(struct sdp_media) +
		n.formats * sizeof(struct str) +
		n.attrs * sizeof(struct sdp_attr);
	r.sdp = calloc(1, bytes + text.n);
	if (!r.sdp)
		return -ENOMEM;
	r.sdp->media = (struct sdp_media *)(r.sdp + 1);
	r.formats = (struct str *)(r.sdp->media + n.media);
	r.attrs = (struct sdp_attr *)(r.formats + n.formats);
	copy = (char *)r.sdp + bytes;
	memcpy(copy, text.p, text.n);

	err = read_lines(&r, (struct str){copy, text.n});
	if (err)
		goto fail;
	for (unsigned i = 0; i < r.sdp->n_media; i++)
		finish_media(&r.sdp->media[i]);
	*out = r.sdp;
	return 0;
fail:
	sdp_free(r.sdp);
	return err;
}

void sdp_free(struct sdp *sdp)
{
	free(sdp);
}

/* ---- first pass ---------------------------------------------------------- */

/* The next word of @s; words are apart by one or more spaces, because some
 * phones write two, or one at the end of the line. */
static bool next_word(struct str *s, struct str *word)
{
	while (s->n && *s->p == ' ') {
		s->p++;
		s->n--;
	}
	if (!s->n)
		return false;
	*word = str_cut(s, ' ');
	return true;
}

static unsigned count_words(struct str s)
{
	struct str word;
	unsigned n = 0;

	while (next_word(&s, &word))
		n++;
	return n;
}

static int count(struct counts *c, struct str text)
{
	struct str line;
	unsigned attrs = 0;

	while (str_line(&text, &line)) {
		if (line.n < 2)
			continue;
		if (*line.p == 'a') {
			if (++attrs > LIMIT_SDP_ATTRS)
				return -E2BIG;
			c->attrs += c->media > 0;
		} else if (*line.p == 'm') {
			unsigned words = count_words(line);

			if (++c->media > LIMIT_SDP_MEDIA ||
			    words > 3 + LIMIT_SDP_FORMATS)
				return -E2BIG;
			c->formats += words > 3 ? words - 3 : 0;
		}
	}
	return c->media ? 0 : -EINVAL;
}

/* ---- second pass --------------------------------------------------------- */

static bool has_control_byte(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

static bool is_rest_empty(struct str text)
{
	struct str line;

	while (str_line(&text, &line))
		if (line.n)
			return false;
	return true;
}

/* A decimal of any length (RFC 8866 sets no end to o= numbers). */
static int read_digits(struct str s, uint64_t *out)
{
	uint64_t u = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EINVAL;
		u = u * 10 + (unsigned)(s.p[i] - '0');
	}
	if (!s.n)
		return -EINVAL;
	*out = u;
	return 0;
}

/* What stands after the last space, and @s shortened to what stands before. */
static struct str cut_last(struct str *s)
{
	size_t n = s->n;
	struct str word;

	while (n && s->p[n - 1] != ' ')
		n--;
	word = (struct str){s->p + n, s->n - n};
	s->n = n ? n - 1 : 0;
	return word;
}

/* o=<user> <id> <version> IN IP4 <address>, read from its end, because phones
 * write display names with spaces for <user>. */
static int read_origin(struct reader *r, struct str v)
{
	struct str address, type, net, version;

	v = str_trim(v);
	address = cut_last(&v);
	type = cut_last(&v);
	net = cut_last(&v);
	version = cut_last(&v);
	if (!address.n || !type.n || !net.n || r->has_origin || r->m)
		return -EINVAL;
	if (read_digits(version, &r->sdp->sess_version) ||
	    read_digits(cut_last(&v), &r->sdp->sess_id) || !v.n)
		return -EINVAL;
	if (str_case_eq(net, STR("IN")) && !memchr(address.p, '%', address.n))
		(void)addr_parse(&r->sdp->origin, address.p, address.n, 0);
	r->has_origin = true;
	return 0;
}

/* c=IN IP4 192.0.2.1 or IN IP4 233.252.0.1/127/3.  A name, or another kind
 * of network, leaves @out unset: there is nobody to ask for its address. */
static int read_conn(struct addr *out, struct str v)
{
	struct str net, type, host;

	if (!next_word(&v, &net) || !next_word(&v, &type) ||
	    !next_word(&v, &host) || str_trim(v).n)
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	host = str_cut(&host, '/');
	if (!host.n)
		return -EINVAL;
	if (str_case_eq(net, STR("IN")) && !memchr(host.p, '%', host.n))
		(void)addr_parse(out, host.p, host.n, 0);
	return 0;
}

static int read_conn_line(struct reader *r, struct str v)
{
	struct addr conn;
	int err = read_conn(&conn, v);

	if (err)
		return err;
	if (!r->m) {
		r->conn = conn;
	} else if (!r->has_own_conn) { /* layered ones follow the first */
		r->m->rtp = conn;
		r->has_own_conn = true;
	}
	return 0;
}

static int read_port(struct str s, uint16_t *out)
{
	struct str port = str_cut(&s, '/');
	uint64_t u, n;

	if (s.p && (str_u64(s, 65535, &n) || !n))
		return -EINVAL;
	if (str_u64(port, 65535, &u))
		return -EINVAL;
	*out = (uint16_t)u;
	return 0;
}

/* m=<type> <port>[/<n>] <proto> <format> ... */
static int read_media(struct reader *r, struct str v)
{
	struct sdp_media *m = &r->sdp->media[r->sdp->n_media];
	struct str port, fmt;

	if (!next_word(&v, &m->type) || !next_word(&v, &port) ||
	    !next_word(&v, &m->proto))
		return -EINVAL;
	if (!sdp_is_token(m->type) || !sdp_is_proto(m->proto) ||
	    read_port(port, &m->port))
		return -EINVAL;

	m->formats = r->formats;
	while (next_word(&v, &fmt)) {
		if (sdp_is_rtp(m->proto) ? sdp_pt(fmt) < 0 : !sdp_is_token(fmt))
			return -EINVAL;
		m->formats[m->n_formats++] = fmt;
	}
	if (!m->n_formats && m->port)
		return -EINVAL;
	r->formats += m->n_formats;

	m->attrs = r->attrs;
	m->rtp = r->conn;
	m->direction = r->direction;
	memset(m->bandwidth, 0xff, sizeof(m->bandwidth)); /* SDP_BW_ABSENT */
	r->m = m;
	r->has_own_conn = false;
	r->sdp->n_media++;
	return 0;
}

static void read_bandwidth(struct reader *r, struct str v)
{
	static const char *const names[SDP_BWS] = {
		[SDP_BW_AS] = "AS",
		[SDP_BW_TIAS] = "TIAS",
		[SDP_BW_RS] = "RS",
		[SDP_BW_RR] = "RR",
	};
	struct str name = str_cut(&v, ':');
	uint64_t u;

	if (!r->m || str_u64(str_trim(v), SDP_BW_ABSENT - 1, &u))
		return;
	for (unsigned i = 0; i < SDP_BWS; i++)
		if (str_eq_c(name, names[i]))
			r->m->bandwidth[i] = (uint32_t)u;
}

/* Packets shorter than 5 ms or longer than 200 ms are nobody's wish; "20.0"
 * is somebody's way to write 20. */
static unsigned read_ptime(struct str v)
{
	uint64_t ms;

	if (str_u64(str_cut(&v, '.'), 200, &ms) || ms < 5)
		return 0;
	return (unsigned)ms;
}

static void read_attr(struct reader *r, struct str v)
{
	struct sdp_attr a = {.name = str_trim(str_cut(&v, ':'))};
	enum sdp_direction direction;

	if (v.p)
		a.value = str_trim(v);
	if (!sdp_is_token(a.name))
		return; /* could not be passed on anyway */
	if (!a.value.p && sdp_direction_parse(a.name, &direction)) {
		*(r->m ? &r->m->direction : &r->direction) = direction;
	} else if (!r->m) {
		return;
	} else if (str_eq_c(a.name, "ptime")) {
		r->m->ptime = read_ptime(a.value);
	} else if (str_eq_c(a.name, "rtcp-mux")) {
		r->m->rtcp_mux = true;
	}
	if (r->m)
		r->m->attrs[r->m->n_attrs++] = a;
	r->attrs += r->m != NULL;
}

static int read_line(struct reader *r, struct str line)
{
	struct str v = {line.p + 2, line.n - 2};

	if (line.n < 2 || line.p[1] != '=' || line.p[0] < 'a' ||
	    line.p[0] > 'z' || has_control_byte(line))
		return -EINVAL;
	if (!r->has_version && *line.p != 'v')
		return -EINVAL;

	switch (*line.p) {
	case 'v':
		if (r->has_version || !str_eq_c(str_trim(v), "0"))
			return -EINVAL;
		r->has_version = true;
		return 0;
	case 'o':
		return read_origin(r, v);
	case 'c':
		return read_conn_line(r, v);
	case 'm':
		return read_media(r, v);
	case 'b':
		read_bandwidth(r, v);
		return 0;
	case 'a':
		read_attr(r, v);
		return 0;
	default:
		return 0; /* s, i, u, e, p, t, r, z, k and what may come */
	}
}

static int read_lines(struct reader *r, struct str text)
{
	struct str line;
	int err;

	while (str_line(&text, &line)) {
		if (!line.n && is_rest_empty(text))
			break;
		err = read_line(r, line);
		if (err)
			return err;
	}
	return r->has_origin ? 0 : -EINVAL;
}

/* ---- what follows from several lines together ---------------------------- */

/* a=rtcp:<port> [IN IP4 <address>] (RFC 3605); without a good one it is the
 * port above RTP's. */
static void find_rtcp(struct sdp_media *m)
{
	struct str v = sdp_attr_find(m, "rtcp");
	struct str port;
	struct addr own;
	uint64_t u;

	m->rtcp = m->rtp;
	if (!addr_is_set(&m->rtp))
		return;
	addr_set_port(&m->rtcp, m->port ? (uint16_t)(m->port + 1) : 0);
	if (!v.p || !next_word(&v, &port) || str_u64(port, 65535, &u) || !u)
		return;
	if (str_trim(v).n) {
		if (read_conn(&own, v) || !addr_is_set(&own))
			return;
		m->rtcp = own;
	}
	addr_set_port(&m->rtcp, (uint16_t)u);
}

static void finish_media(struct sdp_media *m)
{
	if (addr_is_set(&m->rtp))
		addr_set_port(&m->rtp, m->port);
	m->held = addr_class(&m->rtp) == ADDR_ANY;
	find_rtcp(m);
}
