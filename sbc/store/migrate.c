/*
 * migrate.c - bring a database to the tables of this program
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * PRAGMA user_version counts the steps that were taken.  All missing steps are
 * one transaction.  The statements are the files of db/, linked in.
 */
#include "store/migrate.h"

#include <errno.h>
#include <stdio.h>

#include "store/db.h"

extern const char schema_start[] __asm__("_binary_schema_sql_start");
extern const char schema_end[] __asm__("_binary_schema_sql_end");
extern const char nat_start[] __asm__("_binary_nat_sql_start");
extern const char nat_end[] __asm__("_binary_nat_sql_end");
extern const char cdr_start[] __asm__("_binary_cdr_sql_start");
extern const char cdr_end[] __asm__("_binary_cdr_sql_end");

static int version_of(sqlite3 *sql, int *out)
{
	sqlite3_stmt *stmt = NULL;
	int rc =
		sqlite3_prepare_v2(sql, "PRAGMA user_version", -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? 0 : db_error(rc);
}

/* Each statement of @m in turn. */
static int run_step(sqlite3 *sql, const struct migration *m)
{
	const char *at = m->sql, *end = m->sql + m->len;

	while (at < end) {
		sqlite3_stmt *stmt = NULL;
		int rc = sqlite3_prepare_v2(sql, at, end - at, &stmt, &at);

		if (rc == SQLITE_OK && stmt)
			rc = sqlite3_step(stmt);
		sqlite3_finalize(stmt);
		if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
			return db_error(rc);
		if (!stmt) /* white space or a comment was left */
			break;
	}
	return 0;
}

static int run_steps(sqlite3 *sql, const struct migration *steps, int from,
		     int to)
{
	char pragma[64];
	int err = db_exec(sql, "BEGIN IMMEDIATE");

	for (int i = from; !err && i < to; i++)
		err = run_step(sql, &steps[i]);
	snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", to);
	if (!err)
		err = db_exec(sql, pragma);
	if (!err)
		err = db_exec(sql, "COMMIT");
	if (err && !sqlite3_get_autocommit(sql))
		db_exec(sql, "ROLLBACK");
	return err;
}

int migrate_by(sqlite3 *sql, const struct migration *steps, int n)
{
	int version = 0;
	int err = version_of(sql, &version);

	if (err || version == n)
		return err;
	if (version < 0 || version > n)
		return -EUCLEAN;
	return run_steps(sql, steps, version, n);
}

int migrate(sqlite3 *sql)
{
	const struct migration steps[] = {
		{schema_start, (size_t)(schema_end - schema_start)},
		{nat_start, (size_t)(nat_end - nat_start)},
		{cdr_start, (size_t)(cdr_end - cdr_start)},
	};

	return migrate_by(sql, steps, sizeof(steps) / sizeof(steps[0]));
}
