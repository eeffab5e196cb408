/*
 * journal_format.h - the bytes of the journal file
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Native byte order: the file never leaves the machine, and a head of the other
 * order has a wrong magic.  Pure functions.
 */
#ifndef SBC_STORE_JOURNAL_FORMAT_H
#define SBC_STORE_JOURNAL_FORMAT_H

#include "store/journal.h"

enum {
	MARK_OFFSET = 64,          /* has a cache line of its own */
	RECORD_MAGIC = 0x524a4253, /* "SBJR" */
	SKIP_MAGIC = 0x534a4253,   /* "SBJS": the next record is at the front */
	RECORD_ALIGN = 8,
};

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

/* CRC-32C, eight bytes a step. */
struct crc_table {
	uint32_t t[8][256];
};

void crc_init(struct crc_table *c);
/* Of the salt, then of @bytes. */
uint32_t crc_salted(const struct crc_table *c, uint64_t salt, const void *bytes,
		    size_t n);

void file_head_make(struct file_head *out, const struct crc_table *c,
		    uint32_t bytes, uint64_t salt);
/* -EINVAL when @file of @len bytes does not begin with a head. */
int file_head_read(struct file_head *out, const struct crc_table *c,
		   const uint8_t *file, size_t len);

/* The mark: records up to this number are in the database.  48 bits of number
 * and 16 of checksum in one word, so that no kill can tear it. */
uint64_t mark_make(const struct crc_table *c, uint64_t salt, uint64_t seq);
/* 0 when it does not hold: then every record is replayed, and the rows, which
 * know their numbers, tell which are old. */
uint64_t mark_read(const struct crc_table *c, uint64_t salt,
		   const uint8_t *file);

/* What a record with a body of @len bytes takes. */
size_t record_bytes(size_t len);
/* Write the head in front of a body that stands at @at + its size. */
void record_seal(const struct crc_table *c, uint64_t salt, uint8_t *at,
		 const struct journal_record *rec);
/* Take apart what is known to be a record. */
void record_open(const uint8_t *at, struct journal_record *out);
/* The same for any @left bytes; false when no whole record begins there. */
bool record_read(const struct crc_table *c, uint64_t salt, const uint8_t *at,
		 size_t left, struct journal_record *out);

#endif
