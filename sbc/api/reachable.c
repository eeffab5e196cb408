/*
 * reachable.c - was a phone reachable at a moment of the past, and how is it
 * known
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * For each binding the row that was in force is taken, and the one that ended
 * it.  A flow that stayed the same and brought packets before and after the
 * moment was open at it.  A flow that brought none after it may have died
 * anywhere in between; what ended it tells how likely that is.
 *
 *      registered       heard     asked      heard         lost
 *   ───────┼──────────────┼─────────┼──────────┼─────────────┼───▶ yes
 *   ───────┼──────────────┼───────────────────────asked──────┼───▶ probably not
 */
#include "api/api.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_event(const struct history_row *row, const char *event)
{
	return row->event && !strcmp(row->event, event);
}

/* It neither begins nor ends a flow. */
static bool is_remark(const struct history_row *row)
{
	return is_event(row, "verdict") || is_event(row, "learned");
}

/* At this moment a packet came along the flow that the row is about. */
static bool is_packet(const struct history_row *row)
{
	return is_event(row, "registered") || is_event(row, "moved") ||
	       is_event(row, "back") || is_event(row, "verdict");
}

/* What the rows say of one binding. */
struct sight {
	/* Which flow was in force at the moment, NULL = none; and what ended
	 * it, NULL = nothing yet. */
	const struct history_row *was, *next;
	const struct reach_now *now;
	wall_ms before, after; /* proofs of the same flow */
};

static void note_proof(struct sight *s, wall_ms t, wall_ms at)
{
	if (!t)
		return;
	if (t <= at && t > s->before)
		s->before = t;
	if (t >= at && (!s->after || t < s->after))
		s->after = t;
}

/* What @row tells of the flow that it finds. */
static void note_former(struct sight *s, const struct history_row *row,
			wall_ms at)
{
	if (row->proved_at <= row->at)
		note_proof(s, row->proved_at, at);
}

/* @row begins another state. */
static void enter(struct sight *s, const struct history_row *row, wall_ms at)
{
	s->was = row;
	s->before = s->after = 0;
	if (!is_event(row, "moved") && !is_event(row, "registered"))
		note_former(s, row, at);
	if (is_packet(row))
		note_proof(s, row->at, at);
}

static struct sight look_at(const struct store_history *h,
			    const struct reach_now *now, uint64_t binding,
			    wall_ms at)
{
	struct sight s = {.now = now};

	for (size_t i = 0; i < h->n && !s.next; i++) {
		const struct history_row *row = &h->rows[i];

		if (row->binding != binding)
			continue;
		if (row->at <= at && !is_remark(row)) {
			enter(&s, row, at);
			continue;
		}
		/* Without a row before it the beginning is too long ago. */
		if (s.was || !is_event(row, "registered"))
			note_former(&s, row, at);
		if (!is_remark(row))
			s.next = row;
		else if (is_packet(row))
			note_proof(&s, row->at, at);
	}
	if (!s.next && now)
		note_proof(&s, now->heard, at);
	return s;
}

/* ---- one binding ----------------------------------------------------------- */

static void set(struct reach *out, enum reach_verdict verdict,
		enum reach_why why)
{
	out->verdict = verdict;
	out->why = why;
}

static void judge_lost(struct reach *out, const struct sight *s)
{
	out->found = s->was->at;
	if (s->next || (s->now && s->now->lost))
		set(out, REACH_NO, REACH_LOST);
	else
		set(out, REACH_UNKNOWN, REACH_UNTOLD);
}

