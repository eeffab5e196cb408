/*
 * rows_binding.c - bindings in the database
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A binding is two rows with one id: the wide one that a registration writes
 * and the narrow one that a refresh touches.
 */
#include <string.h>

#include "store/db.h"
#include "store/rows.h"

static const char *const sql_text[STMTS] = {
	[STMT_PUT_STATE] =
		"INSERT INTO binding_state"
		" (id, seq, cseq, expires_at, last_seen)"
		" VALUES (?1, ?2, ?3, ?4, ?5)"
		" ON CONFLICT (id) DO UPDATE SET seq = ?2, cseq = ?3,"
		" expires_at = ?4, last_seen = ?5 WHERE seq < ?2",
	[STMT_PUT] =
		"INSERT OR REPLACE INTO binding"
		" (id, aor, phone, realm, contact, call_id, instance, reg_id,"
		" path, user_agent, transport, source, local, registered_at,"
		" nat_flags, nat_evidence, nat_alg, nat_mapping, nat_filter,"
		" nat_announced, nat_floor_s, nat_ceiling_s, nat_interval_ms,"
		" nat_phase_ms)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,"
		" ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)",
	[STMT_DEL] =
		"DELETE FROM binding WHERE id ="
		" (SELECT id FROM binding_state WHERE id = ?1 AND seq < ?2)",
	[STMT_DEL_STATE] =
		"DELETE FROM binding_state WHERE id = ?1 AND seq < ?2",
	[STMT_REFRESH] = "UPDATE binding_state SET cseq = ?3, expires_at = ?4,"
			 " last_seen = ?5 WHERE id = ?1 AND seq <= ?2",
	[STMT_SWEEP] = "DELETE FROM binding WHERE id IN"
		       " (SELECT id FROM binding_state WHERE seq < ?1)",
	[STMT_SWEEP_STATE] = "DELETE FROM binding_state WHERE seq < ?1",
	[STMT_EACH] =
		"SELECT b.id, aor, phone, realm, contact, call_id, instance,"
		" reg_id, path, user_agent, transport, source, local,"
		" registered_at, cseq, expires_at, last_seen, nat_flags,"
		" nat_evidence, nat_alg, nat_mapping, nat_filter,"
		" nat_announced, nat_floor_s, nat_ceiling_s, nat_interval_ms,"
		" nat_phase_ms"
		" FROM binding_state AS s JOIN binding AS b ON b.id = s.id"
		" ORDER BY s.id",
	[STMT_LIMITS] = "SELECT ifnull(max(id), 0), max(ifnull(max(seq), 0),"
			" (SELECT ifnull(max(seq), 0) FROM history))"
			" FROM binding_state",
};

int rows_binding_prepare(struct rows_binding *r, sqlite3 *sql)
{
	for (int i = 0; i < STMTS; i++) {
		int rc = sqlite3_prepare_v3(sql, sql_text[i], -1,
					    SQLITE_PREPARE_PERSISTENT,
					    &r->stmt[i], NULL);

		if (rc != SQLITE_OK)
			return db_error(rc);
	}
	return 0;
}

void rows_binding_finish(struct rows_binding *r)
{
	for (int i = 0; i < STMTS; i++) {
		sqlite3_finalize(r->stmt[i]);
		r->stmt[i] = NULL;
	}
}

int rows_run(sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);

	sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? 0 : db_error(rc);
}

void rows_bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
	sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

void rows_bind_addr(sqlite3_stmt *stmt, int at, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	if (addr_is_set(a))
		sqlite3_bind_text(stmt, at, addr_fmt(a, text), -1,
				  SQLITE_TRANSIENT);
	else
		sqlite3_bind_null(stmt, at);
}

static int put_state(struct rows_binding *r, uint64_t seq,
		     const struct binding_row *row)
{
	sqlite3_stmt *stmt = r->stmt[STMT_PUT_STATE];

	sqlite3_bind_int64(stmt, 1, row->id);
	sqlite3_bind_int64(stmt, 2, seq);
	sqlite3_bind_int64(stmt, 3, row->cseq);
	sqlite3_bind_int64(stmt, 4, row->expires_at);
	sqlite3_bind_int64(stmt, 5, row->last_seen);
	return rows_run(stmt);
}

static void bind_nat(sqlite3_stmt *stmt, int at, const struct store_nat *nat)
{
	sqlite3_bind_int64(stmt, at, nat->flags);
	sqlite3_bind_int64(stmt, at + 1, nat->evidence);
	sqlite3_bind_int64(stmt, at + 2, nat->alg);
	sqlite3_bind_int64(stmt, at + 3, nat->mapping);
	sqlite3_bind_int64(stmt, at + 4, nat->filter);
	rows_bind_addr(stmt, at + 5, &nat->announced);
	sqlite3_bind_int64(stmt, at + 6, nat->floor_s);
	sqlite3_bind_int64(stmt, at + 7, nat->ceiling_s);
	sqlite3_bind_int64(stmt, at + 8, nat->interval_ms);
	sqlite3_bind_int64(stmt, at + 9, nat->phase_ms);
}

