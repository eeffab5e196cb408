/*
 * test_set_peer.c - trunks: where they live, who we are there, how they write
 * numbers; and what a session with a peer may be
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf_text.h"

#define TRUNK "config realm 'lan'\nconfig trunk 't'\noption realm 'lan'\n"
#define HOST  TRUNK "option host '192.0.2.1'\n"

/* ---- hosts -------------------------------------------------------------- */

static void a_host_may_be_a_name(void **state)
{
	struct config *c = parse(TRUNK "option host 'sip.example.net'\n");
	const struct conf_trunk *t = config_trunk(c, "t");

	assert_int_equal(t->n_hosts, 1);
	assert_string_equal(t->hosts[0].name, "sip.example.net");
	assert_false(addr_is_set(&t->hosts[0].addr));
	assert_false(addr_is_set(&t->host));
	assert_int_equal(t->hosts[0].port, 0);
	assert_false(t->port_written);
	config_unref(c);
}

static void a_written_port_is_the_names_port(void **state)
{
	struct config *c = parse(TRUNK "option port '5070'\n"
				       "option host 'sip.example.net'\n");

	assert_int_equal(config_trunk(c, "t")->hosts[0].port, 5070);
	assert_true(config_trunk(c, "t")->port_written);
	config_unref(c);
}

static void a_literal_host_is_the_first_host(void **state)
{
	struct config *c = parse(TRUNK "option host '2001:db8::1'\n");
	const struct conf_trunk *t = config_trunk(c, "t");
	char text[ADDR_TEXT_MAX];

	assert_int_equal(t->n_hosts, 1);
	assert_string_equal(t->hosts[0].name, "[2001:db8::1]");
	assert_int_equal(t->hosts[0].port, 0);
	assert_string_equal(addr_fmt(&t->hosts[0].addr, text),
			    "[2001:db8::1]:5060");
	assert_string_equal(addr_fmt(&t->host, text), "[2001:db8::1]:5060");
	config_unref(c);
}

static void peers_have_ports_priorities_and_weights(void **state)
{
	struct config *c = parse(TRUNK "list peer 'sip.example.net:5070 5 1'\n"
				       "list peer '[2001:db8::1]:5080 20'\n"
				       "list peer '192.0.2.1'\n");
	const struct conf_trunk *t = config_trunk(c, "t");
	char text[ADDR_TEXT_MAX];

	assert_int_equal(t->n_hosts, 3);
	assert_string_equal(t->hosts[0].name, "sip.example.net");
	assert_int_equal(t->hosts[0].port, 5070);
	assert_int_equal(t->hosts[0].priority, 5);
	assert_int_equal(t->hosts[0].weight, 1);
	assert_string_equal(addr_fmt(&t->hosts[1].addr, text),
			    "[2001:db8::1]:5080");
	assert_int_equal(t->hosts[1].priority, 20);
	assert_int_equal(t->hosts[1].weight, 100);
	assert_string_equal(addr_fmt(&t->hosts[2].addr, text),
			    "192.0.2.1:5060");
	assert_int_equal(t->hosts[2].port, 0);
	assert_int_equal(t->hosts[2].priority, 10);
	assert_false(addr_is_set(&t->host));
	config_unref(c);
}

static void a_host_that_is_none_is_refused(void **state)
{
	static const struct {
		const char *line, *words;
	} cases[] = {
		{"option host '::'", "one host"},
		{"option host '224.0.0.1'", "one host"},
		{"option host '192.0.2.400'", "name or IP"},
		{"option host 'a b'", "name or IP"},
		{"option host ''", "name or IP"},
		{"list peer '[2001:db8::1'", "IPv6 in []"},
		{"list peer '2001:db8::1'", "IPv6 in []"},
		{"list peer '192.0.2.1:0'", "PORT"},
		{"list peer '192.0.2.1:70000'", "PORT"},
		{"list peer '192.0.2:5060 '", "IP address"},
		{"list peer '192.0.2.1 first'", "from 0 to 65535"},
		{"list peer '192.0.2.1 1 2 3'", "from 0 to 65535"},
		{"list peer ' '", "name or IP"},
	};
	char text[400];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), TRUNK "%s\n", cases[i].line);
		refuse_one(text, 4, cases[i].words);
	}
}

