/*
 * test_subscribe.c - dialogs that a SUBSCRIBE makes, on either side, and the
 * NOTIFYs in them (RFC 6665)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define RIG_METHODS (1u << SIP_SUBSCRIBE | 1u << SIP_NOTIFY)
#include "sip_rig.h"

static struct sip_dialog *forks[4];
static unsigned n_forks;
static bool make_forks;
static char from_tag[64], event[64];

static int begin(void **state)
{
	n_forks = 0;
	make_forks = true;
	return rig_setup(state);
}

static int end(void **state)
{
	while (n_forks)
		sip_dialog_destroy(forks[--n_forks]);
	return rig_teardown(state);
}

static void in_dialog(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	const struct sip_message ok = {.status = 200};
	const char *name = sip_view_header(view, "Event", 0);
	struct rig *rig = arg;

	rig->in_dialog++;
	snprintf(rig->last_method, sizeof(rig->last_method), "%s",
		 view->method_name);
	snprintf(from_tag, sizeof(from_tag), "%s", view->from_tag);
	snprintf(event, sizeof(event), "%s", name ? name : "");
	/* The NOTIFY that comes first makes the dialog. */
	if (view->method == SIP_NOTIFY)
		sip_dialog_establish(rig->dialog, view);
	sip_dialog_retarget(rig->dialog, view);
	sip_txn_answer(txn, &ok);
	sip_txn_release(txn);
}

static void in_fork(void *arg, struct sip_txn *txn, const struct sip_view *view)
{
	const struct sip_message ok = {.status = 202};
	struct rig *rig = arg;

	rig->acks++; /* counts what forks got */
	sip_txn_answer(txn, &ok);
	sip_txn_release(txn);
}

static void forked(void *arg, struct sip_txn *txn, const struct sip_view *view)
{
	const struct sip_message ok = {.status = 200}, no = {.status = 481};
	struct rig *rig = arg;
	struct sip_dialog_conf conf = {
		.flow = view->flow, .request = in_fork, .arg = rig};

	if (make_forks)
		assert_int_equal(sip_dialog_fork(&forks[n_forks++], rig->dialog,
						 txn, &conf),
				 0);
	sip_txn_answer(txn, make_forks ? &ok : &no);
	sip_txn_release(txn);
}

static void on_answer(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct rig *rig = arg;

	rig->answers++;
	rig->last_status = view->status;
	if (view->status >= 200 && view->status < 300)
		sip_dialog_establish(rig->dialog, view);
	if (view->status >= 200)
		sip_txn_release(txn);
}

/* ---- we subscribe ------------------------------------------------------------------------ */

struct peer_dialog {
	char call_id[512], tag[512]; /* our tag */
	unsigned cseq;               /* of our last request */
};

static int request(struct rig *rig, struct sip_dialog *d,
		   enum sip_method method)
{
	const struct sip_header expires = {"Expires", "600"};
	const struct sip_message m = {.method = method,
				      .contact = true,
				      .headers = &expires,
				      .n_headers = 1};

	return sip_dialog_request(d, NULL, &m, on_answer, rig);
}

static void note_request(struct rig *rig, struct peer_dialog *p)
{
	char text[512];

	rig_header(rig, "Call-ID", p->call_id);
	rig_param(rig_header(rig, "From", text), ";tag=", p->tag);
	p->cseq = (unsigned)atoi(rig_header(rig, "CSeq", text));
}

/* Our SUBSCRIBE is with the peer, who has not answered. */
static void subscribe(struct rig *rig, struct peer_dialog *p, bool may_fork)
{
	struct sip_dialog_conf conf = {.target = "sip:bob@pbx.example.org",
				       .local_user = "101",
				       .remote_user = "bob",
				       .request = in_dialog,
				       .forked = may_fork ? forked : NULL,
				       .arg = rig};

	assert_int_equal(
		sip_flow_to(rig->sip, "lan", SIP_UDP, &rig->peer, &conf.flow),
		0);
	assert_int_equal(sip_dialog_call(&rig->dialog, rig->sip, &conf), 0);
	assert_int_equal(request(rig, rig->dialog, SIP_SUBSCRIBE), 0);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "SUBSCRIBE sip:bob@pbx.example.org ", 34);
	note_request(rig, p);
}

