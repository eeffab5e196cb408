/*
 * rows_history.c - the history of flows in the database
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Rows are only ever added at the end and taken away at the front; how many
 * there are is counted once and kept in mind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "store/db.h"
#include "store/rows.h"

#define COLUMNS                                                                \
	"seq, at, phone, aor, binding, event, cause, transport, source,"       \
	" local, expires_at, proved_at, pings, unanswered, rtt_us, reason"

/* What neither begins nor ends a flow. */
#define REMARK "event IN ('verdict', 'learned')"

static const char *const sql_text[HISTORY_STMTS] = {
	[HISTORY_ADD] = "INSERT OR IGNORE INTO history (" COLUMNS ")"
			" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
			" ?11, ?12, ?13, ?14, ?15, ?16)",
	[HISTORY_COUNT] = "SELECT count(*) FROM history",
	[HISTORY_TRIM] = "DELETE FROM history WHERE seq IN"
			 " (SELECT seq FROM history ORDER BY seq LIMIT ?1)",
	[HISTORY_AGE] = "DELETE FROM history WHERE seq IN"
			" (SELECT seq FROM (SELECT seq, at FROM history"
			" ORDER BY seq LIMIT ?1) WHERE at < ?2)",
};

/*
 * The last rows of a span, and for each binding that was in force when it
 * begins the row that says so.
 */
static const char find_text[] =
	"SELECT * FROM (SELECT " COLUMNS " FROM history WHERE phone = ?1"
	" AND at >= ?2 AND at < ?3 ORDER BY at DESC, seq DESC LIMIT ?4)"
	" UNION ALL SELECT * FROM (SELECT " COLUMNS " FROM history"
	" WHERE event <> 'gone' AND seq IN (SELECT max(seq) FROM history"
	" WHERE phone = ?1 AND at < ?2 GROUP BY binding)"
	" ORDER BY at DESC LIMIT ?4)"
	" ORDER BY at, seq";

/*
 * What there was at a moment: of each binding the last row until then and the
 * first after it, and the same again for rows that begin or end a flow.
 * Bindings that were in force come first, then those that ended last; the
 * first rows of bindings that came later end the list.
 */
static const char moment_text[] =
	"WITH mine AS MATERIALIZED (SELECT seq, at, binding, event,"
	" " REMARK " AS remark FROM history WHERE phone = ?1 AND at < ?3),"
	" was AS MATERIALIZED (SELECT binding, max(seq) AS seq, event FROM mine"
	" WHERE at <= ?2 AND NOT remark GROUP BY binding"
	" ORDER BY event = 'gone', seq DESC LIMIT ?4),"
	" chosen AS (SELECT seq FROM was"
	" UNION SELECT max(seq) FROM mine WHERE at <= ?2"
	"  AND binding IN (SELECT binding FROM was) GROUP BY binding"
	" UNION SELECT min(seq) FROM mine WHERE at > ?2"
	"  AND binding IN (SELECT binding FROM was) GROUP BY binding"
	" UNION SELECT min(seq) FROM mine WHERE at > ?2 AND NOT remark"
	"  AND binding IN (SELECT binding FROM was) GROUP BY binding"
	" UNION SELECT seq FROM (SELECT min(seq) AS seq FROM mine"
	"  WHERE at > ?2 AND NOT remark GROUP BY binding ORDER BY seq LIMIT 4))"
	" SELECT " COLUMNS " FROM history WHERE seq IN chosen ORDER BY at, seq";

int rows_history_prepare(struct rows_history *r, sqlite3 *sql)
{
	rows_history_forget(r);
	for (int i = 0; i < HISTORY_STMTS; i++) {
		int rc = sqlite3_prepare_v3(sql, sql_text[i], -1,
					    SQLITE_PREPARE_PERSISTENT,
					    &r->stmt[i], NULL);

		if (rc != SQLITE_OK)
			return db_error(rc);
	}
	return 0;
}

void rows_history_finish(struct rows_history *r)
{
	for (int i = 0; i < HISTORY_STMTS; i++) {
		sqlite3_finalize(r->stmt[i]);
		r->stmt[i] = NULL;
	}
}

void rows_history_forget(struct rows_history *r)
{
	r->n = -1;
}

static void fmt_rtts(char *out, size_t size, const struct history_row *row)
{
	struct buf b;

	buf_init(&b, out, size);
	for (uint32_t i = 0; i < row->n_rtt; i++)
		buf_printf(&b, "%s%u", i ? " " : "", row->rtt_us[i]);
}

