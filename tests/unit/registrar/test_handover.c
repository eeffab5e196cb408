/*
 * test_handover.c - a phone comes to another box: who is told, and who lets go
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "reg_rig.h"

#include "registrar/token.h"

#define BOX "10.9.0.11:5062"

static void configure(struct rig *rig, const char *key)
{
	char text[1024];

	snprintf(
		text, sizeof(text),
		"config sbc 'global'\n	option schema '1'\n%s"
		"config realm 'lan'\n	option domain 'example.net'\n"
		"	option nat_expires '0'\n	option min_expires '60'\n"
		"	option registrar 'pbx'\n"
		"config realm 'core'\n	list listen 'udp:5070'\n"
		"config trunk 'pbx'\n	option realm 'core'\n"
		"	option host '198.51.100.1'\n"
		"config phone '100'\n	option password 'x'\n"
		"	option max_contacts '3'\n",
		key);
	reload(rig, text);
}

static int setup_key(void **state)
{
	setup(state);
	configure(*state, "	option flow_key 'a key of two boxes'\n");
	return 0;
}

/* A contact that a box made with key @text. */
static const char *contact_of(const char *text, const char *at, char out[256])
{
	struct token t = {.id = 4711, .issued = 1690000000000};
	struct token_key *key;
	char user[TOKEN_MAX];

	addr_parse_port(&t.flow.remote, "192.0.2.1:40001");
	addr_parse_port(&t.flow.local, "203.0.113.11:5060");
	assert_int_equal(token_key_create(&key, text, NULL), 0);
	token_seal(key, &t, user);
	token_key_destroy(key);
	snprintf(out, 256, "sip:%s@%s;ob", user, at);
	return out;
}

/* The trunk grants what it was asked for, and lists @other beside it. */
static void trunk_grants(const char *other)
{
	struct fake_message *f = fake_request(SIP_REGISTER);
	struct sip_contact contacts[2] = {{.expires = 300, .uri = other},
					  {.expires = 300}};
	char uri[512];
	struct sip_view view = {
		.method = SIP_REGISTER,
		.status = 200,
		.expires = -1,
		.contacts = contacts,
		.n_contacts = 2,
	};

	snprintf(uri, sizeof(uri), "%s", strrchr(f->contact, '<') + 1);
	*strchr(uri, '>') = '\0';
	contacts[1].uri = uri;
	f->txn->on_response(f->txn->arg, f->txn, &view);
}

static void register_beside(struct rig *rig, const char *other)
{
	fake.n = 0;
	registrar_register(rig->reg, &rig->req);
	trunk_grants(other);
}

/* What is told when the phone registers with us and another box had it; ""
 * when nothing is. */
static const char *told_box(struct rig *rig, char out[512])
{
	struct fake_message *f;
	char other[256];

	register_beside(rig, contact_of("a key of two boxes", BOX, other));
	f = fake_request(SIP_OPTIONS);
	snprintf(out, 512, "%s", f->target);
	return out;
}

static int hear(struct rig *rig, const char *target)
{
	struct sip_view view = {.method = SIP_OPTIONS, .flow = rig->flow};
	char user[512] = "";

	sscanf(target, "sip:%511[^@]", user);
	view.uri.user = user;
	return registrar_hear(rig->reg, &view);
}

static unsigned count(struct rig *rig)
{
	const struct binding *b[8];

	return registrar_find(rig->reg, "100", b, 8);
}

/* As if the phone had left us ten seconds before @target was sealed. */
static void forget_and_register_before(struct rig *rig)
{
	char other[256];

	rig->req.view.expires = 0;
	fake.n = 0;
	registrar_register(rig->reg, &rig->req);
	assert_int_equal(count(rig), 0);
	loop_fire(rig->loop);
	trunk_grants("sip:100@10.9.0.11:5060"); /* the de-REGISTER */
	clock_freeze(clock_mono(), 1700000000000 - SEC(10));
	prepare(rig);
	register_beside(rig, contact_of("strange key of nobody", BOX, other));
	assert_int_equal(count(rig), 1);
	clock_advance(SEC(20));
	fake.n = 0;
}

static void the_box_that_had_the_phone_is_told(void **state)
{
	struct rig *rig = *state;
	char target[512];

	prepare(rig);
	told_box(rig, target);
	assert_non_null(strstr(target, "@" BOX));
	assert_true(strlen(target) < 200);
	assert_null(strstr(target, "192.168.1.50"));
}

