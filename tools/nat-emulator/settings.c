/*
 * settings.c - what the emulated NAT is like, as key=value
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "core/buf.h"

struct word {
	const char *name;
	uint32_t value;
};

static const struct word depends[] = {
	{"endpoint-independent", INDEPENDENT},
	{"address-dependent", ON_ADDRESS},
	{"address-and-port-dependent", ON_PORT},
	{NULL, 0},
};
static const struct word ports[] = {
	{"preserving", PRESERVING},
	{"random", RANDOM},
	{"block", BLOCK},
	{NULL, 0},
};
static const struct word refresh[] = {{"outbound", 0}, {"both", 1}, {NULL, 0}};
static const struct word onoff[] = {{"off", 0}, {"on", 1}, {NULL, 0}};
static const struct word algs[] = {
	{"none", 0},
	{"transparent", ALG_VIA | ALG_CONTACT | ALG_SDP_C | ALG_SDP_O |
				ALG_SDP_PORT | ALG_BACK},
	{"via", ALG_VIA},
	{"contact", ALG_CONTACT},
	{"keep-port", ALG_VIA | ALG_CONTACT | ALG_KEEP_PORT},
	{"sdp-c", ALG_SDP_C},
	{"sdp-port", ALG_SDP_SHIFT},
	{"length-short", ALG_SDP_C | ALG_SDP_O | ALG_SDP_PORT | ALG_GROW},
	{"length-long", ALG_SDP_C | ALG_SDP_O | ALG_SDP_PORT | ALG_SHRINK},
	{"rport", ALG_RPORT},
	{"callid", ALG_CALLID},
	{"received", ALG_RECEIVED},
	{"from", ALG_FROM},
	{"to", ALG_TO},
	{NULL, 0},
};

void settings_init(struct settings *s)
{
	*s = (struct settings){.refresh_inbound = true,
			       .timeout_ms = 120000,
			       .tcp_timeout_ms = 7440000, /* RFC 5382 REQ-5 */
			       .block_size = 64,
			       .alg_port = 5060,
			       .reorder_ms = 30,
			       .seed = 1};
}

static int word_of(const struct word *words, struct str text, uint32_t *out)
{
	for (; words->name; words++) {
		if (str_eq_c(text, words->name)) {
			*out = words->value;
			return 0;
		}
	}
	return -EINVAL;
}

/* Several patterns may stand with commas between them. */
static int algs_of(const char *value, uint32_t *out)
{
	struct str list = str_of(value);
	uint32_t all = 0, one;

	do {
		if (word_of(algs, str_cut(&list, ','), &one))
			return -EINVAL;
		all |= one;
	} while (list.p);
	*out = all;
	return 0;
}

static int number(const char *value, uint32_t least, uint32_t most,
		  uint32_t *out)
{
	uint64_t n;

	if (str_u64(str_of(value), most, &n) || n < least)
		return -EINVAL;
	*out = (uint32_t)n;
	return 0;
}

static int address(const char *value, uint32_t *out)
{
	struct in_addr in;

	if (inet_pton(AF_INET, value, &in) != 1)
		return -EINVAL;
	*out = ntohl(in.s_addr);
	return 0;
}

static const struct {
	const char *key;
	size_t at;
	uint32_t least, most;
} numbers[] = {
#define NUMBER(key, field, least, most)                                        \
	{                                                                      \
		key, offsetof(struct settings, field), least, most             \
	}
	NUMBER("timeout", timeout_ms, 1, 86400000),
	NUMBER("tcp-timeout", tcp_timeout_ms, 1, 86400000),
	NUMBER("block-size", block_size, 8, 16384),
	NUMBER("port-cap", port_cap, 0, 64512),
	NUMBER("delay", delay_ms, 0, 10000),
	NUMBER("jitter", jitter_ms, 0, 10000),
	NUMBER("reorder-permille", reorder_permille, 0, 1000),
	NUMBER("reorder-ms", reorder_ms, 1, 10000),
	NUMBER("loss-permille", loss_permille, 0, 1000),
	NUMBER("seed", seed, 1, UINT32_MAX),
};

static int set_number(struct settings *s, const char *key, const char *value)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (!strcmp(key, numbers[i].key))
			return number(value, numbers[i].least, numbers[i].most,
				      (uint32_t *)((char *)s + numbers[i].at));
	}
	return -EINVAL;
}

int settings_set(struct settings *s, const char *key, const char *value)
{
	uint32_t n;
	int err;

	if (!strcmp(key, "alg"))
		return algs_of(value, &s->alg);
	if (!strcmp(key, "address"))
		return address(value, &s->outside);
	if (!strcmp(key, "mapping")) {
		err = word_of(depends, str_of(value), &n);
		if (!err)
			s->mapping = n;
	} else if (!strcmp(key, "filtering")) {
		err = word_of(depends, str_of(value), &n);
		if (!err)
			s->filtering = n;
	} else if (!strcmp(key, "ports")) {
		err = word_of(ports, str_of(value), &n);
		if (!err)
			s->ports = n;
	} else if (!strcmp(key, "refresh")) {
		err = word_of(refresh, str_of(value), &n);
		if (!err)
			s->refresh_inbound = n;
	} else if (!strcmp(key, "hairpin")) {
		err = word_of(onoff, str_of(value), &n);
		if (!err)
			s->hairpin = n;
	} else if (!strcmp(key, "alg-port")) {
		err = number(value, 1, 65535, &n);
		if (!err)
			s->alg_port = (uint16_t)n;
	} else {
		err = set_number(s, key, value);
	}
	return err;
}
