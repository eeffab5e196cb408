/*
 * token.c - the sealed user parts that stand for a binding at another server,
 * or tell another box of ours what it must know
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   base64url( version | tag[16] | AES-256-SIV( id[8] | issued[6] | kind |
 *              remote address, port | local address, port ) )
 *
 * SIV (RFC 5297) needs no nonce: the tag is made from the text, equal texts
 * make equal tokens, and that is all a reader without the key can tell.
 */
#include "registrar/token.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/pack.h"
#include "core/rand.h"

enum {
	VERSION = 1,
	SECRET_BYTES = 32,
	SIV_KEY_BYTES = 64,
	NAME_KEY_BYTES = 32,
	TAG_BYTES = 16,
	HEAD_BYTES = 1 + TAG_BYTES,
	PLAIN_MAX = 8 + 6 + 1 + 2 * (16 + 2),
	SEALED_MAX = HEAD_BYTES + PLAIN_MAX,
	LONGEST = HEAD_BYTES + TOKEN_PLAIN_MAX,
	KIND_TCP = 1,
	KIND_V6 = 2,
};
_Static_assert((SEALED_MAX * 8 + 5) / 6 < TOKEN_MAX, "a token has no room");
_Static_assert((LONGEST * 8 + 5) / 6 < TOKEN_SEALED_MAX, "no room");

struct token_key {
	uint8_t siv[SIV_KEY_BYTES], name[NAME_KEY_BYTES];
	EVP_CIPHER *cipher;
};

/* ---- the key ------------------------------------------------------------------ */

static int derive(const void *secret, size_t n, const char *purpose,
		  uint8_t *out, size_t size)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
						 (char *)"SHA2-256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
						  (void *)secret, n),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_INFO, (void *)purpose, strlen(purpose)),
		OSSL_PARAM_construct_end(),
	};
	bool done = ctx && EVP_KDF_derive(ctx, out, size, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return done ? 0 : -EIO;
}

/* Whole and on the disk, or not at all. */
static int write_secret(const char *path, uint8_t secret[SECRET_BYTES])
{
	char temporary[4200];
	int err = 0, fd;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	rand_bytes(secret, SECRET_BYTES);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, secret, SECRET_BYTES) != SECRET_BYTES || fsync(fd))
		err = -EIO;
	close(fd);
	if (!err && rename(temporary, path))
		err = -errno;
	if (err)
		unlink(temporary);
	return err;
}

static int read_secret(const char *dir, uint8_t secret[SECRET_BYTES])
{
	char path[4160];
	struct stat st;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "%.4096s/flow.key", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? write_secret(path, secret) : -errno;
	got = fstat(fd, &st) || (st.st_mode & 0177)
		      ? -1
		      : read(fd, secret, SECRET_BYTES);
	close(fd);
	return got == SECRET_BYTES ? 0 : -EACCES;
}

int token_key_create(struct token_key **out, const char *text, const char *dir)
{
	struct token_key *key = calloc(1, sizeof(*key));
	uint8_t secret[SECRET_BYTES];
	size_t n = sizeof(secret);
	const void *from = secret;
	int err = 0;

	if (!key)
		return -ENOMEM;
	if (text) {
		from = text;
		n = strlen(text);
	} else if (dir) {
		err = read_secret(dir, secret);
	} else {
		rand_bytes(secret, sizeof(secret));
	}
	if (!err)
		err = derive(from, n, "sbc flow token", key->siv,
			     SIV_KEY_BYTES);
	if (!err)
		err = derive(from, n, "sbc call-id", key->name, NAME_KEY_BYTES);
	explicit_bzero(secret, sizeof(secret));
	key->cipher = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
	if (!err && !key->cipher)
		err = -EIO;
	if (err) {
		token_key_destroy(key);
		return err;
	}
	*out = key;
	return 0;
}

void token_key_destroy(struct token_key *key)
{
	if (!key)
		return;
	EVP_CIPHER_free(key->cipher);
	OPENSSL_cleanse(key, sizeof(*key));
	free(key);
}

/* ---- base64url (RFC 4648 5), without padding -------------------------------------- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(const uint8_t *bytes, size_t n, char *out)
{
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | bytes[i];
		for (have += 8; have >= 6; have -= 6)
			*out++ = digits[bits >> (have - 6) & 63];
	}
	if (have)
		*out++ = digits[bits << (6 - have) & 63];
	*out = '\0';
}

/* How many bytes, 0 = not one of ours.  Each byte string has one text only. */
static size_t decode(const char *text, uint8_t *out, size_t cap)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	for (; *text; text++) {
		const char *digit = strchr(digits, *text);

		if (!digit)
			return 0;
		bits = bits << 6 | (uint32_t)(digit - digits);
		have += 6;
		if (have < 8)
			continue;
		if (n == cap)
			return 0;
		have -= 8;
		out[n++] = (uint8_t)(bits >> have);
	}
	return have >= 6 || (bits & ((1u << have) - 1)) ? 0 : n;
}

/* ---- what is inside ------------------------------------------------------------------ */

static bool is_v6(const struct addr *a)
{
	return addr_family(a) == AF_INET6;
}

static size_t write_plain(const struct token *t, char mem[PLAIN_MAX + 1])
{
	bool v6 = is_v6(&t->flow.remote);
	struct buf b;

	buf_init(&b, mem, PLAIN_MAX + 1);
	pack_number(&b, t->id, 8);
	pack_number(&b, (uint64_t)t->issued, 6);
	pack_number(&b,
		    (t->flow.transport == SIP_TCP ? KIND_TCP : 0) |
			    (v6 ? KIND_V6 : 0),
		    1);
	pack_host(&b, &t->flow.remote);
	pack_host(&b, &t->flow.local);
	return b.n;
}

