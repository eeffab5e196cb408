/*
 * ctl.c - the unix socket of the command line clients: JSON lines
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Whoever may open the socket (0660) may ask; still every line is bounded and
 * parsed strictly, and a client that does not read is dropped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/api.h"
#include "core/list.h"
#include "core/log.h"

enum {
	REQUEST_BYTES = 4096,
	CLIENTS = 16,
	IDLE_MS = 30000,
	PAUSE_MS = 1000, /* when no descriptor is left for a client */
	/* 3.2 is not 3.2000000000000002 */
	DUMP = JSON_COMPACT | JSON_REAL_PRECISION(12),
};

struct ctl {
	struct loop *loop;
	struct api_source source;
	struct loop_fd *watch;
	int fd;
	char path[108];
	struct list clients;
	unsigned n;
	struct timer pause;
};

struct client {
	struct list node;
	struct ctl *ctl;
	int fd;
	struct loop_fd *watch;
	struct timer idle;
	char in[REQUEST_BYTES];
	size_t n_in;
	char *out; /* malloc; NULL = nothing to send */
	size_t n_out, at;
	struct api_list list; /* being given out */
	bool begun;           /* some of its items were */
	struct api_later later;
};

static void client_close(struct client *c)
{
	resource_forget(c->later.wait);
	timer_cancel(c->ctl->loop, &c->idle);
	loop_fd_remove(c->watch);
	close(c->fd);
	list_remove(&c->node);
	c->ctl->n--;
	free(c->out);
	free(c);
}

static void client_idle(void *arg)
{
	client_close(arg);
}

static void client_event(void *arg, int fd, unsigned events);

static int client_watch(struct client *c, unsigned events)
{
	loop_fd_remove(c->watch);
	c->watch = NULL;
	return loop_fd_add(c->ctl->loop, &c->watch, c->fd, events, client_event,
			   c);
}

/*
 * The next piece of a list, once the last one has gone: "a,b" ",c,d" "]}}".
 * One piece in a turn of the loop, so that SIP never waits for a long list.
 */
static int client_next(struct client *c)
{
	bool is_end = false, is_empty;
	json_t *items = resource_next(&c->ctl->source, &c->list, &is_end);
	char *text = items ? json_dumps(items, DUMP) : NULL;

	is_empty = !json_array_size(items);
	json_decref(items);
	if (!text)
		return -ENOMEM;
	/* Without the bracket at its end; the one at its start is a comma. */
	c->n_out = is_empty ? 0 : strlen(text) - 1;
	text[0] = c->begun ? ',' : ' ';
	c->begun |= !is_empty;
	c->out = text;
	if (!is_end)
		return 0;
	c->list.name = NULL;
	text = realloc(text, c->n_out + 8);
	if (!text)
		return -ENOMEM;
	memcpy(text + c->n_out, "]}}\n", 4);
	c->n_out += 4;
	c->out = text;
	return 0;
}

/* False when the client is gone. */
static bool client_flush(struct client *c)
{
	while (c->at < c->n_out) {
		ssize_t n = send(c->fd, c->out + c->at, c->n_out - c->at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			if (!client_watch(c, LOOP_OUT))
				return true;
		}
		if (n < 0) {
			client_close(c);
			return false;
		}
		c->at += n;
	}
	free(c->out);
	c->out = NULL;
	c->n_out = c->at = 0;
	if (client_watch(c, c->list.name ? LOOP_OUT : LOOP_IN)) {
		client_close(c);
		return false;
	}
	return true;
}

/* The status, and @body as resource_handle() gives it; 0 = later. */
static int answer(struct client *c, const char *line, size_t n, json_t **body)
{
	const char *method, *path;
	json_error_t error;
	json_t *request;
	int status = 400;

	*body = NULL;
	request = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);
	if (request &&
	    !json_unpack_ex(request, &error, JSON_STRICT, "{s:s, s:s}",
			    "method", &method, "path", &path))
		status = resource_handle(&c->ctl->source, method, path, body,
					 &c->list, &c->later);
	else
		*body = json_pack("{s:s}", "title", "not a request");
	json_decref(request);
	return status;
}

