/*
 * refer_to.c - whom a REFER names, and which dialog a Replaces names
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   Refer-To: "Carol" <sip:carol@host;method=INVITE?Replaces=id%3Bto-tag%3D..>
 *   Replaces: id;to-tag=..;from-tag=..;early-only
 *
 * Read from text with a bounded cursor: the library's own way to take the
 * headers out of a URI reads past its end.
 */
#include <errno.h>
#include <string.h>

#include "sip/sip.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* @in without its escapes; -EINVAL: a bad escape, or a control byte. */
static int unescape(char *out, size_t cap, struct str in)
{
	struct buf b;

	buf_init(&b, out, cap);
	for (size_t i = 0; i < in.n; i++) {
		unsigned char c = (unsigned char)in.p[i];

		if (c == '%') {
			if (in.n - i < 3 || hex(in.p[i + 1]) < 0 ||
			    hex(in.p[i + 2]) < 0)
				return -EINVAL;
			c = (unsigned char)(hex(in.p[i + 1]) << 4 |
					    hex(in.p[i + 2]));
			i += 2;
		}
		if (c < 0x20 || c == 0x7f)
			return -EINVAL;
		buf_put(&b, &c, 1);
	}
	return b.overflow ? -EINVAL : 0;
}

/* ---- Replaces (RFC 3891 6.1) ----------------------------------------------- */

static int tag_take(char *out, size_t cap, struct str value)
{
	if (*out || !value.n) /* said twice, or nothing */
		return -EINVAL;
	return str_copy(out, cap, value) ? -EINVAL : 0;
}

static int replaces_param(struct sip_replaces *r, struct str param)
{
	struct str value = str_trim(param), name;

	name = str_trim(str_cut(&value, '='));
	value = str_trim(value);
	if (str_case_eq_c(name, "to-tag"))
		return tag_take(r->to_tag, sizeof(r->to_tag), value);
	if (str_case_eq_c(name, "from-tag"))
		return tag_take(r->from_tag, sizeof(r->from_tag), value);
	if (str_case_eq_c(name, "early-only"))
		r->early_only = true;
	return 0;
}

static bool is_clean(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= 0x20 || s.p[i] == 0x7f)
			return false;
	}
	return true;
}

int sip_replaces_parse(struct sip_replaces *out, struct str value)
{
	struct sip_replaces r = {.early_only = false};
	struct str rest = value, id = str_trim(str_cut(&rest, ';'));
	int err = 0;

	if (!id.n || str_copy(r.call_id, sizeof(r.call_id), id))
		return -EINVAL;
	while (rest.p && !err)
		err = replaces_param(&r, str_cut(&rest, ';'));
	if (err || !r.to_tag[0] || !r.from_tag[0] || !is_clean(id) ||
	    !is_clean(str_of(r.to_tag)) || !is_clean(str_of(r.from_tag)))
		return -EINVAL;
	*out = r;
	return 0;
}

/* ---- Refer-To (RFC 3515 2.1) ------------------------------------------------- */

/* What stands between < and >, or all of it without these. */
static struct str addr_spec(struct str value)
{
	struct str s = str_trim(value);
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && quoted) {
			i++;
		} else if (s.p[i] == '"') {
			quoted = !quoted;
		} else if (s.p[i] == '<' && !quoted) {
			s.p += i + 1;
			s.n -= i + 1;
			return str_cut(&s, '>');
		}
	}
	return s;
}

static enum sip_method method_named(struct str name)
{
	return str_eq_c(name, "INVITE") ? SIP_INVITE : SIP_UNKNOWN;
}

static int take_params(struct sip_refer_to *to, struct str params)
{
	while (params.p) {
		struct str value = str_cut(&params, ';'), name;

		name = str_cut(&value, '=');
		if (str_case_eq_c(name, "method"))
			to->method = method_named(value);
	}
	return 0;
}

/* All of a URI's headers but this one are ignored (RFC 3261 19.1.5). */
static int take_headers(struct sip_refer_to *to, struct str headers)
{
	char text[sizeof(struct sip_replaces) + 64];

	while (headers.p) {
		struct str value = str_cut(&headers, '&'), name;

		name = str_cut(&value, '=');
		if (!str_case_eq_c(name, "Replaces"))
			continue;
		if (to->has_replaces || unescape(text, sizeof(text), value) ||
		    sip_replaces_parse(&to->replaces, str_of(text)))
			return -EINVAL;
		to->has_replaces = true;
	}
	return 0;
}

/* Up to the colon before the port; an IPv6 literal without its brackets. */
static int take_host(struct sip_refer_to *to, struct str host)
{
	if (host.n && host.p[0] == '[') {
		host.p++;
		host.n--;
		host = str_cut(&host, ']');
	} else {
		host = str_cut(&host, ':');
	}
	return !host.n || !is_clean(host) ||
			       str_copy(to->host, sizeof(to->host), host)
		       ? -EINVAL
		       : 0;
}

/* The user may hold what ends a host, and a header's value an '@'. */
static struct str cut_user(struct str *rest)
{
	const char *at = rest->n ? memchr(rest->p, '@', rest->n) : NULL;
	const char *ask = rest->n ? memchr(rest->p, '?', rest->n) : NULL;

	if (!at || (ask && ask < at))
		return (struct str){0};
	return str_cut(rest, '@');
}

static int take_sip(struct sip_refer_to *to, struct str rest)
{
	struct str user = cut_user(&rest), params, host;
	int err;

	params = str_cut(&rest, '?');
	host = str_cut(&params, ';');
	err = unescape(to->user, sizeof(to->user), str_cut(&user, ':'));
	if (!err)
		err = take_host(to, host);
	if (!err)
		err = take_params(to, params);
	return err ? err : take_headers(to, rest);
}

int sip_refer_to_parse(struct sip_refer_to *out, struct str value)
{
	struct sip_refer_to to = {.method = SIP_INVITE};
	struct str rest = addr_spec(value), scheme;
	int err;

	scheme = str_cut(&rest, ':');
	if (!rest.n)
		return -EINVAL;
	if (str_case_eq_c(scheme, "tel"))
		err = unescape(to.user, sizeof(to.user), str_cut(&rest, ';'));
	else if (str_case_eq_c(scheme, "sip"))
		err = take_sip(&to, rest);
	else
		err = -EPROTONOSUPPORT;
	if (!err)
		*out = to;
	return err;
}
