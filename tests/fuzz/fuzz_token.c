/*
 * fuzz_token.c - any text as a token, and a good one with any byte changed;
 * any bytes as what a token of dialogs holds
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "call/call_token.h"
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
	uint8_t plain[TOKEN_PLAIN_MAX];
	char again[TOKEN_SEALED_MAX];
	struct token t;
	size_t n;

	if (!token_open(key, text, &t)) {
		must(!token_seal(key, &t, again));
		must(!strcmp(again, text));
	}
	for (uint8_t kind = SEAL_DIALOG; kind <= SEAL_MOVED; kind++) {
		if (token_open_bytes(key, kind, "context", text, plain, &n))
			continue;
		must(!token_seal_bytes(key, kind, "context",
				       (struct str){(char *)plain, n}, again));
		must(!strcmp(again, text));
	}
}

/* What can be read is written as it was. */
static void try_record(const uint8_t *data, size_t size)
{
	struct dialog_token d;
	struct pass_token p;
	struct ask_token a;
	char mem[4096];
	struct buf b;

	buf_init(&b, mem, sizeof(mem));
	if (!dialog_token_read(data, size, &d)) {
		dialog_token_write(&b, &d);
		must(b.n == size && !memcmp(mem, data, size));
	}
	buf_init(&b, mem, sizeof(mem));
	if (!pass_token_read(data, size, &p)) {
		pass_token_write(&b, &p);
		must(b.n == size && !memcmp(mem, data, size));
	}
	buf_init(&b, mem, sizeof(mem));
	if (!ask_token_read(data, size, &a)) {
		ask_token_write(&b, &a);
		must(b.n == size && !memcmp(mem, data, size));
	}
}

static void try_change(const struct token_key *key, char *good,
		       const uint8_t *data, size_t size)
{
	if (size >= 2 && data[1]) {
		good[data[0] % strlen(good)] = (char)data[1];
		try_text(key, good);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct token_key *key;
	struct token t = {.id = 7, .issued = 1700000000000};
	char text[TOKEN_SEALED_MAX + 64], good[TOKEN_SEALED_MAX];
	size_t n = size < sizeof(text) - 1 ? size : sizeof(text) - 1;

	if (!key)
		must(!token_key_create(&key, "a key for fuzzing", NULL));
	if (n)
		memcpy(text, data, n);
	text[n] = '\0';
	try_text(key, text);
	try_record(data, size);
	must(!addr_parse_port(&t.flow.remote, "192.0.2.1:40001"));
	must(!addr_parse_port(&t.flow.local, "203.0.113.10:5060"));
	must(!token_seal(key, &t, good));
	try_change(key, good, data, size);
	must(!token_seal_bytes(key, SEAL_DIALOG, "context",
			       STR("a dialog with its names"), good));
	try_change(key, good, data, size);
	return 0;
}
