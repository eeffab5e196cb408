/*
 * test_screen.c - the order of questions, and the counts
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

#include "screen/screen.h"

#define REQUEST(call_id)                                                       \
	"OPTIONS sip:b@example.com SIP/2.0\r\n"                                \
	"Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nCall-ID: " call_id      \
	"\r\n\r\n"

enum { RATE = 100, NOW = 5000 };

struct rig {
	struct screen *screen;
	struct addr source;
};

static int setup(void **state)
{
	const struct screen_conf conf = {.rate = RATE};
	static struct rig rig;

	assert_int_equal(screen_create(&rig.screen, &conf), 0);
	assert_int_equal(addr_parse_port(&rig.source, "192.0.2.9:5060"), 0);
	*state = &rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	screen_destroy(rig->screen);
	return 0;
}

static enum screen_verdict offer(struct rig *rig, const char *text)
{
	return screen_datagram(rig->screen, (const uint8_t *)text, strlen(text),
			       &rig->source, NOW);
}

static enum screen_verdict offer_new_call(struct rig *rig, unsigned i)
{
	char text[256];

	snprintf(text, sizeof(text), REQUEST("call-%u"), i);
	return offer(rig, text);
}

static void verdicts_are_counted(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(offer(rig, REQUEST("1")), SCREEN_PASS);
	assert_int_equal(offer(rig, REQUEST("2")), SCREEN_PASS);
	assert_int_equal(offer(rig, "\r\n\r\n"), SCREEN_KEEPALIVE);
	assert_int_equal(offer(rig, "garbage garbage garbage"), SCREEN_SHAPE);
	assert_int_equal(screen_count(rig->screen, SCREEN_PASS), 2);
	assert_int_equal(screen_count(rig->screen, SCREEN_KEEPALIVE), 1);
	assert_int_equal(screen_count(rig->screen, SCREEN_SHAPE), 1);
	assert_int_equal(screen_count(rig->screen, SCREEN_RATE), 0);
	assert_int_equal(screen_count(rig->screen, SCREEN_VERDICTS), 0);
}

static void source_over_its_budget_is_not_even_looked_at(void **state)
{
	struct rig *rig = *state;

	for (unsigned i = 0; i < 4 * RATE; i++)
		assert_int_equal(offer_new_call(rig, i), SCREEN_PASS);
	assert_int_equal(offer(rig, REQUEST("1")), SCREEN_RATE);
	assert_int_equal(offer(rig, "garbage garbage garbage"), SCREEN_RATE);
}

static void garbage_costs_budget_too(void **state)
{
	struct rig *rig = *state;

	for (unsigned i = 0; i < 4 * RATE; i++)
		offer(rig, "garbage garbage garbage");
	assert_int_equal(offer(rig, REQUEST("1")), SCREEN_RATE);
}

static void keepalives_cost_no_budget(void **state)
{
	struct rig *rig = *state;

	for (unsigned i = 0; i < 8 * RATE; i++)
		offer(rig, "\r\n\r\n");
	assert_int_equal(offer(rig, REQUEST("1")), SCREEN_PASS);
}

static void one_call_id_with_many_branches_is_bounded(void **state)
{
	struct rig *rig = *state;

	screen_set_rate(rig->screen, 0);
	for (unsigned i = 0; i < 20000; i++)
		offer(rig, REQUEST("same"));
	assert_int_equal(screen_count(rig->screen, SCREEN_PASS), 50);
	assert_int_equal(screen_count(rig->screen, SCREEN_RATE), 19950);
}

static void trunk_may_use_one_call_id_as_it_likes(void **state)
{
	struct rig *rig = *state;

	screen_set_rate(rig->screen, 0);
	screen_promote(rig->screen, &rig->source, SCREEN_TRUNK, NOW + 1000);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(offer(rig, REQUEST("same")), SCREEN_PASS);
}

static void registered_phone_is_bound_to_the_call_id_rule(void **state)
{
	struct rig *rig = *state;

	screen_promote(rig->screen, &rig->source, SCREEN_REGISTERED,
		       NOW + 1000);
	for (unsigned i = 0; i < 60; i++)
		offer(rig, REQUEST("same"));
	assert_int_equal(screen_count(rig->screen, SCREEN_PASS), 50);
}

static void requests_without_call_id_share_no_limit_but_the_budget(void **state)
{
	static const char text[] = "OPTIONS sip:b@example.com SIP/2.0\r\n"
				   "Via: SIP/2.0/UDP 192.0.2.9\r\n\r\n";
	struct rig *rig = *state;

	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(offer(rig, text), SCREEN_PASS);
}

static void destroy_accepts_nothing(void **state)
{
	screen_destroy(NULL);
}

#define RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void messages_of_connections_draw_on_the_same_budgets(void **state)
{
	struct rig *rig = *state;
	char id[32];
	int let_in = 0, same = 0;

	for (int i = 0; i < 200; i++)
		same += screen_message(rig->screen, STR("same"), &rig->source,
				       NOW) == SCREEN_PASS;
	assert_int_equal(same, 50);
	for (int i = 0; i < 20 * RATE; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		let_in += screen_message(rig->screen, str_of(id), &rig->source,
					 NOW) == SCREEN_PASS;
	}
	assert_true(let_in > 0 && let_in <= 4 * RATE - 200);
	assert_int_equal(offer_new_call(rig, 1), SCREEN_RATE);
	assert_int_equal(screen_count(rig->screen, SCREEN_PASS), same + let_in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG(verdicts_are_counted),
		RIG(source_over_its_budget_is_not_even_looked_at),
		RIG(garbage_costs_budget_too),
		RIG(keepalives_cost_no_budget),
		RIG(one_call_id_with_many_branches_is_bounded),
		RIG(trunk_may_use_one_call_id_as_it_likes),
		RIG(registered_phone_is_bound_to_the_call_id_rule),
		RIG(requests_without_call_id_share_no_limit_but_the_budget),
		RIG(messages_of_connections_draw_on_the_same_budgets),
		cmocka_unit_test(destroy_accepts_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
