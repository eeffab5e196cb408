/*
 * cli_cdrs.c - call records on the terminal, as a table, JSON Lines or CSV
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "cdr/cdr.h"
#include "cli.h"
#include "core/when.h"
#include "sbc.h"

static const char *text_in(const json_t *record, const char *object,
			   const char *key)
{
	const json_t *in = json_object_get(record, object);
	const char *text = json_string_value(json_object_get(in, key));

	return text ? text : "-";
}

static const char *fmt_begin(const json_t *record, char out[64])
{
	const char *text =
		json_string_value(json_object_get(record, "started_at"));
	struct buf b;
	wall_ms t;

	buf_init(&b, out, 64);
	if (text && !when_parse_rfc3339(&t, str_of(text)))
		when_put(&b, t, 0);
	return out;
}

/* "7:03", or "-" for a call that nobody answered, or "up". */
static const char *fmt_length(const json_t *record, char out[32])
{
	const json_t *ms = json_object_get(record, "duration_ms");
	long long s = json_integer_value(ms) / 1000;

	if (json_is_null(json_object_get(record, "ended_at")))
		return json_is_null(json_object_get(record, "answered_at"))
			       ? "rings"
			       : "up";
	if (!json_is_integer(ms))
		return "-";
	snprintf(out, 32, "%lld:%02lld", s / 60, s % 60);
	return out;
}

int cli_print_cdrs(const json_t *body)
{
	const json_t *list = json_object_get(body, "cdrs"), *r;
	char begin[64], length[32];
	size_t i;

	if (!json_array_size(list)) {
		printf("No call records.\n");
		return EXIT_OK;
	}
	printf("%-20s %-16s %-12s %-16s %-12s %7s %6s  %s\n", "BEGAN", "CALLER",
	       "FROM", "CALLED", "TO", "LENGTH", "STATUS", "ENDED BY");
	json_array_foreach(list, i, r)
		printf("%-20s %-16s %-12s %-16s %-12s %7s %6lld  %s (%s)\n",
		       fmt_begin(r, begin), text_in(r, "from", "received"),
		       text_in(r, "a", "peer"), text_in(r, "to", "received"),
		       text_in(r, "b", "peer"), fmt_length(r, length),
		       cli_int(r, "status"), cli_text(r, "ended_by"),
		       cli_text(r, "cause"));
	if (json_is_true(json_object_get(body, "truncated")))
		printf("There are more; see --from, --to, --limit, --csv.\n");
	return EXIT_OK;
}

/* ---- whole exports --------------------------------------------------------- */

void cli_csv_begin(void)
{
	char line[1024];
	struct buf b;

	buf_init(&b, line, sizeof(line));
	cdr_csv_header(&b);
	fputs(line, stdout);
}

static void put_csv(const json_t *record)
{
	char line[16384];
	struct buf b;

	buf_init(&b, line, sizeof(line));
	cdr_csv_row(&b, record);
	fputs(line, stdout);
}

static void put_json_line(const json_t *record)
{
	json_dumpf(record, stdout, JSON_COMPACT);
	putchar('\n');
}

bool cli_export_page(const json_t *body, bool as_csv, char *after, size_t size)
{
	const json_t *list = json_object_get(body, "cdrs"), *r;
	size_t i;

	json_array_foreach(list, i, r)
	{
		if (as_csv)
			put_csv(r);
		else
			put_json_line(r);
		snprintf(after, size, "%s", cli_text(r, "id"));
	}
	return i && json_is_true(json_object_get(body, "truncated"));
}
