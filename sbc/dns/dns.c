/*
 * dns.c - names of SIP servers to addresses: what is known, who waits, and the
 * thread that asks
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   SIP thread                                   resolver thread
 *   dns_resolve ─▶ entry ─ known ─▶ ready
 *                    │ not known
 *                    └─ job ─▶ todo ───────────▶ dns_lookup() ─▶ dns_ask()
 *   call back ◀─ ready ◀─ entry ◀─ done, eventfd ◀──┘
 *
 * There is one entry for each question, however many wait for it.  The thread
 * touches jobs only, never an entry; it is made for the first question that
 * needs it.  One slow zone makes the others wait, for no longer than LOOKUP_MS.
 */
#include "dns/dns.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/list.h"
#include "core/log.h"
#include "core/queue.h"
#include "dns/dns_ask.h"
#include "dns/dns_lookup.h"

enum {
	ENTRIES = 256,
	JOBS = 32,
	WAITS = 1024,
	TIMEOUT_MS = 2000,
	LOOKUP_MS = 10000, /* all the questions for one name */
	TTL_MIN_S = 5,
	TTL_MAX_S = 86400,
	REFUSAL_MAX_S = 300,
	RETRY_S = 10, /* after a failure */
	STALE_S = 6 * 3600,
	DNS_PORT = 53,
};

#define RESOLV_CONF "/etc/resolv.conf"

struct key {
	char host[DNS_NAME_BYTES];
	uint16_t port;
	enum dns_transport transport;
	enum dns_family family;
};

struct entry {
	struct hash_node node;
	struct list in_age; /* used last at the end */
	struct key key;
	bool is_asked;
	unsigned n_waits;
	struct dns_answer last; /* what everybody is told ... */
	mono_ms until;          /* ... until then */
	mono_ms good_until; /* its ways serve until then if nothing better comes
			     */
};

struct job {
	struct entry *entry; /* for the SIP thread only */
	struct key key;
	struct dns_servers servers; /* n 0 = resolv.conf */
	struct dns_answer answer;
};

struct wait {
	struct list in_waits, in_ready;
	uint64_t id;
	struct entry *entry; /* NULL: a literal */
	struct dns_way literal;
	dns_fn fn;
	void *arg;
};

struct dns {
	struct loop *loop;
	struct dns_servers servers;
	unsigned timeout_ms;
	struct hash entries;
	struct list ages;
	struct list waits, ready;
	unsigned n_waits, n_jobs;
	uint64_t last_id;
	bool is_deferred;

	/* Between the threads. */
	struct queue *todo, *done;
	int todo_fd, done_fd, stop_fd;
	struct loop_fd *done_handle;
	pthread_t thread;
	bool has_thread;
};

/* ---- the resolver thread ------------------------------------------------------------ */

static void look_up(struct dns_ask *ask, struct job *job)
{
	const struct dns_question q = {job->key.host, job->key.port,
				       job->key.transport, job->key.family};
	const struct dns_asker asker = {dns_ask, ask};
	struct dns_servers servers = job->servers;

	if (!servers.n)
		dns_servers_load(&servers, RESOLV_CONF);
	if (memcmp(&servers, &ask->servers, sizeof(servers)) != 0)
		ask->first = 0;
	ask->servers = servers;
	ask->deadline = clock_mono() + LOOKUP_MS;
	if (dns_lookup(&job->answer, &q, &asker))
		job->answer = (struct dns_answer){.result = DNS_FAILED};
}

/* False: it is to end. */
static bool await_job(const struct dns *dns)
{
	struct pollfd fds[2] = {{dns->todo_fd, POLLIN, 0},
				{dns->stop_fd, POLLIN, 0}};
	eventfd_t count;

	poll(fds, 2, -1);
	if (fds[0].revents)
		(void)eventfd_read(dns->todo_fd, &count);
	return !fds[1].revents;
}

