/*
 * api.h - what the box tells about itself, as JSON over a unix socket
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One JSON line in, one out:
 *   {"method":"GET","path":"/calls"}
 *   {"status":200,"body":{"calls":[...]}}
 * The shapes of status, phones and calls are a contract: they are only ever
 * extended (snake_case).  SIP thread only; a slow client never makes it wait.
 */
#ifndef SBC_API_API_H
#define SBC_API_API_H

#include <jansson.h>

#include "call/call.h"
#include "core/loop.h"
#include "registrar/registrar.h"
#include "sip/sip.h"
#include "store/store.h"

/* Where the answers come from. */
struct api_source {
	struct sip_stack *sip;
	struct store *store;
	struct media *media;
	struct registrar *registrar;
	struct calls *calls;
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
	unsigned (*slice)(const struct api_source *source, uint64_t *after,
			  json_t *out);
	uint64_t after;
};

/*
 * Answer one request; returns the status and a new reference in @body, or
 * (200, *@body NULL) fills in @list, whose items resource_next() gives out.
 */
int resource_handle(const struct api_source *source, const char *method,
		    const char *path, json_t **body, struct api_list *list);
/* The next few items as an array, a new reference, empty at the end.  NULL:
 * out of memory. */
json_t *resource_next(const struct api_source *source, struct api_list *list);

#endif
