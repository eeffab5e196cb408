/*
 * test_register.c - REGISTER in, bindings out, and what the store is told
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "reg_rig.h"

/* ---- registering ------------------------------------------------------------------ */

static void a_binding_keeps_contact_and_source_side_by_side(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	assert_int_equal(send_it(rig), 200);
	assert_int_equal(found(rig, b), 1);
	assert_string_equal(b[0]->contact, "sip:100@192.168.1.50");
	assert_true(sip_flow_equal(&b[0]->flow, &rig->flow));
	assert_string_equal(binding_aor(b[0]), "100@example.net");
	assert_int_equal(store.puts, 1);
	assert_int_equal(b[0]->id, 42);
}

static void the_answer_lists_all_bindings_with_what_remains(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	pass(rig, SEC(100));
	prepare(rig);
	rig->contact.uri = "sip:100@192.168.1.51";
	send_it(rig);
	assert_non_null(
		strstr(fake_last()->headers,
		       "Contact: <sip:100@192.168.1.50>;expires=200\n"));
	assert_non_null(
		strstr(fake_last()->headers,
		       "Contact: <sip:100@192.168.1.51>;expires=300\n"));
	assert_non_null(strstr(fake_last()->headers, "Date: Tue, 14 Nov 2023"));
	assert_null(strstr(fake_last()->headers, "Service-Route"));
}

static void a_query_without_contact_changes_nothing(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	prepare(rig);
	rig->req.view.n_contacts = 0;
	assert_int_equal(send_it(rig), 200);
	assert_non_null(strstr(fake_last()->headers, "Contact: <sip:100@"));
	assert_int_equal(store.puts, 1);
}

static void strangers_are_challenged(void **state)
{
	struct rig *rig = *state;

	fake.verdict = SIP_AUTH_NONE;
	assert_int_equal(send_it(rig), 401);
	assert_non_null(strstr(fake_last()->headers, "WWW-Authenticate"));
	assert_int_equal(registrar_count(rig->reg), 0);
}

static void another_users_aor_is_403_and_a_foreign_host_404(void **state)
{
	struct rig *rig = *state;

	rig->req.view.to.user = "101";
	fake.auth_user = "100";
	assert_int_equal(send_it(rig), 403);
	rig->req.view.to.user = "100";
	rig->req.view.to.host = "elsewhere.example";
	assert_int_equal(send_it(rig), 404);
	rig->req.view.to.host = "PBX.example.net";
	assert_int_equal(send_it(rig), 200);
	rig->req.view.to.host = "203.0.113.10";
	assert_int_equal(send_it(rig), 200);
}

/* ---- expiry ------------------------------------------------------------------------- */

static void expires_is_shortened_never_lengthened(void **state)
{
	struct rig *rig = *state;

	rig->req.view.expires = 4000000000ll;
	assert_int_equal(send_it(rig), 200);
	assert_non_null(strstr(fake_last()->headers, "expires=600"));
	prepare(rig);
	rig->req.view.expires = 60;
	assert_int_equal(send_it(rig), 200);
	assert_non_null(strstr(fake_last()->headers, "expires=60\n"));
}

static void too_brief_is_423_with_min_expires(void **state)
{
	struct rig *rig = *state;

	rig->req.view.expires = 59;
	assert_int_equal(send_it(rig), 423);
	assert_non_null(strstr(fake_last()->headers, "Min-Expires: 60"));
	assert_int_equal(registrar_count(rig->reg), 0);
}

static void a_contacts_own_expires_beats_the_header(void **state)
{
	struct rig *rig = *state;

	rig->contact.expires = 120;
	send_it(rig);
	assert_non_null(strstr(fake_last()->headers, "expires=120"));
}

static void without_expires_the_realms_maximum_is_granted(void **state)
{
	struct rig *rig = *state;

	rig->req.view.expires = -1;
	send_it(rig);
	assert_non_null(strstr(fake_last()->headers, "expires=600"));
}

static void a_binding_goes_when_its_time_is_over(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	pass(rig, SEC(299));
	assert_int_equal(registrar_count(rig->reg), 1);
	pass(rig, SEC(2));
	assert_int_equal(registrar_count(rig->reg), 0);
	assert_int_equal(store.dels, 1);
}

