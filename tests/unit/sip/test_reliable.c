/*
 * test_reliable.c - provisional responses that arrive (RFC 3262), answering
 * side, with the library beneath
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sip_rig.h"

#define T1_MS 500

static unsigned no_pracks, matched;

static void on_event(void *arg, struct sip_txn *txn, enum sip_txn_event event,
		     const struct sip_view *view)
{
	struct rig *rig = arg;

	rig->acks += event == SIP_TXN_ACK;
	rig->cancels += event == SIP_TXN_CANCEL;
	no_pracks += event == SIP_TXN_NO_PRACK;
}

/* As a leg does. */
static void in_dialog(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct rig *rig = arg;
	bool hit = view->method == SIP_PRACK && sip_txn_pracked(rig->txn, view);

	rig->in_dialog++;
	matched += hit;
	sip_txn_answer(txn, &(struct sip_message){.status = hit ? 200 : 481});
	sip_txn_release(txn);
}

static void call_in(struct rig *rig, struct sip_request *req)
{
	struct sip_dialog_conf conf = {.request = in_dialog, .arg = rig};

	assert_int_equal(sip_request_accept(req, &rig->txn, on_event, rig), 0);
	conf.flow = sip_txn_view(rig->txn)->flow;
	assert_int_equal(sip_dialog_answer(&rig->dialog, rig->txn, &conf), 0);
}

static void invite_in(struct rig *rig, const char *more)
{
	char lines[512], contact[128];

	no_pracks = matched = 0;
	rig->handle = call_in;
	snprintf(lines, sizeof(lines), "%s%s", rig_contact(rig, contact), more);
	rig_request_send(rig, "INVITE", "i1", "call-1", 10, NULL, lines);
}

static int ring(struct rig *rig, int status)
{
	return sip_txn_answer_reliably(rig->txn, &(struct sip_message){
							 .status = status,
							 .contact = true,
						 });
}

/* The RSeq of the 18x that the peer gets; 0 = it is not reliable. */
static uint32_t rseq_of(struct rig *rig, int status)
{
	char value[512];

	assert_int_equal(rig_status(rig), status);
	if (!rig_header(rig, "RSeq", value))
		return 0;
	return (uint32_t)strtoul(value, NULL, 10);
}

static int prack(struct rig *rig, const char *branch, unsigned cseq,
		 uint32_t rseq, unsigned of)
{
	char value[512], tag[512], lines[64];

	if (rig_param(rig_header(rig, "To", value), ";tag=", tag) == NULL)
		fail_msg("no tag");
	snprintf(lines, sizeof(lines), "RAck: %u %u INVITE\r\n", rseq, of);
	rig_request_send(rig, "PRACK", branch, "call-1", cseq, tag, lines);
	return rig_status(rig);
}

static void it_names_what_it_requires_and_its_number(void **state)
{
	struct rig *rig = *state;
	char value[512];

	invite_in(rig, "Supported: timer, 100rel\r\n");
	assert_true(sip_txn_view(rig->txn)->supports_100rel);
	assert_int_equal(ring(rig, 183), 0);
	assert_true(rseq_of(rig, 183) > 0);
	assert_string_equal(rig_header(rig, "Require", value), "100rel");
	assert_non_null(rig_header(rig, "Contact", value));
}

static void it_is_repeated_until_its_prack(void **state)
{
	struct rig *rig = *state;
	uint32_t rseq;

	invite_in(rig, "Supported: 100rel\r\n");
	ring(rig, 183);
	rseq = rseq_of(rig, 183);
	rig_advance(rig, T1_MS + 50);
	assert_int_equal(rseq_of(rig, 183), rseq);
	rig_advance(rig, T1_MS);
	assert_false(rig_recv(rig));
	rig_advance(rig, T1_MS + 50);
	assert_int_equal(rseq_of(rig, 183), rseq);
	assert_int_equal(prack(rig, "p1", 11, rseq, 10), 200);
	rig_advance(rig, 40 * T1_MS);
	assert_false(rig_recv(rig));
}

static void the_next_one_has_the_next_number_and_waits_its_turn(void **state)
{
	struct rig *rig = *state;
	uint32_t rseq;

	invite_in(rig, "Supported: 100rel\r\n");
	ring(rig, 183);
	rseq = rseq_of(rig, 183);
	assert_int_equal(ring(rig, 180), -EBUSY);
	assert_int_equal(prack(rig, "p1", 11, rseq, 10), 200);
	assert_int_equal(ring(rig, 180), 0);
	assert_int_equal(rseq_of(rig, 180), rseq + 1);
}

static void a_repeated_prack_gets_the_same_answer(void **state)
{
	struct rig *rig = *state;
	uint32_t rseq;

	invite_in(rig, "Supported: 100rel\r\n");
	ring(rig, 183);
	rseq = rseq_of(rig, 183);
	assert_int_equal(prack(rig, "p1", 11, rseq, 10), 200);
	assert_int_equal(prack(rig, "p1", 11, rseq, 10), 200);
	assert_int_equal(matched, 1);
	assert_int_equal(rig->in_dialog, 1);
}

static void a_prack_for_another_response_is_none(void **state)
{
	struct rig *rig = *state;
	uint32_t rseq;

	invite_in(rig, "Supported: 100rel\r\n");
	ring(rig, 183);
	rseq = rseq_of(rig, 183);
	assert_int_equal(prack(rig, "p1", 11, rseq + 1, 10), 481);
	assert_int_equal(prack(rig, "p2", 12, rseq, 9), 481);
	rig_request_send(rig, "PRACK", "p3", "call-1", 13, "nobody",
			 "RAck: 1 10 INVITE\r\n");
	assert_int_equal(rig_status(rig), 481);
	rig_advance(rig, T1_MS + 50);
	assert_int_equal(rseq_of(rig, 183), rseq); /* goes on */
	assert_int_equal(prack(rig, "p4", 14, rseq, 10), 200);
	/* It is done: a new PRACK for it matches nothing. */
	assert_int_equal(prack(rig, "p5", 15, rseq, 10), 481);
}

