/*
 * uci.h - the UCI syntax: text in, one statement after the other out
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Knows nothing of the options' meaning.  Words may be bare, in single quotes
 * (all literal) or in double quotes (a backslash takes the next byte), and may
 * be joined ('a'"b" is one word); # outside quotes starts a comment, ; ends a
 * statement.  Stricter than OpenWrt's reader: sections must have a name, a
 * quote must end in its line, control bytes are refused.
 */
#ifndef SBC_CONFIG_UCI_H
#define SBC_CONFIG_UCI_H

#include "core/buf.h"

enum {
	UCI_WORD_BYTES = 512, /* with the NUL */
	UCI_WORDS = 4,        /* one more than a statement may have */
	UCI_FAULT_BYTES = 160,
};

enum uci_kind { UCI_CONFIG, UCI_OPTION, UCI_LIST };

struct uci {
	struct str text; /* not read yet */
	struct str rest; /* of the present line */
	unsigned line;   /* counts from 1 */
	bool in_line;
	char words[UCI_WORDS][UCI_WORD_BYTES];
	char fault[UCI_FAULT_BYTES];
};

/* Points into the reader: valid until the next call. */
struct uci_item {
	enum uci_kind kind;
	unsigned line;
	const char *key;   /* type of a section, name of an option */
	const char *value; /* name of a section, value of an option */
};

void uci_start(struct uci *u, struct str text);
/*
 * Next statement: 1, or 0 at the end, or -EINVAL with u->line and u->fault;
 * reading may go on after a fault, with the next line.
 */
int uci_next(struct uci *u, struct uci_item *out);
/* A section name: [A-Za-z0-9_-]+, shorter than LIMIT_NAME_BYTES. */
bool uci_is_name(const char *text);

#endif