static void a_wall_clock_jump_loses_no_binding(void **state)
{
	struct rig *rig = *state;
	mono_ms mono = clock_mono();

	send_it(rig);
	clock_freeze(mono, 1700000000000 + 400ll * 86400000);
	pass(rig, SEC(200));
	assert_int_equal(registrar_count(rig->reg), 1);
}

static void zero_expires_removes_that_contact_only(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	send_it(rig);
	prepare(rig);
	rig->contact.uri = "sip:100@192.168.1.51";
	send_it(rig);
	prepare(rig);
	rig->contact.expires = 0;
	assert_int_equal(send_it(rig), 200);
	assert_int_equal(found(rig, b), 1);
	assert_string_equal(b[0]->contact, "sip:100@192.168.1.51");
}

static void star_removes_all_but_only_with_expires_0(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	prepare(rig);
	rig->req.view.n_contacts = 0;
	rig->req.view.contact_star = true;
	assert_int_equal(send_it(rig), 400);
	rig->req.view.expires = 0;
	rig->req.view.n_contacts = 1;
	assert_int_equal(send_it(rig), 400);
	assert_int_equal(registrar_count(rig->reg), 1);
	rig->req.view.n_contacts = 0;
	assert_int_equal(send_it(rig), 200);
	assert_int_equal(registrar_count(rig->reg), 0);
}

/* ---- which binding is meant ------------------------------------------------------------ */

static void a_refresh_costs_no_write_of_its_own(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	pass(rig, SEC(100));
	prepare(rig);
	assert_int_equal(send_it(rig), 200);
	assert_int_equal(store.puts, 1);
	assert_int_equal(store.refreshes, 1);
	assert_int_equal(registrar_count(rig->reg), 1);
	assert_true(store.last_expires_at == clock_wall() + SEC(300));
}

static void two_homes_with_the_same_contact_do_not_meet(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	send_it(rig);
	addr_parse_port(&rig->flow.remote, "198.51.100.9:5060");
	prepare(rig);
	rig->req.view.call_id = "other-home";
	assert_int_equal(send_it(rig), 200);
	assert_int_equal(found(rig, b), 2);
}

static void a_rebooted_phone_on_the_same_flow_is_one_binding(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	prepare(rig);
	rig->req.view.call_id = "after-reboot";
	rig->req.view.cseq = 1;
	assert_int_equal(send_it(rig), 200);
	assert_int_equal(registrar_count(rig->reg), 1);
	assert_string_equal(the_binding(rig)->call_id, "after-reboot");
	assert_int_equal(store.puts, 2);
	/* And it can take itself back. */
	prepare(rig);
	rig->req.view.call_id = "rewritten-on-the-way";
	rig->contact.expires = 0;
	assert_int_equal(send_it(rig), 200);
	assert_int_equal(registrar_count(rig->reg), 0);
}

static void two_programs_on_one_flow_ring_once(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	rig->contact.instance = "<urn:uuid:1>";
	send_it(rig);
	prepare(rig);
	rig->contact.instance = "<urn:uuid:2>";
	send_it(rig);
	assert_int_equal(registrar_count(rig->reg), 2);
	assert_int_equal(found(rig, b), 1);
	assert_string_equal(b[0]->instance, "<urn:uuid:2>");
}

static void an_instance_is_one_binding_whatever_its_contact(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	rig->contact.instance = "<urn:uuid:1>";
	rig->contact.reg_id = 1;
	send_it(rig);
	prepare(rig);
	rig->contact.uri = "sip:100@10.9.9.9";
	rig->contact.instance = "<urn:uuid:1>";
	rig->contact.reg_id = 1;
	rig->req.view.call_id = "new";
	send_it(rig);
	assert_int_equal(found(rig, b), 1);
	assert_string_equal(b[0]->contact, "sip:100@10.9.9.9");
	assert_string_equal(store.last_contact, "sip:100@10.9.9.9");
	/* A second flow of the same phone is a second binding (RFC 5626). */
	prepare(rig);
	rig->contact.instance = "<urn:uuid:1>";
	rig->contact.reg_id = 2;
	send_it(rig);
	assert_int_equal(registrar_count(rig->reg), 2);
	assert_non_null(strstr(fake_last()->headers,
			       ";+sip.instance=\"<urn:uuid:1>\";reg-id=2"));
}

