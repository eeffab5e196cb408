/*
 * test_register.c - REGISTER in, bindings out, and what the store is told
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Real: config, keepalive, registrar.  Faked: the SIP stack, the store, the
 * screen.
 */
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
	bool has_holes;
	unsigned resyncs;
} store;

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
	return true;
}

void store_resync_end(struct store *s)
{
	store.resyncs++;
}

void screen_promote(struct screen *s, const struct addr *source,
		    enum screen_class cls, mono_ms until)
{
}

/* ---- rig ------------------------------------------------------------------------- */

struct rig {
	struct loop *loop;
	struct config *config;
	struct keepalive *ka;
	struct registrar *reg;
	struct sip_flow flow;
	unsigned pings, moves;
	struct sip_contact contact;
	struct sip_request req;
};

static int ping(void *arg, const struct sip_flow *flow, enum keep_method method,
		const char *target, uint64_t token)
{
	((struct rig *)arg)->pings++;
	return 0;
}

static void moved(void *arg, const struct binding *b,
		  const struct sip_flow *from)
{
	((struct rig *)arg)->moves++;
}

static void start(struct rig *rig)
{
	struct registrar_conf conf = {
		.loop = rig->loop,
		.keepalive = rig->ka,
		.moved = moved,
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
	clock_freeze(5000000, 1700000000000);
	assert_int_equal(
		config_parse(&rig->config, "test", STR(config_text), &errs), 0);
	assert_int_equal(loop_create(&rig->loop), 0);
	struct keepalive_conf ka = {
		.loop = rig->loop, .ping = ping, .arg = rig};
	assert_int_equal(keepalive_create(&rig->ka, &ka), 0);
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
	assert_int_equal(keepalive_flows(rig->ka), 0);
	keepalive_destroy(rig->ka);
	loop_destroy(rig->loop);
	config_unref(rig->config);
	fake_reset();
	clock_thaw();
	free(rig);
	return 0;
}

static int send_it(struct rig *rig)
{
	registrar_register(rig->reg, &rig->req);
	return fake_last()->status;
}

static void pass(struct rig *rig, int64_t ms)
{
	while (ms > 0) {
		clock_advance(500);
		loop_fire(rig->loop);
		ms -= 500;
	}
}

static unsigned found(struct rig *rig, const struct binding **out)
{
	return registrar_find(rig->reg, "100", out, 8);
}

/* ---- registering ------------------------------------------------------------------ */

static void a_binding_keeps_contact_and_source_side_by_side(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	assert_int_equal(send_it(rig), 200);
	assert_int_equal(found(rig, b), 1);
	assert_string_equal(b[0]->contact, "sip:100@192.168.1.50");
	assert_true(sip_flow_equal(&b[0]->flow, &rig->flow));
	assert_string_equal(binding_aor(b[0]), "100@example.net");
	assert_int_equal(store.puts, 1);
	assert_int_equal(b[0]->id, 42);
}

static void the_answer_lists_all_bindings_with_what_remains(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	pass(rig, SEC(100));
	prepare(rig);
	rig->contact.uri = "sip:100@192.168.1.51";
	send_it(rig);
	assert_non_null(
		strstr(fake_last()->headers,
		       "Contact: <sip:100@192.168.1.50>;expires=200\n"));
	assert_non_null(
		strstr(fake_last()->headers,
		       "Contact: <sip:100@192.168.1.51>;expires=300\n"));
	assert_non_null(strstr(fake_last()->headers, "Date: Tue, 14 Nov 2023"));
	assert_null(strstr(fake_last()->headers, "Service-Route"));
}

static void a_query_without_contact_changes_nothing(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	prepare(rig);
	rig->req.view.n_contacts = 0;
	assert_int_equal(send_it(rig), 200);
	assert_non_null(strstr(fake_last()->headers, "Contact: <sip:100@"));
	assert_int_equal(store.puts, 1);
}

static void strangers_are_challenged(void **state)
{
	struct rig *rig = *state;

	fake.verdict = SIP_AUTH_NONE;
	assert_int_equal(send_it(rig), 401);
	assert_non_null(strstr(fake_last()->headers, "WWW-Authenticate"));
	assert_int_equal(registrar_count(rig->reg), 0);
}

static void another_users_aor_is_403_and_a_foreign_host_404(void **state)
{
	struct rig *rig = *state;

	rig->req.view.to.user = "101";
	fake.auth_user = "100";
	assert_int_equal(send_it(rig), 403);
	rig->req.view.to.user = "100";
	rig->req.view.to.host = "elsewhere.example";
	assert_int_equal(send_it(rig), 404);
	rig->req.view.to.host = "PBX.example.net";
	assert_int_equal(send_it(rig), 200);
	rig->req.view.to.host = "203.0.113.10";
	assert_int_equal(send_it(rig), 200);
}

/* ---- expiry ------------------------------------------------------------------------- */

static void expires_is_shortened_never_lengthened(void **state)
{
	struct rig *rig = *state;

	rig->req.view.expires = 4000000000ll;
	assert_int_equal(send_it(rig), 200);
	assert_non_null(strstr(fake_last()->headers, "expires=600"));
	prepare(rig);
	rig->req.view.expires = 60;
	assert_int_equal(send_it(rig), 200);
	assert_non_null(strstr(fake_last()->headers, "expires=60\n"));
}

static void too_brief_is_423_with_min_expires(void **state)
{
	struct rig *rig = *state;

	rig->req.view.expires = 59;
	assert_int_equal(send_it(rig), 423);
	assert_non_null(strstr(fake_last()->headers, "Min-Expires: 60"));
	assert_int_equal(registrar_count(rig->reg), 0);
}

static void a_contacts_own_expires_beats_the_header(void **state)
{
	struct rig *rig = *state;

	rig->contact.expires = 120;
	send_it(rig);
	assert_non_null(strstr(fake_last()->headers, "expires=120"));
}

static void without_expires_the_realms_maximum_is_granted(void **state)
{
	struct rig *rig = *state;

	rig->req.view.expires = -1;
	send_it(rig);
	assert_non_null(strstr(fake_last()->headers, "expires=600"));
}

static void a_binding_goes_when_its_time_is_over(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	pass(rig, SEC(299));
	assert_int_equal(registrar_count(rig->reg), 1);
	pass(rig, SEC(2));
	assert_int_equal(registrar_count(rig->reg), 0);
	assert_int_equal(store.dels, 1);
}

static void a_wall_clock_jump_loses_no_binding(void **state)
{
	struct rig *rig = *state;
	mono_ms mono = clock_mono();

	send_it(rig);
	clock_freeze(mono, 1700000000000 + 400ll * 86400000);
	pass(rig, SEC(200));
	assert_int_equal(registrar_count(rig->reg), 1);
}

static void zero_expires_removes_that_contact_only(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	send_it(rig);
	prepare(rig);
	rig->contact.uri = "sip:100@192.168.1.51";
	send_it(rig);
	prepare(rig);
	rig->contact.expires = 0;
	assert_int_equal(send_it(rig), 200);
	assert_int_equal(found(rig, b), 1);
	assert_string_equal(b[0]->contact, "sip:100@192.168.1.51");
}

static void star_removes_all_but_only_with_expires_0(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	prepare(rig);
	rig->req.view.n_contacts = 0;
	rig->req.view.contact_star = true;
	assert_int_equal(send_it(rig), 400);
	rig->req.view.expires = 0;
	rig->req.view.n_contacts = 1;
	assert_int_equal(send_it(rig), 400);
	assert_int_equal(registrar_count(rig->reg), 1);
	rig->req.view.n_contacts = 0;
	assert_int_equal(send_it(rig), 200);
	assert_int_equal(registrar_count(rig->reg), 0);
}

/* ---- which binding is meant ------------------------------------------------------------ */

static void a_refresh_costs_no_write_of_its_own(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	pass(rig, SEC(100));
	prepare(rig);
	assert_int_equal(send_it(rig), 200);
	assert_int_equal(store.puts, 1);
	assert_int_equal(store.refreshes, 1);
	assert_int_equal(registrar_count(rig->reg), 1);
	assert_true(store.last_expires_at == clock_wall() + SEC(300));
}

static void two_homes_with_the_same_contact_do_not_meet(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	send_it(rig);
	addr_parse_port(&rig->flow.remote, "198.51.100.9:5060");
	prepare(rig);
	rig->req.view.call_id = "other-home";
	assert_int_equal(send_it(rig), 200);
	assert_int_equal(found(rig, b), 2);
}

static void a_rebooted_phone_on_the_same_flow_rings_once(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	send_it(rig);
	prepare(rig);
	rig->req.view.call_id = "after-reboot";
	send_it(rig);
	assert_int_equal(registrar_count(rig->reg), 2);
	assert_int_equal(found(rig, b), 1);
	assert_string_equal(b[0]->call_id, "after-reboot");
}

static void an_instance_is_one_binding_whatever_its_contact(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	rig->contact.instance = "<urn:uuid:1>";
	rig->contact.reg_id = 1;
	send_it(rig);
	prepare(rig);
	rig->contact.uri = "sip:100@10.9.9.9";
	rig->contact.instance = "<urn:uuid:1>";
	rig->contact.reg_id = 1;
	rig->req.view.call_id = "new";
	send_it(rig);
	assert_int_equal(found(rig, b), 1);
	assert_string_equal(b[0]->contact, "sip:100@10.9.9.9");
	assert_string_equal(store.last_contact, "sip:100@10.9.9.9");
	/* A second flow of the same phone is a second binding (RFC 5626). */
	prepare(rig);
	rig->contact.instance = "<urn:uuid:1>";
	rig->contact.reg_id = 2;
	send_it(rig);
	assert_int_equal(registrar_count(rig->reg), 2);
	assert_non_null(strstr(fake_last()->headers,
			       ";+sip.instance=\"<urn:uuid:1>\";reg-id=2"));
}

static void an_old_cseq_of_the_same_call_id_is_500(void **state)
{
	struct rig *rig = *state;

	rig->req.view.cseq = 100;
	send_it(rig);
	prepare(rig);
	rig->req.view.cseq = 99;
	rig->contact.expires = 0;
	assert_int_equal(send_it(rig), 500);
	assert_int_equal(registrar_count(rig->reg), 1);
	rig->req.view.cseq = 100; /* a retransmission */
	rig->contact.expires = -1;
	assert_int_equal(send_it(rig), 200);
}

static void above_max_contacts_the_oldest_is_replaced(void **state)
{
	struct rig *rig = *state;
	static char uris[5][32];

	for (int i = 0; i < 5; i++) {
		prepare(rig);
		snprintf(uris[i], sizeof(uris[i]), "sip:100@10.0.0.%d", i);
		rig->contact.uri = uris[i];
		assert_int_equal(send_it(rig), 200);
	}
	assert_int_equal(registrar_count(rig->reg), 3);
	assert_null(strstr(fake_last()->headers, "10.0.0.1>"));
	assert_non_null(strstr(fake_last()->headers, "10.0.0.2>"));
}

static void our_own_addresses_are_no_contact_for_others(void **state)
{
	struct rig *rig = *state;

	rig->contact.uri = "sip:100@127.0.0.1:5070";
	assert_int_equal(send_it(rig), 403);
	rig->contact.uri = "sip:100@203.0.113.10:9999";
	assert_int_equal(send_it(rig), 403);
	/* A phone that lives on this machine may. */
	addr_parse_port(&rig->flow.remote, "127.0.0.1:5070");
	prepare(rig);
	rig->contact.uri = "sip:100@127.0.0.1:5070";
	assert_int_equal(send_it(rig), 200);
	/* Our own socket never. */
	prepare(rig);
	rig->contact.uri = "sip:100@203.0.113.10:5060";
	assert_int_equal(send_it(rig), 403);
	prepare(rig);
	rig->contact.uri = "sip:100@203.0.113.10";
	assert_int_equal(send_it(rig), 403);
}

/* ---- flows ------------------------------------------------------------------------------ */

static void a_new_flow_moves_the_binding_and_its_dialogs(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	send_it(rig);
	addr_set_port(&rig->flow.remote, 41234);
	prepare(rig);
	send_it(rig);
	assert_int_equal(found(rig, b), 1);
	assert_true(sip_flow_equal(&b[0]->flow, &rig->flow));
	assert_int_equal(rig->moves, 1);
	assert_int_equal(store.puts, 2);
	assert_int_equal(keepalive_flows(rig->ka), 1);
}

static void a_binding_whose_connection_closed_is_not_called(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	rig->flow.transport = SIP_TCP;
	rig->flow.conn = 7;
	prepare(rig);
	send_it(rig);
	assert_int_equal(found(rig, b), 1);
	assert_int_equal(keepalive_flows(rig->ka), 0);
	fake.dead_flow = rig->flow;
	assert_int_equal(found(rig, b), 0);
}

static void unregistering_stops_the_keepalive(void **state)
{
	struct rig *rig = *state;
	unsigned before;

	send_it(rig);
	pass(rig, SEC(60));
	assert_in_range(rig->pings, 2, 3);
	prepare(rig);
	rig->contact.expires = 0;
	send_it(rig);
	before = rig->pings;
	pass(rig, SEC(60));
	assert_int_equal(rig->pings, before);
}

/* ---- restart ------------------------------------------------------------------------------ */

static void restart_with(struct rig *rig, int64_t expires_in_ms)
{
	struct binding_row *row = &store.rows[0];

	registrar_destroy(rig->reg);
	*row = (struct binding_row){
		.id = 7,
		.aor = "100@example.net",
		.phone = "100",
		.realm = "lan",
		.contact = "sip:100@192.168.1.50",
		.call_id = "call-1",
		.cseq = 3,
		.source = rig->flow.remote,
		.local = rig->flow.local,
		.expires_at = clock_wall() + expires_in_ms,
		.registered_at = clock_wall() - SEC(50),
		.last_seen = clock_wall() - SEC(50),
	};
	store.n_rows = 1;
	start(rig);
}

static void stored_bindings_are_back_after_a_restart(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	restart_with(rig, SEC(200));
	assert_int_equal(found(rig, b), 1);
	assert_true(sip_flow_equal(&b[0]->flow, &rig->flow));
	assert_true(b[0]->registered_at == clock_wall() - SEC(50));
	assert_int_equal(keepalive_flows(rig->ka), 1);
}

static void a_refresh_that_was_not_written_down_is_given_grace(void **state)
{
	struct rig *rig = *state;

	restart_with(rig, -SEC(50));
	assert_int_equal(registrar_count(rig->reg), 1);
	restart_with(rig, -SEC(80));
	assert_int_equal(registrar_count(rig->reg), 0);
	assert_int_equal(store.dels, 1);
}

static void a_clock_that_is_not_set_yet_loses_nothing(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	restart_with(rig, 1000ll * 86400000);
	assert_int_equal(found(rig, b), 1);
	assert_true(b[0]->expires <= clock_mono() + SEC(600));
}

static void a_phone_that_left_the_config_is_not_restored(void **state)
{
	struct rig *rig = *state;

	store.rows[0].phone = "999";
	restart_with(rig, SEC(200));
	store.rows[0].phone = "999";
	registrar_destroy(rig->reg);
	start(rig);
	assert_int_equal(registrar_count(rig->reg), 0);
}

static void a_reload_drops_bindings_of_removed_phones(void **state)
{
	static const char without[] = "config sbc 'global'\n"
				      "	option schema '1'\n"
				      "config realm 'lan'\n"
				      "config phone '101'\n"
				      "	option password 'secret'\n";
	struct rig *rig = *state;
	struct conf_errors errs = {0};
	struct config *config;

	send_it(rig);
	assert_int_equal(config_parse(&config, "test", STR(without), &errs), 0);
	registrar_set_config(rig->reg, config);
	config_unref(config);
	assert_int_equal(registrar_count(rig->reg), 0);
	assert_int_equal(store.dels, 1);
}

static void holes_in_the_store_are_filled_from_memory(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	store.has_holes = true;
	pass(rig, SEC(3));
	assert_int_equal(store.puts, 2);
	assert_int_equal(store.resyncs, 1);
}

static void contacts_that_we_could_never_ring_are_refused(void **state)
{
	static const char *const uris[] = {"sips:100@192.168.1.50",
					   "tel:+49301234", "mailto:a@b.c"};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
		prepare(rig);
		rig->contact.uri = uris[i];
		assert_int_equal(send_it(rig), 416);
	}
	assert_int_equal(registrar_count(rig->reg), 0);
}

