/*
 * cli_route.c - "sbc route test": where would this number go, and why?
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Asks a configuration file, not the daemon, so that a change can be tried
 * before it is in force.  The sentences are those of the decision itself.
 */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "route/route.h"
#include "sbc.h"

static const char usage[] =
	"usage: sbc route test NUMBER [--from REALM|PHONE|TRUNK]\n"
	"                      [--calling NUMBER] [--method METHOD]\n"
	"                      [--config FILE] [--json]\n"
	"\n"
	"Tells step by step where a call to NUMBER would go, and why; nothing is\n"
	"sent.  --from says who calls, --calling the number shown.  FILE is\n" CLI_CONFIG
	" when it is not said.\n"
	"\n"
	"  sbc route test 0301234567 --from 100\n";

struct question {
	const char *config, *from, *calling, *method, *number;
	bool as_json;
	json_t *steps; /* with --json, else NULL */
	unsigned n;
};

static void tell(void *arg, const char *sentence)
{
	struct question *q = arg;
	bool is_detail = *sentence == ' ';

	if (q->steps)
		json_array_append_new(
			q->steps,
			json_string(sentence + strspn(sentence, " ")));
	else if (is_detail)
		printf("     %s\n", sentence + strspn(sentence, " "));
	else
		printf("%3u. %s\n", ++q->n, sentence);
}

int cli_load_config(const char *path, struct config **out)
{
	struct conf_errors errs = {0};
	int err = config_load(out, path, &errs);

	for (size_t i = 0; i < errs.n; i++)
		fprintf(stderr, "%s:%u: %s\n", errs.list[i].file,
			errs.list[i].line, errs.list[i].text);
	conf_errors_clear(&errs);
	return err ? EXIT_BAD_CONFIG : EXIT_OK;
}

/* Of the file: the first realm. */
static const char *first_realm(const struct config *cfg)
{
	const struct conf_realm *r;

	config_realms(cfg, &r);
	return r->name;
}

