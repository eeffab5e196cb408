/*
 * test_auth.c - nonces, counts, verdicts
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each test plays the phone: it computes the response itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sip/digest.h"
#include "sip/stack.h"

static const char config_text[] =
	"config sbc 'global'\n\toption schema '1'\n"
	"config realm 'lan'\n\toption domain 'example.org'\n"
	"\toption digest 'both'\n"
	"config realm 'old'\n\toption domain 'old.example.org'\n"
	"\tlist listen 'udp:5070'\n"
	"config phone 'alice'\n\toption password 'secret1'\n"
	"config phone 'strict'\n\toption password 'secret2'\n"
	"\toption digest 'sha256'\n";

struct rig {
	struct sip_auth *auth;
	struct config *cfg;
	const struct conf_realm *realm;
	struct addr source;
	msg_t *msg;
	struct sip_view view;
	const struct conf_phone *who;
	char nonce[128];
	const char *uri; /* Request-URI; NULL = sip:example.org */
};

struct creds {
	const char *user, *password, *realm, *nonce, *uri, *qop, *alg;
	unsigned nc;
	const char *branch; /* of the request */
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct conf_errors errs = {0};

	assert_non_null(rig);
	clock_freeze(5000000, INT64_C(1800000000000));
	assert_int_equal(sip_auth_create(&rig->auth), 0);
	if (config_parse(&rig->cfg, "test", str_of(config_text), &errs))
		fail_msg("%s", errs.list[0].text);
	conf_errors_clear(&errs);
	rig->realm = config_realm(rig->cfg, "lan");
	assert_non_null(rig->realm);
	assert_int_equal(addr_parse_port(&rig->source, "192.0.2.1:5060"), 0);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	if (rig->msg)
		msg_destroy(rig->msg);
	config_unref(rig->cfg);
	sip_auth_destroy(rig->auth);
	clock_thaw();
	free(rig);
	return 0;
}

/* Read a REGISTER with this Authorization header into rig->view. */
static void receive(struct rig *rig, const char *branch, const char *auth)
{
	char text[4096];
	int n = snprintf(text, sizeof(text),
			 "REGISTER %s SIP/2.0\r\n"
			 "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%s\r\n"
			 "From: <sip:alice@example.org>;tag=1\r\n"
			 "To: <sip:alice@example.org>\r\nCall-ID: c1\r\n"
			 "CSeq: 1 REGISTER\r\n%s%s%sContent-Length: 0\r\n\r\n",
			 rig->uri ? rig->uri : "sip:example.org", branch,
			 auth ? "Authorization: " : "", auth ? auth : "",
			 auth ? "\r\n" : "");

	if (rig->msg)
		msg_destroy(rig->msg);
	rig->msg = msg_make(sip_default_mclass(), 0, text, n);
	assert_non_null(rig->msg);
	assert_int_equal(view_fill(&rig->view, msg_home(rig->msg), rig->msg,
				   sip_object(rig->msg)),
			 0);
	rig->view.flow.remote = rig->source;
}

static void get_nonce(struct rig *rig)
{
	struct sip_challenge c;
	const char *p;

	receive(rig, "n", NULL);
	sip_auth_challenge(rig->auth, &rig->view, rig->realm, false, &c);
	p = strstr(c.text[0], "nonce=\"");
	assert_non_null(p);
	snprintf(rig->nonce, sizeof(rig->nonce), "%.*s",
		 (int)strcspn(p + 7, "\""), p + 7);
}

static enum sip_auth_verdict try(struct rig *rig, struct creds c)
{
	char params[2048], header[2200], response[DIGEST_HEX_MAX + 1];
	struct digest d;

