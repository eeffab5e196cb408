/*
 * register.c - REGISTER in (RFC 3261 10.3): who is it, may it, what changes,
 * what stands now
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Answered statelessly, unless a trunk is to be asked first (upstream.c).
 * Everything is decided before anything is changed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "core/log.h"
#include "core/rand.h"
#include "registrar/registrar_priv.h"

enum {
	DEFAULT_EXPIRES_S = 3600,
	INSTANCE_BYTES = 256,
	PATH_BYTES = 1024,
	/* max_contacts of the longest kind; sip/ takes a little more. */
	ANSWER_BYTES = 49152,
	ANSWER_HEADERS = LIMIT_CONTACTS + 5,
	/* RFC 5626 4.4: a phone sends its own keepalives this often, until its
	 * NAT is known better; an idle connection holds far longer. */
	FLOW_TIMER_UDP_S = 25,
	FLOW_TIMER_TCP_S = 120,
};

int registrar_create(struct registrar **out, const struct registrar_conf *conf,
		     struct config *config)
{
	struct registrar *reg = calloc(1, sizeof(*reg));

	if (!reg)
		return -ENOMEM;
	reg->conf = *conf;
	reg->config = config_ref(config);
	hash_init(&reg->aors);
	list_init(&reg->all);
	list_init(&reg->probes);
	list_init(&reg->kinds);
	upstream_init(reg);
	if (restore_load(reg))
		log_error("reg.restore_failed");
	*out = reg;
	return 0;
}

void registrar_destroy(struct registrar *reg)
{
	if (!reg)
		return;
	timer_cancel(reg->conf.loop, &reg->resync);
	timer_cancel(reg->conf.loop, &reg->resume);
	contact_clear(reg);
	way_forget(reg);
	upstream_clear(reg);
	binding_clear(reg);
	config_unref(reg->config);
	free(reg);
}

void registrar_set_config(struct registrar *reg, struct config *config)
{
	config_unref(reg->config);
	reg->config = config_ref(config);
	binding_take_config(reg);
	upstream_check(reg);
}

/* ---- the answer's way ----------------------------------------------------------- */

const struct sip_view *reply_view(const struct reg_reply *reply)
{
	return reply->req ? sip_request_view(reply->req)
			  : sip_txn_view(reply->txn);
}

bool reply_keep(struct reg_reply *reply, struct sip_txn **out)
{
	struct sip_txn *txn = reply->txn;

	if (reply->req && sip_request_accept(reply->req, &txn, NULL, NULL))
		txn = NULL;
	*reply = (struct reg_reply){0};
	*out = txn;
	return txn != NULL;
}

static void reply_send(struct reg_reply *reply, const struct sip_message *m)
{
	if (reply->req)
		sip_request_answer(reply->req, m);
	else if (reply->txn)
		sip_txn_answer(reply->txn, m);
	sip_txn_release(reply->txn);
	*reply = (struct reg_reply){0};
}

/* ---- who is it, and may it ---------------------------------------------------- */

static const struct conf_phone *identify(struct registrar *reg,
					 struct sip_request *req,
					 const struct conf_realm *realm)
{
	const struct sip_view *view = sip_request_view(req);
	const struct conf_phone *phone = NULL;
	struct sip_challenge challenge;
	enum sip_auth_verdict verdict;
	struct sip_message m;

	verdict = sip_auth_check(reg->conf.auth, view, reg->config, realm,
				 &phone);
	if (verdict == SIP_AUTH_OK)
		return phone;
	m = sip_auth_refusal(reg->conf.auth, view, realm, verdict, &challenge);
	sip_request_answer(req, &m);
	return NULL;
}

bool registrar_is_ours(const struct registrar *reg,
		       const struct conf_realm *realm, const char *host)
{
	if (!host)
		return false;
	if (!strcasecmp(host, realm->digest_realm))
		return true;
	for (unsigned i = 0; i < realm->n_aliases; i++) {
		if (!strcasecmp(host, realm->aliases[i]))
			return true;
	}
	return sip_is_local(reg->conf.sip, host);
}

/* ---- what changes ------------------------------------------------------------------ */

static int64_t wanted_expires(const struct sip_view *view,
			      const struct sip_contact *c,
			      const struct conf_realm *realm)
{
	if (c->expires >= 0)
		return c->expires;
	if (view->expires >= 0)
		return view->expires;
	return realm->max_expires_s < DEFAULT_EXPIRES_S ? realm->max_expires_s
							: DEFAULT_EXPIRES_S;
}