static void *resolver_main(void *arg)
{
	struct dns *dns = arg;
	struct dns_ask *ask = calloc(1, sizeof(*ask));
	struct job *job;

	if (ask) {
		ask->timeout_ms = dns->timeout_ms;
		ask->stop_fd = dns->stop_fd;
	}
	do {
		while ((job = queue_pop(dns->todo))) {
			if (ask)
				look_up(ask, job);
			else
				job->answer.result = DNS_FAILED;
			/* No more than JOBS are under way: there is room. */
			queue_push(dns->done, job);
			(void)eventfd_write(dns->done_fd, 1);
		}
	} while (await_job(dns));
	free(ask);
	return NULL;
}

static int start_thread(struct dns *dns)
{
	sigset_t all, old;
	int err;

	if (dns->has_thread)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&dns->thread, NULL, resolver_main, dns);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return -err;
	pthread_setname_np(dns->thread, "sbc-dns");
	dns->has_thread = true;
	return 0;
}

/* ---- what is known -------------------------------------------------------------------- */

static bool is_key(const struct hash_node *node, const void *key)
{
	const struct entry *e = container_of(node, struct entry, node);

	return memcmp(&e->key, key, sizeof(e->key)) == 0;
}

static void entry_free(struct dns *dns, struct entry *e)
{
	hash_remove(&dns->entries, &e->node);
	list_remove(&e->in_age);
	free(e);
}

/* The one that nobody asked for for the longest time makes room. */
static bool make_room(struct dns *dns)
{
	if (dns->entries.n < ENTRIES)
		return true;
	list_for_each (pos, &dns->ages) {
		struct entry *e = list_entry(pos, struct entry, in_age);

		if (e->is_asked || e->n_waits)
			continue;
		entry_free(dns, e);
		return true;
	}
	return false;
}

static int entry_get(struct entry **out, struct dns *dns, const struct key *key)
{
	uint32_t hash = hash_bytes(key, sizeof(*key));
	struct hash_node *node = hash_find(&dns->entries, hash, is_key, key);
	struct entry *e;

	if (node) {
		e = container_of(node, struct entry, node);
		list_remove(&e->in_age);
		list_append(&dns->ages, &e->in_age);
		*out = e;
		return 0;
	}
	if (!make_room(dns))
		return -EAGAIN;
	e = calloc(1, sizeof(*e));
	if (!e || hash_insert(&dns->entries, &e->node, hash)) {
		free(e);
		return -ENOMEM;
	}
	e->key = *key;
	list_append(&dns->ages, &e->in_age);
	*out = e;
	return 0;
}

static unsigned clamp(unsigned v, unsigned min, unsigned max)
{
	return v < min ? min : v > max ? max : v;
}

/* A look-up failed, which says nothing of the name. */
static void keep_on(struct entry *e, enum dns_result result, mono_ms now)
{
	if (e->last.n && !e->last.is_stale && now < e->good_until)
		log_warn("dns.stale", kv_s("host", e->key.host),
			 kv_s("reason", dns_result_name(result)),
			 kv_i("serves_s", (e->good_until - now) / 1000));
	if (e->last.n && now < e->good_until)
		e->last.is_stale = true;
	else
		e->last = (struct dns_answer){.result = result};
	e->last.ttl_s = RETRY_S;
	e->until = now + RETRY_S * 1000;
}

static void learn(struct entry *e, const struct dns_answer *a)
{
	mono_ms now = clock_mono();

	if (a->result == DNS_FAILED || a->result == DNS_TIMED_OUT) {
		keep_on(e, a->result, now);
		return;
	}
	e->last = *a;
	e->last.ttl_s = clamp(a->ttl_s, TTL_MIN_S,
			      a->result == DNS_OK ? TTL_MAX_S : REFUSAL_MAX_S);
	e->until = now + e->last.ttl_s * 1000LL;
	e->good_until = e->until + STALE_S * 1000LL;
}

/* ---- telling --------------------------------------------------------------------------- */

static void wait_free(struct dns *dns, struct wait *w)
{
	list_remove(&w->in_waits);
	list_remove(&w->in_ready);
	if (w->entry)
		w->entry->n_waits--;
	dns->n_waits--;
	free(w);
}

static void fill_answer(const struct wait *w, struct dns_answer *a)
{
	int64_t left_ms;

	if (!w->entry) {
		*a = (struct dns_answer){
			.result = DNS_OK,
			.ttl_s = TTL_MAX_S,
			.n = 1,
			.ways = {w->literal},
		};
		return;
	}
	*a = w->entry->last;
	left_ms = w->entry->until - clock_mono();
	a->ttl_s = left_ms > 1000 ? (unsigned)((left_ms + 999) / 1000) : 1;
}

