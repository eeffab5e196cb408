/*
 * upstream_send.c - the trunk's side of registrations that a trunk owns: the
 * queue, the REGISTER, its answer, and whether the trunk is there
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * At most IN_FLIGHT requests wait for a trunk's answer; the phones' go before
 * those that nobody waits for.  A trunk from which nothing was heard for
 * SILENT_MS is away: then nothing is sent but one try now and then, with the
 * back-off of RFC 5626 4.5, and when a phone asks that long after the last.
 *
 *   up_trunk_queue() -> queue -> up_trunk_pump() -> on_answer() -> settle
 *                         ^                            | 401, 423
 *                         '----------------------------'
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/alarm.h"
#include "core/log.h"
#include "core/rand.h"
#include "registrar/upstream.h"

enum {
	IN_FLIGHT = 300,
	SILENT_MS = 5000,
	PACE_MS = 100,
	BACKOFF_MS = 30000,
	BACKOFF_MAX_MS = 1800000,
	/* No longer than phones live on what they are granted meanwhile. */
	ASKED_MS = 120000,
	MAX_TRIES = 4,
	MOST_EXPIRES_S = 604800,
	URI_BYTES = LIMIT_USER_BYTES + TOKEN_MAX + 320,
	/* So that CSeq fits into 31 bits (RFC 3261 8.1.1.5) until 2088. */
	CSEQ_EPOCH_S = 1600000000,
};

/* ---- trunks ------------------------------------------------------------------------- */

struct up_trunk *up_trunk_get(struct registrar *reg, const char *name)
{
	struct up_trunk *t;

