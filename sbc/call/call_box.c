/*
 * call_box.c - what this box tells other boxes of its dialogs, and takes from
 * them: tokens out and in
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is done with a token of another box's is call_adopt.c's.
 */
#include "call/call_box.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "call/call_priv.h"
#include "core/log.h"

enum { IDS_BYTES = 2048 };

static struct registrar *registrar_of(const struct calls *calls)
{
	return calls->conf.registrar;
}

/* ---- tokens ------------------------------------------------------------------- */

const char *box_context(char mem[BOX_CONTEXT], const char *call_id,
			const char *tag)
{
	snprintf(mem, BOX_CONTEXT, "%s %s", call_id, tag);
	return mem;
}

void box_user_in(const char *text, char *out, size_t cap)
{
	struct str rest = str_of(text), user;

	str_cut(&rest, ':');
	user = str_cut(&rest, '@');
	if (!rest.p || str_copy(out, cap, user))
		*out = '\0';
}

void adopt_name(struct call *call, struct leg *leg, const struct leg *other)
{
	struct registrar *reg = registrar_of(call->owner);
	char mine_mem[IDS_BYTES], mem[IDS_BYTES], context[BOX_CONTEXT];
	char plain[REGISTRAR_PLAIN_MAX + 1], user[REGISTRAR_SEALED_MAX];
	struct sip_dialog_ids mine;
	struct dialog_token t = {
		.issued = clock_wall(),
		.peer_is_trunk = leg_is_trunk(leg),
	};
	struct buf b;

	if (call->adopted || !other || !registrar_shares_key(reg) ||
	    leg_ids(leg, &mine, mine_mem, sizeof(mine_mem)) ||
	    leg_ids(other, &t.ids, mem, sizeof(mem)) || !mine.local_tag ||
	    !t.ids.local_tag || !t.ids.remote_tag || !t.ids.target)
		return;
	t.owner = leg_flow(leg)->local;
	t.other_is_trunk = leg_is_trunk(other);
	t.transport = leg_flow(other)->transport;
	t.other_at = leg_flow(other)->remote;
	str_copy(t.peer, sizeof(t.peer), str_of(leg_peer(leg)));
	str_copy(t.other, sizeof(t.other), str_of(leg_peer(other)));
	buf_init(&b, plain, sizeof(plain));
	dialog_token_write(&b, &t);
	if (b.overflow ||
	    registrar_seal(reg, SEAL_DIALOG,
			   box_context(context, mine.call_id, mine.local_tag),
			   buf_str(&b), user))
		log_debug("call.unsealed", kv_s("call", call->id),
			  kv_s("peer", leg_peer(leg)));
	else
		leg_name(leg, user);
}

int box_open_dialog(struct calls *calls, const struct sip_view *view,
		    struct dialog_token *out)
{
	uint8_t plain[REGISTRAR_PLAIN_MAX];
	char context[BOX_CONTEXT];
	size_t n;
	int err;

	err = registrar_unseal(
		registrar_of(calls), SEAL_DIALOG,
		box_context(context, view->call_id, view->to_tag),
		view->uri.user, plain, &n);
	if (!err)
		err = dialog_token_read(plain, n, out);
	return !err && !token_is_timely(out->issued, TOKEN_LIFE_MS) ? -ETIME
								    : err;
}

int box_write_pass(struct calls *calls, const struct sip_flow *flow,
		   const char *call_id, const char *phone, char out[BOX_TARGET])
{
	struct pass_token t = {.issued = clock_wall(), .from = flow->local};
	char plain[REGISTRAR_PLAIN_MAX + 1], user[REGISTRAR_SEALED_MAX];
	char host[ADDR_TEXT_MAX];
	struct buf b;
	int err;

	str_copy(t.phone, sizeof(t.phone), str_of(phone));
	buf_init(&b, plain, sizeof(plain));
	pass_token_write(&b, &t);
	err = registrar_seal(registrar_of(calls), SEAL_PASS, call_id,
			     buf_str(&b), user);
	if (!err)
		snprintf(out, BOX_TARGET, "<sip:%s@%s:%u;lr>", user,
			 addr_fmt_uri(&flow->remote, host),
			 addr_port(&flow->remote));
	return err;
}

