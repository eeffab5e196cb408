/*
 * alg.c - what a SIP ALG does to a message, well or badly
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The body comes first, because its new length stands in the head:
 *
 *   text -> body() -> scratch --.
 *        -> head() -> header() -+-> out
 */
#include "alg.h"

#include <ctype.h>
#include <netinet/in.h>
#include <string.h>

#define SHIFT       7 /* what a bad ALG adds to a media port */
#define IP_TEXT_MAX 16

enum header { OTHER, VIA, CONTACT, FROM, TO, CALL_ID, LENGTH, CSEQ };

static const struct {
	const char *name, *compact;
	enum header header;
} headers[] = {
	{"Via", "v", VIA},
	{"Contact", "m", CONTACT},
	{"From", "f", FROM},
	{"To", "t", TO},
	{"Call-ID", "i", CALL_ID},
	{"CSeq", "CSeq", CSEQ},
	{"Content-Length", "l", LENGTH},
};

static bool does(const struct alg_job *job, uint32_t what)
{
	return job->nat->set.alg & what;
}

static enum header header_of(struct str line)
{
	struct str name = str_trim(str_cut(&line, ':'));

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		if (str_case_eq_c(name, headers[i].name) ||
		    str_case_eq_c(name, headers[i].compact))
			return headers[i].header;
	}
	return OTHER;
}

/* ---- addresses in text --------------------------------------------------- */

static void put_ip(struct buf *out, uint32_t ip)
{
	buf_printf(out, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
		   ip & 255);
}

static struct str ip_text(char text[IP_TEXT_MAX], uint32_t ip)
{
	struct buf b;

	buf_init(&b, text, IP_TEXT_MAX);
	put_ip(&b, ip);
	return buf_str(&b);
}

/* Where @ip stands in @s as a word of its own; @s.n when it does not. */
static size_t find_ip(struct str s, struct str ip)
{
	for (size_t i = 0; i + ip.n <= s.n; i++) {
		size_t end = i + ip.n;

		if (memcmp(s.p + i, ip.p, ip.n))
			continue;
		if (i &&
		    (isalnum((unsigned char)s.p[i - 1]) || s.p[i - 1] == '.'))
			continue;
		if (end < s.n &&
		    (isdigit((unsigned char)s.p[end]) || s.p[end] == '.'))
			continue;
		return i;
	}
	return s.n;
}

/* A decimal at the start of *s, taken off; 0 when there is none that fits. */
static uint16_t take_port(struct str *s)
{
	size_t n = 0;
	uint64_t port;

	while (n < s->n && isdigit((unsigned char)s->p[n]))
		n++;
	if (str_u64((struct str){s->p, n}, 65535, &port))
		return 0;
	s->p += n;
	s->n -= n;
	return (uint16_t)port;
}

/* The port that stands for @port on the other side; 0 = unknown. */
static uint16_t other_port(const struct alg_job *job, uint16_t port)
{
	struct mapping *m;

	if (!job->leaves) {
		m = table_find(&job->nat->table, IPPROTO_UDP, port, job->now);
		return m && m->in.ip == job->in.ip ? m->in.port : 0;
	}
	if (port == job->in.port)
		return job->out.port;
	m = table_pin(&job->nat->table, (struct endpoint){job->in.ip, port}, 0,
		      false, job->now);
	return m ? m->out_port : 0;
}

/* After an address: its port, if one belongs there. */
static void put_port(const struct alg_job *job, struct buf *out,
		     struct str *rest, bool is_parameter)
{
	bool given = rest->n && rest->p[0] == ':';
	uint16_t port = 5060, other;

	if (is_parameter)
		return;
	if (given) {
		rest->p++;
		rest->n--;
		port = take_port(rest);
	}
	other = does(job, ALG_KEEP_PORT) ? port : other_port(job, port);
	if (!other)
		other = port;
	if (given || other != 5060)
		buf_printf(out, ":%u", other);
}

/* @s with our address replaced by that of the other side, and its port. */
static void swap_endpoints(const struct alg_job *job, struct str s,
			   struct buf *out)
{
	uint32_t to = job->leaves ? job->out.ip : job->in.ip;
	char text[IP_TEXT_MAX];
	struct str ip = ip_text(text, job->leaves ? job->in.ip : job->out.ip);

	while (s.n) {
		size_t at = find_ip(s, ip);
		bool is_parameter = at && s.p[at - 1] == '=';

		buf_put(out, s.p, at);
		if (at == s.n)
			return;
		put_ip(out, to);
		s.p += at + ip.n;
		s.n -= at + ip.n;
		put_port(job, out, &s, is_parameter);
	}
}

/* Where ";name" stands in @s, with the end of name after it; @s.n = nowhere. */
static size_t find_parameter(struct str s, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i + n + 1 <= s.n; i++) {
		struct str word = {s.p + i + 1, n};
		char next = i + n + 1 < s.n ? s.p[i + n + 1] : ';';

		if (s.p[i] == ';' && str_case_eq_c(word, name) &&
		    (next == ';' || next == '=' || next == ','))
			return i;
	}
	return s.n;
}

