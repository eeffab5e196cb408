/*
 * test_dns_wire.c - questions as bytes, answers well and ill meant
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dns_packet.h"

#define HOST "sip.example.com"

static struct packet p;
static struct dns_records r;

static int read_as(const char *name, enum dns_type type)
{
	/* A copy of just that size: a step too far is seen. */
	uint8_t *exact = test_malloc(p.n ? p.n : 1);
	int err;

	memcpy(exact, p.bytes, p.n);
	err = dns_wire_read(&r, exact, p.n, PK_ID, name, type);
	test_free(exact);
	return err;
}

static const char *host_of(unsigned i)
{
	static char text[ADDR_TEXT_MAX];

	return addr_fmt_host(&r.list[i].addr, text);
}

/* ---- questions ------------------------------------------------------------- */

static void a_question_has_the_bytes_of_the_rfc(void **state)
{
	static const char want[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00"
				   "\x00\x00\x04_sip\x04_udp\x02"
				   "ex\x00"
				   "\x00\x21\x00\x01";
	uint8_t out[DNS_QUERY_BYTES];
	int n = dns_wire_ask(out, PK_ID, "_sip._udp.ex", DNS_SRV);

	assert_int_equal(n, sizeof(want) - 1);
	assert_memory_equal(out, want, sizeof(want) - 1);
}

static void
names_are_labels_of_letters_digits_hyphen_and_underscore(void **state)
{
	char label[70], name[300] = "";

	assert_true(dns_name_is_valid("a"));
	assert_true(dns_name_is_valid("_sip._udp.A-1.example"));
	assert_false(dns_name_is_valid(""));
	assert_false(dns_name_is_valid("."));
	assert_false(dns_name_is_valid("a..b"));
	assert_false(dns_name_is_valid(".a"));
	assert_false(dns_name_is_valid("a."));
	assert_false(dns_name_is_valid("a b"));
	assert_false(dns_name_is_valid("a\r\nb"));
	memset(label, 'x', sizeof(label));
	label[64] = '\0';
	assert_false(dns_name_is_valid(label));
	label[63] = '\0';
	assert_true(dns_name_is_valid(label));
	for (int i = 0; i < 126; i++)
		strcat(name, "a.");
	strcat(name, "a");
	assert_int_equal(strlen(name), 253);
	assert_true(dns_name_is_valid(name));
	strcat(name, "b");
	assert_false(dns_name_is_valid(name));
}

static void the_longest_name_fits_into_a_question(void **state)
{
	uint8_t out[DNS_QUERY_BYTES];
	char name[254];

	memset(name, 'a', sizeof(name));
	for (int i = 63; i < 253; i += 64)
		name[i] = '.';
	name[253] = '\0';
	assert_int_equal(dns_wire_ask(out, 1, name, DNS_A), 12 + 255 + 4);
	assert_int_equal(dns_wire_ask(out, 1, "a..b", DNS_A), -EINVAL);
}

/* ---- answers ---------------------------------------------------------------- */

static void addresses_are_read_with_the_shortest_ttl(void **state)
{
	pk_begin(&p, PK_WELL, HOST, DNS_A);
	pk_address(&p, HOST, 300, "192.0.2.1");
	pk_address(&p, HOST, 60, "192.0.2.2");
	assert_int_equal(read_as(HOST, DNS_A), 0);
	assert_int_equal(r.result, DNS_OK);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.ttl_s, 60);
	assert_string_equal(host_of(0), "192.0.2.1");
	assert_string_equal(host_of(1), "192.0.2.2");
	assert_int_equal(addr_port(&r.list[0].addr), 0);
}

static void names_are_compared_without_case(void **state)
{
	pk_begin(&p, PK_WELL, "SIP.Example.COM", DNS_AAAA);
	pk_address(&p, "sip.EXAMPLE.com", 300, "2001:db8::1");
	assert_int_equal(read_as("Sip.example.com", DNS_AAAA), 0);
	assert_int_equal(r.n, 1);
	assert_string_equal(host_of(0), "2001:db8::1");
}