	snprintf(params, sizeof(params),
		 "username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", "
		 "algorithm=%s, cnonce=\"xyz\", nc=%08x%s%s, response=\"0\"",
		 c.user ? c.user : "alice", c.realm ? c.realm : "example.org",
		 c.nonce ? c.nonce : rig->nonce,
		 c.uri ? c.uri : "sip:example.org", c.alg ? c.alg : "MD5",
		 c.nc ? c.nc : 1,
		 c.qop && !*c.qop ? "" : ", qop=", c.qop ? c.qop : "auth");
	assert_int_equal(digest_parse(&d, str_of(params)), 0);
	assert_int_equal(digest_response(response, &d, "REGISTER",
					 c.password ? c.password : "secret1"),
			 0);
	snprintf(header, sizeof(header), "Digest %.*sresponse=\"%s\"",
		 (int)(strstr(params, "response=") - params), params, response);
	receive(rig, c.branch ? c.branch : "b1", header);
	rig->who = NULL;
	return sip_auth_check(rig->auth, &rig->view, rig->cfg, rig->realm,
			      &rig->who);
}

#define TRY(...) try(rig, (struct creds){__VA_ARGS__})

static void the_right_password_is_let_in(void **state)
{
	struct rig *rig = *state;

	get_nonce(rig);
	assert_int_equal(TRY(.nc = 1), SIP_AUTH_OK);
	assert_non_null(rig->who);
	assert_string_equal(rig->who->user, "alice");
}

static void sha256_is_as_good(void **state)
{
	struct rig *rig = *state;

	get_nonce(rig);
	assert_int_equal(TRY(.alg = "SHA-256"), SIP_AUTH_OK);
}

static void without_credentials_for_us_there_are_none(void **state)
{
	struct rig *rig = *state;

	get_nonce(rig);
	receive(rig, "b1", NULL);
	assert_int_equal(sip_auth_check(rig->auth, &rig->view, rig->cfg,
					rig->realm, &rig->who),
			 SIP_AUTH_NONE);
	receive(rig, "b1", "Basic YTpi");
	assert_int_equal(sip_auth_check(rig->auth, &rig->view, rig->cfg,
					rig->realm, &rig->who),
			 SIP_AUTH_NONE);
	assert_int_equal(TRY(.realm = "elsewhere"), SIP_AUTH_NONE);
}

static void wrong_things_are_wrong(void **state)
{
	struct rig *rig = *state;

	get_nonce(rig);
	assert_int_equal(TRY(.password = "guess"), SIP_AUTH_WRONG);
	assert_int_equal(TRY(.user = "nobody"), SIP_AUTH_WRONG);
	assert_int_equal(TRY(.user = "Alice"), SIP_AUTH_WRONG);
	assert_int_equal(TRY(.qop = ""), SIP_AUTH_WRONG);
	assert_int_equal(TRY(.qop = "auth-int"), SIP_AUTH_WRONG);
	assert_int_equal(TRY(.alg = "SHA-512-256"), SIP_AUTH_WRONG);
	assert_int_equal(TRY(.uri = "sip:other.org"), SIP_AUTH_WRONG);
	assert_int_equal(TRY(.uri = "sip:a@example.org"), SIP_AUTH_WRONG);
	assert_int_equal(TRY(.uri = "tel:example.org"), SIP_AUTH_WRONG);
	assert_int_equal(TRY(.uri = "example.org"), SIP_AUTH_WRONG);
	assert_null(rig->who);
	receive(rig, "b1", "Digest username=\"alice");
	assert_int_not_equal(sip_auth_check(rig->auth, &rig->view, rig->cfg,
					    rig->realm, &rig->who),
			     SIP_AUTH_OK);
	/* None of this used the count up. */
	assert_int_equal(TRY(.nc = 1), SIP_AUTH_OK);
}

static void port_and_parameters_of_the_uri_do_not_matter(void **state)
{
	struct rig *rig = *state;

	get_nonce(rig);
	assert_int_equal(TRY(.uri = "sip:EXAMPLE.org:5060;transport=udp"),
			 SIP_AUTH_OK);
}

static void a_phone_may_insist_on_sha256(void **state)
{
	struct rig *rig = *state;

	get_nonce(rig);
	assert_int_equal(TRY(.user = "strict", .password = "secret2"),
			 SIP_AUTH_WRONG);
	assert_int_equal(
		TRY(.user = "strict", .password = "secret2", .alg = "SHA-256"),
		SIP_AUTH_OK);
}

