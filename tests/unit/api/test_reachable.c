/*
 * test_reachable.c - was the phone reachable then, by what is in the history
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Times are seconds; a time of 0 is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"

/* The tables below leave out what is 0. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define HERE      "84.1.2.3:40112"
#define ELSEWHERE "84.1.2.3:50000"

struct told {
	int at;
	uint64_t binding;
	const char *event;
	int proved_at;
	const char *source, *cause;
};

struct today {
	uint64_t binding;
	int registered_at, heard;
	bool lost;
};

struct story {
	struct told rows[8];
	struct today now[3];
	int at;
	int begins; /* 0: with the first row */
	const char *sentence;
};

static void put_seconds(void *arg, struct buf *out, wall_ms t)
{
	buf_printf(out, "%d", (int)(t / 1000));
}

static void tell(struct reach *out, const struct story *s)
{
	struct history_row rows[8];
	struct reach_now now[3];
	struct store_history h = {.rows = rows};
	size_t n = 0;

	memset(rows, 0, sizeof(rows));
	memset(now, 0, sizeof(now));
	for (; h.n < 8 && s->rows[h.n].event; h.n++) {
		const struct told *t = &s->rows[h.n];
		struct history_row *row = &rows[h.n];

		row->at = t->at * 1000;
		row->binding = t->binding;
		row->event = t->event;
		row->cause = t->cause;
		row->proved_at = t->proved_at * 1000;
		addr_parse_port(&row->source, t->source ? t->source : HERE);
	}
	for (; n < 3 && s->now[n].binding; n++) {
		now[n] = (struct reach_now){
			.binding = s->now[n].binding,
			.registered_at = s->now[n].registered_at * 1000,
			.heard = s->now[n].heard * 1000,
			.lost = s->now[n].lost,
		};
		addr_parse_port(&now[n].source, HERE);
	}
	h.begins = s->begins ? s->begins * 1000 : h.n ? rows[0].at : 0;
	reach_judge(out, &h, now, n, s->at * 1000);
}

static void check(const struct story *stories, size_t n)
{
	char text[1024];

	for (size_t i = 0; i < n; i++) {
		struct reach r;
		struct buf b;

		tell(&r, &stories[i]);
		buf_init(&b, text, sizeof(text));
		reach_say(&b, &r, put_seconds, NULL);
		assert_string_equal(text, stories[i].sentence);
	}
}

#define CHECK(...)                                                             \
	do {                                                                   \
		const struct story stories[] = {__VA_ARGS__};                  \
		check(stories, sizeof(stories) / sizeof(*stories));            \
	} while (0)

static void heard_before_and_after_along_one_flow_is_yes(void **state)
{
	CHECK({{{100, 1, "registered"}},
	       {{1, 100, 300}},
	       200,
	       0,
	       "Yes: registered at 100 from " HERE "; heard again at 300."},
	      {{{100, 1, "registered"}, {400, 1, "lost", 300}},
	       {{1, 100, 300, true}},
	       200,
	       0,
	       "Yes: registered at 100 from " HERE "; heard again at 300."},
	      {{{100, 1, "registered"}, {400, 1, "gone", 300, 0, "expired"}},
	       {{0}},
	       200,
	       0,
	       "Yes: registered at 100 from " HERE "; heard again at 300."},
	      /* rows between tell how near the proofs are */
	      {{{100, 1, "registered"},
		{180, 1, "learned", 170},
		{260, 1, "learned", 250},
		{400, 1, "moved", 390, ELSEWHERE}},
	       {{1, 100, 500}},
	       200,
	       0,
	       "Yes: registered at 100 from " HERE
	       "; heard at 170 and again at 250."},
	      {{{100, 1, "registered"}, {150, 1, "moved", 140, ELSEWHERE}},
	       {{1, 100, 300}},
	       200,
	       0,
	       "Yes: moved at 150 to " ELSEWHERE "; heard again at 300."},
	      {{{100, 1, "registered"},
		{150, 1, "lost", 120},
		{180, 1, "back", 120}},
	       {{1, 100, 300}},
	       200,
	       0,
	       "Yes: back at 180 from " HERE "; heard again at 300."},
	      {{{100, 1, "registered"}, {150, 1, "restored", 140}},
	       {{1, 100, 300}},
	       200,
	       0,
	       "Yes: restored at the start of the box at 150 from " HERE
	       "; heard at 140 and again at 300."}, );
}

static void the_moment_of_a_packet_is_yes(void **state)
{
	CHECK({{{100, 1, "registered"}},
	       {{1, 100, 100}},
	       100,
	       0,
	       "Yes: registered at 100 from " HERE "; heard again at 100."},
	      {{{100, 1, "registered"}},
	       {{1, 100, 200}},
	       200,
	       0,
	       "Yes: registered at 100 from " HERE
	       "; heard at 200 and again at 200."}, );
}

