/*
 * call_headers.c - the headers of an INVITE that goes out: what of the caller's
 * comes along, and what the header table makes of it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   INVITE in ─▶ rules "in" ─▶ kept with the call ─▶ rules "out" ─▶ target 1
 *                                                ─▶ rules "out" ─▶ target 2
 *
 * Whatever says who calls belongs between the two: it is put to the kept lines
 * of a target before the rules of the way out see them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call/call_priv.h"

enum { HEADER_BYTES = 8192 }; /* of all values; more does not cross */

/* Values live behind the list, names in the config that the call holds. */
struct call_headers {
	unsigned n;
	struct rule_line list[];
};

static void collect(struct rule_lines *l, const struct config *config,
		    const struct sip_view *invite)
{
	const char *names[RULE_LINES], *value;
	unsigned n = rule_wanted(config, names);

	for (unsigned k = 0; k < n; k++)
		for (unsigned i = 0;
		     (value = sip_view_header(invite, names[k], i)); i++)
			rule_put(l, names[k], value, rule_crosses(names[k]));
}

/* Those of @l that are still there, with their values copied. */
static int keep(struct call *call, const struct rule_lines *l)
{
	struct call_headers *h;
	struct buf b;

	h = malloc(sizeof(*h) + RULE_LINES * sizeof(h->list[0]) + HEADER_BYTES);
	if (!h)
		return -ENOMEM;
	h->n = 0;
	buf_init(&b, (char *)&h->list[RULE_LINES], HEADER_BYTES);
	for (unsigned i = 0; i < l->n; i++) {
		size_t bytes = strlen(l->list[i].value) + 1;
		char *at = b.p + b.n;

		if (l->list[i].removed || b.n + bytes >= HEADER_BYTES)
			continue;
		buf_put(&b, l->list[i].value, bytes);
		h->list[h->n] = l->list[i];
		h->list[h->n++].value = at;
	}
	call->headers = h;
	return 0;
}

int headers_take(struct call *call, const struct sip_view *invite)
{
	const struct registrar_peer *from = &call->caller;
	const struct rule_scope scope = {
		.direction = CONF_IN,
		.realm = from->realm->name,
		.trunk = from->trunk ? from->trunk->name : "",
		.method = CONF_FOR_INVITE,
	};
	struct rule_lines l = {.n = 0};

	collect(&l, call->config, invite);
	rule_apply(&l, call->config, &scope);
	return l.n ? keep(call, &l) : 0;
}

void headers_give(const struct call *call, const struct leg_conf *to,
		  const char *path, struct headers_out *out)
{
	const struct rule_scope scope = {
		.direction = CONF_OUT,
		.realm = to->realm->name,
		.trunk = to->is_trunk ? to->peer : "",
		.method = CONF_FOR_INVITE,
	};
	struct rule_lines l = {.n = 0};
	struct buf b;

	for (unsigned i = 0; call->headers && i < call->headers->n; i++)
		rule_put(&l, call->headers->list[i].name,
			 call->headers->list[i].value,
			 call->headers->list[i].crosses);
	buf_init(&b, out->identity, sizeof(out->identity));
	identity_give(call, to, &b, &l);
	rule_apply(&l, call->config, &scope);
	out->n = 0;
	if (path)
		out->list[out->n++] = (struct sip_header){"Route", path};
	for (unsigned i = 0; i < l.n; i++)
		if (rule_goes(&l, i) && out->n < HEADERS_OUT)
			out->list[out->n++] = (struct sip_header){
				l.list[i].name, l.list[i].value};
}

void headers_forget(struct call *call)
{
	free(call->headers);
	call->headers = NULL;
}
