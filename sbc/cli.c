/*
 * cli.c - the clients: ask the control socket, print JSON or a table
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli.h"
#include "core/when.h"
#include "sbc.h"

enum {
	ANSWER_S = 10, /* the daemon answers in milliseconds */
	ROWS_SHOWN = 50,
};
#define ROWS_TEXT "50" /* the same, in a path */

/* What the command line asks for. */
struct wish {
	char path[512];
	const char *socket, *data;
	bool as_json;
	const char *at, *from, *to; /* texts of times; NULL = not given */
	const char *who, *limit;    /* of call records */
	bool as_csv, as_lines;
};

/* ---- asking ------------------------------------------------------------------- */

static int open_socket(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct timeval wait = {.tv_sec = ANSWER_S};
	int fd;

	if (strlen(path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(to.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (!connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return fd;
	close(fd);
	return -1;
}

static int not_open(const char *path)
{
	int err = errno;

	fprintf(stderr,
		"sbc: no sbc answers at %s: %s; does it run?  --data DIR "
		"names its data directory\n",
		path, strerror(err));
	errno = err;
	switch (errno) {
	case EACCES:
	case EPERM:
		return EXIT_DENIED;
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		return EXIT_NOT_RUNNING;
	default: /* busy, or no socket at all */
		return EXIT_FAILED;
	}
}

static int ask(const char *socket_path, const char *method, const char *path,
	       json_t **out)
{
	char *line = NULL;
	json_error_t error;
	json_t *request, *reply;
	FILE *f;
	int fd;

	fd = open_socket(socket_path);
	if (fd < 0)
		return not_open(socket_path);
	request = json_pack("{s:s, s:s}", "method", method, "path", path);
	if (request) /* fails when the path is not UTF-8 */
		line = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	f = fdopen(fd, "r");
	if (!f || !line || send(fd, line, strlen(line), MSG_NOSIGNAL) < 0 ||
	    send(fd, "\n", 1, MSG_NOSIGNAL) < 0) {
		fprintf(stderr, "sbc: %s: %s\n", socket_path,
			line ? strerror(errno) : "not UTF-8");
		free(line);
		return EXIT_FAILED;
	}
	free(line);
	reply = json_loadf(f, JSON_DISABLE_EOF_CHECK, &error);
	fclose(f);
	if (!reply) {
		fprintf(stderr, "sbc: the answer was cut off: %s\n",
			error.text);
		return EXIT_FAILED;
	}
	*out = reply;
	return EXIT_OK;
}

static int refusal(long long status, const json_t *body)
{
	fprintf(stderr, "sbc: %s\n", cli_text(body, "title"));
	switch (status) {
	case 400:
		return EXIT_USAGE;
	case 404:
		return EXIT_NOT_FOUND;
	case 409:
		return EXIT_CONFLICT;
	default:
		return EXIT_FAILED;
	}
}

/* ---- commands ------------------------------------------------------------------- */

static int bad_time(const char *option, const char *text)
{
	fprintf(stderr,
		"sbc: --%s %s is no time; write 14:03, \"2026-11-21 14:03\", "
		"2026-11-21T14:03:00Z or now\n",
		option, text);
	return EXIT_USAGE;
}

/* Append "name=TIME" to the path of @w; nothing without @text. */
static int add_time(struct wish *w, const char *name, const char *text)
{
	char when[CLOCK_TEXT_MAX];
	wall_ms t, now = clock_wall();
	size_t n = strlen(w->path);

	if (!text)
		return EXIT_OK;
	if (when_parse(&t, str_of(text), now))
		return bad_time(name, text);
	if (t > now && strcmp(name, "to")) {
		fprintf(stderr, "sbc: --%s %s is in the future\n", name, text);
		return EXIT_USAGE;
	}
	snprintf(w->path + n, sizeof(w->path) - n, "%c%s=%s",
		 strchr(w->path, '?') ? '&' : '?', name, clock_fmt(t, when));
	return EXIT_OK;
}

/* Names of sections; a user or an AOR is looked up as well. */
static bool is_name(const char *name)
{
	return *name && strlen(name) < 256 && !strpbrk(name, "/?&#% \t\r\n");
}

/* "phone" NAME is /phones/NAME. */
static int want_one(struct wish *w, const char *kind, const char *name,
		    const char *what)
{
	if (!is_name(name)) {
		fprintf(stderr, "sbc: \"%s\" is no name of a %s\n", name, kind);
		return EXIT_USAGE;
	}
	snprintf(w->path, sizeof(w->path), "/%ss/%s%s", kind, name, what);
	return EXIT_OK;
}

/* A time of day is the last one there was, so that "to" may lie before. */
static int check_span(const struct wish *w)
{
	wall_ms from, to, now = clock_wall();

	if (!w->from || !w->to || when_parse(&from, str_of(w->from), now) ||
	    when_parse(&to, str_of(w->to), now) || from <= to)
		return EXIT_OK;
	fprintf(stderr, "sbc: --from %s is after --to %s; write the days\n",
		w->from, w->to);
	return EXIT_USAGE;
}

static int want_history(struct wish *w, const char *name)
{
	int code = want_one(w, "phone", name, "/history");
	size_t n;

	if (!code && w->at && (w->from || w->to)) {
		fputs("sbc: --at goes alone, or --from and --to\n", stderr);
		return EXIT_USAGE;
	}
	if (!code)
		code = add_time(w, "at", w->at);
	if (!code)
		code = add_time(w, "from", w->from);
	if (!code)
		code = add_time(w, "to", w->to);
	if (!code)
		code = check_span(w);
	n = strlen(w->path);
	if (!code && !w->at && !w->from && !w->to)
		snprintf(w->path + n, sizeof(w->path) - n, "?limit=%d",
			 ROWS_SHOWN);
	return code;
}

/* Append "name=TEXT" to the path of @w; nothing without @text. */
static void add_text(struct wish *w, const char *name, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@";
	size_t n = strlen(w->path);
	struct buf b;

	if (!text)
		return;
	buf_init(&b, w->path + n, sizeof(w->path) - n);
	buf_printf(&b, "%c%s=", memchr(w->path, '?', n) ? '&' : '?', name);
	for (; *text; text++) {
		if (strchr(plain, *text))
			buf_put(&b, text, 1);
		else
			buf_printf(&b, "%%%02x", (unsigned char)*text);
	}
}

static int want_cdrs(struct wish *w)
{
	bool is_export = w->as_csv || w->as_lines;
	int code;

	if (w->at || w->as_csv + w->as_lines + w->as_json > 1) {
		fputs("sbc: one of --csv, --jsonl and --json; times are --from "
		      "and --to\n",
		      stderr);
		return EXIT_USAGE;
	}
	snprintf(w->path, sizeof(w->path), "/cdrs");
	code = add_time(w, "from", w->from);
	if (!code)
		code = add_time(w, "to", w->to);
	if (!code)
		code = check_span(w);
	add_text(w, "who", w->who);
	if (w->limit || !is_export)
		add_text(w, "limit", w->limit ? w->limit : ROWS_TEXT);
	return code;
}

static const struct command {
	const char *name, *sub; /* sub NULL = nothing follows */
	const char *method;
	const char *path; /* NULL: the sub command makes it */
	int (*print)(const json_t *body);
	const char *usage; /* what may follow */
} commands[] = {
	{"status", NULL, "GET", "/status", cli_print_status, ""},
	{"phones", NULL, "GET", "/phones", cli_print_phones, ""},
	{"phones", "show", "GET", NULL, cli_print_phone, " NAME"},
	{"phones", "history", "GET", NULL, cli_print_history,
	 " NAME [--at TIME | --from TIME --to TIME]"},
	{"calls", NULL, "GET", "/calls", cli_print_calls, ""},
	{"trunks", NULL, "GET", "/trunks", cli_print_trunks, ""},
	{"trunks", "show", "GET", NULL, cli_print_trunk, " NAME"},
	{"cdrs", NULL, "GET", NULL, cli_print_cdrs,
	 " [--from TIME] [--to TIME] [--who TEXT] [--limit N] [--csv | "
	 "--jsonl]"},
	{"reload", NULL, "POST", "/reload", cli_print_nothing, ""},
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void usage(FILE *out, const char *name)
{
	const char *begin = "usage:";

	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->name, name))
			continue;
		fprintf(out,
			"%s sbc %s%s%s%s [--json] [--data DIR | --socket "
			"PATH]\n",
			begin, c->name, c->sub ? " " : "", c->sub ? c->sub : "",
			c->usage);
		begin = "      ";
	}
}

static int bad_usage(const char *name)
{
	usage(stderr, name);
	return EXIT_USAGE;
}

/* The command that the words name, its path in @w. */
static int choose(struct wish *w, int argc, char **argv,
		  const struct command **out)
{
	bool is_timed = w->at || w->from || w->to;

	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->name, argv[0]) || argc != (c->sub ? 3 : 1) ||
		    (c->sub && strcmp(c->sub, argv[1])))
			continue;
		*out = c;
		if (c->print == cli_print_history)
			return want_history(w, argv[2]);
		if (c->print == cli_print_cdrs)
			return want_cdrs(w);
		if (is_timed || w->who || w->limit || w->as_csv || w->as_lines)
			break;
		if (c->sub)
			return want_one(w,
					c->print == cli_print_trunk ? "trunk"
								    : "phone",
					argv[2], "");
		snprintf(w->path, sizeof(w->path), "%s", c->path);
		return EXIT_OK;
	}
	return bad_usage(argv[0]);
}

