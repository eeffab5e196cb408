/*
 * sip.h - the only door to the SIP stack: listeners, requests in, answers and
 * requests out, dialogs, digest
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Built on Sofia-SIP's nta layer; no type of the library leaves this room.
 * Everything runs on the SIP thread (the loop's).  Every out-of-dialog request
 * that passed the screen and the sanity checks reaches one handler; nothing is
 * kept for it until the handler asks for a transaction.  Text given out in a
 * view lives until the callback returns.  Text given in is copied.
 */
#ifndef SBC_SIP_SIP_H
#define SBC_SIP_SIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "core/addr.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/loop.h"
#include "screen/screen.h"

struct sip_stack;
struct sip_request; /* received, out of dialog, not yet answered */
struct sip_txn;     /* a server or client transaction */
struct sip_dialog;

enum sip_transport { SIP_UDP, SIP_TCP };
const char *sip_transport_name(enum sip_transport t); /* "udp", "tcp" */

/*
 * The way to a peer: its packets came from @remote to our bound @local.  A
 * plain value; on TCP it means one connection (@conn) and is dead when that
 * closed.  @conn is 0 on UDP.
 */
struct sip_flow {
	enum sip_transport transport;
	uint32_t conn;
	struct addr local, remote;
};

bool sip_flow_equal(const struct sip_flow *a, const struct sip_flow *b);

enum sip_method {
	SIP_INVITE,
	SIP_ACK,
	SIP_CANCEL,
	SIP_BYE,
	SIP_OPTIONS,
	SIP_REGISTER,
	SIP_INFO,
	SIP_PRACK,
	SIP_UPDATE,
	SIP_SUBSCRIBE,
	SIP_NOTIFY,
	SIP_MESSAGE,
	SIP_REFER,
	SIP_PUBLISH,
	SIP_UNKNOWN, /* 501 */
};

/* The methods that every stack takes: as bits 1 << enum sip_method, and as an
 * Allow header's value. */
#define SIP_METHODS                                                            \
	(1u << SIP_INVITE | 1u << SIP_ACK | 1u << SIP_CANCEL | 1u << SIP_BYE | \
	 1u << SIP_OPTIONS | 1u << SIP_INFO | 1u << SIP_UPDATE |               \
	 1u << SIP_REGISTER | 1u << SIP_PRACK | 1u << SIP_REFER)
#define SIP_ALLOW                                                              \
	"INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REGISTER, PRACK, REFER"

struct sip_contact {
	const char *uri;      /* verbatim, without <> and header parameters */
	int64_t expires;      /* seconds, clamped; -1 = not given */
	const char *instance; /* +sip.instance without quotes, or NULL */
	uint32_t reg_id;      /* 0 = not given */
	bool ob;              /* URI parameter ob (RFC 5626 5.4) */
	unsigned q;           /* per mille; 1000 = not given */
};

/* What the topmost Via of a request said before we noted its source. */
struct sip_sent_by {
	const char *host;     /* verbatim */
	uint16_t port;        /* 0 = not given */
	bool has_rport;       /* asked for by RFC 3581 */
	uint16_t rport;       /* came with a value; 0 = none */
	const char *received; /* came with one; NULL = none */
};

struct sip_uri {
	/* @user may be NULL; its escapes are resolved, unless they stand for
	 * control bytes. */
	const char *scheme, *user, *host;
	uint16_t port; /* 0 = not given */
};

/* What we know of a message, read-only. */
struct sip_view {
	enum sip_method method; /* of a response: of its CSeq */
	const char *method_name;
	int status;         /* 0 = a request */
	const char *phrase; /* responses */
	bool internal;      /* a response that the stack made: time-out (408),
			       transport error (503), the peer's connection
			       closed before it answered (430, RFC 5626) */
	struct sip_flow flow;
	const char *realm; /* name of the realm it arrived in */

