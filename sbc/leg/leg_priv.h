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
	DO_KEEP_ANSWER, /* until the PRACK has come */
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

/* The re-INVITE (RFC 3261 14) or UPDATE with an offer (RFC 3311) under way, if
 * any. */
enum leg_change {
	CHANGE_NONE,
	CHANGE_IN,     /* the peer's, not answered yet */
	CHANGE_IN_ACK, /* answered 2xx, waiting for the ACK */
	CHANGE_OUT,    /* ours, no final answer yet */
	CHANGE_OUT_ACK /* its 2xx came, the ACK is owed */
};

/* Of the changes that we make by ourselves: leg_own.c. */
enum own_change { OWN_NONE, OWN_OFFER, OWN_REFRESH };

struct leg_own {
	enum own_change sent; /* the change under way is ours */
	bool wanted;          /* leg_offer_again() */
	bool refresh;         /* a re-INVITE that changes nothing is due */
	unsigned tries;
	struct sdp *offer;  /* NULL = without */
	struct timer timer; /* soon, or after 491 */
};

/* Session timers (RFC 4028): leg_timer.c.  0 s = none. */
enum refresher { REFRESH_ANY, REFRESH_UAC, REFRESH_UAS };

/* What a message says of them. */
struct session_says {
	bool knows; /* Supported: timer */
	unsigned expires_s, min_s;
	enum refresher refresher;
};

/* What we answer to a request. */
struct session_deal {
	int status; /* 422, or 0 */
	unsigned expires_s;
	bool ours; /* we refresh */
	bool told; /* the 2xx says so */
};

struct leg_session {
	unsigned want_s, min_s;   /* the policy's; the peer may ask for more */
	struct session_deal deal; /* for the request being answered */
	unsigned expires_s;       /* agreed */
	bool ours;
	bool raised;             /* 422 was answered with a longer one */
	bool no_update;          /* the peer refused it, whatever it allows */
	struct sip_txn *refresh; /* UPDATE without offer */
	struct timer timer;
};

/* Headers of a request or a 2xx that carry a session timer. */
struct session_headers {
	struct sip_header list[6];
	unsigned n;
	char expires[48], min[16];
};

enum { LEG_INFOS = 8 }; /* that wait, of one peer */

/* One m= line: our ports towards the peer. */
struct leg_line {
	struct media_stream *stream; /* NULL: refused */
	bool held;                   /* direction is not sendrecv */
	bool fresh;    /* opened for an offer that is not agreed yet */
	mono_ms since; /* agreed; 0 = not yet */
};

/* What the peer may use: leg_policy.c. */
struct leg_policy {
	struct sdp_policy sdp;
	char (*codecs)[LIMIT_NAME_BYTES]; /* of @sdp */
	unsigned ptime_ms;                /* 0 = as the other side says */
};

enum { LEG_KEYS = 16 };

/* Pressed keys: leg_keys.c. */
struct key_type {
	uint8_t type;
	unsigned clock;
};

struct leg_keys {
	enum conf_dtmf option;
	bool by_info;  /* the peer is told of them, and reads of no events */
	bool is_known; /* @types are what was offered */
	struct key_type types[MEDIA_EVENTS];
	unsigned n_types;
	struct media_key waiting[LEG_KEYS];
	unsigned n_waiting;
	struct sip_txn *info;
};

/* One m= line as it was when the leg ended. */
struct leg_final {
	struct addr local;
	char type[16], codec[32];
	struct leg_media_info info;
};

enum { LEG_REFER_WAITING = 4 };

/* The peer's REFER and its subscription: leg_refer.c. */
struct leg_refer {
	bool is_active;
	bool is_held;   /* its 202 has not gone yet */
	bool is_silent; /* it wants no NOTIFY */
	bool is_told;   /* the last status is known */
	bool is_last;   /* and its NOTIFY is under way */
	unsigned n;     /* REFERs taken in this dialog */
	uint32_t cseq;  /* of the one that is active */
	struct sip_txn *notify;
	int waiting[LEG_REFER_WAITING]; /* statuses that are still to go */
	unsigned n_waiting;
};

