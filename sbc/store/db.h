/*
 * db.h - the SQLite database of the store
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every call may wait for the disk.  One thread at a time.
 */
#ifndef SBC_STORE_DB_H
#define SBC_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>

#include "store/rows.h"

enum db_mode {
	DB_NORMAL,
	/* Without the shared index file that WAL wants and that a full disk
	 * refuses: for reading what is there.  Locks others out. */
	DB_ALONE
};

struct db {
	sqlite3 *sql;
	struct rows_binding binding;
	struct rows_history history;
	struct rows_cdr cdr;
	enum db_mode mode;
};

/* A result code of SQLite as -errno: -EUCLEAN for a file that is damaged or
 * not ours, -ENOSPC, -EBUSY, -EROFS, -ENOMEM, -EINVAL for one row that it does
 * not take, else -EIO. */
int db_error(int rc);
int db_exec(sqlite3 *sql, const char *text);

/*
 * Open or create @path, set it up, bring it to our tables.  @check looks for
 * damage in the whole file first, which costs some ms per 10 000 bindings.
 * Errors of db_error(), their words in @why.
 */
int db_open(struct db **out, const char *path, enum db_mode mode, bool check,
	    char *why, size_t why_size);
void db_close(struct db *db); /* accepts NULL */
/* Write a page that changes nothing: does the disk take it? */
int db_probe(struct db *db);
/* Rename the database @path and what belongs to it; @name receives the new
 * name.  Only the newest three are kept.  -errno. */
int db_set_aside(const char *path, char *name, size_t name_size);

#endif
