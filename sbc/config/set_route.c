/*
 * set_route.c - values of routes and header rules
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/set.h"
#include "config/uci.h"

/* In the order of enum conf_method. */
static const char *const route_methods[] = {"INVITE",  "SUBSCRIBE", "MESSAGE",
					    "PUBLISH", "OPTIONS",   NULL};

void add_method(const struct setting *s)
{
	uint32_t *methods = set_member(s);
	int i = set_which(s, route_methods);

	if (i < 0)
		return;
	if (*methods & 1u << i)
		set_fault(s, "'%.40s' stands twice", s->value);
	*methods |= 1u << i;
}

void add_target(const struct setting *s)
{
	struct conf_route *r = s->at;

	if (!set_is_name(s))
		return;
	for (unsigned i = 0; i < r->n_to; i++)
		if (!strcmp(r->to[i], s->value)) {
			set_fault(s, "'%.60s' stands twice", s->value);
			return;
		}
	if (r->n_to == LIMIT_TARGETS) {
		set_fault(s, "stands more than %d times", LIMIT_TARGETS);
		return;
	}
	if (!array_room(&r->to, r->n_to, sizeof(*r->to))) {
		load_oom(s->l);
		return;
	}
	str_copy(r->to[r->n_to++], sizeof(*r->to), str_of(s->value));
	set_refer(s, REF_TARGET);
}

/* ---- header rules ------------------------------------------------------- */

/* RFC 3261 20 and what has come since: short form, long form. */
static const struct {
	char c;
	const char *name;
} compact[] = {
	{'a', "Accept-Contact"},
	{'b', "Referred-By"},
	{'c', "Content-Type"},
	{'d', "Request-Disposition"},
	{'e', "Content-Encoding"},
	{'f', "From"},
	{'i', "Call-ID"},
	{'j', "Reject-Contact"},
	{'k', "Supported"},
	{'l', "Content-Length"},
	{'m', "Contact"},
	{'n', "Identity-Info"},
	{'o', "Event"},
	{'r', "Refer-To"},
	{'s', "Subject"},
	{'t', "To"},
	{'u', "Allow-Events"},
	{'v', "Via"},
	{'x', "Session-Expires"},
	{'y', "Identity"},
};

/*
 * What the two dialogs are made of: the box writes these itself, on each side
 * its own.  A rule that touched one would break the call.
 */
static const char *const owned[] = {
	"Via",
	"From",
	"To",
	"Call-ID",
	"CSeq",
	"Contact",
	"Route",
	"Record-Route",
	"Path",
	"Service-Route",
	"Max-Forwards",
	"Content-Length",
	"Content-Type",
	"Content-Encoding",
	"Content-Disposition",
	"MIME-Version",
	"Authorization",
	"Proxy-Authorization",
	"WWW-Authenticate",
	"Proxy-Authenticate",
	"Authentication-Info",
	"Proxy-Authentication-Info",
	"Require",
	"Proxy-Require",
	"Supported",
	"Unsupported",
	"Allow",
	"Allow-Events",
	"RSeq",
	"RAck",
	"Session-Expires",
	"Min-SE",
	"Replaces",
	"Join",
	"Target-Dialog",
	"Refer-To",
	"Refer-Sub",
	"Event",
	"Subscription-State",
	"Expires",
	"Min-Expires",
	"SIP-ETag",
	"SIP-If-Match",
	"Timestamp",
	"Retry-After",
	"Warning",
};

/* RFC 3261 25.1: token. */
static bool is_token(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				"-.!%*_+`'~");

	return n > 0 && text[n] == '\0';
}

static const char *long_form(const char *name)
{
	for (size_t i = 0; i < sizeof(compact) / sizeof(*compact); i++)
		if (name[1] == '\0' && (name[0] | 0x20) == compact[i].c)
			return compact[i].name;
	return name;
}

void set_rule_header(const struct setting *s)
{
	struct conf_rule *r = s->at;
	const char *name = long_form(s->value);

	if (!is_token(name)) {
		set_fault(s, "is to be the name of a header, not '%.40s'",
			  s->value);
		return;
	}
	for (size_t i = 0; i < sizeof(owned) / sizeof(*owned); i++)
		if (!strcasecmp(owned[i], name)) {
			set_fault(s,
				  "'%s' belongs to the dialog, which the box "
				  "writes itself on each side: no rule can "
				  "touch it",
				  owned[i]);
			return;
		}
	if (str_copy(r->header, sizeof(r->header), str_of(name)))
		set_fault(s, "is longer than %zu bytes", sizeof(r->header) - 1);
}

/* A value, or a pattern of one: what may stand in a header's line. */
void set_rule_text(const struct setting *s)
{
	if (!s->value[0])
		set_fault(s, "is empty");
	else
		set_text(s);
}
