/*
 * leg_timer.c - session timers (RFC 4028), on each leg by itself
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who is alive says so within the interval that was agreed in the last 2xx to
 * INVITE or UPDATE.  Where the choice is ours we are the refresher: then a call
 * ends because its peer is known to be gone, and never because it forgot.
 *
 *   we refresh:   after half of it, by UPDATE without offer, else by a
 *                 re-INVITE that repeats what we said last
 *   the peer:     BYE at its end less a third, 32 s at most (10)
 *
 * Nothing of it is told to the other leg, or touches media.  A peer that knows
 * no timers is left alone.
 */
#include <stdio.h>
#include <strings.h>

#include "leg/leg_priv.h"

enum {
	WANT_S = 1800, /* without a policy */
	MIN_S = 90,
	FLOOR_S = 20, /* what peers grant may be nonsense */
	CEIL_S = 86400,
	RETRY_MIN_MS = 5000,
};

void session_init(struct leg *leg, const struct conf_policy *policy)
{
	leg->session.want_s = policy ? policy->session_expires_s : WANT_S;
	leg->session.min_s =
		policy && policy->min_se_s ? policy->min_se_s : MIN_S;
}

/* ---- what messages say --------------------------------------------------- */

static bool has_tag(const struct sip_view *view, const char *header)
{
	const char *tag;

	for (unsigned i = 0; (tag = sip_view_header(view, header, i)); i++)
		if (!strcasecmp(tag, "timer"))
			return true;
	return false;
}

/* delta-seconds, and what stands after them. */
static unsigned seconds(const char *text, struct str *params)
{
	struct str rest = str_of(text);
	struct str number = str_trim(str_cut(&rest, ';'));
	uint64_t n;

	if (params)
		*params = rest;
	if (!text || str_u64(number, UINT32_MAX, &n))
		return 0;
	return n > CEIL_S ? CEIL_S : (unsigned)n;
}

static enum refresher refresher_of(struct str params)
{
	while (params.n) {
		struct str value = str_cut(&params, ';');
		struct str name = str_trim(str_cut(&value, '='));

		value = str_trim(value);
		if (!str_case_eq_c(name, "refresher"))
			continue;
		if (str_case_eq_c(value, "uac"))
			return REFRESH_UAC;
		if (str_case_eq_c(value, "uas"))
			return REFRESH_UAS;
	}
	return REFRESH_ANY;
}

void session_read(struct session_says *out, const char *expires,
		  const char *min)
{
	struct str params;

	out->min_s = seconds(min, NULL);
	out->expires_s = seconds(expires, &params);
	out->refresher = refresher_of(params);
}

static struct session_says read_says(const struct sip_view *view)
{
	struct session_says says = {
		.knows = has_tag(view, "Supported") || has_tag(view, "Require"),
	};

	session_read(&says, sip_view_header(view, "Session-Expires", 0),
		     sip_view_header(view, "Min-SE", 0));
	return says;
}

/* ---- the peer asks --------------------------------------------------------- */

void session_answer(const struct leg_session *s,
		    const struct session_says *says, struct session_deal *out)
{
	unsigned expires = says->expires_s;

	*out = (struct session_deal){.ours = true};
	if (!expires && says->knows) {
		expires = s->expires_s ? s->expires_s : s->want_s;
		if (expires && expires < says->min_s)
			expires = says->min_s;
	}
	if (!expires) { /* what we do of ourselves goes on */
		out->expires_s = s->ours ? s->expires_s : 0;
		return;
	}
	if (expires < s->min_s) {
		/* Only who knows 422 may be told so (9). */
		if (says->knows) {
			out->status = 422;
			return;
		}
		expires = s->min_s;
	}
	out->expires_s = expires;
	out->ours = !says->knows || says->refresher != REFRESH_UAC;
	out->told = true;
}

int session_hear(struct leg *leg, const struct sip_view *view)
{
	struct session_says says = read_says(view);

	session_answer(&leg->session, &says, &leg->session.deal);
	return leg->session.deal.status;
}

static void put(struct session_headers *out, const char *name,
		const char *value)
{
	out->list[out->n++] = (struct sip_header){name, value};
}

void session_refuse(const struct leg *leg, struct session_headers *out)
{
	out->n = 0;
	snprintf(out->min, sizeof(out->min), "%u", leg->session.min_s);
	put(out, "Min-SE", out->min);
}

static void start(struct leg *leg, unsigned expires_s, bool ours);

void session_grant(struct leg *leg, struct session_headers *out)
{
	const struct session_deal *deal = &leg->session.deal;

	out->n = 0;
	put(out, "Supported", "timer, replaces, norefersub");
	/* The 2xx to the INVITE will say. */
	if (leg->state < LEG_ANSWERED)
		return;
	if (deal->told) {
		snprintf(out->expires, sizeof(out->expires), "%u;refresher=%s",
			 deal->expires_s, deal->ours ? "uas" : "uac");
		put(out, "Session-Expires", out->expires);
		if (!deal->ours)
			put(out, "Require", "timer");
	}
	start(leg, deal->expires_s, deal->ours);
}

