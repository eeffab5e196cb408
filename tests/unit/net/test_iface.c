/*
 * test_iface.c - addresses of a machine that the test makes for itself
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * All in a network namespace of its own with nothing but lo, at first down.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
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

/* ---- neighbours ------------------------------------------------------------ */

static bool is_neighbour(struct rig *rig, const char *text)
{
	struct addr a = addr_of(text);

	addr_set_port(&a, 5060);
	return net_is_on_link(rig->net, &a);
}

static void mask4(const char *alias, const char *text)
{
	struct ifreq req = {0};
	struct addr a = addr_of(text);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strcpy(req.ifr_name, alias);
	memcpy(&req.ifr_netmask, &a.in, sizeof(a.in));
	assert_int_equal(ioctl(fd, SIOCSIFNETMASK, &req), 0);
	close(fd);
}

/* Until the news of what the test has just done has come; bounded. */
static bool becomes_neighbour(struct rig *rig, const char *text, bool yes)
{
	for (int turns = 0; turns < 50 && is_neighbour(rig, text) != yes;
	     turns++)
		loop_step(rig->loop, 100);
	return is_neighbour(rig, text) == yes;
}

static void the_nets_of_our_interfaces_are_on_link(void **state)
{
	struct rig *rig = *state;

	set_up("lo", true);
	give4("lo:1", "198.51.100.7");
	mask4("lo:1", "255.255.255.128");
	give6("2001:db8:1::7");
	assert_true(becomes_neighbour(rig, "2001:db8:1::99", true));
	assert_true(becomes_neighbour(rig, "198.51.100.128", false));
	assert_true(is_neighbour(rig, "198.51.100.7"));
	assert_true(is_neighbour(rig, "198.51.100.127"));
	assert_false(is_neighbour(rig, "198.51.101.7"));
	assert_false(is_neighbour(rig, "2001:db8:2::7"));
	assert_false(is_neighbour(rig, "192.0.2.1"));
}

static void an_address_of_32_bits_has_no_neighbours(void **state)
{
	struct rig *rig = *state;

	set_up("lo", true);
	give4("lo:1", "198.51.100.7");
	mask4("lo:1", "255.255.255.255");
	assert_true(becomes_neighbour(rig, "198.51.100.8", false));
	assert_true(becomes_neighbour(rig, "198.51.100.7", true));
}

static void a_net_that_goes_takes_its_neighbours_along(void **state)
{
	struct rig *rig = *state;

	set_up("lo", true);
	give4("lo:1", "198.51.100.7");
	assert_true(becomes_neighbour(rig, "198.51.100.8", true));
	set_up("lo", false);
	assert_true(becomes_neighbour(rig, "198.51.100.8", false));
}

/* A tunnel: our end is 10.9.0.1, the other 10.9.7.2, nothing else is there. */
static void make_tunnel(const char *ours, const char *peer)
{
	struct ifreq req = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC), fd;
	struct addr a = addr_of(ours), b = addr_of(peer);

	if (tun < 0)
		skip(); /* no tun device on this machine */
	strcpy(req.ifr_name, "tun0");
	assert_int_equal(ioctl(tun, TUNSETIFF, &req), 0);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	memcpy(&req.ifr_addr, &a.in, sizeof(a.in));
	assert_int_equal(ioctl(fd, SIOCSIFADDR, &req), 0);
	memcpy(&req.ifr_dstaddr, &b.in, sizeof(b.in));
	assert_int_equal(ioctl(fd, SIOCSIFDSTADDR, &req), 0);
	close(fd);
	set_up("tun0", true);
	/* @tun stays open, or the tunnel goes; exit closes it. */
}

static void the_other_end_of_a_tunnel_is_on_link(void **state)
{
	struct rig *rig = *state;

	make_tunnel("10.9.0.1", "10.9.7.2");
	assert_true(becomes_neighbour(rig, "10.9.7.2", true));
	assert_true(is_neighbour(rig, "10.9.0.1"));
	assert_false(is_neighbour(rig, "10.9.7.3"));
	assert_false(is_neighbour(rig, "10.9.0.2"));
}

static void loopback_is_on_link_whatever_is_up(void **state)
{
	struct rig *rig = *state;

	assert_true(is_neighbour(rig, "127.0.0.99"));
	assert_true(is_neighbour(rig, "::1"));
	assert_false(net_is_on_link(rig->net, &(struct addr){0}));
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
		TEST(the_nets_of_our_interfaces_are_on_link),
		TEST(an_address_of_32_bits_has_no_neighbours),
		TEST(a_net_that_goes_takes_its_neighbours_along),
		TEST(the_other_end_of_a_tunnel_is_on_link),
		TEST(loopback_is_on_link_whatever_is_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