static void a_nonce_lives_sixty_seconds(void **state)
{
	struct rig *rig = *state;

	get_nonce(rig);
	clock_advance(59999);
	assert_int_equal(TRY(.nc = 1), SIP_AUTH_OK);
	clock_advance(1);
	assert_int_equal(TRY(.nc = 2), SIP_AUTH_STALE);
	assert_int_equal(TRY(.nc = 2, .password = "guess"), SIP_AUTH_WRONG);
}

static void a_nonce_is_for_one_address(void **state)
{
	struct rig *rig = *state;

	get_nonce(rig);
	assert_int_equal(addr_parse_port(&rig->source, "192.0.2.1:9999"), 0);
	assert_int_equal(TRY(.nc = 1), SIP_AUTH_OK);
	assert_int_equal(addr_parse_port(&rig->source, "192.0.2.2:5060"), 0);
	assert_int_equal(TRY(.nc = 2), SIP_AUTH_STALE);
}

static void a_nonce_is_for_one_realm(void **state)
{
	struct rig *rig = *state;

	get_nonce(rig);
	rig->realm = config_realm(rig->cfg, "old");
	assert_non_null(rig->realm);
	assert_int_equal(TRY(.realm = "old.example.org"), SIP_AUTH_STALE);
}

static void a_nonce_cannot_be_made_up_or_changed(void **state)
{
	struct rig *rig = *state;
	char changed[128];

	get_nonce(rig);
	assert_int_equal(TRY(.nonce = "0123456789"), SIP_AUTH_STALE);
	for (size_t i = 0; i < strlen(rig->nonce); i++) {
		snprintf(changed, sizeof(changed), "%s", rig->nonce);
		changed[i] = changed[i] == '0' ? '1' : '0';
		assert_int_equal(TRY(.nonce = changed), SIP_AUTH_STALE);
	}
	assert_int_equal(TRY(.nc = 1), SIP_AUTH_OK);
}

static void nonces_do_not_repeat(void **state)
{
	struct rig *rig = *state;
	char first[128];

	get_nonce(rig);
	snprintf(first, sizeof(first), "%s", rig->nonce);
	get_nonce(rig);
	assert_string_not_equal(first, rig->nonce);
}

static void a_count_is_good_once(void **state)
{
	struct rig *rig = *state;

	get_nonce(rig);
	assert_int_equal(TRY(.nc = 2), SIP_AUTH_OK);
	assert_int_equal(TRY(.nc = 2, .branch = "b2"), SIP_AUTH_REPLAY);
	assert_int_equal(TRY(.nc = 1, .branch = "b3"), SIP_AUTH_REPLAY);
	assert_int_equal(TRY(.nc = 3, .branch = "b4"), SIP_AUTH_OK);
}

static void the_same_request_again_is_let_in_again(void **state)
{
	struct rig *rig = *state;

	get_nonce(rig);
	assert_int_equal(TRY(.nc = 1, .branch = "b1"), SIP_AUTH_OK);
	assert_int_equal(TRY(.nc = 1, .branch = "b1"), SIP_AUTH_OK);
	assert_int_equal(TRY(.nc = 1, .branch = "b2"), SIP_AUTH_REPLAY);
	assert_int_equal(TRY(.nc = 1, .branch = "b1"), SIP_AUTH_OK);
}

static void two_users_count_apart(void **state)
{
	struct rig *rig = *state;

	get_nonce(rig);
	assert_int_equal(TRY(.nc = 1), SIP_AUTH_OK);
	assert_int_equal(TRY(.nc = 1, .user = "strict", .password = "secret2",
			     .alg = "SHA-256", .branch = "b2"),
			 SIP_AUTH_OK);
}

/* The table is bounded: when it is full, old nonces get stale, but a used
 * count is never taken twice. */
