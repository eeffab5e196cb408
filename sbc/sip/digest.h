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

enum digest_alg { DIGEST_MD5, DIGEST_SHA256, DIGEST_ALGS };

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
};

const char *digest_alg_name(enum digest_alg alg); /* "MD5", "SHA-256" */

/*
 * Read the parameters after "Digest ".  -EINVAL: broken syntax, a parameter
 * twice, or username, realm, nonce, uri or response missing.  -ENOSPC: one of
 * them is longer than anything that we would accept.
 */
int digest_parse(struct digest *out, struct str params);

/*
 * The response that the owner of @password gives to what @d says, for a
 * request of @method: with qop=auth, or, @d->qop empty, that of RFC 2069.
 * Lower-case hex.  -EIO: no such algorithm on this machine.
 */
int digest_response(char out[DIGEST_HEX_MAX + 1], const struct digest *d,
		    const char *method, const char *password);

/* Compares in a time that tells nothing of where they differ. */
bool digest_equal(const char *a, const char *b);

/* Frees the cached handles. */
void digest_cleanup(void);

#endif