/* The notifier with @tag sends NOTIFY @cseq; the status of our answer.  The
 * SUBSCRIBE stays in rig->msg. */
static int notify(struct rig *rig, const struct peer_dialog *p, const char *tag,
		  unsigned cseq, const char *more)
{
	static unsigned branch;
	char request[2048];
	int status;

	snprintf(request, sizeof(request), "%.2000s", rig->msg);
	rig_send(rig,
		 "NOTIFY sip:101@127.0.0.1 SIP/2.0\r\n"
		 "Via: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKn%u\r\n"
		 "From: <sip:bob@pbx.example.org>;tag=%s\r\n"
		 "To: <sip:101@h>;tag=%s\r\nCall-ID: %s\r\n"
		 "CSeq: %u NOTIFY\r\nEvent: presence\r\n%s"
		 "Content-Length: 0\r\n\r\n",
		 rig_port(rig), branch++, tag, p->tag, p->call_id, cseq, more);
	status = rig_status(rig);
	memcpy(rig->msg, request, sizeof(request));
	return status;
}

#define CONTACT(host) "Contact: <sip:n@" host ">\r\n"

static void a_notify_comes_in_after_the_answer(void **state)
{
	struct rig *rig = *state;
	struct peer_dialog p;

	subscribe(rig, &p, false);
	rig_answer(rig, 200, "n1", "Expires: 600\r\n" CONTACT("192.0.2.9"));
	assert_int_equal(rig->last_status, 200);
	assert_int_equal(notify(rig, &p, "n1", 5, CONTACT("192.0.2.9")), 200);
	assert_int_equal(rig->in_dialog, 1);
	assert_string_equal(rig->last_method, "NOTIFY");
	assert_string_equal(event, "presence");
}

static void a_notify_that_comes_first_makes_the_dialog(void **state)
{
	struct rig *rig = *state;
	struct peer_dialog p;
	char text[512];

	subscribe(rig, &p, false);
	assert_int_equal(
		notify(rig, &p, "n1", 5,
		       "Record-Route: <sip:r1;lr>, <sip:r2;lr>\r\n" CONTACT(
			       "192.0.2.9")),
		200);
	rig_answer(rig, 200, "n1", CONTACT("192.0.2.9"));
	assert_int_equal(request(rig, rig->dialog, SIP_SUBSCRIBE), 0);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "SUBSCRIBE sip:n@192.0.2.9 ", 26);
	assert_non_null(
		strstr(rig_header(rig, "To", text), "bob@pbx.example.org>;"));
	assert_non_null(strstr(text, "tag=n1"));
	/* The NOTIFY's callee is the route set's nearer end. */
	assert_non_null(strstr(rig_header(rig, "Route", text), "sip:r1;lr"));
	assert_int_equal(atoi(rig_header(rig, "CSeq", text)), (int)p.cseq + 1);
}

static void without_an_answer_to_subscribe_notifies_still_count(void **state)
{
	struct rig *rig = *state;
	struct peer_dialog p;

	subscribe(rig, &p, false);
	assert_int_equal(notify(rig, &p, "n1", 5, CONTACT("192.0.2.9")), 200);
	rig_advance(rig, 33000);
	assert_int_equal(rig->last_status, 408);
	while (rig_recv(rig))
		; /* our SUBSCRIBE again and again */
	assert_int_equal(notify(rig, &p, "n1", 6, CONTACT("192.0.2.9")), 200);
	assert_int_equal(rig->in_dialog, 2);
}

static void an_old_notify_is_500(void **state)
{
	struct rig *rig = *state;
	struct peer_dialog p;

	subscribe(rig, &p, true);
	rig_answer(rig, 200, "n1", CONTACT("192.0.2.9"));
	assert_int_equal(notify(rig, &p, "n1", 50, CONTACT("192.0.2.9")), 200);
	assert_int_equal(notify(rig, &p, "n1", 49, CONTACT("192.0.2.9")), 500);
	assert_int_equal(rig->in_dialog, 1);
}