static void names_and_ipv6_are_good_contacts(void **state)
{
	static const char *const uris[] = {"SIP:100@phone.example.net",
					   "sip:100@[2001:db8::7]:5070",
					   "sip:192.168.1.50;transport=tcp"};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
		prepare(rig);
		rig->contact.uri = uris[i];
		assert_int_equal(send_it(rig), 200);
	}
	assert_int_equal(registrar_count(rig->reg), 3);
}

static void an_instance_that_would_break_the_answer_is_refused(void **state)
{
	static char long_one[400];
	struct rig *rig = *state;

	rig->contact.instance = "<urn:x>\";a=\"";
	assert_int_equal(send_it(rig), 400);
	memset(long_one, 'a', sizeof(long_one) - 1);
	prepare(rig);
	rig->contact.instance = long_one;
	assert_int_equal(send_it(rig), 400);
}

static void more_contacts_than_the_limit_are_refused(void **state)
{
	struct sip_contact many[LIMIT_CONTACTS + 1];
	struct rig *rig = *state;

	for (unsigned i = 0; i < LIMIT_CONTACTS + 1; i++)
		many[i] = rig->contact;
	rig->req.view.contacts = many;
	rig->req.view.n_contacts = LIMIT_CONTACTS + 1;
	assert_int_equal(send_it(rig), 400);
	assert_int_equal(registrar_count(rig->reg), 0);
}

