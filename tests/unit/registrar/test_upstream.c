/*
 * test_upstream.c - registrations that a trunk owns: what it is told, what the
 * phone hears, and whom a token reaches
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "../fake_rand.h"
#include "reg_rig.h"

#include "core/alarm.h"
#include "registrar/registrar_priv.h"
#include "registrar/upstream.h"

/* ---- a realm whose registrations trunk pbx owns ------------------------------------ */

static void own_by_trunk(struct rig *rig, const char *realm, const char *trunk)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "config sbc 'global'\n	option schema '1'\n"
		 "	option flow_key 'a key of two boxes'\n"
		 "config realm 'lan'\n	option domain 'example.net'\n"
		 "	option nat_expires '0'\n"
		 "	option registrar 'pbx'\n%s\n"
		 "config realm 'core'\n	list listen 'udp:5070'\n"
		 "config trunk 'pbx'\n	option realm 'core'\n"
		 "	option host '198.51.100.1'\n%s\n"
		 "config phone '100'\n	option password 'x'\n"
		 "	option max_contacts '1'\n"
		 "config phone '101'\n	option password 'y'\n",
		 realm, trunk);
	reload(rig, text);
}

static int setup_mirror(void **state)
{
	setup(state);
	own_by_trunk(*state, "", "");
	return 0;
}

static int setup_throttle(void **state)
{
	setup(state);
	own_by_trunk(*state, "	option registrar_mode 'throttle'\n", "");
	return 0;
}

/* The REGISTER that the trunk was sent last. */
static struct fake_message *to_trunk(void)
{
	struct fake_message *f = fake_request(SIP_REGISTER);

	assert_true(f->is_out);
	return f;
}

/* The trunk answers it; @expires < 0: its 2xx does not list our contact. */
static void trunk_says(int status, int expires)
{
	struct fake_message *f = to_trunk();
	struct sip_contact contact = {.expires = expires};
	char uri[512];
	struct sip_view view = {
		.method = SIP_REGISTER,
		.status = status,
		.expires = -1,
		.msg = fake.headers,
		.contacts = &contact,
		.n_contacts = status < 300 && expires >= 0,
	};

	/* Of several contacts the last one is the new one. */
	snprintf(uri, sizeof(uri), "%s", strrchr(f->contact, '<') + 1);
	*strchr(uri, '>') = '\0';
	contact.uri = uri;
	assert_false(f->txn->released);
	f->txn->on_response(f->txn->arg, f->txn, &view);
}

/* What the phone was answered last; 0 = nothing since its REGISTER. */
static int phone_heard(void)
{
	for (unsigned i = fake.n; i > 0; i--) {
		const struct fake_message *f = &fake.sent[i - 1];

		if (f->status)
			return f->status;
	}
	return 0;
}

static void register_now(struct rig *rig)
{
	prepare(rig);
	fake.n = 0;
	registrar_register(rig->reg, &rig->req);
}

static void register_at_trunk(struct rig *rig, int expires)
{
	register_now(rig);
	trunk_says(200, expires);
	assert_int_equal(phone_heard(), 200);
}

/* The trunk is told of the binding by and by. */
static void wait_for_register(struct rig *rig)
{
	fake.n = 0;
	for (unsigned i = 0; i < 200 && !fake_count(SIP_REGISTER); i++)
		pass(rig, SEC(1));
	assert_int_equal(fake_count(SIP_REGISTER), 1);
}

/* The token in a Contact value. */
static const char *token_of(const char *contact, char text[128])
{
	const char *at = strrchr(contact, '<');

	snprintf(text, 128, "%.*s", (int)strcspn(at + 5, "@"), at + 5);
	return text;
}

static bool has_alarm(void)
{
	struct alarm alarms[16];
	size_t n = alarm_list(alarms, 16);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(alarms[i].name, "registrar-unreachable"))
			return true;
	return false;
}

/* The trunk is found to be away: a phone's REGISTER is not answered. */
static void lose_trunk(struct rig *rig)
{
	register_now(rig);
	pass(rig, SEC(6));
	assert_true(has_alarm());
}

/* ---- a first REGISTER --------------------------------------------------------------- */

static void a_binding_exists_only_after_the_trunks_2xx(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	register_now(rig);
	assert_int_equal(phone_heard(), 0);
	assert_int_equal(found(rig, b), 0);
	trunk_says(200, 300);
	assert_int_equal(phone_heard(), 200);
	assert_non_null(strstr(fake_last()->headers,
			       "<sip:100@192.168.1.50>;expires=300"));
	assert_int_equal(found(rig, b), 1);
	assert_int_equal(store.puts, 1);
}

