/*
 * fuzz_dtmf.c - any body of an INFO that is to say a key
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "leg/dtmf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct media_key key, again;
	char mem[DTMF_BODY_BYTES];
	struct str text;

	if (dtmf_read(&key, (struct str){(const char *)data, size}))
		return 0;
	must(key.event < 16 && key.ms >= DTMF_MIN_MS && key.ms <= DTMF_MAX_MS);
	text = dtmf_write(&key, mem);
	must(text.n < DTMF_BODY_BYTES - 1);
	must(!dtmf_read(&again, text));
	must(again.event == key.event && again.ms == key.ms);
	return 0;
}
