/*
 * test_trunk_register.c - our binding at a provider
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "trunk_rig.h"

#define REG_AS(user, interval)                                                 \
	HEAD "config trunk 'itsp'\n"                                           \
	     "	option realm 'wan'\n"                                           \
	     "	option options_interval '" interval "'\n"                      \
	     "	option register '1'\n"                                          \
	     "	option username '" user "'\n"                                  \
	     "	option domain 'itsp.example'\n"                                 \
	     "	option password 'secret'\n"
#define REG REG_AS("us", "0")
#define ONE REG "	option host '192.0.2.1'\n"
#define TWO                                                                    \
	REG "	list peer '192.0.2.1 10'\n"                                      \
	    "	list peer '192.0.2.2 20'\n"

/* Its first REGISTER is under way. */
static void start(struct rig *rig, const char *text)
{
	use(rig, text);
	pass(rig, 600);
	assert_int_equal(fake_count(SIP_REGISTER), 1);
}

static void registered(struct rig *rig, const char *text, unsigned expires_s)
{
	start(rig, text);
	grant(expires_s, "198.51.100.7:40000");
	assert_string_equal(state_of(rig), "up");
	fake_forget();
}

/* How long it takes until the next REGISTER is under way. */
static int64_t next_register(struct rig *rig)
{
	mono_ms since = clock_mono();

	while (!registering() && clock_mono() - since < SEC(4000))
		pass(rig, 100);
	assert_non_null(registering());
	return clock_mono() - since;
}

static void it_says_who_we_are(void **state)
{
	struct fake_message *m;

	start(*state, ONE);
	m = registering();
	assert_string_equal(m->target, "sip:itsp.example");
	assert_string_equal(m->from_user, "us");
	assert_string_equal(m->from_host, "itsp.example");
	assert_string_equal(m->to_user, "us");
	assert_string_equal(m->contact,
			    "<sip:us@203.0.113.10:5060>;expires=3600");
	assert_string_equal(m->auth_user, "us");
	assert_string_equal(m->password, "secret");
	assert_non_null(strstr(m->headers, "Expires: 3600\n"));
}

static void a_granted_one_is_held_and_shown(void **state)
{
	struct rig *rig = *state;

	start(rig, ONE);
	assert_string_equal(state_of(rig), "unknown");
	grant(600, NULL);
	assert_string_equal(state_of(rig), "up");
	assert_int_equal(looked.registered_until, clock_wall() + SEC(600));
}

static void it_is_refreshed_between_half_and_nine_tenths(void **state)
{
	struct rig *rig = *state;

	registered(rig, ONE, 1000);
	assert_in_range(next_register(rig), SEC(500), SEC(900) + 100);
}

static void the_refresh_is_the_same_dialog_with_a_higher_number(void **state)
{
	struct rig *rig = *state;
	struct fake_message first;

	start(rig, ONE);
	first = *registering();
	grant(600, NULL);
	next_register(rig);
	assert_string_equal(registering()->call_id, first.call_id);
	assert_string_equal(registering()->from_tag, first.from_tag);
	assert_true(registering()->cseq > first.cseq + 2);
}

static void a_short_one_is_refreshed_in_time(void **state)
{
	struct rig *rig = *state;

	registered(rig, ONE, 60);
	assert_in_range(next_register(rig), SEC(29), SEC(30) + 100);
}

static void the_time_counts_that_the_provider_gives(void **state)
{
	struct sip_contact contacts[] = {
		{.uri = "sip:us@192.168.7.7:5060", .expires = 3600},
		{.uri = "sip:us@203.0.113.10:5060;ob", .expires = 120},
	};
	struct sip_view view = {.status = 200,
				.contacts = contacts,
				.n_contacts = 2,
				.expires = 1800,
				.retry_after = -1};
	struct rig *rig = *state;

	start(rig, ONE);
	fake_response_view(registering()->txn, &view);
	assert_int_equal(look(rig)->registered_until, clock_wall() + SEC(120));
}

static void a_provider_that_names_no_contact_is_believed(void **state)
{
	struct sip_view view = {
		.status = 200, .expires = 300, .retry_after = -1};
	struct rig *rig = *state;

	start(rig, ONE);
	fake_response_view(registering()->txn, &view);
	assert_int_equal(look(rig)->registered_until, clock_wall() + SEC(300));
}

static void too_short_is_asked_again_as_long_as_wanted(void **state)
{
	static const struct sip_header headers[] = {{"Min-Expires", "7200"},
						    {0}};
	struct rig *rig = *state;

	start(rig, ONE);
	fake.headers = headers;
	refuse(423);
	pass(rig, 100);
	assert_int_equal(fake_count(SIP_REGISTER), 2);
	assert_non_null(strstr(registering()->contact, "expires=7200"));
}

