/*
 * test_evidence.c - what messages show, and what follows from it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after its four: */
#include <cmocka.h>

#include "told.h"

#define BOX     "192.0.2.10:5060"
#define OUTSIDE "203.0.113.7:5060"
#define INSIDE  "192.168.1.50:5060"
#define CGN     "100.64.3.9:5060"
#define V6      "[2001:db8:1::7]:5060"

static struct told told;

static struct nat_verdict judge(const char *text, enum sip_transport transport,
				const char *source, const char *former)
{
	struct sip_flow flow = told_flow(transport, BOX, source);
	struct nat_verdict v;

	assert_true(addr_is_set(&flow.remote));
	told_read(&told, text, strlen(text), &flow);
	told.look.call_id = former;
	nat_judge(&v, &told.look);
	return v;
}

/* The evidence of @v as "via-host,via-port", "-" for none. */
static const char *told_evidence(const struct nat_verdict *v, char text[512])
{
	struct buf b;

	buf_init(&b, text, 512);
	for (unsigned e = 0; e < NAT_EVIDENCES; e++)
		if (v->evidence >> e & 1)
			buf_printf(&b, "%s%s", b.n ? "," : "",
				   nat_evidence_name(e));
	if (!b.n)
		buf_puts(&b, "-");
	return text;
}

static void expect(const char *what, const struct nat_verdict *v,
		   const char *evidence, bool behind, const char *alg)
{
	char seen[512];

	told_evidence(v, seen);
	if (strcmp(seen, evidence) || v->behind != behind ||
	    strcmp(nat_alg_name(v->alg), alg))
		fail_msg("%s: %s behind=%d alg=%s, not %s %d %s", what, seen,
			 v->behind, nat_alg_name(v->alg), evidence, behind,
			 alg);
}

/* ---- crafted REGISTERs ------------------------------------------------------ */

struct crafted {
	const char *what, *source;
	const char *via;     /* sent-by and parameters */
	const char *contact; /* "" = none */
	const char *call_id, *evidence;
	bool behind;
	const char *alg;
	const char *more;   /* further header lines */
	const char *former; /* Call-ID of the REGISTER before */
	bool tcp;
};

/* Of a phone at OUTSIDE that says all as it is, but for one thing. */
#define SOUND_VIA     "203.0.113.7:5060;rport"
#define SOUND_CONTACT "<sip:204@203.0.113.7:5060>"

