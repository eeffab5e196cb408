/*
 * test_journal.c - the ring of records and what is left of it after a crash
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store_rig.h"

#include "store/journal.h"

enum { RING = JOURNAL_MIN_BYTES, BODY_AT = 24 };

static void start(struct rig *r, struct journal **j)
{
	rig_init(r);
	assert_int_equal(journal_create(j, RING, 1), 0);
	assert_int_equal(journal_attach(*j, r->journal), 0);
}

static void stop(struct rig *r, struct journal *j)
{
	journal_destroy(j);
	rig_done(r);
}

/* A body that tells its number and its length. */
static void fill(uint8_t *p, size_t len, uint64_t n)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(n * 31 + i * 7 + len);
}

static bool is_filled(const struct journal_record *rec, uint64_t n)
{
	for (size_t i = 0; i < rec->len; i++) {
		if (rec->body[i] != (uint8_t)(n * 31 + i * 7 + rec->len))
			return false;
	}
	return true;
}

static bool add(struct journal *j, size_t len)
{
	uint8_t *p = journal_begin(j, len);

	if (!p)
		return false;
	fill(p, len, journal_last_seq(j) + 1);
	journal_append(j, JOURNAL_PUT);
	return true;
}

/* Read all, free all; how many. */
static size_t drain(struct journal *j)
{
	struct journal_record rec;
	size_t n = 0;

	while (journal_peek(j, &rec)) {
		assert_true(is_filled(&rec, rec.seq));
		n++;
	}
	journal_done(j);
	return n;
}

static size_t pending(const struct rig *r)
{
	struct journal_pending p;
	size_t n;

	assert_int_equal(journal_pending_read(&p, r->journal), 0);
	n = p.n;
	for (size_t i = 0; i < n; i++)
		assert_true(is_filled(&p.v[i], p.v[i].seq));
	journal_pending_free(&p);
	return n;
}

/* ---- the ring ------------------------------------------------------------ */

static void a_record_comes_out_as_it_went_in(void **state)
{
	struct journal_record rec;
	struct journal *j;
	struct rig r;

	start(&r, &j);
	assert_true(journal_is_empty(j));
	memcpy(journal_begin(j, 3), "abc", 3);
	assert_int_equal(journal_append(j, JOURNAL_DEL), 1);
	assert_false(journal_is_empty(j));
	assert_true(journal_peek(j, &rec));
	assert_int_equal(rec.seq, 1);
	assert_int_equal(rec.type, JOURNAL_DEL);
	assert_int_equal(rec.len, 3);
	assert_memory_equal(rec.body, "abc", 3);
	assert_false(journal_peek(j, &rec));
	stop(&r, j);
}

static void what_is_not_done_is_read_again(void **state)
{
	struct journal_record rec;
	struct journal *j;
	struct rig r;

	start(&r, &j);
	add(j, 10);
	assert_true(journal_peek(j, &rec));
	journal_done(j);
	add(j, 20);
	add(j, 30);
	while (journal_peek(j, &rec))
		;
	journal_again(j);
	assert_true(journal_peek(j, &rec));
	assert_int_equal(rec.seq, 2);
	assert_int_equal(rec.len, 20);
	stop(&r, j);
}

static void a_full_ring_refuses_until_something_is_done(void **state)
{
	struct journal *j;
	struct rig r;
	size_t n = 0;

	start(&r, &j);
	while (add(j, 1000)) {
		n++;
		assert_int_equal(journal_is_half_full(j),
				 n * 1024 > (RING - 4096) / 2);
	}
	assert_int_equal(n, (RING - 4096) / 1024);
	assert_int_equal(drain(j), n);
	assert_true(add(j, 1000));
	assert_int_equal(drain(j), 1);
	stop(&r, j);
}

static void a_body_longer_than_the_largest_is_refused(void **state)
{
	struct journal *j;
	struct rig r;

	start(&r, &j);
	assert_true(add(j, journal_body_max(j)));
	assert_false(add(j, journal_body_max(j) + 1));
	assert_int_equal(drain(j), 1);
	stop(&r, j);
}

