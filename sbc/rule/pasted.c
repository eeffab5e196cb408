/*
 * pasted.c - a SIP message that somebody pasted, as far as its headers go
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Not for the wire: the SIP stack reads that.  What is pasted from a log or a
 * mail has bare line ends, empty lines in front, and often no body.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rule/rule.h"

enum { PASTED_BYTES = LIMIT_MESSAGE_BYTES };

/* One past the last byte of the line, as a NUL; *@p goes to the next line. */
static char *cut_line(char **p)
{
	char *line = *p, *end = strchr(line, '\n');

	if (!end) {
		*p = line + strlen(line);
		return line;
	}
	*p = end + 1;
	*end = '\0';
	return line;
}

/* Without white space at both ends, the CR among it. */
static char *trimmed(char *text)
{
	size_t n;

	text += strspn(text, " \t\r");
	n = strlen(text);
	while (n && strchr(" \t\r", text[n - 1]))
		n--;
	text[n] = '\0';
	return text;
}

/* "INVITE sip:... SIP/2.0", or "SIP/2.0 200 OK". */
static int read_start(struct rule_pasted *p, char *line)
{
	static const char version[] = "SIP/2.0";
	size_t n = strlen(line), v = strlen(version);
	char *space;

	p->start = strdup(line);
	if (!p->start)
		return -ENOMEM;
	if (!strncmp(line, version, v) && line[v] == ' ')
		return 0;
	space = strchr(line, ' ');
	if (!space || n < v + 1 || strcmp(line + n - v, version) != 0 ||
	    line[n - v - 1] != ' ')
		return -EINVAL;
	*space = '\0';
	p->method = line;
	return conf_header_is_name(line) ? 0 : -EINVAL;
}

/* A folded line (RFC 3261 7.3.1) goes on with the value before it, which ends
 * where this one begins: the gap becomes one space. */
static void unfold(struct rule_pasted *p, char *line)
{
	char *value = (char *)p->lines[p->n - 1].value;
	size_t n = strlen(value);

	value[n] = n ? ' ' : '\0';
	memmove(value + n + (n > 0), line, strlen(line) + 1);
}

static int read_header(struct rule_pasted *p, char *line)
{
	char *colon = strchr(line, ':');
	char *name;

	if (!colon)
		return -EINVAL;
	*colon = '\0';
	name = trimmed(line);
	if (!conf_header_is_name(name))
		return -EINVAL;
	if (p->n == RULE_PASTED_LINES)
		return -E2BIG;
	p->lines[p->n].name = conf_header_long(name);
	p->lines[p->n++].value = trimmed(colon + 1);
	return 0;
}

static int read_lines(struct rule_pasted *p, unsigned *number)
{
	char *rest = p->text, *line;
	int err = 0;

	*number = 0;
	while (*rest && !err) {
		bool folded = *rest == ' ' || *rest == '\t';

		++*number;
		line = trimmed(cut_line(&rest));
		if (!*line && p->start)
			break; /* the body, or nothing */
		if (!*line)
			continue;
		if (!p->start)
			err = read_start(p, line);
		else if (folded && p->n)
			unfold(p, line);
		else
			err = folded ? -EINVAL : read_header(p, line);
	}
	return err || p->start ? err : -EINVAL;
}

/* What would end the text, or drive a terminal. */
static void tame(char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && !strchr("\t\r\n", c)) || c == 0 || c == 0x7f)
			text[i] = '?';
	}
}

int rule_pasted_read(struct rule_pasted **out, struct str text, unsigned *line)
{
	struct rule_pasted *p = calloc(1, sizeof(*p));
	int err = 0;

	*line = 0;
	if (!p)
		return -ENOMEM;
	if (text.n > PASTED_BYTES)
		err = -E2BIG;
	else if (!(p->text = str_dup(text)))
		err = -ENOMEM;
	if (err)
		goto fail;
	tame(p->text, text.n);
	err = read_lines(p, line);
	if (err)
		goto fail;
	*out = p;
	return 0;
fail:
	rule_pasted_free(p);
	return err;
}

void rule_pasted_free(struct rule_pasted *p)
{
	if (!p)
		return;
	free(p->start);
	free(p->text);
	free(p);
}
