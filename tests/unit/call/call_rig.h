/*
 * call_rig.h - calls through the back-to-back user agent, message by message
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Real: config, routing, SDP, legs, calls.  Faked: the SIP stack, the ports,
 * the table of bindings.
 */
#ifndef SBC_TESTS_CALL_RIG_H
#define SBC_TESTS_CALL_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>

#include "../fake_media.h"
#include "../fake_nat.h"
#include "../fake_sip.h"
#include "call/call.h"
#include "registrar/token.h"
#include "trunk/trunk.h"

#define SEC(s) ((s)*1000)

static const char config_text[] = "config sbc 'global'\n"
				  "	option schema '1'\n"
				  "	option max_calls '3'\n"
				  "	option ring_timeout '20'\n"
				  "config realm 'lan'\n"
				  "	option media_timeout '60'\n"
				  "	option media_timeout_hold '300'\n"
				  "config phone '100'\n"
				  "	option password 'secret-a'\n"
				  "config phone '101'\n"
				  "	option password 'secret-b'\n"
				  "	option caller_id '4930101'\n"
				  "config trunk 'itsp'\n"
				  "	option realm 'lan'\n"
				  "	option host '198.51.100.5'\n"
				  "config trunk 'backup'\n"
				  "	option realm 'lan'\n"
				  "	option host '198.51.100.6'\n"
				  "config route 'out'\n"
				  "	option match '0.'\n"
				  "	list to 'itsp'\n"
				  "	list to 'backup'\n";

#define OFFER                                                                  \
	"v=0\r\no=phone 1 1 IN IP4 192.168.1.7\r\ns=call\r\n"                  \
	"c=IN IP4 192.168.1.7\r\nt=0 0\r\n"                                    \
	"m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
#define HOLD_OFFER                                                             \
	"v=0\r\no=phone 1 2 IN IP4 192.168.1.7\r\ns=call\r\n"                  \
	"c=IN IP4 192.168.1.7\r\nt=0 0\r\n"                                    \
	"m=audio 4000 RTP/AVP 8 101\r\na=sendonly\r\n"
#define ANSWER                                                                 \
	"v=0\r\no=desk 7 7 IN IP4 192.168.2.9\r\ns=-\r\n"                      \
	"c=IN IP4 192.168.2.9\r\nt=0 0\r\nm=audio 5000 RTP/AVP 8\r\n"
#define HOLD_ANSWER                                                            \
	"v=0\r\no=desk 7 8 IN IP4 192.168.2.9\r\ns=-\r\n"                      \
	"c=IN IP4 192.168.2.9\r\nt=0 0\r\nm=audio 5000 RTP/AVP 8\r\n"          \
	"a=recvonly\r\n"
#define NO_DATAGRAMS                                                           \
	"v=0\r\no=x 1 1 IN IP4 192.168.1.7\r\ns=-\r\n"                         \
	"c=IN IP4 192.168.1.7\r\nt=0 0\r\nm=message 4000 TCP/MSRP *\r\n"

struct rig {
	struct loop *loop;
	struct config *config;
	struct calls *calls;
	struct trunks *trunks;
	struct sip_flow flow_a, flow_b;
	unsigned invites;
	const char *host;   /* of the Request-URI */
	const char *scheme; /* NULL = sip */
	const char *display;
	int max_forwards; /* 0 = 70 */
	bool no_contact;
	bool supports_100rel, requires_100rel; /* the caller */
	bool on_link;
};

/* ---- the registrar, faked ---------------------------------------------------- */

static struct {
	struct binding list[4];
	unsigned n;
	const char *phone; /* whose they are; NULL = 101 */
} bindings;

