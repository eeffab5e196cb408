/*
 * test_subscription.c - SUBSCRIBE and NOTIFY through the box
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pass_rig.h"

static struct sip_txn *notify(struct rig *rig, const char *state)
{
	HEADERS(rig, {"Event", "presence"}, {"Subscription-State", state},
		{"Content-Type", "application/pidf+xml;charset=utf-8"});
	return fake_in_dialog(theirs(), SIP_NOTIFY, &rig->server, "<pidf/>");
}

/* The subscriber sends SUBSCRIBE in its dialog. */
static struct sip_txn *renew(struct rig *rig, const struct sip_flow *flow,
			     int64_t expires)
{
	struct sip_dialog *dialog = ours();
	struct sip_txn *txn;

	HEADERS(rig, {"Event", "presence"});
	txn = fake_request_in(dialog, SIP_SUBSCRIBE, flow, NULL);
	txn->view.expires = expires;
	txn->view.from.user = "100";
	dialog->conf.request(dialog->conf.arg, txn, &txn->view);
	return txn;
}

/* ---- the first SUBSCRIBE ------------------------------------------------------ */

static void a_subscribe_goes_to_the_route_that_names_it(void **state)
{
	struct rig *rig = *state;
	struct fake_message *sent;

	subscribe(rig, "102", "presence", 600);
	sent = fake_request(SIP_SUBSCRIBE);
	assert_string_equal(sent->dialog->target, "sip:102@198.51.100.5:5060");
	assert_string_equal(sent->dialog->local_user, "100");
	assert_int_equal(sent->max_forwards, 69);
	assert_true(sent->has_contact);
	assert_true(says(sent, "Event: presence\n"));
	assert_true(says(sent, "Accept: application/pidf+xml\n"));
	assert_true(says(sent, "Expires: 600\n"));
	assert_false(says(sent, "Via"));
	assert_false(says(sent, "X-Secret"));
}

static void a_phone_asks_the_server_for_what_is_kept_of_itself(void **state)
{
	struct rig *rig = *state;

	subscribe(rig, "100", "message-summary", 600);
	assert_string_equal(theirs()->target, "sip:100@198.51.100.5:5060");
}

static void what_a_phone_serves_goes_to_the_phone(void **state)
{
	struct rig *rig = *state;

	add_binding("sip:101@10.0.0.7:5062", "192.0.2.9:5062");
	subscribe(rig, "101", "dialog", 600);
	assert_string_equal(theirs()->target, "sip:101@10.0.0.7:5062");
	assert_true(addr_equal(&theirs()->conf.flow.remote,
			       &bindings.list[0].to.remote));
}

static void a_server_may_subscribe_to_a_phone(void **state)
{
	struct rig *rig = *state;
	struct sip_view *view;

	add_binding("sip:101@10.0.0.7:5062", "192.0.2.9:5062");
	HEADERS(rig, {"Event", "ua-profile"});
	view = prepare(rig, SIP_SUBSCRIBE, "101");
	view->flow = rig->server;
	view->from.user = "pbx";
	passes_subscribe(rig->passes, &rig->req);
	assert_string_equal(theirs()->target, "sip:101@10.0.0.7:5062");
	assert_string_equal(theirs()->local_user, "pbx");
	grant(fake_request(SIP_SUBSCRIBE)->txn, 300);
	/* the phone's way is held, the server's is not */
	assert_int_equal(fake_nat.held, 1);
	notify(rig, "active"); /* from elsewhere: the phone must prove itself */
	assert_int_equal(fake_last()->status, 403);
}

static void the_phone_hears_what_was_granted(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *ask = subscribe(rig, "102", "presence", 600);

	HEADERS(rig, {"Allow-Events", "presence"},
		{"Contact", "sip:hidden@198.51.100.5"});
	grant(ask, 300);
	assert_int_equal(fake_last()->status, 200);
	assert_true(fake_last()->has_contact);
	assert_true(says(fake_last(), "Expires: 300\n"));
	assert_true(says(fake_last(), "Allow-Events: presence\n"));
	assert_false(says(fake_last(), "hidden"));
	assert_true(theirs()->established);
}

