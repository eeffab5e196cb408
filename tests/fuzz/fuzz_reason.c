/*
 * fuzz_reason.c - any text as a Reason header's value
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "leg/leg_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

/* Numbers in their bounds cross, with words of ours, and mean the same when
 * they are read again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct leg_causes c = {0}, q850 = {0}, sip = {0};
	char text[512], out[LEG_REASON_BYTES], *comma;
	int status;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	reason_read(text, &c);
	must(c.q850 <= 127 && (!c.sip || (c.sip >= 200 && c.sip <= 699)));
	reason_spell(out, &c);
	must(strlen(out) < sizeof(out) - 2);
	must((c.q850 || c.sip) == (out[0] != 0));
	comma = strstr(out, ", SIP");
	reason_read(out, &q850);
	if (comma)
		reason_read(comma + 2, &sip);
	must(q850.q850 == c.q850);
	must((comma ? sip.sip : q850.sip) == c.sip);
	status = reason_status(text, 480);
	must(status >= 400 && status <= 699);
	return 0;
}
