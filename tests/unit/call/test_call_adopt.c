/*
 * test_call_adopt.c - dialogs of another box: who may go on with them, where
 * they go, and when
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Trunk itsp calls phone 101 through box 1, rig->calls; box 2 has the key, the
 * phone's binding and no calls.
 */
#include "call_rig.h"

#define BOX_1 "203.0.113.20:5060"

static struct calls *box2;

static int setup_boxes(void **state)
{
	struct calls_conf conf = {.keepalive = FAKE_KEEPALIVE};
	struct rig *rig;

	setup(state);
	rig = *state;
	assert_int_equal(token_key_create(&flow_key, "a key of two", NULL), 0);
	conf.loop = rig->loop;
	conf.trunks = rig->trunks;
	conf.is_on_link = is_on_link;
	conf.arg = rig;
	assert_int_equal(calls_create(&box2, &conf, rig->config), 0);
	addr_parse_port(&rig->flow_a.remote, "198.51.100.5:5060");
	addr_parse_port(&rig->flow_a.local, BOX_1);
	addr_parse_port(&bindings.list[0].flow.local, BOX_1);
	bindings.list[0].to = bindings.list[0].flow;
	return 0;
}

static int teardown_boxes(void **state)
{
	calls_destroy(box2);
	teardown(state);
	token_key_destroy(flow_key);
	flow_key = NULL;
	return 0;
}

/* The two sides of box 1's call. */
struct sides {
	struct sip_dialog *trunk, *phone;
};

static struct sides talk(struct rig *rig)
{
	struct sip_txn *b;
	struct sides s = {0};

	establish(rig, &b);
	s.trunk = fake.dialogs[0];
	s.phone = b->dialog;
	fake.n = 0;
	return s;
}

/* A request in dialog @d of box 1's, to a Contact with @user, that comes to
 * @calls along @flow.  Returns its transaction; NULL: it is nobody's, or was
 * answered without one. */
static bool was_taken;
static struct sip_txn *stray(struct calls *calls, struct sip_dialog *d,
			     const char *user, const struct sip_flow *flow,
			     enum sip_method method)
{
	unsigned before = fake.n_txns;
	struct sip_request req = {0};

	req.view = (struct sip_view){
		.method = method,
		.method_name = "",
		.flow = *flow,
		.realm = "lan",
		.uri = {.scheme = "sip", .user = user, .host = "box"},
		.uri_text = "sip:x@box",
		.from = {.user = "far", .host = "example.org"},
		.to = {.user = "near", .host = "example.org"},
		.from_tag = "peer",
		.to_tag = "ours",
		.call_id = d->call_id,
		.cseq = 30,
		.max_forwards = 70,
		.msg = fake.headers,
	};
	if (method == SIP_INVITE)
		fake_body(&req.view, req.body, OFFER);
	was_taken = calls_stray(calls, &req);
	return fake.n_txns > before ? fake.txns[before] : NULL;
}

static struct sip_txn *bye_of_trunk(struct rig *rig, const struct sides *s)
{
	return stray(box2, s->trunk, s->trunk->name, &rig->flow_a, SIP_BYE);
}

static struct sip_txn *bye_of_phone(const struct sides *s)
{
	return stray(box2, s->phone, s->phone->name, &bindings.list[0].flow,
		     SIP_BYE);
}

/* The question to box 1 is answered; 0 = it is not there. */
static void box1_says(struct rig *rig, int status)
{
	struct fake_message *f = fake_request(SIP_OPTIONS);

	assert_true(f->is_out);
	assert_non_null(strstr(f->target, "@" BOX_1));
	if (status)
		fake_response(f->txn, status, NULL);
	else
		pass(rig, 1500);
}

static struct sip_dialog *last_adopted(void)
{
	struct sip_dialog *d = fake_request(SIP_BYE)->dialog;

	assert_non_null(d);
	assert_true(d->is_adopted);
	return d;
}

/* ---- what box 1 gives out ---------------------------------------------------------- */

