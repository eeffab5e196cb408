/*
 * api.h - what the box tells about itself, as JSON over a unix socket
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One JSON line in, one out:
 *   {"method":"GET","path":"/calls"}
 *   {"status":200,"body":{"calls":[...]}}
 * The shapes of status, phones and calls are a contract: they are only ever
 * extended (snake_case).  SIP thread only; a slow client never makes it wait,
 * nor does a question for the disk, whose answer comes later.
 */
#ifndef SBC_API_API_H
#define SBC_API_API_H

#include <jansson.h>

#include "call/call.h"
#include "config/config.h"
#include "core/buf.h"
#include "core/limits.h"
#include "core/loop.h"
#include "nat/nat.h"
#include "pass/pass.h"
#include "registrar/registrar.h"
#include "sip/sip.h"
#include "store/store.h"
#include "trunk/trunk.h"

/* Where the answers come from. */
struct api_source {
	struct sip_stack *sip;
	struct store *store;
	struct media *media;
	struct registrar *registrar;
	struct trunks *trunks;
	struct calls *calls;
	struct passes *passes;
	struct keepalive *keepalive;
	struct config *const *config; /* the one in force */
	const bool *ready;
	mono_ms started;
	/* POST /reload: 0, or -errno with the old configuration in force. */
	int (*reload)(void *arg);
	void *arg;
};

struct ctl; /* the unix socket */

/* Listens at @path (0660), replacing a socket that nobody serves.  -errno. */
int ctl_open(struct ctl **out, struct loop *loop, const char *path,
	     const struct api_source *source);
void ctl_close(struct ctl *ctl); /* removes the socket; accepts NULL */

/* A list that is given out piece by piece: {"phones":[...]} */
struct api_list {
	const char *name; /* NULL = the answer is no list */
	/* Appends to @out; 0 = it was given out to its end. */
	unsigned (*slice)(const struct api_source *source,
			  struct api_list *list, json_t *out);
	uint64_t after;
	char phone[LIMIT_NAME_BYTES]; /* only of this one */
};

/* An answer that comes later, once, unless resource_forget() is called. */
struct api_later {
	void (*done)(void *arg, int status, json_t *body); /* takes @body */
	void *arg;
	struct api_wait *wait; /* what to forget; NULL = nothing is under way */
};

/*
 * Answer one request; returns the status and a new reference in @body, or
 * 200 and fills in @list, whose items resource_next() gives out (then @body is
 * NULL or what stands before the list), or 0: @later is told.
 */
int resource_handle(const struct api_source *source, const char *method,
		    const char *path, json_t **body, struct api_list *list,
		    struct api_later *later);
/* The next few items as an array, a new reference; it may be empty before the
 * end.  NULL: out of memory. */
json_t *resource_next(const struct api_source *source, struct api_list *list,
		      bool *is_end);
/* The client has gone.  Accepts NULL. */
void resource_forget(struct api_wait *wait);

/* ---- was it reachable then? ---------------------------------------------- */

/*
 * Pure: rows of the history and what is known now go in, a verdict with the
 * times that prove it comes out.
 */

/* From best to worst: a phone is as reachable as its best binding. */
enum reach_verdict {
	REACH_YES,
	REACH_PROBABLY, /* nothing says otherwise */
	REACH_UNKNOWN,
	REACH_PROBABLY_NOT, /* it was silent, and found lost later */
	REACH_NO,
};

/* How it is known; each has a name, reach_why_name(). */
enum reach_why {
	REACH_PROVED,         /* heard along one flow before and after */
	REACH_UNCONTRADICTED, /* heard before, and nothing since */
	REACH_FOUND_LOST,     /* silent, then found lost */
	REACH_LOST,
	REACH_ENDED,   /* its registration had ended */
	REACH_NOT_YET, /* it registered later */
	REACH_NEVER,   /* it has no history */
	REACH_RESTART, /* silent until the box was started anew */
	REACH_MOVED,   /* silent until it came from elsewhere */
	REACH_SILENT,  /* silent until its registration ended */
	REACH_UNTOLD,  /* rows are missing: the store was sick */
	REACH_TOO_OLD, /* before the history begins */
	REACH_WHYS
};

/* A binding that there is now. */
struct reach_now {
	uint64_t binding;
	wall_ms registered_at;
	wall_ms heard; /* last packet from there */
	struct addr source;
	bool lost;
};

struct reach {
	enum reach_verdict verdict;
	enum reach_why why;
	uint64_t binding; /* 0 = none */
	/* Times are 0 where there is none. */
	wall_ms since;      /* when the flow in force began, or the registration
			  ended (REACH_ENDED) */
	char event[16];     /* that it began with: "registered", ... */
	struct addr source; /* of that flow */
	wall_ms heard_before;  /* last proof until then */
	wall_ms heard_after;   /* first proof from then on */
	wall_ms found;         /* lost, moved, restarted or ended at */
	wall_ms back;          /* reachable again at */
	struct addr elsewhere; /* REACH_MOVED: where it came from */
	char cause[32];        /* of an end */
	wall_ms begins;        /* the history */
};

/*
 * Judge moment @at by the answer of store_history_at() and by the @n bindings
 * that there are @now.
 */
void reach_judge(struct reach *out, const struct store_history *h,
		 const struct reach_now *now, size_t n, wall_ms at);

const char *reach_verdict_name(enum reach_verdict v); /* "yes", ... */
/* -EINVAL: no verdict has this name. */
int reach_verdict_of(enum reach_verdict *out, const char *name);
const char *reach_why_name(enum reach_why why); /* "found-lost", ... */
int reach_why_of(enum reach_why *out, const char *name);

/* How to write a time, as the reader likes it. */
typedef void (*reach_time_fn)(void *arg, struct buf *out, wall_ms t);
/* One sentence for people. */
void reach_say(struct buf *out, const struct reach *r, reach_time_fn time,
	       void *arg);

#endif