/* A flow was in force, and nothing came along it after the moment. */
static void judge_silent(struct reach *out, const struct sight *s)
{
	out->found = s->next ? s->next->at : 0;
	if (!s->next && !s->now) {
		set(out, REACH_UNKNOWN, REACH_UNTOLD);
	} else if (s->next ? is_event(s->next, "lost") : s->now->lost) {
		set(out, REACH_PROBABLY_NOT, REACH_FOUND_LOST);
	} else if (!s->next) {
		set(out, REACH_PROBABLY, REACH_UNCONTRADICTED);
	} else if (is_event(s->next, "restored")) {
		set(out, REACH_UNKNOWN, REACH_RESTART);
	} else if (is_event(s->next, "moved")) {
		set(out, REACH_UNKNOWN, REACH_MOVED);
		out->elsewhere = s->next->source;
	} else if (is_event(s->next, "gone")) {
		set(out, REACH_UNKNOWN, REACH_SILENT);
	} else {
		set(out, REACH_UNKNOWN, REACH_UNTOLD);
	}
}

/* Nothing tells when it began: rows before are gone, or were never written. */
static bool is_older(const struct sight *s, wall_ms at)
{
	if (s->was)
		return false;
	if (s->next)
		return !is_event(s->next, "registered");
	return s->now && s->now->registered_at <= at;
}

static void copy_text(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
}

static void judge_binding(struct reach *out, const struct sight *s, wall_ms at)
{
	const struct history_row *row = s->was ? s->was : s->next;

	out->heard_before = s->before;
	out->heard_after = s->after;
	if (row) {
		out->binding = row->binding;
		out->source = row->source;
	} else {
		out->binding = s->now->binding;
		out->source = s->now->source;
		out->since = s->now->registered_at;
		copy_text(out->event, sizeof(out->event), "registered");
	}
	if (s->was) {
		out->since = s->was->at;
		copy_text(out->event, sizeof(out->event), s->was->event);
	}
	if (s->next && is_event(s->next, "gone"))
		copy_text(out->cause, sizeof(out->cause), s->next->cause);
	if (!s->was && !is_older(s, at)) {
		set(out, REACH_NO, REACH_NOT_YET);
	} else if (s->was && is_event(s->was, "gone")) {
		set(out, REACH_NO, REACH_ENDED);
		copy_text(out->cause, sizeof(out->cause), s->was->cause);
	} else if (s->was && is_event(s->was, "lost")) {
		judge_lost(out, s);
	} else if (!s->was && s->next && is_event(s->next, "back")) {
		set(out, REACH_NO, REACH_LOST);
	} else if (s->after) {
		set(out, REACH_YES, REACH_PROVED);
	} else {
		judge_silent(out, s);
	}
}

/* ---- a phone --------------------------------------------------------------- */

static bool is_better(const struct reach *a, const struct reach *b)
{
	if (a->verdict != b->verdict)
		return a->verdict < b->verdict;
	/* The order of reach_why puts what ended before what was not yet. */
	if (a->why != b->why)
		return a->why < b->why;
	return a->why == REACH_NOT_YET ? a->since < b->since
				       : a->since > b->since;
}

static const struct reach_now *find_now(const struct reach_now *now, size_t n,
					uint64_t binding)
{
	for (size_t i = 0; i < n; i++) {
		if (now[i].binding == binding)
			return &now[i];
	}
	return NULL;
}

static void consider(struct reach *best, const struct sight *s, wall_ms at)
{
	struct reach one = {0};

	judge_binding(&one, s, at);
	if (is_better(&one, best))
		*best = one;
}

/* When some flow of the phone began after the moment. */
static wall_ms back_at(const struct store_history *h, wall_ms at)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct history_row *row = &h->rows[i];

		if (row->at > at &&
		    (is_event(row, "registered") || is_event(row, "moved") ||
		     is_event(row, "back") || is_event(row, "restored")))
			return row->at;
	}
	return 0;
}

