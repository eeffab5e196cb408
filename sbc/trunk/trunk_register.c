/*
 * trunk_register.c - our binding at a provider (RFC 3261 10, option register)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *              .------------- refresh -------------.
 *              v                                   |
 *   OFF --> ASKING -- 2xx --> HELD ----------------'
 *              ^  \-- no, or nothing --> WAITING --.
 *              '-----------------------------------'
 *   any --> LEAVING -- whatever --> GONE
 *
 * One Contact, one Call-ID.  A challenge is answered inside sip/; what comes up
 * here says that the password is wrong.  A failure waits min(1800 s, 30 s *
 * 2^n) * U(0.5, 1) (RFC 5626 4.5), but a first one goes to the next host right
 * away, and all of them end when a host is back.  What the provider holds lasts
 * as long as it said, however many refreshes fail.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/rand.h"
#include "trunk/trunk_priv.h"

enum {
	BACKOFF_S = 30,
	BACKOFF_MAX_S = 1800,
	REFUSED_S = 300, /* a wrong password does not mend itself */
	QUICK_MS = 500,
	LEAVE_MS = 2000,
	SPARE_S = 30, /* before the end of a binding */
	REFRESH_AT_LEAST_S = 5,
	MOST_EXPIRES_S = 604800,
	DOUBT_MS = 60000, /* no more often for a suspicion */
	KEEP_UDP_MS = 25000,
	KEEP_TCP_MS = 5000, /* that the connection is looked at */
	KEEP_SPREAD_MS = 5000,
	MOST_LONGER = 2,
	/* The stack sends up to three for one of ours: two challenges. */
	CSEQ_STEP = 4,
};

static void send_now(void *arg);

static struct loop *loop_of(const struct trunk *t)
{
	return t->owner->conf.loop;
}

bool reg_is_held(const struct trunk *t)
{
	return t->reg.held[0] && t->reg.until > clock_mono();
}

static bool is_allowed(const struct trunk *t)
{
	return t->conf->do_register && t->owner->is_started &&
	       t->reg.state != REG_LEAVING && t->reg.state != REG_GONE;
}

static void wait_ms(struct trunk *t, int64_t ms)
{
	timer_set(loop_of(t), &t->reg.due, ms, send_now, t);
}

static void over(struct trunk *t)
{
	timer_cancel(loop_of(t), &t->reg.patience);
	sip_txn_release(t->reg.txn);
	t->reg.txn = NULL;
}

/* ---- keeping the way open ------------------------------------------------------- */

static void keep(void *arg)
{
	struct trunk *t = arg;
	struct trunk_reg *r = &t->reg;
	bool tcp = r->flow.transport == SIP_TCP;
	mono_ms now = clock_mono();
	int err = sip_flow_alive(t->owner->conf.sip, &r->flow) ? 0 : -ENOTCONN;

	if (!reg_is_held(t))
		return;
	timer_set(loop_of(t), &r->keepalive,
		  tcp ? KEEP_TCP_MS : KEEP_UDP_MS + rand_below(KEEP_SPREAD_MS),
		  keep, t);
	if (!err && now - r->pinged_at >= KEEP_UDP_MS) {
		r->pinged_at = now;
		err = sip_ping_crlf(t->owner->conf.sip, &r->flow);
	}
	/* The provider may have no other way to us than that connection. */
	if (err == -ENOTCONN && r->state == REG_HELD) {
		log_info("trunk.connection_lost", kv_s("trunk", t->conf->name),
			 kv_a("host", &r->way.remote));
		reg_kick(t, 0);
	}
}

static void keep_open(struct trunk *t)
{
	struct trunk_reg *r = &t->reg;

	r->pinged_at = clock_mono();
	timer_set(loop_of(t), &r->keepalive,
		  r->flow.transport == SIP_TCP
			  ? KEEP_TCP_MS
			  : KEEP_UDP_MS + rand_below(KEEP_SPREAD_MS),
		  keep, t);
}

/* ---- the request ----------------------------------------------------------------- */

struct letter {
	char host[ADDR_TEXT_MAX], target[300], expires[16];
	char contact[2 * CONTACT_BYTES + 64];
};

