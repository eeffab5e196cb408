/*
 * reg_rig.h - a registrar between fakes: SIP stack, store, screen, keepalive
 * engine and prober
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Real: config, the verdict (nat/evidence.c), registrar.  Included by the one
 * file of a test program.
 */
#ifndef SBC_TESTS_REG_RIG_H
#define SBC_TESTS_REG_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../fake_sip.h"
#include "registrar/registrar.h"

#define SEC(s) ((s)*1000)

static const char config_text[] = "config sbc 'global'\n"
				  "	option schema '1'\n"
				  "config realm 'lan'\n"
				  "	option domain 'example.net'\n"
				  "	list domain_alias 'pbx.example.net'\n"
				  "	option min_expires '60'\n"
				  "	option max_expires '600'\n"
				  "	option nat_expires '0'\n"
				  "config phone '100'\n"
				  "	option password 'secret'\n"
				  "	option max_contacts '3'\n"
				  "config phone '101'\n"
				  "	option password 'secret'\n";

/* ---- the store and the screen, faked ------------------------------------------- */

static struct {
	unsigned puts, refreshes, dels;
	struct binding_row rows[4]; /* to be loaded */
	unsigned n_rows;
	char last_contact[128];
	wall_ms last_expires_at;
	struct store_nat last_nat;
	bool has_holes, is_full;
	unsigned resyncs;
	struct told {
		struct history_row row;
		char event[16], cause[16], reason[160];
	} told[64];
	unsigned n_told;
} store;

void store_history_add(struct store *s, const struct history_row *row)
{
	struct told *t = &store.told[store.n_told++ % 64];

	t->row = *row;
	snprintf(t->event, sizeof(t->event), "%s", row->event);
	snprintf(t->cause, sizeof(t->cause), "%s",
		 row->cause ? row->cause : "");
	snprintf(t->reason, sizeof(t->reason), "%s",
		 row->reason ? row->reason : "");
}

/* The newest row of history with @event; all of it empty when there is none. */
static inline struct told *told(const char *event)
{
	static struct told none;

	for (unsigned i = store.n_told; i > 0; i--) {
		if (!strcmp(store.told[(i - 1) % 64].event, event))
			return &store.told[(i - 1) % 64];
	}
	return &none;
}

static inline unsigned times_told(const char *event)
{
	unsigned n = 0;

	for (unsigned i = 0; i < store.n_told && i < 64; i++)
		n += !strcmp(store.told[i].event, event);
	return n;
}

uint64_t store_max_id(const struct store *s)
{
	return 41;
}

int store_load_bindings(struct store *s,
			void (*fn)(void *arg, const struct binding_row *row),
			void *arg)
{
	for (unsigned i = 0; i < store.n_rows; i++)
		fn(arg, &store.rows[i]);
	return 0;
}

void store_binding_put(struct store *s, const struct binding_row *row)
{
	store.puts++;
	store.last_expires_at = row->expires_at;
	store.last_nat = row->nat;
	snprintf(store.last_contact, sizeof(store.last_contact), "%s",
		 row->contact);
}

void store_binding_refresh(struct store *s, uint64_t id, uint32_t cseq,
			   wall_ms expires_at, wall_ms last_seen)
{
	store.refreshes++;
	store.last_expires_at = expires_at;
}

void store_binding_del(struct store *s, uint64_t id)
{
	store.dels++;
}

bool store_needs_resync(struct store *s)
{
	return store.has_holes;
}

void store_resync_begin(struct store *s)
{
	store.has_holes = false;
}

bool store_has_room(const struct store *s)
{
	return !store.is_full;
}

void store_resync_end(struct store *s)
{
	store.resyncs++;
}

static struct addr screened; /* the source promoted last */

void screen_promote(struct screen *s, const struct addr *source,
		    enum screen_class cls, mono_ms until)
{
	screened = *source;
}

/* ---- the keepalive engine and the prober, faked ---------------------------------- */

struct keep_flow {
	struct sip_flow flow;
	struct keep_want want;
	struct keep_info info;
	char target[256];
	unsigned holds, refreshed, wanted;
};

