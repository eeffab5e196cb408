/*
 * view.c - what the other rooms see of a message
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A read-only picture: texts point into the library's message or are written
 * into its memory, so both die together.
 */
#include <errno.h>
#include <string.h>

#include <sofia-sip/msg_buffer.h>
#include <sofia-sip/url.h>

#include "sip/stack.h"

static const struct {
	sip_method_t number;
	enum sip_method method;
} methods[] = {
	{sip_method_invite, SIP_INVITE},
	{sip_method_ack, SIP_ACK},
	{sip_method_cancel, SIP_CANCEL},
	{sip_method_bye, SIP_BYE},
	{sip_method_options, SIP_OPTIONS},
	{sip_method_register, SIP_REGISTER},
	{sip_method_info, SIP_INFO},
	{sip_method_prack, SIP_PRACK},
	{sip_method_update, SIP_UPDATE},
	{sip_method_subscribe, SIP_SUBSCRIBE},
	{sip_method_notify, SIP_NOTIFY},
	{sip_method_message, SIP_MESSAGE},
	{sip_method_refer, SIP_REFER},
	{sip_method_publish, SIP_PUBLISH},
};

enum sip_method method_of(sip_method_t m)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (methods[i].number == m)
			return methods[i].method;
	return SIP_UNKNOWN;
}

/* Seconds, clamped to 32 bits; -1 when it is no number (RFC 3261 20.19: to be
 * taken as the default). */
static int64_t seconds(const char *text)
{
	struct str s = str_of(text);
	uint64_t n;
	int err;

	if (!text)
		return -1;
	err = str_u64(s, UINT32_MAX, &n);
	if (err == -ERANGE)
		return UINT32_MAX;
	return err ? -1 : (int64_t)n;
}

/* @user without its escapes: what a phone writes as "*21%23" is "*21#". */
static const char *unescaped(su_home_t *home, const char *user)
{
	char *out;

	if (!user || !strchr(user, '%'))
		return user;
	out = su_strdup(home, user);
	if (!out)
		return user;
	url_unescape(out, user);
	for (const char *p = out; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return user;
	}
	/* A NUL among them would have cut it short. */
	return strstr(user, "%00") ? user : out;
}

static void uri_fill(struct sip_uri *out, su_home_t *home, const url_t *url)
{
	uint64_t port;

	out->scheme = url->url_scheme ? url->url_scheme : "";
	out->user = unescaped(home, url->url_user);
	out->host = url->url_host ? url->url_host : "";
	out->port = 0;
	if (url->url_port && !str_u64(str_of(url->url_port), 65535, &port))
		out->port = (uint16_t)port;
}

/* A copy of @text without the quotes around it and the escapes in it. */
static const char *unquoted(su_home_t *home, const char *text)
{
	size_t n = text ? strlen(text) : 0;
	char *out, *w;

	if (!n)
		return NULL;
	if (n < 2 || text[0] != '"' || text[n - 1] != '"')
		return text;
	out = w = su_alloc(home, (isize_t)n);
	if (!out)
		return NULL;
	for (size_t i = 1; i < n - 1; i++) {
		if (text[i] == '\\' && i + 1 < n - 1)
			i++;
		*w++ = text[i];
	}
	*w = '\0';
	return *out ? out : NULL;
}

/* The value of parameter @name= of a list of "name=value". */
static const char *param(const msg_param_t *params, const char *name)
{
	return params ? msg_params_find(params, name) : NULL;
}

/* "0.75" in thousandths; nonsense is as good as nothing (RFC 3261 25.1). */
static unsigned per_mille(const char *q)
{
	unsigned n = 0, digit = 1000;

	if (!q || (*q != '0' && *q != '1'))
		return 1000;
	n = *q == '1' ? 1000 : 0;
	if (q[1] != '.')
		return n;
	for (q += 2; *q >= '0' && *q <= '9' && digit > 1; q++) {
		digit /= 10;
		n += (unsigned)(*q - '0') * digit;
	}
	return n > 1000 ? 1000 : n;
}