static void a_notify_moves_the_target(void **state)
{
	struct rig *rig = *state;
	struct peer_dialog p;

	subscribe(rig, &p, false);
	rig_answer(rig, 200, "n1", CONTACT("192.0.2.9"));
	notify(rig, &p, "n1", 5, CONTACT("192.0.2.10"));
	notify(rig, &p, "n1", 6, ""); /* no Contact: it stays */
	assert_int_equal(request(rig, rig->dialog, SIP_SUBSCRIBE), 0);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "SUBSCRIBE sip:n@192.0.2.10 ", 27);
}

static void a_notify_of_no_dialog_is_481(void **state)
{
	struct rig *rig = *state;
	struct peer_dialog p, other;

	subscribe(rig, &p, true);
	other = p;
	strcpy(other.tag, "guess");
	assert_int_equal(notify(rig, &other, "n1", 5, ""), 481);
	other = p;
	strcpy(other.call_id, "guess");
	assert_int_equal(notify(rig, &other, "n1", 5, ""), 481);
	assert_int_equal(n_forks, 0);
	sip_dialog_destroy(rig->dialog);
	rig->dialog = NULL;
	assert_int_equal(notify(rig, &p, "n1", 5, ""), 481);
}

/* The library would take it for any, but does not read it. */
static void an_empty_tag_is_no_tag(void **state)
{
	struct rig *rig = *state;
	struct peer_dialog p;

	subscribe(rig, &p, true);
	assert_int_equal(notify(rig, &p, "", 5, ""), 400);
	p.tag[0] = '\0';
	assert_int_equal(notify(rig, &p, "n1", 5, ""), 400);
	assert_int_equal(rig->in_dialog, 0);
}

/* ---- the SUBSCRIBE was forked ----------------------------------------------------------------- */

static void another_notifier_makes_another_dialog(void **state)
{
	struct rig *rig = *state;
	struct peer_dialog p;
	char text[512];

	subscribe(rig, &p, true);
	rig_answer(rig, 401, "n1", "");
	assert_int_equal(request(rig, rig->dialog, SIP_SUBSCRIBE), 0);
	assert_true(rig_recv(rig));
	note_request(rig, &p);
	rig_answer(rig, 200, "n1", CONTACT("192.0.2.9"));
	assert_int_equal(notify(rig, &p, "n1", 5, CONTACT("192.0.2.9")), 200);
	assert_int_equal(notify(rig, &p, "n2", 2, CONTACT("192.0.2.8")), 200);
	assert_int_equal(n_forks, 1);
	assert_int_equal(rig->in_dialog, 1);
	/* From now on each has its own. */
	assert_int_equal(notify(rig, &p, "n2", 3, CONTACT("192.0.2.8")), 202);
	assert_int_equal(notify(rig, &p, "n2", 2, CONTACT("192.0.2.8")), 500);
	assert_int_equal(notify(rig, &p, "n1", 6, CONTACT("192.0.2.9")), 200);
	assert_int_equal(rig->acks, 1);
	assert_int_equal(rig->in_dialog, 2);
	/* We speak in it as in the first. */
	assert_int_equal(request(rig, forks[0], SIP_SUBSCRIBE), 0);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "SUBSCRIBE sip:n@192.0.2.8 ", 26);
	assert_string_equal(rig_header(rig, "Call-ID", text), p.call_id);
	assert_non_null(strstr(rig_header(rig, "From", text), p.tag));
	assert_non_null(strstr(text, "sip:101@"));
	assert_non_null(strstr(rig_header(rig, "To", text), "tag=n2"));
	assert_int_equal(atoi(rig_header(rig, "CSeq", text)), (int)p.cseq + 1);
	assert_non_null(strstr(rig_header(rig, "Contact", text), "sip:101@"));
	assert_string_equal(sip_dialog_call_id(forks[0]), p.call_id);
}

