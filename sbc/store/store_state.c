/*
 * store_state.c - ok, degraded or set aside, and the alarms
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Both threads judge: the writer after each turn, the SIP thread once a second,
 * because a writer that hangs in the disk cannot say so.
 */
#include <stdio.h>
#include <string.h>

#include "core/alarm.h"
#include "core/err.h"
#include "core/log.h"
#include "store/writer.h"

static const char *const names[] = {
	[STORE_OK] = "ok",
	[STORE_DEGRADED] = "degraded",
	[STORE_SET_ASIDE] = "set_aside",
};

const char *store_state_name(enum store_state state)
{
	return names[state];
}

enum store_state store_state(const struct store *s)
{
	return atomic_load(&s->state);
}

static enum store_state assess(struct store *s, char why[STORE_WHY_BYTES])
{
	mono_ms since = atomic_load(&s->busy_since);
	uint64_t losses = atomic_load(&s->losses);

	if (since && clock_mono() - since > STORE_HUNG_MS)
		snprintf(why, STORE_WHY_BYTES, "the disk does not answer");
	else if (atomic_load(&s->is_sick))
		memcpy(why, s->why, STORE_WHY_BYTES);
	else if (losses != atomic_load(&s->cured_losses))
		snprintf(why, STORE_WHY_BYTES,
			 "the journal was full: some changes are only in "
			 "memory");
	else if (!journal_has_file(s->journal))
		snprintf(why, STORE_WHY_BYTES, "no journal file: %s",
			 err_name(s->journal_err));
	else
		return s->is_aside ? STORE_SET_ASIDE : STORE_OK;
	return STORE_DEGRADED;
}

void store_judge(struct store *s)
{
	char why[STORE_WHY_BYTES];
	enum store_state now, was;

	pthread_mutex_lock(&s->state_lock);
	was = atomic_load(&s->state);
	now = assess(s, why);
	atomic_store(&s->state, now);
	if (now == STORE_DEGRADED) {
		alarm_raise("store-degraded", ALARM_MAJOR, "%s", why);
		if (was != now)
			log_error("store.degraded", kv_s("reason", why));
	} else if (was == STORE_DEGRADED) {
		alarm_clear("store-degraded");
		log_info("store.recovered");
	}
	pthread_mutex_unlock(&s->state_lock);
}

void store_fall_sick(struct store *s, const char *why)
{
	pthread_mutex_lock(&s->state_lock);
	snprintf(s->why, sizeof(s->why), "%s", why);
	pthread_mutex_unlock(&s->state_lock);
	atomic_store(&s->is_sick, true);
}

void store_get_well(struct store *s)
{
	atomic_store(&s->is_sick, false);
}

void store_note_aside(struct store *s, const char *name, const char *why)
{
	pthread_mutex_lock(&s->state_lock);
	s->is_aside = true;
	pthread_mutex_unlock(&s->state_lock);
	log_error("store.set_aside", kv_s("file", name), kv_s("reason", why));
	alarm_raise("store-set-aside", ALARM_MAJOR,
		    "the database was damaged (%s), kept as %s", why,
		    strrchr(name, '/') ? strrchr(name, '/') + 1 : name);
}
