/*
 * leg.c - the life of a leg: its two state tables and the one function that
 * moves it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * An incoming leg answers an INVITE, an outgoing one sends it.
 *
 *   in:   CALLING -- 18x --> RINGING -- 2xx --> ANSWERED -- ACK --> UP
 *            |                  |                   |               |
 *            +-- refuse,CANCEL -+--> DEAD           +- hang up      | BYE
 *                                                   v               v
 *                                                DOOMED -- ACK --> ENDING
 *
 *   out:  IDLE - INVITE -> CALLING - 18x -> RINGING - 2xx -> ANSWERED
 *                             |               |                | ACK
 *                             +- hang up: CANCEL -> ENDING     v
 *                                                     ^-BYE-- UP
 *
 * A 2xx that a PRACK has to come before (leg_prack.c) waits in ANSWERING, which
 * otherwise is as RINGING.
 * BYE from the peer ends a leg in any state after the INVITE.  ENDING waits
 * for the answer to our BYE or CANCEL; a 2xx that crosses our CANCEL is ACKed
 * and ended with BYE (RFC 3261 9.1, 15).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/log.h"
#include "core/rand.h"
#include "leg/leg_priv.h"

enum {
	/* 64*T1: until then an answer to our BYE or CANCEL may come. */
	LINGER_MS = 33000,
	/* A phone behind NAT registers within nat_expires, 120 s. */
	ADRIFT_MS = 130000,
};

typedef int (*leg_act)(struct leg *leg, const struct leg_input *in);

struct leg_step {
	leg_act act; /* NULL: the event means nothing in this state */
	enum leg_state next;
};

static int nothing(struct leg *leg, const struct leg_input *in);
static int answer_bye(struct leg *leg, const struct leg_input *in);
static int answer_bye_quietly(struct leg *leg, const struct leg_input *in);

static const struct leg_step steps_in[LEG_STATES][LEG_EVENTS] = {
	[LEG_CALLING][DO_RING] = {in_send_ring, LEG_RINGING},
	[LEG_CALLING][DO_ANSWER] = {in_send_answer, LEG_ANSWERED},
	[LEG_CALLING][DO_REJECT] = {in_send_reject, LEG_DEAD},
	[LEG_CALLING][DO_HANGUP] = {in_send_busy_end, LEG_DEAD},
	[LEG_CALLING][GOT_CANCEL] = {in_cancelled, LEG_DEAD},
	[LEG_CALLING][GOT_BYE] = {in_early_bye, LEG_DEAD},
	[LEG_RINGING][DO_RING] = {in_send_ring, LEG_RINGING},
	[LEG_RINGING][DO_ANSWER] = {in_send_answer, LEG_ANSWERED},
	[LEG_RINGING][DO_REJECT] = {in_send_reject, LEG_DEAD},
	[LEG_RINGING][DO_HANGUP] = {in_send_busy_end, LEG_DEAD},
	[LEG_RINGING][GOT_CANCEL] = {in_cancelled, LEG_DEAD},
	[LEG_RINGING][GOT_BYE] = {in_early_bye, LEG_DEAD},
	[LEG_RINGING][DO_KEEP_ANSWER] = {prack_keep_answer, LEG_ANSWERING},
	[LEG_ANSWERING][DO_ANSWER] = {prack_send_kept, LEG_ANSWERED},
	[LEG_ANSWERING][DO_REJECT] = {in_send_reject, LEG_DEAD},
	[LEG_ANSWERING][DO_HANGUP] = {in_send_busy_end, LEG_DEAD},
	[LEG_ANSWERING][GOT_CANCEL] = {in_cancelled, LEG_DEAD},
	[LEG_ANSWERING][GOT_BYE] = {in_early_bye, LEG_DEAD},
	[LEG_ANSWERED][GOT_ACK] = {in_take_ack, LEG_UP},
	[LEG_ANSWERED][GOT_NO_ACK] = {in_no_ack, LEG_ENDING},
	[LEG_ANSWERED][GOT_BYE] = {answer_bye, LEG_DEAD},
	[LEG_ANSWERED][DO_HANGUP] = {nothing, LEG_DOOMED},
	[LEG_UP][GOT_BYE] = {answer_bye, LEG_DEAD},
	[LEG_UP][DO_HANGUP] = {leg_send_bye, LEG_ENDING},
	[LEG_DOOMED][GOT_ACK] = {leg_send_bye, LEG_ENDING},
	[LEG_DOOMED][GOT_NO_ACK] = {leg_send_bye, LEG_ENDING},
	[LEG_DOOMED][GOT_BYE] = {answer_bye_quietly, LEG_DEAD},
	[LEG_ENDING][GOT_BYE] = {answer_bye_quietly, LEG_ENDING},
	[LEG_ENDING][GOT_FINAL] = {nothing, LEG_DEAD},
};

