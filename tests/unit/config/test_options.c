/*
 * test_options.c - every option: its standard value, its range, its faults
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf_text.h"

static void global_options_have_standard_values(void **state)
{
	struct config *c = parse(REALM);
	const struct conf_global *g = config_global(c);

	assert_string_equal(g->hostname, "");
	assert_int_equal(g->max_calls, 200);
	assert_int_equal(g->ring_timeout_s, 180);
	assert_int_equal(g->workers, 0);
	assert_int_equal(g->source_rate, 5000);
	assert_int_equal(g->max_cps, 0);
	assert_int_equal(g->cdr_days, 90);
	assert_int_equal(g->n_emergency, 0);
	assert_int_equal(g->n_nameservers, 0);
	assert_int_equal(g->log_level, LOG_INFO);
	assert_int_equal(g->log_format, LOG_TEXT);
	config_unref(c);
}

static void name_servers_have_a_port(void **state)
{
	struct config *c =
		parse("config sbc 'global'\n"
		      "list nameserver '192.0.2.1'\n"
		      "list nameserver '2001:db8::1'\n"
		      "list nameserver '[2001:db8::1]:5300'\n" REALM);
	const struct conf_global *g = config_global(c);
	char text[ADDR_TEXT_MAX];

	assert_int_equal(g->n_nameservers, 3);
	assert_string_equal(addr_fmt(&g->nameservers[0], text), "192.0.2.1:53");
	assert_string_equal(addr_fmt(&g->nameservers[1], text),
			    "[2001:db8::1]:53");
	assert_string_equal(addr_fmt(&g->nameservers[2], text),
			    "[2001:db8::1]:5300");
	config_unref(c);
}

static void global_options_are_read(void **state)
{
	struct config *c = parse("config sbc 'global'\n"
				 "option schema '1'\n"
				 "option hostname 'sbc.example.net'\n"
				 "option max_calls '7'\n"
				 "option ring_timeout '30'\n"
				 "option log_level 'debug'\n"
				 "option log_format 'json'\n"
				 "option workers '2'\n"
				 "option max_cps '9'\n"
				 "option cdr_days '0'\n"
				 "list emergency '112'\n"
				 "list emergency '110'\n"
				 "option source_rate '0'\n" REALM);
	const struct conf_global *g = config_global(c);

	assert_string_equal(g->hostname, "sbc.example.net");
	assert_int_equal(g->max_calls, 7);
	assert_int_equal(g->ring_timeout_s, 30);
	assert_int_equal(g->workers, 2);
	assert_int_equal(g->source_rate, 0);
	assert_int_equal(g->max_cps, 9);
	assert_int_equal(g->cdr_days, 0);
	assert_int_equal(g->n_emergency, 2);
	assert_string_equal(g->emergency[0], "112");
	assert_string_equal(g->emergency[1], "110");
	assert_int_equal(g->log_level, LOG_DEBUG);
	assert_int_equal(g->log_format, LOG_JSON);
	config_unref(c);
}

#define TRUNK                                                                  \
	"config trunk 'pbx'\noption realm 'lan'\noption host '192.0.2.1'\n"

static void registrations_are_ours_unless_a_trunk_is_named(void **state)
{
	struct config *c = parse(REALM TRUNK);
	const struct conf_realm *r = config_realm(c, "lan");

	assert_string_equal(r->registrar, "");
	assert_int_equal(r->registrar_mode, CONF_MIRROR);
	assert_int_equal(r->registrar_expires_s, 3600);
	assert_true(config_trunk(c, "pbx")->path);
	assert_null(config_global(c)->flow_key);
	config_unref(c);
	c = parse(REALM "option registrar 'local'\n");
	assert_string_equal(config_realm(c, "lan")->registrar, "");
	config_unref(c);
}

static void a_registrar_may_be_a_trunk_of_another_realm(void **state)
{
	struct config *c = parse(
		"config sbc 'global'\noption flow_key '0123456789abcdef'\n" TRUNK
		"option path '0'\n" REALM "config realm 'edge'\n"
		"list listen 'udp:5070'\noption registrar 'pbx'\n"
		"option registrar_mode 'throttle'\n"
		"option registrar_expires '60'\n");
	const struct conf_realm *r = config_realm(c, "edge");

	assert_string_equal(r->registrar, "pbx");
	assert_int_equal(r->registrar_mode, CONF_THROTTLE);
	assert_int_equal(r->registrar_expires_s, 60);
	assert_false(config_trunk(c, "pbx")->path);
	assert_string_equal(config_global(c)->flow_key, "0123456789abcdef");
	config_unref(c);
}

static void a_registrar_that_is_no_trunk_is_told(void **state)
{
	refuse_one(REALM "option registrar 'pbz'\n" TRUNK, 2,
		   "there is no trunk 'pbz'; the nearest is 'pbx'");
	refuse_one(REALM "option registrar ''\n", 2, "section's name");
	refuse_one(REALM "option registrar_mode 'mirrors'\n", 2, "'mirror'");
	refuse_one(REALM "option registrar_expires '59'\n", 2, "60");
	refuse_one(REALM "option registrar_expires '604801'\n", 2, "604800");
	refuse_one(REALM TRUNK "option path 'yes'\n", 5, "'0' or '1'");
}

static void a_flow_key_that_could_be_guessed_is_refused(void **state)
{
	refuse_one("config sbc 'global'\noption flow_key 'short'\n" REALM, 2,
		   "16 to 255 bytes");
}

static void realm_options_have_standard_values(void **state)
{
	struct config *c = parse(REALM);
	const struct conf_realm *r = config_realm(c, "lan");

	assert_non_null(r);
	assert_string_equal(r->interface, "");
	assert_int_equal(r->n_addresses, 0);
	assert_int_equal(r->n_listen, 2);
	assert_int_equal(r->listen[0].transport, CONF_UDP);
	assert_int_equal(r->listen[0].port, 5060);
	assert_int_equal(r->listen[1].transport, CONF_TCP);
	assert_int_equal(r->listen[1].port, 5060);
	assert_int_equal(r->port_min, 20000);
	assert_int_equal(r->port_max, 39999);
	assert_int_equal(r->port_rest_s, 60);
	assert_int_equal(r->media_timeout_s, 60);
	assert_int_equal(r->media_timeout_hold_s, 1800);
	assert_int_equal(r->latch, CONF_LATCH_RESTRICTED);
	assert_int_equal(r->nat, CONF_NAT_AUTO);
	assert_int_equal(r->keepalive, CONF_KA_AUTO);
	assert_int_equal(r->keepalive_interval_s, 25);
	assert_int_equal(r->min_expires_s, 60);
	assert_int_equal(r->max_expires_s, 3600);
	assert_int_equal(r->nat_expires_s, 120);
	assert_int_equal(r->keepalive_lost, CONF_LOST_KEEP);
	assert_int_equal(r->strangers, CONF_ANSWER);
	assert_int_equal(r->digest, CONF_MD5);
	assert_string_equal(r->digest_realm, "sbc");
	config_unref(c);
}

static void realm_options_are_read(void **state)
{
	struct config *c = parse("config realm 'wan'\n"
				 "list address '192.0.2.10'\n"
				 "list address '2001:db8::10'\n"
				 "list listen 'tcp:5070'\n"
				 "list listen 'udp:5080'\n"
				 "option domain 'voice.example.net'\n"
				 "list domain_alias 'a.example.net'\n"
				 "list domain_alias 'b.example.net'\n"
				 "option media_ports '40000-40099'\n"
				 "option port_rest '0'\n"
				 "option media_timeout '5'\n"
				 "option media_timeout_hold '6'\n"
				 "option latch 'open'\n"
				 "option nat 'never'\n"
				 "option keepalive 'options'\n"
				 "option keepalive_interval '10'\n"
				 "option min_expires '5'\n"
				 "option max_expires '600'\n"
				 "option nat_expires '0'\n"
				 "option keepalive_lost 'drop'\n"
				 "option strangers 'silent'\n"
				 "option digest 'both'\n");
	const struct conf_realm *r;
	char text[ADDR_TEXT_MAX];

	assert_int_equal(config_realms(c, &r), 1);
	assert_int_equal(r->n_addresses, 2);
	assert_string_equal(addr_fmt_host(&r->addresses[0], text),
			    "192.0.2.10");
	assert_string_equal(addr_fmt_host(&r->addresses[1], text),
			    "2001:db8::10");
	assert_int_equal(r->n_listen, 2);
	assert_int_equal(r->listen[0].transport, CONF_TCP);
	assert_int_equal(r->listen[0].port, 5070);
	assert_int_equal(r->listen[1].port, 5080);
	assert_string_equal(r->domain, "voice.example.net");
	assert_int_equal(r->n_aliases, 2);
	assert_string_equal(r->aliases[1], "b.example.net");
	assert_int_equal(r->port_min, 40000);
	assert_int_equal(r->port_max, 40099);
	assert_int_equal(r->port_rest_s, 0);
	assert_int_equal(r->media_timeout_s, 5);
	assert_int_equal(r->media_timeout_hold_s, 6);
	assert_int_equal(r->latch, CONF_LATCH_OPEN);
	assert_int_equal(r->nat, CONF_NAT_NEVER);
	assert_int_equal(r->keepalive, CONF_KA_OPTIONS);
	assert_int_equal(r->keepalive_interval_s, 10);
	assert_int_equal(r->min_expires_s, 5);
	assert_int_equal(r->max_expires_s, 600);
	assert_int_equal(r->nat_expires_s, 0);
	assert_int_equal(r->keepalive_lost, CONF_LOST_DROP);
	assert_int_equal(r->strangers, CONF_SILENT);
	assert_int_equal(r->digest, CONF_DIGEST_BOTH);
	assert_string_equal(r->digest_realm, "voice.example.net");
	config_unref(c);
}

static void the_digest_realm_falls_back_to_the_hostname(void **state)
{
	struct config *c = parse(REALM "config sbc 'global'\n"
				       "option hostname 'box'\n");

	assert_string_equal(config_realm(c, "lan")->digest_realm, "box");
	config_unref(c);
}

static void a_phone_needs_only_a_password(void **state)
{
	struct config *c = parse(REALM "config phone '100'\n"
				       "option password 'x y'\n");
	const struct conf_phone *p = config_phone(c, "100");

	assert_string_equal(p->user, "100");
	assert_string_equal(p->auth_user, "100");
	assert_string_equal(p->realm, "");
	assert_string_equal(p->password, "x y");
	assert_string_equal(p->caller_id, "");
	assert_int_equal(p->max_contacts, 10);
	assert_int_equal(p->contact, CONF_CONTACT_AUTO);
	assert_int_equal(p->digest, CONF_DIGEST_UNSET);
	config_unref(c);
}

static void phone_options_are_read(void **state)
{
	struct config *c = parse(REALM "config phone 'desk'\n"
				       "option user '+4930123'\n"
				       "option realm 'lan'\n"
				       "option auth_user 'desk-17'\n"
				       "option password 'p'\n"
				       "option caller_id '+4930100'\n"
				       "option max_contacts '1'\n"
				       "option contact 'stated'\n"
				       "option digest 'sha256'\n");
	const struct conf_phone *p = config_phone(c, "desk");

	assert_string_equal(p->user, "+4930123");
	assert_string_equal(p->auth_user, "desk-17");
	assert_string_equal(p->realm, "lan");
	assert_string_equal(p->caller_id, "+4930100");
	assert_int_equal(p->max_contacts, 1);
	assert_int_equal(p->contact, CONF_CONTACT_STATED);
	assert_int_equal(p->digest, CONF_SHA256);
	config_unref(c);
}

static void a_written_user_is_the_auth_user_too(void **state)
{
	struct config *c = parse(REALM "config phone 'desk'\n"
				       "option user '17'\n"
				       "option password 'p'\n");

	assert_string_equal(config_phone(c, "desk")->auth_user, "17");
	config_unref(c);
}

static void trunk_options_have_standard_values(void **state)
{
	struct config *c = parse(REALM "config trunk 't'\n"
				       "option realm 'lan'\n"
				       "option host '192.0.2.1'\n");
	const struct conf_trunk *t = config_trunk(c, "t");

	assert_int_equal(addr_port(&t->host), 5060);
	assert_false(t->port_written);
	assert_int_equal(t->transport, CONF_UDP);
	assert_int_equal(t->trust, CONF_TRUST_NONE);
	config_unref(c);
}

static void a_trunk_takes_its_port_before_or_after_its_host(void **state)
{
	struct config *c = parse(REALM "config trunk 't'\n"
				       "option realm 'lan'\n"
				       "option port '5070'\n"
				       "option host '[2001:db8::1]'\n"
				       "option transport 'tcp'\n"
				       "option trust 'source'\n");
	const struct conf_trunk *t = config_trunk(c, "t");
	char text[ADDR_TEXT_MAX];

	assert_string_equal(addr_fmt(&t->host, text), "[2001:db8::1]:5070");
	assert_true(t->port_written);
	assert_int_equal(t->transport, CONF_TCP);
	assert_int_equal(t->trust, CONF_TRUST_SOURCE);
	config_unref(c);
}

static void a_written_port_5060_is_written(void **state)
{
	struct config *c = parse(REALM "config trunk 't'\n"
				       "option realm 'lan'\n"
				       "option host '192.0.2.1'\n"
				       "option port '5060'\n");

	assert_true(config_trunk(c, "t")->port_written);
	config_unref(c);
}

static void routes_keep_their_order_and_their_targets(void **state)
{
	struct config *c = parse(REALM "config phone '100'\n"
				       "option password 'p'\n"
				       "config trunk 't'\n"
				       "option realm 'lan'\n"
				       "option host '192.0.2.1'\n"
				       "config route 'b'\n"
				       "option from_realm 'lan'\n"
				       "option match '0.'\n"
				       "list to 't'\n"
				       "list to '100'\n"
				       "config route 'a'\n"
				       "list to 't'\n");
	const struct conf_route *r;

	assert_int_equal(config_routes(c, &r), 2);
	assert_string_equal(r[0].name, "b");
	assert_string_equal(r[0].from_realm, "lan");
	assert_string_equal(r[0].match, "0.");
	assert_int_equal(r[0].n_to, 2);
	assert_string_equal(r[0].to[0], "t");
	assert_string_equal(r[0].to[1], "100");
	assert_string_equal(r[1].match, "");
	config_unref(c);
}

static void a_route_names_the_methods_it_is_for(void **state)
{
	struct config *c = parse(REALM "config trunk 't'\n"
				       "option realm 'lan'\n"
				       "option host '192.0.2.1'\n"
				       "config route 'b'\n"
				       "list method 'SUBSCRIBE'\n"
				       "list method 'OPTIONS'\n"
				       "list to 't'\n"
				       "config route 'a'\n"
				       "list to 't'\n");
	const struct conf_route *r;

	config_routes(c, &r);
	assert_int_equal(r[0].methods,
			 1u << CONF_FOR_SUBSCRIBE | 1u << CONF_FOR_OPTIONS);
	assert_int_equal(r[1].methods, 0);
	config_unref(c);
}

/* Each line alone, as line 2 of its section, is the one fault of the text. */
static void values_out_of_range_are_refused_with_their_line(void **state)
{
	static const struct {
		const char *section, *line, *words;
	} cases[] = {
		{"config sbc 'global'", "option max_calls '0'", "from 1"},
		{"config sbc 'global'", "option max_calls '1x'", "number"},
		{"config sbc 'global'", "option max_calls ''", "number"},
		{"config sbc 'global'", "option max_calls '-1'", "number"},
		{"config sbc 'global'", "option ring_timeout '3601'", "3600"},
		{"config sbc 'global'", "option workers '999'", "workers"},
		{"config sbc 'global'", "option source_rate '99999999'",
		 "source_rate"},
		{"config sbc 'global'", "option schema '2'", "schema"},
		{"config sbc 'global'", "option log_level 'inf'", "'info'"},
		{"config sbc 'global'", "option log_format 'txt'", "'text'"},
		{"config sbc 'global'", "option hostname 'a b'", "host name"},
		{"config sbc 'global'", "option max_cps '-1'", "10000"},
		{"config sbc 'global'", "option cdr_days '3651'", "3650"},
		{"config sbc 'global'", "list emergency '1 1 2'", "dialled"},
		{"config sbc 'global'", "list nameserver 'dns.example'",
		 "address"},
		{"config sbc 'global'", "list nameserver '192.0.2.1:0'",
		 "address"},
		{"config realm 'x'", "option keepalive_interval '9'",
		 "from 10"},
		{"config realm 'x'", "option keepalive_interval '301'", "300"},
		{"config realm 'x'", "option port_rest '601'", "600"},
		{"config realm 'x'", "option media_timeout '0'", "from 1"},
		{"config realm 'x'", "option keepalive 'crfl'", "'crlf'"},
		{"config realm 'x'", "option nat 'yes'", "nat"},
		{"config realm 'x'", "option nat_expires '604801'", "604800"},
		{"config realm 'x'", "option keepalive_lost 'dorp'", "'drop'"},
		{"config realm 'x'", "option latch 'close'", "latch"},
		{"config realm 'x'", "option strangers 'none'", "strangers"},
		{"config realm 'x'", "option digest 'sha1'", "digest"},
		{"config realm 'x'", "option interface 'a/b'", "device"},
		{"config realm 'x'", "list address 'host'", "IP address"},
		{"config realm 'x'", "list address '0.0.0.0'", "to bind"},
		{"config realm 'x'", "list address '224.0.0.1'", "to bind"},
		{"config realm 'x'", "list listen 'tls:5061'", "udp:PORT"},
		{"config realm 'x'", "list listen 'udp'", "port"},
		{"config realm 'x'", "list listen 'udp:0'", "port"},
		{"config realm 'x'", "list listen 'udp:65536'", "port"},
		{"config realm 'x'", "option domain 'a,b'", "host name"},
		{"config realm 'x'", "list domain_alias '<x>'", "host name"},
		{"config realm 'x'", "option media_ports '20001-30001'",
		 "even"},
		{"config realm 'x'", "option media_ports '20000-30000'",
		 "even"},
		{"config realm 'x'", "option media_ports '30000-20001'",
		 "upwards"},
		{"config realm 'x'", "option media_ports '1000-2001'",
		 "upwards"},
		{"config realm 'x'", "option media_ports '20000'", "FIRST"},
		{"config realm 'x'", "option media_ports '20000-70001'",
		 "FIRST"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[400];
		bool realm = strstr(cases[i].section, "realm") != NULL;

		snprintf(text, sizeof(text), "%s\n%s\n%s", cases[i].section,
			 cases[i].line, realm ? "" : REALM);
		refuse_one(text, 2, cases[i].words);
	}
}

static void phone_and_trunk_values_are_checked(void **state)
{
	static const struct {
		const char *line, *words;
	} phone[] =
		{
			{"option user 'a@b'", "user"},
			{"option user ''", "user"},
			{"option auth_user 'a\"b'", "auth_user"},
			{"option caller_id 'Front Desk'", "caller_id"},
			{"option max_contacts '33'", "32"},
			{"option contact 'state'", "'stated'"},
			{"option realm 'no such'", "section's name"},
		},
	  trunk[] = {
		  {"option port '0'", "65535"},
		  {"option transport 'tls'", "transport"},
		  {"option trust 'all'", "trust"},
	  };
	char text[400];

	for (size_t i = 0; i < sizeof(phone) / sizeof(*phone); i++) {
		snprintf(text, sizeof(text),
			 REALM "config phone 'p'\noption password 'x'\n%s\n",
			 phone[i].line);
		refuse_one(text, 4, phone[i].words);
	}
	for (size_t i = 0; i < sizeof(trunk) / sizeof(*trunk); i++) {
		snprintf(text, sizeof(text),
			 REALM "config trunk 't'\noption realm 'lan'\n"
			       "option host '192.0.2.1'\n%s\n",
			 trunk[i].line);
		refuse_one(text, 5, trunk[i].words);
	}
}

static void a_list_entry_stands_once(void **state)
{
	refuse_one("config realm 'x'\nlist listen 'udp:1'\n"
		   "list listen 'udp:1'\n",
		   3, "twice");
	refuse_one("config realm 'x'\nlist address '192.0.2.1'\n"
		   "list address '::ffff:192.0.2.1'\n",
		   3, "twice");
	refuse_one(REALM "config phone '1'\noption password 'x'\n"
			 "config route 'r'\nlist to '1'\nlist to '1'\n",
		   6, "twice");
	refuse_one(REALM "config phone '1'\noption password 'x'\n"
			 "config route 'r'\nlist method 'MESSAGE'\n"
			 "list method 'MESSAGE'\nlist to '1'\n",
		   6, "twice");
	refuse_one(REALM "config phone '1'\noption password 'x'\n"
			 "config route 'r'\nlist method 'SUBSCRIBED'\n"
			 "list to '1'\n",
		   5, "SUBSCRIBE");
	refuse_one(REALM "config sbc 'global'\nlist emergency '112'\n"
			 "list emergency '112'\n",
		   4, "twice");
	refuse_one(REALM "config sbc 'global'\nlist nameserver '::1'\n"
			 "list nameserver '[::1]:53'\n",
		   4, "twice");
	refuse_one(REALM "config sbc 'global'\nlist nameserver '192.0.2.1'\n"
			 "list nameserver '192.0.2.2'\n"
			 "list nameserver '192.0.2.3'\n"
			 "list nameserver '192.0.2.4'\n",
		   6, "3 times");
	refuse_one("config realm 'x'\nlist codec 'PCMA'\n"
		   "list codec 'pcma'\n",
		   3, "twice");
	refuse_one("config realm 'x'\nlist media 'audio'\n"
		   "list media 'audio'\n",
		   3, "twice");
}

static void a_user_that_does_not_fit_is_refused(void **state)
{
	char user[LIMIT_USER_BYTES + 1], text[400];

	memset(user, '1', sizeof(user));
	user[LIMIT_USER_BYTES] = '\0';
	snprintf(text, sizeof(text),
		 REALM "config phone 'p'\noption password 'x'\n"
		       "option user '%s'\n",
		 user);
	refuse_one(text, 4, "longer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(global_options_have_standard_values),
		cmocka_unit_test(global_options_are_read),
		cmocka_unit_test(name_servers_have_a_port),
		cmocka_unit_test(
			registrations_are_ours_unless_a_trunk_is_named),
		cmocka_unit_test(a_registrar_may_be_a_trunk_of_another_realm),
		cmocka_unit_test(a_registrar_that_is_no_trunk_is_told),
		cmocka_unit_test(a_flow_key_that_could_be_guessed_is_refused),
		cmocka_unit_test(realm_options_have_standard_values),
		cmocka_unit_test(realm_options_are_read),
		cmocka_unit_test(the_digest_realm_falls_back_to_the_hostname),
		cmocka_unit_test(a_phone_needs_only_a_password),
		cmocka_unit_test(phone_options_are_read),
		cmocka_unit_test(a_written_user_is_the_auth_user_too),
		cmocka_unit_test(trunk_options_have_standard_values),
		cmocka_unit_test(
			a_trunk_takes_its_port_before_or_after_its_host),
		cmocka_unit_test(a_written_port_5060_is_written),
		cmocka_unit_test(routes_keep_their_order_and_their_targets),
		cmocka_unit_test(a_route_names_the_methods_it_is_for),
		cmocka_unit_test(
			values_out_of_range_are_refused_with_their_line),
		cmocka_unit_test(phone_and_trunk_values_are_checked),
		cmocka_unit_test(a_list_entry_stands_once),
		cmocka_unit_test(a_user_that_does_not_fit_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
