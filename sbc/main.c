/*
 * main.c - the command line: `sbc run` is the daemon, everything else a client
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <getopt.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "config/config.h"
#include "sbc.h"
#include "version.h"

static const char usage[] =
	"usage: sbc COMMAND [...]; sbc COMMAND --help tells its options\n"
	"\n"
	"The daemon:\n"
	"  run --config FILE --data DIR   be the session border controller\n"
	"  check-config FILE              all faults of a configuration\n"
	"  reload                         take over the changed configuration\n"
	"What it knows now:\n"
	"  status                         listeners, store, alarms\n"
	"  phones                         who is registered, from where\n"
	"  phones show NAME               one phone and the way to it\n"
	"  phones history NAME            when it could be reached, and when not\n"
	"  calls                          calls, legs, codecs, packets\n"
	"  trunks                         whether the providers work\n"
	"  trunks show NAME               one of them, and its hosts\n"
	"  cdrs                           who called whom, and how it ended\n"
	"What it would do, by a configuration file:\n"
	"  route test NUMBER              where a number goes, and why\n"
	"  header test FILE|-             what becomes of a request's headers\n"
	"\n"
	"  --version, --help\n"
	"\n"
	"Questions go to the sbc whose control socket is DIR/ctl of --data DIR,\n"
	"or --socket PATH, or $SBC_SOCKET, or /run/sbc/ctl.  --json is for\n"
	"programs.  See sbc(8) and sbc.conf(5).\n";

#define RUN_WORDS "--config FILE --data DIR [--foreground]"

static int bad_usage(const char *why)
{
	fprintf(stderr, "sbc: %s\n%s", why, usage);
	return EXIT_USAGE;
}

/* Whoever knows the command needs no list of them. */
static int bad_use_of(const char *command, const char *what)
{
	fprintf(stderr, "usage: sbc %s %s\n", command, what);
	return EXIT_USAGE;
}

static bool wants_help(int argc, char **argv)
{
	return argc == 2 &&
	       (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
}

static int help(const char *command, const char *what)
{
	printf("usage: sbc %s %s\n", command, what);
	return EXIT_OK;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"data", required_argument, NULL, 'd'},
		{"foreground", no_argument, NULL, 'f'},
		{NULL, 0, NULL, 0},
	};
	const char *config = NULL, *data = NULL;
	int opt;

	if (wants_help(argc, argv))
		return help("run", RUN_WORDS);
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			config = optarg;
			break;
		case 'd':
			data = optarg;
			break;
		case 'f': /* it never forks; kept for clarity in units */
			break;
		default:
			return bad_use_of("run", RUN_WORDS);
		}
	}
	if (!config || !data || optind != argc)
		return bad_use_of("run", RUN_WORDS);
	return sbc_run(config, data);
}

static int check_config(int argc, char **argv)
{
	struct conf_errors errs = {0};
	struct config *config;
	int err;

	if (wants_help(argc, argv))
		return help("check-config", "FILE");
	if (argc != 2)
		return bad_use_of("check-config", "FILE");
	err = config_load(&config, argv[1], &errs);
	/* The faults are what was asked for: they belong on standard output. */
	for (size_t i = 0; i < errs.n; i++)
		printf("%s:%u: %s\n", errs.list[i].file, errs.list[i].line,
		       errs.list[i].text);
	conf_errors_clear(&errs);
	if (err)
		return EXIT_BAD_CONFIG;
	config_unref(config);
	return EXIT_OK;
}

static int version(void)
{
	printf("sbc %s (%s)\n", SBC_VERSION, SBC_COMMIT);
	printf("sofia-sip %s, %s, jansson %s\n", sip_library_version(),
	       OpenSSL_version(OPENSSL_VERSION), jansson_version_str());
	printf("sqlite %s\n", store_library_version());
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (!strcmp(command, "--version"))
		return version();
	if (!strcmp(command, "--help") || !strcmp(command, "-h")) {
		fputs(usage, stdout);
		return EXIT_OK;
	}
	if (!strcmp(command, "run"))
		return run(argc - 1, argv + 1);
	if (!strcmp(command, "check-config"))
		return check_config(argc - 1, argv + 1);
	if (!strcmp(command, "route"))
		return cli_route(argc - 1, argv + 1);
	if (!strcmp(command, "header"))
		return cli_header(argc - 1, argv + 1);
	if (!strcmp(command, "status") || !strcmp(command, "calls") ||
	    !strcmp(command, "cdrs") || !strcmp(command, "phones") ||
	    !strcmp(command, "trunks") || !strcmp(command, "reload"))
		return cli_main(argc - 1, argv + 1);
	return bad_usage(*command ? "unknown command" : "a command is needed");
}
