/*
 * test_call_identity.c - who is told who calls
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_rig.h"

static const char trusts[] = "config sbc 'global'\n"
			     "config realm 'lan'\n"
			     "config phone '100'\n"
			     "	option password 'secret-a'\n"
			     "config phone '101'\n"
			     "	option password 'secret-b'\n"
			     "config trunk 'itsp'\n"
			     "	option realm 'lan'\n"
			     "	option host '198.51.100.5'\n"
			     "	option domain 'itsp.example'\n"
			     "	option identity 'pai'\n"
			     "config trunk 'friend'\n"
			     "	option realm 'lan'\n"
			     "	option host '198.51.100.6'\n"
			     "	option domain 'friend.example'\n"
			     "	option identity 'rpid'\n"
			     "	option trust_identity '1'\n"
			     "config route 'out'\n"
			     "	option match '0.'\n"
			     "	list to 'itsp'\n"
			     "config route 'over'\n"
			     "	option match '8.'\n"
			     "	list to 'friend'\n";

static const struct sip_header told[] = {
	{"P-Asserted-Identity", "\"Boss\" <sip:+4930777@inside.example>"},
	{"Diversion", "<sip:+4930888@inside.example>;reason=no-answer"},
	{NULL, NULL},
};
static const struct sip_header hidden[] = {
	{"P-Asserted-Identity", "<sip:+4930777@inside.example>"},
	{"Privacy", "id;critical"},
	{NULL, NULL},
};
static const struct sip_header history[] = {
	{"History-Info", "<sip:1@inside.example>;index=1"},
	{"History-Info",
	 "<sip:2@inside.example;cause=302>;index=1.1;cause=486"},
	{"History-Info", "<sip:3@inside.example>;index=1.2;cause=408"},
	{NULL, NULL},
};

static int setup_trust(void **state)
{
	struct conf_errors errs = {0};
	struct config *config;
	struct rig *rig;

	if (setup(state))
		return -1;
	rig = *state;
	assert_int_equal(config_parse(&config, "test", STR(trusts), &errs), 0);
	trunks_set_config(rig->trunks, config);
	calls_set_config(rig->calls, config);
	config_unref(rig->config);
	rig->config = known = config;
	return 0;
}

static const struct fake_message *sent(void)
{
	return fake_request(SIP_INVITE);
}

static bool has(const char *text)
{
	return strstr(sent()->headers, text) != NULL;
}

static void come_from(struct rig *rig, const char *source)
{
	addr_parse_port(&rig->flow_a.remote, source);
}

static void a_phones_number_is_asserted_to_the_trunk_that_wants_it(void **state)
{
	invite(*state, "0123", OFFER);
	assert_string_equal(sent()->dialog->local_user, "100");
	assert_true(has("P-Asserted-Identity: <sip:100@itsp.example>"));
	assert_false(has("Privacy"));
}

static void what_a_phone_asserts_of_itself_is_nobodys_business(void **state)
{
	fake.headers = told;
	invite(*state, "0123", OFFER);
	assert_true(has("P-Asserted-Identity: <sip:100@itsp.example>"));
	assert_false(has("+4930777"));
	assert_false(has("Diversion"));
}

static void
who_hides_is_anonymous_and_no_number_goes_where_no_trust_is(void **state)
{
	fake.headers = hidden;
	invite(*state, "0123", OFFER);
	assert_string_equal(sent()->dialog->local_user, "anonymous");
	assert_true(has("Privacy: id"));
	assert_false(has("P-Asserted-Identity"));
}

static void a_trusted_trunk_is_told_the_number_and_to_keep_it(void **state)
{
	fake.headers = hidden;
	invite(*state, "8123", OFFER);
	assert_string_equal(sent()->dialog->local_user, "anonymous");
	assert_true(has("Remote-Party-ID: <sip:100@friend.example>"
			";party=calling;screen=yes;privacy=full"));
	assert_true(has("Privacy: id"));
}

static void a_trusted_trunk_is_believed(void **state)
{
	struct rig *rig = *state;

	come_from(rig, "198.51.100.6:5060");
	fake.headers = told;
	invite(rig, "101", OFFER);
	assert_string_equal(sent()->dialog->local_user, "+4930777");
	assert_false(has("Diversion"));
	assert_false(has("P-Asserted-Identity"));
}

static void a_trunk_without_trust_is_not_believed(void **state)
{
	struct rig *rig = *state;

	come_from(rig, "198.51.100.5:5060");
	fake.headers = told;
	invite(rig, "101", OFFER);
	assert_string_equal(sent()->dialog->local_user, "100"); /* its From */
}

