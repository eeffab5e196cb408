/*
 * test_again.c - a request that was refused goes out once more with other
 * headers
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sip_rig.h"

static struct sip_txn *old;
static unsigned refusals, answers;
static int err;

static void request(void *arg, struct sip_txn *txn, const struct sip_view *view)
{
	sip_txn_answer(txn, &(struct sip_message){.status = 200});
	sip_txn_release(txn);
}

static void on_answer(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct rig *rig = arg;

	answers++;
	rig->last_status = view->status;
	if (view->status >= 200 && view->status < 300 &&
	    view->method == SIP_INVITE) {
		sip_dialog_establish(rig->dialog, view);
		assert_int_equal(sip_dialog_ack(rig->dialog, txn, NULL), 0);
	}
}

static void on_refusal(void *arg, struct sip_txn *txn,
		       const struct sip_view *view)
{
	static const struct sip_header longer[] = {
		{"Session-Expires", "3600"},
		{"Min-SE", "3600"},
	};
	struct rig *rig = arg;

	refusals++;
	old = txn;
	err = sip_dialog_again(rig->dialog, &rig->txn, txn, longer, 2,
			       on_answer, rig);
	sip_txn_release(txn);
}

static uint32_t cseq(struct rig *rig)
{
	char value[512];

	assert_non_null(rig_header(rig, "CSeq", value));
	return (uint32_t)strtoul(value, NULL, 10);
}

static void begin(struct rig *rig)
{
	static const struct sip_header headers[] = {
		{"Supported", "timer"},
		{"Session-Expires", "1800"},
		{"Min-SE", "90"},
	};
	const struct sip_message invite = {
		.method = SIP_INVITE,
		.contact = true,
		.content_type = "application/sdp",
		.body = STR("v=0\r\n"),
		.headers = headers,
		.n_headers = 3,
	};
	struct sip_dialog_conf conf = {
		.target = "sip:peer@198.51.100.1",
		.local_user = "a",
		.remote_user = "peer",
		.request = request,
		.arg = rig,
	};

	refusals = answers = 0;
	assert_int_equal(
		sip_flow_to(rig->sip, "lan", SIP_UDP, &rig->peer, &conf.flow),
		0);
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
	assert_int_equal(sip_dialog_request(rig->dialog, &rig->txn, &invite,
					    on_refusal, rig),
			 0);
	assert_true(rig_recv(rig));
}

static void it_has_the_new_headers_and_all_the_others(void **state)
{
	struct rig *rig = *state;
	char first[512], branch[512], value[512];
	uint32_t seq;

	begin(rig);
	seq = cseq(rig);
	rig_header(rig, "Call-ID", first);
	rig_header(rig, "Via", branch);
	rig_answer(rig, 422, "one", "");
	assert_int_equal(refusals, 1);
	assert_int_equal(err, 0);
	assert_true(rig_recv(rig)); /* the ACK of the 422 */
	assert_memory_equal(rig->msg, "ACK ", 4);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "INVITE ", 7);
	assert_int_equal(cseq(rig), seq + 1);
	assert_string_equal(rig_header(rig, "Call-ID", value), first);
	assert_string_not_equal(rig_header(rig, "Via", value), branch);
	assert_string_equal(rig_header(rig, "Session-Expires", value), "3600");
	assert_string_equal(rig_header(rig, "Min-SE", value), "3600");
	assert_string_equal(rig_header(rig, "Supported", value), "timer");
	assert_null(strstr(rig->msg, "1800"));
	assert_non_null(rig_header(rig, "Contact", value));
	assert_non_null(strstr(rig->msg, "\r\n\r\nv=0\r\n"));
	rig_answer(rig, 486, "two", "");
	assert_int_equal(rig->last_status, 486);
}

/* The library's count goes on: the BYE comes after it. */
static void the_dialog_counts_on(void **state)
{
	struct rig *rig = *state;
	uint32_t seq;

	begin(rig);
	seq = cseq(rig);
	rig_answer(rig, 422, "one", "");
	assert_true(rig_recv(rig));
	assert_true(rig_recv(rig));
	rig_answer(rig, 200, "two", "Contact: <sip:peer@198.51.100.1>\r\n");
	assert_int_equal(rig->last_status, 200);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "ACK ", 4);
	assert_int_equal(cseq(rig), seq + 1);
	assert_int_equal(
		sip_dialog_request(rig->dialog, NULL,
				   &(struct sip_message){.method = SIP_BYE},
				   NULL, NULL),
		0);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "BYE ", 4);
	assert_int_equal(cseq(rig), seq + 2);
}

static void what_is_not_refused_stays(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *again;

	begin(rig);
	assert_int_equal(sip_dialog_again(rig->dialog, &again, rig->txn, NULL,
					  0, on_answer, rig),
			 -EINVAL);
	rig_answer(rig, 486, "one", "");
	assert_true(rig_recv(rig));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			it_has_the_new_headers_and_all_the_others, rig_setup,
			rig_teardown),
		cmocka_unit_test_setup_teardown(the_dialog_counts_on, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(what_is_not_refused_stays,
						rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
