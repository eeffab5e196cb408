/*
 * leg.h - one dialog with one peer, its offers and answers and its media
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A leg knows nothing of the other side: call/ hears of its events and tells
 * it what to do.  An incoming leg ("a") is made from an INVITE, an outgoing
 * one ("b") sends it.  SIP thread only.  A leg is never freed inside its own
 * callbacks: call leg_destroy() from the loop's reaper.
 *
 * Descriptions cross between legs as `struct sdp`, read from one peer and
 * rewritten for the other, so that nothing of one side's addresses can pass.
 */
#ifndef SBC_LEG_LEG_H
#define SBC_LEG_LEG_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "core/hash.h"
#include "core/loop.h"
#include "media/media.h"
#include "nat/nat.h"
#include "sdp/sdp.h"
#include "sip/sip.h"

struct leg;

enum leg_state {
	LEG_IDLE,      /* made, nothing sent */
	LEG_CALLING,   /* INVITE sent or received, no 18x yet */
	LEG_RINGING,   /* 18x sent or received */
	LEG_ANSWERING, /* 2xx decided; goes when a PRACK has come */
	LEG_ANSWERED,  /* 2xx sent or received, ACK still to come or to go */
	LEG_UP,
	LEG_DOOMED, /* hung up before the ACK: BYE goes when it has come
		       (RFC 3261 15) */
	LEG_ENDING, /* BYE or CANCEL sent, waiting for what comes back */
	LEG_DEAD,   /* nothing will happen any more */
	LEG_STATES
};

/*
 * What a leg tells its call.  @sdp is what the peer described, NULL when the
 * message had none; it is lent for the callback.
 */
struct leg_ops {
	/* 18x on an outgoing leg. */
	void (*progress)(void *arg, struct leg *leg, int status,
			 const struct sdp *sdp);
	/* On an incoming leg: the PRACK for our 18x, which carried the offer,
	 * brought the answer.  NULL: nobody rings with offers. */
	void (*pracked)(void *arg, struct leg *leg, const struct sdp *sdp);
	/* 2xx on an outgoing leg; leg_ack() is owed. */
	void (*answered)(void *arg, struct leg *leg, const struct sdp *sdp);
	/* ACK for our 2xx on an incoming leg or for a re-INVITE's 2xx; @sdp
	 * is the answer to a late offer. */
	void (*acked)(void *arg, struct leg *leg, const struct sdp *sdp);
	/* A re-INVITE came in, or an UPDATE with an offer that differs from
	 * what was agreed (leg_change_is_update()); leg_change_answer() is
	 * owed. */
	void (*change)(void *arg, struct leg *leg, const struct sdp *offer);
	/* The peer gave up its re-INVITE before we answered. */
	void (*change_cancelled)(void *arg, struct leg *leg);
	/* Final answer to leg_change() or leg_update(); after a 2xx
	 * leg_change_ack() is owed, unless it was by UPDATE. */
	void (*changed)(void *arg, struct leg *leg, int status,
			const struct sdp *sdp);
	/*
	 * What came of leg_offer_again(), told once for each that returned 0
	 * unless the leg ends before: the final status with the peer's answer,
	 * or with its offer when ours was NULL (leg_change_ack() is owed then).
	 * NULL: nobody asks.
	 */
	void (*offered)(void *arg, struct leg *leg, int status,
			const struct sdp *sdp);
	/* INFO came in; leg_info_answer() is owed.  View lent. */
	void (*info)(void *arg, struct leg *leg, const struct sip_view *view);
	/* Final answer to leg_info(). */
	void (*info_answered)(void *arg, struct leg *leg, int status);
	/*
	 * The peer wants the other side to call @to (lent).  Returns 202: it
	 * will be tried, leg_refer_progress() tells how it goes; or the status to refuse it with.  NULL = 403.
	 */
	int (*refer)(void *arg, struct leg *leg, const struct sip_refer_to *to);
	/* How it goes with leg_refer(): the status of a NOTIFY, or of what
	 * refused our REFER; 200 and more is the last. */
	void (*referred)(void *arg, struct leg *leg, int status);
	/* A 3xx on an outgoing leg, before ended(); view lent.  NULL: nobody
	 * wants to know. */
	void (*redirected)(void *arg, struct leg *leg,
			   const struct sip_view *view);
	/*
	 * The leg is over or ending.  @status: final answer of an outgoing
	 * leg that was never up, else 0.  @cause: fixed words for logs
	 * ("bye", "cancel", "no-ack", "rejected", "gone").  Told once.
	 */
	void (*ended)(void *arg, struct leg *leg, int status,
		      const char *cause);
	/* The leg is LEG_DEAD and may be destroyed. */
	void (*dead)(void *arg, struct leg *leg);
	/* Nobody answered its BYE; it stays for its peer to come back
	 * (leg_is_adrift()), and means nothing to the call any more. */
	void (*adrift)(void *arg, struct leg *leg);
	/* Nothing comes through its flow any more; leg_move() may follow. */
	void (*lost)(void *arg, struct leg *leg);
	/*
	 * A request inside the dialog came along another flow.  True: its
	 * sender has proved who it is, the leg moves there.  False: @txn was
	 * answered and released.
	 */
	bool (*moved)(void *arg, struct leg *leg, struct sip_txn *txn,
		      const struct sip_view *view);
	/* Asked first of each request: has another box of ours brought it, and
	 * answers for who sent it?  The leg stays where it is.  NULL = no. */
	bool (*vouched)(void *arg, struct leg *leg,
			const struct sip_view *view);
};