static void the_answer_of_another_fork_changes_nothing(void **state)
{
	struct rig *rig = *state;
	struct peer_dialog p;
	char text[512];

	subscribe(rig, &p, true);
	assert_int_equal(notify(rig, &p, "n1", 5, CONTACT("192.0.2.9")), 200);
	rig_answer(rig, 200, "n2", CONTACT("192.0.2.8"));
	assert_int_equal(notify(rig, &p, "n2", 1, CONTACT("192.0.2.8")), 200);
	assert_int_equal(n_forks, 1);
	assert_int_equal(request(rig, rig->dialog, SIP_SUBSCRIBE), 0);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "SUBSCRIBE sip:n@192.0.2.9 ", 26);
	assert_non_null(strstr(rig_header(rig, "To", text), "tag=n1"));
}

static void nobody_need_take_forks(void **state)
{
	struct rig *rig = *state;
	struct peer_dialog p;

	subscribe(rig, &p, false);
	rig_answer(rig, 200, "n1", CONTACT("192.0.2.9"));
	assert_int_equal(notify(rig, &p, "n2", 2, CONTACT("192.0.2.8")), 481);
	assert_int_equal(rig->in_dialog, 0);
}

static void a_fork_may_be_refused(void **state)
{
	struct rig *rig = *state;
	struct peer_dialog p;

	make_forks = false;
	subscribe(rig, &p, true);
	rig_answer(rig, 200, "n1", CONTACT("192.0.2.9"));
	assert_int_equal(notify(rig, &p, "n2", 2, ""), 481);
	assert_int_equal(notify(rig, &p, "n1", 2, ""), 200);
}

static void a_fork_outlives_the_first_dialog(void **state)
{
	struct rig *rig = *state;
	struct peer_dialog p;

	subscribe(rig, &p, true);
	rig_answer(rig, 200, "n1", CONTACT("192.0.2.9"));
	notify(rig, &p, "n2", 2, CONTACT("192.0.2.8"));
	sip_dialog_destroy(rig->dialog);
	rig->dialog = NULL;
	assert_int_equal(notify(rig, &p, "n1", 6, ""), 481);
	assert_int_equal(notify(rig, &p, "n2", 3, ""), 202);
	assert_int_equal(notify(rig, &p, "n3", 3, ""), 481);
}

static void only_a_notify_forks(void **state)
{
	struct rig *rig = *state;
	struct peer_dialog p;
	char to[600];

	subscribe(rig, &p, true);
	rig_answer(rig, 200, "n1", CONTACT("192.0.2.9"));
	snprintf(to, sizeof(to), "%.500s", p.tag);
	rig_request_send(rig, "BYE", "b1", p.call_id, 5, to, "");
	assert_int_equal(rig_status(rig), 481);
	rig_request_send(rig, "SUBSCRIBE", "s1", p.call_id, 5, to, "");
	assert_int_equal(rig_status(rig), 481);
	assert_int_equal(n_forks, 0);
}

/* ---- the peer subscribes ------------------------------------------------------------------------ */

static void take_subscribe(struct rig *rig, struct sip_request *req)
{
	const struct sip_header expires = {"Expires", "60"};
	const struct sip_message ok = {.status = 200,
				       .contact = true,
				       .headers = &expires,
				       .n_headers = 1};
	struct sip_dialog_conf conf = {.request = in_dialog, .arg = rig};
	struct sip_txn *txn;

	assert_int_equal(sip_request_accept(req, &txn, NULL, NULL), 0);
	conf.flow = sip_txn_view(txn)->flow;
	rig->last_status = sip_dialog_answer(&rig->dialog, txn, &conf);
	if (!rig->last_status)
		assert_int_equal(sip_txn_answer(txn, &ok), 0);
	sip_txn_release(txn);
}

