/*
 * test_header.c - headers that no view shows, as text
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "sip/stack.h"

static msg_t *msg;
static struct sip_view v;

static void see(const char *headers)
{
	static char text[16384];

	if (msg)
		msg_destroy(msg);
	snprintf(text, sizeof(text),
		 "NOTIFY sip:a@h SIP/2.0\r\n"
		 "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKabc\r\n"
		 "From: <sip:a@h>;tag=a\r\nTo: <sip:b@h>;tag=b\r\n"
		 "Call-ID: c\r\nCSeq: 1 NOTIFY\r\n%s"
		 "Content-Length: 0\r\n\r\n",
		 headers);
	msg = msg_make(sip_default_mclass(), 0, text, (ssize_t)strlen(text));
	assert_non_null(msg);
	assert_int_equal(view_fill(&v, msg_home(msg), msg, sip_object(msg)), 0);
}

static int extend(void **state)
{
	sip_update_default_mclass(sip_extend_mclass(NULL));
	return 0;
}

static int forget(void **state)
{
	if (msg)
		msg_destroy(msg);
	msg = NULL;
	return 0;
}

#define HAS(name, i, text)                                                     \
	assert_string_equal(sip_view_header(&v, name, i), text)
#define ENDS(name, i) assert_null(sip_view_header(&v, name, i))

static void a_single_header_is_one_value(void **state)
{
	see("Event: message-summary;id=7\r\n"
	    "Subscription-State: active;expires=30\r\n"
	    "SIP-ETag: dx200xyz\r\nMin-Expires: 60\r\n");
	HAS("Event", 0, "message-summary;id=7");
	ENDS("Event", 1);
	HAS("Subscription-State", 0, "active;expires=30");
	HAS("SIP-ETag", 0, "dx200xyz");
	HAS("min-expires", 0, "60");
	ENDS("Subject", 0);
}

static void short_forms_are_found_by_the_long_name(void **state)
{
	see("o: presence\r\nu: presence, dialog\r\n");
	HAS("Event", 0, "presence");
	HAS("Allow-Events", 1, "dialog");
}

static void elements_of_a_list_are_values(void **state)
{
	see("Service-Route: <sip:a;lr>,\r\n <sip:b;lr>\r\n"
	    "Service-Route: <sip:c;lr>\r\n"
	    "Supported: path , outbound\r\nSupported: gruu\r\n"
	    "Accept: application/pidf+xml, text/plain;q=0.5\r\n"
	    "Contact: \"x, y\" <sip:1@h>;expires=9, <sip:2@h>\r\n");
	HAS("Service-Route", 0, "<sip:a;lr>");
	HAS("Service-Route", 1, "<sip:b;lr>");
	HAS("Service-Route", 2, "<sip:c;lr>");
	ENDS("Service-Route", 3);
	HAS("Supported", 0, "path");
	HAS("Supported", 2, "gruu");
	ENDS("Supported", 3);
	HAS("Accept", 0, "application/pidf+xml");
	HAS("Accept", 1, "text/plain;q=0.5");
	HAS("Contact", 0, "\"x, y\" <sip:1@h>;expires=9");
	HAS("Contact", 1, "<sip:2@h>");
}

static void the_librarys_further_headers_are_found(void **state)
{
	see("P-Asserted-Identity: \"A\" <sip:a@h>, <tel:+4930>\r\n"
	    "Privacy: id;user\r\n");
	HAS("P-Asserted-Identity", 0, "\"A\" <sip:a@h>");
	HAS("P-Asserted-Identity", 1, "<tel:+4930>");
	HAS("Privacy", 0, "id;user");
}

static void an_unknown_header_counts_by_fields(void **state)
{
	see("X-One: a, b\r\nX-Two:\r\nx-one:   c;d=\"e\"  \r\n");
	HAS("X-One", 0, "a, b");
	HAS("X-ONE", 1, "c;d=\"e\"");
	ENDS("X-One", 2);
	HAS("X-Two", 0, "");
	ENDS("X-Three", 0);
}

/* Else nobody could send it on. */
static void a_folded_value_is_one_line(void **state)
{
	const char *text;

	see("X-Long: one\r\n  two\r\n\tthree\r\n"
	    "Subject: four\r\n five\r\n");
	for (int i = 0; i < 2; i++) {
		text = sip_view_header(&v, i ? "Subject" : "X-Long", 0);
		assert_non_null(text);
		assert_null(strpbrk(text, "\r\n\t"));
		assert_non_null(strstr(text, i ? "five" : "three"));
	}
}

static void a_long_value_is_whole(void **state)
{
	static char line[9000];

	memset(line, 'a', 8000);
	memcpy(line, "Organization: ", 14);
	strcpy(line + 8000, "\r\n");
	see(line);
	assert_int_equal(strlen(sip_view_header(&v, "Organization", 0)),
			 8000 - 14);
}

/* Some of the library's writers do not end their text. */
static void every_length_is_whole(void **state)
{
	char line[1000], state_text[400];

	for (size_t n = 1; n < sizeof(state_text); n++) {
		memset(state_text, 'x', n);
		state_text[n] = '\0';
		snprintf(line, sizeof(line),
			 "Subscription-State: %s\r\nEvent: %s\r\n", state_text,
			 state_text);
		see(line);
		HAS("Subscription-State", 0, state_text);
		HAS("Event", 0, state_text);
	}
}

static void no_name_finds_nothing(void **state)
{
	const struct sip_view made = {.status = 408};

	see("X-One: a\r\n");
	assert_null(sip_view_header(&v, "", 0));
	assert_null(sip_view_header(&v, "X-One:", 0));
	assert_null(sip_view_header(&v, "X One", 0));
	assert_null(sip_view_header(&made, "Event", 0));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, forget)
	const struct CMUnitTest tests[] = {
		TEST(a_single_header_is_one_value),
		TEST(short_forms_are_found_by_the_long_name),
		TEST(elements_of_a_list_are_values),
		TEST(the_librarys_further_headers_are_found),
		TEST(an_unknown_header_counts_by_fields),
		TEST(a_folded_value_is_one_line),
		TEST(a_long_value_is_whole),
		TEST(every_length_is_whole),
		TEST(no_name_finds_nothing),
	};

	return cmocka_run_group_tests(tests, extend, NULL);
}
