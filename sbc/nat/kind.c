/*
 * kind.c - what kind of NAT a phone is behind (RFC 4787), asked of the NAT
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *            known way          another port         another address
 *   phone <----------- box:5060       box:49001            box2:49002
 *     ^                                  |                    |
 *     '-- NAT <---- OPTIONS -------------'                    |
 *     '-- NAT <---- OPTIONS ----------------------------------'
 *
 * Whoever is let in gets an answer, and the port that this comes from is what
 * the NAT maps towards somebody new.  Each question has sockets of its own, so
 * that nothing here is ever taken for signalling.
 *
 * What cannot be seen: a phone that answers nobody but its registrar looks as
 * if its NAT let nobody in.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/limits.h"
#include "core/rand.h"
#include "nat/nat.h"

enum {
	PROBES_MAX = 32,
	TRIES = 3,
	TRY_MS = 1000,
	READS_MAX = 8, /* datagrams in one turn of the loop */
	MESSAGE_BYTES = 2048,
	TOKEN_CHARS = 16,
};

/* One socket that the NAT has not seen yet. */
struct ear {
	struct probe *probe;
	int fd; /* -1 = none */
	struct loop_fd *handle;
	struct addr local;
	char branch[TOKEN_CHARS + 1], tag[TOKEN_CHARS + 1],
		call_id[TOKEN_CHARS + 1];
	bool answered;
	uint16_t from_port; /* of the answer */
};

enum { EAR_PORT, EAR_ADDRESS, EARS };

struct probe {
	struct list link;
	struct nat_prober *owner;
	uint64_t id;
	struct addr remote;
	char target[LIMIT_URI_BYTES + 1];
	enum nat_mapping mapping; /* as far as the verdict tells */
	struct ear ears[EARS];
	unsigned tries;
	struct timer timer;
};

struct nat_prober {
	struct loop *loop;
	nat_kind_fn done;
	void *arg;
	struct list probes;
	unsigned n_probes;
};

/* ---- conclusions ------------------------------------------------------------ */

/*
 * A NAT that keeps the phone's port has one mapping for everybody, as long as
 * it can; so has one whose mapping the phone learnt from somebody else.  What
 * an ALG has rewritten shows neither.
 */
static enum nat_mapping mapping_of(const struct nat_verdict *v,
				   const struct addr *seen)
{
	if (!v->behind)
		return NAT_MAPPING_NONE;
	if (v->alg == NAT_ALG_NONE && addr_is_set(&v->announced) &&
	    addr_port(&v->announced) == addr_port(seen))
		return NAT_MAPPING_INDEPENDENT;
	return NAT_MAPPING_UNKNOWN;
}

static enum nat_mapping heard_mapping(const struct probe *p)
{
	enum nat_mapping mapping = p->mapping;

	if (mapping == NAT_MAPPING_NONE)
		return mapping;
	for (int i = 0; i < EARS; i++) {
		const struct ear *e = &p->ears[i];

		if (!e->answered)
			continue;
		if (e->from_port != addr_port(&p->remote))
			return NAT_MAPPING_DEPENDENT;
		mapping = NAT_MAPPING_INDEPENDENT;
	}
	return mapping;
}

static enum nat_filter heard_filter(const struct probe *p)
{
	if (p->ears[EAR_ADDRESS].answered)
		return NAT_FILTER_ANY;
	if (!p->ears[EAR_PORT].answered)
		return NAT_FILTER_PORT;
	return p->ears[EAR_ADDRESS].fd < 0 ? NAT_FILTER_ADDRESS_OR_ANY
					   : NAT_FILTER_ADDRESS;
}

const char *nat_kind_name(const struct nat_kind *kind)
{
	static const char *const independent[] = {
		[NAT_FILTER_UNKNOWN] = "unknown",
		[NAT_FILTER_ANY] = "full-cone",
		[NAT_FILTER_ADDRESS] = "address-restricted",
		[NAT_FILTER_ADDRESS_OR_ANY] = "address-restricted or full-cone",
		[NAT_FILTER_PORT] = "port-restricted",
	};

	switch (kind->mapping) {
	case NAT_MAPPING_NONE:
		return "none";
	case NAT_MAPPING_DEPENDENT:
		return "symmetric";
	case NAT_MAPPING_INDEPENDENT:
		if ((unsigned)kind->filter <= NAT_FILTER_PORT)
			return independent[kind->filter];
		return "unknown";
	default:
		return kind->filter == NAT_FILTER_PORT
			       ? "port-restricted or symmetric"
			       : "unknown";
	}
}

/* ---- life of a probe --------------------------------------------------------- */

static void ear_close(struct ear *e)
{
	loop_fd_remove(e->handle);
	if (e->fd >= 0)
		close(e->fd);
	e->handle = NULL;
	e->fd = -1;
}

static void probe_free(struct probe *p)
{
	timer_cancel(p->owner->loop, &p->timer);
	for (int i = 0; i < EARS; i++)
		ear_close(&p->ears[i]);
	list_remove(&p->link);
	p->owner->n_probes--;
	free(p);
}