static void write_contact(char out[CONTACT_BYTES], const struct trunk *t,
			  const struct sip_flow *flow)
{
	char host[ADDR_TEXT_MAX];
	struct buf b;

	buf_init(&b, out, CONTACT_BYTES);
	buf_puts(&b, "sip:");
	sip_put_user(&b, t->conf->username);
	buf_printf(&b, "@%s:%u%s", addr_fmt_uri(&flow->local, host),
		   addr_port(&flow->local),
		   flow->transport == SIP_TCP ? ";transport=tcp" : "");
}

static void write_letter(struct letter *l, const struct trunk *t,
			 unsigned expires_s)
{
	const struct trunk_reg *r = &t->reg;
	struct buf b;

	snprintf(l->target, sizeof(l->target), "sip:%s", r->way.target);
	snprintf(l->expires, sizeof(l->expires), "%u", expires_s);
	buf_init(&b, l->contact, sizeof(l->contact));
	if (r->held[0] && strcmp(r->held, r->contact))
		buf_printf(&b, "<%s>;expires=0, ", r->held);
	buf_printf(&b, "<%s>;expires=%u", r->contact, expires_s);
}

static void on_answer(void *arg, struct sip_txn *txn,
		      const struct sip_view *view);

/* Along t->reg.way. */
static int send_register(struct trunk *t, unsigned expires_s)
{
	struct trunk_reg *r = &t->reg;
	const struct conf_trunk *conf = t->conf;
	struct sip_stack *sip = t->owner->conf.sip;
	struct letter l;
	const struct sip_header expires = {"Expires", l.expires};
	struct sip_out o;
	int err;

	o = (struct sip_out){
		.target = l.target,
		.from_user = conf->username,
		.from_host = trunk_domain(conf, l.host),
		.from_tag = r->from_tag,
		.to_user = conf->username,
		.to_host = trunk_domain(conf, l.host),
		.call_id = r->call_id,
		.cseq = r->cseq += CSEQ_STEP,
		.contact = l.contact,
	};
	if (conf->password)
		o.credentials = (struct sip_credentials){
			.user = conf->auth_user[0] ? conf->auth_user
						   : conf->username,
			.password = conf->password,
		};
	err = sip_flow_to(sip, conf->realm, r->way.transport, &r->way.remote,
			  &o.flow);
	if (err)
		return err;
	r->flow = o.flow;
	if (expires_s)
		write_contact(r->contact, t, &o.flow);
	write_letter(&l, t, expires_s);
	r->asked_at = clock_mono();
	return sip_send(sip, &r->txn, &o,
			&(struct sip_message){
				.method = SIP_REGISTER,
				.headers = &expires,
				.n_headers = 1,
			},
			on_answer, t);
}

/* ---- when it does not work --------------------------------------------------------- */

/* min(@most, @first * 2^(n - 1)) * U(0.5, 1), in milliseconds. */
static int64_t backoff_ms(unsigned first_s, unsigned n)
{
	int64_t ms = first_s * 1000ll;

	while (--n && ms < BACKOFF_MAX_S * 1000ll)
		ms *= 2;
	if (ms > BACKOFF_MAX_S * 1000ll)
		ms = BACKOFF_MAX_S * 1000ll;
	return ms / 2 + rand_below((uint32_t)(ms / 2) + 1);
}

static bool has_other_good(const struct trunk *t)
{
	struct trunk_way ways[TRUNK_WAYS];
	unsigned n = ways_of(t, ways, TRUNK_WAYS);

	for (unsigned i = 0; i < n; i++) {
		if (ways[i].grade == TRUNK_GOOD &&
		    !addr_equal(&ways[i].remote, &t->reg.way.remote))
			return true;
	}
	return false;
}

/* r->reason says why. */
static void failed(struct trunk *t, int64_t retry_after_s)
{
	struct trunk_reg *r = &t->reg;
	int64_t ms;

	over(t);
	r->state = REG_WAITING;
	r->is_fatal = false;
	r->failed = r->way.remote;
	r->failures++;
	ms = r->failures == 1 && has_other_good(t)
		     ? QUICK_MS + rand_below(QUICK_MS)
		     : backoff_ms(BACKOFF_S, r->failures);
	if (retry_after_s > BACKOFF_MAX_S)
		retry_after_s = BACKOFF_MAX_S;
	if (ms < retry_after_s * 1000)
		ms = retry_after_s * 1000;
	log_limited(LOG_WARN, "trunk.register_failed",
		    kv_s("trunk", t->conf->name), kv_s("text", r->reason),
		    kv_i("retry_ms", ms));
	wait_ms(t, r->again ? QUICK_MS : ms);
	r->again = false;
	trunk_judge(t);
}