/* ---- we ask ------------------------------------------------------------------ */

void session_ask(const struct leg *leg, struct session_headers *out)
{
	const struct leg_session *s = &leg->session;
	bool first = leg->state < LEG_ANSWERED;
	unsigned expires = first ? s->want_s : s->expires_s;

	out->n = 0;
	put(out, "Supported", "timer, replaces, norefersub");
	if (!expires)
		return;
	if (expires < s->min_s)
		expires = s->min_s;
	/* The roles stay as they are; at first the peer chooses (7.1). */
	snprintf(out->expires, sizeof(out->expires), "%u%s", expires,
		 first     ? ""
		 : s->ours ? ";refresher=uac"
			   : ";refresher=uas");
	snprintf(out->min, sizeof(out->min), "%u", s->min_s);
	put(out, "Session-Expires", out->expires);
	put(out, "Min-SE", out->min);
}

void session_granted(struct leg *leg, const struct sip_view *view)
{
	struct session_says says = read_says(view);
	unsigned expires = says.expires_s;

	leg->session.raised = false;
	if (leg->state < LEG_ANSWERED) /* the 2xx to the INVITE will say */
		return;
	if (expires && expires < FLOOR_S)
		expires = FLOOR_S;
	start(leg, expires, says.refresher != REFRESH_UAS);
}

bool session_raise(struct leg *leg, struct sip_txn **txn,
		   const struct sip_view *view, sip_response_fn fn)
{
	struct leg_session *s = &leg->session;
	struct session_says says = read_says(view);
	struct session_headers h;
	struct sip_txn *again;

	if (view->status != 422 || s->raised || says.min_s <= s->min_s ||
	    leg->state > LEG_UP)
		return false;
	s->raised = true;
	s->min_s = says.min_s;
	session_ask(leg, &h);
	/* Supported, the first, stands there already. */
	if (sip_dialog_again(leg->dialog, &again, *txn, h.list + 1, h.n - 1, fn,
			     leg))
		return false;
	sip_txn_release(*txn);
	*txn = again;
	return true;
}

/* ---- the timer ---------------------------------------------------------------- */

static void due(void *arg);

static void start(struct leg *leg, unsigned expires_s, bool ours)
{
	struct leg_session *s = &leg->session;
	int64_t ms = 1000ll * expires_s;

	s->expires_s = expires_s;
	s->ours = ours;
	if (!expires_s) {
		timer_cancel(leg->conf.loop, &s->timer);
		return;
	}
	if (ours)
		ms /= 2;
	else
		ms -= ms / 3 < 32000 ? ms / 3 : 32000;
	timer_set(leg->conf.loop, &s->timer, ms, due, leg);
}

static void retry(struct leg *leg, int64_t ms)
{
	if (leg->session.expires_s)
		timer_set(leg->conf.loop, &leg->session.timer,
			  ms < RETRY_MIN_MS ? RETRY_MIN_MS : ms, due, leg);
}

/* Time for some tries before the peer gives up. */
static int64_t retry_ms(const struct leg *leg)
{
	return 1000ll * leg->session.expires_s / 16;
}

static void refreshed(void *arg, struct sip_txn *txn,
		      const struct sip_view *view)
{
	struct leg *leg = arg;
	struct leg_session *s = &leg->session;
	int status = view->status;

	if (status < 200 || session_raise(leg, &s->refresh, view, refreshed))
		return;
	sip_txn_release(s->refresh);
	s->refresh = NULL;
	if (status < 300) {
		change_note(leg, view);
		sip_dialog_retarget(leg->dialog, view);
		session_granted(leg, view);
	} else if (status == 408 || status == 481) {
		leg_give_up(leg, NULL, 0, "gone");
	} else if (status == 405 || status == 501) {
		s->no_update = true;
		own_refresh(leg);
	} else if (status == 491 || status == 500) {
		retry(leg, own_backoff_ms(leg));
	}
}

static void send_update(struct leg *leg)
{
	struct session_headers h;
	struct sip_message m = {
		.method = SIP_UPDATE,
		.contact = true,
		.headers = h.list,
	};

	session_ask(leg, &h);
	m.n_headers = h.n;
	/* When it cannot be sent, there is a next time. */
	leg_request(leg, &leg->session.refresh, &m, refreshed);
}

static void due(void *arg)
{
	struct leg *leg = arg;
	struct leg_session *s = &leg->session;

	if (!s->ours) {
		leg_give_up(leg,
			    "Q.850;cause=102;text=\"Recovery on timer expiry\"",
			    0, "session-expired");
		return;
	}
	retry(leg, retry_ms(leg));
	if (leg->state != LEG_UP || s->refresh)
		return;
	if (leg_allows(leg, SIP_UPDATE) && !s->no_update)
		send_update(leg);
	else
		own_refresh(leg);
}

void session_release(struct leg *leg)
{
	struct leg_session *s = &leg->session;

	timer_cancel(leg->conf.loop, &s->timer);
	sip_txn_release(s->refresh);
	s->refresh = NULL;
	s->expires_s = 0;
}
