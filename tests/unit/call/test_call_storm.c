/*
 * test_call_storm.c - transfers, replacements and redirections in any order:
 * nothing is left, nothing is used after its end
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Three calls' worth of peers do what comes to their mind, from a seed.  That
 * each message is right is for the other tests; here all must end.
 */
#include "call_rig.h"

enum { SEEDS = 400, STEPS = 24 };

static uint64_t dice;

static unsigned roll(unsigned n)
{
	dice = dice * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(dice >> 33) % n;
}

static const char *any_body(void)
{
	static const char *const bodies[] = {OFFER,       ANSWER, OFFER,
					     ANSWER,      OFFER,  HOLD_OFFER,
					     HOLD_ANSWER, "junk", NULL};

	return bodies[roll(9)];
}

static struct sip_txn *any_txn(bool is_server)
{
	for (unsigned tries = 0; fake.n_txns && tries < 40; tries++) {
		struct sip_txn *txn = fake.txns[roll(fake.n_txns)];

		if (txn->is_server == is_server && !txn->released)
			return txn;
	}
	return NULL;
}

static struct sip_dialog *any_dialog(void)
{
	struct sip_dialog *d =
		fake.n_dialogs ? fake.dialogs[roll(fake.n_dialogs)] : NULL;

	return d && !d->destroyed ? d : NULL;
}

/* ---- what may happen ---------------------------------------------------------- */

static void call_somebody(struct rig *rig)
{
	if (fake.n_dialogs < 40)
		invite(rig, roll(2) ? "101" : "0123", roll(5) ? OFFER : NULL);
}

/* Each transaction ends once, as the stack sees to it. */
static void answer(struct rig *rig)
{
	static const int statuses[] = {100, 180, 180, 200, 200, 200, 200,
				       200, 200, 200, 200, 302, 408, 481,
				       486, 488, 491, 500, 503, 603};
	static struct sip_contact contact;
	struct sip_txn *txn = any_txn(false);
	int status = statuses[roll(20)];
	struct sip_view view = {.status = status,
				.to_tag = "theirs",
				.contacts = &contact,
				.n_contacts = 1,
				.expires = -1,
				.retry_after = -1};
	char mem[2048];

	if (!txn || txn->final)
		return;
	contact.uri = roll(2) ? "sip:0123@sbc" : "sip:101@sbc";
	if (txn->dialog)
		view.flow = txn->dialog->conf.flow;
	if (status < 300)
		fake_body(&view, mem, any_body());
	if (status >= 200)
		txn->final = status;
	fake_response_view(txn, &view);
}

static void acknowledge(struct rig *rig)
{
	struct sip_txn *txn = any_txn(true);

	if (txn && txn->on_event && txn->final >= 200 && txn->final < 300)
		fake_event(txn, roll(8) ? SIP_TXN_ACK : SIP_TXN_NO_ACK,
			   roll(2) ? any_body() : NULL);
}

static void cancel(struct rig *rig)
{
	struct sip_txn *txn = any_txn(true);

	if (!txn || !txn->on_event || txn->final)
		return;
	txn->final = 487; /* by the stack */
	fake_event(txn, SIP_TXN_CANCEL, NULL);
}

static void say(struct rig *rig)
{
	static const enum sip_method methods[] = {SIP_BYE, SIP_INVITE,
						  SIP_INVITE, SIP_NOTIFY};
	struct sip_dialog *d = any_dialog();

	if (d)
		fake_in_dialog(d, methods[roll(4)], &d->conf.flow, any_body());
}

static const char *place(char *mem, size_t size, bool escaped)
{
	const struct sip_dialog *d = any_dialog();
	bool turned = roll(3) == 0;

	snprintf(mem, size,
		 escaped ? "<sip:101@sbc?Replaces=%s%%3Bto-tag%%3D%s%%3B"
			   "from-tag%%3D%s%s>"
			 : "%s;to-tag=%s;from-tag=%s%s",
		 d ? d->call_id : "gone", turned ? "theirs" : "ours",
		 turned ? "ours" : "theirs",
		 roll(6)   ? ""
		 : escaped ? "%3Bearly-only"
			   : ";early-only");
	return mem;
}

