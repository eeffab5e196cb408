/*
 * evidence.c - what a message shows of the NATs and ALGs on its way
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   where()    each address that the message names, held against its source
 *   facts()    what differs, test by test: true whatever it means
 *   damage()   what no phone does by itself, only an ALG
 *   nat_judge  what follows from that
 *
 * Facts are cheap and conclusions are not: phones learn their public address
 * from STUN and from our own received and rport, and put it into some headers
 * and not into others.  So Contact or SDP that are public while Via is private
 * accuse nobody; neither do names, nor what a proxy has passed on.
 */
#include <string.h>

#include "core/limits.h"
#include "nat/nat.h"

#define BIT(e) (UINT32_C(1) << (e))

enum place {
	SAYS_NOTHING, /* absent, a name, or 0.0.0.0 (hold) */
	SAME,         /* the source's host */
	INNER,        /* private or CGN, and not the source's */
	PUBLIC,       /* another one that could be reached */
	ODD,          /* loopback, link-local, or of another family */
};

struct named {
	struct addr addr;
	enum place host;
	bool other_port; /* and ports can be compared */
};

struct named_all {
	struct named via, contact, sdp, origin, call_id;
	bool source_private;
	/* Top Via is a proxy's: the rest was written further away. */
	bool proxied;
};

/* ---- what is named, and where that is ------------------------------------- */

static void where(struct named *n, const struct addr *seen, bool has_port)
{
	/* A scope is the writer's own affair. */
	if (addr_class(&n->addr) == ADDR_LINK_LOCAL &&
	    addr_family(&n->addr) == AF_INET6 && addr_family(seen) == AF_INET6)
		n->addr.in6.sin6_scope_id = seen->in6.sin6_scope_id;
	switch (addr_class(&n->addr)) {
	case ADDR_NONE:
	case ADDR_ANY:
		n->host = SAYS_NOTHING;
		return;
	case ADDR_LOOPBACK:
	case ADDR_LINK_LOCAL:
	case ADDR_MULTICAST:
		n->host = ODD;
		break;
	case ADDR_PRIVATE:
	case ADDR_CGN:
		n->host = INNER;
		break;
	default:
		n->host = PUBLIC;
	}
	if (addr_family(&n->addr) != addr_family(seen))
		n->host = ODD;
	if (addr_same_host(&n->addr, seen))
		n->host = SAME;
	n->other_port = has_port && addr_port(&n->addr) != addr_port(seen);
}

static bool is_exact(const struct named *n)
{
	return n->host == SAME && !n->other_port;
}

static void find_via(struct named *n, const struct sip_view *v)
{
	const struct sip_sent_by *via = &v->via;

	if (!via->host)
		return;
	addr_parse(&n->addr, via->host, strlen(via->host),
		   via->port ? via->port : 5060);
	/* A TCP client's port is the kernel's choice. */
	where(n, &v->flow.remote, v->flow.transport == SIP_UDP);
}

/* Is the port of this URI one for UDP? */
static bool is_udp_uri(const char *uri)
{
	struct str s = str_of(uri), host = s, param;

	str_cut(&host, '@');
	if (host.p)
		s = host;
	str_cut(&s, ';');
	while (s.n) {
		param = str_cut(&s, ';');
		if (str_case_eq_c(str_cut(&param, '='), "transport"))
			return str_case_eq_c(param, "udp");
	}
	return true;
}

/* Of several the one that fits best: a phone may offer two families. */
static void find_contact(struct named *best, const struct sip_view *v)
{
	for (unsigned i = 0; i < v->n_contacts; i++) {
		const char *uri = v->contacts[i].uri;
		struct named n = {0};

		if (!uri || addr_parse_uri(&n.addr, uri))
			continue;
		where(&n, &v->flow.remote,
		      v->flow.transport == SIP_UDP && is_udp_uri(uri));
		if (best->host == SAYS_NOTHING ||
		    (n.host == SAME && !is_exact(best)))
			*best = n;
	}
}

