/*
 * test_leg_prack.c - reliable provisional answers on one leg: who is sent them,
 * what waits for a PRACK, and each shape of offer and answer in them
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Real: SDP, the leg.  Faked: the SIP stack, the ports, the call.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../fake_media.h"
#include "../fake_nat.h"
#include "../fake_sip.h"
#include "leg/leg_priv.h"

#define HEAD                                                                   \
	"v=0\r\no=x 1 1 IN IP4 192.168.1.8\r\ns=-\r\n"                         \
	"c=IN IP4 192.168.1.7\r\nt=0 0\r\n"
#define PCMA HEAD "m=audio 4000 RTP/AVP 8\r\n"
#define PCMU HEAD "m=audio 4000 RTP/AVP 0\r\n"
#define BOTH HEAD "m=audio 4000 RTP/AVP 8 0\r\n"

enum peer { PLAIN, CAN, MUST };

struct rig {
	struct loop *loop;
	struct config *config;
	struct conf_policy policy;
	struct leg_conf conf;
	struct sip_flow flow;
	struct leg *leg;
	struct sip_txn *invite;
	struct sdp *sdp[16];
	unsigned n_sdp;
	struct {
		unsigned progress, progress_sdp, answered, pracked, change;
		unsigned changed;
		unsigned ended, dead, acked;
		int status;
		const char *cause;
		uint16_t port; /* of the description told last */
	} told;
};

/* ---- the call, faked ----------------------------------------------------------- */

static void note(struct rig *rig, const struct sdp *sdp)
{
	rig->told.port = sdp ? addr_port(&sdp->media[0].rtp) : 0;
}

static void progress(void *arg, struct leg *leg, int status,
		     const struct sdp *sdp)
{
	struct rig *rig = arg;

	rig->told.progress++;
	rig->told.progress_sdp += sdp != NULL;
	rig->told.status = status;
	note(rig, sdp);
}

static void answered(void *arg, struct leg *leg, const struct sdp *sdp)
{
	((struct rig *)arg)->told.answered++;
	note(arg, sdp);
}

static void pracked(void *arg, struct leg *leg, const struct sdp *sdp)
{
	((struct rig *)arg)->told.pracked++;
	note(arg, sdp);
}

static void acked(void *arg, struct leg *leg, const struct sdp *sdp)
{
	((struct rig *)arg)->told.acked++;
	note(arg, sdp);
}

static void change(void *arg, struct leg *leg, const struct sdp *offer)
{
	((struct rig *)arg)->told.change++;
	note(arg, offer);
}

static void changed(void *arg, struct leg *leg, int status,
		    const struct sdp *sdp)
{
	struct rig *rig = arg;

	rig->told.changed++;
	rig->told.status = status;
}

static void ended(void *arg, struct leg *leg, int status, const char *cause)
{
	struct rig *rig = arg;

	rig->told.ended++;
	rig->told.status = status;
	rig->told.cause = cause;
}

static void dead(void *arg, struct leg *leg)
{
	((struct rig *)arg)->told.dead++;
}

static const struct leg_ops ops = {
	.progress = progress,
	.answered = answered,
	.pracked = pracked,
	.acked = acked,
	.change = change,
	.changed = changed,
	.ended = ended,
	.dead = dead,
};

/* ---- rig ------------------------------------------------------------------------- */

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct conf_errors errs = {0};
	const struct str text = STR("config sbc 'global'\n"
				    "	option schema '1'\n"
				    "config realm 'lan'\n");

	fake_reset();
	fake_media_reset();
	fake_nat_reset();
	clock_freeze(5000000, 1700000000000);
	assert_int_equal(config_parse(&rig->config, "test", text, &errs), 0);
	assert_int_equal(loop_create(&rig->loop), 0);
	rig->policy = config_realm(rig->config, "lan")->policy;
	rig->conf = (struct leg_conf){
		.loop = rig->loop,
		.realm = config_realm(rig->config, "lan"),
		.policy = &rig->policy,
		.peer = "100",
		.keepalive = FAKE_KEEPALIVE,
		.ops = &ops,
		.arg = rig,
	};
	addr_parse_port(&rig->flow.remote, "192.0.2.1:40001");
	addr_parse_port(&rig->flow.local, "203.0.113.10:5060");
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	leg_destroy(rig->leg);
	assert_int_equal(fake_media.open, 0);
	for (unsigned i = 0; i < fake.n_txns; i++)
		assert_true(fake.txns[i]->released);
	for (unsigned i = 0; i < rig->n_sdp; i++)
		sdp_free(rig->sdp[i]);
	loop_destroy(rig->loop);
	config_unref(rig->config);
	fake_reset();
	clock_thaw();
	free(rig);
	return 0;
}

