/*
 * test_dns_lookup.c - RFC 3263 against a zone in memory
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dns_packet.h"

#include <stdio.h>

#include "dns/dns_lookup.h"

/* One record, or what a question for it fails with. */
struct zone_row {
	const char *name;
	enum dns_type type;
	const char *to; /* address, target or alias */
	uint32_t ttl_s;
	int err;
	enum dns_result result;
	unsigned priority, weight, port;
	enum dns_transport transport;
	char flag;
};

struct zone {
	const struct zone_row *rows;
	unsigned asked;
	char log[2048]; /* "NAPTR ex, SRV _sip._udp.ex, ..." */
};

static const char *type_name(enum dns_type type)
{
	return type == DNS_A      ? "A"
	       : type == DNS_AAAA ? "AAAA"
	       : type == DNS_SRV  ? "SRV"
				  : "NAPTR";
}

static void add(struct dns_records *out, const struct zone_row *row)
{
	struct dns_record *r = &out->list[out->n++];

	memset(r, 0, sizeof(*r));
	out->result = DNS_OK;
	if (row->ttl_s < out->ttl_s)
		out->ttl_s = row->ttl_s;
	r->priority = (uint16_t)row->priority;
	r->weight = (uint16_t)row->weight;
	r->port = (uint16_t)row->port;
	r->transport = row->transport;
	r->flag = row->flag;
	if (row->type == DNS_A || row->type == DNS_AAAA)
		assert_int_equal(
			addr_parse(&r->addr, row->to, strlen(row->to), 0), 0);
	else
		strcpy(r->name, row->to);
}

/* What is not in the zone is no data, for 300 s. */
static int ask(void *arg, struct dns_records *out, const char *name,
	       enum dns_type type)
{
	struct zone *z = arg;
	size_t n = strlen(z->log);

	z->asked++;
	snprintf(z->log + n, sizeof(z->log) - n, "%s%s %s", n ? ", " : "",
		 type_name(type), name);
	memset(out, 0, sizeof(*out));
	out->result = DNS_NO_DATA;
	out->ttl_s = 300;
	for (const struct zone_row *row = z->rows; row->name; row++) {
		if (strcmp(row->name, name) ||
		    (row->type != type && row->type != DNS_CNAME))
			continue;
		if (row->err)
			return row->err;
		if (row->type == DNS_CNAME) {
			strcpy(out->alias, row->to);
			out->ttl_s = row->ttl_s;
			break;
		}
		if (row->result) {
			out->result = row->result;
			out->ttl_s = row->ttl_s;
			break;
		}
		if (!out->n)
			out->ttl_s = INT32_MAX;
		add(out, row);
	}
	return 0;
}

static struct zone z;
static struct dns_answer a;

static int look(const struct zone_row *rows, struct dns_question q)
{
	const struct dns_asker asker = {ask, &z};

	memset(&z, 0, sizeof(z));
	z.rows = rows;
	return dns_lookup(&a, &q, &asker);
}

/* "udp 192.0.2.1:5060 0/10 ..." */
static void expect(const char *want)
{
	char got[2048] = "", text[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < a.n; i++) {
		const struct dns_way *w = &a.ways[i];
		size_t n = strlen(got);

		snprintf(got + n, sizeof(got) - n, "%s%s %s %u/%u",
			 i ? ", " : "",
			 w->transport == DNS_UDP   ? "udp"
			 : w->transport == DNS_TCP ? "tcp"
						   : "any",
			 addr_fmt(&w->addr, text), w->priority, w->weight);
	}
	assert_string_equal(got, want);
	assert_int_equal(a.result, a.n ? DNS_OK : a.result);
}

#define Q(...)         ((struct dns_question){.host = "ex", __VA_ARGS__})
#define N(owner, kind) .name = (owner), .type = (kind)
#define ZONE(...)      ((const struct zone_row[]){__VA_ARGS__, {0}})

