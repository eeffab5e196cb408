/*
 * pass_rig.h - requests that are no calls, message by message
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Real: config, routing, pass/.  Faked: the SIP stack, the keepalive engine,
 * the registrar.
 */
#ifndef SBC_TESTS_PASS_RIG_H
#define SBC_TESTS_PASS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../fake_nat.h"
#include "../fake_sip.h"
#include "pass/pass.h"
#include "trunk/trunk.h"

#define SEC(s) ((s)*1000)

static const char config_text[] = "config sbc 'global'\n"
				  "config realm 'lan'\n"
				  "	option max_expires '1800'\n"
				  "	option registrar 'backup'\n"
				  "config phone '100'\n"
				  "	option password 'secret-a'\n"
				  "config phone '101'\n"
				  "	option password 'secret-b'\n"
				  "	option caller_id '4930101'\n"
				  "config phone '102'\n"
				  "	option password 'secret-c'\n"
				  "config trunk 'presence'\n"
				  "	option realm 'lan'\n"
				  "	option host '198.51.100.5'\n"
				  "config trunk 'backup'\n"
				  "	option realm 'lan'\n"
				  "	option host '198.51.100.6'\n"
				  "config route 'watched'\n"
				  "	option match '102'\n"
				  "	list method 'SUBSCRIBE'\n"
				  "	list to 'presence'\n"
				  "config route 'probed'\n"
				  "	option match '7.'\n"
				  "	list method 'OPTIONS'\n"
				  "	list to 'presence'\n"
				  "config route 'out'\n"
				  "	option match '!'\n"
				  "	list to 'presence'\n"
				  "	list to 'backup'\n";

/* ---- the registrar, faked ---------------------------------------------------- */

static struct {
	struct binding list[4]; /* all of phone 101 */
	unsigned n;
	struct config *config;
} bindings;

const char *binding_phone(const struct binding *b)
{
	return "101";
}

bool binding_same_device(const struct binding *a, const struct binding *b)
{
	return a->instance && b->instance && !strcmp(a->instance, b->instance);
}

unsigned registrar_find(const struct registrar *reg, const char *phone,
			const struct binding **out, unsigned max)
{
	unsigned n = 0;

	if (strcmp(phone, "101"))
		return 0;
	for (unsigned i = 0; i < bindings.n && n < max; i++) {
		if (sip_flow_alive(NULL, &bindings.list[i].to))
			out[n++] = &bindings.list[i];
	}
	return n;
}

bool registrar_is_ours(const struct registrar *reg,
		       const struct conf_realm *realm, const char *host)
{
	return !strcmp(host, "sbc");
}

const struct conf_trunk *registrar_trunk_of(const struct registrar *reg,
					    const struct sip_view *view)
{
	return config_trunk_by_source(bindings.config, view->realm,
				      &view->flow.remote, CONF_UDP);
}

bool registrar_identify(struct registrar *reg, struct sip_request *req,
			struct registrar_peer *out)
{
	const struct sip_view *view = sip_request_view(req);
	struct sip_challenge challenge;
	struct sip_message m;

	*out = (struct registrar_peer){
		.realm = config_realm(bindings.config, view->realm)};
	out->trunk = registrar_trunk_of(reg, view);
	if (out->trunk ||
	    sip_auth_check(NULL, view, bindings.config, out->realm,
			   &out->phone) == SIP_AUTH_OK)
		return true;
	m = sip_auth_refusal(NULL, view, out->realm, fake.verdict, &challenge);
	sip_request_answer(req, &m);
	return false;
}

/* "token-N" is the N-th binding. */
const struct binding *registrar_by_token(struct registrar *reg,
					 const char *user)
{
	unsigned i = 0;

	return sscanf(user, "token-%u", &i) == 1 && i && i <= bindings.n
		       ? &bindings.list[i - 1]
		       : NULL;
}

const char *registrar_service_route(const struct registrar *reg,
				    const char *phone)
{
	return "<sip:198.51.100.9;lr>";
}

static inline struct binding *add_binding(const char *contact,
					  const char *source)
{
	struct binding *b = &bindings.list[bindings.n++];

	memset(b, 0, sizeof(*b));
	b->id = bindings.n;
	b->contact = contact;
	b->realm = "lan";
	addr_parse_port(&b->flow.remote, source);
	addr_parse_port(&b->flow.local, "203.0.113.10:5060");
	b->to = b->flow;
	return b;
}

/* ---- rig ----------------------------------------------------------------------- */

struct rig {
	struct loop *loop;
	struct passes *passes;
	struct trunks *trunks;
	struct sip_flow phone, server; /* where they send from */
	struct sip_request req;
	struct sip_contact contact;
	struct sip_header headers[16];
};

static bool is_on_link(void *arg, const struct addr *a)
{
	return false;
}