static void the_trunk_gets_a_registration_of_our_own(void **state)
{
	struct rig *rig = *state;
	struct fake_message *f;

	register_now(rig);
	f = to_trunk();
	assert_string_equal(f->target, "sip:example.net");
	assert_string_equal(f->from_user, "100");
	assert_string_equal(f->to_user, "100");
	assert_string_equal(f->to_host, "example.net");
	assert_string_not_equal(f->call_id, "call-1");
	assert_null(strstr(f->contact, "192.168.1.50"));
	assert_non_null(strstr(f->contact, "@203.0.113.10:5060;ob>"));
	assert_non_null(strstr(f->headers, "Expires: 300\n"));
	assert_non_null(strstr(f->headers, ";lr;ob>\n")); /* Path */
	assert_non_null(strstr(f->headers, "Supported: path\n"));
}

static int second_host(void *arg, const char *name, struct addr *out)
{
	assert_string_equal(name, "pbx");
	return addr_parse_port(out, "198.51.100.2:5080");
}

static void the_host_that_works_is_the_one_asked(void **state)
{
	struct rig *rig = *state;
	char text[ADDR_TEXT_MAX];

	rig->reg->conf.trunk_host = second_host;
	register_now(rig);
	assert_string_equal(addr_fmt(&to_trunk()->flow.remote, text),
			    "198.51.100.2:5080");
	trunk_says(200, 300);
}

static void a_trunk_may_do_without_path(void **state)
{
	struct rig *rig = *state;

	own_by_trunk(rig, "", "	option path '0'\n");
	register_now(rig);
	assert_null(strstr(to_trunk()->headers, "Path"));
}

static void who_does_not_know_the_password_never_reaches_the_trunk(void **state)
{
	struct rig *rig = *state;

	fake.verdict = SIP_AUTH_WRONG;
	register_now(rig);
	assert_int_equal(phone_heard(), 401);
	assert_int_equal(fake_count(SIP_REGISTER), 0);
}

static void the_trunks_challenge_is_answered_and_kept(void **state)
{
	struct rig *rig = *state;

	register_now(rig);
	assert_null(strstr(to_trunk()->headers, "Authorization"));
	trunk_says(401, 0);
	assert_int_equal(fake_count(SIP_REGISTER), 2);
	assert_non_null(strstr(to_trunk()->headers,
			       "Authorization: Digest 100:x sip:example.net"));
	trunk_says(200, 300);
	assert_int_equal(phone_heard(), 200);
	register_now(rig); /* the next one begins with it */
	assert_non_null(strstr(to_trunk()->headers, "Authorization"));
}

static void a_password_that_the_trunk_refuses_is_403(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	register_now(rig);
	trunk_says(401, 0);
	trunk_says(401, 0);
	assert_int_equal(phone_heard(), 403);
	assert_int_equal(fake_count(SIP_REGISTER), 2);
	assert_int_equal(found(rig, b), 0);
}

static void a_negative_answer_makes_no_entry(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	register_now(rig);
	trunk_says(404, 0);
	assert_int_equal(phone_heard(), 404);
	assert_int_equal(found(rig, b), 0);
	assert_int_equal(store.puts, 0);
	register_now(rig);
	trunk_says(302, 0);
	assert_int_equal(phone_heard(), 480);
	register_now(rig);
	trunk_says(200, -1);
	assert_int_equal(phone_heard(), 503);
	assert_int_equal(found(rig, b), 0);
}

static void min_expires_of_the_trunk_is_obeyed(void **state)
{
	static const struct sip_header headers[] = {{"Min-Expires", "900"},
						    {NULL, NULL}};
	struct rig *rig = *state;

	fake.headers = headers;
	register_now(rig);
	trunk_says(423, 0);
	assert_non_null(strstr(to_trunk()->headers, "Expires: 900\n"));
	trunk_says(200, 900);
	assert_non_null(strstr(fake_last()->headers, ";expires=300"));
	register_now(rig); /* and not asked for again */
	assert_non_null(strstr(to_trunk()->headers, "Expires: 900\n"));
}

static void a_shorter_grant_of_the_trunk_is_handed_on(void **state)
{
	struct rig *rig = *state;

	register_at_trunk(rig, 70);
	assert_non_null(strstr(fake_last()->headers, ";expires=70"));
}

static void a_second_register_waits_for_the_first(void **state)
{
	struct rig *rig = *state;
	struct fake_message *first;

	register_now(rig);
	first = to_trunk();
	prepare(rig);
	registrar_register(rig->reg, &rig->req);
	assert_int_equal(fake_count(SIP_REGISTER), 1);
	assert_ptr_equal(first, to_trunk());
	trunk_says(200, 300);
	assert_int_equal(phone_heard(), 200); /* the first */
	assert_int_equal(fake_count(SIP_REGISTER), 2);
	trunk_says(200, 300);
	assert_int_equal(fake.sent[fake.n - 1].status, 200);
}

static void what_waits_behind_a_silent_trunk_is_answered_with_it(void **state)
{
	struct rig *rig = *state;
	unsigned answers = 0;

	register_at_trunk(rig, 300);
	register_now(rig);
	prepare(rig);
	registrar_register(rig->reg, &rig->req);
	pass(rig, SEC(6));
	for (unsigned i = 0; i < fake.n; i++)
		answers += fake.sent[i].status == 200;
	assert_int_equal(answers, 2);
}