static void with_a_port_only_addresses_are_asked_for(void **state)
{
	look(ZONE({N("ex", DNS_A), .to = "192.0.2.1", .ttl_s = 60},
		  {N("ex", DNS_AAAA), .to = "2001:db8::1", .ttl_s = 90}),
	     Q(.port = 5070, .transport = DNS_TCP));
	expect("tcp 192.0.2.1:5070 0/0, tcp [2001:db8::1]:5070 0/0");
	assert_string_equal(z.log, "A ex, AAAA ex");
	assert_int_equal(a.ttl_s, 60);
	assert_int_equal(a.ways[0].target, a.ways[1].target);
}

static void
the_family_that_is_liked_comes_first_and_may_be_the_only_one(void **state)
{
	const struct zone_row *rows =
		ZONE({N("ex", DNS_A), .to = "192.0.2.1", .ttl_s = 60},
		     {N("ex", DNS_AAAA), .to = "2001:db8::1", .ttl_s = 90});

	look(rows, Q(.port = 5060, .family = DNS_V6_FIRST));
	expect("udp [2001:db8::1]:5060 0/0, udp 192.0.2.1:5060 0/0");
	look(rows, Q(.port = 5060, .family = DNS_V4_ONLY));
	expect("udp 192.0.2.1:5060 0/0");
	assert_string_equal(z.log, "A ex");
	look(rows, Q(.port = 5060, .family = DNS_V6_ONLY));
	expect("udp [2001:db8::1]:5060 0/0");
	assert_string_equal(z.log, "AAAA ex");
}

static void naptr_leads_to_services_in_its_order(void **state)
{
	look(ZONE({N("ex", DNS_NAPTR), .to = "_sip._udp.b", .ttl_s = 600,
		   .priority = 20, .transport = DNS_UDP, .flag = 's'},
		  {N("ex", DNS_NAPTR), .to = "_sip._tcp.a", .ttl_s = 600,
		   .priority = 10, .transport = DNS_TCP, .flag = 's'},
		  {N("_sip._tcp.a", DNS_SRV), .to = "h1", .ttl_s = 500,
		   .priority = 5, .weight = 7, .port = 5062},
		  {N("_sip._udp.b", DNS_SRV), .to = "h2", .ttl_s = 400,
		   .priority = 1, .weight = 3, .port = 5064},
		  {N("h1", DNS_A), .to = "192.0.2.1", .ttl_s = 700},
		  {N("h2", DNS_A), .to = "192.0.2.2", .ttl_s = 700}),
	     Q(.family = DNS_V4_ONLY));
	expect("tcp 192.0.2.1:5062 0/7, udp 192.0.2.2:5064 1/3");
	assert_string_equal(z.log, "NAPTR ex, SRV _sip._tcp.a, A h1, "
				   "SRV _sip._udp.b, A h2");
	assert_int_equal(a.ttl_s, 400);
}

static void naptr_may_lead_to_a_host(void **state)
{
	look(ZONE({N("ex", DNS_NAPTR), .to = "h", .ttl_s = 600,
		   .transport = DNS_TCP, .flag = 'a'},
		  {N("h", DNS_A), .to = "192.0.2.1", .ttl_s = 700}),
	     Q(.family = DNS_V4_ONLY));
	expect("tcp 192.0.2.1:5060 0/0");
}

static void of_equal_order_the_preference_decides(void **state)
{
	look(ZONE({N("ex", DNS_NAPTR), .to = "b", .ttl_s = 60, .weight = 2,
		   .transport = DNS_UDP, .flag = 'a'},
		  {N("ex", DNS_NAPTR), .to = "a", .ttl_s = 60, .weight = 1,
		   .transport = DNS_UDP, .flag = 'a'},
		  {N("a", DNS_A), .to = "192.0.2.1", .ttl_s = 60},
		  {N("b", DNS_A), .to = "192.0.2.2", .ttl_s = 60}),
	     Q(.family = DNS_V4_ONLY));
	expect("udp 192.0.2.1:5060 0/0, udp 192.0.2.2:5060 1/0");
}

