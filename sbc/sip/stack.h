/*
 * stack.h - what the files of this room share: the agent, its listeners, the
 * connections and the message under way
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_SIP_STACK_H
#define SBC_SIP_STACK_H

#include "sip/sip.h"

#include "core/hash.h"
#include "core/limits.h"
#include "core/list.h"

#define NTA_AGENT_MAGIC_T    struct sip_stack
#define NTA_LEG_MAGIC_T      struct sip_dialog
#define NTA_INCOMING_MAGIC_T struct sip_txn
#define NTA_OUTGOING_MAGIC_T struct sip_txn

#include <sofia-sip/msg_addr.h>
#include <sofia-sip/msg_header.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_util.h>
#include <sofia-sip/su_tagarg.h>
#include <sofia-sip/tport.h>
#include <sofia-sip/tport_tag.h>
#include <sofia-sip/url.h>

#define SIP_PRODUCT "sbc"

struct listener {
	char realm[LIMIT_NAME_BYTES];
	char ident[8]; /* names the transport to the library */
	enum sip_transport transport;
	struct addr local;
	bool up;
	tport_t *tport; /* the library's own */
};

/* One TCP connection.  The reference keeps the library from giving its
 * address to another one while we know it. */
struct conn {
	struct hash_node by_gen, by_tport;
	uint32_t gen; /* struct sip_flow's conn */
	tport_t *tport;
	int fd; /* -1 = not known */
	const struct listener *on;
	struct addr remote;
	bool accepted;      /* the peer made it */
	unsigned users;     /* dialogs and transactions on it */
	mono_ms heard;      /* last message */
	mono_ms keep_until; /* a phone registered over it */
	bool doomed;        /* close it at the next sweep */
};

/* The message that the library is giving us just now. */
struct arrival {
	tport_t *tport; /* NULL = none */
	const struct listener *on;
	struct conn *conn;
	struct sip_flow flow;
	/* Of a request's topmost Via, as it came: received and rport. */
	struct sip_sent_by via;
};

struct sip_stack {
	struct sip_conf conf;
	nta_agent_t *agent;
	struct listener listeners[LIMIT_LISTENERS];
	unsigned n_listeners;
	struct hash conns_by_gen, conns_by_tport;
	uint32_t last_gen;
	struct timer sweep;
	struct arrival now;
	struct list txns, dialogs;
	struct hash forkers; /* dialogs, by hash_text() of the Call-ID */
	struct hash invited; /* server INVITEs, by the same */
	uint32_t methods;    /* taken; bits 1 << enum sip_method */
	char allow[128];
	unsigned client_txns;
	/* What the route look-up said of late: a call to the same trunk comes
	 * soon, and asking the kernel takes a socket. */
	struct route_memo {
		struct addr to, from; /* @from unset: no route */
		mono_ms until;
	} routes[8];
	/* Who takes UDP alone, as large.c has found out. */
	struct no_tcp {
		struct addr remote;
		mono_ms until;
	} no_tcp[16];
	/* Call-IDs of INVITEs whose final answer could not be sent, a ring. */
	struct {
		uint32_t call_id; /* hash_text() */
		mono_ms until;
	} unsent[16];
	unsigned next_unsent;
	bool dying;
};

/* ---- flow.c ----------------------------------------------------------------- */

struct listener *listener_find(const struct sip_stack *sip,
			       enum sip_transport transport,
			       const struct addr *local);
/* The connection of a transport; -ENOMEM. */
int conn_get(struct conn **out, struct sip_stack *sip, tport_t *tport);
struct conn *conn_by_gen(const struct sip_stack *sip, uint32_t gen);
/* NULL once it has closed, or soon will. */
struct conn *conn_alive(const struct sip_stack *sip, uint32_t gen);
/* @c is that of descriptor @fd, unless this is another's or it has one. */
void conn_set_fd(struct conn *c, int fd);
void conn_bytes(void *arg, uint32_t gen); /* guard's */
void conn_sweep(struct sip_stack *sip, mono_ms now);
void conn_clear(struct sip_stack *sip);
void flow_use(struct sip_stack *sip, const struct sip_flow *flow, int by);
/* Who gets what goes along @flow: the library's transport and name of it.
 * -ENETDOWN: listener down or gone.  -ENOTCONN: the connection has closed. */
