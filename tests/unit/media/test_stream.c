/*
 * test_stream.c - streams with real workers and real sockets on loopback
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The clock stands still; waiting for a worker is polling with a deadline.
 * One socket's packets are walked in order, so when a marked packet has come
 * through, all that was sent to that socket before has been decided.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/loop.h"
#include "media/media.h"

enum { DEADLINE_MS = 10000, PCMA = 8, RTP_BYTES = 12 + 160, TRIES = 1000 };

struct phone {
	int fd;
	struct addr addr;
	uint32_t ssrc;
	uint16_t seq;
};

struct rig {
	struct media *media;
	struct media_stream_conf conf;
	struct media_stream *a, *b;
	struct phone alice, bob;
};

static struct addr at(const char *host)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, host, strlen(host), 0), 0);
	return a;
}

static int bound(const struct addr *a)
{
	int fd = socket(addr_family(a), SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (bind(fd, &a->sa, addr_len(a))) {
		close(fd);
		return -1;
	}
	return fd;
}

static struct phone phone_at(const char *host, uint32_t ssrc)
{
	struct addr a = at(host), named;
	struct phone p = {.fd = bound(&a), .ssrc = ssrc, .seq = 100};
	socklen_t len = sizeof(named);

	assert_true(p.fd >= 0);
	assert_int_equal(getsockname(p.fd, &named.sa, &len), 0);
	assert_int_equal(addr_from_sa(&p.addr, &named.sa, len), 0);
	return p;
}

/* One RTP packet of @p's stream, marked with @mark. */
static void speak_as(int fd, const struct phone *p, uint16_t seq,
		     const struct addr *to, uint8_t mark)
{
	uint8_t bytes[RTP_BYTES] = {0x80, PCMA, (uint8_t)(seq >> 8),
				    (uint8_t)seq};

	for (int i = 0; i < 4; i++) {
		bytes[4 + i] = (uint8_t)(160u * seq >> (24 - 8 * i));
		bytes[8 + i] = (uint8_t)(p->ssrc >> (24 - 8 * i));
	}
	memset(bytes + 12, mark, RTP_BYTES - 12);
	sendto(fd, bytes, sizeof(bytes), 0, &to->sa, addr_len(to));
}

static void speak(struct phone *p, const struct media_stream *to, uint8_t mark)
{
	speak_as(p->fd, p, p->seq++, media_stream_rtp(to), mark);
}

/* The mark of the next packet that @fd gets, -1 when none comes in @ms. */
static int next_mark(int fd, struct addr *from, int ms)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	uint8_t bytes[2048];
	socklen_t len = sizeof(*from);

	if (poll(&wait, 1, ms) != 1)
		return -1;
	if (recvfrom(fd, bytes, sizeof(bytes), 0, from ? &from->sa : NULL,
		     from ? &len : NULL) < 13)
		return -1;
	return bytes[12];
}

static int hear(const struct phone *p)
{
	return next_mark(p->fd, NULL, DEADLINE_MS);
}

static bool hears_nothing_more(const struct phone *p)
{
	return next_mark(p->fd, NULL, 0) == -1;
}

static int64_t real_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static struct media_stats stats(const struct media_stream *s)
{
	struct media_stats st;

	media_stream_stats(s, &st);
	return st;
}

static bool strangers_reach(const struct media_stream *s, uint64_t n)
{
	int64_t end = real_ms() + DEADLINE_MS;

	while (stats(s).drop_stranger < n && real_ms() < end)
		sched_yield();
	return stats(s).drop_stranger == n;
}

/* Has the worker read the wish that says where to send, or not to? */
static bool is_sent_to(const struct media_stream *s, bool wanted)
{
	int64_t end = real_ms() + DEADLINE_MS;
	struct media_stats st;

	do
		st = stats(s);
	while (addr_is_set(&st.remote) != wanted && real_ms() < end);
	return addr_is_set(&st.remote) == wanted;
}

static struct media_remote remote_of(const struct phone *p)
{
	struct media_remote r = {.rtp = p->addr,
				 .rtcp = p->addr,
				 .signalling = p->addr,
				 .payload_types = {1 << PCMA},
				 .receive = true,
				 .send = true};

	addr_set_port(&r.rtcp, (uint16_t)(addr_port(&p->addr) ^ 1));
	return r;
}

static void join(struct media_stream *s, const struct phone *p)
{
	struct media_remote r = remote_of(p);

	media_stream_remote(s, &r);
}

