/*
 * test_challenge.c - digest as a client: which challenge is taken, and what
 * answers it
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
#include "sip/stack.h"

static msg_t *msg;
static struct sip_view v;
static struct sip_challenged c;
static char value[2048];

static int forget(void **state)
{
	if (msg)
		msg_destroy(msg);
	msg = NULL;
	memset(&c, 0, sizeof(c));
	return 0;
}

static int cleanup(void **state)
{
	digest_cleanup();
	return 0;
}

/* A final answer with @headers comes in; what sip_challenge_take() says. */
static int take_answer(int status, const char *headers)
{
	static char text[8192];

	if (msg)
		msg_destroy(msg);
	snprintf(text, sizeof(text),
		 "SIP/2.0 %d Whatever\r\n"
		 "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKabc\r\n"
		 "From: <sip:a@h>;tag=a\r\nTo: <sip:a@h>;tag=b\r\n"
		 "Call-ID: c\r\nCSeq: 1 REGISTER\r\n%s"
		 "Content-Length: 0\r\n\r\n",
		 status, headers);
	msg = msg_make(sip_default_mclass(), 0, text, (ssize_t)strlen(text));
	assert_non_null(msg);
	assert_int_equal(view_fill(&v, msg_home(msg), msg, sip_object(msg)), 0);
	return sip_challenge_take(&c, &v);
}

static int take(const char *challenge)
{
	static char line[4096];

	snprintf(line, sizeof(line), "WWW-Authenticate: %s\r\n", challenge);
	return take_answer(401, line);
}

static struct sip_header answer(void)
{
	struct sip_header h = {0};

	assert_int_equal(
		sip_challenge_answer(&c, SIP_REGISTER, "sip:pbx.example.org",
				     "101", "secret", value, sizeof(value), &h),
		0);
	assert_ptr_equal(h.value, value);
	return h;
}

/* The answer as a server reads it; its response is right. */
static void read_answer(struct digest *d, const char *password)
{
	char expected[DIGEST_HEX_MAX + 1];

	assert_memory_equal(value, "Digest ", 7);
	assert_int_equal(digest_parse(d, str_of(value + 7)), 0);
	assert_int_equal(digest_response(expected, d, "REGISTER", password), 0);
	assert_string_equal(d->response, expected);
}

/* ---- answers ----------------------------------------------------------------------- */

static void a_challenge_is_answered(void **state)
{
	struct digest d;

	assert_int_equal(take("Digest realm=\"pbx\", nonce=\"n1\", "
			      "algorithm=MD5, qop=\"auth\", opaque=\"o1\""),
			 0);
	assert_string_equal(answer().name, "Authorization");
	read_answer(&d, "secret");
	assert_string_equal(d.username, "101");
	assert_string_equal(d.realm, "pbx");
	assert_string_equal(d.nonce, "n1");
	assert_string_equal(d.uri, "sip:pbx.example.org");
	assert_string_equal(d.qop, "auth");
	assert_string_equal(d.nc_text, "00000001");
	assert_int_equal(strlen(d.cnonce), 16);
	assert_non_null(strstr(value, ", opaque=\"o1\""));
}

static void a_proxys_challenge_is_answered_to_the_proxy(void **state)
{
	assert_int_equal(take_answer(407, "Proxy-Authenticate: Digest "
					  "realm=\"p\", nonce=\"n\"\r\n"),
			 0);
	assert_string_equal(answer().name, "Proxy-Authorization");
}

/* RFC 2069, its response worked out by other means. */
static void without_qop_it_is_the_old_formula(void **state)
{
	assert_int_equal(take("Digest realm=\"pbx\", nonce=\"abc\""), 0);
	answer();
	assert_non_null(
		strstr(value, "response=\"dad8c28b8e781dff78ea0c44fe218b4f\""));
	assert_null(strstr(value, "cnonce"));
	assert_null(strstr(value, "nc="));
	assert_null(strstr(value, "opaque"));
}