static void who_takes_it_back_before_the_answer_is_not_registered(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];
	struct fake_message *first;

	register_now(rig);
	first = to_trunk();
	prepare(rig);
	rig->req.view.expires = 0;
	registrar_register(rig->reg, &rig->req);
	assert_int_equal(fake_last()->status, 200);
	assert_ptr_equal(first, to_trunk());
	trunk_says(200, 300);
	pass(rig, SEC(1));
	assert_int_equal(found(rig, b), 0);
	assert_non_null(strstr(to_trunk()->contact, ";expires=0"));
}

static void two_contacts_at_once_are_refused(void **state)
{
	struct rig *rig = *state;
	struct sip_contact two[2] = {
		{.uri = "sip:100@192.168.1.50", .expires = -1},
		{.uri = "sip:100@192.168.1.51", .expires = -1},
	};

	prepare(rig);
	rig->req.view.contacts = two;
	rig->req.view.n_contacts = 2;
	assert_int_equal(send_it(rig), 403);
	two[1].expires = 0; /* one that comes and one that goes */
	registrar_register(rig->reg, &rig->req);
	trunk_says(200, 300);
	assert_int_equal(phone_heard(), 200);
}

/* ---- renewals ------------------------------------------------------------------------- */

static void a_mirror_sends_each_refresh_on(void **state)
{
	struct rig *rig = *state;
	char first[64];

	register_at_trunk(rig, 300);
	snprintf(first, sizeof(first), "%s", to_trunk()->call_id);
	pass(rig, SEC(2));
	register_now(rig);
	assert_string_equal(to_trunk()->call_id, first);
	trunk_says(200, 300);
	assert_int_equal(phone_heard(), 200);
}

static void a_throttle_answers_refreshes_until_half_is_over(void **state)
{
	struct rig *rig = *state;

	register_now(rig);
	assert_non_null(strstr(to_trunk()->headers, "Expires: 3600\n"));
	trunk_says(200, 1000);
	assert_non_null(strstr(fake_last()->headers, ";expires=300"));
	pass(rig, SEC(200));
	register_now(rig);
	assert_int_equal(fake_count(SIP_REGISTER), 0);
	assert_int_equal(phone_heard(), 200);
	pass(rig, SEC(299));
	register_now(rig);
	assert_int_equal(fake_count(SIP_REGISTER), 0);
	pass(rig, SEC(2));
	register_now(rig);
	assert_int_equal(fake_count(SIP_REGISTER), 1);
	assert_int_equal(phone_heard(), 0);
	trunk_says(200, 1000);
	assert_int_equal(phone_heard(), 200);
}

static void an_absorbed_refresh_is_authenticated(void **state)
{
	struct rig *rig = *state;
	mono_ms expires;

	register_at_trunk(rig, 1000);
	expires = the_binding(rig)->expires;
	pass(rig, SEC(10));
	fake.verdict = SIP_AUTH_NONE;
	register_now(rig);
	assert_int_equal(phone_heard(), 401);
	assert_int_equal(the_binding(rig)->expires, expires);
}

static void another_flow_is_told_to_the_trunk_and_the_old_token_ends(void **s)
{
	struct rig *rig = *s;
	char old[128], new[128];

	register_at_trunk(rig, 1000);
	token_of(to_trunk()->contact, old);
	addr_set_port(&rig->flow.remote, 40002);
	register_now(rig);
	token_of(to_trunk()->contact, new);
	assert_string_not_equal(old, new);
	assert_non_null(strstr(to_trunk()->contact, old));
	assert_non_null(strstr(to_trunk()->contact, ";expires=0, <sip:"));
	trunk_says(200, 1000);
	assert_true(sip_flow_equal(&the_binding(rig)->flow, &rig->flow));
	assert_ptr_equal(registrar_by_token(rig->reg, new), the_binding(rig));
}

static void a_refusal_ends_the_binding(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	register_at_trunk(rig, 300);
	register_now(rig);
	trunk_says(403, 0);
	assert_int_equal(phone_heard(), 403);
	assert_int_equal(found(rig, b), 0);
	assert_int_equal(store.dels, 1);
}

/* ---- the end ---------------------------------------------------------------------------- */

static void the_trunk_hears_that_a_phone_unregistered(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	register_at_trunk(rig, 300);
	prepare(rig);
	rig->req.view.expires = 0;
	fake.n = 0;
	assert_int_equal(send_it(rig), 200);
	assert_int_equal(found(rig, b), 0);
	pass(rig, SEC(1));
	assert_non_null(strstr(to_trunk()->headers, "Expires: 0\n"));
	assert_non_null(strstr(to_trunk()->contact, ";expires=0"));
	trunk_says(200, -1);
	fake.n = 0;
	pass(rig, SEC(3600)); /* once is enough */
	assert_int_equal(fake_count(SIP_REGISTER), 0);
}

