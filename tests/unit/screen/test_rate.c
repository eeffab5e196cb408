/*
 * test_rate.c - budgets of sources, who makes room for whom, one Call-ID
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after its four: */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "screen/rate.h"

enum { PER_S = 10, BURST = 4 * PER_S };

/* Ten datagrams a second, the smallest table, a clock of our own. */
struct rig {
	struct rate *rate;
	mono_ms now;
	enum screen_class cls; /* of the latest source */
};

static int setup(void **state)
{
	static struct rig rig;

	memset(&rig, 0, sizeof(rig));
	rig.now = 1000000;
	assert_int_equal(rate_create(&rig.rate, PER_S, 64), 0);
	*state = &rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	rate_destroy(rig->rate);
	return 0;
}

static struct addr host(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, text, strlen(text), 5060), 0);
	return a;
}

/* How many of @n datagrams from @text are admitted. */
static unsigned offer(struct rig *rig, const char *text, unsigned n)
{
	struct addr a = host(text);
	unsigned admitted = 0;

	while (n--)
		admitted += rate_admit(rig->rate, &a, rig->now, &rig->cls);
	return admitted;
}

static void promote(struct rig *rig, const char *text, enum screen_class cls,
		    mono_ms for_ms)
{
	struct addr a = host(text);

	rate_promote(rig->rate, &a, cls, rig->now + for_ms);
}

/* One datagram each from @n addresses never seen before. */
static void flood_from_invented_addresses(struct rig *rig, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char text[32];

		snprintf(text, sizeof(text), "198.18.%u.%u", i / 256, i % 256);
		offer(rig, text, 1);
	}
}

/* ---- one source --------------------------------------------------------------- */

static void stranger_has_a_burst_of_four_seconds(void **state)
{
	assert_int_equal(offer(*state, "192.0.2.1", 100), BURST);
}

static void budget_refills_with_time(void **state)
{
	struct rig *rig = *state;

	offer(rig, "192.0.2.1", 100);
	rig->now += 99;
	assert_int_equal(offer(rig, "192.0.2.1", 1), 0);
	rig->now += 1;
	assert_int_equal(offer(rig, "192.0.2.1", 5), 1);
	rig->now += 1000;
	assert_int_equal(offer(rig, "192.0.2.1", 100), PER_S);
}

static void idle_source_saves_no_more_than_a_burst(void **state)
{
	struct rig *rig = *state;

	offer(rig, "192.0.2.1", 100);
	rig->now += INT64_C(1000) * 3600 * 24 * 365;
	assert_int_equal(offer(rig, "192.0.2.1", 100), BURST);
}

static void clock_that_stands_or_goes_back_gives_nothing(void **state)
{
	struct rig *rig = *state;

	offer(rig, "192.0.2.1", 100);
	rig->now -= 500;
	assert_int_equal(offer(rig, "192.0.2.1", 100), 0);
}

static void sources_do_not_share_a_budget(void **state)
{
	offer(*state, "192.0.2.1", 100);
	assert_int_equal(offer(*state, "192.0.2.2", 100), BURST);
	assert_int_equal(offer(*state, "2001:db8::1", 100), BURST);
}

static void ports_of_one_address_share_its_budget(void **state)
{
	struct rig *rig = *state;
	struct addr a = host("192.0.2.1");

	offer(rig, "192.0.2.1", 100);
	addr_set_port(&a, 5061);
	assert_false(rate_admit(rig->rate, &a, rig->now, &rig->cls));
}

static void rate_of_zero_is_no_limit(void **state)
{
	struct rig *rig = *state;

	rate_set(rig->rate, 0);
	assert_int_equal(offer(rig, "192.0.2.1", 5000), 5000);
}

static void new_rate_holds_at_once(void **state)
{
	struct rig *rig = *state;

	offer(rig, "192.0.2.1", 1);
	rate_set(rig->rate, 1);
	assert_int_equal(offer(rig, "192.0.2.1", 100), 4);
}

/* ---- IPv6 ---------------------------------------------------------------------- */

static void addresses_of_one_prefix_share_a_budget(void **state)
{
	offer(*state, "2a00:1:2:3::1", 100);
	assert_int_equal(offer(*state, "2a00:1:2:3:ffff::2", 100), 0);
	assert_int_equal(offer(*state, "2a00:1:2:4::1", 100), BURST);
}

static void local_addresses_are_counted_one_by_one(void **state)
{
	offer(*state, "fd00::1", 100);
	assert_int_equal(offer(*state, "fd00::2", 100), BURST);
	offer(*state, "fe80::1", 100);
	assert_int_equal(offer(*state, "fe80::2", 100), BURST);
}

