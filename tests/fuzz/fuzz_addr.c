/*
 * fuzz_addr.c - addresses from text that a peer wrote
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is accepted must print as text that reads back as the same address.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(const struct addr *a)
{
	char text[ADDR_TEXT_MAX], host[ADDR_TEXT_MAX];
	struct addr b, c;

	if (addr_parse_port(&b, addr_fmt(a, text)) || !addr_equal(a, &b))
		abort();
	addr_fmt_host(a, host);
	if (addr_parse(&c, host, strlen(host), addr_port(a)) ||
	    !addr_equal(a, &c))
		abort();
	if (addr_hash(a) != addr_hash(&b) || addr_class(a) != addr_class(&c) ||
	    addr_class(a) == ADDR_NONE)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct addr a;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	/* Not NUL-terminated: a read past the end is seen. */
	if (!addr_parse(&a, (const char *)data, size, 5060))
		same_again(&a);
	if (!addr_parse_port(&a, text))
		same_again(&a);
	if (!addr_from_sa(&a, (const struct sockaddr *)text, (socklen_t)size))
		same_again(&a);
	free(text);
	return 0;
}
