/*
 * fake_media.h - ports without sockets, for tests of leg/ and call/
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SBC_TESTS_FAKE_MEDIA_H
#define SBC_TESTS_FAKE_MEDIA_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "media/media.h"

struct media_stream {
	struct addr rtp, rtcp;
	struct media_remote remote;
	struct media_stream *partner;
	struct media_stats stats;
	unsigned told; /* how often media_stream_remote() was called */
	media_key_fn key;
	void *key_arg;
	struct media_key pressed; /* the last that it was to play */
	unsigned n_pressed;
};

static struct {
	uint16_t next_port; /* 0 = none is free */
	unsigned open;
	int press_err; /* what media_stream_press() says */
	unsigned most; /* that may be open; 0 = any number */
	struct media_stream *last;
} fake_media;

static inline void fake_media_reset(void)
{
	memset(&fake_media, 0, sizeof(fake_media));
	fake_media.next_port = 20000;
}

unsigned media_pick_worker(struct media *m)
{
	return 0;
}

int media_stream_open(struct media_stream **out, struct media *m,
		      const struct media_stream_conf *conf)
{
	struct media_stream *s;

	if (!fake_media.next_port ||
	    (fake_media.most && fake_media.open >= fake_media.most))
		return -EADDRNOTAVAIL;
	s = calloc(1, sizeof(*s));
	s->key = conf->key;
	s->key_arg = conf->key_arg;
	s->rtp = s->rtcp = conf->local;
	addr_set_port(&s->rtp, fake_media.next_port);
	addr_set_port(&s->rtcp, fake_media.next_port + 1);
	fake_media.next_port += 2;
	fake_media.open++;
	fake_media.last = s;
	*out = s;
	return 0;
}

void media_stream_close(struct media_stream *s)
{
	if (!s)
		return;
	if (s->partner)
		s->partner->partner = NULL;
	fake_media.open--;
	free(s);
}

const struct addr *media_stream_rtp(const struct media_stream *s)
{
	return &s->rtp;
}

const struct addr *media_stream_rtcp(const struct media_stream *s)
{
	return &s->rtcp;
}

void media_stream_remote(struct media_stream *s, const struct media_remote *r)
{
	s->remote = *r;
	s->told++;
}

void media_stream_bridge(struct media_stream *a, struct media_stream *b)
{
	a->partner = b;
	if (b)
		b->partner = a;
}

int media_stream_move(struct media_stream **s, unsigned worker)
{
	media_stream_bridge(*s, NULL);
	return 0;
}

int media_stream_press(struct media_stream *s, const struct media_key *key)
{
	if (!s->remote.events[0].rate || s->remote.tells_keys)
		return -EOPNOTSUPP;
	if (fake_media.press_err)
		return fake_media.press_err;
	s->pressed = *key;
	s->n_pressed++;
	return 0;
}

void media_stream_stats(const struct media_stream *s, struct media_stats *out)
{
	*out = s->stats;
}

#endif
