/*
 * keepalive.c - one ping per flow and interval, and what its answers tell
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Five times rule a flow, all of them run by one timer of the loop:
 *
 *   interval  from ping to ping.  Each flow has a place in it, its phase, given
 *             out evenly by wheel.c; a ping may come early to keep slots even,
 *             never late.
 *   answer    3 s after an OPTIONS without an answer it is repeated, twice.
 *             After that the flow is lost if it ever answered; if not, the
 *             phone is mute and gets CRLF CRLF from then on.
 *   proof     every 8th CRLF CRLF to a phone that answers is an OPTIONS.
 *   opening   the OPTIONS that begins an experiment of learn.c, so long before
 *             the phone's expected REGISTER that
 *   closing   the OPTIONS that ends it comes just before that REGISTER.
 *
 *               no answer, 3 times                   no answer, 3 times
 *     MUTE <------------------------ UNTOLD    .------------------------.
 *     CRLF                           OPTIONS   |                        v
 *       |            an answer          |      |     anything heard
 *       '---------------> ANSWERS <-----'   ANSWERS <-------------- lost
 *                   OPTIONS, or CRLF                                OPTIONS
 *                   if that is enough
 *
 * A lost flow is still pinged: whatever comes from there brings it back.  If
 * that is not the answer to a ping, the phone had to speak first, so the NAT
 * had forgotten it: learn.c hears of a miss, unless the phone was so late that
 * it must have been off.
 *
 * A neighbour (not careful) starts with CRLF; its OPTIONS come only when
 * something was missed.  Streams get CRLF too and end by -ENOTCONN.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/rand.h"
#include "nat/keepalive_priv.h"

enum {
	ANSWER_SLOTS = 3000 / WHEEL_SLOT_MS,
	TRIES = 3,
	PROOF_EVERY = 8,
	ASK_AGAIN = 10, /* cycles, until a mute phone is asked once more */
	OPEN_EARLY_MS = 2000, /* room for an experiment to find a free slot */
	CLOSE_EARLY_MS = 1000,
	WALL_STEP_MS = 500, /* the wall clock was set */
};

static void fire(void *arg);

mono_ms keep_now(const struct keepalive *ka)
{
	return clock_mono() * ka->conf.speed;
}

int64_t keep_slot(const struct keepalive *ka)
{
	return keep_now(ka) / WHEEL_SLOT_MS;
}

/* Whole slots, so that a phase is the same slot after a restart. */
static void look_at_wall(struct keepalive *ka)
{
	int64_t ahead = clock_wall() * ka->conf.speed - keep_now(ka);
	int64_t off = ahead - ka->wall_ahead_ms;

	if (off > WALL_STEP_MS || off < -WALL_STEP_MS)
		ka->wall_ahead_ms = (ahead + WHEEL_SLOT_MS / 2) /
				    WHEEL_SLOT_MS * WHEEL_SLOT_MS;
}

int keepalive_create(struct keepalive **out, const struct keepalive_conf *conf)
{
	struct keepalive *ka = calloc(1, sizeof(*ka));

	if (!ka)
		return -ENOMEM;
	ka->conf = *conf;
	if (!ka->conf.speed)
		ka->conf.speed = 1;
	hash_init(&ka->flows);
	list_init(&ka->waiting);
	list_init(&ka->resumed);
	ka->armed = INT64_MAX;
	wheel_init(&ka->wheel, keep_slot(ka));
	look_at_wall(ka);
	*out = ka;
	return 0;
}

/* ---- places in time ------------------------------------------------------- */

void keep_arm(struct keepalive *ka, int64_t slot)
{
	int64_t delay = slot * WHEEL_SLOT_MS - keep_now(ka);

	if (slot >= ka->armed)
		return;
	ka->armed = slot;
	timer_set(ka->conf.loop, &ka->timer,
		  delay > 0 ? (delay + ka->conf.speed - 1) / ka->conf.speed : 0,
		  fire, ka);
}

