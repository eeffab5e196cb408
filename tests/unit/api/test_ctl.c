/*
 * test_ctl.c - the control socket and the JSON that comes out of it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Real: ctl, resource, the loop.  Faked: what they look at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/api.h"
#include "core/alarm.h"

/* ---- what there is to see, faked ------------------------------------------------- */

static struct sip_flow flow;
static struct binding binding;
static unsigned n_phones, most_at_once;
static int reloads, reload_error;

bool sip_listener_at(const struct sip_stack *sip, unsigned i,
		     struct sip_listener *out)
{
	*out = (struct sip_listener){
		.realm = "lan",
		.transport = SIP_UDP,
		.local = flow.local,
		.up = true,
	};
	return i == 0;
}

const char *sip_transport_name(enum sip_transport t)
{
	return "udp";
}

unsigned registrar_count(const struct registrar *reg)
{
	return n_phones;
}

unsigned registrar_slice(const struct registrar *reg, uint64_t *after,
			 unsigned max,
			 void (*fn)(void *arg, const struct binding *b),
			 void *arg)
{
	unsigned n = 0;

	for (; n < max && *after < n_phones; n++) {
		++*after;
		fn(arg, &binding);
	}
	most_at_once = n > most_at_once ? n : most_at_once;
	return n;
}

const char *binding_aor(const struct binding *b)
{
	return "100@sbc";
}

const char *binding_phone(const struct binding *b)
{
	return "100";
}

unsigned calls_count(const struct calls *calls)
{
	return 1;
}

unsigned calls_slice(const struct calls *calls, uint64_t *after, unsigned max,
		     void (*fn)(void *arg, const struct call *call), void *arg)
{
	if (*after)
		return 0;
	*after = 1;
	fn(arg, NULL);
	return 1;
}

const char *call_id(const struct call *call)
{
	return "c1";
}

enum call_state call_state(const struct call *call)
{
	return CALL_UP;
}

const char *call_state_name(enum call_state state)
{
	return "up";
}

const char *call_from(const struct call *call)
{
	return "100";
}

const char *call_to(const struct call *call)
{
	return "101";
}

wall_ms call_started(const struct call *call)
{
	return 1700000000000;
}

wall_ms call_answered(const struct call *call)
{
	return 0;
}

const struct leg *call_leg(const struct call *call, unsigned i)
{
	return i < 2 ? (const struct leg *)&binding : NULL;
}

bool leg_is_incoming(const struct leg *leg)
{
	return true;
}

const char *leg_realm(const struct leg *leg)
{
	return "lan";
}

const char *leg_peer(const struct leg *leg)
{
	return "100";
}

const struct sip_flow *leg_flow(const struct leg *leg)
{
	return &flow;
}

const char *leg_call_id(const struct leg *leg)
{
	return "dialog-1";
}

enum leg_state leg_state(const struct leg *leg)
{
	return LEG_UP;
}

const char *leg_state_name(enum leg_state state)
{
	return "up";
}

bool leg_media_at(const struct leg *leg, unsigned i, struct leg_media_info *out)
{
	*out = (struct leg_media_info){
		.type = STR("audio"),
		.codec = STR("PCMA"),
		.local = &flow.local,
		.stats = {.in_packets = 5, .drop_stranger = 7, .latched = true},
	};
	if (i == 1)
		out->type.p = NULL; /* a refused m-line is not shown */
	return i < 2;
}

uint64_t media_rest_shortened(const struct media *m)
{
	return 3;
}

enum store_state store_state(const struct store *s)
{
	return STORE_OK;
}

const char *store_state_name(enum store_state state)
{
	return "ok";
}

static int reload(void *arg)
{
	reloads++;
	return reload_error;
}

/* ---- rig -------------------------------------------------------------------------- */

struct rig {
	struct loop *loop;
	struct ctl *ctl;
	char path[64];
};

