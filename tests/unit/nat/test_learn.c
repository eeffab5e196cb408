/*
 * test_learn.c - how long a NAT waits: each decision, and a hundred NATs for
 * a day and more
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The hundred are emulated behind the engine: each forgets its mapping after a
 * time of its own, its phone registers every hour, and what is measured is how
 * long the phone stays unreachable each time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../fake_sip.h"
#include "nat/learn.h"

#define SEC(n) ((mono_ms)(n)*1000)

/* ---- decisions ------------------------------------------------------------ */

static struct learn fresh(void)
{
	struct nat_learned nothing = {0};
	struct learn l;

	learn_begin(&l, &nothing, 0);
	return l;
}

/* Two cycles of @cycle_s are seen and a third begins. */
static struct learn steady(unsigned cycle_s, unsigned floor_s,
			   unsigned ceiling_s)
{
	struct learn l = fresh();

	l.floor_s = (uint16_t)floor_s;
	l.ceiling_s = (uint16_t)ceiling_s;
	for (unsigned i = 1; i <= 2; i++)
		learn_refreshed(&l, SEC(cycle_s * i), true, 0);
	return l;
}

static void nothing_known_means_fifteen_seconds(void **state)
{
	struct learn l = fresh();

	assert_int_equal(learn_interval_ms(&l), 15000);
}

static void the_interval_is_eight_tenths_of_what_was_survived(void **state)
{
	struct learn l = fresh();

	l.floor_s = 100;
	assert_int_equal(learn_interval_ms(&l), 80000);
	l.floor_s = 11;
	assert_int_equal(learn_interval_ms(&l), 10000);
	l.floor_s = 500;
	assert_int_equal(learn_interval_ms(&l), 300000);
}

static void a_longer_beginning_does_not_go_beyond_the_ceiling(void **state)
{
	struct learn l = steady(3600, 0, 0);

	l.ceiling_s = 14; /* shown while it began with 10 s */
	assert_int_equal(learn_interval_ms(&l), 11000);
	learn_refreshed(&l, SEC(3 * 3600), true, 0);
	assert_true(l.step == LEARN_IDLE || l.length_s <= 14 + 4);
}

static void no_experiment_before_two_periods_are_known(void **state)
{
	struct learn l = fresh();

	learn_refreshed(&l, SEC(3600), true, 0);
	assert_int_equal(l.step, LEARN_IDLE);
	learn_refreshed(&l, SEC(7200), true, 0);
	assert_int_equal(l.step, LEARN_PLANNED);
}

static void the_silence_ends_just_before_the_next_register(void **state)
{
	struct learn l = steady(3600, 0, 0);

	assert_int_equal(l.length_s, 27);
	learn_opening(&l);
	learn_opened(&l, l.opens);
	assert_int_equal(l.closes, SEC(3 * 3600 - 6));
}

static void an_unsteady_phone_gets_smaller_steps_and_then_none(void **state)
{
	struct learn l = fresh();

	learn_refreshed(&l, SEC(3600), true, 0);
	learn_refreshed(&l, SEC(7213), true, 0);
	assert_int_equal(l.step, LEARN_PLANNED);
	assert_int_equal(l.length_s, 15 + 26 - 6 - 13);
	learn_refreshed(&l, SEC(10860), true, 0);
	assert_int_equal(l.step, LEARN_IDLE);
}

static void a_failure_never_leaves_the_phone_dark_for_30_s(void **state)
{
	for (unsigned floor = 0; floor <= 300; floor++) {
		for (unsigned ceiling = 0; ceiling < 300; ceiling++) {
			unsigned known = floor ? floor : 15;
			struct learn l;

			if (ceiling && ceiling <= known)
				continue;
			l = steady(3600, floor, ceiling);
			if (l.step != LEARN_IDLE)
				assert_in_range(l.length_s + 6 - known, 7, 26);
		}
	}
}

static void success_raises_the_floor(void **state)
{
	struct learn l = steady(3600, 0, 0);

	assert_true(learn_survived(&l));
	assert_int_equal(l.floor_s, 27);
	assert_int_equal(l.step, LEARN_IDLE);
}

static void failure_sets_the_ceiling_and_halving_begins(void **state)
{
	struct learn l = steady(3600, 39, 0);

	assert_int_equal(l.length_s, 51);
	assert_true(learn_failed(&l));
	assert_int_equal(l.ceiling_s, 51);
	assert_int_equal(l.floor_s, 39);
	learn_refreshed(&l, SEC(3 * 3600), true, 0);
	assert_int_equal(l.length_s, 45);
}

