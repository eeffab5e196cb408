/*
 * log.c - event lines: formatting, the queue to the writer thread, rate limit
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   log_event() ─▶ line on the stack ─▶ ring of slots ─▶ writer ─▶ stderr
 *                                  └─ before the thread runs: straight ─▶
 *
 * The ring is a bounded queue with a sequence number per slot (after D.
 * Vyukov): producers claim a slot by moving `head`, fill it and publish it by
 * its number; nobody ever waits.  A full ring loses the line and counts it.
 *
 * A value is written so that its bytes cannot end the line or the value:
 * control bytes and what is not UTF-8 become \u00xx, also when a long line is
 * cut, where the end is "..." inside the quotes.
 */
#include "core/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/clock.h"

enum {
	LINE_BYTES = 2048,  /* with its newline; sbc.ready lists addresses */
	TAIL_BYTES = 8,     /* kept free for what closes a cut line */
	RING_SLOTS = 512,   /* a power of two */
	EVENTS_MAX = 256,   /* a power of two: names under rate limit */
	ADMIT_MS = 1000,    /* one line per name and this time */
	BATCH_BYTES = 32768 /* written at once */
};

/* ---- one line ------------------------------------------------------------ */

struct line {
	char p[LINE_BYTES];
	size_t n;
	bool full; /* something was cut; takes no more */
};

static void line_raw(struct line *l, const char *p, size_t n)
{
	memcpy(l->p + l->n, p, n);
	l->n += n;
}

/* A piece goes in whole or not at all. */
static bool line_put(struct line *l, const char *p, size_t n)
{
	if (l->full || l->n + n > LINE_BYTES - TAIL_BYTES) {
		l->full = true;
		return false;
	}
	line_raw(l, p, n);
	return true;
}

static bool line_puts(struct line *l, const char *text)
{
	return line_put(l, text, strlen(text));
}

/* Length of the UTF-8 character at @p that may stand as it is, 0 when the
 * byte has to be escaped: not UTF-8 (RFC 3629), or a C1 control, which some
 * terminals obey. */
static size_t utf8_len(const unsigned char *p, size_t left)
{
	uint32_t c;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || n > left)
		return 0;
	c = p[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || c > 0x10ffff ||
	    (c >= 0xd800 && c <= 0xdfff) || c < 0xa0)
		return 0;
	return n;
}

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' ||
		    s.p[i] == '\\')
			return false;
	return s.n > 0;
}

/* One character of a JSON string (RFC 8259 7); returns the bytes it took. */
static size_t put_char(struct line *l, struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	char text[8];
	size_t n = utf8_len(p, s.n);

	if (*p == '"' || *p == '\\')
		n = (size_t)snprintf(text, sizeof(text), "\\%c", *p);
	else if (*p == '\n' || *p == '\r' || *p == '\t')
		n = (size_t)snprintf(text, sizeof(text), "\\%c",
				     *p == '\n'   ? 'n'
				     : *p == '\r' ? 'r'
						  : 't');
	else if (n == 0 || *p < ' ' || *p == 0x7f)
		n = (size_t)snprintf(text, sizeof(text), "\\u%04x", *p);
	else
		return line_put(l, s.p, n) ? n : s.n;
	return line_put(l, text, n) ? 1 : s.n;
}

static void put_quoted(struct line *l, struct str s)
{
	if (!line_put(l, "\"", 1))
		return;
	while (s.n) {
		size_t took = put_char(l, s);

		s.p += took;
		s.n -= took;
	}
	/* In the tail bytes, which are free: 4 here, "}\n" later. */
	if (l->full)
		line_raw(l, "...", 3);
	line_raw(l, "\"", 1);
}

static void put_value(struct line *l, const struct log_kv *kv, bool json)
{
	char text[ADDR_TEXT_MAX];
	struct str s = kv->s;

	if (kv->kind == LOG_KV_INT) {
		snprintf(text, sizeof(text), "%lld", (long long)kv->i);
		line_puts(l, text);
		return;
	}
	if (kv->kind == LOG_KV_ADDR)
		s = str_of(kv->a ? addr_fmt(kv->a, text) : "-");
	if (json || !is_plain(s) || l->n + s.n > LINE_BYTES - TAIL_BYTES)
		put_quoted(l, s);
	else
		line_put(l, s.p, s.n);
}

