/*
 * session.h - inside of the media room: streams and what they share
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * How a stream passes between the threads:
 *
 *   control                             worker
 *   media_stream_open()
 *     worker_watch()   --- epoll --->   packets run, all dropped
 *   stream_wish_write()
 *     worker_wish()    --- wishes -->   stream_wish_take(): new peer, partner
 *   media_stream_close()
 *     worker_close()   --- closing -->  sockets closed
 *   media_collect()   <-- released ---  not touched any more
 *     pair rests, memory is freed
 *
 * The three lists are chains through the streams themselves, so that handing
 * over needs no memory and cannot fail, which close and wish rely on.
 */
#ifndef SBC_MEDIA_SESSION_H
#define SBC_MEDIA_SESSION_H

#include "core/hash.h"
#include "core/list.h"
#include "media/media.h"
#include "media/path.h"
#include "media/ports.h"

struct worker;

/* What the control thread wants of a stream: always the whole of it, so that
 * only the newest counts and an unread one can be overwritten. */
struct stream_wish {
	struct media_remote remote;
	struct media_stream *partner;
	bool has_remote;
};

/*
 * Newest wish by three slots: one to write, one to read, one in the middle
 * that both exchange for theirs.  Neither side ever waits.
 */
struct wish_box {
	struct stream_wish slots[3];
	_Atomic uint8_t middle; /* slot, and WISH_FRESH when not yet read */
	uint8_t back;           /* control's */
	uint8_t front;          /* worker's */
};

struct media_stream {
	/* the worker's from worker_watch() until it is released */
	int fd[2]; /* RTP, RTCP */
	struct path path;
	struct list waiting; /* in the worker's list while path_is_waiting() */
	mono_ms pierce_at;

	/* between the threads */
	atomic_bool is_posted; /* stands in the list of wishes */
	struct media_stream *next_wish, *next_closing;
	struct wish_box box;

	/* control's */
	struct stream_wish wish; /* the present one, copied into the box */
	struct addr local[2];
	struct media *media;
	struct worker *worker;
	unsigned worker_index;
	bool latch_open;
	media_key_fn key;
	void *key_arg;
	struct list telling;       /* in media->telling: tells_keys */
	struct media_stats before; /* of the streams that it goes on for */
	struct ports *ports;       /* NULL: another one has its pair now */
	struct list link;          /* in media->streams until closed */
	struct hash_node by_addr;  /* in media->by_addr, by local[0] */
};

/* A realm's pairs. */
struct port_range {
	struct list link;
	char *realm;
	struct ports *ports;
};

struct media {
	struct worker **workers;
	unsigned *loads; /* streams open on each worker */
	unsigned n_workers, next_worker;
	struct list ranges;
	struct list streams;
	struct hash by_addr; /* our own RTP addresses */
	struct list telling; /* streams whose keys are told */
	int key_fd;          /* eventfd: one of them has a new key; -1 */
	struct loop_fd *key_watch;
};

/* The pairs of @conf's realm, made or changed as @conf says. */
int media_ports(struct media *m, struct ports **out,
		const struct media_stream_conf *conf);
/* The stream of @p has a new key to tell.  Worker. */
void media_has_key(struct path *p);
/* Free what the workers have let go of. */
void media_collect(struct media *m);
/* Is @a, or the even port below it, an RTP address of a stream? */
bool media_is_own(const struct media *m, const struct addr *a);

void wish_box_init(struct wish_box *box);
void wish_box_write(struct wish_box *box, const struct stream_wish *wish);
/* The newest wish, NULL when it was taken before.  Worker. */
const struct stream_wish *wish_box_take(struct wish_box *box);

/* Close the sockets (-1 is skipped) and free; the worker is done with it. */
void stream_free(struct media_stream *s);
void stream_close_sockets(struct media_stream *s);

#endif
