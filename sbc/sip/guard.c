/*
 * guard.c - our shield around the SIP library
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   kernel --> su_getmsgsize() --> screen --> su_vrecv() --> library's parser
 *                    |                |                           |
 *              keeps the datagram   drops it,              tport_tcreate():
 *              in a fixed buffer    answers it raw         our enter() comes
 *                                                          before its agent
 *
 * The library asks for the size of a datagram, allocates a message for it,
 * and then reads it.  We read at the first question: what the screen refuses
 * costs no allocation and no second system call.  The other definitions below
 * say each what they repair.
 */
#include "sip/guard.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <sofia-sip/su.h>
#include <sofia-sip/su_tagarg.h>
#include <sofia-sip/su_time.h>

#include "core/buf.h"
#include "core/limits.h"
#include "core/log.h"
#include "sip/sip.h"
#include "sip/streams.h"

enum {
	DATAGRAM_BYTES = 65536,
	DATAGRAMS_AT_ONCE = 64,     /* refused ones per wake-up, then others */
	SAMPLE = 16,                /* datagrams per look at the backlog */
	BEHIND_BYTES = 2048 * 1024, /* about 1 000 messages, 40 ms of work */
	BEHIND_LOOKS = 4,
	ANSWER_BYTES = 4096,
	SPIN_TURN_US = 300,
	SPIN_SLEEP_US = 700,
};

/* A socket that the library bound for a listener of ours. */
struct bound {
	int fd;
	bool datagrams;
	struct addr local;
};

typedef int (*bind_fn)(int, const struct sockaddr *, socklen_t);
typedef int (*accept_fn)(int, struct sockaddr *, socklen_t *);
typedef int (*getaddrinfo_fn)(const char *, const char *,
			      const struct addrinfo *, struct addrinfo **);
typedef issize_t (*vrecv_fn)(su_socket_t, su_iovec_t[], isize_t, int,
			     su_sockaddr_t *, socklen_t *);
typedef tport_t *(*tcreate_fn)(tp_stack_t *, const tport_stack_class_t *,
			       su_root_t *, tag_type_t, tag_value_t, ...);

static struct {
	bool installed, is_binding;
	struct guard_conf conf;
	struct bound bound[LIMIT_LISTENERS];
	unsigned n_bound;
	tport_stack_class_t agent; /* the library's, with our receiver */
	void (*deliver)(tp_stack_t *, tport_t *, msg_t *, tp_magic_t *,
			su_time_t);
	/* The datagram read ahead. */
	int waiting_fd; /* -1 = none waits */
	size_t waiting_bytes;
	size_t last_bytes; /* of @datagram, for whoever asks after a crash */
	struct sockaddr_storage waiting_from;
	socklen_t waiting_from_len;
	uint8_t datagram[DATAGRAM_BYTES];
	int spare_fd;
	/* Spin. */
	uint64_t turn_us;
	bool busy;
	/* How far behind we are. */
	unsigned datagrams, behind;
} guard = {.waiting_fd = -1, .spare_fd = -1};

/* True on the one thread that the overrides serve. */
static _Thread_local bool on_sip_thread;

/* The originals.  Looked up when first needed: the dynamic linker and the
 * sanitizers call some of these before main(). */
#define ORIGINAL(type, name)                                                   \
	({                                                                     \
		static void *found;                                            \
		if (!found)                                                    \
			found = original(name);                                \
		(type) found;                                                  \
	})