static int read_plain(const uint8_t *bytes, size_t n, struct token *out)
{
	struct cursor c = cursor_of(bytes, n);
	struct token t = {.id = cursor_u64(&c)};
	uint8_t kind;

	t.issued = (wall_ms)cursor_u16(&c) << 32;
	t.issued |= cursor_u32(&c);
	kind = cursor_u8(&c);
	t.flow.transport = kind & KIND_TCP ? SIP_TCP : SIP_UDP;
	unpack_host(&c, kind & KIND_V6, &t.flow.remote);
	unpack_host(&c, kind & KIND_V6, &t.flow.local);
	if (c.bad || cursor_left(&c) || kind > (KIND_TCP | KIND_V6))
		return -EINVAL;
	*out = t;
	return 0;
}

/* ---- sealing ------------------------------------------------------------------------- */

/* @sealed[0] is the kind; the tag is put behind it, the text behind that. */
static int seal(const struct token_key *key, uint8_t *sealed,
		const char *context, const void *plain, int n)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int done = 0, len = context ? (int)strlen(context) : 0;
	bool ok;

	ok = ctx &&
	     EVP_EncryptInit_ex(ctx, key->cipher, NULL, key->siv, NULL) == 1 &&
	     EVP_EncryptUpdate(ctx, NULL, &done, sealed, 1) == 1 &&
	     (!len || EVP_EncryptUpdate(ctx, NULL, &done,
					(const uint8_t *)context, len) == 1) &&
	     EVP_EncryptUpdate(ctx, sealed + HEAD_BYTES, &done, plain, n) ==
		     1 &&
	     done == n &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES,
				 sealed + 1) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok ? 0 : -EIO;
}

static bool unseal(const struct token_key *key, uint8_t *sealed,
		   const char *context, int n, uint8_t *plain)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int done = 0, len = context ? (int)strlen(context) : 0;
	bool ok;

	ok = ctx &&
	     EVP_DecryptInit_ex(ctx, key->cipher, NULL, key->siv, NULL) == 1 &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES,
				 sealed + 1) == 1 &&
	     EVP_DecryptUpdate(ctx, NULL, &done, sealed, 1) == 1 &&
	     (!len || EVP_DecryptUpdate(ctx, NULL, &done,
					(const uint8_t *)context, len) == 1) &&
	     EVP_DecryptUpdate(ctx, plain, &done, sealed + HEAD_BYTES, n) ==
		     1 &&
	     done == n;
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

int token_seal(const struct token_key *key, const struct token *t,
	       char out[TOKEN_MAX])
{
	uint8_t sealed[SEALED_MAX] = {VERSION};
	char plain[PLAIN_MAX + 1];
	int n = (int)write_plain(t, plain);
	int err = seal(key, sealed, NULL, plain, n);

	if (!err)
		encode(sealed, (size_t)(HEAD_BYTES + n), out);
	return err;
}

int token_open(const struct token_key *key, const char *text, struct token *out)
{
	uint8_t sealed[SEALED_MAX], plain[PLAIN_MAX];
	size_t n = decode(text, sealed, sizeof(sealed));

	if (n <= HEAD_BYTES || sealed[0] != VERSION ||
	    !unseal(key, sealed, NULL, (int)(n - HEAD_BYTES), plain))
		return -EINVAL;
	return read_plain(plain, n - HEAD_BYTES, out);
}

int token_seal_bytes(const struct token_key *key, uint8_t kind,
		     const char *context, struct str plain,
		     char out[TOKEN_SEALED_MAX])
{
	uint8_t sealed[LONGEST] = {kind};
	int err;

	if (plain.n > TOKEN_PLAIN_MAX || !plain.n)
		return -ENOSPC;
	err = seal(key, sealed, context, plain.p, (int)plain.n);
	if (!err)
		encode(sealed, HEAD_BYTES + plain.n, out);
	return err;
}

int token_open_bytes(const struct token_key *key, uint8_t kind,
		     const char *context, const char *text,
		     uint8_t plain[TOKEN_PLAIN_MAX], size_t *n)
{
	uint8_t sealed[LONGEST];
	size_t have = decode(text, sealed, sizeof(sealed));

	if (have <= HEAD_BYTES || sealed[0] != kind || kind == VERSION ||
	    !unseal(key, sealed, context, (int)(have - HEAD_BYTES), plain))
		return -EINVAL;
	*n = have - HEAD_BYTES;
	return 0;
}

int token_digest(const struct token_key *key, const char *text,
		 uint8_t out[TOKEN_DIGEST_BYTES])
{
	uint8_t mac[EVP_MAX_MD_SIZE];

	if (!HMAC(EVP_sha256(), key->name, NAME_KEY_BYTES,
		  (const uint8_t *)text, strlen(text), mac, NULL))
		return -EIO;
	memcpy(out, mac, TOKEN_DIGEST_BYTES);
	return 0;
}

int token_call_id(const struct token_key *key, uint64_t id, wall_ms issued,
		  char out[TOKEN_CALL_ID_MAX])
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	char text[16 + 1];
	struct buf b;

	buf_init(&b, text, sizeof(text));
	pack_number(&b, id, 8);
	pack_number(&b, (uint64_t)issued, 8);
	if (!HMAC(EVP_sha256(), key->name, NAME_KEY_BYTES,
		  (const uint8_t *)text, b.n, mac, NULL))
		return -EIO;
	encode(mac, 24, out);
	return 0;
}
