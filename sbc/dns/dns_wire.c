/*
 * dns_wire.c - a question to a name server as bytes, and its answer read
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The answer comes from whoever could guess our port and number, so nothing in
 * it is believed to be well-formed.  Reading walks the answer section once for
 * each step of a chain of aliases, and once for the records.
 */
#include "dns/dns_wire.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "core/buf.h"

enum {
	CLASS_IN = 1,
	FLAG_ANSWER = 0x8000,
	FLAG_CUT = 0x0200,
	FLAG_RECURSE = 0x0100,
	MASK_OPCODE = 0x7800,
	MASK_RCODE = 0x000f,
	RCODE_NO_NAME = 3,
	RCODE_UNKNOWN = 4,
	LABEL_MAX = 63,
	ALIASES = 8, /* in one chain */
	/* Of a refusal that does not say for how long. */
	REFUSAL_TTL_S = 30,
};

struct message {
	const uint8_t *bytes;
	struct cursor answers; /* at the first record behind the question */
	uint16_t n_answers, n_authority;
	uint16_t flags;
};

struct rr {
	char owner[DNS_NAME_BYTES];
	uint16_t type, class;
	uint32_t ttl_s;
	struct cursor data;
};

/* ---- names ----------------------------------------------------------------- */

static bool is_name_char(int c)
{
	return isalnum(c) || c == '-' || c == '_';
}

bool dns_name_is_valid(const char *name)
{
	size_t label = 0, n = 0;

	for (; name[n]; n++) {
		if (name[n] != '.' && !is_name_char((unsigned char)name[n]))
			return false;
		if (name[n] == '.' && !label)
			return false;
		label = name[n] == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return false;
	}
	/* Two bytes more on the wire, which must not be more than 255. */
	return label && n <= DNS_NAME_BYTES - 3;
}

/* One label behind the @n bytes of @out; false: the name grows too long. */
static bool add_label(char out[DNS_NAME_BYTES], size_t *n, const uint8_t *label,
		      size_t len, bool *is_odd)
{
	if (*n + len + 2 > DNS_NAME_BYTES)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_name_char(label[i]))
			*is_odd = true;
		out[(*n)++] = (char)tolower(label[i]);
	}
	out[(*n)++] = '.';
	return true;
}

/*
 * The name at @c, which is moved behind it; each pointer must go back
 * (RFC 1035 4.1.4), so there is an end.  A name that nobody can have asked for
 * is read as "".  False: it is broken, and nothing behind it can be found.
 */
static bool read_name(const struct message *m, struct cursor *c,
		      char out[DNS_NAME_BYTES])
{
	const uint8_t *begin = c->p, *label;
	struct cursor at = *c;
	bool is_odd = false, has_jumped = false;
	size_t n = 0;
	uint8_t len;

	while ((len = cursor_u8(&at)) != 0) {
		if (len > LABEL_MAX) {
			size_t to = (size_t)(len & LABEL_MAX) << 8;

			to |= cursor_u8(&at);
			if (at.bad || (len & ~LABEL_MAX) != 0xc0 ||
			    to >= (size_t)(begin - m->bytes))
				return false;
			if (!has_jumped)
				*c = at;
			has_jumped = true;
			begin = at.p = m->bytes + to;
			continue;
		}
		label = cursor_take(&at, len);
		if (!label || !add_label(out, &n, label, len, &is_odd))
			return false;
	}
	if (at.bad)
		return false;
	if (!has_jumped)
		*c = at;
	if (n)
		n--; /* the last dot */
	else
		out[n++] = '.'; /* the root */
	out[is_odd ? 0 : n] = '\0';
	return true;
}

/* ---- the question ------------------------------------------------------------ */

static void put_u16(uint8_t **p, unsigned v)
{
	*(*p)++ = (uint8_t)(v >> 8);
	*(*p)++ = (uint8_t)v;
}

int dns_wire_ask(uint8_t out[DNS_QUERY_BYTES], uint16_t id, const char *name,
		 enum dns_type type)
{
	struct str rest = str_of(name);
	uint8_t *p = out;

	if (!dns_name_is_valid(name))
		return -EINVAL;
	put_u16(&p, id);
	put_u16(&p, FLAG_RECURSE);
	put_u16(&p, 1);
	memset(p, 0, 6);
	p += 6;
	while (rest.p) {
		struct str label = str_cut(&rest, '.');

		*p++ = (uint8_t)label.n;
		memcpy(p, label.p, label.n);
		p += label.n;
	}
	*p++ = 0;
	put_u16(&p, type);
	put_u16(&p, CLASS_IN);
	return (int)(p - out);
}

/* ---- the answer ---------------------------------------------------------------- */