static void many_logins_never_allow_a_replay(void **state)
{
	struct rig *rig = *state;
	char first[128];

	get_nonce(rig);
	snprintf(first, sizeof(first), "%s", rig->nonce);
	assert_int_equal(TRY(.nc = 1, .branch = "first"), SIP_AUTH_OK);
	for (int i = 0; i < 17000; i++) {
		if (i % 1000 == 0)
			clock_advance(1);
		get_nonce(rig);
		assert_int_equal(TRY(.nc = 1), SIP_AUTH_OK);
	}
	assert_int_equal(TRY(.nonce = first, .nc = 1, .branch = "other"),
			 SIP_AUTH_STALE);
}

static void the_challenge_is_that_of_the_realm(void **state)
{
	struct rig *rig = *state;
	struct sip_challenge c;

	receive(rig, "n", NULL);
	sip_auth_challenge(rig->auth, &rig->view, rig->realm, false, &c);
	assert_int_equal(c.n, 2);
	assert_string_equal(c.headers[0].name, "WWW-Authenticate");
	assert_non_null(strstr(c.headers[0].value, "algorithm=SHA-256"));
	assert_non_null(strstr(c.headers[1].value, "algorithm=MD5"));
	assert_non_null(strstr(c.headers[1].value, "realm=\"example.org\""));
	assert_non_null(strstr(c.headers[1].value, "qop=\"auth\""));
	assert_null(strstr(c.headers[1].value, "stale"));
	rig->realm = config_realm(rig->cfg, "old");
	sip_auth_challenge(rig->auth, &rig->view, rig->realm, true, &c);
	assert_int_equal(c.n, 1);
	assert_non_null(strstr(c.headers[0].value, "algorithm=MD5"));
	assert_non_null(strstr(c.headers[0].value, "stale=true"));
}

static void escapes_in_the_digest_uri_mean_what_they_stand_for(void **state)
{
	struct rig *rig = *state;

	get_nonce(rig);
	rig->uri = "sip:*21%23@example.org";
	assert_int_equal(TRY(.uri = "sip:*21%23@example.org"), SIP_AUTH_OK);
	assert_int_equal(
		TRY(.uri = "sip:*21#@example.org", .nc = 2, .branch = "b2"),
		SIP_AUTH_OK);
	assert_int_equal(
		TRY(.uri = "sip:%2a21%23@example.org", .nc = 3, .branch = "b3"),
		SIP_AUTH_OK);
	assert_int_equal(
		TRY(.uri = "sip:*21%@example.org", .nc = 4, .branch = "b4"),
		SIP_AUTH_WRONG);
	assert_int_equal(
		TRY(.uri = "sip:*21@example.org", .nc = 5, .branch = "b5"),
		SIP_AUTH_WRONG);
}

static void a_tel_uri_in_the_digest_is_that_of_the_request(void **state)
{
	struct rig *rig = *state;

	get_nonce(rig);
	rig->uri = "tel:+49-30;isub=1";
	assert_int_equal(TRY(.uri = "tel:+49-30;isub=1"), SIP_AUTH_OK);
	assert_int_equal(TRY(.uri = "tel:+49-31", .nc = 2, .branch = "b2"),
			 SIP_AUTH_WRONG);
	assert_int_equal(
		TRY(.uri = "sip:+49-30@example.org", .nc = 3, .branch = "b3"),
		SIP_AUTH_WRONG);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_right_password_is_let_in),
		TEST(sha256_is_as_good),
		TEST(without_credentials_for_us_there_are_none),
		TEST(wrong_things_are_wrong),
		TEST(port_and_parameters_of_the_uri_do_not_matter),
		TEST(escapes_in_the_digest_uri_mean_what_they_stand_for),
		TEST(a_tel_uri_in_the_digest_is_that_of_the_request),
		TEST(a_phone_may_insist_on_sha256),
		TEST(a_nonce_lives_sixty_seconds),
		TEST(a_nonce_is_for_one_address),
		TEST(a_nonce_is_for_one_realm),
		TEST(a_nonce_cannot_be_made_up_or_changed),
		TEST(nonces_do_not_repeat),
		TEST(a_count_is_good_once),
		TEST(the_same_request_again_is_let_in_again),
		TEST(two_users_count_apart),
		TEST(many_logins_never_allow_a_replay),
		TEST(the_challenge_is_that_of_the_realm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