/* What is left at the end counts as used when a record goes to the front. */
static void a_wrap_never_runs_over_unread_records(void **state)
{
	struct journal_record rec;
	struct journal *j;
	struct rig r;

	start(&r, &j);
	while (add(j, 1000))
		;
	for (int i = 0; i < 58; i++) /* all but two, of 60 */
		journal_peek(j, &rec);
	journal_done(j);
	while (add(j, 1500)) /* up to the two from behind */
		;
	for (uint64_t seq = 59; journal_peek(j, &rec); seq++) {
		assert_int_equal(rec.seq, seq);
		assert_true(is_filled(&rec, seq));
		journal_done(j);
		while (add(j, 1 + random() % 3000))
			;
		if (seq == 2000)
			break;
	}
	stop(&r, j);
}

/* Fill and drain by chance for many laps: nothing is lost, doubled or mixed. */
static void the_ring_wraps_without_losing_a_record(void **state)
{
	struct journal_record rec;
	uint64_t next = 1;
	struct journal *j;
	struct rig r;

	start(&r, &j);
	srandom(1);
	for (int i = 0; i < 20000; i++) {
		if (random() % 3)
			add(j, random() % 2000);
		for (int k = random() % 3; k && journal_peek(j, &rec); k--) {
			assert_int_equal(rec.seq, next);
			assert_true(is_filled(&rec, next++));
		}
		if (random() % 8)
			journal_done(j);
	}
	assert_true(next > 1000);
	stop(&r, j);
}

static void an_empty_ring_starts_at_the_front(void **state)
{
	struct journal *j;
	uint8_t *first;
	struct rig r;

	start(&r, &j);
	first = journal_begin(j, 8);
	for (int i = 0; i < 100; i++) {
		add(j, 50);
		add(j, 50);
		drain(j);
	}
	assert_ptr_equal(journal_begin(j, 8), first);
	stop(&r, j);
}

static void *produce(void *arg)
{
	struct journal *j = arg;

	for (int i = 0; i < 20000;) {
		if (add(j, i % 300))
			i++;
		else
			sched_yield();
	}
	return NULL;
}

static void two_threads_share_the_ring_without_locks(void **state)
{
	struct journal_record rec;
	pthread_t producer;
	uint64_t next = 1;
	struct journal *j;
	struct rig r;

	start(&r, &j);
	pthread_create(&producer, NULL, produce, j);
	while (next <= 20000) {
		if (!journal_peek(j, &rec)) {
			journal_done(j);
			sched_yield();
			continue;
		}
		assert_int_equal(rec.seq, next);
		assert_true(is_filled(&rec, next++));
	}
	pthread_join(producer, NULL);
	stop(&r, j);
}

/* ---- the file ------------------------------------------------------------ */

static void what_was_appended_is_in_the_file_at_once(void **state)
{
	struct journal *j;
	struct rig r;

	start(&r, &j);
	for (int i = 0; i < 10; i++)
		add(j, 100 + i);
	assert_int_equal(pending(&r), 10);
	stop(&r, j);
}

static void what_is_done_is_no_longer_pending(void **state)
{
	struct journal_pending p;
	struct journal *j;
	struct rig r;

	start(&r, &j);
	add(j, 100);
	drain(j);
	add(j, 200);
	add(j, 300);
	assert_int_equal(journal_pending_read(&p, r.journal), 0);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.v[0].seq, 2);
	assert_int_equal(p.v[1].seq, 3);
	assert_int_equal(p.last_seq, 3);
	journal_pending_free(&p);
	stop(&r, j);
}