static int start(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct media_conf conf = {.workers = 2};

	clock_freeze(1000000, 0);
	assert_int_equal(media_create(&rig->media, &conf), 0);
	rig->conf = (struct media_stream_conf){.local = at("127.0.0.1"),
					       .realm = "lan",
					       .port_min = 30000,
					       .port_max = 31999,
					       .port_rest_s = 60};
	rig->conf.worker = media_pick_worker(rig->media);
	*state = rig;
	return 0;
}

/* A call between two phones, as far as the packets are concerned. */
static int start_call(void **state)
{
	struct rig *rig;

	start(state);
	rig = *state;
	rig->alice = phone_at("127.0.0.2", 0xa11ce);
	rig->bob = phone_at("127.0.0.3", 0xb0b);
	assert_int_equal(media_stream_open(&rig->a, rig->media, &rig->conf), 0);
	assert_int_equal(media_stream_open(&rig->b, rig->media, &rig->conf), 0);
	/* The last wish of each has the partner and the peer in it. */
	media_stream_bridge(rig->a, rig->b);
	join(rig->a, &rig->alice);
	join(rig->b, &rig->bob);
	assert_true(is_sent_to(rig->a, true) && is_sent_to(rig->b, true));
	return 0;
}

static int stop(void **state)
{
	struct rig *rig = *state;

	if (rig->alice.fd)
		close(rig->alice.fd);
	if (rig->bob.fd)
		close(rig->bob.fd);
	media_destroy(rig->media);
	free(rig);
	clock_thaw();
	return 0;
}

