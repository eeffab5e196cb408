/*
 * journal.c - a ring of checksummed records in a shared mapping of a file
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   | head, mark  |  rec 7  | rec 8 | torn |  old rec 3  |   ...   |
 *   0             4096      ^tail          ^head
 *
 * Every record carries its own number and two CRC-32C, both keyed with a random
 * salt of the file: one over its head, one over its body.  So recovery needs no
 * pointer that could be torn: it walks the whole file and believes each record
 * whose checksums hold.  Which of them were committed already is told by the
 * mark in the first page, one word that is stored at once.
 *
 * When the ring runs empty the next record starts at the front again: a quiet
 * box keeps touching the same few pages, which costs it little memory and
 * little flash.
 *
 * The kernel makes a mapped page read-only when it has written it back; the
 * fault of the next write may then wait for the file system.  The writer
 * therefore faults the pages ahead of the producer in (tend_pages()).
 */
#include "store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/rand.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum {
	VERSION = 1,
	PREFAULT_OPEN_BYTES = 1 << 20,
	PREFAULT_AHEAD_BYTES = 64 << 10,
	MARK_OFFSET = 64,          /* has a cache line of its own */
	RECORD_MAGIC = 0x524a4253, /* "SBJR" */
	SKIP_MAGIC = 0x534a4253,   /* "SBJS": the next record is at the front */
	ALIGN = 8,
};

/* Native byte order: the file never leaves the machine, and a head of the
 * other order has a wrong magic. */
struct file_head {
	char magic[8];
	uint32_t version;
	uint32_t bytes;
	uint64_t salt;
	uint32_t crc; /* of the fields above */
};

struct record_head {
	uint32_t magic;
	uint32_t len_type; /* body length << 8 | type */
	uint64_t seq;
	uint32_t body_crc;
	uint32_t head_crc; /* of the fields above */
};

static const char file_magic[8] = "SBCJRNL";

struct crc_table {
	uint32_t t[8][256];
};

struct mapping {
	uint8_t *p;
	uint64_t salt;
	bool is_file;
};

struct journal {
	size_t bytes; /* of the file; the ring is less by the head */
	size_t ring;
	struct crc_table crc;
	_Atomic(struct mapping *) map;    /* changed by the producer */
	_Atomic(struct mapping *) better; /* offered by the consumer */
	atomic_bool has_file;
	/* Bytes since creation; (head - base) % ring is the place. */
	atomic_uint_fast64_t head; /* producer's */
	atomic_uint_fast64_t base; /* producer's, moves when empty */
	atomic_uint_fast64_t tail; /* consumer's: committed */
	atomic_uint_fast64_t last_seq;
	/* producer only */
	uint64_t open_at; /* place of the record being built */
	size_t open_len;
	/* consumer only */
	uint64_t read;
	uint64_t read_seq;
};

/* ---- CRC-32C (Castagnoli, reflected 0x82f63b78), eight bytes a step ------ */

static void crc_init(struct crc_table *c)
{
	for (unsigned i = 0; i < 256; i++) {
		uint32_t v = i;

		for (int bit = 0; bit < 8; bit++)
			v = v >> 1 ^ (v & 1 ? 0x82f63b78u : 0);
		c->t[0][i] = v;
	}
	for (unsigned i = 0; i < 256; i++)
		for (int k = 1; k < 8; k++)
			c->t[k][i] = c->t[k - 1][i] >> 8 ^
				     c->t[0][c->t[k - 1][i] & 0xff];
}

static uint32_t crc_add(const struct crc_table *c, uint32_t crc,
			const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	crc = ~crc;
	for (; n >= 8; n -= 8, p += 8) {
		uint32_t lo =
			crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 |
			       (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);

		crc = c->t[7][lo & 0xff] ^ c->t[6][lo >> 8 & 0xff] ^
		      c->t[5][lo >> 16 & 0xff] ^ c->t[4][lo >> 24] ^
		      c->t[3][p[4]] ^ c->t[2][p[5]] ^ c->t[1][p[6]] ^
		      c->t[0][p[7]];
	}
	for (; n; n--, p++)
		crc = crc >> 8 ^ c->t[0][(crc ^ *p) & 0xff];
	return ~crc;
}

static uint32_t salted(const struct crc_table *c, uint64_t salt,
		       const void *bytes, size_t n)
{
	return crc_add(c, crc_add(c, 0, &salt, sizeof(salt)), bytes, n);
}

static uint32_t head_crc(const struct crc_table *c, uint64_t salt,
			 const struct record_head *h)
{
	return salted(c, salt, h, offsetof(struct record_head, head_crc));
}