static void put_pair(struct line *l, const struct log_kv *kv, bool json)
{
	/* A key without room for a short value would be left hanging. */
	size_t least = strlen(kv->key) + 28;

	if (l->n + least > LINE_BYTES - TAIL_BYTES)
		l->full = true;
	if (l->full)
		return;
	line_puts(l, json ? ",\"" : " ");
	line_puts(l, kv->key);
	line_puts(l, json ? "\":" : "=");
	put_value(l, kv, json);
}

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static void line_format(struct line *l, enum log_level level, const char *event,
			const struct log_kv *kv, bool json)
{
	char time[CLOCK_TEXT_MAX], head[160];

	l->n = 0;
	l->full = false;
	snprintf(head, sizeof(head),
		 json ? "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\""
		      : "%s %s %s",
		 clock_fmt(clock_wall(), time), level_names[level], event);
	line_puts(l, head);
	for (; kv && kv->kind != LOG_KV_END; kv++)
		put_pair(l, kv, json);
}

static void line_close(struct line *l, bool json)
{
	if (json)
		line_raw(l, "}", 1);
	line_raw(l, "\n", 1);
}

/* ---- the ring ------------------------------------------------------------ */

struct slot {
	atomic_size_t seq;
	size_t n;
	char p[LINE_BYTES];
};

enum { GATHER_MS = 5 };

static struct {
	struct slot slots[RING_SLOTS];
	atomic_size_t head; /* next to claim */
	atomic_size_t tail; /* next to write; the writer's own */
	atomic_uint lost;
	atomic_bool running, stop, asleep, gathering;
	pthread_t thread;
	int wake_fd;
	char batch[BATCH_BYTES];
} ring = {.wake_fd = -1};

static bool ring_push(const struct line *l)
{
	size_t at = atomic_load_explicit(&ring.head, memory_order_relaxed);
	struct slot *slot;

	for (;;) {
		size_t seq;

		slot = &ring.slots[at % RING_SLOTS];
		seq = atomic_load_explicit(&slot->seq, memory_order_acquire);
		if (seq == at) {
			if (atomic_compare_exchange_weak_explicit(
				    &ring.head, &at, at + 1,
				    memory_order_relaxed, memory_order_relaxed))
				break;
		} else if ((ptrdiff_t)(seq - at) < 0) {
			return false; /* full */
		} else {
			at = atomic_load_explicit(&ring.head,
						  memory_order_relaxed);
		}
	}
	memcpy(slot->p, l->p, l->n);
	slot->n = l->n;
	atomic_store_explicit(&slot->seq, at + 1, memory_order_release);
	return true;
}

/* Append the oldest line to @out; false when there is none or no room. */
static bool ring_pop(char *out, size_t *n, size_t cap)
{
	struct slot *slot = &ring.slots[ring.tail % RING_SLOTS];

	if (atomic_load_explicit(&slot->seq, memory_order_acquire) !=
		    ring.tail + 1 ||
	    *n + slot->n > cap)
		return false;
	memcpy(out + *n, slot->p, slot->n);
	*n += slot->n;
	atomic_store_explicit(&slot->seq, ring.tail + RING_SLOTS,
			      memory_order_release);
	ring.tail++;
	return true;
}

static void write_out(const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(STDERR_FILENO, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return; /* nowhere to complain to */
		p += done;
		n -= (size_t)done;
	}
}

static void ring_drain(void)
{
	size_t n;

	do {
		n = 0;
		while (ring_pop(ring.batch, &n, sizeof(ring.batch)))
			;
		write_out(ring.batch, n);
	} while (n);
}

static bool is_filling(void)
{
	return atomic_load(&ring.head) - atomic_load(&ring.tail) >
	       RING_SLOTS / 4;
}

static void ring_wake(void)
{
	uint64_t one = 1;
	ssize_t rc;

	if (!atomic_exchange(&ring.asleep, false) &&
	    !(atomic_load(&ring.gathering) && is_filling()))
		return;
	rc = write(ring.wake_fd, &one, sizeof(one));
	(void)rc; /* fails only when the counter is full, thus awake */
}

/* ---- setup and the way of a line ----------------------------------------- */

static atomic_int min_level = LOG_INFO;
static atomic_int format = LOG_TEXT;

static pthread_mutex_t capture_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*capture_fn)(void *arg, const char *line);
static void *capture_arg;
static atomic_bool capturing;

/* Set by log_admit(), told by the next line of the same thread. */
static _Thread_local int64_t left_out;

static bool line_capture(struct line *l)
{
	pthread_mutex_lock(&capture_lock);
	if (capture_fn) {
		l->p[l->n - 1] = '\0';
		capture_fn(capture_arg, l->p);
		l->n = 0;
	}
	pthread_mutex_unlock(&capture_lock);
	return l->n == 0;
}

static void line_send(struct line *l)
{
	if (atomic_load(&capturing) && line_capture(l))
		return;
	if (!atomic_load(&ring.running))
		write_out(l->p, l->n);
	else if (!ring_push(l))
		atomic_fetch_add(&ring.lost, 1);
	else
		ring_wake();
}

