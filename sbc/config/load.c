/*
 * load.c - config text into a snapshot
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   uci.c statements -> sections by the rows of options.c -> standard values
 *   -> secrets.c -> snapshot.c indexes -> validate.c -> all or nothing
 *
 * A fault never stops the reading: the admin gets the whole list at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/load.h"
#include "config/uci.h"

bool array_room(void *p, size_t n, size_t size)
{
	void **array = p;
	void *grown;

	/* The room is always the next power of two, so it need not be kept. */
	if (n & (n - 1) || (!n && *array))
		return true;
	grown = realloc(*array, (n ? n * 2 : 1) * size);
	if (!grown)
		return false;
	*array = grown;
	return true;
}

void *section_at(const struct load *l, size_t i)
{
	const struct section *s = &l->sections[i];
	const struct section_type *t = &conf_types[s->type];
	char *array = *(char **)((char *)l->c + t->array);

	return array + s->index * t->size;
}

const char *section_name(const struct load *l, size_t i)
{
	const struct section_type *t = &conf_types[l->sections[i].type];

	if (l->sections[i].type == TYPE_SBC)
		return "global";
	return (char *)section_at(l, i) + t->name_at;
}

unsigned option_line(const struct load *l, size_t i, const char *name)
{
	const struct section *s = &l->sections[i];
	const struct section_type *t = &conf_types[s->type];

	for (unsigned o = 0; o < t->n_options; o++)
		if (!strcmp(t->options[o].name, name))
			return l->lines[s->first_line + o];
	return 0;
}

/* ---- sections ----------------------------------------------------------- */

static bool open_section(struct load *l, enum conf_type type, unsigned line,
			 const char *name)
{
	const struct section_type *t = &conf_types[type];
	char **array = (char **)((char *)l->c + t->array);
	size_t *count = (size_t *)((char *)l->c + t->count);
	size_t first = l->n_lines;
	char *at;

	for (unsigned i = 0; i < t->n_options; i++) {
		if (!array_room(&l->lines, l->n_lines, sizeof(*l->lines))) {
			load_oom(l);
			return false;
		}
		l->lines[l->n_lines++] = 0;
	}
	if (!array_room(&l->sections, l->n_sections, sizeof(*l->sections)) ||
	    !array_room(array, *count, t->size)) {
		load_oom(l);
		return false;
	}
	at = *array + *count * t->size;
	memset(at, 0, t->size);
	if (type != TYPE_SBC)
		str_copy(at + t->name_at, LIMIT_NAME_BYTES, str_of(name));
	l->sections[l->n_sections++] = (struct section){
		.type = type,
		.line = line,
		.index = (*count)++,
		.first_line = first,
	};
	return true;
}

static const char *nearest_type(const char *key)
{
	const char *best = "";
	unsigned least = ~0u;

	for (unsigned i = 0; i < CONF_TYPES; i++) {
		unsigned d = word_distance(conf_types[i].name, key);

		if (d < least) {
			least = d;
			best = conf_types[i].name;
		}
	}
	return best;
}

/* False when what follows up to the next section is to be passed over. */
static bool read_section(struct load *l, const struct uci_item *item)
{
	const struct section_type *t;
	unsigned type = 0;

	while (type < CONF_TYPES && strcmp(conf_types[type].name, item->key))
		type++;
	if (type == CONF_TYPES) {
		load_fault(l, item->line,
			   "unknown section '%.40s'; the nearest is '%s'",
			   item->key, nearest_type(item->key));
		return false;
	}
	t = &conf_types[type];
	if (type == TYPE_SBC && strcmp(item->value, "global")) {
		load_fault(l, item->line,
			   "the section sbc is called 'global', not '%s'",
			   item->value);
		return false;
	}
	if (*(size_t *)((char *)l->c + t->count) == t->max) {
		load_fault(l, item->line, "more than %zu sections '%s'", t->max,
			   t->name);
		return false;
	}
	return open_section(l, type, item->line, item->value);
}

static const char *nearest_option(const struct section_type *t, const char *key)
{
	const char *best = "";
	unsigned least = ~0u;

	for (unsigned i = 0; i < t->n_options; i++) {
		unsigned d = word_distance(t->options[i].name, key);

		if (d < least) {
			least = d;
			best = t->options[i].name;
		}
	}
	return best;
}