static void a_prack_without_rack_is_none(void **state)
{
	struct rig *rig = *state;
	char value[512], tag[512];

	invite_in(rig, "Supported: 100rel\r\n");
	ring(rig, 183);
	rseq_of(rig, 183);
	rig_param(rig_header(rig, "To", value), ";tag=", tag);
	rig_request_send(rig, "PRACK", "p1", "call-1", 11, tag, "");
	assert_int_equal(rig_status(rig), 481);
}

static void a_prack_out_of_order_is_refused(void **state)
{
	struct rig *rig = *state;

	invite_in(rig, "Supported: 100rel\r\n");
	ring(rig, 183);
	assert_int_equal(prack(rig, "p1", 9, rseq_of(rig, 183), 10), 500);
	assert_int_equal(rig->in_dialog, 0);
}

static void without_prack_it_is_told_after_64_t1(void **state)
{
	struct rig *rig = *state;
	unsigned sent = 0;

	invite_in(rig, "Supported: 100rel\r\n");
	ring(rig, 183);
	rig_advance(rig, 63 * T1_MS);
	while (rig_recv(rig))
		sent++;
	assert_int_equal(sent, 7); /* 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s */
	assert_int_equal(no_pracks, 0);
	rig_advance(rig, T1_MS + 50);
	assert_int_equal(no_pracks, 1);
	assert_false(rig_recv(rig));
}

static void a_final_answer_ends_the_repeating(void **state)
{
	struct rig *rig = *state;
	uint32_t rseq;

	invite_in(rig, "Supported: 100rel\r\n");
	ring(rig, 180);
	rseq = rseq_of(rig, 180);
	sip_txn_answer(rig->txn, &(struct sip_message){
					 .status = 200,
					 .contact = true,
				 });
	assert_int_equal(rig_status(rig), 200);
	/* RFC 3262 3: its PRACK may still come. */
	assert_int_equal(prack(rig, "p1", 11, rseq, 10), 200);
	rig_advance(rig, 64 * T1_MS);
	assert_int_equal(no_pracks, 0);
}

static void cancel_ends_it_and_a_prack_that_crosses_does_no_harm(void **state)
{
	struct rig *rig = *state;

	invite_in(rig, "Supported: 100rel\r\n");
	ring(rig, 183);
	rseq_of(rig, 183);
	rig_request_send(rig, "CANCEL", "i1", "call-1", 10, NULL, "");
	assert_int_equal(rig->cancels, 1);
	assert_int_equal(rig_status(rig), 200);
	assert_int_equal(rig_status(rig), 487);
	sip_txn_release(rig->txn);
	rig->txn = NULL;
	sip_dialog_destroy(rig->dialog);
	rig->dialog = NULL;
	rig_request_send(rig, "PRACK", "p1", "call-1", 11, "x",
			 "RAck: 1 10 INVITE\r\n");
	assert_int_equal(rig_status(rig), 481);
	rig_advance(rig, 64 * T1_MS);
	assert_int_equal(no_pracks, 0);
}

static void who_cannot_is_not_asked_to(void **state)
{
	struct rig *rig = *state;

	invite_in(rig, "");
	assert_int_equal(ring(rig, 183), -EPROTO);
	assert_int_equal(ring(rig, 100), -EINVAL);
	assert_int_equal(ring(rig, 200), -EINVAL);
	assert_false(rig_recv(rig));
}

static void who_requires_it_gets_no_other(void **state)
{
	struct rig *rig = *state;
	const struct sip_message m = {.status = 180, .contact = true};

	invite_in(rig, "Require: 100rel\r\n");
	assert_true(sip_txn_view(rig->txn)->requires_100rel);
	assert_int_equal(sip_txn_answer(rig->txn, &m), -EPROTO);
	assert_false(rig_recv(rig));
	assert_int_equal(ring(rig, 180), 0);
	assert_true(rseq_of(rig, 180) > 0);
}

static void the_dialog_goes_on_after_a_prack(void **state)
{
	struct rig *rig = *state;
	char value[512], tag[512];

	invite_in(rig, "Supported: 100rel\r\n");
	ring(rig, 183);
	assert_int_equal(prack(rig, "p1", 11, rseq_of(rig, 183), 10), 200);
	rig_param(rig_header(rig, "To", value), ";tag=", tag);
	rig_request_send(rig, "BYE", "b1", "call-1", 11, tag, "");
	assert_int_equal(rig->in_dialog, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_names_what_it_requires_and_its_number),
		TEST(it_is_repeated_until_its_prack),
		TEST(the_next_one_has_the_next_number_and_waits_its_turn),
		TEST(a_repeated_prack_gets_the_same_answer),
		TEST(a_prack_for_another_response_is_none),
		TEST(a_prack_without_rack_is_none),
		TEST(a_prack_out_of_order_is_refused),
		TEST(without_prack_it_is_told_after_64_t1),
		TEST(a_final_answer_ends_the_repeating),
		TEST(cancel_ends_it_and_a_prack_that_crosses_does_no_harm),
		TEST(who_cannot_is_not_asked_to),
		TEST(who_requires_it_gets_no_other),
		TEST(the_dialog_goes_on_after_a_prack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
