/*
 * test_keepalive.c - one ping per flow, spread over the interval, and what
 * answers and silence lead to
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../fake_sip.h"
#include "core/rand.h"
#include "nat/keepalive_priv.h"

enum {
	INTERVAL = 25000,
	MANY = 10000,
	MANY_INTERVAL = 30000,
	TICK = 20,
	SLOTS = 20000,
};

struct rig {
	struct loop *loop;
	struct keepalive *ka;
	struct sip_flow phone;
	struct keep_want want; /* what hold() asks for */
	int error;             /* ping() answers */
	unsigned pings, options;
	struct {
		mono_ms at;
		enum keep_method method;
		char target[64];
		uint64_t token;
	} last;
	bool answers; /* the phone does, each OPTIONS, one tick later */
	bool owed;
	unsigned events[4];
	void (*on_event)(struct rig *rig, struct keep *k);
	unsigned per_slot[SLOTS]; /* pings in each 100 ms since mark() */
	mono_ms marked;
};

static struct keep holds[MANY];

static int ping(void *arg, const struct sip_flow *flow, enum keep_method method,
		const char *target, uint64_t token)
{
	struct rig *rig = arg;
	int64_t slot = clock_mono() / 100 - rig->marked / 100;

	if (rig->error && (target || rig->error != -EINVAL))
		return rig->error;
	rig->pings++;
	rig->options += method == KEEP_OPTIONS;
	rig->last.at = clock_mono();
	rig->last.method = method;
	rig->last.token = token;
	snprintf(rig->last.target, sizeof(rig->last.target), "%s",
		 target ? target : "");
	if (slot < SLOTS)
		rig->per_slot[slot]++;
	rig->owed = rig->answers && token;
	return 0;
}

static void on_event(void *arg, struct keep *k, enum keep_event event)
{
	struct rig *rig = arg;

	rig->events[event]++;
	if (rig->on_event)
		rig->on_event(rig, k);
}

static void make_engine(struct rig *rig, unsigned speed)
{
	struct keepalive_conf conf = {
		.loop = rig->loop,
		.ping = ping,
		.event = on_event,
		.arg = rig,
		.speed = speed,
	};

	assert_int_equal(keepalive_create(&rig->ka, &conf), 0);
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	memset(holds, 0, sizeof(holds));
	clock_freeze(1000000, 1700000000000);
	rig->marked = clock_mono();
	assert_int_equal(loop_create(&rig->loop), 0);
	make_engine(rig, 0);
	addr_parse_port(&rig->phone.remote, "192.0.2.7:40112");
	addr_parse_port(&rig->phone.local, "203.0.113.10:5060");
	rig->want.interval_ms = INTERVAL;
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	keepalive_destroy(rig->ka);
	loop_destroy(rig->loop);
	clock_thaw();
	free(rig);
	return 0;
}

static void hold(struct rig *rig, struct keep *k, enum keep_reason reason)
{
	assert_int_equal(
		keepalive_hold(rig->ka, k, &rig->phone, reason, &rig->want), 0);
}

static void careful(struct rig *rig)
{
	rig->want.careful = true;
	rig->want.target = "sip:204@192.168.1.7:5060";
	hold(rig, &holds[0], KEEP_REG);
}

static void answer(struct rig *rig)
{
	rig->owed = false;
	keepalive_heard(rig->ka, &rig->phone);
	keepalive_answered(rig->ka, &rig->phone, rig->last.token);
}

static void pass(struct rig *rig, int64_t ms)
{
	for (; ms > 0; ms -= TICK) {
		clock_advance(TICK);
		if (rig->owed)
			answer(rig);
		loop_fire(rig->loop);
	}
}

static void pass_to_ping(struct rig *rig)
{
	unsigned before = rig->pings;

	for (int i = 0; i < 20000 && rig->pings == before; i++)
		pass(rig, TICK);
	assert_int_equal(rig->pings, before + 1);
}

static struct keep_info look(const struct keep *k)
{
	struct keep_info info;

	assert_true(keepalive_look(k, &info));
	return info;
}

/* ---- holds ----------------------------------------------------------------- */

static void
a_target_that_cannot_be_written_is_asked_at_its_address(void **state)
{
	struct rig *rig = *state;

	rig->error = -EINVAL;
	rig->answers = true;
	careful(rig);
	pass_to_ping(rig);
	assert_int_equal(rig->last.method, KEEP_OPTIONS);
	assert_string_equal(rig->last.target, "");
	pass(rig, 1000);
	assert_int_equal(look(&holds[0]).answered, 1);
}

static void a_flow_is_pinged_once_per_interval(void **state)
{
	struct rig *rig = *state;

	hold(rig, &holds[0], KEEP_REG);
	pass(rig, 4 * INTERVAL);
	assert_int_equal(rig->pings, 4);
	assert_int_equal(rig->options, 0);
}

