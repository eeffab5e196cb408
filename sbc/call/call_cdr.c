/*
 * call_cdr.c - what of a call goes into its records
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * An attempt is recorded a second after it rings somewhere, anew a second after
 * it is answered and each 15 minutes, and for good at its end; so a crash loses
 * no call that has begun to cost something, and a short one is written once.  A
 * refusal at the door is one record.
 */
#include <string.h>

#include "call/call_priv.h"
#include "core/buf.h"

enum { SOON_MS = 1000, PARTIAL_MS = 15 * 60 * 1000 };

/* RFC 3398 7.2.4.1, 8.2.6.1: what a switch would say for our answers. */
static const struct {
	int status, q850;
} causes[] = {
	{403, 21}, {404, 1},  {408, 102}, {410, 22}, {480, 18}, {481, 41},
	{482, 25}, {483, 25}, {484, 28},  {486, 17}, {487, 31}, {488, 65},
	{500, 41}, {503, 41}, {504, 102}, {600, 17}, {603, 21}, {604, 1},
};

static int q850_of(const struct call *call)
{
	if (call->answered_at)
		return call->cause && !strcmp(call->cause, "media-timeout")
			       ? 102
			       : 16;
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		if (causes[i].status == call->status)
			return causes[i].q850;
	}
	return 0;
}

static void side_of(struct cdr_side *out, const struct leg *leg, struct buf *b)
{
	const struct nat_verdict *nat = leg ? leg_nat(leg) : NULL;

	if (!leg)
		return;
	*out = (struct cdr_side){
		.realm = leg_realm(leg),
		.peer = leg_peer(leg),
		.is_trunk = leg_is_trunk(leg),
		.transport = sip_transport_name(leg_flow(leg)->transport),
		.call_id = leg_call_id(leg),
		.source = leg_flow(leg)->remote,
	};
	if (!nat)
		return;
	nat_reason(b, nat, &leg_flow(leg)->remote);
	out->nat = b->p;
}

static void add_media(struct cdr *c, const struct leg *leg, char side)
{
	struct leg_media_info m;

	for (unsigned i = 0; leg && leg_media_at(leg, i, &m); i++) {
		if (!m.type.p || c->n_media == CDR_MEDIA_MAX)
			continue;
		c->media[c->n_media++] = (struct cdr_media){
			.side = side,
			.type = m.type,
			.codec = m.codec,
			.remote = m.remote,
			.latched = m.stats.latched,
			.in_packets = m.stats.in_packets,
			.in_bytes = m.stats.in_bytes,
			.in_lost = m.stats.in_lost,
			.out_packets = m.stats.out_packets,
			.out_bytes = m.stats.out_bytes,
		};
		if (m.local)
			c->media[c->n_media - 1].local = *m.local;
	}
}

static void add_attempts(struct cdr *c, const struct call_record *r)
{
	for (unsigned i = 0; i < r->n_attempts; i++)
		c->attempts[c->n_attempts++] = (struct cdr_attempt){
			.peer = r->attempts[i].peer,
			.at = r->attempts[i].at,
			.status = r->attempts[i].status,
		};
}

static void tell(const struct call *call, wall_ms ended_at)
{
	const struct calls_conf *conf = &call->owner->conf;
	const struct call_record *r = &call->record;
	char nat_a[NAT_REASON_MAX], nat_b[NAT_REASON_MAX];
	struct buf a, b;
	struct cdr c = {
		.id = r->id,
		.started_at = call->started_at,
		.ringing_at = r->ringing_at,
		.answered_at = call->answered_at,
		.ended_at = ended_at,
		.duration_ms =
			call->answered ? clock_mono() - call->answered : -1,
		.from_received = r->from,
		.from_sent = call->from,
		.to_received = r->to,
		.to_sent = call->to,
		.status = call->answered_at ? 200 : call->status,
		.cause = call->cause,
		.ended_by = ended_at ? r->ended_by : NULL,
		.transferred = call->transferred,
	};

	if (!conf->record || !r->id[0])
		return;
	buf_init(&a, nat_a, sizeof(nat_a));
	buf_init(&b, nat_b, sizeof(nat_b));
	side_of(&c.a, call->a, &a);
	side_of(&c.b, call->b, &b);
	add_media(&c, call->a, 'a');
	add_media(&c, call->b, 'b');
	add_attempts(&c, r);
	if (ended_at)
		c.q850 = q850_of(call);
	conf->record(conf->arg, &c);
}

static void partial(void *arg)
{
	struct call *call = arg;

	tell(call, 0);
	timer_set(call->owner->conf.loop, &call->record.partial, PARTIAL_MS,
		  partial, call);
}

static void tell_soon(struct call *call)
{
	timer_set(call->owner->conf.loop, &call->record.partial, SOON_MS,
		  partial, call);
}

void record_begin(struct call *call, const struct sip_view *view)
{
	struct call_record *r = &call->record;

	cdr_make_id(r->id, call->started_at);
	r->ended_by = "sbc";
	str_copy(r->from, sizeof(r->from),
		 str_of(view->from.user ? view->from.user : ""));
	str_copy(r->to, sizeof(r->to),
		 str_of(view->uri.user ? view->uri.user : ""));
}

void record_asked(struct call *call, const char *peer)
{
	struct call_record *r = &call->record;
	struct call_attempt *a;

	if (r->n_attempts == CDR_ATTEMPTS_MAX)
		return;
	a = &r->attempts[r->n_attempts++];
	*a = (struct call_attempt){.at = clock_wall()};
	str_copy(a->peer, sizeof(a->peer), str_of(peer));
}

void record_heard(struct call *call, int status)
{
	struct call_record *r = &call->record;

	if (r->n_attempts)
		r->attempts[r->n_attempts - 1].status = status;
}

void record_rings(struct call *call)
{
	if (call->record.ringing_at)
		return;
	call->record.ringing_at = clock_wall();
	tell_soon(call);
}

void record_answered(struct call *call)
{
	record_heard(call, 200);
	tell_soon(call);
}

void record_ended_by(struct call *call, const struct leg *leg)
{
	call->record.ended_by = leg == call->a ? "a" : "b";
}

void record_end(struct call *call)
{
	timer_cancel(call->owner->conf.loop, &call->record.partial);
	tell(call, clock_wall());
}

void record_refused(struct calls *calls, const struct sip_view *view,
		    const struct registrar_peer *caller, int status)
{
	wall_ms now = clock_wall();
	char id[CDR_ID_CHARS + 1];
	struct cdr c = {
		.id = id,
		.started_at = now,
		.ended_at = now,
		.duration_ms = -1,
		.from_received = view->from.user,
		.to_received = view->uri.user,
		.a = {.realm = view->realm,
		      .peer = caller->phone ? caller->phone->name
					    : caller->trunk->name,
		      .is_trunk = caller->trunk != NULL,
		      .transport = sip_transport_name(view->flow.transport),
		      .source = view->flow.remote,
		      .call_id = view->call_id},
		.status = status,
		.cause = "refused",
		.ended_by = "sbc",
	};

	if (!calls->conf.record)
		return;
	cdr_make_id(id, now);
	calls->conf.record(calls->conf.arg, &c);
}