static int contact_fill(struct sip_contact *out, su_home_t *home,
			const sip_contact_t *m)
{
	const char *reg_id = param(m->m_params, "reg-id=");
	uint64_t n;

	out->uri = url_as_string(home, m->m_url);
	if (!out->uri)
		return -ENOMEM;
	out->expires = seconds(m->m_expires);
	out->instance = unquoted(home, param(m->m_params, "+sip.instance="));
	out->q = per_mille(m->m_q);
	out->reg_id = 0;
	if (reg_id && !str_u64(str_of(reg_id), INT32_MAX, &n))
		out->reg_id = (uint32_t)n;
	out->ob = m->m_url->url_params && url_has_param(m->m_url, "ob");
	return 0;
}

static int contacts_fill(struct sip_view *v, su_home_t *home, const sip_t *s)
{
	const sip_contact_t *m;
	unsigned n = 0;
	int err;

	for (m = s->sip_contact; m; m = m->m_next) {
		if (m->m_url->url_type == url_any)
			v->contact_star = true;
		else
			n++;
	}
	if (!n)
		return 0;
	/* One more than anybody takes shows that there were too many. */
	if (n > LIMIT_CONTACTS + 1)
		n = LIMIT_CONTACTS + 1;
	v->contacts = su_zalloc(home, (isize_t)(n * sizeof(*v->contacts)));
	if (!v->contacts)
		return -ENOMEM;
	for (m = s->sip_contact; m && v->n_contacts < n; m = m->m_next) {
		if (m->m_url->url_type == url_any)
			continue;
		err = contact_fill(&v->contacts[v->n_contacts], home, m);
		if (err)
			return err;
		v->n_contacts++;
	}
	return 0;
}

static int path_fill(struct sip_view *v, su_home_t *home, const sip_t *s)
{
	const sip_path_t *p;
	char *text = NULL;

	for (p = s->sip_path; p; p = p->r_next) {
		const char *uri = url_as_string(home, p->r_url);

		if (!uri)
			return -ENOMEM;
		text = text ? su_sprintf(home, "%s, <%s>", text, uri)
			    : su_sprintf(home, "<%s>", uri);
		if (!text)
			return -ENOMEM;
	}
	v->path = text;
	return 0;
}

static void body_fill(struct sip_view *v, const sip_t *s)
{
	if (!s->sip_payload || !s->sip_payload->pl_len)
		return;
	v->body.p = s->sip_payload->pl_data;
	v->body.n = s->sip_payload->pl_len;
	v->content_type = s->sip_content_type && s->sip_content_type->c_type
				  ? s->sip_content_type->c_type
				  : "";
}

static void addresses_fill(struct sip_view *v, su_home_t *home, const sip_t *s)
{
	if (s->sip_from) {
		uri_fill(&v->from, home, s->sip_from->a_url);
		v->from_display = unquoted(home, s->sip_from->a_display);
		v->from_tag = s->sip_from->a_tag;
	}
	if (s->sip_to) {
		uri_fill(&v->to, home, s->sip_to->a_url);
		v->to_tag = s->sip_to->a_tag;
	}
}

static void numbers_fill(struct sip_view *v, const sip_t *s)
{
	const sip_max_forwards_t *mf = s->sip_max_forwards;

	v->cseq = s->sip_cseq ? s->sip_cseq->cs_seq : 0;
	v->max_forwards = mf ? (int)(mf->mf_count & 0xff) : -1;
	v->expires = -1;
	if (s->sip_expires)
		v->expires = s->sip_expires->ex_delta > UINT32_MAX
				     ? UINT32_MAX
				     : (int64_t)s->sip_expires->ex_delta;
	if (s->sip_rseq && s->sip_status)
		v->rseq = s->sip_rseq->rs_response;
	if (s->sip_rack && s->sip_request)
		v->rack = (struct sip_rack){
			.rseq = s->sip_rack->ra_response,
			.cseq = s->sip_rack->ra_cseq,
			.method = method_of(s->sip_rack->ra_method),
		};
	v->retry_after = -1;
	if (s->sip_retry_after)
		v->retry_after = (int64_t)s->sip_retry_after->af_delta;
	v->content_length = -1;
	if (s->sip_content_length)
		v->content_length = (int64_t)s->sip_content_length->l_length;
}

