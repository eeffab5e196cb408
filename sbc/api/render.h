/*
 * render.h - what there is as JSON; inside api/
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every function returns a new reference.  What is absent is null.
 */
#ifndef SBC_API_RENDER_H
#define SBC_API_RENDER_H

#include "api/api.h"

json_t *render_text(const char *text);
json_t *render_str(struct str s);
json_t *render_addr(const struct addr *a);
json_t *render_time(wall_ms t);
json_t *render_ms(uint32_t us); /* 21 437 us is 21.4 */
/* {"title": ...} */
json_t *render_problem(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

/* A binding as /phones shows it. */
json_t *render_binding(const struct binding *b);
/* A verdict on a peer that is seen as @seen; NULL is null. */
json_t *render_verdict(const struct nat_verdict *v, const struct addr *seen);
/* When the last packet came from there. */
wall_ms render_heard(const struct binding *b);

/* Whoever waits for the disk; begins the struct of each kind of question. */
struct api_wait {
	struct store *store;
	struct api_later later;
};

/* resource.c: "%3A" is ":" and so on, in @mem; what is no such thing stays. */
struct str query_unescape(struct str s, char *mem, size_t cap);

/* cdrs.c: GET /cdrs?@query; as resource_handle(). */
int cdrs_ask(const struct api_source *source, struct str query, json_t **body,
	     struct api_later *later);

/* trunks.c: a slice of GET /trunks; GET /trunks/@name as resource_handle(). */
unsigned trunks_some(const struct api_source *s, struct api_list *list,
		     json_t *out);
int trunks_get(const struct api_source *s, struct str name, json_t **body);

/* past.c: GET /phones/NAME/history?@query; as resource_handle(). */
int past_ask(const struct api_source *source, const char *phone,
	     struct str query, json_t **body, struct api_later *later);

#endif