static void registered_phone_does_not_pay_for_its_prefix(void **state)
{
	struct rig *rig = *state;

	promote(rig, "2a00:1:2:3::5", SCREEN_REGISTERED, 60000);
	offer(rig, "2a00:1:2:3::66", 1000);
	assert_int_equal(offer(rig, "2a00:1:2:3::5", BURST), BURST);
	assert_int_equal(rig->cls, SCREEN_REGISTERED);
}

/* ---- classes --------------------------------------------------------------------- */

static void known_sources_refill_faster(void **state)
{
	struct rig *rig = *state;

	promote(rig, "192.0.2.1", SCREEN_REGISTERED, 60000);
	promote(rig, "192.0.2.2", SCREEN_TRUNK, 60000);
	offer(rig, "192.0.2.1", 1000);
	offer(rig, "192.0.2.2", 1000);
	rig->now += 1000;
	assert_int_equal(offer(rig, "192.0.2.1", 1000), 4 * PER_S);
	assert_int_equal(offer(rig, "192.0.2.2", 1000), 16 * PER_S);
}

static void known_sources_have_larger_bursts(void **state)
{
	struct rig *rig = *state;

	promote(rig, "192.0.2.1", SCREEN_REGISTERED, 60000);
	promote(rig, "192.0.2.2", SCREEN_TRUNK, 60000);
	rig->now += 30000;
	assert_int_equal(offer(rig, "192.0.2.1", 9999), 4 * BURST);
	assert_int_equal(offer(rig, "192.0.2.2", 9999), 16 * BURST);
}

static void promotion_ends_in_time(void **state)
{
	struct rig *rig = *state;

	promote(rig, "192.0.2.1", SCREEN_REGISTERED, 60000);
	rig->now += 59999;
	offer(rig, "192.0.2.1", 1);
	assert_int_equal(rig->cls, SCREEN_REGISTERED);
	rig->now += 1;
	offer(rig, "192.0.2.1", 1);
	assert_int_equal(rig->cls, SCREEN_UNKNOWN);
}

static void later_end_of_two_promotions_holds(void **state)
{
	struct rig *rig = *state;

	promote(rig, "192.0.2.1", SCREEN_REGISTERED, 60000);
	promote(rig, "192.0.2.1", SCREEN_REGISTERED, 1000);
	rig->now += 30000;
	offer(rig, "192.0.2.1", 1);
	assert_int_equal(rig->cls, SCREEN_REGISTERED);
}

static void larger_budget_holds_while_both_do(void **state)
{
	struct rig *rig = *state;

	promote(rig, "192.0.2.1", SCREEN_TRUNK, 1000);
	promote(rig, "192.0.2.1", SCREEN_REGISTERED, 60000);
	offer(rig, "192.0.2.1", 1);
	assert_int_equal(rig->cls, SCREEN_TRUNK);
	rig->now += 1000;
	offer(rig, "192.0.2.1", 1);
	assert_int_equal(rig->cls, SCREEN_REGISTERED);
}

static void promotion_to_nothing_changes_nothing(void **state)
{
	struct rig *rig = *state;

	promote(rig, "192.0.2.1", SCREEN_UNKNOWN, 60000);
	offer(rig, "192.0.2.1", 1);
	assert_int_equal(rig->cls, SCREEN_UNKNOWN);
}

/* ---- room ----------------------------------------------------------------------- */

static void known_sources_outlive_a_flood_of_strangers(void **state)
{
	struct rig *rig = *state;

	promote(rig, "192.0.2.1", SCREEN_REGISTERED, 60000);
	promote(rig, "192.0.2.2", SCREEN_TRUNK, 60000);
	flood_from_invented_addresses(rig, 20000);
	offer(rig, "192.0.2.1", 1);
	assert_int_equal(rig->cls, SCREEN_REGISTERED);
	offer(rig, "192.0.2.2", 1);
	assert_int_equal(rig->cls, SCREEN_TRUNK);
}

/* Who floods is never the one that was silent longest. */
static void flooding_stranger_keeps_its_empty_bucket(void **state)
{
	struct rig *rig = *state;
	unsigned admitted = offer(rig, "192.0.2.1", 100);

	for (unsigned i = 0; i < 1000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "198.18.%u.%u", i / 256, i % 256);
		rig->now++;
		offer(rig, text, 1);
		admitted += offer(rig, "192.0.2.1", 1);
	}
	assert_in_range(admitted, BURST, BURST + PER_S);
}