static void nobody_gets_more_than_the_realm_allows(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *ask = subscribe(rig, "102", "presence", 86400);

	assert_true(says(fake_request(SIP_SUBSCRIBE), "Expires: 1800\n"));
	grant(ask, 86400);
	assert_true(says(fake_last(), "Expires: 1800\n"));
}

static void a_refusal_comes_back_with_what_it_says(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *ask = subscribe(rig, "102", "conference", 600);
	struct sip_view view = {.status = 489, .expires = -1};

	HEADERS(rig, {"Allow-Events", "presence"});
	fake_response_view(ask, &view);
	assert_int_equal(fake_last()->status, 489);
	assert_true(says(fake_last(), "Allow-Events: presence\n"));
	assert_int_equal(passes_subscriptions(rig->passes), 0);
	assert_int_equal(fake_nat.made, 0);
}

static void a_challenge_of_the_server_is_not_the_phones_business(void **state)
{
	struct rig *rig = *state;

	fake_response(subscribe(rig, "102", "presence", 600), 407, NULL);
	assert_int_equal(fake_last()->status, 403);
}

static void the_next_target_is_asked_when_one_is_silent(void **state)
{
	struct rig *rig = *state;

	fake_no_response(subscribe(rig, "555", "presence", 600), 408);
	assert_string_equal(theirs()->target, "sip:555@198.51.100.6:5060");
	assert_int_equal(fake_count(SIP_SUBSCRIBE), 2);
	fake_no_response(fake_request(SIP_SUBSCRIBE)->txn, 503);
	assert_int_equal(fake_last()->status, 408);
	assert_int_equal(passes_subscriptions(rig->passes), 0);
}

static void the_devices_of_a_phone_are_asked_in_turn(void **state)
{
	struct rig *rig = *state;

	add_binding("sip:101@10.0.0.7", "192.0.2.9:5062")->instance = "a";
	add_binding("sip:101@10.0.0.7", "192.0.2.9:5063")->instance = "a";
	add_binding("sip:101@10.0.0.8", "192.0.2.8:5062");
	/* a dead way: the other one to the same device */
	fake_no_response(subscribe(rig, "101", "dialog", 60), 430);
	assert_int_equal(addr_port(&theirs()->conf.flow.remote), 5063);
	/* no: another device */
	fake_response(fake_request(SIP_SUBSCRIBE)->txn, 489, NULL);
	assert_string_equal(theirs()->target, "sip:101@10.0.0.8");
	grant(fake_request(SIP_SUBSCRIBE)->txn, 60);
	assert_int_equal(passes_subscriptions(rig->passes), 1);
}

static void what_cannot_be_served_is_refused_before_it_costs(void **state)
{
	static const struct {
		const char *user, *event;
		int status;
	} cases[] = {
		{"102", NULL, 489},
		{"101", "dialog", 480}, /* not registered */
		{NULL, "presence", 404},
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fake_forget();
		subscribe(rig, cases[i].user, cases[i].event, 60);
		assert_int_equal(fake_last()->status, cases[i].status);
	}
	HEADERS(rig, {"Event", "presence"});
	prepare(rig, SIP_SUBSCRIBE, "102")->n_contacts = 0;
	passes_subscribe(rig->passes, &rig->req);
	assert_int_equal(fake_last()->status, 400);
	prepare(rig, SIP_SUBSCRIBE, "102")->max_forwards = 0;
	passes_subscribe(rig->passes, &rig->req);
	assert_int_equal(fake_last()->status, 483);
}

static void a_stranger_is_challenged(void **state)
{
	struct rig *rig = *state;

	fake.verdict = SIP_AUTH_NONE;
	subscribe(rig, "102", "presence", 600);
	assert_int_equal(fake_last()->status, 401);
	assert_int_equal(fake.n_dialogs, 0);
}

