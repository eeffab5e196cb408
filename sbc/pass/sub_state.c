/*
 * sub_state.c - what messages say of a subscription's state; pure
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <string.h>

#include "pass/pass_priv.h"

static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (!(c >= '0' && c <= '9') &&
		    !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') &&
		    (!c || !strchr("-.!%*_+`'~", c)))
			return false;
	}
	return s.n > 0;
}

/* Seconds; a number that is too large is a long time, no number is none. */
static int64_t seconds(struct str s)
{
	uint64_t n;
	int err = str_u64(s, UINT32_MAX, &n);

	if (err == -ERANGE)
		return UINT32_MAX;
	return err ? -1 : (int64_t)n;
}

int sub_word_parse(struct sub_word *out, struct str text)
{
	struct sub_word w = {.expires = -1, .retry_after = -1};
	struct str rest = text;

	w.state = str_trim(str_cut(&rest, ';'));
	if (!is_token(w.state) || w.state.n > 32)
		return -EINVAL;
	while (rest.p) {
		struct str value = str_cut(&rest, ';');
		struct str name = str_trim(str_cut(&value, '='));

		value = str_trim(value);
		if (str_case_eq_c(name, "expires"))
			w.expires = seconds(value);
		else if (str_case_eq_c(name, "retry-after"))
			w.retry_after = seconds(value);
		else if (str_case_eq_c(name, "reason") && is_token(value) &&
			 value.n <= 32)
			w.reason = value;
	}
	w.is_terminated = str_case_eq_c(w.state, "terminated");
	*out = w;
	return 0;
}

void sub_word_print(const struct sub_word *w, char *out, size_t cap)
{
	struct buf b;

	buf_init(&b, out, cap);
	buf_putstr(&b, w->state);
	if (w->expires >= 0)
		buf_printf(&b, ";expires=%lld", (long long)w->expires);
	if (w->reason.n)
		buf_printf(&b, ";reason=" STR_FMT, STR_ARG(w->reason));
	if (w->retry_after >= 0)
		buf_printf(&b, ";retry-after=%lld", (long long)w->retry_after);
}

bool sub_is_over(int status)
{
	switch (status) {
	case 404:
	case 405:
	case 410:
	case 416:
	case 489:
	case 501:
	case 604:
		return true;
	default:
		return status >= 480 && status <= 485;
	}
}
