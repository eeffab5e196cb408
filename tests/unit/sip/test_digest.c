/*
 * test_digest.c - digest credentials and responses
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

#include "sip/digest.h"

/* Examples with known answers: RFC 2617 3.5, RFC 7616 3.9.1 (both of its
 * algorithms, which RFC 8760 gives to SIP). */
static const struct vector {
	const char *params, *method, *password, *response;
	enum digest_alg alg;
} vectors[] = {
	{"username=\"Mufasa\", realm=\"testrealm@host.com\", "
	 "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
	 "uri=\"/dir/index.html\", qop=auth, nc=00000001, "
	 "cnonce=\"0a4f113b\", "
	 "response=\"6629fae49393a05397450978507c4ef1\", "
	 "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
	 "GET", "Circle Of Life", "6629fae49393a05397450978507c4ef1",
	 DIGEST_MD5},
	{"username=\"Mufasa\", realm=\"http-auth@example.org\", "
	 "uri=\"/dir/index.html\", algorithm=MD5, "
	 "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
	 "nc=00000001, "
	 "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", "
	 "qop=auth, response=\"8ca523f5e9506fed4657c9700eebdbec\", "
	 "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
	 "GET", "Circle of Life", "8ca523f5e9506fed4657c9700eebdbec",
	 DIGEST_MD5},
	{"username=\"Mufasa\", realm=\"http-auth@example.org\", "
	 "uri=\"/dir/index.html\", algorithm=SHA-256, "
	 "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
	 "nc=00000001, "
	 "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", "
	 "qop=auth, response=\"753927fa0e85d155564e2e272a28d1802ca10daf44"
	 "96794697cf8db5856cb6c1\"",
	 "GET", "Circle of Life",
	 "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
	 DIGEST_SHA256},
};

static void responses_are_those_of_the_rfcs(void **state)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		char out[DIGEST_HEX_MAX + 1];
		struct digest d;

		assert_int_equal(digest_parse(&d, str_of(v->params)), 0);
		assert_true(d.alg_known);
		assert_int_equal(d.alg, v->alg);
		assert_int_equal(
			digest_response(out, &d, v->method, v->password), 0);
		assert_string_equal(out, v->response);
		assert_string_equal(d.response, v->response);
	}
}

/* The RFC has no example of it: the one of 3.9.1 with qop=auth-int and the body
 * "v=0" CR LF, as computed by another implementation of 3.4. */
static void with_auth_int_the_body_counts(void **state)
{
	static const char *const expected[] = {
		"d1b8e2ac3f6782372de4bf3d8735b406",
		"385d2de062660ced11876f42d9497c69cacf5caaf3d951dd424aee9f7157d5"
		"63",
	};

	for (int i = 0; i < 2; i++) {
		char out[DIGEST_HEX_MAX + 1];
		struct digest d;

		assert_int_equal(
			digest_parse(&d, str_of(vectors[1 + i].params)), 0);
		strcpy(d.qop, "auth-int");
		assert_int_equal(
			digest_body(d.body_hash, d.alg, STR("v=0\r\n")), 0);
		assert_int_equal(
			digest_response(out, &d, "GET", "Circle of Life"), 0);
		assert_string_equal(out, expected[i]);
	}
}

static void the_hash_of_no_body_is_that_of_nothing(void **state)
{
	char out[DIGEST_HEX_MAX + 1];

	assert_int_equal(digest_body(out, DIGEST_MD5, STR("")), 0);
	assert_string_equal(out, "d41d8cd98f00b204e9800998ecf8427e");
}

static void another_password_gives_another_response(void **state)
{
	char out[DIGEST_HEX_MAX + 1];
	struct digest d;

	assert_int_equal(digest_parse(&d, str_of(vectors[0].params)), 0);
	assert_int_equal(digest_response(out, &d, "GET", "circle of life"), 0);
	assert_false(digest_equal(out, d.response));
}

static void without_qop_it_is_the_old_formula(void **state)
{
	char out[DIGEST_HEX_MAX + 1];
	struct digest d;

	/* RFC 2069 2.4 as corrected by its erratum 749. */
	assert_int_equal(
		digest_parse(&d, str_of("username=\"Mufasa\", "
					"realm=\"testrealm@host.com\", nonce="
					"\"dcd98b7102dd2f0e8b11d0f600bfb0c093"
					"\", uri=\"/dir/index.html\", "
					"response=\"1949323746fe6a43ef61f9606e"
					"7febea\"")),
		0);
	assert_int_equal(digest_response(out, &d, "GET", "CircleOfLife"), 0);
	assert_string_equal(out, "1949323746fe6a43ef61f9606e7febea");
}