static void one_ping_serves_every_reason(void **state)
{
	struct rig *rig = *state;

	hold(rig, &holds[0], KEEP_REG);
	hold(rig, &holds[1], KEEP_SUB);
	for (int i = 2; i < 6; i++)
		hold(rig, &holds[i], KEEP_DLG);
	assert_int_equal(keepalive_flows(rig->ka), 1);
	assert_int_equal(look(&holds[0]).holds[KEEP_DLG], 4);
	pass(rig, 2 * INTERVAL);
	assert_int_equal(rig->pings, 2);
}

static void pinging_stops_when_the_last_reason_goes(void **state)
{
	struct rig *rig = *state;
	unsigned before;

	hold(rig, &holds[0], KEEP_REG);
	hold(rig, &holds[1], KEEP_DLG);
	keepalive_release(&holds[0]);
	pass(rig, INTERVAL);
	assert_int_equal(rig->pings, 1);
	keepalive_release(&holds[1]);
	before = rig->pings;
	pass(rig, 3 * INTERVAL);
	assert_int_equal(rig->pings, before);
	assert_int_equal(keepalive_flows(rig->ka), 0);
}

static void releasing_what_is_not_held_is_harmless(void **state)
{
	struct rig *rig = *state;

	keepalive_release(&holds[0]);
	assert_int_equal(keepalive_flows(rig->ka), 0);
	assert_false(keepalive_is_lost(&holds[0]));
}

static void a_hold_that_moves_ends_the_old_flow_at_once(void **state)
{
	struct rig *rig = *state;

	hold(rig, &holds[0], KEEP_REG);
	addr_set_port(&rig->phone.remote, 40113);
	hold(rig, &holds[0], KEEP_REG);
	assert_int_equal(keepalive_flows(rig->ka), 1);
	pass(rig, 2 * INTERVAL);
	assert_int_equal(rig->pings, 2);
}

static void flows_on_another_local_socket_are_others(void **state)
{
	struct rig *rig = *state;

	hold(rig, &holds[0], KEEP_REG);
	addr_set_port(&rig->phone.local, 5062);
	hold(rig, &holds[1], KEEP_REG);
	assert_int_equal(keepalive_flows(rig->ka), 2);
}

static void the_shortest_interval_counts(void **state)
{
	struct rig *rig = *state;

	hold(rig, &holds[0], KEEP_REG);
	rig->want.interval_ms = 10000;
	hold(rig, &holds[1], KEEP_DLG);
	pass(rig, 100000);
	assert_int_equal(rig->pings, 10);
}

static void a_lone_hold_takes_a_new_interval(void **state)
{
	struct rig *rig = *state;

	rig->want.interval_ms = 10000;
	hold(rig, &holds[0], KEEP_REG);
	rig->want.interval_ms = 20000;
	hold(rig, &holds[0], KEEP_REG);
	pass(rig, 10000);
	rig->pings = 0;
	pass(rig, 100000);
	assert_int_equal(rig->pings, 5);
}

static void destroying_the_engine_leaves_holds_that_point_nowhere(void **state)
{
	struct rig *rig = *state;
	struct keep_info info;

	hold(rig, &holds[0], KEEP_REG);
	hold(rig, &holds[1], KEEP_DLG);
	keepalive_destroy(rig->ka);
	rig->ka = NULL;
	assert_null(holds[0].flow);
	assert_null(holds[1].flow);
	assert_false(keepalive_look(&holds[0], &info));
	keepalive_release(&holds[0]);
}

static void each_reason_and_method_is_counted(void **state)
{
	struct rig *rig = *state;

	hold(rig, &holds[0], KEEP_REG);
	hold(rig, &holds[1], KEEP_DLG);
	hold(rig, &holds[2], KEEP_DLG);
	addr_set_port(&rig->phone.remote, 2);
	rig->want.how = KEEP_ALWAYS_OPTIONS;
	hold(rig, &holds[3], KEEP_REG);
	assert_int_equal(keepalive_held(rig->ka, KEEP_REG), 2);
	assert_int_equal(keepalive_held(rig->ka, KEEP_DLG), 1);
	assert_int_equal(keepalive_held(rig->ka, KEEP_SUB), 0);
	keepalive_release(&holds[1]);
	assert_int_equal(keepalive_held(rig->ka, KEEP_DLG), 1);
	keepalive_release(&holds[2]);
	assert_int_equal(keepalive_held(rig->ka, KEEP_DLG), 0);
	rig->answers = true;
	pass(rig, INTERVAL);
	assert_int_equal(keepalive_sent(rig->ka, KEEP_CRLF), 1);
	assert_int_equal(keepalive_sent(rig->ka, KEEP_OPTIONS), 1);
}

