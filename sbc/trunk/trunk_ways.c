/*
 * trunk_ways.c - in which order a trunk's hosts are tried, and what became of
 * it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Grade first (what the breaker says), then the section's priority, then the
 * name server's; among equals hosts are drawn by weight (RFC 2782), and the
 * addresses of one host stay together.
 */
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/rand.h"
#include "trunk/trunk_priv.h"

enum trunk_grade host_grade(const struct trunk_host *h, mono_ms now)
{
	const struct breaker *b = &h->breaker;
	/* It may answer everything but OPTIONS: a call finds out, and again
	 * whenever a probe is due. */
	bool may_be_mute = h->was_lost && !h->was_ponged;

	if (now < b->out_until)
		return TRUNK_OUT;
	if (!b->is_open ||
	    (may_be_mute && (!b->by_request || now >= b->probe_at)))
		return TRUNK_GOOD;
	return TRUNK_SUSPECT;
}

/* ---- order ----------------------------------------------------------------------- */

struct entry {
	const struct trunk_host *host;
	enum trunk_grade grade;
	bool is_taken;
};

static bool is_before(const struct entry *a, const struct entry *b)
{
	if (a->grade != b->grade)
		return a->grade < b->grade;
	if (a->host->name_priority != b->host->name_priority)
		return a->host->name_priority < b->host->name_priority;
	return a->host->srv_priority < b->host->srv_priority;
}

/* A server counts once, however many addresses it has. */
static bool is_counted(const struct entry *e, unsigned i)
{
	for (unsigned k = 0; k < i; k++) {
		if (!e[k].is_taken && e[k].grade == e[i].grade &&
		    e[k].host->target == e[i].host->target)
			return true;
	}
	return e[i].is_taken;
}

static const struct entry *best_left(const struct entry *e, unsigned n)
{
	const struct entry *best = NULL;

	for (unsigned i = 0; i < n; i++) {
		if (!e[i].is_taken && (!best || is_before(&e[i], best)))
			best = &e[i];
	}
	return best;
}

/* Drawn by weight among the best that are left; NULL: all are taken. */
static const struct entry *draw(const struct entry *e, unsigned n)
{
	const struct entry *best = best_left(e, n), *drawn = NULL;
	uint64_t sum = 0, mark, at = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!is_counted(e, i) && !is_before(best, &e[i]))
			sum += e[i].host->weight;
	}
	if (!sum)
		return NULL;
	mark = ((uint64_t)rand_u32() << 32 | rand_u32()) % sum;
	for (unsigned i = 0; i < n && at <= mark; i++) {
		if (is_counted(e, i) || is_before(best, &e[i]))
			continue;
		drawn = &e[i];
		at += e[i].host->weight;
	}
	return drawn;
}

static void put(struct trunk_way *out, const struct entry *e)
{
	const struct trunk_host *h = e->host;
	const struct conf_trunk *conf = h->trunk->conf;
	char host[ADDR_TEXT_MAX];
	struct buf b;

	*out = (struct trunk_way){
		.remote = h->remote,
		.transport = h->transport,
		.grade = e->grade,
	};
	buf_init(&b, out->target, sizeof(out->target));
	if (conf->domain[0])
		buf_puts(&b, conf->domain);
	else if (h->is_literal)
		buf_printf(&b, "%s:%u", addr_fmt_uri(&h->remote, host),
			   addr_port(&h->remote));
	else if (h->is_port_written)
		buf_printf(&b, "%s:%u", h->name, addr_port(&h->remote));
	else
		buf_puts(&b, h->name);
	if (h->transport == SIP_TCP)
		buf_puts(&b, ";transport=tcp");
}

unsigned ways_of(const struct trunk *t, struct trunk_way *out, unsigned max)
{
	struct entry entries[TRUNK_WAYS];
	const struct entry *e;
	mono_ms now = clock_mono();
	unsigned n = 0, given = 0;

	list_for_each (pos, &t->hosts) {
		const struct trunk_host *h =
			list_entry(pos, struct trunk_host, node);

		if (host_is_present(h) && n < TRUNK_WAYS)
			entries[n++] = (struct entry){
				.host = h,
				.grade = host_grade(h, now),
			};
	}
	while (given < max && (e = draw(entries, n))) {
		unsigned target = e->host->target;
		enum trunk_grade grade = e->grade;

		/* Its other addresses right behind it, as they were given. */
		for (unsigned i = 0; i < n && given < max; i++) {
			if (entries[i].is_taken || entries[i].grade != grade ||
			    entries[i].host->target != target)
				continue;
			entries[i].is_taken = true;
			put(&out[given++], &entries[i]);
		}
	}
	return given;
}

unsigned trunks_ways(struct trunks *trunks, const char *name,
		     struct trunk_way *out, unsigned max)
{
	const struct trunk *t = trunk_find(trunks, name);

	return t ? ways_of(t, out, max) : 0;
}

/* ---- reports --------------------------------------------------------------------- */

void host_worked(struct trunk_host *h, bool was_probe)
{
	char words[HOST_WORDS_BYTES];

	if (breaker_worked(&h->breaker, was_probe)) {
		log_info("trunk.host_back", kv_s("trunk", h->trunk->conf->name),
			 kv_s("host", host_words(h, words)));
		reg_host_back(h);
	}
	if (!h->was_heard || h->reason[0])
		reg_host_up(h->trunk);
	h->was_heard = true;
	h->reason[0] = '\0';
	health_plan(h);
	trunk_judge(h->trunk);
}

void host_failed(struct trunk_host *h, enum breaker_failure failure,
		 const char *what)
{
	char words[HOST_WORDS_BYTES];

	snprintf(h->reason, sizeof(h->reason), "%.90s %s %s",
		 host_words(h, words),
		 failure == BREAKER_REFUSED ? "cannot be reached for"
					    : "does not answer",
		 what);
	if (breaker_failed(&h->breaker, failure, clock_mono()))
		log_warn("trunk.host_silent",
			 kv_s("trunk", h->trunk->conf->name),
			 kv_s("host", words), kv_s("text", h->reason));
	health_plan(h);
	trunk_judge(h->trunk);
}

static void take_answer(struct trunk_host *h, const struct trunk_report *r)
{
	struct trunk *t = h->trunk;

	if (r->status == 503 && r->retry_after_s > 0) {
		breaker_out(&h->breaker, r->retry_after_s, clock_mono());
		log_limited(LOG_WARN, "trunk.busy",
			    kv_s("trunk", t->conf->name),
			    kv_a("host", &h->remote),
			    kv_i("retry_after_s", r->retry_after_s));
	}
	/* It may have forgotten who we are. */
	if (r->status == 401 || r->status == 403 || r->status == 407)
		reg_doubt(t);
	host_worked(h, false);
}

void trunks_report(struct trunks *trunks, const char *name,
		   const struct trunk_way *way,
		   const struct trunk_report *report)
{
	struct trunk *t = trunk_find(trunks, name);
	struct trunk_host *h = t ? host_by_addr(t, &way->remote) : NULL;

	if (!h)
		return;
	switch (report->outcome) {
	case TRUNK_ANSWERED:
		take_answer(h, report);
		break;
	case TRUNK_SILENT:
		host_failed(h, BREAKER_SILENT, "a call");
		break;
	case TRUNK_REFUSED:
		host_failed(h, BREAKER_REFUSED, "a call");
		break;
	case TRUNK_UNSENT: /* ours to mend, and no fault of the host's */
		break;
	}
}
