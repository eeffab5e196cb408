/*
 * test_sub_appear.c - a phone that registers anew takes its subscriptions along,
 * and nobody else's
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pass_rig.h"

#define CONTACT "sip:101@192.168.1.50:5060"

/* 101 serves a subscription of 100. */
static struct binding *serve(struct rig *rig)
{
	struct binding *b = add_binding(CONTACT, "192.0.2.2:40002");

	b->registered_at = clock_wall();
	grant(subscribe(rig, "101", "dialog", 600), 600);
	advance(rig, SEC(60));
	return b;
}

/* A phone registers with @contact, from port @port of home 1. */
static void appear(struct rig *rig, const char *contact, const char *instance,
		   unsigned port)
{
	struct binding *b = add_binding(contact, "192.0.2.2:1");

	b->id = 90 + bindings.n;
	b->instance = instance;
	b->registered_at = clock_wall();
	addr_set_port(&b->flow.remote, port);
	b->to = b->flow;
	passes_appeared(rig->passes, b);
}

static void binding_ends(void)
{
	bindings.n = 0;
}

static void flow_is_lost(void)
{
	fake_nat.info.lost_at = clock_mono();
}

static unsigned port_of(const struct sip_dialog *d)
{
	return addr_port(&d->conf.flow.remote);
}

static void one_whose_flow_is_lost_follows_the_contact(void **state)
{
	struct rig *rig = *state;

	serve(rig);
	binding_ends();
	flow_is_lost();
	appear(rig, CONTACT, NULL, 41000);
	assert_int_equal(port_of(theirs()), 41000);
	assert_int_equal(port_of(ours()), 40001);
	assert_int_equal(fake_nat.held, 2);
}

static void it_is_heard_from_there(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	serve(rig);
	binding_ends();
	flow_is_lost();
	appear(rig, CONTACT, NULL, 41000);
	HEADERS(rig, {"Event", "dialog"}, {"Subscription-State", "active"});
	txn = fake_in_dialog(theirs(), SIP_NOTIFY, &bindings.list[0].flow, "x");
	assert_int_equal(fake_answer(txn)->status, 0);
	assert_int_equal(fake_count(SIP_NOTIFY), 1);
}

static void so_does_that_of_a_subscriber(void **state)
{
	struct rig *rig = *state;

	fake.auth_user = "101";
	grant(subscribe(rig, "102", "presence", 600), 600);
	flow_is_lost();
	appear(rig, "sip:100@192.168.1.50", NULL, 41000);
	assert_int_equal(port_of(ours()), 41000);
	assert_int_equal(port_of(theirs()), 5060);
}

static void so_does_one_whose_connection_has_closed(void **state)
{
	struct rig *rig = *state;
	struct binding *b = serve(rig);

	fake.dead_flow = b->to;
	appear(rig, CONTACT, NULL, 41000);
	assert_int_equal(port_of(theirs()), 41000);
}

static void so_does_one_that_nobody_holds_and_that_is_silent(void **state)
{
	struct rig *rig = *state;

	serve(rig);
	binding_ends();
	fake_nat.info.interval_ms = SEC(25);
	fake_nat.info.heard = clock_mono() - SEC(40);
	appear(rig, CONTACT, NULL, 41000);
	assert_int_equal(port_of(theirs()), 41000);
}

static void another_contact_is_another_phone(void **state)
{
	struct rig *rig = *state;

	serve(rig);
	binding_ends();
	flow_is_lost();
	appear(rig, "sip:101@192.168.1.51:5060", NULL, 41000);
	assert_int_equal(port_of(theirs()), 40002);
	assert_int_equal(fake_nat.missed, 0);
}

static void an_instance_counts_for_more_than_a_contact(void **state)
{
	struct rig *rig = *state;
	struct binding *b = add_binding(CONTACT, "192.0.2.2:40002");

	b->instance = "urn:one";
	grant(subscribe(rig, "101", "dialog", 600), 600);
	binding_ends();
	flow_is_lost();
	appear(rig, CONTACT, "urn:two", 41000);
	assert_int_equal(port_of(theirs()), 40002);
	appear(rig, "sip:else@10.1.1.1", "urn:one", 42000);
	assert_int_equal(port_of(theirs()), 42000);
}

/* Two homes with the same private addresses. */
static void one_that_stood_beside_it_is_another(void **state)
{
	struct rig *rig = *state;
	struct binding *b;

	serve(rig);
	b = add_binding(CONTACT, "192.0.2.2:41000");
	b->registered_at = clock_wall() - SEC(3600);
	bindings.list[0] = *b;
	bindings.n = 1;
	flow_is_lost();
	passes_appeared(rig->passes, &bindings.list[0]);
	assert_int_equal(port_of(theirs()), 40002);
}

static void while_its_binding_lives_it_stays(void **state)
{
	struct rig *rig = *state;

	serve(rig);
	flow_is_lost();
	appear(rig, CONTACT, NULL, 41000);
	assert_int_equal(port_of(theirs()), 40002);
}

static void if_in_doubt_the_peer_is_asked_and_silence_moves_it(void **state)
{
	struct rig *rig = *state;
	struct keep *k;

	serve(rig);
	k = fake_nat.last; /* of the notifier, who is held last */
	binding_ends();
	fake_nat.info.heard = clock_mono();
	appear(rig, CONTACT, NULL, 41000);
	assert_int_equal(port_of(theirs()), 40002);
	assert_int_equal(fake_nat.missed, 1);
	assert_int_equal(addr_port(&fake_nat.missed_flow.remote), 40002);
	passes_keep_event(k, KEEP_BACK);
	assert_int_equal(port_of(theirs()), 40002);
	passes_keep_event(k, KEEP_LOST);
	assert_int_equal(port_of(theirs()), 41000);
}

static void silence_alone_moves_nothing(void **state)
{
	struct rig *rig = *state;

	serve(rig);
	passes_keep_event(fake_nat.last, KEEP_LOST);
	assert_int_equal(port_of(theirs()), 40002);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_whose_flow_is_lost_follows_the_contact),
		T(it_is_heard_from_there),
		T(so_does_that_of_a_subscriber),
		T(so_does_one_whose_connection_has_closed),
		T(so_does_one_that_nobody_holds_and_that_is_silent),
		T(another_contact_is_another_phone),
		T(an_instance_counts_for_more_than_a_contact),
		T(one_that_stood_beside_it_is_another),
		T(while_its_binding_lives_it_stays),
		T(if_in_doubt_the_peer_is_asked_and_silence_moves_it),
		T(silence_alone_moves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
