/*
 * fuzz_number.c - numbers and tel URIs through every plan and form
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte chooses the plan and the form.  Whatever comes out is a
 * string that fits; a number that is global stays so through a form that can
 * say it, and back.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "route/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct conf_trunk plans[] = {
	{.country_code = "49",
	 .area_code = "30",
	 .international_prefix = "00",
	 .national_prefix = "0"},
	{.country_code = "1",
	 .international_prefix = "011",
	 .national_prefix = "1"},
	{.country_code = "39", .international_prefix = "00"},
	{.international_prefix = "00", .national_prefix = "0"},
};

static void there_and_back(const struct conf_trunk *t, const char *global)
{
	char sent[LIMIT_USER_BYTES], back[LIMIT_USER_BYTES];

	route_number_to(t, global, sent);
	if (!sent[0] || strlen(sent) >= LIMIT_USER_BYTES)
		abort();
	if (t->numbers != CONF_NUMBERS_E164 && t->numbers != CONF_NUMBERS_ASIS)
		return;
	route_number_read(t, sent, back);
	if (strcmp(back, global) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[1024], out[LIMIT_USER_BYTES];
	struct conf_trunk t;

	if (size < 1 || size >= sizeof(text))
		return 0;
	t = plans[data[0] % 4];
	t.numbers = data[0] / 4 % 5;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (!route_number_of_tel(text, out) &&
	    (!out[0] || strpbrk(out, "-.()")))
		abort();
	if (strlen(text) >= LIMIT_USER_BYTES)
		return 0;
	if (route_number_read(&t, text, out) != PLAN_ASIS) {
		if (out[0] != '+' ||
		    strspn(out + 1, "0123456789") + 1 != strlen(out))
			abort();
		there_and_back(&t, out);
	} else if (strcmp(out, text) != 0) {
		abort();
	}
	route_number_to(&t, text, out);
	return 0;
}
