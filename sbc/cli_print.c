/*
 * cli_print.c - status and calls as tables
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "sbc.h"

const char *cli_text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "-";
}

static void tame_text(json_t *value)
{
	char *text = strdup(json_string_value(value)), *to = text;

	if (!text)
		return;
	for (const unsigned char *p = (unsigned char *)text; *p; p++) {
		bool is_c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

		*to++ = (char)(*p < ' ' || *p == 0x7f || is_c1 ? '?' : *p);
		p += is_c1;
	}
	*to = 0;
	json_string_set(value, text);
	free(text);
}

void cli_tame(json_t *body)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_string(body))
		tame_text(body);
	json_array_foreach(body, i, item) cli_tame(item);
	json_object_foreach(body, key, item) cli_tame(item);
}

long long cli_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* ---- tables ------------------------------------------------------------------- */

static void print_keepalive(const json_t *k)
{
	printf("%lld flows kept open (%lld registered, %lld in dialogs, %lld "
	       "subscribed), %lld lost\n",
	       cli_int(k, "flows"), cli_int(k, "registered"),
	       cli_int(k, "dialog"), cli_int(k, "subscribed"),
	       cli_int(k, "lost"));
}

int cli_print_status(const json_t *body)
{
	const json_t *item;
	size_t i;

	printf("sbc %s, pid %lld, up %lld s: %s\n", cli_text(body, "version"),
	       cli_int(body, "pid"), cli_int(body, "uptime_s"),
	       json_is_true(json_object_get(body, "ready")) ? "ready"
							    : "starting");
	printf("%lld calls, %lld bindings, %lld subscriptions, store %s\n",
	       cli_int(body, "calls"), cli_int(body, "bindings"),
	       cli_int(body, "subscriptions"),
	       cli_text(json_object_get(body, "store"), "state"));
	print_keepalive(json_object_get(body, "keepalive"));
	json_array_foreach(json_object_get(body, "listeners"), i, item) printf(
		"  %-12s %-4s %s port %lld%s\n", cli_text(item, "realm"),
		cli_text(item, "transport"), cli_text(item, "address"),
		cli_int(item, "port"),
		json_is_true(json_object_get(item, "up")) ? "" : " (down)");
	json_array_foreach(json_object_get(body, "alarms"), i, item)
		printf("ALARM %s %s since %s: %s\n", cli_text(item, "severity"),
		       cli_text(item, "name"), cli_text(item, "since"),
		       cli_text(item, "text"));
	return EXIT_OK;
}

static void print_media(const json_t *media)
{
	const json_t *in = json_object_get(media, "in");
	const json_t *out = json_object_get(media, "out");

	printf("      %s %s  %s <-> %s%s  in %lld (lost %lld) out %lld%s\n",
	       cli_text(media, "type"), cli_text(media, "codec"),
	       cli_text(media, "local"), cli_text(media, "remote"),
	       json_is_true(json_object_get(media, "latched")) ? " latched"
							       : "",
	       cli_int(in, "packets"), cli_int(in, "lost"),
	       cli_int(out, "packets"),
	       cli_int(media, "refused") ? "  REFUSED: nobody listens there"
					 : "");
}

int cli_print_calls(const json_t *body)
{
	const json_t *list = json_object_get(body, "calls"), *call, *leg, *m;
	size_t i, k, n;

	if (!json_array_size(list)) {
		printf("No calls.\n");
		return EXIT_OK;
	}
	json_array_foreach(list, i, call)
	{
		printf("%s  %s -> %s  %s since %s\n", cli_text(call, "id"),
		       cli_text(call, "from"), cli_text(call, "to"),
		       cli_text(call, "state"), cli_text(call, "started_at"));
		json_array_foreach(json_object_get(call, "legs"), k, leg)
		{
			printf("  %s %s (%s) %s %s  %s\n",
			       cli_text(leg, "side"), cli_text(leg, "peer"),
			       cli_text(leg, "realm"),
			       cli_text(leg, "transport"),
			       cli_text(leg, "flow"), cli_text(leg, "state"));
			json_array_foreach(json_object_get(leg, "media"), n, m)
				print_media(m);
		}
	}
	return EXIT_OK;
}

int cli_print_nothing(const json_t *body)
{
	return EXIT_OK;
}