static void records_of_others_and_of_other_kinds_are_left_out(void **state)
{
	pk_begin(&p, PK_WELL, HOST, DNS_A);
	pk_address(&p, "evil.example.com", 300, "192.0.2.66");
	pk_address(&p, HOST, 300, "2001:db8::1");
	pk_address(&p, HOST, 300, "192.0.2.1");
	assert_int_equal(read_as(HOST, DNS_A), 0);
	assert_int_equal(r.n, 1);
	assert_string_equal(host_of(0), "192.0.2.1");
}

static void addresses_where_nobody_can_be_are_left_out(void **state)
{
	pk_begin(&p, PK_WELL, HOST, DNS_A);
	pk_address(&p, HOST, 300, "0.0.0.0");
	pk_address(&p, HOST, 300, "224.0.1.75");
	pk_address(&p, HOST, 300, "255.255.255.255");
	assert_int_equal(read_as(HOST, DNS_A), 0);
	assert_int_equal(r.result, DNS_NO_DATA);
}

static void a_chain_of_aliases_is_followed_in_any_order(void **state)
{
	pk_begin(&p, PK_WELL, HOST, DNS_A);
	pk_address(&p, "c.example.net", 300, "192.0.2.1");
	pk_cname(&p, "b.example.net", 30, "C.example.net");
	pk_cname(&p, HOST, 300, "b.example.net");
	assert_int_equal(read_as(HOST, DNS_A), 0);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.ttl_s, 30);
}

static void an_alias_without_its_records_is_to_be_asked_for(void **state)
{
	pk_begin(&p, PK_WELL, HOST, DNS_A);
	pk_cname(&p, HOST, 300, "b.example.net");
	assert_int_equal(read_as(HOST, DNS_A), 0);
	assert_int_equal(r.result, DNS_NO_DATA);
	assert_string_equal(r.alias, "b.example.net");
}

static void an_alias_that_surely_has_none_is_not_asked_for(void **state)
{
	pk_begin(&p, PK_WELL, HOST, DNS_AAAA);
	pk_cname(&p, HOST, 300, "b.example.net");
	pk_soa(&p, "example.net", 100, 200);
	assert_int_equal(read_as(HOST, DNS_AAAA), 0);
	assert_int_equal(r.result, DNS_NO_DATA);
	assert_string_equal(r.alias, "");
	assert_int_equal(r.ttl_s, 100);
}

static void aliases_that_go_round_have_an_end(void **state)
{
	pk_begin(&p, PK_WELL, HOST, DNS_A);
	pk_cname(&p, HOST, 300, "b.example.net");
	pk_cname(&p, "b.example.net", 300, HOST);
	assert_int_equal(read_as(HOST, DNS_A), -EPROTO);
}

static void services_have_priority_weight_port_and_target(void **state)
{
	pk_begin(&p, PK_WELL, "_sip._udp.ex", DNS_SRV);
	pk_srv(&p, "_sip._udp.ex", 60, 10, 20, 5070, "A.ex");
	pk_srv(&p, "_sip._udp.ex", 60, 0, 0, 0, ".");
	pk_srv(&p, "_sip._udp.ex", 60, 1, 1, 0, "no-port.ex");
	pk_srv(&p, "_sip._udp.ex", 60, 1, 1, 5060, "odd name.ex");
	assert_int_equal(read_as("_sip._udp.ex", DNS_SRV), 0);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.list[0].priority, 10);
	assert_int_equal(r.list[0].weight, 20);
	assert_int_equal(r.list[0].port, 5070);
	assert_string_equal(r.list[0].name, "a.ex");
	assert_string_equal(r.list[1].name, ".");
}

