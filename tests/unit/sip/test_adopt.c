/*
 * test_adopt.c - dialogs that another box made: what of them is told, and how
 * they go on here
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sip_rig.h"

static struct sip_txn *taken; /* the request that was astray */

static void in_dialog(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	const struct sip_message ok = {.status = 200, .contact = true};
	struct rig *rig = arg;

	rig->in_dialog++;
	sip_txn_answer(txn, &ok);
	sip_txn_release(txn);
}

static bool take(struct rig *rig, struct sip_request *req)
{
	assert_int_equal(sip_request_accept(req, &taken, NULL, rig), 0);
	return true;
}

static bool leave(struct rig *rig, struct sip_request *req)
{
	rig->requests++;
	return false;
}

static const struct sip_dialog_ids ids = {
	.call_id = "call-of-box-1",
	.local_tag = "ours",
	.remote_tag = "peer",
	.target = "sip:peer@192.168.1.7:5070;ob",
	.route = "<sip:192.0.2.1;lr>, <sip:192.0.2.2;lr>",
};

static void adopt(struct rig *rig, const struct sip_dialog_ids *of,
		  uint32_t cseq)
{
	struct sip_dialog_conf conf = {
		.local_user = "100",
		.local_host = "example.org",
		.remote_user = "101",
		.request = in_dialog,
		.arg = rig,
	};

	assert_int_equal(
		sip_flow_to(rig->sip, "lan", SIP_UDP, &rig->peer, &conf.flow),
		0);
	assert_int_equal(
		sip_dialog_adopt(&rig->dialog, rig->sip, &conf, of, cseq), 0);
}

static void send_bye(struct rig *rig)
{
	const struct sip_message m = {.method = SIP_BYE};

	assert_int_equal(sip_dialog_request(rig->dialog, NULL, &m, NULL, NULL),
			 0);
	assert_true(rig_recv(rig));
}

static void expect_header(struct rig *rig, const char *name, const char *value)
{
	char text[512];

	assert_non_null(rig_header(rig, name, text));
	assert_string_equal(text, value);
}

static void a_request_of_an_unknown_dialog_is_offered_once(void **state)
{
	struct rig *rig = *state;

	rig->stray = leave;
	rig_request_send(rig, "BYE", "b1", "call-9", 7, "what", "");
	assert_int_equal(rig_status(rig), 481);
	assert_int_equal(rig->requests, 1);
	rig->stray = take;
	rig_request_send(rig, "BYE", "b2", "call-9", 7, "what", "");
	assert_int_equal(rig_status(rig), 0);
	sip_txn_answer(taken, &(struct sip_message){.status = 200});
	assert_int_equal(rig_status(rig), 200);
	rig_request_send(rig, "BYE", "b2", "call-9", 7, "what", "");
	assert_int_equal(rig_status(rig), 200); /* repeated by the stack */
	sip_txn_release(taken);
}

static void what_belongs_to_no_dialog_is_not_offered(void **state)
{
	struct rig *rig = *state;

	rig->stray = leave;
	rig_request_send(rig, "CANCEL", "c1", "call-9", 7, "what", "");
	assert_int_equal(rig_status(rig), 481);
	rig_request_send(rig, "ACK", "a1", "call-9", 7, "what", "");
	assert_int_equal(rig_status(rig), 0);
	rig_request_send(rig, "OPTIONS", "o1", "call-9", 7, NULL, "");
	assert_int_equal(rig_status(rig), 200);
	assert_int_equal(rig->requests, 1); /* the one without a tag */
}

static void an_adopted_dialog_says_what_the_other_box_would(void **state)
{
	struct rig *rig = *state;

	adopt(rig, &ids, 4711);
	send_bye(rig);
	assert_memory_equal(rig->msg, "BYE sip:peer@192.168.1.7:5070;ob SIP",
			    35);
	expect_header(rig, "Call-ID", "call-of-box-1");
	expect_header(rig, "From", "<sip:100@example.org>;tag=ours");
	expect_header(rig, "To", "<sip:101@192.168.1.7>;tag=peer");
	expect_header(rig, "CSeq", "4711 BYE");
	expect_header(rig, "Route", "<sip:192.0.2.1;lr>");
	assert_non_null(strstr(rig->msg, "<sip:192.0.2.2;lr>"));
	rig_answer(rig, 200, NULL, "");
	send_bye(rig);
	expect_header(rig, "CSeq", "4712 BYE");
	rig_answer(rig, 200, NULL, "");
}

static void an_adopted_dialog_takes_its_peers_requests(void **state)
{
	struct rig *rig = *state;

	adopt(rig, &ids, 1);
	rig_request_send(rig, "INFO", "i1", "call-of-box-1", 11, "ours", "");
	assert_int_equal(rig_status(rig), 200);
	assert_int_equal(rig->in_dialog, 1);
	rig_request_send(rig, "INFO", "i2", "call-of-box-1", 12, "other", "");
	assert_int_equal(rig_status(rig), 481);
}

static void names_that_cannot_be_written_are_refused(void **state)
{
	struct rig *rig = *state;
	struct sip_dialog_conf conf = {.local_user = "a", .request = in_dialog};
	struct sip_dialog_ids bad = ids;

	sip_flow_to(rig->sip, "lan", SIP_UDP, &rig->peer, &conf.flow);
	bad.remote_tag = "a b";
	assert_int_equal(
		sip_dialog_adopt(&rig->dialog, rig->sip, &conf, &bad, 1),
		-EINVAL);
	bad = ids;
	bad.target = "tel:100";
	assert_int_equal(
		sip_dialog_adopt(&rig->dialog, rig->sip, &conf, &bad, 1),
		-EINVAL);
	bad = ids;
	bad.local_tag = "";
	assert_int_equal(
		sip_dialog_adopt(&rig->dialog, rig->sip, &conf, &bad, 1),
		-EINVAL);
}