static void a_transport_that_is_written_needs_no_naptr(void **state)
{
	look(ZONE({N("_sip._tcp.ex", DNS_SRV), .to = "h", .ttl_s = 60,
		   .port = 5060},
		  {N("h", DNS_A), .to = "192.0.2.1", .ttl_s = 60}),
	     Q(.transport = DNS_TCP, .family = DNS_V4_ONLY));
	expect("tcp 192.0.2.1:5060 0/0");
	assert_string_equal(z.log, "SRV _sip._tcp.ex, A h");
}

static void services_come_by_priority_and_hosts_together(void **state)
{
	look(ZONE({N("_sip._udp.ex", DNS_SRV), .to = "c", .ttl_s = 60,
		   .priority = 20, .port = 3},
		  {N("_sip._udp.ex", DNS_SRV), .to = "a", .ttl_s = 60,
		   .priority = 10, .weight = 5, .port = 1},
		  {N("_sip._udp.ex", DNS_SRV), .to = "b", .ttl_s = 60,
		   .priority = 10, .weight = 6, .port = 2},
		  {N("a", DNS_A), .to = "192.0.2.1", .ttl_s = 60},
		  {N("a", DNS_A), .to = "192.0.2.11", .ttl_s = 60},
		  {N("b", DNS_A), .to = "192.0.2.2", .ttl_s = 60},
		  {N("c", DNS_A), .to = "192.0.2.3", .ttl_s = 60}),
	     Q(.transport = DNS_UDP, .family = DNS_V4_ONLY));
	expect("udp 192.0.2.1:1 0/5, udp 192.0.2.11:1 0/5, udp 192.0.2.2:2 0/6,"
	       " udp 192.0.2.3:3 1/0");
	assert_int_equal(a.ways[0].target, a.ways[1].target);
	assert_int_not_equal(a.ways[1].target, a.ways[2].target);
}

static void without_naptr_both_services_are_asked_for(void **state)
{
	look(ZONE({N("_sip._udp.ex", DNS_SRV), .to = "h", .ttl_s = 60,
		   .port = 5060},
		  {N("_sip._tcp.ex", DNS_SRV), .to = "h", .ttl_s = 60,
		   .port = 5061},
		  {N("h", DNS_A), .to = "192.0.2.1", .ttl_s = 60}),
	     Q(.family = DNS_V4_ONLY));
	expect("udp 192.0.2.1:5060 0/0, tcp 192.0.2.1:5061 1/0");
}

static void a_naptr_that_leads_nowhere_or_fails_is_as_none(void **state)
{
	look(ZONE({N("ex", DNS_NAPTR), .to = "_sip._udp.gone", .ttl_s = 60,
		   .transport = DNS_UDP, .flag = 's'},
		  {N("_sip._udp.ex", DNS_SRV), .to = "h", .ttl_s = 60,
		   .port = 5060},
		  {N("h", DNS_A), .to = "192.0.2.1", .ttl_s = 60}),
	     Q(.family = DNS_V4_ONLY));
	assert_int_equal(a.n, 1);
	look(ZONE({N("ex", DNS_NAPTR), .err = -ETIMEDOUT},
		  {N("_sip._udp.ex", DNS_SRV), .to = "h", .ttl_s = 60,
		   .port = 5060},
		  {N("h", DNS_A), .to = "192.0.2.1", .ttl_s = 60}),
	     Q(.family = DNS_V4_ONLY));
	assert_int_equal(a.n, 1);
}

static void without_services_the_address_and_the_usual_port_serve(void **state)
{
	look(ZONE({N("ex", DNS_A), .to = "192.0.2.1", .ttl_s = 60}),
	     Q(.family = DNS_V4_ONLY));
	expect("udp 192.0.2.1:5060 0/0");
	assert_string_equal(z.log, "NAPTR ex, SRV _sip._udp.ex, "
				   "SRV _sip._tcp.ex, A ex");
}

