/*
 * table.h - the mappings of the emulated NAT and who may come in by them
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A mapping gives an inside endpoint a port of the outside address.  It has
 * a session for each peer that was sent to; sessions are what filters look
 * at.  All memory is in struct table; addresses and ports in host order.
 */
#ifndef NAT_EMULATOR_TABLE_H
#define NAT_EMULATOR_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/clock.h"
#include "settings.h"

#define MAPPINGS     4096
#define SESSIONS     16
#define BUCKETS      4096
#define LOWEST_PORT  1024
#define BLOCKS_LIMIT ((65536 - LOWEST_PORT) / 8)

struct endpoint {
	uint32_t ip;
	uint16_t port;
};

struct session {
	struct endpoint peer;
	mono_ms until; /* 0 = free */
	bool closing;  /* TCP: FIN or RST was seen */
};

struct mapping {
	uint8_t proto; /* IPPROTO_UDP, TCP or ICMP; 0 = free */
	bool pinned;   /* made by the ALG: one for all peers, all may come in */
	struct endpoint in;
	struct endpoint towards; /* zero where the mapping does not depend */
	uint16_t out_port;
	mono_ms until;
	struct session sessions[SESSIONS];
	int32_t next_in, next_out; /* in its bucket, -1 = last */
};

struct table {
	const struct settings *set;
	uint64_t random;
	struct mapping mappings[MAPPINGS];
	int32_t free[MAPPINGS], n_free;
	int32_t by_in[BUCKETS], by_out[BUCKETS];
	struct {
		uint32_t owner, ports; /* inside address, ports in use */
	} blocks[BLOCKS_LIMIT];
	uint64_t made, expired, refused, filtered, unknown;
};

/* How the transport sees a packet. */
struct carried {
	uint8_t proto;
	bool opens;  /* may make a mapping: TCP only by SYN */
	bool closes; /* TCP FIN or RST */
};

void table_init(struct table *t, const struct settings *set);
/* The mapping for a packet from @in to @peer, made if need be, refreshed.
 * NULL: may not make one, or no port is left. */
struct mapping *table_out(struct table *t, struct carried how,
			  struct endpoint in, struct endpoint peer,
			  mono_ms now);
/* The mapping by which a packet from @peer to @out_port comes in; NULL: there
 * is none, or the filter is against it. */
struct mapping *table_in(struct table *t, struct carried how, uint16_t out_port,
			 struct endpoint peer, mono_ms now);
/* The mapping of @out_port, untouched; NULL: none. */
struct mapping *table_find(struct table *t, uint8_t proto, uint16_t out_port,
			   mono_ms now);
/* For the ALG: a mapping of UDP @in that serves every peer, made with
 * @out_port if that is free (0: by policy).  @pair: an even port whose
 * neighbour is free.  NULL: no port is left. */
struct mapping *table_pin(struct table *t, struct endpoint in,
			  uint16_t out_port, bool pair, mono_ms now);
void table_sweep(struct table *t, mono_ms now);
void table_forget(struct table *t); /* as a reboot does */
/* Every mapping gets another outside port. */
void table_rebind(struct table *t);
unsigned table_count(const struct table *t);
/* Uniform in [0, n); @n > 0. */
uint32_t table_random(struct table *t, uint32_t n);

#endif
