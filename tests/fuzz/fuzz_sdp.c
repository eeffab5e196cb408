/*
 * fuzz_sdp.c - any bytes as a session description: read, ask, write, re-read
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What we write must be readable, must come out the same when it is written
 * again, and must not carry a byte that could start a line of its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sdp/sdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct addr rtp[LIMIT_SDP_MEDIA], rtcp[LIMIT_SDP_MEDIA];

static void must(bool claim)
{
	if (!claim)
		abort();
}

/* Each third stream is refused, one has an address of its own. */
static void set_addresses(void)
{
	for (unsigned i = 0; i < LIMIT_SDP_MEDIA; i++) {
		const char *host = i == 1 ? "2001:db8::5" : "203.0.113.5";

		if (i % 3 == 2)
			continue;
		addr_parse(&rtp[i], host, strlen(host), (uint16_t)(20000 + i));
		addr_parse(&rtcp[i], host, strlen(host), (uint16_t)(20001 + i));
	}
	addr_set_port(&rtcp[0], 30000);
}

static void ask_everything(const struct sdp *sdp)
{
	must(sdp->n_media > 0 && sdp->n_media <= LIMIT_SDP_MEDIA);
	must(sdp_same(sdp, sdp));
	for (unsigned i = 0; i < sdp->n_media; i++) {
		const struct sdp_media *m = &sdp->media[i];
		uint64_t set[2];

		for (unsigned k = 0; k <= m->n_formats; k++)
			must(sdp_codec(m, k).n <= LIMIT_SDP_BYTES);
		sdp_payload_types(m, set);
		must(!sdp_can_relay(m) || sdp_is_raw(m) || set[0] || set[1]);
		must(m->ptime == 0 || (m->ptime >= 5 && m->ptime <= 200));
		must(sdp_way(m) <= SDP_INACTIVE);
		must(!sdp_can_relay(m) || m->port);
	}
}

static bool write_out(struct buf *out, char *mem, const struct sdp *sdp)
{
	const struct sdp_ours ours = {
		.sess_id = 1,
		.sess_version = 2,
		.rtp = rtp,
		.rtcp = rtcp,
		.n = LIMIT_SDP_MEDIA,
	};

	buf_init(out, mem, LIMIT_SDP_BYTES + 1);
	return sdp_write(out, sdp, &ours) == 0;
}

static void check_bytes(struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		must((c >= 0x20 && c < 0x7f) || c == '\r' || c == '\n');
		must((c == '\r') == (i + 1 < text.n && text.p[i + 1] == '\n'));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char first[LIMIT_SDP_BYTES + 1], second[LIMIT_SDP_BYTES + 1];
	struct sdp *sdp = NULL, *again = NULL;
	struct buf a, b;

	if (!addr_is_set(&rtp[0]))
		set_addresses();
	if (sdp_read(&sdp, (struct str){(const char *)data, size})) {
		must(!sdp);
		return 0;
	}
	ask_everything(sdp);
	/* Our own lines may put a full description over the limits. */
	if (write_out(&a, first, sdp)) {
		int err;

		check_bytes(buf_str(&a));
		err = sdp_read(&again, buf_str(&a));
		must(!err || err == -E2BIG);
		if (!err) {
			must(write_out(&b, second, again));
			must(str_eq(buf_str(&a), buf_str(&b)));
		}
	}
	sdp_free(again);
	sdp_free(sdp);
	return 0;
}
