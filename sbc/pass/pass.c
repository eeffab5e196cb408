/*
 * pass.c - what all requests that are no calls have in common: whom they come
 * from, where they go, and what of them may cross
 *
 *   MESSAGE PUBLISH OPTIONS NOTIFY ─▶ pass_request.c ─┐
 *   SUBSCRIBE ──────────────────────▶ subscription.c ─┤
 *                                                     ▼
 *                              pass_admit()     who, where to
 *                              pass_headers()   what may cross
 *                              pass_way_...()   along which flow
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pass/pass.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/rand.h"
#include "pass/pass_priv.h"
#include "rule/rule.h"

/* ---- life --------------------------------------------------------------------- */

int passes_create(struct passes **out, const struct passes_conf *conf,
		  struct config *config)
{
	struct passes *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->conf = *conf;
	p->config = config_ref(config);
	hash_init(&p->by_key);
	hash_init(&p->phones);
	list_init(&p->asks);
	list_init(&p->subs);
	list_init(&p->over);
	*out = p;
	return 0;
}

void passes_destroy(struct passes *p)
{
	if (!p)
		return;
	requests_clear(p);
	subscriptions_clear(p);
	hash_clear(&p->by_key);
	hash_clear(&p->phones);
	config_unref(p->config);
	free(p);
}

void passes_set_config(struct passes *p, struct config *config)
{
	struct config *old = p->config;

	p->config = config_ref(config);
	config_unref(old);
	subscriptions_check(p);
}

/* ---- the same request by another way (RFC 3261 8.2.2.2) -------------------------- */

static void key_of(const struct sip_view *view, char *out, size_t cap)
{
	snprintf(out, cap, "%s %s %u %s", view->call_id,
		 view->from_tag ? view->from_tag : "", view->cseq,
		 view->uri_text);
}

static bool same_key(const struct hash_node *node, const void *text)
{
	return !strcmp(container_of(node, struct pass_key, node)->text, text);
}

static bool is_merged(const struct passes *p, const struct sip_view *view)
{
	char text[PASS_KEY_BYTES];

	key_of(view, text, sizeof(text));
	return hash_find(&p->by_key, hash_text(text), same_key, text) != NULL;
}

int pass_remember(struct passes *p, struct pass_key *key,
		  const struct sip_view *view)
{
	char text[PASS_KEY_BYTES];

	key_of(view, text, sizeof(text));
	key->text = strdup(text);
	if (!key->text)
		return -ENOMEM;
	if (!hash_insert(&p->by_key, &key->node, hash_text(text)))
		return 0;
	free(key->text);
	key->text = NULL;
	return -ENOMEM;
}

void pass_forget(struct passes *p, struct pass_key *key)
{
	if (!key->text)
		return;
	hash_remove(&p->by_key, &key->node);
	free(key->text);
	key->text = NULL;
}

/* ---- who, and where to -------------------------------------------------------------- */

void pass_refuse(struct sip_request *req, int status)
{
	char after[16];
	struct sip_header h = {"Retry-After", after};

	snprintf(after, sizeof(after), "%u", 5 + rand_below(10));
	sip_request_answer(req, &(struct sip_message){
					.status = status,
					.headers = &h,
					.n_headers = status == 503,
				});
}

int pass_max_forwards(const struct sip_view *view)
{
	if (view->max_forwards < 0)
		return 0;
	return view->max_forwards > 1 ? view->max_forwards - 1 : -1;
}

/* Bounded, without control bytes, not cut inside a character. */
static void put_display(char *out, size_t cap, const char *text)
{
	size_t n = text ? strnlen(text, cap - 1) : 0;

	while (n && text[n] && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		out[i] = (char)(c < 0x20 || c == 0x7f ? ' ' : c);
	}
	out[n] = 0;
}

/* A From user that is not the authenticated one is replaced by it. */
static const char *calling(const struct pass_sender *s,
			   const struct sip_view *view)
{
	const struct conf_phone *phone = s->who.phone;
	const char *from = view->from.user;

	if (phone)
		return phone->caller_id[0] ? phone->caller_id : phone->user;
	return from && strlen(from) < LIMIT_USER_BYTES ? from : "";
}

/* As the routes have left the numbers; a token of ours means its phone's
 * user. */
static void name_parties(struct pass_sender *s, const struct sip_view *view,
			 const struct route_result *to)
{
	str_copy(s->from, sizeof(s->from), str_of(to->calling));
	str_copy(s->to, sizeof(s->to), str_of(to->called));
	put_display(s->display, sizeof(s->display), view->from_display);
	s->max_forwards = pass_max_forwards(view);
}

