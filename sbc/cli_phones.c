/*
 * cli_phones.c - phones, one phone and its past on the terminal
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

enum { WORDS = 1024 }; /* one cell or sentence */

static bool is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static bool has(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return value && !json_is_null(value);
}

/* 0 = none. */
static wall_ms time_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	wall_ms t;

	if (!text || when_parse_rfc3339(&t, str_of(text)))
		return 0;
	return t;
}

/* Shortened for today; "-" for none. */
static const char *fmt_time(char out[WORDS], wall_ms t, wall_ms day)
{
	struct buf b;

	buf_init(&b, out, WORDS);
	if (t)
		when_put(&b, t, day);
	else
		buf_puts(&b, "-");
	return out;
}

/* ---- sbc phones ------------------------------------------------------------------ */

static const char *nat_word(const json_t *nat)
{
	bool has_alg = strcmp(cli_text(nat, "alg"), "none") != 0;

	if (!json_is_object(nat))
		return "?";
	if (is_true(nat, "behind"))
		return has_alg ? "NAT+ALG" : "NAT";
	return has_alg ? "ALG" : "no";
}

/* Can it be reached now, as far as pings tell? */
static const char *reach_word(const json_t *nat, char out[WORDS])
{
	if (is_true(nat, "lost"))
		return "LOST";
	if (has(nat, "rtt_ms"))
		snprintf(out, WORDS, "%.1f ms", number(nat, "rtt_ms"));
	else
		snprintf(out, WORDS, "%s",
			 has(nat, "method") ? "kept open" : "-");
	return out;
}

int cli_print_phones(const json_t *body)
{
	const json_t *list = json_object_get(body, "phones"), *item;
	char reach[WORDS];
	size_t i;

	if (!json_array_size(list)) {
		printf("No phone has registered yet.\n");
		return EXIT_OK;
	}
	printf("%-24s %-4s %-24s %8s  %-7s %-9s  %s\n", "PHONE", "VIA",
	       "SEEN FROM", "EXPIRES", "NAT", "REACH", "CONTACT");
	json_array_foreach(list, i, item)
	{
		const json_t *nat = json_object_get(item, "nat");

		printf("%-24s %-4s %-24s %6lld s  %-7s %-9s  %s\n",
		       cli_text(item, "aor"), cli_text(item, "transport"),
		       cli_text(item, "source"), cli_int(item, "expires_s"),
		       nat_word(nat), reach_word(nat, reach),
		       cli_text(item, "contact"));
	}
	return EXIT_OK;
}

/* ---- sbc phones show ------------------------------------------------------------- */

static void row(const char *name, const char *text)
{
	printf("  %-11s %s\n", name, text);
}

static void print_evidence(const json_t *nat)
{
	const json_t *list = json_object_get(nat, "evidence"), *item;
	char words[WORDS];
	struct buf b;
	size_t i;

	buf_init(&b, words, sizeof(words));
	json_array_foreach(list, i, item)
		buf_printf(&b, "%s%s", i ? ", " : "", json_string_value(item));
	if (i)
		row("evidence", words);
}

static void print_kind(const json_t *nat)
{
	const char *kind = cli_text(nat, "kind");
	bool is_known = strcmp(kind, "unknown") != 0;
	char words[WORDS];
	struct buf b;

	if (!is_known && !is_true(nat, "behind") && !has(nat, "floor_s") &&
	    !has(nat, "ceiling_s"))
		return;
	buf_init(&b, words, sizeof(words));
	buf_puts(&b, is_known ? kind : "of unknown kind");
	if (has(nat, "lifetime_s"))
		buf_printf(&b, "; forgets after about %lld s of silence",
			   cli_int(nat, "lifetime_s"));
	if (has(nat, "floor_s"))
		buf_printf(&b, "; survived %lld s", cli_int(nat, "floor_s"));
	if (has(nat, "ceiling_s"))
		buf_printf(&b, "; did not survive %lld s",
			   cli_int(nat, "ceiling_s"));
	if (is_true(nat, "inbound_holds"))
		buf_puts(&b, "; held open by our packets alone");
	row("NAT", words);
}