static void pending_records_come_in_order_after_a_wrap(void **state)
{
	struct journal_pending p;
	struct journal_record rec;
	struct journal *j;
	struct rig r;

	start(&r, &j);
	while (add(j, 3000))
		;
	for (int i = 0; i < 5; i++)
		journal_peek(j, &rec);
	journal_done(j);
	add(j, 3000);
	add(j, 3000);
	assert_int_equal(journal_pending_read(&p, r.journal), 0);
	assert_true(p.n > 10);
	for (size_t i = 0; i < p.n; i++)
		assert_int_equal(p.v[i].seq, 6 + i);
	journal_pending_free(&p);
	stop(&r, j);
}

static void a_second_life_goes_on_in_the_same_file(void **state)
{
	struct stat before, after;
	struct journal *j;
	struct rig r;

	start(&r, &j);
	for (int i = 0; i < 50; i++)
		add(j, 500);
	journal_destroy(j);
	stat(r.journal, &before);
	assert_int_equal(journal_create(&j, RING, 51), 0);
	assert_int_equal(journal_attach(j, r.journal), 0);
	stat(r.journal, &after);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(pending(&r), 0);
	add(j, 10);
	assert_int_equal(pending(&r), 1);
	stop(&r, j);
}

static void a_file_of_another_size_is_replaced(void **state)
{
	struct journal *j;
	struct stat st;
	struct rig r;

	start(&r, &j);
	journal_destroy(j);
	assert_int_equal(journal_create(&j, 2 * RING, 1), 0);
	assert_int_equal(journal_attach(j, r.journal), 0);
	stat(r.journal, &st);
	assert_int_equal(st.st_size, 2 * RING);
	assert_int_equal(st.st_mode & 0777, 0600);
	add(j, 10);
	assert_int_equal(pending(&r), 1);
	stop(&r, j);
}

static void the_file_is_allocated_and_not_sparse(void **state)
{
	struct journal *j;
	struct stat st;
	struct rig r;

	start(&r, &j);
	stat(r.journal, &st);
	assert_true(st.st_blocks * 512 >= RING);
	stop(&r, j);
}

static void without_a_file_the_ring_works_in_memory(void **state)
{
	struct journal *j;
	struct rig r;

	rig_init(&r);
	assert_int_equal(journal_create(&j, RING, 1), 0);
	assert_int_equal(journal_attach(j, "/nowhere/sbc.journal"), -ENOENT);
	assert_false(journal_has_file(j));
	add(j, 100);
	add(j, 100);
	assert_int_equal(drain(j), 2);
	stop(&r, j);
}

static void
a_file_that_comes_later_is_taken_when_the_ring_is_empty(void **state)
{
	struct journal *j;
	struct rig r;

	rig_init(&r);
	assert_int_equal(journal_create(&j, RING, 1), 0);
	add(j, 100);
	assert_int_equal(journal_attach(j, r.journal), 0);
	assert_true(journal_has_file(j));
	add(j, 100);
	assert_int_equal(pending(&r), 0); /* still in memory */
	assert_int_equal(drain(j), 2);
	add(j, 100);
	assert_int_equal(pending(&r), 1);
	assert_int_equal(drain(j), 1);
	stop(&r, j);
}

/* ---- damage ------------------------------------------------------------- */

enum { RECORDS = 12 };

/* Records of growing size from the front of the file on; @at[i] is where the
 * i-th begins, @at[RECORDS] where the last one ends. */
static uint8_t *sample(size_t *len, size_t at[RECORDS + 1])
{
	struct journal *j;
	uint8_t *bytes;
	struct rig r;

	start(&r, &j);
	at[0] = JOURNAL_HEAD_BYTES;
	for (size_t i = 0; i < RECORDS; i++) {
		size_t body = 1 + i * 29;

		assert_true(add(j, body));
		at[i + 1] = at[i] + BODY_AT + (body + 7) / 8 * 8;
	}
	bytes = rig_read(r.journal, len);
	stop(&r, j);
	return bytes;
}

struct seen {
	bool has[RECORDS + 1];
	size_t n;
};