static bool can_bind(const struct addr *a)
{
	int fd = bound(a);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* ---- keys ----------------------------------------------------------------- */

enum { EVENT = 101, EVENT_BYTES = 16, KEYS = 8 };

struct keys {
	struct media_key keys[KEYS];
	unsigned n;
};

static void note_key(void *arg, const struct media_key *key)
{
	struct keys *k = arg;

	if (k->n < KEYS)
		k->keys[k->n++] = *key;
}

static struct media_remote remote_with_keys(const struct phone *p, bool told)
{
	struct media_remote r = remote_of(p);

	r.payload_types[1] = 1ULL << (EVENT - 64);
	r.events[0] = (struct media_event){
		.type = EVENT, .rate = 8000, .carriers = {1 << PCMA}};
	r.tells_keys = told;
	return r;
}

/* One packet, the only one of its event, of 100 ms. */
static void press(struct phone *p, const struct media_stream *to, uint8_t key)
{
	uint8_t bytes[EVENT_BYTES] = {0x80, EVENT, 0, (uint8_t)p->seq};

	bytes[5] = (uint8_t)p->seq++; /* timestamp */
	for (int i = 0; i < 4; i++)
		bytes[8 + i] = (uint8_t)(p->ssrc >> (24 - 8 * i));
	bytes[12] = key;
	bytes[13] = 0x80;
	bytes[14] = 800 >> 8;
	bytes[15] = 800 & 0xff;
	sendto(p->fd, bytes, sizeof(bytes), 0, &media_stream_rtp(to)->sa,
	       addr_len(media_stream_rtp(to)));
}

/* Who presses is on the worker, who is told on this thread. */
static void keys_are_told_on_the_control_thread(void **state)
{
	struct media_conf conf = {.workers = 2};
	struct rig rig = {.alice = phone_at("127.0.0.2", 0xa11ce),
			  .bob = phone_at("127.0.0.3", 0xb0b)};
	struct media_remote r = remote_with_keys(&rig.bob, true);
	struct keys keys = {.n = 0};
	int64_t end = real_ms() + DEADLINE_MS;

	assert_int_equal(loop_create(&conf.loop), 0);
	assert_int_equal(media_create(&rig.media, &conf), 0);
	rig.conf = ((struct rig *)*state)->conf;
	assert_int_equal(media_stream_open(&rig.a, rig.media, &rig.conf), 0);
	rig.conf.key = note_key;
	rig.conf.key_arg = &keys;
	assert_int_equal(media_stream_open(&rig.b, rig.media, &rig.conf), 0);
	media_stream_bridge(rig.a, rig.b);
	media_stream_remote(rig.b, &r);
	r = remote_with_keys(&rig.alice, false);
	media_stream_remote(rig.a, &r);
	loop_step(conf.loop, 0);
	assert_true(is_sent_to(rig.a, true) && is_sent_to(rig.b, true));
	for (uint8_t key = 0; key < KEYS; key++)
		press(&rig.alice, rig.a, key);
	while (keys.n < KEYS && real_ms() < end)
		loop_step(conf.loop, 10);
	assert_int_equal(keys.n, KEYS);
	for (uint8_t key = 0; key < KEYS; key++) {
		assert_int_equal(keys.keys[key].event, key);
		assert_int_equal(keys.keys[key].ms, 100);
	}
	speak(&rig.alice, rig.a, 7);
	assert_int_equal(hear(&rig.bob), 7); /* and nothing before */
	media_destroy(rig.media);
	loop_destroy(conf.loop);
	close(rig.alice.fd);
	close(rig.bob.fd);
}

static void a_key_is_played_to_who_is_spoken_to(void **state)
{
	const struct media_key key = {5, 20};
	struct rig *rig = *state;
	struct media_remote r = remote_with_keys(&rig->bob, false);

	assert_int_equal(media_stream_press(rig->b, &key), -EOPNOTSUPP);
	media_stream_remote(rig->b, &r);
	assert_int_equal(media_stream_press(rig->b, &key), -EAGAIN);
	speak(&rig->alice, rig->a, 1);
	assert_int_equal(hear(&rig->bob), 1);
	assert_int_equal(media_stream_press(rig->b, &key), 0);
	/* Until the worker has seen the wish it is voice. */
	for (int i = 0, got = 1; i < TRIES && got != 5; i++) {
		speak(&rig->alice, rig->a, 1);
		got = hear(&rig->bob);
		assert_true(got == 1 || got == 5);
		assert_true(i < TRIES - 1);
	}
	clock_advance(500);
	assert_int_equal(media_stream_press(rig->b, &key), -EAGAIN);
}

static void no_more_keys_wait_than_there_is_room_for(void **state)
{
	const struct media_key key = {5, 20};
	struct rig *rig = *state;
	struct media_remote r = remote_with_keys(&rig->bob, false);
	int err = 0, n;

	media_stream_remote(rig->b, &r);
	speak(&rig->alice, rig->a, 1);
	assert_int_equal(hear(&rig->bob), 1);
	for (n = 0; n < 100 && !err; n++)
		err = media_stream_press(rig->b, &key);
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(n, 17);
}

/* ---- ports --------------------------------------------------------------- */

static void stream_is_bound_to_its_pair_at_the_exact_address(void **state)
{
	struct rig *rig = *state;
	const struct addr *rtp, *rtcp;

	assert_int_equal(media_stream_open(&rig->a, rig->media, &rig->conf), 0);
	rtp = media_stream_rtp(rig->a);
	rtcp = media_stream_rtcp(rig->a);
	assert_true(addr_same_host(rtp, &rig->conf.local));
	assert_in_range(addr_port(rtp), 30000, 31998);
	assert_int_equal(addr_port(rtp) % 2, 0);
	assert_int_equal(addr_port(rtcp), addr_port(rtp) + 1);
	assert_false(can_bind(rtp));
	assert_false(can_bind(rtcp));
}

static int open_until_released(struct rig *rig, struct media_stream **out)
{
	int64_t end = real_ms() + DEADLINE_MS;
	int err;

	do
		err = media_stream_open(out, rig->media, &rig->conf);
	while (err == -EADDRNOTAVAIL && real_ms() < end);
	return err;
}

static void full_range_refuses_until_a_stream_is_closed(void **state)
{
	struct rig *rig = *state;
	struct media_stream *none;

	rig->conf.port_max = 30003;
	assert_int_equal(media_stream_open(&rig->a, rig->media, &rig->conf), 0);
	assert_int_equal(media_stream_open(&rig->b, rig->media, &rig->conf), 0);
	assert_int_equal(media_stream_open(&none, rig->media, &rig->conf),
			 -EADDRNOTAVAIL);
	media_stream_close(rig->b);
	assert_int_equal(open_until_released(rig, &rig->b), 0);
	assert_int_equal(media_rest_shortened(rig->media), 1);
}

static void pair_with_a_port_of_someone_else_is_passed_over(void **state)
{
	struct rig *rig = *state;
	struct addr rtp = at("127.0.0.1"), rtcp = rtp;
	int first, second;

	addr_set_port(&rtp, 30000);
	addr_set_port(&rtcp, 30003);
	first = bound(&rtp);
	second = bound(&rtcp);
	rig->conf.port_max = 30005;
	assert_int_equal(media_stream_open(&rig->a, rig->media, &rig->conf), 0);
	assert_int_equal(addr_port(media_stream_rtp(rig->a)), 30004);
	assert_int_equal(media_stream_open(&rig->b, rig->media, &rig->conf),
			 -EADDRNOTAVAIL);
	close(second);
	assert_int_equal(media_stream_open(&rig->b, rig->media, &rig->conf), 0);
	assert_int_equal(addr_port(media_stream_rtp(rig->b)), 30002);
	close(first);
}

static void realms_have_ranges_of_their_own(void **state)
{
	struct rig *rig = *state;

	rig->conf.port_max = 30001;
	assert_int_equal(media_stream_open(&rig->a, rig->media, &rig->conf), 0);
	rig->conf.realm = "wan";
	rig->conf.port_min = 30010;
	rig->conf.port_max = 30011;
	assert_int_equal(media_stream_open(&rig->b, rig->media, &rig->conf), 0);
	assert_int_equal(addr_port(media_stream_rtp(rig->b)), 30010);
}

static void range_without_a_pair_is_refused(void **state)
{
	struct rig *rig = *state;

	rig->conf.port_max = rig->conf.port_min;
	assert_int_equal(media_stream_open(&rig->a, rig->media, &rig->conf),
			 -EINVAL);
}

static void address_that_is_not_ours_is_refused(void **state)
{
	struct rig *rig = *state;

	rig->conf.local = at("192.0.2.1");
	assert_int_equal(media_stream_open(&rig->a, rig->media, &rig->conf),
			 -EADDRNOTAVAIL);
}

static void calls_are_spread_over_the_workers(void **state)
{
	struct rig *rig = *state;
	unsigned first = rig->conf.worker;

	assert_int_not_equal(media_pick_worker(rig->media), first);
	assert_int_equal(media_stream_open(&rig->a, rig->media, &rig->conf), 0);
	for (int i = 0; i < 4; i++)
		assert_int_not_equal(media_pick_worker(rig->media), first);
}

/* ---- relay --------------------------------------------------------------- */

static void phones_hear_each_other(void **state)
{
	struct rig *rig = *state;
	struct addr from;

	speak(&rig->alice, rig->a, 'a');
	assert_int_equal(next_mark(rig->bob.fd, &from, DEADLINE_MS), 'a');
	assert_true(addr_equal(&from, media_stream_rtp(rig->b)));
	speak(&rig->bob, rig->b, 'b');
	assert_int_equal(hear(&rig->alice), 'b');
}

static void counters_tell_both_directions(void **state)
{
	struct rig *rig = *state;
	struct media_stats a, b;

	for (int i = 0; i < 20; i++) {
		speak(&rig->alice, rig->a, (uint8_t)i);
		assert_int_equal(hear(&rig->bob), i);
	}
	speak(&rig->bob, rig->b, 'b'); /* so that the 20th is counted out */
	assert_int_equal(hear(&rig->alice), 'b');
	a = stats(rig->a);
	b = stats(rig->b);
	assert_int_equal(a.in_packets, 20);
	assert_int_equal(a.in_bytes, 20 * RTP_BYTES);
	assert_int_equal(b.out_packets, 20);
	assert_int_equal(b.in_packets, 1);
	assert_true(a.latched);
	assert_true(addr_equal(&a.remote, &rig->alice.addr));
	assert_int_equal(a.last_in, 1000000);
}

static void rtcp_is_relayed_between_the_odd_ports(void **state)
{
	struct rig *rig = *state;
	struct addr from, to = rig->bob.addr;
	uint8_t rr[16] = {0x80, 201, 0, 1, 0,   0,   0,   9,
			  0x81, 202, 0, 1, 'm', 'm', 'm', 'm'};
	const struct addr *odd = media_stream_rtcp(rig->a);
	int fd;

	addr_set_port(&to, (uint16_t)(addr_port(&to) ^ 1));
	fd = bound(&to);
	assert_true(fd >= 0);
	sendto(rig->alice.fd, rr, sizeof(rr), 0, &odd->sa, addr_len(odd));
	assert_int_equal(next_mark(fd, &from, DEADLINE_MS), 'm');
	assert_true(addr_equal(&from, media_stream_rtcp(rig->b)));
	close(fd);
}

static void media_carries_expedited_forwarding(void **state)
{
	struct rig *rig = *state;
	char control[64], bytes[256];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct pollfd wait = {.fd = rig->bob.fd, .events = POLLIN};
	int on = 1;

	setsockopt(rig->bob.fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on));
	speak(&rig->alice, rig->a, 'a');
	assert_int_equal(poll(&wait, 1, DEADLINE_MS), 1);
	assert_int_equal(recvmsg(rig->bob.fd, &msg, 0), RTP_BYTES);
	assert_non_null(CMSG_FIRSTHDR(&msg));
	assert_int_equal(*CMSG_DATA(CMSG_FIRSTHDR(&msg)), 0xb8);
}