void log_event(enum log_level level, const char *event, const struct log_kv *kv)
{
	bool json = atomic_load(&format) == LOG_JSON;
	struct line l;

	line_format(&l, level, event, kv, json);
	if (left_out) {
		struct log_kv more = kv_i("left_out", left_out);

		left_out = 0;
		put_pair(&l, &more, json);
	}
	line_close(&l, json);
	line_send(&l);
}

bool log_enabled(enum log_level level)
{
	return (int)level <=
	       atomic_load_explicit(&min_level, memory_order_relaxed);
}

void log_setup(enum log_level level, enum log_format fmt)
{
	atomic_store(&min_level, (int)level);
	atomic_store(&format, (int)fmt);
}

int log_level_parse(const char *name, enum log_level *out)
{
	for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
		if (!strcmp(name, level_names[i])) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

void log_capture(void (*fn)(void *arg, const char *line), void *arg)
{
	pthread_mutex_lock(&capture_lock);
	capture_fn = fn;
	capture_arg = arg;
	pthread_mutex_unlock(&capture_lock);
	atomic_store(&capturing, fn != NULL);
}

/* ---- rate limit ---------------------------------------------------------- */

static struct {
	_Atomic(const char *) name; /* a literal, never taken back */
	_Atomic mono_ms next;       /* earliest time of the next line */
	atomic_uint left_out;
} limits[EVENTS_MAX];

static size_t limit_of(const char *event)
{
	uint32_t h = 2166136261; /* FNV-1a; the names are our own */

	for (const char *p = event; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619;
	for (uint32_t i = 0; i < EVENTS_MAX; i++) {
		size_t at = (h + i) % EVENTS_MAX;
		const char *name = NULL;

		if (atomic_compare_exchange_strong(&limits[at].name, &name,
						   event) ||
		    !strcmp(name, event))
			return at;
	}
	return h % EVENTS_MAX; /* full: two names share one allowance */
}

bool log_admit(const char *event)
{
	size_t at = limit_of(event);
	mono_ms now = clock_mono();
	mono_ms next = atomic_load(&limits[at].next);

	if (now < next || !atomic_compare_exchange_strong(
				  &limits[at].next, &next, now + ADMIT_MS)) {
		atomic_fetch_add(&limits[at].left_out, 1);
		return false;
	}
	left_out = atomic_exchange(&limits[at].left_out, 0);
	return true;
}

/* ---- writer thread ------------------------------------------------------- */

static void tell_lost(void)
{
	unsigned n = atomic_exchange(&ring.lost, 0);
	const struct log_kv kv[] = {kv_i("count", n), {0}};
	bool json = atomic_load(&format) == LOG_JSON;
	struct line l;

	if (!n)
		return;
	line_format(&l, LOG_WARN, "log.lost", kv, json);
	line_close(&l, json);
	write_out(l.p, l.n);
}

/* Lines come in bursts.  To be woken for each costs the thread that logs more
 * than the line itself, so let some gather: they are 5 ms late in the file. */
static void gather(void)
{
	struct pollfd wake = {.fd = ring.wake_fd, .events = POLLIN};

	atomic_store(&ring.gathering, true);
	if (!atomic_load(&ring.stop) && !is_filling())
		poll(&wake, 1, GATHER_MS);
	atomic_store(&ring.gathering, false);
}

static void *writer(void *arg)
{
	uint64_t count;

	while (!atomic_load(&ring.stop)) {
		ring_drain();
		tell_lost();
		atomic_store(&ring.asleep, true);
		/* A line may have come before we said that we sleep. */
		if (atomic_load(&ring.slots[ring.tail % RING_SLOTS].seq) ==
			    ring.tail + 1 ||
		    atomic_load(&ring.stop))
			continue;
		if (read(ring.wake_fd, &count, sizeof(count)) < 0 &&
		    errno != EINTR)
			break;
		gather();
	}
	return NULL;
}

int log_thread_start(void)
{
	sigset_t all, old;
	int err;

	if (atomic_load(&ring.running))
		return 0;
	/* Never closed: a late producer may be about to write to it. */
	if (ring.wake_fd < 0)
		ring.wake_fd = eventfd(0, EFD_CLOEXEC);
	if (ring.wake_fd < 0)
		return -errno;
	for (size_t i = 0; i < RING_SLOTS; i++)
		atomic_store(&ring.slots[i].seq, i);
	atomic_store(&ring.head, 0);
	ring.tail = 0;
	atomic_store(&ring.stop, false);
	/* Signals are the main thread's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&ring.thread, NULL, writer, NULL);
	if (!err)
		pthread_setname_np(ring.thread, "sbc-log");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return -err;
	atomic_store(&ring.running, true);
	return 0;
}

void log_thread_stop(void)
{
	if (!atomic_exchange(&ring.running, false))
		return;
	atomic_store(&ring.stop, true);
	atomic_store(&ring.asleep, true);
	ring_wake();
	pthread_join(ring.thread, NULL);
	ring_drain();
	tell_lost();
}
