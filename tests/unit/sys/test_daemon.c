/*
 * test_daemon.c - data directory and lock, service manager
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/sys.h"

static char base[64];

static int setup(void **state)
{
	strcpy(base, "/tmp/test_daemon.XXXXXX");
	return mkdtemp(base) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

static void a_new_directory_is_made_for_the_owner_only(void **state)
{
	char dir[128];
	struct stat st;

	snprintf(dir, sizeof(dir), "%s/data", base);
	assert_int_equal(sys_take_dir(dir), 0);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void an_open_directory_is_closed_to_others(void **state)
{
	struct stat st;

	assert_int_equal(chmod(base, 0755), 0);
	assert_int_equal(sys_take_dir(base), 0);
	assert_int_equal(stat(base, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static int status_of_child_that_takes(const char *dir)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(sys_take_dir(dir) == -EWOULDBLOCK ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void a_second_process_does_not_get_the_lock(void **state)
{
	assert_int_equal(status_of_child_that_takes(base), 0);
	assert_int_equal(sys_take_dir(base), 0);
	assert_int_equal(status_of_child_that_takes(base), 1);
}

static void a_directory_that_cannot_be_made_is_an_error(void **state)
{
	char dir[128];

	snprintf(dir, sizeof(dir), "%s/no/such", base);
	assert_int_equal(sys_take_dir(dir), -ENOENT);
}

static int listen_at(const struct sockaddr_un *at, socklen_t n)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)at, n), 0);
	return fd;
}

static void the_service_manager_hears_of_the_state(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char got[64] = "";
	int fd;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/notify", base);
	fd = listen_at(&at, sizeof(at));
	setenv("NOTIFY_SOCKET", at.sun_path, 1);
	sys_notify("READY=1");
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), 7);
	assert_string_equal(got, "READY=1");
	sys_notify("STOPPING=1");
	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), -1);
	close(fd);
}

static void an_abstract_socket_will_do(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char name[64], got[64] = "";
	int fd, n;

	n = snprintf(name, sizeof(name), "@test-daemon-%d", getpid());
	memcpy(at.sun_path + 1, name + 1, n - 1);
	fd = listen_at(&at, offsetof(struct sockaddr_un, sun_path) + n);
	setenv("NOTIFY_SOCKET", name, 1);
	sys_notify("READY=1");
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), 7);
	close(fd);
}

static void files_are_raised_to_the_hard_limit(void **state)
{
	assert_true(sys_raise_files() >= 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_new_directory_is_made_for_the_owner_only),
		T(an_open_directory_is_closed_to_others),
		T(a_second_process_does_not_get_the_lock),
		T(a_directory_that_cannot_be_made_is_an_error),
		T(the_service_manager_hears_of_the_state),
		T(an_abstract_socket_will_do),
		T(files_are_raised_to_the_hard_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