/* What a server keeps for a user, and the user itself does not have. */
static bool is_for_server(const struct route_result *list,
			  const struct pass_sender *s, enum conf_method method,
			  const char *user)
{
	if (method == CONF_FOR_PUBLISH)
		return true;
	if (method != CONF_FOR_SUBSCRIBE)
		return false;
	return !strcmp(user, s->who.phone->user) ||
	       (list->route && list->route->methods);
}

/* A server that is a registrar names one of its contacts by our token. */
static bool find_token(struct passes *p, struct pass_sender *s,
		       const char *user, struct route_result *to)
{
	const struct binding *b = NULL;
	const struct conf_phone *phone;

	s->only = 0;
	if (s->who.trunk)
		b = registrar_by_token(p->conf.registrar, user);
	phone = b ? config_phone(p->config, binding_phone(b)) : NULL;
	if (!phone)
		return false;
	s->only = b->id;
	*to = (struct route_result){.kind = ROUTE_PHONE, .n = 1};
	to->targets[0].phone = phone;
	str_copy(to->called, sizeof(to->called), str_of(phone->user));
	return true;
}

static void find(struct passes *p, struct pass_sender *s,
		 const struct sip_view *view, enum conf_method method,
		 struct route_result *to)
{
	const char *user = view->uri.user;
	struct route_ask ask = {
		.realm = s->who.realm->name,
		.phone = s->who.phone,
		.trunk = s->who.trunk,
		.called = user,
		.calling = calling(s, view),
		.method = method,
		.routes_only = true,
	};

	if (find_token(p, s, user, to)) {
		str_copy(to->calling, sizeof(to->calling), str_of(ask.calling));
		return;
	}
	route_decide(to, p->config, &ask, NULL);
	if (!registrar_is_ours(p->conf.registrar, s->who.realm, view->uri.host))
		return;
	ask.routes_only = false;
	if (s->who.trunk || !is_for_server(to, s, method, user))
		route_decide(to, p->config, &ask, NULL);
}

/* A server does not get back what it sent. */
static void drop_sender(struct route_result *to, const struct conf_trunk *trunk)
{
	unsigned n = 0;

	for (unsigned i = 0; i < to->n; i++) {
		if (!trunk || to->targets[i].trunk != trunk)
			to->targets[n++] = to->targets[i];
	}
	to->n = n;
}

static bool is_reachable(struct passes *p, const struct route_result *to)
{
	const struct binding *b;

	for (unsigned i = 0; i < to->n; i++) {
		const struct conf_phone *phone = to->targets[i].phone;

		if (!phone ||
		    registrar_find(p->conf.registrar, phone->name, &b, 1))
			return true;
	}
	return false;
}

bool pass_admit(struct passes *p, struct sip_request *req,
		enum conf_method method, struct pass_sender *from,
		struct route_result *to)
{
	const struct sip_view *view = sip_request_view(req);
	const char *user = view->uri.user;
	int status = 0;

	if (view->max_forwards == 0) {
		pass_refuse(req, 483);
		return false;
	}
	if (!registrar_identify(p->conf.registrar, req, &from->who))
		return false;
	if (is_merged(p, view)) {
		status = 482;
	} else if (!user || strlen(user) >= LIMIT_USER_BYTES) {
		status = 404;
	} else {
		find(p, from, view, method, to);
		drop_sender(to, from->who.trunk);
		status = !to->n ? 404 : is_reachable(p, to) ? 0 : 480;
	}
	if (status)
		pass_refuse(req, status);
	else
		name_parties(from, view, to);
	return !status;
}

/* ---- what may cross --------------------------------------------------------------------- */

#define M(method) (1u << SIP_##method)
#define ALL                                                                    \
	(M(SUBSCRIBE) | M(NOTIFY) | M(MESSAGE) | M(PUBLISH) | M(OPTIONS) |     \
	 M(INFO))