struct flow_out {
	const struct listener *on;
	tport_t *tport; /* borrowed */
	tp_name_t name;
	char host[ADDR_TEXT_MAX], port[8];
	char route[ADDR_TEXT_MAX + 32]; /* sip:host:port;transport=... */
};
int flow_out(struct flow_out *out, const struct sip_stack *sip,
	     const struct sip_flow *flow);

/* ---- receive.c -------------------------------------------------------------- */

bool receive_enter(void *arg, tport_t *tport, msg_t *msg); /* guard's */
void receive_leave(void *arg);
bool receive_datagram(void *arg, const struct addr *local,
		      const struct addr *source, const uint8_t *p, size_t n);
/* What the message under way shows beside its text: flow, realm, and what
 * via_stamp() has replaced since. */
void arrival_note(const struct sip_stack *sip, struct sip_view *v);
int receive_request(struct sip_stack *sip, nta_agent_t *agent, msg_t *msg,
		    sip_t *s); /* nta_message_f */
/* The message of a request that goes stateful; @req is ended.  -EALREADY. */
int request_take(struct sip_request *req, struct sip_stack **sip, msg_t **msg);
bool may_answer(struct sip_stack *sip, const struct sip_flow *flow,
		const char *realm);

/* ---- view.c ----------------------------------------------------------------- */

/* Everything that does not point into @s is allocated in @home, the home of
 * its message.  -ENOMEM. */
int view_fill(struct sip_view *v, su_home_t *home, const msg_t *msg,
	      const sip_t *s);
enum sip_method method_of(sip_method_t m);
/* Only what via_stamp() overwrites; the texts stay in the message. */
void view_source_params(struct sip_sent_by *out, const sip_via_t *via);

/* ---- address.c -------------------------------------------------------------- */

/* Who we are to a peer: From. */
struct address_local {
	const char *display;         /* or NULL */
	const char *user;            /* NULL = anonymous */
	const char *host;            /* NULL = our address on @flow */
	const char *tag;             /* NULL = random */
	const struct sip_flow *flow; /* borrowed */
};
/* All of these: -EINVAL when it cannot be written, and allocate in @home. */
int address_from(sip_from_t **out, su_home_t *home,
		 const struct address_local *local);
int address_to(sip_to_t **out, su_home_t *home, const char *user,
	       const char *host);
/* A Request-URI; what it says of headers is cut off. */
int address_target(url_t **out, su_home_t *home, const char *text);
/* Escaped; NULL when there is none. */
int address_user(const char **out, su_home_t *home, const char *user);

/* ---- send.c ----------------------------------------------------------------- */

/* The library's number and name of ours. */
sip_method_t method_number(enum sip_method m, const char **name);
bool is_token(const char *text); /* RFC 3261 25.1 */
/* -EINVAL: a control byte, an empty name, or too large. */
int message_check(const struct sip_message *m);
/* -EINVAL as above, or when it cannot be read as that header; -ENOMEM. */
int header_add(msg_t *msg, const struct sip_header *h);
/* Add what @m holds to @msg.  Contact is of @flow.  -ENOMEM, -EINVAL. */
int message_add(msg_t *msg, const struct sip_message *m,
		const struct sip_flow *flow, const char *contact_user);
/* Answer @req to where it came from, keeping nothing.  Does not destroy @req.
 * -EMSGSIZE: larger than a stranger may get; nothing was sent. */
int send_stateless(struct sip_stack *sip, msg_t *req,
		   const struct sip_message *m);
/* Our own Via for @flow with a new branch (also in @branch). */
enum { BRANCH_BYTES = 7 + 16 + 1 };
sip_via_t *send_via(su_home_t *home, const struct sip_flow *flow,
		    char branch[BRANCH_BYTES]);

/* ---- txn.c ------------------------------------------------------------------ */

enum { TAG_CHARS = 16 };

/* The last 18x that was sent reliably: reliable.c. */
struct reliable {
	uint32_t rseq; /* 0 = none yet */
	bool waits;    /* for its PRACK */
	msg_t *msg;    /* to repeat; NULL = not any more */
	unsigned interval_ms, waited_ms;
};

