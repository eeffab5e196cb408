/*
 * dtmf.c - a pressed key in the body of an INFO, read and written
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "leg/dtmf.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static const char symbols[] = "0123456789*#ABCD"; /* RFC 4733 3.2 */

bool dtmf_is_type(const char *content_type)
{
	return content_type &&
	       (!strcasecmp(content_type, "application/dtmf-relay") ||
		!strcasecmp(content_type, "application/dtmf"));
}

/* A symbol, or an event's number: some say 10 for the star. */
static int read_signal(struct str s, uint8_t *out)
{
	uint64_t number;

	if (s.n == 1) {
		char c = s.p[0] >= 'a' && s.p[0] <= 'd' ? s.p[0] - 'a' + 'A'
							: s.p[0];
		const char *at = memchr(symbols, c, sizeof(symbols) - 1);

		if (!at)
			return -EINVAL;
		*out = (uint8_t)(at - symbols);
		return 0;
	}
	if (str_u64(s, sizeof(symbols) - 2, &number))
		return -EINVAL;
	*out = (uint8_t)number;
	return 0;
}

static uint16_t clamp(uint64_t ms)
{
	return ms < DTMF_MIN_MS   ? DTMF_MIN_MS
	       : ms > DTMF_MAX_MS ? DTMF_MAX_MS
				  : (uint16_t)ms;
}

int dtmf_read(struct media_key *out, struct str body)
{
	struct media_key key = {.ms = DTMF_USUAL_MS};
	bool has_signal = false;
	struct str line;
	uint64_t ms;

	while (str_line(&body, &line)) {
		struct str name = str_trim(str_cut(&line, '='));
		struct str value = str_trim(line);

		if (!line.p && !name.n)
			continue;
		if (line.p && str_case_eq_c(name, "Duration")) {
			/* Nonsense is as good as nothing. */
			if (!str_u64(value, UINT32_MAX, &ms))
				key.ms = clamp(ms);
			continue;
		}
		if (line.p && !str_case_eq_c(name, "Signal"))
			continue;
		if (has_signal ||
		    read_signal(line.p ? value : name, &key.event))
			return -EINVAL;
		has_signal = true;
	}
	if (!has_signal)
		return -EINVAL;
	*out = key;
	return 0;
}

struct str dtmf_write(const struct media_key *key, char *mem)
{
	struct buf b;

	buf_init(&b, mem, DTMF_BODY_BYTES);
	buf_printf(&b, "Signal=%c\r\nDuration=%u\r\n",
		   symbols[key->event % (sizeof(symbols) - 1)],
		   (unsigned)key->ms);
	return buf_str(&b);
}
