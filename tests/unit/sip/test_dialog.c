/*
 * test_dialog.c - dialogs, with either side as the caller
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sip_rig.h"

static struct sip_view last_view; /* only what is copied below is valid */
static char last_user[64];

static void in_dialog(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	const struct sip_message ok = {.status = 200};
	struct rig *rig = arg;

	sip_txn_answer(txn, &ok);
	sip_txn_release(txn);
	/* The view outlives the transaction. */
	rig->in_dialog++;
	rig->last_flow = view->flow;
	snprintf(rig->last_method, sizeof(rig->last_method), "%s",
		 view->method_name);
}

static void on_event(void *arg, struct sip_txn *txn, enum sip_txn_event event,
		     const struct sip_view *view)
{
	struct rig *rig = arg;

	if (event == SIP_TXN_ACK)
		rig->acks++;
}

static void on_answer(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct rig *rig = arg;

	rig->answers++;
	rig->last_status = view->status;
	rig->last_internal = view->internal;
	rig->last_flow = view->flow;
	if (view->status >= 200 && view->status < 300 &&
	    view->method == SIP_INVITE) {
		sip_dialog_establish(rig->dialog, view);
		assert_int_equal(sip_dialog_ack(rig->dialog, txn, NULL), 0);
	}
}

static void call_in(struct rig *rig, struct sip_request *req)
{
	struct sip_dialog_conf conf = {.request = in_dialog, .arg = rig};
	const struct sip_message ok = {.status = 200, .contact = true};

	assert_int_equal(sip_request_accept(req, &rig->txn, on_event, rig), 0);
	conf.flow = sip_txn_view(rig->txn)->flow;
	last_view = *sip_txn_view(rig->txn);
	snprintf(last_user, sizeof(last_user), "%s", last_view.from.user);
	assert_int_equal(sip_dialog_answer(&rig->dialog, rig->txn, &conf), 0);
	assert_int_equal(sip_txn_answer(rig->txn, &ok), 0);
}

/* The peer calls, we answer, it ACKs; @tag is our tag. */
static void be_called(struct rig *rig, const char *more, char tag[512])
{
	char value[512], lines[512], contact[128];

	rig->handle = call_in;
	snprintf(lines, sizeof(lines), "%s%s", rig_contact(rig, contact), more);
	rig_request_send(rig, "INVITE", "i1", "call-1", 10, NULL, lines);
	assert_int_equal(rig_status(rig), 200);
	assert_non_null(rig_param(rig_header(rig, "To", value), ";tag=", tag));
	rig_request_send(rig, "ACK", "a1", "call-1", 10, tag, "");
	assert_int_equal(rig->acks, 1);
}

static const struct sip_dialog_conf *call_conf(struct rig *rig)
{
	static struct sip_dialog_conf conf;

	conf = (struct sip_dialog_conf){.target = "sip:peer@198.51.100.1",
					.local_user = "a",
					.remote_user = "peer",
					.request = in_dialog,
					.arg = rig};
	assert_int_equal(
		sip_flow_to(rig->sip, "lan", SIP_UDP, &rig->peer, &conf.flow),
		0);
	return &conf;
}

static int send_request(struct rig *rig, enum sip_method method)
{
	const struct sip_message m = {.method = method,
				      .contact = method == SIP_INVITE};

	return sip_dialog_request(rig->dialog, NULL, &m, on_answer, rig);
}

/* We call, the peer answers with @more headers, we ACK. */
static void call_out(struct rig *rig, const char *more)
{
	const struct sip_message m = {.method = SIP_INVITE, .contact = true};

	assert_int_equal(
		sip_dialog_call(&rig->dialog, rig->sip, call_conf(rig)), 0);
	assert_int_equal(
		sip_dialog_request(rig->dialog, &rig->txn, &m, on_answer, rig),
		0);
	assert_true(rig_recv(rig));
	rig_answer(rig, 200, "remote", more);
	assert_int_equal(rig->last_status, 200);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "ACK ", 4);
}

