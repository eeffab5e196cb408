/*
 * test_call_appear.c - a phone that registers anew takes its dialogs along,
 * and nobody else's
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_rig.h"

#define CONTACT "sip:101@192.168.1.50:5060"

static struct binding *add_new(const char *contact, const char *source)
{
	struct binding *b;

	add_binding(contact, source);
	b = &bindings.list[bindings.n - 1];
	b->id = 90 + bindings.n;
	b->registered_at = clock_wall();
	return b;
}

/* A phone registers with @contact, from port @port of home 1. */
static struct binding *appear(struct rig *rig, const char *contact,
			      unsigned port)
{
	struct binding *b = add_new(contact, "192.0.2.2:1");

	addr_set_port(&b->flow.remote, port);
	b->to = b->flow;
	calls_appeared(rig->calls, b);
	return b;
}

static void binding_ends(void)
{
	bindings.n = 0;
}

/* No ping has been answered. */
static void flow_is_lost(void)
{
	fake_nat.info.lost_at = clock_mono();
}

static unsigned port_of(const struct sip_txn *txn)
{
	return addr_port(&txn->dialog->conf.flow.remote);
}

static struct sip_txn *asked(unsigned nth)
{
	for (unsigned i = 0; i < fake.n; i++) {
		if (!fake.sent[i].status && fake.sent[i].method == SIP_INVITE &&
		    nth-- == 0)
			return fake.sent[i].txn;
	}
	return NULL;
}

/* ---- dialogs --------------------------------------------------------------------- */

static void a_dialog_whose_flow_is_lost_follows_the_contact(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b);

	binding_ends();
	flow_is_lost();
	appear(rig, CONTACT, 41000);
	assert_int_equal(port_of(b), 41000);
	assert_int_equal(port_of(a), 40001);
	fake_in_dialog(a->dialog, SIP_BYE, &rig->flow_a, NULL);
	assert_int_equal(port_of(fake_request(SIP_BYE)->txn), 41000);
}

static void so_does_one_whose_connection_has_closed(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	establish(rig, &b);
	fake.dead_flow = bindings.list[0].to;
	appear(rig, CONTACT, 41000);
	assert_int_equal(port_of(b), 41000);
}

static void so_does_one_that_nobody_holds_and_that_is_silent(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	establish(rig, &b);
	binding_ends();
	fake_nat.info.interval_ms = SEC(25);
	fake_nat.info.heard = clock_mono() - SEC(40);
	appear(rig, CONTACT, 41000);
	assert_int_equal(port_of(b), 41000);
}

static void a_silence_no_longer_than_a_ping_proves_nothing(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	establish(rig, &b);
	binding_ends();
	fake_nat.info.interval_ms = SEC(25);
	fake_nat.info.heard = clock_mono() - SEC(30);
	appear(rig, CONTACT, 41000);
	assert_int_equal(port_of(b), 40002);
}

static void
where_another_phone_is_registered_silence_proves_nothing(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	establish(rig, &b);
	binding_ends();
	fake_nat.info.heard = clock_mono() - SEC(400);
	fake_nat.info.holds[KEEP_REG] = 1;
	appear(rig, CONTACT, 41000);
	assert_int_equal(port_of(b), 40002);
}

static void if_in_doubt_the_peer_is_asked_and_silence_moves_it(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	establish(rig, &b);
	binding_ends();
	fake_nat.info.heard = clock_mono();
	appear(rig, CONTACT, 41000);
	assert_int_equal(port_of(b), 40002);
	assert_int_equal(fake_nat.missed, 1);
	assert_int_equal(addr_port(&fake_nat.missed_flow.remote), 40002);
	leg_keep_event(fake_nat.last, KEEP_BACK);
	assert_int_equal(port_of(b), 40002);
	leg_keep_event(fake_nat.last, KEEP_LOST);
	assert_int_equal(port_of(b), 41000);
}

static void a_bye_that_goes_meanwhile_is_sent_again(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b);

	binding_ends();
	appear(rig, CONTACT, 41000);
	fake_in_dialog(a->dialog, SIP_BYE, &rig->flow_a, NULL);
	settle(rig);
	assert_int_equal(port_of(fake_request(SIP_BYE)->txn), 40002);
	assert_int_equal(fake_nat.held, 1);
	leg_keep_event(fake_nat.last, KEEP_LOST);
	assert_int_equal(fake_count(SIP_BYE), 2);
	assert_int_equal(port_of(fake_request(SIP_BYE)->txn), 41000);
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
	settle(rig);
	assert_int_equal(fake_nat.held, 0);
}

