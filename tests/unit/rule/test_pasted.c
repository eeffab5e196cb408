/*
 * test_pasted.c - a pasted SIP message
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rule/rule.h"

static struct rule_pasted *read_text(const char *text)
{
	struct rule_pasted *p = NULL;
	unsigned line;

	assert_int_equal(rule_pasted_read(&p, str_of(text), &line), 0);
	assert_non_null(p);
	return p;
}

static void refuse(const char *text, size_t n, int why, unsigned where)
{
	struct rule_pasted *p = NULL;
	unsigned line;

	assert_int_equal(rule_pasted_read(&p, (struct str){text, n}, &line),
			 why);
	assert_int_equal(line, where);
	assert_null(p);
}

static void a_request_with_bare_line_ends_is_read(void **state)
{
	struct rule_pasted *p =
		read_text("\n\nINVITE sip:1@h SIP/2.0\nSubject: hello \n"
			  "X-A:1\n\nv=0\nno: header\n");

	assert_string_equal(p->start, "INVITE sip:1@h SIP/2.0");
	assert_string_equal(p->method, "INVITE");
	assert_int_equal(p->n, 2);
	assert_string_equal(p->lines[0].name, "Subject");
	assert_string_equal(p->lines[0].value, "hello");
	assert_string_equal(p->lines[1].name, "X-A");
	assert_string_equal(p->lines[1].value, "1");
	rule_pasted_free(p);
}

static void proper_line_ends_and_no_body_are_read_too(void **state)
{
	struct rule_pasted *p = read_text("BYE sip:1@h SIP/2.0\r\nReason: x");

	assert_string_equal(p->method, "BYE");
	assert_int_equal(p->n, 1);
	assert_string_equal(p->lines[0].value, "x");
	rule_pasted_free(p);
}

static void short_names_become_long(void **state)
{
	struct rule_pasted *p =
		read_text("INVITE sip:1@h SIP/2.0\ns: a\nv : SIP/2.0/UDP h\n");

	assert_string_equal(p->lines[0].name, "Subject");
	assert_string_equal(p->lines[1].name, "Via");
	rule_pasted_free(p);
}

static void folded_lines_are_unfolded(void **state)
{
	struct rule_pasted *p =
		read_text("INVITE sip:1@h SIP/2.0\r\nSubject:\r\n\t a\r\n"
			  "  b \r\nX: y\r\n z\r\n");

	assert_int_equal(p->n, 2);
	assert_string_equal(p->lines[0].value, "a b");
	assert_string_equal(p->lines[1].value, "y z");
	rule_pasted_free(p);
}

static void an_answer_has_no_method(void **state)
{
	struct rule_pasted *p = read_text("SIP/2.0 200 OK\nServer: x\n");

	assert_null(p->method);
	assert_int_equal(p->n, 1);
	rule_pasted_free(p);
}

static void control_bytes_do_not_come_through(void **state)
{
	static const char text[] = "INVITE sip:1@h SIP/2.0\nX: a\033[2J\0b\n";
	struct rule_pasted *p = NULL;
	unsigned line;

	assert_int_equal(rule_pasted_read(&p,
					  (struct str){text, sizeof(text) - 1},
					  &line),
			 0);
	assert_string_equal(p->lines[0].value, "a?[2J?b");
	rule_pasted_free(p);
}

#define REFUSE(text, why, line) refuse(text, strlen(text), why, line)

static void what_is_no_message_is_refused_with_its_line(void **state)
{
	REFUSE("", -EINVAL, 0);
	REFUSE("\n\n", -EINVAL, 2);
	REFUSE("hello", -EINVAL, 1);
	REFUSE("INVITE sip:1@h", -EINVAL, 1);
	REFUSE("INVITESIP/2.0", -EINVAL, 1);
	REFUSE("IN(VITE sip:1@h SIP/2.0\n", -EINVAL, 1);
	REFUSE("\nINVITE sip:1@h SIP/2.0\nTo\n", -EINVAL, 3);
	REFUSE("INVITE sip:1@h SIP/2.0\nT o: x\n", -EINVAL, 2);
	REFUSE("INVITE sip:1@h SIP/2.0\n: x\n", -EINVAL, 2);
	REFUSE("INVITE sip:1@h SIP/2.0\n folded\n", -EINVAL, 2);
}

static void a_paste_has_bounds(void **state)
{
	size_t room = LIMIT_MESSAGE_BYTES + 1;
	char *text = calloc(1, room + 1), *p = text;

	p += sprintf(p, "INVITE sip:1@h SIP/2.0\n");
	for (unsigned i = 0; i <= RULE_PASTED_LINES; i++)
		p += sprintf(p, "X: y\n");
	REFUSE(text, -E2BIG, RULE_PASTED_LINES + 2);
	memset(p, '\n', room - (size_t)(p - text));
	refuse(text, room, -E2BIG, 0);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_with_bare_line_ends_is_read),
		cmocka_unit_test(proper_line_ends_and_no_body_are_read_too),
		cmocka_unit_test(short_names_become_long),
		cmocka_unit_test(folded_lines_are_unfolded),
		cmocka_unit_test(an_answer_has_no_method),
		cmocka_unit_test(control_bytes_do_not_come_through),
		cmocka_unit_test(what_is_no_message_is_refused_with_its_line),
		cmocka_unit_test(a_paste_has_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