/*
 * A Contact that names the loopback or an address of ours is refused unless
 * the phone lives on this machine; one of our own sockets always (contract).
 */
static bool is_forbidden_contact(const struct registrar *reg,
				 const struct sip_view *view, const char *uri)
{
	char text[ADDR_TEXT_MAX];
	struct addr a;

	if (addr_parse_uri(&a, uri))
		return false; /* a name: only ever sent back, never resolved */
	if (sip_is_own(reg->conf.sip, &a))
		return true;
	if (addr_class(&a) != ADDR_LOOPBACK &&
	    !sip_is_local(reg->conf.sip, addr_fmt_host(&a, text)))
		return false;
	return addr_class(&view->flow.remote) != ADDR_LOOPBACK &&
	       !sip_is_local(reg->conf.sip,
			     addr_fmt_host(&view->flow.remote, text));
}

/* What a peer may write between our quotes and get back unharmed. */
static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || strchr("\"\\\x7f", *text))
			return false;
	}
	return true;
}

/* Could we ever ring it, and is it of a bearable size?  0 or a status. */
static int check_contact(const struct registrar *reg,
			 const struct sip_view *view,
			 const struct sip_contact *c)
{
	if (strlen(c->uri) >= LIMIT_CONTACT_BYTES ||
	    (c->instance &&
	     (strlen(c->instance) >= INSTANCE_BYTES || !is_plain(c->instance))))
		return 400;
	if (strncasecmp(c->uri, "sip:", 4))
		return 416; /* sips:, tel:, ...: requests go out as sip: */
	return is_forbidden_contact(reg, view, c->uri) ? 403 : 0;
}

static void fill_input(struct binding_input *in, const struct sip_view *view,
		       const struct conf_phone *phone, const char *aor_text,
		       const struct conf_realm *realm)
{
	*in = (struct binding_input){
		.phone = phone,
		.aor_text = aor_text,
		.realm = realm,
		.call_id = view->call_id,
		.path = view->path,
		.cseq = view->cseq,
		.flow = &view->flow,
	};
}

static void take_contact(struct binding_input *in, const struct sip_contact *c)
{
	in->contact = c->uri;
	in->instance = c->instance;
	in->reg_id = c->instance ? c->reg_id : 0;
}

void register_take_contact(struct binding_input *in,
			   const struct sip_view *view, unsigned contact)
{
	take_contact(in, &view->contacts[contact]);
}

/* What this REGISTER shows of NATs and ALGs. */
static void judge(const struct registrar *reg, const struct sip_view *view,
		  struct binding_input *in)
{
	struct nat_look look = {.view = view};
	const struct binding *b;

	if (view->n_contacts) {
		take_contact(in, &view->contacts[0]);
		b = binding_match(reg, in);
		look.call_id = b ? b->call_id : NULL;
	}
	nat_judge(&in->verdict, &look);
}

/* 0, or the status to refuse the whole REGISTER with. */
static int check_contacts(const struct registrar *reg,
			  const struct sip_view *view,
			  const struct conf_realm *realm,
			  struct binding_input *in)
{
	if (view->n_contacts > LIMIT_CONTACTS ||
	    (view->path && strlen(view->path) >= PATH_BYTES))
		return 400;
	for (unsigned i = 0; i < view->n_contacts; i++) {
		const struct sip_contact *c = &view->contacts[i];
		int64_t expires = wanted_expires(view, c, realm);
		int status = check_contact(reg, view, c);
		const struct binding *b;

		if (status)
			return status;
		if (expires && expires < realm->min_expires_s)
			return 423;
		take_contact(in, c);
		b = binding_match(reg, in);
		if (b && !strcmp(b->call_id, view->call_id) &&
		    b->cseq > view->cseq)
			return 500; /* out of order, RFC 3261 10.3 step 7 */
	}
	return 0;
}

static int check_star(const struct registrar *reg, const struct sip_view *view,
		      const struct conf_phone *phone)
{
	struct aor *aor = binding_find_aor(reg, phone->name);

	if (view->n_contacts || view->expires != 0)
		return 400;
	if (!aor)
		return 0;
	list_for_each (pos, &aor->bindings) {
		struct binding *b = list_entry(pos, struct binding, node);

		if (!strcmp(b->call_id, view->call_id) && b->cseq > view->cseq)
			return 500;
	}
	return 0;
}

/* Over UDP a NAT that was restarted forgets the way to the phone: it must come
 * back soon. */
