/*
 * shape.h - inside screen/: what a raw message looks like from outside
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure; every slice points into the message.
 */
#ifndef SBC_SCREEN_SHAPE_H
#define SBC_SCREEN_SHAPE_H

#include <stdbool.h>

#include "core/buf.h"
#include "screen/screen.h"

/* One header with its folded lines; the value is not unfolded. */
struct shape_header {
	struct str name, value;
	bool control; /* the value holds a control byte besides folding, tab
			 and quoted pairs */
	bool nul;     /* it holds a zero byte, quoted or not */
};

/*
 * Take the next header off @text.  Returns 1, 0 at the empty line that ends
 * the headers, -EBADMSG when the line is no header (it is skipped) and
 * -ENODATA when @text ends before the headers do.
 */
int shape_header_next(struct str *text, struct shape_header *out);

struct shape {
	enum screen_verdict verdict;
	struct str call_id; /* p is NULL without one */
};

/* A keepalive of some kind: empty lines, zeros, STUN, a stray byte or two. */
bool shape_is_ping(const uint8_t *p, size_t n);
void shape_look(struct shape *out, const uint8_t *p, size_t n);
/* Skip empty lines and take the start line without its line end. */
bool shape_start_line(struct str *text, struct str *line);

/* ---- via.c: the one header that says where an answer goes -------------- */

struct via_look {
	bool has_host;  /* protocol and sent-by can be read */
	bool is_trap;   /* a parameter that redirects answers */
	bool is_broken; /* parameters against the grammar */
	bool has_received;
	size_t first_end; /* where the first via-parm of the value ends */
	size_t rport_end; /* behind a ";rport" without value; 0 = none */
};

/* Part of is_trap that counts in every Via of a message. */
bool via_has_maddr(struct str value);
void via_look(struct via_look *out, struct str value);

/* RFC 3261 25.1. */
bool shape_is_token_char(unsigned char c);
bool shape_is_token(struct str s);
/* Space, tab, and what is left of a folded line's end. */
bool shape_is_lws(unsigned char c);

#endif