/* ---- called ---------------------------------------------------------------------- */

static void a_called_side_takes_requests_by_its_tag(void **state)
{
	struct rig *rig = *state;
	char tag[512];

	be_called(rig, "", tag);
	assert_string_equal(last_user, "a");
	rig_request_send(rig, "BYE", "b1", "call-1", 11, tag, "");
	assert_int_equal(rig_status(rig), 200);
	assert_int_equal(rig->in_dialog, 1);
	assert_string_equal(rig->last_method, "BYE");
	assert_true(addr_equal(&rig->last_flow.remote, &rig->peer));
}

static void another_tag_is_another_dialog(void **state)
{
	struct rig *rig = *state;
	char tag[512];

	be_called(rig, "", tag);
	rig_request_send(rig, "BYE", "b1", "call-1", 11, "guess", "");
	assert_int_equal(rig_status(rig), 481);
	assert_int_equal(rig->in_dialog, 0);
}

/* RFC 3261 8.2.2.2 the other way round: an upstream forks one request to two
 * phones behind us. */
static void a_request_without_our_tag_is_not_of_the_dialog(void **state)
{
	struct rig *rig = *state;
	char tag[512];

	be_called(rig, "", tag);
	rig->handle = rig_default_handler;
	rig_request_send(rig, "OPTIONS", "f2", "call-1", 12, NULL, "");
	assert_int_equal(rig_status(rig), 200);
	assert_int_equal(rig->in_dialog, 0);
	assert_int_equal(rig->requests, 2);
}

static void an_old_cseq_is_refused(void **state)
{
	struct rig *rig = *state;
	char tag[512];

	be_called(rig, "", tag);
	rig_request_send(rig, "INFO", "b1", "call-1", 20, tag, "");
	assert_int_equal(rig_status(rig), 200);
	rig_request_send(rig, "INFO", "b2", "call-1", 15, tag, "");
	assert_int_equal(rig_status(rig), 500);
	assert_int_equal(rig->in_dialog, 1);
}

/* Who only overheard the names of a dialog cannot shut its peer out. */
static void a_cseq_from_elsewhere_is_heard_but_does_not_count(void **state)
{
	struct rig *rig = *state;
	struct addr elsewhere;
	char tag[512];
	int peer = rig->fd;

	be_called(rig, "", tag);
	rig->fd = rig_socket(&elsewhere, SOCK_DGRAM);
	rig_request_send(rig, "INFO", "s1", "call-1", 2000000000, tag, "");
	assert_int_equal(rig->in_dialog, 1);
	assert_true(addr_equal(&rig->last_flow.remote, &elsewhere));
	assert_int_equal(rig_status(rig), 200);
	/* Repeated, it is answered once more, and heard once. */
	rig_request_send(rig, "INFO", "s1", "call-1", 2000000000, tag, "");
	assert_int_equal(rig->in_dialog, 1);
	assert_int_equal(rig_status(rig), 200);
	close(rig->fd);
	rig->fd = peer;
	rig_request_send(rig, "INFO", "s2", "call-1", 11, tag, "");
	assert_int_equal(rig->in_dialog, 2);
	assert_int_equal(rig_status(rig), 200);
}

static void a_dialog_that_is_gone_knows_nothing(void **state)
{
	struct rig *rig = *state;
	char tag[512];

	be_called(rig, "", tag);
	sip_dialog_destroy(rig->dialog);
	rig->dialog = NULL;
	rig_request_send(rig, "BYE", "b1", "call-1", 11, tag, "");
	assert_int_equal(rig_status(rig), 481);
}

