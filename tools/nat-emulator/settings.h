/*
 * settings.h - what the emulated NAT is like, as key=value
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The words are those of RFC 4787.  The same keys are taken on the command
 * line and, while it runs, by the control socket (`set KEY VALUE`).
 */
#ifndef NAT_EMULATOR_SETTINGS_H
#define NAT_EMULATOR_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

/* On what of the peer a mapping or a filter depends (RFC 4787 4.1, 5). */
enum depends { INDEPENDENT, ON_ADDRESS, ON_PORT };

enum ports { PRESERVING, RANDOM, BLOCK };

/* What the ALG does, as bits; names in settings.c. */
enum alg {
	ALG_VIA = 1 << 0,       /* Via gets the outside address and port */
	ALG_CONTACT = 1 << 1,   /* and so does Contact */
	ALG_SDP_C = 1 << 2,     /* c= gets the outside address */
	ALG_SDP_O = 1 << 3,     /* o= too */
	ALG_SDP_PORT = 1 << 4,  /* m= and a=rtcp get mapped ports */
	ALG_BACK = 1 << 5,      /* what comes in is rewritten back */
	ALG_SDP_SHIFT = 1 << 6, /* m= gets a port that nothing is mapped to */
	ALG_GROW = 1 << 7,      /* the body grows, Content-Length stays */
	ALG_SHRINK = 1 << 8,    /* the body shrinks, Content-Length stays */
	ALG_RPORT = 1 << 9,     /* rport is wrong, both ways */
	ALG_CALLID = 1 << 10,   /* Call-ID of each REGISTER gets another host */
	ALG_RECEIVED = 1 << 11, /* received= with the inside address */
	ALG_KEEP_PORT = 1 << 12, /* Via and Contact keep the inside port */
	ALG_FROM = 1 << 13,      /* From of what comes in: its host is changed,
				    and never back */
	ALG_TO = 1 << 14,        /* and in To of what leaves */
};

struct settings {
	enum depends mapping, filtering;
	bool refresh_inbound; /* packets from outside hold a mapping open */
	uint32_t timeout_ms, tcp_timeout_ms;
	enum ports ports;
	uint32_t block_size, port_cap; /* per inside address; cap 0 = none */
	bool hairpin;
	uint32_t alg; /* enum alg */
	uint16_t alg_port;
	uint32_t outside; /* address, host order */
	uint32_t delay_ms, jitter_ms, reorder_permille, reorder_ms;
	uint32_t loss_permille;
	uint32_t seed;
};

/* RFC 4787's best NAT: endpoint-independent, both ways refresh, 120 s. */
void settings_init(struct settings *s);
/* -EINVAL: unknown key or bad value, then nothing has changed. */
int settings_set(struct settings *s, const char *key, const char *value);

#endif
