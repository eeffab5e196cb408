/*
 * fuzz_stun.c - any bytes as a STUN request, from an IPv4 and an IPv6 source
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "screen/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

/* Whole, one behind the other; a fingerprint is right, and the last. */
static void check_attributes(const uint8_t *p, size_t n)
{
	struct cursor c = cursor_of(p + 20, n - 20);

	while (cursor_left(&c)) {
		size_t at = n - cursor_left(&c);
		uint16_t type = cursor_u16(&c);
		uint16_t len = cursor_u16(&c);

		must(len % 4 == 0 && len <= cursor_left(&c));
		if (type != 0x8028) {
			must(cursor_take(&c, len) != NULL);
			continue;
		}
		must(cursor_u32(&c) == stun_fingerprint(p, at));
		must(!cursor_left(&c));
	}
}

static void try_from(const char *source, const uint8_t *p, size_t n)
{
	char mem[1024];
	struct addr a;
	struct buf b;
	const uint8_t *out = (const uint8_t *)mem;

	must(!addr_parse_port(&a, source));
	buf_init(&b, mem, sizeof(mem));
	if (stun_answer(&b, p, n, &a))
		return;
	must(stun_is_request(p, n));
	must(stun_is_message(out, b.n) && !stun_is_request(out, b.n));
	must(b.n * 2 <= n * 5);
	must(!memcmp(out + 4, p + 4, 16));
	must(out[0] == 1 && (out[1] == 0x01 || out[1] == 0x11));
	check_attributes(out, b.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_from("192.0.2.1:32853", data, size);
	try_from("[2001:db8::1]:5060", data, size);
	return 0;
}
