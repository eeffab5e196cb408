/*
 * test_kind.c - what kind of NAT it is, told from who is let in
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The phone is a socket on 127.0.0.5, and the NAT in front of it is whom it
 * answers and from where.  We are 127.0.0.2, and 127.0.0.1 is our other
 * address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after its four: */
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nat/nat.h"

#define TARGET "sip:204@192.168.1.50:5060;line=q1"

struct heard {
	struct addr from;
	char text[2048];
};

struct rig {
	struct loop *loop;
	struct nat_prober *prober;
	struct sip_flow flow;
	struct nat_verdict verdict;
	int phone, other_port, stranger;
	struct heard heard[128];
	unsigned n_heard;
	unsigned told;
	uint64_t id;
	struct nat_kind kind;
	bool again, destroy; /* in the callback */
};

static struct addr addr_at(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_port(&a, text), 0);
	return a;
}

static int socket_at(const char *text, struct addr *out)
{
	struct addr a = addr_at(text);
	socklen_t len = sizeof(*out);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &a.sa, addr_len(&a)), 0);
	if (out)
		assert_int_equal(getsockname(fd, &out->sa, &len), 0);
	return fd;
}

static int probe(struct rig *rig, uint64_t id)
{
	return nat_probe(rig->prober, &rig->flow, TARGET, &rig->verdict, id);
}

static void note(void *arg, uint64_t id, const struct nat_kind *kind)
{
	struct rig *rig = arg;

	rig->told++;
	rig->id = id;
	rig->kind = *kind;
	if (rig->again) {
		rig->again = false;
		assert_int_equal(probe(rig, id + 1), 0);
	}
	if (rig->destroy) {
		nat_prober_destroy(rig->prober);
		rig->prober = NULL;
	}
}

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	clock_freeze(1000000, 0);
	assert_int_equal(loop_create(&rig->loop), 0);
	assert_int_equal(nat_prober_create(&rig->prober, rig->loop, note, rig),
			 0);
	rig->flow.local = addr_at("127.0.0.2:5060");
	rig->phone = socket_at("127.0.0.5:0", &rig->flow.remote);
	rig->other_port = socket_at("127.0.0.5:0", NULL);
	rig->stranger = socket_at("127.0.0.6:0", NULL);
	rig->verdict.behind = true;
	rig->verdict.announced = addr_at("192.168.1.50:9");
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	nat_prober_destroy(rig->prober);
	loop_destroy(rig->loop);
	close(rig->phone);
	close(rig->other_port);
	close(rig->stranger);
	free(rig);
	clock_thaw();
	return 0;
}

/* ---- the phone ---------------------------------------------------------------- */

/* What came since the last time. */
static unsigned phone_reads(struct rig *rig)
{
	rig->n_heard = 0;
	while (rig->n_heard < 128) {
		struct heard *h = &rig->heard[rig->n_heard];
		socklen_t len = sizeof(h->from);
		ssize_t n = recvfrom(rig->phone, h->text, sizeof(h->text) - 1,
				     MSG_DONTWAIT, &h->from.sa, &len);

		if (n < 0)
			break;
		h->text[n] = '\0';
		rig->n_heard++;
	}
	return rig->n_heard;
}

static void send_from(int fd, const struct addr *to, const char *text)
{
	assert_true(sendto(fd, text, strlen(text), 0, &to->sa, addr_len(to)) >
		    0);
}

static void answer(const struct heard *h, int fd, const char *start)
{
	const char *via = strstr(h->text, "Via: ");
	char text[2048];

	assert_non_null(via);
	snprintf(text, sizeof(text), "%s\r\n%.*s\r\nContent-Length: 0\r\n\r\n",
		 start, (int)strcspn(via, "\r"), via);
	send_from(fd, &h->from, text);
}