static void *original(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* ---- clock ---------------------------------------------------------------- */

/* The library's clock is the wall clock, and a jump of it by days is fatal
 * (an assertion).  Ours starts at the wall time and only runs. */
static uint64_t epoch_ns;

static uint64_t steady_ns(void)
{
	return epoch_ns + clock_mono_us() * 1000u;
}

static void steady_time(su_time_t *tv)
{
	uint64_t ns;

	if (!tv)
		return;
	ns = steady_ns();
	tv->tv_sec = (unsigned long)(ns / 1000000000u);
	tv->tv_usec = (unsigned long)(ns % 1000000000u / 1000u);
}

static su_time64_t steady_nanotime(su_time64_t *out)
{
	*out = steady_ns();
	return *out;
}

extern void (*_su_time)(su_time_t *tv);
extern su_time64_t (*_su_nanotime)(su_time64_t *);

static void clock_install(void)
{
	const uint64_t ntp_epoch_ms = 2208988800000u;

	if (epoch_ns)
		return; /* never moves again, not even for a second stack */
	epoch_ns = (ntp_epoch_ms + (uint64_t)clock_wall() -
		    (uint64_t)clock_mono()) *
		   1000000u;
	_su_time = steady_time;
	_su_nanotime = steady_nanotime;
}

/* ---- names ----------------------------------------------------------------- */

/* A host name in a Via made the library wait for a DNS server, with all calls
 * standing still.  On the SIP thread only literals are addresses. */
int getaddrinfo(const char *node, const char *service,
		const struct addrinfo *hints, struct addrinfo **res)
{
	struct addrinfo numeric = {0};

	if (on_sip_thread) {
		if (hints)
			numeric = *hints;
		numeric.ai_flags |= AI_NUMERICHOST;
		numeric.ai_flags &= ~AI_ADDRCONFIG;
		hints = &numeric;
	}
	return ORIGINAL(getaddrinfo_fn, "getaddrinfo")(node, service, hints,
						       res);
}

/* ---- bind: which descriptor listens where ---------------------------------- */

static struct bound *bound_by_fd(int fd)
{
	for (unsigned i = 0; i < guard.n_bound; i++)
		if (guard.bound[i].fd == fd)
			return &guard.bound[i];
	return NULL;
}

static int socket_type(int fd)
{
	socklen_t len = sizeof(int);
	int type = 0;

	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	return type;
}

static void bound_remember(int fd, const struct addr *local)
{
	const int cs3 = 0x60;
	struct bound *b;

	if (guard.n_bound == LIMIT_LISTENERS)
		return;
	b = &guard.bound[guard.n_bound++];
	*b = (struct bound){fd, socket_type(fd) == SOCK_DGRAM, *local};
	/* The library marks IPv4 only (TPTAG_TOS). */
	if (addr_family(local) == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &cs3, sizeof(cs3));
}

int bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct addr local;
	int rc = ORIGINAL(bind_fn, "bind")(fd, sa, len);

	if (rc || !on_sip_thread || addr_from_sa(&local, sa, len))
		return rc;
	/* Media binds its sockets on this thread too.  Port 0 is an outgoing
	 * connection or a helper socket. */
	if (guard.is_binding && addr_port(&local))
		bound_remember(fd, &local);
	else if (!addr_port(&local) && guard.installed &&
		 socket_type(fd) == SOCK_STREAM)
		stream_add_made(fd);
	return rc;
}

void guard_set_binding(bool is_binding)
{
	guard.is_binding = is_binding;
}

static void bound_forget(int fd)
{
	struct bound *b = bound_by_fd(fd);

	if (b)
		*b = guard.bound[--guard.n_bound];
}

int guard_udp_fd(const struct addr *local)
{
	for (unsigned i = 0; i < guard.n_bound; i++)
		if (guard.bound[i].datagrams &&
		    addr_equal(&guard.bound[i].local, local))
			return guard.bound[i].fd;
	return -ENOENT;
}

/* An ICMP error for one peer is reported by the next call on the socket,
 * whomever that is for, and what it should have sent is lost. */
static int send_datagram(int fd, const struct addr *remote, const void *bytes,
			 size_t n)
{
	for (int tries = 2; tries; tries--) {
		if (sendto(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL,
			   &remote->sa, addr_len(remote)) >= 0)
			return 0;
		if (errno == EAGAIN)
			break;
	}
	return -errno;
}

int guard_send(const struct addr *local, const struct addr *remote,
	       const void *bytes, size_t n)
{
	int fd = guard_udp_fd(local);

	return fd < 0 ? fd : send_datagram(fd, remote, bytes, n);
}

/* ---- accept: bounded numbers ------------------------------------------------ */

static void spare_open(void)
{
	if (guard.spare_fd < 0)
		guard.spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Out of descriptors: the connection stays in the backlog, the listener stays
 * readable and the loop spins.  Give up the spare one to take it and shut it. */
static void accept_and_refuse(int listener)
{
	int fd;

	if (guard.spare_fd >= 0)
		close(guard.spare_fd);
	guard.spare_fd = -1;
	fd = ORIGINAL(accept_fn, "accept")(listener, NULL, NULL);
	if (fd >= 0)
		close(fd);
	spare_open();
}

int accept(int listener, struct sockaddr *sa, socklen_t *len)
{
	struct addr remote;
	int fd = ORIGINAL(accept_fn, "accept")(listener, sa, len);

	if (!on_sip_thread || !guard.installed || !bound_by_fd(listener))
		return fd;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE) {
			log_limited(LOG_WARN, "sip.no_descriptors");
			accept_and_refuse(listener);
		}
		errno = EAGAIN;
		return -1;
	}
	if (addr_from_sa(&remote, sa, *len) || stream_add(fd, &remote)) {
		log_limited(LOG_WARN, "sip.connection_refused",
			    kv_a("source", &remote));
		close(fd);
		errno = EAGAIN;
		return -1;
	}
	return fd;
}

int su_close(su_socket_t fd)
{
	if (on_sip_thread && guard.installed) {
		stream_drop(fd);
		bound_forget(fd);
	}
	return close(fd);
}