static void who_never_has_enough_is_not_asked_for_ever(void **state)
{
	static const struct sip_header headers[] = {{"Min-Expires", "7200"},
						    {0}};
	struct rig *rig = *state;

	start(rig, ONE);
	fake.headers = headers;
	for (int i = 0; i < 10 && registering(); i++) {
		refuse(423);
		pass(rig, 100);
	}
	assert_int_equal(fake_count(SIP_REGISTER), 3);
	assert_string_equal(state_of(rig), "unregistered");
}

static void a_wrong_password_is_said_and_tried_rarely(void **state)
{
	struct rig *rig = *state;

	start(rig, ONE);
	refuse(401);
	assert_string_equal(state_of(rig), "unregistered");
	assert_non_null(strstr(looked.reason, "password"));
	assert_non_null(strstr(looked.reason, "us"));
	assert_true(is_raised("trunk-unregistered"));
	assert_false(is_raised("trunk-down"));
	assert_in_range(next_register(rig), SEC(150), SEC(300) + 100);
}

static void a_registration_ends_the_alarm(void **state)
{
	struct rig *rig = *state;

	start(rig, ONE);
	refuse(403);
	assert_true(is_raised("trunk-unregistered"));
	next_register(rig);
	grant(3600, NULL);
	assert_false(is_raised("trunk-unregistered"));
	assert_string_equal(look(rig)->reason, "");
}

static void a_new_password_is_tried_at_once(void **state)
{
	struct rig *rig = *state;

	start(rig, ONE);
	refuse(401);
	reload(rig, ONE "	option auth_user 'them'\n");
	pass(rig, 100);
	assert_int_equal(fake_count(SIP_REGISTER), 2);
	assert_string_equal(registering()->auth_user, "them");
}

static void the_first_failure_goes_to_the_next_host_right_away(void **state)
{
	char text[ADDR_TEXT_MAX];
	struct rig *rig = *state;

	start(rig, TWO);
	assert_string_equal(addr_fmt(&registering()->flow.remote, text),
			    "192.0.2.1:5060");
	refuse(500);
	pass(rig, SEC(1) + 100);
	assert_int_equal(fake_count(SIP_REGISTER), 2);
	assert_string_equal(addr_fmt(&registering()->flow.remote, text),
			    "192.0.2.2:5060");
}

static void silence_is_noticed_in_five_seconds(void **state)
{
	struct rig *rig = *state;

	start(rig, TWO);
	pass(rig, SEC(6));
	assert_int_equal(fake_count(SIP_REGISTER), 2);
	assert_string_equal(ways_now(rig), "192.0.2.2:5060 (192.0.2.1:5060)");
}

static void failures_wait_ever_longer(void **state)
{
	static const int64_t longest[] = {30, 60, 120, 240, 480, 960, 1800};
	struct rig *rig = *state;

	start(rig, ONE);
	for (unsigned i = 0; i < sizeof(longest) / sizeof(*longest); i++) {
		refuse(500);
		assert_in_range(next_register(rig), longest[i] * 500,
				longest[i] * 1000 + 100);
	}
}

static void a_time_to_come_back_is_kept_to(void **state)
{
	struct sip_view view = {
		.status = 500, .expires = -1, .retry_after = 100};
	struct rig *rig = *state;

	start(rig, ONE);
	fake_response_view(registering()->txn, &view);
	assert_in_range(next_register(rig), SEC(100), SEC(100) + 100);
}

static void a_host_that_is_back_is_asked_at_once(void **state)
{
	struct rig *rig = *state;

	start(rig, ONE);
	fake_no_response(registering()->txn, 503);
	fake_forget();
	report(rig, 0, TRUNK_ANSWERED, 486, -1);
	pass(rig, 600);
	assert_non_null(registering());
}

/* It may have been restarted. */
static void a_host_that_was_away_is_told_again(void **state)
{
	struct rig *rig = *state;

	registered(rig, ONE, 3600);
	report(rig, 0, TRUNK_REFUSED, 0, -1);
	report(rig, 0, TRUNK_ANSWERED, 486, -1);
	pass(rig, 600);
	assert_null(registering()); /* one refusal is no absence */
	report(rig, 0, TRUNK_SILENT, 0, -1);
	pass(rig, 600);
	assert_null(registering());
	report(rig, 0, TRUNK_ANSWERED, 486, -1);
	pass(rig, 600);
	assert_non_null(registering());
}