/* Some phones write 192.168.1.7 as BJC.BGI.B.H, so that it looks hidden. */
static int parse_letters(struct addr *out, struct str host)
{
	char digits[INET_ADDRSTRLEN];

	if (host.n >= sizeof(digits))
		return -1;
	for (size_t i = 0; i < host.n; i++) {
		if (host.p[i] == '.')
			digits[i] = '.';
		else if (host.p[i] >= 'A' && host.p[i] <= 'J')
			digits[i] = (char)('0' + (host.p[i] - 'A'));
		else
			return -1;
	}
	return addr_parse(out, digits, host.n, 0);
}

/* A response's Call-ID may be our own; so may a request's in a dialog. */
static void find_call_id(struct named *n, const struct sip_view *v)
{
	struct str host = str_of(v->call_id);

	if (v->status || host.n > LIMIT_CALLID_BYTES)
		return;
	str_cut(&host, '@');
	if (!host.n || (addr_parse(&n->addr, host.p, host.n, 0) &&
			parse_letters(&n->addr, host)))
		return;
	if (!addr_same_host(&n->addr, &v->flow.local))
		where(n, &v->flow.remote, false);
}

static bool came_by_proxy(const struct sip_view *v)
{
	/* Phones begin with 70, as RFC 3261 8.1.1.6 says, or with much less. */
	return !v->status &&
	       (v->path || (v->max_forwards >= 64 && v->max_forwards < 70));
}

static void find_all(struct named_all *all, const struct nat_look *look)
{
	const struct sip_view *v = look->view;

	memset(all, 0, sizeof(*all));
	all->source_private = addr_class(&v->flow.remote) == ADDR_PRIVATE;
	all->proxied = came_by_proxy(v);
	all->sdp.addr = look->sdp;
	all->origin.addr = look->sdp_origin;
	find_via(&all->via, v);
	find_contact(&all->contact, v);
	find_call_id(&all->call_id, v);
	where(&all->sdp, &v->flow.remote, false);
	where(&all->origin, &v->flow.remote, false);
}

/* ---- facts ------------------------------------------------------------------ */

static uint32_t differs(const struct named *n, enum nat_evidence host,
			enum nat_evidence private)
{
	if (n->host == SAYS_NOTHING || n->host == SAME)
		return 0;
	return BIT(host) | (n->host == INNER ? BIT(private) : 0);
}

static uint32_t facts(const struct named_all *all, const struct sip_view *v)
{
	uint32_t seen = 0;

	seen |= differs(&all->via, NAT_VIA_HOST, NAT_VIA_PRIVATE);
	seen |= differs(&all->contact, NAT_CONTACT_HOST, NAT_CONTACT_PRIVATE);
	seen |= differs(&all->sdp, NAT_SDP_HOST, NAT_SDP_PRIVATE);
	if (all->via.other_port)
		seen |= BIT(NAT_VIA_PORT);
	if (all->contact.other_port)
		seen |= BIT(NAT_CONTACT_PORT);
	if (all->origin.host == INNER && all->sdp.host != INNER)
		seen |= BIT(NAT_ORIGIN_PRIVATE);
	if (all->call_id.host == INNER && all->via.host != INNER &&
	    all->contact.host != INNER && all->sdp.host != INNER)
		seen |= BIT(NAT_CALLID_PRIVATE);
	if (addr_class(&v->flow.remote) == ADDR_CGN)
		seen |= BIT(NAT_SOURCE_CGN);
	if (v->status && (all->contact.host == INNER || all->sdp.host == INNER))
		seen |= BIT(NAT_REPLIED_PRIVATE);
	return seen;
}

/* ---- damage ----------------------------------------------------------------- */

/* Somewhere the phone still shows an address that is not the source's, so what
 * does name the source was put there by another hand. */
static bool shows_inner(const struct named_all *all)
{
	return all->call_id.host == INNER || all->origin.host == INNER;
}

/*
 * Via says the source and Contact does not, wholly or by its port alone.  Not
 * the other way round: Contact made of our received and rport above a private
 * Via is what several softphones do by themselves.
 */