/* ---- datagrams and bytes of streams ----------------------------------------- */

static void answer_raw(const struct bound *b, enum screen_verdict verdict,
		       size_t n, const struct addr *source)
{
	char mem[ANSWER_BYTES];
	struct buf out;

	if (verdict != SCREEN_MALFORMED && verdict != SCREEN_METHOD &&
	    verdict != SCREEN_VERSION && verdict != SCREEN_STUN)
		return;
	if (!guard.conf.may_answer(guard.conf.arg, &b->local, source))
		return;
	buf_init(&out, mem, sizeof(mem));
	/* Never more than 2.5 times of what was asked. */
	if (screen_answer(&out, verdict, guard.datagram, n, source) ||
	    out.n * 2 > n * 5)
		return;
	/* Lost when the buffer is full, as any datagram may be. */
	(void)send_datagram(b->fd, source, out.p, out.n);
}

/* What waits, as the kernel counts it against the socket's buffer. */
static void look_at_backlog(const struct bound *b)
{
	uint32_t mem[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(mem);
	unsigned limit;

	if (++guard.datagrams % SAMPLE ||
	    getsockopt(b->fd, SOL_SOCKET, SO_MEMINFO, mem, &len))
		return;
	limit = mem[SK_MEMINFO_RCVBUF] / 2;
	if (limit > BEHIND_BYTES)
		limit = BEHIND_BYTES;
	/* One long queue of several sockets keeps us behind for some looks. */
	if (mem[SK_MEMINFO_RMEM_ALLOC] > limit)
		guard.behind = BEHIND_LOOKS;
	else if (guard.behind)
		guard.behind--;
}

bool guard_is_behind(void)
{
	return guard.behind > 0;
}

size_t sip_last_datagram(const uint8_t **bytes)
{
	*bytes = guard.datagram;
	return guard.last_bytes;
}

/* Not garbage, nor over the budget: it tells that a peer is there. */
static bool is_heard(enum screen_verdict verdict)
{
	return verdict == SCREEN_PASS || verdict == SCREEN_KEEPALIVE ||
	       verdict == SCREEN_STUN;
}

/* Read until the screen lets one through; -1 and errno when none is left. */
static issize_t next_datagram(const struct bound *b)
{
	for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
		enum screen_verdict verdict = SCREEN_PASS;
		socklen_t len = sizeof(guard.waiting_from);
		struct addr source;
		ssize_t n;

		n = recvfrom(b->fd, guard.datagram, sizeof(guard.datagram),
			     MSG_DONTWAIT,
			     (struct sockaddr *)&guard.waiting_from, &len);
		if (n < 0 && errno == EAGAIN)
			return -1;
		/* Else an ICMP error: it also waits in the error queue, which
		 * the library reads. */
		if (n < 0 ||
		    addr_from_sa(&source,
				 (struct sockaddr *)&guard.waiting_from, len))
			continue;
		guard.busy = true;
		guard.last_bytes = (size_t)n;
		look_at_backlog(b);
		if (guard.conf.screen)
			verdict = screen_datagram(guard.conf.screen,
						  guard.datagram, (size_t)n,
						  &source, clock_mono());
		if (is_heard(verdict) &&
		    guard.conf.datagram(guard.conf.arg, &b->local, &source,
					guard.datagram, (size_t)n))
			continue;
		if (verdict == SCREEN_PASS && n > 1) {
			guard.waiting_fd = b->fd;
			guard.waiting_bytes = (size_t)n;
			guard.waiting_from_len = len;
			return n;
		}
		answer_raw(b, verdict, (size_t)n, &source);
	}
	errno = EAGAIN;
	return -1;
}

issize_t su_getmsgsize(su_socket_t fd)
{
	const struct bound *b;
	int n = -1;

	if (on_sip_thread && guard.installed) {
		if (guard.conf.loop)
			loop_woke(guard.conf.loop);
		b = bound_by_fd(fd);
		if (b && b->datagrams)
			return next_datagram(b);
		stream_readable(fd);
		guard.busy = true;
	}
	if (ioctl(fd, FIONREAD, &n) < 0)
		return -1;
	if (!on_sip_thread || !guard.installed || n <= 0)
		return n;
	if (stream_conn(fd))
		guard.conf.bytes(guard.conf.arg, stream_conn(fd));
	/* The library allocates what we say, calls several good messages that
	 * came together one that is too large, and has an assertion on more
	 * than 128 KB.  It asks again for the rest. */
	return (issize_t)stream_portion(fd, (size_t)n);
}