/* Whoever becomes ready meanwhile has his turn later. */
static void tell_ready(struct dns *dns)
{
	struct list now = LIST_INIT(now);
	struct dns_answer answer;

	list_for_each_safe (pos, &dns->ready) {
		list_remove(pos);
		list_append(&now, pos);
	}
	while (!list_empty(&now)) {
		struct wait *w = list_entry(now.next, struct wait, in_ready);
		dns_fn fn = w->fn;
		void *arg = w->arg;

		fill_answer(w, &answer);
		wait_free(dns, w);
		fn(arg, &answer);
	}
}

static void deferred(void *arg)
{
	struct dns *dns = arg;

	dns->is_deferred = false;
	tell_ready(dns);
}

static void finish(struct dns *dns, struct job *job)
{
	struct entry *e = job->entry;

	e->is_asked = false;
	learn(e, &job->answer);
	free(job);
	dns->n_jobs--;
	list_for_each (pos, &dns->waits) {
		struct wait *w = list_entry(pos, struct wait, in_waits);

		if (w->entry == e && list_empty(&w->in_ready))
			list_append(&dns->ready, &w->in_ready);
	}
}

static void done_ready(void *arg, int fd, unsigned events)
{
	struct dns *dns = arg;
	eventfd_t count;
	struct job *job;

	(void)eventfd_read(fd, &count);
	while ((job = queue_pop(dns->done)))
		finish(dns, job);
	tell_ready(dns);
}

/* ---- asking ----------------------------------------------------------------------------- */

static int ask(struct dns *dns, struct entry *e)
{
	struct job *job;
	int err;

	if (e->is_asked)
		return 0;
	if (dns->n_jobs == JOBS)
		return -EAGAIN;
	err = start_thread(dns);
	if (err)
		return err;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	job->entry = e;
	job->key = e->key;
	job->servers = dns->servers;
	e->is_asked = true;
	dns->n_jobs++;
	queue_push(dns->todo, job);
	(void)eventfd_write(dns->todo_fd, 1);
	return 0;
}

/* It knows already. */
static int make_ready(struct dns *dns, struct wait *w)
{
	int err = dns->is_deferred ? 0 : loop_defer(dns->loop, deferred, dns);

	if (err)
		return err;
	dns->is_deferred = true;
	list_append(&dns->ready, &w->in_ready);
	return 0;
}

static int wait_new(struct wait **out, struct dns *dns, dns_fn fn, void *arg)
{
	struct wait *w;

	if (dns->n_waits == WAITS)
		return -EAGAIN;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->fn = fn;
	w->arg = arg;
	w->id = ++dns->last_id;
	list_init(&w->in_ready);
	list_append(&dns->waits, &w->in_waits);
	dns->n_waits++;
	*out = w;
	return 0;
}

static int read_literal(struct dns_way *way, const struct dns_question *q)
{
	*way = (struct dns_way){.transport = q->transport == DNS_TCP ? DNS_TCP
								     : DNS_UDP};
	return addr_parse(&way->addr, q->host, strlen(q->host),
			  q->port ? q->port : 5060);
}