static void each_side_gets_a_token_of_the_other(void **state)
{
	struct sides s = talk(*state);

	assert_true(strlen(s.trunk->name) > 100);
	assert_true(strlen(s.phone->name) > 100);
	assert_true(strlen(s.trunk->name) < REGISTRAR_SEALED_MAX);
	assert_string_not_equal(s.trunk->name, s.phone->name);
}

static void a_box_that_is_alone_gives_no_tokens(void **state)
{
	struct token_key *key = flow_key;
	struct sides s;

	flow_key = NULL;
	s = talk(*state);
	assert_string_equal(s.trunk->name, "");
	assert_string_equal(s.phone->name, "");
	assert_null(bye_of_trunk(*state, &s));
	assert_false(was_taken);
	flow_key = key;
}

/* ---- box 1 is dead -------------------------------------------------------------------- */

static void a_bye_of_the_trunk_reaches_the_phone_by_box_2(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);
	struct sip_txn *bye = bye_of_trunk(rig, &s);
	struct sip_dialog *d;

	assert_true(was_taken);
	box1_says(rig, 0);
	assert_int_equal(fake_answer(bye)->status, 200);
	d = last_adopted();
	assert_string_equal(d->call_id, s.phone->call_id);
	assert_string_equal(d->local_tag, "ours");
	assert_string_equal(d->remote_tag, "peer");
	assert_string_equal(d->target, bindings.list[0].contact);
	assert_true(sip_flow_equal(&d->conf.flow, &bindings.list[0].to));
	assert_true(d->first_cseq >= 0x48000000);
	assert_string_equal(d->detour, "");
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
	settle(rig);
	assert_int_equal(calls_count(box2), 0);
}

static void a_bye_of_the_phone_reaches_the_trunk_by_box_2(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);
	struct sip_txn *bye;
	struct sip_dialog *d;

	bye = bye_of_phone(&s);
	box1_says(rig, 481); /* it was restarted */
	assert_int_equal(fake_answer(bye)->status, 200);
	d = last_adopted();
	assert_string_equal(d->call_id, s.trunk->call_id);
	assert_true(addr_equal(&d->conf.flow.remote, &rig->flow_a.remote));
	assert_string_equal(d->target, "sip:peer@192.0.2.9");
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
}

/* Who takes over a second time, later, must count on. */
static void numbers_grow_with_time(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);
	uint32_t first;

	bye_of_phone(&s);
	box1_says(rig, 481);
	first = last_adopted()->first_cseq;
	clock_advance(SEC(10));
	bye_of_trunk(rig, &s);
	box1_says(rig, 481);
	assert_true(last_adopted()->first_cseq > first + 100);
}

static void its_own_lost_dialogs_need_no_question(void **state)
{
	struct rig *rig = *state;
	struct sides s;

	addr_parse_port(&rig->flow_a.local, "203.0.113.10:5060");
	s = talk(rig);
	bye_of_trunk(rig, &s);
	assert_int_equal(fake_count(SIP_OPTIONS), 0);
	settle(rig);
	assert_string_equal(last_adopted()->call_id, s.phone->call_id);
}

static void a_phone_that_is_not_here_cannot_be_told(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);
	struct sip_txn *bye;

	bindings.n = 0;
	bye = bye_of_trunk(rig, &s);
	box1_says(rig, 0);
	assert_int_equal(fake_answer(bye)->status, 480);
	assert_int_equal(fake_count(SIP_BYE), 0);
}

static void a_reinvite_takes_the_call_over_with_its_media(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);
	struct sip_txn *invite, *on;

	invite = stray(box2, s.trunk, s.trunk->name, &rig->flow_a, SIP_INVITE);
	box1_says(rig, 0);
	on = fake_request(SIP_INVITE)->txn;
	assert_string_equal(on->dialog->call_id, s.phone->call_id);
	assert_non_null(strstr(fake_request(SIP_INVITE)->body, "m=audio"));
	assert_null(strstr(fake_request(SIP_INVITE)->body, "192.168.1.7"));
	fake_response(on, 200, ANSWER);
	assert_int_equal(fake_answer(invite)->status, 200);
	fake_event(invite, SIP_TXN_ACK, NULL);
	assert_int_equal(fake_count(SIP_ACK), 1);
	pass(rig, SEC(45)); /* it has media: it stays */
	assert_int_equal(calls_count(box2), 1);
}