/* Nothing here names an address; all else stays on its side. */
static const struct {
	const char *name;
	uint32_t requests, answers; /* bits 1 << enum sip_method */
} crossing[] = {
	{"Accept", M(SUBSCRIBE) | M(OPTIONS), ALL},
	{"Accept-Encoding", M(OPTIONS), ALL},
	{"Accept-Language", M(SUBSCRIBE) | M(MESSAGE) | M(OPTIONS), ALL},
	{"Allow-Events", M(SUBSCRIBE) | M(NOTIFY), ALL},
	{"Content-Disposition", ALL, ALL},
	{"Content-Encoding", ALL, ALL},
	{"Content-Language", ALL, ALL},
	{"Date", M(MESSAGE), M(MESSAGE)},
	{"Event", M(SUBSCRIBE) | M(NOTIFY) | M(PUBLISH), 0},
	{"Expires", M(MESSAGE) | M(PUBLISH), M(MESSAGE) | M(PUBLISH)},
	{"Min-Expires", 0, M(SUBSCRIBE) | M(PUBLISH)},
	{"Priority", M(MESSAGE), 0},
	{"Retry-After", 0, ALL},
	{"SIP-ETag", 0, M(PUBLISH)},
	{"SIP-If-Match", M(PUBLISH), 0},
	{"Subject", M(MESSAGE), 0},
	{"Subscription-State", M(NOTIFY), 0},
};

void pass_header_add(struct pass_headers *h, const char *name,
		     const char *value)
{
	if (h->n < sizeof(h->list) / sizeof(*h->list))
		h->list[h->n++] = (struct sip_header){name, value};
}

void pass_headers(struct pass_headers *h, const struct sip_view *view,
		  enum sip_method method)
{
	const char *value;

	h->n = 0;
	for (size_t k = 0; k < sizeof(crossing) / sizeof(*crossing); k++) {
		uint32_t of = view->status ? crossing[k].answers
					   : crossing[k].requests;

		if (!(of & 1u << method))
			continue;
		for (unsigned i = 0;
		     (value = sip_view_header(view, crossing[k].name, i)); i++)
			pass_header_add(h, crossing[k].name, value);
	}
}

bool pass_crosses(const char *name, enum sip_method method)
{
	for (size_t k = 0; k < sizeof(crossing) / sizeof(*crossing); k++)
		if (crossing[k].requests & 1u << method &&
		    !strcasecmp(crossing[k].name, name))
			return true;
	return false;
}

/* ---- the header table ----------------------------------------------------------------------- */

enum { FEW = 24 }; /* so that there is room for those of the box's own */

/* Of @view what would cross by itself, and what some rule passes. */
static void collect(struct rule_lines *l, struct pass_headers *h,
		    const struct config *cfg, const struct sip_view *view,
		    enum sip_method method)
{
	const char *names[RULE_LINES], *value;
	unsigned n = rule_wanted(cfg, names), own = 0;

	for (unsigned i = 0; i < h->n; i++) {
		if (conf_header_kind(h->list[i].name) == CONF_HEADER_OWNED)
			h->list[own++] = h->list[i];
		else
			rule_put(l, h->list[i].name, h->list[i].value, true);
	}
	h->n = own;
	for (unsigned k = 0; k < n; k++) {
		if (rule_crosses(names[k]) || pass_crosses(names[k], method))
			continue;
		for (unsigned i = 0;
		     (value = sip_view_header(view, names[k], i)); i++)
			rule_put(l, names[k], value, false);
	}
}

static enum conf_method rule_method(enum sip_method method)
{
	switch (method) {
	case SIP_SUBSCRIBE:
		return CONF_FOR_SUBSCRIBE;
	case SIP_MESSAGE:
		return CONF_FOR_MESSAGE;
	case SIP_PUBLISH:
		return CONF_FOR_PUBLISH;
	case SIP_OPTIONS:
		return CONF_FOR_OPTIONS;
	default:
		return CONF_METHODS;
	}
}

void pass_rules(struct pass_headers *h, const struct config *cfg,
		const struct pass_sender *from, const struct pass_way *to,
		const struct sip_view *view, enum sip_method method)
{
	struct rule_lines l = {.n = 0};
	const struct conf_rule *rules;
	struct rule_scope scope = {
		.direction = CONF_IN,
		.realm = from->who.realm->name,
		.trunk = from->who.trunk ? from->who.trunk->name : "",
		.method = rule_method(method),
	};

	if (!config_rules(cfg, &rules))
		return;
	collect(&l, h, cfg, view, method);
	rule_apply(&l, cfg, &scope);
	scope.direction = CONF_OUT;
	scope.realm = to->realm->name;
	scope.trunk = to->is_trunk ? to->peer : "";
	rule_apply(&l, cfg, &scope);
	for (unsigned i = 0; i < l.n && h->n < FEW; i++)
		if (rule_goes(&l, i))
			pass_header_add(h, l.list[i].name, l.list[i].value);
}