	struct sip_uri uri; /* Request-URI */
	const char *uri_text;
	struct sip_uri from, to;
	const char *from_display; /* without quotes; NULL when absent */
	const char *from_tag, *to_tag;
	const char *call_id, *branch;
	uint32_t cseq;
	int max_forwards;         /* -1 = not given */
	struct sip_sent_by via;   /* requests */
	unsigned n_vias;          /* 1 = nobody stands between */
	struct addr reply_source; /* responses: received and rport of our own
				     Via, as the peer saw us; unset = none */
	int64_t content_length;   /* as written; -1 = not given */
	bool has_surplus;         /* more than line ends came after the body: in
				     its datagram, or of a stream's next message */
	bool supports_outbound;   /* Supported: outbound (RFC 5626) */
	bool supports_path;       /* Supported: path (RFC 3327) */
	bool supports_100rel;     /* Supported: 100rel (RFC 3262) */
	bool requires_100rel;     /* Require: 100rel */
	uint32_t rseq;            /* RSeq of an 18x; 0 = none */
	struct sip_rack {         /* of a PRACK; rseq 0 = none */
		uint32_t rseq, cseq;
		enum sip_method method;
	} rack;
	const char *user_agent;
	const char *path; /* Path header values joined, or NULL */
	int64_t expires;  /* Expires header, clamped; -1 = not given */
	int64_t retry_after;

	struct sip_contact *contacts; /* n_contacts */
	unsigned n_contacts;
	bool contact_star;

	const char *content_type; /* "application/sdp"; NULL = no body */
	struct str body;

	const void *msg; /* sip/ only */
	void *home;      /* sip/ only */
};

struct sip_header {
	const char *name, *value;
};

/* Append @user as the user part of a URI, escaped (RFC 3261 25.1). */
void sip_put_user(struct buf *b, const char *user);

/*
 * One answer or request to send.  Zero = absent.  Values with control bytes
 * are refused as a whole with -EINVAL: nothing a peer wrote can add a header.
 */
struct sip_message {
	int status;               /* answers */
	const char *phrase;       /* NULL = the RFC's phrase */
	enum sip_method method;   /* requests */
	bool contact;             /* add our Contact for this flow */
	int max_forwards;         /* requests; 0 = 70, -1 = none left */
	const char *content_type; /* with @body */
	struct str body;
	const struct sip_header *headers; /* further headers, n_headers */
	unsigned n_headers;
};

/* ---- stack and listeners ------------------------------------------- */

struct sip_conf {
	struct loop *loop;
	struct screen *screen;
	/* Every good request that belongs to no dialog and no transaction.
	 * The handler ends it with exactly one of sip_request_answer(),
	 * sip_request_drop(), sip_request_accept(), before it returns. */
	void (*request)(void *arg, struct sip_request *req);
	/* A request with a To-tag of no dialog that we know: it may belong to
	 * another box of ours.  True: it has been ended as above.  NULL, or
	 * false: it is answered 481. */
	bool (*stray)(void *arg, struct sip_request *req);
	/* May a bad request of this peer be answered (400, 405, 416, 420, 481,
	 * 501, 505)?  For realms that are silent to strangers.  NULL = yes. */
	bool (*may_answer)(void *arg, const struct sip_flow *flow,
			   const char *realm);
	/* Something came along @flow that passed the screen: a message, or a
	 * keepalive of the peer's.  NULL = nobody wants to know. */
	void (*heard)(void *arg, const struct sip_flow *flow);
	/* The answer to sip_ping_options() with @token came along @flow. */
	void (*answered)(void *arg, const struct sip_flow *flow, uint64_t token,
			 int status);
	void *arg;
	/* Methods taken beside SIP_METHODS, as such bits; SUBSCRIBE, NOTIFY,
	 * MESSAGE and PUBLISH can be.  All others are answered 405. */
	uint32_t methods;
	unsigned t1_ms; /* RFC 3261 T1; 0 = 500 */
};

/* Installs the guard (guard.c) and starts the stack.  One per process. */
int sip_create(struct sip_stack **out, const struct sip_conf *conf);
void sip_destroy(struct sip_stack *sip); /* accepts NULL */
const char *sip_library_version(void);
/* What @sip takes, as an Allow header's value. */
const char *sip_allowed(const struct sip_stack *sip);
/* The datagram read last, for a crash report; safe in a signal handler. */
size_t sip_last_datagram(const uint8_t **bytes);

