/*
 * rtpgen.c - make and meter the RTP of N calls through a relay
 *
 *   namespace a          namespace of the relay          namespace b
 *   [sockets a] --20 ms--> relay a-port ~ b-port --------> [sockets b]
 *   [sockets a] <--------- relay a-port ~ b-port <--20 ms-- [sockets b]
 *
 * Calls come on stdin, one line each: "a-host a-port b-host b-port", the
 * addresses to which side a and side b send.  Every stream sends 172 bytes
 * (12 + 160) each 20 ms at a random phase of its own; one thread sends what is
 * due and reads what has come, without sleeping, so that it adds no delay.
 * A packet must come from the port of its call on the other side, with its
 * payload unharmed and its sequence number.  Latency is from just before the
 * sendto() to just after the recvmmsg().  The CPU clocks of the processes in
 * --pids are read at both ends of the window.  One JSON line on stdout.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_NS   20000000LL
#define PACKET      172
#define BATCH       64
#define MAX_SOCKETS 64
#define MAX_PIDS    64
#define BUCKETS     200000 /* of 1 us */

enum side { SIDE_A, SIDE_B, SIDES };

/* What the 160 bytes of payload say; the rest is a pattern of the stream. */
struct mark {
	uint32_t magic;
	uint32_t stream; /* call * 2 + sending side */
	uint32_t number;
	uint32_t window; /* 1: counts, 0: warm-up or after the end */
	int64_t sent_ns;
};
#define MAGIC 0x52545047u

struct stream {
	struct sockaddr_in to;   /* relay port this side sends to */
	struct sockaddr_in from; /* relay port the other side must see */
	uint32_t sent;
	uint32_t seen; /* highest number received + 1 */
	int32_t phase_ns;
};

static struct conf {
	const char *ns[SIDES];
	const char *host[SIDES];
	int base_port;
	int sockets;
	int warm_ms, window_ms;
	int pids[MAX_PIDS], n_pids;
} conf = {.base_port = 10000, .sockets = 8, .warm_ms = 1000, .window_ms = 5000};

static struct stream *streams; /* [n_streams], by call and side */
static uint32_t *order;        /* the streams by phase */
static uint32_t n_streams;
static int fds[SIDES][MAX_SOCKETS];
static uint32_t histogram[BUCKETS + 1], late_histogram[BUCKETS + 1];
static struct {
	uint64_t sent, received, window_rx, other_source, payload, sequence;
	uint64_t send_errors;
} count;
static uint32_t window_now;

static void die(const char *what)
{
	fprintf(stderr, "rtpgen: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* CPU time of all threads of @pid, also those that have ended. */
static int64_t cpu_ns(int pid)
{
	struct timespec t;

	if (clock_gettime((clockid_t)((~(unsigned int)pid << 3) | 2), &t))
		return 0;
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t cpu_of_all_ns(void)
{
	int64_t sum = 0;

	for (int i = 0; i < conf.n_pids; i++)
		sum += cpu_ns(conf.pids[i]);
	return sum;
}

static void enter_namespace(const char *name)
{
	char path[128];
	int fd;

	if (!name)
		return;
	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

static void open_side(enum side side)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int bytes = 8 << 20;

	enter_namespace(conf.ns[side]);
	if (!inet_aton(conf.host[side], &at.sin_addr))
		die(conf.host[side]);
	for (int i = 0; i < conf.sockets; i++) {
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

		at.sin_port = htons(conf.base_port + 2 * i);
		if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)))
			die("bind");
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
			   sizeof(bytes));
		fds[side][i] = fd;
	}
}

static struct sockaddr_in address(const char *host, int port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons(port)};

	if (!inet_aton(host, &at.sin_addr))
		die(host);
	return at;
}

static void read_calls(void)
{
	char host[SIDES][64];
	int port[SIDES];

	while (scanf("%63s %d %63s %d", host[0], &port[0], host[1], &port[1]) ==
	       4) {
		struct stream *pair;

		streams = realloc(streams, (n_streams + 2) * sizeof(*streams));
		if (!streams)
			die("realloc");
		pair = streams + n_streams;
		memset(pair, 0, 2 * sizeof(*pair));
		pair[SIDE_A].to = pair[SIDE_B].from = address(host[0], port[0]);
		pair[SIDE_B].to = pair[SIDE_A].from = address(host[1], port[1]);
		n_streams += 2;
	}
	if (!n_streams) {
		fprintf(stderr, "rtpgen: no calls on stdin\n");
		exit(2);
	}
}

