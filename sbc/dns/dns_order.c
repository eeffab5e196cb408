/*
 * dns_order.c - in what order the hosts of a service are tried (RFC 2782)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "core/rand.h"
#include "dns/dns.h"

/* How many ways from @at on are of the same host. */
static unsigned host_ways(const struct dns_answer *a, unsigned at)
{
	unsigned n = 1;

	while (at + n < a->n && a->ways[at + n].target == a->ways[at].target)
		n++;
	return n;
}

/* Hosts without weight stand in front, and have a small chance by the draw of a
 * 0; among themselves they are equals. */
static unsigned draw(const struct dns_answer *a, const unsigned *hosts,
		     unsigned n)
{
	uint32_t sum = 0, mark;

	for (unsigned i = 0; i < n; i++)
		sum += a->ways[hosts[i]].weight;
	if (!sum)
		return rand_below(n);
	mark = rand_below(sum + 1);
	for (unsigned i = 0; i < n; i++)
		if (mark == 0 && a->ways[hosts[i]].weight == 0)
			return i;
	sum = 0;
	for (unsigned i = 0; i < n; i++) {
		sum += a->ways[hosts[i]].weight;
		if (a->ways[hosts[i]].weight && sum >= mark)
			return i;
	}
	return 0;
}

unsigned dns_order(const struct dns_answer *a, struct dns_way *out,
		   unsigned max)
{
	unsigned hosts[DNS_WAYS], n_hosts, at = 0, n = 0;

	while (at < a->n) {
		uint16_t priority = a->ways[at].priority;

		n_hosts = 0;
		while (at < a->n && a->ways[at].priority == priority) {
			hosts[n_hosts++] = at;
			at += host_ways(a, at);
		}
		while (n_hosts) {
			unsigned i = draw(a, hosts, n_hosts);
			unsigned ways = host_ways(a, hosts[i]);

			for (unsigned k = 0; k < ways && n < max; k++)
				out[n++] = a->ways[hosts[i] + k];
			memmove(&hosts[i], &hosts[i + 1],
				(--n_hosts - i) * sizeof(hosts[0]));
		}
	}
	return n;
}
