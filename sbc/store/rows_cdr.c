/*
 * rows_cdr.c - call records in the database
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/db.h"
#include "store/rows.h"

static const char *const sql_text[CDR_STMTS] = {
	[CDR_PUT] = "INSERT INTO cdr (id, seq, started_at, ended_at, record)"
		    " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE"
		    " SET seq = ?2, ended_at = ?4, record = ?5"
		    " WHERE seq < ?2",
	[CDR_CLOSE_OPEN] =
		"UPDATE cdr SET ended_at = ?1, record = json_set("
		"CASE json_valid(record) WHEN 1 THEN record ELSE '{}' END,"
		" '$.ended_at', strftime('%Y-%m-%dT%H:%M:%S', ?1 / 1000,"
		" 'unixepoch') || printf('.%03dZ', ?1 % 1000),"
		" '$.cause', 'sbc restart', '$.ended_by', 'sbc')"
		" WHERE ended_at = 0",
	[CDR_COUNT] = "SELECT count(*) FROM cdr",
	[CDR_TRIM] = "DELETE FROM cdr WHERE id IN (SELECT id FROM cdr"
		     " ORDER BY started_at LIMIT ?1)",
	[CDR_AGE] = "DELETE FROM cdr WHERE id IN (SELECT id FROM cdr"
		    " WHERE started_at < ?2 ORDER BY started_at LIMIT ?1)",
};

static const char find_text[] =
	"SELECT record FROM cdr WHERE started_at >= ?1 AND started_at < ?2"
	" AND (?3 IS NULL OR id < ?3)"
	" AND (?4 IS NULL OR (json_valid(record) AND ?4 IN ("
	"json_extract(record, '$.from.received'),"
	" json_extract(record, '$.from.sent'),"
	" json_extract(record, '$.to.received'),"
	" json_extract(record, '$.to.sent'),"
	" json_extract(record, '$.a.peer'),"
	" json_extract(record, '$.b.peer'))))"
	" ORDER BY id DESC LIMIT ?5";

int rows_cdr_prepare(struct rows_cdr *r, sqlite3 *sql)
{
	rows_cdr_forget(r);
	for (int i = 0; i < CDR_STMTS; i++) {
		int rc = sqlite3_prepare_v3(sql, sql_text[i], -1,
					    SQLITE_PREPARE_PERSISTENT,
					    &r->stmt[i], NULL);

		if (rc != SQLITE_OK)
			return db_error(rc);
	}
	return 0;
}

void rows_cdr_finish(struct rows_cdr *r)
{
	for (int i = 0; i < CDR_STMTS; i++) {
		sqlite3_finalize(r->stmt[i]);
		r->stmt[i] = NULL;
	}
}

void rows_cdr_forget(struct rows_cdr *r)
{
	r->n = -1;
}

int rows_cdr_put(struct rows_cdr *r, uint64_t seq, const struct cdr_row *row)
{
	sqlite3_stmt *stmt = r->stmt[CDR_PUT];
	int err;

	rows_bind_text(stmt, 1, row->id);
	sqlite3_bind_int64(stmt, 2, seq);
	sqlite3_bind_int64(stmt, 3, row->started_at);
	sqlite3_bind_int64(stmt, 4, row->ended_at);
	rows_bind_text(stmt, 5, row->record);
	err = rows_run(stmt);
	sqlite3_clear_bindings(stmt);
	if (sqlite3_changes(sqlite3_db_handle(stmt)))
		rows_cdr_forget(r); /* a new row, or an old one */
	return err;
}

int rows_cdr_close_open(struct rows_cdr *r, wall_ms now)
{
	sqlite3_bind_int64(r->stmt[CDR_CLOSE_OPEN], 1, now);
	return rows_run(r->stmt[CDR_CLOSE_OPEN]);
}

static int count(struct rows_cdr *r)
{
	sqlite3_stmt *stmt = r->stmt[CDR_COUNT];
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		r->n = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return rc == SQLITE_ROW ? 0 : db_error(rc);
}

static int take_away(struct rows_cdr *r, sqlite3_stmt *stmt)
{
	int err = rows_run(stmt);

	if (!err)
		r->n -= sqlite3_changes(sqlite3_db_handle(stmt));
	return err;
}

int rows_cdr_prune(struct rows_cdr *r, int64_t max, wall_ms until,
		   int64_t budget)
{
	int64_t excess;
	int err = r->n < 0 ? count(r) : 0;

	if (err)
		return err;
	excess = r->n - max;
	if (excess > budget)
		excess = budget;
	if (excess > 0) {
		sqlite3_bind_int64(r->stmt[CDR_TRIM], 1, excess);
		err = take_away(r, r->stmt[CDR_TRIM]);
		budget -= excess;
	}
	if (err || budget <= 0 || !until)
		return err;
	sqlite3_bind_int64(r->stmt[CDR_AGE], 1, budget);
	sqlite3_bind_int64(r->stmt[CDR_AGE], 2, until);
	return take_away(r, r->stmt[CDR_AGE]);
}

int rows_cdr_each(sqlite3 *sql, const struct store_cdr_query *q, rows_cdr_fn fn,
		  void *arg)
{
	sqlite3_stmt *stmt = NULL;
	int err = 0, rc;

	rc = sqlite3_prepare_v2(sql, find_text, -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return db_error(rc);
	sqlite3_bind_int64(stmt, 1, q->from);
	sqlite3_bind_int64(stmt, 2, q->to);
	rows_bind_text(stmt, 3, q->after);
	rows_bind_text(stmt, 4, q->who);
	sqlite3_bind_int64(stmt, 5, q->max);
	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *record = rows_column_text(stmt, 0);

		err = record ? fn(arg, record) : 0;
	}
	if (!err && rc != SQLITE_DONE)
		err = db_error(rc);
	sqlite3_finalize(stmt);
	return err;
}
