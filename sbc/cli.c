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

#include "sbc.h"

enum {
	ANSWER_S = 10, /* the daemon answers in milliseconds */
};

static const char *text_at(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "-";
}

static long long int_at(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* ---- tables ------------------------------------------------------------------- */

static void print_status(const json_t *body)
{
	const json_t *item;
	size_t i;

	printf("sbc %s, pid %lld, up %lld s: %s\n", text_at(body, "version"),
	       int_at(body, "pid"), int_at(body, "uptime_s"),
	       json_is_true(json_object_get(body, "ready")) ? "ready"
							    : "starting");
	printf("%lld calls, %lld bindings, store %s\n", int_at(body, "calls"),
	       int_at(body, "bindings"),
	       text_at(json_object_get(body, "store"), "state"));
	json_array_foreach(json_object_get(body, "listeners"), i, item) printf(
		"  %-12s %-4s %s port %lld%s\n", text_at(item, "realm"),
		text_at(item, "transport"), text_at(item, "address"),
		int_at(item, "port"),
		json_is_true(json_object_get(item, "up")) ? "" : " (down)");
	json_array_foreach(json_object_get(body, "alarms"), i, item)
		printf("ALARM %s %s since %s: %s\n", text_at(item, "severity"),
		       text_at(item, "name"), text_at(item, "since"),
		       text_at(item, "text"));
}

static void print_phones(const json_t *body)
{
	const json_t *list = json_object_get(body, "phones"), *item;
	size_t i;

	if (!json_array_size(list)) {
		printf("No phone has registered yet.\n");
		return;
	}
	printf("%-24s %-4s %-28s %8s  %s\n", "PHONE", "VIA", "SEEN FROM",
	       "EXPIRES", "CONTACT");
	json_array_foreach(list, i, item)
		printf("%-24s %-4s %-28s %6lld s  %s\n", text_at(item, "aor"),
		       text_at(item, "transport"), text_at(item, "source"),
		       int_at(item, "expires_s"), text_at(item, "contact"));
}

static void print_media(const json_t *media)
{
	const json_t *in = json_object_get(media, "in");
	const json_t *out = json_object_get(media, "out");

	printf("      %s %s  %s <-> %s%s  in %lld (lost %lld) out %lld\n",
	       text_at(media, "type"), text_at(media, "codec"),
	       text_at(media, "local"), text_at(media, "remote"),
	       json_is_true(json_object_get(media, "latched")) ? " latched"
							       : "",
	       int_at(in, "packets"), int_at(in, "lost"),
	       int_at(out, "packets"));
}

static void print_calls(const json_t *body)
{
	const json_t *list = json_object_get(body, "calls"), *call, *leg, *m;
	size_t i, k, n;

	if (!json_array_size(list)) {
		printf("No calls.\n");
		return;
	}
	json_array_foreach(list, i, call)
	{
		printf("%s  %s -> %s  %s since %s\n", text_at(call, "id"),
		       text_at(call, "from"), text_at(call, "to"),
		       text_at(call, "state"), text_at(call, "started_at"));
		json_array_foreach(json_object_get(call, "legs"), k, leg)
		{
			printf("  %s %s (%s) %s %s  %s\n", text_at(leg, "side"),
			       text_at(leg, "peer"), text_at(leg, "realm"),
			       text_at(leg, "transport"), text_at(leg, "flow"),
			       text_at(leg, "state"));
			json_array_foreach(json_object_get(leg, "media"), n, m)
				print_media(m);
		}
	}
}

static void print_nothing(const json_t *body)
{
}

/* ---- asking ------------------------------------------------------------------- */

static const struct command {
	const char *name, *method, *path;
	void (*print)(const json_t *body);
} commands[] = {
	{"status", "GET", "/status", print_status},
	{"phones", "GET", "/phones", print_phones},
	{"calls", "GET", "/calls", print_calls},
	{"reload", "POST", "/reload", print_nothing},
};

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

static int ask(const char *path, const struct command *command, json_t **out)
{
	char line[256];
	json_error_t error;
	json_t *reply;
	FILE *f;
	int fd, n;

	fd = open_socket(path);
	if (fd < 0) {
		fprintf(stderr, "sbc: no sbc answers at %s: %s\n", path,
			strerror(errno));
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
	n = snprintf(line, sizeof(line),
		     "{\"method\":\"%s\",\"path\":\"%s\"}\n", command->method,
		     command->path);
	f = fdopen(fd, "r");
	if (!f || send(fd, line, n, MSG_NOSIGNAL) != n) {
		fprintf(stderr, "sbc: %s: %s\n", path, strerror(errno));
		return EXIT_FAILED;
	}
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

static int show(const struct command *command, const json_t *reply,
		bool as_json)
{
	const json_t *body = json_object_get(reply, "body");
	long long status = int_at(reply, "status");

	if (status >= 300) {
		fprintf(stderr, "sbc: %s\n", text_at(body, "title"));
		return status == 404   ? EXIT_NOT_FOUND
		       : status == 409 ? EXIT_CONFLICT
				       : EXIT_FAILED;
	}
	if (as_json) {
		json_dumpf(body, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		command->print(body);
	}
	return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

static int bad_usage(const char *name)
{
	fprintf(stderr, "usage: sbc %s [--json] [--data DIR | --socket PATH]\n",
		name);
	return EXIT_USAGE;
}

int cli_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"data", required_argument, NULL, 'd'},
		{"socket", required_argument, NULL, 's'},
		{NULL, 0, NULL, 0},
	};
	const struct command *command = commands;
	const char *env = getenv("SBC_SOCKET");
	char path[4096];
	bool as_json = false;
	json_t *reply;
	int opt, code;

	while (strcmp(command->name, argv[0]))
		command++; /* main() has looked the name up */
	snprintf(path, sizeof(path), "%s", env ? env : "/run/sbc/ctl");
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			as_json = true;
			break;
		case 'd':
			snprintf(path, sizeof(path), "%s/ctl", optarg);
			break;
		case 's':
			snprintf(path, sizeof(path), "%s", optarg);
			break;
		default:
			return bad_usage(argv[0]);
		}
	}
	if (optind != argc)
		return bad_usage(argv[0]);
	code = ask(path, command, &reply);
	if (code)
		return code;
	code = show(command, reply, as_json);
	json_decref(reply);
	return code;
}