static void finish(void *arg)
{
	struct probe *p = arg;
	const struct nat_kind kind = {heard_mapping(p), heard_filter(p)};
	struct nat_prober *owner = p->owner;
	uint64_t id = p->id;

	probe_free(p);
	owner->done(owner->arg, id, &kind);
}

static bool is_complete(const struct probe *p)
{
	for (int i = 0; i < EARS; i++)
		if (p->ears[i].fd >= 0 && !p->ears[i].answered)
			return false;
	return true;
}

/* ---- asking -------------------------------------------------------------------- */

static void write_options(struct buf *b, const struct ear *e,
			  const char *target)
{
	unsigned port = addr_port(&e->local);
	char host[ADDR_TEXT_MAX];

	addr_fmt_uri(&e->local, host);
	buf_printf(b, "OPTIONS %s SIP/2.0\r\n", target);
	buf_printf(b, "Via: SIP/2.0/UDP %s:%u;branch=z9hG4bK%s;rport\r\n", host,
		   port, e->branch);
	buf_printf(b, "Max-Forwards: 70\r\nFrom: <sip:sbc@%s>;tag=%s\r\n", host,
		   e->tag);
	buf_printf(b, "To: <%s>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\n", target,
		   e->call_id);
	buf_printf(b, "Contact: <sip:sbc@%s:%u>\r\n", host, port);
	buf_puts(b, "Accept: application/sdp\r\nContent-Length: 0\r\n\r\n");
}

/* A lost datagram and one that the kernel refused are the same to us. */
static void ear_ask(const struct ear *e)
{
	const struct probe *p = e->probe;
	char mem[MESSAGE_BYTES];
	struct buf b;
	ssize_t rc;

	buf_init(&b, mem, sizeof(mem));
	write_options(&b, e, p->target);
	if (b.overflow)
		return;
	rc = sendto(e->fd, b.p, b.n, MSG_DONTWAIT | MSG_NOSIGNAL, &p->remote.sa,
		    addr_len(&p->remote));
	(void)rc;
}

static void ask(void *arg)
{
	struct probe *p = arg;

	if (p->tries == TRIES) {
		finish(p);
		return;
	}
	p->tries++;
	for (int i = 0; i < EARS; i++)
		if (p->ears[i].fd >= 0 && !p->ears[i].answered)
			ear_ask(&p->ears[i]);
	timer_set(p->owner->loop, &p->timer, TRY_MS, ask, p);
}

/* ---- hearing ------------------------------------------------------------------- */

/* Nobody else can know the branch; what it answers does not matter. */
static bool is_answer(const struct ear *e, struct str text,
		      const struct addr *from)
{
	static const char version[] = "SIP/2.0 ";

	return addr_same_host(from, &e->probe->remote) &&
	       text.n > sizeof(version) &&
	       !memcmp(text.p, version, sizeof(version) - 1) &&
	       memmem(text.p, text.n, e->branch, TOKEN_CHARS);
}

static void ear_ready(void *arg, int fd, unsigned events)
{
	struct ear *e = arg;
	struct probe *p = e->probe;
	char mem[MESSAGE_BYTES];

	for (int i = 0; i < READS_MAX; i++) {
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);
		struct addr from;
		ssize_t n = recvfrom(fd, mem, sizeof(mem), MSG_DONTWAIT,
				     (struct sockaddr *)&ss, &len);

		if (n < 0)
			break;
		if (addr_from_sa(&from, (struct sockaddr *)&ss, len) ||
		    !is_answer(e, (struct str){mem, (size_t)n}, &from))
			continue;
		e->answered = true;
		e->from_port = addr_port(&from);
	}
	/* Not from within: this would close the socket that called us. */
	if (is_complete(p))
		timer_set(p->owner->loop, &p->timer, 0, finish, p);
}

/* ---- sockets ------------------------------------------------------------------- */

static int ear_open(struct ear *e, const struct addr *host)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int on = 1, err;

	e->local = *host;
	addr_set_port(&e->local, 0);
	rand_token(e->branch, TOKEN_CHARS);
	rand_token(e->tag, TOKEN_CHARS);
	rand_token(e->call_id, TOKEN_CHARS);
	e->fd = socket(addr_family(host),
		       SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (e->fd < 0)
		return -errno;
	if (addr_family(host) == AF_INET6)
		setsockopt(e->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(e->fd, &e->local.sa, addr_len(&e->local)) ||
	    getsockname(e->fd, (struct sockaddr *)&ss, &len))
		err = -errno;
	else
		err = addr_from_sa(&e->local, (struct sockaddr *)&ss, len);
	if (!err)
		err = loop_fd_add(e->probe->owner->loop, &e->handle, e->fd,
				  LOOP_IN, ear_ready, e);
	if (err)
		ear_close(e);
	return err;
}

static size_t ip_bytes(const struct addr *a, const uint8_t **out)
{
	if (addr_family(a) == AF_INET) {
		*out = (const uint8_t *)&a->in.sin_addr;
		return 4;
	}
	*out = a->in6.sin6_addr.s6_addr;
	return 16;
}

