/*
 * alarm.c - the table of standing alarms
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One table per process under one lock: alarms are few and change seldom.
 */
#include "core/alarm.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"

enum { ALARMS_MAX = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct alarm standing[ALARMS_MAX]; /* in order of their raising */
static size_t n_standing;

static struct alarm *find(const char *name)
{
	for (size_t i = 0; i < n_standing; i++)
		if (!strncmp(standing[i].name, name,
			     sizeof(standing[i].name) - 1))
			return &standing[i];
	return NULL;
}

/* Returns false when the table is full; *@fresh says that it is a new one. */
static bool note(const char *name, enum alarm_severity severity,
		 const char *text, bool *fresh)
{
	struct alarm *a = find(name);

	*fresh = !a;
	if (!a) {
		if (n_standing == ALARMS_MAX)
			return false;
		a = &standing[n_standing++];
		snprintf(a->name, sizeof(a->name), "%s", name);
		a->since = clock_wall();
	}
	a->severity = severity;
	memcpy(a->text, text, sizeof(a->text));
	return true;
}

void alarm_raise(const char *name, enum alarm_severity severity,
		 const char *fmt, ...)
{
	char text[sizeof(standing[0].text)];
	bool fresh, noted;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&lock);
	noted = note(name, severity, text, &fresh);
	pthread_mutex_unlock(&lock);
	/* A full table must not hide it: then at least the log tells. */
	if (fresh || !noted)
		log_warn("alarm.raised", kv_s("name", name),
			 kv_s("severity", alarm_severity_name(severity)),
			 kv_s("text", text));
}

void alarm_clear(const char *name)
{
	struct alarm *a;

	pthread_mutex_lock(&lock);
	a = find(name);
	if (a) {
		n_standing--;
		memmove(a, a + 1,
			(size_t)(standing + n_standing - a) * sizeof(*a));
	}
	pthread_mutex_unlock(&lock);
	if (a)
		log_info("alarm.cleared", kv_s("name", name));
}

size_t alarm_list(struct alarm *out, size_t max)
{
	size_t n;

	pthread_mutex_lock(&lock);
	n = n_standing < max ? n_standing : max;
	memcpy(out, standing, n * sizeof(*out));
	pthread_mutex_unlock(&lock);
	return n;
}

const char *alarm_severity_name(enum alarm_severity severity)
{
	static const char *const names[] = {
		[ALARM_NOTICE] = "notice",
		[ALARM_MINOR] = "minor",
		[ALARM_MAJOR] = "major",
		[ALARM_CRITICAL] = "critical",
	};

	return names[severity];
}
