/*
 * digest.c - HTTP digest for SIP (RFC 7616, RFC 8760, RFC 3261 22.4)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sip/digest.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

/* Fetching an algorithm by name costs more than a short hash. */
static EVP_MD *fetched[DIGEST_ALGS];
static EVP_MD_CTX *context;

static const struct {
	const char *name, *openssl;
} algs[DIGEST_ALGS] = {
	[DIGEST_MD5] = {"MD5", "MD5"},
	[DIGEST_SHA256] = {"SHA-256", "SHA2-256"},
	[DIGEST_SHA512_256] = {"SHA-512-256", "SHA2-512/256"},
};

const char *digest_alg_name(enum digest_alg alg)
{
	return algs[alg].name;
}

void digest_cleanup(void)
{
	for (int i = 0; i < DIGEST_ALGS; i++) {
		EVP_MD_free(fetched[i]);
		fetched[i] = NULL;
	}
	EVP_MD_CTX_free(context);
	context = NULL;
}

/* ---- reading -------------------------------------------------------------------- */

struct reader {
	const char *p, *end;
};

static void skip_space(struct reader *r)
{
	while (r->p < r->end && strchr(" \t\r\n", *r->p) && *r->p)
		r->p++;
}

static bool is_token_char(unsigned char c)
{
	return isalnum(c) || (c && strchr("-.!%*_+`'~", c));
}

static struct str token(struct reader *r)
{
	struct str s = {r->p, 0};

	while (r->p < r->end && is_token_char((unsigned char)*r->p))
		r->p++;
	s.n = (size_t)(r->p - s.p);
	return s;
}

/* The value of a quoted string or token, into @out. */
static int value(struct reader *r, struct buf *out)
{
	struct str plain;

	if (r->p == r->end || *r->p != '"') {
		plain = token(r);
		buf_putstr(out, plain);
		return plain.n ? 0 : -EINVAL;
	}
	for (r->p++; r->p < r->end && *r->p != '"'; r->p++) {
		if (*r->p == '\\' && ++r->p == r->end)
			return -EINVAL;
		if ((unsigned char)*r->p < 0x20 && *r->p != '\t')
			return -EINVAL;
		buf_put(out, r->p, 1);
	}
	if (r->p == r->end)
		return -EINVAL;
	r->p++;
	return 0;
}

static bool find_algorithm(enum digest_alg *out, const char *name)
{
	for (int i = 0; i < DIGEST_ALGS; i++)
		if (str_case_eq_c(str_of(name), algs[i].name)) {
			*out = (enum digest_alg)i;
			return true;
		}
	return false;
}

static int take_nc(struct digest *d, const char *text)
{
	uint32_t n = 0;

	if (strlen(text) != 8)
		return -EINVAL;
	for (const char *p = text; *p; p++) {
		if (!isxdigit((unsigned char)*p))
			return -EINVAL;
		n = n << 4 | (uint32_t)(isdigit((unsigned char)*p)
						? *p - '0'
						: (*p | 0x20) - 'a' + 10);
	}
	d->nc = n;
	memcpy(d->nc_text, text, sizeof(d->nc_text));
	return 0;
}

enum field {
	USERNAME,
	REALM,
	NONCE,
	URI,
	RESPONSE,
	CNONCE,
	QOP,
	NC,
	ALGORITHM,
	USERHASH,
	FIELDS
};

static const char *const field_names[FIELDS] = {
	"username", "realm", "nonce", "uri",       "response",
	"cnonce",   "qop",   "nc",    "algorithm", "userhash",
};

static struct str field_room(struct digest *d, enum field f, char *spare,
			     size_t spare_bytes)
{
	switch (f) {
	case USERNAME:
		return (struct str){d->username, sizeof(d->username)};
	case REALM:
		return (struct str){d->realm, sizeof(d->realm)};
	case NONCE:
		return (struct str){d->nonce, sizeof(d->nonce)};
	case URI:
		return (struct str){d->uri, sizeof(d->uri)};
	case RESPONSE:
		return (struct str){d->response, sizeof(d->response)};
	case CNONCE:
		return (struct str){d->cnonce, sizeof(d->cnonce)};
	case QOP:
		return (struct str){d->qop, sizeof(d->qop)};
	default:
		return (struct str){spare, spare_bytes};
	}
}