/*
 * Bind @transport at exactly @local for realm @realm.  -EADDRINUSE,
 * -EADDRNOTAVAIL and other -errno.  A listener that exists already is given
 * the realm name and marked up again.
 */
int sip_listen(struct sip_stack *sip, const char *realm,
	       enum sip_transport transport, const struct addr *local);
/* The library cannot close one transport: mark it down (its address went
 * away); it is not chosen for sending until it is up again. */
void sip_listener_down(struct sip_stack *sip, enum sip_transport transport,
		       const struct addr *local);

struct sip_listener {
	const char *realm;
	enum sip_transport transport;
	struct addr local;
	bool up;
};
/* The @i-th listener; false past the end. */
bool sip_listener_at(const struct sip_stack *sip, unsigned i,
		     struct sip_listener *out);
/* The realm that listens there; NULL when none does. */
const char *sip_realm_at(const struct sip_stack *sip,
			 enum sip_transport transport,
			 const struct addr *local);
/* A flow of realm @realm towards @remote: UDP from the bound socket, TCP by
 * a new or existing connection.  The local address is the one the route
 * look-up gives if the realm has it, else the realm's first of that family.
 * -ENETUNREACH when the realm has none. */
int sip_flow_to(struct sip_stack *sip, const char *realm,
		enum sip_transport transport, const struct addr *remote,
		struct sip_flow *out);
/* False once a TCP connection has closed, or a listener is down or gone. */
bool sip_flow_alive(const struct sip_stack *sip, const struct sip_flow *flow);
/* @host (a literal or name) is one of our bound addresses. */
bool sip_is_local(const struct sip_stack *sip, const char *host);
/* Address and port are bound by a listener of ours. */
bool sip_is_own(const struct sip_stack *sip, const struct addr *a);
/* Open client transactions; callers refuse work above LIMIT_CLIENT_TXNS. */
unsigned sip_client_txns(const struct sip_stack *sip);
/*
 * Too much waits to be read, or for answers: refuse new calls now (RFC 6357),
 * as finishing what is under way comes first.  Cheap enough for each INVITE.
 */
bool sip_is_overloaded(const struct sip_stack *sip);
/*
 * CR LF CR LF on the flow (RFC 5626 3.5.1); on TCP nothing is sent while
 * other bytes still wait to go.  -ENOTCONN: the connection is closed.  -errno.
 */
int sip_ping_crlf(struct sip_stack *sip, const struct sip_flow *flow);
struct sip_ping {
	uint64_t token;     /* random, not 0: the answer must bring it back */
	const char *target; /* Request-URI; NULL = the flow's remote address */
	const char *user;   /* of From */
	const char *host;   /* of From; NULL = our address */
};
/* A whole OPTIONS along the flow, without a transaction: whoever wants it
 * repeated asks again.  -EINVAL: @target cannot be written; else as above. */
int sip_ping_options(struct sip_stack *sip, const struct sip_flow *flow,
		     const struct sip_ping *ping);

/* ---- out-of-dialog requests ----------------------------------------- */

const struct sip_view *sip_request_view(const struct sip_request *req);
/* Answer without state and free @req.  To-tag is ours. */
int sip_request_answer(struct sip_request *req, const struct sip_message *m);
/* Say nothing and free @req. */
void sip_request_drop(struct sip_request *req);

/* ---- transactions ----------------------------------------------------- */

enum sip_txn_event {
	SIP_TXN_ACK,      /* server INVITE: ACK for our 2xx; view is the ACK */
	SIP_TXN_CANCEL,   /* server INVITE: cancelled; the stack has answered
			   200 to CANCEL and 487 to the INVITE already */
	SIP_TXN_NO_ACK,   /* server INVITE: no ACK within 64*T1; view NULL */
	SIP_TXN_NO_PRACK, /* server INVITE: no PRACK within 64*T1 for what
			     sip_txn_answer_reliably() sent; view NULL */
};
typedef void (*sip_txn_fn)(void *arg, struct sip_txn *txn,
			   enum sip_txn_event event,
			   const struct sip_view *view);
/* Every provisional and final response; when the final one is not a 2xx, or
 * none came in time, view->internal may be set.  After a final response to a
 * non-INVITE, or a failure, the transaction may be released. */
