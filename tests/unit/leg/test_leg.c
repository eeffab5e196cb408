/*
 * test_leg.c - one leg by itself: every event in every state, ports and
 * m-lines of offers and answers
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Real: SDP, the leg.  Faked: the SIP stack, the ports, the call.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../fake_media.h"
#include "../fake_nat.h"
#include "../fake_sip.h"
#include "leg/leg_priv.h"

#define HEAD                                                                   \
	"v=0\r\no=x 1 1 IN IP4 192.168.1.8\r\ns=-\r\n"                         \
	"c=IN IP4 192.168.1.7\r\nt=0 0\r\n"
#define AUDIO       "m=audio 4000 RTP/AVP 8\r\n"
#define MOVED_AUDIO "m=audio 4008 RTP/AVP 8\r\n"
#define VIDEO       "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
#define NO_AUDIO    "m=audio 0 RTP/AVP 8\r\n"
#define NO_VIDEO    "m=video 0 RTP/AVP 96\r\n"

struct rig {
	struct loop *loop;
	struct config *config;
	struct leg_conf conf;
	struct sip_flow flow;
	struct leg *leg;
	struct sdp *sdp[64]; /* read by describe(), freed at the end */
	unsigned n_sdp;
	struct {
		unsigned progress, answered, acked, change, changed, ended;
		unsigned dead, cancelled, adrift;
		int status;
		const char *cause;
	} told;
};

/* ---- the call, faked ----------------------------------------------------------- */

static void progress(void *arg, struct leg *leg, int status,
		     const struct sdp *sdp)
{
	((struct rig *)arg)->told.progress++;
}

static void answered(void *arg, struct leg *leg, const struct sdp *sdp)
{
	((struct rig *)arg)->told.answered++;
}

static void acked(void *arg, struct leg *leg, const struct sdp *sdp)
{
	((struct rig *)arg)->told.acked++;
}

static void change(void *arg, struct leg *leg, const struct sdp *offer)
{
	((struct rig *)arg)->told.change++;
}

static void change_cancelled(void *arg, struct leg *leg)
{
	((struct rig *)arg)->told.cancelled++;
}

static void changed(void *arg, struct leg *leg, int status,
		    const struct sdp *sdp)
{
	struct rig *rig = arg;

	rig->told.changed++;
	rig->told.status = status;
}

static void info(void *arg, struct leg *leg, const struct sip_view *view)
{
}

static void info_answered(void *arg, struct leg *leg, int status)
{
}

static void ended(void *arg, struct leg *leg, int status, const char *cause)
{
	struct rig *rig = arg;

	rig->told.ended++;
	rig->told.status = status;
	rig->told.cause = cause;
}

static void dead(void *arg, struct leg *leg)
{
	((struct rig *)arg)->told.dead++;
}

static void adrift(void *arg, struct leg *leg)
{
	((struct rig *)arg)->told.adrift++;
}

static bool moved(void *arg, struct leg *leg, struct sip_txn *txn,
		  const struct sip_view *view)
{
	sip_txn_release(txn);
	return false;
}

static const struct leg_ops ops = {
	.progress = progress,
	.answered = answered,
	.acked = acked,
	.change = change,
	.change_cancelled = change_cancelled,
	.changed = changed,
	.info = info,
	.info_answered = info_answered,
	.ended = ended,
	.dead = dead,
	.adrift = adrift,
	.moved = moved,
};

/* ---- rig ------------------------------------------------------------------------- */

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct conf_errors errs = {0};
	const struct str text = STR("config sbc 'global'\n"
				    "	option schema '1'\n"
				    "config realm 'lan'\n");

	fake_reset();
	fake_media_reset();
	fake_nat_reset();
	clock_freeze(5000000, 1700000000000);
	assert_int_equal(config_parse(&rig->config, "test", text, &errs), 0);
	assert_int_equal(loop_create(&rig->loop), 0);
	rig->conf = (struct leg_conf){
		.loop = rig->loop,
		.realm = config_realm(rig->config, "lan"),
		.peer = "100",
		.keepalive = FAKE_KEEPALIVE,
		.ops = &ops,
		.arg = rig,
	};
	addr_parse_port(&rig->flow.remote, "192.0.2.1:40001");
	addr_parse_port(&rig->flow.local, "203.0.113.10:5060");
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	leg_destroy(rig->leg);
	assert_int_equal(fake_media.open, 0);
	assert_int_equal(fake_nat.held, 0);
	for (unsigned i = 0; i < fake.n_txns; i++)
		assert_true(fake.txns[i]->released);
	for (unsigned i = 0; i < rig->n_sdp; i++)
		sdp_free(rig->sdp[i]);
	loop_destroy(rig->loop);
	config_unref(rig->config);
	fake_reset();
	clock_thaw();
	free(rig);
	return 0;
}