static struct {
	struct keep_flow flows[32]; /* holds 0 = free */
	unsigned probes;
	uint64_t probed_id;
	int probe_error;
} nat;

int keepalive_hold(struct keepalive *ka, struct keep *k,
		   const struct sip_flow *flow, enum keep_reason reason,
		   const struct keep_want *want)
{
	struct keep_flow *f = NULL;

	assert_int_equal(reason, KEEP_REG);
	for (unsigned i = 0; i < 32; i++) {
		struct keep_flow *at = &nat.flows[i];

		if (at->holds && sip_flow_equal(&at->flow, flow)) {
			f = at;
			break;
		}
		if (!at->holds && !f)
			f = at;
	}
	assert_non_null(f);
	if (!f->holds) {
		memset(f, 0, sizeof(*f));
		f->info.learned = want->learned;
	}
	f->holds++; /* before the release: it may be the same */
	keepalive_release(k);
	k->flow = f;
	f->flow = *flow;
	f->want = *want;
	f->wanted++;
	snprintf(f->target, sizeof(f->target), "%s", want->target);
	return 0;
}

void keepalive_release(struct keep *k)
{
	if (k->flow)
		k->flow->holds--;
	k->flow = NULL;
}

void keepalive_refreshed(struct keep *k)
{
	k->flow->refreshed++;
}

bool keepalive_look(const struct keep *k, struct keep_info *out)
{
	if (k->flow)
		*out = k->flow->info;
	return k->flow != NULL;
}

unsigned keepalive_flows(const struct keepalive *ka)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 32; i++)
		n += nat.flows[i].holds > 0;
	return n;
}

int nat_probe(struct nat_prober *p, const struct sip_flow *flow,
	      const char *target, const struct nat_verdict *verdict,
	      uint64_t id)
{
	if (nat.probe_error)
		return nat.probe_error;
	nat.probes++;
	nat.probed_id = id;
	return 0;
}

/* ---- rig ------------------------------------------------------------------------- */

struct rig {
	struct loop *loop;
	struct config *config;
	struct registrar *reg;
	struct sip_flow flow;
	unsigned moves, appeared;
	unsigned beside; /* bindings when one appeared last */
	struct sip_flow moved_from, moved_to;
	unsigned aways; /* phones that are with another box */
	struct addr away_via;
	struct addr neighbour; /* the one that is on link */
	struct sip_contact contact;
	struct sip_request req;
};

static void moved(void *arg, const struct binding *b,
		  const struct sip_flow *from)
{
	struct rig *rig = arg;

	if (!from) {
		rig->appeared++;
		rig->beside = registrar_count(b->owner);
		rig->moved_to = b->to;
		return;
	}
	rig->moves++;
	rig->moved_from = *from;
	rig->moved_to = b->to;
}

static void away(void *arg, const struct binding *b, const struct addr *via)
{
	struct rig *rig = arg;

	rig->aways++;
	rig->away_via = *via;
}

static bool is_on_link(void *arg, const struct addr *a)
{
	struct rig *rig = arg;

	return addr_is_set(&rig->neighbour) &&
	       addr_same_host(a, &rig->neighbour);
}

static void start(struct rig *rig)
{
	struct registrar_conf conf = {
		.loop = rig->loop,
		.prober = (struct nat_prober *)rig, /* only handed on */
		.is_on_link = is_on_link,
		.moved = moved,
		.away = away,
		.arg = rig,
	};

	assert_int_equal(registrar_create(&rig->reg, &conf, rig->config), 0);
}