struct leg_conf {
	struct loop *loop;
	struct sip_stack *sip;
	struct media *media;
	struct keepalive *keepalive; /* holds the leg's flow; NULL in tests */
	unsigned worker;             /* media_pick_worker() of the call */
	const struct conf_realm *realm; /* copied as far as needed */
	/* The realm's or the trunk's, copied as far as needed; NULL in tests:
	 * the defaults. */
	const struct conf_policy *policy;
	const char *peer; /* phone or trunk name, for display */
	bool is_trunk;    /* any port of the trunk's address may speak */
	bool off_link;    /* a router lies between: its way is held with care */
	/* What the peer's registration showed; NULL = nothing.  Copied. */
	const struct nat_verdict *nat;
	/* Outgoing: where requests of the peer come from; NULL = the way that
	 * ours go.  Copied. */
	const struct sip_flow *source;
	bool no_100rel; /* outgoing: it is not to answer reliably */
	/* +sip.instance of the peer; NULL: what its INVITE says.  Copied. */
	const char *instance;
	/* Where leg_find() finds it as long as it lives; NULL = nowhere. */
	struct hash *index;
	const struct leg_ops *ops;
	void *arg;
};

/* Incoming leg from INVITE @txn, which it takes (also on failure: the caller
 * must then not touch it).  -ENOMEM and what sip_dialog_answer() says. */
int leg_create_in(struct leg **out, const struct leg_conf *conf,
		  struct sip_txn *txn);
/* Outgoing leg; @dialog as for sip_dialog_call() (request and arg ignored). */
int leg_create_out(struct leg **out, const struct leg_conf *conf,
		   const struct sip_dialog_conf *dialog);
/* A leg that another box made, up, with no media yet; @ids and @cseq as for
 * sip_dialog_adopt(). */
int leg_adopt(struct leg **out, const struct leg_conf *conf,
	      const struct sip_dialog_conf *dialog,
	      const struct sip_dialog_ids *ids, uint32_t cseq);
/* A request in its dialog that came before there was the leg; takes @txn. */
void leg_take(struct leg *leg, struct sip_txn *txn);
/* See sip_dialog_mirror(). */
void leg_mirror(struct leg *a, struct leg *b);
void leg_destroy(struct leg *leg); /* closes media; accepts NULL */

/* ---- setting up ---------------------------------------------------------- */

/*
 * The offer of an incoming leg's INVITE: NULL when it had none.
 * Returns 0, or the SIP status to refuse it with: 400, 415, 488, 503.
 * Opens the leg's ports.  The description stays with the leg.
 */
int leg_read_invite(struct leg *leg, const struct sdp **offer);
/* What the peer described last, offered or answered; NULL = nothing yet. */
const struct sdp *leg_description(const struct leg *leg);
/* The peer's 2xx carried the offer: its ACK must carry our answer. */
bool leg_owes_answer(const struct leg *leg);
/* Send INVITE with @offer rewritten (NULL: no offer).  @headers may be NULL.
 * -EADDRNOTAVAIL when no port is free; -EAGAIN; -EINVAL when @offer has no
 * m-line we can relay. */
int leg_invite(struct leg *leg, const struct sdp *offer, int max_forwards,
	       const struct sip_header *headers, unsigned n_headers);
/*
 * 18x to an incoming leg, with @sdp rewritten or NULL.  It arrives (RFC 3262)
 * when the peer can and it has a description, or must; then the description is
 * the answer, or the offer that the peer's PRACK answers (pracked()).
 */
void leg_ring(struct leg *leg, int status, const struct sdp *sdp);
/* The peer may answer, or be answered, reliably before the 2xx. */
bool leg_can_100rel(const struct leg *leg);
/* PRACK for the outgoing leg's 18x that carried the offer.  -EPROTO: none is
 * owed. */
