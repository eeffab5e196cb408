/*
 * same.c - is a new binding that of a device which was known before?
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "registrar/registrar.h"

struct place {
	struct str user, host; /* the host with its port, if not 5060 */
};

static struct place place_of(const char *uri)
{
	static const struct str usual = STR(":5060");
	struct str rest = str_of(uri), tail;
	struct place p = {.user = {0}};

	str_cut(&rest, ':');
	p.user = str_cut(&rest, '@');
	if (!rest.p) { /* it has no user */
		rest = p.user;
		p.user = (struct str){0};
	}
	p.host = str_cut(&rest, ';');
	rest = p.host;
	p.host = str_cut(&rest, '?');
	tail = p.host;
	if (tail.n > usual.n) {
		tail.p += tail.n - usual.n;
		tail.n = usual.n;
		if (str_eq(tail, usual))
			p.host.n -= usual.n;
	}
	return p;
}

static bool is_same_contact(const char *one, const char *two)
{
	struct place a = place_of(one), b = place_of(two);

	return str_eq(a.user, b.user) && str_case_eq(a.host, b.host);
}

bool binding_is_of(const struct binding *b, const char *contact,
		   const char *instance, wall_ms since)
{
	if (instance && b->instance)
		return !strcmp(instance, b->instance);
	return contact && b->registered_at >= since &&
	       is_same_contact(contact, b->contact);
}
