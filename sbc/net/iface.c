/*
 * iface.c - the machine's addresses by rtnetlink, and which one leads where
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One socket stays open and tells that something has changed; what it is now
 * is asked anew each time on a socket of its own, so that answers and news do
 * not mix.  The kernel answers a dump at once and without waiting for anyone.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "net/net.h"

enum { ANSWER_BYTES = 32 * 1024 }; /* what the kernel fills at most */

/* A net that an interface of ours is in. */
struct prefix {
	struct addr addr;
	unsigned bits;
};

struct net {
	int fd;
	struct loop_fd *watch;
	net_changed_fn fn;
	void *arg;
	struct prefix *links; /* n_links, as of the last news */
	unsigned n_links;
};

/* One address as the kernel tells it. */
struct found {
	struct addr local; /* ours; port 0 */
	struct addr net;   /* an address of the net: on a point-to-point link
			      the other end's, else ours */
	unsigned bits;     /* of @net that all neighbours share */
	bool is_settled;   /* proved unique, and good for something new */
	char interface[IF_NAMESIZE]; /* it is up */
};

typedef void (*found_fn)(void *arg, const struct found *f);

static int each_found(found_fn fn, void *arg);
static void learn_links(struct net *net);

/* ---- news ---------------------------------------------------------------- */

static void on_news(void *arg, int fd, unsigned events)
{
	struct net *net = arg;
	char news[8192];
	bool has_news = false;

	for (;;) {
		ssize_t n = recv(fd, news, sizeof(news), MSG_DONTWAIT);

		if (n < 0 && errno != ENOBUFS)
			break;
		has_news = true; /* ENOBUFS: some of it was lost */
	}
	if (!has_news)
		return;
	learn_links(net);
	net->fn(net->arg);
}

int net_open(struct net **out, struct loop *loop, net_changed_fn fn, void *arg)
{
	struct sockaddr_nl groups = {
		.nl_family = AF_NETLINK,
		.nl_groups =
			RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	struct net *net = calloc(1, sizeof(*net));
	int err = 0;

	if (!net)
		return -ENOMEM;
	net->fn = fn;
	net->arg = arg;
	net->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			 NETLINK_ROUTE);
	if (net->fd < 0 ||
	    bind(net->fd, (struct sockaddr *)&groups, sizeof(groups)))
		err = -errno;
	if (!err)
		err = loop_fd_add(loop, &net->watch, net->fd, LOOP_IN, on_news,
				  net);
	if (err) {
		net_close(net);
		return err;
	}
	learn_links(net);
	*out = net;
	return 0;
}

void net_close(struct net *net)
{
	if (!net)
		return;
	loop_fd_remove(net->watch);
	if (net->fd >= 0)
		close(net->fd);
	free(net->links);
	free(net);
}

/* ---- what there is now --------------------------------------------------- */

static int ask(int *out)
{
	struct {
		struct nlmsghdr head;
		struct ifaddrmsg body;
	} q = {.head = {.nlmsg_len = sizeof(q),
			.nlmsg_type = RTM_GETADDR,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
	struct timeval second = {.tv_sec = 1};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)) ||
	    send(fd, &q, sizeof(q), 0) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

/* The name of the interface, false when it is down or gone. */
static bool is_up(int index, char name[IF_NAMESIZE])
{
	struct ifreq req = {.ifr_ifindex = index};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up;

	if (fd < 0)
		return false;
	up = !ioctl(fd, SIOCGIFNAME, &req) && !ioctl(fd, SIOCGIFFLAGS, &req) &&
	     req.ifr_flags & IFF_UP;
	close(fd);
	memcpy(name, req.ifr_name, IF_NAMESIZE);
	name[IF_NAMESIZE - 1] = 0;
	return up;
}

static int to_addr(struct addr *out, int family, const void *bytes, size_t n)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (family == AF_INET && n == sizeof(in.sin_addr)) {
		memcpy(&in.sin_addr, bytes, n);
		return addr_from_sa(out, (struct sockaddr *)&in, sizeof(in));
	}
	if (family == AF_INET6 && n == sizeof(in6.sin6_addr)) {
		memcpy(&in6.sin6_addr, bytes, n);
		return addr_from_sa(out, (struct sockaddr *)&in6, sizeof(in6));
	}
	return -EAFNOSUPPORT;
}

/* Tentative: not proved unique yet; deprecated: not for anything new. */
static bool is_settled(uint32_t flags)
{
	return !(flags &
		 (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED));
}

