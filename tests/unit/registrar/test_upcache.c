/*
 * test_upcache.c - what we and the trunk know of a registration: single steps,
 * and 10 000 random events against a model of the trunk
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "registrar/upcache.h"

#define SEC(s) ((s)*1000ll)

static struct up_ask ask_for(unsigned s)
{
	return (struct up_ask){
		.is_authentic = true,
		.is_trunk_up = true,
		.wanted_s = s,
		.ask_s = s,
		.survive_s = 90,
	};
}

/* A binding that both sides have since 0, for 600 s. */
static struct up_cache held(const struct up_ask *ask)
{
	struct up_cache c = {0};

	assert_int_equal(up_register(&c, 0, ask).send, UP_SEND_ADD);
	assert_int_equal(up_granted(&c, 0, 600, ask).answer, UP_GRANT);
	assert_int_equal(c.state, UP_HELD);
	return c;
}

static void nothing_is_granted_before_the_trunk_says_so(void **state)
{
	struct up_ask ask = ask_for(300);
	struct up_cache c = {0};
	struct up_do d = up_register(&c, 0, &ask);

	assert_int_equal(d.answer, UP_SAY_NOTHING);
	assert_int_equal(d.send, UP_SEND_ADD);
	d = up_granted(&c, SEC(2), 120, &ask);
	assert_int_equal(d.answer, UP_GRANT);
	assert_int_equal(d.expires_s, 118); /* and never more than it has */
}

static void a_phone_gets_no_more_than_we_would_grant(void **state)
{
	struct up_ask ask = ask_for(60);
	struct up_cache c = {0};

	ask.ask_s = 3600;
	up_register(&c, 0, &ask);
	assert_int_equal(up_granted(&c, 0, 3600, &ask).expires_s, 60);
}

static void a_mirror_asks_each_time(void **state)
{
	struct up_ask ask = ask_for(600);
	struct up_cache c = held(&ask);

	assert_int_equal(up_register(&c, SEC(1), &ask).send, UP_SEND_ADD);
}

static void a_throttle_absorbs_until_half_is_over(void **state)
{
	struct up_ask ask = ask_for(600);
	struct up_cache c = held(&ask);
	struct up_do d;

	ask.is_throttled = true;
	d = up_register(&c, SEC(299), &ask);
	assert_int_equal(d.send, UP_SEND_NOTHING);
	assert_int_equal(d.answer, UP_GRANT);
	assert_int_equal(d.expires_s, 301); /* what the trunk has left */
	d = up_register(&c, SEC(300), &ask);
	assert_int_equal(d.send, UP_SEND_ADD);
}

static void another_flow_is_never_absorbed(void **state)
{
	struct up_ask ask = ask_for(600);
	struct up_cache c = held(&ask);

	ask.is_throttled = ask.is_changed = true;
	assert_int_equal(up_register(&c, SEC(1), &ask).send, UP_SEND_ADD);
}

static void nobody_unproved_is_absorbed(void **state)
{
	struct up_ask ask = ask_for(600);
	struct up_cache c = held(&ask), before = c;
	struct up_do d;

	ask.is_throttled = true;
	ask.is_authentic = false;
	d = up_register(&c, SEC(1), &ask);
	assert_int_equal(d.answer, UP_REFUSE);
	assert_int_equal(d.status, 401);
	assert_memory_equal(&c, &before, sizeof(c));
}

static void a_refusal_ends_what_stood(void **state)
{
	struct up_ask ask = ask_for(600);
	struct up_cache c = held(&ask);
	struct up_do d;

	up_register(&c, SEC(1), &ask);
	d = up_refused(&c, 403, &ask);
	assert_int_equal(d.answer, UP_REFUSE);
	assert_int_equal(d.status, 403);
	assert_true(d.drop);
	assert_int_equal(c.state, UP_NONE);
}

static void a_refusal_of_the_first_makes_no_entry(void **state)
{
	struct up_ask ask = ask_for(600);
	struct up_cache c = {0};
	struct up_do d;

	up_register(&c, 0, &ask);
	d = up_refused(&c, 404, &ask);
	assert_int_equal(d.status, 404);
	assert_false(d.drop);
	assert_int_equal(c.state, UP_NONE);
}