static void print_keep(const json_t *nat)
{
	bool asks = !strcmp(cli_text(nat, "method"), "options");
	char words[WORDS];
	struct buf b;

	if (!has(nat, "method")) {
		row("keepalive", "none");
		return;
	}
	buf_init(&b, words, sizeof(words));
	buf_printf(&b, "%s every %.1f s, next in %.1f s; sent %lld",
		   asks ? "OPTIONS" : "CR LF CR LF", number(nat, "interval_s"),
		   number(nat, "next_s"), cli_int(nat, "sent"));
	if (asks || cli_int(nat, "answered"))
		buf_printf(&b, ", answered %lld", cli_int(nat, "answered"));
	row("keepalive", words);
}

static void print_rtts(const json_t *nat)
{
	const json_t *list = json_object_get(nat, "rtts_ms"), *item;
	char words[WORDS];
	struct buf b;
	size_t i;

	if (!has(nat, "rtt_ms"))
		return;
	buf_init(&b, words, sizeof(words));
	buf_printf(&b, "min %.1f, mean %.1f, max %.1f ms; last",
		   number(nat, "rtt_min_ms"), number(nat, "rtt_avg_ms"),
		   number(nat, "rtt_max_ms"));
	json_array_foreach(list, i, item)
		buf_printf(&b, " %.1f", json_number_value(item));
	row("round trip", words);
}

static void print_reach(const json_t *nat, wall_ms now)
{
	wall_ms heard = time_at(nat, "last_heard");
	char words[WORDS], at[WORDS];
	struct buf b;

	buf_init(&b, words, sizeof(words));
	if (is_true(nat, "lost")) {
		buf_puts(&b, "LOST");
		if (has(nat, "lost_since"))
			buf_printf(
				&b, " since %s",
				fmt_time(at, time_at(nat, "lost_since"), now));
	} else if (has(nat, "method")) {
		buf_puts(&b, "yes");
	} else {
		buf_puts(&b, "not known, as nothing keeps it open");
	}
	if (heard)
		buf_printf(&b, "; last heard at %s, %lld s ago",
			   fmt_time(at, heard, now),
			   (long long)((now - heard) / 1000));
	row("reachable", words);
}

static void print_nat(const json_t *nat, wall_ms now)
{
	if (!json_is_object(nat)) {
		row("verdict", "not judged yet");
		return;
	}
	print_reach(nat, now);
	row("verdict", cli_text(nat, "reason"));
	print_evidence(nat);
	print_kind(nat);
	print_keep(nat);
	print_rtts(nat);
}

static void print_binding(const json_t *b, wall_ms now)
{
	char words[WORDS], at[WORDS];

	printf("%s  registered %s, expires in %lld s\n", cli_text(b, "aor"),
	       fmt_time(at, time_at(b, "registered_at"), now),
	       cli_int(b, "expires_s"));
	row("contact", cli_text(b, "contact"));
	snprintf(words, sizeof(words), "%s by %s, at our %s",
		 cli_text(b, "source"), cli_text(b, "transport"),
		 cli_text(b, "local"));
	row("seen from", words);
	if (has(b, "reached_at") &&
	    strcmp(cli_text(b, "reached_at"), cli_text(b, "source")))
		row("reached at", cli_text(b, "reached_at"));
	if (has(b, "user_agent"))
		row("phone", cli_text(b, "user_agent"));
	print_nat(json_object_get(b, "nat"), now);
}

int cli_print_phone(const json_t *body)
{
	const json_t *list = json_object_get(body, "bindings"), *item;
	wall_ms now = clock_wall();
	size_t i;

	if (!json_array_size(list))
		printf("%s is not registered; see sbc phones history %s\n",
		       cli_text(body, "phone"), cli_text(body, "phone"));
	json_array_foreach(list, i, item)
	{
		if (i)
			putchar('\n');
		print_binding(item, now);
	}
	return EXIT_OK;
}

/* ---- sbc phones history ---------------------------------------------------------- */

static void copy(char *out, size_t size, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(out, size, "%s", text ? text : "");
}

static void addr_at(struct addr *out, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (text)
		addr_parse_port(out, text);
}