/* One early dialog of an outgoing leg. */
struct leg_early {
	char *tag;
	uint32_t rseq;   /* of its last reliable 18x */
	bool settled;    /* its offer and answer are complete */
	struct sdp *sdp; /* its answer, while another one is heard */
};

enum { LEG_EARLY = SIP_EARLY_FORKS + 1 };

/* Reliable provisional answers: leg_prack.c. */
struct leg_rel {
	bool can;        /* in: the peer says so; out: we said so */
	bool must;       /* it, or the policy, requires them */
	bool asked;      /* out: the INVITE carried the offer; in: the 2xx */
	bool settled;    /* offer and answer are complete before the 2xx */
	bool offered;    /* in: the offer was ours */
	bool outdated;   /* in: leg_is_outdated() */
	bool due;        /* in: a PRACK */
	bool due_sdp;    /* in: for an offer or answer */
	int next_status; /* in: an 18x that waits for that PRACK; 0 = none */
	char *next_body, *answer_body; /* of that, and of the 200 that waits */
	struct leg_early early[LEG_EARLY];
	unsigned n_early, n_pracks;
	struct leg_early *heard; /* out: whose description counts */
	struct sip_rack owed; /* out: a PRACK with an answer; rseq 0 = none */
};

struct leg {
	struct hash_node by_dialog; /* in conf.index */
	char early_tag[128];        /* of the last 18x; "" = none */
	struct leg_refer refer;
	struct {
		bool is_active; /* our REFER; its end is not told yet */
		struct sip_txn *txn;
	} referring;
	struct leg_conf conf;
	struct media_stream_conf media_conf;
	char realm[LIMIT_NAME_BYTES], peer[LIMIT_NAME_BYTES];
	bool incoming;
	bool heard;  /* an answer to our INVITE came */
	int refusal; /* that ended it, as the peer sent it; 0 = none */
	int64_t retry_after_s;      /* of that; -1 = not given */
	bool told_ended, told_dead; /* each callback comes once */
	enum leg_state state;
	enum leg_change change;
	bool change_by_update; /* it is an UPDATE */
	bool change_is_local;  /* CHANGE_IN*: the call does not hear of it */
	struct sip_dialog *dialog;
	struct sip_txn *invite; /* the one that made the leg */
	struct sip_txn *reinvite;
	struct sip_txn *bye;                /* our BYE */
	char bye_reason[LEG_REASON_BYTES];  /* "" = none */
	char reason[LEG_REASON_BYTES];      /* that the peer gave */
	bool adrift;                        /* it was not answered */
	struct sip_txn *info_in[LEG_INFOS]; /* the first is being carried */
	unsigned n_info_in;
	struct sip_txn *info_out;
	uint32_t allows; /* of the peer; bits 1 << enum sip_method */
	struct leg_own own;
	struct leg_session session;
	struct timer timer;    /* stop waiting, while it ends */
	struct timer patience; /* with our re-INVITE */
	mono_ms invited;       /* our INVITE went out */

	/* The way to the peer: leg_flow.c. */
	struct sip_flow flow;   /* that we send along */
	struct sip_flow source; /* that it sends along */
	struct nat_verdict nat;
	enum conf_nat nat_option;
	bool behind_nat; /* the verdict, or what the option says */
	bool detoured;   /* by way of another box of ours */
	enum conf_keepalive keepalive;
	unsigned keepalive_ms;
	struct keep keep; /* KEEP_DLG */
	bool doubted;     /* what becomes of the hold matters to the end */
	char *contact;    /* of the peer, for OPTIONS; NULL = none */
	char *instance;   /* +sip.instance; NULL = none */

	struct leg_rel rel;