static const struct leg_step steps_out[LEG_STATES][LEG_EVENTS] = {
	[LEG_IDLE][DO_INVITE] = {out_send_invite, LEG_CALLING},
	[LEG_IDLE][DO_HANGUP] = {nothing, LEG_DEAD},
	[LEG_CALLING][GOT_18X] = {out_take_progress, LEG_RINGING},
	[LEG_CALLING][GOT_2XX] = {out_take_answer, LEG_ANSWERED},
	[LEG_CALLING][GOT_REFUSAL] = {out_take_refusal, LEG_DEAD},
	[LEG_CALLING][DO_HANGUP] = {out_send_cancel, LEG_ENDING},
	[LEG_RINGING][GOT_18X] = {out_take_progress, LEG_RINGING},
	[LEG_RINGING][GOT_2XX] = {out_take_answer, LEG_ANSWERED},
	[LEG_RINGING][GOT_REFUSAL] = {out_take_refusal, LEG_DEAD},
	[LEG_RINGING][DO_HANGUP] = {out_send_cancel, LEG_ENDING},
	[LEG_ANSWERED][DO_ACK] = {out_send_ack, LEG_UP},
	[LEG_ANSWERED][DO_HANGUP] = {out_ack_and_bye, LEG_ENDING},
	[LEG_ANSWERED][GOT_BYE] = {answer_bye, LEG_DEAD},
	[LEG_UP][GOT_BYE] = {answer_bye, LEG_DEAD},
	[LEG_UP][DO_HANGUP] = {leg_send_bye, LEG_ENDING},
	[LEG_ENDING][GOT_2XX] = {out_ack_and_bye, LEG_ENDING},
	[LEG_ENDING][GOT_REFUSAL] = {nothing, LEG_DEAD},
	[LEG_ENDING][GOT_BYE] = {answer_bye_quietly, LEG_ENDING},
	[LEG_ENDING][GOT_FINAL] = {nothing, LEG_DEAD},
};

static void stop_waiting(void *arg)
{
	leg_step(arg, GOT_FINAL, &(struct leg_input){0});
}

void leg_release_invite(struct leg *leg)
{
	sip_txn_release(leg->invite);
	leg->invite = NULL;
}

/* The only mover.  Packets stop the moment a leg is over. */
static void enter_state(struct leg *leg, enum leg_state next)
{
	enum leg_state old = leg->state;

	if (next == old)
		return;
	leg->state = next;
	log_debug("leg.state", kv_s("peer", leg->peer),
		  kv_s("from", leg_state_name(old)),
		  kv_s("to", leg_state_name(next)));
	if (next == LEG_DOOMED || next == LEG_ENDING || next == LEG_DEAD) {
		change_release(leg);
		offer_close(leg);
	}
	flow_keep(leg);
	if (next == LEG_ENDING)
		timer_set(leg->conf.loop, &leg->timer, LINGER_MS, stop_waiting,
			  leg);
}

