/*
 * auth.c - who sent this request? nonces, counts and the verdict
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A nonce is its time, 64 random bits and a seal over these, the realm and the
 * address that asked (without the port: NAT may change it).  So nothing is
 * kept for a challenge; only who answered one correctly gets a row in a table
 * of fixed size, with the highest count that he used.  When a row must go for
 * a newer one, every nonce as old as it becomes stale: under load nonces live
 * shorter, but a used count is never forgotten while its nonce is good.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/rand.h"
#include "sip/digest.h"
#include "sip/stack.h"

enum {
	NONCE_MS = 60000,
	ROWS = 16384,
	SEAL_BYTES = 16,
	NONCE_CHARS = 12 + 16 + 2 * SEAL_BYTES,
};

/* What a nonce says before its seal. */
struct nonce {
	uint64_t born; /* clock_mono() */
	uint64_t random;
};

struct row {
	struct hash_node node;
	struct nonce nonce;
	uint64_t user;
	uint64_t request; /* the last one accepted: Call-ID, CSeq, branch */
	uint32_t nc;
	bool used;
};

struct sip_auth {
	uint8_t secret[32];
	char dummy_password[33];
	struct hash table;
	struct row rows[ROWS]; /* a ring, oldest first */
	unsigned next;
	uint64_t floor; /* nonces up to this time are stale */
};

int sip_auth_create(struct sip_auth **out)
{
	struct sip_auth *auth = calloc(1, sizeof(*auth));

	if (!auth)
		return -ENOMEM;
	rand_bytes(auth->secret, sizeof(auth->secret));
	rand_token(auth->dummy_password, 32);
	hash_init(&auth->table);
	*out = auth;
	return 0;
}

void sip_auth_destroy(struct sip_auth *auth)
{
	if (!auth)
		return;
	hash_clear(&auth->table);
	OPENSSL_cleanse(auth->secret, sizeof(auth->secret));
	free(auth);
	digest_cleanup();
}

/* ---- nonces ---------------------------------------------------------------------- */

static void seal(char out[2 * SEAL_BYTES + 1], const struct sip_auth *auth,
		 const char *text, const char *realm, const struct addr *source)
{
	static const char hex[] = "0123456789abcdef";
	char mem[512], host[ADDR_TEXT_MAX];
	unsigned char mac[EVP_MAX_MD_SIZE] = {0};
	unsigned len = 0;
	struct buf b;

	buf_init(&b, mem, sizeof(mem));
	buf_printf(&b, "%s|%s|%s", text, addr_fmt_host(source, host), realm);
	HMAC(EVP_sha256(), auth->secret, sizeof(auth->secret),
	     (const unsigned char *)b.p, b.n, mac, &len);
	for (int i = 0; i < SEAL_BYTES; i++) {
		out[2 * i] = hex[mac[i] >> 4];
		out[2 * i + 1] = hex[mac[i] & 15];
	}
	out[2 * SEAL_BYTES] = '\0';
}

static void nonce_make(char out[NONCE_CHARS + 1], const struct sip_auth *auth,
		       const char *realm, const struct addr *source)
{
	uint64_t random;

	rand_bytes(&random, sizeof(random));
	snprintf(out, 29, "%012llx%016llx",
		 (unsigned long long)clock_mono() & 0xffffffffffffull,
		 (unsigned long long)random);
	seal(out + 28, auth, out, realm, source);
}

static bool hex_u64(const char *p, size_t n, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			*out = *out << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*out = *out << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	return true;
}

/* True: we made it, for this realm and source. */
static bool nonce_open(struct nonce *out, const struct sip_auth *auth,
		       const char *text, const char *realm,
		       const struct addr *source)
{
	char head[29], mac[2 * SEAL_BYTES + 1];

	if (strlen(text) != NONCE_CHARS)
		return false;
	memcpy(head, text, 28);
	head[28] = '\0';
	seal(mac, auth, head, realm, source);
	return digest_equal(mac, text + 28) && hex_u64(text, 12, &out->born) &&
	       hex_u64(text + 12, 16, &out->random);
}

static bool nonce_is_fresh(const struct sip_auth *auth, const struct nonce *n)
{
	uint64_t now = (uint64_t)clock_mono();

	return n->born > auth->floor && n->born <= now &&
	       now - n->born < NONCE_MS;
}

/* ---- counts ------------------------------------------------------------------------ */

