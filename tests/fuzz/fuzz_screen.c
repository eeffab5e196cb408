/*
 * fuzz_screen.c - any bytes as a datagram: shape, answer, budgets
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/limits.h"
#include "screen/screen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

/* Behind empty lines, up to the empty line: no zero byte and no lone CR. */
static void check_passed(const uint8_t *p, size_t n)
{
	const uint8_t *end = p + n, *c = p;

	must(n >= 20 && n <= LIMIT_MESSAGE_BYTES);
	while (c < end && (*c == '\r' || *c == '\n'))
		c++;
	for (; c < end && !(c[0] == '\n' && c[-1] == '\n'); c++) {
		must(*c);
		if (*c != '\r')
			continue;
		must(c + 1 < end && c[1] == '\n');
		if (c[-1] == '\n')
			return;
	}
	must(c < end);
}

/* Headers end once, no line of it is folded, no control bytes. */
static void check_answer(struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		must(c >= 0x20 || c == '\r' || c == '\n');
		must((c == '\r') == (i + 1 < text.n && text.p[i + 1] == '\n'));
	}
	must(text.n > 4 && !memcmp(text.p + text.n - 4, "\r\n\r\n", 4));
	must((const char *)memmem(text.p, text.n, "\r\n\r\n", 4) ==
	     text.p + text.n - 4);
}

static void try_answer(enum screen_verdict verdict, const uint8_t *p, size_t n,
		       const struct addr *source)
{
	static char mem[LIMIT_MESSAGE_BYTES + 512];
	struct buf out;

	buf_init(&out, mem, sizeof(mem));
	if (screen_answer(&out, verdict, p, n, source))
		return;
	must(out.n <= n + 300);
	if (verdict == SCREEN_STUN)
		return; /* fuzz_stun's */
	check_answer(buf_str(&out));
	must(screen_shape((const uint8_t *)mem, out.n) != SCREEN_KEEPALIVE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct screen *screen;
	static mono_ms now = 1;
	const struct screen_conf conf = {.rate = 5, .sources = 64};
	enum screen_verdict shape, verdict;
	struct addr source;

	if (!screen)
		must(screen_create(&screen, &conf) == 0);
	/* A few sources that the input chooses. */
	addr_parse(&source, "192.0.2.1", 9, 5060);
	source.in.sin_addr.s_addr ^= size ? data[size - 1] : 0;
	if (size && data[size - 1] == 7)
		screen_promote(screen, &source, SCREEN_REGISTERED, now + 9);

	shape = screen_shape(data, size);
	must(shape < SCREEN_VERDICTS && shape != SCREEN_RATE);
	if (shape == SCREEN_PASS)
		check_passed(data, size);
	for (int v = 0; v < SCREEN_VERDICTS; v++)
		try_answer((enum screen_verdict)v, data, size, &source);
	verdict = screen_datagram(screen, data, size, &source, now++);
	must(verdict == shape || verdict == SCREEN_RATE);
	return 0;
}