static void what_is_void_teaches_nothing(void **state)
{
	struct learn l = steady(3600, 39, 51);

	learn_void(&l);
	assert_int_equal(l.floor_s, 39);
	assert_int_equal(l.ceiling_s, 51);
	assert_int_equal(l.step, LEARN_IDLE);
}

static void an_early_end_proves_no_more_than_it_lasted(void **state)
{
	struct learn l = steady(3600, 0, 0);

	learn_opened(&l, l.opens);
	learn_closing(&l, l.closes - 1500);
	learn_survived(&l);
	assert_in_range(l.floor_s, 25, 26);
}

static void nothing_longer_than_the_cycle_is_tried(void **state)
{
	struct learn l = steady(60, 50, 0);

	assert_int_equal(l.length_s, 54);
	/* That is a whole cycle: the REGISTER itself began it. */
	assert_int_equal(l.step, LEARN_OPEN);
	assert_int_equal(l.closes, SEC(120 + 54));
	learn_survived(&l);
	learn_refreshed(&l, SEC(180), true, 0);
	assert_int_equal(l.step, LEARN_IDLE);
}

static void a_miss_halves_the_interval_and_forgets_what_held(void **state)
{
	struct learn l = steady(3600, 200, 210);

	l.inbound_holds = true;
	assert_true(learn_missed(&l));
	assert_int_equal(l.floor_s, 80);
	assert_false(l.inbound_holds);
	for (int i = 0; i < 10; i++)
		learn_missed(&l);
	assert_int_equal(l.floor_s, 10);
	assert_int_equal(learn_interval_ms(&l), 10000);
}

static void a_phone_that_misses_its_own_register_was_off(void **state)
{
	struct learn l = steady(600, 60, 0);

	assert_false(learn_is_away(&l, SEC(1200 + 620)));
	assert_true(learn_is_away(&l, SEC(1200 + 640)));
}

static void crlf_alone_is_tried_when_floor_and_ceiling_met(void **state)
{
	struct learn l = steady(3600, 100, 105);

	assert_true(l.by_crlf);
	assert_int_equal(l.length_s, 109); /* beyond what silence survives */
	assert_true(learn_survived(&l));
	assert_true(l.inbound_holds);
	assert_int_equal(l.floor_s, 100);
	learn_refreshed(&l, SEC(3 * 3600), true, 0);
	assert_int_equal(l.step, LEARN_IDLE);
}

static void a_nat_that_needs_outbound_is_not_asked_twice(void **state)
{
	struct learn l = steady(3600, 100, 105);

	learn_failed(&l);
	assert_false(l.inbound_holds);
	assert_int_equal(l.ceiling_s, 105);
	learn_refreshed(&l, SEC(3 * 3600), true, 0);
	assert_int_equal(l.step, LEARN_IDLE);
}

static void a_ceiling_is_doubted_after_200_cycles_of_rest(void **state)
{
	struct learn l = steady(3600, 100, 102);

	learn_survived(&l);
	for (int i = 3; i < 210 && l.ceiling_s; i++)
		learn_refreshed(&l, SEC(3600) * i, true, 0);
	assert_int_equal(l.ceiling_s, 0);
}

static void a_request_in_the_silence_ends_it_where_it_is(void **state)
{
	struct learn l = steady(3600, 30, 0);

	learn_opened(&l, l.opens);
	learn_cut_short(&l, l.opens + SEC(36));
	assert_int_equal(l.step, LEARN_CLOSING);
	learn_failed(&l);
	assert_int_equal(l.ceiling_s, 36);
	/* Shorter than what is known to be survived: says nothing. */
	l = steady(3600, 30, 0);
	learn_opened(&l, l.opens);
	learn_cut_short(&l, l.opens + SEC(20));
	assert_int_equal(l.step, LEARN_IDLE);
}