static const struct crafted crafted[] = {
	{"all as it is", OUTSIDE, SOUND_VIA, SOUND_CONTACT, "a1", "-", false,
	 .alg = "none"},
	{"Via: port absent is 5060", OUTSIDE, "203.0.113.7;rport",
	 SOUND_CONTACT, "a1", "-", false, .alg = "none"},
	{"Via: another public host", OUTSIDE, "198.51.100.4:5060;rport",
	 SOUND_CONTACT, "a1", "via-host", true, .alg = "none"},
	{"Via: another port", "203.0.113.7:40112", SOUND_VIA,
	 "<sip:204@203.0.113.7:40112>", "a1", "via-port", true, .alg = "none"},
	{"Via: another port, and rport not asked for", "203.0.113.7:40112",
	 "203.0.113.7:5060", "<sip:204@203.0.113.7:40112>", "a1", "via-port",
	 true, .alg = "none"},
	{"Via: private", OUTSIDE, "192.168.1.50;rport", SOUND_CONTACT, "a1",
	 "via-host,via-private", true, .alg = "none"},
	{"Via: 10/8", OUTSIDE, "10.9.8.7;rport", SOUND_CONTACT, "a1",
	 "via-host,via-private", true, .alg = "none"},
	{"Via: the top of 172.16/12", OUTSIDE, "172.31.255.1;rport",
	 SOUND_CONTACT, "a1", "via-host,via-private", true, .alg = "none"},
	{"Via: just past 172.16/12", OUTSIDE, "172.32.0.1;rport", SOUND_CONTACT,
	 "a1", "via-host", true, .alg = "none"},
	{"Via: CGN", OUTSIDE, "100.64.3.9;rport", SOUND_CONTACT, "a1",
	 "via-host,via-private", true, .alg = "none"},
	{"Via: 192.0.0.0/29", OUTSIDE, "192.0.0.4;rport", SOUND_CONTACT, "a1",
	 "via-host,via-private", true, .alg = "none"},
	{"Via: loopback tells of no NAT", OUTSIDE, "127.0.1.1;rport",
	 SOUND_CONTACT, "a1", "via-host", false, .alg = "none"},
	{"Via: 0.0.0.0 is nobody", OUTSIDE, "0.0.0.0;rport", SOUND_CONTACT,
	 "a1", "-", false, .alg = "none"},
	{"Contact: another public host", OUTSIDE, SOUND_VIA,
	 "<sip:204@198.51.100.4>", "a1", "contact-host", false, .alg = "none"},
	{"Contact: another port", OUTSIDE, SOUND_VIA,
	 "<sip:204@203.0.113.7:6000>", "a1", "contact-port", false,
	 .alg = "none"},
	{"Contact: private, below a name", OUTSIDE, "pbx.example.org",
	 "<sip:204@192.168.1.50>", "a1", "contact-host,contact-private", true,
	 .alg = "none"},
	{"Contact: CGN, below a name", OUTSIDE, "pbx.example.org",
	 "<sip:204@100.64.3.9>", "a1", "contact-host,contact-private", true,
	 .alg = "none"},
	{"Contact: another port, below a name", OUTSIDE, "pbx.example.org",
	 "<sip:204@203.0.113.7:6000>", "a1", "contact-port", true,
	 .alg = "none"},
	{"Contact: of TCP, over UDP", OUTSIDE, SOUND_VIA,
	 "<sip:204@203.0.113.7:6000;transport=TCP>", "a1", "-", false,
	 .alg = "none"},
	{"Contact: the second of two fits", OUTSIDE, SOUND_VIA,
	 "<sip:204@[2001:db8::9]>", "a1", "-", false, .alg = "none",
	 .more = "Contact: <sip:204@203.0.113.7>\r\n"},
	{"Contact: none", OUTSIDE, SOUND_VIA, "", "a1", "-", false,
	 .alg = "none"},
	{"names say nothing", OUTSIDE, "pbx.example.org:6000",
	 "<sip:204@pbx.example.org:6001>", "a1@pbx.example.org", "-", false,
	 .alg = "none"},
	{"Call-ID: private", OUTSIDE, SOUND_VIA, SOUND_CONTACT,
	 "a1@192.168.1.50", "callid-private", true, .alg = "transparent"},
	{"Call-ID: CGN", OUTSIDE, SOUND_VIA, SOUND_CONTACT, "a1@100.64.3.9",
	 "callid-private", true, .alg = "transparent"},
	{"Call-ID: private, below names", OUTSIDE, "pbx.example.org",
	 "<sip:204@pbx.example.org>", "a1@192.168.1.50", "callid-private", true,
	 .alg = "none"},
	{"Call-ID: private, Contact far away", OUTSIDE, SOUND_VIA,
	 "<sip:204@198.51.100.4>", "a1@192.168.1.50",
	 "contact-host,callid-private", false, .alg = "none"},
	{"Call-ID: public", OUTSIDE, SOUND_VIA, SOUND_CONTACT,
	 "a1@198.51.100.4", "-", false, .alg = "none"},
	{"Call-ID: ours", OUTSIDE, SOUND_VIA, SOUND_CONTACT, "a1@192.0.2.10",
	 "-", false, .alg = "none"},
	{"Call-ID: letters that are no address", OUTSIDE, SOUND_VIA,
	 SOUND_CONTACT, "a1@BAD.CAFE", "-", false, .alg = "none"},
	{"source: CGN, and says so", CGN, "100.64.3.9;rport",
	 "<sip:204@100.64.3.9>", "a1", "source-cgn", false, .alg = "none"},
	{"source: CGN, Via a name", CGN, "pbx.example.org",
	 "<sip:204@pbx.example.org>", "a1", "source-cgn", true, .alg = "none"},
	{"source: CGN, Via private", CGN, "192.168.1.50;rport",
	 "<sip:204@100.64.3.9>", "a1", "via-host,via-private,source-cgn", true,
	 .alg = "none"},
	{"source: CGN, Contact private", CGN, "100.64.3.9;rport",
	 "<sip:204@192.168.1.50>", "a1",
	 "contact-host,contact-private,source-cgn,alg-mix", true,
	 .alg = "broken"},
	{"a neighbour", INSIDE, "192.168.1.50;rport", "<sip:204@192.168.1.50>",
	 "a1@192.168.1.50", "-", false, .alg = "none"},
	{"a neighbour behind a router of its own", INSIDE, "10.0.0.2;rport",
	 "<sip:204@10.0.0.2>", "a1",
	 "via-host,via-private,contact-host,contact-private", true,
	 .alg = "none"},
	{"a neighbour for another machine", INSIDE, "192.168.1.50;rport",
	 "<sip:204@192.168.1.51>", "a1", "contact-host,contact-private", false,
	 .alg = "none"},
	{"a neighbour that sends from another port", "192.168.1.50:49161",
	 "192.168.1.50:5060", "<sip:204@192.168.1.50:49161>", "a1", "via-port",
	 false, .alg = "none"},
	{"a private port that rport would find", "192.168.1.50:49161",
	 "192.168.1.50:5060;rport", "<sip:204@192.168.1.50:49161>", "a1",
	 "via-port", true, .alg = "none"},
	{"a neighbour that counts wrongly", INSIDE, "192.168.1.50;rport",
	 "<sip:204@192.168.1.50>", "a1", "alg-length", false, .alg = "none",
	 .more = "Content-Length: 3\r\n"},
	{"TCP: ports say nothing", "203.0.113.7:49877", SOUND_VIA,
	 SOUND_CONTACT, "a1", "-", false, .alg = "none", .tcp = true},
	{"TCP: hosts do", "203.0.113.7:49877", "192.168.1.50",
	 "<sip:204@192.168.1.50;transport=tcp>", "a1",
	 "via-host,via-private,contact-host,contact-private", true,
	 .alg = "none", .tcp = true},
	{"IPv6: as it is", V6, "[2001:db8:1::7];rport",
	 "<sip:204@[2001:db8:1::7]>", "a1", "-", false, .alg = "none"},
	{"IPv6: unique local", V6, "[fd00::7];rport",
	 "<sip:204@[2001:db8:1::7]>", "a1", "via-host,via-private", true,
	 .alg = "none"},
	{"IPv6: several addresses are no NAT", V6, "[2001:db8:1::99];rport",
	 "<sip:204@[2001:db8:1::7]>", "a1", "via-host", false, .alg = "none"},
	{"IPv6: Via of the other family", V6, "192.168.1.50;rport",
	 "<sip:204@[2001:db8:1::7]>", "a1", "via-host", false, .alg = "none"},
	{"a proxy's customer", OUTSIDE, SOUND_VIA, "<sip:204@192.168.1.50>",
	 "a1@192.168.1.50", "contact-host,contact-private", false,
	 .alg = "none", .more = "Path: <sip:203.0.113.7;lr>\r\n"},
	{"a proxy's customer with an address in Call-ID", OUTSIDE, SOUND_VIA,
	 SOUND_CONTACT, "a1@192.168.1.50", "callid-private", false,
	 .alg = "none", .more = "Path: <sip:203.0.113.7;lr>\r\n"},
	{"a proxy that does not say so", OUTSIDE, SOUND_VIA,
	 "<sip:204@192.168.1.50>", "a1", "contact-host,contact-private", false,
	 .alg = "none", .more = "Max-Forwards: 69\r\n"},
	{"ALG: Contact private below a right Via", OUTSIDE, SOUND_VIA,
	 "<sip:204@192.168.1.50>", "a1", "contact-host,contact-private,alg-mix",
	 true, .alg = "broken"},
	{"ALG: Via's port wrong, Contact's right", "203.0.113.7:40112",
	 SOUND_VIA, "<sip:204@203.0.113.7:40112>", "a1@192.168.1.50",
	 "via-port,callid-private,alg-mix", true, .alg = "broken"},
	{"no ALG: Contact learnt, Via not", "203.0.113.7:40112",
	 "192.168.1.50:40112;rport", "<sip:204@203.0.113.7:40112>",
	 "a1@192.168.1.50", "via-host,via-private", true, .alg = "none"},
	{"ALG: Call-ID rewritten", OUTSIDE, SOUND_VIA, SOUND_CONTACT,
	 "a1@203.0.113.7", "alg-callid", true, .alg = "broken",
	 .former = "a1@192.168.1.50"},
	{"no ALG: another Call-ID", OUTSIDE, SOUND_VIA, SOUND_CONTACT,
	 "b2@203.0.113.7", "-", false, .alg = "none",
	 .former = "a1@192.168.1.50"},
	{"no ALG: the same Call-ID", OUTSIDE, SOUND_VIA, SOUND_CONTACT,
	 "a1@203.0.113.7", "-", false, .alg = "none",
	 .former = "a1@203.0.113.7"},
	{"no ALG: Call-IDs without hosts", OUTSIDE, SOUND_VIA, SOUND_CONTACT,
	 "a1", "-", false, .alg = "none", .former = "a1@x"},
	{"no ALG: rport filled in, and right", OUTSIDE,
	 "203.0.113.7;rport=5060;received=203.0.113.7", SOUND_CONTACT, "a1",
	 "-", false, .alg = "none"},
	{"ALG: rport wrong", OUTSIDE, "203.0.113.7;rport=1024", SOUND_CONTACT,
	 "a1", "alg-rport", true, .alg = "broken"},
	{"ALG: received wrong", OUTSIDE, "203.0.113.7;received=10.0.0.1",
	 SOUND_CONTACT, "a1", "alg-rport", true, .alg = "broken"},
	{"ALG: received is no address", OUTSIDE, "203.0.113.7;received=203.0",
	 SOUND_CONTACT, "a1", "alg-rport", true, .alg = "broken"},
	{"ALG: Content-Length", OUTSIDE, SOUND_VIA, SOUND_CONTACT, "a1",
	 "alg-length", true, .alg = "broken", .more = "Content-Length: 3\r\n"},
	{"ALG: To is not what the Request-URI says", OUTSIDE, SOUND_VIA,
	 SOUND_CONTACT, "a1", "alg-to-us", true, .alg = "broken",
	 .more = "To: <sip:204@203.0.113.99>\r\n"},
	{"no ALG: To is a domain", OUTSIDE, SOUND_VIA, SOUND_CONTACT, "a1", "-",
	 false, .alg = "none", .more = "To: <sip:204@example.org>\r\n"},
};

