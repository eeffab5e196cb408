/*
 * leg_rig.h - one leg by itself, for tests of what happens while it is up
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Real: SDP, the leg.  Faked: the SIP stack, the ports, the call, which writes
 * down what it is told and does nothing.
 */
#ifndef SBC_TESTS_LEG_RIG_H
#define SBC_TESTS_LEG_RIG_H

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
#define AUDIO       HEAD "m=audio 4000 RTP/AVP 8\r\n"
#define AUDIO_HELD  HEAD "m=audio 4000 RTP/AVP 8\r\na=sendonly\r\n"
#define AUDIO_THERE HEAD "m=audio 4008 RTP/AVP 8\r\n"
#define TWO_CODECS  HEAD "m=audio 4000 RTP/AVP 8 0\r\n"

#define SEC(s) ((s)*1000)

struct rig {
	struct loop *loop;
	struct config *config;
	struct conf_policy policy;
	struct leg_conf conf;
	struct sip_flow flow;
	struct leg *leg;
	struct sdp *sdp[64]; /* read by describe(), freed at the end */
	unsigned n_sdp;
	struct {
		unsigned acked, change, cancelled, changed, offered, info;
		unsigned ended, dead;
		int status;
		const char *cause;
		char info_body[16][16];
		bool has_sdp;
	} told;
};

/* ---- the call, faked ------------------------------------------------------ */

static inline void on_progress(void *arg, struct leg *leg, int status,
			       const struct sdp *sdp)
{
}

static inline void on_answered(void *arg, struct leg *leg,
			       const struct sdp *sdp)
{
}

static inline void on_acked(void *arg, struct leg *leg, const struct sdp *sdp)
{
	((struct rig *)arg)->told.acked++;
}

static inline void on_change(void *arg, struct leg *leg,
			     const struct sdp *offer)
{
	((struct rig *)arg)->told.change++;
}

static inline void on_cancelled(void *arg, struct leg *leg)
{
	((struct rig *)arg)->told.cancelled++;
}

static inline void on_changed(void *arg, struct leg *leg, int status,
			      const struct sdp *sdp)
{
	struct rig *rig = arg;

	rig->told.changed++;
	rig->told.status = status;
	rig->told.has_sdp = sdp != NULL;
}

static inline void on_offered(void *arg, struct leg *leg, int status,
			      const struct sdp *sdp)
{
	struct rig *rig = arg;

	rig->told.offered++;
	rig->told.status = status;
	rig->told.has_sdp = sdp != NULL;
}

static inline void on_info(void *arg, struct leg *leg,
			   const struct sip_view *view)
{
	struct rig *rig = arg;

	snprintf(rig->told.info_body[rig->told.info++ % 16], 16, STR_FMT,
		 STR_ARG(view->body));
}

static inline void on_info_answered(void *arg, struct leg *leg, int status)
{
}

static inline void on_ended(void *arg, struct leg *leg, int status,
			    const char *cause)
{
	struct rig *rig = arg;

	rig->told.ended++;
	rig->told.status = status;
	rig->told.cause = cause;
}

static inline void on_dead(void *arg, struct leg *leg)
{
	((struct rig *)arg)->told.dead++;
}

static inline bool on_moved(void *arg, struct leg *leg, struct sip_txn *txn,
			    const struct sip_view *view)
{
	sip_txn_release(txn);
	return false;
}

static const struct leg_ops rig_ops = {
	.progress = on_progress,
	.answered = on_answered,
	.acked = on_acked,
	.change = on_change,
	.change_cancelled = on_cancelled,
	.changed = on_changed,
	.offered = on_offered,
	.info = on_info,
	.info_answered = on_info_answered,
	.ended = on_ended,
	.dead = on_dead,
	.moved = on_moved,
};

/* ---- rig ------------------------------------------------------------------- */

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
	rig->policy = config_realm(rig->config, "lan")->policy;
	rig->conf = (struct leg_conf){
		.loop = rig->loop,
		.realm = config_realm(rig->config, "lan"),
		.policy = &rig->policy,
		.peer = "100",
		.ops = &rig_ops,
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

static inline const struct sdp *describe(struct rig *rig, const char *text)
{
	struct sdp **sdp = &rig->sdp[rig->n_sdp++];

	assert_int_equal(sdp_read(sdp, str_of(text)), 0);
	return *sdp;
}

/* In steps of 10 ms, what RFC 3261 14.1 counts in. */
static inline void pass(struct rig *rig, int64_t ms)
{
	int64_t step = ms > SEC(20) ? 100 : 10;

	for (; ms > 0; ms -= step) {
		clock_advance(step);
		loop_fire(rig->loop);
	}
}

/* Timers that are due at once. */
static inline void settle(struct rig *rig)
{
	clock_advance(1);
	loop_fire(rig->loop);
}

/* What the peer's messages say from now on. */
static inline void say(const struct sip_header *headers)
{
	fake.headers = headers;
}

/* The INVITE of an incoming leg; its answer or the refusal. */
static inline int begin_in(struct rig *rig, struct sip_txn **txn)
{
	const struct sdp *offer;

	*txn = fake_txn(true);
	(*txn)->view.method = SIP_INVITE;
	(*txn)->view.flow = rig->flow;
	(*txn)->view.msg = fake.headers;
	fake_body(&(*txn)->view, (*txn)->body, AUDIO);
	assert_int_equal(leg_create_in(&rig->leg, &rig->conf, *txn), 0);
	return leg_read_invite(rig->leg, &offer);
}

/* An incoming leg that is up. */
static inline struct sip_txn *up_in(struct rig *rig)
{
	struct sip_txn *txn;

	assert_int_equal(begin_in(rig, &txn), 0);
	leg_answer(rig->leg, describe(rig, AUDIO));
	fake_event(txn, SIP_TXN_ACK, NULL);
	assert_int_equal(leg_state(rig->leg), LEG_UP);
	rig->told.acked = 0;
	return txn;
}

/* An outgoing leg whose INVITE is out. */
static inline struct sip_txn *begin_out(struct rig *rig)
{
	struct sip_dialog_conf dialog = {
		.flow = rig->flow,
		.target = "sip:100@192.168.1.7",
	};

	assert_int_equal(leg_create_out(&rig->leg, &rig->conf, &dialog), 0);
	assert_int_equal(
		leg_invite(rig->leg, describe(rig, AUDIO), 69, NULL, 0), 0);
	return fake_request(SIP_INVITE)->txn;
}

/* An outgoing leg that is up. */
static inline struct sip_txn *up_out(struct rig *rig)
{
	struct sip_txn *txn = begin_out(rig);

	fake_response(txn, 200, AUDIO);
	assert_int_equal(leg_ack(rig->leg, NULL), 0);
	assert_int_equal(leg_state(rig->leg), LEG_UP);
	return txn;
}

/* A request of the peer's inside the dialog. */
static inline struct sip_txn *comes(struct rig *rig, enum sip_method method,
				    const char *body)
{
	return fake_in_dialog(rig->leg->dialog, method, &rig->flow, body);
}

#define ASSERT_HAS(text, what)   assert_non_null(strstr(text, what))
#define ASSERT_LACKS(text, what) assert_null(strstr(text, what))
#define TEST(name)               cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