static void a_call_without_media_is_forgotten_unsaid(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);

	stray(box2, s.trunk, s.trunk->name, &rig->flow_a, SIP_OPTIONS);
	box1_says(rig, 0);
	assert_int_equal(calls_count(box2), 1);
	pass(rig, SEC(41));
	assert_int_equal(calls_count(box2), 0);
	assert_int_equal(fake_count(SIP_BYE), 0);
}

/* ---- box 1 lives ------------------------------------------------------------------------ */

static void a_request_goes_to_the_box_that_has_the_dialog(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);
	struct sip_txn *bye;
	struct sip_dialog *d;
	char target[600];

	bye = bye_of_trunk(rig, &s);
	box1_says(rig, 200);
	assert_int_equal(fake_answer(bye)->status, 200);
	d = last_adopted();
	assert_string_equal(d->call_id, s.trunk->call_id);
	assert_string_equal(d->local_tag, "peer");
	assert_string_equal(d->remote_tag, "ours");
	snprintf(target, sizeof(target), "sip:%s@" BOX_1, s.trunk->name);
	assert_string_equal(d->target, target);
	assert_int_equal(d->first_cseq, 30); /* as it came */
	assert_non_null(strstr(d->detour, "@" BOX_1 ";lr>"));
	assert_non_null(d->mirror);
}

static void box_1_takes_what_another_box_brings(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);
	struct sip_header headers[] = {{"Route", NULL}, {NULL, NULL}};
	struct sip_flow from;
	struct sip_txn *bye;

	bye_of_trunk(rig, &s);
	box1_says(rig, 200);
	headers[0].value = last_adopted()->detour;
	fake.headers = headers;
	fake.n = 0;
	from = rig->flow_a;
	addr_parse_port(&from.remote, "203.0.113.66:5060");
	bye = fake_in_dialog(s.trunk, SIP_BYE, &from, NULL);
	assert_int_equal(fake_answer(bye)->status, 403); /* not that box */
	addr_parse_port(&from.remote, "203.0.113.10:5060");
	bye = fake_in_dialog(s.phone, SIP_BYE, &from, NULL);
	assert_int_not_equal(fake_answer(bye)->status, 200); /* not for it */
	fake.n = 0;
	bye = fake_in_dialog(s.trunk, SIP_BYE, &from, NULL);
	assert_int_equal(fake_answer(bye)->status, 200);
	assert_ptr_equal(fake_request(SIP_BYE)->dialog, s.phone);
	/* And sends to the trunk as ever. */
	assert_true(sip_flow_equal(&s.trunk->conf.flow, &rig->flow_a));
}

/* ---- a phone that is with box 2 by now ------------------------------------------------------ */

static struct addr via(void)
{
	struct addr a;

	addr_parse_port(&a, "203.0.113.11:5060");
	return a;
}

static void dialogs_of_a_phone_that_left_go_by_way_of_its_box(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);
	struct addr box = via();

	calls_away(rig->calls, &bindings.list[0], &box);
	assert_true(addr_equal(&s.phone->conf.flow.remote, &box));
	assert_non_null(strstr(s.phone->detour, "@203.0.113.11:5060;lr>"));
	assert_true(s.phone->holds_target);
	assert_string_equal(s.trunk->detour, "");
	assert_int_equal(fake_nat.held, 0); /* the other box keeps its way */
	fake_in_dialog(s.trunk, SIP_BYE, &rig->flow_a, NULL);
	assert_ptr_equal(fake_request(SIP_BYE)->dialog, s.phone);
}