/* rport: @value in place of the one given, or of none. */
static void set_rport(struct str s, uint16_t value, struct buf *out)
{
	size_t at = find_parameter(s, "rport");

	if (at == s.n) {
		buf_putstr(out, s);
		return;
	}
	at += strlen(";rport");
	buf_put(out, s.p, at);
	s.p += at;
	s.n -= at;
	if (s.n && s.p[0] == '=') {
		s.p++;
		s.n--;
		take_port(&s);
	}
	buf_printf(out, "=%u", value);
	buf_putstr(out, s);
}

/* The decimal that rport has in @s; 0 = none. */
static uint16_t rport_of(struct str s)
{
	size_t at = find_parameter(s, "rport") + strlen(";rport=");

	if (at >= s.n)
		return 0;
	s.p += at;
	s.n -= at;
	return take_port(&s);
}

/* ---- headers ------------------------------------------------------------- */

/* @top: it is the phone's own, in its request or in the answer to it. */
static void via(const struct alg_job *job, struct str line, bool top,
		struct buf *out)
{
	char mem[PACKET_MAX];
	uint16_t rport = rport_of(line), wanted = 0;
	struct buf b;

	buf_init(&b, mem, sizeof(mem));
	if (top && does(job, job->leaves ? ALG_VIA : ALG_BACK))
		swap_endpoints(job, line, &b);
	else
		buf_putstr(&b, line);
	if (top && does(job, ALG_RPORT))
		wanted = (uint16_t)((rport ? rport : job->out.port) ^ 1);
	else if (!job->leaves && does(job, ALG_BACK) && rport)
		wanted = other_port(job, rport);
	if (wanted)
		set_rport(buf_str(&b), wanted, out);
	else
		buf_putstr(out, buf_str(&b));
	if (top && job->leaves && does(job, ALG_RECEIVED)) {
		buf_puts(out, ";received=");
		put_ip(out, job->in.ip);
	}
	out->overflow |= b.overflow;
}

/* "one@host" becomes "one@7-alg-host". */
static void spoil_call_id(const struct alg_job *job, struct str value,
			  struct buf *out)
{
	struct str local = str_cut(&value, '@');

	if (!value.p) {
		value = local;
	} else {
		buf_putstr(out, local);
		buf_puts(out, "@");
	}
	buf_printf(out, "%u-alg-", ++job->nat->registers);
	buf_putstr(out, value);
}

static void mend_call_id(struct str value, struct buf *out)
{
	for (size_t i = 0; i + 5 <= value.n; i++) {
		size_t digits = i;

		if (memcmp(value.p + i, "-alg-", 5))
			continue;
		while (digits && isdigit((unsigned char)value.p[digits - 1]))
			digits--;
		buf_put(out, value.p, digits);
		buf_put(out, value.p + i + 5, value.n - i - 5);
		return;
	}
	buf_putstr(out, value);
}

/* The Call-ID of each REGISTER gets another host, which is mended in the
 * answer. */
static void call_id(const struct alg_job *job, struct str line,
		    bool is_register, struct buf *out)
{
	struct str value = line;
	struct str name = str_cut(&value, ':');

	if (!does(job, ALG_CALLID) || !is_register) {
		buf_putstr(out, line);
		return;
	}
	buf_putstr(out, name);
	buf_puts(out, ": ");
	if (job->leaves)
		spoil_call_id(job, str_trim(value), out);
	else
		mend_call_id(str_trim(value), out);
}

/* The first @host in @line becomes the NAT's own. */
static void put_outside(const struct alg_job *job, uint32_t host,
			struct str line, struct buf *out)
{
	char text[IP_TEXT_MAX];
	struct str ip = ip_text(text, host);
	size_t at = find_ip(line, ip);

	buf_put(out, line.p, at);
	if (at == line.n)
		return;
	put_ip(out, job->out.ip);
	buf_put(out, line.p + at + ip.n, line.n - at - ip.n);
}

/* The box's address becomes the NAT's; nobody undoes it. */
static bool hides_peer(const struct alg_job *job, enum header h)
{
	return (h == FROM && !job->leaves && does(job, ALG_FROM)) ||
	       (h == TO && job->leaves && does(job, ALG_TO));
}

/* ---- the body ------------------------------------------------------------ */

static uint16_t media_port(const struct alg_job *job, uint16_t port, bool pair)
{
	struct mapping *m;
	struct endpoint in = {job->in.ip, port};

	if (does(job, ALG_SDP_SHIFT))
		return (uint16_t)(port + SHIFT);
	if (!does(job, ALG_SDP_PORT) || !port || port > 65534)
		return port;
	m = table_pin(&job->nat->table, in, 0, pair, job->now);
	if (m && pair) {
		in.port++;
		/* Without it RTCP is lost, not the call. */
		table_pin(&job->nat->table, in, (uint16_t)(m->out_port + 1),
			  false, job->now);
	}
	return m ? m->out_port : port;
}