static int take(struct digest *d, enum field f, struct reader *r)
{
	char spare[1024];
	struct str room = field_room(d, f, spare, sizeof(spare));
	struct buf out;
	int err;

	buf_init(&out, (char *)room.p, room.n);
	err = value(r, &out);
	if (err)
		return err;
	/* What we do not know may be as long as it likes. */
	if (out.overflow)
		return f == FIELDS ? 0 : -ENOSPC;
	/* A NUL would end the text for one reader and not for another. */
	if (memchr(out.p, '\0', out.n))
		return -EINVAL;
	if (f == ALGORITHM)
		d->alg_known = find_algorithm(&d->alg, out.p);
	else if (f == NC)
		return take_nc(d, out.p);
	else if (f == USERHASH && !strcasecmp(out.p, "true"))
		return -EINVAL; /* never offered */
	return 0;
}

static enum field field_of(struct str name)
{
	int f = 0;

	while (f < FIELDS && !str_case_eq_c(name, field_names[f]))
		f++;
	return (enum field)f;
}

static int parse_one(struct digest *d, struct reader *r, unsigned *seen)
{
	struct str name = token(r);
	enum field f = field_of(name);

	skip_space(r);
	if (!name.n || r->p == r->end || *r->p++ != '=')
		return -EINVAL;
	skip_space(r);
	if (f < FIELDS && (*seen & 1u << f))
		return -EINVAL;
	*seen |= 1u << f;
	return take(d, f, r);
}

int digest_parse(struct digest *out, struct str params)
{
	const unsigned needed = 1u << USERNAME | 1u << REALM | 1u << NONCE |
				1u << URI | 1u << RESPONSE;
	struct reader r = {params.p, params.p + params.n};
	unsigned seen = 0;
	int err;

	memset(out, 0, sizeof(*out));
	out->alg_known = true; /* without the parameter it is MD5 */
	for (skip_space(&r); r.p < r.end; skip_space(&r)) {
		if (*r.p == ',') {
			r.p++;
			continue;
		}
		err = parse_one(out, &r, &seen);
		if (err)
			return err;
		skip_space(&r);
		if (r.p < r.end && *r.p != ',')
			return -EINVAL;
	}
	return (seen & needed) == needed ? 0 : -EINVAL;
}

/* ---- reading challenges ------------------------------------------------------------ */

enum { C_REALM, C_NONCE, C_OPAQUE, C_QOP, C_ALGORITHM, C_STALE, C_FIELDS };

static int challenge_field(struct str name)
{
	static const char *const names[C_FIELDS] = {
		"realm", "nonce", "opaque", "qop", "algorithm", "stale"};
	int f = 0;

	while (f < C_FIELDS && !str_case_eq_c(name, names[f]))
		f++;
	return f;
}

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

/* The value of @name; whatever is wrong with it, the reader goes on after it
 * unless its syntax is (-EBADMSG). */
static int challenge_take(struct digest_challenge *c, struct str name,
			  struct reader *r, unsigned *seen)
{
	const int f = challenge_field(name);
	char mem[DIGEST_TEXT_MAX];
	char *const rooms[C_FIELDS] = {
		[C_REALM] = c->realm,
		[C_NONCE] = c->nonce,
		[C_OPAQUE] = c->opaque,
		[C_QOP] = c->qop,
	};
	struct buf out;

	buf_init(&out, mem, sizeof(mem));
	if (value(r, &out))
		return -EBADMSG;
	if (f == C_FIELDS)
		return 0;
	if (*seen & 1u << f || has_control(buf_str(&out)))
		return -EINVAL;
	*seen |= 1u << f;
	if (out.overflow)
		return -ENOSPC;
	if (rooms[f])
		memcpy(rooms[f], mem, sizeof(mem));
	else if (f == C_ALGORITHM)
		c->alg_known = find_algorithm(&c->alg, mem);
	else
		c->stale = !strcasecmp(mem, "true");
	return 0;
}

/* "name =" at the reader: its name; else an empty one, and nothing is read. */
static struct str param_name(struct reader *r)
{
	struct reader ahead = *r;
	struct str name = token(&ahead);

	skip_space(&ahead);
	if (ahead.p == ahead.end || *ahead.p != '=')
		return (struct str){0};
	ahead.p++;
	skip_space(&ahead);
	*r = ahead;
	return name;
}

/* All parameters up to the next scheme. */
static int challenge_params(struct digest_challenge *c, struct reader *r,
			    unsigned *seen)
{
	struct str name;
	int err = 0, one;

	for (skip_space(r); r->p < r->end; skip_space(r)) {
		if (*r->p == ',') {
			r->p++;
			continue;
		}
		name = param_name(r);
		if (!name.n)
			return err;
		one = challenge_take(c, name, r, seen);
		if (one == -EBADMSG)
			return one;
		if (!err)
			err = one;
		skip_space(r);
		if (r->p < r->end && *r->p != ',')
			return -EBADMSG;
	}
	return err;
}