static void
table_full_of_known_sources_leaves_strangers_one_budget(void **state)
{
	struct rig *rig = *state;
	unsigned admitted = 0;

	/* Far more than fit: every slot is taken by a known source. */
	for (unsigned i = 0; i < 5000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.0.%u.%u", i / 256, i % 256);
		promote(rig, text, SCREEN_REGISTERED, 60000 + i);
	}
	for (unsigned i = 0; i < 1000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "198.18.%u.%u", i / 256, i % 256);
		admitted += offer(rig, text, 1);
	}
	assert_int_equal(admitted, BURST); /* all of them together */
	rig->now += 1000;
	assert_int_equal(offer(rig, "198.18.0.1", 1000), PER_S);
}

/* ---- one Call-ID ------------------------------------------------------------------ */

static unsigned offer_call(struct rig *rig, const char *source,
			   const char *call_id, unsigned n)
{
	struct addr a = host(source);
	unsigned admitted = 0;

	while (n--)
		admitted += rate_admit_call(rig->rate, &a, str_of(call_id),
					    rig->now);
	return admitted;
}

static void one_call_id_is_bounded(void **state)
{
	assert_int_equal(offer_call(*state, "192.0.2.1", "one", 20000), 50);
}

static void next_second_is_a_new_one(void **state)
{
	struct rig *rig = *state;

	offer_call(rig, "192.0.2.1", "one", 20000);
	rig->now += 999;
	assert_int_equal(offer_call(rig, "192.0.2.1", "one", 10), 0);
	rig->now += 1;
	assert_int_equal(offer_call(rig, "192.0.2.1", "one", 20000), 50);
}

static void other_call_ids_and_sources_are_free(void **state)
{
	offer_call(*state, "192.0.2.1", "one", 20000);
	assert_int_equal(offer_call(*state, "192.0.2.1", "two", 10), 10);
	assert_int_equal(offer_call(*state, "192.0.2.2", "one", 10), 10);
}

static void many_honest_call_ids_do_not_disturb_each_other(void **state)
{
	unsigned admitted = 0;

	for (unsigned i = 0; i < 20000; i++) {
		char call_id[16];

		snprintf(call_id, sizeof(call_id), "call-%u", i);
		admitted += offer_call(*state, "192.0.2.1", call_id, 4);
	}
	assert_int_equal(admitted, 4 * 20000);
}

static void flooding_call_id_is_found_among_many(void **state)
{
	unsigned admitted = 0;

	for (unsigned i = 0; i < 5000; i++) {
		char call_id[16];

		snprintf(call_id, sizeof(call_id), "call-%u", i);
		offer_call(*state, "192.0.2.1", call_id, 1);
		admitted += offer_call(*state, "192.0.2.1", "flood", 4);
	}
	assert_in_range(admitted, 50, 80);
}

static void flood_takes_its_slot_from_whoever_had_it(void **state)
{
	for (unsigned i = 0; i < 20000; i++) {
		char call_id[16];

		snprintf(call_id, sizeof(call_id), "call-%u", i);
		offer_call(*state, "192.0.2.1", call_id, 1);
	}
	assert_in_range(offer_call(*state, "192.0.2.1", "flood", 20000), 50,
			120);
}

#define RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG(stranger_has_a_burst_of_four_seconds),
		RIG(budget_refills_with_time),
		RIG(idle_source_saves_no_more_than_a_burst),
		RIG(clock_that_stands_or_goes_back_gives_nothing),
		RIG(sources_do_not_share_a_budget),
		RIG(ports_of_one_address_share_its_budget),
		RIG(rate_of_zero_is_no_limit),
		RIG(new_rate_holds_at_once),
		RIG(addresses_of_one_prefix_share_a_budget),
		RIG(local_addresses_are_counted_one_by_one),
		RIG(registered_phone_does_not_pay_for_its_prefix),
		RIG(known_sources_refill_faster),
		RIG(known_sources_have_larger_bursts),
		RIG(promotion_ends_in_time),
		RIG(later_end_of_two_promotions_holds),
		RIG(larger_budget_holds_while_both_do),
		RIG(promotion_to_nothing_changes_nothing),
		RIG(known_sources_outlive_a_flood_of_strangers),
		RIG(flooding_stranger_keeps_its_empty_bucket),
		RIG(table_full_of_known_sources_leaves_strangers_one_budget),
		RIG(one_call_id_is_bounded),
		RIG(next_second_is_a_new_one),
		RIG(other_call_ids_and_sources_are_free),
		RIG(many_honest_call_ids_do_not_disturb_each_other),
		RIG(flooding_call_id_is_found_among_many),
		RIG(flood_takes_its_slot_from_whoever_had_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