typedef void (*sip_response_fn)(void *arg, struct sip_txn *txn,
				const struct sip_view *view);

/*
 * Go stateful: consumes @req.  @fn hears of ACK, CANCEL and missing ACK.
 * The caller answers with sip_txn_answer() and releases @txn when done.
 * The view stays readable through sip_txn_view() until the release.
 */
int sip_request_accept(struct sip_request *req, struct sip_txn **out,
		       sip_txn_fn fn, void *arg);
const struct sip_view *sip_txn_view(const struct sip_txn *txn);
void sip_txn_listen(struct sip_txn *txn, sip_txn_fn fn, void *arg);
/* Server side.  Provisional, then one final answer.  408 to anything but INVITE
 * ends the transaction unsaid (RFC 4320 4.2). */
int sip_txn_answer(struct sip_txn *txn, const struct sip_message *m);
enum { SIP_RELIABLE_HEADERS = 8 }; /* at most, of such a message */
/*
 * Server INVITE: a 101 to 199 that arrives (RFC 3262 3), with Require: 100rel
 * and an RSeq, repeated until its PRACK or a final answer.  -EBUSY: the one
 * before waits for its PRACK.  -EPROTO: the INVITE does not say that the peer
 * can.  After Require: 100rel sip_txn_answer() sends no such answer: -EPROTO.
 */
int sip_txn_answer_reliably(struct sip_txn *txn, const struct sip_message *m);
/* Is @prack, a PRACK in the dialog, for the 18x of @txn that waits, be it that
 * the final answer has gone already?  Then it waits no more; false: 481. */
bool sip_txn_pracked(struct sip_txn *txn, const struct sip_view *prack);
/* Client INVITE: send CANCEL (waits for a provisional response by itself).
 * The final response still arrives. */
void sip_txn_cancel(struct sip_txn *txn);
/* The same with a Reason header (RFC 3326) of value @reason; NULL = none. */
void sip_txn_cancel_for(struct sip_txn *txn, const char *reason);
/*
 * Give the transaction back: no callback comes any more.  A server
 * transaction without a final answer is answered 500; a client one goes on in
 * the background (a late 2xx is ACKed and BYEd).  Accepts NULL.  May be called
 * inside the transaction's own callback.
 */
void sip_txn_release(struct sip_txn *txn);

/* ---- requests of our own that make no dialog ------------------------------ */

/*
 * Who we are to a peer that asks (401, 407; RFC 3261 22): the stack sends the
 * request once more with the answer, and once again when that was stale; the
 * owner hears only what comes of it.  Any other challenge goes up to him.  Both
 * texts are copied, and never logged.  @user NULL = every challenge goes up.
 */
struct sip_credentials {
	const char *user, *password;
};

struct sip_out {
	struct sip_flow flow;
	const char *target;                /* Request-URI */
	const char *from_user, *from_host; /* as in sip_dialog_conf */
	const char *from_display;          /* or NULL */
	const char *from_tag;              /* NULL = random */
	const char *to_user, *to_host;     /* NULL host = that of target */
	const char *call_id;               /* NULL = random */
	uint32_t cseq;                     /* 0 = random start */
	const char *contact; /* a whole Contact value, instead of m->contact */
	struct sip_credentials credentials;
};

/*
 * Send @m, anything but INVITE, ACK and CANCEL, as a client transaction; @fn
 * hears the answers and what became of the flow, as for a request in a dialog:
 * an internal 408 when none came within 64*T1 (Timer F), 430, 503.  @fn is
 * never called before this returns.  Release the transaction after its final
 * answer, or before it: then nobody hears.  -EINVAL: a text that cannot be
 * written.  -EAGAIN: too many client transactions are open.  -ENOTCONN,
 * -ENETDOWN: the flow is dead already.  With @fn NULL nobody hears and @out
 * may be NULL.
 */
int sip_send(struct sip_stack *sip, struct sip_txn **out,
	     const struct sip_out *o, const struct sip_message *m,
	     sip_response_fn fn, void *arg);

/*
 * The @i-th value of header @name (long form) as text, or NULL; for headers
 * that the view does not know.  An element of a list counts as a value, in one
 * field or in several; of a header that the library does not know a field
 * does.  Lives as long as the view's texts do.
 */
