/*
 * net.h - the machine's addresses, followed by netlink, and route look-up
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Control loop only.
 */
#ifndef SBC_NET_NET_H
#define SBC_NET_NET_H

#include "core/addr.h"
#include "core/loop.h"

struct net;

/* One address of one interface that is up; port 0. */
typedef void (*net_addr_fn)(void *arg, const char *interface,
			    const struct addr *a);
/* Addresses may have come or gone: look again with net_each(). */
typedef void (*net_changed_fn)(void *arg);

/* Opens a netlink socket and watches it in @loop.  -errno. */
int net_open(struct net **out, struct loop *loop, net_changed_fn fn, void *arg);
void net_close(struct net *net); /* accepts NULL */
/* Each usable address now: tentative, deprecated and link-local IPv6 left
 * out.  -errno. */
int net_each(struct net *net, net_addr_fn fn, void *arg);
/* The source address that the kernel would use towards @to; port 0.
 * Never blocks, sends nothing.  -ENETUNREACH and other -errno. */
int net_source_for(struct addr *out, const struct addr *to);

/* @a is one of our own addresses, or of a net that one of our interfaces is
 * in: no router lies between.  Follows netlink. */
bool net_is_on_link(const struct net *net, const struct addr *a);

#endif
