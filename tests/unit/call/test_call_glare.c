/*
 * test_call_glare.c - two peers that do whatever they like at the same time
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Random walks: requests of either side in any order, answers of any kind to
 * what they are asked, ACKs that come late or never, re-INVITEs of our own,
 * time.  Afterwards everything is answered and nothing is left.  GLARE_WALKS asks
 * for another number of walks, GLARE_FROM for another first one.
 */
#include "call_rig.h"

#include "call/call_priv.h"

enum { WALKS = 600, STEPS = 45 };

#define RESUME                                                                 \
	"v=0\r\no=phone 1 3 IN IP4 192.168.1.7\r\ns=call\r\n"                  \
	"c=IN IP4 192.168.1.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0\r\n"
#define WITH_VIDEO OFFER "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"

static const char *const bodies[] = {
	OFFER,      HOLD_OFFER, ANSWER, HOLD_ANSWER, RESUME,
	WITH_VIDEO, NULL,       NULL,   "nonsense",
};

static const struct sip_header says[][4] = {
	{{NULL, NULL}},
	{{"Allow", "UPDATE"}, {NULL, NULL}},
	{{"Allow", "UPDATE"},
	 {"Supported", "timer"},
	 {"Session-Expires", "90;refresher=uac"},
	 {NULL, NULL}},
	{{"Supported", "timer"},
	 {"Session-Expires", "90;refresher=uas"},
	 {NULL, NULL}},
	{{"Supported", "timer"}, {"Session-Expires", "20"}, {NULL, NULL}},
};

static uint32_t state;
static unsigned number; /* of the walk */

static unsigned pick(unsigned n)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % n;
}

static const char *any_body(void)
{
	return bodies[pick(sizeof(bodies) / sizeof(bodies[0]))];
}

/* ---- the peers ------------------------------------------------------------------ */

static bool is_open_client(const struct sip_txn *txn)
{
	return !txn->is_server && !txn->released && !txn->final;
}

static bool awaits_ack(const struct sip_txn *txn)
{
	return txn->is_server && !txn->released && txn->on_event &&
	       txn->final >= 200 && txn->final < 300;
}

static bool may_be_cancelled(const struct sip_txn *txn)
{
	return txn->is_server && !txn->released && txn->on_event &&
	       txn->view.method == SIP_INVITE && !txn->final;
}

static struct sip_txn *any(bool (*fits)(const struct sip_txn *txn))
{
	struct sip_txn *found[128];
	unsigned n = 0;

	for (unsigned i = 0; i < fake.n_txns; i++)
		if (fits(fake.txns[i]))
			found[n++] = fake.txns[i];
	return n ? found[pick(n)] : NULL;
}

static void send_request(struct rig *rig)
{
	static const enum sip_method methods[] = {
		SIP_INVITE, SIP_INVITE, SIP_INVITE, SIP_INVITE,
		SIP_UPDATE, SIP_UPDATE, SIP_UPDATE, SIP_INFO,
		SIP_INFO,   SIP_PRACK,  SIP_REFER,  SIP_OPTIONS,
	};
	struct sip_dialog *d = fake.dialogs[pick(fake.n_dialogs)];
	enum sip_method method =
		methods[pick(sizeof(methods) / sizeof(methods[0]))];

	if (d->destroyed)
		return;
	if (!pick(120))
		method = SIP_BYE;
	fake_in_dialog(d, method, &d->conf.flow, any_body());
}

static void respond(struct sip_txn *txn, int status, const char *body)
{
	if (status >= 200)
		txn->final = status;
	fake_response(txn, status, body);
}

static void answer_something(void)
{
	static const int statuses[] = {
		100, 180, 183, 200, 200, 200, 200, 200,
		491, 491, 491, 500, 488, 405, 415, 503,
	};
	struct sip_txn *txn = any(is_open_client);
	int status = statuses[pick(sizeof(statuses) / sizeof(statuses[0]))];

	if (!txn)
		return;
	if (!pick(60)) {
		status = pick(2) ? 481 : 408;
		txn->final = status;
		fake_no_response(txn, status);
		return;
	}
	respond(txn, status, status < 300 && status > 100 ? any_body() : NULL);
}

