/*
 * fuzz_emulator.c - packets and SIP messages through the NAT emulator
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first four bytes choose ALG patterns and the kind of NAT; the rest is a
 * packet, or the text of a message in one.
 */
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "nat-emulator/translate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct nat nat;

/* UDP from the phone to the box with @text. */
static void wrap(struct packet *p, const uint8_t *text, size_t n)
{
	static const uint8_t head[28] = {
		0x45, 0,           0,   0,  0,    0,    0,    0,
		64,   IPPROTO_UDP, 0,   0,  192,  168,  1,    50,
		203,  0,           113, 10, 0x13, 0xc4, 0x13, 0xc4,
	};
	size_t total;

	if (n > sizeof(p->bytes) - sizeof(head))
		n = sizeof(p->bytes) - sizeof(head);
	total = n + sizeof(head);
	memcpy(p->bytes, head, sizeof(head));
	memcpy(p->bytes + sizeof(head), text, n);
	p->bytes[2] = (uint8_t)(total >> 8);
	p->bytes[3] = (uint8_t)total;
	p->bytes[24] = (uint8_t)((total - 20) >> 8);
	p->bytes[25] = (uint8_t)(total - 20);
	p->len = total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct settings set;
	struct packet p;

	if (n < 4)
		return 0;
	settings_init(&set);
	set.outside = 0xcb007115;
	set.alg = (uint32_t)data[0] << 8 | data[1];
	set.ports = data[2] % 3;
	set.mapping = data[2] / 3 % 3;
	set.hairpin = data[2] & 128;
	nat_init(&nat, &set);
	wrap(&p, data + 4, n - 4);
	if (data[3] & 1) {
		nat_translate(&nat, INSIDE, &p, 1);
		/* And what became of it comes back in, turned round. */
		memcpy(p.bytes + 12, (uint8_t[]){203, 0, 113, 10}, 4);
		memcpy(p.bytes + 16, (uint8_t[]){203, 0, 113, 21}, 4);
		memcpy(p.bytes + 22, p.bytes + 20, 2);
		memcpy(p.bytes + 20, (uint8_t[]){0x13, 0xc4}, 2);
		nat_translate(&nat, OUTSIDE, &p, 2);
		return 0;
	}
	p.len = n - 4 < sizeof(p.bytes) ? n - 4 : sizeof(p.bytes);
	memcpy(p.bytes, data + 4, p.len);
	nat_translate(&nat, data[3] & 2 ? OUTSIDE : INSIDE, &p, 1);
	return 0;
}