static void a_trunk_has_a_host_or_peers(void **state)
{
	refuse_one(TRUNK, 2, "'option host' or 'list peer'");
	refuse_one(HOST "list peer '192.0.2.2'\n", 5, "exclude each other");
	refuse_one(TRUNK "list peer '192.0.2.2'\noption port '5070'\n", 5,
		   "'NAME:PORT'");
	refuse_one(TRUNK "list peer 'a.example'\nlist peer 'A.example'\n", 5,
		   "twice");
}

static void a_registrar_has_an_address(void **state)
{
	refuse_one("config realm 'lan'\noption registrar 't'\n"
		   "config trunk 't'\noption realm 'lan'\n"
		   "option host 'sip.example.net'\n",
		   2, "IP address");
}

/* ---- who we are, and how it is there ------------------------------------ */

static void a_trunk_asks_for_nothing_that_is_not_written(void **state)
{
	struct config *c = parse(HOST);
	const struct conf_trunk *t = config_trunk(c, "t");

	assert_false(t->do_register);
	assert_string_equal(t->username, "");
	assert_null(t->password);
	assert_string_equal(t->domain, "");
	assert_int_equal(t->register_expires_s, 3600);
	assert_int_equal(t->options_interval_s, 0);
	assert_int_equal(t->failover_ms, 3500);
	assert_int_equal(t->tcp_above, 0);
	assert_string_equal(t->country_code, "");
	assert_string_equal(t->area_code, "");
	assert_string_equal(t->international_prefix, "00");
	assert_string_equal(t->national_prefix, "0");
	assert_int_equal(t->numbers, CONF_NUMBERS_ASIS);
	assert_int_equal(t->identity, CONF_IDENTITY_NONE);
	assert_false(t->trust_identity);
	assert_int_equal(t->limit.max_calls, 0);
	assert_int_equal(t->limit.max_cps, 0);
	config_unref(c);
}

static void a_providers_options_are_read(void **state)
{
	struct config *c = parse(
		HOST "option register '1'\noption username '4930'\n"
		     "option auth_user 'joe'\noption password 'x'\n"
		     "option domain 'example.net'\n"
		     "option register_expires '600'\n"
		     "option options_interval '0'\noption failover_ms '900'\n"
		     "option tcp_above '1300'\noption country_code '49'\n"
		     "option area_code '30'\noption national_prefix ''\n"
		     "option international_prefix '011'\n"
		     "option numbers 'national'\noption identity 'rpid'\n"
		     "option trust_identity '1'\noption max_calls '30'\n"
		     "option max_cps '5'\n");
	const struct conf_trunk *t = config_trunk(c, "t");

	assert_true(t->do_register);
	assert_string_equal(t->username, "4930");
	assert_string_equal(t->auth_user, "joe");
	assert_string_equal(t->password, "x");
	assert_string_equal(t->domain, "example.net");
	assert_int_equal(t->register_expires_s, 600);
	assert_int_equal(t->options_interval_s, 0);
	assert_int_equal(t->failover_ms, 900);
	assert_int_equal(t->tcp_above, 1300);
	assert_string_equal(t->country_code, "49");
	assert_string_equal(t->area_code, "30");
	assert_string_equal(t->international_prefix, "011");
	assert_string_equal(t->national_prefix, "");
	assert_int_equal(t->numbers, CONF_NUMBERS_NATIONAL);
	assert_int_equal(t->identity, CONF_IDENTITY_RPID);
	assert_true(t->trust_identity);
	assert_int_equal(t->limit.max_calls, 30);
	assert_int_equal(t->limit.max_cps, 5);
	config_unref(c);
}

static void a_username_is_the_auth_user_too(void **state)
{
	struct config *c = parse(HOST "option username '4930'\n");

	assert_string_equal(config_trunk(c, "t")->auth_user, "4930");
	config_unref(c);
}

static void health_is_asked_where_there_is_a_choice(void **state)
{
	static const char *const texts[] = {
		HOST "option register '1'\noption username 'u'\n"
		     "option password 'x'\n",
		TRUNK "list peer '192.0.2.1'\nlist peer '192.0.2.2'\n",
		TRUNK "option host 'sip.example.net'\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct config *c = parse(texts[i]);

		assert_int_equal(config_trunk(c, "t")->options_interval_s, 30);
		config_unref(c);
	}
}

