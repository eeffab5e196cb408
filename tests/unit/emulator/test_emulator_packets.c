/*
 * test_emulator_packets.c - packets, checksums, ALG, line and words of the
 * NAT emulator
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>

#include "nat-emulator/control.h"

#define PHONE 0xc0a80132 /* 192.168.1.50 */
#define BOX   0xcb00710a /* 203.0.113.10 */
#define WAN   0xcb007115 /* 203.0.113.21 */

static struct nat nat;
static struct line line;

static int setup(void **state)
{
	struct settings set;

	settings_init(&set);
	set.outside = WAN;
	set.ports = RANDOM;
	nat_init(&nat, &set);
	line_init(&line);
	return 0;
}

/* ---- packets ------------------------------------------------------------- */

static uint16_t sum(const uint8_t *p, size_t n, uint32_t from)
{
	uint32_t s = from;

	for (size_t i = 0; i < n; i++)
		s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint32_t pseudo(const struct packet *p)
{
	uint32_t s = p->bytes[9] + (uint32_t)p->len - 20;

	for (int i = 12; i < 20; i += 2)
		s += (uint32_t)p->bytes[i] << 8 | p->bytes[i + 1];
	return s;
}

static size_t sum_at(const struct packet *p)
{
	return p->bytes[9] == IPPROTO_UDP ? 26 : 36;
}

static void seal(struct packet *p)
{
	put16(p->bytes + 10, 0);
	put16(p->bytes + 10, sum(p->bytes, 20, 0));
	put16(p->bytes + sum_at(p), 0);
	put16(p->bytes + sum_at(p), sum(p->bytes + 20, p->len - 20, pseudo(p)));
}

static void assert_sums(const struct packet *p)
{
	assert_int_equal(sum(p->bytes, 20, 0), 0);
	assert_int_equal(sum(p->bytes + 20, p->len - 20, pseudo(p)), 0);
}

static struct packet make(uint8_t proto, uint32_t src, uint16_t sport,
			  uint32_t dst, uint16_t dport, const char *text)
{
	size_t head = proto == IPPROTO_UDP ? 28 : 40;
	struct packet p = {.len = head + strlen(text)};

	p.bytes[0] = 0x45;
	put16(p.bytes + 2, (uint32_t)p.len);
	p.bytes[8] = 64;
	p.bytes[9] = proto;
	put32(p.bytes + 12, src);
	put32(p.bytes + 16, dst);
	put16(p.bytes + 20, sport);
	put16(p.bytes + 22, dport);
	if (proto == IPPROTO_UDP)
		put16(p.bytes + 24, (uint32_t)p.len - 20);
	else
		put16(p.bytes + 32, 0x5002); /* five words, SYN */
	memcpy(p.bytes + head, text, strlen(text));
	seal(&p);
	return p;
}

static struct packet udp_out(const char *text)
{
	return make(IPPROTO_UDP, PHONE, 5060, BOX, 5060, text);
}

static uint16_t port_at(const struct packet *p, size_t at)
{
	return (uint16_t)(p->bytes[at] << 8 | p->bytes[at + 1]);
}

static uint32_t ip_at(const struct packet *p, size_t at)
{
	return (uint32_t)port_at(p, at) << 16 | port_at(p, at + 2);
}

static void way_out_and_back_has_right_sums(void **state)
{
	for (int i = 0; i < 2; i++) {
		uint8_t proto = i ? IPPROTO_TCP : IPPROTO_UDP;
		struct packet p = make(proto, PHONE, 5060, BOX, 5060, "odd");
		uint16_t port;

		assert_int_equal(nat_translate(&nat, INSIDE, &p, 0), OUTSIDE);
		assert_int_equal(ip_at(&p, 12), WAN);
		assert_sums(&p);
		port = port_at(&p, 20);
		p = make(proto, BOX, 5060, WAN, port, "even");
		assert_int_equal(nat_translate(&nat, OUTSIDE, &p, 1), INSIDE);
		assert_int_equal(ip_at(&p, 16), PHONE);
		assert_int_equal(port_at(&p, 22), 5060);
		assert_sums(&p);
	}
}

static void udp_without_sum_stays_without(void **state)
{
	struct packet p = udp_out("x");

	put16(p.bytes + 26, 0);
	assert_int_equal(nat_translate(&nat, INSIDE, &p, 0), OUTSIDE);
	assert_int_equal(port_at(&p, 26), 0);
}

static void damaged_packets_stay_damaged(void **state)
{
	struct packet p = udp_out("text");

	p.bytes[29] ^= 1;
	nat_translate(&nat, INSIDE, &p, 0);
	assert_int_not_equal(sum(p.bytes + 20, p.len - 20, pseudo(&p)), 0);
}

static void truncated_and_foreign_packets_are_dropped(void **state)
{
	struct packet whole = udp_out("text"), p;

	for (size_t n = 0; n < 28; n++) {
		p = whole;
		p.len = n;
		assert_int_equal(nat_translate(&nat, INSIDE, &p, 0), SIDES);
	}
	p = whole;
	p.bytes[0] = 0x65; /* IPv6 */
	assert_int_equal(nat_translate(&nat, INSIDE, &p, 0), SIDES);
	p = whole;
	p.bytes[9] = IPPROTO_GRE;
	assert_int_equal(nat_translate(&nat, INSIDE, &p, 0), SIDES);
	p = whole;
	p.bytes[0] = 0x4f; /* options that are not there */
	assert_int_equal(nat_translate(&nat, INSIDE, &p, 0), SIDES);
}

static void packets_to_another_address_do_not_come_in(void **state)
{
	struct packet p = udp_out("x");
	uint16_t port;

	nat_translate(&nat, INSIDE, &p, 0);
	port = port_at(&p, 20);
	p = make(IPPROTO_UDP, BOX, 5060, WAN + 1, port, "x");
	assert_int_equal(nat_translate(&nat, OUTSIDE, &p, 1), SIDES);
}

static void hairpin_comes_from_outside_or_not_at_all(void **state)
{
	struct packet p = make(IPPROTO_UDP, PHONE + 1, 5060, BOX, 5060, "x");
	uint16_t port;

	nat_translate(&nat, INSIDE, &p, 0);
	port = port_at(&p, 20);
	p = make(IPPROTO_UDP, PHONE, 5060, WAN, port, "x");
	assert_int_equal(nat_translate(&nat, INSIDE, &p, 0), SIDES);
	nat.set.hairpin = true;
	p = make(IPPROTO_UDP, PHONE, 5060, WAN, port, "x");
	assert_int_equal(nat_translate(&nat, INSIDE, &p, 0), INSIDE);
	assert_int_equal(ip_at(&p, 12), WAN);
	assert_int_equal(ip_at(&p, 16), PHONE + 1);
	assert_int_equal(port_at(&p, 22), 5060);
	assert_sums(&p);
}

/* ICMP port unreachable of @from to @to about @about. */
static struct packet unreachable(uint32_t from, uint32_t to,
				 const struct packet *about)
{
	struct packet p = {.len = 28 + 28};

	p.bytes[0] = 0x45;
	put16(p.bytes + 2, (uint32_t)p.len);
	p.bytes[9] = IPPROTO_ICMP;
	put32(p.bytes + 12, from);
	put32(p.bytes + 16, to);
	p.bytes[20] = 3;
	p.bytes[21] = 3;
	memcpy(p.bytes + 28, about->bytes, 28);
	put16(p.bytes + 22, sum(p.bytes + 20, p.len - 20, 0));
	put16(p.bytes + 10, sum(p.bytes, 20, 0));
	return p;
}

static void errors_find_whom_they_are_about(void **state)
{
	struct packet sent = udp_out("x"), error, back;

	nat_translate(&nat, INSIDE, &sent, 0);
	error = unreachable(BOX, WAN, &sent);
	assert_int_equal(nat_translate(&nat, OUTSIDE, &error, 1), INSIDE);
	assert_int_equal(ip_at(&error, 16), PHONE);
	assert_int_equal(ip_at(&error, 28 + 12), PHONE);
	assert_int_equal(port_at(&error, 28 + 20), 5060);
	assert_int_equal(sum(error.bytes + 20, error.len - 20, 0), 0);
	assert_int_equal(sum(error.bytes + 28, 20, 0), 0);

	back = make(IPPROTO_UDP, BOX, 5060, WAN, port_at(&sent, 20), "y");
	nat_translate(&nat, OUTSIDE, &back, 2);
	error = unreachable(PHONE, BOX, &back);
	assert_int_equal(nat_translate(&nat, INSIDE, &error, 3), OUTSIDE);
	assert_int_equal(ip_at(&error, 12), WAN);
	assert_int_equal(ip_at(&error, 28 + 16), WAN);
	assert_int_equal(port_at(&error, 28 + 22), port_at(&sent, 20));
	assert_int_equal(sum(error.bytes + 20, error.len - 20, 0), 0);
}

static void errors_about_strangers_do_not_come_in(void **state)
{
	struct packet sent = make(IPPROTO_UDP, WAN, 4444, BOX, 5060, "x");
	struct packet error = unreachable(BOX, WAN, &sent);

	assert_int_equal(nat_translate(&nat, OUTSIDE, &error, 1), SIDES);
}

static void fragments_follow_the_first(void **state)
{
	struct packet first = udp_out("beginning"), later = first, lone;

	put16(first.bytes + 4, 77);
	put16(first.bytes + 6, 0x2000);
	seal(&first);
	put16(later.bytes + 4, 77);
	put16(later.bytes + 6, 2);
	seal(&later);
	lone = later;
	put16(lone.bytes + 4, 78);
	seal(&lone);
	assert_int_equal(nat_translate(&nat, INSIDE, &first, 0), OUTSIDE);
	assert_int_equal(nat_translate(&nat, INSIDE, &later, 1), OUTSIDE);
	assert_int_equal(ip_at(&later, 12), WAN);
	assert_int_equal(sum(later.bytes, 20, 0), 0);
	assert_memory_equal(later.bytes + 20, udp_out("beginning").bytes + 20,
			    6);
	assert_int_equal(nat_translate(&nat, INSIDE, &lone, 1), SIDES);
}

static void echo_gets_an_id_and_finds_back(void **state)
{
	struct packet p = {.len = 28};

	p.bytes[0] = 0x45;
	put16(p.bytes + 2, 28);
	p.bytes[9] = IPPROTO_ICMP;
	put32(p.bytes + 12, PHONE);
	put32(p.bytes + 16, BOX);
	p.bytes[20] = 8;
	put16(p.bytes + 24, 99);
	put16(p.bytes + 22, sum(p.bytes + 20, 8, 0));
	put16(p.bytes + 10, sum(p.bytes, 20, 0));
	nat.set.filtering = ON_PORT;
	assert_int_equal(nat_translate(&nat, INSIDE, &p, 0), OUTSIDE);
	assert_int_equal(ip_at(&p, 12), WAN);
	assert_int_equal(sum(p.bytes + 20, 8, 0), 0);
	put32(p.bytes + 12, BOX);
	put32(p.bytes + 16, WAN);
	p.bytes[20] = 0;
	assert_int_equal(nat_translate(&nat, OUTSIDE, &p, 1), INSIDE);
	assert_int_equal(ip_at(&p, 16), PHONE);
	assert_int_equal(port_at(&p, 24), 99);
}

/* ---- ALG ----------------------------------------------------------------- */

#define HEAD                                                                   \
	"INVITE sip:a@203.0.113.10 SIP/2.0\r\n"                                \
	"v: SIP/2.0/UDP 192.168.1.50;branch=z9hG4bK1;rport\r\n"                \
	"Via: SIP/2.0/UDP 192.168.1.50:9;branch=z9hG4bK2\r\n"                  \
	"Call-ID: 1@192.168.1.50\r\nm: <sip:b@192.168.1.50>\r\n"
#define SDP                                                                    \
	"v=0\r\no=- 1 1 IN IP4 192.168.1.50\r\ns=-\r\n"                        \
	"c=IN IP4 192.168.1.50\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"

static const char *through(const char *alg, const char *text)
{
	static struct packet p;

	assert_int_equal(settings_set(&nat.set, "alg", alg), 0);
	p = udp_out(text);
	assert_int_equal(nat_translate(&nat, INSIDE, &p, 0), OUTSIDE);
	assert_sums(&p);
	p.bytes[p.len] = '\0';
	return (const char *)p.bytes + 28;
}

static void transparent_alg_rewrites_all_and_the_length(void **state)
{
	char length[64], wanted[64];
	const char *got = through("transparent", HEAD "l: 93\r\n\r\n" SDP),
		   *body;
	struct mapping *m = table_out(
		&nat.table, (struct carried){IPPROTO_UDP, true, false},
		(struct endpoint){PHONE, 5060}, (struct endpoint){BOX, 5060},
		1);

	assert_int_equal(strlen(SDP), 93);
	body = strstr(got, "\r\n\r\n") + 4;
	snprintf(wanted, sizeof(wanted), "203.0.113.21:%u;branch=z9hG4bK1",
		 m->out_port);
	assert_non_null(strstr(got, wanted));
	assert_non_null(strstr(got, "192.168.1.50:9;branch")); /* not the top */
	snprintf(wanted, sizeof(wanted), "<sip:b@203.0.113.21:%u>",
		 m->out_port);
	assert_non_null(strstr(got, wanted));
	assert_non_null(strstr(got, "Call-ID: 1@192.168.1.50\r\n"));
	assert_null(strstr(body, "192.168"));
	assert_null(strstr(body, "audio 4000"));
	snprintf(length, sizeof(length), "\r\nl: %zu\r\n", strlen(body));
	assert_non_null(strstr(got, length));
}

static void transparent_alg_undoes_it_for_what_comes_in(void **state)
{
	char text[512];
	struct packet p = udp_out("x");
	uint16_t port;

	settings_set(&nat.set, "alg", "transparent");
	nat_translate(&nat, INSIDE, &p, 0);
	port = port_at(&p, 20);
	snprintf(text, sizeof(text),
		 "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 203.0.113.21:%u;"
		 "received=203.0.113.21;rport=%u\r\n"
		 "Contact: <sip:b@203.0.113.21:%u>;expires=60\r\n\r\n",
		 port, port, port);
	p = make(IPPROTO_UDP, BOX, 5060, WAN, port, text);
	nat_translate(&nat, OUTSIDE, &p, 1);
	assert_sums(&p);
	p.bytes[p.len] = '\0';
	assert_string_equal(
		(char *)p.bytes + 28,
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.168.1.50:5060;"
		"received=192.168.1.50;rport=5060\r\n"
		"Contact: <sip:b@192.168.1.50:5060>;expires=60\r\n\r\n");
}

static void addresses_are_words_not_parts_of_words(void **state)
{
	const char *got =
		through("contact", "REGISTER sip:x SIP/2.0\r\n"
				   "Contact: <sip:1192.168.1.50@192.168.1.501>;"
				   "x=192.168.1.50.7\r\n\r\n");

	assert_null(strstr(got, "203.0.113.21"));
}

static void what_is_no_sip_is_left_alone(void **state)
{
	assert_string_equal(through("transparent", "\r\n\r\n"), "\r\n\r\n");
	assert_string_equal(through("transparent", "192.168.1.50"),
			    "192.168.1.50");
	assert_string_equal(
		through("transparent", "X y SIP/2.0\r\nv: 192.168.1.50\r\n"),
		"X y SIP/2.0\r\nv: 192.168.1.50\r\n");
}

static void message_that_would_not_fit_is_left_alone(void **state)
{
	char text[PACKET_MAX - 40];
	struct packet p;

	memset(text, ' ', sizeof(text));
	memcpy(text, HEAD, strlen(HEAD));
	for (size_t i = strlen(HEAD); i + 14 < sizeof(text); i += 14)
		memcpy(text + i, "m:192.168.1.50", 14);
	memcpy(text + sizeof(text) - 5, "\r\n\r\n", 5);
	settings_set(&nat.set, "alg", "transparent");
	p = udp_out(text);
	assert_int_equal(nat_translate(&nat, INSIDE, &p, 0), OUTSIDE);
	assert_memory_equal(p.bytes + 28, text, sizeof(text) - 1);
	assert_sums(&p);
}

static void answers_have_the_via_of_others(void **state)
{
	const char *got = through("rport,received,via",
				  "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP "
				  "192.168.1.50;rport\r\n\r\n");

	assert_non_null(strstr(got, "192.168.1.50;rport\r\n"));
}

/* ---- line ---------------------------------------------------------------- */

static int sent(uint64_t at_us, int number)
{
	struct packet p = {.len = 1, .bytes = {(uint8_t)number}};

	line_put(&line, &nat.set, &nat.table, INSIDE, &p, at_us);
	return number;
}

static int taken(uint64_t at_us)
{
	enum side to;
	const struct packet *p = line_take(&line, at_us, &to);

	return p ? p->bytes[0] : -1;
}

static void delay_holds_packets_back_in_order(void **state)
{
	nat.set.delay_ms = 10;
	nat.set.jitter_ms = 30;
	for (int i = 0; i < 100; i++)
		sent(1000 + (uint64_t)i, i);
	assert_int_equal(taken(10999), -1);
	assert_true(line_wait_us(&line, 1000) >= 10000);
	for (int i = 0; i < 100; i++)
		assert_int_equal(taken(100000), i);
	assert_int_equal(line_wait_us(&line, 1000), -1);
}

static void one_that_is_late_is_overtaken(void **state)
{
	nat.set.reorder_permille = 1000;
	sent(0, 1);
	nat.set.reorder_permille = 0;
	sent(0, 2);
	assert_int_equal(taken(0), 2);
	assert_int_equal(taken(29999), -1);
	assert_int_equal(taken(30000), 1);
}

static void loss_is_the_share_that_was_asked_for(void **state)
{
	nat.set.loss_permille = 100;
	nat.set.delay_ms = 1;
	for (int i = 0; i < 2000; i++)
		sent(0, 1);
	assert_in_range(line.lost, 140, 260);
}

static void full_line_loses_what_comes_last(void **state)
{
	nat.set.delay_ms = 1;
	for (int i = 0; i < LINE_SLOTS + 3; i++)
		sent(0, 1);
	assert_int_equal(line.full, 3);
	for (int i = 0; i < LINE_SLOTS; i++)
		assert_int_equal(taken(1000), 1);
	assert_int_equal(taken(1000), -1);
}

/* ---- words --------------------------------------------------------------- */

static const char *answer(const char *word)
{
	static char text[8192];
	char copy[64];
	struct buf out;

	snprintf(copy, sizeof(copy), "%s", word);
	buf_init(&out, text, sizeof(text));
	control_answer(&nat, &line, copy, 1, &out);
	return text;
}

static void words_change_the_nat(void **state)
{
	struct packet p = udp_out("x");

	nat_translate(&nat, INSIDE, &p, 0);
	assert_non_null(strstr(answer("stats"), "\"mappings\": 1,"));
	assert_non_null(
		strstr(answer("dump"), "\"inside\": \"192.168.1.50:5060\""));
	assert_non_null(strstr(answer("dump"), "203.0.113.10:5060"));
	assert_string_equal(answer("reboot"), "ok\n");
	assert_string_equal(answer("dump"), "[]\n");
	assert_string_equal(answer("address 203.0.113.77"), "ok\n");
	assert_int_equal(nat.set.outside, 0xcb00714d);
	assert_string_equal(answer("timeout 6000"), "ok\n");
	assert_int_equal(nat.set.timeout_ms, 6000);
	assert_string_equal(answer("rebind"), "ok\n");
	assert_int_equal(strncmp(answer("timeout"), "error", 5), 0);
	assert_int_equal(strncmp(answer("timeout x"), "error", 5), 0);
	assert_int_equal(strncmp(answer(""), "error", 5), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(way_out_and_back_has_right_sums),
		TEST(udp_without_sum_stays_without),
		TEST(damaged_packets_stay_damaged),
		TEST(truncated_and_foreign_packets_are_dropped),
		TEST(packets_to_another_address_do_not_come_in),
		TEST(hairpin_comes_from_outside_or_not_at_all),
		TEST(errors_find_whom_they_are_about),
		TEST(errors_about_strangers_do_not_come_in),
		TEST(fragments_follow_the_first),
		TEST(echo_gets_an_id_and_finds_back),
		TEST(transparent_alg_rewrites_all_and_the_length),
		TEST(transparent_alg_undoes_it_for_what_comes_in),
		TEST(addresses_are_words_not_parts_of_words),
		TEST(what_is_no_sip_is_left_alone),
		TEST(message_that_would_not_fit_is_left_alone),
		TEST(answers_have_the_via_of_others),
		TEST(delay_holds_packets_back_in_order),
		TEST(one_that_is_late_is_overtaken),
		TEST(loss_is_the_share_that_was_asked_for),
		TEST(full_line_loses_what_comes_last),
		TEST(words_change_the_nat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
