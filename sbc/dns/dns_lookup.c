/*
 * dns_lookup.c - which questions a SIP server's name leads to (RFC 3263 4)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   port written ─────────────────────────────────────▶ A, AAAA
 *   any transport ─▶ NAPTR ─ 's' ─▶ SRV ──────────────▶ A, AAAA
 *        │                 └ 'a' ─────────────────────▶ A, AAAA
 *        ▼ none
 *   SRV of _sip._udp, _sip._tcp, or of the one ───────▶ A, AAAA
 *        │
 *        ▼ none                                         A, AAAA, port 5060
 *
 * That a server did not answer is not the same as that there is nothing: only
 * when it is known that a name has no SRV are its addresses taken, since who
 * lives there may be a web server.  NAPTR is but a hint on the way, and there
 * are servers that know no such thing.
 */
#include "dns/dns_lookup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	QUESTIONS = 64,
	ALIASES = 8,
	SERVICES = 4, /* of NAPTR */
	SIP_PORT = 5060,
	/* What is found is good for so long at least though something else was
	 * not there, and at most when something did not answer. */
	PART_TTL_S = 60,
};

struct lookup {
	const struct dns_question *q;
	const struct dns_asker *asker;
	struct dns_answer *out;
	unsigned asked;
	uint32_t ttl_s;    /* of what is there */
	uint32_t no_ttl_s; /* of what is not */
	uint16_t rank;     /* the next priority */
	uint16_t target;   /* the next number of a host */
	bool is_canceled;
};

static enum dns_result result_of(struct lookup *l, int err)
{
	switch (err) {
	case -ECANCELED:
		l->is_canceled = true;
		return DNS_FAILED;
	case -ETIMEDOUT:
		return DNS_TIMED_OUT;
	case -ENOTSUP:
		return DNS_NO_DATA;
	default:
		return DNS_FAILED;
	}
}

/* Ask for @name, or for what it is an alias of. */
static enum dns_result query(struct lookup *l, struct dns_records *r,
			     const char *name, enum dns_type type)
{
	char alias[DNS_NAME_BYTES];
	uint32_t ttl_s = INT32_MAX;
	int err;

	for (int hops = 0; hops <= ALIASES; hops++) {
		r->ttl_s = PART_TTL_S;
		if (l->is_canceled || l->asked == QUESTIONS)
			return DNS_FAILED;
		l->asked++;
		err = l->asker->ask(l->asker->arg, r, name, type);
		if (err)
			return result_of(l, err);
		if (r->ttl_s > ttl_s)
			r->ttl_s = ttl_s;
		if (r->result != DNS_NO_DATA || !r->alias[0])
			return r->result;
		ttl_s = r->ttl_s;
		memcpy(alias, r->alias, sizeof(alias));
		name = alias;
	}
	return DNS_FAILED;
}

static bool is_silence(enum dns_result r)
{
	return r == DNS_FAILED || r == DNS_TIMED_OUT;
}

/* Of two results the one that says more; a failure may hide anything. */
static enum dns_result both(enum dns_result a, enum dns_result b)
{
	if (a == DNS_OK || b == DNS_OK)
		return DNS_OK;
	if (is_silence(a) || is_silence(b))
		return is_silence(a) ? a : b;
	return a == DNS_NO_DATA ? a : b;
}

static void note_ttl(struct lookup *l, enum dns_result result, uint32_t ttl_s)
{
	uint32_t *shortest = result == DNS_OK ? &l->ttl_s : &l->no_ttl_s;

	if (is_silence(result))
		ttl_s = PART_TTL_S;
	if (ttl_s < *shortest)
		*shortest = ttl_s;
}

/* ---- addresses ------------------------------------------------------------------ */

static enum dns_result add_type(struct lookup *l, const char *host,
				const struct dns_way *like, enum dns_type type)
{
	struct dns_answer *out = l->out;
	struct dns_records r;
	enum dns_result result;

	if (out->n == DNS_WAYS)
		return DNS_OK;
	result = query(l, &r, host, type);
	note_ttl(l, result, r.ttl_s);
	if (result != DNS_OK)
		return result;
	for (unsigned i = 0; i < r.n && out->n < DNS_WAYS; i++) {
		struct dns_way *way = &out->ways[out->n++];

		*way = *like;
		way->addr = r.list[i].addr;
		addr_set_port(&way->addr, addr_port(&like->addr));
	}
	return DNS_OK;
}

/* @like says all but the address, whose port it has. */
static enum dns_result add_host(struct lookup *l, const char *host,
				struct dns_way like)
{
	enum dns_type first = DNS_A, second = DNS_AAAA;
	enum dns_result result;

	like.target = l->target++;
	if (l->q->family == DNS_V6_FIRST || l->q->family == DNS_V6_ONLY) {
		first = DNS_AAAA;
		second = DNS_A;
	}
	result = add_type(l, host, &like, first);
	if (l->q->family == DNS_V4_FIRST || l->q->family == DNS_V6_FIRST)
		result = both(result, add_type(l, host, &like, second));
	return result;
}