static void
a_server_that_knows_no_services_does_not_hide_addresses(void **state)
{
	look(ZONE({N("_sip._udp.ex", DNS_SRV), .err = -ENOTSUP},
		  {N("ex", DNS_A), .to = "192.0.2.1", .ttl_s = 60}),
	     Q(.transport = DNS_UDP, .family = DNS_V4_ONLY));
	expect("udp 192.0.2.1:5060 0/0");
}

static void
a_service_that_is_not_told_is_no_reason_to_take_the_address(void **state)
{
	look(ZONE({N("_sip._udp.ex", DNS_SRV), .err = -ETIMEDOUT},
		  {N("ex", DNS_A), .to = "192.0.2.1", .ttl_s = 60}),
	     Q(.transport = DNS_UDP, .family = DNS_V4_ONLY));
	assert_int_equal(a.result, DNS_TIMED_OUT);
	assert_int_equal(a.ttl_s, 0);
	look(ZONE({N("_sip._udp.ex", DNS_SRV), .err = -EIO},
		  {N("ex", DNS_A), .to = "192.0.2.1", .ttl_s = 60}),
	     Q(.transport = DNS_UDP, .family = DNS_V4_ONLY));
	assert_int_equal(a.result, DNS_FAILED);
}

static void a_dot_as_target_means_that_there_is_no_service(void **state)
{
	look(ZONE({N("_sip._udp.ex", DNS_SRV), .to = ".", .ttl_s = 60},
		  {N("ex", DNS_A), .to = "192.0.2.1", .ttl_s = 60}),
	     Q(.transport = DNS_UDP, .family = DNS_V4_ONLY));
	expect("");
	assert_int_equal(a.result, DNS_NO_DATA);
	assert_int_equal(a.ttl_s, 60);
}

static void one_host_that_is_not_found_does_not_hide_the_others(void **state)
{
	look(ZONE({N("_sip._udp.ex", DNS_SRV), .to = "a", .ttl_s = 600,
		   .priority = 1, .port = 1},
		  {N("_sip._udp.ex", DNS_SRV), .to = "b", .ttl_s = 600,
		   .priority = 2, .port = 2},
		  {N("a", DNS_A), .err = -ETIMEDOUT},
		  {N("b", DNS_A), .to = "192.0.2.2", .ttl_s = 600}),
	     Q(.transport = DNS_UDP, .family = DNS_V4_ONLY));
	expect("udp 192.0.2.2:2 1/0");
	/* It is asked again soon. */
	assert_int_equal(a.ttl_s, 60);
}

static void no_name_is_told_apart_from_no_data(void **state)
{
	look(ZONE({N("ex", DNS_A), .result = DNS_NO_NAME, .ttl_s = 44}),
	     Q(.port = 5060, .family = DNS_V4_ONLY));
	assert_int_equal(a.result, DNS_NO_NAME);
	assert_int_equal(a.ttl_s, 44);
	look(ZONE({N("other", DNS_A), .to = "192.0.2.1"}),
	     Q(.port = 5060, .family = DNS_V4_FIRST));
	assert_int_equal(a.result, DNS_NO_DATA);
	assert_int_equal(a.ttl_s, 300);
}

static void what_is_not_there_does_not_make_the_rest_short_lived(void **state)
{
	look(ZONE({N("ex", DNS_A), .to = "192.0.2.1", .ttl_s = 600},
		  {N("ex", DNS_AAAA), .result = DNS_NO_DATA, .ttl_s = 1}),
	     Q(.port = 5060));
	assert_int_equal(a.ttl_s, 60);
}