static void a_2xx_without_our_contact_is_no_grant(void **state)
{
	struct up_ask ask = ask_for(600);
	struct up_cache c = {0};

	up_register(&c, 0, &ask);
	assert_int_equal(up_granted(&c, 0, 0, &ask).status, 503);
	assert_int_equal(c.state, UP_NONE);
}

static void silence_lets_a_known_phone_live_on_for_a_while(void **state)
{
	struct up_ask ask = ask_for(600);
	struct up_cache c = held(&ask);
	struct up_do d;

	up_register(&c, SEC(1), &ask);
	d = up_silent(&c, &ask);
	assert_int_equal(d.answer, UP_GRANT);
	assert_int_equal(d.expires_s, 90);
	up_failed(&c, SEC(33), true, NULL);
	assert_int_equal(c.state, UP_ALONE);
	ask.is_trunk_up = false;
	assert_int_equal(up_register(&c, SEC(90), &ask).expires_s, 90);
	d = up_due(&c, SEC(200), true, 600);
	assert_int_equal(d.send, UP_SEND_ADD);
	assert_int_equal(up_granted(&c, SEC(201), 600, NULL).answer,
			 UP_SAY_NOTHING);
	assert_int_equal(c.state, UP_HELD);
}

static void what_is_granted_after_the_phone_was_told_no_is_taken_back(void **s)
{
	struct up_ask ask = ask_for(600);
	struct up_cache c = {0};

	up_register(&c, 0, &ask);
	assert_int_equal(up_silent(&c, &ask).status, 503);
	assert_int_equal(up_granted(&c, SEC(9), 600, NULL).send, UP_SEND_DEL);
	up_granted(&c, SEC(9), 0, NULL);
	assert_int_equal(c.state, UP_NONE);
}

static void what_may_have_arrived_all_the_same_is_taken_back(void **state)
{
	struct up_ask ask = ask_for(600);
	struct up_cache c = {0};

	up_register(&c, 0, &ask);
	assert_int_equal(up_failed(&c, SEC(1), true, &ask).status, 503);
	assert_int_equal(up_due(&c, c.due, true, 600).send, UP_SEND_DEL);
	up_granted(&c, c.due, 0, NULL);
	up_register(&c, 0, &ask);
	up_failed(&c, SEC(1), false, &ask); /* it was refused with 500 */
	assert_int_equal(c.state, UP_NONE);
}

static void a_new_phone_is_not_kept_waiting_for_a_trunk_that_is_away(void **s)
{
	struct up_ask ask = ask_for(600);
	struct up_cache c = {0};

	ask.is_trunk_up = false;
	assert_int_equal(up_register(&c, 0, &ask).status, 503);
	assert_int_equal(c.state, UP_NONE);
}

static void the_trunk_is_told_when_a_phone_is_gone(void **state)
{
	struct up_ask ask = ask_for(600);
	struct up_cache c = held(&ask);

	assert_int_equal(up_gone(&c, SEC(1)).send, UP_SEND_DEL);
	up_failed(&c, SEC(2), true, NULL);
	assert_int_equal(c.state, UP_LEAVING);
	assert_true(c.due > SEC(2));
	assert_int_equal(up_due(&c, c.due, false, 600).send, UP_SEND_NOTHING);
	assert_int_equal(up_due(&c, c.due, true, 600).send, UP_SEND_DEL);
	up_failed(&c, SEC(601), true, NULL); /* it has forgotten by now */
	assert_int_equal(c.state, UP_NONE);
}

/* ---- 10 000 random events ------------------------------------------------------- */

enum { PHONES = 12, EVENTS = 10000, GRANT_S = 600, SILENT_S = 5 };

static uint64_t seed;

static unsigned draw(unsigned n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % n;
}

struct phone {
	struct up_cache c;
	mono_ms ours;   /* our binding ends; 0 = there is none */
	mono_ms theirs; /* the trunk's ends */
	struct up_ask asked;
	bool waits, is_del, in_flight;
	mono_ms sent, answer; /* 0 = none will come */
	unsigned took_s;      /* what the trunk answered with; 0 = a failure */
	int status;
	mono_ms apart; /* since when one side alone knows it */
};

static struct model {
	struct phone phones[PHONES];
	mono_ms now, changed; /* the trunk went or came back */
	bool is_up, is_seen_up, is_throttled;
	unsigned absorbed, sent, survived, deleted, refused;
} m;

