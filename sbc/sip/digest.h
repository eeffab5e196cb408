/*
 * digest.h - HTTP digest for SIP: reading credentials, computing responses
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * RFC 7616 with the algorithms of RFC 8760 that we offer; pure functions
 * except for the cached algorithm handles.  SIP thread only.
 */
#ifndef SBC_SIP_DIGEST_H
#define SBC_SIP_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"

/* Stronger ones later. */
enum digest_alg { DIGEST_MD5, DIGEST_SHA256, DIGEST_SHA512_256, DIGEST_ALGS };

enum { DIGEST_HEX_MAX = 64, DIGEST_TEXT_MAX = 256 };

/* What an Authorization header says, unquoted. */
struct digest {
	enum digest_alg alg;
	bool alg_known;
	char username[DIGEST_TEXT_MAX], realm[DIGEST_TEXT_MAX];
	char nonce[DIGEST_TEXT_MAX], cnonce[DIGEST_TEXT_MAX];
	char uri[512], qop[16];
	char response[DIGEST_HEX_MAX + 1];
	uint32_t nc;
	char nc_text[9]; /* as written; "" = not given */
	/* With qop=auth-int: what digest_body() says of the body. */
	char body_hash[DIGEST_HEX_MAX + 1];
};

const char *digest_alg_name(enum digest_alg alg); /* "MD5", "SHA-256" */

/*
 * Read the parameters after "Digest ".  -EINVAL: broken syntax, a parameter
 * twice, or username, realm, nonce, uri or response missing.  -ENOSPC: one of
 * them is longer than anything that we would accept.
 */
int digest_parse(struct digest *out, struct str params);

/* What one challenge of a WWW-Authenticate header says, unquoted. */
struct digest_challenge {
	bool is_digest; /* else another scheme, and nothing else is set */
	enum digest_alg alg;
	bool alg_known;
	char realm[DIGEST_TEXT_MAX], nonce[DIGEST_TEXT_MAX];
	char opaque[DIGEST_TEXT_MAX], qop[DIGEST_TEXT_MAX];
	bool has_qop, has_opaque, stale;
};

/*
 * Read the first challenge of @text, "Digest realm=..., ...", and leave what
 * stands after it, the next one or nothing.  -ENOENT: none is left.  -EINVAL:
 * broken syntax, @text is cut to nothing; or a parameter twice, a control
 * byte, or realm or nonce missing, and the next one may be read.  -ENOSPC:
 * likewise, one is longer than we would keep.
 */
int digest_parse_challenge(struct digest_challenge *out, struct str *text);

/* The hash of a body, for qop=auth-int (RFC 7616 3.4.3).  -EIO. */
int digest_body(char out[DIGEST_HEX_MAX + 1], enum digest_alg alg,
		struct str body);
/*
 * The response that the owner of @password gives to what @d says, for a
 * request of @method: with qop=auth or auth-int, or, @d->qop empty, that of
 * RFC 2069.
 * Lower-case hex.  -EIO: no such algorithm on this machine.
 */
int digest_response(char out[DIGEST_HEX_MAX + 1], const struct digest *d,
		    const char *method, const char *password);

/* Compares in a time that tells nothing of where they differ. */
bool digest_equal(const char *a, const char *b);

/* Frees the cached handles. */
void digest_cleanup(void);

#endif