static void ack(struct sip_txn *txn, bool comes, const char *body)
{
	sip_txn_fn fn = txn->on_event;

	fake_event(txn, comes ? SIP_TXN_ACK : SIP_TXN_NO_ACK, body);
	if (!txn->released && txn->on_event == fn)
		txn->on_event = NULL; /* once */
}

static void ack_something(void)
{
	struct sip_txn *txn = any(awaits_ack);

	if (txn)
		ack(txn, pick(40) != 0, any_body());
}

static void cancel_something(void)
{
	struct sip_txn *txn = any(may_be_cancelled);

	if (!txn || pick(4))
		return;
	txn->final = 487; /* by the stack */
	fake_event(txn, SIP_TXN_CANCEL, NULL);
}

static void change_something(struct rig *rig)
{
	const struct call *call = the_call(rig);
	struct leg *leg = call ? (struct leg *)call_leg(call, pick(2)) : NULL;
	const char *body = any_body();
	struct sdp *sdp = NULL;

	if (!leg || (body && sdp_read(&sdp, str_of(body))))
		return;
	leg_offer_again(leg, sdp);
	sdp_free(sdp);
}

/* ---- a walk ---------------------------------------------------------------------- */

static void step(struct rig *rig)
{
	fake.headers = says[pick(sizeof(says) / sizeof(says[0]))];
	switch (pick(10)) {
	case 0:
	case 1:
	case 2:
		send_request(rig);
		break;
	case 3:
	case 4:
	case 5:
		answer_something();
		break;
	case 6:
		ack_something();
		break;
	case 7:
		cancel_something();
		break;
	case 8:
		change_something(rig);
		break;
	case 9:
		pass(rig, 250 * pick(pick(8) ? 10 : 120));
		break;
	}
	settle(rig);
}

static void answer_all(void)
{
	for (unsigned i = 0; i < fake.n_txns; i++) {
		struct sip_txn *txn = fake.txns[i];

		if (awaits_ack(txn))
			ack(txn, true, NULL);
		else if (is_open_client(txn))
			respond(txn, fake.n % 3 ? 200 : 487, NULL);
	}
}

static void end(struct rig *rig)
{
	fake.headers = says[0];
	for (int i = 0; i < 12 && calls_count(rig->calls); i++) {
		if (!fake.dialogs[0]->destroyed)
			fake_in_dialog(fake.dialogs[0], SIP_BYE,
				       &fake.dialogs[0]->conf.flow, NULL);
		answer_all();
		pass(rig, SEC(2));
		fake_forget();
	}
	for (int i = 0; i < 40; i++) {
		answer_all();
		pass(rig, SEC(5));
		fake_forget();
	}
}

static void must_be_over(struct rig *rig)
{
	if (calls_count(rig->calls) || !list_empty(&rig->calls->lingering) ||
	    fake_media.open)
		fail_msg("walk %u is not over", number);
	for (unsigned i = 0; i < fake.n_txns; i++)
		assert_true(fake.txns[i]->released);
}

static void walk(void)
{
	void *made;
	struct rig *rig;

	state = number * 2654435761u;
	setup(&made);
	rig = made;
	rig->supports_100rel = pick(2);
	fake.headers = says[pick(2)];
	assert_non_null(invite(rig, "101", pick(6) ? OFFER : NULL));
	if (pick(4)) { /* most of them talk */
		respond(fake_request(SIP_INVITE)->txn, 180, NULL);
		respond(fake_request(SIP_INVITE)->txn, 200, ANSWER);
		ack_something();
	}
	for (int i = 0; i < STEPS; i++) {
		step(rig);
		fake_forget();
	}
	end(rig);
	must_be_over(rig);
	teardown(&made);
}

static void whatever_two_peers_do_nothing_is_left(void **unused)
{
	const char *more = getenv("GLARE_WALKS"), *from = getenv("GLARE_FROM");
	unsigned n = more ? (unsigned)atoi(more) : WALKS;
	unsigned first = from ? (unsigned)atoi(from) : 1;

	log_setup(LOG_ERROR, LOG_TEXT);
	for (number = first; number < first + n; number++)
		walk();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_two_peers_do_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