void reach_judge(struct reach *out, const struct store_history *h,
		 const struct reach_now *now, size_t n, wall_ms at)
{
	struct reach best = {.verdict = REACH_NO, .why = REACH_NEVER};
	struct sight s;

	for (size_t i = 0; i < h->n; i++) {
		uint64_t id = h->rows[i].binding;

		s = look_at(h, find_now(now, n, id), id, at);
		consider(&best, &s, at);
	}
	for (size_t i = 0; i < n; i++) {
		s = look_at(h, &now[i], now[i].binding, at);
		if (!s.was && !s.next)
			consider(&best, &s, at);
	}
	if (h->begins && at < h->begins && best.why != REACH_PROVED)
		set(&best, REACH_UNKNOWN, REACH_TOO_OLD);
	if (best.verdict == REACH_NO || best.verdict == REACH_PROBABLY_NOT)
		best.back = back_at(h, at);
	best.begins = h->begins;
	*out = best;
}

/* ---- in words -------------------------------------------------------------- */

static const char *const verdicts[] = {
	[REACH_YES] = "yes",         [REACH_PROBABLY] = "probably",
	[REACH_UNKNOWN] = "unknown", [REACH_PROBABLY_NOT] = "probably-not",
	[REACH_NO] = "no",
};

static const char *const whys[REACH_WHYS] = {
	[REACH_PROVED] = "proved",
	[REACH_UNCONTRADICTED] = "uncontradicted",
	[REACH_FOUND_LOST] = "found-lost",
	[REACH_LOST] = "lost",
	[REACH_ENDED] = "ended",
	[REACH_NOT_YET] = "not-yet",
	[REACH_NEVER] = "never",
	[REACH_RESTART] = "restart",
	[REACH_MOVED] = "moved",
	[REACH_SILENT] = "silent",
	[REACH_UNTOLD] = "untold",
	[REACH_TOO_OLD] = "too-old",
};

static int index_of(const char *const *names, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++) {
		if (!strcmp(names[i], name))
			return (int)i;
	}
	return -EINVAL;
}

const char *reach_verdict_name(enum reach_verdict v)
{
	return verdicts[v];
}

int reach_verdict_of(enum reach_verdict *out, const char *name)
{
	int i = index_of(verdicts, REACH_NO + 1, name);

	if (i >= 0)
		*out = i;
	return i < 0 ? i : 0;
}

const char *reach_why_name(enum reach_why why)
{
	return whys[why];
}

int reach_why_of(enum reach_why *out, const char *name)
{
	int i = index_of(whys, REACH_WHYS, name);

	if (i >= 0)
		*out = i;
	return i < 0 ? i : 0;
}

struct speaker {
	struct buf *out;
	const struct reach *r;
	reach_time_fn time;
	void *arg;
};

/* @before, then the time @t; nothing when there is none. */
static void say_time(const struct speaker *s, const char *before, wall_ms t)
{
	if (!t)
		return;
	buf_puts(s->out, before);
	s->time(s->arg, s->out, t);
}

/* "registered at 13:12 from 84.1.2.3:40112" */
static void say_flow(const struct speaker *s)
{
	const struct reach *r = s->r;
	char text[ADDR_TEXT_MAX];

	if (!r->since)
		buf_puts(s->out, "registered before the history begins");
	else if (!strcmp(r->event, "restored"))
		say_time(s, "restored at the start of the box at ", r->since);
	else if (!strcmp(r->event, "moved"))
		say_time(s, "moved at ", r->since);
	else if (!strcmp(r->event, "back"))
		say_time(s, "back at ", r->since);
	else if (!strcmp(r->event, "lost"))
		say_time(s, "lost at ", r->since);
	else
		say_time(s, "registered at ", r->since);
	if (addr_is_set(&r->source))
		buf_printf(s->out, "%s %s",
			   strcmp(r->event, "moved") || !r->since ? " from"
								  : " to",
			   addr_fmt(&r->source, text));
}

static void say_back(const struct speaker *s)
{
	say_time(s, ", back at ", s->r->back);
}

static void say_proved(const struct speaker *s)
{
	say_flow(s);
	if (s->r->heard_before && s->r->heard_before != s->r->since) {
		say_time(s, "; heard at ", s->r->heard_before);
		say_time(s, " and again at ", s->r->heard_after);
	} else {
		say_time(s, "; heard again at ", s->r->heard_after);
	}
}

