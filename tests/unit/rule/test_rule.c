/*
 * test_rule.c - the header table, applied
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "rule/rule.h"

#define BASE                                                                   \
	"config realm 'lan'\nlist listen 'udp:5060'\n"                         \
	"config realm 'wan'\nlist listen 'udp:5070'\n"                         \
	"config trunk 't'\noption realm 'wan'\noption host '192.0.2.1'\n"
#define RULE(name, action, header)                                             \
	"config header '" name "'\noption action '" action "'\n"               \
	"option header '" header "'\n"

static struct config *parse(const char *text)
{
	struct conf_errors errs;
	struct config *c = NULL;
	int err = config_parse(&c, "test.conf", str_of(text), &errs);

	for (size_t i = 0; i < errs.n; i++)
		print_error("%u: %s\n", errs.list[i].line, errs.list[i].text);
	assert_int_equal(err, 0);
	conf_errors_clear(&errs);
	return c;
}

static const struct rule_scope to_trunk = {
	.direction = CONF_OUT,
	.realm = "wan",
	.trunk = "t",
	.method = CONF_FOR_INVITE,
};

/* What goes, as "Name: value" lines. */
static const char *sent(const struct rule_lines *l)
{
	static char text[4096];

	text[0] = '\0';
	for (unsigned i = 0; i < l->n; i++)
		if (rule_goes(l, i))
			snprintf(text + strlen(text),
				 sizeof(text) - strlen(text), "%s: %s\n",
				 l->list[i].name, l->list[i].value);
	return text;
}

/* Subject: hello, and two X-A that do not cross, by the rules of @text. */
static const char *made(struct rule_lines *l, const char *text,
			const struct rule_scope *scope)
{
	static struct config *c;

	config_unref(c); /* the texts of the last one */
	c = text ? parse(text) : NULL;
	*l = (struct rule_lines){.n = 0};
	if (!c)
		return NULL;
	rule_put(l, "Subject", "hello", true);
	rule_put(l, "X-A", "one", false);
	rule_put(l, "X-A", "two", false);
	rule_apply(l, c, scope);
	return sent(l);
}

static void without_rules_what_crosses_by_itself_goes(void **state)
{
	struct rule_lines l;

	assert_string_equal(made(&l, BASE, &to_trunk), "Subject: hello\n");
	assert_null(l.list[0].by);
}

static void a_rule_passes_the_lines_that_fit(void **state)
{
	struct rule_lines l;

	assert_string_equal(made(&l, BASE RULE("r", "pass", "x-a"), &to_trunk),
			    "Subject: hello\nX-A: one\nX-A: two\n");
	assert_string_equal(l.list[1].by->name, "r");
	assert_string_equal(
		made(&l, BASE RULE("r", "pass", "X-A") "option match 't*'\n",
		     &to_trunk),
		"Subject: hello\nX-A: two\n");
}

static void a_rule_adds_a_line_of_its_own(void **state)
{
	struct rule_lines l;

	assert_string_equal(
		made(&l, BASE RULE("r", "add", "X-B") "option value 'b, c'\n",
		     &to_trunk),
		"Subject: hello\nX-B: b, c\n");
	assert_null(l.list[3].was);
}

static void a_rule_removes_the_lines_that_fit(void **state)
{
	struct rule_lines l;

	assert_string_equal(made(&l, BASE RULE("r", "remove", "s"), &to_trunk),
			    "");
	assert_true(l.list[0].removed);
	assert_string_equal(
		made(&l,
		     BASE RULE("r", "remove", "Subject") "option match "
							 "'bye'\n",
		     &to_trunk),
		"Subject: hello\n");
}

static void a_rule_replaces_but_does_not_pass(void **state)
{
	struct rule_lines l;

	assert_string_equal(
		made(&l,
		     BASE RULE("r", "replace", "Subject") "option value 'x'\n" RULE(
			     "s", "replace", "X-A") "option value 'y'\n",
		     &to_trunk),
		"Subject: x\n");
	assert_string_equal(l.list[0].was, "hello");
	assert_string_equal(l.list[1].value, "y");
}

static void each_rule_sees_what_the_one_before_left(void **state)
{
	struct rule_lines l;

	assert_string_equal(
		made(&l,
		     BASE RULE("a", "replace", "Subject") "option value 'x'\n" RULE(
			     "b", "remove",
			     "Subject") "option match "
					"'hello'\n" RULE("c", "add", "Subject") "option value 'y'\n" RULE(
						"d", "remove",
						"Subject") "option match "
							   "'x'\n",
		     &to_trunk),
		"Subject: y\n");
	assert_string_equal(l.list[0].by->name, "d");
}

