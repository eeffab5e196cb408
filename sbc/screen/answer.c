/*
 * answer.c - what we say to a request that the library must not see
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Built from the raw bytes (RFC 3261 8.2.6.2): the headers that make the
 * peer's transaction match, and nothing else.  Folded lines become one line
 * and control bytes become spaces, so the answer is well-formed even if the
 * request was not.
 */
#include <errno.h>
#include <string.h>

#include "core/rand.h"
#include "screen/screen.h"
#include "screen/shape.h"
#include "screen/stun.h"

enum { FROM, TO, CALL_ID, CSEQ, COPIED };

struct copy {
	struct str values[COPIED];
	struct str top_via;
	struct str headers; /* all, for the other Vias */
};

static const struct {
	const char *full;
	char compact; /* 0 = has none */
} copied[COPIED] = {
	[FROM] = {"From", 'f'},
	[TO] = {"To", 't'},
	[CALL_ID] = {"Call-ID", 'i'},
	[CSEQ] = {"CSeq", 0},
};

static bool is_named(struct str name, const char *full, char compact)
{
	return (compact && name.n == 1 && (*name.p | 0x20) == compact) ||
	       str_case_eq_c(name, full);
}

static int collect(struct copy *k, const uint8_t *p, size_t n)
{
	struct str text = {(const char *)p, n};
	struct shape_header h;
	struct str line;
	int more;

	if (!shape_start_line(&text, &line))
		return -EINVAL;
	k->headers = text;
	while ((more = shape_header_next(&text, &h)) != 0) {
		if (more == -ENODATA)
			return -EINVAL;
		if (more != 1)
			continue;
		if (!k->top_via.p && is_named(h.name, "Via", 'v'))
			k->top_via = h.value;
		for (int i = 0; i < COPIED; i++)
			if (!k->values[i].p &&
			    is_named(h.name, copied[i].full, copied[i].compact))
				k->values[i] = h.value;
	}
	for (int i = 0; i < COPIED; i++)
		if (!k->values[i].n)
			return -EINVAL;
	return k->top_via.n ? 0 : -EINVAL;
}

static void put_clean(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		char plain = c < 0x20 || c == 0x7f ? ' ' : (char)c;

		buf_put(out, &plain, 1);
	}
}

static struct str slice(struct str s, size_t from, size_t to)
{
	return (struct str){s.p + from, to - from};
}

/* RFC 3261 18.2.1, RFC 3581 4: the source as we saw it goes into the topmost
 * via-parm.  A received= that is there already came from no server of ours. */
static void put_top_via(struct buf *out, struct str value,
			const struct addr *source)
{
	char host[ADDR_TEXT_MAX];
	struct via_look via;
	size_t at = 0;

	via_look(&via, value);
	buf_puts(out, "Via: ");
	if (via.rport_end) {
		put_clean(out, slice(value, 0, via.rport_end));
		buf_printf(out, "=%u", (unsigned)addr_port(source));
		at = via.rport_end;
	}
	put_clean(out, slice(value, at, via.first_end));
	if (!via.has_received)
		buf_printf(out, ";received=%s", addr_fmt_host(source, host));
	put_clean(out, slice(value, via.first_end, value.n));
	buf_puts(out, "\r\n");
}

static void put_vias(struct buf *out, const struct copy *k,
		     const struct addr *source)
{
	struct str text = k->headers;
	struct shape_header h;
	int more;

	while ((more = shape_header_next(&text, &h)) != 0) {
		if (more != 1 || !is_named(h.name, "Via", 'v'))
			continue;
		if (h.value.p == k->top_via.p) {
			put_top_via(out, h.value, source);
			continue;
		}
		buf_puts(out, "Via: ");
		put_clean(out, h.value);
		buf_puts(out, "\r\n");
	}
}

/* A tag parameter outside the angle brackets and quotes. */
static bool has_tag(struct str to)
{
	const char *close = memrchr(to.p, '>', to.n);
	struct str params =
		close ? slice(to, (size_t)(close - to.p), to.n) : to;

	while (params.p) {
		struct str param, name;

		(void)str_cut(&params, ';');
		param = params;
		name = str_trim(str_cut(&param, '='));
		if (str_case_eq_c(name, "tag"))
			return true;
	}
	return false;
}

static const char *status_line(enum screen_verdict verdict)
{
	switch (verdict) {
	case SCREEN_MALFORMED:
		return "SIP/2.0 400 Bad Request\r\n";
	case SCREEN_METHOD:
		return "SIP/2.0 501 Not Implemented\r\n";
	case SCREEN_VERSION:
		return "SIP/2.0 505 Version Not Supported\r\n";
	default:
		return NULL;
	}
}

int screen_answer(struct buf *out, enum screen_verdict verdict,
		  const uint8_t *p, size_t n, const struct addr *source)
{
	const char *status = status_line(verdict);
	struct copy k = {0};
	char tag[17];

	if (verdict == SCREEN_STUN)
		return stun_answer(out, p, n, source);
	if (!status || collect(&k, p, n))
		return -EINVAL;
	buf_puts(out, status);
	put_vias(out, &k, source);
	for (int i = 0; i < COPIED; i++) {
		buf_printf(out, "%s: ", copied[i].full);
		put_clean(out, k.values[i]);
		if (i == TO && !has_tag(k.values[i]))
			buf_printf(out, ";tag=%s", rand_token(tag, 16));
		buf_puts(out, "\r\n");
	}
	buf_puts(out, "Content-Length: 0\r\n\r\n");
	return out->overflow ? -ENOSPC : 0;
}
