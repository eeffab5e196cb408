/*
 * load.h - inside config/: the snapshot's body and what is known while it is
 * being built
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_CONFIG_LOAD_H
#define SBC_CONFIG_LOAD_H

#include "config/config.h"

/* Bounds on what one file may hold. */
enum {
	CONF_TEXT_BYTES = 64 << 20,
	CONF_SECRETS_BYTES = 16 << 20,
	CONF_ERRORS = 10000,   /* told; then one last "more" */
	CONF_SUGGESTIONS = 20, /* of names out of the file: a search each */
	CONF_REALMS = 64,
	CONF_ADDRESSES = 32, /* of a realm */
	CONF_LISTENS = 16,   /* of a realm */
	CONF_ALIASES = 64,   /* of a realm */
	CONF_PHONES = 500000,
	CONF_TRUNKS = 4096,
	CONF_ROUTES = 4096,
	CONF_KEY_BYTES = 16, /* least of a flow_key */
	CONF_RULES = 1024,
};

/* One name of a realm or trunk, or a host of a trunk, in a hash. */
struct conf_index {
	struct hash_node node;
	const void *what;
	const struct conf_host *host; /* of a trunk in trunk_hosts */
};

struct config {
	unsigned refs;
	struct conf_global *globals; /* exactly one */
	struct conf_realm *realms;
	struct conf_phone *phones;
	struct conf_trunk *trunks;
	struct conf_route *routes;
	struct conf_rule *rules;
	size_t n_globals, n_realms, n_phones, n_trunks, n_routes, n_rules;

	struct conf_index *index; /* nodes of the three below */
	struct hash realm_names, trunk_names, trunk_hosts;
	struct hash phone_names, phone_users, phone_auths;
};

/* Fill the hashes once the arrays do not move any more.  -ENOMEM. */
int config_index(struct config *c);

enum conf_type {
	TYPE_SBC,
	TYPE_REALM,
	TYPE_PHONE,
	TYPE_TRUNK,
	TYPE_ROUTE,
	TYPE_RULE,
	CONF_TYPES
};

/* A section of the file. */
struct section {
	enum conf_type type;
	unsigned line;
	size_t index;      /* in the snapshot's array */
	uint16_t port;     /* of a trunk, 0 = not written */
	size_t first_line; /* of its options, in load.lines */
};

/* A name that must exist elsewhere in the file; looked up at the end. */
enum ref_kind { REF_REALM, REF_TRUNK, REF_TARGET };
struct reference {
	enum ref_kind kind;
	unsigned line;
	size_t section;
	char name[LIMIT_NAME_BYTES];
};

struct load {
	struct config *c;
	const char *file;
	struct conf_errors *errs;
	size_t errs_room;
	unsigned suggestions;
	bool failed, oom;
	struct section *sections;
	size_t n_sections;
	/* For each section one per option of its type: where it is written,
	 * 0 = nowhere. */
	unsigned *lines;
	size_t n_lines;
	struct reference *refs;
	size_t n_refs;
	char secrets[256]; /* option secrets */
	unsigned secrets_line;
	unsigned listen_lines[CONF_REALMS][CONF_LISTENS];
};

struct option;

/* One value on its way into the snapshot. */
struct setting {
	struct load *l;
	size_t section;
	const struct option *opt;
	void *at; /* the section's struct in the snapshot */
	unsigned line;
	const char *value;
};

/* Puts the value in its place, or tells the fault. */
typedef void (*option_fn)(const struct setting *s);

struct option {
	const char *name;
	option_fn set;
	size_t offset;            /* of the member */
	unsigned long min, max;   /* numbers; max = size of texts */
	const char *const *words; /* enums, NULL-terminated */
	const char *standard;     /* value when absent; NULL = leave zero */
	bool list, need;
};

/* A type of section: where its structs live and what it may say. */
struct section_type {
	const char *name;
	size_t array, count; /* offsets in struct config */
	size_t size, max;    /* of a struct; how many */
	size_t name_at;      /* offset of name in it */
	const struct option *options;
	unsigned n_options;
};

extern const struct section_type conf_types[CONF_TYPES];

/* The struct of section number @i; moves when sections are added. */
void *section_at(const struct load *l, size_t i);
const char *section_name(const struct load *l, size_t i);
/* The first line of the option called @name in section @i, 0 = not written. */
unsigned option_line(const struct load *l, size_t i, const char *name);
/* Grow array @p of @n elements of @size so that one more fits (doubling). */
bool array_room(void *p, size_t n, size_t size);

/* validate.c: what only shows when the whole file is known. */
void validate(struct load *l);
/* NULL, or what is wrong with a dial pattern. */
const char *pattern_fault(const char *pattern);
/* secrets.c: replace every '@secret:name'. */
void secrets_resolve(struct load *l);
#define SECRET_PREFIX "@secret:"

/* fault.c */
void load_fault(struct load *l, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void load_fault_in(struct load *l, const char *file, unsigned line,
		   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void load_oom(struct load *l);
/* By file and line. */
void faults_sort(struct load *l);
/* How many single-byte edits lie between two words. */
unsigned word_distance(const char *a, const char *b);

#endif
