/*
 * fuzz_digest.c - any text as the parameters of an Authorization header
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "sip/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void is_text(const char *p, size_t cap)
{
	must(memchr(p, '\0', cap) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char once[DIGEST_HEX_MAX + 1], again[DIGEST_HEX_MAX + 1];
	struct digest d;

	if (digest_parse(&d, (struct str){(const char *)data, size}))
		return 0;
	is_text(d.username, sizeof(d.username));
	is_text(d.realm, sizeof(d.realm));
	is_text(d.nonce, sizeof(d.nonce));
	is_text(d.cnonce, sizeof(d.cnonce));
	is_text(d.uri, sizeof(d.uri));
	is_text(d.qop, sizeof(d.qop));
	is_text(d.response, sizeof(d.response));
	must(d.alg < DIGEST_ALGS);
	must(!d.nc_text[0] || strlen(d.nc_text) == 8);
	must(!digest_response(once, &d, "REGISTER", "secret"));
	must(!digest_response(again, &d, "REGISTER", "secret"));
	must(digest_equal(once, again));
	must(!digest_response(again, &d, "REGISTER", "Secret"));
	must(!digest_equal(once, again));
	return 0;
}
