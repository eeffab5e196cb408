/*
 * test_flow.c - listeners, realms and flows
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sip_rig.h"

static void a_listener_has_its_realm(void **state)
{
	struct rig *rig = *state;
	struct sip_listener l;

	assert_string_equal(sip_realm_at(rig->sip, SIP_UDP, &rig->local),
			    "lan");
	assert_null(sip_realm_at(rig->sip, SIP_UDP, &rig->peer));
	assert_true(sip_listener_at(rig->sip, 0, &l));
	assert_string_equal(l.realm, "lan");
	assert_true(l.up);
	assert_true(sip_listener_at(rig->sip, 1, &l));
	assert_false(sip_listener_at(rig->sip, 2, &l));
	assert_false(sip_listener_at(rig->sip, 1000, &l));
}

static void a_port_in_use_is_told(void **state)
{
	struct rig *rig = *state;
	struct sip_listener l;

	assert_int_equal(sip_listen(rig->sip, "lan", SIP_UDP, &rig->peer),
			 -EADDRINUSE);
	assert_false(sip_listener_at(rig->sip, 2, &l));
}

static void an_address_that_is_not_ours_is_told(void **state)
{
	struct rig *rig = *state;
	struct addr a;

	assert_int_equal(addr_parse_port(&a, "192.0.2.99:5060"), 0);
	assert_int_equal(sip_listen(rig->sip, "lan", SIP_UDP, &a),
			 -EADDRNOTAVAIL);
	addr_set_port(&a, 0);
	assert_int_equal(sip_listen(rig->sip, "lan", SIP_UDP, &a), -EINVAL);
}

static char seen_realm[64];

static void note_realm(struct rig *rig, struct sip_request *req)
{
	snprintf(seen_realm, sizeof(seen_realm), "%s",
		 sip_request_view(req)->realm);
	rig_default_handler(rig, req);
}

/* Two sockets of one address and family: the message's own decides. */
static void each_message_belongs_to_the_realm_of_its_socket(void **state)
{
	struct rig *rig = *state;
	struct addr other = rig->local;
	struct sip_flow flow;

	rig->handle = note_realm;
	for (int i = 0; i < 20; i++) {
		close(rig_socket(&other, SOCK_DGRAM));
		if (!sip_listen(rig->sip, "wan", SIP_UDP, &other))
			break;
	}
	rig_request_send(rig, "OPTIONS", "r1", "r1", 1, NULL, "");
	assert_int_equal(rig_status(rig), 200);
	assert_string_equal(seen_realm, "lan");
	rig->local = other;
	rig_request_send(rig, "OPTIONS", "r2", "r2", 1, NULL, "");
	assert_int_equal(rig_status(rig), 200);
	assert_string_equal(seen_realm, "wan");
	assert_int_equal(
		sip_flow_to(rig->sip, "wan", SIP_UDP, &rig->peer, &flow), 0);
	assert_true(addr_equal(&flow.local, &other));
}

static void requests_leave_from_the_socket_of_their_flow(void **state)
{
	struct rig *rig = *state;
	const struct sip_message m = {.method = SIP_OPTIONS};
	struct sip_dialog_conf conf = {.target = "sip:x@h", .local_user = "a"};
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct addr other, seen;
	char byte;

	for (int i = 0; i < 20; i++) {
		close(rig_socket(&other, SOCK_DGRAM));
		if (!sip_listen(rig->sip, "wan", SIP_UDP, &other))
			break;
	}
	assert_int_equal(
		sip_flow_to(rig->sip, "wan", SIP_UDP, &rig->peer, &conf.flow),
		0);
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
	assert_int_equal(sip_dialog_request(rig->dialog, NULL, &m, NULL, NULL),
			 0);
	rig_turn(rig);
	assert_true(recvfrom(rig->fd, &byte, 1, MSG_DONTWAIT,
			     (struct sockaddr *)&from, &len) > 0);
	assert_int_equal(addr_from_sa(&seen, (struct sockaddr *)&from, len), 0);
	assert_true(addr_equal(&seen, &other));
}

static void no_realm_no_flow(void **state)
{
	struct rig *rig = *state;
	struct sip_flow flow;
	struct addr v6;

	assert_int_equal(
		sip_flow_to(rig->sip, "none", SIP_UDP, &rig->peer, &flow),
		-ENETUNREACH);
	assert_int_equal(addr_parse_port(&v6, "[::1]:5060"), 0);
	assert_int_equal(sip_flow_to(rig->sip, "lan", SIP_UDP, &v6, &flow),
			 -ENETUNREACH);
}