static void of_naptr_only_what_sip_over_udp_and_tcp_means_is_read(void **state)
{
	static const struct pk_naptr rows[] = {
		{10, 5, "S", "sip+d2u", NULL, "_sip._udp.ex"},
		{20, 5, "a", "SIP+D2T", NULL, "host.ex"},
		{30, 5, "s", "SIPS+D2T", NULL, "_sips._tcp.ex"},
		{40, 5, "u", "E2U+sip", "!^.*$!sip:a@ex!", "."},
		{50, 5, "s", "SIP+D2U", "!a!b!", "_sip._udp.ex"},
		{60, 5, "", "SIP+D2U", NULL, "_sip._udp.ex"},
		{70, 5, "s", "SIP+D2U", NULL, "."},
	};

	pk_begin(&p, PK_WELL, "ex", DNS_NAPTR);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		pk_naptr(&p, "ex", 60, rows[i]);
	assert_int_equal(read_as("ex", DNS_NAPTR), 0);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.list[0].flag, 's');
	assert_int_equal(r.list[0].transport, DNS_UDP);
	assert_int_equal(r.list[0].priority, 10);
	assert_int_equal(r.list[0].weight, 5);
	assert_string_equal(r.list[0].name, "_sip._udp.ex");
	assert_int_equal(r.list[1].flag, 'a');
	assert_int_equal(r.list[1].transport, DNS_TCP);
}

static void more_records_than_there_is_room_for_are_left_out(void **state)
{
	pk_begin(&p, PK_WELL, HOST, DNS_A);
	for (int i = 0; i < DNS_RECORDS + 20; i++)
		pk_address(&p, HOST, 300, "192.0.2.1");
	assert_int_equal(read_as(HOST, DNS_A), 0);
	assert_int_equal(r.n, DNS_RECORDS);
}

static void a_ttl_with_the_highest_bit_is_none(void **state)
{
	pk_begin(&p, PK_WELL, HOST, DNS_A);
	pk_address(&p, HOST, 0x80000001, "192.0.2.1");
	assert_int_equal(read_as(HOST, DNS_A), 0);
	assert_int_equal(r.ttl_s, 0);
}

/* ---- refusals ----------------------------------------------------------------- */

static void no_such_name_is_good_for_as_long_as_the_zone_says(void **state)
{
	pk_begin(&p, PK_NXDOMAIN, HOST, DNS_A);
	pk_soa(&p, "example.com", 900, 120);
	assert_int_equal(read_as(HOST, DNS_A), 0);
	assert_int_equal(r.result, DNS_NO_NAME);
	assert_int_equal(r.ttl_s, 120);
	pk_begin(&p, PK_WELL, HOST, DNS_A);
	pk_soa(&p, "example.com", 90, 120);
	assert_int_equal(read_as(HOST, DNS_A), 0);
	assert_int_equal(r.result, DNS_NO_DATA);
	assert_int_equal(r.ttl_s, 90);
}

static void a_refusal_without_soa_is_good_for_half_a_minute(void **state)
{
	pk_begin(&p, PK_NXDOMAIN, HOST, DNS_A);
	assert_int_equal(read_as(HOST, DNS_A), 0);
	assert_int_equal(r.result, DNS_NO_NAME);
	assert_int_equal(r.ttl_s, 30);
}

static void a_server_that_fails_or_does_not_know_is_told_apart(void **state)
{
	pk_begin(&p, PK_SERVFAIL, HOST, DNS_A);
	assert_int_equal(read_as(HOST, DNS_A), -EIO);
	pk_begin(&p, PK_REFUSED, HOST, DNS_A);
	assert_int_equal(read_as(HOST, DNS_A), -EIO);
	pk_begin(&p, PK_NOTIMP, HOST, DNS_A);
	assert_int_equal(read_as(HOST, DNS_A), -ENOTSUP);
	/* Without the question. */
	p.n = 12;
	p.bytes[5] = 0;
	assert_int_equal(read_as(HOST, DNS_A), -ENOTSUP);
}

static void what_is_cut_is_to_be_asked_for_by_tcp(void **state)
{
	pk_begin(&p, PK_CUT, HOST, DNS_A);
	assert_int_equal(read_as(HOST, DNS_A), -EMSGSIZE);
}

/* ---- not for us ----------------------------------------------------------------- */