int leg_step(struct leg *leg, enum leg_event event, const struct leg_input *in)
{
	enum leg_state before = leg->state;
	const struct leg_step *step = leg->incoming ? &steps_in[before][event]
						    : &steps_out[before][event];
	int err;

	if (!step->act)
		return -EPROTO;
	/* Move first: the act may tell the call, which may act on the leg.
	 * Only acts that lead to a leg with open ports may fail. */
	enter_state(leg, step->next);
	err = step->act(leg, in);
	if (err && leg->state == step->next)
		leg->state = before;
	if (leg->state == LEG_DEAD && !leg->told_dead) {
		leg->told_dead = true;
		timer_cancel(leg->conf.loop, &leg->timer);
		leg->conf.ops->dead(leg->conf.arg, leg);
	}
	return err;
}

static int nothing(struct leg *leg, const struct leg_input *in)
{
	return 0;
}

static void answer_200(struct sip_txn *txn)
{
	sip_txn_answer(txn, &(struct sip_message){.status = 200});
	sip_txn_release(txn);
}

static int answer_bye_quietly(struct leg *leg, const struct leg_input *in)
{
	answer_200(in->txn);
	return 0;
}

static int answer_bye(struct leg *leg, const struct leg_input *in)
{
	answer_200(in->txn);
	leg_tell_ended(leg, 0, "bye");
	return 0;
}

void leg_tell_ended(struct leg *leg, int status, const char *cause)
{
	if (leg->told_ended)
		return;
	leg->told_ended = true;
	leg->conf.ops->ended(leg->conf.arg, leg, status, cause);
}

void leg_give_up(struct leg *leg, const char *reason, int status,
		 const char *cause)
{
	leg_hangup(leg, reason);
	leg->told_ended = false;
	leg_tell_ended(leg, status, cause);
}

int leg_request(struct leg *leg, struct sip_txn **out,
		const struct sip_message *m, sip_response_fn fn)
{
	struct sip_flow flow = leg->flow;
	int err = sip_dialog_request(leg->dialog, out, m, fn, leg);

	if (err != -ENOTCONN || !leg->conf.is_trunk)
		return err;
	flow.conn = 0;
	leg_move(leg, &flow);
	return sip_dialog_request(leg->dialog, out, m, fn, leg);
}

/* ---- BYE ------------------------------------------------------------------ */

/*
 * A NAT that has forgotten its phone keeps our BYE from it, and the phone
 * believes that it talks.  When it registers or speaks again we learn where it
 * is: until then the leg is adrift.
 */
static void go_adrift(struct leg *leg)
{
	leg->adrift = true;
	timer_set(leg->conf.loop, &leg->timer, ADRIFT_MS, stop_waiting, leg);
	leg->conf.ops->adrift(leg->conf.arg, leg);
}

static bool may_come_back(const struct leg *leg)
{
	return leg_is_careful(leg) && !leg->conf.is_trunk && !leg->adrift;
}

bool leg_is_adrift(const struct leg *leg)
{
	return leg->state == LEG_ENDING && leg->adrift;
}

static void bye_answered(void *arg, struct sip_txn *txn,
			 const struct sip_view *view)
{
	struct leg *leg = arg;

	if (view->status < 200)
		return;
	if (view->internal && may_come_back(leg))
		go_adrift(leg);
	else if (!view->internal || !leg->adrift)
		leg_step(leg, GOT_FINAL, &(struct leg_input){0});
}

static int request_bye(struct leg *leg)
{
	struct sip_header reason = {"Reason", leg->bye_reason};
	struct sip_message bye = {
		.method = SIP_BYE,
		.headers = &reason,
		.n_headers = leg->bye_reason[0] ? 1 : 0,
	};

	return leg_request(leg, &leg->bye, &bye, bye_answered);
}