int leg_prack(struct leg *leg, const struct sdp *answer);
/* An answer before the 2xx bound the peer to another description than that of
 * leg_answer(): leg_offer_again() is owed once it is up. */
bool leg_is_outdated(const struct leg *leg);
/* 200 to an incoming leg with @sdp rewritten: answer, or late offer.  It may
 * have to wait for a PRACK. */
int leg_answer(struct leg *leg, const struct sdp *sdp);
/* Final refusal of an incoming leg, with what Q.850 calls it. */
void leg_reject(struct leg *leg, int status);
/* The same with another's reason (leg_reason()); NULL = none. */
void leg_reject_for(struct leg *leg, int status, const char *reason);
/* ACK the 2xx of an outgoing leg; @answer when the 2xx carried the offer. */
int leg_ack(struct leg *leg, const struct sdp *answer);
/*
 * End the leg whatever its state: CANCEL, 487, BYE or nothing.  @reason is a
 * Reason header's value (RFC 3326) or NULL.  ended() is not told.
 */
void leg_hangup(struct leg *leg, const char *reason);

enum { LEG_REASON_BYTES = 160 };
/*
 * Why the peer hung up, gave up or refused, as a Reason header's value
 * (RFC 3326) that the other side may see: numbers alone, with words of ours.
 * NULL = it did not say.
 */
const char *leg_reason(const struct leg *leg);

/* ---- while it is up -------------------------------------------------------- */

/* Is a re-INVITE, or an UPDATE with an offer, under way in either
 * direction? */
bool leg_is_changing(const struct leg *leg);
/* Send a re-INVITE with @offer rewritten or none.  -EAGAIN: something else is
 * under way, or the leg is not up. */
int leg_change(struct leg *leg, const struct sdp *offer);
/* The same for what came from the other peer by UPDATE (RFC 3311): as UPDATE if
 * this peer takes it, else as re-INVITE.  -EOPNOTSUPP: the dialog is early and
 * the peer takes no UPDATE, or has no answer that it can rely on. */
int leg_update(struct leg *leg, const struct sdp *offer);
/* What the peer wants came by UPDATE. */
bool leg_change_is_update(const struct leg *leg);
/* Answer the peer's offer without asking anybody: what was said last goes for
 * it as well.  -EINVAL: it does not, another session is asked for. */
int leg_change_keep(struct leg *leg);
void leg_change_cancel(struct leg *leg);
/* ACK the 2xx to our re-INVITE. */
int leg_change_ack(struct leg *leg, const struct sdp *answer);
/*
 * Final answer to the peer's re-INVITE; @sdp rewritten for a 200.  -EPROTO: the
 * peer has given it up; -EINVAL and what media_stream_open() says: it was
 * refused instead.
 */
int leg_change_answer(struct leg *leg, int status, const struct sdp *sdp);
/*
 * A re-INVITE of our own, not carried from another peer: with @offer rewritten,
 * or NULL for one without.  It goes out as soon as nothing else is under way on
 * the leg, and again after 491 and 500 with Retry-After (RFC 3261 14.1); a 2xx
 * to an offer is ACKed by itself.  offered() tells what came of it, never
 * before this returns.  @offer is copied.  -EALREADY: one is waiting or under
 * way; -EPROTO: the leg is not up; -ENOMEM.
 */
int leg_offer_again(struct leg *leg, const struct sdp *offer);
int leg_info(struct leg *leg, const struct sip_view *info);
/*
 * The same for a key that @info says, where the peer is to hear it as an event
 * in RTP.  -EOPNOTSUPP: it is not, or it is no key: leg_info() is to carry it.
 * -EAGAIN: nobody speaks to the peer, so that there is nothing to put it into;
 * -ENOSPC: too many wait.
 */
int leg_press(struct leg *leg, const struct sip_view *info);
void leg_info_answer(struct leg *leg, int status);
/* How the call that the peer's REFER asked for goes: a NOTIFY with this status,
 * 200 and more ends it.  Nothing when there is no REFER, or it wants none. */
void leg_refer_progress(struct leg *leg, int status);
/* REFER to the peer, in the dialog; both are whole values.  referred() tells
 * how it goes.  -EAGAIN: the leg is not up, or one is under way. */
int leg_refer(struct leg *leg, const char *refer_to, const char *referred_by);
/* Its peer is still to be told of its REFER, be the leg dead. */
bool leg_is_referring(const struct leg *leg);
/* The peer's turn to hang up: we do after @ms. */
void leg_expect_bye(struct leg *leg, int64_t ms);
/* Would @offer tell the peer nothing that it was not told last? */
bool leg_knows(const struct leg *leg, const struct sdp *offer);
/* From now on the leg's events are for @arg. */
void leg_give(struct leg *leg, void *arg);
void *leg_owner(const struct leg *leg);
/* The name of its dialog, as we know it or as its peer does; without
 * early_only.  -ENOENT: there is none yet; -ENOSPC. */