/* The parser leaves what Content-Length does not count (RFC 3261 18.3). */
static bool has_surplus(const msg_t *msg)
{
	const char *p = msg_buf_committed_data(msg);
	size_t n = p ? msg_buf_committed(msg) : 0;

	for (size_t i = 0; i < n; i++)
		if (p[i] != '\r' && p[i] != '\n' && p[i] != '\0')
			return true;
	return false;
}

static uint16_t port_of(const char *text)
{
	uint64_t n;

	return text && !str_u64(str_of(text), UINT16_MAX, &n) ? (uint16_t)n : 0;
}

void view_source_params(struct sip_sent_by *out, const sip_via_t *via)
{
	const char *rport = param(via->v_params, "rport");

	out->has_rport = rport != NULL;
	out->rport = port_of(rport);
	out->received = param(via->v_params, "received=");
}

/* How the peer saw us (RFC 3581 4); what it left out is as we wrote it. */
static void reply_source_fill(struct sip_view *v)
{
	const char *host = v->via.received ? v->via.received : v->via.host;
	uint16_t port = v->via.rport ? v->via.rport : v->via.port;

	if (!v->via.received && !v->via.rport)
		return;
	if (addr_parse(&v->reply_source, host, strlen(host), port))
		memset(&v->reply_source, 0, sizeof(v->reply_source));
}

static void via_fill(struct sip_view *v, const sip_t *s)
{
	const sip_via_t *via = s->sip_via;

	if (!via)
		return;
	for (const sip_via_t *hop = via; hop; hop = hop->v_next)
		v->n_vias++;
	v->branch = via->v_branch;
	v->via.host = via->v_host ? via->v_host : "";
	v->via.port = port_of(via->v_port);
	view_source_params(&v->via, via);
	if (!s->sip_status)
		return;
	reply_source_fill(v);
	/* The rest is our own, and says nothing of the peer. */
	memset(&v->via, 0, sizeof(v->via));
}

static void features_fill(struct sip_view *v, const sip_t *s)
{
	v->supports_outbound = sip_has_feature(s->sip_supported, "outbound");
	v->supports_path = sip_has_feature(s->sip_supported, "path");
	v->supports_100rel = sip_has_feature(s->sip_supported, "100rel");
	v->requires_100rel = sip_has_feature(s->sip_require, "100rel");
}

static int request_line_fill(struct sip_view *v, su_home_t *home,
			     const sip_t *s)
{
	v->method = method_of(s->sip_request->rq_method);
	/* receive.c takes its number away. */
	if (v->method == SIP_UNKNOWN &&
	    str_eq_c(str_of(s->sip_request->rq_method_name), "PRACK"))
		v->method = SIP_PRACK;
	v->method_name = s->sip_request->rq_method_name;
	uri_fill(&v->uri, home, s->sip_request->rq_url);
	v->uri_text = url_as_string(home, s->sip_request->rq_url);
	return v->uri_text ? 0 : -ENOMEM;
}

int view_fill(struct sip_view *v, su_home_t *home, const msg_t *msg,
	      const sip_t *s)
{
	int err = 0;

	memset(v, 0, sizeof(*v));
	v->msg = s;
	v->home = home;
	if (s->sip_request) {
		err = request_line_fill(v, home, s);
	} else {
		v->status = s->sip_status->st_status;
		v->phrase = s->sip_status->st_phrase;
		v->internal = nta_msg_is_internal(msg);
		v->method = s->sip_cseq ? method_of(s->sip_cseq->cs_method)
					: SIP_UNKNOWN;
		v->method_name = s->sip_cseq ? s->sip_cseq->cs_method_name : "";
	}
	if (err)
		return err;
	addresses_fill(v, home, s);
	numbers_fill(v, s);
	v->has_surplus = has_surplus(msg);
	v->call_id = s->sip_call_id ? s->sip_call_id->i_id : "";
	via_fill(v, s);
	features_fill(v, s);
	v->user_agent = s->sip_user_agent ? s->sip_user_agent->g_string : NULL;
	body_fill(v, s);
	err = contacts_fill(v, home, s);
	return err ? err : path_fill(v, home, s);
}
