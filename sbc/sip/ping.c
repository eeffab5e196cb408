/*
 * ping.c - keepalives along a flow: two line ends, or an OPTIONS
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thousands of them are under way at once, so none has a transaction: the
 * OPTIONS is text, and what its answer must bring back is in the branch.
 *
 *   sip_ping_options() -> wire ... wire -> guard -> screen -> ping_answer()
 *                                                  -> sip_conf.answered()
 */
#include "sip/ping.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#include "sip/guard.h"
#include "sip/stack.h"

/* A hyphen is in no branch that send_via() makes. */
#define PREFIX "z9hG4bKka-"

enum {
	TOKEN_DIGITS = 16,
	VIA_LINES = 16, /* whoever hides it further down gets the parser */
	/* Longer than any interval between pings: one that is pinged is not
	 * idle. */
	KEPT_MS = 900000,
};

/* ---- the request ---------------------------------------------------------- */

static bool is_writable(const char *uri)
{
	if (strncasecmp(uri, "sip:", 4) || !uri[4])
		return false;
	for (; *uri; uri++)
		if ((unsigned char)*uri <= 0x20 || *uri == 0x7f ||
		    *uri == '<' || *uri == '>' || *uri == '"')
			return false;
	return true;
}

/* Headers in a URI are not for a Request-URI (RFC 3261 19.1.1). */
static struct str without_headers(const char *uri)
{
	const char *at = strchr(uri, '@');
	const char *mark = strchr(at ? at : uri, '?');

	return (struct str){uri, mark ? (size_t)(mark - uri) : strlen(uri)};
}