static void the_same_by_another_way_is_merged(void **state)
{
	struct rig *rig = *state;

	subscribe(rig, "102", "presence", 600);
	passes_subscribe(rig->passes, &rig->req);
	assert_int_equal(fake_last()->status, 482);
	assert_int_equal(passes_subscriptions(rig->passes), 1);
}

/* What the fake has no room for any more; freed by free_kept(). */
static void *kept[4 * LIMIT_PHONE_SUBSCRIPTIONS + 16];
static unsigned n_kept;

static void keep_fakes(void)
{
	for (unsigned i = 0; i < fake.n_dialogs; i++)
		kept[n_kept++] = fake.dialogs[i];
	for (unsigned i = 0; i < fake.n_txns; i++)
		kept[n_kept++] = fake.txns[i];
	fake.n_dialogs = fake.n_txns = fake.n = 0;
}

static void free_kept(struct rig *rig)
{
	passes_destroy(rig->passes);
	rig->passes = NULL;
	while (n_kept)
		free(kept[--n_kept]);
}

static void a_phone_has_only_so_many(void **state)
{
	struct rig *rig = *state;
	char user[16];

	for (unsigned i = 0; i <= LIMIT_PHONE_SUBSCRIPTIONS; i++) {
		keep_fakes();
		snprintf(user, sizeof(user), "5%u", i);
		subscribe(rig, user, "dialog", 600);
	}
	assert_int_equal(fake_last()->status, 503);
	assert_true(says(fake_last(), "Retry-After: "));
	assert_int_equal(passes_subscriptions(rig->passes),
			 LIMIT_PHONE_SUBSCRIPTIONS);
	/* but one that it had before and forgot makes room */
	keep_fakes();
	subscribe(rig, "57", "dialog", 600);
	assert_int_equal(fake_count(SIP_SUBSCRIBE), 1);
	assert_int_equal(passes_subscriptions(rig->passes),
			 LIMIT_PHONE_SUBSCRIPTIONS);
	free_kept(rig);
}

/* ---- NOTIFY ---------------------------------------------------------------------- */

static void a_notify_crosses_with_its_state_and_body(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;
	struct fake_message *sent;

	stand(rig);
	txn = notify(rig, "active;expires=590;via=198.51.100.5");
	sent = fake_request(SIP_NOTIFY);
	assert_ptr_equal(sent->dialog, ours());
	assert_true(says(sent, "Event: presence\n"));
	assert_true(says(sent, "Subscription-State: active;expires=590\n"));
	assert_string_equal(sent->body, "<pidf/>");
	fake_response(sent->txn, 200, NULL);
	assert_int_equal(fake_answer(txn)->status, 200);
}

static void a_notify_that_overtakes_the_answer_waits_for_it(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *ask = subscribe(rig, "102", "presence", 600);
	struct sip_txn *txn = notify(rig, "active;expires=600");

	assert_int_equal(fake_count(SIP_NOTIFY), 0);
	assert_true(theirs()->established);
	grant(ask, 600);
	assert_int_equal(fake_count(SIP_NOTIFY), 1);
	assert_int_equal(fake.sent[fake.n - 2].status, 200); /* came first */
	fake_response(fake_request(SIP_NOTIFY)->txn, 200, NULL);
	assert_int_equal(fake_answer(txn)->status, 200);
}

static void a_notify_before_a_refusal_goes_nowhere(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *ask = subscribe(rig, "102", "presence", 600);
	struct sip_txn *txn = notify(rig, "pending");

	fake_response(ask, 403, NULL);
	assert_int_equal(fake_answer(txn)->status, 481);
	assert_int_equal(fake_count(SIP_NOTIFY), 0);
}

