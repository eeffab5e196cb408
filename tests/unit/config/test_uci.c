/*
 * test_uci.c - the UCI syntax
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "config/uci.h"
#include "core/limits.h"

static struct uci u;
static struct uci_item item;

static void start(const char *text)
{
	uci_start(&u, str_of(text));
}

static void expect(enum uci_kind kind, unsigned line, const char *key,
		   const char *value)
{
	assert_int_equal(uci_next(&u, &item), 1);
	assert_int_equal(item.kind, kind);
	assert_int_equal(item.line, line);
	assert_string_equal(item.key, key);
	assert_string_equal(item.value, value);
}

static void expect_fault(unsigned line, const char *words)
{
	assert_int_equal(uci_next(&u, &item), -EINVAL);
	assert_int_equal(u.line, line);
	assert_non_null(strstr(u.fault, words));
}

static void expect_end(void)
{
	assert_int_equal(uci_next(&u, &item), 0);
}

static void an_empty_text_has_no_statement(void **state)
{
	start("");
	expect_end();
	start("\n\n  \t\n# nothing\n");
	expect_end();
}

static void statements_come_with_their_lines(void **state)
{
	start("# first\nconfig sbc 'global'\n\n\toption max_calls '10'\n"
	      "\tlist listen 'udp:5060'\n");
	expect(UCI_CONFIG, 2, "sbc", "global");
	expect(UCI_OPTION, 4, "max_calls", "10");
	expect(UCI_LIST, 5, "listen", "udp:5060");
	expect_end();
}

static void the_last_line_needs_no_newline(void **state)
{
	start("config phone '100'");
	expect(UCI_CONFIG, 1, "phone", "100");
	expect_end();
}

static void carriage_returns_are_blanks(void **state)
{
	start("config phone '100'\r\noption user a\r\n");
	expect(UCI_CONFIG, 1, "phone", "100");
	expect(UCI_OPTION, 2, "user", "a");
	expect_end();
}

static void words_may_be_bare_or_quoted(void **state)
{
	start("option a bare\noption b \"double\"\n'option' \"c\" 'single'\n");
	expect(UCI_OPTION, 1, "a", "bare");
	expect(UCI_OPTION, 2, "b", "double");
	expect(UCI_OPTION, 3, "c", "single");
}

static void runs_that_touch_are_one_word(void **state)
{
	start("option a 'it'\"'\"'s'x\n");
	expect(UCI_OPTION, 1, "a", "it'sx");
}

static void a_backslash_is_literal_in_single_quotes_only(void **state)
{
	start("option a 'x\\y'\noption a \"x\\\"y\"\noption a x\\ y\n");
	expect(UCI_OPTION, 1, "a", "x\\y");
	expect(UCI_OPTION, 2, "a", "x\"y");
	expect(UCI_OPTION, 3, "a", "x y");
}

static void a_hash_starts_a_comment_outside_quotes(void **state)
{
	start("option a 'x#y' # z\noption b x#y\n");
	expect(UCI_OPTION, 1, "a", "x#y");
	expect(UCI_OPTION, 2, "b", "x");
	expect_end();
}

static void a_semicolon_ends_a_statement(void **state)
{
	start("config phone a; option user 'b;c'\n");
	expect(UCI_CONFIG, 1, "phone", "a");
	expect(UCI_OPTION, 1, "user", "b;c");
	expect_end();
}

static void an_empty_value_is_a_value(void **state)
{
	start("option a ''\n");
	expect(UCI_OPTION, 1, "a", "");
}

static void a_package_line_carries_nothing(void **state)
{
	start("package sbc\nconfig phone a\n");
	expect(UCI_CONFIG, 2, "phone", "a");
}

static void an_open_quote_is_a_fault_of_its_line(void **state)
{
	start("option a 'x\noption b \"y\\\"\noption c z\n");
	expect_fault(1, "single quote");
	expect_fault(2, "double quote");
	expect(UCI_OPTION, 3, "c", "z");
	expect_end();
}

static void an_unknown_keyword_is_a_fault(void **state)
{
	start("optoin a b\n");
	expect_fault(1, "config, option or list");
	expect_end();
}

static void too_few_or_many_words_are_faults(void **state)
{
	start("config phone\noption a\nlist\noption a b c\n"
	      "option a b c d e\n");
	expect_fault(1, "type and a name");
	expect_fault(2, "name and a value");
	expect_fault(3, "name and a value");
	expect_fault(4, "too many words");
	expect_fault(5, "too many words");
	expect_end();
}

static void a_trailing_backslash_is_a_fault(void **state)
{
	start("option a b\\\noption c d\n");
	expect_fault(1, "backslash");
	expect(UCI_OPTION, 2, "c", "d");
}

static void control_bytes_are_faults(void **state)
{
	uci_start(&u, STR("option a 'x\0y'\noption a 'x\x1by'\n"
			  "option a\tb\n"));
	expect_fault(1, "control byte");
	expect_fault(2, "control byte");
	expect(UCI_OPTION, 3, "a", "b");
}

static void a_word_that_does_not_fit_is_a_fault(void **state)
{
	static char text[UCI_WORD_BYTES + 64];

	strcpy(text, "option a ");
	memset(text + 9, 'x', UCI_WORD_BYTES - 1);
	strcpy(text + 9 + UCI_WORD_BYTES - 1, "\n");
	start(text);
	assert_int_equal(uci_next(&u, &item), 1);
	assert_int_equal(strlen(item.value), UCI_WORD_BYTES - 1);
	strcpy(text + 9 + UCI_WORD_BYTES - 1, "x\n");
	start(text);
	expect_fault(1, "longer");
}

static void section_names_are_plain(void **state)
{
	char name[LIMIT_NAME_BYTES + 1];

	assert_true(uci_is_name("lan-1_A"));
	assert_false(uci_is_name(""));
	assert_false(uci_is_name("a b"));
	assert_false(uci_is_name("a.b"));
	memset(name, 'x', sizeof(name));
	name[LIMIT_NAME_BYTES] = '\0';
	assert_false(uci_is_name(name));
	name[LIMIT_NAME_BYTES - 1] = '\0';
	assert_true(uci_is_name(name));
	start("config phone 'a.b'\n");
	expect_fault(1, "section name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_text_has_no_statement),
		cmocka_unit_test(statements_come_with_their_lines),
		cmocka_unit_test(the_last_line_needs_no_newline),
		cmocka_unit_test(carriage_returns_are_blanks),
		cmocka_unit_test(words_may_be_bare_or_quoted),
		cmocka_unit_test(runs_that_touch_are_one_word),
		cmocka_unit_test(a_backslash_is_literal_in_single_quotes_only),
		cmocka_unit_test(a_hash_starts_a_comment_outside_quotes),
		cmocka_unit_test(a_semicolon_ends_a_statement),
		cmocka_unit_test(an_empty_value_is_a_value),
		cmocka_unit_test(a_package_line_carries_nothing),
		cmocka_unit_test(an_open_quote_is_a_fault_of_its_line),
		cmocka_unit_test(an_unknown_keyword_is_a_fault),
		cmocka_unit_test(too_few_or_many_words_are_faults),
		cmocka_unit_test(a_trailing_backslash_is_a_fault),
		cmocka_unit_test(control_bytes_are_faults),
		cmocka_unit_test(a_word_that_does_not_fit_is_a_fault),
		cmocka_unit_test(section_names_are_plain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