/* @a and @b have the same family. */
static bool is_on_link(const struct addr *a, const struct addr *b,
		       const struct addr *mask)
{
	const uint8_t *pa, *pb, *pm;
	size_t n = ip_bytes(a, &pa);

	ip_bytes(b, &pb);
	ip_bytes(mask, &pm);
	for (size_t i = 0; i < n; i++)
		if ((pa[i] ^ pb[i]) & pm[i])
			return false;
	return true;
}

/* The kernel leaves the family of a netmask open. */
static void mask_of(struct addr *out, const struct ifaddrs *ifa)
{
	memset(out, 0, sizeof(*out));
	if (ifa->ifa_addr->sa_family == AF_INET)
		memcpy(&out->in, ifa->ifa_netmask, sizeof(out->in));
	else
		memcpy(&out->in6, ifa->ifa_netmask, sizeof(out->in6));
	out->sa.sa_family = ifa->ifa_addr->sa_family;
}

static bool is_beside(struct addr *out, const struct ifaddrs *ifa,
		      const struct addr *local)
{
	struct addr a, mask;

	if (!ifa->ifa_addr || !ifa->ifa_netmask || !(ifa->ifa_flags & IFF_UP) ||
	    addr_from_sa(&a, ifa->ifa_addr, sizeof(struct sockaddr_in6)))
		return false;
	if (addr_family(&a) != addr_family(local) || addr_same_host(&a, local))
		return false;
	mask_of(&mask, ifa);
	*out = a;
	return is_on_link(&a, local, &mask);
}

/* Another address of ours on the same network, for which the same routes and
 * firewalls hold: from elsewhere silence would prove nothing. */
static bool other_address(struct addr *out, const struct addr *local)
{
	struct ifaddrs *all, *ifa;
	bool found = false;

	if (getifaddrs(&all))
		return false;
	for (ifa = all; ifa && !found; ifa = ifa->ifa_next)
		found = is_beside(out, ifa, local);
	freeifaddrs(all);
	return found;
}

/* ---- the door ------------------------------------------------------------------ */

/* A Contact as a Request-URI: no headers (RFC 3261 19.1.1), and nothing that
 * could end the line or the brackets around it. */
static int set_target(struct probe *p, const char *target)
{
	char host[ADDR_TEXT_MAX];
	struct str uri = str_of(target), scheme;

	if (!target) {
		snprintf(p->target, sizeof(p->target), "sip:%s:%u",
			 addr_fmt_uri(&p->remote, host), addr_port(&p->remote));
		return 0;
	}
	uri = str_cut(&uri, '?');
	for (size_t i = 0; i < uri.n; i++)
		if (uri.p[i] <= ' ' || uri.p[i] > '~' || uri.p[i] == '<' ||
		    uri.p[i] == '>' || uri.p[i] == '"')
			return -EINVAL;
	if (str_copy(p->target, sizeof(p->target), uri))
		return -EINVAL;
	scheme = str_cut(&uri, ':');
	return uri.n && str_case_eq_c(scheme, "sip") ? 0 : -EINVAL;
}

int nat_prober_create(struct nat_prober **out, struct loop *loop,
		      nat_kind_fn done, void *arg)
{
	struct nat_prober *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	*p = (struct nat_prober){.loop = loop, .done = done, .arg = arg};
	list_init(&p->probes);
	*out = p;
	return 0;
}

void nat_prober_destroy(struct nat_prober *p)
{
	if (!p)
		return;
	list_for_each_safe (pos, &p->probes)
		probe_free(list_entry(pos, struct probe, link));
	free(p);
}

static struct probe *probe_new(struct nat_prober *owner, uint64_t id)
{
	struct probe *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->owner = owner;
	p->id = id;
	for (int i = 0; i < EARS; i++) {
		p->ears[i].probe = p;
		p->ears[i].fd = -1;
	}
	list_append(&owner->probes, &p->link);
	owner->n_probes++;
	return p;
}

int nat_probe(struct nat_prober *prober, const struct sip_flow *flow,
	      const char *target, const struct nat_verdict *verdict,
	      uint64_t id)
{
	struct addr other;
	struct probe *p;
	int err;

	if (flow->transport != SIP_UDP || !addr_port(&flow->remote))
		return -EINVAL;
	if (prober->n_probes >= PROBES_MAX)
		return -EAGAIN;
	p = probe_new(prober, id);
	if (!p)
		return -ENOMEM;
	p->remote = flow->remote;
	p->mapping = mapping_of(verdict, &flow->remote);
	err = set_target(p, target);
	if (!err)
		err = ear_open(&p->ears[EAR_PORT], &flow->local);
	if (err)
		goto fail;
	/* Without a second address less can be told, but not nothing. */
	if (other_address(&other, &flow->local))
		ear_open(&p->ears[EAR_ADDRESS], &other);
	ask(p);
	return 0;
fail:
	probe_free(p);
	return err;
}