static const bool ready = true;

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct api_source source = {.ready = &ready, .reload = reload};

	reloads = reload_error = 0;
	n_phones = 1;
	addr_parse_port(&flow.local, "203.0.113.10:5060");
	addr_parse_port(&flow.remote, "[2001:db8::7]:40001");
	binding = (struct binding){
		.contact = "sip:100@192.168.1.50",
		.realm = "lan",
		.flow = flow,
		.user_agent = "caf\xe9", /* not UTF-8 */
	};
	snprintf(rig->path, sizeof(rig->path), "/tmp/test_ctl.%d", getpid());
	assert_int_equal(loop_create(&rig->loop), 0);
	assert_int_equal(ctl_open(&rig->ctl, rig->loop, rig->path, &source), 0);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	ctl_close(rig->ctl);
	assert_int_equal(access(rig->path, F_OK), -1);
	loop_destroy(rig->loop);
	free(rig);
	return 0;
}

static int open_client(struct rig *rig)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(to.sun_path, rig->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* Send @text, run the loop until a line or the end of the connection came. */
static json_t *ask_raw(struct rig *rig, const char *text, size_t n)
{
	static char answer[1 << 20];
	int fd = open_client(rig);
	size_t got = 0;
	ssize_t r = -1;

	assert_true(send(fd, text, n, MSG_NOSIGNAL) >= 0);
	for (int turn = 0; turn < 2000 && r != 0; turn++) {
		loop_step(rig->loop, 1);
		r = recv(fd, answer + got, sizeof(answer) - got, MSG_DONTWAIT);
		got += r > 0 ? r : 0;
		if (got && answer[got - 1] == '\n')
			break;
	}
	close(fd);
	loop_step(rig->loop, 1);
	return json_loadb(answer, got, 0, NULL);
}

static json_t *ask(struct rig *rig, const char *method, const char *path)
{
	char line[256];

	snprintf(line, sizeof(line), "{\"method\":\"%s\",\"path\":\"%s\"}\n",
		 method, path);
	return ask_raw(rig, line, strlen(line));
}

static long long status_of(json_t *reply)
{
	long long status = json_integer_value(json_object_get(reply, "status"));

	json_decref(reply);
	return status;
}

static void status_has_the_shape_of_the_contract(void **state)
{
	json_t *reply, *body;
	const char *version, *store, *alarm;
	int pid, calls, bindings, port, up, is_ready;
	json_int_t uptime;

	alarm_raise("store-degraded", ALARM_MAJOR, "the disk is full");
	reply = ask(*state, "GET", "/status");
	body = json_object_get(reply, "body");
	assert_int_equal(
		json_unpack(body,
			    "{s:s, s:i, s:I, s:b, s:i, s:i, s:[{s:i, s:b}], "
			    "s:{s:s}, s:[{s:s}]}",
			    "version", &version, "pid", &pid, "uptime_s",
			    &uptime, "ready", &is_ready, "calls", &calls,
			    "bindings", &bindings, "listeners", "port", &port,
			    "up", &up, "store", "state", &store, "alarms",
			    "name", &alarm),
		0);
	assert_int_equal(pid, getpid());
	assert_int_equal(port, 5060);
	assert_string_equal(store, "ok");
	assert_string_equal(alarm, "store-degraded");
	alarm_clear("store-degraded");
	json_decref(reply);
}

static void phones_have_the_shape_of_the_contract(void **state)
{
	json_t *reply = ask(*state, "GET", "/phones"), *phone;
	const char *source, *contact, *agent;

	phone = json_array_get(
		json_object_get(json_object_get(reply, "body"), "phones"), 0);
	assert_int_equal(json_unpack(phone, "{s:s, s:s, s:s, s:n, s:n}",
				     "source", &source, "contact", &contact,
				     "user_agent", &agent, "instance", "nat"),
			 0);
	assert_string_equal(source, "[2001:db8::7]:40001");
	assert_string_equal(contact, "sip:100@192.168.1.50");
	assert_string_equal(agent, "(not UTF-8)");
	json_decref(reply);
}

static void calls_have_the_shape_of_the_contract(void **state)
{
	json_t *reply = ask(*state, "GET", "/calls"), *call, *legs, *media;
	const char *id, *call_state_text, *codec;
	json_int_t packets, strangers;
	int latched;

	call = json_array_get(
		json_object_get(json_object_get(reply, "body"), "calls"), 0);
	assert_int_equal(json_unpack(call, "{s:s, s:s, s:n, s:o}", "id", &id,
				     "state", &call_state_text, "answered_at",
				     "legs", &legs),
			 0);
	assert_int_equal(json_array_size(legs), 2);
	media = json_object_get(json_array_get(legs, 0), "media");
	assert_int_equal(json_array_size(media), 1);
	assert_int_equal(json_unpack(json_array_get(media, 0),
				     "{s:s, s:b, s:{s:I}, s:{s:I}}", "codec",
				     &codec, "latched", &latched, "in",
				     "packets", &packets, "dropped", "stranger",
				     &strangers),
			 0);
	assert_int_equal(packets, 5);
	assert_int_equal(strangers, 7);
	json_decref(reply);
}

static void a_large_answer_arrives_whole(void **state)
{
	json_t *reply;

	n_phones = 2500; /* far more than a socket buffer */
	reply = ask(*state, "GET", "/phones");
	assert_int_equal(json_array_size(json_object_get(
				 json_object_get(reply, "body"), "phones")),
			 2500);
	json_decref(reply);
}

static void a_long_list_is_made_in_small_pieces(void **state)
{
	n_phones = 2500;
	most_at_once = 0;
	json_decref(ask(*state, "GET", "/phones"));
	assert_true(most_at_once <= 64);
}

static void an_empty_list_is_one(void **state)
{
	json_t *reply, *list;

	n_phones = 0;
	reply = ask(*state, "GET", "/phones");
	list = json_object_get(json_object_get(reply, "body"), "phones");
	assert_true(json_is_array(list));
	assert_int_equal(json_array_size(list), 0);
	json_decref(reply);
}

static void unknown_paths_and_methods_are_refused(void **state)
{
	assert_int_equal(status_of(ask(*state, "GET", "/nothing")), 404);
	assert_int_equal(status_of(ask(*state, "PUT", "/calls")), 405);
	assert_int_equal(status_of(ask(*state, "GET", "/reload")), 404);
}

static void what_is_no_request_is_400(void **state)
{
	static const char *const lines[] = {
		"\n",
		"hello\n",
		"{}\n",
		"[]\n",
		"{\"method\":\"GET\"}\n",
		"{\"method\":1,\"path\":\"/calls\"}\n",
		"{\"method\":\"GET\",\"path\":\"/calls\",\"x\":1}\n",
		"{\"method\":\"GET\",\"method\":\"GET\",\"path\":\"/\"}\n",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		assert_int_equal(
			status_of(ask_raw(*state, lines[i], strlen(lines[i]))),
			400);
}

static void an_endless_line_ends_the_connection(void **state)
{
	char line[8192];

	memset(line, 'x', sizeof(line));
	assert_null(ask_raw(*state, line, sizeof(line)));
	assert_int_equal(status_of(ask(*state, "GET", "/status")), 200);
}

static void reload_says_whether_it_was_refused(void **state)
{
	assert_int_equal(status_of(ask(*state, "POST", "/reload")), 200);
	reload_error = -EINVAL;
	assert_int_equal(status_of(ask(*state, "POST", "/reload")), 409);
	assert_int_equal(reloads, 2);
}

static void too_many_clients_are_turned_away_and_others_served(void **state)
{
	struct rig *rig = *state;
	int fds[24];

	for (int i = 0; i < 24; i++) {
		fds[i] = open_client(rig);
		loop_step(rig->loop, 1);
	}
	for (int i = 0; i < 24; i++)
		close(fds[i]);
	for (int i = 0; i < 40; i++)
		loop_step(rig->loop, 1);
	assert_int_equal(status_of(ask(rig, "GET", "/status")), 200);
}

static void the_socket_is_for_owner_and_group(void **state)
{
	struct rig *rig = *state;
	struct stat st;

	assert_int_equal(stat(rig->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(status_has_the_shape_of_the_contract),
		T(phones_have_the_shape_of_the_contract),
		T(calls_have_the_shape_of_the_contract),
		T(a_large_answer_arrives_whole),
		T(a_long_list_is_made_in_small_pieces),
		T(an_empty_list_is_one),
		T(unknown_paths_and_methods_are_refused),
		T(what_is_no_request_is_400),
		T(an_endless_line_ends_the_connection),
		T(reload_says_whether_it_was_refused),
		T(too_many_clients_are_turned_away_and_others_served),
		T(the_socket_is_for_owner_and_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
