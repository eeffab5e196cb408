/*
 * test_call.c - calls through the back-to-back user agent, message by message
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Real: config, routing, SDP, legs, calls.  Faked: the SIP stack, the ports,
 * the table of bindings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../fake_media.h"
#include "../fake_sip.h"
#include "call/call.h"

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
#define VIDEO_ONLY                                                             \
	"v=0\r\no=x 1 1 IN IP4 192.168.1.7\r\ns=-\r\n"                         \
	"c=IN IP4 192.168.1.7\r\nt=0 0\r\nm=image 4000 udptl t38\r\n"

struct rig {
	struct loop *loop;
	struct config *config;
	struct calls *calls;
	struct sip_flow flow_a, flow_b;
	unsigned invites;
	const char *host; /* of the Request-URI */
};

/* ---- the registrar, faked ---------------------------------------------------- */

static struct {
	struct binding list[4];
	unsigned n;
} bindings;

unsigned registrar_find(const struct registrar *reg, const char *phone,
			const struct binding **out, unsigned max)
{
	unsigned n = 0;

	if (strcmp(phone, "101"))
		return 0;
	for (; n < bindings.n && n < max; n++)
		out[n] = &bindings.list[n];
	return n;
}

bool registrar_is_ours(const struct registrar *reg,
		       const struct conf_realm *realm, const char *host)
{
	return !strcmp(host, "sbc");
}

static void add_binding(const char *contact, const char *source)
{
	struct binding *b = &bindings.list[bindings.n++];

	memset(b, 0, sizeof(*b));
	b->contact = contact;
	b->realm = "lan";
	addr_parse_port(&b->flow.remote, source);
	addr_parse_port(&b->flow.local, "203.0.113.10:5060");
}

/* ---- rig ----------------------------------------------------------------------- */

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct conf_errors errs = {0};
	struct calls_conf conf = {0};

	fake_reset();
	fake_media_reset();
	bindings.n = 0;
	clock_freeze(5000000, 1700000000000);
	assert_int_equal(
		config_parse(&rig->config, "test", STR(config_text), &errs), 0);
	assert_int_equal(loop_create(&rig->loop), 0);
	conf.loop = rig->loop;
	rig->host = "sbc";
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
	assert_int_equal(fake_media.open, 0);
	loop_destroy(rig->loop);
	config_unref(rig->config);
	for (unsigned i = 0; i < fake.n_txns; i++)
		assert_true(fake.txns[i]->released);
	for (unsigned i = 0; i < fake.n_dialogs; i++)
		assert_true(fake.dialogs[i]->destroyed);
	fake_reset();
	clock_thaw();
	free(rig);
	return 0;
}

static void pass(struct rig *rig, int64_t ms)
{
	while (ms > 0) {
		clock_advance(250);
		settle(rig);
		ms -= 250;
	}
}

/* An INVITE from phone 100 to @user; returns the server transaction, or NULL
 * when it was answered statelessly. */
static struct sip_txn *invite(struct rig *rig, const char *user,
			      const char *body)
{
	static char call_id[32];
	struct sip_request req = {0};
	unsigned before = fake.n_txns;

	snprintf(call_id, sizeof(call_id), "invite-%u", ++rig->invites);
	req.view = (struct sip_view){
		.method = SIP_INVITE,
		.flow = rig->flow_a,
		.realm = "lan",
		.uri = {.scheme = "sip", .user = user, .host = rig->host},
		.uri_text = user,
		.from = {.user = "100", .host = "sbc"},
		.from_display = "Alice",
		.from_tag = "a-tag",
		.call_id = call_id,
		.branch = "z9hG4bKa",
		.cseq = 1,
		.max_forwards = 70,
	};
	fake_body(&req.view, req.body, body);
	calls_invite(rig->calls, &req);
	return fake.n_txns > before ? fake.txns[before] : NULL;
}

/* A call that is up; @b is the callee's INVITE. */
static struct sip_txn *establish(struct rig *rig, struct sip_txn **b)
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

static const struct call *the_call(struct rig *rig)
{
	only_call = NULL;
	calls_each(rig->calls, note_call, NULL);
	return only_call;
}

