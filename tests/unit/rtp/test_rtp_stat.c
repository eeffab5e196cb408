/*
 * test_rtp_stat.c - counting what did not arrive
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after its four: */
#include <cmocka.h>

#include "rtp/rtp.h"

enum { ME = 7, SOMEBODY_ELSE = 8 };

/* @n packets in order from @seq on. */
static void add(struct rtp_stat *st, uint32_t ssrc, unsigned seq, unsigned n)
{
	while (n--)
		rtp_stat_add(st, ssrc, (uint16_t)seq++);
}

static void nothing_received_is_nothing_lost(void **state)
{
	struct rtp_stat st = {0};

	assert_int_equal(rtp_stat_lost(&st), 0);
}

static void packets_in_order_lose_nothing(void **state)
{
	struct rtp_stat st = {0};

	add(&st, ME, 100, 500);
	assert_int_equal(st.received, 500);
	assert_int_equal(rtp_stat_lost(&st), 0);
}

static void gap_is_loss(void **state)
{
	struct rtp_stat st = {0};

	add(&st, ME, 1, 10);
	add(&st, ME, 14, 10);
	assert_int_equal(rtp_stat_lost(&st), 3);
}

static void late_packet_fills_its_gap(void **state)
{
	struct rtp_stat st = {0};

	add(&st, ME, 1, 10);
	add(&st, ME, 12, 10);
	assert_int_equal(rtp_stat_lost(&st), 1);
	add(&st, ME, 11, 1);
	assert_int_equal(rtp_stat_lost(&st), 0);
}

static void wrap_of_the_numbers_is_no_loss(void **state)
{
	struct rtp_stat st = {0};

	add(&st, ME, 65530, 20);
	assert_int_equal(rtp_stat_lost(&st), 0);
	add(&st, ME, 65550, 65536);
	assert_int_equal(rtp_stat_lost(&st), 0);
	assert_int_equal(st.received, 65556);
}

static void gap_across_the_wrap_is_counted(void **state)
{
	struct rtp_stat st = {0};

	add(&st, ME, 65530, 3);
	add(&st, ME, 2, 3); /* 65533 .. 1 are missing */
	assert_int_equal(rtp_stat_lost(&st), 5);
}

static void duplicates_never_make_loss_negative(void **state)
{
	struct rtp_stat st = {0};

	add(&st, ME, 1, 10);
	add(&st, ME, 10, 1);
	add(&st, ME, 10, 1);
	assert_int_equal(rtp_stat_lost(&st), 0);
}

static void new_source_keeps_what_was_lost_before(void **state)
{
	struct rtp_stat st = {0};

	add(&st, ME, 1, 10);
	add(&st, ME, 14, 1);
	add(&st, SOMEBODY_ELSE, 50000, 10);
	assert_int_equal(rtp_stat_lost(&st), 3);
	add(&st, SOMEBODY_ELSE, 50012, 1);
	assert_int_equal(rtp_stat_lost(&st), 5);
	assert_int_equal(st.received, 22);
	assert_int_equal(st.ssrc, SOMEBODY_ELSE);
}

static void one_wild_number_is_not_believed(void **state)
{
	struct rtp_stat st = {0};

	add(&st, ME, 1, 10);
	add(&st, ME, 30000, 1);
	assert_int_equal(st.received, 10);
	add(&st, ME, 11, 10);
	assert_int_equal(rtp_stat_lost(&st), 0);
}

static void restarted_sender_is_believed_at_its_second_packet(void **state)
{
	struct rtp_stat st = {0};

	add(&st, ME, 1, 10);
	add(&st, ME, 30000, 10);
	assert_int_equal(rtp_stat_lost(&st), 0);
	add(&st, ME, 30012, 1);
	assert_int_equal(rtp_stat_lost(&st), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_received_is_nothing_lost),
		cmocka_unit_test(packets_in_order_lose_nothing),
		cmocka_unit_test(gap_is_loss),
		cmocka_unit_test(late_packet_fills_its_gap),
		cmocka_unit_test(wrap_of_the_numbers_is_no_loss),
		cmocka_unit_test(gap_across_the_wrap_is_counted),
		cmocka_unit_test(duplicates_never_make_loss_negative),
		cmocka_unit_test(new_source_keeps_what_was_lost_before),
		cmocka_unit_test(one_wild_number_is_not_believed),
		cmocka_unit_test(
			restarted_sender_is_believed_at_its_second_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
