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

/* Answer one request; returns the status and a new reference in @body. */
int resource_handle(const struct api_source *source, const char *method,
		    const char *path, json_t **body);

#endif