/* ---- setting up ------------------------------------------------------------------ */

static void an_offer_crosses_with_our_address_and_port(void **state)
{
	struct rig *rig = *state;
	struct fake_message *out;

	invite(rig, "101", OFFER);
	out = fake_request(SIP_INVITE);
	assert_non_null(strstr(out->body, "c=IN IP4 203.0.113.10"));
	assert_non_null(strstr(out->body, "RTP/AVP 8 101"));
	assert_null(strstr(out->body, "192.168.1.7"));
	assert_null(strstr(out->body, "4000"));
	assert_string_equal(out->dialog->target, "sip:101@192.168.1.50:5060");
	assert_true(sip_flow_equal(&out->dialog->conf.flow, &rig->flow_b));
	assert_string_equal(out->dialog->local_user, "100");
}

static void the_caller_gets_100_then_ringing_then_the_answer(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER), *b;

	assert_int_equal(fake.sent[0].status, 100);
	b = fake_request(SIP_INVITE)->txn;
	fake_response(b, 180, NULL);
	assert_int_equal(fake_answer(a)->status, 180);
	assert_int_equal(call_state(the_call(rig)), CALL_RINGING);
	fake_response(b, 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
	assert_null(strstr(fake_answer(a)->body, "192.168.2.9"));
	assert_non_null(strstr(fake_answer(a)->body, "203.0.113.10"));
	assert_int_equal(fake_count(SIP_ACK), 1);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
}

static void max_forwards_is_copied_less_one(void **state)
{
	struct rig *rig = *state;

	invite(rig, "101", OFFER);
	assert_int_equal(fake_request(SIP_INVITE)->max_forwards, 69);
}

static void caller_id_replaces_the_from_user(void **state)
{
	struct rig *rig = *state;

	fake.auth_user = "101";
	invite(rig, "101", OFFER);
	assert_string_equal(fake_request(SIP_INVITE)->dialog->local_user,
			    "4930101");
}

static void a_late_offer_is_answered_by_the_callers_ack(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", NULL), *b;

	b = fake_request(SIP_INVITE)->txn;
	assert_string_equal(fake_request(SIP_INVITE)->body, "");
	fake_response(b, 200, ANSWER);
	assert_non_null(strstr(fake_answer(a)->body, "203.0.113.10"));
	assert_int_equal(fake_count(SIP_ACK), 0);
	fake_event(a, SIP_TXN_ACK, OFFER);
	assert_int_equal(fake_count(SIP_ACK), 1);
	assert_non_null(strstr(fake_request(SIP_ACK)->body, "203.0.113.10"));
	assert_null(strstr(fake_request(SIP_ACK)->body, "192.168.1.7"));
}

static void a_late_offer_without_answer_ends_the_call(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", NULL);

	fake_response(fake_request(SIP_INVITE)->txn, 200, ANSWER);
	fake_event(a, SIP_TXN_ACK, NULL);
	assert_int_equal(fake_count(SIP_BYE), 2);
}

static void early_media_is_passed_and_bridged(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_response(fake_request(SIP_INVITE)->txn, 183, ANSWER);
	assert_int_equal(fake_answer(a)->status, 183);
	assert_non_null(strstr(fake_answer(a)->body, "m=audio"));
	assert_non_null(fake_media.last->partner);
}

static void both_sides_learn_where_the_other_wants_media(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;
	char text[ADDR_TEXT_MAX];

	establish(rig, &b);
	assert_string_equal(addr_fmt(&fake_media.last->remote.rtp, text),
			    "192.168.2.9:5000");
	assert_true(addr_equal(&fake_media.last->remote.signalling,
			       &rig->flow_b.remote));
	assert_string_equal(
		addr_fmt(&fake_media.last->partner->remote.rtp, text),
		"192.168.1.7:4000");
	/* What was offered and what was answered may both be sent. */
	assert_true(fake_media.last->remote.payload_types[0] & 1 << 8);
}

/* ---- refusals ------------------------------------------------------------------------ */

static int refusal(struct rig *rig, const char *user, const char *body)
{
	invite(rig, user, body);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 0);
	return fake_last()->status;
}