static void a_phone_that_returns_has_its_dialogs_back(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);
	struct addr box = via();

	calls_away(rig->calls, &bindings.list[0], &box);
	clock_advance(SEC(5));
	bindings.list[0].registered_at = clock_wall();
	addr_parse_port(&bindings.list[0].flow.remote, "192.0.2.2:40777");
	bindings.list[0].to = bindings.list[0].flow;
	calls_appeared(rig->calls, &bindings.list[0]);
	assert_string_equal(s.phone->detour, "");
	assert_false(s.phone->holds_target);
	assert_true(sip_flow_equal(&s.phone->conf.flow, &bindings.list[0].to));
}

static void box_2_passes_on_what_box_1_brings(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);
	struct sip_header headers[] = {{"Route", NULL}, {NULL, NULL}};
	struct addr box = via();
	struct sip_flow from;
	struct sip_dialog *d;
	struct sip_txn *bye;

	calls_away(rig->calls, &bindings.list[0], &box);
	headers[0].value = s.phone->detour;
	fake.headers = headers;
	from = s.phone->conf.flow;
	addr_parse_port(&from.local, "203.0.113.11:5060");
	addr_parse_port(&from.remote, "203.0.113.66:5060");
	stray(box2, s.phone, "x", &from, SIP_BYE);
	assert_false(was_taken); /* stolen */
	from.remote = s.phone->conf.flow.local;
	stray(box2, s.trunk, "x", &from, SIP_BYE);
	assert_false(was_taken); /* of another dialog */
	bye = stray(box2, s.phone, "x", &from, SIP_BYE);
	assert_int_equal(fake_answer(bye)->status, 200);
	d = last_adopted();
	assert_string_equal(d->call_id, s.phone->call_id);
	assert_string_equal(d->target, bindings.list[0].contact);
	assert_true(sip_flow_equal(&d->conf.flow, &bindings.list[0].to));
	assert_int_equal(d->first_cseq, 30);
	stray(box2, s.phone, "x", &from, SIP_BYE);
	assert_false(was_taken); /* it has had its BYE */
}

/* ---- tokens that are refused ----------------------------------------------------------------- */

static void a_forged_token_is_refused(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);
	char user[512];

	for (size_t i = 0; s.trunk->name[i]; i += 7) {
		strcpy(user, s.trunk->name);
		user[i] = user[i] == 'A' ? 'B' : 'A';
		stray(box2, s.trunk, user, &rig->flow_a, SIP_BYE);
		assert_false(was_taken);
	}
	stray(box2, s.trunk, "101", &rig->flow_a, SIP_BYE);
	assert_false(was_taken);
	stray(box2, s.trunk, NULL, &rig->flow_a, SIP_BYE);
	assert_false(was_taken);
}

static void a_token_serves_its_own_dialog_alone(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);

	stray(box2, s.phone, s.trunk->name, &rig->flow_a, SIP_BYE);
	assert_false(was_taken);
	stray(box2, s.trunk, s.phone->name, &rig->flow_a, SIP_BYE);
	assert_false(was_taken);
}

static void a_token_serves_its_bearer_alone(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);
	struct sip_flow thief = rig->flow_a;

	addr_parse_port(&thief.remote, "198.51.100.66:5060");
	stray(box2, s.trunk, s.trunk->name, &thief, SIP_BYE);
	assert_false(was_taken);
	addr_parse_port(&thief.remote, "198.51.100.6:5060"); /* backup's */
	stray(box2, s.trunk, s.trunk->name, &thief, SIP_BYE);
	assert_false(was_taken);
	stray(box2, s.phone, s.phone->name, &rig->flow_a, SIP_BYE);
	assert_false(was_taken);
	/* A phone on an unknown flow proves itself by its password. */
	addr_parse_port(&thief.remote, "192.0.2.77:5060");
	fake.verdict = SIP_AUTH_NONE;
	assert_null(stray(box2, s.phone, s.phone->name, &thief, SIP_BYE));
	assert_true(was_taken);
	assert_int_equal(fake_last()->status, 401);
	fake.verdict = SIP_AUTH_OK;
	fake.auth_user = "100";
	stray(box2, s.phone, s.phone->name, &thief, SIP_BYE);
	assert_false(was_taken);
	fake.auth_user = "101";
	assert_non_null(stray(box2, s.phone, s.phone->name, &thief, SIP_BYE));
}