static void an_alias_is_asked_for_and_ends_the_answer_with_itself(void **state)
{
	look(ZONE({N("ex", DNS_CNAME), .to = "real", .ttl_s = 20},
		  {N("real", DNS_A), .to = "192.0.2.1", .ttl_s = 600}),
	     Q(.port = 5060, .family = DNS_V4_ONLY));
	expect("udp 192.0.2.1:5060 0/0");
	assert_int_equal(a.ttl_s, 20);
	look(ZONE({N("ex", DNS_CNAME), .to = "ex", .ttl_s = 20}),
	     Q(.port = 5060, .family = DNS_V4_ONLY));
	assert_int_equal(a.result, DNS_FAILED);
}

static void more_ways_than_there_is_room_for_are_left_out(void **state)
{
	struct zone_row rows[40] = {{0}};

	for (int i = 0; i < 20; i++) {
		rows[i] = (struct zone_row){
			N("_sip._udp.ex", DNS_SRV), .to = "h", .ttl_s = 60,
			.priority = (unsigned)i, .port = (unsigned)i + 1};
	}
	rows[20] = (struct zone_row){N("h", DNS_A), .to = "192.0.2.1",
				     .ttl_s = 60};
	look(rows, Q(.transport = DNS_UDP));
	assert_int_equal(a.n, DNS_WAYS);
	assert_int_equal(addr_port(&a.ways[15].addr), 16);
}

static void a_zone_cannot_make_us_ask_for_ever(void **state)
{
	struct zone_row rows[DNS_RECORDS * 2 + 1] = {{0}};

	for (int i = 0; i < DNS_RECORDS; i++) {
		rows[2 * i] =
			(struct zone_row){N("_sip._udp.ex", DNS_SRV), .to = "h",
					  .ttl_s = 60, .port = 5060};
		rows[2 * i + 1] =
			(struct zone_row){N("_sip._tcp.ex", DNS_SRV), .to = "h",
					  .ttl_s = 60, .port = 5060};
	}
	look(rows, Q(.transport = DNS_ANY));
	assert_int_equal(z.asked, 64);
	assert_int_equal(a.n, 0);
}

static void who_is_told_to_stop_asks_no_more(void **state)
{
	assert_int_equal(look(ZONE({N("ex", DNS_NAPTR), .err = -ECANCELED}),
			      Q(.family = DNS_V4_FIRST)),
			 -ECANCELED);
	assert_int_equal(z.asked, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_a_port_only_addresses_are_asked_for),
		cmocka_unit_test(
			the_family_that_is_liked_comes_first_and_may_be_the_only_one),
		cmocka_unit_test(naptr_leads_to_services_in_its_order),
		cmocka_unit_test(naptr_may_lead_to_a_host),
		cmocka_unit_test(of_equal_order_the_preference_decides),
		cmocka_unit_test(a_transport_that_is_written_needs_no_naptr),
		cmocka_unit_test(services_come_by_priority_and_hosts_together),
		cmocka_unit_test(without_naptr_both_services_are_asked_for),
		cmocka_unit_test(
			a_naptr_that_leads_nowhere_or_fails_is_as_none),
		cmocka_unit_test(
			without_services_the_address_and_the_usual_port_serve),
		cmocka_unit_test(
			a_server_that_knows_no_services_does_not_hide_addresses),
		cmocka_unit_test(
			a_service_that_is_not_told_is_no_reason_to_take_the_address),
		cmocka_unit_test(
			a_dot_as_target_means_that_there_is_no_service),
		cmocka_unit_test(
			one_host_that_is_not_found_does_not_hide_the_others),
		cmocka_unit_test(no_name_is_told_apart_from_no_data),
		cmocka_unit_test(
			what_is_not_there_does_not_make_the_rest_short_lived),
		cmocka_unit_test(
			an_alias_is_asked_for_and_ends_the_answer_with_itself),
		cmocka_unit_test(more_ways_than_there_is_room_for_are_left_out),
		cmocka_unit_test(a_zone_cannot_make_us_ask_for_ever),
		cmocka_unit_test(who_is_told_to_stop_asks_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
