/*
 * main.c - nat-emulator: a NAT in user space, of any kind, good or bad
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   nat-emulator inside=nin outside=nout control=/path address=203.0.113.9 \
 *                [mapping=address-dependent] [timeout=6000] ...
 *
 * The kernel of a router hands it packets by two TUN devices: what comes from
 * the LAN is routed to @inside, what comes for the outside address to
 * @outside; what is written there goes the other way.  The devices are made
 * and routed by who starts it.  Keys are those of settings.h; words for its
 * control socket stand in control.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"

#define SWEEP_MS   20
#define ANSWER_MAX (1 << 20)
#define BURST      64 /* packets of one device before the others are asked */

struct emulator {
	struct nat nat;
	struct line line;
	int tun[SIDES], listener;
	const char *names[SIDES], *control;
	char answer[ANSWER_MAX];
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	stopping = 1;
}

/* ---- packets ------------------------------------------------------------- */

static void send_on(struct emulator *e, enum side to, const struct packet *p)
{
	/* A full queue of the device loses it, as any router does. */
	if (write(e->tun[to], p->bytes, p->len) < 0 && errno == EBADFD)
		stopping = 1;
}

static void carry(struct emulator *e, enum side from, struct packet *p)
{
	struct nat *n = &e->nat;
	enum side to = nat_translate(n, from, p, clock_mono());

	if (to == SIDES)
		return;
	if (line_is_plain(&n->set) && !e->line.n)
		send_on(e, to, p);
	else
		line_put(&e->line, &n->set, &n->table, to, p, clock_mono_us());
}

static void read_side(struct emulator *e, enum side from)
{
	struct packet p;
	ssize_t n;

	for (int i = 0; i < BURST; i++) {
		n = read(e->tun[from], p.bytes, sizeof(p.bytes));
		if (n <= 0)
			return;
		p.len = (size_t)n;
		carry(e, from, &p);
	}
}

static void release(struct emulator *e)
{
	const struct packet *p;
	enum side to;

	while ((p = line_take(&e->line, clock_mono_us(), &to)))
		send_on(e, to, p);
}

/* ---- control ------------------------------------------------------------- */

/* One connection, one line, one answer. */
static void serve(struct emulator *e)
{
	struct timeval patience = {.tv_sec = 1};
	char text[256];
	struct buf out;
	ssize_t n;
	int fd = accept(e->listener, NULL, NULL);

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	n = recv(fd, text, sizeof(text) - 1, 0);
	if (n > 0) {
		text[n] = '\0';
		text[strcspn(text, "\r\n")] = '\0';
		buf_init(&out, e->answer, sizeof(e->answer));
		control_answer(&e->nat, &e->line, text, clock_mono(), &out);
		for (size_t sent = 0; sent < out.n; sent += (size_t)n) {
			n = send(fd, out.p + sent, out.n - sent, MSG_NOSIGNAL);
			if (n <= 0)
				break;
		}
	}
	close(fd);
}

static int listen_at(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd;

	if (str_copy(sun.sun_path, sizeof(sun.sun_path), str_of(path)))
		return -ENAMETOOLONG;
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) || listen(fd, 8)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/* ---- start, loop, end ---------------------------------------------------- */

static int open_tun(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd;

	if (str_copy(request.ifr_name, sizeof(request.ifr_name), str_of(name)))
		return -ENAMETOOLONG;
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, TUNSETIFF, &request)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static int patience_ms(const struct emulator *e)
{
	int64_t us = line_wait_us(&e->line, clock_mono_us());

	/* Rounded up: woken too early it would spin. */
	if (us < 0 || us > SWEEP_MS * 1000)
		return SWEEP_MS;
	return (int)((us + 999) / 1000);
}

static void run(struct emulator *e)
{
	struct pollfd fds[] = {{e->tun[INSIDE], POLLIN, 0},
			       {e->tun[OUTSIDE], POLLIN, 0},
			       {e->listener, POLLIN, 0}};
	mono_ms swept = 0;

	while (!stopping) {
		if (poll(fds, 3, patience_ms(e)) < 0 && errno != EINTR)
			return;
		for (int side = INSIDE; side < SIDES; side++) {
			if (fds[side].revents)
				read_side(e, side);
		}
		if (fds[2].revents)
			serve(e);
		release(e);
		if (clock_mono() - swept >= SWEEP_MS) {
			swept = clock_mono();
			table_sweep(&e->nat.table, swept);
		}
	}
}

/* Our own keys; the others are settings. */
static int take_argument(struct emulator *e, struct settings *set, char *arg)
{
	char *value = strchr(arg, '=');

	if (!value)
		return -EINVAL;
	*value++ = '\0';
	if (!strcmp(arg, "inside"))
		e->names[INSIDE] = value;
	else if (!strcmp(arg, "outside"))
		e->names[OUTSIDE] = value;
	else if (!strcmp(arg, "control"))
		e->control = value;
	else
		return settings_set(set, arg, value);
	return 0;
}

static int fail(const char *what, int err)
{
	fprintf(stderr, "nat-emulator: %s: %s\n", what, strerror(-err));
	return 1;
}

static int start(struct emulator *e)
{
	for (int side = INSIDE; side < SIDES; side++) {
		e->tun[side] = open_tun(e->names[side]);
		if (e->tun[side] < 0)
			return fail(e->names[side], e->tun[side]);
	}
	e->listener = listen_at(e->control);
	if (e->listener < 0)
		return fail(e->control, e->listener);
	return 0;
}

int main(int argc, char **argv)
{
	static struct emulator e = {.tun = {-1, -1}, .listener = -1};
	struct sigaction stop = {.sa_handler = on_signal};
	struct settings set;
	int failed;

	settings_init(&set);
	for (int i = 1; i < argc; i++) {
		if (take_argument(&e, &set, argv[i]))
			return fail(argv[i], -EINVAL);
	}
	if (!e.names[INSIDE] || !e.names[OUTSIDE] || !e.control || !set.outside)
		return fail("inside=, outside=, control= and address= are "
			    "needed",
			    -EINVAL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	nat_init(&e.nat, &set);
	line_init(&e.line);
	failed = start(&e);
	if (!failed) {
		run(&e);
		unlink(e.control);
	}
	for (int side = INSIDE; side < SIDES; side++) {
		if (e.tun[side] >= 0)
			close(e.tun[side]);
	}
	if (e.listener >= 0)
		close(e.listener);
	return failed;
}
