/*
 * uci.c - strict reader of UCI statements
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * line -> words -> statement.  A fault costs the rest of its line, no more,
 * so that one run tells all faults of a file.
 */
#include "config/uci.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/limits.h"

void uci_start(struct uci *u, struct str text)
{
	u->text = text;
	u->rest = (struct str){0};
	u->line = 0;
	u->in_line = false;
	u->fault[0] = '\0';
}

bool uci_is_name(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return n > 0 && n < LIMIT_NAME_BYTES && text[n] == '\0';
}

static int fault(struct uci *u, const char *what)
{
	snprintf(u->fault, sizeof(u->fault), "%s", what);
	u->in_line = false;
	return -EINVAL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static char peek(const struct uci *u)
{
	return u->rest.n ? *u->rest.p : '\0';
}

static char take(struct uci *u)
{
	char c = peek(u);

	if (u->rest.n) {
		u->rest.p++;
		u->rest.n--;
	}
	return c;
}

/* The body of a quoted run up to its closing @quote, appended to @b. */
static int read_quoted(struct uci *u, struct buf *b, char quote)
{
	while (u->rest.n) {
		char c = take(u);

		if (c == quote)
			return 0;
		if (c == '\\' && quote == '"') {
			if (!u->rest.n)
				break;
			c = take(u);
		}
		buf_put(b, &c, 1);
	}
	return fault(u, quote == '"' ? "the double quote is not closed"
				     : "the single quote is not closed");
}

/* One word, which may be joined from bare and quoted runs. */
static int read_word(struct uci *u, char word[UCI_WORD_BYTES])
{
	struct buf b;
	int err = 0;

	buf_init(&b, word, UCI_WORD_BYTES);
	while (!err && u->rest.n) {
		char c = peek(u);

		if (is_blank(c) || c == ';' || c == '#')
			break;
		take(u);
		if (c == '\'' || c == '"') {
			err = read_quoted(u, &b, c);
			continue;
		}
		if (c == '\\') {
			if (!u->rest.n)
				return fault(u, "backslash at end of line");
			c = take(u);
		}
		buf_put(&b, &c, 1);
	}
	if (!err && b.overflow)
		err = fault(u, "a word is longer than 511 bytes");
	return err;
}

/* The words of one statement; their number or -EINVAL. */
static int read_words(struct uci *u)
{
	int n = 0;

	for (;;) {
		while (u->rest.n && is_blank(peek(u)))
			take(u);
		if (!u->rest.n || peek(u) == '#') {
			u->in_line = false;
			return n;
		}
		if (peek(u) == ';') {
			take(u);
			return n;
		}
		if (n == UCI_WORDS)
			return fault(u, "too many words; quotes missing?");
		if (read_word(u, u->words[n]))
			return -EINVAL;
		n++;
	}
}

static int check_bytes(struct uci *u)
{
	for (size_t i = 0; i < u->rest.n; i++) {
		unsigned char c = (unsigned char)u->rest.p[i];

		if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7f)
			return fault(u, "control byte in the text");
	}
	return 0;
}

static int statement(struct uci *u, int n, struct uci_item *out)
{
	const char *word = u->words[0];

	if (!strcmp(word, "config"))
		out->kind = UCI_CONFIG;
	else if (!strcmp(word, "option"))
		out->kind = UCI_OPTION;
	else if (!strcmp(word, "list"))
		out->kind = UCI_LIST;
	else
		return fault(u, "a line starts with config, option or list");
	if (n < 3)
		return fault(u, out->kind == UCI_CONFIG
					? "a section needs a type and a name"
					: "an option needs a name and a value");
	if (n > 3)
		return fault(u, "too many words; quotes missing?");
	if (out->kind == UCI_CONFIG && !uci_is_name(u->words[2]))
		return fault(u, "a section name has 1 to 63 of A-Z a-z 0-9 "
				"_ and -");
	out->line = u->line;
	out->key = u->words[1];
	out->value = u->words[2];
	return 1;
}

int uci_next(struct uci *u, struct uci_item *out)
{
	int n;

	for (;;) {
		if (!u->in_line) {
			if (!str_line(&u->text, &u->rest))
				return 0;
			u->line++;
			u->in_line = true;
			if (check_bytes(u))
				return -EINVAL;
		}
		n = read_words(u);
		if (n < 0)
			return n;
		if (n == 0)
			continue;
		/* What `uci export` writes first; it carries nothing. */
		if (n == 2 && !strcmp(u->words[0], "package"))
			continue;
		return statement(u, n, out);
	}
}