static int64_t granted(const struct binding *b, const struct binding_input *in,
		       int64_t asked)
{
	const struct conf_realm *realm = in->realm;
	unsigned most = realm->max_expires_s;

	if (in->flow->transport == SIP_UDP && realm->nat_expires_s &&
	    realm->nat_expires_s < most && way_is_behind(b, in))
		most = realm->nat_expires_s;
	if (most < realm->min_expires_s)
		most = realm->min_expires_s;
	return asked < most ? asked : most;
}

unsigned register_granted(const struct binding *b,
			  const struct binding_input *in,
			  const struct sip_view *view, unsigned contact)
{
	return (unsigned)granted(
		b, in,
		wanted_expires(view, &view->contacts[contact], in->realm));
}

bool register_wants(const struct registrar *reg, const struct sip_view *view,
		    unsigned contact)
{
	const struct conf_realm *realm = config_realm(reg->config, view->realm);

	return realm &&
	       wanted_expires(view, &view->contacts[contact], realm) != 0;
}

void register_drop_others(struct registrar *reg, const struct sip_view *view,
			  const struct binding_input *in)
{
	struct binding_input other = *in;

	for (unsigned i = 0; i < view->n_contacts; i++) {
		struct binding *b;

		if (register_wants(reg, view, i))
			continue;
		take_contact(&other, &view->contacts[i]);
		b = binding_match(reg, &other);
		if (b)
			binding_drop(b, "unregistered");
	}
}

static int apply_contacts(struct registrar *reg, const struct sip_view *view,
			  struct binding_input *in)
{
	for (unsigned i = 0; i < view->n_contacts; i++) {
		int64_t asked =
			wanted_expires(view, &view->contacts[i], in->realm);
		struct binding *b;

		take_contact(in, &view->contacts[i]);
		b = binding_match(reg, in);
		if (asked) {
			in->expires_s = (unsigned)granted(b, in, asked);
			if (binding_save(reg, in))
				return 503;
		} else if (b) {
			binding_drop(b, "unregistered");
		}
	}
	return 0;
}

/* ---- the answer ------------------------------------------------------------------ */

void register_refuse(struct reg_reply *reply, const struct conf_realm *realm,
		     int status)
{
	char text[16];
	struct sip_header h = {realm ? "Min-Expires" : "Retry-After", text};

	snprintf(text, sizeof(text), "%u",
		 realm ? realm->min_expires_s : 5 + rand_below(10));
	reply_send(reply, &(struct sip_message){
				  .status = status,
				  .headers = &h,
				  .n_headers = status == (realm ? 423 : 503),
			  });
}

static void refuse(struct sip_request *req, const struct conf_realm *realm,
		   int status)
{
	register_refuse(&(struct reg_reply){.req = req}, realm, status);
}

static void print_contact(struct buf *b, const struct binding *binding)
{
	int64_t left = (binding->expires - clock_mono() + 999) / 1000;

	buf_printf(b, "<%s>;expires=%lld", binding->contact, (long long)left);
	if (binding->instance)
		buf_printf(b, ";+sip.instance=\"%s\"", binding->instance);
	if (binding->reg_id)
		buf_printf(b, ";reg-id=%u", binding->reg_id);
}

/* One answer's headers and the memory of their values. */
struct answer {
	struct sip_header headers[ANSWER_HEADERS];
	unsigned n;
	char mem[ANSWER_BYTES];
	size_t used;
};

static void add_header(struct answer *a, const char *name, const char *value)
{
	if (a->n < ANSWER_HEADERS)
		a->headers[a->n++] = (struct sip_header){name, value};
}

static void add_contacts(struct answer *a, const struct aor *aor)
{
	list_for_each (pos, &aor->bindings) {
		char *text = a->mem + a->used;
		struct buf b;

		buf_init(&b, text, sizeof(a->mem) - a->used);
		print_contact(&b, list_entry(pos, struct binding, node));
		if (b.overflow)
			return;
		add_header(a, "Contact", text);
		a->used += b.n + 1;
	}
}

/* We are registrar and first hop at once, and the phone registers this flow
 * as one of its several (RFC 5626 6). */
static const struct sip_contact *outbound_contact(const struct sip_view *view)
{
	if (!view->supports_outbound || view->path || view->n_vias > 1)
		return NULL;
	for (unsigned i = 0; i < view->n_contacts; i++) {
		const struct sip_contact *c = &view->contacts[i];

		if (c->instance && c->reg_id)
			return c;
	}
	return NULL;
}