static void values_of_a_trunk_are_checked(void **state)
{
	static const struct {
		const char *line, *words;
	} cases[] = {
		{"option register '1'", "username and password"},
		{"option register 'yes'", "'0' or '1'"},
		{"option username 'a@b'", "username"},
		{"option password ''", "1 to 255"},
		{"option register_expires '59'", "604800"},
		{"option options_interval '9'", "0 or a number from 10"},
		{"option failover_ms '199'", "32000"},
		{"option tcp_above '70000'", "65535"},
		{"option country_code '049'", "1 to 3 digits"},
		{"option country_code '4949'", "1 to 3 digits"},
		{"option country_code ''", "1 to 3 digits"},
		{"option area_code '30'", "needs country_code"},
		{"option national_prefix '0x'", "digits"},
		{"option international_prefix '00000000'", "longer than 7"},
		{"option numbers 'national'", "needs country_code"},
		{"option numbers 'e.164'", "nearest is 'e164'"},
		{"option identity 'pia'", "nearest is 'pai'"},
		{"option trust_identity '2'", "'0' or '1'"},
		{"option max_cps '10001'", "10000"},
	};
	char text[400];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), HOST "%s\n", cases[i].line);
		refuse_one(text, 5, cases[i].words);
	}
}

static void large_requests_need_a_tcp_listener(void **state)
{
	refuse_one("config realm 'lan'\nlist listen 'udp:5060'\n"
		   "config trunk 't'\noption realm 'lan'\n"
		   "option host '192.0.2.1'\noption tcp_above '1300'\n",
		   6, "does not listen on tcp");
}

/* ---- what a session may be ---------------------------------------------- */

static void a_realm_lets_everything_pass_by_itself(void **state)
{
	struct config *c = parse("config realm 'lan'\n");
	const struct conf_policy *p = &config_realm(c, "lan")->policy;

	assert_int_equal(p->n_codecs, 0);
	assert_int_equal(p->ptime_ms, 0);
	assert_int_equal(p->media, CONF_MEDIA_AUDIO | CONF_MEDIA_VIDEO |
					   CONF_MEDIA_IMAGE | CONF_MEDIA_OTHER);
	assert_int_equal(p->dtmf, CONF_DTMF_AUTO);
	assert_int_equal(p->rel100, CONF_REL100_AUTO);
	assert_int_equal(p->session_expires_s, 1800);
	assert_int_equal(p->min_se_s, 90);
	assert_int_equal(p->refer, CONF_REFER_LOCAL);
	assert_int_equal(config_realm(c, "lan")->limit.max_calls, 0);
	config_unref(c);
}

#define POLICY                                                                 \
	"config realm 'lan'\nlist codec 'opus'\nlist codec 'PCMA'\n"           \
	"option ptime '20'\nlist media 'image'\nlist media 'audio'\n"          \
	"option dtmf 'info'\noption rel100 'off'\n"                            \
	"option session_expires '600'\noption min_se '120'\n"                  \
	"option refer 'pass'\noption max_calls '4'\noption max_cps '2'\n"

static void check_policy(const struct conf_policy *p)
{
	assert_int_equal(p->n_codecs, 2);
	assert_string_equal(p->codecs[0], "opus");
	assert_string_equal(p->codecs[1], "PCMA");
	assert_int_equal(p->ptime_ms, 20);
	assert_int_equal(p->media, CONF_MEDIA_AUDIO | CONF_MEDIA_IMAGE);
	assert_int_equal(p->dtmf, CONF_DTMF_INFO);
	assert_int_equal(p->rel100, CONF_REL100_OFF);
	assert_int_equal(p->session_expires_s, 600);
	assert_int_equal(p->min_se_s, 120);
	assert_int_equal(p->refer, CONF_REFER_PASS);
}

static void what_a_realm_writes_is_read(void **state)
{
	struct config *c = parse(POLICY);
	const struct conf_realm *r = config_realm(c, "lan");

	check_policy(&r->policy);
	assert_int_equal(r->limit.max_calls, 4);
	assert_int_equal(r->limit.max_cps, 2);
	config_unref(c);
}

static void a_trunk_inherits_the_policy_but_not_the_bounds(void **state)
{
	/* Whichever of the two is written first. */
	struct config *c = parse("config trunk 't'\noption realm 'lan'\n"
				 "option host '192.0.2.1'\n" POLICY);
	const struct conf_trunk *t = config_trunk(c, "t");

	check_policy(&t->policy);
	assert_int_equal(t->limit.max_calls, 0);
	config_unref(c);
}

