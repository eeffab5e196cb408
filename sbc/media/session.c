/*
 * session.c - what all streams share: workers, port ranges, the way back
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Memory of a closed stream comes back on the next call of the room, not at
 * once: the worker has to let go of it first, and nobody waits for that.
 */
#include "media/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "autoconf.h"
#include "core/loop.h"
#include "media/worker.h"

static unsigned count_workers(const struct media_conf *conf)
{
	long n = conf->workers ? (long)conf->workers
			       : sysconf(_SC_NPROCESSORS_ONLN);

	if (n < 1)
		return 1;
	return n > CONFIG_MEDIA_WORKERS_MAX ? CONFIG_MEDIA_WORKERS_MAX
					    : (unsigned)n;
}

void media_has_key(struct path *p)
{
	const struct media_stream *s =
		container_of(p, const struct media_stream, path);
	uint64_t one = 1;

	/* Full means that it is known already. */
	if (write(s->media->key_fd, &one, sizeof(one)) < 0)
		return;
}

static void tell_keys(void *arg, int fd, unsigned events)
{
	struct media *m = arg;
	struct media_key key;
	uint64_t ignored;

	if (read(fd, &ignored, sizeof(ignored)) < 0)
		return;
	list_for_each (at, &m->telling) {
		struct media_stream *s =
			list_entry(at, struct media_stream, telling);

		while (key_first(&s->path.keys.told, &key)) {
			key_drop(&s->path.keys.told);
			if (s->key)
				s->key(s->key_arg, &key);
		}
	}
}

static int watch_keys(struct media *m, struct loop *loop)
{
	m->key_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->key_fd < 0)
		return -errno;
	return loop ? loop_fd_add(loop, &m->key_watch, m->key_fd, LOOP_IN,
				  tell_keys, m)
		    : 0;
}

int media_create(struct media **out, const struct media_conf *conf)
{
	struct media *m = calloc(1, sizeof(*m));
	unsigned n = count_workers(conf);
	int err;

	if (!m)
		return -ENOMEM;
	list_init(&m->ranges);
	list_init(&m->streams);
	list_init(&m->telling);
	hash_init(&m->by_addr);
	m->workers = calloc(n, sizeof(struct worker *));
	m->loads = calloc(n, sizeof(*m->loads));
	err = watch_keys(m, conf->loop);
	if (!err && (!m->workers || !m->loads))
		err = -ENOMEM;
	while (!err && m->n_workers < n) {
		err = worker_create(&m->workers[m->n_workers], m->n_workers,
				    conf->loop);
		if (!err)
			m->n_workers++;
	}
	if (err) {
		media_destroy(m);
		return err;
	}
	*out = m;
	return 0;
}

static void free_range(struct port_range *range)
{
	ports_destroy(range->ports);
	free(range->realm);
	free(range);
}

void media_destroy(struct media *m)
{
	if (!m)
		return;
	list_for_each_safe (at, &m->streams)
		media_stream_close(list_entry(at, struct media_stream, link));
	for (unsigned i = 0; i < m->n_workers; i++)
		worker_stop(m->workers[i]);
	media_collect(m);
	for (unsigned i = 0; i < m->n_workers; i++)
		worker_destroy(m->workers[i]);
	list_for_each_safe (at, &m->ranges)
		free_range(list_entry(at, struct port_range, link));
	hash_clear(&m->by_addr);
	loop_fd_remove(m->key_watch);
	if (m->key_fd >= 0)
		close(m->key_fd);
	free(m->workers);
	free(m->loads);
	free(m);
}

unsigned media_pick_worker(struct media *m)
{
	unsigned best = m->next_worker;

	/* Calls that are being set up have no stream yet: begin elsewhere
	 * each time, so that a burst spreads. */
	m->next_worker = (m->next_worker + 1) % m->n_workers;
	for (unsigned i = 0; i < m->n_workers; i++) {
		if (m->loads[i] < m->loads[best])
			best = i;
	}
	return best;
}

static struct port_range *find_range(struct media *m, const char *realm)
{
	list_for_each (at, &m->ranges) {
		struct port_range *range =
			list_entry(at, struct port_range, link);

		if (!strcmp(range->realm, realm))
			return range;
	}
	return NULL;
}

static int add_range(struct media *m, struct port_range **out,
		     const struct media_stream_conf *conf)
{
	struct port_range *range = calloc(1, sizeof(*range));
	int err = -ENOMEM;

	if (!range)
		return -ENOMEM;
	range->realm = strdup(conf->realm);
	if (range->realm)
		err = ports_create(&range->ports, conf->port_min,
				   conf->port_max, conf->port_rest_s * 1000LL);
	if (err) {
		free_range(range);
		return err;
	}
	list_append(&m->ranges, &range->link);
	*out = range;
	return 0;
}

int media_ports(struct media *m, struct ports **out,
		const struct media_stream_conf *conf)
{
	struct port_range *range = find_range(m, conf->realm);
	int err;

	if (range)
		err = ports_change(range->ports, conf->port_min, conf->port_max,
				   conf->port_rest_s * 1000LL);
	else
		err = add_range(m, &range, conf);
	if (!err)
		*out = range->ports;
	return err;
}

void media_collect(struct media *m)
{
	struct media_stream *next;
	mono_ms now = clock_mono();

	for (unsigned i = 0; i < m->n_workers; i++) {
		for (struct media_stream *s = worker_released(m->workers[i]); s;
		     s = next) {
			next = s->next_closing;
			if (s->ports)
				ports_rest(s->ports, addr_port(&s->local[0]),
					   now);
			stream_free(s);
		}
	}
}

static bool has_rtp_addr(const struct hash_node *node, const void *key)
{
	const struct media_stream *s =
		container_of(node, const struct media_stream, by_addr);

	return addr_equal(&s->local[0], key);
}

bool media_is_own(const struct media *m, const struct addr *a)
{
	struct addr even = *a;

	if (!addr_is_set(a))
		return false;
	addr_set_port(&even, addr_port(a) & 0xfffe);
	return hash_find(&m->by_addr, addr_hash(&even), has_rtp_addr, &even);
}

uint64_t media_rest_shortened(const struct media *m)
{
	uint64_t n = 0;

	list_for_each (at, &m->ranges)
		n += ports_shortened(
			list_entry(at, struct port_range, link)->ports);
	return n;
}