/* The trunk hears it, now, or it is lost; so may its answer be. */
static void send_it(struct phone *p, bool is_del, unsigned ask_s)
{
	unsigned luck = draw(100);

	assert_false(p->in_flight);
	p->in_flight = true;
	p->is_del = is_del;
	p->sent = m.now;
	p->answer = p->took_s = 0;
	p->status = 0;
	m.sent++;
	m.deleted += is_del;
	if (!m.is_up || luck < 4)
		return;
	p->answer = m.now + 10 + draw(300) * (luck < 12 ? 100 : 1);
	if (luck >= 96) {
		p->status = 500;
	} else if (luck >= 92 && !is_del) {
		p->status = 403;
		/* which 423 is, too, when the second try is refused */
	} else {
		p->took_s = is_del ? 0 : ask_s > 300 ? ask_s / 2 : ask_s;
		p->theirs = is_del ? 0 : m.now + SEC(p->took_s);
	}
	if (luck < 8)
		p->answer = 0; /* it was the answer that got lost */
}

static void check_told(const struct phone *p, unsigned s)
{
	bool survives = p->c.state != UP_HELD;

	assert_true(s > 0);
	if (survives) {
		m.survived++;
		assert_true(s <= 90);
		return;
	}
	/* What the trunk has is gone by a restart only. */
	if (p->theirs)
		assert_true(m.now + SEC(s) <= p->theirs + 999);
	assert_true(m.now + SEC(s) <= p->c.until);
}

static void obey(struct phone *p, const struct up_do *d, bool authentic)
{
	if (d->drop)
		p->ours = 0;
	if (d->answer == UP_GRANT) {
		assert_true(authentic);
		check_told(p, d->expires_s);
		p->ours = m.now + SEC(d->expires_s);
	}
	m.refused += d->answer == UP_REFUSE;
	if (d->answer == UP_GRANT || d->answer == UP_REFUSE)
		p->waits = false;
	if (d->send)
		send_it(p, d->send == UP_SEND_DEL, p->asked.ask_s);
}

static void settle(struct phone *p)
{
	const struct up_ask *waiting = p->waits ? &p->asked : NULL;
	struct up_do d;

	p->in_flight = false;
	if (!p->answer)
		d = up_failed(&p->c, m.now, true, waiting);
	else if (p->status == 500)
		d = up_failed(&p->c, m.now, false, waiting);
	else if (p->status)
		d = up_refused(&p->c, p->status, waiting);
	else
		d = up_granted(&p->c, m.now, p->took_s, waiting);
	obey(p, &d, true);
}

/* What happens by itself until now. */
static void pass(struct phone *p)
{
	struct up_do d;

	if (p->theirs && m.now >= p->theirs)
		p->theirs = 0;
	if (p->in_flight && p->waits && m.now >= p->sent + SEC(SILENT_S)) {
		d = up_silent(&p->c, &p->asked);
		obey(p, &d, true);
	}
	if (p->in_flight &&
	    (p->answer ? m.now >= p->answer : m.now >= p->sent + SEC(32)))
		settle(p);
	if (p->ours && m.now >= p->ours) {
		p->ours = 0;
		d = up_gone(&p->c, m.now);
		obey(p, &d, true);
	}
	if (p->c.due && m.now >= p->c.due) {
		p->c.due = 0;
		d = up_due(&p->c, m.now, m.is_seen_up, GRANT_S);
		obey(p, &d, true);
	}
}

static void register_phone(struct phone *p, bool authentic)
{
	struct up_ask ask = {
		.is_authentic = authentic,
		.is_changed = !draw(8),
		.is_throttled = m.is_throttled,
		.is_trunk_up = m.is_seen_up,
		.wanted_s = 60 + draw(300),
		.survive_s = 60 + draw(31),
	};
	struct up_cache before = p->c;
	struct up_do d;

	ask.ask_s = m.is_throttled ? GRANT_S : ask.wanted_s;
	if (p->in_flight && (m.is_seen_up || p->waits))
		return; /* the caller lets it wait */
	if (authentic) {
		p->asked = ask;
		p->waits = true;
	}
	d = up_register(&p->c, m.now, &ask);
	if (d.answer == UP_WAIT) {
		p->waits = false;
		return;
	}
	if (!authentic) {
		assert_int_equal(d.status, 401);
		assert_memory_equal(&before, &p->c, sizeof(before));
		return;
	}
	m.absorbed += d.answer == UP_GRANT && p->c.state == UP_HELD;
	obey(p, &d, authentic);
}