	list_for_each (pos, &reg->up.trunks) {
		t = list_entry(pos, struct up_trunk, node);
		if (!strcmp(t->name, name))
			return t;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->reg = reg;
	str_copy(t->name, sizeof(t->name), str_of(name));
	list_init(&t->queue[0]);
	list_init(&t->queue[1]);
	list_append(&reg->up.trunks, &t->node);
	return t;
}

void up_trunk_free(struct up_trunk *t)
{
	timer_cancel(t->reg->conf.loop, &t->retry);
	timer_cancel(t->reg->conf.loop, &t->pace);
	list_remove(&t->node);
	free(t);
}

static void tell_alarm(const struct registrar *reg)
{
	char text[120];
	struct buf b;

	buf_init(&b, text, sizeof(text));
	list_for_each (pos, &reg->up.trunks) {
		const struct up_trunk *t =
			list_entry(pos, struct up_trunk, node);

		if (t->is_down)
			buf_printf(&b, "%s%s", b.n ? ", " : "", t->name);
	}
	if (b.n)
		alarm_raise("registrar-unreachable", ALARM_MAJOR,
			    "no answer from the registrar: %s", text);
	else
		alarm_clear("registrar-unreachable");
}

static void retry(void *arg);

/* min(1800 s, 30 s * 2^n) * U(0.5, 1) (RFC 5626 4.5). */
static int64_t backoff_ms(unsigned failures)
{
	int64_t ms = BACKOFF_MS;

	while (--failures && ms < BACKOFF_MAX_MS)
		ms *= 2;
	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	return ms / 2 + rand_below((uint32_t)(ms / 2) + 1);
}

static void set_down(struct up_trunk *t)
{
	int64_t ms = backoff_ms(++t->failures);

	t->tried = clock_mono();
	timer_set(t->reg->conf.loop, &t->retry, ms, retry, t);
	if (t->is_down)
		return;
	t->is_down = true;
	log_warn("upstream.down", kv_s("trunk", t->name), kv_i("retry_ms", ms));
	tell_alarm(t->reg);
}

/* @r got no answer: that is news, unless it is known to be away. */
static void lost_one(struct up_trunk *t, struct up_reg *r)
{
	if (!t->is_down || r->is_try)
		set_down(t);
	r->is_try = false;
}

static void set_up(struct up_trunk *t)
{
	t->failures = 0;
	if (!t->is_down)
		return;
	t->is_down = false;
	timer_cancel(t->reg->conf.loop, &t->retry);
	log_info("upstream.up", kv_s("trunk", t->name));
	tell_alarm(t->reg);
	upstream_refill(t);
}

static void retry(void *arg)
{
	struct up_trunk *t = arg;

	t->tried = clock_mono();
	timer_set(t->reg->conf.loop, &t->retry, backoff_ms(t->failures), retry,
		  t);
	/* With nothing to tell it, the next phone finds out; unless what it
	 * was told before it went may be answered yet. */
	if (upstream_try_one(t))
		up_trunk_pump(t);
	else if (!t->in_flight)
		set_up(t);
}

void up_trunk_asked(struct up_trunk *t)
{
	if (t->is_down && clock_mono() - t->tried >= ASKED_MS)
		retry(t);
	up_trunk_pump(t);
}

void up_trunk_heard(struct up_trunk *t)
{
	t->heard = clock_mono();
	set_up(t);
}

/* ---- the request ---------------------------------------------------------------------- */

/* One REGISTER's texts. */
struct letter {
	char host[264], target[280], contact[2 * URI_BYTES], path[URI_BYTES];
	char expires[16], secret[1024];
	struct sip_header headers[4];
	unsigned n;
};

static void add(struct letter *l, const char *name, const char *value)
{
	l->headers[l->n++] = (struct sip_header){name, value};
}

static void put_uri(struct buf *b, const struct sip_flow *flow,
		    const char *token, const char *parameters)
{
	char host[ADDR_TEXT_MAX];

	buf_printf(b, "<sip:%s@%s:%u%s%s>", token,
		   addr_fmt_uri(&flow->local, host), addr_port(&flow->local),
		   flow->transport == SIP_TCP ? ";transport=tcp" : "",
		   parameters);
}

static void write_contact(struct letter *l, const struct up_reg *r,
			  const struct sip_flow *flow)
{
	struct buf b;

	buf_init(&b, l->contact, sizeof(l->contact));
	if (r->replaced[0]) {
		put_uri(&b, flow, r->replaced, ";ob");
		buf_puts(&b, ";expires=0, ");
	}
	put_uri(&b, flow, r->token, ";ob");
	buf_printf(&b, ";expires=%s", l->expires);
}

static int host_of(const struct registrar *reg, const struct conf_trunk *trunk,
		   struct addr *out)
{
	if (reg->conf.trunk_host)
		return reg->conf.trunk_host(reg->conf.arg, trunk->name, out);
	*out = trunk->host;
	return addr_is_set(out) ? 0 : -EHOSTUNREACH;
}

static void write_hosts(struct letter *l, const struct conf_realm *realm,
			const struct addr *to)
{
	char host[ADDR_TEXT_MAX];

	if (realm && realm->domain[0]) {
		snprintf(l->host, sizeof(l->host), "%s", realm->domain);
		snprintf(l->target, sizeof(l->target), "sip:%s", l->host);
		return;
	}
	snprintf(l->host, sizeof(l->host), "%s", addr_fmt_uri(to, host));
	snprintf(l->target, sizeof(l->target), "sip:%s:%u", l->host,
		 addr_port(to));
}

static void write_letter(struct letter *l, struct up_reg *r,
			 const struct conf_trunk *trunk,
			 const struct conf_phone *phone,
			 const struct sip_flow *flow)
{
	struct up_trunk *t = r->trunk;
	struct sip_header secret;
	struct buf b;

	l->n = 0;
	write_hosts(l, config_realm(r->reg->config, r->realm), &flow->remote);
	snprintf(l->expires, sizeof(l->expires), "%u",
		 r->is_del ? 0 : r->ask_s);
	write_contact(l, r, flow);
	add(l, "Expires", l->expires);
	if (trunk->path) {
		buf_init(&b, l->path, sizeof(l->path));
		put_uri(&b, flow, r->token, ";lr;ob");
		add(l, "Path", l->path);
		add(l, "Supported", "path");
	}
	if (t->is_challenged &&
	    !sip_challenge_answer(&t->challenged, SIP_REGISTER, l->target,
				  phone->auth_user, phone->password, l->secret,
				  sizeof(l->secret), &secret))
		add(l, secret.name, secret.value);
}

static void on_answer(void *arg, struct sip_txn *txn,
		      const struct sip_view *view);

/* A fresh CSeq, greater than any before, also those of an earlier process. */
static uint32_t next_cseq(struct up_reg *r)
{
	uint32_t now = (uint32_t)(clock_wall() / 1000 - CSEQ_EPOCH_S);

	r->cseq = now > r->cseq ? now : r->cseq + 1;
	return r->cseq;
}

static int send_one(struct up_reg *r)
{
	struct registrar *reg = r->reg;
	const struct conf_trunk *trunk =
		config_trunk(reg->config, r->trunk->name);
	const struct conf_phone *phone = config_phone(reg->config, r->phone);
	char call_id[TOKEN_CALL_ID_MAX];
	struct addr host;
	struct letter l;
	struct sip_out o;
	int err;

	if (!trunk || !phone)
		return -ENOENT;
	o = (struct sip_out){
		.target = l.target,
		.from_user = phone->user,
		.from_host = l.host,
		.to_user = phone->user,
		.to_host = l.host,
		.call_id = call_id,
		.contact = l.contact,
	};
	err = host_of(reg, trunk, &host);
	if (!err)
		err = sip_flow_to(reg->conf.sip, trunk->realm,
				  trunk->transport == CONF_TCP ? SIP_TCP
							       : SIP_UDP,
				  &host, &o.flow);
	if (!err)
		err = token_call_id(reg->up.key, r->id, r->issued, call_id);
	if (err)
		return err;
	write_letter(&l, r, trunk, phone, &o.flow);
	o.cseq = next_cseq(r);
	return sip_send(reg->conf.sip, &r->txn, &o,
			&(struct sip_message){
				.method = SIP_REGISTER,
				.headers = l.headers,
				.n_headers = l.n,
			},
			on_answer, r);
}

/* ---- the queue -------------------------------------------------------------------------- */

static void enqueue(struct up_reg *r, bool first)
{
	struct up_trunk *t = r->trunk;
	struct list *queue = &t->queue[!r->waits];

	if (first)
		list_prepend(queue, &r->queued);
	else
		list_append(queue, &r->queued);
	t->n_queued++;
}

void up_trunk_queue(struct up_reg *r, bool is_del)
{
	r->is_del = is_del;
	r->is_fresh = false;
	r->tries = 0;
	enqueue(r, false);
}

static struct up_reg *dequeue(struct up_trunk *t)
{
	struct list *queue = &t->queue[list_empty(&t->queue[0])];
	struct up_reg *r;

