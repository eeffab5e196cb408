/*
 * test_pass_request.c - MESSAGE, PUBLISH, OPTIONS and unasked NOTIFY through
 * the box
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pass_rig.h"

/* Phone 100 sends @method to @user; returns the server transaction. */
static struct sip_txn *send_from(struct rig *rig, const struct sip_flow *flow,
				 enum sip_method method, const char *user)
{
	struct sip_view *view = prepare(rig, method, user);
	unsigned before = fake.n_txns;

	view->flow = *flow;
	strcpy(rig->req.body, "hello");
	view->body = str_of(rig->req.body);
	view->content_type = "text/plain";
	passes_request(rig->passes, &rig->req);
	return fake.n_txns > before ? fake.txns[before] : NULL;
}

static struct sip_txn *message(struct rig *rig, const char *user)
{
	HEADERS(rig, {"Content-Type", "text/plain;charset=utf-8"},
		{"Subject", "lunch"}, {"Contact", "<sip:100@192.168.1.50>"},
		{"P-Asserted-Identity", "<sip:ceo@example.net>"});
	return send_from(rig, &rig->phone, SIP_MESSAGE, user);
}

static void two_devices(void)
{
	add_binding("sip:101@10.0.0.7", "192.0.2.9:5062")->instance = "a";
	add_binding("sip:101@10.0.0.7", "192.0.2.9:5063")->instance = "a";
	add_binding("sip:101@10.0.0.8", "192.0.2.8:5062");
}

static void answer_with(struct sip_txn *txn, enum sip_method method, int status)
{
	struct sip_view view = {
		.status = status, .method = method, .expires = -1};

	fake_response_view(txn, &view);
}

static void a_message_crosses_with_its_text(void **state)
{
	struct rig *rig = *state;
	struct fake_message *sent;
	struct sip_txn *in;

	two_devices();
	bindings.n = 1;
	in = message(rig, "101");
	sent = fake_request(SIP_MESSAGE);
	assert_string_equal(sent->target, "sip:101@10.0.0.7");
	assert_string_equal(sent->from_user, "100");
	assert_string_equal(sent->to_user, "101");
	assert_string_equal(sent->body, "hello");
	assert_true(says(sent, "Subject: lunch\n"));
	assert_false(says(sent, "192.168.1.50"));
	assert_false(says(sent, "ceo"));
	assert_false(sent->has_contact);
	assert_int_equal(sent->max_forwards, 69);
	fake_response(sent->txn, 200, NULL);
	assert_int_equal(fake_answer(in)->status, 200);
}

static void a_from_that_is_not_the_senders_is_replaced(void **state)
{
	struct rig *rig = *state;

	fake.auth_user = "101";
	message(rig, "555");
	assert_string_equal(fake_last()->from_user, "4930101");
}

static void every_device_gets_the_message(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *in, *late;

	two_devices();
	in = message(rig, "101");
	assert_int_equal(fake_count(SIP_MESSAGE), 2);
	late = fake_request(SIP_MESSAGE)->txn;
	fake_response(fake.sent[0].txn, 202, NULL);
	assert_int_equal(fake_answer(in)->status, 202);
	/* the other one goes on by itself */
	fake_response(late, 200, NULL);
	assert_int_equal(fake_answer(in)->status, 202);
}

static void the_best_of_bad_answers_is_given(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *in;

	two_devices();
	in = message(rig, "101");
	fake_response(fake.sent[0].txn, 480, NULL);
	assert_int_equal(fake_answer(in)->status, 0);
	fake_response(fake.sent[1].txn, 404, NULL);
	assert_int_equal(fake_answer(in)->status, 404);
}

static void a_dead_way_is_not_the_devices_last(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *in;

	two_devices();
	bindings.n = 2;
	in = message(rig, "101");
	assert_int_equal(fake_count(SIP_MESSAGE), 1);
	fake_no_response(fake_request(SIP_MESSAGE)->txn, 430);
	assert_int_equal(fake_count(SIP_MESSAGE), 2);
	assert_int_equal(addr_port(&fake_last()->flow.remote), 5063);
	fake_response(fake_request(SIP_MESSAGE)->txn, 200, NULL);
	assert_int_equal(fake_answer(in)->status, 200);
}

