/*
 * test_who.c - who sends a request
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "reg_rig.h"
#include "registrar/registrar_priv.h"

static const char with_trunk[] = "config realm 'lan'\n"
				 "config phone '100'\n"
				 "	option password 'secret'\n"
				 "config trunk 'itsp'\n"
				 "	option realm 'lan'\n"
				 "	option host '198.51.100.5'\n";

static void use_trunk(struct rig *rig)
{
	struct conf_errors errs = {0};

	config_unref(rig->config);
	assert_int_equal(
		config_parse(&rig->config, "test", STR(with_trunk), &errs), 0);
	registrar_set_config(rig->reg, rig->config);
	rig->req.view.method = SIP_MESSAGE;
}

static void a_trunk_is_known_by_its_source(void **state)
{
	struct rig *rig = *state;
	struct registrar_peer who;

	use_trunk(rig);
	fake.verdict = SIP_AUTH_NONE;
	addr_parse_port(&rig->req.view.flow.remote, "198.51.100.5:5060");
	assert_true(registrar_identify(rig->reg, &rig->req, &who));
	assert_string_equal(who.trunk->name, "itsp");
	assert_string_equal(who.realm->name, "lan");
	assert_null(who.phone);
	assert_int_equal(fake.n, 0);
}

static const struct conf_trunk *name_service(void *arg, const char *realm,
					     const struct addr *source,
					     enum conf_transport transport)
{
	char text[ADDR_TEXT_MAX];
	struct rig *rig = arg;

	return !strcmp(addr_fmt_host(source, text), "203.0.113.99")
		       ? config_trunk(rig->config, "itsp")
		       : NULL;
}

static void a_trunk_is_where_who_knows_its_names_says(void **state)
{
	struct rig *rig = *state;
	struct registrar_peer who;

	use_trunk(rig);
	rig->reg->conf.trunk_at = name_service;
	rig->reg->conf.arg = rig;
	fake.verdict = SIP_AUTH_NONE;
	addr_parse_port(&rig->req.view.flow.remote, "203.0.113.99:5060");
	assert_true(registrar_identify(rig->reg, &rig->req, &who));
	assert_string_equal(who.trunk->name, "itsp");
	addr_parse_port(&rig->req.view.flow.remote, "198.51.100.5:5060");
	assert_false(registrar_identify(rig->reg, &rig->req, &who));
}

static void a_phone_is_known_by_its_password(void **state)
{
	struct rig *rig = *state;
	struct registrar_peer who;

	use_trunk(rig);
	assert_true(registrar_identify(rig->reg, &rig->req, &who));
	assert_string_equal(who.phone->name, "100");
	assert_null(who.trunk);
}

static void whoever_is_neither_is_challenged(void **state)
{
	struct rig *rig = *state;
	struct registrar_peer who;

	use_trunk(rig);
	fake.verdict = SIP_AUTH_WRONG;
	assert_false(registrar_identify(rig->reg, &rig->req, &who));
	assert_int_equal(fake_last()->status, 401);
	assert_non_null(strstr(fake_last()->headers, "WWW-Authenticate"));
}

static void a_realm_that_left_with_a_reload_serves_nobody(void **state)
{
	struct rig *rig = *state;
	struct registrar_peer who;

	rig->req.view.realm = "gone";
	assert_false(registrar_identify(rig->reg, &rig->req, &who));
	assert_int_equal(fake_last()->status, 503);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_trunk_is_known_by_its_source,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_trunk_is_where_who_knows_its_names_says, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_phone_is_known_by_its_password, setup, teardown),
		cmocka_unit_test_setup_teardown(
			whoever_is_neither_is_challenged, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_realm_that_left_with_a_reload_serves_nobody, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
