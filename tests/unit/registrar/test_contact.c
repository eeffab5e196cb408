/*
 * test_contact.c - a Contact that names another address than the source, and
 * where requests then go
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "reg_rig.h"

#define ELSEWHERE "sip:100@198.51.100.77:5070"

static void prepare_elsewhere(struct rig *rig)
{
	prepare(rig);
	rig->contact.uri = ELSEWHERE;
}

static bool goes_to(struct rig *rig, const char *where)
{
	char text[ADDR_TEXT_MAX];

	return !strcmp(addr_fmt(&the_binding(rig)->to.remote, text), where);
}

/* The probe sent last is answered from where it went. */
static void answer_probe(struct rig *rig)
{
	struct fake_ping *p = fake_last_ping();

	registrar_answered(rig->reg, &p->flow, p->token);
}

static void a_public_contact_that_answers_gets_the_requests(void **state)
{
	struct rig *rig = *state;

	prepare_elsewhere(rig);
	send_it(rig);
	assert_true(goes_to(rig, "192.0.2.1:40001"));
	pass(rig, 500);
	assert_int_equal(fake.n_pings, 1);
	assert_string_equal(fake_last_ping()->target, ELSEWHERE);
	assert_string_equal(fake_last_ping()->user, "100");
	assert_string_equal(fake_last_ping()->host, "example.net");
	assert_true(fake_last_ping()->token != 0);
	answer_probe(rig);
	assert_true(goes_to(rig, "198.51.100.77:5070"));
	assert_true(sip_flow_equal(&the_binding(rig)->flow, &rig->flow));
	assert_true(
		sip_flow_equal(&the_hold(rig)->flow, &the_binding(rig)->to));
	assert_int_equal(keepalive_flows(NULL), 1);
	assert_int_equal(rig->moves, 1);
	assert_true(sip_flow_equal(&rig->moved_from, &rig->flow));
	assert_false(the_binding(rig)->nat.behind);
	assert_true(addr_same_host(&screened, &the_binding(rig)->to.remote));
	assert_int_equal(times_told("moved"), 1);
}

static void a_private_contact_costs_no_look_at_the_routes(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	assert_int_equal(fake.routes, 0);
	assert_true(goes_to(rig, "192.0.2.1:40001"));
}

static void one_phone_has_us_ask_few_places_at_once(void **state)
{
	struct rig *rig = *state;
	char uri[64];

	for (int i = 0; i < 40; i++) {
		prepare_elsewhere(rig);
		snprintf(uri, sizeof(uri), "sip:100@198.51.100.%d:5070", i + 1);
		rig->contact.uri = uri;
		send_it(rig);
		clock_advance(20);
		loop_fire(rig->loop);
	}
	assert_in_range(fake.n_pings, 1, 4);
}

static void a_refresh_leaves_an_honoured_contact_alone(void **state)
{
	struct rig *rig = *state;

	prepare_elsewhere(rig);
	send_it(rig);
	pass(rig, 500);
	answer_probe(rig);
	prepare_elsewhere(rig);
	send_it(rig);
	addr_set_port(&rig->flow.remote, 41000); /* the third party moved */
	prepare_elsewhere(rig);
	send_it(rig);
	pass(rig, SEC(5));
	assert_true(goes_to(rig, "198.51.100.77:5070"));
	assert_true(sip_flow_equal(&the_binding(rig)->flow, &rig->flow));
	assert_int_equal(fake.n_pings, 1);
	assert_int_equal(rig->moves, 1);
}

static void silence_is_asked_three_times_and_then_believed(void **state)
{
	struct rig *rig = *state;

	prepare_elsewhere(rig);
	send_it(rig);
	pass(rig, SEC(20));
	assert_int_equal(fake.n_pings, 3);
	assert_true(goes_to(rig, "192.0.2.1:40001"));
	prepare_elsewhere(rig);
	send_it(rig);
	pass(rig, SEC(20));
	assert_int_equal(fake.n_pings, 3);
	answer_probe(rig); /* far too late */
	assert_true(goes_to(rig, "192.0.2.1:40001"));
}

static void another_contact_is_asked_anew(void **state)
{
	struct rig *rig = *state;

	rig->contact.instance = "<urn:uuid:1>";
	rig->contact.uri = ELSEWHERE;
	send_it(rig);
	pass(rig, SEC(20));
	prepare(rig);
	rig->contact.instance = "<urn:uuid:1>";
	rig->contact.uri = "sip:100@198.51.100.78";
	send_it(rig);
	pass(rig, 500);
	assert_string_equal(fake_last_ping()->target, "sip:100@198.51.100.78");
	answer_probe(rig);
	assert_true(goes_to(rig, "198.51.100.78:5060"));
	/* And back to one that is the source's. */
	prepare(rig);
	rig->contact.instance = "<urn:uuid:1>";
	rig->contact.uri = "sip:100@192.0.2.1:40001";
	send_it(rig);
	assert_true(goes_to(rig, "192.0.2.1:40001"));
	assert_int_equal(keepalive_flows(NULL), 1);
}

static void
answers_from_elsewhere_and_strange_tokens_prove_nothing(void **state)
{
	struct rig *rig = *state;
	struct sip_flow stranger = rig->flow;

	prepare_elsewhere(rig);
	send_it(rig);
	pass(rig, 500);
	addr_parse_port(&stranger.remote, "203.0.113.99:5070");
	registrar_answered(rig->reg, &stranger, fake_last_ping()->token);
	registrar_answered(rig->reg, &fake_last_ping()->flow,
			   fake_last_ping()->token + 1);
	assert_true(goes_to(rig, "192.0.2.1:40001"));
}