static void a_trunk_may_have_a_policy_of_its_own(void **state)
{
	struct config *c = parse(
		POLICY "config trunk 't'\noption realm 'lan'\n"
		       "option host '192.0.2.1'\nlist codec 'G722'\n"
		       "option ptime '0'\nlist media 'video'\n"
		       "option dtmf 'rfc4733'\noption rel100 'require'\n"
		       "option session_expires '0'\noption refer 'off'\n");
	const struct conf_policy *p = &config_trunk(c, "t")->policy;

	assert_int_equal(p->n_codecs, 1);
	assert_string_equal(p->codecs[0], "G722");
	assert_int_equal(p->ptime_ms, 0);
	assert_int_equal(p->media, CONF_MEDIA_VIDEO);
	assert_int_equal(p->dtmf, CONF_DTMF_RFC4733);
	assert_int_equal(p->rel100, CONF_REL100_REQUIRE);
	assert_int_equal(p->session_expires_s, 0);
	assert_int_equal(p->min_se_s, 120);
	assert_int_equal(p->refer, CONF_REFER_OFF);
	check_policy(&config_realm(c, "lan")->policy);
	config_unref(c);
}

static void values_of_a_policy_are_checked(void **state)
{
	static const struct {
		const char *line, *words;
	} cases[] = {
		{"list codec 'PCMA/8000'", "codec's name"},
		{"option ptime '4'", "0 or a number from 5 to 200"},
		{"list media 'vidio'", "nearest is 'video'"},
		{"option dtmf 'inband'", "nearest is"},
		{"option rel100 'on'", "nearest is"},
		{"option session_expires '89'", "0 or a number from 90"},
		{"option min_se '89'", "from 90"},
		{"option min_se '1801'", "session_expires 1800 is less"},
		{"option refer 'deny'", "nearest is"},
		{"option max_calls '-1'", "from 0"},
	};
	char text[400];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "config realm 'lan'\n%s\n",
			 cases[i].line);
		refuse_one(text, 2, cases[i].words);
	}
}

static void a_trunks_interval_is_not_below_its_realms_minimum(void **state)
{
	refuse_one("config realm 'lan'\noption min_se '600'\n"
		   "config trunk 't'\noption realm 'lan'\n"
		   "option host '192.0.2.1'\noption session_expires '300'\n",
		   6, "less than min_se 600");
}

static void a_phone_has_bounds(void **state)
{
	struct config *c = parse("config realm 'lan'\nconfig phone '1'\n"
				 "option password 'x'\noption max_calls '2'\n"
				 "option max_cps '1'\n");

	assert_int_equal(config_phone(c, "1")->limit.max_calls, 2);
	assert_int_equal(config_phone(c, "1")->limit.max_cps, 1);
	config_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_may_be_a_name),
		cmocka_unit_test(a_written_port_is_the_names_port),
		cmocka_unit_test(a_literal_host_is_the_first_host),
		cmocka_unit_test(peers_have_ports_priorities_and_weights),
		cmocka_unit_test(a_host_that_is_none_is_refused),
		cmocka_unit_test(a_trunk_has_a_host_or_peers),
		cmocka_unit_test(a_registrar_has_an_address),
		cmocka_unit_test(a_trunk_asks_for_nothing_that_is_not_written),
		cmocka_unit_test(a_providers_options_are_read),
		cmocka_unit_test(a_username_is_the_auth_user_too),
		cmocka_unit_test(health_is_asked_where_there_is_a_choice),
		cmocka_unit_test(values_of_a_trunk_are_checked),
		cmocka_unit_test(large_requests_need_a_tcp_listener),
		cmocka_unit_test(a_realm_lets_everything_pass_by_itself),
		cmocka_unit_test(what_a_realm_writes_is_read),
		cmocka_unit_test(
			a_trunk_inherits_the_policy_but_not_the_bounds),
		cmocka_unit_test(a_trunk_may_have_a_policy_of_its_own),
		cmocka_unit_test(values_of_a_policy_are_checked),
		cmocka_unit_test(
			a_trunks_interval_is_not_below_its_realms_minimum),
		cmocka_unit_test(a_phone_has_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