static void ipv6_phone_talks_to_ipv4_phone(void **state)
{
	struct rig *rig = *state;
	struct media_stream *six;
	struct phone carol = phone_at("::1", 0xca401);

	rig->conf.local = at("::1");
	assert_int_equal(media_stream_open(&six, rig->media, &rig->conf), 0);
	media_stream_bridge(rig->a, six);
	join(six, &carol);
	assert_true(is_sent_to(six, true));
	speak(&carol, six, 'c');
	assert_int_equal(hear(&rig->alice), 'c');
	speak(&rig->alice, rig->a, 'a');
	assert_int_equal(hear(&carol), 'a');
	close(carol.fd);
}

static void packet_of_any_size_but_too_large_is_relayed(void **state)
{
	struct rig *rig = *state;
	static uint8_t bytes[9000] = {0x80, PCMA};
	const struct addr *to = media_stream_rtp(rig->a);

	bytes[12] = 'L';
	sendto(rig->alice.fd, bytes, 9000, 0, &to->sa, addr_len(to));
	sendto(rig->alice.fd, bytes, 8192, 0, &to->sa, addr_len(to));
	assert_int_equal(hear(&rig->bob), 'L');
	assert_int_equal(stats(rig->a).in_packets, 1);
	assert_int_equal(stats(rig->a).drop_malformed, 1);
}