static const struct sdp *describe(struct rig *rig, const char *text)
{
	struct sdp **sdp = &rig->sdp[rig->n_sdp++];

	assert_int_equal(sdp_read(sdp, str_of(text)), 0);
	return *sdp;
}

static void make_in(struct rig *rig, enum peer peer, const char *body)
{
	struct sip_txn *txn = fake_txn(true);
	const struct sdp *offer;

	txn->view.method = SIP_INVITE;
	txn->view.flow = rig->flow;
	txn->view.supports_100rel = peer == CAN;
	txn->view.requires_100rel = peer == MUST;
	fake_body(&txn->view, txn->body, body);
	assert_int_equal(leg_create_in(&rig->leg, &rig->conf, txn), 0);
	assert_int_equal(leg_read_invite(rig->leg, &offer), 0);
	rig->invite = txn;
}

static void make_out(struct rig *rig, const char *offer)
{
	struct sip_dialog_conf dialog = {
		.flow = rig->flow,
		.target = "sip:100@192.168.1.7",
	};

	assert_int_equal(leg_create_out(&rig->leg, &rig->conf, &dialog), 0);
	assert_int_equal(leg_invite(rig->leg,
				    offer ? describe(rig, offer) : NULL, 69,
				    NULL, 0),
			 0);
	rig->invite = fake_request(SIP_INVITE)->txn;
}

/* The peer's PRACK for RSeq @rseq; the status that it gets. */
static int prack(struct rig *rig, uint32_t rseq, const char *body)
{
	struct sip_txn *txn =
		fake_request_in(rig->leg->dialog, SIP_PRACK, &rig->flow, body);

	txn->view.rack = (struct sip_rack){rseq, 1, SIP_INVITE};
	rig->leg->dialog->conf.request(rig->leg->dialog->conf.arg, txn,
				       &txn->view);
	return fake_answer(txn)->status;
}

/* An 18x from the fork @tag comes in; @rseq 0: not reliably. */
static void ring_in(struct rig *rig, int status, const char *tag, uint32_t rseq,
		    const char *body)
{
	char mem[2048];
	struct sip_view view = {.status = status,
				.to_tag = tag,
				.cseq = 7,
				.rseq = rseq,
				.requires_100rel = rseq,
				.expires = -1,
				.retry_after = -1,
				.flow = rig->flow};

	fake_body(&view, mem, body);
	fake_response_view(rig->invite, &view);
}

static void answer_in(struct rig *rig, const char *tag, const char *body)
{
	ring_in(rig, 200, tag, 0, body);
}

static const struct fake_message *sent(const struct rig *rig)
{
	return fake_answer(rig->invite);
}

static bool has(const char *text, const char *what)
{
	return strstr(text, what) != NULL;
}

/* ---- in: who gets them -------------------------------------------------------------- */

static void an_early_answer_goes_reliably_to_who_can(void **state)
{
	struct rig *rig = *state;

	make_in(rig, CAN, BOTH);
	leg_ring(rig->leg, 183, describe(rig, PCMA));
	assert_int_equal(sent(rig)->status, 183);
	assert_int_equal(sent(rig)->rseq, 1);
	assert_true(has(sent(rig)->body, "RTP/AVP 8"));
	assert_true(has(sent(rig)->headers, "Allow: "));
}

static void an_early_answer_goes_as_a_preview_to_who_cannot(void **state)
{
	struct rig *rig = *state;

	make_in(rig, PLAIN, BOTH);
	leg_ring(rig->leg, 183, describe(rig, PCMA));
	assert_int_equal(sent(rig)->status, 183);
	assert_int_equal(sent(rig)->rseq, 0);
	leg_answer(rig->leg, describe(rig, PCMU));
	assert_true(has(sent(rig)->body, "RTP/AVP 0"));
	assert_false(leg_is_outdated(rig->leg));
}

static void ringing_alone_need_not_arrive(void **state)
{
	struct rig *rig = *state;

	make_in(rig, CAN, BOTH);
	leg_ring(rig->leg, 180, NULL);
	assert_int_equal(sent(rig)->rseq, 0);
}