static void refused(struct trunk *t, int status)
{
	struct trunk_reg *r = &t->reg;
	const char *user = t->conf->username;

	over(t);
	if ((status == 401 || status == 407) && !t->conf->password)
		snprintf(r->reason, sizeof(r->reason),
			 "the provider asks for a password, and none is "
			 "configured");
	else if (status == 401 || status == 407)
		snprintf(r->reason, sizeof(r->reason),
			 "the provider does not accept user %.60s with this "
			 "password (%d)",
			 user, status);
	else if (status == 404)
		snprintf(r->reason, sizeof(r->reason),
			 "the provider does not know user %.60s (404)", user);
	else
		snprintf(r->reason, sizeof(r->reason),
			 "the provider refuses to register user %.60s (%d)",
			 user, status);
	r->state = REG_WAITING;
	r->is_fatal = true;
	r->failures++;
	log_warn("trunk.refused", kv_s("trunk", t->conf->name),
		 kv_i("status", status), kv_s("text", r->reason));
	wait_ms(t, r->again ? QUICK_MS : backoff_ms(REFUSED_S, r->failures));
	r->again = false;
	trunk_judge(t);
}

static void lose_patience(void *arg)
{
	struct trunk *t = arg;
	struct trunk_host *h = host_by_addr(t, &t->reg.way.remote);

	snprintf(t->reg.reason, sizeof(t->reg.reason), "no answer to REGISTER");
	if (h)
		host_failed(h, BREAKER_SILENT, "REGISTER");
	failed(t, 0);
}

/* ---- when it does -------------------------------------------------------------------- */

static void expired(void *arg)
{
	struct trunk *t = arg;

	t->reg.held[0] = '\0';
	t->reg.wall_until = 0;
	timer_cancel(loop_of(t), &t->reg.keepalive);
	trunk_judge(t);
}

/* For how long it has our contact.  Some name it by another address, and some
 * do not name it at all. */
static unsigned granted_s(const struct trunk *t, const struct sip_view *view)
{
	int64_t s = view->expires;

	if (view->n_contacts == 1 && view->contacts[0].expires >= 0)
		s = view->contacts[0].expires;
	for (unsigned i = 0; i < view->n_contacts; i++) {
		const struct sip_contact *c = &view->contacts[i];
		size_t n = strcspn(t->reg.contact, ";");

		if (strncmp(c->uri, t->reg.contact, n) ||
		    (c->uri[n] && c->uri[n] != ';'))
			continue;
		s = c->expires >= 0 ? c->expires : view->expires;
		break;
	}
	if (s < 0)
		s = t->reg.ask_s ? t->reg.ask_s : t->conf->register_expires_s;
	return s < MOST_EXPIRES_S ? (unsigned)s : MOST_EXPIRES_S;
}

static void take_service_route(struct trunk_reg *r, const struct sip_view *view)
{
	char text[1024];
	struct buf b;

	buf_init(&b, text, sizeof(text));
	for (unsigned i = 0; i < 8; i++) {
		const char *value = sip_view_header(view, "Service-Route", i);

		if (value)
			buf_printf(&b, "%s%s", b.n ? ", " : "", value);
	}
	free(r->service_route);
	r->service_route = b.n && !b.overflow ? strdup(text) : NULL;
}

/* Half of it to nine tenths, and SPARE_S before the end when that is sooner. */
static int64_t refresh_ms(unsigned expires_s)
{
	int64_t ms = expires_s * 1000ll;
	int64_t at = ms / 2 + rand_below((uint32_t)(ms * 2 / 5) + 1);

	if (at > ms - SPARE_S * 1000ll)
		at = ms - SPARE_S * 1000ll;
	if (at < ms / 2)
		at = ms / 2;
	return at < REFRESH_AT_LEAST_S * 1000 ? REFRESH_AT_LEAST_S * 1000 : at;
}