static int put_binding(struct rows_binding *r, const struct binding_row *row)
{
	sqlite3_stmt *stmt = r->stmt[STMT_PUT];
	int err;

	sqlite3_bind_int64(stmt, 1, row->id);
	rows_bind_text(stmt, 2, row->aor);
	rows_bind_text(stmt, 3, row->phone);
	rows_bind_text(stmt, 4, row->realm);
	rows_bind_text(stmt, 5, row->contact);
	rows_bind_text(stmt, 6, row->call_id);
	rows_bind_text(stmt, 7, row->instance);
	sqlite3_bind_int64(stmt, 8, row->reg_id);
	rows_bind_text(stmt, 9, row->path);
	rows_bind_text(stmt, 10, row->user_agent);
	sqlite3_bind_int64(stmt, 11, row->transport);
	rows_bind_addr(stmt, 12, &row->source);
	rows_bind_addr(stmt, 13, &row->local);
	sqlite3_bind_int64(stmt, 14, row->registered_at);
	bind_nat(stmt, 15, &row->nat);
	err = rows_run(stmt);
	/* The strings are the caller's: hold none of them after the call. */
	sqlite3_clear_bindings(stmt);
	return err;
}

int rows_binding_put(struct rows_binding *r, uint64_t seq,
		     const struct binding_row *row)
{
	int err = put_state(r, seq, row);

	if (err)
		return err;
	if (sqlite3_changes(sqlite3_db_handle(r->stmt[STMT_PUT])) == 0)
		return 0; /* a later record wrote it already */
	return put_binding(r, row);
}

int rows_binding_del(struct rows_binding *r, uint64_t seq, uint64_t id)
{
	const int stmts[] = {STMT_DEL, STMT_DEL_STATE};

	for (int i = 0; i < 2; i++) {
		sqlite3_stmt *stmt = r->stmt[stmts[i]];
		int err;

		sqlite3_bind_int64(stmt, 1, id);
		sqlite3_bind_int64(stmt, 2, seq);
		err = rows_run(stmt);
		if (err)
			return err;
	}
	return 0;
}

int rows_binding_refresh(struct rows_binding *r, const struct refresh *re)
{
	sqlite3_stmt *stmt = r->stmt[STMT_REFRESH];

	sqlite3_bind_int64(stmt, 1, re->id);
	sqlite3_bind_int64(stmt, 2, re->after_seq);
	sqlite3_bind_int64(stmt, 3, re->cseq);
	sqlite3_bind_int64(stmt, 4, re->expires_at);
	sqlite3_bind_int64(stmt, 5, re->last_seen);
	return rows_run(stmt);
}

int rows_binding_sweep(struct rows_binding *r, uint64_t seq)
{
	int err;

	sqlite3_bind_int64(r->stmt[STMT_SWEEP], 1, seq);
	sqlite3_bind_int64(r->stmt[STMT_SWEEP_STATE], 1, seq);
	err = rows_run(r->stmt[STMT_SWEEP]);
	return err ? err : rows_run(r->stmt[STMT_SWEEP_STATE]);
}

const char *rows_column_text(sqlite3_stmt *stmt, int at)
{
	return (const char *)sqlite3_column_text(stmt, at);
}

void rows_column_addr(sqlite3_stmt *stmt, int at, struct addr *out)
{
	const char *text = rows_column_text(stmt, at);

	memset(out, 0, sizeof(*out));
	if (text)
		addr_parse_port(out, text); /* unset when somebody edited it */
}

static void nat_read(sqlite3_stmt *stmt, int at, struct store_nat *nat)
{
	nat->flags = sqlite3_column_int64(stmt, at);
	nat->evidence = sqlite3_column_int64(stmt, at + 1);
	nat->alg = sqlite3_column_int64(stmt, at + 2);
	nat->mapping = sqlite3_column_int64(stmt, at + 3);
	nat->filter = sqlite3_column_int64(stmt, at + 4);
	rows_column_addr(stmt, at + 5, &nat->announced);
	nat->floor_s = sqlite3_column_int64(stmt, at + 6);
	nat->ceiling_s = sqlite3_column_int64(stmt, at + 7);
	nat->interval_ms = sqlite3_column_int64(stmt, at + 8);
	nat->phase_ms = sqlite3_column_int64(stmt, at + 9);
}

static void row_read(sqlite3_stmt *stmt, struct binding_row *row)
{
	row->id = sqlite3_column_int64(stmt, 0);
	row->aor = rows_column_text(stmt, 1);
	row->phone = rows_column_text(stmt, 2);
	row->realm = rows_column_text(stmt, 3);
	row->contact = rows_column_text(stmt, 4);
	row->call_id = rows_column_text(stmt, 5);
	row->instance = rows_column_text(stmt, 6);
	row->reg_id = sqlite3_column_int64(stmt, 7);
	row->path = rows_column_text(stmt, 8);
	row->user_agent = rows_column_text(stmt, 9);
	row->transport = sqlite3_column_int(stmt, 10);
	rows_column_addr(stmt, 11, &row->source);
	rows_column_addr(stmt, 12, &row->local);
	row->registered_at = sqlite3_column_int64(stmt, 13);
	row->cseq = sqlite3_column_int64(stmt, 14);
	row->expires_at = sqlite3_column_int64(stmt, 15);
	row->last_seen = sqlite3_column_int64(stmt, 16);
	nat_read(stmt, 17, &row->nat);
}

int rows_binding_each(struct rows_binding *r, rows_binding_fn fn, void *arg)
{
	sqlite3_stmt *stmt = r->stmt[STMT_EACH];
	int rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct binding_row row;

		row_read(stmt, &row);
		fn(arg, &row);
	}
	sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? 0 : db_error(rc);
}

int rows_binding_limits(struct rows_binding *r, uint64_t *id, uint64_t *seq)
{
	sqlite3_stmt *stmt = r->stmt[STMT_LIMITS];
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW) {
		*id = sqlite3_column_int64(stmt, 0);
		*seq = sqlite3_column_int64(stmt, 1);
	}
	sqlite3_reset(stmt);
	return rc == SQLITE_ROW ? 0 : db_error(rc);
}