static void whom_a_trusted_trunk_hides_no_phone_sees(void **state)
{
	struct rig *rig = *state;

	come_from(rig, "198.51.100.6:5060");
	fake.headers = hidden;
	invite(rig, "101", OFFER);
	assert_string_equal(sent()->dialog->local_user, "anonymous");
	assert_false(has("4930777"));
}

static void diversions_go_from_trust_to_trust_without_hosts(void **state)
{
	struct rig *rig = *state;

	come_from(rig, "198.51.100.6:5060");
	fake.headers = told;
	invite(rig, "8123", OFFER);
	assert_true(has("Diversion: <sip:+4930888@friend.example>"
			";reason=no-answer;counter=1"));
	assert_false(has("inside.example"));
	fake.headers = told;
	invite(rig, "0123", OFFER);
	assert_false(has("Diversion"));
}

static void a_history_is_told_as_diversions_newest_first(void **state)
{
	struct rig *rig = *state;
	const char *first, *second;

	come_from(rig, "198.51.100.6:5060");
	fake.headers = history;
	invite(rig, "8123", OFFER);
	first = strstr(sent()->headers, "<sip:2@friend.example>"
					";reason=no-answer");
	second = strstr(sent()->headers, "<sip:1@friend.example>"
					 ";reason=user-busy");
	assert_non_null(first);
	assert_non_null(second);
	assert_true(first < second);
}

/* ---- handed on --------------------------------------------------------------- */

static void refer(struct sip_txn *by, const struct sip_flow *flow,
		  const char *to)
{
	struct sip_header refer_to[] = {{"Refer-To", to}, {NULL, NULL}};

	fake.headers = refer_to;
	fake_in_dialog(by->dialog, SIP_REFER, flow, NULL);
	fake.headers = NULL;
}

/* A caller that hides talks to 101. */
static struct sip_txn *hide_and_talk(struct rig *rig, struct sip_txn **b)
{
	struct sip_txn *a;

	fake.headers = hidden;
	a = establish(rig, b);
	fake.headers = NULL;
	return a;
}

static void who_hides_is_unknown_to_whom_he_is_handed_on(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	come_from(rig, "198.51.100.6:5060");
	hide_and_talk(rig, &b);
	refer(b, &rig->flow_b, "<sip:0123@sbc>");
	assert_non_null(strstr(sent()->dialog->target, "sip:0123@"));
	assert_string_equal(sent()->dialog->local_user, "anonymous");
	assert_true(has("Privacy: id"));
	assert_false(has("4930777"));
}

static void who_hides_hands_on_without_a_name(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *b;

	a = hide_and_talk(rig, &b);
	refer(a, &rig->flow_a, "<sip:8123@sbc>");
	assert_non_null(strstr(sent()->dialog->target, "sip:8123@"));
	assert_false(has("Referred-By"));
}

static void who_hides_is_not_named_in_a_refer_that_is_passed(void **state)
{
	struct rig *rig = *state;
	struct conf_realm *realm =
		(struct conf_realm *)config_realm(rig->config, "lan");
	struct sip_txn *a, *b;

	realm->policy.refer = CONF_REFER_PASS;
	a = hide_and_talk(rig, &b);
	refer(a, &rig->flow_a, "<sip:8123@sbc>");
	assert_ptr_equal(fake_request(SIP_REFER)->dialog, b->dialog);
	assert_non_null(strstr(fake_request(SIP_REFER)->headers,
			       "Referred-By: <sip:anonymous@"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_trust, teardown)
	const struct CMUnitTest tests[] = {
		T(a_phones_number_is_asserted_to_the_trunk_that_wants_it),
		T(what_a_phone_asserts_of_itself_is_nobodys_business),
		T(who_hides_is_anonymous_and_no_number_goes_where_no_trust_is),
		T(a_trusted_trunk_is_told_the_number_and_to_keep_it),
		T(a_trusted_trunk_is_believed),
		T(a_trunk_without_trust_is_not_believed),
		T(whom_a_trusted_trunk_hides_no_phone_sees),
		T(diversions_go_from_trust_to_trust_without_hosts),
		T(a_history_is_told_as_diversions_newest_first),
		T(who_hides_is_unknown_to_whom_he_is_handed_on),
		T(who_hides_hands_on_without_a_name),
		T(who_hides_is_not_named_in_a_refer_that_is_passed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
