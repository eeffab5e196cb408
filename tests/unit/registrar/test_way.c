/*
 * test_way.c - the verdict on the way to a phone, how it is held open, and
 * what the engine's news do to a binding
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/alarm.h"
#include "reg_rig.h"

/* A phone that names the address it is seen from. */
static void prepare_plain(struct rig *rig)
{
	prepare(rig);
	rig->contact.uri = "sip:100@192.0.2.1:40001";
}

static void be_neighbour(struct rig *rig)
{
	rig->neighbour = rig->flow.remote;
}

/* ---- the verdict ---------------------------------------------------------------- */

static void
a_private_contact_is_evidence_that_stays_with_the_binding(void **state)
{
	struct rig *rig = *state;
	const struct nat_verdict *v;

	send_it(rig);
	v = &the_binding(rig)->nat;
	assert_true(v->behind);
	assert_true(v->evidence & 1u << NAT_CONTACT_PRIVATE);
}

static void a_phone_that_names_its_source_is_not_behind(void **state)
{
	struct rig *rig = *state;

	prepare_plain(rig);
	send_it(rig);
	assert_false(the_binding(rig)->nat.behind);
	assert_int_equal(the_binding(rig)->nat.evidence, 0);
}

static void the_realm_may_know_better_than_the_evidence(void **state)
{
	struct rig *rig = *state;

	set_options(rig, "	option nat 'never'", "");
	send_it(rig);
	assert_false(the_binding(rig)->nat.behind);
	assert_true(the_binding(rig)->nat.evidence != 0);
	set_options(rig, "	option nat 'always'", "");
	prepare_plain(rig);
	rig->req.view.call_id = "other";
	addr_set_port(&rig->req.view.flow.remote, 40002);
	send_it(rig);
	assert_int_equal(registrar_count(rig->reg), 2);
	{
		const struct binding *b[8];

		assert_int_equal(found(rig, b), 2);
		assert_true(b[0]->nat.behind);
	}
}

static void an_override_that_is_taken_back_leaves_no_trace(void **state)
{
	struct rig *rig = *state;

	set_options(rig, "	option nat 'always'", "");
	prepare_plain(rig);
	send_it(rig);
	assert_true(the_binding(rig)->nat.behind);
	set_options(rig, "	option nat 'auto'", "");
	assert_false(the_binding(rig)->nat.behind);
	pass(rig, 500);
	assert_int_equal(store.puts, 2); /* the verdict changed */
	prepare_plain(rig);
	send_it(rig);
	assert_false(the_binding(rig)->nat.behind);
	assert_int_equal(store.puts, 2);
}

static void evidence_adds_up_while_the_flow_is_the_same(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	prepare(rig);
	rig->req.view.via.host = "192.168.1.50";
	rig->req.view.via.port = 5060;
	send_it(rig);
	assert_true(the_binding(rig)->nat.evidence & 1u << NAT_VIA_PRIVATE);
	assert_int_equal(store.puts, 2);
	prepare(rig);
	send_it(rig);
	assert_true(the_binding(rig)->nat.evidence & 1u << NAT_VIA_PRIVATE);
	assert_int_equal(store.puts, 2);
	assert_int_equal(store.refreshes, 1);
}

static void evidence_begins_anew_with_another_flow(void **state)
{
	struct rig *rig = *state;

	rig->req.view.via.host = "192.168.1.50";
	send_it(rig);
	addr_set_port(&rig->flow.remote, 41000);
	prepare(rig);
	send_it(rig);
	assert_false(the_binding(rig)->nat.evidence & 1u << NAT_VIA_PRIVATE);
	assert_true(the_binding(rig)->nat.evidence & 1u << NAT_CONTACT_PRIVATE);
}

static void a_call_id_whose_host_changes_shows_an_alg(void **state)
{
	struct rig *rig = *state;

	rig->req.view.call_id = "abc@192.168.1.50";
	send_it(rig);
	prepare(rig);
	rig->req.view.call_id = "abc@192.0.2.1";
	send_it(rig);
	assert_int_equal(registrar_count(rig->reg), 1);
	assert_true(the_binding(rig)->nat.evidence & 1u << NAT_ALG_CALLID);
	assert_int_not_equal(the_binding(rig)->nat.alg, NAT_ALG_NONE);
}

/* ---- granted Expires ---------------------------------------------------------------- */