static struct nat_verdict judge_crafted(const struct crafted *c)
{
	char text[2048];
	struct buf b;

	buf_init(&b, text, sizeof(text));
	buf_printf(&b,
		   "REGISTER sip:192.0.2.10 SIP/2.0\r\n"
		   "Via: SIP/2.0/%s %s;branch=z9hG4bKx\r\nCall-ID: %s\r\n",
		   c->tcp ? "TCP" : "UDP", c->via, c->call_id);
	if (*c->contact)
		buf_printf(&b, "Contact: %s\r\n", c->contact);
	buf_puts(&b, c->more ? c->more : "Max-Forwards: 70\r\n");
	buf_puts(&b, "\r\n");
	assert_false(b.overflow);
	return judge(text, c->tcp ? SIP_TCP : SIP_UDP, c->source, c->former);
}

static void each_crafted_register_shows_exactly_its_evidence(void **state)
{
	for (size_t i = 0; i < sizeof(crafted) / sizeof(crafted[0]); i++) {
		const struct crafted *c = &crafted[i];
		struct nat_verdict v = judge_crafted(c);

		expect(c->what, &v, c->evidence, c->behind, c->alg);
	}
}

/* ---- messages in files --------------------------------------------------------- */

static struct nat_verdict judge_file(const char *name, const char *transport,
				     const char *source, const char *former)
{
	static char text[8192];
	char path[128];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "tests/data/nat/%s.sip", name);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s is missing", path);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return judge(text, strcmp(transport, "tcp") ? SIP_UDP : SIP_TCP, source,
		     strcmp(former, "-") ? former : NULL);
}