static void read_option(struct load *l, const struct uci_item *item)
{
	size_t i = l->n_sections - 1;
	const struct section_type *t = &conf_types[l->sections[i].type];
	const struct option *o;
	struct setting s;
	unsigned n = 0, *line;

	while (n < t->n_options && strcmp(t->options[n].name, item->key))
		n++;
	if (n == t->n_options) {
		load_fault(l, item->line,
			   "%s '%s': unknown option '%.40s'; the nearest is "
			   "'%s'",
			   t->name, section_name(l, i), item->key,
			   nearest_option(t, item->key));
		return;
	}
	o = &t->options[n];
	line = &l->lines[l->sections[i].first_line + n];
	if (o->list != (item->kind == UCI_LIST)) {
		load_fault(l, item->line, "%s '%s': %s is written as '%s %s'",
			   t->name, section_name(l, i), o->name,
			   o->list ? "list" : "option", o->name);
		return;
	}
	if (*line && !o->list) {
		load_fault(l, item->line,
			   "%s '%s': option '%s' was given in line %u already",
			   t->name, section_name(l, i), o->name, *line);
		return;
	}
	if (!*line)
		*line = item->line;
	s = (struct setting){l,          i,          o, section_at(l, i),
			     item->line, item->value};
	o->set(&s);
}

static void read_text(struct load *l, struct str text)
{
	struct uci *u = malloc(sizeof(*u));
	struct uci_item item;
	bool open = false, seen = false;
	int got;

	if (!u) {
		load_oom(l);
		return;
	}
	uci_start(u, text);
	while ((got = uci_next(u, &item)) != 0 && !l->oom) {
		if (got < 0) {
			load_fault(l, u->line, "%s", u->fault);
		} else if (item.kind == UCI_CONFIG) {
			open = read_section(l, &item);
			seen = true;
		} else if (open) {
			read_option(l, &item);
		} else if (!seen) {
			load_fault(l, item.line,
				   "'%.40s' stands before the first section",
				   item.key);
		}
	}
	free(u);
}

/* ---- standard values ---------------------------------------------------- */

static void standard_options(struct load *l, size_t i)
{
	const struct section *sec = &l->sections[i];
	const struct section_type *t = &conf_types[sec->type];

	for (unsigned n = 0; n < t->n_options; n++) {
		const struct option *o = &t->options[n];
		struct setting s = {l,         i,          o, section_at(l, i),
				    sec->line, o->standard};

		if (l->lines[sec->first_line + n])
			continue;
		if (o->need)
			load_fault(l, sec->line, "%s '%s' needs '%s %s'",
				   t->name, section_name(l, i),
				   o->list ? "list" : "option", o->name);
		else if (o->standard)
			o->set(&s);
	}
}

static void standard_realm(struct load *l, size_t i)
{
	static const struct conf_listen both[] = {{CONF_UDP, 5060},
						  {CONF_TCP, 5060}};
	struct conf_realm *r = section_at(l, i);

	if (option_line(l, i, "listen"))
		return;
	for (unsigned n = 0; n < 2; n++) {
		if (!array_room(&r->listen, n, sizeof(*r->listen))) {
			load_oom(l);
			return;
		}
		r->listen[n] = both[n];
		r->n_listen = n + 1;
		l->listen_lines[l->sections[i].index][n] = l->sections[i].line;
	}
}

static void standard_phone(struct load *l, size_t i)
{
	struct conf_phone *p = section_at(l, i);

	if (!p->user[0])
		strcpy(p->user, p->name);
	if (!p->auth_user[0])
		strcpy(p->auth_user, p->user);
	if (!option_line(l, i, "digest"))
		p->digest = CONF_DIGEST_UNSET;
}

/* Members of the policy that a trunk may leave to its realm. */
static const struct {
	const char *option;
	size_t at;
} inherited[] = {
	{"ptime", offsetof(struct conf_policy, ptime_ms)},
	{"media", offsetof(struct conf_policy, media)},
	{"dtmf", offsetof(struct conf_policy, dtmf)},
	{"rel100", offsetof(struct conf_policy, rel100)},
	{"session_expires", offsetof(struct conf_policy, session_expires_s)},
	{"min_se", offsetof(struct conf_policy, min_se_s)},
	{"refer", offsetof(struct conf_policy, refer)},
};

static void inherit_codecs(struct load *l, struct conf_policy *to,
			   const struct conf_policy *from)
{
	for (unsigned i = 0; i < from->n_codecs; i++) {
		if (!array_room(&to->codecs, i, sizeof(*to->codecs))) {
			load_oom(l);
			return;
		}
		memcpy(to->codecs[i], from->codecs[i], sizeof(*to->codecs));
		to->n_codecs = i + 1;
	}
}

/* Once the realms are complete. */
static void inherit(struct load *l, size_t i)
{
	struct conf_trunk *t = section_at(l, i);
	const struct conf_realm *r = NULL;

	for (size_t n = 0; n < l->c->n_realms && !r; n++)
		if (!strcmp(l->c->realms[n].name, t->realm))
			r = &l->c->realms[n];
	if (!r)
		return; /* validate() tells */
	for (size_t n = 0; n < sizeof(inherited) / sizeof(*inherited); n++)
		if (!option_line(l, i, inherited[n].option))
			memcpy((char *)&t->policy + inherited[n].at,
			       (const char *)&r->policy + inherited[n].at,
			       sizeof(unsigned));
	if (!option_line(l, i, "codec"))
		inherit_codecs(l, &t->policy, &r->policy);
}

