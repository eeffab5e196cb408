/*
 * cdr.h - call detail records: one call attempt as JSON, and that as CSV
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure; any thread.  The JSON has a version number "v"; fields are only ever
 * added.  Times are RFC 3339 in UTC with milliseconds, or null.
 */
#ifndef SBC_CDR_CDR_H
#define SBC_CDR_CDR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/buf.h"
#include "core/clock.h"

enum {
	CDR_VERSION = 1,
	CDR_ID_CHARS = 36,
	CDR_MEDIA_MAX = 16,
	CDR_ATTEMPTS_MAX = 16,
};

/* A UUID of version 7 (RFC 9562 5.7) for a call that began at @t. */
void cdr_make_id(char id[CDR_ID_CHARS + 1], wall_ms t);

/* One party.  Texts are borrowed; NULL = not known. */
struct cdr_side {
	const char *realm, *peer; /* phone or trunk section */
	bool is_trunk;
	const char *transport, *call_id;
	struct addr source; /* where its SIP comes from */
	const char *nat;    /* the verdict in words */
};

struct cdr_media {
	char side; /* 'a' or 'b' */
	struct str type, codec;
	struct addr local, remote; /* remote: the learned one, if any */
	bool latched;
	uint64_t in_packets, in_bytes, in_lost, out_packets, out_bytes;
};

/* A target that was asked. */
struct cdr_attempt {
	const char *peer;
	wall_ms at;
	int status; /* its final answer; 0 = none */
};

struct cdr {
	const char *id;
	wall_ms started_at, ringing_at, answered_at, ended_at; /* 0 = never */
	int64_t duration_ms; /* of the talk; -1 = never answered */
	const char *from_received, *from_sent; /* users */
	const char *to_received, *to_sent;
	struct cdr_side a, b;
	int status;           /* final answer to the caller; 0 = none yet */
	int q850;             /* 0 = none */
	const char *cause;    /* why it ended, one of a fixed set of words */
	const char *reason;   /* the same as a sentence, when we refused it */
	const char *ended_by; /* "a", "b", "sbc"; NULL = it is not over */
	bool is_emergency;
	struct cdr_media media[CDR_MEDIA_MAX];
	unsigned n_media;
	struct cdr_attempt attempts[CDR_ATTEMPTS_MAX];
	unsigned n_attempts;
	const char *transferred; /* how it began or ended by one; NULL */
};

/* One line without a line end; free() it.  NULL: no memory, or longer than any
 * record of the box is. */
char *cdr_json(const struct cdr *c);

/* Titles of the columns, and a record as one line of CSV (RFC 4180, with its
 * line end); a cell that a spreadsheet would take for a formula is quoted with
 * an apostrophe.  @out overflows silently, see core/buf.h. */
void cdr_csv_header(struct buf *out);
void cdr_csv_row(struct buf *out, const json_t *record);

#endif
