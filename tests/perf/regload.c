/*
 * regload.c - phones that register with digest, as fast as a window allows
 *
 * Every phone has a socket, hence a source port, of its own and a private
 * Contact, as phones behind NAT have.  Commands come on stdin, one a line:
 *
 *   register FIRST COUNT WINDOW   forget nonces, then register: 401, 200
 *   refresh FIRST COUNT WINDOW    with the nonce at hand and the next nc
 *   probe FIRST COUNT WINDOW      REGISTER without Contact: a look-up
 *   listen FIRST COUNT SECONDS    answer OPTIONS, count what keeps NATs open
 *
 * At most WINDOW phones are under way at once; an unanswered request is sent
 * again after 0.5, 1, 2, 4 ... s and given up after 32 s.  Each command is
 * answered by one JSON line, with the CPU time of --pids over the command.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_PIDS   64
#define GIVE_UP_NS 32000000000LL
#define MAX_ERRORS 8

enum state { IDLE, ASKING, DONE, FAILED };

struct phone {
	int fd;
	enum state state;
	uint32_t cseq, nc;
	uint32_t tries;
	bool challenged; /* in this command */
	char nonce[128], realm[96];
	char ha1[33];
	int64_t begun_ns, due_ns; /* of this command; of the next repeat */
};

static struct conf {
	const char *ns, *host, *domain;
	struct sockaddr_in target;
	int phones, base_port, expires;
	int pids[MAX_PIDS], n_pids;
} conf = {.base_port = 10000, .expires = 3600};

static struct phone *phones;
static char ha2[33];
static EVP_MD_CTX *md;
static int epoll_fd;
static bool with_contact;
static struct {
	uint32_t done, failed, challenges, repeats, under_way;
	uint32_t class_5xx, other;
} count;
static uint32_t *times_us;