static bool is_question(const struct message *m, struct cursor *c,
			const char *name, enum dns_type type)
{
	char asked[DNS_NAME_BYTES];

	return read_name(m, c, asked) && !strcasecmp(asked, name) &&
	       cursor_u16(c) == type && cursor_u16(c) == CLASS_IN && !c->bad;
}

/* Some servers that refuse leave the question out. */
static bool is_refusal(uint16_t flags)
{
	uint16_t rcode = flags & MASK_RCODE;

	return rcode && rcode != RCODE_NO_NAME;
}

static int open_message(struct message *m, const void *bytes, size_t len,
			uint16_t id, const char *name, enum dns_type type)
{
	struct cursor c = cursor_of(bytes, len);
	uint16_t n_questions;

	m->bytes = bytes;
	if (cursor_u16(&c) != id)
		return -EBADMSG;
	m->flags = cursor_u16(&c);
	n_questions = cursor_u16(&c);
	m->n_answers = cursor_u16(&c);
	m->n_authority = cursor_u16(&c);
	cursor_u16(&c);
	if (c.bad || !(m->flags & FLAG_ANSWER) || (m->flags & MASK_OPCODE))
		return -EBADMSG;
	if (!(n_questions == 0 && is_refusal(m->flags)) &&
	    !(n_questions == 1 && is_question(m, &c, name, type)))
		return -EBADMSG;
	if (is_refusal(m->flags))
		return (m->flags & MASK_RCODE) == RCODE_UNKNOWN ? -ENOTSUP
								: -EIO;
	m->answers = c;
	return m->flags & FLAG_CUT ? -EMSGSIZE : 0;
}

static bool read_rr(const struct message *m, struct cursor *c, struct rr *rr)
{
	const uint8_t *data;
	uint16_t n;

	if (!read_name(m, c, rr->owner))
		return false;
	rr->type = cursor_u16(c);
	rr->class = cursor_u16(c);
	rr->ttl_s = cursor_u32(c);
	if (rr->ttl_s > INT32_MAX) /* RFC 2181 8 */
		rr->ttl_s = 0;
	n = cursor_u16(c);
	data = cursor_take(c, n);
	if (!data)
		return false;
	rr->data = cursor_of(data, n);
	return true;
}

static void shorten(uint32_t *ttl_s, uint32_t other)
{
	if (other < *ttl_s)
		*ttl_s = other;
}

/* The alias of @name in the answer becomes @name; 1 = there was one, 0 = there
 * is none. */
static int follow(const struct message *m, char name[DNS_NAME_BYTES],
		  uint32_t *ttl_s)
{
	struct cursor c = m->answers;
	char to[DNS_NAME_BYTES];
	struct rr rr;

	for (unsigned i = 0; i < m->n_answers; i++) {
		if (!read_rr(m, &c, &rr))
			return -EPROTO;
		if (rr.type != DNS_CNAME || rr.class != CLASS_IN ||
		    strcmp(rr.owner, name))
			continue;
		if (!read_name(m, &rr.data, to) || !dns_name_is_valid(to))
			return -EPROTO;
		memcpy(name, to, sizeof(to));
		shorten(ttl_s, rr.ttl_s);
		return 1;
	}
	return 0;
}

/* A peer cannot be there; and we had better not send there. */
static bool is_nowhere(const struct addr *a)
{
	enum addr_class class = addr_class(a);

	return class == ADDR_ANY || class == ADDR_MULTICAST ||
	       class == ADDR_NONE;
}

static bool take_address(struct dns_record *r, struct cursor *c, int family)
{
	size_t n = family == AF_INET ? 4 : 16;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} to = {.sa.sa_family = (sa_family_t)family};
	const uint8_t *bytes = cursor_take(c, n);

	if (!bytes || cursor_left(c))
		return false;
	if (family == AF_INET)
		memcpy(&to.in.sin_addr, bytes, n);
	else
		memcpy(&to.in6.sin6_addr, bytes, n);
	return !addr_from_sa(&r->addr, &to.sa, sizeof(to)) &&
	       !is_nowhere(&r->addr);
}

static bool take_srv(const struct message *m, struct dns_record *r,
		     struct cursor *c)
{
	r->priority = cursor_u16(c);
	r->weight = cursor_u16(c);
	r->port = cursor_u16(c);
	if (c->bad || !read_name(m, c, r->name))
		return false;
	return !strcmp(r->name, ".") || (r->port && dns_name_is_valid(r->name));
}

/* RFC 1035 3.3: a byte that counts, and so many. */
static struct str take_string(struct cursor *c)
{
	size_t n = cursor_u8(c);
	const uint8_t *p = cursor_take(c, n);