static void the_trunk_hears_that_a_binding_expired(void **state)
{
	struct rig *rig = *state;

	register_at_trunk(rig, 3600);
	fake.n = 0;
	pass(rig, SEC(301));
	assert_non_null(strstr(to_trunk()->contact, ";expires=0"));
}

static void the_trunk_hears_that_a_binding_was_replaced(void **state)
{
	struct rig *rig = *state;
	char old[128];

	register_at_trunk(rig, 300);
	token_of(to_trunk()->contact, old);
	prepare(rig);
	rig->contact.uri = "sip:100@192.168.1.51";
	rig->req.view.call_id = "call-2";
	fake.n = 0;
	registrar_register(rig->reg, &rig->req);
	trunk_says(200, 300);
	pass(rig, SEC(1));
	assert_non_null(strstr(to_trunk()->contact, old));
	assert_non_null(strstr(to_trunk()->contact, ";expires=0"));
}

/* ---- the trunk is away --------------------------------------------------------------------- */

static void a_known_phone_lives_on_while_the_trunk_is_away(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];
	const char *at;
	int s;

	register_at_trunk(rig, 300);
	register_now(rig);
	pass(rig, SEC(4));
	assert_int_equal(phone_heard(), 0);
	pass(rig, SEC(2));
	assert_int_equal(phone_heard(), 200);
	at = strstr(fake_last()->headers, ";expires=");
	assert_non_null(at);
	s = atoi(at + 9);
	assert_in_range(s, 60, 120);
	assert_true(has_alarm());
	/* The next one is answered at once. */
	pass(rig, SEC(30));
	register_now(rig);
	assert_int_equal(phone_heard(), 200);
	assert_int_equal(found(rig, b), 1);
}

static void a_new_phone_hears_503_with_retry_after(void **state)
{
	struct rig *rig = *state;
	const struct binding *b[8];

	register_now(rig);
	pass(rig, SEC(6));
	assert_int_equal(phone_heard(), 503);
	assert_non_null(strstr(fake_last()->headers, "Retry-After: "));
	register_now(rig);
	assert_int_equal(phone_heard(), 503);
	assert_int_equal(fake_count(SIP_REGISTER), 0);
	assert_int_equal(found(rig, b), 0);
}

static void a_late_yes_to_a_phone_that_was_told_no_is_taken_back(void **state)
{
	struct rig *rig = *state;

	register_now(rig);
	pass(rig, SEC(6));
	assert_int_equal(phone_heard(), 503);
	trunk_says(200, 300);
	assert_false(has_alarm());
	assert_non_null(strstr(to_trunk()->contact, ";expires=0"));
}

/* One try after each back-off, 15-30 s, then 30-60 s, ... */
static void the_trunk_is_tried_with_back_off(void **state)
{
	struct rig *rig = *state;
	mono_ms last;
	unsigned tries = 0;
	int64_t most = 30000;

	register_at_trunk(rig, 300);
	lose_trunk(rig);
	fake_no_response(to_trunk()->txn, 408);
	last = clock_mono();
	for (unsigned i = 0; i < 1200 && tries < 4; i++) {
		fake.n = 0;
		if (i % 60 == 0)
			register_now(rig); /* it stays registered */
		pass(rig, 500);
		if (!fake_count(SIP_REGISTER))
			continue;
		assert_in_range(clock_mono() - last, most / 2 - 1000,
				most + 6500);
		tries++;
		most *= 2;
		last = clock_mono();
		pass(rig, SEC(6));
		fake_no_response(to_trunk()->txn, 408);
	}
	assert_int_equal(tries, 4);
}

/* The phone refreshes; was the trunk asked, then or in the half minute that
 * follows? */
static bool half_a_minute_passes(struct rig *rig)
{
	fake_forget();
	register_now(rig);
	pass(rig, SEC(30));
	return fake_count(SIP_REGISTER) > 0;
}

static void a_refresh_finds_that_a_trunk_long_away_is_back(void **state)
{
	struct rig *rig = *state;
	struct registrar_upstream up;
	unsigned n = 0;

	register_at_trunk(rig, 300);
	lose_trunk(rig);
	fake_no_response(to_trunk()->txn, 408);
	for (unsigned i = 0; i < 240; i++) {
		if (half_a_minute_passes(rig))
			fake_no_response(to_trunk()->txn, 408);
	}
	while (!half_a_minute_passes(rig))
		assert_in_range(++n, 1, 5);
	trunk_says(200, 300);
	assert_true(registrar_upstream(the_binding(rig), &up));
	assert_string_equal(up.state, "held");
}