static issize_t hand_over(su_iovec_t iov[], isize_t n_iov, su_sockaddr_t *from,
			  socklen_t *from_len)
{
	size_t done = 0;

	for (isize_t i = 0; i < n_iov && done < guard.waiting_bytes; i++) {
		size_t n = guard.waiting_bytes - done;

		if (n > iov[i].siv_len)
			n = iov[i].siv_len;
		memcpy(iov[i].siv_base, guard.datagram + done, n);
		done += n;
	}
	if (from && from_len && *from_len >= guard.waiting_from_len) {
		memcpy(from, &guard.waiting_from, guard.waiting_from_len);
		*from_len = guard.waiting_from_len;
	}
	guard.waiting_fd = -1;
	return (issize_t)done;
}

static bool is_blank(const su_iovec_t iov[], isize_t n_iov, size_t bytes)
{
	for (isize_t i = 0; i < n_iov && bytes; i++) {
		const char *p = iov[i].siv_base;
		size_t n = iov[i].siv_len < bytes ? iov[i].siv_len : bytes;

		for (size_t k = 0; k < n; k++)
			if (p[k] != '\r' && p[k] != '\n')
				return false;
		bytes -= n;
	}
	return true;
}

issize_t su_vrecv(su_socket_t fd, su_iovec_t iov[], isize_t n_iov, int flags,
		  su_sockaddr_t *from, socklen_t *from_len)
{
	issize_t n;

	if (on_sip_thread && guard.waiting_fd == fd && fd >= 0)
		return hand_over(iov, n_iov, from, from_len);
	n = ORIGINAL(vrecv_fn, "su_vrecv")(fd, iov, n_iov, flags, from,
					   from_len);
	if (on_sip_thread && guard.installed && n > 0 &&
	    !is_blank(iov, n_iov, (size_t)n))
		stream_began(fd);
	return n;
}

/* ---- messages --------------------------------------------------------------- */

static void receive(tp_stack_t *stack, tport_t *tport, msg_t *msg,
		    tp_magic_t *magic, su_time_t now)
{
	if (tport_is_stream(tport))
		stream_completed(stream_now());
	if (!guard.conf.enter(guard.conf.arg, tport, msg))
		return;
	guard.deliver(stack, tport, msg, magic, now);
	guard.conf.leave(guard.conf.arg);
}

/* The agent makes its transports with this call, and tells them whom to give
 * messages to.  We stand between: the library's own answers to bad messages
 * follow a Via, ours go where the message came from; and what would run into
 * one of its assertions never gets there. */
tport_t *tport_tcreate(tp_stack_t *stack, const tport_stack_class_t *agent,
		       su_root_t *root, tag_type_t tag, tag_value_t value, ...)
{
	tcreate_fn create = ORIGINAL(tcreate_fn, "tport_tcreate");
	tport_t *tport;
	ta_list ta;

	if (on_sip_thread && guard.installed) {
		guard.agent = *agent;
		guard.deliver = agent->tpac_recv;
		guard.agent.tpac_recv = receive;
		agent = &guard.agent;
	}
	ta_start(ta, tag, value);
	tport = create(stack, agent, root, ta_tags(ta));
	(void)ta_end(ta);
	return tport;
}

bool guard_is_live(void)
{
	return guard.installed && guard.deliver;
}

/* ---- spin ------------------------------------------------------------------- */

/*
 * The loop rounds its time-out down to milliseconds and turns with 0 through
 * the rest of each one in which a transaction is due.  Sleep when the last
 * turn was just now and brought nothing.
 */
static void rest_if_spinning(su_prepoll_magic_t *arg, su_root_t *root)
{
	uint64_t now = clock_mono_us();
	struct timespec rest = {0, SPIN_SLEEP_US * 1000};

	if (!guard.busy && now - guard.turn_us < SPIN_TURN_US) {
		nanosleep(&rest, NULL);
		now = clock_mono_us();
	}
	guard.busy = false;
	guard.turn_us = now;
}

/* ---- life ------------------------------------------------------------------- */

static bool originals_exist(void)
{
	static const char *const names[] = {"bind", "accept", "getaddrinfo",
					    "su_vrecv", "tport_tcreate"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!original(names[i]))
			return false;
	return true;
}

int guard_install(const struct guard_conf *conf)
{
	if (guard.installed)
		return -EBUSY;
	if (!originals_exist())
		return -ENOSYS;
	if (streams_init())
		return -ENOMEM;
	clock_install();
	guard.conf = *conf;
	guard.n_bound = 0;
	guard.waiting_fd = -1;
	guard.deliver = NULL;
	spare_open();
	su_root_add_prepoll(conf->root, rest_if_spinning, NULL);
	guard.installed = on_sip_thread = true;
	return 0;
}

void guard_remove(void)
{
	if (!guard.installed)
		return;
	su_root_remove_prepoll(guard.conf.root);
	streams_clear();
	if (guard.spare_fd >= 0)
		close(guard.spare_fd);
	guard.spare_fd = -1;
	guard.installed = on_sip_thread = false;
}