/* 64 keyed bits; a stranger cannot find two texts with the same. */
static uint64_t hash_wide(const char *text)
{
	char mem[1024];
	struct buf b;

	buf_init(&b, mem, sizeof(mem));
	buf_printf(&b, "+%s", text);
	return (uint64_t)hash_text(text) << 32 | hash_text(b.p);
}

static uint64_t request_id(const struct sip_view *v)
{
	char mem[1024];
	struct buf b;

	buf_init(&b, mem, sizeof(mem));
	buf_printf(&b, "%u %s %s %s", v->cseq, v->method_name, v->call_id,
		   v->branch ? v->branch : "");
	return hash_wide(mem);
}

static bool same_row(const struct hash_node *node, const void *key)
{
	const struct row *a = container_of(node, struct row, node);
	const struct row *b = key;

	return a->nonce.random == b->nonce.random &&
	       a->nonce.born == b->nonce.born && a->user == b->user;
}

static int row_add(struct sip_auth *auth, const struct row *key)
{
	struct row *r = &auth->rows[auth->next];

	if (r->used) {
		hash_remove(&auth->table, &r->node);
		if (r->nonce.born > auth->floor)
			auth->floor = r->nonce.born;
	}
	*r = *key;
	r->used = !hash_insert(&auth->table, &r->node,
			       (uint32_t)key->nonce.random);
	auth->next = (auth->next + 1) % ROWS;
	return r->used ? 0 : -ENOMEM;
}

/* The response was right: may this count be used? */
static enum sip_auth_verdict count_check(struct sip_auth *auth,
					 const struct nonce *nonce,
					 const struct digest *d,
					 const struct sip_view *v)
{
	struct row key = {.nonce = *nonce, .user = hash_wide(d->username)};
	struct hash_node *node;
	struct row *r;

	key.request = request_id(v);
	key.nc = d->nc;
	node = hash_find(&auth->table, (uint32_t)nonce->random, same_row, &key);
	if (!node)
		return row_add(auth, &key) ? SIP_AUTH_STALE : SIP_AUTH_OK;
	r = container_of(node, struct row, node);
	if (d->nc == r->nc && key.request == r->request)
		return SIP_AUTH_OK; /* sent again */
	if (d->nc <= r->nc)
		return SIP_AUTH_REPLAY;
	r->nc = d->nc;
	r->request = key.request;
	return SIP_AUTH_OK;
}

/* ---- the verdict --------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Is @raw, escaped in whatever way, the user @plain of a view? */
static bool same_user(struct str raw, const char *plain)
{
	size_t i = 0;

	if (!plain)
		return false;
	if (str_eq_c(raw, plain))
		return true;
	for (; *plain && i < raw.n; plain++) {
		int c = (unsigned char)raw.p[i++];

		if (c == '%' && raw.n - i >= 2 && hex_digit(raw.p[i]) >= 0 &&
		    hex_digit(raw.p[i + 1]) >= 0) {
			c = hex_digit(raw.p[i]) << 4 | hex_digit(raw.p[i + 1]);
			i += 2;
		}
		if (c != (unsigned char)*plain)
			return false;
	}
	return !*plain && i == raw.n;
}

/* The digest-uri must name what the Request-URI names (RFC 3261 22.4), else
 * a captured response could be moved to another request.  Phones differ from
 * themselves in port and parameters, and some (sipp too) leave the user out;
 * the nonce count keeps a response from being used twice all the same. */
static bool uri_matches(const char *uri, const struct sip_view *v)
{
	struct str rest = str_of(uri), scheme, host, user = {0};

	scheme = str_cut(&rest, ':');
	if (!rest.p || !str_case_eq_c(scheme, v->uri.scheme))
		return false;
	if (str_case_eq_c(scheme, "tel")) /* it has no host */
		return same_user(str_cut(&rest, ';'), v->uri.user);
	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] == '@') {
			user = (struct str){rest.p, i};
			rest.p += i + 1;
			rest.n -= i + 1;
			break;
		}
	host = rest;
	for (size_t i = 0; i < host.n; i++) {
		bool v6 = host.n && host.p[0] == '[';

		if (host.p[i] == ']' && v6) {
			host.n = i + 1;
			break;
		}
		if (host.p[i] == ';' || host.p[i] == '?' ||
		    (host.p[i] == ':' && !v6)) {
			host.n = i;
			break;
		}
	}
	return str_case_eq_c(host, v->uri.host) &&
	       (!user.n || same_user(user, v->uri.user));
}