static void what_is_told_of_a_dialog_makes_it_again(void **state)
{
	struct rig *rig = *state;
	struct sip_dialog_ids told;
	char mem[512], small[64];

	adopt(rig, &ids, 1);
	assert_int_equal(
		sip_dialog_ids(rig->dialog, &told, small, sizeof(small)),
		-ENOSPC);
	assert_int_equal(sip_dialog_ids(rig->dialog, &told, mem, sizeof(mem)),
			 0);
	assert_string_equal(told.call_id, ids.call_id);
	assert_string_equal(told.local_tag, ids.local_tag);
	assert_string_equal(told.remote_tag, ids.remote_tag);
	assert_string_equal(told.target, ids.target);
	assert_string_equal(told.route, ids.route);
}

static void what_is_not_known_yet_is_not_told(void **state)
{
	struct rig *rig = *state;
	struct sip_dialog_conf conf = {
		.target = "sip:a@192.0.2.7",
		.local_user = "a",
		.request = in_dialog,
	};
	struct sip_dialog_ids told;
	char mem[512];

	sip_flow_to(rig->sip, "lan", SIP_UDP, &rig->peer, &conf.flow);
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
	assert_int_equal(sip_dialog_ids(rig->dialog, &told, mem, sizeof(mem)),
			 0);
	assert_non_null(told.call_id);
	assert_non_null(told.local_tag);
	assert_null(told.remote_tag);
	assert_null(told.target);
}

static void a_detour_goes_before_the_route_set(void **state)
{
	struct rig *rig = *state;
	const char *at;

	adopt(rig, &ids, 1);
	assert_int_equal(
		sip_dialog_detour(rig->dialog, "<sip:t@198.51.100.2;lr>"), 0);
	send_bye(rig);
	at = strstr(rig->msg, "<sip:t@198.51.100.2;lr>");
	assert_non_null(at);
	at = strstr(at, "<sip:192.0.2.1;lr>");
	assert_non_null(at);
	assert_non_null(strstr(at, "<sip:192.0.2.2;lr>"));
	assert_memory_equal(rig->msg, "BYE sip:peer@192.168.1.7:5070;ob", 31);
	rig_answer(rig, 200, NULL, "");
	sip_dialog_detour(rig->dialog, NULL);
	send_bye(rig);
	assert_null(strstr(rig->msg, "198.51.100.2"));
	rig_answer(rig, 200, NULL, "");
}

static void an_aim_changes_where_requests_go(void **state)
{
	struct rig *rig = *state;
	struct sip_dialog_ids other = ids;

	adopt(rig, &ids, 1);
	other.target = "sip:elsewhere@192.0.2.77";
	other.route = "<sip:192.0.2.3;lr>";
	assert_int_equal(sip_dialog_aim(rig->dialog, &other), 0);
	send_bye(rig);
	assert_memory_equal(rig->msg, "BYE sip:elsewhere@192.0.2.77 SIP", 32);
	expect_header(rig, "Route", "<sip:192.0.2.3;lr>");
	assert_null(strstr(rig->msg, "192.0.2.1"));
	rig_answer(rig, 200, NULL, "");
}

static void a_name_stands_in_requests_and_answers(void **state)
{
	struct rig *rig = *state;
	char contact[512];

	adopt(rig, &ids, 1);
	assert_int_equal(sip_dialog_name(rig->dialog, NULL, "a-token_1"), 0);
	rig_request_send(rig, "INFO", "i1", "call-of-box-1", 11, "ours", "");
	assert_int_equal(rig_status(rig), 200);
	assert_non_null(rig_header(rig, "Contact", contact));
	assert_non_null(strstr(contact, "<sip:a-token_1@127.0.0.1:"));
	sip_dialog_request(
		rig->dialog, NULL,
		&(struct sip_message){.method = SIP_INFO, .contact = true},
		NULL, NULL);
	assert_true(rig_recv(rig));
	assert_non_null(rig_header(rig, "Contact", contact));
	assert_non_null(strstr(contact, "<sip:a-token_1@127.0.0.1:"));
	rig_answer(rig, 200, NULL, "");
}

/* What came from one end with number 30 goes on to the other with 30. */
static void numbers_go_on_across_a_mirror(void **state)
{
	struct rig *rig = *state;
	struct sip_dialog_ids back = ids;
	struct sip_dialog *there;

	adopt(rig, &ids, 0);
	there = rig->dialog;
	back.local_tag = ids.remote_tag;
	back.remote_tag = ids.local_tag;
	adopt(rig, &back, 0);
	sip_dialog_mirror(there, rig->dialog);
	rig_request_send(rig, "INFO", "i1", "call-of-box-1", 30, "ours", "");
	assert_int_equal(rig_status(rig), 200);
	send_bye(rig);
	expect_header(rig, "CSeq", "30 BYE");
	rig_answer(rig, 200, NULL, "");
	sip_dialog_destroy(there); /* first: the other forgets it */
	send_bye(rig);
	expect_header(rig, "CSeq", "31 BYE");
	rig_answer(rig, 200, NULL, "");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(a_request_of_an_unknown_dialog_is_offered_once),
		T(what_belongs_to_no_dialog_is_not_offered),
		T(an_adopted_dialog_says_what_the_other_box_would),
		T(an_adopted_dialog_takes_its_peers_requests),
		T(names_that_cannot_be_written_are_refused),
		T(what_is_told_of_a_dialog_makes_it_again),
		T(what_is_not_known_yet_is_not_told),
		T(a_detour_goes_before_the_route_set),
		T(an_aim_changes_where_requests_go),
		T(a_name_stands_in_requests_and_answers),
		T(numbers_go_on_across_a_mirror),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