/* ---- methods --------------------------------------------------------------- */

static void a_careful_flow_begins_with_options_each_15_s(void **state)
{
	struct rig *rig = *state;

	rig->answers = true;
	careful(rig);
	pass(rig, 60000);
	assert_int_equal(rig->options, 4);
	assert_int_equal(rig->pings, 4);
	assert_string_equal(rig->last.target, "sip:204@192.168.1.7:5060");
	assert_int_equal(look(&holds[0]).interval_ms, 15000);
}

static void fixed_methods_keep_method_and_interval(void **state)
{
	struct rig *rig = *state;

	rig->answers = true;
	rig->want.how = KEEP_ALWAYS_CRLF;
	careful(rig);
	pass(rig, 4 * INTERVAL);
	assert_int_equal(rig->pings, 4);
	assert_int_equal(rig->options, 0);
	rig->want.how = KEEP_ALWAYS_OPTIONS;
	hold(rig, &holds[0], KEEP_REG);
	pass(rig, 4 * INTERVAL);
	assert_int_equal(rig->options, 4);
}

static void a_stream_gets_crlf_at_its_interval(void **state)
{
	struct rig *rig = *state;

	rig->phone.transport = SIP_TCP;
	rig->phone.conn = 7;
	careful(rig);
	pass(rig, 4 * INTERVAL);
	assert_int_equal(rig->pings, 4);
	assert_int_equal(rig->options, 0);
}

static void a_phone_that_never_answers_gets_crlf(void **state)
{
	struct rig *rig = *state;

	careful(rig);
	pass_to_ping(rig);
	pass(rig, 15000);
	assert_int_equal(rig->options, 3);
	assert_int_equal(rig->last.method, KEEP_CRLF);
	pass(rig, 150000);
	assert_int_equal(rig->options, 3);
	assert_int_equal(rig->events[KEEP_LOST], 0);
	assert_int_equal(look(&holds[0]).method, KEEP_CRLF);
}

static void a_mute_phone_is_asked_again_some_cycles_later(void **state)
{
	struct rig *rig = *state;

	careful(rig);
	pass(rig, 60000);
	assert_int_equal(rig->options, 3);
	rig->answers = true;
	for (int i = 0; i < 11; i++) {
		pass(rig, 60000);
		keepalive_heard(rig->ka, &rig->phone);
		keepalive_refreshed(&holds[0]);
	}
	pass(rig, 15000);
	assert_true(look(&holds[0]).learned.answers);
}

static void proved_inbound_means_crlf_and_every_eighth_proves_it(void **state)
{
	struct rig *rig = *state;

	rig->answers = true;
	rig->want.learned = (struct nat_learned){
		.floor_s = 30, .answers = true, .inbound_holds = true};
	careful(rig);
	assert_int_equal(look(&holds[0]).interval_ms, 24000);
	pass(rig, 16 * 24000);
	assert_int_equal(rig->pings, 16);
	assert_int_equal(rig->options, 2);
}

static void long_intervals_need_what_is_repeated_when_lost(void **state)
{
	struct rig *rig = *state;

	rig->want.learned = (struct nat_learned){
		.floor_s = 200, .answers = true, .inbound_holds = true};
	careful(rig);
	pass_to_ping(rig);
	assert_int_equal(rig->last.method, KEEP_OPTIONS);
	pass(rig, 3000);
	assert_int_equal(rig->options, 2);
}

static void the_target_is_borrowed_from_whoever_has_one(void **state)
{
	struct rig *rig = *state;

	rig->answers = true;
	rig->want.careful = true;
	hold(rig, &holds[0], KEEP_DLG);
	rig->want.target = "sip:204@192.168.1.7:5060";
	hold(rig, &holds[1], KEEP_REG);
	pass_to_ping(rig);
	assert_string_equal(rig->last.target, "sip:204@192.168.1.7:5060");
	keepalive_release(&holds[1]);
	pass_to_ping(rig);
	assert_string_equal(rig->last.target, "");
}

static void evidence_that_comes_later_makes_it_careful(void **state)
{
	struct rig *rig = *state;

	rig->answers = true;
	hold(rig, &holds[0], KEEP_REG);
	pass(rig, INTERVAL);
	assert_int_equal(rig->options, 0);
	careful(rig);
	pass(rig, 15000);
	assert_int_equal(rig->options, 1);
}

/* ---- answers and silence --------------------------------------------------- */

