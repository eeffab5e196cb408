/*
 * records.c - call records on their way from the calls to the store
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "sbc.h"

void records_keep(void *arg, const struct cdr *c)
{
	struct sbc *sbc = arg;
	struct cdr_row row = {
		.id = c->id,
		.started_at = c->started_at,
		.ended_at = c->ended_at,
	};
	char *line;

	if (!config_global(sbc->config)->cdr_days)
		return;
	line = cdr_json(c);
	if (!line)
		return;
	row.record = line;
	store_cdr_put(sbc->store, &row);
	free(line);
}
