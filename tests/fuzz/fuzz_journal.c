/*
 * fuzz_journal.c - any bytes as a journal file, and as a row in one
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte tells which: even for a file, odd for the body of a record,
 * which the checksums would keep a fuzzer away from.
 */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "store/history_codec.h"
#include "store/journal.h"
#include "store/row_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A row of the first version is written again with this much more. */
enum { NAT_BYTES = 4 + 4 + 23 + 4 + 8 };

static void must(bool claim)
{
	if (!claim)
		abort();
}

static size_t length(const char *text)
{
	return text ? strlen(text) : 0;
}

/* What was understood must say the same when it is written and read again. */
static void try_body(const uint8_t *body, size_t len)
{
	struct binding_row row, again;
	uint8_t *bytes;
	size_t n;

	if (row_decode(&row, body, len) != 0)
		return;
	n = row_size(&row);
	must(n <= len + NAT_BYTES);
	must(length(row.aor) + length(row.contact) + length(row.path) <= len);
	bytes = malloc(n);
	must(bytes != NULL);
	row_encode(bytes, &row);
	must(row_decode(&again, bytes, n) == 0);
	must(again.id == row.id && again.cseq == row.cseq);
	must(again.expires_at == row.expires_at);
	must(addr_equal(&again.source, &row.source));
	must(str_eq(str_of(again.contact), str_of(row.contact)));
	must(str_eq(str_of(again.user_agent), str_of(row.user_agent)));
	must(again.nat.evidence == row.nat.evidence);
	must(again.nat.phase_ms == row.nat.phase_ms);
	free(bytes);
}

static void try_history(const uint8_t *body, size_t len)
{
	uint8_t bytes[HISTORY_BYTES_MAX], third[HISTORY_BYTES_MAX];
	struct history_row row, again;
	size_t n;

	if (history_decode(&row, body, len) != 0)
		return;
	must(length(row.aor) + length(row.reason) <= len);
	n = history_size(&row);
	must(n <= sizeof(bytes) && n <= len);
	history_encode(bytes, &row);
	must(history_decode(&again, bytes, n) == 0);
	must(again.at == row.at && again.n_rtt == row.n_rtt);
	/* What is too long is cut once and for all. */
	must(history_size(&again) == n);
	history_encode(third, &again);
	must(memcmp(bytes, third, n) == 0);
}

struct span {
	const uint8_t *p;
	size_t n;
	size_t found;
};

static void try_record(void *arg, const struct journal_record *rec)
{
	struct span *file = arg;

	must(rec->body >= file->p && rec->len <= file->n);
	must((size_t)(rec->body - file->p) <= file->n - rec->len);
	file->found++;
	try_body(rec->body, rec->len);
	try_history(rec->body, rec->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span file = {data + 1, size - 1, 0};
	uint64_t committed = 0;

	if (size == 0)
		return 0;
	if (data[0] & 1) {
		try_body(file.p, file.n);
		try_history(file.p, file.n);
	} else if (journal_scan(file.p, file.n, &committed, try_record,
				&file) != 0) {
		must(file.found == 0);
	}
	return 0;
}