static void an_unknown_user_is_404_and_an_absent_phone_480(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(refusal(rig, "nobody", OFFER), 404);
	bindings.n = 0;
	assert_int_equal(refusal(rig, "101", OFFER), 480);
}

static void a_foreign_host_is_for_routes_only(void **state)
{
	struct rig *rig = *state;

	rig->host = "elsewhere.example";
	assert_int_equal(refusal(rig, "101", OFFER), 404);
	invite(rig, "0301234", OFFER);
	assert_int_equal(fake_count(SIP_INVITE), 1);
}

static void a_callees_503_becomes_500(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_response(fake_request(SIP_INVITE)->txn, 503, NULL);
	assert_int_equal(fake_answer(a)->status, 500);
}

static void a_stranger_is_challenged(void **state)
{
	struct rig *rig = *state;

	fake.verdict = SIP_AUTH_NONE;
	assert_int_equal(refusal(rig, "101", OFFER), 401);
	assert_non_null(strstr(fake_last()->headers, "Digest"));
	fake.verdict = SIP_AUTH_STALE;
	assert_int_equal(refusal(rig, "101", OFFER), 401);
	assert_non_null(strstr(fake_last()->headers, "stale=true"));
}

static void a_trunk_needs_no_password(void **state)
{
	struct rig *rig = *state;

	fake.verdict = SIP_AUTH_NONE;
	addr_parse_port(&rig->flow_a.remote, "198.51.100.5:5060");
	invite(rig, "101", OFFER);
	assert_int_equal(fake_count(SIP_INVITE), 1);
}

static void a_body_that_is_no_session_is_refused(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(refusal(rig, "101", "hello"), 400);
	assert_int_equal(refusal(rig, "101", VIDEO_ONLY), 488);
}

static void without_a_free_port_the_call_is_503(void **state)
{
	struct rig *rig = *state;

	fake_media.next_port = 0;
	assert_int_equal(refusal(rig, "101", OFFER), 503);
}

static void above_max_calls_it_is_503_with_retry_after(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < 3; i++)
		assert_non_null(invite(rig, "101", OFFER));
	assert_null(invite(rig, "101", OFFER));
	assert_int_equal(fake_last()->status, 503);
	assert_non_null(strstr(fake_last()->headers, "Retry-After"));
}

static void a_merged_request_is_482(void **state)
{
	struct rig *rig = *state;

	invite(rig, "101", OFFER);
	rig->invites--;
	assert_null(invite(rig, "101", OFFER));
	assert_int_equal(fake_last()->status, 482);
}

static void the_callees_refusal_reaches_the_caller(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_response(fake_request(SIP_INVITE)->txn, 486, NULL);
	assert_int_equal(fake_answer(a)->status, 486);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 0);
}

static void a_callees_challenge_is_not_passed_on(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_response(fake_request(SIP_INVITE)->txn, 407, NULL);
	assert_int_equal(fake_answer(a)->status, 403);
}

static void ring_timeout_cancels_and_answers_408(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER), *b;

	b = fake_request(SIP_INVITE)->txn;
	fake_response(b, 180, NULL);
	pass(rig, SEC(21));
	assert_true(b->cancelled);
	assert_int_equal(fake_answer(a)->status, 408);
	fake_response(b, 487, NULL);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 0);
}

static void a_dead_phone_does_not_hold_the_call_in_the_list(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	invite(rig, "101", OFFER);
	b = fake_request(SIP_INVITE)->txn;
	pass(rig, SEC(21));
	/* Its CANCEL still waits for a provisional answer. */
	assert_true(b->cancelled);
	assert_false(b->released);
	assert_int_equal(calls_count(rig->calls), 0);
	assert_null(the_call(rig));
	/* A 200 that comes all the same is ended properly. */
	fake_response(b, 200, ANSWER);
	assert_int_equal(fake_count(SIP_ACK), 1);
	assert_int_equal(fake_count(SIP_BYE), 1);
	pass(rig, SEC(40));
	assert_true(b->released);
}

/* ---- forks and failover ----------------------------------------------------------------- */

