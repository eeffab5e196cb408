/*
 * call_token.c - what boxes with one flow_key write to each other of dialogs
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "call/call_token.h"

#include <errno.h>

#include "core/pack.h"

enum { PEER_IS_TRUNK = 1, OTHER_IS_TRUNK = 2, OTHER_BY_TCP = 4, FLAGS = 7 };

void dialog_token_write(struct buf *b, const struct dialog_token *t)
{
	pack_number(b, (uint64_t)t->issued, 6);
	pack_number(b,
		    (t->peer_is_trunk ? PEER_IS_TRUNK : 0) |
			    (t->other_is_trunk ? OTHER_IS_TRUNK : 0) |
			    (t->transport == SIP_TCP ? OTHER_BY_TCP : 0),
		    1);
	pack_addr(b, &t->owner);
	pack_addr(b, &t->other_at);
	pack_text(b, t->peer);
	pack_text(b, t->other);
	pack_text(b, t->ids.call_id);
	pack_text(b, t->ids.local_tag);
	pack_text(b, t->ids.remote_tag);
	pack_text(b, t->ids.target);
	pack_text(b, t->ids.route);
}

int dialog_token_read(const void *bytes, size_t n, struct dialog_token *out)
{
	struct cursor c = cursor_of(bytes, n);
	uint8_t flags;

	out->issued = (wall_ms)unpack_number(&c, 6);
	flags = cursor_u8(&c);
	out->peer_is_trunk = flags & PEER_IS_TRUNK;
	out->other_is_trunk = flags & OTHER_IS_TRUNK;
	out->transport = flags & OTHER_BY_TCP ? SIP_TCP : SIP_UDP;
	unpack_addr(&c, &out->owner);
	unpack_addr(&c, &out->other_at);
	unpack_text(&c, out->peer, sizeof(out->peer));
	unpack_text(&c, out->other, sizeof(out->other));
	unpack_text(&c, out->call_id, sizeof(out->call_id));
	unpack_text(&c, out->local_tag, sizeof(out->local_tag));
	unpack_text(&c, out->remote_tag, sizeof(out->remote_tag));
	unpack_text(&c, out->target, sizeof(out->target));
	unpack_text(&c, out->route, sizeof(out->route));
	out->ids = (struct sip_dialog_ids){
		.call_id = out->call_id,
		.local_tag = out->local_tag,
		.remote_tag = out->remote_tag,
		.target = out->target,
		.route = out->route[0] ? out->route : NULL,
	};
	return c.bad || cursor_left(&c) || flags & ~FLAGS ? -EINVAL : 0;
}

void pass_token_write(struct buf *b, const struct pass_token *t)
{
	pack_number(b, (uint64_t)t->issued, 6);
	pack_addr(b, &t->from);
	pack_text(b, t->phone);
}

int pass_token_read(const void *bytes, size_t n, struct pass_token *out)
{
	struct cursor c = cursor_of(bytes, n);

	out->issued = (wall_ms)unpack_number(&c, 6);
	unpack_addr(&c, &out->from);
	unpack_text(&c, out->phone, sizeof(out->phone));
	return c.bad || cursor_left(&c) ? -EINVAL : 0;
}

void ask_token_write(struct buf *b, const struct ask_token *t)
{
	pack_number(b, (uint64_t)t->issued, 6);
	pack_text(b, t->call_id);
	pack_text(b, t->local_tag);
}

int ask_token_read(const void *bytes, size_t n, struct ask_token *out)
{
	struct cursor c = cursor_of(bytes, n);

	out->issued = (wall_ms)unpack_number(&c, 6);
	unpack_text(&c, out->call_id, sizeof(out->call_id));
	unpack_text(&c, out->local_tag, sizeof(out->local_tag));
	return c.bad || cursor_left(&c) ? -EINVAL : 0;
}

bool token_is_timely(wall_ms issued, int64_t life_ms)
{
	wall_ms age = clock_wall() - issued;

	return age >= -TOKEN_SKEW_MS && age <= life_ms;
}
