/*
 * migrate.h - bring a database to the tables of this program
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_STORE_MIGRATE_H
#define SBC_STORE_MIGRATE_H

#include <sqlite3.h>
#include <stddef.h>

/* One version: its statements, not NUL-terminated. */
struct migration {
	const char *sql;
	size_t len;
};

/* Bring @sql to this program's version.  A new database starts at 0.
 * -EUCLEAN: the file is not ours, or of a newer program; else as db_error().
 * After an error the database is as before. */
int migrate(sqlite3 *sql);
/* The same with other steps: @steps[i] leads from version i to i + 1. */
int migrate_by(sqlite3 *sql, const struct migration *steps, int n);

#endif
