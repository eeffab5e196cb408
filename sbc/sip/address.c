/*
 * address.c - names, addresses and targets as they are written into requests
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What another room hands in may be what a peer wrote: users are escaped,
 * display names quoted, hosts and targets refused unless they are plain.
 */
#include <errno.h>
#include <string.h>

#include "core/rand.h"
#include "sip/stack.h"

enum { ADDRESS_BYTES = 1024 };

void sip_put_user(struct buf *b, const char *user)
{
	for (; *user; user++) {
		unsigned char c = (unsigned char)*user;

		if ((c >= '0' && c <= '9') ||
		    ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
		    strchr("-_.!~*'()&=+$,;?/", c))
			buf_put(b, &c, 1);
		else
			buf_printf(b, "%%%02X", c);
	}
}

static int put_display(struct buf *b, const char *display)
{
	buf_puts(b, "\"");
	for (; *display; display++) {
		unsigned char c = (unsigned char)*display;

		if (c < 0x20 || c == 0x7f)
			return -EINVAL;
		if (c == '"' || c == '\\')
			buf_puts(b, "\\");
		buf_put(b, &c, 1);
	}
	buf_puts(b, "\" ");
	return 0;
}

static int put_host(struct buf *b, const char *host)
{
	for (const char *p = host; *p; p++)
		if (!strchr("-.:[]_", *p) && !(*p >= '0' && *p <= '9') &&
		    !((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z'))
			return -EINVAL;
	if (!*host)
		return -EINVAL;
	/* A bare IPv6 literal. */
	if (*host != '[' && strchr(host, ':') &&
	    strchr(host, ':') != strrchr(host, ':'))
		buf_printf(b, "[%s]", host);
	else
		buf_puts(b, host);
	return 0;
}

static int put_address(struct buf *b, const char *display, const char *user,
		       const char *host)
{
	int err = display && *display ? put_display(b, display) : 0;

	buf_puts(b, "<sip:");
	if (user && *user) {
		sip_put_user(b, user);
		buf_puts(b, "@");
	}
	if (!err)
		err = put_host(b, host);
	buf_puts(b, ">");
	return err ? err : b->overflow ? -EINVAL : 0;
}

int address_from(sip_from_t **out, su_home_t *home,
		 const struct address_local *local)
{
	char mem[ADDRESS_BYTES], random[TAG_CHARS + 1], host[ADDR_TEXT_MAX];
	const char *tag = local->tag;
	struct buf b;
	int err;

	if (!tag)
		tag = rand_token(random, TAG_CHARS);
	else if (!is_token(tag))
		return -EINVAL;
	buf_init(&b, mem, sizeof(mem));
	addr_fmt_uri(&local->flow->local, host);
	if (!local->user)
		err = put_address(&b, "Anonymous", "anonymous",
				  "anonymous.invalid");
	else
		err = put_address(&b, local->display, local->user,
				  local->host ? local->host : host);
	if (err)
		return err;
	buf_printf(&b, ";tag=%s", tag);
	*out = b.overflow ? NULL : sip_from_make(home, mem);
	return *out ? 0 : -EINVAL;
}

int address_to(sip_to_t **out, su_home_t *home, const char *user,
	       const char *host)
{
	char mem[ADDRESS_BYTES];
	struct buf b;
	int err;

	buf_init(&b, mem, sizeof(mem));
	err = put_address(&b, NULL, user, host);
	if (err)
		return err;
	*out = sip_to_make(home, mem);
	return *out ? 0 : -EINVAL;
}

int address_user(const char **out, su_home_t *home, const char *user)
{
	char mem[ADDRESS_BYTES];
	struct buf b;

	*out = NULL;
	if (!user || !*user)
		return 0;
	buf_init(&b, mem, sizeof(mem));
	sip_put_user(&b, user);
	if (b.overflow)
		return -EINVAL;
	*out = su_strdup(home, mem);
	return *out ? 0 : -ENOMEM;
}

/* Header parts of a URI would become headers of the request. */
int address_target(url_t **out, su_home_t *home, const char *text)
{
	url_t *url;

	if (!text)
		return -EINVAL;
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7f || *p == '<' ||
		    *p == '>')
			return -EINVAL;
	url = url_make(home, text);
	if (!url || url->url_type != url_sip || !url->url_host)
		return -EINVAL;
	url->url_headers = NULL;
	*out = url;
	return 0;
}
