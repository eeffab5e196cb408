/*
 * trunk_state.c - what a trunk is, in one word and one sentence
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A trunk is down when no host of it works or none is known, up when one has
 * answered, and unregistered while it answers but has not our binding.
 */
#include <stdio.h>
#include <string.h>

#include "core/alarm.h"
#include "core/log.h"
#include "trunk/trunk_priv.h"

const char *trunk_state_name(enum trunk_state state)
{
	static const char *const names[] = {
		[TRUNK_UNKNOWN] = "unknown",
		[TRUNK_UP] = "up",
		[TRUNK_UNREGISTERED] = "unregistered",
		[TRUNK_DOWN] = "down",
	};

	return names[state];
}

const char *trunk_grade_name(enum trunk_grade grade)
{
	static const char *const names[] = {
		[TRUNK_GOOD] = "good",
		[TRUNK_SUSPECT] = "silent",
		[TRUNK_OUT] = "busy",
	};

	return names[grade];
}

/* What of its hosts can be said. */
struct census {
	unsigned n, n_down, n_heard, n_no_route;
	const struct trunk_host *sick; /* the one to speak of */
};

static struct census count(const struct trunk *t)
{
	struct census c = {0};

	list_for_each (pos, &t->hosts) {
		const struct trunk_host *h =
			list_entry(pos, struct trunk_host, node);

		if (!host_is_present(h))
			continue;
		if (h->no_route) {
			c.n_no_route++;
			continue;
		}
		c.n++;
		if (breaker_is_down(&h->breaker)) {
			c.n_down++;
			if (!c.sick)
				c.sick = h;
		} else if (h->was_heard) {
			c.n_heard++;
		}
	}
	return c;
}

static enum trunk_state judge(const struct trunk *t,
			      char reason[TRUNK_REASON_BYTES])
{
	struct census c = count(t);
	const struct trunk_reg *r = &t->reg;

	reason[0] = '\0';
	if (!c.n && c.n_no_route)
		snprintf(reason, TRUNK_REASON_BYTES,
			 "no address of realm %.60s reaches any host",
			 t->conf->realm);
	else if (!c.n)
		hosts_reason(t, reason);
	else if (c.sick)
		snprintf(reason, TRUNK_REASON_BYTES, "%s", c.sick->reason);
	if ((!c.n && reason[0]) || (c.n && c.n_down == c.n))
		return TRUNK_DOWN;
	if (t->conf->do_register && !reg_is_held(t) && r->reason[0]) {
		snprintf(reason, TRUNK_REASON_BYTES, "%s", r->reason);
		return c.n_heard ? TRUNK_UNREGISTERED : TRUNK_UNKNOWN;
	}
	if (t->conf->do_register && !reg_is_held(t))
		return TRUNK_UNKNOWN;
	return c.n_heard ? TRUNK_UP : TRUNK_UNKNOWN;
}

static void log_change(const struct trunk *t)
{
	const struct log_kv kv[] = {
		kv_s("trunk", t->conf->name), kv_s("text", t->reason), {0}};

	switch (t->state) {
	case TRUNK_UP:
		log_info("trunk.up", kv_s("trunk", t->conf->name));
		break;
	case TRUNK_DOWN:
		log_warn("trunk.down", kv[0], kv[1]);
		break;
	case TRUNK_UNREGISTERED:
		log_warn("trunk.unregistered", kv[0], kv[1]);
		break;
	case TRUNK_UNKNOWN:
		break;
	}
}

static void tell(const struct trunks *trunks, enum trunk_state state,
		 const char *alarm)
{
	char text[160];
	struct buf b;

	buf_init(&b, text, sizeof(text));
	list_for_each (pos, &trunks->all) {
		const struct trunk *t = list_entry(pos, struct trunk, node);

		if (t->state == state)
			buf_printf(&b, "%s%s: %s", b.n ? "; " : "",
				   t->conf->name, t->reason);
	}
	if (b.n)
		alarm_raise(alarm, ALARM_CRITICAL, "%s", text);
	else
		alarm_clear(alarm);
}

void trunks_tell(struct trunks *trunks)
{
	tell(trunks, TRUNK_DOWN, "trunk-down");
	tell(trunks, TRUNK_UNREGISTERED, "trunk-unregistered");
}

void trunk_judge(struct trunk *t)
{
	char reason[TRUNK_REASON_BYTES];
	enum trunk_state state;

	if (t->is_leaving || t->owner->is_stopping)
		return;
	state = judge(t, reason);
	if (state == t->state && !strcmp(reason, t->reason))
		return;
	memcpy(t->reason, reason, sizeof(t->reason));
	if (state != t->state) {
		t->state = state;
		log_change(t);
	}
	trunks_tell(t->owner);
}
