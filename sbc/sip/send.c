/*
 * send.c - answers and requests as the other rooms describe them
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Everything that was written by a peer passes message_check() before it can
 * become part of a message: a CR, LF, NUL or other control byte refuses the
 * whole message.  Answers without state go to where the request came from, not
 * where its Via points.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "core/log.h"
#include "core/rand.h"
#include "sip/stack.h"

/* Room for the longest 200 to a REGISTER. */
enum { HEADERS_BYTES = 57344 };

static const struct {
	sip_method_t number;
	const char *name;
} numbers[] = {
	[SIP_INVITE] = {SIP_METHOD_INVITE},
	[SIP_ACK] = {SIP_METHOD_ACK},
	[SIP_CANCEL] = {SIP_METHOD_CANCEL},
	[SIP_BYE] = {SIP_METHOD_BYE},
	[SIP_OPTIONS] = {SIP_METHOD_OPTIONS},
	[SIP_REGISTER] = {SIP_METHOD_REGISTER},
	[SIP_INFO] = {SIP_METHOD_INFO},
	[SIP_PRACK] = {SIP_METHOD_PRACK},
	[SIP_UPDATE] = {SIP_METHOD_UPDATE},
	[SIP_SUBSCRIBE] = {SIP_METHOD_SUBSCRIBE},
	[SIP_NOTIFY] = {SIP_METHOD_NOTIFY},
	[SIP_MESSAGE] = {SIP_METHOD_MESSAGE},
	[SIP_REFER] = {SIP_METHOD_REFER},
	[SIP_PUBLISH] = {SIP_METHOD_PUBLISH},
};

sip_method_t method_number(enum sip_method m, const char **name)
{
	*name = numbers[m].name;
	return numbers[m].number;
}

/* ---- checks --------------------------------------------------------------------- */

static bool is_clean(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	for (; p && *p; p++)
		if ((*p < 0x20 && *p != '\t') || *p == 0x7f)
			return false;
	return true;
}

bool is_token(const char *text)
{
	if (!text || !*text)
		return false;
	for (; *text; text++)
		if (!strchr("-.!%*_+`'~", *text) &&
		    !(*text >= '0' && *text <= '9') &&
		    !((*text | 0x20) >= 'a' && (*text | 0x20) <= 'z'))
			return false;
	return true;
}

int message_check(const struct sip_message *m)
{
	size_t total = 0;

	if (!is_clean(m->phrase) || !is_clean(m->content_type) ||
	    m->body.n > LIMIT_BODY_BYTES || (m->body.n && !m->content_type))
		return -EINVAL;
	if (m->status ? m->status < 100 || m->status > 699
		      : m->method >= SIP_UNKNOWN)
		return -EINVAL;
	for (unsigned i = 0; i < m->n_headers; i++) {
		const struct sip_header *h = &m->headers[i];

		if (!is_token(h->name) || !h->value || !is_clean(h->value))
			return -EINVAL;
		total += strlen(h->name) + strlen(h->value) + 4;
	}
	return total > HEADERS_BYTES ? -EINVAL : 0;
}

/* ---- building -------------------------------------------------------------------- */

int header_add(msg_t *msg, const struct sip_header *h)
{
	char *text;

	if (!is_token(h->name) || !h->value || !is_clean(h->value))
		return -EINVAL;
	/* The library parses in place and keeps pointers. */
	text = su_sprintf(msg_home(msg), "%s: %s\r\n", h->name, h->value);
	if (!text)
		return -ENOMEM;
	return msg_header_parse_str(msg, msg_object(msg), text) < 0 ? -EINVAL
								    : 0;
}

static int add_headers(msg_t *msg, const struct sip_message *m)
{
	int err = 0;

	for (unsigned i = 0; i < m->n_headers && !err; i++)
		err = header_add(msg, &m->headers[i]);
	return err;
}

/* Without ;ob: that asks a peer to come back along this flow (RFC 5626 4.3),
 * which is for those whom nobody could reach otherwise.  Our address is one
 * that everybody can. */
static int add_contact(msg_t *msg, const struct sip_flow *flow,
		       const char *user)
{
	char host[ADDR_TEXT_MAX];
	const char *text;
	sip_contact_t *contact;

	text = su_sprintf(msg_home(msg), "<sip:%s%s%s:%u%s>", user ? user : "",
			  user ? "@" : "", addr_fmt_uri(&flow->local, host),
			  addr_port(&flow->local),
			  flow->transport == SIP_TCP ? ";transport=tcp" : "");
	contact = text ? sip_contact_make(msg_home(msg), text) : NULL;
	if (!contact || msg_header_insert(msg, msg_object(msg),
					  (msg_header_t *)contact) < 0)
		return -ENOMEM;
	return 0;
}

static int add_body(msg_t *msg, const struct sip_message *m)
{
	su_home_t *home = msg_home(msg);
	sip_content_type_t *type;
	sip_payload_t *body;

	if (!m->body.n)
		return 0;
	type = sip_content_type_make(home, m->content_type);
	body = sip_payload_create(home, m->body.p, (isize_t)m->body.n);
	if (!type || !body ||
	    msg_header_insert(msg, msg_object(msg), (msg_header_t *)type) < 0 ||
	    msg_header_insert(msg, msg_object(msg), (msg_header_t *)body) < 0)
		return -ENOMEM;
	return 0;
}

