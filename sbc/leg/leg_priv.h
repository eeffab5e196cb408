/*
 * leg_priv.h - the leg as its own files see it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_LEG_LEG_PRIV_H
#define SBC_LEG_LEG_PRIV_H

#include "leg/leg.h"

enum leg_event {
	DO_INVITE, /* what the call wants */
	DO_RING,
	DO_ANSWER,
	DO_REJECT,
	DO_ACK,
	DO_HANGUP,
	GOT_18X, /* what the peer sent */
	GOT_2XX,
	GOT_REFUSAL,
	GOT_ACK,
	GOT_NO_ACK,
	GOT_CANCEL,
	GOT_BYE,
	GOT_FINAL, /* of our BYE; or we stop waiting for it */
	LEG_EVENTS
};

/* What goes with an event; only the members that it needs are set. */
struct leg_input {
	const struct sip_view *view;
	struct sip_txn *txn;
	const struct sdp *sdp;
	int status;
	int max_forwards;
	const char *reason;
	const struct sip_header *headers;
	unsigned n_headers;
};

/* The re-INVITE under way, if any (RFC 3261 14). */
enum leg_change {
	CHANGE_NONE,
	CHANGE_IN,     /* the peer's, not answered yet */
	CHANGE_IN_ACK, /* answered 2xx, waiting for the ACK */
	CHANGE_OUT,    /* ours, no final answer yet */
	CHANGE_OUT_ACK /* its 2xx came, the ACK is owed */
};

/* One m= line: our ports towards the peer. */
struct leg_line {
	struct media_stream *stream; /* NULL: refused */
	bool held;                   /* direction is not sendrecv */
	bool fresh;    /* opened for an offer that is not agreed yet */
	mono_ms since; /* agreed; 0 = not yet */
};

/* One m= line as it was when the leg ended. */
struct leg_final {
	struct addr local;
	char type[16], codec[32];
	struct leg_media_info info;
};

struct leg {
	struct leg_conf conf;
	struct media_stream_conf media_conf;
	char realm[LIMIT_NAME_BYTES], peer[LIMIT_NAME_BYTES];
	bool incoming;
	bool heard;                 /* an answer to our INVITE came */
	bool told_ended, told_dead; /* each callback comes once */
	enum leg_state state;
	enum leg_change change;
	struct sip_dialog *dialog;
	struct sip_txn *invite; /* the one that made the leg */
	struct sip_txn *reinvite;
	struct sip_txn *bye; /* our BYE */
	char bye_reason[80]; /* "" = none */
	bool adrift;         /* it was not answered */
	struct sip_txn *info_in, *info_out;
	struct timer timer;    /* stop waiting, while it ends */
	struct timer patience; /* with our re-INVITE */
	mono_ms invited;       /* our INVITE went out */

	/* The way to the peer: leg_flow.c. */
	struct sip_flow flow;   /* that we send along */
	struct sip_flow source; /* that it sends along */
	struct nat_verdict nat;
	enum conf_nat nat_option;
	bool behind_nat; /* the verdict, or what the option says */
	enum conf_keepalive keepalive;
	unsigned keepalive_ms;
	struct keep keep; /* KEEP_DLG */
	bool doubted;     /* what becomes of the hold matters to the end */
	char *contact;    /* of the peer, for OPTIONS; NULL = none */
	char *instance;   /* +sip.instance; NULL = none */

	/* Offer and answer: leg_offer.c. */
	bool offer_sent;      /* our last INVITE or 2xx carried an offer */
	struct sdp *peer_sdp; /* what the peer said last and we took */
	struct sdp *pending;  /* the peer's offer, not answered yet */
	uint64_t sess_id, sess_version, sent_types[LIMIT_SDP_MEDIA][2];
	uint32_t sent_hash; /* of our last description without o= */
	struct leg_line lines[LIMIT_SDP_MEDIA];
	unsigned n_lines;  /* ever opened */
	unsigned n_sent;   /* m-lines of our last description */
	unsigned n_agreed; /* m-lines of the session: they never get fewer */
	struct leg_final *final; /* n_lines; NULL = the leg is not over */
};

/* leg.c: the one function that moves a leg.  -EPROTO: not in this state. */
int leg_step(struct leg *leg, enum leg_event event, const struct leg_input *in);
void leg_tell_ended(struct leg *leg, int status, const char *cause);
/* End the leg by our own decision, and tell the call. */
void leg_give_up(struct leg *leg, const char *reason, int status,
		 const char *cause);