static void the_notifier_may_end_it(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	stand(rig);
	txn = notify(rig, "terminated;reason=noresource");
	assert_true(says(fake_request(SIP_NOTIFY), "reason=noresource"));
	assert_int_equal(passes_subscriptions(rig->passes), 1);
	fake_response(fake_request(SIP_NOTIFY)->txn, 200, NULL);
	assert_int_equal(fake_answer(txn)->status, 200);
	assert_int_equal(passes_subscriptions(rig->passes), 0);
	assert_int_equal(fake_nat.held, 0);
	/* until the loop turns it is there, and says so */
	txn = notify(rig, "active");
	assert_int_equal(fake_answer(txn)->status, 481);
	advance(rig, 1);
	assert_true(ours()->destroyed);
}

static void a_phone_that_does_not_know_it_ends_it(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	stand(rig);
	txn = notify(rig, "active");
	fake_response(fake_request(SIP_NOTIFY)->txn, 481, NULL);
	assert_int_equal(fake_answer(txn)->status, 481);
	assert_int_equal(passes_subscriptions(rig->passes), 0);
}

static void a_phone_that_is_silent_for_once_keeps_it(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	stand(rig);
	txn = notify(rig, "active");
	fake_no_response(fake_request(SIP_NOTIFY)->txn, 408);
	assert_int_equal(fake_answer(txn)->status, 503);
	assert_true(says(fake_answer(txn), "Retry-After: "));
	assert_int_equal(passes_subscriptions(rig->passes), 1);
	assert_int_equal(fake_nat.missed, 1);
}

static void a_notify_without_state_or_event_is_refused(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	stand(rig);
	txn = notify(rig, NULL);
	assert_int_equal(fake_answer(txn)->status, 400);
	HEADERS(rig, {"Subscription-State", "active"});
	txn = fake_in_dialog(theirs(), SIP_NOTIFY, &rig->server, NULL);
	assert_int_equal(fake_answer(txn)->status, 489);
	assert_int_equal(fake_count(SIP_NOTIFY), 0);
}

static void a_notify_from_elsewhere_is_nobodys(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	stand(rig);
	HEADERS(rig, {"Event", "presence"}, {"Subscription-State", "active"});
	txn = fake_in_dialog(theirs(), SIP_NOTIFY, &rig->phone, NULL);
	assert_int_equal(fake_answer(txn)->status, 403);
	assert_int_equal(fake_count(SIP_NOTIFY), 0);
}

static void only_so_many_notifies_are_under_way(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn = NULL;

	stand(rig);
	for (int i = 0; i < 9; i++)
		txn = notify(rig, "active");
	assert_int_equal(fake_answer(txn)->status, 503);
	assert_int_equal(fake_count(SIP_NOTIFY), 8);
}

/* ---- forks ----------------------------------------------------------------------- */

static struct sip_txn *forked(struct rig *rig, const struct sip_flow *flow,
			      const char *state)
{
	HEADERS(rig, {"Event", "presence"}, {"Subscription-State", state});
	return fake_forked(fake.dialogs[1], flow, "<other/>");
}

static void each_notifier_of_a_fork_has_dialogs_of_its_own(void **state)
{
	struct rig *rig = *state;
	struct sip_dialog *twin;
	struct sip_txn *txn;

	stand(rig);
	txn = forked(rig, &rig->server, "active;expires=100");
	assert_int_equal(passes_subscriptions(rig->passes), 2);
	twin = fake_request(SIP_NOTIFY)->dialog;
	assert_ptr_not_equal(twin, ours());
	assert_string_equal(twin->call_id, ours()->call_id);
	assert_string_equal(fake_request(SIP_NOTIFY)->body, "<other/>");
	fake_response(fake_request(SIP_NOTIFY)->txn, 200, NULL);
	assert_int_equal(fake_answer(txn)->status, 200);
	assert_int_equal(fake_nat.held, 2);
	/* it ends by itself, the first one stands */
	advance(rig, SEC(133));
	assert_int_equal(passes_subscriptions(rig->passes), 1);
	assert_false(ours()->destroyed);
	assert_true(twin->destroyed);
}

