/*
 * log.h - one event per line on standard error, as text or JSON
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   2026-01-02T03:04:05.678Z info reg.new aor=100@sbc source=192.0.2.7:5060
 *
 * Values are quoted as JSON strings where needed.  Never pass a password, a
 * digest response or a key.  Any thread; a line is queued without a lock that
 * could wait on the disk and written by the log's own thread once
 * log_thread_start() was called (before that at once).  When the queue is full
 * lines are dropped and counted in a log.lost line.
 */
#ifndef SBC_CORE_LOG_H
#define SBC_CORE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/buf.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

enum log_kind { LOG_KV_END, LOG_KV_STR, LOG_KV_INT, LOG_KV_ADDR };

struct log_kv {
	const char *key;
	enum log_kind kind;
	union {
		struct str s;
		int64_t i;
		const struct addr *a;
	};
};

static inline struct log_kv kv_s(const char *key, const char *value)
{
	return (struct log_kv){key, LOG_KV_STR, {.s = str_of(value)}};
}

static inline struct log_kv kv_str(const char *key, struct str value)
{
	return (struct log_kv){key, LOG_KV_STR, {.s = value}};
}

static inline struct log_kv kv_i(const char *key, int64_t value)
{
	return (struct log_kv){key, LOG_KV_INT, {.i = value}};
}

static inline struct log_kv kv_a(const char *key, const struct addr *value)
{
	return (struct log_kv){key, LOG_KV_ADDR, {.a = value}};
}

/* log_info("reg.new", kv_s("aor", aor), kv_a("source", &from)); */
#define log_error(event, ...) LOG_CALL(LOG_ERROR, event, ##__VA_ARGS__)
#define log_warn(event, ...)  LOG_CALL(LOG_WARN, event, ##__VA_ARGS__)
#define log_info(event, ...)  LOG_CALL(LOG_INFO, event, ##__VA_ARGS__)
#define log_debug(event, ...) LOG_CALL(LOG_DEBUG, event, ##__VA_ARGS__)
#define LOG_CALL(level, event, ...)                                            \
	do {                                                                   \
		if (log_enabled(level))                                        \
			log_event(level, event,                                \
				  (const struct log_kv[]){                     \
					  __VA_ARGS__ __VA_OPT__(, ){0}});     \
	} while (0)
/* For what a stranger can trigger: at most one line per event name and
 * second, with the count of what was left out. */
#define log_limited(level, event, ...)                                         \
	do {                                                                   \
		if (log_enabled(level) && log_admit(event))                    \
			log_event(level, event,                                \
				  (const struct log_kv[]){                     \
					  __VA_ARGS__ __VA_OPT__(, ){0}});     \
	} while (0)

bool log_enabled(enum log_level level);
bool log_admit(const char *event);
void log_event(enum log_level level, const char *event,
	       const struct log_kv *kv);

void log_setup(enum log_level level, enum log_format format);
int log_level_parse(const char *name, enum log_level *out); /* -EINVAL */
int log_thread_start(void);
void log_thread_stop(void); /* writes what is queued */
/* Tests: hand each finished line to @fn instead of standard error. */
void log_capture(void (*fn)(void *arg, const char *line), void *arg);

#endif
