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
 * The kernel makes a mapped page read-only when it has written it back, and the
 * fault of the next write may have to wait for a commit of the file system, our
 * own one for example.  So before it commits, the writer has the pages made
 * ready that the producer will need meanwhile (journal_prepare()).  Against an
 * admin who freezes the whole file system (fsfreeze) that does not help.
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
#include <unistd.h>

#include "core/rand.h"
#include "store/journal_format.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum {
	PREFAULT_OPEN_BYTES = 1 << 20,
	PREFAULT_FEW_BYTES = 16 << 10,
	PREFAULT_MANY_BYTES = 2 << 20,
	PREFAULT_TIMES = 8, /* what came since the last commit */
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
	size_t furthest; /* place that was read since pages were let go */
};

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
		err = file_head_read(&head, &j->crc, first, sizeof(first));
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
	struct file_head head;
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
		file_head_make(&head, &j->crc, j->bytes, salt);
		memcpy((*out)->p, &head, sizeof(head));
		if (rename(temp, path) == 0)
			return 0;
		err = -errno;
		mapping_free(*out, j->bytes);
	}
	unlink(temp);
	return err;
}

static void write_mark(struct journal *j, struct mapping *m, uint64_t seq)
{
	_Atomic uint64_t *mark = (_Atomic uint64_t *)(m->p + MARK_OFFSET);

	atomic_store(mark, mark_make(&j->crc, m->salt, seq));
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
	write_mark(j, m, j->read_seq);
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

		/* At least RECORD_ALIGN bytes are left, as all lengths are aligned. */
		memcpy(place(j, head), &magic, sizeof(magic));
	}
	j->open_at = head + skip;
	j->open_len = len;
	return place(j, j->open_at) + sizeof(struct record_head);
}

uint64_t journal_append(struct journal *j, enum journal_type type)
{
	struct mapping *m = atomic_load_explicit(&j->map, memory_order_relaxed);
	const struct journal_record rec = {
		.seq = journal_last_seq(j) + 1,
		.type = type,
		.len = j->open_len,
	};

	record_seal(&j->crc, m->salt, place(j, j->open_at), &rec);
	atomic_store_explicit(&j->last_seq, rec.seq, memory_order_relaxed);
	atomic_store_explicit(&j->head, j->open_at + record_bytes(rec.len),
			      memory_order_release);
	return rec.seq;
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
	uint32_t magic;

	if (j->read == head)
		return false;
	memcpy(&magic, place(j, j->read), sizeof(magic));
	if (magic == SKIP_MAGIC)
		j->read += room_to_end(j, j->read);
	record_open(place(j, j->read), out);
	if (j->ring - room_to_end(j, j->read) > j->furthest)
		j->furthest = j->ring - room_to_end(j, j->read);
	j->read += record_bytes(out->len);
	j->read_seq = out->seq;
	return true;
}

uint64_t journal_read_seq(const struct journal *j)
{
	return j->read_seq;
}

/* The pages at @at and after it can be written without a fault; as they are
 * dirty the kernel leaves them alone for half a minute. */
static void prefault(struct journal *j, const struct mapping *m, size_t at,
		     size_t n)
{
	if (m->is_file)
		madvise(m->p + at, n < j->bytes - at ? n : j->bytes - at,
			MADV_POPULATE_WRITE);
}

void journal_prepare(struct journal *j)
{
	struct mapping *m = atomic_load_explicit(&j->map, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&j->tail, memory_order_relaxed);
	uint64_t head = atomic_load_explicit(&j->head, memory_order_acquire);
	size_t n = (j->read - tail) * PREFAULT_TIMES;
	size_t at;

	if (j->read == tail)
		return;
	if (n < PREFAULT_FEW_BYTES)
		n = PREFAULT_FEW_BYTES;
	if (n > PREFAULT_MANY_BYTES)
		n = PREFAULT_MANY_BYTES;
	at = (place(j, head) - m->p) & ~(size_t)4095;
	prefault(j, m, at, n);
	if (n > j->bytes - at)
		prefault(j, m, JOURNAL_HEAD_BYTES, n - (j->bytes - at));
}

/* Before the producer is told that there is room: the mapping may change as
 * soon as the ring looks empty.  It starts at the front then, so what a burst
 * has mapped further back can go; of a file only the mapping goes, never a
 * byte, even if it races us. */
static void tend_pages(struct journal *j)
{
	struct mapping *m = atomic_load_explicit(&j->map, memory_order_relaxed);
	uint64_t head = atomic_load_explicit(&j->head, memory_order_acquire);

	if (!m->is_file || head != j->read)
		return;
	if (j->furthest >= PREFAULT_OPEN_BYTES) {
		madvise(m->p + PREFAULT_OPEN_BYTES,
			j->bytes - PREFAULT_OPEN_BYTES, MADV_DONTNEED);
		j->furthest = 0;
	}
	prefault(j, m, JOURNAL_HEAD_BYTES, PREFAULT_FEW_BYTES);
}

void journal_done(struct journal *j)
{
	if (j->read == atomic_load_explicit(&j->tail, memory_order_relaxed))
		return;
	write_mark(j, atomic_load_explicit(&j->map, memory_order_relaxed),
		   j->read_seq);
	tend_pages(j);
	atomic_store_explicit(&j->tail, j->read, memory_order_release);
}

void journal_again(struct journal *j)
{
	j->read = atomic_load_explicit(&j->tail, memory_order_relaxed);
}