static int show(const struct command *command, const json_t *reply,
		bool as_json)
{
	json_t *body = json_object_get(reply, "body");
	long long status = cli_int(reply, "status");
	int code;

	if (status >= 300)
		return refusal(status, body);
	if (as_json) {
		json_dumpf(body, stdout,
			   JSON_INDENT(2) | JSON_REAL_PRECISION(12));
		putchar('\n');
		code = cli_exit_code(body);
	} else {
		cli_tame(body);
		code = command->print(body);
	}
	return fflush(stdout) ? EXIT_FAILED : code;
}

static void socket_path(const struct wish *w, char *out, size_t size)
{
	const char *env = getenv("SBC_SOCKET");

	if (w->socket)
		snprintf(out, size, "%s", w->socket);
	else if (w->data)
		snprintf(out, size, "%s/ctl", w->data);
	else
		snprintf(out, size, "%s", env ? env : "/run/sbc/ctl");
}

/* -1: go on. */
static int read_options(struct wish *w, int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"data", required_argument, NULL, 'd'},
		{"socket", required_argument, NULL, 's'},
		{"at", required_argument, NULL, 'a'},
		{"from", required_argument, NULL, 'f'},
		{"to", required_argument, NULL, 't'},
		{"who", required_argument, NULL, 'w'},
		{"limit", required_argument, NULL, 'l'},
		{"csv", no_argument, NULL, 'C'},
		{"jsonl", no_argument, NULL, 'L'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			w->as_json = true;
			break;
		case 'd':
			w->data = optarg;
			w->socket = NULL;
			break;
		case 's':
			w->socket = optarg;
			break;
		case 'a':
			w->at = optarg;
			break;
		case 'f':
			w->from = optarg;
			break;
		case 't':
			w->to = optarg;
			break;
		case 'w':
			w->who = optarg;
			break;
		case 'l':
			w->limit = optarg;
			break;
		case 'C':
			w->as_csv = true;
			break;
		case 'L':
			w->as_lines = true;
			break;
		case 'h':
			usage(stdout, argv[0]);
			return EXIT_OK;
		default:
			return bad_usage(argv[0]);
		}
	}
	return -1;
}

