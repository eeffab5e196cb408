/*
 * sdp_write.c - one side's description as the other side may see it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Nothing is copied unless it is named here or in the allow list of
 * sdp_attr.c: no address, name, key or id of the one side reaches the other.
 */
#include <errno.h>
#include <inttypes.h>

#include "sdp/sdp.h"
#include "sdp/sdp_attr.h"

static bool is_usable(const struct addr *a)
{
	return addr_is_set(a) && addr_port(a);
}

/* Our address for m-line @i; NULL = it is refused, by us or by @from. */
static const struct addr *our_rtp(const struct sdp_ours *ours,
				  const struct sdp *from, unsigned i)
{
	if (i >= ours->n || !is_usable(&ours->rtp[i]) || !from->media[i].port)
		return NULL;
	return &ours->rtp[i];
}

static const struct addr *first_rtp(const struct sdp_ours *ours,
				    const struct sdp *from)
{
	for (unsigned i = 0; i < from->n_media; i++)
		if (our_rtp(ours, from, i))
			return our_rtp(ours, from, i);
	return NULL;
}

/* "IN IP4 192.0.2.1"; a scope id means nothing to the reader. */
static void put_address(struct buf *out, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	struct str host;

	if (!a) {
		buf_puts(out, "IN IP4 0.0.0.0");
		return;
	}
	host = str_of(addr_fmt_host(a, text));
	buf_puts(out, addr_family(a) == AF_INET6 ? "IN IP6 " : "IN IP4 ");
	buf_putstr(out, str_cut(&host, '%'));
}

static void put_bandwidth(struct buf *out, const struct sdp_media *m)
{
	static const char *const forms[SDP_BWS] = {
		[SDP_BW_AS] = "b=AS:",
		[SDP_BW_TIAS] = "b=TIAS:",
		[SDP_BW_RS] = "b=RS:",
		[SDP_BW_RR] = "b=RR:",
	};

	for (unsigned i = 0; i < SDP_BWS; i++)
		if (m->bandwidth[i] != SDP_BW_ABSENT)
			buf_printf(out, "%s%" PRIu32 "\r\n", forms[i],
				   m->bandwidth[i]);
}

/* RFC 3605 2.1: only when it is not the next port of the same host. */
static void put_rtcp(struct buf *out, const struct addr *rtp,
		     const struct addr *rtcp)
{
	bool same_host;

	if (!is_usable(rtcp))
		return;
	same_host = addr_same_host(rtp, rtcp);
	if (same_host && addr_port(rtcp) == addr_port(rtp) + 1)
		return;
	buf_printf(out, "a=rtcp:%u", (unsigned)addr_port(rtcp));
	if (!same_host) {
		buf_puts(out, " ");
		put_address(out, rtcp);
	}
	buf_puts(out, "\r\n");
}

static void put_attrs(struct buf *out, const struct sdp_media *m)
{
	for (unsigned i = 0; i < m->n_attrs; i++) {
		const struct sdp_attr *a = &m->attrs[i];

		if (!sdp_attr_passes(m, a))
			continue;
		buf_puts(out, "a=");
		buf_putstr(out, a->name);
		if (a->value.p) {
			buf_puts(out, ":");
			buf_putstr(out, a->value);
		}
		buf_puts(out, "\r\n");
	}
	if (m->ptime)
		buf_printf(out, "a=ptime:%u\r\n", m->ptime);
	buf_printf(out, "a=%s\r\n", sdp_direction_name(sdp_way(m)));
}

static void put_m_line(struct buf *out, const struct sdp_media *m,
		       unsigned port)
{
	buf_puts(out, "m=");
	buf_putstr(out, m->type);
	buf_printf(out, " %u ", port);
	buf_putstr(out, m->proto);
	for (unsigned i = 0; i < m->n_formats; i++) {
		buf_puts(out, " ");
		buf_putstr(out, m->formats[i]);
	}
	if (!m->n_formats)
		buf_puts(out, " 0"); /* the grammar wants one, even refused */
	buf_puts(out, "\r\n");
}

int sdp_write(struct buf *out, const struct sdp *from,
	      const struct sdp_ours *ours)
{
	const struct addr *session = first_rtp(ours, from);

	buf_printf(out, "v=0\r\no=- %" PRIu64 " %" PRIu64 " ", ours->sess_id,
		   ours->sess_version);
	put_address(out, session);
	buf_puts(out, "\r\ns=-\r\nc=");
	put_address(out, session);
	buf_puts(out, "\r\nt=0 0\r\n");

	for (unsigned i = 0; i < from->n_media; i++) {
		const struct sdp_media *m = &from->media[i];
		const struct addr *rtp = our_rtp(ours, from, i);

		put_m_line(out, m, rtp ? addr_port(rtp) : 0);
		if (!rtp)
			continue;
		if (!addr_same_host(rtp, session)) {
			buf_puts(out, "c=");
			put_address(out, rtp);
			buf_puts(out, "\r\n");
		}
		put_bandwidth(out, m);
		put_attrs(out, m);
		put_rtcp(out, rtp, &ours->rtcp[i]);
	}
	return out->overflow ? -ENOSPC : 0;
}