/* RFC 7616's own example has a wrong response; this one by other means. */
static void sha_512_256_is_computed(void **state)
{
	char out[DIGEST_HEX_MAX + 1];
	struct digest d;

	assert_int_equal(
		digest_parse(&d, str_of("username=\"101\", realm=\"pbx\", "
					"nonce=\"abc\", qop=auth, "
					"algorithm=SHA-512-256, nc=00000001, "
					"uri=\"sip:pbx.example.org\", "
					"cnonce=\"0a4f113b\", response=\"\"")),
		0);
	assert_int_equal(digest_response(out, &d, "REGISTER", "secret"), 0);
	assert_string_equal(out, "eeb3a4e4309e73f2edd70d81312732ca"
				 "17f199525dfd9f69fdf9d8c8719c3aa5");
}

static void each_answer_to_a_nonce_counts(void **state)
{
	struct digest d;
	char first[64];

	assert_int_equal(take("Digest realm=\"p\",nonce=\"n\",qop=\"auth\""),
			 0);
	answer();
	read_answer(&d, "secret");
	snprintf(first, sizeof(first), "%.60s", d.cnonce);
	answer();
	read_answer(&d, "secret");
	assert_string_equal(d.nc_text, "00000002");
	assert_string_not_equal(d.cnonce, first);
	/* The same nonce again goes on, a new one begins. */
	assert_int_equal(take("Digest realm=\"p\",nonce=\"n\",qop=\"auth\""),
			 0);
	answer();
	assert_non_null(strstr(value, "nc=00000003"));
	assert_int_equal(take("Digest realm=\"p\",nonce=\"m\",qop=\"auth\""),
			 0);
	answer();
	assert_non_null(strstr(value, "nc=00000001"));
}

static void a_stale_nonce_is_told(void **state)
{
	assert_int_equal(take("Digest realm=\"p\",nonce=\"n\",stale=TRUE"), 0);
	assert_true(c.stale);
	assert_int_equal(take("Digest realm=\"p\",nonce=\"n\",stale=false"), 0);
	assert_false(c.stale);
}

static void quotes_and_escapes_survive(void **state)
{
	struct sip_header h;
	struct digest d;

	assert_int_equal(take("Digest realm=\"a\\\"b\\\\c, d\", "
			      "nonce=\"n=\\\"1\\\"\", opaque=\"\\\"\", "
			      "qop=\"auth\""),
			 0);
	assert_string_equal(c.realm, "a\"b\\c, d");
	assert_int_equal(sip_challenge_answer(&c, SIP_REGISTER, "sip:h", "1\"1",
					      "x", value, sizeof(value), &h),
			 0);
	read_answer(&d, "x");
	assert_string_equal(d.realm, "a\"b\\c, d");
	assert_string_equal(d.nonce, "n=\"1\"");
	assert_string_equal(d.username, "1\"1");
	assert_non_null(strstr(value, "opaque=\"\\\"\""));
}

static void an_answer_that_does_not_fit_is_none(void **state)
{
	char long_user[300], mem[64];
	struct sip_header h;

	memset(long_user, 'a', sizeof(long_user) - 1);
	long_user[sizeof(long_user) - 1] = '\0';
	assert_int_equal(take("Digest realm=\"p\", nonce=\"n\""), 0);
	assert_int_equal(sip_challenge_answer(&c, SIP_REGISTER, "sip:h", "101",
					      "x", mem, sizeof(mem), &h),
			 -ENOSPC);
	assert_int_equal(sip_challenge_answer(&c, SIP_REGISTER, "sip:h",
					      long_user, "x", value,
					      sizeof(value), &h),
			 -ENOSPC);
	assert_int_equal(sip_challenge_answer(&c, SIP_UNKNOWN, "sip:h", "101",
					      "x", value, sizeof(value), &h),
			 -EINVAL);
}

/* ---- the choice ---------------------------------------------------------------------- */