/* The next REGISTER: contact sip:100@192.168.1.50, Expires 300. */
static void prepare(struct rig *rig)
{
	static uint32_t cseq = 1;

	rig->contact = (struct sip_contact){
		.uri = "sip:100@192.168.1.50",
		.expires = -1,
	};
	rig->req.view = (struct sip_view){
		.method = SIP_REGISTER,
		.flow = rig->flow,
		.realm = "lan",
		.to = {.scheme = "sip", .user = "100", .host = "example.net"},
		.from = {.scheme = "sip", .user = "100", .host = "example.net"},
		.call_id = "call-1",
		.cseq = ++cseq,
		.user_agent = "phone/1",
		.expires = 300,
		.contacts = &rig->contact,
		.n_contacts = 1,
	};
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct conf_errors errs = {0};

	fake_reset();
	memset(&store, 0, sizeof(store));
	memset(&nat, 0, sizeof(nat));
	clock_freeze(5000000, 1700000000000);
	assert_int_equal(
		config_parse(&rig->config, "test", STR(config_text), &errs), 0);
	assert_int_equal(loop_create(&rig->loop), 0);
	addr_parse_port(&rig->flow.remote, "192.0.2.1:40001");
	addr_parse_port(&rig->flow.local, "203.0.113.10:5060");
	start(rig);
	prepare(rig);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	registrar_destroy(rig->reg);
	assert_int_equal(keepalive_flows(NULL), 0);
	loop_destroy(rig->loop);
	config_unref(rig->config);
	fake_reset();
	clock_thaw();
	free(rig);
	return 0;
}

static inline int send_it(struct rig *rig)
{
	registrar_register(rig->reg, &rig->req);
	return fake_last()->status;
}

static inline void pass(struct rig *rig, int64_t ms)
{
	while (ms > 0) {
		clock_advance(500);
		loop_fire(rig->loop);
		ms -= 500;
	}
}

static inline unsigned found(struct rig *rig, const struct binding **out)
{
	return registrar_find(rig->reg, "100", out, 8);
}

/* The only binding of phone 100. */
static inline const struct binding *the_binding(struct rig *rig)
{
	const struct binding *b[8];

	assert_int_equal(found(rig, b), 1);
	return b[0];
}

/* What the engine was told of the flow of the only binding. */
static inline struct keep_flow *the_hold(struct rig *rig)
{
	struct keep_flow *f = the_binding(rig)->keep.flow;

	assert_non_null(f);
	return f;
}

/* The engine says so of the only binding. */
static inline void engine_says(struct rig *rig, enum keep_event event)
{
	registrar_keep_event(rig->reg, (struct keep *)&the_binding(rig)->keep,
			     event);
}

/* From now on the configuration is @text. */
static inline void reload(struct rig *rig, const char *text)
{
	struct conf_errors errs = {0};

	config_unref(rig->config);
	assert_int_equal(
		config_parse(&rig->config, "test", str_of(text), &errs), 0);
	registrar_set_config(rig->reg, rig->config);
}

/* The same with realm option @realm and phone option @phone as lines. */
static inline void set_options(struct rig *rig, const char *realm,
			       const char *phone)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "config sbc 'global'\n	option schema '1'\n"
		 "config realm 'lan'\n	option domain 'example.net'\n"
		 "	option max_expires '600'\n%s\n"
		 "config phone '100'\n	option password 'x'\n%s\n"
		 "config phone '101'\n	option password 'x'\n",
		 realm, phone);
	reload(rig, text);
}

/* The process starts again and finds one binding, as it was when its
 * Expires had @expires_in_ms left. */
static inline void restart_with(struct rig *rig, int64_t expires_in_ms)
{
	struct binding_row *row = &store.rows[0];
	struct store_nat kept = row->nat;
	enum sip_transport transport = rig->flow.transport;

	registrar_destroy(rig->reg);
	*row = (struct binding_row){
		.id = 7,
		.aor = "100@example.net",
		.phone = "100",
		.realm = "lan",
		.contact = "sip:100@192.168.1.50",
		.call_id = "call-1",
		.cseq = 3,
		.transport = transport,
		.source = rig->flow.remote,
		.local = rig->flow.local,
		.expires_at = clock_wall() + expires_in_ms,
		.registered_at = clock_wall() - SEC(50),
		.last_seen = clock_wall() - SEC(50),
		.nat = kept,
	};
	store.n_rows = 1;
	start(rig);
}

#endif