static void the_called_side_sends_requests_too(void **state)
{
	struct rig *rig = *state;
	char tag[512], from[512], to[512], id[512];

	be_called(rig, "", tag);
	assert_int_equal(send_request(rig, SIP_BYE), 0);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "BYE sip:peer@127.0.0.1:", 23);
	assert_non_null(strstr(rig_header(rig, "From", from), tag));
	assert_non_null(strstr(rig_header(rig, "To", to), "tag=peer"));
	assert_string_equal(rig_header(rig, "Call-ID", id), "call-1");
	rig_answer(rig, 200, NULL, "");
	assert_int_equal(rig->last_status, 200);
}

static void a_record_route_becomes_the_route(void **state)
{
	struct rig *rig = *state;
	char tag[512], route[512];

	be_called(rig, "Record-Route: <sip:192.0.2.7;lr>\r\n", tag);
	assert_int_equal(send_request(rig, SIP_BYE), 0);
	/* It still goes to where the INVITE came from. */
	assert_true(rig_recv(rig));
	assert_string_equal(rig_header(rig, "Route", route),
			    "<sip:192.0.2.7;lr>");
}

/* ---- calling ----------------------------------------------------------------------- */

static void a_calling_side_is_established_by_the_answer(void **state)
{
	struct rig *rig = *state;
	char to[512], id[512];

	call_out(rig, "Contact: <sip:peer@10.9.8.7:5062>\r\n");
	assert_memory_equal(rig->msg, "ACK sip:peer@10.9.8.7:5062 ", 27);
	assert_non_null(strstr(rig_header(rig, "To", to), "tag=remote"));
	assert_string_equal(rig_header(rig, "Call-ID", id),
			    sip_dialog_call_id(rig->dialog));
	assert_int_equal(strlen(id), 24);
}

static void its_requests_count_on(void **state)
{
	struct rig *rig = *state;
	char cseq[512];
	unsigned first, second;

	call_out(rig, "Contact: <sip:peer@10.9.8.7:5062>\r\n");
	first = (unsigned)atoi(rig_header(rig, "CSeq", cseq));
	assert_int_equal(send_request(rig, SIP_INFO), 0);
	assert_true(rig_recv(rig));
	second = (unsigned)atoi(rig_header(rig, "CSeq", cseq));
	assert_int_equal(second, first + 1);
}

static void the_peer_ends_it(void **state)
{
	struct rig *rig = *state;
	char from[512], tag[512], id[512];

	call_out(rig, "Contact: <sip:peer@10.9.8.7:5062>\r\n");
	rig_param(rig_header(rig, "From", from), ";tag=", tag);
	rig_header(rig, "Call-ID", id);
	rig_send(rig,
		 "BYE sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP "
		 "127.0.0.1:%u;branch=z9hG4bKbye\r\n"
		 "From: <sip:peer@h>;tag=remote\r\nTo: <sip:a@h>;tag=%s\r\n"
		 "Call-ID: %s\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
		 rig_port(rig), tag, id);
	assert_int_equal(rig_status(rig), 200);
	assert_int_equal(rig->in_dialog, 1);
}

static void a_new_contact_moves_the_target(void **state)
{
	struct rig *rig = *state;

	call_out(rig, "Contact: <sip:peer@10.9.8.7:5062>\r\n");
	assert_int_equal(send_request(rig, SIP_OPTIONS), 0);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "OPTIONS sip:peer@10.9.8.7:5062 ", 31);
}

static void retarget_in_answer(void *arg, struct sip_txn *txn,
			       const struct sip_view *view)
{
	struct rig *rig = arg;

	sip_dialog_retarget(rig->dialog, view);
}

static void a_refresh_moves_the_target(void **state)
{
	struct rig *rig = *state;
	const struct sip_message m = {.method = SIP_OPTIONS};

	call_out(rig, "Contact: <sip:peer@10.9.8.7:5062>\r\n");
	assert_int_equal(sip_dialog_request(rig->dialog, NULL, &m,
					    retarget_in_answer, rig),
			 0);
	assert_true(rig_recv(rig));
	rig_answer(rig, 200, NULL, "Contact: <sip:peer@10.9.8.8>\r\n");
	assert_int_equal(send_request(rig, SIP_BYE), 0);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "BYE sip:peer@10.9.8.8 ", 22);
}