bool box_open_pass(struct calls *calls, const struct sip_view *view,
		   struct pass_token *out)
{
	const char *route = sip_view_header(view, "Route", 0);
	uint8_t plain[REGISTRAR_PLAIN_MAX];
	char user[REGISTRAR_SEALED_MAX];
	size_t n;

	if (!route)
		return false;
	box_user_in(route, user, sizeof(user));
	return user[0] &&
	       !registrar_unseal(registrar_of(calls), SEAL_PASS, view->call_id,
				 user, plain, &n) &&
	       !pass_token_read(plain, n, out) &&
	       token_is_timely(out->issued, TOKEN_LIFE_MS) &&
	       addr_same_host(&out->from, &view->flow.remote);
}

/* ---- what other boxes want of our dialogs --------------------------------------------- */

static bool has_leg(const struct call *call, const struct ask_token *t)
{
	struct sip_dialog_ids ids;
	char mem[IDS_BYTES];

	for (unsigned i = 0; i < CALL_LEGS; i++) {
		const struct leg *leg = call->legs[i];

		if (leg && leg_state(leg) != LEG_DEAD &&
		    !strcmp(leg_call_id(leg), t->call_id) &&
		    !leg_ids(leg, &ids, mem, sizeof(mem)) && ids.local_tag &&
		    !strcasecmp(ids.local_tag, t->local_tag))
			return true;
	}
	return false;
}

int calls_hear(struct calls *calls, const struct sip_view *view)
{
	uint8_t plain[REGISTRAR_PLAIN_MAX];
	struct ask_token t;
	size_t n;

	if (!registrar_shares_key(registrar_of(calls)) ||
	    registrar_unseal(registrar_of(calls), SEAL_ASK, NULL,
			     view->uri.user, plain, &n) ||
	    ask_token_read(plain, n, &t))
		return 0;
	if (!token_is_timely(t.issued, TOKEN_SKEW_MS))
		return 403;
	list_for_each (pos, &calls->all) {
		if (has_leg(list_entry(pos, struct call, node), &t))
			return 200;
	}
	return 481;
}

/* ---- requests of our dialogs that a box brings ------------------------------------------ */

/* An adopted side that speaks may tell more of the other one than we know. */
static void learn(struct call *call, struct leg *leg,
		  const struct sip_view *view)
{
	struct leg *other = leg == call->a ? call->b : call->a;
	struct dialog_token t;

	call->touched = clock_mono();
	if (other && view->to_tag && !box_open_dialog(call->owner, view, &t) &&
	    !strcmp(leg_call_id(other), t.call_id) && t.other_is_trunk)
		leg_aim(other, &t.ids);
}

bool adopt_vouched(void *arg, struct leg *leg, const struct sip_view *view)
{
	struct call *call = arg;
	struct pass_token t;

	if (!registrar_shares_key(registrar_of(call->owner)))
		return false;
	if (call->adopted)
		learn(call, leg, view);
	return box_open_pass(call->owner, view, &t);
}

static void send_away(struct call *call, struct leg *leg, const char *phone,
		      const struct addr *via)
{
	struct calls *calls = call->owner;
	char route[BOX_TARGET];
	struct sip_flow flow;

	if (sip_flow_to(calls->conf.sip, leg_realm(leg), SIP_UDP, via, &flow) ||
	    box_write_pass(calls, &flow, leg_call_id(leg), phone, route) ||
	    leg_detour(leg, &flow, route))
		log_warn("leg.not_handed_over", kv_s("call", call->id),
			 kv_s("peer", phone));
	else
		log_info("leg.handed_over", kv_s("call", call->id),
			 kv_s("peer", phone), kv_a("via", via));
}

void calls_away(struct calls *calls, const struct binding *b,
		const struct addr *via)
{
	list_for_each (pos, &calls->all) {
		struct call *call = list_entry(pos, struct call, node);

		for (unsigned i = 0; i < CALL_LEGS; i++) {
			struct leg *leg = call->legs[i];

			/* What rings yet is set up as it began. */
			if (leg && leg_state(leg) == LEG_UP &&
			    !strcmp(leg_peer(leg), binding_phone(b)) &&
			    (sip_flow_equal(leg_flow(leg), &b->to) ||
			     sip_flow_equal(leg_flow(leg), &b->flow)))
				send_away(call, leg, binding_phone(b), via);
		}
	}
}
