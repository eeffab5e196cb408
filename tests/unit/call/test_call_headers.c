/*
 * test_call_headers.c - what of a caller's INVITE comes along, and with which
 * numbers, for each target
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call_rig.h"

static const char with_tables[] = "config sbc 'global'\n"
				  "	option max_calls '1'\n"
				  "	list emergency '112'\n"
				  "config realm 'lan'\n"
				  "config phone '100'\n"
				  "	option password 'secret-a'\n"
				  "	option caller_id '+4930100'\n"
				  "config phone '101'\n"
				  "	option password 'secret-b'\n"
				  "config phone '112'\n"
				  "	option password 'secret-c'\n"
				  "config trunk 'itsp'\n"
				  "	option realm 'lan'\n"
				  "	option host '198.51.100.5'\n"
				  "	option country_code '49'\n"
				  "	option numbers 'plain'\n"
				  "config trunk 'backup'\n"
				  "	option realm 'lan'\n"
				  "	option host '198.51.100.6'\n"
				  "config route 'in'\n"
				  "	option from 'itsp'\n"
				  "	option match '+4930!'\n"
				  "	option calling_strip '3'\n"
				  "	option calling_prefix '0'\n"
				  "	list to '101'\n"
				  "config route 'out'\n"
				  "	option match '9!'\n"
				  "	option strip '1'\n"
				  "	list to 'itsp'\n"
				  "	list to 'backup'\n"
				  "config route 'help'\n"
				  "	option match '112'\n"
				  "	list to 'itsp'\n"
				  "config header 'tenant'\n"
				  "	option action 'pass'\n"
				  "	option header 'X-Tenant'\n"
				  "	option direction 'in'\n"
				  "config header 'quiet'\n"
				  "	option action 'remove'\n"
				  "	option header 'Priority'\n"
				  "	option direction 'in'\n"
				  "config header 'subject'\n"
				  "	option action 'replace'\n"
				  "	option header 'Subject'\n"
				  "	option value 'call'\n"
				  "	option trunk 'itsp'\n"
				  "config header 'late'\n"
				  "	option action 'pass'\n"
				  "	option header 'X-Late'\n"
				  "	option trunk 'backup'\n"
				  "	option direction 'out'\n"
				  "config header 'box'\n"
				  "	option action 'add'\n"
				  "	option header 'X-Box'\n"
				  "	option value 'ours'\n"
				  "	option direction 'out'\n";

static const struct sip_header theirs[] = {
	{"Subject", "secret"},
	{"Priority", "urgent"},
	{"X-Tenant", "5"},
	{"X-Tenant", "6"},
	{"X-Late", "7"},
	{"X-Other", "8"},
	{"P-Asserted-Identity", "<sip:boss@inside>"},
	{"User-to-User", "56"},
	{NULL, NULL},
};

static int setup_tables(void **state)
{
	struct conf_errors errs = {0};
	struct config *config;
	struct rig *rig;

	if (setup(state))
		return -1;
	rig = *state;
	assert_int_equal(config_parse(&config, "test", STR(with_tables), &errs),
			 0);
	trunks_set_config(rig->trunks, config);
	calls_set_config(rig->calls, config);
	config_unref(rig->config);
	rig->config = known = config;
	fake.headers = theirs;
	return 0;
}

static const struct fake_message *sent(void)
{
	return fake_request(SIP_INVITE);
}

static bool has(const char *line)
{
	return strstr(sent()->headers, line) != NULL;
}

static void from_the_trunk(struct rig *rig)
{
	addr_parse_port(&rig->flow_a.remote, "198.51.100.5:5060");
}

/* ---- numbers ------------------------------------------------------------ */

static void each_trunk_gets_the_numbers_in_its_form(void **state)
{
	struct rig *rig = *state;

	invite(rig, "90301234", OFFER);
	assert_string_equal(sent()->dialog->target,
			    "sip:49301234@198.51.100.5:5060");
	assert_string_equal(sent()->dialog->local_user, "4930100");
	fake_response(sent()->txn, 503, NULL);
	settle(rig);
	assert_string_equal(sent()->dialog->target,
			    "sip:0301234@198.51.100.6:5060");
	assert_string_equal(sent()->dialog->local_user, "+4930100");
}