static void granted(struct trunk *t, const struct sip_view *view)
{
	struct trunk_reg *r = &t->reg;
	unsigned s = granted_s(t, view);
	bool was_held = reg_is_held(t) && !strcmp(r->held, r->contact);

	if (!s) {
		snprintf(r->reason, sizeof(r->reason),
			 "the provider answers 200, and keeps nothing");
		failed(t, 0);
		return;
	}
	over(t);
	take_service_route(r, view);
	memcpy(r->held, r->contact, sizeof(r->held));
	r->until = clock_mono() + s * 1000ll;
	r->wall_until = clock_wall() + s * 1000ll;
	r->state = REG_HELD;
	r->failures = 0;
	r->n_longer = 0;
	r->reason[0] = '\0';
	r->seen = view->reply_source;
	if (view->flow.conn)
		r->flow = view->flow;
	memset(&r->failed, 0, sizeof(r->failed));
	timer_set(loop_of(t), &r->expiry, s * 1000ll, expired, t);
	wait_ms(t, r->again ? 0 : refresh_ms(s));
	r->again = false;
	keep_open(t);
	if (!was_held)
		log_info("trunk.registered", kv_s("trunk", t->conf->name),
			 kv_a("host", &r->way.remote), kv_i("expires", s));
	trunk_judge(t);
}

/* 423: ask for as long as it wants to give. */
static bool takes_longer(struct trunk *t, const struct sip_view *view)
{
	const char *text = sip_view_header(view, "Min-Expires", 0);
	struct trunk_reg *r = &t->reg;
	uint64_t min;

	if (!text || str_u64(str_trim(str_of(text)), MOST_EXPIRES_S, &min) ||
	    !min || r->n_longer >= MOST_LONGER)
		return false;
	r->n_longer++;
	r->ask_s = (unsigned)min;
	return true;
}

/* ---- the answer ---------------------------------------------------------------------- */

static void gone(struct trunk *t)
{
	struct trunk_reg *r = &t->reg;

	over(t);
	timer_cancel(loop_of(t), &r->due);
	timer_cancel(loop_of(t), &r->expiry);
	timer_cancel(loop_of(t), &r->keepalive);
	r->held[0] = '\0';
	r->wall_until = 0;
	r->state = REG_GONE;
	if (t->is_leaving)
		trunk_bury(t);
}

static void left(void *arg)
{
	gone(arg);
}

/* The host's part of the news.  False: there was no answer. */
static bool tell_host(struct trunk *t, const struct sip_view *view)
{
	struct trunk_host *h = host_by_addr(t, &t->reg.way.remote);

	if (h && !view->internal) {
		if (view->status == 503 && view->retry_after > 0)
			breaker_out(&h->breaker, view->retry_after,
				    clock_mono());
		host_worked(h, false);
	} else if (h) {
		host_failed(h,
			    view->status == 408 ? BREAKER_SILENT
						: BREAKER_REFUSED,
			    "REGISTER");
	}
	return !view->internal;
}

static void on_answer(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct trunk *t = arg;
	struct trunk_reg *r = &t->reg;
	int status = view->status;
	bool is_answer;

	if (status < 200)
		return;
	if (r->state == REG_LEAVING) {
		gone(t);
		return;
	}
	is_answer = tell_host(t, view);
	if (status < 300) {
		granted(t, view);
	} else if (status == 423 && takes_longer(t, view)) {
		over(t);
		r->state = REG_WAITING;
		wait_ms(t, 0);
	} else if (!is_answer || status == 408 || status / 100 == 5) {
		if (is_answer)
			snprintf(r->reason, sizeof(r->reason),
				 "REGISTER is answered with %d", status);
		else
			snprintf(r->reason, sizeof(r->reason),
				 "REGISTER could not be delivered");
		failed(t, view->retry_after);
	} else {
		refused(t, status);
	}
}

/* ---- asking -------------------------------------------------------------------------- */

static bool is_as_good(const struct trunk_host *a, const struct trunk_host *b)
{
	return a && b && host_is_present(a) &&
	       host_grade(a, clock_mono()) == TRUNK_GOOD &&
	       a->name_priority == b->name_priority &&
	       a->srv_priority == b->srv_priority;
}

/* Where the binding is it stays, while that host is as good as any; else the
 * best one that has not just failed. */
static int choose(struct trunk *t)
{
	struct trunk_reg *r = &t->reg;
	struct trunk_way ways[TRUNK_WAYS];
	unsigned n = ways_of(t, ways, TRUNK_WAYS), best = 0;

	if (!n)
		return -EDESTADDRREQ;
	if (n > 1 && ways[1].grade == TRUNK_GOOD &&
	    addr_equal(&ways[0].remote, &r->failed))
		best = 1;
	if (r->held[0] &&
	    is_as_good(host_by_addr(t, &r->way.remote),
		       host_by_addr(t, &ways[best].remote)) &&
	    !addr_equal(&r->way.remote, &r->failed)) {
		for (unsigned i = 0; i < n; i++) {
			if (addr_equal(&ways[i].remote, &r->way.remote))
				best = i;
		}
	}
	if (ways[best].grade == TRUNK_OUT)
		return -EBUSY;
	r->way = ways[best];
	return 0;
}