static void check_row(char *line)
{
	char *col[7];

	for (int i = 0; i < 7; i++)
		assert_non_null(col[i] = strsep(&line, "\t\n"));

	struct nat_verdict v = judge_file(col[0], col[1], col[2], col[3]);

	expect(col[0], &v, col[4], !strcmp(col[5], "yes"), col[6]);
}

static void phones_and_damage_patterns_get_their_verdicts(void **state)
{
	unsigned makes = 0, broken = 0;
	char line[1024];
	FILE *f = fopen("tests/data/nat/verdicts.tsv", "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			continue;
		makes += !strncmp(line, "make-", 5);
		broken += strstr(line, "\tbroken\t") != NULL;
		check_row(line);
	}
	fclose(f);
	assert_true(makes >= 8);
	assert_true(broken >= 8);
}

/* ---- descriptions ----------------------------------------------------------------- */

#define OFFER(o, c, m)                                                         \
	"INVITE sip:205@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP " SOUND_VIA     \
	"\r\nContact: " SOUND_CONTACT "\r\nCall-ID: a1\r\n\r\n"                \
	"v=0\r\no=- 1 1 IN IP4 " o "\r\ns=-\r\nc=IN IP4 " c "\r\nt=0 0\r\n" m  \
	"\r\n"
#define AUDIO "m=audio 4000 RTP/AVP 8"

