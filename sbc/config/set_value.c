/*
 * set_value.c - values that many sections share: numbers, words, texts and names
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/set.h"
#include "config/uci.h"

void set_fault(const struct setting *s, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	load_fault(s->l, s->line, "%s '%s': %s %s",
		   conf_types[s->l->sections[s->section].type].name,
		   section_name(s->l, s->section), s->opt->name, text);
}

void *set_member(const struct setting *s)
{
	return (char *)s->at + s->opt->offset;
}

/* ---- setters ------------------------------------------------------------ */

void set_number(const struct setting *s)
{
	uint64_t v;

	if (str_u64(str_of(s->value), UINT32_MAX, &v) || v < s->opt->min ||
	    v > s->opt->max) {
		set_fault(s, "is to be a number from %lu to %lu, not '%.40s'",
			  s->opt->min, s->opt->max, s->value);
		return;
	}
	*(unsigned *)set_member(s) = (unsigned)v;
}

const char *set_nearest(const char *const *words, const char *value)
{
	const char *best = NULL;
	unsigned least = ~0u;

	for (; *words; words++) {
		unsigned d = word_distance(*words, value);

		if (d < least) {
			least = d;
			best = *words;
		}
	}
	return best;
}

int set_which(const struct setting *s, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], s->value))
			return i;
	set_fault(s, "has no value '%.40s'; the nearest is '%s'", s->value,
		  set_nearest(words, s->value));
	return -1;
}

/* An enum whose values count from 0 in the order of the words. */
void set_word(const struct setting *s)
{
	int i = set_which(s, s->opt->words);

	if (i >= 0)
		*(unsigned *)set_member(s) = (unsigned)i;
}

void set_flag(const struct setting *s)
{
	bool *flag = set_member(s);

	if (strcmp(s->value, "0") && strcmp(s->value, "1"))
		set_fault(s, "is to be '0' or '1', not '%.40s'", s->value);
	else
		*flag = s->value[0] == '1';
}

void set_text(const struct setting *s)
{
	if (str_copy(set_member(s), s->opt->max, str_of(s->value)))
		set_fault(s, "is longer than %lu bytes", s->opt->max - 1);
}

bool set_is_host(const char *text)
{
	struct addr literal;
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");

	if (n > 0 && text[n] == '\0')
		return true;
	return !addr_parse(&literal, text, strlen(text), 0);
}

void set_host_text(const struct setting *s)
{
	if (set_is_host(s->value))
		set_text(s);
	else
		set_fault(s, "is to be a host name or address, not '%.60s'",
			  s->value);
}

/* The user part of a SIP URI, unescaped (RFC 3261 25.1: user), without '%'. */
bool set_is_user(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				"-_.!~*'()&=+$,;?/");

	return n > 0 && text[n] == '\0';
}

void set_user(const struct setting *s)
{
	if (set_is_user(s->value))
		set_text(s);
	else
		set_fault(s, "may hold A-Z a-z 0-9 and -_.!~*'()&=+$,;?/ only");
}

bool set_is_name(const struct setting *s)
{
	if (uci_is_name(s->value))
		return true;
	set_fault(s, "is to be a section's name, not '%.60s'", s->value);
	return false;
}

void set_refer(const struct setting *s, enum ref_kind kind)
{
	struct load *l = s->l;
	struct reference *r;

	if (!array_room(&l->refs, l->n_refs, sizeof(*l->refs))) {
		load_oom(l);
		return;
	}
	r = &l->refs[l->n_refs++];
	*r = (struct reference){
		.kind = kind, .line = s->line, .section = s->section};
	str_copy(r->name, sizeof(r->name), str_of(s->value));
}

void set_realm_name(const struct setting *s)
{
	if (!set_is_name(s))
		return;
	set_text(s);
	set_refer(s, REF_REALM);
}

void set_trunk_name(const struct setting *s)
{
	if (!set_is_name(s))
		return;
	set_text(s);
	set_refer(s, REF_TRUNK);
}

/* A trunk or a phone. */
void set_target_name(const struct setting *s)
{
	if (!set_is_name(s))
		return;
	set_text(s);
	set_refer(s, REF_TARGET);
}

void set_password(const struct setting *s)
{
	char **at = set_member(s);

	if (!s->value[0] || strlen(s->value) > 255) {
		set_fault(s, "is to have 1 to 255 bytes");
		return;
	}
	free(*at);
	*at = str_dup(str_of(s->value));
	if (!*at)
		load_oom(s->l);
}

void set_pattern(const struct setting *s)
{
	const char *fault = pattern_fault(s->value);

	if (fault)
		set_fault(s, "'%.60s': %s", s->value, fault);
	else
		set_text(s);
}