static void an_endless_user_agent_is_cut(void **state)
{
	static char agent[4000];
	struct rig *rig = *state;
	const struct binding *b[8];

	memset(agent, 'x', sizeof(agent) - 1);
	rig->req.view.user_agent = agent;
	assert_int_equal(send_it(rig), 200);
	found(rig, b);
	assert_int_equal(strlen(b[0]->user_agent), 255);
}

static void reload(struct rig *rig, const char *text)
{
	struct conf_errors errs = {0};
	struct config *config;

	assert_int_equal(config_parse(&config, "test", str_of(text), &errs), 0);
	registrar_set_config(rig->reg, config);
	config_unref(config);
}

static void a_binding_outlives_the_new_name_of_its_realm(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	fake.realm = "office";
	reload(rig, "config sbc 'global'\n	option schema '1'\n"
		    "config realm 'office'\n"
		    "config phone '100'\n	option password 'x'\n"
		    "	option realm 'office'\n");
	assert_int_equal(registrar_count(rig->reg), 1);
}

static void a_phone_with_another_user_loses_its_bindings(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	reload(rig, "config sbc 'global'\n	option schema '1'\n"
		    "config realm 'lan'\n"
		    "config phone '100'\n	option password 'x'\n"
		    "	option user '200'\n");
	assert_int_equal(registrar_count(rig->reg), 0);
	assert_int_equal(store.dels, 1);
}