static void what_is_held_lasts_while_refreshes_fail(void **state)
{
	struct rig *rig = *state;

	registered(rig, ONE, 600);
	for (int i = 0; i < 5980; i++) {
		pass(rig, 100);
		if (registering())
			refuse(500);
	}
	assert_true(fake_count(SIP_REGISTER) > 0);
	assert_string_equal(state_of(rig), "up");
	pass(rig, SEC(3));
	assert_string_equal(state_of(rig), "unregistered");
	assert_int_equal(looked.registered_until, 0);
}

static void a_provider_that_treats_us_as_a_stranger_is_told_again(void **state)
{
	struct rig *rig = *state;

	registered(rig, ONE, 3600);
	report(rig, 0, TRUNK_ANSWERED, 403, -1);
	pass(rig, 100);
	assert_null(registering()); /* it has only just been told */
	pass(rig, SEC(60));
	report(rig, 0, TRUNK_ANSWERED, 403, -1);
	pass(rig, 100);
	assert_non_null(registering());
}

static void the_nat_between_is_kept_open(void **state)
{
	struct rig *rig = *state;

	registered(rig, ONE, 3600);
	pass(rig, SEC(31));
	assert_int_equal(fake.n_pings, 1);
	assert_int_equal(fake_last_ping()->token, 0);
	pass(rig, SEC(300));
	assert_in_range(fake.n_pings, 10, 13);
}

static void a_closed_connection_is_made_again(void **state)
{
	struct sip_contact contact = {
		.uri = "sip:us@203.0.113.10:5060;transport=tcp",
		.expires = 3600};
	struct sip_view view = {.status = 200,
				.contacts = &contact,
				.n_contacts = 1,
				.expires = -1,
				.retry_after = -1};
	struct rig *rig = *state;

	start(rig, "config realm 'wan'\n\tlist listen 'tcp:5060'\n"
		   "config trunk 'itsp'\n"
		   "	option realm 'wan'\n"
		   "	option host '192.0.2.1'\n"
		   "	option transport 'tcp'\n"
		   "	option options_interval '0'\n"
		   "	option register '1'\n"
		   "	option username 'us'\n"
		   "	option password 'secret'\n");
	view.flow = registering()->flow;
	view.flow.conn = 7;
	fake_response_view(registering()->txn, &view);
	fake_forget();
	pass(rig, SEC(20));
	assert_null(registering());
	fake.dead_flow = view.flow;
	pass(rig, SEC(6));
	assert_non_null(registering());
}

/* The OPTIONS that waits is answered: it came from @seen. */
static void answer_options_seen(const char *seen)
{
	struct sip_view view = {.status = 200, .retry_after = -1};

	addr_parse_port(&view.reply_source, seen);
	fake_response_view(fake_request(SIP_OPTIONS)->txn, &view);
}

static void another_public_address_is_told(void **state)
{
	struct rig *rig = *state;

	start(rig, REG_AS("us", "100") "	option host '192.0.2.1'\n");
	grant(3600, "198.51.100.7:40000");
	pass(rig, SEC(1));
	answer_options_seen("198.51.100.7:40000");
	pass(rig, SEC(100));
	assert_null(registering());
	answer_options_seen("198.51.100.8:40000");
	pass(rig, 100);
	assert_non_null(registering());
}

static void another_address_of_ours_replaces_the_contact(void **state)
{
	struct rig *rig = *state;

	registered(rig, ONE, 3600);
	trunks_listeners_changed(rig->trunks);
	pass(rig, 100);
	assert_null(registering());
	fake.local = "203.0.113.20:5060";
	trunks_listeners_changed(rig->trunks);
	pass(rig, 100);
	assert_string_equal(registering()->contact,
			    "<sip:us@203.0.113.10:5060>;expires=0, "
			    "<sip:us@203.0.113.20:5060>;expires=3600");
}

static void the_route_of_a_provider_is_kept(void **state)
{
	static const struct sip_header headers[] = {
		{"Service-Route", "<sip:edge.itsp.example;lr>"}, {0}};
	struct rig *rig = *state;

	start(rig, ONE);
	assert_null(trunks_service_route(rig->trunks, "itsp"));
	fake.headers = headers;
	grant(3600, NULL);
	assert_string_equal(trunks_service_route(rig->trunks, "itsp"),
			    "<sip:edge.itsp.example;lr>");
}

/* ---- taking leave ------------------------------------------------------------------- */