static void a_subscriber_need_not_take_a_fork(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	stand(rig);
	txn = forked(rig, &rig->server, "active");
	fake_response(fake_request(SIP_NOTIFY)->txn, 481, NULL);
	assert_int_equal(fake_answer(txn)->status, 481);
	assert_int_equal(passes_subscriptions(rig->passes), 1);
}

static void a_fork_is_taken_from_its_notifiers_side_only(void **state)
{
	struct rig *rig = *state;

	stand(rig);
	assert_int_equal(
		fake_answer(forked(rig, &rig->phone, "active"))->status, 403);
	assert_int_equal(passes_subscriptions(rig->passes), 1);
	assert_int_equal(fake_count(SIP_NOTIFY), 0);
}

/* ---- time ------------------------------------------------------------------------ */

static void a_renewal_is_asked_of_the_notifier(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	stand(rig);
	txn = renew(rig, &rig->phone, 900);
	assert_true(says(fake_request(SIP_SUBSCRIBE), "Expires: 900\n"));
	assert_ptr_equal(fake_request(SIP_SUBSCRIBE)->dialog, fake.dialogs[1]);
	grant(fake_request(SIP_SUBSCRIBE)->txn, 800);
	assert_int_equal(fake_answer(txn)->status, 200);
	assert_true(says(fake_answer(txn), "Expires: 800\n"));
	advance(rig, SEC(700));
	assert_int_equal(passes_subscriptions(rig->passes), 1);
}

static void a_renewal_that_fails_leaves_what_stands(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	stand(rig);
	txn = renew(rig, &rig->phone, 900);
	fake_no_response(fake_request(SIP_SUBSCRIBE)->txn, 408);
	assert_int_equal(fake_answer(txn)->status, 503);
	assert_int_equal(passes_subscriptions(rig->passes), 1);
	txn = renew(rig, &rig->phone, 900);
	fake_response(fake_request(SIP_SUBSCRIBE)->txn, 481, NULL);
	assert_int_equal(fake_answer(txn)->status, 481);
	assert_int_equal(passes_subscriptions(rig->passes), 0);
}

static void who_unsubscribes_gets_a_last_notify(void **state)
{
	struct rig *rig = *state;

	stand(rig);
	renew(rig, &rig->phone, 0);
	assert_true(says(fake_request(SIP_SUBSCRIBE), "Expires: 0\n"));
	grant(fake_request(SIP_SUBSCRIBE)->txn, 0);
	assert_int_equal(passes_subscriptions(rig->passes), 1);
	assert_int_equal(fake_nat.held, 1);
	notify(rig, "terminated;reason=timeout");
	fake_response(fake_request(SIP_NOTIFY)->txn, 200, NULL);
	assert_int_equal(passes_subscriptions(rig->passes), 0);
}

static void a_last_notify_that_never_comes_is_not_waited_for(void **state)
{
	struct rig *rig = *state;

	stand(rig);
	renew(rig, &rig->phone, 0);
	grant(fake_request(SIP_SUBSCRIBE)->txn, 0);
	advance(rig, SEC(33));
	assert_int_equal(passes_subscriptions(rig->passes), 0);
	assert_int_equal(fake_count(SIP_NOTIFY), 0);
}

static void a_fetch_gets_one_notify(void **state)
{
	struct rig *rig = *state;

	grant(subscribe(rig, "102", "presence", 0), 0);
	assert_true(says(fake_last(), "Expires: 0\n"));
	notify(rig, "terminated;reason=timeout");
	assert_int_equal(fake_count(SIP_NOTIFY), 1);
	fake_response(fake_request(SIP_NOTIFY)->txn, 200, NULL);
	assert_int_equal(passes_subscriptions(rig->passes), 0);
}

