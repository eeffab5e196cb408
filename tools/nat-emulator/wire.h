/*
 * wire.h - IPv4 packets: where they go, rewriting that with right checksums
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Nothing is read past the end of a packet, whatever its lengths say.
 */
#ifndef NAT_EMULATOR_WIRE_H
#define NAT_EMULATOR_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table.h"

#define PACKET_MAX 2048

struct packet {
	uint8_t bytes[PACKET_MAX];
	size_t len;
};

/* What wire_read() found.  The id of an echo stands for its asker's port. */
struct ip_view {
	uint8_t proto;
	struct endpoint src, dst;
	uint16_t id;
	bool later_fragment; /* has no ports */
	bool first_fragment;
	size_t header, payload; /* where the transport and its payload begin */
	size_t end;
	bool opens, closes; /* TCP flags */
	bool icmp_error;    /* quotes the packet that begins at payload */
};

/* -EINVAL: no packet that a NAT could carry. */
int wire_read(struct ip_view *v, const uint8_t *bytes, size_t len);
/* The packet that an ICMP error quotes; often cut short after 8 bytes. */
int wire_read_quoted(struct ip_view *v, const struct packet *p,
		     const struct ip_view *outer);
/* New source or destination for the packet at @bytes, which @v describes. */
void wire_set_src(uint8_t *bytes, struct ip_view *v, struct endpoint to);
void wire_set_dst(uint8_t *bytes, struct ip_view *v, struct endpoint to);
/* New UDP payload; lengths and checksums follow.  -ENOSPC. */
int wire_set_payload(struct packet *p, struct ip_view *v, const char *text,
		     size_t len);
/* After the quoted packet of an ICMP error was changed. */
void wire_sum_icmp(struct packet *p, const struct ip_view *outer);

#endif