static void leave(struct phone *p)
{
	struct up_do d;

	if (!p->ours)
		return;
	p->ours = 0;
	p->waits = false;
	d = up_gone(&p->c, m.now);
	obey(p, &d, true);
}

static void turn_trunk(void)
{
	m.is_up = !m.is_up;
	m.changed = m.now;
	if (m.is_up && draw(2)) /* it was restarted, and kept nothing */
		for (unsigned i = 0; i < PHONES; i++)
			m.phones[i].theirs = 0;
}

/* Nobody is known to one side only for longer than a registration lasts,
 * counted while the trunk is there. */
static void check(struct phone *p)
{
	bool agree = !!p->ours == !!p->theirs;

	if (agree || !m.is_up)
		p->apart = m.now;
	if (p->apart < m.changed)
		p->apart = m.changed;
	assert_true(m.now - p->apart <= SEC(GRANT_S));
	assert_true(p->c.state != UP_NONE || !p->ours);
	if (p->ours)
		assert_true(p->c.state == UP_HELD || p->c.state == UP_ALONE ||
			    p->c.state == UP_RENEWING);
}

static void one_event(void)
{
	struct phone *p = &m.phones[draw(PHONES)];
	unsigned what = draw(1000);

	m.now += draw(2) ? draw(2000) : draw(20000);
	/* We notice late, as one request must have failed. */
	if (m.now - m.changed > SEC(15))
		m.is_seen_up = m.is_up;
	for (unsigned i = 0; i < PHONES; i++)
		pass(&m.phones[i]);
	if (what < 800)
		register_phone(p, true);
	else if (what < 880)
		register_phone(p, false);
	else if (what < 960)
		leave(p);
	else if (what >= 996)
		turn_trunk();
	for (unsigned i = 0; i < PHONES; i++)
		check(&m.phones[i]);
}

static void run_model(uint64_t start, bool throttled)
{
	memset(&m, 0, sizeof(m));
	seed = start;
	m.now = m.changed = SEC(1000);
	m.is_up = m.is_seen_up = true;
	m.is_throttled = throttled;
	for (unsigned i = 0; i < EVENTS; i++)
		one_event();
	/* Each kind of thing did happen. */
	assert_true(m.sent > 100);
	assert_true(m.survived > 10);
	assert_true(m.deleted > 10);
	assert_true(m.refused > 10);
	assert_int_equal(m.absorbed > 100, throttled);
}

static void both_sides_agree_when_each_refresh_goes_on(void **state)
{
	for (uint64_t s = 1; s <= 5; s++)
		run_model(s, false);
}

static void both_sides_agree_when_refreshes_are_absorbed(void **state)
{
	for (uint64_t s = 1; s <= 5; s++)
		run_model(s, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_granted_before_the_trunk_says_so),
		cmocka_unit_test(a_phone_gets_no_more_than_we_would_grant),
		cmocka_unit_test(a_mirror_asks_each_time),
		cmocka_unit_test(a_throttle_absorbs_until_half_is_over),
		cmocka_unit_test(another_flow_is_never_absorbed),
		cmocka_unit_test(nobody_unproved_is_absorbed),
		cmocka_unit_test(a_refusal_ends_what_stood),
		cmocka_unit_test(a_refusal_of_the_first_makes_no_entry),
		cmocka_unit_test(a_2xx_without_our_contact_is_no_grant),
		cmocka_unit_test(
			silence_lets_a_known_phone_live_on_for_a_while),
		cmocka_unit_test(
			what_is_granted_after_the_phone_was_told_no_is_taken_back),
		cmocka_unit_test(
			a_new_phone_is_not_kept_waiting_for_a_trunk_that_is_away),
		cmocka_unit_test(
			what_may_have_arrived_all_the_same_is_taken_back),
		cmocka_unit_test(the_trunk_is_told_when_a_phone_is_gone),
		cmocka_unit_test(both_sides_agree_when_each_refresh_goes_on),
		cmocka_unit_test(both_sides_agree_when_refreshes_are_absorbed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
