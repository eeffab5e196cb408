/*
 * cli_trunks.c - trunks, and one trunk with its hosts, on the terminal
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Times are those of the reader's zone.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "core/when.h"
#include "sbc.h"

enum { CELL = 64 };

static const char *rtt(const json_t *object, char out[CELL])
{
	if (json_is_integer(json_object_get(object, "rtt_ms")))
		snprintf(out, CELL, "%lld ms", cli_int(object, "rtt_ms"));
	else
		snprintf(out, CELL, "-");
	return out;
}

static const char *registration(const json_t *trunk, char out[CELL])
{
	const char *until =
		json_string_value(json_object_get(trunk, "registered_until"));
	struct buf b;
	wall_ms t;

	buf_init(&b, out, CELL);
	if (!json_is_true(json_object_get(trunk, "registers"))) {
		buf_puts(&b, "-");
	} else if (!until || when_parse_rfc3339(&t, str_of(until))) {
		buf_puts(&b, "NO");
	} else {
		buf_puts(&b, "until ");
		when_put(&b, t, clock_wall());
	}
	return out;
}

int cli_print_trunks(const json_t *body)
{
	const json_t *list = json_object_get(body, "trunks"), *item;
	char until[CELL], ms[CELL];
	size_t i;

	if (!json_array_size(list)) {
		printf("There is no trunk in the configuration.\n");
		return EXIT_OK;
	}
	printf("%-16s %-12s %-12s %-18s %8s %5s  %s\n", "TRUNK", "REALM",
	       "STATE", "REGISTERED", "RTT", "CALLS", "REASON");
	json_array_foreach(list, i, item)
		printf("%-16s %-12s %-12s %-18s %8s %5lld  %s\n",
		       cli_text(item, "name"), cli_text(item, "realm"),
		       cli_text(item, "state"), registration(item, until),
		       rtt(item, ms), cli_int(item, "calls"),
		       cli_text(item, "reason"));
	return EXIT_OK;
}

static bool is_text(const json_t *object, const char *key)
{
	return json_is_string(json_object_get(object, key));
}

int cli_print_trunk(const json_t *body)
{
	const json_t *list = json_object_get(body, "hosts"), *host;
	char cell[CELL];
	size_t i;

	printf("%s (%s) is %s\n", cli_text(body, "name"),
	       cli_text(body, "realm"), cli_text(body, "state"));
	if (is_text(body, "reason"))
		printf("  %-11s %s\n", "reason", cli_text(body, "reason"));
	printf("  %-11s %s\n", "registered", registration(body, cell));
	printf("  %-11s %lld\n", "calls", cli_int(body, "calls"));
	if (!json_array_size(list))
		printf("  no host is known\n");
	json_array_foreach(list, i, host)
	{
		printf("  %-11s %s %s  %s, %s  priority %lld, weight %lld\n",
		       i ? "" : "hosts", cli_text(host, "transport"),
		       cli_text(host, "address"), cli_text(host, "state"),
		       rtt(host, cell), cli_int(host, "priority"),
		       cli_int(host, "weight"));
		if (is_text(host, "reason"))
			printf("  %-11s   %s\n", "", cli_text(host, "reason"));
	}
	return EXIT_OK;
}
