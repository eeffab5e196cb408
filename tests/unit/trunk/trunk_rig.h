/*
 * trunk_rig.h - trunks beside a SIP stack and a name service that do what a
 * test says
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_TESTS_TRUNK_RIG_H
#define SBC_TESTS_TRUNK_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../fake_sip.h"
#include "core/alarm.h"
#include "trunk/trunk_priv.h"

#define SEC(s) ((s)*1000ll)
#define HEAD   "config realm 'wan'\n\tlist listen 'udp:5060'\n"

struct rig {
	struct loop *loop;
	struct config *config;
	struct trunks *trunks;
	unsigned n_known;
};

/* ---- the name service, faked ------------------------------------------------ */

static struct {
	struct dns_question q;
	char host[256];
	dns_fn fn;
	void *arg;
	uint64_t id; /* 0 = nobody waits */
	unsigned asked;
} names;

int dns_resolve(uint64_t *id, struct dns *dns, const struct dns_question *q,
		dns_fn fn, void *arg)
{
	names.q = *q;
	snprintf(names.host, sizeof(names.host), "%s", q->host);
	names.fn = fn;
	names.arg = arg;
	names.id = *id = ++names.asked;
	return 0;
}

void dns_cancel(struct dns *dns, uint64_t id)
{
	if (id == names.id)
		names.id = 0;
}

const char *dns_result_name(enum dns_result result)
{
	return result == DNS_NO_NAME ? "no such name" : "failed";
}

/* The question that waits is answered with @n of "address:port priority
 * weight". */
static inline void resolve(const char *const *texts, unsigned n)
{
	struct dns_answer a = {
		.result = n ? DNS_OK : DNS_NO_NAME, .ttl_s = 60, .n = n};

	assert_true(names.id);
	names.id = 0;
	for (unsigned i = 0; i < n; i++) {
		char where[ADDR_TEXT_MAX];
		unsigned priority = 0, weight = 0;

		assert_true(sscanf(texts[i], "%63s %u %u", where, &priority,
				   &weight) >= 1);
		assert_int_equal(addr_parse_port(&a.ways[i].addr, where), 0);
		a.ways[i].transport = DNS_UDP;
		a.ways[i].priority = (uint16_t)priority;
		a.ways[i].weight = (uint16_t)weight;
		a.ways[i].target = (uint16_t)i;
	}
	names.fn(names.arg, &a);
}

/* ---- rig -------------------------------------------------------------------- */

static void count_known(void *arg, const struct addr *a)
{
	((struct rig *)arg)->n_known++;
}

static struct config *parse(const char *text)
{
	struct conf_errors errs = {0};
	struct config *config;

	if (config_parse(&config, "test", str_of(text), &errs)) {
		for (size_t i = 0; i < errs.n; i++)
			print_error("%u: %s\n", errs.list[i].line,
				    errs.list[i].text);
		fail();
	}
	conf_errors_clear(&errs);
	return config;
}

/* Trunks of @text behind HEAD, started. */
static void use(struct rig *rig, const char *text)
{
	struct trunks_conf conf = {
		.loop = rig->loop,
		.dns = (struct dns *)&names,
		.known = count_known,
		.arg = rig,
	};

	rig->config = parse(text);
	assert_int_equal(trunks_create(&rig->trunks, &conf, rig->config), 0);
	trunks_start(rig->trunks);
}

static inline void reload(struct rig *rig, const char *text)
{
	struct config *old = rig->config;

	rig->config = parse(text);
	config_unref(old);
	trunks_set_config(rig->trunks, rig->config);
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	fake_reset();
	memset(&names, 0, sizeof(names));
	clock_freeze(5000000, 1700000000000);
	assert_int_equal(loop_create(&rig->loop), 0);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	trunks_destroy(rig->trunks);
	loop_destroy(rig->loop);
	config_unref(rig->config);
	for (unsigned i = 0; i < fake.n_txns; i++)
		assert_true(fake.txns[i]->released);
	fake_reset();
	alarm_clear("trunk-down");
	alarm_clear("trunk-unregistered");
	clock_thaw();
	free(rig);
	return 0;
}

static void settle(struct rig *rig)
{
	loop_fire(rig->loop);
	loop_step(rig->loop, 0);
}

static void pass(struct rig *rig, int64_t ms)
{
	for (; ms > 0; ms -= 100) {
		clock_advance(ms < 100 ? ms : 100);
		settle(rig);
	}
}

/* ---- the provider, faked ------------------------------------------------------ */

/* Every OPTIONS that waits is answered. */
static inline void answer_options(int status)
{
	for (unsigned i = 0; i < fake.n; i++) {
		if (fake.sent[i].method == SIP_OPTIONS &&
		    !fake.sent[i].txn->released)
			fake_response(fake.sent[i].txn, status, NULL);
	}
}

/* The REGISTER that waits, or NULL. */
static inline struct fake_message *registering(void)
{
	struct fake_message *m = fake_request(SIP_REGISTER);

	return m->txn && !m->txn->released ? m : NULL;
}

static inline void refuse(int status)
{
	assert_non_null(registering());
	fake_response(registering()->txn, status, NULL);
}

/* 200 to the REGISTER that waits: for @expires_s, seen from @seen. */
static inline void grant(unsigned expires_s, const char *seen)
{
	struct sip_contact contact = {.uri = "sip:us@203.0.113.10:5060",
				      .expires = expires_s};
	struct sip_view view = {
		.method = SIP_REGISTER,
		.status = 200,
		.contacts = &contact,
		.n_contacts = 1,
		.expires = -1,
		.retry_after = -1,
	};

	assert_non_null(registering());
	if (seen)
		addr_parse_port(&view.reply_source, seen);
	fake_response_view(registering()->txn, &view);
}

/* ---- what the trunk is ---------------------------------------------------------- */

static struct trunk_look looked;

static inline const struct trunk_look *look(struct rig *rig)
{
	assert_int_equal(trunks_look(rig->trunks, "itsp", &looked), 0);
	return &looked;
}

static inline const char *state_of(struct rig *rig)
{
	return trunk_state_name(look(rig)->state);
}

static inline bool is_raised(const char *alarm)
{
	struct alarm list[8];
	size_t n = alarm_list(list, 8);

	for (size_t i = 0; i < n; i++) {
		if (!strcmp(list[i].name, alarm))
			return true;
	}
	return false;
}

static struct trunk_way ways[TRUNK_WAYS];

/* The ways now, as "address:port address:port"; suspects in brackets. */
static inline const char *ways_now(struct rig *rig)
{
	static char text[512];
	char addr[ADDR_TEXT_MAX];
	unsigned n = trunks_ways(rig->trunks, "itsp", ways, TRUNK_WAYS);
	struct buf b;

	buf_init(&b, text, sizeof(text));
	for (unsigned i = 0; i < n; i++)
		buf_printf(&b, ways[i].grade == TRUNK_GOOD ? "%s%s" : "%s(%s)",
			   b.n ? " " : "", addr_fmt(&ways[i].remote, addr));
	return text;
}

static inline void report(struct rig *rig, unsigned way,
			  enum trunk_outcome outcome, int status,
			  int64_t retry_after_s)
{
	assert_true(trunks_ways(rig->trunks, "itsp", ways, TRUNK_WAYS) > way);
	trunks_report(rig->trunks, "itsp", &ways[way],
		      &(struct trunk_report){outcome, status, retry_after_s});
}

#endif