static void neighbours_hints_make_the_first_steps_longer(void **state)
{
	struct learn_prior prior = {0};
	struct addr a, b, c;
	struct learn l = fresh();

	addr_parse_port(&a, "203.0.113.7:5060");
	addr_parse_port(&b, "203.0.113.99:40000");
	addr_parse_port(&c, "203.0.114.7:5060");
	learn_tell(&prior, &a, 120);
	assert_int_equal(learn_hint(&prior, &b), 120);
	assert_int_equal(learn_hint(&prior, &c), 0);
	addr_parse_port(&a, "[2001:db8:7:1::5]:5060");
	addr_parse_port(&b, "[2001:db8:7:2::9]:5060");
	addr_parse_port(&c, "[2001:db8:8:2::9]:5060");
	learn_tell(&prior, &a, 200);
	assert_int_equal(learn_hint(&prior, &b), 200);
	assert_int_equal(learn_hint(&prior, &c), 0);

	learn_refreshed(&l, SEC(3600), true, 120);
	learn_refreshed(&l, SEC(7200), true, 120);
	assert_int_equal(l.length_s, 35);
}

/* ---- a hundred NATs ------------------------------------------------------- */

enum {
	NATS = 100,
	CYCLE_S = 3600,
	STEPS = 24,
	TICK_MS = 100,
	RTT_MS = 100,
};

struct nat {
	struct keep keep;
	struct sip_flow flow;
	int64_t waits_ms;   /* forgets after that much silence */
	bool inbound_holds; /* refreshed by what comes in as well */
	bool keeps_port;    /* gives the same port again */
	mono_ms longest_dark;
	mono_ms open_until;   /* the mapping lives */
	mono_ms registers_at; /* next */
	uint64_t token;       /* an OPTIONS came; its answer arrives */
	mono_ms answers_at;   /* then */
	unsigned lost;
};

struct lab {
	struct loop *loop;
	struct keepalive *ka;
	struct nat nats[NATS];
	unsigned pings, crlfs;
	mono_ms longest_dark;
	unsigned cycle_s, jitter_s; /* between REGISTERs: up to that shorter */
	unsigned lost_percent;      /* of packets, each way */
	uint64_t dice;
};

/* The same each time: a proof that holds now and then is none. */
static unsigned roll(struct lab *lab, unsigned n)
{
	lab->dice = lab->dice * UINT64_C(6364136223846793005) + 1442695;
	return (unsigned)((lab->dice >> 33) % n);
}

static struct nat *nat_of(struct lab *lab, const struct sip_flow *flow)
{
	return &lab->nats[ntohl(flow->remote.in.sin_addr.s_addr) >> 8 & 0xff];
}

static int lab_ping(void *arg, const struct sip_flow *flow,
		    enum keep_method method, const char *target, uint64_t token)
{
	struct lab *lab = arg;
	struct nat *nat = nat_of(lab, flow);

	lab->pings++;
	lab->crlfs += method == KEEP_CRLF;
	if (roll(lab, 100) < lab->lost_percent)
		return 0;
	if (!sip_flow_equal(flow, &nat->flow) || clock_mono() > nat->open_until)
		return 0; /* nobody there */
	if (nat->inbound_holds)
		nat->open_until = clock_mono() + nat->waits_ms;
	if (method == KEEP_OPTIONS) {
		nat->token = token;
		nat->answers_at = clock_mono() + RTT_MS;
	}
	return 0;
}

static void lab_event(void *arg, struct keep *k, enum keep_event event)
{
	container_of(k, struct nat, keep)->lost += event == KEEP_LOST;
}

/* The phone sends something. */
static void speaks(struct lab *lab, struct nat *nat)
{
	mono_ms dark = clock_mono() - nat->open_until;

	if (dark > nat->longest_dark)
		nat->longest_dark = dark;
	if (dark > lab->longest_dark)
		lab->longest_dark = dark;
	if (dark > 0 && !nat->keeps_port)
		addr_set_port(&nat->flow.remote,
			      addr_port(&nat->flow.remote) + 1);
	nat->open_until = clock_mono() + nat->waits_ms;
}

static void registers(struct lab *lab, struct nat *nat)
{
	struct keep_want want = {.interval_ms = 25000, .careful = true};
	struct keep_info info;

	speaks(lab, nat);
	keepalive_heard(lab->ka, &nat->flow);
	if (keepalive_look(&nat->keep, &info))
		want.learned = info.learned;
	assert_int_equal(keepalive_hold(lab->ka, &nat->keep, &nat->flow,
					KEEP_REG, &want),
			 0);
	keepalive_refreshed(&nat->keep);
	nat->registers_at = clock_mono() + SEC(lab->cycle_s) -
			    roll(lab, 1 + lab->jitter_s * 1000);
}