/* Answer from @fd who comes from @host, or everybody when that is NULL. */
static void phone_answers(struct rig *rig, int fd, const char *host)
{
	char text[ADDR_TEXT_MAX];

	phone_reads(rig);
	for (unsigned i = 0; i < rig->n_heard; i++)
		if (!host ||
		    !strcmp(addr_fmt_host(&rig->heard[i].from, text), host))
			answer(&rig->heard[i], fd, "SIP/2.0 200 OK");
}

static void turn(struct rig *rig)
{
	for (int i = 0; i < 3; i++)
		loop_step(rig->loop, 0);
}

static void second_passes(struct rig *rig)
{
	clock_advance(1000);
	loop_fire(rig->loop);
	turn(rig);
}

static void assert_kind(struct rig *rig, const char *name)
{
	turn(rig);
	for (int i = 0; i < 3 && !rig->told; i++)
		second_passes(rig);
	assert_int_equal(rig->told, 1);
	assert_string_equal(nat_kind_name(&rig->kind), name);
}

/* ---- kinds ---------------------------------------------------------------------- */

static void who_lets_everybody_in_is_a_full_cone(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(probe(rig, 7), 0);
	phone_answers(rig, rig->phone, NULL);
	turn(rig);
	/* At once, since nothing more can come. */
	assert_int_equal(rig->told, 1);
	assert_int_equal(rig->id, 7);
	assert_int_equal(rig->kind.mapping, NAT_MAPPING_INDEPENDENT);
	assert_int_equal(rig->kind.filter, NAT_FILTER_ANY);
	assert_kind(rig, "full-cone");
}

static void who_lets_our_address_in_is_address_restricted(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(probe(rig, 1), 0);
	phone_answers(rig, rig->phone, "127.0.0.2");
	assert_kind(rig, "address-restricted");
}

static void nobody_let_in_and_the_port_kept_is_port_restricted(void **state)
{
	struct rig *rig = *state;

	addr_set_port(&rig->verdict.announced, addr_port(&rig->flow.remote));
	assert_int_equal(probe(rig, 1), 0);
	assert_kind(rig, "port-restricted");
}

static void nobody_let_in_and_the_port_changed_stays_open(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(probe(rig, 1), 0);
	assert_kind(rig, "port-restricted or symmetric");
	assert_int_equal(rig->kind.filter, NAT_FILTER_PORT);
}

static void a_port_that_an_alg_wrote_proves_nothing(void **state)
{
	struct rig *rig = *state;

	rig->verdict.alg = NAT_ALG_TRANSPARENT;
	rig->verdict.announced = rig->flow.remote;
	assert_int_equal(probe(rig, 1), 0);
	assert_kind(rig, "port-restricted or symmetric");
}

static void a_name_proves_nothing(void **state)
{
	struct rig *rig = *state;

	memset(&rig->verdict.announced, 0, sizeof(rig->verdict.announced));
	assert_int_equal(probe(rig, 1), 0);
	assert_kind(rig, "port-restricted or symmetric");
}

static void an_answer_from_another_port_is_symmetric(void **state)
{
	struct rig *rig = *state;

	addr_set_port(&rig->verdict.announced, addr_port(&rig->flow.remote));
	assert_int_equal(probe(rig, 1), 0);
	phone_answers(rig, rig->other_port, NULL);
	assert_kind(rig, "symmetric");
	assert_int_equal(rig->kind.mapping, NAT_MAPPING_DEPENDENT);
}

static void no_nat_has_no_kind_but_may_have_a_filter(void **state)
{
	struct rig *rig = *state;

	rig->verdict.behind = false;
	assert_int_equal(probe(rig, 1), 0);
	phone_answers(rig, rig->phone, "127.0.0.2");
	assert_kind(rig, "none");
	assert_int_equal(rig->kind.filter, NAT_FILTER_ADDRESS);
}

/* 127.0.0.1 is the only address that the loopback interface has. */
static void with_one_address_two_kinds_look_alike(void **state)
{
	struct rig *rig = *state;

	rig->flow.local = addr_at("127.0.0.1:5060");
	assert_int_equal(probe(rig, 1), 0);
	assert_int_equal(phone_reads(rig), 1);
	answer(&rig->heard[0], rig->phone, "SIP/2.0 200 OK");
	assert_kind(rig, "address-restricted or full-cone");
}