static void a_phone_that_is_not_there_is_480(void **state)
{
	struct rig *rig = *state;

	message(rig, "101");
	assert_int_equal(fake_last()->status, 480);
	assert_int_equal(fake.n_txns, 0);
}

static void a_server_that_fails_has_a_second(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *in = message(rig, "555");

	assert_string_equal(fake_last()->target, "sip:555@198.51.100.5:5060");
	fake_response(fake_last()->txn, 500, NULL);
	assert_string_equal(fake_last()->target, "sip:555@198.51.100.6:5060");
	fake_response(fake_last()->txn, 200, NULL);
	assert_int_equal(fake_answer(in)->status, 200);
}

static void nothing_that_can_be_sent_is_503(void **state)
{
	struct rig *rig = *state;

	fake.send_error = -ENETDOWN;
	assert_int_equal(fake_answer(message(rig, "555"))->status, 503);
}

static void a_publish_goes_to_the_server_and_its_etag_comes_back(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *in;

	two_devices();
	HEADERS(rig, {"Event", "presence"}, {"Expires", "600"},
		{"SIP-If-Match", "old"});
	/* its own user, and even that of another phone */
	in = send_from(rig, &rig->phone, SIP_PUBLISH, "101");
	assert_string_equal(fake_last()->target, "sip:101@198.51.100.5:5060");
	assert_true(says(fake_last(), "SIP-If-Match: old\n"));
	assert_true(says(fake_last(), "Expires: 600\n"));
	HEADERS(rig, {"SIP-ETag", "new"}, {"Expires", "500"},
		{"Server", "secret"});
	answer_with(fake_last()->txn, SIP_PUBLISH, 200);
	assert_int_equal(fake_answer(in)->status, 200);
	assert_true(says(fake_answer(in), "SIP-ETag: new\n"));
	assert_true(says(fake_answer(in), "Expires: 500\n"));
	assert_false(says(fake_answer(in), "secret"));
}

static void a_publish_that_is_not_current_says_so(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *in;

	HEADERS(rig, {"Event", "presence"}, {"SIP-If-Match", "old"});
	in = send_from(rig, &rig->phone, SIP_PUBLISH, "100");
	answer_with(fake_last()->txn, SIP_PUBLISH, 412);
	assert_int_equal(fake_answer(in)->status, 412);
	HEADERS(rig, {"Subject", "no event"});
	send_from(rig, &rig->phone, SIP_PUBLISH, "100");
	assert_int_equal(fake_last()->status, 489);
}

static void an_answer_may_have_a_body(void **state)
{
	struct rig *rig = *state;
	struct sip_view view = {.status = 200,
				.method = SIP_OPTIONS,
				.body = STR("v=0"),
				.content_type = "application/sdp",
				.expires = -1};
	struct sip_txn *in;

	HEADERS(rig, {"Accept", "application/sdp"});
	in = send_from(rig, &rig->phone, SIP_OPTIONS, "71");
	fake_response_view(fake_last()->txn, &view);
	assert_string_equal(fake_answer(in)->body, "v=0");
}