static void the_strongest_of_several_headers_is_taken(void **state)
{
	struct digest d;

	assert_int_equal(
		take_answer(401, "WWW-Authenticate: Digest realm=\"p\", "
				 "nonce=\"n1\", algorithm=MD5, qop=\"auth\"\r\n"
				 "WWW-Authenticate: Digest realm=\"p\", "
				 "nonce=\"n2\", algorithm=SHA-256, "
				 "qop=\"auth\"\r\n"
				 "WWW-Authenticate: Digest realm=\"p\", "
				 "nonce=\"n3\", qop=\"auth\"\r\n"),
		0);
	answer();
	read_answer(&d, "secret");
	assert_int_equal(d.alg, DIGEST_SHA256);
	assert_string_equal(d.nonce, "n2");
}

static void several_may_stand_in_one_header(void **state)
{
	struct digest d;

	assert_int_equal(take("Basic realm=\"x\", Digest realm=\"p\", "
			      "nonce=\"n1\", algorithm=MD5, Digest realm=\"q\","
			      " nonce=\"n2\", algorithm=SHA-512-256, "
			      "qop=\"auth\", NTLM, Digest realm=\"r\", "
			      "nonce=\"n3\", algorithm=\"SHA-256\""),
			 0);
	answer();
	read_answer(&d, "secret");
	assert_int_equal(d.alg, DIGEST_SHA512_256);
	assert_string_equal(d.realm, "q");
}

static void of_equals_the_first_is_taken(void **state)
{
	assert_int_equal(take("Digest realm=\"p\", nonce=\"n1\", "
			      "Digest realm=\"q\", nonce=\"n2\""),
			 0);
	assert_string_equal(c.realm, "p");
}

static void auth_is_picked_from_a_list(void **state)
{
	struct digest d;

	assert_int_equal(take("Digest realm=\"p\", nonce=\"n\", "
			      "qop=\"auth-int , AUTH\""),
			 0);
	answer();
	read_answer(&d, "secret");
	assert_string_equal(d.qop, "auth");
}

static void auth_int_is_the_answer_to_who_wants_nothing_else(void **state)
{
	char expected[DIGEST_HEX_MAX + 1];
	struct sip_header h;
	struct digest d;

	assert_int_equal(take("Digest realm=\"p\", nonce=\"n\", "
			      "algorithm=SHA-256, qop=\"auth-int\""),
			 0);
	assert_int_equal(sip_challenge_answer_body(&c, SIP_REGISTER,
						   "sip:pbx.example.org", "101",
						   "secret", STR("hello"),
						   value, sizeof(value), &h),
			 0);
	assert_int_equal(digest_parse(&d, str_of(value + 7)), 0);
	assert_string_equal(d.qop, "auth-int");
	assert_int_equal(digest_body(d.body_hash, d.alg, STR("hello")), 0);
	assert_int_equal(digest_response(expected, &d, "REGISTER", "secret"),
			 0);
	assert_string_equal(d.response, expected);
}

