/*
 * fuzz_evidence.c - any bytes as a message, judged and told
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte says how it came: transport, source, with or without a
 * Call-ID of before.  Whatever it was, the verdict must be one that makes
 * sense, and its sentence one line of printable text.
 */
#include <stdlib.h>

#include "core/buf.h"
#include "nat/nat.h"

#include "../unit/nat/told.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const sources[] = {
	"203.0.113.7:40112",  "192.168.1.50:5060",     "100.64.3.9:5060",
	"203.0.113.7:5060",   "[2001:db8:1::7]:40112", "127.0.0.1:5060",
	"192.168.1.50:40112", "[fe80::7%1]:5060",
};

static void must(bool claim)
{
	if (!claim)
		abort();
}

static bool has(const struct nat_verdict *v, enum nat_evidence e)
{
	return v->evidence >> e & 1;
}

static void check_sense(const struct nat_verdict *v)
{
	must(v->evidence < UINT32_C(1) << NAT_EVIDENCES);
	must(v->alg == NAT_ALG_NONE || v->behind);
	must(v->alg != NAT_ALG_BROKEN || v->evidence >> NAT_ALG_CALLID);
	must(!has(v, NAT_VIA_PRIVATE) || has(v, NAT_VIA_HOST));
	must(!has(v, NAT_CONTACT_PRIVATE) || has(v, NAT_CONTACT_HOST));
	must(!has(v, NAT_SDP_PRIVATE) || has(v, NAT_SDP_HOST));
	must(!has(v, NAT_ORIGIN_PRIVATE) || !has(v, NAT_SDP_PRIVATE));
}

static void check_words(const struct nat_verdict *v, const struct addr *seen)
{
	char text[NAT_REASON_MAX];
	struct buf b;

	buf_init(&b, text, sizeof(text));
	nat_reason(&b, v, seen);
	must(!b.overflow);
	for (size_t i = 0; i < b.n; i++)
		must(text[i] >= ' ' && text[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct told told;
	struct nat_verdict v, sum;
	struct sip_flow flow;

	if (!size)
		return 0;
	flow = told_flow(data[0] & 8 ? SIP_TCP : SIP_UDP, "192.0.2.10:5060",
			 sources[data[0] & 7]);
	told_read(&told, data + 1, size - 1, &flow);
	if (data[0] & 16)
		told.look.call_id = "48a713ae@192.168.1.50";
	nat_judge(&v, &told.look);
	check_sense(&v);
	check_words(&v, &flow.remote);
	sum = v;
	nat_verdict_add(&sum, &v);
	must(sum.evidence == v.evidence && sum.behind == v.behind &&
	     sum.alg == v.alg);
	return 0;
}