static void who_requires_it_gets_all_of_them_reliably(void **state)
{
	struct rig *rig = *state;

	make_in(rig, MUST, BOTH);
	leg_ring(rig->leg, 180, NULL);
	assert_int_equal(sent(rig)->rseq, 1);
}

static void so_does_who_can_where_the_policy_requires_it(void **state)
{
	struct rig *rig = *state;

	rig->policy.rel100 = CONF_REL100_REQUIRE;
	make_in(rig, CAN, BOTH);
	leg_ring(rig->leg, 180, NULL);
	assert_int_equal(sent(rig)->rseq, 1);
}

static void where_it_is_off_nobody_gets_them(void **state)
{
	struct rig *rig = *state;

	rig->policy.rel100 = CONF_REL100_OFF;
	make_in(rig, CAN, BOTH);
	assert_false(leg_can_100rel(rig->leg));
	leg_ring(rig->leg, 183, describe(rig, PCMA));
	assert_int_equal(sent(rig)->rseq, 0);
	assert_int_equal(prack(rig, 1, NULL), 481);
}

/* ---- in: what waits ------------------------------------------------------------------- */

static void a_prack_is_answered_and_one_for_nothing_is_481(void **state)
{
	struct rig *rig = *state;

	make_in(rig, CAN, BOTH);
	leg_ring(rig->leg, 183, describe(rig, PCMA));
	assert_int_equal(prack(rig, 2, NULL), 481);
	assert_int_equal(prack(rig, 1, NULL), 200);
	assert_int_equal(prack(rig, 1, NULL), 481);
}

static void the_next_18x_waits_for_the_prack_of_the_one_before(void **state)
{
	struct rig *rig = *state;

	make_in(rig, MUST, BOTH);
	leg_ring(rig->leg, 180, NULL);
	leg_ring(rig->leg, 183, describe(rig, PCMA));
	leg_ring(rig->leg, 182, NULL);
	assert_int_equal(sent(rig)->status, 180);
	prack(rig, 1, NULL);
	/* The last one, with what the others said. */
	assert_int_equal(sent(rig)->status, 182);
	assert_int_equal(sent(rig)->rseq, 2);
	assert_true(has(sent(rig)->body, "RTP/AVP 8"));
	prack(rig, 2, NULL);
	assert_int_equal(sent(rig)->rseq, 2);
}

static void a_2xx_waits_for_the_prack_of_an_answer(void **state)
{
	struct rig *rig = *state;
	const struct sdp *answer;

	make_in(rig, CAN, BOTH);
	answer = describe(rig, PCMA);
	leg_ring(rig->leg, 183, answer);
	assert_int_equal(leg_answer(rig->leg, answer), 0);
	assert_int_equal(leg_state(rig->leg), LEG_ANSWERING);
	assert_int_equal(sent(rig)->status, 183);
	assert_int_equal(prack(rig, 1, NULL), 200);
	assert_int_equal(sent(rig)->status, 200);
	assert_int_equal(leg_state(rig->leg), LEG_ANSWERED);
	fake_event(rig->invite, SIP_TXN_ACK, NULL);
	assert_int_equal(leg_state(rig->leg), LEG_UP);
	assert_int_equal(rig->told.acked, 1);
}

static void a_2xx_does_not_wait_for_the_prack_of_ringing_alone(void **state)
{
	struct rig *rig = *state;

	make_in(rig, MUST, BOTH);
	leg_ring(rig->leg, 180, NULL);
	leg_answer(rig->leg, describe(rig, PCMA));
	assert_int_equal(sent(rig)->status, 200);
	assert_true(has(sent(rig)->body, "RTP/AVP 8"));
	/* RFC 3262 3: it may still come. */
	assert_int_equal(prack(rig, 1, NULL), 200);
	assert_int_equal(sent(rig)->status, 200);
}

static void cancel_bye_and_hanging_up_end_what_waits(void **state)
{
	struct rig *rig = *state;
	const struct sdp *answer;

	for (int i = 0; i < 4; i++) {
		make_in(rig, CAN, BOTH);
		answer = describe(rig, PCMA);
		leg_ring(rig->leg, 183, answer);
		leg_answer(rig->leg, answer);
		if (i == 0)
			fake_event(rig->invite, SIP_TXN_CANCEL, NULL);
		else if (i == 1)
			fake_in_dialog(rig->leg->dialog, SIP_BYE, &rig->flow,
				       NULL);
		else if (i == 2)
			leg_hangup(rig->leg, NULL);
		else
			leg_reject(rig->leg, 500);
		assert_int_equal(leg_state(rig->leg), LEG_DEAD);
		assert_int_equal(rig->told.dead, (unsigned)i + 1);
		assert_int_equal(prack(rig, 1, NULL), 200);
		assert_int_not_equal(sent(rig)->status, 200);
		leg_destroy(rig->leg);
		rig->leg = NULL;
	}
}