static void a_trunk_that_is_back_is_told_again(void **state)
{
	struct rig *rig = *state;
	struct registrar_upstream up;

	register_at_trunk(rig, 300);
	lose_trunk(rig);
	fake_no_response(to_trunk()->txn, 408);
	fake.n = 0;
	pass(rig, SEC(31));
	assert_int_equal(fake_count(SIP_REGISTER), 1);
	assert_true(registrar_upstream(the_binding(rig), &up));
	assert_string_equal(up.trunk, "pbx");
	trunk_says(200, 300);
	assert_false(has_alarm());
	assert_true(registrar_upstream(the_binding(rig), &up));
	assert_string_equal(up.state, "held");
	assert_in_range(up.expires_s, 280, 300); /* since it was asked */
}

static void as_phone_101(struct rig *rig)
{
	prepare(rig);
	rig->req.view.to.user = rig->req.view.from.user = "101";
	rig->req.view.call_id = "call-101";
	fake.n = 0;
	registrar_register(rig->reg, &rig->req);
}

/* One is the try; the others follow, spread. */
static void all_are_told_to_a_trunk_that_is_back(void **state)
{
	struct rig *rig = *state;

	as_phone_101(rig);
	trunk_says(200, 300);
	register_at_trunk(rig, 300);
	lose_trunk(rig);
	fake_no_response(to_trunk()->txn, 408);
	as_phone_101(rig);
	assert_int_equal(phone_heard(), 200);
	wait_for_register(rig);
	trunk_says(200, 300);
	fake.n = 0;
	pass(rig, SEC(6));
	assert_int_equal(fake_count(SIP_REGISTER), 1);
}

static void a_busy_stack_delays_and_loses_nothing(void **state)
{
	struct rig *rig = *state;

	fake.send_error = -EAGAIN;
	register_now(rig);
	assert_int_equal(phone_heard(), 0);
	fake.send_error = 0;
	pass(rig, SEC(1));
	trunk_says(200, 300);
	assert_int_equal(phone_heard(), 200);
}

/* ---- tokens --------------------------------------------------------------------------------- */

static void a_token_reaches_its_binding_until_that_ends(void **state)
{
	struct rig *rig = *state;
	char token[128], forged[128];

	register_at_trunk(rig, 300);
	token_of(to_trunk()->contact, token);
	assert_ptr_equal(registrar_by_token(rig->reg, token), the_binding(rig));
	snprintf(forged, sizeof(forged), "%s", token);
	forged[20] ^= 1;
	assert_null(registrar_by_token(rig->reg, forged));
	assert_null(registrar_by_token(rig->reg, "100"));
	assert_null(registrar_by_token(rig->reg, NULL));
	fake.n = 0;
	pass(rig, SEC(301));
	assert_null(registrar_by_token(rig->reg, token));
}

static void a_restart_keeps_the_token_and_tells_the_trunk_again(void **state)
{
	struct rig *rig = *state;
	char token[128], call_id[64];
	uint32_t cseq;

	restart_with(rig, SEC(300)); /* registered 50 s ago */
	wait_for_register(rig);
	token_of(to_trunk()->contact, token);
	assert_ptr_equal(registrar_by_token(rig->reg, token), the_binding(rig));
	snprintf(call_id, sizeof(call_id), "%s", to_trunk()->call_id);
	cseq = to_trunk()->cseq;
	registrar_destroy(rig->reg);
	start(rig);
	wait_for_register(rig);
	assert_string_equal(to_trunk()->call_id, call_id);
	assert_true(to_trunk()->cseq > cseq);
	assert_non_null(strstr(to_trunk()->contact, token));
}

static void the_service_route_of_the_trunk_is_known(void **state)
{
	static const struct sip_header headers[] = {
		{"Service-Route", "<sip:a;lr>"},
		{"Service-Route", "<sip:b;lr>"},
		{NULL, NULL}};
	struct rig *rig = *state;

	assert_null(registrar_service_route(rig->reg, "100"));
	fake.headers = headers;
	register_at_trunk(rig, 300);
	assert_string_equal(registrar_service_route(rig->reg, "100"),
			    "<sip:a;lr>, <sip:b;lr>");
	assert_null(registrar_service_route(rig->reg, "101"));
}

/* ---- another configuration ------------------------------------------------------------------- */

static void a_realm_that_becomes_the_trunks_is_told_to_it(void **state)
{
	struct rig *rig = *state;

	set_options(rig, "", "");
	register_now(rig);
	assert_int_equal(phone_heard(), 200);
	own_by_trunk(rig, "", "");
	wait_for_register(rig);
	trunk_says(200, 300);
	the_binding(rig);
}

static void a_realm_that_becomes_ours_leaves_the_trunk(void **state)
{
	struct rig *rig = *state;

	register_at_trunk(rig, 300);
	set_options(rig, "", "");
	the_binding(rig);
	fake.n = 0;
	register_now(rig);
	assert_int_equal(phone_heard(), 200);
}

/* ---- 10 000 random events, with a model of the trunk -------------------------------------- */