int rows_history_add(struct rows_history *r, uint64_t seq,
		     const struct history_row *row)
{
	sqlite3_stmt *stmt = r->stmt[HISTORY_ADD];
	char rtts[128];
	int err;

	fmt_rtts(rtts, sizeof(rtts), row);
	sqlite3_bind_int64(stmt, 1, seq);
	sqlite3_bind_int64(stmt, 2, row->at);
	rows_bind_text(stmt, 3, row->phone);
	rows_bind_text(stmt, 4, row->aor);
	sqlite3_bind_int64(stmt, 5, row->binding);
	rows_bind_text(stmt, 6, row->event);
	rows_bind_text(stmt, 7, row->cause);
	sqlite3_bind_int64(stmt, 8, row->transport);
	rows_bind_addr(stmt, 9, &row->source);
	rows_bind_addr(stmt, 10, &row->local);
	sqlite3_bind_int64(stmt, 11, row->expires_at);
	sqlite3_bind_int64(stmt, 12, row->proved_at);
	sqlite3_bind_int64(stmt, 13, row->pings);
	sqlite3_bind_int64(stmt, 14, row->unanswered);
	rows_bind_text(stmt, 15, row->n_rtt ? rtts : NULL);
	rows_bind_text(stmt, 16, row->reason);
	err = rows_run(stmt);
	/* The strings are the caller's: hold none of them after the call. */
	sqlite3_clear_bindings(stmt);
	if (!err && r->n >= 0)
		r->n += sqlite3_changes(sqlite3_db_handle(stmt));
	return err;
}

static int count(struct rows_history *r)
{
	sqlite3_stmt *stmt = r->stmt[HISTORY_COUNT];
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		r->n = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return rc == SQLITE_ROW ? 0 : db_error(rc);
}

/* Run a DELETE and keep the count. */
static int take_away(struct rows_history *r, sqlite3_stmt *stmt)
{
	int err = rows_run(stmt);

	if (!err)
		r->n -= sqlite3_changes(sqlite3_db_handle(stmt));
	return err;
}

int rows_history_prune(struct rows_history *r, int64_t max, wall_ms until,
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
		sqlite3_bind_int64(r->stmt[HISTORY_TRIM], 1, excess);
		err = take_away(r, r->stmt[HISTORY_TRIM]);
		budget -= excess;
	}
	if (err || budget <= 0 || !until)
		return err;
	sqlite3_bind_int64(r->stmt[HISTORY_AGE], 1, budget);
	sqlite3_bind_int64(r->stmt[HISTORY_AGE], 2, until);
	return take_away(r, r->stmt[HISTORY_AGE]);
}

/* ---- reading ------------------------------------------------------------ */

static void read_rtts(struct history_row *row, const char *text)
{
	enum { RTTS = sizeof(row->rtt_us) / sizeof(row->rtt_us[0]) };
	struct str left = str_of(text);
	uint64_t v;

	while (left.n && row->n_rtt < RTTS) {
		if (str_u64(str_cut(&left, ' '), UINT32_MAX, &v))
			break; /* somebody edited it */
		row->rtt_us[row->n_rtt++] = v;
	}
}

static void row_read(sqlite3_stmt *stmt, struct history_row *row)
{
	memset(row, 0, sizeof(*row));
	row->at = sqlite3_column_int64(stmt, 1);
	row->phone = rows_column_text(stmt, 2);
	row->aor = rows_column_text(stmt, 3);
	row->binding = sqlite3_column_int64(stmt, 4);
	row->event = rows_column_text(stmt, 5);
	row->cause = rows_column_text(stmt, 6);
	row->transport = sqlite3_column_int(stmt, 7);
	rows_column_addr(stmt, 8, &row->source);
	rows_column_addr(stmt, 9, &row->local);
	row->expires_at = sqlite3_column_int64(stmt, 10);
	row->proved_at = sqlite3_column_int64(stmt, 11);
	row->pings = sqlite3_column_int64(stmt, 12);
	row->unanswered = sqlite3_column_int64(stmt, 13);
	read_rtts(row, rows_column_text(stmt, 14));
	row->reason = rows_column_text(stmt, 15);
}

static int oldest_of(sqlite3 *sql, wall_ms *out)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(
		sql, "SELECT at FROM history ORDER BY seq LIMIT 1", -1, &stmt,
		NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	*out = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_error(rc);
}

int rows_history_each(sqlite3 *sql, const struct history_query *q,
		      rows_history_fn fn, void *arg, wall_ms *oldest)
{
	sqlite3_stmt *stmt = NULL;
	struct history_row row;
	int err, rc;

	rc = sqlite3_prepare_v2(sql, q->is_moment ? moment_text : find_text, -1,
				&stmt, NULL);
	if (rc != SQLITE_OK)
		return db_error(rc);
	rows_bind_text(stmt, 1, q->phone);
	sqlite3_bind_int64(stmt, 2, q->from);
	sqlite3_bind_int64(stmt, 3, q->to);
	sqlite3_bind_int64(stmt, 4, q->max);
	for (err = 0; !err && (rc = sqlite3_step(stmt)) == SQLITE_ROW;) {
		row_read(stmt, &row);
		err = fn(arg, &row);
	}
	if (!err && rc != SQLITE_DONE)
		err = db_error(rc);
	sqlite3_finalize(stmt);
	return err ? err : oldest_of(sql, oldest);
}
