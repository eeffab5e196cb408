/*
 * test_cdr.c - a call record as JSON
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cdr/cdr.h"

static json_t *made(const struct cdr *c)
{
	char *line = cdr_json(c);
	json_t *j;

	assert_non_null(line);
	assert_null(strchr(line, '\n'));
	j = json_loads(line, 0, NULL);
	assert_non_null(j);
	free(line);
	return j;
}

static const char *text_at(const json_t *j, const char *object, const char *key)
{
	if (object)
		j = json_object_get(j, object);
	return json_string_value(json_object_get(j, key));
}

static void an_answered_call_says_who_when_and_how_long(void **state)
{
	struct cdr c = {
		.id = "x",
		.started_at = 1767323045678,
		.ringing_at = 1767323045778,
		.answered_at = 1767323047678,
		.ended_at = 1767323057678,
		.duration_ms = 10000,
		.from_received = "100",
		.to_received = "0301",
		.to_sent = "+49301",
		.a = {.peer = "100", .realm = "lan", .transport = "udp"},
		.b = {.peer = "itsp", .realm = "wan", .is_trunk = true},
		.status = 200,
		.q850 = 16,
		.cause = "bye",
		.ended_by = "a",
	};
	json_t *j = made(&c);

	assert_int_equal(json_integer_value(json_object_get(j, "v")), 1);
	assert_string_equal(text_at(j, NULL, "started_at"),
			    "2026-01-02T03:04:05.678Z");
	assert_int_equal(json_integer_value(json_object_get(j, "pdd_ms")), 100);
	assert_int_equal(json_integer_value(json_object_get(j, "duration_ms")),
			 10000);
	assert_string_equal(text_at(j, "to", "received"), "0301");
	assert_string_equal(text_at(j, "to", "sent"), "+49301");
	assert_string_equal(text_at(j, "a", "kind"), "phone");
	assert_string_equal(text_at(j, "b", "kind"), "trunk");
	assert_string_equal(text_at(j, NULL, "ended_by"), "a");
	json_decref(j);
}

static void what_never_happened_is_null(void **state)
{
	struct cdr c = {.id = "x", .started_at = 1, .duration_ms = -1};
	json_t *j = made(&c);

	assert_true(json_is_null(json_object_get(j, "answered_at")));
	assert_true(json_is_null(json_object_get(j, "duration_ms")));
	assert_true(json_is_null(json_object_get(j, "pdd_ms")));
	assert_true(json_is_null(json_object_get(j, "b")));
	assert_true(json_is_null(json_object_get(j, "cause")));
	assert_int_equal(json_array_size(json_object_get(j, "media")), 0);
	json_decref(j);
}

static void media_and_attempts_are_lists(void **state)
{
	struct cdr c = {
		.id = "x",
		.duration_ms = -1,
		.n_media = 1,
		.media[0] = {.side = 'b',
			     .type = STR("audio"),
			     .codec = STR("PCMA"),
			     .in_packets = 7},
		.n_attempts = 2,
		.attempts = {{"itsp", 5, 503}, {"backup", 6, 200}},
	};
	json_t *j = made(&c), *m, *a;

	m = json_array_get(json_object_get(j, "media"), 0);
	assert_string_equal(text_at(m, NULL, "side"), "b");
	assert_string_equal(text_at(m, NULL, "codec"), "PCMA");
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(m, "in"), "packets")),
			 7);
	a = json_array_get(json_object_get(j, "attempts"), 1);
	assert_string_equal(text_at(a, NULL, "peer"), "backup");
	json_decref(j);
}

static void text_that_is_no_utf8_does_not_lose_the_record(void **state)
{
	struct cdr c = {.id = "x",
			.duration_ms = -1,
			.from_received = "\xff\xfe",
			.n_media = 1,
			.media[0] = {.side = 'a', .codec = STR("\xc3")}};
	json_t *j = made(&c);

	assert_string_equal(text_at(j, "from", "received"), "(not UTF-8)");
	json_decref(j);
}

static void every_byte_that_a_peer_may_write_is_escaped(void **state)
{
	struct cdr c = {.id = "x",
			.duration_ms = -1,
			.from_received = "a\"b\\c\x01\x1f\x7f",
			.to_received = "M\xc3\xbcller \xf0\x9f\x93\x9e",
			.cause = "\xed\xa0\x80", /* a surrogate */
			.reason = "\xc0\xaf"};   /* overlong */
	json_t *j = made(&c);

	assert_string_equal(text_at(j, "from", "received"),
			    "a\"b\\c\x01\x1f\x7f");
	assert_string_equal(text_at(j, "to", "received"),
			    "M\xc3\xbcller \xf0\x9f\x93\x9e");
	assert_string_equal(text_at(j, NULL, "cause"), "(not UTF-8)");
	assert_string_equal(text_at(j, NULL, "reason"), "(not UTF-8)");
	json_decref(j);
}

static void the_longest_record_fits_or_is_none(void **state)
{
	static char text[20000];
	struct cdr c = {.id = "x", .duration_ms = -1};

	c.n_media = CDR_MEDIA_MAX;
	c.n_attempts = CDR_ATTEMPTS_MAX;
	json_decref(made(&c));
	memset(text, 'x', sizeof(text) - 1);
	c.reason = text;
	assert_null(cdr_json(&c));
}

static void an_id_is_a_uuid_of_version_7_that_sorts_by_time(void **state)
{
	char a[CDR_ID_CHARS + 1], b[CDR_ID_CHARS + 1], again[CDR_ID_CHARS + 1];

	cdr_make_id(a, 0x017f22e279b0); /* RFC 9562 A.6 */
	cdr_make_id(again, 0x017f22e279b0);
	cdr_make_id(b, 0x017f22e279b1);
	assert_int_equal(strlen(a), 36);
	assert_memory_equal(a, "017f22e2-79b0-7", 15);
	assert_non_null(strchr("89ab", a[19]));
	assert_true(a[8] == '-' && a[13] == '-' && a[18] == '-' &&
		    a[23] == '-');
	assert_true(strcmp(a, b) < 0);
	assert_string_not_equal(a, again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answered_call_says_who_when_and_how_long),
		cmocka_unit_test(what_never_happened_is_null),
		cmocka_unit_test(media_and_attempts_are_lists),
		cmocka_unit_test(text_that_is_no_utf8_does_not_lose_the_record),
		cmocka_unit_test(every_byte_that_a_peer_may_write_is_escaped),
		cmocka_unit_test(the_longest_record_fits_or_is_none),
		cmocka_unit_test(
			an_id_is_a_uuid_of_version_7_that_sorts_by_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
