/*
 * secrets.c - passwords and keys that are kept out of the config, in a file of
 * their own
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Lines `name=value`, # comments, blank lines.  The file is opened only when
 * the config names a secret, and refused when others than its owner may read
 * it.  No fault ever tells a value.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/load.h"
#include "config/uci.h"
#include "core/list.h"

struct secret {
	struct hash_node node;
	char name[LIMIT_NAME_BYTES];
	struct str value; /* into the text */
	unsigned line;
};

struct secrets {
	char path[512];
	char *text;
	size_t text_n;
	struct secret *list;
	size_t n;
	struct hash by_name;
};

static bool is_named(const struct hash_node *node, const void *key)
{
	return !strcmp(container_of(node, const struct secret, node)->name,
		       key);
}

static const struct secret *find(const struct secrets *s, const char *name)
{
	const struct hash_node *node =
		hash_find(&s->by_name, hash_text(name), is_named, name);

	return node ? container_of(node, const struct secret, node) : NULL;
}

/* Relative names are beside the config. */
static void make_path(struct secrets *s, const struct load *l)
{
	const char *name = l->secrets[0] ? l->secrets : "secrets";
	const char *slash = strrchr(l->file, '/');

	if (name[0] == '/' || !slash)
		snprintf(s->path, sizeof(s->path), "%s", name);
	else
		snprintf(s->path, sizeof(s->path), "%.*s%s",
			 (int)(slash + 1 - l->file), l->file, name);
}

/* The text of the file; false after a fault was told. */
static bool read_file(struct secrets *s, struct load *l)
{
	int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t got = -1;

	if (fd < 0 || fstat(fd, &st)) {
		load_fault_in(l, s->path, 0, "cannot be read: %s",
			      strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		load_fault_in(l, s->path, 0, "is not a plain file");
	} else if (st.st_mode & 0177) {
		load_fault_in(l, s->path, 0,
			      "has mode %04o; secrets are read from a file "
			      "of mode 0600 only",
			      (unsigned)st.st_mode & 07777);
	} else if (st.st_size > CONF_SECRETS_BYTES) {
		load_fault_in(l, s->path, 0, "is too large");
	} else {
		s->text = malloc((size_t)st.st_size + 1);
		if (!s->text)
			load_oom(l);
		else
			got = read(fd, s->text, (size_t)st.st_size);
		if (s->text && got < 0)
			load_fault_in(l, s->path, 0, "cannot be read: %s",
				      strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	if (got < 0)
		return false;
	s->text_n = (size_t)got;
	return true;
}

/* A control byte would end up in a header or a hash. */
static bool is_plain(struct str value)
{
	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] < 0x20 || value.p[i] == 0x7f)
			return false;
	return value.n > 0 && value.n < 256;
}

static void add(struct secrets *s, struct load *l, struct str line,
		unsigned number)
{
	struct secret one = {.line = number};
	bool assigned = memchr(line.p, '=', line.n) != NULL;
	struct str name = str_trim(str_cut(&line, '='));

	if (!assigned || str_copy(one.name, sizeof(one.name), name) ||
	    !uci_is_name(one.name)) {
		load_fault_in(l, s->path, number, "a line is 'name=value'");
		return;
	}
	one.value = str_trim(line);
	if (!is_plain(one.value)) {
		load_fault_in(l, s->path, number,
			      "the value of '%s' is empty, too long or holds "
			      "a control byte",
			      one.name);
		return;
	}
	if (!array_room(&s->list, s->n, sizeof(one))) {
		load_oom(l);
		return;
	}
	s->list[s->n++] = one;
}

static void read_lines(struct secrets *s, struct load *l)
{
	struct str text = {s->text, s->text_n}, line;

	for (unsigned number = 1; str_line(&text, &line) && !l->oom; number++) {
		line = str_trim(line);
		if (line.n && *line.p != '#')
			add(s, l, line, number);
	}
	for (size_t i = 0; i < s->n && !l->oom; i++) {
		struct secret *one = &s->list[i];
		const struct secret *other = find(s, one->name);

		if (other)
			load_fault_in(l, s->path, one->line,
				      "'%s' was given in line %u already",
				      one->name, other->line);
		else if (hash_insert(&s->by_name, &one->node,
				     hash_text(one->name)))
			load_oom(l);
	}
}

/* The text of section @i that may name a secret, and its option's name. */
static char **secret_text(const struct load *l, size_t i, const char **option)
{
	if (l->sections[i].type == TYPE_PHONE) {
		*option = "password";
		return &((struct conf_phone *)section_at(l, i))->password;
	}
	if (l->sections[i].type == TYPE_TRUNK) {
		*option = "password";
		return &((struct conf_trunk *)section_at(l, i))->password;
	}
	if (l->sections[i].type == TYPE_SBC) {
		*option = "flow_key";
		return &((struct conf_global *)section_at(l, i))->flow_key;
	}
	return NULL;
}

static void resolve(struct secrets *s, struct load *l, size_t i)
{
	const char *option, *type = conf_types[l->sections[i].type].name;
	char **text = secret_text(l, i, &option);
	const char *name = *text + strlen(SECRET_PREFIX);
	const struct secret *one = find(s, name);
	char *value;

	if (!one) {
		load_fault(l, option_line(l, i, option),
			   "%s '%s': there is no secret '%.60s' in %.100s",
			   type, section_name(l, i), name, s->path);
		return;
	}
	if (l->sections[i].type == TYPE_SBC && one->value.n < CONF_KEY_BYTES) {
		load_fault(l, option_line(l, i, option),
			   "%s '%s': the secret '%.60s' is to have %d bytes or "
			   "more",
			   type, section_name(l, i), name, CONF_KEY_BYTES);
		return;
	}
	value = str_dup(one->value);
	if (!value) {
		load_oom(l);
		return;
	}
	free(*text);
	*text = value;
}

static bool is_reference(const struct load *l, size_t i)
{
	const char *option;
	char **text = secret_text(l, i, &option);

	return text && *text &&
	       !strncmp(*text, SECRET_PREFIX, strlen(SECRET_PREFIX));
}

void secrets_resolve(struct load *l)
{
	struct secrets s = {.text = NULL};
	size_t first = 0;

	while (first < l->n_sections && !is_reference(l, first))
		first++;
	if (first == l->n_sections && !l->secrets_line)
		return;
	hash_init(&s.by_name);
	make_path(&s, l);
	if (read_file(&s, l)) {
		read_lines(&s, l);
		for (size_t i = first; i < l->n_sections && !l->oom; i++)
			if (is_reference(l, i))
				resolve(&s, l, i);
		explicit_bzero(s.text, s.text_n);
	}
	hash_clear(&s.by_name);
	free(s.list);
	free(s.text);
}
