/*
 * cli_header.c - "sbc header test": what do the header rules make of this
 * message?
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Asks a configuration file, not the daemon.  The rules are those that the box
 * applies, by the same code.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "rule/rule.h"
#include "sbc.h"

static const char usage[] =
	"usage: sbc header test FILE|- [--trunk TRUNK | --realm REALM]\n"
	"                       [--direction in|out] [--config FILE] [--json]\n"
	"\n"
	"Tells what becomes of each header of a SIP request; nothing is sent.\n"
	"It is pasted into FILE from a log; - is standard input.  --trunk or\n"
	"--realm says on which side of the box, --direction whether it comes from\n"
	"there (in) or goes there (out, as when it is not said).\n"
	"\n"
	"  sbc header test invite.txt --trunk provider\n";

struct trial {
	const char *config, *trunk, *realm, *direction, *file;
	bool as_json;
	struct rule_scope scope;
	json_t *lines; /* with --json, else NULL */
};

/* Requests that the table is for. */
static const struct method {
	const char *name;
	enum conf_method conf;
	enum sip_method sip;
} methods[] = {
	{"INVITE", CONF_FOR_INVITE, SIP_INVITE},
	{"SUBSCRIBE", CONF_FOR_SUBSCRIBE, SIP_SUBSCRIBE},
	{"MESSAGE", CONF_FOR_MESSAGE, SIP_MESSAGE},
	{"PUBLISH", CONF_FOR_PUBLISH, SIP_PUBLISH},
	{"OPTIONS", CONF_FOR_OPTIONS, SIP_OPTIONS},
};

static const struct method *find_method(const struct rule_pasted *p)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		if (p->method && !strcmp(p->method, methods[i].name))
			return &methods[i];
	return NULL;
}

static bool crosses(const struct rule_pasted *p, const char *name)
{
	enum sip_method method = find_method(p)->sip;

	return method == SIP_INVITE ? rule_crosses(name)
				    : pass_crosses(name, method);
}

/* ---- what became of a line ---------------------------------------------- */

static void show(struct trial *t, const char *what, const char *name,
		 const char *value, const char *was, const struct conf_rule *by,
		 const char *why)
{
	if (t->lines) {
		json_array_append_new(
			t->lines, json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s}",
					    "what", what, "name", name, "value",
					    value, "was", was, "rule",
					    by ? by->name : NULL, "why", why));
		return;
	}
	printf("%-9s %s: %s\n", what, name, value);
	if (by)
		printf("%-9s    rule '%s' %s\n", "", by->name, why);
	else
		printf("%-9s    %s\n", "", why);
	if (was && strcmp(was, value) != 0)
		printf("%-9s    it was: %s\n", "", was);
}

static void show_line(struct trial *t, const struct rule_lines *l, unsigned i)
{
	const struct rule_line *line = &l->list[i];
	const char *what = "kept", *why = "it crosses by itself";

	if (line->removed) {
		what = "removed";
		why = "removes it";
	} else if (!line->crosses) {
		what = "left";
		why = conf_header_kind(line->name) == CONF_HEADER_IDENTITY
			      ? "it says who calls: what of that crosses is "
				"said by option trust_identity"
			      : "it stays on its side: no rule passes it";
		show(t, what, line->name, line->value, line->was, NULL, why);
		return;
	} else if (!line->was) {
		what = "added";
		why = "adds it";
	} else if (strcmp(line->was, line->value) != 0) {
		what = "replaced";
		why = "replaces its value";
	} else if (line->by) {
		what = "passed";
		why = line->by->action == CONF_RULE_PASS
			      ? "passes it"
			      : "replaces it by the same value";
	}
	show(t, what, line->name, line->value, line->was, line->by, why);
}

/* ---- the trial ---------------------------------------------------------- */

static void tell_subject(const struct trial *t, const struct rule_pasted *p)
{
	bool is_in = t->scope.direction == CONF_IN;

	printf("%s\n", p->start);
	printf("as it %s %s%s%s in realm '%s':\n\n",
	       is_in ? "comes in from" : "goes out to",
	       *t->scope.trunk ? "trunk '" : "a phone", t->scope.trunk,
	       *t->scope.trunk ? "'" : "", t->scope.realm);
}