static void all_contacts_ring_and_the_first_answer_wins(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *first, *second, *third;

	add_binding("sip:101@192.168.1.51", "192.0.2.3:5060");
	add_binding("sip:101@192.168.1.52", "192.0.2.4:5060");
	a = invite(rig, "101", OFFER);
	assert_int_equal(fake_count(SIP_INVITE), 3);
	first = fake.sent[1].txn;
	second = fake.sent[2].txn;
	third = fake.sent[3].txn;
	fake_response(first, 180, NULL);
	fake_response(third, 180, NULL);
	fake_response(second, 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
	assert_true(first->cancelled);
	assert_true(third->cancelled);
	assert_false(second->cancelled);
	fake_response(first, 487, NULL);
	fake_response(third, 487, NULL);
	settle(rig);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
	assert_null(call_leg(the_call(rig), 2));
}

static void a_200_that_crosses_our_cancel_is_acked_and_ended(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *first, *second;

	add_binding("sip:101@192.168.1.51", "192.0.2.3:5060");
	invite(rig, "101", OFFER);
	first = fake.sent[1].txn;
	second = fake.sent[2].txn;
	fake_response(first, 200, ANSWER);
	assert_true(second->cancelled);
	fake_response(second, 200, ANSWER);
	assert_ptr_equal(fake_request(SIP_BYE)->dialog, second->dialog);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
}

static void the_best_refusal_of_all_forks_is_given(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a;

	add_binding("sip:101@192.168.1.51", "192.0.2.3:5060");
	a = invite(rig, "101", OFFER);
	fake_response(fake.sent[1].txn, 500, NULL);
	assert_int_equal(fake_answer(a)->status, 100);
	fake_response(fake.sent[2].txn, 486, NULL);
	assert_int_equal(fake_answer(a)->status, 486);
}

static void a_6xx_ends_the_search_at_once(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a, *second;

	add_binding("sip:101@192.168.1.51", "192.0.2.3:5060");
	a = invite(rig, "101", OFFER);
	second = fake.sent[2].txn;
	fake_response(fake.sent[1].txn, 603, NULL);
	assert_int_equal(fake_answer(a)->status, 603);
	assert_true(second->cancelled);
}

static void a_dead_trunk_is_passed_over_for_the_next(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "0301234", OFFER), *b;

	b = fake_request(SIP_INVITE)->txn;
	assert_string_equal(b->dialog->target, "sip:0301234@198.51.100.5:5060");
	fake_response(b, 503, NULL);
	b = fake_request(SIP_INVITE)->txn;
	assert_string_equal(b->dialog->target, "sip:0301234@198.51.100.6:5060");
	fake_response(b, 200, ANSWER);
	assert_int_equal(fake_answer(a)->status, 200);
}

static void a_trunks_404_is_the_answer(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "0301234", OFFER);

	fake_response(fake_request(SIP_INVITE)->txn, 404, NULL);
	assert_int_equal(fake_count(SIP_INVITE), 1);
	assert_int_equal(fake_answer(a)->status, 404);
}

static void when_nothing_can_be_sent_the_caller_gets_503(void **state)
{
	struct rig *rig = *state;

	fake.request_error = -EAGAIN;
	assert_int_equal(refusal(rig, "0301234", OFFER), 503);
}

/* ---- ending --------------------------------------------------------------------------------- */

static void bye_from_either_side_ends_both(void **state)
{
	struct rig *rig = *state;

	for (int from_b = 0; from_b < 2; from_b++) {
		struct sip_txn *b, *a = establish(rig, &b), *bye;
		struct sip_dialog *from = from_b ? b->dialog : a->dialog;
		struct sip_dialog *to = from_b ? a->dialog : b->dialog;

		bye = fake_in_dialog(from, SIP_BYE,
				     from_b ? &rig->flow_b : &rig->flow_a,
				     NULL);
		assert_int_equal(fake_answer(bye)->status, 200);
		assert_ptr_equal(fake_request(SIP_BYE)->dialog, to);
		assert_int_equal(fake_media.open, 0);
		fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
		settle(rig);
		assert_int_equal(calls_count(rig->calls), 0);
	}
}