	return p ? (struct str){(const char *)p, n} : STR("");
}

/* RFC 3263 4.1: services without a rewriting of their own. */
static bool take_naptr(const struct message *m, struct dns_record *r,
		       struct cursor *c)
{
	struct str flags, service, rewriting;

	r->priority = cursor_u16(c);
	r->weight = cursor_u16(c);
	flags = take_string(c);
	service = take_string(c);
	rewriting = take_string(c);
	if (c->bad || rewriting.n || flags.n != 1)
		return false;
	r->flag = (char)tolower((unsigned char)flags.p[0]);
	r->transport = str_case_eq_c(service, "SIP+D2U")   ? DNS_UDP
		       : str_case_eq_c(service, "SIP+D2T") ? DNS_TCP
							   : DNS_ANY;
	return (r->flag == 's' || r->flag == 'a') && r->transport != DNS_ANY &&
	       read_name(m, c, r->name) && dns_name_is_valid(r->name);
}

static bool take_record(const struct message *m, struct dns_record *r,
			struct cursor *c, enum dns_type type)
{
	memset(r, 0, sizeof(*r));
	switch (type) {
	case DNS_A:
		return take_address(r, c, AF_INET);
	case DNS_AAAA:
		return take_address(r, c, AF_INET6);
	case DNS_SRV:
		return take_srv(m, r, c);
	case DNS_NAPTR:
		return take_naptr(m, r, c);
	default:
		return false;
	}
}

static int take_records(const struct message *m, struct dns_records *out,
			const char *owner, enum dns_type type)
{
	struct cursor c = m->answers;
	struct rr rr;

	for (unsigned i = 0; i < m->n_answers && out->n < DNS_RECORDS; i++) {
		if (!read_rr(m, &c, &rr))
			return -EPROTO;
		if (rr.type != type || rr.class != CLASS_IN ||
		    strcmp(rr.owner, owner))
			continue;
		if (!take_record(m, &out->list[out->n], &rr.data, type))
			continue;
		shorten(&out->ttl_s, rr.ttl_s);
		out->n++;
	}
	return 0;
}

/* RFC 2308 5: of what the zone's SOA says and how long that is good itself.
 * False: there is none. */
static bool read_soa(const struct message *m, uint32_t *ttl_s)
{
	struct cursor c = m->answers;
	char name[DNS_NAME_BYTES];
	uint32_t minimum = 0;
	struct rr rr;

	for (unsigned i = 0; i < (unsigned)m->n_answers + m->n_authority; i++) {
		if (!read_rr(m, &c, &rr))
			return false;
		if (i < m->n_answers || rr.type != DNS_SOA)
			continue;
		if (!read_name(m, &rr.data, name) ||
		    !read_name(m, &rr.data, name))
			return false;
		for (int k = 0; k < 5; k++) /* the last is the minimum */
			minimum = cursor_u32(&rr.data);
		if (rr.data.bad)
			return false;
		shorten(ttl_s, rr.ttl_s);
		shorten(ttl_s, minimum);
		return true;
	}
	return false;
}

/* @end is where the chain of aliases ends, if there is one. */
static void no_records(const struct message *m, struct dns_records *out,
		       const char end[DNS_NAME_BYTES], bool is_alias)
{
	/* An alias may end before the refusal does. */
	bool is_told = read_soa(m, &out->ttl_s);

	if (!is_told)
		shorten(&out->ttl_s, REFUSAL_TTL_S);
	if ((m->flags & MASK_RCODE) == RCODE_NO_NAME) {
		out->result = DNS_NO_NAME;
		return;
	}
	out->result = DNS_NO_DATA;
	if (is_alias && !is_told)
		memcpy(out->alias, end, DNS_NAME_BYTES);
}

int dns_wire_read(struct dns_records *out, const void *bytes, size_t len,
		  uint16_t id, const char *name, enum dns_type type)
{
	char owner[DNS_NAME_BYTES];
	struct message m;
	int err, hops = 0;

	err = open_message(&m, bytes, len, id, name, type);
	if (err)
		return err;
	memset(owner, 0, sizeof(owner));
	for (size_t i = 0; name[i]; i++)
		owner[i] = (char)tolower((unsigned char)name[i]);
	out->n = 0;
	out->alias[0] = '\0';
	out->ttl_s = INT32_MAX;
	out->result = DNS_OK;
	while ((err = follow(&m, owner, &out->ttl_s)) == 1)
		if (++hops > ALIASES)
			return -EPROTO;
	if (!err)
		err = take_records(&m, out, owner, type);
	if (err)
		return err;
	if (!out->n)
		no_records(&m, out, owner, hops > 0);
	return 0;
}