/* Unused bytes are 0: keys are compared as bytes. */
static int read_key(struct key *key, const struct dns_question *q)
{
	struct str host = str_of(q->host);

	memset(key, 0, sizeof(*key));
	if (host.n && host.p[host.n - 1] == '.')
		host.n--;
	if (str_copy(key->host, sizeof(key->host), host) ||
	    !dns_name_is_valid(key->host))
		return -EINVAL;
	for (char *p = key->host; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	key->port = q->port;
	key->transport = q->transport;
	key->family = q->family;
	return 0;
}

static int wait_for_name(struct dns *dns, struct wait *w, const struct key *key)
{
	struct entry *e;
	int err = entry_get(&e, dns, key);

	if (err)
		return err;
	w->entry = e;
	e->n_waits++;
	return clock_mono() < e->until ? make_ready(dns, w) : ask(dns, e);
}

int dns_resolve(uint64_t *id, struct dns *dns, const struct dns_question *q,
		dns_fn fn, void *arg)
{
	struct dns_way literal;
	struct wait *w;
	struct key key;
	bool is_literal = !read_literal(&literal, q);
	int err;

	if (!is_literal && read_key(&key, q))
		return -EINVAL;
	err = wait_new(&w, dns, fn, arg);
	if (err)
		return err;
	w->literal = literal;
	err = is_literal ? make_ready(dns, w) : wait_for_name(dns, w, &key);
	if (err) {
		wait_free(dns, w);
		return err;
	}
	*id = w->id;
	return 0;
}

void dns_cancel(struct dns *dns, uint64_t id)
{
	list_for_each_safe (pos, &dns->waits) {
		struct wait *w = list_entry(pos, struct wait, in_waits);

		if (w->id == id)
			wait_free(dns, w);
	}
}

const char *dns_result_name(enum dns_result result)
{
	static const char *const names[] = {
		[DNS_OK] = "ok",
		[DNS_NO_NAME] = "no name",
		[DNS_NO_DATA] = "no data",
		[DNS_FAILED] = "failed",
		[DNS_TIMED_OUT] = "timed out",
	};

	return names[result];
}

/* ---- begin and end ---------------------------------------------------------------------- */

void dns_set_servers(struct dns *dns, const struct addr *servers, unsigned n)
{
	struct dns_servers to = {0};

	for (; to.n < n && to.n < DNS_SERVERS; to.n++) {
		to.list[to.n] = servers[to.n];
		if (!addr_port(&to.list[to.n]))
			addr_set_port(&to.list[to.n], DNS_PORT);
	}
	if (!memcmp(&to, &dns->servers, sizeof(to)))
		return;
	dns->servers = to;
	list_for_each (pos, &dns->ages)
		list_entry(pos, struct entry, in_age)->until = 0;
}

static int open_fds(struct dns *dns)
{
	dns->todo_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	dns->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	dns->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (dns->todo_fd < 0 || dns->done_fd < 0 || dns->stop_fd < 0)
		return -errno;
	return loop_fd_add(dns->loop, &dns->done_handle, dns->done_fd, LOOP_IN,
			   done_ready, dns);
}

int dns_create(struct dns **out, const struct dns_conf *conf)
{
	struct dns *dns = calloc(1, sizeof(*dns));
	int err;

	if (!dns)
		return -ENOMEM;
	dns->loop = conf->loop;
	dns->timeout_ms = conf->timeout_ms ? conf->timeout_ms : TIMEOUT_MS;
	dns->todo_fd = dns->done_fd = dns->stop_fd = -1;
	hash_init(&dns->entries);
	list_init(&dns->ages);
	list_init(&dns->waits);
	list_init(&dns->ready);
	dns_set_servers(dns, conf->servers, conf->n_servers);
	err = queue_create(&dns->todo, JOBS);
	if (!err)
		err = queue_create(&dns->done, JOBS);
	if (!err)
		err = open_fds(dns);
	if (err)
		goto fail;
	*out = dns;
	return 0;
fail:
	dns_destroy(dns);
	return err;
}

static void free_jobs(struct queue *q)
{
	struct job *job;

	while (q && (job = queue_pop(q)))
		free(job);
	queue_destroy(q);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void dns_destroy(struct dns *dns)
{
	if (!dns)
		return;
	if (dns->has_thread) {
		(void)eventfd_write(dns->stop_fd, 1);
		pthread_join(dns->thread, NULL); /* waits for no server */
	}
	loop_fd_remove(dns->done_handle);
	loop_forget(dns->loop, deferred, dns);
	list_for_each_safe (pos, &dns->waits)
		wait_free(dns, list_entry(pos, struct wait, in_waits));
	list_for_each_safe (pos, &dns->ages)
		entry_free(dns, list_entry(pos, struct entry, in_age));
	hash_clear(&dns->entries);
	free_jobs(dns->todo);
	free_jobs(dns->done);
	close_fd(dns->todo_fd);
	close_fd(dns->done_fd);
	close_fd(dns->stop_fd);
	free(dns);
}