/* Takes @body.  False when the client is gone. */
static bool client_send(struct client *c, int status, json_t *body)
{
	json_t *reply;
	char *text;

	if (c->list.name && !body)
		body = json_object();
	if (c->list.name)
		json_object_set_new(body, c->list.name, json_array());
	reply = json_pack("{s:i, s:o}", "status", status, "body",
			  body ? body : json_null());
	text = reply ? json_dumps(reply, DUMP) : NULL;
	json_decref(reply);
	if (!text) {
		client_close(c);
		return false;
	}
	c->out = text;
	c->n_out = strlen(text);
	if (c->list.name) {
		c->n_out -= strlen("[]}}"); /* client_next() goes on there */
		text[c->n_out++] = '[';
		c->begun = false;
	} else {
		c->out[c->n_out++] = '\n'; /* in place of the NUL */
	}
	return client_flush(c);
}

static void client_later(void *arg, int status, json_t *body)
{
	struct client *c = arg;

	c->later.wait = NULL;
	client_send(c, status, body);
}

static void client_serve(struct client *c, const char *line, size_t n)
{
	json_t *body;
	int status;

	c->later = (struct api_later){.done = client_later, .arg = c};
	status = answer(c, line, n, &body);
	if (status)
		client_send(c, status, body);
}

static void client_event(void *arg, int fd, unsigned events)
{
	struct client *c = arg;
	char *end;
	ssize_t n;

	timer_set(c->ctl->loop, &c->idle, IDLE_MS, client_idle, c);
	if (!c->out && c->list.name && client_next(c)) {
		client_close(c);
		return;
	}
	if (c->out) {
		client_flush(c);
		return;
	}
	n = recv(fd, c->in + c->n_in, sizeof(c->in) - c->n_in, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (c->later.wait) { /* impatient, or gone */
		client_close(c);
		return;
	}
	if (n > 0)
		c->n_in += n;
	end = memchr(c->in, '\n', c->n_in);
	if (n <= 0 || (!end && c->n_in == sizeof(c->in))) {
		client_close(c);
		return;
	}
	if (!end)
		return;
	/* One request at a time: what follows in the buffer is not served. */
	c->n_in = 0;
	client_serve(c, c->in, end - c->in);
}

static void ctl_accept(void *arg, int fd, unsigned events);

static int ctl_watch(struct ctl *ctl)
{
	return loop_fd_add(ctl->loop, &ctl->watch, ctl->fd, LOOP_IN, ctl_accept,
			   ctl);
}

static void ctl_pause(struct ctl *ctl);

static void pause_over(void *arg)
{
	if (ctl_watch(arg))
		ctl_pause(arg);
}

/* The client still waits and would wake us again at once, and again. */
static void ctl_pause(struct ctl *ctl)
{
	loop_fd_remove(ctl->watch);
	ctl->watch = NULL;
	timer_set(ctl->loop, &ctl->pause, PAUSE_MS, pause_over, ctl);
}

static void ctl_accept(void *arg, int fd, unsigned events)
{
	struct ctl *ctl = arg;
	struct client *c;
	int conn;

	conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (conn < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
			ctl_pause(ctl);
		return;
	}
	c = ctl->n < CLIENTS ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		close(conn);
		return;
	}
	c->ctl = ctl;
	c->fd = conn;
	list_append(&ctl->clients, &c->node);
	ctl->n++;
	timer_set(ctl->loop, &c->idle, IDLE_MS, client_idle, c);
	if (client_watch(c, LOOP_IN))
		client_close(c);
}

int ctl_open(struct ctl **out, struct loop *loop, const char *path,
	     const struct api_source *source)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct ctl *ctl;
	int err;

	if (strlen(path) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	ctl = calloc(1, sizeof(*ctl));
	if (!ctl)
		return -ENOMEM;
	ctl->loop = loop;
	ctl->source = *source;
	list_init(&ctl->clients);
	strcpy(ctl->path, path);
	strcpy(at.sun_path, path);
	ctl->fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (ctl->fd < 0)
		goto fail;
	/* The directory's lock is ours, so a socket here serves nobody. */
	unlink(path);
	if (bind(ctl->fd, (struct sockaddr *)&at, sizeof(at)) ||
	    chmod(path, 0660) || listen(ctl->fd, CLIENTS))
		goto fail;
	err = ctl_watch(ctl);
	if (err) {
		ctl_close(ctl);
		return err;
	}
	*out = ctl;
	return 0;
fail:
	err = -errno;
	ctl_close(ctl);
	return err;
}

void ctl_close(struct ctl *ctl)
{
	if (!ctl)
		return;
	list_for_each_safe (pos, &ctl->clients)
		client_close(list_entry(pos, struct client, node));
	timer_cancel(ctl->loop, &ctl->pause);
	loop_fd_remove(ctl->watch);
	if (ctl->fd >= 0) {
		close(ctl->fd);
		unlink(ctl->path);
	}
	free(ctl);
}
