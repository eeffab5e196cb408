/*
 * buf.h - borrowed slices, a reader that cannot run past the end, a bounded
 * writer
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Everything that takes bytes from outside goes through these.  Any thread.
 */
#ifndef SBC_CORE_BUF_H
#define SBC_CORE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed run of bytes, not NUL-terminated. */
struct str {
	const char *p;
	size_t n;
};

#define STR(lit)   ((struct str){(lit), sizeof(lit) - 1})
#define STR_FMT    "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p

struct str str_of(const char *text); /* NULL gives an empty slice */
bool str_eq(struct str a, struct str b);
bool str_eq_c(struct str a, const char *b);
bool str_case_eq(struct str a, struct str b); /* ASCII, RFC 3261 7.3.1 */
bool str_case_eq_c(struct str a, const char *b);
struct str str_trim(struct str s); /* spaces and tabs at both ends */
/* Cut @s at the first @c: returns what stood before, leaves what stands after;
 * without @c returns all and leaves an empty slice with p == NULL. */
struct str str_cut(struct str *s, char c);
/* Next line without its CR LF or LF; false at the end. */
bool str_line(struct str *text, struct str *line);
/* Whole slice as a decimal in [0, max]; -EINVAL or -ERANGE. */
int str_u64(struct str s, uint64_t max, uint64_t *out);
/* Copy with NUL; -ENOSPC when it does not fit (then @out is ""). */
int str_copy(char *out, size_t cap, struct str s);
char *str_dup(struct str s); /* malloc; NULL when out of memory */

/* Big-endian reader over bytes; after a read past the end @bad stays true and
 * reads give 0. */
struct cursor {
	const uint8_t *p, *end;
	bool bad;
};

struct cursor cursor_of(const void *bytes, size_t len);
size_t cursor_left(const struct cursor *c);
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
/* @n bytes in place, NULL when fewer are left. */
const uint8_t *cursor_take(struct cursor *c, size_t n);

/* Writer into caller's memory: always NUL-terminated, remembers overflow. */
struct buf {
	char *p;
	size_t n, cap;
	bool overflow;
};

void buf_init(struct buf *b, char *mem, size_t cap);
void buf_put(struct buf *b, const void *bytes, size_t n);
void buf_puts(struct buf *b, const char *text);
void buf_putstr(struct buf *b, struct str s);
void buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
struct str buf_str(const struct buf *b);

#endif