static void cancel_by_the_caller_cancels_the_callee(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER), *b;

	b = fake_request(SIP_INVITE)->txn;
	fake_response(b, 180, NULL);
	fake_event(a, SIP_TXN_CANCEL, NULL);
	assert_true(b->cancelled);
	fake_response(b, 487, NULL);
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 0);
}

static void cancel_that_crosses_the_200_acks_and_ends_the_callee(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER), *b;

	b = fake_request(SIP_INVITE)->txn;
	fake_event(a, SIP_TXN_CANCEL, NULL);
	fake_response(b, 200, ANSWER);
	assert_int_equal(fake_count(SIP_ACK), 1);
	assert_int_equal(fake_count(SIP_BYE), 1);
}

static void no_ack_ends_both_sides(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER);

	fake_response(fake_request(SIP_INVITE)->txn, 200, ANSWER);
	fake_event(a, SIP_TXN_NO_ACK, NULL);
	assert_int_equal(fake_count(SIP_BYE), 2);
}

static void a_hangup_before_the_ack_waits_for_it(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = invite(rig, "101", OFFER), *b;

	b = fake_request(SIP_INVITE)->txn;
	fake_response(b, 200, ANSWER);
	fake_in_dialog(b->dialog, SIP_BYE, &rig->flow_b, NULL);
	assert_int_equal(fake_count(SIP_BYE), 0);
	fake_event(a, SIP_TXN_ACK, NULL);
	assert_int_equal(fake_count(SIP_BYE), 1);
}

static void hanging_up_all_calls_says_bye_with_a_reason(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	establish(rig, &b);
	calls_hangup(rig->calls, "SIP;cause=503", "shutdown");
	assert_int_equal(fake_count(SIP_BYE), 2);
	assert_non_null(strstr(fake_last()->headers, "Reason: SIP;cause=503"));
	for (unsigned i = 0; i < fake.n; i++) {
		if (!fake.sent[i].status && fake.sent[i].method == SIP_BYE)
			fake_response(fake.sent[i].txn, 200, NULL);
	}
	settle(rig);
	assert_int_equal(calls_count(rig->calls), 0);
}

static void silence_of_all_legs_ends_the_call(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	establish(rig, &b);
	pass(rig, SEC(50));
	assert_int_equal(fake_count(SIP_BYE), 0);
	fake_media.last->stats.last_in = clock_mono();
	pass(rig, SEC(50));
	assert_int_equal(fake_count(SIP_BYE), 0); /* one side still spoke */
	pass(rig, SEC(25));
	assert_int_equal(fake_count(SIP_BYE), 2);
}

static void a_held_call_may_be_silent_longer(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *change;

	change =
		fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	fake_response(fake_request(SIP_INVITE)->txn, 200, HOLD_ANSWER);
	fake_event(change, SIP_TXN_ACK, NULL);
	pass(rig, SEC(120));
	assert_int_equal(fake_count(SIP_BYE), 0);
	pass(rig, SEC(240));
	assert_int_equal(fake_count(SIP_BYE), 2);
}

/* ---- while it is up --------------------------------------------------------------------------- */

static void a_hold_is_carried_to_the_other_side_and_back(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *change;
	struct fake_message *out;

	change =
		fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	assert_int_equal(fake_answer(change)->status, 100);
	out = fake_request(SIP_INVITE);
	assert_ptr_equal(out->dialog, b->dialog);
	assert_non_null(strstr(out->body, "a=sendonly"));
	fake_response(out->txn, 200, HOLD_ANSWER);
	assert_int_equal(fake_answer(change)->status, 200);
	assert_non_null(strstr(fake_answer(change)->body, "a=recvonly"));
	assert_int_equal(fake_count(SIP_ACK), 2);
}

static void ports_stay_when_the_session_changes(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b);
	char port[32];

	snprintf(port, sizeof(port), "m=audio %u",
		 addr_port(media_stream_rtp(fake_media.last)));
	fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	assert_non_null(strstr(fake_request(SIP_INVITE)->body, port));
	assert_int_equal(fake_media.open, 2);
}

static uint64_t version_of(const char *sdp)
{
	unsigned long long id, version;

	assert_int_equal(
		sscanf(strstr(sdp, "o="), "o=- %llu %llu", &id, &version), 2);
	return version;
}

