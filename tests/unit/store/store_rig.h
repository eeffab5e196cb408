/*
 * store_rig.h - what the tests of the store share: a directory, a row, a disk
 * that fails on demand
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_STORE_RIG_H
#define TESTS_STORE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alarm.h"
#include "store/store.h"

#define RIG __attribute__((unused)) static

/* ---- files -------------------------------------------------------------- */

struct rig {
	char dir[64];
	char db[96], journal[96];
};

RIG void rig_init(struct rig *r)
{
	strcpy(r->dir, "/tmp/sbc-store-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->db, sizeof(r->db), "%s/sbc.db", r->dir);
	snprintf(r->journal, sizeof(r->journal), "%s/sbc.journal", r->dir);
}

RIG void rig_clear_dir(const struct rig *r)
{
	DIR *d = opendir(r->dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

RIG void rig_done(struct rig *r)
{
	chmod(r->dir, 0700);
	rig_clear_dir(r);
	rmdir(r->dir);
}

/* How many files have @part in their names. */
RIG int rig_count(const struct rig *r, const char *part)
{
	DIR *d = opendir(r->dir);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += strstr(e->d_name, part) != NULL;
	if (d)
		closedir(d);
	return n;
}

RIG void rig_write(const char *path, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

RIG uint8_t *rig_read(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *p;

	assert_non_null(f);
	fstat(fileno(f), &st);
	p = malloc(st.st_size + 1);
	*n = fread(p, 1, st.st_size, f);
	fclose(f);
	return p;
}

/* One number out of the database, seen by a stranger; -1 on error. */
RIG int64_t rig_ask(const struct rig *r, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	int64_t v = -1;

	sqlite3_open_v2(r->db, &db, SQLITE_OPEN_READWRITE, NULL);
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		v = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return v;
}

RIG int64_t rig_rows(const struct rig *r)
{
	return rig_ask(r, "SELECT count(*) FROM binding");
}

RIG bool rig_has_alarm(const char *name)
{
	struct alarm v[32];
	size_t n = alarm_list(v, 32);

	while (n--) {
		if (strcmp(v[n].name, name) == 0)
			return true;
	}
	return false;
}

/* ---- rows --------------------------------------------------------------- */

RIG struct binding_row rig_row(uint64_t id)
{
	struct binding_row row = {
		.id = id,
		.aor = "100@sbc.example",
		.phone = "100",
		.realm = "lan",
		.contact = "sip:100@192.0.2.7:5062;transport=udp",
		.call_id = "3848276298220188511@192.0.2.7",
		.cseq = 7,
		.instance = "<urn:uuid:00000000-0000-1000-8000-000A95A0E128>",
		.reg_id = 1,
		.user_agent = "phone/1.0",
		.transport = 1,
		.expires_at = 1800000360000,
		.registered_at = 1800000000000,
		.last_seen = 1800000000000,
		.nat =
			{
				.evidence = 0x80000005,
				.alg = 2,
				.mapping = 3,
				.filter = 1,
				.flags = STORE_BEHIND | STORE_JUDGED,
				.floor_s = 24,
				.ceiling_s = 65535,
				.interval_ms = 19200,
				.phase_ms = UINT32_MAX,
			},
	};

	addr_parse(&row.nat.announced, "192.168.1.7", 11, 5060);
	addr_parse(&row.source, "203.0.113.9", 11, 40000);
	addr_parse(&row.local, "2001:db8::1", 11, 5060);
	return row;
}

RIG void rig_put(struct store *s, uint64_t id, uint32_t cseq)
{
	struct binding_row row = rig_row(id);

	row.cseq = cseq;
	store_binding_put(s, &row);
}

RIG void rig_same_text(const char *a, const char *b)
{
	if (a && b)
		assert_string_equal(a, b);
	else
		assert_ptr_equal(a, b);
}

RIG void rig_same_nat(const struct store_nat *a, const struct store_nat *b)
{
	assert_int_equal(a->evidence, b->evidence);
	assert_int_equal(a->alg, b->alg);
	assert_int_equal(a->mapping, b->mapping);
	assert_int_equal(a->filter, b->filter);
	assert_int_equal(a->flags, b->flags);
	assert_true(addr_equal(&a->announced, &b->announced));
	assert_int_equal(a->floor_s, b->floor_s);
	assert_int_equal(a->ceiling_s, b->ceiling_s);
	assert_int_equal(a->interval_ms, b->interval_ms);
	assert_int_equal(a->phase_ms, b->phase_ms);
}

RIG void rig_same_row(const struct binding_row *a, const struct binding_row *b)
{
	assert_int_equal(a->id, b->id);
	rig_same_text(a->aor, b->aor);
	rig_same_text(a->phone, b->phone);
	rig_same_text(a->realm, b->realm);
	rig_same_text(a->contact, b->contact);
	rig_same_text(a->call_id, b->call_id);
	rig_same_text(a->instance, b->instance);
	rig_same_text(a->path, b->path);
	rig_same_text(a->user_agent, b->user_agent);
	assert_int_equal(a->cseq, b->cseq);
	assert_int_equal(a->reg_id, b->reg_id);
	assert_int_equal(a->transport, b->transport);
	assert_true(addr_equal(&a->source, &b->source));
	assert_true(addr_equal(&a->local, &b->local));
	assert_int_equal(a->expires_at, b->expires_at);
	assert_int_equal(a->registered_at, b->registered_at);
	assert_int_equal(a->last_seen, b->last_seen);
	rig_same_nat(&a->nat, &b->nat);
}

/* ---- rows of the history ------------------------------------------------ */

RIG struct history_row rig_event(wall_ms at, uint64_t binding,
				 const char *event)
{
	struct history_row row = {
		.at = at,
		.phone = "204",
		.aor = "204@sbc.example",
		.binding = binding,
		.event = event,
		.transport = 1,
		.expires_at = at + 3600000,
		.proved_at = at - 500,
		.pings = 12,
		.unanswered = 3,
		.rtt_us = {21000, 22000, UINT32_MAX},
		.n_rtt = 3,
		.reason = "announced 192.168.1.7:5060, seen from "
			  "203.0.113.9:40000: behind NAT",
	};

	addr_parse(&row.source, "203.0.113.9", 11, 40000);
	addr_parse(&row.local, "2001:db8::1", 11, 5060);
	return row;
}

RIG void rig_same_event(const struct history_row *a,
			const struct history_row *b)
{
	assert_int_equal(a->at, b->at);
	rig_same_text(a->phone, b->phone);
	rig_same_text(a->aor, b->aor);
	assert_int_equal(a->binding, b->binding);
	rig_same_text(a->event, b->event);
	rig_same_text(a->cause, b->cause);
	assert_int_equal(a->transport, b->transport);
	assert_true(addr_equal(&a->source, &b->source));
	assert_true(addr_equal(&a->local, &b->local));
	assert_int_equal(a->expires_at, b->expires_at);
	assert_int_equal(a->proved_at, b->proved_at);
	assert_int_equal(a->pings, b->pings);
	assert_int_equal(a->unanswered, b->unanswered);
	assert_int_equal(a->n_rtt, b->n_rtt);
	for (uint32_t i = 0; i < a->n_rtt; i++)
		assert_int_equal(a->rtt_us[i], b->rtt_us[i]);
	rig_same_text(a->reason, b->reason);
}

/* What a load gives: ids below 65536 with their CSeq. */
struct rig_load {
	uint32_t cseq[65536]; /* 0 = absent */
	size_t n;
};

RIG void rig_note(void *arg, const struct binding_row *row)
{
	struct rig_load *l = arg;

	assert_true(row->id < 65536);
	assert_int_equal(l->cseq[row->id], 0);
	l->cseq[row->id] = row->cseq;
	l->n++;
}

/* ---- a disk that fails -------------------------------------------------- */

/*
 * A VFS over the default one.  Result codes that are not 0 are returned by the
 * calls that they are named after; a write that fails with SQLITE_FULL leaves
 * half of its bytes.  While the gate is shut every sync waits.
 */
static struct {
	sqlite3_vfs vfs, *base;
	atomic_int open_rc, read_rc, write_rc, sync_rc, shm_rc;
	atomic_int n_open; /* files */
	pthread_mutex_t lock;
	pthread_cond_t turn;
	bool is_shut;
	int n_waiting;
} disk = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.turn = PTHREAD_COND_INITIALIZER,
};

struct disk_file {
	sqlite3_file head;
	sqlite3_file *base;
};

static sqlite3_file *disk_base(sqlite3_file *f)
{
	return ((struct disk_file *)f)->base;
}

static int disk_close(sqlite3_file *f)
{
	atomic_fetch_sub(&disk.n_open, 1);
	return disk_base(f)->pMethods->xClose(disk_base(f));
}

static int disk_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	int rc = atomic_load(&disk.read_rc);

	return rc ? rc : disk_base(f)->pMethods->xRead(disk_base(f), p, n, at);
}

static int disk_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	sqlite3_file *b = disk_base(f);
	int rc = atomic_load(&disk.write_rc);

	if (rc == SQLITE_FULL)
		b->pMethods->xWrite(b, p, n / 2, at);
	return rc ? rc : b->pMethods->xWrite(b, p, n, at);
}

static int disk_truncate(sqlite3_file *f, sqlite3_int64 n)
{
	return disk_base(f)->pMethods->xTruncate(disk_base(f), n);
}

static int disk_sync(sqlite3_file *f, int flags)
{
	int rc = atomic_load(&disk.sync_rc);

	pthread_mutex_lock(&disk.lock);
	disk.n_waiting++;
	pthread_cond_broadcast(&disk.turn);
	while (disk.is_shut)
		pthread_cond_wait(&disk.turn, &disk.lock);
	disk.n_waiting--;
	pthread_mutex_unlock(&disk.lock);
	return rc ? rc : disk_base(f)->pMethods->xSync(disk_base(f), flags);
}

static int disk_size(sqlite3_file *f, sqlite3_int64 *n)
{
	return disk_base(f)->pMethods->xFileSize(disk_base(f), n);
}

static int disk_lock(sqlite3_file *f, int level)
{
	return disk_base(f)->pMethods->xLock(disk_base(f), level);
}

static int disk_unlock(sqlite3_file *f, int level)
{
	return disk_base(f)->pMethods->xUnlock(disk_base(f), level);
}

static int disk_reserved(sqlite3_file *f, int *out)
{
	return disk_base(f)->pMethods->xCheckReservedLock(disk_base(f), out);
}

static int disk_control(sqlite3_file *f, int op, void *arg)
{
	return disk_base(f)->pMethods->xFileControl(disk_base(f), op, arg);
}

static int disk_sector(sqlite3_file *f)
{
	return disk_base(f)->pMethods->xSectorSize(disk_base(f));
}

static int disk_traits(sqlite3_file *f)
{
	return disk_base(f)->pMethods->xDeviceCharacteristics(disk_base(f));
}

static int disk_shm_map(sqlite3_file *f, int page, int size, int extend,
			void volatile **out)
{
	int rc = atomic_load(&disk.shm_rc);

	return rc ? rc
		  : disk_base(f)->pMethods->xShmMap(disk_base(f), page, size,
						    extend, out);
}

static int disk_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return disk_base(f)->pMethods->xShmLock(disk_base(f), at, n, flags);
}

