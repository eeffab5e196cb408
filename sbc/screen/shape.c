/*
 * shape.c - does this look like SIP, and may the library's parser see it?
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   ping? -> size -> start line -> each header -> Via -> verdict
 *
 * One pass over the headers, the body is not looked at.  Where our idea of a
 * line, a header or an end of headers could differ from the library's, the
 * message is refused: two readings of one message are how headers are smuggled.
 */
#include "screen/shape.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "core/limits.h"
#include "screen/stun.h"

enum {
	MIN_BYTES = 20,
	PING_BYTES = 4, /* nothing this short is SIP or an attack */
	MAX_HEADERS = 100,
	MAX_HEADER_BYTES = 8192,
	MAX_METHOD_BYTES = 32,
};

/* ---- characters ---------------------------------------------------------- */

enum { TOKEN = 1, UNRESERVED = 2, CONTROL = 4 };

#define BOTH (TOKEN | UNRESERVED)
static const unsigned char classes[256] = {
	[0 ... 31] = CONTROL, [127] = CONTROL,      ['0' ... '9'] = BOTH,
	['A' ... 'Z'] = BOTH, ['a' ... 'z'] = BOTH, ['-'] = BOTH,
	['.'] = BOTH,         ['!'] = BOTH,         ['*'] = BOTH,
	['_'] = BOTH,         ['\''] = BOTH,        ['~'] = BOTH,
	['%'] = TOKEN,        ['+'] = TOKEN,        ['`'] = TOKEN,
};

bool shape_is_token_char(unsigned char c)
{
	return classes[c] & TOKEN;
}

static bool is_all(struct str s, unsigned char class)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(classes[(unsigned char)s.p[i]] & class))
			return false;
	return s.n > 0;
}

bool shape_is_token(struct str s)
{
	return is_all(s, TOKEN);
}