static void own_port_as_remote_is_sent_nothing(void **state)
{
	struct rig *rig = *state;
	struct media_remote r = remote_of(&rig->bob);

	r.rtp = *media_stream_rtp(rig->a);
	r.rtcp = *media_stream_rtcp(rig->a);
	media_stream_remote(rig->b, &r);
	assert_true(is_sent_to(rig->b, false));
	speak(&rig->alice, rig->a, 'a');
	speak(&rig->bob, rig->b, 'c');
	assert_int_equal(hear(&rig->alice), 'c');
	assert_int_equal(stats(rig->b).out_packets, 0);
}

static bool drops_for_want_of_a_partner(struct rig *rig, uint64_t n)
{
	int64_t end = real_ms() + DEADLINE_MS;

	while (stats(rig->a).drop_unbridged < n && real_ms() < end)
		speak(&rig->alice, rig->a, 'x');
	return stats(rig->a).drop_unbridged >= n;
}

static void unbridged_stream_forwards_nothing(void **state)
{
	struct rig *rig = *state;

	media_stream_bridge(rig->a, NULL);
	assert_true(drops_for_want_of_a_partner(rig, 1));
	while (!hears_nothing_more(&rig->bob))
		; /* what was sent before the worker knew */
	assert_true(drops_for_want_of_a_partner(rig, 50));
	assert_true(hears_nothing_more(&rig->bob));
}

static void closed_partner_leaves_the_other_working(void **state)
{
	struct rig *rig = *state;
	struct media_stream *next;

	media_stream_close(rig->b);
	assert_int_equal(media_stream_open(&next, rig->media, &rig->conf), 0);
	media_stream_bridge(rig->a, next);
	join(next, &rig->bob);
	assert_true(is_sent_to(next, true));
	speak(&rig->alice, rig->a, 'a');
	assert_int_equal(hear(&rig->bob), 'a');
	speak(&rig->bob, next, 'b');
	assert_int_equal(hear(&rig->alice), 'b');
}

static bool counts_to(const struct media_stream *s, uint64_t in, uint64_t out)
{
	int64_t end = real_ms() + DEADLINE_MS;

	while ((stats(s).in_packets != in || stats(s).out_packets != out) &&
	       real_ms() < end)
		sched_yield();
	return stats(s).in_packets == in && stats(s).out_packets == out;
}

