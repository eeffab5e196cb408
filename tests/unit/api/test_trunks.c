/*
 * test_trunks.c - trunks as JSON
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "api/render.h"
#include "trunk/trunk.h"

static const char text[] = "config realm 'wan'\n"
			   "config trunk 'itsp'\n"
			   "	option realm 'wan'\n"
			   "	list peer '192.0.2.1:5070 1 7'\n"
			   "	list peer '192.0.2.2 2'\n"
			   "	option register '1'\n"
			   "	option username 'us'\n"
			   "	option password 'secret'\n"
			   "config trunk 'pbx'\n"
			   "	option realm 'wan'\n"
			   "	option host '192.0.2.9'\n";

/* ---- the calls, faked ----------------------------------------------------- */

static unsigned n_calls;
static const char *peer;

unsigned calls_slice(const struct calls *calls, uint64_t *after, unsigned max,
		     void (*fn)(void *arg, const struct call *call), void *arg)
{
	for (unsigned i = 0; i < n_calls; i++)
		fn(arg, NULL);
	return n_calls;
}

/* Each has a phone's leg and a trunk's. */
const struct leg *call_leg(const struct call *call, unsigned i)
{
	static const char legs[2];

	return i < 2 ? (const struct leg *)&legs[i] : NULL;
}

static bool is_second(const struct leg *leg)
{
	return leg != call_leg(NULL, 0);
}

bool leg_is_trunk(const struct leg *leg)
{
	return is_second(leg);
}

enum leg_state leg_state(const struct leg *leg)
{
	return LEG_UP;
}

const char *leg_peer(const struct leg *leg)
{
	return is_second(leg) ? peer : "itsp";
}

/* resource.c's, which would bring all of api/ along. */
json_t *render_problem(const char *fmt, ...)
{
	return json_pack("{s:s}", "title", fmt);
}

/* ---- rig ------------------------------------------------------------------- */

struct rig {
	struct loop *loop;
	struct config *config;
	struct trunks *trunks;
	struct api_source source;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct conf_errors errs = {0};
	struct trunks_conf conf = {0};

	n_calls = 0;
	peer = "itsp";
	assert_int_equal(loop_create(&rig->loop), 0);
	assert_int_equal(config_parse(&rig->config, "test", STR(text), &errs),
			 0);
	conf.loop = rig->loop;
	assert_int_equal(trunks_create(&rig->trunks, &conf, rig->config), 0);
	rig->source.trunks = rig->trunks;
	rig->source.config = &rig->config;
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	trunks_destroy(rig->trunks);
	config_unref(rig->config);
	loop_destroy(rig->loop);
	free(rig);
	return 0;
}

static void a_trunk_has_the_shape_of_the_contract(void **state)
{
	struct rig *rig = *state;
	const char *name, *realm, *is, *address, *transport, *host_state;
	int registers, calls, priority, weight;
	json_t *body, *hosts;

	assert_int_equal(trunks_get(&rig->source, STR("itsp"), &body), 200);
	assert_int_equal(
		json_unpack(
			body, "{s:s, s:s, s:s, s:n, s:b, s:n, s:n, s:i, s:o!}",
			"name", &name, "realm", &realm, "state", &is, "reason",
			"registers", &registers, "registered_until", "rtt_ms",
			"calls", &calls, "hosts", &hosts),
		0);
	assert_string_equal(name, "itsp");
	assert_string_equal(realm, "wan");
	assert_string_equal(is, "unknown");
	assert_true(registers);
	assert_int_equal(json_array_size(hosts), 2);
	assert_int_equal(json_unpack(json_array_get(hosts, 0),
				     "{s:s, s:s, s:s, s:i, s:i, s:n, s:n}",
				     "address", &address, "transport",
				     &transport, "state", &host_state,
				     "priority", &priority, "weight", &weight,
				     "rtt_ms", "reason"),
			 0);
	assert_string_equal(address, "192.0.2.1:5070");
	assert_string_equal(transport, "udp");
	assert_string_equal(host_state, "good");
	assert_int_equal(priority, 1);
	assert_int_equal(weight, 7);
	json_decref(body);
}

static void what_is_wrong_with_a_host_is_said(void **state)
{
	struct rig *rig = *state;
	struct trunk_way way;
	json_t *body, *host;

	assert_int_equal(trunks_ways(rig->trunks, "itsp", &way, 1), 1);
	trunks_report(rig->trunks, "itsp", &way,
		      &(struct trunk_report){.outcome = TRUNK_SILENT});
	assert_int_equal(trunks_get(&rig->source, STR("itsp"), &body), 200);
	host = json_array_get(json_object_get(body, "hosts"), 0);
	assert_string_equal(json_string_value(json_object_get(host, "state")),
			    "silent");
	assert_non_null(
		strstr(json_string_value(json_object_get(host, "reason")),
		       "does not answer"));
	json_decref(body);
}

static void the_legs_to_it_are_its_calls(void **state)
{
	struct rig *rig = *state;
	json_t *body;

	n_calls = 3;
	assert_int_equal(trunks_get(&rig->source, STR("itsp"), &body), 200);
	assert_int_equal(json_integer_value(json_object_get(body, "calls")), 3);
	json_decref(body);
	peer = "pbx";
	assert_int_equal(trunks_get(&rig->source, STR("itsp"), &body), 200);
	assert_int_equal(json_integer_value(json_object_get(body, "calls")), 0);
	json_decref(body);
}

static void all_are_listed_in_the_order_of_the_configuration(void **state)
{
	struct rig *rig = *state;
	struct api_list list = {0};
	json_t *out = json_array();

	while (trunks_some(&rig->source, &list, out))
		;
	assert_int_equal(json_array_size(out), 2);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(out, 1), "name")),
			    "pbx");
	json_decref(out);
}

static void an_unknown_one_is_404(void **state)
{
	struct rig *rig = *state;
	json_t *body;

	assert_int_equal(trunks_get(&rig->source, STR("who"), &body), 404);
	assert_non_null(json_object_get(body, "title"));
	json_decref(body);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_trunk_has_the_shape_of_the_contract),
		T(what_is_wrong_with_a_host_is_said),
		T(the_legs_to_it_are_its_calls),
		T(all_are_listed_in_the_order_of_the_configuration),
		T(an_unknown_one_is_404),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