static void tokens_are_checked_by_value_and_flow(void **state)
{
	struct rig *rig = *state;
	struct sip_flow other = rig->phone;
	uint64_t first;

	careful(rig);
	pass_to_ping(rig);
	first = rig->last.token;
	keepalive_answered(rig->ka, &rig->phone, first + 1);
	keepalive_answered(rig->ka, &rig->phone, 0);
	addr_set_port(&other.remote, 9);
	keepalive_answered(rig->ka, &other, first);
	assert_int_equal(look(&holds[0]).answered, 0);
	answer(rig);
	answer(rig); /* the same again */
	assert_int_equal(look(&holds[0]).answered, 1);
	assert_int_equal(rig->events[KEEP_PROVED], 1);
	pass_to_ping(rig);
	assert_true(rig->last.token != first);
}

static void three_misses_3_s_apart_are_a_loss(void **state)
{
	struct rig *rig = *state;
	mono_ms first;

	careful(rig);
	hold(rig, &holds[1], KEEP_SUB);
	pass_to_ping(rig);
	answer(rig);
	pass_to_ping(rig);
	first = rig->last.at;
	pass_to_ping(rig);
	assert_int_equal(rig->last.at - first, 3000);
	pass_to_ping(rig);
	assert_int_equal(rig->last.at - first, 6000);
	pass(rig, 2900);
	assert_false(keepalive_is_lost(&holds[0]));
	pass(rig, 100);
	assert_true(keepalive_is_lost(&holds[0]));
	assert_int_equal(rig->events[KEEP_LOST], 2); /* each hold hears */
	assert_int_equal(keepalive_lost(rig->ka), 1);
	assert_int_equal(look(&holds[0]).unanswered, 3);
	assert_int_equal(look(&holds[0]).lost_at, first + 9000);
}

static void anything_heard_cancels_misses(void **state)
{
	struct rig *rig = *state;

	careful(rig);
	pass_to_ping(rig);
	answer(rig);
	for (int i = 0; i < 10; i++) {
		pass_to_ping(rig);
		pass(rig, 4000);
		keepalive_heard(rig->ka, &rig->phone);
		assert_int_equal(look(&holds[0]).heard, clock_mono());
	}
	pass(rig, 2000);
	assert_int_equal(rig->events[KEEP_LOST], 0);
}

static void a_late_answer_is_as_good(void **state)
{
	struct rig *rig = *state;

	careful(rig);
	pass_to_ping(rig);
	pass(rig, 7000); /* the third is under way */
	answer(rig);
	assert_int_equal(look(&holds[0]).answered, 1);
	assert_int_equal(look(&holds[0]).n_rtt, 0); /* of which one? */
	pass(rig, 7000);
	assert_int_equal(look(&holds[0]).method, KEEP_OPTIONS);
}

static void lose(struct rig *rig)
{
	careful(rig);
	pass_to_ping(rig);
	answer(rig);
	pass(rig, 30000);
	assert_true(keepalive_is_lost(&holds[0]));
	rig->pings = rig->options = 0;
}

static void a_lost_flow_is_pinged_on_and_comes_back(void **state)
{
	struct rig *rig = *state;

	lose(rig);
	pass(rig, 60000);
	assert_int_equal(rig->options, 4); /* and no repetitions */
	assert_int_equal(rig->events[KEEP_LOST], 1);
	keepalive_heard(rig->ka, &rig->phone);
	assert_false(keepalive_is_lost(&holds[0]));
	assert_int_equal(rig->events[KEEP_BACK], 1);
	assert_int_equal(keepalive_lost(rig->ka), 0);
}

static void back_by_an_answer_the_nat_was_not_to_blame(void **state)
{
	struct rig *rig = *state;

	lose(rig);
	rig->answers = true;
	pass(rig, 30000);
	assert_int_equal(rig->events[KEEP_BACK], 1);
	assert_int_equal(look(&holds[0]).interval_ms, 15000);
}

static void back_by_the_phones_own_word_the_interval_was_too_long(void **state)
{
	struct rig *rig = *state;

	lose(rig);
	keepalive_heard(rig->ka, &rig->phone);
	keepalive_refreshed(&holds[0]);
	assert_int_equal(look(&holds[0]).interval_ms, 10000);
	assert_true(rig->events[KEEP_LEARNED] > 0);
}

static void lost_while_we_were_down_teaches_nothing(void **state)
{
	struct rig *rig = *state;

	rig->want.resumed = true;
	rig->want.learned =
		(struct nat_learned){.floor_s = 100, .answers = true};
	careful(rig);
	pass(rig, 100000);
	assert_true(keepalive_is_lost(&holds[0]));
	keepalive_heard(rig->ka, &rig->phone);
	keepalive_refreshed(&holds[0]);
	assert_int_equal(look(&holds[0]).learned.floor_s, 100);
}