static bool is_mixed(const struct named_all *all, const struct sip_view *v)
{
	if (v->status || all->proxied || all->via.host != SAME)
		return false;
	if (all->contact.host == INNER)
		return !all->source_private;
	return all->contact.host == SAME &&
	       all->via.other_port != all->contact.other_port &&
	       shows_inner(all);
}

/*
 * o= was rewritten and c= was not; or the port of m= was and a=rtcp was not.
 * c= without o= proves nothing: a phone that asks STUN for its media does the
 * same.  Nor does an odd a=rtcp (RFC 3605) of one who knows where it is.
 */
static bool is_half_sdp(const struct named_all *all,
			const struct nat_look *look)
{
	unsigned rtp = addr_port(&look->sdp), rtcp = look->sdp_rtcp;

	if (all->proxied)
		return false;
	if (all->origin.host == SAME && all->sdp.host == INNER)
		return true;
	if (!rtcp || !rtp || rtcp == rtp || rtcp == rtp + 1)
		return false;
	return all->sdp.host == SAME && all->via.host == SAME &&
	       (all->contact.host == SAME ||
		all->contact.host == SAYS_NOTHING) &&
	       shows_inner(all);
}

/* Only where both are like mail addresses: another Call-ID altogether is a
 * phone that has restarted. */
static bool is_call_id_rewritten(const struct nat_look *look)
{
	struct str was = str_of(look->call_id);
	struct str is = str_of(look->view->call_id);
	struct str was_local = str_cut(&was, '@'), is_local = str_cut(&is, '@');

	return was_local.n && str_eq(was_local, is_local) && was.n && is.n &&
	       !str_case_eq(was, is);
}

/* RFC 3581 3: a client sends rport without a value, and never received. */
static bool is_rport_wrong(const struct sip_view *v)
{
	const struct addr *seen = &v->flow.remote;
	const char *received = v->via.received;
	struct addr a;

	if (v->status)
		return false;
	if (v->via.rport && v->via.rport != addr_port(seen))
		return true;
	return received && (addr_parse(&a, received, strlen(received), 0) ||
			    !addr_same_host(&a, seen));
}

/* The literal host of @uri. */
static bool uri_host(struct addr *out, const struct sip_uri *uri)
{
	return uri->host && !addr_parse(out, uri->host, strlen(uri->host), 0);
}

/* Both below: only where nothing on our own side translates can we know what
 * our address should look like. */
static bool is_known_outside(const struct addr *ours)
{
	return addr_class(ours) == ADDR_GLOBAL;
}

/* A REGISTER that was sent to our address names it twice. */
static bool is_registrar_changed(const struct sip_view *v)
{
	const struct addr *ours = &v->flow.local;
	struct addr uri, to;

	if (v->method != SIP_REGISTER || !is_known_outside(ours) ||
	    !uri_host(&uri, &v->uri))
		return false;
	if (addr_same_host(&uri, ours))
		return uri_host(&to, &v->to) && !addr_same_host(&to, ours);
	return addr_same_host(&uri, &v->flow.remote) ||
	       (uri_host(&to, &v->to) && addr_same_host(&to, ours));
}

/* How a peer saw us.  A private address there is a router that hides outside
 * addresses from the inside, and rewrites no message. */
static bool is_echo_changed(const struct sip_view *v)
{
	const struct addr *ours = &v->flow.local, *echo = &v->reply_source;
	unsigned port = addr_port(echo);

	if (!is_known_outside(ours) || addr_class(echo) != ADDR_GLOBAL)
		return false;
	return !addr_same_host(echo, ours) || (v->flow.transport == SIP_UDP &&
					       port && port != addr_port(ours));
}

/* A body that was rewritten, and its length was not. */
static bool is_length_wrong(const struct sip_view *v)
{
	if (v->content_length < 0)
		return false;
	return (size_t)v->content_length != v->body.n ||
	       (v->has_surplus && v->flow.transport == SIP_UDP);
}