static void a_trunks_numbers_are_read_and_rewritten(void **state)
{
	struct rig *rig = *state;

	from_the_trunk(rig);
	invite(rig, "49309999", OFFER);
	assert_string_equal(sent()->dialog->target,
			    "sip:101@192.168.1.50:5060");
	assert_string_equal(call_to(the_call(rig)), "+49309999");
}

static void a_phones_name_for_itself_is_not_believed(void **state)
{
	struct rig *rig = *state;

	invite(rig, "101", OFFER);
	assert_string_equal(sent()->dialog->local_user, "+4930100");
}

static void a_tel_uri_is_a_number_of_ours(void **state)
{
	struct rig *rig = *state;

	rig->scheme = "tel";
	rig->host = "";
	invite(rig, "tel:1-01", OFFER);
	assert_string_equal(sent()->dialog->target,
			    "sip:101@192.168.1.50:5060");
}

static void a_tel_uri_without_a_number_is_404(void **state)
{
	struct rig *rig = *state;

	rig->scheme = "tel";
	rig->host = "";
	invite(rig, "tel:;x=y", OFFER);
	assert_int_equal(fake_last()->status, 404);
}

static void an_emergency_call_passes_where_the_box_is_full(void **state)
{
	struct rig *rig = *state;

	invite(rig, "101", OFFER);
	invite(rig, "101", OFFER);
	assert_int_equal(fake_last()->status, 503);
	invite(rig, "112", OFFER);
	assert_string_equal(sent()->dialog->target,
			    "sip:112@198.51.100.5:5060");
}

/* ---- headers ------------------------------------------------------------ */

static void what_crosses_by_itself_reaches_a_phone(void **state)
{
	struct rig *rig = *state;

	invite(rig, "101", OFFER);
	assert_true(has("Subject: secret\n"));
	assert_true(has("User-to-User: 56\n"));
	assert_true(has("X-Tenant: 5\n"));
	assert_true(has("X-Tenant: 6\n"));
	assert_true(has("X-Box: ours\n"));
}

static void what_nothing_lets_cross_stays(void **state)
{
	struct rig *rig = *state;

	invite(rig, "101", OFFER);
	assert_false(has("X-Other"));
	assert_false(has("X-Late"));
	assert_false(has("Priority"));
	assert_false(has("boss"));
}

static void each_target_has_its_own_rules(void **state)
{
	struct rig *rig = *state;

	invite(rig, "90301234", OFFER);
	assert_true(has("Subject: call\n"));
	assert_false(has("X-Late"));
	fake_response(sent()->txn, 503, NULL);
	settle(rig);
	assert_true(has("Subject: secret\n"));
	assert_true(has("X-Late: 7\n"));
}

/* The rule for the trunk makes the long one short again on the way out. */
static void too_many_bytes_do_not_cross(void **state)
{
	struct rig *rig = *state;
	char *subject = malloc(8001), tenant[401];
	const struct sip_header many[] = {
		{"Subject", subject},
		{"X-Tenant", tenant},
		{"X-Tenant", "5"},
		{NULL, NULL},
	};

	memset(subject, 'v', 8000);
	subject[8000] = '\0';
	memset(tenant, 'v', 400);
	tenant[400] = '\0';
	fake.headers = many;
	invite(rig, "90301234", OFFER);
	assert_true(has("Subject: call\n"));
	assert_false(has("X-Tenant: v"));
	assert_true(has("X-Tenant: 5\n"));
	fake.headers = NULL;
	free(subject);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			each_trunk_gets_the_numbers_in_its_form, setup_tables,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_trunks_numbers_are_read_and_rewritten, setup_tables,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_phones_name_for_itself_is_not_believed, setup_tables,
			teardown),
		cmocka_unit_test_setup_teardown(a_tel_uri_is_a_number_of_ours,
						setup_tables, teardown),
		cmocka_unit_test_setup_teardown(
			a_tel_uri_without_a_number_is_404, setup_tables,
			teardown),
		cmocka_unit_test_setup_teardown(
			an_emergency_call_passes_where_the_box_is_full,
			setup_tables, teardown),
		cmocka_unit_test_setup_teardown(
			what_crosses_by_itself_reaches_a_phone, setup_tables,
			teardown),
		cmocka_unit_test_setup_teardown(what_nothing_lets_cross_stays,
						setup_tables, teardown),
		cmocka_unit_test_setup_teardown(each_target_has_its_own_rules,
						setup_tables, teardown),
		cmocka_unit_test_setup_teardown(too_many_bytes_do_not_cross,
						setup_tables, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