static void the_version_grows_by_one_on_change_only(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *change;
	uint64_t first = version_of(fake_request(SIP_INVITE)->body);

	for (int i = 0; i < 2; i++) {
		change = fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a,
					HOLD_OFFER);
		assert_int_equal(version_of(fake_request(SIP_INVITE)->body),
				 first + 1);
		fake_response(fake_request(SIP_INVITE)->txn, 200, HOLD_ANSWER);
		fake_event(change, SIP_TXN_ACK, NULL);
	}
}

static void a_refused_change_leaves_the_call_as_it_was(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *change;
	unsigned told = fake_media.last->told;

	change =
		fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	fake_response(fake_request(SIP_INVITE)->txn, 488, NULL);
	assert_int_equal(fake_answer(change)->status, 488);
	assert_int_equal(fake_media.last->told, told);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
}

static void crossing_changes_get_491_and_doubled_ones_500(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *crossing, *doubled;

	fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	crossing = fake_in_dialog(b->dialog, SIP_INVITE, &rig->flow_b, OFFER);
	assert_int_equal(fake_answer(crossing)->status, 491);
	doubled = fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, OFFER);
	assert_int_equal(fake_answer(doubled)->status, 500);
	assert_non_null(strstr(fake_answer(doubled)->headers, "Retry-After"));
}

static void a_491_goes_back_to_the_asker(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *change;

	change =
		fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	fake_response(fake_request(SIP_INVITE)->txn, 491, NULL);
	assert_int_equal(fake_answer(change)->status, 491);
}

static void a_change_without_offer_takes_the_late_way(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *change;

	change = fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, NULL);
	assert_string_equal(fake_request(SIP_INVITE)->body, "");
	fake_response(fake_request(SIP_INVITE)->txn, 200, ANSWER);
	assert_non_null(strstr(fake_answer(change)->body, "m=audio"));
	assert_int_equal(fake_count(SIP_ACK), 1);
	fake_event(change, SIP_TXN_ACK, OFFER);
	assert_int_equal(fake_count(SIP_ACK), 2);
	assert_non_null(strstr(fake_request(SIP_ACK)->body, "m=audio"));
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
}

static void a_481_to_a_change_ends_the_call(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b);

	fake_in_dialog(a->dialog, SIP_INVITE, &rig->flow_a, HOLD_OFFER);
	fake_response(fake_request(SIP_INVITE)->txn, 481, NULL);
	assert_int_equal(fake_count(SIP_BYE), 2);
}

static void info_is_carried_across_with_its_answer(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *info;

	info = fake_in_dialog(a->dialog, SIP_INFO, &rig->flow_a, "Signal=5");
	assert_string_equal(fake_request(SIP_INFO)->body, "Signal=5");
	fake_response(fake_request(SIP_INFO)->txn, 200, NULL);
	assert_int_equal(fake_answer(info)->status, 200);
}

static void options_in_a_dialog_are_answered_here(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *options;

	options = fake_in_dialog(a->dialog, SIP_OPTIONS, &rig->flow_a, NULL);
	assert_int_equal(fake_answer(options)->status, 200);
	assert_int_equal(fake_count(SIP_OPTIONS), 0);
}

static void a_foreign_method_in_a_dialog_is_405(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *refer;

	refer = fake_in_dialog(a->dialog, SIP_REFER, &rig->flow_a, NULL);
	assert_int_equal(fake_answer(refer)->status, 405);
	assert_non_null(strstr(fake_answer(refer)->headers, "Allow: INVITE"));
}

static void a_bye_from_elsewhere_needs_the_phones_password(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *a = establish(rig, &b), *bye;
	struct sip_flow elsewhere = rig->flow_a;

	addr_parse_port(&elsewhere.remote, "198.51.100.66:9999");
	fake.verdict = SIP_AUTH_NONE;
	bye = fake_in_dialog(a->dialog, SIP_BYE, &elsewhere, NULL);
	assert_int_equal(fake_answer(bye)->status, 401);
	assert_int_equal(call_state(the_call(rig)), CALL_UP);
	/* The password of another phone does not do. */
	fake.verdict = SIP_AUTH_OK;
	fake.auth_user = "101";
	a->view.from.user = "100";
	bye = fake_in_dialog(a->dialog, SIP_BYE, &elsewhere, NULL);
	assert_int_equal(fake_answer(bye)->status, 403);
	fake.auth_user = "100";
	bye = fake_in_dialog(a->dialog, SIP_BYE, &elsewhere, NULL);
	assert_int_equal(fake_answer(bye)->status, 200);
	assert_true(sip_flow_equal(&a->dialog->conf.flow, &elsewhere));
}