const char *sip_view_header(const struct sip_view *view, const char *name,
			    unsigned i);

/* ---- transfers (RFC 3515, RFC 3891) -------------------------------------- */

/* Names a dialog as whoever gets it knows it: @to_tag is its own. */
struct sip_replaces {
	char call_id[LIMIT_CALLID_BYTES + 1], to_tag[128], from_tag[128];
	bool early_only;
};

struct sip_refer_to {
	char user[LIMIT_USER_BYTES]; /* without escapes; "" = none */
	char host[256];              /* "" = none: tel: */
	enum sip_method method;      /* INVITE, or SIP_UNKNOWN: any other */
	bool has_replaces;
	struct sip_replaces replaces;
};

/* -EINVAL: malformed, too long, or one of the tags is missing. */
int sip_replaces_parse(struct sip_replaces *out, struct str value);
/* From a Refer-To header's value.  -EINVAL likewise; -EPROTONOSUPPORT: a
 * scheme other than sip: and tel:. */
int sip_refer_to_parse(struct sip_refer_to *out, struct str value);
/* The RFC's phrase for @status; never NULL. */
const char *sip_phrase(int status);

/* ---- dialogs ------------------------------------------------------------ */

/* A request inside the dialog that is not a retransmission; @txn must be
 * answered and released.  ACK for 2xx comes as SIP_TXN_ACK instead. */
typedef void (*sip_dialog_fn)(void *arg, struct sip_txn *txn,
			      const struct sip_view *view);

struct sip_dialog_conf {
	struct sip_flow flow;
	const char *target;        /* Request-URI; caller side only */
	const char *local_user;    /* user of From; NULL = anonymous form */
	const char *local_display; /* or NULL */
	const char *local_host;    /* host of From; NULL = our address */
	const char *remote_user;   /* user of To; may be NULL */
	const char *remote_host;   /* host of To; NULL = host of target */
	sip_dialog_fn request;
	/* Caller side of a SUBSCRIBE: a NOTIFY by another notifier than that of
	 * the dialog, as the SUBSCRIBE was forked (RFC 6665 4.4.1); treated as
	 * @request's.  sip_dialog_fork() makes the dialog of it.  NULL = 481. */
	sip_dialog_fn forked;
	void *arg;
	struct sip_credentials credentials; /* caller side, and its forks */
	/* A request of more bytes than that goes over TCP though @flow is UDP,
	 * or over UDP after all when the peer takes none (RFC 3261 18.1.1); the
	 * realm has to listen on TCP.  0 = never. */
	unsigned tcp_above;
};

/* Caller side: own random Call-ID and From tag, nothing sent yet. */
int sip_dialog_call(struct sip_dialog **out, struct sip_stack *sip,
		    const struct sip_dialog_conf *conf);
/* Callee side, from the server INVITE or SUBSCRIBE @txn; our random To-tag.
 * Takes flow, request and arg of @conf. */
int sip_dialog_answer(struct sip_dialog **out, struct sip_txn *txn,
		      const struct sip_dialog_conf *conf);
/* A further dialog of @d's SUBSCRIBE, from the NOTIFY @txn that its forked()
 * got: established, on the flow of @conf.  Takes flow, request and arg of
 * @conf; later forks still go to @d.  -EINVAL: @txn is no such NOTIFY. */
int sip_dialog_fork(struct sip_dialog **out, struct sip_dialog *d,
		    struct sip_txn *txn, const struct sip_dialog_conf *conf);
/* A further dialog with the peer of @d, which came by sip_dialog_answer() of a
 * SUBSCRIBE: its Call-ID and the peer's tag, another random tag of ours; for
 * what a fork of the SUBSCRIBE notifies.  Takes flow, request and arg of @conf.
 * -EINVAL: @d is no such dialog. */
int sip_dialog_twin(struct sip_dialog **out, const struct sip_dialog *d,
		    const struct sip_dialog_conf *conf);
void sip_dialog_destroy(struct sip_dialog *d); /* accepts NULL */