/* All pages, the newest record first. */
static int export(const char *path, const struct wish *w)
{
	char next[sizeof(w->path) + 80], after[64];
	json_t *reply;
	bool more;
	int code;

	if (w->as_csv)
		cli_csv_begin();
	snprintf(next, sizeof(next), "%s", w->path);
	do {
		code = ask(path, "GET", next, &reply);
		if (code)
			return code;
		if (cli_int(reply, "status") >= 300)
			return refusal(cli_int(reply, "status"),
				       json_object_get(reply, "body"));
		more = cli_export_page(json_object_get(reply, "body"),
				       w->as_csv, after, sizeof(after));
		json_decref(reply);
		snprintf(next, sizeof(next), "%s%cafter=%s", w->path,
			 strchr(w->path, '?') ? '&' : '?', after);
	} while (more && !w->limit);
	return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

int cli_main(int argc, char **argv)
{
	const struct command *command;
	struct wish w = {.as_json = false};
	char path[4096];
	json_t *reply;
	int code;

	code = read_options(&w, argc, argv);
	if (code >= 0)
		return code;
	/* The words that are no options, with the command's name in front. */
	argv[optind - 1] = argv[0];
	code = choose(&w, argc - optind + 1, argv + optind - 1, &command);
	if (code)
		return code;
	socket_path(&w, path, sizeof(path));
	if (w.as_csv || w.as_lines)
		return export(path, &w);
	code = ask(path, command->method, w.path, &reply);
	if (code)
		return code;
	code = show(command, reply, w.as_json);
	json_decref(reply);
	return code;
}
