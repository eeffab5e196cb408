/*
 * buf.c - borrowed slices, bounded reader, bounded writer
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- slices -------------------------------------------------------------- */

struct str str_of(const char *text)
{
	return (struct str){text, text ? strlen(text) : 0};
}

bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

bool str_eq_c(struct str a, const char *b)
{
	return str_eq(a, str_of(b));
}

/* Not tolower(3), which follows the locale. */
static unsigned char ascii_lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool str_case_eq(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

bool str_case_eq_c(struct str a, const char *b)
{
	return str_case_eq(a, str_of(b));
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
	while (s.n && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct str str_cut(struct str *s, char c)
{
	const char *at = s->n ? memchr(s->p, c, s->n) : NULL;
	struct str head = *s;

	if (!at) {
		*s = (struct str){NULL, 0};
		return head;
	}
	head.n = (size_t)(at - s->p);
	s->p = at + 1;
	s->n -= head.n + 1;
	return head;
}

bool str_line(struct str *text, struct str *line)
{
	if (!text->n)
		return false;
	*line = str_cut(text, '\n');
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

int str_u64(struct str s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	bool over = false;

	if (!s.n)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EINVAL; /* says more than -ERANGE */
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			over = true;
	}
	if (over || v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

int str_copy(char *out, size_t cap, struct str s)
{
	if (s.n >= cap) {
		if (cap)
			out[0] = '\0';
		return -ENOSPC;
	}
	if (s.n)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return 0;
}

char *str_dup(struct str s)
{
	char *copy = malloc(s.n + 1);

	if (copy)
		str_copy(copy, s.n + 1, s);
	return copy;
}

/* ---- reader -------------------------------------------------------------- */

struct cursor cursor_of(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	return (struct cursor){p, len ? p + len : p, false};
}

size_t cursor_left(const struct cursor *c)
{
	return c->bad ? 0 : (size_t)(c->end - c->p);
}

const uint8_t *cursor_take(struct cursor *c, size_t n)
{
	const uint8_t *at = c->p;

	if (c->bad || n > (size_t)(c->end - c->p)) {
		c->bad = true;
		return NULL;
	}
	if (n)
		c->p += n;
	return at;
}

static uint64_t take_be(struct cursor *c, size_t n)
{
	const uint8_t *p = cursor_take(c, n);
	uint64_t v = 0;

	for (size_t i = 0; p && i < n; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t cursor_u8(struct cursor *c)
{
	return (uint8_t)take_be(c, 1);
}

uint16_t cursor_u16(struct cursor *c)
{
	return (uint16_t)take_be(c, 2);
}

uint32_t cursor_u32(struct cursor *c)
{
	return (uint32_t)take_be(c, 4);
}

uint64_t cursor_u64(struct cursor *c)
{
	return take_be(c, 8);
}

/* ---- writer -------------------------------------------------------------- */

void buf_init(struct buf *b, char *mem, size_t cap)
{
	*b = (struct buf){mem, 0, cap, cap == 0};
	if (cap)
		mem[0] = '\0';
}

/* A piece that does not fit is left out whole, and so is all that follows:
 * half a header is worse than none. */
static bool buf_fits(struct buf *b, size_t n)
{
	if (!b->overflow && n >= b->cap - b->n)
		b->overflow = true;
	return !b->overflow;
}

void buf_put(struct buf *b, const void *bytes, size_t n)
{
	if (!buf_fits(b, n) || !n)
		return;
	memcpy(b->p + b->n, bytes, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void buf_puts(struct buf *b, const char *text)
{
	buf_putstr(b, str_of(text));
}

void buf_putstr(struct buf *b, struct str s)
{
	buf_put(b, s.p, s.n);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!buf_fits(b, 0))
		return;
	va_start(ap, fmt);
	n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, ap);
	va_end(ap);
	if (n >= 0 && buf_fits(b, (size_t)n)) {
		b->n += (size_t)n;
		return;
	}
	b->overflow = true;
	b->p[b->n] = '\0';
}

struct str buf_str(const struct buf *b)
{
	return (struct str){b->p, b->n};
}