static void see(void *arg, const struct journal_record *rec)
{
	struct seen *s = arg;

	assert_in_range(rec->seq, 1, RECORDS);
	assert_int_equal(rec->len, 1 + (rec->seq - 1) * 29);
	assert_true(is_filled(rec, rec->seq));
	assert_false(s->has[rec->seq]);
	s->has[rec->seq] = true;
	s->n++;
}

static struct seen scan(const uint8_t *bytes, size_t len)
{
	struct seen s = {.n = 0};
	uint64_t committed;

	/* A copy of the exact size lets ASan see a step too far. */
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, bytes, len);
	journal_scan(copy, len, &committed, see, &s);
	free(copy);
	return s;
}

static void cut_anywhere_all_whole_records_are_kept(void **state)
{
	size_t len, at[RECORDS + 1];
	uint8_t *bytes = sample(&len, at);

	for (size_t cut = at[0]; cut <= at[RECORDS] + 8; cut++) {
		struct seen s = scan(bytes, cut);

		for (size_t i = 0; i < RECORDS; i++) {
			size_t end = at[i] + BODY_AT + 1 + i * 29;

			assert_int_equal(s.has[i + 1], end <= cut);
		}
	}
	free(bytes);
}

/* As a kill between two stores would leave it: the rest is what was before. */
static void torn_anywhere_all_whole_records_are_kept(void **state)
{
	size_t len, at[RECORDS + 1];
	uint8_t *bytes = sample(&len, at);
	uint8_t *torn = malloc(len);

	for (size_t cut = at[0]; cut < at[RECORDS]; cut++) {
		struct seen s;

		memcpy(torn, bytes, cut);
		memset(torn + cut, 0xa5, len - cut);
		s = scan(torn, len);
		for (size_t i = 0; i < RECORDS; i++) {
			size_t end = at[i] + BODY_AT + 1 + i * 29;

			if (end <= cut)
				assert_true(s.has[i + 1]);
			else if (end > cut + 1) /* 0xa5 may be what stood */
				assert_false(s.has[i + 1]);
		}
	}
	free(torn);
	free(bytes);
}

static void one_bad_byte_costs_one_record(void **state)
{
	size_t len, at[RECORDS + 1];
	uint8_t *bytes = sample(&len, at);

	for (size_t i = 0; i < RECORDS; i++) {
		for (size_t b = at[i]; b < at[i] + BODY_AT + 1 + i * 29; b++) {
			struct seen s;

			bytes[b] ^= 0x10;
			s = scan(bytes, len);
			bytes[b] ^= 0x10;
			assert_int_equal(s.n, RECORDS - 1);
			assert_false(s.has[i + 1]);
		}
	}
	free(bytes);
}

static void a_damaged_head_means_no_journal(void **state)
{
	size_t len, at[RECORDS + 1];
	uint8_t *bytes = sample(&len, at);
	uint64_t committed;
	struct seen s = {.n = 0};

	for (size_t b = 0; b < 28; b++) {
		bytes[b] ^= 1;
		assert_int_equal(journal_scan(bytes, len, &committed, see, &s),
				 -EINVAL);
		bytes[b] ^= 1;
	}
	assert_int_equal(s.n, 0);
	free(bytes);
}

static void a_damaged_mark_replays_everything(void **state)
{
	struct journal *j;
	uint8_t *bytes;
	struct rig r;
	size_t len;

	start(&r, &j);
	add(j, 10);
	add(j, 10);
	drain(j);
	assert_int_equal(pending(&r), 0);
	bytes = rig_read(r.journal, &len);
	bytes[64 + 3] ^= 0x40;
	rig_write(r.journal, bytes, len);
	assert_int_equal(pending(&r), 2);
	free(bytes);
	stop(&r, j);
}

/* A record that stands in the text of another one, or was left by an older
 * file, is not one. */
static void records_of_another_file_are_not_believed(void **state)
{
	size_t len, at[RECORDS + 1];
	uint8_t *mine = sample(&len, at), *theirs = sample(&len, at);

	memcpy(mine + at[3], theirs + at[3], at[6] - at[3]);
	assert_int_equal(scan(mine, len).n, RECORDS - 3);
	free(mine);
	free(theirs);
}