static int put_host(struct buf *b, const char *host)
{
	const char *colon = strchr(host, ':');

	for (const char *p = host; *p; p++)
		if (!strchr("-.:[]_", *p) && !(*p >= '0' && *p <= '9') &&
		    !((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z'))
			return -EINVAL;
	/* A bare IPv6 literal. */
	if (*host != '[' && colon && strchr(colon + 1, ':'))
		buf_printf(b, "[%s]", host);
	else
		buf_puts(b, host);
	return *host ? 0 : -EINVAL;
}

int ping_write(struct buf *out, const struct sip_flow *flow,
	       const struct sip_ping *ping)
{
	const bool tcp = flow->transport == SIP_TCP;
	char ours[ADDR_TEXT_MAX + 8], host[ADDR_TEXT_MAX];
	char theirs[ADDR_TEXT_MAX + 32];
	const char *uri = ping->target;
	struct str target;

	if (!uri) {
		snprintf(theirs, sizeof(theirs), "sip:%s:%u%s",
			 addr_fmt_uri(&flow->remote, host),
			 addr_port(&flow->remote), tcp ? ";transport=tcp" : "");
		uri = theirs;
	}
	if (!is_writable(uri))
		return -EINVAL;
	target = without_headers(uri);
	addr_fmt_uri(&flow->local, host);
	snprintf(ours, sizeof(ours), "%s:%u", host, addr_port(&flow->local));

	buf_printf(out, "OPTIONS " STR_FMT " SIP/2.0\r\n", STR_ARG(target));
	buf_printf(out,
		   "Via: SIP/2.0/%s %s;branch=" PREFIX "%016" PRIx64
		   ";rport\r\n",
		   tcp ? "TCP" : "UDP", ours, ping->token);
	buf_puts(out, "Max-Forwards: 70\r\nFrom: <sip:");
	sip_put_user(out, ping->user && *ping->user ? ping->user : "sbc");
	buf_puts(out, "@");
	if (put_host(out, ping->host && *ping->host ? ping->host : host))
		return -EINVAL;
	/* The same token again is the same request again. */
	buf_printf(out, ">;tag=%016" PRIx64 "\r\nTo: <" STR_FMT ">\r\n",
		   ping->token, STR_ARG(target));
	buf_printf(out, "Call-ID: ka-%016" PRIx64 "\r\nCSeq: 1 OPTIONS\r\n",
		   ping->token);
	buf_printf(out, "Contact: <sip:%s%s>\r\n", ours,
		   tcp ? ";transport=tcp" : "");
	buf_puts(out, "Accept: application/sdp\r\nUser-Agent: sbc\r\n"
		      "Content-Length: 0\r\n\r\n");
	return out->overflow ? -EINVAL : 0;
}

/* ---- its answer ----------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool ping_branch(struct str branch, uint64_t *token)
{
	const size_t prefix = sizeof(PREFIX) - 1;
	uint64_t value = 0;

	if (branch.n != prefix + TOKEN_DIGITS ||
	    memcmp(branch.p, PREFIX, prefix))
		return false;
	for (size_t i = prefix; i < branch.n; i++) {
		int digit = hex_digit(branch.p[i]);

		if (digit < 0)
			return false;
		value = value << 4 | (uint64_t)digit;
	}
	*token = value;
	return true;
}

static bool via_token(struct str value, uint64_t *token)
{
	struct str params = str_cut(&value, ',');

	(void)str_cut(&params, ';');
	while (params.p) {
		struct str param = str_cut(&params, ';');
		struct str name = str_trim(str_cut(&param, '='));

		if (str_case_eq_c(name, "branch"))
			return ping_branch(str_trim(param), token);
	}
	return false;
}

static bool read_status(struct str line, int *status)
{
	const char *p = line.p + 8;

	if (line.n < 11 || memcmp(line.p, "SIP/2.0 ", 8) || p[0] < '1' ||
	    p[0] > '6' || p[1] < '0' || p[1] > '9' || p[2] < '0' || p[2] > '9')
		return false;
	*status = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
	return line.n == 11 || p[3] == ' ';
}

bool ping_answer(const uint8_t *p, size_t n, uint64_t *token, int *status)
{
	struct str text = {(const char *)p, n}, line;

	if (!n || *p != 'S' || !str_line(&text, &line) ||
	    !read_status(line, status))
		return false;
	for (int i = 0; i < VIA_LINES && str_line(&text, &line); i++) {
		struct str name = str_trim(str_cut(&line, ':'));

		if (line.p &&
		    (str_case_eq_c(name, "Via") || str_case_eq_c(name, "v")))
			return via_token(line, token);
	}
	return false;
}

/* ---- sending -------------------------------------------------------------- */

static int send_datagram(struct sip_stack *sip, const struct sip_flow *flow,
			 struct str bytes)
{
	const struct listener *l =
		listener_find(sip, flow->transport, &flow->local);

	if (!l || !l->up)
		return -ENETDOWN;
	return guard_send(&flow->local, &flow->remote, bytes.p, bytes.n);
}

static void note_pinged(struct conn *c)
{
	mono_ms until = clock_mono() + KEPT_MS;

	if (until > c->keep_until)
		c->keep_until = until;
}

/* A full send buffer is as good as a ping: those bytes are on their way. */
static int send_line_ends(struct conn *c)
{
	if (!tport_queuelen(c->tport) &&
	    send(c->fd, "\r\n\r\n", 4, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    errno != EAGAIN) {
		c->doomed = true;
		return -ENOTCONN;
	}
	note_pinged(c);
	return 0;
}

int sip_ping_crlf(struct sip_stack *sip, const struct sip_flow *flow)
{
	struct conn *c;

	if (flow->transport == SIP_UDP)
		return send_datagram(sip, flow, STR("\r\n\r\n"));
	c = conn_alive(sip, flow->conn);
	return c && c->fd >= 0 ? send_line_ends(c) : -ENOTCONN;
}

/* Through the library, which may have part of a message still to write. */
static int send_on_connection(struct sip_stack *sip,
			      const struct sip_flow *flow, struct str bytes)
{
	struct flow_out to;
	msg_t *msg;
	int err;

	if (!flow->conn)
		return -ENOTCONN;
	err = flow_out(&to, sip, flow);
	if (err)
		return err;
	msg = msg_make(sip_default_mclass(), 0, bytes.p, (ssize_t)bytes.n);
	if (!msg)
		return -ENOMEM;
	if (!tport_tsend(to.tport, msg, &to.name, TPTAG_MTU(INT_MAX),
			 TAG_END()))
		err = conn_alive(sip, flow->conn) ? -EAGAIN : -ENOTCONN;
	msg_destroy(msg);
	if (!err)
		note_pinged(conn_by_gen(sip, flow->conn));
	return err;
}

int sip_ping_options(struct sip_stack *sip, const struct sip_flow *flow,
		     const struct sip_ping *ping)
{
	char mem[PING_BYTES];
	struct buf b;
	int err;

	buf_init(&b, mem, sizeof(mem));
	err = ping_write(&b, flow, ping);
	if (err)
		return err;
	if (flow->transport == SIP_UDP)
		return send_datagram(sip, flow, buf_str(&b));
	return send_on_connection(sip, flow, buf_str(&b));
}
