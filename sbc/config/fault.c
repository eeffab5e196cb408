/*
 * fault.c - the list of faults, and how near two words are
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/load.h"

static struct conf_error *next_error(struct load *l)
{
	struct conf_errors *e = l->errs;
	struct conf_error *list;
	size_t room;

	if (e->n < l->errs_room)
		return &e->list[e->n++];
	room = l->errs_room ? l->errs_room * 2 : 8;
	list = realloc(e->list, room * sizeof(*list));
	if (!list)
		return NULL; /* l->failed still refuses the file */
	e->list = list;
	l->errs_room = room;
	return &e->list[e->n++];
}

__attribute__((format(printf, 4, 0))) static void
fault_v(struct load *l, const char *file, unsigned line, const char *fmt,
	va_list ap)
{
	struct conf_error *e;

	l->failed = true;
	if (l->errs->n > CONF_ERRORS)
		return;
	e = next_error(l);
	if (!e)
		return;
	snprintf(e->file, sizeof(e->file), "%s", file);
	e->line = line;
	if (l->errs->n <= CONF_ERRORS) {
		vsnprintf(e->text, sizeof(e->text), fmt, ap);
	} else {
		e->line = 0;
		snprintf(e->text, sizeof(e->text), "more faults than %d",
			 CONF_ERRORS);
	}
}

void load_fault(struct load *l, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fault_v(l, l->file, line, fmt, ap);
	va_end(ap);
}

void load_fault_in(struct load *l, const char *file, unsigned line,
		   const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fault_v(l, file, line, fmt, ap);
	va_end(ap);
}

void load_oom(struct load *l)
{
	if (!l->oom)
		load_fault(l, 0, "out of memory");
	l->oom = true;
}

static int by_place(const void *a, const void *b)
{
	const struct conf_error *x = a, *y = b;
	int order = strcmp(x->file, y->file);

	if (order)
		return order;
	/* Of the file as a whole: last. */
	if (!x->line != !y->line)
		return x->line ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return strcmp(x->text, y->text);
}

void faults_sort(struct load *l)
{
	if (l->errs->n)
		qsort(l->errs->list, l->errs->n, sizeof(*l->errs->list),
		      by_place);
}

void conf_errors_clear(struct conf_errors *errs)
{
	free(errs->list);
	*errs = (struct conf_errors){0};
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

unsigned word_distance(const char *a, const char *b)
{
	unsigned row[LIMIT_NAME_BYTES + 1];
	size_t na = strnlen(a, LIMIT_NAME_BYTES);
	size_t nb = strnlen(b, LIMIT_NAME_BYTES);

	/* row[j]: edits from the first i bytes of a to the first j of b. */
	for (size_t j = 0; j <= nb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned above = row[j];

			row[j] = least(above + 1, row[j - 1] + 1,
				       diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[nb];
}
