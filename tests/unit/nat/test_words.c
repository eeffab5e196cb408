/*
 * test_words.c - verdicts in names and in sentences
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after its four: */
#include <cmocka.h>
#include <string.h>

#include "nat/nat.h"

#define BIT(e) (UINT32_C(1) << (e))

static struct addr addr_of(const char *text)
{
	struct addr a = {0};

	if (text)
		assert_int_equal(addr_parse_port(&a, text), 0);
	return a;
}

static char said[NAT_REASON_MAX];

static void say(const struct nat_verdict *v, const char *seen)
{
	struct addr from = addr_of(seen);
	struct buf b;

	buf_init(&b, said, sizeof(said));
	nat_reason(&b, v, &from);
	assert_false(b.overflow);
}

static void assert_says(struct nat_verdict v, const char *announced,
			const char *seen, const char *expected)
{
	v.announced = addr_of(announced);
	say(&v, seen);
	assert_string_equal(said, expected);
}

static void no_nat_is_said_too(void **state)
{
	assert_says((struct nat_verdict){0}, "203.0.113.9:5060",
		    "203.0.113.9:5060",
		    "announced and seen as 203.0.113.9:5060: no NAT");
}

static void the_addresses_say_why(void **state)
{
	assert_says(
		(struct nat_verdict){.behind = true,
				     .evidence = BIT(NAT_VIA_HOST) |
						 BIT(NAT_VIA_PORT) |
						 BIT(NAT_VIA_PRIVATE) |
						 BIT(NAT_CONTACT_HOST) |
						 BIT(NAT_CONTACT_PORT) |
						 BIT(NAT_CONTACT_PRIVATE)},
		"192.168.1.7:5060", "84.1.2.3:40112",
		"announced 192.168.1.7:5060, seen from 84.1.2.3:40112: behind "
		"NAT");
}

static void an_alg_is_named_with_what_it_did(void **state)
{
	assert_says(
		(struct nat_verdict){.behind = true,
				     .alg = NAT_ALG_BROKEN,
				     .evidence = BIT(NAT_VIA_HOST) |
						 BIT(NAT_VIA_PRIVATE) |
						 BIT(NAT_ALG_CALLID)},
		"192.168.1.7:5060", "84.1.2.3:40112",
		"announced 192.168.1.7:5060, seen from 84.1.2.3:40112: behind "
		"NAT; Call-ID rewritten between requests: SIP ALG, broken");
}

static void a_transparent_alg_is_told_by_what_it_left(void **state)
{
	assert_says(
		(struct nat_verdict){.behind = true,
				     .alg = NAT_ALG_TRANSPARENT,
				     .evidence = BIT(NAT_CALLID_PRIVATE)},
		"203.0.113.1:8626", "203.0.113.1:8626",
		"announced and seen as 203.0.113.1:8626: behind NAT; Call-ID "
		"shows a private address: SIP ALG, transparent");
}

static void an_alg_without_a_clause_stands_alone(void **state)
{
	assert_says((struct nat_verdict){.behind = true,
					 .alg = NAT_ALG_TRANSPARENT},
		    "203.0.113.1:8626", "203.0.113.1:8626",
		    "announced and seen as 203.0.113.1:8626: behind NAT; SIP "
		    "ALG, transparent");
}

static void several_clauses_make_one_sentence(void **state)
{
	assert_says((struct nat_verdict){.behind = true,
					 .alg = NAT_ALG_BROKEN,
					 .evidence = BIT(NAT_CONTACT_HOST) |
						     BIT(NAT_CONTACT_PRIVATE) |
						     BIT(NAT_ALG_MIX) |
						     BIT(NAT_ALG_LENGTH)},
		    "203.0.113.7:5060", "203.0.113.7:5060",
		    "announced and seen as 203.0.113.7:5060: behind NAT; Via "
		    "rewritten, Contact not, Content-Length does not fit the "
		    "body: SIP ALG, broken");
}