static struct dns_way plain_way(const struct lookup *l, uint16_t port)
{
	struct dns_way way = {
		.transport = l->q->transport == DNS_TCP ? DNS_TCP : DNS_UDP,
		.priority = l->rank,
	};

	way.addr.sa.sa_family = AF_INET; /* for the port to have a place */
	addr_set_port(&way.addr, port);
	return way;
}

static enum dns_result by_address(struct lookup *l, uint16_t port)
{
	return add_host(l, l->q->host, plain_way(l, port));
}

/* ---- services ------------------------------------------------------------------- */

static int by_priority(const void *a, const void *b)
{
	const struct dns_record *x = a, *y = b;

	return (int)x->priority - (int)y->priority;
}

/* RFC 3403: order first, preference then. */
static int by_order(const void *a, const void *b)
{
	const struct dns_record *x = a, *y = b;
	int order = by_priority(a, b);

	return order ? order : (int)x->weight - (int)y->weight;
}

static enum dns_result add_servers(struct lookup *l,
				   const struct dns_records *r,
				   enum dns_transport transport)
{
	enum dns_result result = DNS_NO_DATA;

	for (unsigned i = 0; i < r->n; i++) {
		const struct dns_record *server = &r->list[i];
		struct dns_way way = plain_way(l, server->port);

		if (i && server->priority != r->list[i - 1].priority)
			way.priority = ++l->rank;
		way.transport = transport;
		way.weight = server->weight;
		/* "." means that the service is decidedly not there. */
		if (strcmp(server->name, "."))
			result = both(result, add_host(l, server->name, way));
	}
	l->rank++;
	return result;
}

/* @has_found: there are such records, whether their hosts are found or not. */
static enum dns_result by_service(struct lookup *l, const char *name,
				  enum dns_transport transport, bool *has_found)
{
	enum dns_result result;
	struct dns_records r;

	result = query(l, &r, name, DNS_SRV);
	note_ttl(l, result, r.ttl_s);
	if (result != DNS_OK)
		return result;
	*has_found = true;
	qsort(r.list, r.n, sizeof(r.list[0]), by_priority);
	return add_servers(l, &r, transport);
}

static enum dns_result by_standard_services(struct lookup *l, bool *has_found)
{
	static const struct {
		enum dns_transport transport;
		const char *prefix;
	} services[] = {{DNS_UDP, "_sip._udp"}, {DNS_TCP, "_sip._tcp"}};
	enum dns_result result = DNS_NO_DATA;
	char name[DNS_NAME_BYTES + 16];

	for (size_t i = 0; i < 2; i++) {
		if (l->q->transport != DNS_ANY &&
		    l->q->transport != services[i].transport)
			continue;
		snprintf(name, sizeof(name), "%s.%s", services[i].prefix,
			 l->q->host);
		if (dns_name_is_valid(name))
			result = both(result,
				      by_service(l, name, services[i].transport,
						 has_found));
	}
	return result;
}

static void by_naptr(struct lookup *l)
{
	struct dns_records r;
	bool has_found = false;

	if (query(l, &r, l->q->host, DNS_NAPTR) != DNS_OK)
		return;
	note_ttl(l, DNS_OK, r.ttl_s);
	qsort(r.list, r.n, sizeof(r.list[0]), by_order);
	for (unsigned i = 0; i < r.n && i < SERVICES; i++) {
		struct dns_way way = plain_way(l, SIP_PORT);

		if (r.list[i].flag == 's') {
			by_service(l, r.list[i].name, r.list[i].transport,
				   &has_found);
			continue;
		}
		way.transport = r.list[i].transport;
		l->rank++;
		add_host(l, r.list[i].name, way);
	}
}

static enum dns_result find(struct lookup *l)
{
	bool has_found = false;
	enum dns_result result;

	if (l->q->port)
		return by_address(l, l->q->port);
	if (l->q->transport == DNS_ANY)
		by_naptr(l);
	if (l->out->n)
		return DNS_OK;
	result = by_standard_services(l, &has_found);
	if (result == DNS_OK || is_silence(result) || has_found)
		return result;
	return by_address(l, SIP_PORT);
}

static uint32_t whole_ttl(const struct lookup *l)
{
	uint32_t no_ttl_s = l->no_ttl_s;

	if (is_silence(l->out->result))
		return 0;
	if (l->out->result == DNS_OK && no_ttl_s < PART_TTL_S)
		no_ttl_s = PART_TTL_S;
	return l->ttl_s < no_ttl_s ? l->ttl_s : no_ttl_s;
}

int dns_lookup(struct dns_answer *out, const struct dns_question *q,
	       const struct dns_asker *asker)
{
	struct lookup l = {
		.q = q,
		.asker = asker,
		.out = out,
		.ttl_s = INT32_MAX,
		.no_ttl_s = INT32_MAX,
	};

	memset(out, 0, sizeof(*out));
	out->result = find(&l);
	out->ttl_s = whole_ttl(&l);
	return l.is_canceled ? -ECANCELED : 0;
}
