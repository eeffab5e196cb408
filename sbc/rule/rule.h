/*
 * rule.h - the header table: what it makes of the headers of one request
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   request of a peer ─▶ rules "in" ─▶ carried ─▶ rules "out" ─▶ each target
 *
 * Only headers that are nobody's business but the users' are here: those of
 * the dialog never are (conf_header_kind()).  Pure; texts are borrowed from
 * whoever put them, and from the config snapshot.  Any thread.
 */
#ifndef SBC_RULE_RULE_H
#define SBC_RULE_RULE_H

#include <stdbool.h>

#include "config/config.h"

enum {
	RULE_LINES = 64, /* of one request; further ones do not cross */
	RULE_PASTED_LINES = 256,
};

struct rule_line {
	const char *name, *value;   /* long form; as it is now */
	const char *was;            /* the value as it came; NULL = added */
	const struct conf_rule *by; /* that touched it last, or NULL */
	bool crosses;               /* by itself, or as a rule says */
	bool removed;
};

struct rule_lines {
	struct rule_line list[RULE_LINES];
	unsigned n;
};

/* Which rules are for a request. */
struct rule_scope {
	enum conf_direction direction; /* CONF_IN or CONF_OUT */
	const char *realm, *trunk;     /* of the peer; trunk "" = a phone */
	enum conf_method method; /* CONF_METHODS = one that no rule names */
};

/* One line at the end.  False when there is no room. */
bool rule_put(struct rule_lines *l, const char *name, const char *value,
	      bool crosses);
/* What the table of @cfg makes of @l, from top to bottom. */
void rule_apply(struct rule_lines *l, const struct config *cfg,
		const struct rule_scope *scope);
/* Is line @i to be sent? */
bool rule_goes(const struct rule_lines *l, unsigned i);

/* Does header @name of an INVITE go from one side to the other although no
 * rule says so? */
bool rule_crosses(const char *name);
/* Names of headers that an INVITE may bring across: those that cross by
 * themselves, and those that some rule of @cfg passes. */
unsigned rule_wanted(const struct config *cfg, const char *names[RULE_LINES]);

/* Does @value as a whole fit @pattern, '*' = any run, '?' = one byte?  ""
 * fits everything. */
bool rule_match(const char *pattern, const char *value);

/* ---- a pasted message: pasted.c ------------------------------------------ */

struct rule_pasted {
	char *text;         /* its own copy, which all point into */
	char *start;        /* the first line */
	const char *method; /* NULL = a response */
	struct {
		const char *name, *value; /* long form; unfolded */
	} lines[RULE_PASTED_LINES];
	unsigned n;
};

/*
 * Read the start line and the headers of a SIP message that somebody pasted:
 * line ends may be bare, empty lines may come before.  -EINVAL: it is none,
 * and @line is where; -E2BIG: more than RULE_PASTED_LINES headers; -ENOMEM.
 * A control byte becomes a '?'.
 */
int rule_pasted_read(struct rule_pasted **out, struct str text, unsigned *line);
void rule_pasted_free(struct rule_pasted *p); /* accepts NULL */

#endif