static void without_prack_the_invite_is_refused(void **state)
{
	struct rig *rig = *state;

	make_in(rig, CAN, BOTH);
	leg_ring(rig->leg, 183, describe(rig, PCMA));
	fake_event(rig->invite, SIP_TXN_NO_PRACK, NULL);
	assert_int_equal(sent(rig)->status, 504);
	assert_int_equal(rig->told.ended, 1);
	assert_string_equal(rig->told.cause, "no-prack");
	assert_int_equal(rig->told.dead, 1);
}

/* ---- in: offers and answers --------------------------------------------------------------- */

/* The o= line of @body. */
static const char *origin(const char *body, char out[128])
{
	const char *o = strstr(body, "o=");

	snprintf(out, 128, "%.*s", o ? (int)strcspn(o, "\r\n") : 0, o ? o : "");
	return out;
}

static void the_2xx_says_the_same_once_more(void **state)
{
	struct rig *rig = *state;
	const struct sdp *answer;
	char first[128], second[128];

	make_in(rig, CAN, BOTH);
	answer = describe(rig, PCMA);
	leg_ring(rig->leg, 183, answer);
	origin(sent(rig)->body, first);
	prack(rig, 1, NULL);
	leg_answer(rig->leg, answer);
	assert_int_equal(sent(rig)->status, 200);
	assert_string_equal(origin(sent(rig)->body, second), first);
	assert_false(leg_is_outdated(rig->leg));
}

static void another_answer_does_not_go_with_the_2xx(void **state)
{
	struct rig *rig = *state;

	make_in(rig, CAN, BOTH);
	leg_ring(rig->leg, 183, describe(rig, PCMA));
	prack(rig, 1, NULL);
	leg_ring(rig->leg, 183, describe(rig, PCMU)); /* nor with an 18x */
	assert_string_equal(sent(rig)->body, "");
	leg_answer(rig->leg, describe(rig, PCMU));
	assert_int_equal(sent(rig)->status, 200);
	assert_string_equal(sent(rig)->body, "");
	assert_true(leg_is_outdated(rig->leg));
}

static void a_late_offer_is_answered_by_the_prack(void **state)
{
	struct rig *rig = *state;
	const struct sdp *offer;

	make_in(rig, CAN, NULL);
	offer = describe(rig, BOTH);
	leg_ring(rig->leg, 183, offer);
	assert_int_equal(sent(rig)->rseq, 1);
	assert_true(has(sent(rig)->body, "RTP/AVP 8 0"));
	assert_int_equal(prack(rig, 1, PCMA), 200);
	assert_int_equal(rig->told.pracked, 1);
	assert_int_equal(rig->told.port, 4000);
	assert_true(prack_is_settled(rig->leg));
	leg_answer(rig->leg, offer);
	assert_int_equal(sent(rig)->status, 200);
	assert_string_equal(sent(rig)->body, "");
	assert_false(leg_is_outdated(rig->leg));
	fake_event(rig->invite, SIP_TXN_ACK, NULL);
	assert_int_equal(leg_state(rig->leg), LEG_UP);
}

static void a_2xx_waits_for_the_answer_to_a_late_offer(void **state)
{
	struct rig *rig = *state;
	const struct sdp *offer;

	make_in(rig, CAN, NULL);
	offer = describe(rig, BOTH);
	leg_ring(rig->leg, 183, offer);
	leg_answer(rig->leg, offer);
	assert_int_equal(sent(rig)->status, 183);
	assert_int_equal(prack(rig, 1, PCMA), 200);
	assert_int_equal(sent(rig)->status, 200);
	assert_string_equal(sent(rig)->body, "");
}

static void a_late_offer_that_the_prack_does_not_answer_ends_it(void **state)
{
	struct rig *rig = *state;

	make_in(rig, CAN, NULL);
	leg_ring(rig->leg, 183, describe(rig, BOTH));
	assert_int_equal(prack(rig, 1, NULL), 400);
	assert_int_equal(sent(rig)->status, 500);
	assert_string_equal(rig->told.cause, "no-answer-in-prack");
}