int digest_parse_challenge(struct digest_challenge *out, struct str *text)
{
	const unsigned needed = 1u << C_REALM | 1u << C_NONCE;
	struct reader r = {text->p, text->p + text->n};
	struct str scheme;
	unsigned seen = 0;
	int err;

	memset(out, 0, sizeof(*out));
	out->alg_known = true; /* without the parameter it is MD5 */
	while (skip_space(&r), r.p < r.end && *r.p == ',')
		r.p++;
	if (r.p == r.end)
		return -ENOENT;
	scheme = token(&r);
	/* Nothing but a space may follow, or the end. */
	err = !scheme.n || (r.p < r.end && !strchr(" \t,", *r.p))
		      ? -EBADMSG
		      : challenge_params(out, &r, &seen);
	*text = (struct str){r.p, (size_t)(r.end - r.p)};
	if (err == -EBADMSG) {
		text->n = 0;
		return -EINVAL;
	}
	out->is_digest = str_case_eq_c(scheme, "Digest");
	out->has_qop = seen & 1u << C_QOP;
	out->has_opaque = seen & 1u << C_OPAQUE;
	if (!out->is_digest)
		return 0;
	return err ? err : (seen & needed) == needed ? 0 : -EINVAL;
}

/* ---- computing -------------------------------------------------------------------- */

static const EVP_MD *algorithm(enum digest_alg alg)
{
	if (!fetched[alg])
		fetched[alg] = EVP_MD_fetch(NULL, algs[alg].openssl, NULL);
	if (!context)
		context = EVP_MD_CTX_new();
	return context ? fetched[alg] : NULL;
}

/* Lower-case hex of what the context has taken. */
static int finish(char out[DIGEST_HEX_MAX + 1])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!EVP_DigestFinal_ex(context, raw, &len) || 2 * len > DIGEST_HEX_MAX)
		return -EIO;
	for (unsigned i = 0; i < len; i++) {
		out[2 * i] = hex[raw[i] >> 4];
		out[2 * i + 1] = hex[raw[i] & 15];
	}
	out[2 * len] = '\0';
	return 0;
}

/* Of @parts with colons between them. */
static int hash_parts(char out[DIGEST_HEX_MAX + 1], enum digest_alg alg,
		      const char *const *parts, int n)
{
	const EVP_MD *md = algorithm(alg);

	if (!md || !EVP_DigestInit_ex2(context, md, NULL))
		return -EIO;
	for (int i = 0; i < n; i++) {
		if (i)
			EVP_DigestUpdate(context, ":", 1);
		EVP_DigestUpdate(context, parts[i], strlen(parts[i]));
	}
	return finish(out);
}

int digest_body(char out[DIGEST_HEX_MAX + 1], enum digest_alg alg,
		struct str body)
{
	const EVP_MD *md = algorithm(alg);

	if (!md || !EVP_DigestInit_ex2(context, md, NULL))
		return -EIO;
	EVP_DigestUpdate(context, body.p, body.n);
	return finish(out);
}

int digest_response(char out[DIGEST_HEX_MAX + 1], const struct digest *d,
		    const char *method, const char *password)
{
	char ha1[DIGEST_HEX_MAX + 1], ha2[DIGEST_HEX_MAX + 1];
	const char *a1[] = {d->username, d->realm, password};
	const char *a2[] = {method, d->uri, d->body_hash};
	const bool with_body = !strcmp(d->qop, "auth-int");
	const char *auth[] = {ha1,       d->nonce, d->nc_text,
			      d->cnonce, d->qop,   ha2};
	const char *plain[] = {ha1, d->nonce, ha2};
	int err;

	err = hash_parts(ha1, d->alg, a1, 3);
	if (!err)
		err = hash_parts(ha2, d->alg, a2, with_body ? 3 : 2);
	if (!err)
		err = d->qop[0] ? hash_parts(out, d->alg, auth, 6)
				: hash_parts(out, d->alg, plain, 3);
	OPENSSL_cleanse(ha1, sizeof(ha1));
	return err;
}

bool digest_equal(const char *a, const char *b)
{
	size_t n = strlen(a);

	/* The length is the algorithm's and no secret. */
	return n == strlen(b) && !CRYPTO_memcmp(a, b, n);
}
