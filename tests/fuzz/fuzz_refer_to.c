/*
 * fuzz_refer_to.c - any text as a Refer-To, and as a Replaces
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "sip/sip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void must_be_clean(const char *text, size_t cap)
{
	must(strnlen(text, cap) < cap);
	for (const char *p = text; *p; p++)
		must((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static void must_name_a_dialog(const struct sip_replaces *r)
{
	must(r->call_id[0] && r->to_tag[0] && r->from_tag[0]);
	must_be_clean(r->call_id, sizeof(r->call_id));
	must_be_clean(r->to_tag, sizeof(r->to_tag));
	must_be_clean(r->from_tag, sizeof(r->from_tag));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct sip_refer_to to;
	struct sip_replaces r;

	if (!sip_replaces_parse(&r, text))
		must_name_a_dialog(&r);
	if (sip_refer_to_parse(&to, text))
		return 0;
	must_be_clean(to.user, sizeof(to.user));
	if (to.has_replaces)
		must_name_a_dialog(&to.replaces);
	return 0;
}
