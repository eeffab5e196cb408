/*
 * test_addr.c - addresses as values
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/addr.h"

static struct addr addr(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_port(&a, text), 0);
	return a;
}

static const char *again(const char *text)
{
	static char out[ADDR_TEXT_MAX];
	struct addr a = addr(text);

	return addr_fmt(&a, out);
}

static int parse(const char *host)
{
	struct addr a;

	return addr_parse(&a, host, strlen(host), 5060);
}

static void literals_come_back_as_they_were(void **state)
{
	assert_string_equal(again("192.0.2.1:5060"), "192.0.2.1:5060");
	assert_string_equal(again("[2001:db8::1]:5060"), "[2001:db8::1]:5060");
	assert_string_equal(again("[2001:0DB8:0::0001]:0"), "[2001:db8::1]:0");
	assert_string_equal(again("0.0.0.0:65535"), "0.0.0.0:65535");
}

static void longest_address_fits_its_text(void **state)
{
	const char *text = "[fe80:1111:2222:3333:4444:5555:6666:7777"
			   "%4294967295]:65535";

	assert_true(strlen(text) < ADDR_TEXT_MAX);
	assert_string_equal(again(text), text);
}

static void hosts_parse_with_and_without_brackets(void **state)
{
	char text[ADDR_TEXT_MAX];
	struct addr a;

	assert_int_equal(addr_parse(&a, "[2001:db8::1]x", 13, 1), 0);
	assert_string_equal(addr_fmt_host(&a, text), "2001:db8::1");
	assert_string_equal(addr_fmt_uri(&a, text), "[2001:db8::1]");
	assert_int_equal(addr_parse(&a, "2001:db8::2", 11, 7), 0);
	assert_string_equal(addr_fmt(&a, text), "[2001:db8::2]:7");
	assert_int_equal(addr_parse(&a, "192.0.2.77", 9, 7), 0);
	assert_string_equal(addr_fmt_uri(&a, text), "192.0.2.7");
}

static void what_is_no_literal_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"localhost",
		"192.0.2",
		"192.0.2.256",
		"192.0.2.1.",
		"192.0.2.01",
		"0xc0.0.2.1",
		"3221225985",
		" 192.0.2.1",
		"192.0.2.1 ",
		"[192.0.2.1]",
		"[",
		"[]",
		"[::1",
		"::1]",
		":",
		":::",
		"1::2::3",
		"12345::",
		"::g",
		"[[::1]]",
		"192.0.2.1:1",
		"2001:db8::1%1",
		"fe80::1%",
		"fe80::1%no-such-interface-at-all",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i]), -EINVAL);
}

static void nul_inside_a_host_is_refused(void **state)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, "192.0.2.1\0.evil", 15, 1), -EINVAL);
	assert_int_equal(addr_parse(&a, "::1\0", 4, 1), -EINVAL);
}

static void refused_text_leaves_the_result_untouched(void **state)
{
	struct addr a = addr("192.0.2.1:5"), b = a;

	assert_int_equal(addr_parse(&a, "nonsense", 8, 1), -EINVAL);
	assert_int_equal(addr_parse_port(&a, "192.0.2.1:"), -EINVAL);
	assert_memory_equal(&a, &b, sizeof(a));
}

static void port_is_required_and_in_range(void **state)
{
	struct addr a;

	assert_int_equal(addr_parse_port(&a, "192.0.2.1"), -EINVAL);
	assert_int_equal(addr_parse_port(&a, "192.0.2.1:65536"), -EINVAL);
	assert_int_equal(addr_parse_port(&a, "192.0.2.1:-1"), -EINVAL);
	assert_int_equal(addr_parse_port(&a, "[2001:db8::1]"), -EINVAL);
	assert_int_equal(addr_parse_port(&a, "2001:db8::1:5060"), -EINVAL);
	assert_int_equal(addr_parse_port(&a, ":5060"), -EINVAL);
}

static void mapped_addresses_are_ipv4(void **state)
{
	struct addr v4 = addr("192.0.2.1:5060");
	struct addr mapped = addr("[::ffff:192.0.2.1]:5060"), from_kernel;
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6};

	assert_int_equal(addr_family(&mapped), AF_INET);
	assert_true(addr_equal(&v4, &mapped));
	sa.sin6_port = htons(5060);
	memcpy(sa.sin6_addr.s6_addr + 10, "\xff\xff\xc0\x00\x02\x01", 6);
	assert_int_equal(addr_from_sa(&from_kernel, (void *)&sa, sizeof(sa)),
			 0);
	assert_true(addr_equal(&v4, &from_kernel));
	assert_int_equal(addr_hash(&v4), addr_hash(&from_kernel));
}

static void socket_address_survives_the_round_trip(void **state)
{
	static const char *const texts[] = {
		"192.0.2.1:5060", "[2001:db8::1]:5061", "[fe80::1%3]:5062"};

	for (size_t i = 0; i < 3; i++) {
		struct addr a = addr(texts[i]), b;

		assert_int_equal(addr_from_sa(&b, &a.sa, addr_len(&a)), 0);
		assert_true(addr_equal(&a, &b));
		assert_int_equal(addr_hash(&a), addr_hash(&b));
	}
}

static void short_or_foreign_socket_address_is_refused(void **state)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6};
	struct addr a;

	assert_int_equal(addr_from_sa(&a, (void *)&sa, sizeof(sa) - 1),
			 -EAFNOSUPPORT);
	assert_int_equal(addr_from_sa(&a, (void *)&sa, 0), -EAFNOSUPPORT);
	sa.sin6_family = AF_UNIX;
	assert_int_equal(addr_from_sa(&a, (void *)&sa, sizeof(sa)),
			 -EAFNOSUPPORT);
}

static void flow_label_does_not_count(void **state)
{
	struct addr a = addr("[2001:db8::1]:5060"), b;
	struct sockaddr_in6 sa = a.in6;

	sa.sin6_flowinfo = 77;
	sa.sin6_scope_id = 5; /* the kernel may name one; it means nothing */
	assert_int_equal(addr_from_sa(&b, (void *)&sa, sizeof(sa)), 0);
	assert_true(addr_equal(&a, &b));
	assert_int_equal(addr_hash(&a), addr_hash(&b));
}