static void an_answer_to_another_question_is_none(void **state)
{
	pk_begin(&p, PK_WELL, "other.example.com", DNS_A);
	assert_int_equal(read_as(HOST, DNS_A), -EBADMSG);
	pk_begin(&p, PK_WELL, HOST, DNS_AAAA);
	assert_int_equal(read_as(HOST, DNS_A), -EBADMSG);
	pk_begin(&p, PK_WELL, HOST, DNS_A);
	p.bytes[1]++;
	assert_int_equal(read_as(HOST, DNS_A), -EBADMSG);
	pk_begin(&p, 0x0100, HOST, DNS_A); /* a question itself */
	assert_int_equal(read_as(HOST, DNS_A), -EBADMSG);
	pk_begin(&p, PK_WELL, HOST, DNS_A);
	p.bytes[5] = 2;
	assert_int_equal(read_as(HOST, DNS_A), -EBADMSG);
	p.n = 0;
	assert_int_equal(read_as(HOST, DNS_A), -EBADMSG);
}

/* ---- ill meant -------------------------------------------------------------------- */

static void every_cut_of_an_answer_is_survived_and_refused(void **state)
{
	size_t whole;

	pk_begin(&p, PK_WELL, HOST, DNS_A);
	pk_cname(&p, HOST, 300, "b.example.net");
	pk_address(&p, "b.example.net", 300, "192.0.2.1");
	whole = p.n;
	for (p.n = 0; p.n < whole; p.n++)
		assert_true(read_as(HOST, DNS_A) < 0);
	assert_int_equal(read_as(HOST, DNS_A), 0);
}

static void pointers_back_are_names(void **state)
{
	pk_begin(&p, PK_WELL, HOST, DNS_A);
	pk_count(&p, PK_ANSWERS);
	pk_u16(&p, 0xc00c); /* the question's */
	pk_u16(&p, DNS_CNAME);
	pk_u16(&p, 1);
	pk_u32(&p, 60);
	pk_u16(&p, 4);
	pk_put(&p, "\001b\xc0\x10", 4); /* b.example.com */
	pk_address(&p, "b.example.com", 60, "192.0.2.1");
	assert_int_equal(read_as(HOST, DNS_A), 0);
	assert_int_equal(r.n, 1);
}

static int with_owner(const char *bytes, size_t n)
{
	pk_begin(&p, PK_WELL, HOST, DNS_A);
	pk_count(&p, PK_ANSWERS);
	pk_put(&p, bytes, n);
	pk_u16(&p, DNS_A);
	pk_u16(&p, 1);
	pk_u32(&p, 60);
	pk_u16(&p, 4);
	pk_put(&p, "\xc0\x00\x02\x01", 4);
	return read_as(HOST, DNS_A);
}

static void pointers_to_themselves_forward_or_beyond_are_refused(void **state)
{
	pk_begin(&p, PK_WELL, HOST, DNS_A);
	/* The owner stands at byte 33. */
	assert_int_equal(p.n, 33);
	assert_int_equal(with_owner("\xc0\x21", 2), -EPROTO);
	assert_int_equal(with_owner("\xc0\x22", 2), -EPROTO);
	assert_int_equal(with_owner("\xff\xff", 2), -EPROTO);
	assert_int_equal(with_owner("\x01"
				    "a\xc0\x21",
				    4),
			 -EPROTO);
	assert_int_equal(with_owner("\x40x", 2), -EPROTO);
	assert_int_equal(with_owner("\x80x", 2), -EPROTO);
	assert_int_equal(with_owner("\xc0\x0c", 2), 0);
}

static void a_name_without_end_is_refused(void **state)
{
	char bytes[5 * 64 + 1];

	for (size_t i = 0; i < 5; i++) {
		bytes[i * 64] = 63;
		memset(bytes + i * 64 + 1, 'a', 63);
	}
	bytes[sizeof(bytes) - 1] = 0;
	assert_int_equal(with_owner(bytes, sizeof(bytes)), -EPROTO);
}

static void a_name_with_strange_bytes_hides_only_its_record(void **state)
{
	assert_int_equal(with_owner("\x03"
				    "a.b\xc0\x10",
				    6),
			 0);
	assert_int_equal(r.result, DNS_NO_DATA);
}