static bool learns(const struct keep_flow *f)
{
	return f->how == KEEP_AUTO && f->careful &&
	       f->flow.transport == SIP_UDP;
}

static int64_t interval_slots(const struct keep_flow *f)
{
	return f->interval_ms / WHEEL_SLOT_MS;
}

void keep_set_interval(struct keep_flow *f)
{
	struct wheel *w = &f->owner->wheel;
	int64_t now = keep_slot(f->owner), n, latest;
	uint32_t start =
		f->base_ms < LEARN_START_MS ? f->base_ms : LEARN_START_MS;
	uint32_t ms;

	f->learn.start_s = (uint16_t)(start / 1000);
	ms = learns(f) ? learn_interval_ms(&f->learn) : f->base_ms;
	if (ms == f->interval_ms)
		return;
	f->interval_ms = ms;
	wheel_pace(w, &f->due, ms);
	n = interval_slots(f);
	latest = f->due.slot;
	if (f->due.at && latest > now + n) {
		wheel_set(w, &f->due, now, now + 1, now + n);
		keep_arm(f->owner, f->due.slot);
	}
	f->phase = (uint16_t)(f->due.slot % n);
}

/* The experiment's next packet, if that comes before @regular. */
static bool plan_experiment(struct keep_flow *f, int64_t now, int64_t regular)
{
	struct learn *l = &f->learn;
	bool opens = l->step == LEARN_PLANNED;
	int64_t at = (opens ? l->opens : l->closes) / WHEEL_SLOT_MS;
	int64_t early =
		(opens ? OPEN_EARLY_MS : CLOSE_EARLY_MS) / WHEEL_SLOT_MS;

	if (!opens && l->step != LEARN_OPEN)
		return false;
	if (at > regular && (opens || l->by_crlf))
		return false;
	if (wheel_set(&f->owner->wheel, &f->due, now, at - early, at))
		return true;
	learn_void(l); /* no room in this cycle */
	return false;
}

/* The next time round.  It keeps its phase while that slot is no fuller than
 * others, so places given out once stay even by themselves. */
static void plan_regular(struct keep_flow *f, int64_t now, int64_t regular)
{
	struct wheel *w = &f->owner->wheel;
	int64_t n = interval_slots(f);

	if (!wheel_set(w, &f->due, now, regular - n / 8, regular))
		wheel_set(w, &f->due, now, now + 1, regular);
	f->phase = (uint16_t)(f->due.slot % n);
}

/* Choose the slot of the next packet. */
static void plan(struct keep_flow *f)
{
	int64_t now = keep_slot(f->owner), n = interval_slots(f);
	int64_t regular = now + n - (now - f->phase + n) % n;

	if (!plan_experiment(f, now, regular))
		plan_regular(f, now, regular);
	keep_arm(f->owner, f->due.slot);
}

/* ---- sending -------------------------------------------------------------- */

/* A lost CRLF CRLF is not repeated, so the NAT forgets.  They do where pings
 * are no further apart than they would be without learning, and next to
 * nothing is lost. */
static bool is_crlf_enough(const struct keep_flow *f)
{
	return f->learn.inbound_holds && f->interval_ms <= f->base_ms &&
	       f->unanswered * 100 <= f->answered;
}

enum keep_method keep_method(const struct keep_flow *f)
{
	if (f->flow.transport != SIP_UDP || f->how == KEEP_ALWAYS_CRLF)
		return KEEP_CRLF;
	if (f->how == KEEP_ALWAYS_OPTIONS || f->lost_at ||
	    f->learn.step == LEARN_OPENING || f->learn.step == LEARN_CLOSING)
		return KEEP_OPTIONS;
	if (!f->careful || f->answers == KEEP_MUTE || is_crlf_enough(f) ||
	    (f->learn.step == LEARN_OPEN && f->learn.by_crlf))
		return KEEP_CRLF;
	return KEEP_OPTIONS;
}