const char *binding_phone(const struct binding *b)
{
	return bindings.phone ? bindings.phone : "101";
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

/* "token-2" names the second binding. */
const struct binding *registrar_by_token(struct registrar *reg,
					 const char *user)
{
	unsigned n = !strncmp(user, "token-", 6) ? (unsigned)atoi(user + 6) : 0;

	return n && n <= bindings.n ? &bindings.list[n - 1] : NULL;
}

const char *registrar_service_route(const struct registrar *reg,
				    const char *phone)
{
	return !strcmp(phone, "100") ? "<sip:198.51.100.5;lr>" : NULL;
}

static struct config *known; /* of the registrar */

bool registrar_identify(struct registrar *reg, struct sip_request *req,
			struct registrar_peer *out)
{
	const struct sip_view *view = sip_request_view(req);
	struct sip_challenge challenge;
	struct sip_message m;

	*out = (struct registrar_peer){
		.realm = config_realm(known, view->realm)};
	out->trunk = config_trunk_by_source(known, view->realm,
					    &view->flow.remote, CONF_UDP);
	if (out->trunk || sip_auth_check(NULL, view, known, out->realm,
					 &out->phone) == SIP_AUTH_OK)
		return true;
	m = sip_auth_refusal(NULL, view, out->realm, fake.verdict, &challenge);
	sip_request_answer(req, &m);
	return false;
}

const struct conf_trunk *registrar_trunk_of(const struct registrar *reg,
					    const struct sip_view *view)
{
	return config_trunk_by_source(known, view->realm, &view->flow.remote,
				      CONF_UDP);
}

/* The key of this box and its others; NULL: it is alone. */
static struct token_key *flow_key;

bool registrar_shares_key(const struct registrar *reg)
{
	return flow_key != NULL;
}

int registrar_seal(struct registrar *reg, enum registrar_seal kind,
		   const char *context, struct str plain,
		   char out[REGISTRAR_SEALED_MAX])
{
	return token_seal_bytes(flow_key, (uint8_t)kind, context, plain, out);
}

int registrar_unseal(struct registrar *reg, enum registrar_seal kind,
		     const char *context, const char *text,
		     uint8_t plain[REGISTRAR_PLAIN_MAX], size_t *n)
{
	return text ? token_open_bytes(flow_key, (uint8_t)kind, context, text,
				       plain, n)
		    : -EINVAL;
}

static inline void add_binding(const char *contact, const char *source)
{
	struct binding *b = &bindings.list[bindings.n++];

	memset(b, 0, sizeof(*b));
	b->id = bindings.n;
	b->contact = contact;
	b->realm = "lan";
	addr_parse_port(&b->flow.remote, source);
	addr_parse_port(&b->flow.local, "203.0.113.10:5060");
	b->to = b->flow;
}

/* ---- rig ----------------------------------------------------------------------- */

static bool is_on_link(void *arg, const struct addr *a)
{
	return ((struct rig *)arg)->on_link;
}

/* The last record as JSON, and how many there were. */
static char *recorded;
static unsigned n_recorded;

static void note_record(void *arg, const struct cdr *c)
{
	free(recorded);
	recorded = cdr_json(c);
	n_recorded++;
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct conf_errors errs = {0};
	struct calls_conf conf = {
		.keepalive = FAKE_KEEPALIVE,
		.is_on_link = is_on_link,
		.record = note_record,
		.arg = rig,
	};

	fake_reset();
	fake_media_reset();
	fake_nat_reset();
	bindings.n = 0;
	bindings.phone = NULL;
	n_recorded = 0;
	clock_freeze(5000000, 1700000000000);
	assert_int_equal(
		config_parse(&rig->config, "test", STR(config_text), &errs), 0);
	assert_int_equal(loop_create(&rig->loop), 0);
	conf.loop = rig->loop;
	rig->host = "sbc";
	known = rig->config;
	assert_int_equal(trunks_create(&rig->trunks,
				       &(struct trunks_conf){.loop = rig->loop},
				       rig->config),
			 0);
	conf.trunks = rig->trunks;
	assert_int_equal(calls_create(&rig->calls, &conf, rig->config), 0);
	addr_parse_port(&rig->flow_a.remote, "192.0.2.1:40001");
	addr_parse_port(&rig->flow_a.local, "203.0.113.10:5060");
	addr_parse_port(&rig->flow_b.remote, "192.0.2.2:40002");
	addr_parse_port(&rig->flow_b.local, "203.0.113.10:5060");
	add_binding("sip:101@192.168.1.50:5060", "192.0.2.2:40002");
	*state = rig;
	return 0;
}

static void settle(struct rig *rig)
{
	loop_fire(rig->loop);
	loop_step(rig->loop, 0);
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	calls_destroy(rig->calls);
	trunks_destroy(rig->trunks);
	assert_int_equal(fake_media.open, 0);
	assert_int_equal(fake_nat.held, 0);
	loop_destroy(rig->loop);
	config_unref(rig->config);
	for (unsigned i = 0; i < fake.n_txns; i++)
		assert_true(fake.txns[i]->released);
	for (unsigned i = 0; i < fake.n_dialogs; i++)
		assert_true(fake.dialogs[i]->destroyed);
	fake_reset();
	clock_thaw();
	free(recorded);
	recorded = NULL;
	free(rig);
	return 0;
}

static inline void pass(struct rig *rig, int64_t ms)
{
	while (ms > 0) {
		clock_advance(250);
		settle(rig);
		ms -= 250;
	}
}

/* An INVITE from phone 100 to @user; returns the server transaction, or NULL
 * when it was answered statelessly. */
static inline struct sip_txn *invite(struct rig *rig, const char *user,
				     const char *body)
{
	static char call_id[32];
	struct sip_contact contact = {.uri = "sip:100@192.168.1.7"};
	struct sip_request req = {0};
	unsigned before = fake.n_txns;

	snprintf(call_id, sizeof(call_id), "invite-%u", ++rig->invites);
	req.view = (struct sip_view){
		.method = SIP_INVITE,
		.flow = rig->flow_a,
		.realm = "lan",
		.uri = {.scheme = rig->scheme ? rig->scheme : "sip",
			.user = user,
			.host = rig->host},
		.uri_text = user,
		.from = {.user = "100", .host = "sbc"},
		.from_display = "Alice",
		.from_tag = "a-tag",
		.call_id = call_id,
		.branch = "z9hG4bKa",
		.cseq = 1,
		.max_forwards = 70,
	};
	req.view.msg = fake.headers;
	req.view.contacts = &contact;
	req.view.n_contacts = !rig->no_contact;
	if (rig->max_forwards)
		req.view.max_forwards = rig->max_forwards;
	req.view.supports_100rel = rig->supports_100rel;
	req.view.requires_100rel = rig->requires_100rel;
	if (rig->display)
		req.view.from_display = rig->display;
	fake_body(&req.view, req.body, body);
	calls_invite(rig->calls, &req);
	return fake.n_txns > before ? fake.txns[before] : NULL;
}

/* A call that is up; @b is the callee's INVITE. */
static inline struct sip_txn *establish(struct rig *rig, struct sip_txn **b)
{
	struct sip_txn *a = invite(rig, "101", OFFER);

	*b = fake_request(SIP_INVITE)->txn;
	fake_response(*b, 180, NULL);
	fake_response(*b, 200, ANSWER);
	fake_event(a, SIP_TXN_ACK, NULL);
	assert_int_equal(fake_answer(a)->status, 200);
	return a;
}

static const struct call *only_call;

static void note_call(void *arg, const struct call *call)
{
	only_call = call;
}

static inline const struct call *the_call(struct rig *rig)
{
	uint64_t after = 0;

	only_call = NULL;
	calls_slice(rig->calls, &after, 1, note_call, NULL);
	return only_call;
}

#endif