static void equality_minds_host_port_and_scope(void **state)
{
	struct addr a = addr("192.0.2.1:5060"), b = addr("192.0.2.1:5061");
	struct addr c = addr("192.0.2.2:5060");
	struct addr e1 = addr("[fe80::1%1]:1"), e2 = addr("[fe80::1%2]:1");

	assert_false(addr_equal(&a, &b));
	assert_true(addr_same_host(&a, &b));
	assert_int_equal(addr_hash_host(&a), addr_hash_host(&b));
	assert_int_not_equal(addr_hash(&a), addr_hash(&b));
	assert_false(addr_same_host(&a, &c));
	assert_false(addr_same_host(&e1, &e2));
}

static void port_can_be_set(void **state)
{
	struct addr a = addr("192.0.2.1:1"), b = addr("[2001:db8::1]:1");

	addr_set_port(&a, 5060);
	addr_set_port(&b, 65535);
	assert_int_equal(addr_port(&a), 5060);
	assert_int_equal(addr_port(&b), 65535);
}

static void unset_address_is_harmless(void **state)
{
	struct addr a = {0}, b = {0};
	char text[ADDR_TEXT_MAX];

	assert_false(addr_is_set(&a));
	assert_int_equal(addr_port(&a), 0);
	assert_int_equal(addr_len(&a), 0);
	assert_int_equal(addr_family(&a), AF_UNSPEC);
	assert_int_equal(addr_class(&a), ADDR_NONE);
	assert_string_equal(addr_fmt(&a, text), "-");
	assert_string_equal(addr_fmt_uri(&a, text), "-");
	assert_true(addr_equal(&a, &b));
	addr_set_port(&a, 1);
	assert_false(addr_is_set(&a));
}