static void two_accounts_of_one_phone_learn_from_a_move_once(void **state)
{
	struct rig *rig = *state;

	rig->want.learned =
		(struct nat_learned){.floor_s = 200, .answers = true};
	careful(rig);
	hold(rig, &holds[1], KEEP_REG);
	pass_to_ping(rig);
	answer(rig);
	pass(rig, 200000);
	assert_true(keepalive_is_lost(&holds[0]));
	rig->want.learned = (struct nat_learned){0};
	addr_set_port(&rig->phone.remote, 40113);
	hold(rig, &holds[0], KEEP_REG);
	assert_int_equal(look(&holds[0]).learned.floor_s, 80);
	hold(rig, &holds[1], KEEP_REG);
	assert_int_equal(look(&holds[0]).learned.floor_s, 80);
	assert_int_equal(keepalive_flows(rig->ka), 1);
	assert_int_equal(keepalive_lost(rig->ka), 0);
}

static void a_lost_flow_that_is_released_is_no_more_counted(void **state)
{
	struct rig *rig = *state;

	lose(rig);
	keepalive_release(&holds[0]);
	assert_int_equal(keepalive_lost(rig->ka), 0);
}

static void a_closed_connection_is_lost_at_once(void **state)
{
	struct rig *rig = *state;

	rig->phone.transport = SIP_TCP;
	rig->phone.conn = 7;
	hold(rig, &holds[0], KEEP_REG);
	rig->error = -ENOTCONN;
	pass(rig, 3 * INTERVAL);
	assert_int_equal(rig->events[KEEP_LOST], 1);
	assert_int_equal(rig->pings, 0);
}

static void our_own_trouble_is_no_loss(void **state)
{
	struct rig *rig = *state;

	careful(rig);
	pass_to_ping(rig);
	answer(rig);
	rig->error = -ENETDOWN;
	pass(rig, 100000);
	assert_int_equal(rig->events[KEEP_LOST], 0);
	rig->error = 0;
	rig->answers = true;
	pass(rig, 15000);
	assert_int_equal(rig->events[KEEP_LOST], 0);
	assert_int_equal(look(&holds[0]).answered, 2);
}

static void an_unanswered_request_is_looked_into_at_once(void **state)
{
	struct rig *rig = *state;

	rig->want.learned.answers = true;
	hold(rig, &holds[0], KEEP_REG); /* a neighbour */
	keepalive_missed(rig->ka, &rig->phone);
	keepalive_missed(rig->ka, &rig->phone); /* is under way */
	assert_int_equal(rig->options, 1);
	pass(rig, 9000);
	assert_int_equal(rig->events[KEEP_LOST], 1);
}

static void round_trips_are_kept_newest_first(void **state)
{
	struct rig *rig = *state;
	struct keep_info info;

	careful(rig);
	for (int i = 1; i <= 10; i++) {
		pass_to_ping(rig);
		pass(rig, TICK * i);
		answer(rig);
	}
	info = look(&holds[0]);
	assert_int_equal(info.n_rtt, 8);
	assert_int_equal(info.rtt_us[0], 10 * TICK * 1000);
	assert_int_equal(info.rtt_us[7], 3 * TICK * 1000);
	assert_int_equal(info.rtt_min_us, TICK * 1000);
	assert_int_equal(info.rtt_max_us, 10 * TICK * 1000);
	assert_int_equal(info.rtt_avg_us, 110 * TICK * 100 / 2);
}

static void drop_all(struct rig *rig, struct keep *k)
{
	keepalive_release(&holds[0]);
	keepalive_release(&holds[1]);
}

static void a_listener_may_end_the_flow(void **state)
{
	struct rig *rig = *state;

	careful(rig);
	hold(rig, &holds[1], KEEP_DLG);
	pass_to_ping(rig);
	answer(rig);
	rig->on_event = drop_all;
	pass(rig, 30000);
	assert_int_equal(rig->events[KEEP_LOST], 1); /* the other is gone */
	assert_int_equal(keepalive_flows(rig->ka), 0);
}

static void move_away(struct rig *rig, struct keep *k)
{
	addr_set_port(&rig->phone.remote, addr_port(&rig->phone.remote) + 1);
	hold(rig, k, KEEP_REG);
}

static void a_listener_may_move_its_hold(void **state)
{
	struct rig *rig = *state;

	careful(rig);
	hold(rig, &holds[1], KEEP_REG);
	pass_to_ping(rig);
	answer(rig);
	rig->on_event = move_away;
	pass(rig, 30000);
	assert_int_equal(rig->events[KEEP_LOST], 2);
	assert_int_equal(keepalive_flows(rig->ka), 2);
	assert_int_equal(keepalive_lost(rig->ka), 0);
}

