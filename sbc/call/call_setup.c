/*
 * call_setup.c - from an INVITE to the leg that answers
 *
 *   INVITE -> who is it -> where to -> a-leg -> target 1: fork, fork, fork
 *                                               target 2: trunk   (failover)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Everything that can be refused is refused statelessly; only an INVITE from a
 * phone that proved who it is, or from a trunk, costs memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/call_priv.h"
#include "core/err.h"
#include "core/log.h"
#include "core/rand.h"

enum { DISPLAY_BYTES = 128 };

static void refuse(struct sip_request *req, int status, unsigned retry_after_s)
{
	char after[16];
	struct sip_header h = {"Retry-After", after};

	snprintf(after, sizeof(after), "%u", retry_after_s);
	sip_request_answer(req, &(struct sip_message){
					.status = status,
					.headers = &h,
					.n_headers = !!retry_after_s,
				});
}

static bool same_key(const struct hash_node *node, const void *key)
{
	return !strcmp(container_of(node, struct call, by_invite)->invite_key,
		       key);
}

/*
 * The same request by another way (RFC 3261 8.2.2.2).  The Request-URI counts
 * too: an upstream registrar may fork one INVITE to two phones behind us.
 */
static bool is_merged(struct calls *calls, const struct sip_view *view,
		      char *key, size_t size)
{
	snprintf(key, size, "%s %s %u %s", view->call_id,
		 view->from_tag ? view->from_tag : "", view->cseq,
		 view->uri_text);
	return hash_find(&calls->by_invite, hash_text(key), same_key, key) !=
	       NULL;
}

static bool is_reachable(struct calls *calls, const struct route_result *to)
{
	const struct binding *b;

	for (unsigned i = 0; i < to->n; i++) {
		const struct conf_phone *phone = to->targets[i].phone;

		if (!phone ||
		    registrar_find(calls->conf.registrar, phone->name, &b, 1))
			return true;
	}
	return false;
}

/* A trunk that is a registrar names one of its contacts by our token. */
static const struct binding *named_by(struct calls *calls,
				      const struct registrar_peer *caller,
				      const char *user)
{
	return caller->trunk ? registrar_by_token(calls->conf.registrar, user)
			     : NULL;
}

static void aim_at(struct route_result *to, const struct config *config,
		   const struct binding *b, const char *from)
{
	const struct conf_phone *phone = config_phone(config, binding_phone(b));

	*to = (struct route_result){
		.kind = phone ? ROUTE_PHONE : ROUTE_NONE,
		.targets[0].phone = phone,
		.n = 1,
	};
	str_copy(to->called, sizeof(to->called),
		 str_of(phone ? phone->user : ""));
	str_copy(to->calling, sizeof(to->calling), str_of(from));
}

/* The number that calls: of a phone the one that it has here, whatever it says
 * of itself; else that of From, which may be a tel URI. */
static const char *calling(const struct registrar_peer *caller,
			   const struct sip_view *view,
			   char mem[LIMIT_USER_BYTES])
{
	const struct conf_phone *phone = caller->phone;
	char tel[LIMIT_USER_BYTES + 4];

	if (phone)
		return phone->caller_id[0] ? phone->caller_id : phone->user;
	if (identity_number(caller, view, mem))
		return mem;
	if (str_copy(mem, LIMIT_USER_BYTES, str_of(view->from.user)))
		return "";
	if (str_case_eq_c(str_of(view->from.scheme), "tel")) {
		snprintf(tel, sizeof(tel), "tel:%s", mem);
		route_number_of_tel(tel, mem);
	}
	return mem;
}

/* The number that is called; NULL: there is none, or it is too long. */
static const char *called(const struct sip_view *view,
			  char mem[LIMIT_USER_BYTES])
{
	const char *user = view->uri.user;

	if (str_case_eq_c(str_of(view->uri.scheme), "tel"))
		return route_number_of_tel(view->uri_text, mem) ? NULL : mem;
	return user && strlen(user) < LIMIT_USER_BYTES ? user : NULL;
}

/* The status to refuse the INVITE with before anything is kept; 0 = go on. */
static int admit(struct calls *calls, const struct sip_view *view,
		 const struct registrar_peer *caller, struct route_result *to,
		 uint64_t *only)
{
	char to_mem[LIMIT_USER_BYTES], from_mem[LIMIT_USER_BYTES];
	const char *user = called(view, to_mem);
	int status;

	if (!view->n_contacts)
		return 400; /* RFC 3261 8.1.1.8 */
	if (!user)
		return 404;
	status = setup_find_targets(calls, calls->config, caller,
				    view->uri.host, user,
				    calling(caller, view, from_mem), to, only);
	if (!status && !to->emergency && !admit_caller(calls, caller))
		return 503;
	return status;
}

