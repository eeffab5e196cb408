/*
 * test_crash.c - what a crash leaves behind
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/sys.h"

static char dir[64];

static int setup(void **state)
{
	strcpy(dir, "/tmp/test_crash.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static size_t last(const uint8_t **bytes)
{
	*bytes = (const uint8_t *)"INVITE sip:killer SIP/2.0";
	return 25;
}

/* Let a child die of @sig; returns how it died, and crash.txt in @report. */
static int die_of(int sig, char *report, size_t size)
{
	static const struct rlimit no_core;
	char path[128];
	size_t n = 0;
	int status;
	FILE *f;
	pid_t pid = fork();

	if (!pid) {
		setrlimit(RLIMIT_CORE, &no_core);
		sys_watch_crash(dir, last);
		raise(sig);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	snprintf(path, sizeof(path), "%s/crash.txt", dir);
	f = fopen(path, "r");
	if (f) {
		n = fread(report, 1, size - 1, f);
		fclose(f);
	}
	report[n] = '\0';
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void an_abort_leaves_backtrace_and_last_message(void **state)
{
	char report[16384];

	assert_int_equal(die_of(SIGABRT, report, sizeof(report)), SIGABRT);
	assert_non_null(strstr(report, "signal 6\n"));
	assert_non_null(strstr(report, "test_crash"));
	assert_non_null(strstr(report, "last message, bytes 25\n"
				       "INVITE sip:killer SIP/2.0"));
}

static void a_bus_error_dies_as_a_bus_error(void **state)
{
	char report[16384];

	assert_int_equal(die_of(SIGBUS, report, sizeof(report)), SIGBUS);
	assert_non_null(strstr(report, "signal 7\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(an_abort_leaves_backtrace_and_last_message),
		T(a_bus_error_dies_as_a_bus_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