enum {
	CROWD = 8,
	STEPS = 10000,
	KNOWN = 64,
	UNDER_WAY = 400,   /* more than upstream_send.c has in flight */
	REFRESH_S = 400,   /* the longest that a registration lasts */
	SHORTEST_S = 90,   /* the trunk grants nothing below */
	STEP_S = 4,        /* at most, between two looks */
	DEAD_FOR_S = 1000, /* a phone without power */
};

#define USERS                                                                  \
	{                                                                      \
		"200", "201", "202", "203", "204", "205", "206", "207"         \
	}

static struct {
	uint64_t seed;
	bool is_up;
	mono_ms changed; /* it went or came back */
	struct known {
		char token[128];
		mono_ms until, apart; /* apart: since when we do not know it */
	} known[KNOWN];               /* what the trunk has */
	struct {
		mono_ms dead_until, apart;
	} phones[CROWD];
	struct request {
		struct sip_txn *txn;
		char contact[256];
	} requests[UNDER_WAY];
	unsigned asked, answered, granted, too_short, restarts, deaths,
		strangers;
} world;

static unsigned draw(unsigned n)
{
	world.seed = world.seed * 6364136223846793005ull + 1442695040888963407;
	return (unsigned)(world.seed >> 33) % n;
}

static void trunk_sets(const char *token, unsigned s)
{
	struct known *k = NULL;

	for (unsigned i = 0; i < KNOWN; i++) {
		struct known *at = &world.known[i];

		if (at->until <= clock_mono())
			at->token[0] = '\0';
		if (!strcmp(at->token, token))
			k = at;
		else if (!at->token[0] && !k)
			k = at;
	}
	assert_non_null(k);
	if (strcmp(k->token, token))
		k->apart = clock_mono();
	snprintf(k->token, sizeof(k->token), "%s", s ? token : "");
	k->until = clock_mono() + SEC(s);
}

static unsigned trunk_has(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < KNOWN; i++)
		n += world.known[i].token[0] &&
		     world.known[i].until > clock_mono();
	return n;
}

/* Each "<sip:TOKEN@...>;expires=N" of a Contact value; the last one's time. */
static unsigned trunk_takes(const char *contact)
{
	char token[128];
	unsigned s = 0;

	for (const char *at = contact; (at = strstr(at, "<sip:")); at++) {
		snprintf(token, sizeof(token), "%.*s",
			 (int)strcspn(at + 5, "@"), at + 5);
		s = (unsigned)atoi(strstr(at, ";expires=") + 9);
		trunk_sets(token, s);
	}
	return s;
}

static void answer_request(struct request *q, unsigned luck)
{
	struct sip_contact contact = {.uri = q->contact};
	struct sip_view view = {.status = 200, .expires = -1};
	struct sip_txn *txn = q->txn;

	static const struct sip_header too_short[] = {{"Min-Expires", "90"},
						      {NULL, NULL}};
	unsigned s = (unsigned)atoi(strstr(q->contact, ";expires=") + 9);

	q->txn = NULL;
	if (!world.is_up || luck < 3) {
		fake_no_response(txn, 408);
		return;
	}
	if (luck < 9) {
		view.status = luck < 5 ? 500 : luck < 7 ? 403 : 503;
	} else if (s && (s < SHORTEST_S || luck == 9)) {
		view.status = 423;
		view.msg = too_short;
		world.too_short++;
	} else {
		contact.expires = trunk_takes(q->contact);
		view.contacts = &contact;
		view.n_contacts = contact.expires > 0;
	}
	txn->on_response(txn->arg, txn, &view);
}

/* What was sent since: requests to the trunk, and answers to phones. */
static void collect(void)
{
	for (unsigned i = 0; i < fake.n; i++) {
		const struct fake_message *f = &fake.sent[i];
		struct request *q = world.requests;

		world.answered += f->status >= 200;
		world.granted += f->status == 200;
		if (!f->is_out || f->txn->released)
			continue;
		while (q->txn)
			q++;
		assert_true(q < world.requests + UNDER_WAY);
		q->txn = f->txn;
		snprintf(q->contact, sizeof(q->contact), "%s", f->contact);
	}
	fake_forget();
}

static void step_trunk(bool all)
{
	collect();
	for (unsigned i = 0; i < UNDER_WAY; i++) {
		struct request *q = &world.requests[i];

		if (q->txn && (all || !draw(3)))
			answer_request(q, all ? 99 : draw(100));
	}
	collect();
}

static void step_phone(struct rig *rig, unsigned n, int64_t expires)
{
	static const char *const users[CROWD] = USERS;
	static char uris[CROWD][64];
	static struct sip_contact contacts[CROWD];

	snprintf(uris[n], sizeof(uris[n]), "sip:%s@192.168.1.50", users[n]);
	contacts[n] = (struct sip_contact){.uri = uris[n], .expires = -1};
	prepare(rig);
	rig->req.view.to.user = rig->req.view.from.user = users[n];
	rig->req.view.call_id = users[n];
	rig->req.view.contacts = &contacts[n];
	rig->req.view.expires = expires;
	addr_set_port(&rig->req.view.flow.remote,
		      (uint16_t)(50000 + 10 * n + !draw(4)));
	world.asked++;
	registrar_register(rig->reg, &rig->req);
}

