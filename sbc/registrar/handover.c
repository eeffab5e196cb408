/*
 * handover.c - a phone that comes to another of our boxes: the new one tells
 * the old one, which lets go of it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Boxes with one flow_key have no other tie than the registrar behind them.
 * Its 200 lists every contact of the user; one that is a token of our key, but
 * no binding of ours, was made by another box, at the address that it names:
 *
 *   phone             box 2             registrar            box 1
 *     | REGISTER        | REGISTER          |                  |
 *     |---------------->|------------------>|                  |
 *     |             200 | 200: token 2 @ box 2, token 1 @ box 1|
 *     |<----------------|<------------------|                  |
 *     |                 | OPTIONS sip:<sealed: who, since when, via>@box 1
 *     |                 |------------------------------------->| same device:
 *     |                 |                   | REGISTER, expires=0, for token 1
 *     |                 |                   |<-----------------| no more pings
 *
 * The same device is the same instance and reg-id, else the same Contact from
 * the same source.  What was sealed counts for some minutes, and not for a
 * phone that has registered with the old box since: told again, or late, it
 * does nothing.  A box that was not told hears of it at the next refresh.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/pack.h"
#include "registrar/upstream.h"

enum {
	/* Clocks of two boxes may differ by that. */
	FRESH_MS = 300000,
	DEVICE_TEXT = 1400,
	PROMOTE_MS = 3600000,
};

/* ---- sealing for everybody -------------------------------------------------- */

bool registrar_shares_key(const struct registrar *reg)
{
	return config_global(reg->config)->flow_key != NULL;
}

int registrar_seal(struct registrar *reg, enum registrar_seal kind,
		   const char *context, struct str plain,
		   char out[REGISTRAR_SEALED_MAX])
{
	const struct token_key *key = upstream_key(reg);

	return key ? token_seal_bytes(key, (uint8_t)kind, context, plain, out)
		   : -ENOKEY;
}

int registrar_unseal(struct registrar *reg, enum registrar_seal kind,
		     const char *context, const char *text,
		     uint8_t plain[REGISTRAR_PLAIN_MAX], size_t *n)
{
	const struct token_key *key = upstream_key(reg);

	return key && text ? token_open_bytes(key, (uint8_t)kind, context, text,
					      plain, n)
			   : -EINVAL;
}

/* ---- what is told ------------------------------------------------------------ */

struct moved {
	wall_ms at;
	struct addr via; /* requests for the phone go there */
	uint8_t device[TOKEN_DIGEST_BYTES];
	char phone[LIMIT_NAME_BYTES];
};

static int device_of(struct registrar *reg, const struct binding *b,
		     uint8_t out[TOKEN_DIGEST_BYTES])
{
	char text[DEVICE_TEXT], host[ADDR_TEXT_MAX];

	if (b->instance)
		snprintf(text, sizeof(text), "i %u %s", b->reg_id, b->instance);
	else
		snprintf(text, sizeof(text), "c %s %s",
			 addr_fmt_host(&b->flow.remote, host), b->contact);
	return token_digest(upstream_key(reg), text, out);
}

static int write_moved(struct registrar *reg, const struct binding *b,
		       char out[REGISTRAR_SEALED_MAX])
{
	uint8_t device[TOKEN_DIGEST_BYTES];
	char mem[REGISTRAR_PLAIN_MAX + 1];
	struct buf plain;
	int err = device_of(reg, b, device);

	if (err)
		return err;
	buf_init(&plain, mem, sizeof(mem));
	pack_number(&plain, (uint64_t)b->last_seen, 6);
	pack_addr(&plain, &b->flow.local);
	buf_put(&plain, device, sizeof(device));
	pack_text(&plain, b->aor->phone);
	return plain.overflow ? -ENOSPC
			      : registrar_seal(reg, SEAL_MOVED, NULL,
					       buf_str(&plain), out);
}

static int read_moved(struct registrar *reg, const char *text,
		      struct moved *out)
{
	uint8_t plain[REGISTRAR_PLAIN_MAX];
	const uint8_t *device;
	struct cursor c;
	size_t n;

	if (registrar_unseal(reg, SEAL_MOVED, NULL, text, plain, &n))
		return -EINVAL;
	c = cursor_of(plain, n);
	out->at = (wall_ms)unpack_number(&c, 6);
	unpack_addr(&c, &out->via);
	device = cursor_take(&c, sizeof(out->device));
	if (device)
		memcpy(out->device, device, sizeof(out->device));
	unpack_text(&c, out->phone, sizeof(out->phone));
	return c.bad || cursor_left(&c) ? -EINVAL : 0;
}