static void a_late_offer_does_not_ring_at_who_cannot_answer_it(void **state)
{
	struct rig *rig = *state;

	make_in(rig, PLAIN, NULL);
	leg_ring(rig->leg, 183, describe(rig, BOTH));
	assert_string_equal(sent(rig)->body, "");
	assert_int_equal(fake_media.open, 0);
	leg_answer(rig->leg, describe(rig, BOTH));
	assert_true(has(sent(rig)->body, "RTP/AVP 8 0"));
}

/* RFC 3261 13.2.1: the first that arrives has the offer. */
static void where_the_offer_is_ours_ringing_alone_is_not_reliable(void **state)
{
	struct rig *rig = *state;

	rig->policy.rel100 = CONF_REL100_REQUIRE;
	make_in(rig, CAN, NULL);
	leg_ring(rig->leg, 180, NULL);
	assert_int_equal(sent(rig)->status, 180);
	assert_int_equal(sent(rig)->rseq, 0);
	leg_ring(rig->leg, 183, describe(rig, BOTH));
	assert_int_equal(sent(rig)->rseq, 1);
}

static void nor_is_it_sent_to_who_takes_no_other(void **state)
{
	struct rig *rig = *state;

	make_in(rig, MUST, NULL);
	leg_ring(rig->leg, 180, NULL);
	assert_int_equal(sent(rig)->status, 0);
	assert_int_equal(leg_state(rig->leg), LEG_RINGING);
	leg_ring(rig->leg, 183, describe(rig, BOTH));
	assert_int_equal(sent(rig)->rseq, 1);
	assert_int_equal(prack(rig, 1, PCMA), 200);
	leg_ring(rig->leg, 180, NULL);
	assert_int_equal(sent(rig)->rseq, 2);
}

static void a_new_offer_in_the_prack_is_a_change(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *txn;

	make_in(rig, CAN, BOTH);
	leg_ring(rig->leg, 183, describe(rig, PCMA));
	assert_int_equal(prack(rig, 1, HEAD "m=audio 4008 RTP/AVP 8\r\n"), 0);
	assert_int_equal(rig->told.change, 1);
	assert_int_equal(rig->told.port, 4008);
	txn = fake.txns[fake.n_txns - 1];
	assert_int_equal(leg_change_answer(rig->leg, 200, describe(rig, PCMA)),
			 0);
	assert_int_equal(fake_answer(txn)->status, 200);
	assert_true(has(fake_answer(txn)->body, "RTP/AVP 8"));
	assert_false(leg_is_changing(rig->leg));
}

static void an_offer_in_a_prack_before_the_answer_is_refused(void **state)
{
	struct rig *rig = *state;

	make_in(rig, MUST, BOTH);
	leg_ring(rig->leg, 180, NULL);
	assert_int_equal(prack(rig, 1, PCMA), 500);
	assert_int_equal(rig->told.change, 0);
}

/* ---- out ------------------------------------------------------------------------------------ */

static void the_invite_offers_or_requires_it_or_says_nothing(void **state)
{
	static const struct {
		enum conf_rel100 policy;
		bool no_100rel;
		const char *header; /* NULL = none */
	} cases[] = {
		{CONF_REL100_AUTO, false, "Supported: 100rel\n"},
		{CONF_REL100_REQUIRE, false, "Require: 100rel\n"},
		{CONF_REL100_OFF, false, NULL},
		{CONF_REL100_AUTO, true, NULL},
	};
	struct rig *rig = *state;

	for (unsigned i = 0; i < 4; i++) {
		rig->policy.rel100 = cases[i].policy;
		rig->conf.no_100rel = cases[i].no_100rel;
		make_out(rig, PCMA);
		if (cases[i].header)
			assert_true(has(fake_request(SIP_INVITE)->headers,
					cases[i].header));
		else
			assert_false(has(fake_request(SIP_INVITE)->headers,
					 "100rel"));
		leg_destroy(rig->leg);
		rig->leg = NULL;
	}
}

static void a_reliable_18x_is_pracked_once(void **state)
{
	struct rig *rig = *state;
	const struct fake_message *p;

	make_out(rig, BOTH);
	ring_in(rig, 180, "t1", 500, NULL);
	ring_in(rig, 180, "t1", 500, NULL);
	assert_int_equal(fake_count(SIP_PRACK), 1);
	assert_int_equal(rig->told.progress, 1);
	p = fake_request(SIP_PRACK);
	assert_int_equal(p->rack.rseq, 500);
	assert_int_equal(p->rack.cseq, 7);
	assert_string_equal(p->to_tag, "t1");
	assert_string_equal(p->body, "");
}

