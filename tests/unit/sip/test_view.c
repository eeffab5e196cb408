/*
 * test_view.c - what is seen of a message
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sip/stack.h"

static msg_t *msg;
static struct sip_view v;

static void see(const char *text)
{
	if (msg)
		msg_destroy(msg);
	msg = msg_make(sip_default_mclass(), 0, text, (ssize_t)strlen(text));
	assert_non_null(msg);
	assert_int_equal(view_fill(&v, msg_home(msg), msg, sip_object(msg)), 0);
}

static int forget(void **state)
{
	if (msg)
		msg_destroy(msg);
	msg = NULL;
	return 0;
}

#define START(method)                                                          \
	method " sip:bob@example.org:5070;transport=udp SIP/2.0\r\n"           \
	       "v: SIP/2.0/UDP 192.0.2.1:5061;branch=z9hG4bKabc\r\n"           \
	       "f: \"A \\\"B\\\" C\" <sip:alice@example.org:5080>;tag=t1\r\n"  \
	       "t: <sip:bob@example.org>\r\ni: call@1\r\nCSeq: 42 " method     \
	       "\r\n"
#define END "l: 0\r\n\r\n"

static void a_request_is_seen_whole(void **state)
{
	see(START("INVITE") "Max-Forwards: 17\r\nUser-Agent: Phone/1\r\n" END);
	assert_int_equal(v.method, SIP_INVITE);
	assert_string_equal(v.method_name, "INVITE");
	assert_int_equal(v.status, 0);
	assert_string_equal(v.uri.scheme, "sip");
	assert_string_equal(v.uri.user, "bob");
	assert_string_equal(v.uri.host, "example.org");
	assert_int_equal(v.uri.port, 5070);
	assert_string_equal(v.uri_text,
			    "sip:bob@example.org:5070;transport=udp");
	assert_string_equal(v.from.user, "alice");
	assert_int_equal(v.from.port, 5080);
	assert_string_equal(v.from_display, "A \"B\" C");
	assert_string_equal(v.from_tag, "t1");
	assert_null(v.to_tag);
	assert_string_equal(v.call_id, "call@1");
	assert_string_equal(v.branch, "z9hG4bKabc");
	assert_int_equal(v.cseq, 42);
	assert_int_equal(v.max_forwards, 17);
	assert_string_equal(v.user_agent, "Phone/1");
}

static void what_is_absent_is_told_apart_from_zero(void **state)
{
	see(START("INVITE") END);
	assert_int_equal(v.max_forwards, -1);
	assert_int_equal(v.expires, -1);
	assert_int_equal(v.retry_after, -1);
	assert_null(v.path);
	assert_null(v.user_agent);
	assert_null(v.content_type);
	assert_int_equal(v.body.n, 0);
	assert_int_equal(v.n_contacts, 0);
	assert_false(v.contact_star);
	see(START("INVITE") "Expires: 0\r\nMax-Forwards: 0\r\n" END);
	assert_int_equal(v.expires, 0);
	assert_int_equal(v.max_forwards, 0);
}

static void contacts_come_with_their_parameters(void **state)
{
	see(START("REGISTER") "Contact: <sip:a@10.0.0.1:5060;ob>;expires=300;"
			      "+sip.instance=\"<urn:uuid:1-2>\";reg-id=2, "
			      "sip:b@10.0.0.2;expires=0\r\n" END);
	assert_int_equal(v.n_contacts, 2);
	assert_string_equal(v.contacts[0].uri, "sip:a@10.0.0.1:5060;ob");
	assert_int_equal(v.contacts[0].expires, 300);
	assert_string_equal(v.contacts[0].instance, "<urn:uuid:1-2>");
	assert_int_equal(v.contacts[0].reg_id, 2);
	assert_string_equal(v.contacts[1].uri, "sip:b@10.0.0.2");
	assert_int_equal(v.contacts[1].expires, 0);
	assert_null(v.contacts[1].instance);
	assert_int_equal(v.contacts[1].reg_id, 0);
}

static void the_weight_of_a_contact_is_in_thousandths(void **state)
{
	static const struct {
		const char *q;
		unsigned n;
	} cases[] = {{"", 1000},       {";q=1", 1000},   {";q=0", 0},
		     {";q=0.7", 700},  {";q=0.05", 50},  {";q=0.125", 125},
		     {";q=1.0", 1000}, {";q=1.9", 1000}, {";q=0.", 0}};
	char text[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(
			text, sizeof(text),
			START("REGISTER") "Contact: <sip:a@10.0.0.1>%s\r\n" END,
			cases[i].q);
		see(text);
		assert_int_equal(v.n_contacts, 1);
		assert_int_equal(v.contacts[0].q, cases[i].n);
	}
}

static void a_star_is_no_contact(void **state)
{
	see(START("REGISTER") "Contact: *\r\nExpires: 0\r\n" END);
	assert_true(v.contact_star);
	assert_int_equal(v.n_contacts, 0);
}

static void times_are_clamped_and_never_wrap(void **state)
{
	see(START("REGISTER") "Contact: <sip:a@h>;expires=4294967296\r\n"
			      "Expires: 99999999999\r\n" END);
	assert_int_equal(v.contacts[0].expires, UINT32_MAX);
	assert_true(v.expires >= INT32_MAX);
	see(START("REGISTER") "Contact: <sip:a@h>;expires=soon\r\n" END);
	assert_int_equal(v.contacts[0].expires, -1);
}

static void too_many_contacts_are_one_more_than_allowed(void **state)
{
	char text[8192];
	int n = snprintf(text, sizeof(text), "%s", START("REGISTER"));

	for (int i = 0; i < LIMIT_CONTACTS + 20; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      "m: <sip:a%d@h>\r\n", i);
	snprintf(text + n, sizeof(text) - (size_t)n, END);
	see(text);
	assert_int_equal(v.n_contacts, LIMIT_CONTACTS + 1);
}

static void a_body_is_seen_with_its_type(void **state)
{
	see(START("INVITE") "c: application/sdp;x=y\r\nl: 5\r\n\r\nv=0\r\n");
	assert_string_equal(v.content_type, "application/sdp");
	assert_true(str_eq_c(v.body, "v=0\r\n"));
	see(START("INVITE") "l: 5\r\n\r\nv=0\r\n");
	assert_string_equal(v.content_type, "");
	assert_int_equal(v.body.n, 5);
}

static void paths_are_joined_in_order(void **state)
{
	see(START("REGISTER") "Path: <sip:p1;lr>, <sip:p2;lr>\r\n"
			      "Path: <sip:p3;lr>\r\n" END);
	assert_string_equal(v.path, "<sip:p1;lr>, <sip:p2;lr>, <sip:p3;lr>");
}

static void a_response_is_seen_by_its_cseq(void **state)
{
	see("SIP/2.0 503 Go Away\r\n"
	    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKabc\r\n"
	    "From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\n"
	    "Call-ID: c\r\nCSeq: 7 BYE\r\nRetry-After: 30\r\n" END);
	assert_int_equal(v.status, 503);
	assert_string_equal(v.phrase, "Go Away");
	assert_int_equal(v.method, SIP_BYE);
	assert_int_equal(v.retry_after, 30);
	assert_string_equal(v.to_tag, "2");
	assert_false(v.internal);
}

#define REQUEST_VIA(via)                                                       \
	"OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP " via                     \
	"\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\n"         \
	"CSeq: 1 OPTIONS\r\n" END
#define ANSWER_VIA(via)                                                        \
	"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP " via                              \
	"\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: c\r\n"   \
	"CSeq: 1 OPTIONS\r\n" END

static void the_topmost_via_is_seen_as_it_came(void **state)
{
	see(REQUEST_VIA("10.0.0.1:5062;rport;branch=z9hG4bKa, "
			"SIP/2.0/UDP 9.9.9.9:9;rport=9"));
	assert_string_equal(v.via.host, "10.0.0.1");
	assert_int_equal(v.via.port, 5062);
	assert_int_equal(v.n_vias, 2);
	assert_true(v.via.has_rport);
	assert_int_equal(v.via.rport, 0);
	assert_null(v.via.received);
	see(REQUEST_VIA("[2001:db8::1];branch=z9hG4bKa"));
	assert_string_equal(v.via.host, "[2001:db8::1]");
	assert_int_equal(v.n_vias, 1);
	assert_int_equal(v.via.port, 0);
	assert_false(v.via.has_rport);
	see(REQUEST_VIA("phone.local;rport=4711;received=192.0.2.7;branch=x"));
	assert_string_equal(v.via.host, "phone.local");
	assert_true(v.via.has_rport);
	assert_int_equal(v.via.rport, 4711);
	assert_string_equal(v.via.received, "192.0.2.7");
	assert_false(addr_is_set(&v.reply_source));
}

static void expect_reply_source(const char *text, const char *source)
{
	char mem[ADDR_TEXT_MAX];

	see(text);
	assert_int_equal(addr_is_set(&v.reply_source), source != NULL);
	if (source)
		assert_string_equal(addr_fmt(&v.reply_source, mem), source);
}

static void an_answer_tells_how_the_peer_saw_us(void **state)
{
	expect_reply_source(ANSWER_VIA("192.0.2.1:5060;branch=z9hG4bKa;rport"),
			    NULL);
	expect_reply_source(ANSWER_VIA("192.0.2.1:5060;branch=z9hG4bKa"
				       ";received=198.51.100.7;rport=40000"),
			    "198.51.100.7:40000");
	expect_reply_source(ANSWER_VIA("192.0.2.1:5060;branch=z9hG4bKa"
				       ";rport=40000"),
			    "192.0.2.1:40000");
	expect_reply_source(ANSWER_VIA("192.0.2.1:5060;branch=z9hG4bKa"
				       ";received=198.51.100.7;rport"),
			    "198.51.100.7:5060");
	expect_reply_source(ANSWER_VIA("[2001:db8::1]:5060;branch=z9hG4bKa"
				       ";received=2001:db8::2;rport=1"),
			    "[2001:db8::2]:1");
	expect_reply_source(ANSWER_VIA("192.0.2.1:5060;branch=z9hG4bKa"
				       ";received=a.name;rport=40000"),
			    NULL);
}

static void the_length_is_seen_as_it_was_written(void **state)
{
	see(START("INVITE") "l: 3\r\n\r\nv=0\r\n");
	assert_int_equal(v.content_length, 3);
	see(START("INVITE") END);
	assert_int_equal(v.content_length, 0);
	see(START("INVITE") "\r\n");
	assert_int_equal(v.content_length, -1);
}

static void what_comes_after_the_body_is_seen(void **state)
{
	see(START("INVITE") "l: 3\r\n\r\nv=0a=rest\r\n");
	assert_int_equal(v.body.n, 3);
	assert_true(v.has_surplus);
	see(START("INVITE") "l: 3\r\n\r\nv=0\r\n\r\n");
	assert_false(v.has_surplus); /* some phones end with empty lines */
	see(START("INVITE") "l: 3\r\n\r\nv=0");
	assert_false(v.has_surplus);
}