static int by_phase(const void *x, const void *y)
{
	return streams[*(const uint32_t *)x].phase_ns -
	       streams[*(const uint32_t *)y].phase_ns;
}

static void spread_phases(void)
{
	order = calloc(n_streams, sizeof(*order));
	if (!order)
		die("calloc");
	srandom(20);
	for (uint32_t i = 0; i < n_streams; i++) {
		streams[i].phase_ns = random() % PERIOD_NS;
		order[i] = i;
	}
	qsort(order, n_streams, sizeof(*order), by_phase);
}

static void fill(uint8_t *p, uint32_t index, const struct stream *s)
{
	struct mark mark = {.magic = MAGIC,
			    .stream = index,
			    .number = s->sent,
			    .window = window_now,
			    .sent_ns = now_ns()};
	uint16_t seq = htons((uint16_t)s->sent);
	uint32_t stamp = htonl(s->sent * 160), ssrc = htonl(0x10000 + index);

	p[0] = 0x80;
	p[1] = 0; /* PCMU */
	memcpy(p + 2, &seq, 2);
	memcpy(p + 4, &stamp, 4);
	memcpy(p + 8, &ssrc, 4);
	memcpy(p + 12, &mark, sizeof(mark));
	memset(p + 12 + sizeof(mark), (uint8_t)(index ^ s->sent),
	       PACKET - 12 - sizeof(mark));
}

static void send_one(uint32_t index, int64_t late_ns)
{
	struct stream *s = &streams[index];
	int fd = fds[index & 1][(index >> 1) % conf.sockets];
	int64_t late_us = late_ns / 1000;
	uint8_t p[PACKET];

	fill(p, index, s);
	if (sendto(fd, p, sizeof(p), 0, (struct sockaddr *)&s->to,
		   sizeof(s->to)) != sizeof(p))
		count.send_errors++;
	s->sent++;
	if (window_now) {
		count.sent++;
		late_histogram[late_us > BUCKETS ? BUCKETS : late_us]++;
	}
}

static bool is_payload_whole(const uint8_t *p, const struct mark *mark)
{
	uint8_t pattern = (uint8_t)(mark->stream ^ mark->number);

	for (size_t i = 12 + sizeof(*mark); i < PACKET; i++)
		if (p[i] != pattern)
			return false;
	return true;
}

static void check_one(enum side side, const uint8_t *p, size_t len,
		      const struct sockaddr_in *from, int64_t at_ns)
{
	struct mark mark;
	struct stream *s;
	int64_t us;

	if (len != PACKET)
		goto harmed;
	memcpy(&mark, p + 12, sizeof(mark));
	if (mark.magic != MAGIC || mark.stream >= n_streams ||
	    (mark.stream & 1) == side || !is_payload_whole(p, &mark))
		goto harmed;
	s = &streams[mark.stream];
	if (from->sin_port != s->from.sin_port ||
	    from->sin_addr.s_addr != s->from.sin_addr.s_addr)
		count.other_source++;
	if (((p[2] << 8) | p[3]) != (uint16_t)mark.number ||
	    mark.number < s->seen)
		count.sequence++;
	s->seen = mark.number + 1;
	if (window_now)
		count.window_rx++;
	if (!mark.window)
		return;
	count.received++;
	us = (at_ns - mark.sent_ns) / 1000;
	histogram[us > BUCKETS ? BUCKETS : us]++;
	return;
harmed:
	count.payload++;
}

static void receive_all(enum side side, int fd)
{
	static uint8_t buf[BATCH][256];
	static struct sockaddr_in from[BATCH];
	static struct iovec iov[BATCH];
	static struct mmsghdr msgs[BATCH];
	static bool ready;
	int64_t at_ns;
	int n;

	for (int i = 0; !ready && i < BATCH; i++) {
		iov[i] = (struct iovec){buf[i], sizeof(buf[i])};
		msgs[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
						  .msg_namelen = sizeof(*from),
						  .msg_iov = &iov[i],
						  .msg_iovlen = 1};
	}
	ready = true;
	n = recvmmsg(fd, msgs, BATCH, MSG_DONTWAIT, NULL);
	if (n <= 0)
		return;
	at_ns = now_ns();
	for (int i = 0; i < n; i++) {
		check_one(side, buf[i], msgs[i].msg_len, &from[i], at_ns);
		msgs[i].msg_hdr.msg_namelen = sizeof(*from);
	}
}

