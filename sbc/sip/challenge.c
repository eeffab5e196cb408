/*
 * challenge.c - digest as a client: what a peer asks for, and our answer
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * RFC 7616, and RFC 2069 where the peer offers no qop.  Of several challenges
 * the strongest that we can answer is kept (RFC 8760 2.4).  auth-int is the
 * answer only to who does not offer auth: what stands between may change
 * bodies.  The session algorithms are not answered.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/rand.h"
#include "sip/digest.h"
#include "sip/stack.h"

enum { HEADER_BYTES = 4096, CNONCE_CHARS = 16 };

/* ---- taking ------------------------------------------------------------------------ */

static bool offers(const struct digest_challenge *c, const char *qop)
{
	struct str rest = str_of(c->qop);

	while (rest.p)
		if (str_case_eq_c(str_trim(str_cut(&rest, ',')), qop))
			return true;
	return false;
}

static bool is_answerable(const struct digest_challenge *c)
{
	return c->is_digest && c->alg_known &&
	       (!c->has_qop || offers(c, "auth") || offers(c, "auth-int"));
}

static int keep(struct sip_challenged *out, const struct digest_challenge *c)
{
	out->algorithm = (uint8_t)c->alg;
	out->has_qop = c->has_qop;
	out->has_opaque = c->has_opaque;
	out->stale = c->stale;
	out->is_int = c->has_qop && !offers(c, "auth");
	if (str_copy(out->realm, sizeof(out->realm), str_of(c->realm)) ||
	    str_copy(out->nonce, sizeof(out->nonce), str_of(c->nonce)) ||
	    str_copy(out->opaque, sizeof(out->opaque), str_of(c->opaque)))
		return -EINVAL;
	return 0;
}

/* The best of the challenges in @text, into @best when it is better still;
 * @err becomes 0 once there is one, else -EINVAL when one was broken. */
static void choose(struct sip_challenged *best, int *err, struct str text)
{
	struct digest_challenge c;
	struct sip_challenged next;
	int one;

	while ((one = digest_parse_challenge(&c, &text)) != -ENOENT) {
		if (!one && !is_answerable(&c))
			continue;
		memset(&next, 0, sizeof(next));
		if (!one)
			one = keep(&next, &c);
		if (one && *err)
			*err = -EINVAL;
		if (one || (!*err && next.algorithm <= best->algorithm))
			continue;
		*best = next;
		*err = 0;
	}
}

int sip_challenge_take(struct sip_challenged *c, const struct sip_view *view)
{
	const sip_t *s = view->msg;
	const sip_www_authenticate_t *a = NULL;
	struct sip_challenged best = {0};
	char mem[HEADER_BYTES];
	int err = -ENOENT;
	struct buf b;

	if (s && view->status == 401)
		a = s->sip_www_authenticate;
	else if (s && view->status == 407)
		a = s->sip_proxy_authenticate;
	for (; a; a = a->au_next) {
		buf_init(&b, mem, sizeof(mem));
		buf_printf(&b, "%s ", a->au_scheme ? a->au_scheme : "");
		for (const msg_param_t *p = a->au_params; p && *p; p++)
			buf_printf(&b, "%s,", *p);
		if (!b.overflow)
			choose(&best, &err, buf_str(&b));
		else if (err)
			err = -EINVAL;
	}
	if (err)
		return err;
	best.is_proxy = view->status == 407;
	/* The same nonce again: its count goes on. */
	if (!strcmp(best.nonce, c->nonce) && !strcmp(best.realm, c->realm))
		best.nc = c->nc;
	*c = best;
	return 0;
}

/* ---- answering ----------------------------------------------------------------------- */

static void put_quoted(struct buf *b, const char *name, const char *text)
{
	buf_printf(b, "%s=\"", name);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_puts(b, "\\");
		buf_put(b, text, 1);
	}
	buf_puts(b, "\"");
}

static int compute(struct digest *d, const struct sip_challenged *c,
		   const char *uri, const char *user, struct str body)
{
	memset(d, 0, sizeof(*d));
	d->alg = (enum digest_alg)c->algorithm;
	if (c->algorithm >= DIGEST_ALGS ||
	    str_copy(d->username, sizeof(d->username), str_of(user)) ||
	    str_copy(d->realm, sizeof(d->realm), str_of(c->realm)) ||
	    str_copy(d->nonce, sizeof(d->nonce), str_of(c->nonce)) ||
	    str_copy(d->uri, sizeof(d->uri), str_of(uri)))
		return -ENOSPC;
	if (!c->has_qop)
		return 0;
	strcpy(d->qop, c->is_int ? "auth-int" : "auth");
	rand_token(d->cnonce, CNONCE_CHARS);
	snprintf(d->nc_text, sizeof(d->nc_text), "%08x", c->nc);
	return c->is_int ? digest_body(d->body_hash, d->alg, body) : 0;
}

static void put_answer(struct buf *b, const struct sip_challenged *c,
		       const struct digest *d, const char *response)
{
	buf_puts(b, "Digest ");
	put_quoted(b, "username", d->username);
	put_quoted(b, ", realm", d->realm);
	put_quoted(b, ", nonce", d->nonce);
	put_quoted(b, ", uri", d->uri);
	buf_printf(b, ", response=\"%s\", algorithm=%s", response,
		   digest_alg_name(d->alg));
	if (c->has_qop)
		buf_printf(b, ", cnonce=\"%s\", qop=%s, nc=%s", d->cnonce,
			   d->qop, d->nc_text);
	if (c->has_opaque)
		put_quoted(b, ", opaque", c->opaque);
}

int sip_challenge_answer(struct sip_challenged *c, enum sip_method method,
			 const char *uri, const char *user,
			 const char *password, char *mem, size_t cap,
			 struct sip_header *out)
{
	return sip_challenge_answer_body(c, method, uri, user, password,
					 STR(""), mem, cap, out);
}

int sip_challenge_answer_body(struct sip_challenged *c, enum sip_method method,
			      const char *uri, const char *user,
			      const char *password, struct str body, char *mem,
			      size_t cap, struct sip_header *out)
{
	char response[DIGEST_HEX_MAX + 1];
	const char *name;
	struct digest d;
	struct buf b;
	int err;

	if (method >= SIP_UNKNOWN)
		return -EINVAL;
	method_number(method, &name);
	c->nc++;
	err = compute(&d, c, uri, user, body);
	if (!err)
		err = digest_response(response, &d, name, password);
	if (err)
		return err;
	buf_init(&b, mem, cap);
	put_answer(&b, c, &d, response);
	if (b.overflow)
		return -ENOSPC;
	out->name = c->is_proxy ? "Proxy-Authorization" : "Authorization";
	out->value = mem;
	return 0;
}
