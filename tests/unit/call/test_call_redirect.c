/*
 * test_call_redirect.c - targets that name others with a 3xx
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_rig.h"

static struct sip_contact contacts[8];

/* @txn is answered with 302 and @n contacts. */
static void redirect(struct sip_txn *txn, int status, unsigned n)
{
	struct sip_view view = {
		.status = status,
		.to_tag = "peer",
		.flow = txn->dialog->conf.flow,
		.contacts = contacts,
		.n_contacts = n,
		.expires = -1,
		.retry_after = -1,
	};

	fake_response_view(txn, &view);
}

static void name(unsigned i, const char *uri, unsigned q)
{
	contacts[i] = (struct sip_contact){.uri = uri, .q = q};
}

static struct sip_txn *last_invite(void)
{
	return fake_request(SIP_INVITE)->txn;
}

static void a_contact_is_asked_instead(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER), *b = last_invite();

	name(0, "sip:0123@sbc", 1000);
	redirect(b, 302, 1);
	assert_ptr_not_equal(last_invite(), b);
	assert_non_null(strstr(last_invite()->dialog->target, "sip:0123@"));
	fake_response(last_invite(), 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
}

static void the_dearest_is_asked_first(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	name(0, "<sip:0111@sbc>", 200);
	name(1, "sip:0122@sbc", 900);
	name(2, "sip:0133@sbc", 900);
	redirect(last_invite(), 300, 3);
	assert_non_null(strstr(last_invite()->dialog->target, "sip:0122@"));
	fake_response(last_invite(), 486, NULL);
	assert_non_null(strstr(last_invite()->dialog->target, "sip:0133@"));
	fake_response(last_invite(), 486, NULL);
	assert_non_null(strstr(last_invite()->dialog->target, "sip:0111@"));
	fake_response(last_invite(), 486, NULL);
	assert_int_equal(fake_answer(a)->status, 486);
}

static void a_foreign_host_is_never_called(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER), *b = last_invite();

	name(0, "sip:777@evil.test", 1000);
	name(1, "sip:evil.test", 1000);
	redirect(b, 302, 2);
	assert_ptr_equal(last_invite(), b);
	assert_int_equal(fake_answer(a)->status, 404);
}

static void what_names_nobody_is_480(void **state)
{
	static const int statuses[] = {302, 305, 380};
	struct rig *rig = *state;

	name(0, "sip:0123@sbc", 1000);
	for (int i = 0; i < 3; i++) {
		struct sip_txn *a = invite(rig, "101", OFFER);

		redirect(last_invite(), statuses[i], i ? 1 : 0);
		assert_int_equal(fake_answer(a)->status, 480);
		settle(rig);
	}
}

static void a_loop_ends(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);
	unsigned n;

	name(0, "sip:101@sbc", 1000);
	for (n = 1; fake_answer(a)->status < 300 && n < 50; n++)
		redirect(last_invite(), 302, 1);
	assert_int_equal(fake_answer(a)->status, 480);
	assert_in_range(n, 3, 8);
	assert_int_equal(fake_count(SIP_INVITE), n - 1);
}

static void a_global_failure_ends_the_search(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	name(0, "sip:0111@sbc", 1000);
	name(1, "sip:0122@sbc", 1000);
	redirect(last_invite(), 302, 2);
	fake_response(last_invite(), 603, NULL);
	assert_non_null(strstr(last_invite()->dialog->target, "sip:0111@"));
	assert_int_equal(fake_answer(a)->status, 603);
}

static void who_cancels_is_not_sent_elsewhere(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER), *b = last_invite();

	fake_event(a, SIP_TXN_CANCEL, NULL);
	name(0, "sip:0123@sbc", 1000);
	redirect(b, 302, 1);
	assert_ptr_equal(last_invite(), b);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 0);
}

/* Numbers that begin with 0 go to another trunk now. */
static void reload(struct rig *rig)
{
	static const char text[] = "config sbc 'global'\n"
				   "	option schema '1'\n"
				   "config realm 'lan'\n"
				   "config phone '100'\n"
				   "	option password 'secret-a'\n"
				   "config phone '101'\n"
				   "	option password 'secret-b'\n"
				   "config trunk 'backup'\n"
				   "	option realm 'lan'\n"
				   "	option host '198.51.100.6'\n"
				   "config route 'out'\n"
				   "	option match '0.'\n"
				   "	list to 'backup'\n";
	struct conf_errors errs = {0};
	struct config *config;

	assert_int_equal(config_parse(&config, "test", STR(text), &errs), 0);
	calls_set_config(rig->calls, config);
	config_unref(config); /* the calls have it alone */
}

static void a_call_goes_on_by_the_routes_that_it_began_with(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);
	char host[ADDR_TEXT_MAX];

	reload(rig);
	name(0, "sip:0123@sbc", 1000);
	redirect(last_invite(), 302, 1);
	assert_string_equal(
		addr_fmt_host(&last_invite()->dialog->conf.flow.remote, host),
		"198.51.100.5");
	reload(rig); /* what the first one brought is freed */
	fake_response(last_invite(), 503, NULL);
	assert_string_equal(
		addr_fmt_host(&last_invite()->dialog->conf.flow.remote, host),
		"198.51.100.6");
	fake_response(last_invite(), 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_contact_is_asked_instead),
		T(the_dearest_is_asked_first),
		T(a_foreign_host_is_never_called),
		T(what_names_nobody_is_480),
		T(a_loop_ends),
		T(a_global_failure_ends_the_search),
		T(who_cancels_is_not_sent_elsewhere),
		T(a_call_goes_on_by_the_routes_that_it_began_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
