/*
 * number.c - forms of a telephone number: E.164 inside, outside as a trunk
 * wants it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   what a trunk sends, or a phone dialled ─▶ +49301234 ─▶ what a trunk gets
 *
 * A number that the plan does not explain stays as it is: service numbers,
 * extensions, names.  Wrongly rewritten they would reach a stranger.
 */
#include "route/route.h"

#include <errno.h>
#include <string.h>

enum {
	/* Shorter ones behind a prefix are no subscriber's: with a prefix '1'
	 * an extension 1234 would become one. */
	LEAST_BEHIND_PREFIX = 5,
	/* 116117 is a service, 1234567 somebody's number. */
	LEAST_WITHOUT_PREFIX = 7,
};

static bool is_digits(const char *s)
{
	return *s && !s[strspn(s, "0123456789")];
}

/* What stands behind @prefix, or NULL. */
static const char *behind(const char *number, const char *prefix)
{
	size_t n = strlen(prefix);

	if (!n || strncmp(number, prefix, n))
		return NULL;
	number += n;
	return strlen(number) >= LEAST_BEHIND_PREFIX ? number : NULL;
}

/* The parts one behind the other; -ENOSPC, and @out is "". */
static int join(char out[LIMIT_USER_BYTES], const char *a, const char *b,
		const char *c, const char *d)
{
	struct buf text;
	char mem[LIMIT_USER_BYTES];

	buf_init(&text, mem, sizeof(mem));
	buf_puts(&text, a);
	buf_puts(&text, b);
	buf_puts(&text, c);
	buf_puts(&text, d);
	if (text.overflow)
		return -ENOSPC;
	return str_copy(out, LIMIT_USER_BYTES, buf_str(&text));
}

static enum route_plan read_digits(const struct conf_trunk *t,
				   const char *number,
				   char out[LIMIT_USER_BYTES])
{
	const char *rest = behind(number, t->international_prefix);

	if (rest)
		return join(out, "+", rest, "", "") ? PLAN_ASIS
						    : PLAN_INTERNATIONAL;
	rest = behind(number, t->national_prefix);
	if (rest)
		return join(out, "+", t->country_code, rest, "")
			       ? PLAN_ASIS
			       : PLAN_NATIONAL;
	if (strlen(number) < LEAST_WITHOUT_PREFIX)
		return PLAN_ASIS;
	if (t->numbers == CONF_NUMBERS_PLAIN)
		return join(out, "+", number, "", "") ? PLAN_ASIS : PLAN_PLAIN;
	if (t->area_code[0])
		return join(out, "+", t->country_code, t->area_code, number)
			       ? PLAN_ASIS
			       : PLAN_LOCAL;
	/* Countries without a national prefix dial national numbers as such. */
	if (!t->national_prefix[0])
		return join(out, "+", t->country_code, number, "")
			       ? PLAN_ASIS
			       : PLAN_NATIONAL;
	return PLAN_ASIS;
}

enum route_plan route_number_read(const struct conf_trunk *t,
				  const char *number,
				  char out[LIMIT_USER_BYTES])
{
	enum route_plan plan = PLAN_ASIS;

	if (*number == '+' && is_digits(number + 1))
		plan = PLAN_GLOBAL;
	else if (t->country_code[0] && is_digits(number))
		plan = read_digits(t, number, out);
	if (plan <= PLAN_GLOBAL)
		str_copy(out, LIMIT_USER_BYTES, str_of(number));
	return plan;
}

void route_number_to(const struct conf_trunk *t, const char *number,
		     char out[LIMIT_USER_BYTES])
{
	char global[LIMIT_USER_BYTES];
	const char *digits = global + 1, *rest;
	size_t country = strlen(t->country_code);
	int err = 0;

	if (t->numbers == CONF_NUMBERS_ASIS ||
	    route_number_read(t, number, global) == PLAN_ASIS) {
		str_copy(out, LIMIT_USER_BYTES, str_of(number));
		return;
	}
	rest = country && !strncmp(digits, t->country_code, country)
		       ? digits + country
		       : "";
	if (t->numbers == CONF_NUMBERS_E164)
		err = join(out, global, "", "", "");
	else if (t->numbers == CONF_NUMBERS_PLAIN)
		err = join(out, digits, "", "", "");
	else if (t->numbers == CONF_NUMBERS_NATIONAL && *rest)
		err = join(out, t->national_prefix, rest, "", "");
	else
		err = join(out, t->international_prefix, digits, "", "");
	if (err)
		str_copy(out, LIMIT_USER_BYTES, str_of(number));
}

void route_numbers_for(const struct route_result *r, unsigned i,
		       char called[LIMIT_USER_BYTES],
		       char calling[LIMIT_USER_BYTES])
{
	const struct conf_trunk *t = r->targets[i].trunk;

	str_copy(called, LIMIT_USER_BYTES, str_of(r->called));
	str_copy(calling, LIMIT_USER_BYTES, str_of(r->calling));
	if (t && !r->emergency)
		route_number_to(t, r->called, called);
	if (t)
		route_number_to(t, r->calling, calling);
}

/* RFC 3966 3: visual-separator. */
static bool is_separator(char c)
{
	return c == '-' || c == '.' || c == '(' || c == ')';
}

static void put_number(struct buf *b, struct str number)
{
	for (size_t i = 0; i < number.n; i++)
		if (!is_separator(number.p[i]))
			buf_put(b, &number.p[i], 1);
}

/* ";phone-context=+49" of the parameters of a local number. */
static struct str phone_context(struct str params)
{
	while (params.n) {
		struct str value = str_cut(&params, ';');
		struct str name = str_cut(&value, '=');

		if (str_case_eq_c(name, "phone-context"))
			return value;
	}
	return (struct str){NULL, 0};
}

/* RFC 3966 3: what a number is written with; letters stand in local ones. */
static bool is_number(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c >= 0x7f)
			return false;
	}
	return s.n > 0;
}

int route_number_of_tel(const char *uri, char out[LIMIT_USER_BYTES])
{
	struct str params = str_of(uri), number, context;
	char mem[LIMIT_USER_BYTES];
	struct buf b;

	if (!str_case_eq_c(str_cut(&params, ':'), "tel"))
		return -EINVAL;
	number = str_cut(&params, ';');
	if (!is_number(number))
		return -EINVAL;
	buf_init(&b, mem, sizeof(mem));
	context = phone_context(params);
	if (context.n && !is_number(context))
		return -EINVAL;
	/* A domain name as context says nothing of the number. */
	if (number.p[0] != '+' && context.n && context.p[0] == '+')
		put_number(&b, context);
	put_number(&b, number);
	if (b.overflow)
		return -ENOSPC;
	return b.n ? str_copy(out, LIMIT_USER_BYTES, buf_str(&b)) : -EINVAL;
}