/* A trunk, a phone by name or user, or a realm. */
static int read_from(struct question *q, const struct config *cfg,
		     struct route_ask *ask)
{
	ask->realm = first_realm(cfg);
	if (!q->from)
		return EXIT_OK;
	ask->trunk = config_trunk(cfg, q->from);
	if (!ask->trunk)
		ask->phone = config_phone(cfg, q->from);
	if (!ask->trunk && !ask->phone)
		ask->phone = config_phone_by_user(cfg, NULL, str_of(q->from));
	if (ask->trunk)
		ask->realm = ask->trunk->realm;
	else if (ask->phone && ask->phone->realm[0])
		ask->realm = ask->phone->realm;
	else if (!ask->phone && config_realm(cfg, q->from))
		ask->realm = config_realm(cfg, q->from)->name;
	else if (!ask->phone) {
		fprintf(stderr,
			"sbc: there is no realm, phone or trunk '%s' in %s\n",
			q->from, q->config);
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

static int read_method(const struct question *q, enum conf_method *out)
{
	static const char *const names[] = {
		[CONF_FOR_INVITE] = "INVITE",
		[CONF_FOR_SUBSCRIBE] = "SUBSCRIBE",
		[CONF_FOR_MESSAGE] = "MESSAGE",
		[CONF_FOR_PUBLISH] = "PUBLISH",
		[CONF_FOR_OPTIONS] = "OPTIONS",
	};

	for (unsigned i = 0; i < CONF_METHODS; i++)
		if (!strcmp(names[i], q->method)) {
			*out = (enum conf_method)i;
			return EXIT_OK;
		}
	fprintf(stderr,
		"sbc: --method is INVITE, SUBSCRIBE, MESSAGE, PUBLISH or "
		"OPTIONS, not %s\n",
		q->method);
	return EXIT_USAGE;
}

/* As a phone or trunk would show itself. */
static void choose_calling(const struct question *q, struct route_ask *ask)
{
	const struct conf_phone *p = ask->phone;

	ask->calling = q->calling;
	if (!ask->calling && p)
		ask->calling = p->caller_id[0] ? p->caller_id : p->user;
}

static void tell_question(struct question *q, const struct route_ask *ask)
{
	char text[512], who[128] = "somebody";

	if (ask->trunk)
		snprintf(who, sizeof(who), "trunk '%s'", ask->trunk->name);
	else if (ask->phone)
		snprintf(who, sizeof(who), "phone '%s'", ask->phone->name);
	snprintf(text, sizeof(text),
		 "%s in realm '%s'%s asks for %.127s (%s)%s%.127s.", who,
		 ask->realm, q->from ? "" : " (the first, as no --from says)",
		 ask->called, q->method, ask->calling ? ", calling from " : "",
		 ask->calling ? ask->calling : "");
	if (who[0] == 's')
		text[0] = 'S';
	else
		text[0] = (char)(text[0] - 'a' + 'A');
	tell(q, text);
}

static json_t *result_json(const struct route_result *r, json_t *steps)
{
	json_t *targets = json_array();

	for (unsigned i = 0; i < r->n; i++) {
		const struct route_target *t = &r->targets[i];
		char called[LIMIT_USER_BYTES], calling[LIMIT_USER_BYTES];

		route_numbers_for(r, i, called, calling);
		json_array_append_new(
			targets,
			json_pack("{s:s, s:s, s:s, s:s}", "type",
				  t->trunk ? "trunk" : "phone", "name",
				  t->trunk ? t->trunk->name : t->phone->name,
				  "called", called, "calling", calling));
	}
	return json_pack("{s:b, s:b, s:s?, s:s, s:s, s:o, s:o}", "found",
			 r->kind != ROUTE_NONE, "emergency", r->emergency,
			 "route", r->route ? r->route->name : NULL, "called",
			 r->called, "calling", r->calling, "targets", targets,
			 "steps", steps);
}

static int decide(struct question *q, const struct config *cfg)
{
	const struct route_trace trace = {tell, q};
	struct route_ask ask = {.called = q->number};
	struct route_result result;
	char number[LIMIT_USER_BYTES];
	json_t *body;
	int code = read_from(q, cfg, &ask);

	if (!code)
		code = read_method(q, &ask.method);
	if (code)
		return code;
	if (!route_number_of_tel(q->number, number))
		ask.called = number;
	choose_calling(q, &ask);
	if (q->as_json)
		q->steps = json_array();
	tell_question(q, &ask);
	route_explain(&result, cfg, &ask, &trace);
	if (q->as_json) {
		body = result_json(&result, q->steps);
		json_dumpf(body, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(body);
	}
	if (fflush(stdout))
		return EXIT_FAILED;
	return result.n ? EXIT_OK : EXIT_NOT_FOUND;
}

/* -1: go on. */
static int read_options(struct question *q, int argc, char **argv)
{
	static const struct option options[] = {
		{"from", required_argument, NULL, 'f'},
		{"calling", required_argument, NULL, 'a'},
		{"method", required_argument, NULL, 'm'},
		{"config", required_argument, NULL, 'c'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case 'f':
			q->from = optarg;
			break;
		case 'a':
			q->calling = optarg;
			break;
		case 'm':
			q->method = optarg;
			break;
		case 'c':
			q->config = optarg;
			break;
		case 'j':
			q->as_json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_OK;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	return -1;
}

int cli_route(int argc, char **argv)
{
	struct question q = {.config = CLI_CONFIG, .method = "INVITE"};
	struct config *cfg;
	int code = read_options(&q, argc, argv);

	if (code >= 0)
		return code;
	if (argc - optind != 2 || strcmp(argv[optind], "test")) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	q.number = argv[optind + 1];
	if (!*q.number || strlen(q.number) >= LIMIT_USER_BYTES ||
	    (q.calling && strlen(q.calling) >= LIMIT_USER_BYTES)) {
		fprintf(stderr, "sbc: a number has 1 to %d characters\n",
			LIMIT_USER_BYTES - 1);
		return EXIT_USAGE;
	}
	code = cli_load_config(q.config, &cfg);
	if (code)
		return code;
	code = decide(&q, cfg);
	config_unref(cfg);
	return code;
}