static void one_that_came_before_its_turn_waits_to_be_repeated(void **state)
{
	struct rig *rig = *state;

	make_out(rig, BOTH);
	ring_in(rig, 180, "t1", 500, NULL);
	ring_in(rig, 183, "t1", 502, PCMA);
	assert_int_equal(fake_count(SIP_PRACK), 1);
	ring_in(rig, 181, "t1", 501, NULL);
	ring_in(rig, 183, "t1", 502, PCMA);
	assert_int_equal(fake_count(SIP_PRACK), 3);
	assert_int_equal(rig->told.progress_sdp, 1);
}

static void what_was_not_asked_for_is_not_pracked(void **state)
{
	struct rig *rig = *state;

	rig->policy.rel100 = CONF_REL100_OFF;
	make_out(rig, BOTH);
	ring_in(rig, 183, "t1", 500, PCMA);
	assert_int_equal(fake_count(SIP_PRACK), 0);
	assert_int_equal(rig->told.progress_sdp, 1);
}

static void an_answer_in_the_18x_is_final(void **state)
{
	struct rig *rig = *state;

	make_out(rig, BOTH);
	ring_in(rig, 183, "t1", 500, PCMA);
	assert_int_equal(rig->told.progress_sdp, 1);
	assert_true(prack_is_settled(rig->leg));
	ring_in(rig, 183, "t1", 501, HEAD "m=audio 4444 RTP/AVP 8\r\n");
	ring_in(rig, 183, "t1", 0, HEAD "m=audio 4446 RTP/AVP 8\r\n");
	assert_int_equal(rig->told.progress, 3);
	assert_int_equal(rig->told.progress_sdp, 1);
	answer_in(rig, "t1", NULL);
	assert_int_equal(rig->told.answered, 1);
	assert_int_equal(rig->told.port, 4000);
	assert_false(leg_owes_answer(rig->leg));
	assert_int_equal(leg_ack(rig->leg, NULL), 0);
	assert_string_equal(fake_request(SIP_ACK)->body, "");
}

static void a_2xx_may_say_it_again(void **state)
{
	struct rig *rig = *state;

	make_out(rig, BOTH);
	ring_in(rig, 183, "t1", 500, PCMA);
	answer_in(rig, "t1", HEAD "m=audio 4444 RTP/AVP 8\r\n");
	assert_int_equal(rig->told.port, 4000); /* the first one counts */
}

static void each_fork_is_pracked_and_the_first_is_heard(void **state)
{
	struct rig *rig = *state;

	make_out(rig, BOTH);
	ring_in(rig, 183, "t1", 500, PCMA);
	ring_in(rig, 183, "t2", 90, HEAD "m=audio 5000 RTP/AVP 8\r\n");
	assert_int_equal(fake_count(SIP_PRACK), 2);
	assert_string_equal(fake_request(SIP_PRACK)->to_tag, "t2");
	assert_int_equal(fake_request(SIP_PRACK)->rack.rseq, 90);
	assert_int_equal(rig->told.progress_sdp, 1);
	assert_int_equal(addr_port(&fake_media.last->remote.rtp), 4000);
}

static void the_winning_forks_answer_counts(void **state)
{
	struct rig *rig = *state;

	make_out(rig, BOTH);
	ring_in(rig, 183, "t1", 500, PCMA);
	ring_in(rig, 183, "t2", 90, HEAD "m=audio 5000 RTP/AVP 8\r\n");
	answer_in(rig, "t2", NULL);
	assert_int_equal(rig->told.answered, 1);
	assert_int_equal(rig->told.port, 5000);
	assert_int_equal(addr_port(&fake_media.last->remote.rtp), 5000);
	leg_ack(rig->leg, NULL);
}

static void a_fork_that_never_rang_may_win(void **state)
{
	struct rig *rig = *state;

	make_out(rig, BOTH);
	ring_in(rig, 183, "t1", 500, PCMA);
	answer_in(rig, "t3", HEAD "m=audio 6000 RTP/AVP 8\r\n");
	assert_int_equal(rig->told.port, 6000);
	leg_ack(rig->leg, NULL);
}

static void there_are_only_so_many_forks(void **state)
{
	struct rig *rig = *state;
	char tag[8];

	make_out(rig, BOTH);
	for (int i = 0; i < 12; i++) {
		snprintf(tag, sizeof(tag), "t%d", i);
		ring_in(rig, 180, tag, 1, NULL);
	}
	assert_int_equal(fake_count(SIP_PRACK), LEG_EARLY);
}

