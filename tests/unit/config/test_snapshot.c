/*
 * test_snapshot.c - look-ups in the finished snapshot
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "conf_text.h"

#define TWO                                                                    \
	"config realm 'r1'\nlist listen 'udp:1'\nlist listen 'tcp:1'\n"        \
	"config realm 'r2'\nlist listen 'udp:2'\n"

static void a_missing_name_is_null(void **state)
{
	struct config *c = parse(REALM);

	assert_null(config_realm(c, "wan"));
	assert_null(config_phone(c, "lan"));
	assert_null(config_trunk(c, "lan"));
	assert_null(config_phone_by_user(c, NULL, STR("")));
	config_unref(c);
}

static void a_phone_is_found_in_its_realm_only(void **state)
{
	struct config *c = parse(TWO "config phone 'a'\noption password 'x'\n"
				     "option user '1'\noption realm 'r1'\n"
				     "option auth_user 'joe'\n");
	const struct conf_phone *a = config_phone(c, "a");

	assert_ptr_equal(config_phone_by_user(c, "r1", STR("1")), a);
	assert_null(config_phone_by_user(c, "r2", STR("1")));
	assert_ptr_equal(config_phone_by_user(c, NULL, STR("1")), a);
	assert_ptr_equal(config_phone_by_auth(c, "r1", STR("joe")), a);
	assert_null(config_phone_by_auth(c, "r2", STR("joe")));
	assert_null(config_phone_by_auth(c, "r1", STR("1")));
	config_unref(c);
}

static void a_phone_of_any_realm_is_found_in_all(void **state)
{
	struct config *c = parse(TWO "config phone '1'\noption password 'x'\n");

	assert_non_null(config_phone_by_user(c, "r1", STR("1")));
	assert_non_null(config_phone_by_user(c, "r2", STR("1")));
	config_unref(c);
}

static void the_user_is_a_slice_and_case_sensitive(void **state)
{
	struct config *c = parse(REALM "config phone 'bob'\n"
				       "option password 'x'\n");

	assert_non_null(
		config_phone_by_user(c, NULL, (struct str){"bobby", 3}));
	assert_null(config_phone_by_user(c, NULL, STR("bobby")));
	assert_null(config_phone_by_user(c, NULL, STR("Bob")));
	config_unref(c);
}

static void of_two_phones_the_first_of_the_file_is_taken(void **state)
{
	struct config *c =
		parse(TWO "config phone 'z'\noption user '1'\n"
			  "option password 'x'\noption realm 'r2'\n"
			  "config phone 'a'\noption user '1'\n"
			  "option password 'x'\noption realm 'r1'\n");

	assert_string_equal(config_phone_by_user(c, NULL, STR("1"))->name, "z");
	assert_string_equal(config_phone_by_user(c, "r1", STR("1"))->name, "a");
	config_unref(c);
}

static const struct conf_trunk *source(const struct config *c,
				       const char *realm, const char *from,
				       enum conf_transport transport)
{
	struct addr a;

	assert_int_equal(addr_parse_port(&a, from), 0);
	return config_trunk_by_source(c, realm, &a, transport);
}

#define TRUNK(name, more)                                                      \
	"config trunk '" name "'\noption realm 'r1'\n"                         \
	"option host '192.0.2.1'\n" more

static void a_trunk_is_known_by_address_realm_and_transport(void **state)
{
	struct config *c = parse(TWO TRUNK("t", ""));
	const struct conf_trunk *t = config_trunk(c, "t");

	assert_ptr_equal(source(c, "r1", "192.0.2.1:5060", CONF_UDP), t);
	assert_ptr_equal(source(c, "r1", "192.0.2.1:33333", CONF_UDP), t);
	assert_ptr_equal(source(c, NULL, "192.0.2.1:5060", CONF_UDP), t);
	assert_null(source(c, "r2", "192.0.2.1:5060", CONF_UDP));
	assert_null(source(c, "r1", "192.0.2.1:5060", CONF_TCP));
	assert_null(source(c, "r1", "192.0.2.2:5060", CONF_UDP));
	config_unref(c);
}

static void a_written_port_is_part_of_the_source_on_udp(void **state)
{
	struct config *c = parse(TWO TRUNK("t", "option port '5070'\n"));

	assert_non_null(source(c, "r1", "192.0.2.1:5070", CONF_UDP));
	assert_null(source(c, "r1", "192.0.2.1:5060", CONF_UDP));
	config_unref(c);
}

static void on_tcp_the_source_port_does_not_matter(void **state)
{
	struct config *c = parse(TWO TRUNK("t", "option port '5070'\n"
						"option transport 'tcp'\n"));

	assert_non_null(source(c, "r1", "192.0.2.1:33333", CONF_TCP));
	config_unref(c);
}

static void the_trunk_with_the_written_port_is_the_closer_one(void **state)
{
	struct config *c = parse(TWO TRUNK("any", "") TRUNK(
		"one", "option port '5070'\n") TRUNK("more", ""));

	assert_string_equal(source(c, "r1", "192.0.2.1:5070", CONF_UDP)->name,
			    "one");
	assert_string_equal(source(c, "r1", "192.0.2.1:5060", CONF_UDP)->name,
			    "any");
	config_unref(c);
}

static void every_literal_peer_of_a_trunk_is_its_source(void **state)
{
	struct config *c = parse(TWO "config trunk 't'\noption realm 'r1'\n"
				     "list peer 'sip.example.net'\n"
				     "list peer '192.0.2.1:5070'\n"
				     "list peer '192.0.2.2'\n"
				     "list peer '[2001:db8::1]:5080'\n");
	const struct conf_trunk *t = config_trunk(c, "t");

	assert_ptr_equal(source(c, "r1", "192.0.2.1:5070", CONF_UDP), t);
	assert_null(source(c, "r1", "192.0.2.1:5060", CONF_UDP));
	assert_ptr_equal(source(c, "r1", "192.0.2.2:1234", CONF_UDP), t);
	assert_ptr_equal(source(c, "r1", "[2001:db8::1]:5080", CONF_UDP), t);
	assert_null(source(c, "r1", "192.0.2.3:5060", CONF_UDP));
	config_unref(c);
}

static void twenty_thousand_phones_are_all_found(void **state)
{
	enum { PHONES = 20000 };
	char *text = malloc(PHONES * 64 + 64), *p = text;
	struct config *c;
	char name[16];

	p += sprintf(p, "%s", REALM);
	for (unsigned i = 0; i < PHONES; i++)
		p += sprintf(p, "config phone 'p%u'\noption password 'x'\n", i);
	c = parse(text);
	assert_int_equal(config_phone_count(c), PHONES);
	for (unsigned i = 0; i < PHONES; i++) {
		const struct conf_phone *phone;

		snprintf(name, sizeof(name), "p%u", i);
		phone = config_phone_by_user(c, "lan", str_of(name));
		assert_non_null(phone);
		assert_string_equal(phone->name, name);
	}
	config_unref(c);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_name_is_null),
		cmocka_unit_test(a_phone_is_found_in_its_realm_only),
		cmocka_unit_test(a_phone_of_any_realm_is_found_in_all),
		cmocka_unit_test(the_user_is_a_slice_and_case_sensitive),
		cmocka_unit_test(of_two_phones_the_first_of_the_file_is_taken),
		cmocka_unit_test(
			a_trunk_is_known_by_address_realm_and_transport),
		cmocka_unit_test(a_written_port_is_part_of_the_source_on_udp),
		cmocka_unit_test(on_tcp_the_source_port_does_not_matter),
		cmocka_unit_test(
			the_trunk_with_the_written_port_is_the_closer_one),
		cmocka_unit_test(every_literal_peer_of_a_trunk_is_its_source),
		cmocka_unit_test(twenty_thousand_phones_are_all_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
