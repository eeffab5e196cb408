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

#include "api/render.h"
#include "core/alarm.h"

/* ---- what there is to see, faked ------------------------------------------------- */

static struct sip_flow flow;
static struct binding binding;
static struct nat_verdict verdict;
static struct keep_info info;
static bool is_kept;
static unsigned n_phones, most_at_once;
static int reloads, reload_error;
static bool two_phones, is_other; /* every second binding is another's */

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
		is_other = *after % 2 == 0;
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
	return two_phones && is_other ? "101" : "100";
}

unsigned passes_subscriptions(const struct passes *p)
{
	return 7;
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
		.stats = {.in_packets = 5,
			  .drop_stranger = 7,
			  .latched = true,
			  .moves = 2,
			  .pierced = 3,
			  .refused = 4,
			  .other_host = true},
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

const struct nat_verdict *leg_nat(const struct leg *leg)
{
	return &verdict;
}

bool registrar_upstream(const struct binding *b, struct registrar_upstream *out)
{
	*out = (struct registrar_upstream){"pbx", "held", 90};
	return true;
}

unsigned registrar_find(const struct registrar *reg, const char *phone,
			const struct binding **out, unsigned max)
{
	out[0] = &binding;
	return n_phones ? 1 : 0;
}

bool keepalive_look(const struct keep *k, struct keep_info *out)
{
	*out = info;
	return is_kept;
}

unsigned keepalive_flows(const struct keepalive *ka)
{
	return 4;
}

unsigned keepalive_held(const struct keepalive *ka, enum keep_reason reason)
{
	return 10 + reason;
}

unsigned keepalive_lost(const struct keepalive *ka)
{
	return 5;
}

uint64_t keepalive_sent(const struct keepalive *ka, enum keep_method method)
{
	return method == KEEP_CRLF ? 70 : 80;
}

const char *nat_kind_name(const struct nat_kind *kind)
{
	return "port-restricted";
}

const struct conf_phone *config_phone(const struct config *c, const char *name)
{
	static const struct conf_phone phone = {.name = "100"};

	return strcmp(name, "100") ? NULL : &phone;
}

const struct conf_phone *
config_phone_by_user(const struct config *c, const char *realm, struct str user)
{
	return str_eq_c(user, "user-of-100") ? config_phone(c, "100") : NULL;
}

/* trunks.c, which has tests of its own. */
unsigned trunks_some(const struct api_source *s, struct api_list *list,
		     json_t *out)
{
	if (list->after++)
		return 0;
	json_array_append_new(out, json_pack("{s:s}", "name", "itsp"));
	return 1;
}

int trunks_get(const struct api_source *s, struct str name, json_t **body)
{
	*body = json_pack("{s:s%}", "name", name.p, name.n);
	return str_eq_c(name, "itsp") ? 200 : 404;
}

/* The question that the store has been asked, until it is answered. */
static struct {
	store_history_fn fn;
	void *arg;
	wall_ms at, from, to;
	size_t max;
	int err, forgotten;
} asked;

static int note_question(store_history_fn fn, void *arg)
{
	asked.fn = fn;
	asked.arg = arg;
	return asked.err;
}

int store_history_at(struct store *s, const char *phone, wall_ms at,
		     store_history_fn fn, void *arg)
{
	asked.at = at;
	return note_question(fn, arg);
}

int store_history_find(struct store *s, const char *phone, wall_ms from,
		       wall_ms to, size_t max, store_history_fn fn, void *arg)
{
	asked.from = from;
	asked.to = to;
	asked.max = max;
	return note_question(fn, arg);
}

static struct {
	store_cdr_fn fn;
	void *arg;
	struct store_cdr_query query;
	char who[64], after[64];
	int err;
} asked_cdrs;

int store_cdr_find(struct store *s, const struct store_cdr_query *query,
		   store_cdr_fn fn, void *arg)
{
	asked_cdrs.fn = fn;
	asked_cdrs.arg = arg;
	asked_cdrs.query = *query;
	snprintf(asked_cdrs.who, sizeof(asked_cdrs.who), "%s",
		 query->who ? query->who : "");
	snprintf(asked_cdrs.after, sizeof(asked_cdrs.after), "%s",
		 query->after ? query->after : "");
	return asked_cdrs.err;
}

void store_forget(struct store *s, void *arg)
{
	asked_cdrs.fn = NULL;
	asked.forgotten += asked.arg == arg;
	asked.fn = NULL;
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
	static struct config *const config;
	struct api_source source = {
		.ready = &ready,
		.reload = reload,
		.config = &config,
	};

	memset(&asked, 0, sizeof(asked));
	verdict = (struct nat_verdict){0};
	info = (struct keep_info){0};
	is_kept = two_phones = is_other = false;
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

static void trunks_are_a_list_and_one_by_one(void **state)
{
	json_t *reply = ask(*state, "GET", "/trunks");
	const json_t *list =
		json_object_get(json_object_get(reply, "body"), "trunks");

	assert_int_equal(json_array_size(list), 1);
	json_decref(reply);
	assert_int_equal(status_of(ask(*state, "GET", "/trunks/itsp")), 200);
	assert_int_equal(status_of(ask(*state, "GET", "/trunks/who")), 404);
	assert_int_equal(status_of(ask(*state, "PUT", "/trunks")), 405);
}

static void unknown_paths_and_methods_are_refused(void **state)
{
	assert_int_equal(status_of(ask(*state, "GET", "/nothing")), 404);
	assert_int_equal(status_of(ask(*state, "PUT", "/calls")), 405);
	assert_int_equal(status_of(ask(*state, "GET", "/reload")), 404);
	assert_int_equal(status_of(ask(*state, "GET", "/phones/")), 404);
	assert_int_equal(status_of(ask(*state, "GET", "/phones/999")), 404);
	assert_int_equal(status_of(ask(*state, "GET", "/phones/100/x")), 404);
	assert_int_equal(status_of(ask(*state, "PUT", "/phones/100")), 404);
}

/* ---- what is known of the way to a phone ------------------------------------------ */

static void judge_binding(void)
{
	addr_parse_port(&flow.remote, "84.1.2.3:40112");
	binding.flow = binding.to = flow;
	binding.nat.behind = true;
	binding.nat.evidence = 1 << NAT_VIA_HOST | 1 << NAT_VIA_PRIVATE;
	addr_parse_port(&binding.nat.announced, "192.168.1.7:5060");
	binding.kind.filter = NAT_FILTER_PORT;
}

static void the_verdict_is_shown_with_its_reason(void **state)
{
	json_t *reply, *nat;
	const char *alg, *reason, *kind, *mapping, *filter, *evidence;
	int behind, lost;

	judge_binding();
	binding.lost = true;
	reply = ask(*state, "GET", "/phones");
	nat = json_object_get(
		json_array_get(json_object_get(json_object_get(reply, "body"),
					       "phones"),
			       0),
		"nat");
	assert_int_equal(
		json_unpack(nat,
			    "{s:b, s:s, s:s, s:s, s:s, s:s, s:b, s:[s,s!], "
			    "s:n, s:n, s:n}",
			    "behind", &behind, "alg", &alg, "reason", &reason,
			    "kind", &kind, "mapping", &mapping, "filter",
			    &filter, "lost", &lost, "evidence", &evidence,
			    &evidence, "lifetime_s", "method", "rtt_ms"),
		0);
	assert_true(behind && lost);
	assert_string_equal(alg, "none");
	assert_string_equal(reason, "announced 192.168.1.7:5060, seen from "
				    "84.1.2.3:40112: behind NAT");
	assert_string_equal(kind, "port-restricted");
	assert_string_equal(mapping, "unknown");
	assert_string_equal(filter, "port");
	assert_string_equal(evidence, "via-private");
	json_decref(reply);
}

static void what_the_engine_learned_is_shown(void **state)
{
	json_t *reply, *nat;
	const char *method, *heard;
	double interval, next, rtt, first, second;
	int lifetime, answers;

	clock_freeze(100000, 1800000000000);
	judge_binding();
	is_kept = true;
	info = (struct keep_info){
		.method = KEEP_OPTIONS,
		.interval_ms = 19200,
		.next = 100000 + 2500,
		.heard = 100000 - 4000,
		.rtt_us = {21449, 30000},
		.n_rtt = 2,
		.learned = {.floor_s = 24, .ceiling_s = 34, .answers = true},
	};
	reply = ask(*state, "GET", "/phones");
	nat = json_object_get(
		json_array_get(json_object_get(json_object_get(reply, "body"),
					       "phones"),
			       0),
		"nat");
	assert_int_equal(json_unpack(nat,
				     "{s:s, s:s, s:F, s:F, s:F, s:[F,F!], s:i, "
				     "s:b}",
				     "method", &method, "last_heard", &heard,
				     "interval_s", &interval, "next_s", &next,
				     "rtt_ms", &rtt, "rtts_ms", &first, &second,
				     "lifetime_s", &lifetime, "answers",
				     &answers),
			 0);
	assert_string_equal(method, "options");
	assert_string_equal(heard, "2027-01-15T07:59:56.000Z");
	assert_true(interval == 19.2 && next == 2.5);
	assert_true(rtt == 21.4 && first == 21.4 && second == 30.0);
	assert_int_equal(lifetime, 29);
	assert_true(answers);
	json_decref(reply);
	clock_thaw();
}

static void keepalives_are_counted_in_the_status(void **state)
{
	json_t *reply = ask(*state, "GET", "/status");
	int flows, registered, subscribed, dialog, lost, crlf, options;

	assert_int_equal(json_unpack(json_object_get(reply, "body"),
				     "{s:{s:i, s:i, s:i, s:i, s:i, s:i, s:i!}}",
				     "keepalive", "flows", &flows, "registered",
				     &registered, "subscribed", &subscribed,
				     "dialog", &dialog, "lost", &lost,
				     "sent_crlf", &crlf, "sent_options",
				     &options),
			 0);
	assert_int_equal(flows, 4);
	assert_int_equal(registered, 10 + KEEP_REG);
	assert_int_equal(subscribed, 10 + KEEP_SUB);
	assert_int_equal(dialog, 10 + KEEP_DLG);
	assert_int_equal(lost, 5);
	assert_int_equal(crlf, 70);
	assert_int_equal(options, 80);
	json_decref(reply);
}

static void a_leg_shows_its_verdict_and_its_media_moves(void **state)
{
	json_t *reply, *leg;
	int behind, moves, pierced, refused, other_host;

	verdict.behind = true;
	reply = ask(*state, "GET", "/calls");
	leg = json_array_get(
		json_object_get(
			json_array_get(
				json_object_get(json_object_get(reply, "body"),
						"calls"),
				0),
			"legs"),
		0);
	assert_int_equal(json_unpack(leg, "{s:{s:b}, s:[{s:i, s:i, s:i, s:b}]}",
				     "nat", "behind", &behind, "media", "moves",
				     &moves, "pierced", &pierced, "refused",
				     &refused, "other_host", &other_host),
			 0);
	assert_true(behind && other_host);
	assert_int_equal(moves, 2);
	assert_int_equal(pierced, 3);
	assert_int_equal(refused, 4);
	json_decref(reply);
}

/* ---- one phone ---------------------------------------------------------------------- */

static size_t bindings_of(struct rig *rig, const char *path)
{
	json_t *reply = ask(rig, "GET", path);
	json_t *body = json_object_get(reply, "body");
	json_t *list = json_object_get(body, "bindings");
	size_t n = json_array_size(list);

	assert_true(json_is_array(list));
	assert_string_equal(json_string_value(json_object_get(body, "phone")),
			    "100");
	json_decref(reply);
	return n;
}

static void a_phone_has_its_bindings_and_no_others(void **state)
{
	two_phones = true;
	n_phones = 301; /* several pieces, some of them empty of this phone */
	assert_int_equal(bindings_of(*state, "/phones/100"), 151);
	n_phones = 0;
	assert_int_equal(bindings_of(*state, "/phones/100"), 0);
}

static void a_phone_is_found_by_its_user_and_its_aor(void **state)
{
	assert_int_equal(bindings_of(*state, "/phones/user-of-100"), 1);
	assert_int_equal(bindings_of(*state, "/phones/user-of-100@sbc"), 1);
}

static unsigned pieces_of_a_stranger(const struct api_source *source,
				     struct api_list *list, json_t *out)
{
	return list->after++ < 3;
}

static void a_list_may_have_empty_pieces_before_its_end(void **state)
{
	struct api_list list = {.slice = pieces_of_a_stranger};
	bool is_end = false;

	for (int i = 0; i < 4; i++) {
		json_t *items = resource_next(NULL, &list, &is_end);

		assert_int_equal(json_array_size(items), 0);
		assert_int_equal(is_end, i == 3);
		json_decref(items);
	}
}

/* ---- answers that come later ---------------------------------------------------------- */

/* A client that has asked @path and waits. */
static int ask_later(struct rig *rig, const char *path)
{
	char line[256];
	int fd = open_client(rig);

	snprintf(line, sizeof(line), "{\"method\":\"GET\",\"path\":\"%s\"}\n",
		 path);
	assert_true(send(fd, line, strlen(line), MSG_NOSIGNAL) > 0);
	for (int i = 0; i < 1000 && !asked.fn; i++)
		loop_step(rig->loop, 1);
	assert_non_null(asked.fn);
	return fd;
}

static json_t *read_reply(int fd)
{
	char text[65536];
	ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT);

	close(fd);
	return n > 0 ? json_loadb(text, n, 0, NULL) : NULL;
}

static int ask_cdrs(struct rig *rig, const char *query)
{
	char line[256];
	int fd = open_client(rig);

	memset(&asked_cdrs, 0, sizeof(asked_cdrs));
	snprintf(line, sizeof(line),
		 "{\"method\":\"GET\",\"path\":\"/cdrs%s\"}\n", query);
	assert_true(send(fd, line, strlen(line), MSG_NOSIGNAL) > 0);
	for (int i = 0; i < 1000 && !asked_cdrs.fn; i++)
		loop_step(rig->loop, 1);
	assert_non_null(asked_cdrs.fn);
	return fd;
}

static json_t *answer_cdrs(int fd, int err, size_t n)
{
	static const char *const records[] = {"{\"id\":\"b\"}",
					      "{\"id\":\"a\"}", "edited"};
	const struct store_cdrs c = {.err = err, .records = records, .n = n};

	asked_cdrs.fn(asked_cdrs.arg, &c);
	return read_reply(fd);
}

static void call_records_are_answered_when_the_store_has_them(void **state)
{
	int fd = ask_cdrs(*state, "?from=2026-11-21T14:00:00Z&who=%2b4930&"
				  "after=x&limit=2");
	json_t *reply, *list;
	int truncated;

	assert_string_equal(asked_cdrs.who, "+4930");
	assert_string_equal(asked_cdrs.after, "x");
	assert_int_equal(asked_cdrs.query.max, 2);
	assert_int_equal(asked_cdrs.query.from, 1795269600000);
	reply = answer_cdrs(fd, 0, 2);
	assert_int_equal(json_unpack(reply, "{s:{s:o, s:b}}", "body", "cdrs",
				     &list, "truncated", &truncated),
			 0);
	assert_int_equal(json_array_size(list), 2);
	assert_true(truncated);
	json_decref(reply);
}

static void a_record_that_is_no_json_is_left_out(void **state)
{
	json_t *reply = answer_cdrs(ask_cdrs(*state, ""), 0, 3), *list;
	int truncated;

	assert_int_equal(json_unpack(reply, "{s:{s:o, s:b}}", "body", "cdrs",
				     &list, "truncated", &truncated),
			 0);
	assert_int_equal(json_array_size(list), 2);
	assert_false(truncated);
	json_decref(reply);
}

static void a_sick_disk_is_said_to_who_asks_for_records(void **state)
{
	assert_int_equal(status_of(answer_cdrs(ask_cdrs(*state, ""), -EIO, 0)),
			 503);
}

static void a_wrong_question_for_records_is_refused(void **state)
{
	assert_int_equal(status_of(ask(*state, "GET", "/cdrs?from=nonsense")),
			 400);
	assert_int_equal(status_of(ask(*state, "GET", "/cdrs?limit=0")), 400);
	assert_int_equal(status_of(ask(*state, "GET", "/cdrs?limit=9999")),
			 400);
	assert_int_equal(status_of(ask(*state, "GET", "/cdrs?x=1")), 400);
	assert_int_equal(status_of(ask(*state, "POST", "/cdrs")), 405);
}

static json_t *answer(int fd, int err, const struct history_row *rows, size_t n)
{
	const struct store_history h = {
		.err = err, .rows = rows, .n = n, .begins = 1};

	asked.fn(asked.arg, &h);
	return read_reply(fd);
}

static void the_history_is_answered_when_the_store_has_it(void **state)
{
	const struct history_row rows[] = {
		{.at = 1799999000000,
		 .binding = 7,
		 .event = "registered",
		 .rtt_us = {21000},
		 .n_rtt = 1},
		{.at = 1799999900000,
		 .binding = 7,
		 .event = "lost",
		 .proved_at = 1799999800000},
	};
	int fd = ask_later(*state, "/phones/100/history?from=2026-11-21T14:03:"
				   "00Z&to=2026-11-21T14:04:00%2B00:00&limit="
				   "50");
	json_t *reply, *body;
	const char *event, *proved;
	int truncated;
	double rtt;

	assert_int_equal(asked.from, 1795269780000);
	assert_int_equal(asked.to, 1795269840000);
	assert_int_equal(asked.max, 50);
	reply = answer(fd, 0, rows, 2);
	body = json_object_get(reply, "body");
	assert_int_equal(json_unpack(body,
				     "{s:b, s:[{s:[F]}, {s:s, s:s}], s:s}",
				     "truncated", &truncated, "rows", "rtts_ms",
				     &rtt, "event", &event, "proved_at",
				     &proved, "history_begins", &proved),
			 0);
	assert_false(truncated);
	assert_true(rtt == 21.0);
	assert_string_equal(event, "lost");
	json_decref(reply);
}

static void a_moment_is_answered_with_a_verdict(void **state)
{
	const struct history_row rows[] = {
		{.at = 1000, .binding = 7, .event = "registered"},
		{.at = 1795269790000,
		 .binding = 7,
		 .event = "lost",
		 .proved_at = 1795269789000},
	};
	int fd;
	json_t *reply;
	const char *reachable, *why, *before;

	clock_freeze(100000, 1800000000000);
	fd = ask_later(*state, "/phones/100/history?at=2026-11-21T14:03:00Z");
	assert_int_equal(asked.at, 1795269780000);
	reply = answer(fd, 0, rows, 2);
	assert_int_equal(json_unpack(json_object_get(reply, "body"),
				     "{s:{s:s, s:s, s:s}}", "answer",
				     "reachable", &reachable, "why", &why,
				     "heard_after", &before),
			 0);
	assert_string_equal(reachable, "yes");
	assert_string_equal(why, "proved");
	assert_string_equal(before, "2026-11-21T14:03:09.000Z");
	json_decref(reply);
	clock_thaw();
}

static void a_sick_disk_is_503(void **state)
{
	int fd = ask_later(*state, "/phones/100/history");

	assert_int_equal(status_of(answer(fd, -EIO, NULL, 0)), 503);
	asked.err = -EAGAIN;
	asked.fn = NULL;
	assert_int_equal(status_of(ask(*state, "GET", "/phones/100/history")),
			 503);
}

static void wrong_options_are_400(void **state)
{
	static const char *const wrong[] = {
		"at=14:03", "at=",       "from=yesterday",
		"limit=0",  "limit=251", "limit=x",
		"x=1",      "=",         "at=2999-01-01T00:00:00Z",
	};
	char path[128];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		snprintf(path, sizeof(path), "/phones/100/history?%s",
			 wrong[i]);
		assert_int_equal(status_of(ask(*state, "GET", path)), 400);
	}
	assert_null(asked.fn);
}