	/* Offer and answer: leg_offer.c. */
	bool offer_sent;      /* our last INVITE or 2xx carried an offer */
	struct sdp *peer_sdp; /* what the peer said last and we took */
	struct sdp *pending;  /* the peer's offer, not answered yet */
	struct sdp *said;     /* what we said last, as the other side put it */
	uint64_t sess_id, sess_version, sent_types[LIMIT_SDP_MEDIA][2];
	uint32_t sent_hash; /* of our last description without o= */
	struct leg_line lines[LIMIT_SDP_MEDIA];
	unsigned n_lines;  /* ever opened */
	unsigned n_sent;   /* m-lines of our last description */
	unsigned n_agreed; /* m-lines of the session: they never get fewer */
	struct leg_policy policy;
	struct leg_keys keys;
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

/* The rest of a 200 to the INVITE; what its description says is sent. */
int in_send_200(struct leg *leg, struct sip_message *m);

/* leg_prack.c */
/* @invite: of the peer; NULL: we shall send one. */
void prack_init(struct leg *leg, const struct leg_conf *conf,
		const struct sip_view *invite);
void prack_release(struct leg *leg);
/* Offer and answer are complete, and may be changed in the early dialog. */
bool prack_is_settled(const struct leg *leg);
/* Does @request come from the fork whose description counts? */
bool prack_is_heard(const struct leg *leg, const struct sip_view *request);
/* What of @sdp may go with an 18x; must it arrive? */
const struct sdp *prack_ring_sdp(const struct leg *leg, const struct sdp *sdp);
bool prack_wants(const struct leg *leg, const struct sdp *sdp);
/* Send @m reliably, now or after those before it; @offering: with an offer. */
int prack_ring(struct leg *leg, const struct sip_message *m, bool offering);
/* The 2xx waits for a PRACK (RFC 3262 3). */
bool prack_holds_answer(const struct leg *leg);
/* The description of a 2xx when an 18x had it before. */
int prack_put_same(struct leg *leg, struct sip_message *m,
		   const struct sdp *sdp, char *mem);
int prack_keep_answer(struct leg *leg, const struct leg_input *in);
int prack_send_kept(struct leg *leg, const struct leg_input *in);
void prack_missed(struct leg *leg);
void prack_in(struct leg *leg, struct sip_txn *txn,
	      const struct sip_view *view);
/* Is the 18x @view to be acknowledged?  Do so, and tell the call. */
bool prack_is_reliable(const struct leg *leg, const struct sip_view *view);
int prack_take(struct leg *leg, const struct leg_input *in);
/* Had the fork of the 2xx @answer settled before? Then it is heard. */
bool prack_win(struct leg *leg, const struct sip_view *answer);

/* leg_policy.c */
typedef struct str leg_formats[LIMIT_SDP_FORMATS]; /* of one m= line */
int policy_init(struct leg *leg, const struct conf_policy *conf);
void policy_free(struct leg *leg);
/* What the peer described, without what it may not use. */
void policy_strip(const struct leg *leg, struct sdp *sdp);
/* What the peer is to be told: the same, in our order; the formats of line i
 * are put into @mem[i].  -EINVAL: nothing of it is left. */
int policy_fit(const struct leg *leg, struct sdp *sdp, bool is_offer,
	       leg_formats *mem);

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

/* leg_refer.c */
void refer_in(struct leg *leg, struct sip_txn *txn,
	      const struct sip_view *view);
void refer_release(struct leg *leg);
void notify_in(struct leg *leg, struct sip_txn *txn,
	       const struct sip_view *view);

/* What we said last once more, as an answer to @offer, into @mem as above.
 * -EINVAL: nothing was said. */
int offer_write_again(struct leg *leg, const struct sdp *offer, char *mem,
		      struct str *out);

/* leg_change.c: requests inside the dialog. */
void change_invite_in(struct leg *leg, struct sip_txn *txn,
		      const struct sip_view *view);
void change_release(struct leg *leg);
/* 491, 500 with Retry-After, 422 with Min-SE, 488 with Warning as they need. */
void change_refuse(struct leg *leg, struct sip_txn *txn, int status);
/* A re-INVITE or UPDATE goes out; NULL: without offer. */
int change_send(struct leg *leg, enum sip_method method,
		const struct sdp *offer);
/* The peer wants another session; takes @txn and @offer. */
void change_take(struct leg *leg, struct sip_txn *txn,
		 const struct sip_view *view, struct sdp *offer);
/* What is under way was in an early dialog that has lost. */
void change_abandon(struct leg *leg);
/* What a message of the peer shows of its abilities. */
void change_note(struct leg *leg, const struct sip_view *view);

/* leg_update.c */
void update_in(struct leg *leg, struct sip_txn *txn,
	       const struct sip_view *view);
/* An offer may come or go by UPDATE: the first one is answered, reliably. */
bool update_is_agreed(const struct leg *leg);

/* leg_own.c */
/* Something of our own may go out now. */
void own_look(struct leg *leg);
/* A re-INVITE that changes nothing is due. */
void own_refresh(struct leg *leg);
/* Our own change was refused; its 2xx came, with @sdp. */
void own_refused(struct leg *leg, const struct sip_view *view);
void own_done(struct leg *leg, int status, const struct sdp *sdp);
void own_release(struct leg *leg);
/* How long to wait after 491 (RFC 3261 14.1). */
unsigned own_backoff_ms(const struct leg *leg);

/* leg_reason.c; 0 = not said. */
struct leg_causes {
	unsigned q850, sip;
};
/* One Reason value: protocol, and the number of its first cause; those that
 * were read before stay. */
void reason_read(const char *text, struct leg_causes *c);
/* As a Reason header's value, with our words; "" = none. */
void reason_spell(char out[LEG_REASON_BYTES], const struct leg_causes *c);
/* BYE, CANCEL or a final answer of the peer. */
void reason_hear(struct leg *leg, const struct sip_view *view);
/* Q.850's number for a refusal; 0 = none is right. */
unsigned reason_q850(int status);
/* The same as a Reason header's value; "" = none. */
void reason_of(int status, char out[LEG_REASON_BYTES]);
/* How to refuse an INVITE for @reason, one value; NULL = @otherwise. */
int reason_status(const char *reason, int otherwise);

/* leg_info.c */
void info_in(struct leg *leg, struct sip_txn *txn, const struct sip_view *view);
void info_release(struct leg *leg);

/* leg_keys.c */
/* What the peer described, completed by the events that we tell it of. */
void keys_read(struct leg *leg, struct sdp **sdp);
/* The peer is offered @from. */
void keys_offered(struct leg *leg, const struct sdp *from);
/* @m without the events that the peer is not to see; its formats are changed
 * in place. */
void keys_fit(const struct leg *leg, struct sdp_media *m, bool is_offer);
/* What of @m the media has to know. */
void keys_remote(const struct leg *leg, const struct sdp_media *m,
		 struct media_remote *r);
void key_pressed(void *leg, const struct media_key *key); /* media_key_fn */
void keys_release(struct leg *leg);

/* leg_timer.c */
void session_init(struct leg *leg, const struct conf_policy *policy);
/* Values of Session-Expires and Min-SE; NULL = without. */
void session_read(struct session_says *out, const char *expires,
		  const char *min);
/* A decision: what to answer to a request that says @ask. */
void session_answer(const struct leg_session *s, const struct session_says *ask,
		    struct session_deal *out);
/* INVITE or UPDATE came in: 0, or 422.  The deal is kept. */
int session_hear(struct leg *leg, const struct sip_view *view);
/* Of our INVITE or UPDATE; of our 2xx to the peer's, which starts the timer;
 * of our 422. */
void session_ask(const struct leg *leg, struct session_headers *out);
void session_grant(struct leg *leg, struct session_headers *out);
void session_refuse(const struct leg *leg, struct session_headers *out);
/* The peer's 2xx to our INVITE or UPDATE. */
void session_granted(struct leg *leg, const struct sip_view *view);
/* A 422 to *@txn: the same once more with the longer interval, once; then *@txn
 * is the new one. */
bool session_raise(struct leg *leg, struct sip_txn **txn,
		   const struct sip_view *view, sip_response_fn fn);
void session_release(struct leg *leg);

#endif