static void classes_are_told_apart_at_their_edges(void **state)
{
	static const struct {
		const char *text;
		enum addr_class class;
	} table[] = {
		{"0.0.0.0:1", ADDR_ANY},
		{"0.1.2.3:1", ADDR_ANY},
		{"127.0.0.1:1", ADDR_LOOPBACK},
		{"127.255.255.255:1", ADDR_LOOPBACK},
		{"169.254.1.1:1", ADDR_LINK_LOCAL},
		{"169.255.1.1:1", ADDR_GLOBAL},
		{"223.255.255.255:1", ADDR_GLOBAL},
		{"224.0.1.75:1", ADDR_MULTICAST},
		{"239.255.255.255:1", ADDR_MULTICAST},
		{"255.255.255.255:1", ADDR_MULTICAST},
		{"9.255.255.255:1", ADDR_GLOBAL},
		{"10.0.0.0:1", ADDR_PRIVATE},
		{"11.0.0.0:1", ADDR_GLOBAL},
		{"172.15.255.255:1", ADDR_GLOBAL},
		{"172.16.0.0:1", ADDR_PRIVATE},
		{"172.31.255.255:1", ADDR_PRIVATE},
		{"172.32.0.0:1", ADDR_GLOBAL},
		{"192.168.0.1:1", ADDR_PRIVATE},
		{"192.0.0.7:1", ADDR_PRIVATE},
		{"192.0.0.8:1", ADDR_GLOBAL},
		{"100.63.255.255:1", ADDR_GLOBAL},
		{"100.64.0.0:1", ADDR_CGN},
		{"100.127.255.255:1", ADDR_CGN},
		{"100.128.0.0:1", ADDR_GLOBAL},
		{"[::]:1", ADDR_ANY},
		{"[::1]:1", ADDR_LOOPBACK},
		{"[fe80::1]:1", ADDR_LINK_LOCAL},
		{"[febf::1]:1", ADDR_LINK_LOCAL},
		{"[ff02::1]:1", ADDR_MULTICAST},
		{"[fc00::1]:1", ADDR_PRIVATE},
		{"[fdff::1]:1", ADDR_PRIVATE},
		{"[2001:db8::1]:1", ADDR_GLOBAL},
		{"[::ffff:10.0.0.1]:1", ADDR_PRIVATE},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct addr a = addr(table[i].text);

		if (addr_class(&a) != table[i].class)
			fail_msg("class of %s", table[i].text);
	}
}

static void the_address_of_a_uri_is_read(void **state)
{
	static const struct {
		const char *uri, *addr;
	} uris[] = {
		{"sip:100@192.0.2.1", "192.0.2.1:5060"},
		{"sip:192.0.2.1:5070;transport=tcp", "192.0.2.1:5070"},
		{"sip:a:b@[2001:db8::1]:9", "[2001:db8::1]:9"},
		{"sip:100@[2001:db8::1]", "[2001:db8::1]:5060"},
		{"sip:100@192.0.2.1?x=y", "192.0.2.1:5060"},
		{"sip:100@host.example", NULL},
		{"sip:100@[2001:db8::1", NULL},
		{"sip:100@192.0.2.1:99999", NULL},
		{"sip:100@192.0.2.1:", NULL},
		{"sip:", NULL},
		{"", NULL},
	};
	char text[ADDR_TEXT_MAX];
	struct addr a;

	for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
		int err = addr_parse_uri(&a, uris[i].uri);

		assert_int_equal(err, uris[i].addr ? 0 : -EINVAL);
		if (!err)
			assert_string_equal(addr_fmt(&a, text), uris[i].addr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_come_back_as_they_were),
		cmocka_unit_test(longest_address_fits_its_text),
		cmocka_unit_test(hosts_parse_with_and_without_brackets),
		cmocka_unit_test(what_is_no_literal_is_refused),
		cmocka_unit_test(nul_inside_a_host_is_refused),
		cmocka_unit_test(refused_text_leaves_the_result_untouched),
		cmocka_unit_test(port_is_required_and_in_range),
		cmocka_unit_test(mapped_addresses_are_ipv4),
		cmocka_unit_test(socket_address_survives_the_round_trip),
		cmocka_unit_test(short_or_foreign_socket_address_is_refused),
		cmocka_unit_test(flow_label_does_not_count),
		cmocka_unit_test(equality_minds_host_port_and_scope),
		cmocka_unit_test(port_can_be_set),
		cmocka_unit_test(unset_address_is_harmless),
		cmocka_unit_test(classes_are_told_apart_at_their_edges),
		cmocka_unit_test(the_address_of_a_uri_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