static void strangers_and_ourselves_are_not_told(void **state)
{
	struct rig *rig = *state;
	char other[256];

	prepare(rig);
	register_beside(rig, contact_of("strange key of nobody", BOX, other));
	register_beside(rig, "sip:100@10.9.0.11:5060");
	register_beside(rig, "sip:10.9.0.11:5060");
	register_beside(rig, contact_of("a key of two boxes",
					"203.0.113.10:5060", other));
	register_beside(rig, contact_of("a key of two boxes", "box.example.net",
					other));
	assert_int_equal(fake_count(SIP_OPTIONS), 0);
}

static void a_box_without_flow_key_is_alone(void **state)
{
	struct rig *rig = *state;
	char target[512];

	prepare(rig);
	told_box(rig, target);
	configure(rig, "");
	assert_false(registrar_shares_key(rig->reg));
	assert_int_equal(hear(rig, target), 0);
	assert_string_equal(told_box(rig, target), "");
}

static void the_old_box_lets_go_of_the_phone(void **state)
{
	struct rig *rig = *state;
	char target[512];
	struct addr via;

	prepare(rig);
	told_box(rig, target);
	forget_and_register_before(rig);
	assert_int_equal(hear(rig, target), 200);
	assert_int_equal(rig->aways, 1);
	addr_parse_port(&via, "203.0.113.10:5060"); /* where it registered */
	assert_true(addr_equal(&rig->away_via, &via));
	assert_int_equal(count(rig), 0);
	pass(rig, SEC(1));
	assert_non_null(
		strstr(fake_request(SIP_REGISTER)->contact, "expires=0"));
	assert_int_equal(keepalive_flows(NULL), 0);
	assert_int_equal(hear(rig, target), 404); /* said again */
}

static void who_has_come_back_since_stays(void **state)
{
	struct rig *rig = *state;
	char target[512];

	prepare(rig);
	told_box(rig, target);
	assert_int_equal(hear(rig, target), 403); /* it is here just now */
	clock_advance(SEC(10));
	prepare(rig);
	told_box(rig, (char[512]){0});
	assert_int_equal(hear(rig, target), 403);
	assert_int_equal(rig->aways, 0);
	assert_int_equal(count(rig), 1);
}

static void what_was_sealed_minutes_ago_is_stale(void **state)
{
	struct rig *rig = *state;
	char target[512];

	prepare(rig);
	told_box(rig, target);
	forget_and_register_before(rig);
	clock_freeze(clock_mono(), 1700000000000 + SEC(301));
	assert_int_equal(hear(rig, target), 403);
	clock_freeze(clock_mono(), 1700000000000 - SEC(301));
	assert_int_equal(hear(rig, target), 403);
	assert_int_equal(rig->aways, 0);
}

static void another_device_of_the_user_stays(void **state)
{
	struct rig *rig = *state;
	char target[512];

	prepare(rig);
	rig->contact.instance = "<urn:uuid:1>";
	rig->contact.reg_id = 1;
	told_box(rig, target);
	forget_and_register_before(rig); /* no instance */
	assert_int_equal(hear(rig, target), 404);
	assert_int_equal(rig->aways, 0);
}

static void the_same_instance_is_the_same_device(void **state)
{
	struct rig *rig = *state;
	char target[512], other[256];

	prepare(rig);
	rig->contact.instance = "<urn:uuid:1>";
	told_box(rig, target);
	rig->req.view.expires = 0;
	registrar_register(rig->reg, &rig->req);
	loop_fire(rig->loop);
	clock_freeze(clock_mono(), 1700000000000 - SEC(10));
	prepare(rig);
	rig->contact.instance = "<urn:uuid:1>";
	rig->contact.uri = "sip:100@10.0.0.7";
	register_beside(rig, contact_of("strange key of nobody", BOX, other));
	assert_int_equal(hear(rig, target), 200);
}

static void forged_words_mean_nothing(void **state)
{
	struct rig *rig = *state;
	char target[512], other[256];

	prepare(rig);
	told_box(rig, target);
	forget_and_register_before(rig);
	target[40] = target[40] == 'A' ? 'B' : 'A';
	assert_int_equal(hear(rig, target), 0);
	assert_int_equal(hear(rig, "sip:100@x"), 0);
	/* A binding's token is no message. */
	assert_int_equal(
		hear(rig, contact_of("a key of two boxes", BOX, other)), 0);
	assert_int_equal(rig->aways, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup_key, teardown)
	const struct CMUnitTest tests[] = {
		T(the_box_that_had_the_phone_is_told),
		T(strangers_and_ourselves_are_not_told),
		T(a_box_without_flow_key_is_alone),
		T(the_old_box_lets_go_of_the_phone),
		T(who_has_come_back_since_stays),
		T(what_was_sealed_minutes_ago_is_stale),
		T(another_device_of_the_user_stays),
		T(the_same_instance_is_the_same_device),
		T(forged_words_mean_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