static void a_callers_dialog_follows_too(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b);

	flow_is_lost();
	bindings.phone = "100";
	appear(rig, "sip:100@192.168.1.7;transport=udp", 42000);
	assert_int_equal(port_of(a), 42000);
	assert_int_equal(port_of(b), 40002);
}

/* ---- whose it is ------------------------------------------------------------------- */

static void two_homes_with_one_private_contact_keep_their_dialogs(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	establish(rig, &b);
	fake_nat.info.heard = clock_mono() - SEC(400);
	calls_appeared(rig->calls, add_new(CONTACT, "198.51.100.77:41000"));
	assert_int_equal(port_of(b), 40002);
	flow_is_lost(); /* but its binding is not, yet */
	calls_appeared(rig->calls, &bindings.list[1]);
	assert_int_equal(port_of(b), 40002);
}

static void
a_home_that_stood_beside_it_takes_nothing_when_it_is_lost(void **state)
{
	struct rig *rig = *state;
	struct binding *other = add_new(CONTACT, "198.51.100.77:41000");
	struct sip_txn *b;

	clock_advance(SEC(1));
	invite(rig, "101", OFFER);
	b = asked(0);
	fake_response(b, 200, ANSWER);
	bindings.list[0].lost = true;
	bindings.list[0] = *other;
	bindings.n = 1;
	flow_is_lost();
	leg_keep_event(fake_nat.last, KEEP_LOST);
	assert_int_equal(port_of(b), 40002);
}

static void the_same_instance_is_the_same_device(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;
	struct binding *new;

	bindings.list[0].instance = "urn:uuid:1";
	establish(rig, &b);
	binding_ends();
	flow_is_lost();
	new = add_new("sip:101@10.0.0.9:7070", "192.0.2.2:41000");
	new->instance = "urn:uuid:2";
	calls_appeared(rig->calls, new);
	assert_int_equal(port_of(b), 40002);
	new->contact = CONTACT; /* of another device */
	calls_appeared(rig->calls, new);
	assert_int_equal(port_of(b), 40002);
	new->contact = "sip:101@10.0.0.9:7070";
	new->instance = "urn:uuid:1";
	calls_appeared(rig->calls, new);
	assert_int_equal(port_of(b), 41000);
}

static void a_second_flow_of_the_device_moves_no_healthy_dialog(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;
	struct binding *second;

	bindings.list[0].instance = "urn:uuid:1";
	establish(rig, &b);
	fake_nat.info.heard = clock_mono();
	fake_nat.info.holds[KEEP_REG] = 1;
	second = add_new(CONTACT, "192.0.2.2:41000");
	second->instance = "urn:uuid:1";
	second->reg_id = 2;
	calls_appeared(rig->calls, second);
	assert_int_equal(port_of(b), 40002);
	/* It is there when the first one dies. */
	leg_keep_event(fake_nat.last, KEEP_LOST);
	assert_int_equal(port_of(b), 41000);
}

static void contacts_are_compared_by_user_host_and_port(void **state)
{
	static const char *const others[] = {
		"sip:102@192.168.1.50:5060",
		"sip:101@192.168.1.51:5060",
		"sip:101@192.168.1.50:5062",
		"sip:192.168.1.50:5060",
		"sip:",
		"",
	};
	struct rig *rig = *state;
	struct sip_txn *b;

	establish(rig, &b);
	flow_is_lost();
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		binding_ends();
		appear(rig, others[i], 41000);
		assert_int_equal(port_of(b), 40002);
	}
	binding_ends();
	appear(rig, "sip:101@192.168.1.50;ob;transport=udp", 41000);
	assert_int_equal(port_of(b), 41000);
}

static void another_phones_binding_takes_nothing(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	establish(rig, &b);
	binding_ends();
	flow_is_lost();
	bindings.phone = "100";
	appear(rig, CONTACT, 41000);
	assert_int_equal(port_of(b), 40002);
}

/* ---- BYE -------------------------------------------------------------------------- */

/* The far end hangs up, and nobody answers our BYE. */
static struct sip_txn *bye_is_lost(struct rig *rig, struct sip_txn *a)
{
	struct sip_txn *bye;

	fake_in_dialog(a->dialog, SIP_BYE, &rig->flow_a, NULL);
	settle(rig);
	bye = fake_request(SIP_BYE)->txn;
	fake_no_response(bye, 408);
	settle(rig);
	return bye;
}