/* The peer's SUBSCRIBE stands; @tag is our tag. */
static void be_subscribed(struct rig *rig, char tag[512])
{
	char lines[256], contact[128], text[512];

	rig->handle = take_subscribe;
	snprintf(lines, sizeof(lines), "%sEvent: presence\r\nExpires: 60\r\n",
		 rig_contact(rig, contact));
	rig_request_send(rig, "SUBSCRIBE", "s1", "sub-1", 10, NULL, lines);
	assert_int_equal(rig_status(rig), 200);
	assert_non_null(rig_param(rig_header(rig, "To", text), ";tag=", tag));
	assert_string_equal(rig_header(rig, "Expires", text), "60");
	assert_non_null(rig_header(rig, "Contact", text));
}

static void a_subscriber_is_notified(void **state)
{
	struct rig *rig = *state;
	char tag[512], text[512], start[64];

	be_subscribed(rig, tag);
	assert_int_equal(request(rig, rig->dialog, SIP_NOTIFY), 0);
	assert_true(rig_recv(rig));
	snprintf(start, sizeof(start), "NOTIFY sip:peer@127.0.0.1:%u ",
		 rig_port(rig));
	assert_memory_equal(rig->msg, start, strlen(start));
	assert_string_equal(rig_header(rig, "Call-ID", text), "sub-1");
	assert_non_null(strstr(rig_header(rig, "From", text), tag));
	assert_non_null(strstr(rig_header(rig, "To", text), "tag=peer"));
	rig_answer(rig, 481, NULL, "");
	assert_int_equal(rig->last_status, 481);
}

static void a_twin_has_a_tag_of_its_own(void **state)
{
	struct rig *rig = *state;
	struct sip_dialog *first, *twin;
	char tag[512], other[512], text[512], start[64];
	struct sip_dialog_conf conf = {.request = in_fork, .arg = rig};

	be_subscribed(rig, tag);
	first = rig->dialog;
	conf.flow = *sip_dialog_flow(first);
	assert_int_equal(sip_dialog_twin(&twin, first, &conf), 0);
	forks[n_forks++] = twin;
	assert_string_equal(sip_dialog_call_id(twin), "sub-1");
	assert_int_equal(request(rig, twin, SIP_NOTIFY), 0);
	assert_true(rig_recv(rig));
	snprintf(start, sizeof(start), "NOTIFY sip:peer@127.0.0.1:%u ",
		 rig_port(rig));
	assert_memory_equal(rig->msg, start, strlen(start));
	assert_non_null(strstr(rig_header(rig, "To", text), "tag=peer"));
	assert_non_null(
		rig_param(rig_header(rig, "From", text), ";tag=", other));
	assert_string_not_equal(other, tag);
	rig_answer(rig, 200, NULL, "");
	/* each takes what is its own */
	rig_request_send(rig, "SUBSCRIBE", "s2", "sub-1", 11, other, "");
	assert_int_equal(rig_status(rig), 202);
	assert_int_equal(rig->in_dialog, 0);
	rig_request_send(rig, "SUBSCRIBE", "s3", "sub-1", 12, tag, "");
	assert_int_equal(rig_status(rig), 200);
	assert_int_equal(rig->in_dialog, 1);
	/* a twin, and who has called, has none */
	assert_int_equal(sip_dialog_twin(&first, twin, &conf), -EINVAL);
}

static void a_subscriber_refreshes(void **state)
{
	struct rig *rig = *state;
	char tag[512];

	be_subscribed(rig, tag);
	rig_request_send(rig, "SUBSCRIBE", "s2", "sub-1", 11, tag,
			 "Contact: <sip:moved@192.0.2.7>\r\n"
			 "Event: presence\r\n");
	assert_int_equal(rig_status(rig), 200);
	assert_int_equal(rig->in_dialog, 1);
	assert_string_equal(rig->last_method, "SUBSCRIBE");
	assert_int_equal(request(rig, rig->dialog, SIP_NOTIFY), 0);
	assert_true(rig_recv(rig));
	assert_memory_equal(rig->msg, "NOTIFY sip:moved@192.0.2.7 ", 27);
	rig_request_send(rig, "SUBSCRIBE", "s3", "sub-1", 10, tag, "");
	assert_int_equal(rig_status(rig), 500); /* old */
}

