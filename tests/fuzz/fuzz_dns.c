/*
 * fuzz_dns.c - any bytes as a name server's answer, and the ways found in it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte chooses the question; every question of the look-up gets the
 * same answer with what was asked written into its head, as far as it is long
 * enough.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dns/dns_lookup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ID = 0x1234, HEAD = 12 };

struct input {
	const uint8_t *bytes;
	size_t n;
	unsigned asked;
};

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void is_name(const char *name)
{
	must(memchr(name, '\0', DNS_NAME_BYTES) != NULL);
	must(!strcmp(name, ".") || dns_name_is_valid(name));
}

static void check(const struct dns_records *r, enum dns_type type)
{
	must(r->n <= DNS_RECORDS);
	must((r->result == DNS_OK) == (r->n > 0));
	must(!r->alias[0] || dns_name_is_valid(r->alias));
	for (unsigned i = 0; i < r->n; i++) {
		if (type == DNS_SRV || type == DNS_NAPTR)
			is_name(r->list[i].name);
		else
			must(addr_family(&r->list[i].addr) == AF_INET ||
			     addr_family(&r->list[i].addr) == AF_INET6);
	}
}

/* The question as it was asked, and the input behind it. */
static int answer(void *arg, struct dns_records *out, const char *name,
		  enum dns_type type)
{
	struct input *in = arg;
	uint8_t query[DNS_QUERY_BYTES], *whole;
	int n = dns_wire_ask(query, ID, name, type), err;

	in->asked++;
	must(n > HEAD);
	if (in->n < HEAD)
		return -EIO;
	whole = malloc((size_t)n + in->n - HEAD);
	if (!whole)
		return -EIO;
	memcpy(whole, query, (size_t)n);
	/* Flags and counts are the input's, but for the one question. */
	memcpy(whole + 2, in->bytes + 2, 2);
	memcpy(whole + 6, in->bytes + 6, HEAD - 6);
	memcpy(whole + n, in->bytes + HEAD, in->n - HEAD);
	err = dns_wire_read(out, whole, (size_t)n + in->n - HEAD, ID, name,
			    type);
	free(whole);
	if (!err)
		check(out, type);
	return err;
}

static void raw(const uint8_t *data, size_t size)
{
	struct dns_records r;
	uint8_t *exact = malloc(size ? size : 1);

	if (!exact)
		return;
	if (size)
		memcpy(exact, data, size);
	if (!dns_wire_read(&r, exact, size, ID, "sip.example.com", DNS_A))
		check(&r, DNS_A);
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data + 1, size ? size - 1 : 0, 0};
	const struct dns_asker asker = {answer, &in};
	struct dns_question q = {.host = "sip.example.com"};
	struct dns_way ways[DNS_WAYS];
	struct dns_answer a;

	if (!size)
		return 0;
	raw(data + 1, size - 1);
	q.port = data[0] & 1 ? 5060 : 0;
	q.transport = (enum dns_transport)((data[0] >> 1) % 3);
	q.family = (enum dns_family)((data[0] >> 3) % 4);
	must(dns_lookup(&a, &q, &asker) == 0);
	must(in.asked <= 64);
	must(a.n <= DNS_WAYS && (a.result == DNS_OK) == (a.n > 0));
	for (unsigned i = 0; i < a.n; i++)
		must(a.ways[i].transport != DNS_ANY &&
		     addr_port(&a.ways[i].addr));
	must(dns_order(&a, ways, DNS_WAYS) == a.n);
	return 0;
}