static void any_status_is_an_answer(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(probe(rig, 1), 0);
	assert_int_equal(phone_reads(rig), 2);
	answer(&rig->heard[0], rig->phone, "SIP/2.0 404 Not Found");
	answer(&rig->heard[1], rig->phone, "SIP/2.0 100 Trying");
	assert_kind(rig, "full-cone");
}

/* ---- asking ----------------------------------------------------------------------- */

static void three_tries_a_second_apart(void **state)
{
	struct rig *rig = *state;
	char first[2048];

	assert_int_equal(probe(rig, 1), 0);
	assert_int_equal(phone_reads(rig), 2);
	strcpy(first, rig->heard[0].text);
	clock_advance(999);
	loop_fire(rig->loop);
	assert_int_equal(phone_reads(rig), 0);
	clock_advance(1);
	loop_fire(rig->loop);
	assert_int_equal(phone_reads(rig), 2);
	assert_string_equal(rig->heard[0].text, first);
	second_passes(rig);
	assert_int_equal(phone_reads(rig), 2);
	assert_int_equal(rig->told, 0);
	second_passes(rig);
	assert_int_equal(phone_reads(rig), 0);
	assert_int_equal(rig->told, 1);
}

static void who_has_answered_is_not_asked_again(void **state)
{
	struct rig *rig = *state;
	char host[ADDR_TEXT_MAX];

	assert_int_equal(probe(rig, 1), 0);
	phone_answers(rig, rig->phone, "127.0.0.2");
	turn(rig);
	second_passes(rig);
	assert_int_equal(phone_reads(rig), 1);
	assert_string_equal(addr_fmt_host(&rig->heard[0].from, host),
			    "127.0.0.1");
}

static void assert_has(const char *text, const char *fmt, ...)
{
	char wanted[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(wanted, sizeof(wanted), fmt, ap);
	va_end(ap);
	if (!strstr(text, wanted))
		fail_msg("no \"%s\" in\n%s", wanted, text);
}

static void
the_question_is_a_whole_options_that_names_its_own_socket(void **state)
{
	struct rig *rig = *state;
	char from[ADDR_TEXT_MAX];

	assert_int_equal(probe(rig, 1), 0);
	assert_int_equal(phone_reads(rig), 2);
	for (int i = 0; i < 2; i++) {
		const char *text = rig->heard[i].text;

		addr_fmt(&rig->heard[i].from, from);
		assert_int_not_equal(addr_port(&rig->heard[i].from), 5060);
		assert_has(text, "OPTIONS " TARGET " SIP/2.0\r\n");
		assert_has(text, "\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK",
			   from);
		assert_has(text, ";rport\r\n");
		assert_has(text, "\r\nContact: <sip:sbc@%s>\r\n", from);
		assert_has(text, "\r\nFrom: <sip:sbc@127.0.0.");
		assert_has(text, "\r\nTo: <" TARGET ">\r\n");
		assert_has(text, "\r\nCSeq: 1 OPTIONS\r\n");
		assert_has(text, "\r\nMax-Forwards: 70\r\n");
		assert_has(text, "\r\nCall-ID: ");
		assert_string_equal(text + strlen(text) - 23,
				    "\r\nContent-Length: 0\r\n\r\n");
	}
	assert_string_not_equal(strstr(rig->heard[0].text, "branch="),
				strstr(rig->heard[1].text, "branch="));
}

static void without_a_target_the_address_is_asked(void **state)
{
	struct rig *rig = *state;
	char remote[ADDR_TEXT_MAX];

	assert_int_equal(
		nat_probe(rig->prober, &rig->flow, NULL, &rig->verdict, 1), 0);
	assert_int_equal(phone_reads(rig), 2);
	assert_has(rig->heard[0].text, "OPTIONS sip:%s SIP/2.0\r\n",
		   addr_fmt(&rig->flow.remote, remote));
}

static void headers_of_a_contact_stay_out_of_the_request(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(nat_probe(rig->prober, &rig->flow,
				   "sip:204@h;x=1?Subject=a", &rig->verdict, 1),
			 0);
	assert_int_equal(phone_reads(rig), 2);
	assert_has(rig->heard[0].text, "OPTIONS sip:204@h;x=1 SIP/2.0\r\n");
}

static void what_cannot_be_written_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"sip:",
		"tel:+4930",
		"sip:a b",
		"sip:a\r\nX: 1@h",
		"sip:a>@h",
		"sip:<a@h",
		"sip:\"a@h",
		"sip:\xc3\xa4@h",
	};
	struct rig *rig = *state;
	char long_one[600] = "sip:";

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(nat_probe(rig->prober, &rig->flow, bad[i],
					   &rig->verdict, 1),
				 -EINVAL);
	memset(long_one + 4, 'a', sizeof(long_one) - 5);
	assert_int_equal(
		nat_probe(rig->prober, &rig->flow, long_one, &rig->verdict, 1),
		-EINVAL);
	second_passes(rig);
	assert_int_equal(phone_reads(rig), 0);
	assert_int_equal(rig->told, 0);
}