static size_t record_bytes(size_t body)
{
	return sizeof(struct record_head) + ((body + ALIGN - 1) & ~(ALIGN - 1));
}

/* ---- reading a file back ------------------------------------------------ */

static int read_head(const struct crc_table *c, const uint8_t *file, size_t len,
		     struct file_head *out)
{
	if (len < JOURNAL_HEAD_BYTES)
		return -EINVAL;
	memcpy(out, file, sizeof(*out));
	if (memcmp(out->magic, file_magic, sizeof(file_magic)) != 0 ||
	    out->version != VERSION ||
	    out->crc != crc_add(c, 0, out, offsetof(struct file_head, crc)))
		return -EINVAL;
	return 0;
}

/* The mark: records up to this number are in the database.  48 bits of number
 * and 16 of checksum, so that no kill can tear it. */
static uint64_t mark_pack(const struct crc_table *c, uint64_t salt,
			  uint64_t seq)
{
	return seq << 16 | (salted(c, salt, &seq, sizeof(seq)) & 0xffff);
}

/* 0 when it does not hold: then every record is replayed, and the rows, which
 * know their numbers, tell which are old. */
static uint64_t mark_read(const struct crc_table *c, const uint8_t *file,
			  uint64_t salt)
{
	uint64_t mark;

	memcpy(&mark, file + MARK_OFFSET, sizeof(mark));
	return mark == mark_pack(c, salt, mark >> 16) ? mark >> 16 : 0;
}

static void mark_write(const struct crc_table *c, struct mapping *m,
		       uint64_t seq)
{
	_Atomic uint64_t *mark = (_Atomic uint64_t *)(m->p + MARK_OFFSET);

	atomic_store(mark, mark_pack(c, m->salt, seq));
}

/* The record at @p, if there is a whole one within @left bytes. */
static bool read_record(const struct crc_table *c, uint64_t salt,
			const uint8_t *p, size_t left,
			struct journal_record *out)
{
	struct record_head h;