static void an_old_cseq_of_the_same_call_id_is_500(void **state)
{
	struct rig *rig = *state;

	rig->req.view.cseq = 100;
	send_it(rig);
	prepare(rig);
	rig->req.view.cseq = 99;
	rig->contact.expires = 0;
	assert_int_equal(send_it(rig), 500);
	assert_int_equal(registrar_count(rig->reg), 1);
	rig->req.view.cseq = 100; /* a retransmission */
	rig->contact.expires = -1;
	assert_int_equal(send_it(rig), 200);
}

static void above_max_contacts_the_oldest_is_replaced(void **state)
{
	struct rig *rig = *state;
	static char uris[5][32];

	for (int i = 0; i < 5; i++) {
		prepare(rig);
		snprintf(uris[i], sizeof(uris[i]), "sip:100@10.0.0.%d", i);
		rig->contact.uri = uris[i];
		assert_int_equal(send_it(rig), 200);
	}
	assert_int_equal(registrar_count(rig->reg), 3);
	assert_null(strstr(fake_last()->headers, "10.0.0.1>"));
	assert_non_null(strstr(fake_last()->headers, "10.0.0.2>"));
}

static void a_new_binding_is_told_of_and_a_renewed_one_is_not(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	assert_int_equal(rig->appeared, 1);
	assert_true(sip_flow_equal(&rig->moved_to, &rig->flow));
	prepare(rig);
	send_it(rig);
	addr_set_port(&rig->flow.remote, 41000);
	prepare(rig);
	send_it(rig); /* moves */
	assert_int_equal(rig->appeared, 1);
	assert_int_equal(rig->moves, 1);
	addr_set_port(&rig->flow.remote, 42000);
	prepare(rig);
	rig->req.view.call_id = "call-2";
	send_it(rig);
	assert_int_equal(rig->appeared, 2);
	assert_true(sip_flow_equal(&rig->moved_to, &rig->flow));
	assert_int_equal(rig->moves, 1);
}

static void it_is_told_of_when_those_that_it_replaces_are_gone(void **state)
{
	struct rig *rig = *state;
	static char uris[4][32];

	for (int i = 0; i < 4; i++) {
		prepare(rig);
		snprintf(uris[i], sizeof(uris[i]), "sip:100@10.0.0.%d", i);
		rig->contact.uri = uris[i];
		send_it(rig);
	}
	assert_int_equal(rig->appeared, 4);
	assert_int_equal(rig->beside, 3);
}

static void one_that_was_stored_is_not_new(void **state)
{
	struct rig *rig = *state;

	restart_with(rig, SEC(200));
	assert_int_equal(registrar_count(rig->reg), 1);
	assert_int_equal(rig->appeared, 0);
}

static void our_own_addresses_are_no_contact_for_others(void **state)
{
	struct rig *rig = *state;

	rig->contact.uri = "sip:100@127.0.0.1:5070";
	assert_int_equal(send_it(rig), 403);
	rig->contact.uri = "sip:100@203.0.113.10:9999";
	assert_int_equal(send_it(rig), 403);
	/* A phone that lives on this machine may. */
	addr_parse_port(&rig->flow.remote, "127.0.0.1:5070");
	prepare(rig);
	rig->contact.uri = "sip:100@127.0.0.1:5070";
	assert_int_equal(send_it(rig), 200);
	/* Our own socket never. */
	prepare(rig);
	rig->contact.uri = "sip:100@203.0.113.10:5060";
	assert_int_equal(send_it(rig), 403);
	prepare(rig);
	rig->contact.uri = "sip:100@203.0.113.10";
	assert_int_equal(send_it(rig), 403);
}

/* ---- flows ------------------------------------------------------------------------------ */

static void a_new_flow_moves_the_binding_and_its_dialogs(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	send_it(rig);
	addr_set_port(&rig->flow.remote, 41234);
	prepare(rig);
	send_it(rig);
	assert_int_equal(found(rig, b), 1);
	assert_true(sip_flow_equal(&b[0]->flow, &rig->flow));
	assert_int_equal(rig->moves, 1);
	assert_int_equal(store.puts, 2);
	assert_int_equal(keepalive_flows(NULL), 1);
}

static void a_binding_whose_connection_closed_is_not_called(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	rig->flow.transport = SIP_TCP;
	rig->flow.conn = 7;
	prepare(rig);
	send_it(rig);
	assert_int_equal(found(rig, b), 1);
	fake.dead_flow = rig->flow;
	assert_int_equal(found(rig, b), 0);
}