static void it_moves_to_another_flow(void **state)
{
	struct rig *rig = *state;
	struct sip_flow flow;
	struct addr other;
	char bytes[2048];
	int fd = rig_socket(&other, SOCK_DGRAM);

	call_out(rig, "Contact: <sip:peer@10.9.8.7:5062>\r\n");
	flow = *sip_dialog_flow(rig->dialog);
	flow.remote = other;
	sip_dialog_move(rig->dialog, &flow);
	assert_true(sip_flow_equal(sip_dialog_flow(rig->dialog), &flow));
	assert_int_equal(send_request(rig, SIP_BYE), 0);
	assert_false(rig_recv(rig));
	assert_true(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0);
	assert_memory_equal(bytes, "BYE ", 4);
	close(fd);
}

/* ---- what a peer wrote does not break out -------------------------------------------- */

static void names_are_escaped(void **state)
{
	struct rig *rig = *state;
	struct sip_dialog_conf conf = *call_conf(rig);
	char from[512];

	conf.local_user = "a b@c>;tag=1";
	conf.local_display = "O\"Brien\\";
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
	assert_int_equal(send_request(rig, SIP_OPTIONS), 0);
	assert_true(rig_recv(rig));
	rig_header(rig, "From", from);
	assert_memory_equal(from,
			    "\"O\\\"Brien\\\\\" "
			    "<sip:a%20b%40c%3E;tag=1@127.0.0.1>;tag=",
			    50);
}

static void no_user_is_anonymous(void **state)
{
	struct rig *rig = *state;
	struct sip_dialog_conf conf = *call_conf(rig);
	char from[512];

	conf.local_user = NULL;
	conf.local_display = "secret";
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
	assert_int_equal(send_request(rig, SIP_OPTIONS), 0);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig_header(rig, "From", from),
			    "\"Anonymous\" <sip:anonymous@anonymous.invalid>",
			    45);
	assert_null(strstr(rig->msg, "secret"));
}

static void bad_addresses_are_refused(void **state)
{
	struct rig *rig = *state;
	const struct sip_dialog_conf good = *call_conf(rig);
	struct sip_dialog_conf conf = good;

	conf.local_display = "a\r\nVia: x";
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf),
			 -EINVAL);
	conf = good;
	conf.local_host = "h>;x";
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf),
			 -EINVAL);
	conf = good;
	conf.target = "sip:a@h\r\nX: y";
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf),
			 -EINVAL);
	conf.target = "tel:+49";
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf),
			 -EINVAL);
	conf.target = NULL;
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf),
			 -EINVAL);
	assert_null(rig->dialog);
}

static void headers_in_a_target_do_not_become_headers(void **state)
{
	struct rig *rig = *state;
	struct sip_dialog_conf conf = *call_conf(rig);

	conf.target = "sip:a@h?Subject=evil&Route=%3Csip:x%3E";
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
	assert_int_equal(send_request(rig, SIP_OPTIONS), 0);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "OPTIONS sip:a@h SIP/2.0\r\n", 25);
	assert_null(strstr(rig->msg, "evil"));
	assert_null(strstr(rig->msg, "Route"));
}

static void a_dialog_on_a_flow_that_is_down_may_still_end(void **state)
{
	struct rig *rig = *state;

	call_out(rig, "Contact: <sip:peer@10.9.8.7:5062>\r\n");
	sip_listener_down(rig->sip, SIP_UDP, &rig->local);
	assert_int_equal(send_request(rig, SIP_BYE), 0);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "BYE ", 4);
}

/* ---- over a connection ------------------------------------------------------------------ */