/* What the NAT in between is known to need, else what suits most. */
static unsigned flow_timer_s(const struct binding *b,
			     const struct sip_view *view)
{
	unsigned learned = b ? b->learned.interval_ms / 1000 : 0;

	if (view->flow.transport == SIP_TCP)
		return FLOW_TIMER_TCP_S;
	if (learned > FLOW_TIMER_UDP_S || (learned && b->learned.ceiling_s))
		return learned;
	return FLOW_TIMER_UDP_S;
}

static void add_outbound(struct answer *a, const struct registrar *reg,
			 const struct sip_view *view, struct binding_input *in,
			 const struct sip_contact *c)
{
	char *text = a->mem + a->used;
	struct buf b;

	take_contact(in, c);
	buf_init(&b, text, sizeof(a->mem) - a->used);
	buf_printf(&b, "%u", flow_timer_s(binding_match(reg, in), view));
	a->used += b.n + 1;
	add_header(a, "Require", "outbound");
	add_header(a, "Supported", "outbound, path");
	add_header(a, "Flow-Timer", text);
}

/* All bindings with what remains (RFC 3261 10.3 step 8), Date, Path. */
void register_answer_ok(struct registrar *reg, struct reg_reply *reply,
			struct binding_input *in)
{
	const struct sip_view *view = reply_view(reply);
	const struct sip_contact *outbound = outbound_contact(view);
	const struct aor *aor = binding_find_aor(reg, in->phone->name);
	time_t now = clock_wall() / 1000;
	struct answer a;
	char date[64];
	struct tm tm;

	a.n = a.used = 0;
	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	add_header(&a, "Date", date);
	if (view->path)
		add_header(&a, "Path", view->path);
	if (outbound)
		add_outbound(&a, reg, view, in, outbound);
	if (aor)
		add_contacts(&a, aor);
	reply_send(reply, &(struct sip_message){
				  .status = 200,
				  .headers = a.headers,
				  .n_headers = a.n,
			  });
}

/* ---- all of it ------------------------------------------------------------------- */

static void take(struct registrar *reg, const struct sip_view *view,
		 const struct conf_phone *phone, const struct conf_realm *realm,
		 struct reg_ask *a)
{
	snprintf(a->aor_text, sizeof(a->aor_text), "%s@%s", phone->user,
		 realm->digest_realm);
	fill_input(&a->in, view, phone, a->aor_text, realm);
	if (view->user_agent) {
		/* More of it is cut off. */
		snprintf(a->agent, sizeof(a->agent), "%s", view->user_agent);
		a->in.user_agent = a->agent;
	}
	judge(reg, view, &a->in);
}

bool register_read(struct registrar *reg, const struct sip_view *view,
		   const char *phone, struct reg_ask *a)
{
	const struct conf_realm *realm = config_realm(reg->config, view->realm);
	const struct conf_phone *p = config_phone(reg->config, phone);

	if (!realm || !p || (p->realm[0] && strcmp(p->realm, realm->name)))
		return false;
	take(reg, view, p, realm, a);
	return true;
}

void register_promote(struct registrar *reg, const struct sip_view *view,
		      const struct conf_realm *realm)
{
	screen_promote(reg->conf.screen, &view->flow.remote, SCREEN_REGISTERED,
		       clock_mono() + realm->max_expires_s * 1000ll);
}

void registrar_register(struct registrar *reg, struct sip_request *req)
{
	const struct sip_view *view = sip_request_view(req);
	const struct conf_realm *realm = config_realm(reg->config, view->realm);
	struct reg_reply reply = {.req = req};
	const struct conf_phone *phone;
	struct reg_ask a;
	int status;

	if (!realm) {
		sip_request_answer(req, &(struct sip_message){.status = 503});
		return;
	}
	phone = identify(reg, req, realm);
	if (!phone)
		return;
	if (!view->to.user || strcmp(view->to.user, phone->user)) {
		refuse(req, realm, 403);
		return;
	}
	if (!registrar_is_ours(reg, realm, view->to.host)) {
		refuse(req, realm, 404);
		return;
	}
	take(reg, view, phone, realm, &a);
	status = view->contact_star ? check_star(reg, view, phone)
				    : check_contacts(reg, view, realm, &a.in);
	if (!status && view->contact_star) {
		binding_drop_all(reg, phone->name, "unregistered");
	} else if (!status && realm->registrar[0]) {
		upstream_register(reg, req, &a);
		return;
	} else if (!status) {
		status = apply_contacts(reg, view, &a.in);
	}
	if (status) {
		refuse(req, realm, status);
		return;
	}
	register_promote(reg, view, realm);
	register_answer_ok(reg, &reply, &a.in);
}
