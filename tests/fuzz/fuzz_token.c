/*
 * fuzz_token.c - any text as a token; and a good one with any byte changed
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "registrar/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

/* What opens is exactly what sealing makes. */
static void try_text(const struct token_key *key, const char *text)
{
	char again[TOKEN_MAX];
	struct token t;

	if (token_open(key, text, &t))
		return;
	must(!token_seal(key, &t, again));
	must(!strcmp(again, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct token_key *key;
	struct token t = {.id = 7, .issued = 1700000000000};
	char text[256], good[TOKEN_MAX];
	size_t n = size < sizeof(text) - 1 ? size : sizeof(text) - 1;

	if (!key)
		must(!token_key_create(&key, "a key for fuzzing", NULL));
	if (n)
		memcpy(text, data, n);
	text[n] = '\0';
	try_text(key, text);
	must(!addr_parse_port(&t.flow.remote, "192.0.2.1:40001"));
	must(!addr_parse_port(&t.flow.local, "203.0.113.10:5060"));
	must(!token_seal(key, &t, good));
	if (size >= 2 && data[1]) {
		good[data[0] % strlen(good)] = (char)data[1];
		try_text(key, good);
	}
	return 0;
}