static void behind_nat_over_udp_the_grant_is_short(void **state)
{
	struct rig *rig = *state;

	set_options(rig, "	option nat_expires '90'", "");
	send_it(rig);
	assert_non_null(strstr(fake_last()->headers, "expires=90\n"));
	pass(rig, SEC(91));
	assert_int_equal(registrar_count(rig->reg), 0);
}

static void the_short_grant_stays_when_one_register_shows_nothing(void **state)
{
	struct rig *rig = *state;

	set_options(rig, "	option nat_expires '90'", "");
	rig->contact.instance = "<urn:uuid:1>";
	send_it(rig);
	prepare_plain(rig);
	rig->contact.instance = "<urn:uuid:1>";
	send_it(rig);
	assert_non_null(strstr(fake_last()->headers, "expires=90"));
}

static void others_are_granted_what_they_ask(void **state)
{
	struct rig *rig = *state;

	set_options(rig, "	option nat_expires '90'", "");
	prepare_plain(rig);
	send_it(rig);
	assert_non_null(strstr(fake_last()->headers, "expires=300\n"));
	rig->flow.transport = SIP_TCP;
	rig->flow.conn = 7;
	prepare(rig);
	rig->req.view.call_id = "tcp";
	send_it(rig);
	assert_non_null(strstr(fake_last()->headers,
			       "<sip:100@192.168.1.50>;expires=300\n"));
}

static void the_short_grant_is_never_below_the_realms_minimum(void **state)
{
	struct rig *rig = *state;

	set_options(
		rig,
		"	option nat_expires '30'\n	option min_expires '60'",
		"");
	send_it(rig);
	assert_non_null(strstr(fake_last()->headers, "expires=60\n"));
}

static void nat_expires_0_is_no_limit(void **state)
{
	struct rig *rig = *state;

	set_options(rig, "	option nat_expires '0'", "");
	send_it(rig);
	assert_non_null(strstr(fake_last()->headers, "expires=300\n"));
}

/* ---- holding ------------------------------------------------------------------------- */

static void the_flow_is_held_with_the_contact_as_target(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	assert_true(sip_flow_equal(&the_hold(rig)->flow, &rig->flow));
	assert_string_equal(the_hold(rig)->target, "sip:100@192.168.1.50");
	assert_int_equal(the_hold(rig)->want.how, KEEP_AUTO);
	assert_int_equal(the_hold(rig)->want.interval_ms, 25000);
	assert_false(the_hold(rig)->want.resumed);
}

static void
only_a_neighbour_without_evidence_is_not_held_carefully(void **state)
{
	struct rig *rig = *state;

	prepare_plain(rig);
	send_it(rig);
	assert_true(the_hold(rig)->want.careful); /* a router is between */
	be_neighbour(rig);
	prepare_plain(rig);
	send_it(rig);
	assert_false(the_hold(rig)->want.careful);
	prepare(rig);
	rig->req.view.call_id = "call-1";
	rig->contact.uri = "sip:100@192.0.2.1:40001";
	rig->req.view.via.host = "192.168.1.50";
	send_it(rig);
	assert_true(the_hold(rig)->want.careful); /* it has evidence */
}

static void method_and_interval_are_the_realms(void **state)
{
	struct rig *rig = *state;

	set_options(rig, "	option keepalive 'crlf'", "");
	send_it(rig);
	assert_int_equal(the_hold(rig)->want.how, KEEP_ALWAYS_CRLF);
	set_options(rig,
		    "	option keepalive 'options'\n"
		    "	option keepalive_interval '40'",
		    "");
	prepare(rig);
	send_it(rig);
	assert_int_equal(the_hold(rig)->want.how, KEEP_ALWAYS_OPTIONS);
	assert_int_equal(the_hold(rig)->want.interval_ms, 40000);
}

static void a_refresh_keeps_what_the_engine_knows(void **state)
{
	struct rig *rig = *state;
	struct keep_flow *f;

	send_it(rig);
	f = the_hold(rig);
	f->info.learned.phase_ms = 4711;
	f->info.learned.interval_ms = 60000;
	set_options(rig, "	option keepalive_interval '40'", "");
	prepare(rig);
	send_it(rig);
	assert_ptr_equal(the_hold(rig), f);
	assert_int_equal(f->refreshed, 1);
	assert_int_equal(f->want.learned.phase_ms, 4711);
	assert_int_equal(f->want.learned.interval_ms, 60000);
}