/* As 100 does that knows what it says, unless it names the other side. */
static void refer_to(struct sip_dialog *d, struct sip_dialog *by, bool blind)
{
	char mem[256] = "<sip:0123@sbc>";
	struct sip_header headers[2] = {{"Refer-To", mem}};

	if (!blind)
		snprintf(mem, sizeof(mem),
			 "<sip:0@sbc?Replaces=%s%%3Bto-tag%%3Dours"
			 "%%3Bfrom-tag%%3Dtheirs>",
			 d->call_id);
	fake.headers = headers;
	fake_in_dialog(by, SIP_REFER, &by->conf.flow, NULL);
	fake.headers = NULL;
}

static void refer(struct rig *rig)
{
	struct sip_dialog *d = any_dialog();
	char mem[256];
	struct sip_header headers[3] = {
		{"Refer-To",
		 roll(2) ? place(mem, sizeof(mem), true) : "<sip:0123@sbc>"},
		{roll(6) ? NULL : "Refer-Sub", "false"},
	};

	fake.headers = headers;
	if (d)
		fake_in_dialog(d, SIP_REFER, &d->conf.flow, NULL);
	fake.headers = NULL;
}

static void replace(struct rig *rig)
{
	char mem[256];
	struct sip_header headers[2] = {
		{"Replaces", place(mem, sizeof(mem), false)}};

	fake.headers = headers;
	if (fake.n_dialogs < 40)
		invite(rig, "101", roll(4) ? OFFER : NULL);
	fake.headers = NULL;
}

static void wait(struct rig *rig)
{
	clock_advance(roll(3) ? 10 : 5200);
	settle(rig);
}

static void change_policy(struct rig *rig)
{
	struct conf_realm *realm =
		(struct conf_realm *)config_realm(rig->config, "lan");

	realm->policy.refer = roll(3) ? CONF_REFER_LOCAL : CONF_REFER_PASS;
}

static void (*const things[])(struct rig *rig) = {
	call_somebody, answer,      answer, answer,       answer, answer,
	acknowledge,   acknowledge, cancel, say,          refer,  refer,
	replace,       wait,        wait,   change_policy};

/* 100 talks to 101, and to 0123 or nearly so. */
static void begin(struct rig *rig)
{
	struct sip_txn *b, *a = establish(rig, &b), *second, *out;
	unsigned how = roll(4);

	second = invite(rig, "0123", OFFER);
	out = fake_request(SIP_INVITE)->txn;
	if (how > 0)
		fake_response(out, 180, NULL);
	if (how > 1) {
		out->final = 200;
		fake_response(out, 200, ANSWER);
		fake_event(second, SIP_TXN_ACK, NULL);
	}
	b->final = 200;
	if (how < 3)
		refer_to(second->dialog, a->dialog, how == 0);
}

/* Everybody answers, or nobody does for longer than any timer runs. */
static void let_end(struct rig *rig)
{
	calls_hangup(rig->calls, NULL, "shutdown");
	for (unsigned i = 0; i < fake.n_txns; i++) {
		struct sip_txn *txn = fake.txns[i];

		if (txn->released)
			continue;
		if (!txn->is_server)
			fake_no_response(txn, 408);
		else if (txn->on_event && txn->final)
			fake_event(txn, SIP_TXN_NO_ACK, NULL);
	}
	for (int i = 0; i < 8; i++) {
		clock_advance(35000);
		settle(rig);
	}
}

static void all_ends_whatever_happens(void **state)
{
	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		struct rig *rig;

		if (seed > 1) {
			teardown(state);
			setup(state);
		}
		rig = *state;
		dice = seed * 7919;
		begin(rig);
		for (int i = 0; i < STEPS * 4 && fake.n < 150 &&
				fake.n_txns < 70 && fake.n_dialogs < 40;
		     i++) {
			things[roll(sizeof(things) / sizeof(things[0]))](rig);
			if (roll(2))
				settle(rig);
		}
		let_end(rig);
		if (calls_count(rig->calls) || fake_media.open)
			print_message("seed %u\n", seed);
		assert_int_equal(calls_count(rig->calls), 0);
		assert_int_equal(fake_media.open, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_ends_whatever_happens,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
