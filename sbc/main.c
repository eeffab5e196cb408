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
	"usage: sbc run --config FILE --data DIR [--foreground]\n"
	"       sbc check-config FILE\n"
	"       sbc status|calls|phones|trunks [--json]\n"
	"                [--data DIR | --socket PATH]\n"
	"       sbc phones show NAME [--json] [...]\n"
	"       sbc trunks show NAME [--json] [...]\n"
	"       sbc phones history NAME [--at TIME | --from TIME --to TIME]\n"
	"                          [--json] [...]\n"
	"       sbc cdrs [--from TIME] [--to TIME] [--who TEXT] [--limit N]\n"
	"                [--json | --csv | --jsonl] [...]\n"
	"       sbc reload [--data DIR | --socket PATH]\n"
	"       sbc route test NUMBER [--from REALM|PHONE|TRUNK] [...]\n"
	"       sbc header test FILE|- [--trunk TRUNK] [--direction in|out] [...]\n"
	"       sbc --version | --help\n"
	"\n"
	"The clients ask the sbc whose control socket is DIR/ctl, or PATH, or\n"
	"$SBC_SOCKET, or /run/sbc/ctl.  See sbc(8) and sbc.conf(5).\n";

static int bad_usage(const char *why)
{
	fprintf(stderr, "sbc: %s\n%s", why, usage);
	return EXIT_USAGE;
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
			return bad_usage("run: unknown option");
		}
	}
	if (!config || !data || optind != argc)
		return bad_usage("run needs --config FILE and --data DIR");
	return sbc_run(config, data);
}

static int check_config(int argc, char **argv)
{
	struct conf_errors errs = {0};
	struct config *config;
	int err;

	if (argc != 2)
		return bad_usage("check-config needs one FILE");
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