static void answers(struct lab *lab, struct nat *nat)
{
	uint64_t token = nat->token;

	nat->token = 0;
	speaks(lab, nat);
	if (roll(lab, 100) < lab->lost_percent)
		return; /* it opened the NAT, and was lost after that */
	keepalive_heard(lab->ka, &nat->flow);
	keepalive_answered(lab->ka, &nat->flow, token);
}

static void lab_pass(struct lab *lab, int64_t s)
{
	for (int64_t ms = 0; ms < s * 1000; ms += TICK_MS) {
		mono_ms now;

		clock_advance(TICK_MS);
		now = clock_mono();
		for (int i = 0; i < NATS; i++) {
			struct nat *nat = &lab->nats[i];

			if (nat->token && nat->answers_at <= now)
				answers(lab, nat);
			if (nat->registers_at <= now)
				registers(lab, nat);
		}
		loop_fire(lab->loop);
	}
}

static int lab_setup(void **state)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	struct keepalive_conf conf = {
		.ping = lab_ping, .event = lab_event, .arg = lab};

	clock_freeze(1000000, 1700000000000);
	lab->cycle_s = CYCLE_S;
	assert_int_equal(loop_create(&lab->loop), 0);
	conf.loop = lab->loop;
	assert_int_equal(keepalive_create(&lab->ka, &conf), 0);
	for (int i = 0; i < NATS; i++) {
		struct nat *nat = &lab->nats[i];

		addr_parse_port(&nat->flow.local, "203.0.113.10:5060");
		addr_parse_port(&nat->flow.remote, "192.0.2.7:40000");
		nat->flow.remote.in.sin_addr.s_addr =
			htonl(0x0a000007 + ((uint32_t)i << 8));
		/* Uniform in 20-300 s. */
		nat->waits_ms = 20000 + i * 280000 / (NATS - 1);
		nat->inbound_holds = true;
		nat->keeps_port = i % 2;
		nat->registers_at = clock_mono() + i * 36000;
		nat->open_until = nat->registers_at;
	}
	*state = lab;
	return 0;
}

static int lab_teardown(void **state)
{
	struct lab *lab = *state;

	keepalive_destroy(lab->ka);
	loop_destroy(lab->loop);
	clock_thaw();
	free(lab);
	return 0;
}

/* What a fixed interval of 25 s sends meanwhile. */
static double fixed_pings(int64_t s)
{
	return (double)NATS * (double)s / 25;
}

static double learn_and_measure(struct lab *lab)
{
	struct keep_info info;
	double ratio;

	/* Two cycles to know the period, and the steps. */
	lab_pass(lab, CYCLE_S * (1 + 2 + STEPS));
	lab->pings = lab->crlfs = 0;
	lab_pass(lab, CYCLE_S);
	ratio = fixed_pings(CYCLE_S) / lab->pings;
	print_message("after %d steps: %.2f times fewer packets than with a "
		      "fixed 25 s; longest dark %.1f s\n",
		      STEPS, ratio, (double)lab->longest_dark / 1000);
	for (int i = 0; i < NATS; i++) {
		struct nat *nat = &lab->nats[i];
		unsigned waits_s = (unsigned)(nat->waits_ms / 1000);

		assert_true(keepalive_look(&nat->keep, &info));
		/* Within 20 %, and never more than the truth. */
		assert_in_range(info.learned.floor_s, waits_s * 8 / 10,
				waits_s);
		assert_in_range(info.interval_ms, 10000, nat->waits_ms);
	}
	return ratio;
}

static void hundred_nats_need_2_8_times_fewer_packets(void **state)
{
	struct lab *lab = *state;

	assert_true(learn_and_measure(lab) >= 2.8);
	/* An INVITE is repeated for 32 s and goes out anew when the phone
	 * registers: no call is missed while no darkness lasts longer. */
	assert_in_range(lab->longest_dark, 1, 30000);
}

static void nats_that_only_outbound_refreshes_lose_no_call(void **state)
{
	struct lab *lab = *state;

	for (int i = 0; i < NATS; i++)
		lab->nats[i].inbound_holds = false;
	assert_true(learn_and_measure(lab) >= 2.8);
	assert_in_range(lab->longest_dark, 1, 30000);
	/* CRLFs are what they are tried with, and nothing more. */
	assert_in_range(lab->crlfs * 100 / lab->pings, 0, 5);
}