static void offer_shows(const char *text, const char *evidence, bool behind,
			const char *alg)
{
	struct nat_verdict v = judge(text, SIP_UDP, OUTSIDE, NULL);

	expect(strstr(text, "v=0"), &v, evidence, behind, alg);
}

static void a_description_tells_as_headers_do(void **state)
{
	offer_shows(OFFER("203.0.113.7", "203.0.113.7", AUDIO), "-", false,
		    "none");
	offer_shows(OFFER("198.51.100.4", "198.51.100.4", AUDIO), "sdp-host",
		    false, "none");
	offer_shows(OFFER("192.168.1.50", "192.168.1.50", AUDIO),
		    "sdp-host,sdp-private", true, "none");
	offer_shows(OFFER("pbx.example.org", "pbx.example.org", AUDIO), "-",
		    false, "none");
}

static void hold_is_no_evidence(void **state)
{
	offer_shows(OFFER("203.0.113.7", "0.0.0.0", AUDIO), "-", false, "none");
}

/* A carrier's o= often shows what stands behind its media gateway. */
static void a_private_origin_of_media_elsewhere_is_no_alg(void **state)
{
	offer_shows(OFFER("10.1.1.1", "198.51.100.4", AUDIO),
		    "sdp-host,origin-private", false, "none");
}

static void rtcp_fits_its_port_or_shares_it(void **state)
{
	offer_shows(
		OFFER("192.168.1.50", "203.0.113.7", AUDIO "\r\na=rtcp:4001"),
		"origin-private", true, "transparent");
	offer_shows(
		OFFER("192.168.1.50", "203.0.113.7", AUDIO "\r\na=rtcp:4000"),
		"origin-private", true, "transparent");
	offer_shows(
		OFFER("192.168.1.50", "203.0.113.7", AUDIO "\r\na=rtcp:3994"),
		"origin-private,alg-sdp", true, "broken");
	offer_shows(
		OFFER("203.0.113.7", "203.0.113.7", AUDIO "\r\na=rtcp:3994"),
		"-", false, "none");
}

/* ---- answers ------------------------------------------------------------------------ */

#define ANSWER(via, contact)                                                   \
	"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;" via              \
	"\r\nContact: " contact "\r\nCall-ID: a1@192.168.1.50\r\n"             \
	"Content-Length: 0\r\n\r\n"

static void answer_shows(const char *text, const char *evidence, bool behind,
			 const char *alg)
{
	struct nat_verdict v = judge(text, SIP_UDP, OUTSIDE, NULL);

	expect(text, &v, evidence, behind, alg);
}

static void an_answer_is_judged_by_its_contact(void **state)
{
	answer_shows(ANSWER("rport", SOUND_CONTACT), "-", false, "none");
	answer_shows(ANSWER("rport", "<sip:204@192.168.1.50>"),
		     "contact-host,contact-private,replied-private", true,
		     "none");
}