static void an_expired_token_is_refused(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);

	clock_freeze(clock_mono(), clock_wall() + SEC(86401ll));
	bye_of_trunk(rig, &s);
	assert_false(was_taken);
	clock_freeze(clock_mono(), clock_wall() - SEC(86401ll + 301));
	bye_of_trunk(rig, &s); /* and one from the future */
	assert_false(was_taken);
}

static void a_dialog_that_had_its_bye_is_spent(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);

	bye_of_trunk(rig, &s);
	box1_says(rig, 0);
	assert_int_equal(fake_count(SIP_BYE), 1);
	assert_null(bye_of_trunk(rig, &s));
	assert_false(was_taken);
	stray(box2, s.trunk, s.trunk->name, &rig->flow_a, SIP_INVITE);
	assert_false(was_taken);
}

static void a_token_of_another_key_is_refused(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);

	token_key_destroy(flow_key);
	assert_int_equal(token_key_create(&flow_key, "another key", NULL), 0);
	bye_of_trunk(rig, &s);
	assert_false(was_taken);
}

/* ---- questions --------------------------------------------------------------------------------- */

static int hear(struct calls *calls, const char *target)
{
	struct sip_view view = {.method = SIP_OPTIONS};
	char user[512] = "";

	sscanf(target, "sip:%511[^@]", user);
	view.uri.user = user;
	return calls_hear(calls, &view);
}

static void a_box_says_whether_it_knows_a_dialog(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);
	char target[512];

	bye_of_trunk(rig, &s);
	snprintf(target, sizeof(target), "%s",
		 fake_request(SIP_OPTIONS)->target);
	assert_int_equal(hear(rig->calls, target), 200);
	assert_int_equal(hear(box2, target), 481);
	assert_int_equal(hear(rig->calls, "sip:101@box"), 0);
	clock_freeze(clock_mono(), clock_wall() + SEC(301));
	assert_int_equal(hear(rig->calls, target), 403);
}

static void a_box_that_stops_forgets_whom_it_asked(void **state)
{
	struct rig *rig = *state;
	struct sides s = talk(rig);
	struct calls_conf conf = {.loop = rig->loop};
	struct sip_txn *bye = bye_of_trunk(rig, &s);

	calls_destroy(box2);
	assert_true(bye->released);
	assert_true(fake_request(SIP_OPTIONS)->txn->released);
	assert_int_equal(calls_create(&box2, &conf, rig->config), 0);
}

int main(void)
{
#define T(name)                                                                \
	cmocka_unit_test_setup_teardown(name, setup_boxes, teardown_boxes)
	const struct CMUnitTest tests[] = {
		T(each_side_gets_a_token_of_the_other),
		T(a_box_that_is_alone_gives_no_tokens),
		T(a_bye_of_the_trunk_reaches_the_phone_by_box_2),
		T(a_bye_of_the_phone_reaches_the_trunk_by_box_2),
		T(numbers_grow_with_time),
		T(its_own_lost_dialogs_need_no_question),
		T(a_phone_that_is_not_here_cannot_be_told),
		T(a_reinvite_takes_the_call_over_with_its_media),
		T(a_call_without_media_is_forgotten_unsaid),
		T(a_request_goes_to_the_box_that_has_the_dialog),
		T(box_1_takes_what_another_box_brings),
		T(dialogs_of_a_phone_that_left_go_by_way_of_its_box),
		T(a_phone_that_returns_has_its_dialogs_back),
		T(box_2_passes_on_what_box_1_brings),
		T(a_forged_token_is_refused),
		T(a_token_serves_its_own_dialog_alone),
		T(a_token_serves_its_bearer_alone),
		T(an_expired_token_is_refused),
		T(a_dialog_that_had_its_bye_is_spent),
		T(a_token_of_another_key_is_refused),
		T(a_box_says_whether_it_knows_a_dialog),
		T(a_box_that_stops_forgets_whom_it_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
