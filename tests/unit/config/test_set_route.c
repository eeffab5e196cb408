/*
 * test_set_route.c - what a route may ask and change; the header table
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf_text.h"

#define PHONE "config realm 'lan'\nconfig phone '1'\noption password 'x'\n"
#define ROUTE PHONE "config route 'r'\nlist to '1'\n"
#define RULE  "config realm 'lan'\nconfig header 'h'\n"

static void a_route_changes_nothing_by_itself(void **state)
{
	struct config *c = parse(ROUTE);
	const struct conf_route *r;

	assert_int_equal(config_routes(c, &r), 1);
	assert_string_equal(r->from, "");
	assert_string_equal(r->calling, "");
	assert_int_equal(r->strip, 0);
	assert_string_equal(r->prefix, "");
	assert_int_equal(r->calling_strip, 0);
	assert_string_equal(r->calling_prefix, "");
	config_unref(c);
}

static void a_route_asks_who_calls_and_rewrites(void **state)
{
	struct config *c = parse(ROUTE "option from '1'\n"
				       "option calling '+49.'\n"
				       "option strip '1'\n"
				       "option prefix '+49'\n"
				       "option calling_strip '3'\n"
				       "option calling_prefix '0'\n");
	const struct conf_route *r;

	config_routes(c, &r);
	assert_string_equal(r->from, "1");
	assert_string_equal(r->calling, "+49.");
	assert_int_equal(r->strip, 1);
	assert_string_equal(r->prefix, "+49");
	assert_int_equal(r->calling_strip, 3);
	assert_string_equal(r->calling_prefix, "0");
	config_unref(c);
}

static void values_of_a_route_are_checked(void **state)
{
	static const struct {
		const char *line, *words;
	} cases[] = {
		{"option from 'nobody'", "no trunk or phone 'nobody'"},
		{"option calling '['", "'[' without ']'"},
		{"option strip '128'", "from 0 to 127"},
		{"option prefix '0@'", "prefix"},
		{"option prefix '01234567890123456789012345678901'",
		 "longer than 31"},
		{"option calling_strip 'x'", "from 0 to 127"},
		{"option calling_prefix ' '", "calling_prefix"},
	};
	char text[400];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), ROUTE "%s\n", cases[i].line);
		refuse_one(text, 6, cases[i].words);
	}
}

/* ---- header rules ------------------------------------------------------- */

static void a_rule_is_for_everything_by_itself(void **state)
{
	struct config *c = parse(RULE "option action 'remove'\n"
				      "option header 'X-Inside'\n");
	const struct conf_rule *r;

	assert_int_equal(config_rules(c, &r), 1);
	assert_string_equal(r->name, "h");
	assert_int_equal(r->action, CONF_RULE_REMOVE);
	assert_string_equal(r->header, "X-Inside");
	assert_string_equal(r->match, "");
	assert_string_equal(r->value, "");
	assert_int_equal(r->methods, 0);
	assert_int_equal(r->direction, CONF_DIRECTION_BOTH);
	assert_string_equal(r->trunk, "");
	assert_string_equal(r->realm, "");
	config_unref(c);
}

static void a_rules_options_are_read_in_order(void **state)
{
	struct config *c =
		parse(RULE "option action 'replace'\noption header 's'\n"
			   "option match 'a*b?'\noption value 'c d'\n"
			   "list method 'INVITE'\nlist method 'MESSAGE'\n"
			   "option direction 'out'\noption trunk 't'\n"
			   "option realm 'lan'\n"
			   "config header 'i'\noption action 'add'\n"
			   "option header 'X-A'\noption value '1'\n"
			   "option direction 'in'\n"
			   "config trunk 't'\noption realm 'lan'\n"
			   "option host '192.0.2.1'\n");
	const struct conf_rule *r;

	assert_int_equal(config_rules(c, &r), 2);
	assert_int_equal(r[0].action, CONF_RULE_REPLACE);
	assert_string_equal(r[0].header, "Subject");
	assert_string_equal(r[0].match, "a*b?");
	assert_string_equal(r[0].value, "c d");
	assert_int_equal(r[0].methods,
			 1u << CONF_FOR_INVITE | 1u << CONF_FOR_MESSAGE);
	assert_int_equal(r[0].direction, CONF_OUT);
	assert_string_equal(r[0].trunk, "t");
	assert_string_equal(r[0].realm, "lan");
	assert_int_equal(r[1].action, CONF_RULE_ADD);
	assert_int_equal(r[1].direction, CONF_IN);
	config_unref(c);
}

static void headers_of_the_dialog_cannot_be_touched(void **state)
{
	static const char *const names[] = {
		"Via",     "v",       "from",          "t",
		"call-id", "CSEQ",    "Contact",       "Route",
		"RSeq",    "Require", "Authorization", "Max-Forwards",
		"x",       "Min-SE",  "Refer-To",      "Content-Length",
	};
	char text[400];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(text, sizeof(text),
			 RULE "option action 'remove'\noption header '%s'\n",
			 names[i]);
		refuse_one(text, 4, "no rule can touch it");
	}
}

static void values_of_a_rule_are_checked(void **state)
{
	static const struct {
		const char *lines, *words;
		unsigned line;
	} cases[] = {
		{"option header 'X-1'", "needs 'option action'", 2},
		{"option action 'remove'", "needs 'option header'", 2},
		{"option header 'X-1'\noption action 'delete'\noption value 'v'",
		 "action", 4},
		{"option action 'remove'\noption header 'X:'", "name of", 4},
		{"option action 'remove'\noption header ''", "name of", 4},
		{"option header 'X-1'\noption action 'add'",
		 "needs 'option "
		 "value'",
		 2},
		{"option header 'X-1'\noption action 'replace'",
		 "needs 'option value'", 2},
		{"option header 'X-1'\noption action 'remove'\n"
		 "option value '1'",
		 "has no value", 5},
		{"option header 'X-1'\noption action 'add'\n"
		 "option value '1'\noption match '2'",
		 "has no match", 6},
		{"option header 'X-1'\noption action 'pass'\n"
		 "option value '1'",
		 "has no value", 5},
		{"option action 'pass'\noption header 'Remote-Party-Id'",
		 "trust_identity", 4},
		{"option header 'X-1'\noption action 'remove'\n"
		 "option match ''",
		 "empty", 5},
		{"option header 'X-1'\noption action 'remove'\n"
		 "option trunk 't'",
		 "no trunk 't'", 5},
		{"option header 'X-1'\noption action 'remove'\n"
		 "option realm 'len'",
		 "nearest is 'lan'", 5},
		{"option header 'X-1'\noption action 'remove'\n"
		 "list method 'BYE'",
		 "method", 5},
	};
	char text[400];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), RULE "%s\n", cases[i].lines);
		refuse_one(text, cases[i].line, cases[i].words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_route_changes_nothing_by_itself),
		cmocka_unit_test(a_route_asks_who_calls_and_rewrites),
		cmocka_unit_test(values_of_a_route_are_checked),
		cmocka_unit_test(a_rule_is_for_everything_by_itself),
		cmocka_unit_test(a_rules_options_are_read_in_order),
		cmocka_unit_test(headers_of_the_dialog_cannot_be_touched),
		cmocka_unit_test(values_of_a_rule_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