static void send_now(void *arg)
{
	struct trunk *t = arg;
	struct trunk_reg *r = &t->reg;
	int err;

	if (!is_allowed(t) || r->txn)
		return;
	err = choose(t);
	if (!err)
		err = send_register(t, r->ask_s ? r->ask_s
						: t->conf->register_expires_s);
	if (!err) {
		r->state = REG_ASKING;
		timer_set(loop_of(t), &r->patience, TRUNK_PATIENCE_MS,
			  lose_patience, t);
		return;
	}
	snprintf(r->reason, sizeof(r->reason), "%s",
		 err == -EDESTADDRREQ
			 ? "the provider's address is not known yet"
		 : err == -EBUSY
			 ? "the provider asked to be left alone"
			 : "we have no address or route to the provider");
	failed(t, 0);
}

void reg_kick(struct trunk *t, int64_t in_ms)
{
	if (!is_allowed(t))
		return;
	if (t->reg.txn)
		t->reg.again = true;
	else if (!timer_armed(&t->reg.due) ||
		 t->reg.due.due > clock_mono() + in_ms)
		wait_ms(t, in_ms);
}

void reg_doubt(struct trunk *t)
{
	if (t->reg.state == REG_HELD &&
	    clock_mono() - t->reg.asked_at >= DOUBT_MS)
		reg_kick(t, 0);
}

void reg_host_up(struct trunk *t)
{
	struct trunk_reg *r = &t->reg;

	if (r->state == REG_OFF || (r->state == REG_WAITING && !r->is_fatal))
		reg_kick(t, rand_below(QUICK_MS));
}

void reg_host_back(const struct trunk_host *h)
{
	const struct trunk_reg *r = &h->trunk->reg;

	if (r->state == REG_HELD && addr_equal(&r->way.remote, &h->remote))
		reg_kick(h->trunk, rand_below(QUICK_MS));
}

void reg_seen(struct trunk *t, const struct trunk_host *h,
	      const struct addr *seen)
{
	const struct trunk_reg *r = &t->reg;

	if (r->state != REG_HELD || h->transport != SIP_UDP ||
	    !addr_equal(&h->remote, &r->way.remote) || !addr_is_set(seen) ||
	    !addr_is_set(&r->seen) || addr_equal(seen, &r->seen))
		return;
	reg_doubt(t);
}

void reg_check_contact(struct trunk *t)
{
	struct trunk_reg *r = &t->reg;
	char now[CONTACT_BYTES];
	struct sip_flow flow;

	if (r->state == REG_WAITING && !r->is_fatal)
		reg_kick(t, 0);
	if (r->state != REG_HELD && r->state != REG_ASKING)
		return;
	if (sip_flow_to(t->owner->conf.sip, t->conf->realm, r->way.transport,
			&r->way.remote, &flow))
		return; /* another address may be on its way */
	write_contact(now, t, &flow);
	if (strcmp(now, r->contact))
		reg_kick(t, 0);
}

/* ---- life ---------------------------------------------------------------------------- */

void reg_init(struct trunk *t)
{
	rand_token(t->reg.call_id, sizeof(t->reg.call_id) - 1);
	rand_token(t->reg.from_tag, sizeof(t->reg.from_tag) - 1);
	t->reg.cseq = 1 + rand_below(1u << 20);
}

void reg_leave(struct trunk *t)
{
	struct trunk_reg *r = &t->reg;
	bool may_be_held = r->held[0] || r->txn;

	if (r->state == REG_LEAVING || r->state == REG_GONE)
		return;
	over(t);
	timer_cancel(loop_of(t), &r->due);
	r->state = REG_LEAVING;
	if (!may_be_held || send_register(t, 0)) {
		gone(t);
		return;
	}
	timer_set(loop_of(t), &r->patience, LEAVE_MS, left, t);
}

void reg_clear(struct trunk *t)
{
	struct trunk_reg *r = &t->reg;

	over(t);
	timer_cancel(loop_of(t), &r->due);
	timer_cancel(loop_of(t), &r->expiry);
	timer_cancel(loop_of(t), &r->keepalive);
	free(r->service_route);
	r->service_route = NULL;
}