static void another_port_of_the_same_nat_inherits_what_was_learned(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	the_hold(rig)->info.learned.interval_ms = 60000;
	the_hold(rig)->info.learned.answers = true;
	addr_set_port(&rig->flow.remote, 41000);
	prepare(rig);
	send_it(rig);
	assert_int_equal(keepalive_flows(NULL), 1);
	assert_int_equal(the_hold(rig)->want.learned.interval_ms, 60000);
	assert_int_equal(the_hold(rig)->refreshed, 0);
}

static void
of_another_network_only_that_the_phone_answers_is_known(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	the_hold(rig)->info.learned.interval_ms = 60000;
	the_hold(rig)->info.learned.floor_s = 75;
	the_hold(rig)->info.learned.answers = true;
	addr_parse_port(&rig->flow.remote, "198.51.100.9:5060");
	prepare(rig);
	send_it(rig);
	assert_int_equal(the_hold(rig)->want.learned.interval_ms, 0);
	assert_int_equal(the_hold(rig)->want.learned.floor_s, 0);
	assert_true(the_hold(rig)->want.learned.answers);
}

static void a_connection_is_held_while_it_lives(void **state)
{
	struct rig *rig = *state;

	rig->flow.transport = SIP_TCP;
	rig->flow.conn = 7;
	prepare(rig);
	send_it(rig);
	assert_int_equal(keepalive_flows(NULL), 1);
	fake.dead_flow = rig->flow;
	prepare(rig);
	send_it(rig); /* its answer cannot go, but it came */
	assert_int_equal(keepalive_flows(NULL), 0);
}

static void keepalive_off_holds_nothing(void **state)
{
	struct rig *rig = *state;

	set_options(rig, "	option keepalive 'off'", "");
	send_it(rig);
	assert_int_equal(keepalive_flows(NULL), 0);
}

/* ---- lost and back ---------------------------------------------------------------------- */

static bool alarm_text(char text[160])
{
	struct alarm list[8];
	size_t n = alarm_list(list, 8);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].name, "phones-unreachable"))
			continue;
		memcpy(text, list[i].text, 160);
		return true;
	}
	return false;
}

static void lost_and_back_are_told_with_one_alarm_for_all(void **state)
{
	struct rig *rig = *state;
	char text[160];

	send_it(rig);
	prepare(rig);
	rig->req.view.call_id = "2";
	addr_set_port(&rig->req.view.flow.remote, 40002);
	send_it(rig);
	const struct binding *b[8];
	assert_int_equal(found(rig, b), 2);
	assert_false(alarm_text(text));
	registrar_keep_event(rig->reg, (struct keep *)&b[0]->keep, KEEP_LOST);
	assert_true(b[0]->lost);
	assert_true(alarm_text(text));
	assert_memory_equal(text, "1 of 2 phones", 13);
	registrar_keep_event(rig->reg, (struct keep *)&b[1]->keep, KEEP_LOST);
	assert_true(alarm_text(text));
	assert_memory_equal(text, "2 of 2 phones", 13);
	registrar_keep_event(rig->reg, (struct keep *)&b[0]->keep, KEEP_BACK);
	assert_false(b[0]->lost);
	registrar_keep_event(rig->reg, (struct keep *)&b[1]->keep, KEEP_BACK);
	assert_false(alarm_text(text));
	assert_int_equal(store.puts, 2); /* nothing of it is for the store */
}

static void a_lost_binding_that_moves_is_lost_no_more(void **state)
{
	struct rig *rig = *state;
	char text[160];

	send_it(rig);
	engine_says(rig, KEEP_LOST);
	assert_true(alarm_text(text));
	addr_set_port(&rig->flow.remote, 41000);
	prepare(rig);
	send_it(rig);
	assert_false(the_binding(rig)->lost);
	assert_false(alarm_text(text));
}

static void a_lost_binding_that_ends_takes_its_alarm_along(void **state)
{
	struct rig *rig = *state;
	char text[160];

	send_it(rig);
	engine_says(rig, KEEP_LOST);
	pass(rig, SEC(301));
	assert_int_equal(registrar_count(rig->reg), 0);
	assert_false(alarm_text(text));
}

static void policy_drop_removes_a_lost_binding(void **state)
{
	struct rig *rig = *state;
	char text[160];

	set_options(rig, "	option keepalive_lost 'drop'", "");
	send_it(rig);
	engine_says(rig, KEEP_LOST);
	assert_int_equal(registrar_count(rig->reg), 0);
	assert_int_equal(store.dels, 1);
	assert_string_equal(told("gone")->cause, "lost");
	assert_int_equal(keepalive_flows(NULL), 0);
	assert_false(alarm_text(text));
}