static void a_rule_is_for_its_direction_peer_and_method(void **state)
{
	static const struct {
		const char *line;
		bool fits;
	} cases[] = {
		{"option direction 'out'\n", true},
		{"option direction 'in'\n", false},
		{"option trunk 't'\n", true},
		{"option realm 'wan'\n", true},
		{"option realm 'lan'\n", false},
		{"list method 'INVITE'\n", true},
		{"list method 'MESSAGE'\n", false},
		{"list method 'MESSAGE'\nlist method 'INVITE'\n", true},
	};
	struct rule_lines l;
	char text[1000];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "%s%s%s", BASE,
			 RULE("r", "remove", "Subject"), cases[i].line);
		assert_string_equal(made(&l, text, &to_trunk),
				    cases[i].fits ? "" : "Subject: hello\n");
	}
}

static void a_rule_of_a_trunk_is_not_for_phones(void **state)
{
	const struct rule_scope to_phone = {
		.direction = CONF_OUT, .realm = "wan", .trunk = ""};
	struct rule_lines l;

	assert_string_equal(
		made(&l,
		     BASE RULE("r", "remove", "Subject") "option trunk 't'\n",
		     &to_phone),
		"Subject: hello\n");
}

static void other_methods_have_the_rules_for_all(void **state)
{
	struct rule_scope scope = to_trunk;
	struct rule_lines l;

	scope.method = CONF_METHODS;
	assert_string_equal(
		made(&l, BASE RULE("r", "remove", "Subject"), &scope), "");
	assert_string_equal(made(&l,
				 BASE RULE("r", "remove",
					   "Subject") "list method 'INVITE'\n",
				 &scope),
			    "Subject: hello\n");
}

static void lines_have_a_bound(void **state)
{
	struct config *c =
		parse(BASE RULE("r", "add", "X-B") "option value 'b'\n");
	struct rule_lines l = {.n = 0};

	for (unsigned i = 0; i < RULE_LINES; i++)
		assert_true(rule_put(&l, "X", "y", true));
	assert_false(rule_put(&l, "X", "y", true));
	rule_apply(&l, c, &to_trunk);
	assert_int_equal(l.n, RULE_LINES);
	config_unref(c);
}

static void wanted_are_those_that_cross_and_those_that_are_passed(void **state)
{
	struct config *c =
		parse(BASE RULE("a", "pass", "X-A") RULE("b", "pass", "x-a")
			      RULE("c", "pass", "Subject")
				      RULE("d", "remove", "X-D"));
	const char *names[RULE_LINES];
	unsigned n = rule_wanted(c, names), of_rules = 0;

	for (unsigned i = 0; i < n; i++)
		of_rules += !rule_crosses(names[i]);
	assert_int_equal(of_rules, 1);
	assert_string_equal(names[n - 1], "X-A");
	config_unref(c);
}

static void identities_and_addresses_do_not_cross_by_themselves(void **state)
{
	static const char *const names[] = {
		"P-Asserted-Identity", "Privacy", "Diversion",   "Alert-Info",
		"Call-Info",           "X-Any",   "Geolocation", "Reply-To",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_false(rule_crosses(names[i]));
	assert_true(rule_crosses("subject"));
}

static void a_match_is_of_the_whole_value(void **state)
{
	assert_true(rule_match("", "anything"));
	assert_true(rule_match("*", ""));
	assert_true(rule_match("a*c", "abbc"));
	assert_true(rule_match("*b*", "abc"));
	assert_true(rule_match("a?c", "abc"));
	assert_true(rule_match("*ab", "aab"));
	assert_true(rule_match("a**", "a"));
	assert_false(rule_match("a", "ab"));
	assert_false(rule_match("A", "a"));
	assert_false(rule_match("a?", "a"));
	assert_false(rule_match("*b", "abc"));
	assert_false(rule_match("a*b*c", "acb"));
}

static int forget(void **state)
{
	struct rule_lines l;

	made(&l, NULL, &to_trunk);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_rules_what_crosses_by_itself_goes),
		cmocka_unit_test(a_rule_passes_the_lines_that_fit),
		cmocka_unit_test(a_rule_adds_a_line_of_its_own),
		cmocka_unit_test(a_rule_removes_the_lines_that_fit),
		cmocka_unit_test(a_rule_replaces_but_does_not_pass),
		cmocka_unit_test(each_rule_sees_what_the_one_before_left),
		cmocka_unit_test(a_rule_is_for_its_direction_peer_and_method),
		cmocka_unit_test(a_rule_of_a_trunk_is_not_for_phones),
		cmocka_unit_test(other_methods_have_the_rules_for_all),
		cmocka_unit_test(lines_have_a_bound),
		cmocka_unit_test(
			wanted_are_those_that_cross_and_those_that_are_passed),
		cmocka_unit_test(
			identities_and_addresses_do_not_cross_by_themselves),
		cmocka_unit_test(a_match_is_of_the_whole_value),
	};
	return cmocka_run_group_tests(tests, NULL, forget);
}