static void nothing_to_the_contrary_is_probably(void **state)
{
	CHECK({{{100, 1, "registered"}},
	       {{1, 100, 180}},
	       200,
	       0,
	       "Probably: registered at 100 from " HERE
	       "; last heard at 180, and nothing says otherwise since."});
}

static void between_the_last_proof_and_lost_is_probably_not(void **state)
{
	CHECK({{{100, 1, "registered"}, {210, 1, "lost", 180}},
	       {{1, 100, 180, true}},
	       200,
	       0,
	       "Probably not: registered at 100 from " HERE
	       "; last heard at 180, found lost at 210."},
	      {{{100, 1, "registered"},
		{210, 1, "lost", 180},
		{400, 1, "back", 180}},
	       {{1, 100, 500}},
	       200,
	       0,
	       "Probably not: registered at 100 from " HERE
	       "; last heard at 180, found lost at 210, back at 400."},
	      /* the row is missing */
	      {{{100, 1, "registered"}},
	       {{1, 100, 180, true}},
	       200,
	       0,
	       "Probably not: registered at 100 from " HERE
	       "; last heard at 180, lost now."}, );
}

static void after_lost_is_no(void **state)
{
	CHECK({{{100, 1, "registered"}, {180, 1, "lost", 150}},
	       {{1, 100, 150, true}},
	       200,
	       0,
	       "No: lost since 180 (last heard 150)."},
	      {{{100, 1, "registered"},
		{180, 1, "lost", 150},
		{300, 1, "back", 150}},
	       {{1, 100, 500}},
	       200,
	       0,
	       "No: lost since 180 (last heard 150), back at 300."},
	      {{{180, 1, "lost", 150}, {300, 1, "moved", 150, ELSEWHERE}},
	       {{1, 100, 500}},
	       200,
	       0,
	       "No: lost since 180 (last heard 150), back at 300."},
	      {{{180, 1, "lost", 150}, {300, 1, "gone", 150, 0, "expired"}},
	       {{0}},
	       200,
	       0,
	       "No: lost since 180 (last heard 150)."}, );
}

static void after_its_end_is_no(void **state)
{
	CHECK({{{100, 1, "registered"},
		{150, 1, "gone", 149, 0, "unregistered"}},
	       {{0}},
	       200,
	       0,
	       "No: its registration ended at 150 (unregistered)."},
	      {{{100, 1, "registered"},
		{150, 1, "gone", 120, 0, "expired"},
		{300, 2, "registered"}},
	       {{2, 300, 400}},
	       200,
	       0,
	       "No: its registration ended at 150 (expired), back at 300."}, );
}

static void before_it_registered_is_no(void **state)
{
	CHECK({{{300, 1, "registered"}},
	       {{1, 300, 400}},
	       200,
	       50,
	       "No: it was not registered; it registered at 300."},
	      {{{0}},
	       {{0}},
	       200,
	       50,
	       "No: it has never registered since the history begins at 50."},
	      {{{0}}, {{0}}, 200, 0, "No: it has never registered."}, );
}

static void before_the_history_is_unknown(void **state)
{
	CHECK({{{300, 1, "registered"}},
	       {{1, 300, 400}},
	       200,
	       0,
	       "Unknown: the history begins at 300."},
	      {{{300, 1, "restored", 180}},
	       {{1, 100, 400}},
	       200,
	       0,
	       "Unknown: the history begins at 300."}, );
}

static void a_restart_in_between_is_unknown(void **state)
{
	CHECK({{{100, 1, "registered"}, {300, 1, "restored", 180}},
	       {{1, 100, 500}},
	       200,
	       0,
	       "Unknown: the box was started at 300; before that it was last "
	       "heard at 180."},
	      {{{100, 1, "registered"}, {300, 1, "restored", 220}},
	       {{1, 100, 500}},
	       200,
	       0,
	       "Yes: registered at 100 from " HERE "; heard again at 220."}, );
}

static void silent_until_it_came_from_elsewhere_is_unknown(void **state)
{
	CHECK({{{100, 1, "registered"}, {300, 1, "moved", 180, ELSEWHERE}},
	       {{1, 100, 500}},
	       200,
	       0,
	       "Unknown: registered at 100 from " HERE
	       "; last heard there at 180, then at 300 from " ELSEWHERE "."});
}

static void silent_until_its_end_is_unknown(void **state)
{
	CHECK({{{100, 1, "registered"}, {300, 1, "gone", 180, 0, "expired"}},
	       {{0}},
	       200,
	       0,
	       "Unknown: registered at 100 from " HERE "; last heard at 180, "
	       "and its registration ended at 300 (expired)."});
}

