/*
 * fuzz_challenge.c - any text as the value of a WWW-Authenticate header
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sip/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void is_text(const char *p)
{
	const char *end = memchr(p, '\0', DIGEST_TEXT_MAX);

	must(end != NULL);
	for (; p < end; p++)
		must((unsigned char)*p >= 0x20 && *p != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct digest_challenge c;
	size_t left = size + 1;
	int err;

	while ((err = digest_parse_challenge(&c, &text)) != -ENOENT) {
		/* It comes to an end, and never beyond that of the text. */
		must(text.n < left);
		must(!text.n || text.p + text.n == (const char *)data + size);
		left = text.n;
		is_text(c.realm);
		is_text(c.nonce);
		is_text(c.opaque);
		is_text(c.qop);
		must(c.alg < DIGEST_ALGS);
		must(err || !c.is_digest || !c.has_qop ||
		     strlen(c.qop) < DIGEST_TEXT_MAX);
	}
	return 0;
}