static void a_connection_is_opened_and_taken_again(void **state)
{
	struct rig *rig = *state;
	struct sip_dialog_conf conf = *call_conf(rig);
	struct addr to;
	char bytes[4096];
	int listener = rig_socket(&to, SOCK_STREAM), fd;
	ssize_t n;

	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(sip_flow_to(rig->sip, "lan", SIP_TCP, &to, &conf.flow),
			 0);
	assert_int_equal(conf.flow.conn, 0);
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
	assert_int_equal(send_request(rig, SIP_OPTIONS), 0);
	rig_turn(rig);
	assert_true(sip_dialog_flow(rig->dialog)->conn != 0);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	n = recv(fd, bytes, sizeof(bytes), 0);
	assert_true(n > 0);
	assert_memory_equal(bytes, "OPTIONS ", 8);
	assert_int_equal(send_request(rig, SIP_INFO), 0);
	rig_turn(rig);
	n = recv(fd, bytes, sizeof(bytes), 0);
	assert_true(n > 0);
	assert_memory_equal(bytes, "INFO ", 5);
	close(fd);
	rig_turn(rig);
	assert_false(sip_flow_alive(rig->sip, sip_dialog_flow(rig->dialog)));
	assert_int_equal(send_request(rig, SIP_INFO), -ENOTCONN);
	close(listener);
}

static void keep_flow(struct rig *rig, struct sip_request *req)
{
	rig->last_flow = sip_request_view(req)->flow;
	rig_default_handler(rig, req);
}