void pass_put(struct sip_message *m, const struct pass_headers *h,
	      const struct sip_view *view)
{
	m->headers = h->list;
	m->n_headers = h->n;
	if (!view || !view->body.n)
		return;
	m->body = view->body;
	m->content_type = sip_view_header(view, "Content-Type", 0);
	if (!m->content_type || !*m->content_type)
		m->content_type = view->content_type;
	if (!m->content_type || !*m->content_type)
		m->content_type = "application/octet-stream";
}

/* ---- along which flow ---------------------------------------------------------------------- */

/* Who we are there.  The phone's registrar may challenge the phone, whose
 * password we have, and says which way the phone's requests are to take (RFC
 * 3608). */
static void write_names(struct passes *p, const struct conf_trunk *trunk,
			const struct pass_sender *from, struct pass_way *out)
{
	const struct conf_phone *phone = from->who.phone;

	if (phone && !strcmp(from->who.realm->registrar, trunk->name)) {
		out->route =
			registrar_service_route(p->conf.registrar, phone->name);
		out->credentials.user = phone->auth_user;
		out->credentials.password = phone->password;
		return;
	}
	out->route = trunks_service_route(p->conf.trunks, trunk->name);
	out->host = trunk->domain[0] ? trunk->domain : NULL;
	if (trunk->password) {
		out->credentials.user = trunk->auth_user;
		out->credentials.password = trunk->password;
	}
}

int pass_way_trunk(struct passes *p, const struct config *cfg,
		   const struct conf_trunk *trunk,
		   const struct pass_sender *from, struct pass_way *out)
{
	char number[LIMIT_USER_BYTES];
	struct trunk_way way;
	struct buf b;

	*out = (struct pass_way){
		.realm = config_realm(cfg, trunk->realm),
		.peer = trunk->name,
		.is_trunk = true,
		.uri = out->text,
	};
	if (!out->realm || !trunks_ways(p->conf.trunks, trunk->name, &way, 1))
		return -ENETUNREACH;
	buf_init(&b, out->text, sizeof(out->text));
	buf_puts(&b, "sip:");
	route_number_to(trunk, from->to, number);
	sip_put_user(&b, number);
	buf_printf(&b, "@%s", way.target);
	write_names(p, trunk, from, out);
	return sip_flow_to(p->conf.sip, out->realm->name, way.transport,
			   &way.remote, &out->flow);
}

int pass_way_binding(struct passes *p, const struct config *cfg,
		     const struct binding *b, struct pass_way *out)
{
	/* A reload may have renamed the realm of its socket. */
	const char *name =
		sip_realm_at(p->conf.sip, b->to.transport, &b->to.local);

	*out = (struct pass_way){
		.realm = name ? config_realm(cfg, name) : NULL,
		.peer = binding_phone(b),
		.flow = b->to,
		.source = b->flow,
		.binding = b,
		.route = b->path,
		.uri = b->contact,
	};
	return out->realm ? 0 : -ENOENT;
}

/* Of the @n bindings in @found that with id @only. */
static unsigned keep_only(const struct binding **found, unsigned n,
			  uint64_t only)
{
	for (unsigned i = 0; i < n; i++) {
		if (found[i]->id == only) {
			found[0] = found[i];
			return 1;
		}
	}
	return 0;
}

void pass_ways_of(struct passes *p, const struct conf_phone *phone,
		  const struct pass_sender *from, struct pass_ways *out)
{
	const struct binding *found[LIMIT_FORKS];
	unsigned device;

	*out = (struct pass_ways){.phone = phone};
	out->n = registrar_find(p->conf.registrar, phone->name, found,
				LIMIT_FORKS);
	if (from->only)
		out->n = keep_only(found, out->n, from->only);
	for (unsigned i = 0; i < out->n; i++) {
		for (device = 0; device < i &&
				 !binding_same_device(found[device], found[i]);)
			device++;
		out->list[i].binding = found[i]->id;
		out->list[i].device = device;
	}
}

const struct binding *pass_next_way(struct passes *p, struct pass_ways *ways,
				    unsigned device)
{
	const struct binding *found[LIMIT_FORKS];
	unsigned n = registrar_find(p->conf.registrar, ways->phone->name, found,
				    LIMIT_FORKS);

	for (unsigned i = 0; i < ways->n; i++) {
		struct pass_one_way *w = &ways->list[i];

		if (w->used || w->device != device)
			continue;
		w->used = true;
		for (unsigned k = 0; k < n; k++) {
			if (found[k]->id == w->binding)
				return found[k];
		}
	}
	return NULL;
}

bool pass_is_way_dead(int status)
{
	return status == 408 || status == 430 || status == 503;
}