static void a_new_keepalive_interval_comes_with_the_next_refresh(void **state)
{
	struct rig *rig = *state;

	send_it(rig);
	reload(rig, "config sbc 'global'\n	option schema '1'\n"
		    "config realm 'lan'\n	option domain 'example.net'\n"
		    "	option keepalive 'off'\n"
		    "config phone '100'\n	option password 'x'\n");
	assert_int_equal(keepalive_flows(rig->ka), 1);
	prepare(rig);
	send_it(rig);
	assert_int_equal(keepalive_flows(rig->ka), 0);
}

static void a_connection_does_not_survive_a_restart(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	restart_with(rig, SEC(200));
	store.rows[0].transport = SIP_TCP;
	registrar_destroy(rig->reg);
	start(rig);
	assert_int_equal(found(rig, b), 1); /* were it alive */
	fake.dead_flow = b[0]->flow;
	assert_true(b[0]->flow.conn != 0);
	assert_int_equal(found(rig, b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_binding_keeps_contact_and_source_side_by_side),
		T(the_answer_lists_all_bindings_with_what_remains),
		T(a_query_without_contact_changes_nothing),
		T(strangers_are_challenged),
		T(another_users_aor_is_403_and_a_foreign_host_404),
		T(expires_is_shortened_never_lengthened),
		T(too_brief_is_423_with_min_expires),
		T(a_contacts_own_expires_beats_the_header),
		T(without_expires_the_realms_maximum_is_granted),
		T(a_binding_goes_when_its_time_is_over),
		T(a_wall_clock_jump_loses_no_binding),
		T(zero_expires_removes_that_contact_only),
		T(star_removes_all_but_only_with_expires_0),
		T(a_refresh_costs_no_write_of_its_own),
		T(two_homes_with_the_same_contact_do_not_meet),
		T(a_rebooted_phone_on_the_same_flow_rings_once),
		T(an_instance_is_one_binding_whatever_its_contact),
		T(an_old_cseq_of_the_same_call_id_is_500),
		T(above_max_contacts_the_oldest_is_replaced),
		T(our_own_addresses_are_no_contact_for_others),
		T(a_new_flow_moves_the_binding_and_its_dialogs),
		T(a_binding_whose_connection_closed_is_not_called),
		T(unregistering_stops_the_keepalive),
		T(stored_bindings_are_back_after_a_restart),
		T(a_refresh_that_was_not_written_down_is_given_grace),
		T(a_clock_that_is_not_set_yet_loses_nothing),
		T(a_phone_that_left_the_config_is_not_restored),
		T(a_reload_drops_bindings_of_removed_phones),
		T(holes_in_the_store_are_filled_from_memory),
		T(contacts_that_we_could_never_ring_are_refused),
		T(names_and_ipv6_are_good_contacts),
		T(an_instance_that_would_break_the_answer_is_refused),
		T(more_contacts_than_the_limit_are_refused),
		T(an_endless_user_agent_is_cut),
		T(a_binding_outlives_the_new_name_of_its_realm),
		T(a_phone_with_another_user_loses_its_bindings),
		T(a_new_keepalive_interval_comes_with_the_next_refresh),
		T(a_connection_does_not_survive_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