	if (list_empty(queue))
		return NULL;
	r = list_entry(queue->next, struct up_reg, queued);
	list_remove(&r->queued);
	t->n_queued--;
	return r;
}

static void lose_patience(void *arg)
{
	struct up_reg *r = arg;
	struct up_trunk *t = r->trunk;

	if (t->heard <= r->cache.sent)
		lost_one(t, r);
	upstream_silent(r);
	up_trunk_pump(t); /* it is away: what is queued is told so */
}

static void over(struct up_reg *r)
{
	timer_cancel(r->reg->conf.loop, &r->patience);
	sip_txn_release(r->txn);
	if (r->txn)
		r->trunk->in_flight--;
	r->txn = NULL;
}

void up_trunk_forget(struct up_reg *r)
{
	if (!list_empty(&r->queued)) {
		list_remove(&r->queued);
		r->trunk->n_queued--;
	}
	over(r);
}

static void pace(void *arg)
{
	up_trunk_pump(arg);
}

void up_trunk_soon(struct up_trunk *t)
{
	if (!timer_armed(&t->pace))
		timer_set(t->reg->conf.loop, &t->pace, 0, pace, t);
}

/* False: not now, the stack is busy. */
static bool start(struct up_trunk *t, struct up_reg *r)
{
	int err = send_one(r);

	if (err == -EAGAIN) {
		enqueue(r, true);
		timer_set(t->reg->conf.loop, &t->pace, PACE_MS, pace, t);
		return false;
	}
	if (err) {
		log_limited(LOG_WARN, "upstream.unsent", kv_s("trunk", t->name),
			    kv_s("phone", r->phone), kv_i("errno", -err));
		if (err != -ENOENT)
			lost_one(t, r);
		upstream_settle(r, UP_FAILED, 0);
		return true;
	}
	t->in_flight++;
	r->tries++;
	r->cache.sent = clock_mono();
	timer_set(t->reg->conf.loop, &r->patience, SILENT_MS, lose_patience, r);
	return true;
}

/* While the trunk is away one alone is under way. */
void up_trunk_pump(struct up_trunk *t)
{
	while (t->in_flight < IN_FLIGHT && !timer_armed(&t->pace)) {
		struct up_reg *r = dequeue(t);

		if (!r)
			break;
		if (t->is_down && !r->is_try)
			upstream_settle(r, UP_FAILED, 0);
		else if (!start(t, r))
			break;
	}
}

/* ---- the answer -------------------------------------------------------------------------- */

/* Challenged: try again, unless the answer to this very challenge was wrong. */
static bool answers_challenge(struct up_reg *r, const struct sip_view *view)
{
	struct up_trunk *t = r->trunk;
	struct sip_challenged c = {0};

	if (sip_challenge_take(&c, view) || r->tries >= MAX_TRIES ||
	    (r->is_fresh && !c.stale))
		return false;
	t->challenged = c;
	t->is_challenged = true;
	r->is_fresh = true;
	return true;
}

/* 423: ask for as long as it wants to give. */
static bool takes_longer(struct up_reg *r, const struct sip_view *view)
{
	const char *text = sip_view_header(view, "Min-Expires", 0);
	uint64_t min;

	if (r->is_del || r->tries >= MAX_TRIES || !text ||
	    str_u64(str_trim(str_of(text)), MOST_EXPIRES_S, &min) ||
	    min <= r->ask_s)
		return false;
	r->ask_s = r->trunk->min_expires_s = (unsigned)min;
	return true;
}

/* For how long the trunk has our contact; 0 = it has not. */
static unsigned granted_s(const struct up_reg *r, const struct sip_view *view)
{
	for (unsigned i = 0; i < view->n_contacts; i++) {
		const struct sip_contact *c = &view->contacts[i];
		int64_t s = c->expires >= 0 ? c->expires : view->expires;

		if (!strstr(c->uri, r->token))
			continue;
		if (s < 0)
			s = r->ask_s;
		return s < MOST_EXPIRES_S ? (unsigned)s : MOST_EXPIRES_S;
	}
	return 0;
}

static void take_service_route(struct up_reg *r, const struct sip_view *view)
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

/* May free @r. */
static void granted(struct up_reg *r, const struct sip_view *view)
{
	struct registrar *reg = r->reg;
	const struct conf_trunk *trunk =
		config_trunk(reg->config, r->trunk->name);
	char phone[LIMIT_NAME_BYTES];
	bool is_del = r->is_del;
	uint64_t id = r->id;

	str_copy(phone, sizeof(phone), str_of(r->phone));
	if (!is_del) {
		take_service_route(r, view);
		r->replaced[0] = '\0';
	}
	upstream_settle(r, UP_GRANTED, granted_s(r, view));
	if (!is_del)
		handover_look(reg, phone, id, trunk, view);
}

static void judge(struct up_reg *r, const struct sip_view *view)
{
	if (view->status < 300) {
		granted(r, view);
	} else if (view->status == 408 || view->internal) {
		upstream_settle(r, UP_FAILED_MAYBE, 0);
	} else if (view->status >= 500 && view->status < 600) {
		upstream_settle(r, UP_FAILED, 0);
	} else {
		log_limited(LOG_WARN, "upstream.refused",
			    kv_s("trunk", r->trunk->name),
			    kv_s("phone", r->phone),
			    kv_i("status", view->status));
		upstream_settle(r, UP_REFUSED, (unsigned)view->status);
	}
}

static void on_answer(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct up_reg *r = arg;
	struct up_trunk *t = r->trunk;
	mono_ms sent = r->cache.sent;
	int status = view->status;
	bool lost = view->internal && t->heard <= sent;

	if (!view->internal)
		t->heard = clock_mono();
	if (status < 200)
		return;
	over(r);
	if (lost || (!view->internal && status == 503))
		lost_one(t, r);
	else if (!view->internal)
		set_up(t);
	r->is_try = false;
	if (((status == 401 || status == 407) && answers_challenge(r, view)) ||
	    (status == 423 && takes_longer(r, view)))
		enqueue(r, true);
	else
		judge(r, view);
	up_trunk_pump(t);
}