static void what_was_learned_moves_along_but_not_to_another_host(void **state)
{
	struct rig *rig = *state;

	rig->want.learned =
		(struct nat_learned){.floor_s = 100, .answers = true};
	careful(rig);
	rig->want.learned = (struct nat_learned){0};
	addr_set_port(&rig->phone.remote, 7);
	careful(rig);
	assert_int_equal(look(&holds[0]).learned.floor_s, 100);
	assert_true(look(&holds[0]).learned.answers);
	rig->want.learned = look(&holds[0]).learned;
	addr_parse_port(&rig->phone.remote, "198.51.100.1:7");
	careful(rig);
	assert_int_equal(look(&holds[0]).learned.floor_s, 0);
	assert_int_equal(look(&holds[0]).interval_ms, 15000);
}

static void nothing_is_silent_during_a_call(void **state)
{
	struct rig *rig = *state;

	rig->answers = true;
	careful(rig);
	hold(rig, &holds[1], KEEP_DLG);
	for (int i = 0; i < 5; i++) {
		rig->pings = 0;
		pass(rig, 300000);
		assert_in_range(rig->pings, 20, 21);
		keepalive_heard(rig->ka, &rig->phone);
		keepalive_refreshed(&holds[0]);
	}
	assert_int_equal(look(&holds[0]).learned.floor_s, 0);
}

static void an_idle_phone_is_learned_from_its_own_cycle(void **state)
{
	struct rig *rig = *state;

	rig->answers = true;
	careful(rig);
	for (int i = 0; i < 5; i++) {
		pass(rig, 300000);
		keepalive_heard(rig->ka, &rig->phone);
		keepalive_refreshed(&holds[0]);
	}
	assert_int_equal(look(&holds[0]).learned.floor_s, 15 + 3 * 12);
	/* One for the first answer, and one for each step. */
	assert_int_equal(rig->events[KEEP_LEARNED], 1 + 3);
}

static void a_place_that_moved_is_told_at_the_next_refresh(void **state)
{
	struct rig *rig = *state;
	uint32_t before;

	hold(rig, &holds[0], KEEP_REG);
	before = look(&holds[0]).learned.phase_ms;
	pass(rig, 60000);
	keepalive_refreshed(&holds[0]);
	assert_int_equal(rig->events[KEEP_LEARNED], 0);
	/* A crowd takes its slot for some rounds. */
	for (unsigned i = 1; i < 400; i++) {
		rig->want.interval_ms = 30000 + i % 7 * 1000;
		addr_set_port(&rig->phone.remote, (uint16_t)i);
		hold(rig, &holds[i], KEEP_REG);
	}
	for (int i = 0; i < 400 && !rig->events[KEEP_LEARNED]; i++) {
		pass(rig, 30000);
		keepalive_refreshed(&holds[0]);
	}
	assert_int_equal(rig->events[KEEP_LEARNED], 1);
	assert_true(look(&holds[0]).learned.phase_ms != before);
}

static void speed_divides_every_time(void **state)
{
	struct rig *rig = *state;

	keepalive_destroy(rig->ka);
	make_engine(rig, 10);
	careful(rig);
	pass_to_ping(rig);
	assert_in_range(rig->last.at - rig->marked, 1, 1500);
	answer(rig);
	pass_to_ping(rig);
	assert_in_range(look(&holds[0]).next, clock_mono() + 1400,
			clock_mono() + 1500);
	pass(rig, 900);
	assert_true(keepalive_is_lost(&holds[0]));
	assert_int_equal(look(&holds[0]).lost_at, clock_mono());
}

static void the_timer_stands_at_the_next_ping_and_no_earlier(void **state)
{
	struct rig *rig = *state;

	hold(rig, &holds[0], KEEP_REG);
	for (int i = 0; i < 5; i++) {
		assert_true(timer_armed(&rig->ka->timer));
		assert_int_equal(rig->ka->timer.due, look(&holds[0]).next);
		pass_to_ping(rig);
	}
	keepalive_release(&holds[0]);
	pass(rig, INTERVAL);
	assert_false(timer_armed(&rig->ka->timer));
}

static void a_binding_that_only_knew_crlf_is_small(void **state)
{
	assert_in_range(sizeof(struct keep_flow), 1, 400);
	assert_in_range(sizeof(struct keep), 1, 40);
}

/* ---- ten thousand ------------------------------------------------------------ */

static void hold_many(struct rig *rig, unsigned (*interval)(unsigned i))
{
	for (unsigned n = 0; n < MANY; n++) {
		unsigned i = n * 7919 % MANY; /* in no order of theirs */

		addr_set_port(&rig->phone.remote, (uint16_t)(1024 + i));
		rig->want.interval_ms = interval(i);
		hold(rig, &holds[i], KEEP_REG);
	}
}

