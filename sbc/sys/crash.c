/*
 * crash.c - what a crash leaves behind for whoever has to find out why
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The library's asserts abort; the supervisor restarts us within a second.
 * Only async-signal-safe calls in the handler (backtrace() is called once
 * before, so that it has loaded what it needs).
 */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "autoconf.h"
#include "sys/sys.h"

#ifdef CONFIG_BACKTRACE

enum {
	FRAMES = 48,
	LAST_BYTES = 4096,
	STACK_BYTES = 65536,
};

static char crash_path[4096];
static sys_last_fn last_message;
static char handler_stack[STACK_BYTES];

static void put(int fd, const void *bytes, size_t n)
{
	if (write(fd, bytes, n) < 0)
		return; /* nothing better can be done here */
}

static void put_text(int fd, const char *text)
{
	put(fd, text, strlen(text));
}

static void put_number(int fd, unsigned n)
{
	char text[12];
	size_t at = sizeof(text);

	do {
		text[--at] = '0' + n % 10;
		n /= 10;
	} while (n);
	put(fd, text + at, sizeof(text) - at);
}

static void on_crash(int sig)
{
	void *frames[FRAMES];
	const uint8_t *bytes = NULL;
	size_t n;
	int fd, count;

	fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0) {
		put_text(fd, "signal ");
		put_number(fd, sig);
		put_text(fd, "\n");
		count = backtrace(frames, FRAMES);
		backtrace_symbols_fd(frames, count, fd);
		n = last_message ? last_message(&bytes) : 0;
		put_text(fd, "last message, bytes ");
		put_number(fd, n);
		put_text(fd, "\n");
		put(fd, bytes, n < LAST_BYTES ? n : LAST_BYTES);
		close(fd);
	}
	raise(sig); /* SA_RESETHAND: dies as it would have */
}

void sys_watch_crash(const char *dir, sys_last_fn last)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
	struct sigaction sa = {
		.sa_handler = on_crash,
		.sa_flags = SA_RESETHAND | SA_ONSTACK,
	};
	stack_t stack = {
		.ss_sp = handler_stack,
		.ss_size = sizeof(handler_stack),
	};
	void *frame[1];

	snprintf(crash_path, sizeof(crash_path), "%s/crash.txt", dir);
	last_message = last;
	backtrace(frame, 1);
	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &sa, NULL);
}

#else

void sys_watch_crash(const char *dir, sys_last_fn last)
{
}

#endif
