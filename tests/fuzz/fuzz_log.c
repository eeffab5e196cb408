/*
 * fuzz_log.c - log lines that carry a stranger's bytes
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The input is cut at each 0xff into values.  A text line must stay one line
 * of printable bytes; a JSON line must be JSON that gives back each value
 * which was UTF-8 and not cut.
 */
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

enum { VALUES = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const keys[VALUES] = {"a", "b", "c", "d"};

static void check_text(void *arg, const char *line)
{
	size_t n = strlen(line);

	if (!n || n >= 2048)
		abort();
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			abort();
}

static bool is_utf8(struct str s)
{
	json_t *text = json_stringn(s.p ? s.p : "", s.n);

	json_decref(text);
	return text;
}

static bool has_c1(struct str s)
{
	for (size_t i = 0; i + 1 < s.n; i++)
		if ((unsigned char)s.p[i] == 0xc2 &&
		    (unsigned char)s.p[i + 1] < 0xa0)
			return true;
	return false;
}

static void check_json(void *arg, const char *line)
{
	const struct log_kv *kv = arg;
	json_t *json =
		json_loads(line, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

	if (!json)
		abort();
	for (; kv->kind == LOG_KV_STR; kv++) {
		json_t *got = json_object_get(json, kv->key);
		const char *text = json_string_value(got);

		/* An escaped C1 control is U+0080.. per byte: not the same. */
		if (strlen(line) > 1900 || !is_utf8(kv->s) || has_c1(kv->s))
			continue;
		if (json_string_length(got) != kv->s.n ||
		    (kv->s.n && memcmp(text, kv->s.p, kv->s.n)))
			abort();
	}
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = {(const char *)data, size};
	struct log_kv kv[VALUES + 1] = {0};
	struct log_kv *list = kv;

	for (size_t i = 0; i < VALUES && rest.p; i++)
		kv[i] = kv_str(keys[i], str_cut(&rest, (char)0xff));
	log_setup(LOG_INFO, LOG_TEXT);
	log_capture(check_text, NULL);
	log_event(LOG_INFO, "fuzz.text", list);
	log_setup(LOG_INFO, LOG_JSON);
	log_capture(check_json, list);
	log_event(LOG_INFO, "fuzz.json", list);
	log_capture(NULL, NULL);
	return 0;
}