bool shape_is_lws(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ---- lines ----------------------------------------------------------------- */

/* The next line with its end; false when no line end is left. */
static bool next_raw_line(struct str *text, struct str *line)
{
	const char *lf = memchr(text->p, '\n', text->n);

	if (!lf)
		return false;
	line->p = text->p;
	line->n = (size_t)(lf + 1 - text->p);
	text->p += line->n;
	text->n -= line->n;
	return true;
}

static struct str without_end(struct str line)
{
	line.n--; /* LF */
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

bool shape_start_line(struct str *text, struct str *line)
{
	while (text->n && (*text->p == '\r' || *text->p == '\n')) {
		text->p++;
		text->n--;
	}
	if (!next_raw_line(text, line))
		return false;
	*line = without_end(*line);
	return true;
}

static bool is_continued(struct str text)
{
	return text.n && (*text.p == ' ' || *text.p == '\t');
}

/* Is any of the eight bytes at @p below space, or DEL?  The usual answer is no,
 * and it is most of what a datagram costs to ask byte by byte. */
static bool has_control_in_8(const char *p)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t tops = ones * 0x80;
	uint64_t x, del;

	memcpy(&x, p, sizeof(x));
	del = x ^ (ones * 0x7f);
	return (((x - ones * 0x20) & ~x) | ((del - ones) & ~del)) & tops;
}

/* Control bytes of @line: a quoted pair may hold them (RFC 3261 25.1). */
static void look_controls(struct shape_header *h, struct str line)
{
	for (size_t i = 0; i < line.n; i++) {
		unsigned char c;

		while (i + 8 <= line.n && !has_control_in_8(line.p + i))
			i += 8;
		if (i == line.n)
			break;
		c = (unsigned char)line.p[i];

		if (!(classes[c] & CONTROL) || c == '\t')
			continue;
		h->nul |= c == 0;
		h->control |= i == 0 || line.p[i - 1] != '\\' || c == '\r';
	}
}

static bool has_control(struct str s)
{
	struct shape_header h = {0};

	look_controls(&h, s);
	return h.control || h.nul;
}

static void trim_lws(struct str *s)
{
	while (s->n && shape_is_lws((unsigned char)*s->p)) {
		s->p++;
		s->n--;
	}
	while (s->n && shape_is_lws((unsigned char)s->p[s->n - 1]))
		s->n--;
}

int shape_header_next(struct str *text, struct shape_header *out)
{
	struct str line, all, name;

	if (!next_raw_line(text, &line))
		return -ENODATA;
	all = line;
	line = without_end(line);
	if (!line.n)
		return 0;

	*out = (struct shape_header){0};
	look_controls(out, line);
	while (is_continued(*text) && next_raw_line(text, &line)) {
		all.n += line.n;
		look_controls(out, without_end(line));
	}
	name = str_cut(&all, ':');
	if (!all.p)
		return -EBADMSG;
	while (name.n &&
	       (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t'))
		name.n--;
	if (!shape_is_token(name))
		return -EBADMSG;
	out->name = name;
	out->value = all;
	trim_lws(&out->value);
	return 1;
}

/* ---- pings ----------------------------------------------------------------- */

bool shape_is_ping(const uint8_t *p, size_t n)
{
	if (n <= PING_BYTES || stun_is_message(p, n))
		return true;
	if (n > MIN_BYTES)
		return false;
	for (size_t i = 0; i < n; i++)
		if (p[i] && !shape_is_lws(p[i]))
			return false;
	return true;
}

/* ---- start line ------------------------------------------------------------ */

/* "SIP/2.0": 0, another SIP/x.y: -EPROTONOSUPPORT, no version: -EINVAL. */
static int check_version(struct str v)
{
	struct str minor;
	uint64_t u;

	if (str_case_eq(v, STR("SIP/2.0")))
		return 0;
	if (!str_case_eq(str_cut(&v, '/'), STR("SIP")) || !v.p)
		return -EINVAL;
	minor = v;
	if (str_u64(str_cut(&minor, '.'), UINT32_MAX, &u) ||
	    str_u64(minor, UINT32_MAX, &u))
		return -EINVAL;
	return -EPROTONOSUPPORT;
}

/* "SIP/2.0 200 OK"; the reason may be empty (RFC 4475 3.1.1.13). */
static enum screen_verdict look_status_line(struct str line)
{
	struct str version = str_cut(&line, ' ');
	struct str code = str_cut(&line, ' ');
	uint64_t status;

	if (has_control(line) || check_version(version) || code.n != 3 ||
	    str_u64(code, 699, &status) || status < 100)
		return SCREEN_SHAPE;
	return SCREEN_PASS;
}

static bool is_uri_text(struct str uri)
{
	for (size_t i = 0; i < uri.n; i++)
		if (uri.p[i] <= 0x20 || uri.p[i] == 0x7f)
			return false;
	return uri.n > 0;
}

/* Everything after the last space of @s; @s keeps what stands before it. */
static struct str cut_last_word(struct str *s)
{
	const char *space = memrchr(s->p, ' ', s->n);
	struct str word = {0};

	if (!space)
		return word;
	word.p = space + 1;
	word.n = (size_t)(s->p + s->n - word.p);
	s->n = (size_t)(space - s->p);
	return word;
}

static enum screen_verdict look_request_line(struct str line)
{
	struct str trimmed = str_trim(line);
	bool has_trailer = trimmed.n != line.n;
	struct str method = str_cut(&trimmed, ' ');
	struct str version;
	int err;

	if (!shape_is_token(method) || !trimmed.p)
		return SCREEN_SHAPE;
	version = cut_last_word(&trimmed);
	err = check_version(version);
	if (err == -EINVAL)
		return SCREEN_SHAPE;
	if (err)
		return SCREEN_VERSION;
	if (has_trailer || !is_uri_text(trimmed))
		return SCREEN_MALFORMED;
	if (!is_all(method, UNRESERVED) || method.n > MAX_METHOD_BYTES)
		return SCREEN_METHOD;
	return SCREEN_PASS;
}

/* ---- headers ----------------------------------------------------------------- */

static bool is_prefix(struct str s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && !strncasecmp(s.p, prefix, n);
}

/* Names that only break-in tools give themselves. */
static bool is_scanner_agent(struct str agent)
{
	static const char *const names[] = {
		"friendly-scanner",
		"friendly-request",
		"sipvicious",
		"sipcli",
		"sip-scan",
		"sipscan",
		"VaxSIPUserAgent",
		"VaxIPUserAgent",
		"pplsip",
		"sundayddr",
		"iWar",
		"smap ",
		"siparmyknife",
		"sivus",
		"gulp",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (is_prefix(agent, names[i]))
			return true;
	return false;
}

struct look {
	struct shape *out;
	unsigned headers;
	bool has_via, is_malformed, is_trap, is_scanner;
};

static bool is_named(struct str name, const char *full, char compact)
{
	return name.n == 1 ? (*name.p | 0x20) == compact
			   : str_case_eq_c(name, full);
}

static void look_via(struct look *k, const struct shape_header *h)
{
	struct via_look via;

	k->is_trap |= h->control || via_has_maddr(h->value);
	if (k->has_via)
		return; /* only the topmost decides where an answer goes */
	via_look(&via, h->value);
	k->has_via = true;
	k->is_trap |= via.is_trap || !via.has_host;
	k->is_malformed |= via.is_broken;
}

static void look_header(struct look *k, const struct shape_header *h)
{
	k->is_malformed |= h->control || h->nul;
	if (h->value.n > MAX_HEADER_BYTES || ++k->headers > MAX_HEADERS) {
		k->is_malformed = true;
		return;
	}
	switch (*h->name.p | 0x20) {
	case 'v':
		if (is_named(h->name, "Via", 'v'))
			look_via(k, h);
		break;
	case 'c':
	case 'i':
		if (!k->out->call_id.p && is_named(h->name, "Call-ID", 'i'))
			k->out->call_id = h->value;
		break;
	case 'u':
		if (str_case_eq_c(h->name, "User-Agent"))
			k->is_scanner |= is_scanner_agent(h->value);
		break;
	case 'f':
		if (is_named(h->name, "From", 'f'))
			k->is_scanner |= is_prefix(h->value, "\"sipvicious\"");
		break;
	}
}

/* False: the headers do not end, or not before we have had enough. */
static bool look_headers(struct look *k, struct str text)
{
	struct shape_header h;
	unsigned lines = 0;
	int more;

	while ((more = shape_header_next(&text, &h)) != 0) {
		if (more == -ENODATA || ++lines > 2 * MAX_HEADERS)
			return false;
		if (more == 1)
			look_header(k, &h);
		else
			k->is_malformed = true;
	}
	return true;
}

static enum screen_verdict look_message(struct shape *out, const uint8_t *p,
					size_t n)
{
	struct look k = {.out = out};
	struct str text = {(const char *)p, n};
	enum screen_verdict verdict;
	bool is_response;
	struct str line;

	if (n < MIN_BYTES || n > LIMIT_MESSAGE_BYTES)
		return SCREEN_SHAPE;
	if (!shape_start_line(&text, &line) || line.n > MAX_HEADER_BYTES)
		return SCREEN_SHAPE;
	is_response = is_prefix(line, "SIP/");
	verdict =
		is_response ? look_status_line(line) : look_request_line(line);
	if (verdict == SCREEN_SHAPE || !look_headers(&k, text))
		return SCREEN_SHAPE;
	if (k.is_trap || !k.has_via)
		return SCREEN_SHAPE;
	if (k.is_scanner)
		return SCREEN_SCANNER;
	if (verdict == SCREEN_PASS && k.is_malformed)
		verdict = SCREEN_MALFORMED;
	/* Nobody answers an answer, or an ACK. */
	if (verdict != SCREEN_PASS && (is_response || is_prefix(line, "ACK ")))
		return SCREEN_SHAPE;
	return verdict;
}

void shape_look(struct shape *out, const uint8_t *p, size_t n)
{
	*out = (struct shape){0};
	if (stun_is_request(p, n))
		out->verdict = SCREEN_STUN;
	else if (shape_is_ping(p, n))
		out->verdict = SCREEN_KEEPALIVE;
	else
		out->verdict = look_message(out, p, n);
}
