/*
 * reader.h - questions for the database, and the thread that answers them
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A kind of question is a struct that begins with struct question; history.c
 * and cdr.c make some.
 */
#ifndef SBC_STORE_READER_H
#define SBC_STORE_READER_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/list.h"

struct store;
struct question;

struct question_ops {
	/* Reader's thread: fill in the answer.  -EIO and other errors. */
	int (*read)(struct question *q, sqlite3 *sql);
	/* SIP thread: tell who asked; @err as read() said, or -EIO. */
	void (*tell)(struct question *q, int err);
	void (*free)(struct question *q);
};

struct question {
	const struct question_ops *ops;
	struct list in_asked; /* SIP thread */
	struct list node;     /* of todo or answered */
	void *arg;            /* of who asked */
	bool is_forgotten;    /* SIP thread: he is gone */
	uint64_t seq;         /* the record that the answer must know */
	uint64_t failures;    /* when it was asked */
	int err;
};

/*
 * SIP thread: take @q, whose ops and arg are set; free() follows tell() in any
 * case.  What was added before is in the answer.  On errors @q stays the
 * caller's: -ENOMEM; -EAGAIN: too many are asked; -ENOTSUP: there is no loop.
 */
int reader_ask(struct store *s, struct question *q);

#endif