int leg_send_bye(struct leg *leg, const struct leg_input *in)
{
	int err;

	if (in->reason && str_copy(leg->bye_reason, sizeof(leg->bye_reason),
				   str_of(in->reason)))
		leg->bye_reason[0] = 0;
	err = request_bye(leg);
	if (!err)
		return 0;
	/* The peer cannot be told; it will notice the silence. */
	log_warn("leg.bye_failed", kv_s("peer", leg->peer),
		 kv_s("err", err_name(err)));
	if (may_come_back(leg))
		go_adrift(leg);
	else
		enter_state(leg, LEG_DEAD);
	return 0;
}

void leg_repeat_bye(struct leg *leg)
{
	if (leg->state != LEG_ENDING || (!leg->bye && !leg->adrift))
		return;
	sip_txn_release(leg->bye);
	leg->bye = NULL;
	request_bye(leg); /* or the timer ends it */
}

static void refuse(struct sip_txn *txn, int status)
{
	static const struct sip_header allow = {"Allow", SIP_ALLOW};

	sip_txn_answer(txn, &(struct sip_message){
				    .status = status,
				    .headers = &allow,
				    .n_headers = status == 405 ? 1 : 0,
			    });
	sip_txn_release(txn);
}

static void dialog_request(void *arg, struct sip_txn *txn,
			   const struct sip_view *view)
{
	struct leg *leg = arg;

	if (!flow_admit(leg, txn, view))
		return;
	change_note(leg, view);
	switch (view->method) {
	case SIP_BYE:
		reason_hear(leg, view);
		if (leg_step(leg, GOT_BYE, &(struct leg_input){.txn = txn}))
			refuse(txn, 481);
		break;
	case SIP_INVITE:
		change_invite_in(leg, txn, view);
		break;
	case SIP_PRACK:
		prack_in(leg, txn, view);
		break;
	case SIP_UPDATE:
		update_in(leg, txn, view);
		break;
	case SIP_INFO:
		info_in(leg, txn, view);
		break;
	case SIP_NOTIFY:
		notify_in(leg, txn, view);
		break;
	case SIP_REFER:
		refer_in(leg, txn, view);
		break;
	case SIP_OPTIONS:
		answer_200(txn);
		break;
	default:
		refuse(txn, 405);
	}
}

static int create(struct leg **out, const struct leg_conf *conf, bool incoming,
		  const struct sip_flow *flow, const char *contact)
{
	struct leg *leg = calloc(1, sizeof(*leg));
	int err;

	if (!leg)
		return -ENOMEM;
	leg->conf = *conf;
	leg->conf.realm = NULL; /* the snapshot may go: keep what we need */
	leg->conf.policy = NULL;
	leg->conf.peer = NULL;
	str_copy(leg->realm, sizeof(leg->realm), str_of(conf->realm->name));
	str_copy(leg->peer, sizeof(leg->peer), str_of(conf->peer));
	leg->media_conf = (struct media_stream_conf){
		.local = flow->local,
		.realm = leg->realm,
		.port_min = conf->realm->port_min,
		.port_max = conf->realm->port_max,
		.port_rest_s = conf->realm->port_rest_s,
		.worker = conf->worker,
		.latch_open = conf->realm->latch == CONF_LATCH_OPEN,
		.key = key_pressed,
		.key_arg = leg,
	};
	session_init(leg, conf->policy);
	leg->incoming = incoming;
	leg->state = incoming ? LEG_CALLING : LEG_IDLE;
	err = policy_init(leg, conf->policy);
	if (!err)
		err = flow_init(leg, conf, flow, contact);
	if (err) {
		policy_free(leg);
		free(leg->contact);
		free(leg);
		return err;
	}
	/* RFC 8866 5.2: numeric; 62 bits keep every parser happy. */
	leg->sess_id = ((uint64_t)rand_u32() << 30) ^ rand_u32();
	leg->sess_version = leg->sess_id;
	leg->conf.index = NULL; /* until there is a dialog */
	*out = leg;
	return 0;
}

