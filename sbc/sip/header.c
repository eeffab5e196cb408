/*
 * header.c - any header of a message as text, for those that no view shows
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What the library knows was parsed into structures and is written anew; the
 * rest is what the peer wrote, made one line.  So whatever comes out can be
 * sent on as a value.
 */
#include <string.h>

#include <sofia-sip/msg_mclass.h>

#include "sip/stack.h"

/* Line folds and other control bytes. */
static const char *one_line(char *text)
{
	for (char *p = text; p && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	return text;
}

static const char *unknown(const sip_t *s, su_home_t *home, const char *name,
			   unsigned i)
{
	for (const sip_unknown_t *u = s->sip_unknown; u; u = u->un_next)
		if (u->un_name && str_case_eq_c(str_of(u->un_name), name) &&
		    !i--)
			return one_line(su_strdup(
				home, u->un_value ? u->un_value : ""));
	return NULL;
}

/*
 * The library's own way to do this over-reads: its writers leave out what does
 * not fit with two bytes to spare, and not all of them end their text.
 */
static const char *encoded(const sip_header_t *h, su_home_t *home)
{
	isize_t cap = 256;
	issize_t n;
	char *text;

	for (int tries = 0; tries < 12; tries++) {
		text = su_zalloc(home, cap + 1);
		if (!text)
			return NULL;
		n = sip_header_field_e(text, cap, h, 0);
		if (n >= 0 && (isize_t)n + 1 < cap)
			return one_line(text);
		su_free(home, text);
		cap = n >= 0 ? (isize_t)n + 2 : 2 * cap;
	}
	return NULL;
}

/* Token lists, such as Supported: one structure for all fields. */
static const char *item(const msg_list_t *list, su_home_t *home, unsigned i)
{
	for (const msg_param_t *p = list->k_items; p && *p; p++)
		if (!i--)
			return one_line(su_strdup(home, *p));
	return NULL;
}

/* The first of the headers of class @ref; NULL = none. */
static const sip_header_t *first(const sip_t *s, const msg_href_t *ref)
{
	if (!ref->hr_offset ||
	    ref->hr_offset + sizeof(sip_header_t *) > s->sip_size)
		return NULL;
	return *(sip_header_t *const *)((const char *)s + ref->hr_offset);
}

const char *sip_view_header(const struct sip_view *view, const char *name,
			    unsigned i)
{
	const sip_t *s = view->msg;
	const msg_mclass_t *class = sip_default_mclass();
	const sip_header_t *h;
	const msg_href_t *ref;

	if (!s || !view->home || !is_token(name))
		return NULL;
	ref = msg_find_hclass(class, name, NULL);
	if (!ref->hr_class || ref == class->mc_unknown)
		return unknown(s, view->home, name, i);
	h = first(s, ref);
	if (h && ref->hr_class->hc_kind == msg_kind_list)
		return item((const msg_list_t *)h, view->home, i);
	while (h && i--)
		h = h->sh_next;
	return h ? encoded(h, view->home) : NULL;
}