static bool needs_proof(const struct keep_flow *f)
{
	return f->flow.transport == SIP_UDP && f->how == KEEP_AUTO &&
	       f->answers == KEEP_ANSWERS && f->learn.step != LEARN_OPEN &&
	       f->since_proof >= PROOF_EVERY - 1;
}

static void stop_waiting(struct keep_flow *f)
{
	if (f->deadline)
		list_remove(&f->link);
	f->deadline = 0;
	f->tries = 0;
}

static void wait_for_answer(struct keep_flow *f)
{
	list_remove(&f->link);
	list_append(&f->owner->waiting, &f->link);
	f->deadline = keep_slot(f->owner) + ANSWER_SLOTS;
	keep_arm(f->owner, f->deadline);
}

static const char *target_of(const struct keep_flow *f)
{
	list_for_each (pos, &f->holds) {
		const struct keep *k = list_entry(pos, struct keep, link);

		if (k->target)
			return k->target;
	}
	return NULL;
}

/* False: that ended the flow. */
static bool lose(struct keep_flow *f)
{
	if (f->lost_at)
		return true;
	f->lost_at = keep_now(f->owner);
	f->owner->lost++;
	/* A closing experiment is judged when the phone is back. */
	if (f->learn.step != LEARN_CLOSING)
		learn_void(&f->learn);
	return keep_tell(f, KEEP_LOST);
}

/* What a phone calls itself may be no Request-URI; it hears us all the same. */
static int ask(struct keep_flow *f)
{
	const struct keepalive_conf *conf = &f->owner->conf;
	const char *target = target_of(f);
	int err =
		conf->ping(conf->arg, &f->flow, KEEP_OPTIONS, target, f->token);

	if (err == -EINVAL && target)
		err = conf->ping(conf->arg, &f->flow, KEEP_OPTIONS, NULL,
				 f->token);
	return err;
}

/* False: that ended the flow.  An OPTIONS that is a repetition has the token
 * of the first: a late answer to it is as good. */
static bool transmit(struct keep_flow *f, enum keep_method method)
{
	struct keepalive *ka = f->owner;
	bool asks = method == KEEP_OPTIONS;
	int err = asks ? ask(f)
		       : ka->conf.ping(ka->conf.arg, &f->flow, method, NULL, 0);

	if (err == -ENOTCONN)
		return lose(f);
	if (err) { /* our own trouble; says nothing of the way */
		keep_stop_learning(f);
		return true;
	}
	f->sent++;
	ka->sent[method]++;
	f->since_proof = asks ? 0 : (uint8_t)(f->since_proof + 1);
	/* Of a lost or mute one nobody waits for an answer: each is a try. */
	if (asks && !f->lost_at && f->answers != KEEP_MUTE)
		wait_for_answer(f);
	return true;
}

static bool send_ping(struct keep_flow *f, enum keep_method method)
{
	if (method == KEEP_OPTIONS) {
		stop_waiting(f);
		do
			rand_bytes(&f->token, sizeof(f->token));
		while (!f->token);
		f->asked_us = clock_mono_us();
		f->repeated = false;
	}
	return transmit(f, method);
}

/* ---- what comes of it ----------------------------------------------------- */

void keep_stop_learning(struct keep_flow *f)
{
	if (f->learn.step == LEARN_IDLE)
		return;
	learn_void(&f->learn);
	plan(f);
}

/* The end of an experiment; true: something was learned. */
static bool judge(struct keep_flow *f, bool by_answer)
{
	bool unanswered = f->tries || f->back_at || f->lost_at;
	mono_ms at = f->back_at ? f->back_at : keep_now(f->owner);

	if (by_answer && f->strange <= 1 && !f->back_at)
		return learn_survived(&f->learn);
	if (!by_answer && unanswered && !learn_is_away(&f->learn, at))
		return learn_failed(&f->learn);
	learn_void(&f->learn);
	return false;
}

