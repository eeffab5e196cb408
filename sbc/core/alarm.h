/*
 * alarm.h - named conditions that an admin should know of, raised and cleared
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Raising an alarm that stands already keeps its time and renews its text.
 * Any thread; never on the packet path (takes a lock).
 */
#ifndef SBC_CORE_ALARM_H
#define SBC_CORE_ALARM_H

#include <stddef.h>

#include "core/clock.h"

enum alarm_severity { ALARM_NOTICE, ALARM_MINOR, ALARM_MAJOR, ALARM_CRITICAL };

struct alarm {
	char name[32];
	enum alarm_severity severity;
	wall_ms since;
	char text[160];
};

void alarm_raise(const char *name, enum alarm_severity severity,
		 const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void alarm_clear(const char *name);
/* Copy up to @max standing alarms; returns how many. */
size_t alarm_list(struct alarm *out, size_t max);
const char *alarm_severity_name(enum alarm_severity severity);

#endif