/* "m=audio 4000 RTP/AVP ...", "a=rtcp:4001": the number after @head. */
static void port_line(const struct alg_job *job, struct str line, char after,
		      bool pair, struct buf *out)
{
	struct str rest = line;
	struct str head = str_cut(&rest, after);
	struct str at = rest;
	uint16_t port = rest.p ? take_port(&at) : 0;

	if (!port) {
		buf_putstr(out, line);
		return;
	}
	buf_putstr(out, head);
	buf_printf(out, "%c%u", after, media_port(job, port, pair));
	buf_putstr(out, at);
}

static bool begins(struct str line, const char *with)
{
	size_t n = strlen(with);

	return line.n >= n && !memcmp(line.p, with, n);
}

static void sdp_line(const struct alg_job *job, struct str line,
		     struct buf *out)
{
	if ((begins(line, "c=") && does(job, ALG_SDP_C)) ||
	    (begins(line, "o=") && does(job, ALG_SDP_O)))
		put_outside(job, job->in.ip, line, out);
	else if (begins(line, "m="))
		port_line(job, line, ' ', true, out);
	else if (begins(line, "a=rtcp:") && does(job, ALG_SDP_PORT))
		port_line(job, line, ':', false, out);
	else
		buf_putstr(out, line);
}

static void body(const struct alg_job *job, struct str text, struct buf *out)
{
	struct str line;

	if (!job->leaves || !begins(text, "v=0")) {
		buf_putstr(out, text);
		return;
	}
	while (str_line(&text, &line)) {
		/* What an ALG cuts off is the last attribute. */
		if (does(job, ALG_SHRINK) && !text.n && begins(line, "a="))
			break;
		sdp_line(job, line, out);
		buf_puts(out, "\r\n");
	}
	if (does(job, ALG_GROW))
		buf_puts(out, "a=x-alg:rewritten\r\n");
}

/* ---- the message --------------------------------------------------------- */

struct message {
	struct str body, new_body;
	bool is_register, is_own, seen_via; /* own: request of the phone, or
					       an answer to one */
};

static void content_length(const struct alg_job *job, const struct message *m,
			   struct str line, struct buf *out)
{
	struct str value = line;
	struct str name = str_cut(&value, ':');
	uint64_t given;

	if (str_u64(str_trim(value), PACKET_MAX, &given) ||
	    given != m->body.n || does(job, ALG_GROW | ALG_SHRINK)) {
		buf_putstr(out, line);
		return;
	}
	buf_putstr(out, name);
	buf_printf(out, ": %zu", m->new_body.n);
}

static void header(const struct alg_job *job, struct message *m,
		   struct str line, struct buf *out)
{
	enum header h = header_of(line);
	uint32_t contact = job->leaves ? ALG_CONTACT : ALG_BACK;

	if (h == VIA) {
		via(job, line, m->is_own && !m->seen_via, out);
		m->seen_via = true;
	} else if (h == CONTACT && does(job, contact)) {
		swap_endpoints(job, line, out);
	} else if (h == CALL_ID) {
		call_id(job, line, m->is_register, out);
	} else if (hides_peer(job, h)) {
		put_outside(job, job->peer.ip, line, out);
	} else if (h == LENGTH) {
		content_length(job, m, line, out);
	} else {
		buf_putstr(out, line);
	}
	buf_puts(out, "\r\n");
}

/* "REGISTER sip:...", or an answer whose CSeq says REGISTER. */
static bool is_register(struct str text)
{
	struct str line;

	if (begins(text, "REGISTER "))
		return true;
	while (str_line(&text, &line) && line.n) {
		if (header_of(line) == CSEQ)
			return line.n > 8 &&
			       !memcmp(line.p + line.n - 8, "REGISTER", 8);
	}
	return false;
}

/* A request line, or a status line, with SIP/2.0 at one end. */
static bool is_sip(struct str start)
{
	return begins(start, "SIP/2.0 ") ||
	       (start.n > 8 && !memcmp(start.p + start.n - 8, " SIP/2.0", 8));
}

/* False: the head has no end. */
static bool body_of(struct str text, struct str *body)
{
	struct str line;

	while (str_line(&text, &line)) {
		if (line.n)
			continue;
		*body = text;
		return true;
	}
	return false;
}

bool alg_rewrite(const struct alg_job *job, struct str text, struct buf *out)
{
	struct message m = {.is_register = is_register(text)};
	struct str all = text, line;
	char mem[PACKET_MAX];
	struct buf scratch;
	bool answers;

	if (!str_line(&text, &line) || !is_sip(line))
		return false;
	answers = begins(line, "SIP/2.0 ");
	m.is_own = job->leaves != answers;
	if (!body_of(text, &m.body))
		return false;
	buf_init(&scratch, mem, sizeof(mem));
	body(job, m.body, &scratch);
	m.new_body = buf_str(&scratch);

	if (!job->leaves && does(job, ALG_BACK) && !answers)
		swap_endpoints(job, line, out);
	else
		buf_putstr(out, line);
	buf_puts(out, "\r\n");
	while (str_line(&text, &line) && line.n)
		header(job, &m, line, out);
	buf_puts(out, "\r\n");
	buf_putstr(out, m.new_body);
	out->overflow |= scratch.overflow;
	return !str_eq(buf_str(out), all);
}
