/*
 * test_csv.c - call records as CSV
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cdr/cdr.h"

static char mem[4096];

static const char *row(const char *json)
{
	json_t *j = json_loads(json, 0, NULL);
	struct buf b;

	assert_non_null(j);
	buf_init(&b, mem, sizeof(mem));
	cdr_csv_row(&b, j);
	json_decref(j);
	assert_string_equal(mem + b.n - 2, "\r\n");
	return mem;
}

static unsigned commas(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == ',';
	return n;
}

static void a_row_has_as_many_cells_as_there_are_titles(void **state)
{
	char titles[1024];
	struct buf b;

	buf_init(&b, titles, sizeof(titles));
	cdr_csv_header(&b);
	assert_memory_equal(titles, "id,started_at,", 14);
	assert_int_equal(commas(row("{}")), commas(titles));
	assert_int_equal(commas(row("{\"id\":\"x\",\"status\":200,\"a\":"
				    "null,\"emergency\":true}")),
			 commas(titles));
}

static void values_stand_in_their_columns(void **state)
{
	const char *line = row("{\"id\":\"x\",\"duration_ms\":1500,"
			       "\"from\":{\"received\":\"100\"},"
			       "\"emergency\":true,\"reason\":\"over\"}");

	assert_memory_equal(line, "x,,,,,1500,,100,", 16);
	assert_non_null(strstr(line, ",1,over\r\n"));
}

static void quotes_commas_and_line_ends_are_quoted(void **state)
{
	assert_memory_equal(row("{\"id\":\"a\\\"b\"}"), "\"a\"\"b\",", 7);
	assert_memory_equal(row("{\"id\":\"a,b\"}"), "\"a,b\",", 6);
	assert_memory_equal(row("{\"id\":\"a\\nb\"}"), "\"a\nb\",", 6);
}

/* Whoever exports to a terminal sees what callers wrote, and no more. */
static void nothing_drives_a_terminal(void **state)
{
	assert_memory_equal(row("{\"id\":\"a\\u001b]0;b\\u0007\\u007f\"}"),
			    "a?]0;b??,", 9);
	assert_memory_equal(row("{\"id\":\"a\\u009bb\"}"), "a?b,", 4);
	assert_memory_equal(row("{\"id\":\"\\u00e4\"}"), "\xc3\xa4,", 3);
}

static void no_cell_becomes_a_formula(void **state)
{
	assert_memory_equal(row("{\"id\":\"=1+1\"}"), "'=1+1,", 6);
	assert_memory_equal(row("{\"id\":\"@x\"}"), "'@x,", 4);
	assert_memory_equal(row("{\"id\":\"+1|cmd\"}"), "'+1|cmd,", 8);
	assert_memory_equal(row("{\"id\":\"=a,b\"}"), "\"'=a,b\",", 8);
	/* A number with its plus is none. */
	assert_memory_equal(row("{\"id\":\"+4930123\"}"), "+4930123,", 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_has_as_many_cells_as_there_are_titles),
		cmocka_unit_test(values_stand_in_their_columns),
		cmocka_unit_test(quotes_commas_and_line_ends_are_quoted),
		cmocka_unit_test(no_cell_becomes_a_formula),
		cmocka_unit_test(nothing_drives_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
