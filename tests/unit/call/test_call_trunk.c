/*
 * test_call_trunk.c - a trunk's hosts and the next trunk, one after the other
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_rig.h"

static const char with_hosts[] = "config sbc 'global'\n"
				 "	list emergency '112'\n"
				 "config realm 'lan'\n"
				 "config phone '100'\n"
				 "	option password 'secret-a'\n"
				 "config trunk 'itsp'\n"
				 "	option realm 'lan'\n"
				 "	list peer '198.51.100.1 1'\n"
				 "	list peer '198.51.100.2 2'\n"
				 "	option domain 'itsp.example'\n"
				 "	option username 'us'\n"
				 "	option auth_user 'login'\n"
				 "	option password 'word'\n"
				 "config trunk 'backup'\n"
				 "	option realm 'lan'\n"
				 "	option host '198.51.100.6'\n"
				 "	option failover_ms '1000'\n"
				 "config route 'out'\n"
				 "	option match '0.'\n"
				 "	list to 'itsp'\n"
				 "	list to 'backup'\n"
				 "config route 'help'\n"
				 "	option match '112'\n"
				 "	list to 'itsp'\n";

static void use_hosts(struct rig *rig)
{
	struct conf_errors errs = {0};
	struct config *config;

	assert_int_equal(config_parse(&config, "test", STR(with_hosts), &errs),
			 0);
	trunks_set_config(rig->trunks, config);
	calls_set_config(rig->calls, config);
	config_unref(rig->config);
	rig->config = known = config;
}

/* The hosts that were asked, by the last number of their address. */
static const char *asked(void)
{
	static char text[128];
	char host[ADDR_TEXT_MAX];
	struct buf b;

	buf_init(&b, text, sizeof(text));
	for (unsigned i = 0; i < fake.n; i++) {
		if (fake.sent[i].method != SIP_INVITE || fake.sent[i].status)
			continue;
		addr_fmt_host(&fake.sent[i].dialog->conf.flow.remote, host);
		buf_printf(&b, "%s%s", b.n ? " " : "", strrchr(host, '.') + 1);
	}
	return text;
}

static struct sip_txn *last_invite(void)
{
	return fake_request(SIP_INVITE)->txn;
}

/* A 503 of the peer's own that says for how long. */
static void say_busy(struct sip_txn *txn, int64_t retry_after)
{
	fake_response_view(txn, &(struct sip_view){
					.status = 503,
					.to_tag = "peer",
					.expires = -1,
					.retry_after = retry_after,
				});
}

static void a_trunk_is_told_who_we_are(void **state)
{
	struct rig *rig = *state;
	struct sip_dialog *d;

	use_hosts(rig);
	invite(rig, "0301234", OFFER);
	d = fake_request(SIP_INVITE)->dialog;
	assert_string_equal(d->target, "sip:0301234@itsp.example");
	assert_string_equal(d->conf.local_host, "itsp.example");
	assert_string_equal(d->conf.remote_host, "itsp.example");
	assert_string_equal(d->conf.credentials.user, "login");
	assert_string_equal(d->conf.credentials.password, "word");
}