/* sip_dialog_request() inside the dialog; a trunk whose connection has closed
 * is asked over a new one. */
int leg_request(struct leg *leg, struct sip_txn **out,
		const struct sip_message *m, sip_response_fn fn);
/* The leg's INVITE is of no further use; sip/ deals with what is repeated. */
void leg_release_invite(struct leg *leg);
int leg_send_bye(struct leg *leg, const struct leg_input *in);
/* Once more, along a new flow; when one is under way. */
void leg_repeat_bye(struct leg *leg);

/* leg_flow.c */
int flow_init(struct leg *leg, const struct leg_conf *conf,
	      const struct sip_flow *flow, const char *contact);
/* A message of the peer: what does it show?  @sdp may be NULL. */
void flow_judge(struct leg *leg, const struct sip_view *view,
		const struct sdp *sdp);
/* Hold the flow, or let it go, as the leg's state wants. */
void flow_keep(struct leg *leg);
/* The same when the flow or what is known of it has changed. */
void flow_keep_again(struct leg *leg);
/* The INVITE got no answer at all. */
void flow_missed(struct leg *leg);
/* Requests inside the dialog come along the leg's flow, or their sender has
 * to prove who it is (contract, SIP behaviour).  False: @txn is answered. */
bool flow_admit(struct leg *leg, struct sip_txn *txn,
		const struct sip_view *view);

/* leg_in.c / leg_out.c: acts of the table, named for what they do. */
int in_send_ring(struct leg *leg, const struct leg_input *in);
int in_send_answer(struct leg *leg, const struct leg_input *in);
int in_send_reject(struct leg *leg, const struct leg_input *in);
int in_send_busy_end(struct leg *leg, const struct leg_input *in);
int in_take_ack(struct leg *leg, const struct leg_input *in);
int in_no_ack(struct leg *leg, const struct leg_input *in);
int in_cancelled(struct leg *leg, const struct leg_input *in);
int in_early_bye(struct leg *leg, const struct leg_input *in);
void in_invite_event(void *arg, struct sip_txn *txn, enum sip_txn_event event,
		     const struct sip_view *view);
int out_send_invite(struct leg *leg, const struct leg_input *in);
int out_take_progress(struct leg *leg, const struct leg_input *in);
int out_take_answer(struct leg *leg, const struct leg_input *in);
int out_take_refusal(struct leg *leg, const struct leg_input *in);
int out_send_ack(struct leg *leg, const struct leg_input *in);
int out_send_cancel(struct leg *leg, const struct leg_input *in);
int out_ack_and_bye(struct leg *leg, const struct leg_input *in);

/* leg_offer.c */
enum { LEG_SDP_BYTES = LIMIT_SDP_BYTES };
/* Read the body of @view: 0 and *out (NULL without body), or a SIP status.
 * What the message shows of NATs counts from now on. */
int offer_read(struct leg *leg, const struct sip_view *view, struct sdp **out);
/* Ports for the m-lines of @sdp that have none yet.  -EINVAL: there is none
 * that we can relay; after an error nothing has been opened.  What was open
 * stays, until offer_settle(). */
int offer_open_lines(struct leg *leg, const struct sdp *sdp);
/* No agreement: close what offer_open_lines() opened for it. */
void offer_undo(struct leg *leg);
/* @from as this leg's peer may see it, into @mem of LEG_SDP_BYTES: an answer
 * to @offer of the peer, or an offer when that is NULL. */
int offer_write(struct leg *leg, const struct sdp *from,
		const struct sdp *offer, char *mem, struct str *out);
/* What the peer described counts from now on: tell the media.  Takes @sdp. */
void offer_hear(struct leg *leg, struct sdp *sdp);
/* Tell the media again (the leg moved). */
void offer_tell(struct leg *leg);
/* Offer and answer are complete: close the ports of lines that the peer's
 * description or @ours (NULL = our offer) refuses. */
void offer_settle(struct leg *leg, const struct sdp *ours);
void offer_close(struct leg *leg);

/* leg_change.c: requests inside the dialog. */
void change_invite_in(struct leg *leg, struct sip_txn *txn,
		      const struct sip_view *view);
void change_info_in(struct leg *leg, struct sip_txn *txn,
		    const struct sip_view *view);
void change_release(struct leg *leg);

#endif