/* Send a request in (or, INVITE, for) the dialog.  -EAGAIN: too many client
 * transactions are open.  -ENOTCONN, -ENETDOWN: the flow is dead already, as
 * an internal 430 says later.  With @fn NULL nobody hears the response and @out
 * may be NULL. */
int sip_dialog_request(struct sip_dialog *d, struct sip_txn **out,
		       const struct sip_message *m, sip_response_fn fn,
		       void *arg);
/*
 * The request @txn, which was refused with a final answer, once more in the
 * dialog: its own headers but for those that @headers replaces, the next CSeq.
 * @fn hears what comes of it; @txn stays to be released.  Errors as above.
 */
int sip_dialog_again(struct sip_dialog *d, struct sip_txn **out,
		     const struct sip_txn *txn,
		     const struct sip_header *headers, unsigned n_headers,
		     sip_response_fn fn, void *arg);
/* The caller side's dialog is made by this 2xx, or of a SUBSCRIBE by the NOTIFY
 * that came first (remote tag, route set and remote target; RFC 3261 12.1.2,
 * 13.2.2.4; RFC 6665 4.4.1).  Until then a NOTIFY of any notifier is in the
 * dialog.  A message with another remote tag than it has changes nothing. */
void sip_dialog_establish(struct sip_dialog *d, const struct sip_view *answer);
/*
 * Caller side: the 18x @answer makes an early dialog, of which a forked INVITE
 * may have several; sip_dialog_establish() with a 2xx chooses.  Until then
 * sip_dialog_request() is in the first.  Nothing when it is known.  -ENOSPC:
 * there are too many; -EINVAL: no To-tag, or the dialog is established.
 */
enum { SIP_EARLY_FORKS = 7 }; /* beside the first */
int sip_dialog_early(struct sip_dialog *d, const struct sip_view *answer);
/* sip_dialog_request() is in the early dialog with @to_tag from now on, if
 * there is one. */
void sip_dialog_prefer(struct sip_dialog *d, const char *to_tag);
/* PRACK (RFC 3262 4) with @m's body and headers for RSeq and CSeq of @rack, in
 * the early dialog with @to_tag.  Nobody hears what comes of it.  -EINVAL:
 * there is no such dialog; else as sip_dialog_request(). */
int sip_dialog_prack(struct sip_dialog *d, const struct sip_rack *rack,
		     const char *to_tag, const struct sip_message *m);
/* ACK the 2xx to INVITE @txn, with @m's body if any; repeated 2xx are ACKed
 * again by the stack. */
int sip_dialog_ack(struct sip_dialog *d, struct sip_txn *txn,
		   const struct sip_message *m);
/* A re-INVITE, SUBSCRIBE or NOTIFY, or the 2xx to one, moved the remote target
 * (RFC 3261 12.2, RFC 6665 4.4.1); without a Contact it stays. */
void sip_dialog_retarget(struct sip_dialog *d, const struct sip_view *view);
/* The user part of our Contact from now on, also in the answers to its INVITE
 * @txn (NULL = none).  -ENOMEM, -EINVAL. */
int sip_dialog_name(struct sip_dialog *d, struct sip_txn *txn,
		    const char *user);
/*
 * What another box must know to go on with a dialog.  @route: the route set as
 * a Route header's value, NULL = none; @target: the remote target.
 */
struct sip_dialog_ids {
	const char *call_id, *local_tag, *remote_tag, *target, *route;
};
/* Of @d; what is not known yet is NULL; the texts lie in @mem.  -ENOSPC. */
int sip_dialog_ids(const struct sip_dialog *d, struct sip_dialog_ids *out,
		   char *mem, size_t cap);
/*
 * A dialog that another box made, established.  Takes flow, request, arg, users
 * and hosts of @conf; our first request in it has number @cseq, 0 = any.
 */
int sip_dialog_adopt(struct sip_dialog **out, struct sip_stack *sip,
		     const struct sip_dialog_conf *conf,
		     const struct sip_dialog_ids *ids, uint32_t cseq);
/* Request @txn in it came before there was @d: as if it came now.  Takes
 * @txn. */