static void a_refused_host_is_followed_by_the_next(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a;

	use_hosts(rig);
	a = invite(rig, "0301234", OFFER);
	fake_no_response(last_invite(), 503); /* ICMP */
	assert_string_equal(asked(), "1 2");
	fake_response(last_invite(), 500, NULL);
	assert_string_equal(asked(), "1 2 6");
	fake_response(last_invite(), 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
}

static void what_the_callee_says_is_final(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a;

	use_hosts(rig);
	a = invite(rig, "0301234", OFFER);
	fake_response(last_invite(), 486, NULL);
	assert_string_equal(asked(), "1");
	assert_int_equal(fake_answer(a)->status, 486);
}

static void silence_goes_on_to_the_next_host_and_trunk(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a;

	use_hosts(rig);
	a = invite(rig, "0301234", OFFER);
	pass(rig, 3250);
	assert_string_equal(asked(), "1");
	pass(rig, 250);
	assert_string_equal(asked(), "1 2");
	pass(rig, 3500);
	assert_string_equal(asked(), "1 2 6");
	fake_response(last_invite(), 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
}

static void a_late_answer_of_a_silent_host_is_ended(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *first;

	use_hosts(rig);
	a = invite(rig, "0301234", OFFER);
	first = last_invite();
	pass(rig, 3500);
	assert_true(first->cancelled);
	fake_response(first, 200, ANSWER);
	assert_int_equal(fake_count(SIP_BYE), 1);
	assert_ptr_equal(fake_request(SIP_BYE)->dialog, first->dialog);
	assert_int_equal(fake_answer(a)->status, 100);
	fake_response(last_invite(), 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
}

static void a_100_is_a_sign_of_life(void **state)
{
	struct rig *rig = *state;

	use_hosts(rig);
	invite(rig, "0301234", OFFER);
	fake_response(last_invite(), 100, NULL);
	pass(rig, SEC(10));
	assert_string_equal(asked(), "1");
}

static void the_last_of_all_is_waited_for(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a;

	use_hosts(rig);
	a = invite(rig, "0301234", OFFER);
	pass(rig, SEC(15));
	assert_string_equal(asked(), "1 2 6");
	assert_false(last_invite()->cancelled);
	fake_response(last_invite(), 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
}

static void who_was_silent_is_not_asked_first_again(void **state)
{
	struct rig *rig = *state;

	use_hosts(rig);
	invite(rig, "0301234", OFFER);
	pass(rig, 7000);
	assert_string_equal(asked(), "1 2 6");
	invite(rig, "0301234", OFFER);
	assert_string_equal(asked(), "1 2 6 6");
}

static void who_is_busy_is_not_asked_before_its_time(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a;

	use_hosts(rig);
	for (int i = 0; i < 2; i++) {
		a = invite(rig, "0301234", OFFER);
		say_busy(last_invite(), i ? -1 : 600);
	}
	/* 1 said for how long, so 2 was asked first; it did not. */
	assert_string_equal(asked(), "1 2 2 6");
	fake_response(last_invite(), 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
}

static void an_answer_that_we_cannot_take_is_one(void **state)
{
	struct rig *rig = *state;
	struct trunk_way way;

	use_hosts(rig);
	for (int i = 0; i < 3; i++) {
		invite(rig, "0301234", OFFER);
		fake_response(last_invite(), 200, "v=0\r\n");
		settle(rig);
	}
	assert_int_equal(trunks_ways(rig->trunks, "itsp", &way, 1), 1);
	assert_int_equal(way.grade, TRUNK_GOOD);
	assert_string_equal(asked(), "1 1 1");
}

static void an_emergency_call_asks_everybody(void **state)
{
	struct rig *rig = *state;

	use_hosts(rig);
	invite(rig, "112", OFFER);
	say_busy(last_invite(), 600);
	say_busy(last_invite(), 600);
	assert_string_equal(asked(), "1 2");
	invite(rig, "112", OFFER);
	say_busy(last_invite(), 600);
	assert_string_equal(asked(), "1 2 1 2");
}

static void nobody_is_asked_once_the_caller_has_gone(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a;

	use_hosts(rig);
	a = invite(rig, "0301234", OFFER);
	fake_event(a, SIP_TXN_CANCEL, NULL);
	pass(rig, SEC(10));
	fake_response(last_invite(), 503, NULL);
	assert_string_equal(asked(), "1");
}

static void a_trunk_without_a_known_host_is_passed_over(void **state)
{
	struct rig *rig = *state;
	struct conf_errors errs = {0};
	struct config *config;

	assert_int_equal(config_parse(&config, "test",
				      STR("config realm 'lan'\n"
					  "config phone '100'\n"
					  "	option password 'secret-a'\n"
					  "config trunk 'itsp'\n"
					  "	option realm 'lan'\n"
					  "	option host 'nobody.example'\n"
					  "config route 'out'\n"
					  "	option match '0.'\n"
					  "	list to 'itsp'\n"),
				      &errs),
			 0);
	trunks_set_config(rig->trunks, config);
	calls_set_config(rig->calls, config);
	config_unref(rig->config);
	rig->config = known = config;
	assert_int_equal(fake_answer(invite(rig, "0301234", OFFER))->status,
			 503);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_trunk_is_told_who_we_are),
		T(a_refused_host_is_followed_by_the_next),
		T(what_the_callee_says_is_final),
		T(silence_goes_on_to_the_next_host_and_trunk),
		T(a_late_answer_of_a_silent_host_is_ended),
		T(a_100_is_a_sign_of_life),
		T(the_last_of_all_is_waited_for),
		T(who_was_silent_is_not_asked_first_again),
		T(who_is_busy_is_not_asked_before_its_time),
		T(an_answer_that_we_cannot_take_is_one),
		T(an_emergency_call_asks_everybody),
		T(nobody_is_asked_once_the_caller_has_gone),
		T(a_trunk_without_a_known_host_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
