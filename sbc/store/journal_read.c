/*
 * journal_read.c - what a journal file still holds, whatever happened to it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Reads a copy of the file in memory: a file that somebody shortens under us
 * must not become a SIGBUS.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/journal_format.h"

int journal_scan(const void *file, size_t len, uint64_t *committed,
		 journal_record_fn fn, void *arg)
{
	const uint8_t *bytes = file;
	struct crc_table *c;
	struct file_head head;
	int err;

	c = malloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	crc_init(c);
	err = file_head_read(&head, c, bytes, len);
	if (err)
		goto out;
	*committed = mark_read(c, head.salt, bytes);
	for (size_t at = JOURNAL_HEAD_BYTES; at < len;) {
		struct journal_record rec;

		if (record_read(c, head.salt, bytes + at, len - at, &rec)) {
			fn(arg, &rec);
			at += record_bytes(rec.len);
		} else {
			at += RECORD_ALIGN;
		}
	}
out:
	free(c);
	return err;
}

static int read_file(const char *path, void **out, size_t *len)
{
	struct stat st;
	uint8_t *bytes = NULL;
	size_t got = 0;
	int fd, err = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size < JOURNAL_HEAD_BYTES ||
		 st.st_size > JOURNAL_MAX_BYTES)
		err = -EINVAL;
	if (!err && !(bytes = malloc(st.st_size)))
		err = -ENOMEM;
	while (!err && got < (size_t)st.st_size) {
		ssize_t n = read(fd, bytes + got, st.st_size - got);

		if (n < 0 && errno != EINTR)
			err = -errno;
		if (n == 0)
			break;
		got += n > 0 ? n : 0;
	}
	close(fd);
	if (err) {
		free(bytes);
		return err;
	}
	*out = bytes;
	*len = got;
	return 0;
}

struct collect {
	struct journal_pending *p;
	uint64_t committed;
	size_t cap;
	bool failed;
};

/* The mark comes first in the file, so the filter is known in time. */
static void collect(void *arg, const struct journal_record *rec)
{
	struct collect *c = arg;

	if (rec->seq > c->p->last_seq)
		c->p->last_seq = rec->seq;
	if (rec->seq <= c->committed)
		return;
	if (c->p->n == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 64;
		void *v = realloc(c->p->v, cap * sizeof(*c->p->v));

		if (!v) {
			c->failed = true;
			return;
		}
		c->p->v = v;
		c->cap = cap;
	}
	c->p->v[c->p->n++] = *rec;
}

static int by_seq(const void *a, const void *b)
{
	const struct journal_record *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

int journal_pending_read(struct journal_pending *out, const char *path)
{
	struct journal_pending p = {0};
	struct collect c = {.p = &p};
	size_t len = 0;
	int err;

	*out = p;
	err = read_file(path, &p.bytes, &len);
	if (err == -ENOENT || err == -EINVAL)
		return 0;
	if (err)
		return err;
	err = journal_scan(p.bytes, len, &c.committed, collect, &c);
	if (c.failed)
		err = -ENOMEM;
	if (err) {
		journal_pending_free(&p);
		return err == -EINVAL ? 0 : err;
	}
	if (p.last_seq < c.committed)
		p.last_seq = c.committed;
	if (p.n)
		qsort(p.v, p.n, sizeof(*p.v), by_seq);
	*out = p;
	return 0;
}

void journal_pending_free(struct journal_pending *p)
{
	free(p->v);
	free(p->bytes);
	*p = (struct journal_pending){.last_seq = p->last_seq};
}