/* The same for one that wants the place of a leg: nobody is called. */
static int admit_named(struct calls *calls, const struct sip_view *view,
		       const struct registrar_peer *caller,
		       struct route_result *to, uint64_t *only)
{
	char mem[LIMIT_USER_BYTES];

	*to = (struct route_result){.kind = ROUTE_NONE};
	*only = 0;
	str_copy(to->calling, sizeof(to->calling),
		 str_of(calling(caller, view, mem)));
	str_copy(to->called, sizeof(to->called), str_of(view->uri.user));
	return admit_caller(calls, caller) ? 0 : 503;
}

/*
 * A display name as it may cross: bounded, without control bytes, not cut
 * inside a character.  NULL when there is none, or no memory for it.
 */
static char *clean_display(const char *text)
{
	size_t n = text ? strnlen(text, DISPLAY_BYTES) : 0;
	char *out;

	while (n && text[n] && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	out = n ? strndup(text, n) : NULL;
	for (char *p = out; p && *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	}
	return out;
}

/* Until a target has its own forms of the numbers. */
static void name_parties(struct call *call, const struct sip_view *view)
{
	str_copy(call->from, sizeof(call->from), str_of(call->targets.calling));
	str_copy(call->to, sizeof(call->to), str_of(call->targets.called));
	call->display = clean_display(view->from_display);
}

int setup_find_targets(struct calls *calls, const struct config *config,
		       const struct registrar_peer *caller, const char *host,
		       const char *user, const char *from,
		       struct route_result *to, uint64_t *only)
{
	const struct binding *named = named_by(calls, caller, user);
	const struct route_ask ask = {
		.realm = caller->realm->name,
		.phone = caller->phone,
		.trunk = caller->trunk,
		.called = user,
		.calling = from,
		.method = CONF_FOR_INVITE,
		.routes_only =
			host[0] && !registrar_is_ours(calls->conf.registrar,
						      caller->realm, host),
	};

	*only = named ? named->id : 0;
	if (named)
		aim_at(to, config, named, from);
	else
		route_decide(to, config, &ask, NULL);
	if (to->kind == ROUTE_NONE)
		return 404;
	return is_reachable(calls, to) ? 0 : 480;
}

static void ring_timed_out(void *arg)
{
	struct call *call = arg;

	if (route_is_better(408, call->best))
		call->best = 408;
	/* The forks are cancelled; none of them is asked any more. */
	call->ringing = 0;
	fork_forget(call);
	call_hangup_legs(call, call->a, NULL);
	setup_next_target(call);
}

/* Who demands what we do not do with it (RFC 3261 8.2.2.3), or cannot do what
 * it has to (21.4.15). */
static bool refuse_100rel(struct sip_request *req,
			  const struct registrar_peer *caller)
{
	const struct sip_view *view = sip_request_view(req);
	enum conf_rel100 policy = caller->trunk ? caller->trunk->policy.rel100
						: caller->realm->policy.rel100;
	bool off = policy == CONF_REL100_OFF;
	struct sip_header h = {off ? "Unsupported" : "Require", "100rel"};

	if (off ? !view->requires_100rel
		: policy != CONF_REL100_REQUIRE || view->supports_100rel ||
			    view->requires_100rel)
		return false;
	sip_request_answer(req, &(struct sip_message){
					.status = off ? 420 : 421,
					.headers = &h,
					.n_headers = 1,
				});
	return true;
}

void setup_refuse(struct call *call, int status)
{
	call->status = status;
	call_ending(call, "refused");
	leg_reject(call->a, status);
}

void calls_invite(struct calls *calls, struct sip_request *req)
{
	const struct sip_view *view = sip_request_view(req);
	char key[LIMIT_CALLID_BYTES + LIMIT_URI_BYTES + 300];
	struct registrar_peer caller;
	struct route_result targets;
	struct leg_conf conf;
	const struct sdp *offer;
	struct sip_txn *txn;
	struct call *call;
	struct leg *named;
	uint64_t only;
	int status;

	if (view->max_forwards == 0) {
		refuse(req, 483, 0);
		return;
	}
	if (!registrar_identify(calls->conf.registrar, req, &caller))
		return;
	if (is_merged(calls, view, key, sizeof(key))) {
		refuse(req, 482, 0);
		return;
	}
	if (refuse_100rel(req, &caller))
		return;
	status = replace_admit(calls, view, &caller, &named);
	if (!status)
		status = named ? admit_named(calls, view, &caller, &targets,
					     &only)
			       : admit(calls, view, &caller, &targets, &only);
	if (status) {
		record_refused(calls, view, &caller, status);
		refuse(req, status, status == 503 ? 5 + rand_below(10) : 0);
		return;
	}
	call = call_create(calls, view, key);
	if (!call) {
		refuse(req, 503, 5);
		return;
	}
	call->targets = targets;
	call->caller = caller;
	call->only = only;
	name_parties(call, view);
	identity_take(call, view);
	if (headers_take(call, view)) {
		refuse(req, 503, 5);
		call_ending(call, "no-resources");
		call_leg_dead(call, NULL);
		return;
	}
	record_begin(call, view);
	log_info("call.start", kv_s("call", call->id), kv_s("from", call->from),
		 kv_s("to", call->to), kv_s("realm", view->realm),
		 kv_a("source", &view->flow.remote));
	conf = call_leg_conf(call, caller.realm,
			     caller.phone ? caller.phone->name
					  : caller.trunk->name,
			     &view->flow, caller.trunk != NULL);
	if (caller.phone)
		conf.instance =
			appear_instance(calls, caller.phone->name, &view->flow);
	call->media_timeout_ms = caller.realm->media_timeout_s * 1000;
	call->media_timeout_hold_ms = caller.realm->media_timeout_hold_s * 1000;
	if (sip_request_accept(req, &txn, NULL, NULL) ||
	    leg_create_in(&call->a, &conf, txn)) {
		call_ending(call, "no-resources");
		call_leg_dead(call, NULL);
		return;
	}
	call_add_leg(call, call->a);
	sip_txn_answer(txn, &(struct sip_message){.status = 100});
	status = leg_read_invite(call->a, &offer);
	if (status) {
		setup_refuse(call, status);
		return;
	}
	if (named)
		replace_begin(call, named);
	else
		setup_next_target(call);
}

/* ---- targets and forks ----------------------------------------------------- */

static int invite_leg(struct call *call, struct leg *leg,
		      const struct sip_header *headers, unsigned n_headers)
{
	struct sdp *of_other = NULL;
	const struct sdp *offer;
	int err;

	if (transfer_brings(call)) {
		offer = of_other = transfer_offer(call);
		if (!offer)
			return -ENOMEM;
	} else {
		offer = leg_description(call->a);
	}
	adopt_name(call, leg, call->a);
	err = leg_invite(leg, offer, call->max_forwards, headers, n_headers);
	sdp_free(of_other);
	return err;
}

/*
 * Without an offer of the caller's the callee makes one: in a reliable 18x only
 * where the caller's PRACK can answer it, and nobody else makes one as well
 * (RFC 3262 5).  Else it comes with the 2xx.
 */
static bool must_offer_late(const struct call *call)
{
	if (!call->a || transfer_brings(call) || leg_description(call->a))
		return false;
	return !leg_can_100rel(call->a) || call->n_forks > 1;
}

int setup_start_leg(struct call *call, const struct leg_conf *conf,
		    const struct sip_dialog_conf *dialog, const char *path,
		    struct leg **out)
{
	struct leg_conf able = *conf;
	struct sip_dialog_conf named = *dialog;
	char referred_by[REFERRED_BYTES];
	struct headers_out headers;
	struct leg *leg;
	int err;

	identity_name(call, conf, &named);
	named.remote_user = call->to;
	able.no_100rel = must_offer_late(call);
	err = leg_create_out(&leg, &able, &named);
	if (err)
		return err;
	err = call_add_leg(call, leg);
	if (!err) {
		headers_give(call, conf, path, &headers);
		if (headers.n < HEADERS_OUT &&
		    transfer_referred_by(call, conf, &dialog->flow,
					 referred_by))
			headers.list[headers.n++] =
				(struct sip_header){"Referred-By", referred_by};
		err = invite_leg(call, leg, headers.list, headers.n);
		if (!err) {
			call->ringing++;
			*out = leg;
			return 0;
		}
		for (unsigned i = 0; i < CALL_LEGS; i++) {
			if (call->legs[i] == leg)
				call->legs[i] = NULL;
		}
	}
	leg_destroy(leg);
	return err;
}

/* What the caller hears when a target could not even be asked. */
int setup_status_of(int err)
{
	return err == -EINVAL ? 488 : 503;
}

void setup_note_failure(struct call *call, int status)
{
	record_heard(call, status);
	if (!route_is_better(status, call->best))
		return;
	call->best = status;
	call->best_reason[0] = 0;
}

static void start_phone(struct call *call, const struct conf_phone *phone)
{
	int err = fork_phone(call, phone);

	if (err)
		setup_note_failure(call,
				   err == -ENOENT ? 480 : setup_status_of(err));
}

static void give_up(struct call *call)
{
	int status = route_map_status(call->best ? call->best : 480);

	call->status = status;
	call_ending(call, status == 408 ? "no-answer" : "refused");
	if (call->a)
		leg_reject_for(call->a, status,
			       call->best_reason[0] ? call->best_reason : NULL);
	call_leg_dead(call, NULL); /* it may have none */
}

/* Ask the targets from the next on until one could be asked. */
static bool ask_targets(struct call *call)
{
	const struct route_target *t;

	while (!call->target_stops && call->next_target < call->targets.n) {
		t = &call->targets.targets[call->next_target];
		route_numbers_for(&call->targets, call->next_target++, call->to,
				  call->from);
		call->was_refused = false;
		fork_forget(call);
		record_asked(call, t->phone ? t->phone->name : t->trunk->name);
		if (!admit_target(call, t))
			setup_note_failure(call, t->phone ? 486 : 503);
		else if (t->phone)
			start_phone(call, t->phone);
		else
			trunk_start(call, t->trunk);
		if (!call->ringing)
			continue;
		timer_set(call->owner->conf.loop, &call->ring,
			  config_global(call->config)->ring_timeout_s * 1000ll,
			  ring_timed_out, call);
		return true;
	}
	return false;
}

void setup_next_target(struct call *call)
{
	do {
		if (ask_targets(call))
			return;
	} while (redirect_next(call));
	give_up(call);
}

void setup_progress(void *arg, struct leg *leg, int status,
		    const struct sdp *sdp)
{
	struct call *call = arg;

	if (call->state != CALL_RINGING || (!call->a && !transfer_brings(call)))
		return;
	trunk_heard(call, leg, status);
	if (status > 100)
		record_rings(call);
	if (transfer_brings(call)) {
		transfer_progress(call, status);
		return;
	}
	/* One fork's early media at a time: the first that sends some. */
	if (sdp && !call->early)
		call->early = leg;
	if (leg != call->early)
		sdp = NULL;
	leg_ring(call->a, status, sdp);
	if (sdp)
		leg_bridge(call->a, leg);
}

void setup_won(struct call *call, struct leg *leg)
{
	timer_cancel(call->owner->conf.loop, &call->ring);
	call->b = leg;
	call->state = CALL_UP;
	call->ringing = 0;
	fork_forget(call);
	call->answered_at = clock_wall();
	call->answered = clock_mono();
	record_answered(call);
	for (unsigned i = 0; i < CALL_LEGS; i++) {
		if (call->legs[i] && call->legs[i] != leg &&
		    call->legs[i] != call->a)
			leg_hangup(call->legs[i],
				   "SIP;cause=200;text=\"Call completed "
				   "elsewhere\"");
	}
}

void setup_connect(struct call *call, struct leg *leg, const struct sdp *sdp)
{
	adopt_name(call, call->a, leg);
	if (leg_answer(call->a, sdp)) {
		call_ending(call, "no-resources");
		leg_hangup(leg, NULL);
		leg_reject(call->a, 500);
		return;
	}
	leg_bridge(call->a, leg);
	log_info("call.up", kv_s("call", call->id), kv_s("from", call->from),
		 kv_s("to", call->to), kv_s("peer", leg_peer(leg)));
	bridge_watch(call);
}

/* The first answer wins; the other forks are cancelled. */
void setup_answered(void *arg, struct leg *leg, const struct sdp *sdp)
{
	struct call *call = arg;
	bool late = leg_owes_answer(leg);

	if (call->state != CALL_RINGING ||
	    (!call->a && !transfer_brings(call))) {
		leg_hangup(leg, NULL);
		return;
	}
	trunk_heard(call, leg, 200);
	setup_won(call, leg);
	if (transfer_brings(call)) {
		transfer_answered(call, leg);
		return;
	}
	setup_connect(call, leg, sdp);
	/* With a late offer the caller's ACK brings the answer. */
	if (!late && call->state == CALL_UP)
		bridge_ack(call, leg, NULL);
}

/* Nobody has said no, and a phone that gave no sign of life may come back
 * before the ring timer ends. */
static bool is_worth_waiting(const struct call *call)
{
	return !call->was_refused && call->next_target >= call->targets.n &&
	       fork_may_return(call);
}

void setup_fork_ended(struct call *call, struct leg *leg, int status)
{
	if (call->state != CALL_RINGING || !call->ringing)
		return;
	call->ringing--;
	if (call->early == leg)
		call->early = NULL;
	if (fork_ended(call, leg, status) || trunk_ended(call, leg, status))
		return;
	if (status < 400 && redirect_is_pending(call))
		record_heard(call, status);
	else
		setup_note_failure(call, status);
	if (call->best == status)
		str_copy(call->best_reason, sizeof(call->best_reason),
			 str_of(leg_reason(leg)));
	call->was_refused |= leg_was_heard(leg);
	if (!route_next(status))
		call->target_stops = true;
	if (status >= 600) { /* a global failure ends the search at once */
		call->ringing = 0;
		call_hangup_legs(call, call->a, NULL);
	}
	if (call->ringing || is_worth_waiting(call))
		return;
	timer_cancel(call->owner->conf.loop, &call->ring);
	setup_next_target(call);
}