static void missing_rows_are_unknown(void **state)
{
	CHECK({{{100, 1, "registered"}},
	       {{0}},
	       200,
	       0,
	       "Unknown: registered at 100 from " HERE
	       "; last heard at 100; what came then is not in the history."},
	      {{{180, 1, "lost", 150}},
	       {{1, 100, 500}},
	       200,
	       0,
	       "Unknown: lost at 180 from " HERE
	       "; last heard at 150; what came then is not in the history."}, );
}

static void rows_before_may_be_too_old_to_be_kept(void **state)
{
	CHECK({{{300, 1, "lost", 250}},
	       {{1, 10, 250, true}},
	       200,
	       50,
	       "Yes: registered before the history begins from " HERE
	       "; heard again at 250."},
	      {{{300, 1, "lost", 150}},
	       {{1, 10, 150, true}},
	       200,
	       50,
	       "Probably not: registered before the history begins from " HERE
	       "; last heard at 150, found lost at 300."},
	      {{{300, 1, "back", 150}},
	       {{1, 10, 350}},
	       200,
	       50,
	       "No: lost (last heard 150), back at 300."},
	      {{{0}},
	       {{1, 10, 350}},
	       200,
	       50,
	       "Yes: registered at 10 from " HERE "; heard again at 350."},
	      {{{0}},
	       {{1, 250, 350}},
	       200,
	       50,
	       "No: it was not registered."}, );
}

static void a_phone_is_as_reachable_as_its_best_binding(void **state)
{
	CHECK({{{100, 1, "registered"},
		{110, 2, "registered"},
		{150, 1, "gone", 120, 0, "expired"}},
	       {{2, 110, 300}},
	       200,
	       0,
	       "Yes: registered at 110 from " HERE "; heard again at 300."},
	      {{{100, 1, "registered"},
		{110, 2, "registered"},
		{150, 1, "lost", 120}},
	       {{2, 110, 190}, {1, 100, 120, true}},
	       200,
	       0,
	       "Probably: registered at 110 from " HERE
	       "; last heard at 190, and nothing says otherwise since."},
	      {{{100, 1, "registered"},
		{110, 2, "registered"},
		{150, 1, "gone", 120, 0, "expired"},
		{160, 2, "gone", 130, 0, "unregistered"}},
	       {{0}},
	       200,
	       0,
	       "No: its registration ended at 160 (unregistered)."}, );
}

static void what_is_odd_is_not_believed(void **state)
{
	CHECK(/* a proof from after the row is of the next flow */
	      {{{100, 1, "registered"}, {300, 1, "moved", 400, ELSEWHERE}},
	       {{1, 100, 500}},
	       200,
	       0,
	       "Unknown: registered at 100 from " HERE
	       "; last heard there at 100, then at 300 from " ELSEWHERE "."},
	      {{{100, 1, "registered"}, {300, 1, "of a newer box", 0}},
	       {{1, 100, 500}},
	       200,
	       0,
	       "Unknown: registered at 100 from " HERE
	       "; last heard at 100; what came then is not in the history."}, );
}

static void names_lead_back_to_what_they_name(void **state)
{
	enum reach_verdict v;
	enum reach_why why;

	for (int i = 0; i <= REACH_NO; i++) {
		assert_int_equal(reach_verdict_of(&v, reach_verdict_name(i)),
				 0);
		assert_int_equal(v, i);
	}
	for (int i = 0; i < REACH_WHYS; i++) {
		assert_int_equal(reach_why_of(&why, reach_why_name(i)), 0);
		assert_int_equal(why, i);
	}
	assert_int_equal(reach_verdict_of(&v, "perhaps"), -EINVAL);
	assert_int_equal(reach_why_of(&why, ""), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test(f)
		T(heard_before_and_after_along_one_flow_is_yes),
		T(the_moment_of_a_packet_is_yes),
		T(nothing_to_the_contrary_is_probably),
		T(between_the_last_proof_and_lost_is_probably_not),
		T(after_lost_is_no),
		T(after_its_end_is_no),
		T(before_it_registered_is_no),
		T(before_the_history_is_unknown),
		T(a_restart_in_between_is_unknown),
		T(silent_until_it_came_from_elsewhere_is_unknown),
		T(silent_until_its_end_is_unknown),
		T(missing_rows_are_unknown),
		T(rows_before_may_be_too_old_to_be_kept),
		T(a_phone_is_as_reachable_as_its_best_binding),
		T(what_is_odd_is_not_believed),
		T(names_lead_back_to_what_they_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
