/*
 * fuzz_session.c - any text as Session-Expires and Min-SE, and what is decided
 * of it
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

/* The first byte says what is agreed already and what else the peer can; a
 * line end parts the two values. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct leg_session s = {.want_s = 1800, .min_s = 90};
	struct session_says says = {0};
	struct session_deal deal;
	char text[512], *min;

	if (size < 1 || size >= sizeof(text))
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	min = strchr(text, '\n');
	if (min)
		*min++ = 0;
	session_read(&says, text, min);
	must(says.expires_s <= 86400 && says.min_s <= 86400);
	says.knows = data[0] & 1;
	s.ours = data[0] & 2;
	s.expires_s = data[0] & 4 ? 600 : 0;
	session_answer(&s, &says, &deal);
	must(!deal.status ||
	     (deal.status == 422 && says.knows && says.expires_s < s.min_s));
	must(deal.status || !deal.expires_s || deal.expires_s >= s.min_s);
	must(!deal.told || deal.expires_s);
	/* Who knows no timers is not asked to refresh. */
	must(deal.ours || says.knows);
	return 0;
}