static void a_lost_bye_goes_to_the_phone_that_appeared_meanwhile(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b);

	binding_ends();
	appear(rig, CONTACT, 41000); /* is it dead?  nobody knows */
	assert_int_equal(port_of(b), 40002);
	bye_is_lost(rig, a);
	assert_int_equal(fake_count(SIP_BYE), 2);
	assert_int_equal(port_of(fake_request(SIP_BYE)->txn), 41000);
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
	settle(rig);
	assert_true(b->dialog->destroyed);
}

static void
a_bye_adrift_goes_to_the_only_binding_whatever_its_contact(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b);

	binding_ends();
	bye_is_lost(rig, a);
	assert_int_equal(fake_count(SIP_BYE), 1);
	appear(rig, "sip:101@10.9.9.9:1234", 41000);
	assert_int_equal(fake_count(SIP_BYE), 2);
	assert_int_equal(port_of(fake_request(SIP_BYE)->txn), 41000);
}

static void with_several_only_its_own_contact_gets_it(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b);

	binding_ends();
	add_new("sip:101@10.1.1.1", "198.51.100.77:5060");
	add_new("sip:101@10.1.1.2", "198.51.100.78:5060");
	bye_is_lost(rig, a);
	appear(rig, "sip:101@10.9.9.9:1234", 41000);
	assert_int_equal(fake_count(SIP_BYE), 1);
	appear(rig, CONTACT, 41001);
	assert_int_equal(fake_count(SIP_BYE), 2);
	assert_int_equal(port_of(fake_request(SIP_BYE)->txn), 41001);
}

/* ---- INVITE ------------------------------------------------------------------------ */

static void a_waiting_invite_goes_to_the_new_binding(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_no_response(asked(0), 408);
	binding_ends();
	appear(rig, "sip:101@10.9.9.9:1234", 41000);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	assert_int_equal(port_of(asked(1)), 41000);
	fake_response(asked(1), 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
}

static void while_its_binding_stands_only_to_the_same_contact(void **state)
{
	struct rig *rig = *state;

	invite(rig, "101", OFFER);
	fake_no_response(asked(0), 408);
	appear(rig, "sip:101@10.9.9.9:1234", 41000);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	appear(rig, CONTACT, 41001);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	assert_int_equal(port_of(asked(1)), 41001);
}

static void
an_invite_under_way_is_replaced_when_its_binding_is_gone(void **state)
{
	struct rig *rig = *state;

	invite(rig, "101", OFFER);
	binding_ends();
	appear(rig, "sip:101@10.9.9.9:1234", 41000);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	appear(rig, CONTACT, 41001);
	assert_int_equal(fake_count(SIP_INVITE), 2);
	assert_true(asked(0)->cancelled);
	assert_int_equal(port_of(asked(1)), 41001);
}

static void not_while_its_binding_stands(void **state)
{
	struct rig *rig = *state;

	invite(rig, "101", OFFER);
	appear(rig, CONTACT, 41000);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	assert_false(asked(0)->cancelled);
	bindings.list[0].lost = true;
	calls_appeared(rig->calls, &bindings.list[1]);
	assert_int_equal(fake_count(SIP_INVITE), 2);
}

static void nor_when_it_was_heard(void **state)
{
	struct rig *rig = *state;

	invite(rig, "101", OFFER);
	fake_response(asked(0), 100, NULL);
	binding_ends();
	appear(rig, CONTACT, 41000);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	assert_false(asked(0)->cancelled);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_dialog_whose_flow_is_lost_follows_the_contact),
		T(so_does_one_whose_connection_has_closed),
		T(so_does_one_that_nobody_holds_and_that_is_silent),
		T(a_silence_no_longer_than_a_ping_proves_nothing),
		T(where_another_phone_is_registered_silence_proves_nothing),
		T(if_in_doubt_the_peer_is_asked_and_silence_moves_it),
		T(a_bye_that_goes_meanwhile_is_sent_again),
		T(a_callers_dialog_follows_too),
		T(two_homes_with_one_private_contact_keep_their_dialogs),
		T(a_home_that_stood_beside_it_takes_nothing_when_it_is_lost),
		T(the_same_instance_is_the_same_device),
		T(a_second_flow_of_the_device_moves_no_healthy_dialog),
		T(contacts_are_compared_by_user_host_and_port),
		T(another_phones_binding_takes_nothing),
		T(a_lost_bye_goes_to_the_phone_that_appeared_meanwhile),
		T(a_bye_adrift_goes_to_the_only_binding_whatever_its_contact),
		T(with_several_only_its_own_contact_gets_it),
		T(a_waiting_invite_goes_to_the_new_binding),
		T(while_its_binding_stands_only_to_the_same_contact),
		T(an_invite_under_way_is_replaced_when_its_binding_is_gone),
		T(not_while_its_binding_stands),
		T(nor_when_it_was_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