static void at_the_end_leave_is_taken(void **state)
{
	struct rig *rig = *state;

	registered(rig, ONE, 3600);
	trunks_stop(rig->trunks);
	assert_true(trunks_busy(rig->trunks));
	assert_string_equal(registering()->contact,
			    "<sip:us@203.0.113.10:5060>;expires=0");
	fake_response(registering()->txn, 200, NULL);
	assert_false(trunks_busy(rig->trunks));
}

static void nobody_waits_long_for_a_farewell(void **state)
{
	struct rig *rig = *state;

	registered(rig, ONE, 3600);
	trunks_stop(rig->trunks);
	pass(rig, SEC(2));
	assert_false(trunks_busy(rig->trunks));
}

static void who_was_never_there_does_not_take_leave(void **state)
{
	struct rig *rig = *state;

	use(rig, ONE);
	trunks_stop(rig->trunks);
	assert_false(trunks_busy(rig->trunks));
	pass(rig, SEC(100));
	assert_int_equal(fake.n, 0);
}

static void a_section_that_goes_takes_leave(void **state)
{
	struct rig *rig = *state;
	struct trunk_look l;

	registered(rig, ONE, 3600);
	reload(rig, HEAD);
	assert_int_equal(trunks_look(rig->trunks, "itsp", &l), -ENOENT);
	assert_string_equal(registering()->contact,
			    "<sip:us@203.0.113.10:5060>;expires=0");
	assert_string_equal(registering()->password, "secret");
	fake_response(registering()->txn, 200, NULL);
	pass(rig, 100);
	assert_false(trunks_busy(rig->trunks));
}

static void another_account_takes_leave_of_the_first(void **state)
{
	struct rig *rig = *state;

	registered(rig, ONE, 3600);
	reload(rig, REG_AS("other", "0") "	option host '192.0.2.1'\n");
	assert_string_equal(fake.sent[0].to_user, "us");
	assert_non_null(strstr(fake.sent[0].contact, "expires=0"));
	pass(rig, 600);
	assert_string_equal(registering()->to_user, "other");
}

static void what_is_as_it_was_stays_as_it_is(void **state)
{
	struct rig *rig = *state;

	registered(rig, TWO, 3600);
	report(rig, 0, TRUNK_SILENT, 0, -1);
	reload(rig, TWO "config realm 'lan'\n\tlist listen 'udp:5070'\n");
	pass(rig, SEC(1));
	assert_string_equal(state_of(rig), "up");
	assert_int_equal(fake_count(SIP_REGISTER), 0);
	assert_string_equal(ways_now(rig), "192.0.2.2:5060 (192.0.2.1:5060)");
}

static void another_host_of_the_same_account_takes_no_leave(void **state)
{
	struct rig *rig = *state;

	registered(rig, ONE, 3600);
	reload(rig, REG "	option host '192.0.2.9'\n");
	assert_int_equal(fake_count(SIP_REGISTER), 0);
	assert_string_equal(ways_now(rig), "192.0.2.9:5060");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(it_says_who_we_are),
		T(a_granted_one_is_held_and_shown),
		T(it_is_refreshed_between_half_and_nine_tenths),
		T(the_refresh_is_the_same_dialog_with_a_higher_number),
		T(a_short_one_is_refreshed_in_time),
		T(the_time_counts_that_the_provider_gives),
		T(a_provider_that_names_no_contact_is_believed),
		T(too_short_is_asked_again_as_long_as_wanted),
		T(who_never_has_enough_is_not_asked_for_ever),
		T(a_wrong_password_is_said_and_tried_rarely),
		T(a_registration_ends_the_alarm),
		T(a_new_password_is_tried_at_once),
		T(the_first_failure_goes_to_the_next_host_right_away),
		T(silence_is_noticed_in_five_seconds),
		T(failures_wait_ever_longer),
		T(a_time_to_come_back_is_kept_to),
		T(a_host_that_is_back_is_asked_at_once),
		T(a_host_that_was_away_is_told_again),
		T(what_is_held_lasts_while_refreshes_fail),
		T(a_provider_that_treats_us_as_a_stranger_is_told_again),
		T(the_nat_between_is_kept_open),
		T(a_closed_connection_is_made_again),
		T(another_public_address_is_told),
		T(another_address_of_ours_replaces_the_contact),
		T(the_route_of_a_provider_is_kept),
		T(at_the_end_leave_is_taken),
		T(nobody_waits_long_for_a_farewell),
		T(who_was_never_there_does_not_take_leave),
		T(a_section_that_goes_takes_leave),
		T(another_account_takes_leave_of_the_first),
		T(what_is_as_it_was_stays_as_it_is),
		T(another_host_of_the_same_account_takes_no_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