void keep_conclude(struct keep_flow *f, bool by_answer)
{
	mono_ms at = f->back_at ? f->back_at : keep_now(f->owner);
	unsigned floor_s = f->learn.floor_s;
	bool is_news = false;

	if (f->learn.step == LEARN_CLOSING)
		is_news = judge(f, by_answer);
	else if ((f->back_at || f->lost_at) && !by_answer && learns(f) &&
		 !f->resumed && !learn_is_away(&f->learn, at))
		is_news = learn_missed(&f->learn);
	f->back_at = 0;
	f->strange = 0;
	stop_waiting(f);
	if (!is_news)
		return;
	f->news = true;
	if (f->learn.floor_s != floor_s)
		learn_tell(&f->owner->prior, &f->flow.remote, f->learn.floor_s);
	keep_set_interval(f);
}

/* False: that ended the flow. */
static bool tell_news(struct keep_flow *f)
{
	if (!f->news)
		return true;
	f->news = false;
	f->told_phase = f->phase;
	return keep_tell(f, KEEP_LEARNED);
}

static bool revive(struct keep_flow *f)
{
	if (!f->lost_at)
		return true;
	f->lost_at = 0;
	f->owner->lost--;
	return keep_tell(f, KEEP_BACK);
}

void keepalive_heard(struct keepalive *ka, const struct sip_flow *flow)
{
	struct keep_flow *f = keep_find(ka, flow);
	bool was_clear;

	if (!f)
		return;
	was_clear = !f->back_at && f->strange == 0;
	f->heard = keep_now(ka);
	if (f->learn.step == LEARN_CLOSING) {
		/* The answer itself, perhaps: keepalive_answered() follows. */
		f->strange++;
	} else {
		if (f->learn.step == LEARN_OPEN)
			keep_stop_learning(f);
		stop_waiting(f);
	}
	if (f->lost_at)
		f->back_at = f->heard;
	if (!was_clear) {
		keep_conclude(f, false);
		plan(f);
	}
	if (revive(f))
		tell_news(f);
}

static void note_rtt(struct keep_flow *f)
{
	uint64_t us = clock_mono_us() - f->asked_us;
	struct keep_rtt *r = f->rtt;
	uint32_t rtt = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;

	if (!r)
		r = f->rtt = calloc(1, sizeof(*r));
	if (!r)
		return; /* only statistics */
	r->us[r->n % (sizeof(r->us) / sizeof(r->us[0]))] = rtt;
	if (!r->n || rtt < r->min_us)
		r->min_us = rtt;
	if (rtt > r->max_us)
		r->max_us = rtt;
	r->sum_us += rtt;
	r->n++;
}

void keepalive_answered(struct keepalive *ka, const struct sip_flow *flow,
			uint64_t token)
{
	struct keep_flow *f = keep_find(ka, flow);
	bool is_first;

	if (!f || !token || f->token != token)
		return;
	f->token = 0;
	f->answered++;
	f->heard = keep_now(ka);
	if (!f->repeated)
		note_rtt(f); /* which of several it answers is not known */
	is_first = !f->proved;
	f->proved = true;
	f->resumed = false;
	f->news |= f->answers != KEEP_ANSWERS;
	f->answers = KEEP_ANSWERS;
	keep_conclude(f, true);
	if (f->learn.step == LEARN_OPENING)
		learn_opened(&f->learn, f->heard);
	plan(f);
	if (!revive(f) || (is_first && !keep_tell(f, KEEP_PROVED)))
		return;
	tell_news(f);
}

void keepalive_missed(struct keepalive *ka, const struct sip_flow *flow)
{
	struct keep_flow *f = keep_find(ka, flow);

	if (!f || f->deadline || f->lost_at || f->answers == KEEP_MUTE ||
	    f->how == KEEP_ALWAYS_CRLF || f->flow.transport != SIP_UDP)
		return;
	if (f->learn.step == LEARN_OPEN)
		learn_cut_short(&f->learn, keep_now(ka));
	else
		learn_void(&f->learn);
	f->strange = 0;
	plan(f);
	send_ping(f, KEEP_OPTIONS);
}

