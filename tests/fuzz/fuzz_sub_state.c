/*
 * fuzz_sub_state.c - any text as a Subscription-State
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "pass/pass_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

/* What crosses is whole, clean, and means on the other side what it did. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct sub_word w, again;
	char out[128];

	if (sub_word_parse(&w, text))
		return 0;
	sub_word_print(&w, out, sizeof(out));
	must(strlen(out) < sizeof(out) - 1);
	for (const char *p = out; *p; p++)
		must(*p > 0x20 && *p < 0x7f);
	must(!sub_word_parse(&again, str_of(out)));
	must(str_eq(w.state, again.state) && str_eq(w.reason, again.reason));
	must(w.expires == again.expires && w.retry_after == again.retry_after);
	must(w.is_terminated == again.is_terminated);
	return 0;
}