static void what_we_cannot_answer_is_no_challenge(void **state)
{
	static const char *const others[] = {
		"Basic realm=\"x\"",
		"Digest realm=\"p\", nonce=\"n\", algorithm=MD5-sess",
		"Digest realm=\"p\", nonce=\"n\", algorithm=AKAv1-MD5",
		"Digest realm=\"p\", nonce=\"n\", qop=\"auth-conf\"",
		"Digest realm=\"p\", nonce=\"n\", qop=\"\"",
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(take(others[i]), -ENOENT);
	assert_int_equal(take_answer(401, ""), -ENOENT);
	/* Each status has its header. */
	assert_int_equal(take_answer(403, "WWW-Authenticate: Digest "
					  "realm=\"p\", nonce=\"n\"\r\n"),
			 -ENOENT);
	assert_int_equal(take_answer(401, "Proxy-Authenticate: Digest "
					  "realm=\"p\", nonce=\"n\"\r\n"),
			 -ENOENT);
	v.msg = NULL; /* made by the stack */
	assert_int_equal(sip_challenge_take(&c, &v), -ENOENT);
}

static void a_broken_challenge_is_not_kept(void **state)
{
	static const char *const broken[] = {
		"Digest realm=\"p\"",
		"Digest nonce=\"n\"",
		"Digest realm=\"p\", nonce=\"n\", nonce=\"m\"",
		"Digest realm=\"p\", nonce=",
		"Digest realm=\"p\" nonce=\"n\"",
	};
	static char longer[400];

	assert_int_equal(take("Digest realm=\"good\", nonce=\"n\""), 0);
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		assert_int_equal(take(broken[i]), -EINVAL);
	memset(longer, 'a', 300);
	memcpy(longer, "Digest realm=\"p\", nonce=\"", 25);
	strcpy(longer + 300, "\"");
	assert_int_equal(take(longer), -EINVAL);
	memset(longer, 'a', 300);
	memcpy(longer, "Digest nonce=\"n\", realm=\"", 25);
	strcpy(longer + 200, "\"");
	assert_int_equal(take(longer), -EINVAL);
	assert_string_equal(c.realm, "good");
}

static void a_good_one_beside_a_broken_one_is_taken(void **state)
{
	assert_int_equal(take("Digest realm=\"p\", algorithm=SHA-256, "
			      "Digest realm=\"q\", nonce=\"n\""),
			 0);
	assert_string_equal(c.realm, "q");
}

/* ---- the parser ------------------------------------------------------------------------ */

static void challenges_are_read_one_by_one(void **state)
{
	struct str text = str_of(" , Digest realm=a , nonce = \"b\",, "
				 "x=\"y\",Basic realm=\"z\",");
	struct digest_challenge ch;

	assert_int_equal(digest_parse_challenge(&ch, &text), 0);
	assert_true(ch.is_digest);
	assert_string_equal(ch.realm, "a");
	assert_string_equal(ch.nonce, "b");
	assert_false(ch.has_qop);
	assert_int_equal(digest_parse_challenge(&ch, &text), 0);
	assert_false(ch.is_digest);
	assert_int_equal(digest_parse_challenge(&ch, &text), -ENOENT);
}

static void broken_syntax_ends_the_reading(void **state)
{
	static const char *const bad[] = {"=",
					  "Digest=",
					  "Digest a=\"x",
					  "Digest a=\"\\",
					  "Digest a=b c",
					  "Digest\"a\"",
					  "Digest a=\"\x01\""};
	struct digest_challenge ch;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct str text = str_of(bad[i]);
		int err = digest_parse_challenge(&ch, &text);

		while (!err && text.n)
			err = digest_parse_challenge(&ch, &text);
		assert_int_equal(text.n, 0);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, forget, forget)
	const struct CMUnitTest tests[] = {
		TEST(a_challenge_is_answered),
		TEST(a_proxys_challenge_is_answered_to_the_proxy),
		TEST(without_qop_it_is_the_old_formula),
		TEST(sha_512_256_is_computed),
		TEST(each_answer_to_a_nonce_counts),
		TEST(a_stale_nonce_is_told),
		TEST(quotes_and_escapes_survive),
		TEST(an_answer_that_does_not_fit_is_none),
		TEST(the_strongest_of_several_headers_is_taken),
		TEST(several_may_stand_in_one_header),
		TEST(of_equals_the_first_is_taken),
		TEST(auth_is_picked_from_a_list),
		TEST(auth_int_is_the_answer_to_who_wants_nothing_else),
		TEST(what_we_cannot_answer_is_no_challenge),
		TEST(a_broken_challenge_is_not_kept),
		TEST(a_good_one_beside_a_broken_one_is_taken),
		TEST(challenges_are_read_one_by_one),
		TEST(broken_syntax_ends_the_reading),
	};

	return cmocka_run_group_tests(tests, NULL, cleanup);
}