/* The next request: of phone 100 to @user; headers as in rig->headers. */
static inline struct sip_view *prepare(struct rig *rig, enum sip_method method,
				       const char *user)
{
	static uint32_t cseq;

	rig->contact = (struct sip_contact){.uri = "sip:100@192.168.1.50"};
	rig->req.view = (struct sip_view){
		.method = method,
		.method_name = "",
		.flow = rig->phone,
		.realm = "lan",
		.uri = {.scheme = "sip", .user = user, .host = "sbc"},
		.uri_text = user,
		.from = {.scheme = "sip", .user = "100", .host = "sbc"},
		.to = {.scheme = "sip", .user = user, .host = "sbc"},
		.from_tag = "f",
		.call_id = "call-1",
		.cseq = ++cseq,
		.max_forwards = 70,
		.expires = -1,
		.contacts = &rig->contact,
		.n_contacts = 1,
		.msg = rig->headers,
	};
	return &rig->req.view;
}

static inline void set_headers(struct rig *rig, const struct sip_header *list)
{
	memset(rig->headers, 0, sizeof(rig->headers));
	for (unsigned i = 0; list[i].name; i++)
		rig->headers[i] = list[i];
	fake.headers = rig->headers;
}

#define HEADERS(rig, ...)                                                      \
	set_headers(rig, (struct sip_header[]){__VA_ARGS__, {NULL, NULL}})

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct conf_errors errs = {0};
	struct passes_conf conf = {
		.keepalive = FAKE_KEEPALIVE,
		.is_on_link = is_on_link,
	};

	fake_reset();
	fake_nat_reset();
	memset(&bindings, 0, sizeof(bindings));
	clock_freeze(5000000, 1700000000000);
	assert_int_equal(
		config_parse(&bindings.config, "test", STR(config_text), &errs),
		0);
	assert_int_equal(loop_create(&rig->loop), 0);
	conf.loop = rig->loop;
	assert_int_equal(trunks_create(&rig->trunks,
				       &(struct trunks_conf){.loop = rig->loop},
				       bindings.config),
			 0);
	conf.trunks = rig->trunks;
	assert_int_equal(passes_create(&rig->passes, &conf, bindings.config),
			 0);
	addr_parse_port(&rig->phone.remote, "192.0.2.1:40001");
	addr_parse_port(&rig->phone.local, "203.0.113.10:5060");
	addr_parse_port(&rig->server.remote, "198.51.100.5:5060");
	addr_parse_port(&rig->server.local, "203.0.113.10:5060");
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	passes_destroy(rig->passes);
	trunks_destroy(rig->trunks);
	assert_int_equal(fake_nat.held, 0);
	for (unsigned i = 0; i < fake.n_dialogs; i++)
		assert_true(fake.dialogs[i]->destroyed);
	for (unsigned i = 0; i < fake.n_txns; i++)
		assert_true(fake.txns[i]->released ||
			    !fake.txns[i]->on_response);
	loop_destroy(rig->loop);
	config_unref(bindings.config);
	clock_thaw();
	fake_reset();
	free(rig);
	return 0;
}

static inline void advance(struct rig *rig, int64_t ms)
{
	clock_advance(ms);
	loop_fire(rig->loop);
}

static inline bool says(const struct fake_message *m, const char *line)
{
	return strstr(m->headers, line) != NULL;
}

/* ---- a subscription ------------------------------------------------------------- */

/* Phone 100 subscribes to @user's @event for @expires seconds. */
static inline struct sip_txn *subscribe(struct rig *rig, const char *user,
					const char *event, int64_t expires)
{
	struct sip_view *view;

	HEADERS(rig, {"Event", event}, {"Accept", "application/pidf+xml"},
		{"Via", "SIP/2.0/UDP 192.168.1.50"}, {"X-Secret", "1"});
	view = prepare(rig, SIP_SUBSCRIBE, user);
	view->expires = expires;
	passes_subscribe(rig->passes, &rig->req);
	return fake_request(SIP_SUBSCRIBE)->txn;
}

/* 2xx to our SUBSCRIBE. */
static inline void grant(struct sip_txn *txn, int64_t expires)
{
	struct sip_view view = {.status = 200,
				.method = SIP_SUBSCRIBE,
				.to_tag = "peer",
				.expires = expires};

	fake_response_view(txn, &view);
}

/* The dialog with whom we asked, and that with whom asked us. */
static inline struct sip_dialog *theirs(void)
{
	return fake_request(SIP_SUBSCRIBE)->dialog;
}

static inline struct sip_dialog *ours(void)
{
	return fake.dialogs[0];
}

/* Presence of 102 is subscribed to at the server, 600 s. */
static inline void stand(struct rig *rig)
{
	grant(subscribe(rig, "102", "presence", 600), 600);
	assert_int_equal(passes_subscriptions(rig->passes), 1);
}

#endif