void keep_cycle(struct keep_flow *f)
{
	bool may = learns(f) && f->answers == KEEP_ANSWERS && !f->lost_at &&
		   !f->n_holds[KEEP_DLG];

	learn_refreshed(&f->learn, keep_now(f->owner), may,
			learn_hint(&f->owner->prior, &f->flow.remote));
	plan(f);
}

/* Its place is no more where a restart would look for it. */
static bool has_drifted(const struct keep_flow *f)
{
	int64_t n = interval_slots(f);
	int64_t off = (f->phase - f->told_phase + n) % n;

	return off > n / 8 && off < n - n / 8;
}

void keepalive_refreshed(struct keep *k)
{
	struct keep_flow *f = k->flow;

	if (!f)
		return;
	if (f->learn.step == LEARN_CLOSING || f->back_at)
		keep_conclude(f, false);
	if (f->answers == KEEP_MUTE && ++f->mute_cycles >= ASK_AGAIN) {
		f->answers = KEEP_UNTOLD; /* perhaps it was not there yet */
		f->mute_cycles = 0;
	}
	keep_cycle(f);
	f->news |= has_drifted(f);
	tell_news(f);
}

/* ---- the timer ------------------------------------------------------------ */

/* The experiment's step that this slot is for, if any. */
static void step_experiment(struct keep_flow *f)
{
	struct learn *l = &f->learn;
	mono_ms now = keep_now(f->owner);

	if (l->step == LEARN_PLANNED && now + OPEN_EARLY_MS >= l->opens) {
		if (f->deadline || now > l->opens + OPEN_EARLY_MS)
			learn_void(l);
		else
			learn_opening(l);
	} else if (l->step == LEARN_OPEN && now + CLOSE_EARLY_MS >= l->closes) {
		f->strange = 0;
		stop_waiting(f);
		learn_closing(l, now);
	}
}

static void on_due(void *arg, struct wheel_node *node)
{
	struct keep_flow *f = container_of(node, struct keep_flow, due);
	enum keep_method method;

	if (f->back_at)
		keep_conclude(f, false);
	step_experiment(f);
	plan(f); /* before the flow may end */
	if (!tell_news(f) || f->deadline)
		return; /* it is gone, or asked already */
	method = keep_method(f);
	if (method == KEEP_CRLF && needs_proof(f))
		method = KEEP_OPTIONS;
	send_ping(f, method);
}

static void time_out(struct keep_flow *f)
{
	uint8_t tries = (uint8_t)(f->tries + 1);

	f->unanswered++;
	if (f->strange) {
		/* The phone spoke, and not to answer: that was the end. */
		keep_conclude(f, false);
		plan(f);
		tell_news(f);
		return;
	}
	stop_waiting(f);
	f->tries = tries;
	if (tries < TRIES) {
		f->repeated = true;
		transmit(f, KEEP_OPTIONS);
		return;
	}
	if (f->answers == KEEP_ANSWERS) {
		lose(f);
		return;
	}
	f->answers = KEEP_MUTE;
	keep_stop_learning(f);
}

static int64_t earliest(const struct keepalive *ka)
{
	int64_t slot = wheel_next(&ka->wheel);

	if (!list_empty(&ka->waiting)) {
		struct keep_flow *f =
			list_entry(ka->waiting.next, struct keep_flow, link);

		slot = f->deadline < slot ? f->deadline : slot;
	}
	return slot;
}

static void fire(void *arg)
{
	struct keepalive *ka = arg;
	int64_t now = keep_slot(ka), next;

	ka->armed = INT64_MIN; /* once, at the end */
	look_at_wall(ka);
	keep_level(ka, now);
	wheel_run(&ka->wheel, now, on_due, ka);
	while (!list_empty(&ka->waiting)) {
		struct keep_flow *f =
			list_entry(ka->waiting.next, struct keep_flow, link);

		if (f->deadline > now)
			break;
		time_out(f);
	}
	ka->armed = INT64_MAX;
	next = earliest(ka);
	if (next < INT64_MAX)
		keep_arm(ka, next);
}
