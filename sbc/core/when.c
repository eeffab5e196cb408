/*
 * when.c - times as people and programs write them
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/when.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* A reader that takes what it expects or remembers that it did not. */
struct reader {
	struct str left;
	bool bad;
};

static bool peek(const struct reader *r, const char *any)
{
	return r->left.n && strchr(any, r->left.p[0]) && r->left.p[0];
}

static void skip(struct reader *r)
{
	r->left.p++;
	r->left.n--;
}

static void expect(struct reader *r, const char *any)
{
	if (peek(r, any))
		skip(r);
	else
		r->bad = true;
}

static int digits(struct reader *r, size_t n, int min, int max)
{
	uint64_t v = 0;

	if (r->left.n < n ||
	    str_u64((struct str){r->left.p, n}, (uint64_t)max, &v) ||
	    v < (uint64_t)min) {
		r->bad = true;
		return min;
	}
	r->left.p += n;
	r->left.n -= n;
	return (int)v;
}

static void read_date(struct reader *r, struct tm *tm)
{
	tm->tm_year = digits(r, 4, 1970, 9999) - 1900;
	expect(r, "-");
	tm->tm_mon = digits(r, 2, 1, 12) - 1;
	expect(r, "-");
	tm->tm_mday = digits(r, 2, 1, 31);
}

/* Returns milliseconds; seconds may be absent. */
static int read_time(struct reader *r, struct tm *tm)
{
	int ms = 0, scale = 100;

	tm->tm_hour = digits(r, 2, 0, 23);
	expect(r, ":");
	tm->tm_min = digits(r, 2, 0, 59);
	if (r->bad || !peek(r, ":"))
		return 0;
	skip(r);
	tm->tm_sec = digits(r, 2, 0, 60); /* a leap second */
	if (r->bad || !peek(r, "."))
		return 0;
	skip(r);
	if (!peek(r, "0123456789"))
		r->bad = true;
	for (; peek(r, "0123456789"); skip(r), scale /= 10)
		ms += (r->left.p[0] - '0') * scale;
	return ms;
}

/* "Z" or "+01:00", in seconds east. */
static int read_zone(struct reader *r)
{
	int sign = 1, hours, minutes;

	if (peek(r, "Zz")) {
		skip(r);
		return 0;
	}
	if (peek(r, "-"))
		sign = -1;
	expect(r, "+-");
	hours = digits(r, 2, 0, 23);
	expect(r, ":");
	minutes = digits(r, 2, 0, 59);
	return sign * (hours * 3600 + minutes * 60);
}

static bool is_done(const struct reader *r)
{
	return !r->bad && r->left.n == 0;
}

/* Does the month have that day?  The C library would take the next month. */
static bool is_day(const struct tm *tm)
{
	struct tm copy = *tm;

	copy.tm_hour = 12;
	copy.tm_min = copy.tm_sec = 0;
	return timegm(&copy) != -1 && copy.tm_mday == tm->tm_mday;
}

int when_parse_rfc3339(wall_ms *out, struct str text)
{
	struct reader r = {text, false};
	struct tm tm = {0};
	int ms, east;

	read_date(&r, &tm);
	expect(&r, "Tt ");
	ms = read_time(&r, &tm);
	east = read_zone(&r);
	if (!is_done(&r) || !is_day(&tm))
		return -EINVAL;
	*out = ((wall_ms)timegm(&tm) - east) * 1000 + ms;
	return 0;
}

static int parse_local(wall_ms *out, struct str text)
{
	struct reader r = {text, false};
	struct tm tm = {.tm_isdst = -1};
	int ms;

	read_date(&r, &tm);
	expect(&r, "T ");
	ms = read_time(&r, &tm);
	if (!is_done(&r) || !is_day(&tm))
		return -EINVAL;
	*out = (wall_ms)mktime(&tm) * 1000 + ms;
	return 0;
}

static int parse_clock(wall_ms *out, struct str text, wall_ms now)
{
	struct reader r = {text, false};
	time_t second = now / 1000;
	struct tm tm;
	int ms;

	localtime_r(&second, &tm);
	tm.tm_sec = 0;
	tm.tm_isdst = -1;
	ms = read_time(&r, &tm);
	if (!is_done(&r))
		return -EINVAL;
	*out = (wall_ms)mktime(&tm) * 1000 + ms;
	if (*out <= now)
		return 0;
	tm.tm_mday--; /* not an hour count: a day may have 23 */
	tm.tm_isdst = -1;
	*out = (wall_ms)mktime(&tm) * 1000 + ms;
	return 0;
}

int when_parse(wall_ms *out, struct str text, wall_ms now)
{
	text = str_trim(text);
	if (str_eq_c(text, "now")) {
		*out = now;
		return 0;
	}
	if (!parse_clock(out, text, now) || !parse_local(out, text))
		return 0;
	return when_parse_rfc3339(out, text);
}

void when_put(struct buf *out, wall_ms t, wall_ms day)
{
	time_t second = t / 1000, other = day / 1000;
	struct tm tm, that;
	char text[32];

	localtime_r(&second, &tm);
	localtime_r(&other, &that);
	strftime(text, sizeof(text),
		 tm.tm_year == that.tm_year && tm.tm_yday == that.tm_yday
			 ? "%H:%M:%S"
			 : "%Y-%m-%d %H:%M:%S",
		 &tm);
	buf_puts(out, text);
}
