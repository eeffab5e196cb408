/*
 * cli.h - answers of the control socket on the terminal
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_CLI_H
#define SBC_CLI_H

#include "api/api.h"

/* "-" and 0 where there is none. */
const char *cli_text(const json_t *object, const char *key);
long long cli_int(const json_t *object, const char *key);

/* Peers wrote some of @body: their control bytes, also those of Unicode, would
 * drive the terminal.  Makes each '?'. */
void cli_tame(json_t *body);

/* cli_print.c, cli_phones.c, cli_trunks.c: print @body; return the exit code. */
int cli_print_status(const json_t *body);
int cli_print_phones(const json_t *body);
int cli_print_phone(const json_t *body);
int cli_print_history(const json_t *body);
int cli_print_calls(const json_t *body);
int cli_print_trunks(const json_t *body);
int cli_print_trunk(const json_t *body);
int cli_print_nothing(const json_t *body);
int cli_print_cdrs(const json_t *body);
/* What the answer in @body, if it is one, means for scripts. */
int cli_exit_code(const json_t *body);

/* Call records as CSV or JSON Lines, page by page.  False: that was the last
 * one; else @after says where the next one begins. */
void cli_csv_begin(void);
bool cli_export_page(const json_t *body, bool as_csv, char *after, size_t size);

/* cli_route.c, cli_header.c: "sbc route ...", "sbc header ..."; return the exit
 * code. */
int cli_route(int argc, char **argv);
int cli_header(int argc, char **argv);
/* Where the configuration is, when nobody says. */
#define CLI_CONFIG "/etc/sbc/sbc.conf"
/* Faults go to standard error.  Returns an exit code. */
struct config;
int cli_load_config(const char *path, struct config **out);

#endif