static int print_json(struct trial *t, const struct rule_pasted *p)
{
	json_t *body = json_pack(
		"{s:s, s:s, s:s, s:s, s:o}", "method", p->method, "direction",
		t->scope.direction == CONF_IN ? "in" : "out", "realm",
		t->scope.realm, "trunk", t->scope.trunk, "lines", t->lines);

	json_dumpf(body, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(body);
	return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

static int try_rules(struct trial *t, const struct config *cfg,
		     const struct rule_pasted *p)
{
	struct rule_lines l = {.n = 0};
	bool fits = true;

	if (t->as_json)
		t->lines = json_array();
	else
		tell_subject(t, p);
	for (unsigned i = 0; i < p->n; i++) {
		const char *name = p->lines[i].name, *value = p->lines[i].value;

		if (conf_header_kind(name) == CONF_HEADER_OWNED)
			show(t, "own", name, value, value, NULL,
			     "the box writes its own on each side");
		else
			fits &= rule_put(&l, name, value, crosses(p, name));
	}
	t->scope.method = find_method(p)->conf;
	rule_apply(&l, cfg, &t->scope);
	for (unsigned i = 0; i < l.n; i++)
		show_line(t, &l, i);
	if (!fits)
		fprintf(stderr,
			"sbc: of more than %d lines the rest is not looked at\n",
			RULE_LINES);
	if (t->as_json)
		return print_json(t, p);
	return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

static int read_scope(struct trial *t, const struct config *cfg)
{
	const struct conf_trunk *trunk = NULL;
	const struct conf_realm *realms;

	config_realms(cfg, &realms);
	if (t->trunk && !(trunk = config_trunk(cfg, t->trunk))) {
		fprintf(stderr, "sbc: there is no trunk '%s' in %s\n", t->trunk,
			t->config);
		return EXIT_USAGE;
	}
	if (t->realm && !config_realm(cfg, t->realm)) {
		fprintf(stderr, "sbc: there is no realm '%s' in %s\n", t->realm,
			t->config);
		return EXIT_USAGE;
	}
	if (strcmp(t->direction, "in") && strcmp(t->direction, "out")) {
		fprintf(stderr, "sbc: --direction is in or out, not %s\n",
			t->direction);
		return EXIT_USAGE;
	}
	t->scope = (struct rule_scope){
		.direction = t->direction[0] == 'i' ? CONF_IN : CONF_OUT,
		.realm = trunk      ? trunk->realm
			 : t->realm ? t->realm
				    : realms[0].name,
		.trunk = trunk ? trunk->name : "",
	};
	return EXIT_OK;
}

/* At most one byte more than a message may have. */
static int read_file(const char *path, char *text, size_t room, size_t *n)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "r") : stdin;

	if (f)
		*n = fread(text, 1, room, f);
	if (!f || ferror(f)) {
		fprintf(stderr, "sbc: %s: %s\n", path, strerror(errno));
		return EXIT_FAILED;
	}
	if (f != stdin)
		fclose(f);
	return EXIT_OK;
}

static int read_message(const char *path, struct rule_pasted **out)
{
	size_t room = LIMIT_MESSAGE_BYTES + 1, n = 0;
	char *text = malloc(room);
	unsigned line = 0;
	int err = 0, code = EXIT_FAILED;

	if (text)
		code = read_file(path, text, room, &n);
	if (!code) {
		err = rule_pasted_read(out, (struct str){text, n}, &line);
		if (err == -EINVAL)
			fprintf(stderr,
				"sbc: %s:%u: this is no line of a SIP "
				"message\n",
				path, line);
		else if (err)
			fprintf(stderr, "sbc: %s: %s\n", path, strerror(-err));
	}
	free(text);
	if (code || err)
		return EXIT_FAILED;
	if (find_method(*out))
		return EXIT_OK;
	fprintf(stderr,
		"sbc: %s: the rules are for INVITE, SUBSCRIBE, MESSAGE, "
		"PUBLISH and OPTIONS requests\n",
		path);
	return EXIT_FAILED;
}

/* -1: go on. */
static int read_options(struct trial *t, int argc, char **argv)
{
	static const struct option options[] = {
		{"trunk", required_argument, NULL, 't'},
		{"realm", required_argument, NULL, 'r'},
		{"direction", required_argument, NULL, 'd'},
		{"config", required_argument, NULL, 'c'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case 't':
			t->trunk = optarg;
			break;
		case 'r':
			t->realm = optarg;
			break;
		case 'd':
			t->direction = optarg;
			break;
		case 'c':
			t->config = optarg;
			break;
		case 'j':
			t->as_json = true;
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

int cli_header(int argc, char **argv)
{
	struct trial t = {.config = CLI_CONFIG, .direction = "out"};
	struct rule_pasted *p = NULL;
	struct config *cfg;
	int code = read_options(&t, argc, argv);

	if (code >= 0)
		return code;
	if (argc - optind != 2 || strcmp(argv[optind], "test") ||
	    (t.trunk && t.realm)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	code = cli_load_config(t.config, &cfg);
	if (code)
		return code;
	code = read_scope(&t, cfg);
	if (!code)
		code = read_message(argv[optind + 1], &p);
	if (!code)
		code = try_rules(&t, cfg, p);
	rule_pasted_free(p);
	config_unref(cfg);
	return code;
}