static void some_contacts_are_never_asked(void **state)
{
	static const char *const uris[] = {
		"sip:100@192.168.1.50",  "sip:100@100.64.0.7",
		"sip:100@192.0.2.1:777", "sip:100@phone.example.net",
		"sip:100@[fe80::1]",     "sip:100@198.51.100.77;transport=tcp",
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
		prepare(rig);
		rig->contact.uri = uris[i];
		rig->contact.instance = "<urn:uuid:1>";
		assert_int_equal(send_it(rig), 200);
		pass(rig, SEC(5));
		assert_true(goes_to(rig, "192.0.2.1:40001"));
	}
	assert_int_equal(fake.n_pings, 0);
}

static void a_phone_over_tcp_is_called_over_its_connection(void **state)
{
	struct rig *rig = *state;

	rig->flow.transport = SIP_TCP;
	rig->flow.conn = 7;
	prepare_elsewhere(rig);
	send_it(rig);
	pass(rig, SEC(5));
	assert_int_equal(fake.n_pings, 0);
	assert_true(sip_flow_equal(&the_binding(rig)->to, &rig->flow));
}

static void option_source_asks_nobody(void **state)
{
	struct rig *rig = *state;

	set_options(rig, "", "	option contact 'source'");
	prepare_elsewhere(rig);
	send_it(rig);
	pass(rig, SEC(5));
	assert_int_equal(fake.n_pings, 0);
	assert_true(goes_to(rig, "192.0.2.1:40001"));
}

static void option_stated_asks_nobody_either(void **state)
{
	struct rig *rig = *state;

	set_options(rig, "", "	option contact 'stated'");
	send_it(rig);
	assert_true(goes_to(rig, "192.168.1.50:5060"));
	assert_true(
		sip_flow_equal(&the_hold(rig)->flow, &the_binding(rig)->to));
	pass(rig, SEC(5));
	assert_int_equal(fake.n_pings, 0);
	set_options(rig, "", "	option contact 'source'");
	prepare(rig);
	send_it(rig);
	assert_true(goes_to(rig, "192.0.2.1:40001"));
}

static void a_trunk_is_nobodys_contact(void **state)
{
	static const char *const policies[] = {"auto", "stated"};
	struct rig *rig = *state;

	for (int i = 0; i < 2; i++) {
		char phone[320];

		snprintf(phone, sizeof(phone),
			 "	option contact '%s'\n"
			 "config trunk 'carrier'\n	option realm 'lan'\n"
			 "	option host '198.51.100.77'\n",
			 policies[i]);
		set_options(rig, "", phone);
		prepare_elsewhere(rig);
		assert_int_equal(send_it(rig), 200);
		pass(rig, SEC(5));
		assert_int_equal(fake.n_pings, 0);
		assert_true(goes_to(rig, "192.0.2.1:40001"));
	}
}

static void a_contact_that_falls_silent_gives_way_to_the_source(void **state)
{
	struct rig *rig = *state;

	prepare_elsewhere(rig);
	send_it(rig);
	pass(rig, 500);
	answer_probe(rig);
	engine_says(rig, KEEP_LOST);
	assert_true(goes_to(rig, "192.0.2.1:40001"));
	assert_false(the_binding(rig)->lost);
	assert_true(sip_flow_equal(&the_hold(rig)->flow, &rig->flow));
	/* It may come back: the next REGISTER asks again. */
	prepare_elsewhere(rig);
	send_it(rig);
	pass(rig, 500);
	assert_int_equal(fake.n_pings, 2);
	answer_probe(rig);
	assert_true(goes_to(rig, "198.51.100.77:5070"));
}

static void a_binding_that_ends_ends_its_probe(void **state)
{
	struct rig *rig = *state;

	prepare_elsewhere(rig);
	send_it(rig);
	pass(rig, 500);
	prepare_elsewhere(rig);
	rig->contact.expires = 0;
	send_it(rig);
	answer_probe(rig);
	pass(rig, SEC(5));
	assert_int_equal(fake.n_pings, 1);
	assert_int_equal(registrar_count(rig->reg), 0);
}

static void after_a_restart_the_contact_is_asked_again(void **state)
{
	struct rig *rig = *state;

	restart_with(rig, SEC(200));
	store.rows[0].contact = ELSEWHERE;
	registrar_destroy(rig->reg);
	start(rig);
	assert_int_equal(fake.n_pings, 0); /* no socket is bound yet */
	pass(rig, SEC(1));
	assert_int_equal(fake.n_pings, 1);
	answer_probe(rig);
	assert_true(goes_to(rig, "198.51.100.77:5070"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_public_contact_that_answers_gets_the_requests),
		T(a_private_contact_costs_no_look_at_the_routes),
		T(one_phone_has_us_ask_few_places_at_once),
		T(a_refresh_leaves_an_honoured_contact_alone),
		T(silence_is_asked_three_times_and_then_believed),
		T(another_contact_is_asked_anew),
		T(answers_from_elsewhere_and_strange_tokens_prove_nothing),
		T(some_contacts_are_never_asked),
		T(a_phone_over_tcp_is_called_over_its_connection),
		T(option_source_asks_nobody),
		T(option_stated_asks_nobody_either),
		T(a_trunk_is_nobodys_contact),
		T(a_contact_that_falls_silent_gives_way_to_the_source),
		T(a_binding_that_ends_ends_its_probe),
		T(after_a_restart_the_contact_is_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
