/*
 * test_iface.c - addresses of a machine that the test makes for itself
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * All in a network namespace of its own with nothing but lo, at first down.
 */
#include <errno.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/net.h"

struct seen {
	char names[16][IF_NAMESIZE];
	struct addr addrs[16];
	size_t n;
};

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, text, strlen(text), 0), 0);
	return a;
}

static void enter_own_namespace(void)
{
	if (!unshare(CLONE_NEWNET) || !unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return;
	fail_msg("no right to make a network namespace: run as root or allow "
		 "user namespaces");
}

static void set_up(const char *name, bool up)
{
	struct ifreq req = {.ifr_flags = up ? IFF_UP : 0};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strcpy(req.ifr_name, name);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &req), 0);
	close(fd);
}

static void give4(const char *alias, const char *text)
{
	struct ifreq req = {0};
	struct addr a = addr_of(text);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strcpy(req.ifr_name, alias);
	memcpy(&req.ifr_addr, &a.in, sizeof(a.in));
	assert_int_equal(ioctl(fd, SIOCSIFADDR, &req), 0);
	close(fd);
}

static void give6(const char *text)
{
	struct addr a = addr_of(text);
	struct in6_ifreq req = {.ifr6_addr = a.in6.sin6_addr,
				.ifr6_prefixlen = 64,
				.ifr6_ifindex = (int)if_nametoindex("lo")};
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	assert_int_equal(ioctl(fd, SIOCSIFADDR, &req), 0);
	close(fd);
}

static void note(void *arg, const char *interface, const struct addr *a)
{
	struct seen *seen = arg;

	assert_true(seen->n < 16);
	strcpy(seen->names[seen->n], interface);
	seen->addrs[seen->n++] = *a;
}

static void count(void *arg)
{
	++*(int *)arg;
}

struct rig {
	struct loop *loop;
	struct net *net;
	struct seen seen;
	int changes;
};

static int start(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	enter_own_namespace();
	assert_int_equal(loop_create(&rig->loop), 0);
	assert_int_equal(net_open(&rig->net, rig->loop, count, &rig->changes),
			 0);
	*state = rig;
	return 0;
}

static int stop(void **state)
{
	struct rig *rig = *state;

	net_close(rig->net);
	loop_destroy(rig->loop);
	free(rig);
	return 0;
}

static const char *interface_of(struct rig *rig, const char *text)
{
	struct addr a = addr_of(text);

	rig->seen.n = 0;
	assert_int_equal(net_each(rig->net, note, &rig->seen), 0);
	for (size_t i = 0; i < rig->seen.n; i++) {
		if (addr_equal(&rig->seen.addrs[i], &a))
			return rig->seen.names[i];
	}
	return NULL;
}

/* An IPv6 address is tentative at first, even on lo; bounded. */
static const char *awaited_interface_of(struct rig *rig, const char *text)
{
	const char *name = interface_of(rig, text);

	for (int turns = 0; turns < 50 && !name; turns++) {
		loop_step(rig->loop, 100);
		name = interface_of(rig, text);
	}
	return name ? name : "";
}

/* Turns of the loop until news came; bounded, each waits 100 ms at most. */
static bool hears_of_change(struct rig *rig)
{
	rig->changes = 0;
	for (int turns = 0; turns < 50 && !rig->changes; turns++)
		loop_step(rig->loop, 100);
	return rig->changes > 0;
}

static void interface_that_is_down_has_no_addresses(void **state)
{
	struct rig *rig = *state;

	give4("lo", "198.51.100.7");
	set_up("lo", false);
	assert_null(interface_of(rig, "198.51.100.7"));
}

static void
address_of_an_interface_that_is_up_is_told_with_its_name(void **state)
{
	struct rig *rig = *state;

	set_up("lo", true);
	assert_string_equal(awaited_interface_of(rig, "127.0.0.1"), "lo");
	assert_string_equal(awaited_interface_of(rig, "::1"), "lo");
}

static void every_address_of_an_interface_is_told(void **state)
{
	struct rig *rig = *state;

	set_up("lo", true);
	give4("lo:1", "198.51.100.7");
	give6("2001:db8::7");
	assert_string_equal(awaited_interface_of(rig, "198.51.100.7"), "lo");
	assert_string_equal(awaited_interface_of(rig, "2001:db8::7"), "lo");
	assert_non_null(interface_of(rig, "127.0.0.1"));
}

static void link_local_ipv6_is_left_out(void **state)
{
	struct rig *rig = *state;

	set_up("lo", true);
	give6("fe80::7");
	give6("2001:db8::7");
	assert_string_equal(awaited_interface_of(rig, "2001:db8::7"), "lo");
	assert_null(interface_of(rig, "fe80::7"));
}

static void new_address_is_news(void **state)
{
	struct rig *rig = *state;

	set_up("lo", true);
	assert_true(hears_of_change(rig));
	give4("lo:1", "198.51.100.7");
	assert_true(hears_of_change(rig));
}

static void interface_going_down_is_news(void **state)
{
	struct rig *rig = *state;

	set_up("lo", true);
	assert_true(hears_of_change(rig));
	set_up("lo", false);
	assert_true(hears_of_change(rig));
}

static void closed_net_hears_nothing(void **state)
{
	struct rig *rig = *state;

	net_close(rig->net);
	rig->net = NULL;
	set_up("lo", true);
	loop_step(rig->loop, 0);
	assert_int_equal(rig->changes, 0);
}

static void source_is_the_address_that_the_route_names(void **state)
{
	struct addr to = addr_of("127.0.0.1"), from;

	set_up("lo", true);
	assert_int_equal(net_source_for(&from, &to), 0);
	assert_true(addr_equal(&from, &to));
	to = addr_of("::1");
	addr_set_port(&to, 5060);
	assert_int_equal(net_source_for(&from, &to), 0);
	assert_true(addr_same_host(&from, &to));
	assert_int_equal(addr_port(&from), 0);
}

static void no_route_is_an_error_and_writes_nothing(void **state)
{
	struct addr to = addr_of("192.0.2.1"), from = addr_of("10.1.1.1");
	struct addr before = from;

	assert_int_equal(net_source_for(&from, &to), -ENETUNREACH);
	assert_true(addr_equal(&from, &before));
}

static void unset_address_has_no_source(void **state)
{
	struct addr to = {0}, from;

	assert_int_equal(net_source_for(&from, &to), -EAFNOSUPPORT);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(interface_that_is_down_has_no_addresses),
		TEST(address_of_an_interface_that_is_up_is_told_with_its_name),
		TEST(every_address_of_an_interface_is_told),
		TEST(link_local_ipv6_is_left_out),
		TEST(new_address_is_news),
		TEST(interface_going_down_is_news),
		TEST(closed_net_hears_nothing),
		TEST(source_is_the_address_that_the_route_names),
		TEST(no_route_is_an_error_and_writes_nothing),
		TEST(unset_address_has_no_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