static void it_ends_when_nobody_renews_it(void **state)
{
	struct rig *rig = *state;

	stand(rig);
	advance(rig, SEC(601));
	assert_int_equal(passes_subscriptions(rig->passes), 1); /* grace */
	advance(rig, SEC(32));
	assert_int_equal(passes_subscriptions(rig->passes), 0);
	assert_true(says(fake_request(SIP_NOTIFY),
			 "Subscription-State: terminated;reason=timeout\n"));
	assert_true(says(fake_request(SIP_SUBSCRIBE), "Expires: 0\n"));
}

static void the_notifier_may_shorten_it(void **state)
{
	struct rig *rig = *state;

	stand(rig);
	notify(rig, "active;expires=60");
	notify(rig, "active;expires=9000");
	fake_response(fake_request(SIP_NOTIFY)->txn, 200, NULL);
	advance(rig, SEC(93));
	assert_int_equal(passes_subscriptions(rig->passes), 0);
}

/* ---- the way to the phone ------------------------------------------------------------ */

static void the_way_is_held_from_the_answer_to_the_end(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *ask = subscribe(rig, "102", "presence", 600);

	assert_int_equal(fake_nat.held, 0);
	grant(ask, 600);
	assert_int_equal(fake_nat.held, 1);
	advance(rig, SEC(633));
	assert_int_equal(fake_nat.held, 0);
}

static void it_moves_with_the_binding_of_its_phone(void **state)
{
	struct rig *rig = *state;
	struct sip_flow from;
	struct binding *b;

	b = add_binding("sip:101@10.0.0.7", "192.0.2.9:5062");
	grant(subscribe(rig, "101", "dialog", 600), 600);
	from = b->to;
	addr_parse_port(&b->to.remote, "192.0.2.9:6000");
	b->flow = b->to;
	passes_follow(rig->passes, b, &from);
	assert_true(sip_flow_equal(&theirs()->conf.flow, &b->to));
	assert_true(sip_flow_equal(&ours()->conf.flow, &rig->phone));
	assert_int_equal(fake_nat.held, 2);
}

/* RFC 6665 4.1.3: it is to subscribe anew, where it is now. */
static void it_ends_when_its_phone_is_with_another_box(void **state)
{
	struct rig *rig = *state;
	struct binding *b;

	stand(rig); /* of another phone, at the server */
	b = add_binding("sip:101@10.0.0.7", "192.0.2.9:5062");
	grant(subscribe(rig, "101", "dialog", 600), 600);
	assert_int_equal(passes_subscriptions(rig->passes), 2);
	passes_away(rig->passes, b);
	assert_int_equal(passes_subscriptions(rig->passes), 1);
	assert_true(says(fake_request(SIP_NOTIFY),
			 "Subscription-State: terminated;reason=deactivated"));
	passes_away(rig->passes, b);
	assert_int_equal(passes_subscriptions(rig->passes), 1);
}

static void a_phone_may_renew_from_elsewhere_with_its_password(void **state)
{
	struct rig *rig = *state;
	struct sip_flow new = rig->phone;
	struct sip_txn *txn;

	stand(rig);
	addr_parse_port(&new.remote, "192.0.2.1:41000");
	fake.verdict = SIP_AUTH_NONE;
	txn = renew(rig, &new, 600);
	assert_int_equal(fake_answer(txn)->status, 401);
	fake.verdict = SIP_AUTH_OK;
	fake.auth_user = "101"; /* another's password */
	txn = renew(rig, &new, 600);
	assert_int_equal(fake_answer(txn)->status, 403);
	assert_true(sip_flow_equal(&ours()->conf.flow, &rig->phone));
	fake.auth_user = "100";
	renew(rig, &new, 600);
	assert_true(sip_flow_equal(&ours()->conf.flow, &new));
	assert_int_equal(fake_count(SIP_SUBSCRIBE), 2);
	assert_int_equal(fake_nat.held, 1);
}

/* ---- the end of the box --------------------------------------------------------------- */

