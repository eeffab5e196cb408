/*
 * control.c - words that change the emulated NAT while it runs
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "control.h"

#include <arpa/inet.h>
#include <string.h>

static void put_endpoint(struct buf *out, const char *key, struct endpoint e)
{
	buf_printf(out, "\"%s\": \"%u.%u.%u.%u:%u\"", key, e.ip >> 24,
		   e.ip >> 16 & 255, e.ip >> 8 & 255, e.ip & 255, e.port);
}

static void put_sessions(struct buf *out, const struct mapping *m, mono_ms now)
{
	const char *comma = "";

	buf_puts(out, ", \"sessions\": [");
	for (int i = 0; i < SESSIONS; i++) {
		const struct session *s = &m->sessions[i];

		if (s->until <= now)
			continue;
		buf_printf(out, "%s{", comma);
		put_endpoint(out, "peer", s->peer);
		buf_printf(out, ", \"ms\": %lld}", (long long)(s->until - now));
		comma = ", ";
	}
	buf_puts(out, "]");
}

static void dump(const struct nat *n, mono_ms now, struct buf *out)
{
	const char *comma = "";

	buf_puts(out, "[");
	for (int i = 0; i < MAPPINGS; i++) {
		const struct mapping *m = &n->table.mappings[i];

		if (!m->proto || m->until <= now)
			continue;
		buf_printf(out, "%s{\"proto\": %u, ", comma, m->proto);
		put_endpoint(out, "inside", m->in);
		buf_puts(out, ", ");
		put_endpoint(out, "outside",
			     (struct endpoint){n->set.outside, m->out_port});
		buf_printf(out, ", \"pinned\": %s, \"ms\": %lld",
			   m->pinned ? "true" : "false",
			   (long long)(m->until - now));
		put_sessions(out, m, now);
		buf_puts(out, "}");
		comma = ", ";
	}
	buf_puts(out, "]");
}

static void stats(const struct nat *n, const struct line *l, struct buf *out)
{
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{"mappings", table_count(&n->table)},
		{"made", n->table.made},
		{"expired", n->table.expired},
		{"refused", n->table.refused},
		{"filtered", n->table.filtered},
		{"unknown", n->table.unknown},
		{"from_inside", n->in[INSIDE]},
		{"from_outside", n->in[OUTSIDE]},
		{"to_inside", n->out[INSIDE]},
		{"to_outside", n->out[OUTSIDE]},
		{"dropped", n->dropped},
		{"rewritten", n->rewritten},
		{"lost", l->lost},
		{"late", l->late},
		{"full", l->full},
	};
	const char *comma = "{";

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		buf_printf(out, "%s\"%s\": %llu", comma, counters[i].name,
			   (unsigned long long)counters[i].value);
		comma = ", ";
	}
	buf_puts(out, "}");
}

void control_answer(struct nat *n, struct line *l, char *line, mono_ms now,
		    struct buf *out)
{
	char *value = strchr(line, ' ');

	if (value)
		*value++ = '\0';
	if (!strcmp(line, "stats")) {
		stats(n, l, out);
	} else if (!strcmp(line, "dump")) {
		table_sweep(&n->table, now);
		dump(n, now, out);
	} else if (!strcmp(line, "reboot")) {
		table_forget(&n->table);
		memset(n->fragmented, 0, sizeof(n->fragmented));
		buf_puts(out, "ok");
	} else if (!strcmp(line, "rebind")) {
		table_rebind(&n->table);
		buf_puts(out, "ok");
	} else if (value && !settings_set(&n->set, line, value)) {
		buf_puts(out, "ok");
	} else {
		buf_puts(out, "error: no such word, or a bad value");
	}
	buf_puts(out, "\n");
}