static void a_peer_that_rings_for_ever_is_not_pracked_for_ever(void **state)
{
	struct rig *rig = *state;

	make_out(rig, BOTH);
	for (uint32_t i = 1; i <= 100; i++)
		ring_in(rig, 180, "t1", i, NULL);
	assert_int_equal(fake_count(SIP_PRACK), 64);
}

/* An UPDATE of ours in fork t1's early dialog, which takes them. */
static struct sip_txn *update_out(struct rig *rig)
{
	make_out(rig, BOTH);
	fake.headers = (const struct sip_header[]){{"Allow", "UPDATE"}, {0}};
	ring_in(rig, 183, "t1", 500, PCMA);
	fake.headers = NULL;
	assert_int_equal(leg_update(rig->leg, describe(rig, BOTH)), 0);
	return fake_request(SIP_UPDATE)->txn;
}

static void an_update_under_way_is_not_what_the_ack_ends(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *update = update_out(rig);

	answer_in(rig, "t1", NULL);
	leg_ack(rig->leg, NULL);
	fake_response(update, 200, HEAD "m=audio 4010 RTP/AVP 8\r\n");
	assert_int_equal(rig->told.changed, 1);
	assert_int_equal(rig->told.status, 200);
	assert_int_equal(addr_port(&fake_media.last->remote.rtp), 4010);
	assert_false(leg_owes_answer(rig->leg));
}

static void an_update_of_a_fork_that_lost_is_over(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *update = update_out(rig);

	answer_in(rig, "t2", HEAD "m=audio 6000 RTP/AVP 8\r\n");
	assert_int_equal(rig->told.changed, 1);
	assert_int_equal(rig->told.answered, 1);
	leg_ack(rig->leg, NULL);
	fake_response(update, 481, NULL);
	assert_int_equal(leg_state(rig->leg), LEG_UP);
	assert_int_equal(rig->told.ended, 0);
}

static void an_offer_in_the_18x_is_answered_in_the_prack(void **state)
{
	struct rig *rig = *state;

	make_out(rig, NULL);
	ring_in(rig, 183, "t1", 500, BOTH);
	assert_int_equal(rig->told.progress_sdp, 1);
	assert_int_equal(fake_count(SIP_PRACK), 0);
	ring_in(rig, 183, "t1", 500, BOTH); /* as no PRACK came yet */
	assert_int_equal(rig->told.progress, 1);
	assert_int_equal(leg_prack(rig->leg, describe(rig, PCMA)), 0);
	assert_int_equal(fake_request(SIP_PRACK)->rack.rseq, 500);
	assert_true(has(fake_request(SIP_PRACK)->body, "RTP/AVP 8"));
	assert_int_equal(leg_prack(rig->leg, describe(rig, PCMA)), -EPROTO);
	answer_in(rig, "t1", NULL);
	assert_int_equal(rig->told.answered, 1);
	assert_false(leg_owes_answer(rig->leg));
	assert_int_equal(leg_ack(rig->leg, NULL), 0);
	assert_string_equal(fake_request(SIP_ACK)->body, "");
}

static void another_forks_offer_is_not_answered(void **state)
{
	struct rig *rig = *state;

	make_out(rig, NULL);
	ring_in(rig, 183, "t1", 500, BOTH);
	ring_in(rig, 183, "t2", 500, BOTH);
	assert_int_equal(rig->told.progress, 1);
	leg_prack(rig->leg, describe(rig, PCMA));
	assert_int_equal(fake_count(SIP_PRACK), 1);
	assert_string_equal(fake_request(SIP_PRACK)->to_tag, "t1");
}

static void a_2xx_that_did_not_wait_for_the_prack_brings_its_offer(void **state)
{
	struct rig *rig = *state;

	make_out(rig, NULL);
	ring_in(rig, 183, "t1", 500, BOTH);
	answer_in(rig, "t1", BOTH);
	assert_int_equal(rig->told.answered, 1);
	assert_true(leg_owes_answer(rig->leg));
	assert_int_equal(leg_prack(rig->leg, describe(rig, PCMA)), -EPROTO);
	assert_int_equal(leg_ack(rig->leg, describe(rig, PCMA)), 0);
	assert_true(has(fake_request(SIP_ACK)->body, "RTP/AVP 8"));
}

