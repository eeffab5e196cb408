/*
 * fuzz_identity.c - name-addrs of headers that say who calls
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "call/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str value = {(const char *)data, size};
	struct identity_addr a;

	identity_hides(value);
	identity_reason(value);
	if (identity_read(&a, value))
		return 0;
	if (!a.user[0] || strpbrk(a.user, "\r\n "))
		abort();
	identity_param(a.params, "reason");
	identity_param(a.params, "party");
	return 0;
}