static void a_peer_that_gives_a_name_is_told_by_its_description(void **state)
{
	assert_says((struct nat_verdict){.behind = true,
					 .evidence = BIT(NAT_SDP_HOST) |
						     BIT(NAT_SDP_PRIVATE)},
		    NULL, "[2001:db8::7]:5060",
		    "announced by name, seen from [2001:db8::7]:5060: behind "
		    "NAT; media wanted at a private address");
}

static void evidence_without_a_nat_is_still_told(void **state)
{
	assert_says((struct nat_verdict){.evidence = BIT(NAT_CONTACT_HOST)},
		    "203.0.113.9:5060", "203.0.113.9:5060",
		    "announced and seen as 203.0.113.9:5060: no NAT; Contact "
		    "names another address");
}

/* Every combination of evidence, in turn and all at once, between the longest
 * addresses. */
static void any_verdict_fits_and_is_printable(void **state)
{
	static const char *const longest =
		"[2001:db8:1111:2222:3333:4444:5555:6666]:50600";
	struct nat_verdict v = {.alg = NAT_ALG_TRANSPARENT};

	for (uint32_t ev = 0; ev < BIT(NAT_EVIDENCES); ev += 977) {
		v.evidence = ev;
		v.behind = ev & 1;
		v.announced = addr_of(ev & 2 ? longest : NULL);
		say(&v, longest);
		for (const char *p = said; *p; p++)
			assert_in_range(*p, ' ', '~');
	}
	v.evidence = BIT(NAT_EVIDENCES) - 1;
	v.behind = true;
	v.announced = addr_of(longest);
	say(&v, longest);
	v.behind = false;
	say(&v, longest);
}

static void a_small_buffer_is_not_overrun(void **state)
{
	struct nat_verdict v = {.evidence = BIT(NAT_EVIDENCES) - 1};
	struct addr seen = addr_of("203.0.113.9:5060");
	char mem[32] = "";
	struct buf b;

	memset(mem, 'x', sizeof(mem));
	buf_init(&b, mem, 24);
	nat_reason(&b, &v, &seen);
	assert_true(b.overflow);
	assert_true(memchr(mem, '\0', 24));
	assert_memory_equal(mem + 24, "xxxxxxxx", 8);
}

static void each_evidence_has_a_name_of_its_own(void **state)
{
	for (unsigned a = 0; a < NAT_EVIDENCES; a++) {
		assert_non_null(nat_evidence_name(a));
		for (unsigned b = 0; b < a; b++)
			assert_string_not_equal(nat_evidence_name(a),
						nat_evidence_name(b));
	}
	assert_string_equal(nat_evidence_name(NAT_CONTACT_PRIVATE),
			    "contact-private");
	assert_string_equal(nat_evidence_name(NAT_EVIDENCES), "unknown");
}

static void algs_have_names(void **state)
{
	assert_string_equal(nat_alg_name(NAT_ALG_NONE), "none");
	assert_string_equal(nat_alg_name(NAT_ALG_TRANSPARENT), "transparent");
	assert_string_equal(nat_alg_name(NAT_ALG_BROKEN), "broken");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_nat_is_said_too),
		cmocka_unit_test(the_addresses_say_why),
		cmocka_unit_test(an_alg_is_named_with_what_it_did),
		cmocka_unit_test(a_transparent_alg_is_told_by_what_it_left),
		cmocka_unit_test(an_alg_without_a_clause_stands_alone),
		cmocka_unit_test(several_clauses_make_one_sentence),
		cmocka_unit_test(
			a_peer_that_gives_a_name_is_told_by_its_description),
		cmocka_unit_test(evidence_without_a_nat_is_still_told),
		cmocka_unit_test(any_verdict_fits_and_is_printable),
		cmocka_unit_test(a_small_buffer_is_not_overrun),
		cmocka_unit_test(each_evidence_has_a_name_of_its_own),
		cmocka_unit_test(algs_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