static void die(const char *what)
{
	fprintf(stderr, "regload: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t cpu_of_all_ns(void)
{
	int64_t sum = 0;

	for (int i = 0; i < conf.n_pids; i++) {
		unsigned int pid = conf.pids[i];
		struct timespec t;

		if (!clock_gettime((clockid_t)((~pid << 3) | 2), &t))
			sum += t.tv_sec * 1000000000LL + t.tv_nsec;
	}
	return sum;
}

static void md5_hex(char out[33], const char *text)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	EVP_DigestInit_ex(md, EVP_md5(), NULL);
	EVP_DigestUpdate(md, text, strlen(text));
	EVP_DigestFinal_ex(md, sum, &n);
	for (unsigned int i = 0; i < n; i++) {
		out[2 * i] = "0123456789abcdef"[sum[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[sum[i] & 15];
	}
	out[2 * n] = '\0';
}

static int authorization(char *out, size_t size, struct phone *p, int index)
{
	char text[512], response[33];

	if (!p->nonce[0]) {
		out[0] = '\0';
		return 0;
	}
	p->nc++;
	snprintf(text, sizeof(text), "%s:%s:%08x:%08x:auth:%s", p->ha1,
		 p->nonce, p->nc, index, ha2);
	md5_hex(response, text);
	return snprintf(out, size,
			"Authorization: Digest username=\"p%05d\", "
			"realm=\"%s\", nonce=\"%s\", uri=\"sip:%s\", "
			"response=\"%s\", algorithm=MD5, cnonce=\"%08x\", "
			"qop=auth, nc=%08x\r\n",
			index, p->realm, p->nonce, conf.domain, response, index,
			p->nc);
}

static void send_register(int index)
{
	struct phone *p = &phones[index];
	char msg[2048], auth[768], contact[160] = "";
	int n;

	authorization(auth, sizeof(auth), p, index);
	if (with_contact)
		snprintf(contact, sizeof(contact),
			 "Contact: <sip:p%05d@192.168.1.50:5060>\r\n"
			 "Expires: %d\r\n",
			 index, conf.expires);
	n = snprintf(msg, sizeof(msg),
		     "REGISTER sip:%s SIP/2.0\r\n"
		     "Via: SIP/2.0/UDP 192.168.1.50:5060"
		     ";branch=z9hG4bK%05x%08x;rport\r\n"
		     "Max-Forwards: 70\r\n"
		     "From: <sip:p%05d@%s>;tag=%05x\r\n"
		     "To: <sip:p%05d@%s>\r\n"
		     "Call-ID: reg-%05d@192.168.1.50\r\n"
		     "CSeq: %u REGISTER\r\n"
		     "%s"
		     "User-Agent: bench phone 1.0\r\n"
		     "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\n"
		     "%s"
		     "Content-Length: 0\r\n\r\n",
		     conf.domain, index, p->cseq, index, conf.domain, index,
		     index, conf.domain, index, p->cseq, contact, auth);
	if (sendto(p->fd, msg, n, 0, (struct sockaddr *)&conf.target,
		   sizeof(conf.target)) != n &&
	    errno != EAGAIN)
		die("sendto");
}

static void ask(int index, int64_t now)
{
	struct phone *p = &phones[index];

	p->cseq++;
	p->tries = 0;
	p->due_ns = now + 500000000LL;
	p->state = ASKING;
	send_register(index);
}

static void finish(struct phone *p, enum state state, int64_t now)
{
	p->state = state;
	count.under_way--;
	if (state == FAILED) {
		count.failed++;
		return;
	}
	times_us[count.done++] = (now - p->begun_ns) / 1000;
}

static bool take_word(char *out, size_t size, const char *text,
		      const char *name)
{
	const char *at = strstr(text, name);

	if (!at)
		return false;
	at += strlen(name);
	snprintf(out, size, "%.*s", (int)strcspn(at, "\""), at);
	return true;
}

/* The first nonce that goes with MD5: challenges may offer SHA-256 first. */
static bool take_challenge(int index, const char *msg)
{
	struct phone *p = &phones[index];
	const char *line = msg, *end;

	while ((line = strcasestr(line, "\nWWW-Authenticate:"))) {
		char text[512], secret[320];

		end = strchr(++line, '\n');
		snprintf(text, sizeof(text), "%.*s",
			 end ? (int)(end - line) : 500, line);
		if (strcasestr(text, "SHA-256") ||
		    !take_word(p->nonce, sizeof(p->nonce), text, "nonce=\"") ||
		    !take_word(p->realm, sizeof(p->realm), text, "realm=\""))
			continue;
		snprintf(secret, sizeof(secret), "p%05d:%s:pw%05d", index,
			 p->realm, index);
		md5_hex(p->ha1, secret);
		p->nc = 0;
		return true;
	}
	return false;
}

static void take_answer(int index, char *msg, int64_t now)
{
	struct phone *p = &phones[index];
	const char *cseq = strcasestr(msg, "\nCSeq:");
	int status = atoi(msg + 8);

	if (p->state != ASKING || status < 200 || !cseq ||
	    strtoul(cseq + 6, NULL, 10) != p->cseq)
		return;
	if (status == 200) {
		finish(p, DONE, now);
	} else if (status == 401 && !p->challenged &&
		   take_challenge(index, msg)) {
		p->challenged = true;
		count.challenges++;
		ask(index, now);
	} else {
		if (status >= 500 && status < 600)
			count.class_5xx++;
		else
			count.other++;
		if (count.class_5xx + count.other <= MAX_ERRORS)
			fprintf(stderr, "regload: phone %d: %.60s\n", index,
				msg);
		finish(p, FAILED, now);
	}
}

static void read_answers(int timeout_ms)
{
	struct epoll_event events[256];
	char msg[4096];
	int n = epoll_wait(epoll_fd, events, 256, timeout_ms);
	int64_t now = now_ns();

	for (int i = 0; i < n; i++) {
		int index = events[i].data.u32;
		ssize_t len = recv(phones[index].fd, msg, sizeof(msg) - 1,
				   MSG_DONTWAIT);

		if (len < 12 || memcmp(msg, "SIP/2.0 ", 8))
			continue; /* a keepalive, or OPTIONS */
		msg[len] = '\0';
		take_answer(index, msg, now);
	}
}

static void repeat_late(int first, int n, int64_t now)
{
	for (int i = first; i < first + n; i++) {
		struct phone *p = &phones[i];
		int64_t wait = 500000000LL << (p->tries < 3 ? p->tries + 1 : 3);

		if (p->state != ASKING || p->due_ns > now)
			continue;
		if (now - p->begun_ns > GIVE_UP_NS) {
			finish(p, FAILED, now);
			continue;
		}
		p->tries++;
		count.repeats++;
		p->due_ns = now + wait;
		if (p->nonce[0])
			p->nc--; /* the same bytes again */
		send_register(i);
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void run(bool fresh, int first, int n, uint32_t window)
{
	int64_t begin = now_ns(), cpu = cpu_of_all_ns(), swept = begin, now;
	uint32_t next = first, end = first + n;

	memset(&count, 0, sizeof(count));
	while (next < end || count.under_way) {
		now = now_ns();
		while (next < end && count.under_way < window) {
			struct phone *p = &phones[next];

			if (fresh)
				p->nonce[0] = '\0';
			p->challenged = false;
			p->begun_ns = now;
			count.under_way++;
			ask(next++, now);
			/* A burst must not overrun our own sockets. */
			if (!(next & 63))
				read_answers(0);
		}
		read_answers(20);
		now = now_ns();
		if (now - swept > 50000000LL) {
			repeat_late(first, n, now);
			swept = now;
		}
	}
	now = now_ns();
	cpu = cpu_of_all_ns() - cpu;
	qsort(times_us, count.done, sizeof(*times_us), by_value);
	printf("{\"done\":%u,\"failed\":%u,\"status_5xx\":%u,\"refused\":%u,"
	       "\"challenges\":%u,\"repeats\":%u,\"seconds\":%.6f,"
	       "\"cpu_us\":%.1f,\"p50_us\":%u,\"p99_us\":%u}\n",
	       count.done, count.failed, count.class_5xx, count.other,
	       count.challenges, count.repeats, (now - begin) / 1e9, cpu / 1e3,
	       count.done ? times_us[count.done / 2] : 0,
	       count.done ? times_us[count.done * 99 / 100] : 0);
	fflush(stdout);
}

/* ---- listening to keepalives ------------------------------------------------ */

enum { BUCKET_MS = 100, BUCKETS = 6000 };

static struct {
	uint32_t crlf, options;
	uint32_t per_bucket[BUCKETS];
	uint32_t *per_phone;
} pings;

/* Copy what RFC 3261 8.2.6.2 wants copied; good enough for our own OPTIONS. */
static void answer_options(const struct phone *p, const char *msg,
			   const struct sockaddr_in *to)
{
	static const char *const copied[] = {
		"Via:", "From:", "To:", "Call-ID:", "CSeq:"};
	char out[4096] = "SIP/2.0 200 OK\r\n";
	size_t n = strlen(out);

	for (const char *line = msg; (line = strstr(line, "\r\n"));) {
		const char *end;

		line += 2;
		end = strstr(line, "\r\n");
		if (!end || end == line)
			break;
		for (unsigned int i = 0; i < 5; i++)
			if (!strncasecmp(line, copied[i], strlen(copied[i])) &&
			    n + (end - line) + 40 < sizeof(out))
				n += sprintf(out + n, "%.*s%s\r\n",
					     (int)(end - line), line,
					     i == 2 ? ";tag=bench" : "");
	}
	n += sprintf(out + n, "Content-Length: 0\r\n\r\n");
	sendto(p->fd, out, n, 0, (const struct sockaddr *)to, sizeof(*to));
}

static void take_ping(int index, char *msg, ssize_t len, int64_t since,
		      const struct sockaddr_in *from)
{
	uint32_t bucket = since / (BUCKET_MS * 1000000LL);

	if (len >= 8 && !memcmp(msg, "OPTIONS ", 8)) {
		msg[len] = '\0';
		pings.options++;
		answer_options(&phones[index], msg, from);
	} else if (len <= 4) {
		pings.crlf++;
	} else {
		return;
	}
	pings.per_phone[index]++;
	if (bucket < BUCKETS)
		pings.per_bucket[bucket]++;
}

static void listen_to_pings(int first, int n, int seconds)
{
	int64_t begin = now_ns(), cpu = cpu_of_all_ns(), now;
	int64_t length = seconds * 1000000000LL;
	uint32_t most = 0, silent = 0;
	struct epoll_event events[256];
	char msg[4096];

	memset(&pings, 0, sizeof(pings));
	pings.per_phone = calloc(conf.phones, sizeof(uint32_t));
	if (!pings.per_phone)
		die("calloc");
	while ((now = now_ns()) - begin < length) {
		int got = epoll_wait(epoll_fd, events, 256, 10);

		for (int i = 0; i < got; i++) {
			int index = events[i].data.u32;
			struct sockaddr_in from;
			socklen_t size = sizeof(from);
			ssize_t len = recvfrom(phones[index].fd, msg,
					       sizeof(msg) - 1, MSG_DONTWAIT,
					       (struct sockaddr *)&from, &size);

			if (len >= 0)
				take_ping(index, msg, len, now_ns() - begin,
					  &from);
		}
	}
	cpu = cpu_of_all_ns() - cpu;
	for (int i = 0; i < seconds * 1000 / BUCKET_MS && i < BUCKETS; i++)
		if (pings.per_bucket[i] > most)
			most = pings.per_bucket[i];
	for (int i = first; i < first + n; i++)
		silent += !pings.per_phone[i];
	printf("{\"crlf\":%u,\"options\":%u,\"seconds\":%d,\"cpu_us\":%.1f,"
	       "\"busiest\":%u,\"silent\":%u}\n",
	       pings.crlf, pings.options, seconds, cpu / 1e3, most, silent);
	fflush(stdout);
	free(pings.per_phone);
}

static void enter_namespace(void)
{
	char path[128];
	int fd;

	if (!conf.ns)
		return;
	snprintf(path, sizeof(path), "/run/netns/%s", conf.ns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

static void open_phones(void)
{
	struct rlimit files;
	struct sockaddr_in at = {.sin_family = AF_INET};

	if (getrlimit(RLIMIT_NOFILE, &files))
		die("getrlimit");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files))
		die("setrlimit");
	enter_namespace();
	if (!inet_aton(conf.host, &at.sin_addr))
		die(conf.host);
	phones = calloc(conf.phones, sizeof(*phones));
	times_us = calloc(conf.phones, sizeof(*times_us));
	epoll_fd = epoll_create1(0);
	if (!phones || !times_us || epoll_fd < 0)
		die("set-up");
	for (int i = 0; i < conf.phones; i++) {
		struct epoll_event want = {.events = EPOLLIN, .data.u32 = i};
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

		at.sin_port = htons(conf.base_port + i);
		if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
		    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &want))
			die("socket");
		phones[i].fd = fd;
	}
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{"ns", 1, NULL, 'n'},      {"host", 1, NULL, 'h'},
		{"target", 1, NULL, 't'},  {"target-port", 1, NULL, 'T'},
		{"domain", 1, NULL, 'd'},  {"phones", 1, NULL, 'c'},
		{"port", 1, NULL, 'p'},    {"pids", 1, NULL, 'P'},
		{"expires", 1, NULL, 'e'}, {0}};
	int c;

	conf.target.sin_family = AF_INET;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			conf.ns = optarg;
			break;
		case 'h':
			conf.host = optarg;
			break;
		case 't':
			if (!inet_aton(optarg, &conf.target.sin_addr))
				die(optarg);
			break;
		case 'T':
			conf.target.sin_port = htons(atoi(optarg));
			break;
		case 'd':
			conf.domain = optarg;
			break;
		case 'c':
			conf.phones = atoi(optarg);
			break;
		case 'p':
			conf.base_port = atoi(optarg);
			break;
		case 'e':
			conf.expires = atoi(optarg);
			break;
		case 'P':
			for (char *s = strtok(optarg, ",");
			     s && conf.n_pids < MAX_PIDS; s = strtok(NULL, ","))
				conf.pids[conf.n_pids++] = atoi(s);
			break;
		default:
			exit(2);
		}
	}
	if (!conf.host || !conf.domain || conf.phones < 1)
		exit(2);
}

int main(int argc, char **argv)
{
	char line[128], uri[300], word[16];
	int first, n, window;

	parse(argc, argv);
	md = EVP_MD_CTX_new();
	if (!md)
		die("EVP_MD_CTX_new");
	snprintf(uri, sizeof(uri), "REGISTER:sip:%s", conf.domain);
	md5_hex(ha2, uri);
	open_phones();
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%15s %d %d %d", word, &first, &n, &window) !=
			    4 ||
		    first < 0 || n < 1 || first + n > conf.phones ||
		    window < 1) {
			fprintf(stderr, "regload: bad command %s", line);
			return 2;
		}
		if (!strcmp(word, "listen")) {
			listen_to_pings(first, n, window);
			continue;
		}
		with_contact = strcmp(word, "probe") != 0;
		run(!strcmp(word, "register"), first, n, window);
	}
	return 0;
}
