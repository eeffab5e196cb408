/*
 * fuzz_ping.c - any bytes as an answer to a ping, and any text as its target
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte says which; of a target what is written must be one message
 * with the headers that we meant, and its own answer must be known again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sip/ping.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void try_answer(const uint8_t *p, size_t n)
{
	uint64_t token;
	int status;

	if (!ping_answer(p, n, &token, &status))
		return;
	must(status >= 100 && status <= 699);
	must(n > 50 && !memcmp(p, "SIP/2.0 ", 8));
}

static void try_target(const uint8_t *data, size_t size)
{
	const uint64_t token = UINT64_C(0xfedcba9876543210);
	char target[512], text[PING_BYTES], answer[PING_BYTES + 32];
	struct sip_ping ping = {token, target, target, NULL};
	struct sip_flow flow = {.transport = SIP_UDP};
	struct str left, line;
	unsigned lines = 0;
	struct buf b;
	uint64_t got;
	int n, status;

	if (size >= sizeof(target))
		return;
	memcpy(target, data, size);
	target[size] = '\0';
	must(!addr_parse_port(&flow.local, "192.0.2.1:5060") &&
	     !addr_parse_port(&flow.remote, "192.0.2.2:5060"));
	buf_init(&b, text, sizeof(text));
	if (ping_write(&b, &flow, &ping))
		return;
	left = buf_str(&b);
	while (str_line(&left, &line) && line.n)
		lines++;
	must(lines == 11 && !left.n && !line.n);
	/* Its own Via behind a status line. */
	n = snprintf(answer, sizeof(answer), "SIP/2.0 200 OK\r\n%s",
		     strstr(text, "\r\n") + 2);
	must(ping_answer((const uint8_t *)answer, (size_t)n, &got, &status));
	must(got == token && status == 200);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & 1)
		try_answer(data + 1, size - 1);
	else
		try_target(data + 1, size - 1);
	return 0;
}