/* Send and receive until @end_ns; the place in the schedule is kept. */
static void pump(int64_t start_ns, int64_t end_ns, bool sending)
{
	static int64_t cycle;
	static uint32_t at;

	for (int64_t now = now_ns(); now < end_ns; now = now_ns()) {
		for (int burst = 0; sending && burst < 16; burst++) {
			int64_t due = start_ns + cycle * PERIOD_NS +
				      streams[order[at]].phase_ns;

			if (due > now)
				break;
			send_one(order[at], now - due);
			if (++at == n_streams) {
				at = 0;
				cycle++;
			}
		}
		for (int i = 0; i < conf.sockets; i++) {
			receive_all(SIDE_A, fds[SIDE_A][i]);
			receive_all(SIDE_B, fds[SIDE_B][i]);
		}
	}
}

static long percentile(const uint32_t *h, double part)
{
	uint64_t all = 0, sum = 0;

	for (int i = 0; i <= BUCKETS; i++)
		all += h[i];
	for (int i = 0; i <= BUCKETS; i++) {
		sum += h[i];
		if (sum && sum >= part * all)
			return i;
	}
	return -1;
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{"ns-a", 1, NULL, 'a'},    {"ns-b", 1, NULL, 'b'},
		{"host-a", 1, NULL, 'A'},  {"host-b", 1, NULL, 'B'},
		{"port", 1, NULL, 'p'},    {"sockets", 1, NULL, 's'},
		{"warm-ms", 1, NULL, 'w'}, {"window-ms", 1, NULL, 'W'},
		{"pids", 1, NULL, 'P'},    {0}};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'a':
		case 'b':
			conf.ns[c - 'a'] = optarg;
			break;
		case 'A':
		case 'B':
			conf.host[c - 'A'] = optarg;
			break;
		case 'p':
			conf.base_port = atoi(optarg);
			break;
		case 's':
			conf.sockets = atoi(optarg);
			break;
		case 'w':
			conf.warm_ms = atoi(optarg);
			break;
		case 'W':
			conf.window_ms = atoi(optarg);
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
	if (!conf.host[0] || !conf.host[1] || conf.sockets < 1 ||
	    conf.sockets > MAX_SOCKETS) {
		fprintf(stderr, "rtpgen: --host-a, --host-b, --sockets 1-%d\n",
			MAX_SOCKETS);
		exit(2);
	}
}

static void print_result(int64_t relay_ns, int64_t own_ns)
{
	printf("{\"calls\":%u,\"sent\":%lu,\"received\":%lu,"
	       "\"lost\":%ld,\"window_rx\":%lu,\"other_source\":%lu,"
	       "\"harmed\":%lu,\"out_of_sequence\":%lu,\"send_errors\":%lu,"
	       "\"p50_us\":%ld,\"p99_us\":%ld,\"late_p99_us\":%ld,"
	       "\"relay_cpu_ns\":%ld,\"generator_cpu_ns\":%ld,"
	       "\"window_ms\":%d}\n",
	       n_streams / 2, count.sent, count.received,
	       (long)(count.sent - count.received), count.window_rx,
	       count.other_source, count.payload, count.sequence,
	       count.send_errors, percentile(histogram, 0.5),
	       percentile(histogram, 0.99), percentile(late_histogram, 0.99),
	       (long)relay_ns, (long)own_ns, conf.window_ms);
}

int main(int argc, char **argv)
{
	int64_t start, begin, end, relay_ns, own_ns;

	parse(argc, argv);
	read_calls();
	spread_phases();
	open_side(SIDE_A);
	open_side(SIDE_B);

	start = now_ns() + 1000000;
	begin = start + conf.warm_ms * 1000000LL;
	end = begin + conf.window_ms * 1000000LL;
	pump(start, begin, true);
	window_now = 1;
	relay_ns = cpu_of_all_ns();
	own_ns = cpu_ns(getpid());
	pump(start, end, true);
	relay_ns = cpu_of_all_ns() - relay_ns;
	own_ns = cpu_ns(getpid()) - own_ns;
	window_now = 0;
	pump(start, end + 300000000LL, false);
	print_result(relay_ns, own_ns);
	return 0;
}