static unsigned all_alike(unsigned i)
{
	return MANY_INTERVAL;
}

static unsigned mixed(unsigned i)
{
	return 15000 + i * 17 % 2251 * 100;
}

static double mean_of(unsigned (*interval)(unsigned i))
{
	double mean = 0;

	for (unsigned i = 0; i < MANY; i++)
		mean += 100.0 / interval(i);
	return mean;
}

static void mark(struct rig *rig)
{
	memset(rig->per_slot, 0, sizeof(rig->per_slot));
	rig->marked = clock_mono();
	rig->pings = 0;
}

static void assert_even(struct rig *rig, const char *when, double mean)
{
	unsigned most = 0;

	for (int i = 0; i < SLOTS; i++)
		if (rig->per_slot[i] > most)
			most = rig->per_slot[i];
	print_message("%s: busiest 100 ms %u, mean %.1f: %.2f\n", when, most,
		      mean, most / mean);
	assert_true(most > 0 && most <= mean * 1.2);
}

static void ten_thousand_held_at_once_are_even_from_the_first(void **state)
{
	struct rig *rig = *state;

	hold_many(rig, all_alike);
	pass(rig, MANY_INTERVAL);
	assert_in_range(rig->pings, MANY, MANY * 1.02);
	assert_even(rig, "first interval", mean_of(all_alike));
	mark(rig);
	pass(rig, 4 * MANY_INTERVAL);
	assert_in_range(rig->pings, 4 * MANY, 4.02 * MANY);
	assert_even(rig, "later", mean_of(all_alike));
}

static void mixed_intervals_are_even(void **state)
{
	struct rig *rig = *state;

	hold_many(rig, mixed);
	pass(rig, 300000);
	assert_even(rig, "mixed, first", mean_of(mixed));
	mark(rig);
	pass(rig, 1200000);
	assert_even(rig, "mixed, later", mean_of(mixed));
	/* Moving early costs little. */
	assert_true(rig->pings < mean_of(mixed) * 12000 * 1.03);
}

static void a_mass_re_register_along_new_flows_is_even(void **state)
{
	struct rig *rig = *state;

	hold_many(rig, all_alike);
	pass(rig, MANY_INTERVAL + 7000);
	mark(rig);
	addr_parse_port(&rig->phone.remote, "192.0.2.8:1");
	hold_many(rig, all_alike);
	assert_int_equal(keepalive_flows(rig->ka), MANY);
	pass(rig, 2 * MANY_INTERVAL);
	assert_in_range(rig->pings, 2 * MANY, 2.04 * MANY);
	assert_even(rig, "re-REGISTER", mean_of(all_alike));
}

static void those_that_stay_when_most_leave_are_even_again(void **state)
{
	struct rig *rig = *state;

	hold_many(rig, all_alike);
	pass(rig, MANY_INTERVAL);
	for (unsigned i = 0; i < MANY; i++)
		if (i % 2 || i / 500 % 2)
			keepalive_release(&holds[i]);
	pass(rig, 2 * MANY_INTERVAL);
	mark(rig);
	pass(rig, MANY_INTERVAL);
	assert_even(rig, "a quarter stayed", mean_of(all_alike) / 4);
}

/* What each flow's owner stored, the last ping, and the longest silence. */
static struct nat_learned stored[MANY];
static mono_ms pinged[MANY], longest;

static int ping_many(void *arg, const struct sip_flow *flow,
		     enum keep_method method, const char *target,
		     uint64_t token)
{
	unsigned i = addr_port(&flow->remote) - 1024;

	if (pinged[i] && clock_mono() - pinged[i] > longest)
		longest = clock_mono() - pinged[i];
	pinged[i] = clock_mono();
	return ping(arg, flow, method, target, token);
}

static void restart(struct rig *rig, int64_t down_ms,
		    unsigned (*interval)(unsigned i))
{
	for (unsigned i = 0; i < MANY; i++)
		stored[i] = look(&holds[i]).learned;
	keepalive_destroy(rig->ka);
	/* The other process began counting elsewhere. */
	clock_freeze(clock_mono() + down_ms + 4321, clock_wall() + down_ms);
	for (unsigned i = 0; i < MANY; i++)
		pinged[i] = pinged[i] ? pinged[i] + 4321 : 0;
	make_engine(rig, 1);
	rig->ka->conf.ping = ping_many;
	rig->want.resumed = true;
	mark(rig);
	for (unsigned n = 0; n < MANY; n++) {
		unsigned i = n * 7919 % MANY;

		addr_set_port(&rig->phone.remote, (uint16_t)(1024 + i));
		rig->want.interval_ms = interval(i);
		rig->want.learned = stored[i];
		hold(rig, &holds[i], KEEP_REG);
	}
}