static void say_uncontradicted(const struct speaker *s)
{
	say_flow(s);
	say_time(s, "; last heard at ", s->r->heard_before);
	buf_puts(s->out, ", and nothing says otherwise since");
}

static void say_found_lost(const struct speaker *s)
{
	say_flow(s);
	say_time(s, "; last heard at ", s->r->heard_before);
	if (s->r->found)
		say_time(s, ", found lost at ", s->r->found);
	else
		buf_puts(s->out, ", lost now");
	say_back(s);
}

static void say_lost(const struct speaker *s)
{
	if (s->r->found)
		say_time(s, "lost since ", s->r->found);
	else
		buf_puts(s->out, "lost");
	say_time(s, " (last heard ", s->r->heard_before);
	if (s->r->heard_before)
		buf_puts(s->out, ")");
	say_back(s);
}

static void say_ended(const struct speaker *s)
{
	say_time(s, "its registration ended at ", s->r->since);
	if (s->r->cause[0])
		buf_printf(s->out, " (%s)", s->r->cause);
	say_back(s);
}

static void say_not_yet(const struct speaker *s)
{
	buf_puts(s->out, "it was not registered");
	say_time(s, "; it registered at ", s->r->back);
}

static void say_never(const struct speaker *s)
{
	buf_puts(s->out, "it has never registered");
	say_time(s, " since the history begins at ", s->r->begins);
}

static void say_restart(const struct speaker *s)
{
	say_time(s, "the box was started at ", s->r->found);
	say_time(s, "; before that it was last heard at ", s->r->heard_before);
}

static void say_moved(const struct speaker *s)
{
	char text[ADDR_TEXT_MAX];

	say_flow(s);
	say_time(s, "; last heard there at ", s->r->heard_before);
	say_time(s, ", then at ", s->r->found);
	buf_printf(s->out, " from %s", addr_fmt(&s->r->elsewhere, text));
}

static void say_silent(const struct speaker *s)
{
	say_flow(s);
	say_time(s, "; last heard at ", s->r->heard_before);
	say_time(s, ", and its registration ended at ", s->r->found);
	if (s->r->cause[0])
		buf_printf(s->out, " (%s)", s->r->cause);
}

static void say_untold(const struct speaker *s)
{
	say_flow(s);
	say_time(s, "; last heard at ", s->r->heard_before);
	buf_puts(s->out, "; what came then is not in the history");
}

static void say_too_old(const struct speaker *s)
{
	say_time(s, "the history begins at ", s->r->begins);
}

void reach_say(struct buf *out, const struct reach *r, reach_time_fn time,
	       void *arg)
{
	static const char *const begin[] = {
		[REACH_YES] = "Yes: ",
		[REACH_PROBABLY] = "Probably: ",
		[REACH_UNKNOWN] = "Unknown: ",
		[REACH_PROBABLY_NOT] = "Probably not: ",
		[REACH_NO] = "No: ",
	};
	static void (*const say[REACH_WHYS])(const struct speaker *s) = {
		[REACH_PROVED] = say_proved,
		[REACH_UNCONTRADICTED] = say_uncontradicted,
		[REACH_FOUND_LOST] = say_found_lost,
		[REACH_LOST] = say_lost,
		[REACH_ENDED] = say_ended,
		[REACH_NOT_YET] = say_not_yet,
		[REACH_NEVER] = say_never,
		[REACH_RESTART] = say_restart,
		[REACH_MOVED] = say_moved,
		[REACH_SILENT] = say_silent,
		[REACH_UNTOLD] = say_untold,
		[REACH_TOO_OLD] = say_too_old,
	};
	const struct speaker s = {out, r, time, arg};

	buf_puts(out, begin[r->verdict]);
	say[r->why](&s);
	buf_puts(out, ".");
}