static void only_some_options_are_not_for_the_box(void **state)
{
	static const struct {
		const char *user;
		bool is_for_user;
	} cases[] = {
		{NULL, false}, {"100", false}, /* a phone pings */
		{"101", true}, {"71", true},
		{"81", false}, {"nat-keepalive", false},
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(passes_is_for_user(rig->passes,
						    prepare(rig, SIP_OPTIONS,
							    cases[i].user)),
				 cases[i].is_for_user);
}

static void a_server_may_tell_of_waiting_messages_unasked(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *in;

	two_devices();
	HEADERS(rig, {"Event", "message-summary"},
		{"Subscription-State", "active"},
		{"Content-Type", "application/simple-message-summary"});
	in = send_from(rig, &rig->server, SIP_NOTIFY, "101");
	assert_int_equal(fake_count(SIP_NOTIFY), 2);
	assert_true(says(fake_last(), "Event: message-summary\n"));
	assert_true(fake_last()->has_contact);
	fake_response(fake_last()->txn, 200, NULL);
	assert_int_equal(fake_answer(in)->status, 200);
	/* not to itself, nor to another server */
	send_from(rig, &rig->server, SIP_NOTIFY, "555");
	assert_int_equal(fake_last()->status, 404);
}

static void nobody_else_may_notify_unasked(void **state)
{
	struct rig *rig = *state;

	two_devices();
	HEADERS(rig, {"Event", "message-summary"},
		{"Subscription-State", "active"});
	send_from(rig, &rig->phone, SIP_NOTIFY, "101");
	assert_int_equal(fake_last()->status, 481);
	assert_int_equal(fake_count(SIP_NOTIFY), 0);
}

static void a_server_does_not_get_back_what_it_sent(void **state)
{
	struct rig *rig = *state;

	HEADERS(rig, {"Subject", "x"});
	send_from(rig, &rig->server, SIP_MESSAGE, "555");
	assert_string_equal(fake_last()->target, "sip:555@198.51.100.6:5060");
}

static void a_token_of_ours_names_one_device(void **state)
{
	struct rig *rig = *state;

	two_devices();
	HEADERS(rig, {"Subject", "x"});
	send_from(rig, &rig->server, SIP_MESSAGE, "token-3");
	assert_int_equal(fake_count(SIP_MESSAGE), 1);
	assert_string_equal(fake_last()->target, "sip:101@10.0.0.8");
	assert_string_equal(fake_last()->to_user, "101");
	/* for servers only */
	send_from(rig, &rig->phone, SIP_MESSAGE, "token-3");
	assert_string_equal(fake_last()->target,
			    "sip:token-3@198.51.100.5:5060");
}

static void the_registrars_route_is_taken_to_it(void **state)
{
	struct rig *rig = *state;

	message(rig, "555");
	assert_false(says(fake_last(), "Route"));
	fake_response(fake_last()->txn, 503, NULL);
	assert_string_equal(fake_last()->target, "sip:555@198.51.100.6:5060");
	assert_true(says(fake_last(), "Route: <sip:198.51.100.9;lr>\n"));
}

static void the_registrar_alone_is_shown_who_sends(void **state)
{
	struct rig *rig = *state;

	message(rig, "555");
	assert_string_equal(fake_last()->target, "sip:555@198.51.100.5:5060");
	assert_string_equal(fake_last()->auth_user, "");
	fake_response(fake_last()->txn, 503, NULL);
	assert_string_equal(fake_last()->target, "sip:555@198.51.100.6:5060");
	assert_string_equal(fake_last()->auth_user, "100");
	assert_true(*fake_last()->password);
}

static void a_stranger_is_challenged(void **state)
{
	struct rig *rig = *state;

	two_devices();
	fake.verdict = SIP_AUTH_WRONG;
	message(rig, "101");
	assert_int_equal(fake_last()->status, 401);
	assert_int_equal(fake_count(SIP_MESSAGE), 0);
}

static void the_same_by_another_way_is_merged(void **state)
{
	struct rig *rig = *state;

	message(rig, "555");
	passes_request(rig->passes, &rig->req);
	assert_int_equal(fake_last()->status, 482);
	assert_int_equal(fake_count(SIP_MESSAGE), 1);
}

static void hops_are_counted(void **state)
{
	struct rig *rig = *state;

	HEADERS(rig, {"Subject", "x"});
	prepare(rig, SIP_MESSAGE, "555")->max_forwards = 0;
	passes_request(rig->passes, &rig->req);
	assert_int_equal(fake_last()->status, 483);
	prepare(rig, SIP_MESSAGE, "555")->max_forwards = 1;
	passes_request(rig->passes, &rig->req);
	assert_int_equal(fake_last()->max_forwards, -1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- the tables --------------------------------------------------------- */

static const char with_tables[] = "config realm 'lan'\n"
				  "config phone '100'\n"
				  "	option password 'secret-a'\n"
				  "config phone '101'\n"
				  "	option password 'secret-b'\n"
				  "config trunk 'texts'\n"
				  "	option realm 'lan'\n"
				  "	option host '198.51.100.7'\n"
				  "	option country_code '49'\n"
				  "	option numbers 'plain'\n"
				  "	option domain 'texts.example'\n"
				  "	option username '4930'\n"
				  "	option password 'word'\n"
				  "config route 'of-100'\n"
				  "	option from '100'\n"
				  "	option match '9!'\n"
				  "	option strip '1'\n"
				  "	option calling_prefix '+49301'\n"
				  "	list to 'texts'\n"
				  "config header 'subject'\n"
				  "	option action 'remove'\n"
				  "	option header 'Subject'\n"
				  "	option direction 'in'\n"
				  "config header 'tenant'\n"
				  "	option action 'pass'\n"
				  "	option header 'X-Tenant'\n"
				  "	option trunk 'texts'\n"
				  "config header 'no-message'\n"
				  "	option action 'add'\n"
				  "	option header 'X-Publish'\n"
				  "	option value '1'\n"
				  "	list method 'PUBLISH'\n"
				  "config header 'add'\n"
				  "	option action 'add'\n"
				  "	option header 'X-Box'\n"
				  "	option value 'ours'\n"
				  "	option direction 'out'\n";

static void use_tables(struct rig *rig)
{
	struct conf_errors errs = {0};
	struct config *config;

	assert_int_equal(config_parse(&config, "test", STR(with_tables), &errs),
			 0);
	trunks_set_config(rig->trunks, config);
	passes_set_config(rig->passes, config);
	config_unref(bindings.config);
	bindings.config = config;
}

static const struct fake_message *with_headers(struct rig *rig,
					       const char *user)
{
	HEADERS(rig, {"Subject", "lunch"}, {"X-Tenant", "5"}, {"X-Other", "6"},
		{"Content-Language", "de"});
	send_from(rig, &rig->phone, SIP_MESSAGE, user);
	return fake_request(SIP_MESSAGE);
}

static void a_trunk_gets_its_numbers_and_our_name_there(void **state)
{
	struct rig *rig = *state;
	const struct fake_message *sent;

	use_tables(rig);
	sent = with_headers(rig, "90301234");
	assert_string_equal(sent->target, "sip:49301234@texts.example");
	assert_string_equal(sent->from_host, "texts.example");
	assert_string_equal(sent->to_host, "texts.example");
	assert_string_equal(sent->auth_user, "4930");
	assert_string_equal(sent->password, "word");
	assert_string_equal(sent->from_user, "+49301100");
}

static void the_header_table_applies(void **state)
{
	struct rig *rig = *state;
	const struct fake_message *sent;

	use_tables(rig);
	sent = with_headers(rig, "90301234");
	assert_false(says(sent, "Subject"));
	assert_true(says(sent, "X-Tenant: 5\n"));
	assert_true(says(sent, "X-Box: ours\n"));
	assert_true(says(sent, "Content-Language: de\n"));
	assert_false(says(sent, "X-Other"));
	assert_false(says(sent, "X-Publish"));
}

static void a_rule_of_a_trunk_is_not_for_a_phone(void **state)
{
	struct rig *rig = *state;
	const struct fake_message *sent;

	use_tables(rig);
	add_binding("sip:101@10.0.0.7", "192.0.2.9:5062");
	sent = with_headers(rig, "101");
	assert_false(says(sent, "X-Tenant"));
	assert_true(says(sent, "X-Box: ours\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_message_crosses_with_its_text),
		T(a_from_that_is_not_the_senders_is_replaced),
		T(every_device_gets_the_message),
		T(the_best_of_bad_answers_is_given),
		T(a_dead_way_is_not_the_devices_last),
		T(a_phone_that_is_not_there_is_480),
		T(a_server_that_fails_has_a_second),
		T(nothing_that_can_be_sent_is_503),
		T(a_publish_goes_to_the_server_and_its_etag_comes_back),
		T(a_publish_that_is_not_current_says_so),
		T(an_answer_may_have_a_body),
		T(only_some_options_are_not_for_the_box),
		T(a_server_may_tell_of_waiting_messages_unasked),
		T(nobody_else_may_notify_unasked),
		T(a_server_does_not_get_back_what_it_sent),
		T(a_token_of_ours_names_one_device),
		T(the_registrars_route_is_taken_to_it),
		T(the_registrar_alone_is_shown_who_sends),
		T(a_stranger_is_challenged),
		T(the_same_by_another_way_is_merged),
		T(hops_are_counted),
		T(a_trunk_gets_its_numbers_and_our_name_there),
		T(the_header_table_applies),
		T(a_rule_of_a_trunk_is_not_for_a_phone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