static void our_own_via_must_come_back_as_it_went(void **state)
{
	answer_shows(ANSWER("received=192.0.2.10;rport=5060", SOUND_CONTACT),
		     "-", false, "none");
	answer_shows(ANSWER("received=198.51.100.77;rport=5060", SOUND_CONTACT),
		     "alg-to-us", true, "broken");
	answer_shows(ANSWER("received=192.0.2.10;rport=1024", SOUND_CONTACT),
		     "alg-to-us", true, "broken");
}

/* It hides outside addresses from the inside, and rewrites no message. */
static void a_router_in_between_that_hides_us_is_no_alg(void **state)
{
	answer_shows(ANSWER("received=192.168.1.1;rport=5060", SOUND_CONTACT),
		     "-", false, "none");
}

/* Our router may show the whole inside as itself, and us by another name. */
static void behind_a_router_of_our_own_our_address_proves_nothing(void **state)
{
	static const char text[] =
		"REGISTER sip:203.0.113.7 SIP/2.0\r\nVia: SIP/2.0/UDP " SOUND_VIA
		"\r\nTo: <sip:204@203.0.113.7>\r\n\r\n";
	static const char answer[] =
		ANSWER("received=203.0.113.7;rport=1024", SOUND_CONTACT);
	struct sip_flow flow = told_flow(SIP_UDP, "10.0.0.5:5060", OUTSIDE);
	struct nat_verdict v;

	told_read(&told, text, strlen(text), &flow);
	nat_judge(&v, &told.look);
	expect("REGISTER", &v, "-", false, "none");
	told_read(&told, answer, strlen(answer), &flow);
	nat_judge(&v, &told.look);
	expect("answer", &v, "-", false, "none");
}

static void our_own_address_in_a_call_id_is_no_evidence(void **state)
{
	static const char text[] =
		"BYE sip:10.0.0.5 SIP/2.0\r\nVia: SIP/2.0/UDP " SOUND_VIA
		"\r\nCall-ID: a1@10.0.0.5\r\n\r\n";
	struct sip_flow flow = told_flow(SIP_UDP, "10.0.0.5:5060", OUTSIDE);
	struct nat_verdict v;

	told_read(&told, text, strlen(text), &flow);
	nat_judge(&v, &told.look);
	expect("BYE", &v, "-", false, "none");
}

static void an_answer_that_we_made_ourselves_shows_nothing(void **state)
{
	struct nat_verdict v = judge(ANSWER("rport", "<sip:204@192.168.1.50>"),
				     SIP_UDP, OUTSIDE, NULL);

	told.view.internal = true;
	nat_judge(&v, &told.look);
	expect("internal", &v, "-", false, "none");
	assert_false(addr_is_set(&v.announced));
}

/* ---- what is announced, what adds up --------------------------------------------------- */

static void assert_announced(const struct nat_verdict *v, const char *expected)
{
	char text[ADDR_TEXT_MAX];

	assert_string_equal(addr_fmt(&v->announced, text), expected);
}

static struct nat_verdict judge_addresses(const char *via, const char *contact)
{
	const struct crafted c = {.source = OUTSIDE,
				  .via = via,
				  .contact = contact,
				  .call_id = "a1"};

	return judge_crafted(&c);
}

static void via_announces_else_contact_else_nobody(void **state)
{
	struct nat_verdict v;

	v = judge_addresses("192.168.1.50:5062", "<sip:204@192.168.1.51>");
	assert_announced(&v, "192.168.1.50:5062");
	v = judge_addresses("pbx.example.org", "<sip:204@192.168.1.51>");
	assert_announced(&v, "192.168.1.51:5060");
	v = judge_addresses("pbx.example.org", "<sip:204@pbx.example.org>");
	assert_false(addr_is_set(&v.announced));
}

static void what_was_shown_once_holds(void **state)
{
	struct nat_verdict v = judge_addresses("192.168.1.50", SOUND_CONTACT);
	struct nat_verdict more = judge_addresses(SOUND_VIA, SOUND_CONTACT);

	nat_verdict_add(&v, &more);
	expect("sound later", &v, "via-host,via-private", true, "none");
	assert_announced(&v, "192.168.1.50:5060");
}