static void tell_one(const struct nlmsghdr *h, found_fn fn, void *arg)
{
	const struct ifaddrmsg *msg = NLMSG_DATA(h);
	const struct rtattr *at, *local = NULL, *net = NULL;
	int left = (int)IFA_PAYLOAD(h);
	uint32_t flags = msg->ifa_flags;
	struct found f = {.bits = msg->ifa_prefixlen};

	for (at = IFA_RTA(msg); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		if (at->rta_type == IFA_LOCAL)
			local = at;
		else if (at->rta_type == IFA_ADDRESS)
			net = at;
		else if (at->rta_type == IFA_FLAGS &&
			 RTA_PAYLOAD(at) >= sizeof(flags))
			memcpy(&flags, RTA_DATA(at), sizeof(flags));
	}
	local = local ? local : net;
	net = net ? net : local;
	f.is_settled = is_settled(flags);
	if (local &&
	    !to_addr(&f.local, msg->ifa_family, RTA_DATA(local),
		     RTA_PAYLOAD(local)) &&
	    !to_addr(&f.net, msg->ifa_family, RTA_DATA(net),
		     RTA_PAYLOAD(net)) &&
	    is_up((int)msg->ifa_index, f.interface))
		fn(arg, &f);
}

/* Go through one datagram of the answer; 1 when it was the last. */
static int read_answer(const char *bytes, size_t n, found_fn fn, void *arg)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)bytes;

	for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR)
			return h->nlmsg_len < NLMSG_LENGTH(sizeof(int))
				       ? -EPROTO
				       : *(const int *)NLMSG_DATA(h);
		if (h->nlmsg_type == RTM_NEWADDR &&
		    h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifaddrmsg)))
			tell_one(h, fn, arg);
	}
	return 0;
}

static int each_found(found_fn fn, void *arg)
{
	char *bytes = malloc(ANSWER_BYTES);
	int fd = -1, err;

	if (!bytes)
		return -ENOMEM;
	err = ask(&fd);
	if (err) {
		free(bytes);
		return err;
	}
	while (!err) {
		ssize_t n = recv(fd, bytes, ANSWER_BYTES, 0);

		err = n < 0 ? -errno : read_answer(bytes, (size_t)n, fn, arg);
	}
	close(fd);
	free(bytes);
	return err < 0 ? err : 0;
}

struct asker {
	net_addr_fn fn;
	void *arg;
};

static void tell_asker(void *arg, const struct found *f)
{
	const struct asker *asker = arg;

	if (f->is_settled && (addr_family(&f->local) != AF_INET6 ||
			      addr_class(&f->local) != ADDR_LINK_LOCAL))
		asker->fn(asker->arg, f->interface, &f->local);
}

int net_each(struct net *net, net_addr_fn fn, void *arg)
{
	return each_found(tell_asker, &(struct asker){fn, arg});
}

/* ---- who is on our links --------------------------------------------------- */

static void add_link(struct net *net, const struct addr *a, unsigned bits)
{
	struct prefix *p =
		realloc(net->links, (net->n_links + 1) * sizeof(*net->links));

	if (!p)
		return; /* a neighbour is pinged like anybody else */
	net->links = p;
	p[net->n_links++] = (struct prefix){*a, bits};
}

/* Our own address, and the net around it or around the other end. */
static void note_link(void *arg, const struct found *f)
{
	struct net *net = arg;

	add_link(net, &f->local, addr_family(&f->local) == AF_INET6 ? 128 : 32);
	if (f->bits)
		add_link(net, &f->net, f->bits);
}

/* When the kernel does not answer what was known stays. */
static void learn_links(struct net *net)
{
	struct net fresh = {0};

	if (each_found(note_link, &fresh)) {
		free(fresh.links);
		return;
	}
	free(net->links);
	net->links = fresh.links;
	net->n_links = fresh.n_links;
}

static const uint8_t *host_bytes(const struct addr *a)
{
	return addr_family(a) == AF_INET6 ? (const uint8_t *)&a->in6.sin6_addr
					  : (const uint8_t *)&a->in.sin_addr;
}

static bool is_within(const struct addr *a, const struct prefix *p)
{
	const uint8_t *x = host_bytes(a), *y = host_bytes(&p->addr);
	unsigned bytes = p->bits / 8, bits = p->bits % 8;

	return addr_family(a) == addr_family(&p->addr) &&
	       !memcmp(x, y, bytes) &&
	       (!bits || !((x[bytes] ^ y[bytes]) >> (8 - bits)));
}

bool net_is_on_link(const struct net *net, const struct addr *a)
{
	if (!addr_is_set(a))
		return false;
	if (addr_class(a) == ADDR_LOOPBACK)
		return true;
	for (unsigned i = 0; i < net->n_links; i++) {
		if (is_within(a, &net->links[i]))
			return true;
	}
	return false;
}

/* ---- which address leads there ------------------------------------------- */

int net_source_for(struct addr *out, const struct addr *to)
{
	struct addr target = *to, own;
	socklen_t len = sizeof(own);
	int err = 0, fd;

	if (!addr_is_set(to))
		return -EAFNOSUPPORT;
	if (!addr_port(to)) /* connect() wants one; nothing is sent */
		addr_set_port(&target, 9);
	fd = socket(addr_family(to), SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, &target.sa, addr_len(&target)) ||
	    getsockname(fd, &own.sa, &len))
		err = -errno;
	close(fd);
	if (!err)
		err = addr_from_sa(&own, &own.sa, len);
	if (err)
		return err;
	addr_set_port(&own, 0);
	*out = own;
	return 0;
}