/* Without memory it cannot be found: that is all. */
static void put_in(struct leg *leg, struct hash *index)
{
	if (index &&
	    !hash_insert(index, &leg->by_dialog, hash_text(leg_call_id(leg))))
		leg->conf.index = index;
}

int leg_create_in(struct leg **out, const struct leg_conf *conf,
		  struct sip_txn *txn)
{
	const struct sip_view *view = sip_txn_view(txn);
	struct sip_dialog_conf dialog = {.flow = view->flow};
	struct leg_conf named = *conf;
	struct leg *leg = NULL;
	int err;

	if (!named.instance && view->n_contacts)
		named.instance = view->contacts[0].instance;
	err = create(&leg, &named, true, &dialog.flow,
		     view->n_contacts ? view->contacts[0].uri : NULL);
	if (err)
		goto fail;
	dialog.request = dialog_request;
	dialog.arg = leg;
	err = sip_dialog_answer(&leg->dialog, txn, &dialog);
	if (err)
		goto fail;
	leg->invite = txn;
	prack_init(leg, conf, view);
	put_in(leg, conf->index);
	sip_txn_listen(txn, in_invite_event, leg);
	change_note(leg, view);
	flow_judge(leg, view, NULL);
	flow_keep(leg);
	*out = leg;
	return 0;
fail:
	/* -EINVAL: its Contact is of no use (RFC 3261 8.1.1.8). */
	sip_txn_answer(txn, &(struct sip_message){
				    .status = err == -EINVAL ? 400 : 503,
			    });
	sip_txn_release(txn);
	leg_destroy(leg);
	return err;
}

int leg_create_out(struct leg **out, const struct leg_conf *conf,
		   const struct sip_dialog_conf *dialog)
{
	struct sip_dialog_conf own = *dialog;
	struct leg *leg = NULL;
	int err;

	err = create(&leg, conf, false, &dialog->flow, dialog->target);
	if (err)
		return err;
	own.request = dialog_request;
	own.arg = leg;
	prack_init(leg, conf, NULL);
	err = sip_dialog_call(&leg->dialog, conf->sip, &own);
	if (err) {
		leg_destroy(leg);
		return err;
	}
	put_in(leg, conf->index);
	*out = leg;
	return 0;
}

int leg_adopt(struct leg **out, const struct leg_conf *conf,
	      const struct sip_dialog_conf *dialog,
	      const struct sip_dialog_ids *ids, uint32_t cseq)
{
	struct sip_dialog_conf own = *dialog;
	struct leg *leg = NULL;
	int err;

	err = create(&leg, conf, false, &dialog->flow, ids->target);
	if (err)
		return err;
	own.request = dialog_request;
	own.arg = leg;
	err = sip_dialog_adopt(&leg->dialog, conf->sip, &own, ids, cseq);
	if (err) {
		leg_destroy(leg);
		return err;
	}
	leg->state = LEG_UP;
	flow_keep(leg);
	put_in(leg, conf->index);
	*out = leg;
	return 0;
}

void leg_take(struct leg *leg, struct sip_txn *txn)
{
	sip_dialog_take(leg->dialog, txn);
}

void leg_mirror(struct leg *a, struct leg *b)
{
	sip_dialog_mirror(a->dialog, b->dialog);
}

int leg_name(struct leg *leg, const char *user)
{
	return sip_dialog_name(leg->dialog, leg->invite, user);
}

int leg_aim(struct leg *leg, const struct sip_dialog_ids *ids)
{
	return sip_dialog_aim(leg->dialog, ids);
}

int leg_ids(const struct leg *leg, struct sip_dialog_ids *out, char *mem,
	    size_t cap)
{
	return sip_dialog_ids(leg->dialog, out, mem, cap);
}