static uint32_t damage(const struct named_all *all, const struct nat_look *look)
{
	const struct sip_view *v = look->view;
	uint32_t seen = 0;

	if (is_call_id_rewritten(look))
		seen |= BIT(NAT_ALG_CALLID);
	if (is_mixed(all, v))
		seen |= BIT(NAT_ALG_MIX);
	if (is_half_sdp(all, look))
		seen |= BIT(NAT_ALG_SDP);
	if (is_length_wrong(v))
		seen |= BIT(NAT_ALG_LENGTH);
	if (is_rport_wrong(v))
		seen |= BIT(NAT_ALG_RPORT);
	if (v->status ? is_echo_changed(v) : is_registrar_changed(v))
		seen |= BIT(NAT_ALG_TO_US);
	return seen;
}

/* ---- what follows ------------------------------------------------------------ */

/* What it says of its own signalling address. */
static const struct named *announced(const struct named_all *all)
{
	return all->via.host != SAYS_NOTHING ? &all->via : &all->contact;
}

static bool names_source_or_nothing(const struct named *n)
{
	return n->host == SAYS_NOTHING || is_exact(n);
}

/* Everything that an ALG should rewrite is right, and what most of them leave
 * is not. */
static bool is_transparent(const struct named_all *all)
{
	return !all->proxied && shows_inner(all) && is_exact(announced(all)) &&
	       names_source_or_nothing(&all->contact) &&
	       names_source_or_nothing(&all->sdp);
}

/* A private address in Contact or SDP.  From a private source that has said
 * who it is, it is only another machine of that network. */
static bool is_inside(const struct named *n, const struct named_all *all)
{
	return n->host == INNER && !all->proxied &&
	       !(all->source_private && is_exact(announced(all)));
}

/* The ports differ and the hosts do not.  From a private address without
 * rport it is a phone that listens and sends on different ports. */
static bool is_port_translated(const struct named_all *all,
			       const struct sip_view *v)
{
	const struct named *n = announced(all);

	return n->host == SAME && n->other_port &&
	       (v->via.has_rport || !all->source_private);
}

/* Hosts with several IPv6 addresses are the rule, and NATs between public
 * ones are not. */
static bool is_via_translated(const struct named *via)
{
	return via->host == INNER ||
	       (via->host == PUBLIC && addr_family(&via->addr) == AF_INET);
}

static bool is_behind(const struct named_all *all, const struct sip_view *v)
{
	const struct named *n = announced(all);

	if (is_via_translated(&all->via) || is_port_translated(all, v) ||
	    is_inside(&all->contact, all) || is_inside(&all->sdp, all))
		return true;
	if (addr_class(&v->flow.remote) == ADDR_CGN && !is_exact(n))
		return true;
	return n->host == SAYS_NOTHING && is_inside(&all->call_id, all);
}

/* A neighbour on a private network: faults are its own, nobody is between. */
static bool is_neighbour(const struct named_all *all)
{
	return all->source_private && is_exact(announced(all)) &&
	       !shows_inner(all);
}

void nat_judge(struct nat_verdict *out, const struct nat_look *look)
{
	const struct sip_view *v = look->view;
	struct named_all all;
	uint32_t broken;

	memset(out, 0, sizeof(*out));
	if (!v || v->internal || !addr_is_set(&v->flow.remote))
		return;
	find_all(&all, look);
	broken = damage(&all, look);
	out->evidence = facts(&all, v) | broken;
	if (broken && !is_neighbour(&all))
		out->alg = NAT_ALG_BROKEN;
	else if (is_transparent(&all))
		out->alg = NAT_ALG_TRANSPARENT;
	out->behind = out->alg != NAT_ALG_NONE || is_behind(&all, v);
	if (announced(&all)->host != SAYS_NOTHING)
		out->announced = announced(&all)->addr;
}

void nat_verdict_add(struct nat_verdict *v, const struct nat_verdict *more)
{
	/* The address that tells most: one that shows the NAT. */
	if (addr_is_set(&more->announced) &&
	    (!addr_is_set(&v->announced) || (more->behind && !v->behind)))
		v->announced = more->announced;
	v->evidence |= more->evidence;
	v->behind |= more->behind;
	if (more->alg > v->alg)
		v->alg = more->alg;
}