/* What reach_json() wrote; a verdict that a newer box knows is unknown. */
static void read_reach(struct reach *r, const json_t *body)
{
	const json_t *a = json_object_get(body, "answer");

	*r = (struct reach){
		.verdict = REACH_UNKNOWN,
		.why = REACH_UNTOLD,
		.since = time_at(a, "since"),
		.heard_before = time_at(a, "heard_before"),
		.heard_after = time_at(a, "heard_after"),
		.found = time_at(a, "found"),
		.back = time_at(a, "back"),
		.begins = time_at(body, "history_begins"),
	};
	reach_verdict_of(&r->verdict, cli_text(a, "reachable"));
	reach_why_of(&r->why, cli_text(a, "why"));
	copy(r->event, sizeof(r->event), a, "event");
	copy(r->cause, sizeof(r->cause), a, "cause");
	addr_at(&r->source, a, "source");
	addr_at(&r->elsewhere, a, "elsewhere");
}

int cli_exit_code(const json_t *body)
{
	struct reach r;

	if (!has(body, "answer"))
		return EXIT_OK;
	read_reach(&r, body);
	switch (r.verdict) {
	case REACH_YES:
	case REACH_PROBABLY:
		return EXIT_OK;
	case REACH_UNKNOWN:
		return EXIT_UNKNOWN;
	default:
		return EXIT_NO;
	}
}

static void put_time(void *arg, struct buf *out, wall_ms t)
{
	const wall_ms *day = arg;

	when_put(out, t, *day);
}

static void print_answer(const json_t *body)
{
	wall_ms at = time_at(body, "at");
	char words[WORDS];
	struct reach r;
	struct buf b;

	read_reach(&r, body);
	buf_init(&b, words, sizeof(words));
	reach_say(&b, &r, put_time, &at);
	printf("%s\n\n", words);
}

/* "12 pings, 3 unanswered, 21.4 22.0 ms" */
static const char *pings_word(const json_t *item, char out[WORDS])
{
	const json_t *rtts = json_object_get(item, "rtts_ms"), *rtt;
	struct buf b;
	size_t i;

	buf_init(&b, out, WORDS);
	if (cli_int(item, "pings"))
		buf_printf(&b, "%lld ping%s", cli_int(item, "pings"),
			   cli_int(item, "pings") == 1 ? "" : "s");
	if (cli_int(item, "unanswered"))
		buf_printf(&b, ", %lld unanswered",
			   cli_int(item, "unanswered"));
	json_array_foreach(rtts, i, rtt) buf_printf(&b, "%s%.1f",
						    i     ? " "
						    : b.n ? "; "
							  : "",
						    json_number_value(rtt));
	if (i)
		buf_puts(&b, " ms");
	return out;
}

static void print_row(const json_t *item, const char **reason)
{
	const char *why = cli_text(item, "reason");
	char at[WORDS], heard[WORDS], pings[WORDS], event[WORDS];

	snprintf(event, sizeof(event), "%s%s%s%s", cli_text(item, "event"),
		 has(item, "cause") ? " (" : "",
		 has(item, "cause") ? cli_text(item, "cause") : "",
		 has(item, "cause") ? ")" : "");
	printf("%-20s %-22s %-4s %-24s %-20s %s\n",
	       fmt_time(at, time_at(item, "at"), 0), event,
	       cli_text(item, "transport"), cli_text(item, "source"),
	       fmt_time(heard, time_at(item, "proved_at"), 0),
	       pings_word(item, pings));
	if (has(item, "reason") && (!*reason || strcmp(*reason, why)))
		printf("%-20s   %s\n", "", why);
	*reason = why;
}

int cli_print_history(const json_t *body)
{
	const json_t *rows = json_object_get(body, "rows"), *item;
	const char *reason = NULL;
	char begins[WORDS];
	size_t i;

	if (has(body, "answer"))
		print_answer(body);
	if (is_true(body, "truncated"))
		printf("Only the last %zu rows are shown; see --from and "
		       "--to.\n",
		       json_array_size(rows));
	if (json_array_size(rows))
		printf("%-20s %-22s %-4s %-24s %-20s %s\n", "TIME", "EVENT",
		       "VIA", "FLOW", "LAST HEARD BEFORE", "PINGS UNTIL THEN");
	else if (!has(body, "answer") && has(body, "history_begins"))
		printf("Nothing of %s; the history of all phones begins at "
		       "%s.\n",
		       cli_text(body, "phone"),
		       fmt_time(begins, time_at(body, "history_begins"), 0));
	else if (!has(body, "answer"))
		printf("Nothing of %s; the history is empty yet.\n",
		       cli_text(body, "phone"));
	json_array_foreach(rows, i, item) print_row(item, &reason);
	return cli_exit_code(body);
}