static void dialogs_follow_their_phone_to_a_new_flow(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;
	struct sip_flow moved = rig->flow_b;

	establish(rig, &b);
	addr_set_port(&moved.remote, 41000);
	calls_move(rig->calls, &rig->flow_b, &moved);
	assert_true(sip_flow_equal(&b->dialog->conf.flow, &moved));
}

static void loopback_media_is_never_a_destination(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	invite(rig, "101", OFFER);
	b = fake_request(SIP_INVITE)->txn;
	fake_response(b, 200,
		      "v=0\r\no=x 1 1 IN IP4 127.0.0.1\r\ns=-\r\n"
		      "c=IN IP4 127.0.0.1\r\nt=0 0\r\n"
		      "m=audio 25 RTP/AVP 8\r\n");
	assert_false(addr_is_set(&fake_media.last->remote.rtp));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(an_offer_crosses_with_our_address_and_port),
		T(the_caller_gets_100_then_ringing_then_the_answer),
		T(max_forwards_is_copied_less_one),
		T(caller_id_replaces_the_from_user),
		T(a_late_offer_is_answered_by_the_callers_ack),
		T(a_late_offer_without_answer_ends_the_call),
		T(early_media_is_passed_and_bridged),
		T(both_sides_learn_where_the_other_wants_media),
		T(an_unknown_user_is_404_and_an_absent_phone_480),
		T(a_foreign_host_is_for_routes_only),
		T(a_callees_503_becomes_500),
		T(a_stranger_is_challenged),
		T(a_trunk_needs_no_password),
		T(a_body_that_is_no_session_is_refused),
		T(without_a_free_port_the_call_is_503),
		T(above_max_calls_it_is_503_with_retry_after),
		T(a_merged_request_is_482),
		T(the_callees_refusal_reaches_the_caller),
		T(a_callees_challenge_is_not_passed_on),
		T(ring_timeout_cancels_and_answers_408),
		T(a_dead_phone_does_not_hold_the_call_in_the_list),
		T(all_contacts_ring_and_the_first_answer_wins),
		T(a_200_that_crosses_our_cancel_is_acked_and_ended),
		T(the_best_refusal_of_all_forks_is_given),
		T(a_6xx_ends_the_search_at_once),
		T(a_dead_trunk_is_passed_over_for_the_next),
		T(a_trunks_404_is_the_answer),
		T(when_nothing_can_be_sent_the_caller_gets_503),
		T(bye_from_either_side_ends_both),
		T(cancel_by_the_caller_cancels_the_callee),
		T(cancel_that_crosses_the_200_acks_and_ends_the_callee),
		T(no_ack_ends_both_sides),
		T(a_hangup_before_the_ack_waits_for_it),
		T(hanging_up_all_calls_says_bye_with_a_reason),
		T(silence_of_all_legs_ends_the_call),
		T(a_held_call_may_be_silent_longer),
		T(a_hold_is_carried_to_the_other_side_and_back),
		T(ports_stay_when_the_session_changes),
		T(the_version_grows_by_one_on_change_only),
		T(a_refused_change_leaves_the_call_as_it_was),
		T(crossing_changes_get_491_and_doubled_ones_500),
		T(a_491_goes_back_to_the_asker),
		T(a_change_without_offer_takes_the_late_way),
		T(a_481_to_a_change_ends_the_call),
		T(info_is_carried_across_with_its_answer),
		T(options_in_a_dialog_are_answered_here),
		T(a_foreign_method_in_a_dialog_is_405),
		T(a_bye_from_elsewhere_needs_the_phones_password),
		T(dialogs_follow_their_phone_to_a_new_flow),
		T(loopback_media_is_never_a_destination),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