static void a_client_that_leaves_is_forgotten(void **state)
{
	struct rig *rig = *state;
	int fd = ask_later(rig, "/phones/100/history");

	close(fd);
	for (int i = 0; i < 100 && !asked.forgotten; i++)
		loop_step(rig->loop, 1);
	assert_int_equal(asked.forgotten, 1);
	assert_int_equal(status_of(ask(rig, "GET", "/status")), 200);
}

static void an_impatient_client_is_let_go(void **state)
{
	struct rig *rig = *state;
	int fd = ask_later(rig, "/phones/100/history");

	assert_int_equal(send(fd, "{}\n", 3, MSG_NOSIGNAL), 3);
	for (int i = 0; i < 100 && !asked.forgotten; i++)
		loop_step(rig->loop, 1);
	assert_int_equal(asked.forgotten, 1);
	close(fd);
}

static void a_socket_that_closes_forgets_its_questions(void **state)
{
	struct rig *rig = *state;
	int fd = ask_later(rig, "/phones/100/history");

	ctl_close(rig->ctl);
	rig->ctl = NULL;
	assert_int_equal(asked.forgotten, 1);
	close(fd);
}

static void a_client_may_ask_again_after_a_late_answer(void **state)
{
	static const char again[] =
		"{\"method\":\"GET\",\"path\":\"/status\"}\n";
	struct rig *rig = *state;
	const struct store_history h = {.begins = 1};
	int fd = ask_later(rig, "/phones/100/history");
	char text[65536];
	ssize_t n = -1;

	asked.fn(asked.arg, &h);
	assert_true(recv(fd, text, sizeof(text), 0) > 0);
	assert_true(send(fd, again, strlen(again), MSG_NOSIGNAL) > 0);
	for (int i = 0; i < 100 && n < 0; i++) {
		loop_step(rig->loop, 1);
		n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	}
	assert_true(n > 0);
	assert_int_equal(asked.forgotten, 0);
	close(fd);
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
		T(trunks_are_a_list_and_one_by_one),
		T(unknown_paths_and_methods_are_refused),
		T(what_is_no_request_is_400),
		T(an_endless_line_ends_the_connection),
		T(reload_says_whether_it_was_refused),
		T(too_many_clients_are_turned_away_and_others_served),
		T(the_socket_is_for_owner_and_group),
		T(the_verdict_is_shown_with_its_reason),
		T(what_the_engine_learned_is_shown),
		T(keepalives_are_counted_in_the_status),
		T(a_leg_shows_its_verdict_and_its_media_moves),
		T(a_phone_has_its_bindings_and_no_others),
		T(a_phone_is_found_by_its_user_and_its_aor),
		T(a_list_may_have_empty_pieces_before_its_end),
		T(the_history_is_answered_when_the_store_has_it),
		T(call_records_are_answered_when_the_store_has_them),
		T(a_record_that_is_no_json_is_left_out),
		T(a_sick_disk_is_said_to_who_asks_for_records),
		T(a_wrong_question_for_records_is_refused),
		T(a_moment_is_answered_with_a_verdict),
		T(a_sick_disk_is_503),
		T(wrong_options_are_400),
		T(a_client_that_leaves_is_forgotten),
		T(an_impatient_client_is_let_go),
		T(a_socket_that_closes_forgets_its_questions),
		T(a_client_may_ask_again_after_a_late_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
