/*
 * fuzz_pasted.c - a pasted message through the reader and the header table
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is read is whole and can be shown; the table never makes more lines
 * than there is room for, and its matching ends.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rule/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rules[] =
	"config realm 'r'\n"
	"config header 'a'\noption action 'pass'\noption header 'X-A'\n"
	"option match '*a?b*'\n"
	"config header 'b'\noption action 'replace'\noption header 's'\n"
	"option value 'x'\noption match '?*'\n"
	"config header 'c'\noption action 'add'\noption header 'X-A'\n"
	"option value 'ab'\n"
	"config header 'd'\noption action 'remove'\noption header 'X-A'\n"
	"option match 'a*'\n";

static void check_text(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 && *text != '\t' &&
		    *text != '\r')
			abort();
}

static void apply(const struct config *cfg, const struct rule_pasted *p)
{
	const struct rule_scope scope = {
		.direction = CONF_OUT, .realm = "r", .trunk = ""};
	struct rule_lines l = {.n = 0};

	for (unsigned i = 0; i < p->n; i++) {
		check_text(p->lines[i].name);
		check_text(p->lines[i].value);
		if (!conf_header_is_name(p->lines[i].name))
			abort();
		rule_put(&l, p->lines[i].name, p->lines[i].value,
			 rule_crosses(p->lines[i].name));
	}
	rule_apply(&l, cfg, &scope);
	if (l.n > RULE_LINES)
		abort();
	for (unsigned i = 0; i < l.n; i++)
		if (!l.list[i].was && !l.list[i].by)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config *cfg;
	struct conf_errors errs;
	struct rule_pasted *p = NULL;
	unsigned line;
	int err;

	if (!cfg && config_parse(&cfg, "fuzz", STR(rules), &errs))
		abort();
	err = rule_pasted_read(&p, (struct str){(const char *)data, size},
			       &line);
	if (err ? p != NULL : p == NULL || !p->start)
		abort();
	if (p)
		apply(cfg, p);
	rule_pasted_free(p);
	return 0;
}