static void lost_bindings_are_called_last(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	send_it(rig);
	addr_set_port(&rig->flow.remote, 41234);
	prepare(rig);
	rig->req.view.call_id = "second";
	send_it(rig);
	assert_int_equal(found(rig, b), 2);
	assert_string_equal(b[0]->call_id, "second");
	registrar_keep_event(rig->reg, (struct keep *)&b[0]->keep, KEEP_LOST);
	assert_int_equal(found(rig, b), 2);
	assert_string_equal(b[0]->call_id, "call-1");
	assert_true(b[1]->lost);
}

/* ---- several flows of one phone (RFC 5626) ---------------------------------------------- */

/* A REGISTER for flow number @reg_id of the phone with @instance. */
static void prepare_outbound(struct rig *rig, const char *instance,
			     uint32_t reg_id)
{
	addr_set_port(&rig->flow.remote, (uint16_t)(40000 + reg_id));
	prepare(rig);
	rig->contact.instance = instance;
	rig->contact.reg_id = reg_id;
	rig->req.view.supports_outbound = true;
	rig->req.view.n_vias = 1;
}

static void outbound_is_agreed_to_with_a_flow_timer(void **state)
{
	struct rig *rig = *state;
	const char *headers;

	prepare_outbound(rig, "<urn:uuid:1>", 1);
	assert_int_equal(send_it(rig), 200);
	headers = fake_last()->headers;
	assert_non_null(strstr(headers, "Require: outbound\n"));
	assert_non_null(strstr(headers, "Supported: outbound, path\n"));
	assert_non_null(strstr(headers, "Flow-Timer: 25\n"));
	rig->flow.transport = SIP_TCP;
	rig->flow.conn = 7;
	prepare_outbound(rig, "<urn:uuid:1>", 2);
	send_it(rig);
	assert_non_null(strstr(fake_last()->headers, "Flow-Timer: 120\n"));
}

static void a_learned_interval_is_the_flow_timer(void **state)
{
	struct rig *rig = *state;

	prepare_outbound(rig, "<urn:uuid:1>", 1);
	send_it(rig);
	the_hold(rig)->info.learned.interval_ms = 40500;
	prepare_outbound(rig, "<urn:uuid:1>", 1);
	send_it(rig);
	assert_non_null(strstr(fake_last()->headers, "Flow-Timer: 40\n"));
	/* Careful at first is not learned; a NAT that forgot is. */
	the_hold(rig)->info.learned.interval_ms = 12000;
	prepare_outbound(rig, "<urn:uuid:1>", 1);
	send_it(rig);
	assert_non_null(strstr(fake_last()->headers, "Flow-Timer: 25\n"));
	the_hold(rig)->info.learned.ceiling_s = 20;
	prepare_outbound(rig, "<urn:uuid:1>", 1);
	send_it(rig);
	assert_non_null(strstr(fake_last()->headers, "Flow-Timer: 12\n"));
}

static void outbound_needs_all_it_is_made_of(void **state)
{
	struct rig *rig = *state;

	for (int missing = 0; missing < 5; missing++) {
		prepare_outbound(rig, "<urn:uuid:1>", 1);
		if (missing == 0)
			rig->req.view.supports_outbound = false;
		else if (missing == 1)
			rig->contact.reg_id = 0;
		else if (missing == 2)
			rig->contact.instance = NULL;
		else if (missing == 3)
			rig->req.view.n_vias = 2;
		else
			rig->req.view.path = "<sip:proxy;lr>";
		assert_int_equal(send_it(rig), 200);
		assert_null(strstr(fake_last()->headers, "Require"));
		assert_null(strstr(fake_last()->headers, "Flow-Timer"));
	}
}

static void a_reg_id_without_instance_is_ignored(void **state)
{
	struct rig *rig = *state;

	prepare_outbound(rig, NULL, 3);
	send_it(rig);
	assert_int_equal(the_binding(rig)->reg_id, 0);
	assert_null(strstr(fake_last()->headers, "reg-id"));
}