static void a_winner_that_offers_anew_is_not_settled(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *update;

	make_out(rig, NULL);
	ring_in(rig, 183, "t1", 500, BOTH);
	leg_prack(rig->leg, describe(rig, PCMA));
	answer_in(rig, "t3", BOTH);
	assert_true(leg_owes_answer(rig->leg));
	update = fake_in_dialog(rig->leg->dialog, SIP_UPDATE, &rig->flow, PCMU);
	assert_int_equal(fake_answer(update)->status, 500);
	assert_int_equal(leg_ack(rig->leg, describe(rig, PCMA)), 0);
	assert_true(has(fake_request(SIP_ACK)->body, "RTP/AVP 8"));
}

static void an_offer_that_cannot_be_relayed_ends_it(void **state)
{
	struct rig *rig = *state;

	make_out(rig, NULL);
	ring_in(rig, 183, "t1", 500, HEAD "m=audio 0 RTP/AVP 8\r\n");
	assert_int_equal(rig->told.ended, 1);
	assert_int_equal(rig->told.status, 488);
	assert_true(rig->invite->cancelled);
}

static void a_cancelled_leg_pracks_nothing_more(void **state)
{
	struct rig *rig = *state;

	make_out(rig, BOTH);
	ring_in(rig, 183, "t1", 500, PCMA);
	leg_hangup(rig->leg, NULL);
	assert_true(rig->invite->cancelled);
	ring_in(rig, 180, "t1", 501, NULL);
	assert_int_equal(fake_count(SIP_PRACK), 1);
}

static void a_prack_out_of_place_is_481(void **state)
{
	struct rig *rig = *state;

	make_out(rig, BOTH);
	ring_in(rig, 183, "t1", 500, PCMA);
	assert_int_equal(prack(rig, 500, NULL), 481);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_early_answer_goes_reliably_to_who_can),
		TEST(an_early_answer_goes_as_a_preview_to_who_cannot),
		TEST(ringing_alone_need_not_arrive),
		TEST(who_requires_it_gets_all_of_them_reliably),
		TEST(so_does_who_can_where_the_policy_requires_it),
		TEST(where_it_is_off_nobody_gets_them),
		TEST(a_prack_is_answered_and_one_for_nothing_is_481),
		TEST(the_next_18x_waits_for_the_prack_of_the_one_before),
		TEST(a_2xx_waits_for_the_prack_of_an_answer),
		TEST(a_2xx_does_not_wait_for_the_prack_of_ringing_alone),
		TEST(cancel_bye_and_hanging_up_end_what_waits),
		TEST(without_prack_the_invite_is_refused),
		TEST(the_2xx_says_the_same_once_more),
		TEST(another_answer_does_not_go_with_the_2xx),
		TEST(a_late_offer_is_answered_by_the_prack),
		TEST(a_2xx_waits_for_the_answer_to_a_late_offer),
		TEST(a_late_offer_that_the_prack_does_not_answer_ends_it),
		TEST(a_late_offer_does_not_ring_at_who_cannot_answer_it),
		TEST(where_the_offer_is_ours_ringing_alone_is_not_reliable),
		TEST(nor_is_it_sent_to_who_takes_no_other),
		TEST(a_new_offer_in_the_prack_is_a_change),
		TEST(an_offer_in_a_prack_before_the_answer_is_refused),
		TEST(the_invite_offers_or_requires_it_or_says_nothing),
		TEST(a_reliable_18x_is_pracked_once),
		TEST(one_that_came_before_its_turn_waits_to_be_repeated),
		TEST(what_was_not_asked_for_is_not_pracked),
		TEST(an_answer_in_the_18x_is_final),
		TEST(a_2xx_may_say_it_again),
		TEST(each_fork_is_pracked_and_the_first_is_heard),
		TEST(the_winning_forks_answer_counts),
		TEST(a_fork_that_never_rang_may_win),
		TEST(there_are_only_so_many_forks),
		TEST(a_peer_that_rings_for_ever_is_not_pracked_for_ever),
		TEST(an_update_under_way_is_not_what_the_ack_ends),
		TEST(an_update_of_a_fork_that_lost_is_over),
		TEST(an_offer_in_the_18x_is_answered_in_the_prack),
		TEST(another_forks_offer_is_not_answered),
		TEST(a_2xx_that_did_not_wait_for_the_prack_brings_its_offer),
		TEST(a_winner_that_offers_anew_is_not_settled),
		TEST(an_offer_that_cannot_be_relayed_ends_it),
		TEST(a_cancelled_leg_pracks_nothing_more),
		TEST(a_prack_out_of_place_is_481),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
