/*
 * csv.c - call detail records as lines of CSV (RFC 4180)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "cdr/cdr.h"

static const struct {
	const char *title;
	const char *object, *key; /* @object NULL = at the top */
} columns[] = {
	{"id", NULL, "id"},
	{"started_at", NULL, "started_at"},
	{"ringing_at", NULL, "ringing_at"},
	{"answered_at", NULL, "answered_at"},
	{"ended_at", NULL, "ended_at"},
	{"duration_ms", NULL, "duration_ms"},
	{"pdd_ms", NULL, "pdd_ms"},
	{"from_received", "from", "received"},
	{"from_sent", "from", "sent"},
	{"to_received", "to", "received"},
	{"to_sent", "to", "sent"},
	{"a_realm", "a", "realm"},
	{"a_peer", "a", "peer"},
	{"a_kind", "a", "kind"},
	{"a_transport", "a", "transport"},
	{"a_source", "a", "source"},
	{"a_call_id", "a", "call_id"},
	{"b_realm", "b", "realm"},
	{"b_peer", "b", "peer"},
	{"b_kind", "b", "kind"},
	{"b_transport", "b", "transport"},
	{"b_source", "b", "source"},
	{"b_call_id", "b", "call_id"},
	{"status", NULL, "status"},
	{"q850", NULL, "q850"},
	{"cause", NULL, "cause"},
	{"ended_by", NULL, "ended_by"},
	{"emergency", NULL, "emergency"},
	{"reason", NULL, "reason"},
};

enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

/* Calls reach us with whatever names callers like: no cell may become a
 * formula on the admin's machine.  Numbers dialled with + are no formula. */
static bool is_formula(const char *text)
{
	if (text[0] == '+' || text[0] == '-')
		return strspn(text + 1, "0123456789") != strlen(text + 1);
	return text[0] && strchr("=@\t\r", text[0]);
}

/* How many bytes at @p a terminal would obey: C0, DEL, or C1 in UTF-8. */
static size_t control_bytes(const char *p)
{
	unsigned char c = (unsigned char)p[0], next = (unsigned char)p[1];

	if (c == 0xc2 && next >= 0x80 && next < 0xa0)
		return 2;
	return (c < 0x20 && !strchr("\t\r\n", c)) || c == 0x7f;
}

static void put_text(struct buf *out, const char *text)
{
	bool quoted = strpbrk(text, ",\"\r\n") != NULL;

	if (quoted)
		buf_puts(out, "\"");
	if (is_formula(text))
		buf_puts(out, "'");
	for (; *text; text++) {
		size_t n = control_bytes(text);

		if (*text == '"')
			buf_puts(out, "\"");
		buf_put(out, n ? "?" : text, 1);
		text += n > 1;
	}
	if (quoted)
		buf_puts(out, "\"");
}

static void put_cell(struct buf *out, const json_t *v)
{
	if (json_is_string(v))
		put_text(out, json_string_value(v));
	else if (json_is_integer(v))
		buf_printf(out, "%lld", (long long)json_integer_value(v));
	else if (json_is_boolean(v))
		buf_puts(out, json_is_true(v) ? "1" : "0");
}

void cdr_csv_header(struct buf *out)
{
	for (unsigned i = 0; i < COLUMNS; i++)
		buf_printf(out, "%s%s", i ? "," : "", columns[i].title);
	buf_puts(out, "\r\n");
}

void cdr_csv_row(struct buf *out, const json_t *record)
{
	for (unsigned i = 0; i < COLUMNS; i++) {
		const json_t *in =
			columns[i].object
				? json_object_get(record, columns[i].object)
				: record;

		if (i)
			buf_puts(out, ",");
		put_cell(out, json_object_get(in, columns[i].key));
	}
	buf_puts(out, "\r\n");
}