/* Two calls become one: the stream of the other worker comes over. */
static void moved_stream_keeps_its_port_and_counts_on(void **state)
{
	struct rig *rig = *state;
	struct addr port = *media_stream_rtp(rig->b);

	speak(&rig->bob, rig->b, 1);
	assert_int_equal(hear(&rig->alice), 1);
	assert_true(counts_to(rig->b, 1, 0));
	assert_int_equal(media_stream_move(&rig->b, rig->conf.worker), 0);
	for (unsigned to = 1; to < 20; to++) {
		struct media_stream *was = rig->b;

		assert_int_equal(
			media_stream_move(&rig->b, rig->conf.worker + to), 0);
		assert_ptr_not_equal(was, rig->b);
	}
	assert_int_equal(media_stream_move(&rig->b, rig->conf.worker), 0);
	assert_true(addr_equal(&port, media_stream_rtp(rig->b)));
	media_stream_bridge(rig->a, rig->b);
	assert_true(is_sent_to(rig->b, true));
	/* The worker may read a packet before it reads of the bridge. */
	for (uint16_t seq = 2; seq < 10; seq++) {
		speak(&rig->alice, rig->a, seq);
		if (hear(&rig->bob) == seq)
			break;
	}
	assert_true(counts_to(rig->b, 1, 1));
}

static void closed_moved_stream_gives_its_ports_back(void **state)
{
	struct rig *rig = *state;
	struct addr port = *media_stream_rtp(rig->b);
	int64_t end = real_ms() + DEADLINE_MS;

	assert_int_equal(media_stream_move(&rig->b, rig->conf.worker + 1), 0);
	media_stream_close(rig->b);
	while (!can_bind(&port) && real_ms() < end)
		sched_yield();
	assert_true(can_bind(&port));
}

static void closed_stream_gives_its_ports_back_to_the_kernel(void **state)
{
	struct rig *rig = *state;
	struct addr rtp = *media_stream_rtp(rig->a);
	int64_t end = real_ms() + DEADLINE_MS;

	media_stream_close(rig->a);
	while (!can_bind(&rtp) && real_ms() < end)
		sched_yield();
	assert_true(can_bind(&rtp));
}

/* Also what the thread sanitizer watches. */
static void streams_come_and_go_while_packets_flow(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < 300; i++) {
		struct media_stream *s;

		rig->conf.worker = 0;
		if (i % 3)
			rig->conf.worker = 1;
		assert_int_equal(open_until_released(rig, &s), 0);
		join(s, i % 2 ? &rig->alice : &rig->bob);
		speak(&rig->alice, s, 'x');
		if (!rig->conf.worker && i % 2)
			media_stream_bridge(s, rig->b);
		speak(&rig->bob, rig->b, 'x');
		stats(rig->b);
		media_stream_bridge(rig->a, rig->b);
		join(s, i % 2 ? &rig->bob : &rig->alice);
		speak(&rig->bob, s, 'x');
		media_stream_close(s);
	}
	media_stream_bridge(rig->a, rig->b);
	do
		speak(&rig->alice, rig->a, '!');
	while (next_mark(rig->bob.fd, NULL, 10) != '!');
}

/* ---- where we send is deaf, or waits ------------------------------------- */

static bool is_sent_at(const struct media_stream *s, const struct addr *to)
{
	struct media_stats st = stats(s);

	return addr_equal(&st.remote, to);
}

/* Nobody listens at the port that @phone's SDP names, and so @s is told; it
 * speaks from its own. */
static void start_deaf(struct rig *rig, struct phone *phone,
		       struct media_stream *s)
{
	struct media_remote r = remote_of(phone);
	struct addr closed = phone->addr;
	socklen_t len = sizeof(closed);
	int fd;

	addr_set_port(&closed, 0);
	fd = bound(&closed);
	assert_int_equal(getsockname(fd, &closed.sa, &len), 0);
	close(fd);
	addr_set_port(&r.rtp, addr_port(&closed));
	media_stream_remote(s, &r);
	while (!is_sent_at(s, &r.rtp))
		sched_yield();
	speak(phone, s, 'b');
	assert_int_equal(hear(&rig->alice), 'b');
}

static bool is_refused(const struct media_stream *s, uint32_t n)
{
	int64_t end = real_ms() + DEADLINE_MS;

	while (stats(s).refused < n && real_ms() < end)
		sched_yield();
	return stats(s).refused >= n;
}

/* ICMP of the real kernel turns what @to is sent to where it speaks from. */
static void turns_by_icmp(struct rig *rig, struct media_stream *out,
			  struct phone *to)
{
	start_deaf(rig, to, out);
	speak(&rig->alice, rig->a, '1');
	assert_true(is_refused(out, 1));
	assert_int_equal(stats(out).flips, 0);
	clock_advance(200);
	speak(&rig->alice, rig->a, '2');
	assert_true(is_refused(out, 2));
	speak(&rig->alice, rig->a, '3');
	assert_int_equal(hear(to), '3');
	assert_int_equal(stats(out).flips, 1);
}