static void only_datagrams_have_a_kind(void **state)
{
	struct rig *rig = *state;

	rig->flow.transport = SIP_TCP;
	assert_int_equal(probe(rig, 1), -EINVAL);
}

static void an_address_that_is_not_ours_is_told(void **state)
{
	struct rig *rig = *state;

	rig->flow.local = addr_at("192.0.2.99:5060");
	assert_int_equal(probe(rig, 1), -EADDRNOTAVAIL);
}

/* ---- what is not an answer ---------------------------------------------------------- */

static void answers_of_strangers_do_not_count(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(probe(rig, 1), 0);
	phone_answers(rig, rig->stranger, NULL);
	assert_kind(rig, "port-restricted or symmetric");
}

static void noise_does_not_count(void **state)
{
	static const char *const noise[] = {
		"S",
		"SIP/2.0 ",
		"SIP/2.0 200 OK\r\n\r\n",
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK\r\n\r\n",
		"\r\n\r\n",
	};
	struct rig *rig = *state;

	assert_int_equal(probe(rig, 1), 0);
	assert_int_equal(phone_reads(rig), 2);
	for (unsigned i = 0; i < 2; i++) {
		const struct heard *h = &rig->heard[i];

		for (size_t k = 0; k < sizeof(noise) / sizeof(noise[0]); k++)
			send_from(rig->phone, &h->from, noise[k]);
		/* Our own question is no answer to it. */
		send_from(rig->phone, &h->from, h->text);
	}
	assert_kind(rig, "port-restricted or symmetric");
}

static void an_answer_at_the_wrong_socket_does_not_count(void **state)
{
	struct rig *rig = *state;
	struct addr swap;

	assert_int_equal(probe(rig, 1), 0);
	assert_int_equal(phone_reads(rig), 2);
	swap = rig->heard[0].from;
	rig->heard[0].from = rig->heard[1].from;
	rig->heard[1].from = swap;
	answer(&rig->heard[0], rig->phone, "SIP/2.0 200 OK");
	answer(&rig->heard[1], rig->phone, "SIP/2.0 200 OK");
	assert_kind(rig, "port-restricted or symmetric");
}

/* ---- many, and the end ----------------------------------------------------------------- */

static void at_most_so_many_are_under_way(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < 32; i++)
		assert_int_equal(probe(rig, i), 0);
	assert_int_equal(probe(rig, 32), -EAGAIN);
	for (int i = 0; i < 3; i++)
		second_passes(rig);
	assert_int_equal(rig->told, 32);
	assert_int_equal(probe(rig, 33), 0);
}