static void what_is_shown_later_adds(void **state)
{
	struct nat_verdict v = judge_addresses(SOUND_VIA, SOUND_CONTACT);
	struct nat_verdict more =
		judge_addresses("192.168.1.50;rport=1", SOUND_CONTACT);

	nat_verdict_add(&v, &more);
	expect("private later", &v, "via-host,via-private,alg-rport", true,
	       "broken");
	assert_announced(&v, "192.168.1.50:5060");
}

static void the_worst_alg_stays(void **state)
{
	struct nat_verdict broken = {.alg = NAT_ALG_BROKEN, .behind = true};
	struct nat_verdict right = {.alg = NAT_ALG_TRANSPARENT, .behind = true};

	nat_verdict_add(&broken, &right);
	assert_int_equal(broken.alg, NAT_ALG_BROKEN);
	nat_verdict_add(&right, &broken);
	assert_int_equal(right.alg, NAT_ALG_BROKEN);
}

static void the_same_look_gives_the_same_verdict(void **state)
{
	struct nat_verdict a = judge_addresses("192.168.1.50", SOUND_CONTACT);
	struct nat_verdict b;

	memset(&b, 0xff, sizeof(b));
	nat_judge(&b, &told.look);
	assert_memory_equal(&a, &b, sizeof(a));
}

/* A short Content-Length cuts the body, so that both fit again. */
static void what_the_length_leaves_over_is_damage_on_udp_only(void **state)
{
	struct nat_verdict v;

	judge_addresses("203.0.113.7", "<sip:204@203.0.113.7:5060>");
	told.view.content_length = (int64_t)told.view.body.n;
	told.view.has_surplus = true;
	nat_judge(&v, &told.look);
	expect("surplus", &v, "alg-length", true, "broken");
	told.view.flow.transport = SIP_TCP; /* there it is the next message */
	nat_judge(&v, &told.look);
	expect("stream", &v, "-", false, "none");
}

static void nothing_to_look_at_shows_nothing(void **state)
{
	const struct sip_view view = {.content_length = -1};
	struct nat_look look = {0};
	struct nat_verdict v;

	nat_judge(&v, &look);
	expect("no view", &v, "-", false, "none");
	look.view = &view;
	nat_judge(&v, &look);
	expect("no flow", &v, "-", false, "none");
}

static void a_link_local_neighbour_needs_no_scope(void **state)
{
	struct nat_verdict v = judge("REGISTER sip:192.0.2.10 SIP/2.0\r\n"
				     "Via: SIP/2.0/UDP [fe80::7];rport\r\n\r\n",
				     SIP_UDP, "[fe80::7%1]:5060", NULL);

	expect("link-local", &v, "-", false, "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			each_crafted_register_shows_exactly_its_evidence),
		cmocka_unit_test(phones_and_damage_patterns_get_their_verdicts),
		cmocka_unit_test(a_description_tells_as_headers_do),
		cmocka_unit_test(hold_is_no_evidence),
		cmocka_unit_test(a_private_origin_of_media_elsewhere_is_no_alg),
		cmocka_unit_test(rtcp_fits_its_port_or_shares_it),
		cmocka_unit_test(an_answer_is_judged_by_its_contact),
		cmocka_unit_test(our_own_via_must_come_back_as_it_went),
		cmocka_unit_test(a_router_in_between_that_hides_us_is_no_alg),
		cmocka_unit_test(
			behind_a_router_of_our_own_our_address_proves_nothing),
		cmocka_unit_test(our_own_address_in_a_call_id_is_no_evidence),
		cmocka_unit_test(
			an_answer_that_we_made_ourselves_shows_nothing),
		cmocka_unit_test(via_announces_else_contact_else_nobody),
		cmocka_unit_test(what_was_shown_once_holds),
		cmocka_unit_test(what_is_shown_later_adds),
		cmocka_unit_test(the_worst_alg_stays),
		cmocka_unit_test(the_same_look_gives_the_same_verdict),
		cmocka_unit_test(
			what_the_length_leaves_over_is_damage_on_udp_only),
		cmocka_unit_test(nothing_to_look_at_shows_nothing),
		cmocka_unit_test(a_link_local_neighbour_needs_no_scope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
