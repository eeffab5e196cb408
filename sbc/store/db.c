/*
 * db.c - open the SQLite database, judge it, put a damaged one aside
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * WAL: a commit is one append and one fsync, and an admin may read beside us.
 * synchronous FULL: a commit survives a power cut.  Pages are checkpointed when
 * the WAL has 4 MB, so that a page that changes every minute is written to its
 * place only once in a while.  No mmap: a read error must be an error and not
 * a signal.
 */
#include "store/db.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "store/migrate.h"

enum {
	BUSY_MS = 2000, /* an admin's sqlite3 may hold the write lock */
	KEEP_ASIDE = 3,
	PATH_BYTES = 4096,
};

static const char *const belongings[] = {"", "-wal", "-shm"};

int db_error(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* a table is missing: not our file */
	case SQLITE_SCHEMA:
	case SQLITE_FORMAT:
		return -EUCLEAN;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return -EROFS;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
	case SQLITE_RANGE:
		return -EINVAL;
	default:
		return -EIO;
	}
}

int db_exec(sqlite3 *sql, const char *text)
{
	int rc = sqlite3_exec(sql, text, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_error(rc);
}

/* Pages are 4096 bytes, the block of most disks and the default of SQLite. */
static int set_up(struct db *db)
{
	int err = 0;

	sqlite3_extended_result_codes(db->sql, 1);
	sqlite3_busy_timeout(db->sql, BUSY_MS);
	if (db->mode == DB_ALONE)
		err = db_exec(db->sql, "PRAGMA locking_mode = EXCLUSIVE");
	if (!err)
		err = db_exec(db->sql, "PRAGMA journal_mode = WAL");
	if (!err)
		err = db_exec(db->sql, "PRAGMA synchronous = FULL;"
				       "PRAGMA wal_autocheckpoint = 1000;"
				       "PRAGMA journal_size_limit = 4194304;"
				       "PRAGMA cache_size = -1024;"
				       "PRAGMA temp_store = MEMORY;"
				       "PRAGMA trusted_schema = OFF");
	return err;
}

int db_probe(struct db *db)
{
	return db_exec(db->sql, "PRAGMA application_id = 1396851505");
}

static int check_pages(sqlite3 *sql)
{
	sqlite3_stmt *stmt = NULL;
	bool is_ok = false;
	int rc = sqlite3_prepare_v2(sql, "PRAGMA quick_check(1)", -1, &stmt,
				    NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		const unsigned char *said = sqlite3_column_text(stmt, 0);

		is_ok = said && strcmp((const char *)said, "ok") == 0;
	}
	sqlite3_finalize(stmt);
	if (rc != SQLITE_ROW)
		return db_error(rc);
	return is_ok ? 0 : -EUCLEAN;
}

int db_open(struct db **out, const char *path, enum db_mode mode, bool check,
	    char *why, size_t why_size)
{
	struct db *db = calloc(1, sizeof(*db));
	int err, rc, fd;

	if (!db)
		return -ENOMEM;
	db->mode = mode;
	/* SQLite gives its other files the rights of this one. */
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	rc = sqlite3_open_v2(path, &db->sql,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
				     SQLITE_OPEN_NOMUTEX,
			     NULL);
	err = rc == SQLITE_OK ? set_up(db) : db_error(rc);
	if (!err && check)
		err = check_pages(db->sql);
	if (!err)
		err = migrate(db->sql);
	if (!err)
		err = rows_binding_prepare(&db->binding, db->sql);
	if (!err)
		err = rows_history_prepare(&db->history, db->sql);
	if (!err)
		err = rows_cdr_prepare(&db->cdr, db->sql);
	if (err)
		goto fail;
	*out = db;
	return 0;
fail:
	snprintf(why, why_size, "%s",
		 db->sql ? sqlite3_errmsg(db->sql) : "out of memory");
	db_close(db);
	return err;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	rows_binding_finish(&db->binding);
	rows_history_finish(&db->history);
	rows_cdr_finish(&db->cdr);
	sqlite3_close(db->sql);
	free(db);
}

/* ---- setting aside ------------------------------------------------------ */

static int is_aside(const struct dirent *e)
{
	const char *mark = strstr(e->d_name, ".corrupt-");

	return mark && !strstr(mark, "-wal") && !strstr(mark, "-shm");
}

/* A disk that damages every file must not be filled with them.  The names
 * sort by time. */
static void drop_old(const char *path)
{
	char dir[PATH_BYTES], name[PATH_BYTES + 512];
	struct dirent **v;
	char *slash;
	int n;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash)
		return;
	*slash = '\0';
	n = scandir(dir, &v, is_aside, alphasort);
	for (int i = 0; i < n; i++) {
		for (size_t b = 0; i < n - KEEP_ASIDE && b < 3; b++) {
			snprintf(name, sizeof(name), "%s/%s%s", dir,
				 v[i]->d_name, belongings[b]);
			unlink(name);
		}
		free(v[i]);
	}
	if (n >= 0)
		free(v);
}

int db_set_aside(const char *path, char *name, size_t name_size)
{
	char when[CLOCK_TEXT_MAX], from[PATH_BYTES], to[PATH_BYTES];
	int err = 0;

	clock_fmt(clock_wall(), when);
	for (char *p = when; *p; p++) {
		if (*p == ':')
			*p = '-'; /* a colon upsets scp and tar */
	}
	snprintf(name, name_size, "%s.corrupt-%s", path, when);
	for (size_t i = 0; i < 3; i++) {
		snprintf(from, sizeof(from), "%s%s", path, belongings[i]);
		snprintf(to, sizeof(to), "%s%s", name, belongings[i]);
		if (rename(from, to) < 0 && errno != ENOENT)
			err = -errno;
	}
	drop_old(path);
	return err;
}

const char *store_library_version(void)
{
	return sqlite3_libversion();
}