struct sip_txn {
	struct list link; /* in sip_stack.txns */
	struct sip_stack *sip;
	struct sip_view view;     /* server side: the request */
	msg_t *msg;               /* server side: holds the view */
	struct hash_node by_call; /* of a server INVITE, if is_invited */
	bool is_invited;
	nta_incoming_t *irq;
	nta_outgoing_t *orq;
	sip_txn_fn fn;
	sip_response_fn response;
	void *arg;
	struct sip_flow flow;
	char tag[TAG_CHARS + 1];   /* server side: our To-tag */
	const char *contact_user;  /* of its answers, in msg; NULL = none */
	char branch[BRANCH_BYTES]; /* client side */
	enum sip_method method;
	int final; /* status of the final response, 0 = none yet */
	char final_tag[LIMIT_CALLID_BYTES]; /* its To-tag */
	bool released;                      /* nobody listens */
	bool cancel_wanted;  /* waits for a provisional response */
	char *cancel_reason; /* NULL = none */
	bool provisional, cancelled;
	bool on_peers_flow; /* client side: along a connection of the peer's */
	struct credentials *as; /* client side; NULL = none */
	uint8_t n_answered[2];  /* 401s, 407s */
	struct large *large;    /* client side: it could go over UDP as well */
	struct reliable reliable; /* server side */
	struct timer timer; /* client side: the end of waiting; server side:
			       of an 18x */
};

/* A request that belongs to no transaction; takes @msg in every case.
 * -ENOMEM. */
int txn_from_message(struct sip_txn **out, struct sip_stack *sip, msg_t *msg);
/* A request that came within a dialog, for its callback. */
int txn_from_leg(struct sip_txn **out, struct sip_stack *sip,
		 nta_incoming_t *irq, const sip_t *s);
/* Send @msg, which is complete, as a client transaction along @out's flow;
 * takes @msg in every case. */
int txn_send(struct sip_txn **txn, struct sip_stack *sip, msg_t *msg,
	     const struct sip_flow *flow, sip_response_fn fn, void *arg);
/* sip_txn_answer(), to be repeated with @reliably. */
int txn_reply(struct sip_txn *txn, const struct sip_message *m, bool reliably);
/* Hand @msg to the library with a Via of @txn's flow; NULL: @msg is still the
 * caller's. */
nta_outgoing_t *txn_start(struct sip_txn *txn, msg_t *msg,
			  const struct flow_out *to);
/* False: an ACK that the library would take for an error of its own. */
bool txn_admit_ack(const struct sip_stack *sip, const sip_t *s);
/* @txn is a server's, its view is filled; not an INVITE's: nothing is done. */
void invited_add(struct sip_txn *txn);
void invited_remove(struct sip_txn *txn); /* harmless when it is not there */
/* False: an ACK or CANCEL that does not come from who sent its INVITE. */
bool invited_admits(const struct sip_stack *sip, const sip_t *s);
/* False: a 2xx to INVITE that the library must not see. */
bool txn_admit_answer(struct sip_stack *sip, msg_t *msg, sip_t *s);
void txn_destroy_all(struct sip_stack *sip);

/* ---- reliable.c -------------------------------------------------------------- */

/* @msg, complete but not sent yet, goes out again until its PRACK. -ENOMEM. */
int reliable_begin(struct sip_txn *txn, msg_t *msg);
void reliable_stop(struct sip_txn *txn);

/* ---- early.c ----------------------------------------------------------------- */

/* The early dialog of the 2xx @answer is the dialog; the others end. */
void early_establish(struct sip_dialog *d, const struct sip_view *answer);
void early_end(struct sip_dialog *d);

/* ---- large.c ------------------------------------------------------------------ */

/* Is @msg, of more than @above bytes and meant for @flow, to go over TCP?  Then
 * *@out is the way. */
bool large_flow(struct sip_flow *out, struct sip_stack *sip, const msg_t *msg,
		const struct sip_flow *flow, unsigned above);
/* @txn goes over TCP; if that fails, along @udp. */
void large_sent(struct sip_txn *txn, const struct sip_flow *udp);
/* The first answer to @txn, which has a txn->large.  True: it was none, and the
 * request is under way over UDP now. */