static void a_foreign_file_is_no_journal_and_gets_replaced(void **state)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 5000, RING, 3 * RING};
	struct rig r;

	rig_init(&r);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		uint8_t *junk = malloc(sizes[i] + 1);
		struct journal *j;

		memset(junk, 'x', sizes[i]);
		rig_write(r.journal, junk, sizes[i]);
		free(junk);
		assert_int_equal(pending(&r), 0);
		assert_int_equal(journal_create(&j, RING, 1), 0);
		assert_int_equal(journal_attach(j, r.journal), 0);
		add(j, 10);
		assert_int_equal(pending(&r), 1);
		journal_destroy(j);
	}
	rig_done(&r);
}

static void a_directory_or_a_pipe_is_no_journal(void **state)
{
	struct rig r;

	rig_init(&r);
	mkdir(r.journal, 0700);
	assert_int_equal(pending(&r), 0);
	rmdir(r.journal);
	mkfifo(r.journal, 0600);
	assert_int_equal(pending(&r), 0);
	rig_done(&r);
}

static void a_shortened_file_gives_what_is_left(void **state)
{
	struct journal *j;
	struct rig r;

	start(&r, &j);
	for (int i = 0; i < 10; i++)
		add(j, 1000);
	journal_destroy(j);
	assert_int_equal(truncate(r.journal, 4096 + 5 * 1024 + 100), 0);
	assert_int_equal(pending(&r), 5);
	rig_done(&r);
}

/* The check value of CRC-32C, bit by bit, against the sum in the file head. */
static void the_checksum_is_crc32c(void **state)
{
	size_t len, at[RECORDS + 1];
	uint8_t *bytes = sample(&len, at);
	uint32_t crc = ~0u, stored;

	for (size_t i = 0; i < 24; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	memcpy(&stored, bytes + 24, sizeof(stored));
	assert_int_equal(stored, ~crc);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_comes_out_as_it_went_in),
		cmocka_unit_test(what_is_not_done_is_read_again),
		cmocka_unit_test(a_full_ring_refuses_until_something_is_done),
		cmocka_unit_test(a_body_longer_than_the_largest_is_refused),
		cmocka_unit_test(a_wrap_never_runs_over_unread_records),
		cmocka_unit_test(the_ring_wraps_without_losing_a_record),
		cmocka_unit_test(an_empty_ring_starts_at_the_front),
		cmocka_unit_test(two_threads_share_the_ring_without_locks),
		cmocka_unit_test(what_was_appended_is_in_the_file_at_once),
		cmocka_unit_test(what_is_done_is_no_longer_pending),
		cmocka_unit_test(pending_records_come_in_order_after_a_wrap),
		cmocka_unit_test(a_second_life_goes_on_in_the_same_file),
		cmocka_unit_test(a_file_of_another_size_is_replaced),
		cmocka_unit_test(the_file_is_allocated_and_not_sparse),
		cmocka_unit_test(without_a_file_the_ring_works_in_memory),
		cmocka_unit_test(
			a_file_that_comes_later_is_taken_when_the_ring_is_empty),
		cmocka_unit_test(cut_anywhere_all_whole_records_are_kept),
		cmocka_unit_test(torn_anywhere_all_whole_records_are_kept),
		cmocka_unit_test(one_bad_byte_costs_one_record),
		cmocka_unit_test(a_damaged_head_means_no_journal),
		cmocka_unit_test(a_damaged_mark_replays_everything),
		cmocka_unit_test(records_of_another_file_are_not_believed),
		cmocka_unit_test(
			a_foreign_file_is_no_journal_and_gets_replaced),
		cmocka_unit_test(a_directory_or_a_pipe_is_no_journal),
		cmocka_unit_test(a_shortened_file_gives_what_is_left),
		cmocka_unit_test(the_checksum_is_crc32c),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
