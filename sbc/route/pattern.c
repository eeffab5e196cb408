/*
 * pattern.c - dial patterns, matched in one pass over the user part
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A pattern is a row of steps, each of which takes one byte; `.` and `!` are
 * steps that may repeat.  Bit i of a set of states says "the first i steps
 * have matched so far"; each byte moves all states at once, so nothing is ever
 * tried twice, however many wildcards a pattern has.
 *
 *   pattern  + 4 9 X .        steps   '+' '4' '9' [0-9] any
 *   state    0 1 2 3 4 5 (5 loops: the dot may take more)
 */
#include "route/route.h"

#include <string.h>

/* conf_route.match holds 127 bytes, so 127 steps and 128 states at most. */
typedef unsigned __int128 states;
_Static_assert(sizeof(((struct conf_route *)0)->match) <= 128,
	       "a set of states has 128 bits");

struct dial {
	states takes[128]; /* which steps take this byte */
	states any;        /* which steps take every byte */
	states loops;      /* which states stay on every byte */
	unsigned n;
};

static void take_range(struct dial *d, unsigned char from, unsigned char to)
{
	for (unsigned c = from; c <= to && c < 128; c++)
		d->takes[c] |= (states)1 << d->n;
}

/* The set that starts after '['; returns its last byte, the ']'. */
static const char *take_set(struct dial *d, const char *p)
{
	for (; *p && *p != ']'; p++) {
		if (p[1] == '-' && p[2] && p[2] != ']') {
			take_range(d, (unsigned char)p[0], (unsigned char)p[2]);
			p += 2;
		} else {
			take_range(d, (unsigned char)*p, (unsigned char)*p);
		}
	}
	return *p ? p : p - 1;
}

static void compile(struct dial *d, const char *p)
{
	memset(d, 0, sizeof(*d));
	for (; *p && d->n < 127; p++) {
		switch (*p) {
		case 'X':
			take_range(d, '0', '9');
			break;
		case 'Z':
			take_range(d, '1', '9');
			break;
		case 'N':
			take_range(d, '2', '9');
			break;
		case '[':
			p = take_set(d, p + 1);
			break;
		case '!': /* not a step: the present state may stay */
			d->loops |= (states)1 << d->n;
			continue;
		case '.':
			d->any |= (states)1 << d->n;
			d->loops |= (states)2 << d->n;
			break;
		default:
			take_range(d, (unsigned char)*p, (unsigned char)*p);
			break;
		}
		d->n++;
	}
}

bool route_match(const char *pattern, const char *user)
{
	struct dial d;
	states now = 1;

	if (!*pattern)
		return true;
	if (*pattern == '=')
		return !strcmp(pattern + 1, user);
	compile(&d, pattern);
	for (; *user && now; user++) {
		unsigned char c = (unsigned char)*user;
		states takes = d.any | (c < 128 ? d.takes[c] : 0);

		now = (now & takes) << 1 | (now & d.loops);
	}
	return now >> d.n & 1;
}