static void after_a_restart_each_is_in_its_place(void **state)
{
	struct rig *rig = *state;

	memset(pinged, 0, sizeof(pinged));
	longest = 0;
	rig->ka->conf.ping = ping_many;
	hold_many(rig, all_alike);
	pass(rig, MANY_INTERVAL + 12340);
	restart(rig, 1000, all_alike);
	pass(rig, MANY_INTERVAL);
	/* All of them, and those of the down time twice. */
	assert_in_range(rig->pings, MANY + 300, MANY * 7 / 6);
	assert_even(rig, "after a restart", mean_of(all_alike));
	print_message("longest silence %d ms\n", (int)longest);
	assert_in_range(longest, MANY_INTERVAL, MANY_INTERVAL + 1000 + 8000);
	mark(rig);
	longest = 0;
	pass(rig, 2 * MANY_INTERVAL);
	assert_in_range(rig->pings, 2 * MANY, 2.02 * MANY);
	assert_in_range(longest, 1, MANY_INTERVAL);
}

static void a_restart_with_mixed_intervals_is_even(void **state)
{
	struct rig *rig = *state;

	memset(pinged, 0, sizeof(pinged));
	hold_many(rig, mixed);
	pass(rig, 300000);
	restart(rig, 2000, mixed);
	pass(rig, 300000);
	assert_even(rig, "mixed, after a restart", mean_of(mixed));
}

static void without_a_known_place_a_restart_spreads_them(void **state)
{
	struct rig *rig = *state;

	rig->want.resumed = true;
	hold_many(rig, all_alike);
	pass(rig, 2 * MANY_INTERVAL);
	assert_in_range(rig->pings, 2 * MANY, 2.04 * MANY);
	assert_even(rig, "restart, places unknown", mean_of(all_alike));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_target_that_cannot_be_written_is_asked_at_its_address),
		T(a_flow_is_pinged_once_per_interval),
		T(one_ping_serves_every_reason),
		T(pinging_stops_when_the_last_reason_goes),
		T(releasing_what_is_not_held_is_harmless),
		T(a_hold_that_moves_ends_the_old_flow_at_once),
		T(flows_on_another_local_socket_are_others),
		T(the_shortest_interval_counts),
		T(a_lone_hold_takes_a_new_interval),
		T(destroying_the_engine_leaves_holds_that_point_nowhere),
		T(each_reason_and_method_is_counted),
		T(a_careful_flow_begins_with_options_each_15_s),
		T(fixed_methods_keep_method_and_interval),
		T(a_stream_gets_crlf_at_its_interval),
		T(a_phone_that_never_answers_gets_crlf),
		T(a_mute_phone_is_asked_again_some_cycles_later),
		T(proved_inbound_means_crlf_and_every_eighth_proves_it),
		T(long_intervals_need_what_is_repeated_when_lost),
		T(the_target_is_borrowed_from_whoever_has_one),
		T(evidence_that_comes_later_makes_it_careful),
		T(tokens_are_checked_by_value_and_flow),
		T(three_misses_3_s_apart_are_a_loss),
		T(anything_heard_cancels_misses),
		T(a_late_answer_is_as_good),
		T(a_lost_flow_is_pinged_on_and_comes_back),
		T(back_by_an_answer_the_nat_was_not_to_blame),
		T(back_by_the_phones_own_word_the_interval_was_too_long),
		T(lost_while_we_were_down_teaches_nothing),
		T(two_accounts_of_one_phone_learn_from_a_move_once),
		T(a_lost_flow_that_is_released_is_no_more_counted),
		T(a_closed_connection_is_lost_at_once),
		T(our_own_trouble_is_no_loss),
		T(an_unanswered_request_is_looked_into_at_once),
		T(round_trips_are_kept_newest_first),
		T(a_listener_may_end_the_flow),
		T(a_listener_may_move_its_hold),
		T(what_was_learned_moves_along_but_not_to_another_host),
		T(nothing_is_silent_during_a_call),
		T(an_idle_phone_is_learned_from_its_own_cycle),
		T(a_place_that_moved_is_told_at_the_next_refresh),
		T(speed_divides_every_time),
		T(the_timer_stands_at_the_next_ping_and_no_earlier),
		T(a_binding_that_only_knew_crlf_is_small),
		T(ten_thousand_held_at_once_are_even_from_the_first),
		T(mixed_intervals_are_even),
		T(a_mass_re_register_along_new_flows_is_even),
		T(those_that_stay_when_most_leave_are_even_again),
		T(after_a_restart_each_is_in_its_place),
		T(a_restart_with_mixed_intervals_is_even),
		T(without_a_known_place_a_restart_spreads_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