static void disk_shm_barrier(sqlite3_file *f)
{
	disk_base(f)->pMethods->xShmBarrier(disk_base(f));
}

static int disk_shm_unmap(sqlite3_file *f, int del)
{
	return disk_base(f)->pMethods->xShmUnmap(disk_base(f), del);
}

static const sqlite3_io_methods disk_methods = {
	2,
	disk_close,
	disk_read,
	disk_write,
	disk_truncate,
	disk_sync,
	disk_size,
	disk_lock,
	disk_unlock,
	disk_reserved,
	disk_control,
	disk_sector,
	disk_traits,
	disk_shm_map,
	disk_shm_lock,
	disk_shm_barrier,
	disk_shm_unmap,
	NULL,
	NULL,
};

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f,
		     int flags, int *out_flags)
{
	struct disk_file *file = (struct disk_file *)f;
	int rc = atomic_load(&disk.open_rc);

	file->head.pMethods = NULL;
	if (rc)
		return rc;
	file->base = (sqlite3_file *)(file + 1);
	rc = disk.base->xOpen(disk.base, name, file->base, flags, out_flags);
	if (file->base->pMethods) {
		file->head.pMethods = &disk_methods;
		atomic_fetch_add(&disk.n_open, 1);
	}
	return rc;
}

/* From now on every database of this process is on the failing disk. */
RIG int disk_install(void **state)
{
	disk.base = sqlite3_vfs_find(NULL);
	disk.vfs = *disk.base;
	disk.vfs.zName = "failing";
	disk.vfs.szOsFile += sizeof(struct disk_file);
	disk.vfs.xOpen = disk_open;
	return sqlite3_vfs_register(&disk.vfs, 1);
}

RIG void disk_heal(void)
{
	disk.open_rc = disk.read_rc = disk.write_rc = 0;
	disk.sync_rc = disk.shm_rc = 0;
}

RIG void disk_shut(bool is_shut)
{
	pthread_mutex_lock(&disk.lock);
	disk.is_shut = is_shut;
	pthread_cond_broadcast(&disk.turn);
	pthread_mutex_unlock(&disk.lock);
}

/* Return when somebody waits in a sync. */
RIG void disk_await_waiter(void)
{
	pthread_mutex_lock(&disk.lock);
	while (!disk.n_waiting)
		pthread_cond_wait(&disk.turn, &disk.lock);
	pthread_mutex_unlock(&disk.lock);
}

#endif