static void a_result_may_begin_the_next_probe(void **state)
{
	struct rig *rig = *state;

	rig->again = true;
	assert_int_equal(probe(rig, 1), 0);
	phone_answers(rig, rig->phone, NULL);
	turn(rig);
	assert_int_equal(rig->told, 1);
	phone_answers(rig, rig->phone, NULL);
	turn(rig);
	assert_int_equal(rig->told, 2);
	assert_int_equal(rig->id, 2);
}

static void a_result_may_end_the_prober(void **state)
{
	struct rig *rig = *state;

	rig->destroy = true;
	assert_int_equal(probe(rig, 1), 0);
	assert_int_equal(probe(rig, 2), 0);
	phone_answers(rig, rig->phone, NULL);
	turn(rig);
	assert_int_equal(rig->told, 1);
	assert_null(rig->prober);
}

static void what_is_under_way_at_the_end_is_not_told(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(probe(rig, 1), 0);
	nat_prober_destroy(rig->prober);
	rig->prober = NULL;
	for (int i = 0; i < 4; i++)
		second_passes(rig);
	assert_int_equal(rig->told, 0);
	nat_prober_destroy(NULL);
}

/* ---- names ------------------------------------------------------------------------------ */

static void each_kind_has_a_name(void **state)
{
	static const struct {
		struct nat_kind kind;
		const char *name;
	} all[] = {
		{{NAT_MAPPING_UNKNOWN, NAT_FILTER_UNKNOWN}, "unknown"},
		{{NAT_MAPPING_UNKNOWN, NAT_FILTER_ANY}, "unknown"},
		{{NAT_MAPPING_UNKNOWN, NAT_FILTER_PORT},
		 "port-restricted or symmetric"},
		{{NAT_MAPPING_NONE, NAT_FILTER_PORT}, "none"},
		{{NAT_MAPPING_INDEPENDENT, NAT_FILTER_UNKNOWN}, "unknown"},
		{{NAT_MAPPING_INDEPENDENT, NAT_FILTER_ANY}, "full-cone"},
		{{NAT_MAPPING_INDEPENDENT, NAT_FILTER_ADDRESS},
		 "address-restricted"},
		{{NAT_MAPPING_INDEPENDENT, NAT_FILTER_ADDRESS_OR_ANY},
		 "address-restricted or full-cone"},
		{{NAT_MAPPING_INDEPENDENT, NAT_FILTER_PORT}, "port-restricted"},
		{{NAT_MAPPING_DEPENDENT, NAT_FILTER_ANY}, "symmetric"},
		{{NAT_MAPPING_DEPENDENT, NAT_FILTER_PORT}, "symmetric"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_string_equal(nat_kind_name(&all[i].kind), all[i].name);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_lets_everybody_in_is_a_full_cone),
		TEST(who_lets_our_address_in_is_address_restricted),
		TEST(nobody_let_in_and_the_port_kept_is_port_restricted),
		TEST(nobody_let_in_and_the_port_changed_stays_open),
		TEST(a_port_that_an_alg_wrote_proves_nothing),
		TEST(a_name_proves_nothing),
		TEST(an_answer_from_another_port_is_symmetric),
		TEST(no_nat_has_no_kind_but_may_have_a_filter),
		TEST(with_one_address_two_kinds_look_alike),
		TEST(any_status_is_an_answer),
		TEST(three_tries_a_second_apart),
		TEST(who_has_answered_is_not_asked_again),
		TEST(the_question_is_a_whole_options_that_names_its_own_socket),
		TEST(without_a_target_the_address_is_asked),
		TEST(headers_of_a_contact_stay_out_of_the_request),
		TEST(what_cannot_be_written_is_refused),
		TEST(only_datagrams_have_a_kind),
		TEST(an_address_that_is_not_ours_is_told),
		TEST(answers_of_strangers_do_not_count),
		TEST(noise_does_not_count),
		TEST(an_answer_at_the_wrong_socket_does_not_count),
		TEST(at_most_so_many_are_under_way),
		TEST(a_result_may_begin_the_next_probe),
		TEST(a_result_may_end_the_prober),
		TEST(what_is_under_way_at_the_end_is_not_told),
		cmocka_unit_test(each_kind_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