static void phone_that_is_deaf_at_its_sdp_port_hears(void **state)
{
	struct rig *rig = *state;

	turns_by_icmp(rig, rig->b, &rig->bob);
}

/* The kernel tells of an ICMP error by letting a later call fail. */
static void icmp_errors_cost_no_packet(void **state)
{
	struct rig *rig = *state;
	int64_t end = real_ms() + DEADLINE_MS;

	start_deaf(rig, &rig->bob, rig->b);
	for (int i = 0; i < 50; i++)
		speak(&rig->alice, rig->a, 'x');
	while (stats(rig->b).out_packets < 50 && real_ms() < end)
		sched_yield();
	assert_int_equal(stats(rig->b).out_packets, 50);
	assert_true(is_refused(rig->b, 1));
}

static void ipv6_phone_that_is_deaf_at_its_sdp_port_hears(void **state)
{
	struct rig *rig = *state;
	struct media_stream *six;
	struct phone carol = phone_at("::1", 0xca401);

	rig->conf.local = at("::1");
	assert_int_equal(media_stream_open(&six, rig->media, &rig->conf), 0);
	media_stream_bridge(rig->a, six);
	turns_by_icmp(rig, six, &carol);
	close(carol.fd);
}

/* Both wait until they are spoken to, as relays do. */
static void peers_that_wait_for_each_other_are_woken(void **state)
{
	struct rig *rig = *state;
	struct media_remote a = remote_of(&rig->alice);
	struct media_remote b = remote_of(&rig->bob);

	a.filler = b.filler = (struct media_filler){PCMA, 0xd5, 160};
	addr_set_port(&a.rtcp, 9); /* a change, so that it is read anew */
	addr_set_port(&b.rtcp, 9);
	media_stream_remote(rig->a, &a);
	media_stream_remote(rig->b, &b);
	for (int i = 0; stats(rig->a).pierced < 2; i++) {
		assert_in_range(i, 0, DEADLINE_MS / 20);
		clock_advance(200);
		next_mark(rig->alice.fd, NULL, 20);
	}
	assert_int_equal(hear(&rig->bob), 0xd5);
	speak(&rig->bob, rig->b, 'b');
	while (next_mark(rig->alice.fd, NULL, DEADLINE_MS) == 0xd5)
		;
	assert_true(stats(rig->b).latched);
}

static void closing_a_stream_that_waits_is_harmless(void **state)
{
	struct rig *rig = *state;
	struct media_remote r = remote_of(&rig->bob);

	r.filler = (struct media_filler){PCMA, 0xd5, 160};
	r.payload_types[0] |= 1;
	media_stream_remote(rig->b, &r);
	media_stream_close(rig->b);
	clock_advance(200);
	media_stream_bridge(rig->a, NULL);
	assert_true(drops_for_want_of_a_partner(rig, 1));
}

/* ---- strangers ----------------------------------------------------------- */

struct attack {
	struct rig *rig;
	struct phone stranger;
	bool knows; /* SSRC, sequence and timestamp of the victim; in its
		       silence the sequence is not quite right */
	bool victim_speaks;
};

/* 1 000 tries at alice's stream, RTP and RTCP ports in turn; everything that
 * the phones get is looked at. */
static void attack(const struct attack *k)
{
	struct rig *rig = k->rig;
	const struct phone *like = k->knows ? &rig->alice : &k->stranger;
	const struct addr *ports[2] = {media_stream_rtp(rig->a),
				       media_stream_rtcp(rig->a)};
	uint8_t mark = 0;

	speak(&rig->alice, rig->a, 'a');
	assert_int_equal(hear(&rig->bob), 'a');
	if (!k->victim_speaks)
		clock_advance(5000);
	for (int i = 0; i < TRIES; i++) {
		uint16_t seq = (uint16_t)(rig->alice.seq + i % 50 +
					  (k->victim_speaks ? 0 : 60));

		speak_as(k->stranger.fd, like, seq, ports[i % 8 == 7], 'E');
		assert_true(strangers_reach(rig->a, (uint64_t)i + 1));
		if (!k->victim_speaks || i % 10)
			continue;
		clock_advance(20);
		mark = mark % 50 + 1;
		speak(&rig->alice, rig->a, mark);
		assert_int_equal(hear(&rig->bob), mark);
		speak(&rig->bob, rig->b, mark);
		assert_int_equal(hear(&rig->alice), mark);
	}
	clock_advance(20);
	speak(&rig->alice, rig->a, 'z');
	assert_int_equal(hear(&rig->bob), 'z');
	speak(&rig->bob, rig->b, 'z');
	assert_int_equal(hear(&rig->alice), 'z');
	assert_true(hears_nothing_more(&rig->bob));
	assert_true(hears_nothing_more(&k->stranger));
	assert_int_equal(stats(rig->a).in_lost, 0);
	close(k->stranger.fd);
}