/* ---- telling ------------------------------------------------------------------ */

static bool is_fresh(wall_ms at)
{
	wall_ms age = clock_wall() - at;

	return age <= FRESH_MS && age >= -FRESH_MS;
}

/* The user part of @uri; "" when it has none, or a longer one. */
static void user_of(const char *uri, char *out, size_t cap)
{
	struct str rest = str_of(uri), user;

	str_cut(&rest, ':');
	user = str_cut(&rest, '@');
	if (!rest.p || str_copy(out, cap, user))
		*out = '\0';
}

/* Where the box sits that made contact @uri; false: it is of no other box. */
static bool is_other_box(const struct registrar *reg, const char *uri,
			 struct addr *box)
{
	char user[TOKEN_MAX];
	struct token t;

	user_of(uri, user, sizeof(user));
	return user[0] && !token_open(reg->up.key, user, &t) &&
	       !upstream_knows(reg, &t) && !addr_parse_uri(box, uri) &&
	       !sip_is_own(reg->conf.sip, box);
}

static void tell(struct registrar *reg, const struct conf_trunk *trunk,
		 const struct binding *b, const struct addr *box)
{
	char user[REGISTRAR_SEALED_MAX], host[ADDR_TEXT_MAX];
	char target[REGISTRAR_SEALED_MAX + ADDR_TEXT_MAX + 16];
	struct sip_out o = {.target = target, .from_user = "box"};
	int err;

	err = write_moved(reg, b, user);
	if (!err)
		err = sip_flow_to(reg->conf.sip, trunk->realm, SIP_UDP, box,
				  &o.flow);
	snprintf(target, sizeof(target), "sip:%s@%s:%u", user,
		 addr_fmt_uri(box, host), addr_port(box));
	if (!err)
		err = sip_send(reg->conf.sip, NULL, &o,
			       &(struct sip_message){.method = SIP_OPTIONS},
			       NULL, NULL);
	if (err)
		log_limited(LOG_WARN, "handover.unsent", kv_a("box", box),
			    kv_i("errno", -err));
}

void handover_look(struct registrar *reg, const char *phone, uint64_t id,
		   const struct conf_trunk *trunk, const struct sip_view *view)
{
	const struct binding *b;
	struct addr box;

	if (!registrar_shares_key(reg) || !trunk)
		return;
	b = binding_by_id(reg, phone, id);
	if (!b || !is_fresh(b->last_seen))
		return; /* nobody knows where it has been since */
	for (unsigned i = 0; i < view->n_contacts; i++) {
		if (is_other_box(reg, view->contacts[i].uri, &box))
			tell(reg, trunk, b, &box);
	}
}

/* ---- hearing ------------------------------------------------------------------- */

static void let_go(struct registrar *reg, struct binding *b,
		   const struct moved *m)
{
	log_info("handover.away", kv_s("aor", b->aor->text),
		 kv_a("via", &m->via));
	if (reg->conf.away)
		reg->conf.away(reg->conf.arg, b, &m->via);
	binding_drop(b, "other-box");
}

/* The status to answer with. */
static int obey(struct registrar *reg, const struct moved *m)
{
	struct aor *aor = binding_find_aor(reg, m->phone);
	uint8_t device[TOKEN_DIGEST_BYTES];

	if (!aor)
		return 404;
	list_for_each (pos, &aor->bindings) {
		struct binding *b = list_entry(pos, struct binding, node);

		if (device_of(reg, b, device) ||
		    memcmp(device, m->device, sizeof(device)))
			continue;
		if (b->last_seen >= m->at)
			return 403; /* it has come back since */
		let_go(reg, b, m);
		return 200;
	}
	return 404;
}

int registrar_hear(struct registrar *reg, const struct sip_view *view)
{
	struct moved m;
	int status;

	if (!registrar_shares_key(reg) || read_moved(reg, view->uri.user, &m))
		return 0;
	status = is_fresh(m.at) ? obey(reg, &m) : 403;
	if (status == 403)
		log_limited(LOG_WARN, "handover.stale",
			    kv_a("source", &view->flow.remote),
			    kv_s("phone", m.phone));
	else
		screen_promote(reg->conf.screen, &view->flow.remote,
			       SCREEN_REGISTERED, clock_mono() + PROMOTE_MS);
	return status;
}