static void at_the_end_both_sides_are_told(void **state)
{
	struct rig *rig = *state;

	stand(rig);
	passes_terminate(rig->passes);
	assert_true(says(fake_request(SIP_NOTIFY),
			 "terminated;reason=probation;retry-after="));
	assert_true(says(fake_request(SIP_NOTIFY), "Event: presence\n"));
	assert_true(says(fake_request(SIP_SUBSCRIBE), "Expires: 0\n"));
	assert_int_equal(passes_subscriptions(rig->passes), 0);
}

static void a_phone_that_left_the_configuration_loses_it(void **state)
{
	static const char less[] = "config realm 'lan'\n"
				   "config phone '101'\n"
				   "	option password 'x'\n";
	struct rig *rig = *state;
	struct conf_errors errs = {0};
	struct config *config;

	stand(rig);
	config_parse(&config, "test", STR(less), &errs);
	passes_set_config(rig->passes, config);
	config_unref(config);
	assert_int_equal(passes_subscriptions(rig->passes), 0);
	assert_true(says(fake_request(SIP_NOTIFY), "reason=deactivated"));
}

static void other_methods_have_no_place_inside(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	stand(rig);
	txn = fake_in_dialog(ours(), SIP_INFO, &rig->phone, NULL);
	assert_int_equal(fake_answer(txn)->status, 405);
	txn = fake_in_dialog(theirs(), SIP_OPTIONS, &rig->server, NULL);
	assert_int_equal(fake_answer(txn)->status, 200);
	assert_int_equal(passes_subscriptions(rig->passes), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_subscribe_goes_to_the_route_that_names_it),
		T(a_phone_asks_the_server_for_what_is_kept_of_itself),
		T(what_a_phone_serves_goes_to_the_phone),
		T(a_server_may_subscribe_to_a_phone),
		T(the_phone_hears_what_was_granted),
		T(nobody_gets_more_than_the_realm_allows),
		T(a_refusal_comes_back_with_what_it_says),
		T(a_challenge_of_the_server_is_not_the_phones_business),
		T(the_next_target_is_asked_when_one_is_silent),
		T(the_devices_of_a_phone_are_asked_in_turn),
		T(what_cannot_be_served_is_refused_before_it_costs),
		T(a_stranger_is_challenged),
		T(the_same_by_another_way_is_merged),
		T(a_phone_has_only_so_many),
		T(a_notify_crosses_with_its_state_and_body),
		T(a_notify_that_overtakes_the_answer_waits_for_it),
		T(a_notify_before_a_refusal_goes_nowhere),
		T(the_notifier_may_end_it),
		T(a_phone_that_does_not_know_it_ends_it),
		T(a_phone_that_is_silent_for_once_keeps_it),
		T(a_notify_without_state_or_event_is_refused),
		T(a_notify_from_elsewhere_is_nobodys),
		T(only_so_many_notifies_are_under_way),
		T(each_notifier_of_a_fork_has_dialogs_of_its_own),
		T(a_subscriber_need_not_take_a_fork),
		T(a_fork_is_taken_from_its_notifiers_side_only),
		T(a_renewal_is_asked_of_the_notifier),
		T(a_renewal_that_fails_leaves_what_stands),
		T(who_unsubscribes_gets_a_last_notify),
		T(a_last_notify_that_never_comes_is_not_waited_for),
		T(a_fetch_gets_one_notify),
		T(it_ends_when_nobody_renews_it),
		T(the_notifier_may_shorten_it),
		T(the_way_is_held_from_the_answer_to_the_end),
		T(it_moves_with_the_binding_of_its_phone),
		T(it_ends_when_its_phone_is_with_another_box),
		T(a_phone_may_renew_from_elsewhere_with_its_password),
		T(at_the_end_both_sides_are_told),
		T(a_phone_that_left_the_configuration_loses_it),
		T(other_methods_have_no_place_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