static void stranger_is_unheard_while_the_victim_speaks(void **state)
{
	attack(&(struct attack){.rig = *state,
				.stranger = phone_at("127.0.0.66", 0xe11),
				.victim_speaks = true});
}

static void stranger_is_unheard_while_the_victim_is_silent(void **state)
{
	attack(&(struct attack){.rig = *state,
				.stranger = phone_at("127.0.0.66", 0xe11)});
}

static void stranger_who_knows_the_ssrc_is_unheard_beside_speech(void **state)
{
	attack(&(struct attack){.rig = *state,
				.stranger = phone_at("127.0.0.66", 0xe11),
				.knows = true,
				.victim_speaks = true});
}

static void stranger_who_knows_the_ssrc_is_unheard_in_silence(void **state)
{
	attack(&(struct attack){.rig = *state,
				.stranger = phone_at("127.0.0.66", 0xe11),
				.knows = true});
}

static void stranger_who_comes_first_is_not_learned(void **state)
{
	struct rig *rig = *state;
	struct phone stranger = phone_at("127.0.0.66", 0xe11);

	for (int i = 0; i < 10; i++)
		speak(&stranger, rig->a, 'E');
	assert_true(strangers_reach(rig->a, 10));
	assert_false(stats(rig->a).latched);
	speak(&rig->bob, rig->b, 'b');
	assert_int_equal(hear(&rig->alice), 'b');
	speak(&rig->alice, rig->a, 'a');
	assert_int_equal(hear(&rig->bob), 'a');
	assert_true(hears_nothing_more(&stranger));
	close(stranger.fd);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, start, stop)
#define CALL(fn) cmocka_unit_test_setup_teardown(fn, start_call, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stream_is_bound_to_its_pair_at_the_exact_address),
		TEST(full_range_refuses_until_a_stream_is_closed),
		TEST(pair_with_a_port_of_someone_else_is_passed_over),
		TEST(realms_have_ranges_of_their_own),
		TEST(range_without_a_pair_is_refused),
		TEST(address_that_is_not_ours_is_refused),
		TEST(calls_are_spread_over_the_workers),
		CALL(phones_hear_each_other),
		CALL(counters_tell_both_directions),
		CALL(rtcp_is_relayed_between_the_odd_ports),
		CALL(media_carries_expedited_forwarding),
		CALL(ipv6_phone_talks_to_ipv4_phone),
		CALL(packet_of_any_size_but_too_large_is_relayed),
		CALL(own_port_as_remote_is_sent_nothing),
		CALL(unbridged_stream_forwards_nothing),
		CALL(closed_partner_leaves_the_other_working),
		CALL(moved_stream_keeps_its_port_and_counts_on),
		CALL(closed_moved_stream_gives_its_ports_back),
		CALL(closed_stream_gives_its_ports_back_to_the_kernel),
		CALL(streams_come_and_go_while_packets_flow),
		CALL(phone_that_is_deaf_at_its_sdp_port_hears),
		CALL(icmp_errors_cost_no_packet),
		CALL(ipv6_phone_that_is_deaf_at_its_sdp_port_hears),
		CALL(peers_that_wait_for_each_other_are_woken),
		CALL(keys_are_told_on_the_control_thread),
		CALL(a_key_is_played_to_who_is_spoken_to),
		CALL(no_more_keys_wait_than_there_is_room_for),
		CALL(closing_a_stream_that_waits_is_harmless),
		CALL(stranger_is_unheard_while_the_victim_speaks),
		CALL(stranger_is_unheard_while_the_victim_is_silent),
		CALL(stranger_who_knows_the_ssrc_is_unheard_beside_speech),
		CALL(stranger_who_knows_the_ssrc_is_unheard_in_silence),
		CALL(stranger_who_comes_first_is_not_learned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