static void a_listener_goes_down_and_comes_back(void **state)
{
	struct rig *rig = *state;
	struct sip_listener l;
	struct sip_flow flow;

	assert_int_equal(
		sip_flow_to(rig->sip, "lan", SIP_UDP, &rig->peer, &flow), 0);
	sip_listener_down(rig->sip, SIP_UDP, &rig->local);
	assert_true(sip_listener_at(rig->sip, 0, &l));
	assert_false(l.up);
	assert_false(sip_flow_alive(rig->sip, &flow));
	assert_int_equal(sip_ping_crlf(rig->sip, &flow), -ENETDOWN);
	assert_int_equal(
		sip_flow_to(rig->sip, "lan", SIP_UDP, &rig->peer, &flow),
		-ENETUNREACH);
	assert_int_equal(sip_listen(rig->sip, "lan2", SIP_UDP, &rig->local), 0);
	assert_string_equal(sip_realm_at(rig->sip, SIP_UDP, &rig->local),
			    "lan2");
	assert_true(sip_flow_alive(rig->sip, &flow));
}

static void our_own_addresses_are_known(void **state)
{
	struct rig *rig = *state;

	assert_true(sip_is_local(rig->sip, "127.0.0.1"));
	assert_false(sip_is_local(rig->sip, "127.0.0.2"));
	assert_false(sip_is_local(rig->sip, "example.org"));
	assert_false(sip_is_local(rig->sip, ""));
	assert_true(sip_is_own(rig->sip, &rig->local));
	assert_false(sip_is_own(rig->sip, &rig->peer));
}

static void flows_are_equal_in_all_parts(void **state)
{
	struct rig *rig = *state;
	struct sip_flow a, b;

	assert_int_equal(sip_flow_to(rig->sip, "lan", SIP_UDP, &rig->peer, &a),
			 0);
	b = a;
	assert_true(sip_flow_equal(&a, &b));
	b.conn = 7;
	assert_false(sip_flow_equal(&a, &b));
	b = a;
	addr_set_port(&b.remote, 1);
	assert_false(sip_flow_equal(&a, &b));
	b = a;
	b.transport = SIP_TCP;
	assert_false(sip_flow_equal(&a, &b));
}

static void ipv6_works_the_same(void **state)
{
	struct rig *rig = *state;
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
				   .sin6_addr = in6addr_loopback};
	socklen_t len = sizeof(in6);
	char value[512];
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&in6, sizeof(in6)))
		fail_msg("this machine has no IPv6 loopback");
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in6, &len), 0);
	/* The port of the IPv4 listener is free for IPv6 in all likelihood. */
	in6.sin6_port = htons(addr_port(&rig->local));
	assert_int_equal(
		addr_from_sa(&rig->local, (struct sockaddr *)&in6, len), 0);
	assert_int_equal(sip_listen(rig->sip, "six", SIP_UDP, &rig->local), 0);
	close(rig->fd);
	rig->fd = fd;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in6, &len), 0);
	assert_int_equal(addr_from_sa(&rig->peer, (struct sockaddr *)&in6, len),
			 0);
	rig->handle = note_realm;
	rig_send(rig, "OPTIONS sip:x@[::1] SIP/2.0\r\n"
		      "Via: SIP/2.0/UDP [2001:db8::9]:9;branch=z9hG4bK6\r\n"
		      "From: <sip:a@b>;tag=1\r\nTo: <sip:x@h>\r\n"
		      "Call-ID: v6\r\nCSeq: 1 OPTIONS\r\n"
		      "Content-Length: 0\r\n\r\n");
	assert_int_equal(rig_status(rig), 200);
	assert_string_equal(seen_realm, "six");
	assert_non_null(strstr(rig_header(rig, "Via", value), "received=::1"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_listener_has_its_realm),
		TEST(a_port_in_use_is_told),
		TEST(an_address_that_is_not_ours_is_told),
		TEST(each_message_belongs_to_the_realm_of_its_socket),
		TEST(requests_leave_from_the_socket_of_their_flow),
		TEST(no_realm_no_flow),
		TEST(a_listener_goes_down_and_comes_back),
		TEST(our_own_addresses_are_known),
		TEST(flows_are_equal_in_all_parts),
		TEST(ipv6_works_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