int message_add(msg_t *msg, const struct sip_message *m,
		const struct sip_flow *flow, const char *contact_user)
{
	sip_t *s = sip_object(msg);
	int err = message_check(m);

	if (!err && m->contact)
		err = add_contact(msg, flow, contact_user);
	if (!err)
		err = add_headers(msg, m);
	if (!err && !s->sip_user_agent && !s->sip_server &&
	    sip_add_tl(msg, s,
		       TAG_IF(m->status, SIPTAG_SERVER_STR(SIP_PRODUCT)),
		       TAG_IF(!m->status, SIPTAG_USER_AGENT_STR(SIP_PRODUCT)),
		       TAG_END()) < 0)
		err = -ENOMEM;
	return err ? err : add_body(msg, m);
}

sip_via_t *send_via(su_home_t *home, const struct sip_flow *flow,
		    char branch[BRANCH_BYTES])
{
	char host[ADDR_TEXT_MAX];

	memcpy(branch, "z9hG4bK", 7);
	rand_token(branch + 7, 16);
	return sip_via_format(home, "SIP/2.0/%s %s:%u;branch=%s;rport",
			      flow->transport == SIP_TCP ? "TCP" : "UDP",
			      addr_fmt_uri(&flow->local, host),
			      addr_port(&flow->local), branch);
}

/* ---- answers without state ---------------------------------------------------------- */

/* RFC 3261 8.2.6.2: without state, the same request must get the same tag
 * again; keyed, so that nobody can tell it beforehand. */
static void tag_of(char tag[TAG_CHARS + 1], const sip_t *rq)
{
	const char *branch = rq->sip_via->v_branch;
	char mem[1024];
	struct buf b;

	buf_init(&b, mem, sizeof(mem));
	buf_printf(
		&b, "0 %s %u %s %s",
		rq->sip_call_id ? rq->sip_call_id->i_id : "",
		rq->sip_cseq ? rq->sip_cseq->cs_seq : 0, branch ? branch : "",
		rq->sip_from && rq->sip_from->a_tag ? rq->sip_from->a_tag : "");
	snprintf(tag, TAG_CHARS / 2 + 1, "%08x", hash_text(mem));
	mem[0] = '1';
	snprintf(tag + TAG_CHARS / 2, TAG_CHARS / 2 + 1, "%08x",
		 hash_text(mem));
}

/* RFC 3261 8.2.6.2; what the request lacks, the answer lacks too. */
static int add_request_copies(msg_t *reply, const sip_t *rq)
{
	su_home_t *home = msg_home(reply);
	sip_t *s = sip_object(reply);
	char tag[TAG_CHARS + 1];

	s->sip_via = sip_via_dup(home, rq->sip_via);
	s->sip_from = sip_from_dup(home, rq->sip_from);
	s->sip_to = sip_to_dup(home, rq->sip_to);
	s->sip_call_id = sip_call_id_dup(home, rq->sip_call_id);
	s->sip_cseq = sip_cseq_dup(home, rq->sip_cseq);
	if (!s->sip_via)
		return -ENOMEM;
	if (!s->sip_to || s->sip_to->a_tag)
		return 0;
	tag_of(tag, rq);
	return sip_to_tag(home, s->sip_to, tag) < 0 ? -ENOMEM : 0;
}

static int reply_build(msg_t *reply, msg_t *req, const struct sip_message *m,
		       const struct sip_flow *flow)
{
	sip_t *s = sip_object(reply);
	const char *phrase =
		m->phrase ? m->phrase : sip_status_phrase(m->status);
	int err;

	err = add_request_copies(reply, sip_object(req));
	if (!err)
		err = message_add(reply, m, flow, NULL);
	if (err)
		return err;
	s->sip_status = sip_status_create(msg_home(reply), (unsigned)m->status,
					  phrase ? phrase : "Refused", NULL);
	if (!s->sip_status)
		return -ENOMEM;
	sip_complete_message(reply); /* fails on what the request lacked */
	if (msg_serialize(reply, (msg_pub_t *)s) < 0 || msg_prepare(reply) < 0)
		return -EINVAL;
	return 0;
}

/* Whom we do not know gets at most 2.5 times of what he sent; only a phone
 * that proved its password can get a 200 to REGISTER. */
static bool is_too_large(msg_t *reply, msg_t *req, int status)
{
	const sip_t *rq = sip_object(req);

	if (status < 300 && rq->sip_request->rq_method == sip_method_register)
		return false;
	return msg_size(reply) * 2 > msg_size(req) * 5;
}

int send_stateless(struct sip_stack *sip, msg_t *req,
		   const struct sip_message *m)
{
	const struct arrival *at = &sip->now;
	struct flow_out to;
	msg_t *reply = nta_msg_create(sip->agent, 0);
	int err = -ENOMEM;

	if (!reply)
		return -ENOMEM;
	if (!at->tport)
		goto fail;
	err = flow_out(&to, sip, &at->flow);
	/* A listener marked down still answers whoever reached it. */
	if (err && err != -ENETDOWN)
		goto fail;
	to.name.tpn_ident = NULL;
	err = reply_build(reply, req, m, &at->flow);
	if (err)
		goto fail;
	if (is_too_large(reply, req, m->status)) {
		err = -EMSGSIZE;
		log_limited(LOG_DEBUG, "sip.answer_too_large",
			    kv_i("status", m->status),
			    kv_a("to", &at->flow.remote));
		goto fail;
	}
	if (!tport_tsend(at->tport, reply, &to.name, TPTAG_MTU(INT_MAX),
			 TAG_END()))
		err = -EIO;
fail:
	msg_destroy(reply);
	return err;
}

const char *sip_phrase(int status)
{
	const char *phrase = sip_status_phrase(status);

	return phrase ? phrase : "Unknown";
}