static void standard_trunk(struct load *l, size_t i)
{
	struct conf_trunk *t = section_at(l, i);
	uint16_t port = l->sections[i].port;

	for (unsigned n = 0; n < t->n_hosts; n++) {
		struct conf_host *h = &t->hosts[n];

		if (port)
			h->port = port;
		if (addr_is_set(&h->addr))
			addr_set_port(&h->addr, h->port ? h->port : 5060);
	}
	if (t->n_hosts) {
		t->host = t->hosts[0].addr;
		t->port_written = t->hosts[0].port != 0;
	}
	if (!t->auth_user[0])
		strcpy(t->auth_user, t->username);
	/* Where there is a choice, or a registration that may be lost. */
	if (!option_line(l, i, "options_interval") &&
	    (t->do_register || t->n_hosts > 1 || !addr_is_set(&t->host)))
		t->options_interval_s = 30;
}

/* A realm passes all that it can, unless it is told what. */
static void standard_media(struct load *l, size_t i)
{
	struct conf_realm *r = section_at(l, i);

	if (!r->policy.media)
		r->policy.media = CONF_MEDIA_AUDIO | CONF_MEDIA_VIDEO |
				  CONF_MEDIA_IMAGE | CONF_MEDIA_OTHER;
}

static void standard_values(struct load *l)
{
	if (l->c->n_globals == 0 && !open_section(l, TYPE_SBC, 0, "global"))
		return;
	for (size_t i = 0; i < l->n_sections && !l->oom; i++) {
		standard_options(l, i);
		switch (l->sections[i].type) {
		case TYPE_REALM:
			standard_realm(l, i);
			standard_media(l, i);
			break;
		case TYPE_PHONE:
			standard_phone(l, i);
			break;
		case TYPE_TRUNK:
			standard_trunk(l, i);
			break;
		default:
			break;
		}
	}
	for (size_t i = 0; i < l->n_sections && !l->oom; i++)
		if (l->sections[i].type == TYPE_TRUNK)
			inherit(l, i);
	for (size_t i = 0; i < l->c->n_realms && l->c->n_globals; i++) {
		struct conf_realm *r = &l->c->realms[i];
		const char *host = l->c->globals->hostname;

		strcpy(r->digest_realm, r->domain[0] ? r->domain
					: host[0]    ? host
						     : "sbc");
	}
}

/* ---- the whole ---------------------------------------------------------- */

int config_parse(struct config **out, const char *name, struct str text,
		 struct conf_errors *errs)
{
	struct load *l = calloc(1, sizeof(*l));
	struct config *c = calloc(1, sizeof(*c));
	int err = 0;

	*errs = (struct conf_errors){0};
	if (!l || !c) {
		free(l);
		free(c);
		return -ENOMEM;
	}
	c->refs = 1;
	l->c = c;
	l->file = name;
	l->errs = errs;
	l->suggestions = CONF_SUGGESTIONS;
	if (text.n > CONF_TEXT_BYTES)
		load_fault(l, 0, "the file is larger than %d MB",
			   CONF_TEXT_BYTES >> 20);
	else
		read_text(l, text);
	standard_values(l);
	if (!l->oom && config_index(c))
		load_oom(l);
	if (!l->oom) {
		secrets_resolve(l);
		validate(l);
	}
	if (l->failed) {
		faults_sort(l);
		err = l->oom ? -ENOMEM : -EINVAL;
		config_unref(c);
	} else {
		*out = c;
	}
	free(l->sections);
	free(l->lines);
	free(l->refs);
	free(l);
	return err;
}

/* All bytes of @fd into malloced memory, at most @most and one more. */
static int read_all(int fd, size_t most, char **out, size_t *len)
{
	size_t n = 0, room = 0;
	char *text = NULL;
	ssize_t got;

	for (;;) {
		if (n == room) {
			char *grown;

			room = room ? room * 2 : 65536;
			grown = realloc(text, room);
			if (!grown) {
				free(text);
				return -ENOMEM;
			}
			text = grown;
		}
		got = read(fd, text + n, room - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
		if (n > most)
			break;
	}
	if (got < 0) {
		int err = -errno;

		free(text);
		return err;
	}
	*out = text;
	*len = n;
	return 0;
}

int config_load(struct config **out, const char *path, struct conf_errors *errs)
{
	struct load l = {.file = path, .errs = errs};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t n = 0;
	int err = fd < 0 ? -errno : 0;

	*errs = (struct conf_errors){0};
	if (!err)
		err = read_all(fd, CONF_TEXT_BYTES, &text, &n);
	if (fd >= 0)
		close(fd);
	if (err) {
		load_fault(&l, 0, "cannot be read: %s", strerror(-err));
		return err;
	}
	err = config_parse(out, path, (struct str){text, n}, errs);
	free(text);
	return err;
}
