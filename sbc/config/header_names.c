/*
 * header_names.c - what a header is called, and whose business it is
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <strings.h>

#include "config/config.h"

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
bool conf_header_is_name(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				"-.!%*_+`'~");

	return n > 0 && text[n] == '\0';
}

const char *conf_header_long(const char *name)
{
	for (size_t i = 0; i < sizeof(compact) / sizeof(*compact); i++)
		if (name[0] && !name[1] && (name[0] | 0x20) == compact[i].c)
			return compact[i].name;
	return name;
}

/* Who calls, or called before.  Whether a peer is believed in that is said by
 * option trust_identity, so no rule lets them cross. */
static const char *const identities[] = {
	"P-Asserted-Identity",
	"P-Preferred-Identity",
	"Remote-Party-ID",
	"Privacy",
	"Diversion",
	"History-Info",
	"Identity",
	"Identity-Info",
	"Referred-By",
	"P-Asserted-Service",
	"P-Charging-Vector",
	"P-Access-Network-Info",
	"P-Called-Party-ID",
};

static bool is_in(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(list[i], name))
			return true;
	return false;
}

enum conf_header conf_header_kind(const char *name)
{
	if (is_in(name, owned, sizeof(owned) / sizeof(*owned)))
		return CONF_HEADER_OWNED;
	if (is_in(name, identities, sizeof(identities) / sizeof(*identities)))
		return CONF_HEADER_IDENTITY;
	return CONF_HEADER_FREE;
}