static void crowd_config(struct rig *rig, const char *mode)
{
	char text[2048];
	struct buf b;

	buf_init(&b, text, sizeof(text));
	buf_printf(
		&b,
		"config sbc 'global'\n	option schema '1'\n"
		"config realm 'lan'\n	option domain 'example.net'\n"
		"	option nat_expires '0'\n	option registrar 'pbx'\n"
		"	option registrar_mode '%s'\n"
		"	option registrar_expires '400'\n"
		"config realm 'core'\n	list listen 'udp:5070'\n"
		"config trunk 'pbx'\n	option realm 'core'\n"
		"	option host '198.51.100.1'\n",
		mode);
	for (unsigned i = 0; i < CROWD; i++)
		buf_printf(&b, "config phone '%u'\n	option password 'x'\n",
			   200 + i);
	assert_false(b.overflow);
	reload(rig, text);
}

/* It goes or comes back; when it was restarted it knows nobody. */
static void turn_trunk(void)
{
	world.is_up = !world.is_up;
	world.changed = clock_mono();
	if (world.is_up && draw(2)) {
		memset(world.known, 0, sizeof(world.known));
		world.restarts++;
	}
}

/* Somebody who does not know the password; the phone may be bound. */
static void step_stranger(struct rig *rig, unsigned n)
{
	unsigned before = world.granted;

	collect();
	fake.verdict = draw(2) ? SIP_AUTH_NONE : SIP_AUTH_WRONG;
	step_phone(rig, n, 60 + draw(200));
	fake.verdict = SIP_AUTH_OK;
	assert_int_equal(phone_heard(), 401);
	before = world.granted;
	collect();
	assert_int_equal(world.granted, before);
	world.strangers++;
}

/* Whom @text reaches; unlike registrar_by_token() no sign of life of the
 * trunk's. */
static const struct binding *reached(struct rig *rig, const char *text)
{
	struct token t;

	if (token_open(rig->reg->up.key, text, &t) ||
	    !upstream_knows(rig->reg, &t))
		return NULL;
	list_for_each (pos, &rig->reg->all) {
		struct binding *b = list_entry(pos, struct binding, in_all);

		if (b->id == t.id)
			return b;
	}
	return NULL;
}

static bool trunk_knows(struct rig *rig, const struct binding *b)
{
	for (unsigned i = 0; i < KNOWN; i++) {
		const struct known *k = &world.known[i];

		if (k->token[0] && k->until > clock_mono() &&
		    reached(rig, k->token) == b)
			return true;
	}
	return false;
}

/* No longer than a refresh, counted while the trunk is there, and from the last
 * look before. */
static void is_apart(mono_ms *since, bool apart)
{
	if (!apart || !world.is_up)
		*since = clock_mono();
	if (*since < world.changed)
		*since = world.changed;
	assert_true(clock_mono() - *since <= SEC(REFRESH_S + STEP_S));
}

static void check_world(struct rig *rig)
{
	static const char *const users[CROWD] = USERS;
	const struct binding *found[4];

	for (unsigned i = 0; i < KNOWN; i++) {
		struct known *k = &world.known[i];

		is_apart(&k->apart, k->token[0] && k->until > clock_mono() &&
					    !reached(rig, k->token));
	}
	for (unsigned i = 0; i < CROWD; i++) {
		unsigned n = registrar_find(rig->reg, users[i], found, 4);
		bool apart = false;

		while (n)
			apart |= !trunk_knows(rig, found[--n]);
		is_apart(&world.phones[i].apart, apart);
	}
}

/* One of the phones does something, if it lives. */
static void step_somebody(struct rig *rig)
{
	unsigned n = draw(CROWD), what = draw(400);
	mono_ms *dead_until = &world.phones[n].dead_until;

	if (what == 0) {
		*dead_until = clock_mono() + SEC(DEAD_FOR_S);
		world.deaths++;
	}
	if (what < 10)
		step_stranger(rig, n);
	else if (clock_mono() >= *dead_until)
		step_phone(rig, n, draw(6) ? 60 + draw(200) : 0);
}

/* Nobody is known to one side only for longer than a refresh.  With the trunk
 * back both know the same, and in the end nobody; each REGISTER was answered
 * once, and none of a stranger's with 200. */
