/*
 * words.c - verdicts in names for programs and in sentences for people
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Only our own words and printed addresses get into a sentence, nothing that
 * a peer has written.
 */
#include "nat/nat.h"

struct wording {
	const char *name;
	const char *clause; /* NULL: the addresses at the start say it */
};

static const struct wording words[NAT_EVIDENCES] = {
	[NAT_VIA_HOST] = {"via-host", NULL},
	[NAT_VIA_PORT] = {"via-port", NULL},
	[NAT_VIA_PRIVATE] = {"via-private", NULL},
	[NAT_CONTACT_HOST] = {"contact-host", "Contact names another address"},
	[NAT_CONTACT_PORT] = {"contact-port", "Contact names another port"},
	[NAT_CONTACT_PRIVATE] = {"contact-private",
				 "Contact names a private address"},
	[NAT_SDP_HOST] = {"sdp-host", "media wanted at another address"},
	[NAT_SDP_PRIVATE] = {"sdp-private",
			     "media wanted at a private address"},
	[NAT_ORIGIN_PRIVATE] = {"origin-private",
				"SDP origin shows a private address"},
	[NAT_CALLID_PRIVATE] = {"callid-private",
				"Call-ID shows a private address"},
	[NAT_SOURCE_CGN] = {"source-cgn",
			    "source is a carrier's shared address"},
	[NAT_REPLIED_PRIVATE] = {"replied-private",
				 "it answered with a private address"},
	[NAT_ALG_CALLID] = {"alg-callid", "Call-ID rewritten between requests"},
	[NAT_ALG_MIX] = {"alg-mix", "Via rewritten, Contact not"},
	[NAT_ALG_SDP] = {"alg-sdp", "SDP rewritten in part"},
	[NAT_ALG_LENGTH] = {"alg-length",
			    "Content-Length does not fit the body"},
	[NAT_ALG_RPORT] = {"alg-rport", "rport or received filled in wrongly"},
	[NAT_ALG_TO_US] = {"alg-to-us", "our own address came back changed"},
};

const char *nat_evidence_name(enum nat_evidence e)
{
	return (unsigned)e < NAT_EVIDENCES ? words[e].name : "unknown";
}

const char *nat_alg_name(enum nat_alg alg)
{
	switch (alg) {
	case NAT_ALG_TRANSPARENT:
		return "transparent";
	case NAT_ALG_BROKEN:
		return "broken";
	default:
		return "none";
	}
}

static bool has(uint32_t evidence, enum nat_evidence e)
{
	return evidence >> e & 1;
}

/* Where one clause says more than another, or the start of the sentence has
 * said it already. */
static bool is_said(const struct nat_verdict *v, const struct addr *seen,
		    enum nat_evidence e)
{
	uint32_t ev = v->evidence;
	bool by_start = addr_is_set(&v->announced) &&
			!addr_equal(&v->announced, seen) && v->behind;

	switch (e) {
	case NAT_CONTACT_HOST:
		return by_start || has(ev, NAT_CONTACT_PRIVATE) ||
		       has(ev, NAT_ALG_MIX);
	case NAT_CONTACT_PORT:
		return by_start || has(ev, NAT_CONTACT_HOST) ||
		       has(ev, NAT_ALG_MIX);
	case NAT_CONTACT_PRIVATE:
		return by_start || has(ev, NAT_ALG_MIX);
	case NAT_SDP_HOST:
		return by_start || has(ev, NAT_SDP_PRIVATE);
	case NAT_SDP_PRIVATE:
	case NAT_REPLIED_PRIVATE:
	case NAT_ORIGIN_PRIVATE:
		return by_start;
	default:
		return false;
	}
}

static void put_addresses(struct buf *out, const struct addr *announced,
			  const struct addr *seen)
{
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX];

	addr_fmt(seen, b);
	if (!addr_is_set(announced))
		buf_printf(out, "announced by name, seen from %s", b);
	else if (addr_equal(announced, seen))
		buf_printf(out, "announced and seen as %s", b);
	else
		buf_printf(out, "announced %s, seen from %s",
			   addr_fmt(announced, a), b);
}

void nat_reason(struct buf *out, const struct nat_verdict *v,
		const struct addr *seen)
{
	const char *between = "; ";

	put_addresses(out, &v->announced, seen);
	buf_puts(out, v->behind ? ": behind NAT" : ": no NAT");
	for (unsigned e = 0; e < NAT_EVIDENCES; e++) {
		if (!has(v->evidence, e) || !words[e].clause ||
		    is_said(v, seen, e))
			continue;
		buf_puts(out, between);
		buf_puts(out, words[e].clause);
		between = ", ";
	}
	if (v->alg == NAT_ALG_NONE)
		return;
	buf_puts(out, *between == ',' ? ": SIP ALG, " : "; SIP ALG, ");
	buf_puts(out, nat_alg_name(v->alg));
}