bool large_answered(struct sip_txn *txn);
void large_clear(struct sip_txn *txn);

/* ---- credentials.c ----------------------------------------------------------- */

/* Of a dialog and its requests, which may outlive it; or of one request. */
struct credentials {
	unsigned refs;
	struct sip_dialog *dialog; /* NULL = none, or gone */
	char *user, *password;
	/* With what, last: by a server, by a proxy. */
	struct sip_challenged challenged[2];
};

/* *@out is NULL when @of says nothing.  -ENOMEM. */
int credentials_new(struct credentials **out, const struct sip_credentials *of);
struct credentials *credentials_ref(struct credentials *as); /* or NULL */
void credentials_unref(struct credentials *as);              /* or NULL */
/* @txn's request with the answer to the challenge @answer, but for its Via.
 * NULL: it is not to be answered. */
msg_t *credentials_retry(struct sip_txn *txn, const sip_t *answer);
/* Those of the INVITE @txn, into the ACK for its 2xx.  -ENOMEM. */
int credentials_to_ack(msg_t *ack, const struct sip_txn *txn);

/* ---- dialog.c ---------------------------------------------------------------- */

enum { CALLID_CHARS = 24 }; /* of one that we make */

struct sip_dialog {
	struct list link;        /* in sip_stack.dialogs */
	struct hash_node forker; /* in sip_stack.forkers, with @forked */
	struct sip_stack *sip;
	nta_leg_t *leg;
	su_home_t home[1];
	sip_from_t *local; /* caller side */
	/* Of a SUBSCRIBE's callee side: To and From, for its twins. */
	sip_to_t *mine;
	sip_from_t *peer;
	url_t *target; /* Request-URI until the leg has one */
	struct sip_flow flow;
	sip_dialog_fn request, forked;
	void *arg;
	char call_id[LIMIT_CALLID_BYTES + 1];
	const char *contact_user; /* NULL = none */
	bool is_named;            /* answers carry contact_user, too */
	const char *detour;       /* Route before the route set; NULL = none */
	uint32_t first_cseq;      /* of our first request; 0 = any */
	struct sip_dialog *mirror;
	bool holds_target;      /* sip_dialog_retarget() does nothing */
	struct credentials *as; /* NULL = none */
	unsigned tcp_above;     /* large.c; 0 = never */
	/* Early dialogs of an INVITE: early.c. */
	bool is_early; /* only an 18x has named the leg's peer */
	nta_leg_t *forks[SIP_EARLY_FORKS];
	unsigned n_forks;
};

/* A bare one; -ENOMEM. */
int dialog_new(struct sip_dialog **out, struct sip_stack *sip,
	       const struct sip_dialog_conf *conf);
/* nta_request_f of its leg. */
int dialog_on_request(struct sip_dialog *d, nta_leg_t *leg, nta_incoming_t *irq,
		      const sip_t *s);
void dialog_destroy_all(struct sip_stack *sip);
/* A Contact that requests can go to; NULL = none. */
const sip_contact_t *dialog_usable_contact(const sip_t *s);
/* sip_dialog_request() by @leg, the dialog's own or of an early one. */
int dialog_send(struct sip_dialog *d, nta_leg_t *leg, struct sip_txn **out,
		const struct sip_message *m, sip_response_fn fn, void *arg);
/* For a further request in it; 0 = no memory. */
uint32_t dialog_next_cseq(struct sip_dialog *d, enum sip_method method);
/* Is @msg, a request with a To-tag but of no dialog, a forked NOTIFY?  Then
 * it takes it. */
bool dialog_forked(struct sip_stack *sip, msg_t *msg, const sip_t *s);
/* A request inside a dialog that comes along another flow than the dialog's:
 * it is dealt with, @msg is still the caller's. */
bool dialog_from_elsewhere(struct sip_stack *sip, msg_t *msg, sip_t *s);
/* End a call that nobody wants: ACK the 2xx @answer to INVITE @txn, then
 * BYE. */
void dialog_ack_and_bye(struct sip_txn *txn, const sip_t *answer);

#endif