static const struct sdp *describe(struct rig *rig, const char *text)
{
	struct sdp **sdp = &rig->sdp[rig->n_sdp++];

	assert_int_equal(sdp_read(sdp, str_of(text)), 0);
	return *sdp;
}

static void pass(struct rig *rig, int64_t ms)
{
	for (; ms > 0; ms -= 500) {
		clock_advance(500);
		loop_fire(rig->loop);
	}
}

static struct sip_txn *make_in(struct rig *rig, const char *body)
{
	struct sip_txn *txn = fake_txn(true);
	const struct sdp *offer;

	txn->view.method = SIP_INVITE;
	txn->view.flow = rig->flow;
	fake_body(&txn->view, txn->body, body);
	assert_int_equal(leg_create_in(&rig->leg, &rig->conf, txn), 0);
	assert_int_equal(leg_read_invite(rig->leg, &offer), 0);
	return txn;
}

static struct sip_txn *make_out(struct rig *rig, const char *offer)
{
	struct sip_dialog_conf dialog = {
		.flow = rig->flow,
		.target = "sip:100@192.168.1.7",
	};

	assert_int_equal(leg_create_out(&rig->leg, &rig->conf, &dialog), 0);
	assert_int_equal(leg_invite(rig->leg,
				    offer ? describe(rig, offer) : NULL, 69,
				    NULL, 0),
			 0);
	return fake_request(SIP_INVITE)->txn;
}