static void an_address_of_a_wrong_length_is_left_out(void **state)
{
	size_t at;

	pk_begin(&p, PK_WELL, HOST, DNS_A);
	at = pk_open(&p, PK_ANSWERS, HOST, DNS_A, 60);
	pk_put(&p, "\xc0\x00\x02", 3);
	pk_end(&p, at);
	at = pk_open(&p, PK_ANSWERS, HOST, DNS_A, 60);
	pk_put(&p, "\xc0\x00\x02\x01\x01", 5);
	pk_end(&p, at);
	assert_int_equal(read_as(HOST, DNS_A), 0);
	assert_int_equal(r.result, DNS_NO_DATA);
}

static void a_broken_service_hides_only_itself(void **state)
{
	size_t at;

	pk_begin(&p, PK_WELL, HOST, DNS_SRV);
	at = pk_open(&p, PK_ANSWERS, HOST, DNS_SRV, 60);
	pk_put(&p, "\x00\x01\x00\x01\x13\xc4\x05xx", 9); /* name cut */
	pk_end(&p, at);
	pk_srv(&p, HOST, 60, 1, 1, 5060, "a.ex");
	assert_int_equal(read_as(HOST, DNS_SRV), 0);
	assert_int_equal(r.n, 1);
}

static void a_broken_soa_is_as_none(void **state)
{
	size_t at;

	pk_begin(&p, PK_NXDOMAIN, HOST, DNS_A);
	at = pk_open(&p, PK_AUTHORITY, "example.com", DNS_SOA, 7);
	pk_name(&p, "ns");
	pk_end(&p, at);
	assert_int_equal(read_as(HOST, DNS_A), 0);
	assert_int_equal(r.result, DNS_NO_NAME);
	assert_int_equal(r.ttl_s, 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_has_the_bytes_of_the_rfc),
		cmocka_unit_test(
			names_are_labels_of_letters_digits_hyphen_and_underscore),
		cmocka_unit_test(the_longest_name_fits_into_a_question),
		cmocka_unit_test(addresses_are_read_with_the_shortest_ttl),
		cmocka_unit_test(names_are_compared_without_case),
		cmocka_unit_test(
			records_of_others_and_of_other_kinds_are_left_out),
		cmocka_unit_test(addresses_where_nobody_can_be_are_left_out),
		cmocka_unit_test(a_chain_of_aliases_is_followed_in_any_order),
		cmocka_unit_test(
			an_alias_without_its_records_is_to_be_asked_for),
		cmocka_unit_test(
			an_alias_that_surely_has_none_is_not_asked_for),
		cmocka_unit_test(aliases_that_go_round_have_an_end),
		cmocka_unit_test(services_have_priority_weight_port_and_target),
		cmocka_unit_test(
			of_naptr_only_what_sip_over_udp_and_tcp_means_is_read),
		cmocka_unit_test(
			more_records_than_there_is_room_for_are_left_out),
		cmocka_unit_test(a_ttl_with_the_highest_bit_is_none),
		cmocka_unit_test(
			no_such_name_is_good_for_as_long_as_the_zone_says),
		cmocka_unit_test(
			a_refusal_without_soa_is_good_for_half_a_minute),
		cmocka_unit_test(
			a_server_that_fails_or_does_not_know_is_told_apart),
		cmocka_unit_test(what_is_cut_is_to_be_asked_for_by_tcp),
		cmocka_unit_test(an_answer_to_another_question_is_none),
		cmocka_unit_test(
			every_cut_of_an_answer_is_survived_and_refused),
		cmocka_unit_test(pointers_back_are_names),
		cmocka_unit_test(
			pointers_to_themselves_forward_or_beyond_are_refused),
		cmocka_unit_test(a_name_without_end_is_refused),
		cmocka_unit_test(
			a_name_with_strange_bytes_hides_only_its_record),
		cmocka_unit_test(an_address_of_a_wrong_length_is_left_out),
		cmocka_unit_test(a_broken_service_hides_only_itself),
		cmocka_unit_test(a_broken_soa_is_as_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