/* ---- which kind of NAT -------------------------------------------------------------------- */

static void prove(struct rig *rig)
{
	the_hold(rig)->info.answered = 1;
	engine_says(rig, KEEP_PROVED);
}

static void the_kind_of_nat_is_asked_once_when_the_phone_answers(void **state)
{
	struct rig *rig = *state;
	struct nat_kind kind = {NAT_MAPPING_DEPENDENT, NAT_FILTER_PORT};

	send_it(rig);
	assert_int_equal(nat.probes, 0);
	prove(rig);
	assert_int_equal(nat.probes, 1);
	assert_true(nat.probed_id == the_binding(rig)->id);
	prepare(rig);
	send_it(rig);
	assert_int_equal(nat.probes, 1);
	registrar_kind(rig->reg, nat.probed_id, &kind);
	assert_int_equal(the_binding(rig)->kind.filter, NAT_FILTER_PORT);
	assert_int_equal(store.last_nat.mapping, NAT_MAPPING_DEPENDENT);
	/* The same NAT gave it another port: it is of the same kind. */
	addr_set_port(&rig->flow.remote, 41000);
	prepare(rig);
	send_it(rig);
	prove(rig);
	assert_int_equal(nat.probes, 1);
	assert_int_equal(the_binding(rig)->kind.filter, NAT_FILTER_PORT);
}

static void a_busy_prober_is_asked_again_at_the_next_register(void **state)
{
	struct rig *rig = *state;

	nat.probe_error = -EAGAIN;
	send_it(rig);
	prove(rig);
	nat.probe_error = 0;
	prepare(rig);
	send_it(rig);
	assert_int_equal(nat.probes, 1);
}

static void phones_without_nat_and_connections_are_not_probed(void **state)
{
	struct rig *rig = *state;

	prepare_plain(rig);
	send_it(rig);
	prove(rig);
	prepare_plain(rig);
	rig->contact.expires = 0;
	send_it(rig);
	rig->flow.transport = SIP_TCP;
	rig->flow.conn = 7;
	prepare(rig);
	send_it(rig);
	prove(rig);
	assert_int_equal(nat.probes, 0);
}

static void a_result_for_a_binding_that_is_gone_changes_nothing(void **state)
{
	struct rig *rig = *state;
	struct nat_kind kind = {NAT_MAPPING_DEPENDENT, NAT_FILTER_PORT};

	send_it(rig);
	prove(rig);
	prepare(rig);
	rig->contact.expires = 0;
	send_it(rig);
	registrar_kind(rig->reg, nat.probed_id, &kind);
	registrar_kind(rig->reg, nat.probed_id, &kind);
	assert_int_equal(store.puts, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_private_contact_is_evidence_that_stays_with_the_binding),
		T(a_phone_that_names_its_source_is_not_behind),
		T(the_realm_may_know_better_than_the_evidence),
		T(an_override_that_is_taken_back_leaves_no_trace),
		T(evidence_adds_up_while_the_flow_is_the_same),
		T(evidence_begins_anew_with_another_flow),
		T(a_call_id_whose_host_changes_shows_an_alg),
		T(behind_nat_over_udp_the_grant_is_short),
		T(the_short_grant_stays_when_one_register_shows_nothing),
		T(others_are_granted_what_they_ask),
		T(the_short_grant_is_never_below_the_realms_minimum),
		T(nat_expires_0_is_no_limit),
		T(the_flow_is_held_with_the_contact_as_target),
		T(only_a_neighbour_without_evidence_is_not_held_carefully),
		T(method_and_interval_are_the_realms),
		T(a_refresh_keeps_what_the_engine_knows),
		T(another_port_of_the_same_nat_inherits_what_was_learned),
		T(of_another_network_only_that_the_phone_answers_is_known),
		T(a_connection_is_held_while_it_lives),
		T(keepalive_off_holds_nothing),
		T(lost_and_back_are_told_with_one_alarm_for_all),
		T(a_lost_binding_that_moves_is_lost_no_more),
		T(a_lost_binding_that_ends_takes_its_alarm_along),
		T(policy_drop_removes_a_lost_binding),
		T(the_kind_of_nat_is_asked_once_when_the_phone_answers),
		T(a_busy_prober_is_asked_again_at_the_next_register),
		T(phones_without_nat_and_connections_are_not_probed),
		T(a_result_for_a_binding_that_is_gone_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
