/*
 * token.h - the sealed user part that stands for a binding at another server
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * RFC 5626 5.2: whoever is asked to send to the token can trust that it made
 * it.  A token names the binding and the flow that it was made for; equal
 * bindings have equal tokens, so a box that was restarted says the same again.
 * SIP thread only.
 */
#ifndef SBC_REGISTRAR_TOKEN_H
#define SBC_REGISTRAR_TOKEN_H

#include "core/clock.h"
#include "registrar/registrar.h"
#include "sip/sip.h"

enum { TOKEN_MAX = 96, TOKEN_CALL_ID_MAX = 48 }; /* with NUL */
enum { TOKEN_DIGEST_BYTES = 8 };

struct token_key;

struct token {
	uint64_t id;          /* of the binding */
	wall_ms issued;       /* the binding's registered_at */
	struct sip_flow flow; /* without conn */
};

/*
 * The key: from @text (config option flow_key), else from the file flow.key in
 * directory @dir, which is made when it is not there; with neither, one that
 * ends with the process.  -ENOMEM; -errno: the file is not ours to read, or
 * cannot be made.
 */
int token_key_create(struct token_key **out, const char *text, const char *dir);
void token_key_destroy(struct token_key *key); /* accepts NULL */

/* -EIO: the cryptography refuses. */
int token_seal(const struct token_key *key, const struct token *t,
	       char out[TOKEN_MAX]);
/* -EINVAL: @text is no token, or not of this key. */
int token_open(const struct token_key *key, const char *text,
	       struct token *out);
/*
 * The same for anything that boxes with one key tell each other: @kind (2..255)
 * keeps what is meant for one purpose from serving another, and it opens only
 * with the @context that it was sealed with.  -ENOSPC: longer than
 * TOKEN_SEALED_MAX when it is sealed.
 */
enum { TOKEN_PLAIN_MAX = REGISTRAR_PLAIN_MAX };
enum { TOKEN_SEALED_MAX = REGISTRAR_SEALED_MAX };
int token_seal_bytes(const struct token_key *key, uint8_t kind,
		     const char *context, struct str plain,
		     char out[TOKEN_SEALED_MAX]);
/* *@n bytes into @plain.  -EINVAL: not of this key, kind or context. */
int token_open_bytes(const struct token_key *key, uint8_t kind,
		     const char *context, const char *text,
		     uint8_t plain[TOKEN_PLAIN_MAX], size_t *n);
/* What two boxes call the same device, of @text that tells it. */
int token_digest(const struct token_key *key, const char *text,
		 uint8_t out[TOKEN_DIGEST_BYTES]);
/* The Call-ID of the registration of binding @id at another server: the same
 * after a restart, and no one else's.  -EIO. */
int token_call_id(const struct token_key *key, uint64_t id, wall_ms issued,
		  char out[TOKEN_CALL_ID_MAX]);

#endif
