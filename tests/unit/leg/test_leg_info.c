/*
 * test_leg_info.c - INFO crosses one at a time and in order
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "leg_rig.h"

static void a_burst_waits_and_keeps_its_order(void **state)
{
	static const char *const digits[] = {"1", "2", "3", "4", "5"};
	struct rig *rig = *state;
	struct sip_txn *txn[5];

	up_out(rig);
	for (int i = 0; i < 5; i++)
		txn[i] = comes(rig, SIP_INFO, digits[i]);
	assert_int_equal(rig->told.info, 1);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(fake_answer(txn[i])->status, 0);
		assert_int_equal(rig->told.info, i + 1);
		assert_string_equal(rig->told.info_body[i], digits[i]);
		leg_info_answer(rig->leg, 200);
		assert_int_equal(fake_answer(txn[i])->status, 200);
	}
	assert_int_equal(rig->told.info, 5);
	leg_info_answer(rig->leg, 200); /* of nothing */
}

static void the_ninth_has_to_come_again(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	up_out(rig);
	for (int i = 0; i < LEG_INFOS; i++)
		comes(rig, SIP_INFO, "1");
	txn = comes(rig, SIP_INFO, "2");
	assert_int_equal(fake_answer(txn)->status, 500);
	ASSERT_HAS(fake_answer(txn)->headers, "Retry-After");
	leg_info_answer(rig->leg, 200);
	txn = comes(rig, SIP_INFO, "3");
	assert_int_equal(fake_answer(txn)->status, 0);
}

static void those_that_wait_end_with_the_leg(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *bye;

	up_out(rig);
	comes(rig, SIP_INFO, "1");
	comes(rig, SIP_INFO, "2");
	bye = comes(rig, SIP_BYE, NULL);
	assert_int_equal(fake_answer(bye)->status, 200);
	assert_int_equal(rig->told.info, 1);
}

static void one_is_under_way_to_the_peer_at_a_time(void **state)
{
	const struct sip_view info = {.body = STR("5")};
	struct rig *rig = *state;

	up_out(rig);
	assert_int_equal(leg_info(rig->leg, &info), 0);
	assert_int_equal(leg_info(rig->leg, &info), -EAGAIN);
	fake_response(fake_request(SIP_INFO)->txn, 200, NULL);
	assert_int_equal(leg_info(rig->leg, &info), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_burst_waits_and_keeps_its_order),
		TEST(the_ninth_has_to_come_again),
		TEST(those_that_wait_end_with_the_leg),
		TEST(one_is_under_way_to_the_peer_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