static void inbound_that_holds_is_found_and_crlf_used(void **state)
{
	struct lab *lab = *state;
	struct keep_info info;
	unsigned proved = 0;

	lab_pass(lab, CYCLE_S * 40);
	for (int i = 0; i < NATS; i++) {
		assert_true(keepalive_look(&lab->nats[i].keep, &info));
		proved += info.learned.inbound_holds;
	}
	/* Of those that wait for 300 s the ceiling is never seen. */
	assert_in_range(proved, 90, NATS);
	assert_in_range(lab->longest_dark, 1, 30000);
	/* The first waits for 20 s, so CRLF does for it. */
	assert_true(keepalive_look(&lab->nats[0].keep, &info));
	assert_int_equal(info.method, KEEP_CRLF);
}

static void a_nat_that_got_shorter_is_learned_anew(void **state)
{
	struct lab *lab = *state;
	struct keep_info info;

	lab_pass(lab, CYCLE_S * 20);
	for (int i = 0; i < NATS; i++)
		lab->nats[i].waits_ms = 40000;
	lab_pass(lab, CYCLE_S * 20);
	for (int i = 0; i < NATS; i++) {
		assert_true(keepalive_look(&lab->nats[i].keep, &info));
		/* One that never fails is no reason to learn anew. */
		assert_in_range(info.interval_ms, 14400, 40000);
		lab->nats[i].lost = 0;
	}
	lab->longest_dark = 0;
	lab_pass(lab, CYCLE_S * 2);
	assert_true(lab->longest_dark < 30000);
}

static void short_cycles_are_learned_up_to_their_length(void **state)
{
	struct lab *lab = *state;
	struct keep_info info;

	lab->cycle_s = 90;
	lab_pass(lab, 3600 * 3);
	lab->pings = 0;
	lab_pass(lab, 3600);
	print_message("cycle 90 s: %.2f times fewer packets\n",
		      fixed_pings(3600) / lab->pings);
	assert_true(fixed_pings(3600) / lab->pings > 1.5);
	assert_in_range(lab->longest_dark, 1, 30000);
	for (int i = 30; i < NATS; i++) {
		assert_true(keepalive_look(&lab->nats[i].keep, &info));
		assert_in_range(info.learned.floor_s, 80, 84);
	}
}

static void unsteady_phones_on_bad_lines_lose_no_call(void **state)
{
	struct lab *lab = *state;
	struct keep_info info;
	unsigned sum = 0;

	lab->cycle_s = 110;
	lab->jitter_s = 8;
	lab->lost_percent = 2;
	lab_pass(lab, 3600 * 4);
	for (int i = 0; i < NATS; i++) {
		assert_true(keepalive_look(&lab->nats[i].keep, &info));
		sum += info.interval_ms;
		/* With a fixed 25 s, one lost packet cuts these off too. */
		if (lab->nats[i].waits_ms > 32000)
			assert_in_range(lab->nats[i].longest_dark, 0, 32000);
	}
	assert_true(sum / NATS > 25000); /* it does learn */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test(f)
		T(nothing_known_means_fifteen_seconds),
		T(the_interval_is_eight_tenths_of_what_was_survived),
		T(a_longer_beginning_does_not_go_beyond_the_ceiling),
		T(no_experiment_before_two_periods_are_known),
		T(the_silence_ends_just_before_the_next_register),
		T(an_unsteady_phone_gets_smaller_steps_and_then_none),
		T(a_failure_never_leaves_the_phone_dark_for_30_s),
		T(success_raises_the_floor),
		T(failure_sets_the_ceiling_and_halving_begins),
		T(what_is_void_teaches_nothing),
		T(an_early_end_proves_no_more_than_it_lasted),
		T(nothing_longer_than_the_cycle_is_tried),
		T(a_miss_halves_the_interval_and_forgets_what_held),
		T(a_phone_that_misses_its_own_register_was_off),
		T(crlf_alone_is_tried_when_floor_and_ceiling_met),
		T(a_nat_that_needs_outbound_is_not_asked_twice),
		T(a_ceiling_is_doubted_after_200_cycles_of_rest),
		T(a_request_in_the_silence_ends_it_where_it_is),
		T(neighbours_hints_make_the_first_steps_longer),
#define L(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)
		L(hundred_nats_need_2_8_times_fewer_packets),
		L(nats_that_only_outbound_refreshes_lose_no_call),
		L(inbound_that_holds_is_found_and_crlf_used),
		L(a_nat_that_got_shorter_is_learned_anew),
		L(short_cycles_are_learned_up_to_their_length),
		L(unsteady_phones_on_bad_lines_lose_no_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