#define GOOD                                                                   \
	"username=\"a\",realm=\"r\",nonce=\"n\",uri=\"sip:x\",response=\"0\""

static void a_quoted_value_loses_its_escapes(void **state)
{
	struct digest d;

	assert_int_equal(
		digest_parse(&d, str_of("username=\"a\\\"b\\\\c\",realm=\"r, "
					"s\",nonce=\"n\",uri=\"sip:x\","
					"response=\"0\"")),
		0);
	assert_string_equal(d.username, "a\"b\\c");
	assert_string_equal(d.realm, "r, s");
}

static void the_count_is_eight_hex_digits(void **state)
{
	struct digest d;

	assert_int_equal(digest_parse(&d, str_of(GOOD ",nc=0000aBcD")), 0);
	assert_int_equal(d.nc, 0xabcd);
	assert_string_equal(d.nc_text, "0000aBcD");
	assert_int_equal(digest_parse(&d, str_of(GOOD ",nc=1")), -EINVAL);
	assert_int_equal(digest_parse(&d, str_of(GOOD ",nc=0000000g")),
			 -EINVAL);
	assert_int_equal(digest_parse(&d, str_of(GOOD ",nc=000000001")),
			 -EINVAL);
}

static void an_unknown_algorithm_is_told(void **state)
{
	struct digest d;

	assert_int_equal(digest_parse(&d, str_of(GOOD ",algorithm=SHA-512")),
			 0);
	assert_false(d.alg_known);
	assert_int_equal(digest_parse(&d, str_of(GOOD ",algorithm=sha-256")),
			 0);
	assert_true(d.alg_known);
	assert_int_equal(d.alg, DIGEST_SHA256);
}

static void broken_credentials_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"username=\"a\",realm=\"r\",nonce=\"n\",uri=\"sip:x\"",
		GOOD ",username=\"b\"",
		GOOD ",opaque",
		GOOD ",opaque=",
		GOOD ",=x",
		GOOD ",opaque=\"x",
		GOOD ",opaque=\"x\\",
		GOOD ",opaque=\"x\" y",
		GOOD ",cnonce=\"x\ny\"",
		GOOD ",userhash=true",
	};
	struct digest d;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(digest_parse(&d, str_of(bad[i])), -EINVAL);
	assert_int_equal(digest_parse(&d, (struct str){GOOD ",cnonce=\"\0\"",
						       sizeof(GOOD) + 10}),
			 -EINVAL);
}

static void a_value_too_long_is_refused_and_an_unknown_one_is_not(void **state)
{
	char text[4096], pad[2001];
	struct digest d;

	memset(pad, 'x', 2000);
	pad[2000] = '\0';
	snprintf(text, sizeof(text), GOOD ",cnonce=\"%s\"", pad);
	assert_int_equal(digest_parse(&d, str_of(text)), -ENOSPC);
	snprintf(text, sizeof(text), GOOD ",opaque=\"%s\"", pad);
	assert_int_equal(digest_parse(&d, str_of(text)), 0);
}

static void equal_means_equal_in_all_bytes(void **state)
{
	assert_true(digest_equal("abcd", "abcd"));
	assert_false(digest_equal("abcd", "abce"));
	assert_false(digest_equal("abcd", "abc"));
	assert_false(digest_equal("", "a"));
}

static int cleanup(void **state)
{
	digest_cleanup();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_are_those_of_the_rfcs),
		cmocka_unit_test(with_auth_int_the_body_counts),
		cmocka_unit_test(the_hash_of_no_body_is_that_of_nothing),
		cmocka_unit_test(another_password_gives_another_response),
		cmocka_unit_test(without_qop_it_is_the_old_formula),
		cmocka_unit_test(a_quoted_value_loses_its_escapes),
		cmocka_unit_test(the_count_is_eight_hex_digits),
		cmocka_unit_test(an_unknown_algorithm_is_told),
		cmocka_unit_test(broken_credentials_are_refused),
		cmocka_unit_test(
			a_value_too_long_is_refused_and_an_unknown_one_is_not),
		cmocka_unit_test(equal_means_equal_in_all_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, cleanup);
}