	if (left < sizeof(h))
		return false;
	memcpy(&h, p, sizeof(h));
	if (h.magic != RECORD_MAGIC || h.head_crc != head_crc(c, salt, &h))
		return false;
	out->len = h.len_type >> 8;
	out->type = h.len_type & 0xff;
	out->seq = h.seq;
	out->body = p + sizeof(h);
	return out->len <= left - sizeof(h) &&
	       h.body_crc == salted(c, salt, out->body, out->len);
}

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
	err = read_head(c, bytes, len, &head);
	if (err)
		goto out;
	*committed = mark_read(c, bytes, head.salt);
	for (size_t at = JOURNAL_HEAD_BYTES; at < len;) {
		struct journal_record rec;

		if (read_record(c, head.salt, bytes + at, len - at, &rec)) {
			fn(arg, &rec);
			at += record_bytes(rec.len);
		} else {
			at += ALIGN;
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

/* ---- mappings ----------------------------------------------------------- */

/* @fd -1 gives anonymous memory. */
static int mapping_new(struct mapping **out, size_t bytes, int fd,
		       uint64_t salt)
{
	struct mapping *m = malloc(sizeof(*m));
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;

	if (!m)
		return -ENOMEM;
	m->p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
	m->salt = salt;
	m->is_file = fd >= 0;
	if (m->p == MAP_FAILED) {
		free(m);
		return -errno;
	}
	*out = m;
	return 0;
}

static void mapping_free(struct mapping *m, size_t bytes)
{
	if (m)
		munmap(m->p, bytes);
	free(m);
}

/* Nobody else uses @m yet, so plain stores will do where the kernel is too old
 * for MADV_POPULATE_WRITE. */
static void prefault_open(struct mapping *m, size_t bytes)
{
	size_t n = bytes < PREFAULT_OPEN_BYTES ? bytes : PREFAULT_OPEN_BYTES;

	if (madvise(m->p, n, MADV_POPULATE_WRITE) == 0)
		return;
	for (size_t at = 0; at < n; at += 4096) {
		volatile uint8_t *p = m->p + at;

		*p = *p;
	}
}

/* A journal of our size is taken as it is: its old records are committed. */
static int reuse_file(struct journal *j, const char *path, struct mapping **out)
{
	struct file_head head;
	uint8_t first[JOURNAL_HEAD_BYTES];
	int fd, err;

	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	err = -EINVAL;
	if (pread(fd, first, sizeof(first), 0) == (ssize_t)sizeof(first))
		err = read_head(&j->crc, first, sizeof(first), &head);
	if (!err && (head.bytes != j->bytes ||
		     lseek(fd, 0, SEEK_END) != (off_t)j->bytes))
		err = -EINVAL;
	/* A copied file may have holes, and a write into a hole on a full disk
	 * would be a SIGBUS. */
	if (!err)
		err = -posix_fallocate(fd, 0, j->bytes);
	if (!err)
		err = mapping_new(out, j->bytes, fd, head.salt);
	close(fd);
	return err;
}

static void write_file_head(struct journal *j, struct mapping *m)
{
	struct file_head head = {.version = VERSION, .bytes = j->bytes};

	memcpy(head.magic, file_magic, sizeof(head.magic));
	head.salt = m->salt;
	head.crc = crc_add(&j->crc, 0, &head, offsetof(struct file_head, crc));
	memcpy(m->p, &head, sizeof(head));
}

/* Copy-on-write file systems need room even to overwrite; ask for none of it.
 * Others refuse the flag, which is fine. */
static void avoid_cow(int fd)
{
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags |= FS_NOCOW_FL;
		(void)!ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
}

/* Made under another name and renamed, so that @path is never half a file. */
static int make_file(struct journal *j, const char *path, struct mapping **out)
{
	char temp[4096];
	uint64_t salt;
	int fd, err;

	rand_bytes(&salt, sizeof(salt));
	if (snprintf(temp, sizeof(temp), "%s.new", path) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	unlink(temp);
	fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	avoid_cow(fd);
	err = -posix_fallocate(fd, 0, j->bytes);
	if (!err)
		err = mapping_new(out, j->bytes, fd, salt);
	close(fd);
	if (!err) {
		write_file_head(j, *out);
		if (rename(temp, path) == 0)
			return 0;
		err = -errno;
		mapping_free(*out, j->bytes);
	}
	unlink(temp);
	return err;
}

int journal_attach(struct journal *j, const char *path)
{
	struct mapping *m = NULL;

	if (reuse_file(j, path, &m) != 0) {
		int err = make_file(j, path, &m);

		if (err)
			return err;
	}
	prefault_open(m, j->bytes);
	mark_write(&j->crc, m, j->read_seq);
	mapping_free(atomic_exchange(&j->better, m), j->bytes);
	atomic_store(&j->has_file, true);
	return 0;
}

bool journal_has_file(const struct journal *j)
{
	return atomic_load(&j->has_file);
}

int journal_create(struct journal **out, size_t bytes, uint64_t next_seq)
{
	struct journal *j = calloc(1, sizeof(*j));
	struct mapping *m = NULL;
	int err;

	if (!j)
		return -ENOMEM;
	if (bytes < JOURNAL_MIN_BYTES)
		bytes = JOURNAL_MIN_BYTES;
	if (bytes > JOURNAL_MAX_BYTES)
		bytes = JOURNAL_MAX_BYTES;
	j->bytes = bytes & ~(size_t)4095;
	j->ring = j->bytes - JOURNAL_HEAD_BYTES;
	crc_init(&j->crc);
	err = mapping_new(&m, j->bytes, -1, 0);
	if (err) {
		free(j);
		return err;
	}
	atomic_init(&j->map, m);
	atomic_init(&j->last_seq, next_seq - 1);
	j->read_seq = next_seq - 1;
	*out = j;
	return 0;
}

void journal_destroy(struct journal *j)
{
	if (!j)
		return;
	mapping_free(atomic_load(&j->better), j->bytes);
	mapping_free(atomic_load(&j->map), j->bytes);
	free(j);
}

/* ---- the producer ------------------------------------------------------- */

static uint8_t *place(const struct journal *j, uint64_t at)
{
	struct mapping *m = atomic_load_explicit(&j->map, memory_order_relaxed);
	uint64_t base = atomic_load_explicit(&j->base, memory_order_relaxed);

	return m->p + JOURNAL_HEAD_BYTES + (at - base) % j->ring;
}

/* Bytes from @at to the end of the ring. */
static size_t room_to_end(const struct journal *j, uint64_t at)
{
	uint64_t base = atomic_load_explicit(&j->base, memory_order_relaxed);

	return j->ring - (at - base) % j->ring;
}

/* The consumer has nothing to read and therefore looks at neither the mapping
 * nor the base until head moves. */
static void restart_at_front(struct journal *j, uint64_t head)
{
	struct mapping *better = NULL;

	if (atomic_load_explicit(&j->better, memory_order_relaxed))
		better = atomic_exchange(&j->better, NULL);
	if (better) {
		mapping_free(atomic_load(&j->map), j->bytes);
		atomic_store_explicit(&j->map, better, memory_order_relaxed);
	}
	atomic_store_explicit(&j->base, head, memory_order_relaxed);
}

uint8_t *journal_begin(struct journal *j, size_t len)
{
	uint64_t head = atomic_load_explicit(&j->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&j->tail, memory_order_acquire);
	size_t need = record_bytes(len), skip = 0, to_end;

	if (head == tail)
		restart_at_front(j, head);
	to_end = room_to_end(j, head);
	if (to_end < need)
		skip = to_end;
	if (len > journal_body_max(j) || j->ring - (head - tail) < need + skip)
		return NULL;
	if (skip) {
		const uint32_t magic = SKIP_MAGIC;

		/* At least ALIGN bytes are left, as all lengths are aligned. */
		memcpy(place(j, head), &magic, sizeof(magic));
	}
	j->open_at = head + skip;
	j->open_len = len;
	return place(j, j->open_at) + sizeof(struct record_head);
}

uint64_t journal_append(struct journal *j, enum journal_type type)
{
	struct mapping *m = atomic_load_explicit(&j->map, memory_order_relaxed);
	struct record_head h = {
		.magic = RECORD_MAGIC,
		.len_type = (uint32_t)j->open_len << 8 | type,
		.seq = atomic_load_explicit(&j->last_seq,
					    memory_order_relaxed) +
		       1,
	};
	uint8_t *rec = place(j, j->open_at);

	h.body_crc = salted(&j->crc, m->salt, rec + sizeof(h), j->open_len);
	h.head_crc = head_crc(&j->crc, m->salt, &h);
	memcpy(rec, &h, sizeof(h));
	atomic_store_explicit(&j->last_seq, h.seq, memory_order_relaxed);
	atomic_store_explicit(&j->head, j->open_at + record_bytes(j->open_len),
			      memory_order_release);
	return h.seq;
}

uint64_t journal_last_seq(const struct journal *j)
{
	return atomic_load_explicit(&j->last_seq, memory_order_relaxed);
}

size_t journal_body_max(const struct journal *j)
{
	size_t quarter = j->ring / 4, field = (1u << 24) - 1;

	return (quarter < field ? quarter : field) - sizeof(struct record_head);
}

static uint64_t used(const struct journal *j)
{
	uint64_t tail = atomic_load_explicit(&j->tail, memory_order_acquire);

	return atomic_load_explicit(&j->head, memory_order_acquire) - tail;
}

bool journal_is_half_full(const struct journal *j)
{
	return used(j) > j->ring / 2;
}

/* ---- the consumer ------------------------------------------------------- */

bool journal_is_empty(const struct journal *j)
{
	return used(j) == 0;
}

bool journal_peek(struct journal *j, struct journal_record *out)
{
	uint64_t head = atomic_load_explicit(&j->head, memory_order_acquire);
	struct record_head h;

	if (j->read == head)
		return false;
	memcpy(&h, place(j, j->read), sizeof(h.magic));
	if (h.magic == SKIP_MAGIC)
		j->read += room_to_end(j, j->read);
	memcpy(&h, place(j, j->read), sizeof(h));
	out->len = h.len_type >> 8;
	out->type = h.len_type & 0xff;
	out->seq = h.seq;
	out->body = place(j, j->read) + sizeof(h);
	j->read += record_bytes(out->len);
	j->read_seq = h.seq;
	return true;
}

/* Have the pages that the producer writes next ready, before it is told that
 * there is room: the mapping may change as soon as the ring looks empty.  It
 * starts at the front then, so what a burst has mapped further back can go;
 * of a file only the mapping goes, never a byte, even if it races us. */
static void tend_pages(struct journal *j)
{
	struct mapping *m = atomic_load_explicit(&j->map, memory_order_relaxed);
	uint64_t head = atomic_load_explicit(&j->head, memory_order_acquire);
	size_t at = (place(j, head) - m->p) & ~(size_t)4095;

	if (!m->is_file)
		return;
	if (head == j->read) {
		if (at >= PREFAULT_OPEN_BYTES)
			madvise(m->p + PREFAULT_OPEN_BYTES,
				j->bytes - PREFAULT_OPEN_BYTES, MADV_DONTNEED);
		at = JOURNAL_HEAD_BYTES;
	}
	madvise(m->p + at,
		j->bytes - at < PREFAULT_AHEAD_BYTES ? j->bytes - at
						     : PREFAULT_AHEAD_BYTES,
		MADV_POPULATE_WRITE);
}

void journal_done(struct journal *j)
{
	if (j->read == atomic_load_explicit(&j->tail, memory_order_relaxed))
		return;
	mark_write(&j->crc, atomic_load_explicit(&j->map, memory_order_relaxed),
		   j->read_seq);
	tend_pages(j);
	atomic_store_explicit(&j->tail, j->read, memory_order_release);
}

void journal_again(struct journal *j)
{
	j->read = atomic_load_explicit(&j->tail, memory_order_relaxed);
}