static bool alg_allowed(enum digest_alg alg, enum conf_digest option)
{
	if (option == CONF_DIGEST_BOTH)
		return alg == DIGEST_SHA256 || alg == DIGEST_MD5;
	return alg == (option == CONF_SHA256 ? DIGEST_SHA256 : DIGEST_MD5);
}

/* The credentials for our realm as one text; -ENOENT. */
static int credentials(struct digest *out, const sip_t *s, const char *realm)
{
	char mem[4096];
	struct buf b;
	int err = -ENOENT;

	for (const sip_authorization_t *a = s->sip_authorization; a;
	     a = a->au_next) {
		if (!a->au_scheme || strcasecmp(a->au_scheme, "Digest"))
			continue;
		buf_init(&b, mem, sizeof(mem));
		for (const msg_param_t *p = a->au_params; p && *p; p++)
			buf_printf(&b, "%s,", *p);
		err = b.overflow ? -ENOSPC : digest_parse(out, buf_str(&b));
		if (!err && !strcmp(out->realm, realm))
			return 0;
		if (!err)
			err = -ENOENT;
	}
	return err;
}

enum sip_auth_verdict sip_auth_check(struct sip_auth *auth,
				     const struct sip_view *view,
				     const struct config *cfg,
				     const struct conf_realm *realm,
				     const struct conf_phone **who)
{
	const struct conf_phone *phone;
	char expected[DIGEST_HEX_MAX + 1];
	enum conf_digest option;
	bool right, sealed;
	struct nonce nonce;
	struct digest d;
	int err;

	err = credentials(&d, view->msg, realm->digest_realm);
	if (err)
		return err == -ENOENT ? SIP_AUTH_NONE : SIP_AUTH_WRONG;
	phone = config_phone_by_auth(cfg, realm->name, str_of(d.username));
	option = phone && phone->digest != CONF_DIGEST_UNSET ? phone->digest
							     : realm->digest;
	/* From here on the same work for everybody. */
	sealed = nonce_open(&nonce, auth, d.nonce, realm->digest_realm,
			    &view->flow.remote);
	err = digest_response(expected, &d, view->method_name,
			      phone ? phone->password : auth->dummy_password);
	right = digest_equal(expected, d.response) && !err && phone;
	if (!right || !d.alg_known || !alg_allowed(d.alg, option) ||
	    strcasecmp(d.qop, "auth") || !d.nc_text[0] || !d.cnonce[0] ||
	    !uri_matches(d.uri, view))
		return SIP_AUTH_WRONG;
	if (!sealed || !nonce_is_fresh(auth, &nonce))
		return SIP_AUTH_STALE;
	switch (count_check(auth, &nonce, &d, view)) {
	case SIP_AUTH_OK:
		*who = phone;
		return SIP_AUTH_OK;
	case SIP_AUTH_REPLAY:
		return SIP_AUTH_REPLAY;
	default:
		return SIP_AUTH_STALE;
	}
}

void sip_auth_challenge(struct sip_auth *auth, const struct sip_view *view,
			const struct conf_realm *realm, bool stale,
			struct sip_challenge *out)
{
	/* Stronger first (RFC 8760 2.4). */
	static const enum digest_alg order[] = {DIGEST_SHA256, DIGEST_MD5};
	char nonce[NONCE_CHARS + 1];

	nonce_make(nonce, auth, realm->digest_realm, &view->flow.remote);
	out->n = 0;
	for (int i = 0; i < 2; i++) {
		if (!alg_allowed(order[i], realm->digest))
			continue;
		snprintf(out->text[out->n], sizeof(out->text[0]),
			 "Digest realm=\"%s\", nonce=\"%s\", algorithm=%s, "
			 "qop=\"auth\"%s",
			 realm->digest_realm, nonce, digest_alg_name(order[i]),
			 stale ? ", stale=true" : "");
		out->headers[out->n].name = "WWW-Authenticate";
		out->headers[out->n].value = out->text[out->n];
		out->n++;
	}
}

struct sip_message sip_auth_refusal(struct sip_auth *auth,
				    const struct sip_view *view,
				    const struct conf_realm *realm,
				    enum sip_auth_verdict verdict,
				    struct sip_challenge *mem)
{
	bool stale = verdict == SIP_AUTH_STALE || verdict == SIP_AUTH_REPLAY;

	sip_auth_challenge(auth, view, realm, stale, mem);
	return (struct sip_message){
		.status = 401,
		.headers = mem->headers,
		.n_headers = mem->n,
	};
}
