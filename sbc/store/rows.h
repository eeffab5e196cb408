/*
 * rows.h - rows of the database as structs; all SQL but the schema is behind it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Errors are those of db_error() in db.h.  One thread at a time.
 */
#ifndef SBC_STORE_ROWS_H
#define SBC_STORE_ROWS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/refresh.h"
#include "store/store.h"

enum {
	STMT_PUT_STATE,
	STMT_PUT,
	STMT_DEL,
	STMT_DEL_STATE,
	STMT_REFRESH,
	STMT_SWEEP,
	STMT_SWEEP_STATE,
	STMT_EACH,
	STMT_LIMITS,
	STMTS
};

struct rows_binding {
	sqlite3_stmt *stmt[STMTS];
};

int rows_binding_prepare(struct rows_binding *r, sqlite3 *sql);
void rows_binding_finish(struct rows_binding *r);

/* Each write carries the number of its journal record; a row that a later
 * record wrote is left alone, so replaying twice or out of time is harmless. */
int rows_binding_put(struct rows_binding *r, uint64_t seq,
		     const struct binding_row *row);
int rows_binding_del(struct rows_binding *r, uint64_t seq, uint64_t id);
int rows_binding_refresh(struct rows_binding *r, const struct refresh *re);
/* Remove every row that was written before record @seq. */
int rows_binding_sweep(struct rows_binding *r, uint64_t seq);

typedef void (*rows_binding_fn)(void *arg, const struct binding_row *row);
int rows_binding_each(struct rows_binding *r, rows_binding_fn fn, void *arg);
/* The largest id and the largest record number; 0 without rows. */
int rows_binding_limits(struct rows_binding *r, uint64_t *id, uint64_t *seq);

/* The history; written like bindings, and read by a thread of its own. */
enum { HISTORY_ADD, HISTORY_COUNT, HISTORY_TRIM, HISTORY_AGE, HISTORY_STMTS };

struct rows_history {
	sqlite3_stmt *stmt[HISTORY_STMTS];
	int64_t n; /* rows, -1 = not counted yet */
};

int rows_history_prepare(struct rows_history *r, sqlite3 *sql);
void rows_history_finish(struct rows_history *r);
/* A record that is there already is left as it is. */
int rows_history_add(struct rows_history *r, uint64_t seq,
		     const struct history_row *row);
/* Remove up to @budget of the oldest rows: those beyond @max, and those from
 * before @until (0 = however old). */
int rows_history_prune(struct rows_history *r, int64_t max, wall_ms until,
		       int64_t budget);
/* The transaction was rolled back: count anew. */
void rows_history_forget(struct rows_history *r);

struct history_query {
	const char *phone;
	bool is_moment; /* store_history_at() for @from, else find() */
	wall_ms from, to;
	size_t max;
};

typedef int (*rows_history_fn)(void *arg, const struct history_row *row);
/* Any connection; @fn ends the reading with an error of its own.  Also finds
 * out when the @oldest row of all phones is from, 0 = there is none. */
int rows_history_each(sqlite3 *sql, const struct history_query *q,
		      rows_history_fn fn, void *arg, wall_ms *oldest);

/* Call records. */
enum { CDR_PUT, CDR_CLOSE_OPEN, CDR_COUNT, CDR_TRIM, CDR_AGE, CDR_STMTS };

struct rows_cdr {
	sqlite3_stmt *stmt[CDR_STMTS];
	int64_t n; /* rows, -1 = not counted yet */
};

int rows_cdr_prepare(struct rows_cdr *r, sqlite3 *sql);
void rows_cdr_finish(struct rows_cdr *r);
/* What a later record wrote is left alone. */
int rows_cdr_put(struct rows_cdr *r, uint64_t seq, const struct cdr_row *row);
/* No call is up any more: end those that are not, at @now. */
int rows_cdr_close_open(struct rows_cdr *r, wall_ms now);
/* As rows_history_prune(). */
int rows_cdr_prune(struct rows_cdr *r, int64_t max, wall_ms until,
		   int64_t budget);
void rows_cdr_forget(struct rows_cdr *r);

typedef int (*rows_cdr_fn)(void *arg, const char *record);
/* Any connection; newest first.  @fn ends the reading with an error. */
int rows_cdr_each(sqlite3 *sql, const struct store_cdr_query *q, rows_cdr_fn fn,
		  void *arg);

/* -- for the files behind this header -------------------------------------- */

/* Run a statement that gives no rows; strings are not kept by it. */
int rows_run(sqlite3_stmt *stmt);
void rows_bind_text(sqlite3_stmt *stmt, int at, const char *text);
void rows_bind_addr(sqlite3_stmt *stmt, int at, const struct addr *a);
const char *rows_column_text(sqlite3_stmt *stmt, int at);
/* Unset when somebody edited it. */
void rows_column_addr(sqlite3_stmt *stmt, int at, struct addr *out);

#endif