static void flows_of_one_instance_are_one_device(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	prepare_outbound(rig, "<urn:uuid:1>", 1);
	send_it(rig);
	prepare_outbound(rig, "<urn:uuid:1>", 2);
	send_it(rig);
	prepare_outbound(rig, "<urn:uuid:2>", 3);
	send_it(rig);
	assert_int_equal(found(rig, b), 3);
	assert_false(binding_same_device(b[0], b[1]));
	assert_true(binding_same_device(b[1], b[2]));
}

static void without_an_instance_no_two_bindings_are_one_device(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	send_it(rig);
	addr_set_port(&rig->flow.remote, 41234);
	prepare(rig);
	rig->req.view.call_id = "second";
	send_it(rig);
	assert_int_equal(found(rig, b), 2);
	assert_false(binding_same_device(b[0], b[1]));
}

static void unregistering_stops_the_keepalive(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	assert_int_equal(keepalive_flows(NULL), 1);
	prepare(rig);
	rig->contact.expires = 0;
	send_it(rig);
	assert_int_equal(keepalive_flows(NULL), 0);
}

static void contacts_that_we_could_never_ring_are_refused(void **state)
{
	static const char *const uris[] = {"sips:100@192.168.1.50",
					   "tel:+49301234", "mailto:a@b.c"};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
		prepare(rig);
		rig->contact.uri = uris[i];
		assert_int_equal(send_it(rig), 416);
	}
	assert_int_equal(registrar_count(rig->reg), 0);
}

static void names_and_ipv6_are_good_contacts(void **state)
{
	static const char *const uris[] = {"SIP:100@phone.example.net",
					   "sip:100@[2001:db8::7]:5070",
					   "sip:192.168.1.50;transport=tcp"};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
		prepare(rig);
		rig->contact.uri = uris[i];
		assert_int_equal(send_it(rig), 200);
	}
	assert_int_equal(registrar_count(rig->reg), 3);
}

static void an_instance_that_would_break_the_answer_is_refused(void **state)
{
	static char long_one[400];
	struct rig *rig = *state;

	rig->contact.instance = "<urn:x>\";a=\"";
	assert_int_equal(send_it(rig), 400);
	memset(long_one, 'a', sizeof(long_one) - 1);
	prepare(rig);
	rig->contact.instance = long_one;
	assert_int_equal(send_it(rig), 400);
}

static void more_contacts_than_the_limit_are_refused(void **state)
{
	struct sip_contact many[LIMIT_CONTACTS + 1];
	struct rig *rig = *state;

	for (unsigned i = 0; i < LIMIT_CONTACTS + 1; i++)
		many[i] = rig->contact;
	rig->req.view.contacts = many;
	rig->req.view.n_contacts = LIMIT_CONTACTS + 1;
	assert_int_equal(send_it(rig), 400);
	assert_int_equal(registrar_count(rig->reg), 0);
}

static void an_endless_user_agent_is_cut(void **state)
{
	static char agent[4000];
	struct rig *rig = *state;
	const struct binding *b[8];

	memset(agent, 'x', sizeof(agent) - 1);
	rig->req.view.user_agent = agent;
	assert_int_equal(send_it(rig), 200);
	found(rig, b);
	assert_int_equal(strlen(b[0]->user_agent), 255);
}

static void a_reload_drops_bindings_of_removed_phones(void **state)
{
	static const char without[] = "config sbc 'global'\n"
				      "	option schema '1'\n"
				      "config realm 'lan'\n"
				      "config phone '101'\n"
				      "	option password 'secret'\n";
	struct rig *rig = *state;

	send_it(rig);
	reload(rig, without);
	assert_int_equal(registrar_count(rig->reg), 0);
	assert_int_equal(store.dels, 1);
}

static void a_binding_outlives_the_new_name_of_its_realm(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	fake.realm = "office";
	reload(rig, "config sbc 'global'\n	option schema '1'\n"
		    "config realm 'office'\n"
		    "config phone '100'\n	option password 'x'\n"
		    "	option realm 'office'\n");
	assert_int_equal(registrar_count(rig->reg), 1);
	/* The next process will look for it there. */
	assert_string_equal(the_binding(rig)->realm, "office");
	pass(rig, 500);
	assert_int_equal(store.puts, 2);
	assert_string_equal(the_binding(rig)->contact, "sip:100@192.168.1.50");
}

