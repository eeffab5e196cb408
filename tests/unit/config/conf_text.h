/*
 * conf_text.h - helpers of the config tests: text in, snapshot or faults out
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_TESTS_CONF_TEXT_H
#define SBC_TESTS_CONF_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"

#define REALM "config realm 'lan'\n"

/* The snapshot of @text, which has no fault. */
static inline struct config *parse(const char *text)
{
	struct conf_errors errs = {0};
	struct config *c = NULL;
	int err = config_parse(&c, "test.conf", str_of(text), &errs);

	for (size_t i = 0; i < errs.n; i++)
		print_error("%s:%u: %s\n", errs.list[i].file, errs.list[i].line,
			    errs.list[i].text);
	assert_int_equal(err, 0);
	assert_int_equal(errs.n, 0);
	conf_errors_clear(&errs);
	assert_non_null(c);
	return c;
}

/* The faults of @text, which is refused. */
static inline struct conf_errors refuse(const char *text)
{
	struct conf_errors errs = {0};
	struct config *c = NULL;

	assert_int_equal(config_parse(&c, "test.conf", str_of(text), &errs),
			 -EINVAL);
	assert_null(c);
	assert_true(errs.n > 0);
	return errs;
}

/* @text has exactly one fault, in @line, whose sentence holds @words. */
static inline void refuse_one(const char *text, unsigned line,
			      const char *words)
{
	struct conf_errors errs = refuse(text);

	for (size_t i = 0; i < errs.n; i++)
		if (errs.n > 1 || errs.list[i].line != line ||
		    !strstr(errs.list[i].text, words))
			print_error("%u: %s\n", errs.list[i].line,
				    errs.list[i].text);
	assert_int_equal(errs.n, 1);
	assert_int_equal(errs.list[0].line, line);
	assert_non_null(strstr(errs.list[0].text, words));
	assert_string_equal(errs.list[0].file, "test.conf");
	conf_errors_clear(&errs);
}

#endif