void sip_dialog_take(struct sip_dialog *d, struct sip_txn *txn);
/* Remote target and route set are those of @ids.  -EINVAL, -ENOMEM. */
int sip_dialog_aim(struct sip_dialog *d, const struct sip_dialog_ids *ids);
/* The two are one dialog that goes through us: numbers of requests go on where
 * the other end's began. */
void sip_dialog_mirror(struct sip_dialog *a, struct sip_dialog *b);
/* While @is_held the Contact of what comes is not the peer's but another box's:
 * the remote target stays. */
void sip_dialog_hold_target(struct sip_dialog *d, bool is_held);
/* @route goes before the route set of each request; NULL = nothing more.
 * -ENOMEM. */
int sip_dialog_detour(struct sip_dialog *d, const char *route);
/* From now on send along @flow. */
void sip_dialog_move(struct sip_dialog *d, const struct sip_flow *flow);
const struct sip_flow *sip_dialog_flow(const struct sip_dialog *d);
const char *sip_dialog_call_id(const struct sip_dialog *d);
/* Our tag and the peer's; NULL = it has none yet. */
const char *sip_dialog_local_tag(const struct sip_dialog *d);
const char *sip_dialog_remote_tag(const struct sip_dialog *d);

/* ---- digest (RFC 7616, RFC 8760) ---------------------------------------- */

struct sip_auth;

enum sip_auth_verdict {
	SIP_AUTH_OK,
	SIP_AUTH_NONE,   /* no credentials for our realm: challenge */
	SIP_AUTH_STALE,  /* right password, old nonce: challenge, stale=true */
	SIP_AUTH_WRONG,  /* unknown user or wrong response: challenge */
	SIP_AUTH_REPLAY, /* nonce count used before: challenge, stale=true */
};

struct sip_challenge {
	struct sip_header headers[2]; /* WWW-Authenticate */
	unsigned n;
	char text[2][400];
};

int sip_auth_create(struct sip_auth **out);
void sip_auth_destroy(struct sip_auth *auth); /* accepts NULL */
/*
 * Who sent this request?  On SIP_AUTH_OK *who is the phone.  Takes the same
 * time for known and unknown users.  A retransmission of an accepted request
 * (same Call-ID, CSeq, branch) is SIP_AUTH_OK again.
 */
enum sip_auth_verdict sip_auth_check(struct sip_auth *auth,
				     const struct sip_view *view,
				     const struct config *cfg,
				     const struct conf_realm *realm,
				     const struct conf_phone **who);
/* Write the challenge(s) of @realm for the source of @view. */
void sip_auth_challenge(struct sip_auth *auth, const struct sip_view *view,
			const struct conf_realm *realm, bool stale,
			struct sip_challenge *out);
/* The 401 that @verdict (not OK) asks for; its challenges are written into
 * @mem, which must live as long as the answer. */
struct sip_message sip_auth_refusal(struct sip_auth *auth,
				    const struct sip_view *view,
				    const struct conf_realm *realm,
				    enum sip_auth_verdict verdict,
				    struct sip_challenge *mem);

/* ---- digest, as a client (RFC 7616, RFC 3261 22) -------------------------- */

/* What a peer has challenged us with; zero before first use. */
struct sip_challenged {
	bool is_proxy; /* answer in Proxy-Authorization */
	uint8_t algorithm;
	bool has_qop, has_opaque, stale;
	bool is_int; /* qop=auth-int, as qop=auth is not offered */
	uint32_t nc;
	char realm[128], nonce[256], opaque[128];
};

/* Keep the strongest challenge of a 401 or 407 that we can answer.  -ENOENT:
 * none; -EINVAL: broken or too long. */
int sip_challenge_take(struct sip_challenged *c, const struct sip_view *view);
/* The header that answers it, its value written into @mem; counts nc.
 * -ENOSPC. */
int sip_challenge_answer(struct sip_challenged *c, enum sip_method method,
			 const char *uri, const char *user,
			 const char *password, char *mem, size_t cap,
			 struct sip_header *out);
/* The same for a request with a body, which auth-int counts in. */
int sip_challenge_answer_body(struct sip_challenged *c, enum sip_method method,
			      const char *uri, const char *user,
			      const char *password, struct str body, char *mem,
			      size_t cap, struct sip_header *out);

#endif