int leg_replaces(const struct leg *leg, bool is_peer, struct sip_replaces *out);
/* The leg whose dialog @id names, as its peer knows it; NULL = none. */
struct leg *leg_find(const struct hash *index, const struct sip_replaces *id);

/* ---- media ------------------------------------------------------------------ */

/* Packets of @a go to @b and back, m-line by m-line; NULL unbridges @a. */
void leg_bridge(struct leg *a, struct leg *b);
/* Its media goes on at @worker, that of a call which it becomes part of; what
 * is bridged no more. */
void leg_move_media(struct leg *leg, unsigned worker);
/* Latest valid packet on any stream; 0 = none ever. */
mono_ms leg_last_packet(const struct leg *leg);
/* The peer or we put it on hold: some direction is not sendrecv. */
bool leg_is_held(const struct leg *leg);

/* ---- to look at --------------------------------------------------------------- */

enum leg_state leg_state(const struct leg *leg);
const char *leg_state_name(enum leg_state state);
bool leg_is_incoming(const struct leg *leg);
const char *leg_peer(const struct leg *leg);
bool leg_is_trunk(const struct leg *leg);
const char *leg_realm(const struct leg *leg);
const struct sip_flow *leg_flow(const struct leg *leg);
const char *leg_call_id(const struct leg *leg);
/* What the peer's messages in this dialog showed, and its registration. */
const struct nat_verdict *leg_nat(const struct leg *leg);
/* A router or a NAT lies between: silence may be the way's fault. */
bool leg_is_careful(const struct leg *leg);
/* Outgoing: anything came back for its INVITE, be it 100. */
bool leg_was_heard(const struct leg *leg);
/* Outgoing, ended before it was up: the status that its peer refused it with,
 * and its Retry-After (-1 = none); 0: it was not the peer who said no. */
int leg_refusal(const struct leg *leg, int64_t *retry_after_s);
/* Its BYE was not answered: it goes out again when leg_move() says where the
 * peer is, or the leg dies. */
bool leg_is_adrift(const struct leg *leg);
/* Some message of the peer said that it takes @method (Allow). */
bool leg_allows(const struct leg *leg, enum sip_method method);
/* What the peer called itself when the dialog began: its Contact (outgoing:
 * the one that was asked) and +sip.instance; NULL = it did not say. */
const char *leg_contact(const struct leg *leg);
const char *leg_instance(const struct leg *leg);
/* Its flow is of no more use, as far as is known: lost, closed, or no phone is
 * registered along it and it has been silent for longer than a ping takes. */
bool leg_is_cut_off(const struct leg *leg);
/* There is reason to think so: ask the peer, lost() tells what came of it. */
void leg_doubt(struct leg *leg);
/* What the keepalive engine says of hold @k of reason KEEP_DLG. */
void leg_keep_event(struct keep *k, enum keep_event event);
/* Send along @flow from now on (the phone re-registered there); the leg's hold
 * goes with it, and so does a BYE that nobody has answered. */
void leg_move(struct leg *leg, const struct sip_flow *flow);
/* The peer is to be had by way of another box of ours alone: along @flow, with
 * @route before the route set, and that box keeps its way open.  @route NULL:
 * it is back on a way of ours.  -ENOMEM. */
int leg_detour(struct leg *leg, const struct sip_flow *flow, const char *route);
bool leg_is_detoured(const struct leg *leg);
/* The user part of our Contact in it, from the next message on; as
 * sip_dialog_name(). */
int leg_name(struct leg *leg, const char *user);
/* As sip_dialog_aim(). */
int leg_aim(struct leg *leg, const struct sip_dialog_ids *ids);
/* As sip_dialog_ids(). */
int leg_ids(const struct leg *leg, struct sip_dialog_ids *out, char *mem,
	    size_t cap);
/* Requests of the peer come along @flow as well. */
void leg_expect_from(struct leg *leg, const struct sip_flow *flow);

enum { LEG_ONE_WAY_MS = 3000 };

struct leg_media_info {
	struct str type, codec;
	const struct addr *local;
	struct addr remote; /* SDP's or the latched one */
	/* Nothing has come from the peer for LEG_ONE_WAY_MS and ever, while we
	 * send to it. */
	bool one_way;
	struct media_stats stats;
};
/* The @i-th m-line; false past the last; type.p NULL when it is refused.  After
 * the end of the leg as it was then. */
bool leg_media_at(const struct leg *leg, unsigned i,
		  struct leg_media_info *out);

#endif