static void what_outbound_asks_for_is_seen(void **state)
{
	see(START("REGISTER") "Supported: gruu, Path\r\nk: outbound\r\n"
			      "Contact: <sip:a@10.0.0.1;ob;x=y>, "
			      "<sip:b@10.0.0.1;observe>\r\n" END);
	assert_true(v.supports_outbound);
	assert_true(v.supports_path);
	assert_true(v.contacts[0].ob);
	assert_false(v.contacts[1].ob);
	see(START("REGISTER") "Supported: outbound2\r\n"
			      "Contact: <sip:ob@10.0.0.1>;ob\r\n" END);
	assert_false(v.supports_outbound);
	assert_false(v.supports_path);
	assert_false(v.contacts[0].ob);
}

static void every_method_has_its_number(void **state)
{
	const char *name;

	for (int m = SIP_INVITE; m < SIP_UNKNOWN; m++) {
		sip_method_t number = method_number((enum sip_method)m, &name);

		assert_int_equal(method_of(number), m);
		assert_string_equal(sip_method_name(number, ""), name);
	}
	see(START("FOO") END);
	assert_int_equal(v.method, SIP_UNKNOWN);
	assert_string_equal(v.method_name, "FOO");
}

static void a_message_with_control_bytes_is_not_sent(void **state)
{
	const struct sip_header bad[] = {
		{"X", "a\rb"}, {"X", "a\nb"}, {"X", "a\x7f"}, {"X", "a\x01"},
		{"X y", "a"},  {"", "a"},     {NULL, "a"},    {"X", NULL},
	};
	const struct sip_header good = {"X", "a\tb \xc3\xa4"};
	struct sip_message m = {.status = 200, .n_headers = 1};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		m.headers = &bad[i];
		assert_int_equal(message_check(&m), -EINVAL);
	}
	m.headers = &good;
	assert_int_equal(message_check(&m), 0);
	m.phrase = "no\r\nway";
	assert_int_equal(message_check(&m), -EINVAL);
	m = (struct sip_message){.status = 200, .body = STR("x")};
	assert_int_equal(message_check(&m), -EINVAL);
	m.content_type = "text/plain\r\nX: y";
	assert_int_equal(message_check(&m), -EINVAL);
	m.content_type = "text/plain";
	assert_int_equal(message_check(&m), 0);
	m.status = 700;
	assert_int_equal(message_check(&m), -EINVAL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, forget)
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_seen_whole),
		TEST(what_is_absent_is_told_apart_from_zero),
		TEST(contacts_come_with_their_parameters),
		TEST(the_weight_of_a_contact_is_in_thousandths),
		TEST(a_star_is_no_contact),
		TEST(times_are_clamped_and_never_wrap),
		TEST(too_many_contacts_are_one_more_than_allowed),
		TEST(a_body_is_seen_with_its_type),
		TEST(paths_are_joined_in_order),
		TEST(a_response_is_seen_by_its_cseq),
		TEST(the_topmost_via_is_seen_as_it_came),
		TEST(an_answer_tells_how_the_peer_saw_us),
		TEST(the_length_is_seen_as_it_was_written),
		TEST(what_comes_after_the_body_is_seen),
		TEST(what_outbound_asks_for_is_seen),
		TEST(every_method_has_its_number),
		TEST(a_message_with_control_bytes_is_not_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
