/*
 * test_leg_flow.c - the way to a peer that another box of ours stands in, and
 * legs that another box made
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "leg_rig.h"

static bool is_brought; /* by another box, as far as the call knows */

static bool vouched(void *arg, struct leg *leg, const struct sip_view *view)
{
	return is_brought;
}

static struct leg_ops box_ops;

static int setup_box(void **state)
{
	struct rig *rig;

	setup(state);
	rig = *state;
	box_ops = rig_ops;
	box_ops.vouched = vouched;
	rig->conf.ops = &box_ops;
	rig->conf.keepalive = FAKE_KEEPALIVE;
	is_brought = false;
	return 0;
}

static struct sip_flow flow_of(struct rig *rig, const char *remote)
{
	struct sip_flow flow = rig->flow;

	addr_parse_port(&flow.remote, remote);
	return flow;
}

static void adopt(struct rig *rig)
{
	const struct sip_dialog_ids ids = {
		.call_id = "of-box-1",
		.local_tag = "ours",
		.remote_tag = "peer",
		.target = "sip:100@192.168.1.7",
	};
	const struct sip_dialog_conf dialog = {.flow = rig->flow};

	assert_int_equal(leg_adopt(&rig->leg, &rig->conf, &dialog, &ids, 9), 0);
}

static void an_adopted_leg_is_up_without_media(void **state)
{
	struct rig *rig = *state;
	struct leg_media_info m;

	adopt(rig);
	assert_int_equal(leg_state(rig->leg), LEG_UP);
	assert_false(leg_media_at(rig->leg, 0, &m));
	assert_string_equal(leg_call_id(rig->leg), "of-box-1");
	assert_int_equal(rig->leg->dialog->first_cseq, 9);
	assert_int_equal(fake_nat.held, 1);
	leg_hangup(rig->leg, NULL);
	assert_int_equal(fake_count(SIP_BYE), 1);
	assert_int_equal(fake_nat.held, 0);
}

static void what_came_before_the_leg_is_taken(void **state)
{
	struct rig *rig = *state;
	struct sip_request req = {0};
	struct sip_txn *txn;

	adopt(rig);
	req.view.method = SIP_BYE;
	req.view.flow = rig->flow;
	sip_request_accept(&req, &txn, NULL, NULL);
	leg_take(rig->leg, txn);
	assert_int_equal(fake_answer(txn)->status, 200);
	assert_int_equal(rig->told.ended, 1);
	assert_int_equal(leg_state(rig->leg), LEG_DEAD);
}

static void an_adopted_leg_gets_media_by_a_reinvite(void **state)
{
	struct rig *rig = *state;
	struct leg_media_info m;

	adopt(rig);
	comes(rig, SIP_INVITE, AUDIO);
	assert_int_equal(rig->told.change, 1);
	assert_int_equal(leg_change_answer(rig->leg, 200, describe(rig, AUDIO)),
			 0);
	assert_true(leg_media_at(rig->leg, 0, &m));
	assert_true(str_eq_c(m.type, "audio"));
}

/* The phone's media comes as ever, and the other box keeps its way. */
static void a_detour_leaves_media_and_ends_the_hold(void **state)
{
	struct rig *rig = *state;
	struct sip_flow box = flow_of(rig, "203.0.113.11:5060");
	unsigned told;

	up_out(rig);
	assert_int_equal(fake_nat.held, 1);
	told = fake_media.last->told;
	assert_int_equal(leg_detour(rig->leg, &box, "<sip:t@203.0.113.11;lr>"),
			 0);
	assert_true(leg_is_detoured(rig->leg));
	assert_int_equal(fake_media.last->told, told);
	assert_int_equal(fake_nat.held, 0);
	assert_string_equal(rig->leg->dialog->detour,
			    "<sip:t@203.0.113.11;lr>");
	assert_true(rig->leg->dialog->holds_target);
	assert_true(sip_flow_equal(&rig->leg->dialog->conf.flow, &box));
	assert_int_equal(leg_detour(rig->leg, &rig->flow, NULL), 0);
	assert_false(leg_is_detoured(rig->leg));
	assert_int_equal(fake_nat.held, 1);
	assert_false(rig->leg->dialog->holds_target);
}

static void what_a_box_brings_does_not_move_the_leg(void **state)
{
	struct rig *rig = *state;
	struct sip_flow box = flow_of(rig, "203.0.113.11:5060");
	struct sip_txn *txn;

	up_out(rig);
	is_brought = true;
	txn = fake_in_dialog(rig->leg->dialog, SIP_OPTIONS, &box, NULL);
	assert_int_equal(fake_answer(txn)->status, 200);
	assert_true(sip_flow_equal(leg_flow(rig->leg), &rig->flow));
	assert_true(rig->leg->dialog->holds_target); /* it is the box's */
	is_brought = false;
	txn = comes(rig, SIP_OPTIONS, NULL);
	assert_int_equal(fake_answer(txn)->status, 200);
	assert_false(rig->leg->dialog->holds_target);
	txn = fake_in_dialog(rig->leg->dialog, SIP_BYE, &box, NULL);
	assert_int_equal(fake_answer(txn)->status, 0); /* moved() refused */
}

static void a_leg_is_named_and_aimed_as_its_call_says(void **state)
{
	struct rig *rig = *state;
	struct sip_dialog_ids ids = {.target = "sip:x@192.0.2.8"};
	char mem[256];

	up_out(rig);
	assert_int_equal(leg_name(rig->leg, "token"), 0);
	assert_string_equal(rig->leg->dialog->name, "token");
	assert_int_equal(leg_aim(rig->leg, &ids), 0);
	assert_string_equal(rig->leg->dialog->target, "sip:x@192.0.2.8");
	assert_int_equal(leg_ids(rig->leg, &ids, mem, sizeof(mem)), 0);
	assert_string_equal(ids.call_id, leg_call_id(rig->leg));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup_box, teardown)
	const struct CMUnitTest tests[] = {
		T(an_adopted_leg_is_up_without_media),
		T(what_came_before_the_leg_is_taken),
		T(an_adopted_leg_gets_media_by_a_reinvite),
		T(a_detour_leaves_media_and_ends_the_hold),
		T(what_a_box_brings_does_not_move_the_leg),
		T(a_leg_is_named_and_aimed_as_its_call_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