void leg_destroy(struct leg *leg)
{
	if (!leg)
		return;
	timer_cancel(leg->conf.loop, &leg->timer);
	timer_cancel(leg->conf.loop, &leg->patience);
	change_release(leg);
	refer_release(leg);
	offer_close(leg);
	if (leg->conf.index)
		hash_remove(leg->conf.index, &leg->by_dialog);
	sip_txn_release(leg->invite);
	sip_txn_release(leg->bye);
	sip_dialog_destroy(leg->dialog);
	keepalive_release(&leg->keep);
	prack_release(leg);
	sdp_free(leg->peer_sdp);
	sdp_free(leg->said);
	free(leg->final);
	policy_free(leg);
	free(leg->instance);
	free(leg->contact);
	free(leg);
}

void leg_hangup(struct leg *leg, const char *reason)
{
	leg->told_ended = true;
	leg_step(leg, DO_HANGUP, &(struct leg_input){.reason = reason});
}

static void bye_did_not_come(void *arg)
{
	leg_hangup(arg, NULL);
}

void leg_expect_bye(struct leg *leg, int64_t ms)
{
	if (leg->state == LEG_UP)
		timer_set(leg->conf.loop, &leg->timer, ms, bye_did_not_come,
			  leg);
	else
		leg_hangup(leg, NULL);
}

void leg_give(struct leg *leg, void *arg)
{
	leg->conf.arg = arg;
}

void *leg_owner(const struct leg *leg)
{
	return leg->conf.arg;
}

static bool is_named(const struct hash_node *node, const void *key)
{
	const struct leg *leg = container_of(node, struct leg, by_dialog);
	const struct sip_replaces *id = key;
	const char *mine = sip_dialog_local_tag(leg->dialog);
	const char *theirs = sip_dialog_remote_tag(leg->dialog);

	if (!theirs) /* of our INVITE, which only rings */
		theirs = leg->early_tag;
	return leg->state != LEG_DEAD && mine &&
	       !strcmp(leg_call_id(leg), id->call_id) &&
	       !strcmp(mine, id->to_tag) && !strcmp(theirs, id->from_tag);
}

int leg_replaces(const struct leg *leg, bool is_peer, struct sip_replaces *out)
{
	const char *mine = sip_dialog_local_tag(leg->dialog);
	const char *theirs = sip_dialog_remote_tag(leg->dialog);

	if (!mine || !theirs)
		return -ENOENT;
	if (str_copy(out->call_id, sizeof(out->call_id),
		     str_of(leg_call_id(leg))) ||
	    str_copy(out->to_tag, sizeof(out->to_tag),
		     str_of(is_peer ? theirs : mine)) ||
	    str_copy(out->from_tag, sizeof(out->from_tag),
		     str_of(is_peer ? mine : theirs)))
		return -ENOSPC;
	return 0;
}

struct leg *leg_find(const struct hash *index, const struct sip_replaces *id)
{
	struct hash_node *node =
		hash_find(index, hash_text(id->call_id), is_named, id);

	return node ? container_of(node, struct leg, by_dialog) : NULL;
}

enum leg_state leg_state(const struct leg *leg)
{
	return leg->state;
}

const char *leg_state_name(enum leg_state state)
{
	static const char *const names[LEG_STATES] = {
		[LEG_IDLE] = "idle",         [LEG_CALLING] = "calling",
		[LEG_RINGING] = "ringing",   [LEG_ANSWERING] = "ringing",
		[LEG_ANSWERED] = "answered", [LEG_UP] = "up",
		[LEG_DOOMED] = "ending",     [LEG_ENDING] = "ending",
		[LEG_DEAD] = "ended",
	};

	return names[state];
}

bool leg_is_incoming(const struct leg *leg)
{
	return leg->incoming;
}

const char *leg_peer(const struct leg *leg)
{
	return leg->peer;
}

bool leg_is_trunk(const struct leg *leg)
{
	return leg->conf.is_trunk;
}

const char *leg_realm(const struct leg *leg)
{
	return leg->realm;
}

const char *leg_call_id(const struct leg *leg)
{
	return sip_dialog_call_id(leg->dialog);
}
