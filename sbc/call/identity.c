/*
 * identity.c - a name-addr, its parameters, and Privacy
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call/identity.h"

#include <errno.h>
#include <string.h>

#include "route/route.h"

/* Past a display name in quotes; what is not closed is no name-addr. */
static int skip_quoted(struct str *s)
{
	size_t i = 1;

	if (!s->n || s->p[0] != '"')
		return 0;
	while (i < s->n && s->p[i] != '"')
		i += s->p[i] == '\\' ? 2 : 1;
	if (i >= s->n)
		return -EINVAL;
	s->p += i + 1;
	s->n -= i + 1;
	return 0;
}

/* The URI of @value; what follows it is left in @value. */
static int take_uri(struct str *value, struct str *uri)
{
	const char *end;

	if (skip_quoted(value) || !value->n)
		return -EINVAL;
	if (!memchr(value->p, '<', value->n)) {
		end = memchr(value->p, ';', value->n);
		*uri = str_trim((struct str){
			value->p, end ? (size_t)(end - value->p) : value->n});
		*value = end ? (struct str){end,
					    value->n - (size_t)(end - value->p)}
			     : (struct str){0};
		return 0;
	}
	str_cut(value, '<');
	end = memchr(value->p, '>', value->n);
	if (!end)
		return -EINVAL;
	*uri = (struct str){value->p, (size_t)(end - value->p)};
	*value = (struct str){end + 1, value->n - uri->n - 1};
	return 0;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Without escapes; control bytes and blanks are nobody's name. */
static int unescape(char *out, struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '%') {
			if (i + 2 >= s.n || hex(s.p[i + 1]) < 0 ||
			    hex(s.p[i + 2]) < 0)
				return -EINVAL;
			c = (unsigned char)(hex(s.p[i + 1]) << 4 |
					    hex(s.p[i + 2]));
			i += 2;
		}
		if (c <= ' ' || c == 0x7f || n + 1 >= LIMIT_USER_BYTES)
			return -EINVAL;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return n ? 0 : -EINVAL;
}

static bool cut_scheme(struct str *uri, const char *scheme)
{
	size_t n = strlen(scheme);

	if (uri->n <= n || uri->p[n] != ':' ||
	    !str_case_eq_c((struct str){uri->p, n}, scheme))
		return false;
	uri->p += n + 1;
	uri->n -= n + 1;
	return true;
}

static int read_tel(struct identity_addr *out, struct str number)
{
	char tel[LIMIT_USER_BYTES + 4] = "tel:";

	if (number.n + 5 > sizeof(tel))
		return -EINVAL;
	memcpy(tel + 4, number.p, number.n);
	tel[4 + number.n] = '\0';
	return route_number_of_tel(tel, out->user) ? -EINVAL : 0;
}

int identity_read(struct identity_addr *out, struct str value)
{
	struct str uri, user;

	value = str_trim(value);
	if (take_uri(&value, &uri))
		return -EINVAL;
	out->params = value;
	if (cut_scheme(&uri, "tel"))
		return read_tel(out, uri);
	if (!cut_scheme(&uri, "sips") && !cut_scheme(&uri, "sip"))
		return -EINVAL;
	if (!uri.n || !memchr(uri.p, '@', uri.n))
		return -EINVAL;
	user = str_cut(&uri, '@');
	user = str_cut(&user, ':'); /* a password */
	return unescape(out->user, str_cut(&user, ';'));
}

struct str identity_param(struct str params, const char *name)
{
	while (params.n) {
		struct str value = str_trim(str_cut(&params, ';'));
		struct str key = str_trim(str_cut(&value, '='));

		if (!str_case_eq_c(key, name))
			continue;
		value = str_trim(value);
		if (value.n >= 2 && value.p[0] == '"' &&
		    value.p[value.n - 1] == '"')
			value = (struct str){value.p + 1, value.n - 2};
		return value;
	}
	return (struct str){0};
}

static const struct {
	const char *reason, *cause;
} reasons[] = {
	{"unknown", "404"},       {"user-busy", "486"},
	{"no-answer", "408"},     {"unavailable", "503"},
	{"unconditional", "302"}, {"time-of-day", NULL},
	{"do-not-disturb", NULL}, {"deflection", "480"},
	{"follow-me", NULL},      {"out-of-service", NULL},
	{"away", NULL},
};

const char *identity_reason(struct str text)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (str_case_eq_c(text, reasons[i].reason) ||
		    (reasons[i].cause && str_eq_c(text, reasons[i].cause)))
			return reasons[i].reason;
	}
	return "unknown";
}

bool identity_hides(struct str privacy)
{
	while (privacy.n) {
		struct str word = str_trim(str_cut(&privacy, ';'));

		if (str_case_eq_c(word, "id") || str_case_eq_c(word, "user") ||
		    str_case_eq_c(word, "header"))
			return true;
	}
	return false;
}