/* A phone behind NAT: nobody could connect to its Contact. */
static void a_phone_is_called_over_its_own_connection(void **state)
{
	struct rig *rig = *state;
	struct sip_dialog_conf conf = *call_conf(rig);
	const struct sip_message m = {.method = SIP_INVITE, .contact = true};
	struct addr me;
	int fd = rig_socket(&me, SOCK_STREAM);
	ssize_t n;

	rig->handle = keep_flow;
	assert_int_equal(connect(fd, &rig->local.sa, addr_len(&rig->local)), 0);
	n = write(fd, rig->msg,
		  (size_t)snprintf(rig->msg, sizeof(rig->msg),
				   "REGISTER sip:h SIP/2.0\r\nVia: "
				   "SIP/2.0/TCP 10.0.0.5;branch=z9hG4bK1\r\n"
				   "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>"
				   "\r\nCall-ID: t1\r\nCSeq: 1 REGISTER\r\n"
				   "Contact: <sip:a@10.0.0.5>\r\n"
				   "Content-Length: 0\r\n\r\n"));
	assert_true(n > 0);
	rig_turn(rig);
	assert_true(recv(fd, rig->msg, sizeof(rig->msg), MSG_DONTWAIT) > 0);
	conf.flow = rig->last_flow;
	conf.target = "sip:a@10.0.0.5";
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
	assert_int_equal(
		sip_dialog_request(rig->dialog, &rig->txn, &m, on_answer, rig),
		0);
	rig_turn(rig);
	n = recv(fd, rig->msg, sizeof(rig->msg) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	rig->msg[n] = '\0';
	assert_memory_equal(rig->msg, "INVITE sip:a@10.0.0.5 ", 22);
	assert_non_null(strstr(rig->msg, "Via: SIP/2.0/TCP 127.0.0.1:"));
	assert_non_null(strstr(rig->msg, ";transport=tcp>"));
	/* It hangs up the line: told at once, not after 32 s. */
	close(fd);
	rig_turn(rig);
	assert_int_equal(rig->last_status, 430);
	assert_true(rig->last_internal);
	assert_true(sip_flow_equal(&rig->last_flow, &conf.flow));
	assert_false(sip_flow_alive(rig->sip, &conf.flow));
	assert_int_equal(sip_client_txns(rig->sip), 0);
	/* And from now on before anything is sent. */
	assert_int_equal(send_request(rig, SIP_INFO), -ENOTCONN);
}

static void a_refused_connection_is_503(void **state)
{
	struct rig *rig = *state;
	struct sip_dialog_conf conf = *call_conf(rig);
	struct addr to;
	int fd = rig_socket(&to, SOCK_STREAM);

	close(fd);
	assert_int_equal(sip_flow_to(rig->sip, "lan", SIP_TCP, &to, &conf.flow),
			 0);
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
	assert_int_equal(send_request(rig, SIP_OPTIONS), 0);
	rig_advance(rig, 200);
	assert_int_equal(rig->last_status, 503);
}

/* A trunk's: anybody may connect to it again. */
static void a_connection_of_ours_that_closes_is_503(void **state)
{
	struct rig *rig = *state;
	struct sip_dialog_conf conf = *call_conf(rig);
	struct addr to;
	int listener = rig_socket(&to, SOCK_STREAM), fd;

	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(sip_flow_to(rig->sip, "lan", SIP_TCP, &to, &conf.flow),
			 0);
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
	assert_int_equal(send_request(rig, SIP_OPTIONS), 0);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	rig_turn(rig);
	close(fd);
	close(listener);
	rig_advance(rig, 200);
	assert_int_equal(rig->last_status, 503);
}

/* ICMP says so; nobody else's request suffers. */
static void a_port_where_nobody_listens_is_503_at_once(void **state)
{
	struct rig *rig = *state;
	struct sip_dialog_conf conf = *call_conf(rig);
	struct sip_dialog *dead;
	struct sip_txn *txn = NULL;
	const struct sip_message m = {.method = SIP_INVITE, .contact = true};
	struct addr gone;

	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
	assert_int_equal(
		sip_dialog_request(rig->dialog, &rig->txn, &m, on_answer, rig),
		0);
	close(rig_socket(&gone, SOCK_DGRAM));
	assert_int_equal(
		sip_flow_to(rig->sip, "lan", SIP_UDP, &gone, &conf.flow), 0);
	assert_int_equal(sip_dialog_call(&dead, rig->sip, &conf), 0);
	assert_int_equal(sip_dialog_request(dead, &txn, &m, on_answer, rig), 0);
	rig_advance(rig, 100);
	assert_int_equal(rig->answers, 1);
	assert_int_equal(rig->last_status, 503);
	assert_true(rig->last_internal);
	assert_true(addr_equal(&rig->last_flow.remote, &gone));
	assert_int_equal(sip_client_txns(rig->sip), 1);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "INVITE ", 7);
	rig_answer(rig, 486, "t", "");
	assert_int_equal(rig->answers, 2);
	assert_int_equal(rig->last_status, 486);
	sip_txn_release(txn);
	sip_dialog_destroy(dead);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_called_side_takes_requests_by_its_tag),
		TEST(another_tag_is_another_dialog),
		TEST(a_request_without_our_tag_is_not_of_the_dialog),
		TEST(an_old_cseq_is_refused),
		TEST(a_cseq_from_elsewhere_is_heard_but_does_not_count),
		TEST(a_dialog_that_is_gone_knows_nothing),
		TEST(the_called_side_sends_requests_too),
		TEST(a_record_route_becomes_the_route),
		TEST(a_calling_side_is_established_by_the_answer),
		TEST(its_requests_count_on),
		TEST(the_peer_ends_it),
		TEST(a_new_contact_moves_the_target),
		TEST(a_refresh_moves_the_target),
		TEST(it_moves_to_another_flow),
		TEST(names_are_escaped),
		TEST(no_user_is_anonymous),
		TEST(bad_addresses_are_refused),
		TEST(headers_in_a_target_do_not_become_headers),
		TEST(a_dialog_on_a_flow_that_is_down_may_still_end),
		TEST(a_connection_is_opened_and_taken_again),
		TEST(a_phone_is_called_over_its_own_connection),
		TEST(a_refused_connection_is_503),
		TEST(a_connection_of_ours_that_closes_is_503),
		TEST(a_port_where_nobody_listens_is_503_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