static void run_crowd(struct rig *rig, uint64_t seed, const char *mode)
{
	memset(&world, 0, sizeof(world));
	world.seed = seed;
	world.is_up = true;
	world.changed = clock_mono();
	crowd_config(rig, mode);
	fake_forget();
	for (unsigned i = 0; i < STEPS; i++) {
		if (!draw(150))
			turn_trunk();
		if (draw(3))
			step_somebody(rig);
		step_trunk(false);
		pass(rig, 500 * (1 + draw(8)));
		check_world(rig);
	}
	world.is_up = true;
	/* The last back-off may be 1800 s. */
	for (unsigned i = 0; i < 600 || (i < 3000 && trunk_has() <= CROWD / 2);
	     i++) {
		step_phone(rig, draw(CROWD), 60 + draw(200));
		step_trunk(true);
		pass(rig, SEC(4));
	}
	/* One may just have expired here. */
	for (unsigned i = 0; i < 8 && trunk_has() != registrar_count(rig->reg);
	     i++) {
		step_trunk(true);
		pass(rig, 500);
	}
	assert_int_equal(trunk_has(), registrar_count(rig->reg));
	assert_true(trunk_has() > CROWD / 2);
	for (unsigned i = 0; i < CROWD; i++)
		step_phone(rig, i, 0);
	for (unsigned i = 0; i < 10; i++) {
		step_trunk(true);
		pass(rig, SEC(1));
	}
	assert_int_equal(registrar_count(rig->reg), 0);
	assert_int_equal(trunk_has(), 0);
	assert_int_equal(world.answered, world.asked);
	assert_true(world.granted > world.asked / 4);
	/* Each kind of thing did happen. */
	if (strcmp(mode, "throttle")) /* which asks for more than the least */
		assert_true(world.too_short > 0);
	assert_true(world.restarts > 0);
	assert_true(world.deaths > 0);
	assert_true(world.strangers > 50);
}

static void a_crowd_is_mirrored_and_nobody_forgotten(void **state)
{
	run_crowd(*state, 1, "mirror");
	run_crowd(*state, 2, "mirror");
}

static void a_crowd_is_throttled_and_nobody_forgotten(void **state)
{
	run_crowd(*state, 3, "throttle");
	run_crowd(*state, 4, "throttle");
}

int main(void)
{
#define MIRROR(name)                                                           \
	cmocka_unit_test_setup_teardown(name, setup_mirror, teardown)
#define THROTTLE(name)                                                         \
	cmocka_unit_test_setup_teardown(name, setup_throttle, teardown)
	const struct CMUnitTest tests[] = {
		MIRROR(a_binding_exists_only_after_the_trunks_2xx),
		MIRROR(the_trunk_gets_a_registration_of_our_own),
		MIRROR(the_host_that_works_is_the_one_asked),
		MIRROR(a_trunk_may_do_without_path),
		MIRROR(who_does_not_know_the_password_never_reaches_the_trunk),
		MIRROR(the_trunks_challenge_is_answered_and_kept),
		MIRROR(a_password_that_the_trunk_refuses_is_403),
		MIRROR(a_negative_answer_makes_no_entry),
		MIRROR(min_expires_of_the_trunk_is_obeyed),
		MIRROR(a_shorter_grant_of_the_trunk_is_handed_on),
		MIRROR(a_second_register_waits_for_the_first),
		MIRROR(what_waits_behind_a_silent_trunk_is_answered_with_it),
		MIRROR(who_takes_it_back_before_the_answer_is_not_registered),
		MIRROR(two_contacts_at_once_are_refused),
		MIRROR(a_mirror_sends_each_refresh_on),
		THROTTLE(a_throttle_answers_refreshes_until_half_is_over),
		THROTTLE(an_absorbed_refresh_is_authenticated),
		THROTTLE(
			another_flow_is_told_to_the_trunk_and_the_old_token_ends),
		MIRROR(a_refusal_ends_the_binding),
		MIRROR(the_trunk_hears_that_a_phone_unregistered),
		THROTTLE(the_trunk_hears_that_a_binding_expired),
		MIRROR(the_trunk_hears_that_a_binding_was_replaced),
		MIRROR(a_known_phone_lives_on_while_the_trunk_is_away),
		MIRROR(a_new_phone_hears_503_with_retry_after),
		MIRROR(a_late_yes_to_a_phone_that_was_told_no_is_taken_back),
		MIRROR(the_trunk_is_tried_with_back_off),
		MIRROR(a_refresh_finds_that_a_trunk_long_away_is_back),
		MIRROR(a_trunk_that_is_back_is_told_again),
		MIRROR(all_are_told_to_a_trunk_that_is_back),
		MIRROR(a_busy_stack_delays_and_loses_nothing),
		MIRROR(a_token_reaches_its_binding_until_that_ends),
		MIRROR(a_restart_keeps_the_token_and_tells_the_trunk_again),
		MIRROR(the_service_route_of_the_trunk_is_known),
		MIRROR(a_realm_that_becomes_the_trunks_is_told_to_it),
		MIRROR(a_realm_that_becomes_ours_leaves_the_trunk),
		MIRROR(a_crowd_is_mirrored_and_nobody_forgotten),
		MIRROR(a_crowd_is_throttled_and_nobody_forgotten),
	};

	fake_rand_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
