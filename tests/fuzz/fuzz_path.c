/*
 * fuzz_path.c - any packets from anybody at both ends of a call
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The input is a run of packets: a byte that says who speaks to which port, a
 * byte of time that passes before (4 ms each), the length in two bytes, bytes.
 * Whatever they are, a stranger is neither forwarded nor sent to, unless it
 * proved that it is the stream that went silent elsewhere.  a is told of keys,
 * b is played them.
 */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "media/media.h"
#include "media/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SOURCES = 8 };

static const char *const sources[SOURCES] = {
	"203.0.113.7:1024",  "203.0.113.7:2000",    "192.168.1.50:4000",
	"198.51.100.9:6000", "198.51.100.9:6001",   "192.0.2.66:1024",
	"192.0.2.66:6000",   "[2001:db8::66]:1024",
};

struct rig {
	struct path a, b;
	struct media_remote a_remote, b_remote;
	struct addr from[SOURCES];
	uint64_t walked;
	unsigned changes;
	mono_ms now;
};

static void must(bool claim)
{
	if (!claim)
		abort();
}

static struct media_remote remote(const char *rtp, const char *rtcp,
				  const char *signalling)
{
	struct media_remote r = {.payload_types = {0x109, 1ULL << 37},
				 .filler = {.type = 8, .byte = 0xd5, .n = 160},
				 .receive = true,
				 .send = true};

	must(!addr_parse_port(&r.rtp, rtp));
	must(!addr_parse_port(&r.rtcp, rtcp));
	must(!addr_parse_port(&r.signalling, signalling));
	return r;
}

static void press(struct path *p, unsigned what)
{
	const struct media_key key = {what % 16, (uint16_t)(20 * what)};

	key_push(&p->keys.wanted, &key);
	path_look_for_keys(p);
}

static void take_keys(struct path *p)
{
	struct media_key key;

	while (key_first(&p->keys.told, &key)) {
		must(key.event < 16 && key.ms <= 5000);
		key_drop(&p->keys.told);
	}
}

static void set_up(struct rig *rig)
{
	*rig = (struct rig){.now = 1000000};
	rig->a_remote = remote("192.168.1.50:4000", "192.168.1.50:4001",
			       "203.0.113.7:5060");
	rig->b_remote = remote("198.51.100.9:6000", "198.51.100.9:6001",
			       "198.51.100.9:5060");
	rig->a_remote.tells_keys = true;
	rig->a_remote.events[0] = rig->b_remote.events[0] =
		(struct media_event){101, 8000, {0x109, 0}};
	for (int i = 0; i < SOURCES; i++)
		must(!addr_parse_port(&rig->from[i], sources[i]));
	path_remote(&rig->a, &rig->a_remote);
	path_remote(&rig->b, &rig->b_remote);
	path_bridge(&rig->a, &rig->b);
}

static bool is_party(const struct path *p, const struct addr *a)
{
	return addr_same_host(a, &p->rule.sdp) ||
	       addr_same_host(a, &p->rule.signalling);
}

/* A re-INVITE: hold, multiplexed RTCP, or as it was. */
static void change(struct rig *rig, unsigned how)
{
	struct media_remote r = rig->a_remote;

	r.receive = how & 1;
	if (how & 2)
		r.rtcp = r.rtp;
	rig->changes++;
	path_remote(&rig->a, &r);
}

static bool has_claimed(const struct latch *l, const struct addr *from)
{
	for (unsigned i = 0; i < l->n_claims; i++) {
		if (addr_equal(from, &l->claims[i].from))
			return l->claims[i].row >= 2;
	}
	return false;
}

/* May the source of @in's RTP have changed from @before to what it is? */
static bool may_have_moved(const struct path *in, const struct latch *before,
			   const struct path_packet *pkt)
{
	mono_ms silent = pkt->now - before->heard;

	if (!before->learned)
		return is_party(in, &pkt->from);
	return addr_equal(&in->latch.source, &pkt->from) &&
	       in->latch.ssrc == before->ssrc &&
	       (uint16_t)(in->latch.seq - before->seq) > 0 &&
	       (addr_same_host(&pkt->from, &before->source)
			? silent >= 60
			: silent >= 500 && has_claimed(before, &pkt->from));
}

static bool is_known(const struct path *p, const struct addr *a)
{
	return is_party(p, a) || addr_same_host(a, &p->latch.source);
}

/* A filler goes where RTP would. */
static void try_filler(struct path *p)
{
	uint8_t bytes[PATH_FILLER_MAX];
	struct path_hop hop;
	struct rtp_hdr h;
	size_t n;

	if (!path_pierce(p, bytes, &n, &hop))
		return;
	must(n <= sizeof(bytes) && !rtp_read(&h, bytes, n));
	must(!p->latch.learned && is_party(p, hop.to));
	path_sent(&hop, n);
}

static void try_packet(struct rig *rig, unsigned who, uint8_t *p, size_t n)
{
	struct path *in = who & 8 ? &rig->b : &rig->a;
	struct path_packet pkt = {.bytes = p,
				  .n = n,
				  .from = rig->from[who % SOURCES],
				  .now = rig->now,
				  .on_rtcp_port = who & 16};
	struct latch before = in->latch;
	struct media_stats st;
	struct path_hop hop;

	if (who & 32) /* an ICMP error that quotes these bytes */
		path_refused(in, &pkt.from, p, n, rig->now);
	if (who & 64)
		try_filler(in);
	if ((who & 96) == 96)
		press(&rig->b, who);
	rig->walked++;
	if (path_walk(in, &pkt, &hop)) {
		must(hop.is_rtcp ? is_known(in, &pkt.from)
				 : addr_equal(&pkt.from, &in->latch.source));
		must(hop.out == in->partner);
		must(is_known(hop.out, hop.to));
		must(addr_port(hop.to) != 0);
		must(pkt.n <= n);
		path_sent(&hop, pkt.n);
	}
	must((before.learned == in->latch.learned &&
	      (!before.learned ||
	       addr_equal(&before.source, &in->latch.source))) ||
	     may_have_moved(in, &before, &pkt));
	take_keys(&rig->a);
	path_read_stats(in, &st);
	must(!addr_is_set(&st.remote) || is_known(in, &st.remote));
	must(st.flips <= 4 * (1 + st.moves + rig->changes));
	must(st.in_packets + st.rtcp_in + st.drop_stranger + st.drop_malformed +
		     st.drop_payload_type <=
	     rig->walked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	struct rig rig;

	set_up(&rig);
	while (cursor_left(&c)) {
		unsigned who = cursor_u8(&c);
		size_t n;
		uint8_t *exact;

		rig.now += 4 * cursor_u8(&c);
		if (who >= 0xe0) {
			change(&rig, who);
			continue;
		}
		n = cursor_u16(&c);
		if (n > cursor_left(&c))
			n = cursor_left(&c);
		/* Its own block, so that a read past the end is seen. */
		exact = malloc(n + !n);
		must(exact);
		if (n)
			memcpy(exact, cursor_take(&c, n), n);
		try_packet(&rig, who, exact, n);
		free(exact);
	}
	return 0;
}
