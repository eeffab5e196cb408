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

#endif