static void a_phone_with_another_user_loses_its_bindings(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	reload(rig, "config sbc 'global'\n	option schema '1'\n"
		    "config realm 'lan'\n"
		    "config phone '100'\n	option password 'x'\n"
		    "	option user '200'\n");
	assert_int_equal(registrar_count(rig->reg), 0);
	assert_int_equal(store.dels, 1);
}

static void a_reload_counts_for_the_ways_that_are_held(void **state)
{
	struct rig *rig = *state;
	struct keep_flow *f;

	send_it(rig);
	set_options(rig, "	option keepalive 'off'", "");
	assert_int_equal(keepalive_flows(NULL), 0);
	set_options(rig, "	option keepalive_interval '40'", "");
	assert_int_equal(keepalive_flows(NULL), 1);
	f = the_binding(rig)->keep.flow;
	assert_int_equal(f->want.interval_ms, 40000);
	assert_string_equal(f->target, "sip:100@192.168.1.50");
	assert_true(the_binding(rig)->nat.behind);
	set_options(rig, "	option nat 'never'", "");
	assert_false(the_binding(rig)->nat.behind);
}

static void what_a_reload_changed_waits_for_room_in_the_store(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	store.is_full = true;
	set_options(rig, "	option nat 'never'", "");
	pass(rig, SEC(2));
	assert_int_equal(store.puts, 1);
	store.is_full = false;
	pass(rig, SEC(2));
	assert_int_equal(store.puts, 2);
	pass(rig, SEC(5));
	assert_int_equal(store.puts, 2);
}

static void a_binding_goes_with_its_realm(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	reload(rig, "config sbc 'global'\n	option schema '1'\n"
		    "config realm 'office'\n"
		    "config phone '100'\n	option password 'x'\n");
	assert_int_equal(registrar_count(rig->reg), 0);
	assert_int_equal(store.dels, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_binding_keeps_contact_and_source_side_by_side),
		T(the_answer_lists_all_bindings_with_what_remains),
		T(a_query_without_contact_changes_nothing),
		T(strangers_are_challenged),
		T(another_users_aor_is_403_and_a_foreign_host_404),
		T(expires_is_shortened_never_lengthened),
		T(too_brief_is_423_with_min_expires),
		T(a_contacts_own_expires_beats_the_header),
		T(without_expires_the_realms_maximum_is_granted),
		T(a_binding_goes_when_its_time_is_over),
		T(a_wall_clock_jump_loses_no_binding),
		T(zero_expires_removes_that_contact_only),
		T(star_removes_all_but_only_with_expires_0),
		T(a_refresh_costs_no_write_of_its_own),
		T(two_homes_with_the_same_contact_do_not_meet),
		T(a_rebooted_phone_on_the_same_flow_is_one_binding),
		T(two_programs_on_one_flow_ring_once),
		T(an_instance_is_one_binding_whatever_its_contact),
		T(an_old_cseq_of_the_same_call_id_is_500),
		T(above_max_contacts_the_oldest_is_replaced),
		T(a_new_binding_is_told_of_and_a_renewed_one_is_not),
		T(it_is_told_of_when_those_that_it_replaces_are_gone),
		T(one_that_was_stored_is_not_new),
		T(our_own_addresses_are_no_contact_for_others),
		T(a_new_flow_moves_the_binding_and_its_dialogs),
		T(a_binding_whose_connection_closed_is_not_called),
		T(lost_bindings_are_called_last),
		T(outbound_is_agreed_to_with_a_flow_timer),
		T(a_learned_interval_is_the_flow_timer),
		T(outbound_needs_all_it_is_made_of),
		T(a_reg_id_without_instance_is_ignored),
		T(flows_of_one_instance_are_one_device),
		T(without_an_instance_no_two_bindings_are_one_device),
		T(unregistering_stops_the_keepalive),
		T(contacts_that_we_could_never_ring_are_refused),
		T(names_and_ipv6_are_good_contacts),
		T(an_instance_that_would_break_the_answer_is_refused),
		T(more_contacts_than_the_limit_are_refused),
		T(an_endless_user_agent_is_cut),
		T(a_reload_drops_bindings_of_removed_phones),
		T(a_binding_outlives_the_new_name_of_its_realm),
		T(a_phone_with_another_user_loses_its_bindings),
		T(a_reload_counts_for_the_ways_that_are_held),
		T(what_a_reload_changed_waits_for_room_in_the_store),
		T(a_binding_goes_with_its_realm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