static void a_subscribe_sent_again_is_answered_again(void **state)
{
	struct rig *rig = *state;
	char tag[512], again[512], text[512], lines[256], contact[128];

	be_subscribed(rig, tag);
	snprintf(lines, sizeof(lines), "%sEvent: presence\r\nExpires: 60\r\n",
		 rig_contact(rig, contact));
	rig_request_send(rig, "SUBSCRIBE", "s1", "sub-1", 10, NULL, lines);
	assert_int_equal(rig_status(rig), 200);
	assert_int_equal(rig->requests, 1);
	rig_param(rig_header(rig, "To", text), ";tag=", again);
	assert_string_equal(again, tag);
}

static void a_subscribe_without_contact_makes_no_dialog(void **state)
{
	struct rig *rig = *state;

	rig->handle = take_subscribe;
	rig_request_send(rig, "SUBSCRIBE", "s1", "sub-1", 10, NULL, "");
	assert_int_equal(rig->last_status, -EINVAL);
	assert_int_equal(rig_status(rig), 500); /* let go unanswered */
	rig_request_send(rig, "SUBSCRIBE", "s2", "sub-1", 11, NULL,
			 "Contact: <tel:+4930>\r\n");
	assert_int_equal(rig->last_status, -EINVAL);
}

static void a_message_makes_no_dialog(void **state)
{
	struct rig *rig = *state;

	rig->handle = take_subscribe;
	rig_request_send(rig, "OPTIONS", "o1", "o-1", 10, NULL,
			 "Contact: <sip:a@h>\r\n");
	assert_int_equal(rig->last_status, -EINVAL);
}

/* Upstream's proxy may send the same SUBSCRIBE to two phones behind us. */
static void both_branches_make_a_dialog_each(void **state)
{
	struct rig *rig = *state;
	char one[512], two[512], text[512], contact[128];

	rig->handle = take_subscribe;
	rig_contact(rig, contact);
	rig_request_send(rig, "SUBSCRIBE", "s1", "sub-1", 10, NULL, contact);
	assert_int_equal(rig_status(rig), 200);
	rig_param(rig_header(rig, "To", text), ";tag=", one);
	forks[n_forks++] = rig->dialog;
	rig_request_send(rig, "SUBSCRIBE", "s2", "sub-1", 10, NULL, contact);
	assert_int_equal(rig_status(rig), 200);
	rig_param(rig_header(rig, "To", text), ";tag=", two);
	assert_string_not_equal(one, two);
	rig_request_send(rig, "SUBSCRIBE", "s3", "sub-1", 11, one, contact);
	assert_int_equal(rig_status(rig), 200);
	rig_request_send(rig, "SUBSCRIBE", "s4", "sub-1", 11, two, contact);
	assert_int_equal(rig_status(rig), 200);
	assert_int_equal(rig->in_dialog, 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_notify_comes_in_after_the_answer),
		TEST(a_notify_that_comes_first_makes_the_dialog),
		TEST(without_an_answer_to_subscribe_notifies_still_count),
		TEST(an_old_notify_is_500),
		TEST(a_notify_moves_the_target),
		TEST(a_notify_of_no_dialog_is_481),
		TEST(an_empty_tag_is_no_tag),
		TEST(another_notifier_makes_another_dialog),
		TEST(the_answer_of_another_fork_changes_nothing),
		TEST(nobody_need_take_forks),
		TEST(a_fork_may_be_refused),
		TEST(a_fork_outlives_the_first_dialog),
		TEST(only_a_notify_forks),
		TEST(a_subscriber_is_notified),
		TEST(a_twin_has_a_tag_of_its_own),
		TEST(a_subscriber_refreshes),
		TEST(a_subscribe_sent_again_is_answered_again),
		TEST(a_subscribe_without_contact_makes_no_dialog),
		TEST(a_message_makes_no_dialog),
		TEST(both_branches_make_a_dialog_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