/* An outgoing leg that is up. */
static struct sip_txn *make_up(struct rig *rig, const char *offer,
			       const char *answer)
{
	struct sip_txn *txn = make_out(rig, offer);

	fake_response(txn, 200, answer);
	assert_int_equal(leg_ack(rig->leg, NULL), 0);
	assert_int_equal(leg_state(rig->leg), LEG_UP);
	return txn;
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

/* ---- the state tables ---------------------------------------------------------------- */

/* Every event in every state: nothing crashes, and each callback that may come
 * once comes at most once. */
static void try_everything(struct rig *rig, bool incoming)
{
	struct sdp *sdp = (struct sdp *)describe(rig, HEAD AUDIO);

	for (int s = 0; s < LEG_STATES; s++) {
		for (int e = 0; e < LEG_EVENTS; e++) {
			struct sip_view view = {.status = 200};
			struct leg_input in = {
				.view = &view,
				.sdp = sdp,
				.status = 486,
				.txn = fake_txn(true),
			};
			int err;

			memset(&rig->told, 0, sizeof(rig->told));
			fake.n = 0;
			if (incoming)
				make_in(rig, HEAD AUDIO);
			else
				make_out(rig, HEAD AUDIO);
			rig->leg->state = s;
			err = leg_step(rig->leg, e, &in);
			assert_true(err != -EPROTO ||
				    (int)leg_state(rig->leg) == s);
			assert_true(rig->told.ended <= 1);
			assert_true(rig->told.dead <= 1);
			assert_int_equal(rig->told.dead,
					 s != LEG_DEAD &&
						 rig->leg->state == LEG_DEAD);
			sip_txn_release(in.txn);
			leg_destroy(rig->leg);
			rig->leg = NULL;
			assert_int_equal(fake_media.open, 0);
			assert_int_equal(fake_nat.held, 0);
			for (unsigned i = 0; i < fake.n_txns; i++)
				free(fake.txns[i]);
			for (unsigned i = 0; i < fake.n_dialogs; i++)
				free(fake.dialogs[i]);
			fake.n_txns = fake.n_dialogs = 0;
			while (rig->n_sdp > 1)
				sdp_free(rig->sdp[--rig->n_sdp]);
		}
	}
}

static void any_event_may_meet_an_incoming_leg_in_any_state(void **state)
{
	try_everything(*state, true);
}

static void any_event_may_meet_an_outgoing_leg_in_any_state(void **state)
{
	try_everything(*state, false);
}

static void a_leg_that_ends_has_no_open_port(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = make_in(rig, HEAD AUDIO);

	leg_answer(rig->leg, describe(rig, HEAD AUDIO));
	assert_int_equal(fake_media.open, 1);
	leg_hangup(rig->leg, NULL); /* the ACK has not come yet */
	assert_int_equal(fake_media.open, 0);
	fake_event(a, SIP_TXN_ACK, NULL);
	assert_int_equal(fake_count(SIP_BYE), 1);
}

static void a_peer_that_never_answers_our_bye_is_left(void **state)
{
	struct rig *rig = *state;

	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	leg_hangup(rig->leg, NULL);
	pass(rig, 30000);
	assert_int_equal(rig->told.dead, 0);
	pass(rig, 5000);
	assert_int_equal(rig->told.dead, 1);
	assert_false(timer_armed(&rig->leg->timer));
}

static void a_trunk_whose_connection_closed_is_told_over_a_new_one(void **state)
{
	struct rig *rig = *state;

	rig->conf.is_trunk = true;
	rig->flow.transport = SIP_TCP;
	rig->flow.conn = 7;
	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	fake.closed_conn = 7;
	leg_hangup(rig->leg, NULL);
	assert_int_equal(fake_count(SIP_BYE), 1);
	assert_int_equal(leg_flow(rig->leg)->conn, 0);
}

static void a_phone_that_moved_takes_its_media_along(void **state)
{
	struct rig *rig = *state;
	struct sip_flow there = rig->flow;

	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	addr_parse_port(&there.remote, "198.51.100.77:999");
	leg_move(rig->leg, &there);
	assert_true(
		addr_equal(&fake_media.last->remote.signalling, &there.remote));
}

/* ---- m-lines ----------------------------------------------------------------------- */

static void an_answer_has_the_m_lines_of_its_offer(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = make_in(rig, HEAD AUDIO VIDEO);
	const char *body;

	/* A peer that forgot the line which it refuses. */
	assert_int_equal(leg_answer(rig->leg, describe(rig, HEAD AUDIO)), 0);
	body = fake_answer(a)->body;
	assert_int_equal(count(body, "m="), 2);
	assert_non_null(strstr(body, "m=video 0 "));
	assert_int_equal(fake_media.open, 1);
}

static void lines_that_were_not_offered_are_not_answered(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = make_in(rig, HEAD AUDIO);

	leg_answer(rig->leg, describe(rig, HEAD AUDIO VIDEO));
	assert_int_equal(count(fake_answer(a)->body, "m="), 1);
	assert_int_equal(fake_media.open, 1);
}

static void a_line_that_the_answer_refuses_gives_its_port_back(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = make_in(rig, HEAD AUDIO VIDEO);

	assert_int_equal(fake_media.open, 2);
	leg_answer(rig->leg, describe(rig, HEAD AUDIO NO_VIDEO));
	assert_non_null(strstr(fake_answer(a)->body, "m=video 0 "));
	assert_int_equal(fake_media.open, 1);
}

static void an_early_answer_refuses_nothing_for_good(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b = make_out(rig, HEAD AUDIO VIDEO);

	fake_response(b, 183, HEAD AUDIO NO_VIDEO);
	assert_int_equal(fake_media.open, 2);
	fake_response(b, 200, HEAD AUDIO VIDEO);
	assert_int_equal(fake_media.open, 2);
	assert_true(addr_is_set(&fake_media.last->remote.rtp));
}

static void a_new_offer_never_has_fewer_lines(void **state)
{
	struct rig *rig = *state;

	make_up(rig, HEAD AUDIO VIDEO, HEAD AUDIO NO_VIDEO);
	assert_int_equal(leg_change(rig->leg, describe(rig, HEAD AUDIO)), 0);
	assert_int_equal(count(fake_request(SIP_INVITE)->body, "m="), 2);
	assert_non_null(
		strstr(fake_request(SIP_INVITE)->body, "m=video 0 RTP"));
}

/* ---- changes ------------------------------------------------------------------------- */

static void a_refused_new_line_gives_its_port_back(void **state)
{
	struct rig *rig = *state;

	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	leg_change(rig->leg, describe(rig, HEAD AUDIO VIDEO));
	assert_int_equal(fake_media.open, 2);
	fake_response(fake_request(SIP_INVITE)->txn, 488, NULL);
	assert_int_equal(rig->told.status, 488);
	assert_int_equal(fake_media.open, 1);
	/* It was never part of the session. */
	leg_change(rig->leg, describe(rig, HEAD AUDIO));
	assert_int_equal(count(fake_request(SIP_INVITE)->body, "m="), 1);
}

static void a_refused_removal_keeps_the_line(void **state)
{
	struct rig *rig = *state;
	struct media_stream *video;

	make_up(rig, HEAD AUDIO VIDEO, HEAD AUDIO VIDEO);
	video = rig->leg->lines[1].stream;
	leg_change(rig->leg, describe(rig, HEAD AUDIO NO_VIDEO));
	assert_ptr_equal(rig->leg->lines[1].stream, video);
	fake_response(fake_request(SIP_INVITE)->txn, 500, NULL);
	assert_ptr_equal(rig->leg->lines[1].stream, video);
	assert_int_equal(fake_media.open, 2);
}

static void an_agreed_removal_closes_the_line(void **state)
{
	struct rig *rig = *state;

	make_up(rig, HEAD AUDIO VIDEO, HEAD AUDIO VIDEO);
	leg_change(rig->leg, describe(rig, HEAD AUDIO NO_VIDEO));
	fake_response(fake_request(SIP_INVITE)->txn, 200, HEAD AUDIO NO_VIDEO);
	leg_change_ack(rig->leg, NULL);
	assert_int_equal(fake_media.open, 1);
}

static void when_ports_run_out_in_the_middle_nothing_is_kept(void **state)
{
	struct rig *rig = *state;

	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	fake_media.most = 2;
	assert_int_equal(
		leg_change(rig->leg, describe(rig, HEAD AUDIO VIDEO VIDEO)),
		-EADDRNOTAVAIL);
	assert_int_equal(fake_media.open, 1);
	assert_false(leg_is_changing(rig->leg));
}

static void a_change_that_cannot_be_sent_keeps_no_port(void **state)
{
	struct rig *rig = *state;

	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	fake.request_error = -EAGAIN;
	assert_int_equal(leg_change(rig->leg, describe(rig, HEAD AUDIO VIDEO)),
			 -EAGAIN);
	fake.request_error = 0;
	assert_int_equal(fake_media.open, 1);
}

static void a_peer_that_rings_on_our_change_is_cancelled(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b;

	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	leg_change(rig->leg, describe(rig, HEAD AUDIO));
	b = fake_request(SIP_INVITE)->txn;
	fake_response(b, 180, NULL);
	pass(rig, 61000);
	assert_true(b->cancelled);
	fake_response(b, 487, NULL);
	assert_false(leg_is_changing(rig->leg));
	assert_int_equal(leg_state(rig->leg), LEG_UP);
}

static void a_change_in_is_refused_while_the_leg_ends(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b = make_up(rig, HEAD AUDIO, HEAD AUDIO), *late;

	leg_hangup(rig->leg, NULL);
	late = fake_in_dialog(b->dialog, SIP_INVITE, &rig->flow, HEAD AUDIO);
	assert_int_equal(fake_answer(late)->status, 481);
	assert_int_equal(rig->told.change, 0);
}

static void a_leg_that_ends_owing_an_ack_sends_it(void **state)
{
	struct rig *rig = *state;

	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	leg_change(rig->leg, NULL);
	fake_response(fake_request(SIP_INVITE)->txn, 200, HEAD AUDIO);
	assert_int_equal(fake_count(SIP_ACK), 1);
	leg_hangup(rig->leg, NULL);
	assert_int_equal(fake_count(SIP_ACK), 2);
	assert_int_equal(fake_count(SIP_BYE), 1);
}

static void
a_second_description_of_an_early_fork_is_not_a_new_version(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = make_in(rig, HEAD AUDIO);
	char first[2048];

	leg_ring(rig->leg, 183, describe(rig, HEAD AUDIO));
	strcpy(first, fake_answer(a)->body);
	leg_answer(rig->leg, describe(rig, HEAD AUDIO));
	assert_string_equal(fake_answer(a)->body, first);
}

/* ---- what stands in the way --------------------------------------------------------- */

static void read_config(struct rig *rig, const char *option)
{
	struct conf_errors errs = {0};
	char text[256];

	snprintf(text, sizeof(text),
		 "config sbc 'global'\n	option schema '1'\n"
		 "config realm 'lan'\n	option %s\n",
		 option);
	config_unref(rig->config);
	assert_int_equal(
		config_parse(&rig->config, "test", str_of(text), &errs), 0);
	rig->conf.realm = config_realm(rig->config, "lan");
}

static void
media_of_a_peer_that_shows_a_nat_goes_where_it_comes_from(void **state)
{
	struct rig *rig = *state;

	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	assert_false(fake_media.last->remote.behind_nat);
	leg_destroy(rig->leg);
	fake_nat.found.behind = true;
	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	assert_true(fake_media.last->remote.behind_nat);
}

static void a_nat_that_shows_late_is_told_to_the_media(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = make_in(rig, HEAD AUDIO);

	leg_answer(rig->leg, describe(rig, HEAD AUDIO));
	assert_false(fake_media.last->remote.behind_nat);
	fake_nat.found.behind = true;
	fake_event(a, SIP_TXN_ACK, NULL);
	assert_true(fake_media.last->remote.behind_nat);
	assert_true(leg_nat(rig->leg)->behind);
}

static void what_registration_showed_counts_from_the_first_packet(void **state)
{
	struct rig *rig = *state;
	struct nat_verdict known = {.evidence = 4, .behind = true};

	rig->conf.nat = &known;
	fake_response(make_out(rig, HEAD AUDIO), 183, HEAD AUDIO);
	assert_true(fake_media.last->remote.behind_nat);
	assert_int_equal(leg_nat(rig->leg)->evidence, 4);
}

static void the_realm_may_know_better_than_the_evidence(void **state)
{
	struct rig *rig = *state;

	read_config(rig, "nat 'never'");
	fake_nat.found.behind = true;
	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	assert_false(fake_media.last->remote.behind_nat);
	assert_true(leg_nat(rig->leg)->behind); /* shown all the same */
	leg_destroy(rig->leg);
	read_config(rig, "nat 'always'");
	fake_nat.found.behind = false;
	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	assert_true(fake_media.last->remote.behind_nat);
}

/* What a peer may be sent that says nothing, by what it takes. */
static const struct {
	const char *why, *line;
	uint8_t type, byte, n;
} fillers[] = {
	{"PCMA", "m=audio 4000 RTP/AVP 8 101\r\n", 8, 0xd5, 160},
	{"PCMU", "m=audio 4000 RTP/AVP 0 8\r\n", 0, 0xff, 160},
	{"G.722", "m=audio 4000 RTP/AVP 9\r\n", 9, 0xfd, 160},
	{"the first has none",
	 "m=audio 4000 RTP/AVP 96 8\r\na=rtpmap:96 opus/48000/2\r\n", 8, 0xd5,
	 160},
	{"comfort noise",
	 "m=audio 4000 RTP/AVP 18 13\r\na=rtpmap:18 G729/8000\r\n", 13, 127, 1},
	{"dynamic type", "m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 pcma/8000\r\n",
	 97, 0xd5, 160},
	{"none has one", "m=audio 4000 RTP/AVP 18 101\r\n", 18, 0, 0},
	{"video", VIDEO, 96, 0, 0},
};

static void media_gets_a_filler_of_a_type_that_the_peer_takes(void **state)
{
	struct rig *rig = *state;
	char text[512];

	for (size_t i = 0; i < sizeof(fillers) / sizeof(fillers[0]); i++) {
		struct media_filler got;

		snprintf(text, sizeof(text), "%s%s", HEAD, fillers[i].line);
		make_up(rig, text, text);
		got = fake_media.last->remote.filler;
		if (got.type != fillers[i].type || got.n != fillers[i].n ||
		    got.byte != fillers[i].byte)
			fail_msg("%s", fillers[i].why);
		leg_destroy(rig->leg);
	}
	make_up(rig, HEAD AUDIO, HEAD AUDIO);
}

static void a_description_is_judged_with_its_origin_and_rtcp(void **state)
{
	struct rig *rig = *state;
	char text[ADDR_TEXT_MAX];

	make_in(rig, HEAD AUDIO "a=rtcp:4711\r\n");
	assert_string_equal(addr_fmt(&fake_nat.look.sdp, text),
			    "192.168.1.7:4000");
	assert_string_equal(addr_fmt_host(&fake_nat.look.sdp_origin, text),
			    "192.168.1.8");
	assert_int_equal(fake_nat.look.sdp_rtcp, 4711);
	leg_destroy(rig->leg);
	make_in(rig, HEAD AUDIO);
	assert_int_equal(fake_nat.look.sdp_rtcp, 0);
}

static void every_message_with_addresses_is_judged(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b, *change;
	unsigned before;

	b = make_out(rig, HEAD AUDIO);
	fake_response(b, 183, HEAD AUDIO);
	assert_int_equal(fake_nat.judged, 1);
	assert_int_equal(fake_nat.view.status, 183);
	fake_response(b, 200, HEAD AUDIO);
	leg_ack(rig->leg, NULL);
	assert_int_equal(fake_nat.judged, 2);
	change = fake_in_dialog(b->dialog, SIP_INVITE, &rig->flow,
				HEAD MOVED_AUDIO);
	assert_int_equal(fake_nat.judged, 3);
	assert_int_equal(fake_nat.view.method, SIP_INVITE);
	leg_change_answer(rig->leg, 488, NULL);
	assert_int_equal(fake_answer(change)->status, 488);
	leg_change(rig->leg, describe(rig, HEAD AUDIO));
	before = fake_nat.judged;
	fake_response(fake_request(SIP_INVITE)->txn, 200, HEAD AUDIO);
	assert_int_equal(fake_nat.judged, before + 1);
}

static void what_another_way_shows_is_not_held_against_this_one(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b = make_out(rig, HEAD AUDIO);

	addr_set_port(&b->dialog->conf.flow.remote, 9);
	fake_response(b, 183, HEAD AUDIO);
	fake_no_response(b, 408);
	assert_int_equal(fake_nat.judged, 0);
}

/* ---- holding the way open ------------------------------------------------------------ */

static const struct keep_flow *hold(const struct rig *rig)
{
	return rig->leg->keep.flow;
}

static void a_caller_holds_its_flow_until_the_bye(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = make_in(rig, HEAD AUDIO);

	assert_int_equal(fake_nat.held, 1);
	assert_int_equal(rig->leg->keep.reason, KEEP_DLG);
	assert_true(sip_flow_equal(&hold(rig)->flow, &rig->flow));
	leg_ring(rig->leg, 180, NULL);
	leg_answer(rig->leg, describe(rig, HEAD AUDIO));
	fake_event(a, SIP_TXN_ACK, NULL);
	assert_int_equal(fake_nat.held, 1);
	assert_int_equal(fake_nat.made, 1); /* one and the same */
	fake_in_dialog(a->dialog, SIP_BYE, &rig->flow, NULL);
	assert_int_equal(fake_nat.held, 0);
}

static void a_callee_holds_its_flow_from_its_first_18x(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *b = make_out(rig, HEAD AUDIO);

	fake_response(b, 100, NULL);
	assert_int_equal(fake_nat.held, 0);
	fake_response(b, 180, NULL);
	assert_int_equal(fake_nat.held, 1);
	assert_string_equal(hold(rig)->target, "sip:100@192.168.1.7");
	fake_response(b, 200, HEAD AUDIO);
	leg_ack(rig->leg, NULL);
	assert_int_equal(fake_nat.made, 1);
	leg_hangup(rig->leg, NULL);
	assert_int_equal(fake_nat.held, 0);
}

static void a_fork_that_is_cancelled_holds_nothing(void **state)
{
	struct rig *rig = *state;

	fake_response(make_out(rig, HEAD AUDIO), 180, NULL);
	leg_hangup(rig->leg, NULL);
	assert_int_equal(leg_state(rig->leg), LEG_ENDING);
	assert_int_equal(fake_nat.held, 0);
}

static void a_leg_that_owes_its_bye_holds_on_for_it(void **state)
{
	struct rig *rig = *state;
	struct sip_txn *a = make_in(rig, HEAD AUDIO);

	leg_answer(rig->leg, describe(rig, HEAD AUDIO));
	leg_hangup(rig->leg, NULL);
	assert_int_equal(fake_nat.held, 1);
	fake_event(a, SIP_TXN_ACK, NULL);
	assert_int_equal(fake_nat.held, 0);
}

static void the_hold_moves_with_the_leg(void **state)
{
	struct rig *rig = *state;
	struct sip_flow there = rig->flow;

	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	addr_set_port(&there.remote, 41000);
	leg_move(rig->leg, &there);
	assert_int_equal(fake_nat.held, 1);
	assert_true(sip_flow_equal(&hold(rig)->flow, &there));
}

static void the_realms_keepalive_is_the_legs(void **state)
{
	static const struct {
		const char *option;
		int how;
	} cases[] = {
		{"keepalive 'auto'", KEEP_AUTO},
		{"keepalive 'crlf'", KEEP_ALWAYS_CRLF},
		{"keepalive 'options'", KEEP_ALWAYS_OPTIONS},
	};
	struct rig *rig = *state;

	for (unsigned i = 0; i < 3; i++) {
		read_config(rig, cases[i].option);
		make_up(rig, HEAD AUDIO, HEAD AUDIO);
		assert_int_equal(hold(rig)->want.how, cases[i].how);
		assert_int_equal(hold(rig)->want.interval_ms, 25000);
		leg_destroy(rig->leg);
	}
	read_config(rig, "keepalive 'off'");
	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	assert_int_equal(fake_nat.held, 0);
}

static void routers_and_nats_ask_for_care(void **state)
{
	struct rig *rig = *state;

	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	assert_false(hold(rig)->want.careful);
	leg_destroy(rig->leg);
	rig->conf.off_link = true;
	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	assert_true(hold(rig)->want.careful);
	leg_destroy(rig->leg);
	/* A NAT that shows with the answer. */
	rig->conf.off_link = false;
	fake_response(make_out(rig, HEAD AUDIO), 180, NULL);
	assert_false(hold(rig)->want.careful);
	fake_nat.found.behind = true;
	fake_response(fake_request(SIP_INVITE)->txn, 200, HEAD AUDIO);
	assert_true(hold(rig)->want.careful);
}

static void a_trunk_is_held_only_behind_a_nat(void **state)
{
	struct rig *rig = *state;

	rig->conf.is_trunk = true;
	rig->conf.off_link = true;
	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	assert_int_equal(fake_nat.held, 0);
	leg_destroy(rig->leg);
	fake_nat.found.behind = true;
	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	assert_int_equal(fake_nat.held, 1);
}

static void servers_of_a_trunk_may_be_several(void **state)
{
	struct rig *rig = *state;

	rig->conf.is_trunk = true;
	fake_nat.found.behind = true;
	addr_parse_port(&rig->flow.remote, "10.0.0.5:5060");
	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	assert_false(fake_media.last->remote.behind_nat);
	assert_int_equal(fake_nat.held, 0);
}

static void a_neighbours_connection_needs_no_help(void **state)
{
	struct rig *rig = *state;

	rig->flow.transport = SIP_TCP;
	rig->flow.conn = 7;
	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	assert_int_equal(fake_nat.held, 0);
	leg_destroy(rig->leg);
	rig->conf.off_link = true;
	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	assert_int_equal(fake_nat.held, 1);
}

static void without_memory_for_the_hold_the_call_goes_on(void **state)
{
	struct rig *rig = *state;

	fake_nat.no_memory = true;
	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	assert_int_equal(fake_nat.held, 0);
}

static void an_invite_that_nobody_answered_is_reported(void **state)
{
	struct rig *rig = *state;

	fake_no_response(make_out(rig, HEAD AUDIO), 408);
	assert_int_equal(fake_nat.missed, 1);
	assert_true(sip_flow_equal(&fake_nat.missed_flow, &rig->flow));
	assert_false(leg_was_heard(rig->leg));
	leg_destroy(rig->leg);
	/* 100 shows that the way is good. */
	fake_response(make_out(rig, HEAD AUDIO), 100, NULL);
	fake_no_response(fake_request(SIP_INVITE)->txn, 408);
	assert_int_equal(fake_nat.missed, 1);
	assert_true(leg_was_heard(rig->leg));
}

static void so_is_one_that_the_caller_gave_up(void **state)
{
	struct rig *rig = *state;

	make_out(rig, HEAD AUDIO);
	pass(rig, 3000); /* too early to tell */
	leg_hangup(rig->leg, NULL);
	assert_int_equal(fake_nat.missed, 0);
	leg_destroy(rig->leg);
	make_out(rig, HEAD AUDIO);
	pass(rig, 4000);
	leg_hangup(rig->leg, NULL);
	assert_int_equal(fake_nat.missed, 1);
}

/* ---- who may move a leg --------------------------------------------------------------- */

static void a_peer_may_send_from_another_port_than_it_is_sent_to(void **state)
{
	struct rig *rig = *state;
	struct sip_flow source = rig->flow;
	struct sip_txn *b, *bye;

	addr_set_port(&source.remote, 49000);
	rig->conf.source = &source;
	b = make_up(rig, HEAD AUDIO, HEAD AUDIO);
	fake_in_dialog(b->dialog, SIP_OPTIONS, &source, NULL);
	assert_true(sip_flow_equal(leg_flow(rig->leg), &rig->flow));
	bye = fake_in_dialog(b->dialog, SIP_BYE, &source, NULL);
	assert_int_equal(fake_answer(bye)->status, 200);
}

/* ---- a BYE that nobody answers ---------------------------------------------------------- */

static void a_bye_that_was_lost_reaches_the_phone_that_comes_back(void **state)
{
	struct rig *rig = *state;
	struct sip_flow there = rig->flow;

	rig->conf.off_link = true;
	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	leg_hangup(rig->leg, "Q.850;cause=16");
	fake_no_response(fake_request(SIP_BYE)->txn, 408);
	assert_int_equal(rig->told.adrift, 1);
	assert_true(leg_is_adrift(rig->leg));
	assert_int_equal(fake_nat.held, 0);
	pass(rig, 60000);
	addr_set_port(&there.remote, 41000);
	leg_move(rig->leg, &there);
	assert_int_equal(fake_count(SIP_BYE), 2);
	assert_non_null(strstr(fake_request(SIP_BYE)->headers, "cause=16"));
	assert_int_equal(rig->told.dead, 0);
	fake_response(fake_request(SIP_BYE)->txn, 200, NULL);
	assert_int_equal(rig->told.dead, 1);
}

static void one_under_way_goes_out_again_where_the_phone_is(void **state)
{
	struct rig *rig = *state;
	struct sip_flow there = rig->flow;
	struct sip_txn *first;

	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	leg_hangup(rig->leg, NULL);
	first = fake_request(SIP_BYE)->txn;
	addr_set_port(&there.remote, 41000);
	leg_move(rig->leg, &there);
	assert_true(first->released);
	assert_int_equal(fake_count(SIP_BYE), 2);
	assert_int_equal(
		addr_port(&fake_request(SIP_BYE)->dialog->conf.flow.remote),
		41000);
}

static void a_phone_that_stays_away_is_left_in_the_end(void **state)
{
	struct rig *rig = *state;

	rig->conf.off_link = true;
	make_up(rig, HEAD AUDIO, HEAD AUDIO);
	fake.request_error = -ENOTCONN;
	leg_hangup(rig->leg, NULL);
	fake.request_error = 0;
	assert_true(leg_is_adrift(rig->leg));
	pass(rig, 129000);
	assert_int_equal(rig->told.dead, 0);
	pass(rig, 2000);
	assert_int_equal(rig->told.dead, 1);
}

static void neighbours_and_trunks_are_not_waited_for(void **state)
{
	struct rig *rig = *state;

	for (int is_trunk = 0; is_trunk < 2; is_trunk++) {
		rig->conf.is_trunk = rig->conf.off_link = is_trunk;
		make_up(rig, HEAD AUDIO, HEAD AUDIO);
		leg_hangup(rig->leg, NULL);
		fake_no_response(fake_request(SIP_BYE)->txn, 408);
		assert_int_equal(leg_state(rig->leg), LEG_DEAD);
		leg_destroy(rig->leg);
		rig->leg = NULL;
	}
}

static void nobody_moves_a_leg_unproved(void **state)
{
	static const enum sip_method methods[] = {SIP_BYE, SIP_INFO, SIP_INVITE,
						  SIP_OPTIONS, SIP_REFER};
	struct rig *rig = *state;
	struct sip_txn *b = make_up(rig, HEAD AUDIO, HEAD AUDIO);
	struct sip_flow there = rig->flow;

	addr_set_port(&there.remote, 666);
	for (unsigned i = 0; i < 5; i++)
		fake_in_dialog(b->dialog, methods[i], &there, HEAD AUDIO);
	assert_true(sip_flow_equal(leg_flow(rig->leg), &rig->flow));
	assert_true(sip_flow_equal(&hold(rig)->flow, &rig->flow));
	assert_int_equal(leg_state(rig->leg), LEG_UP);
	assert_false(leg_is_changing(rig->leg));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(any_event_may_meet_an_incoming_leg_in_any_state),
		T(any_event_may_meet_an_outgoing_leg_in_any_state),
		T(a_leg_that_ends_has_no_open_port),
		T(a_peer_that_never_answers_our_bye_is_left),
		T(a_trunk_whose_connection_closed_is_told_over_a_new_one),
		T(a_phone_that_moved_takes_its_media_along),
		T(an_answer_has_the_m_lines_of_its_offer),
		T(lines_that_were_not_offered_are_not_answered),
		T(a_line_that_the_answer_refuses_gives_its_port_back),
		T(an_early_answer_refuses_nothing_for_good),
		T(a_new_offer_never_has_fewer_lines),
		T(a_refused_new_line_gives_its_port_back),
		T(a_refused_removal_keeps_the_line),
		T(an_agreed_removal_closes_the_line),
		T(when_ports_run_out_in_the_middle_nothing_is_kept),
		T(a_change_that_cannot_be_sent_keeps_no_port),
		T(a_peer_that_rings_on_our_change_is_cancelled),
		T(a_change_in_is_refused_while_the_leg_ends),
		T(a_leg_that_ends_owing_an_ack_sends_it),
		T(a_second_description_of_an_early_fork_is_not_a_new_version),
		T(media_of_a_peer_that_shows_a_nat_goes_where_it_comes_from),
		T(a_nat_that_shows_late_is_told_to_the_media),
		T(what_registration_showed_counts_from_the_first_packet),
		T(the_realm_may_know_better_than_the_evidence),
		T(media_gets_a_filler_of_a_type_that_the_peer_takes),
		T(a_description_is_judged_with_its_origin_and_rtcp),
		T(every_message_with_addresses_is_judged),
		T(what_another_way_shows_is_not_held_against_this_one),
		T(a_caller_holds_its_flow_until_the_bye),
		T(a_callee_holds_its_flow_from_its_first_18x),
		T(a_fork_that_is_cancelled_holds_nothing),
		T(a_leg_that_owes_its_bye_holds_on_for_it),
		T(the_hold_moves_with_the_leg),
		T(the_realms_keepalive_is_the_legs),
		T(routers_and_nats_ask_for_care),
		T(a_trunk_is_held_only_behind_a_nat),
		T(servers_of_a_trunk_may_be_several),
		T(a_neighbours_connection_needs_no_help),
		T(without_memory_for_the_hold_the_call_goes_on),
		T(an_invite_that_nobody_answered_is_reported),
		T(so_is_one_that_the_caller_gave_up),
		T(a_peer_may_send_from_another_port_than_it_is_sent_to),
		T(nobody_moves_a_leg_unproved),
		T(a_bye_that_was_lost_reaches_the_phone_that_comes_back),
		T(one_under_way_goes_out_again_where_the_phone_is),
		T(a_phone_that_stays_away_is_left_in_the_end),
		T(neighbours_and_trunks_are_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
